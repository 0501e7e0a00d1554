"""Splines on even knots over many pieces of time at once, with their penalty and the covariance of their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

from erlangen._typing import NDArray

CHUNK = 96
"""Columns of the inverse that one lane of the recursion finds at least; all lanes go in step."""

FADED = 12.0
"""Lanes start where what they do not know of the columns behind has faded by exp(-12), below 1e-5."""

FADE = 4.0
"""Columns over which an inverse fades by e even where little is smoothed: that of splines on knots without samples."""


@dataclass(frozen=True, eq=False)
class Knots:
    """Samples of all pieces on even knots; each piece has splines of its own, so pieces do not know of each other.

    Attributes
    ----------
    smoothness : int
        m: the penalty is on the m-th derivative, and the splines are of degree 2m - 1.
    spacing : float
        Time between knots, the same for all pieces.
    first : ndarray (n,) of int
        The first of the 2m splines that are not zero at each sample.
    place : ndarray (n,)
        Where the sample is between its two knots, from 0 to 1.
    starts : ndarray of int
        The first spline over each interval between knots.
    size : int
        Number of splines in all.
    """

    smoothness: int
    spacing: float
    first: NDArray
    place: NDArray
    starts: NDArray
    size: int

    @classmethod
    def over(cls, times: Sequence[NDArray], spacing: float, smoothness: int) -> Knots:
        """Knots at this spacing over pieces of these increasing times."""
        parts: list[tuple[NDArray, NDArray, NDArray]] = []
        size = 0
        for t in times:
            along = (t - t[0]) / spacing
            # A last knot that rounding puts short of the last sample would cost an interval.
            count = max(1, int(np.ceil(along[-1] * (1 - 4 * np.finfo(np.float64).eps))))
            at = np.minimum(along.astype(np.int64), count - 1)
            parts.append((at + size, along - at, np.arange(size, size + count)))
            size += count + 2 * smoothness - 1
        first, place, starts = (np.concatenate(part) for part in zip(*parts, strict=True))
        return cls(smoothness, spacing, first, place, starts, size)

    def basis(self, order: int = 0) -> NDArray:
        """The 2m splines ``(2m, n)`` that are not zero at each sample, or derivatives of theirs in time."""
        pieces = np.array([np.polynomial.polynomial.polyder(row, order) for row in _pieces(2 * self.smoothness - 1)])
        out = np.repeat(pieces[:, -1:], len(self.place), axis=1)
        for k in range(pieces.shape[1] - 2, -1, -1):
            out *= self.place
            out += pieces[:, k : k + 1]
        return out / self.spacing**order

    def penalty(self) -> NDArray:
        """Band of the matrix of integrals of products of m-th derivatives, time in units of the spacing."""
        local, width = _penalty(self.smoothness), 2 * self.smoothness
        band = np.zeros((width, self.size))
        for a in range(width):
            for b in range(a, width):
                band[b - a, self.starts + a] += local[a, b]
        return band

    def gram(self, basis: NDArray, weights: NDArray | None = None) -> NDArray:
        """Band of the matrix of sums over samples of products of splines."""
        width = 2 * self.smoothness
        band = np.zeros((width, self.size))
        for a in range(width):
            left = basis[a] if weights is None else basis[a] * weights
            for b in range(a, width):
                sums = np.bincount(self.first, left * basis[b], minlength=self.size)
                band[b - a, a:] += sums[: self.size - a]
        return band

    def project(self, basis: NDArray, y: NDArray) -> NDArray:
        """Sums over samples of splines times columns of y ``(n, c)``: ``(size, c)``."""
        out = np.zeros((self.size, y.shape[1]))
        for a in range(2 * self.smoothness):
            for c in range(y.shape[1]):
                sums = np.bincount(self.first, basis[a] * y[:, c], minlength=self.size)
                out[a:, c] += sums[: self.size - a]
        return out

    def values(self, basis: NDArray, coefficients: NDArray) -> NDArray:
        """The spline (or derivative, as the basis says) at the samples: ``(n, c)``."""
        out = np.zeros((len(self.first), coefficients.shape[1]))
        for a in range(2 * self.smoothness):
            out += basis[a][:, None] * coefficients[self.first + a]
        return out

    def roughness(self, coefficients: NDArray) -> NDArray:
        """Integrals ``(c,)`` of squared m-th derivatives: what the penalty says, without its cancellation."""
        nodes, weights = np.polynomial.legendre.leggauss(self.smoothness)
        pieces = [np.polynomial.polynomial.polyder(row, self.smoothness) for row in _pieces(2 * self.smoothness - 1)]
        out = np.zeros(coefficients.shape[1])
        for u, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            slope = np.zeros((len(self.starts), coefficients.shape[1]))
            for a, row in enumerate(pieces):
                slope += np.polynomial.polynomial.polyval(u, row) * coefficients[self.starts + a]
            out += weight * np.sum(slope**2, axis=0)
        return out

    def covariance(self, left: NDArray, right: NDArray, band: NDArray) -> NDArray:
        """``left' Z right`` at each sample ``(n,)`` for the band of a symmetric Z, here of an inverse."""
        out = np.zeros(len(self.first))
        for a in range(2 * self.smoothness):
            out += left[a] * right[a] * band[0, self.first + a]
            for b in range(a + 1, 2 * self.smoothness):
                out += (left[a] * right[b] + left[b] * right[a]) * band[b - a, self.first + a]
        return out


@dataclass(frozen=True, eq=False)
class Factor:
    """A banded positive definite matrix, as its Cholesky factor in the lower form of LAPACK."""

    lower: NDArray

    @classmethod
    def of(cls, band: NDArray) -> Factor:
        """Factor a band; raises LinAlgError where it is not positive definite in the arithmetic used."""
        return cls(cholesky_banded(band, lower=True, check_finite=False))

    @property
    def log_determinant(self) -> float:
        """Logarithm of the determinant of the matrix."""
        return 2.0 * float(np.sum(np.log(self.lower[0])))

    def solve(self, b: NDArray) -> NDArray:
        """Solve for columns ``(size, c)``."""
        return cho_solve_banded((self.lower, True), b, check_finite=False)

    def inverse_band(self, fade: float) -> NDArray:
        """The band of the inverse, whose squared entries fade by e over so many columns from the diagonal.

        From the last column to the first, each entry is a sum over the entries behind it. Entries far behind do not
        matter, so chunks of columns are found side by side, each from columns that are far enough behind its own.

        References
        ----------
        K. Takahashi, J. Fagan, M. Chen, "Formation of a sparse bus impedance matrix and its application to short
        circuit study", PICA 1973; equation 2.4 in M. Hutchinson, F. de Hoog, "Smoothing noisy data with spline
        functions", Numerische Mathematik 47, 1985.
        """
        width, size = self.lower.shape[0] - 1, self.lower.shape[1]
        warm = int(np.ceil(FADED * max(fade, FADE)))
        chunk = max(CHUNK, 2 * warm)
        lanes = -(-size // chunk)
        padded = np.zeros((width + 1, lanes * chunk + warm))
        padded[0] = 1.0
        padded[:, :size] = self.lower
        for r in range(1, width + 1):  # LAPACK leaves what is outside the matrix as it was
            padded[r, size - r :] = 0.0
        ratio, last = padded[1:] / padded[0], 1.0 / padded[0] ** 2
        out = np.zeros((width + 1, lanes, chunk))
        window = np.zeros((width, width, lanes))
        for step in range(chunk + warm - 1, -1, -1):
            at = slice(step, step + (lanes - 1) * chunk + 1, chunk)
            g = ratio[:, at]
            off = -np.einsum("rkl,kl->rl", window, g)
            own = last[at] - np.einsum("kl,kl->l", g, off)
            window[1:, 1:] = window[:-1, :-1].copy()
            window[0, 0], window[0, 1:], window[1:, 0] = own, off[:-1], off[:-1]
            if step < chunk:
                out[0, :, step], out[1:, :, step] = own, off
        return out.reshape(width + 1, -1)[:, :size]


@cache
def _pieces(degree: int) -> NDArray:
    """Row a: coefficients, lowest first, of the a-th of the splines that are not zero between two knots."""
    rows = np.ones((1, 1))
    for p in range(1, degree + 1):
        longer = np.zeros((p + 1, p + 1))
        for a in range(p):  # spline a of degree p - 1 begins at knot a - p + 1
            start = a - p + 1
            longer[a + 1, 1:] += rows[a] / p
            longer[a + 1, :-1] -= start * rows[a] / p
            longer[a, 1:] -= rows[a] / p
            longer[a, :-1] += (start + p) * rows[a] / p
        rows = longer
    rows.setflags(write=False)
    return rows


@cache
def _penalty(smoothness: int) -> NDArray:
    """Integrals between two knots of products of m-th derivatives of the splines there: ``(2m, 2m)``."""
    poly = np.polynomial.polynomial
    rows = [poly.polyder(row, smoothness) for row in _pieces(2 * smoothness - 1)]
    out = np.array([[poly.polyval(1.0, poly.polyint(poly.polymul(a, b))) for b in rows] for a in rows])
    out.setflags(write=False)
    return out
