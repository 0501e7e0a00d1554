"""The modes of a certificate for linear classes: which rows choose, which test, and with which radius."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from erlangen._errors import UndecidedError
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction
from erlangen.derivative import Samples
from erlangen.evidence._families import CHOOSING
from erlangen.evidence._task import Answer, Task
from erlangen.evidence.bilinear import Bilinear, spectrum_of
from erlangen.evidence.calibrated import calibrate, calibrated
from erlangen.evidence.estimate import Estimate
from erlangen.evidence.heldout import held_out, span_bound
from erlangen.evidence.simultaneous import Nested, lower_bounds, simultaneous

DIRECTING = 0.1
"""Share of rows that choose, or only say in which direction the denominator of named generators is measured."""

ROWS_PER_PARAMETER = 3
"""Rows for each parameter of a channel, without which that direction would be noise."""


def choosing(n: int, both: Bilinear, c: int) -> float:
    """Share of n rows with c channels that choose: a tenth, or so many that every parameter has its rows."""
    return min(max(DIRECTING, ROWS_PER_PARAMETER * both.n_params / (c * n)), CHOOSING)


def by_held_out(task: Task, both: Bilinear) -> Answer:
    """One part chooses, the other tests; named generators are tested on all rows."""
    if task.named is not None:
        return _named(task, both)
    parts = task.parts(
        CHOOSING if task.data.groups is not None else choosing(len(task.data), both, task.data.y.shape[1])
    )
    first, second = task.point(parts[0]), task.fit(parts[1])
    found = held_out(both, first, second, task.delta, task.alpha, unit_sizes(task.action, task.samples))
    span = found.span
    bound = span_bound(both, first, second, span, second.quantile(task.alpha / 2))
    path = _with_lower(found.path, both, second, task.alpha)
    law = _law(task, second)
    return Answer(
        span,
        bound,
        path,
        second,
        "held-out",
        f"chosen on {len(parts[0])} rows and tested on the other {len(parts[1])}: the probability that anything false "
        f"is certified at delta = {task.delta:g} is at most {task.alpha:g}, {law}; each bound holds so for itself",
        _premises(task, second),
        float("nan"),
        False,
        2,
        chooser=_choosers_error(first, second, len(parts[1]) / len(parts[0])) if found.plain else None,
    )


def _choosers_error(first: Estimate, second: Estimate, times: float) -> NDArray:
    """Root of the error of the estimate that chose, from fewer rows than test.

    It has one for independent noise of its own; rows that depend on each other show in the other part, of so many times
    more rows. The larger of the two is taken.
    """
    return max(first.root, np.sqrt(times) * second.root, key=lambda root: float(np.linalg.norm(root)))


def unit_sizes(action: AbstractAction, samples: Samples) -> NDArray:
    """Factors ``(p,)`` of coefficients when coordinates are divided by their common size: a translation by its inverse.

    One size for all coordinates, so that a rotation stays what it is. Generators of mixed degree keep theirs.
    """
    size = float(np.exp(np.mean(np.log(np.where(samples.std > 0, samples.std, 1.0)))))
    if not isinstance(action, PolynomialAction):
        return np.ones(action.n_generators)
    degree = action.exponents.sum(axis=1)
    used = np.abs(action.coefficients).max(axis=1) > 0
    low = np.where(used, degree, degree.max(initial=0)).min(axis=1, initial=degree.max(initial=0))
    high = np.where(used, degree, 0).max(axis=1, initial=0)
    return np.where(low == high, size ** (high - 1.0), 1.0)


def _named(task: Task, both: Bilinear) -> Answer:
    """Generators named beforehand: as they come, then all of them together, in a fixed sequence.

    A small part of the rows says only in which direction the denominator is measured; the others test.
    """
    assert task.named is not None
    span = np.linalg.qr(task.named.T)[0]
    parts = task.parts(choosing(len(task.data), both, task.data.y.shape[1]))
    first, second = task.point(parts[0]), task.fit(parts[1])
    t, upper = second.quantile(task.alpha), np.full(span.shape[1], np.inf)
    for d in range(1, span.shape[1] + 1):
        upper[d - 1] = span_bound(both, first, second, span[:, :d], t)
        if upper[d - 1] > task.delta:
            break
    defects = np.array([both.worst(span[:, :d], second.theta) for d in range(1, span.shape[1] + 1)])
    path = Nested(span, defects, np.zeros(len(upper)), np.maximum.accumulate(upper), span[:, :0])
    law = _law(task, second)
    return Answer(
        *path.certified(task.delta),
        path,
        second,
        "held-out",
        f"generators named beforehand, tested on {len(parts[1])} rows: the probability that anything false is "
        f"certified at delta = {task.delta:g} is at most {task.alpha:g}, {law}",
        ("the generators were named without looking at these data", *_premises(task, second)),
        float("nan"),
        False,
        2,
        complete=False,
    )


def _law(task: Task, fit: Estimate) -> str:
    law = "exactly, in finite samples" if fit.exact else "asymptotically, one contrast at a time"
    return law if task.chosen_on is None else f"{law}, where the class that was chosen holds the truth"


def _premises(task: Task, fit: Estimate) -> tuple[str, ...]:
    """Assumptions; that the data chose the class comes first."""
    if task.chosen_on is None:
        return fit.assumptions
    first = (
        f"the class, of {task.family.n_params} parameters, was chosen by rows that do not test: gates may miss what it "
        "lacks, and then no level holds; name it (family=) where you know it"
    )
    return (first, *fit.assumptions)


def by_simultaneous(task: Task, both: Bilinear) -> Answer:
    """One confidence set for all directions."""
    fit = task.fit(task.data)
    return simultaneous_answer(both, fit, task.alpha, task.delta, len(task.data), task.chosen_on is not None)


def simultaneous_answer(both: Bilinear, fit: Estimate, alpha: float, delta: float, n: int, chosen: bool) -> Answer:
    """The simultaneous certificate of an estimate from n rows."""
    path = simultaneous(both, fit, alpha)
    law = "exactly, in finite samples" if fit.exact else "asymptotically"
    return Answer(
        *path.certified(delta),
        path,
        fit,
        "simultaneous",
        f"one confidence set of all parameters from {n} rows: with probability {1 - alpha:g} every bound in this "
        f"certificate holds, for every generator and every delta at once, {law}",
        (*_same_rows(chosen), *fit.assumptions),
        fit.radius(alpha),
        True,
        1,
    )


def _same_rows(chosen: bool) -> tuple[str, ...]:
    """What is assumed where the rows that test chose the class too."""
    return ("the class was chosen by the same rows: this is not accounted for",) if chosen else ()


def by_calibrated(task: Task, both: Bilinear) -> Answer:
    """All rows, with a radius found by simulation."""
    fit = task.fit(task.data)
    found = calibrate(both, fit, task.delta, task.alpha, rng=task.rng)
    path = calibrated(both, fit, found)
    worst = max(found.rates, key=lambda rate: rate[1])
    note = (
        f"radius {found.radius:.3g} in place of {found.outer:.3g}; of {found.draws} draws from each of "
        f"{len(found.rates)} null models at most {100 * worst[1]:.2g} % were certified falsely ({worst[0]})"
    )
    return Answer(
        *path.certified(task.delta),
        path,
        fit,
        "calibrated",
        f"all {len(task.data)} rows choose and test, with a radius from simulations at the edge of delta: the "
        f"probability of a false certificate is about {task.alpha:g} or less, asymptotically and not in finite samples",
        (
            *_same_rows(task.chosen_on is not None),
            "the null models contain one that is as bad as the truth",
            *fit.assumptions,
        ),
        float("nan"),
        False,
        found.draws * len(found.rates),
        (note,),
    )


def _with_lower(path: Nested, both: Bilinear, fit: Estimate, alpha: float) -> Nested:
    """The same path with bounds from below, from the simultaneous set of the rows that test."""
    lower = _lower_of(both, fit, alpha)
    out = np.zeros(len(path.defects))
    out[: len(lower)] = lower[: len(out)]
    return Nested(path.basis, path.defects, out, path.upper, path.silent)


def _lower_of(both: Bilinear, fit: Estimate, alpha: float) -> NDArray:
    try:
        radius = fit.radius(alpha)
    except UndecidedError:  # few groups have no simultaneous set: nothing is refuted
        return np.zeros(0)
    return lower_bounds(both, fit, spectrum_of(both, fit.theta), radius)


MODES: dict[str, Callable[[Task, Bilinear], Answer]] = {
    "held-out": by_held_out,
    "simultaneous": by_simultaneous,
    "calibrated": by_calibrated,
}
