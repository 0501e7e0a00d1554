"""Second-order equations as fields over time, positions and velocities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.derivative import Samples
from erlangen.derivative.measures import BoxMeasure, GaussianMeasure
from erlangen.fields import AbstractField


@dataclass(frozen=True, eq=False)
class Motion(AbstractField):
    """Velocities and accelerations ``(v, a)`` over ``(t, x, v)``, for x'' = a(t, x, x').

    Parameters
    ----------
    base : AbstractField
        Values whose last m channels are the accelerations.
    positions : int
        Number m of positions.
    timed : bool
        Whether the points of the base start with time; else they are ``(x, v)``.
    """

    base: AbstractField
    positions: int
    timed: bool

    @property
    def point_dim(self) -> int:
        """Number 1 + 2 m: time, positions, velocities."""
        return 1 + 2 * self.positions

    @property
    def value_dim(self) -> int:
        """Number 2 m of velocities and accelerations."""
        return 2 * self.positions

    @property
    def accuracy(self) -> float:
        """Relative error of the derivative of the base."""
        return self.base.accuracy

    @property
    def kind(self) -> str:
        """Plain values: a prolonged action says how they move."""
        return "invariant"

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, 2 m)``."""
        pull = self.base.value(self._points(x))[:, -self.positions :]
        return np.hstack([x[:, 1 + self.positions :], pull])

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, 2 m, 1 + 2 m)``."""
        m = self.positions
        out = np.zeros((len(x), 2 * m, 1 + 2 * m))
        out[:, np.arange(m), 1 + m + np.arange(m)] = 1.0
        out[:, m:, 0 if self.timed else 1 :] = self.base.jacobian(self._points(x))[:, -m:]
        return out

    def _points(self, x: NDArray) -> NDArray:
        return x if self.timed else x[:, 1:]


def motion(field: AbstractField, samples: Samples, slack: float = 0.0) -> tuple[Motion, Samples]:
    """Read a field as a second-order equation, by its dimensions, and complete samples with times.

    Over m positions and m velocities, with or without time before them, values are the m accelerations, or the m
    velocities and the m accelerations; a fit may miss the velocities by ``slack`` of their size.

    Raises
    ------
    InputError
        Where the dimensions fit none of these, or the first half of the values are not the velocities.
    """
    d, c = field.point_dim, field.value_dim
    timed = d % 2 == 1
    m = d // 2
    if m == 0 or c not in (m, 2 * m):
        raise InputError(
            explain(
                "These are no equations of second order.",
                given=f"{c} values over {d} coordinates",
                expected="accelerations (and velocities before them) over positions and velocities, in this order",
                fix='symmetries({"x": "v", "v": "-x"}, order=2)',
            )
        )
    few = samples.subset(256).points
    speeds = few[:, -m:]
    wrong = float(np.linalg.norm(field.value(few)[:, :m] - speeds)) if c == 2 * m else 0.0
    size = float(np.linalg.norm(speeds))
    if wrong > max(np.sqrt(np.finfo(float).eps), 3 * field.accuracy, slack) * size:  # three times its error
        raise InputError(
            explain(
                "The first half of the equations does not say that positions move at the velocities.",
                given=f"values that differ from the velocities by {wrong / size:.2g} of their size",
                expected="positions first, then their velocities in the same order: x' = v, v' = a(x, v)",
                fix="order=1, or another order of the coordinates",
            )
        )
    equation = Motion(field, m, timed)
    return equation, samples if timed else _with_times(field, samples, m)


def _with_times(field: AbstractField, samples: Samples, m: int) -> Samples:
    """Add times, evenly spread about 0 and unrelated to the states, over the time in which velocities turn."""
    x = samples.points
    pull = field.value(x)[:, -m:]
    speed, size = np.sqrt(np.mean(x[:, m:] ** 2)), np.sqrt(np.mean(pull**2))
    reach = np.sqrt(np.mean((x[:, :m] - x[:, :m].mean(axis=0)) ** 2))
    span = speed / size if size > 0 else reach / speed if speed > 0 else 1.0
    measure = samples.measure  # a known distribution keeps its exact mean, about which generators are written
    if isinstance(measure, GaussianMeasure):
        return Samples.gaussian(np.r_[0.0, measure.mean], np.r_[span, measure.std], n=len(x))
    if isinstance(measure, BoxMeasure):
        return Samples.box(np.r_[-span, measure.low], np.r_[span, measure.high], n=len(x))
    times = np.random.default_rng(0).permutation(np.linspace(-span, span, len(x)))
    return Samples.from_data(np.column_stack([times, x]), samples.weights)
