"""The equivariance error of something with values, move by move."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from erlangen.fields import AbstractField
from erlangen.testing._moves import Carry, Move
from erlangen.testing._report import Row


class Evaluated(Protocol):
    """Something with values and derivatives along directions."""

    def value(self, x: NDArray, /) -> NDArray: ...

    def push(self, x: NDArray, v: NDArray, /) -> NDArray: ...


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


@dataclass(frozen=True, eq=False)
class Values:
    """A function that is not differentiated."""

    function: Carry

    def value(self, x: NDArray) -> NDArray:
        """Values."""
        return self.function(x)

    def push(self, x: NDArray, v: NDArray) -> NDArray:
        """Not asked for where moves are finite."""
        raise NotImplementedError


def finite_error(
    value: Carry, moves: Iterable[Move], x: NDArray, rng: int | np.random.Generator, size: float = 0.0
) -> float:
    """Largest error of ``value`` under finite moves of the points ``x (n, ...)``, relative to ``size`` at least."""
    return max(row.error for row in measure(Values(value), moves, x, np.random.default_rng(rng), size))


def measure(
    tested: Evaluated, moves: Iterable[Move], x: NDArray, rng: np.random.Generator, least: float = 0.0
) -> Iterable[Row]:
    """One row for each move; errors are relative to the size of the values and of their variation."""
    f = tested.value(x)
    length = norms(x)
    u = rng.normal(size=x.shape)
    u *= (length / norms(u)).reshape(-1, *([1] * (x.ndim - 1)))
    # A function that is zero in the mean still has a size: how far it goes when a point moves by its own length.
    size = max(rms(norms(f)) + rms(norms(tested.value(x + u) - f)), least)
    for one in moves:
        if one.infinitesimal:
            v = one.inputs(x)
            speed = rms(norms(v)) / max(rms(length), np.finfo(float).tiny)
            miss = norms(tested.push(x, v) - one.outputs(x, f)) / (speed or 1.0)
            whole = size
        else:
            there = tested.value(one.inputs(x))
            miss = norms(there - one.outputs(x, f))
            whole = max(size, rms(norms(there)))
        worst = int(np.argmax(np.where(np.isfinite(miss), miss, np.inf)))
        error = miss[worst] / whole if whole > 0 else miss[worst]
        yield Row(one.name, one.infinitesimal, float(error) if np.isfinite(error) else float("inf"), worst)


def norms(values: NDArray) -> NDArray:
    """Length of each row, whatever its shape."""
    return np.sqrt(np.sum(values.reshape(len(values), -1) ** 2, axis=1))


def rms(lengths: NDArray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(lengths**2)))
