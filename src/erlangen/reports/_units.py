"""Coordinates in which the data have no unit and no offset: words and pictures must not hang on either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction, matrices_of
from erlangen.fields.table import substitute
from erlangen.verbs import Symmetry

CLOSE = 1e-3
"""Share of its size up to which a generator of unknown error counts as one of a special kind: only words hang on it."""

BEYOND = 3.0
"""Errors of a unit generator beyond which a coefficient is one: three standard errors."""


@dataclass(frozen=True, eq=False)
class Units:
    """Where data lie, how far they spread, and how well generators on them are known.

    Attributes
    ----------
    centre : ndarray (d,)
        Their middle.
    scale : ndarray (d,)
        Their spread along each coordinate, positive.
    error : float
        Share of its size up to which a coefficient of a generator in these units is none.
    """

    centre: NDArray
    scale: NDArray
    error: float = CLOSE

    @classmethod
    def of(cls, points: NDArray, scale: NDArray | None = None, error: float = CLOSE) -> Units:
        """Units of points ``(n, d)``; coordinates that do not vary keep theirs."""
        spread = points.std(axis=0) if scale is None else np.asarray(scale, dtype=np.float64)
        return cls(points.mean(axis=0), np.where(spread > 0, spread, 1.0), error)

    def points(self, x: NDArray) -> NDArray:
        """Points ``(n, d)`` in these units."""
        return (x - self.centre) / self.scale

    def field(self, one: PolynomialAction) -> PolynomialAction:
        """A vector field as one of the coordinates in these units."""
        shifted, powers = substitute(one.exponents, np.eye(len(one.exponents)), np.diag(self.scale), self.centre)
        coefficients = (one.coefficients @ powers) / self.scale[:, None]
        used = coefficients.any(axis=(0, 1))
        rows = coefficients[:, :, used].reshape(one.n_generators, -1)
        return PolynomialAction(shifted[used], sparse.csr_array(rows))

    def matrix(self, one: PolynomialAction) -> NDArray:
        """Matrix ``(d + 1, d + 1)`` of an affine generator in these units."""
        d, matrix = one.point_dim, matrices_of(one)[0]
        whole = np.zeros((d + 1, d + 1))
        whole[:d, :d] = matrix[:d, :d] * self.scale / self.scale[:, None]
        shift = matrix[:d, d] if len(matrix) > d else np.zeros(d)
        whole[:d, d] = (matrix[:d, :d] @ self.centre + shift) / self.scale
        return whole


def units_of(symmetry: Symmetry) -> Units:
    """Units of the points that a symmetry was found on, with the error of its generators."""
    least = float(np.sqrt(np.finfo(np.float64).eps))
    error = max(least, BEYOND * symmetry.noise, float(symmetry.defects.max(initial=0.0)))
    d = len(symmetry.scales.points)
    points = symmetry.points if symmetry.points.size else np.zeros((1, d))
    return Units.of(points, symmetry.scales.points, error)
