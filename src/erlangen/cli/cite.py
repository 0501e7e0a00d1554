"""``erlangen cite``: the papers behind what was used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erlangen._errors import InputError, explain
from erlangen.cli._answer import Answer
from erlangen.cli._session import Session, command

if TYPE_CHECKING:
    from erlangen.reports.citation import Citation

What = Annotated[
    str | None,
    typer.Argument(metavar="[WHAT]", help="A name, as SINDy, discover or held-out; or a .json file of --out."),
]
Bibtex = Annotated[bool, typer.Option("--bibtex", help="Print entries for a .bib file.")]

NAMES = {
    "symmetry": "Symmetry",
    "conserved": "ConservedQuantities",
    "equations": "SINDy",
    "algebra": "Structure",
}
"""What answered, by the kind of an answer; a certificate is cited by its mode."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "cite", "cite", 1)(cite)


def cite(session: Session, what: What = None, bibtex: Bibtex = False) -> Answer:
    """Papers behind a function, a class, a mode of certificates, or an answer in a file; erlangen's own by default."""
    from erlangen.reports.citation import citation

    session.progress.step("looking up papers")
    found = citation(_read(Path(what)) if what is not None and what.lower().endswith(".json") else what)
    return _stated(found, bibtex)


def _stated(found: Citation, bibtex: bool) -> Answer:
    verdict = f"{len(found.entries)} references for {found.what}"
    text = found.bibtex.rstrip() if bibtex else str(found)
    data = found.to_dict() | {"verdict": verdict}
    return Answer(verdict, text, data, found._repr_html_(), "", {})


def _read(path: Path) -> str:
    """Name of what answered, from the file of an answer."""
    import json

    try:
        stored: Any = json.loads(path.expanduser().read_text(encoding="utf-8"))
        kind = stored["kind"]
        return stored["mode"] if kind == "certificate" else NAMES[kind]
    except (ValueError, KeyError, TypeError) as error:
        what, fix = "This is no answer that rests on papers.", "erlangen discover function FILE --out answer.json"
        expected = f"a file of --out: {', '.join(NAMES)} or certificate"
        raise InputError(explain(what, given=str(path), expected=expected, fix=fix)) from error
