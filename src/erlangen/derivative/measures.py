"""Measures with closed-form orthonormal polynomials: the box and the Gaussian.

Under these a polynomial is integrated exactly: its coefficients in an orthonormal basis are the
rows of a matrix whose singular values are those of the integral, with no sampling error and
without squaring the condition number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import factorial, pi, sqrt

import numpy as np
from numpy.polynomial import Polynomial, hermite_e, legendre
from scipy import sparse
from scipy.special import ndtri

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray


class AbstractMeasure(AbstractShown, ABC):
    """A product probability measure on R^d."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number d of coordinates."""

    @property
    @abstractmethod
    def mean(self) -> NDArray:
        """Mean ``(d,)``."""

    @property
    @abstractmethod
    def std(self) -> NDArray:
        """Standard deviation ``(d,)``."""

    @abstractmethod
    def draw(self, n: int, rng: int | np.random.Generator) -> NDArray:
        """Low-discrepancy points ``(n, d)`` of the measure.

        Parameters
        ----------
        n : int
            How many points.
        rng : int or numpy.random.Generator
            Scrambles the points.

        Returns
        -------
        ndarray (n, d)
            The points.
        """

    @abstractmethod
    def expansion(self, axis: int, degree: int) -> NDArray:
        """Row e holds x_axis^e in orthonormal polynomials, shape ``(degree + 1, degree + 1)``.

        Parameters
        ----------
        axis : int
            Which coordinate, from 0.
        degree : int
            Highest power.

        Returns
        -------
        ndarray (degree + 1, degree + 1)
            Lower triangular: powers over orthonormal polynomials of ascending degree.
        """

    @abstractmethod
    def nodes(self, axis: int, count: int) -> tuple[NDArray, NDArray]:
        """Gauss nodes and weights ``(count,)`` along one coordinate: exact up to degree ``2 count - 1``.

        Parameters
        ----------
        axis : int
            Which coordinate, from 0.
        count : int
            How many nodes.

        Returns
        -------
        tuple of two ndarray (count,)
            Nodes in the units of the coordinate, and weights that sum to one.
        """


@dataclass(frozen=True, eq=False)
class BoxMeasure(AbstractMeasure):
    """The uniform distribution on a box from ``low (d,)`` to ``high (d,)``.

    Attributes
    ----------
    low, high : ndarray (d,)
        Its corners, in the units of the coordinates.
    """

    low: NDArray
    high: NDArray

    @property
    def dim(self) -> int:
        """Number d of coordinates."""
        return len(self.low)

    @property
    def mean(self) -> NDArray:
        """Mean ``(d,)``."""
        return (self.low + self.high) / 2

    @property
    def std(self) -> NDArray:
        """Standard deviation ``(d,)``."""
        return (self.high - self.low) / sqrt(12)

    def draw(self, n: int, rng: int | np.random.Generator) -> NDArray:
        """Low-discrepancy points ``(n, d)`` of the box."""
        return self.low + (self.high - self.low) * _unit_points(n, self.dim, rng)

    def expansion(self, axis: int, degree: int) -> NDArray:
        """Powers of one coordinate in orthonormal Legendre polynomials."""
        line = Polynomial([self.mean[axis], (self.high[axis] - self.low[axis]) / 2])
        out = np.zeros((degree + 1, degree + 1))
        for e in range(degree + 1):
            c = legendre.poly2leg((line**e).coef)
            out[e, : len(c)] = c / np.sqrt(2 * np.arange(len(c)) + 1)
        return out

    def nodes(self, axis: int, count: int) -> tuple[NDArray, NDArray]:
        """Gauss-Legendre nodes and weights along one coordinate."""
        t, w = legendre.leggauss(count)
        return self.mean[axis] + (self.high[axis] - self.low[axis]) / 2 * t, w / 2


@dataclass(frozen=True, eq=False)
class GaussianMeasure(AbstractMeasure):
    """Independent normal coordinates with ``centre (d,)`` and ``spread (d,)``.

    Attributes
    ----------
    centre : ndarray (d,)
        Means, in the units of the coordinates.
    spread : ndarray (d,)
        Standard deviations, in the same units.
    """

    centre: NDArray
    spread: NDArray

    @property
    def dim(self) -> int:
        """Number d of coordinates."""
        return len(self.centre)

    @property
    def mean(self) -> NDArray:
        """Mean ``(d,)``."""
        return self.centre

    @property
    def std(self) -> NDArray:
        """Standard deviation ``(d,)``."""
        return self.spread

    def draw(self, n: int, rng: int | np.random.Generator) -> NDArray:
        """Low-discrepancy normal points ``(n, d)``."""
        return self.centre + self.spread * ndtri(np.clip(_unit_points(n, self.dim, rng), 1e-12, 1 - 1e-12))

    def expansion(self, axis: int, degree: int) -> NDArray:
        """Powers of one coordinate in orthonormal Hermite polynomials."""
        line = Polynomial([self.centre[axis], self.spread[axis]])
        out = np.zeros((degree + 1, degree + 1))
        for e in range(degree + 1):
            c = hermite_e.poly2herme((line**e).coef)
            out[e, : len(c)] = c * np.sqrt([float(factorial(j)) for j in range(len(c))])
        return out

    def nodes(self, axis: int, count: int) -> tuple[NDArray, NDArray]:
        """Gauss-Hermite nodes and weights along one coordinate."""
        t, w = hermite_e.hermegauss(count)
        return self.centre[axis] + self.spread[axis] * t, w / sqrt(2 * pi)


def _unit_points(n: int, d: int, rng: int | np.random.Generator) -> NDArray:
    from scipy.stats import qmc  # heavy, and only points that are drawn need it

    return qmc.Halton(d, rng=np.random.default_rng(rng)).random(n)


def orthonormal_coefficients(measure: AbstractMeasure, table: NDArray, coefficients: NDArray) -> NDArray:
    """Rewrite polynomials from monomials to orthonormal polynomials of a measure.

    Parameters
    ----------
    measure : AbstractMeasure
        Box or Gaussian.
    table : ndarray (r, d)
        Exponents of the monomials.
    coefficients : ndarray (r, ...)
        Coefficients over the monomials.

    Returns
    -------
    ndarray (K, ...)
        Coefficients over orthonormal polynomials: sums of squares are integrals of squares.
    """
    flat = coefficients.reshape(len(table), -1)
    change = orthonormal_change(measure, table)
    return np.asarray(change @ flat).reshape(change.shape[0], *coefficients.shape[1:])


def orthonormal_change(measure: AbstractMeasure, table: NDArray) -> sparse.csr_array:
    """Matrix ``(K, r)`` from coefficients over the monomials of a ``table (r, d)`` to orthonormal polynomials."""
    rows, columns, values = np.arange(len(table)), table.copy(), np.ones(len(table))
    for axis in range(table.shape[1]):
        expansion = measure.expansion(axis, int(table[:, axis].max(initial=0)))
        e = columns[:, axis]
        repeat = e + 1
        which = np.repeat(np.arange(len(rows)), repeat)
        lower = np.arange(len(which)) - np.repeat(np.cumsum(repeat) - repeat, repeat)
        values = values[which] * expansion[e[which], lower]
        rows, columns = rows[which], columns[which]
        columns[:, axis] = lower
        keep = values != 0.0
        rows, columns, values = rows[keep], columns[keep], values[keep]
    distinct, target = np.unique(columns, axis=0, return_inverse=True)
    return sparse.csr_array((values, (np.ravel(target), rows)), shape=(len(distinct), len(table)))
