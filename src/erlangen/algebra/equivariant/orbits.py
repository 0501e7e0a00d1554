"""Maps that commute with permutations: one for each orbit on pairs of coordinates.

A group of permutations, with signs or without, moves the entries of a matrix among
themselves; the equivariant ones are constant along orbits. Orbits are connected components, in
time linear in the number of entries. With signs, an orbit that meets an entry with both signs
carries nothing.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from erlangen._typing import NDArray
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
    rows, columns = ([_moved(side, i) for i in range(count)] for side in (target, source))
    a, b = target.size, source.size
    if a > b:  # walks go over rows one by one: fewer of them
        return _turned(orbit_maps(source, target), b, a)
    labels, signs, kept = _labels(rows, columns, a, b)
    labels = _numbered(labels, kept)
    dim, dropped = int(labels.max(initial=-1)) + 1, int(a * b - kept.sum())
    words = f"{dim} orbits of the group on {target.size} x {source.size} entries"
    return OrbitSubspace(labels, signs, words + (f"; signs cancel on {dropped} entries" if dropped else ""))


def _labels(rows: list, columns: list, a: int, b: int) -> tuple[NDArray, NDArray, NDArray]:
    """Label of the orbit of each entry, its sign, and whether it may differ from zero; each ``(a * b,)``."""
    if all((sign > 0).all() for _, sign in (*rows, *columns)):
        labels = _pair_orbits(rows, [(image, image) for image, _ in columns], a, b).ravel()
        return labels, np.ones(a * b, dtype=np.int8), np.ones(a * b, dtype=bool)
    # Two copies of every column, one for each sign; an orbit that joins them must vanish.
    doubled = [(_doubled(image, sign), _doubled(image, -sign)) for image, sign in columns]
    both = _pair_orbits(rows, doubled, a, 2 * b).reshape(a, 2, b).transpose(1, 0, 2).reshape(2, -1)
    signs = np.where(both[0] < both[1], 1, -1).astype(np.int8)
    return both.min(axis=0), signs, both[0] != both[1]


def _turned(maps: OrbitSubspace, a: int, b: int) -> OrbitSubspace:
    """The same orbits on the entries of transposed matrices, of shape (a, b) before."""
    labels, signs = (x.reshape(a, b).T.ravel() for x in (maps.labels, maps.signs))
    words = maps.reason.replace(f"{a} x {b} entries", f"{b} x {a} entries")
    return OrbitSubspace(_numbered(np.maximum(labels, 0), labels >= 0), signs, words)


def _is_monomial(matrices: NDArray) -> bool:
    size = np.abs(matrices)
    return bool(np.isin(size, (0.0, 1.0)).all() and (size.sum(axis=1) == 1).all() and (size.sum(axis=2) == 1).all())


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


def _doubled(image: NDArray, sign: NDArray) -> NDArray:
    """A signed permutation of b columns as a permutation of 2 b."""
    b = len(image)
    here, there = np.where(sign > 0, image, image + b), np.where(sign > 0, image + b, image)
    return np.concatenate([here, there])


def _pair_orbits(
    rows: list[tuple[NDArray, NDArray]], columns: list[tuple[NDArray, NDArray]], a: int, b: int
) -> NDArray:
    """Orbits on pairs of a row and a column, as labels ``(a, b)``.

    Every orbit meets the columns of one row of each orbit of rows: what is left is the action of the
    stabiliser of that row on them, which Schreier's lemma generates by the closed walks along
    a spanning tree. One gather of length b for each row and generator.

    Parameters
    ----------
    rows : list of (ndarray (a,), ndarray (a,))
        Where each generator sends each row, and with which sign.
    columns : list of (ndarray (b,), ndarray (b,))
        Where it sends each column, of a row that it moves with sign 1 and -1.
    """
    labels = np.empty((a, b), dtype=np.int64)
    seen, next_label = np.zeros(a, dtype=bool), 0
    steps = [(image.tolist(), (sign < 0).tolist(), moves) for (image, sign), moves in zip(rows, columns)]
    for root in range(a):
        if seen[root]:
            continue
        seen[root] = True
        walks, queue = {root: np.arange(b)}, [root]
        here = np.arange(b)
        for row in queue:
            for image, negative, moves in steps:
                to, walk = image[row], moves[negative[row]][walks[row]]
                if not seen[to]:
                    seen[to] = True
                    walks[to] = walk
                    queue.append(to)
                    continue
                # Two walks from the root to one row: what they bring to one column is one orbit.
                back = np.empty(b, dtype=np.int64)
                back[walks[to]] = here
                here = _merged(here, back[walk])
        for row in queue:
            labels[row, walks[row]] = here + next_label
        next_label += b
    return labels


def _merged(labels: NDArray, others: NDArray) -> NDArray:
    """Labels ``(b,)`` after joining each one to the other label of the same column."""
    if np.array_equal(labels, others):
        return labels
    b = len(labels)
    graph = csr_array((np.ones(b), (labels, others)), shape=(b, b))
    return connected_components(graph, directed=True, connection="weak")[1][labels]


def _numbered(labels: NDArray, kept: NDArray) -> NDArray:
    """Number the kept labels 0, 1, .. in the order of their first entry; -1 for the others."""
    entries = np.flatnonzero(kept)
    first = np.full(int(labels.max(initial=-1)) + 1, len(labels))
    first[labels[entries[::-1]]] = entries[::-1]  # the last assignment to a label is its first entry
    order = np.argsort(first)
    rank = np.empty(len(first), dtype=np.int64)
    rank[order] = np.arange(len(first))
    return np.where(kept, rank[labels], -1)
