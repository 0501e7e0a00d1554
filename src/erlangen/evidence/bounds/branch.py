"""Best-first branch and bound on a box, thousands of boxes at a time, useful whenever it is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.evidence.bounds.objective import Objective, Sizes

ENTRIES = 2**15
"""Entries of the widest step on all the boxes of a round: 1024 boxes for a step of width 32."""

CORNERS = 2**10
"""Corners of the box that are tried at the start."""

STARTS = 512
"""Random points that are tried at the start, and 1/16 of it in every round."""


@final
@dataclass(frozen=True, eq=False)
class Sandwich(AbstractShown):
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
    sides: NDArray
    upper: NDArray
    turn: NDArray
    done: float = 0.0
    boxes: int = 0

    @property
    def state(self) -> Sandwich:
        top = max(self.done, self.best, float(self.upper.max(initial=0.0)))
        return Sandwich(self.best, top, self.witness.copy(), self.boxes, len(self.upper))

    def bounded(self, low: NDArray, high: NDArray, sides: NDArray) -> Sizes:
        self.boxes += low.shape[1]
        return self.objective.sizes(low, high, sides if sides.any() else None)

    def keep(self, which: NDArray) -> None:
        self.low, self.high, self.sides = self.low[:, which], self.high[:, which], self.sides[:, which]
        self.upper, self.turn = self.upper[which], self.turn[which]

    def add(self, low: NDArray, high: NDArray, sides: NDArray, upper: NDArray, turn: NDArray) -> None:
        self.low, self.high = np.hstack([self.low, low]), np.hstack([self.high, high])
        self.sides = np.hstack([self.sides, sides])
        self.upper, self.turn = np.concatenate([self.upper, upper]), np.concatenate([self.turn, turn])

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
    kinks = objective.enclosure.kinks.count  # pyright: ignore[reportOptionalMemberAccess]
    sides = np.zeros((kinks, 1), dtype=np.int8)
    found = _Search(objective, box, rng, 0.0, box.mean(axis=0), low, high, sides, np.zeros(1), np.full(1, -1))
    found.try_points(_first_points(box, rng))
    found.upper = found.bounded(low, high, sides).high
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
    found.keep(~closed)


def _divide(found: _Search, batch: int) -> None:
    """Cut the boxes with the largest bounds: along a kink where few of them make the bound, else across."""
    picked = np.arange(len(found.upper))
    if len(picked) > batch:
        picked = np.argpartition(-found.upper, batch)[:batch]
    upper, (low, high, sides) = found.upper[picked], _halves(found, picked)
    sizes = found.bounded(low, high, sides)
    new = np.minimum(sizes.high, np.tile(upper, 2))  # each half inherits what holds for the whole
    _climb(found, sizes.slope, low, high, new)
    keep = np.ones(len(found.upper), dtype=bool)
    keep[picked] = False
    found.keep(keep)
    found.add(low, high, sides, new, _turns(sizes, len(low)))


def _halves(found: _Search, picked: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    low, high = np.tile(found.low[:, picked], 2), np.tile(found.high[:, picked], 2)
    sides, turn = np.tile(found.sides[:, picked], 2), found.turn[picked]
    count = len(picked)
    row = np.arange(count)
    across = turn < 0
    side = np.argmax(_weights(found, low[:, :count], high[:, :count]), axis=0)[across]
    left = row[across]
    middle = 0.5 * (low[side, left] + high[side, left])
    high[side, left] = middle
    low[side, left + count] = middle
    sides[turn[~across], row[~across]] = 1
    sides[turn[~across], row[~across] + count] = -1
    return low, high, sides


def _turns(sizes: Sizes, d: int) -> NDArray:
    """The kink ``(B,)`` along which each box is cut next; -1 to cut across.

    Up to d kinks meet in a point, so that cutting across does not part them. The number of those that matter is read
    off their shares as ``(sum w)^2 / sum w^2``.
    """
    if not len(sizes.shares):
        return np.full(len(sizes.high), -1)
    total = sizes.shares.sum(axis=0)
    few = total**2 <= d * (sizes.shares**2).sum(axis=0)
    return np.where(few & (total > 0.5 * sizes.rest), sizes.shares.argmax(axis=0), -1)


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
