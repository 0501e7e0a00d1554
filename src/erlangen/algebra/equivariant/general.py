"""Equivariant maps of any group: the null space of X -> rho_b(g) X - X rho_a(g).

Translations, boosts and triangular groups do not act completely reducibly. The part of the group
that is closed under transposes still does, and it leaves few maps; the other generators are
imposed on the coordinates of those. Without such a part all entries of the matrix are unknowns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.sparse.linalg import LinearOperator

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.algebra.equivariant._sides import Factor, Side
from erlangen.algebra.equivariant.closure import check_closed
from erlangen.algebra.equivariant.isotypic import NotSplitError, components
from erlangen.algebra.equivariant.reducible import reductive_part
from erlangen.linalg.null import iterative_null_space, null_space
from erlangen.linalg.qr import rounding, triangular_factor
from erlangen.linalg.structured import IsotypicSubspace, RestrictedSubspace
from erlangen.linalg.subspace import AbstractSubspace, DenseSubspace

_DENSE_NUMBERS = 5e7  # entries of the matrix of all equations up to which it is written out, in blocks
_CLEAR = float(
    np.finfo(np.float64).eps ** 0.5
)  # residuals above half of the digits are no rounding, in any coordinates
_STAGE = 1e4 * float(np.finfo(np.float64).eps)  # accuracy of isotypic factors: gaps between eigenvalues cost digits
_FEW = 64  # unknowns up to which it always is
_MOST_WORK = 1e12  # multiply-adds of the dense solver where the iterative one gives up: some minutes


def general_maps(target: Side, source: Side) -> AbstractSubspace:
    """Maps between two sides of any group, by a null space.

    Parameters
    ----------
    target, source : Side
        Sides of sizes a and b.

    Raises
    ------
    InputError
        Where the generators close only nearly under brackets.
    UndecidedError
        Where the equations are too many for a dense solver and the null space too large for the iterative one.
    """
    check_closed((target, source))
    lie, discrete, rest = reductive_part((target, source))
    whole = _split_maps(target, source, lie, discrete)
    if not isinstance(whole, IsotypicSubspace):
        rest = np.vstack([lie, rest[0]]), np.concatenate([discrete, rest[1]])
    equations = _equations(target, source, rest)
    if not equations:
        return whole
    part = _null_space(equations, whole, (target.size, source.size))
    if isinstance(whole, IsotypicSubspace):
        return RestrictedSubspace(whole, part, method="general")
    return replace(part, method="general")


def _split_maps(target: Side, source: Side, lie: NDArray, discrete: NDArray) -> AbstractSubspace:
    """Maps under the part that is closed under transposes; all matrices where there is none."""
    shape = (target.size, source.size)
    if len(lie) or len(discrete):

        def part(factor: Factor) -> Factor:
            return Factor(np.tensordot(lie, factor.lie, 1), factor.discrete[discrete])

        try:
            found = components((target.map_factors(part), source.map_factors(part)))
            return IsotypicSubspace(shape, tuple(c.block() for c in found))
        except NotSplitError:
            pass
    return _Everything(shape[0] * shape[1])


class _Everything(AbstractSubspace):
    """All of R^N, without a matrix."""

    reason, residual, method = "all entries", 0.0, "given"

    def __init__(self, n: int) -> None:
        self.n = n

    @property
    def ambient_dim(self) -> int:
        return self.n

    @property
    def dim(self) -> int:
        return self.n

    def coordinates(self, vectors: NDArray) -> NDArray:
        return vectors

    def combine(self, coordinates: NDArray) -> NDArray:
        return coordinates

    def sparse_basis(self) -> NDArray:
        return np.eye(self.n)


@dataclass(frozen=True)
class Equation:
    """The map X -> rho_b X - X rho_a on stacks of matrices ``(r, a, b)``, and its transpose."""

    left: Callable[[NDArray], NDArray]
    right: Callable[[NDArray], NDArray]
    left_transposed: Callable[[NDArray], NDArray]
    right_transposed: Callable[[NDArray], NDArray]
    generator: float = 0.0

    def apply(self, x: NDArray) -> NDArray:
        """Apply the map to matrices ``(r, a, b)``."""
        return _columns(self.left, x) - _rows(self.right_transposed, x)

    def transpose(self, y: NDArray) -> NDArray:
        """Apply the transposed map to matrices ``(r, a, b)``."""
        return _columns(self.left_transposed, y) - _rows(self.right, y)

    def size(self, x: NDArray) -> float:
        """The larger of both terms, relative to x, or the generator's own size where both vanish.

        Where the terms cancel or vanish, what is left is rounding of this.
        """
        parts = _columns(self.left, x), _rows(self.right_transposed, x)
        return max(self.generator, max(float(np.linalg.norm(part)) for part in parts) / float(np.linalg.norm(x)))


def _columns(move: Callable[[NDArray], NDArray], x: NDArray) -> NDArray:
    """Move the columns of a stack of matrices."""
    r, a, b = x.shape
    return move(x.transpose(1, 0, 2).reshape(a, r * b)).reshape(a, r, b).transpose(1, 0, 2)


def _rows(move: Callable[[NDArray], NDArray], x: NDArray) -> NDArray:
    """Move the rows: x rho = (rho^T x^T)^T."""
    return _columns(move, x.transpose(0, 2, 1)).transpose(0, 2, 1)


def _equations(target: Side, source: Side, rest: tuple[NDArray, NDArray]) -> list[Equation]:
    """X -> rho_b(g) X - X rho_a(g) for the generators that are left, each of norm 1."""
    sides = target, source
    return [_lie_equation(sides, weights) for weights in rest[0]] + [_discrete_equation(sides, i) for i in rest[1]]


def _lie_equation(sides: tuple[Side, Side], weights: NDArray) -> Equation:
    def turned(factor: Factor) -> NDArray:
        return np.tensordot(weights, factor.lie, 1).T

    target, source = sides
    size = max(float(np.linalg.norm(turned(f))) / f.size**0.5 for side in sides for f in side.factors)
    return Equation(
        partial(target.lie_apply, weights),
        partial(source.lie_apply, weights),
        partial(target.leibniz, turned),
        partial(source.leibniz, turned),
        size,
    )


def _discrete_equation(sides: tuple[Side, Side], which: int) -> Equation:
    def element(factor: Factor) -> NDArray:
        return factor.discrete[which]

    def turned(factor: Factor) -> NDArray:
        return factor.discrete[which].T

    target, source = sides
    return Equation(
        partial(target.kronecker, element),
        partial(source.kronecker, element),
        partial(target.kronecker, turned),
        partial(source.kronecker, turned),
    )


def _null_space(equations: list[Equation], whole: AbstractSubspace, shape: tuple[int, int]) -> DenseSubspace:
    cells, unknowns = shape[0] * shape[1], whole.dim
    if not unknowns:
        return DenseSubspace(np.zeros((0, 0)), reason="no unknowns", residual=0.0)
    scales = _scales(equations, whole, shape)
    small = len(equations) * cells * unknowns <= _DENSE_NUMBERS or unknowns <= _FEW
    return _dense(equations, scales, whole, shape) if small else _iterated(equations, scales, whole, shape)


def _dense(equations, scales, whole: AbstractSubspace, shape: tuple[int, int]) -> DenseSubspace:
    factor = triangular_factor(_blocks(equations, scales, whole, shape), whole.dim)
    size = float(np.linalg.norm(factor, 2))
    # Both terms of every equation have size 1: where all of them cancel, what is left is no scale. The maps
    # that the equations are applied to are themselves as exact as their factors.
    noise = rounding((len(equations) * shape[0] * shape[1], whole.dim)) + _STAGE * (whole.dim < shape[0] * shape[1])
    found = null_space(factor, noise * max(1.0, 1.0 / (size or 1.0)))
    next_value = found.singular_values[found.dim :].min(initial=np.inf) / max(size, 1.0)
    if next_value < _CLEAR:
        raise _undecided(found.dim, next_value)
    residual = float(np.linalg.norm(factor @ found.basis, axis=0).max(initial=0.0)) / max(size, 1.0)
    return replace(found, residual=residual)


def _iterated(equations, scales, whole: AbstractSubspace, shape: tuple[int, int]) -> DenseSubspace:
    operator = _operator(equations, scales, whole, shape)
    try:
        # The iteration works with A^T A, so that half of the digits are left for singular values.
        found = iterative_null_space(operator, float(np.sqrt(np.finfo(np.float64).eps)))
    except UndecidedError:
        if whole.dim**2 * len(equations) * shape[0] * shape[1] > _MOST_WORK:
            raise
        return _dense(equations, scales, whole, shape)  # slow, but a large null space is no obstacle to it
    next_value = found.singular_values[found.dim :].min(initial=np.inf)
    if next_value < 10 * _CLEAR:
        raise _undecided(found.dim, next_value)
    return replace(found, residual=float(found.singular_values[: found.dim].max(initial=0.0)))


def _undecided(dim: int, next_value: float) -> UndecidedError:
    return UndecidedError(
        explain(
            "The generators do not decide how many equivariant maps there are.",
            given=f"{dim} that satisfy the equations to rounding, and one more to {next_value:.1g}",
            expected=f"a next one above {_CLEAR:.1g}, half of the digits",
            fix="coordinates in which group elements are nearly orthogonal; more digits in generators from data, "
            "or group.nearest_closed()",
        )
    )


def _scales(equations: list[Equation], whole: AbstractSubspace, shape: tuple[int, int]) -> list[float]:
    """The typical size of each equation on a random map, so that no generator's unit matters."""
    c = np.random.default_rng(0).standard_normal((1, whole.dim))  # any fixed vector does
    x = whole.combine(c).reshape(1, *shape)
    return [equation.size(x) or 1.0 for equation in equations]


def _blocks(equations, scales, whole: AbstractSubspace, shape):
    basis = whole.combine(np.eye(whole.dim)).reshape(whole.dim, *shape)
    for equation, scale in zip(equations, scales):
        yield equation.apply(basis).reshape(whole.dim, -1).T / scale


def _operator(equations, scales, whole: AbstractSubspace, shape) -> LinearOperator:
    cells = shape[0] * shape[1]

    def forth(c: NDArray) -> NDArray:
        c = c.reshape(whole.dim, -1)
        x = whole.combine(c.T).reshape(-1, *shape)
        return np.vstack([e.apply(x).reshape(len(x), cells).T / s for e, s in zip(equations, scales)])

    def back(y: NDArray) -> NDArray:
        y = y.reshape(len(equations), cells, -1)
        total = np.zeros((y.shape[2], *shape))
        for equation, s, part in zip(equations, scales, y):
            total += equation.transpose(part.T.reshape(-1, *shape)) / s
        return whole.coordinates(total.reshape(len(total), cells)).T

    size = (len(equations) * cells, whole.dim)
    return LinearOperator(
        size,
        matvec=lambda c: forth(c).ravel(),
        rmatvec=lambda y: back(y).ravel(),
        matmat=forth,
        rmatmat=back,
        dtype=float,
    )
