"""The polynomial flows of dysts: the terms of chaotic systems from one trajectory each.

The data of a flow are one run of 20 periods at 100 samples a period, from the initial state of the package after ten
periods; period, parameters and initial state are those of its table. Noise is Gaussian, with 1 % of the standard
deviation of each coordinate. The library is one rule for all: monomials up to degree 4 in up to four coordinates, up to
2 in more. *Right* means that all equations have the true terms and no others.

Six flows share a right-hand side with another (`er.systems.dysts_aliases`), with other parameters; they are counted.

First integrals are sought among polynomials of degree up to 3, from the equations themselves.

Seeds: draw k of the j-th flow in alphabetical order is ``default_rng([j, k])``. Results go to
results/dynamics_dysts.txt. Without the package dysts (version 0.96) there are no rows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import erlangen as er
from benchmarks._dynamics_four import erlangen_terms
from benchmarks._parallel import each
from benchmarks._row import row
from benchmarks._truth import Terms, same_support, true_terms, worst
from erlangen.fields import Trajectories
from erlangen.fields.libraries import Polynomial
from erlangen.systems import System

RESULTS = Path(__file__).parent / "results"
PERIODS, PER_PERIOD, TRANSIENT = 20, 100, 10
NOISE = 0.01
ASKED = {0.0: 75, NOISE: 55}
SECONDS = 5.0
INTEGRALS = 3


@dataclass(frozen=True)
class Outcome:
    """What was found of one flow."""

    name: str
    noise: float
    right: bool
    error: float
    seconds: float
    text: str

    def line(self) -> str:
        mark = f"right, coefficients within {self.error:.1g}" if self.right else f"wrong: {self.text}"
        return f"{self.name:24s} noise {self.noise:.0%}  {self.seconds:5.2f} s  {mark}"


def rows(full: bool) -> list[dict[str, Any]]:
    if find_spec("dysts") is None:
        print("dysts is not installed (pip install --no-deps dysts==0.96): no rows")
        return []
    names = er.systems.dysts_names(polynomial=True)
    draws = {0.0: 1, NOISE: 3 if full else 1}
    outcomes = []
    for several in each(partial(outcomes_of, draws=draws), list(enumerate(names))):
        outcomes += several
        print("\n".join(one.line() for one in several), flush=True)
    (RESULTS / "dynamics_dysts.txt").write_text("\n".join(o.line() for o in outcomes) + "\n", encoding="utf-8")
    out = [r for noise in ASKED for r in summary(names, [o for o in outcomes if o.noise == noise], noise)]
    return [*out, integrals(names)]


def has_integral(name: str) -> bool:
    """Whether the equations of a flow conserve a polynomial."""
    return bool(er.dynamics.conserved(er.systems.dysts(name).equations(), Polynomial(INTEGRALS)).laws)


def integrals(names: Sequence[str]) -> dict[str, Any]:
    """First integrals among polynomials up to degree 3, from the equations: there is one, of Henon and Heiles."""
    found = [name for name, has in zip(names, each(has_integral, names), strict=True) if has]
    case = f"dysts, first integrals of degree {INTEGRALS}: {', '.join(found) or 'none'}"
    return row(case, f"flows of {len(names)}", len(found), None, "HenonHeiles alone", found == ["HenonHeiles"])


def outcomes_of(flow: tuple[int, str], draws: dict[float, int]) -> list[Outcome]:
    """One flow at all levels of noise: its trajectory is followed once."""
    return [measure(*flow, noise, draw) for noise, count in draws.items() for draw in range(count)]


def measure(j: int, name: str, noise: float, draw: int = 0) -> Outcome:
    """One flow, one draw of the noise."""
    system, truth = er.systems.dysts(name), true_terms(er.systems.dysts(name))
    flow = observed(name, noise, np.random.default_rng([j, draw]))
    begin = time.perf_counter()
    found = erlangen_terms(library(system), flow)
    seconds = time.perf_counter() - begin
    right = found is not None and same_support(found, truth)
    error = worst(found, truth) if found is not None else np.inf
    return Outcome(name, noise, right, error, seconds, difference(found, truth, system.names))


def library(system: System) -> Polynomial:
    """One rule for all."""
    return Polynomial(4 if system.dim <= 4 else 2)


@cache
def _clean(name: str) -> tuple[NDArray, NDArray]:
    system = er.systems.dysts(name)
    assert system.initial is not None and system.period is not None
    start = system.simulate(system.initial[0], [0.0, TRANSIENT * system.period])[-1]
    times = np.linspace(0.0, PERIODS * system.period, PERIODS * PER_PERIOD + 1)
    return times, system.simulate(start, times)


def observed(name: str, noise: float, rng: np.random.Generator) -> Trajectories:
    """The data of a flow."""
    times, states = _clean(name)
    states = states + noise * states.std(axis=0) * rng.standard_normal(states.shape)
    return Trajectories.from_arrays([states], times, er.systems.dysts(name).names)


def difference(found: Sequence[Terms] | None, truth: Sequence[Terms], names: Sequence[str]) -> str:
    """Terms too many and too few, in a line."""
    if found is None:
        return "it says that the data do not decide"
    parts = []
    for name, a, b in zip(names, found, truth, strict=True):
        more, less = sorted(set(a) - set(b)), sorted(set(b) - set(a))
        if more or less:
            parts.append(f"{name}'" + "".join(f" +{t}" for t in more[:4]) + "".join(f" -{t}" for t in less[:4]))
    return "; ".join(parts)


def summary(names: Sequence[str], outcomes: list[Outcome], noise: float) -> list[dict[str, Any]]:
    """How many flows are right."""
    label = f"dysts, {noise:.0%} noise" if noise else "dysts, no noise"
    draws = len(outcomes) // len(names)
    right = sum(np.median([o.right for o in outcomes if o.name == name]) > 0.5 for name in names)
    seconds = float(np.median([o.seconds for o in outcomes]))
    case = f"{label}, polynomial flows, {draws} draw{'s' if draws > 1 else ''}"
    return [
        row(case, f"terms right, of {len(names)}", right, None, f">= {ASKED[noise]}", bool(right >= ASKED[noise])),
        row(label, "fit [s], median", seconds, None, f"<= {SECONDS:g}", seconds <= SECONDS),
    ]
