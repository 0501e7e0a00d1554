"""``erlangen discover``: the symmetry of a system, of a function or of a cloud of points."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erlangen._errors import InputError, explain
from erlangen.cli import _candidates
from erlangen.cli._answer import Answer
from erlangen.cli._blocks import Engine, Scheduler, chosen_engine, running
from erlangen.cli._names import names, shown
from erlangen.cli._session import DATA, DataSettings, Session, command

if TYPE_CHECKING:
    from erlangen._typing import NDArray
    from erlangen.blocks import AbstractEngine
    from erlangen.fields import AbstractField
    from erlangen.verbs import Symmetry

File = Annotated[Path, typer.Argument(metavar="FILE", help="A table: .csv .tsv .parquet .npz .h5 .nc")]
Candidates = Annotated[str, typer.Option("--candidates", metavar="NAME", help=_candidates.HELP, rich_help_panel=DATA)]
Time = Annotated[str, typer.Option("--time", metavar="COLUMN", help="Column of times.")]
Group = Annotated[str | None, typer.Option("--group", metavar="COLUMN", help="Column that tells the runs apart.")]
State = Annotated[
    list[str] | None, typer.Option("--state", metavar="COLUMNS", help="Columns of the state: x,y,vx,vy (all others).")
]
Control = Annotated[
    list[str] | None, typer.Option("--control", metavar="COLUMNS", help="Columns given from outside: u,v.")
]
Parameter = Annotated[
    list[str] | None,
    typer.Option("--parameter", metavar="COLUMNS", help="The same, of one value in each run: mass,length."),
]
Inputs = Annotated[
    list[str] | None, typer.Option("--inputs", metavar="COLUMNS", help="Columns of the point: x,y,z (all others).")
]
Target = Annotated[list[str], typer.Option("--target", metavar="COLUMNS", help="Column of the value, or several.")]
Columns = Annotated[
    list[str] | None, typer.Option("--columns", metavar="COLUMNS", help="Columns of the point: x,y,z (all).")
]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(no_args_is_help=True)
    command(group, "dynamics", "discover dynamics", 3)(dynamics)
    command(group, "function", "discover function", 3)(function)
    command(group, "cloud", "discover cloud", 3)(cloud)
    app.add_typer(group, name="discover", help="Find the generators that leave data alone, and name their algebra.")


def dynamics(
    session: Session,
    file: File,
    data: DataSettings,
    time: Time,
    group: Group = None,
    state: State = None,
    control: Control = None,
    candidates: Candidates = "affine",
) -> Answer:
    """Symmetry of a dynamical system, from trajectories.

    A vector field is fitted to integrals of the samples, which takes no derivative of what is noisy, or to their
    differences where these tell more; generators are found that carry this field into itself. Columns given from
    outside are moved along with the state, where that helps.
    """
    if control:
        return _driven(session, file, data, (time, group, names(state), names(control)), candidates)
    from erlangen.cli._answer import of_symmetry
    from erlangen.dynamics import symmetries
    from erlangen.dynamics._weak_field import weak_field
    from erlangen.io import read_trajectories
    from erlangen.linalg.rank import Threshold

    session.progress.step(f"reading {file.name}")
    flow = read_trajectories(file, time, group, names(state), data.drop_nan)
    action = _candidates.build(candidates, flow.point_dim, flow.points.size)  # refused before the fit
    session.note(
        f"{len(flow.points)} samples of {shown(flow.names)} in {flow.n_runs} run{'s' * (flow.n_runs > 1)}",
        file=file,
        columns=list(flow.names),
        samples=len(flow.points),
        runs=flow.n_runs,
    )
    session.progress.step("fitting a vector field")
    field = weak_field(flow, data.delta)
    session.note(f"vector field: {_way(field)}; its derivative is known to {field.accuracy:.2g}", **_of_field(field))
    session.progress.step("looking for generators")
    rule = Threshold(data.delta)
    sym = symmetries(field, action, flow.points, names=flow.names, rule=rule)
    return _with_next(of_symmetry(sym, flow), sym, {"--time": time, "--group": group, "--state": names(state)}, file)


def _way(field: AbstractField) -> str:
    """How a vector field was fitted."""
    from erlangen.fields import PolynomialField

    if isinstance(field, PolynomialField):
        return f"a polynomial of degree {field.degree}, by integrals of the samples"
    return f"{field.reason}, by differences of the samples"  # pyright: ignore[reportAttributeAccessIssue]


def _of_field(field: AbstractField) -> dict[str, Any]:
    from erlangen.fields import PolynomialField

    if isinstance(field, PolynomialField):
        return {"model": {"reason": _way(field), "accuracy": field.accuracy}}
    return {"model": _model(field)}


def _driven(session: Session, file: Path, data: DataSettings, columns: tuple, chosen: str) -> Answer:
    """Symmetries that move states and controls together."""
    from erlangen.cli._answer import of_symmetry
    from erlangen.dynamics import symmetries
    from erlangen.io import read_trajectories
    from erlangen.linalg.rank import Threshold

    if chosen != "affine":
        what, fix = "Columns given from outside are moved by affine fields only.", "leave --candidates out"
        raise InputError(explain(what, given=f"--candidates {chosen}", expected="affine", fix=fix))
    session.progress.step(f"reading {file.name}")
    time, group, state, control = columns
    flow = read_trajectories(file, time, group, state, data.drop_nan, controls=control)
    session.note(
        f"{len(flow.points)} samples of {shown(flow.names)} in {flow.n_runs} run{'s' * (flow.n_runs > 1)}; "
        f"{shown(flow.controls)} from outside",
        file=file,
        columns=list(flow.names),
        controls=list(flow.controls),
        samples=len(flow.points),
        runs=flow.n_runs,
    )
    session.progress.step("looking for generators")
    sym = symmetries(flow, rule=Threshold(data.delta))
    words = {"--time": time, "--group": group, "--state": state, "--control": control}
    return _with_next(of_symmetry(sym, flow), sym, words, file)


def _with_next(answer: Answer, sym: Symmetry, words: dict[str, str | None], file: Path) -> Answer:
    """Add what to type next where the vector field is known too badly to be asked, as one that is no polynomial."""
    if answer.decided or sym.measurement is None or sym.resolution <= sym.measurement.delta:
        return answer
    from erlangen._formula_parser import quoted

    chosen = " ".join(f"{option} {shlex.quote(text)}" for option, text in words.items() if text)
    line = f"erlangen equations {shlex.quote(str(file))} {chosen} --feature 'FORMULA' --symmetries"
    why = (
        f"{answer.why_not} Next: {line} (terms that are no polynomials are named, such as "
        f"--feature '1/(1 + {quoted(sym.coordinates[0])})', and the equations are asked for their symmetries); "
        "more rows, or less noise, otherwise."
    )
    return replace(answer, why_not=why)


def function(
    session: Session,
    file: File,
    data: DataSettings,
    target: Target,
    inputs: Inputs = None,
    candidates: Candidates = "affine",
    engine: Engine = None,
    scheduler: Scheduler = None,
) -> Answer:
    """Symmetry of a function, from a table of its values.

    A model is chosen and fitted, and the generators are found along which it does not change. A target of zeros and
    ones is a label, and its log-odds are fitted. A folder of files, and a .zarr store, are read block by block.
    """
    import numpy as np

    chosen = chosen_engine(file, engine, scheduler)
    if chosen != "memory":
        with running(chosen, scheduler) as runner:
            return _in_blocks(session, file, data, runner, (names(inputs), names(target)), candidates)

    from erlangen.io import read_function_table

    session.progress.step(f"reading {file.name}")
    x, y, columns = read_function_table(file, names(inputs), names(target), data.drop_nan)
    labels = y.ndim == 1 and bool(np.isin(y, (0.0, 1.0)).all())
    goal = names(target) or ""
    session.note(
        f"{len(x)} samples of {goal} over {shown(columns)}" + ("; zeros and ones are labels" if labels else ""),
        file=file,
        columns=list(columns),
        target=goal.split(","),
        samples=len(x),
        labels=labels,
    )
    kind = "invariant" if y.ndim == 2 else None
    return _fitted(session, data, x, y.astype(np.int64) if labels else y, kind, columns, candidates)


def _in_blocks(
    session: Session, file: Path, data: DataSettings, engine: AbstractEngine, columns: tuple, chosen: str
) -> Answer:
    """The same, of a table that is never in memory."""
    from erlangen.cli._answer import of_symmetry
    from erlangen.derivative import Samples
    from erlangen.fields.table_blocks import fit_blocks
    from erlangen.io import read_blocks
    from erlangen.linalg.rank import Threshold
    from erlangen.verbs import discover

    session.progress.step(f"reading {file.name}")
    goal = (columns[1] or "").split(",")
    wanted = None if columns[0] is None else [*columns[0].split(","), *goal]
    table = read_blocks(file, wanted, drop_nan=data.drop_nan).on(engine)
    x, y = table.select([name for name in table.names if name not in goal]), table.select(goal)
    samples = Samples.from_blocks(x)
    action = _candidates.build(chosen, x.width, len(samples) * len(goal))
    session.progress.step("fitting a model")
    field = fit_blocks(x, y, "invariant" if len(goal) > 1 else None, rng=session.settings.seed)
    labels = "; zeros and ones are labels" if field.labels is not None else ""
    session.note(
        f"{len(samples)} samples of {','.join(goal)} over {shown(x.names)}, in {x.n_blocks} blocks{labels}",
        file=file,
        columns=list(x.names),
        target=goal,
        samples=len(samples),
        labels=field.labels is not None,
        blocks=x.n_blocks,
    )
    session.note(f"model: {field.reason}; its derivative is known to {field.accuracy:.2g}", model=_model(field))
    session.progress.step("looking for generators")
    return of_symmetry(discover(field, action, samples, rule=Threshold(data.delta), names=x.names))


def cloud(
    session: Session, file: File, data: DataSettings, columns: Columns = None, candidates: Candidates = "affine"
) -> Answer:
    """Symmetry of a cloud of points on a curve or surface.

    Normals are estimated from neighbouring points, and the generators are found that are tangent to the cloud.
    """
    from erlangen.fields import cloud_field
    from erlangen.io import read_cloud

    session.progress.step(f"reading {file.name}")
    x, found = read_cloud(file, names(columns), data.drop_nan)
    session.progress.step("estimating normals")
    field = cloud_field(x)
    session.note(
        f"{len(x)} points of {shown(found)} near a set of dimension {field.intrinsic_dim} ({field.reason})",
        file=file,
        columns=list(found),
        samples=len(x),
        intrinsic_dim=field.intrinsic_dim,
        accuracy=field.accuracy,
    )
    return _discovered(session, data, field, found, candidates)


def _fitted(
    session: Session,
    data: DataSettings,
    x: NDArray,
    y: NDArray,
    kind: str | None,
    columns: tuple[str, ...],
    chosen: str,
) -> Answer:
    """Fit a model to a table, and ask it."""
    from erlangen.fields.table import fit_table

    _candidates.build(chosen, x.shape[1], y.size)  # refused before the fit
    session.progress.step("fitting a model")
    field = fit_table(x, y, kind=kind, rng=session.settings.seed)
    session.note(f"model: {field.reason}; its derivative is known to {field.accuracy:.2g}", model=_model(field))
    return _discovered(session, data, field, columns, chosen)


def _discovered(
    session: Session, data: DataSettings, field: AbstractField, columns: tuple[str, ...], chosen: str
) -> Answer:
    from erlangen.cli._answer import of_symmetry
    from erlangen.linalg.rank import Threshold
    from erlangen.verbs import discover

    session.progress.step("looking for generators")
    points: NDArray = field.points  # pyright: ignore[reportAttributeAccessIssue]
    action = _candidates.build(chosen, field.point_dim, len(points) * field.value_dim)
    return of_symmetry(discover(field, action, rule=Threshold(data.delta), names=columns))


def _model(field: Any) -> dict[str, Any]:
    """Return what was tried and chosen, for JSON."""
    return {
        "reason": field.reason,
        "verdict": field.verdict,
        "span": field.span.reason,
        "accuracy": field.accuracy,
        "r2": field.r2,
        "noise": field.noise,
        "classes": [
            {
                "name": row.name,
                "n_params": row.n_params,
                "held_out": row.held_out,
                "lack_of_fit": row.lack_of_fit,
                "chosen": row.chosen,
            }
            for row in field.classes
        ],
    }
