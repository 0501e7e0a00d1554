"""A page on how sure a symmetry is: the path, the bounds, what they rest on, and where each generator holds."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from erlangen._files import check_target, write_text
from erlangen._render import number
from erlangen.evidence import Bound, Certificate, DefectMap, Gate
from erlangen.reports._evidence_figures import bounds_figure, certificate_of, map_figure, path_figure
from erlangen.reports._figures import Figure
from erlangen.reports._page import card, check_title, page, plot, plotly_js, table
from erlangen.reports._story import Story
from erlangen.verbs import Symmetry


def evidence_page(
    certificate: Certificate | Symmetry,
    path: str | PathLike[str],
    *,
    maps: DefectMap | Sequence[DefectMap] = (),
    marks: Mapping[str, float] | None = None,
    title: str = "How sure are we?",
    force: bool = False,
) -> Path:
    """Write a page with the path, the bounds, the gates and the assumptions of a certificate.

    The page needs nothing beside it: the script that draws is inside.

    Parameters
    ----------
    certificate : Certificate or Symmetry
        What `erlangen.evidence.certify` returned; of a symmetry its own certificate.
    path : path
        The file to write, ``.html``.
    maps : DefectMap or sequence of them
        Maps of where generators hold, each drawn for each of its generators.
    marks : mapping of str to float, optional
        Values of delta to mark on the path beside the declared one, such as a noise floor.
    title : str
        Title of the page.
    force : bool
        Overwrite an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        Where the file exists, or there is no certificate to draw.
    MissingExtraError
        Where Plotly is not installed.
    """
    certificate = certificate_of(certificate)
    plotly_js()  # refused before any work
    check_title(title)
    check_target(path, force)
    return write_text(path, evidence_html(certificate, maps=maps, marks=marks, title=title), force)


def evidence_html(
    certificate: Certificate | Symmetry,
    *,
    maps: DefectMap | Sequence[DefectMap] = (),
    marks: Mapping[str, float] | None = None,
    title: str = "How sure are we?",
) -> str:
    """Return the page of `evidence_page` as text.

    Parameters
    ----------
    certificate : Certificate or Symmetry
        As for `evidence_page`.
    maps : DefectMap or sequence of DefectMap
        As for `evidence_page`.
    marks : mapping of str to float, optional
        As for `evidence_page`.
    title : str
        Heading of the page.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    certificate = certificate_of(certificate)
    cards, figures = evidence_cards(certificate, marks)
    for i, found in enumerate([maps] if isinstance(maps, DefectMap) else maps):
        more, drawn = map_cards(found, f"map{i}")
        cards, figures = cards + more, figures | drawn
    cards = [*read_first(_doubts(certificate)), *cards]
    names = html.escape(", ".join(certificate.coordinates))
    head = (
        f"<p><b>{html.escape(_headline(certificate))}</b></p><p class='soft'>Region: {html.escape(certificate.region)}"
    )
    return page(title, cards, figures, f"{head}. Coordinates: {names}.</p>")


def story(found: Certificate | DefectMap, data: Any = None) -> Story:
    """Return what a page says of a certificate, or of a map of where generators hold."""
    if isinstance(found, DefectMap):
        return Story(" ".join(found.sentences), *map_cards(found), title="Where each generator holds")
    cards, figures = evidence_cards(found)
    cards = [*read_first(_doubts(found)), *cards]
    names = html.escape(", ".join(found.coordinates))
    head = f"<p class='soft'>Region: {html.escape(found.region)}. Coordinates: {names}.</p>"
    return Story(_headline(found), cards, figures, title="How sure are we?", head=head)


def read_first(doubts: Sequence[str]) -> list[str]:
    """The card that opens a page where something must be read before the rest is believed, or nothing."""
    items = "".join(f"<li>{html.escape(text)}</li>" for text in doubts)
    return [card("Read this first", f"<ul>{items}</ul>", wide=True, kind="warn")] if items else []


def gates_failed(certificate: Certificate) -> list[str]:
    """In words the checks that failed, those first that forbid any claim."""
    failed = sorted((gate for gate in certificate.gates if not gate.passed), key=lambda gate: not gate.binding)
    return [f"{gate.name}: {gate.reason}." for gate in failed]


def _doubts(certificate: Certificate) -> list[str]:
    failed = gates_failed(certificate)
    if failed and certificate.trusted:
        failed.append("What follows is claimed only where these are no reason to doubt it.")
    return failed


def _headline(certificate: Certificate) -> str:
    """The verdict, and before it the check that leaves it in doubt: where nothing is certified, it says so itself."""
    failed = gates_failed(certificate)
    return f"In doubt: {failed[0]} {certificate.verdict}" if failed and certificate.trusted else certificate.verdict


def evidence_cards(
    certificate: Certificate | Symmetry, marks: Mapping[str, float] | None = None, prefix: str = "evidence"
) -> tuple[list[str], dict[str, Figure]]:
    """Cards on a certificate and the figures that they hold, for a page of something else.

    Parameters
    ----------
    certificate : Certificate
        What was certified.
    marks : mapping of str to float, optional
        Further values of delta to mark.
    prefix : str
        Start of the names of the figures, which must be different on one page.

    Returns
    -------
    tuple of (list of str, dict of str to Figure)
        HTML of the cards, and figures by name.
    """
    certificate = certificate_of(certificate)
    path, bounds = f"{prefix}-path", f"{prefix}-bounds"
    figures = {path: path_figure(certificate, marks)}
    cards = [card("Dimension as a function of delta", legend(figures[path]) + plot(path), _path_note(certificate))]
    if certificate.bounds or certificate.trivial:
        figures[bounds] = bounds_figure(certificate)
        cards.append(card("Bounds of the true defects", legend(figures[bounds]) + plot(bounds), _BOUNDS, wide=True))
        cards.append(card("Bounds in numbers", _bounds_table(certificate), wide=True))
    cards.append(card("What the claim is, and what it rests on", _claim(certificate), wide=True))
    if certificate.gates:
        cards.append(card("Reasons to doubt it", _gates(certificate.gates), wide=True))
    return cards, figures


def map_cards(found: DefectMap, prefix: str = "map") -> tuple[list[str], dict[str, Figure]]:
    """Cards on where generators hold and the figures that they hold; see `evidence_cards`.

    Parameters
    ----------
    found : DefectMap
        The map.
    prefix : str
        Start of the names of the figures, which must be different on one page.

    Returns
    -------
    tuple of (list of str, dict of str to Figure)
        HTML of the cards, and figures by name.
    """
    figures = {f"{prefix}-{k}": map_figure(found, k) for k in range(len(found.texts))}
    note = (
        f"Where the local defect is at most {found.delta:g}, for sure; nothing smaller than {found.reach:.2g} of the "
        "spread of the points is resolved."
    )
    cards = [
        card(sentence[0].upper() + sentence[1:], legend(figure) + plot(name), note)
        for sentence, (name, figure) in zip(found.sentences, figures.items(), strict=True)
    ]
    return cards, figures


_BOUNDS = (
    "Dots: estimates. Lines: where the true relative defect lies, with the confidence of the certificate. A generator "
    "is certified where the whole line is left of delta, and refuted where all of it is right of it."
)


def _path_note(certificate: Certificate) -> str:
    dim, start, stop = certificate.band.plateau
    sure = f"{100 * (1 - certificate.alpha):g} %"
    band = (
        f"With {sure} confidence the true curve is in the shaded band, at all delta at once."
        if certificate.band.simultaneous
        else f"The band holds with {sure} confidence at a delta that was chosen beforehand."
    )
    if not start < stop:
        return f"{band} It decides no dimension over any range of delta."
    return f"{band} Widest plateau: dimension {dim}, for delta from {number(start, 2)} to {number(stop, 2)}."


def _bounds_table(certificate: Certificate) -> str:
    def row(bound: Bound, verdict: str) -> tuple[Any, ...]:
        numbers = (float(v) for v in (bound.defect, bound.low, bound.high))
        return (bound.text, *numbers, verdict, bound.reason)

    rows = [row(b, b.verdict) for b in certificate.bounds] + [row(b, "trivial") for b in certificate.trivial]
    return table(("generator", "estimate", "low", "high", "verdict", "why"), rows)


def _claim(certificate: Certificate) -> str:
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in certificate.assumptions)
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in certificate.notes)
    assumed = f"<p>It assumes, most binding first:</p><ol>{lines}</ol>" if lines else ""
    claim = html.escape(certificate.guarantee[:1].upper() + certificate.guarantee[1:])
    return f"<p>{claim}. <i>Mode: {html.escape(certificate.mode)}.</i></p>{assumed}{notes}"


def _gates(gates: Sequence[Gate]) -> str:
    rows = [(gate.name, _found(gate), _number(gate.value), _number(gate.limit), gate.reason) for gate in gates]
    return table(("check", "", "value", "limit", "in words"), rows)


def _found(gate: Gate) -> str:
    if gate.passed:
        return "nothing found"
    return "FAILED" if gate.binding else "in doubt"


def _number(value: float) -> float | str:
    return float(value) if math.isfinite(value) else "infinite" if math.isinf(value) else "-"


def legend(figure: Figure) -> str:
    """HTML of what colours mean."""
    pieces = (
        f"<span class='chip' style='--c:var({f'--run{run}' if run >= 0 else '--soft'})'>{html.escape(name)}</span>"
        for name, run in figure["layout"]["meta"]["legend"]
    )
    return f"<div class='chips'>{''.join(pieces)}</div>"
