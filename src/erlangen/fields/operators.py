"""Linear operators between sampled functions: fields whose points are whole functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.fields._base import EXACT, AbstractLinearField
from erlangen.fields.polynomial import PolynomialField
from erlangen.linalg.qr import rounding


@dataclass(frozen=True, eq=False)
class OperatorField(AbstractLinearField):
    """The linear operator ``u -> matrix u``, linear in its own entries: q = N' N parameters.

    Parameters
    ----------
    matrix : ndarray (N', N)
        The operator.

    Raises
    ------
    InputError
        When the matrix is not two-dimensional and finite.
    """

    matrix: NDArray

    def __post_init__(self) -> None:
        matrix = np.asarray(self.matrix)
        if matrix.ndim != 2 or 0 in matrix.shape or not np.isfinite(matrix).all():
            raise InputError(
                explain(
                    "A linear operator is a matrix.",
                    given=f"an array of shape {matrix.shape}" + ("" if matrix.ndim != 2 else ", some not finite"),
                    expected="finite numbers (N', N): outputs and inputs",
                    fix="er.fields.operators(64)",
                )
            )

    @property
    def point_dim(self) -> int:
        """Number N of values of an input."""
        return self.matrix.shape[1]

    @property
    def value_dim(self) -> int:
        """Number N' of values of an output."""
        return self.matrix.shape[0]

    @property
    def accuracy(self) -> float:
        """Rounding: the derivative is the operator itself, whose entries are sums over points of both grids."""
        return max(EXACT, rounding(self.matrix.shape) * sum(self.matrix.shape) ** 0.5)

    @property
    def kind(self) -> str:
        """Values move as the action says."""
        return "invariant"

    @property
    def n_params(self) -> int:
        """Number q = N' N of entries."""
        return self.matrix.size

    @property
    def theta(self) -> NDArray:
        """The entries ``(q,)``, row by row."""
        return self.matrix.ravel()

    @property
    def polynomial(self) -> PolynomialField:
        """The same operator as polynomials of degree one, whose Lie derivatives are exact coefficients."""
        return PolynomialField(np.eye(self.point_dim, dtype=np.int64), self.matrix)

    def value(self, x: NDArray) -> NDArray:
        """Outputs ``(n, N')`` for inputs ``x (n, N)``."""
        return x @ self.matrix.T

    def jacobian(self, x: NDArray) -> NDArray:
        """The operator ``(n, N', N)``, the same everywhere."""
        return np.broadcast_to(self.matrix, (len(x), *self.matrix.shape))

    def features(self, x: NDArray) -> NDArray:
        """Features ``(n, N', q)``."""
        c = self.value_dim
        return np.einsum("ab,nd->nabd", np.eye(c), x).reshape(len(x), c, -1)

    def features_jacobian(self, x: NDArray) -> NDArray:
        """Derivatives ``(n, N', q, N)`` of the features."""
        c, d = self.matrix.shape
        one = np.einsum("ab,de->abde", np.eye(c), np.eye(d)).reshape(c, -1, d)
        return np.broadcast_to(one, (len(x), *one.shape))

    def with_theta(self, theta: NDArray) -> OperatorField:
        """The operator with other entries."""
        return OperatorField(np.asarray(theta, dtype=np.float64).reshape(self.matrix.shape))


def operators(inputs: int, outputs: int | None = None) -> OperatorField:
    """The family of linear operators from N values to N' values (by default N), at theta = 0.

    Parameters
    ----------
    inputs : int
        Number N of values that go in.
    outputs : int, optional
        Number N' of values that come out, by default N.

    Returns
    -------
    OperatorField
        With N' N parameters, all zero.

    Raises
    ------
    InputError
        When a number is not whole and at least 1.

    Examples
    --------
    >>> operators(4, 3).n_params
    12
    """
    sizes = (outputs if outputs is not None else inputs, inputs)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 1 for n in sizes):
        raise InputError(
            explain(
                "An operator takes a number of values to a number of values.",
                given=f"operators({inputs!r}, {outputs!r})",
                expected="whole numbers of at least 1",
                fix="er.fields.operators(64)",
            )
        )
    return OperatorField(np.zeros(sizes))
