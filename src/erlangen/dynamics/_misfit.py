"""What data say of a correction h to a model: linear equations for its coefficients, about a first guess.

Two sources: windows of runs in weak form, where f is known and runs are long; and steps between neighbouring samples,
x' - M(x), where the model is a solver or there are only pairs. The second is linearised through the composed step, so
that its solution is free of the O(dt) of plain increments (x' - M(x)) / dt.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.dynamics._imperfect import OneStep, RightHandSide
from erlangen.dynamics._library import Candidates
from erlangen.dynamics._support import log_uncertainty
from erlangen.dynamics._windows import HALF_WIDTHS, Rows, differences_jacobian, noise_levels, weak_rows
from erlangen.fields.trajectories import Increments, Run, Trajectories

PROBED = 4000
"""Samples from which the width of windows is chosen: more of them choose the same."""

STRETCHES = 20
"""Stretches of steps that count as blocks of their own."""

SETTLED = 1e-9
"""Relative change of coefficients at which iterations end: below any error that data leave."""

MOST = 12
"""Iterations; each squares the error, so that more are never needed where any help."""


class AbstractMisfit(ABC):
    """Equations for the coefficients theta ``(q,)`` of h."""

    @abstractmethod
    def rows(self, theta: NDArray, columns: NDArray) -> Rows:
        """Whitened equations for z, theta = columns @ z, linearised about theta."""

    @property
    @abstractmethod
    def reason(self) -> str:
        """Where the equations are from."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """What a row of size one means, in words."""

    @property
    @abstractmethod
    def linear(self) -> bool:
        """Whether equations are linear in theta, so that only their weights depend on it."""

    @property
    @abstractmethod
    def points(self) -> NDArray:
        """States ``(n, d)``, the measure in which parts of h are compared."""


@dataclass(frozen=True, eq=False)
class WeakMisfit(AbstractMisfit):
    """Windows of runs."""

    family: Candidates
    model: RightHandSide
    flow: Trajectories
    noise: NDArray
    half_width: int

    @property
    def unit(self) -> str:
        return "noise levels"

    @property
    def linear(self) -> bool:
        return True

    @property
    def points(self) -> NDArray:
        return self.flow.points

    @property
    def reason(self) -> str:
        return f"weak form on windows of {2 * self.half_width + 1} samples"

    def rows(self, theta: NDArray, columns: NDArray) -> Rows:
        x = self.flow.points
        whole = corrected(self.model, self.family, theta)
        found = weak_rows(
            self.flow, self.model.value(x), functions(self.family, x), differences_jacobian(whole, x), self.noise,
            self.half_width,
        )  # fmt: skip
        if found is None:
            raise _too_short(self.flow)
        return replace(found, design=found.design @ columns)


@dataclass(frozen=True, eq=False)
class StepMisfit(AbstractMisfit):
    """Steps between samples."""

    family: Candidates
    model: RightHandSide | OneStep
    steps: Increments
    parts: int

    @property
    def unit(self) -> str:
        return "errors of a step"

    @property
    def linear(self) -> bool:
        return False

    @property
    def points(self) -> NDArray:
        return self.steps.start

    @property
    def reason(self) -> str:
        return (
            f"{len(self.steps.start)} steps between samples, each in {self.parts} part{'s' if self.parts > 1 else ''}"
        )

    def rows(self, theta: NDArray, columns: NDArray) -> Rows:
        rest = self.steps.stop - self._after(theta)
        x = self.points
        sizes = np.sqrt(np.mean((functions(self.family, x) ** 2).sum(axis=1))) or 1.0
        span = np.sqrt(np.mean(np.var(x, axis=0))) or 1.0
        eps = np.finfo(np.float64).eps ** (1 / 3) * span / (sizes * float(np.median(self.steps.step)))
        design = np.empty((*rest.shape, columns.shape[1]))
        for j, column in track(enumerate(columns.T), "runs of the solver", columns.shape[1]):
            h = eps / (np.abs(column).max() or 1.0)
            design[:, :, j] = (self._after(theta + h * column) - self._after(theta - h * column)) / (2 * h)
        # The unknown is the whole of theta, so its part in the linearisation is put back.
        about = np.linalg.lstsq(columns, theta, rcond=None)[0]
        weights = 1.0 / _misfit_sizes(rest, design)
        target = (rest + design @ about) * weights
        block = np.repeat(np.arange(len(rest)) * STRETCHES // len(rest), rest.shape[1])
        return Rows((design * weights[:, None]).reshape(rest.size, -1), target.ravel(), block, 0)

    def _after(self, theta: NDArray) -> NDArray:
        h = correction(self.family, theta)
        out = np.empty_like(self.steps.stop)
        for dt, at in _alike(self.steps.step):
            out[at] = self.model.advance(self.steps.start[at], dt, h, self.parts)
        if not np.isfinite(out).all():
            raise UndecidedError(
                explain(
                    "A step of the corrected model is not finite.",
                    given=f"{int((~np.isfinite(out)).any(axis=1).sum())} of {len(out)} steps",
                    expected="finite states",
                    fix="samples that are closer in time, or a library of lower degree",
                )
            )
        return out


def _misfit_sizes(rest: NDArray, design: NDArray) -> NDArray:
    """Error ``(d,)`` of a step in each coordinate, after the best linear fit."""
    flat = design.reshape(rest.size, -1)
    scale = np.sqrt(np.mean(rest**2, axis=0))
    scale = np.where(scale > 0, scale, scale.max() or 1.0)
    each = np.tile(1.0 / scale, len(rest))
    z = np.linalg.lstsq(flat * each[:, None], rest.ravel() * each, rcond=None)[0]
    left = np.sqrt(np.mean((rest - design @ z) ** 2, axis=0))
    return np.maximum(left, np.finfo(np.float64).eps ** 0.75 * scale)


def _alike(step: NDArray) -> list[tuple[float, NDArray]]:
    """Lengths of time, and the steps of each; those that differ by rounding of times are one."""
    digits = np.round(np.log(step) / np.finfo(np.float64).eps ** 0.5).astype(np.int64)
    return [(float(np.mean(step[digits == value])), digits == value) for value in np.unique(digits)]


def functions(family: Candidates, x: NDArray) -> NDArray:
    """Functions ``(n, r)`` of the library."""
    return family.field.features(x)[:, 0, : len(family.texts)]


def correction(family: Candidates, theta: NDArray) -> Callable[[NDArray], NDArray]:
    """The correction as a function."""
    if not theta.any():
        return np.zeros_like
    return family.field.with_theta(theta).value


def corrected(model: RightHandSide, family: Candidates, theta: NDArray) -> Callable[[NDArray], NDArray]:
    """The whole right-hand side."""
    h = correction(family, theta)
    return lambda x: model.value(x) + h(x)


def misfit_of(
    family: Candidates, model: RightHandSide | OneStep, data: Trajectories | Increments, guess: NDArray | None = None
) -> AbstractMisfit:
    """Windows where f is known and some run holds one, else steps; ``guess`` is a first theta, for weights."""
    if isinstance(data, Trajectories) and isinstance(model, RightHandSide):
        widths = [m for m in HALF_WIDTHS if max(len(run.time) for run in data.runs) > 2 * m]
        if widths:
            return _best_width(family, model, data, widths, guess)
    steps = data.increments() if isinstance(data, Trajectories) else data
    if not len(steps.start):
        raise InputError(
            explain("There are no steps.", given="runs of one sample", expected="two samples a run", fix="longer runs")
        )
    parts = model.substeps if isinstance(model, OneStep) else 4
    return StepMisfit(family, model, steps, parts)


def _best_width(
    family: Candidates, model: RightHandSide, flow: Trajectories, widths: list[int], guess: NDArray | None
) -> WeakMisfit:
    """The width of windows from which coefficients are most certain: wide ones are few, narrow ones are noisy."""
    noise = noise_levels(flow)
    few = _some(flow)
    q = family.field.n_params
    x = few.points
    whole = corrected(model, family, np.zeros(q) if guess is None else guess)
    known, library, jacobian = model.value(x), functions(family, x), differences_jacobian(whole, x)
    best, least = widths[0], np.inf
    for half in widths:
        rows = weak_rows(few, known, library, jacobian, noise, half)
        if rows is None or len(rows.target) < 2 * q:
            continue
        uncertain = log_uncertainty(rows.design, rows.target)
        if uncertain < least:
            best, least = half, uncertain
    return WeakMisfit(family, model, flow, noise, best)


def _some(flow: Trajectories) -> Trajectories:
    """The first runs, or the beginning of the first."""
    runs, count = [], 0
    for run in flow.runs:
        n = min(len(run.time), PROBED - count)
        if n < 2 * HALF_WIDTHS[0] + 1:
            continue
        runs.append(Run(run.label, run.time[:n], run.states[:n], None))
        count += n
        if count >= PROBED:
            break
    return Trajectories(tuple(runs), flow.names) if runs else flow


def _too_short(flow: Trajectories) -> UndecidedError:
    return UndecidedError(
        explain(
            "No run is long enough for a window.",
            given=f"runs of at most {max(len(run.time) for run in flow.runs)} samples without a gap",
            expected=f"{2 * HALF_WIDTHS[0] + 1} samples in a row",
            fix="longer runs, or fit(trajectories.increments()), which asks for steps only",
        )
    )
