"""Is a finite set of maps a symmetry? Search on one part of the data, test on another, count what was tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from erlangen._errors import InputError, explain
from erlangen._render import html_table, number, text_table
from erlangen.actions import coordinate_names
from erlangen.algebra import Group
from erlangen.algebra.group import from_matrices
from erlangen.derivative import Samples
from erlangen.evidence._fit_gate import lack_of_fit
from erlangen.evidence.certificate import Gate
from erlangen.evidence.discrete._finite import closed, minimal_generators, name_of
from erlangen.evidence.discrete._models import detailed, flexible_model, local_model
from erlangen.evidence.discrete._moved import COVERED, Places, debiased, pairs, places
from erlangen.evidence.discrete._tested import AnyModel, Fresh, HeldOut, Matched, Outcome
from erlangen.evidence.discrete.elements import FiniteSet, as_set, describe
from erlangen.evidence.estimate import Estimate, estimate
from erlangen.evidence.multiplicity import holm
from erlangen.evidence.observed import Observed, observed
from erlangen.fields import AbstractField, AbstractLinearField, Trajectories, as_field
from erlangen.fields._base import EXACT
from erlangen.fields.bases import BasisField
from erlangen.fields.polynomial import PolynomialField
from erlangen.linalg.polynomials import exponents, monomials

_FIRST = 0.4
"""Share of the rows that choose class and elements; the others test."""
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


@dataclass(frozen=True, eq=False)
class ElementTest:
    """One map and what the data say about it.

    Attributes
    ----------
    matrix : ndarray (d, d)
        The map, about the centre of the test.
    text : str
        What it does.
    defect : float
        Estimated relative defect |F o g - D F| / hypot(|F o g|, |D F|) of the worst channel; functions less their mean.
    p_value, adjusted : float
        Of "the true defect is larger than delta"; adjusted by Holm for all maps tested.
    low, high : float
        Bounds of the true defect at 1 - alpha each, for this map by itself.
    verdict : {"certified", "not refuted", "refuted", "no coverage", "class rejected"}
        What follows.
    """

    matrix: NDArray
    text: str
    defect: float
    p_value: float
    adjusted: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True, eq=False)
class DiscreteTest:
    """Maps that were tested, and the group that the certified ones generate.

    Attributes
    ----------
    name : str
        Name of that group, such as ``Z(2) x Z(2)``, ``S(3)``, ``D(4)``, ``C(7)``.
    order : int
        Its number of elements, the identity included.
    tested : tuple of ElementTest
        The maps that were tested on data of their own.
    looked_at : int
        Number of maps among which they were chosen; chosen ones generate all others that looked symmetric.
    delta, alpha : float
        Tolerance, and the probability that any certified map has a true defect above it.
    mode : {"held-out", "matched", "class-free", "model"}
        How they were tested.
    guarantee : str
        What is claimed.
    assumptions : tuple of str
        What it rests on, most binding first.
    gates : tuple of Gate
        Checks that were made.
    region : str
        Where the symmetry is claimed, and about which centre.
    coordinates : tuple of str
        Names of the coordinates.
    """

    name: str
    order: int
    tested: tuple[ElementTest, ...]
    looked_at: int
    delta: float
    alpha: float
    mode: str
    guarantee: str
    assumptions: tuple[str, ...]
    gates: tuple[Gate, ...]
    region: str
    coordinates: tuple[str, ...]

    @property
    def certified(self) -> tuple[ElementTest, ...]:
        """The maps that passed: generators of the group."""
        return tuple(e for e in self.tested if e.verdict == "certified")

    @property
    def matrices(self) -> NDArray:
        """The certified maps ``(m, d, d)``, which ``er.enforce(family, action, discrete=...)`` takes."""
        d = len(self.coordinates)
        return np.array([e.matrix for e in self.certified]).reshape(-1, d, d)

    @property
    def group(self) -> Group:
        """The finite group of the certified maps."""
        return from_matrices(np.zeros((0, *self.matrices.shape[1:])), self.matrices, self.name)

    @cached_property
    def elements(self) -> tuple[tuple[str, float], ...]:
        """All elements of the group with upper bounds of their defects, which add up along products.

        With D_gh = D_g o h + D_g(D_h) the defect of a product is at most the sum of those of its factors, each
        measured at points that the others have moved: for maps that keep lengths, and leave the region alone.
        """
        found = self.certified
        elements, words = closed(self.matrices)
        costs = [float(sum(found[k].high for k in word)) for word in words]
        return tuple((describe(g, self.coordinates), c) for g, c in zip(elements[1:], costs[1:], strict=True))

    @property
    def verdict(self) -> str:
        """One sentence."""
        sure = f"{100 * (1 - self.alpha):g} %"
        if not self.certified:
            maybe = sum(e.verdict == "not refuted" for e in self.tested)
            rest = f"; {maybe} of the tested are not refuted" if maybe else ""
            return f"None of {self.looked_at} maps is certified up to delta = {self.delta:g} at {sure}{rest}."
        maps = "; ".join(e.text for e in self.certified)
        return f"{self.name} is certified at {sure}: {self.order} elements, generated by {maps}."

    def table(self) -> list[dict[str, Any]]:
        """One row per tested map."""
        keys = ("text", "defect", "p_value", "adjusted", "low", "high", "verdict")
        return [{k if k != "text" else "map": getattr(e, k) for k in keys} for e in self.tested]

    def to_dict(self) -> dict[str, Any]:
        """Everything that prints, as plain numbers and strings."""
        rows = [{k: _plain(v) for k, v in r.items()} for r in self.table()]
        gates = [{"name": g.name, "passed": g.passed, "reason": g.reason} for g in self.gates]
        plain = {k: getattr(self, k) for k in ("name", "order", "looked_at", "delta", "alpha", "mode", "guarantee")}
        return {"kind": "discrete test", "verdict": self.verdict, **plain, "region": self.region} | {
            "assumptions": list(self.assumptions),
            "gates": gates,
            "tested": rows,
        }

    def _rows(self) -> list[list[str]]:
        return [
            [e.text, *(number(v, 2) for v in (e.defect, e.low, e.high, e.adjusted)), e.verdict] for e in self.tested
        ]

    def _lines(self) -> list[str]:
        lines = [f"{self.guarantee} (mode {self.mode}); region: {self.region}"]
        return [*lines, *(f"assumes {a}" for a in self.assumptions), *(f"gate {g}" for g in self.gates)]

    def __str__(self) -> str:
        table = [text_table(_HEADER, self._rows())] if self.tested else []
        return "\n".join([self.verdict, *table, *(f"- {line}" for line in self._lines())])

    def __repr__(self) -> str:
        return f"<DiscreteTest {self.name}: {len(self.certified)} of {len(self.tested)} certified, {self.mode}>"

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(line)}</li>" for line in self._lines())
        return f"<p><b>{escape(self.verdict)}</b></p>{html_table(_HEADER, self._rows())}<ul>{items}</ul>"


_HEADER = ("map", "defect", "low", "high", "adjusted p", "verdict")


def test_elements(
    problem: Any,
    elements: FiniteSet | Callable[[int], FiniteSet] | ArrayLike,
    samples: Samples | NDArray | None = None,
    *,
    delta: float = 0.05,
    alpha: float = 0.05,
    kind: str | None = None,
    family: AbstractLinearField | None = None,
    centre: str | ArrayLike | None = None,
    names: Sequence[str] | None = None,
    rng: int | np.random.Generator = 0,
) -> DiscreteTest:
    """Test whether given maps are symmetries, with an error probability over all of them together.

    A map g is a symmetry where F(g x) = D F(x), with D = 1 for functions and D = g for vector fields. Its relative
    defect is ``|F o g - D F| / hypot(|F o g|, |D F|)`` in L2 over the region, in the worst channel, for functions
    less their mean; 1 is what unrelated values give. "The defect is larger than delta" is what has to be refuted.

    One part of the data fits a model and chooses, among the elements of a set, those that look symmetric, and among
    these a few that generate the others; only these few are tested, on the other part, with Holm's correction.
    Matrices that are given one by one are all tested. Observations are tested

    - **matched** where the table has images of its points, as on a symmetric grid: value beside value, without a model;
    - **held-out** else, exactly in finite samples, in the smallest polynomial class without lack of fit, or in
      ``family``;
    - **class-free** where no class fits: by residuals of a model on rows that it has not seen.

    A field is taken as it is, and tested at fresh points of ``samples``: what is claimed is about that model.

    Parameters
    ----------
    problem : tuple (x, y), Observed, Trajectories, or anything that ``as_field`` accepts
        Observations or a field.
    elements : FiniteSet, function of d, or array (m, d, d)
        Such as ``er.evidence.signs(3)`` or ``er.evidence.cyclic``.
    samples : Samples or array (n, d), optional
        Where the symmetry is claimed; by default at the points of the data.
    delta, alpha : float
        Tolerance, and probability of any false certificate.
    kind : {"invariant", "vector"}, optional
        How values follow points, where there are as many values as coordinates.
    family : AbstractLinearField, optional
        Class to be used for observations, such as ``er.fields.polynomial_field(3, 2, np.zeros((3, 10)), "vector")``.
    centre : {"origin", "mean", "fixed point"} or array (d,), optional
        What the maps leave in place; by default the origin.
    names : sequence of str, optional
        Names of the coordinates.
    rng : int or Generator
        Splits the rows.

    Returns
    -------
    DiscreteTest
        The tested maps with p-values and bounds, and the group of those that are certified.

    References
    ----------
    Holm, Scandinavian Journal of Statistics 6 (1979) 65; Berger and Hsu, Statistical Science 11 (1996) 283.

    Examples
    --------
    >>> from erlangen.evidence.discrete.elements import signs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (400, 2))
    >>> y = x[:, 0] ** 2 + x[:, 1] + 0.01 * rng.standard_normal(400)
    >>> print(test_elements((x, y), signs).verdict)
    Z(2) is certified at 95 %: 2 elements, generated by (x, y) -> (-x, y).
    """
    _check(delta, alpha)
    rng = np.random.default_rng(rng)
    maps = as_set(elements, np.shape(problem[0])[1]).matrices if _is_table(problem) else None
    prepared = prepare(problem, samples, kind=kind, family=family, centre=centre, rng=rng, maps=maps)
    candidates = as_set(elements, prepared.where.centre.size)
    searched = isinstance(elements, FiniteSet) or callable(elements)
    chosen = prepared.choose(candidates.matrices, delta) if searched else candidates.matrices
    return judge(prepared, chosen, len(candidates), delta, alpha, names)


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


def judge(
    prepared: Prepared, matrices: NDArray, looked_at: int, delta: float, alpha: float, names: Sequence[str] | None
) -> DiscreteTest:
    """Test maps one by one, correct for their number, and close the certified ones."""
    coordinates = tuple(names or prepared.names or coordinate_names(prepared.where.centre.size))
    outcomes = [prepared.tester.test(g, delta, alpha) for g in matrices]
    trusted = all(gate.passed for gate in prepared.gates)
    adjusted = holm([o.p_value for o in outcomes]) if outcomes else []
    tested = tuple(
        ElementTest(
            g,
            describe(g, coordinates),
            o.defect,
            o.p_value,
            float(p),
            o.low,
            o.high,
            _verdict(o, float(p), trusted, delta, alpha),
        )
        for g, o, p in zip(matrices, outcomes, adjusted, strict=True)
    )
    kept = np.array([e.matrix for e in tested if e.verdict == "certified"]).reshape(-1, *[len(coordinates)] * 2)
    name, order = name_of(kept)
    rest = {k: getattr(prepared, k) for k in ("mode", "guarantee", "assumptions", "gates", "region")}
    return DiscreteTest(name, order, tested, looked_at, delta, alpha, coordinates=coordinates, **rest)


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
    if _is_data(problem):
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
    orbits = _orbits(data.x) if maps is not None and data.groups is None else None
    if orbits is not None:
        first, second = (replace(part, groups=None) for part in replace(data, groups=orbits).split(_FIRST, rng))
    else:
        first, second = data.split(_FIRST, rng)
    if family is None and maps is not None and orbits is not None:
        matched = _matched(data, first, second, centre, maps)
        if matched is not None:
            return matched
    chosen, gate = _class(first, rng) if family is None else (family, lack_of_fit(family, first.x, first.y, rng=rng))
    if family is None and not gate.passed:
        return _class_free(data, first, second, centre, rng)
    noise = "equal" if data.y.shape[1] == 1 else "components"
    fit_a, fit_b = (estimate(chosen, part.x, part.y, noise=noise, weights=part.weights) for part in (first, second))
    model = _with_accuracy(chosen.with_theta(fit_a.theta), fit_a, first.x[:_POINTS])
    where = places(data.x, centre, True, model)
    at = (first.x if points is None else points)[:_POINTS]
    return Prepared(
        model,
        at,
        where,
        HeldOut(model, fit_a.theta, fit_b, at, where),
        "held-out",
        "P(any certified map has a true relative defect above delta) <= alpha in finite samples",
        tuple(fit_b.assumptions),
        (gate,),
        f"{len(at)} points of {'the data' if points is None else 'the samples'}, maps about {where.words}",
        data.names,
    )


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
        AnyModel(model, second.x, second.y - model.value(second.x), where),
        "class-free",
        "an upper bound of the true relative defect for any class, by residuals of a model on rows that it has not "
        "seen; noise counts as misfit",
        (
            "rows are independent, and enough of them for the mean of squared residuals to be normal (asymptotic)",
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
        gate = lack_of_fit(family, data.x, data.y, weights=data.weights, groups=data.groups, rng=rng)
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


def _is_table(problem: Any) -> bool:
    return _is_data(problem) and not isinstance(problem, (Observed, Trajectories)) and np.ndim(problem[0]) == 2


def _is_data(problem: Any) -> bool:
    if isinstance(problem, (Observed, Trajectories)):
        return True
    return isinstance(problem, tuple) and len(problem) == 2 and all(np.ndim(part) in (1, 2) for part in problem)


def _verdict(outcome: Outcome, adjusted: float, trusted: bool, delta: float, alpha: float) -> str:
    if np.isnan(outcome.defect):
        return "no coverage"
    if not trusted:
        return "class rejected"
    if adjusted <= alpha:
        return "certified"
    return "refuted" if outcome.low > delta else "not refuted"


def _check(delta: float, alpha: float) -> None:
    for what, value in (("delta", delta), ("alpha", alpha)):
        if not 0 < value < 1:
            raise InputError(
                explain(
                    f"{what} lies between 0 and 1.",
                    given=f"{what} = {value}",
                    expected=f"0 < {what} < 1",
                    fix=f"{what}=0.05",
                )
            )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) or np.isfinite(value) else str(value)


__all__ = ["DiscreteTest", "ElementTest", "test_elements"]
