"""Triangular factors of tall matrices that arrive in blocks.

The factor R of A = Q R carries every singular value of A to working precision. The Gram
matrix A^T A would square the condition number and lose half the digits of the small ones, so
it is never formed.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

import numpy as np
from scipy.linalg import lapack, solve_triangular

from erlangen._typing import NDArray


class StreamedQR:
    """Keep the triangular factor R of all row blocks seen so far.

    Parameters
    ----------
    p : int
        Number of columns.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.random.default_rng(0).normal(size=(50, 3))
    >>> stream = StreamedQR(3)
    >>> for block in np.split(a, 5):
    ...     stream.update(block)
    >>> bool(np.allclose(stream.factor().T @ stream.factor(), a.T @ a))
    True
    """

    n_rows: int

    def __init__(self, p: int):
        self._p = p
        self._r: NDArray | None = None
        self.n_rows = 0

    def update(self, block: NDArray) -> None:
        """Fold the rows of ``block (m, p)`` into the factor; the block is not changed."""
        block = np.asarray(block, dtype=np.float64)
        if block.shape[0] == 0 or self._p == 0:
            return
        self.n_rows += block.shape[0]
        if self._r is None:
            self._r = np.zeros((self._p, self._p), order="F")
            if block.shape[0] >= self._p:
                self._r[:] = _upper(block, self._p)
                return
        # tpqrt factors [R; block] and knows that R is triangular: 2 m p^2 flops instead of 2 (m + p) p^2.
        work = np.array(block, order="F")
        panel = max(1, min(32, self._p))
        r, _, _, info = lapack.dtpqrt(0, panel, self._r, work, overwrite_a=1, overwrite_b=1)
        if info != 0:
            raise RuntimeError(f"LAPACK dtpqrt failed with info = {info}")
        self._r = np.asfortranarray(r)

    def merge(self, other: StreamedQR) -> None:
        """Fold in the factor of another stream over the same columns."""
        rows = other.n_rows
        self.update(other.factor())
        self.n_rows += rows - other.factor().shape[0]

    def copy(self) -> StreamedQR:
        """A stream of its own that has seen the same rows."""
        out = StreamedQR(self._p)
        out._r, out.n_rows = None if self._r is None else self._r.copy(order="F"), self.n_rows
        return out

    def factor(self) -> NDArray:
        """Upper triangular R ``(p, p)`` with R^T R = A^T A."""
        if self._r is None:
            return np.zeros((self._p, self._p))
        return np.triu(self._r)


def _upper(block: NDArray, p: int) -> NDArray:
    factored, _, _, info = lapack.dgeqrf(np.array(block, order="F"), overwrite_a=1)
    if info != 0:
        raise RuntimeError(f"LAPACK dgeqrf failed with info = {info}")
    return np.triu(factored[:p])


def triangular_factor(blocks: Iterable[NDArray], p: int) -> NDArray:
    """Upper triangular R ``(p, p)`` of a matrix given as row blocks."""
    stream = StreamedQR(p)
    for block in blocks:
        stream.update(block)
    return stream.factor()


def rounding(shape: tuple[int, ...]) -> float:
    """Relative size of rounding in a singular value of a float64 matrix of this shape."""
    return float(np.finfo(np.float64).eps) * sqrt(max(1, max(shape))) * 8.0


def solve_right(a: NDArray, r: NDArray) -> NDArray:
    """Return ``a @ inv(r)`` for an upper triangular r."""
    return solve_triangular(r, a.T, trans="T", lower=False).T
