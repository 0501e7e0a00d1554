"""Do the two best models of a table show the same symmetry? If not, the data do not decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen.actions import AbstractAction
from erlangen.derivative import LieDerivative, Samples
from erlangen.derivative.scales import Scales
from erlangen.fields import AbstractField
from erlangen.verbs._sort import Found


@dataclass(frozen=True)
class Agreement:
    """Whether the runner-up model confirms the generators.

    Attributes
    ----------
    agrees : bool
        Whether every generator is a symmetry of the runner-up too, up to its own error.
    worst : float
        Largest defect of a generator under the runner-up.
    reason : str
        Words.
    """

    agrees: bool
    worst: float
    reason: str


def agreement(
    field: AbstractField, action: AbstractAction, samples: Samples, found: Found, scales: Scales, tolerance: float
) -> Agreement | None:
    """Defects of the findings under the second best model; None where there is no second model."""
    runner_up = getattr(field, "runner_up", None)
    if runner_up is None or not found.generators:
        return None
    factors = LieDerivative(runner_up, action, samples).factors(scales)
    xi = found.matrix("generators").T
    sizes = factors.informs.norms(xi)
    defects = np.linalg.norm(factors.rows @ xi, axis=0) / np.where(sizes > 0, sizes, 1.0)
    own_error = max(runner_up.accuracy, field.accuracy)
    debiased = np.sqrt(np.maximum(defects**2 - own_error**2, 0.0))
    worst = float(defects.max())
    if debiased.max() <= 2 * tolerance:  # both models may use the tolerance once
        return Agreement(True, worst, f"the runner-up model agrees (largest defect {worst:.2g})")
    return Agreement(
        False,
        worst,
        f"a generator of the chosen model has defect {worst:.2g} under the runner-up, so the data do not decide",
    )
