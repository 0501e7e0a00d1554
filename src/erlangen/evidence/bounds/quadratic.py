"""Extremes of a quadratic on the unit box, by a separable bound."""

from __future__ import annotations

import numpy as np

from erlangen._typing import NDArray


def extremes(slope: NDArray, hessian: NDArray) -> tuple[NDArray, NDArray]:
    """Bound ``g . e + e^T H e / 2`` over e in [-1, 1]^d, from below and above.

    ``e_i e_j <= (e_i^2 + e_j^2) / 2`` moves what is off the diagonal onto it; what is left are d parabolas.

    Parameters
    ----------
    slope : ndarray (d, B)
        g.
    hessian : ndarray (d, d, B)
        H.
    """
    diagonal = np.einsum("iib->ib", hessian)
    size = np.abs(hessian).sum(axis=1) - np.abs(diagonal)
    return -_peaks(slope, size - diagonal), _peaks(slope, diagonal + size)


def _peaks(slope: NDArray, bend: NDArray) -> NDArray:
    """Sum over coordinates of the largest value of ``g e + c e^2 / 2`` on [-1, 1]."""
    g = np.abs(slope)
    inside = g < -bend
    peak = np.where(inside, g * g / np.where(inside, -2.0 * bend, 1.0), g + 0.5 * bend)
    return peak.sum(axis=0)
