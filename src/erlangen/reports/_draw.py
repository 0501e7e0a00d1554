"""Figures without a page: the same plain values as Plotly objects, or as files that Matplotlib writes."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from erlangen._errors import InputError, MissingExtraError, explain
from erlangen._files import as_path, check_target
from erlangen.reports._figures import Figure
from erlangen.reports._page import RUN_COLOURS

INK, SOFT, EDGE = "#1c2026", "#5a626d", "#dfe3e8"
"""Text, what belongs to no run, and lines of the grid, on a light ground."""

DPI = 150
"""Dots per inch of files; figures are as wide as two columns of a paper."""

WIDTH = 7.2

_MARKERS = {"circle": "o", "x": "x", "diamond-open": "D", "circle-open": "o"}


def to_plotly(figure: Figure) -> Any:
    """The figure as a ``plotly.graph_objects.Figure`` on a light ground, to be changed further.

    Parameters
    ----------
    figure : Figure
        As the functions of this module make it.

    Returns
    -------
    plotly.graph_objects.Figure
        The figure.

    Raises
    ------
    MissingExtraError
        Where Plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError:
        raise _missing("Plotly", "plotly") from None
    plain = {"plot_bgcolor": "#fff", "paper_bgcolor": "#fff", "font": {"color": INK, "family": "sans-serif"}}
    legend = {name for name, _ in figure["layout"]["meta"]["legend"]}
    layout = (
        figure["layout"] | plain | {"showlegend": True, "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"}}
    )
    for key in [key for key in layout if key.startswith(("xaxis", "yaxis"))]:
        layout[key] = {"gridcolor": EDGE, "zerolinecolor": EDGE, "automargin": True} | layout[key]
    traces = [_dressed(trace) | {"showlegend": trace["name"] in legend} for trace in figure["data"]]
    return go.Figure({"data": traces, "layout": layout})


def save_figure(figure: Any, path: str | PathLike[str], *, force: bool = False) -> Path:
    """Write a figure as ``.png``, ``.svg`` or ``.pdf``; Matplotlib draws it, no browser is needed.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or dict
        What `erlangen.plot` drew, or plain values, as `path_figure` and its like return.
    path : str or path
        Where, with the ending of the format.
    force : bool
        Whether a file that is there may be replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        Where the file exists, or the ending is another.
    MissingExtraError
        Where Matplotlib is not installed.
    """
    path = as_path(path)
    if path.suffix not in (".png", ".svg", ".pdf"):
        given = f"{path.name!r}"
        what, fix = "Figures are written in other formats.", 'save_figure(figure, "path.png")'
        raise InputError(explain(what, given=given, expected="an ending .png, .svg or .pdf", fix=fix))
    check_target(path, force)
    canvas = _canvas(figure) if isinstance(figure, dict) else figure
    canvas.savefig(path, dpi=DPI)
    return path


def matplotlib_figure(**options: Any) -> Any:
    """A Matplotlib figure that no global state knows of."""
    try:
        from erlangen.reports._shown_figure import ShownFigure as Canvas
    except ImportError:
        raise _missing("Matplotlib", "matplotlib") from None
    return Canvas(**options)


def _canvas(figure: Figure) -> Any:
    layout = figure["layout"]
    canvas = matplotlib_figure(figsize=(WIDTH, layout["height"] / 100), layout="constrained")
    from matplotlib.lines import Line2D

    axes = canvas.add_subplot()
    for trace in figure["data"]:
        draw_trace(axes, trace)
    frame(axes, layout)
    handles = [Line2D([], [], color=colour_of(run), linewidth=3, label=name) for name, run in layout["meta"]["legend"]]
    canvas.legend(handles=handles, loc="outside upper left", ncols=5, frameon=False, fontsize=8)
    return canvas


def colour_of(run: int) -> str:
    """The colour of a run on a light ground; -1 is none."""
    return SOFT if run < 0 else RUN_COLOURS[run % len(RUN_COLOURS)][0]


def _dressed(trace: Figure) -> Figure:
    role, colour = trace["meta"]["role"], colour_of(trace["meta"]["run"])
    styles = {
        "line": {"line": {"width": 1.8, "color": colour}},
        "band": {"line": {"width": 0}, "fill": "toself", "fillcolor": _faded(colour)},
        "edge": {"line": {"width": 1.2, "color": INK, "dash": "dot"}},
        "dots": {"marker": {"size": 6, "color": colour, **trace.get("marker", {})}},
    }
    return {key: value for key, value in (trace | styles.get(role, {})).items() if key != "meta"}


def _faded(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def draw_trace(axes: Any, trace: Figure) -> None:
    """Draw one trace of a figure of a page into Matplotlib axes."""
    role, colour = trace["meta"]["role"], colour_of(trace["meta"]["run"])
    x, y = np.asarray(trace["x"], dtype=np.float64), np.asarray(trace["y"], dtype=np.float64)
    if role == "band":
        axes.fill(x, y, color=colour, alpha=0.18, linewidth=0)
    elif role == "dots":
        symbol = trace.get("marker", {}).get("symbol", "circle")
        open_ = {"facecolors": "none", "edgecolors": colour} if symbol.endswith("-open") else {"color": colour}
        axes.scatter(x, y, s=14, marker=_MARKERS[symbol], linewidths=0.9, zorder=3, **open_)
    elif role == "data":
        axes.scatter(x, y, s=6, color=colour, alpha=0.4, linewidths=0)
    elif role == "bars":
        axes.bar(x, y, color=colour, alpha=0.6)
    elif role == "edge":
        axes.plot(x, y, color=INK, linestyle=":", linewidth=1.2)
    else:
        axes.plot(x, y, color=colour, linewidth=1.8)


def frame(axes: Any, layout: Figure) -> None:
    """Give Matplotlib axes the scales, ranges, ticks, names and notes of a figure of a page."""
    for letter in "xy":
        axis = layout[f"{letter}axis"]
        if axis.get("type") == "log":
            getattr(axes, f"set_{letter}scale")("log")
        if "range" in axis:
            limits = [10.0**v for v in axis["range"]] if axis.get("type") == "log" else axis["range"]
            getattr(axes, f"set_{letter}lim")(*limits)
        if "tickvals" in axis:
            getattr(axes, f"set_{letter}ticks")(axis["tickvals"], axis["ticktext"])
        elif "dtick" in axis and axis.get("type") != "log":
            low, high = axis["range"]
            getattr(axes, f"set_{letter}ticks")(np.arange(max(np.ceil(low), 0), high, axis["dtick"]))
        getattr(axes, f"set_{letter}label")(axis.get("title", {}).get("text", ""), color=SOFT)
    axes.grid(True, color=EDGE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    across, up = (layout[f"{letter}axis"].get("type") == "log" for letter in "xy")
    for note in layout.get("annotations", ()):
        at = (10.0 ** note["x"] if across else note["x"], 10.0 ** note["y"] if up else note["y"])
        shift = (note["xshift"], note["yshift"] - 2)
        axes.annotate(note["text"], at, shift, textcoords="offset points", va=note["yanchor"], fontsize=8, color=SOFT)


def _missing(name: str, module: str) -> MissingExtraError:
    fix = 'pip install "erlangen[report]"'
    return MissingExtraError(explain(f"This needs {name}.", given=f"no {module}", expected=module, fix=fix))
