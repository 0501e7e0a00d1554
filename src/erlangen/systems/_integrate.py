"""Two ways to follow a flow: classical Runge-Kutta for many runs at once, and an adaptive method for exact data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray

RELATIVE, ABSOLUTE = 1e-10, 1e-13
"""Errors of a step of the adaptive method: relative, and as a share of the initial state or its first change."""


def runge_kutta(rhs: Callable[[NDArray], NDArray], x0: NDArray, times: NDArray) -> NDArray:
    """States ``(r, n, d)`` of r runs from ``x0 (r, d)``, one classical step of order four between times ``(n,)``."""
    x = np.array(x0, dtype=np.float64)
    out = np.empty((len(x), len(times), x.shape[1]))
    out[:, 0] = x
    with np.errstate(all="ignore"):
        for i, h in enumerate(np.diff(times)):
            a = rhs(x)
            b = rhs(x + (h / 2) * a)
            c = rhs(x + (h / 2) * b)
            d = rhs(x + h * c)
            x = x + (h / 6) * (a + 2 * (b + c) + d)
            out[:, i + 1] = x
    return out


def adaptive(rhs: Callable[[list[float]], list[float]], x0: NDArray, times: NDArray) -> NDArray:
    """States ``(n, d)`` from ``x0 (d,)``, by Dormand and Prince's method of order eight; rates of lists of floats.

    Raises
    ------
    InputError
        Where the solution cannot be followed to the last time.
    """
    with np.errstate(all="ignore"):
        sizes = [np.abs(x0).max(), np.abs(rhs(x0.tolist())).max() * (times[1] - times[0]), np.finfo(np.float64).tiny]
        scale = ABSOLUTE * float(np.nanmax(sizes))
        run = solve_ivp(
            lambda _, z: rhs(z.tolist()), (times[0], times[-1]), x0,
            method="DOP853", t_eval=times, rtol=RELATIVE, atol=scale,
        )  # fmt: skip
    if not run.success or run.y.shape[1] < len(times) or not np.isfinite(run.y).all():
        reached = f"t = {run.t[-1]:g}" if len(run.t) else f"t = {times[0]:g}"
        raise InputError(
            explain(
                "The solution cannot be followed to the last time.",
                given=f"from {x0.tolist()}; it ends near {reached} of {times[-1]:g}",
                expected="a solution that stays finite",
                fix="shorter times, or other initial states",
            )
        )
    return run.y.T


def checked_times(t: ArrayLike) -> NDArray:
    """Increasing finite times ``(n,)``, at least two."""
    times = np.asarray(t, dtype=np.float64)
    if times.ndim != 1 or len(times) < 2 or not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
        raise InputError(
            explain(
                "These are no times to simulate at.",
                given=f"an array of shape {times.shape}" + (", not increasing" if times.ndim == 1 else ""),
                expected="two or more increasing finite numbers",
                fix="system.simulate(x0, numpy.linspace(0, 10, 101))",
            )
        )
    return times


def checked_starts(x0: ArrayLike, d: int) -> NDArray:
    """Initial states ``(r, d)``, from an array of these or of one ``(d,)``."""
    starts = np.atleast_2d(np.asarray(x0, dtype=np.float64))
    if starts.ndim != 2 or starts.shape[1] != d or not np.isfinite(starts).all():
        raise InputError(
            explain(
                "These are no initial states.",
                given=f"an array of shape {np.shape(x0)}" + ("" if np.isfinite(starts).all() else ", some not finite"),
                expected=f"finite numbers of shape ({d},) or (runs, {d})",
                fix="system.draw(rng=0, n_runs=10)",
            )
        )
    return starts
