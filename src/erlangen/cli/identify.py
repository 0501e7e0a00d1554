"""``erlangen identify``: the name of the algebra of given generators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from erlangen.cli._answer import Answer
from erlangen.cli._session import DATA, Session, command

Npz = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="An .npz file with generators (p, k, k), or exponents (r, d) and coefficients (p, d, r)."
    ),
]
Noise = Annotated[
    float | None,
    typer.Option("--noise", help="Relative error of each generator (found by default).", rich_help_panel=DATA),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "identify", "identify", 2)(identify)


def identify(session: Session, file: Npz, noise: Noise = None) -> Answer:
    """Name the Lie algebra of matrices or polynomial vector fields."""
    from erlangen._errors import InputError, explain
    from erlangen.algebra import LieAlgebra
    from erlangen.cli._answer import of_structure
    from erlangen.io import read_generators

    if noise is not None and not 0.0 <= noise < 1.0:
        what, given = "--noise is a relative error, between 0 and 1.", f"--noise {noise}"
        raise InputError(explain(what, given=given, expected="0 <= noise < 1", fix="leave it out"))
    session.progress.step(f"reading {file.name}")
    found = read_generators(file)
    if found.matrices is not None:
        algebra = LieAlgebra.from_matrices(found.matrices)
        form = f"{algebra.dim} matrices of size {found.matrices.shape[1]}"
    else:
        assert found.exponents is not None and found.coefficients is not None  # the reader returns one or the other
        algebra = LieAlgebra.from_fields(found.exponents, found.coefficients)
        form = f"{algebra.dim} vector fields on R^{found.exponents.shape[1]}"
    session.note(form, file=file, generators=form, names=list(found.names))
    session.progress.step("naming the algebra")
    return of_structure(algebra.identify(noise), algebra)
