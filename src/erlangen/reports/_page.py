"""A page that needs nothing beside it: no network, no fonts, no other file; light or dark as its reader has it."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from erlangen._errors import MissingExtraError, explain

RUN_COLOURS = (("#0b66b0", "#5aa9e6"), ("#c8510a", "#ff9a52"), ("#0f7d5c", "#42c99b"), ("#a8407f", "#e58cc4"))
"""Colours of runs on light and on dark ground: told apart by readers with any colour vision, and by lightness."""

_STYLE = """
:root{--ground:#fff;--card:#fff;--ink:#1c2026;--soft:#5a626d;--edge:#dfe3e8;--shade:#f5f7f9;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ground:#14171b;
--card:#1b1f25;--ink:#e8eaed;--soft:#a2abb6;--edge:#333a43;--shade:#20252c}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0 auto;
max-width:76rem;padding:1.5rem}
h1{font-size:1.6rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:0 0 .2rem}
p{margin:.3rem 0;max-width:66rem}.soft{color:var(--soft);font-size:.92rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(34rem,100%),1fr));gap:1rem;margin-top:1rem}
.card{background:var(--card);border:1px solid var(--edge);border-radius:8px;padding:1rem;min-width:0;overflow-x:auto}
.wide{grid-column:1/-1}.chips{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;margin:.5rem 0 0}
.chip::before{content:"";display:inline-block;
width:.75rem;height:.75rem;border-radius:50%;background:var(--c);margin-right:.4rem}
table{border-collapse:collapse;font-size:.92rem;margin:.5rem 0}
th{color:var(--soft);font-weight:600}
td,th{border-bottom:1px solid var(--edge);padding:.25rem .9rem .25rem 0;text-align:left}
td.number{text-align:right;font-variant-numeric:tabular-nums}
math{font-size:1.15rem;margin:.6rem 0}mtd{padding:.25em .15em}
.scroll{overflow-x:auto}.plot{width:100%}
"""

_SCRIPT = """
const dark=window.matchMedia("(prefers-color-scheme: dark)");
function css(name){return getComputedStyle(document.documentElement).getPropertyValue(name).trim()}
function run(k){return css("--run"+k)}
function faded(hex,a){const n=parseInt(hex.slice(1),16);return `rgba(${n>>16},${n>>8&255},${n&255},${a})`}
function dressed(trace){
  const {role,run:k}=trace.meta,c=k<0?css("--soft"):run(k),t={...trace};
  if(role==="data")t.marker={size:4,color:faded(c,.4)};
  if(role==="line")t.line={width:1.6,color:c};
  if(role==="band"){t.line={width:0};t.fill="toself";t.fillcolor=faded(c,.18)}
  if(role==="edge")t.line={width:1.5,color:css("--ink"),dash:"dot"};
  if(role==="dots")t.marker={size:6,color:c,...trace.marker};
  if(role==="bars")t.marker={color:faded(c,.6)};
  return t}
function framed(layout){
  const l={...layout,font:{family:"system-ui,sans-serif",size:13,color:css("--ink")},
    paper_bgcolor:"rgba(0,0,0,0)",plot_bgcolor:"rgba(0,0,0,0)",bargap:.15,
    hoverlabel:{bgcolor:css("--card"),font:{color:css("--ink")}}};
  for(const key of Object.keys(l))if(/^[xy]axis/.test(key))
    l[key]={...l[key],gridcolor:css("--edge"),zerolinecolor:css("--edge"),automargin:true,
      title:{...l[key].title,standoff:8,font:{color:css("--soft"),size:13}}};
  return l}
function draw(){for(const [id,f] of Object.entries(FIGURES))
  Plotly.react(id,f.data.map(dressed),framed(f.layout),{responsive:true,displayModeBar:false})}
draw();dark.addEventListener("change",draw);
"""


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
    colours = "".join(f"--run{k}:{light};" for k, (light, _) in enumerate(RUN_COLOURS))
    night = "".join(f"--run{k}:{dark};" for k, (_, dark) in enumerate(RUN_COLOURS))
    style = f"{_STYLE}:root{{{colours}}}@media(prefers-color-scheme:dark){{:root{{{night}}}}}" + "".join(styles)
    name = html.escape(title)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{name}</title><style>{style}</style></head><body><h1>{name}</h1>{head}"
        f"<main class='grid'>{''.join(cards)}</main>"
        f"<script>{plotly_js()}</script><script>const FIGURES={to_script(figures)};{_SCRIPT}</script>"
        f"{''.join(f'<script>{text}</script>' for text in scripts)}</body></html>\n"
    )


def card(title: str, body: str, note: str = "", wide: bool = False) -> str:
    """HTML of a card; title and note are plain text, the body is HTML."""
    told = f"<p class='soft'>{html.escape(note)}</p>" if note else ""
    return f"<section class='card{' wide' * wide}'><h2>{html.escape(title)}</h2>{told}{body}</section>"


def plot(name: str) -> str:
    """HTML of the place that a figure is drawn in."""
    return f"<div class='plot' id='{html.escape(name)}'></div>"


def chips(labels: Sequence[str]) -> str:
    """HTML of the colours of runs."""
    pieces = (
        f"<span class='chip' style='--c:var(--run{k})'>{html.escape(label)}</span>" for k, label in enumerate(labels)
    )
    return f"<div class='chips'>{''.join(pieces)}</div>"


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """HTML of a table; numbers are set flush right."""

    def cell(value: Any) -> str:
        kind = " class='number'" if isinstance(value, float) else ""
        return f"<td{kind}>{html.escape(f'{value:.4g}' if kind else str(value))}</td>"

    head = "".join(f"<th>{html.escape(name)}</th>" for name in headers)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def to_script(value: Any) -> str:
    """JSON for a script block: six digits, gaps where a number is not finite, and nothing that could end the block."""
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def plotly_js() -> str:
    """The script that draws, whole: a page is read where there is no network."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        what, fix = "Pages with plots need Plotly.", 'pip install "erlangen[report]"'
        raise MissingExtraError(explain(what, given="no plotly", expected="plotly", fix=fix)) from None
    return get_plotlyjs()
