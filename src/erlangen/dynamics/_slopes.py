"""States and their time derivatives, from runs with or without noise, or as given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._errors import InputError, explain, nearest
from erlangen._typing import NDArray
from erlangen.dynamics.smoothing import Smoothed, smooth
from erlangen.fields.trajectories import Trajectories

METHODS = ("auto", "smooth", "gp", "spline", "differences", "spectral")

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
    weights : ndarray (n, d)
        Inverse standard errors of the derivatives; ones where they were given.
    index : ndarray (n, 2)
        Run and sample of each.
    """

    points: NDArray
    slopes: NDArray
    folds: tuple[tuple[NDArray, NDArray], ...]
    reason: str
    weights: NDArray
    index: NDArray


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
        weights = np.ones_like(flow.points)
        return Slopes(
            flow.points, flow.derivatives, _folds(flow.run_index, rng), "derivatives as given", weights, _index(flow)
        )
    return slopes_from(flow, smoothed_by(flow, method), rng)


def smoothed_by(flow: Trajectories, method: str) -> Smoothed:
    """Runs smoothed in one of the `METHODS`."""
    return smooth(flow, "gp" if method == "smooth" else method)


def slopes_from(flow: Trajectories, smoothed: Smoothed, rng: int | np.random.Generator | None) -> Slopes:
    """Derivatives of runs that are smoothed already."""
    kept = smoothed.flow
    assert kept.derivatives is not None
    reason = f"derivatives of {smoothed.reason}"
    index = _index(flow)[np.concatenate([run.keep for run in smoothed.runs])]
    return Slopes(kept.points, kept.derivatives, _folds(kept.run_index, rng), reason, smoothed.weights, index)


def _index(flow: Trajectories) -> NDArray:
    """Run and sample ``(n, 2)`` of all points."""
    parts = [np.stack([np.full(len(r.time), k), np.arange(len(r.time))], axis=1) for k, r in enumerate(flow.runs)]
    return np.concatenate(parts)


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
