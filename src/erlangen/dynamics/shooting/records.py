"""Records from runs and their smoothing; runs with many more samples than they need are averaged over bins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from erlangen._typing import NDArray
from erlangen.dynamics.shooting.noise import floors
from erlangen.dynamics.shooting.observed import Record
from erlangen.dynamics.smoothing import Smoothed
from erlangen.fields._differences import segments
from erlangen.fields.trajectories import Trajectories

ENOUGH = 256
"""Samples of a record from which on they are averaged over bins, where nothing is lost by it."""

UNSEEN = 0.1
"""Error of the average of a bin, in its standard deviations, that nobody sees."""

BEYOND = 4.0
"""Standard deviations from the smooth curve that noise does not explain."""

MOST = 40_000
"""Samples in all; of more, where averaging would lose something, every other one or so is left out."""

FEWEST = 3
"""Samples of a record: of fewer, initial states take up all that there is."""


def records(flow: Trajectories, smoothed: Smoothed) -> list[Record]:
    """Uninterrupted pieces of all runs."""
    floor = floors([run.states for run in flow.runs])
    found = []
    for k, (run, smooth) in enumerate(zip(flow.runs, smoothed.runs)):
        size = np.sqrt(smoothed.noise**2 + (smoothed.relative * smooth.states) ** 2)
        size = np.maximum(size, floor)
        # Where a curve is too smooth for the data, the data are the better starting point.
        start = np.where(np.abs(run.states - smooth.states) > BEYOND * size, run.states, smooth.states)
        whole = Record(
            run.time, run.states, size, start, smooth.derivatives,
            np.zeros(len(run.time)), smooth.controls, k, np.arange(len(run.time)),
        )  # fmt: skip
        pieces = [_part(whole, piece) for piece in segments(run.time) if piece.stop - piece.start >= FEWEST]
        found += [_binned(piece) for piece in pieces]
    total = sum(len(record.time) for record in found)
    return [_part(record, slice(None, None, -(-total // MOST))) for record in found] if total > MOST else found


def _part(record: Record, rows: slice) -> Record:
    names = ("time", "states", "sizes", "smooth", "slopes", "spread", "inputs", "rows")
    return replace(record, **{name: getattr(record, name)[rows] for name in names})


def _binned(record: Record) -> Record:
    """The coarsest bins whose averages are, to second order, those of the smooth curve."""
    best, samples = record, 1
    while len(record.time) >= 2 * samples * ENOUGH:
        samples *= 2
        trial = _averaged(record, samples)
        second = np.gradient(trial.slopes, trial.time, axis=0)
        error = _means(record.smooth, samples) - _at_centre(record, samples) - trial.spread[:, None] / 2 * second
        inner = slice(2, -2)
        if np.sqrt(np.mean((error / trial.sizes)[inner] ** 2)) > UNSEEN:
            break
        best = trial
    return best


def _averaged(record: Record, samples: int) -> Record:
    time = _means(record.time, samples)
    count = len(time) * samples
    spread = _means((record.time[:count] - np.repeat(time, samples)) ** 2, samples)
    return Record(
        time,
        _means(record.states, samples),
        np.sqrt(_means(record.sizes**2, samples) / samples),
        _at_centre(record, samples),
        _means(record.slopes, samples),
        spread,
        _means(record.inputs, samples),
        record.run,
        record.rows[samples // 2 :: samples][: len(time)],
        samples,
    )


def _means(values: NDArray, samples: int) -> NDArray:
    """Averages over bins of so many samples; what is left at the end is dropped."""
    count = len(values) // samples
    return values[: count * samples].reshape(count, samples, *values.shape[1:]).mean(axis=1)


def _at_centre(record: Record, samples: int) -> NDArray:
    """The smooth curve at the mean times of bins."""
    return record.at(_means(record.time, samples))
