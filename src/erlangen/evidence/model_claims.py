"""Claims about a model itself: no noise, no class, as many fresh points as are wanted.

What is claimed is a symmetry of the model that was given, a network say. Whether its target shares it is another
question, which needs data: `class_free`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, affine, coordinate_names
from erlangen.algebra import Group
from erlangen.derivative import LieDerivative, Samples, Scales, confirm, move, scales_of
from erlangen.derivative.measures import AbstractMeasure, BoxMeasure
from erlangen.evidence._arguments import as_action
from erlangen.evidence.certificate import Band, Bound, Certificate, Gate
from erlangen.evidence.ellipsoid import unfolding_norm
from erlangen.evidence.gates import split_trivial
from erlangen.fields import AbstractField, as_field
from erlangen.linalg.rank import Threshold
from erlangen.verbs import Symmetry, discover
from erlangen.verbs._measure import coefficients_of
from erlangen.verbs.discover import solve

CHOOSING = 1024
"""Points that choose generators, where none are named."""

TESTING = 2048
"""Fresh points that test: a mean over them is known to 2 % of its scatter."""

REACH = 2.0
"""Directions whose defect at the points that choose is up to so many times delta go to the test."""


def model_certificate(
    field: Any,
    action: AbstractAction | Group | None = None,
    samples: Samples | NDArray | None = None,
    *,
    generators: AbstractAction | ArrayLike | None = None,
    alpha: float = 0.05,
    delta: float = 0.05,
    n: int = TESTING,
    time_step: float | None = None,
    kind: str | None = None,
    names: Sequence[str] | None = None,
    rng: int | np.random.Generator = 0,
) -> Certificate:
    """Certify symmetries of a given differentiable model on a region, from fresh points.

    For each generator the mean of ``|L_xi f|^2 - delta^2 B(xi)`` over n fresh points is compared with zero, where B
    is what an unrelated direction gives; generators that are not named are chosen at other points.

    Parameters
    ----------
    field : AbstractField or anything that ``as_field`` accepts
        The model.
    action : AbstractAction, optional
        Candidate generators; all affine fields by default.
    samples : Samples or ndarray (n, d), optional
        The region. Where its measure is known, fresh points are drawn from it; else its points are dealt out.
    generators : AbstractAction or array (r, p), optional
        Generators named beforehand, each tested at ``alpha / r``.
    alpha, delta : float
        Error probability, and relative defect up to which a generator counts as a symmetry.
    n : int
        Fresh points that test.
    time_step : float, optional
        Move points for this time in place of the Lie derivative: ``|f(g_t x) - T_t f(x)| / t``. Jumps then count.
    kind : {"invariant", "vector", "map"}, optional
        How values follow points; must be said where c = d.
    names : sequence of str, optional
        Names of the coordinates.
    rng : int or numpy.random.Generator
        Draws the points.

    Returns
    -------
    Certificate
        Mode ``"model"``: a claim about the model, not about what it was fitted to.

    Raises
    ------
    InputError
        When field, action, samples and generators do not fit together.
    UndecidedError
        When there are too few points.

    Examples
    --------
    >>> found = model_certificate(lambda x: np.tanh((x**2).sum(axis=1)), affine(3), Samples.box(-1, 1, dim=3))
    >>> found.dim
    3
    """
    start, rng = time.perf_counter(), np.random.default_rng(rng)
    model, offered, region = _read(field, action, samples, generators, kind)
    means = unconfirmed(model, offered, region, generators, alpha, delta, n, time_step, names, rng)
    return replace(_confirmed(means, model, region, delta), seconds=time.perf_counter() - start)


def unconfirmed(
    model: AbstractField,
    offered: AbstractAction,
    region: Samples,
    generators: AbstractAction | ArrayLike | None,
    alpha: float,
    delta: float,
    n: int,
    time_step: float | None,
    names: Sequence[str] | None,
    rng: np.random.Generator,
) -> Certificate:
    """The certificate of the means alone: for generators that finite moves have confirmed already."""
    few, fresh = draw(region, CHOOSING, n, rng)
    if generators is None:
        chosen, own = _chosen(model, offered, few, delta)
    else:
        chosen, own = _named(offered, generators), np.zeros((0, offered.n_generators))
    scales = scales_of(model, LieDerivative(model, offered, few).lifted, few)
    level = alpha / max(len(chosen), 1) if generators is not None else alpha
    means = mean_forms(model, offered.restrict(chosen.T), fresh, scales, time_step)
    bounds = [_bound(means, a, level, delta, offered, chosen[a], names) for a in range(len(chosen))]
    band, bounds = _separate(bounds) if generators is not None else _nested(means, bounds, alpha, delta)
    return Certificate(
        dim=sum(b.verdict == "certified" for b in bounds),
        bounds=tuple(bounds),
        band=band,
        alpha=alpha,
        delta=delta,
        mode="model",
        guarantee=_guarantee(n, alpha, generators is not None, time_step),
        assumptions=_assumptions(region, generators is not None, n),
        gates=(_precise(model, delta),),
        trivial=_trivial(model, offered, own, fresh, scales, time_step, level, delta, names),
        region=_words(region),
        candidates=offered,
        coordinates=tuple(names) if names is not None else coordinate_names(model.point_dim),
    )


def _confirmed(found: Certificate, model: AbstractField, region: Samples, delta: float) -> Certificate:
    """Refute what moving points for finite times, or one component alone, refutes: means do not see jumps."""
    certified = [b for b in found.bounds if b.verdict == "certified"]
    if not certified:
        return found
    lie = LieDerivative(model, found.candidates, region)
    scales = scales_of(model, lie.lifted, region)
    shown = [confirm(lie, b.xi, scales, delta) for b in certified]
    refused = {id(b): one.reason for b, one in zip(certified, shown, strict=True) if not one.passed}
    bounds = [
        replace(b, verdict="refuted", low=0.0, high=np.inf, reason=refused[id(b)]) if id(b) in refused else b
        for b in found.bounds
    ]
    good = [one for one in shown if one.passed]
    band = found.band
    if refused:  # spans that held a refuted generator are no longer bounded
        upper = np.where(np.arange(len(band.upper)) < len(good), band.upper, np.inf)
        band = Band(band.defects, np.minimum(band.lower, upper), upper, band.simultaneous, band.complete)
    words = f"{len(good)} of {len(shown)} generators are confirmed by moving the points for finite times"
    worst = max((max(one.residuals) for one in good), default=float("nan"))
    gate = Gate("finite flow", not refused, worst, delta, words, binding=False)
    return replace(found, dim=len(good), bounds=tuple(bounds), band=band, gates=(*found.gates, gate))


@dataclass(frozen=True, eq=False)
class MeanForms:
    """Means over fresh points of ``|L_c f|^2`` and of its denominator, as forms in c, with their scatter.

    Attributes
    ----------
    defects, sizes : ndarray (n, r, r)
        The two forms at each point.
    """

    defects: NDArray
    sizes: NDArray

    def law(self, basis: NDArray) -> tuple[NDArray, NDArray]:
        """Means ``(2, d, d)`` of both forms on a basis ``(r, d)``, and a root ``(2, d, d, k)`` of their covariance."""
        both = np.stack([self.defects, self.sizes], axis=1)
        forms = np.einsum("rd,nfrs,se->nfde", basis, both, basis, optimize=True)
        mean, n = forms.mean(axis=0), len(forms)
        flat = (forms - mean).reshape(n, -1)
        l, q = np.linalg.eigh(flat.T @ flat / ((n - 1) * n))
        return mean, (q * np.sqrt(np.maximum(l, 0.0))).reshape(*mean.shape, -1)

    def quantile(self, alpha: float) -> float:
        """One-sided quantile of one contrast."""
        return float(special.stdtrit(len(self.defects) - 1, 1.0 - alpha))

    def upper(self, basis: NDArray, alpha: float) -> float:
        """Smallest delta at which the mean test certifies the span of a basis ``(r, d)``, by bisection."""
        l, q = np.linalg.eigh(basis.T @ self.sizes.mean(axis=0) @ basis)
        if l[0] <= 1e-12 * max(float(l[-1]), np.finfo(float).tiny):
            return float("inf")
        law, z = self.law(basis @ (q / np.sqrt(l))), self.quantile(alpha)
        low, high = 0.0, 1.0
        while excess(law, high, z) > 0:
            low, high = high, 2 * high
            if high > 1e3:
                return float("inf")
        while high - low > 1e-3 * high and high > 1e-12:
            middle = 0.5 * (low + high) if low > 0 else high / 4
            low, high = (middle, high) if excess(law, middle, z) > 0 else (low, middle)
        return high

    def lower(self, a: int, alpha: float) -> float:
        """Largest delta that is refuted for one generator by the same test from the other side."""
        mean, root = self.law(np.eye(self.sizes.shape[1])[:, [a]])
        mirrored, z, low, high = (-mean, root), self.quantile(alpha), 0.0, self.defect(a)
        if excess(mirrored, 0.0, z) >= 0:
            return 0.0
        while high - low > 1e-3 * high and high > 1e-12:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if excess(mirrored, middle, z) < 0 else (low, middle)
        return low

    def defect(self, a: int) -> float:
        """Estimated relative defect of one generator."""
        size = self.sizes[:, a, a].mean()
        return float(np.sqrt(self.defects[:, a, a].mean() / size)) if size > 0 else float("inf")


def excess(law: tuple[NDArray, NDArray], delta: float, z: float) -> float:
    """Upper bound of the largest mean of ``c^T (defect - delta^2 size) c`` over unit combinations c.

    All of them are bounded by one contrast each: the c that is false is fixed, and its mean would be exceeded too.
    """
    mean, root = law[0][0] - delta**2 * law[0][1], law[1][0] - delta**2 * law[1][1]
    if len(mean) == 1:
        return float(mean[0, 0] + z * np.sqrt(np.sum(root**2)))
    return float(np.linalg.eigvalsh(mean)[-1]) + z * unfolding_norm(root)


def mean_forms(
    field: AbstractField, action: AbstractAction, x: NDArray, scales: Scales, time_step: float | None = None
) -> MeanForms:
    """Evaluate both forms at points ``x (n, d)``: one pass of values and Jacobians.

    Parameters
    ----------
    field : AbstractField
        The model.
    action : AbstractAction
        r generators.
    x : ndarray (n, d)
        Independent points of the region.
    scales : Scales
        Units of points and values.
    time_step : float, optional
        Finite time in place of the Lie derivative.
    """
    lie = LieDerivative(field, action, Samples.from_data(x))
    values, jacobian = field.value(x), field.jacobian(x)
    velocity = lie.lifted.on_points(x)
    carried = lie.lifted.on_values(x, values).transpose(0, 2, 1) / scales.values[:, None]
    if time_step is None:
        rate = np.einsum("nck,nrk->ncr", jacobian, velocity) / scales.values[:, None] - carried
    else:
        units = np.eye(lie.lifted.n_generators)
        rate = np.stack([finite_residual(field, lie.lifted, e, time_step, x) for e in units], axis=2)
        rate = rate / scales.values[:, None]
    speeds = np.einsum("nrd,nsd,d->nrs", velocity, velocity, scales.points**-2.0, optimize=True)
    sizes = (scales.slope(jacobian) ** 2)[:, None, None] * speeds + np.einsum("ncr,ncs->nrs", carried, carried)
    return MeanForms(np.einsum("ncr,ncs->nrs", rate, rate), sizes)


def finite_residual(field: AbstractField, lifted: AbstractAction, xi: NDArray, t: float, x: NDArray) -> NDArray:
    """Residual ``(f(g_t x) - T_t f(x)) / t``, shape ``(n, c)``, of moving points and values for a time t."""
    moved, carried = move(lifted, xi, t, x, field.value(x))
    return (field.value(moved) - carried) / t


def draw(region: Samples, few: int, n: int, rng: np.random.Generator) -> tuple[Samples, NDArray]:
    """Points that choose, and n other ones ``(n, d)`` that test, independent and from the same region."""
    if region.measure is not None:
        first = independent(region.measure, few, rng)
        return Samples(first, np.full(few, 1.0 / few), region.measure).pointwise(), independent(region.measure, n, rng)
    if len(region) < 64:
        raise UndecidedError(
            explain(
                "There are too few points to choose and to test.",
                given=f"{len(region)} points",
                expected="at least 64, or a region to draw from",
                fix="samples=er.Samples.box(low, high)",
            )
        )
    # Points with weights are a law of their own: drawing from it keeps the two parts independent.
    order = rng.permutation(len(region))
    first, second = order[: len(order) // 3], order[len(order) // 3 :]
    share = region.weights[second] / region.weights[second].sum()
    equal = np.ptp(region.weights) <= 1e-12 * region.weights.max()
    rows = second[:n] if equal else rng.choice(second, size=min(n, len(second)), p=share)
    return Samples.from_data(region.points[first], region.weights[first]), region.points[rows]


def independent(measure: AbstractMeasure, n: int, rng: np.random.Generator) -> NDArray:
    """Independent points ``(n, d)``: a mean over them has a known scatter, unlike over evenly laid ones."""
    if isinstance(measure, BoxMeasure):
        return rng.uniform(measure.low, measure.high, (n, measure.dim))
    return measure.mean + measure.std * rng.standard_normal((n, measure.dim))


def _read(
    field: Any,
    action: Any,
    samples: Samples | NDArray | None,
    generators: AbstractAction | ArrayLike | None,
    kind: str | None,
) -> tuple[AbstractField, AbstractAction, Samples]:
    action = action.action if isinstance(action, Symmetry) else as_action(action)
    if action is None and isinstance(generators, AbstractAction):
        action = generators
    region = Samples.from_data(samples) if samples is not None and not isinstance(samples, Samples) else samples
    dim = action.point_dim if action is not None else None if region is None else region.dim
    model = as_field(field, kind=kind, dim=dim, points=None if region is None else region.points)
    if region is None:
        points = getattr(model, "points", None)
        if points is None:
            raise InputError(
                explain(
                    "A symmetry is claimed somewhere: samples are missing.",
                    given=f"a {type(model).__name__} on R^{model.point_dim} without samples",
                    expected="a region",
                    fix=f"samples=er.Samples.box(-1, 1, dim={model.point_dim})",
                )
            )
        region = Samples.from_data(points)
    return model, affine(model.point_dim) if action is None else action, region


def _named(action: AbstractAction, generators: AbstractAction | ArrayLike) -> NDArray:
    if generators is action:
        return np.eye(action.n_generators)
    if isinstance(generators, AbstractAction):
        unit = np.eye(generators.n_generators)
        rows = [coefficients_of(action, generators.restrict(e[:, None])) for e in unit]
        return np.array(rows).reshape(len(rows), action.n_generators)
    rows = np.asarray(generators, dtype=np.float64).reshape(-1, action.n_generators)
    return np.array([coefficients_of(action, xi) for xi in rows]).reshape(rows.shape)


def _chosen(field: AbstractField, action: AbstractAction, few: Samples, delta: float) -> tuple[NDArray, NDArray]:
    """Generators ``(r, p)`` worth a test, the smallest defect first, and those built from the field itself."""
    found = discover(field, action, few, rule=Threshold(min(REACH * delta, 0.5)))
    lie = LieDerivative(field, action, few)
    scales = scales_of(field, lie.lifted, few)
    listed = [g.xi for g in sorted(found.found.generators, key=lambda g: g.defect)]
    rows = np.array([*listed, *found.own]).reshape(-1, action.n_generators)
    if len(rows) == 0:
        least = solve(lie, scales).part(0, 1).T
        return least / max(np.abs(least).max(initial=0.0), np.finfo(float).tiny), rows
    # Candidates were let in generously; what counts as the field itself has to be so up to delta.
    rest, trivial = split_trivial(lie, scales, rows.T, delta)
    own = np.array([b.xi for b in trivial]).reshape(-1, action.n_generators)
    if len(own) == len(found.own):
        return np.array(listed).reshape(-1, action.n_generators), found.own
    return rest.T, own


def _trivial(
    model: AbstractField,
    action: AbstractAction,
    own: NDArray,
    fresh: NDArray,
    scales: Scales,
    time_step: float | None,
    level: float,
    delta: float,
    names: Sequence[str] | None,
) -> tuple[Bound, ...]:
    """Directions built from the field itself, with bounds as any other has."""
    if len(own) == 0:
        return ()
    means = mean_forms(model, action.restrict(own.T), fresh, scales, time_step)
    bounds = [_bound(means, a, level, delta, action, xi, names) for a, xi in enumerate(own)]
    return tuple(replace(b, reason=f"the field itself, or built from it alone; {b.reason}") for b in bounds)


def _bound(
    means: MeanForms,
    a: int,
    level: float,
    delta: float,
    action: AbstractAction,
    xi: NDArray,
    names: Sequence[str] | None,
) -> Bound:
    text = action.describe(xi, None if names is None else tuple(names))
    high, low = means.upper(np.eye(means.sizes.shape[1])[:, [a]], level), means.lower(a, level)
    verdict = "certified" if high <= delta else "refuted" if low > delta else "not refuted"
    return Bound(
        xi, text, means.defect(a), low, high, verdict, f"the model's own defect lies in [{low:.2g}, {high:.2g}]"
    )


def _separate(bounds: list[Bound]) -> tuple[Band, list[Bound]]:
    columns = [np.sort([getattr(b, name) for b in bounds]) for name in ("defect", "low", "high")]
    return Band(*columns, simultaneous=False, complete=False), bounds


def _nested(means: MeanForms, bounds: list[Bound], alpha: float, delta: float) -> tuple[Band, list[Bound]]:
    r = len(bounds)
    upper = np.array([means.upper(np.eye(r)[:, :d], alpha) for d in range(1, r + 1)])
    failed = np.flatnonzero(upper > delta)
    dim = int(failed[0]) if len(failed) else r
    reason = "with those before it, it spans directions of larger defect"
    out = [
        replace(b, verdict="not refuted", reason=reason) if a >= dim and b.verdict == "certified" else b
        for a, b in enumerate(bounds)
    ]
    defects, lower = (np.sort([getattr(b, name) for b in bounds]) for name in ("defect", "low"))
    return Band(defects, lower, np.maximum.accumulate(upper) if r else upper, simultaneous=False, complete=False), out


def _precise(field: AbstractField, delta: float) -> Gate:
    words = f"the model's derivative is known to {field.accuracy:.2g}"
    return Gate("derivative", field.accuracy <= delta / 2, field.accuracy, delta / 2, words)


def _guarantee(n: int, alpha: float, named: bool, t: float | None) -> str:
    kind = "Lie derivative" if t is None else f"finite residual at t = {t:g}"
    order = "each at its share of the level" if named else "in a fixed sequence of spans chosen at other points"
    return (
        f"a claim about the model, not about its target: mean squared {kind} over {n} fresh points against delta^2 of "
        f"what an unrelated direction gives, level {alpha:g} (asymptotic, one contrast), {order}"
    )


def _assumptions(region: Samples, named: bool, n: int) -> tuple[str, ...]:
    points = "drawn from the region" if region.measure is not None else "dealt out of the given ones at random"
    choice = "generators named beforehand" if named else "generators chosen at other points than test"
    return (
        "the model is what is claimed about; a truth behind it needs data (mode class-free)",
        f"points independent, {points}",
        "the mean of the squares is near normal: no spikes of the defect in a small share of the region, which "
        f"{n} points may all miss (a share of {3 / n:.2g} is missed in one case of twenty)",
        choice,
    )


def _words(region: Samples) -> str:
    if isinstance(region.measure, BoxMeasure):
        sides = zip(region.measure.low, region.measure.high)
        return "the box " + " x ".join(f"[{a:.3g}, {b:.3g}]" for a, b in sides)
    if region.measure is not None:
        return f"the normal law with mean {region.mean.round(3).tolist()} and spread {region.std.round(3).tolist()}"
    return f"the law behind the {len(region)} given points"
