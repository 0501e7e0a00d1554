"""Whether residuals of neighbouring rows agree: what a model leaves out shows at the scale of the data.

Larger classes and ridge functions see smooth misfit. What is finer than they are is still shared by neighbours,
and noise is not: the mean product of residuals over disjoint pairs of neighbours is zero without misfit, and the
mean square of what is missing with it.
"""

from __future__ import annotations

import numpy as np
from scipy import special
from scipy.spatial import cKDTree

from erlangen._render import number
from erlangen._typing import NDArray
from erlangen.evidence.certificate import Gate
from erlangen.evidence.estimate import features_of
from erlangen.fields import AbstractLinearField
from erlangen.linalg.qr import rounding

SIGNIFICANT = 1e-3
"""Level of gates where the class was given: a true one is rejected in one case of a thousand."""

MOST_ROWS = 20_000
"""Rows beyond which neighbours are sought among a part of them, drawn at random."""

ONE_LAW = ("equal", "components")
"""Laws of the noise under which rows may be shuffled."""

SHUFFLES = 199
"""Shuffles that give the scatter of the mean product to 5 %."""

NEIGHBOURS = 6
"""Neighbours of a row that are offered before it stays alone."""


def neighbours(
    x: NDArray,
    residuals: NDArray,
    *,
    alpha: float,
    noise: str = "equal",
    groups: NDArray | None = None,
    floor: NDArray | float = 0.0,
    rng: int | np.random.Generator = 0,
) -> Gate:
    """Test whether residuals ``(n, c)`` at points ``x (n, d)`` agree between neighbours.

    Rows are paired with near rows, each in one pair only and never within a group, so that products are independent
    without misfit. Where noise has one law in all rows, their mean is compared with means after shuffling, which sees
    a few large residuals side by side; otherwise with zero, by its own scatter. One-sided, times the number of
    channels.

    Parameters
    ----------
    x, residuals : ndarray (n, d), (n, c)
        Points and what a fit left over.
    alpha : float
        Level: the probability that noise alone fails the gate.
    noise : str
        Law of the noise, as for `erlangen.evidence.estimate`.
    groups : ndarray (n,), optional
        Runs within which noise may be correlated.
    floor : ndarray (c,) or float
        Size of residuals that rounding explains, as `rounding_of` gives it: a fit moves by rounding as a whole, so
        that neighbours share it.
    rng : int or Generator
        Order of pairing, and rows where there are many.
    """
    rng = np.random.default_rng(rng)
    pairs = _pairs(x, groups, rng)
    if len(pairs) < 8:
        return Gate("neighbours", True, float("nan"), alpha, "too few rows to compare residuals of neighbours")
    size = np.sqrt(np.mean(residuals**2, axis=0))
    if np.all(size <= floor):
        return Gate("neighbours", True, 1.0, alpha, "the class explains the values to rounding")
    products = residuals[pairs[:, 0]] * residuals[pairs[:, 1]]
    of_one_law = noise in ONE_LAW and groups is None
    each = _shuffled(residuals, pairs, rng) if of_one_law else _studentised(products)
    each = np.where(size <= floor, 1.0, each)
    p = float(min(1.0, len(each) * each.min()))
    if p >= alpha:
        return Gate("neighbours", True, p, alpha, f"residuals of neighbours have nothing in common (p = {p:.2g})")
    worst = int(np.argmin(each))
    share = products[:, worst].mean() / np.mean(residuals[:, worst] ** 2)
    words = (
        f"residuals of neighbouring rows agree (p = {p:.2g}): {number(100 * float(share), 2)} % of their variance is "
        "not noise but something finer than the model; take a richer class, or claim less"
    )
    return Gate("neighbours", False, p, alpha, words)


def rounding_of(fitted: AbstractLinearField, x: NDArray, y: NDArray) -> NDArray:
    """Size ``(c,)`` of the residuals that rounding leaves of values ``y (n, c)`` that a fitted field explains exactly.

    Relative to the values and to the terms of the sum that meets them: what cancels between terms is not known better
    than each of them, so that it grows as the functions of the class depend on each other.
    """
    x, y, n = x[:MOST_ROWS], y[:MOST_ROWS], len(x)
    phi, theta = np.abs(features_of(fitted, x)), np.abs(fitted.theta)
    terms = phi @ theta.reshape(y.shape[1], -1).T if phi.ndim == 2 else phi @ theta
    size = np.sqrt(np.mean((np.abs(y) + terms) ** 2, axis=0))
    return rounding((n, fitted.n_params)) * size


def _studentised(products: NDArray) -> NDArray:
    """P-values ``(c,)``: products have mean zero and this variance, whatever the variances of rows are."""
    spread = np.sqrt(np.mean(products**2, axis=0) / len(products))
    return special.ndtr(-products.mean(axis=0) / np.where(spread > 0, spread, np.inf))


def _shuffled(residuals: NDArray, pairs: NDArray, rng: np.random.Generator) -> NDArray:
    """P-values ``(c,)`` against shuffled rows; beyond the last of them by a normal tail."""
    own = residuals[pairs.ravel()]
    found = np.mean(own[0::2] * own[1::2], axis=0)
    means = np.empty((SHUFFLES, residuals.shape[1]))
    for k in range(SHUFFLES):
        other = own[rng.permutation(len(own))]
        means[k] = np.mean(other[0::2] * other[1::2], axis=0)
    spread = means.std(axis=0)
    tail = special.ndtr(-(found - means.mean(axis=0)) / np.where(spread > 0, spread, np.inf))
    larger = np.sum(means >= found, axis=0)
    return np.where(larger > 0, np.maximum(larger / (SHUFFLES + 1), tail), tail)


def missing(x: NDArray, residuals: NDArray, rng: int | np.random.Generator = 0) -> NDArray:
    """Root mean square ``(c,)`` of what a model misses, from products of residuals of neighbours."""
    pairs = _pairs(x, None, np.random.default_rng(rng))
    products = residuals[pairs[:, 0]] * residuals[pairs[:, 1]]
    return np.sqrt(np.maximum(products.mean(axis=0), 0.0))


def _pairs(x: NDArray, groups: NDArray | None, rng: np.random.Generator) -> NDArray:
    """Disjoint pairs ``(m, 2)`` of near rows."""
    rows = np.arange(len(x)) if len(x) <= MOST_ROWS else np.sort(rng.choice(len(x), MOST_ROWS, replace=False))
    spread = x[rows].std(axis=0)
    z = x[rows] / np.where(spread > 0, spread, 1.0)
    count = min(NEIGHBOURS + 1, len(rows))
    distance, near = cKDTree(z).query(z, k=count)
    if count < 2:
        return np.zeros((0, 2), dtype=np.int64)
    label = None if groups is None else np.asarray(groups)[rows]
    taken, out = np.zeros(len(rows), dtype=bool), []
    for i in np.argsort(distance[:, 1] + 1e-12 * rng.random(len(rows))).tolist():
        if taken[i]:
            continue
        for j in near[i, 1:].tolist():
            if not taken[j] and j != i and (label is None or label[i] != label[j]):
                taken[i] = taken[j] = True
                out.append((rows[i], rows[j]))
                break
    return np.array(out, dtype=np.int64).reshape(-1, 2)
