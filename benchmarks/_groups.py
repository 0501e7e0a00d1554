"""Run the groups of a benchmark, each a module of its own, one thread a process."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.promote import one_thread


def run_groups(benchmark: str, groups: Sequence[str], full: bool, only: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Rows of the modules ``benchmarks._<benchmark>_<group>``, of all groups or of some."""
    unknown = sorted(set(only) - set(groups))
    if unknown:
        raise SystemExit(f"no group is called {', '.join(unknown)}; groups: {', '.join(groups)}")
    rows: list[dict[str, Any]] = []
    with one_thread():
        for name in only or groups:
            if importlib.util.find_spec(f"benchmarks._{benchmark}_{name}") is None:
                continue
            start = time.perf_counter()
            found = importlib.import_module(f"benchmarks._{benchmark}_{name}").rows(full)
            print(f"{name}: {len(found)} rows in {time.perf_counter() - start:.0f} s", flush=True)
            rows += found
    return rows
