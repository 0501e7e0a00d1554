"""Signed permutations that leave a table of coefficients alone: exact, by search with pruning and bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray

_NODES = 200_000
"""Assignments that a search may try: seconds. The tables of real systems need some thousands at most."""


@dataclass(frozen=True)
class Signed:
    """The map ``(M x)_i = signs[i] x[images[i]]``; ``reversing`` where it turns time round."""

    images: tuple[int, ...]
    signs: tuple[int, ...]
    reversing: bool = False

    @property
    def matrix(self) -> NDArray:
        """The matrix M ``(d, d)``."""
        d = len(self.images)
        out = np.zeros((d, d))
        out[np.arange(d), list(self.images)] = self.signs
        return out

    @property
    def points(self) -> list[int]:
        """The same as a permutation of the 2 d points ``+-x_i``."""
        d = len(self.images)
        flips = [j if s > 0 else j + d for j, s in zip(self.images, self.signs, strict=True)]
        return [*flips, *((j + d) % (2 * d) for j in flips)]


@dataclass(frozen=True)
class Term:
    """One monomial of one equation."""

    row: int
    powers: tuple[int, ...]
    coefficient: float
    kind: int
    """Terms whose coefficients have the same size, within their errors, have the same kind."""


class Table:
    """Terms of polynomial equations, indexed for a search.

    Parameters
    ----------
    terms : sequence of Term
    classes : sequence of d int
        Coordinates are only permuted within a class: states, controls.
    """

    def __init__(self, terms: Sequence[Term], classes: Sequence[int]) -> None:
        self.terms = tuple(terms)
        self.dim = len(classes)
        self.at = {(t.row, t.powers): t for t in terms}
        self.colors = _refined(self.terms, list(classes))

    def signs(self) -> tuple[list[Signed], Signed | None]:
        """Basis of the sign changes, and one that reverses time where there is any."""
        still = tuple(range(self.dim))
        rows = [self._row(t) for t in self.terms]
        null = _null(rows, self.dim + 1)
        keeping = _null([*rows, 1 << self.dim], self.dim + 1)
        turning = next((v for v in null if v >> self.dim & 1), None)
        basis = sorted(keeping, key=lambda v: (bin(v).count("1"), v))
        return [self._signed(still, v) for v in basis], None if turning is None else self._signed(still, turning)

    def permutations(self) -> tuple[list[Signed], Signed | None, bool]:
        """Signed permutations that generate the rest, one that reverses time, and whether the search came to an end.

        For each i and j one element that leaves the coordinates before i in place and takes i to j: together with the
        sign changes they generate the group.
        """
        found, complete = [], True
        for i in range(self.dim):
            for j in range(i + 1, self.dim):
                search = _Search(self)
                start = {k: k for k in range(i)} | {i: j}
                element = search.first(start, reversing=False)
                complete &= not search.tired
                found += [element] if element is not None else []
        search = _Search(self)
        turning = search.first({}, reversing=True)
        return found, turning, complete and not search.tired

    def solve(self, images: dict[int, int], reversing: bool) -> Signed | None:
        """Signs with which a permutation of coordinates leaves the table alone, if there are any."""
        rows, right = [], []
        for t in self.terms:
            powers = [0] * self.dim
            for i, e in enumerate(t.powers):
                powers[images[i]] = e
            other = self.at.get((images[t.row], tuple(powers)))
            if other is None or other.kind != t.kind:
                return None
            rows.append(self._row(t))
            right.append(int((other.coefficient < 0) != (t.coefficient < 0)))
        solution = _solve([*rows, 1 << self.dim], [*right, int(reversing)], self.dim + 1)
        return None if solution is None else self._signed(tuple(images[i] for i in range(self.dim)), solution)

    def _row(self, t: Term) -> int:
        """Parity of the signs in a term and its equation, and of time, as bits."""
        bits = sum((e & 1) << i for i, e in enumerate(t.powers))
        return (bits ^ (1 << t.row)) | (1 << self.dim)

    def _signed(self, images: tuple[int, ...], bits: int) -> Signed:
        signs = tuple(-1 if bits >> i & 1 else 1 for i in range(self.dim))
        return Signed(images, signs, bool(bits >> self.dim & 1))


class _Search:
    """Depth-first search for one permutation that completes a partial one."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.left = _NODES
        self.needs = [({t.row} | {i for i, e in enumerate(t.powers) if e}, t) for t in table.terms]

    @property
    def tired(self) -> bool:
        """Whether it gave up."""
        return self.left <= 0

    def first(self, start: dict[int, int], reversing: bool) -> Signed | None:
        """The first completion that has signs."""
        colors = self.table.colors
        if any(colors[i] != colors[j] for i, j in start.items()):
            return None
        if not all(self._fits(start, t) for need, t in self.needs if need <= start.keys()):
            return None
        return next(self._completions(start, reversing), None)

    def _completions(self, images: dict[int, int], reversing: bool) -> Iterator[Signed]:
        d, colors = self.table.dim, self.table.colors
        if len(images) == d:
            element = self.table.solve(images, reversing)
            if element is not None:
                yield element
            return
        i = self._next(images)
        taken = set(images.values())
        for j in [(i + s) % d for s in range(d)]:
            if j in taken or colors[j] != colors[i] or self.tired:
                continue
            self.left -= 1
            more = images | {i: j}
            if all(self._fits(more, t) for need, t in self.needs if i in need and need <= more.keys()):
                yield from self._completions(more, reversing)

    def _next(self, images: dict[int, int]) -> int:
        """The coordinate that most terms tie to those assigned."""
        ties = [0] * self.table.dim
        for need, _ in self.needs:
            inside = len(need & images.keys())
            for i in need:
                ties[i] += inside
        return max((i for i in range(self.table.dim) if i not in images), key=lambda i: (ties[i], -i))

    def _fits(self, images: dict[int, int], t: Term) -> bool:
        powers = [0] * self.table.dim
        for i, e in enumerate(t.powers):
            if e:
                powers[images[i]] = e
        other = self.table.at.get((images[t.row], tuple(powers)))
        return other is not None and other.kind == t.kind


def _refined(terms: Sequence[Term], colors: list[int]) -> list[int]:
    """Colours of coordinates by the terms in which they stand, until no colour splits."""
    while True:
        signatures = []
        for i in range(len(colors)):
            seen = []
            for t in terms:
                if t.row == i or t.powers[i]:
                    others = sorted((colors[j], e) for j, e in enumerate(t.powers) if e)
                    seen.append((t.kind, t.row == i, t.powers[i], colors[t.row], tuple(others)))
            signatures.append((colors[i], tuple(sorted(seen))))
        order = {s: k for k, s in enumerate(sorted(set(signatures)))}
        refined = [order[s] for s in signatures]
        if len(set(refined)) == len(set(colors)):
            return refined
        colors = refined


def _echelon(rows: Sequence[int], width: int) -> dict[int, int]:
    """Reduced rows by their pivot, the lowest bit; bits from ``width`` on are carried along."""
    pivots: dict[int, int] = {}
    mask = (1 << width) - 1
    for row in rows:
        for p, r in pivots.items():
            if p >= 0 and row >> p & 1:
                row ^= r
        if row & mask:
            p = (row & mask & -(row & mask)).bit_length() - 1
            pivots = {q: r ^ row if q >= 0 and r >> p & 1 else r for q, r in pivots.items()}
            pivots[p] = row
        elif row:
            pivots[-1] = row
    return pivots


def _null(rows: Sequence[int], width: int) -> list[int]:
    """Basis of the bits v with ``rows . v = 0`` over GF(2)."""
    pivots = _echelon(rows, width)
    free = [i for i in range(width) if i not in pivots]
    return [(1 << i) | sum(1 << p for p, r in pivots.items() if r >> i & 1) for i in free]


def _solve(rows: Sequence[int], right: Sequence[int], width: int) -> int | None:
    """One solution of ``rows . v = right`` over GF(2) with free bits 0, or None."""
    pivots = _echelon([r | b << width for r, b in zip(rows, right, strict=True)], width)
    if -1 in pivots:
        return None
    return sum(1 << p for p, r in pivots.items() if r >> width & 1)
