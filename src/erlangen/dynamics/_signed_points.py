"""Signed permutations tried one by one at points, for fields that are not polynomial."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from math import factorial

import numpy as np

from erlangen._errors import InputError
from erlangen._typing import NDArray
from erlangen.dynamics._signed import Signed
from erlangen.dynamics._system_input import SystemField
from erlangen.fields import AbstractField

_TRIED = 50_000
"""Most signed permutations that are tried one by one."""
_CHUNK = 2048
"""Maps that are compared at once."""
_FEW, MANY = 8, 512
"""Points at which all candidates are tried, and those that pass."""


class Points:
    """Samples, and how far maps are from symmetries on them."""

    def __init__(self, read: SystemField, count: int) -> None:
        few = read.samples.pointwise().subset(count)
        self.field: AbstractField = read.field
        self.states = len(read.names)
        self.x = few.points
        self.f = read.field.value(few.points)
        low, high = read.samples.points.min(axis=0), read.samples.points.max(axis=0)
        # Formulas hold everywhere, fits only where there were data; points on the edge may move along it.
        slack = 0.01 * (high - low) if read.field.accuracy > np.sqrt(np.finfo(float).eps) else np.full(len(low), np.inf)
        self.low, self.high = low - slack, high + slack

    def defects(self, elements: Sequence[Signed]) -> NDArray:
        """Relative defects ``(m,)``; NaN where too few points stay within the samples."""
        parts = [elements[i : i + _CHUNK] for i in range(0, len(elements), _CHUNK)]
        return np.concatenate([self._defects(part) for part in parts]) if parts else np.zeros(0)

    def _defects(self, elements: Sequence[Signed]) -> NDArray:
        images, signs = np.array([g.images for g in elements]), np.array([g.signs for g in elements], dtype=float)
        time = np.array([-1.0 if g.reversing else 1.0 for g in elements])
        c, n, d = len(elements), len(self.x), self.states
        moved = self.x[:, images].transpose(1, 0, 2) * signs[:, None]
        there = self._values(moved.reshape(c * n, -1), n).reshape(c, n, d)
        expected = self.f[:, images[:, :d]].transpose(1, 0, 2) * (signs[:, None, :d] * time[:, None, None])
        inside = np.all((moved >= self.low) & (moved <= self.high), axis=2)
        there, expected = (np.where(inside[:, :, None], part, 0.0) for part in (there, expected))
        size = np.sum(there**2, axis=1) + np.sum(expected**2, axis=1)
        miss = np.sum((there - expected) ** 2, axis=1) / np.where(size > 0, size, 1.0)
        return np.where(4 * inside.sum(axis=1) >= n, np.sqrt(miss.mean(axis=1)), np.nan)

    def _values(self, x: NDArray, block: int) -> NDArray:
        """Values at moved points; NaN for each block of them that leaves the domain of the field."""
        with np.errstate(all="ignore"):
            try:
                return self.field.value(x)
            except InputError:
                parts = [x[i : i + block] for i in range(0, len(x), block)]
                if len(parts) == 1:
                    return np.full((len(x), self.states), np.nan)
                return np.concatenate([self._values(part, block) for part in parts])


def by_points(read: SystemField, delta: float) -> tuple[list[Signed], list[Signed], Signed | None, str]:
    """Try signed permutations one by one, at few points and then at many."""
    few, many = Points(read, _FEW), Points(read, MANY)
    candidates, words = _candidates(len(read.names), len(read.controls))
    rough = few.defects(candidates)
    # Eight points tell a relative defect to a factor of two, as a rule; the many decide.
    near = [g for g, defect in zip(candidates, rough, strict=True) if not defect > 2 * delta]
    final = many.defects(near)
    passed = [g for g, defect in zip(near, final, strict=True) if defect <= delta]
    still = tuple(range(len(read.names) + len(read.controls)))
    signs = [g for g in passed if g.images == still and not g.reversing]
    moved = [g for g in passed if g.images != still and not g.reversing]
    turning = next((g for g in passed if g.reversing), None)
    uncovered = int(np.isnan(final).sum())
    out = f"; {uncovered} of them leave the samples and were not compared" if uncovered else ""
    return signs, moved, turning, f"{words}, compared at {len(many.x)} points up to a relative defect of {delta:g}{out}"


def _candidates(d: int, k: int) -> tuple[list[Signed], str]:
    """All signed permutations where they are few; else signs, cyclic shifts and swaps of neighbours."""
    n = d + k
    if 2 * factorial(d) * factorial(k) * 2**n <= _TRIED:
        orders = ((*p, *(d + j for j in q)) for p in permutations(range(d)) for q in permutations(range(k)))
        return [Signed(p, s, r) for p, s, r in product(orders, _signs(n), (False, True))], "all signed permutations"
    still, plain = tuple(range(n)), (1,) * n
    found = [Signed((*p, *still[d:]), plain) for p in _block_permutations(d)]
    if 2 ** (n + 1) <= _TRIED:
        signs = [Signed(still, s, r) for s, r in product(_signs(n), (False, True))]
        return signs + found, "changes of signs, cyclic shifts and swaps of neighbours, in blocks too"
    words = "cyclic shifts and swaps of neighbours, in blocks too (there are too many changes of signs to try)"
    return found, words


def _block_permutations(d: int) -> Iterator[tuple[int, ...]]:
    """Shifts and swaps of blocks of neighbours, and of coordinates within all blocks alike."""
    seen = {tuple(range(d))}
    for size in [b for b in range(1, d + 1) if d % b == 0]:
        blocks = np.arange(d).reshape(-1, size)
        for table in (blocks, blocks.T):
            m = len(table)
            shifts = [np.roll(np.arange(m), -s) for s in range(1, m)]
            swaps = [np.r_[np.arange(i), i + 1, i, np.arange(i + 2, m)] for i in range(m - 1)]
            for order in (*shifts, *swaps):
                moved = table[order]
                p = tuple(int(i) for i in (moved if table is blocks else moved.T).ravel())
                if p not in seen:
                    seen.add(p)
                    yield p


def _signs(n: int) -> Iterator[tuple[int, ...]]:
    yield from sorted(product((1, -1), repeat=n), key=lambda s: s.count(-1))
