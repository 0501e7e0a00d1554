r"""Noether's theorem for Lagrangians, with what stands in its way where there is no quantity.

A generator :math:`\tau\,\partial_t + \eta\,\partial_q` is a symmetry of L(t, q, v) up to a total derivative where

.. math:: X^{(1)} L + L\, D\tau = D B, \qquad D = \partial_t + v\,\partial_q,

for some gauge term B(t, q), and then :math:`p\,(\eta - v\,\tau) + L\,\tau - B` is conserved, with
:math:`p = \partial L / \partial v`. B is sought in a library: linear equations at points.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._render import _signed_sum, number
from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction, Prolonged
from erlangen.algebra.readable import readable_basis
from erlangen.derivative import Samples
from erlangen.dynamics._charges import SOLVED, NoetherCharge, as_formula, combination, domain_points, point_action
from erlangen.fields.libraries import AbstractLibrary, Features, Polynomial

__all__ = ["NoetherCharge"]

_DENOMINATOR = 1000
"""Largest denominator of a fraction that a person writes."""


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
    base = point_action(symmetry, (time, *positions))
    features = (library or Polynomial(degree=2)).bind((time, *positions))
    x = domain_points([function], names, samples)
    terms = _terms(function, base, x, names, m)
    drift = _drift(features, x, m)
    rows = _variational(terms.sum(axis=2), np.linalg.norm(np.abs(terms).sum(axis=2), axis=0), drift)
    alone = np.eye(base.n_generators)
    # What is left of single generators, once those that conserve something are taken out, is listed with its evidence.
    q, _ = np.linalg.qr(rows.T)
    outside = [e for e in alone if np.linalg.norm(e - q @ (q.T @ e)) > SOLVED]
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
    u = u[:, s > SOLVED * s.max(initial=0.0)]
    rest = left / scale
    rest = rest - u @ (u.T @ rest)
    _, s, vt = np.linalg.svd(rest, full_matrices=True)
    s = np.r_[s, np.zeros(len(vt) - len(s))]
    rows = vt[s <= SOLVED] / scale
    return readable_basis(rows).coefficients if len(rows) else rows


def _charge(
    function: Formula, one: PolynomialAction, features: Features, x: NDArray, names: tuple[str, ...], m: int
) -> NoetherCharge:
    terms = _terms(function, one, x, names, m)[:, 0]
    left, size = terms.sum(axis=1), np.linalg.norm(np.abs(terms).sum(axis=1))
    drift = _drift(features, x, m)
    numbers, rest = combination(drift, left)
    text = one.describe(np.ones(1), names[: 1 + m])
    defect = float(rest / size) if size > 0 else 0.0
    if defect > SOLVED:
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
    pieces += [f"({-float(c)!r})*({as_formula(t)})" for c, t in zip(numbers, features.texts, strict=True) if c]
    return " + ".join(pieces) or "0"


def _components(one: PolynomialAction, names: Sequence[str]) -> list[str]:
    table, rows = one.exponents, one.coefficients[0]
    words = ["*".join(f"{n}**{int(e)}" for n, e in zip(names, row, strict=True) if e) or "1" for row in table]
    return [" + ".join(f"{float(c)!r}*{w}" for c, w in zip(row, words, strict=True) if c) or "0" for row in rows]


def _tidy(text: str) -> str:
    """The same formula as a person would write it: multiplied out, whole numbers without a point."""
    import sympy

    def simple(c: Any) -> Any:
        near = Fraction(float(c)).limit_denominator(_DENOMINATOR)
        return sympy.Rational(near.numerator, near.denominator) if float(near) == float(c) else c

    expression = sympy.expand(Formula(text).to_sympy()).replace(lambda e: e.is_Float, simple)
    return str(sympy.expand(expression)).replace("**", "^").replace("*", " ")
