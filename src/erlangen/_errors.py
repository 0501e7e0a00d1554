"""The two ways in which erlangen says no, and the sentence that teaches.

Every error names what was given, what was expected and the line that fixes it.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
import warnings
from collections.abc import Iterable
from typing import Any

_PASSED = (os.path.dirname(os.path.abspath(__file__)) + os.sep, contextlib.__file__)
"""Files whose lines are not the user's."""


class ErlangenError(Exception):
    """Base of every error that erlangen raises on purpose."""


class InputError(ErlangenError, ValueError):
    """The input cannot be used as it stands (command line: exit code 2)."""


class UndecidedError(ErlangenError):
    """The input is valid, but no answer follows from it (command line: exit code 1)."""


class MissingExtraError(ErlangenError, ImportError):
    """An optional package is needed (command line: exit code 2)."""


class Interrupted(KeyboardInterrupt):
    """Long work was stopped by Ctrl-C, and what it had done is kept.

    It is a KeyboardInterrupt, so that ``except Exception`` does not swallow it; where nobody catches it, a program ends
    with exit code 1. In a notebook or at the Python prompt, ``sys.last_value.partial`` is the result after the cell was
    stopped.

    Parameters
    ----------
    work : str
        What was being done.
    partial : object
        The result of what was done: of the type that the whole work returns, with a note that it is partial.
    done : int
        Steps that were done.
    total : int, optional
        Steps there would have been, where that is known.

    Examples
    --------
    >>> try:
    ...     raise Interrupted("fits", ["first fit"], done=1, total=9)
    ... except Interrupted as stop:
    ...     print(stop.partial, stop.done, stop.total)
    ['first fit'] 1 9
    """

    work: str
    partial: Any
    done: int
    total: int | None

    def __init__(self, work: str, partial: Any, done: int, total: int | None = None) -> None:
        super().__init__(work, partial, done, total)  # all of them: an exception is copied by its arguments
        self.work, self.partial, self.done, self.total = work, partial, done, total

    def __str__(self) -> str:
        kind = type(self.partial).__name__
        return (
            f"{self.work} was stopped after {steps_text(self.done, self.total)}. What was done is kept, a {kind}.\n"
            "In a notebook or at the prompt:\n"
            "  import sys; result = sys.last_value.partial\n"
            "In a program:\n"
            "  except erlangen.Interrupted as stop: result = stop.partial"
        )


def steps_text(done: int, total: int | None) -> str:
    """How far work came.

    Examples
    --------
    >>> steps_text(2, 5), steps_text(2, None)
    ('2 of 5 steps', '2 steps')
    """
    return f"{done} steps" if total is None else f"{done} of {total} steps"


class ErlangenWarning(UserWarning):
    """Base of every warning that erlangen gives: what happened, and what to do next.

    Examples
    --------
    Turn warnings of erlangen, and no others, into errors:

    >>> import warnings
    >>> import erlangen as er
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", er.ErlangenWarning)
    """


def warn(what: str, *, fix: str, category: type[ErlangenWarning] = ErlangenWarning) -> None:
    """Give a warning that points at the line of the user, however deep in erlangen it arises.

    Parameters
    ----------
    what : str
        What happened, in a sentence.
    fix : str
        What to do next.
    category : type
        The kind of warning.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PASSED):
        frame, level = frame.f_back, level + 1
    warnings.warn(f"{what}\n  fix: {fix}", category, stacklevel=level)


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
