"""Where the words of a representation stand among its coordinates, and how a word is acted upon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Group, Representation, rep
from erlangen.algebra.equivariant import EquivariantMaps, equivariant_maps
from erlangen.algebra.representation import Word, word_size
from erlangen.linalg.qr import rounding
from erlangen.linalg.subspace import AbstractSubspace
from erlangen.verbs import Symmetry


@dataclass(frozen=True)
class Run:
    """Neighbouring copies of one word.

    Attributes
    ----------
    word : tuple of atoms
        The word; empty for scalars.
    count : int
        Number of copies.
    size : int
        Size of one copy.
    start : int
        First coordinate.
    """

    word: Word
    count: int
    size: int
    start: int

    @property
    def stop(self) -> int:
        """One past the last coordinate."""
        return self.start + self.count * self.size


def runs(representation: Representation) -> Iterator[Run]:
    """Runs of equal words, in the order of the coordinates."""
    start = 0
    for word, count in representation.terms:
        run = Run(word, count, word_size(word), start)
        yield run
        start = run.stop


def block_of(representation: Representation) -> NDArray:
    """Number of the block ``(N,)``, one word once, that each coordinate belongs to."""
    sizes = [run.size for run in runs(representation) for _ in range(run.count)]
    return np.repeat(np.arange(len(sizes)), sizes)


def single(group: Group, word: Word) -> Representation:
    """One copy of a word as a representation."""
    return Representation(group, ((word, 1),))


def scalars(group: Group, count: int = 1) -> Representation:
    """A number of trivial representations."""
    return Representation(group, (((), count),) if count else ())


def is_orthogonal(representation: Representation) -> bool:
    """Whether the group preserves the length: antisymmetric generators, orthogonal discrete elements."""
    n = representation.size
    close = rounding((n, n))
    for a in representation.lie_images:
        if abs(a + a.T).max() > close * max(1.0, abs(a).max()):
            return False
    return all(abs(h @ h.T - np.eye(n)).max() <= close for h in representation.discrete_images)


def is_permutation(representation: Representation) -> bool:
    """Whether the group only moves the coordinates to each other's places."""
    if any(abs(a).max() > 0 for a in representation.lie_images):
        return False
    dense = [h.toarray() for h in representation.discrete_images]
    return all(np.isin(h, (0.0, 1.0)).all() and (h.sum(axis=1) == 1).all() for h in dense)


def require(**representations: object) -> None:
    """Check that arguments are representations.

    Raises
    ------
    InputError
        If one is something else, or belongs to another group than the first.
    """
    first = next(iter(representations.values()))
    group = first.group if isinstance(first, Representation) else None
    for what, value in representations.items():
        if not isinstance(value, Representation) or value.group != group:
            raise _not_of_the_group(value, group, what)


def group_of(group: Group | Symmetry | None) -> Group | None:
    """The group; of a symmetry that was found, the group of its generators.

    Raises
    ------
    InputError
        If it is something else.
    """
    if isinstance(group, Symmetry):
        return group.group
    if group is None or isinstance(group, Group):
        return group
    raise InputError(
        explain(
            "This is not a group.",
            given=f"group={group!r}"[:120],
            expected="a Group or a Symmetry, after the representations; all further arguments have names",
            fix='EquivariantLinear("2V", "V", er.groups.SO(3), bias=False)',
        )
    )


def as_representation(value: Representation | str, group: Group | Symmetry | None, what: str) -> Representation:
    """Accept a representation, or its text where the group is known.

    Raises
    ------
    InputError
        If a text comes without a group, or the representation is of another group.
    """
    group = group_of(group)
    if isinstance(value, Representation) and group in (None, value.group):
        return value
    if isinstance(value, str) and isinstance(group, Group):
        return rep(value, group)
    raise _not_of_the_group(value, group, what)


def _not_of_the_group(value: object, group: Group | None, what: str) -> InputError:
    given = f"{value} of {value.group.name}" if isinstance(value, Representation) else repr(value)
    return InputError(
        explain(
            f"{what} is not a representation of the group.",
            given=f"{given} and group={group.name if isinstance(group, Group) else repr(group)}",
            expected="a Representation, or a text and a group where a group can be given",
            fix=f'{what}=rep("2V + S", SO(3))',
        )
    )


def check_width(x: torch.Tensor, expected: Representation, what: str) -> None:
    """Check the last axis of an input.

    Raises
    ------
    InputError
        If it has not the size of its representation.
    """
    if x.shape[-1] != expected.size:
        raise InputError(
            explain(
                f"The size of {what} is not that of its representation.",
                given=f"a tensor of shape {tuple(x.shape)}",
                expected=f"(..., {expected.size}) for {expected} of {expected.group.name}",
                fix="inputs in the order of the representations, their numbers along the last axis",
            )
        )


def maps_between(source: Representation, target: Representation) -> AbstractSubspace:
    """All equivariant linear maps.

    Raises
    ------
    InputError
        If zero is the only one; the message says which irreducibles stand on each side.
    """
    maps = equivariant_maps(source, target)
    if maps.dim == 0:
        raise no_map(source, target, maps)
    return maps


def no_map(source: Representation, target: Representation, maps: AbstractSubspace) -> InputError:
    """The error that says why no map exists."""
    reason = maps.explain() if isinstance(maps, EquivariantMaps) else maps.reason
    return InputError(
        explain(
            f"Zero is the only linear map {source} >> {target} that {source.group.name} leaves alone.",
            given=f"{source} of size {source.size} and {target} of size {target.size}",
            expected="an irreducible representation that stands on both sides",
            fix="products can reach what linear maps cannot: EquivariantBilinear, or a source with more powers of V",
        )
        + f"\n{reason}"
    )
