"""Expressions with one quotient that saturates, as in enzyme kinetics, feeding and gene regulation.

A quotient needs the same denominator to be right before any numerator fits, which a search by chance rarely meets;
the few denominators that occur in rate laws are proposed one after the other instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np

from erlangen.dynamics import _symbolic_terms as terms
from erlangen.dynamics._symbolic_fit import Component, Target, fitted, pruned, recombined, refined
from erlangen.dynamics._symbolic_terms import UNIT, Call, Sum, Term

HIGHEST = 5
"""Highest power in a denominator, as where several molecules bind together."""

TRIED = 3
"""Denominators with which expressions are made."""

STARTS = (0.1, 1.0, 10.0)
"""First constants of a denominator, relative to the median of what it is added to."""

RATES = (0.5, 2.0)
"""First rates of an exponential in a denominator, over the spread of the coordinate; with both signs."""


def monomials(names: Sequence[str], degree: int) -> list[Term]:
    """Monomials up to a degree, the constant first."""
    out: list[Term] = []
    for k in range(degree + 1):
        for chosen in combinations_with_replacement(names, k):
            out.append(tuple((name, chosen.count(name)) for name in dict.fromkeys(sorted(chosen))))
    return out


def quotients(target: Target, names: tuple[str, ...], exponential: bool) -> list[Component]:
    """Expressions with the denominators that serve best, built up from nothing and cut down from everything."""
    tops = monomials(names, 2)
    fits: list[Component] = []
    for starts in _denominators(target, names, exponential):
        found = [fitted(target, _terms_over(tops, below), inside=False) for below in starts]
        best = min((fit for fit in found if fit is not None), key=lambda fit: fit.error, default=None)
        fit = None if best is None else fitted(target, best.terms)
        fits += [fit] if fit is not None else []
    out = []
    for fit in sorted(fits, key=lambda fit: fit.error)[:TRIED]:
        out.append(refined(target, pruned(target, fit, inside=False)))
        built = recombined(target, fit.terms)
        out += [built] if built is not None else []
    return out


def _terms_over(tops: list[Term], below: Sum) -> list[Term]:
    """Monomials, and monomials over a sum."""
    atom = (Call("id", below), -1)
    over = [terms.multiply(((1, top),), ((1, (atom,)),)) for top in tops]
    return [*tops, *(piece[0][1] for piece in over if len(piece) == 1)]


def _denominators(target: Target, names: tuple[str, ...], exponential: bool) -> list[list[Sum]]:
    """Sums to divide by, each with several first constants."""
    out = []
    for name in names:
        out += [_with_constants(target, ((1, ((name, k),)),)) for k in range(1, HIGHEST + 1)]
    if len(names) > 1:
        out.append(_with_constants(target, tuple((1, ((name, 2),)) for name in names)))
    for name in names if exponential else ():
        spread = float(np.std(target.columns[name])) or 1.0
        for sign in (1.0, -1.0):
            starts = []
            for rate in RATES:
                inside: Sum = ((sign * rate / spread, ((name, 1),)),)
                starts += _with_constants(target, ((1, ((Call("exp", inside), 1),)),))
            out.append(starts)
    return [starts for starts in out if starts]


def _with_constants(target: Target, a: Sum) -> list[Sum]:
    values = np.asarray(sum(c * terms.values(term, target.columns) for c, term in a))
    middle, least = float(np.median(np.abs(values))), float(values.min())
    if not np.isfinite(values).all() or middle == 0:
        return []
    return [terms.collect([*a, (max(0.0, -least) + share * middle, UNIT)]) for share in STARTS]
