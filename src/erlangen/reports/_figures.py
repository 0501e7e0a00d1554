"""Figures of a page as plain values that Plotly draws; colours are roles, which the page knows in light and dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from erlangen._typing import NDArray
from erlangen.reports._evidence import Shown

MOST_POINTS = 600
"""Points of one curve: more than pixels, and pages stay small."""

MOST_ROWS = 6
"""Coordinates that are drawn."""

WIDEST = 4.5
"""Reach of histograms, in units of the noise; what is further away counts into the last bar."""

ROW, HEAD = 150, 60
"""Height of one panel, and of what stands around panels, in pixels."""

Figure = dict[str, Any]


def thinned(n: int, most: int = MOST_POINTS) -> NDArray:
    """Positions of at most so many of n points, evenly spread, the ends among them."""
    return np.arange(n) if n <= most else np.unique(np.linspace(0, n - 1, most).round().astype(np.int64))


def data_figure(runs: Sequence[Shown], names: Sequence[str], time: str) -> Figure:
    """Samples, the smooth through them, and two standard errors of it."""

    def draw(run: Shown, a: int) -> list[tuple[str, NDArray, NDArray]]:
        return [
            ("band", run.times, _between(run.states[:, a], run.errors[:, a])),
            ("data", run.data_times, run.data[:, a]),
            ("line", run.times, run.states[:, a]),
        ]

    return _stacked(runs, names, time, draw, lambda name: name)


def slopes_figure(runs: Sequence[Shown], names: Sequence[str], time: str) -> Figure:
    """Derivatives of the smooth with two standard errors, and what the equations say."""

    def draw(run: Shown, a: int) -> list[tuple[str, NDArray, NDArray]]:
        return [
            ("band", run.times, _between(run.slopes[:, a], run.slope_errors[:, a])),
            ("data", run.times, run.slopes[:, a]),
            ("line", run.times, run.rates[:, a]),
        ]

    return _stacked(runs, names, time, draw, lambda name: f"{name}\u2032")


def rollout_figure(runs: Sequence[Shown], names: Sequence[str], time: str) -> Figure:
    """Solutions of the equations from the first state of each run, over the samples."""

    def draw(run: Shown, a: int) -> list[tuple[str, NDArray, NDArray]]:
        low, high = _range(run.data[:, a])
        inside = np.where((run.rollout.states[:, a] < low) | (run.rollout.states[:, a] > high), np.nan, 1.0)
        return [
            ("data", run.data_times, run.data[:, a]),
            ("line", run.rollout.times, run.rollout.states[:, a] * inside),
        ]

    return _stacked(runs, names, time, draw, lambda name: name)


def plane_figure(runs: Sequence[Shown], names: Sequence[str]) -> Figure:
    """The first two coordinates against each other: samples and solutions."""
    traces = []
    for k, run in enumerate(runs):
        at, on = thinned(len(run.data)), thinned(len(run.rollout.states))
        path = run.rollout.states[on, :2].copy()
        for a in range(2):
            low, high = _range(run.data[:, a])
            path[(path[:, a] < low) | (path[:, a] > high)] = np.nan
        traces.append(_trace("data", k, run.label, run.data[at, 0], run.data[at, 1]))
        traces.append(_trace("line", k, run.label, path[:, 0], path[:, 1]))
    layout = {"xaxis": {"title": {"text": names[0]}}, "yaxis": {"title": {"text": names[1]}}}
    return {"data": traces, "layout": layout | _layout(min(max(len(names), 2), MOST_ROWS) * ROW + HEAD)}


def residual_figure(
    runs: Sequence[Shown], residuals: Sequence[NDArray], names: Sequence[str], units: NDArray, time: str
) -> Figure:
    """Residuals over time, their histogram beside a normal one, and their correlation with what follows.

    Parameters
    ----------
    residuals : sequence of ndarray (m_i, d)
        Those of all runs, of which the first belong to ``runs``.
    units : ndarray (d,)
        One unit of each coordinate: the noise.
    """
    rows = min(len(names), MOST_ROWS)
    traces, layout = [], _layout(rows * ROW + HEAD)
    columns = ((0.0, 0.46), (0.54, 0.74), (0.82, 1.0))
    titles = (time, "residual / noise", "lag in samples")
    for a in range(rows):
        pooled = [r[:, a] / units[a] for r in residuals]
        for c, (left, right) in enumerate(columns):
            n = 3 * a + c + 1
            low, high = _domain(a, rows)
            layout[_axis("y", n)] = {"domain": [low, high], "anchor": f"x{_n(n)}"}
            last = a == rows - 1
            layout[_axis("x", n)] = {"domain": [left, right], "anchor": f"y{_n(n)}", "showticklabels": last}
            if last:
                layout[_axis("x", n)]["title"] = {"text": titles[c]}
        layout[_axis("y", 3 * a + 1)]["title"] = {"text": names[a]}
        for k, run in enumerate(runs):
            at = thinned(len(run.rest_times))
            traces.append(_trace("data", k, run.label, run.rest_times[at], run.residuals[at, a] / units[a], 3 * a + 1))
        traces += _histogram(np.concatenate(pooled), 3 * a + 2)
        lags, correlation, width = autocorrelation(pooled)
        bars = _trace("bars", -1, "correlation", lags, correlation, 3 * a + 3)
        traces.append(bars | {"type": "bar", "mode": None})
        for side in (-width, width):
            traces.append(_trace("edge", -1, "what chance gives", lags[[0, -1]], np.full(2, side), 3 * a + 3))
        layout[_axis("y", 3 * a + 3)]["range"] = [min(-0.3, 1.1 * float(correlation.min())), 1.05]
    return {"data": traces, "layout": layout}


def autocorrelation(pieces: Sequence[NDArray], lags: int = 20) -> tuple[NDArray, NDArray, float]:
    """Correlation of residuals with those so many samples later, and two standard errors of it where there is none."""
    sound = [piece - piece.mean() for piece in pieces if len(piece) > lags and np.isfinite(piece).all()]
    at = np.arange(1, lags + 1)
    if not sound:
        return at, np.zeros(lags), 0.0
    size = sum(float(piece @ piece) for piece in sound)
    pairs = [sum(float(piece[k:] @ piece[:-k]) for piece in sound) for k in at]
    n = sum(len(piece) for piece in sound)
    return at, np.array(pairs) / (size if size > 0 else 1.0), 2.0 / np.sqrt(n)


def _histogram(values: NDArray, n: int) -> list[dict[str, Any]]:
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return []
    reach = WIDEST
    counts, edges = np.histogram(np.clip(values, -reach, reach), bins=37, range=(-reach, reach), density=True)
    centres = (edges[1:] + edges[:-1]) / 2
    bars = _trace("bars", -1, "residuals", centres, counts, n) | {
        "type": "bar",
        "mode": None,
        "width": edges[1] - edges[0],
    }
    grid = np.linspace(-reach, reach, 101)
    normal = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    return [bars, _trace("edge", -1, "normal, of the size of the noise", grid, normal, n)]


# --- the parts of figures


def _stacked(
    runs: Sequence[Shown],
    names: Sequence[str],
    time: str,
    draw: Callable[[Shown, int], list[tuple[str, NDArray, NDArray]]],
    title: Callable[[str], str],
) -> Figure:
    """One panel for each coordinate over a common axis of time."""
    rows = min(len(names), MOST_ROWS)
    layout = _layout(rows * ROW + HEAD)
    traces = []
    for a in range(rows):
        low, high = _domain(a, rows)
        layout[_axis("y", a + 1)] = {"domain": [low, high], "title": {"text": title(names[a])}, "anchor": "x"}
        for k, run in enumerate(runs):
            for role, x, y in draw(run, a):
                traces.append(_curve(role, k, run.label, x, y, a + 1))
    layout["xaxis"] = {"title": {"text": time}, "anchor": f"y{_n(rows)}"}
    return {"data": traces, "layout": layout}


def _curve(role: str, k: int, label: str, x: NDArray, y: NDArray, n: int) -> dict[str, Any]:
    at = thinned(len(x))
    if role == "band":
        low, high = y[at, 0], y[at, 1]
        trace = _trace("band", k, label, np.r_[x[at], x[at][::-1]], np.r_[high, low[::-1]], n)
    else:
        trace = _trace(role, k, label, x[at], y[at], n)
    return trace | {"xaxis": "x"}


def _trace(role: str, k: int, label: str, x: NDArray, y: NDArray, n: int = 1) -> dict[str, Any]:
    """A trace whose colour the page fills in: the k-th run, or none (-1)."""
    mode = "markers" if role == "data" else "lines"
    axes = {"xaxis": f"x{_n(n)}", "yaxis": f"y{_n(n)}"}
    meta = {"role": role, "run": k}
    hover = {"hoverinfo": "skip"} if role == "band" else {}
    return (
        {"type": "scatter", "mode": mode, "name": label, "x": x, "y": y, "meta": meta, "showlegend": False}
        | axes
        | hover
    )


def _between(middle: NDArray, errors: NDArray) -> NDArray:
    return np.stack([middle - 2 * errors, middle + 2 * errors], axis=1)


def _range(values: NDArray) -> tuple[float, float]:
    """Data with half their range on both sides: a solution that leaves it is not drawn further."""
    low, high = float(values.min()), float(values.max())
    margin = (high - low) / 2 or 1.0
    return low - margin, high + margin


def _domain(a: int, rows: int) -> tuple[float, float]:
    gap = 0.12 / rows if rows > 1 else 0.0
    return 1 - (a + 1) / rows + (gap if a < rows - 1 else 0.0), 1 - a / rows


def _n(n: int) -> str:
    return "" if n == 1 else str(n)


def _axis(letter: str, n: int) -> str:
    return f"{letter}axis{_n(n)}"


def _layout(height: int) -> Figure:
    return {"height": height, "margin": {"l": 64, "r": 12, "t": 10, "b": 48}, "showlegend": False}
