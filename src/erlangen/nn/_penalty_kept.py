"""What is kept of a group, and what going over to it does: points to look at, a name, the change of the outputs."""

from __future__ import annotations

import numpy as np
import torch

from erlangen._errors import UndecidedError, warn
from erlangen._typing import NDArray
from erlangen.algebra import Group, Representation, identify
from erlangen.linalg.qr import rounding
from erlangen.nn._penalty_module import evaluating, like_parameters

POINTS = 256
"""Random inputs on which a function is looked at where none are given."""

CHANGE = 0.25
"""Change of the outputs, over their spread, above which a subgroup is another function: a sixteenth of the variance."""


def standard_points(rep: Representation) -> NDArray:
    """Standard normal inputs ``(n, N)``, the same in every call; coordinates that generators only add are one."""
    x = np.random.default_rng(0).normal(size=(max(POINTS, 2 * rep.size), rep.size))
    images = np.array([image.toarray() for image in rep.lie_images]).reshape(-1, rep.size, rep.size)
    x[:, ~images.any(axis=(0, 2)) & images.any(axis=(0, 1))] = 1.0  # the last entry of (x, 1) under translations
    return x


def name_of(algebra: NDArray, elements: int, group: Group) -> str:
    """Name of a subgroup by its algebra ``(k, N, N)`` and the number of its discrete elements."""
    parts = []
    if len(algebra):
        parts.append("so(2)" if _turns(algebra) else identify(algebra).name)
    if elements:
        parts.append(f"{elements} discrete element{'s' if elements > 1 else ''}")
    return f"{' and '.join(parts)} in {group.name}"


def _turns(algebra: NDArray) -> bool:
    """Whether the one generator turns a plane, or several at one speed: then A^3 = -w^2 A, and it closes a circle."""
    if len(algebra) != 1:
        return False
    (a,) = algebra
    cube, size = a @ a @ a, np.linalg.norm(a)
    square = -np.sum(cube * a) / size**2
    return bool(square > 0 and np.linalg.norm(cube + square * a) <= rounding(a.shape) * size**3)


def change_of_outputs(module: torch.nn.Module, twin: torch.nn.Module, x: NDArray) -> float:
    """Root mean square change of the outputs, over their spread at the points (0 where nothing changes)."""
    points = torch.from_numpy(np.ascontiguousarray(x)).to(like_parameters(module))
    with torch.no_grad(), evaluating(module), evaluating(twin):
        before, after = module(points).double(), twin(points).double()
    change = (after - before).norm().item()
    spread = (before - before.mean(0)).norm().item()
    if not np.isfinite(change):
        raise UndecidedError("The parameters are not finite: nothing can be said of what they keep.")
    return 0.0 if change == 0 else change / max(spread, np.finfo(float).tiny)


def warn_of_change(change: float, group: Group, seen: str) -> None:
    """Warn where the network of a subgroup is no longer the function that was trained."""
    if change > CHANGE:
        warn(
            "The closest network of this subgroup is another function: what was trained is lost in part. Outputs "
            f"change by {change:.2g} of their spread at {seen}; {group.name} is kept with less than {CHANGE:g}.",
            fix="train the new network; or network.subgroup(x) at your own points with a smaller delta, or a price "
            'with where="stacked" for longer, so that layers come to break no more than the function does',
        )
