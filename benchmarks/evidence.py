"""Is a symmetry that was found there? False certification, detection, bounds and cost, beside other methods.

**protocol**: ten fields, by the protocol of a published method with error control, `benchmarks._evidence_protocol`.
**models**: perceptrons and Gaussian processes, `_evidence_models`.
**dysts**: chaotic flows that have no symmetry, `_evidence_dysts`.
**gates**: coverage and truncated classes, `_evidence_gates`.
**bounds**: networks on a box, `_evidence_bounds`.
**noise**: levels under noise of every kind, and of the test of a given group, `_evidence_noise`.
**discrete**: finite sets and other components of a group, `_evidence_discrete`.
**cost**: the time of a certificate beside that of discovery, `_evidence_cost`.

``--only protocol,cost`` runs these groups alone. Each process uses one thread.
"""

from __future__ import annotations

from typing import Any

from benchmarks._groups import run_groups

GROUPS = ("protocol", "models", "dysts", "gates", "bounds", "noise", "discrete", "cost")


def run(full: bool, only: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return run_groups("evidence", GROUPS, full, only)
