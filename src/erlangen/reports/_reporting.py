"""``er.report``: one page of any result, in one file."""

from __future__ import annotations

import html
from os import PathLike
from pathlib import Path
from typing import Any

from erlangen._files import check_target, write_text
from erlangen.reports._page import check_title, page, plotly_js
from erlangen.reports._story import home_of, story_of
from erlangen.reports.provenance import provenance_of


def report(
    result: Any,
    path: str | PathLike[str],
    *,
    data: Any = None,
    title: str = "",
    provenance: Any = None,
    force: bool = False,
) -> Path:
    """Write a page on a result that can be sent to anybody: one file that needs no network and no other file.

    Parameters
    ----------
    result : Symmetry, Certificate, ConservedQuantities, fitted SINDy, Structure, subspace of enforce, Promoted, ...
        What a verb returned.
    path : path
        The file to write, ``.html``.
    data : optional
        What the result was found from, where the page shows it: the trajectories of fitted equations, the family
        that a subspace is of.
    title : str
        Title of the page; by default it says what kind of result this is.
    provenance : Provenance, optional
        Versions, seed, command and data; by default what can be said without knowing the call. See
        `erlangen.reports.provenance`.
    force : bool
        Overwrite an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        Where the file exists, or there is no report of such an object.
    MissingExtraError
        Where Plotly is not installed.

    Examples
    --------
    >>> import erlangen as er
    >>> from tempfile import TemporaryDirectory
    >>> sym = er.discover(lambda x: (x**2).sum(axis=1), samples=er.Samples.box(-1, 1, dim=3))
    >>> with TemporaryDirectory() as folder:
    ...     page = er.report(sym, Path(folder) / "symmetry.html")
    ...     "so(3)" in page.read_text(encoding="utf-8")
    True
    """
    home_of(result)  # refused before any work
    check_title(title)
    plotly_js()
    check_target(path, force)
    return write_text(path, report_html(result, data=data, title=title, provenance=provenance), force)


def report_html(result: Any, *, data: Any = None, title: str = "", provenance: Any = None) -> str:
    """Return the page of `report` as text.

    Parameters
    ----------
    result : object
        As for `report`.
    data : object, optional
        As for `report`.
    title : str
        Heading of the page.
    provenance : Provenance, optional
        As for `report`.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    story = story_of(result, data)
    source = provenance_of(result, data) if provenance is None else provenance
    cards = [*source.warned(), *story.cards, source.card()]
    head = f"<p class='verdict'>{html.escape(story.verdict)}</p>{story.head}"
    return page(title or story.title or "Report", cards, story.figures, head, story.scripts, story.styles)
