"""Symmetric and alternating powers of a representation, in orthonormal bases.

The power of degree r of R^n has a basis vector for each multiset (symmetric) or set (alternating)
of r indices, in lexicographic order: the sum, or signed sum, of all different orders of
e_i x e_j x ..., divided by its length. Orthogonal matrices therefore act orthogonally.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, combinations_with_replacement, permutations
from math import comb

import numpy as np
from scipy.sparse import csr_array

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra._words import check_affordable, leibniz
from erlangen.algebra.atoms import AbstractAtom, stacked_images
from erlangen.algebra.group import Group
from erlangen.algebra.representation import Representation


@dataclass(frozen=True)
class _AbstractPower(AbstractAtom):
    """A power of degree r >= 1 of a representation of size n."""

    of: Representation
    degree: int

    @property
    @abstractmethod
    def indices(self) -> NDArray:
        """Indices ``(s, r)`` of the first term of each basis vector."""

    @property
    @abstractmethod
    def _symbol(self) -> str: ...

    @abstractmethod
    def _orders(self, index: tuple[int, ...]) -> dict[tuple[int, ...], int]:
        """The terms of a basis vector, each with its sign."""

    @property
    def text(self) -> str:
        return f"{self._symbol}{self.degree}({self.of})"

    @property
    def dual(self) -> AbstractAtom:
        return type(self)(self.of.dual, self.degree)

    def restricted(self, subgroup: Group) -> AbstractAtom:
        return type(self)(self.of.restricted(subgroup), self.degree)

    def lie(self, a: NDArray) -> NDArray:
        self._check_affordable()
        return self._derivation(self.of.matrix(a))

    def element(self, g: NDArray) -> NDArray:
        self._check_affordable()
        return self._power(self.of.group_matrix(g))

    def lie_images(self, group: Group) -> NDArray:
        self._check_affordable()
        return stacked_images([self._derivation(a.toarray()) for a in self.of.lie_images], self.size)

    def discrete_images(self, group: Group) -> NDArray:
        self._check_affordable()
        return stacked_images([self._power(g.toarray()) for g in self.of.discrete_images], self.size)

    def _check_affordable(self) -> None:
        # A row of n^r products for each basis vector; n^(r+1) entries of a derivation.
        n = self.of.size
        check_affordable(max(n**self.degree * self.size, self.degree * n ** (self.degree + 1)), self.size)

    @cached_property
    def _sums(self) -> csr_array:
        """The basis vectors as columns ``(n**r, s)``, before division by their length."""
        n = self.of.size
        weights = n ** np.arange(self.degree - 1, -1, -1)
        cells = [
            (int(np.dot(order, weights)), column, sign)
            for column, index in enumerate(self.indices.tolist())
            for order, sign in self._orders(tuple(index)).items()
        ]
        row, column, sign = np.array(cells, dtype=np.int64).reshape(-1, 3).T
        return csr_array((sign.astype(np.float64), (row, column)), shape=(n**self.degree, self.size))

    @cached_property
    def _lengths(self) -> NDArray:
        return np.sqrt(np.abs(self._sums).sum(axis=0))

    def _power(self, g: NDArray) -> NDArray:
        # Only the coefficient of the first term of each basis vector is computed: for matrices of
        # integers the result is then exact wherever the two lengths are equal.
        rows = np.ones((self.size, 1))
        for axis in range(self.degree):
            rows = (rows[:, :, None] * g[self.indices[:, axis], None, :]).reshape(self.size, -1)
        return self._normalised(np.asarray(rows @ self._sums))

    def _derivation(self, a: NDArray) -> NDArray:
        first = np.ravel_multi_index(tuple(self.indices.T), (self.of.size,) * self.degree)
        return self._normalised((leibniz([csr_array(a)] * self.degree)[first] @ self._sums).toarray())

    def _normalised(self, coefficients: NDArray) -> NDArray:
        return coefficients * (self._lengths[:, None] / self._lengths[None, :])


@dataclass(frozen=True)
class SymmetricPower(_AbstractPower):
    """Symmetric tensors of degree r over a representation: ``Sym2(V)``."""

    @property
    def size(self) -> int:
        return comb(self.of.size + self.degree - 1, self.degree)

    @property
    def _symbol(self) -> str:
        return "Sym"

    @cached_property
    def indices(self) -> NDArray:
        return _table(combinations_with_replacement, self.of.size, self.degree)

    def _orders(self, index: tuple[int, ...]) -> dict[tuple[int, ...], int]:
        return dict.fromkeys(permutations(index), 1)


@dataclass(frozen=True)
class AlternatingPower(_AbstractPower):
    """Alternating tensors of degree r over a representation: ``Alt2(V)``."""

    @property
    def size(self) -> int:
        return comb(self.of.size, self.degree)

    @property
    def _symbol(self) -> str:
        return "Alt"

    @cached_property
    def indices(self) -> NDArray:
        return _table(combinations, self.of.size, self.degree)

    def _orders(self, index: tuple[int, ...]) -> dict[tuple[int, ...], int]:
        return {tuple(index[i] for i in order): _sign(order) for order in permutations(range(len(index)))}


def symmetric_power(r: Representation, degree: int) -> Representation:
    """Return the symmetric tensors of a degree over a representation, typed ``Sym2(V)``.

    Parameters
    ----------
    r : Representation
        Of size N.
    degree : int
        Degree of the power, at least 0.

    Returns
    -------
    Representation
        Of size binomial(N + degree - 1, degree).

    Raises
    ------
    InputError
        When the degree is not a whole number of at least 0.

    Examples
    --------
    >>> from erlangen.algebra import groups, rep
    >>> print(symmetric_power(rep("V + S", groups.SO(3)), 2).size)
    10
    """
    return _powered(SymmetricPower, r, degree, r.size > 0)


def alternating_power(r: Representation, degree: int) -> Representation:
    """Return the alternating tensors of a degree over a representation, typed ``Alt2(V)``; zero beyond its size.

    Parameters
    ----------
    r : Representation
        Of size N.
    degree : int
        Degree of the power, at least 0.

    Returns
    -------
    Representation
        Of size binomial(N, degree).

    Raises
    ------
    InputError
        When the degree is not a whole number of at least 0.
    """
    return _powered(AlternatingPower, r, degree, degree <= r.size)


def _powered(
    kind: Callable[[Representation, int], AbstractAtom], r: Representation, degree: int, exists: bool
) -> Representation:
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 0:
        raise InputError(
            explain(
                "A power needs a whole degree.",
                given=repr(degree),
                expected="an integer of at least 0",
                fix="symmetric_power(r, 2)",
            )
        )
    if degree == 0:
        return Representation(r.group, (((), 1),))
    return Representation(r.group, (((kind(r, degree),), 1),) if exists else ())


def _table(choose: Callable, n: int, degree: int) -> NDArray:
    return np.array(list(choose(range(n), degree)), dtype=np.int64).reshape(-1, degree)


def _sign(order: tuple[int, ...]) -> int:
    inversions = sum(order[i] > order[j] for i in range(len(order)) for j in range(i + 1, len(order)))
    return -1 if inversions % 2 else 1
