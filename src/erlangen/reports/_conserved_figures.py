"""Figures of what runs conserve: laws over time, the terms that they are made of, and the runs themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from erlangen._typing import NDArray
from erlangen.dynamics import ConservedQuantities, Law
from erlangen.fields.trajectories import Run, Trajectories
from erlangen.reports._evidence_figures import _note
from erlangen.reports._figures import MOST_POINTS, MOST_ROWS, ROW, Figure, _axis, _domain, _layout, _n, _trace, thinned

MOST_RUNS = 9
"""Runs whose laws are drawn: as many as there are planets, and about as many as are found again by pointing."""

MOST_TERMS = 5
"""Terms of a law that are drawn, those that change most first."""

WINDOW = 150
"""Samples of the run whose terms are drawn: more would run into one another."""

MOST_SAMPLES = 9000
"""Samples of all lines of a figure with one panel for each law: a page holds them all."""

HEAD = 60

MOST_DIRECTIONS = 64
"""Functions whose defects are drawn."""

LEAST = 1e-17
"""Defects below this are drawn at it: rounding of one number."""


def drawn_runs(flow: Trajectories) -> list[int]:
    """Positions of the runs that are drawn: spread over those with at least two samples."""
    long = [k for k, run in enumerate(flow.runs) if len(run.time) > 1]
    at = np.linspace(0, len(long) - 1, min(MOST_RUNS, len(long)))
    return sorted({long[round(k)] for k in at}) if long else []


def swing(law: Law, states: NDArray) -> float:
    """How much the terms of a law change along a run: the root of the sum of their variances.

    Where none of them changes, it is the size of the law; and 1 where that vanishes, too.
    """
    terms = law.features.basis.evaluate(states) * law.function
    size = float(np.sqrt(np.sum(np.var(terms, axis=0))))
    return size or float(np.abs(terms.sum(axis=1)).mean()) or 1.0


def drift(law: Law, states: NDArray) -> NDArray:
    """Law ``(n,)`` along a run: what it departs from its mean, in units of the swing of its terms."""
    values = law.values(states)
    return (values - values.mean()) / swing(law, states)


def over_time_figure(laws: Sequence[Law], flow: Trajectories) -> Figure:
    """Each law along each run, less its mean, in units of the swing of its terms."""
    runs = drawn_runs(flow)
    most = max(min(MOST_POINTS, MOST_SAMPLES // max(len(runs) * min(len(laws), MOST_ROWS), 1)), WINDOW)

    def draw(law: Law, n: int) -> list[Figure]:
        return [
            _line(k, str(flow.runs[at].label), flow.runs[at].time, drift(law, flow.runs[at].states), n, most)
            for k, at in enumerate(runs)
        ]

    return _panels(laws, draw)


def terms_figure(laws: Sequence[Law], run: Run) -> Figure:
    """Each law along one run, and the terms that it is the sum of: these move, and their sum does not."""
    time, states = run.time[:WINDOW], run.states[:WINDOW]

    def draw(law: Law, n: int) -> list[Figure]:
        size = swing(law, states)
        terms = law.features.basis.evaluate(states) * law.function
        moved = np.argsort(-np.var(terms, axis=0), kind="stable")[:MOST_TERMS]
        traces = [
            _line(-1, law.features.texts[j], time, (terms[:, j] - terms[:, j].mean()) / size, n)
            for j in moved
            if np.var(terms[:, j]) > 0
        ]
        return [*traces, _line(0, law.text, time, drift(law, states), n)]

    return _panels(laws, draw)


def orbits_figure(flow: Trajectories, names: Sequence[str]) -> Figure:
    """The runs in two or three coordinates."""
    columns = [flow.names.index(name) for name in names[:3]]
    traces = []
    for k, at in enumerate(drawn_runs(flow)):
        states = flow.runs[at].states[thinned(len(flow.runs[at].time))]
        trace = _trace("line", k, str(flow.runs[at].label), states[:, columns[0]], states[:, columns[1]])
        if len(columns) == 3:
            trace = {key: value for key, value in trace.items() if key not in ("xaxis", "yaxis")}
            trace |= {"type": "scatter3d", "z": states[:, columns[2]], "hoverinfo": "name"}
        traces.append(trace)
    layout = _layout(460)
    if len(columns) == 3:
        axes = {f"{letter}axis": {"title": {"text": name}} for letter, name in zip("xyz", names[:3], strict=True)}
        camera = {"eye": {"x": 0.75, "y": 0.75, "z": 0.75}}
        layout |= {"scene": {**axes, "aspectmode": "data", "camera": camera}, "margin": dict.fromkeys("lrtb", 0)}
    else:
        layout |= {"xaxis": {"title": {"text": names[0]}}, "yaxis": {"title": {"text": names[1]}, "scaleanchor": "x"}}
    return {"data": traces, "layout": layout}


def spectrum_figure(found: ConservedQuantities) -> Figure:
    """Defects of all functions in ascending order, and the line up to which they count as zero."""
    values = np.maximum(found.spectrum[:MOST_DIRECTIONS], LEAST)
    at = np.arange(1, len(values) + 1)
    dots = _trace("dots", 0, "defect", at, values) | {"mode": "markers"}
    ends = np.array([0.5, len(values) + 0.5])
    axes: Figure = {
        "xaxis": {"title": {"text": "function, in order of defect"}, "range": ends.tolist()},
        "yaxis": {"title": {"text": "relative defect"}, "type": "log"},
    }
    traces = [dots]
    if found.delta is not None:
        traces.insert(0, _trace("edge", -1, "delta", ends, np.full(2, found.delta)))
        note = _note(f"delta = {found.delta:.2g}", 1.0, float(np.log10(found.delta)), 0)
        axes["annotations"] = [note | {"x": 0.5, "yanchor": "bottom"}]
    return {"data": traces, "layout": _layout(300) | axes}


def _panels(laws: Sequence[Law], draw: Callable[[Law, int], list[Figure]]) -> Figure:
    """One panel for each law over a common axis of time."""
    rows = min(len(laws), MOST_ROWS)
    layout, traces = _layout(rows * ROW + HEAD), []
    for a in range(rows):
        low, high = _domain(a, rows)
        layout[_axis("y", a + 1)] = {"domain": [low, high], "title": {"text": f"h{a + 1}"}, "anchor": "x"}
        traces += [trace | {"xaxis": "x"} for trace in draw(laws[a], a + 1)]
    layout["xaxis"] = {"title": {"text": "time"}, "anchor": f"y{_n(rows)}"}
    return {"data": traces, "layout": layout}


def _line(run: int, label: str, x: NDArray, y: NDArray, n: int, most: int = MOST_POINTS) -> Figure:
    at = thinned(len(x), most)
    return _trace("line", run, label, x[at], y[at], n)
