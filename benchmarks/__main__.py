"""Run one benchmark, print its rows as a table and, where asked, write them as JSON.

Each module beside this file that does not start with an underscore is a benchmark. It defines
``run(full: bool) -> list[dict]``; ``full`` asks for the long form of the measurement. A row is one
claim, and its rival comes from the same run, never from a remembered number::

    case     what was measured, in words
    metric   the quantity and its unit, as "time [s]"
    value    what erlangen gave
    rival    what the other library, or the computed floor, gave in this run (None where there is none)
    ratio    value / rival (None where there is none)
    asked    the bound that the claim states, in words or as a number
    met      whether the bound holds
"""

from __future__ import annotations

import os

THREADS = 2
# Before NumPy is first imported: afterwards BLAS no longer looks.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = str(THREADS)

import argparse
import difflib
import importlib
import json
import math
import numbers
import pkgutil
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy

import benchmarks

COLUMNS = ("case", "metric", "value", "rival", "ratio", "asked", "met")
UNIT_SIZE = 2000


def unit_seconds(repeats: int = 5) -> float:
    """Time a 2000 x 2000 float64 product, the unit that makes seconds of two machines comparable."""
    a = np.random.default_rng(0).standard_normal((UNIT_SIZE, UNIT_SIZE))
    a @ a  # the first product also starts the threads
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def names() -> list[str]:
    """List the benchmarks."""
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))


def cell(entry: Any) -> str:
    """Print one entry of a row."""
    if entry is None:
        return "-"
    if isinstance(entry, bool | np.bool_):
        return "yes" if entry else "NO"
    if isinstance(entry, numbers.Real) and not isinstance(entry, numbers.Integral):
        return f"{float(entry):.3g}"
    return str(entry)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Align rows under their headings, numbers to the right."""
    lines = [list(COLUMNS), *([cell(row.get(c)) for c in COLUMNS] for row in rows)]
    widths = [max(len(line[j]) for line in lines) for j in range(len(COLUMNS))]
    right = [j for j, c in enumerate(COLUMNS) if c in ("value", "rival", "ratio")]
    return "\n".join(
        "  ".join(s.rjust(widths[j]) if j in right else s.ljust(widths[j]) for j, s in enumerate(line)).rstrip()
        for line in lines
    )


def plain(entry: Any) -> Any:
    """Turn an entry into what JSON knows; a number that JSON cannot hold becomes its name."""
    if isinstance(entry, np.generic):
        entry = entry.item()
    if isinstance(entry, float) and not math.isfinite(entry):
        return str(entry)
    return entry if entry is None or isinstance(entry, bool | int | float | str) else str(entry)


def machine() -> dict[str, Any]:
    """Describe what the numbers depend on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "blas_threads": THREADS,
    }


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record beside its destination, then move it there: a reader never sees half a file."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    beside.replace(path)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; a name that is no benchmark is answered with those that are."""
    known = names()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", nargs="?", help="one of: " + (", ".join(known) or "(none yet)"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to this file")
    parser.add_argument("--full", action="store_true", help="the long form of the measurement")
    parser.add_argument("--only", metavar="GROUPS", help="some groups of a benchmark that has them, as four,odebench")
    options = parser.parse_args(argv)
    if options.name not in known:
        near = difflib.get_close_matches(options.name or "", known, n=1)
        said = f"no benchmark is called {options.name!r}" if options.name else "name a benchmark"
        parser.error(said + (f"; did you mean {near[0]}?" if near else "") + f"\navailable: {', '.join(known) or '-'}")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark that the command line names; 1 where a bound does not hold."""
    options = parse(argv)
    module = importlib.import_module(f"benchmarks.{options.name}")
    unit = unit_seconds()
    print(f"{options.name}: {THREADS} BLAS threads, {os.cpu_count()} cores")
    print(f"unit: a {UNIT_SIZE} x {UNIT_SIZE} float64 product takes {unit:.3f} s in this run", flush=True)
    chosen = [tuple(options.only.split(","))] if options.only else []
    start = time.perf_counter()
    rows = [{c: plain(row.get(c)) for c in COLUMNS} for row in module.run(options.full, *chosen)]
    seconds = time.perf_counter() - start
    print(f"\n{table(rows)}\n")
    missed = sum(row["met"] is False for row in rows)
    print(f"{len(rows)} rows, {missed} short of what was asked; {seconds:.1f} s = {seconds / unit:.0f} units")
    if options.json:
        about = {"name": options.name, "full": options.full, "unit_seconds": unit, "seconds": seconds}
        write_json(options.json, {**about, "machine": machine(), "rows": rows})
        print(f"written: {options.json}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
