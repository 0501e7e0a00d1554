"""What is known of a step of a tape on many boxes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from erlangen._typing import NDArray
from erlangen.evidence.bounds.functions import EPS

TINY = 1e-290
"""Added to remainders: more than all that underflow can lose."""


NARROW = 4
"""Steps of at most this many entries carry their second-order part forwards: inputs that are squared, summed, ..."""


@final
@dataclass(eq=False)
class Quadratic:
    """A second-order part ``e . matrix e / 2`` and what it leaves out.

    Attributes
    ----------
    matrix : ndarray (d, d, n, B)
        Second derivatives at the centre.
    rest : ndarray (n, B)
        Bound of what first and second order leave out.
    """

    matrix: NDArray
    rest: NDArray

    @property
    def size(self) -> NDArray:
        """Bound ``(n, B)`` of the second-order part."""
        return 0.5 * np.abs(self.matrix).sum(axis=(0, 1)) * (1 + 64 * EPS)


@final
@dataclass(eq=False)
class Known:
    """What is known of a step on B boxes.

    Attributes
    ----------
    form : ndarray (1 + d, n, B)
        Value at the centre, and the derivative by each coordinate e.
    error : ndarray (n, B)
        Bound of what the first-order form leaves out.
    linear : ndarray (n, B)
        Sum of the sizes of the derivatives: how far the linear part reaches.
    low, high : ndarray (n, B)
        The step lies between these.
    reach : ndarray (n, B)
        Largest distance from the value at the centre.
    quadratic : Quadratic or None
        The second-order part, for steps of few entries that are smooth functions of such steps.
    """

    form: NDArray
    error: NDArray
    linear: NDArray
    low: NDArray
    high: NDArray
    reach: NDArray
    quadratic: Quadratic | None = None


@final
@dataclass(eq=False)
class Local:
    """A curved step near the centre: slope, second derivative, and remainders of second and third order."""

    slope: NDArray
    curve: NDArray
    second: NDArray
    third: NDArray


def boxed(low: NDArray, high: NDArray) -> Known:
    """Return what is known of the points of boxes."""
    d, count = low.shape
    centre = 0.5 * (low + high)
    half = np.maximum(high - centre, centre - low) * (1 + 2 * EPS)
    form = np.zeros((1 + d, d, count))
    form[0] = centre
    form[1 + np.arange(d), np.arange(d)] = half
    quadratic = Quadratic(np.zeros((d, d, d, count)), np.zeros((d, count))) if d <= NARROW else None
    return Known(form, np.zeros((d, count)), half, low, high, half, quadratic)


def settled(form: NDArray, error: NDArray, low: NDArray, high: NDArray, quadratic: Quadratic | None = None) -> Known:
    """Intersect the interval with the Taylor forms."""
    if quadratic is not None:
        error = np.fmin(error, quadratic.size + quadratic.rest)
    linear = np.abs(form[1:]).sum(axis=0) * (1 + 16 * EPS)
    reach = (linear + error) * (1 + 4 * EPS)
    centre = form[0]
    margin = 2 * EPS * np.abs(centre)
    low = np.fmax(low, centre - reach - margin)
    high = np.fmin(high, centre + reach + margin)
    span = np.maximum(high - centre, centre - low)
    return Known(form, error, linear, low, high, np.fmin(reach, span * (1 + 4 * EPS) + margin), quadratic)
