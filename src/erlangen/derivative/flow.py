"""Finite flows: a zero Lie derivative almost everywhere is not yet a symmetry.

Moving points and values together for a finite time obeys

    f(g_t x) - T_t f(x) = int_0^t T_{t-s} (L_xi f)(g_s x) ds,

so a finite residual that the Lie derivative along the orbit does not explain reveals a jump, a kink
or a component too small to be seen in the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from erlangen._errors import UndecidedError
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, AbstractLift, PolynomialAction, matrices_of
from erlangen.derivative.lie import LieDerivative
from erlangen.derivative.samples import Samples
from erlangen.derivative.scales import Scales
from erlangen.fields import AbstractField

FLOW_POINTS = 512
"""Points that are moved; the standard error of a relative residual is then below 1/20 of itself."""

SHIFT = 0.25
"""Root mean square distance, in units of the spread of the samples, of the longest move."""

SOLVER = 1e-10
"""Relative tolerance of the solver of flows that are not affine."""

SMOOTH = 0.9
"""Least slope log2(D_t / D_{t/2}) of the residual of a field with a derivative: 1 in the limit, 1/2 at a jump."""

NODES = 1.25
"""By how much the Lie derivative at three nodes may fall short of its largest size along the orbit."""


@dataclass(frozen=True)
class Confirmation(AbstractShown):
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
    flows : bool
        Whether the residuals pass, whatever the components.
    slope : float
        Mean of log2(D_t / D_{t/2}) for residuals D_t = t times the relative one; NaN where they are rounding.
    """

    passed: bool
    residuals: tuple[float, ...]
    components: tuple[float, ...]
    reason: str
    flows: bool = True
    slope: float = float("nan")


def move(action: AbstractAction, xi: NDArray, t: float, x: NDArray, v: NDArray) -> tuple[NDArray, NDArray]:
    """Points ``(n, d)`` and values ``(n, c)`` after time t under the generator ``xi (p,)``.

    Affine generators use the matrix exponential; all others an eighth-order Runge-Kutta method at
    relative tolerance 1e-10.

    Parameters
    ----------
    action : AbstractAction
        What moves points and values; one that says nothing about values leaves them.
    xi : ndarray (p,)
        Coefficients of the generator.
    t : float
        Time, in units in which the generator is the velocity.
    x : ndarray (n, d)
        Points.
    v : ndarray (n, c)
        Values over them.

    Returns
    -------
    tuple of ndarray (n, d), (n, c)
        Where they are carried.

    Raises
    ------
    UndecidedError
        When the flow leaves every bound, or its solver gives up, before t.
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
    out = solve_ivp(velocity, (0.0, t), start, method="DOP853", rtol=SOLVER, atol=0.01 * SOLVER * np.abs(start).max())
    if not out.success or not np.isfinite(out.y[:, -1]).all():
        raise UndecidedError(f"The flow could not be followed up to t = {t:.3g}: {out.message}")
    end = out.y[:, -1].reshape(n, -1)
    return end[:, :d], end[:, d:]


def confirm(lie: LieDerivative, xi: NDArray, scales: Scales, delta: float) -> Confirmation:
    """Move the samples along one generator ``xi (p,)`` and compare; then look at each component.

    A residual passes where it is at most ``delta``, or at most what the Lie derivative along the same
    orbits predicts. One that the Lie derivative does not explain must be rounding, or shrink with the time as the
    residual of a field with a derivative does: at a jump it shrinks like the root. A component may use the whole
    budget of the mean square, ``sqrt(c) delta``. The error of the derivative itself adds in squares to both.

    Parameters
    ----------
    lie : LieDerivative
        Field, action and samples.
    xi : ndarray (p,)
        Coefficients of the generator.
    scales : Scales
        Units of points and values.
    delta : float
        Relative defect that is allowed; 1 is what an unrelated direction gives.

    Returns
    -------
    Confirmation
        Whether it passed, residuals and components, and why in words.
    """
    error = lie.field.accuracy
    samples = lie.samples.pointwise().subset(FLOW_POINTS)
    one = lie.lifted.restrict(np.asarray(xi)[:, None])
    here = _rates(lie.field, one, samples.points)
    components = here.components(samples.weights, scales, error)
    speed = np.sqrt(samples.weights @ np.sum((here.velocity / scales.points) ** 2, axis=1))
    time = SHIFT / speed if speed > 0 else 1.0
    times = (time / 8, time / 4, time / 2, time)
    orbit = [move(one, np.ones(1), t, samples.points, here.values) for t in times]
    residuals, allowed, unexplained = [], [], []
    for k in (3, 2, 1):
        residual, predicted, size = _residual(lie.field, one, times[k], samples, here, orbit[k - 1 : k + 1], scales)
        residuals.append(residual)
        allowed.append(max(np.hypot(delta, error), NODES * predicted))
        floor = np.sqrt(max(error, np.finfo(np.float64).eps)) / (times[k] * size) if size > 0 else np.inf
        unexplained.append(residual > NODES * predicted + floor)
    slope = 1.0 + 0.5 * float(np.log2(residuals[0] / residuals[2])) if min(residuals) > 0 else float("nan")
    jump = all(unexplained) and slope < SMOOTH
    law = _group_law(one, times[2], orbit, scales)
    budget = float(np.hypot(np.sqrt(len(scales.values)) * delta, error))
    worst = np.nanmax(components) if np.isfinite(components).any() else 0.0
    flows = law and not jump and all(r <= a for r, a in zip(residuals, allowed, strict=True))
    reason = _reason(residuals, allowed, components, budget, jump) if law else _UNFOLLOWED
    shown = slope if any(unexplained) else float("nan")
    return Confirmation(
        flows and worst <= budget, tuple(residuals), tuple(float(c) for c in components), reason, flows, shown
    )


def _group_law(one: AbstractAction, t: float, orbit: Sequence[tuple[NDArray, NDArray]], scales: Scales) -> bool:
    """Whether moving by t twice is moving by 2t, up to a hundred times the solver's tolerance."""
    base = one.base if isinstance(one, AbstractLift) else one
    if isinstance(base, PolynomialAction) and base.degree <= 1:
        return True  # a matrix exponential
    twice, once = move(one, np.ones(1), t, *orbit[2]), orbit[3]
    for a, b, unit in zip(twice, once, (scales.points, scales.values), strict=True):
        size = max(1.0, float(np.abs(b / unit).max(initial=0.0)))
        if np.abs((a - b) / unit).max(initial=0.0) > 100 * SOLVER * size:
            return False
    return True


_UNFOLLOWED = "moving the points twice by half of the time is not moving them once by all of it: no flow was followed"


@dataclass(frozen=True, eq=False)
class _Rates:
    """What the Lie derivative along one generator is made of, at n points.

    Attributes
    ----------
    values, jacobian : ndarray (n, c), (n, c, d)
        The field.
    velocity, carried : ndarray (n, d), (n, c)
        How the generator moves points and values.
    """

    values: NDArray
    jacobian: NDArray
    velocity: NDArray
    carried: NDArray

    @property
    def rate(self) -> NDArray:
        """The Lie derivative ``(n, c)``."""
        return np.einsum("nca,na->nc", self.jacobian, self.velocity) - self.carried

    def at(self, rows: NDArray) -> _Rates:
        """The same at some of the points."""
        return _Rates(self.values[rows], self.jacobian[rows], self.velocity[rows], self.carried[rows])

    def defect(self, w: NDArray, scales: Scales) -> float:
        """Root mean square of the Lie derivative."""
        return float(np.sqrt(w @ np.sum((self.rate / scales.values) ** 2, axis=1)))

    def size(self, w: NDArray, scales: Scales) -> float:
        """Root mean square of what an unrelated direction of the same speed gives."""
        moved = scales.slope(self.jacobian) ** 2 * np.sum((self.velocity / scales.points) ** 2, axis=1)
        return float(np.sqrt(w @ (moved + np.sum((self.carried / scales.values) ** 2, axis=1))))

    def components(self, w: NDArray, scales: Scales, accuracy: float) -> NDArray:
        """Relative defect of each value channel against what that channel alone would give."""
        speed = np.sum((self.velocity / scales.points) ** 2, axis=1)
        slope = np.einsum("nca,a->nc", self.jacobian**2, scales.points**2) / self.velocity.shape[1]
        own = w @ (slope * speed[:, None] + self.carried**2)
        floor = (accuracy * scales.values) ** 2 * (w @ speed)
        return np.where(own > floor, np.sqrt(w @ self.rate**2 / np.where(own > 0, own, 1.0)), np.nan)


def _rates(field: AbstractField, one: AbstractAction, x: NDArray) -> _Rates:
    values = field.value(x)
    return _Rates(values, field.jacobian(x), one.on_points(x)[:, 0], one.on_values(x, values)[:, 0])


def _residual(
    field: AbstractField,
    one: AbstractAction,
    t: float,
    samples: Samples,
    here: _Rates,
    orbit: Sequence[tuple[NDArray, NDArray]],
    scales: Scales,
) -> tuple[float, float, float]:
    """Relative finite residual over time t, what the Lie derivative along the orbits predicts, and their unit.

    ``orbit`` holds points and carried values after half of the time and after all of it.
    """
    halfway, end = orbit
    inside = _staying(end[0], samples)
    w = samples.weights[inside] / samples.weights[inside].sum()
    there = _rates(field, one, end[0][inside])
    nodes = (here.at(inside), _rates(field, one, halfway[0][inside]), there)
    size = max(node.size(w, scales) for node in nodes)
    if size == 0.0:
        return 0.0, 0.0, 0.0
    difference = (there.values - end[1][inside]) / scales.values
    predicted = max(node.defect(w, scales) for node in nodes)
    return float(np.sqrt(w @ np.sum(difference**2, axis=1)) / (t * size)), predicted / size, size


def _staying(ends: NDArray, samples: Samples) -> NDArray:
    """Points whose orbit ends within the bounding box of the samples; all, where few do."""
    low, high = samples.points.min(axis=0), samples.points.max(axis=0)
    slack = 1e-9 * (high - low)
    inside = np.all((ends >= low - slack) & (ends <= high + slack), axis=1)
    return inside if inside.sum() >= len(samples) // 8 else np.ones(len(samples), dtype=bool)


def _reason(residuals, allowed, components, budget: float, jump: bool) -> str:
    if jump or any(r > a for r, a in zip(residuals, allowed, strict=True)):
        growth = residuals[2] / residuals[0] if residuals[0] > 0 else 1.0
        kind = "a jump: it grows as the move shrinks" if jump or growth > 1.2 else "the field changes along the orbit"
        most = "that its derivative does not explain" if jump else f"against {max(allowed):.2g} allowed"
        return (
            f"moving the points breaks it: residual per unit time {residuals[0]:.2g}, {residuals[1]:.2g}, "
            f"{residuals[2]:.2g} {most} ({kind})"
        )
    worst = int(np.nanargmax(components)) if np.isfinite(components).any() else 0
    if np.isfinite(components).any() and components[worst] > budget:
        return (
            f"component {worst + 1} alone has defect {components[worst]:.2g}, above {budget:.2g}; it is too small "
            "beside the others to show in the mean"
        )
    return f"confirmed by moving the points: residual {max(residuals):.2g}"
