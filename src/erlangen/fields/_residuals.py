"""A Gaussian process on residuals: how far is the derivative of a model from that of the truth?

The prior is a Matern process of smoothness 5/2, whose sample paths have the derivative that is asked about,
plus independent noise. Lengths and noise shares are not fitted but averaged over a grid by their likelihood:
where the residuals cannot tell a short wave from noise, both readings count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from erlangen._typing import NDArray

LIKELIHOOD_POINTS = 600
"""Points on which the readings of the grid are compared."""

POSTERIOR_POINTS = 1500
"""Points that the correction passes through; its cost grows with their cube."""

DERIVATIVE_POINTS = 250
"""Points at which the remaining error is averaged; it varies little over the data."""

CHANGE_POINTS = 2048
"""Points at which the corrections by all and by half of the data are compared."""

CHUNK = 2048
"""Points evaluated together, so that the matrix of their distances to the centres stays small."""

N_LENGTHS = 7

NOISE_SHARES = (1e-6, 1e-3, 1e-1, 1.0, 10.0, 100.0)
"""Variances of the noise over that of the process; the first is no noise, up to what Cholesky needs."""

MIN_WEIGHT = 0.05
"""Readings less likely than this share of the best one are left out."""

MAX_READINGS = 4

ROOT5 = np.sqrt(5.0)


@dataclass(frozen=True, eq=False)
class Reading:
    """One length and noise share, conditioned on the residuals.

    Attributes
    ----------
    length : float
        Correlation length in scaled coordinates.
    weights : ndarray (c,)
        Share of this reading in each channel.
    alpha : ndarray (m, c)
        Coefficients of the kernel at the m centres.
    """

    length: float
    weights: NDArray
    alpha: NDArray


@dataclass(frozen=True, eq=False)
class ResidualProcess:
    """The mean of the process, in scaled coordinates ``z (n, d)``, and what it leaves open.

    Attributes
    ----------
    centres : ndarray (m, d)
        Points that the process was conditioned on.
    offset : ndarray (c,)
        Mean residual.
    readings : tuple of Reading
        The likely lengths and noise shares.
    unknown : ndarray (c,)
        Mean square of the part of the error's derivative that the mean of the process does not know.
    noise : ndarray (c,)
        Root mean square of the noise.
    """

    centres: NDArray
    offset: NDArray
    readings: tuple[Reading, ...]
    unknown: NDArray
    noise: NDArray

    def value(self, z: NDArray) -> NDArray:
        """Expected residuals ``(n, c)``."""
        return np.concatenate([self._value(part) for part in _parts(z)])

    def jacobian(self, z: NDArray) -> NDArray:
        """Their derivatives ``(n, c, d)``."""
        return np.concatenate([self._jacobian(part) for part in _parts(z)])

    def _value(self, z: NDArray) -> NDArray:
        r = _distances(z, self.centres)
        return self.offset + sum(_matern(r, k.length)[0] @ (k.alpha * k.weights) for k in self.readings)

    def _jacobian(self, z: NDArray) -> NDArray:
        r = _distances(z, self.centres)
        slopes = [_mean_slope(z, self.centres, r, k.length, k.alpha * k.weights) for k in self.readings]
        return np.sum(slopes, axis=0)


def _parts(z: NDArray) -> list[NDArray]:
    return [z[i : i + CHUNK] for i in range(0, max(len(z), 1), CHUNK)]


def residual_process(z: NDArray, h: NDArray, rng: int | np.random.Generator = 0) -> ResidualProcess:
    """Condition the process on residuals ``h (n, c)`` at scaled points ``z (n, d)``."""
    order = np.random.default_rng(rng).permutation(len(z))
    z, h = z[order], h[order]
    grid, inflation = _grid(z[:LIKELIHOOD_POINTS], h[:LIKELIHOOD_POINTS])
    centres, some = z[:POSTERIOR_POINTS], h[:POSTERIOR_POINTS]
    offset = some.mean(axis=0)
    at = centres[:DERIVATIVE_POINTS]
    r = _distances(at, centres)
    readings, squares, spread, noise = [], 0.0, 0.0, 0.0
    for length, share, weights in grid:
        alpha, variance, unknown = _condition(centres, some - offset, len(at), length, share)
        readings.append(Reading(length, weights, alpha))
        squares = squares + weights * np.mean(_mean_slope(at, centres, r, length, alpha) ** 2, axis=0).sum(axis=1)
        spread = spread + weights * unknown
        noise = noise + weights * variance * share
    mean = np.sum([_mean_slope(at, centres, r, k.length, k.alpha * k.weights) for k in readings], axis=0)
    between = np.maximum(squares - np.mean(mean**2, axis=0).sum(axis=1), 0.0)
    process = ResidualProcess(centres, offset, tuple(readings), inflation * (spread + between), np.sqrt(noise))
    return replace(process, unknown=np.maximum(process.unknown, _change(process, grid, some, z)))


def _change(process: ResidualProcess, grid: list[tuple[float, float, NDArray]], h: NDArray, z: NDArray) -> NDArray:
    """Mean square change ``(c,)`` of the expected slope when half of the centres are left out.

    Where the error of the mean falls by half or more with twice the data, the error left is no larger than this
    change. It does not rest on the prior, which an error concentrated in the corners does not obey.
    """
    centres, half = process.centres[::2], h[::2] - process.offset
    readings = []
    for length, share, weights in grid:
        factor = _factor(_matern(_distances(centres, centres), length)[0], share)
        readings.append(Reading(length, weights, linalg.cho_solve((factor, True), half, check_finite=False)))
    fewer = replace(process, centres=centres, readings=tuple(readings))
    some = z[:CHANGE_POINTS]
    return np.mean((fewer.jacobian(some) - process.jacobian(some)) ** 2, axis=0).sum(axis=1)


def _grid(z: NDArray, h: NDArray) -> tuple[list[tuple[float, float, NDArray]], NDArray]:
    """Likely lengths and noise shares with their weight in each channel, and how much they scatter ``(c,)``.

    The scatter is one standard deviation of the mean square slope that they claim, relative to its mean.
    """
    r = _distances(z, z)
    nearest = float(np.median(np.partition(r, 1, axis=1)[:, 1]))
    longest = 2.0 * float(np.median(r))
    h = h - h.mean(axis=0)
    rows, scores, slopes = [], [], []
    for length in np.geomspace(max(nearest, longest / 64), longest, N_LENGTHS):
        kernel = _matern(r, length)[0]
        for share in NOISE_SHARES:
            score, variance = _log_likelihood(kernel, h, share)
            rows.append((float(length), share))
            scores.append(score)
            slopes.append(variance / length**2)
    weights = np.exp(np.array(scores) - np.max(scores, axis=0))
    weights[weights < MIN_WEIGHT] = 0.0
    mean, square = (np.sum(weights * np.array(slopes) ** k, axis=0) / weights.sum(axis=0) for k in (1, 2))
    scatter = np.sqrt(np.maximum(square - mean**2, 0.0)) / np.where(mean > 0, mean, 1.0)
    best = np.argsort(-weights.max(axis=1), kind="stable")[: MAX_READINGS + h.shape[1] - 1]
    total = weights[best].sum(axis=0)
    return [(*rows[i], weights[i] / total) for i in best if weights[i].any()], 1.0 + scatter


def _log_likelihood(kernel: NDArray, h: NDArray, share: float) -> tuple[NDArray, NDArray]:
    """Log likelihood ``(c,)`` with the variance ``(c,)`` at its best value."""
    factor = _factor(kernel, share)
    variance = np.mean(linalg.solve_triangular(factor, h, lower=True, check_finite=False) ** 2, axis=0)
    variance = np.maximum(variance, np.finfo(np.float64).tiny)
    return -0.5 * len(h) * np.log(variance) - np.log(np.diag(factor)).sum(), variance


def _condition(centres: NDArray, h: NDArray, n: int, length: float, share: float) -> tuple[NDArray, NDArray, NDArray]:
    """Coefficients ``(m, c)``, variances ``(c,)``, and the unknown mean square slope ``(c,)`` at n centres."""
    factor = _factor(_matern(_distances(centres, centres), length)[0], share)
    half = linalg.solve_triangular(factor, h, lower=True, check_finite=False)
    alpha = linalg.solve_triangular(factor, half, lower=True, trans="T", check_finite=False)
    variance = np.maximum(np.mean(half**2, axis=0), np.finfo(np.float64).tiny)
    rate = _matern(_distances(centres, centres[:n]), length)[1]
    slopes = ((centres[:, None, :] - centres[:n]) * rate[:, :, None]).transpose(0, 2, 1).reshape(len(centres), -1)
    reduced = np.sum(
        linalg.solve_triangular(factor, slopes, lower=True, overwrite_b=True, check_finite=False) ** 2, axis=0
    )
    prior = centres.shape[1] * 5.0 / (3.0 * length**2)
    unknown = np.maximum(prior - reduced.reshape(-1, n).sum(axis=0), 0.0)
    # Errors of a fit are larger in the corners, where slopes are known worst as well. So the variance at a point
    # counts as often as the residual there, predicted from all others, exceeds what the process expects of it. The
    # corners are few: all centres are looked at, and the slope's variance is carried over by that of the value.
    left_out = 1.0 / np.diag(linalg.lapack.dpotri(factor, lower=1)[0])
    order = np.argsort(left_out[:n])
    everywhere = np.interp(left_out, left_out[:n][order], unknown[order])
    excess = alpha**2 * left_out[:, None] / variance
    return alpha, variance, variance * np.maximum(unknown.mean(), everywhere @ excess / len(centres))


def _factor(kernel: NDArray, share: float) -> NDArray:
    covariance = kernel.copy()
    covariance.flat[:: len(kernel) + 1] += share
    return linalg.cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)


def _mean_slope(z: NDArray, centres: NDArray, r: NDArray, length: float, alpha: NDArray) -> NDArray:
    """Derivatives ``(n, c, d)`` of the kernel sums: -(z - centre) times the rate, summed by two products."""
    rate = _matern(r, length)[1]
    weighted = (alpha[:, :, None] * centres[:, None, :]).reshape(len(centres), -1)
    pulled = (rate @ weighted).reshape(len(z), alpha.shape[1], centres.shape[1])
    return pulled - (rate @ alpha)[:, :, None] * z[:, None, :]


def _distances(a: NDArray, b: NDArray) -> NDArray:
    squares = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1) - 2.0 * (a @ b.T)
    return np.sqrt(np.maximum(squares, 0.0))


def _matern(r: NDArray, length: float) -> tuple[NDArray, NDArray]:
    """The kernel at distances r, and minus its derivative over r."""
    u = ROOT5 * r / length
    decay = np.exp(-u)
    return (1.0 + u + u**2 / 3.0) * decay, 5.0 / (3.0 * length**2) * (1.0 + u) * decay
