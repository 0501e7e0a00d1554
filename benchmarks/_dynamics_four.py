"""The four systems of the source paper: joint success and error, without symmetry, with it given, with it discovered.

Data are made by its recipe (`er.systems.get(...).recipe`): a *draw* is a noisy data set, a *subsample* a random half
of its runs. *Success* is joint: the terms of all equations are the true ones and no others. The *error* is the root of
the mean squared error over the true terms that are not zero, over all fits, successful or not. Nothing is told the
level of the noise. One setting serves all four: ``SINDy(library)``.

Seeds: draw k of a system is ``recipe(rng=k)``; its subsample j is drawn by ``default_rng([k, j])``.

pysindy has the same data and functions; *tuned* is the best of a grid, chosen by the truth (`benchmarks._pysindy`).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import erlangen as er
from benchmarks import _pysindy as rival
from benchmarks._parallel import each
from benchmarks._row import row
from benchmarks._truth import Terms, combined, joint_rmse, same_support, true_terms
from erlangen.dynamics._equation_terms import formula_text
from erlangen.fields import Trajectories
from erlangen.fields.libraries import AbstractLibrary, Expressions, Polynomial

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Case:
    """A system with its library, the symmetry that is known of it, and what is asked."""

    name: str
    library: AbstractLibrary
    given: dict[str, Callable[[], Any]] = field(default_factory=dict)
    rmse: float = np.inf
    """Asked of the joint error at the published noise and size."""

    @property
    def system(self) -> Any:
        return er.systems.get(self.name)


def _so2() -> Any:
    return er.actions.rotation(2)


def _turns_and_scalings() -> Any:
    return er.actions.linear(np.array([[[0.0, -1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]))


def _weights() -> Any:
    return er.actions.linear(np.diag([2.0, 1.0])[None])


CASES = (
    Case("damped_oscillator", Polynomial(2), {"so(2)": _so2, "so(2) and scalings": _turns_and_scalings}, 0.0005),
    Case("growth", Polynomial(2), {"weights (2, 1)": _weights}, 0.001),
    Case("lotka_volterra", Polynomial(2) + Expressions("exp(x)", "exp(y)"), {}, 0.012),
    Case("selkov", Polynomial(3), {}, 0.0015),
)
RIVALS = ("pysindy", "pysindy, tuned")
BY_NAME = {case.name: case for case in CASES}


@dataclass(frozen=True)
class Task:
    """How much data, and how noisy: None is the published level."""

    case: Case
    share: float = 0.5
    """Of the runs, for a subsample; below one run, one."""
    noise: float | None = None
    draws: int = 10
    subsamples: int = 1

    @property
    def label(self) -> str:
        made = self.case.system.recipes
        noise = made.noise if self.noise is None else self.noise
        kept = self.size(made.runs)
        return f"{self.case.name}, {noise:.0%} noise, {kept} run{'s' if kept > 1 else ''} of {made.samples:,}"

    def size(self, runs: int) -> int:
        return max(1, round(self.share * runs))

    def data(self, draw: int) -> Iterator[Trajectories]:
        """The subsamples of a draw."""
        flow = self.case.system.recipe(rng=draw, noise=self.noise)
        for j in range(self.subsamples):
            chosen = np.random.default_rng([draw, j]).choice(flow.n_runs, self.size(flow.n_runs), replace=False)
            yield flow.select([flow.groups[i] for i in sorted(chosen)])


@dataclass
class Tally:
    """Outcomes of one method."""

    right: list[bool] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, found: tuple[Terms, ...] | None, truth: tuple[Terms, ...], seconds: float = 0.0) -> None:
        blank: tuple[Terms, ...] = tuple({} for _ in truth)
        self.right.append(found is not None and same_support(found, truth))
        self.errors.append(joint_rmse(blank if found is None else found, truth))
        self.seconds.append(seconds)

    def extend(self, other: Tally) -> None:
        self.right += other.right
        self.errors += other.errors
        self.seconds += other.seconds

    @property
    def success(self) -> float:
        return float(np.mean(self.right))

    @property
    def rmse(self) -> float:
        return float(np.mean(self.errors))


def rows(full: bool) -> list[dict[str, Any]]:
    draws, subsamples = (10, 10) if full else (10, 1)
    out: list[dict[str, Any]] = []
    for case in CASES:
        heavy = not full and case.name == "lotka_volterra"  # a fit of two million numbers
        out += published(Task(case, draws=3 if heavy else draws, subsamples=subsamples))
    for case in CASES:
        out += less_data(Task(case, share=0.1, draws=draws, subsamples=subsamples), 0.95, "a tenth of the runs")
    selkov = BY_NAME["selkov"]
    out += less_data(Task(selkov, noise=1.0, draws=draws, subsamples=subsamples), 0.90, "as noisy as large")
    out += less_data(Task(selkov, share=0.0, draws=draws, subsamples=subsamples), 0.95, "a single run")
    out += efficiency(draws if full else 5)
    if full:
        curves()
    return out


LEVELS = {"damped_oscillator": (0.04, (2.0, 5.0)), "growth": (0.02, (0.2, 0.5))}
"""Share of the runs, and noises at which equations without symmetry begin to fail."""


def efficiency(draws: int) -> list[dict[str, Any]]:
    """Two runs and more and more noise: the symmetric curves are nowhere worse, and somewhere better."""
    out = []
    for name, (share, noises) in LEVELS.items():
        case = BY_NAME[name]
        methods: dict[str, Any] = {"no symmetry": None, **dict(list(case.given.items())[-1:])}
        methods["symmetry discovered"] = "discover"
        found = [tallies(Task(case, share, noise, draws), methods) for noise in noises]
        curves = {how: [level[how].success for level in found] for how in methods}
        errors = {how: [level[how].rmse for level in found] for how in methods}
        text = ", ".join(f"{noise:.0%}" for noise in noises)
        for how, curve in curves.items():
            free = curves["no symmetry"]
            shown = f"{name}, {Task(case, share).size(case.system.recipes.runs)} runs, noise {text}: {how}"
            shown += " " + " ".join(f"{c:.1f}" for c in curve) + "; error " + " ".join(f"{e:.2g}" for e in errors[how])
            worst = min(a - b for a, b in zip(curve, free))
            gained = sum(a - b for a, b in zip(curve, free)) / len(curve)
            asked = None if how == "no symmetry" else "nowhere worse"
            met = None if asked is None else worst >= 0 and errors[how][0] <= errors["no symmetry"][0]
            out.append(row(shown, "gain of joint success, mean", gained, None, asked, met))
    return out


def published(task: Task) -> list[dict[str, Any]]:
    """All methods at the published noise and size."""
    methods = {"no symmetry": None, **{f"{k} given": make for k, make in task.case.given.items()}}
    found = tallies(task, methods | {"symmetry discovered": "discover"}, rivals=True)
    theirs = {name: found.pop(name) for name in RIVALS}
    return [r for name, tally in found.items() for r in summary(task, name, tally, theirs)]


def tallies(task: Task, methods: dict[str, Any], rivals: bool = False) -> dict[str, Tally]:
    """Outcomes of methods: None, "discover", or a function that makes an action."""
    out = {name: Tally() for name in [*methods, *RIVALS]}
    for one in each(partial(outcomes_of, task=task, methods=methods, rivals=rivals), range(task.draws)):
        for name, tally in one.items():
            out[name].extend(tally)
    return out


def outcomes_of(draw: int, task: Task, methods: dict[str, Any], rivals: bool) -> dict[str, Tally]:
    """One draw of the noise; pysindy has the first subsample of the first three."""
    out = {name: Tally() for name in [*methods, *RIVALS]}
    truth = true_terms(task.case.system)
    for j, flow in enumerate(task.data(draw)):
        for name, make in methods.items():
            fit(out[name], task.case, flow, make() if callable(make) else make, truth)
        if rivals and j == 0 and draw < 3 and rival.AVAILABLE:
            fit_rival(out, flow, _texts(task.case), truth)
    return out


def summary(task: Task, name: str, tally: Tally, theirs: dict[str, Tally]) -> list[dict[str, Any]]:
    """Success and error of one method, beside the best that pysindy gave."""
    best = theirs["pysindy, tuned"] if theirs["pysindy, tuned"].right else None
    plain = theirs["pysindy"] if theirs["pysindy"].right else None
    case = f"{task.label}: {name}"
    beside = f"; rival: pysindy tuned, as it comes {plain.success:.2f}" if plain and name == "no symmetry" else ""
    count = f"joint success of {len(tally.right)}"
    most = task.case.rmse
    return [
        row(case + beside, count, tally.success, best.success if best else None, "1.00", tally.success >= 1.0)
        | {"ratio": None},
        row(case, "joint error", tally.rmse, best.rmse if best else None, f"<= {most:g}", tally.rmse <= most),
        row(case, "fit [s], median", float(np.median(tally.seconds)), None, None, None),
    ]


def less_data(task: Task, least: float, why: str) -> list[dict[str, Any]]:
    """With and without a symmetry, where data are few or noisy."""
    methods: dict[str, Any] = {"no symmetry": None, **dict(list(task.case.given.items())[:1])}
    out, found = [], tallies(task, methods)
    for name in methods:
        tally = found[name]
        case = f"{task.label} ({why}): {name}"
        met = tally.success >= least
        out.append(row(case, f"joint success of {len(tally.right)}", tally.success, None, f">= {least:g}", met))
    return out


def fit(tally: Tally, case: Case, flow: Trajectories, symmetry: Any, truth: tuple[Terms, ...]) -> None:
    begin = time.perf_counter()
    found = erlangen_terms(case.library, flow, symmetry)
    tally.add(found, truth, time.perf_counter() - begin)


def erlangen_terms(library: AbstractLibrary, flow: Trajectories, symmetry: Any = None) -> tuple[Terms, ...] | None:
    """Normal forms of the equations that SINDy finds; None where it says that it cannot, or breaks down."""
    model = er.dynamics.SINDy(library, symmetry=symmetry)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # functions that others make up are left out, which is said each time
        try:
            model.fit(flow)
        except er.ErlangenError:
            return None
        except np.linalg.LinAlgError as error:  # a fault of ours, which counts and does not end the measurement
            print(f"crash in a fit of {', '.join(flow.names)}: {error}", flush=True)
            return None
    found = model.equations_
    return combined(found.coefficients, found.terms, found.names)


def fit_rival(out: dict[str, Tally], flow: Trajectories, texts: list[str], truth: tuple[Terms, ...]) -> None:
    plain = rival.as_it_comes(flow, texts)
    out["pysindy"].add(None if plain is None else combined(plain, texts, flow.names), truth)
    found = [combined(c, texts, flow.names) for c in rival.tuned(flow, texts, weak=True)]
    best = min(found, key=lambda one: (not same_support(one, truth), joint_rmse(one, truth)), default=None)
    out["pysindy, tuned"].add(best, truth)


def _texts(case: Case) -> list[str]:
    """The functions of a library as formulas, the constant among them."""
    return ["1", *formulas(case.library, case.system.names)]


def formulas(library: AbstractLibrary, names: tuple[str, ...]) -> list[str]:
    """What a library prints, as formulas."""
    return [formula_text(text, names) for text in library.bind(names).texts]


CURVE_SHARES = {"damped_oscillator": (0.02, 0.04, 0.1, 0.2, 0.5), "growth": (0.01, 0.02, 0.05, 0.1, 0.5),
                "lotka_volterra": (0.005, 0.01, 0.02, 0.05), "selkov": (0.1, 0.2, 0.3, 0.5)}  # fmt: skip
CURVE_NOISES = {"damped_oscillator": (0.2, 0.5, 1.0, 2.0), "growth": (0.05, 0.1, 0.2, 0.5),
                "lotka_volterra": (0.5, 0.99, 2.0), "selkov": (0.2, 0.5, 1.0, 2.0)}  # fmt: skip


def curves(draws: int = 10) -> None:
    """Success over runs and over noise, with and without symmetry, as a picture and a table."""
    table: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for case in CASES:
        methods: dict[str, Any] = {"no symmetry": None, "discovered": "discover", **case.given}
        for what, levels in (("share of runs", CURVE_SHARES[case.name]), ("noise", CURVE_NOISES[case.name])):
            curve: dict[str, list[tuple[float, float, float]]] = {}
            for level in levels:
                task = (
                    Task(case, share=level, draws=draws) if what != "noise" else
                    Task(case, share=0.1, noise=level, draws=draws)
                )  # fmt: skip
                for name, tally in tallies(task, methods).items():
                    if tally.right:
                        curve.setdefault(name, []).append((level, tally.success, tally.rmse))
            table[f"{case.name}, {what}"] = curve
            print(f"curve of {case.name} over {what} done", flush=True)
    _write(table)


def _write(table: dict[str, dict[str, list[tuple[float, float, float]]]]) -> None:
    lines = ["curve; method; level; joint success; joint error"]
    for curve, methods in table.items():
        for name, points in methods.items():
            lines += [f"{curve}; {name}; {level:g}; {success:.2f}; {rmse:.3g}" for level, success, rmse in points]
    (RESULTS / "dynamics_four.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _plot(table)


def _plot(table: dict[str, dict[str, list[tuple[float, float, float]]]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(16, 7), sharey=True)
    for k, (title, methods) in enumerate(table.items()):
        axis: Any = axes[k % 2, k // 2]
        for name, points in methods.items():
            level, success, _ = np.array(points, dtype=float).T
            axis.semilogx(level, success, "o-", label=name)
        axis.set(title=title, ylim=(-0.05, 1.05), ylabel="joint success")
        axis.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(RESULTS / "dynamics_four.png", dpi=100)
    plt.close(figure)
