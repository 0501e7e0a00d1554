"""Isotypic components from weight spaces and highest-weight vectors.

In a basis of weight vectors of every factor, all basis vectors of a tensor product have weights,
which add. From the highest weight down: what the irreducibles above do not fill of a weight space
are highest-weight vectors, so that multiplicities are counted and no rank is decided. Lowering them
by F_i = E_i^H, along words that are the same for all copies, gives bases in which the copies are
moved by the same matrices. Each step is cleaned of the irreducibles above, which it would amplify.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from scipy.sparse import csr_array

from erlangen._typing import NDArray
from erlangen.algebra._words import block_diagonal, leibniz
from erlangen.algebra.equivariant._sides import Side, factors_of
from erlangen.algebra.equivariant.isotypic import Component, NotSplitError
from erlangen.algebra.equivariant.real_form import ComplexComponent, real_components
from erlangen.algebra.equivariant.roots import Roots, find_roots
from erlangen.linalg.qr import rounding


def weight_components(sides: tuple[Side, ...], rng: int | np.random.Generator = 0) -> tuple[Component, ...]:
    """Split all sides into irreducible components at once, for a connected group.

    Parameters
    ----------
    sides : tuple of Side
        Representations of one group without discrete generators; the span of the Lie images is
        closed under transposes.
    rng : int or Generator
        For a regular element; the answer does not depend on it.

    Raises
    ------
    NotSplitError
        Where weights do not separate, or the algebra is too large.
    """
    factors = factors_of(sides)
    roots = find_roots(factors, rng)
    frames = {id(f): _Frame(roots, i) for i, f in enumerate(factors)}
    weighted = [_Weighted(side, frames, roots) for side in sides]
    spaces = _WeightSpaces(weighted, len(roots.raising))
    out = []
    for space in spaces.dominant:
        highest = [_complement(side.filled[space]) for side in spaces.sides]
        if any(h.shape[1] for h in highest):
            found = _lowered(spaces, space, highest)
            bases = (w.to_standard(s.collect(found, i)) for i, (w, s) in enumerate(zip(weighted, spaces.sides)))
            out.append(ComplexComponent(tuple(bases), _label(roots, spaces.weights[space])))
    if any(f.shape[0] != f.shape[1] for side in spaces.sides for f in side.filled):
        raise NotSplitError("irreducibles do not fill the weight spaces: the group does not act completely reducibly")
    return tuple(sorted(real_components(out), key=lambda c: c.size))


class _Frame:
    """Weight vectors of one factor (columns of ``vectors``), their weights, and F_i between them.

    Weights are the values on the regular element, on the coroots, and on a basis of the Cartan subalgebra.
    """

    def __init__(self, roots: Roots, index: int) -> None:
        _, self.vectors = scipy.linalg.eigh(roots.image(index, roots.regular))
        turned = self.vectors.conj().T
        elements = roots.regular, *roots.coroots, *roots.cartan
        self.weights = np.stack(
            [np.real(np.diag(turned @ roots.image(index, h) @ self.vectors)) for h in elements], axis=1
        )
        images = [(turned @ roots.image(index, e) @ self.vectors).conj().T for e in roots.raising]
        self.lowering = [csr_array(self._between_weights(f)) for f in images]

    def _between_weights(self, f: NDArray) -> NDArray:
        """Keep the entries between weights that differ by the root; others are rounding."""
        row, column = np.unravel_index(int(np.argmax(np.abs(f))), f.shape)
        root = self.weights[row] - self.weights[column]
        distance = np.abs(self.weights[:, None] - self.weights[None, :] - root).max(axis=2)
        return np.where(distance <= np.sqrt(np.finfo(np.float64).eps) * (1 + np.abs(self.weights).max()), f, 0)


class _Weighted:
    """One side in a basis of weight vectors."""

    def __init__(self, side: Side, frames: dict[int, _Frame], roots: Roots) -> None:
        self.side, self.frames = side, frames
        width = 1 + len(roots.raising) + len(roots.cartan)
        tables = [np.zeros((0, width))]
        for word, count, _ in side.blocks():
            total = np.zeros((1, width))
            for factor in word:
                total = (total[:, None] + frames[id(factor)].weights[None, :]).reshape(-1, width)
            tables.append(np.tile(total, (count, 1)))
        self.weights = np.vstack(tables)
        self.lowering = [self._image(i) for i in range(len(roots.raising))]

    def _image(self, i: int) -> csr_array:
        words = [
            (leibniz([self.frames[id(f)].lowering[i] for f in word]), count) for word, count, _ in self.side.blocks()
        ]
        return block_diagonal(words)

    def to_standard(self, basis: NDArray) -> NDArray:
        """From weight coordinates to those of the user, for columns ``(N, m, k)``."""
        n, m, k = basis.shape
        if not m:
            return basis
        return self.side.kronecker(lambda f: self.frames[id(f)].vectors, basis.reshape(n, m * k)).reshape(n, m, k)


class _Filling:
    """The weight spaces of one side, and how far irreducibles fill them."""

    def __init__(self, weighted: _Weighted, numbers: NDArray, count: int) -> None:
        self.numbers, self.lowering = numbers, weighted.lowering
        self.rows = [np.flatnonzero(numbers == c) for c in range(count)]
        self.filled = [np.zeros((len(rows), 0), dtype=complex) for rows in self.rows]

    def lowered(self, i: int, space: int, to: int, vectors: NDArray) -> NDArray:
        """F_i applied to vectors ``(d, m)`` of one weight space, cleaned of what fills the next one."""
        moved = self.lowering[i][self.rows[to]][:, self.rows[space]] @ vectors
        q = self.filled[to]
        return moved - q @ (q.conj().T @ moved)

    def collect(self, found: list[tuple[int, list[NDArray]]], which: int) -> NDArray:
        """Vectors found, as columns ``(N, m, k)``; they fill their weight spaces."""
        out = np.zeros((len(self.numbers), found[0][1][which].shape[1], len(found)), dtype=complex)
        for j, (space, parts) in enumerate(found):
            out[self.rows[space], :, j] = parts[which]
            self.filled[space] = np.hstack([self.filled[space], parts[which]])
        return out


class _WeightSpaces:
    """The weights of all sides, numbered, and which of them can be highest ones."""

    def __init__(self, weighted: list[_Weighted], rank: int) -> None:
        table = np.vstack([w.weights for w in weighted])
        size = max(1.0, float(np.abs(table).max(initial=0.0)))
        coroots = table[:, 1 : rank + 1]
        if np.abs(coroots - np.round(coroots)).max(initial=0.0) > np.sqrt(np.finfo(np.float64).eps) * size:
            raise NotSplitError("weights are not whole numbers: the group does not act completely reducibly")
        # Weights differ by whole numbers on coroots; charges of the centre by whatever is more than rounding.
        charges = _merged(table[:, rank + 1 :], 1e3 * rounding(table.shape) * size)
        _, first, numbers = np.unique(
            np.column_stack([np.round(coroots), charges]), axis=0, return_index=True, return_inverse=True
        )
        ends = np.cumsum([len(w.weights) for w in weighted])[:-1]
        self.rank, self.weights = rank, table[first]
        parts = np.split(numbers.ravel(), ends)
        self.sides = [_Filling(w, part, len(first)) for w, part in zip(weighted, parts)]
        highest = np.flatnonzero((np.round(coroots[first]) >= 0).all(axis=1))
        # An irreducible reaches only weights below its own, and simple roots are positive on the regular element.
        self.dominant = highest[np.argsort(-self.weights[highest, 0])]
        self._below: dict[tuple[int, int], int | None] = {}

    def below(self, space: int, i: int) -> int | None:
        """The weight space that F_i maps to."""
        if (space, i) not in self._below:
            reached = [side.numbers[side.lowering[i][:, side.rows[space]].nonzero()[0]] for side in self.sides]
            found = np.unique(np.concatenate(reached))
            if len(found) > 1:
                raise NotSplitError("weights do not separate")
            self._below[space, i] = int(found[0]) if len(found) else None
        return self._below[space, i]


def _merged(values: NDArray, step: float) -> NDArray:
    """Number the values of each column so that close ones share a number."""
    out = np.empty(values.shape)
    for j, column in enumerate(values.T):
        order = np.argsort(column)
        out[order, j] = np.concatenate([[0], np.cumsum(np.diff(column[order]) > step)]) if len(column) else []
    return out


def _complement(filled: NDArray) -> NDArray:
    """Orthonormal basis ``(d, d - f)`` of what orthonormal columns ``(d, f)`` leave."""
    d, f = filled.shape
    if not d or f >= d:
        return np.zeros((d, 0), dtype=complex)
    return scipy.linalg.qr(filled, mode="full")[0][:, f:] if f else np.eye(d, dtype=complex)


def _lowered(spaces: _WeightSpaces, space: int, highest: list[NDArray]) -> list[tuple[int, list[NDArray]]]:
    """Bases of all copies, by the words that the first copy of all needs: weight space and vectors on each side."""
    guide = next(i for i, h in enumerate(highest) if h.shape[1])
    found, done = [(space, highest)], 0
    while done < len(found):
        here, vectors = found[done]
        done += 1
        for i in range(spaces.rank):
            to = spaces.below(here, i)
            if to is None:
                continue
            moved = [side.lowered(i, here, to, v) for side, v in zip(spaces.sides, vectors)]
            known = [parts for number, parts in found if number == to]
            new = _new_vectors(moved, known, guide)
            if new is not None:
                found.append((to, new))
    return found


def _new_vectors(moved: list[NDArray], known: list[list[NDArray]], guide: int) -> list[NDArray] | None:
    """What is new in the first copy, normalised, and the same combination of all copies; None where nothing is."""
    one = moved[guide][:, 0]
    basis = np.stack([parts[guide][:, 0] for parts in known], axis=1) if known else np.zeros((len(one), 0))
    along = basis.conj().T @ one
    rest = one - basis @ along
    again = basis.conj().T @ rest
    along, rest = along + again, rest - basis @ again
    norm = float(np.linalg.norm(rest))
    # E_i and F_i are scaled to whole numbers: what is new has a norm of about 1.
    if norm <= np.sqrt(np.finfo(np.float64).eps) * max(1.0, float(np.linalg.norm(one))):
        return None
    return [(m - sum(a * parts[k] for a, parts in zip(along, known))) / norm for k, m in enumerate(moved)]


def _label(roots: Roots, weight: NDArray) -> str:
    rank = len(roots.raising)
    if not rank:
        charge = float(np.linalg.norm(weight[1:]))
        return "trivial" if charge < 1e-8 else f"charge {charge:.3g}"
    whole = np.round(weight[1 : rank + 1]).astype(int)
    simple_part = float(np.linalg.norm(weight[rank + 1 :]))
    if not whole.any() and simple_part < 1e-8:
        return "trivial"
    if len(roots.cartan) == 1:
        l = int(whole[0])
        return f"spin {l // 2}" if l % 2 == 0 else f"spin {l}/2"
    return "highest weight (" + ", ".join(str(a) for a in whole) + ")"
