"""Certificates of what discover found: the cheapest that is honest for the field at hand."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from erlangen._errors import ErlangenError, InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.derivative import LieDerivative
from erlangen.evidence._copies import spread_of_copies
from erlangen.evidence._families import degree_of
from erlangen.evidence._large import MOST_GENERATORS, lean_answer
from erlangen.evidence._lean import Lean, lean_forms
from erlangen.evidence._measured import AbstractMeasured, ByGenerators, ByTensors
from erlangen.evidence._modes import simultaneous_answer
from erlangen.evidence._report import moved_gates, region_text, written
from erlangen.evidence._task import Answer
from erlangen.evidence.bilinear import bilinear
from erlangen.evidence.certificate import Band, Bound, Certificate, Gate
from erlangen.evidence.estimate import Estimate
from erlangen.evidence.simultaneous import simultaneous, upper_of
from erlangen.fields.bases import BasisField, Joined, Monomials, Pulled
from erlangen.fields.table import FittedField
from erlangen.verbs._measure import interval

if TYPE_CHECKING:
    from erlangen.verbs.symmetry import Symmetry

MOST_CANDIDATES = 64
"""Candidates up to which the whole band is made; beyond, only what was found is bounded."""

MOST_LEAN_PARAMETERS = 600
"""Parameters up to which a matrix for each generator is made."""

MOST_PARAMETERS = 300
"""Parameters up to which extremes over their set are found in less time than the discovery took."""


def certificate_or_reason(sym: Symmetry) -> tuple[Certificate | None, str]:
    """The default certificate of a symmetry; None and why, in a few words, where there is none to be had."""
    try:
        return certify_symmetry(sym, 0.05, _delta(sym), None, np.random.default_rng(0)), ""
    except ErlangenError as error:
        first = str(error).splitlines()[0].rstrip(".")
        return None, first[:1].lower() + first[1:]


def certify_symmetry(
    sym: Symmetry, alpha: float, delta: float, mode: str | None, rng: np.random.Generator
) -> Certificate:
    """Certify what discover found."""
    if sym.lie is None:
        raise UndecidedError(
            explain(
                "Nothing is left to certify with.",
                given="a symmetry read from a file",
                expected="what discover returned, or observations",
                fix="er.evidence.certify((x, y), sym.action, samples)",
            )
        )
    field = sym.lie.field
    if not isinstance(field, FittedField):
        return _of_model(sym, alpha, delta, mode, rng)
    if mode in (None, "simultaneous"):
        return _of_table(sym, field, alpha, delta)
    if mode == "model":
        return _of_model(sym, alpha, delta, mode, rng)
    return _again(sym, field, alpha, delta, mode, rng)


def _of_model(sym: Symmetry, alpha: float, delta: float, mode: str | None, rng: np.random.Generator) -> Certificate:
    from erlangen.evidence.model_claims import TESTING, unconfirmed

    if mode not in (None, "model"):
        raise InputError(
            explain(
                "This symmetry was found in a model, which has no noise to test against.",
                given=f"mode = {mode!r}",
                expected="mode='model', or the observations",
                fix=f'er.evidence.certify((x, y), sym.candidates, samples, mode="{mode}")',
            )
        )
    lie = sym.lie
    assert lie is not None
    rows = sym.generators
    if len(rows) == 0:
        raise UndecidedError("No generator was found beside the field itself, so there is none to certify.")
    field, action, samples = lie.field, lie.action, lie.samples.local
    start = time.perf_counter()
    if samples.measure is None:
        return replace(_on_points(sym, alpha, delta), seconds=time.perf_counter() - start)
    found = unconfirmed(field, action, samples, rows, alpha, delta, TESTING, None, sym.coordinates, rng)
    gates = (*found.gates, *moved_gates(sym.found))  # discover has moved the points already
    return replace(found, gates=gates, seconds=time.perf_counter() - start)


def _on_points(sym: Symmetry, alpha: float, delta: float) -> Certificate:
    """Where the region is the given points, defects on it are computed: nothing is left to estimate."""
    bounds = []
    for g, (low, high) in zip(sym.found.generators, sym.intervals, strict=True):
        verdict = "certified" if high <= delta else "refuted" if low > delta else "not refuted"
        words = f"computed on the points: between {low:.2g} and {high:.2g}, by the accuracy of the derivative"
        bounds.append(Bound(g.xi, sym.describe(g.xi), g.defect, float(low), float(high), verdict, words))
    low, high = interval(sym.spectrum, sym.floor)
    own = [
        Bound(g.xi, sym.describe(g.xi), g.defect, 0.0, g.defect + sym.floor, g.verdict, g.reason) for g in sym.found.own
    ]
    return Certificate(
        dim=sum(b.verdict == "certified" for b in bounds),
        bounds=tuple(sorted(bounds, key=lambda b: b.verdict != "certified")),
        band=Band(sym.spectrum, low, high),
        alpha=alpha,
        delta=delta,
        mode="model",
        guarantee="a claim about the model at the given points, where its defect is computed and not estimated; of "
        "what lies between them nothing is said",
        assumptions=("the model is what is claimed about: a truth behind it needs data (mode class-free)",),
        gates=moved_gates(sym.found),
        trivial=tuple(own),
        region=region_text(sym.lie.samples.local, sym.coordinates) if sym.lie is not None else "",
        candidates=sym.candidates,
        coordinates=sym.coordinates,
    )


def _again(
    sym: Symmetry, field: FittedField, alpha: float, delta: float, mode: str, rng: np.random.Generator
) -> Certificate:
    """Certify the table itself, from its rows."""
    from erlangen.evidence.certify import certify

    if field.targets is None or field.labels is not None:
        raise UndecidedError("The rows of labelled tables cannot be certified; only the fit of their log-odds can.")
    degree, lie = degree_of(field), sym.lie
    assert lie is not None
    return certify(
        (field.points, field.targets),
        lie.action,
        lie.samples.local,
        family=None if mode == "class-free" else degree,
        alpha=alpha,
        delta=delta,
        mode=mode,
        kind=field.kind,
        names=sym.coordinates,
        rng=rng,
    )


def _of_table(sym: Symmetry, field: FittedField, alpha: float, delta: float) -> Certificate:
    """Bounds from the confidence set of the fitted coefficients."""
    start = time.perf_counter()
    family, fit = law_of(field)
    copied = None
    if field.targets is not None and field.labels is None:
        fit, copied = spread_of_copies(fit, field.points, field.targets)
    lie = sym.lie
    assert lie is not None
    rows = sym.found.matrix().reshape(-1, lie.action.n_generators)
    if lie.action.n_generators <= MOST_CANDIDATES and len(fit.theta) <= MOST_PARAMETERS:
        both = bilinear(family, lie.action, lie.samples.local, scales=sym.scales)
        answer = simultaneous_answer(both, fit, alpha, delta, len(field.points), True)
        bound = upper_of(both, fit, rows.T, alpha) if len(rows) else np.inf
        if bound <= delta:  # what discover found, all of it: sorted and confirmed already
            answer = replace(answer, span=rows.T, bound=bound)
        measured: AbstractMeasured = ByTensors(both, answer)
        known = sym.found if bound <= delta else None
    else:
        answer, lean = _large(sym, family, fit, rows, alpha, delta)
        measured, known = ByGenerators(lean, answer), sym.found if answer.span.shape[1] == len(rows) else None
    names = sym.coordinates or coordinate_names(lie.action.point_dim)
    gates = (*(() if copied is None else (copied,)), _fit_gate(field))
    return written(lie, measured, answer, gates, names, alpha, delta, time.perf_counter() - start, known)


def _large(
    sym: Symmetry, family: BasisField, fit: Estimate, rows: NDArray, alpha: float, delta: float
) -> tuple[Answer, Lean]:
    """What was found, generator by generator."""
    if not 0 < len(rows) <= MOST_GENERATORS or len(fit.theta) > MOST_LEAN_PARAMETERS:
        raise UndecidedError(f"{len(rows)} generators over {len(fit.theta)} parameters are not certified by default.")
    assert sym.lie is not None
    lean = lean_forms(family, sym.lie.action, rows.T, sym.lie.samples.local, sym.scales, fit.theta)
    words = (
        f"one confidence set of all parameters: with probability {1 - alpha:g} every bound in this certificate holds, "
        "asymptotically"
    )
    return lean_answer(lean, fit, fit.radius(alpha), delta, "simultaneous", words), lean


def upper_bounds(lie: LieDerivative, alpha: float) -> NDArray:
    """Upper bounds of the worst defects in the spans of the smallest ones, for a field fitted to a table.

    Raises
    ------
    UndecidedError
        Where the field has no coefficients of known law, or too many candidates or parameters.
    """
    if not isinstance(lie.field, FittedField):
        raise UndecidedError("Only fields that were fitted to a table have coefficients of a known law.")
    family, fit = law_of(lie.field)
    if lie.action.n_generators > MOST_CANDIDATES or len(fit.theta) > MOST_PARAMETERS:
        raise UndecidedError(f"{lie.action.n_generators} candidates over {len(fit.theta)} parameters are too many.")
    return simultaneous(bilinear(family, lie.action, lie.samples.local), fit, alpha).upper


def _fit_gate(field: FittedField) -> Gate:
    chosen = next(row for row in field.classes if row.chosen)
    return Gate("lack of fit", field.verdict != "rejected", chosen.lack_of_fit, 0.05, field.reason)


def law_of(field: FittedField) -> tuple[BasisField, Estimate]:
    """The class of a fitted table over x, and its coefficients with their law.

    Raises
    ------
    UndecidedError
        Where the class has no coefficients with a known covariance: Gaussian processes, networks.
    """
    if field.error_root is None or not isinstance(field.model, BasisField):
        raise UndecidedError(
            explain(
                "This class of model has no coefficients whose covariance is known.",
                given=f"a table fitted by {next(row.name for row in field.classes if row.chosen)}",
                expected="polynomials or another basis",
                fix='er.evidence.certify((x, y), action, samples, mode="class-free")',
            )
        )
    span, c = field.span, field.value_dim
    pulled = Pulled(field.model.basis, span.matrix, -span.matrix @ span.mean)
    constant = Monomials(np.zeros((1, field.point_dim), dtype=np.int64))
    family = BasisField(Joined((pulled, constant)), np.zeros((c, pulled.size + 1)), field.kind)
    theta = np.hstack([field.scale[:, None] * field.model.coefficients, field.offset[:, None]])
    root, noise = field.error_root
    wide = np.vstack([root, np.zeros((1, root.shape[1]))])
    rank = root.shape[1]
    dof = c * (len(field.points) - rank)
    law = "noise is independent and Gaussian, with one covariance in all rows"
    if field.labels is not None:
        law = "labels are independent given the points, and there are many (maximum likelihood)"
    return family, Estimate(
        theta.ravel(),
        np.kron(field.scale[:, None] * noise, wide),
        float(dof) if field.labels is None else np.inf,
        False,
        field.noise,
        (
            "the true function lies in the class that was chosen",
            "points are known without error: all noise is in the values",
            law,
        ),
        _unseen(field, c, rank),
    )


def _unseen(field: FittedField, c: int, rank: int) -> NDArray:
    """Directions of the coefficients that no row determined: none, since classes are kept smaller than their data."""
    assert isinstance(field.model, BasisField)
    return np.zeros((c * (field.model.basis.size + 1), 0))


def _delta(sym: Symmetry) -> float:
    return sym.measurement.delta if sym.measurement is not None else 0.05
