"""The same values read as a vector field or as a map: how values follow points is said, never guessed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.fields._base import AbstractField
from erlangen.fields.polynomial import PolynomialField
from erlangen.linalg.polynomials import collect

KINDS = ("invariant", "vector", "map")


@dataclass(frozen=True, eq=False)
class AbstractWrapper(AbstractField):
    """The values of another field, read or corrected: as many over the same points.

    A subclass says how values follow points, what becomes of values and Jacobians, and how exact they are.
    """

    base: AbstractField

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.base.point_dim

    @property
    def value_dim(self) -> int:
        """Number c of value channels."""
        return self.base.value_dim


@dataclass(frozen=True, eq=False)
class VectorField(AbstractWrapper):
    """The d values of a field read as a vector field: they are carried along with the points.

    Parameters
    ----------
    base : AbstractField
        Values F(x) with c = d.
    """

    @property
    def accuracy(self) -> float:
        """Relative error of the derivative."""
        return self.base.accuracy

    @property
    def kind(self) -> str:
        """How values follow points."""
        return "vector"

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, d)``."""
        return self.base.value(x)

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, d, d)``."""
        return self.base.jacobian(x)


@dataclass(frozen=True, eq=False)
class MapField(AbstractWrapper):
    """The increments Phi(x) - x of a map given by its images.

    Parameters
    ----------
    base : AbstractField
        Images Phi(x) with c = d.
    probes : ndarray (m, d)
        Points at which the size of D Phi - I is compared with that of D Phi: where the map is close to
        the identity, the subtraction magnifies the relative error of the derivative by their ratio.
    """

    probes: NDArray

    @cached_property
    def accuracy(self) -> float:
        """Relative error of the derivative of the increment, at most 1."""
        image = self.base.jacobian(self.probes)
        increment = image - np.eye(self.point_dim)
        size = np.linalg.norm(increment)
        return min(1.0, self.base.accuracy * float(np.linalg.norm(image) / size)) if size > 0 else 1.0

    @property
    def kind(self) -> str:
        """How values follow points."""
        return "map"

    def value(self, x: NDArray) -> NDArray:
        """Increments ``(n, d)``."""
        return self.base.value(x) - x

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, d, d)`` of the increment, D Phi - I."""
        return self.base.jacobian(x) - np.eye(self.point_dim)


def of_kind(field: AbstractField, kind: str | None, probes: NDArray) -> AbstractField:
    """Read the plain values of a field as what the caller says they are.

    Raises
    ------
    InputError
        Where c = d and nothing is said, the kind is unknown, or c differs from d for a vector field or map.
    """
    c, d = field.value_dim, field.point_dim
    if kind is None and c == d:
        raise InputError(
            explain(
                "As many values as coordinates: are they scalars, the components of a vector field, or an image point?",
                given=f"{c} value{'s' if c > 1 else ''} over points in R^{d}, without a kind",
                expected='one of kind="invariant", kind="vector", kind="map"',
                fix='kind="vector" for a right-hand side dx/dt = f(x), kind="map" for x -> x\', else kind="invariant"',
            )
        )
    if kind is not None and kind not in KINDS:
        raise InputError(
            explain(
                "There is no such kind of values.",
                given=f"kind={kind!r}",
                expected='kind="invariant", kind="vector" or kind="map"',
                fix='kind="invariant" for values that do not move with the points',
            )
        )
    if kind in ("vector", "map") and c != d:
        raise InputError(
            explain(
                f"A {'vector field' if kind == 'vector' else 'map'} has one value per coordinate.",
                given=f"{c} values over points in R^{d}, kind={kind!r}",
                expected="c = d",
                fix='kind="invariant", or a function that returns shape (n, d)',
            )
        )
    if kind is None or kind == "invariant":
        return field
    if isinstance(field, PolynomialField):
        return replace(field if kind == "vector" else _increment(field), kind=kind)
    return VectorField(field) if kind == "vector" else MapField(field, probes)


def _increment(field: PolynomialField) -> PolynomialField:
    """Subtract the identity from a polynomial map, coefficient by coefficient."""
    identity = np.eye(field.point_dim)
    table, coefficients = collect(
        np.vstack([field.table, identity.astype(field.table.dtype)]), np.hstack([field.coefficients, -identity])
    )
    return PolynomialField(table, coefficients, "invariant", field.accuracy)
