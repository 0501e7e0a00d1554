"""Cells of the statistical benchmark: many data sets of one kind, and how often each method is right on them.

A method maps ``(system, x, y, rng)`` to the span that it declares, or to several by name where they share work. A
declared span is *false* where it holds a direction with a true relative defect above delta, *detected* where it has at
least the dimension of the exact algebra, and *correct* where it has that dimension, is not false and lies within ten
degrees of the exact algebra.

A cell draws its data from its seed alone, whatever methods look at them; what methods draw comes from another stream.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import _evidence_rivals
from benchmarks._evidence_ours import OURS, public
from benchmarks._evidence_systems import DELTA, System
from benchmarks._parallel import each

Declared = dict[str, NDArray]
Method = Callable[[System, NDArray, NDArray, np.random.Generator], Declared]
NEAR = 10.0
"""Degrees between the declared span and the exact algebra, at most."""


@dataclass(frozen=True)
class Cell:
    """One setting.

    Attributes
    ----------
    methods : tuple of str
        Names in :data:`METHODS`.
    defect : str
        Denominator by which truth is judged and our methods certify.
    """

    system: System
    n: int
    level: float
    reps: int
    seed: int
    methods: tuple[str, ...]
    defect: str = "bracket"


@dataclass(frozen=True)
class Tally:
    """How one method did: counts of data sets, and seconds of the family of methods it shares work with."""

    reps: int = 0
    false: int = 0
    detected: int = 0
    correct: int = 0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.reps + other.reps,
            self.false + other.false,
            self.detected + other.detected,
            self.correct + other.correct,
            self.seconds + other.seconds,
        )

    @property
    def detection(self) -> float:
        """Share of data sets in which the whole algebra is declared."""
        return self.detected / self.reps

    @property
    def recovery(self) -> float:
        """Share in which just the algebra is declared."""
        return self.correct / self.reps


Outcome = tuple[Cell, dict[str, Tally]]


def _rivals(cell: Cell) -> Method:
    return lambda system, x, y, rng: _evidence_rivals.declared(system, x, y)


METHODS: dict[str, Callable[[Cell], Method]] = {"rivals": _rivals, "certify": public, **OURS}
"""How to prepare each method for a cell: what may be computed once is computed here."""


def judge(name: str, cell: Cell, span: NDArray, seconds: float) -> Tally:
    """Hold one declared span ``(p, k)`` against the truth; the split test can find one direction only."""
    system, dim = cell.system, span.shape[1]
    false = dim > 0 and system.worst(span, cell.defect) > DELTA
    needed = min(system.dim, 1) if name == "split" else system.dim
    correct = dim == system.dim and not false and (dim == 0 or system.angle(span) <= NEAR)
    return Tally(1, int(false), int(dim >= needed), int(correct), seconds)


def measure(cell: Cell) -> Outcome:
    """Run the methods of a cell on each of its data sets."""
    prepared = [METHODS[name](cell) for name in cell.methods]
    draws, choices = np.random.default_rng(cell.seed), np.random.default_rng([cell.seed, 1])
    tallies: dict[str, Tally] = {}
    for _ in range(cell.reps):
        x, y = cell.system.draw(cell.n, cell.level, draws)
        for method in prepared:
            start = time.perf_counter()
            found = method(cell.system, x, y, choices)
            seconds = time.perf_counter() - start
            for name, span in found.items():
                tallies[name] = tallies.get(name, Tally()) + judge(name, cell, span, seconds)
    return cell, tallies


def measured(cells: Sequence[Cell]) -> list[Outcome]:
    """All cells, slow ones first so that the processes end together."""
    order = sorted(range(len(cells)), key=lambda i: -cells[i].reps * cells[i].n ** 0.5 * len(cells[i].system.theta))
    found = dict(zip(order, each(measure, [cells[i] for i in order]), strict=True))
    return [found[i] for i in range(len(cells))]


def total(outcomes: Iterable[Outcome], name: str, n: int | None = None) -> Tally:
    """Counts of one method over all cells, or those of one size."""
    chosen = [tallies[name] for cell, tallies in outcomes if name in tallies and n in (None, cell.n)]
    return sum(chosen, Tally())


def worst(outcomes: Iterable[Outcome], name: str) -> float:
    """The highest rate of false certification of one method in any cell."""
    return max((t[name].false / t[name].reps for _, t in outcomes if name in t), default=0.0)
