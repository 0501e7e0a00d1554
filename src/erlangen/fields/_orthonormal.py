"""Columns made orthonormal over the samples, class by class, so that one pass serves a whole path of classes.

With Q^T Q = n I for the columns Q = Z T of features Z, the fit in each class is Q^T y / n, the fit in a smaller
class is its leading part, residuals and leverages follow by accumulation, and every coefficient has
variance sigma^2 / n. No Gram matrix is formed: panels are projected and factored by QR.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr

from erlangen._typing import NDArray

PANEL = 64
"""Columns per panel: wide enough for matrix products to dominate, narrow enough for its QR to be small."""

RESOLVED = float(np.sqrt(np.finfo(np.float64).eps))
"""A direction whose part outside the earlier ones is below this is left out: half of the digits are then lost."""

REPEAT = 1e-3
"""A panel that keeps less than this is projected again: one projection leaves rounding divided by it."""


class OrthonormalColumns:
    """Columns Q ``(n, r)`` with Q^T Q = n I that span all features appended so far.

    Parameters
    ----------
    n : int
        Number of samples.
    capacity : int
        Largest number of features that will be appended.

    Examples
    --------
    >>> columns = OrthonormalColumns(4, capacity=3)
    >>> columns.append(np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]]))
    >>> columns.append(np.array([[1.0], [3.0], [5.0], [7.0]]))
    >>> columns.rank, columns.n_features
    (2, 3)
    """

    def __init__(self, n: int, capacity: int):
        self._q = np.empty((n, capacity), order="F")
        self._transform = np.zeros((capacity, capacity))
        self.rank = 0
        self.n_features = 0

    @property
    def q(self) -> NDArray:
        """The columns ``(n, r)``."""
        return self._q[:, : self.rank]

    @property
    def transform(self) -> NDArray:
        """Coefficients T ``(q, r)`` of the columns over the features."""
        return self._transform[: self.n_features, : self.rank]

    def append(self, block: NDArray, least: float = RESOLVED) -> None:
        """Append the features ``block (n, b)``; parts below ``least`` outside the earlier ones are left out."""
        for start in range(0, block.shape[1], PANEL):
            self._append(block[:, start : start + PANEL], least)

    def _append(self, panel: NDArray, least: float) -> None:
        n, b = panel.shape
        norms = np.linalg.norm(panel, axis=0) / np.sqrt(n)
        norms[norms == 0] = 1.0
        rest = np.asfortranarray(panel / norms)
        old, rank = self.q, self.rank
        projection = old.T @ rest / n
        rest -= old @ projection
        if rank and np.linalg.norm(rest, axis=0).min() < REPEAT * np.sqrt(n):
            step = old.T @ rest / n
            projection += step
            rest -= old @ step
        small, r = qr(rest, mode="economic", overwrite_a=True, check_finite=False)
        u, s, vt = np.linalg.svd(r / np.sqrt(n))
        keep = min(int(np.sum(s > least)), n - rank)
        new = slice(rank, rank + keep)
        self._q[:, new] = small @ (u[:, :keep] * np.sqrt(n))
        mix = vt[:keep].T / s[:keep]
        seen = self.n_features
        self._transform[seen : seen + b, new] = mix / norms[:, None]
        self._transform[:seen, new] = -self.transform @ (projection @ mix)
        self.rank, self.n_features = rank + keep, seen + b
