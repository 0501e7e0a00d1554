"""Representations of a matrix group as values, written as one says them: ``2V + S + V*V.T``.

A representation is a sum of tensor words in atoms: V, its dual, powers, spins and so on. Products
of sums are multiplied out from left to right, which fixes the order of the basis: the blocks
follow each other as printed, and the last factor of a word varies fastest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from erlangen._errors import InputError, explain
from erlangen._render import name_latex
from erlangen._shown import AbstractShown, card
from erlangen._typing import NDArray
from erlangen.algebra._words import block_diagonal, kronecker, leibniz
from erlangen.algebra.atoms import AbstractAtom
from erlangen.algebra.group import Group
from erlangen.algebra.membership import check_subgroup

Word = tuple[AbstractAtom, ...]
"""Factors of a tensor product. The empty word is a scalar."""

_MOST_TERMS = 10_000
_LARGEST_COUNT = 999_999  # what can be typed


@dataclass(frozen=True, repr=False)
class Representation(AbstractShown):
    """A sum of tensor products of atoms.

    Parameters
    ----------
    group : Group
        The group that acts.
    terms : tuple of (word, count)
        Blocks in order; equal neighbours are counted together.

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> V = rep("V", SO(3))
    >>> print(V * V + 2 * V, (V * V.dual).size, V >> V * V)
    V**2 + 2V 9 V >> V**2
    """

    group: Group
    terms: tuple[tuple[Word, int], ...]

    @cached_property
    def size(self) -> int:
        """Dimension N of the space."""
        return sum(count * word_size(word) for word, count in self.terms)

    @property
    def dual(self) -> Representation:
        """The representation on linear functionals, g to the inverse transpose."""
        return collected(self.group, [(tuple(atom.dual for atom in word), count) for word, count in self.terms])

    T = dual

    @cached_property
    def lie_images(self) -> tuple[csr_array, ...]:
        """csr_array images ``(N, N)`` of the generators of the group, in their order."""
        return self._images(leibniz, len(self.group.lie_algebra), lambda atom: atom.lie_images(self.group))

    @cached_property
    def discrete_images(self) -> tuple[csr_array, ...]:
        """csr_array images ``(N, N)`` of the discrete elements of the group, in their order."""
        return self._images(kronecker, len(self.group.discrete), lambda atom: atom.discrete_images(self.group))

    def restricted(self, subgroup: Group) -> Representation:
        """The same words, of a subgroup that is known to be one: `restrict` checks it.

        Parameters
        ----------
        subgroup : Group
            Of matrices of the same size k.

        Returns
        -------
        Representation
            Of the subgroup.
        """
        return collected(subgroup, [(tuple(atom.restricted(subgroup) for atom in w), n) for w, n in self.terms])

    def restrict(self, subgroup: Group) -> Representation:
        """The same words, of a subgroup; symbols keep their meaning.

        Parameters
        ----------
        subgroup : Group
            Given by matrices of the same size k.

        Returns
        -------
        Representation
            Of the subgroup.

        Raises
        ------
        InputError
            If a generator of the subgroup can be seen not to lie in the group: see
            `erlangen.algebra.membership.outsider`.

        Examples
        --------
        >>> from erlangen.algebra import groups, rep
        >>> r = rep("V*V + spin(2)", groups.SO(3)).restrict(groups.Cube())
        >>> print(r, r.group.name, len(r.discrete_images))
        V**2 + spin(2) Cube() 2
        """
        check_subgroup(subgroup, self.group)
        return self.restricted(subgroup)

    def matrix(self, a: NDArray) -> NDArray:
        """Matrix ``(N, N)`` of an element ``(k, k)`` of the Lie algebra.

        Leibniz' rule: on a product it is the sum over factors of the image of A with the identity
        on all others.

        Parameters
        ----------
        a : ndarray (k, k)
            Element of the Lie algebra.

        Returns
        -------
        ndarray (N, N)
            Its image.

        Raises
        ------
        InputError
            When the argument is not a real matrix ``(k, k)``.
        """
        a = self._element(a)
        return self._images(leibniz, 1, lambda atom: atom.lie(a)[None])[0].toarray()

    def group_matrix(self, g: NDArray) -> NDArray:
        """Matrix ``(N, N)`` of a group element ``(k, k)``: Kronecker products of the images on the atoms.

        Parameters
        ----------
        g : ndarray (k, k)
            Element of the group.

        Returns
        -------
        ndarray (N, N)
            Its image.

        Raises
        ------
        InputError
            When the argument is not a real matrix ``(k, k)``.
        """
        g = self._element(g)
        return self._images(kronecker, 1, lambda atom: atom.element(g)[None])[0].toarray()

    def _images(
        self, of_word: Callable[[list[csr_array]], csr_array], count: int, of_atom: Callable[[AbstractAtom], NDArray]
    ) -> tuple[csr_array, ...]:
        dense = {atom: of_atom(atom) for word, _ in self.terms for atom in word}
        images = []
        for i in range(count):
            sparse = {atom: csr_array(stack[i]) for atom, stack in dense.items()}
            blocks = {word: of_word([sparse[atom] for atom in word]) for word, _ in self.terms}
            images.append(block_diagonal([(blocks[word], n) for word, n in self.terms]))
        return tuple(images)

    def _element(self, a: NDArray) -> NDArray:
        a, k = np.asarray(a), self.group.size
        if a.shape != (k, k) or a.dtype.kind not in "fiub":
            raise InputError(
                explain(
                    f"A representation of {self.group.name} acts through matrices of size {k}.",
                    given=f"an array of shape {a.shape} and type {a.dtype}",
                    expected=f"real numbers, shape ({k}, {k})",
                    fix="representation.matrix(group.lie_algebra[0])",
                )
            )
        return np.asarray(a, dtype=np.float64)

    def __rshift__(self, target: Representation) -> LinearMaps:
        if not isinstance(target, Representation):
            return NotImplemented
        self._same_group(target)
        return LinearMaps(self, target)

    def __add__(self, other: Representation) -> Representation:
        if not isinstance(other, Representation):
            return NotImplemented
        self._same_group(other)
        return collected(self.group, [*self.terms, *other.terms])

    def __mul__(self, other: Representation | int) -> Representation:
        if isinstance(other, int):
            return self.__rmul__(other)
        if not isinstance(other, Representation):
            return NotImplemented
        self._same_group(other)
        # Blocks stay in the order of the products; equal neighbours can be counted together only
        # where the right side is a single word.
        single = len(other.terms) == 1
        expanded = len(self.terms) if single else sum(n for _, n in self.terms) * len(other.terms)
        if expanded > _MOST_TERMS:
            raise _too_many(expanded)
        pairs = [
            (left + right, n * count if single else count)
            for left, n in self.terms
            for _ in range(1 if single else n)
            for right, count in other.terms
        ]
        return collected(self.group, pairs)

    def __rmul__(self, count: int) -> Representation:
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            return NotImplemented
        if len(self.terms) == 1:
            return collected(self.group, [(word, n * count) for word, n in self.terms])
        if len(self.terms) * count > _MOST_TERMS:
            raise _too_many(len(self.terms) * count)
        return collected(self.group, list(self.terms) * count)

    def __pow__(self, exponent: int) -> Representation:
        if not isinstance(exponent, int) or exponent < 0:
            return NotImplemented
        if exponent * max((len(word) for word, _ in self.terms), default=0) > _MOST_TERMS:
            raise _too_many(exponent)
        if len(self.terms) == 1 and self.terms[0][1] == 1:
            return Representation(self.group, ((self.terms[0][0] * exponent, 1),))
        out = Representation(self.group, (((), 1),))
        for _ in range(exponent):
            out = out * self
        return out

    def _same_group(self, other: Representation) -> None:
        if other.group != self.group:
            raise InputError(
                explain(
                    "Representations of different groups do not combine.",
                    given=f"{self} of {self.group.name} and {other} of {other.group.name}",
                    expected="one group",
                    fix=f'rep("{other}", {self.group.name})',
                )
            )

    def __str__(self) -> str:
        return " + ".join(_term_text(word, count) for word, count in self.terms) or "0"

    def _repr_html_(self) -> str:
        return card(f"{self}", [("group", self.group.name), ("size", self.size)])

    def _repr_latex_(self) -> str:
        return f"${name_latex(str(self).replace('**', '^'))}$"

    def __repr__(self) -> str:
        return f'rep("{self}", {self.group.name})'


@dataclass(frozen=True)
class LinearMaps(AbstractShown):
    """The space of linear maps between two representations of one group, ``source >> target``.

    Parameters
    ----------
    source, target : Representation
        Of sizes N_source and N_target: the maps are matrices ``(N_target, N_source)``, flattened
        row by row.
    """

    source: Representation
    target: Representation

    @property
    def group(self) -> Group:
        """The group that acts on both sides."""
        return self.source.group

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (N_target, N_source) of the matrices."""
        return self.target.size, self.source.size

    def __str__(self) -> str:
        return f"{self.source} >> {self.target}"


def word_size(word: Word) -> int:
    """Dimension of a tensor product."""
    size = 1
    for atom in word:
        size *= atom.size
    return size


def collected(group: Group, terms: list[tuple[Word, int]]) -> Representation:
    """Merge equal neighbours, so that equal representations have equal terms."""
    merged: list[tuple[Word, int]] = []
    for word, count in terms:
        if not count:
            continue
        if merged and merged[-1][0] == word:
            merged[-1] = word, merged[-1][1] + count
        else:
            merged.append((word, count))
        if merged[-1][1] > _LARGEST_COUNT:
            raise _too_many(merged[-1][1], f"at most {_LARGEST_COUNT} copies of one word")
    return Representation(group, tuple(merged))


def _term_text(word: Word, count: int) -> str:
    factors = []
    position = 0
    while position < len(word):
        run = 1
        while position + run < len(word) and word[position + run] == word[position]:
            run += 1
        factors.append(word[position].text + (f"**{run}" if run > 1 else ""))
        position += run
    body = "*".join(factors) or "S"
    return body if count == 1 else f"{count}{body}"


def _too_many(terms: int, expected: str = f"at most {_MOST_TERMS}") -> InputError:
    return InputError(
        explain(
            "Multiplied out, this representation has too many terms.",
            given=f"{terms} terms",
            expected=expected,
            fix="use lower powers, or work with the factors one by one",
        )
    )
