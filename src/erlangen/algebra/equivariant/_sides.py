"""The two sides of an equivariant map: sums of tensor words, moved factor by factor.

A word of r factors of sizes s_1 .. s_r is never multiplied out: a generator acts on it by
Leibniz' rule, one factor at a time, and a group element by one product per factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np

from erlangen._typing import NDArray
from erlangen.algebra.group import Group
from erlangen.algebra.representation import Representation


@dataclass(frozen=True, eq=False)
class Factor:
    """One factor of a tensor word: the images of the group's generators on R^s.

    Attributes
    ----------
    lie : ndarray (p, s, s)
        Images of the generators of the Lie algebra.
    discrete : ndarray (m, s, s)
        Images of the discrete generators.
    """

    lie: NDArray
    discrete: NDArray

    @property
    def size(self) -> int:
        """Dimension s."""
        return self.lie.shape[1]


@dataclass(frozen=True, eq=False)
class Side:
    """A sum of tensor words ``(factors, count)``, the blocks of one side in order."""

    words: tuple[tuple[tuple[Factor, ...], int], ...]

    @property
    def size(self) -> int:
        """Dimension N."""
        return sum(count * _word_size(word) for word, count in self.words)

    @cached_property
    def factors(self) -> tuple[Factor, ...]:
        """The different factors, each once."""
        return tuple({id(f): f for word, _ in self.words for f in word}.values())

    def blocks(self) -> Iterator[tuple[tuple[Factor, ...], int, slice]]:
        """Each word with its count and the rows of all its copies."""
        start = 0
        for word, count in self.words:
            stop = start + count * _word_size(word)
            yield word, count, slice(start, stop)
            start = stop

    def lie_apply(self, weights: NDArray, x: NDArray) -> NDArray:
        """Apply the image of ``sum_k weights[k] A_k`` to the columns of ``x (N, r)``."""
        moved = {id(f): np.tensordot(weights, f.lie, 1) for f in self.factors}
        return self.leibniz(lambda f: moved[id(f)], x)

    def leibniz(self, image: Callable[[Factor], NDArray], x: NDArray) -> NDArray:
        """Apply to ``x (N, r)`` the derivation that acts on each factor by ``image(factor) (s, s)``."""
        out = np.zeros(x.shape, dtype=np.result_type(x, *(image(f) for f in self.factors)))
        for word, count, rows in self.blocks():
            for position, factor in enumerate(word):
                out[rows] += _along(image(factor), word, position, count, x[rows])
        return out

    def kronecker(self, image: Callable[[Factor], NDArray], x: NDArray) -> NDArray:
        """Apply to ``x (N, r)`` the tensor product of ``image(factor) (s, s)``."""
        out = np.array(x, dtype=np.result_type(x, *(image(f) for f in self.factors)))
        for word, count, rows in self.blocks():
            for position, factor in enumerate(word):
                out[rows] = _along(image(factor), word, position, count, out[rows])
        return out

    def map_factors(self, change: Callable[[Factor], Factor]) -> Side:
        """The same words with other factors."""
        changed = {id(f): change(f) for f in self.factors}
        return replace(self, words=tuple((tuple(changed[id(f)] for f in word), n) for word, n in self.words))


def sides_of(*representations: Representation) -> tuple[Side, ...]:
    """One side for each representation of one group; equal factors are shared."""
    made: dict = {}

    def factor(atom, group) -> Factor:
        if atom not in made:
            made[atom] = Factor(_without_rounding(atom.lie_images(group), group), atom.discrete_images(group))
        return made[atom]

    return tuple(
        Side(tuple((tuple(factor(atom, r.group) for atom in word), count) for word, count in r.terms))
        for r in representations
    )


def factors_of(sides: tuple[Side, ...]) -> tuple[Factor, ...]:
    """The different factors of all sides, each once."""
    return tuple({id(f): f for side in sides for f in side.factors}.values())


def _without_rounding(images: NDArray, group: Group) -> NDArray:
    """Images ``(p, s, s)`` with zero where a generator acts by rounding only, as one of trace 0 does on Alt2 of R^2."""
    sizes = np.linalg.norm(group.lie_algebra, axis=(1, 2))
    rounding = 100 * float(np.finfo(np.float64).eps) * group.size * sizes
    acts = np.linalg.norm(images, axis=(1, 2)) > rounding
    return images if acts.all() else np.where(acts[:, None, None], images, 0.0)


def _word_size(word: tuple[Factor, ...]) -> int:
    return prod(f.size for f in word)


def _along(matrix: NDArray, word: tuple[Factor, ...], position: int, count: int, x: NDArray) -> NDArray:
    """Multiply one factor of a word by a matrix, in all copies and columns at once."""
    before = count * _word_size(word[:position])
    after = _word_size(word[position + 1 :]) * x.shape[1]
    return np.matmul(matrix, x.reshape(before, word[position].size, after)).reshape(x.shape)
