"""Convex problems with a nuclear norm: fit data, and keep ``|A(c)|_*`` small.

    minimise  fit(c) + lam * sum_i norm_i(A_i c)

by the alternating direction method of multipliers with Z = A c. The quadratic step has one factorisation, which
serves every iteration and every lam; the other step shrinks singular values. Each solution states a duality gap: how
far its objective can be above the minimum, whatever the iteration did.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.linalg.norms import L1Norm as L1Norm
from erlangen.linalg.norms import NuclearNorm as NuclearNorm
from erlangen.linalg.norms import SumOfNorms as SumOfNorms
from erlangen.linalg.shrinkage import Shrunk

_log = logging.getLogger(__name__)

RELAXATION = 1.7
"""Over-relaxation of the constraint Z = A c; between 1.5 and 1.8 in Boyd et al., section 3.4.3."""

BALANCE_EVERY = 15
"""Iterations between changes of the step size rho: the residuals of a new one need some to show."""

BALANCE_LESS = 0.2
"""Later, the share of the iterations made so far: a step size that never rests need not converge."""

BALANCE = 3.0
"""Ratio of the two residuals beyond which rho changes, by a factor of two."""

CHECK_EVERY = 50
"""Iterations between looks at the duality gap, which takes all singular values."""


class AbstractFit(ABC):
    """How well the unknowns fit data ``design (n, q) c = y (n,)``, ready for one penalty."""

    @abstractmethod
    def step(self, pull: NDArray, rho: float) -> NDArray:
        """Minimiser ``(q,)`` of ``fit(c) + rho / 2 |map c - w|^2``, where ``pull = map^T w``."""

    @abstractmethod
    def value(self, c: NDArray) -> float:
        """The fit at c."""

    @abstractmethod
    def bound(self, c: NDArray, inner: float, limit: float) -> float:
        """Lower bound of the minimum of ``fit + penalty``.

        There is an M with ``map^T M`` equal to the downward slope of the fit at c (up to multipliers of constraints),
        ``<map c, M> = inner`` and dual norm ``limit``; M divided by ``max(limit, 1)`` is dual feasible.
        """


class Interpolation(AbstractFit):
    """Unknowns that satisfy ``design c = y`` exactly.

    Parameters
    ----------
    design : ndarray (n, q)
        Rows may depend on each other where y agrees.
    y : ndarray (n,)
        The values.
    gram : ndarray (q, q)
        Gram matrix of the map of the penalty.

    Raises
    ------
    InputError
        Where rows contradict each other; the message names them.
    UndecidedError
        Where data and penalty leave some unknowns open.
    """

    def __init__(self, design: NDArray, y: NDArray, gram: NDArray):
        n, q = design.shape
        full, r, order = linalg.qr(design.T, pivoting=True)
        size = np.abs(np.diagonal(r)) if min(r.shape) else np.zeros(0)
        rank = int(np.sum(size > np.finfo(np.float64).eps * max(n, q) * size[:1].max(initial=0.0)))
        lead = linalg.solve_triangular(r[:rank, :rank], y[order[:rank]], trans="T")
        at = full[:, :rank] @ lead
        _check_agreement(design, y, at, order[:rank])
        free = full[:, rank:]
        inverse = _inverse(free.T @ gram @ free)
        self._solve = free @ inverse @ free.T
        self._at = at - self._solve @ (gram @ at)

    def step(self, pull: NDArray, rho: float) -> NDArray:
        """See :class:`AbstractFit`; rho does not matter."""
        return self._at + self._solve @ pull

    def value(self, c: NDArray) -> float:
        """Zero: all that is looked at fits."""
        return 0.0

    def bound(self, c: NDArray, inner: float, limit: float) -> float:
        """The dual is ``max y . nu`` over ``design^T nu = map^T M``, and ``y . nu = <map c, M>``."""
        return inner / max(limit, 1.0)


class LeastSquares(AbstractFit):
    """Half of the mean squared residual, ``|design c - y|^2 / (2 n)``.

    Parameters
    ----------
    design : ndarray (n, q)
    y : ndarray (n,)
    gram : ndarray (q, q)
        Gram matrix of the map of the penalty.

    Raises
    ------
    UndecidedError
        Where data and penalty leave some unknowns open.
    """

    def __init__(self, design: NDArray, y: NDArray, gram: NDArray):
        self._design, self._y, n = design, y, len(y)
        normal = design.T @ design / n
        balance = np.trace(normal) / np.trace(gram) if np.trace(gram) > 0 and np.trace(normal) > 0 else 1.0
        # W^T (normal + balance gram) W = 1 and W^T gram W diagonal: one factorisation for every rho.
        inverse = linalg.solve_triangular(_cholesky(normal + balance * gram), np.eye(len(gram)), lower=True).T
        self._gram, turn = np.linalg.eigh(inverse.T @ gram @ inverse)
        self._fit = np.maximum(1.0 - balance * self._gram, 0.0)
        self._turn = inverse @ turn
        self._pull = design.T @ y / n

    def step(self, pull: NDArray, rho: float) -> NDArray:
        """See :class:`AbstractFit`."""
        return self._turn @ ((self._turn.T @ (self._pull + rho * pull)) / (self._fit + rho * self._gram))

    def value(self, c: NDArray) -> float:
        """Half of the mean squared residual."""
        r = self._design @ c - self._y
        return float(r @ r) / (2 * len(r))

    def bound(self, c: NDArray, inner: float, limit: float) -> float:
        """The dual is ``max_s s y . r - s^2 |r|^2 / 2``, over n, along the residual r of c, for s within the limit."""
        r = self._y - self._design @ c
        along, square = float(self._y @ r) / len(r), float(r @ r) / len(r)
        s = 1.0 / limit if limit > 0 else np.inf
        s = min(s, along / square) if square > 0 else 0.0
        return s * along - s * s * square / 2


@dataclass(frozen=True, eq=False)
class State:
    """Where an iteration stands; the next problem of a path starts from it.

    Attributes
    ----------
    image : ndarray (m,)
        Z, the shrunk copy of the image.
    scaled : ndarray (m,)
        Multipliers of Z = map c, divided by rho.
    rho : float
        Step size.
    size : float
        Largest norm of an image so far: residuals are relative to it, so that an image of zero can be reached.
    starts : tuple
        What the norms start from.
    """

    image: NDArray
    scaled: NDArray
    rho: float
    size: float
    starts: tuple[Shrunk | None, ...]


@dataclass(frozen=True, eq=False)
class Solution:
    """A minimiser, and how well it is known.

    Attributes
    ----------
    c : ndarray (q,)
        The unknowns.
    image : ndarray (m,)
        Z, the copy of ``map c`` that has exactly the rank, or the zeros, that the norms ask for.
    objective : float
        ``fit + lam * penalty`` at c.
    gap : float
        Upper bound of how far that is above the minimum.
    iterations : int
        How many were made.
    converged : bool
        Whether residuals and gap are within the tolerance.
    state : State
        To start from.
    """

    c: NDArray
    image: NDArray
    objective: float
    gap: float
    iterations: int
    converged: bool
    state: State


def minimise(
    fit: AbstractFit,
    penalty: SumOfNorms,
    lam: float = 1.0,
    *,
    start: State | None = None,
    tolerance: float = 1e-4,
    most: int = 5000,
) -> Solution:
    """Minimise ``fit(c) + lam * penalty(map c)``.

    Parameters
    ----------
    fit : Interpolation or LeastSquares
    penalty : SumOfNorms
    lam : float
        Weight of the penalty, positive; any value is the same for `Interpolation`.
    start : State, optional
        Of a problem nearby.
    tolerance : float
        Size of both residuals, relative to the images and multipliers, at which the iteration ends; the gap must be
        within its square root of the objective.
    most : int
        Most iterations.

    References
    ----------
    Boyd, Parikh, Chu, Peleato, Eckstein, Distributed optimization and statistical learning via the alternating
    direction method of multipliers, 2011, sections 3.3 and 3.4.

    Examples
    --------
    The matrix of least nuclear norm with a given diagonal is that diagonal.

    >>> import numpy as np
    >>> from erlangen.linalg.norms import NuclearNorm, SumOfNorms
    >>> norm = SumOfNorms((NuclearNorm(np.eye(4), (2, 2)),), (1.0,))
    >>> rows = np.eye(4)[[0, 3]]
    >>> found = minimise(Interpolation(rows, np.array([1.0, 2.0]), norm.gram), norm)
    >>> np.round(found.c, 4) + 0.0
    array([1., 0., 0., 2.])
    """
    found = _Iteration(fit, penalty, lam, start).run(tolerance, most)
    _log.debug(
        "%d iterations for %d unknowns: gap %.2g of %.3g", found.iterations, len(found.c), found.gap, found.objective
    )
    return found


class _Iteration:
    """The iterates of one problem."""

    def __init__(self, fit: AbstractFit, penalty: SumOfNorms, lam: float, start: State | None):
        self.fit, self.penalty, self.lam = fit, penalty, lam
        if start is None:
            start = self._first()
        self.z, self.u, self.rho, self.starts = start.image, start.scaled, start.rho, start.starts
        self.size = start.size

    def _first(self) -> State:
        self.c = self.fit.step(np.zeros(len(self.penalty.gram)), 1.0)
        z = self.penalty.apply(self.c)
        size, rho = self.penalty.dual(z), 1.0
        if _length(z) <= self._rounding():
            z = np.zeros_like(z)
        else:
            rho = 10.0 * self.lam / size  # the first step shrinks by a tenth of the largest value
        return State(z, np.zeros_like(z), rho, float(np.linalg.norm(z)), (None,) * len(self.penalty.norms))

    def run(self, tolerance: float, most: int) -> Solution:
        """Iterate until residuals and gap are small."""
        self._quadratic()
        if not (np.any(self.z) or np.any(self.u)) and _length(self.a) <= self._rounding():
            return self._solution(0, np.sqrt(tolerance))  # data that ask for nothing: the best fit costs nothing
        error, ahead, turn = 0.0, 0, BALANCE_EVERY
        primal = dual = np.inf
        for count in range(1, most + 1):
            before = self.z
            v = RELAXATION * self.a
            v += (1 - RELAXATION) * before
            v += self.u
            self.z, self.starts = self.penalty.prox(v, self.lam / self.rho, self.starts, error)
            self.u = v - self.z
            self._quadratic()
            primal, dual = self._residuals(before)
            small, exact = max(primal, dual) <= tolerance, error == 0.0
            if small and exact and count >= ahead:
                done = self._solution(count, np.sqrt(tolerance))
                if done.converged:
                    return done
                ahead = count + CHECK_EVERY
            # What is returned has zeros, and not what is nearly zero: the last step is exact.
            last = small or count == most - 1
            error = 0.0 if last else 0.1 * min(primal, dual) * _length(self.z)
            if turn <= count < most:  # the last quadratic step and rho belong together: the gap rests on it
                self._balance(primal, dual)
                turn = count + max(BALANCE_EVERY, int(BALANCE_LESS * count))
        return self._solution(most, np.sqrt(tolerance) if max(primal, dual) <= tolerance else -1.0)

    def _quadratic(self) -> None:
        self.c = self.fit.step(self.penalty.adjoint(self.z - self.u), self.rho)
        self.a = self.penalty.apply(self.c)

    def _residuals(self, before: NDArray) -> tuple[float, float]:
        """How far Z is from the image, and how far it moved, relative to the largest image and to the multipliers."""
        self.size = max(self.size, _length(self.a))
        apart, moved = _length(self.a - self.z), _length(self.z - before)
        return apart / (self.size or 1.0), moved / (_length(self.u) or self.size or 1.0)

    def _balance(self, primal: float, dual: float) -> None:
        factor = 2.0 if primal > BALANCE * dual else 0.5 if dual > BALANCE * primal else 1.0
        self.rho *= factor
        self.u = self.u / factor

    def _solution(self, count: int, accept: float) -> Solution:
        """The solution so far; accepted where its gap is at most a share of the objective."""
        multiplier = self.rho / self.lam * (self.a - self.z + self.u)  # the quadratic step makes it exactly the slope
        limit = self.penalty.dual(multiplier)
        inner = self.lam * float(self.a @ multiplier)
        objective = self.fit.value(self.c) + self.lam * self.penalty.value(self.a)
        gap = max(objective - self.fit.bound(self.c, inner, limit), 0.0)
        state = State(self.z, self.u, self.rho, self.size, self.starts)
        eps = np.finfo(np.float64).eps * len(self.c)
        floor = eps * self.fit.value(np.zeros_like(self.c)) + self.lam * self._rounding()
        enough = max(accept * abs(objective), floor if accept >= 0 else -1.0)
        return Solution(self.c, self.z, objective, gap, count, bool(gap <= enough), state)

    def _rounding(self) -> float:
        """Rounding in the penalty: that of an image of unknowns as large as the largest."""
        largest = float(np.abs(self.c).max(initial=0.0)) * np.sqrt(self.penalty.square)
        return np.finfo(np.float64).eps * len(self.c) * largest * max(self.penalty.weights, default=0.0)


def _length(v: NDArray) -> float:
    """Euclidean norm of a vector, without the checks that take longer than the sum."""
    return float(v @ v) ** 0.5


def _cholesky(a: NDArray) -> NDArray:
    """Lower factor ``(q, q)``; where there is none, data and penalty leave some unknowns open."""
    if len(a) == 0:
        return a
    try:
        lower = linalg.cholesky(a, lower=True)
    except linalg.LinAlgError:
        lower = np.zeros_like(a)
    pivots = np.diagonal(lower) ** 2
    if pivots.min() <= np.finfo(np.float64).eps * len(a) * np.diagonal(a).max():
        null = np.linalg.eigvalsh(a)
        open_ = max(int(np.sum(null <= np.finfo(np.float64).eps * len(a) * null[-1])), 1)
        raise UndecidedError(
            explain(
                "Neither the data nor the penalty decide some of the unknowns.",
                given=f"{open_} independent combinations that are zero at all samples and cost nothing",
                expected="at least as many independent samples as there are symmetric functions in the family",
                fix="more samples, or a smaller family",
            )
        )
    return lower


def _inverse(a: NDArray) -> NDArray:
    lower = _cholesky(a)
    return linalg.cho_solve((lower, True), np.eye(len(a))) if len(a) else a


def _check_agreement(design: NDArray, y: NDArray, at: NDArray, used: NDArray) -> None:
    """Rows that follow from others must ask for the same values."""
    apart = np.abs(design @ at - y)
    rounding = np.sqrt(np.finfo(np.float64).eps) * (np.abs(design) @ np.abs(at) + np.abs(y).max(initial=0.0))
    wrong = np.setdiff1d(np.flatnonzero(apart > rounding), used)
    if wrong.size:
        shown = ", ".join(str(i) for i in wrong[:5])
        raise InputError(
            explain(
                "The values at the samples contradict each other: no function of this family has them all.",
                given=f"{len(y)} equations; the others exclude equation {shown}"
                + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""),
                expected="values without noise, of a function in the family",
                fix="penalty.fit(x, y, lam) for data with noise, or a larger family",
            )
        )
