"""Measure one solve in a forked process: nothing is warm in it but the imports, and its memory is its own."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erlangen.algebra.equivariant import equivariant_maps
from erlangen.algebra.groups import Group
from erlangen.algebra.representation import Representation
from erlangen.algebra.representation_text import rep

_DRAWS = 3
_WARM_SECONDS, _WARM_CALLS = 0.3, 15


@dataclass(frozen=True)
class Problem:
    """Linear maps between two representations of a group, everything as text but the group's maker."""

    group: Callable[[], Group]
    source: str
    target: str


@dataclass(frozen=True)
class Solved:
    """What one process measured: seconds, dimension, residual, megabytes at the peak, angle to a rival's answer."""

    cold: float
    warm: float
    dim: int
    residual: float
    megabytes: float
    angle: float | None


def solve(problem: Problem, *, warm: bool = True, rival: NDArray | None = None) -> Solved:
    """Solve in a fork of this process."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=(theirs, problem, warm, rival))
    child.start()
    theirs.close()
    try:
        out = ours.recv()
    except EOFError:
        raise RuntimeError(f"the process for {problem.source} >> {problem.target} died") from None
    finally:
        child.join()
    if isinstance(out, BaseException):
        raise out
    return out


def _send(pipe, problem: Problem, warm: bool, rival: NDArray | None) -> None:
    try:
        pipe.send(_measured(problem, warm, rival))
    except Exception as error:  # raised again by the parent
        pipe.send(error)


def _once(problem: Problem):
    """Build representations and solve; the group is new, so that nothing it remembers is used again."""
    group = problem.group()
    start = time.perf_counter()
    source, target = rep(problem.source, group), rep(problem.target, group)
    space = equivariant_maps(source, target, cache=None)
    return space, source, target, time.perf_counter() - start


def _measured(problem: Problem, warm: bool, rival: NDArray | None) -> Solved:
    space, source, target, cold = _once(problem)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = []
    while warm and sum(times) < _WARM_SECONDS and len(times) < _WARM_CALLS:
        times.append(_once(problem)[3])
    angle = None
    if rival is not None and rival.shape[1] == space.dim:
        angle = largest_angle(space.to_dense(), rival)
    middle = float(np.median(times)) if times else float("nan")
    return Solved(cold, middle, space.dim, residual(space, source, target), megabytes, angle)


def residual(space, source: Representation, target: Representation) -> float:
    """Largest ``|W A_source - A_target W| / (|W| |A|)`` over all generators, of random maps W of the space."""
    worst, shape = 0.0, (target.size, source.size)
    if space.dim == 0:
        return worst
    for w in space.combine(np.random.default_rng(0).standard_normal((_DRAWS, space.dim))):
        w = w.reshape(shape)
        images = zip((*source.lie_images, *source.discrete_images), (*target.lie_images, *target.discrete_images))
        for a, b in images:
            size = abs(a).sum(0).max(initial=0.0) + abs(b).sum(0).max(initial=0.0)
            worst = max(worst, float(np.linalg.norm(w @ a - b @ w) / (size * np.linalg.norm(w))))
    return worst


def largest_angle(ours: NDArray, theirs: NDArray) -> float:
    """Largest principal angle [rad] between two spans of equal dimension, from its sine."""
    if ours.shape[1] == 0:
        return 0.0
    a, b = np.linalg.qr(ours)[0], np.linalg.qr(theirs)[0]
    return float(np.arcsin(min(1.0, np.linalg.norm(b - a @ (a.T @ b), 2))))
