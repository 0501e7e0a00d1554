"""Null spaces: dense, streamed, iterative and exact; and the generalised problem S v = s^2 B v."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, eigsh

from erlangen._errors import UndecidedError, explain
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
    a: sparse.spmatrix | LinearOperator, tolerance: float, *, start: int = 4, rng: int | np.random.Generator = 0
) -> DenseSubspace:
    """Null space of a large sparse matrix by Lanczos on A^T A applied as two products.

    The number of vectors is doubled until one singular value above the tolerance appears. A^T A is
    never formed; candidates are judged by the residual ``|A v|``, which keeps full accuracy.

    Raises
    ------
    UndecidedError
        When the null space is larger than half of the space: use the dense solver.
    """
    _, p = a.shape
    scale = _operator_norm(a, np.random.default_rng(rng))
    gram = LinearOperator((p, p), matvec=lambda v: _transpose(a) @ (a @ v), dtype=np.float64)
    v0 = np.random.default_rng(rng).normal(size=p)
    k = start
    while k < p // 2:
        shifted = LinearOperator((p, p), matvec=lambda v: scale**2 * v - gram.matvec(v), dtype=np.float64)
        _, vectors = eigsh(shifted, k=k, which="LA", v0=v0, tol=0)
        q, _ = np.linalg.qr(vectors)
        image = np.column_stack([a @ q[:, j] for j in range(k)])
        _, s, vt = np.linalg.svd(image, full_matrices=False)
        dim = int(np.sum(s <= tolerance * scale))
        if dim < k:
            ascending = s[::-1] / scale
            reason = f"{dim} of {k} Ritz values at most {tolerance:.2g} relative to the norm"
            return DenseSubspace(q @ vt[k - dim :].T, ascending, margin(ascending, dim, tolerance), reason)
        k *= 2
    raise UndecidedError(
        explain(
            "The null space is too large for the iterative solver.",
            given=f"a matrix with {p} columns and more than {p // 2} null directions",
            expected="a null space of at most half of the columns",
            fix="null_space(a.toarray())",
        )
    )


def _transpose(a):
    return a.T if sparse.issparse(a) else a.H


def _operator_norm(a, rng: np.random.Generator) -> float:
    v = rng.normal(size=a.shape[1])
    size = 0.0
    for _ in range(30):
        v /= np.linalg.norm(v)
        v = _transpose(a) @ (a @ v)
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
