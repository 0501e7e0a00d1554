"""A Gaussian process on residuals: how far is the derivative of a model from that of the truth?

The prior is a Matern process of smoothness 5/2, whose sample paths have the derivative that is asked about,
plus independent noise. Lengths and noise shares are not fitted but averaged over a grid by their likelihood:
where the residuals cannot tell a short wave from noise, both readings count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

LIKELIHOOD_POINTS = 600
"""Points on which the readings of the grid are compared."""

POSTERIOR_POINTS = 1500
"""Points that the correction passes through; its cost grows with their cube."""

DERIVATIVE_POINTS = 150
"""Points at which the remaining error is averaged; it varies little over the data."""

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
    slope : ndarray (c,)
        Mean square of the derivative of the error, correction and remainder together.
    remainder : ndarray (c,)
        Mean square of the part of that derivative that the correction does not know.
    noise : ndarray (c,)
        Root mean square of the noise.
    """

    centres: NDArray
    offset: NDArray
    readings: tuple[Reading, ...]
    slope: NDArray
    remainder: NDArray
    noise: NDArray

    def value(self, z: NDArray) -> NDArray:
        """Expected residuals ``(n, c)``."""
        r = _distances(z, self.centres)
        return self.offset + sum(_matern(r, k.length)[0] @ (k.alpha * k.weights) for k in self.readings)

    def jacobian(self, z: NDArray) -> NDArray:
        """Their derivatives ``(n, c, d)``."""
        r = _distances(z, self.centres)
        return sum(_mean_slope(z, self.centres, r, k.length, k.alpha * k.weights) for k in self.readings)


def residual_process(z: NDArray, h: NDArray, rng: int | np.random.Generator = 0) -> ResidualProcess:
    """Condition the process on residuals ``h (n, c)`` at scaled points ``z (n, d)``."""
    order = np.random.default_rng(rng).permutation(len(z))
    z, h = z[order], h[order]
    grid = _grid(z[:LIKELIHOOD_POINTS], h[:LIKELIHOOD_POINTS])
    centres, some = z[:POSTERIOR_POINTS], h[:POSTERIOR_POINTS]
    offset = some.mean(axis=0)
    at = centres[:DERIVATIVE_POINTS]
    r = _distances(at, centres)
    readings, squares, noise = [], np.zeros(h.shape[1]), np.zeros(h.shape[1])
    for length, share, weights in grid:
        alpha, variance, reduction = _condition(centres, some - offset, at, length, share)
        readings.append(Reading(length, weights, alpha))
        mean = _mean_slope(at, centres, r, length, alpha)
        prior = z.shape[1] * 5.0 / (3.0 * length**2)
        squares += weights * (np.mean(mean**2, axis=0).sum(axis=1) + variance * max(prior - reduction, 0.0))
        noise += weights * variance * share
    mean = sum(_mean_slope(at, centres, r, k.length, k.alpha * k.weights) for k in readings)
    open_part = np.maximum(squares - np.mean(mean**2, axis=0).sum(axis=1), 0.0)
    return ResidualProcess(centres, offset, tuple(readings), squares, open_part, np.sqrt(noise))


def _grid(z: NDArray, h: NDArray) -> list[tuple[float, float, NDArray]]:
    """Likely lengths and noise shares, with their weight in each channel ``(c,)``."""
    r = _distances(z, z)
    nearest = float(np.median(np.partition(r, 1, axis=1)[:, 1]))
    longest = 2.0 * float(np.median(r))
    h = h - h.mean(axis=0)
    rows = []
    for length in np.geomspace(max(nearest, longest / 64), longest, N_LENGTHS):
        kernel = _matern(r, length)[0]
        rows += [(float(length), share, _log_likelihood(kernel, h, share)) for share in NOISE_SHARES]
    scores = np.array([score for _, _, score in rows])
    weights = np.exp(scores - scores.max(axis=0))
    weights[weights < MIN_WEIGHT] = 0.0
    best = np.argsort(-weights.max(axis=1), kind="stable")[: MAX_READINGS + h.shape[1] - 1]
    best = best[weights[best].max(axis=1) > 0]
    total = weights[best].sum(axis=0)
    return [(rows[i][0], rows[i][1], weights[i] / total) for i in best]


def _log_likelihood(kernel: NDArray, h: NDArray, share: float) -> NDArray:
    """Log likelihood ``(c,)`` with the variance at its best value."""
    factor = _factor(kernel, share)
    variance = np.mean(linalg.solve_triangular(factor, h, lower=True, check_finite=False) ** 2, axis=0)
    tiny = np.finfo(np.float64).tiny
    return -0.5 * len(h) * np.log(np.maximum(variance, tiny)) - np.log(np.diag(factor)).sum()


def _condition(
    centres: NDArray, h: NDArray, at: NDArray, length: float, share: float
) -> tuple[NDArray, NDArray, float]:
    """Coefficients ``(m, c)``, variances ``(c,)``, and by how much the data reduce the unit slope variance."""
    factor = _factor(_matern(_distances(centres, centres), length)[0], share)
    half = linalg.solve_triangular(factor, h, lower=True, check_finite=False)
    alpha = linalg.solve_triangular(factor, half, lower=True, trans="T", check_finite=False)
    rate = _matern(_distances(centres, at), length)[1]
    slopes = np.concatenate(list(((centres[:, None, :] - at) * rate[:, :, None]).transpose(2, 0, 1)), axis=1)
    reduced = linalg.solve_triangular(factor, slopes, lower=True, overwrite_b=True, check_finite=False)
    return alpha, np.mean(half**2, axis=0), float(np.sum(reduced**2)) / len(at)


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
