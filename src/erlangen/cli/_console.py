"""Where text goes: answers to stdout, everything else to stderr, and nothing in it can steer a terminal."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from erlangen._progress import PATIENCE

_log = logging.getLogger("erlangen.cli")


def printable(text: str, stream: TextIO) -> str:
    r"""Escape control characters, and characters that the stream cannot encode.

    Examples
    --------
    >>> import sys
    >>> printable("red: \x1b[31m", sys.stdout)
    'red: \\x1b[31m'
    """
    visible = "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return visible.encode(encoding, "backslashreplace").decode(encoding)


def say(text: str, stream: TextIO | None = None, style: str = "") -> None:
    """Print text; on a terminal its first line is set in a style."""
    screen: TextIO = stream or sys.stdout  # looked up now: whoever called may have replaced it
    clean = printable(text, screen)
    if not style or not screen.isatty():
        screen.write(clean + "\n")
        screen.flush()
        return
    from rich.console import Console
    from rich.text import Text

    first, _, rest = clean.partition("\n")
    styled = Text(first, style=style).append("\n" + rest if rest else "", style="none")
    Console(file=screen).print(styled, soft_wrap=True)  # a Text: brackets in it are no markup


def say_json(text: str) -> None:
    """Print JSON; where stdout is not in UTF-8, other characters are written as escapes."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=2)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Progress:
    """A bar on stderr, shown once the work has taken `PATIENCE` seconds.

    Parameters
    ----------
    wanted : bool
        Whether there is somebody to look at it.
    steps : int
        Number of steps of the work.
    """

    def __init__(self, wanted: bool, steps: int) -> None:
        self._steps, self._done, self._label = steps, -1, "starting"
        self._bar: Any = None
        self._lock = threading.RLock()  # a loop may be closed while it is held
        self._timer = threading.Timer(PATIENCE, self._show) if wanted else None

    def step(self, label: str) -> None:
        """Begin the next step."""
        _log.debug("%s", label)
        with self._lock:
            self._done, self._label = self._done + 1, label
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=self._done, description=label)

    def inner(self, items: Iterable[Any], desc: str, total: int | None) -> Iterator[Any]:
        """Go over items as tqdm does, with a line of their own below the step."""
        if self._timer is None:
            yield from items
            return
        task, shown = None, None
        try:
            for count, item in enumerate(items):
                with self._lock:
                    if self._bar is not None and task is None:
                        shown, task = self._bar, self._bar.add_task(f"  {desc}", total=total)
                    if shown is not None:
                        shown.update(task, completed=count)
                yield item
        finally:
            with self._lock:
                if shown is not None and shown is self._bar:
                    shown.remove_task(task)

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        with self._lock:
            if self._timer is None:  # the work ended meanwhile
                return
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task(self._label, total=self._steps, completed=max(self._done, 0))
            self._bar.start()

    @contextmanager
    def running(self) -> Iterator[Progress]:
        """Show progress inside the block, and take it away afterwards."""
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        try:
            yield self
        finally:
            with self._lock:
                timer, self._timer = self._timer, None
                if timer is not None:
                    timer.cancel()
                if self._bar is not None:
                    self._bar.stop()
