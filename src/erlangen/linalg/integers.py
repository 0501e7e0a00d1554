"""Exact null spaces of integer matrices, by elimination modulo a prime and a check in the integers.

The rank modulo a prime is at most the rank, so the null space modulo a prime is at least as large. Where
all its vectors lift to integer vectors that the matrix maps to zero exactly, the two are equal: that is a
proof, at the speed of machine integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from erlangen._typing import NDArray
from erlangen.linalg.null import rational_null_space
from erlangen.linalg.subspace import RationalSubspace

PRIME = 2**31 - 1
"""Products of two residues fit in 64 bits."""

EXACT = 2**53
"""Integers up to this are exact in float64, in which sparse products run."""

DENOMINATORS = 1000
"""Floats that are fractions of at most this denominator, to the last bit, are read as these fractions."""

SLOW_COLUMNS = 100
"""Columns of a block up to which elimination in the rationals, a hundred times slower, steps in: seconds."""


def as_integers(values: NDArray) -> NDArray | None:
    """Integer multiples of ``values``, all by one factor; None where they are not plain fractions.

    Examples
    --------
    >>> as_integers(np.array([0.5, -1 / 3]))
    array([ 3., -2.])
    """
    largest = np.abs(values).max(initial=0.0)
    for scaled in (values, values / largest if largest else values):  # a common factor may be all that is irrational
        distinct, where = np.unique(scaled, return_inverse=True)
        if np.array_equal(distinct, np.round(distinct)) and largest < EXACT:
            return scaled
        fractions = [Fraction(float(v)).limit_denominator(DENOMINATORS) for v in distinct]
        if any(float(f) != v for f, v in zip(fractions, distinct, strict=True)):
            continue
        factor = lcm(*(f.denominator for f in fractions))
        whole = [int(f * factor) for f in fractions]
        if max(map(abs, whole)) < EXACT:
            return np.array(whole, dtype=np.float64)[where.reshape(values.shape)]
    return None


def common_null_space(matrices: Iterable[sparse.csr_array], n: int) -> RationalSubspace | None:
    """Vectors that each of several integer matrices ``(m, n)`` maps to zero, each restricted to those before it.

    Returns None where integers grow too large.
    """
    basis = sparse.csr_array(sparse.identity(n, format="csr"))
    for matrix in matrices:
        restricted = _product(matrix, basis)
        null = None if restricted is None else integer_null_space(restricted)
        product = None if null is None else _product(basis, null)
        if product is None:
            return None
        basis = product
    tidy = _echelon(basis)
    reason = f"{basis.shape[1]} independent solutions in exact rational arithmetic"
    return RationalSubspace(tuple(_rows(basis if tidy is None else tidy)), n, reason)


def integer_null_space(a: sparse.csr_array) -> sparse.csr_array | None:
    """Null space of an integer matrix ``(m, n)`` as integer columns ``(n, dim)``; None where they grow too large."""
    a = sparse.csr_array(a)
    a.eliminate_zeros()
    parts = []
    for block in components(a):
        null = _null_block(block)
        if null is None:
            return None
        row, column = np.nonzero(null)
        parts.append((block.columns[row], column, null[row, column], null.shape[1]))
    starts = np.cumsum([0, *(dim for *_, dim in parts)])
    index = [np.concatenate([part[0] for part in parts] or [np.zeros(0, dtype=int)])]
    index.append(np.concatenate([part[1] + start for part, start in zip(parts, starts)] or [np.zeros(0, dtype=int)]))
    values = np.concatenate([part[2] for part in parts] or [np.zeros(0)]).astype(np.float64)
    null = sparse.csr_array((values, tuple(index)), shape=(a.shape[1], int(starts[-1])))
    image = _product(a, null)
    return null if image is not None and not np.any(image.data) else None


@dataclass(frozen=True, eq=False)
class Component:
    """A block of a sparse matrix that shares no row and no column with the rest.

    Attributes
    ----------
    rows, columns : ndarray of int
        Where it stands.
    cells : tuple of ndarray
        Row, column (within the block) and value of its entries.
    """

    rows: NDArray
    columns: NDArray
    cells: tuple[NDArray, NDArray, NDArray]

    def dense(self) -> NDArray:
        """The block as a dense matrix."""
        out = np.zeros((len(self.rows), len(self.columns)))
        out[self.cells[0], self.cells[1]] = self.cells[2]
        return out


def components(a: sparse.csr_array) -> Iterator[Component]:
    """The blocks into which a sparse matrix without explicit zeros falls apart; each holds a column."""
    m, n = a.shape
    graph = sparse.block_array([[None, a], [a.T, None]], format="csr")
    count, labels = connected_components(graph, directed=False)
    entries = a.tocoo()
    rows, row_ends, row_place = _grouped(labels[:m], count)
    columns, column_ends, column_place = _grouped(labels[m:], count)
    cells, cell_ends, _ = _grouped(labels[m + entries.coords[1]], count)
    i, j = row_place[entries.coords[0][cells]], column_place[entries.coords[1][cells]]
    values = entries.data[cells]
    for k in range(count):
        if column_ends[k] < column_ends[k + 1]:
            own = slice(cell_ends[k], cell_ends[k + 1])
            where = rows[row_ends[k] : row_ends[k + 1]], columns[column_ends[k] : column_ends[k + 1]]
            yield Component(*where, (i[own], j[own], values[own]))


def _grouped(labels: NDArray, count: int) -> tuple[NDArray, NDArray, NDArray]:
    """Indices ordered by label, the ends of the groups, and the place of each index within its group."""
    order = np.argsort(labels, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(labels, minlength=count))])
    place = np.empty(len(labels), dtype=np.int64)
    place[order] = np.arange(len(labels)) - ends[labels[order]]
    return order, ends, place


def _null_block(component: Component) -> NDArray | None:
    """Integer null vectors ``(n, dim)`` of a block, the last columns free."""
    n = len(component.columns)
    if n == 1:
        return np.ones((1, int(len(component.rows) == 0)), dtype=np.int64)
    dense = component.dense()
    reduced, pivots = _reduce(dense.astype(np.int64))
    free = np.setdiff1d(np.arange(n), pivots)
    out = np.zeros((n, len(free)), dtype=np.int64)
    out[free, np.arange(len(free))] = 1
    out[pivots] = (-reduced[:, free]) % PRIME
    lifted = _lift(out)
    if lifted is None or np.any(dense @ lifted):  # entries beyond the reach of one prime
        return _eliminated(dense) if n <= SLOW_COLUMNS else None
    return lifted


def _eliminated(dense: NDArray) -> NDArray | None:
    """Integer null vectors ``(n, dim)`` by elimination in the rationals; None where they are not exact in float64."""
    null = rational_null_space([[int(v) for v in row] for row in dense], dense.shape[1])
    columns = [[int(v * lcm(*(f.denominator for f in row))) for v in row] for row in null.rows]
    if max((abs(v) for column in columns for v in column), default=0) >= EXACT:
        return None
    return np.array(columns, dtype=np.int64).reshape(-1, dense.shape[1]).T


def _echelon(columns: sparse.csr_array) -> sparse.csr_array | None:
    """The same span in reduced echelon form, integer multiples; None where the integers grow too large."""
    dense = columns.toarray()
    if dense.shape[1] == 0:
        return columns
    reduced, pivots = _reduce(dense.T.astype(np.int64))
    lifted = _lift(reduced.T)
    if lifted is None or len(pivots) < dense.shape[1]:
        return None
    # At its pivots the echelon form is diagonal, which says how the old basis is combined from it: the same span.
    scale = lifted[pivots, np.arange(len(pivots))]
    factor = lcm(*(int(s) for s in scale))
    weights = dense[pivots] * (factor / scale)[:, None]
    if float((np.abs(lifted) @ np.abs(weights)).max()) >= EXACT or factor * float(np.abs(dense).max()) >= EXACT:
        return None
    return sparse.csr_array(lifted.astype(np.float64)) if np.array_equal(lifted @ weights, factor * dense) else None


def _reduce(a: NDArray) -> tuple[NDArray, NDArray]:
    """Reduced echelon form modulo the prime: its non-zero rows and their pivots."""
    a, row, pivots = a % PRIME, 0, []
    for column in range(a.shape[1]):
        below = np.flatnonzero(a[row:, column])
        if len(below) == 0:
            continue
        best = row + below[0]
        a[[row, best]] = a[[best, row]]
        a[row] = a[row] * pow(int(a[row, column]), -1, PRIME) % PRIME
        others = np.flatnonzero(a[:, column])
        others = others[others != row]
        used = np.flatnonzero(a[row])
        cells = np.ix_(others, used)
        a[cells] = (a[cells] - a[others, column][:, None] * a[row, used]) % PRIME
        pivots.append(column)
        row += 1
        if row == len(a):
            break
    return a[:row], np.array(pivots, dtype=int)


def _lift(residues: NDArray) -> NDArray | None:
    """Integer columns proportional to the smallest fractions with these residues (Wang 1981)."""
    bound = int((PRIME // 2) ** 0.5)
    old, new = np.full(residues.shape, PRIME, dtype=np.int64), residues.copy()
    before, denominator = np.zeros_like(new), np.ones_like(new)
    while np.any(large := new > bound):
        quotient = np.where(large, old // np.maximum(new, 1), 0)
        old, new = np.where(large, new, old), np.where(large, old - quotient * new, new)
        before, denominator = (
            np.where(large, denominator, before),
            np.where(large, before - quotient * denominator, denominator),
        )
    if np.any(np.abs(denominator) > bound):
        return None
    new, denominator = np.where(denominator < 0, -new, new), np.abs(denominator)
    factors = [lcm(*(int(v) for v in np.unique(column))) for column in denominator.T]
    if any(factor > bound for factor in factors):
        return None
    return new * (np.array(factors, dtype=np.int64)[None, :] // denominator)


def _product(a: sparse.csr_array, b: sparse.csr_array) -> sparse.csr_array | None:
    """Product of two integer matrices; None where a sum could leave the exact integers."""
    if a.nnz and b.nnz and float((abs(a) @ abs(b)).max()) >= EXACT:
        return None
    return sparse.csr_array(a @ b)


def _rows(columns: sparse.csr_array) -> Iterator[tuple[Fraction, ...]]:
    zero = Fraction(0)
    for k in range(columns.shape[1]):
        column = columns[:, [k]].tocoo()
        row = [zero] * columns.shape[0]
        for i, v in zip(column.coords[0], column.data, strict=True):
            row[i] = Fraction(int(v))
        yield tuple(row)
