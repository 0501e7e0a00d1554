"""Long loops show how far they are, and keep what they have when they are stopped.

A bar appears after `PATIENCE` seconds, on a terminal or in a notebook; elsewhere nothing is shown. `progress`
chooses another bar, or none, for what runs inside its block. `keeping` turns Ctrl-C into `Interrupted`, which
carries the result so far.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from erlangen._errors import ErlangenError, Interrupted, steps_text

T = TypeVar("T")
Bar = Callable[..., Iterable[Any]]
"""What tqdm is: called with items, ``desc`` and ``total``, it is iterated over in place of the items."""

PATIENCE = 2.0
"""Seconds of work after which a person wants to see that something happens."""

_CHOSEN: ContextVar[tuple[Bar | None] | None] = ContextVar("erlangen_progress", default=None)


@contextmanager
def progress(bar: Bar | None) -> Iterator[None]:
    """Choose how long work shows its progress inside a ``with`` block.

    Parameters
    ----------
    bar : callable or None
        ``tqdm`` or anything that is called like it, ``bar(items, desc=label, total=count)``, and gives the items
        back one by one; ``total`` is None where the count is not known. None shows nothing.

    Yields
    ------
    None
        Inside the block, work shows its progress so.

    Examples
    --------
    >>> import erlangen as er
    >>> def dots(items, desc, total):
    ...     for item in items:
    ...         print(desc, item, "of", total)
    ...         yield item
    >>> with er.progress(dots):
    ...     squares = [i**2 for i in track(range(1, 3), "squares")]
    squares 1 of 2
    squares 2 of 2
    """
    token = _CHOSEN.set((bar,))
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def track(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Iterate over items, showing how far the work is.

    Parameters
    ----------
    items : iterable
        What the loop goes over.
    label : str
        Two or three words that say what is done.
    total : int, optional
        Count of the items, where ``len(items)`` does not tell.
    """
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # pyright: ignore[reportArgumentType]
    chosen = _CHOSEN.get()
    if chosen is not None:
        return iter(items if chosen[0] is None else chosen[0](items, desc=label, total=total))
    if _is_worker() or not (in_notebook() or _on_terminal()):
        return iter(items)
    return iter(_own_bar()(items, desc=label, total=total, delay=PATIENCE, leave=False))


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this; IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell is not None and hasattr(shell, "kernel")


def _on_terminal() -> bool:
    isatty = getattr(sys.stderr, "isatty", None)  # stderr is None in a program without a console
    return isatty is not None and isatty()


def _is_worker() -> bool:
    """Whether another process started this one as its worker: it shares the terminal, and shows progress itself."""
    processes = sys.modules.get("multiprocessing")
    return processes is not None and processes.parent_process() is not None


def _own_bar() -> Bar:
    import warnings

    with warnings.catch_warnings():  # without ipywidgets tqdm draws its bar in characters, and says so
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm


@dataclass
class Kept:
    """What work has done so far; the loop writes it, `keeping` reads it."""

    partial: Callable[[str], Any] | None = None
    """Makes the result of what has been done, with a note that it is partial; None while there is none."""
    done: int = 0
    total: int | None = None

    @property
    def note(self) -> str:
        """What a partial result says of itself."""
        return partial_note(self.done, self.total)

    def keep(self, partial: Callable[[str], Any], done: int) -> None:
        """Say how to make a result of the steps done so far, from a note, should the work be stopped now."""
        self.partial, self.done = partial, done


def partial_note(done: int, total: int | None) -> str:
    """What a partial result says of itself.

    Examples
    --------
    >>> partial_note(2, 5)
    'partial: the work was stopped after 2 of 5 steps'
    """
    return f"partial: the work was stopped after {steps_text(done, total)}"


@contextmanager
def keeping(work: str, total: int | None = None) -> Iterator[Kept]:
    """Raise `Interrupted` with the result so far when the block is stopped by Ctrl-C.

    Where nothing is done yet, the KeyboardInterrupt passes. A block inside another one keeps a part of the
    outer result, so the outer block answers.

    Parameters
    ----------
    work : str
        What is done, as the message names it.
    total : int, optional
        Count of the steps.

    Examples
    --------
    >>> found = []
    >>> try:
    ...     with keeping("squares", total=5) as kept:
    ...         for i in range(5):
    ...             if i == 2:
    ...                 raise KeyboardInterrupt
    ...             found.append(i**2)
    ...             kept.keep(lambda note: [note, *found], len(found))
    ... except Interrupted as stop:
    ...     print(stop.partial)
    ['partial: the work was stopped after 2 of 5 steps', 0, 1]
    """
    kept = Kept(total=total)
    try:
        yield kept
    except KeyboardInterrupt as stop:
        make = kept.partial
        if make is None:
            raise _without_result(work) from stop
        raise _with_result(work, lambda: make(kept.note), kept.done, kept.total) from None


@contextmanager
def carried(kind: type[T], convert: Callable[[T, str], Any]) -> Iterator[None]:
    """Make of the partial result of work inside the block one of the work around it.

    Parameters
    ----------
    kind : type
        Of the result inside; a partial result of another kind, from deeper down, is of no use here.
    convert : callable
        Makes the outer result, of the inner one and the note that it is partial.
    """
    try:
        yield
    except Interrupted as stop:
        inner, work, done, total = stop.partial, stop.work, stop.done, stop.total
        if not isinstance(inner, kind):
            raise _without_result(work) from stop
        raise _with_result(work, lambda: convert(inner, partial_note(done, total)), done, total) from None


def _with_result(work: str, make: Callable[[], Any], done: int, total: int | None) -> KeyboardInterrupt:
    try:
        return Interrupted(work, make(), done, total)
    except ErlangenError:  # too little was done to be a result
        return _without_result(work)


def _without_result(work: str) -> KeyboardInterrupt:
    return KeyboardInterrupt(f"stopped during {work}, before there was a result to keep")
