"""Subsets of columns for least squares: exactly the best ones for few columns, else by a beam."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np

from erlangen._typing import NDArray

EXACT = 3000
"""Subsets of one size up to which all are tried."""

BEAM = 30
"""Subsets of one size that are kept where not all can be tried."""

DEPENDENT = 1e-7
"""Part of a column outside the others below which it adds nothing: the square root of rounding, and some room."""


def column_lengths(a: NDArray) -> NDArray:
    """Lengths of columns, one for those that are zero: what columns are divided by."""
    lengths = np.linalg.norm(a, axis=0)
    return np.where(lengths > 0, lengths, 1.0)


def triangle(design: NDArray, y: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Equations with the same squares over columns of length one; and the lengths."""
    lengths = column_lengths(design)
    small = np.asarray(np.linalg.qr(np.column_stack([design / lengths, y]), mode="r"))
    return small[:, :-1], small[:, -1], lengths


def residual_after(a: NDArray, b: NDArray, chosen: list[int]) -> tuple[NDArray, NDArray]:
    """What the chosen columns leave of the others and of b."""
    q = np.linalg.qr(a[:, chosen])[0] if chosen else np.zeros((len(a), 0))
    return a - q @ (q.T @ a), b - q @ (q.T @ b)


def gains(left: NDArray, rest: NDArray, chosen: list[int]) -> NDArray:
    """By how much each further column lowers the squares of ``rest``; zero for those chosen or dependent on them."""
    lengths = np.linalg.norm(left, axis=0)
    usable = lengths > DEPENDENT
    usable[chosen] = False
    return np.where(usable, (left.T @ rest) ** 2 / np.where(usable, lengths, 1.0) ** 2, 0.0)


def best_subsets(design: NDArray, y: NDArray, most: int) -> dict[tuple[int, ...], float]:
    """Residual squares of the best subsets of 0 to ``most`` columns, several of each size.

    All subsets of a size are compared where there are at most 3,000; else those that add one column to the best 30 of
    the size below.
    """
    a, b, _ = triangle(design, y)
    k = a.shape[1]
    found: dict[tuple[int, ...], float] = {(): float(b @ b)}
    level = dict(found)
    for size in range(1, min(most, k, len(design) - 1) + 1):
        if comb(k, size - 1) <= EXACT:
            level = {s: 0.0 for s in combinations(range(k), size - 1)}
        grown: dict[tuple[int, ...], float] = {}
        for subset in level:
            chosen = list(subset)
            left, rest = residual_after(a, b, chosen)
            gain = gains(left, rest, chosen)
            for j in np.flatnonzero(gain > 0):
                value = max(float(rest @ rest - gain[j]), 0.0)
                key = tuple(sorted((*subset, int(j))))
                grown[key] = min(value, grown.get(key, np.inf))
        level = dict(sorted(grown.items(), key=lambda item: item[1])[:BEAM])
        found.update(level)
    return found
