"""What erlangen does while it works, for ``--debug`` and ``--log-file``: lines on stderr, or in a file.

The library itself logs to ``logging.getLogger("erlangen...")`` at level DEBUG and attaches no handler.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from erlangen.cli._console import printable


class Timed(logging.Formatter):
    """A line with the seconds since the command began, and since the line before.

    Parameters
    ----------
    stream : file
        Where the line goes: what its encoding lacks, and what could steer a terminal, is escaped.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._stream, self._start = stream, time.time()
        self._before = self._start

    def format(self, record: logging.LogRecord) -> str:
        since, self._before = record.created - self._before, record.created
        text = f"debug {record.created - self._start:8.3f} s (+{since:.3f}) {record.name}: {record.getMessage()}"
        return printable(text, self._stream or sys.stderr)


@contextmanager
def logged(wanted: bool, file: Path | None = None) -> Iterator[None]:
    """Show what is logged inside the block, on stderr where wanted, and append it to a file where one is named.

    Raises
    ------
    OSError
        Where the file cannot be written.
    """
    handlers = [_to_screen()] if wanted else []
    if file is not None:
        handlers.append(_to_file(file))
    logger = logging.getLogger("erlangen")
    level = logger.level
    if handlers:
        logger.setLevel(logging.DEBUG)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
        logger.debug("done")
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(level)


def _to_screen() -> logging.Handler:
    """Style on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        handler: logging.Handler = logging.StreamHandler(sys.stderr)
    else:
        from rich.console import Console
        from rich.logging import RichHandler

        options: dict[str, Any] = {"show_time": False, "show_level": False, "show_path": False, "markup": False}
        handler = RichHandler(console=Console(file=sys.stderr), highlighter=None, **options)
    handler.setFormatter(Timed(sys.stderr))
    return handler


def _to_file(file: Path) -> logging.Handler:
    handler = logging.FileHandler(file.expanduser(), mode="a", encoding="utf-8")
    handler.setFormatter(Timed(handler.stream))
    return handler
