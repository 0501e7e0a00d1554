"""What an equivariant layer costs beside an ordinary one of the same shape, and what an exported graph keeps.

The layer maps 16S + 16V + 8T2 of SO(3) to itself: 136 coordinates, 1,216 maps. Rival: `torch.nn.Linear(136, 136)`.
Calls of the two are measured in turns, so that a busy moment of the machine hits both; each number is the median
of 50. A training step is a forward and a backward pass and a step of SGD. The equivariance error of an exported
graph is that of the largest of 20 random group elements, relative to the norm of the values; its rival is the
equivariance error of the ordinary layer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import erlangen as er
from erlangen.algebra.groups import SO

REPEATS = 50
EVAL_BOUND, STEP_BOUND = 1.1, 3.0
ERROR_BOUNDS = {torch.float64: 1e-10, torch.float32: 2e-6}


def layers(dtype: torch.dtype = torch.float32) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The equivariant layer and the ordinary one."""
    torch.manual_seed(0)
    both = er.rep("16S + 16V + 8T2", SO(3))
    return er.nn.EquivariantLinear(both, both, dtype=dtype), torch.nn.Linear(both.size, both.size, dtype=dtype)


def forward(call: Callable, x: torch.Tensor) -> Callable[[], Any]:
    """A call without gradients."""

    def run() -> None:
        with torch.inference_mode():
            call(x)

    return run


def step(module: torch.nn.Module, call: Callable, x: torch.Tensor) -> Callable[[], Any]:
    """A step of training: `call` is the module or its compiled form."""
    module.train()
    optimiser = torch.optim.SGD(module.parameters(), 1e-6)

    def train() -> None:
        optimiser.zero_grad()
        call(x).square().mean().backward()
        optimiser.step()

    return train


def interleaved(calls: list[Callable[[], Any]], seconds: float = 2e-3, repeats: int = REPEATS) -> list[float]:
    """Median seconds of each call; short ones are repeated within one measurement, so that the clock is no part."""
    inner = []
    for call in calls:
        for _ in range(5):
            call()
        start = time.perf_counter()
        call()
        inner.append(max(1, int(seconds / (time.perf_counter() - start))))
    count = min(inner)
    times = np.empty((repeats, len(calls)))
    for i in range(repeats):
        for j in np.roll(np.arange(len(calls)), i):  # nobody is always first
            start = time.perf_counter()
            for _ in range(count):
                calls[j]()
            times[i, j] = (time.perf_counter() - start) / count
    return np.median(times, axis=0).tolist()


def time_row(case: str, metric: str, calls: list[Callable[[], Any]], bound: float, tied: bool) -> dict[str, Any]:
    """Compare two calls; `tied`: whether the bound is asked for this case."""
    own, rival = interleaved(calls)
    asked, met = (f"<= {bound}x", own <= bound * rival) if tied else (None, None)
    return {"case": case, "metric": metric, "value": own * 1e6, "rival": rival * 1e6, "ratio": own / rival,
            "asked": asked, "met": met}  # fmt: skip


def time_rows(compiled: bool) -> list[dict[str, Any]]:
    """Forward passes and training steps of both layers."""
    word = "compiled" if compiled else "eager"
    rows = []
    for batch in (32, 1024):
        x = torch.randn(batch, 136)
        pair = layers()
        calls = [torch.compile(m, fullgraph=True) if compiled else m for m in pair]
        case = f"{word}, batch {batch}"
        for module in pair:
            module.eval()
        evals = [forward(call, x) for call in calls]
        rows.append(time_row(case, "forward in evaluation [us]", evals, EVAL_BOUND, True))
        steps = [step(m, c, x) for m, c in zip(pair, calls, strict=True)]
        rows.append(time_row(case, "training step [us]", steps, STEP_BOUND, batch == 1024))
    return rows


@torch.no_grad()
def error(call: Callable, rep: er.algebra.Representation, dtype: torch.dtype) -> float:
    """Largest relative difference of f(g x) and g f(x)."""
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((256, rep.size))).to(dtype)
    y, worst = call(x), 0.0
    for g in rep.group.sample(20, 1):
        move = torch.from_numpy(rep.group_matrix(g)).to(dtype).T
        worst = max(worst, float((call(x @ move) - y @ move).norm() / y.norm()))
    return worst


def export_rows() -> list[dict[str, Any]]:
    """Equivariance errors of exported graphs."""
    rows = []
    for dtype, bound in ERROR_BOUNDS.items():
        own, ordinary = layers(dtype)
        rep = own.rep_in
        example = torch.zeros(2, rep.size, dtype=dtype)
        graph = torch.export.export(own.eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
        value, rival = error(graph, rep, dtype), error(ordinary.eval(), rep, dtype)
        case = f"exported graph, {str(dtype).removeprefix('torch.')}"
        rows.append({"case": case, "metric": "relative equivariance error", "value": value, "rival": rival,
                     "ratio": value / rival, "asked": f"<= {bound:g}", "met": value <= bound})  # fmt: skip
    return rows


def run(full: bool) -> list[dict[str, Any]]:
    """Time both layers, eager and compiled, and measure exported graphs; there is no longer form."""
    torch.set_num_threads(2)
    return [*time_rows(compiled=False), *time_rows(compiled=True), *export_rows()]
