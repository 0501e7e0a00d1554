"""Least squares of values that are linear in parameters: solution, spread, residuals and influence of each row.

Orthogonal factors only: the Gram matrix would square the condition number, and what is nearly unidentified is
just what a certificate must not lose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding, triangular_factor
from erlangen.linalg.svd import svd


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """Minimise |F theta - y| over theta, with values y ``(n, c)``.

    Parameters
    ----------
    features : ndarray (n, r) or (n, c, q)
        Scalar features that all channels share (theta is then ``(c r,)``, channel by channel), or one row of
        features for each channel.
    values : ndarray (n, c)
        What is fitted.

    Attributes
    ----------
    theta : ndarray (q,)
        The solution of least norm.
    """

    features: NDArray
    values: NDArray

    @property
    def shared(self) -> bool:
        """Whether all channels have the same scalar features."""
        return self.features.ndim == 2

    @property
    def rank(self) -> int:
        """Number of parameters that the rows determine (shared features: for each channel)."""
        return self._solved[1].shape[1]

    @property
    def n_seen(self) -> int:
        """Number of parameters of all channels together that the rows determine."""
        return self.rank * self.values.shape[1] if self.shared else self.rank

    @property
    def theta(self) -> NDArray:
        """The solution ``(q,)`` of least norm."""
        return self._solved[0].T.ravel()

    @property
    def half(self) -> NDArray:
        """T with T T^T = (F^T F)^+: ``(r, rank)`` for shared features, else ``(q, rank)``."""
        return self._solved[1]

    @property
    def unseen(self) -> NDArray:
        """Orthonormal directions of the parameters that no row sees, in the rows of ``half``."""
        return self._solved[2]

    @property
    def squares(self) -> NDArray:
        """Residual sums of squares and products ``(c, c)``; for features by channel the one number ``(1, 1)``."""
        return self._solved[3]

    @cached_property
    def _solved(self) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        rows = self.features if self.shared else self.features.reshape(-1, self.features.shape[2])
        values = self.values if self.shared else self.values.reshape(-1, 1)
        r, c = rows.shape[1], values.shape[1]
        factor = triangular_factor([np.hstack([rows, values])], r + c)
        head, targets = factor[:r, :r], factor[:r, r:]
        norms = np.linalg.norm(head, axis=0)
        norms[norms == 0.0] = 1.0
        u, s, vt = svd(head / norms)  # columns of one length: what is identified does not depend on units
        rank = int(np.sum(s > rounding((len(rows), r)) * s.max(initial=0.0)))
        half = (vt[:rank].T / s[:rank]) / norms[:, None]
        rotated = u.T @ targets
        solution = half @ rotated[:rank]
        unseen = np.linalg.qr(vt[rank:].T / norms[:, None])[0]
        if rank < r:
            solution -= unseen @ (unseen.T @ solution)
            half -= unseen @ (unseen.T @ half)
        left = np.vstack([rotated[rank:], factor[r:, r:]])
        return solution, half, unseen, left.T @ left

    @cached_property
    def residuals(self) -> NDArray:
        """Values minus fit, ``(n, c)``."""
        return self.values - self.predict(self._solved[0])

    def predict(self, solution: NDArray) -> NDArray:
        """Values ``(n, c)`` of a solution, shaped as the factors are."""
        return self.features @ solution if self.shared else (self.features @ solution)[:, :, 0]

    @cached_property
    def influence(self) -> NDArray:
        """What each row adds to the error of theta, ``(n, q)``, as if the fit had left the row out.

        With r the residuals and H_i the block of the hat matrix that belongs to row i, this is
        (F^T F)^+ F_i^T (1 - H_i)^{-1} r_i: the jackknife, whose sum of squares is the covariance known as HC3.
        """
        reach = self.features @ self.half
        if self.shared:
            left_out = self.residuals / _room(1.0 - np.einsum("nk,nk->n", reach, reach))[:, None]
            return (left_out[:, :, None] * (reach @ self.half.T)[:, None, :]).reshape(len(reach), -1)
        room = np.eye(reach.shape[1]) - np.einsum("nak,nbk->nab", reach, reach)
        values, vectors = np.linalg.eigh(room)
        turned = np.einsum("nba,nb->na", vectors, self.residuals) / _room(values)
        return np.einsum("nab,nb,nak->nk", vectors, turned, reach) @ self.half.T

    def full(self, half: NDArray) -> NDArray:
        """Spread a factor ``(r, k)`` of one channel over all of them, ``(q, c k)``."""
        return np.kron(np.eye(self.values.shape[1]), half) if self.shared else half


def _room(left: NDArray) -> NDArray:
    """What the hat matrix leaves of a row; a row that is fitted whatever its value must not divide by zero."""
    return np.maximum(left, np.sqrt(np.finfo(np.float64).eps))


def compress(rows: NDArray) -> NDArray:
    """A root ``(q, k)`` with the covariance ``rows.T @ rows`` of rows ``(n, q)``, k at most q."""
    return triangular_factor([rows], rows.shape[1]).T if len(rows) > rows.shape[1] else rows.T
