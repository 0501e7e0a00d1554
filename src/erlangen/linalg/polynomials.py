"""Monomials in d variables: exponents, values, derivatives, products and exact moments.

A polynomial is a row of coefficients over a table of exponents ``(r, d)``. Tables are in
graded lexicographic order: the constant, then x1 .. xd, then x1^2, x1 x2, ...
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np

from erlangen._typing import NDArray


@lru_cache(maxsize=64)
def _exponent_table(d: int, low: int, high: int) -> NDArray:
    rows = []
    for degree in range(low, high + 1):
        for factors in combinations_with_replacement(range(d), degree):
            row = np.zeros(d, dtype=np.int64)
            for j in factors:
                row[j] += 1
            rows.append(row)
    table = np.array(rows, dtype=np.int64).reshape(-1, d)
    table.setflags(write=False)
    return table


def exponents(d: int, degree: int, *, lowest: int = 0) -> NDArray:
    """Exponents ``(r, d)`` of all monomials of total degree between lowest and degree."""
    return _exponent_table(int(d), int(lowest), int(degree))


def monomials(x: NDArray, table: NDArray) -> NDArray:
    """Values ``(n, r)`` of the monomials of a table at points ``x (n, d)``.

    One contiguous column per monomial; each is one product where a monomial of one degree less
    stands before it in the table, as in every full table.
    """
    table = np.ascontiguousarray(table, dtype=np.int64)
    columns = np.ascontiguousarray(x.T)
    out = np.ones((len(table), x.shape[0]), dtype=np.result_type(x.dtype, np.float64))
    for i, (parent, axis, rest) in enumerate(_products(table.tobytes(), table.shape[1])):
        if axis >= 0:
            np.multiply(out[parent], columns[axis], out=out[i]) if parent >= 0 else out[i].__imul__(columns[axis])
        for j in rest:
            out[i] *= columns[j]
    return out.T


@lru_cache(maxsize=128)
def _products(content: bytes, d: int) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """How each monomial is built: an earlier row (or -1), a factor (or -1), and further factors."""
    table = np.frombuffer(content, dtype=np.int64).reshape(-1, d) if d else np.zeros((0, 0), dtype=np.int64)
    seen: dict[tuple[int, ...], int] = {}
    plan = []
    for i, row in enumerate(table.tolist()):
        factors = [j for j, e in enumerate(row) for _ in range(e)]
        seen[tuple(row)] = i
        parent = -1
        if len(factors) > 1:
            lower = row.copy()
            lower[factors[-1]] -= 1
            parent = seen.get(tuple(lower), -1)
        if parent >= 0:
            plan.append((parent, factors[-1], ()))
        else:
            plan.append((-1, factors[0] if factors else -1, tuple(factors[1:])))
    return tuple(plan)


def polynomial_jacobian(x: NDArray, table: NDArray, coefficients: NDArray) -> NDArray:
    """Jacobians ``(n, c, d)`` of the polynomials ``coefficients (c, r)`` over a table.

    All partial derivatives are polynomials over one table of lower degree, which is evaluated once.
    """
    table = np.ascontiguousarray(table, dtype=np.int64)
    lower, where, factors = _derivatives(table.tobytes(), table.shape[1])
    values = monomials(x, lower)
    out = np.empty((len(coefficients), x.shape[1], x.shape[0]), dtype=values.dtype)
    for j in range(x.shape[1]):
        used = np.flatnonzero(factors[j])
        moved = np.zeros((len(coefficients), len(lower)), dtype=np.result_type(coefficients, np.float64))
        np.add.at(moved.T, where[j, used], (coefficients[:, used] * factors[j, used]).T)
        out[:, j] = moved @ values.T
    return np.ascontiguousarray(out.transpose(2, 0, 1))


@lru_cache(maxsize=128)
def _derivatives(content: bytes, d: int) -> tuple[NDArray, NDArray, NDArray]:
    """Table of all first derivatives, and for each axis the row ``(d, r)`` and factor ``(d, r)`` of each monomial."""
    table = np.frombuffer(content, dtype=np.int64).reshape(-1, d)
    parts = [derivative_table(table, j) for j in range(d)]
    factors = np.array([f for f, _ in parts])
    lowered = np.vstack([low for _, low in parts])
    kept = np.vstack([lowered[factors.ravel() > 0], np.zeros((1, d), dtype=np.int64)])
    lower, _ = collect(kept, np.zeros((0, len(kept))))
    rows = row_index(lower)
    where = np.array([rows.get(tuple(e), 0) for e in lowered.tolist()]).reshape(d, len(table))
    return lower, where, factors


def derivative_table(table: NDArray, axis: int) -> tuple[NDArray, NDArray]:
    """Differentiate each monomial by one coordinate.

    Returns
    -------
    factors : ndarray (r,)
        The integer factor, zero where the coordinate is absent.
    lowered : ndarray (r, d)
        The exponents of the derivative (clipped at zero where the factor vanishes).
    """
    factors = table[:, axis].copy()
    lowered = table.copy()
    lowered[:, axis] = np.maximum(lowered[:, axis] - 1, 0)
    return factors, lowered


def monomial_gradients(x: NDArray, table: NDArray) -> NDArray:
    """Gradients ``(n, r, d)`` of the monomials of a table at points ``x (n, d)``."""
    out = np.empty((x.shape[0], table.shape[0], x.shape[1]), np.result_type(x.dtype, np.float64))
    for a in range(x.shape[1]):
        factors, lowered = derivative_table(table, a)
        used = np.flatnonzero(factors)
        out[:, :, a] = 0.0
        if used.size:
            out[:, used, a] = factors[used] * monomials(x, lowered[used])
    return out


def row_index(table: NDArray) -> dict[tuple[int, ...], int]:
    """Map each exponent tuple of a table to its row number."""
    return {tuple(int(e) for e in row): i for i, row in enumerate(table)}


def collect(rows: NDArray, coefficients: NDArray) -> tuple[NDArray, NDArray]:
    """Add up coefficients that share an exponent.

    Parameters
    ----------
    rows : ndarray (r, d)
        Exponents, possibly repeated.
    coefficients : ndarray (..., r)
        Coefficients over those rows.

    Returns
    -------
    table : ndarray (r', d)
        The distinct exponents in graded lexicographic order.
    summed : ndarray (..., r')
        The collected coefficients.
    """
    distinct, where = np.unique(rows, axis=0, return_inverse=True)
    order = np.lexsort([-distinct[:, j] for j in range(rows.shape[1] - 1, -1, -1)] + [distinct.sum(axis=1)])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    summed = np.zeros((*coefficients.shape[:-1], len(distinct)), dtype=coefficients.dtype)
    np.add.at(np.moveaxis(summed, -1, 0), rank[np.ravel(where)], np.moveaxis(coefficients, -1, 0))
    return distinct[order], summed
