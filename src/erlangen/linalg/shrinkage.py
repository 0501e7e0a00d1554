"""Shrink singular values: the proximal map of the nuclear norm.

``prox(V) = argmin_Z t |Z|_* + |Z - V|_F^2 / 2`` lowers every singular value by t and drops those below. An iteration
that converges asks for it over and over with matrices that hardly change. Once few singular values are left, the
singular vectors of the last call, a few more than were kept, are corrected by subspace iteration; as long as many are
left, the result is expanded to first order about the last eigenvectors of the smaller Gram matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from erlangen._typing import NDArray
from erlangen.linalg.svd import svd

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


SECOND_ORDER = 3.0
"""How much larger the terms that an expansion leaves out are than the square of those it has, as measured."""

TURN = 0.02
"""Largest angle between an eigenvector and the next one of a matrix nearby: beyond, both are left as they are."""


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A matrix with lowered singular values; the next call for a matrix nearby may start from it.

    Attributes
    ----------
    matrix : ndarray (a, b)
        The result.
    values : ndarray (r,)
        Its positive singular values, descending up to the accuracy that was asked for.
    basis : ndarray (b, r + spare) or None
        Right singular vectors; None where they are too many to be of use.
    frame : ndarray (s, s) or None
        Eigenvectors of the smaller of V V^T and V^T V, up to the accuracy that was asked for; None where not all are
        known.
    method : {"svd", "gram", "partial", "expanded"}
        How it was found. The last one has no singular values that are exactly zero.
    """

    matrix: NDArray
    values: NDArray
    basis: NDArray | None
    frame: NDArray | None
    method: str

    @property
    def rank(self) -> int:
        """Number r of singular values that are left."""
        return len(self.values)


def shrink(v: NDArray, t: float, *, start: Shrunk | None = None, error: float = 0.0) -> Shrunk:
    """Lower the singular values of ``v (a, b)`` by t, to no less than zero.

    Parameters
    ----------
    v : ndarray (a, b)
        The matrix.
    t : float
        By how much, at least 0.
    start : Shrunk, optional
        Of a matrix nearby.
    error : float
        How far the result may be off, in the Frobenius norm. Where it is zero, the result is exact up to rounding.

    Returns
    -------
    Shrunk
        The matrix, its singular values and vectors.

    References
    ----------
    Cai, Candes, Shen, A singular value thresholding algorithm for matrix completion, SIAM J. Optim. 20(4), 2010,
    theorem 2.1. Daleckii and Krein's formula: Higham, Functions of Matrices, 2008, theorem 3.11.

    Examples
    --------
    >>> import numpy as np
    >>> shrink(np.diag([3.0, 1.0, 0.5]), 0.75).values.tolist()
    [2.25, 0.25]
    """
    side = min(v.shape)
    found = None
    if side > SMALL_SIDE:
        if start is not None and error > 0.0:
            if start.basis is not None:
                found = _partial(v, t, start.basis, error)
            elif start.frame is not None:
                found = _expanded(v, t, start.frame, error)
        if found is None:
            found = _on_the_smaller_side(v, t, error)
    if found is None:
        left, s, right = svd(v)
        found = _lowered(left, s, right.T, t, "svd")
    return found


def _lowered(left: NDArray, s: NDArray, right: NDArray, t: float, method: str) -> Shrunk:
    """The result from singular triples in descending order, of which all above t are there."""
    r = int(np.count_nonzero(s > t))
    values = s[:r] - t
    basis = right[:, : r + SPARE] if LOW_RANK * (r + SPARE) <= min(len(left), len(right)) else None
    return Shrunk((left[:, :r] * values) @ right[:, :r].T, values, basis, None, method)


def _on_the_smaller_side(v: NDArray, t: float, error: float) -> Shrunk | None:
    """From the eigenvectors of the smaller of V V^T and V^T V; None where t is within the rounding of the squares.

    Squares have errors of eps s_max^2, so singular values above t have errors of eps s_max^2 / (2 t). Those far below
    t lose their digits, and are dropped anyway. Eigenvectors in single precision take half the time, and serve where
    that error, for all vectors together, is allowed; lengths are taken in double precision all the same.
    """
    wide = v.shape[0] <= v.shape[1]
    a = v if wide else v.T
    gram = a @ a.T
    side, vectors = len(gram), None
    if SINGLE * np.sqrt(side) * gram.diagonal().max() < t * error:
        squares, vectors, failed = lapack.ssyevd(gram.astype(np.float32))
        if failed or SINGLE * np.sqrt(side) * squares[-1] > t * error:
            vectors = None
    if vectors is None:
        squares, vectors, failed = lapack.dsyevd(gram)
        if failed or t <= np.sqrt(np.finfo(np.float64).eps * side) * np.sqrt(max(squares[-1], 0.0)):
            return None
    frame = vectors[:, ::-1].astype(np.float64)
    r = int(np.count_nonzero(squares > t * t))
    others = frame[:, :r].T @ a
    s = np.sqrt(np.einsum("ij,ij->i", others, others))
    values = np.maximum(s - t, 0.0)
    matrix = (frame[:, :r] * (values / s)) @ others
    basis = None
    if LOW_RANK * (r + SPARE) <= side:
        basis = frame[:, : r + SPARE]
        if wide:
            basis = a.T @ basis
            basis = basis / np.maximum(np.linalg.norm(basis, axis=0), np.finfo(np.float64).tiny)
    return Shrunk(matrix if wide else matrix.T, values, basis, frame, "gram")


def _expanded(v: NDArray, t: float, frame: NDArray, error: float) -> Shrunk | None:
    """To first order about an orthonormal X that nearly diagonalises ``S = V V^T``; None where that is too coarse.

    The result is h(S) V with ``h(d) = max(1 - t / sqrt(d), 0)``. With ``X^T S X = D + E``, E small and without
    diagonal, ``h(D + E)`` is ``h(D)`` and the divided differences of h times E, entry by entry. What is left out goes
    with the square of that. X follows S by the rotation that takes E away to first order.
    """
    wide = v.shape[0] <= v.shape[1]
    a = v if wide else v.T
    image = frame.T @ a
    off = image @ image.T
    diagonal = slice(None, None, len(off) + 1)
    d = off.ravel()[diagonal].copy()
    s = np.sqrt(np.maximum(d, np.finfo(np.float64).tiny))
    h = np.maximum(1.0 - t / s, 0.0)
    apart = d[:, None] - d
    apart.ravel()[diagonal] = 1.0
    apart[apart == 0.0] = np.inf
    off.ravel()[diagonal] = 0.0
    off /= apart
    first = (h[:, None] - h) * off
    if SECOND_ORDER * float(np.vdot(first, first)) * s.max() > error:
        return None
    first.ravel()[diagonal] = h
    matrix = frame @ (first @ image)
    off[np.abs(off) > TURN] = 0.0
    if float(np.vdot(off, off)) ** 2 <= TURN**2:  # a rotation up to the fourth power of the angles
        frame = frame + frame @ (0.5 * (off @ off) - off)
    values = np.sort(s[s > t])[::-1] - t
    return Shrunk(matrix if wide else matrix.T, values, None, frame, "expanded")


def _partial(v: NDArray, t: float, start: NDArray, error: float) -> Shrunk | None:
    """Subspace iteration from the last vectors; None where they are too few or do not settle.

    A triple (s, y, x) is as good as ``|V x - s y|`` is small; all together may be off by the error.
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
