"""What a certificate costs beside discovery: the same problem, one thread, the best of some turns.

A *given model* is the perceptron of the benchmark on discovery with a symmetry built in (of the plain one nothing is
found, and there is nothing to certify): what is asked is about it. A *table* is noisy values of a field of the
statistical benchmark. Modes that refit or simulate say how long one of these takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import erlangen as er
from benchmarks._evidence_systems import named
from benchmarks._row import row
from benchmarks.discover import LARGE, SMALL, module_of, points_of

TURNED = 3
"""Coordinates of the symmetric perceptron that enter through the sum of their squares."""

TABLES = (("hopf", 3200), ("rigid_sym", 3200), ("sphere_flow3", 3200))
MODES = ("held-out", "simultaneous", "calibrated", "class-free")


def rows(full: bool) -> list[dict[str, Any]]:
    """All rows of this group."""
    out = []
    for d, n in (SMALL, LARGE) if full else (SMALL,):
        out.append(_network(d, n, 2 if n <= SMALL[1] else 1))
    for name, n in TABLES:
        out += _table(name, n)
    return out


def symmetric_module(d: int) -> Any:
    """The perceptron of the other benchmark on (x_1^2 + x_2^2 + x_3^2, x_4, ..., x_d): it has so(3)."""
    import torch

    class Turned(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module_of(d - TURNED + 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            square = (x[..., :TURNED] ** 2).sum(-1, keepdim=True)
            return self.inner(torch.cat([square, x[..., TURNED:]], -1))

    return Turned()


def _network(d: int, n: int, turns: int) -> dict[str, Any]:
    module, action, samples = symmetric_module(d), er.actions.affine(d), er.Samples.from_data(points_of(d, n))
    found, first = _best(lambda: er.discover(module, action, samples), turns)
    certificate, second = _best(lambda: er.evidence.certify(found), turns)
    case = f"perceptron d={d}, n={n}, {found.dim} generators found, {certificate.dim} certified"
    return row(case, "certify beside discover [s]", second, first, "ratio <= 1", second <= first)


def _table(name: str, n: int) -> list[dict[str, Any]]:
    """A table: the default certificate of what was found, and the time of each mode."""
    system = named(name)
    data = system.draw(n, 0.03, np.random.default_rng(7))
    action, box = er.actions.affine(system.d), er.Samples.box(-system.half, system.half, dim=system.d)
    found, first = _best(lambda: er.discover(data, action, kind="vector"), 3)
    certificate, second = _best(lambda: er.evidence.certify(found), 3)
    case = f"table {name}, n={n}"
    told = f"{case}, {found.dim} generators found, {certificate.dim} certified"
    out = [row(told, "certify beside discover [s]", second, first, None)]
    for mode in MODES:
        again, seconds = _best(
            lambda mode=mode: er.evidence.certify(
                data, action, box, family=system.degree, kind="vector", mode=mode, defect="product"
            ),
            1,
        )
        out.append(row(f"{case}, {mode}, dimension {again.dim}", "time [s]", seconds, first, None))
        if again.refits:
            out.append(
                row(f"{case}, {mode}, {again.refits} refits", "time a refit [s]", seconds / again.refits, None, None)
            )
    return out


def _best(call: Callable[[], Any], turns: int) -> tuple[Any, float]:
    """What a call returns, and the least time of some calls after a first one that imports."""
    times, value = [], call()
    for _ in range(turns):
        start = time.perf_counter()
        value = call()
        times.append(time.perf_counter() - start)
    return value, min(times)
