"""Shrink singular values: the proximal map of the nuclear norm.

``prox(V) = argmin_Z t |Z|_* + |Z - V|_F^2 / 2`` lowers every singular value by t and drops those below. An iteration
that converges asks for it over and over with matrices that hardly change, and of low rank once shrunk: then the
singular vectors of the last call, a few more than were kept, are corrected by subspace iteration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

SMALL_SIDE = 32
"""Smaller side up to which a plain singular value decomposition is as fast as anything else."""

SPARE = 10
"""Singular vectors kept beyond the rank, so that one that grows is seen before it counts."""

LOW_RANK = 2
"""A start with no more vectors than the smaller side over this is corrected; others take as long as starting anew."""

SINGLE = float(np.finfo(np.float32).eps)
"""Rounding in single precision."""

ROUNDS = 4
"""Corrections of the last singular vectors before a full decomposition is the cheaper way."""


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A matrix with lowered singular values.

    Attributes
    ----------
    matrix : ndarray (a, b)
        The result.
    values : ndarray (r,)
        Its positive singular values, descending.
    basis : ndarray (b, r + spare)
        Right singular vectors, with which the next call may start.
    method : {"svd", "gram", "partial"}
        How they were found.
    """

    matrix: NDArray
    values: NDArray
    basis: NDArray
    method: str

    @property
    def rank(self) -> int:
        """Number r of singular values that are left."""
        return len(self.values)


def shrink(v: NDArray, t: float, *, start: NDArray | None = None, error: float = 0.0) -> Shrunk:
    """Lower the singular values of ``v (a, b)`` by t, to no less than zero.

    Parameters
    ----------
    v : ndarray (a, b)
        The matrix.
    t : float
        By how much, at least 0.
    start : ndarray (b, k), optional
        Right singular vectors of a matrix nearby, as in the ``basis`` of the call before.
    error : float
        How large ``|V x - s y|_F`` may be for the singular triples that are kept. Where it is zero, or k is not small,
        all singular values are computed.

    Returns
    -------
    Shrunk
        The matrix, its singular values and vectors.

    References
    ----------
    Cai, Candes, Shen, A singular value thresholding algorithm for matrix completion, SIAM J. Optim. 20(4), 2010,
    theorem 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> shrink(np.diag([3.0, 1.0, 0.5]), 0.75).values.tolist()
    [2.25, 0.25]
    """
    side = min(v.shape)
    if start is not None and error > 0.0 and side > SMALL_SIDE and LOW_RANK * start.shape[1] <= side:
        found = _partial(v, t, start, error)
        if found is not None:
            return found
    if side > SMALL_SIDE:
        found = _on_the_smaller_side(v, t, error)
        if found is not None:
            return found
    left, s, right = np.linalg.svd(v, full_matrices=False)
    return _lowered(left, s, right.T, t, "svd")


def _lowered(left: NDArray, s: NDArray, right: NDArray, t: float, method: str) -> Shrunk:
    """The result from singular triples in descending order, of which all above t are there."""
    r = int(np.sum(s > t))
    values = s[:r] - t
    return Shrunk((left[:, :r] * values) @ right[:, :r].T, values, right[:, : r + SPARE], method)


def _on_the_smaller_side(v: NDArray, t: float, error: float) -> Shrunk | None:
    """From the eigenvectors of the smaller of V V^T and V^T V; None where t is within the rounding of the squares.

    Squares have errors of eps s_max^2, so singular values above t have errors of eps s_max^2 / (2 t). Those far below
    t lose their digits, and are dropped anyway. Eigenvectors in single precision take half the time, and serve where
    that error, for all vectors together, is allowed; lengths are taken in double precision all the same.
    """
    wide = v.shape[0] <= v.shape[1]
    a = v if wide else v.T
    gram = a @ a.T
    side = len(gram)
    vectors = None
    if SINGLE * np.sqrt(side) * gram.diagonal().max() < t * error:
        squares, vectors, failed = lapack.ssyevd(gram.astype(np.float32))
        if failed or SINGLE * np.sqrt(side) * squares[-1] > t * error:
            vectors = None
    if vectors is None:
        squares, vectors, failed = lapack.dsyevd(gram)
        if failed or t <= np.sqrt(np.finfo(np.float64).eps * side) * np.sqrt(max(squares[-1], 0.0)):
            return None
    kept = min(int(np.count_nonzero(squares > t * t)) + SPARE, side)
    vectors = vectors[:, ::-1][:, :kept].astype(np.float64)
    others = vectors.T @ a
    s = np.sqrt(np.einsum("ij,ij->i", others, others))
    r = int(np.count_nonzero(s > t))
    lowered = np.maximum(s[:r] - t, 0.0)  # descending up to rounding: next to t one may be out of order
    matrix = (vectors[:, :r] * (lowered / s[:r])) @ others[:r]
    basis = (others / np.where(s > 0, s, 1.0)[:, None]).T if wide else vectors
    return Shrunk(matrix if wide else matrix.T, lowered, basis, "gram")


def _partial(v: NDArray, t: float, start: NDArray, error: float) -> Shrunk | None:
    """Subspace iteration from the last vectors; None where they are too few or do not settle.

    A triple (s, y, x) is as good as ``|V x - s y|`` is small.
    """
    images = v @ start
    for _ in range(ROUNDS):
        left, _ = np.linalg.qr(images)
        back = v.T @ left
        squares, turn = np.linalg.eigh(back.T @ back)
        s = np.sqrt(np.maximum(squares[::-1], 0.0))
        if s[-1] > t or s[-1] <= np.sqrt(np.finfo(np.float64).eps * len(s)) * s[0]:
            return None  # all of them count, so others may; or the last one is rounding
        left, right = left @ turn[:, ::-1], back @ turn[:, ::-1] / s
        images = v @ right
        kept = s > t
        if np.linalg.norm(images[:, kept] - left[:, kept] * s[kept]) <= error:
            return _lowered(left, s, right, t, "partial")
    return None
