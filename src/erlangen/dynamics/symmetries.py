"""Symmetries of a system: of its flow, of its orbits, of its solutions, and with its controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain, nearest
from erlangen.actions import AbstractAction, Driven, PolynomialAction, Prolonged, Rescaled, affine, polynomial
from erlangen.derivative import Samples
from erlangen.dynamics._brackets import named
from erlangen.dynamics._prolonged import motion
from erlangen.dynamics._system_input import ROUNDING, SystemField, read_system
from erlangen.fields.trajectories import Trajectories
from erlangen.linalg.polynomials import exponents
from erlangen.linalg.rank import AbstractRankRule, Threshold
from erlangen.verbs import Symmetry, discover

__all__ = ["symmetries"]

_RESCALINGS = ("constant", "function")


def symmetries(
    system: Any,
    action: AbstractAction | None = None,
    samples: Samples | ArrayLike | None = None,
    *,
    rescaling: str | bool = False,
    rates: int = 1,
    order: int = 1,
    controls: Sequence[str] = (),
    names: Sequence[str] | None = None,
    rule: AbstractRankRule | None = None,
) -> Symmetry:
    """Find the continuous symmetries of equations of motion.

    Of first order, x' = F(x): generators with ``[xi, F] = 0`` map solutions to solutions; F itself and functions
    times F are set apart. With ``rescaling`` they need only map orbits to orbits, ``[xi, F] = c F``: the scalings of
    mechanics, such as Kepler's third law, are of this kind. Of second order, x'' = a(t, x, x'): point transformations
    of time and positions that map solutions to solutions, by their second prolongation. With controls,
    x' = F(x, u): generators that move states, by amounts that depend on states, and controls.

    Parameters
    ----------
    system : Equations, fitted model, mapping, field, callable or Trajectories
        ``{"x": "y", "y": "-x"}``, an `Equations`, a fitted `SINDy`, a field, or a function of points ``(n, d)``.
        For runs F is fitted in weak form, which takes no derivative of noisy states, and its error is reported.
    action : AbstractAction, optional
        Candidates; by default all affine fields, and for order 2 all fields of degree 2 in time and positions.
    samples : Samples or array (n, d), optional
        Where the symmetry is claimed. Polynomials and runs need none. With controls, columns of controls come last;
        for order 2 the columns are positions, then velocities, and time before them where equations depend on it.
    rescaling : {False, "constant", "function"}
        Whether c may be a constant, or a polynomial.
    rates : int
        Degree of c where it is a function.
    order : {1, 2}
        Order of the equations.
    controls : sequence of str
        Names of the controls.
    names : sequence of str, optional
        Names of the states.
    rule : AbstractRankRule, optional
        What counts as zero; by default a relative defect up to 0.05, and of equations that are given as text or as
        `Equations` without errors, which are taken at their word, only rounding.

    Returns
    -------
    Symmetry
        Dimension, generators, defects, the name of the algebra (of the xi alone where c is free).

    Raises
    ------
    InputError
        Where the pieces do not fit together.
    UndecidedError
        Where there are too few samples for so many candidates.

    References
    ----------
    P. J. Olver, *Applications of Lie Groups to Differential Equations*, second edition, 1993, sections 2.3 and 2.5.

    Examples
    --------
    >>> predators = {"x": "x - x*y", "y": "x*y - y"}
    >>> symmetries(predators).dim
    0
    >>> oscillator = {"x": "v", "v": "-x**3"}
    >>> print(symmetries(oscillator, rescaling="constant").texts[0])
    x d/dx + 2 v d/dv, [xi, F] = (1) F
    >>> symmetries({"x": "v", "v": "0"}, order=2).name
    'sl(3,R)'
    """
    _check(rescaling, order, controls, system)
    kind = "invariant" if order == 2 else "vector"
    read = read_system(system, samples, controls, names, kind)
    rule = rule or (Threshold(ROUNDING) if read.equations is not None and not read.fitted else Threshold())
    if order == 2:
        return _second_order(read, action, rule)
    offered, d = action, len(read.names)
    if read.controls:
        base = action or _with_controls(d, len(read.controls))
        offered = Driven(base, d) if isinstance(base, PolynomialAction) else base
    if rescaling:
        degree = 0 if rescaling == "constant" else rates
        offered = Rescaled(offered or affine(d), exponents(read.field.point_dim, degree))
    return discover(read.field, offered, read.samples, names=(*read.names, *read.controls), rule=rule)


def _second_order(read: SystemField, action: AbstractAction | None, rule: AbstractRankRule) -> Symmetry:
    equation, samples = motion(read.field, read.samples, Threshold().delta if read.fitted else 0.0)
    base = action or polynomial(1 + equation.positions, 2)
    if base.point_dim != 1 + equation.positions:
        raise InputError(
            explain(
                "Point transformations act on time and positions.",
                given=f"an action on R^{base.point_dim}, {equation.positions} positions",
                expected=f"an action on R^{1 + equation.positions}, time first",
                fix=f"er.actions.polynomial({1 + equation.positions}, 2)",
            )
        )
    names = read.names if equation.timed else (_time_name(read.names), *read.names)
    found = discover(equation, Prolonged(base), samples, names=names, rule=rule)
    if found.structure is not None or not found.dim:
        return found
    return replace(found, structure=named(base, found.generators, found.points[:, : base.point_dim], found.noise))


def _time_name(names: Sequence[str]) -> str:
    return next(name for name in ("t", "time", "t_") if name not in names)


def _with_controls(d: int, k: int) -> PolynomialAction:
    """All affine fields on states and controls whose part on states depends on states only."""
    mask = np.ones((d + k, 1 + d + k), dtype=bool)
    mask[:d, 1 + d :] = False
    return affine(d + k, mask)


def _check(rescaling: Any, order: Any, controls: Sequence[str], system: Any) -> None:
    if rescaling is not False and rescaling not in _RESCALINGS:
        close = nearest(str(rescaling), _RESCALINGS)
        raise InputError(
            explain(
                "There is no such rescaling of time.",
                given=f"rescaling={rescaling!r}",
                expected='False, "constant" or "function"',
                fix=f"rescaling={close or 'constant'!r}",
            )
        )
    if order not in (1, 2):
        what = "Equations are of first or second order."
        raise InputError(explain(what, given=f"order={order!r}", expected="1 or 2", fix="order=1"))
    if order == 2 and (rescaling or len(controls)):
        raise InputError(
            explain(
                "Point transformations of second order choose time themselves, and know no controls.",
                given=f"order=2, rescaling={rescaling!r}, controls={list(controls)}",
                expected="order=2 alone",
                fix="order=1 with rescaling or controls",
            )
        )
    if isinstance(system, Trajectories) and len(controls):
        raise InputError(
            explain(
                "Runs with controls are fitted first.",
                given="Trajectories with controls",
                expected="equations or a model with controls",
                fix="symmetries(SINDy().fit(runs))",
            )
        )
