"""Functions that the motion of the runs cannot change: their gradients are normal to all velocities of each run.

Total momentum is one. The form B, the change along velocities of other samples of the run, vanishes on them, so
they have no relative defect; they are constant along each run by construction, and comparing runs says what they
are: laws where they differ between runs, relations where they have the same value everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from erlangen._typing import NDArray
from erlangen.dynamics._change import Forms, Increments, Spectrum
from erlangen.dynamics._evidence import Ground
from erlangen.dynamics._law import Law, variance_ratio
from erlangen.dynamics._readable import Formulation, formulate
from erlangen.fields.libraries import Features
from erlangen.fields.trajectories import Run, Trajectories
from erlangen.linalg.qr import rounding

_TRIALS = 4
"""Points for each unknown where functions are compared at random points."""
_TERMS = 300
"""Most products with relations that are tried."""


@dataclass(frozen=True, eq=False)
class Steady:
    """Functions ``(q, .)`` that no run's motion changes, by what comparing runs says.

    Attributes
    ----------
    laws : ndarray (q, l)
        Different between runs, constant within.
    relations : ndarray (q, k)
        The same value on all samples.
    silent : ndarray (q, s)
        The rest: nothing confirms them.
    sizes : ndarray (q,)
        How much each function of the library varies over all samples; 1 where it does not.
    saturated : bool
        Whether there are too few runs (less than two more than such functions): then some combination takes any
        values, and laws are not told from accidents.
    """

    laws: NDArray
    relations: NDArray
    silent: NDArray
    sizes: NDArray
    saturated: bool = False


@dataclass(frozen=True, eq=False)
class Fixed:
    """The same functions as laws a person can read."""

    laws: tuple[Law, ...]
    relations: tuple[Law, ...]
    silent: tuple[Law, ...]
    saturated: bool

    def only(self, kept: list[Law]) -> Fixed:
        """Keep these laws; with too few runs to compare, the others are not told from accidents of the runs."""
        others = tuple(law for law in self.laws if law not in kept)
        return Fixed(tuple(kept), self.relations, (*others, *self.silent), self.saturated)

    @property
    def reason(self) -> str:
        """How many laws come from comparing runs alone."""
        n = len(self.laws)
        how = "single columns" if self.saturated else "confirmed by comparing runs"
        return f"; beside them {n} that no velocity changes, {how}" if n else ""

    def words(self, texts: list[str], runs: int) -> str:
        """Say that too few runs are there to confirm."""
        shown = "; ".join(texts[:4]) + ("; ..." if len(texts) > 4 else "")
        return (
            f"{shown}: constant along each run because no run moves along the gradient, and different between runs; "
            f"{runs} runs do not tell laws from accidents; more runs would"
        )


def steadied(flow: Trajectories, limit: float) -> Trajectories:
    """Hold columns still that in each run change by rounding, or by noise that is small beside their differences.

    Rounding has no direction: a column that wobbles by 1e-16 must not look like one that moves. Noise may hold the
    limit's part of the variance between runs, no more: a column that is sampled coarsely looks noisy too.
    """
    largest = np.abs(flow.points).max(axis=0)
    between = np.std([run.states.mean(axis=0) for run in flow.runs], axis=0)
    still = np.all([_holds(run, largest, limit**2 * between) for run in flow.runs], axis=0)
    return replace(flow, runs=tuple(_held(run, still) for run in flow.runs)) if still.any() else flow


def _holds(run: Run, largest: NDArray, least: NDArray) -> NDArray:
    within = np.std(run.states, axis=0)
    rounded = np.ptp(run.states, axis=0) <= len(run.states) * np.finfo(np.float64).eps * largest
    noisy = (within <= least) & (within <= 2 * Increments().noise(run))  # smooth motion is far above its noise
    return rounded | noisy


def _held(run: Run, still: NDArray) -> Run:
    states = np.where(still, run.states.mean(axis=0), run.states)
    slopes = None if run.derivatives is None else np.where(still, 0.0, run.derivatives)
    return replace(run, states=states, derivatives=slopes)


def steady(flow: Trajectories, features: Features, spectrum: Spectrum, limit: float) -> Steady:
    """Sort the functions on which B vanishes by their variances within and between runs."""
    n = np.column_stack([spectrum.uncovered, spectrum.inert])
    nothing = n[:, :0]
    if not n.shape[1]:
        return Steady(nothing, nothing, nothing, np.ones(len(n)))
    values = [features.basis.evaluate(run.states) for run in flow.runs]
    sizes = _sizes(np.concatenate(values))
    q, _ = np.linalg.qr(n * sizes[:, None])
    columns = q / sizes[:, None]
    if flow.n_runs < 2:
        return Steady(nothing, nothing, columns, sizes)
    means = np.stack([v.mean(axis=0) for v in values])
    within = np.concatenate([(v - m) @ columns / sqrt(len(v)) for v, m in zip(values, means, strict=True)])
    total = np.concatenate([within, (means - means.mean(axis=0)) @ columns])
    _, s, vt = np.linalg.svd(total / sqrt(flow.n_runs), full_matrices=True)
    s = np.r_[s, np.zeros(len(vt) - len(s))]
    varies = s > max(3 * spectrum.floor, sqrt(rounding((len(n),))))  # three standard errors, as where B is cut
    apply = vt[varies].T / s[varies]
    _, ratio, wt = np.linalg.svd(within @ apply / sqrt(flow.n_runs), full_matrices=True)
    ratio = np.r_[ratio, np.zeros(len(wt) - len(ratio))]
    found = apply @ wt.T
    laws, loose = columns @ found[:, ratio <= limit], columns @ found[:, ratio > limit]
    saturated = bool(laws.shape[1] and flow.n_runs < laws.shape[1] + 2)
    return Steady(laws, columns @ vt[~varies].T, loose, sizes, saturated)


def compare(ground: Ground, spectrum: Spectrum, floor: float) -> tuple[Steady, Fixed]:
    """Functions that no motion of the runs changes, sorted and written down."""
    kinds = steady(ground.flow, ground.features, spectrum, ground.limit)
    orders, runs = ground.features.orders, ground.flow.n_runs
    relations = written(kinds.relations, kinds.sizes, orders, floor)
    relations = generating(relations, ground.features, ground.flow) if runs > 2 else relations
    laws = written(kinds.laws, kinds.sizes, orders, floor, kinds.relations)
    if relations and (kinds.saturated or runs < len(relations) + 2):
        silent = np.column_stack([kinds.silent, kinds.relations])
        kinds, relations = replace(kinds, relations=silent[:, :0], silent=silent), []
    silent = written(kinds.silent, kinds.sizes, orders, floor)
    same = "the same value in every run: a relation, not counted"
    parts = [tuple(_compared(ground, one) for one in part) for part in (laws, relations, silent)]
    equal = tuple(replace(law, defect=0.0, variance_ratio=None, verdict=same) for law in parts[1])
    return kinds, Fixed(parts[0], equal, parts[2], kinds.saturated)


def _compared(ground: Ground, one: Formulation) -> Law:
    """Build the law of a function that no motion changes: its defect is its spread within runs over that of all."""
    values = [ground.features.basis.evaluate(run.states) for run in ground.flow.runs]
    own, rounded = (variance_ratio([v @ c for v in values]) for c in (one.coefficients, one.rounded))
    if own is not None and rounded is not None and rounded > 4 * max(own, np.finfo(np.float64).eps):
        one, rounded = replace(one, numbers=(None,) * len(one.numbers)), own
    return Law(ground.features, one, float(np.sqrt(rounded or 0.0)), rounded, "")


def formulas_beside(
    ground: Ground,
    forms: Forms,
    vectors: NDArray,
    kinds: Steady,
    floor: float,
    beside: Sequence[Formulation] = (),
) -> list[Formulation]:
    """Write functions down, up to those that no motion changes: E rather than E - P^2/2."""
    orders, modulo = ground.features.orders, np.column_stack([kinds.laws, kinds.relations])
    if not modulo.shape[1] or not vectors.shape[1]:
        return formulate(forms, vectors, orders, floor, ground.limit, beside)
    weights = mixing(ground.features, ground.points())
    return formulate(forms, vectors, orders, floor, ground.limit, beside, modulo, weights)


def _sizes(values: NDArray) -> NDArray:
    spread, largest = np.std(values, axis=0), np.abs(values).max(axis=0)
    still = spread <= len(values) * np.finfo(np.float64).eps * largest
    return np.where(still, np.where(largest > 0, largest, 1.0), spread)


def written(
    vectors: NDArray, sizes: NDArray, orders: Sequence[int], floor: float, modulo: NDArray | None = None
) -> list[Formulation]:
    """Sparse combinations that span given ones, up to the span of others, told apart by angles."""
    if not vectors.shape[1]:
        return []
    modulo = vectors[:, :0] if modulo is None else modulo
    both = np.column_stack([vectors, modulo])
    scaled = np.diag(sizes)
    forms = Forms(_outside(both, sizes), _outside(modulo, sizes), scaled, floor, sqrt(rounding((len(sizes),))))
    limit = max(10 * floor, sqrt(rounding((len(sizes),))))
    found = formulate(forms, vectors, orders, floor, limit, modulo=modulo)
    # Defects are rounding here, so that they must not decide the order.
    return sorted(found, key=lambda f: (len(f.support), int(np.sum(np.take(orders, f.support))), f.support.tolist()))


def _outside(vectors: NDArray, sizes: NDArray) -> NDArray:
    """Factor ``(q, q)`` of the squared distance of scaled coefficients from a span."""
    q, _ = np.linalg.qr(vectors * sizes[:, None])
    return np.diag(sizes) - q @ (q.T * sizes)


def mixing(features: Features, x: NDArray) -> NDArray:
    """Weights ``(q,)`` of terms in the choice among formulas that differ by laws: 2 where a term joins coordinates."""
    uses = np.any(features.basis.gradients(x) != 0, axis=0)
    return np.where(uses.sum(axis=1) > 1, 2.0, 1.0)


def generating(relations: list[Formulation], features: Features, flow: Trajectories) -> list[Formulation]:
    """Leave out relations that are combinations of others times functions of the library: x z = 0 where z = 0."""
    kept: list[Formulation] = []
    rng = np.random.default_rng(0)
    x = flow.points
    size = np.where(np.std(x, axis=0) > 0, np.std(x, axis=0), 1.0)
    level = features.basis.evaluate(x).mean(axis=0)
    for one in relations:
        count = min(len(kept) * (1 + features.size), _TERMS)
        trial = x.mean(axis=0) + size * rng.normal(size=(_TRIALS * (count + 10), x.shape[1]))
        phi = features.basis.evaluate(trial[features.defined(trial)])
        zeros = [(phi - level) @ r.rounded for r in kept]
        factors = np.column_stack([np.ones(len(phi)), phi])
        terms = np.column_stack([factors * z[:, None] for z in zeros])[:, :_TERMS] if kept else factors[:, :0]
        y = (phi - level) @ one.rounded
        left = y - terms @ np.linalg.lstsq(terms, y, rcond=None)[0] if kept else y
        if np.linalg.norm(left) > sqrt(rounding(phi.shape)) * np.linalg.norm(y):
            kept.append(one)
    return kept
