"""Null spaces: dense, streamed, iterative and exact; and the generalised problem S v = s^2 B v."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, eigsh

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding, triangular_factor
from erlangen.linalg.rank import margin
from erlangen.linalg.subspace import DenseSubspace, RationalSubspace


def null_space(a: NDArray, tolerance: float | None = None) -> DenseSubspace:
    """Null space of a dense matrix ``(m, p)`` by SVD; tolerance is relative to the largest singular value."""
    p = a.shape[1]
    if a.shape[0] > 2 * p:
        a = triangular_factor([a], p)
    _, s, vt = linalg.svd(a, full_matrices=True)
    s = np.concatenate([s, np.zeros(p - len(s))])
    cut = (rounding(a.shape) if tolerance is None else tolerance) * (s[0] if p else 0.0)
    dim = int(np.sum(s <= cut))
    ascending = s[::-1]
    reason = f"{dim} singular values at most {cut:.2g}"
    return DenseSubspace(vt[p - dim :].T, ascending, margin(ascending, dim, cut), reason)


def streamed_null_space(blocks: Iterable[NDArray], p: int, tolerance: float | None = None) -> DenseSubspace:
    """Null space of a tall matrix that arrives in row blocks; only a ``(p, p)`` factor is kept."""
    return null_space(triangular_factor(blocks, p), tolerance)


def iterative_null_space(
    a: sparse.spmatrix | sparse.sparray | LinearOperator,
    tolerance: float,
    *,
    batch: int = 6,
    rng: int | np.random.Generator = 0,
) -> DenseSubspace:
    """Null space of a large sparse matrix by Lanczos with deflation, two products per step.

    A Krylov space holds one vector of a multiple eigenvalue, so null vectors are collected batch by
    batch, each batch with those found before deflated, until one brings nothing new. A^T A is never
    formed; candidates are judged by the residual ``|A v|``.

    Parameters
    ----------
    a : sparse matrix or LinearOperator (m, p)
    tolerance : float
        Singular values up to this, relative to the largest, count as zero.
    batch : int
        Vectors sought at a time.
    rng : int or Generator
        Seed of the starting vectors.

    Raises
    ------
    UndecidedError
        When the null space is larger than half of the space: use the dense solver.
    """
    p = a.shape[1]
    rng = np.random.default_rng(rng)
    scale = _operator_norm(a, rng)
    found, next_value = np.zeros((p, 0)), np.inf
    while 2 * (found.shape[1] + batch) <= p:
        vectors, values = _smallest(a, scale, found, min(batch, p - found.shape[1] - 2), rng)
        new = values <= tolerance
        found = np.linalg.qr(np.hstack([found, vectors[:, new]]))[0]
        if not new.any():
            next_value = float(values.min())
            reason = f"{found.shape[1]} directions with |A v| at most {tolerance:.2g} of the norm"
            residuals = np.linalg.norm(np.asarray(a @ found), axis=0) / scale if found.shape[1] else np.zeros(0)
            ascending = np.append(np.sort(residuals), next_value)
            return DenseSubspace(found, ascending, margin(ascending, found.shape[1], tolerance), reason)
    raise UndecidedError(
        explain(
            "The null space is too large for the iterative solver.",
            given=f"a matrix with {p} columns and at least {found.shape[1]} null directions",
            expected="a null space well below half of the columns",
            fix="null_space(a.toarray())",
        )
    )


def _smallest(a, scale: float, found: NDArray, k: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Ritz vectors ``(p, k)`` of the smallest singular values off the space found, and ``|A v|`` / norm."""

    def matvec(v: NDArray) -> NDArray:
        v = v - found @ (found.T @ v)
        v = scale**2 * v - _transpose(a) @ (a @ v)
        return v - found @ (found.T @ v)

    p = a.shape[1]
    start = rng.normal(size=p)
    operator = LinearOperator((p, p), matvec=matvec, dtype=np.float64)
    _, vectors = eigsh(operator, k=k, which="LA", v0=start - found @ (found.T @ start), tol=0)
    q, _ = np.linalg.qr(vectors - found @ (found.T @ vectors))
    _, s, vt = np.linalg.svd(np.asarray(a @ q), full_matrices=False)
    return q @ vt.T, s / scale


def _transpose(a):
    return a.T if sparse.issparse(a) else a.H


def _operator_norm(a, rng: np.random.Generator) -> float:
    v = rng.normal(size=a.shape[1])
    size = 0.0
    for _ in range(30):
        length = np.linalg.norm(v)
        if length == 0:
            break
        v = _transpose(a) @ (a @ (v / length))
        size = float(np.sqrt(np.linalg.norm(v)))
    return 1.05 * size if size > 0 else 1.0


def rational_null_space(rows: Sequence[Sequence[Fraction | int]], n: int) -> RationalSubspace:
    """Exact null space of a rational matrix with n columns by fraction-free elimination (SymPy DomainMatrix)."""
    from sympy import QQ
    from sympy.polys.matrices import DomainMatrix

    exact = [[QQ(Fraction(v).numerator, Fraction(v).denominator) for v in row] for row in rows]
    if not exact:
        identity = tuple(tuple(Fraction(int(i == j)) for j in range(n)) for i in range(n))
        return RationalSubspace(identity, n)
    basis = DomainMatrix(exact, (len(exact), n), QQ).to_sparse().nullspace().to_dense().to_list()
    kept = tuple(tuple(Fraction(int(v.numerator), int(v.denominator)) for v in row) for row in basis)
    return RationalSubspace(kept, n)


@dataclass(frozen=True, eq=False)
class Whitening:
    """Coordinates in which a semidefinite form B = R^T R is the identity.

    Attributes
    ----------
    apply : ndarray (p, r)
        Columns that are orthonormal in B.
    null : ndarray (p, p - r)
        Basis of the directions whose B-size is below the cut.
    sizes : ndarray (p,)
        Sizes in B of unit directions of the reference form, descending.
    """

    apply: NDArray
    null: NDArray
    sizes: NDArray


def whiten(r: NDArray, cut: float, reference: NDArray | None = None) -> Whitening:
    """Whiten the form R^T R, dropping directions of size at most ``cut``.

    Sizes are measured on directions of unit size in the reference form (``reference (p, r')`` with
    columns orthonormal there). Without one, columns are equilibrated first and the cut is relative:
    rescaling one generator must not decide whether it vanishes.
    """
    if reference is None:
        norms = np.linalg.norm(r, axis=0)
        safe = np.where(norms > 0, norms, 1.0)
        reference = np.diag(1.0 / safe)
        _, s, vt = linalg.svd(r / safe, full_matrices=True)
        cut = cut * (s[0] if len(s) else 0.0)
    else:
        _, s, vt = linalg.svd(r @ reference, full_matrices=True)
    s = np.concatenate([s, np.zeros(vt.shape[0] - len(s))])
    keep = s > cut
    return Whitening(reference @ (vt[keep].T / s[keep]), reference @ vt[~keep].T, s)
