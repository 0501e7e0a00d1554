"""Least squares for a Hamiltonian: sparse coefficients, their errors, and a free field to compare with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.algebra._rounding import simplest_fractions
from erlangen.dynamics._form_choice import choose_conditioned
from erlangen.dynamics._forms import readable
from erlangen.dynamics._readable import Formulation
from erlangen.linalg.qr import rounding, triangular_factor
from erlangen.linalg.rank import APART
from erlangen.linalg.svd import svd

HALF = float(np.sqrt(np.finfo(np.float64).eps))
FAR = 0.3
"""A common direction of forms and gradients is told from others where the latter are at least this far from any."""


@dataclass(frozen=True, eq=False)
class EnergyFit:
    """Coefficients of H, and what they leave.

    Attributes
    ----------
    formulation : Formulation
        Coefficients with errors and roundings.
    residual : float
        Weighted root mean square of what is left of the velocities, relative to them.
    held_out, free : float
        The same on held-out data, for H and for a field with any coefficients.
    excess : float
        Mean square by which H does worse than the field with any coefficients on parts that are held out, in
        standard errors of that mean over the parts.
    """

    formulation: Formulation
    residual: float
    held_out: float
    free: float
    excess: float


def fit_energy(
    poisson: NDArray, velocities: NDArray, gradients: NDArray, weights: NDArray, folds: NDArray, floor: float
) -> EnergyFit:
    """Fit ``F = P grad H`` by weighted least squares, and drop the terms that held-out data do not ask for.

    Parameters
    ----------
    poisson : ndarray (d, d)
    velocities : ndarray (n, d)
    gradients : ndarray (n, q, d)
        Of the functions of the library.
    weights : ndarray (d,)
        One over the error of each velocity.
    folds : ndarray (n,)
        The part of the data to which each point belongs.
    floor : float
        Relative errors below this are not told apart.
    """
    n, q, d = gradients.shape
    moved = np.einsum("ab,nqb->naq", poisson, gradients) * weights[:, None]
    target = velocities * weights
    size = float(np.sqrt(np.mean(target**2)))
    sizes = np.sqrt(np.mean(moved**2, axis=(0, 1)))
    used = np.flatnonzero(sizes > rounding(moved.shape) * sizes.max())
    table = np.concatenate([moved[:, :, used] / sizes[used], target[:, :, None]], axis=2)
    parts = _parts([table[folds == k].reshape(-1, len(used) + 1) for k in np.unique(folds)])
    support, losses = _select(parts, floor * size)
    scaled, errors = _estimate(parts, support)
    c, e = np.zeros(q), np.zeros(q)
    c[used[support]], e[used[support]] = scaled / sizes[used[support]], errors / sizes[used[support]]
    left = float(np.sqrt(np.mean((target - moved @ c) ** 2)))
    formulation = _written(c, e, moved, target, left, floor * size)
    free = _free(velocities * weights, gradients, parts=folds)
    held_out, unbound = (float(np.sqrt(part.mean())) / size for part in (losses, free))
    return EnergyFit(formulation, left / size, held_out, unbound, _excess(losses - free))


def _excess(apart: NDArray) -> float:
    """Mean of paired differences in units of its standard error."""
    error = apart.std(ddof=1) / np.sqrt(len(apart))
    return float(apart.mean() / error) if error > 0 else float(np.inf * np.sign(apart.mean()) if apart.mean() else 0.0)


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of the data that is held out: its rows, their factor, and that of the rest, of ``[features, target]``."""

    count: int
    own: NDArray
    rest: NDArray


def _parts(tables: list[NDArray]) -> list[_Part]:
    factors = [_factor(table) for table in tables]
    rest = [_factor(np.concatenate([f for j, f in enumerate(factors) if j != k])) for k in range(len(factors))]
    return [_Part(len(t), f, r) for t, f, r in zip(tables, factors, rest, strict=True)]


def _factor(rows: NDArray) -> NDArray:
    return triangular_factor([rows], rows.shape[1])


def _whole(parts: list[_Part]) -> NDArray:
    return _factor(np.concatenate([part.own for part in parts]))


def _solve(r: NDArray, support: NDArray) -> NDArray:
    """Least squares coefficients of the support, from the factor of ``[features, target]``."""
    return np.linalg.lstsq(r[:, support], r[:, -1], rcond=None)[0]


def _losses(parts: list[_Part], support: NDArray) -> NDArray:
    """Mean square error of each part under the coefficients of the others."""
    left = [part.own[:, -1] - part.own[:, support] @ _solve(part.rest, support) for part in parts]
    return np.array([np.sum(r**2) / part.count for r, part in zip(left, parts, strict=True)])


def _select(parts: list[_Part], floor: float) -> tuple[NDArray, NDArray]:
    """Drop the least certain term again and again; the fewest within one standard error of the best are kept.

    Also returns the loss of each part under them.
    """
    whole = _whole(parts)
    support = np.arange(whole.shape[1] - 1)
    path = []
    while len(support):
        path.append((support, _losses(parts, support)))
        c = _solve(whole, support)
        spread = np.linalg.norm(np.linalg.pinv(whole[:, support]), axis=1)
        support = np.delete(support, np.argmin(np.abs(c) / np.where(spread > 0, spread, np.inf)))
    best = min(path, key=lambda one: one[1].mean())[1]
    allowed = []
    for kept, losses in path:
        apart = losses - best
        error = apart.std(ddof=1) / np.sqrt(len(apart))
        if apart.mean() <= max(error, 0.0) or losses.mean() <= floor**2:
            allowed.append((kept, losses))
    kept, losses = allowed[-1]
    return kept, losses


def _estimate(parts: list[_Part], support: NDArray) -> tuple[NDArray, NDArray]:
    """Coefficients, and their errors by leaving out one part at a time: neighbours in time err alike."""
    others = np.array([_solve(part.rest, support) for part in parts])
    spread = np.sum((others - others.mean(axis=0)) ** 2, axis=0)
    return _solve(_whole(parts), support), np.sqrt((len(parts) - 1) / len(parts) * spread)


def _written(c: NDArray, errors: NDArray, moved: NDArray, target: NDArray, left: float, floor: float) -> Formulation:
    """Round the coefficients where the data like the rounded ones as well."""
    least = 64 * np.finfo(np.float64).eps * np.abs(c).max(initial=0.0)
    numbers = tuple(simplest_fractions(c, np.maximum(APART * errors, least)))
    keeps = all(x is not None and (x != 0) == (v != 0) for x, v in zip(numbers, c, strict=True))
    rounded = np.array([float(x) if x is not None else v for x, v in zip(numbers, c, strict=True)])
    if not keeps or np.sqrt(np.mean((target - moved @ rounded) ** 2)) > max(1.1 * left, floor):
        numbers = (None,) * len(c)
    return Formulation(c, errors, numbers, left)


def _free(target: NDArray, gradients: NDArray, parts: NDArray) -> NDArray:
    """Mean square error of each held-out part under a field with any coefficients over the library's derivatives."""
    n, q, d = gradients.shape
    columns = gradients.reshape(n, q * d)
    sizes = np.linalg.norm(columns, axis=0)
    columns = columns[:, sizes > 0] / sizes[sizes > 0]
    _, s, vt = svd(triangular_factor([columns], columns.shape[1]))
    basis = columns @ vt[s > rounding(columns.shape) * s[0]].T
    losses = []
    for k in np.unique(parts):
        held = parts == k
        c = np.linalg.lstsq(basis[~held], target[~held], rcond=None)[0]
        losses.append(np.mean((target[held] - basis[held] @ c) ** 2))
    return np.array(losses)


def form_of_flow(points: NDArray, velocities: NDArray, gradients: NDArray, error: float) -> tuple[NDArray | None, str]:
    """Find antisymmetric W with ``W F`` among the gradients of the library, and say how well.

    The images ``X F`` of all antisymmetric X are compared with the span of the gradients: a relative defect is what
    is left of an image outside that span.
    """
    d = points.shape[1]
    scales = np.where(points.std(axis=0) > 0, points.std(axis=0), 1.0)
    a, b = np.triu_indices(d, 1)
    v = velocities / scales
    images = np.zeros((len(v), d, len(a)))
    k = np.arange(len(a))
    images[:, a, k], images[:, b, k] = v[:, b], -v[:, a]
    slopes = (gradients * scales).transpose(0, 2, 1).reshape(len(v) * d, -1)
    norms = np.linalg.norm(slopes, axis=0)
    slopes = slopes[:, norms > 0] / norms[norms > 0]
    q = slopes.shape[1]
    r = triangular_factor([np.hstack([slopes, images.reshape(len(v) * d, -1)])], q + len(a))
    u, s, _ = svd(r[:q, :q])
    spanned = u[:, s > rounding(slopes.shape) * s[0]]
    rest = r[:, q:].copy()
    rest[:q] -= spanned @ (spanned.T @ rest[:q])
    _, sizes, axes = svd(r[:, q:])
    if sizes[-1] <= HALF * sizes[0]:
        return None, "all velocities lie in a hyperplane, so W is not determined"
    whiten = axes.T / sizes
    _, defects, vectors = svd(rest @ whiten)
    defects, vectors = defects[::-1], vectors[::-1]
    limit = max(HALF, APART * error)
    count = int(np.sum(defects <= limit))
    words = f"the smallest distance of a form's image from the gradients of the library is {defects[0]:.2g}"
    if count == 0:
        return None, f"{words}, where the error of the velocities explains {limit:.2g}"
    if limit > FAR:
        return None, f"the velocities are known to {error:.2g} only, too coarse to find W"
    forms = np.zeros((count, d, d))
    forms[:, a, b] = (whiten @ vectors[:count].T).T
    forms -= forms.transpose(0, 2, 1)
    noise = min(0.05, defects[count - 1] / defects[count]) if count < len(defects) else limit
    w = choose_conditioned(readable(forms, -1, noise)) / scales / scales[:, None]
    w = w / np.abs(w).max()
    if np.linalg.cond(w * scales * scales[:, None]) > 1 / max(noise, HALF):
        return None, f"{words}, but the forms are degenerate"
    first = w[a, b][np.flatnonzero(np.abs(w[a, b]) > 1e-3)[0]]
    return -np.sign(first) * w, f"W from the data: {words}"
