"""Test functions for weak moments, and the weight that lets integration by parts have no boundary.

On a box the target measure is tapered: its density is multiplied by b(u) = prod (1 - u_k^4), which is near 1 inside and
zero on the boundary. Polynomials that are orthonormal in the tapered measure then see all of a polynomial defect. A
Gaussian vanishes at infinity by itself; its polynomials are those of Hermite. Over data without a known law the taper
is that of the bounding box, and the polynomials are orthonormalised over the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.polynomial import hermite_e, legendre
from scipy.linalg import solve_triangular

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.derivative.measures import AbstractMeasure, BoxMeasure
from erlangen.linalg.polynomials import exponents

ILL = 1e-4
"""Test functions whose independent part over the data is below this share of their size are not told apart."""

POWER = 4
"""Power of the taper 1 - u^POWER: a steeper one costs variance in proportion, a flatter one gives up more room."""


@dataclass(frozen=True, eq=False)
class Taper:
    """The weight b(x) = prod (1 - u_k^POWER) on a box with ``centre (d,)`` and ``half (d,)`` widths; zero outside."""

    centre: NDArray
    half: NDArray

    def __call__(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Values ``(n,)`` and gradients ``(n, d)``."""
        u = (x - self.centre) / self.half
        inside = np.all(np.abs(u) <= 1.0, axis=1)
        factors = 1.0 - np.where(inside[:, None], u, 0.0) ** POWER
        value = np.prod(factors, axis=1) * inside
        gradient = np.empty_like(u)
        for k in range(u.shape[1]):
            others = np.prod(np.delete(factors, k, axis=1), axis=1)
            gradient[:, k] = -POWER * u[:, k] ** (POWER - 1) / self.half[k] * others * inside
        return value, gradient


def taper_of(box: BoxMeasure) -> Taper:
    """The taper of a box."""
    return Taper((box.low + box.high) / 2, (box.high - box.low) / 2)


@dataclass(frozen=True, eq=False)
class Line:
    """Functions of one coordinate: series in Legendre or Hermite polynomials of u = (x - centre) / half.

    Attributes
    ----------
    centre, half : float
        Change of coordinate.
    series : ndarray (s, k)
        Coefficients of function k.
    bounded : bool
        Whether the functions live on [-1, 1] (Legendre series) or on the line (Hermite series).
    """

    centre: float
    half: float
    series: NDArray
    bounded: bool

    def __call__(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Values and derivatives ``(n, k)`` at ``x (n,)``."""
        u = (x - self.centre) / self.half
        if self.bounded:
            value, slope = legendre.legval(u, self.series), legendre.legval(u, legendre.legder(self.series))
        else:
            value, slope = hermite_e.hermeval(u, self.series), hermite_e.hermeval(u, hermite_e.hermeder(self.series))
        return value.T, slope.T / self.half


@dataclass(frozen=True, eq=False)
class WeakFunctions:
    """Products of functions of one coordinate each, of total degree up to ``degree``.

    Attributes
    ----------
    lines : tuple of Line
        One per coordinate.
    table : ndarray (a, d)
        Which function of each coordinate enters each product.
    mix : ndarray (a, a') or None
        Combinations that are orthonormal over the data, where the products are not.
    """

    lines: tuple[Line, ...]
    table: NDArray
    mix: NDArray | None = None

    @property
    def size(self) -> int:
        """Number of functions."""
        return len(self.table) if self.mix is None else self.mix.shape[1]

    @property
    def degree(self) -> int:
        """Highest total degree."""
        return int(self.table.sum(axis=1).max(initial=0))

    def __call__(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Values ``(n, a)`` and gradients ``(n, a, d)`` at points ``x (n, d)``."""
        d = len(self.lines)
        parts = [line(x[:, k]) for k, line in enumerate(self.lines)]
        chosen = [(value[:, self.table[:, k]], slope[:, self.table[:, k]]) for k, (value, slope) in enumerate(parts)]
        values = np.ones((len(x), len(self.table)))
        for value, _ in chosen:
            values *= value
        gradients = np.empty((*values.shape, d))
        for k in range(d):
            gradients[:, :, k] = chosen[k][1]
            for other in range(d):
                if other != k:
                    gradients[:, :, k] *= chosen[other][0]
        if self.mix is None:
            return values, gradients
        return values @ self.mix, np.einsum("nad,ab->nbd", gradients, self.mix, optimize=True)


def functions_on(measure: AbstractMeasure, degree: int) -> WeakFunctions:
    """Polynomials of total degree up to ``degree``, orthonormal in a tapered box or in a Gaussian measure.

    Examples
    --------
    >>> functions_on(BoxMeasure(np.zeros(2), np.ones(2)), 4).size
    15
    """
    if isinstance(measure, BoxMeasure):
        series = _tapered(degree)
        half = (measure.high - measure.low) / 2
        lines = tuple(Line(float(c), float(h), series, True) for c, h in zip(measure.mean, half))
    else:
        series = _hermite(degree)
        lines = tuple(Line(float(c), float(s), series, False) for c, s in zip(measure.mean, measure.std))
    return WeakFunctions(lines, exponents(measure.dim, degree))


def functions_over(points: NDArray, degree: int) -> WeakFunctions:
    """Polynomials of total degree up to ``degree``, orthonormal over points ``(n, d)`` with the taper of their box.

    Raises
    ------
    UndecidedError
        Where the points do not tell the functions apart: they lie on a curve or surface.
    """
    box = BoxMeasure(points.min(axis=0), points.max(axis=0))
    if not (box.low < box.high).all():
        raise UndecidedError(_thin(degree, f"{len(points)} points that lie on a plane"))
    size = comb(box.dim + degree, degree)
    if size >= len(points):  # before any of them is made: there may be millions
        raise UndecidedError(_thin(degree, f"{len(points)} points for {size} test functions"))
    plain, b = functions_on(box, degree), taper_of(box)(points)[0]
    r = np.linalg.qr(plain(points)[0] * np.sqrt(b / b.sum())[:, None], mode="r")
    own = np.abs(np.diag(r))
    if (own < ILL * np.linalg.norm(r, axis=0)).any():
        raise UndecidedError(_thin(degree, f"{len(points)} points for {size} test functions"))
    return WeakFunctions(plain.lines, plain.table, solve_triangular(r, np.eye(len(r))))


def _tapered(degree: int) -> NDArray:
    """Legendre series ``(degree + 1, degree + 1)`` of the polynomials orthonormal under (1 - u^POWER) du."""
    nodes, weights = legendre.leggauss(degree + POWER // 2 + 1)
    share = weights * (1.0 - nodes**POWER)
    raw = legendre.legvander(nodes, degree)
    r = np.linalg.qr(raw * np.sqrt(share / share.sum())[:, None], mode="r")
    return solve_triangular(r, np.eye(degree + 1))


def _hermite(degree: int) -> NDArray:
    factorials = np.concatenate([[1.0], np.cumprod(np.arange(1.0, degree + 1))])
    return np.diag(1.0 / np.sqrt(factorials))


def _thin(degree: int, given: str) -> str:
    return explain(
        "The points do not tell the test functions apart: they are too few, or lie on a curve or surface.",
        given=f"{given} of degree {degree}",
        expected="many more points than test functions, spread over all coordinates",
        fix="samples=er.Samples.box(low, high) inside the data, or fewer test functions: degree=2",
    )
