"""The abstract action: how p generators move points and values."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._shown import FEW, AbstractShown, card, cut
from erlangen._typing import NDArray


class AbstractAction(AbstractShown, ABC):
    """An infinitesimal action of p generators on points in R^d and on values in R^c.

    All generators are returned at once, so that linearity in the generator xi cannot be broken.
    """

    @property
    @abstractmethod
    def point_dim(self) -> int:
        """Number d of coordinates."""

    @property
    @abstractmethod
    def n_generators(self) -> int:
        """Number p of generators."""

    def __repr__(self) -> str:
        few = [self._said(k) for k in range(min(self.n_generators, FEW))]
        more = ", ..." if self.n_generators > FEW else ""
        return cut(f"<{self._head()}: {', '.join(few)}{more}>" if few else f"<{self._head()}>")

    def _repr_html_(self) -> str:
        return card(self._head(), [(k + 1, self._said(k)) for k in range(self.n_generators)], ("", "generator"))

    def _head(self) -> str:
        count = "1 generator" if self.n_generators == 1 else f"{self.n_generators} generators"
        return f"{type(self).__name__}: {count} on R^{self.point_dim}"

    def _said(self, k: int) -> str:
        return self.describe(np.eye(self.n_generators)[k])

    @property
    @abstractmethod
    def value_dim(self) -> int | None:
        """Number c of value channels that the action moves; None where it does not say."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """One readable name per generator."""

    @abstractmethod
    def on_points(self, x: NDArray) -> NDArray:
        """Velocities ``(n, p, d)`` of the points ``x (n, d)`` under each generator.

        Parameters
        ----------
        x : ndarray (n, d)
            Points.

        Returns
        -------
        ndarray (n, p, d)
            One velocity per point and generator.
        """

    @abstractmethod
    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives ``D xi_k(x) v``, shape ``(n, p, d)``, of the velocities along ``v (n, d)``.

        Parameters
        ----------
        x : ndarray (n, d)
            Points.
        v : ndarray (n, d)
            One direction per point.

        Returns
        -------
        ndarray (n, p, d)
            One derivative per point and generator.
        """

    @abstractmethod
    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """Velocities ``tau_k(x) v``, shape ``(n, p, c)``, of the values ``v (n, c)``.

        Parameters
        ----------
        x : ndarray (n, d)
            Points.
        v : ndarray (n, c)
            Values over them.

        Returns
        -------
        ndarray (n, p, c)
            One velocity per value and generator.
        """

    @abstractmethod
    def restrict(self, basis: ArrayLike) -> AbstractAction:
        """The action of the combinations in the columns of ``basis (p, r)``.

        Parameters
        ----------
        basis : array_like (p, r)
            Combinations of the generators, as columns.

        Returns
        -------
        AbstractAction
            An action of r generators.
        """

    @abstractmethod
    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text of the generator with coefficients ``xi (p,)``.

        Parameters
        ----------
        xi : ndarray (p,)
            Coefficients over the generators.
        names : tuple of str, optional
            Names of the d coordinates.

        Returns
        -------
        str
            Text such as ``x d/dy - y d/dx``.
        """


def check_points(x: ArrayLike, d: int) -> NDArray:
    """Return points as a float array ``(n, d)`` or explain what is wrong."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != d:
        raise InputError(
            explain(
                "The points do not fit the action.",
                given=f"an array of shape {x.shape}",
                expected=f"shape (n, {d}): n points with {d} coordinates",
                fix=f"an action on {x.shape[1]} coordinates, or points in R^{d}" if x.ndim == 2 else "x[:, None]",
            )
        )
    return x if np.iscomplexobj(x) else x.astype(np.float64, copy=False)


def check_basis(basis: ArrayLike, p: int) -> NDArray:
    """Return generator combinations as columns ``(p, r)``."""
    basis = np.asarray(basis, dtype=np.float64)
    if basis.ndim == 1:
        basis = basis[:, None]
    if basis.ndim != 2 or basis.shape[0] != p:
        raise InputError(
            explain(
                "The combinations do not fit the action.",
                given=f"an array of shape {basis.shape}",
                expected=f"columns of length p = {p}, shape ({p}, r)",
                fix="action.restrict(basis.T)" if basis.shape[-1] == p else f"action.restrict(numpy.eye({p}))",
            )
        )
    return basis
