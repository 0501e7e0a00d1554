"""Standard deviations of observations, from what a smooth curve or a model leaves of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import nnls

from erlangen._typing import NDArray

ACCURACY = 1e-5
"""Share of the spread of a coordinate below which nothing is told apart: the accuracy of the integration."""

ROUNDING = 100 * float(np.finfo(np.float64).eps)
"""Share of the size of a coordinate, wherever its origin is."""

PASSES = 3
"""Times that the variances are weighted anew: squares of residuals scatter as much as they are large."""


def floors(states: Sequence[NDArray]) -> NDArray:
    """Least standard deviations ``(d,)`` of noise."""
    together = np.concatenate(states)
    spread, size = together.std(axis=0), np.abs(together).max(axis=0)
    least = ACCURACY * spread + ROUNDING * size
    return np.where(least > 0, least, ACCURACY)


def sizes(rest: Sequence[NDArray], states: Sequence[NDArray], lost: float, floor: NDArray) -> list[NDArray]:
    """Standard deviations ``(n, d)`` for each record: for each coordinate, variance a^2 + b^2 x^2.

    Parameters
    ----------
    rest, states : sequence of ndarray (n, d)
        Residuals, and the states that they scatter about.
    lost : float
        Share of the residual squares that the fit has taken up.
    floor : ndarray (d,)
        Least standard deviations.
    """
    squares = np.concatenate(rest) ** 2 / (1 - lost)
    # Squares of fitted states are known up to the variance of the fit: without it, a state that happens to be fitted
    # near zero would count as free of noise.
    unsure = lost * squares.mean(axis=0)
    levels = [x**2 + unsure for x in states]
    together = np.concatenate(levels)
    a2, b2 = np.transpose([_variances(squares[:, a], together[:, a], floor[a]) for a in range(len(floor))])
    return [np.sqrt(a2 + b2 * level) for level in levels]


def _variances(squares: NDArray, level: NDArray, floor: float) -> tuple[float, float]:
    """Constant and relative part of the variance, by weighted least squares without negative parts."""
    mean = float(squares.mean())
    if mean <= floor**2:
        return floor**2, 0.0
    columns = np.stack([np.ones(len(level)), level], axis=1)
    a2, b2 = mean / 2, mean / 2 / max(float(level.mean()), np.finfo(np.float64).tiny)
    for _ in range(PASSES):
        weights = 1 / np.maximum(columns @ [a2, b2], floor**2)
        # Coefficients of one size: units of states are no matter.
        unit = np.array([mean, mean / max(float(level.mean()), np.finfo(np.float64).tiny)])
        (a2, b2), _ = nnls(columns * unit * weights[:, None], squares * weights)
        a2, b2 = a2 * unit[0], b2 * unit[1]
    return max(a2, floor**2), b2
