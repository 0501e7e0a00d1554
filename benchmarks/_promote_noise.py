"""Promotion from noisy values, against ridge and lasso, and on targets that have no symmetry.

Targets, samples and the random stream are those of `benchmarks._recovery`; noise is normal, with a standard deviation
of a share of that of the values. All estimators get the monomials of the family: ridge and lasso on standardised
columns, with their weight cross-validated by scikit-learn. The error is the root mean square distance from the
noise-free target at new points, relative to the standard deviation of the target; medians are over ten seeds.

Targets without symmetry have independent normal coefficients; the error of least squares is the rival there.
"""

from __future__ import annotations

import importlib.util
import statistics
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

import erlangen as er
from benchmarks._recovery import Cell, Problem
from benchmarks._row import row
from erlangen.linalg.polynomials import exponents, monomials

SEEDS = range(10)
NOISE = (0.01, 0.05, 0.2)
CELLS = ((Cell("T", 10, 1, 2), 32), (Cell("T", 10, 2, 2), 50), (Cell("SE", 5, 1, 2), 18))
LONG = ((Cell("SE", 10, 1, 2), 32), (Cell("quad", 5, 1, 1), 18), (Cell("T", 10, 2, 2), 32), (Cell("T", 20, 2, 2), 115))
WITHOUT = ((5, 0.05), (5, 0.2), (10, 0.05))
TEST_POINTS = 2000


def rows(full: bool) -> list[dict[str, Any]]:
    """All rows of the two questions, two at a time."""
    cells = (*CELLS, *LONG) if full else CELLS
    jobs = [(noisy, cell, n, noise) for cell, n in cells for noise in NOISE]
    jobs += [(without_symmetry, m, noise) for m, noise in WITHOUT]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=_on_one_thread) as pool:
        return [row for found in pool.map(_do, jobs) for row in found]


def _on_one_thread() -> None:
    if importlib.util.find_spec("threadpoolctl"):
        importlib.import_module("scipy.linalg")  # a pool of threads can be limited once it is there
        importlib.import_module("threadpoolctl").threadpool_limits(1)


def _do(job: tuple) -> list[dict[str, Any]]:
    return job[0](*job[1:])


def noisy(cell: Cell, n: int, noise: float) -> list[dict[str, Any]]:
    """Errors and ranks of one cell."""
    errors, ranks = [], []
    for seed in SEEDS:
        problem, rng = Problem.draw(cell, seed), np.random.default_rng(1000 + seed)
        x, spread = problem.x[:n], float(problem.y.std())
        y = problem.y[:n] + noise * spread * rng.normal(size=n)
        new = rng.uniform(-1, 1, (TEST_POINTS, cell.m))
        truth = monomials(new, exponents(cell.m, cell.degree)) @ problem.theta
        model = promoted(cell.action(), cell.degree).fit(x, y)
        guesses = (model.predict(new), *linear(x, y, new, cell.degree))
        errors.append([float(np.sqrt(np.mean((guess - truth) ** 2))) / spread for guess in guesses])
        ranks.append(model.broken_rank_)
    ours, ridge, lasso = (statistics.median(column) for column in zip(*errors, strict=True))
    few = 2 * n < cell.n_lib and noise <= 0.05
    name = f"{cell}, n = {n} of {cell.n_lib}, {100 * noise:g} % noise"
    right = sum(rank == true_rank(cell) for rank in ranks)
    asked, most = ("<= ridge / 2, lasso", min(ridge / 2, lasso)) if few else ("<= ridge, lasso", min(ridge, lasso))
    clear = noise <= 0.05
    compared = f"{name}; ridge {ridge:.3g}, lasso {lasso:.3g}"
    return [
        row(compared, "relative error", ours, min(ridge, lasso), asked, ours <= most),
        row(name, "broken rank right, of 10", right, None, ">= 8" if clear else "-", right >= 8 if clear else None),
    ]


def true_rank(cell: Cell) -> int:
    """Generators that the targets of a cell break."""
    if cell.kind == "T":
        return cell.r
    return cell.r * (2 * cell.m - cell.r + 1) // 2 if cell.kind == "SE" else cell.m


def promoted(action: Any, degree: int) -> er.estimators.SymmetryPromotingRegressor:
    """The estimator as it comes."""
    return er.estimators.SymmetryPromotingRegressor(action, degree=degree)


def linear(x: NDArray, y: NDArray, new: NDArray, degree: int) -> tuple[NDArray, NDArray]:
    """Predictions of ridge and lasso."""
    from sklearn.linear_model import LassoCV, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = exponents(x.shape[1], degree)[1:]
    models: Sequence[Callable] = (
        lambda: RidgeCV(np.geomspace(1e-6, 1e4, 41)),
        lambda: LassoCV(cv=5, alphas=50, max_iter=5000),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lasso says where its smallest weights did not converge
        fitted = [make_pipeline(StandardScaler(), make()).fit(monomials(x, table), y) for make in models]
    first, second = (model.predict(monomials(new, table)) for model in fitted)
    return first, second


def without_symmetry(m: int, noise: float) -> list[dict[str, Any]]:
    """Cost of promoting translations of targets that depend on all inputs in all ways."""
    table = exponents(m, 2)
    n, ratios = 2 * len(table), []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        theta = rng.normal(size=len(table))
        x, new = rng.uniform(-1, 1, (n, m)), rng.uniform(-1, 1, (TEST_POINTS, m))
        clean = monomials(x, table) @ theta
        y = clean + noise * clean.std() * rng.normal(size=n)
        truth = monomials(new, table) @ theta
        plain = monomials(new, table) @ np.linalg.lstsq(monomials(x, table), y, rcond=None)[0]
        guess = promoted(er.actions.translation(m), 2).fit(x, y).predict(new)
        ratios.append(float(np.linalg.norm(guess - truth) / np.linalg.norm(plain - truth)))
    median = statistics.median(ratios)
    name = f"no symmetry, m = {m}, d = 2, n = {n}, {100 * noise:g} % noise, 20 seeds (worst {max(ratios):.3g})"
    return [row(name, "error / least squares", median, 1.0, "<= 1.02", median <= 1.02)]
