"""Laws as a person would write them: sparse combinations, refitted on their own terms, numbers rounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog

from erlangen._typing import NDArray
from erlangen.algebra._rounding import simplest_fractions
from erlangen.dynamics._change import Forms

_PIVOTS = 48
"""Most coordinates through which a sparse vector is sought; those that the span reaches best come first."""
_INDEPENDENT = 0.05
"""Least distance of a unit vector from the span of those chosen before it."""
_WORSE = 10.0
"""A shorter formula may have this many times the defect of the longer one that it replaces."""


@dataclass(frozen=True, eq=False)
class Formulation:
    """One sparse combination of the functions of a library.

    Attributes
    ----------
    coefficients : ndarray (q,)
        The largest is 1 in size, the first positive.
    errors : ndarray (q,)
        How far a coefficient can move before the change of the law doubles in square.
    numbers : tuple
        Fractions where the errors allow one, else None; for every coefficient.
    defect : float
    """

    coefficients: NDArray
    errors: NDArray
    numbers: tuple[Fraction | None, ...]
    defect: float

    @property
    def support(self) -> NDArray:
        """Functions that occur."""
        return np.flatnonzero(self.coefficients)

    @property
    def rounded(self) -> NDArray:
        """Coefficients ``(q,)``, all of them rounded where all can be, else as estimated."""
        if any(x is None for x in self.numbers):
            return self.coefficients
        return np.array([float(x) for x in self.numbers if x is not None])


def formulate(
    forms: Forms,
    vectors: NDArray,
    orders: Sequence[int],
    floor: float,
    limit: float,
    beside: Sequence[Formulation] = (),
    modulo: NDArray | None = None,
    weights: NDArray | None = None,
) -> list[Formulation]:
    """Choose sparse combinations that span given ones.

    Parameters
    ----------
    forms : Forms
    vectors : ndarray (q, r)
        The constants found.
    orders : sequence of q ints
        Complexity of each function; simpler laws come first.
    floor : float
        Defects below this are not told apart.
    limit : float
        No formula has a larger defect, unless the combination that it shortens has.
    beside : sequence of Formulation
        Combinations already written down, which are not written again.
    modulo : ndarray (q, k), optional
        Combinations that may be added where that makes a formula shorter.
    weights : ndarray (q,), optional
        What a term costs beside its size, where there is a choice.
    """
    size = np.linalg.norm(forms.ambient, axis=0)
    size = np.where(size > 0, size, 1.0)
    both = vectors if modulo is None else np.column_stack([vectors, modulo])
    q, _ = np.linalg.qr(both * size[:, None])
    cost = np.ones(len(size)) if weights is None else weights
    found = [(v, j) for j in _pivots(q) if (v := _least_l1(q, j, cost)) is not None]
    pool = [_shorten(forms, v, j, size, floor, limit) for v, j in found if np.isfinite(forms.defect(v / size))]
    pool = [_refined(forms, c, floor) for c in pool if np.isfinite(forms.defect(c))]
    pool.sort(key=lambda f: (len(f.support), int(np.sum(np.take(orders, f.support))), f.defect))
    chosen: list[Formulation] = []
    basis = np.zeros((len(size), 0)) if modulo is None else np.linalg.qr(modulo * size[:, None])[0]
    for known in beside:
        rest = _remainder(known.coefficients * size, basis)
        basis = basis if rest is None else np.column_stack([basis, rest])
    for one in pool + [_refined(forms, v, floor) for v in vectors.T]:
        rest = _remainder(one.coefficients * size, basis)
        if rest is not None and len(chosen) < vectors.shape[1]:
            basis = np.column_stack([basis, rest])
            chosen.append(one)
    return chosen


def _pivots(q: NDArray) -> NDArray:
    reach = np.linalg.norm(q, axis=1)
    best = np.argsort(-reach, kind="stable")[:_PIVOTS]
    return best[reach[best] > np.sqrt(np.finfo(np.float64).eps)]


def _least_l1(q: NDArray, j: int, cost: NDArray) -> NDArray | None:
    """Vector v of the span with v_j = 1 and least l1 norm: the sparse ones are found so as a rule."""
    n, r = q.shape
    above = np.block([[q, -np.eye(n)], [-q, -np.eye(n)]])
    answer = linprog(
        np.r_[np.zeros(r), cost],
        A_ub=above,
        b_ub=np.zeros(2 * n),
        A_eq=np.r_[q[j], np.zeros(n)][None],
        b_eq=[1.0],
        bounds=[(None, None)] * r + [(0, None)] * n,
        method="highs",
    )
    return None if answer.x is None else q @ answer.x[:r]


def _shorten(forms: Forms, v: NDArray, pivot: int, size: NDArray, floor: float, limit: float) -> NDArray:
    """Keep the fewest largest terms that, refitted, change hardly more than the whole."""
    whole = v / size
    own = forms.defect(whole)
    bound = max(own, min(max(_WORSE * own, floor), limit))
    order = np.argsort(-np.abs(v), kind="stable")
    best, low, high = whole, 0, len(v)
    # The least change falls as terms are added, so the first number of terms that will do is found by bisection.
    while high - low > 1:
        middle = min((low + high) // 2, max(2 * low, 4))
        c = _fit(forms, np.union1d(order[:middle], [pivot]), pivot)
        if forms.defect(c) <= bound:
            best, high = c, middle
        else:
            low = middle
    return best


def _fit(forms: Forms, support: NDArray, pivot: int) -> NDArray:
    """Least change on these terms with the coefficient of the pivot 1."""
    c = np.zeros(forms.change.shape[1])
    c[pivot] = 1.0
    others = support[support != pivot]
    if others.size:
        norms = np.linalg.norm(forms.change[:, others], axis=0)
        norms = np.where(norms > 0, norms, 1.0)
        c[others] = np.linalg.lstsq(forms.change[:, others] / norms, -forms.change[:, pivot], rcond=None)[0] / norms
    return c


def _refined(forms: Forms, c: NDArray, floor: float) -> Formulation:
    """Scale a law, estimate how well its coefficients are known, and round them; what rounds to zero goes."""
    c = c / np.abs(c).max()
    pivot, support = int(np.argmax(np.abs(c))), np.flatnonzero(c)
    errors = _errors(forms, c, pivot, floor)
    least = 64 * np.finfo(np.float64).eps
    numbers = simplest_fractions(c, np.maximum(3 * errors, least))  # three standard errors
    needless = [k for k in support if numbers[k] == 0]
    if needless:
        shorter = _fit(forms, np.setdiff1d(support, needless), pivot)
        if forms.defect(shorter) <= 2 * max(forms.defect(c), floor):
            return _refined(forms, shorter, floor)
    sign = np.sign(c[np.flatnonzero(np.abs(c) > _INDEPENDENT)[0]])
    signed = tuple(None if x is None else (-x if sign < 0 else x) for x in numbers)
    return Formulation(c * sign, errors, signed, forms.defect(c))


def _errors(forms: Forms, c: NDArray, pivot: int, floor: float) -> NDArray:
    """How far each coefficient but the pivot's can move until the square of the change has doubled."""
    errors = np.zeros(len(c))
    support = np.flatnonzero(c)
    others = support[support != pivot]
    if others.size:
        left = max(float(np.linalg.norm(forms.change @ c)), floor * float(np.linalg.norm(forms.scale @ c)))
        norms = np.linalg.norm(forms.change[:, others], axis=0)
        norms = np.where(norms > 0, norms, 1.0)
        inverse = np.linalg.pinv(forms.change[:, others] / norms)
        errors[others] = left * np.linalg.norm(inverse, axis=1) / norms
    return errors


def _remainder(v: NDArray, basis: NDArray) -> NDArray | None:
    """Unit vector of the part outside the span of orthonormal columns, or None where there is too little of it."""
    v = v / np.linalg.norm(v)
    rest = v - basis @ (basis.T @ v)
    length = float(np.linalg.norm(rest))
    return rest / length if length > _INDEPENDENT else None
