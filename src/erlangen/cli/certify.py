"""``erlangen certify``: is a symmetry real? Bounds of true defects with error control, from a table or from runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erlangen._errors import InputError, explain
from erlangen.cli import _candidates
from erlangen.cli._answer import Answer
from erlangen.cli._names import names, shown
from erlangen.cli._session import DATA, DataSettings, Session, command
from erlangen.cli.discover import Candidates, File, Group, Inputs, State, Target, Time

if TYPE_CHECKING:
    from erlangen.derivative import Samples
    from erlangen.evidence import Certificate

Alpha = Annotated[
    float, typer.Option("--alpha", help="Probability of certifying what is not there.", rich_help_panel=DATA)
]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode", metavar="NAME", help="held-out, simultaneous, calibrated or class-free.", rich_help_panel=DATA
    ),
]
Degree = Annotated[
    int | None,
    typer.Option("--degree", help="Degree of the polynomials that hold the truth (chosen).", rich_help_panel=DATA),
]
Box = Annotated[
    str | None,
    typer.Option(
        "--box",
        metavar="LOW,HIGH",
        help="Region of the claim, in every column (where the data are).",
        rich_help_panel=DATA,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(no_args_is_help=True)
    command(group, "function", "certify function", 3)(function)
    command(group, "dynamics", "certify dynamics", 3)(dynamics)
    app.add_typer(group, name="certify", help="Bound the true defects of symmetries, with error control.")


def function(
    session: Session,
    file: File,
    data: DataSettings,
    target: Target,
    inputs: Inputs = None,
    candidates: Candidates = "affine",
    alpha: Alpha = 0.05,
    mode: Mode = None,
    degree: Degree = None,
    box: Box = None,
) -> Answer:
    """Certify symmetries of a function, from a table of its noisy values.

    Rows are split: one part chooses the class and the generators, the other tests them.
    """
    from erlangen.evidence import certify
    from erlangen.io import read_function_table

    session.progress.step(f"reading {file.name}")
    x, y, columns = read_function_table(file, names(inputs), names(target), data.drop_nan)
    session.note(f"{len(x)} samples of {names(target)} over {shown(columns)}", file=file, samples=len(x))
    action, region = _candidates.build(candidates, x.shape[1], y.size), _region(box, x.shape[1])
    session.progress.step("testing")
    chosen = {"alpha": alpha, "delta": data.delta, "mode": mode, "family": degree, "rng": session.settings.seed}
    found = certify((x, y), action, region, kind="invariant", names=columns, **chosen)
    return of_certificate(found)


def dynamics(
    session: Session,
    file: File,
    data: DataSettings,
    time: Time,
    group: Group = None,
    state: State = None,
    candidates: Candidates = "affine",
    alpha: Alpha = 0.05,
    mode: Mode = None,
    degree: Degree = None,
    box: Box = None,
) -> Answer:
    """Certify symmetries of a dynamical system, from trajectories.

    Derivatives come from smoothing; whole runs choose or test, and blocks of rows carry the correlation of the noise.
    """
    from erlangen.dynamics import smooth
    from erlangen.evidence import certify
    from erlangen.io import read_trajectories

    session.progress.step(f"reading {file.name}")
    flow = read_trajectories(file, time, group, names(state), data.drop_nan)
    session.note(
        f"{len(flow.points)} samples of {shown(flow.names)} in {flow.n_runs} run{'s' * (flow.n_runs > 1)}",
        file=file,
        samples=len(flow.points),
        runs=flow.n_runs,
    )
    action, region = _candidates.build(candidates, flow.point_dim, flow.points.size), _region(box, flow.point_dim)
    session.progress.step("smoothing")
    smoothed = smooth(flow).flow
    session.progress.step("testing")
    chosen = {"alpha": alpha, "delta": data.delta, "mode": mode, "family": degree, "rng": session.settings.seed}
    return of_certificate(certify(smoothed, action, region, **chosen))


def of_certificate(found: Certificate) -> Answer:
    """State a certificate; where the data do not decide, that is the answer, with exit code 1."""
    why_not = "" if found.decided else found.verdict
    data: dict[str, Any] = {"kind": "certificate", **found.to_dict()}
    arrays = {"generators": found.generators}
    return Answer(found.verdict, str(found), data, found._repr_html_(), why_not, arrays)


def _region(box: str | None, d: int) -> Samples | None:
    """Read ``LOW,HIGH``."""
    if box is None:
        return None
    from erlangen.derivative import Samples

    try:
        low, high = (float(part) for part in box.split(","))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(
            explain(
                "--box takes the two ends of every column.",
                given=f"--box {box}",
                expected="two numbers, the lower first",
                fix="--box=-1,1",
            )
        )
    return Samples.box(low, high, dim=d)
