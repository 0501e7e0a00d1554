"""The page of an answer: what a command was asked, what it read, and what came of it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from erlangen.cli._answer import Answer, page

if TYPE_CHECKING:
    from erlangen.cli._session import Session
    from erlangen.reports.provenance import Provenance


def can_draw() -> bool:
    """Whether a page with figures can be written."""
    return find_spec("plotly") is not None


def check_can_draw() -> None:
    """Refuse a page before any work is done; what draws is not imported where it is there."""
    if not can_draw():
        from erlangen.reports._page import plotly_js

        plotly_js()


def write_report(session: Session, answer: Answer, path: Path) -> None:
    """Write the page of an answer; without figures where nothing can draw them."""
    force, title = session.settings.force, _title(session, answer)
    if answer.subject is None or not can_draw():
        from erlangen._files import write_text

        write_text(path, page(title, "; ".join(session.remarks), answer), force)
        return
    from erlangen.reports import report

    report(answer.subject, path, data=answer.source, title=title, provenance=_provenance(session), force=force)


def _title(session: Session, answer: Answer) -> str:
    """What kind of page this is, and of which file or system."""
    of = session.facts.get("system") or Path(next(iter(session.inputs), "")).stem
    return f"{answer.heading}: {of}" if of else answer.heading


def _provenance(session: Session) -> Provenance:
    from erlangen.reports.provenance import provenance_of

    samples = session.facts.get("samples")
    return provenance_of(
        command=session.words,
        seed=session.settings.seed,
        files=session.inputs,
        about="" if samples is None else f"{samples} samples were used",
        remarks=session.remarks,
        warnings=session.warnings,
    )
