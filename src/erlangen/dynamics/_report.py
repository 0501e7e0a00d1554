"""Whether the data agree with a symmetry that was imposed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SymmetryTest:
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
    gain = _surprise(symmetric.discovered) - _surprise(free.discovered)
    difference = functions @ (free.theta - symmetric.theta).T
    size = float(np.sqrt(np.mean((functions @ free.theta.T) ** 2)))
    breaking = float(np.sqrt(np.mean(difference**2))) / size if size > 0 else 0.0
    if gain <= 0:
        text = f"the data agree with the symmetry: without it, the score is worse by {-gain:.3g}"
        return SymmetryTest(gain, breaking, False, text)
    text = (
        f"the data speak against the symmetry: without it, the score is better by {gain:.3g}; what breaks it is "
        f"{breaking:.2g} of the velocities"
    )
    return SymmetryTest(gain, breaking, True, text)


def _surprise(found: Any) -> float:
    """The score, and twice the logarithms of standard deviations: scores under different noise compare with these."""
    return found.score + 2 * float(sum(np.log(record.sizes).sum() for record in found.records))
