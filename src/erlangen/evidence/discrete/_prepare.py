"""A model from one part of the data, and the test that the other part gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.derivative import Samples
from erlangen.evidence._fit_gate import lack_of_fit
from erlangen.evidence.certificate import Gate
from erlangen.evidence.discrete._finite import minimal_generators
from erlangen.evidence.discrete._models import detailed, flexible_model, local_model
from erlangen.evidence.discrete._moved import COVERED, Places, debiased, pairs, places
from erlangen.evidence.discrete._tested import AnyModel, Fresh, HeldOut, Matched, Outcome
from erlangen.evidence.estimate import Estimate, estimate
from erlangen.evidence.observed import Observed, observed
from erlangen.fields import AbstractField, AbstractLinearField, Trajectories, as_field
from erlangen.fields._base import EXACT
from erlangen.fields.bases import BasisField
from erlangen.fields.polynomial import PolynomialField
from erlangen.linalg.polynomials import exponents, monomials

_FIRST = 0.4
"""Share of the rows that choose class and elements; the others test."""
_ROUGH = 0.8
"""The same where a model of no class is searched for all linear maps."""
_FITTED = 0.75
"""Share of the first part that a model of no class is fitted to; the rest tells its error."""
_GATED = 1500
"""Rows on which classes are compared: they show a lack of fit of a few percent of the noise."""
_HIGHEST = 6
"""Degree up to which polynomial classes are tried."""
_BEYOND_DOUBT = 1e-6
"""P-value below which a class is passed over without its own test."""
_ROWS_PER_TERM = 4
"""Rows of the first part that each monomial of a class needs."""
_POINTS = 1000
"""Points that stand for the region: a mean square over them is known to 3 %."""
_MOST_POINTS = 10_000
"""Points of the data that stand for the region, where it has more."""
_WHOLE = 4
"""Runs that are enough to be dealt out whole."""
_PIECES = 20
"""Pieces into which a few long runs are cut, whole ones of which choose."""


class Tester(Protocol):
    """Something that tests one map."""

    def test(self, g: NDArray, delta: float, alpha: float) -> Outcome:
        """Test one map."""
        ...


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model from one part of the data, and the test that the other part gives."""

    model: AbstractField
    points: NDArray
    where: Places
    tester: Tester
    mode: str
    guarantee: str
    assumptions: tuple[str, ...]
    gates: tuple[Gate, ...]
    region: str
    names: tuple[str, ...] | None
    kept: tuple[NDArray, NDArray] | None = None
    choosing: Matched | None = None

    def defects(self, matrices: NDArray) -> NDArray:
        """Relative defects ``(m,)`` of maps, from the part of the data that chooses."""
        if self.choosing is not None:
            return np.array([self.choosing.pairs(g).defect for g in matrices])
        if self.kept is not None:
            predict = detailed(self.model)
            return np.array([debiased(predict, self.model.kind, g, *self.kept, self.where) for g in matrices])
        f = self.model.value(self.points)
        mean = f.mean(axis=0) if self.model.kind == "invariant" else None
        return np.array([pairs(self.model, g, self.points, f, self.where, mean).defect for g in matrices])

    def choose(self, matrices: NDArray, delta: float) -> NDArray:
        """Maps that look symmetric, as far as they are needed to generate all that do."""
        defects = self.defects(matrices)
        simple = np.lexsort((defects, np.sum(np.abs(matrices - np.eye(matrices.shape[1])), axis=(1, 2)).round(6)))
        return minimal_generators(matrices[[int(i) for i in simple if defects[i] <= delta]])


def prepare(
    problem: Any,
    samples: Samples | NDArray | None,
    *,
    kind: str | None,
    family: AbstractLinearField | None,
    centre: str | ArrayLike | None,
    rng: np.random.Generator,
    maps: NDArray | None = None,
) -> Prepared:
    """Split observations, fit, and set up the test; or take a field as it is."""
    points = None if samples is None else (samples.points if isinstance(samples, Samples) else np.asarray(samples))
    if is_data(problem):
        return _of_data(observed(problem, kind=kind), points, family, centre, rng, maps)
    field = as_field(problem, kind=kind, points=points, dim=None if points is None else points.shape[1])
    if points is None:
        points = getattr(field, "points", None)
    if points is None:
        raise InputError(
            explain(
                "A symmetry is claimed somewhere: samples are missing.",
                given=f"a {type(field).__name__} without samples",
                expected="points at which maps are compared",
                fix=f"samples=er.Samples.box(-1, 1, dim={field.point_dim})",
            )
        )
    return of_field(field, points, centre, rng)


def of_field(
    field: AbstractField, points: NDArray, centre: str | ArrayLike | None, rng: np.random.Generator
) -> Prepared:
    """A field as it is: half of the points choose, the others test."""
    order = rng.permutation(len(points))
    first, second = np.array_split(points[order], 2)
    first, second = first[: 2 * _POINTS], second[: 4 * _POINTS]
    bounded = field.accuracy > np.sqrt(np.finfo(float).eps)
    where = places(points, centre, bounded, field)
    mean = field.value(first).mean(axis=0) if field.kind == "invariant" else None
    return Prepared(
        field,
        first[:_POINTS],
        where,
        Fresh(field, second, mean, where),
        "model",
        "the defect of this field in L2 over the region, by a mean over fresh points; a claim about the field itself, "
        "not about what it was fitted to",
        ("points drawn like the region, and enough of them for their mean to be normal (asymptotic)",),
        (),
        f"{len(second)} fresh points, maps about {where.words}",
        getattr(field, "names", None),
    )


def _of_data(
    data: Observed,
    points: NDArray | None,
    family: AbstractLinearField | None,
    centre: str | ArrayLike | None,
    rng: np.random.Generator,
    maps: NDArray | None,
) -> Prepared:
    data = _in_pieces(data)
    orbits = _orbits(data.x) if maps is not None and data.groups is None else None
    if orbits is not None:
        first, second = (replace(part, groups=None) for part in replace(data, groups=orbits).split(_FIRST, rng))
    else:
        first, second = data.split(_FIRST, rng)
    if family is None and maps is not None and orbits is not None:
        matched = _matched(data, first, second, centre, maps)
        if matched is not None:
            return matched
    chosen, gate = _class(first, rng) if family is None else (family, _lack(family, first, rng))
    if family is None and not gate.passed:
        if maps is None:  # all linear maps are searched: a rough model needs most of the rows to show detail
            first, second = data.split(_ROUGH, rng)
        return _class_free(data, first, second, centre, rng)
    fit_a = estimate(chosen, first.x, first.y, weights=first.weights)
    fit_b = estimate(chosen, second.x, second.y, noise=_noise(data), weights=second.weights, groups=second.groups)
    model = _with_accuracy(chosen.with_theta(fit_a.theta), fit_a, first.x[:_POINTS])
    where = places(data.x, centre, True, model)
    at, region = _claimed(data.x, points, rng)
    law = "exactly, in finite samples" if fit_b.exact else "asymptotically"
    return Prepared(
        model,
        at[:_POINTS],
        where,
        HeldOut(model, fit_a.theta, fit_b, at, where),
        "held-out",
        f"the probability that any certified map has a true relative defect above delta is at most alpha, {law}",
        tuple(fit_b.assumptions),
        (gate,),
        f"{region} whose images stay in the box of the data, maps about {where.words}",
        data.names,
    )


def _claimed(x: NDArray, points: NDArray | None, rng: np.random.Generator) -> tuple[NDArray, str]:
    """Points at which a symmetry is claimed, in no order, and words for them: all points of the data by default.

    Those of the rows that test are among them. The test is given the points: only values must not be used twice.
    """
    if points is not None:
        return points[:_POINTS], f"those of {len(points[:_POINTS])} points of the samples"
    at = x[rng.permutation(len(x))[:_MOST_POINTS]]
    return at, f"those of {'all ' if len(at) == len(x) else ''}{len(at)} points of the data"


def _rows(data: Observed) -> str:
    return "rows" if data.groups is None else "runs, or their blocks,"


def _noise(data: Observed) -> str:
    """Law of the noise: rows of a run depend on each other, and channels differ."""
    if data.groups is not None:
        return "blocks"
    return "equal" if data.y.shape[1] == 1 else "components"


def _in_pieces(data: Observed) -> Observed:
    """Runs that are too few to be dealt out whole, cut into pieces that are: neighbours in time stay together."""
    if data.groups is None or len(runs := np.unique(data.groups)) >= _WHOLE:
        return data
    labels, count = np.zeros(len(data), dtype=int), 0
    for run in runs:
        for piece in np.array_split(np.flatnonzero(data.groups == run), -(-_PIECES // len(runs))):
            labels[piece], count = count, count + 1
    return replace(data, groups=labels)


def _lack(family: AbstractLinearField, data: Observed, rng: np.random.Generator) -> Gate:
    return lack_of_fit(family, data.x, data.y, weights=data.weights, groups=data.groups, rng=rng)


def _with_accuracy(model: AbstractLinearField, fit: Estimate, x: NDArray) -> AbstractLinearField:
    """The same field with the relative error that its estimate has at the points, where it can say so."""
    f = model.value(x)
    errors = np.einsum("naq,qr->nar", model.features(x), fit.root)
    spread = f - f.mean(axis=0) if model.kind == "invariant" else f
    error = float(np.sqrt(np.sum(errors**2) / max(float(np.sum(spread**2)), np.finfo(float).tiny)))
    if isinstance(model, (PolynomialField, BasisField)):
        return replace(model, accuracy=float(np.clip(error, EXACT, 1.0)))
    return model


def _orbits(x: NDArray) -> NDArray | None:
    """Labels ``(n,)`` of points that signed permutations carry into each other; None where there are no such points."""
    size = np.sort(np.abs(x), axis=1)
    keys = np.round(size / max(float(size.max()), np.finfo(float).tiny), 9)
    labels = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    return labels if labels.max() + 1 <= len(x) / 2 else None


def _matched(
    data: Observed, first: Observed, second: Observed, centre: str | ArrayLike | None, maps: NDArray
) -> Prepared | None:
    """Values at images beside values at points, where the table has most of them."""
    where = places(data.x, centre, False)
    testers = [Matched(part.x, part.y, data.kind, where) for part in (first, second)]
    if max(testers[1].pairs(g).share for g in maps) < COVERED:
        return None
    choosing, testing = testers
    return Prepared(
        local_model(first.x, first.y, 1, data.kind, 1.0),
        first.x,
        where,
        testing,
        "matched",
        "an upper bound of the true relative defect, from values at points and at images; noise counts as asymmetry",
        ("rows are independent, and enough of them for the mean of squared differences to be normal (asymptotic)",),
        (),
        f"{len(second)} points of the data whose images are in it too, maps about {where.words}",
        data.names,
        choosing=choosing,
    )


def _class_free(
    data: Observed, first: Observed, second: Observed, centre: str | ArrayLike | None, rng: np.random.Generator
) -> Prepared:
    """A model of any class, and its residuals on rows that it has not seen."""
    fitted, kept = first.split(_FITTED, rng)
    model = flexible_model(fitted.x, fitted.y, first.kind, rng)
    where = places(data.x, centre, True, model)
    return Prepared(
        model,
        first.x[:_POINTS],
        where,
        AnyModel(model, second.x, second.y - model.value(second.x), where, second.groups),
        "class-free",
        "an upper bound of the true relative defect for any class, by residuals of a model on rows that it has not "
        "seen; noise counts as misfit",
        (
            f"{_rows(data)} are independent, and enough of them for the mean of squared residuals to be normal "
            "(asymptotic)",
            "images of points are spread like the points themselves: the model misses as much there",
        ),
        (),
        f"{len(second)} held-out points, maps about {where.words}",
        data.names,
        (kept.x, kept.y),
    )


def _class(data: Observed, rng: np.random.Generator) -> tuple[AbstractLinearField, Gate]:
    """The smallest polynomial class without lack of fit, and the gate of the last one tried."""
    data = data.take(np.sort(rng.permutation(len(data))[:_GATED]))
    (n, d), c = data.x.shape, data.y.shape[1]
    tables = [exponents(d, degree) for degree in range(1, _HIGHEST + 1)]
    tables = [t for t in tables if _ROWS_PER_TERM * len(t) <= n] or tables[:1]
    family, gate = None, None
    for table in tables[_first_degree(data, tables) :]:
        family = PolynomialField(table, np.zeros((c, len(table))), data.kind)
        gate = _lack(family, data, rng)
        if gate.passed:
            break
    assert family is not None and gate is not None
    return family, gate


def _first_degree(data: Observed, tables: Sequence[NDArray]) -> int:
    """Place of the smallest class that the largest does not refute beyond doubt: below, nothing need be tested."""
    n = len(data)
    spread = data.x.std(axis=0)
    z = (data.x - data.x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    root = 1.0 if data.weights is None else np.sqrt(data.weights)[:, None]
    q, r = np.linalg.qr(monomials(z, tables[-1]) * root)
    explained = np.cumsum((q.T @ (data.y * root)) ** 2, axis=0)
    free = n - len(tables[-1])
    rest = np.maximum(np.sum((data.y * root) ** 2, axis=0) - explained[-1], np.finfo(float).tiny)
    for k, table in enumerate(tables[:-1]):
        more = len(tables[-1]) - len(table)
        gain = (explained[-1] - explained[len(table) - 1]) / more / (rest / free)
        if np.all(stats.f.sf(gain, more, free) > _BEYOND_DOUBT):
            return k
    return len(tables) - 1


def is_data(problem: Any) -> bool:
    if isinstance(problem, (Observed, Trajectories)):
        return True
    return isinstance(problem, tuple) and len(problem) == 2 and all(np.ndim(part) in (1, 2) for part in problem)
