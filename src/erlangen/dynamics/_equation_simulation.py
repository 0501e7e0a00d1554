"""Solutions of equations of motion; where one ends early, what there is of it is kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import LSODA

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray

ACCURACY = 1e-9
"""Relative error of one step."""

MOST_STEPS = 100_000
"""Steps after which a solution is given up: seconds of work, and far more than smooth solutions take."""


@dataclass(frozen=True, eq=False)
class Simulation(AbstractShown):
    """A solution at the times asked for, as far as it could be followed.

    Attributes
    ----------
    times : ndarray (m,)
        The times that were reached, the first of those asked for always among them.
    states : ndarray (m, d)
        The states there.
    complete : bool
        Whether these are all the times asked for.
    reason : str
        Where the solution ended and why; empty where it is complete.
    """

    times: NDArray
    states: NDArray
    complete: bool
    reason: str

    def __repr__(self) -> str:
        end = "complete" if self.complete else self.reason
        return f"Simulation({len(self.times)} states of {self.states.shape[1]} coordinates; {end})"


def simulated(
    rate: Callable[[float, NDArray], NDArray],
    slope: Callable[[float, NDArray], NDArray] | None,
    start: NDArray,
    times: NDArray,
) -> Simulation:
    """Follow ``x' = rate(t, x)`` from ``start (d,)`` at the first of the times ``(n,)``; nothing is raised on the way.

    Parameters
    ----------
    rate : callable
        Time and state ``(d,)`` to the derivative ``(d,)``.
    slope : callable or None
        Time and state to the Jacobian ``(d, d)``.
    """
    states = np.full((len(times), len(start)), np.nan)
    states[0] = start
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what the solver has to say stands in the reason
        if not np.isfinite(rate(float(times[0]), start)).all():
            return _ended(times[:1], states[:1], times, "the equations are not finite at the start")
        return _follow(_solver(rate, slope, start, times), states, times)


def _solver(rate: Any, slope: Any, start: NDArray, times: NDArray) -> LSODA:
    # An absolute error on the scale of each coordinate at the start, and of all where one starts at zero.
    size = max(float(np.abs(start).max()), float(np.abs(rate(float(times[0]), start)).max()) * (times[-1] - times[0]))
    small = ACCURACY * (size if size > 0 else 1.0)
    return LSODA(rate, float(times[0]), start, float(times[-1]), rtol=ACCURACY, atol=small * 1e-3, jac=slope)


def _follow(solver: LSODA, states: NDArray, times: NDArray) -> Simulation:
    done = 1
    for _ in range(MOST_STEPS):
        before = solver.t
        try:
            solver.step()
        except (ArithmeticError, ValueError) as error:
            return _ended(times[:done], states[:done], times, f"near t = {before:.6g} the equations fail: {error}")
        if not np.isfinite(solver.y).all():
            return _ended(times[:done], states[:done], times, _grown(before))
        reached = int(np.searchsorted(times, solver.t, side="right"))
        if solver.status == "failed" or not solver.t > before:
            return _ended(times[:done], states[:done], times, _grown(solver.t))
        if reached > done:
            states[done:reached] = solver.dense_output()(times[done:reached]).T
            done = reached
        if solver.status == "finished":
            states[-1] = solver.y
            return Simulation(times, states, True, "")
    why = f"it takes more than {MOST_STEPS} steps, the last at t = {solver.t:.6g}"
    return _ended(times[:done], states[:done], times, why)


def _grown(at: float) -> str:
    return f"it grows without bound, or leaves the domain of the equations, near t = {at:.6g}"


def _ended(times: NDArray, states: NDArray, asked: NDArray, why: str) -> Simulation:
    reason = f"the solution ends at t = {times[-1]:.6g} of {asked[-1]:.6g}: {why}"
    return Simulation(times, states, False, reason)


def check_times(t: ArrayLike) -> NDArray:
    """Return times ``(n,)`` to simulate at; they must increase."""
    times = np.asarray(t, dtype=np.float64)
    if times.ndim == 1 and len(times) >= 2 and np.isfinite(times).all() and np.all(np.diff(times) > 0):
        return times
    wrong = ""
    if times.ndim == 1 and len(times) >= 2 and np.isfinite(times).all():
        at = int(np.flatnonzero(np.diff(times) <= 0)[0])
        wrong = f", not increasing: {times[at + 1]:g} follows {times[at]:g}"
    raise InputError(
        explain(
            "These are no times to simulate at.",
            given=f"an array of shape {times.shape}{wrong}",
            expected="two or more increasing finite numbers",
            fix="simulate(x0, numpy.linspace(0, 10, 101))",
        )
    )


def as_control(controls: Any, names: tuple[str, ...], times: NDArray) -> Callable[[float], NDArray]:
    """Return the controls ``(k,)`` as a function of time: given so, or as samples that are joined by straight lines."""
    if controls is None or not names:
        if names or controls is not None:
            raise InputError(_wanted(names, "none" if controls is None else "some"))
        return lambda t: np.zeros(0)
    if callable(controls):
        given = controls
        first = np.asarray(given(float(times[0])), dtype=np.float64)
        if first.size != len(names):
            raise InputError(_wanted(names, f"a function with {first.size} values"))
        return lambda t: np.asarray(given(t), dtype=np.float64).reshape(-1)
    table = np.asarray(controls, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 and len(names) == 1 and len(table) == len(times) else table
    if table.shape == (len(names),):  # constant
        return lambda t: table
    if table.shape != (len(times), len(names)) or not np.isfinite(table).all():
        raise InputError(_wanted(names, f"an array of shape {table.shape}"))
    return lambda t: np.array([np.interp(t, times, column) for column in table.T])


def _wanted(names: tuple[str, ...], given: str) -> str:
    if not names:
        what = "These equations have no controls."
        return explain(what, given=f"{given} controls", expected="none", fix="simulate(x0, t)")
    expected = f"u(t) with {len(names)} values ({', '.join(names)}), or an array (n, {len(names)}) over the times"
    fix = "simulate(x0, t, controls=lambda t: [numpy.sin(t)])"
    return explain("Controls are missing, or of a wrong shape.", given=given, expected=expected, fix=fix)
