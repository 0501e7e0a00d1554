"""Model error: a term is withheld from a model, and found again from data; and equations are repaired.

Each case is drawn twenty times (seeds 0 to 19: initial states, then noise), without noise and with 1 % of the standard
deviation of each coordinate. A draw succeeds where the support of the correction is exact; its error is the largest
relative error of a coefficient. What it is compared with, ``plain increments``, is least squares of (x' - M(x)) / dt on
the *true* support, with M the exact flow of the model: the error of first order in dt that a closed form inherits
where increments are taken as they are.

**Samples**: the fewest at which at least 95 % of the draws succeed, at that number and at the larger ones tried, with
the symmetry and without. Each draw is runs of 21 samples. The estimator is the same; it refuses to answer, and so
fails, where equations are no more than coefficients.

**Repair**: 15 systems, each with a term dropped, a term of degree up to two added (of 30 % of the equation's size), and
all coefficients off by 20 % either way; five runs of 400 samples with 2 % noise.
Offered are monomials up to the degree of the truth, at least 2, and its functions: one that is on no list is not found.
Compared with STLSQ from scratch on the same library and on derivatives by `er.dynamics.smooth`, with the share of the
largest term that is best over all systems.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import erlangen as er
from benchmarks._row import row
from erlangen.dynamics import DifferentialTerms, Equations, GridEquation, GridModelError, ModelError
from erlangen.dynamics.repair import _family
from erlangen.fields import Trajectories

SEEDS = 20
LEAST = 19
"""Draws that must succeed: 95 %, as the test of breaking may raise a false alarm."""

NOISE = 0.01
BOUNDS = {0.0: 0.01, NOISE: 0.10}
MOST = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)

LORENZ = Equations.from_text({"x": "10*(y-x)", "y": "x*(28-z)-y", "z": "x*y-8/3*z"})
PLANAR = Equations.from_text({"x": "x/2 - 2*y - x*(x**2+y**2)", "y": "2*x + y/2 - y*(x**2+y**2)"})
HALF_TURN = [np.diag([-1.0, -1.0, 1.0])]
REPAIRED = (
    "brusselator", "damped_oscillator", "duffing", "growth", "halvorsen", "henon_heiles", "hopf", "lorenz",
    "lotka_volterra", "pendulum", "rigid_body", "rossler", "selkov", "thomas", "van_der_pol",
)  # fmt: skip


class Case(NamedTuple):
    """A truth, a model that lacks terms, and a symmetry of both."""

    name: str
    truth: Equations
    model: dict[str, str]
    missing: dict[tuple[str, str], float]
    symmetry: Any
    degree: int
    start: Callable[[np.random.Generator], NDArray]
    step: float
    samples: int


@cache
def attractor() -> NDArray:
    return LORENZ.simulate([1.0, 2.0, 20.0], np.linspace(0, 100, 5001)).states[500:]


def on_the_attractor(rng: np.random.Generator) -> NDArray:
    return attractor()[rng.integers(len(attractor()))]


def in_the_disc(rng: np.random.Generator) -> NDArray:
    angle = rng.uniform(0, 2 * np.pi)
    return rng.uniform(0.2, 1.5) * np.array([np.cos(angle), np.sin(angle)])


CASES = (
    Case(
        "Lorenz without x z", LORENZ, {"x": "10*(y-x)", "y": "28*x-y", "z": "x*y-8/3*z"}, {("y", "x*z"): -1.0},
        HALF_TURN, 2, on_the_attractor, 0.02, 500,
    ),
    Case(
        "planar field without its cubic terms", PLANAR, {"x": "x/2-2*y", "y": "2*x+y/2"},
        {("x", "x**3"): -1.0, ("x", "x*y**2"): -1.0, ("y", "x**2*y"): -1.0, ("y", "y**3"): -1.0},
        er.actions.rotation(2), 3, in_the_disc, 0.05, 60,
    ),
)  # fmt: skip


def rows(full: bool) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for case in CASES:
        out += recovered(case)
    for case in CASES:
        out += fewest(case)
    return out + fields(full) + repaired(full)


# --- trajectories


def runs_of(case: Case, seed: int, noise: float, count: int, samples: int) -> Trajectories:
    rng = np.random.default_rng(seed)
    t = np.arange(samples) * case.step
    clean = [case.truth.simulate(case.start(rng), t).states for _ in range(count)]
    size = noise * SIZES[case.truth.names]
    return Trajectories.from_arrays([x + size * rng.normal(size=x.shape) for x in clean], t, names=case.truth.names)


SIZES = {("x", "y", "z"): np.array([7.9, 9.0, 8.6]), ("x", "y"): np.array([0.5, 0.5])}
"""Standard deviations on the attractors."""


def found(model: ModelError) -> dict[tuple[str, str], float]:
    """Terms of the correction."""
    h = model.correction_
    pairs = ((name, values) for name, values in zip(h.names, h.coefficients, strict=True))
    return {(name, t): float(c) for name, values in pairs for t, c in zip(h.terms, values, strict=True) if c}


def recovered(case: Case) -> list[dict[str, Any]]:
    """Support, errors, the test of breaking, and time."""
    out = []
    for noise, bound in BOUNDS.items():
        exact, errors, alarms, seconds, rivals = 0, [], 0, [], []
        for seed in range(SEEDS):
            flow = runs_of(case, seed, noise, 2, case.samples)
            begin = time.perf_counter()
            model = ModelError(case.model, degree=case.degree, symmetry=case.symmetry).fit(flow)
            seconds.append(time.perf_counter() - begin)
            alarms += bool(model.test_ and model.test_.breaks)
            terms = found(model)
            exact += terms.keys() == case.missing.keys()
            errors.append(max(abs(terms.get(key, 0.0) / c - 1) for key, c in case.missing.items()))
            rivals.append(plain_increments(case, flow))
        name = f"{case.name}, {noise:.0%} noise, 2 x {case.samples} samples"
        worst, theirs = max(errors), float(np.median(rivals))
        out.append(row(name, f"exact support, of {SEEDS}", exact, None, f">= {LEAST}", exact >= LEAST))
        out.append(row(name, "coefficient error, worst", worst, None, f"<= {bound:g}", worst <= bound))
        middle = float(np.median(errors))
        out.append(row(f"{name}, against plain increments", "coefficient error, median", middle, theirs, None))
        out.append(row(name, f"false alarms of breaking, of {SEEDS}", alarms, None, "<= 1", alarms <= 1))
        out.append(row(name, "fit [s], median", float(np.median(seconds)), None, None))
    return out


def plain_increments(case: Case, flow: Trajectories) -> float:
    """Largest relative error of least squares on the true support, of increments as they are."""
    steps = flow.increments()
    model = Equations.from_text(case.model)
    x, parts = steps.start, 10
    for _ in range(parts):
        x = classical_step(model.value, x, case.step / parts)
    slope = (steps.stop - x) / case.step
    worst = 0.0
    for name in {name for name, _ in case.missing}:
        terms = [text for other, text in case.missing if other == name]
        design = [Equations(case.truth.names, (), (text,), np.ones((len(case.truth.names), 1))) for text in terms]
        values = np.stack([part.value(steps.start)[:, 0] for part in design], axis=1)
        z = np.linalg.lstsq(values, slope[:, case.truth.names.index(name)], rcond=None)[0]
        worst = max(worst, *(abs(c / case.missing[name, t] - 1) for c, t in zip(z, terms, strict=True)))
    return worst


def classical_step(f: Callable[[NDArray], NDArray], x: NDArray, h: float) -> NDArray:
    a = f(x)
    b = f(x + h / 2 * a)
    c = f(x + h / 2 * b)
    return x + h / 6 * (a + 2 * b + 2 * c + f(x + h * c))


def short_runs(case: Case, seed: int, count: int, length: int) -> Trajectories:
    """Noisy runs, followed together in small steps."""
    rng = np.random.default_rng(seed)
    x = np.stack([case.start(rng) for _ in range(count)])
    states = [x]
    for _ in range(length - 1):
        for _ in range(5):
            x = classical_step(case.truth.value, x, case.step / 5)
        states.append(x)
    clean = np.stack(states, axis=1)
    noisy = clean + NOISE * SIZES[case.truth.names] * rng.normal(size=clean.shape)
    return Trajectories.from_arrays(list(noisy), np.arange(length) * case.step, names=case.truth.names)


def fewest(case: Case, length: int = 21) -> list[dict[str, Any]]:
    """Samples at 95 % success with and without the symmetry; and the curves."""
    out, least = [], {}
    for label, symmetry in (("with the symmetry", case.symmetry), ("without", None)):
        rates: list[float] = []
        for count in MOST:
            wins = 0
            for seed in range(SEEDS):
                model = ModelError(case.model, degree=case.degree, symmetry=symmetry)
                try:
                    model.fit(short_runs(case, 1000 + seed, count, length))
                except er.UndecidedError:
                    continue
                wins += found(model).keys() == case.missing.keys()
            rates.append(wins / SEEDS)
            if min(rates[-3:]) >= 0.95 and len(rates) >= 3:
                break
        good = [min(rates[i:]) >= 0.95 for i in range(len(rates))]
        least[label] = MOST[good.index(True)] * length if any(good) else float("inf")
        curve = ", ".join(f"{count * length}: {rate:.2f}" for count, rate in zip(MOST, rates, strict=False))
        out.append(row(f"{case.name}, {NOISE:.0%} noise, {label}", f"rate by samples {curve}", rates[-1], None, None))
    a, b = least["with the symmetry"], least["without"]
    met = a <= 0.5 * b
    return [*out, row(f"{case.name}, {NOISE:.0%} noise", "samples at 95 %, with against without", a, b, "<= 0.5", met)]


# --- fields on a line

KS = {"u u_x": -1.0, "u_xx": -1.0, "u_xxxx": -1.0}
LENGTH, POINTS = 64.0, 128


def fields(full: bool) -> list[dict[str, Any]]:
    """Kuramoto-Sivashinsky: one of its terms withheld; a term added to the truth, as in MEDIDA's cases."""
    cases = [("u u_x", -1.0, False), ("u_xxx", 0.3, True)]
    cases += [("u_xxxx", -1.0, False), ("u_xx", -1.0, False), ("u^2 u_x", 0.1, True)] if full else []
    out = []
    for term, value, breaks in cases:
        truth, model = {**KS, term: value}, {text: c for text, c in KS.items() if text != term}
        for noise, bound in BOUNDS.items():
            exact, errors, right, seconds = 0, [], 0, []
            for seed in range(SEEDS):
                u, t = field_runs(truth, seed, noise)
                begin = time.perf_counter()
                fit = GridModelError(model, DifferentialTerms(3, 4, LENGTH), symmetry=("xu",)).fit(u, t)
                seconds.append(time.perf_counter() - begin)
                exact += fit.correction_.terms.keys() == {term}
                errors.append(abs(fit.correction_.terms.get(term, 0.0) / value - 1))
                right += bool(fit.test_ and fit.test_.breaks) == breaks
            name = f"Kuramoto-Sivashinsky without {term}, {noise:.0%} noise, 200 x {POINTS} samples"
            worst = max(errors)
            out.append(row(name, f"exact support, of {SEEDS}", exact, None, f">= {LEAST}", exact >= LEAST))
            out.append(row(name, "coefficient error, worst", worst, None, f"<= {bound:g}", worst <= bound))
            words = "breaks the reflection" if breaks else "keeps the reflection"
            out.append(row(name, f"said that it {words}, of {SEEDS}", right, None, ">= 19", right >= 19))
            out.append(row(name, "fit [s], median", float(np.median(seconds)), None, None))
    return out


def field_runs(terms: dict[str, float], seed: int, noise: float) -> tuple[NDArray, NDArray]:
    rng = np.random.default_rng(seed)
    x = np.arange(POINTS) * LENGTH / POINTS
    waves = [rng.normal() * np.cos(2 * np.pi * j * x / LENGTH + rng.uniform(0, 2 * np.pi)) for j in range(1, 8)]
    t = np.arange(251) * 0.2
    u = GridEquation(terms, LENGTH).simulate(np.sum(waves, axis=0), t, substeps=5)[51:]
    return u + noise * u.std() * rng.normal(size=u.shape), t[51:]


# --- repair


def repaired(full: bool) -> list[dict[str, Any]]:
    """Exact support after repair, and the number of wrong terms beside those of STLSQ from scratch."""
    names = REPAIRED if full else REPAIRED[::5]
    seeds = 4 if full else 1
    out, total, wrong, draws = [], 0, 0, 0
    theirs = np.zeros(len(SHARES))
    for kind in ("one term dropped", "one term added", "coefficients off by 20 %"):
        wins = 0
        for name in names:
            for seed in range(seeds):
                truth, flow, bad = corrupted(name, kind, seed)
                fixed = er.dynamics.repair(bad, flow, degree=2).equations
                apart = support(fixed) ^ support(truth)
                wins, wrong = wins + (not apart), wrong + len(apart)
                theirs += [len(s ^ support(truth)) for s in from_scratch(truth, flow)]
        count = len(names) * seeds
        total, draws = total + wins, draws + count
        out.append(
            row(f"repair of {len(names)} systems, 2 % noise: {kind}", f"exact support, of {count}", wins, None, None)
        )
    case = f"repair of {len(names)} systems, 2 % noise"
    out.append(row(case, "exact support, share", total / draws, None, ">= 0.95", total >= 0.95 * draws))
    best = float(theirs.min())
    out.append(row(f"{case}, against STLSQ", "wrong terms", wrong, best, "fewer", wrong < best))
    return out


SHARES = (0.01, 0.02, 0.05, 0.1)


def support(equations: Equations) -> set[tuple[str, str]]:
    pairs = zip(equations.names, equations.coefficients, strict=True)
    return {(name, t) for name, values in pairs for t, c in zip(equations.terms, values, strict=True) if c}


def corrupted(name: str, kind: str, seed: int) -> tuple[Equations, Trajectories, Equations]:
    """The truth, noisy runs, and wrong equations."""
    system, rng = er.systems.get(name), np.random.default_rng([seed, len(kind)])
    truth = Equations.from_text(system.equations())
    flow = system.trajectories(rng, n_runs=5, t=np.linspace(0, system.span, 400), noise=0.02)
    coefficients, terms = truth.coefficients.copy(), list(truth.terms)
    there = np.argwhere(coefficients != 0)
    if kind == "one term dropped":
        coefficients[tuple(there[rng.integers(len(there))])] = 0.0
    elif kind == "coefficients off by 20 %":
        coefficients = coefficients * rng.choice([0.8, 1.2], size=coefficients.shape)
    else:
        offered = [*truth.names, *(f"{a}*{b}" for a in truth.names for b in truth.names if a < b), "1"]
        offered += [f"{a}**2" for a in truth.names]
        a, text = rng.integers(len(truth.names)), offered[rng.integers(len(offered))]
        while (truth.names[a], text) in support(truth):
            a, text = rng.integers(len(truth.names)), offered[rng.integers(len(offered))]
        if text not in terms:
            terms.append(text)
            coefficients = np.column_stack([coefficients, np.zeros(len(truth.names))])
        size = np.sqrt(
            np.mean(Equations(truth.names, (), (text,), np.ones((len(truth.names), 1))).value(flow.points) ** 2)
        )
        coefficients[a, terms.index(text)] = 0.3 * truth.value(flow.points)[:, a].std() / size * rng.choice([-1, 1])
    return truth, flow, Equations(truth.names, (), tuple(terms), coefficients)  # dropped terms stay on offer, with 0


def from_scratch(truth: Equations, flow: Trajectories) -> list[set[tuple[str, str]]]:
    """Supports that sequentially thresholded least squares finds, for each share of the largest term."""
    data = er.dynamics.smooth(flow).flow
    family = _family(truth, 2, None, None)
    values = family.field.features(data.points)[:, 0, : len(family.texts)]
    sizes, slopes = np.linalg.norm(values, axis=0), data.derivatives
    assert slopes is not None
    out = []
    for share in SHARES:
        table = np.zeros((len(truth.names), len(sizes)))
        for a, slope in enumerate(slopes.T):
            kept = np.ones(len(sizes), dtype=bool)
            while kept.any():
                parts = np.zeros(len(sizes))
                parts[kept] = np.linalg.lstsq(values[:, kept] / sizes[kept], slope, rcond=None)[0]
                small = kept & (np.abs(parts) < share * np.abs(parts).max())
                table[a] = parts / sizes
                kept &= ~small
                if not small.any():
                    break
        out.append(support(Equations(truth.names, (), family.texts, table)))
    return out
