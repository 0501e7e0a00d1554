"""What a page shows of runs: data, smooth, derivatives, solutions of the equations, and what these leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import make_interp_spline

from erlangen._typing import NDArray
from erlangen.dynamics import Equations, Simulation, Smoothed, SmoothedRun
from erlangen.fields.trajectories import Run, Trajectories

MOST_RUNS = 4
"""Runs that are drawn: as many as one still tells apart by colour."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One run, with what smoothing and the equations make of it.

    Attributes
    ----------
    label : str
        Which run.
    data_times, data : ndarray (n,), (n, d)
        Samples as they are.
    times, states, errors : ndarray (m,), (m, d), (m, d)
        The smooth where its derivative is trusted, with standard errors.
    slopes, slope_errors : ndarray (m, d)
        Its time derivatives.
    rates : ndarray (m, d)
        What the equations say there.
    rollout : Simulation
        The solution of the equations from the first smooth state on.
    rest_times, residuals : ndarray (k,), (k, d)
        What the equations leave of the data, and when; see `solved` and `left_over`.
    """

    label: str
    data_times: NDArray
    data: NDArray
    times: NDArray
    states: NDArray
    errors: NDArray
    slopes: NDArray
    slope_errors: NDArray
    rates: NDArray
    rollout: Simulation
    rest_times: NDArray
    residuals: NDArray

    @property
    def misfit(self) -> float:
        """Root mean square distance of the solution to the data, as a share of the spread of the data."""
        apart = self.rollout.states - self.data[np.isin(self.data_times, self.rollout.times)]
        spread = self.data.std(axis=0)
        known = spread > 0
        return float(np.sqrt((apart[:, known] ** 2 / spread[known] ** 2).mean())) if known.any() else 0.0


def chosen(smoothed: Smoothed, most: int = MOST_RUNS) -> list[int]:
    """Positions of a handful of runs, spread over those that are long enough to have derivatives."""
    long = [k for k, run in enumerate(smoothed.runs) if np.count_nonzero(run.keep) > 1]
    return sorted({long[round(at)] for at in np.linspace(0, len(long) - 1, min(most, len(long)))})


@dataclass(frozen=True, eq=False)
class Rest:
    """What fitted solutions leave of a run, in units of the data.

    Attributes
    ----------
    rows : ndarray (m,)
        The samples, in order; where samples were averaged over bins, those in the middle.
    values : ndarray (m, d)
        What is left of them.
    """

    rows: NDArray
    values: NDArray


def solved(model: Any, flow: Trajectories) -> list[Rest] | None:
    """What fitted solutions leave of each run; None where no solutions were fitted, or to other data."""
    rest, noise = getattr(model, "residuals_", None), getattr(model, "noise_", None)
    index = getattr(model, "residual_index_", None)
    if rest is None or noise is None or index is None or not np.isfinite(rest).all():
        return None
    lengths = np.array([len(run.time) for run in flow.runs])
    if index[:, 0].max() >= len(lengths) or (index[:, 1] >= lengths[index[:, 0]]).any():
        return None
    out = []
    for k in range(flow.n_runs):
        at = np.flatnonzero(index[:, 0] == k)
        rows, first = np.unique(index[at, 1], return_index=True)  # of a sample that is there twice, one
        out.append(Rest(rows, (rest * noise)[at[first]]))
    return out


def shown(equations: Equations, run: Run, smooth: SmoothedRun, rest: Rest | None = None) -> Shown:
    """Put together what a page says of one run.

    Parameters
    ----------
    equations : Equations
        The equations.
    run : Run
        The samples.
    smooth : SmoothedRun
        The same run smoothed.
    rest : Rest, optional
        What fitted solutions leave of the samples; by default it is what the equations leave, see `left_over`.
    """
    keep = smooth.keep
    times, states = smooth.times[keep], smooth.states[keep]
    controls = getattr(run, "controls", None)
    inputs = controls[keep] if equations.controls and controls is not None else None
    rates = equations.value(states, inputs)
    rollout = equations.simulate(states[0], times, controls=inputs)
    left = left_over(times, run.states[keep], rates) if rest is None else rest.values
    return Shown(
        str(run.label), run.time, run.states, times, states, smooth.state_errors[keep],
        smooth.derivatives[keep], smooth.derivative_errors[keep], rates, rollout,
        times if rest is None else run.time[rest.rows], left,
    )  # fmt: skip


def left_over(times: NDArray, data: NDArray, rates: NDArray) -> NDArray:
    """What the equations leave of the data ``(m, d)``: y(t) less the integral of F(x) along the smooth x(t).

    Where the equations are right this is the noise of the samples; a term that is missing or wrong adds up over time
    and shows. The integral does not diverge on chaotic systems, as solutions do. A straight line is taken out of each
    run: an error of the mean rate, within the errors of the coefficients, is no missing term.
    """
    if len(times) < 4 or not np.isfinite(rates).all():
        return np.full_like(data, np.nan)
    along = make_interp_spline(times, rates, k=3).antiderivative()(times)
    apart = data - along
    centred = times - times.mean()
    basis = np.stack([np.ones(len(times)), centred / np.abs(centred).max()], axis=1)
    return apart - basis @ np.linalg.lstsq(basis, apart, rcond=None)[0]


def units_of(noise: NDArray, runs: Sequence[Shown]) -> NDArray:
    """One unit ``(d,)`` of each coordinate: the noise that smoothing found; where it found none, what is left over."""
    left = np.sqrt(np.nanmean(np.concatenate([run.residuals for run in runs]) ** 2, axis=0))
    size = np.where(np.isfinite(noise) & (noise > 0), noise, left)
    return np.where(np.isfinite(size) & (size > 0), size, 1.0)
