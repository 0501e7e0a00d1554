r"""Noether's theorem in both directions, for conjugate positions and momenta.

A function h generates the flow ``dq/ds = dh/dp, dp/ds = -dh/dq``. It is conserved by the flow of H exactly where
its own flow leaves H alone. A linear symplectic generator A in turn is the flow of ``x^T S x / 2``, its momentum map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erlangen._errors import InputError, explain
from erlangen._render import _latex_name, _signed_sum, field_latex, field_text, number, number_latex
from erlangen.dynamics._law import Law
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.fields.bases import Monomials
from erlangen.fields.polynomial import PolynomialField
from erlangen.linalg.polynomials import collect, derivative_table
from erlangen.linalg.qr import rounding

__all__ = ["HamiltonianField", "momentum_map", "noether"]


@dataclass(frozen=True, eq=False)
class HamiltonianField:
    """The symmetry that a conserved quantity generates.

    Attributes
    ----------
    law : Law
        The function h.
    phase_space : PhaseSpace
    text, latex : str
        The vector field ``W grad h``.
    """

    law: Law
    phase_space: PhaseSpace
    text: str
    latex: str

    def value(self, x: NDArray) -> NDArray:
        """Velocities ``(n, d)`` at points ``x (n, d)``."""
        return self.law.gradient(x) @ self.phase_space.matrix.T


def noether(law: Law, positions: Sequence[str], momenta: Sequence[str]) -> HamiltonianField:
    """Return the symmetry generator of a conserved quantity.

    Parameters
    ----------
    law : Law
        A conserved quantity.
    positions, momenta : sequence of str
        Conjugate coordinates, in the same order.

    Returns
    -------
    HamiltonianField

    Raises
    ------
    InputError
        Where positions and momenta are no pairs of columns.
    """
    space = PhaseSpace(law.features.names, tuple(positions), tuple(momenta))
    polynomial = _polynomial_part(law)
    if polynomial is not None:
        table, coefficients = _hamiltonian(*polynomial, space)
        shown = [[float(v) for v in row] for row in coefficients]
        return HamiltonianField(
            law, space, field_text(table, shown, space.names), field_latex(table, shown, space.names)
        )
    return HamiltonianField(law, space, *_by_terms(law, space))


def momentum_map(generator: ArrayLike, names: Sequence[str], positions: Sequence[str], momenta: Sequence[str]):
    """Return the conserved quantity ``x^T S x / 2`` that belongs to a linear symplectic generator ``x -> A x``.

    Parameters
    ----------
    generator : array_like (d, d)
        The matrix A.
    names : sequence of d str
        The coordinates.
    positions, momenta : sequence of str
        Conjugate coordinates; every coordinate belongs to a pair.

    Returns
    -------
    PolynomialField
        The function, whose Hamiltonian flow is the generator.

    Raises
    ------
    InputError
        Where the generator does not preserve the Poisson bracket.

    Examples
    --------
    >>> rotation = [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]]
    >>> h = momentum_map(rotation, ["x", "y", "px", "py"], ["x", "y"], ["px", "py"])
    >>> h.value(np.array([[1.0, 2.0, 3.0, 5.0]]))  # x py - y px
    array([[-1.]])
    """
    a = np.asarray(generator, dtype=np.float64)
    w = PhaseSpace(tuple(names), tuple(positions), tuple(momenta)).matrix
    d = len(w)
    if a.shape != (d, d) or 2 * len(tuple(positions)) != d:
        raise InputError(
            explain(
                "The generator does not fit the phase space.",
                given=f"a matrix of shape {a.shape} over {d} coordinates, {len(tuple(positions))} pairs",
                expected="a (d, d) matrix, every coordinate in a pair",
                fix="name all positions and momenta",
            )
        )
    s = w.T @ a  # x' = W S x and W^T W = 1
    if np.linalg.norm(s - s.T) > np.sqrt(rounding((d, d))) * np.linalg.norm(s):
        raise InputError(
            explain(
                "The generator is not symplectic, so no function generates it.",
                given=f"W^T A with antisymmetric part {np.linalg.norm(s - s.T) / 2:.2g}",
                expected="W^T A symmetric",
                fix="scalings have no momentum map; rotations must turn momenta as positions",
            )
        )
    rows = np.eye(d, dtype=np.int64)
    upper = [(i, j) for i in range(d) for j in range(i, d)]
    table = np.array([rows[i] + rows[j] for i, j in upper])
    return PolynomialField(table, np.array([[s[i, j] * (0.5 if i == j else 1.0) for i, j in upper]]))


def _polynomial_part(law: Law) -> tuple[NDArray, NDArray] | None:
    """Exponents and coefficients of a law that is a polynomial, else None."""
    basis, c = law.features.basis, law.function
    monomial = basis if isinstance(basis, Monomials) else next(iter(getattr(basis, "parts", ())), None)
    if not isinstance(monomial, Monomials) or np.any(c[monomial.size :]):
        return None
    used = np.flatnonzero(c[: monomial.size])
    return monomial.table[used], c[used]


def _hamiltonian(table: NDArray, c: NDArray, space: PhaseSpace) -> tuple[NDArray, NDArray]:
    """Exponents ``(r, d)`` and coefficients ``(d, r)`` of ``W grad h``."""
    d = table.shape[1]
    slopes, rows = np.zeros((d, d * len(table))), []
    for b in range(d):
        factors, lowered = derivative_table(table, b)
        slopes[b, b * len(table) : (b + 1) * len(table)] = c * factors
        rows.append(lowered)
    return collect(np.concatenate(rows), space.matrix @ slopes)


def _by_terms(law: Law, space: PhaseSpace) -> tuple[str, str]:
    """Write ``dh/dp d/dq - dh/dq d/dp`` without carrying out the derivatives."""
    w, text, latex = space.matrix, [], []
    for a in range(len(w)):
        for b in np.flatnonzero(w[a]):
            sign, by, along = float(w[a, b]), space.names[b], space.names[a]
            text.append((sign, f"dh/d{by} d/d{along}"))
            latex.append(
                (sign, rf"\frac{{\partial h}}{{\partial {_latex_name(by)}}}\,\partial_{{{_latex_name(along)}}}")
            )
    return _signed_sum(text, number, " "), _signed_sum(latex, number_latex, r"\,")
