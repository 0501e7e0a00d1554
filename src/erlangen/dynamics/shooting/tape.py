"""Functions as a list of operations in which nothing is computed twice: fast for few points, many times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from erlangen._formula_tree import CONSTANTS, OPERATIONS, Apply, Constant, Node, Number, Variable
from erlangen._typing import NDArray


@dataclass(frozen=True, eq=False)
class Tape:
    """Operations on registers; the first of them are the coordinates, then come numbers.

    Attributes
    ----------
    dim : int
        Number of coordinates.
    numbers : tuple of float
        Constants.
    steps : tuple of (callable, tuple of int)
        Operations with the registers that they read; each writes the next.
    outputs : tuple of (int, int)
        Which register goes to which column; columns without one are zero.
    size : int
        Number of columns.
    """

    dim: int
    numbers: tuple[float, ...]
    steps: tuple[tuple[Callable[..., Any], tuple[int, ...]], ...]
    outputs: tuple[tuple[int, int], ...]
    size: int

    def __call__(self, x: NDArray) -> NDArray:
        """Values ``(n, size)`` at points ``x (n, dim)``; not finite outside the domain of a function."""
        registers: list[Any] = [*x.T, *self.numbers]
        for operation, arguments in self.steps:
            registers.append(operation(*[registers[i] for i in arguments]))
        out = np.zeros((len(x), self.size))
        for register, column in self.outputs:
            out[:, column] = registers[register]
        return out


@dataclass(eq=False)
class Writer:
    """Writes a tape, and knows what is on it already."""

    names: Sequence[str]
    numbers: list[float] = field(default_factory=list)
    steps: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    known: dict[Any, Any] = field(default_factory=dict)

    def node(self, node: Node) -> tuple[str, int]:
        """The register of the value of a tree: ("x", j), ("c", j) or ("s", j)."""
        if isinstance(node, Variable):
            return ("x", list(self.names).index(node.name))
        if isinstance(node, (Number, Constant)):
            return self.number(CONSTANTS[node.name] if isinstance(node, Constant) else node.value)
        assert isinstance(node, Apply)
        return self.step(node.operation, *[self.node(argument) for argument in node.arguments])

    def number(self, value: float) -> tuple[str, int]:
        """The register of a constant."""
        if ("c", value) not in self.known:
            self.known["c", value] = ("c", len(self.numbers))
            self.numbers.append(float(value))
        return self.known["c", value]

    def step(self, operation: str, *arguments: tuple[str, int]) -> tuple[str, int]:
        """The register of an operation, which is written once."""
        key = (operation, arguments)
        if key not in self.known:
            self.known[key] = ("s", len(self.steps))
            self.steps.append(key)
        return self.known[key]

    def monomial(self, powers: Sequence[int], factor: float = 1.0) -> tuple[str, int]:
        """The register of a product of powers."""
        now = None
        for j, power in enumerate(powers):
            for _ in range(power):
                now = ("x", j) if now is None else self.step("*", now, ("x", j))
        if now is None:
            return self.number(factor)
        return now if factor == 1.0 else self.step("*", self.number(factor), now)

    def tape(self, outputs: Sequence[tuple[tuple[str, int], int]], size: int) -> Tape:
        """The finished tape."""
        offset = {"x": 0, "c": len(self.names), "s": len(self.names) + len(self.numbers)}

        def at(register: tuple[str, int]) -> int:
            return offset[register[0]] + register[1]

        steps = tuple((OPERATIONS[op].value, tuple(at(a) for a in arguments)) for op, arguments in self.steps)
        ends = tuple((at(register), column) for register, column in outputs)
        return Tape(len(self.names), tuple(self.numbers), steps, ends, size)
