"""When a span of generators does not close: what is missing, what does not belong, which constants are near.

Three causes, tried in this order: noise (see `closure`), missing generators, spurious generators.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.algebra.ambient import AbstractAmbient, MatrixAmbient, PolynomialAmbient
from erlangen.algebra.closure import close, closure_defect

GENERATION_LIMIT = 60  # generators that may be added to polynomial fields before they are called unbounded
DEGREE_LIMIT = 4  # growth of their degree beyond which they are called unbounded
RESTARTS = 12  # random starts per dimension in the search for a closed subspace


@dataclass(frozen=True, eq=False)
class Restricted(AbstractAmbient):
    """A subspace of an ambient, as an ambient of its own: brackets keep their part outside.

    Attributes
    ----------
    outer : AbstractAmbient
        Where the subspace lives.
    rows : ndarray (N', N)
        Orthonormal basis of the subspace.
    """

    outer: AbstractAmbient
    rows: NDArray

    @property
    def dim(self) -> int:
        """Dimension N' of the subspace."""
        return len(self.rows)

    def brackets(self, a: NDArray, b: NDArray) -> NDArray:
        """Brackets: coordinates inside the subspace first, then what sticks out."""
        table = self.outer.brackets(a @ self.rows, b @ self.rows)
        n = self.rows.shape[1]
        inside = table[..., :n] @ self.rows.T
        table[..., :n] -= inside @ self.rows
        return np.concatenate([inside, table], axis=2)

    def elements(self, vectors: NDArray) -> NDArray:
        """Elements of the outer ambient."""
        return self.outer.elements(vectors @ self.rows)

    def movers(self) -> NDArray:
        """Every direction of the subspace."""
        return np.eye(self.dim)

    def balanced(self, vectors: NDArray) -> NDArray:
        """Leave the coordinates alone: units belong to the outer ambient."""
        return vectors


def orthonormal(vectors: NDArray) -> NDArray:
    """Orthonormal rows with the span of ``vectors (p, N)``, each generator first brought to unit size."""
    if len(vectors) == 0:
        return vectors
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    u, _, vt = np.linalg.svd(unit, full_matrices=False)
    return u @ vt  # the orthonormal basis nearest to the one given


def largest_closed(ambient: AbstractAmbient, basis: NDArray, noise: float) -> NDArray:
    """Largest closed subspace found inside the span of orthonormal rows ``basis (p, N)``.

    Greedy: the form ``R(x) = sum_j |(1-P)[x, q_j]|^2`` is largest on spurious directions, so its top
    eigenvector is dropped; where that misses, random starts of the same dimension follow.

    Returns
    -------
    ndarray (p', N)
        Orthonormal rows; a single direction is always closed.
    """
    inside = Restricted(ambient, basis)
    limit = max(1.5 * noise, 1e-9)
    rng = np.random.default_rng(6)
    current = np.eye(len(basis))
    for size in range(len(basis), 1, -1):
        if size < len(basis):
            current = _drop_worst(inside, current)
        for start in range(RESTARTS + 1):
            rows = current if start == 0 else np.linalg.qr(rng.standard_normal((len(basis), size)))[0].T
            found = close(inside, rows, steps=40)
            if closure_defect(inside, found.basis) <= limit:
                return found.basis @ basis
            if size == len(basis):
                break
    return current[:1] @ basis


def _drop_worst(ambient: AbstractAmbient, rows: NDArray) -> NDArray:
    table = ambient.brackets(rows, rows)
    n = rows.shape[1]
    table[..., :n] -= (table[..., :n] @ rows.T) @ rows
    form = np.einsum("ijk,ljk->il", table, table)
    return np.linalg.eigh(form)[1][:, :-1].T @ rows


def generated(ambient: AbstractAmbient, basis: NDArray, threshold: float) -> tuple[AbstractAmbient, NDArray]:
    """Close orthonormal rows under brackets by adding the directions that stick out by more than a threshold.

    Returns
    -------
    ambient : AbstractAmbient
        The ambient, of higher degree where the brackets of polynomial fields asked for it.
    basis : ndarray (p', N')
        Orthonormal rows, the given ones first.

    Raises
    ------
    UndecidedError
        If the brackets keep producing new directions.
    """
    start = (len(basis), _degree(ambient))
    while len(basis) > 1:
        table = ambient.brackets(basis, basis)
        i, j = np.triu_indices(len(basis), 1)
        rows = table[i, j]
        padded = np.pad(basis, ((0, 0), (0, rows.shape[1] - basis.shape[1])))
        outside = rows - (rows @ padded.T) @ padded
        _, s, vt = np.linalg.svd(outside, full_matrices=False)
        new = vt[s > threshold]
        if len(new) == 0:
            return ambient, basis
        grown = np.linalg.qr(np.vstack([padded, new]).T)[0].T
        grown[: len(basis)] = padded
        degree = _degree(ambient)
        if degree > DEGREE_LIMIT * max(start[1], 1) or (degree and len(grown) > start[0] + GENERATION_LIMIT):
            raise _unbounded(len(grown))
        ambient, basis = _widened(ambient, grown)
    return ambient, basis


def _degree(ambient: AbstractAmbient) -> int:
    return int(ambient.exponents.sum(axis=1).max(initial=0)) if isinstance(ambient, PolynomialAmbient) else 0


def _widened(ambient: AbstractAmbient, rows: NDArray) -> tuple[AbstractAmbient, NDArray]:
    """An ambient whose ansatz holds the rows, given in coordinates of the brackets."""
    if rows.shape[1] == ambient.dim:
        return ambient, rows
    if isinstance(ambient, MatrixAmbient):
        return MatrixAmbient(ambient.k, ambient.entries, len(ambient.entries), ambient.sign), rows
    if not isinstance(ambient, PolynomialAmbient):
        raise _unbounded(len(rows))
    r, d = ambient.exponents.shape
    out = ambient.out_exponents
    extra = len(out) - r
    coefficients = np.zeros((len(rows), d, len(out)))
    coefficients[..., :r] = rows[:, : d * r].reshape(-1, d, r)
    coefficients[..., r:] = rows[:, d * r :].reshape(-1, d, extra)
    used = (np.abs(coefficients).max(axis=(0, 1)) > 1e-14) | (np.arange(len(out)) < r)
    wider = PolynomialAmbient(out[used])
    return wider, coefficients[..., used].reshape(len(rows), -1)


def _unbounded(p: int) -> UndecidedError:
    return UndecidedError(
        explain(
            "the brackets of these generators keep producing new ones",
            given=f"{p} independent directions so far",
            expected="a finite-dimensional Lie algebra",
            fix="algebra.largest_closed_subalgebra()",
        )
    )


def jacobi_defect(c: NDArray) -> float:
    """Largest entry of the Jacobi identity of structure constants."""
    return float(np.abs(_jacobi(c)).max(initial=0.0))


def _jacobi(c: NDArray) -> NDArray:
    once = np.einsum("ijl,lkm->ijkm", c, c, optimize=True)
    return once + np.transpose(once, (1, 2, 0, 3)) + np.transpose(once, (2, 0, 1, 3))


def close_constants(c: NDArray, steps: int = 30) -> NDArray:
    """Nearest structure constants that satisfy the Jacobi identity, by Levenberg-Marquardt.

    Parameters
    ----------
    c : ndarray (p, p, p)
        Antisymmetric constants.
    steps : int
        Largest number of steps.

    Returns
    -------
    ndarray (p, p, p)
        Constants whose Jacobi defect is at rounding where the iteration converged.
    """
    p = c.shape[0]
    i, j = np.triu_indices(p, 1)
    triples = np.array([(a, b, e) for a in range(p) for b in range(a) for e in range(b)]).reshape(-1, 3)
    if len(triples) == 0:
        return c
    for _ in range(steps):
        residual = _jacobi(c)[tuple(triples.T)].ravel()
        size = float(np.linalg.norm(residual))
        if size < 1e-13 * max(1.0, float(np.linalg.norm(c)) ** 2):
            break
        jacobian = _jacobi_gradient(c, triples, (i, j))
        normal = jacobian.T @ jacobian
        mean = float(np.trace(normal)) / len(normal)
        normal[np.diag_indices_from(normal)] += min(size * size, 0.01 * mean) + 1e-11 * mean
        change = np.linalg.solve(normal, -jacobian.T @ residual).reshape(len(i), p)
        c = c.copy()
        c[i, j] += change
        c[j, i] -= change
    return c


def _jacobi_gradient(c: NDArray, triples: NDArray, pairs: tuple[NDArray, NDArray]) -> NDArray:
    p, count = c.shape[0], len(triples)
    full = np.zeros((count, p, p, p, p))  # triple, component m, then d/dc[a, b, l]
    t = np.arange(count)
    for x, y, z in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        a, b, e = triples[:, x], triples[:, y], triples[:, z]
        for m in range(p):
            full[t, m, a, b, :] += c[:, e, m].T  # sum_l dc[a,b,l] c[l,e,m]
            full[t, m, :, e, m] += c[a, b, :]  # sum_l c[a,b,l] dc[l,e,m]
    free = full[:, :, pairs[0], pairs[1], :] - full[:, :, pairs[1], pairs[0], :]
    return free.reshape(count * p, -1)
