"""``erlangen conserved``: what trajectories conserve."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING, Annotated

import typer

from erlangen._errors import InputError, explain
from erlangen.cli._answer import Answer
from erlangen.cli._names import names, shown
from erlangen.cli._session import DATA, DataSettings, Session, command
from erlangen.cli.discover import Control, File, Group, State, Time

if TYPE_CHECKING:
    from pathlib import Path

    from erlangen.fields.libraries import AbstractLibrary
    from erlangen.fields.trajectories import Trajectories

Degree = Annotated[
    int, typer.Option("--degree", min=0, max=100, help="Highest degree of monomials; 0 for none.", rich_help_panel=DATA)
]
Feature = Annotated[
    list[str] | None,
    typer.Option("--feature", metavar="EXPR", help="A formula in the columns, as 1/sqrt(x**2+y**2); repeatable."),
]
Positions = Annotated[list[str] | None, typer.Option("--positions", metavar="COLUMNS", help="Positions: x,y,z")]
Momenta = Annotated[
    list[str] | None, typer.Option("--momenta", metavar="COLUMNS", help="Momenta conjugate to them: vx,vy,vz")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "conserved", "conserved", 2)(conserved)


def conserved(
    session: Session,
    file: File,
    data: DataSettings,
    time: Time,
    group: Group = None,
    state: State = None,
    control: Control = None,
    degree: Degree = 2,
    feature: Feature = None,
    positions: Positions = None,
    momenta: Momenta = None,
) -> Answer:
    """Conserved quantities of trajectories, among monomials and formulas.

    With positions and momenta their Poisson algebra is named, and the symmetry that each of them generates is shown.
    """
    from erlangen.io import read_trajectories

    check_formulas(feature or [])
    session.progress.step(f"reading {file.name}")
    flow = read_trajectories(file, time, group, names(state), data.drop_nan, controls=names(control))
    pairs = tuple(None if p is None else tuple(c.strip() for c in ",".join(p).split(",")) for p in (positions, momenta))
    return laws_of(session, flow, library(flow, degree, feature or []), pairs, data, file)


def laws_of(
    session: Session,
    flow: Trajectories,
    functions: AbstractLibrary,
    pairs: tuple[tuple[str, ...] | None, ...],
    data: DataSettings,
    file: Path,
) -> Answer:
    """Find what trajectories conserve, and state it."""
    from erlangen.cli._answer import of_laws
    from erlangen.dynamics import conserved
    from erlangen.linalg.rank import Threshold

    session.note(
        f"{len(flow.points)} samples of {shown(flow.names)} in {flow.n_runs} run{'s' * (flow.n_runs > 1)}",
        file=file,
        columns=list(flow.names),
        samples=len(flow.points),
        runs=flow.n_runs,
        groups=[str(label) for label in flow.groups],
    )
    session.progress.step("looking for conserved quantities")
    q, p = pairs
    return of_laws(conserved(flow, functions, rule=Threshold(data.delta), positions=q, momenta=p), flow)


def check_formulas(features: list[str]) -> None:
    """Refuse what is no formula before a file is read."""
    from erlangen._formula import Formula

    for text in features:
        Formula(text)


def library(flow: Trajectories, degree: int, features: list[str]) -> AbstractLibrary:
    """Return the monomials and formulas to look among.

    Raises
    ------
    InputError
        Where there are none, or more than the samples can decide.
    """
    from erlangen.fields.libraries import Expressions, Polynomial

    d, n = flow.point_dim, len(flow.points)
    size = comb(d + degree, degree) - 1 + len(features)
    if size == 0:
        what, given = "There is nothing to look among.", "--degree 0 and no --feature"
        raise InputError(explain(what, given=given, expected="monomials or formulas", fix="--degree 2"))
    if size >= n:
        given = f"{size} functions (--degree {degree}, {len(features)} formulas), {n} samples"
        what = "Fewer samples than functions can be decided from."
        raise InputError(explain(what, given=given, expected=f"fewer than {n} functions", fix="a lower --degree"))
    parts = ([Polynomial(degree)] if degree else []) + ([Expressions(*features)] if features else [])
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]
