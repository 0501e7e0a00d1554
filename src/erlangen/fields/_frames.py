"""Runs from the columns of a data frame, and back."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from erlangen._columns import DataWarning, apart, as_names, finite_rows, listing, matrix, numbers, others, require, rows
from erlangen._errors import InputError, explain, warn
from erlangen._typing import NDArray
from erlangen.fields._runs import Run

if TYPE_CHECKING:
    import pandas as pd

Names = str | Sequence[str] | None


def runs_of_frame(
    frame: pd.DataFrame,
    time: str,
    group: str | None,
    state: Names,
    controls: Names,
    parameters: Names,
    drop: bool,
    infinite: bool,
) -> tuple[tuple[Run, ...], tuple[str, ...], tuple[str, ...]]:
    """Runs, names of the states and names of the controls; parameters are controls that are constant in each run.

    Rows that miss an entry are dropped with a warning where `drop`, else refused; infinite ones are refused unless
    `infinite` says that they are to be treated alike.
    """
    fixed = as_names(parameters) or []
    inputs = [*(as_names(controls) or []), *fixed]
    roles = [time] if group is None else [time, group]
    require(frame, [time], "time")
    require(frame, roles[1:], "group")
    require(frame, inputs, "controls")
    names = as_names(state) or others(frame, [*roles, *inputs])
    require(frame, names, "state")
    apart(names, [*roles, *inputs], "state")
    if inputs:
        apart(inputs, roles, "controls")
        as_names(inputs)  # none is named twice
    clock, states, driven = _clock(frame, time), matrix(frame, names, "--state"), matrix(frame, inputs)
    columns = dict(zip([*names, *inputs], np.hstack([states, driven]).T)) | {time: clock}
    if not infinite:
        _refuse_infinite(columns)
    labels = _labels(frame, group)
    present = np.array([np.nan if label is None else 0.0 for label in labels])
    keep = np.flatnonzero(finite_rows(columns | ({group: present} if group else {}), drop))
    members = _members([labels[i] for i in keep])
    _check_runs(clock[keep], members, keep, time, group)
    total = _members(labels)
    runs = []
    for label, at in members.items():
        here = keep[at]
        _check_fixed(driven[here][:, len(inputs) - len(fixed) :], fixed, label)
        lost = len(total[label]) - len(here)
        runs.append(Run(label, clock[here], states[here], None, driven[here], lost))
    return tuple(runs), tuple(names), tuple(inputs)


def frame_of_runs(
    runs: Sequence[Run], names: Sequence[str], controls: Sequence[str], time: str, group: str
) -> pd.DataFrame:
    """One row for each sample: its run, its time, the states, the controls."""
    import pandas as pd

    columns = [group, time, *names, *controls]
    for name in columns:
        if columns.count(name) > 1:
            fix = f"to_frame(time=..., group=...) with other names than {name!r}"
            raise InputError(
                explain("Two columns have one name.", given=listing(columns), expected="different names", fix=fix)
            )
    parts = [pd.DataFrame(np.column_stack([run.time, run.states, run.controls]), columns=columns[1:]) for run in runs]
    for run, part in zip(runs, parts, strict=True):
        part.insert(0, group, [run.label] * len(part))
    return pd.concat(parts, ignore_index=True)


def _refuse_infinite(columns: dict[str, NDArray]) -> None:
    for name, column in columns.items():
        bad = np.flatnonzero(np.isinf(column))
        if bad.size:
            given = f"{bad.size} of {len(column)} entries, in {rows(bad)}"
            fix = "leave these rows out, or write NaN where a sample is missing"
            what = f"Infinite entries in column {name!r}."
            raise InputError(explain(what, given=given, expected="finite numbers", fix=fix))


def _check_fixed(values: NDArray, names: Sequence[str], label: Hashable) -> None:
    moving = [name for name, column in zip(names, values.T, strict=True) if np.any(column != column[0])]
    if moving:
        raise InputError(
            explain(
                f"Parameters change within run {label!r}.",
                given=listing(moving),
                expected="one value in each run",
                fix=f"controls={listing(moving)!r}, which may change, or a group column that tells the runs apart",
            )
        )


def _members(labels: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    out: dict[Hashable, list[int]] = {}
    for i, label in enumerate(labels):
        out.setdefault(label, []).append(i)
    return out


def _clock(frame: pd.DataFrame, time: str) -> NDArray:
    import pandas as pd

    column = frame[time]
    if pd.api.types.is_numeric_dtype(column):
        return numbers(frame, time)
    try:
        dates = pd.to_datetime(column, format="ISO8601", utc=True)
    except (ValueError, TypeError):
        return numbers(frame, time, _OTHER_DATES)
    fix = "nothing; for other units, a column of numbers"
    warn(f"Column {time!r} holds dates: times are seconds since the earliest.", fix=fix, category=DataWarning)
    return ((dates - dates.min()) / pd.Timedelta(seconds=1)).to_numpy(dtype=np.float64)


_OTHER_DATES = "write ISO 8601 dates, such as 2024-01-31 00:00, or numbers: pandas.to_datetime(column, dayfirst=True)"


def _labels(frame: pd.DataFrame, group: str | None) -> list[Hashable]:
    """Labels of the runs, None where one is missing; 1.0 and 1 are the same run."""
    if group is None:
        return [0] * len(frame)
    column = frame[group]
    missing = column.isna().to_numpy()
    values = [value.item() if isinstance(value, np.generic) else value for value in column]
    plain = [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
    return [None if gone else label for gone, label in zip(missing, plain)]


def _check_runs(
    clock: NDArray, members: dict[Hashable, list[int]], keep: NDArray, time: str, group: str | None
) -> None:
    """Refuse a run whose times do not increase or that is a single sample, naming the row of the table."""
    alone = [label for label, at in members.items() if len(at) < 2]
    if alone or not members:
        what = f"{len(alone)} of {len(members)} runs have one sample." if members else "No row is left."
        fix = f"remove these rows, or choose another column than {group!r} to tell the runs apart"
        raise InputError(explain(what, given=listing(alone, 6) or "0 rows", expected="2 or more", fix=fix))
    for label, at in members.items():
        steps = np.diff(clock[at])
        bad = np.flatnonzero(steps <= 0)
        if bad.size:
            _refuse_times(label, keep[np.array(at)[bad + 1]], bool(steps[bad[0]] == 0), time, group)


def _refuse_times(label: Hashable, at: NDArray, repeated: bool, time: str, group: str | None) -> None:
    where = f"run {label!r}" if group is not None else "the only run"
    what = f"Times {'repeat' if repeated else 'decrease'} in {where}."
    fix = "name the column that tells the runs apart: --group (group=)"
    if group is not None:
        fix = "remove repeated rows" if repeated else f"sort the rows by {group}, then {time}"
    given = f"column {time!r}, {at.size} times, {rows(at)}"
    raise InputError(explain(what, given=given, expected="increasing times in each run", fix=fix))
