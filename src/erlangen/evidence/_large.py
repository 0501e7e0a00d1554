"""Certificates where tensors over all candidates and parameters would not fit: the nearly null ones are looked at."""

from __future__ import annotations

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.derivative import LieDerivative, scales_of
from erlangen.evidence._families import CHOOSING
from erlangen.evidence._lean import Lean, lean_forms
from erlangen.evidence._task import Answer, Task
from erlangen.evidence.estimate import Estimate
from erlangen.evidence.simultaneous import Nested
from erlangen.verbs.discover import solve

MOST_COLUMNS = 4_000
"""Candidates times parameters up to which tensors are used: their triangular factor has 128 MB."""

MOST_GENERATORS = 300
"""Generators that are bounded together."""

MOST_NEAR = 64
"""Directions that are looked at where none was named: bounds add up, and seldom hold for more."""

NEAR = 2.0
"""Directions with an estimated defect up to this many times delta are looked at; others have no chance."""


def large_answer(task: Task, mode: str) -> tuple[Answer, Lean]:
    """Certify the directions whose estimated defects come near delta."""
    if mode == "held-out":
        parts = task.parts(CHOOSING)
        first, fit = task.point(parts[0]), task.fit(parts[1])
        radius, rows = fit.quantile(task.alpha), f"chosen on {len(parts[0])} rows, tested on the other {len(parts[1])}"
    elif mode == "simultaneous":
        first = fit = task.fit(task.data)
        radius, rows = fit.radius(task.alpha), f"one confidence set from {len(task.data)} rows"
    else:
        raise UndecidedError(
            explain(
                "This problem is too large for simulations.",
                given=f"{task.action.n_generators} candidates, {task.family.n_params} parameters",
                expected=f"at most {MOST_COLUMNS} candidates times parameters",
                fix='mode="held-out"',
            )
        )
    basis = task.named.T if task.named is not None else _near(task, first.theta)
    lean = _forms(task, basis, first.theta)
    answer = lean_answer(lean, fit, radius, task.delta, mode, f"{rows}: {_claim(task.alpha, fit)}")
    return answer, lean


def lean_answer(lean: Lean, fit: Estimate, radius: float, delta: float, mode: str, guarantee: str) -> Answer:
    """The answer from forms of single generators."""
    upper = lean.upper(fit, radius)
    path = Nested(lean.basis, lean.defects(fit.theta), np.zeros(len(upper)), upper, lean.basis[:, :0])
    return Answer(
        *path.certified(delta),
        path,
        fit,
        mode,
        guarantee,
        fit.assumptions,
        float("nan"),
        mode == "simultaneous",
        1,
        (f"{len(upper)} directions near delta were bounded, generator by generator; others were not looked at",),
        False,
    )


def _claim(alpha: float, fit: Estimate) -> str:
    law = "exactly, in finite samples" if fit.exact else "asymptotically"
    return f"the probability that anything false is certified is at most {alpha:g}, {law}"


def _near(task: Task, theta: NDArray) -> NDArray:
    """Directions with small estimated defects, by the same pass over the samples that discovery takes."""
    lie = LieDerivative(task.family.with_theta(theta), task.action, task.samples)
    found = solve(lie, scales_of(lie.field, lie.lifted, lie.samples))
    near = int(np.sum(found.values <= NEAR * task.delta))
    if near == 0:
        raise UndecidedError(
            f"No candidate has an estimated defect below {NEAR * task.delta:g}: none can be certified."
        )
    return found.basis(min(near, MOST_NEAR))


def _forms(task: Task, basis: NDArray, theta: NDArray) -> Lean:
    lie = LieDerivative(task.family.with_theta(theta), task.action, task.samples)
    scales = scales_of(lie.field, lie.lifted, lie.samples)
    return lean_forms(task.family, task.action, basis, task.samples, scales, theta)
