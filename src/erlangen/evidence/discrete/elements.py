"""Finite sets of linear maps to test: changes of signs, permutations, shifts, reflections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations as orders
from itertools import product
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain, nearest
from erlangen._render import number
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.algebra import Group

_MOST = 20_000
"""Elements that a set may list: each is tried at every sample."""

_ORDERS = 12
"""Orders of elements that are recognised: crystals and most molecules have no others."""


@dataclass(frozen=True, eq=False)
class FiniteSet(AbstractShown):
    """A named set of linear maps, the identity left out.

    A set is searched: the data that choose among its elements are not those that test them.

    Attributes
    ----------
    name : str
        What the set is, such as ``"changes of signs"``.
    matrices : ndarray (m, d, d)
        The maps.
    """

    name: str
    matrices: NDArray

    def __len__(self) -> int:
        return len(self.matrices)

    def __repr__(self) -> str:
        return f"<FiniteSet {self.name}: {len(self)} maps on R^{self.matrices.shape[1]}>"

    def __or__(self, other: FiniteSet) -> FiniteSet:
        """Both sets together, each map once."""
        both = np.concatenate([self.matrices, other.matrices])
        kept = np.sort(np.unique(both.reshape(len(both), -1), axis=0, return_index=True)[1])
        return FiniteSet(f"{self.name} and {other.name}", both[kept])


def signs(d: int) -> FiniteSet:
    """All 2^d - 1 changes of signs of d coordinates.

    Parameters
    ----------
    d : int
        Number of coordinates.

    Returns
    -------
    FiniteSet
        The maps ``(m, d, d)``, with names.

    Raises
    ------
    InputError
        When there are no maps, or too many to be listed.

    Examples
    --------
    >>> len(signs(3))
    7
    """
    _check(d, 2**d - 1, "changes of signs")
    rows = [s for s in product((1.0, -1.0), repeat=d) if -1.0 in s]
    return FiniteSet("changes of signs", np.array([np.diag(s) for s in sorted(rows, key=lambda s: s.count(-1.0))]))


def permutations(d: int, columns: Sequence[int] | None = None) -> FiniteSet:
    """All permutations of some of d coordinates, by default of all.

    Parameters
    ----------
    d : int
        Number of coordinates.
    columns : sequence of int, optional
        Which coordinates are permuted, from 0; all by default.

    Returns
    -------
    FiniteSet
        The maps ``(m, d, d)``, with names.

    Raises
    ------
    InputError
        When there are no such columns, no maps, or too many to be listed.

    Examples
    --------
    >>> len(permutations(5, columns=[0, 1, 2]))
    5
    """
    moved = list(range(d)) if columns is None else [int(j) for j in columns]
    if len(set(moved)) != len(moved) or not set(moved) <= set(range(d)):
        raise InputError(
            explain(
                "These columns cannot be permuted.",
                given=f"columns = {moved} of {d} coordinates",
                expected=f"different numbers from 0 to {d - 1}",
                fix=f"permutations({d})",
            )
        )
    _check(d, factorial(len(moved)) - 1, "permutations")
    return FiniteSet("permutations", _stack((_moved(d, moved, p) for p in orders(moved)), d))


def cyclic(d: int) -> FiniteSet:
    """All d - 1 cyclic shifts of d coordinates.

    Parameters
    ----------
    d : int
        Number of coordinates.

    Returns
    -------
    FiniteSet
        The maps ``(d - 1, d, d)``, with names.

    Raises
    ------
    InputError
        When there are no maps, or too many to be listed.
    """
    _check(d, d - 1, "cyclic shifts")
    return FiniteSet("cyclic shifts", _stack((np.roll(np.eye(d), s, axis=0) for s in range(d)), d))


def reflections(d: int) -> FiniteSet:
    """The d^2 reflections among signed permutations: one sign, or two coordinates swapped, with signs or without.

    Parameters
    ----------
    d : int
        Number of coordinates.

    Returns
    -------
    FiniteSet
        The maps ``(d^2, d, d)``, with names.

    Raises
    ------
    InputError
        When there are no maps, or too many to be listed.
    """
    _check(d, d * d, "reflections")
    out = [np.diag(np.where(np.arange(d) == j, -1.0, 1.0)) for j in range(d)]
    for j in range(d):
        for k in range(j):
            for sign in (1.0, -1.0):
                axis = np.zeros(d)
                axis[[k, j]] = 1.0, -sign
                out.append(np.eye(d) - np.outer(axis, axis))
    return FiniteSet("reflections", np.array(out))


def signed_permutations(d: int) -> FiniteSet:
    """All 2^d d! - 1 signed permutations of d coordinates, up to d = 5.

    Parameters
    ----------
    d : int
        Number of coordinates.

    Returns
    -------
    FiniteSet
        The maps ``(m, d, d)``, with names.

    Raises
    ------
    InputError
        When there are no maps, or too many to be listed.
    """
    _check(d, 2**d * factorial(d) - 1, "signed permutations")
    rows = (np.array(s)[:, None] * np.eye(d)[list(p)] for p in orders(range(d)) for s in product((1.0, -1.0), repeat=d))
    return FiniteSet("signed permutations", _stack(rows, d))


def describe(matrix: NDArray, names: Sequence[str] | None = None) -> str:
    """What a linear map does, in words that a person would use.

    Examples
    --------
    >>> describe(np.diag([-1.0, -1.0, 1.0]))
    '(x, y, z) -> (-x, -y, z)'
    >>> c, s = np.cos(2 * np.pi / 7), np.sin(2 * np.pi / 7)
    >>> describe(np.array([[c, -s], [s, c]]))
    '(x, y) -> (0.6235*x - 0.7818*y, 0.7818*x + 0.6235*y), of order 7'
    """
    names = tuple(names or coordinate_names(len(matrix)))
    least = 1e-6 * np.abs(matrix).max()
    images = ", ".join(_combination(row, names, least) for row in matrix)
    plain = np.all(np.isin(matrix, (-1.0, 0.0, 1.0)))
    order = None if plain else order_of(matrix, 1e-9)
    return f"({', '.join(names)}) -> ({images})" + ("" if order is None else f", of order {order}")


def order_of(matrix: NDArray, tolerance: float, most: int = _ORDERS) -> int | None:
    """Smallest m with ``|M^m - 1| <= tolerance |M|`` (relative Frobenius norms), None beyond ``most``."""
    one, power = np.eye(len(matrix)), matrix
    for m in range(1, most + 1):
        if np.linalg.norm(power - one) <= tolerance * np.linalg.norm(matrix):
            return m
        power = power @ matrix
    return None


def _combination(row: NDArray, names: Sequence[str], least: float) -> str:
    parts = [(c, n) for c, n in zip(row, names, strict=True) if abs(c) > least]
    words = [("-" if c < 0 else "+", n if abs(c) == 1.0 else f"{number(abs(float(c)))}*{n}") for c, n in parts]
    if not words:
        return "0"
    head = ("-" if words[0][0] == "-" else "") + words[0][1]
    return head + "".join(f" {sign} {text}" for sign, text in words[1:])


def as_set(elements: FiniteSet | Callable[[int], FiniteSet] | ArrayLike, d: int) -> FiniteSet:
    """A set, the function that makes one, or matrices ``(m, d, d)``, as a set over d coordinates."""
    if callable(elements):
        elements = elements(d)
    if not isinstance(elements, FiniteSet):
        matrices = _matrices(elements, d)
        elements = FiniteSet("given maps", matrices[None] if matrices.ndim == 2 else matrices)
    a = elements.matrices
    if a.ndim != 3 or a.shape[1:] != (d, d) or not len(a) or not np.isfinite(a).all():
        raise InputError(
            explain(
                "These maps do not act on the points.",
                given=f"matrices of shape {a.shape}",
                expected=f"shape (m, {d}, {d}) with finite entries, m > 0",
                fix=f"er.evidence.signs({d})",
            )
        )
    if np.any(np.abs(np.linalg.det(a)) <= d * np.finfo(float).eps):
        raise InputError(
            explain(
                "A symmetry can be undone.",
                given="a singular matrix",
                expected="invertible matrices",
                fix=f"er.evidence.signs({d})",
            )
        )
    return elements


def _matrices(elements: Any, d: int) -> NDArray:
    if isinstance(elements, Group):
        elements = elements.discrete
    try:
        return np.asarray(elements, dtype=np.float64)
    except (TypeError, ValueError):
        pass
    raise InputError(
        explain(
            "These are no maps.",
            given=repr(elements)[:60],
            expected=f"a set such as er.evidence.signs, or matrices of shape (m, {d}, {d})",
            fix=f"er.evidence.test_elements((x, y), er.evidence.{_named(elements)})",
        )
    )


def _named(elements: Any) -> str:
    """The set whose name was meant."""
    known = ("signs", "permutations", "cyclic", "reflections", "signed_permutations")
    return (nearest(elements, known) if isinstance(elements, str) else None) or "signs"


def _moved(d: int, columns: Sequence[int], images: Sequence[int]) -> NDArray:
    out = np.eye(d)
    out[list(columns)] = np.eye(d)[list(images)]
    return out


def _stack(matrices: Iterable[NDArray], d: int) -> NDArray:
    return np.array([m for m in matrices if not np.array_equal(m, np.eye(d))]).reshape(-1, d, d)


def _check(d: int, count: int, what: str) -> None:
    if d < 1 or not 1 <= count <= _MOST:
        raise InputError(
            explain(
                f"These {what} cannot be listed.",
                given=f"{count} maps on R^{d}",
                expected=f"between 1 and {_MOST} maps",
                fix="er.evidence.reflections(d) or er.evidence.cyclic(d), which list fewer",
            )
        )


__all__ = [
    "FiniteSet",
    "as_set",
    "cyclic",
    "describe",
    "order_of",
    "permutations",
    "reflections",
    "signed_permutations",
    "signs",
]
