"""Representations of a direct product that come from one factor: ``V1``, ``V2``, ``spin(2)@2``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra.atoms import AbstractAtom, Defining, Dual
from erlangen.algebra.group import Group
from erlangen.algebra.representation import Representation, collected


@dataclass(frozen=True)
class OnFactor(AbstractAtom):
    """An atom of one factor of a direct product; the other factors act trivially.

    Parameters
    ----------
    of : AbstractAtom
        Of the factor.
    index : int
        Which factor, counted from 1.
    product : Group
        The direct product.
    """

    of: AbstractAtom
    index: int
    product: Group

    @property
    def size(self) -> int:
        return self.of.size

    @property
    def text(self) -> str:
        return f"V{self.index}" if isinstance(self.of, Defining) else f"{self.of.text}@{self.index}"

    @property
    def dual(self) -> AbstractAtom:
        return lifted(self.of.dual, self.product, self.index)

    @property
    def factor(self) -> Group:
        """The factor that acts."""
        return self.product.factors[self.index - 1]

    def lie(self, a: NDArray) -> NDArray:
        return self.of.lie(self._own_block(a))

    def element(self, g: NDArray) -> NDArray:
        return self.of.element(self._own_block(g))

    def lie_images(self, group: Group) -> NDArray:
        if group != self.product:
            return super().lie_images(group)
        before, after = self._others([len(g.lie_algebra) for g in group.factors])
        return np.pad(self.of.lie_images(self.factor), ((before, after), (0, 0), (0, 0)))

    def discrete_images(self, group: Group) -> NDArray:
        if group != self.product:
            return super().discrete_images(group)
        out = np.tile(np.eye(self.size), (len(group.discrete), 1, 1))
        before, after = self._others([len(g.discrete) for g in group.factors])
        out[before : len(out) - after] = self.of.discrete_images(self.factor)
        return out

    def _own_block(self, matrix: NDArray) -> NDArray:
        start, after = self._others([g.size for g in self.product.factors])
        own = slice(start, len(matrix) - after)
        return matrix[own, own]

    def _others(self, counts: list[int]) -> tuple[int, int]:
        return sum(counts[: self.index - 1]), sum(counts[self.index :])


def on_factor(r: Representation, product: Group, index: int) -> Representation:
    """Let a direct product act through one of its factors, counted from 1.

    Parameters
    ----------
    r : Representation
        Of the factor.
    product : Group
        A direct product.
    index : int
        Which factor, from 1.

    Returns
    -------
    Representation
        Of the product, of the size of r.

    Raises
    ------
    InputError
        When the product has no such factor, or r is a representation of another group.

    Examples
    --------
    >>> from erlangen.algebra import groups, rep
    >>> print(on_factor(rep("2V + S", groups.SO(3)), groups.S(5) * groups.SO(3), 2))
    2V2 + S
    """
    if not 1 <= index <= len(product.factors) or product.factors[index - 1] != r.group:
        raise InputError(
            explain(
                f"{r} is not a representation of factor {index}.",
                given=f"a representation of {r.group.name}, and {product.name}",
                expected=f"an index from 1 to {len(product.factors)}, of the factor {r.group.name}",
                fix=f'on_factor(rep("V", group.factors[0]), group, 1), with group = {r.group.name} * groups.S(3)',
            )
        )
    return collected(product, [(tuple(lifted(a, product, index) for a in word), n) for word, n in r.terms])


def lifted(atom: AbstractAtom, product: Group, index: int) -> AbstractAtom:
    """The atom of one factor as one of the product; V2.T is the dual of V2, for V.T and any other."""
    if isinstance(atom, Dual):
        return Dual(lifted(atom.of, product, index))
    return OnFactor(atom, index, product)
