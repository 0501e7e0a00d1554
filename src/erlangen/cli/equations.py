"""``erlangen equations``: the equations of motion behind trajectories."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erlangen._errors import InputError, explain, nearest
from erlangen.cli import _symmetries
from erlangen.cli._answer import Answer
from erlangen.cli._names import names, shown
from erlangen.cli._session import DATA, OUTPUT, Session, check_ending, command
from erlangen.cli.conserved import Feature, check_formulas
from erlangen.cli.discover import Control, File, Group, Parameter, State, Time

if TYPE_CHECKING:
    from erlangen.dynamics import Equations
    from erlangen.fields.trajectories import Trajectories
    from erlangen.verbs import Symmetry

FORMS = ("auto", "trajectory", "weak", "strong")

SHOWN = 3
"""Rivals that are printed."""

Degree = Annotated[
    int, typer.Option("--degree", min=0, max=20, help="Highest degree of monomials; 0 for none.", rich_help_panel=DATA)
]
SymmetryName = Annotated[str | None, typer.Option("--symmetry", metavar="NAME", help=_symmetries.HELP)]
PromoteName = Annotated[
    str | None,
    typer.Option("--promote", metavar="NAME", help="The same, of which only that is kept which the data allow."),
]
Symmetries = Annotated[
    bool, typer.Option("--symmetries", help="Ask the equations that were found for their symmetries.")
]
Form = Annotated[
    str | None,
    typer.Option(
        "--form", metavar="NAME", help="What is fitted: trajectory (solutions), weak (integrals), strong (slopes).",
        rich_help_panel=DATA,
    ),
]  # fmt: skip
DropNan = Annotated[
    bool, typer.Option("--drop-nan", help="Drop rows with missing entries, NaN or inf.", rich_help_panel=DATA)
]
Save = Annotated[
    Path | None, typer.Option("--save", metavar="FILE", help="Save the equations (.json).", rich_help_panel=OUTPUT)
]
Simulate = Annotated[
    Path | None,
    typer.Option(
        "--simulate",
        metavar="FILE",
        help="Follow them from the first state of each run (.csv).",
        rich_help_panel=OUTPUT,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "equations", "equations", 5)(equations)


def equations(
    session: Session,
    file: File,
    time: Time,
    group: Group = None,
    state: State = None,
    control: Control = None,
    parameter: Parameter = None,
    degree: Degree = 3,
    feature: Feature = None,
    symmetry: SymmetryName = None,
    promote: PromoteName = None,
    symmetries: Symmetries = False,
    form: Form = None,
    drop_nan: DropNan = False,
    save: Save = None,
    simulate: Simulate = None,
) -> Answer:
    """Equations of motion of trajectories: as few terms as the data ask for, inside a symmetry where one is given.

    Terms are monomials up to a degree, and formulas in the columns.
    """
    from erlangen.io import read_trajectories

    check_formulas(feature or [])
    _check_form(form)
    _check_targets(session, {"--save": (save, ".json"), "--simulate": (simulate, ".csv")})
    session.progress.step(f"reading {file.name}")
    flow = read_trajectories(file, time, group, names(state), drop_nan, names(control), names(parameter))
    _check_time(feature or [], flow, time)
    tell(session, flow, file)
    model = fitted(session, flow, _library(degree, feature or []), {"symmetry": symmetry, "promote": promote}, form)
    found = _asked(session, model, flow) if symmetries else None
    if simulate is not None:
        session.progress.step("following solutions")
        _follow(session, model.equations_, flow, simulate, (time, group))
    if save is not None:
        model.equations_.save(save, session.settings.force)
        session.inform(f"Wrote {save}.")
    return of_equations(model, flow, found)


def tell(session: Session, flow: Trajectories, file: Path) -> None:
    """Note what was read."""
    controls = flow.controls
    session.note(
        f"{len(flow.points)} samples of {shown(flow.names)} in {flow.n_runs} run{'s' * (flow.n_runs > 1)}"
        + (f"; {shown(controls)} from outside" if controls else ""),
        file=file,
        columns=list(flow.names),
        controls=list(controls),
        samples=len(flow.points),
        runs=flow.n_runs,
        groups=[str(label) for label in flow.groups],
    )


def fitted(
    session: Session, flow: Trajectories, library: Any, symmetries: dict[str, str | None], form: str | None
) -> Any:
    """Fit equations to trajectories; symmetries, by the name of the argument, are enforced or promoted."""
    from erlangen.dynamics import SINDy

    chosen: dict[str, Any] = {"library": library, "rng": session.settings.seed}
    if form is not None:
        chosen["form"] = form
    for role, text in symmetries.items():
        if text is not None:
            chosen[role] = _symmetries.read(text, (*flow.names, *flow.controls))
    session.progress.step("looking for equations")
    return SINDy(**chosen).fit(flow)


def of_equations(model: Any, flow: Trajectories, symmetries: Symmetry | None = None) -> Answer:
    """State equations of motion, and the symmetries that they were found to have."""
    found: Equations = model.equations_
    kept = getattr(model, "symmetry_", None)
    rows, reason = found.text().splitlines(), model.reason_
    test, rivals = getattr(model, "symmetry_test_", None), getattr(model, "rivals_", ())
    misfit = getattr(model, "misfit_", None)
    told = [f"symmetry that was kept: {kept.name}: {', '.join(kept.texts)}"] if kept is not None else []
    told += [*reason.split("; "), *([] if test is None else [test.reason])]
    if rivals:
        told.append("next: " + "; ".join(f"{what}, worse by {by:.1f}" for what, by in rivals[:SHOWN]))
    told += [] if symmetries is None else ["", "Symmetries of these equations:", str(symmetries)]
    verdict = "; ".join(rows)
    data = {
        "kind": "equations",
        "verdict": verdict,
        "reason": reason,
        "text": found.text(),
        "latex": found.to_latex(),
        "symmetry": None if kept is None else {"name": kept.name, "generators": list(kept.texts)},
        "symmetry_test": None if test is None else dataclasses.asdict(test),
        "misfit": None if misfit is None else dict(zip(found.names, map(float, misfit), strict=True)),
        "rivals": [{"change": what, "worse_by": by} for what, by in rivals],
        "symmetries": None if symmetries is None else symmetries.to_dict(),
        "equations": found.to_dict(),
    }
    arrays: dict[str, Any] = {"terms": list(found.terms), "names": list(found.names), "controls": list(found.controls)}
    arrays["coefficients"] = found.coefficients
    if found.errors is not None:
        arrays["errors"] = found.errors
    page = found._repr_html_() + ("" if symmetries is None else symmetries._repr_html_())
    against = test.reason if test is not None and test.rejected else getattr(model, "unexplained_", "")
    why_not = against and f"{against[0].upper()}{against[1:]}."
    text, source = "\n".join([*rows, *told]), flow if symmetries is None else (flow, symmetries)
    return Answer(verdict, text, data, page, why_not, arrays, model, source, "Equations of motion")


def _asked(session: Session, model: Any, flow: Trajectories) -> Symmetry:
    from erlangen.derivative import Samples
    from erlangen.dynamics import symmetries

    session.progress.step("looking for symmetries")
    if model.equations_.controls:
        samples = Samples.from_data(_with_controls(flow))
        return symmetries(model.equations_, samples=samples, controls=model.equations_.controls)
    return symmetries(model.equations_, samples=Samples.from_data(flow.points))


def _with_controls(flow: Trajectories) -> Any:
    import numpy as np

    return np.vstack([np.hstack([run.states, run.controls]) for run in flow.runs])


def _library(degree: int, features: list[str]) -> Any:
    from erlangen.fields.libraries import Expressions, Polynomial

    parts = ([Polynomial(degree)] if degree else []) + ([Expressions(*features)] if features else [])
    if not parts:
        what, given = "There is nothing to make equations of.", "--degree 0 and no --feature"
        raise InputError(explain(what, given=given, expected="monomials or formulas", fix="--degree 2"))
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _check_time(features: list[str], flow: Trajectories, time: str) -> None:
    """Refuse formulas in the time, which is no column of the equations."""
    from erlangen._formula import Formula

    for text in features:
        if {time, "t"} & set(Formula(text).used) - {*flow.names, *flow.controls}:
            what, fix = (
                "Equations do not depend on time itself.",
                "add a column of its values, named by --control",
            )
            raise InputError(explain(what, given=f"--feature {text}", expected="formulas in the columns", fix=fix))


def _check_form(form: str | None) -> None:
    if form is not None and form not in FORMS:
        close = nearest(form, FORMS)
        what, expected = "There is no such form.", ", ".join(FORMS)
        fix = f"did you mean {close!r}?" if close else "--form weak"
        raise InputError(explain(what, given=f"--form {form}", expected=expected, fix=fix))


def _check_targets(session: Session, targets: dict[str, tuple[Path | None, str]]) -> None:
    """Refuse files to write before any work is done."""
    from erlangen._files import check_target

    for option, (path, ending) in targets.items():
        if path is not None:
            check_ending(option, path, ending)
            check_target(path, session.settings.force)


def _follow(
    session: Session, found: Equations, flow: Trajectories, path: Path, columns: tuple[str, str | None]
) -> None:
    """Write solutions from the first state of each run, at its times."""
    import pandas as pd

    from erlangen._files import write_text

    time, group = columns
    frames = []
    for run in flow.runs:
        inputs = run.controls if found.controls else None
        solution = found.simulate(run.states[0], run.time, controls=inputs)
        if not solution.complete:
            session.warn(f"Run {run.label}: {solution.reason}.")
        head = {group: run.label} if group else {}
        frames.append(
            pd.DataFrame(head | {time: solution.times} | dict(zip(found.names, solution.states.T, strict=True)))
        )
    write_text(path, pd.concat(frames, ignore_index=True).to_csv(index=False), session.settings.force)
    session.inform(f"Wrote {path}.")
