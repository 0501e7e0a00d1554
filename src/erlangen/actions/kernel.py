"""Integral kernels as sections: how generators move a kernel k(y, x) over pairs of points.

The operator (T u)(y) = int k(y, x) u(x) dx commutes with the group exactly where

    D_y k . xi'(y) + D_x k . xi(x) + k div xi(x) - tau'_xi(y) k + k tau_xi(x) = 0,

which is the Lie derivative of k over the product space with values carried by
tau'_xi(y) k - k tau_xi(x) - k div xi(x). The divergence is the density that dx stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions._base import AbstractAction, check_basis, check_points
from erlangen.algebra import Group


@dataclass(frozen=True, eq=False)
class KernelAction(AbstractAction):
    """The action on kernels between fields under ``source`` (u, over x) and under ``target`` (T u, over y).

    Points are pairs (y, x), y first; values are the matrices k ``(c', c)``, flattened row by row.

    Attributes
    ----------
    target : AbstractAction
        What acts on the d' coordinates y and c' channels of the output.
    source : AbstractAction
        What acts on the d coordinates x and c channels of the input, with as many generators.
    """

    target: AbstractAction
    source: AbstractAction

    @property
    def point_dim(self) -> int:
        """Number of coordinates of y and x together."""
        return self.target.point_dim + self.source.point_dim

    @property
    def n_generators(self) -> int:
        """Number p of generators."""
        return self.source.n_generators

    @property
    def value_dim(self) -> int:
        """Number c' * c of entries of the kernel; actions that do not say how values move carry one channel."""
        return self._channels[0] * self._channels[1]

    @property
    def _channels(self) -> tuple[int, int]:
        return self.target.value_dim or 1, self.source.value_dim or 1

    @property
    def names(self) -> tuple[str, ...]:
        """One readable name per generator, in y1 .. and x1 .."""
        return tuple(self.describe(row) for row in np.eye(self.n_generators))

    def _split(self, z: NDArray) -> tuple[NDArray, NDArray]:
        z = check_points(z, self.point_dim)
        return z[:, : self.target.point_dim], z[:, self.target.point_dim :]

    def on_points(self, x: NDArray) -> NDArray:
        """Velocities ``(n, p, d' + d)`` of the pairs."""
        y, x = self._split(x)
        return np.concatenate([self.target.on_points(y), self.source.on_points(x)], axis=2)

    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives of the velocities along ``v (n, d' + d)``."""
        (y, x), split = self._split(x), self.target.point_dim
        parts = [self.target.derivative_along(y, v[:, :split]), self.source.derivative_along(x, v[:, split:])]
        return np.concatenate(parts, axis=2)

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """Velocities ``tau'(y) k - k tau(x) - k div xi(x)``, shape ``(n, p, c' * c)``."""
        y, x = self._split(x)
        k = v.reshape(len(v), *self._channels)
        left = np.einsum("npab,nbc->npac", fibre_matrices(self.target, y), k)
        right = np.einsum("nab,npbc->npac", k, fibre_matrices(self.source, x))
        density = divergence(self.source, x)[:, :, None, None] * k[:, None]
        return (left - right - density).reshape(len(v), self.n_generators, -1)

    def restrict(self, basis: ArrayLike) -> KernelAction:
        """The action of the combinations in the columns of ``basis (p, r)``."""
        basis = check_basis(basis, self.n_generators)
        return KernelAction(self.target.restrict(basis), self.source.restrict(basis))

    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text: how y moves, then how x moves."""
        split, d = self.target.point_dim, self.source.point_dim
        names = names or (*_numbered("y", split), *_numbered("x", d))
        return f"{self.target.describe(xi, names[:split])} + {self.source.describe(xi, names[split:])}"


def kernel(target: AbstractAction, source: AbstractAction | None = None) -> KernelAction:
    """The action on integral kernels k(y, x) of generators that move y and x at once.

    Parameters
    ----------
    target : AbstractAction
        How generators move y and the c' values over it. Without an output representation there is one value, which
        stays; give ``action.with_output(matrices)`` or ``er.actions.TangentLift(action)`` for others.
    source : AbstractAction, optional
        The same for x and the values that are integrated; by default as ``target``. Generator k of one goes with
        generator k of the other.

    Returns
    -------
    KernelAction
        An action on R^(d' + d), points (y, x) with y first, and on c' * c values.

    Raises
    ------
    InputError
        When one is no action, or the two do not have the same number of generators.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, for equivariant operators as sections.

    Examples
    --------
    >>> from erlangen.actions import translation
    >>> kernel(translation(1)).names
    ('d/dy + d/dx',)
    """
    source = target if source is None else source
    for given in (target, source):
        if not isinstance(given, AbstractAction):
            raise _no_action(given)
    if target.n_generators != source.n_generators:
        raise InputError(
            explain(
                "Each generator must say how it moves both points of a kernel.",
                given=f"{target.n_generators} generators on y, {source.n_generators} on x",
                expected="the same generators, in the same order, on both sides",
                fix="er.actions.kernel(er.actions.rotation(2))",
            )
        )
    return KernelAction(target, source)


def _no_action(given: Any) -> InputError:
    group = isinstance(given, Group)
    return InputError(
        explain(
            "A kernel moves under an action.",
            given=f"the group {given.name}" if group else f"an object of type {type(given).__name__}",
            expected="an action for y, and one for x where it differs",
            fix="er.actions.kernel(er.actions.linear(group.lie_algebra)), and for discrete elements h "
            "er.enforce(..., discrete=[numpy.kron(numpy.eye(2), h)])"
            if group
            else "er.actions.kernel(er.actions.rotation(2))",
        )
    )


def fibre_matrices(action: AbstractAction, x: NDArray) -> NDArray:
    """The matrices tau_k(x) ``(n, p, c, c)`` that act on values; zero on one channel where the action does not say."""
    if action.value_dim is None:
        return np.zeros((len(x), action.n_generators, 1, 1))
    unit = np.eye(action.value_dim)
    columns = [action.on_values(x, np.broadcast_to(e, (len(x), len(e)))) for e in unit]
    return np.stack(columns, axis=3)


def divergence(action: AbstractAction, x: NDArray) -> NDArray:
    """The divergence ``(n, p)`` of the velocities."""
    unit = np.eye(action.point_dim)
    rates = [action.derivative_along(x, np.broadcast_to(e, x.shape))[:, :, a] for a, e in enumerate(unit)]
    return np.sum(rates, axis=0)


def _numbered(letter: str, d: int) -> tuple[str, ...]:
    return (letter,) if d == 1 else tuple(f"{letter}{i + 1}" for i in range(d))
