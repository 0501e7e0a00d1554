"""What estimators of equations accept as data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.fields.trajectories import Trajectories


def as_trajectories(x: Any, t: Any, x_dot: Any, names: Any, groups: Any) -> tuple[Trajectories, bool]:
    """The data as runs, and whether they are in the order of time."""
    if isinstance(x, Trajectories):
        if any(other is not None for other in (t, x_dot, names, groups)):
            raise InputError(
                explain(
                    "Trajectories know their times, names and runs.",
                    given="Trajectories together with t, x_dot, names or groups",
                    expected="the trajectories alone",
                    fix="model.fit(trajectories)",
                )
            )
        return x, True
    if t is None and x_dot is None:
        raise InputError(
            explain(
                "Derivatives cannot be taken without times.",
                given="fit(x)",
                expected="times t, or derivatives x_dot",
                fix="model.fit(x, t), or model.fit(x, x_dot=...)",
            )
        )
    listed = isinstance(x, (list, tuple)) and len(x) > 0 and np.ndim(x[0]) == 2
    if np.isscalar(t):
        clock = f"[np.arange(len(run)) * {t} for run in x]" if listed else f"np.arange(len(x)) * {t}"
        raise InputError(
            explain(
                "A number is no times of samples.",
                given=f"t={t}",
                expected="times t (n,), one for each sample",
                fix=f"model.fit(x, {clock}), where it is the step",
            )
        )
    empty = [k for k, run in enumerate(x if listed else [x]) if np.size(run) == 0]
    if empty:
        raise InputError(
            explain(
                "A run is empty.",
                given=f"no samples in run {empty[0]}" if listed else "no samples",
                expected="states (n, d)",
                fix="leave empty runs out",
            )
        )
    names = _column_names(x) if names is None else names
    times: Any = t
    if t is None:
        times = [np.arange(len(run)) for run in x] if listed else np.arange(len(x))
    known: Any = [np.asarray(v) for v in x_dot] if listed and x_dot is not None else x_dot
    states: Any = [np.asarray(run) for run in x] if listed else x
    return Trajectories.from_arrays(states, times, names, known, groups), t is not None


def _column_names(x: Any) -> list[str] | None:
    """Names of the columns of a data frame, or of all in a list, where they are texts that agree."""
    tables = x if isinstance(x, (list, tuple)) else [x]
    found = [getattr(table, "columns", None) for table in tables]
    if not found or any(names is None for names in found):
        return None
    first = list(found[0])  # type: ignore[arg-type]
    same = all(list(names) == first for names in found)  # type: ignore[arg-type]
    return first if same and all(isinstance(name, str) for name in first) else None


def as_states(x: ArrayLike, d: int) -> NDArray:
    states = np.asarray(x, dtype=np.float64)
    if states.ndim != 2 or states.shape[1] != d or not np.isfinite(states).all():
        given = f"an array of shape {states.shape}"
        given += ", some not finite" if states.ndim == 2 and states.shape[1] == d else ""
        raise InputError(
            explain(
                "These are no states of the system.", given=given, expected=f"finite numbers (n, {d})", fix="x[None]"
            )
        )
    return states
