"""The chain from data to a deployed network: discover, build layers of the group that was found, train, export.

Nobody writes a group down. The rival of each row is an ordinary network of about as many parameters, on the same
data for the same number of steps; both are exported, and both are moved by the group that was found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import erlangen as er
from erlangen.systems.lorentz import invariant_function, lorentz_table
from erlangen.systems.two_body import one_step_pairs, two_body_orbits

STEPS = 100
BATCH = 256


@dataclass(frozen=True, eq=False)
class Task:
    """Training data, what lies behind them at fresh points, the candidates, and how the outputs transform."""

    name: str
    x: NDArray
    y: NDArray
    fresh: tuple[NDArray, NDArray]
    candidates: er.actions.AbstractAction
    kind: str | None
    rep_out: str
    found: str


def tasks(full: bool) -> Iterator[Task]:
    """Two-body orbits from the lower half plane, tested on the upper one; noisy functions of two four-vectors."""
    before, after = one_step_pairs(two_body_orbits(814 if full else 200), 18 if full else 10)
    above = one_step_pairs(two_body_orbits(100, rng=1, half="upper"), 18)
    planes = er.actions.gl(2).tied([(0, 1), (2, 3), (4, 5), (6, 7)])
    yield Task("two-body map", before, after, above, planes, "map", "V", "so(2)")
    x, y = lorentz_table(10_000 if full else 2000, noise=0.01)
    fresh, _ = lorentz_table(2000, rng=1)
    vectors = er.actions.gl(4).tied([range(4), range(4, 8)])
    values = invariant_function(fresh)[:, None]
    yield Task("Lorentz invariants", x, y[:, None], (fresh, values), vectors, None, "S", "so(3,1)")


def trained(module: Any, x: NDArray, y: NDArray) -> Any:
    """Adam on mini-batches; the same for both networks."""
    import torch

    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.Adam(module.parameters(), lr=5e-3)
    draw = np.random.default_rng(0)
    for _ in range(STEPS):
        rows = torch.from_numpy(draw.integers(0, len(x), BATCH))
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(module(inputs[rows]), targets[rows]).backward()
        optimizer.step()
    return module.eval()


def exported(module: Any, x: NDArray) -> Any:
    import torch

    shapes = ({0: torch.export.Dim("batch")},)
    return torch.export.export(module, (torch.from_numpy(x[:3]),), dynamic_shapes=shapes).module()


def equivariance_error(graph: Any, source: er.algebra.Representation, target: er.algebra.Representation, x: NDArray):
    """Largest relative difference over ten finite elements of the group."""
    import torch

    worst, points = 0.0, torch.from_numpy(x)
    with torch.no_grad():
        for g in source.group.sample(10, rng=1):
            a, b = (torch.from_numpy(r.group_matrix(g)) for r in (source, target))
            want = graph(points) @ b.T
            worst = max(worst, float(torch.linalg.norm(graph(points @ a.T) - want) / torch.linalg.norm(want)))
    return worst


def plain(inputs: int, outputs: int, parameters: int) -> Any:
    """An ordinary network with two hidden layers and about so many parameters."""
    import torch

    width = int((np.sqrt((inputs + outputs + 2) ** 2 + 4 * (parameters - outputs)) - (inputs + outputs + 2)) / 2)
    layers = [torch.nn.Linear(a, b) for a, b in ((inputs, width), (width, width), (width, outputs))]
    return torch.nn.Sequential(layers[0], torch.nn.SiLU(), layers[1], torch.nn.SiLU(), layers[2]).double()


def row(case: str, metric: str, value: Any, rival: Any, asked: str, met: bool) -> dict[str, Any]:
    numbers = isinstance(value, float) and isinstance(rival, float) and rival > 0
    ratio = value / rival if numbers else None
    return {"case": case, "metric": metric, "value": value, "rival": rival, "ratio": ratio, "asked": asked, "met": met}


def chain(task: Task) -> list[dict[str, Any]]:
    """One task: what was found, the error of the exported graph, and the error of the predictions."""
    import torch

    start = time.perf_counter()
    data = (task.x, task.y if task.kind else task.y[:, 0])
    symmetry = er.discover(data, task.candidates, kind=task.kind)
    seconds = time.perf_counter() - start
    source, target = symmetry.rep, er.rep(task.rep_out, symmetry.group)
    unit, size = task.x.std(), task.y.std()
    torch.manual_seed(0)
    network = er.nn.EquivariantMLP(source, target, hidden=48, layers=2, dtype=torch.float64)
    rival = plain(source.size, target.size, sum(p.numel() for p in network.parameters()))
    x, fresh = task.x / unit, task.fresh[0] / unit
    graphs = [exported(trained(one, x, task.y / size), x) for one in (network, rival)]
    errors = [equivariance_error(graph, source, target, fresh[:500]) for graph in graphs]
    with torch.no_grad():
        outs = [graph(torch.from_numpy(fresh)).numpy() * size for graph in graphs]
    misses = [float(np.sqrt(np.mean((out - task.fresh[1]) ** 2)) / task.fresh[1].std()) for out in outs]
    named = symmetry.decided and symmetry.name == task.found
    return [
        row(task.name, f"algebra from {len(task.x)} rows", symmetry.name, None, task.found, named),
        row(task.name, "fit and discovery [s]", seconds, None, "reported", True),
        row(task.name, "equivariance error of the graph", errors[0], errors[1], "<= 1e-10", errors[0] <= 1e-10),
        row(task.name, "relative error, fresh points", misses[0], misses[1], "< rival", misses[0] < misses[1]),
    ]


def run(full: bool) -> list[dict[str, Any]]:
    """Rows for both tasks."""
    return [line for task in tasks(full) for line in chain(task)]
