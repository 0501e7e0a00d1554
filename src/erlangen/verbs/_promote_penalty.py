"""The penalty of promotion: its value, its proximal map, and fits to data with and without noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, sparse

from erlangen._errors import InputError, explain
from erlangen._progress import keeping, track
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction, union
from erlangen.blocks import in_blocks
from erlangen.derivative import AbstractSamples, LieDerivative
from erlangen.fields import AbstractLinearField
from erlangen.linalg.admm import AbstractFit, Interpolation, LeastSquares, State
from erlangen.linalg.norms import L1Norm, MatrixMap, SumOfNorms
from erlangen.linalg.qr import rounding
from erlangen.verbs._promote_data import check_data, check_same_family, check_weight, reduced, reduced_blocks
from erlangen.verbs._promote_maps import LieMap, joined_map
from erlangen.verbs._promote_result import Promoted, assemble
from erlangen.verbs._promote_select import Selected, select
from erlangen.verbs._promote_solve import Problem, solve
from erlangen.verbs._promote_terms import AbstractTerm, Block, Moved

TOLERANCE = 1e-4
"""Relative residual at which a fit ends; its solution is then known to three digits or so."""


@dataclass(frozen=True, eq=False, repr=False)
class Penalty(AbstractShown):
    """A function of theta that is small where few generators are broken; made by :func:`promote`.

    Penalties over one family add up, with weights: ``translations + 2.0 * rotations``.

    Attributes
    ----------
    field : AbstractLinearField
        The family.
    terms : tuple of AbstractTerm
        What is added up: one term for the generators of each action, one for each discrete element.
    weights : tuple of float
        With which weights.
    samples : AbstractSamples
        Where functions are compared.
    scale : float
        Size of the values for which the value is stated. Only the reweighted kind depends on it; a fit takes the
        spread of its data.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 8.

    Examples
    --------
    >>> import erlangen as er
    >>> family = er.fields.Polynomial(degree=2, dim=2).as_field()
    >>> penalty = er.promote(family, er.actions.rotation(2))
    >>> circle, ellipse = [0, 0, 0, 1, 0, 1], [0, 0, 0, 1, 0, 2]
    >>> penalty.broken_rank(circle), penalty.broken_rank(ellipse)
    (0, 1)
    """

    field: AbstractLinearField
    terms: tuple[AbstractTerm, ...]
    weights: tuple[float, ...]
    samples: AbstractSamples
    scale: float = 1.0

    def __add__(self, other: Penalty) -> Penalty:
        """Both penalties, over one family."""
        if not isinstance(other, Penalty):
            return NotImplemented
        check_same_family(self.field, other.field)
        return replace(self, terms=self.terms + other.terms, weights=self.weights + other.weights)

    def __mul__(self, weight: float) -> Penalty:
        """The penalty with a weight, which must be positive."""
        weight = check_weight("weight", weight, positive=True)
        return replace(self, weights=tuple(weight * w for w in self.weights))

    __rmul__ = __mul__

    def __truediv__(self, number: float) -> Penalty:
        """The penalty with a weight of one over a positive number."""
        return self * (1.0 / check_weight("weight", number, positive=True))

    def __radd__(self, other: object) -> Penalty:
        """So that ``sum`` of a list of penalties works, which begins at zero."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __repr__(self) -> str:
        sizes = " + ".join(f"{block.map.shape[0]} generators" for block in self.blocks)
        elements = len(self.terms) - len(self.blocks)
        more = f"{' and ' if sizes else ''}{elements} discrete elements" if elements else ""
        kinds = ", ".join(sorted({type(term).__name__.lower() for term in self.terms}))
        return f"Penalty on {sizes}{more} of a family with {self.field.n_params} parameters ({kinds})"

    @property
    def convex(self) -> bool:
        """Whether the penalty is convex in theta: fits then have no local minima, and state how good they are."""
        return all(term.convex for term in self.terms)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The matrices of generators and values, one for each action."""
        return tuple(term.block for term in self.terms if not isinstance(term, Moved))  # type: ignore[attr-defined]

    @cached_property
    def map(self) -> LieMap:
        """The map theta -> :meth:`matrix`, transposed and row by row."""
        return joined_map([block.map for block in self.blocks], self.field.n_params)

    @cached_property
    def lie(self) -> LieDerivative:
        """Of the family, along the orthonormal generators of all blocks.

        Raises
        ------
        InputError
            When the penalty has several actions that are not all polynomial, or discrete elements alone.
        """
        if len(self.blocks) == 1:
            return self.blocks[0].lie
        actions = [block.lie.action for block in self.blocks]
        known = [action for action in actions if isinstance(action, PolynomialAction)]
        if not known or len(known) < len(actions):
            raise InputError(
                explain(
                    "Only polynomial actions can be joined to one.",
                    given=", ".join(type(action).__name__ for action in actions) or "discrete elements alone",
                    expected="a penalty with one block, or polynomial generators",
                    fix="penalty.blocks[0].lie",
                )
            )
        return LieDerivative(self.field, union(*known), self.samples)

    @property
    def generators(self) -> NDArray:
        """Orthonormal generators ``(p, r)``, as combinations of those of the actions, one after another."""
        return linalg.block_diag(*(block.generators for block in self.blocks)) if self.blocks else np.zeros((0, 0))

    def matrix(self, theta: ArrayLike) -> NDArray:
        """Matrix ``(m, r)`` of xi -> L_xi f_theta, in orthonormal bases of values and of generators.

        Several blocks are the blocks of one diagonal.

        Parameters
        ----------
        theta : array_like (q,)
            Parameters of the family.

        Returns
        -------
        ndarray (m, r)
            One row per value, one column per orthonormal generator.

        Raises
        ------
        InputError
            When theta is not q finite numbers.
        """
        theta = self._parameters(theta)
        blocks = [block.matrix(theta) for block in self.blocks]
        return blocks[0] if len(blocks) == 1 else linalg.block_diag(*blocks) if blocks else np.zeros((0, 0))

    def value(self, theta: ArrayLike) -> float:
        """The penalty: for the nuclear kind, the sum of the singular values of the matrix.

        Parameters
        ----------
        theta : array_like (q,)
            Parameters of the family.

        Returns
        -------
        float
            The penalty, at least zero; zero where nothing is broken.

        Raises
        ------
        InputError
            When theta is not q finite numbers.
        """
        theta = self._parameters(theta)
        return sum(w * term.value(theta, self.scale) for term, w in zip(self.terms, self.weights, strict=True))

    def subgradient(self, theta: ArrayLike) -> NDArray:
        """A subgradient ``(q,)`` of the value, from the singular vectors of values that are not zero.

        Parameters
        ----------
        theta : array_like (q,)
            Parameters of the family.

        Returns
        -------
        ndarray (q,)
            A slope of the penalty by the parameters.

        Raises
        ------
        InputError
            When theta is not q finite numbers.
        """
        theta = self._parameters(theta)
        parts = zip(self.terms, self.weights, strict=True)
        return np.sum([w * term.subgradient(theta, self.scale) for term, w in parts], axis=0)

    def prox(self, theta: ArrayLike, step: float, *, tolerance: float = TOLERANCE) -> NDArray:
        """Minimiser ``(q,)`` of ``step * value(t) + |t - theta|^2 / 2``; a local one where the value is not convex.

        Parameters
        ----------
        theta : array_like (q,)
            Parameters of the family.
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
        still = np.diag(1.0 / self._sizes)
        problem = self._problem(lambda norms: LeastSquares(still, theta, norms.gram), 0.0)
        return solve(problem, step / len(theta), None, tolerance).solution.c / self._sizes

    def broken_rank(self, theta: ArrayLike, *, tolerance: float = 0.0) -> int:
        """Number of broken generators: singular values above ``tolerance`` times the largest, and above rounding.

        Parameters
        ----------
        theta : array_like (q,)
            Parameters of the family.
        tolerance : float
            Singular values up to this part of the largest count as zero.

        Returns
        -------
        int
            How many generators are broken, of all blocks together.

        Raises
        ------
        InputError
            When theta is not q finite numbers.
        """
        theta = self._parameters(theta)
        return sum(block.broken_rank(theta, tolerance) for block in self.blocks)

    def for_values(self, y: ArrayLike) -> Penalty:
        """The penalty for values ``(n, c)`` as large as these: root mean square deviation from their mean.

        Parameters
        ----------
        y : array_like (n, c)
            Values that will be fitted.

        Returns
        -------
        Penalty
            The same penalty, its ``eps`` in units of these values; itself where it is convex.
        """
        if self.convex:
            return self
        y = np.asarray(y, dtype=np.float64)
        spread = float(np.sqrt(np.mean((y - y.mean(axis=0)) ** 2))) or float(np.sqrt(np.mean(y**2))) or 1.0
        return replace(self, scale=spread)

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

        Returns
        -------
        Promoted
            The field, what it breaks, and how near the minimum it is.

        Raises
        ------
        InputError
            When values contradict each other or the family; the message names the equations.
        UndecidedError
            When values and penalty leave some parameters open.
        """
        l1 = check_weight("l1", l1)
        design, y = self._data(x, y)
        measured, y = self.for_values(y), y.ravel()
        problem = measured._problem(lambda norms: Interpolation(design, y, norms.gram), l1)
        return measured._fitted(problem, 0.0, start, tolerance)

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
        one of least penalty. Parameters are those of :meth:`interpolate`. Where the penalty is not convex, this is the
        local minimum next to the convex problem with which the iteration begins: that of the nuclear norm.

        Parameters
        ----------
        x : array_like (n, d)
            Points.
        y : array_like (n,) or (n, c)
            Values there.
        lam : float
            Weight of the penalty, at least zero, in the units of squared values.
        l1 : float
            Weight of the sum of absolute parameters, beside the penalty.
        start : State, optional
            From a fit nearby.
        tolerance : float
            Relative residual at which iteration ends.

        Returns
        -------
        Promoted
            The field, what it breaks, and how near the minimum it is.

        Raises
        ------
        UndecidedError
            When values and penalty leave some parameters open.
        InputError
            When points, values and family do not fit together, or a weight is negative.
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

        Parameters
        ----------
        x : array_like (n, d)
            Points.
        y : array_like (n,) or (n, c)
            Values there.
        lams : iterable of float
            Weights of the penalty, from large to small.
        l1 : float
            Weight of the sum of absolute parameters, beside the penalty.
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
            When points, values and family do not fit together, or a weight is negative.
        UndecidedError
            When values and penalty leave some parameters open.
        """
        lams, l1 = [check_weight("lam", lam) for lam in lams], check_weight("l1", l1)
        measured, design, y = self._reduced(x, y)
        problem = measured._problem(lambda norms: LeastSquares(design, y, norms.gram), l1)
        found: list[Promoted] = []
        with keeping("the path of weights", len(lams)) as kept:
            for lam in track(lams, "weights of the path"):
                if lam == 0.0:
                    limit = measured._problem(_closest(design, y), l1)
                    found.append(measured._fitted(limit, lam, None, tolerance))
                else:
                    found.append(measured._fitted(problem, lam, start, tolerance))
                    start = found[-1].state
                kept.keep(lambda _: list(found), len(found))
        return found

    def select(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        lams: Sequence[float] | None = None,
        folds: int | Iterable[tuple[ArrayLike, ArrayLike]] | None = None,
        debias: bool = True,
        within: float | None = None,
        l1: float = 0.0,
        rng: int | np.random.Generator = 0,
    ) -> Selected:
        """Let the data choose what is broken, by cross-validation, and refit with the rest kept.

        The path of promoted fits suggests numbers of broken generators and sets of broken discrete elements. For each,
        the least squares fit among *all* fields that keep as much is found: a nuclear norm shrinks what it does not
        drop, and this does not. Chosen is the one that keeps most and whose held-out error is as good as the best, up
        to chance; the promoted fit of least error itself is among them.

        Parameters
        ----------
        x : array_like (n, d)
            Points.
        y : array_like (n,) or (n, c)
            Values there.
        lams : sequence of float, optional
            Weights of the path; twenty from :meth:`largest_weight` down to a ten-thousandth of it, and zero.
        folds : int or iterable of (train, test), optional
            Parts into which rows are split at random, ten by default; or pairs of rows: whole runs of one system belong
            together.
        debias : bool
            Whether to refit. Otherwise theta is that of the largest weight that is as good as the best.
        within : float, optional
            Up to how many standard errors above the best error a choice is as good: one for weights, which is the
            usual rule, and half of one for refits, which cannot take back what they keep too much of.
        l1 : float
            Weight of the sum of absolute parameters, beside the penalty; refits are without.
        rng : int or numpy.random.Generator
            Splits the rows.

        Returns
        -------
        Selected
            The chosen field, with what was compared and why it was chosen.

        Raises
        ------
        UndecidedError
            When there are too few data.

        References
        ----------
        Breiman, Friedman, Olshen, Stone, Classification and regression trees, 1984, section 3.4.3 (the
        one-standard-error rule).

        Examples
        --------
        >>> import numpy as np
        >>> import erlangen as er
        >>> rng = np.random.default_rng(0)
        >>> x = rng.uniform(-1, 1, (18, 5))
        >>> y = (1 + x @ [0.6, 0, 0.8, 0, 0]) ** 2 + 0.02 * rng.normal(size=18)
        >>> penalty = er.promote(er.fields.Polynomial(degree=2, dim=5).as_field(), er.actions.translation(5))
        >>> found = penalty.select(x, y)
        >>> found.broken_rank, found.kept.shape
        (1, (5, 4))
        """
        return select(self, x, y, lams=lams, folds=folds, debias=debias, within=within, l1=l1, rng=rng)

    def largest_weight(self, x: ArrayLike, y: ArrayLike) -> float:
        """A weight lam from which on the fit breaks nothing: where a path may begin.

        With r the residual of the best unbroken field, any M with map^T M = design^T r / n and dual norm at most lam
        certifies that field; this takes the M of least length. Where the penalty is not convex, it is that of the norms
        with which the iteration begins, and ends where nothing is broken.

        Parameters
        ----------
        x : array_like (n, d)
            Points.
        y : array_like (n,) or (n, c)
            Values there.

        Returns
        -------
        float
            A weight for :meth:`fit` and :meth:`path`.
        """
        measured, design, y = self._reduced(x, y)
        norms = measured._plain
        values, vectors = np.linalg.eigh(norms.gram)
        zero = values <= rounding(norms.gram.shape) * max(values[-1], np.finfo(np.float64).tiny)
        unbroken = vectors[:, zero]
        kept = unbroken @ np.linalg.lstsq(design @ unbroken, y, rcond=None)[0]
        slope = design.T @ (y - design @ kept) / len(y)
        multiplier = norms.apply(vectors[:, ~zero] @ ((vectors[:, ~zero].T @ slope) / values[~zero]))
        return norms.dual(multiplier) * (1.0 + np.sqrt(TOLERANCE))  # fits are no more accurate than that

    @cached_property
    def _sizes(self) -> NDArray:
        """Root mean square of each function over the samples: unknowns are measured by it, parameters are not."""
        few = self.samples.subset(256)
        features = self.field.features(few.points)
        sizes = np.sqrt(np.einsum("n,ncq->q", few.weights, features**2))
        return np.where(sizes > 0, sizes, 1.0)

    @cached_property
    def _maps(self) -> tuple[MatrixMap, ...]:
        """The maps of the terms from the unknowns of a fit."""
        return tuple(MatrixMap(_columns_over(term.matrix, self._sizes)) for term in self.terms)

    @cached_property
    def _plain(self) -> SumOfNorms:
        return self._norms(None, 0.0)

    def _norms(self, c: NDArray | None, l1: float) -> SumOfNorms:
        """The norms that stand for the penalty near unknowns ``c (q,)``, or to begin with."""
        theta = None if c is None else c / self._sizes
        parts = zip(self.terms, self._maps, strict=True)
        norms = tuple(term.norm(plain, theta, self.scale) for term, plain in parts)
        if l1 == 0.0:
            return SumOfNorms(norms, self.weights)
        return SumOfNorms(
            (*norms, L1Norm(sparse.csr_array(sparse.diags_array(1.0 / self._sizes)))), (*self.weights, l1)
        )

    def _problem(self, fit: Callable[[SumOfNorms], AbstractFit], l1: float) -> Problem:
        first = self._plain if l1 == 0.0 else self._norms(None, l1)

        def value(c: NDArray) -> float:
            theta = c / self._sizes
            return self.value(theta) + l1 * float(np.abs(theta).sum())

        return Problem(fit, first, lambda c: self._norms(c, l1), value, self.convex)

    def _fitted(self, problem: Problem, lam: float, start: State | None, tolerance: float) -> Promoted:
        done = solve(problem, lam if lam > 0 else 1.0, start, tolerance)
        theta = done.solution.c / self._sizes
        return assemble(self.field, theta, lam, self.value(theta), self.terms, done)

    def _data(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
        x, y = check_data(self.field, x, y)
        design = self.field.features(x).reshape(-1, self.field.n_params)
        return design / self._sizes, y

    def _reduced(self, x: ArrayLike, y: ArrayLike) -> tuple[Penalty, NDArray, NDArray]:
        """The penalty for values of this size, and as few equations as have the same squared residual."""
        if in_blocks(x):
            design, values, some = reduced_blocks(self.field, x, y)
            return self.for_values(some), design / self._sizes, values
        x, y = check_data(self.field, x, y)
        design, values = reduced(self.field, x, y)
        return self.for_values(y), design / self._sizes, values

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


def _closest(design: NDArray, y: NDArray) -> Callable[[SumOfNorms], AbstractFit]:
    """All least squares solutions."""
    closest = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return lambda norms: Interpolation(design, closest, norms.gram)


def _columns_over(matrix: Any, sizes: NDArray) -> Any:
    return sparse.csr_array(matrix * (1.0 / sizes)) if sparse.issparse(matrix) else matrix / sizes
