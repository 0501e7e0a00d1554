"""Which page tells of which result: a story, and the table that finds the module that writes it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from erlangen._errors import InputError, explain
from erlangen.reports._figures import Figure

HOMES = {
    "symmetry": ("Symmetry",),
    "evidence": ("Certificate", "DefectMap"),
    "conserved": ("ConservedQuantities",),
    "dynamics": ("SINDy", "SymbolicRegression", "Equations"),
    "algebra": ("Structure", "LieAlgebra"),
    "undecided": ("UndecidedError",),
    "enforced": ("AbstractSubspace",),
    "promoted": ("Promoted", "Selected", "SymmetryPromotingRegressor"),
}
"""Module in this folder, and the classes whose objects it tells of; each has ``story(result, data)``."""

_HOME_OF = {name: home for home, names in HOMES.items() for name in names}


@dataclass(frozen=True)
class Story:
    """What a page says of one result.

    Attributes
    ----------
    verdict : str
        One sentence in plain text, the first that is read.
    cards : sequence of str
        HTML of the cards, in order; see `erlangen.reports._page.card`.
    figures : mapping of str to figure
        Figures by the name of the place that they are drawn in.
    scripts : sequence of str
        Scripts that run once the figures are known to the page.
    title : str
        Title of the page, where none is given.
    head : str
        HTML between the verdict and the cards.
    styles : sequence of str
        CSS of the cards.
    """

    verdict: str
    cards: Sequence[str]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    scripts: Sequence[str] = ()
    title: str = ""
    head: str = ""
    styles: Sequence[str] = ()


def story_of(result: Any, data: Any = None) -> Story:
    """Return the story of a result; the module that tells it is imported on first use.

    Raises
    ------
    InputError
        Where no module tells of such an object.
    """
    return importlib.import_module(f"erlangen.reports.{home_of(result)}").story(result, data)


def home_of(result: Any) -> str:
    """Name of the module that tells of an object: that of its class, or of the nearest base class with one."""
    for kind in type(result).__mro__:
        if kind.__name__ in _HOME_OF and kind.__module__.partition(".")[0] == "erlangen":
            return _HOME_OF[kind.__name__]
    raise InputError(
        explain(
            "There is no report of this object.",
            given=f"an object of type {type(result).__name__}",
            expected=f"one of {', '.join(name.removeprefix('Abstract') for name in _HOME_OF)}",
            fix='er.report(er.discover(...), "report.html")',
        )
    )
