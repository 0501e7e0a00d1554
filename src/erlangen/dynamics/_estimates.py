"""States and derivatives with standard errors, one coordinate over many pieces of time, by each of the methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.dynamics._spectral import check_even, spectral
from erlangen.fields._differences import differentiate

FEWEST = 8
"""Samples of an uninterrupted piece from which a derivative is taken: a stencil of seven, and one beside it."""

STENCILS = (5, 7, 9, 11, 13)
"""Samples in a stencil where nothing is smoothed; an odd number has a middle."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """One coordinate at all samples of all pieces.

    Attributes
    ----------
    states, derivatives, state_errors, derivative_errors : ndarray (n,)
        What was estimated, and standard errors.
    inside : ndarray (n,)
        Standard errors that the derivatives would have far from the ends.
    noise, relative, width : float
        Standard deviation of the noise, the share of the value in it, and the width of the smoothing in time.
    method : str
        In words.
    """

    states: NDArray
    derivatives: NDArray
    state_errors: NDArray
    derivative_errors: NDArray
    inside: NDArray
    noise: float
    relative: float
    width: float
    method: str


def typical(errors: NDArray, times: Sequence[NDArray]) -> NDArray:
    """The median over each piece, at each sample."""
    return np.concatenate([np.full(len(part), np.median(part)) for part in split(errors, times)])


def spread(x: NDArray, times: Sequence[NDArray]) -> float:
    """Standard deviation within pieces."""
    return float(np.sqrt(np.mean(np.concatenate([part - part.mean() for part in split(x, times)]) ** 2)))


def split(x: NDArray, times: Sequence[NDArray]) -> list[NDArray]:
    """Rows of each piece."""
    return np.split(x, np.cumsum([len(t) for t in times])[:-1])


def by_differences(times: Sequence[NDArray], x: NDArray) -> Estimate:
    """Derivatives of the polynomials through the nearest samples, as many as make the smallest error.

    The error of a stencil is its distance to the next wider one in the middle of the run, or what noise makes of it
    where that is more; elsewhere it is larger as the product of distances to the other samples is, which is how the
    error of interpolation depends on the place.
    """
    found = [_stencils(t, part) for t, part in zip(times, split(x, times), strict=True)]
    slopes, errors, inside = (np.concatenate([part[i] for part in found]) for i in range(3))
    widths = sorted({part[3] for part in found})
    shown = f"{widths[0]}" if len(widths) == 1 else f"{widths[0]} to {widths[-1]}"
    noises = np.concatenate([np.full(len(t), part[4]) for t, part in zip(times, found, strict=True)])
    noise = float(np.sqrt(np.mean(noises**2)))
    return Estimate(x, slopes, noises, errors, inside, noise, 0.0, 0.0, f"differences of {shown} samples")


def _stencils(t: NDArray, x: NDArray) -> tuple[NDArray, NDArray, NDArray, int, float]:
    """Slopes, their errors, those inside, the number of samples, and the noise, for one piece."""
    n = len(t)
    step = float(np.mean(np.diff(t)))
    choices = [width for width in STENCILS if width <= n]
    slopes = [differentiate(t, x[:, None], width)[:, 0] for width in choices]
    noises = [_scatter(t, x, width) for width in choices]
    errors = []
    for k, width in enumerate(choices[:-1]):
        middle = slice(choices[k + 1] // 2, n - choices[k + 1] // 2)
        apart = float(np.sqrt(np.mean((slopes[k + 1] - slopes[k])[middle] ** 2)))
        errors.append(max(apart, _gain(width) * min(noises) / step))
    best = int(np.argmin(errors))
    inside = max(errors[best], np.finfo(np.float64).eps * float(np.abs(x).max()) / step)
    return slopes[best], inside * _reach(t, choices[best]), np.full(n, inside), choices[best], min(noises)


def _gain(width: int) -> float:
    """Root of the sum of squares of the weights of a stencil at steps of one."""
    return float(np.linalg.norm(differentiate(np.arange(float(width)), np.eye(width), width)[width // 2]))


def _scatter(t: NDArray, x: NDArray, width: int) -> float:
    """Noise that would explain how far samples are from the polynomial through their neighbours: root mean square."""
    at = np.arange(len(t) - width + 1)[:, None] + np.arange(width)
    apart = (t[at][:, :, None] - t[at][:, None, :]) / np.mean(np.diff(t))
    apart[:, np.arange(width), np.arange(width)] = 1.0
    weights = 1.0 / apart.prod(axis=2)
    values = x[at] - x[at[:, width // 2]][:, None]  # an offset adds nothing but rounding
    return float(np.sqrt(np.mean(np.sum(weights * values, axis=1) ** 2 / np.sum(weights**2, axis=1))))


def _reach(t: NDArray, width: int) -> NDArray:
    """Products of the distances to the other samples of each stencil, in units of the median one: ``(n,)``."""
    n = len(t)
    stencil = np.clip(np.arange(n) - width // 2, 0, n - width)[:, None] + np.arange(width)
    apart = np.abs(t[stencil] - t[:, None]) / np.mean(np.diff(t))
    product = np.prod(np.where(apart > 0, apart, 1.0), axis=1)
    return product / np.median(product)


def by_frequencies(times: Sequence[NDArray], x: NDArray, titles: Sequence[str]) -> Estimate:
    """Cosine series cut where the noise begins, piece by piece."""
    found = []
    for t, part, title in zip(times, split(x, times), titles, strict=True):
        check_even(t, title)
        found.append(_cosines(t, part))
    noise = float(np.sqrt(np.average([one.noise**2 for one in found], weights=[len(t) for t in times])))
    columns = ("states", "derivatives", "state_errors", "derivative_errors", "inside")
    arrays = {name: np.concatenate([getattr(one, name) for one in found]) for name in columns}
    width = max(one.width for one in found)
    return Estimate(**arrays, noise=noise, relative=0.0, width=width, method="cosine series")


def _cosines(t: NDArray, x: NDArray) -> Estimate:
    """One piece; a wave of the last frequency is left out at each end, where the series does not know how to go on."""
    n = len(t)
    states, slopes, noise, error, kept = spectral(t, x)
    wave = 2.0 * n / kept
    edge = np.minimum(np.arange(n), np.arange(n)[::-1]) < wave
    unsure, inside = np.full(n, error), np.where(edge, 0.0, error)
    width = wave / 2 * (t[-1] - t[0]) / (n - 1)
    return Estimate(states, slopes, np.full(n, noise * np.sqrt(kept / n)), unsure, inside, noise, 0.0, width, "")
