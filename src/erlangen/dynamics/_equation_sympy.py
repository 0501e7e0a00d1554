"""Equations of motion from SymPy expressions, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy
from sympy.printing.str import StrPrinter

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._typing import NDArray
from erlangen.dynamics._equation_terms import powers_of

_NAMES = {"Abs": "abs", "Min": "min", "Max": "max"}


class _Printer(StrPrinter):
    """Print what `Formula` reads: odd names quoted, numbers in full, minimum and maximum of two."""

    def _print_Symbol(self, expr: Any) -> str:
        return expr.name if expr.name.isidentifier() and expr.name.isascii() else f"`{expr.name}`"

    def _print_Float(self, expr: Any) -> str:
        return repr(float(expr))

    def _print_Exp1(self, expr: Any) -> str:
        return "exp(1)"

    def _print_Pi(self, expr: Any) -> str:
        return repr(float(expr))

    def _print_Function(self, expr: Any) -> str:
        name = _NAMES.get(type(expr).__name__, type(expr).__name__)
        parts = [self._print(part) for part in expr.args]
        if name in ("min", "max"):
            text = parts[0]
            for part in parts[1:]:
                text = f"{name}({text}, {part})"
            return text
        return f"{name}({', '.join(parts)})"

    _print_Abs = _print_Min = _print_Max = _print_LatticeOp = _print_Function


def collected(expressions: Sequence[Any], variables: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray]:
    """Terms (r texts) and coefficients ``(d, r)`` of d expressions; monomials first, by degree.

    Raises
    ------
    InputError
        Where an expression has other symbols, is not real, or has functions that formulas do not have.
    """
    rows = [_row(sympy.sympify(expression), variables) for expression in expressions]
    texts = sorted({text for row in rows for text in row}, key=lambda text: _order(text, variables))
    coefficients = np.array([[row.get(text, 0.0) for text in texts] for row in rows], dtype=np.float64)
    return tuple(texts), coefficients.reshape(len(rows), len(texts))


def _order(text: str, variables: tuple[str, ...]) -> tuple[Any, ...]:
    powers = powers_of(Formula(text, variables))
    return (1, 0, (), text) if powers is None else (0, sum(powers), tuple(-e for e in powers), "")


def _spread(expression: Any) -> list[Any]:
    """Multiply sums out, except inside functions and denominators."""
    if expression.is_Add:
        return [term for part in expression.args for term in _spread(part)]
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 1 and expression.base.is_Add:
        power = sympy.expand_multinomial(expression, deep=False)
        return [power] if power.is_Pow else _spread(power)
    if not expression.is_Mul:
        return [expression]
    products = [sympy.Integer(1)]
    for factor in expression.args:
        products = [product * term for product in products for term in _spread(factor)]
    return products


def _row(expression: Any, variables: tuple[str, ...]) -> dict[str, float]:
    known = {name: sympy.Symbol(name, real=True) for name in variables}
    unknown = sorted({s.name for s in expression.free_symbols} - set(known))
    if unknown:
        raise InputError(
            explain(
                "The right-hand side has symbols that are neither coordinates nor controls.",
                given=f"{', '.join(unknown)} in {str(expression)[:80]}",
                expected=", ".join(variables),
                fix='numbers for parameters, or controls=("u",)',
            )
        )
    real = expression.subs({s: known[s.name] for s in expression.free_symbols})
    terms = sympy.Add.make_args(sympy.Add(*_spread(real)))
    row: dict[str, float] = {}
    for term in terms:
        coefficient, rest = term.as_independent(*known.values(), as_Add=False)
        number = complex(coefficient)
        text = str(Formula(_Printer().doprint(rest), variables))
        if number.imag or not np.isfinite(number.real):
            raise InputError(
                explain(
                    "The right-hand side is not a real, finite function.",
                    given=f"{str(term)[:80]} in {str(expression)[:80]}",
                    expected="real coefficients",
                    fix="sympy.re(expression)",
                )
            )
        if number.real:
            row[text] = row.get(text, 0.0) + number.real
    return row
