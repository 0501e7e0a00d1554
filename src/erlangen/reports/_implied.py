"""What a symmetry implies: what stays, what Noether's theorem adds, and the code that enforces it."""

from __future__ import annotations

import html

import numpy as np

from erlangen._render import number
from erlangen.actions import PolynomialAction, behind
from erlangen.reports._meaning import facts, meaning
from erlangen.reports._moves import NOETHER, move_of
from erlangen.reports._page import card, table
from erlangen.verbs import Symmetry

_FOLLOWS = {
    "invariant": "The field has the same value at a point and wherever the flow takes that point.",
    "vector": "The flow takes solutions of the equations to solutions: from one run, all that it moves to are known.",
    "map": "It does not matter whether points are moved before the map or after it.",
}
_GENERIC = float(np.sqrt(np.finfo(np.float64).eps))
"""Share of the largest direction below which a direction at a point is rounding."""

_BEYOND = 3.0
"""Errors of a unit generator beyond which a direction is one: three standard errors."""

MOST_POINTS = 64


def meaning_card(symmetry: Symmetry) -> str:
    """What the name of the algebra says, and what is true because of the symmetry."""
    structure = None if symmetry.structure is None else symmetry.structure.structure
    words = meaning(symmetry.name, structure)
    told = [words] if words else []
    if symmetry.preserves:
        form = symmetry.preserves.removeprefix("preserving ")
        told.append(f"On {', '.join(symmetry.coordinates[:8])} it preserves the form {form}.")
    if symmetry.structure is not None and symmetry.structure.remark:
        told.append(f"{symmetry.structure.remark[:1].upper()}{symmetry.structure.remark[1:]}.")
    body = "".join(f"<p>{html.escape(text)}</p>" for text in told)
    body += f"<h3>What follows</h3><ul>{''.join(f'<li>{html.escape(text)}</li>' for text in follows(symmetry))}</ul>"
    if structure is not None and structure.dim > 1:
        body += f"<details><summary>Facts about the algebra</summary>{table(('', 'what'), facts(structure))}</details>"
    title = f"What {symmetry.name} means" if words else "What this means"
    return card(title, body, wide=True)


def follows(symmetry: Symmetry) -> list[str]:
    """Sentences on what is true because of the symmetry, and on what is conserved."""
    out = [_FOLLOWS.get(symmetry.kind, _FOLLOWS["invariant"])]
    d, reached = len(symmetry.coordinates), orbit_dimension(symmetry)
    if symmetry.kind == "invariant" and reached:
        if reached < d:
            s = "s" * (d - reached > 1)
            out.append(
                f"Orbits have dimension {reached}: near a generic point the field depends on {d - reached} number{s} "
                f"instead of {d}."
            )
        else:
            out.append(f"Orbits fill all {d} dimensions: near a generic point the field is constant.")
    if symmetry.kind == "invariant":
        out += _noether(symmetry)
    if symmetry.kind == "vector":
        out.append(
            "A symmetry of equations of motion conserves something where they come from a Lagrangian or a Hamiltonian "
            "that has the symmetry as well: er.dynamics.noether says what; er.dynamics.conserved asks the data."
        )
    return out


def _noether(symmetry: Symmetry) -> list[str]:
    base = behind(symmetry.candidates)
    if not isinstance(base, PolynomialAction) or base is not symmetry.candidates:
        return []
    moves = [move_of(base.restrict(one.xi[:, None]), symmetry.coordinates) for one in symmetry.found.generators]
    kinds: dict[str, list[str]] = {}
    for move in moves:
        if move.kind in NOETHER:
            kinds.setdefault(move.kind, []).append(move.words)
    if not kinds:
        return []
    told = "; ".join(f"{_few(words)} gives {NOETHER[kind]}" for kind, words in kinds.items())
    return [f"If the field is a Lagrangian, a potential or a Hamiltonian (Noether's theorem): {told}."]


def _few(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"each {words[0].split()[0]} ({len(words)} of them)"


def orbit_dimension(symmetry: Symmetry) -> int:
    """Dimension of the orbits of what was found, at most of the points; 0 where that is not known."""
    base = behind(symmetry.candidates)
    xi = symmetry.found.matrix("generators")
    if len(xi) == 0 or len(symmetry.points) == 0:
        return 0
    x = symmetry.points[:MOST_POINTS]
    speeds = base.restrict(xi[:, : base.n_generators].T).on_points(x) / symmetry.scales.points[: base.point_dim]
    sizes = np.linalg.svd(speeds, compute_uv=False)
    least = max(_GENERIC, _BEYOND * symmetry.noise)
    return int(np.median(np.sum(sizes > least * np.maximum(sizes[:, :1], np.finfo(float).tiny), axis=1)))


def code_card(symmetry: Symmetry) -> str:
    """Lines of Python that put the symmetry to use."""
    text = "\n".join(code(symmetry))
    body = (
        f"<pre id='code' tabindex='0' aria-label='Code'>{html.escape(text)}</pre>"
        f"<button type='button' data-copy='{html.escape(text, quote=True)}'>Copy the code</button>"
    )
    return card(
        "Put it to use", body, "What is found can be enforced, in the language of what it was found from.", True
    )


def code(symmetry: Symmetry) -> list[str]:
    """Lines of Python that enforce a symmetry, by what kind of field it belongs to."""
    d = len(symmetry.coordinates)
    lines = [
        "import erlangen as er",
        "",
        'sym = er.Symmetry.load("symmetry.json")  # after sym.save("symmetry.json")',
        "",
    ]
    family = f"er.fields.Polynomial(degree=3, dim={d})"
    if symmetry.kind == "invariant":
        lines += [
            f"space = er.enforce({family}.as_field(), sym)  # every cubic with this symmetry",
            "model = er.estimators.EquivariantRegressor(sym, degree=3)  # model.fit(X, y), for scikit-learn",
        ]
    else:
        lines.append(f"space = er.enforce({family}.as_vector_field(), sym)  # every cubic field with this symmetry")
    if symmetry.kind == "vector":
        lines.append("model = er.dynamics.SINDy(degree=3, symmetry=sym)  # model.fit(flow): equations of motion")
    if _turns(symmetry):
        target = "S" if symmetry.kind == "invariant" else "V"
        lines.append(f'net = er.nn.EquivariantMLP("V", "{target}", sym, hidden=32)  # a PyTorch module')
    return lines


def _turns(symmetry: Symmetry) -> bool:
    """Whether the generators are rotations, of which networks of vectors are made; scalings leave nothing to learn."""
    base = behind(symmetry.candidates)
    if base is not symmetry.candidates or not isinstance(base, PolynomialAction) or symmetry.dim == 0:
        return False
    moves = [move_of(base.restrict(one.xi[:, None]), symmetry.coordinates) for one in symmetry.found.generators]
    return all(move.kind == "rotation" and "point" not in move.words for move in moves)


def head(symmetry: Symmetry) -> str:
    """The numbers that are read first."""
    sure = symmetry.certificate
    delta = None if symmetry.measurement is None else symmetry.measurement.delta
    found = bool(symmetry.dim or symmetry.found.own)
    worst = float(symmetry.defects.max()) if symmetry.dim else None
    rows = [
        ("algebra", "" if not found else symmetry.name if symmetry.decided else f"perhaps {symmetry.name}"),
        ("generators", str(symmetry.dim)),
        ("candidates", str(symmetry.candidates.n_generators)),
        ("largest defect", "" if worst is None else number(worst, 2)),
        ("allowed, delta", "" if delta is None else number(delta, 2)),
        ("certified", "" if sure is None or not found else f"dimension {sure.dim} at {100 * (1 - sure.alpha):g} %"),
        ("coordinates", ", ".join(symmetry.coordinates[:12]) + (", ..." if len(symmetry.coordinates) > 12 else "")),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{html.escape(text)}</dd></div>" for name, text in rows if text)
    return f"<dl class='facts'>{cells}</dl>"
