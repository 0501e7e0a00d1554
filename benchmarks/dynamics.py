"""From noisy trajectories to equations: how often they are right, beside pysindy in the same run.

**four**: the four systems of the source paper at their noise, and with less data: `benchmarks._dynamics_four`.
**odebench**: the 63 equations of ODEBench by its protocol, beside their Cramer-Rao bounds: `_dynamics_odebench`.
**dysts**: the polynomial flows of the package of this name: `_dynamics_dysts`.
**planets**, **model_error**, **structure**, **speed**, **pages**, **symbolic**: each in the module `_dynamics_` of its
name.

``--only four,odebench`` runs these groups alone. No method is told the level of the noise.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from typing import Any

from benchmarks.promote import one_thread

GROUPS = ("four", "odebench", "dysts", "planets", "model_error", "structure", "speed", "pages", "symbolic")


def run(full: bool, only: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    unknown = sorted(set(only) - set(GROUPS))
    if unknown:
        raise SystemExit(f"no group is called {', '.join(unknown)}; groups: {', '.join(GROUPS)}")
    rows: list[dict[str, Any]] = []
    with one_thread():
        for name in only or GROUPS:
            if importlib.util.find_spec(f"benchmarks._dynamics_{name}") is None:
                continue
            start = time.perf_counter()
            found = importlib.import_module(f"benchmarks._dynamics_{name}").rows(full)
            print(f"{name}: {len(found)} rows in {time.perf_counter() - start:.0f} s", flush=True)
            rows += found
    return rows
