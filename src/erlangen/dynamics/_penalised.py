"""Smoothing by a Gaussian process whose m-th derivative is white noise: widths by marginal likelihood, all linear.

With samples y = x + e, errors e of variance s^2 v and x^(m) white noise of intensity q, the posterior mean minimises
``sum (y - x)^2 / v + s^2/q * integral (x^(m))^2``: a spline of degree 2m - 1. Where samples are dt apart it averages
over a *width* w, ``w^(2m) = s^2 dt / q``: what changes faster is taken for noise. Knots at half a width from each
other lose nothing: a change that fast would be damped by (2 pi)^(2m).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.linalg import LinAlgError
from scipy.optimize import minimize_scalar

from erlangen._typing import NDArray
from erlangen.dynamics._splines import Factor, Knots

Criterion = Literal["likelihood", "validation"]

PER_WIDTH = 2.0
"""Knots for each width of the smoothing."""

QUIET = 0.1
"""Share of the samples that may have less noise than the knots are made for."""

STEP = 2.0
"""Ratio of neighbouring widths of the first, coarse search."""

BELOW = 4.0
"""Knots for the narrowest of the widths that are tried at once."""

ENOUGH = 100_000
"""Samples that fix a width to better than a percent; of longer data, evenly chosen runs vote."""

CLOSE = 0.02
"""Relative accuracy of a width: its own statistical error is rarely below."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """Samples of uninterrupted pieces, one after the other.

    Attributes
    ----------
    times : list of ndarray
        Increasing times of each piece.
    y : ndarray (n, d)
        Samples, of order one.
    """

    times: Sequence[NDArray]
    y: NDArray

    @cached_property
    def step(self) -> float:
        """Mean time between samples."""
        return sum(t[-1] - t[0] for t in self.times) / (len(self.y) - len(self.times))

    @cached_property
    def longest(self) -> float:
        """Length of the longest piece."""
        return max(t[-1] - t[0] for t in self.times)

    def thinned(self, most: int) -> tuple[Pieces, NDArray]:
        """Evenly chosen pieces of about this many samples in all, and their rows."""
        lengths = [len(t) for t in self.times]
        every = max(1, -(-len(self.y) // most))
        ends = np.cumsum(lengths).tolist()
        kept = range(0, len(lengths), every)
        rows = np.concatenate([np.arange(ends[k] - lengths[k], ends[k]) for k in kept])
        return Pieces([self.times[k] for k in kept], self.y[rows]), rows


@dataclass(frozen=True, eq=False)
class Fit:
    """The posterior for one coordinate.

    Attributes
    ----------
    width : float
        Width of the smoothing.
    noise : float
        s, the standard deviation of the noise where v is one.
    score : float
        The criterion, the less the better.
    knots : Knots
        The samples on their knots.
    coefficients : ndarray (size, 1)
        Of the splines.
    factor : Factor
        Of the precision of the coefficients, in units of the noise.
    """

    width: float
    noise: float
    score: float
    knots: Knots
    coefficients: NDArray
    factor: Factor


@dataclass(frozen=True, eq=False)
class Level:
    """Pieces on knots of one spacing, and the fits there for any width."""

    pieces: Pieces
    spacing: float
    smoothness: int
    criterion: Criterion
    weights: NDArray | None = None
    knots: Knots = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "knots", Knots.over(self.pieces.times, self.spacing, self.smoothness))

    @cached_property
    def basis(self) -> NDArray:
        return self.knots.basis()

    @cached_property
    def right(self) -> NDArray:
        y = self.pieces.y if self.weights is None else self.pieces.y * self.weights[:, None]
        return self.knots.project(self.basis, y)

    @cached_property
    def gram(self) -> NDArray:
        return self.knots.gram(self.basis, self.weights)

    @cached_property
    def penalty(self) -> NDArray:
        return self.knots.penalty()

    def fits(self, width: float) -> list[Fit]:
        """One fit for each column of y."""
        m, n, k = self.smoothness, len(self.pieces.y), self.knots
        weight = (width / self.spacing) ** (2 * m) * (self.spacing / self.pieces.step)
        factor = Factor.of(self.gram + weight * self.penalty)
        coefficients = factor.solve(self.right)
        residual = (self.pieces.y - k.values(self.basis, coefficients)) ** 2
        error = np.sum(residual if self.weights is None else residual * self.weights[:, None], axis=0)
        free = m * len(self.pieces.times)
        if self.criterion == "likelihood":
            variance = (error + weight * k.roughness(coefficients)) / (n - free)
            common = factor.log_determinant - (k.size - free) * np.log(weight)
            scores = (n - free) * np.log(np.maximum(variance, np.finfo(np.float64).tiny)) + common
        else:
            used = inner(factor.inverse_band(width / self.spacing), self.gram)
            variance = error / (n - used)
            scores = n * np.log(np.maximum(n * error / (n - used) ** 2, np.finfo(np.float64).tiny))
        return [
            Fit(width, float(np.sqrt(variance[c])), float(scores[c]), k, coefficients[:, c : c + 1], factor)
            for c in range(len(variance))
        ]


def inner(left: NDArray, right: NDArray) -> float:
    """Trace of the product of two symmetric matrices, of which one is banded, from the bands."""
    return float(np.sum(left[0] * right[0]) + 2 * np.sum(left[1:] * right[1:]))


def widest(smoothness: int) -> float:
    """Width, in knots, up to which rounding leaves four digits of the smoothest part of a fit."""
    most = (1e-4 / np.finfo(np.float64).eps) ** (1 / (2 * smoothness))
    return STEP ** np.floor(np.log(most) / np.log(STEP))


def fitted(
    pieces: Pieces, smoothness: int, criterion: Criterion, weights: NDArray | None = None, width: float | None = None
) -> list[Fit]:
    """Fit each column of y with its own width, found where none is given.

    ``weights (n, d)`` are the inverse variances of the noise in units of the common one.
    """
    columns = range(pieces.y.shape[1])
    some, rows = pieces.thinned(ENOUGH)
    out = []
    starts = [width] * len(columns)
    if width is None and weights is None:
        starts = _coarse(some, smoothness, criterion, None)
    for c in columns:
        mine = None if weights is None else weights[:, c]
        one = Pieces(some.times, some.y[:, c : c + 1])
        known = None if mine is None else mine[rows]
        start = starts[c]
        if start is None:
            start = _coarse(one, smoothness, criterion, known)[0]
        best = start if width is not None else _fine(one, start, smoothness, criterion, known)
        whole = Level(
            Pieces(pieces.times, pieces.y[:, c : c + 1]),
            _spacing(pieces, best, smoothness, mine),
            smoothness,
            criterion,
            mine,
        )
        out.append(whole.fits(best)[0])
    return out


def scores_on_same_knots(rivals: Sequence[tuple[Pieces, float, NDArray | None]], smoothness: int) -> list[float]:
    """Minus twice the logarithms of marginal likelihoods, at given widths and weights, up to a common constant."""
    spacing = min(_spacing(pieces, width, smoothness, weights) for pieces, width, weights in rivals)
    out = []
    for pieces, width, weights in rivals:
        level = Level(pieces, spacing, smoothness, "likelihood", weights)
        out.append(_score(level, min(width, spacing * widest(smoothness))))
    return out


def _spacing(pieces: Pieces, width: float, smoothness: int, weights: NDArray | None) -> float:
    """Knots for a width: not closer than two a sample, where even what is between samples is well described.

    Where the noise is small, less is averaged, ``w^(2m) ~ v``; knots are for the tenth of the samples with the least.
    """
    least = 1.0 if weights is None else float(np.quantile(1.0 / weights, QUIET)) ** (1 / (2 * smoothness))
    return min(max(min(least, 1.0) * width / PER_WIDTH, pieces.step / 2), pieces.longest)


def _coarse(pieces: Pieces, smoothness: int, criterion: Criterion, weights: NDArray | None) -> list[float]:
    """The best of widths in steps of two, for each column: from one knot a sample to as few as lose nothing."""
    d, spacing, top = pieces.y.shape[1], pieces.step, widest(smoothness)
    best = np.full(d, pieces.step / BELOW)
    open_ = np.ones(d, dtype=bool)
    while open_.any():
        level = Level(Pieces(pieces.times, pieces.y[:, open_]), spacing, smoothness, criterion, weights)
        widths, scores = [], []
        trial = spacing / BELOW
        while trial <= spacing * top * (1 + CLOSE):
            try:
                scores.append([fit.score for fit in level.fits(trial)])
            except LinAlgError:  # so wide that rounding leaves nothing of the smooth part
                break
            widths.append(trial)
            trial *= STEP
        at = np.argmin(np.array(scores), axis=0)
        best[open_] = np.array(widths)[at]
        again = np.zeros(d, dtype=bool)
        again[np.flatnonzero(open_)[at == len(widths) - 1]] = True
        if widths[-1] > pieces.longest or len(widths) < 3:
            break
        open_, spacing = again, max(widths[-1] / BELOW, spacing * STEP)
    return best.tolist()


def _fine(pieces: Pieces, start: float, smoothness: int, criterion: Criterion, weights: NDArray | None) -> float:
    """The best width near one that is best to within a factor of two."""
    width = start
    for _ in range(3):
        level = Level(pieces, _spacing(pieces, width, smoothness, weights), smoothness, criterion, weights)
        low, high = np.log(max(width / STEP, pieces.step / BELOW**2)), np.log(width * STEP)
        found = minimize_scalar(
            lambda u, level=level: _score(level, float(np.exp(u))),
            bounds=(low, high),
            method="bounded",
            options={"xatol": CLOSE},
        )
        before, width = width, float(np.exp(found.x))
        if before / np.sqrt(STEP) < width < before * np.sqrt(STEP):
            break
    return width


def _score(level: Level, width: float) -> float:
    try:
        return level.fits(width)[0].score
    except LinAlgError:
        return np.inf
