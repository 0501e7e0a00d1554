r"""Noether's theorem in both directions, for conjugate positions and momenta.

A function h generates the flow ``dq/ds = dh/dp, dp/ds = -dh/dq``. It is conserved by the flow of H exactly where
its own flow leaves H alone. A linear symplectic generator A in turn is the flow of ``x^T S x / 2``, its momentum map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._render import _latex_name, _signed_sum, field_latex, field_text, number, number_latex
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.derivative import Samples
from erlangen.dynamics._generating import hamiltonian_charges
from erlangen.dynamics._law import Law
from erlangen.dynamics.lagrangian import NoetherCharge, lagrangian_charges
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.fields.bases import Monomials
from erlangen.fields.libraries import AbstractLibrary
from erlangen.fields.polynomial import PolynomialField
from erlangen.linalg.polynomials import collect, derivative_table
from erlangen.linalg.qr import rounding

__all__ = ["HamiltonianField", "momentum_map", "noether"]


@dataclass(frozen=True, eq=False)
class HamiltonianField(AbstractShown):
    """The symmetry that a conserved quantity generates.

    Attributes
    ----------
    law : Law
        The function h.
    phase_space : PhaseSpace
        Which coordinates are positions and momenta.
    text, latex : str
        The vector field ``W grad h``.
    """

    law: Law
    phase_space: PhaseSpace
    text: str
    latex: str

    def value(self, x: NDArray) -> NDArray:
        """Velocities ``(n, d)`` at points ``x (n, d)``.

        Parameters
        ----------
        x : ndarray (n, d)
            Points of phase space.

        Returns
        -------
        ndarray (n, d)
            Velocities.
        """
        return self.law.gradient(x) @ self.phase_space.matrix.T


@overload
def noether(law: Law, positions: Sequence[str], momenta: Sequence[str]) -> HamiltonianField: ...
@overload
def noether(
    *,
    lagrangian: str,
    symmetry: Any,
    positions: Sequence[str],
    velocities: Sequence[str],
    time: str = ...,
    library: AbstractLibrary | None = ...,
    samples: Samples | ArrayLike | None = ...,
) -> tuple[NoetherCharge, ...]: ...
@overload
def noether(
    *,
    hamiltonian: str,
    symmetry: Any,
    positions: Sequence[str],
    momenta: Sequence[str],
    library: AbstractLibrary | None = ...,
    samples: Samples | ArrayLike | None = ...,
) -> tuple[NoetherCharge, ...]: ...
def noether(
    law: Law | None = None,
    positions: Sequence[str] = (),
    momenta: Sequence[str] = (),
    *,
    lagrangian: str | None = None,
    hamiltonian: str | None = None,
    symmetry: Any = None,
    velocities: Sequence[str] = (),
    time: str = "t",
    library: AbstractLibrary | None = None,
    samples: Samples | ArrayLike | None = None,
) -> HamiltonianField | tuple[NoetherCharge, ...]:
    """Go from a conserved quantity to its symmetry, or from a symmetry to what it conserves.

    Of a law, the generator is its Hamiltonian field. Of a Lagrangian L(t, q, v) and generators in time and positions,
    combinations of them give ``p (eta - v tau) + L tau - B`` where L changes by a total derivative D B, with the gauge
    term B sought in a library. Of a Hamiltonian and generators on phase space, each gives the function that generates
    it, where there is one and H commutes with it. Where nothing is conserved, the answer says what was left.

    Parameters
    ----------
    law : Law, optional
        A conserved quantity; with ``positions`` and ``momenta``.
    positions, momenta : sequence of str
        Conjugate coordinates, in the same order.
    lagrangian : str, optional
        Formula in time, positions and velocities; with ``symmetry``, ``positions`` and ``velocities``.
    hamiltonian : str, optional
        Formula in positions and momenta; with ``symmetry``, ``positions`` and ``momenta``.
    symmetry : Symmetry, PolynomialAction, or sequence of str
        Generators: on time and positions, as ``symmetries(..., order=2)`` finds them, for a Lagrangian; on positions
        and momenta for a Hamiltonian; or formulas of the components of one.
    velocities : sequence of str
        Names of the velocities, in the order of the positions.
    time : str
        Name of the time.
    library : AbstractLibrary, optional
        Where the gauge term, or the generating function, is sought; polynomials of degree 2 by default.
    samples : Samples or array (n, d), optional
        Points at which identities are compared.

    Returns
    -------
    HamiltonianField, or tuple of NoetherCharge
        The symmetry of a law; or what is conserved by combinations of the generators, for a Lagrangian, and by each
        of them for a Hamiltonian, those that conserve nothing last, with the evidence.

    Raises
    ------
    InputError
        Where names are no pairs of columns, or the pieces do not fit together.

    References
    ----------
    E. Noether, "Invariante Variationsprobleme", Nachr. Ges. Wiss. Goettingen, 1918, 235-257; E. Bessel-Hagen, Math.
    Ann. 84, 1921, 258-276, for the gauge term.

    Examples
    --------
    >>> free = {"lagrangian": "v**2/2", "positions": ["x"], "velocities": ["v"]}
    >>> for components in (["1", "0"], ["0", "1"], ["0", "t"]):
    ...     print(noether(symmetry=components, **free)[0].text)
    -v^2/2
    v
    t v - x
    """
    if (law is not None) + (lagrangian is not None) + (hamiltonian is not None) != 1:
        raise InputError(
            explain(
                "Noether's theorem starts from one thing.",
                given=f"law={law!r}, lagrangian={lagrangian!r}, hamiltonian={hamiltonian!r}",
                expected="a law, a Lagrangian or a Hamiltonian",
                fix='noether(lagrangian="v**2/2", symmetry=["0", "1"], positions=["x"], velocities=["v"])',
            )
        )
    if lagrangian is not None:
        return lagrangian_charges(lagrangian, symmetry, tuple(positions), tuple(velocities), time, library, samples)
    if hamiltonian is not None:
        space = PhaseSpace((*positions, *momenta), tuple(positions), tuple(momenta))
        return hamiltonian_charges(hamiltonian, symmetry, space, library, samples)
    return _field_of(law, positions, momenta) if law is not None else ()


def _field_of(law: Law, positions: Sequence[str], momenta: Sequence[str]) -> HamiltonianField:
    """The Hamiltonian field of a law."""
    space = PhaseSpace(law.features.names, tuple(positions), tuple(momenta))
    polynomial = _polynomial_part(law)
    if polynomial is not None:
        table, coefficients = _hamiltonian(*polynomial, space)
        shown = [[float(v) for v in row] for row in coefficients]
        return HamiltonianField(
            law, space, field_text(table, shown, space.names), field_latex(table, shown, space.names)
        )
    return HamiltonianField(law, space, *_by_terms(law, space))


def momentum_map(
    generator: ArrayLike, names: Sequence[str], positions: Sequence[str], momenta: Sequence[str]
) -> PolynomialField:
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

    References
    ----------
    J. E. Marsden, T. S. Ratiu, Introduction to Mechanics and Symmetry, second edition, 1999, chapter 11.

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
