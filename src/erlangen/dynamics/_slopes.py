"""States and their time derivatives, from runs with or without noise, or as given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_smoothing_spline

from erlangen._errors import InputError, UndecidedError, explain, nearest
from erlangen.fields._differences import differentiate, segments
from erlangen.fields.trajectories import Trajectories

METHODS = ("auto", "smooth", "differences")

FEWEST = 8
"""Samples of an uninterrupted piece from which a derivative is taken: a stencil of seven, and one beside it."""

STENCIL = 7
"""Samples in a stencil where nothing is smoothed: an error of sixth order in the step."""

HARDLY = 0.5
"""Width of the smoothing, in samples, below which a spline passes through the data, and stencils are more accurate."""

REACH = 2.0
"""Widths of the smoothing within which the end of a run is felt; the derivative there is left out."""

ENDS = 2
"""Samples left out at each end besides: a spline has no curvature there, and a stencil is one-sided."""

BLOCKS = 5
"""Parts of the data that take turns to be held out; fewer say too little about how sure an error is."""


@dataclass(frozen=True, eq=False)
class Slopes:
    """Points with time derivatives.

    Attributes
    ----------
    points : ndarray (n, d)
        States, smoothed where their derivatives are.
    slopes : ndarray (n, d)
        Time derivatives.
    folds : tuple of (ndarray, ndarray)
        Rows to fit and rows to hold out: whole runs where there are five or more, else pieces of the few.
    reason : str
        Where the derivatives are from.
    """

    points: NDArray
    slopes: NDArray
    folds: tuple[tuple[NDArray, NDArray], ...]
    reason: str


def slopes_of(flow: Trajectories, method: str, rng: int | np.random.Generator | None) -> Slopes:
    """Derivatives as given with the data, else estimated run by run.

    ``rng`` draws folds for points that are in no order; None where they are in the order of time.
    """
    if method not in METHODS:
        raise InputError(
            explain(
                "There is no such way to differentiate.",
                given=f"derivatives={method!r}",
                expected=", ".join(METHODS) + "; or fit(x, x_dot=...) for known ones",
                fix=f"derivatives={nearest(str(method), METHODS) or 'auto'!r}",
            )
        )
    if flow.derivatives is not None:
        points, slopes, run = flow.points, flow.derivatives, flow.run_index
        reason = "derivatives as given"
    else:
        parts = [_run_slopes(run.time, run.states, method, k) for k, run in enumerate(flow.runs)]
        found = [part for run in parts for part in run]
        if not found:
            raise UndecidedError(
                explain(
                    "No run is long enough to take derivatives.",
                    given=f"{flow.n_runs} runs of at most {max(len(r.time) for r in flow.runs)} samples without a gap",
                    expected=f"at least {FEWEST} samples of a run, and some that are not at its ends",
                    fix="longer runs, or fit(x, x_dot=...) where derivatives are known",
                )
            )
        points, slopes = (np.concatenate([p[i] for p in found]) for i in (0, 1))
        run = np.repeat([p[2] for p in found], [len(p[0]) for p in found])
        reason = _words(found, len(flow.points))
    return Slopes(points, slopes, _folds(run, rng), reason)


def _run_slopes(time: NDArray, states: NDArray, method: str, k: int) -> list[tuple[NDArray, NDArray, int, float]]:
    """Points, slopes, the run, and the width of the smoothing in samples, for each piece that is long enough."""
    out = []
    for piece in segments(time):
        if piece.stop - piece.start < FEWEST:
            continue
        t, x = time[piece], states[piece]
        smooth, slope, width = _smoothed(t, x)
        if method == "differences" or (method == "auto" and width < HARDLY):
            smooth, slope, width = x, differentiate(t, x, STENCIL), 0.0
        ends = ENDS + int(np.ceil(REACH * width))
        if len(t) > 2 * ends:
            out.append((smooth[ends:-ends], slope[ends:-ends], k, width))
    return out


def _smoothed(t: NDArray, x: NDArray) -> tuple[NDArray, NDArray, float]:
    """States, derivatives, and the largest width of a smoothing spline chosen by generalised cross-validation."""
    step = float(np.mean(np.diff(t)))
    u = (t - t[0]) / step
    states, slopes, widths = np.empty_like(x), np.empty_like(x), []
    for a in range(x.shape[1]):
        size = float(np.ptp(x[:, a]))
        if size == 0.0:
            states[:, a], slopes[:, a] = x[:, a], 0.0
            continue
        spline: Any = make_smoothing_spline(u, x[:, a] / size)
        states[:, a], slopes[:, a] = spline(u) * size, spline.derivative()(u) * (size / step)
        # Where the smoothing has weight w, residual = w * jump of the third derivative; it reaches w^(1/4) samples.
        third = spline.derivative(3)((u[1:] + u[:-1]) / 2)
        jumps = float(np.linalg.norm(np.diff(third)))
        residual = float(np.linalg.norm((x[:, a] / size - spline(u))[1:-1]))
        widths.append((residual / jumps) ** 0.25 if jumps > 0 else float(len(t)))
    return states, slopes, max(widths, default=0.0)


def _folds(run: NDArray, rng: int | np.random.Generator | None) -> tuple[tuple[NDArray, NDArray], ...]:
    """Whole runs, or pieces in time of the few there are; of points in no order, random parts."""
    n, labels = len(run), np.unique(run)
    if rng is not None:
        parts = np.array_split(np.random.default_rng(rng).permutation(n), min(BLOCKS, n))
    elif len(labels) >= BLOCKS:
        parts = [np.flatnonzero(np.isin(run, group)) for group in np.array_split(labels, BLOCKS)]
    else:
        pieces = -(-BLOCKS // len(labels))
        parts = [part for k in labels for part in np.array_split(np.flatnonzero(run == k), pieces) if part.size]
    return tuple((np.setdiff1d(np.arange(n), part), np.sort(part)) for part in parts)


def _words(found: list[tuple[NDArray, NDArray, int, float]], n: int) -> str:
    widths = [width for _, _, _, width in found]
    kept = sum(len(p[0]) for p in found)
    if not any(widths):
        how = f"differences of {STENCIL} samples"
    elif all(widths):
        how = f"smoothing splines over about {np.median(widths):.2g} samples"
    else:
        how = f"smoothing splines, and differences in {widths.count(0.0)} of {len(widths)} runs without noise"
    return f"derivatives by {how}, at {kept} of {n} samples: not at the ends of runs"
