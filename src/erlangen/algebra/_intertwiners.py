"""Matrices X with B_i X = X A_i for all i: preserved forms, commutants, equivalences.

The condition is linear in X. Small problems stack all generators into one QR factor, whose
singular values decide against an absolute threshold (a relative one would lose what every
matrix preserves, such as the area form of sl(2,R), where the map is zero). Large problems
first narrow the unknowns with a few random combinations of the generators, which can only
keep too much, and then confirm what is left on every generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray

_DIRECT_WORK = 1e9  # multiply-adds in the stacked QR below which nothing is narrowed first
_DENSE_UNKNOWNS = 600
_COMBINATIONS = 3  # two generate a semisimple algebra; the third guards against an unlucky draw


@dataclass(frozen=True)
class Intertwiners:
    """Solutions X of B_i X = X A_i and how clearly they were decided.

    Parameters
    ----------
    basis : ndarray (m, l, k)
        Orthonormal in the Frobenius product.
    last_kept, first_dropped : float
        Root-mean-square residuals of a unit X: the worst that was accepted and the best
        that was not (infinite where nothing was dropped).
    """

    basis: NDArray
    last_kept: float
    first_dropped: float


def as_generators(matrices: NDArray) -> NDArray:
    """Check generators ``(p, k, k)`` and scale each to Frobenius norm 1 (zero ones stay zero)."""
    a = np.array(matrices, dtype=np.float64, ndmin=3)
    if a.ndim != 3 or a.shape[1] != a.shape[2] or not np.isfinite(a).all():
        raise InputError(
            explain(
                "These are not generators of a matrix algebra.",
                given=f"an array of shape {a.shape}" + ("" if np.isfinite(a).all() else " with non-finite entries"),
                expected="shape (p, k, k): p square matrices of one size, all finite",
                fix="np.stack([A1, A2, ...])",
            )
        )
    # Squaring tiny entries underflows, so the largest entry is divided out first.
    top = np.abs(a).max(axis=(1, 2), keepdims=True, initial=0.0)
    a = np.divide(a, top, out=np.zeros_like(a), where=top > 0)
    norms = np.linalg.norm(a, axis=(1, 2), keepdims=True)
    return np.divide(a, norms, out=np.zeros_like(a), where=norms > 0)


def default_tolerance(size: int) -> float:
    """Half of float64's digits, times the size's square root.

    Generators come out of an iteration or a fit, seldom good to more.
    """
    return float(np.sqrt(np.finfo(np.float64).eps * size))


def intertwiners(a: NDArray, b: NDArray, tol: float, parity: int = 0) -> Intertwiners:
    """Solve B_i X = X A_i for unit-norm generators.

    Parameters
    ----------
    a : ndarray (p, k, k)
        Generators on the right.
    b : ndarray (p, l, l)
        Generators on the left.
    tol : float
        Root-mean-square residual over the generators, for a unit X, up to which X is accepted.
    parity : int
        1 asks for symmetric X, -1 for antisymmetric X, 0 for any.
    """
    k, rows = a.shape[1], b.shape[1]
    if not len(a):
        return Intertwiners(_unknowns(k, rows, parity), 0.0, np.inf)
    unknowns = {0: k * rows, 1: k * (k + 1) // 2, -1: k * (k - 1) // 2}[parity]
    if len(a) * k * rows * unknowns**2 <= _DIRECT_WORK:
        return _restrict(a, b, _unknowns(k, rows, parity), tol)
    # The seed is fixed: the draw is a means of solving, and the answer does not depend on it.
    rng = np.random.default_rng(0)
    first_dropped, basis = np.inf, None
    for count in (_COMBINATIONS, 8 * _COMBINATIONS):
        if count >= len(a):
            break
        mixed_a, mixed_b = _combinations(a, b, count, rng)
        if basis is None and unknowns > _DENSE_UNKNOWNS:
            basis = _matching_eigenvectors(mixed_a[0], mixed_b[0], tol, parity)
        basis = _unknowns(k, rows, parity) if basis is None else basis
        # A combination of norm 1 spreads over all directions: what it does to a unit X, and what
        # its noise does, is of order 2 / sqrt(k).
        narrowed = _restrict(mixed_a, mixed_b, basis, _COMBINATIONS * tol * min(1.0, 2 / np.sqrt(k)))
        basis, first_dropped = narrowed.basis, min(first_dropped, narrowed.first_dropped)
    decided = _restrict(a, b, _unknowns(k, rows, parity) if basis is None else basis, tol)
    return Intertwiners(decided.basis, decided.last_kept, min(decided.first_dropped, first_dropped))


def _unknowns(k: int, rows: int, parity: int) -> NDArray:
    """Orthonormal basis of the matrices ``(l, k)``, of one parity where asked."""
    if parity == 0:
        return np.eye(k * rows).reshape(-1, rows, k)
    i, j = np.triu_indices(k, 0 if parity > 0 else 1)
    basis = np.zeros((len(i), k, k))
    weight = np.where(i == j, 1.0, np.sqrt(0.5))
    basis[np.arange(len(i)), i, j] = weight
    basis[np.arange(len(i)), j, i] = parity * weight
    return basis


def _combinations(a: NDArray, b: NDArray, count: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    weights = rng.standard_normal((count, len(a)))
    mixed_a, mixed_b = np.tensordot(weights, a, 1), np.tensordot(weights, b, 1)
    scale = np.linalg.norm(mixed_a, axis=(1, 2))[:, None, None]
    scale[scale == 0] = 1.0
    return mixed_a / scale, mixed_b / scale


def _restrict(a: NDArray, b: NDArray, basis: NDArray, tol: float) -> Intertwiners:
    """Solve within the span of a basis ``(m, l, k)`` by a streamed QR over the generators."""
    m = len(basis)
    if not m:
        return Intertwiners(basis, 0.0, np.inf)
    cells = basis.shape[1] * basis.shape[2]
    batch = max(1, int(2e7 // (cells * m)), -(-2 * m // cells))
    r = np.zeros((0, m))
    for start in range(0, len(a), batch):
        part = slice(start, start + batch)
        images = np.matmul(b[part, None], basis) - np.matmul(basis, a[part, None])
        rows = images.transpose(0, 2, 3, 1).reshape(-1, m)
        r = scipy.linalg.qr(np.vstack([r, rows]), mode="r", overwrite_a=True)[0][:m]
    _, s, vt = np.linalg.svd(r / np.sqrt(len(a)))
    s = np.concatenate([s, np.zeros(m - len(s))])
    kept = int(np.sum(s <= tol))
    solutions = np.tensordot(vt[m - kept :], basis, 1)
    return Intertwiners(
        solutions, float(s[m - kept]) if kept else 0.0, float(s[m - kept - 1]) if kept < m else float(np.inf)
    )


def _matching_eigenvectors(a: NDArray, b: NDArray, tol: float, parity: int) -> NDArray | None:
    """Narrow B X = X A to pairs of nearly equal eigenvalues; None where that would not be safe.

    In eigenvector coordinates X_ij (b_i - a_j) = 0, so only matching pairs survive. Noise
    leaks into a pair at distance t by noise / t, hence the generous distance.
    """
    (left, w), (right, u) = np.linalg.eig(b), np.linalg.eig(a)
    if max(np.linalg.cond(w), np.linalg.cond(u)) > 1e3:
        return None
    i, j = np.nonzero(np.abs(left[:, None] - right[None, :]) <= max(10 * tol * min(1.0, 2 / np.sqrt(len(a))), 1e-6))
    if len(i) > _DENSE_UNKNOWNS // 2:
        return None
    pairs = w.T[i, :, None] * np.linalg.inv(u)[j, None, :]
    if parity:
        pairs = pairs + parity * pairs.transpose(0, 2, 1)
    flat = np.concatenate([pairs.real, pairs.imag]).reshape(-1, b.shape[0] * a.shape[0])
    _, s, vt = np.linalg.svd(flat, full_matrices=False)
    return vt[s > s.max(initial=0.0) * 1e-8].reshape(-1, b.shape[0], a.shape[0])
