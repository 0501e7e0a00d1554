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

import importlib
import importlib.util
import time
from typing import Any

from benchmarks.promote import one_thread

GROUPS = ("protocol", "models", "dysts", "gates", "bounds", "noise", "discrete", "cost")


def run(full: bool, only: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    unknown = sorted(set(only) - set(GROUPS))
    if unknown:
        raise SystemExit(f"no group is called {', '.join(unknown)}; groups: {', '.join(GROUPS)}")
    rows: list[dict[str, Any]] = []
    with one_thread():
        for name in only or GROUPS:
            if importlib.util.find_spec(f"benchmarks._evidence_{name}") is None:
                continue
            start = time.perf_counter()
            found = importlib.import_module(f"benchmarks._evidence_{name}").rows(full)
            print(f"{name}: {len(found)} rows in {time.perf_counter() - start:.0f} s", flush=True)
            rows += found
    return rows
