"""``erlangen demo``: what the planets conserve, from real ephemeris data; or the equations of a known system."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from erlangen._errors import InputError, explain
from erlangen.cli._answer import Answer
from erlangen.cli._session import DataSettings, Session, command
from erlangen.cli.conserved import laws_of, library
from erlangen.cli.equations import fitted, of_equations

Body = Annotated[
    list[str] | None, typer.Option("--body", metavar="NAME", help="Use this planet only; repeatable (all by default).")
]

SystemName = Annotated[
    str | None, typer.Option("--system", metavar="NAME", help="Find the equations of a known system from noisy runs.")
]

NOISE, RUNS = 0.02, 4
"""Noise of a demonstration, as a share of the spread of each coordinate, and its runs."""

POSITIONS, MOMENTA = ("x", "y", "z"), ("vx", "vy", "vz")
INVERSE_DISTANCE = "1/sqrt(x**2+y**2+z**2)"


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "demo", "demo", 3)(demo)


def demo(session: Session, data: DataSettings, body: Body = None, system: SystemName = None) -> Answer:
    """What do the planets conserve? The data are JPL's; the command reads them as it reads a file of yours.

    The same answer, from any such file: erlangen conserved planets.csv --time t --group body
    --feature "1/sqrt(x**2+y**2+z**2)" --positions x,y,z --momenta vx,vy,vz

    With --system the equations of a known system, lorenz or hopf, are found from noisy runs of it.
    """
    # Before NumPy is loaded: on matrices this small, threads of the linear algebra only wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if system is not None:
        return _known(session, system, body)
    from erlangen.data import planets_path
    from erlangen.io import read_trajectories

    path = planets_path()
    session.progress.step(f"reading {path.name}")
    flow = read_trajectories(path, "t", "body", (*POSITIONS, *MOMENTA))
    if body:
        flow = flow.select(list(dict.fromkeys(name for part in body for name in _split(part))))
    session.note("Planets: heliocentric states from JPL's ephemeris DE421, 1900 to 2050", source="JPL DE421")
    return laws_of(session, flow, library(flow, 2, [INVERSE_DISTANCE]), (POSITIONS, MOMENTA), data, path)


def _known(session: Session, name: str, body: list[str] | None) -> Answer:
    """Equations of a known system from noisy runs; its terms that are no monomials are offered beside monomials."""
    from erlangen import systems
    from erlangen.dynamics import Equations
    from erlangen.fields.libraries import Expressions, Polynomial

    if body:
        what, given = "The planets are none of the known systems.", "--system and --body"
        raise InputError(explain(what, given=given, expected="one of them", fix="--system lorenz"))
    session.progress.step("simulating")
    system = systems.get(name)
    flow = system.trajectories(rng=session.settings.seed, n_runs=RUNS, noise=NOISE)
    session.note(
        f"{system}; {RUNS} runs of {len(flow.runs[0].time)} samples, noise {NOISE:.0%}",
        system=name,
        truth=system.equations(),
        samples=len(flow.points),
        runs=RUNS,
        noise=NOISE,
    )
    truth = Equations.from_text(system.equations())
    others = [text for text, powers in zip(truth.terms, truth.powers, strict=True) if powers is None]
    library = Polynomial(3 if system.dim < 4 else 2)
    model = fitted(session, flow, library + Expressions(*others) if others else library, {}, None)
    return of_equations(model, flow)


def _split(text: str) -> list[str]:
    return [name.strip().lower() for name in text.split(",")]
