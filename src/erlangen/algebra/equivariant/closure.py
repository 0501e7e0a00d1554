"""The Lie algebra that generators generate, by its images on several factors at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from erlangen.algebra.equivariant._sides import Factor


def lie_closure(factors: tuple[Factor, ...], largest: int = 1000) -> tuple[NDArray, ...] | None:
    """Orthonormal basis of the span of all brackets, as images ``(p, s, s)`` on every factor.

    Parameters
    ----------
    factors : tuple of Factor
        Different factors; their Lie images generate the algebra.
    largest : int
        Dimension above which the answer is None.
    """
    sizes = [f.size**2 for f in factors]
    found = _independent(stacked([f.lie for f in factors]))
    while True:
        parts = _unstack(found, sizes)
        brackets = [np.einsum("iab,jbc->ijac", b, b) for b in parts]
        upper = np.triu_indices(len(found), 1)
        fresh = np.concatenate(
            [(b - b.transpose(1, 0, 2, 3))[upper].reshape(-1, n) for b, n in zip(brackets, sizes)], 1
        )
        fresh = fresh - (fresh @ found.T) @ found
        larger = np.linalg.norm(fresh, axis=1) > product_rounding(found.shape[1]) * max(1.0, len(found))
        if not larger.any():
            return tuple(parts)
        found = _independent(np.vstack([found, fresh[larger]]))
        if len(found) > largest:
            return None


def _independent(rows: NDArray) -> NDArray:
    norms = np.linalg.norm(rows, axis=1)
    rows = rows[norms > 0] / norms[norms > 0, None]
    if not len(rows):
        return rows
    _, s, vt = scipy.linalg.svd(rows, full_matrices=False)
    return vt[s > product_rounding(max(rows.shape)) * s[0]]


def stacked(images: Iterable[NDArray]) -> NDArray:
    """Images ``(p, s, s)`` on several factors as rows ``(p, sum s^2)``."""
    return np.concatenate([b.reshape(len(b), b.shape[1] ** 2) for b in images], axis=1)


def _unstack(rows: NDArray, sizes: list[int]) -> list[NDArray]:
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    return [part.reshape(len(rows), int(n**0.5 + 0.5), -1) for part, n in zip(parts, sizes)]


def product_rounding(n: int) -> float:
    """Relative error of a few products of n terms."""
    return 1000 * float(np.finfo(np.float64).eps) * max(n, 1)
