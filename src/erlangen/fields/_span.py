"""The affine subspace that a table's points span, and coordinates on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding

WRITTEN_DECIMALS = range(3, 13)
"""Numbers of decimals to which a column may have been rounded; fewer are taken for counts and grids."""


@dataclass(frozen=True, eq=False)
class Span:
    """Affine subspace of the points: ``z = matrix @ (x - mean)`` are its s standardised coordinates.

    Attributes
    ----------
    mean, scale : ndarray (d,)
        Mean and standard deviation of the columns (scale 1 where a column is constant).
    basis : ndarray (d, s)
        Orthonormal basis of the directions in which the points vary.
    matrix : ndarray (s, d)
        Coordinates on the span; constant along what is orthogonal to it in scaled columns.
    reason : str
        In words, what the points span and how that was decided.
    """

    mean: NDArray
    scale: NDArray
    basis: NDArray
    matrix: NDArray
    reason: str

    @property
    def dim(self) -> int:
        """Number s of dimensions."""
        return self.matrix.shape[0]

    @property
    def is_full(self) -> bool:
        """Whether the points span all d coordinates; then z is x standardised column by column."""
        return self.dim == len(self.mean)

    def coordinates(self, x: NDArray) -> NDArray:
        """Coordinates ``(n, s)`` of points ``x (n, d)``."""
        return (x - self.mean) @ self.matrix.T

    def project(self, x: NDArray) -> NDArray:
        """The points of the span with the same coordinates, ``(n, d)``."""
        return self.mean + self.coordinates(x) @ self.lift.T

    @property
    def lift(self) -> NDArray:
        """Matrix ``(d, s)`` with matrix @ lift = 1 that takes coordinates to points of the span, less the mean."""
        scaled = self.matrix * self.scale
        return self.scale[:, None] * np.linalg.pinv(scaled)


def find_span(x: NDArray) -> Span:
    """Find the affine subspace that ``x (n, d)`` spans, relative to the columns' own rounding.

    A direction of the standardised columns counts where its standard deviation exceeds three times what the
    rounding of the columns (float64, or the decimals to which they were written) puts into it.
    """
    n, d = x.shape
    mean = x.mean(axis=0)
    deviation = x.std(axis=0)
    resolution = np.array([_resolution(column) for column in x.T])
    constant = deviation <= 3.0 * resolution
    if constant.all():
        raise InputError(
            explain(
                "All columns of X are constant.",
                given=f"X of shape {x.shape} with no spread",
                expected="points that differ",
                fix="pass the columns that vary",
            )
        )
    scale = np.where(constant, 1.0, deviation)
    standard = np.where(constant, 0.0, (x - mean) / scale)
    _, s, vt = np.linalg.svd(np.linalg.qr(standard, mode="r"), full_matrices=False)
    s = s / np.sqrt(n)
    floor = rounding((n, d)) + 3.0 * np.sqrt((vt**2 * np.where(constant, 0.0, resolution / scale) ** 2).sum(axis=1))
    dim = int(np.sum(s > floor))
    if dim == d:
        return Span(mean, scale, np.eye(d), np.diag(1.0 / scale), f"the points span all {d} coordinates")
    matrix = vt[:dim] / s[:dim, None] / scale
    basis = np.linalg.qr(scale[:, None] * vt[:dim].T)[0]
    return Span(mean, scale, basis, matrix, _reason(dim, d, s, constant))


def _resolution(column: NDArray) -> float:
    """Standard deviation of the rounding of a column."""
    size = np.abs(column).max(initial=0.0)
    machine = float(np.finfo(np.float64).eps) * size
    for decimals in WRITTEN_DECIMALS:
        unit = 10.0**-decimals
        if unit <= 8.0 * machine:
            break
        if np.abs(column / unit - np.rint(column / unit)).max() * unit <= 4.0 * machine:
            return unit / np.sqrt(12.0)
    return machine


def _reason(dim: int, d: int, s: NDArray, constant: NDArray) -> str:
    text = f"the points span {dim} of {d} dimensions: the next direction has {s[dim]:.1e} of the columns' spread"
    if constant.any():
        text += f"; constant columns: {', '.join(str(j) for j in np.flatnonzero(constant))}"
    return text
