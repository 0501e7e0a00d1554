"""Functions on a grid: how a generator of points moves sampled functions.

A function u on R^d moves by ``(D_xi u)(x) = xi(x) . grad u(x) + w div xi(x) u(x)``, and its samples on a grid move by a
matrix: the derivative is spectral on a periodic grid, and a difference of neighbours otherwise. A linear operator W
between such functions commutes with the group where ``W D - D' W = 0``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions._base import AbstractAction
from erlangen.actions.catalogue import linear
from erlangen.actions.kernel import divergence
from erlangen.actions.polynomial import PolynomialAction

STENCIL = 5
"""Neighbours in a difference on a grid with ends: its error is of the fourth order in the spacing."""


@dataclass(frozen=True, eq=False)
class FunctionGrid(AbstractShown):
    """A regular grid on a box, on which functions are sampled.

    Parameters
    ----------
    shape : tuple of int
        Number of points along each of the d axes; functions are flattened row by row, N values.
    low, high : float or sequence of float
        The box. On a periodic grid ``high`` is the same place as ``low`` and has no point of its own; otherwise both
        ends have one.
    periodic : bool
        Whether functions repeat. Derivatives are then spectral: exact for all that the grid resolves. Otherwise they
        are differences of five neighbours, one-sided at the ends.

    Raises
    ------
    InputError
        When there are too few points along an axis, or the box is empty.

    Examples
    --------
    >>> grid = FunctionGrid((9,), high=2 * np.pi)
    >>> x = grid.points[:, 0]
    >>> bool(np.allclose(grid.derivative(0) @ np.sin(x), np.cos(x)))
    True
    """

    shape: tuple[int, ...]
    low: float | Sequence[float] = 0.0
    high: float | Sequence[float] = 1.0
    periodic: bool = True

    def __post_init__(self) -> None:
        least = 3 if self.periodic else STENCIL
        counts = isinstance(self.shape, tuple) and len(self.shape) > 0
        counts = counts and all(isinstance(n, (int, np.integer)) and n >= least for n in self.shape)
        if not counts:
            raise _bad_grid(f"shape {self.shape!r}", f"a tuple of whole numbers of at least {least}")
        try:
            box = np.array([np.broadcast_to(np.asarray(e, dtype=np.float64), self.dim) for e in (self.low, self.high)])
        except (TypeError, ValueError):
            raise _bad_grid(f"low={self.low!r}, high={self.high!r}", f"a number, or {self.dim} numbers") from None
        if not np.isfinite(box).all() or np.any(box[0] >= box[1]):
            raise _bad_grid(f"low={self.low!r}, high={self.high!r}", "finite ends, low < high along each axis")

    @property
    def dim(self) -> int:
        """Number d of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number N of points."""
        return int(np.prod(self.shape))

    @property
    def axes(self) -> tuple[NDArray, ...]:
        """Coordinates of the points along each axis, one array ``(N_i,)`` per axis."""
        low, high = (np.broadcast_to(np.asarray(end, dtype=np.float64), self.dim) for end in (self.low, self.high))
        return tuple(
            np.linspace(a, b, n, endpoint=not self.periodic) for a, b, n in zip(low, high, self.shape, strict=True)
        )

    @property
    def points(self) -> NDArray:
        """The points ``(N, d)``, in the order of the values of a function."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij"), axis=-1).reshape(-1, self.dim)

    def derivative(self, axis: int) -> NDArray:
        """The matrix ``(N, N)`` of the derivative along an axis.

        Parameters
        ----------
        axis : int
            Which axis, from 0.

        Returns
        -------
        ndarray (N, N)
            It acts on values at all N points of the grid, the last axis varying fastest.
        """
        x = self.axes[axis]
        if self.periodic:
            high = np.broadcast_to(np.asarray(self.high, dtype=np.float64), self.dim)[axis]
            one = _spectral(len(x), float(high - x[0]))
        else:
            one = _differences(x)
        factors = [one if a == axis else np.eye(n) for a, n in enumerate(self.shape)]
        return reduce(np.kron, factors)

    def generators(self, action: AbstractAction, density: float = 0.0) -> NDArray:
        """Matrices ``(p, N, N)`` of the generators on scalar functions; see :func:`on_grid`.

        Parameters
        ----------
        action : AbstractAction
            p generators on the points of the grid.
        density : float
            Weight w of the divergence: functions move by xi . grad u + w div(xi) u.

        Returns
        -------
        ndarray (p, N, N)
            They act on values at the N points, the last axis varying fastest.

        Raises
        ------
        InputError
            When the action does not move the points of the grid.
        """
        _check_action(self, action)
        x = self.points
        velocity = action.on_points(x)
        matrices = np.zeros((action.n_generators, self.size, self.size))
        for axis in range(self.dim):
            matrices += velocity[:, :, axis].T[:, :, None] * self.derivative(axis)
        if density:
            diagonal = np.arange(self.size)
            matrices[:, diagonal, diagonal] += density * divergence(action, x).T
        return matrices


def on_grid(
    action: AbstractAction,
    grid: FunctionGrid,
    target: FunctionGrid | None = None,
    *,
    density: float = 0.0,
    target_density: float | None = None,
) -> PolynomialAction:
    """The action on linear operators between functions on grids: inputs u move by D u, outputs v by D' v.

    Parameters
    ----------
    action : AbstractAction
        p generators on the points of the grids. On periodic grids they must be periodic too, as translations are.
    grid : FunctionGrid
        Of the inputs, N points.
    target : FunctionGrid, optional
        Of the outputs, N' points; by default the same.
    density : float
        Weight w of ``div xi``: 0 for functions, 1 for densities, 1/2 for amplitudes whose squares are densities.
    target_density : float, optional
        The same for outputs; by default as for inputs.

    Returns
    -------
    PolynomialAction
        On R^N, points being whole functions, with an output representation on R^N'.

    Raises
    ------
    InputError
        When the action has another number of coordinates than a grid, or does not fit a periodic one.

    References
    ----------
    Trefethen, Spectral Methods in MATLAB, 2000, chapters 1 and 3, for spectral differentiation.

    Examples
    --------
    The linear operators that commute with translations of a circle are the convolutions.

    >>> import erlangen as er
    >>> shift = on_grid(er.actions.translation(1), FunctionGrid((9,)))
    >>> er.enforce(er.fields.operators(9), shift).dim
    9
    """
    target = grid if target is None else target
    inputs = grid.generators(action, density)
    same = target is grid and target_density in (None, density)
    outputs = inputs if same else target.generators(action, density if target_density is None else target_density)
    named = replace(linear(inputs), origin=action if isinstance(action, PolynomialAction) else None)
    return named.with_output(outputs)


def _spectral(n: int, period: float) -> NDArray:
    """Derivative of trigonometric interpolation; the highest mode of an even n has derivative zero on the grid."""
    rate = 2j * np.pi / period * np.fft.fftfreq(n, 1.0 / n)
    column = np.fft.ifft(rate).real  # the highest mode of an even n is imaginary, and drops out
    return column[(np.arange(n)[:, None] - np.arange(n)) % n]


def _differences(x: NDArray) -> NDArray:
    """Derivative of the polynomial through the nearest points."""
    n = len(x)
    out = np.zeros((n, n))
    for i in range(n):
        start = min(max(i - STENCIL // 2, 0), n - STENCIL)
        near = np.arange(start, start + STENCIL)
        powers = ((x[near] - x[i]) / (x[1] - x[0]))[None, :] ** np.arange(STENCIL)[:, None]
        out[i, near] = np.linalg.solve(powers, np.eye(STENCIL)[1]) / (x[1] - x[0])
    return out


def _check_action(grid: FunctionGrid, action: Any) -> None:
    if not isinstance(action, AbstractAction):
        given = f"an object of type {type(action).__name__}"
    elif action.point_dim != grid.dim:
        given = f"an action on {action.point_dim} coordinates, a grid with {grid.dim}"
    elif grid.periodic and isinstance(action, PolynomialAction) and _moves_unevenly(action):
        given = f"generators that are not periodic on a periodic grid: {', '.join(action.names[:3])}"
    else:
        return
    raise InputError(
        explain(
            "The action does not move the points of this grid.",
            given=given,
            expected=f"generators on {grid.dim} coordinates"
            + (", periodic as translations are" if grid.periodic else ""),
            fix=f"er.actions.translation({grid.dim})"
            + (", or FunctionGrid(..., periodic=False)" if grid.periodic else ""),
        )
    )


def _moves_unevenly(action: PolynomialAction) -> bool:
    bent = action.exponents.sum(axis=1) > 0
    return bool(np.any(action.coefficients[:, :, bent]))


def _bad_grid(given: str, expected: str) -> InputError:
    return InputError(
        explain("This is no grid.", given=given, expected=expected, fix="FunctionGrid((64,), low=0.0, high=1.0)")
    )
