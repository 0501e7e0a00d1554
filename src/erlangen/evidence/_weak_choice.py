"""Choosing generators by weak moments, on rows that will not test them.

A model's own defect is mostly its own error. The moments of the rows are unbiased, and what noise adds to their squares
is known and taken out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.derivative import Samples, Scales, scales_of
from erlangen.derivative.measures import AbstractMeasure
from erlangen.evidence._density import AbstractDesign
from erlangen.evidence._moments import WeakProblem
from erlangen.evidence._weak_task import FINE, Average, crossfitted, functions_for, standing
from erlangen.evidence.heldout import snapped
from erlangen.evidence.observed import Observed
from erlangen.fields import lift
from erlangen.linalg.qr import rounding
from erlangen.verbs._basis import readable_generators

FOLDS = 3
"""Folds of the rows that choose."""

REACH = 3.0
"""Directions whose estimated defect is up to so many times delta go to the test."""

WITHIN = 2.0
"""Standard errors within which simpler numbers are as good."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Estimated squared defects of all candidates as a form, with what noise put into it.

    Attributes
    ----------
    excess : ndarray (p, p)
        Estimated form of squared defects: that of the moments less its expected noise.
    noise : ndarray (p, p)
        Expected noise.
    size : ndarray (p, p)
        Form of what an unrelated direction gives.
    """

    excess: NDArray
    noise: NDArray
    size: NDArray

    def directions(self) -> tuple[NDArray, NDArray]:
        """Estimated defects ``(r,)``, ascending, and directions ``(p, r)`` of unit size."""
        l, q = np.linalg.eigh(self.size)
        keep = l > rounding(self.size.shape) * max(float(l[-1]), np.finfo(float).tiny)
        frame = q[:, keep] / np.sqrt(l[keep])
        values, v = np.linalg.eigh(frame.T @ self.excess @ frame)
        return np.sqrt(np.maximum(values, 0.0)), frame @ v

    def defect(self, xi: NDArray) -> tuple[float, float]:
        """Estimated defect of one generator, and the noise in it."""
        size = max(float(xi @ self.size @ xi), np.finfo(float).tiny)
        return float(np.sqrt(max(xi @ self.excess @ xi, 0.0) / size)), float(np.sqrt(xi @ self.noise @ xi / size))


def chosen_generators(
    data: Observed,
    action: AbstractAction,
    region: AbstractMeasure | None,
    model: Any,
    design: AbstractDesign,
    delta: float,
    degree: int | None,
    rng: np.random.Generator,
) -> NDArray:
    """Generators ``(r, p)`` of small estimated defect, those that stand apart first; at least one."""
    labels, models = crossfitted(data, region, model, FOLDS, rng)
    average = Average(tuple(models))
    lifted, points = lift(average, action), Samples.from_data(data.x) if region is None else standing(region)
    scales = scales_of(average, lifted, points)
    problem = WeakProblem(lifted, scales, *(functions_for(data.x, region, degree, more) for more in (0, FINE)))
    parts = []
    for k, field in enumerate(models):
        law, here = design.law(data.x[labels != k]), labels == k
        parts.append(problem.fold(field, law, data.x[here], data.y[here]))
    rows = np.concatenate([part.moments for part in parts])
    centred = np.concatenate([part.moments - part.moments.mean(axis=0) for part in parts])
    flat = centred.reshape(-1, centred.shape[2])
    mean, noise = rows.mean(axis=0), flat.T @ flat / len(rows) ** 2
    choice = Choice(mean.T @ mean - noise, noise, np.mean([part.model for part in parts], axis=0))
    return _listed(choice, action, points, scales, delta)


def _listed(choice: Choice, action: AbstractAction, points: Samples, scales: Scales, delta: float) -> NDArray:
    values, vectors = choice.directions()
    noise = np.array([choice.defect(v)[1] for v in vectors.T])
    count = max(1, int(np.sum(values <= REACH * delta)))
    lifted = np.hypot(values, noise)
    ratios = [lifted[d] / lifted[d - 1] if d < len(lifted) else 1.0 / lifted[d - 1] for d in range(1, count + 1)]
    apart = int(np.argmax(ratios)) + 1
    first = _simple(choice, action, vectors[:, :apart], values[apart - 1], noise[apart - 1], lifted, points, scales)
    first = sorted(first, key=lambda xi: choice.defect(xi)[0])
    return np.array([*first, *vectors[:, apart:count].T])


def _simple(
    choice: Choice,
    action: AbstractAction,
    basis: NDArray,
    value: float,
    noise: float,
    lifted: NDArray,
    points: Samples,
    scales: Scales,
) -> list[NDArray]:
    """The same span in simpler numbers, where these rows do not speak against them."""
    allowed = float(np.hypot(value, WITHIN * noise))
    rounded = snapped(basis)
    if rounded is not None and all(choice.defect(xi)[0] <= allowed for xi in rounded.T):
        return list(rounded.T)
    following = float(lifted[basis.shape[1]]) if basis.shape[1] < len(lifted) else 1.0

    def cost(simple: NDArray, exact: NDArray) -> tuple[float, float]:
        return choice.defect(simple)[0], float(np.hypot(choice.defect(exact)[0], WITHIN * noise))

    error = float(np.hypot(value, noise)) / max(following, np.finfo(float).tiny)
    return readable_generators(action, basis, error, points.mean, scales.points, cost)
