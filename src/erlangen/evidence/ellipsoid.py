"""Extremes of norms over a ball of parameters: the primitive behind every bound.

An estimate says theta = theta_hat + S u with |u| <= R. Norms of linear images a + B u then range
between two numbers, found by an eigendecomposition and one root each (a trust-region problem).
"""

from __future__ import annotations

import numpy as np

from erlangen._typing import NDArray

NEAR = 1e-6
"""Relative precision of the multiplier: its bound is valid anywhere and flat at the root, so its error is squared."""

LONG = 1000
"""Rows and columns beyond which the norm of an unfolding is not worth its time."""


def norm_upper(a: NDArray, b: NDArray, radius: float) -> float:
    """Largest ``|a + b u|`` over ``|u| <= radius``, for ``a (m,)`` and ``b (m, q)``.

    Examples
    --------
    >>> norm_upper(np.array([3.0, 0.0]), np.eye(2), 1.0)
    4.0
    """
    value = quadratic_max(b.T @ b, b.T @ a, radius)
    return float(np.sqrt(max(a @ a + value, 0.0)))


def norm_lower(a: NDArray, b: NDArray, radius: float) -> float:
    """Smallest ``|a + b u|`` over ``|u| <= radius``."""
    value = -quadratic_max(-(b.T @ b), -(b.T @ a), radius)
    return float(np.sqrt(max(a @ a + value, 0.0)))


def quadratic_max(h: NDArray, g: NDArray, radius: float) -> float:
    """Largest ``u^T h u + 2 g^T u`` over ``|u| <= radius``, for a symmetric ``h (q, q)``.

    With eigenvalues l_i of h and c = Q^T g: on the boundary u = c / (m - l) with m >= max(l, 0) such that
    |u| = radius. Any m >= max(l) gives the upper bound ``m R^2 + sum c^2 / (m - l)`` (duality), so what is
    returned is never below the maximum, whatever rounding does to the root.
    """
    if h.shape[0] == 0 or radius == 0.0:
        return 0.0
    l, q = np.linalg.eigh(h)
    c2 = (q.T @ g) ** 2
    top = max(float(l[-1]), 0.0)
    scale = max(float(np.abs(l).max()), float(np.sqrt(c2.sum())) / radius, np.finfo(float).tiny)
    low, high = top, top + np.sqrt(c2.sum()) / radius

    def outside(m: float) -> bool:
        return float(np.sum(c2 / np.maximum(m - l, np.finfo(float).tiny) ** 2)) > radius**2

    while high - low > NEAR * (high - top) + np.finfo(float).eps * scale:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if outside(middle) else (low, middle)
    m = max(high, top + np.finfo(float).eps * scale)
    return float(m * radius**2 + np.sum(c2 / (m - l)))


def ratio_upper(a: NDArray, b: NDArray, e: NDArray, f: NDArray, radius: float) -> float:
    """Largest ``|a + b u| / |e + f u|`` over ``|u| <= radius``; infinite where the denominator may vanish.

    The smallest delta with ``max |a + b u|^2 - delta^2 |e + f u|^2 <= 0``, by bisection between the plain ratio of
    extremes and that at the centre.
    """
    low, high = np.linalg.norm(a) / np.linalg.norm(e), _separate(a, b, e, f, radius)
    if not np.isfinite(high):
        return high
    bb, ba, ff, fe, aa, ee = b.T @ b, b.T @ a, f.T @ f, f.T @ e, a @ a, e @ e
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high)
        d2 = middle**2
        excess = quadratic_max(bb - d2 * ff, ba - d2 * fe, radius) + aa - d2 * ee
        low, high = (middle, high) if excess > 0 else (low, middle)
    return float(high)


def _separate(a: NDArray, b: NDArray, e: NDArray, f: NDArray, radius: float) -> float:
    least = norm_lower(e, f, radius)
    return norm_upper(a, b, radius) / least if least > 0 else float("inf")


def unfolding_norm(tensor: NDArray) -> float:
    """Upper bound of ``sup tensor(e, c, u)`` over unit vectors, for ``tensor (K, r, q)``.

    The smallest spectral norm of its three unfoldings, each of which is one; an unfolding that is long both ways takes
    minutes and is left out.
    """
    k, r, q = tensor.shape
    if 0 in tensor.shape:
        return 0.0
    sides = (tensor.reshape(k * r, q), tensor.transpose(0, 2, 1).reshape(k * q, r), tensor.reshape(k, r * q))
    shortest = min(min(side.shape) for side in sides)
    few = [side for side in sides if min(side.shape) <= max(LONG, shortest)]
    return float(np.sqrt(min(_top(side) for side in few)))


def _top(side: NDArray) -> float:
    """Largest squared singular value, through the smaller Gram matrix: one digit of it would do."""
    gram = side.T @ side if side.shape[1] <= side.shape[0] else side @ side.T
    return float(np.linalg.eigvalsh(gram)[-1])
