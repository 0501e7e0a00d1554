"""Best-first branch and bound on a box, thousands of boxes at a time, useful whenever it is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
from numpy.typing import NDArray

from erlangen.evidence.bounds.objective import Objective, Sizes

ENTRIES = 2**15
"""Numbers of one step on a batch of boxes: 256 KiB, which stays in the cache of a core."""

CORNERS = 2**10
"""Corners of the box that are tried at the start."""

STARTS = 512
"""Random points that are tried at the start, and 1/16 of it in every round."""


@final
@dataclass(frozen=True, eq=False)
class Sandwich:
    """Where the search stands: the supremum over the box lies between two numbers.

    Attributes
    ----------
    lower, upper : float
        Proven on both sides.
    witness : ndarray (d,)
        A point at which the size is at least `lower`.
    boxes : int
        Boxes bounded so far.
    waiting : int
        Boxes that could still lower the bound.
    """

    lower: float
    upper: float
    witness: NDArray
    boxes: int
    waiting: int


@final
@dataclass(eq=False)
class _Search:
    """The boxes that are still open, and the best point."""

    objective: Objective
    root: NDArray
    rng: np.random.Generator
    best: float
    witness: NDArray
    low: NDArray
    high: NDArray
    upper: NDArray
    done: float = 0.0
    boxes: int = 0

    @property
    def state(self) -> Sandwich:
        top = max(self.done, self.best, float(self.upper.max(initial=0.0)))
        return Sandwich(self.best, top, self.witness.copy(), self.boxes, len(self.upper))

    def bounded(self, low: NDArray, high: NDArray) -> Sizes:
        self.boxes += low.shape[1]
        return self.objective.sizes(low, high)

    def try_points(self, x: NDArray) -> None:
        x = np.clip(x, self.root[0][:, None], self.root[1][:, None])
        low = self.objective.sizes(x, x).low
        k = int(np.argmax(np.where(np.isfinite(low), low, -1.0)))
        if np.isfinite(low[k]) and low[k] > self.best:
            self.best, self.witness = float(low[k]), x[:, k]


def search(
    objective: Objective, box: NDArray, ratio: float, aim: float | None, rng: np.random.Generator
) -> Iterator[Sandwich]:
    """Bound the supremum over a box ever more tightly.

    Parameters
    ----------
    objective : Objective
        What is bounded; not zero by construction.
    box : ndarray (2, d)
        Lower and upper corner.
    ratio : float
        Boxes whose bound is at most `ratio` times the lower bound are not divided further.
    aim : float, optional
        Nor are those whose bound is at most this.
    rng : numpy.random.Generator
        For points that are tried.

    Yields
    ------
    Sandwich
        After every round; it ends where no box is left to divide.
    """
    low, high = box[0][:, None], box[1][:, None]
    found = _Search(objective, box, rng, 0.0, box.mean(axis=0), low, high, np.zeros(1))
    found.try_points(_first_points(box, rng))
    found.upper = found.bounded(low, high).high
    yield found.state
    batch = max(32, ENTRIES // objective.enclosure.width)  # pyright: ignore[reportOptionalMemberAccess]
    shrink = 1.0
    while True:
        _close(found, ratio, aim)
        if not len(found.upper):
            yield found.state
            return
        _divide(found, batch)
        shrink = shrink * 0.7 if shrink > 1e-3 else 1.0  # ever closer to the best point, then far again
        _polish(found, shrink)
        yield found.state


def _first_points(box: NDArray, rng: np.random.Generator) -> NDArray:
    d = box.shape[1]
    random = rng.uniform(box[0], box[1], size=(STARTS, d))
    if 2**d > CORNERS:
        return random.T
    corners = np.array([[box[side, i] for i, side in enumerate(sides)] for sides in product((0, 1), repeat=d)])
    return np.vstack([corners, random]).T


def _close(found: _Search, ratio: float, aim: float | None) -> None:
    """Set boxes aside that need no more work; what they allow still counts."""
    enough = max(ratio * found.best, aim or 0.0)
    # A box that cannot be divided any more in floating point is finished too.
    middle = 0.5 * (found.low + found.high)
    stuck = ((middle <= found.low) | (middle >= found.high)).all(axis=0)
    closed = (found.upper <= enough) | stuck
    found.done = max(found.done, float(found.upper[closed].max(initial=0.0)))
    keep = ~closed
    found.low, found.high, found.upper = found.low[:, keep], found.high[:, keep], found.upper[keep]


def _divide(found: _Search, batch: int) -> None:
    """Halve the boxes with the largest bounds across their widest side, relative to the whole box."""
    picked = np.arange(len(found.upper))
    if len(picked) > batch:
        picked = np.argpartition(-found.upper, batch)[:batch]
    low, high, upper = found.low[:, picked], found.high[:, picked], found.upper[picked]
    side = np.argmax(_weights(found, low, high), axis=0)
    row = np.arange(len(picked))
    middle = 0.5 * (low[side, row] + high[side, row])
    left_high, right_low = high.copy(), low.copy()
    left_high[side, row] = middle
    right_low[side, row] = middle
    low, high = np.hstack([low, right_low]), np.hstack([left_high, high])
    sizes = found.bounded(low, high)
    new = np.minimum(sizes.high, np.tile(upper, 2))  # each half inherits what holds for the whole
    _climb(found, sizes.slope, low, high, new)
    keep = np.ones(len(found.upper), dtype=bool)
    keep[picked] = False
    found.low = np.hstack([found.low[:, keep], low])
    found.high = np.hstack([found.high[:, keep], high])
    found.upper = np.concatenate([found.upper[keep], new])


def _weights(found: _Search, low: NDArray, high: NDArray) -> NDArray:
    whole = found.root[1] - found.root[0]
    return (high - low) / np.where(whole > 0, whole, 1.0)[:, None]


def _climb(found: _Search, slope: NDArray, low: NDArray, high: NDArray, upper: NDArray) -> None:
    """Try the centres of the most promising boxes, and where their linear parts are largest."""
    top = np.argsort(-upper)[: STARTS // 32]
    centre, half = 0.5 * (low[:, top] + high[:, top]), 0.5 * (high[:, top] - low[:, top])
    found.try_points(np.hstack([centre, centre + half * np.sign(slope[:, top])]))


def _polish(found: _Search, shrink: float) -> None:
    """Try random points around the best one."""
    half = 0.5 * (found.root[1] - found.root[0])
    steps = found.rng.normal(size=(len(half), STARTS // 16)) * (shrink * half)[:, None]
    found.try_points(found.witness[:, None] + steps)
