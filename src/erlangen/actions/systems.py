"""Generators that act on a system of equations: up to the choice of time, with controls, or prolonged to velocities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._render import polynomial_text
from erlangen._typing import NDArray
from erlangen.actions._base import AbstractAction, check_basis
from erlangen.actions.lifted import UnknownOutput
from erlangen.actions.polynomial import PolynomialAction, coordinate_names
from erlangen.linalg.polynomials import monomial_gradients, monomials

_NODES = np.arange(-4, 5)
_FIRST = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])
_SECOND = np.array([-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560])
"""Central differences of eighth order on nine nodes."""


def behind(action: AbstractAction) -> AbstractAction:
    """Return the action that generators are written in: on points alone, before values, rates or velocities join.

    Parameters
    ----------
    action : AbstractAction
        An action, perhaps lifted or prolonged.

    Returns
    -------
    AbstractAction
        On points alone.
    """
    while isinstance(action, (UnknownOutput, Rescaled, Clocked, Driven, Prolonged)):
        action = action.base
    return action


@dataclass(frozen=True, eq=False)
class Rescaled(AbstractAction):
    """Generators that need only map solutions to solutions up to the choice of time: ``[xi, F] = c F``.

    The rows are DF . xi - D xi . F - c F with c a combination of given monomials, unknown as xi is. The p
    generators come first, then the coefficients of the k monomials.

    Parameters
    ----------
    base : AbstractAction
        The p generators; where they say nothing of values, values are vectors that are carried along.
    table : ndarray (k, d)
        Exponents of the monomials of c; one row of zeros for a constant c.
    """

    base: AbstractAction
    table: NDArray

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.base.point_dim

    @property
    def n_rates(self) -> int:
        """Number k of monomials in c."""
        return len(self.table)

    @property
    def n_generators(self) -> int:
        """Number p + k of generators and rates together."""
        return self.base.n_generators + self.n_rates

    @property
    def value_dim(self) -> int | None:
        """Number of value channels: the coordinates, unless the base says otherwise."""
        return self.base.point_dim if self.base.value_dim is None else self.base.value_dim

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the generators, then the monomials of c."""
        words = coordinate_names(self.point_dim)
        return (*self.base.names, *(f"c = {polynomial_text([row], [1], words)}" for row in self.table))

    def on_points(self, x: NDArray) -> NDArray:
        """Velocities ``(n, p + k, d)``; zero for the rates."""
        return np.concatenate([self.base.on_points(x), np.zeros((len(x), self.n_rates, self.point_dim))], axis=1)

    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives of the velocities; zero for the rates."""
        still = np.zeros((len(x), self.n_rates, self.point_dim))
        return np.concatenate([self.base.derivative_along(x, v), still], axis=1)

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """``D xi_k(x) v`` for the generators, ``psi_j(x) v`` for the rates: ``(n, p + k, c)``."""
        return np.concatenate([_carried(self.base, x, v), monomials(x, self.table)[:, :, None] * v[:, None]], axis=1)

    def restrict(self, basis: ArrayLike) -> Clocked:
        """The combinations in the columns of ``basis (p + k, r)``: each has its own c."""
        basis, p = check_basis(basis, self.n_generators), self.base.n_generators
        return Clocked(self.base.restrict(basis[:p]), self.table, basis[p:].T)

    def rate(self, xi: NDArray, names: Sequence[str] | None = None) -> str:
        """Readable text of c, for a generator with coefficients ``xi (p + k,)``.

        Parameters
        ----------
        xi : ndarray (p + k,)
            Coefficients of generator and rates.
        names : sequence of str, optional
            Names of the coordinates.

        Returns
        -------
        str
            Text of c in [xi, F] = c F.
        """
        row = np.asarray(xi)[self.base.n_generators :]
        return polynomial_text(self.table, row.tolist(), names or coordinate_names(self.point_dim))

    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text: the generator, then what [xi, F] is where it does not vanish."""
        text, rate = self.base.describe(xi[: self.base.n_generators], names), self.rate(xi, names)
        return text if rate == "0" else f"{text}, [xi, F] = ({rate}) F"


@dataclass(frozen=True, eq=False)
class Clocked(AbstractAction):
    """Generators each of which has its own c in ``[xi, F] = c F``: what restricting `Rescaled` leaves.

    Parameters
    ----------
    base : AbstractAction
        The r generators.
    table : ndarray (k, d)
        Exponents of the monomials of c.
    rates : ndarray (r, k)
        Coefficients of c, one row per generator.
    """

    base: AbstractAction
    table: NDArray
    rates: NDArray

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.base.point_dim

    @property
    def n_generators(self) -> int:
        """Number r of generators."""
        return self.base.n_generators

    @property
    def value_dim(self) -> int | None:
        """Number of value channels: the coordinates, unless the base says otherwise."""
        return self.base.point_dim if self.base.value_dim is None else self.base.value_dim

    @property
    def names(self) -> tuple[str, ...]:
        """One readable name per generator."""
        return self.base.names

    def on_points(self, x: NDArray) -> NDArray:
        """Velocities ``(n, r, d)``."""
        return self.base.on_points(x)

    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives of the velocities."""
        return self.base.derivative_along(x, v)

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """``D xi_k(x) v + c_k(x) v``, shape ``(n, r, c)``."""
        return _carried(self.base, x, v) + (monomials(x, self.table) @ self.rates.T)[:, :, None] * v[:, None]

    def restrict(self, basis: ArrayLike) -> Clocked:
        """The combinations in the columns of ``basis (r, s)``."""
        basis = check_basis(basis, self.n_generators)
        return Clocked(self.base.restrict(basis), self.table, basis.T @ self.rates)

    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text: the generator, then what [xi, F] is where it does not vanish."""
        rate = polynomial_text(self.table, (xi @ self.rates).tolist(), names or coordinate_names(self.point_dim))
        text = self.base.describe(xi, names)
        return text if rate == "0" else f"{text}, [xi, F] = ({rate}) F"


@dataclass(frozen=True, eq=False)
class Driven(AbstractAction):
    """Generators on states and controls together, for x' = F(x, u).

    A symmetry has ``D_x F . xi + D_u F . eta - D xi . F = 0``.

    Parameters
    ----------
    base : PolynomialAction
        Generators on R^(d + k), states first; what moves states may depend on states only.
    states : int
        Number d of states: the values of F.

    Raises
    ------
    InputError
        Where a generator moves states in a way that depends on controls.
    """

    base: PolynomialAction
    states: int

    def __post_init__(self) -> None:
        rows = self.base.exponents[:, self.states :].any(axis=1)
        d, r = self.base.point_dim, len(self.base.exponents)
        moving = np.zeros((d, r), dtype=bool)
        moving[: self.states, rows] = True
        if abs(self.base.matrix[:, np.flatnonzero(moving)]).sum() > 0:
            raise InputError(
                explain(
                    "A generator moves states by an amount that depends on controls.",
                    given=f"{self.base.n_generators} generators on {self.states} states and {d - self.states} controls",
                    expected="velocities of states that depend on states only; those of controls may depend on both",
                    fix="leave the action out: all affine generators of that kind are then tried",
                )
            )

    @property
    def point_dim(self) -> int:
        """Number d + k of states and controls."""
        return self.base.point_dim

    @property
    def n_generators(self) -> int:
        """Number p of generators."""
        return self.base.n_generators

    @property
    def value_dim(self) -> int | None:
        """Number d of states."""
        return self.states

    @property
    def names(self) -> tuple[str, ...]:
        """One readable name per generator."""
        return self.base.names

    def on_points(self, x: NDArray) -> NDArray:
        """Velocities ``(n, p, d + k)``."""
        return self.base.on_points(x)

    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives of the velocities."""
        return self.base.derivative_along(x, v)

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """``D xi_k(x) v``, shape ``(n, p, d)``: vectors are carried by what moves the states."""
        along = np.concatenate([v, np.zeros((len(v), self.point_dim - self.states))], axis=1)
        return self.base.derivative_along(x, along)[:, :, : self.states]

    def restrict(self, basis: ArrayLike) -> Driven:
        """The combinations in the columns of ``basis (p, r)``."""
        return Driven(self.base.restrict(basis), self.states)

    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text of one generator."""
        return self.base.describe(xi, names)


@dataclass(frozen=True, eq=False)
class Prolonged(AbstractAction):
    r"""Point transformations of time and positions, prolonged to velocities and accelerations.

    A generator tau(t, x) d/dt + eta(t, x) d/dx moves velocities by eta1 = D eta - v D tau and accelerations by
    eta2 = D eta1 - a D tau, where D is the derivative along a solution (References, theorem 2.36). Points are
    (t, x, v) in R^(1 + 2m), values (v, a) in R^(2m), so that their Lie derivative vanishes exactly where the generator
    maps solutions of x'' = a(t, x, x') to solutions: that of v always does, and only gives a scale where a = 0.
    With w = (1, v),

    .. math:: \eta^{(2)} = D^2\eta[w, w] + D\eta\,(0, a) - v\,(D^2\tau[w, w] + D\tau\,(0, a)) - 2 a\, D\tau\, w .

    Parameters
    ----------
    base : AbstractAction
        p generators on R^(1 + m), time first; exact for polynomial ones, differences of eighth order for others.

    References
    ----------
    P. J. Olver, *Applications of Lie Groups to Differential Equations*, second edition, 1993, section 2.3.
    """

    base: AbstractAction

    @property
    def positions(self) -> int:
        """Number m of positions."""
        return self.base.point_dim - 1

    @property
    def point_dim(self) -> int:
        """Number 1 + 2 m: time, positions, velocities."""
        return 1 + 2 * self.positions

    @property
    def n_generators(self) -> int:
        """Number p of generators."""
        return self.base.n_generators

    @property
    def value_dim(self) -> int | None:
        """Number 2 m of velocities and accelerations."""
        return 2 * self.positions

    @property
    def names(self) -> tuple[str, ...]:
        """One readable name per generator."""
        return self.base.names

    def on_points(self, x: NDArray) -> NDArray:
        """First prolongations ``(n, p, 1 + 2 m)``: velocities of time, positions and velocities."""
        m = self.positions
        low, v = x[:, : m + 1], x[:, m + 1 :]
        rate = self.base.derivative_along(low, _with_time(v))
        return np.concatenate([self.base.on_points(low), rate[:, :, 1:] - v[:, None] * rate[:, :, :1]], axis=2)

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """First and second prolongations ``(n, p, 2 m)``: how velocities and accelerations ``v (n, 2 m)`` move."""
        m = self.positions
        low, speed, pull = x[:, : m + 1], v[:, :m], v[:, m:]
        along = _with_time(speed)
        first = self.base.derivative_along(low, along)
        bent = _second(self.base, low, along) + self.base.derivative_along(low, np.insert(pull, 0, 0.0, axis=1))
        one = first[:, :, 1:] - speed[:, None] * first[:, :, :1]
        two = bent[:, :, 1:] - speed[:, None] * bent[:, :, :1] - 2 * pull[:, None] * first[:, :, :1]
        return np.concatenate([one, two], axis=2)

    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives of the first prolongations along ``v (n, 1 + 2 m)``, by differences of eighth order."""
        return _along_line(self.on_points, x, v)[0]

    def restrict(self, basis: ArrayLike) -> Prolonged:
        """The prolongations of the combinations in the columns of ``basis (p, r)``."""
        return Prolonged(self.base.restrict(basis))

    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text in time and positions."""
        return self.base.describe(xi, None if names is None else names[: 1 + self.positions])


def _carried(base: AbstractAction, x: NDArray, v: NDArray) -> NDArray:
    return base.derivative_along(x, v) if base.value_dim is None else base.on_values(x, v)


def _with_time(v: NDArray) -> NDArray:
    return np.hstack([np.ones((len(v), 1)), v])


def _second(base: AbstractAction, x: NDArray, along: NDArray) -> NDArray:
    """Second derivatives ``D^2 xi_k(x)[w, w]``, shape ``(n, p, 1 + m)``."""
    if not isinstance(base, PolynomialAction):
        return _along_line(base.on_points, x, along)[1]
    d = base.point_dim
    total = np.zeros((len(x), len(base.exponents)))
    for j in range(d):
        factors, lowered = base.exponents[:, j], base.exponents.copy()
        lowered[:, j] = np.maximum(lowered[:, j] - 1, 0)
        slope = np.einsum("nra,na->nr", monomial_gradients(x, lowered), along)
        total += factors * slope * along[:, j : j + 1]
    return np.einsum("nr,par->npa", total, base.coefficients)


def _along_line(function: Callable[[NDArray], NDArray], x: NDArray, v: NDArray) -> tuple[NDArray, NDArray]:
    """First and second derivative at s = 0 of a function along ``x + s v``."""
    length = np.linalg.norm(v, axis=1)
    # Truncation h^8 and rounding eps / h^2 of the second difference balance at the tenth root of rounding.
    step = np.finfo(float).eps ** 0.1 / np.where(length > 0, length, 1.0)
    first = second = np.zeros(1)
    for node, a, b in zip(_NODES, _FIRST, _SECOND, strict=True):
        s = (node * step)[:, None]
        value = function(x + s * v)
        first, second = first + a * value, second + b * value
    return first / step[:, None, None], second / step[:, None, None] ** 2
