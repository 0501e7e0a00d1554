"""A page that needs nothing beside it: no network, no fonts, no other file; light or dark as its reader has it."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from erlangen._errors import InputError, MissingExtraError, explain

RUN_COLOURS = (
    ("#0b66b0", "#5aa9e6"), ("#c8510a", "#ff9a52"), ("#0f7d5c", "#42c99b"), ("#a8407f", "#e58cc4"),
    ("#6b4fc4", "#a994ff"), ("#8a6a00", "#d9b13b"), ("#007f95", "#4cc3d9"), ("#b3261e", "#ff7f76"),
    ("#7a4a2b", "#c99a74"),
)  # fmt: skip
"""Colours of runs on light and on dark ground: the first four are told apart by readers with any colour vision, and by
lightness; the others by pointing at them."""

_LIGHT = {
    "ground": "#f7f8fa", "card": "#ffffff", "ink": "#1c2026", "soft": "#5a626d",
    "edge": "#dfe3e8", "line": "#8a929d", "shade": "#f2f4f7",
}  # fmt: skip
_DARK = {
    "ground": "#101317", "card": "#181c21", "ink": "#e8eaed", "soft": "#a7b0bb",
    "edge": "#333a43", "line": "#69727e", "shade": "#20252c",
}  # fmt: skip

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Ccircle cx='16' cy='16' "
    "r='11' fill='none' stroke='%230b66b0' stroke-width='4'/%3E%3Ccircle cx='24' cy='8' r='5' fill='%23c8510a'/%3E"
    "%3C/svg%3E"
)


def check_title(title: Any) -> None:
    """Refuse a title that is no text, before any work is done."""
    if title is not None and not isinstance(title, str):
        given, fix = f"title = {title!r}"[:80], 'title="Energy of the ball"'
        raise InputError(explain("The title of a page is text.", given=given, expected="text", fix=fix))


def page(
    title: str,
    cards: Iterable[str],
    figures: Mapping[str, Any],
    head: str = "",
    scripts: Iterable[str] = (),
    styles: Iterable[str] = (),
) -> str:
    """Put a page together.

    Parameters
    ----------
    title : str
        Its title, in plain text.
    cards : iterable of str
        HTML of the cards, in order.
    figures : mapping of str to figure
        Figures by the name of the card that holds them.
    head : str
        HTML between the title and the cards.
    scripts, styles : iterable of str
        What cards need beside those of the page.
    """
    name = html.escape(title)
    body = (
        f"<a class='skip' href='#content'>Skip to the content</a><header><h1>{name}</h1>{head}</header>"
        f"<main class='grid' id='content'>{''.join(cards)}</main><p id='said' class='skip' aria-live='polite'></p>"
    )
    own = "".join(f"<script>{text}</script>" for text in scripts)
    library = f"<script type='text/plain' id='library'>{plotly_js()}</script>" if figures or own else ""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        "<meta name='color-scheme' content='light dark'>"
        f'<title>{name}</title><link rel="icon" href="{_ICON}">'
        f"<style>{_colours()}{asset('page.css')}{''.join(styles)}</style></head><body>{body}"
        f"{library}<script>const FIGURES={to_script(figures)};\n{asset('page.js')}</script>{own}</body></html>\n"
    )


@lru_cache
def asset(name: str) -> str:
    """Text of a style or a script that comes with the package."""
    return (files("erlangen.reports") / "assets" / name).read_text("utf-8")


def _colours() -> str:
    """Variables of light and dark ground; paper is light, however dark the screen."""
    light, night = (_variables(ground, k) for k, ground in enumerate((_LIGHT, _DARK)))
    dark = f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme]){{{night}}}}}"
    return f":root{{{light}color-scheme:light dark}}{dark}"


def _variables(ground: dict[str, str], k: int) -> str:
    runs = {f"run{i}": pair[k] for i, pair in enumerate(RUN_COLOURS)}
    return "".join(f"--{name}:{value};" for name, value in (ground | runs).items())


def card(title: str, body: str, note: str = "", wide: bool = False, kind: str = "") -> str:
    """HTML of a card; title and note are plain text, the body is HTML.

    Parameters
    ----------
    kind : str
        A further class of the card: ``"warn"`` for what must be read before the rest is believed.
    """
    told = f"<p class='soft'>{html.escape(note)}</p>" if note else ""
    classes = " ".join(filter(None, ["card", "wide" * wide, kind]))
    return f"<section class='{classes}'><h2>{html.escape(title)}</h2>{told}{body}</section>"


def plot(name: str, label: str = "") -> str:
    """HTML of the place that a figure is drawn in; the label says to those who do not see it what it shows."""
    words = html.escape(label or name.replace("-", " "))
    return f"<div class='plot' id='{html.escape(name)}' role='img' aria-label='{words}'></div>"


def chips(labels: Sequence[str]) -> str:
    """HTML of the colours of runs."""
    pieces = (
        f"<span class='chip' style='--c:var(--run{k})'>{html.escape(label)}</span>" for k, label in enumerate(labels)
    )
    return f"<div class='chips'>{''.join(pieces)}</div>"


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """HTML of a table; numbers are set flush right."""

    def cell(value: Any) -> tuple[str, bool]:
        number = isinstance(value, float)
        return html.escape(f"{value:.4g}" if number else str(value)), number

    return html_rows(headers, (map(cell, row) for row in rows))


def html_rows(headers: Sequence[str], rows: Iterable[Iterable[tuple[str, bool]]]) -> str:
    """HTML of a table whose cells are HTML, each with whether it is a number.

    On a phone each row becomes a block, in which each cell has the name of its column before it; roles keep it a
    table for those who hear it.
    """
    names = [html.escape(name, quote=True) for name in headers]

    def line(row: Iterable[tuple[str, bool]]) -> str:
        cells = (
            f"<td role='cell' data-name=\"{name}\"{' class=number' * number}>{text}</td>"
            for name, (text, number) in zip(names, row, strict=True)
        )
        return f"<tr role='row'>{''.join(cells)}</tr>"

    head = "".join(f"<th scope='col' role='columnheader'>{name}</th>" for name in names)
    body = "".join(map(line, rows))
    return (
        f"<div class='scroll'><table role='table'><thead role='rowgroup'><tr role='row'>{head}</tr></thead>"
        f"<tbody role='rowgroup'>{body}</tbody></table></div>"
    )


def to_script(value: Any, digits: int = 6) -> str:
    """JSON for a script block: so many digits, gaps where a number is not finite, nothing that could end the block."""
    return json.dumps(_plain(value, digits), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _plain(value: Any, digits: int) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item, digits) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item, digits) for item in value]
    if isinstance(value, np.ndarray):
        return [_plain(item, digits) for item in value.tolist()]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value


def plotly_js() -> str:
    """The script that draws, whole: a page is read where there is no network."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        what, fix = "Pages with plots need Plotly.", 'pip install "erlangen[report]"'
        raise MissingExtraError(explain(what, given="no plotly", expected="plotly", fix=fix)) from None
    return get_plotlyjs()
