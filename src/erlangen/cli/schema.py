"""``erlangen schema [COMMAND]``: what ``--json`` prints, as JSON Schema."""

from __future__ import annotations

from typing import Annotated

import typer

from erlangen._errors import InputError, explain, nearest
from erlangen.cli._console import say, say_json
from erlangen.cli._schema import COMMANDS, schema_of


def _complete(incomplete: str) -> list[str]:
    return [name for name in COMMANDS if name.startswith(incomplete)]


Command = Annotated[
    list[str] | None,
    typer.Argument(metavar="[COMMAND]", help="As discover function (all by default).", autocompletion=_complete),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print tables of all keys instead.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("schema")(schema)


def schema(command: Command = None, markdown: Markdown = False) -> None:
    """Print the JSON Schema (draft 2020-12) of what a command prints with --json.

    Every document has the keys "schema" (version of the format), "kind", "command", "answered" and "why_not".
    """
    import json

    if markdown:
        from erlangen.cli._schema_page import tables

        say(tables().rstrip())
        return
    name = " ".join(command or []) or None
    if name is not None and name not in COMMANDS:
        close = nearest(name, COMMANDS)
        what = "There is no such command, or it prints no JSON."
        fix = f"erlangen schema {close}" if close else "erlangen schema"
        raise InputError(explain(what, given=name, expected=", ".join(COMMANDS), fix=fix))
    say_json(json.dumps(schema_of(name), indent=2))
