"""What one price costs in training, beside a Jacobian: evaluation and backward, in the same run.

The rival is the Jacobian of the network at the same points with its own backward (of the sum of its squares), by c
passes backward, which is how the fastest of ``torch.func``'s ways does it too. Both are timed in turns, and medians
are compared: networks d-128-128-128-c with tanh, 1,024 points, one thread. Beyond 72 generators, one thin SVD of the
matrix of generators and values, timed beside them, is allowed on top: in float64, as the price takes it. What a small
network pays, whose Jacobian is cheap beside matrices of 72 columns, is a row without a bound: d-64-64-c, 256 points.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

import erlangen as er

BOUND, MOST = 1.5, 72
KINDS = ("nuclear", "scale-free", "reweighted")


@dataclass(frozen=True)
class Case:
    """A network, the affine or rigid motions of its inputs, and whether its values are vectors."""

    dim: int
    channels: int
    group: str
    dtype: torch.dtype = torch.float32
    width: int = 128
    depth: int = 3
    points: int = 1024

    @property
    def action(self) -> Any:
        return getattr(er.actions, self.group)(self.dim)

    @property
    def values(self) -> str:
        return "vector" if self.channels == self.dim > 1 else "invariant"

    def __str__(self) -> str:
        kind = str(self.dtype).removeprefix("torch.")
        sizes = "-".join([str(self.width)] * self.depth)
        p = self.action.n_generators
        return f"{self.dim}-{sizes}-{self.channels} {kind}, {self.points} points, {self.group}, p = {p}"


CASES = (
    Case(3, 1, "euclidean"),
    Case(3, 3, "affine"),
    Case(8, 1, "affine"),
    Case(8, 1, "affine", torch.float64),
    Case(8, 8, "affine"),
    Case(14, 1, "affine"),
    Case(20, 1, "euclidean"),
)
SMALL = Case(8, 1, "affine", width=64, depth=2, points=256)


def rows(full: bool) -> list[dict[str, Any]]:
    """One row for each case: the dearest of the kinds that discriminate, over the Jacobian."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        repeats = 101 if full else 31
        return [*(row(case, repeats, True) for case in CASES), row(SMALL, repeats, False)]
    finally:
        torch.set_num_threads(threads)


def row(case: Case, repeats: int, bounded: bool) -> dict[str, Any]:
    torch.manual_seed(0)
    net, x = network(case), torch.randn(case.points, case.dim, dtype=case.dtype)
    parameters = list(net.parameters())
    prices = [er.nn.SymmetryPenalty(net, case.action, x, kind=kind, values=case.values) for kind in KINDS]
    (a, _), *_ = prices[0].pairs()
    a = a.detach()
    calls: list[Callable[[], Any]] = [lambda: jacobian_step(net, x, parameters)]
    calls += [lambda price=price: torch.autograd.grad(price(), parameters, allow_unused=True) for price in prices]
    times = in_turns([*calls, lambda: torch.linalg.svd(a.double(), full_matrices=False)], repeats)
    jacobian, svd, dearest = times[0], times[-1], max(times[1:-1])
    beyond = case.action.n_generators > MOST
    floor = jacobian + (svd / BOUND if beyond else 0.0)
    asked = f"<= {BOUND:g} Jacobians{' and one SVD' if beyond else ''}"
    each = ", ".join(f"{kind} {t / jacobian:.2f}" for kind, t in zip(KINDS, times[1:-1]))
    return {
        "case": str(case),
        "metric": "price and backward [ms]",
        "value": 1e3 * dearest,
        "rival": 1e3 * jacobian,
        "ratio": dearest / jacobian,
        "asked": f"{asked if bounded else 'a small network'} ({each}{f', SVD {svd / jacobian:.2f}' if beyond else ''})",
        "met": bool(dearest <= BOUND * floor) if bounded else None,
    }


def network(case: Case) -> torch.nn.Module:
    sizes = [case.dim, *[case.width] * case.depth]
    layers = [m for a, b in zip(sizes, sizes[1:]) for m in (torch.nn.Linear(a, b), torch.nn.Tanh())]
    return torch.nn.Sequential(*layers, torch.nn.Linear(case.width, case.channels)).to(case.dtype)


def jacobian_step(net: torch.nn.Module, x: torch.Tensor, parameters: Sequence[torch.nn.Parameter]) -> None:
    z = x.clone().requires_grad_()
    columns = net(z).unbind(1)
    jacobian = torch.stack([torch.autograd.grad(c.sum(), z, create_graph=True)[0] for c in columns], dim=1)
    torch.autograd.grad(jacobian.square().sum(), parameters, allow_unused=True)


def in_turns(calls: Sequence[Callable[[], Any]], repeats: int) -> list[float]:
    """Median seconds of each call, all timed in turns: what disturbs one disturbs all."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats + 3):
        for call, taken in zip(calls, times):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken[3:]) for taken in times]  # the first ones warm caches
