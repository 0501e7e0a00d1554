"""Densities from points: ratios by exponential tilting, scores by matching."""

from __future__ import annotations

import numpy as np

from erlangen._typing import NDArray
from erlangen.linalg.polynomials import derivative_table, monomial_gradients, monomials


def effective_share(weights: NDArray) -> float:
    """Share of points that are effective after weighting: (sum w)^2 / (n sum w^2)."""
    total = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / (len(weights) * total) if total > 0 else 0.0


def tilted(psi: NDArray, expected: NDArray, shares: NDArray) -> NDArray:
    """Coefficients c ``(r,)`` with mean exp(psi c) psi over the points as under the region: exponential tilting.

    Minimises mean exp(psi c) - c . (expected moments), which is convex, by damped Newton steps.
    """
    goal, c = shares @ expected, np.zeros(psi.shape[1])
    ridge = np.finfo(float).eps ** 0.5

    def cost(at: NDArray) -> float:
        return float(np.mean(np.exp(np.minimum(psi @ at, 50.0))) - goal @ at)

    value = cost(c)
    for _ in range(50):
        w = np.exp(np.minimum(psi @ c, 50.0)) / len(psi)
        gradient = psi.T @ w - goal
        hessian = psi.T @ (w[:, None] * psi)
        step = np.linalg.solve(hessian + ridge * np.trace(hessian) / len(c) * np.eye(len(c)), gradient)
        size = 1.0
        while size > 1e-6 and not cost(c - size * step) < value:
            size /= 2
        if size <= 1e-6:
            break
        c = c - size * step
        value, before = cost(c), value
        if before - value <= 1e-12 * abs(before):
            break
    return c


def matched(u: NDArray, table: NDArray) -> NDArray:
    """Coefficients of a log density over monomials of ``u (n, d)`` in [-1, 1]^d, by score matching with weight h.

    Minimises E[h |grad psi c|^2 + 2 div(h grad psi) c] with h = prod (1 - u_k^2), in closed form.
    """
    gradients = monomial_gradients(u, table)
    factors = 1.0 - u**2
    h = np.prod(factors, axis=1)
    laplace, slope = np.zeros((len(u), len(table))), np.empty_like(u)
    for k in range(u.shape[1]):
        first, lowered = derivative_table(table, k)
        second, twice = derivative_table(lowered, k)
        laplace += first * second * monomials(u, twice)
        others = np.prod(np.delete(factors, k, axis=1), axis=1)
        slope[:, k] = -2 * u[:, k] * others
    gram = np.einsum("nrd,nsd,n->rs", gradients, gradients, h, optimize=True) / len(u)
    linear = (h[:, None] * laplace + np.einsum("nrd,nd->nr", gradients, slope)).mean(axis=0)
    ridge = 1e-6 * np.trace(gram) / len(gram)
    return -np.linalg.solve(gram + ridge * np.eye(len(gram)), linear)
