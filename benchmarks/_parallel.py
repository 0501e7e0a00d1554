"""The same measurement of many things, on all cores, results in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST = 4
"""Processes at most: each holds its data."""


def each(measure: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield `measure(item)` for each item, from as many processes as there are cores, each on one thread."""
    workers = min(MOST, os.cpu_count() or 1, len(items))
    if workers < 2:
        yield from map(measure, items)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        yield from pool.map(measure, items)


_limits: list[Any] = []


def _one_thread() -> None:
    from benchmarks.promote import one_thread

    context = one_thread()
    context.__enter__()
    _limits.append(context)  # it lasts as long as the process
