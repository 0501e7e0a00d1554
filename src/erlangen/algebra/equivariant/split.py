"""Irreducible components of representations: which method, in which coordinates, each word once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.algebra.equivariant._sides import Side, sides_of
from erlangen.algebra.equivariant.balance import balanced
from erlangen.algebra.equivariant.closure import check_closed
from erlangen.algebra.equivariant.isotypic import Component, NotSplitError, components
from erlangen.algebra.equivariant.reducible import may_be_reductive, reductive_part
from erlangen.algebra.equivariant.weights import weight_components
from erlangen.algebra.representation import Representation

_SMALL = 150  # size of all words together up to which two random elements are faster than weights
_GIVEN = 1.0, 100.0  # generators are written down exactly, or computed in some steps
_BALANCING = 10.0  # digits lost by tens of steps, each with its rounding, beside those of S and its inverse


@dataclass(frozen=True)
class Content(AbstractShown):
    """How often one irreducible stands on each side.

    Attributes
    ----------
    label : str
        What it is called, as far as it has a name.
    size : int
        Its real dimension.
    units : int
        1, 2 or 4 for the real, complex and quaternionic types.
    in_target, in_source : int
        Number of copies on each side.
    """

    label: str
    size: int
    units: int
    in_target: int
    in_source: int

    @property
    def maps(self) -> int:
        """Independent maps between the copies (Schur's lemma)."""
        return self.units * self.in_target * self.in_source


@dataclass(frozen=True, eq=False)
class Splitting:
    """Irreducible components of several sides.

    Attributes
    ----------
    parts : tuple of Component
        Copies in the balanced coordinates of each side.
    sides : tuple of Side
        The sides in balanced coordinates.
    changes : dict of ndarray (s, s) or None
        Change of coordinates of each factor; None where the user's coordinates are balanced.
    method : str
        ``"weights"`` or ``"isotypic"``.
    """

    parts: tuple[Component, ...]
    sides: tuple[Side, ...]
    changes: dict[int, NDArray] | None
    method: str


def split(sides: tuple[Side, ...], method: str = "auto") -> Splitting | None:
    """Split sides into irreducible components; None where the group does not act completely reducibly.

    Parameters
    ----------
    sides : tuple of Side
        Representations of one group.
    method : str
        ``"weights"``, ``"isotypic"``, or ``"auto"``: the faster one.
    """
    changes, digits_lost = None, next((lost for lost in _GIVEN if _holds_transposes(sides, lost)), 0.0)
    if not digits_lost:
        if not may_be_reductive(sides):
            return None
        sides, changes = balanced(sides)
        digits_lost = _BALANCING * max(np.linalg.cond(s) for s in changes.values()) ** 2
        if not _holds_transposes(sides, digits_lost):
            return None
    check_closed(sides, digits_lost)
    words = {tuple(id(f) for f in word): word for side in sides for word, _ in side.words}
    single = tuple(Side(((word, 1),)) for word in words.values())
    chosen = _method(single, method, digits_lost)
    if chosen is None:
        return None
    name, solver = chosen
    try:
        found = solver(single)
    except NotSplitError:
        return None
    place = {key: i for i, key in enumerate(words)}
    parts = tuple(replace(c, bases=tuple(_spread(c, side, place) for side in sides)) for c in found)
    return Splitting(parts, sides, changes, name)


def contents(source: Representation, target: Representation, dim: int) -> tuple[Content, ...]:
    """Name the irreducibles of two representations; empty where they do not account for ``dim`` maps."""
    sides = sides_of(target, source)
    for method in ("weights", "isotypic"):
        found = split(sides, method)
        listed = tuple(Content(c.label, c.size, c.units, *c.copies) for c in found.parts) if found else ()
        if listed and sum(c.maps for c in listed) == dim:
            return listed
    return ()


def _holds_transposes(sides: tuple[Side, ...], digits_lost: float) -> bool:
    _, _, (lie, discrete) = reductive_part(sides, digits_lost)
    return not len(lie) and not len(discrete)


def _method(single: tuple[Side, ...], method: str, digits_lost: float) -> tuple[str, Callable] | None:
    factors = [f for side in single for f in side.factors]
    connected = bool(factors) and not any(len(f.discrete) for f in factors)
    if method == "weights":
        return ("weights", weight_components) if connected else None
    large = sum(side.size for side in single) > _SMALL
    return (
        ("weights", weight_components)
        if method == "auto" and connected and large
        else ("isotypic", partial(components, digits_lost=digits_lost))
    )


def _spread(component: Component, side: Side, place: dict) -> NDArray:
    """Copies on a side ``(N, m, k)`` from those in each of its words."""
    bases = [(component.bases[place[tuple(id(f) for f in word)]], count) for word, count, _ in side.blocks()]
    if len(bases) == 1 and bases[0][1] == 1:
        return bases[0][0]
    copies = sum(count * base.shape[1] for base, count in bases)
    out = np.zeros((side.size, copies, component.size))
    row = column = 0
    for base, count in bases:
        for _ in range(count):
            out[row : row + len(base), column : column + base.shape[1]] = base
            row, column = row + len(base), column + base.shape[1]
    return out
