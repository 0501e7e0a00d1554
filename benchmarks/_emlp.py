"""Solve cases with the PyPI package emlp in a process of its own: one JSON line in, JSON lines out.

A case is ``{"group": ["SO", 3], "complex": false, "source": "2V + S", "target": "T2", "basis": "FILE.npz"}``. Two
lines answer it: ``{"cold": seconds}``, the first solve with every compiled function thrown away, then ``{"warm":
seconds, "dim": r}``, the median of later solves with only the stored solutions thrown away. The basis ``(a * b, r)``
goes to the file. A complex group acts on ``V + V*``, which is what the real representation on R^(2n) is over C.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from typing import Any

import numpy as np

_WARM_SECONDS, _WARM_CALLS = 0.3, 15  # as for erlangen, in benchmarks/_solves.py
TERM = re.compile(r"\s*(\d*)\s*(?:(S)|(V)|T(\d+))\s*")


def words(text: str) -> list[tuple[int, int]]:
    """Read sums such as ``2V + T2 + S`` as pairs (count, number of factors V)."""
    out = []
    for part in text.split("+"):
        read = TERM.fullmatch(part)
        if read is None:
            raise ValueError(f"cannot read {part!r} in {text!r}")
        count, scalar, vector, order = read.groups()
        out.append((int(count or 1), 0 if scalar else 1 if vector else int(order)))
    return out


def _representation(base: Any, text: str) -> Any:
    """Build the sum of tensor words in emlp's own terms."""
    from emlp.reps import Scalar

    total = None
    for count, order in words(text):
        word = Scalar
        for _ in range(order):
            word = word * base
        term = count * word if count > 1 else word
        total = term if total is None else total + term
    return total


def _solve(base: Any, case: dict[str, Any]) -> tuple[Any, float]:
    """Form the space of linear maps and solve for its basis, stored solutions thrown away first."""
    from emlp.reps.product_sum_reps import rep_permutation
    from emlp.reps.representation import Rep

    Rep.solcache.clear()
    rep_permutation.cache_clear()
    start = time.perf_counter()
    basis = (_representation(base, case["source"]) >> _representation(base, case["target"])).equivariant_basis()
    if hasattr(basis, "block_until_ready"):
        basis.block_until_ready()
    return basis, time.perf_counter() - start


def _answer(case: dict[str, Any], say: Any) -> None:
    import jax
    from emlp import groups
    from emlp.reps import V

    name, *arguments = case["group"]
    base = V(getattr(groups, name)(*arguments))
    if case["complex"]:
        base = base + base.T
    jax.clear_caches()
    _, cold = _solve(base, case)
    say({"cold": cold})
    basis, first = _solve(base, case)
    times = [first]
    while sum(times) < _WARM_SECONDS and len(times) < _WARM_CALLS:
        times.append(_solve(base, case)[1])
    warm = float(np.median(times))
    dense = np.asarray(basis.to_dense() if hasattr(basis, "to_dense") else basis)
    if not np.isfinite(dense).all():
        say({"warm": warm, "error": "answered NaN"})
        return
    np.savez(case["basis"], basis=dense)
    say({"warm": warm, "dim": int(dense.shape[1])})


def main() -> None:
    """Answer cases until standard input ends."""
    cores = sorted(os.sched_getaffinity(0))[: int(os.environ["OMP_NUM_THREADS"])]
    os.sched_setaffinity(0, cores)  # jax starts a thread per core that it may use
    out = os.fdopen(os.dup(1), "w")

    def say(line: dict[str, Any]) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    with contextlib.redirect_stdout(sys.stderr):
        import emlp  # noqa: F401

        np.random.seed(0)  # noqa: NPY002 - emlp draws from the global generator
        say({"ready": True})
        for line in sys.stdin:
            try:
                _answer(json.loads(line), say)
            except Exception as error:  # what a rival raises is a result of the comparison
                say({"error": f"{type(error).__name__}: {error}"[:200]})


if __name__ == "__main__":
    main()
