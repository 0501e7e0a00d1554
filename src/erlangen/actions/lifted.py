"""Actions on values that follow from the action on points, and combinations of actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions._base import AbstractAction, check_basis, check_points


@dataclass(frozen=True, eq=False)
class AbstractLift(AbstractAction):
    """An action on points that carries as many values as there are coordinates.

    A subclass says how values move; points move as in ``base``.

    Attributes
    ----------
    base : AbstractAction
        What moves the points.
    """

    base: AbstractAction

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.base.point_dim

    @property
    def n_generators(self) -> int:
        """Number p of generators."""
        return self.base.n_generators

    @property
    def value_dim(self) -> int | None:
        """Number of value channels: the coordinates themselves."""
        return self.base.point_dim

    @property
    def names(self) -> tuple[str, ...]:
        """One readable name per generator."""
        return self.base.names

    def on_points(self, x: NDArray) -> NDArray:
        """Velocities ``(n, p, d)`` of the points."""
        return self.base.on_points(x)

    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives ``D xi_k(x) v``."""
        return self.base.derivative_along(x, v)

    def restrict(self, basis: ArrayLike) -> AbstractLift:
        """The lift of the restricted action."""
        return type(self)(self.base.restrict(basis))

    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text of one generator."""
        return self.base.describe(xi, names)


@dataclass(frozen=True, eq=False)
class TangentLift(AbstractLift):
    """Vector fields are carried along: tau_xi(x) v = D xi(x) v, so that L_xi F = [xi, F]."""

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """``D xi_k(x) v``, shape ``(n, p, d)``."""
        return self.base.derivative_along(x, v)


@dataclass(frozen=True, eq=False)
class IncrementLift(AbstractLift):
    """Increments of a map x -> x + v are carried along: tau_xi(x) v = xi(x + v) - xi(x).

    With v = Phi(x) - x the Lie derivative is D v . xi - (xi(Phi) - xi), zero exactly where
    Phi commutes with the flow of xi. The increment, not the image, sets the scale: otherwise every
    map close to the identity would look symmetric.
    """

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """``xi_k(x + v) - xi_k(x)``, shape ``(n, p, d)``."""
        return self.base.on_points(x + v) - self.base.on_points(x)


@dataclass(frozen=True, eq=False)
class UnknownOutput(AbstractAction):
    """An action on points joined by every linear (or affine) action on the c value channels.

    The rows are Df . xi - B f - b with B (and b) unknown, so discovery finds pairs of an input
    generator and the output generator that goes with it. The p input generators come first, then
    the c * c entries of B row by row, then, where ``shift`` is set, the c entries of b.

    Attributes
    ----------
    base : AbstractAction
        What moves the points.
    channels : int
        Number c of value channels.
    shift : bool
        Whether values may be shifted too.
    """

    base: AbstractAction
    channels: int
    shift: bool = False

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.base.point_dim

    @property
    def n_outputs(self) -> int:
        """Number of output generators."""
        return self.channels * (self.channels + int(self.shift))

    @property
    def n_generators(self) -> int:
        """Number of input and output generators together."""
        return self.base.n_generators + self.n_outputs

    @property
    def value_dim(self) -> int | None:
        """Number c of value channels."""
        return self.channels

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the input generators, then f1 d/df1, f2 d/df1, ..."""
        c = self.channels
        outputs = [f"f{b + 1} d/df{a + 1}" for a in range(c) for b in range(c)]
        return (*self.base.names, *outputs, *([f"d/df{a + 1}" for a in range(c)] if self.shift else []))

    def on_points(self, x: NDArray) -> NDArray:
        """Velocities ``(n, p, d)``; zero for the output generators."""
        still = np.zeros((len(x), self.n_outputs, self.point_dim))
        return np.concatenate([self.base.on_points(x), still], axis=1)

    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives of the velocities; zero for the output generators."""
        still = np.zeros((len(x), self.n_outputs, self.point_dim))
        return np.concatenate([self.base.derivative_along(x, v), still], axis=1)

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """Velocities ``(n, p, c)`` of the values: E_ab v for the output generators."""
        c = self.channels
        moved = [np.zeros((len(v), self.base.n_generators, c))]
        moved.append(np.einsum("nb,ac->nabc", v, np.eye(c)).reshape(len(v), c * c, c))
        if self.shift:
            moved.append(np.broadcast_to(np.eye(c), (len(v), c, c)))
        return np.concatenate(moved, axis=1)

    def restrict(self, basis: ArrayLike) -> AbstractAction:
        """The combinations in the columns of ``basis (p, r)``."""
        return Combination(self, check_basis(basis, self.n_generators))

    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text: the input part, then the output part after a bar."""
        p = self.base.n_generators
        parts = [f"{c:+.3g} {name}" for c, name in zip(xi[p:], self.names[p:], strict=True) if abs(c) > 1e-12]
        return f"{self.base.describe(xi[:p], names)} | {' '.join(parts) or '0'}"


@dataclass(frozen=True, eq=False)
class Combination(AbstractAction):
    """Fixed combinations, in the columns of ``basis (p, r)``, of the generators of any action.

    Attributes
    ----------
    base : AbstractAction
        An action of p generators.
    basis : ndarray (p, r)
        The combinations, as columns.
    """

    base: AbstractAction
    basis: NDArray

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.base.point_dim

    @property
    def n_generators(self) -> int:
        """Number r of combinations."""
        return self.basis.shape[1]

    @property
    def value_dim(self) -> int | None:
        """Number of value channels of the underlying action."""
        return self.base.value_dim

    @property
    def names(self) -> tuple[str, ...]:
        """One readable name per combination."""
        return tuple(self.base.describe(column) for column in self.basis.T)

    def on_points(self, x: NDArray) -> NDArray:
        """Velocities ``(n, r, d)`` of the points."""
        return np.einsum("npd,pr->nrd", self.base.on_points(x), self.basis)

    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives of the velocities."""
        return np.einsum("npd,pr->nrd", self.base.derivative_along(x, v), self.basis)

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """Velocities ``(n, r, c)`` of the values."""
        return np.einsum("npc,pr->nrc", self.base.on_values(x, v), self.basis)

    def restrict(self, basis: ArrayLike) -> Combination:
        """Combinations of the combinations."""
        return Combination(self.base, self.basis @ check_basis(basis, self.n_generators))

    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text of one generator."""
        return self.base.describe(self.basis @ xi, names)


@dataclass(frozen=True, eq=False)
class CallableAction(AbstractAction):
    """Generators given as a function, for fields that are not polynomial.

    Parameters
    ----------
    velocities : callable
        Maps points ``(n, d)`` to velocities ``(n, p, d)``; smooth.
    dim : int
        Number d of coordinates.
    generator_names : sequence of str
        One name per generator; its length is p.
    """

    velocities: Callable[[NDArray], NDArray]
    dim: int
    generator_names: tuple[str, ...]

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.dim

    @property
    def n_generators(self) -> int:
        """Number p of generators."""
        return len(self.generator_names)

    @property
    def value_dim(self) -> int | None:
        """None: the action says nothing about values."""
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """The names that were given."""
        return tuple(self.generator_names)

    def on_points(self, x: NDArray) -> NDArray:
        """Velocities ``(n, p, d)`` of the points.

        Raises
        ------
        InputError
            When the function does not return an array of shape (n, p, d).
        """
        x = check_points(x, self.dim)
        out = np.asarray(self.velocities(x))
        if out.shape != (len(x), self.n_generators, self.dim):
            raise InputError(
                explain(
                    "The function of the generators returned the wrong shape.",
                    given=f"shape {out.shape} for {len(x)} points",
                    expected=f"({len(x)}, {self.n_generators}, {self.dim}): points, generators, coordinates",
                    fix="numpy.stack([xi_1(x), xi_2(x)], axis=1)",
                )
            )
        return out

    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Central differences of the velocities; relative error about 1e-10."""
        length = np.linalg.norm(v, axis=1, keepdims=True)
        unit = v / np.where(length > 0, length, 1.0)
        step = np.finfo(float).eps ** (1 / 3) * np.maximum(1.0, np.abs(x).max(axis=1, keepdims=True))
        difference = self.on_points(x + step * unit) - self.on_points(x - step * unit)
        return difference * (length / (2 * step))[:, :, None]

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """Zero: the action says nothing about values."""
        return np.zeros((len(v), self.n_generators, v.shape[1]))

    def restrict(self, basis: ArrayLike) -> Combination:
        """The combinations in the columns of ``basis (p, r)``."""
        return Combination(self, check_basis(basis, self.n_generators))

    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text of one generator."""
        terms = [
            name if c == 1 else f"{c:.4g} ({name})" for c, name in zip(xi, self.generator_names, strict=True) if c != 0
        ]
        return " + ".join(terms) or "0"
