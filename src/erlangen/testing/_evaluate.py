"""The equivariance error of something with values, move by move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from erlangen._typing import NDArray
from erlangen.fields import EXACT, AbstractField
from erlangen.testing._moves import Carry, Move
from erlangen.testing._report import Row

DIRECTIONS = 3
"""Directions in which a function is tried at each point: one of them may be a direction of symmetry."""

STEP = 0.125
"""Part of a point's length by which it is moved: far above rounding, and near."""


class Evaluated(Protocol):
    """Something with values and derivatives along directions."""

    def value(self, x: NDArray, /) -> NDArray: ...

    def push(self, x: NDArray, v: NDArray, /) -> NDArray: ...

    def doubt(self, x: NDArray, v: NDArray, /) -> NDArray: ...


@dataclass(frozen=True, eq=False)
class FieldUnderTest:
    """A field, with derivatives along directions."""

    field: AbstractField

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)``."""
        return self.field.value(x)

    def push(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives ``(n, c)`` along ``v (n, d)``."""
        return np.einsum("ncd,nd->nc", self.field.jacobian(x), v)

    def doubt(self, x: NDArray, v: NDArray) -> NDArray:
        """How far derivatives ``(n,)`` may be off: compared with differences, where they are differences."""
        if self.field.accuracy <= EXACT:
            return np.zeros(len(x))
        h = 0.5 * EXACT**0.2 * np.where(norms(v) > 0, norms(x) / np.maximum(norms(v), np.finfo(float).tiny), 0.0)
        h = np.where(h > 0, h, 1.0)[:, None]
        near, far = ((self.value(x + k * h * v) - self.value(x - k * h * v)) / (2 * k * h) for k in (1, 2))
        miss = norms((4 * near - far) / 3 - self.push(x, v))
        # Differences with half the step have a sixteenth of the error, and twice the rounding.
        return np.where(np.isfinite(miss), 2 * miss, 0.0)


def finite_error(
    value: Carry, moves: Iterable[Move], x: NDArray, rng: int | np.random.Generator, least: float = 0.0
) -> float:
    """Largest deviation of ``value`` under finite moves of ``x (n, ...)``, over the size of its values.

    Parameters
    ----------
    value, moves, x, rng
        The function, what moves it, and where.
    least : float
        Values of a smaller size than this count as that large.
    """
    f = value(x)
    size = max(rms(norms(f)), least)
    missed = [float(norms(value(m.inputs(x)) - m.outputs(x, f)).max()) for m in moves]
    return max((_over(np.array(miss), np.array(size)).item() for miss in missed), default=0.0)


def measure(
    tested: Evaluated, moves: Iterable[Move], x: NDArray, rng: np.random.Generator, size: NDArray | None = None
) -> Iterator[Row]:
    """One row for each move; errors at a point are relative to the size of the function there, as `sizes` gives it."""
    f = tested.value(x)
    size = sizes(tested, x, rng) if size is None else size
    length = norms(x)
    for one in moves:
        if one.infinitesimal:
            v = one.inputs(x)
            speed = rms(norms(v)) / max(rms(length), np.finfo(float).tiny)
            miss = norms(tested.push(x, v) - one.outputs(x, f))
            miss = np.where(np.isfinite(miss), np.maximum(miss - tested.doubt(x, v), 0.0), miss) / (speed or 1.0)
            whole = size
        else:
            there = tested.value(one.inputs(x))
            miss = norms(there - one.outputs(x, f))
            whole = np.maximum(size, norms(there))
        error = _over(miss, whole)
        worst = int(np.argmax(error))
        yield Row(one.name, one.infinitesimal, float(error[worst]), worst)


def sizes(tested: Evaluated, x: NDArray, rng: np.random.Generator) -> NDArray:
    """Size ``(n,)`` of a function at each point: its value there, and how far it goes when the point moves.

    The change over a small step is carried on to a step of the point's own length. A point where the function is
    far smaller than at half of the points gets their size: what a function computes on its way has it too. A few
    points where it is far larger, as exponentials are, change nothing for the others.
    """
    f, length = tested.value(x), norms(x)
    length = np.where(length > 0, length, rms(length) or 1.0)
    change = np.zeros(len(x))
    for _ in range(DIRECTIONS):
        u = rng.normal(size=x.shape)
        u *= (STEP * length / norms(u)).reshape(-1, *([1] * (x.ndim - 1)))
        with np.errstate(all="ignore"):
            # A step may leave the domain.
            change = np.fmax(change, norms(tested.value(x + u) - f) / STEP)
    here = norms(f)
    size = np.where(np.isfinite(change), np.hypot(here, change), here)
    known = size[np.isfinite(size)]
    return np.maximum(size, np.median(known)) if len(known) else size


def norms(values: NDArray) -> NDArray:
    """Length of each row, whatever its shape; no square leaves the range of numbers."""
    flat = np.abs(values.reshape(len(values), -1))
    largest = flat.max(axis=1, initial=0.0)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return unit * np.sqrt(np.sum((flat / unit[:, None]) ** 2, axis=1))


def rms(lengths: NDArray) -> float:
    """Root mean square."""
    return float(norms(lengths[None])[0] / np.sqrt(max(len(lengths), 1)))


def _over(miss: NDArray, whole: NDArray) -> NDArray:
    """Errors relative to sizes; nothing missed is no error, whatever the size, and what is no number is infinite."""
    with np.errstate(all="ignore"):
        error = np.where(miss == 0, 0.0, miss / whole)
    return np.where(np.isnan(error), np.inf, error)
