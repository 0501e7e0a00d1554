"""Solving promotion problems: one convex problem, or several whose norms follow the solution.

Where a term is not convex, the norm that stands for it near the last solution takes its place, until the solution
rests. For the reweighted penalty each norm lies above its term and touches it, so the objective cannot rise; for the
scale-free one nothing guarantees that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from erlangen._typing import NDArray
from erlangen.linalg.admm import AbstractFit, Solution, State, minimise
from erlangen.linalg.norms import SumOfNorms, TurnedMap

ROUNDS = 50
"""Most convex problems in a row; most solutions rest after five, those close to a change of rank take longest."""

REST = 10.0
"""A solution rests where it moves by less than this many times the tolerance of each convex problem."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Data and penalty, in the unknowns of a fit.

    Attributes
    ----------
    fit : callable
        Fit to the data, ready for some norms.
    first : SumOfNorms
        Norms to begin with.
    norms : callable
        Norms near unknowns ``(q,)``.
    value : callable
        The penalty at unknowns ``(q,)``.
    convex : bool
        Whether the norms are the penalty everywhere.
    """

    fit: Callable[[SumOfNorms], AbstractFit]
    first: SumOfNorms
    norms: Callable[[NDArray], SumOfNorms]
    value: Callable[[NDArray], float]
    convex: bool

    @cached_property
    def first_fit(self) -> AbstractFit:
        """The fit that goes with the first norms: one factorisation for all weights."""
        return self.fit(self.first)


@dataclass(frozen=True, eq=False)
class Solved:
    """Where a problem ended.

    Attributes
    ----------
    solution : Solution
        Of the last convex problem.
    norms : SumOfNorms
        Its norms.
    objectives : tuple of float
        What was minimised, after each convex problem.
    iterations : int
        Of all of them.
    settled : bool
        Whether the solution rests.
    start : State
        To start a problem nearby from.
    """

    solution: Solution
    norms: SumOfNorms
    objectives: tuple[float, ...]
    iterations: int
    settled: bool
    start: State


def solve(problem: Problem, lam: float, start: State | None, tolerance: float) -> Solved:
    """Minimise ``fit + lam * penalty``."""
    norms, fit = problem.first, problem.first_fit
    solution = minimise(fit, norms, lam, start=start, tolerance=tolerance)
    first, iterations, settled = solution.state, solution.iterations, problem.convex
    objectives = [fit.value(solution.c) + lam * problem.value(solution.c)]
    while not settled and len(objectives) < ROUNDS:
        if not np.any(solution.image):  # nothing is broken: neither term nor norm can be less
            settled = True
            break
        near = problem.norms(solution.c)
        fit, before = problem.fit(near), solution.c
        solution = minimise(fit, near, lam, start=_carried(solution, norms, near), tolerance=tolerance)
        norms, iterations = near, iterations + solution.iterations
        objectives.append(fit.value(solution.c) + lam * problem.value(solution.c))
        settled = bool(np.linalg.norm(solution.c - before) <= REST * tolerance * np.linalg.norm(before))
    return Solved(solution, norms, tuple(objectives), iterations, settled, first)


def _carried(solution: Solution, old: SumOfNorms, new: SumOfNorms) -> State:
    """A state for norms that have changed: the same unknowns, and multipliers with the same slope."""
    state = solution.state
    images = new.split(new.apply(solution.c))
    multipliers = []
    for before, after, part in zip(old.norms, new.norms, old.split(state.scaled), strict=True):
        if isinstance(before.map, TurnedMap):
            part = (before.map.left.T @ part.reshape(len(before.map.left), -1)).ravel()
        if isinstance(after.map, TurnedMap):
            part = np.linalg.solve(after.map.left.T, part.reshape(len(after.map.left), -1)).ravel()
        multipliers.append(part)
    image = np.concatenate(images)
    return State(image, np.concatenate(multipliers), state.rho, float(np.linalg.norm(image)), (None,) * len(new.norms))
