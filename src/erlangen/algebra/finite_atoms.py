"""The regular representation of a finite group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra._elements import Elements
from erlangen.algebra.atoms import AbstractAtom
from erlangen.algebra.group import Group
from erlangen.algebra.representation import Representation

_LARGEST = 2_000  # elements: images are dense matrices of this size, 32 MB each


@dataclass(frozen=True)
class Regular(AbstractAtom):
    """Functions on a finite group, moved by multiplication from the left: g e_h = e_{gh}.

    The basis is the list `Group.elements`: the identity first, then products of more and more generators.
    """

    home: Group

    @property
    def size(self) -> int:
        return len(self._elements)

    @property
    def text(self) -> str:
        return "regular"

    @property
    def dual(self) -> AbstractAtom:
        return self

    def lie(self, a: NDArray) -> NDArray:
        return np.zeros((self.size, self.size))

    def element(self, g: NDArray) -> NDArray:
        out = np.zeros((self.size, self.size))
        for column, h in enumerate(self._elements.matrices):
            row = self._elements.index(g @ h)
            if row is None:
                raise InputError(
                    explain(
                        f"The regular representation of {self.home.name} acts by its elements.",
                        given=f"a matrix of shape {g.shape} that is none of the {self.size} elements",
                        expected=f"a matrix of {self.home.name}",
                        fix="representation.group_matrix(group.discrete[0])",
                    )
                )
            out[row, column] = 1.0
        return out

    @cached_property
    def _elements(self) -> Elements:
        return self.home.elements(_LARGEST)


def regular(group: Group) -> Representation:
    """Return the regular representation of a finite group of at most 2,000 elements, typed ``regular``.

    Parameters
    ----------
    group : Group
        Finite.

    Returns
    -------
    Representation
        Of the size of the order of the group.

    Raises
    ------
    InputError
        When the group is infinite or too large to list.

    Examples
    --------
    >>> from erlangen.algebra import groups
    >>> print(regular(groups.S(4)).size)
    24
    """
    # The elements are listed here, so that a group that is too large is refused where it is asked for.
    group.elements(_LARGEST)
    return Representation(group, (((Regular(group),), 1),))
