"""One class-free problem: cross-fit, bound, and say what was found and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import gammaln

from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, coordinate_names
from erlangen.derivative import Samples, scales_of
from erlangen.derivative.measures import AbstractMeasure, BoxMeasure
from erlangen.evidence._crossfit import fitted, fold_labels
from erlangen.evidence._density import OVERLAP, AbstractDesign, density_of, design_of, nodes_of
from erlangen.evidence._moments import WeakProblem
from erlangen.evidence._neighbour_gate import SIGNIFICANT, missing, neighbours
from erlangen.evidence._ratios import effective_share
from erlangen.evidence._test_fields import WeakFunctions, functions_on, functions_over
from erlangen.evidence._weak_bounds import Moments, gathered
from erlangen.evidence.certificate import Band, Bound, Certificate, Gate
from erlangen.evidence.observed import Observed
from erlangen.fields import AbstractField, lift
from erlangen.linalg.polynomials import exponents, monomials

DEGREES = {1: 8, 2: 4, 3: 3}
"""Degree of the test functions by number of coordinates, else 2: about thirty test fields for a vector field."""

FINER = 2
"""So many degrees more are looked at for what the test fields do not see."""

FINE = 4
"""So many degrees more has the set in which the test fields of the denominator are expanded."""

LEVEL = 0.01
"""Level of the checks that only warn."""

UNCOVERED = 0.01
"""Share of the region that may be far from all points."""


@dataclass(frozen=True, eq=False)
class Weak:
    """One class-free problem: rows that test, generators that are fixed.

    Attributes
    ----------
    data : Observed
        Rows that had no part in the choice of generators.
    action : AbstractAction
        The candidates.
    generators : ndarray (r, p)
        What is tested.
    region : AbstractMeasure or None
        Target measure; None for the law of the states.
    model, alpha, delta, design, degree, folds
        As in `class_free`.
    named : bool
        Whether the generators were named beforehand.
    """

    data: Observed
    action: AbstractAction
    generators: NDArray
    region: AbstractMeasure | None
    model: Any
    alpha: float
    delta: float
    design: Any
    degree: int | None
    folds: int
    named: bool

    def certificate(self, rng: np.random.Generator) -> Certificate:
        """Cross-fit, bound, and say so."""
        design = design_of(self.region, self.data.x, self.design)
        moments, average, weights, left = self.moments(design, rng)
        gates = (*self._coverage(design, weights), self._misfit(average, left))
        level = self.alpha / len(self.generators) if self.named else self.alpha
        trivial = [self._own(average, xi) for xi in self.generators]
        bounds = [self._bound(moments, a, level, gates) for a in range(len(self.generators))]
        if self.named:
            band = _separate([b for b, own in zip(bounds, trivial) if not own])
        else:
            band, bounds = self._nested(moments, bounds)
        kept = tuple(b for b, own in zip(bounds, trivial) if not own)
        return Certificate(
            dim=sum(b.verdict == "certified" for b in kept),
            bounds=tuple(sorted(kept, key=lambda b: b.verdict != "certified")),
            band=band,
            alpha=self.alpha,
            delta=self.delta,
            mode="class-free",
            guarantee=self._guarantee(moments, design),
            assumptions=self._assumptions(design),
            gates=(*gates, self._resolution(moments)),
            trivial=tuple(
                replace(b, reason="a multiple of the field itself") for b, own in zip(bounds, trivial) if own
            ),
            region=self._words(),
            candidates=self.action,
            coordinates=self.data.names or coordinate_names(self.data.x.shape[1]),
            notes=self._notes(moments),
            refits=self.folds,
        )

    def moments(self, design: AbstractDesign, rng: np.random.Generator) -> tuple[Moments, Average, NDArray, NDArray]:
        """Fit a model without each fold, and let the fold test.

        With the average model, the weights of rows, and what the model without a row leaves over of it.
        """
        data = self.data
        labels, models = crossfitted(data, self.region, self.model, self.folds, rng)
        average = Average(tuple(models))
        lifted = lift(average, self.action).restrict(self.generators.T)
        points = Samples.from_data(data.x) if self.region is None else standing(self.region)
        scales = scales_of(average, lift(average, self.action), points)
        problem = WeakProblem(lifted, scales, self._functions(FINER), self._functions(FINE))
        parts, weights, left = [], np.empty(len(data)), np.empty_like(data.y)
        for k, field in enumerate(models):
            law, here = design.law(data.x[labels != k]), labels == k
            parts.append(problem.fold(field, law, data.x[here], data.y[here]))
            weights[here] = law.pull(data.x[here])[0]
            left[here] = data.y[here] - field.value(data.x[here])
        groups = [None if data.groups is None else data.groups[labels == k] for k in range(self.folds)]
        resolved = self._functions(0).size * data.y.shape[1]
        return gathered(parts, resolved, groups), average, weights, left

    def _functions(self, more: int) -> WeakFunctions:
        return functions_for(self.data.x, self.region, self.degree, more)

    def _bound(self, moments: Moments, a: int, level: float, gates: tuple[Gate, ...]) -> Bound:
        basis = np.eye(len(self.generators))[:, [a]]
        high, low = moments.upper_in(basis, level), moments.lower(a, level)
        verdict, reason = _verdict(low, high, self.delta, gates, moments.unseen(a, LEVEL))
        text = self.action.describe(self.generators[a], self.data.names)
        return Bound(self.generators[a], text, moments.estimate(a), min(low, high), high, verdict, reason)

    def _nested(self, moments: Moments, bounds: list[Bound]) -> tuple[Band, list[Bound]]:
        """Spans of the first d generators, in the order of the rows that chose: the first failure ends the sequence."""
        upper = np.array([moments.upper(d, self.alpha) for d in range(1, len(bounds) + 1)])
        failed = np.flatnonzero((upper > self.delta) | [b.verdict != "certified" for b in bounds])
        dim = int(failed[0]) if len(failed) else len(bounds)
        out = []
        for a, b in enumerate(bounds):
            if a >= dim and b.verdict == "certified":
                reason = f"its span with those before it has defects up to {upper[a]:.2g}"
                b = replace(b, verdict="not refuted", reason=reason)
            out.append(replace(b, high=float(upper[a])) if a == 0 else b)
        lower = np.maximum.accumulate(np.sort([b.low for b in bounds]))
        band = Band(np.sort([b.defect for b in bounds]), lower, np.maximum.accumulate(upper), False, False)
        return band, out

    def _own(self, average: Average, xi: NDArray) -> bool:
        """Whether a generator of a vector field is that field itself, times a number c.

        The models must say so, and the rows not contradict: products of values at neighbouring points have the squared
        field as their mean, without the noise.
        """
        if self.data.kind != "vector":
            return False
        step = max(1, len(self.data) // 4096)
        x, y = self.data.x[::step], self.data.y[::step]
        f, v = average.value(x), self.action.restrict(xi[:, None]).on_points(x)[:, 0]
        c, size = np.sum(f * v) / np.sum(f * f), float(np.mean(np.sum(v**2, axis=1)))
        if np.mean(np.sum((v - c * f) ** 2, axis=1)) > self.delta**2 * size:
            return False
        unit = np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
        near = cKDTree(x / unit).query(x / unit, 2)[1][:, 1]
        apart = np.sum(v**2 - 2 * c * v * y + c**2 * y * y[near], axis=1)
        return float(apart.mean() - 2 * apart.std() / np.sqrt(len(x))) <= self.delta**2 * size

    def _coverage(self, design: AbstractDesign, weights: NDArray) -> list[Gate]:
        gates = []
        if self.region is not None:
            far = uncovered(self.data.x, self.region)
            words = f"{100 * far:.2g} % of the region is far from all points"
            fix = "" if far <= UNCOVERED else "; claim it on a smaller box, or measure there"
            gates.append(Gate("coverage", far <= UNCOVERED, far, UNCOVERED, words + fix))
        if not design.known:
            share = effective_share(weights)
            words = f"{100 * share:.3g} % of the points are effective once their density is that of the region"
            gates.append(Gate("overlap", share >= OVERLAP, share, OVERLAP, words))
        return gates

    def _misfit(self, average: Average, left: NDArray) -> Gate:
        """What the models miss, finer than the finest test fields, may hold a defect that none of them sees.

        A smooth misfit does no harm, since test fields see it; so polynomials of their degree are taken out first.
        """
        rows = inside(self.data.x, self.region)
        x, left = self.data.x[rows], left[rows]
        z = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
        smooth = monomials(z, exponents(x.shape[1], self._functions(FINER).degree))
        if 4 * smooth.shape[1] <= len(x):
            left = left - smooth @ np.linalg.lstsq(smooth, left, rcond=None)[0]
        groups = None if self.data.groups is None else self.data.groups[rows]
        shared = neighbours(x, left, alpha=SIGNIFICANT, noise="robust", groups=groups)
        size = average.value(x).std(axis=0)
        share = float(np.max(missing(x, left) / np.where(size > 0, size, np.inf))) if not shared.passed else 0.0
        words = f"what the models miss between neighbouring rows is {share:.2g} of the field"
        if share > self.delta:
            words += ": it may hold a defect finer than the test fields; a richer model, or more rows"
        return Gate("misfit of the models", share <= self.delta, share, self.delta, words)

    def _resolution(self, moments: Moments) -> Gate:
        seen = [moments.unseen(a, LEVEL) for a in range(len(self.generators))]
        value = max((v for v, _ in seen), default=0.0)
        worst = max((v for v, beyond in seen if beyond), default=0.0)
        words = f"test fields finer by {FINER} degrees see a further defect of {value:.2g}"
        words += ", beyond noise" if worst > 0 else ", within noise"
        return Gate("resolution", True, value, self.delta, words)

    def _guarantee(self, moments: Moments, design: AbstractDesign) -> str:
        j = len(moments.resolved)
        law = "unbiased for any model" if design.known else "doubly robust only, since the density is estimated"
        return (
            f"bounds of the defect as {j} test fields of degree {self._functions(0).degree} see it: asymptotic, one "
            f"contrast at level {self.alpha:g}, no class of fields assumed; moments {law}"
        )

    def _assumptions(self, design: AbstractDesign) -> tuple[str, ...]:
        independent = "runs independent of each other" if self.data.groups is not None else "rows independent"
        choice = (
            "generators named before the data were seen" if self.named else "generators chosen on other rows than test"
        )
        return (
            "a defect that the test fields do not see is not bounded: see the gate on resolution",
            design.assumption,
            f"exact states, errors of mean zero in the values only, of any law and variance; {independent}",
            "means of many rows are near normal (one contrast)",
            choice,
        )

    def _notes(self, moments: Moments) -> tuple[str, ...]:
        left = max((moments.leftover(a) for a in range(len(self.generators))), default=0.0)
        return (
            f"the {self.folds} models themselves have a defect of {left:.2g} that the test fields do not see; it may "
            "be theirs alone",
        )

    def _words(self) -> str:
        if self.region is None:
            return "the law of the observed states, with weight 1 - u^4 towards the sides of their bounding box"
        if isinstance(self.region, BoxMeasure):
            sides = " x ".join(f"[{a:.3g}, {b:.3g}]" for a, b in zip(self.region.low, self.region.high))
            return f"the box {sides}, with weight 1 - u^4 towards its sides"
        return (
            f"the normal law with mean {self.region.mean.round(3).tolist()}, spread {self.region.std.round(3).tolist()}"
        )


@dataclass(frozen=True, eq=False)
class Average(AbstractField):
    """The mean of several models of the same values."""

    models: tuple[AbstractField, ...]

    @property
    def point_dim(self) -> int:
        return self.models[0].point_dim

    @property
    def value_dim(self) -> int:
        return self.models[0].value_dim

    @property
    def accuracy(self) -> float:
        return max(model.accuracy for model in self.models)

    @property
    def kind(self) -> str:
        return self.models[0].kind

    def value(self, x: NDArray) -> NDArray:
        return np.mean([model.value(x) for model in self.models], axis=0)

    def jacobian(self, x: NDArray) -> NDArray:
        return np.mean([model.jacobian(x) for model in self.models], axis=0)


def functions_for(x: NDArray, region: AbstractMeasure | None, degree: int | None, more: int) -> WeakFunctions:
    """Test functions of a region, or of the points ``x (n, d)``, of so many degrees more than asked for."""
    degree = (DEGREES.get(x.shape[1], 2) if degree is None else degree) + more
    return functions_over(x, degree) if region is None else functions_on(region, degree)


def crossfitted(
    data: Observed, region: AbstractMeasure | None, model: Any, folds: int, rng: np.random.Generator
) -> tuple[NDArray, list[AbstractField]]:
    """Fold ``(n,)`` of each row, and for each fold a model that was fitted to the others."""
    labels = fold_labels(data, folds, rng)
    # Rows beyond the region weigh nothing: a model need not follow them.
    near = inside(data.x, region)
    others = [(labels != k) & near for k in range(folds)]
    return labels, [fitted(model, data.x[rows], data.y[rows], data.kind) for rows in track(others, "folds")]


def inside(x: NDArray, region: AbstractMeasure | None) -> NDArray:
    """Which points ``(n, d)`` lie in the region; all, where it has no sides."""
    return np.ones(len(x), dtype=bool) if region is None else density_of(region, x) > 0


def uncovered(x: NDArray, region: AbstractMeasure) -> float:
    """Share of a region whose surroundings hold no point, where a design that followed it would put several there.

    A ball in which ``log n + 5`` of n points are expected is empty with probability ``e^-5 / n``.
    """
    nodes, shares = nodes_of(region)
    scale, d, n = region.std, x.shape[1], len(x)
    density = density_of(region, nodes) * np.prod(scale)
    volume = (np.log(n) + 5.0) / (n * np.where(density > 0, density, 1.0))
    radius = (volume * np.exp(gammaln(d / 2 + 1)) / np.pi ** (d / 2)) ** (1 / d)
    distance = cKDTree((x - region.mean) / scale).query((nodes - region.mean) / scale)[0]
    return float(shares @ (distance > radius))


def standing(region: AbstractMeasure) -> Samples:
    """Nodes that stand for a region."""
    nodes, shares = nodes_of(region)
    return Samples(nodes, shares, region)


def _separate(bounds: list[Bound]) -> Band:
    columns = [np.sort([getattr(b, name) for b in bounds]) for name in ("defect", "low", "high")]
    return Band(*columns, simultaneous=False, complete=False)


def _verdict(
    low: float, high: float, delta: float, gates: tuple[Gate, ...], unseen: tuple[float, bool]
) -> tuple[str, str]:
    if any(not gate.passed for gate in gates):
        return "no coverage", next(gate.reason for gate in gates if not gate.passed)
    more, beyond = unseen
    if low > delta:
        return "refuted", f"the defect that the test fields see is at least {low:.2g}"
    if high > delta:
        rows = (high / delta) ** 2
        return "not refuted", f"bounded by {high:.2g} only; about {rows:.2g} times as many rows may decide"
    if beyond and np.hypot(high, more) > delta:
        return "not refuted", f"finer test fields see a further defect of {more:.2g}: raise degree"
    return "certified", f"the defect that the test fields see is at most {high:.2g}"
