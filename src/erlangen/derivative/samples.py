"""Samples: where a symmetry is claimed, and with which weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._progress import carried
from erlangen._render import number
from erlangen._shown import AbstractShown, brief, card
from erlangen._typing import NDArray
from erlangen.derivative.measures import AbstractMeasure, BoxMeasure, GaussianMeasure
from erlangen.linalg.qr import StreamedQR

DEFAULT_POINTS = 4096
"""Points drawn from a box, Gaussian or sphere where the caller does not say how many."""


RowsAt = Callable[[NDArray, NDArray], Iterable[tuple[int, NDArray]]]
"""Points ``(n, d)`` and weights ``(n,)`` to pairs ``(i, rows)``: rows of matrix i, weighted by roots of the weights."""


class AbstractSamples(AbstractShown, ABC):
    """Where a symmetry is claimed: points with weights, at hand or in blocks.

    Attributes
    ----------
    points : ndarray (n, d)
        The points, where they are at hand.
    weights : ndarray (n,)
        Weights that add up to one.
    measure : AbstractMeasure or None
        The distribution, where it is known.
    """

    points: NDArray
    weights: NDArray
    measure: AbstractMeasure | None

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number d of coordinates."""

    @abstractmethod
    def __len__(self) -> int:
        """Number n of points."""

    @property
    @abstractmethod
    def mean(self) -> NDArray:
        """Weighted mean ``(d,)``, in the units of the coordinates."""

    @property
    @abstractmethod
    def std(self) -> NDArray:
        """Weighted standard deviation ``(d,)``, in the units of the coordinates."""

    @property
    @abstractmethod
    def reach(self) -> NDArray:
        """Largest magnitude ``(d,)`` of each coordinate."""

    @property
    @abstractmethod
    def local(self) -> Samples:
        """Points at hand: all of them, or some of every block."""

    @abstractmethod
    def factored(self, rows: RowsAt, widths: tuple[int, ...], piece: int) -> tuple[StreamedQR, ...]:
        """Triangular factors of matrices whose rows are made from the points.

        Parameters
        ----------
        rows : callable
            Takes points ``(k, d)`` and weights ``(k,)`` and yields pairs ``(i, rows (m, widths[i]))``.
        widths : tuple of int
            Columns of each matrix.
        piece : int
            Points that are taken at a time.

        Returns
        -------
        tuple of StreamedQR
            One factor per matrix.
        """

    def pointwise(self) -> Samples:
        """The points at hand without the measure: integrals become weighted sums."""
        return Samples(self.local.points, self.local.weights)

    def subset(self, n: int) -> Samples:
        """At most n of the points at hand that have weight, evenly spread over the table.

        Parameters
        ----------
        n : int
            At most how many.

        Returns
        -------
        Samples
            Points of the table with their weights, which sum to one again.

        Raises
        ------
        InputError
            When n is less than one.
        """
        here = self.local
        index = np.flatnonzero(here.weights > 0)
        if len(index) > n:
            index = index[_strata(len(index), n)]
        elif len(index) == len(here):
            return here
        return Samples(here.points[index], _normalised(here.weights[index], len(index)), self.measure)

    def count_distinct(self, enough: int) -> int:
        """Number of different points with weight, among those at hand; not counted beyond what is ``enough``.

        Parameters
        ----------
        enough : int
            Where counting may stop.

        Returns
        -------
        int
            How many differ, at most about ``enough``.
        """
        used = self.local.points[self.local.weights > 0]
        if self.measure is not None:
            return len(used)
        for size in (4 * enough, len(used)):  # most tables have no repeats: the first rows tell
            distinct = len(np.unique(used[:size], axis=0))
            if distinct >= enough or size >= len(used):
                return distinct
        return distinct


@dataclass(frozen=True, eq=False)
class Samples(AbstractSamples):
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

    def __repr__(self) -> str:
        where = "" if self.measure is None else f", {brief(self.measure)}"
        return f"<Samples: {len(self)} points in R^{self.dim}{where}>"

    def _repr_html_(self) -> str:
        ends = zip(self.points.min(axis=0), self.points.max(axis=0), self.mean, self.std, strict=True)
        rows = [(k, *(number(float(x)) for x in row)) for k, row in enumerate(ends, 1)]
        where = "points" if self.measure is None else f"points of {brief(self.measure)}"
        headers = ("coordinate", "least", "largest", "mean", "standard deviation")
        return card(f"{len(self)} {where} in R^{self.dim}", rows, headers)

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
        """Low-discrepancy points of a box; ``low`` and ``high`` are numbers or ``(d,)``.

        Parameters
        ----------
        low, high : array_like (d,) or float
            Corners, in the units of the coordinates.
        dim : int, optional
            Number d of coordinates, where both corners are numbers.
        n : int
            How many points.
        rng : int or numpy.random.Generator
            Scrambles the points.

        Returns
        -------
        Samples
            The points, with the box itself as ``measure``: polynomials are integrated exactly.

        Raises
        ------
        InputError
            When the box is empty, or corners and ``dim`` differ in their number of coordinates.
        """
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
        """Low-discrepancy normal points; ``mean`` and ``std`` are numbers or ``(d,)``.

        Parameters
        ----------
        mean, std : array_like (d,) or float
            Centre and standard deviation of each coordinate, in its units.
        dim : int, optional
            Number d of coordinates, where both are numbers.
        n : int
            How many points.
        rng : int or numpy.random.Generator
            Scrambles the points.

        Returns
        -------
        Samples
            The points, with the distribution itself as ``measure``: polynomials are integrated exactly.

        Raises
        ------
        InputError
            When a standard deviation is not positive, or centre, deviation and ``dim`` differ in their number of
            coordinates.
        """
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
        """Uniform points on the sphere of a radius in R^dim.

        Parameters
        ----------
        radius : float
            Of the sphere about the origin.
        dim : int
            Number d of coordinates.
        n : int
            How many points.
        rng : int or numpy.random.Generator
            Scrambles the points.

        Returns
        -------
        Samples
            The points, with equal weights.
        """
        x = np.random.default_rng(rng).normal(size=(n, dim))
        return cls.from_data(radius * x / np.linalg.norm(x, axis=1, keepdims=True))

    @classmethod
    def paper(cls, *, dim: int, degree: int, rng: int | np.random.Generator = 0) -> Samples:
        """Points as in the experiments of the source paper: uniform on the box from -1 to 1, just enough of them.

        One more than there are monomials of ``degree``, which is that of the polynomials to be told apart: Lie
        derivatives of polynomials of degree D have degree D - 1 under translations, and D under affine generators.
        For comparison: the box itself integrates exactly.

        Parameters
        ----------
        dim : int
            Number d of coordinates.
        degree : int
            Of the polynomials to be told apart.
        rng : int or numpy.random.Generator
            Draws the points.

        Returns
        -------
        Samples
            Random points with equal weights.

        Raises
        ------
        InputError
            When there are no such polynomials.

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
        """Samples at given points ``(n, d)``, with equal weights unless some are given.

        Parameters
        ----------
        points : array_like (n, d)
            Points.
        weights : array_like (n,), optional
            Not negative; they are divided by their sum.

        Returns
        -------
        Samples
            The points and weights.

        Raises
        ------
        InputError
            When points are no table of finite numbers, or weights do not fit them.
        """
        if np.ma.isMA(points):  # a masked entry is missing, whatever number lies under the mask
            points = np.ma.filled(np.ma.asarray(points, dtype=np.float64), np.nan)
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

    @staticmethod
    def from_blocks(points: Any) -> AbstractSamples:
        """Samples at the rows of a table in blocks, with equal weights: see `erlangen.blocks`.

        Parameters
        ----------
        points : AbstractBlocks, Dask array (n, d), or Dask dataframe with d columns
            The points. One pass counts them and learns where they are; a part of them is kept at hand.

        Returns
        -------
        AbstractSamples
            Samples for every verb; whatever needs all points passes over the blocks.

        Raises
        ------
        InputError
            Where there is no row, or an entry is not finite.

        Examples
        --------
        >>> import erlangen as er
        >>> table = er.blocks.generated(lambda i: np.random.default_rng(i).normal(size=(100, 2)), 5, dim=2)
        >>> Samples.from_blocks(table)
        <BlockSamples: 500 points in R^2, in 5 blocks>
        """
        from erlangen.blocks import as_blocks
        from erlangen.derivative.block_samples import BlockSamples

        table = as_blocks(points)
        with carried(AbstractSamples, lambda samples, _: samples):  # a summary of some blocks is no result
            return BlockSamples(table, table.summary())

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

    @property
    def reach(self) -> NDArray:
        """Largest magnitude ``(d,)`` of each coordinate."""
        return np.abs(self.points).max(axis=0)

    @property
    def local(self) -> Samples:
        """These samples."""
        return self

    def factored(self, rows: RowsAt, widths: tuple[int, ...], piece: int) -> tuple[StreamedQR, ...]:
        streams = tuple(StreamedQR(p) for p in widths)
        for start in range(0, len(self), piece):
            for i, block in rows(self.points[start : start + piece], self.weights[start : start + piece]):
                streams[i].update(block)
        return streams


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
