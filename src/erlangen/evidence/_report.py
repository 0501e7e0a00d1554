"""From an answer to a certificate: readable generators, what is set apart, gates, the band, words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np

from erlangen._render import number
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.derivative import BoxMeasure, GaussianMeasure, LieDerivative, Samples, scales_of
from erlangen.derivative.scales import Scales
from erlangen.evidence._measured import AbstractMeasured
from erlangen.evidence._neighbour_gate import SIGNIFICANT, neighbours, rounding_of
from erlangen.evidence._task import Answer, Task
from erlangen.evidence.certificate import Band, Bound, Certificate, Gate
from erlangen.evidence.gates import closure, data_gates, split_trivial
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.bases import BasisField
from erlangen.verbs._sort import Cluster, Found, Generator, sort_directions

SURELY = 3.0
"""Standard errors within which a coefficient may be written as a simple number: it is shown so, and bounded so."""

SLOPES = 256
"""Points at which the error of slopes is averaged."""

SHOWN_DIGITS = 3
"""Digits of directions that are listed but not certified: their coefficients are not known better."""

NEGLIGIBLE = 1e-9
"""Relative change of a generator that no bound of two digits sees."""

MOST_CLOSED = 40
"""Generators up to which all brackets are compared with their span."""

UNDECIDED_SHOWN = 6
"""Directions that are listed beyond the certified ones."""


def report(task: Task, measured: AbstractMeasured, answer: Answer, seconds: float) -> Certificate:
    """Write a certificate."""
    fitted = task.family.with_theta(answer.fit.theta)
    data = task.data
    gates = data_gates(
        task.family,
        task.action,
        data.x,
        data.y,
        task.samples,
        delta=task.delta,
        noise=task.noise,
        weights=data.weights,
        groups=data.groups,
    )
    gates = _stricter(gates, task, fitted)
    names = data.names or coordinate_names(data.x.shape[1])
    lie = LieDerivative(fitted, task.action, task.samples)
    return written(lie, measured, answer, gates, names, task.alpha, task.delta, seconds)


def _stricter(gates: tuple[Gate, ...], task: Task, fitted: AbstractLinearField) -> tuple[Gate, ...]:
    """Compare neighbours too; where the data chose the class, ask it to pass at the level of the claim itself."""
    level = SIGNIFICANT if task.chosen_on is None else task.alpha
    x, y = task.data.x, task.data.y
    floor = rounding_of(fitted, x, y)
    near = neighbours(x, y - fitted.value(x), alpha=level, noise=task.noise, groups=task.data.groups, floor=floor)
    out = []
    for gate in (*gates, replace(near, name="lack of fit between neighbours")):
        if gate.name == "lack of fit" and task.chosen_on is not None and gate.passed and gate.value < level:
            words = f"the class was chosen by the data, and larger ones explain more (p = {number(gate.value, 2)})"
            gate = replace(gate, passed=False, limit=level, reason=f"{words}; more rows, or family=")
        out.append(gate)
    return tuple(out)


def written(
    lie: LieDerivative,
    measured: AbstractMeasured,
    answer: Answer,
    gates: tuple[Gate, ...],
    names: tuple[str, ...],
    alpha: float,
    delta: float,
    seconds: float,
    known: Found | None = None,
) -> Certificate:
    """Sort the certified span as discover does (unless that is ``known``), bound each generator, look at the gates."""
    scales = scales_of(lie.field, lie.lifted, lie.samples)
    rejected = next((g for g in gates if g.binding and not g.passed), None)
    rest, trivial = _split(lie, scales, answer, delta, names) if known is None else (answer.span, ())
    found = _sorted(_rough(lie, answer, scales), scales, rest, measured, delta) if known is None else known
    shown = _Words(measured, answer, delta, lie.action.describe, names)
    certified = [shown.certified(g.xi, rejected) for g in found.generators]
    refused = [shown.refused(g.xi, g.reason) for g in found.refused]
    uncovered = [shown.uncovered(g.xi, g.reason) for g in found.uncovered]
    own = tuple(replace(shown.certified(g.xi, None), reason=g.reason) for g in found.own)
    gates = (*gates, *_generator_gates(lie, measured, found, scales))
    path = answer.path
    return Certificate(
        0 if rejected else len(certified),
        (*certified, *refused, *uncovered, *shown.beyond(answer.span.shape[1])),
        Band(path.defects, path.lower, path.upper, answer.simultaneous, answer.complete),
        alpha,
        delta,
        answer.mode,
        answer.guarantee,
        answer.assumptions,
        gates,
        (*(replace(b, **shown.limits(b.xi)) for b in trivial), *own),
        region_text(lie.samples.local, names),
        lie.action,
        names,
        answer.notes,
        seconds,
        answer.refits,
    )


def _split(
    lie: LieDerivative, scales: Scales, answer: Answer, delta: float, names: tuple[str, ...]
) -> tuple[NDArray, tuple[Bound, ...]]:
    if answer.span.shape[1] == 0:
        return answer.span, ()
    return split_trivial(lie, scales, answer.span, delta, names)


def _sorted(lie: LieDerivative, scales: Scales, rest: NDArray, measured: AbstractMeasured, delta: float) -> Found:
    if rest.shape[1] == 0:
        return Found((), (), (), ())
    factors = lie.factors(scales)
    noise = SURELY * measured.noise(rest.T)
    found = sort_directions(lie, scales, factors, [Cluster(rest, noise)], delta, delta / 4)
    if measured.everywhere:  # one set bounds every direction, the rounded ones too
        worst = max((measured.bounds(g.xi)[1] for g in found.generators), default=0.0)
        if worst <= delta:
            return found
    return _inside(found, rest)


def _rough(lie: LieDerivative, answer: Answer, scales: Scales) -> LieDerivative:
    """The same with the error of the fitted slopes: a component that is noise alone cannot be judged by itself."""
    field = lie.field
    if not isinstance(field, (PolynomialField, BasisField)):
        return lie
    few = lie.samples.pointwise().subset(SLOPES)
    spread = np.einsum("ncqa,qr->ncar", field.features_jacobian(few.points), answer.fit.root, optimize=True)
    squares = np.einsum("ncar,a->nc", spread**2, scales.points**2) / len(scales.points)
    error = SURELY * float(np.sqrt((few.weights @ squares / scales.values**2).max()))
    return LieDerivative(replace(field, accuracy=max(field.accuracy, error)), lie.action, lie.samples)


def _inside(found: Found, span: NDArray) -> Found:
    """The same generators within the span that was bounded: a rounded one leaves it, and nothing bounds that one."""
    q = np.linalg.qr(span)[0]

    def kept(one: Generator) -> Generator:
        xi = q @ (q.T @ one.xi)
        same = np.linalg.norm(xi - one.xi) <= NEGLIGIBLE * np.linalg.norm(xi)
        return one if same else replace(one, xi=xi)

    return Found(*(tuple(kept(g) for g in getattr(found, f.name)) for f in fields(found)))


def _generator_gates(lie: LieDerivative, measured: AbstractMeasured, found: Found, scales: Scales) -> tuple[Gate, ...]:
    rows = found.matrix("generators").reshape(-1, lie.action.n_generators)
    if len(rows) == 0:
        return ()
    whole = found.matrix().reshape(-1, lie.action.n_generators)
    if len(whole) > MOST_CLOSED:
        return moved_gates(found)
    closes = closure(lie.action, whole, lie.samples.local, errors=measured.errors(whole), units=scales.points)
    return (*moved_gates(found), replace(closes, binding=False))


def moved_gates(found: Found) -> tuple[Gate, ...]:
    """What moving the points showed: only generators that passed are among those found."""
    shown = [g.confirmation for g in found.generators if g.confirmation is not None]
    if not shown:
        return ()
    parts = np.array([one.components for one in shown])
    worst = float(np.nanmax(parts)) if np.isfinite(parts).any() else 0.0
    residual = max(max(one.residuals) for one in shown)
    nan = float("nan")
    return (
        Gate("components", True, worst, nan, f"each of {parts.shape[1]} components respects the generators by itself"),
        Gate("finite flow", True, residual, nan, "moving the points for finite times confirms the generators"),
    )


class _Words:
    """Bounds of single generators, in numbers and words."""

    def __init__(
        self, measured: AbstractMeasured, answer: Answer, delta: float, describe: Callable, names: tuple[str, ...]
    ) -> None:
        self.measured, self.answer, self.delta = measured, answer, delta
        self.describe, self.names = describe, names

    def certified(self, xi: NDArray, rejected: Gate | None) -> Bound:
        low, high = self.measured.bounds(xi)
        verdict = "certified" if rejected is None else _verdict_of(rejected)
        reason = f"true defect at most {number(high, 2)}" if rejected is None else f"{rejected.name}: {rejected.reason}"
        return self._bound(xi, low, high, verdict, reason)

    def limits(self, xi: NDArray) -> dict[str, float]:
        """Estimate and bounds of a direction that is set apart."""
        low, high = self.measured.bounds(xi)
        return {"defect": self.measured.defect(xi), "low": low, "high": high}

    def refused(self, xi: NDArray, reason: str) -> Bound:
        return self._bound(xi, *self.measured.bounds(xi), "refuted", reason)

    def uncovered(self, xi: NDArray, reason: str) -> Bound:
        return self._bound(xi, *self.measured.bounds(xi), "no coverage", reason)

    def beyond(self, dim: int) -> list[Bound]:
        """The next directions of the path: not refuted, or the first that is."""
        path, out = self.answer.path, []
        for d in range(dim, min(len(path.defects), dim + UNDECIDED_SHOWN)):
            xi, high = path.basis[:, d], float(path.upper[d])
            refuted = path.lower[d] > self.delta
            out.append(
                self._bound(
                    np.round(xi / np.abs(xi).max(), SHOWN_DIGITS),
                    float(path.lower[d]),
                    high,
                    "refuted" if refuted else "not refuted",
                    f"a {d + 1}-dimensional span has a true defect of at least {number(float(path.lower[d]), 2)}"
                    if refuted
                    else _more(high, self.delta),
                )
            )
            if refuted:
                break
        return out

    def _bound(self, xi: NDArray, low: float, high: float, verdict: str, reason: str) -> Bound:
        return Bound(xi, self.describe(xi, self.names), self.measured.defect(xi), low, high, verdict, reason)


def _verdict_of(gate: Gate) -> str:
    return "class rejected" if gate.name.startswith("lack of fit") else "no coverage"


def _more(high: float, delta: float) -> str:
    """How many more rows: bounds shrink as one over the root of their number."""
    if not np.isfinite(high):
        return "not bounded: bounds are sought in order, and one before it was too large, or the data leave it open"
    if high <= delta:
        return "within delta by itself, but not after what comes before it"
    return f"were it exact, about {number(max((high / delta) ** 2, 1.1), 2)} times as many rows would certify it"


def region_text(samples: Samples, names: tuple[str, ...]) -> str:
    """The region in words."""
    measure = samples.measure
    if isinstance(measure, BoxMeasure) and len(names) <= 6:
        parts = [
            f"{n} in [{number(a, 3)}, {number(b, 3)}]" for n, a, b in zip(names, measure.low, measure.high, strict=True)
        ]
        return "uniform, " + ", ".join(parts)
    if isinstance(measure, (BoxMeasure, GaussianMeasure)):
        kind = "uniform on a box" if isinstance(measure, BoxMeasure) else "normal"
        low, high = (number(float(end), 2) for end in (measure.mean.min(), measure.mean.max()))
        return f"{kind} in R^{samples.dim}, means {low} to {high}"
    return f"the {len(samples)} given points, weighted as they are"
