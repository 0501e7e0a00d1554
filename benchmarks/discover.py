"""Discovery against its floor: one Jacobian pass, a blocked QR of A and the singular values of R.

Time, peak memory and growth with the number of samples, for a perceptron under all affine candidates. Each
measurement runs in a process of its own: peak memory is that of the process.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import svdvals

WIDTH = 128
SMALL, LARGE = (32, 20_000), (64, 50_000)


def module_of(d: int) -> Any:
    """Make a perceptron d-128-128-1 with tanh, with a fixed start."""
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Linear(d, WIDTH), torch.nn.Tanh(), torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(WIDTH, 1))


def points_of(d: int, n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, d))


def ours(d: int, n: int) -> Callable[[], Any]:
    """Discovery as a user calls it."""
    from erlangen.actions import affine
    from erlangen.derivative import Samples
    from erlangen.verbs.discover import discover

    module, samples = module_of(d), Samples.from_data(points_of(d, n))
    return lambda: discover(module, affine(d), samples)


def floor(d: int, n: int) -> Callable[[], Any]:
    """The least that any discovery with this decision must do, with the library's own blocks."""
    from erlangen.actions import affine
    from erlangen.derivative import LieDerivative, Samples
    from erlangen.fields import as_field
    from erlangen.linalg.qr import StreamedQR

    field, x = as_field(module_of(d), dim=d), points_of(d, n)
    size = LieDerivative(field, affine(d), Samples.from_data(x)).block_size

    def work() -> np.ndarray:
        stream = StreamedQR(d * (d + 1))
        for start in range(0, n, size):
            part = x[start : start + size]
            psi = np.hstack([np.ones((len(part), 1)), part])
            rows = field.jacobian(part)[:, 0, :, None] * psi[:, None, :]
            stream.update(rows.reshape(len(part), -1))
        return svdvals(stream.factor())

    return work


def worker(what: str, d: int, n: int) -> None:
    """Measure in this process, and print one line of JSON."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    call = {"ours": ours, "floor": floor}[what](d, n)
    {"ours": ours, "floor": floor}[what](4, 200)()  # imports and first calls are not the measurement
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "peak": peak}))


def measure(what: str, d: int, n: int) -> dict[str, float]:
    """Run one measurement in a new process."""
    command = [sys.executable, "-c", f"from benchmarks.discover import worker; worker({what!r}, {d}, {n})"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def against_floor(d: int, n: int, repeats: int) -> list[dict[str, Any]]:
    """Time and memory of one size; the best of some repeats, taken in turns."""
    pairs = [(measure("ours", d, n), measure("floor", d, n)) for _ in range(repeats)]
    value, rival = (min(pair[i]["seconds"] for pair in pairs) for i in (0, 1))
    peak, least = (min(pair[i]["peak"] for pair in pairs) / 1e9 for i in (0, 1))
    case = f"d={d}, p={d * (d + 1)}, n={n}"
    time_row = {"metric": "time against the floor [s]", "value": value, "rival": rival, "ratio": value / rival}
    peak_row = {"metric": "peak memory of the process [GB]", "value": peak, "rival": least, "ratio": peak / least}
    return [
        {"case": case, **time_row, "asked": "ratio <= 1.5", "met": value <= 1.5 * rival},
        {"case": case, **peak_row, "asked": "value <= 1.5", "met": peak <= 1.5},
    ]


def growth(d: int, n: int) -> list[dict[str, Any]]:
    """Time of n, 2 n and 4 n samples: linear growth means that the second step adds twice what the first adds."""
    times = [min(measure("ours", d, k * n)["seconds"] for _ in range(2)) for k in (1, 2, 4)]
    first, second = times[1] - times[0], times[2] - times[1]
    return [
        {
            "case": f"d={d}, n={n}, {2 * n}, {4 * n}",
            "metric": "time added from 2n to 4n [s]",
            "value": second,
            "rival": 2 * first,
            "ratio": second / (2 * first),
            "asked": "ratio 0.67 to 1.5 (linear: 1)",
            "met": 0.67 <= second / (2 * first) <= 1.5,
        }
    ]


def run(full: bool) -> list[dict[str, Any]]:
    rows = against_floor(*SMALL, repeats=3) + growth(16, 20_000)
    return rows + against_floor(*LARGE, repeats=2 if full else 1)
