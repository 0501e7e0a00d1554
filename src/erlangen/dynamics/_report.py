"""Whether the data agree with a symmetry that was imposed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray


@dataclass(frozen=True)
class SymmetryTest(AbstractShown):
    """An enforced symmetry against no symmetry, on the same data.

    Attributes
    ----------
    gain : float
        By how much the score of equations without the symmetry is better; twice the logarithm of the odds against it.
    breaking : float
        Root mean square of what these equations add, relative to the velocities.
    rejected : bool
        Whether the data speak against the symmetry.
    reason : str
        The same in words.
    """

    gain: float
    breaking: float
    rejected: bool
    reason: str

    def __str__(self) -> str:
        return self.reason


def symmetry_test(symmetric: Any, free: Any, functions: NDArray) -> SymmetryTest | None:
    """Compare two choices of equations; None where the second could not be followed.

    Scores hold the price of the terms. Fields without a symmetry are more, and their terms cost more.

    Parameters
    ----------
    symmetric, free : Chosen
        With the symmetry, and without.
    functions : ndarray (n, r)
        Values of the library at the data.
    """
    if free.discovered is None or not np.isfinite(free.discovered.score):
        return None
    gain = _surprise(symmetric.discovered, free.discovered) - _surprise(free.discovered, free.discovered)
    difference = functions @ (free.theta - symmetric.theta).T
    size = float(np.sqrt(np.mean((functions @ free.theta.T) ** 2)))
    breaking = float(np.sqrt(np.mean(difference**2))) / size if size > 0 else 0.0
    return verdict(gain, breaking)


STRONG = 6.0
"""Twice the logarithm of odds that are strong evidence (Kass and Raftery, 1995)."""


def verdict(gain: float, breaking: float) -> SymmetryTest:
    """In words."""
    if gain <= 0:
        text = f"the data agree with the symmetry: without it, the score is worse by {-gain:.3g}"
    elif gain <= STRONG:
        text = f"the data hardly speak against the symmetry: without it, the score is better by {gain:.3g}"
    else:
        text = (
            f"the data speak against the symmetry: without it, the score is better by {gain:.3g}; what breaks it is "
            f"{breaking:.2g} of the velocities"
        )
    return SymmetryTest(gain, breaking, gain > STRONG, text)


def _surprise(found: Any, free: Any) -> float:
    """The score, and twice the logarithms of standard deviations: scores under different noise compare with these.

    Weak equations have the variance that is left without the symmetry.
    """
    if not found.length:
        return found.score - found.fit.cost + found.fit.cost * found.variance / free.variance
    return found.score + 2 * float(sum(np.log(record.sizes).sum() for record in found.records))


MISFIT = 3.0
"""Ratio of what equations leave to the noise of smoothing from which on there is more than noise in it."""

SEEN = 0.02
"""Share of the spread of a coordinate that must be left, too: integrators of users have errors of their own."""

LAGS = 5
"""Neighbours that samples without equations are compared with."""

ORDER = 1e-6
"""Probability that noise alone has as much order as the samples, below which there is something to find."""


def unexplained(names: tuple[str, ...], misfit: NDArray, left: NDArray) -> str:
    """Which coordinates the equations leave more of than noise; empty where there is none.

    Parameters
    ----------
    misfit : ndarray (d,)
        What is left, relative to the noise that smoothing finds.
    left : ndarray (d,)
        And relative to the spread of the coordinate.
    """
    odd = [f"{misfit[a]:.3g} times in {names[a]}" for a in np.flatnonzero((misfit > MISFIT) & (left > SEEN))]
    if not odd:
        return ""
    return (
        f"the equations leave more than the noise that smoothing finds, {', '.join(odd)}: a term, a state or an input "
        "is missing, or samples are too coarse"
    )


def ordered(residuals: NDArray, index: NDArray) -> NDArray:
    """Probabilities ``(d,)`` that residuals of neighbouring samples have as little in common as noise (Ljung, Box)."""
    out = np.ones(residuals.shape[1])
    runs = [residuals[index[:, 0] == k] for k in np.unique(index[:, 0])]
    runs = [run - run.mean(axis=0) for run in runs if len(run) > 2 * LAGS]
    if not runs:
        return out
    n, total = sum(len(run) for run in runs), np.sum([(run**2).sum(axis=0) for run in runs], axis=0)
    for a in np.flatnonzero(total > 0):
        shared = [sum(run[lag:, a] @ run[:-lag, a] for run in runs) / total[a] for lag in range(1, LAGS + 1)]
        q = n * (n + 2) * sum(r**2 / (n - lag) for lag, r in enumerate(shared, 1))
        out[a] = stats.chi2.sf(q, LAGS)
    return out
