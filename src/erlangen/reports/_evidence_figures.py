"""Figures of certificates and maps as plain values: a page draws them, and so do Plotly and Matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.evidence import Band, Bound, Certificate, DefectMap
from erlangen.reports._figures import Figure
from erlangen.verbs import Symmetry

LEAST = 1e-6
"""Defects below this are drawn at it: nobody reads a path further down."""

STEPS = ("certified", "estimated", "not refuted")
"""The three dimensions of a path, in the order of their colours."""

VERDICTS = ("holds", "broken", "undecided", "no data")
_SYMBOLS = {"holds": "circle", "broken": "x", "undecided": "diamond-open", "no data": "circle-open"}
_COLOURS = {"holds": 0, "broken": 1, "undecided": 3, "no data": -1}
_OF_BOUND = {"certified": 0, "not refuted": 2, "refuted": 1}

MOST_BOUNDS = 24
"""Generators whose bounds are drawn."""


def path_figure(certificate: Certificate | Symmetry, marks: Mapping[str, float] | None = None) -> Figure:
    """Dimension as a function of delta: what is certified, estimated, and not refuted, and the band between.

    Parameters
    ----------
    certificate : Certificate or Symmetry
        What was certified; of a symmetry its own certificate.
    marks : mapping of str to float, optional
        Values of delta to mark beside the declared one and the finite-flow residual, such as a noise floor.

    Returns
    -------
    Figure
        To be saved with `save_figure`, or drawn by `to_plotly`.
    """
    certificate = certificate_of(certificate)
    band = certificate.band
    left, right = _range(band, certificate.delta)
    counts: tuple[Callable[[float], int], ...] = (band.certified, band.estimated, band.possible)
    lines = [_stairs(band, count, left, right) for count in counts]
    (x0, y0), _, (x2, y2) = lines
    traces = [_trace("band", 0, "between certified and not refuted", np.r_[x0, x2[::-1]], np.r_[y0, y2[::-1]])]
    for k in (2, 1, 0):
        traces.append(_trace("line", k, STEPS[k], *lines[k]))
    top = max(int(y2.max(initial=0)), 1) + 0.5
    noted = []
    for k, (name, value) in enumerate({**_own_marks(certificate), **(marks or {})}.items()):
        traces.append(_trace("edge", -1, name, np.full(2, value), np.array([-0.25, top])))
        noted.append(_note(f"{name} = {value:.2g}", value, top, k))
    layout = _layout(340, dict(zip(STEPS, range(3), strict=True))) | {
        "xaxis": {
            "type": "log",
            "dtick": 1,
            "range": _logs(left, right),
            "title": {"text": "delta, relative defect allowed"},
        },
        "yaxis": {"range": [-0.25, top + 0.1], "title": {"text": "dimension"}, "dtick": max(1, int(top) // 8)},
        "annotations": noted,
    }
    return {"data": traces, "layout": layout}


def certificate_of(given: Any) -> Certificate:
    """A certificate as it is, or that of a symmetry."""
    found = given.certificate if isinstance(given, Symmetry) else given
    if isinstance(found, Certificate):
        return found
    if isinstance(given, Symmetry):
        raise _not_drawn(given, "a symmetry that has a certificate", "er.evidence.certify((x, y), sym.candidates)")
    fixes = {DefectMap: "evidence_page(certificate, path, maps=found), or map_figure(found)"}
    fix = fixes.get(type(given), "er.evidence.certify((x, y), action), and the page of what it returns; print(found)")
    raise _not_drawn(given, "a Certificate, or a Symmetry that has one", fix)


def _not_drawn(given: Any, expected: str, fix: str) -> InputError:
    return InputError(
        explain("This is not what the figure shows.", given=f"a {type(given).__name__}", expected=expected, fix=fix)
    )


def _own_marks(certificate: Certificate) -> dict[str, float]:
    """The declared delta, and what moving the points for a finite time left: nothing smaller was confirmed."""
    moved = max((g.value for g in certificate.gates if g.name == "finite flow" and np.isfinite(g.value)), default=0.0)
    return {"delta": certificate.delta} | ({"finite flow": moved} if moved > LEAST else {})


def bounds_figure(certificate: Certificate | Symmetry) -> Figure:
    """Each generator with its estimated defect and the bounds of the true one.

    Parameters
    ----------
    certificate : Certificate or Symmetry
        What was certified; of a symmetry its own certificate.

    Returns
    -------
    Figure
        To be saved with `save_figure`, or drawn by `to_plotly`.
    """
    certificate = certificate_of(certificate)
    listed = list((*certificate.bounds, *certificate.trivial))[:MOST_BOUNDS]
    left, right = _range(certificate.band, certificate.delta)
    at = np.arange(len(listed), 0, -1)
    traces = [_trace("edge", -1, "delta", np.full(2, certificate.delta), np.array([0.4, len(listed) + 0.6]))]
    for i, (height, bound) in enumerate(zip(at, listed, strict=True)):
        run = _OF_BOUND.get(bound.verdict, -1) if i < len(certificate.bounds) else -1
        traces += _interval(bound, run, float(height), left, right)
    names = [_short(bound.text) for bound in listed]
    layout = _layout(max(80 + 34 * len(listed), 190), _present(listed, len(certificate.bounds))) | {
        "xaxis": {"type": "log", "dtick": 1, "range": _logs(left, right), "title": {"text": "relative defect"}},
        "yaxis": {"tickvals": at.tolist(), "ticktext": names, "range": [0.4, len(listed) + 0.6]},
        "annotations": [_note(f"delta = {certificate.delta:.2g}", certificate.delta, len(listed) + 0.6, 0)],
    }
    return {"data": traces, "layout": layout}


def map_figure(found: DefectMap, generator: int = 0, axes: tuple[int, int] | None = None) -> Figure:
    """Where one generator holds, over two coordinates.

    Parameters
    ----------
    found : DefectMap
        The map.
    generator : int
        Which of its generators.
    axes : tuple of int, optional
        The coordinates drawn; by default those that the sentence speaks of, then those that spread most.

    Returns
    -------
    Figure
        To be saved with `save_figure`, or drawn by `to_plotly`.

    Raises
    ------
    InputError
        When it is no map of where generators hold.
    """
    if not isinstance(found, DefectMap):
        raise _not_drawn(found, "a map of where generators hold", "er.evidence.where(problem, action)")
    a, b = _axes(found, generator) if axes is None else axes
    verdicts, defects = found.verdicts[:, generator], found.defects[:, generator]
    traces = []
    for word in VERDICTS:
        at = verdicts == word
        dots = _trace("dots", _COLOURS[word], word, found.points[at, a], found.points[at, b])
        told = [f"{word}, defect {value:.2g}" for value in defects[at]]
        traces.append(dots | {"mode": "markers", "text": told, "marker": {"symbol": _SYMBOLS[word]}})
    layout = _layout(420, _COLOURS) | {
        "xaxis": {"title": {"text": found.coordinates[a]}},
        "yaxis": {"title": {"text": found.coordinates[b] if b != a else ""}},
    }
    return {"data": traces, "layout": layout}


def _axes(found: DefectMap, generator: int) -> tuple[int, int]:
    d = found.points.shape[1]
    feature = found.rules[generator].feature
    used = [] if feature is None else [int(a) for a in np.flatnonzero(feature.table.any(axis=0))]
    order = [*used[:2], *(int(a) for a in np.argsort(-found.points.std(axis=0), kind="stable") if a not in used[:2])]
    return tuple(sorted(order[:2])) if d > 1 else (0, 0)  # type: ignore[return-value]


def _present(listed: Sequence[Bound], trivial_from: int) -> dict[str, int]:
    """Colours of the verdicts that there are, in a fixed order."""
    found = {bound.verdict for bound in listed[:trivial_from]}
    trivial = {"trivial": -1} if len(listed) > trivial_from else {}
    return {
        word: _OF_BOUND.get(word, -1) for word in (*_OF_BOUND, *sorted(found - set(_OF_BOUND))) if word in found
    } | trivial


def _interval(bound: Bound, k: int, height: float, left: float, right: float) -> list[Figure]:
    ends = np.clip([bound.low, min(bound.high, right)], left, right)
    line = _trace("line", k, bound.verdict, ends, np.full(2, height))
    dot = _trace("dots", k, bound.reason, np.clip([bound.defect], left, right), np.array([height]))
    return [line, dot | {"mode": "markers", "marker": {"symbol": "circle"}}]


def _stairs(band: Band, count: Callable[[float], int], left: float, right: float) -> tuple[NDArray, NDArray]:
    x, y = [left], [count(left)]
    for t, *_ in band.steps():
        if left < t < right:
            x += [t, t]
            y += [y[-1], count(t)]
    return np.array([*x, right]), np.array([*y, y[-1]], dtype=np.float64)


def _range(band: Band, delta: float) -> tuple[float, float]:
    values = np.concatenate([band.defects, band.lower, band.upper, [delta]])
    positive = values[np.isfinite(values) & (values > 0)]
    return max(float(positive.min()) / 2, LEAST), max(2.0, 1.2 * float(positive.max()))


def _logs(left: float, right: float) -> list[float]:
    return [float(np.log10(left)), float(np.log10(right))]


def _note(text: str, x: float, y: float, row: int) -> Figure:
    return {
        "x": float(np.log10(x)), "y": y, "text": text, "showarrow": False,
        "xanchor": "left", "yanchor": "top", "xshift": 4, "yshift": -14 * row,
    }  # fmt: skip


def _trace(role: str, k: int, name: str, x: NDArray | Sequence[float], y: NDArray) -> Figure:
    hover = {"hoverinfo": "skip"} if role == "band" else {}
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": np.asarray(x), "y": y,
        "meta": {"role": role, "run": k}, "showlegend": False, "xaxis": "x", "yaxis": "y",
    } | hover  # fmt: skip


def _short(text: str, most: int = 44) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _layout(height: int, legend: Mapping[str, int]) -> Figure:
    meta = {"legend": [[name, run] for name, run in legend.items()]}
    return {"height": height, "margin": {"l": 64, "r": 12, "t": 14, "b": 48}, "showlegend": False, "meta": meta}
