"""The data of the interactive view of the flows that conserved quantities generate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction
from erlangen.dynamics import ConservedQuantities, HamiltonianField
from erlangen.dynamics.noether import _hamiltonian, _polynomial_part
from erlangen.fields.trajectories import Trajectories
from erlangen.reports._conserved_figures import drawn_runs
from erlangen.reports._flow import FRAMES, STOPS, framed, law_of, placed, rounded
from erlangen.reports._moves import move_of, span_of
from erlangen.reports._units import Units

MOST_POINTS = 144
"""Points that are moved: frames of all of them are on the page."""

ACCURACY = 1e-10
"""Relative error of flows that are followed step by step: no eye sees it, and what changes by more is told."""

ITSELF = "the flow itself"


def field_of(one: HamiltonianField) -> PolynomialAction | None:
    """The symmetry of a law as a polynomial vector field; None where it is none."""
    law = _polynomial_part(one.law)
    if law is None:
        return None
    table, coefficients = _hamiltonian(*law, one.phase_space)
    used = coefficients.any(axis=0)
    return PolynomialAction(table[used], sparse.csr_array(coefficients[:, used].reshape(1, -1)))


def words_of(one: HamiltonianField, units: Units | None = None) -> str:
    """What a symmetry does to states, in plain words; empty where only its formula says that."""
    if one.text.startswith(ITSELF):
        return "takes every state to where it is later: energy"
    field = field_of(one)
    return "" if field is None or field.degree > 1 else move_of(field, one.phase_space.names, units).words


def flow_data(found: ConservedQuantities, flow: Trajectories) -> dict[str, Any] | None:
    """What the view needs, see `erlangen.reports._flow`; None where no law generates a symmetry.

    Points are states of the runs, the same number of each. Where one of the laws is the energy, points have its
    values as colours, and it is told how much these change.
    """
    if not found.generators or not found.decided:
        return None
    points, units = _points(flow), Units.of(flow.points)
    energy = next((one.law for one in found.generators if one.text.startswith(ITSELF)), None)
    values = None if energy is None else energy.values(points)
    generators = []
    for k, one in enumerate(found.generators):
        told = {"text": f"{one.text}, from h{k + 1}", "verdict": "", "change": None}
        field = field_of(one)
        span = _span(one, points, units.scale) if field is None else span_of(field, points, units)
        frames = followed(one, field, points, span)
        if field is None:
            told |= {"span": span, "rate": 0.0, "frames": [framed(frame, units) for frame in frames]}
        else:
            told |= {"span": span, "rate": move_of(field, found.names, units).rate} | law_of(field, units)
        if energy is not None and values is not None:
            told["change"] = _changes(energy.values, values, frames)
        generators.append(told)
    positions = found.generators[0].phase_space.positions
    axes = [flow.names.index(name) for name in (positions if len(positions) > 1 else found.names)[:3]]
    return {
        "names": list(found.names),
        **placed(points, units),
        "values": None if values is None else rounded(values),
        "value": "energy",
        "compared": "energies",
        "against": ("those before", "their spread"),
        "generators": generators,
        "unlisted": 0,
        "axes": sorted(axes),
    }


def _points(flow: Trajectories) -> NDArray:
    runs = [flow.runs[at].states for at in drawn_runs(flow)]
    each = max(MOST_POINTS // max(len(runs), 1), 2)
    return np.vstack([states[_spread(len(states), each)] for states in runs])


def _spread(n: int, most: int) -> NDArray:
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))


def _span(one: HamiltonianField, points: NDArray, scale: NDArray) -> float:
    """Time in which a typical point moves by the spread of the points."""
    speed = one.value(points) / scale
    size = float(np.sqrt(np.mean(np.sum(speed**2, axis=1))))
    return 1.0 / size if size > 0 else 1.0


def followed(
    one: HamiltonianField, field: PolynomialAction | None, points: NDArray, span: float
) -> list[NDArray | None]:
    """Points at evenly spaced times from -span to span; None where the flow could not be followed."""
    if field is not None and field.degree <= 1:
        units = Units.of(points)
        padded, matrix = np.c_[units.points(points), np.ones(len(points))], units.matrix(field)
        moved = (padded @ expm(t * matrix).T for t in np.linspace(-span, span, FRAMES))
        return [units.centre + units.scale * now[:, :-1] for now in moved]
    half = np.linspace(0.0, span, FRAMES // 2 + 1)
    back, on = _half(one, points, -half), _half(one, points, half)
    return [*back[:0:-1], *on]


def _half(one: HamiltonianField, points: NDArray, times: NDArray) -> list[NDArray | None]:
    shape = points.shape

    def rate(_: float, flat: NDArray) -> NDArray:
        return one.value(flat.reshape(shape)).ravel()

    span, size = (float(times[0]), float(times[-1])), ACCURACY * np.tile(points.std(axis=0), len(points))
    with np.errstate(all="ignore"):
        solution = solve_ivp(rate, span, points.ravel(), "DOP853", times, rtol=ACCURACY, atol=size)
    found = [column.reshape(shape) for column in solution.y.T]
    return [*found, *[None] * (len(times) - len(found))]


def _changes(law: Any, values: NDArray, frames: Sequence[NDArray | None]) -> list[float | None]:
    """How far a law is from its values at the start, relative to their spread, at the stops of the slider."""
    spread = float(values.std()) or 1.0
    each = (FRAMES - 1) // (STOPS - 1)
    return [
        None if points is None else float(np.sqrt(np.mean((law(points) - values) ** 2))) / spread
        for points in frames[::each]
    ]
