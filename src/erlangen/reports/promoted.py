"""The story of a promoted fit: how much of a symmetry the data insist on breaking, and what is kept."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._render import number
from erlangen._typing import NDArray
from erlangen.reports._evidence_figures import _layout, _trace
from erlangen.reports._figures import Figure
from erlangen.reports._page import card, plot, table
from erlangen.reports._story import Story
from erlangen.reports.evidence import legend
from erlangen.verbs import Promoted, Selected

_ROUNDING = float(np.sqrt(np.finfo(np.float64).eps))
"""Share of the largest parameter below which one is left out of a formula: it is rounding."""


def fit_of(result: Any) -> tuple[Promoted, Selected | None]:
    """The fit to all data, and how its weight was selected; of an estimator, those that it found.

    Raises
    ------
    InputError
        Where an estimator has not been fitted.
    """
    selected = getattr(result, "selected_", None) if not isinstance(result, (Promoted, Selected)) else result
    if isinstance(selected, Selected):
        near = int(np.argmin([abs(one.lam - selected.lam) for one in selected.path]))
        return selected.path[near], selected
    if isinstance(selected, Promoted):
        return selected, None
    given = f"a {type(result).__name__} without a fit"
    what = "There is nothing to tell of before a fit."
    raise InputError(explain(what, given=given, expected="a fitted estimator", fix="model.fit(X, y)"))


def story(result: Any, data: Any = None) -> Story:
    """Return what a page says of a promoted fit, of a selection among fits, or of a fitted estimator.

    Parameters
    ----------
    result : Promoted, Selected or SymmetryPromotingRegressor
        What was fitted.
    data : ignored
        Nothing more is drawn of it.
    """
    fit, selected = fit_of(result)
    kept = fit.kept if selected is None else selected.kept
    broken = fit.broken_rank if selected is None else selected.broken_rank
    figures: dict[str, Figure] = {}
    cards = [card("Why", _reasons(fit.reason if selected is None else selected.reason), wide=True)]
    if len(fit.singular_values):
        figures["broken"] = broken_figure(fit, broken)
        note = _ZERO if selected is None or not selected.refitted else _REFIT
        label = "Singular values of the matrix of generators and values, in descending order"
        cards.append(card("What is broken", legend(figures["broken"]) + plot("broken", label), note))
    if selected is not None and np.ptp(selected.lams) > 0:
        figures["errors"] = errors_figure(selected)
        label = "Cross-validated error of each weight of the penalty"
        cards.append(card("Error and weight", plot("errors", label), "Cross-validated; dotted: the weight chosen."))
    if selected is not None and selected.candidates:
        cards.append(_candidates(selected))
    cards += _formula(fit if selected is None else selected)
    head = _head(fit, selected, kept, broken)
    return Story(verdict(broken, kept, selected), cards, figures, title="A promoted symmetry", head=head)


def verdict(broken: int, kept: NDArray, selected: Selected | None) -> str:
    """One sentence: how much is kept, and what that is called."""
    total = kept.shape[0]
    name = _name(selected)
    called = f": {name}" if name and kept.shape[1] else ""
    if kept.shape[1] == 0:
        return f"The data break {f'all {total} generators' if total > 1 else 'the generator'}; no symmetry is left."
    if broken == 0:
        what = f"all {total} generators" if total > 1 else "the generator"
        return f"Nothing is broken: the fit keeps {what}{called}."
    left = f"{broken} {'are' if broken > 1 else 'is'} broken because the data insist"
    return f"The fit keeps {kept.shape[1]} of {total} generators{called}; {left}."


_ZERO = "Singular values of generators and values: zero where a combination of generators is kept."
_REFIT = (
    "Singular values of generators and values in the promoted fit from which the refit starts. What is kept is zero in "
    "the refit, however small the promoted fit left it."
)


def broken_figure(fit: Promoted, broken: int) -> Figure:
    """Singular values in descending order: those of so many that are broken, and those that are kept."""
    values = np.asarray(fit.singular_values, dtype=np.float64)
    at = np.arange(1, len(values) + 1, dtype=np.float64)
    traces = []
    for word, run, chosen in (("broken", 1, at <= broken), ("kept", 0, at > broken)):
        dots = _trace("dots", run, word, at[chosen], values[chosen])
        traces.append(dots | {"mode": "markers", "marker": {"symbol": "circle"}})
    layout = _layout(300, {"broken": 1, "kept": 0}) | {
        "xaxis": {"title": {"text": "direction"}, "dtick": max(1, len(at) // 10)},
        "yaxis": {"title": {"text": "singular value"}, "rangemode": "tozero"},
    }
    return {"data": traces, "layout": layout}


def errors_figure(selected: Selected) -> Figure:
    """Cross-validated error as a function of the weight; a weight of zero is drawn at the left edge."""
    lams = np.asarray(selected.lams, dtype=np.float64)
    errors = np.sqrt(np.asarray(selected.errors, dtype=np.float64))
    positive = lams[lams > 0]
    least = float(positive.min()) / 3 if len(positive) else 1.0
    x, chosen = np.maximum(lams, least), max(selected.lam, least)
    ends = np.array([0.0, float(errors[np.isfinite(errors)].max(initial=0.0)) * 1.05])
    line = _trace("line", 0, "error", x, errors)
    edge = _trace("edge", -1, "chosen", np.full(2, chosen), ends)
    layout = _layout(300, {}) | {
        "xaxis": {"type": "log", "title": {"text": "weight of the penalty"}},
        "yaxis": {"title": {"text": "cross-validated error"}, "range": ends.tolist()},
    }
    return {"data": [line, edge], "layout": layout}


def _head(fit: Promoted, selected: Selected | None, kept: NDArray, broken: int) -> str:
    lam = fit.lam if selected is None else selected.lam
    rows = [
        ("kept", f"{kept.shape[1]} of {kept.shape[0]}"),
        ("broken", str(broken)),
        ("called", _name(selected)),
        ("weight", number(float(lam), 2)),
        ("refitted", "" if selected is None else "yes" if selected.refitted else "no"),
        ("duality gap", number(float(fit.gap), 2)),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{html.escape(text)}</dd></div>" for name, text in rows if text)
    return f"<dl class='facts'>{cells}</dl>"


def _name(selected: Selected | None) -> str:
    return "" if selected is None or not selected.penalty.blocks else selected.name


def _reasons(text: str) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(part)}</li>" for part in text.split("; ") if part) + "</ul>"


def _candidates(selected: Selected) -> str:
    rows = []
    for k, one in enumerate(selected.candidates):
        error = float(np.sqrt(selected.candidate_errors[k]))
        name = str(one.rank) if k else f"{one.rank}, as promoted, without a refit"
        rows.append((name, error if np.isfinite(error) else "none near", float(selected.excess[k])))
    note = "Errors of fits that break so many generators, on rows that they have not seen."
    names = ("generators broken", "cross-validated error", "worse by, in standard errors")
    return card("What was compared", table(names, rows), note, wide=True)


def _formula(fit: Promoted | Selected) -> list[str]:
    describe = getattr(fit.field, "describe", None)
    if describe is None:
        return []
    rounded = np.where(np.abs(fit.theta) > _ROUNDING * np.abs(fit.theta).max(initial=0.0), fit.theta, 0.0)
    text = str(describe(rounded))
    return [card("The fit", f"<p><code>{html.escape(text)}</code></p>", wide=True)]
