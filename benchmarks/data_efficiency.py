"""Test error against the number of training samples: `er.nn.EquivariantMLP` and a plain network of equal size.

Three tasks with known symmetry (`benchmarks/_tasks.py`). Both networks have equally many parameters (the width of the
plain one, three hidden layers, is fitted) and one recipe: float32, inputs and outputs divided by one number each,
1,500 steps of Adam with cosine decay from 0.005 on batches of 64, then 300 steps of L-BFGS on all samples. The second
part can make the plain network overfit: of its two errors, before and after, the smaller counts. Errors are medians
over three seeds, relative to the standard deviation of the values, on 5,000 new samples. The plot goes to
``benchmarks/results/data_efficiency.png``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._tasks import TASKS, Task
from erlangen.algebra import rep
from erlangen.nn import EquivariantMLP

SEEDS, N_TEST, ASKED_AT = range(3), 5000, 1000
STEPS, BATCH, RATE, POLISH = 1500, 64, 5e-3, 300
SIZES, MORE_SIZES = (100, ASKED_AT), (30, 100, 300, 1000, 3000)
PLOT = Path(__file__).parent / "results" / "data_efficiency.png"


def equivariant(task: Task) -> torch.nn.Module:
    group = task.group()
    return EquivariantMLP(task.rep_in, task.rep_out, group, hidden=rep(task.hidden, group), layers=2)


def plain(inputs: int, outputs: int, parameters: int, depth: int = 3) -> torch.nn.Module:
    """Build an ordinary network whose width brings its number of parameters nearest to a given one."""
    # (depth - 1) w^2 + (inputs + depth + outputs) w + outputs = parameters
    a, b = depth - 1, inputs + depth + outputs
    width = max(1, round((-b + (b * b + 4 * a * (parameters - outputs)) ** 0.5) / (2 * a)))
    sizes = [inputs, *[width] * depth]
    layers = [part for i, o in zip(sizes, sizes[1:]) for part in (torch.nn.Linear(i, o), torch.nn.SiLU())]
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, outputs))


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@dataclass(frozen=True)
class Job:
    """One network to train: place of the task, kind of network, number of samples, seed."""

    task: int
    kind: str
    n: int
    seed: int

    def run(self) -> tuple[float, int]:
        """Train, and give the relative test error and the number of parameters."""
        torch.set_num_threads(1)
        torch.manual_seed(self.seed)
        task = TASKS[self.task]
        network = equivariant(task)
        x, y = task.draw(self.n, np.random.default_rng([self.seed, self.n]))
        if self.kind == "plain":
            network = plain(x.shape[1], y.shape[1], count(network))
        scale, spread = float(np.sqrt(np.mean(x**2))), float(np.sqrt(np.mean((y - y.mean()) ** 2)))
        inputs, wanted = torch.from_numpy(x / scale).float(), torch.from_numpy(y / spread).float()
        new = task.draw(N_TEST, np.random.default_rng(10_000 + self.seed))
        adam(network, inputs, wanted, self.seed)
        first = error(network, *new, scale, spread)
        polish(network, inputs, wanted)
        last = error(network, *new, scale, spread)
        return min(first, last) if self.kind == "plain" else last, count(network)


def error(network: torch.nn.Module, x: NDArray, y: NDArray, scale: float, spread: float) -> float:
    """Root mean square error relative to the standard deviation of the values."""
    with torch.no_grad():
        parts = torch.from_numpy(x / scale).float().split(500)
        found = torch.cat([network(part) for part in parts]).double().numpy() * spread
    return float(np.sqrt(np.mean((found - y) ** 2)) / y.std())


def adam(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, seed: int) -> None:
    """Least squares by Adam on batches drawn anew at each step."""
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    batches = np.random.default_rng(seed)
    for _ in range(STEPS):
        rows = torch.from_numpy(batches.permutation(len(x))[:BATCH])
        optimiser.zero_grad()
        loss(network, x[rows], y[rows]).backward()
        optimiser.step()
        schedule.step()


def polish(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    """Least squares by L-BFGS on all samples."""
    exact = {"tolerance_grad": 0.0, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}
    optimiser = torch.optim.LBFGS(network.parameters(), max_iter=POLISH, history_size=20, **exact)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(network, x, y)
        value.backward()
        return value

    optimiser.step(closure)


def loss(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return ((network(x) - y) ** 2).mean()


def run_all(jobs: Sequence[Job]) -> dict[Job, tuple[float, int]]:
    """Train on two cores, the slow ones first."""
    ordered = sorted(jobs, key=lambda job: (job.kind, -job.n))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return dict(zip(ordered, pool.map(Job.run, ordered), strict=True))


def plot(sizes: Sequence[int], done: dict[Job, tuple[float, int]]) -> None:
    """Draw one panel per task: median error against samples, a dot per seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(TASKS), figsize=(12, 3.6), sharex=True, layout="constrained")
    for t, (task, panel) in enumerate(zip(TASKS, panels)):
        for kind, colour in (("plain", "tab:gray"), ("equivariant", "tab:blue")):
            errors = np.array([[done[Job(t, kind, n, seed)][0] for seed in SEEDS] for n in sizes])
            label = f"{kind}, {done[Job(t, kind, sizes[0], 0)][1]:,} parameters"
            panel.loglog(sizes, np.median(errors, 1), "-", color=colour, label=label)
            panel.loglog(sizes, errors, ".", color=colour, alpha=0.6)
        panel.set(title=task.name, xlabel="training samples")
        panel.legend(frameon=False, fontsize=8)
        panel.grid(True, which="major", alpha=0.3)
    panels[0].set_ylabel("test RMSE / standard deviation")
    PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(PLOT, dpi=150)
    pyplot.close(figure)


def run(full: bool) -> list[dict[str, Any]]:
    sizes = MORE_SIZES if full else SIZES
    kinds = ("equivariant", "plain")
    jobs = [Job(t, kind, n, seed) for t in range(len(TASKS)) for kind in kinds for n in sizes for seed in SEEDS]
    done = run_all(jobs)
    plot(sizes, done)
    rows = []
    for t, task in enumerate(TASKS):
        for n in sizes:
            ours, rival = (float(np.median([done[Job(t, kind, n, s)][0] for s in SEEDS])) for kind in kinds)
            sizes_of = "{:,} and {:,} parameters".format(*(done[Job(t, kind, n, 0)][1] for kind in kinds))
            asked = n == ASKED_AT
            columns = {"case": f"{task.name}, {n} samples; {sizes_of}", "metric": "test RMSE / std, rival: plain"}
            bound = {"asked": "ratio <= 0.2", "met": ours / rival <= 0.2} if asked else {"asked": None, "met": None}
            rows.append({**columns, "value": ours, "rival": rival, "ratio": ours / rival, **bound})
    return rows
