"""Promote a symmetry of linear operators between functions on grids: the nuclear norm of ``xi -> W D_xi - D'_xi W``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._progress import keeping, track
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction
from erlangen.derivative import LieDerivative, Samples
from erlangen.fields.operators import OperatorField
from erlangen.linalg.admm import Solution, State, minimise
from erlangen.linalg.modes import common_modes
from erlangen.linalg.norms import NuclearNorm, SumOfNorms
from erlangen.linalg.operator_fit import Commutators, OperatorFit
from erlangen.linalg.qr import rounding
from erlangen.linalg.subspace import DenseSubspace
from erlangen.linalg.svd import svd
from erlangen.verbs._operators_select import select_operator
from erlangen.verbs._promote_data import check_data, check_weight
from erlangen.verbs._promote_maps import LieMap, orthonormal_generators
from erlangen.verbs._promote_result import Promoted, Spectrum
from erlangen.verbs._promote_select import Selected
from erlangen.verbs._promote_terms import Block

DENSE_ENTRIES = 2500
"""Entries of an operator up to which generators without common modes are taken: one dense factorisation, seconds."""


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
    u, s, vt = svd(stacked)
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


def operator_penalty(field: OperatorField, action: Any, inner: str | ArrayLike) -> OperatorPenalty | None:
    """The penalty in common modes of the generators, on white noise; None where they have none."""
    generator_matrices(field, action)
    lie = LieDerivative(field.polynomial, action, Samples.gaussian(dim=field.point_dim, n=64))
    basis = orthonormal_generators(lie, inner)
    chosen = action.restrict(basis)
    maps = commutators(field, chosen)
    return None if maps is None else OperatorPenalty(LieDerivative(field, chosen, lie.samples), basis, maps)


def check_size(field: OperatorField) -> None:
    """Refuse what takes a dense factorisation of all entries at once."""
    if field.n_params > DENSE_ENTRIES:
        raise InputError(
            explain(
                "The operator has too many entries, except for generators with common modes and the plain penalty.",
                given=f"{field.n_params} entries",
                expected=f"at most {DENSE_ENTRIES}; or generators that commute and are normal, as translations of a "
                'periodic grid are, with kind="nuclear", no samples and no discrete elements',
                fix="a coarser grid",
            )
        )


def _alone(given: str) -> InputError:
    return InputError(
        explain(
            "A penalty in common modes is one norm.",
            given=given,
            expected="its weight as lam in fit and path, one action with all generators",
            fix=f"er.promote(family, action, inputs): with samples penalties add up, to {DENSE_ENTRIES} entries",
        )
    )


@dataclass(frozen=True, eq=False)
class OperatorPenalty(AbstractShown):
    """The nuclear norm of ``xi -> W D_xi - D'_xi W`` in common modes of the generators; convex in W.

    It has the methods of :class:`Penalty`, but no sums and no l1 terms, and takes grids of hundreds of points: entries
    are penalised mode by mode, and data tie only the entries of one row.

    Attributes
    ----------
    lie : LieDerivative
        Of the family, along r orthonormal generators.
    generators : ndarray (p, r)
        Those, as combinations of the generators of the action.
    maps : Commutators
        W -> W D - D' W in modes.
    terms : tuple
        Empty: one norm, and no others to add.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 8.

    Examples
    --------
    >>> import erlangen as er
    >>> shifts = er.actions.on_grid(er.actions.translation(1), er.actions.FunctionGrid((8,)))
    >>> penalty = er.promote(er.fields.operators(8), shifts)
    >>> penalty.broken_rank(np.eye(8).ravel()), penalty.broken_rank(np.diag(np.arange(8.0)).ravel())
    (0, 1)
    """

    lie: LieDerivative
    generators: NDArray
    maps: Commutators

    convex = True
    terms: tuple[()] = ()

    def __add__(self, other: object) -> NoReturn:
        """Refused: in modes, there is one norm."""
        raise _alone("a sum of penalties")

    __radd__ = __add__

    def __mul__(self, other: object) -> NoReturn:
        """Refused: the weight of a single norm is ``lam``."""
        raise _alone("a multiple of a penalty")

    __rmul__ = __mul__

    @property
    def map(self) -> LieMap:
        """The map W -> :meth:`matrix`, transposed and row by row, over the entries in modes."""
        return LieMap(self.maps.map, (self.generators.shape[1], self.field.n_params))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The one block there is."""
        return (Block(self.lie, self.generators, self.map),)

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
        """Matrix ``(q, r)`` of xi -> L_xi W, in orthonormal bases of operators and of generators.

        Parameters
        ----------
        theta : array_like (q,)
            Entries of the operator, row by row.

        Returns
        -------
        ndarray (q, r)
            One column per orthonormal generator.

        Raises
        ------
        InputError
            When theta is not q finite numbers.
        """
        c = _in_modes(self.maps, self._parameters(theta))
        return (self.maps.map @ c).reshape(self.generators.shape[1], -1).T

    def value(self, theta: ArrayLike) -> float:
        """Sum of the singular values of the matrix.

        Parameters
        ----------
        theta : array_like (q,)
            Entries of the operator, row by row.

        Returns
        -------
        float
            The penalty, at least zero; zero where nothing is broken.

        Raises
        ------
        InputError
            When theta is not q finite numbers.
        """
        return float(np.linalg.svd(self.matrix(theta), compute_uv=False).sum())

    def subgradient(self, theta: ArrayLike) -> NDArray:
        """A subgradient ``(q,)`` of the value.

        Parameters
        ----------
        theta : array_like (q,)
            Entries of the operator, row by row.

        Returns
        -------
        ndarray (q,)
            A slope of the penalty by the entries.

        Raises
        ------
        InputError
            When theta is not q finite numbers.
        """
        u, s, vt = svd(self.matrix(theta))
        r = int(np.sum(s > self._rounding(theta)))
        return _in_grid(self.maps, self.maps.map.T @ (u[:, :r] @ vt[:r]).T.ravel())

    def prox(self, theta: ArrayLike, step: float, *, tolerance: float = 1e-4) -> NDArray:
        """Minimiser ``(q,)`` of ``step * value(t) + |t - theta|^2 / 2``.

        Parameters
        ----------
        theta : array_like (q,)
            Entries of the operator, row by row.
        step : float
            Weight of the penalty beside the distance, at least zero.
        tolerance : float
            Relative residual at which iteration ends.

        Returns
        -------
        ndarray (q,)
            The minimiser.

        Raises
        ------
        InputError
            When theta is not q finite numbers, or the step is negative.
        """
        theta = self._parameters(theta)
        if check_weight("step", step) == 0.0:
            return theta
        w = _in_modes(self.maps, theta).reshape(self.maps.shape)
        fit = OperatorFit(self.maps, np.eye(w.shape[1]), w.T)
        return _in_grid(self.maps, self._minimised(fit, step / theta.size, None, tolerance).c)

    def broken_rank(self, theta: ArrayLike, *, tolerance: float = 0.0) -> int:
        """Number of broken generators: singular values above ``tolerance`` times the largest, and above rounding.

        Parameters
        ----------
        theta : array_like (q,)
            Entries of the operator, row by row.
        tolerance : float
            Singular values up to this part of the largest count as zero.

        Returns
        -------
        int
            How many generators are broken.

        Raises
        ------
        InputError
            When theta is not q finite numbers.
        """
        s = np.linalg.svd(self.matrix(theta), compute_uv=False)
        return int(np.sum(s > max(tolerance * float(s.max(initial=0.0)), self._rounding(theta))))

    def interpolate(
        self, x: ArrayLike, y: ArrayLike, *, start: State | None = None, tolerance: float = 1e-4
    ) -> Promoted:
        """Find the operator of least penalty that takes inputs ``x (n, N)`` to outputs ``y (n, N')`` exactly.

        Parameters
        ----------
        x : array_like (n, N)
            Inputs.
        y : array_like (n, N')
            Outputs.
        start : State, optional
            From a fit nearby.
        tolerance : float
            Relative residual at which iteration ends.

        Returns
        -------
        Promoted
            The operator, what it breaks, and how near the minimum it is.

        Raises
        ------
        InputError
            When pairs contradict each other.
        UndecidedError
            When inputs lack modes of the grid.
        """
        fit = OperatorFit(self.maps, *self._data(x, y), exact=True)
        return self._result(self._least(fit, start, tolerance), 0.0)

    def fit(
        self, x: ArrayLike, y: ArrayLike, lam: float, *, start: State | None = None, tolerance: float = 1e-4
    ) -> Promoted:
        """Minimise ``mean |W x - y|^2 / 2 + lam * value(W)``; the mean is over pairs and points of the grid.

        Parameters
        ----------
        x : array_like (n, N)
            Inputs.
        y : array_like (n, N')
            Outputs.
        lam : float
            Weight of the penalty, at least zero.
        start : State, optional
            From a fit nearby.
        tolerance : float
            Relative residual at which iteration ends.

        Returns
        -------
        Promoted
            The operator, what it breaks, and how near the minimum it is.

        Raises
        ------
        InputError
            When inputs and outputs do not fit the operator, or the weight is negative.
        """
        return next(iter(self.path(x, y, [lam], start=start, tolerance=tolerance)))

    def path(
        self,
        x: ArrayLike,
        y: ArrayLike,
        lams: Iterable[float],
        *,
        start: State | None = None,
        tolerance: float = 1e-4,
    ) -> list[Promoted]:
        """Fits for several weights, in their order, each started from the one before; go from large to small.

        Parameters
        ----------
        x : array_like (n, N)
            Inputs.
        y : array_like (n, N')
            Outputs.
        lams : iterable of float
            Weights of the penalty, from large to small.
        start : State, optional
            From a fit nearby.
        tolerance : float
            Relative residual at which iteration ends.

        Returns
        -------
        list of Promoted
            One fit per weight.

        Raises
        ------
        InputError
            When inputs and outputs do not fit the operator, or a weight is negative.
        """
        lams = [check_weight("lam", lam) for lam in lams]
        u, v = self._data(x, y)
        fit = OperatorFit(self.maps, u, v)
        still = fit.unbroken()
        largest = self._norms.dual(fit.multiplier(still))
        found: list[Promoted] = []
        with keeping("the path of weights", len(lams)) as kept:
            for lam in track(lams, "weights of the path"):
                if lam >= largest:  # also where both are zero: what breaks nothing fits as well as anything can
                    solution = self._still(still, fit.value(still))
                elif lam == 0.0:
                    closest = u @ np.linalg.lstsq(u, v, rcond=None)[0]
                    solution = self._least(OperatorFit(self.maps, u, closest, exact=True), None, tolerance)
                else:
                    solution = self._minimised(fit, lam, start, tolerance)
                    start = solution.state
                found.append(self._result(solution, lam))
                kept.keep(lambda _: list(found), len(found))
        return found

    def largest_weight(self, x: ArrayLike, y: ArrayLike) -> float:
        """A weight lam from which on the fit breaks nothing, where a path may begin; zero where data ask for none.

        Parameters
        ----------
        x : array_like (n, N)
            Inputs.
        y : array_like (n, N')
            Outputs.

        Returns
        -------
        float
            A weight for :meth:`fit` and :meth:`path`.
        """
        fit = OperatorFit(self.maps, *self._data(x, y))
        return self._norms.dual(fit.multiplier(fit.unbroken()))

    def unbroken(self, x: ArrayLike, y: ArrayLike) -> OperatorField:
        """Least squares among the operators that break nothing: the fit without shrinkage.

        Parameters
        ----------
        x : array_like (n, N)
            Inputs.
        y : array_like (n, N')
            Outputs.

        Returns
        -------
        OperatorField
            The operator that commutes with every generator and fits best.
        """
        fit = OperatorFit(self.maps, *self._data(x, y))
        return self.field.with_theta(_in_grid(self.maps, fit.unbroken()))

    def keeping(self, kept: ArrayLike) -> OperatorPenalty:
        """The penalty of some combinations of the generators of the action, the columns of ``kept (p, k)``.

        Parameters
        ----------
        kept : array_like (p, k)
            Combinations of the generators of the action, as columns.

        Returns
        -------
        OperatorPenalty
            The penalty of those k generators.
        """
        coordinates = np.linalg.lstsq(self.generators, np.asarray(kept, dtype=np.float64), rcond=None)[0]
        basis = np.linalg.qr(coordinates)[0]
        return replace(
            self,
            lie=LieDerivative(self.field, self.lie.action.restrict(basis), self.lie.samples),
            generators=self.generators @ basis,
            maps=self.maps.combined(basis),
        )

    def select(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        lams: Sequence[float] | None = None,
        folds: int | Iterable[tuple[ArrayLike, ArrayLike]] = 5,
        debias: bool = True,
        within: float = 1.0,
        rng: int | np.random.Generator = 0,
    ) -> Selected:
        """Let held-out pairs choose what is broken, and refit by least squares with the rest enforced.

        Of the refits that the path suggests and the promoted fit of least error, the one that keeps most and whose
        error is within one standard error of the least. The result says why (``reason``), and has what survived as a
        ``symmetry``, with generators named as on points.

        Parameters
        ----------
        x : array_like (n, N)
            Inputs.
        y : array_like (n, N')
            Outputs.
        lams : sequence of float, optional
            Weights of the path; thirteen from :meth:`largest_weight` down to a ten-thousandth of it.
        folds : int or iterable of (train, test), optional
            Parts into which pairs are split at random; or pairs of rows.
        debias : bool
            Whether to refit. Otherwise the operator is that of the largest weight that is as good as the best.
        within : float
            Up to how many standard errors above the best error a choice is as good.
        rng : int or numpy.random.Generator
            Splits the pairs.

        Returns
        -------
        Selected
            The chosen operator, with what was compared and why it was chosen.
        """
        return select_operator(self, x, y, lams, folds, debias, within, rng)

    def _data(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
        x, y = check_data(self.field, x, y)
        return x @ self.maps.source.basis, y @ self.maps.target.basis

    def _least(self, fit: OperatorFit, start: State | None, tolerance: float) -> Solution:
        """The operator of least penalty; where one breaks nothing, the first step has it, and the rest is rounding."""
        c = fit.step(np.zeros(self.field.n_params), 1.0)
        if np.linalg.norm(self.maps.map @ c) > self._rounding(_in_grid(self.maps, c)):
            return self._minimised(fit, 1.0, start, tolerance)
        return self._still(c, 0.0)

    def _minimised(self, fit: OperatorFit, lam: float, start: State | None, tolerance: float) -> Solution:
        if start is None:
            c = fit.step(np.zeros(self.field.n_params), 1.0)
            z = self.maps.map @ c
            size = self._norms.dual(z)
            rho = 10.0 * lam / size if size > 0 else 1.0  # the first step shrinks by a tenth of the largest value
            # Residuals are relative to the largest image: where all images are tiny, rounding must be within tolerance.
            least = self._rounding(_in_grid(self.maps, c)) / tolerance
            start = State(z, np.zeros_like(z), rho, max(float(np.linalg.norm(z)), least), (None,))
        return minimise(fit, self._norms, lam, start=start, tolerance=tolerance)

    def _still(self, c: NDArray, objective: float) -> Solution:
        """An operator that breaks nothing, where that is known to be best."""
        image = np.zeros(self.maps.map.shape[0])
        return Solution(c, image, objective, 0.0, 0, True, State(image, image, 1.0, 0.0, (None,)))

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

    def _result(self, solution: Solution, lam: float) -> Promoted:
        theta, r = _in_grid(self.maps, solution.c), self.generators.shape[1]
        left, s, _ = np.linalg.svd(solution.image.reshape(r, -1), full_matrices=False)
        rank = int(np.sum(s > max(rounding(self.maps.shape) * float(s.max(initial=0.0)), self._rounding(theta))))
        kept = self.generators @ left[:, rank:]
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
            kept=kept,
            blocks=(Spectrum(s, rank, kept),),
            kept_elements=(),
            objective=solution.objective,
            gap=solution.gap,
            iterations=solution.iterations,
            objectives=(solution.objective,),
            converged=solution.converged,
            reason=reason,
            state=solution.state,
        )
