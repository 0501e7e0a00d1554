"""The story of a symmetry: what it is called, what it means, what it moves, and how sure that is."""

from __future__ import annotations

from typing import Any

from erlangen.reports._page import card, table
from erlangen.reports._story import Story
from erlangen.reports.evidence import evidence_cards
from erlangen.verbs import Symmetry


def story(symmetry: Symmetry, data: Any = None) -> Story:
    """Return what a page says of a symmetry."""
    rows = [(row["generator"], float(row["defect"]), row["verdict"], row["reason"]) for row in symmetry.table()]
    cards = [card("Generators", table(("generator", "defect", "verdict", "reason"), rows), wide=True)]
    figures: dict[str, Any] = {}
    if symmetry.certificate is not None:
        more, figures = evidence_cards(symmetry)
        cards += more
    return Story(symmetry.verdict, cards, figures, title="Symmetry report")
