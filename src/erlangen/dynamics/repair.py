"""Repair equations: which terms of a right-hand side are wrong, missing or too many, from trajectories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._render import number
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction
from erlangen.dynamics._equation_terms import formula_text, powers_of
from erlangen.dynamics._explain import settle
from erlangen.dynamics._imperfect import RightHandSide, in_order, refuse_controls
from erlangen.dynamics._library import Candidates, candidates
from erlangen.dynamics._misfit import misfit_of
from erlangen.dynamics._parts import as_equations, symmetric_basis, texts_of
from erlangen.dynamics._support import BY_CHANCE, SHARE
from erlangen.dynamics._windows import Rows
from erlangen.dynamics.equations import Equations
from erlangen.fields.libraries import AbstractLibrary, Expressions, Polynomial
from erlangen.fields.trajectories import Trajectories

__all__ = ["Edit", "Repair", "repair"]


@dataclass(frozen=True)
class Edit(AbstractShown):
    """What became of one term of one equation.

    Attributes
    ----------
    coordinate, term : str
        Where it stands; the term as it is printed, ``"1"`` for the constant.
    kind : {"kept", "changed", "dropped", "added"}
        What became of it.
    before, after : float
        Coefficients; 0 where there was or is none.
    error : float
        Standard error of the coefficient that was found; 0 where there is none.
    """

    coordinate: str
    term: str
    kind: str
    before: float
    after: float
    error: float

    def __str__(self) -> str:
        term = "" if self.term == "1" else f" {self.term}"
        where = f"{self.coordinate}': "
        if self.kind in ("kept", "dropped"):
            return f"{where}{self.kind} {number(self.before, 4)}{term}"
        spread = f" (+- {number(self.error, 2)})"
        if self.kind == "added":
            return f"{where}added {number(self.after, 4)}{term}{spread}"
        return f"{where}changed {number(self.before, 4)}{term} to {number(self.after, 4)}{term}{spread}"


@dataclass(frozen=True, eq=False)
class Repair(AbstractShown):
    """Equations with an edit list.

    Attributes
    ----------
    original, equations : Equations
        As given, and as the data have them.
    edits : tuple of Edit
        One for each term that was or is there.
    reason : str
        Where the answer is from.
    """

    original: Equations
    equations: Equations
    edits: tuple[Edit, ...]
    reason: str

    @property
    def changes(self) -> tuple[Edit, ...]:
        """The edits that change something."""
        return tuple(edit for edit in self.edits if edit.kind != "kept")

    def __str__(self) -> str:
        return "\n".join(map(str, self.changes)) if self.changes else "nothing to repair"


def repair(
    equations: Equations | Mapping[str, str],
    flow: Trajectories,
    *,
    degree: int = 3,
    library: AbstractLibrary | None = None,
    symmetry: Any = None,
) -> Repair:
    """Correct equations by data: drop terms, add terms, change coefficients.

    Offered are the terms of the equations, in every equation; monomials; and with a symmetry the images of the terms
    under its generators. Terms that are there cost less than new ones.

    Parameters
    ----------
    equations : Equations or mapping of str to str
        The right-hand side, perhaps with wrong, missing or superfluous terms.
    flow : Trajectories
        Runs of the same coordinates.
    degree : int, default=3
        Degree of the monomials that are offered; at least that of the equations.
    library : AbstractLibrary, optional
        More functions that may be missing.
    symmetry : AbstractAction, Symmetry, Group or list of matrices, optional
        A symmetry of the truth, which ties coefficients.

    Returns
    -------
    Repair
        The equations, and what was done to each term.

    Raises
    ------
    InputError
        Where equations and data have different coordinates.
    UndecidedError
        Where there are too few data, or terms that they do not tell apart.

    References
    ----------
    Brunton, Proctor, Kutz, PNAS 113, 2016, 3932-3937, for sparse identification; see `SINDy`.

    Examples
    --------
    >>> import numpy as np
    >>> from erlangen.fields import Trajectories
    >>> truth = Equations.from_text({"x": "v", "v": "-x - 0.2*v"})
    >>> t = np.linspace(0, 8, 161)
    >>> flow = Trajectories.from_arrays(truth.simulate([1.0, 0.0], t).states, t, names=["x", "v"])
    >>> fixed = repair({"x": "v", "v": "-1.2*x + x**2"}, flow)
    >>> print(fixed.equations)
    x' = v
    v' = -x - 0.2 v
    >>> [(edit.kind, edit.term) for edit in fixed.changes]
    [('dropped', 'x^2'), ('changed', 'x'), ('added', 'v')]
    """
    given = equations if isinstance(equations, Equations) else Equations.from_text(equations)
    refuse_controls(flow)
    given = in_order(given, flow.names)
    if given.names != flow.names or given.controls:
        raise InputError(
            explain(
                "The equations and the data have different coordinates.",
                given=f"equations in {', '.join(given.variables)}; data in {', '.join(flow.names)}",
                expected="the same names, no controls",
                fix="Trajectories.from_arrays(..., names=[...])",
            )
        )
    family = _family(given, degree, library, symmetry)
    family.check_finite(flow.points)
    start = _coefficients(family, given)
    misfit = misfit_of(family, RightHandSide(np.zeros_like, None), flow, start)
    if symmetry is None:
        columns, expected = np.eye(len(start)), start != 0.0
    else:
        columns = symmetric_basis(family, symmetry, flow.points)
        expected = (np.abs(columns.T) @ np.abs(start)) > 0.0
    texts = (
        texts_of(family, given.names)
        if symmetry is None
        else [f"symmetric field {j + 1}" for j in range(columns.shape[1])]
    )
    found = settle(misfit, columns, texts, expected, start)
    errors = np.sqrt(np.clip(np.einsum("ij,jk,ik->i", columns, found.choice.covariance, columns), 0.0, None))
    within = np.maximum(np.sqrt(BY_CHANCE) * errors, SHARE * np.abs(start))
    kept = (start != 0.0) & (found.theta != 0.0) & (np.abs(found.theta - start) <= within)
    theta = found.theta if symmetry is not None else _held(found.theta, start, kept, found.rows)
    reason = f"{misfit.reason}; {len(start)} coefficients offered, {int(np.count_nonzero(theta))} found"
    repaired = as_equations(family, given.names, theta, np.where(theta != 0.0, errors, 0.0))
    return Repair(given, repaired, _edits(given, family, start, theta, errors, kept), reason)


def _held(theta: NDArray, start: NDArray, kept: NDArray, rows: Rows) -> NDArray:
    """Coefficients with those that are kept held at what they were."""
    rest = np.flatnonzero((theta != 0.0) & ~kept)
    out = np.where(kept, start, 0.0)
    if rest.size:
        design = rows.design[:, rest]
        sizes = np.linalg.norm(design, axis=0)
        out[rest] = np.linalg.lstsq(design / sizes, rows.target - rows.design @ out, rcond=None)[0] / sizes
    return out


def _edits(
    given: Equations, family: Candidates, start: NDArray, theta: NDArray, errors: NDArray, kept: NDArray
) -> tuple[Edit, ...]:
    """What became of each term, by equation: dropped ones, changed ones, added ones, kept ones."""
    r, out = len(family.texts), []
    for j in np.flatnonzero((start != 0.0) | (theta != 0.0)):
        kind = "kept" if kept[j] else "dropped" if theta[j] == 0.0 else "added" if start[j] == 0.0 else "changed"
        values = float(start[j]), float(theta[j]), float(errors[j]) if theta[j] != 0.0 else 0.0
        out.append(Edit(given.names[j // r], family.texts[j % r] or "1", kind, *values))
    order = ("dropped", "changed", "added", "kept")
    return tuple(sorted(out, key=lambda e: (given.names.index(e.coordinate), order.index(e.kind))))


def _family(given: Equations, degree: int, library: AbstractLibrary | None, symmetry: Any) -> Candidates:
    """Monomials up to the degree of the equations, their other terms, and what a symmetry makes of these."""
    formulas = [Formula(text, given.names) for text in given.terms]
    degrees = [sum(powers) for powers in map(powers_of, formulas) if powers is not None]
    others = [f for f in formulas if powers_of(f) is None]
    texts = dict.fromkeys(str(f) for f in others)
    for action in [symmetry] if isinstance(symmetry, AbstractAction) else []:
        texts.update(dict.fromkeys(_images(others, action, given.names)))
    whole: AbstractLibrary = Polynomial(max(degree, *degrees, 1))
    if texts:
        whole = whole + Expressions(*texts)
    return candidates(whole if library is None else whole + library, 0, given.names)


def _images(formulas: list[Formula], action: AbstractAction, names: tuple[str, ...]) -> list[str]:
    """Terms of ``xi . grad phi`` for each function phi and each generator xi that is a polynomial."""
    if not isinstance(action, PolynomialAction) or not formulas:
        return []
    import sympy

    symbols = [sympy.Symbol(name, real=True) for name in names]
    monomials = [sympy.Mul(*(s ** int(e) for s, e in zip(symbols, row, strict=True))) for row in action.exponents]
    p, d = action.n_generators, action.point_dim
    out: list[str] = []
    for generator in action.coefficients.reshape(p, d, -1):
        for formula in formulas:
            image = sympy.Integer(0)
            for name, row in zip(names, generator, strict=True):
                speed = sum((sympy.nsimplify(c) * m for c, m in zip(row, monomials, strict=True)), sympy.Integer(0))
                image += speed * formula.derivative(name).to_sympy()
            terms = Equations.from_sympy({names[0]: image, **dict.fromkeys(names[1:], sympy.Integer(0))}).terms
            out += [text for text in terms if powers_of(Formula(text, names)) is None]
    return out


def _coefficients(family: Candidates, given: Equations) -> NDArray:
    """Parameters of the family that make the given equations."""
    places = {_key(text, given.names): j for j, text in enumerate(family.texts)}
    out = np.zeros((len(given.names), len(family.texts)))
    for text, column in zip(given.terms, given.coefficients.T, strict=True):
        out[:, places[_key(text, given.names)]] += column
    return out.ravel()


def _key(text: str, names: tuple[str, ...]) -> object:
    formula = Formula(formula_text(text, names), names)
    return powers_of(formula) or str(formula)
