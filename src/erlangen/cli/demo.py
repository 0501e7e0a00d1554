"""``erlangen demo``: what the planets conserve, from real ephemeris data."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from erlangen.cli._answer import Answer
from erlangen.cli._session import DataSettings, Session, command
from erlangen.cli.conserved import laws_of, library

Body = Annotated[
    list[str] | None, typer.Option("--body", metavar="NAME", help="Use this planet only; repeatable (all by default).")
]

POSITIONS, MOMENTA = ("x", "y", "z"), ("vx", "vy", "vz")
INVERSE_DISTANCE = "1/sqrt(x**2+y**2+z**2)"


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "demo", "demo", 2)(demo)


def demo(session: Session, data: DataSettings, body: Body = None) -> Answer:
    """What do the planets conserve? The data are JPL's; the command reads them as it reads a file of yours.

    The same answer, from any such file: erlangen conserved planets.csv --time t --group body
    --feature "1/sqrt(x**2+y**2+z**2)" --positions x,y,z --momenta vx,vy,vz
    """
    # Before NumPy is loaded: on matrices this small, threads of the linear algebra only wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from erlangen.data import planets_path
    from erlangen.io import read_trajectories

    path = planets_path()
    session.progress.step(f"reading {path.name}")
    flow = read_trajectories(path, "t", "body", (*POSITIONS, *MOMENTA))
    if body:
        flow = flow.select(list(dict.fromkeys(name for part in body for name in _split(part))))
    session.note("Planets: heliocentric states from JPL's ephemeris DE421, 1900 to 2050", source="JPL DE421")
    return laws_of(session, flow, library(flow, 2, [INVERSE_DISTANCE]), (POSITIONS, MOMENTA), data, path)


def _split(text: str) -> list[str]:
    return [name.strip().lower() for name in text.split(",")]
