"""Null spaces in theta: exact, floating on coefficients, and sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import norm

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.derivative.coefficients import CoefficientMap, integer_multiples, lie_coefficients, substituted
from erlangen.derivative.lie import ROWS_PER_GENERATOR, LieDerivative
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.linalg.integers import Component, as_integers, common_null_space, components
from erlangen.linalg.qr import StreamedQR, rounding
from erlangen.linalg.rank import margin
from erlangen.linalg.subspace import DenseSubspace, RationalSubspace
from erlangen.verbs._enforce_request import (
    POINTS_PER_PARAMETER,
    Element,
    Request,
    moved_at,
    moved_values,
    points_at_a_time,
)

Terms = Callable[[NDArray, NDArray], tuple[NDArray, NDArray]]
"""Points and weights to two terms ``(..., q)`` whose difference is to vanish."""

DENSE_COLUMNS = 6000
"""Parameters that one dense decomposition takes at once: 0.3 GB, and minutes."""


def in_coefficients(lie: LieDerivative, xi: NDArray, elements: tuple[Element, ...]) -> list[CoefficientMap] | None:
    """Equations on coefficients for generators ``xi (r, p)`` and elements; None where field or action has none."""
    field = lie.field
    if not isinstance(field, PolynomialField):
        return None
    maps = [lie.in_coefficients(row) for row in xi]
    known = [m for m in maps if m is not None]
    if len(known) < len(maps):
        return None
    return [*known, *(substituted(field, e.matrix, e.shift, e.rho) for e in elements)]


def solve_exactly(lie: LieDerivative, xi: NDArray, elements: tuple[Element, ...]) -> RationalSubspace | None:
    """Null space in integers; None where generators are irrational or integers grow too large."""
    field, parts = lie.field, lie.parts
    whole = None if parts is None else integer_multiples(parts)
    if whole is None or not isinstance(field, PolynomialField):
        return None
    matrices = [lie_coefficients(field, whole, row).matrix for row in xi]
    for element in elements:
        matrix = substituted(field, element.matrix, element.shift, element.rho).matrix
        integers = as_integers(matrix.data)
        if integers is None:
            return None
        matrices.append(sparse.csr_array((integers, matrix.indices, matrix.indptr), shape=matrix.shape))
    matrices.sort(key=lambda matrix: matrix.nnz)  # diagonal ones first: each leaves less to the next
    return common_null_space(matrices, field.n_params)


def solve_floating(maps: list[CoefficientMap], q: int, tolerance: float) -> DenseSubspace:
    """Common null space of the equations in floating point, each restricted to the solutions of those before it.

    The equations of a generator are compared with the size of its own terms, so that units of generators do not matter.
    """
    sized = [(m.matrix, max(m.size, _norm_bound(m.matrix)) or 1.0) for m in maps]
    basis, dropped = sparse.csr_array(sparse.identity(q, format="csr")), [np.zeros(0)]
    for matrix, scale in sorted(sized, key=lambda item: item[0].nnz):
        null, values = _stage(sparse.csr_array(matrix @ basis), tolerance * scale)
        basis = sparse.csr_array(basis @ null)
        dropped.append(values / scale)
    dense = np.linalg.qr(basis.toarray())[0]
    squares = [(np.linalg.norm(matrix @ dense, axis=0) / scale) ** 2 for matrix, scale in sized]
    kept = np.sqrt(np.sum(squares or [np.zeros(dense.shape[1])], axis=0))
    ascending = np.concatenate([np.sort(kept), np.sort(np.concatenate(dropped))])
    dim = dense.shape[1]
    reason = f"{dim} of {q} singular values at most {tolerance:.2g} of the norm"
    residual = float(kept.max(initial=0.0))
    return DenseSubspace(dense, ascending, margin(ascending, dim, tolerance), reason, residual, "floating")


def _norm_bound(a: sparse.csr_array) -> float:
    """Bound of the spectral norm of a sparse matrix: the geometric mean of its largest column and row sums."""
    return float(np.sqrt(norm(a, 1) * norm(a, np.inf))) if a.nnz else 0.0


def _stage(a: sparse.csr_array, cut: float) -> tuple[sparse.csr_array, NDArray]:
    """Orthonormal null space ``(n, dim)`` of a sparse matrix, block by block, and the singular values above the cut."""
    a.data[np.abs(a.data) <= cut] = 0.0
    a.eliminate_zeros()
    blocks, above, where = [], [np.zeros(0)], [np.zeros(0, dtype=int)]
    for component in track(components(a), "blocks of equations"):
        vectors, values = _decomposed(component)
        blocks.append(vectors[:, values <= cut])
        above.append(values[values > cut])
        where.append(component.columns)
    stacked = sparse.csr_array(sparse.block_diag(blocks, format="csr")) if blocks else sparse.csr_array((0, 0))
    return sparse.csr_array(stacked[np.argsort(np.concatenate(where))]), np.concatenate(above)


def _decomposed(component: Component) -> tuple[NDArray, NDArray]:
    """Right singular vectors ``(n, n)`` and singular values of a block."""
    n = len(component.columns)
    if n > DENSE_COLUMNS:
        raise InputError(
            explain(
                "The equations couple too many parameters to solve them in floating point.",
                given=f"a block of {n} parameters",
                expected=f"at most {DENSE_COLUMNS}: a dense decomposition takes minutes there",
                fix="generators with rational coefficients, which are solved exactly at any size; or a lower degree",
            )
        )
    dense = component.dense()
    if len(dense) > n:
        dense = np.linalg.qr(dense, mode="r")
    _, s, vt = linalg.svd(dense, full_matrices=True)
    return vt.T, np.concatenate([s, np.zeros(n - len(s))])


def solve_sampled(request: Request, xi: NDArray) -> DenseSubspace:
    """Null space of the rows at the samples; only triangular factors ``(q, q)`` are kept.

    Columns are measured by how much their functions move before terms cancel, so units of theta do not matter; nor
    do those of generators, which are brought to one size first.
    """
    q, tolerance = request.field.n_params, request.tolerance
    _enough(request, len(xi))
    rows, moves = StreamedQR(q), StreamedQR(q)
    for terms, size in _alike(request, xi):
        for whole, part in zip((rows, moves), request.lie.samples.factored(partial(_rows, terms), (q, q), size)):
            whole.merge(part)
    left, sizes = moves.factor(), np.linalg.norm(moves.factor(), axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    right, left = rows.factor() / sizes, left / sizes
    scale = float(np.linalg.norm(left, 2)) or 1.0
    _, s, vt = linalg.svd(right)
    tolerance = max(tolerance, rounding((rows.n_rows, q)))
    null, dropped = _resolved(right, left, vt[s <= tolerance * scale].T, tolerance)
    basis = np.linalg.qr(null / sizes[:, None])[0] if null.shape[1] else null
    residual = float(np.linalg.norm(right @ (basis * sizes[:, None]), axis=0).max(initial=0.0)) / scale
    reason = f"{basis.shape[1]} of {q} singular values at most {tolerance:.2g} of how far functions move"
    if dropped:
        reason += f"; {dropped} combinations of nearly dependent functions are too small to decide and left out"
    vanishing = _vanishing(request, basis)
    if vanishing:
        reason += f"; {vanishing} of them are zero at the samples, up to rounding: functions depend on each other there"
    ascending = s[::-1] / scale
    return DenseSubspace(
        basis,
        ascending,
        margin(ascending, len(s) - np.sum(s > tolerance * scale), tolerance),
        reason,
        residual,
        "sampled",
    )


def _alike(request: Request, xi: NDArray) -> Iterator[tuple[Terms, int]]:
    """The two terms of generators ``xi (r, p)`` and of elements, of norm about 1 over the samples; points at a time."""
    field, lie = request.field, request.lie
    few = LieDerivative(field, lie.action, lie.samples.subset(POINTS_PER_PARAMETER * field.n_params))
    if len(xi):
        # One at a time: together, the terms of small generators would be rounding of large ones.
        sizes = np.array([_size(few.terms_in_theta(row)) for row in xi])
        chosen = lie.lifted.restrict((xi / sizes[:, None]).T)
        yield partial(few.terms_at, chosen), lie.points_at_a_time(len(xi))
    for element in request.elements:
        size = _size(moved_values(replace(request, lie=few, elements=(element,))))
        yield partial(_moved, field, element, size), points_at_a_time(field)


def _moved(
    field: AbstractLinearField, element: Element, size: float, x: NDArray, w: NDArray
) -> tuple[NDArray, NDArray]:
    ahead, behind = moved_at(field, element, x, w)
    return ahead / size, behind / size


def _rows(terms: Terms, x: NDArray, w: NDArray) -> Iterator[tuple[int, NDArray]]:
    """Rows of the equations, and of how far functions move."""
    ahead, behind = terms(x, w)
    q = ahead.shape[-1]
    yield 0, (ahead - behind).reshape(-1, q)
    for part in (ahead, behind):
        if np.any(part):
            yield 1, part.reshape(-1, q)


def _size(terms: Iterator[tuple[NDArray, NDArray]]) -> float:
    """Norm of both terms together; 1 where they vanish."""
    return float(np.linalg.norm([np.linalg.norm(part) for pair in terms for part in pair])) or 1.0


def _resolved(right: NDArray, left: NDArray, null: NDArray, tolerance: float) -> tuple[NDArray, int]:
    """Drop null vectors that are small only because all of the function is.

    Nearly dependent functions have combinations that barely move at all: there a small residual says nothing. What
    remains either does not move, or has a residual far below its motion (half of the digits).
    """
    if null.shape[1] == 0:
        return null, 0
    _, motion, vt = linalg.svd(left @ null, full_matrices=False)
    moving = motion > rounding(left.shape) * np.linalg.norm(left, 2)
    still, apply = null @ vt[~moving].T, null @ (vt[moving].T / motion[moving])
    _, s, vt = linalg.svd(right @ apply, full_matrices=False)
    holds = s <= max(np.sqrt(np.finfo(np.float64).eps), 10 * tolerance)
    return np.hstack([still, apply @ vt[holds].T]), int(np.sum(~holds))


def _vanishing(request: Request, basis: NDArray) -> int:
    """How many independent fields of a basis ``(q, dim)`` are zero at the samples."""
    few = request.lie.samples.subset(2 * POINTS_PER_PARAMETER * request.field.n_params)
    features = request.field.features(few.points).reshape(-1, len(basis))
    s = np.linalg.svd(features @ basis, compute_uv=False)
    largest = float(np.linalg.norm(features, axis=0).max(initial=0.0))
    return basis.shape[1] - int(np.sum(s > rounding(features.shape) * np.sqrt(len(basis)) * largest))


def _enough(request: Request, r: int) -> None:
    samples, q, c = request.lie.samples, request.field.n_params, request.field.value_dim
    count = r + len(request.elements)
    if not count:
        return
    needed = -(-ROWS_PER_GENERATOR * q // (c * count))
    distinct = samples.count_distinct(needed)
    if distinct < needed:
        raise UndecidedError(
            explain(
                "There are too few samples for so many parameters.",
                given=f"{distinct} different points with {c} value channels, under {count} generators and elements, "
                f"for {q} parameters",
                expected=f"at least {needed} points; {5 * needed} are comfortable",
                fix="more samples, or a smaller family",
            )
        )
