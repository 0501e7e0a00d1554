"""Least squares over invertible matrices C: where is F(C x) = D F(x)? Many starts at once."""

from __future__ import annotations

import numpy as np

from erlangen._typing import NDArray
from erlangen.evidence.discrete._cosets import exponentials
from erlangen.fields import AbstractField

_STEPS = 40
"""Steps of Levenberg and Marquardt; starts in a basin need ten to twenty."""
_LONGEST = 0.5
"""Longest step, as a relative change of C."""
_LEAST = 1e-10
"""Least damping: flat directions, along which the connected group moves, leave the equations solvable."""
_STUCK = 1e8
"""Damping beyond which a start has nowhere to go."""


def haar(d: int, count: int, rng: np.random.Generator) -> NDArray:
    """Uniform orthogonal matrices ``(count, d, d)``, of both determinants in turn."""
    q, r = np.linalg.qr(rng.standard_normal((count, d, d)))
    q = q * np.sign(np.einsum("sii->si", r))[:, None, :]
    wanted = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    q[:, :, 0] *= (np.sign(np.linalg.det(q)) * wanted)[:, None]
    return q


def minimise(field: AbstractField, x: NDArray, starts: NDArray, directions: NDArray | None = None) -> NDArray:
    """Local minima ``(s, d, d)`` of ``sum |D^-1 F(C x) - F(x)|^2`` from ``starts (s, d, d)``.

    D = C for vector fields (values are pulled back, so that C = 0 is no solution) and D = 1 for functions. Steps are
    C -> exp(E) C: they keep the sign of the determinant, and C invertible. E is any matrix, or a combination of
    ``directions (r, d, d)``.
    """
    c = starts.copy()
    f = field.value(x)
    scale = _scale(field, f)
    d = c.shape[1]
    along = (np.eye(d * d) if directions is None else directions.reshape(-1, d * d)).T
    size = along.shape[1]
    damping = np.full(len(c), 1e-3)
    residual, slopes = _residuals(field, x, f, c, scale, along)
    cost = np.sum(residual**2, axis=1)
    alive = np.isfinite(cost)
    for _ in range(_STEPS):
        here = np.flatnonzero(alive)
        if not len(here):
            break
        j, r = slopes[here], residual[here]
        gram, right = j.transpose(0, 2, 1) @ j, np.einsum("sma,sm->sa", j, r)
        top = np.maximum(np.einsum("saa->s", gram) / size, np.finfo(float).eps)
        step = -np.linalg.solve(gram + (damping[here] * top)[:, None, None] * np.eye(size), right[..., None])[..., 0]
        step = step @ along.T
        length = np.linalg.norm(step, axis=1) / np.sqrt(d)
        step *= np.minimum(1.0, _LONGEST / np.maximum(length, np.finfo(float).tiny))[:, None]
        tried = exponentials(step.reshape(-1, d, d)) @ c[here]
        new, new_slopes = _residuals(field, x, f, tried, scale, along)
        new_cost = np.sum(new**2, axis=1)
        better = new_cost < cost[here]
        at = here[better]
        done = (length < 1e-9) | (better & (cost[here] - new_cost <= 1e-14 * cost[here]))
        c[at], residual[at], slopes[at], cost[at] = tried[better], new[better], new_slopes[better], new_cost[better]
        damping[here] = np.where(better, np.maximum(damping[here] * 0.2, _LEAST), damping[here] * 5.0)
        alive[here[done]] = False
        alive &= damping < _STUCK
    return c


def _scale(field: AbstractField, f: NDArray) -> NDArray:
    """Units of channels: their own for functions, one for the components of a vector field, which C mixes."""
    if field.kind == "invariant":
        spread = f.std(axis=0)
        return np.where(spread > 0, spread, 1.0)
    return np.full(f.shape[1], max(float(np.sqrt(np.mean(f**2))), np.finfo(float).tiny))


def _residuals(
    field: AbstractField, x: NDArray, f: NDArray, c: NDArray, scale: NDArray, directions: NDArray
) -> tuple[NDArray, NDArray]:
    """Residuals ``(s, n c)`` and derivatives ``(s, n c, r)`` along E in the columns of ``directions (d d, r)``."""
    (s, d, _), n = c.shape, len(x)
    y = np.einsum("sab,nb->sna", c, x)
    flat = y.reshape(-1, d)
    there, jacobian = getattr(field, "both", lambda p: (field.value(p), field.jacobian(p)))(flat)
    there, jacobian = there.reshape(s, n, -1), jacobian.reshape(s, n, -1, d)
    along = np.einsum("snka,snb->snkab", jacobian, y)
    if field.kind != "invariant":
        back = np.linalg.inv(c)
        # (1 + E)^-1 = 1 - E: pulled back values change by -E F as well.
        along = along - np.einsum("ka,snb->snkab", np.eye(d), there)
        along = np.einsum("skl,snlab->snkab", back, along)
        there = np.einsum("skl,snl->snk", back, there)
    residual = (there - f) / scale
    along = along / scale[:, None, None]
    return residual.reshape(s, -1), along.reshape(s, residual[0].size, d * d) @ directions
