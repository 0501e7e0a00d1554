r"""From the infinitesimal bound to finite moves.

Along an orbit x(t) = exp(t xi) x, with rho(t) the action on values and B its generator,

.. math:: f(x(t)) - \rho(t) f(x) = \int_0^t \rho(t - u)\, s(x(u))\, du, \qquad s = Df\,\xi - B f,

so that its size is at most sup|s| (exp(mu |t|) - 1) / mu, where mu is the largest eigenvalue of +-(B + B^T)/2: just
|t| sup|s| where the action on values is orthogonal. The supremum is over the orbit, which must not leave the box.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray

if TYPE_CHECKING:
    from erlangen.evidence.bounds.objective import Moves

UP = 1.0 + 2.0**-40
"""Widens what was computed in a few dozen operations by far more than they can round."""


def speeds(action: Moves, corners: NDArray) -> NDArray:
    """Bound ``(d,)`` of each coordinate's velocity on a box, over all combinations of generators of norm 1."""
    with np.errstate(over="ignore"):  # infinite is a bound too
        far = np.abs(corners).max(axis=0)
        sizes = np.prod(far**action.base.exponents, axis=1)
        each = np.abs(action.base.coefficients) @ sizes
        return np.sqrt((each**2).sum(axis=0)) * UP


def turning(action: Moves) -> bool:
    """Whether every generator is a skew matrix, so that distances from the origin stay."""
    return _affine(action) and not _shifts(action) and all(np.array_equal(a, -a.T) for a in _matrices(action))


def growth(action: Moves) -> float:
    """Rate mu at which the action on values can stretch them; zero where it is orthogonal.

    Raises
    ------
    InputError
        Where values are carried by a generator that is not affine: the rate then depends on the values.
    """
    if action.values == "none":
        return 0.0
    if action.values != "matrices" and not _affine(action):
        raise InputError(
            explain(
                "For finite moves, values must be carried by matrices.",
                given="a vector field or map with a generator that is not affine",
                expected="affine generators, or an action whose output representation is given",
                fix="use the infinitesimal bound: certificate.upper",
            )
        )
    matrices = action.base.output if action.values == "matrices" else _matrices(action)
    symmetric = [0.5 * (b + b.T) for b in matrices]  # pyright: ignore[reportOptionalIterable]
    return math.sqrt(sum(float(np.abs(np.linalg.eigvalsh(b)).max(initial=0.0)) ** 2 for b in symmetric)) * UP


def stretched(upper: float, angle: float, rate: float) -> float:
    """Bound of a finite move from that of an infinitesimal one, rounded up."""
    time = angle if rate == 0.0 else math.expm1(rate * angle) / rate
    return upper * time * UP


def orbit_hull(action: Moves, corners: NDArray, angle: float) -> NDArray:
    """Enlarge a box until the orbits of its points up to an angle stay inside.

    Rotations stay within the ball around the box. Otherwise steps of a short time t are enclosed: a box Y with
    ``X + [-t, t] speed(Y)`` inside Y holds all orbits that start in X.

    Raises
    ------
    InputError
        Where orbits may leave every box.
    """
    hull = _stepped(action, corners, abs(angle))
    if turning(action):
        moved = np.abs(action.base.coefficients).sum(axis=(0, 2)) > 0
        radius = math.sqrt(float((np.abs(corners).max(axis=0)[moved] ** 2).sum())) * UP
        ball = np.where(moved, np.array([[-radius], [radius]]), corners)
        hull = ball if hull is None else np.stack([np.maximum(hull[0], ball[0]), np.minimum(hull[1], ball[1])])
    if hull is None:
        raise InputError(
            explain(
                "Orbits of the points of the box may run away.",
                given=f"angle={angle:g}",
                expected="an angle up to which all orbits stay bounded",
                fix=f"angle={angle / 2:g}",
            )
        )
    return hull


STEPS = 64
"""Pieces into which the time is cut: the growth of an enclosure is then that of the orbits within a few percent."""


def _stepped(action: Moves, corners: NDArray, angle: float) -> NDArray | None:
    now = corners.copy()
    for _ in range(STEPS):
        inside = _enclosed(action, now, angle / STEPS)
        if inside is None:
            return None
        now = inside
    return now


def _enclosed(action: Moves, corners: NDArray, time: float) -> NDArray | None:
    trial = corners
    for _ in range(60):
        reach = time * speeds(action, trial) * UP
        wanted = np.stack([corners[0] - reach, corners[1] + reach])
        if not np.isfinite(wanted).all():
            return None
        if (wanted[0] >= trial[0]).all() and (wanted[1] <= trial[1]).all():
            return trial
        grow = 2.0**-20 * np.abs(wanted).max()  # a little more than asked for, so that the search ends
        still = reach == 0
        trial = np.stack([np.where(still, wanted[0], wanted[0] - grow), np.where(still, wanted[1], wanted[1] + grow)])
    return None


def inner_ball(action: Moves, corners: NDArray) -> float:
    """Radius of the largest ball of moved coordinates that rotations keep inside a box; zero where there is none."""
    if not turning(action):
        return 0.0
    moved = np.abs(action.base.coefficients).sum(axis=(0, 2)) > 0
    return max(0.0, float(np.minimum(-corners[0], corners[1])[moved].min()))


def inner_box(action: Moves, corners: NDArray, angle: float) -> NDArray:
    """Shrink a box by how far its points can move."""
    reach = angle * speeds(action, corners) * UP
    return np.stack([corners[0] + reach, corners[1] - reach])


def _affine(action: Moves) -> bool:
    return action.base.degree <= 1


def _shifts(action: Moves) -> bool:
    constant = action.base.exponents.sum(axis=1) == 0
    return bool(action.base.coefficients[:, :, constant].any())


def _matrices(action: Moves) -> NDArray:
    return action.base.coefficients @ action.base.exponents
