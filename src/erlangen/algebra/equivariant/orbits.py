"""Maps that commute with permutations: one for each orbit on pairs of coordinates.

A group of permutations, with signs or without, moves the entries of a matrix among
themselves; the equivariant ones are constant along orbits. Orbits are connected components, in
time linear in the number of entries. With signs, an orbit that meets an entry with both signs
carries nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from erlangen.algebra.equivariant._sides import Factor, Side
from erlangen.linalg.structured import OrbitSubspace


def permutes(side: Side) -> bool:
    """Whether every generator permutes the coordinates of every factor, up to signs."""
    return all(not np.any(f.lie) and _is_monomial(f.discrete) for f in side.factors)


def orbit_maps(target: Side, source: Side) -> OrbitSubspace:
    """Maps between two sides that a group permutes.

    Parameters
    ----------
    target, source : Side
        Sides of sizes a and b, for which `permutes` holds.

    Returns
    -------
    OrbitSubspace
        Of the a * b entries of a matrix, row by row.
    """
    count = next((len(f.discrete) for f in (*target.factors, *source.factors)), 0)
    moves = [_moved_entries(target, source, i) for i in range(count)]
    n = target.size * source.size
    if all((signs > 0).all() for _, signs in moves):
        labels = _components([image for image, _ in moves], n)
        kept, signs = np.ones(n, dtype=bool), np.ones(n, dtype=np.int8)
    else:
        # Two copies of every entry, one for each sign; an orbit that joins them must vanish.
        images = [
            np.concatenate([np.where(s > 0, image, image + n), np.where(s > 0, image + n, image)]) for image, s in moves
        ]
        both = _components(images, 2 * n).reshape(2, n)
        kept = both[0] != both[1]
        labels, signs = both.min(axis=0), np.where(both[0] < both[1], 1, -1).astype(np.int8)
    labels = _numbered(labels, kept)
    dim, dropped = int(labels.max(initial=-1)) + 1, int(n - kept.sum())
    words = f"{dim} orbits of the group on {target.size} x {source.size} entries"
    return OrbitSubspace(labels, signs, words + (f"; signs cancel on {dropped} entries" if dropped else ""))


def _is_monomial(matrices: NDArray) -> bool:
    size = np.abs(matrices)
    return bool(np.isin(size, (0.0, 1.0)).all() and (size.sum(axis=1) == 1).all() and (size.sum(axis=2) == 1).all())


def _moved_entries(target: Side, source: Side, which: int) -> tuple[NDArray, NDArray]:
    """Where generator number ``which`` sends each entry of a matrix, and with which sign."""
    (rows, row_signs), (columns, column_signs) = (_moved(side, which) for side in (target, source))
    image = (rows[:, None] * len(columns) + columns[None, :]).ravel()
    return image, (row_signs[:, None] * column_signs[None, :]).ravel()


def _moved(side: Side, which: int) -> tuple[NDArray, NDArray]:
    """Where one generator sends each coordinate of a side, and with which sign."""
    images, signs = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int8)]
    for word, count, rows in side.blocks():
        image, sign = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int8)
        for factor in word:
            to, s = _columns(factor, which)
            image = (image[:, None] * factor.size + to[None, :]).ravel()
            sign = (sign[:, None] * s[None, :]).ravel()
        start = rows.start + len(image) * np.arange(count)[:, None]
        images.append((start + image).ravel())
        signs.append(np.tile(sign, count))
    return np.concatenate(images), np.concatenate(signs)


def _columns(factor: Factor, which: int) -> tuple[NDArray, NDArray]:
    matrix = factor.discrete[which]
    to = np.argmax(np.abs(matrix), axis=0)
    return to, np.sign(matrix[to, np.arange(len(to))]).astype(np.int8)


def _components(images: list[NDArray], n: int) -> NDArray:
    """Label the connected components of the graph of ``v -> image[v]``."""
    if not images:
        return np.arange(n)
    index = np.int32 if n * len(images) < 2**31 else np.int64
    ends = np.empty((n, len(images)), dtype=index)
    for column, image in enumerate(images):
        ends[:, column] = image
    graph = csr_array((np.ones(ends.size), ends.ravel(), np.arange(0, ends.size + 1, len(images), dtype=index)), (n, n))
    return connected_components(graph, directed=True, connection="weak")[1]


def _numbered(labels: NDArray, kept: NDArray) -> NDArray:
    """Number the kept labels 0, 1, .. in the order of their first entry; -1 for the others."""
    entries = np.flatnonzero(kept)
    first = np.full(int(labels.max(initial=-1)) + 1, len(labels))
    first[labels[entries[::-1]]] = entries[::-1]  # the last assignment to a label is its first entry
    order = np.argsort(first)
    rank = np.empty(len(first), dtype=np.int64)
    rank[order] = np.arange(len(first))
    return np.where(kept, rank[labels], -1)
