"""What a symmetry implies: what stays, what Noether's theorem adds, and the code that enforces it."""

from __future__ import annotations

import html
import re

import numpy as np

from erlangen._render import number
from erlangen.actions import PolynomialAction, behind, matrices_of
from erlangen.reports._meaning import LENGTHS, facts, meaning, same_algebra
from erlangen.reports._moves import Move, move_of
from erlangen.reports._page import card, table
from erlangen.reports._units import units_of
from erlangen.verbs import Symmetry

_FOLLOWS = {
    "invariant": "The field has the same value at a point and wherever the flow takes that point.",
    "vector": "The flow takes solutions of the equations to solutions: from one run, all that it moves to are known.",
    "map": "It does not matter whether points are moved before the map or after it.",
}
_GENERIC = float(np.sqrt(np.finfo(np.float64).eps))
"""Share of the largest direction below which a direction at a point is rounding."""

MOST_POINTS = 64


def meaning_card(symmetry: Symmetry) -> str:
    """What the name of the algebra says, and what is true because of the symmetry."""
    structure = None if symmetry.structure is None else symmetry.structure.structure
    words = (meaning if _keeps_shapes(symmetry) else same_algebra)(symmetry.name, structure)
    told = [words] if words else []
    if symmetry.preserves:
        form = symmetry.preserves.removeprefix("preserving ")
        the = "the form " * form.startswith("diag")
        told.append(f"On {', '.join(symmetry.coordinates[:8])} it preserves {the}{form}.")
    if symmetry.structure is not None and symmetry.structure.remark:
        told.append(f"{symmetry.structure.remark[:1].upper()}{symmetry.structure.remark[1:]}.")
    body = "".join(f"<p>{html.escape(text)}</p>" for text in told)
    body += f"<h3>What follows</h3><ul>{''.join(f'<li>{html.escape(text)}</li>' for text in follows(symmetry))}</ul>"
    if structure is not None and structure.dim > 1:
        body += f"<details><summary>Facts about the algebra</summary>{table(('', 'what'), facts(structure))}</details>"
    title = f"What {symmetry.name} means" if words else "What this means"
    return card(title, body, wide=True)


def _keeps_shapes(symmetry: Symmetry) -> bool:
    """Whether an algebra of rotations, rigid motions or similarities acts as these do: lengths change by one factor."""
    base = behind(symmetry.candidates)
    if not isinstance(base, PolynomialAction) or base is not symmetry.candidates or base.degree > 1:
        return False
    if not all(re.fullmatch(LENGTHS, part) for part in symmetry.name.split("+")):
        return False
    d, units = base.point_dim, units_of(symmetry)
    for one in (*symmetry.found.generators, *symmetry.found.own):
        field = base.restrict(one.xi[:, None])
        linear = matrices_of(field)[0][:d, :d]
        strain = linear + linear.T - 2 * np.trace(linear) / d * np.eye(d)
        size = max(np.linalg.norm(linear), np.linalg.norm(units.matrix(field)))
        if np.linalg.norm(strain) > 2 * units.error * size:
            return False
    return True


def follows(symmetry: Symmetry) -> list[str]:
    """Sentences on what is true because of the symmetry, and on what is conserved."""
    out = [_FOLLOWS.get(symmetry.kind, _FOLLOWS["invariant"])]
    if symmetry.kind == "invariant":
        out += [*_left(symmetry), *_noether(symmetry)]
    if symmetry.kind == "vector":
        out.append(
            "A symmetry of equations of motion conserves something where they come from a Lagrangian that has it as "
            "well, or from a Hamiltonian that has it as well and it is canonical: er.dynamics.noether says what; "
            "er.dynamics.conserved asks the data."
        )
    return out


def _left(symmetry: Symmetry) -> list[str]:
    """On how many numbers the field depends, among those that the samples fill."""
    d, k, reached = len(symmetry.coordinates), span_dimension(symmetry), orbit_dimension(symmetry)
    if not reached:
        return []
    where = "Orbits" if k == d else f"The samples fill {k} of the {d} dimensions. Within them orbits"
    if reached >= k:
        if symmetry.defects.max(initial=0.0) > _GENERIC:
            return [f"{where} fill all {k} dimensions, so some of these are only near: a smaller delta tells which."]
        return [f"{where} fill all {k} dimensions: near a generic point the field is constant."]
    s = "s" * (k - reached > 1)
    return [
        f"{where} have dimension {reached}: near a generic point the field depends on {k - reached} number{s} "
        f"instead of {k}."
    ]


_CANONICAL = (
    "If it is a Hamiltonian over positions and momenta, the theorem needs a generator that is canonical as well "
    "(preserves the bracket of the two); if it is a Lagrangian over positions and velocities, one that moves "
    "velocities as its motion of positions says. er.dynamics.noether tells both, with what is conserved."
)


def _noether(symmetry: Symmetry) -> list[str]:
    """What Noether's theorem says for a potential; on a part of space alone, a potential says nothing of forces."""
    moves = _moves(symmetry)
    if not moves or span_dimension(symmetry) < len(symmetry.coordinates):
        return []
    kinds: dict[str, list[str]] = {}
    for move in moves:
        kinds.setdefault(move.conserves, []).append(move.words)
    others = kinds.pop("", [])
    told = "; ".join(f"{_few(words)} gives {what}" for what, words in kinds.items())
    rest = "conserves something only where it leaves the kinetic energy alone, too"
    clauses = [told] if told else []
    clauses += [f"{'whatever else was found' if told else 'each generator'} {rest}"] if others else []
    potential = "If the field is a potential over positions, and the masses are equal (Noether's theorem)"
    return [f"{potential}: {'; '.join(clauses)}.", _CANONICAL]


def _moves(symmetry: Symmetry) -> list[Move]:
    """What the generators that were found do to points; empty where they have no formula, or move values as well."""
    base = behind(symmetry.candidates)
    if base is not symmetry.candidates or not isinstance(base, PolynomialAction):
        return []
    units, names = units_of(symmetry), symmetry.coordinates
    return [move_of(base.restrict(one.xi[:, None]), names, units) for one in symmetry.found.generators]


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
    least = units_of(symmetry).error  # what is only nearly a symmetry may lean out of an orbit by its defect
    return int(np.median(np.sum(sizes > least * np.maximum(sizes[:, :1], np.finfo(float).tiny), axis=1)))


def span_dimension(symmetry: Symmetry) -> int:
    """Dimension of the affine span of the points; a spread below the square root of rounding is none."""
    d, points = len(symmetry.coordinates), symmetry.points
    if len(points) <= d:
        return d
    sizes = np.linalg.svd((points - points.mean(axis=0)) / symmetry.scales.points[:d], compute_uv=False)
    return int(np.sum(sizes > _GENERIC * sizes[0]))


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
    moves = _moves(symmetry)
    whole = (
        move.kind == "rotation" and "point" not in move.words and "translation" not in move.words for move in moves
    )
    return bool(moves) and all(whole)


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
