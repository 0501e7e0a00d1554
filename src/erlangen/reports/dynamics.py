"""A page on equations of motion: what they are, how they fit, and what they leave of the data."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from erlangen._errors import InputError, explain
from erlangen._files import check_target, write_text
from erlangen._formula import Formula
from erlangen._typing import NDArray
from erlangen.dynamics import Equations, Ordinal, Smoothed, ordinal, smooth
from erlangen.dynamics._equation_terms import printed
from erlangen.dynamics._ordinal import LEVEL
from erlangen.fields.trajectories import Trajectories
from erlangen.reports import _figures as figures
from erlangen.reports._evidence import Shown, chosen, shown, solved, units_of
from erlangen.reports._mathml import mathml
from erlangen.reports._page import card, check_title, chips, page, plot, plotly_js, table
from erlangen.reports._story import Story, story_of

RIVALS = 3
"""Other equations that are named."""

MOST_JUDGED = 20
"""Runs whose residuals are judged."""

MOSTLY = 2.0
"""Variance of what is left over that of the noise, from which on noise is the smaller part of it."""


def dynamics_page(
    model: Any,
    flow: Trajectories,
    path: str | PathLike[str],
    *,
    title: str = "Equations of motion",
    force: bool = False,
) -> Path:
    """Write a page with data, smooth, derivatives, solutions and residuals of fitted equations.

    The page needs nothing beside it: the script that draws is inside, and mathematics is MathML.

    Parameters
    ----------
    model : SINDy, or anything with ``equations_``, or Equations
        What was fitted.
    flow : Trajectories
        The data; at most four of the runs are drawn.
    path : path
        The file to write, ``.html``.
    title : str
        Title of the page.
    force : bool
        Overwrite an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        Where the file exists, or the equations are over other coordinates than the data.
    MissingExtraError
        Where Plotly is not installed.
    """
    plotly_js()  # refused before any work
    check_title(title)
    check_target(path, force)
    return write_text(path, dynamics_html(model, flow, title), force)


def dynamics_html(model: Any, flow: Trajectories, title: str) -> str:
    """Return the page of `dynamics_page` as text.

    Parameters
    ----------
    model : SINDy
        As for `dynamics_page`.
    flow : Trajectories
        As for `dynamics_page`.
    title : str
        Heading of the page.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    told = story(model, flow)
    return page(title, told.cards, told.figures, told.head, told.scripts, told.styles)


def story(model: Any, data: Any = None) -> Story:
    """Return what a page says of equations of motion.

    Parameters
    ----------
    model : SINDy, or anything with ``equations_``, or Equations
        What was fitted.
    data : Trajectories, or (Trajectories, Symmetry), optional
        What it was fitted to, and the symmetries of the equations; without data there is nothing to compare with.
    """
    flow, symmetry = data if isinstance(data, tuple) else (data, None)
    told = _alone(model) if flow is None else _compared(model, flow)
    if symmetry is None:
        return told
    more = story_of(symmetry)
    cards = [*told.cards, card("Symmetries of these equations", f"<p>{html.escape(more.verdict)}</p>", wide=True)]
    return replace(
        told,
        cards=[*cards, *more.cards],
        figures={**told.figures, **more.figures},
        scripts=[*told.scripts, *more.scripts],
        styles=[*told.styles, *more.styles],
    )


def _alone(model: Any) -> Story:
    equations = equations_of(model)
    return Story(_counted(equations), [_equations_card(equations, model)], title=TITLE)


def _compared(model: Any, flow: Trajectories) -> Story:
    equations = equations_of(model, flow)
    smoothed = smooth(flow)
    drawn = chosen(smoothed)
    judged = drawn + [k for k in chosen(smoothed, MOST_JUDGED) if k not in drawn]
    rest = solved(model, flow)
    runs = [shown(equations, flow.runs[k], smoothed.runs[k], None if rest is None else rest[k]) for k in judged]
    front, names = runs[: len(drawn)], equations.names
    units = units_of(smoothed.noise if rest is None else model.noise_, runs)
    residuals = [run.residuals for run in runs]
    found = _patterns(names, runs)
    rows = _leftovers(names, runs, units, found)
    left = _verdict(rows, found is None, rest is None, getattr(model, "unexplained_", ""))
    drawings = {
        "data": figures.data_figure(front, names, "time"),
        "slopes": figures.slopes_figure(front, names, "time"),
        "rollout": figures.rollout_figure(front, names, "time"),
        "residuals": figures.residual_figure(front, residuals, names, units, "time"),
    }
    smoothing = f"Dots: samples. Lines: the smooth, with two standard errors. {_noise(smoothed)}"
    cards = [
        _equations_card(equations, model),
        card("Data and smooth", plot("data"), smoothing),
        card("Derivatives", plot("slopes"), "Dots: of the smooth, with two standard errors. Lines: the equations."),
        card("Solutions from the first state", plot("rollout"), _rollout_note(front)),
    ]
    if len(names) > 1:
        drawings["plane"] = figures.plane_figure(front, names)
        cards.append(card("In the plane of states", plot("plane"), "Dots: samples. Lines: solutions."))
    why = (_ALONG if rest is None else _SOLVED) + _NOISE
    body = f"<p>{html.escape(left)}</p>{_left(rows)}{plot('residuals')}"
    cards.append(card("What the equations leave", body, why, wide=True))
    return Story(f"{_counted(equations)} {left}", cards, drawings, title=TITLE, head=_head(flow, equations, front))


def _counted(equations: Equations) -> str:
    d, n = len(equations.names), equations.n_terms
    return f"{d} equation{'s' * (d > 1)} of motion with {n} term{'s' * (n != 1)} in all."


TITLE = "Equations of motion"

_SOLVED = "Samples less the solutions that were fitted to them, in units of the noise. "
_ALONG = (
    "Samples less the integral of the equations along the smooth, in units of the noise, a straight line of each run "
    "taken out; where the smooth rounds off sharp turns, this shows too. "
)
_NOISE = (
    "Where nothing is missing this is noise: a cloud without a shape, a normal histogram, and no correlation beyond "
    "the dotted lines, which one value in twenty passes by chance."
)


def equations_of(model: Any, flow: Trajectories | None = None) -> Equations:
    """The equations of a model, over the coordinates of the data where they are given."""
    equations = model if isinstance(model, Equations) else getattr(model, "equations_", None)
    if not isinstance(equations, Equations):
        given = f"an object of type {type(model).__name__}"
        what, fix = "There are no equations to show.", "SINDy().fit(flow), or Equations"
        raise InputError(explain(what, given=given, expected="a fitted model with equations_", fix=fix))
    if flow is not None and equations.names != flow.names:
        what = "The equations are over other coordinates than the data."
        given = f"equations of {', '.join(equations.names)}; data of {', '.join(flow.names)}"
        raise InputError(explain(what, given=given, expected="the same names in the same order", fix="fit(flow)"))
    return equations


def _noise(smoothed: Smoothed) -> str:
    pairs = zip(smoothed.names, smoothed.noise, strict=True)
    return "Noise: " + ", ".join(f"{name} {size:.2g}" for name, size in pairs) + "."


def _head(flow: Trajectories, equations: Equations, runs: Sequence[Shown]) -> str:
    lengths = [len(run.time) for run in flow.runs]
    each = str(lengths[0]) if len(set(lengths)) == 1 else f"{min(lengths)} to {max(lengths)}"
    few = f"; {len(runs)} of them are drawn" if len(runs) < flow.n_runs else ""
    s = "s" * (flow.n_runs > 1)
    text = f"{flow.n_runs} run{s} of {each} samples of {', '.join(flow.names)}{few}. {equations.n_terms} terms found."
    if len(flow.names) > figures.MOST_ROWS:
        text += f" The first {figures.MOST_ROWS} coordinates are drawn."
    return f"<p>{html.escape(text)}</p>" + chips([f"run {run.label}" for run in runs])


def _equations_card(equations: Equations, model: Any) -> str:
    rivals = "; ".join(f"{what}, worse by {by:.1f}" for what, by in getattr(model, "rivals_", ())[:RIVALS])
    told = [
        ("Symmetry", _symmetry_text(model)),
        ("How they were found", getattr(model, "reason_", "")),
        ("Next in line", rivals),
    ]
    words = "".join(f"<p><b>{name}.</b> {html.escape(text)}</p>" for name, text in told if text)
    terms = [printed(Formula(text, equations.variables)) or "1" for text in equations.terms]
    rows = []
    for a, name in enumerate(equations.names):
        for j in np.flatnonzero(equations.coefficients[a]):
            error = () if equations.errors is None else (float(equations.errors[a, j]),)
            rows.append((f"{name}\u2032", terms[j], float(equations.coefficients[a, j]), *error))
    head = ("equation", "term", "coefficient", *(() if equations.errors is None else ("standard error",)))
    numbers = f"<details><summary>Coefficients</summary>{table(head, rows)}</details>"
    return card("Equations", f"<div class='scroll'>{mathml(equations)}</div>{words}{numbers}", wide=True)


def _symmetry_text(model: Any) -> str:
    symmetry, test = getattr(model, "symmetry_", None), getattr(model, "symmetry_test_", None)
    if symmetry is None:
        return "" if test is None else f"Enforced; {test.reason}"
    texts = getattr(symmetry, "texts", ())
    return f"{getattr(symmetry, 'name', symmetry)}" + (f", generated by {'; '.join(texts)}" if texts else "")


def _rollout_note(runs: Sequence[Shown]) -> str:
    ended = [f"Run {run.label}: {run.rollout.reason}." for run in runs if not run.rollout.complete]
    misfits = ", ".join(f"{100 * run.misfit:.2g} %" for run in runs)
    note = f"Dots: samples. Lines: solutions. Root mean square distance, of the spread of the data: {misfits}."
    return " ".join([note, *ended])


@dataclass(frozen=True)
class _Leftover:
    """What is left of one coordinate, and what noise would leave.

    Attributes
    ----------
    correlation, chance : float
        The largest correlation with a later sample, and the largest that noise has at any lag in any coordinate, but
        for a `LEVEL` of cases.
    p_value : float or None
        Of the order patterns; None where there are too few.
    ordered : bool
        Whether noise would not have such patterns.
    """

    name: str
    noise: float
    size: float
    correlation: float
    chance: float
    p_value: float | None
    ordered: bool

    @property
    def beyond(self) -> str:
        """In words what noise would not leave; empty where there is nothing."""
        ratio = self.size / self.noise
        told = [
            f"{ratio:.2g} times the noise" if ratio**2 > MOSTLY else "",
            f"a correlation of {self.correlation:.2g} where chance hardly gives more than {self.chance:.2g}"
            if abs(self.correlation) > self.chance
            else "",
            "an order beyond chance" if self.ordered else "",
        ]
        return ", ".join(filter(None, told))


def _leftovers(
    names: Sequence[str], runs: Sequence[Shown], units: NDArray, found: Ordinal | None
) -> tuple[_Leftover, ...]:
    out = []
    for a, name in enumerate(names):
        pooled = [run.residuals[:, a] for run in runs]
        lags, correlation, width = figures.autocorrelation(pooled)
        # The width is two standard errors of one correlation; this is of the largest of all lags and coordinates.
        chance = width / 2 * float(stats.norm.isf(LEVEL / (2 * len(lags) * len(names))))
        size = float(np.sqrt(np.mean(np.concatenate(pooled) ** 2)))
        largest = float(correlation[np.abs(correlation).argmax()])
        p_value = None if found is None else float(found.p_values[a])
        ordered = found is not None and name in found.telling
        out.append(_Leftover(name, float(units[a]), size, largest, chance, p_value, ordered))
    return tuple(out)


def _left(rows: Sequence[_Leftover]) -> str:
    """HTML of a table of what is left of each coordinate."""
    return table(
        ("coordinate", "noise", "left over, r.m.s.", "largest correlation", "by chance up to", "p-value of order"),
        [(r.name, r.noise, r.size, r.correlation, r.chance, "-" if r.p_value is None else r.p_value) for r in rows],
    )


def _patterns(names: Sequence[str], runs: Sequence[Shown]) -> Ordinal | None:
    """Order patterns of the residuals; None where there are too few, or some are not finite.

    Noise leaves the residuals of neighbouring samples independent: a solution follows many samples with a few
    numbers, and so does a straight line. So patterns start at neighbours.
    """
    sound = [run for run in runs if len(run.residuals) and np.isfinite(run.residuals).all()]
    if not sound:
        return None
    left = Trajectories.from_arrays([run.residuals for run in sound], [run.rest_times for run in sound], names)
    for order in (5, 4, 3):
        try:
            return ordinal(left, order, delay=1)
        except InputError:  # fewer patterns than permutations
            continue
    return None


def _verdict(rows: Sequence[_Leftover], few: bool, along: bool, unexplained: str) -> str:
    if unexplained:
        return f"Not only noise is left: {unexplained}."
    odd = [f"{row.name} ({row.beyond})" for row in rows if row.beyond]
    if odd:
        return (
            f"Not only noise is left: {', '.join(odd)}. A term is missing, or a coefficient is wrong by more than the "
            "noise hides" + (", or the smooth rounds off what turns too fast for the samples." if along else ".")
        )
    if few:
        return "Too few samples to tell order from noise."
    return "Only noise is left: no order beyond chance."
