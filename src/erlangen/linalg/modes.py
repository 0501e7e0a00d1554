"""Common eigenvectors of commuting normal matrices, in real coordinates.

A derivative on a periodic grid is normal, and derivatives along several axes commute. In the basis of their common
eigenvectors ``W D - D' W`` is a product entry by entry, and nothing has to be factorised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse

from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding


@dataclass(frozen=True, eq=False)
class Modes:
    """Common modes of p matrices on R^N.

    Attributes
    ----------
    basis : ndarray (N, N)
        Real and orthogonal; in it the matrices have blocks of size one and two.
    blocks : tuple of scipy.sparse.csr_array (N, N)
        The matrices in that basis.
    turn : scipy.sparse.csr_array (N, N)
        Unitary, from coordinates in the basis to complex modes; acts on each block alone.
    rates : ndarray (p, N)
        Eigenvalues of the matrices, mode by mode.
    """

    basis: NDArray
    blocks: tuple[sparse.csr_array, ...]
    turn: sparse.csr_array
    rates: NDArray

    def combined(self, basis: NDArray) -> Modes:
        """The same modes of the combinations of the matrices in the columns of ``basis (p, r)``."""
        blocks = tuple(
            sparse.csr_array(
                sum((c * block for c, block in zip(column, self.blocks, strict=True)), start=0 * self.blocks[0])
            )
            for column in basis.T
        )
        return Modes(self.basis, blocks, self.turn, basis.T @ self.rates)


def common_modes(matrices: NDArray) -> Modes | None:
    """Common modes of ``matrices (p, N, N)``; None where they are not normal, or do not commute.

    Examples
    --------
    >>> turn = np.array([[[0.0, -2.0], [2.0, 0.0]]])
    >>> found = common_modes(turn)
    >>> sorted(found.rates[0].imag.round(12).tolist())
    [-2.0, 2.0]
    """
    p, n, _ = matrices.shape
    sizes = np.linalg.norm(matrices, axis=(1, 2))
    sizes = np.where(sizes > 0, sizes, 1.0)
    # A draw separates all common eigenspaces; which one does not matter, for the result is verified.
    weights = np.random.default_rng(0).normal(size=p) / sizes
    mixed, basis = linalg.schur(np.tensordot(weights, matrices, 1), output="real")
    tolerance = rounding((n, n)) * n
    first = np.flatnonzero(np.abs(np.diagonal(mixed, -1)) > tolerance)
    if np.any(np.diff(first) < 2):
        return None
    turn = _turn(first, n)
    within = sparse.csr_array((abs(turn.conj().T) @ abs(turn)) > 0)
    blocks, rates = [], []
    for matrix, size in zip(matrices, sizes, strict=True):
        inside = basis.T @ matrix @ basis
        kept = sparse.csr_array(within * inside)
        rotated = turn @ kept @ turn.conj().T
        values = rotated.diagonal()
        left = np.linalg.norm(inside - kept.toarray()) + linalg.norm((rotated - sparse.diags_array(values)).toarray())
        if left > tolerance * size:
            return None
        blocks.append(kept)
        rates.append(values)
    return Modes(basis, tuple(blocks), turn, np.array(rates))


def _turn(first: NDArray, n: int) -> sparse.csr_array:
    """Pairs (a, b) become (a - i b, a + i b) / sqrt(2), which are eigenvectors of all blocks [[x, y], [-y, x]]."""
    turn = sparse.lil_array((n, n), dtype=np.complex128)
    turn.setdiag(1.0)
    for i in first:
        turn[i, i], turn[i, i + 1] = np.sqrt(0.5), -1j * np.sqrt(0.5)
        turn[i + 1, i], turn[i + 1, i + 1] = np.sqrt(0.5), 1j * np.sqrt(0.5)
    return sparse.csr_array(turn)
