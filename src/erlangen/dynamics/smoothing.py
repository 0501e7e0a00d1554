"""Smooth states and time derivatives of noisy runs, with standard errors, and nothing known beforehand."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from erlangen._errors import InputError, UndecidedError, explain, nearest
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.dynamics._estimates import FEWEST, Estimate, by_differences, by_frequencies, spread
from erlangen.dynamics._posterior import HARDLY, by_splines
from erlangen.fields._differences import segments
from erlangen.fields.trajectories import Run, Trajectories

_log = logging.getLogger(__name__)

METHODS = ("auto", "gp", "spline", "differences", "spectral")
NOISES = ("auto", "additive", "multiplicative")

NOTHING = 0.95
"""Share of the standard deviation at which noise has taken all: less than a tenth of the variance is left."""


@dataclass(frozen=True, eq=False)
class SmoothedRun(AbstractShown):
    """One run, smoothed at its own times.

    Attributes
    ----------
    label : hashable
        What the run is called.
    times : ndarray (n,)
        Times of the samples.
    states, derivatives : ndarray (n, d)
        Smooth states and their time derivatives; derivatives are NaN where the run is too short between gaps.
    state_errors, derivative_errors : ndarray (n, d)
        Their standard errors.
    keep : ndarray (n,) of bool
        Where they are as good as inside the run: False at the ends.
    controls : ndarray (n, u)
        The u controls of the run, as they were.
    """

    label: Hashable
    times: NDArray
    states: NDArray
    derivatives: NDArray
    state_errors: NDArray
    derivative_errors: NDArray
    keep: NDArray
    controls: NDArray


@dataclass(frozen=True, eq=False)
class Smoothed(AbstractShown):
    """Smooth states and derivatives of all runs; see `smooth`.

    Attributes
    ----------
    runs : tuple of SmoothedRun
        The runs, in their order.
    names, controls : tuple of str
        Names of the d coordinates and of the u controls.
    noise : ndarray (d,)
        Standard deviation of the noise, root mean square over the samples.
    relative : ndarray (d,)
        The part b of the noise that grows with the value, where its standard deviation is ``sqrt(a^2 + b^2 x^2)``;
        zero where none was found.
    widths : ndarray (d,)
        Time over which each coordinate was averaged (the largest of the runs): what changes faster counts as noise.
    methods : tuple of str
        The method of each coordinate.
    reason : str
        What was done and why.
    """

    runs: tuple[SmoothedRun, ...]
    names: tuple[str, ...]
    controls: tuple[str, ...]
    noise: NDArray
    relative: NDArray
    widths: NDArray
    methods: tuple[str, ...]
    reason: str

    @cached_property
    def flow(self) -> Trajectories:
        """The kept samples: smooth states with derivatives; runs of which fewer than two are kept are left out."""
        runs = [
            Run(r.label, r.times[r.keep], r.states[r.keep], r.derivatives[r.keep], r.controls[r.keep])
            for r in self.runs
            if np.count_nonzero(r.keep) > 1
        ]
        return Trajectories(tuple(runs), self.names, self.controls)

    @cached_property
    def weights(self) -> NDArray:
        """Inverse standard errors ``(N, d)`` of the derivatives of `flow`; ones where a coordinate never changes."""
        errors = np.concatenate([r.derivative_errors[r.keep] for r in self.runs if np.count_nonzero(r.keep) > 1])
        return 1.0 / np.where(errors > 0, errors, 1.0)


def smooth(
    flow: Trajectories,
    method: str = "auto",
    *,
    smoothness: int = 3,
    noise: str = "auto",
    shared: bool = True,
    trim: float = 2.0,
) -> Smoothed:
    """Smooth the runs and differentiate them; how much to smooth is found from the data.

    Between gaps, each coordinate is taken for a Gaussian process whose derivative of order `smoothness` is white
    noise, plus independent noise. Its posterior mean is a spline. The ratio of the two noises maximises the marginal
    likelihood of all runs together, and the strength of both follows in closed form. Knots are as dense as the result
    is rich, so time and memory grow linearly with the samples.

    Parameters
    ----------
    flow : Trajectories
        The runs; derivatives they already have are not looked at.
    method : {"auto", "gp", "spline", "differences", "spectral"}
        ``"gp"`` is the Gaussian process. ``"spline"`` is a cubic smoothing spline by generalised cross-validation.
        ``"differences"`` smooths nothing: it takes stencils of 5 to 13 samples, as wide as pays. ``"spectral"`` cuts
        a cosine series, run by run; it needs even steps. ``"auto"`` is ``"gp"``, and ``"differences"`` for
        coordinates in which that finds no noise, or nothing else (samples too coarse for the motion look like that).
    smoothness : int
        m: the derivative whose roughness is held down by ``"gp"``, from 2 to 5.
    noise : {"auto", "additive", "multiplicative"}
        How the noise is spread: evenly, in proportion to the state, or as the residuals tell
        (``variance = a^2 + b^2 x^2`` where they show that it grows with the state).
    shared : bool
        Whether all runs share the strengths of signal and noise; False finds them for each run by itself.
    trim : float
        At the ends of runs samples are left out where the standard error of a derivative exceeds this multiple of
        what it is inside: the typical one of the run, or what an endless run with such noise would have.

    Returns
    -------
    Smoothed
        States, derivatives and their standard errors.

    Raises
    ------
    InputError
        Where an option is unknown, or ``"spectral"`` meets uneven steps.
    UndecidedError
        Where no run is long enough between gaps.

    References
    ----------
    G. Wahba, "Improper priors, spline smoothing and the problem of guarding against model errors in regression",
    JRSS B 40, 1978, 364-372, for the process and its posterior. P. Craven, G. Wahba, Numerische Mathematik 31, 1979,
    377-403, for cross-validation.

    Examples
    --------
    >>> t = np.linspace(0, 10, 500)
    >>> noisy = np.sin(t) + 0.1 * np.random.default_rng(0).normal(size=500)
    >>> smoothed = smooth(Trajectories.from_arrays(noisy[:, None], t))
    >>> run = smoothed.runs[0]
    >>> bool(abs(smoothed.noise[0] - 0.1) < 0.01)
    True
    >>> bool(np.abs(run.derivatives[:, 0] - np.cos(t))[run.keep].max() < 0.1)
    True
    """
    _check(method, smoothness, noise, trim)
    jobs = [flow] if shared else [Trajectories((run,), flow.names, flow.controls) for run in flow.runs]
    done = [_smooth_together(job, method, smoothness, noise, trim) for job in jobs]
    runs = tuple(run for part, _ in done for run in part)
    if not any(np.count_nonzero(run.keep) > 1 for run in runs):
        raise UndecidedError(
            explain(
                "No run is long enough to take derivatives.",
                given=f"{flow.n_runs} runs of at most {max(len(r.time) for r in flow.runs)} samples",
                expected=f"at least {FEWEST} samples without a gap, and some that are not at the ends",
                fix="longer runs, or fit(x, x_dot=...) where derivatives are known",
            )
        )
    parts = [estimates for _, estimates in done if estimates]
    samples = np.array([len(estimates[0].states) for estimates in parts], dtype=np.float64)
    table = np.array([[(e.noise**2, e.relative**2, e.width) for e in estimates] for estimates in parts])
    means = np.sqrt(np.einsum("j,jdk->dk", samples, table[:, :, :2]) / samples.sum())
    methods = tuple(" and ".join(dict.fromkeys(es[c].method for es in parts)) for c in range(len(flow.names)))
    widths = table[:, :, 2].max(axis=0)
    kept = sum(int(np.count_nonzero(run.keep)) for run in runs)
    reason = _words(flow, methods, widths, means, kept)
    _log.debug("%s", reason)
    return Smoothed(runs, flow.names, flow.controls, means[:, 0], means[:, 1], widths, methods, reason)


def _smooth_together(
    flow: Trajectories, method: str, smoothness: int, noise: str, trim: float
) -> tuple[list[SmoothedRun], list[Estimate]]:
    """Runs that share their noise, and the estimate of each coordinate over all pieces that are long enough."""
    where = [(k, part) for k, run in enumerate(flow.runs) for part in segments(run.time)]
    where = [(k, part) for k, part in where if part.stop - part.start >= FEWEST]
    estimates = []
    if where:
        times = [flow.runs[k].time[part] for k, part in where]
        y = np.concatenate([flow.runs[k].states[part] for k, part in where])
        titles = [flow.runs[k].title for k, _ in where]
        estimates = _estimates(times, y, titles, method, smoothness, noise)
    out = [_untouched(run, len(flow.names)) for run in flow.runs]
    begin = 0
    for k, part in where:
        rows = slice(begin, begin + part.stop - part.start)
        good = np.ones(rows.stop - begin, dtype=bool)
        for c, found in enumerate(estimates):
            out[k].states[part, c], out[k].derivatives[part, c] = found.states[rows], found.derivatives[rows]
            out[k].state_errors[part, c] = found.state_errors[rows]
            out[k].derivative_errors[part, c] = found.derivative_errors[rows]
            good &= found.derivative_errors[rows] <= trim * found.inside[rows]
        inside = np.flatnonzero(good)
        if inside.size:
            out[k].keep[part.start + inside[0] : part.start + inside[-1] + 1] = True
        begin = rows.stop
    return out, estimates


def _estimates(
    times: list[NDArray], y: NDArray, titles: list[str], method: str, smoothness: int, noise: str
) -> list[Estimate]:
    if method == "differences":
        return [by_differences(times, y[:, c]) for c in range(y.shape[1])]
    if method == "spectral":
        return [by_frequencies(times, y[:, c], titles) for c in range(y.shape[1])]
    if method == "spline":
        return by_splines(times, y, 2, "validation", noise)
    found = by_splines(times, y, smoothness, "likelihood", noise)
    if method == "gp":
        return found
    return [_checked(one, times, y[:, c]) for c, one in enumerate(found)]


def _checked(found: Estimate, times: list[NDArray], x: NDArray) -> Estimate:
    """The estimate, or differences where nothing was smoothed, or where all that there is was smoothed away."""
    step = sum(t[-1] - t[0] for t in times) / (len(x) - len(times))
    if found.width == 0.0 or HARDLY * step <= found.width and found.noise < NOTHING * spread(x, times):
        return found
    plain = by_differences(times, x)
    if found.width < HARDLY * step:
        return plain
    return replace(plain, method=f"{plain.method} (too coarse for smoothing, or nothing but noise)")


def _untouched(run: Run, d: int) -> SmoothedRun:
    slopes, errors, slope_errors = (np.full((len(run.time), d), np.nan) for _ in range(3))
    keep = np.zeros(len(run.time), dtype=bool)
    return SmoothedRun(run.label, run.time, run.states.copy(), slopes, errors, slope_errors, keep, run.controls)


def _check(method: str, smoothness: int, noise: str, trim: float) -> None:
    for name, given, known in (("method", method, METHODS), ("noise", noise, NOISES)):
        if given not in known:
            raise InputError(
                explain(
                    f"There is no such {name}.",
                    given=f"{name}={given!r}",
                    expected=", ".join(known),
                    fix=f"{name}={nearest(str(given), known) or 'auto'!r}",
                )
            )
    if smoothness not in range(2, 6):
        raise InputError(
            explain(
                "This smoothness is out of range.",
                given=f"smoothness={smoothness!r}",
                expected="2, 3, 4 or 5: more is lost in rounding",
                fix="smoothness=3",
            )
        )
    if not trim > 1:
        raise InputError(
            explain(
                "So strict a trimming leaves nothing.",
                given=f"trim={trim!r}",
                expected="a multiple above 1 of the error inside; inf keeps the ends",
                fix="trim=2.0",
            )
        )


def _words(flow: Trajectories, methods: tuple[str, ...], widths: NDArray, means: NDArray, kept: int) -> str:
    parts = []
    for name, method, width, (noise, relative) in zip(flow.names, methods, widths, means, strict=True):
        if width == 0.0:
            parts.append(f"{name}: {method}")
            continue
        grows = f", {relative:.1%} of the value" if relative else ""
        parts.append(f"{name}: {method} over {width:.2g} of time, noise {noise:.2g}{grows}")
    shown = "; ".join(parts[:6]) + (f"; and {len(parts) - 6} more" if len(parts) > 6 else "")
    return f"{shown}; {kept} of {len(flow.points)} samples kept: not at the ends of runs"
