"""Kinks: relu and its slope, and the sides of them on which a box lies.

On a box that a kink crosses, the slope is any number between 0 and 1. A box can also be cut along the kink: on each
side everything is smooth. What side is meant is written as 1 (positive), -1 (negative) or 0 (both).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.evidence.bounds.graph import Tape, Unary
from erlangen.evidence.bounds.known import TINY, Known, Local, settled


@final
@dataclass(frozen=True, eq=False)
class Kinks:
    """The K entries of a tape that have a kink.

    Parameters
    ----------
    tape : Tape
        The tape.
    """

    tape: Tape

    @cached_property
    def places(self) -> dict[int, slice]:
        """For each step with a kink of a function of it, which of the K entries it holds."""
        found: dict[int, slice] = {}
        start = 0
        for step in self.tape.steps:
            if isinstance(step, Unary) and step.name == "relu" and step.parent not in found:
                found[step.parent] = slice(start, start + self.tape.widths[step.parent])
                start = found[step.parent].stop
        return found

    @cached_property
    def count(self) -> int:
        """Number K of entries."""
        return max((place.stop for place in self.places.values()), default=0)


def empty(side: NDArray, z: Known) -> NDArray:
    """Boxes ``(B,)`` of which nothing lies on the side that is meant."""
    return np.any(((side > 0) & (z.high < 0)) | ((side < 0) & (z.low > 0)), axis=0)


def kink(step: Unary, z: Known, u: float, side: NDArray | None) -> tuple[Known, Local]:
    """``relu`` or its slope, exact where the sign is known; else a band, or any slope between 0 and 1.

    Raises
    ------
    InputError
        Where a second derivative is asked for.
    """
    if step.name != "relu" or step.order > 1:
        raise InputError(
            explain(
                "This function has no derivative that could be bounded.",
                given=f"derivative {step.order} of {step.name}",
                expected="smooth functions, relu, abs, min and max",
                fix="replace it by a smooth function",
            )
        )
    on, off = z.low > 0, z.high <= 0
    if side is not None:
        on, off = on | (side > 0), (off | (side < 0)) & ~(side > 0)
    crossed = ~(on | off)
    return _slope(z, on, off, crossed) if step.order else _ramp(z, u, on, off, crossed)


def _slope(z: Known, on: NDArray, off: NDArray, crossed: NDArray) -> tuple[Known, Local]:
    value = np.where(on, 1.0, np.where(off, 0.0, 0.5))
    error = np.where(crossed, 0.5, 0.0)
    form = np.zeros_like(z.form)
    form[0] = value
    zero = np.zeros_like(value)
    return Known(form, error, zero, value - error, value + error, error), Local(zero, np.zeros((1, 1)), error, error)


def _ramp(z: Known, u: float, on: NDArray, off: NDArray, crossed: NDArray) -> tuple[Known, Local]:
    slope = np.where(on, 1.0, np.where(off, 0.0, z.high / (z.high - z.low)))
    gap = np.where(crossed, -0.5 * slope * z.low, 0.0)
    form = slope * z.form
    form[0] = slope * z.form[0] + gap
    second = gap * (1 + u) + u * (np.abs(form[0]) + slope * (z.linear + z.reach)) + TINY
    low, high = np.where(off, 0.0, np.maximum(z.low, 0.0)), np.where(off, 0.0, np.maximum(z.high, 0.0))
    made = settled(form, slope * z.error * (1 + u) + second, low, high)
    return made, Local(slope, np.zeros((1, 1)), second, second)
