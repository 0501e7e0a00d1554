"""The abstract field: values f(x) over points x, and how exactly its derivative is known."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, IncrementLift, TangentLift

EXACT = float(np.finfo(np.float64).eps)
"""Relative error of a derivative that is exact up to rounding."""


class AbstractField(AbstractShown, ABC):
    """Values ``f(x)`` in R^c over points in R^d.

    A subclass says how to evaluate the values and the Jacobian, and how exact the Jacobian is.
    """

    @property
    @abstractmethod
    def point_dim(self) -> int:
        """Number d of coordinates."""

    @property
    @abstractmethod
    def value_dim(self) -> int:
        """Number c of value channels."""

    @property
    @abstractmethod
    def accuracy(self) -> float:
        """Relative error of the derivative: 1e-16 exact, about 1e-10 central differences, a fit's own error."""

    @abstractmethod
    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)`` at points ``x (n, d)``.

        Parameters
        ----------
        x : ndarray (n, d)
            Points.

        Returns
        -------
        ndarray (n, c)
            One value per point and channel.
        """

    @abstractmethod
    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)`` at points ``x (n, d)``.

        Parameters
        ----------
        x : ndarray (n, d)
            Points.

        Returns
        -------
        ndarray (n, c, d)
            Derivative of each channel along each coordinate.
        """

    @property
    @abstractmethod
    def kind(self) -> str:
        """How values follow points: ``"invariant"``, ``"vector"`` (a vector field) or ``"map"`` (increments)."""


class AbstractLinearField(AbstractField):
    """A field that is linear in its q parameters: ``f(x) = features(x) @ theta``."""

    @property
    @abstractmethod
    def n_params(self) -> int:
        """Number q of parameters."""

    @property
    @abstractmethod
    def theta(self) -> NDArray:
        """The parameters ``(q,)``."""

    @abstractmethod
    def features(self, x: NDArray) -> NDArray:
        """Features ``(n, c, q)`` at points ``x (n, d)``.

        Parameters
        ----------
        x : ndarray (n, d)
            Points.

        Returns
        -------
        ndarray (n, c, q)
            Derivative of the values by the parameters.
        """

    @abstractmethod
    def features_jacobian(self, x: NDArray) -> NDArray:
        """Derivatives ``(n, c, q, d)`` of the features.

        Parameters
        ----------
        x : ndarray (n, d)
            Points.

        Returns
        -------
        ndarray (n, c, q, d)
            Derivative of each feature along each coordinate.
        """

    @abstractmethod
    def with_theta(self, theta: NDArray) -> AbstractLinearField:
        """The same family with other parameters.

        Parameters
        ----------
        theta : ndarray (q,)
            The parameters.

        Returns
        -------
        AbstractLinearField
            A field of the same family.
        """


def lift(field: AbstractField, action: AbstractAction) -> AbstractAction:
    """Complete an action that says nothing about values by what the kind of the field implies.

    Parameters
    ----------
    field : AbstractField
        Its ``kind`` says how values follow points.
    action : AbstractAction
        What moves points in R^d, and perhaps values.

    Returns
    -------
    AbstractAction
        An action on points and values; see :func:`carry`.
    """
    return carry(field.kind, action)


def carry(kind: str, action: AbstractAction) -> AbstractAction:
    """Let an action on points carry values as a kind of field demands.

    An action with an output representation is returned as it is. Otherwise an invariant field leaves
    values alone, a vector field carries them by the tangent lift, and a map carries increments.

    Parameters
    ----------
    kind : {"invariant", "vector", "map"}
        How values follow points.
    action : AbstractAction
        What moves points in R^d, and perhaps values.

    Returns
    -------
    AbstractAction
        An action on points and values.
    """
    if action.value_dim is not None or kind == "invariant":
        return action
    return TangentLift(action) if kind == "vector" else IncrementLift(action)
