"""The combination of generators that is hardest to certify: largest p-value and largest bound over a whole group.

Every combination has its own quadratic form, with its own noise. The intersection-union test needs the largest p-value
of all; it is found by ascent from many starts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from erlangen._typing import NDArray
from erlangen.evidence.bilinear import Bilinear
from erlangen.evidence.equivalence import VARIANCE_SHARE, Quadratic, smallest_level
from erlangen.evidence.estimate import Estimate
from erlangen.evidence.simultaneous import Reach

SIZE_SHARE = 0.1
"""Share of a level that is spent on the denominator, whose bound is uniform over the whole group."""

STARTS = 32
"""Random combinations of generators, besides the obvious ones, from which the worst one is sought."""

STEPS = (0.5, 0.2, 0.05)
"""Radii within which the worst combination so far is varied."""

ROUNDS = 4
"""How often the bar is raised in the search of the worst combination; two are enough in nearly all cases."""

LEAST_GAIN = 1e-2
"""Relative gain below which the search ends."""

WORST = 2
"""Combinations whose p-values are computed to the end; the largest counts."""


def _form(part: Bilinear, fit: Estimate, c: NDArray) -> Quadratic:
    """|L_c f|^2 with its noise, for one combination ``c (r,)``."""
    lie = part.lie_of(c)
    return Quadratic.of(lie @ fit.theta, lie @ fit.root, fit.dof)


def _hardest(part: Bilinear, fit: Estimate, mu: float, rng: np.random.Generator) -> NDArray:
    """The combinations ``(w, r)`` with the largest p-values of "|L_c f| >= mu", by ascent from many starts."""
    r = part.n_generators
    if r == 1 or mu <= 0:
        return np.eye(r)[-1:]
    lie, theta = part.lie @ fit.root, part.lie @ fit.theta

    def hardness(c: NDArray) -> float:
        form = Quadratic.of(theta @ c, np.einsum("krq,r->kq", lie, c))
        exponent = form.exponent(mu)
        return -exponent if exponent > 0 else float(np.sqrt(form.statistic))

    noise = np.linalg.eigh(np.einsum("kaq,kbq->ab", lie, lie))[1]
    starts = np.vstack([np.eye(r), noise.T, rng.standard_normal((STARTS, r))])
    pool = sorted(((hardness(c), i, c) for i, c in enumerate(_unit(starts))), key=lambda t: -t[0])[:WORST]
    for step in STEPS:
        near = _unit(pool[0][2] + step * rng.standard_normal((4 * r, r)))
        pool = sorted([*pool, *((hardness(c), i, c) for i, c in enumerate(near))], key=lambda t: -t[0])[:WORST]
    return np.array([c for _, _, c in pool])


def largest_p(part: Bilinear, fit: Estimate, moved: Reach, delta: float, rng: np.random.Generator) -> float:
    """Largest of the p-values of all combinations."""

    def value(c: NDArray) -> float:
        return _certifying(_form(part, fit, c), fit, moved, delta)

    return _climb(part, fit, value, lambda p: delta * _left(fit, moved, p), rng)[0]


def highest(
    part: Bilinear, fit: Estimate, moved: Reach, alpha: float, rng: np.random.Generator
) -> tuple[float, NDArray]:
    """Largest of the bounds of all combinations, and the combination ``(r,)`` that has it."""
    left = _left(fit, moved, alpha)
    if left <= 0:
        return float("inf"), np.eye(part.n_generators)[-1]
    best, c = _climb(part, fit, lambda c: _bound(_form(part, fit, c), alpha), lambda bound: bound, rng)
    return best / left, c


def _climb(
    part: Bilinear,
    fit: Estimate,
    value: Callable[[NDArray], float],
    bar: Callable[[float], float],
    rng: np.random.Generator,
) -> tuple[float, NDArray]:
    """Raise ``value(c)`` over combinations: look for the hardest at the bar of the best so far, until none is harder.

    A bound is larger than mu where the p-value at mu is above the level, and a p-value where it is at its own mu.
    """
    c = np.eye(part.n_generators)[-1]
    best = value(c)
    for _ in range(ROUNDS if part.n_generators > 1 else 0):
        others = _hardest(part, fit, bar(best), rng)
        values = [value(other) for other in others]
        top = int(np.argmax(values))
        grown = values[top] > (1.0 + LEAST_GAIN) * best
        best, c = (values[top], others[top]) if values[top] > best else (best, c)
        if not grown:
            break
    return best, c


def _bound(form: Quadratic, alpha: float) -> float:
    """Smallest mu at which the numerator's test rejects, in its share of the level alpha."""
    spent = SIZE_SHARE + (VARIANCE_SHARE if np.isfinite(form.dof) else 0.0)
    return form.bound((1.0 - spent) * alpha, VARIANCE_SHARE * alpha)


def _unit(c: NDArray) -> NDArray:
    return c / np.linalg.norm(c, axis=1, keepdims=True)


def _certifying(form: Quadratic, fit: Estimate, moved: Reach, delta: float) -> float:
    """P-value of "this combination has a defect above delta", with all that is estimated accounted for."""
    spent = SIZE_SHARE + (VARIANCE_SHARE if np.isfinite(fit.dof) else 0.0)

    def rejects(a: float) -> bool:
        mu = delta * _left(fit, moved, a)
        return mu > 0 and form.exponent(mu, VARIANCE_SHARE * a) >= -np.log((1.0 - spent) * a)

    return smallest_level(rejects)


def _left(fit: Estimate, moved: Reach, alpha: float) -> float:
    """Bound from below of the denominator of every combination that has an estimated one of 1."""
    return 1.0 - moved.size * radius_of(fit, SIZE_SHARE * alpha)


def radius_of(fit: Estimate, alpha: float) -> float:
    """Radius of the confidence set; with few groups, as if the covariance were known up to its scale."""
    if np.isnan(fit.set_dof):
        return fit.radius(alpha)
    return float(np.sqrt(fit.rank * special.fdtri(fit.rank, fit.dof, 1.0 - alpha)))
