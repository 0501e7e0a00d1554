"""Promote: break a symmetry only where the data insist. A convex penalty on the rank of xi -> L_xi f_theta."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from erlangen._errors import InputError, explain
from erlangen.derivative import LieDerivative, Samples
from erlangen.fields import AbstractLinearField, OperatorField, PolynomialField
from erlangen.linalg.admm import (
    AbstractFit,
    Interpolation,
    L1Norm,
    LeastSquares,
    NuclearNorm,
    Solution,
    State,
    SumOfNorms,
    minimise,
)
from erlangen.linalg.qr import rounding
from erlangen.verbs._enforce_request import read
from erlangen.verbs._promote_data import check_data, check_weight
from erlangen.verbs._promote_maps import LieMap, lie_map, orthonormal_generators
from erlangen.verbs.operators import promote_operator

TOLERANCE = 1e-4
"""Relative residual at which a fit ends; its solution is then known to three digits or so."""


def promote(
    field: Any, action: Any, samples: Samples | ArrayLike | None = None, *, inner: str | ArrayLike = "speed"
) -> Penalty:
    """Make a penalty that is small where few generators are broken.

    For f_theta linear in theta, the number of broken generators is the rank of ``xi -> L_xi f_theta``. Its nuclear
    norm, the sum of singular values, is the convex function that stands for it: used as a penalty it lets data break
    a generator, but only for a price.

    Parameters
    ----------
    field : AbstractLinearField
        The family: a polynomial field (``er.fields.Polynomial(degree=2, dim=3).as_field()``), a basis with
        coefficients, or a field of your own. Coefficients that it has do not matter.
    action : AbstractAction, Symmetry or Group
        The generators that may be kept or broken.
    samples : Samples or ndarray (n, d), optional
        Where functions are compared. On a box or a Gaussian, polynomials are integrated exactly; otherwise integrals
        are weighted sums over the points. None is the box from -1 to 1: choose one about the data.
    inner : {"speed", "coefficients"} or ndarray (p, p)
        Inner product of the generators, which says how long each is and so what it costs to break it. ``"speed"`` is
        the mean of xi_k(x) . xi_l(x) over the samples; ``"coefficients"`` takes the coefficients of polynomial
        generators as orthonormal, as the source paper does. None of them depends on f: the penalty is convex.

    Returns
    -------
    Penalty
        Its value, matrix, subgradient and proximal map, and fits to data.

    Raises
    ------
    InputError
        When the field is not linear in its parameters, the pieces do not fit, or no generator moves the points.
    UndecidedError
        When there are too few samples for the family.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 8.

    Examples
    --------
    A function of the sum of five coordinates, from 13 values, in a family of 21: one translation is broken.

    >>> import numpy as np
    >>> import erlangen as er
    >>> family = er.fields.Polynomial(degree=2, dim=5).as_field()
    >>> penalty = er.promote(family, er.actions.translation(5), er.Samples.box(-1, 1, dim=5))
    >>> x = np.random.default_rng(0).uniform(-1, 1, (13, 5))
    >>> found = penalty.interpolate(x, (1 + x.sum(axis=1) / 2) ** 2)
    >>> found.broken_rank
    1
    >>> bool(abs(found.field.value(np.ones((1, 5))) - 3.5**2) < 1e-2)
    True
    """
    if not isinstance(field, AbstractLinearField):
        raise InputError(
            explain(
                "Promoting takes a family linear in its parameters: only there is the penalty convex.",
                given=type(field).__name__,
                expected="a polynomial field, a basis with coefficients, or your own AbstractLinearField",
                fix="er.fields.Polynomial(degree=2, dim=3).as_field() for a family of functions",
            )
        )
    if isinstance(field, OperatorField):
        return promote_operator(field, action, samples, inner)
    if samples is None and isinstance(field, PolynomialField):
        samples = Samples.box(-1, 1, dim=field.point_dim, n=64)
    request = read(field, action, samples, None)
    if request.elements:
        raise InputError(
            explain(
                "Discrete elements have no Lie derivative.",
                given=f"a group with {len(request.elements)} discrete elements",
                expected="generators",
                fix="the action of its Lie algebra, er.actions.linear(group.lie_algebra)",
            )
        )
    basis = orthonormal_generators(request.lie, inner)
    lie = LieDerivative(request.field, request.lie.action.restrict(basis), request.lie.samples)
    return Penalty(lie, basis, lie_map(lie))


@dataclass(frozen=True, eq=False)
class Promoted:
    """A field that fits data and breaks few generators.

    Attributes
    ----------
    field : AbstractLinearField
        The fitted member of the family.
    theta : ndarray (q,)
        Its parameters.
    lam : float
        Weight of the penalty.
    penalty : float
        Nuclear norm at theta.
    singular_values : ndarray (min(r, m),)
        Of the matrix of generators and values; zero where a generator is kept.
    broken_rank : int
        How many are not zero.
    kept : ndarray (p, p - broken_rank) or fewer columns
        Combinations of the generators of the action that are not broken, without those that vanish everywhere.
    objective : float
        What was minimised, at theta.
    gap : float
        The objective is at most this much above its minimum: the duality gap.
    iterations : int
        How many it took.
    converged : bool
        Whether residuals and gap are within the tolerance.
    reason : str
        All this in words.
    state : State
        To start a fit nearby from.
    """

    field: AbstractLinearField
    theta: NDArray
    lam: float
    penalty: float
    singular_values: NDArray
    broken_rank: int
    kept: NDArray
    objective: float
    gap: float
    iterations: int
    converged: bool
    reason: str
    state: State


@dataclass(frozen=True, eq=False)
class Penalty:
    """The nuclear norm of ``xi -> L_xi f_theta``; made by :func:`promote`. Convex in theta.

    Attributes
    ----------
    lie : LieDerivative
        Of the family, along r orthonormal generators.
    generators : ndarray (p, r)
        Those, as combinations of the generators of the action.
    map : LieMap
        theta -> L_xi f_theta as a matrix.
    """

    lie: LieDerivative
    generators: NDArray
    map: LieMap

    @property
    def field(self) -> AbstractLinearField:
        """The family."""
        field = self.lie.field
        assert isinstance(field, AbstractLinearField)
        return field

    def matrix(self, theta: ArrayLike) -> NDArray:
        """Matrix ``(m, r)`` of xi -> L_xi f_theta, in orthonormal bases of values and of generators."""
        return (self.map.matrix @ self._parameters(theta)).reshape(self.map.shape).T

    def value(self, theta: ArrayLike) -> float:
        """Sum of the singular values of the matrix."""
        return float(np.linalg.svd(self.matrix(theta), compute_uv=False).sum())

    def subgradient(self, theta: ArrayLike) -> NDArray:
        """A subgradient ``(q,)`` of the value: map^T (U V^T), from the singular vectors of values that are not zero."""
        u, s, vt = np.linalg.svd(self.matrix(theta), full_matrices=False)
        r = int(np.sum(s > self._rounding(theta)))
        return self.map.matrix.T @ (u[:, :r] @ vt[:r]).T.ravel()

    def prox(self, theta: ArrayLike, step: float, *, tolerance: float = TOLERANCE) -> NDArray:
        """Minimiser ``(q,)`` of ``step * value(t) + |t - theta|^2 / 2``."""
        theta = self._parameters(theta)
        if check_weight("step", step) == 0.0:
            return theta
        norms = SumOfNorms((self._norm,), (1.0,))
        fit = LeastSquares(np.eye(len(theta)), theta, norms.gram)
        return minimise(fit, norms, step / len(theta), tolerance=tolerance).c

    def broken_rank(self, theta: ArrayLike, *, tolerance: float = 0.0) -> int:
        """Number of broken generators: singular values above ``tolerance`` times the largest, and above rounding."""
        s = np.linalg.svd(self.matrix(theta), compute_uv=False)
        return int(np.sum(s > max(tolerance * float(s.max(initial=0.0)), self._rounding(theta))))

    def interpolate(
        self, x: ArrayLike, y: ArrayLike, *, l1: float = 0.0, start: State | None = None, tolerance: float = TOLERANCE
    ) -> Promoted:
        """Find the field of least penalty with given values, for data without noise.

        Parameters
        ----------
        x : array_like (n, d)
            Points.
        y : array_like (n,) or (n, c)
            Values there.
        l1 : float
            Weight of the sum of absolute parameters, beside the penalty.
        start : State, optional
            From a fit nearby.
        tolerance : float
            Relative residual at which iteration ends.

        Raises
        ------
        InputError
            When values contradict each other or the family; the message names the equations.
        UndecidedError
            When values and penalty leave some parameters open.
        """
        norms = self._norms(check_weight("l1", l1))
        design, y = self._data(x, y)
        fit = Interpolation(design, y, norms.gram)
        return self._result(minimise(fit, norms, start=start, tolerance=tolerance), 0.0)

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        lam: float,
        *,
        l1: float = 0.0,
        start: State | None = None,
        tolerance: float = TOLERANCE,
    ) -> Promoted:
        """Minimise ``mean |f_theta(x) - y|^2 / 2 + lam * (value(theta) + l1 |theta|_1)``, for data with noise.

        The mean is over points and channels. ``lam = 0`` is the limit of small lam: of all least squares solutions the
        one of least penalty. Parameters are those of :meth:`interpolate`.

        Raises
        ------
        UndecidedError
            When values and penalty leave some parameters open.
        """
        return next(iter(self.path(x, y, [lam], l1=l1, start=start, tolerance=tolerance)))

    def path(
        self,
        x: ArrayLike,
        y: ArrayLike,
        lams: Iterable[float],
        *,
        l1: float = 0.0,
        start: State | None = None,
        tolerance: float = TOLERANCE,
    ) -> list[Promoted]:
        """Fits for several weights, in their order: one factorisation, each started from the one before.

        See :meth:`fit`; go from large to small.
        """
        lams, norms = [check_weight("lam", lam) for lam in lams], self._norms(check_weight("l1", l1))
        design, y = self._data(x, y)
        fit: AbstractFit | None = LeastSquares(design, y, norms.gram) if any(lams) else None
        found = []
        for lam in lams:
            if lam == 0.0 or fit is None:
                closest = design @ np.linalg.lstsq(design, y, rcond=None)[0]
                limit = Interpolation(design, closest, norms.gram)
                solution = minimise(limit, norms, tolerance=tolerance)
            else:
                solution = minimise(fit, norms, lam, start=start, tolerance=tolerance)
                start = solution.state
            found.append(self._result(solution, lam))
        return found

    def largest_weight(self, x: ArrayLike, y: ArrayLike) -> float:
        """A weight lam from which on the fit breaks nothing: where a path may begin.

        With r the residual of the best unbroken field, any M with map^T M = design^T r / n and largest singular value
        at most lam certifies that field; this takes the M of least Frobenius norm.
        """
        design, y = self._data(x, y)
        gram = SumOfNorms((self._norm,), (1.0,)).gram
        values, vectors = np.linalg.eigh(gram)
        zero = values <= rounding(gram.shape) * max(values[-1], np.finfo(np.float64).tiny)
        unbroken = vectors[:, zero]
        kept = unbroken @ np.linalg.lstsq(design @ unbroken, y, rcond=None)[0]
        slope = vectors[:, ~zero].T @ (design.T @ (y - design @ kept)) / len(y)
        multiplier = self.map.matrix @ (vectors[:, ~zero] @ (slope / values[~zero]))
        return self._norm.dual(multiplier)

    @cached_property
    def _sizes(self) -> NDArray:
        """Root mean square of each function over the samples: unknowns are measured by it, parameters are not."""
        few = self.lie.samples.subset(256)
        features = self.field.features(few.points)
        sizes = np.sqrt(np.einsum("n,ncq->q", few.weights, features**2))
        return np.where(sizes > 0, sizes, 1.0)

    @cached_property
    def _scaled(self) -> Any:
        matrix = self.map.matrix
        return sparse.csr_array(matrix * (1.0 / self._sizes)) if sparse.issparse(matrix) else matrix / self._sizes

    @cached_property
    def _norm(self) -> NuclearNorm:
        return NuclearNorm(self.map.matrix, self.map.shape)

    def _norms(self, l1: float) -> SumOfNorms:
        """The penalty over the scaled unknowns."""
        nuclear = NuclearNorm(self._scaled, self.map.shape)
        if l1 == 0.0:
            return self._plain
        return SumOfNorms((nuclear, L1Norm(sparse.csr_array(sparse.diags_array(1.0 / self._sizes)))), (1.0, l1))

    @cached_property
    def _plain(self) -> SumOfNorms:
        return SumOfNorms((NuclearNorm(self._scaled, self.map.shape),), (1.0,))

    def _data(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
        x, y = check_data(self.field, x, y)
        design = self.field.features(x).reshape(-1, self.field.n_params)
        return design / self._sizes, y.ravel()

    def _parameters(self, theta: ArrayLike) -> NDArray:
        theta = np.asarray(theta, dtype=np.float64)
        if theta.shape != (self.field.n_params,) or not np.isfinite(theta).all():
            raise InputError(
                explain(
                    "These are not parameters of the family.",
                    given=f"an array of shape {theta.shape}",
                    expected=f"{self.field.n_params} finite numbers",
                    fix="penalty.field.theta",
                )
            )
        return theta

    def _rounding(self, theta: ArrayLike) -> float:
        """Rounding in singular values: relative to the terms before they cancel."""
        terms = abs(self.map.matrix) @ np.abs(self._parameters(theta))
        return rounding(self.map.shape) * float(np.linalg.norm(terms))

    def _result(self, solution: Solution, lam: float) -> Promoted:
        theta = solution.c / self._sizes
        shrunk = solution.image[: self.map.matrix.shape[0]].reshape(self.map.shape)
        left, s, _ = np.linalg.svd(shrunk, full_matrices=True)
        rank = int(np.sum(s > rounding(self.map.shape) * float(s.max(initial=0.0))))
        relative = solution.gap / solution.objective if solution.objective > 0 else 0.0
        reason = (
            f"{rank} of {self.map.shape[0]} generators are broken; the objective is within {relative:.1g} of its "
            f"minimum, after {solution.iterations} iterations" + ("" if solution.converged else ": not converged")
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
