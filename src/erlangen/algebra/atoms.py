"""The atoms of which representations are made: one factor of a tensor product each.

An atom is a value: two atoms that act in the same way are equal, and its text is what one types
to get it. Everything else, sums, products and counts, is a `Representation`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.algebra.group import Group


class AbstractAtom(AbstractShown, ABC):
    """A representation that is written as one symbol, of size s.

    Subclasses are final, frozen and hashable.
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """Dimension s of the space."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What one types to get the atom."""

    @abstractmethod
    def lie(self, a: NDArray) -> NDArray:
        """Image ``(s, s)`` of an element ``(k, k)`` of the Lie algebra.

        Parameters
        ----------
        a : ndarray (k, k)
            Element of the Lie algebra.

        Returns
        -------
        ndarray (s, s)
            Its image.
        """

    @abstractmethod
    def element(self, g: NDArray) -> NDArray:
        """Image ``(s, s)`` of a group element ``(k, k)``.

        Parameters
        ----------
        g : ndarray (k, k)
            Element of the group.

        Returns
        -------
        ndarray (s, s)
            Its image.
        """

    @property
    def dual(self) -> AbstractAtom:
        """The representation on linear functionals: itself where the images are orthogonal."""
        return Dual(self)

    def restricted(self, subgroup: Group) -> AbstractAtom:
        """The same action, of a subgroup given by matrices of the same size k.

        Parameters
        ----------
        subgroup : Group
            Of matrices of size k.

        Returns
        -------
        AbstractAtom
            The action of the subgroup.
        """
        return self

    def lie_images(self, group: Group) -> NDArray:
        """Images ``(p, s, s)`` of the generators of a group of matrices of size k.

        Parameters
        ----------
        group : Group
            With p generators, matrices of size k.

        Returns
        -------
        ndarray (p, s, s)
            Their images.
        """
        return stacked_images([self.lie(a) for a in group.lie_algebra], self.size)

    def discrete_images(self, group: Group) -> NDArray:
        """Images ``(m, s, s)`` of the discrete elements of a group of matrices of size k.

        Parameters
        ----------
        group : Group
            With m discrete elements, matrices of size k.

        Returns
        -------
        ndarray (m, s, s)
            Their images.
        """
        return stacked_images([self.element(g) for g in group.discrete], self.size)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Defining(AbstractAtom):
    """The matrices of the group themselves, V."""

    k: int

    @property
    def size(self) -> int:
        return self.k

    @property
    def text(self) -> str:
        return "V"

    def lie(self, a: NDArray) -> NDArray:
        return a

    def element(self, g: NDArray) -> NDArray:
        return g

    def lie_images(self, group: Group) -> NDArray:
        return group.lie_algebra

    def discrete_images(self, group: Group) -> NDArray:
        return group.discrete


@dataclass(frozen=True)
class Dual(AbstractAtom):
    """Functionals on another atom: g acts by the inverse transpose."""

    of: AbstractAtom

    @property
    def size(self) -> int:
        return self.of.size

    @property
    def text(self) -> str:
        return f"{self.of.text}.T"

    @property
    def dual(self) -> AbstractAtom:
        return self.of

    def restricted(self, subgroup: Group) -> AbstractAtom:
        return Dual(self.of.restricted(subgroup))

    def lie(self, a: NDArray) -> NDArray:
        return -self.of.lie(a).T

    def element(self, g: NDArray) -> NDArray:
        return inverse_transposed(self.of.element(g))

    def lie_images(self, group: Group) -> NDArray:
        return -self.of.lie_images(group).transpose(0, 2, 1)

    def discrete_images(self, group: Group) -> NDArray:
        return stacked_images([inverse_transposed(g) for g in self.of.discrete_images(group)], self.size)


def inverse_transposed(g: NDArray) -> NDArray:
    """Inverse transpose ``(s, s)``, exact where g is an orthogonal matrix of integers (a signed permutation)."""
    if np.array_equal(g, np.round(g)) and np.array_equal(np.abs(g).sum(axis=0), np.ones(len(g))):
        if np.array_equal(np.abs(g).sum(axis=1), np.ones(len(g))):
            return g
    return np.linalg.inv(g).T


def stacked_images(images: list[NDArray], size: int) -> NDArray:
    """Matrices ``(s, s)`` as one array, also where there are none."""
    return np.stack(images) if images else np.zeros((0, size, size))
