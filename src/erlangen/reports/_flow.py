"""The data of the interactive view of flows: points, generators, and what moving them leaves of the values."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from erlangen._errors import ErlangenError
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction, behind
from erlangen.derivative import move
from erlangen.fields import carry
from erlangen.reports._moves import move_of, span_of
from erlangen.reports._page import asset, to_script
from erlangen.reports._units import Units, units_of
from erlangen.verbs import Symmetry

MOST_POINTS = 300
"""Points that are moved."""

MOST_GENERATORS = 64
"""Generators that can be chosen: the values that each of them leaves are computed beforehand."""

MOST_NUMBERS = 60_000
"""Numbers of all points on a page: fewer points are shown of data with many coordinates."""

STOPS = 17
"""Times of the slider at which values are compared."""

FRAMES = 33
"""Frames of a flow that a page cannot compute itself."""

PLACES = 7
"""Decimal places of points in units of their spread, where a picture needs three."""

FRAME_PLACES = 6
"""The same of frames, between which the page interpolates with errors far above that."""

DIGITS = 17
"""Digits of coefficients, and of the centre that points are about: all."""

EDGE = 1e-6
"""How far outside the box of the points, in units of their spread, a point still counts as inside: their rounding."""


def flow_data(symmetry: Symmetry) -> dict[str, Any] | None:
    """What the view needs, as plain values; None where nothing moves points."""
    every = (*symmetry.found.generators, *symmetry.found.own)
    if not every or symmetry.points.size == 0:
        return None
    listed, units = every[:MOST_GENERATORS], units_of(symmetry)
    points = symmetry.points[_few(symmetry.points)]
    field = None if symmetry.lie is None else symmetry.lie.field
    values = None if field is None else field.value(points)
    generators = [_generator(symmetry, one.xi, one.verdict, points, values) for one in listed]
    invariant = symmetry.kind == "invariant" and values is not None and bool(np.isfinite(values).all())
    return {
        "names": list(symmetry.coordinates),
        **placed(points, units),
        "values": rounded(values[:, 0]) if invariant and values is not None else None,
        "value": "value of the field",
        "against": ("the field", "its size"),
        "compared": {"vector": "vectors carried along", "map": "steps carried along"}.get(symmetry.kind, "values"),
        "inside": EDGE,
        "generators": generators,
        "unlisted": len(every) - len(listed),
        "axes": _axes(symmetry, listed[0].xi, points),
    }


def placed(points: NDArray, units: Units) -> dict[str, Any]:
    """Points about their centre in units of their spread: far from the origin their digits would be those of where."""
    return {"centre": units.centre, "scale": units.scale, "start": units.points(points).round(PLACES)}


def rounded(values: NDArray) -> NDArray:
    """Values to a few digits of their spread, as colours need them."""
    size = float(values.std()) or float(np.abs(values).max(initial=0.0))
    return values.round(int(PLACES - np.ceil(np.log10(size)))) if size > 0 else values


def _few(points: NDArray) -> NDArray:
    most = min(MOST_POINTS, max(MOST_NUMBERS // max(points.shape[1], 1), 20))
    return np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(np.int64))


def _axes(symmetry: Symmetry, xi: NDArray, points: NDArray) -> list[int]:
    """Up to three coordinates to begin with, in their order: those that a generator moves most."""
    base = behind(symmetry.candidates)
    speed = base.restrict(xi[: base.n_generators, None]).on_points(points)[:, 0]
    sizes = np.mean((speed / symmetry.scales.points[: base.point_dim]) ** 2, axis=0)
    return sorted(int(a) for a in np.argsort(-sizes, kind="stable")[:3])


def _generator(
    symmetry: Symmetry, xi: NDArray, verdict: str, points: NDArray, values: NDArray | None
) -> dict[str, Any]:
    base = behind(symmetry.candidates)
    whole = base is symmetry.candidates
    out: dict[str, Any] = {"text": symmetry.describe(xi), "verdict": verdict, "change": None}
    units = units_of(symmetry)
    one = base.restrict(xi[: base.n_generators, None])
    if isinstance(one, PolynomialAction):
        span, rate = span_of(one, points, units), move_of(one, symmetry.coordinates, units).rate
        out |= {"span": span, "rate": rate} | law_of(one, units)
    else:
        span = _speed_span(one, points, symmetry.scales.points)
        out |= {"span": span, "rate": 0.0, "frames": [framed(x, units) for x in _frames(one, points, span)]}
    if values is not None and whole:
        times = np.linspace(-span, span, STOPS)
        out["change"] = [_change(symmetry, xi, t, points, values, units) for t in times]
    return out


def law_of(one: PolynomialAction, units: Units) -> dict[str, Any]:
    """How points move, in their units: the matrix ``(d + 1, d + 1)`` of an affine generator, else its terms."""
    return {"matrix": units.matrix(one)} if one.degree <= 1 else {"terms": _terms(units.field(one))}


def framed(points: NDArray | None, units: Units) -> NDArray | None:
    """Points of a frame in their units."""
    return None if points is None else units.points(points).round(FRAME_PLACES)


def _speed_span(one: AbstractAction, points: NDArray, scale: NDArray) -> float:
    speed = one.on_points(points)[:, 0] / scale
    size = float(np.sqrt(np.mean(np.sum(speed**2, axis=1))))
    return 1.0 / size if size > 0 else 1.0


def _terms(one: PolynomialAction) -> list[list[Any]]:
    """Terms of a field: component, coefficient, and pairs of coordinate and power."""
    components, monomials = np.nonzero(one.coefficients[0])
    return [
        [int(a), float(one.coefficients[0, a, r]), [[int(j), int(e)] for j, e in enumerate(one.exponents[r]) if e]]
        for a, r in zip(components, monomials, strict=True)
    ]


def _frames(one: AbstractAction, points: NDArray, span: float) -> list[Any]:
    """Points at evenly spaced times; None where the flow could not be followed."""
    still = np.zeros((len(points), 1))
    return [_moved(one, np.ones(1), t, points, still)[0] for t in np.linspace(-span, span, FRAMES)]


def _moved(action: AbstractAction, xi: NDArray, t: float, points: NDArray, values: NDArray) -> tuple[Any, Any]:
    try:
        return move(action, xi, float(t), points, values)
    except ErlangenError:
        return None, None


def _change(symmetry: Symmetry, xi: NDArray, t: float, points: NDArray, values: NDArray, units: Units) -> float | None:
    """How far values are from those that the symmetry says, relative to their spread, where the data reach.

    Root mean square over the moved points that stay within the box of the points: outside, a fitted model is no
    witness. The page says how many these are.
    """
    assert symmetry.lie is not None
    with np.errstate(all="ignore"):
        moved, carried = _moved(carry(symmetry.kind, symmetry.candidates), xi, t, points, values)
        if moved is None:
            return None
        start, now = units.points(points), units.points(moved)
        inside = np.all((now >= start.min(axis=0) - EDGE) & (now <= start.max(axis=0) + EDGE), axis=1)
        if inside.sum() < 3:
            return None
        apart = symmetry.lie.field.value(moved[inside]) - carried[inside]
        about = values - values.mean(axis=0) if symmetry.kind == "invariant" else values
        spread = float(np.sqrt(np.mean(about**2)))
        return float(f"{np.sqrt(np.mean(apart**2)) / spread:.3g}") if spread > 0 else None


def flow_card(data: dict[str, Any]) -> str:
    """HTML of the view: its controls, each with a label, and the place that it is drawn in."""
    texts = [f"{k + 1}: {one['text']}" for k, one in enumerate(data["generators"])]
    names = [*data["names"], *([data["value"]] if data["values"] is not None else [])]
    axes = data["axes"]
    vertical = axes[1] if len(axes) > 1 else len(names) - 1
    depth = axes[2] if len(axes) > 2 else -1
    chosen = [
        _select("flow-generator", "Generator", texts, 0),
        _select("flow-x", "Across", names, axes[0]),
        _select("flow-y", "Up", names, vertical),
        _select("flow-z", "Depth", ["none: flat", *names], depth + 1, start=-1),
    ]
    slider = (
        "<div class='flow-time'><label for='flow-time'>Move the points along the flow</label>"
        "<input type='range' id='flow-time' min='-100' max='100' value='0' step='1'></div>"
    )
    buttons = (
        "<button type='button' id='flow-play' aria-pressed='false'>Play</button>"
        "<button type='button' id='flow-reset'>Back to the start</button>"
    )
    return (
        "<section class='card wide' id='flow'><h2>Move the data along the symmetry</h2>"
        f"<p class='soft'>{html.escape(_note(data))}</p>"
        f"<div class='controls'>{''.join(chosen)}</div><div class='controls'>{slider}{buttons}</div>"
        "<p id='flow-said' role='status' aria-live='polite'></p>"
        "<div class='plot flow' id='flow-plot' role='img' aria-label='Points, the vector field of the chosen generator "
        "as arrows, and the moved points'></div></section>"
    )


def _select(name: str, label: str, texts: Sequence[str], chosen: int, start: int = 0) -> str:
    options = "".join(
        f"<option value='{k + start}'{' selected' * (k == chosen)}>{html.escape(text)}</option>"
        for k, text in enumerate(texts)
    )
    return f"<div><label for='{name}'>{label}</label><select id='{name}'>{options}</select></div>"


def _note(data: dict[str, Any]) -> str:
    text = f"{len(data['start'])} points. Arrows: the vector field of the generator. Rings: where the points were."
    if data["unlisted"]:
        listed = len(data["generators"])
        text += f" The first {listed} of {listed + data['unlisted']} generators can be chosen."
    if data["values"] is None:
        return text
    return f"{text} Colour: the {data['value']}; where it stays, a dot has the colour of the rings around it."


def flow_script(data: dict[str, Any]) -> str:
    """The script of the view with its data."""
    return f"const FLOW={to_script(data, DIGITS)};\n{asset('flow.js')}"


def flow_style() -> str:
    """CSS of the view."""
    return asset("flow.css")
