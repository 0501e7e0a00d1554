"""Generators as a person would write them: the sparsest basis of a span, rounded where the data allow.

The sparsest vectors of a span are found by linear programmes: for each coordinate j, the vector
of least l1 norm with entry j equal to 1. Coordinates that the span does not couple are separated
first (the projector on the span is block diagonal), which leaves most programmes trivial.
Numbers are rounded to fractions p/q, q <= 12, or signed square roots of such fractions, only
where the rounded basis stays in the span within the noise, and where the rounding is not what
chance would give: at noise eps, fractions of large q lie within eps of every number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.linalg
import scipy.sparse

from erlangen._errors import InputError, explain
from erlangen._exact import ExactNumber, SignedRoot
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.algebra._rounding import round_vector, simplest_scale
from erlangen.algebra._sparsest import sparsest_vectors
from erlangen.algebra.field_order import FieldOrder, order_fields

__all__ = ["FieldOrder", "ReadableBasis", "SignedRoot", "order_fields", "readable_basis"]

Closes = Callable[[list[list[ExactNumber]]], bool]
"""An exact test of a rounded basis ``(p, N)``."""

_WITHIN = 3.0  # standard errors


@dataclass(frozen=True)
class ReadableBasis(AbstractShown):
    """A sparse basis of a span, exact where its numbers could be rounded.

    Parameters
    ----------
    coefficients : ndarray (p, N)
        The basis as floats.
    terms : tuple of dict
        For each generator, its nonzero entries: column to exact number, or to None for a number
        that stays a float.
    snapped : bool
        Whether every number is exact.
    transform : ndarray (p, p)
        ``transform @ given`` is the basis before rounding.
    angle : float
        Largest principal angle, in radians, between this span and the given one.
    reason : str
        What was rounded, or why not.
    """

    coefficients: NDArray
    terms: tuple[dict[int, ExactNumber | None], ...]
    snapped: bool
    transform: NDArray
    angle: float
    reason: str

    def __len__(self) -> int:
        return len(self.coefficients)

    @property
    def exact(self) -> list[list[ExactNumber | None]]:
        """The basis ``(p, N)`` in exact numbers, None where a number stays a float."""
        zero, width = Fraction(0), self.coefficients.shape[1]
        return [[row.get(j, zero) for j in range(width)] for row in self.terms]

    def numbers(self, row: int) -> list[ExactNumber | float]:
        """Entries of one generator for printing: exact where known, else floats.

        Parameters
        ----------
        row : int
            Which generator, from 0.

        Returns
        -------
        list of Fraction, algebraic number or float
            N entries.
        """
        known = self.terms[row]
        floats = self.coefficients[row]
        out: list[ExactNumber | float] = [Fraction(0)] * len(floats)
        for j, value in known.items():
            out[j] = float(floats[j]) if value is None else value
        return out


def readable_basis(
    coefficients: NDArray,
    noise: float | None = None,
    closes: Closes | None = None,
) -> ReadableBasis:
    """Choose the sparsest basis of a span and round its numbers.

    Parameters
    ----------
    coefficients : ndarray (p, N)
        Linearly independent rows that span the space.
    noise : float, optional
        Norm of the error of a generator of norm 1; by default rounding error.
    closes : callable, optional
        An exact test of the rounded basis, such as closure under the bracket. It receives
        the rows in exact numbers and is asked only where every number was rounded.

    Returns
    -------
    ReadableBasis
        The rows ``(p, N)``, and which of their numbers are exact.

    Raises
    ------
    InputError
        If the rows are not finite or not linearly independent.

    References
    ----------
    Spielman, Wang and Wright, "Exact recovery of sparsely-used dictionaries" (COLT 2012), for the
    sparsest vectors of a span by linear programmes with one coordinate fixed.

    Examples
    --------
    >>> readable_basis(np.array([[0.6, 0.6, 0.8, -0.8], [0.8, 0.8, -0.6, 0.6]])).coefficients
    array([[ 1.,  1.,  0.,  0.],
           [ 0.,  0.,  1., -1.]])
    """
    q, r, norms = _factor(coefficients)
    width, p = q.shape
    noise = 64 * float(np.finfo(np.float64).eps * np.sqrt(width)) if noise is None else float(noise)
    if not p:
        return ReadableBasis(np.zeros((0, width)), (), True, np.zeros((0, 0)), 0.0, "there are no generators")
    floats = [_scaled(row, noise) for row in sparsest_vectors(q, noise)]
    transform = scipy.linalg.solve_triangular(r, _times(_stack(floats, width), q).T).T / norms
    candidates = [round_vector(values, _WITHIN * noise) for _, values in floats]
    first = [_as_row(row, exact[0]) for row, exact in zip(floats, candidates, strict=True)]
    outside = np.linalg.norm(_residuals(_stack(first, width), q), axis=0)
    exact: list[Numbers] = [_choose(*given, q, noise) for given in zip(floats, candidates, outside, strict=True)]
    floats = _within(floats, [k for k, numbers in enumerate(exact) if not any(numbers)], q, noise)
    exact = [_numbers_of(row, numbers) for row, numbers in zip(floats, exact, strict=True)]
    rows = [_as_row(row, numbers) for row, numbers in zip(floats, exact, strict=True)]
    reason = _refusal(rows, exact, width, closes)
    if reason and all(value is not None for numbers in exact for value in numbers):
        rows, exact = floats, [_numbers_of(row, []) for row in floats]
    basis = _stack(rows, width)
    terms = tuple(dict(zip(row[0].tolist(), numbers, strict=True)) for row, numbers in zip(rows, exact, strict=True))
    reason = reason or f"all numbers are rounded, within {_WITHIN:g} times the noise {noise:.2g}" + (
        "; they close exactly" if closes is not None else ""
    )
    snapped = all(value is not None for numbers in exact for value in numbers)
    return ReadableBasis(basis.toarray(), terms, snapped, transform, _angle(basis, q), reason)


Row = tuple[NDArray, NDArray]
"""A sparse row: columns in ascending order and the values there."""

Numbers = list[ExactNumber | None]
"""Exact numbers of a sparse row, None where a number stays a float."""


def _factor(coefficients: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """QR of the unit rows: orthonormal ``q (N, p)``, triangular r, and the norms of the rows."""
    given = np.array(coefficients, dtype=np.float64)
    if given.ndim == 2 and given.shape[0] <= given.shape[1] and np.isfinite(given).all():
        norms = np.linalg.norm(given, axis=1)
        if norms.all():
            q, r = scipy.linalg.qr((given / norms[:, None]).T, mode="economic", check_finite=False)
            # The reciprocal condition number of r, its own LU factor, tells dependent rows without a second
            # factorisation.
            size = np.abs(r).sum(axis=0).max(initial=0.0)
            if not len(given) or scipy.linalg.lapack.dgecon(r, size)[0] > given.shape[1] * np.finfo(np.float64).eps:
                return q, r, norms
    raise InputError(
        explain(
            "A readable basis needs a basis to start from.",
            given=f"an array of shape {given.shape}",
            expected="p finite and linearly independent rows of length N >= p",
            fix="pass an orthonormal basis of the span, such as np.linalg.svd(rows)[2][:p]",
        )
    )


def _scaled(row: Row, noise: float) -> Row:
    """Divide a row by its first entry above about half the maximum."""
    columns, values = row
    # 0.475 lies between the fractions 5/11 and 1/2, the neighbours with q <= 12: no rounded
    # ratio sits at the threshold, where noise would decide.
    lead = values[np.argmax(np.abs(values) > 0.475 * np.abs(values).max())]
    values = values / lead
    keep = np.abs(values) > _WITHIN * noise
    return columns[keep], values[keep]


def _within(rows: list[Row], loose: list[int], q: NDArray, noise: float) -> list[Row]:
    """Put unrounded rows back into the span where their many small entries led out of it."""
    if not loose:
        return rows
    stack = _stack([rows[k] for k in loose], len(q))
    outside = np.linalg.norm(_residuals(stack, q), axis=0)
    projected = q @ _times(stack, q).T
    out = list(rows)
    for k, distance, row in zip(loose, outside, projected.T):
        if distance > _WITHIN * noise:
            out[k] = np.arange(len(q)), row / row[np.argmax(np.abs(row) > 0.475 * np.abs(row).max())]
    return out


def _numbers_of(row: Row, numbers: Numbers) -> Numbers:
    """The exact numbers of a row, or None for each of its entries where there are none."""
    return numbers if any(numbers) else [None] * len(row[0])


def _as_row(row: Row, numbers: Numbers) -> Row:
    """Put exact numbers in the place of floats."""
    columns, values = row
    return columns, np.array([v if x is None else float(x) for v, x in zip(values, numbers, strict=True)])


def _stack(rows: Sequence[Row], width: int) -> scipy.sparse.csr_array:
    pointer = np.cumsum([0] + [len(columns) for columns, _ in rows])
    values = np.concatenate([values for _, values in rows])
    columns = np.concatenate([columns for columns, _ in rows])
    return scipy.sparse.csr_array((values, columns, pointer), shape=(len(rows), width))


def _times(rows: scipy.sparse.csr_array, dense: NDArray) -> NDArray:
    """Product of mostly sparse rows with a dense matrix; dense rows go through BLAS."""
    return (rows.toarray() if 10 * rows.nnz > rows.shape[0] * rows.shape[1] else rows) @ dense


def _residuals(rows: scipy.sparse.csr_array, q: NDArray) -> NDArray:
    """Parts ``(N, p)`` of unit rows outside the span; not by 1 - cos^2, which loses half the digits."""
    unit = scipy.sparse.csr_array(rows / np.sqrt((rows * rows).sum(axis=1))[:, None])
    out = q @ _times(unit, q).T
    out -= unit.T
    return np.asarray(out)


def _choose(row: Row, candidates: list[Numbers], first: float, q: NDArray, noise: float) -> Numbers:
    """Return the rounding that keeps the row in the span within the noise, or no rounding.

    Fractions come first; roots must lower the distance by a factor of two.
    """
    best, numbers = first, candidates[0]
    for other in candidates[1:]:
        distance = float(np.linalg.norm(_residuals(_stack([_as_row(row, other)], len(q)), q)))
        if other.count(None) < numbers.count(None) or 2 * distance < best:
            best, numbers = distance, other
    return simplest_scale(numbers) if best <= _WITHIN * noise else [None] * len(numbers)


def _refusal(rows: Sequence[Row], exact: Sequence[Numbers], width: int, closes: Closes | None) -> str:
    """Why the numbers cannot all be exact; empty where they can."""
    loose = sum(numbers.count(None) for numbers in exact)
    if loose:
        return f"{loose} numbers stay floats: no small fraction or root is within the noise and better than chance"
    if closes is None:
        return ""
    zero = Fraction(0)
    full = []
    for (columns, _), numbers in zip(rows, exact, strict=True):
        known = dict(zip(columns.tolist(), numbers, strict=True))
        full.append([known.get(j, zero) for j in range(width)])
    return "" if closes(full) else "numbers are not rounded: the rounded generators do not close exactly"


def _disjoint(basis: scipy.sparse.csr_array) -> bool:
    """Whether no two rows share a column, which makes them orthogonal at no cost."""
    return len(np.unique(basis.indices)) == len(basis.indices)


def _angle(basis: scipy.sparse.csr_array, q: NDArray) -> float:
    """Largest principal angle between the rows of a basis and the columns of an orthonormal q."""
    if not _disjoint(basis):
        basis = scipy.sparse.csr_array(scipy.linalg.qr(basis.toarray().T, mode="economic")[0].T)
    outside = _residuals(basis, q)
    if outside.shape[1] <= 200:
        size = np.linalg.norm(outside, 2)
    else:
        # A decomposition costs too much for a large basis; twenty power steps agree to a few percent.
        v = np.random.default_rng(0).standard_normal(outside.shape[1])
        for _ in range(20):
            v = outside.T @ (outside @ (v / max(np.linalg.norm(v), np.finfo(np.float64).tiny)))
        size = np.sqrt(np.linalg.norm(v))
    return float(np.arcsin(min(1.0, size)))
