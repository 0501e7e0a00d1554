"""Least squares over a subspace of coefficients, by triangular factors of rows that arrive in blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.linalg.qr import StreamedQR, rounding

BLOCK_FLOATS = 2**18
"""Floats in one block of rows (2 MB): they stay in the cache while they are factored."""


@dataclass(frozen=True, eq=False)
class Solution:
    """A least-squares solution.

    Attributes
    ----------
    coordinates : ndarray (k, t)
        Coordinates in the basis of the subspace, one column per right-hand side.
    rank : int
        How many of them the data determine; the others are set by the smallest norm.
    """

    coordinates: NDArray
    rank: int


def solve(
    evaluate: Callable[[NDArray], NDArray],
    basis: NDArray,
    free: NDArray,
    x: NDArray,
    y: NDArray,
    weights: NDArray | None,
    alpha: float,
) -> Solution:
    """Minimise sum_n w_n |y_n - theta phi(x_n)|^2 + alpha |theta|^2 over theta in a subspace.

    The rows of the design and of the targets are factored together, [A, Y] = Q R, so that R holds all that is
    needed, Q^T Y included; neither Q nor A^T A is formed.

    Parameters
    ----------
    evaluate : callable
        Maps points ``(n, d)`` to the values ``(n, q)`` of the q functions phi.
    basis : ndarray (a * q, k)
        Orthonormal columns that span the coefficients theta ``(a, q)``, flattened row by row.
    free : ndarray (q,) of bool
        Functions that the penalty leaves alone.
    x, y : ndarray (n, d), (n, c)
        Points and values; with a = 1 each of the c columns is fitted on its own, else a = c.
    weights : ndarray (n,) or None
        Weights w, not negative; all one where None.
    alpha : float
        Weight of the penalty, not negative.
    """
    q, k = len(free), basis.shape[1]
    channels = basis.reshape(-1, q, k)
    targets = y[:, None, :] if len(channels) == 1 else y[:, :, None]
    stream = StreamedQR(k + targets.shape[2])
    size = max(k // len(channels), BLOCK_FLOATS // (len(channels) * (q + k)), 1)
    for start in track(range(0, len(x), size), "rows"):
        rows = slice(start, start + size)
        block = _rows(evaluate(x[rows]), channels, targets[rows])
        stream.update(block if weights is None else block * np.sqrt(np.tile(weights[rows], len(channels)))[:, None])
    if alpha > 0:
        penalty = np.sqrt(alpha) * channels[:, ~free].reshape(-1, k)
        stream.update(np.hstack([penalty, np.zeros((len(penalty), targets.shape[2]))]))
    r = stream.factor()
    return _smallest(r[:k, :k], r[:k, k:], len(channels) * len(x))


def _rows(phi: NDArray, channels: NDArray, targets: NDArray) -> NDArray:
    """Rows ``(a * n, k + t)`` of the design and the targets, one channel after the other."""
    parts = [np.hstack([phi @ one, targets[:, a]]) for a, one in enumerate(channels)]
    return np.vstack(parts)


def _smallest(r: NDArray, right: NDArray, n_rows: int) -> Solution:
    """Solve R z = b; columns of unit length make the rank independent of the units of the functions."""
    if r.shape[1] == 0:
        return Solution(np.zeros((0, right.shape[1])), 0)
    scale = np.linalg.norm(r, axis=0)
    scale[scale == 0] = 1.0
    u, s, vt = np.linalg.svd(r / scale)
    rank = int(np.sum(s > s[0] * rounding((n_rows, len(s))))) if s[0] > 0 else 0
    z = vt[:rank].T @ ((u[:, :rank].T @ right) / s[:rank, None])
    return Solution(z / scale[:, None], rank)
