"""Models that may be wrong: a right-hand side in any form, or a solver that makes one step."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.dynamics.equations import Equations
from erlangen.fields import AbstractField
from erlangen.fields.trajectories import Trajectories

Right = Callable[[NDArray], NDArray]


@dataclass(frozen=True, eq=False)
class OneStep(AbstractShown):
    """A solver that makes one step of an imperfect model.

    Parameters
    ----------
    step : callable
        States ``(n, d)`` and a length of time to the states ``(n, d)`` after it.
    substeps : int
        Parts into which an interval between samples is cut. Between half steps of the correction the solver makes one
        step a part (Strang splitting, an error of second order); the same with a half, a quarter, ... as many parts
        cancels the leading errors. A solver with a fixed step takes 1.

    Raises
    ------
    InputError
        When the solver is not callable, or the number of parts is not a positive whole number.

    Examples
    --------
    >>> OneStep(lambda x, dt: x * np.exp(-dt)).substeps
    4
    """

    step: Callable[[NDArray, float], NDArray]
    substeps: int = 4

    def __post_init__(self) -> None:
        if not callable(self.step) or not isinstance(self.substeps, (int, np.integer)) or self.substeps < 1:
            raise InputError(
                explain(
                    "This is no solver of one step.",
                    given=f"OneStep({type(self.step).__name__}, substeps={self.substeps!r})",
                    expected="a function (x, dt) -> x', and a whole number of substeps from 1 on",
                    fix="OneStep(lambda x, dt: solver.step(x, dt))",
                )
            )

    def advance(self, x: NDArray, dt: float, correction: Right, parts: int) -> NDArray:
        """States after a time ``dt`` under the solver and a correction of the right-hand side.

        Parameters
        ----------
        x : ndarray (n, d)
            States.
        dt : float
            Length of time, in the units of the solver.
        correction : callable
            States ``(n, d)`` to the time derivatives ``(n, d)`` that are added.
        parts : int
            Parts into which the time is cut.

        Returns
        -------
        ndarray (n, d)
            States after it.
        """
        counts = [parts]
        while counts[-1] % 2 == 0:
            counts.append(counts[-1] // 2)
        tableau = [self._split(x, dt, correction, count) for count in counts]
        for order in range(1, len(counts)):  # Romberg: the error of a symmetric step has even powers only
            tableau = [a + (a - b) / (4**order - 1) for a, b in itertools.pairwise(tableau)]
        return tableau[0]

    def _split(self, x: NDArray, dt: float, correction: Right, parts: int) -> NDArray:
        h = dt / parts
        x = _runge_kutta(correction, x, h / 2)
        for part in range(parts):
            x = np.asarray(self.step(x, h), dtype=np.float64)
            x = _runge_kutta(correction, x, h if part < parts - 1 else h / 2)
        return x


@dataclass(frozen=True, eq=False)
class RightHandSide:
    """An imperfect x' = f(x), and its equations where it is given by them."""

    value: Right
    equations: Equations | None

    def advance(self, x: NDArray, dt: float, correction: Right, parts: int) -> NDArray:
        """States after a time ``dt`` under f and a correction."""
        for _ in range(parts):
            x = _runge_kutta(lambda z: self.value(z) + correction(z), x, dt / parts)
        return x


def imperfect(model: Any, names: Sequence[str]) -> RightHandSide | OneStep:
    """Read a model: equations, texts, a field, a function, a solver, or None for x' = 0."""
    d = len(names)
    if isinstance(model, OneStep):
        return model
    if model is None:
        return RightHandSide(np.zeros_like, None)
    if isinstance(model, Mapping):
        model = Equations.from_text(model)
    if isinstance(model, Equations):
        model = in_order(model, names)
        if model.names != tuple(names) or model.controls:
            raise InputError(
                explain(
                    "The model and the data have different coordinates.",
                    given=f"a model in {', '.join(model.variables)}; data in {', '.join(names)}",
                    expected="the same names, no controls",
                    fix="Trajectories.from_arrays(..., names=[...])",
                )
            )
        return RightHandSide(model.value, model)
    if isinstance(model, AbstractField):
        if (model.point_dim, model.value_dim) != (d, d):
            raise _no_model(f"a field with {model.value_dim} values over {model.point_dim} coordinates", d)
        return RightHandSide(model.value, None)
    if callable(model):
        return RightHandSide(_checked(model, d), None)
    raise _no_model(f"an object of type {type(model).__name__}", d)


def in_order(equations: Equations, names: Sequence[str]) -> Equations:
    """The same equations with coordinates in the order of the data, where they have the same names."""
    if equations.names == tuple(names) or sorted(equations.names) != sorted(names):
        return equations
    rows = [equations.names.index(name) for name in names]
    errors = None if equations.errors is None else equations.errors[rows]
    return replace(equations, names=tuple(names), coefficients=equations.coefficients[rows], errors=errors)


def refuse_controls(flow: Trajectories) -> None:
    """Runs with controls are no data for a model that has none."""
    if flow.controls:
        raise InputError(
            explain(
                "Model errors are sought in systems without controls.",
                given=f"runs with controls {', '.join(flow.controls)}",
                expected="Trajectories without controls: left out, they would count as model error",
                fix="SINDy().fit(flow), which takes controls; or add them to the states if they obey equations",
            )
        )


def _checked(f: Callable[[NDArray], Any], d: int) -> Right:
    def value(x: NDArray) -> NDArray:
        out = np.asarray(f(x), dtype=np.float64)
        if out.shape != x.shape:
            raise _no_model(f"a function that makes {out.shape} of states {x.shape}", d)
        return out

    return value


def _no_model(given: str, d: int) -> InputError:
    return InputError(
        explain(
            "This is no model of these data.",
            given=given,
            expected=f"a function of states (n, {d}) to derivatives (n, {d}), equations, texts, a field, or OneStep",
            fix='ModelError({"x": "y", "y": "-x"}), or ModelError(OneStep(solver))',
        )
    )


def _runge_kutta(f: Right, x: NDArray, h: float) -> NDArray:
    a = f(x)
    b = f(x + h / 2 * a)
    c = f(x + h / 2 * b)
    return x + h / 6 * (a + 2 * b + 2 * c + f(x + h * c))
