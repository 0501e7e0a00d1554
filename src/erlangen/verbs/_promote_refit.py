"""Least squares among the fields that break a given number of generators: what the penalty's shrinkage leaves to do.

The matrix A(theta) of xi -> L_xi f_theta has rank r exactly where p - r generators are kept, and the kept ones are
then closed under brackets, as symmetries of a function are. So the refit needs no algebra: it is least squares on the
variety of rank r, by Gauss-Newton steps on

    |f_theta(x) - y|^2 / (2 n) + mu / 2 * sum_(i > r) sigma_i(A(theta))^2,

mu growing, then by Newton steps on the rank alone. To first order the sum of squares of the last singular values
changes with U'^T A(delta) V', where U' and V' complete the first r singular vectors (Wedin): directions that only turn
the kept generators into others are free.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import linalg, sparse

from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding
from erlangen.linalg.svd import svd

GROWTH = 10.0
"""Factor by which mu grows each time the steps for the last one have settled."""

STIFF = 1e7
"""Largest mu, relative to the data: the rank is then right to about its inverse, and Newton steps do the rest."""

FORGET = 10.0
"""Factor by which the damping of steps grows where one raises the objective, and falls where it does not."""

SETTLED = 0.1
"""A step that lowers the objective by less than this share of it ends the search for one mu."""

MOST_STEPS = 12
"""Most Gauss-Newton steps for one mu, and most Newton steps on the rank."""

CLOSE = 1e-3
"""Relative size of the last singular values, at the largest mu, above which no field of this rank is near."""


DENSE = 2**20
"""Entries (8 MB) up to which products of dense arrays are faster than those of sparse ones."""


@dataclass(frozen=True, eq=False)
class Refit:
    """A field of given rank.

    Attributes
    ----------
    c : ndarray (q,)
        Its unknowns.
    loss : float
        Half of the mean squared residual.
    rank : int
        Rank of the matrix of xi -> L_xi f, at most what was asked for.
    exact : bool
        Whether the other singular values are rounding.
    """

    c: NDArray
    loss: float
    rank: int
    exact: bool


@dataclass(frozen=True, eq=False)
class RankVariety:
    """The unknowns c for which A(c), the (m, p) matrix of ``matrix @ c``, has a given rank.

    Parameters
    ----------
    matrix : ndarray or scipy.sparse.csr_array (p * m, q)
        Row (generator, coordinate of the values).
    shape : tuple (p, m)
    """

    matrix: Any
    shape: tuple[int, int]

    @cached_property
    def _by_generator(self) -> Any:
        """The map as (p, m * q)."""
        return self._arranged(lambda k, a, j: (k, a * self.matrix.shape[1] + j), self.shape[0])

    @cached_property
    def _by_value(self) -> Any:
        """The map as (m, p * q)."""
        return self._arranged(lambda k, a, j: (a, k * self.matrix.shape[1] + j), self.shape[1])

    def _arranged(self, place: Any, rows: int) -> Any:
        """Entry (k * m + a, j) of the map, at the place that is made of k, a and j; dense where that is small."""
        (p, m), q = self.shape, self.matrix.shape[1]
        entries = sparse.coo_array(self.matrix)
        k, a = np.divmod(entries.row.astype(np.int64), m)
        where = place(k, a, entries.col.astype(np.int64))
        arranged = sparse.csr_array((entries.data, where), shape=(rows, p * m * q // rows))
        return arranged.toarray() if p * m * q <= DENSE else arranged

    @cached_property
    def _gram(self) -> NDArray:
        product = self.matrix.T @ self.matrix
        return product.toarray() if sparse.issparse(product) else product

    def image(self, c: NDArray) -> NDArray:
        """A(c), (m, p)."""
        return (self.matrix @ c).reshape(self.shape).T

    def pull(self, image: NDArray) -> NDArray:
        """Adjoint ``(q,)`` of an image (m, p)."""
        return self.matrix.T @ image.T.ravel()

    def terms(self, c: NDArray) -> float:
        """Size of the terms of A(c) before they cancel: rounding is relative to it."""
        return float(np.linalg.norm(abs(self.matrix) @ np.abs(c)))

    def normal(self, u: NDArray, vt: NDArray, r: int) -> NDArray:
        """Gram matrix ``(q, q)`` of delta -> U'^T A(delta) V'."""
        p, q = self.shape[0], self.matrix.shape[1]
        kept = vt[r:].T
        if kept.shape[1] <= r:
            along = self._square(kept.T @ self._by_generator, q)
        else:
            along = self._gram - self._square(vt[:r] @ self._by_generator, q)
        reached = np.asarray(u[:, :r].T @ self._by_value).reshape(r, p, q)
        return along - self._square(np.einsum("rpq,pk->rkq", reached, kept, optimize=True), q)

    @staticmethod
    def _square(rows: Any, q: int) -> NDArray:
        rows = np.asarray(rows).reshape(-1, q)
        return rows.T @ rows


def refit(variety: RankVariety, design: NDArray, y: NDArray, start: NDArray, r: int) -> Refit:
    """Least squares among the unknowns of rank at most r.

    Parameters
    ----------
    variety : RankVariety
    design : ndarray (n, q)
    y : ndarray (n,)
    start : ndarray (q,)
        Unknowns near the answer: those of a promoted fit.
    r : int
        Rank, from 0 to p.
    """
    fit = _Fit(variety, design, y)
    if r >= min(variety.shape):
        c = start + np.linalg.lstsq(design, y - design @ start, rcond=None)[0]
        return Refit(c, fit.value(c), min(variety.shape), True)
    c, rank, exact = _land(variety, _descend(fit, start, r), r, variety.terms(start))
    return Refit(c, fit.value(c), rank, exact)


class _Fit:
    """The data term."""

    def __init__(self, variety: RankVariety, design: NDArray, y: NDArray):
        self.variety, self.design, self.y = variety, design, y
        self.hessian = design.T @ design / len(y)
        # Directions that neither data nor rank decide stay where they are.
        mean = float(np.trace(self.hessian)) / max(len(self.hessian), 1)
        self.damping = max(rounding(design.shape) ** 0.5 * mean, np.finfo(np.float64).tiny)

    def value(self, c: NDArray) -> float:
        rest = self.design @ c - self.y
        return float(rest @ rest) / (2 * len(self.y))

    def slope(self, c: NDArray) -> NDArray:
        return self.design.T @ (self.design @ c - self.y) / len(self.y)


def _descend(fit: _Fit, c: NDArray, r: int) -> NDArray:
    """Gauss-Newton steps while mu grows."""
    whole = float(np.trace(fit.variety._gram))
    unit = float(np.trace(fit.hessian)) / whole if whole > 0 else 1.0
    mu, damping = 0.1 * unit, fit.damping
    while mu <= STIFF * unit:
        last = np.inf
        for _ in range(MOST_STEPS):
            c, value, damping = _step(fit, c, r, mu, damping)
            if value >= (1 - SETTLED) * last:
                break
            last = value
        mu *= GROWTH
    return c


def _step(fit: _Fit, c: NDArray, r: int, mu: float, damping: float) -> tuple[NDArray, float, float]:
    """One damped Gauss-Newton step that does not raise the objective, the objective after it, and the next damping."""
    variety = fit.variety
    u, s, vt = svd(variety.image(c))
    vt = _completed(vt)
    before = fit.value(c) + 0.5 * mu * float(s[r:] @ s[r:])
    tail = (u[:, r:] * s[r:]) @ vt[r : len(s)]
    slope = fit.slope(c) + mu * variety.pull(tail)
    curvature = fit.hessian + mu * variety.normal(u, vt, r)
    for _ in range(MOST_STEPS):
        step = _solved(curvature + damping * np.eye(len(c)), -slope)
        if step is not None:
            if -(slope @ step) <= rounding(fit.design.shape) * before:
                break  # all that is left is rounding
            values = svd(variety.image(c + step))[1][r:]
            after = fit.value(c + step) + 0.5 * mu * float(values @ values)
            if after <= before:
                return c + step, after, max(damping / FORGET, fit.damping)
        damping *= FORGET
    return c, before, damping


def _solved(curvature: NDArray, slope: NDArray) -> NDArray | None:
    """The step; None where the curvature is not positive, or so large that the step is not finite."""
    try:
        factor = linalg.cho_factor(curvature, check_finite=False)
    except linalg.LinAlgError:
        return None
    step = linalg.cho_solve(factor, slope, check_finite=False)
    return step if np.isfinite(step).all() else None


def _land(variety: RankVariety, c: NDArray, r: int, size: float) -> tuple[NDArray, int, bool]:
    """Newton steps that make the last singular values zero, along the normal directions alone.

    Zero is relative to the size of the terms, or to what it was at the start: a field may shrink to a constant.
    """
    for count in range(MOST_STEPS):
        u, s, vt = svd(variety.image(c))
        terms = max(variety.terms(c), size)
        rank = int(np.sum(s > rounding(variety.shape) * terms))
        if rank <= r:
            return c, rank, True
        left = float(np.linalg.norm(s[r:])) / terms
        if left > CLOSE or count == MOST_STEPS - 1:
            break
        vt = _completed(vt)
        values, vectors = np.linalg.eigh(variety.normal(u, vt, r))
        # Tangent directions have eigenvalues of the square of what is left, normal ones of order one.
        normal = values > left * values[-1]
        slope = vectors[:, normal].T @ variety.pull((u[:, r:] * s[r:]) @ vt[r : len(s)])
        c = c - vectors[:, normal] @ (slope / values[normal])
    return c, rank, False


def _completed(vt: NDArray) -> NDArray:
    """Right singular vectors ``(p, p)``, with a basis of the rest."""
    missing = vt.shape[1] - vt.shape[0]
    return vt if missing == 0 else np.vstack([vt, linalg.null_space(vt).T])
