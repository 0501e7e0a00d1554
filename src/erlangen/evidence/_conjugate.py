"""Is there a linear change of coordinates that takes one matrix algebra to another?"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from erlangen._typing import NDArray

MOST_COORDINATES = 6
"""Size of matrices up to which a change of coordinates is looked for."""

STARTS = 8
"""Orthogonal matrices from which the search starts, beside the unit matrix."""

WORST_CONDITION = 1e3
"""Condition number beyond which a change of coordinates has become a projection."""


def conjugator(a: NDArray, b: NDArray, error: float, rng: np.random.Generator) -> tuple[NDArray | None, float]:
    """T with T a T^-1 in the span of b, for generators ``(p, k, k)`` of the same number; and the residual of the best.

    Least squares from several starts for the part of T a_i T^-1 outside of the span, relative to its size. T is None
    where none leaves less than ``error`` and rounding.
    """
    p, k = len(a), a.shape[1]
    basis = np.linalg.qr(b.reshape(p, -1).T)[0]
    unit = np.linalg.qr(a.reshape(p, -1).T)[0].T.reshape(a.shape)

    def residual(entries: NDArray) -> NDArray:
        t = entries.reshape(k, k)
        try:
            moved = (t @ unit @ np.linalg.inv(t)).reshape(p, -1)
        except np.linalg.LinAlgError:
            return np.ones(p * k * k)
        outside = moved - (moved @ basis) @ basis.T
        return (outside / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), np.finfo(float).tiny)).ravel()

    best, found = float("inf"), None
    enough = max(error, float(np.sqrt(np.finfo(float).eps)))
    for start in [np.eye(k), *(np.linalg.qr(rng.normal(size=(k, k)))[0] for _ in range(STARTS))]:
        done = least_squares(residual, start.ravel(), method="trf", max_nfev=100)
        size = float(np.sqrt(np.sum(done.fun**2) / p))
        t = done.x.reshape(k, k)
        if size < best and np.linalg.cond(t) < WORST_CONDITION:
            best, found = size, t / np.abs(np.linalg.det(t)) ** (1 / k)
        if best <= enough:
            return found, best
    return None, best
