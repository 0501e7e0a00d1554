"""What is told of the columns of runs before equations are fitted: parameters, columns that others make up, angles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from erlangen._columns import DataWarning, constant, listing
from erlangen._errors import InputError, explain, warn
from erlangen._render import polynomial_text
from erlangen._typing import NDArray
from erlangen.fields.trajectories import Trajectories

_TURNS = {2 * np.pi: "2 pi", 360.0: "360"}
"""What angles are wrapped at, in radians and in degrees."""
_DECIMALS = 16
"""Digits behind the point that are looked for in rounded numbers: what a float of order one has."""
_COARSE = 0.1
"""Numbers that are rounded to more than this share of their spread look alike by chance."""


def tell_columns(flow: Trajectories) -> None:
    """Warn of states that never change, of columns that are made up of others, and of angles that jump.

    Raises
    ------
    InputError
        Where a name cannot stand in a formula.
    """
    _check_names((*flow.names, *flow.controls))
    told = [*_still(flow), *_made_up(flow), *_wrapped(flow)]
    for text, fix in told:
        warn(text, fix=fix, category=DataWarning)


def _check_names(names: Sequence[str]) -> None:
    """Refuse names that are numbers, or hold what quotes names in formulas."""
    odd = [name for name in names if _is_number(name) or set("`\n\r") & set(name) or not name.strip()]
    if odd:
        better = {name: f"x{name}" if name.isalnum() else f"x{names.index(name) + 1}" for name in odd}
        raise InputError(
            explain(
                "Names of columns stand in equations, and these would be read as something else.",
                given=", ".join(map(repr, odd)),
                expected="names that are no numbers, without backticks and line breaks",
                fix=f"rename them, frame.rename(columns={better})",
            )
        )


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return name[:1] in "+-.0123456789"  # a column may be called nan or inf


def _still(flow: Trajectories) -> list[tuple[str, str]]:
    fixed = (*flow.constant_columns(), *flow.parameters())
    if not fixed:
        return []
    return [
        (
            f"Constant in each run: {listing(fixed)}. What does not move is a parameter, no state of the system.",
            f'leave it out, or say so: Trajectories.from_frame(..., parameters="{fixed[0]}"), --parameter {fixed[0]}',
        )
    ]


def _made_up(flow: Trajectories) -> list[tuple[str, str]]:
    """Columns that are sums of multiples of columns before them, as exactly as they are written down."""
    names, x = (*flow.names, *flow.controls), np.hstack([flow.points, flow.inputs])
    if len(x) <= 2 * x.shape[1]:
        return []
    moving, rounding = np.flatnonzero(~constant(x)), np.array([_rounding(column) for column in x.T])
    told, kept = [], []
    for j in moving:
        weights = _weights(x, kept, int(j), rounding)
        if weights is None:
            kept.append(int(j))
            continue
        text = polynomial_text(np.eye(len(kept) + 1, len(kept)), weights, [names[k] for k in kept])
        told.append((f"Column {names[j]} is {text}: many equations say the same of them.", "leave one of them out"))
    return told


def _weights(x: NDArray, kept: list[int], j: int, rounding: NDArray) -> list[float] | None:
    """Weights of the columns that make up the j-th, the constant last, or None where they do not."""
    if not kept:
        return None
    centre, scale = x.mean(axis=0), x.std(axis=0)
    z = (x - centre) / scale.clip(min=np.finfo(np.float64).tiny)
    found = np.linalg.lstsq(z[:, kept], z[:, j], rcond=None)[0]
    weights = found * scale[j] / scale[kept]
    allowed = float(np.abs(weights) @ rounding[kept] + rounding[j])
    rest = scale[j] * np.abs(z[:, j] - z[:, kept] @ found).max()
    if rest > allowed or allowed > _COARSE * scale[j]:
        return None
    weights = np.where(np.abs(found) * scale[j] > 2 * allowed, weights, 0.0)
    return _shortest(x[:, kept], x[:, j], weights, 2 * allowed)


def _shortest(x: NDArray, y: NDArray, weights: NDArray, allowed: float) -> list[float]:
    """The weights, and a constant, to as few digits as say the same up to what is allowed."""
    row: list[float] = []
    for digits in range(1, _DECIMALS):
        short = np.array([float(f"{weight:.{digits}g}") for weight in weights])
        offset = float(f"{np.mean(y - x @ short):.{digits}g}")
        row = [*map(float, short), offset if abs(offset) > allowed else 0.0]
        if np.abs(y - x @ short - row[-1]).max() <= allowed:
            break
    return row


def _rounding(column: NDArray) -> float:
    """Largest error of numbers that are written to some decimal, or to all digits of a float."""
    size = np.abs(column).max()
    digits = np.finfo(np.float64).eps * size
    for k in range(_DECIMALS):
        if np.abs(np.round(column, k) - column).max() <= digits:
            return max(0.5 * 10.0**-k, len(column) ** 0.5 * digits)
    return len(column) ** 0.5 * digits


def _wrapped(flow: Trajectories) -> list[tuple[str, str]]:
    """Coordinates that jump by a turn, and move in small steps once the turns are added up."""
    told = []
    for j, name in enumerate(flow.names):
        columns = [run.states[:, j] for run in flow.runs]
        for turn, text in _TURNS.items():
            steps = np.concatenate([np.abs(np.diff(column)) for column in columns])
            smooth = np.concatenate([np.abs(np.diff(np.unwrap(column, period=turn))) for column in columns])
            if steps.max() > 0.75 * turn and smooth.max() < 0.25 * turn and np.ptp(flow.points[:, j]) < 1.25 * turn:
                fix = f"np.unwrap(..., period={turn:.6g}) within each run, and functions sin and cos of it"
                told.append((f"Column {name} jumps by {text}, as angles do that are wrapped.", fix))
    return told
