"""Generators in MathML, which browsers draw without a script or a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction
from erlangen.reports._mathml import _TIMES, _name, _number

DIGITS = 4


def generator_mathml(one: PolynomialAction, names: Sequence[str], digits: int = DIGITS) -> str:
    """One generator as inline MathML: the sum of coefficient, monomial and derivative."""
    out = ""
    for coefficient, powers, a in _terms(one):
        size = abs(coefficient)
        body = _TIMES.join([*_monomial(powers, names), f"<msub><mi>&#x2202;</mi>{_name(names[a])}</msub>"])
        sign = "<mo>&#x2212;</mo>" if coefficient < 0 else "<mo>+</mo>" if out else ""
        shown = _number(size, digits)
        out += sign + (body if shown == "<mn>1</mn>" else shown + _TIMES + body)
    return f"<span class='formula'><math><mrow>{out or '<mn>0</mn>'}</mrow></math></span>"


def _terms(one: PolynomialAction) -> list[tuple[float, NDArray, int]]:
    """Coefficient, powers and component of each term, in the order of text: constants, x, y, x^2, ..."""
    order = sorted(
        range(len(one.exponents)), key=lambda r: (one.exponents[r].sum(), [-int(e) for e in one.exponents[r]])
    )
    rows = one.coefficients[0]
    return [(float(rows[a, r]), one.exponents[r], int(a)) for r in order for a in np.flatnonzero(rows[:, r])]


def _monomial(powers: NDArray, names: Sequence[str]) -> list[str]:
    pieces = ((name, int(e)) for name, e in zip(names, powers, strict=True) if e)
    return [_name(name) if e == 1 else f"<msup>{_name(name)}<mn>{e}</mn></msup>" for name, e in pieces]
