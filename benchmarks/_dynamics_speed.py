"""How long smoothing and fitting take, how much memory, and how both grow with the length of the runs.

Fifty runs of 10,000 samples of a damped oscillator, x' = -x/10 - y and y' = x - y/10, with a fifth of its standard
deviation as noise. Each measurement is made in a process of its own, whose peak memory is its own too; importing and
drawing the data are not counted in the time, but in the memory they are.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks._row import row

RUNS, SAMPLES = 50, 10_000
SECONDS, MEGABYTES = 10.0, 1000.0
LENGTHS = (5_000, 10_000, 20_000, 40_000)
LINEAR = 1.15
"""Exponent up to which growth counts as linear: caches are left on the way, and machines are shared."""


def rows(full: bool) -> list[dict[str, Any]]:
    """Time and memory of smoothing alone and with a fit; exponents of the growth with length."""
    name = f"{RUNS} runs x {SAMPLES:,} samples, 2 coordinates"
    out = []
    for what in ("smooth", "smooth and fit"):
        found = measured(what, RUNS, SAMPLES)
        time_met, memory_met = found["seconds"] <= SECONDS, found["megabytes"] <= MEGABYTES
        out.append(row(f"{name}: {what}", "time [s]", found["seconds"], None, f"<= {SECONDS:g}", time_met))
        asked = f"<= {MEGABYTES:g}"
        out.append(row(f"{name}: {what}", "peak memory [MB]", found["megabytes"], None, asked, memory_met))
    runs = RUNS if full else RUNS // 5
    seconds = [min(measured("smooth", runs, n)["work"] for _ in range(3)) for n in LENGTHS]
    exponent = float(np.polyfit(np.log(LENGTHS), np.log(seconds), 1)[0])
    name = f"{runs} runs x {LENGTHS[0]:,} to {LENGTHS[-1]:,} samples: smooth"
    out.append(row(name, "exponent of the growth of work", exponent, None, f"<= {LINEAR:g}", exponent <= LINEAR))
    return out


def measured(what: str, runs: int, samples: int) -> dict[str, float]:
    """Seconds, those that the processor worked, and megabytes, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks._dynamics_speed", what, str(runs), str(samples)]
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | threads)
    return json.loads(done.stdout.splitlines()[-1])


def work(what: str, runs: int, samples: int) -> dict[str, float]:
    """Draw the data, then do it and take the time."""
    import erlangen as er

    rng = np.random.default_rng(0)
    t = np.arange(samples) * (20.0 / SAMPLES)
    phases = rng.uniform([0.5, 0.0], [2.0, 2 * np.pi], (runs, 2))
    turn = phases[:, :1] * np.exp(-0.1 * t), t + phases[:, 1:]
    states = np.stack([turn[0] * np.cos(turn[1]), turn[0] * np.sin(turn[1])], axis=2)
    states += 0.2 * states.std(axis=(0, 1)) * rng.normal(size=states.shape)
    flow = er.fields.Trajectories.from_arrays(states, t)
    _ = er.dynamics.smooth, er.dynamics.SINDy  # imported on first use
    start, begun = time.perf_counter(), time.process_time()
    if what == "smooth":
        er.dynamics.smooth(flow)
    else:
        er.dynamics.SINDy().fit(flow)
    seconds, work_done = time.perf_counter() - start, time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {"seconds": seconds, "work": work_done, "megabytes": peak}


if __name__ == "__main__":
    print(json.dumps(work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
