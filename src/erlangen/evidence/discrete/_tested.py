"""One element against H0 "its relative defect is larger than delta": p-values and upper bounds, three ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats
from scipy.spatial import cKDTree

from erlangen._errors import UndecidedError
from erlangen._typing import NDArray
from erlangen.evidence._blocks import block_law
from erlangen.evidence.discrete._moved import COVERED, Pairs, Places, follow, pairs, relative
from erlangen.evidence.ellipsoid import quadratic_max
from erlangen.evidence.estimate import Estimate, features_of
from erlangen.fields import AbstractField, AbstractLinearField

_DIGITS = 1e-5
"""Relative accuracy of quantiles: four digits of a p-value."""
_ROUNDING = 1e-9
"""Relative differences of values up to this are rounding of sums of thousands of terms."""
_RELATIVE = 1e-9
"""Relative distance up to which a row of a table is the image of another."""
_FARTHEST = 40.0
"""Quantiles beyond this one belong to p-values that are zero in double precision."""


@dataclass(frozen=True)
class Outcome:
    """What a test says: estimate, p-value of "larger than delta", bounds, and share of points that count."""

    defect: float
    p_value: float
    low: float
    high: float
    share: float


def uncovered(share: float) -> Outcome:
    """Too few images stay where anything is known."""
    return Outcome(float("nan"), 1.0, 0.0, float("inf"), share)


def largest(holds: Callable[[float], bool]) -> float:
    """Largest quantile t up to which a test rejects; negative where it never does."""
    if not holds(0.0):
        return -1.0
    low, high = 0.0, 1.0
    while holds(high):
        low, high = high, 2 * high
        if high > _FARTHEST:
            return _FARTHEST
    while high - low > _DIGITS * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def smallest(holds: Callable[[float], bool]) -> float:
    """Smallest delta at which a test rejects, by bisection; infinite above 2, the most that a defect can be."""
    if not holds(2.0):
        return float("inf")
    low, high = 0.0, 2.0
    while high - low > 1e-4 * high and high > 1e-12:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Construction on held-out rows for a class that is linear in its parameters.

    One part of the rows gives theta_A and with it s, such that ``|M theta| >= s . theta`` for every theta. The other
    gives an estimate with its error. With L theta = F o g - D F and a = L theta_B, the element passes where
    ``max over |u| <= t of |a + B u|^2 - delta^2 (b + g . u)^2 <= 0``: every contrast in a union of half-spaces that
    covers H0 is rejected by its one-sided t test (an intersection-union test, exact in finite samples).

    References
    ----------
    Berger, Technometrics 24 (1982) 295; Berger and Hsu, Statistical Science 11 (1996) 283.
    """

    family: AbstractLinearField
    theta_a: NDArray
    fit: Estimate
    points: NDArray
    where: Places

    def test(self, g: NDArray, delta: float, alpha: float) -> Outcome:
        """Test one map; the worst channel counts, without correction: all of them must pass."""
        moved = self.where.move(g, self.points)
        inside = self.where.inside(moved)
        if inside.mean() < COVERED:
            return uncovered(float(inside.mean()))
        x, d = self.points[inside], follow(self.family.kind, g)
        forms = _forms(features_of(self.family, moved[inside]), features_of(self.family, x), d, self.family.value_dim)
        done = [self._channel(miss, size, delta, alpha) for miss, size in forms]
        defect, p, low, high = (max(part[k] for part in done) for k in range(4))
        return Outcome(defect, p, low, high, float(inside.mean()))

    def _channel(self, miss: NDArray, size: NDArray, delta: float, alpha: float) -> tuple[float, float, float, float]:
        fit, used = self.fit, np.flatnonzero(np.diag(size) + np.diag(miss) > 0)
        miss, size = miss[np.ix_(used, used)], size[np.ix_(used, used)]
        theta, before, null = fit.theta[used], self.theta_a[used], fit.null[used]
        # Only these parameters enter: a root of their own covariance has as many columns.
        root = np.transpose(np.linalg.qr(fit.root[used].T, mode="r"))
        norm = np.sqrt(max(before @ size @ before, 0.0))
        if norm == 0.0 and not theta.any():
            return 0.0, 0.0, 0.0, 0.0
        s = size @ before / max(norm, np.finfo(float).tiny)
        if null.size and np.linalg.norm(miss @ null) > 1e-9 * np.linalg.norm(miss):
            return 1.0, 1.0, 0.0, float("inf")
        aa, ba, bb = theta @ miss @ theta, root.T @ (miss @ theta), root.T @ miss @ root
        b, slope = float(s @ theta), root.T @ s
        estimate = float(relative(np.array(max(aa, 0.0)), np.array(theta @ size @ theta)))

        def holds(t: float, level: float) -> bool:
            if b < t * np.linalg.norm(slope):
                return False
            d2 = level**2
            top = quadratic_max(bb - d2 * np.outer(slope, slope), ba - d2 * b * slope, t)
            return bool(aa - d2 * b * b + top <= 0)

        p = float(stats.t.sf(reach, fit.dof)) if (reach := largest(lambda t: holds(t, delta))) >= 0 else 1.0
        quantile = float(stats.t.isf(alpha, fit.dof))
        low = self._low(miss, size, theta, root, alpha)
        return estimate, p, low, smallest(lambda level: holds(quantile, level))

    def _low(self, miss: NDArray, size: NDArray, theta: NDArray, root: NDArray, alpha: float) -> float:
        """Lower bound from the simultaneous set of the parameters."""
        try:
            radius = self.fit.radius(alpha)
        except UndecidedError:  # few blocks have no simultaneous set: nothing is refuted
            return 0.0
        if not np.isfinite(radius):
            return 0.0
        least = theta @ miss @ theta - quadratic_max(-root.T @ miss @ root, -root.T @ (miss @ theta), radius)
        most = theta @ size @ theta + quadratic_max(root.T @ size @ root, root.T @ (size @ theta), radius)
        return float(np.sqrt(max(least, 0.0) / most)) if most > 0 else 0.0


def _forms(there: NDArray, here: NDArray, d: NDArray | None, c: int) -> list[tuple[NDArray, NDArray]]:
    """Quadratic forms of the parameters, for each channel: squares of F o g - D F, and of both sides together.

    Features are ``(n, r)``, shared by the channels, or ``(n, c, q)``. Means of functions are taken out.
    """
    if there.ndim == 2:
        n, r = there.shape
        there, here = (np.einsum("ab,nr->nabr", np.eye(c), part).reshape(n, c, c * r) for part in (there, here))
    carried = here if d is None else np.einsum("ij,njq->niq", d, here)
    out = []
    for i in range(c):
        a, b = there[:, i], carried[:, i]
        difference = a - b
        if d is None:
            mean = 0.5 * (a.mean(axis=0) + b.mean(axis=0))
            a, b = a - mean, b - mean
        n = len(a)
        out.append((difference.T @ difference / n, (a.T @ a + b.T @ b) / n))
    return out


@dataclass(frozen=True, eq=False)
class AnyModel:
    """A bound for the true field behind a model f^ of any class, from values that the model has not seen.

    With h = F - f^ the triangle inequality gives ``|F o g - D F| <= |f^ o g - D f^| + |h o g| + |D h|``, and the mean
    square of the residuals y - f^ on fresh rows is that of h plus that of the noise: an upper bound of |h|, whatever
    the class. Noise is counted as if it were misfit: the price for knowing nothing about either. Rows are independent,
    or blocks of rows within ``groups (n,)`` are.
    """

    model: AbstractField
    points: NDArray
    residuals: NDArray
    where: Places
    groups: NDArray | None = None

    def test(self, g: NDArray, delta: float, alpha: float) -> Outcome:
        """Test one map; the worst channel counts."""
        f = self.model.value(self.points)
        invariant = self.model.kind == "invariant"
        both = pairs(self.model, g, self.points, f, self.where, f.mean(axis=0) if invariant else None)
        if both.share < COVERED:
            return uncovered(both.share)
        mean, error, free = self._squares
        d = np.eye(len(mean)) if invariant else g
        miss, there, here = (
            np.sqrt(np.mean(part**2, axis=0)) for part in (both.there - both.expected, both.there, both.expected)
        )

        def holds(t: float, level: float) -> bool:
            h = np.sqrt(mean + t * error)
            carried = np.abs(d) @ h
            least = np.hypot(np.maximum(there - h, 0.0), np.maximum(here - carried, 0.0))
            return bool(np.all(miss + h + carried <= level * least))

        p = float(stats.t.sf(reach, free)) if (reach := largest(lambda t: holds(t, delta))) >= 0 else 1.0
        quantile = float(stats.t.isf(alpha, free))
        h = np.sqrt(mean + quantile * error)
        most = np.hypot(there + h, here + np.abs(d) @ h)
        low = float(np.max(np.maximum(miss - h - np.abs(d) @ h, 0.0) / np.maximum(most, np.finfo(float).tiny)))
        return Outcome(both.defect, p, low, smallest(lambda level: holds(quantile, level)), both.share)

    @cached_property
    def _squares(self) -> tuple[NDArray, NDArray, float]:
        """Mean squares ``(c,)`` of the residuals, their errors, and degrees of freedom of these."""
        r2 = self.residuals**2
        mean, n = r2.mean(axis=0), len(r2)
        if self.groups is None:
            return mean, r2.std(axis=0, ddof=1) / np.sqrt(n), n - 1.0
        labels = np.unique(self.groups, return_inverse=True)[1].ravel()
        law = block_law((r2 - mean) / n, r2, labels)
        return mean, np.linalg.norm(law.root, axis=1), law.dof


@dataclass(frozen=True, eq=False)
class Matched:
    """Values at points beside values at their images, where a table has both: no model at all.

    The mean of ``|y(g x) - D y(x)|^2`` is the asymmetry plus that of the noise, which counts as if it were asymmetry.
    """

    x: NDArray
    y: NDArray
    kind: str
    where: Places

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.x)

    def pairs(self, g: NDArray) -> Pairs:
        """Both sides, at the points whose images are in the table."""
        moved = self.where.move(g, self.x)
        near = _RELATIVE * max(float(np.abs(self.x).max()), np.finfo(float).tiny)
        far, index = self._tree.query(moved, distance_upper_bound=near)
        found = np.isfinite(far)
        d = follow(self.kind, g)
        there, expected = self.y[index[found]], self.y[found] if d is None else self.y[found] @ d.T
        shift = self.y.mean(axis=0) if d is None else np.zeros(self.y.shape[1])
        return Pairs(there - shift, expected - shift, float(found.mean()))

    def test(self, g: NDArray, delta: float, alpha: float) -> Outcome:
        """Test one map; the worst channel counts."""
        return mean_test(self.pairs(g), delta, alpha, self._orbits(g))

    def _orbits(self, g: NDArray) -> NDArray:
        """Label of each pair: those of one orbit share noise, x beside g x and g x beside x above all."""
        size = np.sort(np.abs(self.x - self.where.centre), axis=1)
        keys = np.round(size / max(float(size.max()), np.finfo(float).tiny), 9)
        labels = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
        near = _RELATIVE * max(float(np.abs(self.x).max()), np.finfo(float).tiny)
        far, _ = self._tree.query(self.where.move(g, self.x), distance_upper_bound=near)
        return np.unique(labels[np.isfinite(far)], return_inverse=True)[1].ravel()


@dataclass(frozen=True, eq=False)
class Fresh:
    """The defect of a field itself, as a mean over fresh points: a one-sided t test of the mean."""

    field: AbstractField
    points: NDArray
    mean: NDArray | None
    where: Places

    def pairs(self, g: NDArray) -> Pairs:
        """Both sides at the fresh points."""
        return pairs(self.field, g, self.points, self.values, self.where, self.mean)

    @property
    def values(self) -> NDArray:
        """Values ``(n, c)`` at the points."""
        return self.field.value(self.points)

    def test(self, g: NDArray, delta: float, alpha: float) -> Outcome:
        """Test one map; the worst channel counts."""
        both = self.pairs(g)
        miss, size = both.sizes
        exact = self.field.accuracy <= np.sqrt(np.finfo(float).eps)
        if exact and both.share >= COVERED and np.all(miss <= _ROUNDING**2 * size.max(axis=1, keepdims=True)):
            # Both sides agree to rounding at every point: nothing is estimated, and no outlier can hide anything.
            return Outcome(both.defect, 0.0, 0.0, both.defect, both.share)
        return mean_test(both, delta, alpha)


def mean_test(both: Pairs, delta: float, alpha: float, labels: NDArray | None = None) -> Outcome:
    """One-sided t test that the mean of ``miss - delta^2 size`` is below zero, in every channel.

    Rows are independent, or those with different ``labels (n,)`` are: then sums over labels count as rows.
    """
    n = len(both.there) if labels is None else int(labels.max(initial=-1)) + 1
    if both.share < COVERED or n < 3:
        return uncovered(both.share)
    with np.errstate(over="ignore"):
        miss, size = both.sizes
    if labels is not None:
        miss, size = (np.array([np.bincount(labels, column) for column in part.T]).T for part in (miss, size))
    active = size.sum(axis=0) > 0

    def moments(level: float) -> tuple[NDArray, NDArray]:
        z = (miss - level**2 * size)[:, active]
        return z.mean(axis=0), z.std(axis=0, ddof=1) / np.sqrt(n)

    mean, error = moments(delta)
    scores = np.where(mean < 0, -mean / np.maximum(error, np.abs(mean) / _FARTHEST), -1.0)
    reach = float(np.min(scores, initial=_FARTHEST))
    p = float(stats.t.sf(reach, n - 1)) if reach >= 0 else 1.0
    quantile = float(stats.t.isf(alpha, n - 1))

    def holds(level: float) -> bool:
        mean, error = moments(level)
        return bool(np.all(mean + quantile * error <= 0))

    def broken(level: float) -> bool:
        mean, error = moments(level)
        return bool(np.any(mean - quantile * error > 0))

    low = smallest(lambda level: not broken(level))
    return Outcome(both.defect, p, low, smallest(holds), both.share)
