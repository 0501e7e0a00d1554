"""From noisy trajectories to equations: how often they are right, beside pysindy in the same run.

**four**: the four systems of the source paper at their noise, and with less data: `benchmarks._dynamics_four`.
**odebench**: the 63 equations of ODEBench by its protocol, beside their Cramer-Rao bounds: `_dynamics_odebench`.
**dysts**: the polynomial flows of the package of this name: `_dynamics_dysts`.
**planets**, **model_error**, **structure**, **speed**, **pages**, **symbolic**: each in the module `_dynamics_` of its
name.

``--only four,odebench`` runs these groups alone. No method is told the level of the noise.
"""

from __future__ import annotations

from typing import Any

from benchmarks._groups import run_groups

GROUPS = ("four", "odebench", "dysts", "planets", "model_error", "structure", "speed", "pages", "symbolic")


def run(full: bool, only: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return run_groups("dynamics", GROUPS, full, only)
