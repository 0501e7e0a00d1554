"""The two ways in which erlangen says no, and the sentence that teaches.

Every error names what was given, what was expected and the line that fixes it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ErlangenError(Exception):
    """Base of every error that erlangen raises on purpose."""


class InputError(ErlangenError, ValueError):
    """The input cannot be used as it stands (command line: exit code 2)."""


class UndecidedError(ErlangenError):
    """The input is valid, but no answer follows from it (command line: exit code 1)."""


class MissingExtraError(ErlangenError, ImportError):
    """An optional package is needed (command line: exit code 2)."""


def explain(what: str, *, given: str, expected: str, fix: str) -> str:
    """Compose the message of an error from its four parts.

    Parameters
    ----------
    what : str
        One line: what went wrong.
    given : str
        What was given, with its shape.
    expected : str
        What was expected.
    fix : str
        The line that mends it.

    Returns
    -------
    str
        A message of four lines.
    """
    return f"{what}\n  given:    {given}\n  expected: {expected}\n  fix:      {fix}"


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """Return the choice closest to a misspelt name, or None where none is close."""
    known = [str(c) for c in choices]
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)  # difflib's own default
    starts = [c for c in close if c and name[:2].lower() == c[:2].lower()]
    return (starts or close or [None])[0]
