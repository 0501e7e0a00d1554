"""The Lie algebra that matrices generate: brackets and conjugates until nothing new comes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding


@dataclass(frozen=True, eq=False)
class Closure:
    """What generators span, and what they generate.

    Attributes
    ----------
    spanned : int
        Dimension of the span of the generators.
    dim : int
        Dimension of the Lie algebra that they generate.
    defect : float
        Largest part of a bracket of unit matrices in the span, or of a conjugate by a discrete
        element, that lies outside the span.
    tolerance : float
        What counted as outside.
    basis : ndarray (dim, k, k)
        An orthonormal basis of the Lie algebra in the Frobenius product.
    """

    spanned: int
    dim: int
    defect: float
    tolerance: float
    basis: NDArray = field(repr=False)

    @property
    def is_closed(self) -> bool:
        """Whether the generators span the Lie algebra that they generate."""
        return self.spanned == self.dim

    def __str__(self) -> str:
        if self.is_closed:
            return f"closed: {self.dim} dimensions (defect {self.defect:.2g}, tolerance {self.tolerance:.2g})"
        return f"not closed: {self.spanned} dimensions generate {self.dim} (defect {self.defect:.2g})"


def closure_of(generators: NDArray, discrete: NDArray, tolerance: float | None = None) -> Closure:
    """Close matrices ``(p, k, k)`` under the bracket and under conjugation by ``discrete (m, k, k)``."""
    k = generators.shape[1]
    # A bracket of unit matrices in exact arithmetic is off by the rounding of two products of size k.
    tolerance = 10 * rounding((k * k, k)) if tolerance is None else tolerance
    basis, _ = _orthonormal(generators.reshape(-1, k * k), np.zeros((0, k * k)), tolerance)
    spanned, defect, old, accuracy = len(basis), 0.0, 0, tolerance
    while old < len(basis):
        moved = _moved(basis.reshape(-1, k, k), old, discrete)
        outside = moved - (moved @ basis.T) @ basis
        if len(basis) == spanned and not old:
            defect = float(np.linalg.norm(outside, axis=1).max(initial=0.0))
        old, (basis, smallest) = len(basis), _orthonormal(moved, basis, accuracy)
        accuracy /= smallest  # a direction that is left of a short bracket is known that much less exactly
    return Closure(spanned, len(basis), defect, tolerance, basis.reshape(-1, k, k))


def _moved(basis: NDArray, old: int, discrete: NDArray) -> NDArray:
    """Brackets with, and conjugates of, the basis elements from ``old`` on, flattened; at most of norm 2 and 1."""
    new = basis[old:]
    # Multiples of the identity add nothing to a bracket but the rounding of products that cancel.
    scalars = np.trace(basis, axis1=1, axis2=2) / basis.shape[1]
    plain = basis - scalars[:, None, None] * np.eye(basis.shape[1])
    a, b = plain[:, None], plain[old:]
    brackets = (np.matmul(a, b) - np.matmul(b, a)).reshape(-1, basis[0].size)
    conjugates = [(g @ new @ np.linalg.inv(g)).reshape(len(new), -1) for g in discrete]
    conjugates = [c / np.maximum(np.linalg.norm(c, axis=1, keepdims=True), 1.0) for c in conjugates]
    return np.concatenate([brackets, *conjugates])


def _orthonormal(rows: NDArray, basis: NDArray, tolerance: float) -> tuple[NDArray, float]:
    """Extend an orthonormal basis by what rows add to it; with the smallest size, at most 1, of what was added."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.maximum(norms, 1.0) if len(basis) else rows / np.where(norms > 0, norms, 1.0)
    for _ in range(2):  # twice is enough: what one projection leaves is rounding of the first
        rows = rows - (rows @ basis.T) @ basis
    if not rows.size:
        return basis, 1.0
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    # Rounding of a nearly full basis would go on adding to it.
    room = basis.shape[1] - len(basis)
    s, vt = s[:room], vt[:room]
    new = s > tolerance * np.sqrt(len(rows))
    return np.concatenate([basis, vt[new]]), float(s[new].min(initial=1.0))
