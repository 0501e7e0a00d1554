"""From records to coefficients: candidates of the weak form, then walks over longer and longer windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.linalg import norm

from erlangen._progress import Kept, keeping, track
from erlangen._typing import NDArray
from erlangen.dynamics.shooting.flow import Columns
from erlangen.dynamics.shooting.newton import Fit, Shooting
from erlangen.dynamics.shooting.noise import floors, sizes
from erlangen.dynamics.shooting.observed import Record, Windows, windows
from erlangen.dynamics.shooting.search import CARRIED, CLOSE, Search
from erlangen.dynamics.shooting.subsets import best_subsets
from erlangen.dynamics.shooting.weak import Weak, weak_rows
from erlangen.fields.bases import AbstractBasis

SHORTEST = 2
"""Steps of the shortest windows."""

WEAK_WINDOW = 8
"""Steps of the windows over which residuals are reported where the weak form decides."""

TELLING = 5.0
"""Changes over a window, in standard deviations, that make it worth a look."""

LONGER = 4
"""Ratio of the lengths of windows."""

TERMS = 7
"""Terms of a coordinate up to which candidates are listed; a walk may add more."""

FAR = 40.0
"""Score behind the best from which a support is not carried on: an evidence ratio of exp(20)."""

BARELY = 2.0
"""Difference of scores that is worth a bare mention (Kass and Raftery, 1995): fewer or simpler terms are taken."""

DILUTED = (1000.0, 300.0, 100.0, 30.0, 10.0, 5.0, 3.0, 2.0, 1.0)
"""Factors by which the noise of the weak form is taken larger than it seems, to list candidates with few terms too."""

SUBSTEPS = (1, 2, 4, 8, 16)
"""Steps of integration between samples that are tried."""

NEGLIGIBLE = 0.1
"""Error of the integration, in standard deviations of the data, that is small enough."""

TINY = float(np.finfo(np.float64).tiny)
"""Least variance."""

SAYING = 20
"""Steps of windows of which most samples are not spent on their initial states."""

HOPELESS = 20.0
"""Ratio of mean squares from which on windows of few steps cannot be followed either."""

CERTAIN = 10.0
"""Standard errors from zero of a coefficient that nobody doubts."""

LONG = 700
"""Steps of integration one after the other, for more accuracy where terms are beyond doubt: seconds."""

LONGEST = 2500
"""And where they are not."""

WORSE = 1.5
"""Ratio of mean squares from which on longer windows say that they cannot be followed, not that terms are missing."""


@dataclass(frozen=True, eq=False)
class Discovered:
    """A sparse field.

    Attributes
    ----------
    z : ndarray (K,)
        Coefficients of the atoms.
    covariance : ndarray (k, k)
        Of those that are not zero, in this order.
    fit : Fit
        The last fit.
    problem : Shooting
        And what it was fitted to.
    score : float
        Cost and price of the terms, comparable between families over the same data with the same noise.
    rivals : tuple of (tuple of int, float)
        Other supports and their scores.
    length : int
        Steps of the longest windows that could be followed.
    records : tuple of Record
        The data, with the noise that was found.
    prices : ndarray (K,)
        What each atom must lower the cost by.
    variance : float
        Of whitened weak equations where they decide; else one.
    note : str
        Where the search was stopped, how far it came.
    scatter : ndarray (d,) or None
        The variance by coordinate, where weak equations decide.
    """

    z: NDArray
    covariance: NDArray
    fit: Fit
    problem: Shooting
    score: float
    rivals: tuple[tuple[tuple[int, ...], float], ...]
    length: int
    records: tuple[Record, ...]
    prices: NDArray
    variance: float = 1.0
    note: str = ""
    scatter: NDArray | None = None


def discover_terms(
    records: Sequence[Record],
    basis: AbstractBasis,
    atoms: NDArray,
    orders: NDArray,
    form: str = "trajectory",
    sparsity: str | float | None = "bic",
    like: Discovered | None = None,
    penalty: NDArray | None = None,
) -> Discovered:
    """Choose atoms and fit their coefficients.

    Parameters
    ----------
    records : sequence of Record
        The data.
    basis : AbstractBasis
        The r functions of d states and u controls.
    atoms : ndarray (K, d, r)
        Fields to combine.
    orders : ndarray (r,)
        How complex each function is; to name one costs the logarithm of how many are no more complex.
    form : {"trajectory", "weak"}
        Whether solutions are fitted, or the weak form decides.
    sparsity : "bic", float or None
        Terms that pay their price; those whose part of the weak form is above this share; or all.
    like : Discovered, optional
        Another family over the same data: its noise and its longest windows are used, so that scores compare.
    penalty : ndarray (m, K), optional
        Rows whose squares are added to the cost.
    """
    penalty = np.zeros((0, len(atoms))) if penalty is None else penalty
    records = list(records if like is None else like.records)
    price = _prices(records, atoms, orders)
    rows = Weak(weak_rows(records, Columns.of(basis, np.arange(basis.size))), atoms, penalty)
    supports = candidates(rows, price) if sparsity == "bic" else [_thresholded(rows, sparsity)]
    if form == "weak":
        return _weak_only(records, basis, price, rows, supports, like)
    with keeping("the search for terms") as kept:
        kept.keep(lambda note: replace(_weak_only(records, basis, price, rows, supports, like), note=note), 0)
        return _over_windows(records, basis, price, rows, supports, sparsity == "bic", like, kept)


def _over_windows(
    records: list[Record],
    basis: AbstractBasis,
    price: NDArray,
    rows: Weak,
    supports: list[tuple[int, ...]],
    open_: bool,
    like: Discovered | None,
    kept: Kept,
) -> Discovered:
    """Fits of solutions, over longer and longer windows; ``open_`` while terms may still be changed."""
    walks = open_
    starts = {s: rows.fit(s) for s in supports}
    found: list[Fit] = []
    problem, reached, substeps = None, 0, _first_substeps(records)
    lengths = _lengths(records, like)
    kept.total = len(lengths) + 1  # all of them, and the last once more with the noise that was found
    for length in track(lengths, "search over longer windows"):
        if found and length * substeps > (LONGEST if open_ else LONG):
            break
        trial = Shooting(basis, rows.atoms, windows(records, length), substeps, rows.penalty)
        search = _searched(trial, price, rows, starts, open_, supports)
        ranked = search.best()
        if not ranked or (found and _lost(_mean(ranked[0], trial), _mean(found[0], problem), length)):
            break
        found, problem, reached = ranked, trial, length
        kept.keep(partial(_stopped, records, search, ranked, length), kept.done + 1)
        open_ = open_ and not (length >= SAYING and _settled(search, ranked))
        starts = {
            fit.support: fit.z
            for fit in ranked[: CARRIED if open_ or not walks else 1]
            if search.score(fit) < search.score(ranked[0]) + FAR
        }
        if like is None:
            records = _updated(records, problem, found[0])
        substeps = _substeps(problem, found[0])
    if problem is None:
        return _weak_only(records, basis, price, rows, supports, like)
    last = Shooting(basis, rows.atoms, windows(records, reached), substeps, rows.penalty)
    search = _searched(last, price, rows, starts, open_, ())
    if not search.best():  # noise that was found anew has made the last step impossible
        return _finished(records, Search(problem, price), found, reached)
    return _finished(records, search, search.best(), reached)


def _stopped(records: list[Record], search: Search, ranked: list[Fit], length: int, note: str) -> Discovered:
    return replace(_finished(records, search, ranked, length), note=note)


def _lost(mean: float, before: float, length: int) -> bool:
    """Whether longer windows could not be followed; from short ones, noise and missing terms are hardly known yet."""
    return mean > (WORSE if length > SAYING else HOPELESS) * max(before, 1.0)


def _settled(search: Search, ranked: list[Fit]) -> bool:
    """Whether all terms are beyond doubt, and all others."""
    best = ranked[0]
    if _mean(best, search.problem) > WORSE or not best.support:
        return False
    if len(ranked) > 1 and search.score(ranked[1]) < search.score(best) + CLOSE:
        return False
    linear = search.problem.linear(best)
    if linear is None:
        return False
    design = linear.design[:, list(best.support)]
    lengths = norm(design, axis=0)
    if not lengths.all():
        return False
    variances = np.diag(np.linalg.pinv((design / lengths).T @ (design / lengths)))
    return bool(np.all(np.abs(best.z) * lengths > CERTAIN * np.sqrt(variances)))


def _first_substeps(records: Sequence[Record]) -> int:
    """Steps of integration that changes from sample to sample call for, before there is a model to tell."""
    span = np.max([np.ptp(r.smooth, axis=0) for r in records], axis=0)
    steps = np.concatenate([np.abs(np.diff(r.smooth, axis=0)) for r in records]) / np.where(span > 0, span, 1.0)
    largest = float(np.quantile(steps.max(axis=1), 0.98))
    return next((s for s, most in ((2, 0.05), (4, 0.15)) if largest < most), 8)


def _searched(
    problem: Shooting,
    price: NDArray,
    rows: Weak,
    starts: dict[tuple[int, ...], NDArray],
    walks: bool,
    others: Sequence[tuple[int, ...]],
) -> Search:
    """Supports fitted from their coefficients so far, or from the weak form; and a walk from the best.

    Where none of them fits, others are tried before the walk.
    """
    search = Search(problem, price)
    for support, z in starts.items():
        search.try_from(support, [(z, problem.win.start), (rows.fit(support), problem.win.start)])
    if walks and min(_mean(fit, problem) for fit in search.fits.values()) > WORSE:
        for support in others:
            if support not in search.fits:
                search.try_from(support, [(rows.fit(support), problem.win.start)])
    if walks:
        search.walk()
    return search


def _finished(records: list[Record], search: Search, ranked: list[Fit], length: int) -> Discovered:
    """The best fit with its covariance; of those as good, the one with the fewest terms, and of these the simplest."""
    problem, price = search.problem, search.prices
    alike = [fit for fit in ranked if search.score(fit) < search.score(ranked[0]) + BARELY]
    best = min(alike, key=lambda fit: (len(fit.support), price[list(fit.support)].sum(), search.score(fit)))
    z = np.zeros(len(problem.atoms))
    z[list(best.support)] = best.z
    linear = problem.linear(best)
    k = len(best.support)
    design = np.full((k, k), np.nan) if linear is None else linear.design[:, list(best.support)]
    covariance = np.linalg.pinv(design.T @ design) if np.isfinite(design).all() else np.full((k, k), np.inf)
    rivals = tuple((fit.support, search.score(fit)) for fit in ranked[:CARRIED] if fit is not best)
    return Discovered(z, covariance, best, problem, search.score(best), rivals, length, tuple(records), price)


def _weak_only(
    records: list[Record],
    basis: AbstractBasis,
    price: NDArray,
    rows: Weak,
    supports: list[tuple[int, ...]],
    like: Discovered | None,
) -> Discovered:
    """The best support by the weak form itself, with the scatter of its own equations, or of another family's."""
    design, y = rows.everything
    fits = [rows.fit(support) for support in supports]
    costs = [float(np.sum((design[:, list(s)] @ z - y) ** 2)) for s, z in zip(supports, fits)]
    free = max(len(y) - max(len(s) for s in supports), 1)
    variance = max(min(costs) / free, (np.finfo(np.float64).eps * norm(y)) ** 2, TINY)
    variance = like.variance if like is not None else variance
    scores = [cost / variance + price[list(s)].sum() for s, cost in zip(supports, costs)]
    i = int(np.argmin(scores))
    problem = Shooting(basis, rows.atoms, windows(records, WEAK_WINDOW), 1, rows.penalty)
    fit = Fit(supports[i], fits[i], problem.win.start, costs[i] / variance)
    z = np.zeros(len(rows.atoms))
    z[list(supports[i])] = fits[i]
    chosen = design[:, list(supports[i])]
    covariance = np.linalg.pinv(chosen.T @ chosen) * variance
    left = np.split((chosen @ fits[i] - y) ** 2, np.cumsum([len(part.y) for part in rows.rows]))[:-1]
    scatter = np.array([part.mean() for part in left]) * len(y) / free
    rivals = tuple((s, score) for j, (s, score) in enumerate(zip(supports, scores)) if j != i)[:CARRIED]
    return Discovered(
        z, covariance, fit, problem, scores[i], rivals, 0, tuple(records), price, variance, scatter=scatter
    )


def _thresholded(rows: Weak, share: Any) -> tuple[int, ...]:
    """Atoms whose part of the weak form is above a share of it, again and again; all without a share."""
    kept = np.arange(len(rows.atoms))
    if share is None:
        return tuple(kept.tolist())
    design, y = rows.everything
    lengths, size = np.linalg.norm(design, axis=0), float(np.linalg.norm(y))
    while True:
        large = np.abs(rows.fit(tuple(kept.tolist()))) * lengths[kept] >= share * size
        if large.all():
            return tuple(kept.tolist())
        kept = kept[large]


def _prices(records: Sequence[Record], atoms: NDArray, orders: NDArray) -> NDArray:
    """The Bayesian price of a coefficient, log n, and twice the length of its name."""
    n = sum(record.states.size * record.averaged for record in records)
    own = np.array([orders[np.any(atom != 0, axis=0)].max(initial=0) for atom in atoms])
    return np.log(n) + 2 * np.log([np.count_nonzero(own <= o) for o in own])


def _lengths(records: Sequence[Record], like: Discovered | None) -> list[int]:
    """Steps of windows, from short ones to whole records; like those of another search, its last."""
    if like is not None:
        return [like.length]
    longest, found, length = max(len(r.time) for r in records) - 1, [], SHORTEST
    while length * 1.5 < longest:
        if _change(records, length) > TELLING:
            found.append(length)
        length *= LONGER
    return [*found, longest]


def _change(records: Sequence[Record], length: int) -> float:
    """Root mean square change of the smooth curves over so many steps, in standard deviations."""
    parts = [(r.smooth[length:] - r.smooth[:-length]) / r.sizes[length:] for r in records if len(r.time) > length]
    return float(np.sqrt(np.mean(np.concatenate(parts) ** 2)))


def candidates(rows: Weak, price: NDArray) -> list[tuple[int, ...]]:
    """Supports from few to many terms that the weak form suggests, block by block of coordinates that share atoms."""
    blocks = []
    for coordinates, members in rows.blocks():
        design, y = rows.equations(coordinates, members)
        found = best_subsets(design, y, TERMS * len(coordinates))
        most = max(len(s) for s in found)
        variance = max(min(found.values()) / max(len(y) - most, 1), (np.finfo(np.float64).eps * norm(y)) ** 2, TINY)
        blocks.append((members, [(value / variance, s) for s, value in found.items()]))
    out: list[tuple[int, ...]] = []
    for factor in DILUTED:
        support: list[int] = []
        for members, scored in blocks:
            best = min(scored, key=lambda item: item[0] / factor + price[members[list(item[1])]].sum())
            support += members[list(best[1])].tolist()
        if tuple(sorted(support)) not in out:
            out.append(tuple(sorted(support)))
    return out


def _mean(fit: Fit, problem: Shooting | None) -> float:
    return fit.cost / problem.win.n_observed if problem is not None else np.inf


def _substeps(problem: Shooting, fit: Fit) -> int:
    """Fewest steps of integration between samples whose error the data do not see: half as many differ by no more."""
    _, coarse = replace(problem, substeps=1).residuals(fit)
    for substeps in SUBSTEPS[:-1]:
        _, fine = replace(problem, substeps=2 * substeps).residuals(fit)
        with np.errstate(all="ignore"):
            error = np.abs(fine - coarse) * problem.win.weights
        if np.nanmax(error, initial=0.0) < NEGLIGIBLE:
            return substeps
        coarse = fine
    return SUBSTEPS[-1]


def _updated(records: Sequence[Record], problem: Shooting, fit: Fit) -> list[Record]:
    """Records with standard deviations from what the fit leaves, and its solutions in place of the smooth curves."""
    rest, states = problem.residuals(fit)
    used = len(fit.z) + fit.start.size
    lost = min(used / max(problem.win.n_observed, 1), 0.9)
    merged, levels = _unwindowed(records, problem.win, rest), _unwindowed(records, problem.win, states)
    found = sizes(merged, levels, lost, floors([r.states for r in records]))
    return [replace(record, sizes=size, smooth=x) for record, size, x in zip(records, found, levels)]


def in_order(found: Discovered) -> tuple[NDArray, NDArray]:
    """What is left of each sample ``(m, d)``, in standard deviations; and its run and number ``(m, 2)``."""
    rest, _ = found.problem.residuals(found.fit)
    merged = _unwindowed(found.records, found.problem.win, rest)
    scaled = [values / record.sizes for values, record in zip(merged, found.records)]
    return np.concatenate(scaled), numbers_of(found.records)


def numbers_of(records: Sequence[Record]) -> NDArray:
    """Run and number ``(m, 2)`` of all samples; of bins, those in their middle."""
    return np.concatenate([np.stack([np.full(len(r.rows), r.run), r.rows], axis=1) for r in records])


def _unwindowed(records: Sequence[Record], win: Windows, values: NDArray) -> list[NDArray]:
    """Values ``(W, L, d)`` in the order of the records; of a sample that two windows share, the later one's."""
    out = [np.empty_like(record.states) for record in records]
    for w, k in enumerate(win.records):
        there = win.samples[w] >= 0
        out[k][win.samples[w, there]] = values[w, there]
    return out
