"""Samples: where a symmetry is claimed, and with which weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.derivative.measures import AbstractMeasure, BoxMeasure, GaussianMeasure

DEFAULT_POINTS = 4096
"""Points drawn from a box, Gaussian or sphere where the caller does not say how many."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Points ``(n, d)`` with weights ``(n,)`` that add up to one, and the measure behind them.

    Build one with :meth:`box`, :meth:`gaussian`, :meth:`sphere`, :meth:`paper` or :meth:`from_data`.

    Attributes
    ----------
    points : ndarray (n, d)
        Where the field is looked at.
    weights : ndarray (n,)
        Weights that add up to one.
    measure : AbstractMeasure or None
        The distribution, where it is known: polynomial fields are then integrated exactly.

    Examples
    --------
    >>> Samples.box(-1, 1, dim=3, n=100).points.shape
    (100, 3)
    """

    points: NDArray
    weights: NDArray
    measure: AbstractMeasure | None = None

    @classmethod
    def box(
        cls,
        low: ArrayLike,
        high: ArrayLike,
        *,
        dim: int | None = None,
        n: int = DEFAULT_POINTS,
        rng: int | np.random.Generator = 0,
    ) -> Samples:
        """Low-discrepancy points of a box; ``low`` and ``high`` are numbers or ``(d,)``."""
        low, high = _broadcast(low, high, dim)
        if not np.all(low < high):
            raise InputError(
                explain(
                    "The box is empty.",
                    given=f"low = {low.tolist()}, high = {high.tolist()}",
                    expected="low < high in every coordinate",
                    fix="Samples.box(-1, 1, dim=3)",
                )
            )
        return cls._from_measure(BoxMeasure(low, high), n, rng)

    @classmethod
    def gaussian(
        cls,
        mean: ArrayLike = 0.0,
        std: ArrayLike = 1.0,
        *,
        dim: int | None = None,
        n: int = DEFAULT_POINTS,
        rng: int | np.random.Generator = 0,
    ) -> Samples:
        """Low-discrepancy normal points; ``mean`` and ``std`` are numbers or ``(d,)``."""
        mean, std = _broadcast(mean, std, dim)
        if not np.all(std > 0):
            raise InputError(
                explain(
                    "A Gaussian needs a spread in every coordinate.",
                    given=f"std = {std.tolist()}",
                    expected="positive numbers",
                    fix="Samples.gaussian(0, 1, dim=3)",
                )
            )
        return cls._from_measure(GaussianMeasure(mean, std), n, rng)

    @classmethod
    def sphere(
        cls, radius: float = 1.0, *, dim: int, n: int = DEFAULT_POINTS, rng: int | np.random.Generator = 0
    ) -> Samples:
        """Uniform points on the sphere of a radius in R^dim."""
        x = np.random.default_rng(rng).normal(size=(n, dim))
        return cls.from_data(radius * x / np.linalg.norm(x, axis=1, keepdims=True))

    @classmethod
    def paper(cls, *, dim: int, degree: int, rng: int | np.random.Generator = 0) -> Samples:
        """Points as in the experiments of the source paper: uniform on the box from -1 to 1, just enough of them.

        One more than there are monomials of ``degree``, which is that of the polynomials to be told apart: Lie
        derivatives of polynomials of degree D have degree D - 1 under translations, and D under affine generators.
        For comparison: the box itself integrates exactly.

        References
        ----------
        Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 8, and its companion code.

        Examples
        --------
        >>> Samples.paper(dim=10, degree=1).points.shape
        (12, 10)
        """
        if dim < 1 or degree < 0:
            raise InputError(
                explain(
                    "There are no such polynomials.",
                    given=f"degree {degree} in {dim} coordinates",
                    expected="degree >= 0 and dim >= 1",
                    fix="Samples.paper(dim=10, degree=2)",
                )
            )
        return cls.from_data(np.random.default_rng(rng).uniform(-1.0, 1.0, (comb(dim + degree, degree) + 1, dim)))

    @classmethod
    def from_data(cls, points: ArrayLike, weights: ArrayLike | None = None) -> Samples:
        """Samples at given points ``(n, d)``, with equal weights unless some are given."""
        points = np.asarray(points, dtype=np.float64)
        if points.ndim != 2 or 0 in points.shape:
            raise InputError(
                explain(
                    "Samples are a table of points.",
                    given=f"an array of shape {points.shape}",
                    expected="shape (n, d) with at least one point",
                    fix="Samples.from_data(points[:, None]) for n points on a line",
                )
            )
        bad = ~np.isfinite(points).all(axis=1)
        if bad.any():
            raise InputError(
                explain(
                    "Some points are not finite.",
                    given=f"{int(bad.sum())} of {len(points)} rows with NaN or infinity, first at row "
                    f"{int(np.argmax(bad))}",
                    expected="finite numbers",
                    fix="Samples.from_data(points[numpy.isfinite(points).all(axis=1)])",
                )
            )
        return cls(points, _normalised(weights, len(points)))

    @classmethod
    def _from_measure(cls, measure: AbstractMeasure, n: int, rng: int | np.random.Generator) -> Samples:
        return cls(measure.draw(n, rng), np.full(n, 1.0 / n), measure)

    @property
    def dim(self) -> int:
        """Number d of coordinates."""
        return self.points.shape[1]

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def mean(self) -> NDArray:
        """Weighted mean ``(d,)``."""
        return self.measure.mean if self.measure is not None else self.weights @ self.points

    @cached_property
    def std(self) -> NDArray:
        """Weighted standard deviation ``(d,)``."""
        if self.measure is not None:
            return self.measure.std
        return np.sqrt(self.weights @ (self.points - self.mean) ** 2)

    def pointwise(self) -> Samples:
        """The same points without the measure: integrals become weighted sums."""
        return Samples(self.points, self.weights)

    def subset(self, n: int) -> Samples:
        """At most n of the points that have weight, evenly spread over the table."""
        index = np.flatnonzero(self.weights > 0)
        if len(index) > n:
            index = index[_strata(len(index), n)]
        elif len(index) == len(self):
            return self
        return Samples(self.points[index], _normalised(self.weights[index], len(index)), self.measure)

    def count_distinct(self, enough: int) -> int:
        """Number of different points with weight; not counted beyond what is ``enough``."""
        used = self.points[self.weights > 0]
        if self.measure is not None:
            return len(used)
        for size in (4 * enough, len(used)):  # most tables have no repeats: the first rows tell
            distinct = len(np.unique(used[:size], axis=0))
            if distinct >= enough or size >= len(used):
                return distinct
        return distinct


def _strata(n: int, m: int) -> NDArray:
    """One of n rows from each of m parts of the table, at places that follow no period.

    Every second point of a low-discrepancy sequence fills half of the box: so no fixed step.
    """
    edges = np.arange(m + 1) * n // m
    golden = (np.arange(m) * (np.sqrt(5.0) - 1.0) / 2.0) % 1.0
    return edges[:-1] + (golden * np.diff(edges)).astype(int)


def _broadcast(a: ArrayLike, b: ArrayLike, dim: int | None) -> tuple[NDArray, NDArray]:
    a, b = np.atleast_1d(np.asarray(a, dtype=np.float64)), np.atleast_1d(np.asarray(b, dtype=np.float64))
    d = dim if dim is not None else max(len(a), len(b))
    try:
        return np.broadcast_to(a, (d,)).copy(), np.broadcast_to(b, (d,)).copy()
    except ValueError:
        raise InputError(
            explain(
                "The two ends do not have the same number of coordinates.",
                given=f"shapes {a.shape} and {b.shape}, dim = {dim}",
                expected="numbers, or two arrays of length dim",
                fix="Samples.box([-1, -1], [1, 1])",
            )
        ) from None


def _normalised(weights: ArrayLike | None, n: int) -> NDArray:
    if weights is None:
        return np.full(n, 1.0 / n)
    w = np.asarray(weights, dtype=np.float64).ravel()
    if len(w) != n or np.any(w < 0) or not np.isfinite(w).all() or w.sum() <= 0:
        raise InputError(
            explain(
                "The weights do not fit the points.",
                given=f"{len(w)} weights for {n} points, smallest {w.min(initial=np.nan):.3g}",
                expected="one non-negative finite weight per point, not all zero",
                fix="Samples.from_data(points)",
            )
        )
    return w / w.sum()
