"""The story of a symmetry: what it is called, what it means, what it moves, and how sure that is."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from erlangen._render import field_latex, number
from erlangen.actions import PolynomialAction, behind
from erlangen.reports._evidence_figures import _layout, _logs, _note, _trace
from erlangen.reports._figures import Figure
from erlangen.reports._flow import flow_card, flow_data, flow_script, flow_style
from erlangen.reports._formulas import generator_mathml
from erlangen.reports._implied import code_card, head, meaning_card
from erlangen.reports._moves import move_of
from erlangen.reports._page import card, html_rows, plot, table
from erlangen.reports._story import Story
from erlangen.reports._units import units_of
from erlangen.reports.evidence import evidence_cards, gates_failed, legend, read_first
from erlangen.verbs import Generator, Symmetry
from erlangen.verbs._measure import interval

LEAST = 1e-17
"""Defects below this are drawn at it: rounding of one number."""

MOST_DIRECTIONS = 64
"""Directions of the spectrum that are drawn."""

MOST_SHOWN = 12
"""Generators that are shown at once: the others unfold."""

MOST_LISTED = 40
"""Generators that are written out."""


def story(symmetry: Symmetry, data: Any = None) -> Story:
    """Return what a page says of a symmetry."""
    figures: dict[str, Figure] = {}
    found = bool(symmetry.dim or symmetry.found.own)
    cards = _warnings(symmetry)
    if found:
        cards += [meaning_card(symmetry), generators_card(symmetry)]
    elif symmetry.decided:
        cards.append(nothing_card(symmetry))
    flow = flow_data(symmetry)
    if flow is not None:
        cards.append(flow_card(flow))
    if len(symmetry.spectrum):
        figures["spectrum"] = spectrum_figure(symmetry)
        cards.append(_spectrum_card(symmetry, figures["spectrum"]))
    if symmetry.certificate is not None:
        more, drawn = evidence_cards(symmetry)
        cards, figures = cards + more, figures | drawn
    cards += _apart(symmetry)
    if symmetry.dim and symmetry.decided:
        cards.append(code_card(symmetry))
    scripts, styles = ([], []) if flow is None else ([flow_script(flow)], [flow_style()])
    return Story(symmetry.verdict, cards, figures, scripts, "Symmetry report", head(symmetry), styles)


def generators_card(symmetry: Symmetry) -> str:
    """The generators as mathematics and in words, with their defects; a button copies the LaTeX of all."""
    listed = (*symmetry.found.generators, *symmetry.found.own)[:MOST_LISTED]
    defects = symmetry.intervals
    rows = []
    for k, one in enumerate(listed):
        formula, latex, words = _written(symmetry, one)
        bounds = f"{number(defects[k, 0], 2)} to {number(defects[k, 1], 2)}" if k < len(defects) else "-"
        name = f"<math><msub><mi>&#x3BE;</mi><mn>{k + 1}</mn></msub></math>"
        verdict = "built from the field itself" if one.verdict == "own" else one.verdict
        copier = _copier(latex, f"generator {k + 1}")
        cells = (name, formula, html.escape(words), number(one.defect, 2), bounds, verdict, copier)
        rows.append([(cell, False) for cell in cells])
    names = ("", "generator", "what it does", "defect", "true defect between", "", "LaTeX")
    total = symmetry.dim + len(symmetry.found.own)
    more = f"<p class='soft'>{total - len(listed)} more are not written out.</p>" if total > len(listed) else ""
    note = "Vector fields that move the points. A defect of 0 is an exact symmetry, 1 is an unrelated direction."
    block = html_rows(names, rows[:MOST_SHOWN])
    if len(rows) > MOST_SHOWN:
        rest = html_rows(names, rows[MOST_SHOWN:])
        block += f"<details><summary>{len(rows) - MOST_SHOWN} more</summary>{rest}</details>"
    return card("Generators", block + more, note, wide=True)


def nothing_card(symmetry: Symmetry) -> str:
    """What it means that nothing was found, and what may be asked next."""
    d, s = len(symmetry.coordinates), "s" * (symmetry.candidates.n_generators > 1)
    text = (
        f"None of the {symmetry.candidates.n_generators} candidate{s}, and no combination of them, leaves the field "
        "alone on these points. That says nothing of generators that were not on offer."
    )
    fixes = (
        f"Curved candidates: er.actions.polynomial({d}, 2).",
        "A symmetry that is only near: a larger delta, er.discover(..., rule=er.Threshold(0.2)).",
        "A discrete symmetry, such as a reflection: er.evidence.test_elements.",
        "A symmetry of a part of the points: er.evidence.where.",
    )
    items = "".join(f"<li>{html.escape(fix)}</li>" for fix in fixes)
    return card(
        "What this means", f"<p>{html.escape(text)}</p><h3>What else may be asked</h3><ul>{items}</ul>", "", True
    )


def _written(symmetry: Symmetry, one: Generator) -> tuple[str, str, str]:
    """MathML, LaTeX and words of a generator; text where there is no formula."""
    base, text = behind(symmetry.candidates), symmetry.describe(one.xi)
    if not isinstance(base, PolynomialAction) or base.origin is not None or base is not symmetry.candidates:
        return f"<code>{html.escape(text)}</code>", text, ""
    field = base.restrict(one.xi[:, None])
    names = symmetry.coordinates
    latex = field_latex(field.exponents, field.coefficients[0], names)
    return generator_mathml(field, names), latex, move_of(field, names, units_of(symmetry)).words


def _copier(latex: str, what: str) -> str:
    return (
        f"<button type='button' data-copy='{html.escape(latex, quote=True)}' "
        f"aria-label='Copy the LaTeX of {what}'>Copy</button>"
    )


def spectrum_figure(symmetry: Symmetry) -> Figure:
    """Relative defects of all directions in order, with the decision line and what the derivative's error allows."""
    values = np.maximum(symmetry.spectrum[:MOST_DIRECTIONS], symmetry.floor)  # smaller ones are not told apart
    low, high = interval(values, symmetry.floor)
    at = np.arange(1, len(values) + 1, dtype=np.float64)
    least = max(LEAST, float(values[values > 0].min(initial=1.0)) / 10)
    values, low, high = (np.maximum(v, least) for v in (values, low, high))
    dim = min(symmetry.decision.dim, len(values))
    traces = [_trace("band", 0, "true defects", np.r_[at, at[::-1]], np.r_[high, low[::-1]])]
    ends = np.array([0.5, len(values) + 0.5])
    delta = None if symmetry.measurement is None else symmetry.measurement.delta
    noted = []
    if delta is not None:
        traces.append(_trace("edge", -1, "delta", ends, np.full(2, delta)))
        noted.append(_note(f"delta = {delta:.2g}", 1.0, float(np.log10(delta)), 0) | {"x": 0.5, "yanchor": "bottom"})
    for word, run, chosen in (("counts as zero", 0, slice(dim)), ("does not", 1, slice(dim, None))):
        told = [f"direction {k:g}: {v:.2g}" for k, v in zip(at[chosen], values[chosen], strict=True)]
        dots = _trace("dots", run, word, at[chosen], values[chosen])
        traces.append(dots | {"mode": "markers", "text": told, "marker": {"symbol": "circle"}})
    bottom, top = float(min(low.min(), values.min(), delta or 1.0)) / 3, max(3.0, float(high.max()) * 1.5)
    layout = _layout(340, {"counts as zero": 0, "does not": 1}) | {
        "xaxis": {"title": {"text": "direction, in order of defect"}, "range": ends.tolist(), "dtick": _ticks(len(at))},
        "yaxis": {"type": "log", "range": _logs(bottom, top), "title": {"text": "relative defect"}},
        "annotations": noted,
    }
    return {"data": traces, "layout": layout}


def _ticks(n: int) -> int:
    return max(1, n // 12)


def _spectrum_card(symmetry: Symmetry, figure: Figure) -> str:
    note = (
        f"{symmetry.decision.reason[:1].upper()}{symmetry.decision.reason[1:]}. Band: where the true defects lie, "
        "given the error of the derivative."
    )
    rows = [(str(k), float(v)) for k, v in enumerate(symmetry.spectrum[:MOST_DIRECTIONS], 1)]
    numbers = f"<details><summary>Numbers</summary>{table(('direction', 'relative defect'), rows)}</details>"
    label = "Relative defects of all directions in ascending order, with the decision line"
    return card("Spectrum", legend(figure) + plot("spectrum", label) + numbers, note)


def _warnings(symmetry: Symmetry) -> list[str]:
    """What must be read before the rest is believed."""
    told = []
    if not symmetry.decided:
        told.append("The data do not decide. What follows is what they allow, not what they show.")
    if symmetry.agreement is not None and not symmetry.agreement.agrees:
        told.append(f"{symmetry.agreement.reason[:1].upper()}{symmetry.agreement.reason[1:]}.")
    sure = symmetry.certificate
    if sure is not None:
        told += gates_failed(sure)
    elif symmetry.no_certificate and (symmetry.dim or symmetry.found.own):
        told.append(f"There is no certificate: {symmetry.no_certificate}. er.evidence.certify makes one from data.")
    return read_first(told)


def _apart(symmetry: Symmetry) -> list[str]:
    """Directions that count neither way, with the reason of each."""
    found, cards = symmetry.found, []
    rows = [
        (name, symmetry.describe(one.xi), float(one.defect), one.reason)
        for name, listed in (("own", found.own), ("no coverage", found.uncovered), ("refused", found.refused))
        for one in listed[:MOST_LISTED]
    ]
    for name, columns, why in (
        ("inert", symmetry.inert, "moves nothing on the samples"),
        ("vacuous", symmetry.vacuous, "moves points where the field does not vary"),
    ):
        rows += [(name, symmetry.describe(xi), "-", why) for xi in columns.T[:MOST_LISTED]]
    if rows:
        note = (
            "Own: built from the field itself. No coverage: leaves the span of the data. Refused: a finite motion or "
            "one component speaks against it. Inert: moves nothing. Vacuous: the field says nothing about it."
        )
        cards.append(card("Set apart", table(("", "direction", "defect", "why"), rows), note, wide=True))
    return cards
