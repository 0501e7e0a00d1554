"""ODEBench by its own protocol: 63 equations, two runs of 150 samples each, multiplicative noise, one setting for all.

*Right* is a system whose equations, multiplied out (`benchmarks._truth`), have the true terms and no others, with
coefficients within 5 %, in more than half of the draws. ``LIBRARY`` serves all systems; a system whose truth is not in
its span is marked, and counts as a failure. The *bound* is Cramer and Rao's for the worst coefficient, its terms known
and the initial states not: where it exceeds 2.5 %, half of what is allowed, no method can be relied on to be right.

Seeds: draw k of equation i is ``odebench_trajectories(i, noise, rng=[i, k])``.

pysindy has the same data. *As it comes* it has quadratic functions; *tuned* is the best of a grid for each draw, chosen
by the truth, over quadratic, cubic and our functions (`benchmarks._pysindy`).
Of the systems that have a symmetry or a law (SYMMETRIC), it is named from the found equations (`benchmarks._laws`).
The table of all systems is written to results/dynamics_odebench.txt.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import erlangen as er
from benchmarks import _pysindy as rival
from benchmarks._bounds import multiplicative, undecidable
from benchmarks._dynamics_four import erlangen_terms, formulas
from benchmarks._laws import named
from benchmarks._parallel import each
from benchmarks._row import row
from benchmarks._truth import CLOSE, Terms, combined, is_true, same_support, true_coefficients, true_terms
from erlangen.fields import Trajectories
from erlangen.fields.libraries import AbstractLibrary, Expressions, Features, Polynomial, Sum

RESULTS = Path(__file__).parent / "results"
NUMBERS = range(1, 64)
ASKED = {0.0: 45, 0.05: 30}
SYMMETRIC = (24, 27, 28, 29, 31, 34, 63)


class Textbook(AbstractLibrary):
    """The functions of textbooks of dynamics, for any number of coordinates.

    Monomials (up to degree 5 in one coordinate, 4 in three, 3 otherwise), sines and cosines of each coordinate and
    their products, a coordinate times the cosine of another, ``x*abs(x)``, ``exp(-x)``, ``x*log(abs(x))`` in one
    coordinate, and saturation ``1/(1 + x**2)``, alone and times ``x*y``.
    """

    def bind(self, names: Sequence[str]) -> Features:
        d = len(names)
        texts = [f(x) for x in names for f in (_sine, _cosine)]
        texts += [f"{_sine(x)}*{_cosine(y)}" for x in names for y in names] if d <= 2 else []
        texts += [f"{x}*{_cosine(y)}" for x in names for y in names if x != y]
        texts += [f"{x}*abs({x})" for x in names]
        if d <= 2:
            texts += [f"1/(1 + {x}**2)" for x in names]
            texts += [f"{x}*{y}/(1 + {x}**2)" for x in names for y in names if x != y]
        if d == 1:
            texts += [f"exp(-{x})" for x in names] + [f"{x}*log(abs({x}))" for x in names]
        return Sum((Polynomial({1: 5, 3: 4}.get(d, 3)), Expressions(*texts))).bind(names)


def _sine(x: str) -> str:
    return f"sin({x})"


def _cosine(x: str) -> str:
    return f"cos({x})"


LIBRARY = Textbook()
"""One for all; results print it."""


@dataclass
class Outcome:
    """What was found of one equation at one level of noise."""

    number: int
    noise: float
    inside: bool
    bound: float
    right: dict[str, list[bool]] = field(default_factory=dict)
    support: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    law: str = ""
    last: str = ""

    def solved(self, method: str = "erlangen") -> bool:
        found = self.right.get(method, [])
        return bool(found) and float(np.median(found)) > 0.5

    def line(self) -> str:
        marks = "".join([" outside the library" if not self.inside else "", self._undecidable()])
        shares = "  ".join(f"{name} {sum(found)}/{len(found)}" for name, found in self.right.items())
        law = f"; {self.law}" if self.law else ""
        return (
            f"{self.number:3d} noise {self.noise:.0%}  bound {self.bound:.2%}  {shares}  support "
            f"{sum(self.support)}/{len(self.support)}  {np.median(self.seconds):.2f} s{marks}{law}{self.last}"
        )

    def _undecidable(self) -> str:
        return " undecidable" if self.noise and undecidable(self.bound, CLOSE) else ""


def rows(full: bool) -> list[dict[str, Any]]:
    outcomes = [one for noise, draws in ((0.0, 1), (0.05, 10 if full else 3)) for one in level(noise, draws, full)]
    write(outcomes)
    return [r for noise in ASKED for r in summary([o for o in outcomes if o.noise == noise], noise)]


def level(noise: float, draws: int, full: bool, numbers: Sequence[int] = NUMBERS) -> list[Outcome]:
    """All systems at one level of noise."""
    out = []
    for one in each(partial(measure, noise=noise, draws=draws, rival_draws=draws if full else 1), numbers):
        out.append(one)
        print(one.line(), flush=True)
    return out


def measure(number: int, noise: float, draws: int, rival_draws: int) -> Outcome:
    """One system: all draws, pysindy on the first of them."""
    system = er.systems.odebench(number)
    texts, truth = ["1", *formulas(LIBRARY, system.names)], true_terms(system)
    inside = true_coefficients(system, texts) is not None
    bound = multiplicative(system, np.linspace(0.0, 10.0, 150), noise) if noise else 0.0
    out = Outcome(number, noise, inside, bound, {"erlangen": []})
    for draw in range(draws):
        flow = er.systems.odebench_trajectories(number, noise, np.random.default_rng([number, draw]))
        begin = time.perf_counter()
        found = erlangen_terms(LIBRARY, flow)
        out.seconds.append(time.perf_counter() - begin)
        out.right["erlangen"].append(found is not None and is_true(found, truth))
        out.support.append(found is not None and same_support(found, truth))
        if out.right["erlangen"][-1] and number in SYMMETRIC and found is not None:
            out.law = named(found, flow)
        if not out.right["erlangen"][-1]:
            out.last = f"\n      found {shown(found, system.names)}"
        if draw < rival_draws and rival.AVAILABLE:
            comes, grid = rivals(flow, texts)
            out.right.setdefault("pysindy", []).append(any(is_true(one, truth) for one in comes))
            out.right.setdefault("tuned", []).append(any(is_true(one, truth) for one in grid))
    return out


def rivals(flow: Trajectories, texts: list[str]) -> tuple[list[tuple[Terms, ...]], list[tuple[Terms, ...]]]:
    """Equations of pysindy as it comes, with its quadratic library, and over the grid with three libraries."""
    libraries = [["1", *formulas(Polynomial(degree), flow.names)] for degree in (2, 3)] + [texts]
    plain = rival.as_it_comes(flow, libraries[0])
    comes = [] if plain is None else [combined(plain, libraries[0], flow.names)]
    return comes, [combined(c, some, flow.names) for some in libraries for c in rival.tuned(flow, some)]


def shown(found: tuple[Terms, ...] | None, names: Sequence[str]) -> str:
    """What was found, in a line."""
    if found is None:
        return "nothing: it says that the data do not decide"
    sides = (" + ".join(f"{value:.3g}*{key}" for key, value in form.items()) or "0" for form in found)
    return ", ".join(f"{name}' = {side}" for name, side in zip(names, sides, strict=True))


def summary(outcomes: list[Outcome], noise: float) -> list[dict[str, Any]]:
    """How many of the 63 are right."""
    label = f"ODEBench, {noise:.0%} noise" if noise else "ODEBench, no noise"
    draws = len(outcomes[0].right["erlangen"])
    count = {name: sum(o.solved(name) for o in outcomes) for name in ("erlangen", "tuned", "pysindy")}
    beside = f"; rival: pysindy tuned, as it comes {count['pysindy']}" if rival.AVAILABLE else ""
    asked, mine = ASKED[noise], count["erlangen"]
    other = count["tuned"] if rival.AVAILABLE else None
    decided = [o for o in outcomes if o.inside and not (noise and undecidable(o.bound, CLOSE))]
    found = sum(o.solved() for o in decided)
    support = sum(float(np.median(o.support)) > 0.5 for o in outcomes)
    laws = sum(o.solved() and bool(o.law) for o in outcomes)
    seconds = float(np.median([t for o in outcomes for t in o.seconds]))
    return [
        row(f"{label}, {draws} draws{beside}", "right of 63", mine, other, f">= {asked}", mine >= asked),
        row(f"{label}: of those that the bound and the library allow", f"right of {len(decided)}", found, None, None),
        row(f"{label}: terms right, whatever the coefficients", "of 63", support, None, None),
        row(f"{label}: right, and a law or symmetry named", f"of {len(SYMMETRIC)}", laws, None, None),
        row(f"{label}", "fit [s], median", seconds, None, None),
    ]


def write(outcomes: list[Outcome]) -> None:
    """One line for each system, and the library."""
    lines = [f"library: {' '.join((LIBRARY.__doc__ or '').split())}", *(o.line() for o in outcomes)]
    (RESULTS / "dynamics_odebench.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
