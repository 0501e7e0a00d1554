r"""Noether's theorem for Lagrangians and Hamiltonians, with what stands in its way where there is no quantity.

A generator :math:`\tau\,\partial_t + \eta\,\partial_q` is a symmetry of L(t, q, v) up to a total derivative where

.. math:: X^{(1)} L + L\, D\tau = D B, \qquad D = \partial_t + v\,\partial_q,

for some gauge term B(t, q), and then :math:`p\,(\eta - v\,\tau) + L\,\tau - B` is conserved, with
:math:`p = \partial L / \partial v`. B is sought in a library: linear equations at points.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._render import _signed_sum, number
from erlangen.actions import PolynomialAction, Prolonged, fields
from erlangen.algebra._rounding import simplest_fractions
from erlangen.algebra.readable import readable_basis
from erlangen.derivative import Samples
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.fields.libraries import AbstractLibrary, Features, Polynomial
from erlangen.verbs import Symmetry

__all__ = ["NoetherCharge"]

_POINTS = 600
"""Points at which identities are compared, where nobody says where; those outside the domain are left out."""
_DENOMINATOR = 1000
"""Largest denominator of a fraction that a person writes."""
_SOLVED = float(np.finfo(np.float64).eps) ** 0.5
"""Relative residual up to which an identity holds: rounding, after the conditioning of a library."""


@dataclass(frozen=True, eq=False)
class NoetherCharge:
    """What a symmetry conserves, or the evidence that nothing of the library does it.

    Attributes
    ----------
    exists : bool
        Whether there is a conserved quantity.
    text : str
        The quantity, empty where there is none.
    generator : str
        The symmetry.
    gauge : str
        The gauge term B of a Lagrangian, ``"0"`` where none is needed.
    defect : float
        What is left of the identity, relative to its terms.
    reason : str
        Why, in words.
    formula : Formula or None
        The quantity as a formula, to be evaluated or differentiated.
    """

    exists: bool
    text: str
    generator: str
    gauge: str
    defect: float
    reason: str
    formula: Formula | None

    def value(self, x: ArrayLike) -> NDArray:
        """Values ``(n,)`` at points ``x (n, d)`` in the variables of the formula: time, positions, velocities.

        Raises
        ------
        InputError
            Where there is no quantity.
        """
        if self.formula is None:
            raise InputError(
                explain("Nothing is conserved.", given=self.reason, expected="exists", fix="another symmetry")
            )
        points = np.asarray(x, dtype=np.float64)
        return self.formula.evaluate(dict(zip(self.formula.variables, points.T, strict=True)))

    def __str__(self) -> str:
        head = f"{self.text} is conserved" if self.exists else "Nothing is conserved"
        gauge = f" (gauge term {self.gauge})" if self.exists and self.gauge != "0" else ""
        return f"{head}, by {self.generator}{gauge}: {self.reason}."

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


def lagrangian_charges(
    lagrangian: str,
    symmetry: Any,
    positions: Sequence[str],
    velocities: Sequence[str],
    time: str,
    library: AbstractLibrary | None,
    samples: Samples | ArrayLike | None,
) -> tuple[NoetherCharge, ...]:
    """Conserved quantities of the generators of a symmetry; see `noether`."""
    m = len(positions)
    if not m or len(velocities) != m:
        raise InputError(
            explain(
                "Each position has one velocity.",
                given=f"positions {', '.join(positions)}; velocities {', '.join(velocities)}",
                expected="as many velocities as positions, in the same order",
                fix='positions=("x",), velocities=("v",)',
            )
        )
    names = (time, *positions, *velocities)
    function = Formula(lagrangian, names)
    base = _point_action(symmetry, (time, *positions))
    features = (library or Polynomial(degree=2)).bind((time, *positions))
    x = _points([function], names, samples)
    terms = _terms(function, base, x, names, m)
    drift = _drift(features, x, m)
    rows = _variational(terms.sum(axis=2), np.linalg.norm(np.abs(terms).sum(axis=2), axis=0), drift)
    alone = np.eye(base.n_generators)
    # What is left of single generators, once those that conserve something are taken out, is listed with its evidence.
    q, _ = np.linalg.qr(rows.T)
    outside = [e for e in alone if np.linalg.norm(e - q @ (q.T @ e)) > _SOLVED]
    return tuple(_charge(function, base.restrict(row[:, None]), features, x, names, m) for row in [*rows, *outside])


def _terms(function: Formula, base: PolynomialAction, x: NDArray, names: tuple[str, ...], m: int) -> NDArray:
    """Terms ``(n, p, 2 + 2 m)`` of ``X L + L D tau`` for each generator."""
    columns = dict(zip(names, x.T, strict=True))
    value, slope = function.evaluate(columns), function.gradient(columns)
    along = np.hstack([np.ones((len(x), 1)), x[:, 1 + m :]])
    rate = base.derivative_along(x[:, : 1 + m], along)[:, :, 0]
    return np.concatenate([slope[:, None] * Prolonged(base).on_points(x), (value[:, None] * rate)[:, :, None]], axis=2)


def _drift(features: Features, x: NDArray, m: int) -> NDArray:
    """Total derivatives ``(n, q)`` of the functions of the library."""
    along = np.hstack([np.ones((len(x), 1)), x[:, 1 + m :]])
    return np.einsum("nqa,na->nq", features.basis.gradients(x[:, : 1 + m]), along)


def _variational(left: NDArray, sizes: NDArray, drift: NDArray) -> NDArray:
    """Combinations of generators, as rows ``(r, p)``, for which the identity holds with some gauge term."""
    scale = np.where(sizes > 0, sizes, 1.0)
    norms = np.linalg.norm(drift, axis=0)
    u, s, _ = np.linalg.svd(drift[:, norms > 0] / norms[norms > 0], full_matrices=False)
    u = u[:, s > _SOLVED * s.max(initial=0.0)]
    rest = left / scale
    rest = rest - u @ (u.T @ rest)
    _, s, vt = np.linalg.svd(rest, full_matrices=True)
    s = np.r_[s, np.zeros(len(vt) - len(s))]
    rows = vt[s <= _SOLVED] / scale
    return readable_basis(rows).coefficients if len(rows) else rows


def _charge(
    function: Formula, one: PolynomialAction, features: Features, x: NDArray, names: tuple[str, ...], m: int
) -> NoetherCharge:
    terms = _terms(function, one, x, names, m)[:, 0]
    left, size = terms.sum(axis=1), np.linalg.norm(np.abs(terms).sum(axis=1))
    drift = _drift(features, x, m)
    numbers, rest = _combination(drift, left)
    text = one.describe(np.ones(1), names[: 1 + m])
    defect = float(rest / size) if size > 0 else 0.0
    if defect > _SOLVED:
        alone = float(np.linalg.norm(left) / size)
        reason = (
            f"X L + L D tau is no total derivative D B of any B in the {features.size} functions of the library: "
            f"{defect:.2g} of its terms is left, {alone:.2g} without B"
        )
        return NoetherCharge(False, "", text, "0", defect, reason, None)
    gauge = _signed_sum([(c, t) for c, t in zip(numbers, features.texts, strict=True) if c], number, " ")
    parts = _parts(function, one, features, numbers, names, m)
    reason = f"the identity holds to {max(defect, np.finfo(float).eps):.1g} at {len(x)} points"
    return NoetherCharge(True, _tidy(parts), text, gauge, defect, reason, Formula(parts, names))


def _combination(columns: NDArray, target: NDArray) -> tuple[NDArray, float]:
    """Coefficients ``(q,)`` of the target in columns ``(n, q)``, rounded where that is as good, and what is left."""
    sizes = np.linalg.norm(columns, axis=0)
    used = np.flatnonzero(sizes > 0)
    out = np.zeros(columns.shape[1])
    if np.linalg.norm(target) == 0 or not used.size:
        return out, float(np.linalg.norm(target))
    out[used] = np.linalg.lstsq(columns[:, used] / sizes[used], target, rcond=None)[0] / sizes[used]
    rest = float(np.linalg.norm(target - columns @ out))
    close = np.full(len(out), _SOLVED) * np.linalg.norm(target) / np.where(sizes > 0, sizes, 1.0)
    near = np.array([0.0 if f is None else float(f) for f in simplest_fractions(out, close)])
    rounded = float(np.linalg.norm(target - columns @ near))
    return (near, rounded) if rounded <= max(2 * rest, _SOLVED * float(np.linalg.norm(target))) else (out, rest)


def _parts(
    function: Formula, one: PolynomialAction, features: Features, numbers: NDArray, names: tuple[str, ...], m: int
) -> str:
    """The quantity ``p (eta - v tau) + L tau - B`` as a formula."""
    tau, *eta = _components(one, names[: 1 + m])
    pieces = []
    for v, e in zip(names[1 + m :], eta, strict=True):
        moved = e if tau == "0" else f"({e}) - {v}*({tau})"
        if moved != "0" and str(function.derivative(v)) != "0":
            pieces.append(f"({function.derivative(v)})*({moved})")
    pieces += [f"({function})*({tau})"] if tau != "0" else []
    pieces += [f"({-float(c)!r})*({_read(t)})" for c, t in zip(numbers, features.texts, strict=True) if c]
    return " + ".join(pieces) or "0"


def _components(one: PolynomialAction, names: Sequence[str]) -> list[str]:
    table, rows = one.exponents, one.coefficients[0]
    words = ["*".join(f"{n}**{int(e)}" for n, e in zip(names, row, strict=True) if e) or "1" for row in table]
    return [" + ".join(f"{float(c)!r}*{w}" for c, w in zip(row, words, strict=True) if c) or "0" for row in rows]


def _read(text: str) -> str:
    """A printed function, ``x^2 y``, as a formula."""
    return text.replace("^", "**").replace(" ", "*") if "(" not in text else text.replace("^", "**")


def _tidy(text: str) -> str:
    """The same formula as a person would write it: multiplied out, whole numbers without a point."""
    import sympy

    def simple(c: Any) -> Any:
        near = Fraction(float(c)).limit_denominator(_DENOMINATOR)
        return sympy.Rational(near.numerator, near.denominator) if float(near) == float(c) else c

    expression = sympy.expand(Formula(text).to_sympy()).replace(lambda e: e.is_Float, simple)
    return str(sympy.expand(expression)).replace("**", "^").replace("*", " ")


def hamiltonian_charges(
    hamiltonian: str,
    symmetry: Any,
    space: PhaseSpace,
    library: AbstractLibrary | None,
    samples: Samples | ArrayLike | None,
) -> tuple[NoetherCharge, ...]:
    """Functions whose Hamiltonian flow is a generator, and whether the flow of H conserves them; see `noether`."""
    names = space.names
    energy = Formula(hamiltonian, names)
    action = _point_action(symmetry, names)
    features = (library or Polynomial(degree=2)).bind(names)
    x = _points([energy], names, samples)
    force = energy.gradient(dict(zip(names, x.T, strict=True)))
    slopes = features.basis.gradients(x)
    flows = np.einsum("ab,nqb->naq", space.matrix, slopes).reshape(-1, features.size)
    return tuple(
        _momentum(action.restrict(row[:, None]), features, flows, slopes, force, x, space)
        for row in np.eye(action.n_generators)
    )


def _momentum(
    one: PolynomialAction,
    features: Features,
    flows: NDArray,
    slopes: NDArray,
    force: NDArray,
    x: NDArray,
    space: PhaseSpace,
) -> NoetherCharge:
    target = one.on_points(x)[:, 0].ravel()
    size = float(np.linalg.norm(target))
    numbers, rest = _combination(flows, target)
    text, defect = one.describe(np.ones(1), space.names), rest / size
    if defect > _SOLVED:
        reason = (
            f"no function among the {features.size} of the library generates it: {defect:.2g} of it is left. Scalings, "
            "for one, do not preserve the Poisson bracket"
        )
        return NoetherCharge(False, "", text, "0", defect, reason, None)
    slope = np.einsum("nqa,q->na", slopes, numbers)
    terms = (slope @ space.matrix) * force
    total = float(np.linalg.norm(np.abs(terms).sum(axis=1)))
    bracket = float(np.linalg.norm(terms.sum(axis=1))) / total if total > 0 else 0.0
    formula = Formula(
        " + ".join(f"({float(c)!r})*({_read(t)})" for c, t in zip(numbers, features.texts, strict=True) if c),
        space.names,
    )
    shown = _signed_sum([(c, t) for c, t in zip(numbers, features.texts, strict=True) if c], number, " ")
    if bracket > _SOLVED:
        reason = f"{shown} generates it, but its bracket with H does not vanish: {bracket:.2g} of the terms is left"
        return NoetherCharge(False, "", text, "0", bracket, reason, None)
    reason = f"it generates this flow to {max(defect, np.finfo(float).eps):.1g}, and its bracket with H vanishes"
    return NoetherCharge(True, shown, text, "0", max(defect, bracket), reason, formula)


def _point_action(symmetry: Any, names: Sequence[str]) -> PolynomialAction:
    """Generators on the named coordinates, given as a symmetry found, an action, or formulas of components."""
    action = symmetry.action if isinstance(symmetry, Symmetry) else symmetry
    if isinstance(action, Prolonged):
        action = action.base
    if isinstance(action, (list, tuple)):
        rows = [action] if action and isinstance(action[0], str) else list(action)
        action = fields(rows, names)
    if not isinstance(action, PolynomialAction) or action.point_dim != len(names):
        given = f"{type(action).__name__}" + (
            f" on R^{action.point_dim}" if isinstance(action, PolynomialAction) else ""
        )
        raise InputError(
            explain(
                "The symmetry does not act on these coordinates.",
                given=given,
                expected=f"polynomial generators in {', '.join(names)}, or formulas of their {len(names)} components",
                fix=f"symmetry={['1', *['0'] * (len(names) - 1)]}",
            )
        )
    return replace(action, output=None)


def _points(formulas: Sequence[Formula], names: Sequence[str], samples: Samples | ArrayLike | None) -> NDArray:
    """Points ``(n, d)`` at which formulas and their slopes are finite."""
    if samples is None:
        rng = np.random.default_rng(len(names))
        half = _POINTS // 2
        x = np.vstack([rng.normal(size=(half, len(names))), rng.uniform(0.2, 1.2, size=(half, len(names)))])
    else:
        x = samples.points if isinstance(samples, Samples) else Samples.from_data(samples).points
    columns = dict(zip(names, x.T, strict=True))
    fine = np.all(
        [np.isfinite(np.column_stack([f.evaluate(columns), f.gradient(columns)])).all(axis=1) for f in formulas], axis=0
    )
    if fine.sum() < 20:
        raise InputError(
            explain(
                "The function is finite at too few points.",
                given=f"{int(fine.sum())} of {len(x)} points",
                expected="points inside its domain",
                fix="samples=er.Samples.box(0.5, 1.5, dim=...)",
            )
        )
    return x[fine]
