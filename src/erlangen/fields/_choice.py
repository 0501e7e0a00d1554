"""Which class of a path to believe, and how well its derivative is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from erlangen.fields._path import SIGNIFICANT, Level, converged, mean_square
from erlangen.linalg.qr import rounding

UNKNOWN = (float("inf"), float("inf"))
"""Errors of a class that is not there."""


@dataclass(frozen=True, eq=False)
class Chain:
    """Nested classes in order, and the largest joined with a sketch of what it leaves out."""

    levels: tuple[Level, ...]
    larger: Level

    def after(self, level: Level) -> tuple[Level, ...]:
        """The larger classes of the chain."""
        i = next(i for i, other in enumerate(self.levels) if other is level)
        return (*self.levels[i + 1 :], self.larger)


@dataclass(frozen=True, eq=False)
class Choice:
    """The class chosen, the one to compare with, and what is known of the derivative.

    Attributes
    ----------
    level, runner_up : Level
        The fit, and the next larger class (where every class was rejected: the second best).
    verdict : {"fits", "converged", "rejected"}
        Whether the class passes its tests, or agrees with the larger ones all the same, or neither.
    accuracy, runner_up_accuracy : float
        Estimated relative errors of the two derivatives.
    resolution, runner_up_resolution : float
        What is left of them once the expected effect of noise has been taken out.
    reason : str
        Words.
    """

    level: Level
    runner_up: Level | None
    verdict: str
    accuracy: float
    resolution: float
    runner_up_accuracy: float
    runner_up_resolution: float
    reason: str


def choose(chains: Sequence[Chain], others: Sequence[Level], tolerance: float) -> Choice:
    """Take the smallest class without lack of fit whose held-out error is within one standard error of the best.

    Failing that, the smallest class whose derivative agrees with those of all larger classes up to
    the tolerance; failing that, the class with the smallest held-out error.
    """
    pool = sorted([*(level for c in chains for level in c.levels), *others], key=lambda level: level.n_params)
    best = min(pool, key=lambda level: rms(level))
    home = {id(level): c for c in chains for level in c.levels}
    for level in pool:
        if level.lack_of_fit >= SIGNIFICANT and not_worse(level, best):
            return _fits(level, home[id(level)].after(level)[0])
    for level in pool:
        after = home[id(level)].after(level)[:-1] if id(level) in home else ()
        if after and converged(level, after, tolerance) and not clearly_worse(level, others):
            return _converged(level, after)
    rest = [level for level in pool if level is not best]
    return _rejected(best, min(rest, key=rms) if rest else None)


def revised(verdict: str, level: Level, following: Level | None, reason: str) -> Choice:
    """A choice made on a part of the rows, with what all of them tell about the same two classes."""
    if following is None:
        return Choice(level, None, verdict, *_errors(level, 0.0), *UNKNOWN, reason)
    bias = mean_square(level.slopes - following.slopes)
    if verdict == "fits":  # of the difference between two classes that both hold the truth, the added noise is expected
        bias = max(bias - max(following.slope_variance - level.slope_variance, 0.0), 0.0)
    rest = 0.0 if verdict == "fits" else bias
    return Choice(level, following, verdict, *_errors(level, bias), *_errors(following, rest), reason)


def rms(level: Level) -> float:
    """Held-out root mean square error in standard deviations of the values."""
    error = float(np.sqrt(np.mean(level.held_out)))
    return error if np.isfinite(error) else float("inf")


def not_worse(a: Level, b: Level) -> bool:
    """Whether a's held-out error exceeds b's by less than one standard error of the paired difference."""
    if a is b:
        return True
    if a.rows is not None and b.rows is not None:
        return rms(a) <= rms(b)
    rows = a.rows if a.rows is not None else b.rows
    first = a.held_out if rows is None or a.rows is not None else a.held_out[rows]
    second = b.held_out if rows is None or b.rows is not None else b.held_out[rows]
    difference = first - second
    return float(difference.mean()) <= float(difference.std() / np.sqrt(len(difference)))


def clearly_worse(level: Level, others: Sequence[Level]) -> bool:
    """Whether another kind of class has a significantly smaller held-out error."""
    return any(not not_worse(level, other) for other in others)


def _errors(level: Level, bias: float) -> tuple[float, float]:
    """Accuracy and resolution: noise counts in full, or with two standard deviations of its scatter."""
    size = mean_square(level.slopes)
    if size == 0:
        return float("inf"), float("inf")
    floor = rounding((len(level.held_out), level.n_params))
    left = min(1.0, 2.0 * level.slope_scatter) * level.slope_variance
    return (
        max(float(np.sqrt((level.slope_variance + bias) / size)), floor),
        max(float(np.sqrt((left + bias) / size)), floor),
    )


def _fits(level: Level, following: Level) -> Choice:
    reason = (
        f"{level.name} is the smallest class that passes: no lack of fit against larger classes "
        f"(p = {level.lack_of_fit:.2g}) and a held-out error of {rms(level):.2g} as small as theirs"
    )
    return revised("fits", level, following, reason)


def _converged(level: Level, after: Sequence[Level]) -> Choice:
    bias = max(mean_square(level.slopes - other.slopes) for other in after)
    reason = (
        f"every class up to {after[-1].name} shows lack of fit, but the derivative of {level.name} differs from those "
        f"of the larger ones by at most {np.sqrt(bias / mean_square(level.slopes)):.2g}"
    )
    return Choice(level, after[0], "converged", *_errors(level, bias), *_errors(after[0], bias), reason)


def _rejected(best: Level, second: Level | None) -> Choice:
    untested = bool(np.isnan(best.lack_of_fit))
    why = "has no test of fit" if untested else f"shows lack of fit (p = {best.lack_of_fit:.1g})"
    reason = f"{best.name} has the smallest held-out error, {rms(best):.2g} of the values' spread, but {why}"
    if second is None:
        return Choice(best, None, "rejected", *_errors(best, 0.0), *UNKNOWN, reason)
    # Errors of derivatives shrink as those of values do, so the worse model's share of the difference is the larger.
    share = min(1.0, rms(best) ** 2 / max(rms(second) ** 2, np.finfo(float).tiny))
    difference = mean_square(best.slopes - second.slopes)
    return Choice(best, second, "rejected", *_errors(best, share * difference), *_errors(second, difference), reason)
