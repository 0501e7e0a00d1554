"""What was observed: samples in windows, each of which starts from an unknown state of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray


@dataclass(frozen=True, eq=False)
class Record:
    """One uninterrupted piece of a run, possibly with samples averaged over short bins.

    Attributes
    ----------
    time : ndarray (n,)
        Times, increasing: of bins the mean of theirs.
    states : ndarray (n, d)
        Observations.
    sizes : ndarray (n, d)
        Their standard deviations.
    smooth, slopes : ndarray (n, d)
        Smoothed states and their derivatives.
    spread : ndarray (n,)
        Variance of the times inside each bin; zero for samples.
    inputs : ndarray (n, u)
        Controls; u may be zero.
    run : int
        The run that this is part of.
    rows : ndarray (n,)
        The sample of the run that each is, or that is in the middle of its bin.
    averaged : int
        Samples in a bin.
    """

    time: NDArray
    states: NDArray
    sizes: NDArray
    smooth: NDArray
    slopes: NDArray
    spread: NDArray
    inputs: NDArray
    run: int
    rows: NDArray
    averaged: int = 1

    def at(self, t: NDArray) -> NDArray:
        """Smoothed states ``(m, d)`` at times inside: cubic between samples, from states and slopes."""
        i = np.clip(np.searchsorted(self.time, t, side="right") - 1, 0, len(self.time) - 2)
        h = (self.time[i + 1] - self.time[i])[:, None]
        s = (t - self.time[i])[:, None] / h
        left = (1 + 2 * s) * (1 - s) ** 2 * self.smooth[i] + h * s * (1 - s) ** 2 * self.slopes[i]
        right = s**2 * (3 - 2 * s) * self.smooth[i + 1] + h * s**2 * (s - 1) * self.slopes[i + 1]
        return left + right

    def inputs_at(self, t: NDArray) -> NDArray:
        """Controls ``(m, u)``, linear between samples."""
        columns = [np.interp(t, self.time, column) for column in self.inputs.T]
        return np.stack(columns, axis=1) if columns else np.zeros((len(t), 0))


@dataclass(frozen=True, eq=False)
class Windows:
    """W windows of at most L samples; a shorter one repeats its last time, with weight zero.

    Attributes
    ----------
    time : ndarray (W, L)
    states : ndarray (W, L, d)
        Observations.
    weights : ndarray (W, L, d)
        One over their standard deviations.
    spread : ndarray (W, L)
        Variances of times inside bins.
    inputs : ndarray (W, L, u)
        Controls.
    start : ndarray (W, d)
        First guess of the states at the first times.
    records : ndarray (W,)
        The record that each window is part of.
    samples : ndarray (W, L)
        Where each sample stands in its record; -1 for what only fills a window.
    """

    time: NDArray
    states: NDArray
    weights: NDArray
    spread: NDArray
    inputs: NDArray
    start: NDArray
    records: NDArray
    samples: NDArray

    @property
    def n_observed(self) -> int:
        """Numbers observed."""
        return int(np.count_nonzero(self.weights))

    def __getitem__(self, rows: slice) -> Windows:
        return Windows(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def windows(records: Sequence[Record], length: int) -> Windows:
    """Cut records into windows of about ``length`` steps; neighbours share a sample, half its weight each."""
    pieces = []
    for k, record in enumerate(records):
        n = len(record.time)
        edges = np.linspace(0, n - 1, max(1, round((n - 1) / length)) + 1).astype(int)
        for a, b in zip(edges[:-1], edges[1:]):
            weights = 1 / record.sizes[a : b + 1]
            weights[0] *= 1.0 if a == 0 else np.sqrt(0.5)
            weights[-1] *= 1.0 if b == n - 1 else np.sqrt(0.5)
            pieces.append((k, record, slice(a, b + 1), weights))
    count, most = len(pieces), max(len(weights) for *_, weights in pieces)
    d, u = records[0].states.shape[1], records[0].inputs.shape[1]
    time, spread = np.zeros((count, most)), np.zeros((count, most))
    states, weighted, inputs = np.zeros((count, most, d)), np.zeros((count, most, d)), np.zeros((count, most, u))
    start, origin = np.zeros((count, d)), np.zeros(count, dtype=np.int64)
    samples = np.full((count, most), -1)
    for i, (k, record, part, weights) in enumerate(pieces):
        n = len(weights)
        time[i, :n], time[i, n:] = record.time[part], record.time[part][-1]
        states[i, :n], weighted[i, :n], spread[i, :n] = record.states[part], weights, record.spread[part]
        inputs[i, :n], inputs[i, n:] = record.inputs[part], record.inputs[part][-1]
        start[i], origin[i] = record.smooth[part.start], k
        samples[i, :n] = np.arange(part.start, part.stop)
    return Windows(time, states, weighted, spread, inputs, start, origin, samples)
