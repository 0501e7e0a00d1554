"""The story of conserved quantities: what they are, that they stay, and which symmetry each of them generates."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from erlangen._render import _signed_sum, number
from erlangen.algebra import Structure
from erlangen.dynamics import ConservedQuantities, Law
from erlangen.dynamics.poisson import PoissonAlgebra
from erlangen.fields.trajectories import Trajectories
from erlangen.reports import _conserved_figures as figures
from erlangen.reports._flow import flow_card, flow_script, flow_style
from erlangen.reports._law_flows import flow_data, words_of
from erlangen.reports._mathml import laws_mathml
from erlangen.reports._meaning import meaning
from erlangen.reports._page import card, chips, plot, table
from erlangen.reports._story import Story
from erlangen.reports._units import Units

MOST_STEPS = 8
"""Steps of the number of constants that are listed."""

EXACT = 1e-9
"""Share of the largest structure constant below which one is rounding; brackets that close worse have a defect."""


def story(found: ConservedQuantities, data: Any = None) -> Story:
    """Return what a page says of conserved quantities.

    Parameters
    ----------
    found : ConservedQuantities
        What `erlangen.dynamics.conserved` returned.
    data : Trajectories, optional
        The runs, which are drawn where they are given.
    """
    flow = data if isinstance(data, Trajectories) else None
    drawings: dict[str, figures.Figure] = {}
    cards = [card("Conserved quantities", _laws(found), _RULE, wide=True)] if found.laws else []
    if flow is not None and figures.drawn_runs(flow):
        more, drawings = _drawn(found, flow)
        cards += more
    if found.generators:
        cards.append(card("The symmetry that each of them generates", _generators(found, flow), _NOETHER, wide=True))
    moved = None if flow is None else flow_data(found, flow)
    if moved is not None:
        cards.append(flow_card(moved))
    if found.poisson is not None:
        cards.append(card(_title(found.poisson), _algebra(found.poisson), _BRACKETS, wide=True))
    others = [*found.dependent, *found.relations, *found.drifting]
    if others:
        cards.append(card("Looked at, and not counted", _table(others, None), wide=True))
    if found.undecided or found.notes:
        cards.append(card("What these data do not decide", _open(found), wide=True))
    if len(found.spectrum):
        drawings["spectrum"] = figures.spectrum_figure(found)
    cards.append(card("Why this many", _why(found), _SPECTRUM, wide=True))
    scripts, styles = ([], []) if moved is None else ([flow_script(moved)], [flow_style()])
    return Story(found.verdict, cards, drawings, scripts, "What is conserved", _head(found), styles)


_RULE = (
    "The defect is the change along the runs, relative to what an unrelated function of the same terms would change: "
    "1 is unrelated, 0 is conserved. Within/total compares the variance inside runs with that of all samples."
)
_NOETHER = (
    "Every conserved function moves states along a symmetry of the motion. The other way round, what comes from a "
    "function and leaves the energy alone conserves that function; leaving the motion alone is not enough, as a weight "
    "that falls is the same at any height, and its momentum changes."
)
_BRACKETS = (
    "The Poisson bracket of two conserved quantities is conserved, too. So they form a Lie algebra, the same as the "
    "symmetries that they generate."
)
_SPECTRUM = (
    "Defects of all functions of the library, smallest first: a law stands apart from what is not conserved. The line, "
    "where there is one, is delta, up to which a defect counts as zero."
)
_STAYS = (
    "Each conserved quantity less its mean along the run, in units of the swing of its terms. What is left is noise of "
    "the data, error of integration, and whatever the law leaves out."
)


def _head(found: ConservedQuantities) -> str:
    if not found.n_runs:
        return f"<p>Equations of {html.escape(', '.join(found.names))}.</p>"
    runs = f"{found.n_runs} run{'s' * (found.n_runs > 1)}"
    return f"<p>{runs}, {found.n_samples} samples of {html.escape(', '.join(found.names))}.</p>"


def _laws(found: ConservedQuantities) -> str:
    latex = html.escape("\n".join(rf"h_{{{i + 1}}} = {law.latex}" for i, law in enumerate(found.laws)))
    source = f"<details><summary>LaTeX</summary><pre>{latex}</pre></details>"
    return f"<div class='scroll'>{laws_mathml(found.laws)}</div>{_table(found.laws, 'h')}{source}"


def _table(laws: Sequence[Law], letter: str | None) -> str:
    rows = []
    for i, law in enumerate(laws):
        ratio = "-" if law.variance_ratio is None else float(law.variance_ratio)
        name = f"{letter}{i + 1}" if letter else "-"
        rows.append((name, law.text, float(law.defect), ratio, law.verdict))
    return table(("", "function", "defect", "within/total", "verdict"), rows)


def _drawn(found: ConservedQuantities, flow: Trajectories) -> tuple[list[str], dict[str, figures.Figure]]:
    """Cards with figures of the runs, and the figures."""
    runs = figures.drawn_runs(flow)
    labels = [str(flow.runs[at].label) for at in runs]
    cards, drawings = [], {}
    if found.laws:
        longest = max((flow.runs[at] for at in runs), key=lambda run: len(run.time))
        drawings["terms"] = figures.terms_figure(found.laws, longest)
        drawings["constants"] = figures.over_time_figure(found.laws, flow)
        note = f"Run {longest.label}. Grey: the terms of each law, less their means. Coloured: their sum, the law."
        label = "The terms of each law along one run, and their sum, which stays"
        cards.append(card("Terms move, their sum does not", plot("terms", label), note))
        label = "Each conserved quantity along each run, less its mean"
        cards.append(card("Conserved over time", chips(labels) + plot("constants", label), _STAYS))
    if len(found.names) > 1:
        where = _positions(found)
        drawings["orbits"] = figures.orbits_figure(flow, where)
        title = f"The runs in {', '.join(where)}"
        cards.append(card(title, chips(labels) + plot("orbits", title), wide=True))
    return cards, drawings


def _positions(found: ConservedQuantities) -> Sequence[str]:
    """Up to three coordinates to draw runs in: positions where they are declared."""
    declared = found.generators[0].phase_space.positions if found.generators else ()
    return (declared if len(declared) > 1 else found.names)[:3]


def _generators(found: ConservedQuantities, flow: Trajectories | None) -> str:
    units = None if flow is None else Units.of(flow.points)
    rows = [(f"h{i + 1}", one.law.text, one.text, words_of(one, units)) for i, one in enumerate(found.generators)]
    return table(("", "conserved", "symmetry that it generates", "what it does"), rows)


def _title(poisson: PoissonAlgebra) -> str:
    return "Their Poisson algebra" + (f": {poisson.structure.name}" if poisson.structure is not None else "")


def _algebra(poisson: PoissonAlgebra) -> str:
    structure, c = poisson.structure, poisson.constants
    words = "" if structure is None else f"<p>{html.escape(_meant(structure))}</p>"
    small = max(EXACT, 10 * poisson.defect) * float(np.abs(c).max(initial=0.0))
    rows = []
    for i, left in enumerate(poisson.labels):
        cells = [_combination(c[i, j], poisson.labels, small) for j in range(len(poisson.labels))]
        rows.append((left, *cells))
    reason = f"<p class='soft'>{html.escape(poisson.reason[:1].upper() + poisson.reason[1:])}.</p>"
    return words + table(("bracket", *poisson.labels), rows) + reason


def _meant(structure: Structure) -> str:
    """By its own name, which says of what parts it is, before one of its aliases."""
    return meaning(structure.name) or meaning(structure.name, structure)


def _combination(row: np.ndarray, labels: Sequence[str], small: float) -> str:
    terms = [(float(v), label) for v, label in zip(row, labels, strict=True) if abs(v) > small]
    return _signed_sum(terms, number, " ") if terms else "0"


def _open(found: ConservedQuantities) -> str:
    items = "".join(f"<li>{html.escape(words)}.</li>" for words in (*found.undecided, *found.notes))
    return f"<ul>{items}</ul>"


def _why(found: ConservedQuantities) -> str:
    steps = [(float(delta), count) for delta, count in found.path[:MOST_STEPS]]
    numbers = f"<details><summary>Numbers</summary>{table(('delta from', 'constants'), steps)}</details>"
    drawn = plot("spectrum", "Defects of all functions, smallest first") if len(found.spectrum) else ""
    return f"<p>{html.escape(found.reason[:1].upper() + found.reason[1:])}.</p>{drawn}{numbers}"
