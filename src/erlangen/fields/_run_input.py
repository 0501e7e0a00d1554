"""Runs from arrays: one table, one table a run, or one table whose rows are labelled."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from erlangen._errors import InputError
from erlangen.fields._runs import Run, count_message

NONE = np.empty(0)
"""The values of no controls."""


def runs_of_arrays(
    states: Any, times: Any, derivatives: Any, groups: Iterable[Hashable] | None, controls: Any
) -> list[Run]:
    """The runs, in the order given or in which their labels first appear."""
    if _is_list_of_tables(states):
        return _runs_of_list(list(states), times, derivatives, groups, controls)
    return _runs_of_table(states, times, derivatives, groups, controls)


def _is_list_of_tables(states: Any) -> bool:
    if isinstance(states, (list, tuple)):
        return bool(states) and all(isinstance(s, np.ndarray) or np.ndim(s[0]) > 0 for s in states)
    return isinstance(states, np.ndarray) and states.ndim == 3


def _runs_of_list(
    states: list[Any], times: Any, derivatives: Any, groups: Iterable[Hashable] | None, controls: Any
) -> list[Run]:
    shared = not isinstance(times, (list, tuple)) or np.ndim(times[0]) == 0
    if shared and np.ndim(times) == 2:
        times, shared = list(times), False
    clocks: list[Any] = [times] * len(states) if shared else list(times)
    slopes = [None] * len(states) if derivatives is None else list(derivatives)
    driven = [NONE] * len(states) if controls is None else list(controls)
    labels = list(range(len(states))) if groups is None else [_plain(g) for g in groups]
    for what, found in (("times", clocks), ("derivatives", slopes), ("groups", labels), ("controls", driven)):
        if len(found) != len(states):
            raise InputError(count_message(what, len(found), f"{len(states)}, one for each run"))
    return [Run(g, t, x, v, u) for g, t, x, v, u in zip(labels, clocks, states, slopes, driven, strict=True)]


def _runs_of_table(
    states: Any, times: Any, derivatives: Any, groups: Iterable[Hashable] | None, controls: Any
) -> list[Run]:
    if groups is None:
        return [Run(0, times, states, derivatives, NONE if controls is None else controls)]
    labels = [_plain(g) for g in groups]
    if controls is not None and np.ndim(controls) == 1:
        controls = np.tile(np.asarray(controls), (len(labels), 1))
    tables = {"states": states, "times": times, "derivatives": derivatives, "controls": controls}
    arrays = {what: np.asarray(table) for what, table in tables.items() if table is not None}
    for what, table in arrays.items():
        if np.ndim(table) == 0 or len(table) != len(labels):
            raise InputError(count_message(what, np.shape(table), f"{len(labels)} rows, one for each group label"))
    rows: dict[Hashable, list[int]] = {}
    for i, label in enumerate(labels):
        rows.setdefault(label, []).append(i)
    return [
        Run(
            label,
            arrays["times"][at],
            arrays["states"][at],
            arrays["derivatives"][at] if "derivatives" in arrays else None,
            arrays["controls"][at] if "controls" in arrays else NONE,
        )
        for label, at in rows.items()
    ]


def _plain(label: Any) -> Hashable:
    return label.item() if isinstance(label, np.generic) else label
