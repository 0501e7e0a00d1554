"""A failure as JSON: with ``--json`` stdout holds one document, whatever happens."""

from __future__ import annotations

import json
import re
from typing import Any

from erlangen._errors import ErlangenError, MissingExtraError
from erlangen.cli._console import say_json

_PARTS = re.compile(r"^  (given|expected|fix): +", re.MULTILINE)


def say_failure(command: str, error: BaseException, message: str) -> None:
    """Print the document of a failure.

    Parameters
    ----------
    command : str
        What was to be done; empty where the line was not understood.
    error : BaseException
        What was raised.
    message : str
        What is said about it, in the form of `erlangen._errors.explain`.
    """
    from erlangen import __version__
    from erlangen.cli._schema import VERSION

    head = {"schema": VERSION, "erlangen": __version__, "command": command, "answered": False, "why_not": message}
    told = {"type": _type(error)} | _parts(message)
    say_json(json.dumps(head | {"kind": "error", "error": told}, indent=2, ensure_ascii=False))


def _type(error: Any) -> str:
    """Whose turn it is."""
    kinds = {
        KeyboardInterrupt: "interrupted",
        MissingExtraError: "extra",
        ErlangenError: "input",
        MemoryError: "memory",
        OSError: "system",
    }
    if callable(getattr(error, "format_message", None)):
        return "usage"
    return next((name for kind, name in kinds.items() if isinstance(error, kind)), "unexpected")


def _parts(message: str) -> dict[str, str | None]:
    what, *rest = _PARTS.split(message)
    told = {name: text.strip() for name, text in zip(rest[::2], rest[1::2])}
    return {"what": what.strip()} | {name: told.get(name) for name in ("given", "expected", "fix")}
