"""A function written as a short list of steps: linear maps, functions of one variable and products.

Everything that is bounded on a box is such a list, so that its derivative along a vector is another one (`push`) and
bounds need to know three steps only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from erlangen._typing import NDArray


@final
@dataclass(frozen=True, eq=False)
class Input:
    """The point x itself."""


@final
@dataclass(frozen=True, eq=False)
class Linear:
    """``sum_k W_k z_k + b``; a number in the place of W_k is that multiple of the identity."""

    terms: tuple[tuple[int, NDArray | float], ...]
    bias: NDArray


@final
@dataclass(frozen=True, eq=False)
class Unary:
    """The derivative of some order of a named function, entry by entry."""

    parent: int
    name: str
    order: int
    power: float


@final
@dataclass(frozen=True, eq=False)
class Product:
    """Entries of two different steps multiplied."""

    left: int
    right: int


Step = Input | Linear | Unary | Product


@final
@dataclass(eq=False)
class Tape:
    """Steps in the order in which they are computed, and the width (number of entries) of each.

    Steps are added by the methods below, each of which returns the number of the new step; the first is the input.

    Parameters
    ----------
    dim : int
        Number d of coordinates.
    """

    dim: int
    steps: list[Step] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.steps:
            self._add(Input(), self.dim)

    def linear(self, terms: Sequence[tuple[int, ArrayLike]], bias: ArrayLike | None = None, width: int = 0) -> int:
        """Add ``sum_k W_k z_k + b``, each W_k a matrix or a number."""
        kept: list[tuple[int, NDArray | float]] = []
        for parent, weight in terms:
            dense = np.asarray(weight, dtype=np.float64)
            if dense.ndim and not dense.any():
                width = len(dense)
                continue
            kept.append((parent, dense if dense.ndim else float(dense)))
            width = len(dense) if dense.ndim else self.widths[parent]
        shift = np.zeros(width) if bias is None else np.atleast_1d(np.asarray(bias, dtype=np.float64))
        return self._add(Linear(tuple(kept), shift), len(shift))

    def constant(self, values: ArrayLike) -> int:
        """Add numbers that do not depend on x."""
        return self.linear((), values)

    def unary(self, parent: int, name: str, order: int = 0, power: float = 0.0) -> int:
        """Add a function of one variable, or its derivative of some order."""
        return self._add(Unary(parent, name, order, power), self.widths[parent])

    def product(self, left: int, right: int) -> int:
        """Add the product, entry by entry; a square where both are the same step."""
        if left == right:
            return self.unary(left, "power", 0, 2.0)
        return self._add(Product(left, right), self.widths[left])

    def plus(self, left: int, right: int, factor: float = 1.0) -> int:
        """Add ``left + factor * right``."""
        return self.linear([(left, 1.0), (right, factor)])

    def rows(self, parent: int, index: Sequence[int]) -> int:
        """Add some entries of a step, in the order of the index."""
        return self.linear([(parent, np.eye(self.widths[parent])[list(index)])])

    def total(self, parent: int) -> int:
        """Add the sum of the entries."""
        return self.linear([(parent, np.ones((1, self.widths[parent])))])

    def joined(self, parts: Sequence[int]) -> int:
        """Add the entries of several steps, one after the other."""
        width = sum(self.widths[part] for part in parts)
        terms, start = [], 0
        for part in parts:
            terms.append((part, np.eye(width)[:, start : start + self.widths[part]]))
            start += self.widths[part]
        return self.linear(terms)

    def constant_value(self, step: int) -> NDArray | None:
        """Numbers of a step that was added by `constant`; None for others."""
        found = self.steps[step]
        return found.bias if isinstance(found, Linear) and not found.terms else None

    def push(self, output: int, along: Mapping[int, int]) -> int | None:
        """Add the derivative of a step where others move.

        Parameters
        ----------
        output : int
            The step that is differentiated.
        along : mapping of int to int
            For each step that moves on its own, the step that holds its velocity.

        Returns
        -------
        int or None
            The step that holds the derivative; None where it is zero.
        """
        needed = self.ancestors([output], stop=set(along))
        moving: dict[int, int] = dict(along)
        for number in sorted(needed - set(along)):
            tangent = self._tangent(self.steps[number], moving)
            if tangent is not None:
                moving[number] = tangent
        return moving.get(output)

    def _tangent(self, step: Step, moving: Mapping[int, int]) -> int | None:
        if isinstance(step, Linear):
            terms = [(moving[parent], weight) for parent, weight in step.terms if parent in moving]
            return self.linear(terms) if terms else None
        if isinstance(step, Unary) and step.parent in moving:
            return self.product(self._slope(step), moving[step.parent])
        if isinstance(step, Product):
            ends = ((step.left, step.right), (step.right, step.left))
            parts = [self.product(other, moving[one]) for one, other in ends if one in moving]
            return parts[0] if len(parts) == 1 else self.plus(*parts) if parts else None
        return None

    def _slope(self, step: Unary) -> int:
        wanted = (step.parent, step.name, step.order + 1, step.power)
        for number, known in enumerate(self.steps):
            if isinstance(known, Unary) and (known.parent, known.name, known.order, known.power) == wanted:
                return number
        return self.unary(step.parent, step.name, step.order + 1, step.power)

    def ancestors(self, outputs: Sequence[int], stop: set[int] | None = None) -> set[int]:
        """Find the steps that some steps are computed from, those included."""
        found: set[int] = set()
        waiting = list(outputs)
        while waiting:
            number = waiting.pop()
            if number in found:
                continue
            found.add(number)
            if stop is None or number not in stop:
                waiting.extend(parents(self.steps[number]))
        return found

    def pruned(self, outputs: Sequence[int]) -> tuple[Tape, list[int]]:
        """Return the steps that some of them need, renumbered, and the new numbers of these."""
        kept = sorted(self.ancestors(outputs) | {0})
        new = {number: k for k, number in enumerate(kept)}
        steps = [_renumbered(self.steps[number], new) for number in kept]
        return Tape(self.dim, steps, [self.widths[number] for number in kept]), [new[number] for number in outputs]

    def _add(self, step: Step, width: int) -> int:
        self.steps.append(step)
        self.widths.append(width)
        return len(self.steps) - 1


def parents(step: Step) -> tuple[int, ...]:
    """Return the steps that a step is computed from."""
    if isinstance(step, Linear):
        return tuple(parent for parent, _ in step.terms)
    if isinstance(step, Unary):
        return (step.parent,)
    return (step.left, step.right) if isinstance(step, Product) else ()


def _renumbered(step: Step, new: Mapping[int, int]) -> Step:
    if isinstance(step, Linear):
        return Linear(tuple((new[parent], weight) for parent, weight in step.terms), step.bias)
    if isinstance(step, Unary):
        return Unary(new[step.parent], step.name, step.order, step.power)
    return Product(new[step.left], new[step.right]) if isinstance(step, Product) else step
