"""Promote a symmetry of linear operators between functions on grids: the nuclear norm of ``xi -> W D_xi - D'_xi W``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from erlangen._errors import InputError, explain
from erlangen.actions import AbstractAction, PolynomialAction
from erlangen.derivative import LieDerivative, Samples
from erlangen.fields.operators import OperatorField
from erlangen.linalg.admm import NuclearNorm, Solution, State, SumOfNorms, minimise
from erlangen.linalg.modes import common_modes
from erlangen.linalg.operator_fit import Commutators, OperatorFit
from erlangen.linalg.qr import rounding, triangular_factor
from erlangen.linalg.subspace import DenseSubspace
from erlangen.verbs._promote_data import check_data, check_weight
from erlangen.verbs._promote_maps import LieMap, orthonormal_generators

DENSE_ENTRIES = 2500
"""Entries of an operator up to which generators without common modes are taken: one dense factorisation, seconds."""


def commutator_rows(field: OperatorField, matrices: NDArray, outputs: NDArray, factor: NDArray | None) -> LieMap:
    """The map of the entries of W to ``(W D_k - D'_k W) factor``, entry by entry."""
    c, d = field.matrix.shape
    right = np.eye(d) if factor is None else factor
    rows = [
        sparse.kron(sparse.identity(c), sparse.csr_array((before @ right).T)) - sparse.kron(after, right.T)
        for before, after in zip(matrices, outputs, strict=True)
    ]
    return LieMap(sparse.csr_array(sparse.vstack(rows)), (len(matrices), c * right.shape[1]))


def generator_matrices(field: OperatorField, action: Any) -> tuple[NDArray, NDArray]:
    """How generators move inputs ``(p, N, N)`` and outputs ``(p, N', N')``."""
    linear = isinstance(action, PolynomialAction) and np.all(action.exponents.sum(axis=1) == 1)
    sizes = (action.point_dim, action.value_dim) if isinstance(action, AbstractAction) else None
    if not linear or sizes != (field.point_dim, field.value_dim):
        raise InputError(
            explain(
                "The action does not move the inputs and outputs of the operator.",
                given=type(action).__name__ + ("" if sizes is None else f" on {sizes[0]} inputs, {sizes[1]} outputs"),
                expected=f"linear generators on {field.point_dim} inputs and {field.value_dim} outputs",
                fix="er.actions.on_grid(er.actions.translation(1), er.actions.FunctionGrid((n,)))",
            )
        )
    assert isinstance(action, PolynomialAction) and action.output is not None
    order = np.argmax(action.exponents, axis=1)
    matrices = np.zeros((action.n_generators, field.point_dim, field.point_dim))
    matrices[:, :, order] = action.coefficients
    return matrices, action.output


def commutators(field: OperatorField, action: AbstractAction) -> Commutators | None:
    """The maps in common modes; None where generators have none."""
    inputs, outputs = generator_matrices(field, action)
    source = common_modes(inputs)
    target = source if outputs is inputs or np.array_equal(inputs, outputs) else common_modes(outputs)
    return None if source is None or target is None else Commutators(source, target)


def commuting_operators(field: OperatorField, action: AbstractAction) -> DenseSubspace | None:
    """The operators with ``W D = D' W``, from common modes; None where generators have none."""
    maps = commutators(field, action) if isinstance(action, PolynomialAction) else None
    if maps is None:
        return None
    rows = []
    for j, l in np.argwhere(maps.weights == 0.0):
        for unit in (1.0, 1j):
            entry = np.zeros(maps.shape, dtype=np.complex128)
            entry[j, l] = unit
            rows.append(_in_grid(maps, maps.from_modes(entry)))
    stacked = np.array(rows).reshape(-1, field.n_params)
    # Each operator comes from two conjugate entries: half of the rows repeat the others.
    u, s, vt = np.linalg.svd(stacked, full_matrices=False)
    basis = vt[s > 0.5 * s.max(initial=0.0)].T
    residual = float(np.abs(maps.map @ _in_modes(maps, basis.T).T).max(initial=0.0)) if basis.size else 0.0
    size = float(np.abs(maps.source.rates).max(initial=0.0)) or 1.0
    apart = np.sqrt(np.sort(maps.weights.ravel()))
    reason = f"{int(np.sum(apart == 0))} of {apart.size} pairs of modes have the same rates"
    return DenseSubspace(basis, apart, np.inf, reason, residual / size, "modes")


def _in_grid(maps: Commutators, c: NDArray) -> NDArray:
    """Entries over the points of the grids ``(q,)`` of unknowns in real modes."""
    return (maps.target.basis @ c.reshape(maps.shape) @ maps.source.basis.T).ravel()


def _in_modes(maps: Commutators, theta: NDArray) -> NDArray:
    """Unknowns in real modes ``(..., q)`` of entries over the points."""
    w = theta.reshape(*theta.shape[:-1], *maps.shape)
    return (maps.target.basis.T @ w @ maps.source.basis).reshape(theta.shape)


def promote_operator(field: OperatorField, action: Any, samples: Any, inner: str | ArrayLike) -> Any:
    """The penalty of a family of operators; see :func:`promote`.

    Without samples, operators are compared on white noise. Generators with common modes, such as translations of a
    periodic grid, take an :class:`OperatorPenalty`, others an ordinary one.
    """
    from erlangen.verbs.promote import Penalty

    inputs, outputs = generator_matrices(field, action)
    white = Samples.gaussian(dim=field.point_dim, n=64)
    if samples is not None and not isinstance(samples, Samples):
        samples = Samples.from_data(np.asarray(samples, dtype=np.float64))
    lie = LieDerivative(field.polynomial, action, white if samples is None else samples)
    basis = orthonormal_generators(lie, inner)
    chosen = action.restrict(basis)
    maps = commutators(field, chosen) if samples is None else None
    lie = LieDerivative(field, chosen, lie.samples)
    if maps is not None:
        return OperatorPenalty(lie, basis, maps)
    _check_size(field, samples is not None)
    factor = None
    if samples is not None:
        points = samples.points * np.sqrt(samples.weights)[:, None]
        factor = triangular_factor([points], field.point_dim).T
    matrices = [np.tensordot(basis.T, m, 1) for m in (inputs, outputs)]
    return Penalty(lie, basis, commutator_rows(field, matrices[0], matrices[1], factor))


def _check_size(field: OperatorField, sampled: bool) -> None:
    if field.n_params > DENSE_ENTRIES:
        raise InputError(
            explain(
                "The operator has too many entries for generators without common modes.",
                given=f"{field.n_params} entries" + (", compared on given samples" if sampled else ""),
                expected=f"at most {DENSE_ENTRIES}, or generators that commute and are normal, as translations of "
                "a periodic grid are, compared on white noise (samples=None)",
                fix="a coarser grid",
            )
        )


@dataclass(frozen=True, eq=False)
class OperatorPenalty:
    """The nuclear norm of ``xi -> W D_xi - D'_xi W`` in common modes of the generators; convex in W.

    It has the methods of :class:`Penalty`, and takes grids of hundreds of points: entries are penalised mode by mode,
    and data tie only the entries of one row.

    Attributes
    ----------
    lie : LieDerivative
        Of the family, along r orthonormal generators.
    generators : ndarray (p, r)
        Those, as combinations of the generators of the action.
    maps : Commutators
        W -> W D - D' W in modes.
    """

    lie: LieDerivative
    generators: NDArray
    maps: Commutators

    convex = True

    @property
    def field(self) -> OperatorField:
        """The family."""
        assert isinstance(self.lie.field, OperatorField)
        return self.lie.field

    @cached_property
    def _norms(self) -> SumOfNorms:
        r = self.generators.shape[1]
        return SumOfNorms((NuclearNorm(self.maps.map, (r, self.field.n_params)),), (1.0,))

    def matrix(self, theta: ArrayLike) -> NDArray:
        """Matrix ``(q, r)`` of xi -> L_xi W, in orthonormal bases of operators and of generators."""
        c = _in_modes(self.maps, self._parameters(theta))
        return (self.maps.map @ c).reshape(self.generators.shape[1], -1).T

    def value(self, theta: ArrayLike) -> float:
        """Sum of the singular values of the matrix."""
        return float(np.linalg.svd(self.matrix(theta), compute_uv=False).sum())

    def subgradient(self, theta: ArrayLike) -> NDArray:
        """A subgradient ``(q,)`` of the value."""
        u, s, vt = np.linalg.svd(self.matrix(theta), full_matrices=False)
        r = int(np.sum(s > self._rounding(theta)))
        return _in_grid(self.maps, self.maps.map.T @ (u[:, :r] @ vt[:r]).T.ravel())

    def prox(self, theta: ArrayLike, step: float, *, tolerance: float = 1e-4) -> NDArray:
        """Minimiser ``(q,)`` of ``step * value(t) + |t - theta|^2 / 2``."""
        theta = self._parameters(theta)
        if check_weight("step", step) == 0.0:
            return theta
        w = _in_modes(self.maps, theta).reshape(self.maps.shape)
        fit = OperatorFit(self.maps, np.eye(w.shape[1]), w.T)
        return _in_grid(self.maps, minimise(fit, self._norms, step / theta.size, tolerance=tolerance).c)

    def broken_rank(self, theta: ArrayLike, *, tolerance: float = 0.0) -> int:
        """Number of broken generators: singular values above ``tolerance`` times the largest, and above rounding."""
        s = np.linalg.svd(self.matrix(theta), compute_uv=False)
        return int(np.sum(s > max(tolerance * float(s.max(initial=0.0)), self._rounding(theta))))

    def interpolate(self, x: ArrayLike, y: ArrayLike, *, start: State | None = None, tolerance: float = 1e-4) -> Any:
        """Find the operator of least penalty that takes inputs ``x (n, N)`` to outputs ``y (n, N')`` exactly.

        Raises
        ------
        InputError
            When pairs contradict each other.
        UndecidedError
            When inputs lack modes of the grid.
        """
        fit = OperatorFit(self.maps, *self._data(x, y), exact=True)
        return self._result(minimise(fit, self._norms, start=start, tolerance=tolerance), 0.0)

    def fit(
        self, x: ArrayLike, y: ArrayLike, lam: float, *, start: State | None = None, tolerance: float = 1e-4
    ) -> Any:
        """Minimise ``mean |W x - y|^2 / 2 + lam * value(W)``; the mean is over pairs and points of the grid."""
        return next(iter(self.path(x, y, [lam], start=start, tolerance=tolerance)))

    def path(
        self,
        x: ArrayLike,
        y: ArrayLike,
        lams: Iterable[float],
        *,
        start: State | None = None,
        tolerance: float = 1e-4,
    ) -> list[Any]:
        """Fits for several weights, in their order, each started from the one before; go from large to small."""
        lams = [check_weight("lam", lam) for lam in lams]
        u, v = self._data(x, y)
        fit = OperatorFit(self.maps, u, v) if any(lams) else None
        found = []
        for lam in lams:
            if lam == 0.0 or fit is None:
                closest = u @ np.linalg.lstsq(u, v, rcond=None)[0]
                solution = minimise(OperatorFit(self.maps, u, closest, exact=True), self._norms, tolerance=tolerance)
            else:
                solution = minimise(fit, self._norms, lam, start=start, tolerance=tolerance)
                start = solution.state
            found.append(self._result(solution, lam))
        return found

    def largest_weight(self, x: ArrayLike, y: ArrayLike) -> float:
        """A weight lam from which on the fit breaks nothing: where a path may begin."""
        fit = OperatorFit(self.maps, *self._data(x, y))
        return self._norms.norms[0].dual(fit.multiplier(fit.unbroken()))

    def unbroken(self, x: ArrayLike, y: ArrayLike) -> OperatorField:
        """Least squares among the operators that break nothing: the fit without shrinkage."""
        fit = OperatorFit(self.maps, *self._data(x, y))
        return self.field.with_theta(_in_grid(self.maps, fit.unbroken()))

    def _data(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
        x, y = check_data(self.field, x, y)
        return x @ self.maps.source.basis, y @ self.maps.target.basis

    def _parameters(self, theta: ArrayLike) -> NDArray:
        theta = np.asarray(theta, dtype=np.float64)
        if theta.shape != (self.field.n_params,) or not np.isfinite(theta).all():
            raise InputError(
                explain(
                    "These are not entries of an operator of the family.",
                    given=f"an array of shape {theta.shape}",
                    expected=f"{self.field.n_params} finite numbers, row by row",
                    fix="penalty.field.theta",
                )
            )
        return theta

    def _rounding(self, theta: ArrayLike) -> float:
        """Rounding in singular values: relative to the terms before they cancel, and to the changes of basis."""
        terms = abs(self.maps.map) @ np.abs(_in_modes(self.maps, self._parameters(theta)))
        return rounding(self.maps.shape) * sum(self.maps.shape) * float(np.linalg.norm(terms))

    def _result(self, solution: Solution, lam: float) -> Any:
        from erlangen.verbs.promote import Promoted

        theta, r = _in_grid(self.maps, solution.c), self.generators.shape[1]
        left, s, _ = np.linalg.svd(solution.image.reshape(r, -1), full_matrices=False)
        rank = int(np.sum(s > rounding(self.maps.shape) * float(s.max(initial=0.0))))
        relative = solution.gap / solution.objective if solution.objective > 0 else 0.0
        reason = (
            f"{rank} of {r} generators are broken; the objective is within {relative:.1g} of its minimum, after "
            f"{solution.iterations} iterations" + ("" if solution.converged else ": not converged")
        )
        return Promoted(
            field=self.field.with_theta(theta),
            theta=theta,
            lam=lam,
            penalty=self.value(theta),
            singular_values=s,
            broken_rank=rank,
            kept=self.generators @ left[:, rank:],
            objective=solution.objective,
            gap=solution.gap,
            iterations=solution.iterations,
            converged=solution.converged,
            reason=reason,
            state=solution.state,
        )
