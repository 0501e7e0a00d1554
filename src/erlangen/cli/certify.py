"""``erlangen certify``: is a symmetry real? Bounds of true defects with error control, from a table or from runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erlangen._errors import InputError, UndecidedError, explain, nearest
from erlangen.cli import _candidates
from erlangen.cli._answer import Answer
from erlangen.cli._names import names, shown
from erlangen.cli._session import DATA, DataSettings, Session, command
from erlangen.cli.discover import Candidates, File, Group, Inputs, State, Target, Time

if TYPE_CHECKING:
    from erlangen.actions import PolynomialAction
    from erlangen.derivative import Samples
    from erlangen.evidence import Certificate

MODES = ("held-out", "simultaneous", "calibrated", "class-free")
"""Modes that make claims about what lies behind a table."""

_DOUBTS = {"closure": "whether they close under brackets", "finite flow": "whether they hold for finite moves"}
"""What gates look at that leave a certificate standing."""

Alpha = Annotated[
    float, typer.Option("--alpha", help="Probability of certifying what is not there.", rich_help_panel=DATA)
]
Mode = Annotated[
    str | None,
    typer.Option("--mode", metavar="NAME", help=f"{', '.join(MODES[:-1])} or {MODES[-1]}.", rich_help_panel=DATA),
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
    from erlangen.io import read_function_table

    session.progress.step(f"reading {file.name}")
    x, y, columns = read_function_table(file, names(inputs), names(target), data.drop_nan)
    session.note(f"{len(x)} samples of {names(target)} over {shown(columns)}", file=file, samples=len(x))
    action, region = _action(candidates, x.shape[1], y.size), _region(box, x.shape[1])
    session.progress.step("testing")
    chosen = {"alpha": alpha, "delta": data.delta, "mode": mode, "family": degree, "rng": session.settings.seed}
    return _certified(session, (x, y), action, region, {"kind": "invariant", "names": columns, **chosen})


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
    from erlangen.io import read_trajectories

    session.progress.step(f"reading {file.name}")
    flow = read_trajectories(file, time, group, names(state), data.drop_nan)
    session.note(
        f"{len(flow.points)} samples of {shown(flow.names)} in {flow.n_runs} run{'s' * (flow.n_runs > 1)}",
        file=file,
        samples=len(flow.points),
        runs=flow.n_runs,
    )
    action, region = _action(candidates, flow.point_dim, flow.points.size), _region(box, flow.point_dim)
    session.progress.step("smoothing")
    smoothed = smooth(flow).flow
    session.progress.step("testing")
    chosen = {"alpha": alpha, "delta": data.delta, "mode": mode, "family": degree, "rng": session.settings.seed}
    return _certified(session, smoothed, action, region, chosen)


def of_certificate(found: Certificate) -> Answer:
    """State a certificate; where the data do not decide, that is the answer, with exit code 1."""
    why_not = "" if found.decided else _doubt(found)
    data: dict[str, Any] = {"kind": "certificate", **found.to_dict()}
    page, heading = found._repr_html_(), "How sure are we?"
    return Answer(found.verdict, str(found), data, page, why_not, _fields(found), found, None, heading)


def _doubt(found: Certificate) -> str:
    """Why a certificate does not answer: by its verdict, or by gates that leave what was certified in doubt."""
    doubted = [gate for gate in found.gates if not gate.passed and not gate.binding]
    if not doubted or not found.trusted:
        return found.verdict
    why = "; ".join(f"{_DOUBTS.get(g.name, 'a check')} is in doubt: gate {g.name}, {g.reason}" for g in doubted)
    if found.band.certified(found.delta) < found.band.possible(found.delta):
        return f"{found.verdict} Besides, {why}."
    return f"The generators are certified, but {why}."


def _fields(found: Certificate) -> dict[str, Any]:
    """Arrays of the certified generators, as `erlangen identify` reads them."""
    import numpy as np

    from erlangen.actions import PolynomialAction

    action, listed = found.candidates, [b for b in found.bounds if b.verdict == "certified"]
    if not isinstance(action, PolynomialAction):
        return {}
    return {
        "exponents": action.exponents,
        "coefficients": np.tensordot(found.generators, action.coefficients, axes=1),
        "names": np.array([b.text for b in listed], dtype=str),
        "bounds": np.array([b.high for b in listed], dtype=np.float64),
        "coordinates": np.array(found.coordinates, dtype=str),
    }


def _certified(session: Session, problem: Any, action: Any, region: Samples | None, chosen: dict[str, Any]) -> Answer:
    """Ask for a certificate, and tell in options what would help where there is none."""
    from erlangen.evidence import certify

    _check_mode(chosen["mode"])
    try:
        return of_certificate(certify(problem, action, region, **chosen))
    except UndecidedError as error:
        head, _, _ = str(error).partition("\n  fix:")
        raise UndecidedError(f"{head}\n  fix:      {_advice(chosen, region, ' groups ' in head)}") from error


def _advice(chosen: dict[str, Any], region: Samples | None, runs: bool) -> str:
    """What a user of the command can change; of runs there may be too few however many rows they have."""
    if runs:
        named = "" if chosen["mode"] == "class-free" or chosen["family"] is not None else "--degree N, or "
        return f"{named}more runs, told apart by --group"
    box = "" if region is not None else ", or --box=LOW,HIGH inside the data"
    if chosen["mode"] == "class-free":
        return f"more rows, fewer columns{box}"
    if chosen["family"] is not None:
        return "more rows, fewer columns, or a smaller --degree where it still holds the truth"
    return f"--degree N, that of polynomials which hold the truth{box}; more rows, or fewer columns"


def _check_mode(mode: str | None) -> None:
    if mode is None or mode in MODES:
        return
    what = "There is no such mode." if mode != "model" else "A certificate of a model says nothing about these data."
    close = nearest(mode, MODES)
    fix = f"did you mean --mode {close}?" if close and mode != "model" else "leave it out"
    raise InputError(explain(what, given=f"--mode {mode}", expected=", ".join(MODES), fix=fix))


def _action(candidates: str, d: int, equations: int) -> PolynomialAction:
    """Candidates by name; where there are fewer data than candidates, the data do not decide."""
    action = _candidates.build(candidates, d, _candidates.MOST)
    if action.n_generators > equations:
        raise UndecidedError(
            explain(
                "There are fewer data than candidates.",
                given=f"{equations} numbers, {action.n_generators} candidates ({candidates})",
                expected="many more numbers than candidates",
                fix="more rows, or fewer --candidates",
            )
        )
    return action


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
