"""Monomials in d variables: exponents, values, derivatives, products and exact moments.

A polynomial is a row of coefficients over a table of exponents ``(r, d)``. Tables are in
graded lexicographic order: the constant, then x1 .. xd, then x1^2, x1 x2, ...
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray


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
    """Values ``(n, r)`` of the monomials of a table at points ``x (n, d)``."""
    powers = _powers(x, int(table.max(initial=0)))
    if len(x) > len(table):
        return _monomials_by_column(powers, table)
    out = np.ones((x.shape[0], table.shape[0]), dtype=np.result_type(x.dtype, np.float64))
    for j in range(table.shape[1]):
        used = np.flatnonzero(table[:, j])
        if used.size:
            out[:, used] *= powers[table[used, j], :, j].T
    return out


def _monomials_by_column(powers: NDArray, table: NDArray) -> NDArray:
    """One contiguous column per monomial: many points of few monomials are bound by memory, not by calls."""
    by_axis = np.ascontiguousarray(powers.transpose(0, 2, 1))
    out = np.ones((len(table), powers.shape[1]), dtype=powers.dtype)
    for column, row in zip(out, table):
        for j in np.flatnonzero(row):
            column *= by_axis[row[j], j]
    return out.T


def _powers(x: NDArray, highest: int) -> NDArray:
    """Powers ``(highest + 1, n, d)`` of the coordinates by repeated multiplication."""
    powers = np.ones((highest + 1, *x.shape), dtype=np.result_type(x.dtype, np.float64))
    for e in range(1, highest + 1):
        powers[e] = powers[e - 1] * x
    return powers


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
    np.add.at(summed, (..., rank[np.ravel(where)]), coefficients)
    return distinct[order], summed
