"""Levels under noise that is not equal and independent, and of the test of a given group at the edge of delta.

**coverage**: how often a one-sided test at 5 % rejects a true contrast of an estimate, with the law that was named and,
beside it, with the law of equal independent noise. **edge**: fields whose true defect is just above delta; every
certificate is false, and their share must not exceed the level. **given**: how often a true group is certified.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.stats import binom

import erlangen as er
from benchmarks._row import row
from erlangen.evidence.bilinear import Bilinear, bilinear
from erlangen.evidence.estimate import estimate
from erlangen.evidence.group_test import group_test_of
from erlangen.evidence.noisy_states import estimate_noisy_states
from erlangen.fields import PolynomialField, polynomial_field
from erlangen.linalg.polynomials import exponents, row_index

ALPHA = DELTA = 0.05
MEMORY = 0.9
"""Correlation of noise between one row and the next."""

Draw = Callable[[np.random.Generator], tuple[NDArray, NDArray, dict[str, Any]]]


def rows(full: bool) -> list[dict[str, Any]]:
    """All rows; 400 repetitions at the edge in the full form, 200 in the short one (50 for three generators)."""
    return [*_coverage(400), *_edge(full), *_given(100 if full else 40)]


def _polynomial(d: int, degree: int, terms: list[dict[tuple[int, ...], float]]) -> PolynomialField:
    index = row_index(exponents(d, degree))
    coefficients = np.zeros((d, len(index)))
    for a, one in enumerate(terms):
        for power, c in one.items():
            coefficients[a, index[power]] = c
    return polynomial_field(d, degree, coefficients, "vector")


def hopf(broken: float = 0.0) -> PolynomialField:
    """A limit cycle, with ``broken x^2 d/dx``."""
    x = {(1, 0): 1.0, (0, 1): -1.0, (3, 0): -1.0, (1, 2): -1.0, (2, 0): broken}
    return _polynomial(2, 3, [x, {(1, 0): 1.0, (0, 1): 1.0, (2, 1): -1.0, (0, 3): -1.0}])


def sphere(broken: float = 0.0) -> PolynomialField:
    """X (1 - |x|^2) in space, with ``broken x^2 d/dx``."""
    unit = np.eye(3, dtype=int)
    terms = []
    for a in range(3):
        one: dict[tuple[int, ...], float] = {tuple(unit[a].tolist()): 1.0}
        for b in range(3):
            one[tuple((unit[a] + 2 * unit[b]).tolist())] = -1.0
        terms.append(one)
    terms[0][(2, 0, 0)] = broken
    return _polynomial(3, 3, terms)


def memory(rng: np.random.Generator, n: int, c: int, runs: int = 1) -> NDArray:
    """Noise of variance one with memory, in runs of equal length."""
    white = rng.standard_normal((runs, n // runs + 100, c)) * np.sqrt(1.0 - MEMORY**2)
    return lfilter([1.0], [1.0, -MEMORY], white, axis=1)[:, 100:].reshape(-1, c)


def _size(field: PolynomialField) -> float:
    values = field.value(np.random.default_rng(0).uniform(-1, 1, (20000, field.point_dim)))
    return float(np.sqrt(np.mean(values**2)))


def _draws(field: PolynomialField, n: int, level: float) -> dict[str, Draw]:
    """Rows of each kind of noise; its rms over rows is ``level`` times that of the field."""
    d, sigma = field.point_dim, level * _size(field)

    def points(rng: np.random.Generator) -> NDArray:
        return rng.uniform(-1, 1, (n, d))

    def equal(rng):
        x = points(rng)
        return x, field.value(x) + sigma * rng.standard_normal(x.shape), {}

    def robust(rng):
        x = points(rng)
        far = np.sum(x**2, axis=1, keepdims=True) ** 2
        return x, field.value(x) + sigma * far / np.sqrt(np.mean(far**2)) * rng.standard_normal(x.shape), {}

    def components(rng):
        x = points(rng)
        shares = np.array([1.0] + [0.1] * (d - 1))
        return x, field.value(x) + sigma * shares * np.sqrt(d / np.sum(shares**2)) * rng.standard_normal(x.shape), {}

    def slow(rng, runs):
        x = 0.5 * memory(rng, n, d, runs)
        return x, field.value(x) + sigma * memory(rng, n, d, runs), {"groups": np.repeat(np.arange(runs), n // runs)}

    def known(rng):
        x = points(rng)
        s = sigma * np.exp(0.8 * rng.standard_normal(x.shape))
        return x, field.value(x) + s * rng.standard_normal(x.shape), {"weights": s**-2.0}

    return {
        "equal": equal,
        "robust": robust,
        "components": components,
        "blocks": lambda rng: slow(rng, 1),
        "grouped": lambda rng: slow(rng, 10),
        "known": known,
    }


def _coverage(reps: int) -> list[dict[str, Any]]:
    out = []
    field = hopf()
    n = {"blocks": 4000, "grouped": 4000}
    for noise in ("equal", "components", "known", "robust", "grouped", "blocks"):
        draw = _draws(field, n.get(noise, 400), 0.1)[noise]
        missed = _missed(field, draw, noise, reps)
        out.append(_level(f"noise {noise}", "true contrasts rejected at 5 %, mean of 20", missed[0], missed[1]))
    missed = _missed_states(field, reps // 2)
    out.append(
        _level(
            "errors of states, 5 % of their spread", "true contrasts rejected at 5 %, mean of 20", missed[0], missed[1]
        )
    )
    return out


def _level(case: str, metric: str, ours: float, naive: float) -> dict[str, Any]:
    return row(case, metric, ours, naive, "<= .08", ours <= 0.08)


def _missed(field: PolynomialField, draw: Draw, noise: str, reps: int) -> tuple[float, float]:
    """Mean share of rejections over the coefficients, both sides counted: the law named, and the naive one."""
    count = np.zeros((2, field.n_params))
    rng = np.random.default_rng(0)
    for _ in range(reps):
        x, y, given = draw(rng)
        plain = {k: v for k, v in given.items() if k != "weights"}
        for i, fit in enumerate((estimate(field, x, y, noise=noise, **given), estimate(field, x, y, **plain))):
            off = np.abs(fit.theta - field.theta) / np.linalg.norm(fit.root, axis=1)
            count[i] += off > fit.quantile(ALPHA)
    return tuple((count / (2 * reps)).mean(axis=1).tolist())


def _missed_states(field: PolynomialField, reps: int) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    spread = 0.05 / np.sqrt(3.0)
    count = np.zeros((2, field.n_params))
    for _ in range(reps):
        x = rng.uniform(-1, 1, (2000, 2))
        y = field.value(x) + 0.02 * rng.standard_normal(x.shape)
        seen = x + spread * rng.standard_normal(x.shape)
        ours = estimate_noisy_states(field, seen, y, state_noise=spread)
        for i, fit in enumerate((ours, estimate(field, seen, y, noise="robust"))):
            count[i] += np.abs(fit.theta - field.theta) / np.linalg.norm(fit.root, axis=1) > fit.quantile(ALPHA)
    return tuple((count / (2 * reps)).mean(axis=1).tolist())


def _both(field: PolynomialField) -> Bilinear:
    d = field.point_dim
    return bilinear(field, er.actions.rotation(d), er.Samples.box(-1, 1, dim=d, n=1000))


def _at_edge(make: Callable[[float], PolynomialField]) -> PolynomialField:
    """The field of a family of broken ones whose worst defect is delta, up to a part in a thousand above."""
    both = _both(make(0.0))
    eye = np.eye(both.n_generators)
    return make(brentq(lambda e: both.worst(eye, make(e).theta) - 1.001 * DELTA, 1e-6, 2.0))


def _edge(full: bool) -> list[dict[str, Any]]:
    out = []
    cases = [
        ("hopf, rotation", hopf, 1600, 0.1, ("equal", "components", "robust", "blocks", "grouped")),
        ("hopf, rotation", hopf, 25_600, 0.1, ("equal",)),
        ("sphere, so(3)", sphere, 1600, 0.1, ("equal",)),
    ]
    for name, make, n, level, noises in cases:
        field = _at_edge(make)
        reps = 400 if full else 200 if field.point_dim == 2 else 50
        for noise in noises:
            share, _ = _certified(field, n, level, noise, reps)
            most = binom.ppf(0.99, reps, ALPHA) / reps
            case = f"{name} at delta, N = {n}, noise {noise}"
            out.append(row(case, "false certificates", share, ALPHA, f"<= {most:.3f}", bool(share <= most)))
    return out


def _given(reps: int) -> list[dict[str, Any]]:
    out = []
    for name, make, n, level in (("hopf, rotation", hopf, 800, 0.1), ("sphere, so(3)", sphere, 800, 0.1)):
        certified, rejected = _certified(make(), n, level, "equal", reps)
        case = f"{name}, N = {n}, noise {level:g}"
        out.append(row(case, "true group certified", certified, None, ">= .9", certified >= 0.9))
        most = binom.ppf(0.99, reps, ALPHA) / reps
        out.append(row(case, "exact symmetry rejected", rejected, ALPHA, f"<= {most:.3f}", bool(rejected <= most)))
    return out


def _certified(field: PolynomialField, n: int, level: float, noise: str, reps: int) -> tuple[float, float]:
    """Shares of certificates at delta, and of rejections of exact symmetry."""
    draw, both, rng = _draws(field, n, level)[noise], _both(field), np.random.default_rng(1)
    hits = np.zeros(2)
    for _ in range(reps):
        x, y, given = draw(rng)
        answer = group_test_of(both, estimate(field, x, y, noise=noise, **given), DELTA, ALPHA)
        hits += [answer.p_defect_above_delta <= ALPHA, answer.p_exactly_symmetric <= ALPHA]
    return float(hits[0] / reps), float(hits[1] / reps)
