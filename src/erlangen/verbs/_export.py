"""Words, formulas and files of a Symmetry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from erlangen._errors import UndecidedError
from erlangen._render import field_latex, number
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction, UnknownOutput, matrices_of
from erlangen.derivative import move
from erlangen.fields import carry

if TYPE_CHECKING:
    from erlangen.verbs.symmetry import Symmetry


def verdict(sym: Symmetry) -> str:
    """One sentence: what was found, why nothing was, or why the data do not decide."""
    offered = f"{sym.candidates.n_generators} candidates"
    if sym.agreement is not None and not sym.agreement.agrees:
        return f"Not decided: {sym.agreement.reason}."
    if sym.dim == 0 and not sym.found.own:
        if not sym.decided:
            return f"Not decided, whether a field on R^{sym.candidates.point_dim} has a symmetry: {_why_none(sym)}."
        return f"No continuous symmetry of the field on R^{sym.candidates.point_dim} among {offered}: {_why_none(sym)}."
    preserved = f" {sym.preserves}" if sym.preserves else ""
    count = f"{sym.dim} generator{'' if sym.dim == 1 else 's'}"
    own = f" besides {len(sym.found.own)} built from the field itself" if sym.found.own else ""
    if not sym.decided:
        allowed = f"the data allow {sym.name} to {number(sym.resolution, 2)}{preserved and ',' + preserved}"
        return f"Not decided: {allowed}: {count}{own} among {offered}; {sym.decision.reason}."
    return f"{sym.name}{preserved}: {count}{own} among {offered}; {sym.decision.reason}."


def _why_none(sym: Symmetry) -> str:
    if len(sym.spectrum) == 0:
        if sym.vacuous.shape[1]:
            return "the field does not vary on the samples beyond its accuracy, so it says nothing about any of them"
        return "no candidate moves the samples"
    if sym.found.refused:
        return sym.found.refused[0].reason
    if sym.found.uncovered:
        return (
            f"{len(sym.found.uncovered)} directions leave the span or the local tangents of the data, "
            "and nothing is known about them"
        )
    return sym.decision.reason


def notes(sym: Symmetry) -> list[str]:
    """Remarks below the table: what was set apart, how the dimension depends on delta."""
    out = [sym.decision.reason]
    if sym.structure is not None and sym.structure.remark:
        out.append(sym.structure.remark)
    if sym.dim:
        out.append(sym.found.generators[-1].reason)
    if sym.agreement is not None:
        out.append(sym.agreement.reason)
    if sym.certificate is not None:
        out.append(f"evidence ({sym.certificate.mode}): {sym.certificate.verdict}")
    elif sym.lie is not None and (sym.dim or sym.found.own):
        out.append(f"evidence: none by default, {sym.no_certificate}; see er.evidence.certify")
    if sym.inert.shape[1]:
        out.append(f"{sym.inert.shape[1]} candidates are inert: they move nothing on the samples")
    if sym.vacuous.shape[1]:
        out.append(f"{sym.vacuous.shape[1]} candidates are vacuous: the field does not vary where they move the points")
    if sym.found.uncovered:
        out.append(
            f"{len(sym.found.uncovered)} directions have no coverage: "
            "they leave the span or the local tangents of the data"
        )
    out += [f"refused: {sym.describe(g.xi)} ({g.reason})" for g in sym.found.refused]
    steps = [f"{dim} at {number(delta, 2)}" for delta, dim in sym.path[:8]]
    if steps:
        out.append("dimension as a function of delta: " + ", ".join(steps) + (", ..." if len(sym.path) > 8 else ""))
    if isinstance(sym.candidates, UnknownOutput):
        p = pair_dimensions(sym)
        out.append(
            f"{p['invariances']} invariances, {p['output_only']} output-only pairs, {p['projection']} input generators"
        )
    return out


def pair_dimensions(sym: Symmetry) -> dict[str, int]:
    """Dimensions of the invariances, of the output-only pairs and of the projection on input generators.

    An output-only pair (0, B) has B f = 0: it moves nothing and stands among the inert directions.
    """
    xi, inert = sym.found.matrix().reshape(-1, sym.candidates.n_generators), sym.inert.T
    p = sym.candidates.base.n_generators if isinstance(sym.candidates, UnknownOutput) else sym.candidates.n_generators
    inputs = _rank(xi[:, :p])
    output_only = len(xi) - inputs + len(inert) - _rank(inert[:, :p])
    return {"invariances": len(xi) - _rank(xi[:, p:]), "output_only": output_only, "projection": inputs}


def _rank(rows: NDArray) -> int:
    if rows.size == 0:
        return 0
    s = np.linalg.svd(rows, compute_uv=False)
    return int(np.sum(s > 1e-6 * max(s[0], 1e-300))) if s[0] > 0 else 0


def matrices(sym: Symmetry) -> NDArray:
    """Matrices of the generators: ``(dim, d, d)`` where all are linear, else ``(dim, d + 1, d + 1)``."""
    base = _points_action(sym)
    affine = matrices_of(base.restrict(sym.generators[:, : base.n_generators].T))
    d = base.point_dim
    return affine[:, :d, :d] if not affine[:, :d, d:].any() else affine


def _points_action(sym: Symmetry) -> PolynomialAction:
    from erlangen.verbs.symmetry import require_polynomial

    return require_polynomial(sym.candidates)


def _formulas(sym: Symmetry) -> tuple[NDArray, NDArray]:
    base = _points_action(sym)
    rows = base.restrict(sym.generators[:, : base.n_generators].T) if sym.dim else None
    d, r = base.point_dim, len(base.exponents)
    return base.exponents, np.zeros((0, d, r)) if rows is None else rows.coefficients


def to_sympy(sym: Symmetry) -> list[list[Any]]:
    """Components of each generator as SymPy expressions; small fractions become exact."""
    import sympy

    symbols = [sympy.Symbol(n, real=True) for n in sym.coordinates]
    table, coefficients = _formulas(sym)
    monomials = [sympy.Mul(*[s ** int(e) for s, e in zip(symbols, row, strict=True)]) for row in table]
    return [
        [sympy.Add(*[_exact(c) * m for c, m in zip(row, monomials, strict=True) if c]) for row in generator]
        for generator in coefficients
    ]


def _exact(value: float) -> Any:
    import sympy

    near = sympy.Rational(str(round(value, 12))).limit_denominator(64)
    return near if abs(float(near) - value) <= 8 * np.finfo(float).eps * max(1.0, abs(value)) else sympy.Float(value)


def to_latex(sym: Symmetry) -> str:
    """The generators as a LaTeX ``aligned`` block."""
    table, coefficients = _formulas(sym)
    lines = [rf"\xi_{{{k + 1}}} &= {field_latex(table, c, sym.coordinates)}" for k, c in enumerate(coefficients)]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def to_dict(sym: Symmetry) -> dict[str, Any]:
    """Everything that prints, as plain numbers and strings."""
    return {
        "kind": "symmetry",
        "verdict": sym.verdict,
        "dim": sym.dim,
        "name": sym.name,
        "aliases": list(sym.structure.structure.aliases) if sym.structure and sym.structure.structure else [],
        "decided": sym.decided,
        "preserves": sym.preserves,
        "coordinates": list(sym.coordinates),
        "n_candidates": sym.candidates.n_generators,
        "directions": sym.table(),
        "intervals": sym.intervals.tolist(),
        "inert": sym.inert.shape[1],
        "vacuous": sym.vacuous.shape[1],
        "spectrum": sym.spectrum[:64].tolist(),
        "floor": sym.floor,
        "resolution": sym.resolution,
        "path": [{"delta": delta, "dim": dim} for delta, dim in sym.path[:64]],
        "reason": sym.decision.reason,
        "margin": sym.decision.margin if np.isfinite(sym.decision.margin) else None,
        "agreement": None if sym.agreement is None else sym.agreement.reason,
        "notes": notes(sym),
        "evidence": None if sym.certificate is None else sym.certificate.to_dict(),
    }


def to_html(sym: Symmetry, table: Callable) -> str:
    """A table for notebooks; every cell is escaped."""
    from html import escape

    rows = [[r["generator"], number(r["defect"], 2), r["verdict"]] for r in sym.table()]
    items = "".join(f"<li>{escape(line)}</li>" for line in notes(sym))
    head = f"<p><b>{escape(sym.verdict)}</b></p>"
    return f"<div>{head}{table(['generator', 'defect', 'verdict'], rows)}<ul>{items}</ul></div>"


@dataclass(frozen=True, eq=False)
class Transformations:
    """Finite transformations drawn from a symmetry.

    Attributes
    ----------
    action : AbstractAction
        The generators, with what they do to values.
    xi : ndarray (n, p)
        One random generator per transformation; it is followed for unit time.
    matrices : ndarray (n, k, k) or None
        The transformations as matrices, where the action is linear (k = d) or affine (k = d + 1).
    """

    action: AbstractAction
    xi: NDArray
    matrices: NDArray | None

    def __len__(self) -> int:
        return len(self.xi)

    def __call__(self, k: int, x: NDArray, values: NDArray | None = None) -> Any:
        """Transform points ``(n, d)``, and values ``(n, c)`` where given, by the k-th transformation."""
        carried = np.zeros((len(x), 1)) if values is None else values
        points, moved = move(self.action, self.xi[k], 1.0, np.asarray(x, dtype=np.float64), carried)
        return points if values is None else (points, moved)


def draw(sym: Symmetry, n: int, extent: float, rng: np.random.Generator) -> Transformations:
    """Random elements of the group near the identity; see :meth:`Symmetry.sample`."""
    if sym.dim == 0:
        raise UndecidedError("There is no symmetry to draw transformations from.")
    from scipy.linalg import expm

    lifted = carry(sym.kind, sym.candidates).restrict(sym.generators.T)
    speed = np.sqrt(np.mean(np.sum((lifted.on_points(sym.points) / sym.scales.points) ** 2, axis=2), axis=0))
    xi = rng.normal(size=(n, sym.dim)) * extent / np.maximum(speed, np.finfo(float).tiny)
    base = _points_action(sym)
    if base.degree > 1:
        return Transformations(lifted, xi, None)
    return Transformations(lifted, xi, np.array([expm(a) for a in np.einsum("nr,rab->nab", xi, matrices(sym))]))
