"""Isotypic components from weight spaces and highest-weight vectors.

In a basis of weight vectors of every factor, all basis vectors of a tensor product have weights,
which add. A highest-weight vector is one that every simple root vector E_i sends to zero: a null
space within each weight space, which is small. Lowering it by F_i = E_i^H, along a path of words
that is the same for all copies, gives bases in which the copies are moved by the same matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.sparse import csr_array

from erlangen.algebra._words import block_diagonal, leibniz
from erlangen.algebra.equivariant._sides import Side
from erlangen.algebra.equivariant.isotypic import Component, NotSplitError
from erlangen.algebra.equivariant.real_form import real_components
from erlangen.algebra.equivariant.roots import Roots, find_roots
from erlangen.linalg.qr import rounding


@dataclass(frozen=True, eq=False)
class ComplexComponent:
    """One complex irreducible and its copies on each side.

    Attributes
    ----------
    bases : tuple of ndarray (N, m, k)
        Orthonormal copies on each side, complex, moved by the same k x k matrices.
    label : str
        Its highest weight.
    """

    bases: tuple[NDArray, ...]
    label: str


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
    factors = tuple({id(f): f for side in sides for f in side.factors}.values())
    roots = find_roots(factors, rng)
    frames = {id(f): _Frame(roots, i) for i, f in enumerate(factors)}
    width = len(roots.raising) + len(roots.cartan)
    weighted = [_Weighted(side, frames, len(roots.raising), width) for side in sides]
    spaces = _weight_spaces(weighted)
    out = []
    for space in spaces:
        highest = [_highest(side, rows) for side, rows in zip(weighted, space.rows)]
        if not any(h.shape[1] for h in highest):
            continue
        bases = _lowered(weighted, highest)
        label = _label(roots, space.weight)
        out.append(ComplexComponent(tuple(s.to_standard(b) for s, b in zip(weighted, bases)), label))
    return tuple(sorted(real_components(out), key=lambda c: c.size))


class _Frame:
    """Weight vectors of one factor (columns of ``vectors``), their weights, and E_i between them."""

    def __init__(self, roots: Roots, index: int) -> None:
        _, self.vectors = scipy.linalg.eigh(roots.image(index, roots.regular))
        turned = self.vectors.conj().T
        diagonal = [
            np.real(np.diag(turned @ roots.image(index, h) @ self.vectors)) for h in (*roots.coroots, *roots.cartan)
        ]
        self.weights = np.stack(diagonal, axis=1)
        images = [turned @ roots.image(index, e) @ self.vectors for e in roots.raising]
        self.raising = [
            csr_array(np.where(np.abs(e) > rounding(e.shape) * np.abs(e).max(initial=0.0), e, 0)) for e in images
        ]


class _Weighted:
    """One side in a basis of weight vectors."""

    def __init__(self, side: Side, frames: dict[int, _Frame], rank: int, width: int) -> None:
        self.side, self.frames = side, frames
        tables = [np.zeros((0, width))]
        for word, count, _ in side.blocks():
            total = np.zeros((1, width))
            for factor in word:
                total = (total[:, None] + frames[id(factor)].weights[None, :]).reshape(-1, width)
            tables.append(np.tile(total, (count, 1)))
        self.weights = np.vstack(tables)
        self.raising = [self._image(i) for i in range(rank)]
        self.lowering = [csr_array(e.conj().T) for e in self.raising]

    def _image(self, i: int) -> csr_array:
        blocks = [
            (leibniz([self.frames[id(f)].raising[i] for f in word]), count) for word, count, _ in self.side.blocks()
        ]
        return block_diagonal(blocks)

    def to_standard(self, basis: NDArray) -> NDArray:
        """From weight coordinates to those of the user, for columns ``(N, m, k)``."""
        n, m, k = basis.shape
        if not m:
            return basis
        return self.side.kronecker(lambda f: self.frames[id(f)].vectors, basis.reshape(n, m * k)).reshape(n, m, k)


@dataclass(frozen=True, eq=False)
class _Space:
    weight: NDArray
    rows: list[NDArray]


def _weight_spaces(weighted: list[_Weighted]) -> list[_Space]:
    """Rows of equal weight on each side, for weights that can be highest ones."""
    table = np.vstack([w.weights for w in weighted])
    rank = len(weighted[0].raising)
    size = max(1.0, float(np.abs(table).max(initial=0.0)))
    # Weights differ by whole numbers on coroots; charges of the centre by whatever is more than rounding.
    step = np.sqrt(np.finfo(np.float64).eps) * size
    keys = np.column_stack([np.round(table[:, :rank]), _merged(table[:, rank:], 1e3 * rounding(table.shape) * size)])
    if np.abs(table[:, :rank] - np.round(table[:, :rank])).max(initial=0.0) > step:
        raise NotSplitError("weights are not whole numbers: the group does not act completely reducibly")
    kinds, inverse = np.unique(keys, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    ends = np.cumsum([len(w.weights) for w in weighted])
    out = []
    for number, kind in enumerate(kinds):
        if rank and kind[:rank].min() < 0:
            continue
        rows = np.flatnonzero(inverse == number)
        parts = [
            rows[(rows >= end - len(w.weights)) & (rows < end)] - (end - len(w.weights))
            for w, end in zip(weighted, ends)
        ]
        out.append(_Space(table[rows[0]], parts))
    return out


def _merged(values: NDArray, step: float) -> NDArray:
    """Number the values of each column so that close ones share a number."""
    out = np.empty(values.shape)
    for j, column in enumerate(values.T):
        order = np.argsort(column)
        out[order, j] = np.concatenate([[0], np.cumsum(np.diff(column[order]) > step)]) if len(column) else []
    return out


def _highest(side: _Weighted, rows: NDArray) -> NDArray:
    """Orthonormal highest-weight vectors ``(N, m)`` within a weight space."""
    n = len(side.weights)
    if not len(rows):
        return np.zeros((n, 0), dtype=complex)
    parts = [np.zeros((0, len(rows)))]
    for e in side.raising:
        part = e[:, rows]
        parts.append(part[np.unique(part.nonzero()[0])].toarray())
    stacked = np.vstack(parts)
    _, s, vh = scipy.linalg.svd(stacked, full_matrices=True) if len(stacked) else (0, np.zeros(0), np.eye(len(rows)))
    rank = int(np.sum(s > np.sqrt(np.finfo(np.float64).eps)))  # E_i has norms of whole numbers: 0 or about 1
    out = np.zeros((n, len(rows) - rank), dtype=complex)
    out[rows] = vh[rank:].conj().T
    return out


def _lowered(weighted: list[_Weighted], highest: list[NDArray]) -> list[NDArray]:
    """Bases ``(N, m, k)`` of all copies, by the words that the first copy of all needs."""
    guide = next(i for i, h in enumerate(highest) if h.shape[1])
    found = [[h] for h in highest]
    done = 0
    while done < len(found[guide]):
        for i in range(len(weighted[guide].lowering)):
            moved = [side.lowering[i] @ f[done] for side, f in zip(weighted, found)]
            one, known = moved[guide][:, 0], np.stack([f[:, 0] for f in found[guide]], axis=1)
            along = known.conj().T @ one
            rest = one - known @ along
            along, rest = along + known.conj().T @ rest, rest - known @ (known.conj().T @ rest)
            norm = float(np.linalg.norm(rest))
            if norm <= np.sqrt(np.finfo(np.float64).eps) * max(1.0, float(np.linalg.norm(one))):
                continue
            near = np.flatnonzero(np.abs(along) > np.finfo(np.float64).eps * norm)
            for m, f in zip(moved, found):
                f.append((m - sum(along[j] * f[j] for j in near)) / norm)
        done += 1
    return [np.stack(f, axis=2) for f in found]


def _label(roots: Roots, weight: NDArray) -> str:
    rank = len(roots.raising)
    if not rank:
        charge = float(np.linalg.norm(weight))
        return "trivial" if charge < 1e-8 else f"charge {charge:.3g}"
    whole = np.round(weight[:rank]).astype(int)
    simple_part = float(np.linalg.norm(weight[rank:]))
    if not whole.any() and simple_part < 1e-8:
        return "trivial"
    if len(roots.cartan) == 1:
        l = int(whole[0])
        return f"spin {l // 2}" if l % 2 == 0 else f"spin {l}/2"
    return "highest weight (" + ", ".join(str(a) for a in whole) + ")"
