"""The story of a subspace of symmetric members: how many there are, and which."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._render import number
from erlangen._typing import NDArray
from erlangen.fields import AbstractLinearField
from erlangen.linalg.subspace import AbstractSubspace
from erlangen.reports._figures import Figure
from erlangen.reports._page import card, html_rows, plot
from erlangen.reports._story import Story

MOST_LISTED = 40
"""Members of a basis that are written out."""

MOST_DRAWN = 120
"""Parameters up to which a basis is drawn as a picture."""


def story(space: AbstractSubspace, data: Any = None) -> Story:
    """Return what a page says of the parameters that a symmetry allows.

    Parameters
    ----------
    space : AbstractSubspace
        What `erlangen.enforce` returned.
    data : AbstractLinearField, optional
        The family of fields that the parameters belong to: members are then written as formulas.
    """
    family = _family(space, data)
    basis = np.asarray(space.sparse_basis(), dtype=np.float64)
    figures: dict[str, Figure] = {}
    cards = [_why(space)]
    if space.dim:
        cards.append(_members(basis, family))
        cards.append(_use(space))
    if 0 < space.ambient_dim <= MOST_DRAWN and space.dim:
        figures["basis"] = basis_figure(basis)
        label = "Coefficients of each basis element: blue is negative, orange positive"
        cards.append(card("The basis as a picture", plot("basis", label), "One row for each element.", wide=True))
    return Story(verdict(space), cards, figures, title="What the symmetry allows", head=_head(space))


def verdict(space: AbstractSubspace) -> str:
    """One sentence: how much freedom the symmetry leaves."""
    if space.dim == 0:
        return f"Nothing but zero is symmetric: the symmetry fixes all {space.ambient_dim} parameters."
    if space.dim == space.ambient_dim:
        return f"Every member of the family is symmetric: all {space.dim} parameters are free."
    s = "s" * (space.dim > 1)
    return f"The symmetry leaves {space.dim} free parameter{s} of {space.ambient_dim}."


def basis_figure(basis: NDArray) -> Figure:
    """The coefficients of each basis element as colours."""
    size = float(np.abs(basis).max(initial=0.0)) or 1.0
    heat = {
        "type": "heatmap", "name": "coefficient", "meta": {"role": "heat", "run": -1}, "xaxis": "x", "yaxis": "y",
        "z": basis.T, "zmin": -size, "zmax": size, "zmid": 0, "xgap": 1, "ygap": 1,
        "x": np.arange(1, len(basis) + 1), "y": np.arange(1, basis.shape[1] + 1),
        "colorscale": [[0, "#0b66b0"], [0.5, "#ffffff"], [1, "#c8510a"]],
        "colorbar": {"thickness": 10, "outlinewidth": 0},
    }  # fmt: skip
    layout = {
        "height": min(120 + 26 * basis.shape[1], 620), "margin": {"l": 56, "r": 8, "t": 8, "b": 48},
        "showlegend": False, "meta": {"legend": []},
        "xaxis": {"title": {"text": "parameter"}}, 
        "yaxis": {"title": {"text": "element"}, "autorange": "reversed", "dtick": max(1, basis.shape[1] // 12)},
    }  # fmt: skip
    return {"data": [heat], "layout": layout}


def _family(space: AbstractSubspace, data: Any) -> AbstractLinearField | None:
    if data is None:
        return None
    if isinstance(data, AbstractLinearField) and data.n_params == space.ambient_dim:
        return data
    given = f"{type(data).__name__}" + (f" of {data.n_params}" if isinstance(data, AbstractLinearField) else "")
    what, expected = "These are not the fields that the parameters belong to.", f"a family of {space.ambient_dim}"
    raise InputError(explain(what, given=given, expected=expected, fix="data=family, as it was given to er.enforce"))


def _head(space: AbstractSubspace) -> str:
    rows = [
        ("free", str(space.dim)),
        ("of parameters", str(space.ambient_dim)),
        ("found by", space.method),
        ("residual", number(space.residual, 2) if np.isfinite(space.residual) else ""),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{html.escape(text)}</dd></div>" for name, text in rows if text)
    return f"<dl class='facts'>{cells}</dl>"


def _why(space: AbstractSubspace) -> str:
    parts = "".join(f"<li>{html.escape(part)}</li>" for part in space.reason.split("; ") if part)
    note = "The conditions of the symmetry are linear in the parameters; what they leave is a subspace."
    return card("Why this many", f"<ul>{parts}</ul>", note, wide=True)


def _members(basis: NDArray, family: AbstractLinearField | None) -> str:
    rows = []
    for k, column in enumerate(basis.T[:MOST_LISTED], 1):
        told = _described(family, column) or ", ".join(
            f"{number(float(v), 3)} at {j + 1}" for j, v in enumerate(column) if v
        )
        rows.append([(str(k), False), (f"<code>{html.escape(told)}</code>", False)])
    more = basis.shape[1] - len(rows)
    left = f"<p class='soft'>{more} more are not written out.</p>" if more > 0 else ""
    return card("A basis, sparse as it can be", html_rows(("", "element"), rows) + left, wide=True)


def _described(family: AbstractLinearField | None, theta: NDArray) -> str:
    describe = getattr(family, "describe", None)
    return "" if describe is None else str(describe(theta))


def _use(space: AbstractSubspace) -> str:
    lines = (
        "theta = space.project(theta)              # the nearest symmetric parameters",
        "basis = space.to_dense()                  # orthonormal columns: fit their coefficients",
        f"free = space.coordinates(theta)           # {space.dim} numbers instead of {space.ambient_dim}",
    )
    text = "\n".join(lines)
    button = f"<button type='button' data-copy='{html.escape(text, quote=True)}'>Copy the code</button>"
    return card("Put it to use", f"<pre tabindex='0'>{html.escape(text)}</pre>{button}", wide=True)
