"""Polynomial fields: exact values, exact derivatives, exact Lie derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._render import field_latex, field_text, polynomial_latex, polynomial_text
from erlangen._shown import aligned, card, cut
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.fields._base import EXACT, AbstractLinearField
from erlangen.linalg.polynomials import exponents, monomial_gradients, monomials, polynomial_jacobian


@dataclass(frozen=True, eq=False)
class PolynomialField(AbstractLinearField):
    """Values f_a(x) = sum_r coefficients[a, r] x^{e_r}.

    Parameters
    ----------
    table : ndarray (r, d)
        Exponents of the monomials.
    coefficients : ndarray (c, r)
        One row per value channel.
    kind : str
        ``"invariant"``, ``"vector"`` or ``"map"`` (the values are then increments Phi(x) - x).
    accuracy : float
        Relative error of the derivative: rounding unless the coefficients come from a fit.

    Raises
    ------
    InputError
        When exponents and coefficients do not fit together, or the kind does not fit the channels.
    """

    table: NDArray
    coefficients: NDArray
    kind: str = "invariant"
    accuracy: float = EXACT

    def __post_init__(self) -> None:
        if self.coefficients.ndim != 2 or self.coefficients.shape[1] != len(self.table):
            raise InputError(
                explain(
                    "The coefficients do not fit the monomials.",
                    given=f"coefficients of shape {self.coefficients.shape}",
                    expected=f"shape (c, {len(self.table)})",
                    fix="coefficients.reshape(-1, len(table))",
                )
            )
        if self.kind != "invariant" and len(self.coefficients) != self.point_dim:
            raise InputError(
                explain(
                    f"A field of kind {self.kind!r} has one value channel per coordinate.",
                    given=f"{len(self.coefficients)} channels over {self.point_dim} coordinates",
                    expected="c = d",
                    fix='kind="invariant"',
                )
            )

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.table.shape[1]

    @property
    def value_dim(self) -> int:
        """Number c of value channels."""
        return self.coefficients.shape[0]

    @property
    def degree(self) -> int:
        """Highest total degree in the table."""
        return int(self.table.sum(axis=1).max(initial=0))

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)`` at points ``x (n, d)``."""
        return monomials(x, self.table) @ self.coefficients.T

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)`` at points ``x (n, d)``."""
        return polynomial_jacobian(x, self.table, self.coefficients)

    @property
    def n_params(self) -> int:
        """Number q of parameters: c times the number of monomials."""
        return self.coefficients.size

    @property
    def theta(self) -> NDArray:
        """Parameters ``(q,)``: the coefficients, channel by channel."""
        return self.coefficients.ravel()

    def features(self, x: NDArray) -> NDArray:
        """Features ``(n, c, q)``."""
        return np.einsum("ab,nr->nabr", np.eye(self.value_dim), monomials(x, self.table)).reshape(
            len(x), self.value_dim, -1
        )

    def features_jacobian(self, x: NDArray) -> NDArray:
        """Derivatives ``(n, c, q, d)`` of the features."""
        return np.einsum("ab,nrj->nabrj", np.eye(self.value_dim), monomial_gradients(x, self.table)).reshape(
            len(x), self.value_dim, -1, self.point_dim
        )

    def with_theta(self, theta: NDArray) -> PolynomialField:
        """The same monomials with other coefficients."""
        coefficients = np.asarray(theta, dtype=np.float64).reshape(self.coefficients.shape)
        return PolynomialField(self.table, coefficients, self.kind, self.accuracy)

    def __repr__(self) -> str:
        shape = f"{self.kind} on R^{self.point_dim}"
        if not np.any(self.coefficients):
            return f"<PolynomialField: {shape}, a family of {self.n_params} parameters>"
        return cut(f"<PolynomialField: {shape}, {self.describe()}>")

    def _repr_html_(self) -> str:
        head = f"PolynomialField: {self.kind} on R^{self.point_dim}"
        if not np.any(self.coefficients):
            return card(f"{head}, a family of {self.n_params} parameters")
        return card(head, text=self.describe())

    def _repr_latex_(self) -> str | None:
        names = coordinate_names(self.point_dim)
        if not np.any(self.coefficients):
            return None
        if self.kind == "vector":
            return f"$\\displaystyle {field_latex(self.table, self.coefficients, names)}$"
        return aligned("f", (polynomial_latex(self.table, row.tolist(), names) for row in self.coefficients))

    def describe(self, theta: ArrayLike | None = None, names: Sequence[str] | None = None) -> str:
        """Readable text of the field with parameters ``theta (q,)``, by default its own.

        A vector field prints as a derivation, other fields as one polynomial a channel.

        Parameters
        ----------
        theta : array_like (q,), optional
            Coefficients, channel by channel; its own by default.
        names : sequence of str, optional
            Names of the d coordinates.

        Returns
        -------
        str
            A formula.

        Examples
        --------
        >>> polynomial_field(2, 1, [[0, 0, -1], [0, 1, 0]], "vector").describe()
        'x d/dy - y d/dx'
        """
        field = self if theta is None else self.with_theta(np.asarray(theta))
        names = names or coordinate_names(self.point_dim)
        if self.kind == "vector":
            return field_text(field.table, field.coefficients, names)
        return ", ".join(polynomial_text(field.table, row.tolist(), names) for row in field.coefficients)


def polynomial_field(d: int, degree: int, coefficients: ArrayLike, kind: str = "invariant") -> PolynomialField:
    """A polynomial over all monomials of degree at most ``degree`` in d coordinates.

    Parameters
    ----------
    d : int
        Number of coordinates.
    degree : int
        Highest degree of the r monomials, in graded lexicographic order from 1.
    coefficients : array_like (c, r) or (r,)
        One row per channel.
    kind : {"invariant", "vector", "map"}
        How values follow points.

    Returns
    -------
    PolynomialField
        The polynomial.

    Raises
    ------
    InputError
        When coefficients do not fit the monomials.

    Examples
    --------
    >>> f = polynomial_field(2, 2, [0, 0, 0, 1, 0, 1])  # x^2 + y^2
    >>> f.value(np.array([[3.0, 4.0]]))
    array([[25.]])
    """
    return PolynomialField(exponents(d, degree), np.atleast_2d(np.asarray(coefficients, dtype=np.float64)), kind)
