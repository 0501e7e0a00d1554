"""Finite flows: a zero Lie derivative almost everywhere is not yet a symmetry.

Moving points and values together for a finite time obeys

    f(g_t x) - T_t f(x) = int_0^t T_{t-s} (L_xi f)(g_s x) ds,

so a finite residual that the Lie derivative along the orbit does not explain reveals a jump, a kink
or a component too small to be seen in the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from erlangen._errors import UndecidedError
from erlangen.actions import AbstractAction, AbstractLift, PolynomialAction, matrices_of
from erlangen.derivative.lie import LieDerivative
from erlangen.derivative.samples import Samples
from erlangen.derivative.scales import Scales

FLOW_POINTS = 512
"""Points that are moved; the standard error of a relative residual is then below 1/20 of itself."""

SHIFT = 0.25
"""Root mean square distance, in units of the spread of the samples, of the longest move."""


@dataclass(frozen=True)
class Confirmation:
    """What moving the points for a finite time showed.

    Attributes
    ----------
    passed : bool
        Whether residuals and components stay within the tolerance.
    residuals : tuple of float
        Relative residual |f(g_t x) - T_t f(x)| / t for the times t, t/2 and t/4.
    components : tuple of float
        Relative defect of each value channel (NaN where the channel carries no information).
    reason : str
        Words.
    """

    passed: bool
    residuals: tuple[float, ...]
    components: tuple[float, ...]
    reason: str


def move(action: AbstractAction, xi: NDArray, t: float, x: NDArray, v: NDArray) -> tuple[NDArray, NDArray]:
    """Points ``(n, d)`` and values ``(n, c)`` after time t under the generator ``xi (p,)``.

    Affine generators use the matrix exponential; all others an eighth-order Runge-Kutta method at
    relative tolerance 1e-10.
    """
    one = action.restrict(np.asarray(xi, dtype=np.float64)[:, None])
    base = one.base if isinstance(one, AbstractLift) else one
    if isinstance(base, PolynomialAction) and base.degree <= 1:
        return _affine_move(one, base, t, x, v)
    return _integrate(one, t, x, v)


def _affine_move(one: AbstractAction, base: PolynomialAction, t: float, x: NDArray, v: NDArray):
    d = base.point_dim
    generator = matrices_of(base)[0]
    g = expm(t * generator)
    a, b = g[:d, :d], (g[:d, d] if len(g) > d else np.zeros(d))
    moved = x @ a.T + b
    if one is not base:  # tangent vectors and increments move by the linear part
        return moved, v @ a.T
    return moved, (v if base.output is None else v @ expm(t * base.output[0]).T)


def _integrate(one: AbstractAction, t: float, x: NDArray, v: NDArray) -> tuple[NDArray, NDArray]:
    n, d = x.shape

    def velocity(_, state):
        both = state.reshape(n, -1)
        points, values = both[:, :d], both[:, d:]
        return np.hstack([one.on_points(points)[:, 0], one.on_values(points, values)[:, 0]]).ravel()

    start = np.hstack([x, v]).ravel()
    out = solve_ivp(velocity, (0.0, t), start, method="DOP853", rtol=1e-10, atol=1e-12 * np.abs(start).max())
    if not out.success or not np.isfinite(out.y[:, -1]).all():
        raise UndecidedError(f"The flow could not be followed up to t = {t:.3g}: {out.message}")
    end = out.y[:, -1].reshape(n, -1)
    return end[:, :d], end[:, d:]


def confirm(lie: LieDerivative, xi: NDArray, scales: Scales, delta: float) -> Confirmation:
    """Move the samples along one generator ``xi (p,)`` and compare; then look at each component.

    A residual passes where it is at most ``delta``, or at most what the Lie derivative along the same
    orbits predicts. A component may use the whole budget of the mean square, ``sqrt(c) delta``. The
    error of the derivative itself adds in squares to both.
    """
    error = lie.field.accuracy
    samples = lie.samples.pointwise().subset(FLOW_POINTS)
    one = lie.lifted.restrict(np.asarray(xi)[:, None])
    x, w = samples.points, samples.weights
    f, jacobian = lie.field.value(x), lie.field.jacobian(x)
    components = _components(one, x, w, f, jacobian, scales, lie.field.accuracy)
    speed = np.sqrt(w @ np.sum((one.on_points(x)[:, 0] / scales.points) ** 2, axis=1))
    time = SHIFT / speed if speed > 0 else 1.0
    residuals, allowed = [], []
    for t in (time, time / 2, time / 4):
        residual, predicted = _residual(lie, one, t, samples, f, scales)
        residuals.append(residual)
        allowed.append(max(np.hypot(delta, error), 1.25 * predicted))  # 1.25: three nodes stand for the whole orbit
    budget = float(np.hypot(np.sqrt(len(scales.values)) * delta, error))
    worst = np.nanmax(components) if np.isfinite(components).any() else 0.0
    reason = _reason(residuals, allowed, components, budget)
    passed = all(r <= a for r, a in zip(residuals, allowed, strict=True)) and worst <= budget
    return Confirmation(passed, tuple(residuals), tuple(float(c) for c in components), reason)


def _residual(lie: LieDerivative, one: AbstractAction, t: float, samples: Samples, f: NDArray, scales: Scales):
    """Relative finite residual over time t, and what the Lie derivative along the orbits predicts."""
    inside = _staying(one, t, samples, f)
    x, w, f = samples.points[inside], samples.weights[inside] / samples.weights[inside].sum(), f[inside]
    ends, carried = move(one, np.ones(1), t, x, f)
    difference = (lie.field.value(ends) - carried) / scales.values
    sizes, defects = [], []
    for share in (0.0, 0.5, 1.0):
        y, moved = move(one, np.ones(1), share * t, x, f) if share else (x, f)
        jacobian = lie.field.jacobian(y)
        velocity = one.on_points(y)[:, 0]
        value_velocity = one.on_values(y, lie.field.value(y))[:, 0]
        rate = np.einsum("nca,na->nc", jacobian, velocity) - value_velocity
        defects.append(np.sqrt(w @ np.sum((rate / scales.values) ** 2, axis=1)))
        sizes.append(_size(velocity, value_velocity, jacobian, w, scales))
    size = max(sizes)
    if size == 0.0:
        return 0.0, 0.0
    return float(np.sqrt(w @ np.sum(difference**2, axis=1)) / (t * size)), float(max(defects) / size)


def _size(velocity: NDArray, value_velocity: NDArray, jacobian: NDArray, w: NDArray, scales: Scales) -> float:
    moved = scales.slope(jacobian) ** 2 * np.sum((velocity / scales.points) ** 2, axis=1)
    return float(np.sqrt(w @ (moved + np.sum((value_velocity / scales.values) ** 2, axis=1))))


def _staying(one: AbstractAction, t: float, samples: Samples, f: NDArray) -> NDArray:
    """Points whose orbit stays within the bounding box of the samples; all, where few do."""
    ends, _ = move(one, np.ones(1), t, samples.points, f)
    low, high = samples.points.min(axis=0), samples.points.max(axis=0)
    slack = 1e-9 * (high - low)
    inside = np.all((ends >= low - slack) & (ends <= high + slack), axis=1)
    return inside if inside.sum() >= len(samples) // 8 else np.ones(len(samples), dtype=bool)


def _components(one, x, w, f, jacobian, scales: Scales, accuracy: float) -> NDArray:
    """Relative defect of each value channel against what that channel alone would give."""
    velocity, carried = one.on_points(x)[:, 0], one.on_values(x, f)[:, 0]
    rate = w @ (np.einsum("nca,na->nc", jacobian, velocity) - carried) ** 2
    slope = np.einsum("nca,a->nc", jacobian**2, scales.points**2) / x.shape[1]
    own = w @ (slope * np.sum((velocity / scales.points) ** 2, axis=1)[:, None] + carried**2)
    floor = (accuracy * scales.values) ** 2 * (w @ np.sum((velocity / scales.points) ** 2, axis=1))
    return np.where(own > floor, np.sqrt(rate / np.where(own > 0, own, 1.0)), np.nan)


def _reason(residuals, allowed, components, budget: float) -> str:
    if any(r > a for r, a in zip(residuals, allowed, strict=True)):
        growth = residuals[2] / residuals[0] if residuals[0] > 0 else 1.0
        kind = "a jump: it grows as the move shrinks" if growth > 1.2 else "the field changes along the orbit"
        return (
            f"moving the points breaks it: residual per unit time {residuals[0]:.2g}, {residuals[1]:.2g}, "
            f"{residuals[2]:.2g} against {max(allowed):.2g} allowed ({kind})"
        )
    worst = int(np.nanargmax(components)) if np.isfinite(components).any() else 0
    if np.isfinite(components).any() and components[worst] > budget:
        return (
            f"component {worst + 1} alone has defect {components[worst]:.2g}, above {budget:.2g}; it is too small "
            "beside the others to show in the mean"
        )
    return f"confirmed by moving the points: residual {max(residuals):.2g}"
