"""The story of a Lie algebra: its name, what it means, what it is made of, and what else was compared."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from erlangen._render import _signed_sum, number
from erlangen._typing import NDArray
from erlangen.algebra import LieAlgebra, Structure
from erlangen.reports._figures import Figure, _layout
from erlangen.reports._meaning import facts, meaning
from erlangen.reports._page import card, plot, table
from erlangen.reports._story import Story

MOST_LISTED = 8
"""Dimension up to which all brackets are listed."""


def story(found: Structure | LieAlgebra, data: Any = None) -> Story:
    """Return what a page says of a Lie algebra.

    Parameters
    ----------
    found : Structure or LieAlgebra
        What `erlangen.identify` returned; or an algebra, which is identified.
    data : LieAlgebra, optional
        The algebra of a structure, whose constants are shown.
    """
    algebra = found if isinstance(found, LieAlgebra) else data if isinstance(data, LieAlgebra) else None
    structure = found if isinstance(found, Structure) else found.identify()
    words = meaning(structure.name) or meaning(structure.name, structure)
    cards = [card(f"What {structure.name} is", f"<p>{html.escape(words)}</p>{table(('', ''), facts(structure))}")]
    drawings: dict[str, Figure] = {}
    cards.append(card("How it was told", _told(structure), wide=not algebra))
    if algebra is not None:
        c = algebra.structure_constants
        drawings["constants"] = constants_figure(c)
        cards.append(
            card(
                "Structure constants",
                plot("constants", "Sizes of the brackets of all pairs of generators") + _brackets(c),
                _CONSTANTS,
                wide=True,
            )
        )
    plural = "s" * (structure.dim != 1)
    verdict = f"These {structure.dim} generator{plural} form {structure.name}." if structure.dim else "Nothing moves."
    return Story(verdict, cards, drawings, title="Lie algebra")


_CONSTANTS = (
    "The brackets [e_i, e_j] of the generators in the order in which they were given, as combinations of these. Each "
    "square is one bracket; its colour is the size of the largest part."
)


def constants_figure(c: NDArray) -> Figure:
    """Sizes of all brackets: rows and columns are generators."""
    names = [f"e{k + 1}" for k in range(len(c))]
    sizes = np.abs(c).max(axis=2, initial=0.0)
    trace = {"type": "heatmap", "z": sizes, "x": names, "y": names, "name": "size", "meta": {"role": "heat", "run": 0}}
    layout = _layout(min(120 + 34 * len(c), 560))
    layout |= {
        "xaxis": {"title": {"text": "with"}},
        "yaxis": {"title": {"text": "bracket of"}, "autorange": "reversed"},
    }
    return {"data": [trace], "layout": layout}


def _told(structure: Structure) -> str:
    lines = [structure.certificate, f"margin of the least clear decision: {number(structure.margin, 3)}"]
    if structure.noise:
        lines.append(f"relative error of each generator: {number(structure.noise, 2)}")
    body = "".join(f"<p>{html.escape(line[:1].upper() + line[1:])}.</p>" for line in lines if line)
    if not structure.alternatives:
        return body
    rows = [
        (other.name, float(other.rms), float(other.chi2), other.dof, "accepted" if other.accepted else "rejected")
        for other in structure.alternatives
    ]
    return body + table(("compared with", "r.m.s. distance", "chi2", "conditions", ""), rows)


def _brackets(c: NDArray) -> str:
    p = len(c)
    if p > MOST_LISTED:
        return ""
    names, small = [f"e{k + 1}" for k in range(p)], 1e-9 * float(np.abs(c).max(initial=0.0))
    return table(
        ("bracket", *names), [(names[i], *(_combination(c[i, j], names, small) for j in range(p))) for i in range(p)]
    )


def _combination(row: NDArray, labels: Sequence[str], small: float) -> str:
    terms = [(float(v), label) for v, label in zip(row, labels, strict=True) if abs(v) > small]
    return _signed_sum(terms, number, " ") if terms else "0"
