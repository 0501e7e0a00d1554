"""Symbolic regression of whole systems: what a symmetry adds, and equations outside a fixed linear library.

*Curves*: derivatives with normal noise (a share of their standard deviation) at random points; success is a field with
as many terms as the truth that is within ten percent of it (relative root mean square at new points). Each seed draws
points and noise; with and without the symmetry the engine has the same seeds.

*Runs*: noisy trajectories of Lotka-Volterra (log), Sel'kov and the pendulum, smoothed without knowledge of the noise.

*ODEBench*: equations with parameters inside functions, from the published initial states without noise, as in its
protocol. Success is the same: as few terms as the truth where it is multiplied out, within 0.1 percent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import erlangen as er
from benchmarks._row import row

SEEDS = range(10)
CLOSE, CLEAN = 0.1, 1e-3
ODEBENCH = {4: 2, 10: 2, 14: 4, 18: 4, 19: 3, 20: 3, 22: 3, 42: 5, 47: 4, 48: 5, 62: 8}
"""Equations, and terms of the shortest form that is multiplied out."""


@dataclass(frozen=True)
class Case:
    """A symmetric field, its terms, the symmetry, and what is drawn."""

    name: str
    field: Callable[[NDArray], NDArray]
    n_terms: int
    settings: dict[str, Any]
    operators: tuple[str, ...]
    n: int
    noise: float


def spiral(x: NDArray) -> NDArray:
    return x @ np.array([[-0.2, 1.0], [-1.0, -0.2]])


def hopf(x: NDArray) -> NDArray:
    return x @ np.array([[1.0, 1.0], [-1.0, 1.0]]) - x * np.sum(x**2, axis=1, keepdims=True)


def saturated(x: NDArray) -> NDArray:
    return x @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + x / (1 + np.sum(x**2, axis=1, keepdims=True))


def pendulum(x: NDArray) -> NDArray:
    return np.c_[x[:, 1], -np.sin(x[:, 0]) - 0.2 * x[:, 1]]


SO2 = {"symmetry": er.actions.rotation(2)}
PLAIN, FULL = ("+", "-", "*"), ("+", "-", "*", "/", "sin", "cos", "exp")
CASES = (
    Case("spiral, so(2)", spiral, 4, SO2, PLAIN, 60, 0.4),
    Case("spiral, so(2)", spiral, 4, SO2, PLAIN, 60, 0.2),
    Case("Hopf, so(2)", hopf, 8, SO2, PLAIN, 60, 0.1),
    Case("Hopf, so(2)", hopf, 8, SO2, PLAIN, 60, 0.3),
)
LONG = (
    Case("pendulum, x -> -x", pendulum, 3, {"discrete": [-np.eye(2)]}, FULL, 60, 0.3),
    Case("saturated, so(2)", saturated, 4, SO2, FULL, 200, 0.05),
    Case("saturated, so(2)", saturated, 4, SO2, FULL, 200, 0.2),
)
RUNS = ("lotka_volterra", "selkov", "pendulum")


def rows(full: bool) -> list[dict[str, Any]]:
    """Rows of the curves; the long form has quotients, runs and ODEBench too."""
    out = [found for case in (*CASES, *LONG) if full or case in CASES for found in curve(case)]
    if full:
        out += [of_runs(name) for name in RUNS] + [of_odebench(number) for number in ODEBENCH]
    return out


def curve(case: Case) -> list[dict[str, Any]]:
    """Successes and errors with the symmetry, beside those without."""
    found = np.array([[tried(case, seed, settings) for settings in (case.settings, {})] for seed in SEEDS])
    (with_it, without), (error, plain) = found[..., 0].sum(axis=0), np.median(found[..., 1], axis=0)
    name = f"{case.name}, n = {case.n}, {100 * case.noise:g} % noise; rival: no symmetry"
    wins = f"successes of {len(SEEDS)}"
    return [
        row(name, wins, float(with_it), float(without), ">= rival", bool(with_it >= without)),
        row(name, "median relative error", float(error), float(plain), "<= rival", bool(error <= plain)),
    ]


def tried(case: Case, seed: int, settings: dict[str, Any]) -> tuple[float, float]:
    """Success and relative error of one fit."""
    rng = np.random.default_rng(seed)
    x, new = rng.uniform(-2, 2, (case.n, 2)), rng.uniform(-2, 2, (1000, 2))
    clean = case.field(x)
    noisy = clean + case.noise * clean.std(axis=0) * rng.normal(size=clean.shape)
    model = er.dynamics.SymbolicRegression(
        **settings, operators=case.operators, restarts=2, evaluations=5000, rng=seed
    ).fit(x, x_dot=noisy)
    error = distance(model, case.field, new)
    return float(error <= CLOSE and model.equations_.n_terms == case.n_terms), error


def distance(model: Any, truth: Callable[[NDArray], NDArray], x: NDArray) -> float:
    """Relative root mean square difference of two fields."""
    right = truth(x)
    return float(np.linalg.norm(model.predict(x) - right) / np.linalg.norm(right))


def of_runs(name: str) -> dict[str, Any]:
    """Five noise draws of ten runs of 500 samples at 5 percent."""
    system, wins, shown = er.systems.get(name), 0, ""
    truth = system.equations()
    for seed in range(5):
        flow = system.trajectories(seed, n_runs=10, t=np.linspace(0, system.span, 500), noise=0.05)
        model = er.dynamics.SymbolicRegression(restarts=4, rng=seed).fit(flow)
        close = distance(model, system.rhs, flow.points[::10]) <= CLOSE
        n_terms = er.dynamics.Equations.from_text(truth).n_terms
        wins += close and model.equations_.n_terms == n_terms
        shown = "; ".join(model.equations_.text(3).splitlines())
    return row(f"{name}, 10 runs x 500, 5 % noise: {shown}", "successes of 5", wins, None, ">= 4", wins >= 4)


def of_odebench(number: int) -> dict[str, Any]:
    """One equation from clean runs."""
    system, flow = er.systems.odebench(number), er.systems.odebench_trajectories(number)
    model = er.dynamics.SymbolicRegression().fit(flow)
    error = distance(model, system.rhs, flow.points)
    found = error <= CLEAN and model.equations_.n_terms <= ODEBENCH[number]
    shown = "; ".join(model.equations_.text(3).splitlines())[:120]
    return row(f"ODEBench {number}, relative error {error:.1e}: {shown}", "found", float(found), None, "-")
