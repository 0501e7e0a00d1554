"""Certificates from one confidence set of the parameters: every direction at once, however it was chosen.

If the true parameters lie in the set, which has probability 1 - alpha, then every bound over the
set holds. So generators may be chosen by looking at the same data, and the whole path of
dimensions is valid at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.evidence.bilinear import Bilinear, DefectSpectrum, spectrum_of
from erlangen.evidence.ellipsoid import ratio_upper, unfolding_norm
from erlangen.evidence.estimate import Estimate
from erlangen.linalg.qr import rounding


@dataclass(frozen=True, eq=False)
class Nested:
    """Nested spans V_1 in V_2 in ... with bounds of the worst true defect in each.

    Attributes
    ----------
    basis : ndarray (p, r)
        V_d is the span of the first d columns.
    defects : ndarray (r,)
        Estimated defects, ascending.
    lower : ndarray (r,)
        No d-dimensional span of candidates has a worst true defect below ``lower[d - 1]``.
    upper : ndarray (r,)
        The worst true defect in V_d is at most ``upper[d - 1]``; infinite where it was not bounded.
    silent : ndarray (p, s)
        Directions without denominator, of which nothing can be said.
    """

    basis: NDArray
    defects: NDArray
    lower: NDArray
    upper: NDArray
    silent: NDArray

    def dim(self, delta: float) -> int:
        """Certified dimension: the largest d with ``upper[:d] <= delta``."""
        above = np.flatnonzero(self.upper > delta)
        return int(above[0]) if len(above) else len(self.upper)

    def certified(self, delta: float) -> tuple[NDArray, float]:
        """Certified span ``(p, dim)`` and the bound of the worst true defect in it; infinite where there is none."""
        dim = self.dim(delta)
        return self.basis[:, :dim], float(self.upper[dim - 1]) if dim else float("inf")


@dataclass(frozen=True, eq=False)
class Reach:
    """How far the numerator and the denominator of a span move per unit of radius.

    Attributes
    ----------
    lie, size : float
        Largest change of ``|L f|`` and of the denominator over all unit directions of the span and errors of length 1.
    """

    lie: float
    size: float

    def upper(self, defect: float, radius: float) -> float:
        """Bound of the worst defect in a span that is orthonormal in the estimated denominator."""
        left = 1.0 - radius * self.size
        return (defect + radius * self.lie) / left if left > 0 else float("inf")

    def lower(self, defect: float, radius: float) -> float:
        """Bound from below, by Weyl's inequality."""
        return max(defect - radius * self.lie, 0.0) / (1.0 + radius * self.size)

    def radius(self, defect: float, delta: float) -> float:
        """Radius at which the bound from above is delta; negative where the estimate alone is above it."""
        return (delta - defect) / max(self.lie + delta * self.size, np.finfo(float).tiny)


def reach(both: Bilinear, basis: NDArray, root: NDArray) -> Reach:
    """Reach of a span ``basis (p, d)`` under errors ``root u``."""
    part = both.restrict(basis)
    return Reach(unfolding_norm(part.lie @ root), unfolding_norm(part.size @ root))


def simultaneous(both: Bilinear, fit: Estimate, alpha: float) -> Nested:
    """Bounds of all defects from the simultaneous confidence set of an estimate.

    Parameters
    ----------
    both : Bilinear
        Tensors of the family over p generators.
    fit : Estimate
        Its parameters and the law of their error.
    alpha : float
        Probability that any of the bounds is wrong.

    Returns
    -------
    Nested
        Spans of the smallest estimated defects, with bounds.

    References
    ----------
    Kendiukhov, "Certified symmetry discovery", sections 2.4 and 4.2, with a joint ratio for one direction and
    bounds in directions that are orthonormal in the denominator.
    """
    return with_radius(both, fit, fit.radius(alpha), fit.radius(alpha))


def with_radius(both: Bilinear, fit: Estimate, radius: float, outer: float) -> Nested:
    """Bounds from above with one radius, from below with another."""
    found = spectrum_of(both, fit.theta)
    lower = lower_bounds(both, fit, found, outer)
    upper = np.full(len(found.values), np.inf)
    for d in range(1, len(upper) + 1):
        span = found.basis[:, :d]
        if unseen(both, span, fit.null):
            break
        upper[d - 1] = _upper(both, fit.theta, span, fit.root, radius, float(found.values[d - 1]))
        if not upper[d - 1] < 1.0:  # an unrelated direction has 1: from here on bounds say nothing
            break
    return Nested(found.basis, found.values, lower, np.maximum.accumulate(upper), found.silent)


def _upper(both: Bilinear, theta: NDArray, span: NDArray, root: NDArray, radius: float, defect: float) -> float:
    if span.shape[1] > 1:
        return reach(both, span, root).upper(defect, radius)
    lie, size = both.lie_of(span[:, 0]), both.size_of(span[:, 0])
    return ratio_upper(lie @ theta, lie @ root, size @ theta, size @ root, radius)


def upper_of(both: Bilinear, fit: Estimate, span: NDArray, alpha: float) -> float:
    """Bound of the worst true defect in any span ``(p, d)``, from the simultaneous set; infinite where unseen."""
    if span.shape[1] == 0:
        return 0.0
    part = both.restrict(span)
    found = spectrum_of(part, fit.theta)
    if len(found.values) < span.shape[1] or unseen(both, span, fit.null):
        return float("inf")
    return _upper(part, fit.theta, found.basis, fit.root, fit.radius(alpha), float(found.values[-1]))


def lower_bounds(both: Bilinear, fit: Estimate, found: DefectSpectrum, radius: float) -> NDArray:
    """Bounds ``(r,)`` below which the d-th true defect cannot be; 0 where data leave parameters free that matter."""
    if unseen(both, found.basis, fit.null):
        return np.zeros(len(found.values))
    whole = reach(both, found.basis, fit.root)
    return np.array([whole.lower(float(s), radius) for s in found.values])


def bounds_of(both: Bilinear, fit: Estimate, xi: NDArray, radius: float) -> tuple[float, float]:
    """Lower and upper bound of the true defect of one generator ``xi (p,)`` over the confidence set."""
    lie, size = both.lie_of(xi), both.size_of(xi)
    a, b, e, f = lie @ fit.theta, lie @ fit.root, size @ fit.theta, size @ fit.root
    if np.linalg.norm(e) == 0.0 or unseen(both, xi[:, None], fit.null):
        return 0.0, float("inf")
    inverse = ratio_upper(e, f, a, b, radius) if np.linalg.norm(a) > 0 else float("inf")
    return (1.0 / inverse if np.isfinite(inverse) else 0.0), ratio_upper(a, b, e, f, radius)


def unseen(both: Bilinear, span: NDArray, null: NDArray) -> bool:
    """Whether the defect of a span depends on parameters that the data leave free."""
    if null.shape[1] == 0:
        return False
    part = both.restrict(span)
    whole = max(np.abs(part.lie).max(initial=0.0), np.abs(part.size).max(initial=0.0))
    moved = max(np.abs(part.lie @ null).max(initial=0.0), np.abs(part.size @ null).max(initial=0.0))
    return bool(moved > rounding(part.lie.shape) * whole)
