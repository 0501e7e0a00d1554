"""When found equations are the true ones: expanded to a normal form, the same terms with nearly the same coefficients.

The normal form is unique for polynomials in the coordinates, their sines and cosines (``cos**2`` becomes
``1 - sin**2``, angles are added out), times exponentials, powers, absolute values, and fractions whose denominators
are polynomials in one coordinate (split into partial fractions). So ``(1 - x/2)*x`` is ``x - x**2/2``, and
``sin(x)*cos(x)`` is ``sin(2*x)/2``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np
import sympy
from numpy.typing import NDArray

from erlangen._formula import Formula
from erlangen.dynamics._equation_terms import formula_text
from erlangen.systems import System

Terms = Mapping[str, float]
"""Coefficients of the terms of one normal form, by the text of the term."""

CLOSE = 0.05
"""How far a coefficient of ODEBench may be off, as a share of the true one."""


@cache
def canonical(text: str, names: tuple[str, ...]) -> Terms:
    """Normal form of a formula."""
    expression = Formula(formula_text(text or "1", names), names).to_sympy()
    return _terms(_normal(expression))


def _normal(expression: sympy.Expr) -> sympy.Expr:
    plain = expression.replace(sympy.log, lambda u: sympy.expand_log(sympy.log(_unsigned(u)), force=True))
    plain = sympy.expand(sympy.expand_trig(sympy.expand(plain)))
    fractions, rest = [], []
    for term in sympy.Add.make_args(plain):
        (fractions if _sums_below(term) else rest).append(term)
    if fractions:
        plain = sympy.Add(*rest, *_partial(fractions))
    plain = sympy.expand(plain, power_exp=False).replace(_is_cosine_power, _by_sines)
    return sympy.powsimp(sympy.expand(plain, power_exp=False))


def _unsigned(u: sympy.Expr) -> sympy.Expr:
    """Logarithms are of positive numbers here, so that log(abs(x)) is log(x)."""
    return u.replace(sympy.Abs, lambda inside: inside)


def _sums_below(term: sympy.Expr) -> bool:
    return any(isinstance(factor, sympy.Add) for factor in sympy.Mul.make_args(sympy.fraction(term)[1]))


def _partial(terms: Iterable[sympy.Expr]) -> list[sympy.Expr]:
    """Fractions whose denominators are polynomials in one coordinate, split; others as they are."""
    by_symbol: dict[sympy.Symbol | None, list[sympy.Expr]] = {}
    for term in terms:
        below = sympy.fraction(term)[1]
        free = sorted(below.free_symbols, key=str)
        one = free[0] if len(free) == 1 and below.is_polynomial(free[0]) else None
        if one is not None and not sympy.fraction(term)[0].is_polynomial(one):
            one = None
        by_symbol.setdefault(one, []).append(term)
    out = []
    for symbol, group in by_symbol.items():
        out += [term if symbol is None else _divided(term, symbol) for term in group]
    return out


def _divided(term: sympy.Expr, x: sympy.Symbol) -> sympy.Expr:
    """A fraction as a polynomial in x and a remainder over the same denominator, which leads with one."""
    above, below = sympy.fraction(term)
    bottom = sympy.Poly(sympy.expand(below), x)
    lead = bottom.LC()
    monic = [sympy.Integer(1), *(c / lead for c in bottom.all_coeffs()[1:])]  # 1.0 and 1 would print differently
    base = sympy.Add(*[c * x ** (bottom.degree() - k) for k, c in enumerate(monic)])
    whole, rest = sympy.div(sympy.Poly(above / lead, x), sympy.Poly(base, x))
    return sympy.expand(whole.as_expr()) + sympy.Add(*[c * x ** k[0] / base for k, c in rest.terms()])


def _is_cosine_power(e: sympy.Expr) -> bool:
    return e.is_Pow and isinstance(e.base, sympy.cos) and e.exp.is_Integer and e.exp >= 2


def _by_sines(e: sympy.Expr) -> sympy.Expr:
    angle, n = e.base.args[0], int(e.exp)
    return sympy.cos(angle) ** (n % 2) * (1 - sympy.sin(angle) ** 2) ** (n // 2)


def _terms(expression: sympy.Expr) -> Terms:
    out: dict[str, float] = {}
    for term in sympy.Add.make_args(expression):
        number, rest = term.as_independent(*term.free_symbols, as_Add=False) if term.free_symbols else (term, 1)
        key = str(rest)
        out[key] = out.get(key, 0.0) + float(number)
    return {key: value for key, value in out.items() if value != 0.0}


def combined(coefficients: NDArray, texts: Sequence[str], names: Sequence[str]) -> tuple[Terms, ...]:
    """Normal forms of d equations, from the coefficients ``(d, r)`` of r functions.

    A sum that cancels to rounding is no term.
    """
    out = []
    for row in np.asarray(coefficients, dtype=float):
        total: dict[str, float] = {}
        size: dict[str, float] = {}
        for c, text in zip(row, texts, strict=True):
            if c == 0.0:
                continue
            for key, value in canonical(text, tuple(names)).items():
                total[key] = total.get(key, 0.0) + c * value
                size[key] = size.get(key, 0.0) + abs(c * value)
        rounding = len(texts) * np.finfo(float).eps
        out.append({key: value for key, value in total.items() if abs(value) > rounding * size[key]})
    return tuple(out)


def true_terms(system: System) -> tuple[Terms, ...]:
    """Normal forms of the d true equations."""
    return tuple(canonical(text, system.names) for text in system.equations().values())


def true_coefficients(system: System, texts: Sequence[str]) -> NDArray | None:
    """The coefficients ``(d, r)`` of r functions that make the true equations; None outside their span."""
    parts = [canonical(text, system.names) for text in texts]
    truth = true_terms(system)
    keys = sorted({key for part in (*parts, *truth) for key in part})
    column = {key: i for i, key in enumerate(keys)}
    functions, wanted = np.zeros((len(keys), len(parts))), np.zeros((len(keys), len(truth)))
    for table, forms in ((functions, parts), (wanted, truth)):
        for j, form in enumerate(forms):
            for key, value in form.items():
                table[column[key], j] = value
    # Every equation by the functions that share a term with it alone: exact zeros stay exact.
    found, *_ = np.linalg.lstsq(functions, wanted, rcond=None)
    found[np.abs(found) <= len(keys) * np.finfo(float).eps * np.abs(found).max(initial=0.0)] = 0.0
    small = len(keys) * np.sqrt(np.finfo(float).eps) * np.abs(wanted).max(axis=0, initial=0.0)
    return found.T if np.all(np.abs(functions @ found - wanted) <= small) else None


def same_support(found: Sequence[Terms], truth: Sequence[Terms]) -> bool:
    """Whether all equations have the true terms and no others."""
    return all(set(a) == set(b) for a, b in zip(found, truth, strict=True))


def is_true(found: Sequence[Terms], truth: Sequence[Terms], close: float = CLOSE) -> bool:
    """Whether all equations have the true terms, and coefficients within this share of the true ones."""
    return same_support(found, truth) and worst(found, truth) <= close


def worst(found: Sequence[Terms], truth: Sequence[Terms]) -> float:
    """Largest relative error over the true terms."""
    errors = [
        abs(a.get(key, 0.0) - value) / abs(value) for a, b in zip(found, truth, strict=True) for key, value in b.items()
    ]
    return max(errors)


def joint_rmse(found: Sequence[Terms], truth: Sequence[Terms]) -> float:
    """Root of the mean over equations of the mean squared error over the terms that are there."""
    rows = [
        np.mean([(a.get(key, 0.0) - value) ** 2 for key, value in b.items()]) for a, b in zip(found, truth, strict=True)
    ]
    return float(np.sqrt(np.mean(rows)))
