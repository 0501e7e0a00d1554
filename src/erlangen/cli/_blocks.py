"""Tables that are read block by block, in this process or on Dask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from erlangen._errors import InputError, explain, nearest
from erlangen.cli._session import DATA

if TYPE_CHECKING:
    from erlangen.blocks import AbstractEngine

ENGINES = ("memory", "serial", "dask")

Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="memory (files), serial (folders and .zarr: block by block), or dask (many blocks at a time).",
        rich_help_panel=DATA,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="A running Dask cluster, tcp://host:8786; by default one is started on this machine.",
        rich_help_panel=DATA,
    ),
]


def chosen_engine(file: Path, engine: str | None, scheduler: str | None) -> str:
    """Name of the engine that a table is read with: what was asked for, else what its path implies.

    Raises
    ------
    InputError
        Where there is no such engine, or a scheduler is named for another one than Dask.
    """
    if engine is None:
        engine = "dask" if scheduler is not None else "serial" if file.is_dir() else "memory"
    if engine not in ENGINES:
        what, fix = "There is no such engine.", f"--engine {nearest(engine, ENGINES) or 'dask'}"
        raise InputError(explain(what, given=f"--engine {engine}", expected=", ".join(ENGINES), fix=fix))
    if scheduler is not None and engine != "dask":
        what, given = "Only Dask has a scheduler.", f"--engine {engine} --scheduler {scheduler}"
        raise InputError(explain(what, given=given, expected="--engine dask", fix="--engine dask"))
    if engine == "memory" and file.is_dir():
        what, given = "A folder is read block by block.", f"--engine memory for {file.name}"
        raise InputError(explain(what, given=given, expected="serial or dask", fix="--engine serial"))
    return engine


@contextmanager
def running(engine: str, scheduler: str | None) -> Iterator[AbstractEngine]:
    """Run an engine while the block lasts.

    Raises
    ------
    InputError
        Where no cluster answers at the address.
    MissingExtraError
        Where Dask is not installed.
    """
    from erlangen.blocks import SerialEngine, connected, local_cluster

    if engine != "dask":
        yield SerialEngine()
        return
    with local_cluster() if scheduler is None else connected(scheduler) as found:
        yield found
