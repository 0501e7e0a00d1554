"""SymPy expressions and formulas as fields: polynomials exactly, everything else by symbolic derivatives."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import sympy

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._typing import NDArray
from erlangen.fields._base import EXACT, AbstractField
from erlangen.fields.as_field import Request, finish, register
from erlangen.fields.polynomial import PolynomialField
from erlangen.fields.wrappers import of_kind
from erlangen.linalg.polynomials import collect

MOST_MONOMIALS = 50_000
"""A polynomial that could expand to more monomials than this stays an expression."""


@dataclass(frozen=True, eq=False)
class ExpressionField(AbstractField):
    """Values and symbolic derivatives of c expressions, compiled to NumPy.

    Parameters
    ----------
    names : tuple of str
        Names of the d coordinates.
    channels : int
        Number c of expressions.
    values : callable
        d columns to the list of c values.
    slopes : callable
        d columns to the list of c * d derivatives, expression by expression.
    """

    names: tuple[str, ...]
    channels: int
    values: Callable[..., Any]
    slopes: Callable[..., Any]

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return len(self.names)

    @property
    def value_dim(self) -> int:
        """Number c of expressions."""
        return self.channels

    @property
    def accuracy(self) -> float:
        """Rounding: the derivative is symbolic."""
        return EXACT

    @property
    def kind(self) -> str:
        """Plain values."""
        return "invariant"

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)``; NaN outside the domain."""
        return _columns(self.values, x)

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        return _columns(self.slopes, x).reshape(len(x), self.channels, self.point_dim)


def expressions_field(expressions: Sequence[Any], request: Request) -> AbstractField:
    """Turn c expressions into a `PolynomialField` where they are polynomials, else into an `ExpressionField`.

    Parameters
    ----------
    expressions : sequence of sympy.Expr or Formula
        One per value channel.
    request : Request
        ``variables`` names the coordinates in order; without it they are the symbols in natural order.

    Raises
    ------
    InputError
        Where variables do not match, the expression is not real or has no derivative.
    """
    parts = [sympy.sympify(e.to_sympy() if isinstance(e, Formula) else e) for e in expressions]
    symbols = _symbols(expressions, parts, request)
    # Real symbols: the derivative of |x| is then sign(x), without real and imaginary parts.
    real = [sympy.Dummy(s.name, real=True) for s in symbols]
    parts = [sympy.sympify(e).subs(dict(zip(symbols, real, strict=True))) for e in parts]
    for part in parts:
        _check_real(part)
    polynomial = _polynomial(parts, real)
    if polynomial is not None:
        return of_kind(polynomial, request.kind, request.probes(len(real)))
    return finish(_compiled(parts, real), request)


def _symbols(expressions: Sequence[Any], parts: Sequence[Any], request: Request) -> list[Any]:
    found = {s.name: s for part in parts for s in part.free_symbols}
    if request.variables is not None:
        names = [str(v) for v in request.variables]
    elif all(isinstance(e, Formula) for e in expressions):
        names = list(dict.fromkeys(name for e in expressions for name in e.variables))
    else:
        names = sorted(found, key=_natural)
    unknown = sorted(set(found) - set(names), key=_natural)
    if unknown or len(set(names)) != len(names) or not names or request.dim not in (None, len(names)):
        raise InputError(
            explain(
                "The variables of the expressions are not the coordinates.",
                given=f"symbols {', '.join(sorted(found, key=_natural)) or '(none)'}; coordinates "
                + (", ".join(names) or "(none)")
                + (f"; dim={request.dim}" if request.dim is not None else ""),
                expected="every symbol among the coordinates, each named once",
                fix='as_field(expression, variables=["x", "y", "z"])',
            )
        )
    return [found.get(name, sympy.Symbol(name)) for name in names]


def _natural(name: str) -> list[tuple[int, Any]]:
    """Sort key: x2 before x10."""
    return [(0, int(s)) if s.isdigit() else (1, s) for s in re.split(r"(\d+)", name) if s]


def _check_real(part: Any) -> None:
    if not isinstance(part, sympy.Expr) or part.has(sympy.I, sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        raise InputError(
            explain(
                "The expression is not a real-valued function.",
                given=str(part)[:100],
                expected="a real SymPy expression in the coordinates",
                fix="sympy.re(expression), sympy.im(expression)",
            )
        )
    if part.has(sympy.Derivative, sympy.Integral, sympy.Subs, sympy.Limit):
        raise InputError(
            explain(
                "The expression still has something to be worked out.",
                given=str(part)[:100],
                expected="an expression without Derivative, Integral, Subs or Limit",
                fix="expression.doit()",
            )
        )


def _polynomial(parts: Sequence[Any], symbols: Sequence[Any]) -> PolynomialField | None:
    if not all(part.is_polynomial(*symbols) for part in parts):
        return None
    degree = max(_degree(part) for part in parts)
    if comb(len(symbols) + degree, degree) > MOST_MONOMIALS:
        return None
    rows, entries = [], []
    for channel, part in enumerate(parts):
        for powers, coefficient in sympy.Poly(part, *symbols).terms():
            rows.append(powers)
            entries.append((channel, float(coefficient)))
    coefficients = np.zeros((len(parts), len(rows)))
    for r, (channel, value) in enumerate(entries):
        coefficients[channel, r] = value
    table, summed = collect(np.array(rows, dtype=np.int64).reshape(-1, len(symbols)), coefficients)
    return PolynomialField(table, summed)


def _degree(part: Any) -> int:
    """Upper bound of the total degree, without expanding."""
    if part.is_Add:
        return max(_degree(a) for a in part.args)
    if part.is_Mul:
        return sum(_degree(a) for a in part.args)
    if part.is_Pow:
        return int(part.exp) * _degree(part.base) if part.exp.is_Integer else 0
    return 1 if part.is_Symbol else 0


def _compiled(parts: Sequence[Any], symbols: Sequence[Any]) -> ExpressionField:
    slopes = [_slope(part, s) for part in parts for s in symbols]
    for slope in slopes:
        if slope.has(sympy.Derivative, sympy.Subs):
            raise InputError(
                explain(
                    "The expression has no symbolic derivative.",
                    given=str(slope)[:100],
                    expected="an expression of differentiable functions",
                    fix="sympy.lambdify it: as_field(function, dim=d) differentiates numerically",
                )
            )
    try:
        values = sympy.lambdify(list(symbols), list(parts), modules=["numpy", "scipy"], cse=True)
        rates = sympy.lambdify(list(symbols), slopes, modules=["numpy", "scipy"], cse=True)
        for compiled in (values, rates):
            compiled(*np.full(len(symbols), 0.5))
    except (NameError, TypeError, AttributeError, NotImplementedError) as error:
        raise InputError(
            explain(
                "The expression uses a function that has no numerical form.",
                given=f"{type(error).__name__}: {error}",
                expected="functions that NumPy or SciPy know",
                fix="expression.rewrite(...) or a plain function",
            )
        ) from error
    return ExpressionField(tuple(s.name for s in symbols), len(parts), values, rates)


def _slope(part: Any, symbol: Any) -> Any:
    """Derivative almost everywhere: jumps have none, and finite flows see them anyway."""
    return sympy.diff(part, symbol).replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))


def _columns(compiled: Callable[..., Any], x: NDArray) -> NDArray:
    with np.errstate(all="ignore"):
        out = compiled(*x.T)
    return np.stack([np.broadcast_to(np.asarray(column, dtype=np.float64), len(x)) for column in out], axis=1)


@register
def _(obj: sympy.Basic, request: Request) -> AbstractField:
    return expressions_field([obj], request)


@register
def _(obj: sympy.MatrixBase, request: Request) -> AbstractField:
    return expressions_field(list(obj), request)


@register
def _(obj: Formula, request: Request) -> AbstractField:
    return expressions_field([obj], request)
