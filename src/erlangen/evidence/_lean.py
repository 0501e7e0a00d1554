"""Bounds for many candidates or parameters, without tensors over all of them.

The same proofs with cheaper norms. For generators v_a that are orthonormal in the denominator at one theta_0,
the worst defect in their span is at most

    sqrt(sum_a (|L_a theta| + R |L_a S|)^2) / (lambda_min(T theta) - R |T S|),

T_ab(theta) = <M_a theta_0, M_b theta>, for every theta within R of the estimate, or for one
contrast of it with R = t. L_a enters through one q x q
matrix for each generator, and T through products of velocities at each point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.derivative import Samples, Scales
from erlangen.evidence.estimate import Estimate
from erlangen.fields import AbstractLinearField, lift

POINTS = 2048
"""Points that stand for the region."""

BLOCK = 2**22
"""Numbers in one block of rows (32 MB)."""


@dataclass(frozen=True, eq=False)
class Lean:
    """Forms of r generators that are orthonormal in the denominator at one theta.

    Attributes
    ----------
    basis : ndarray (p, r)
        The generators as columns, nested as they were given.
    lie : ndarray (r, q, q)
        Gram matrices of theta -> L_a f over the region.
    size : ndarray (r, r, q)
        T: the denominator as seen from theta_0.
    """

    basis: NDArray
    lie: NDArray
    size: NDArray

    def upper(self, fit: Estimate, radius: float) -> NDArray:
        """Bounds ``(r,)`` of the worst true defect in the span of the first d generators."""
        tops = np.array([self._top(g, fit, radius) for g in self.lie])
        tops = np.sqrt(np.cumsum(tops**2))
        middle, moved = self.size @ fit.theta, self.size @ fit.root
        gram, out = np.zeros((fit.rank, fit.rank)), np.empty(len(tops))
        for d in range(1, len(tops) + 1):
            new = np.concatenate([moved[d - 1, :d], moved[: d - 1, d - 1]])
            gram += new.T @ new
            left = np.linalg.eigvalsh(middle[:d, :d])[0] - radius * np.sqrt(max(np.linalg.eigvalsh(gram)[-1], 0.0))
            out[d - 1] = tops[d - 1] / left if left > 0 else np.inf
        return np.maximum.accumulate(out)

    def _top(self, gram: NDArray, fit: Estimate, radius: float) -> float:
        spread = fit.root.T @ gram @ fit.root
        return float(
            np.sqrt(max(fit.theta @ gram @ fit.theta, 0.0)) + radius * np.sqrt(max(np.linalg.eigvalsh(spread)[-1], 0.0))
        )

    def defect(self, xi: NDArray, theta: NDArray) -> float:
        """Relative defect of a generator of the span, at most: norms of its parts are added."""
        c = np.linalg.lstsq(self.basis, xi, rcond=None)[0]
        tops = np.array([np.sqrt(max(theta @ g @ theta, 0.0)) for g in self.lie])
        size = float(c @ (self.size @ theta) @ c)
        return float(np.abs(c) @ tops * np.linalg.norm(c) / size) if size > 0 else 0.0

    def defects(self, theta: NDArray) -> NDArray:
        """Estimates ``(r,)`` of the worst defect in the span of the first d generators, at most."""
        tops = np.array([max(theta @ g @ theta, 0.0) for g in self.lie])
        return np.sqrt(np.cumsum(tops))


def lean_forms(
    family: AbstractLinearField,
    action: AbstractAction,
    basis: NDArray,
    samples: Samples,
    scales: Scales,
    theta: NDArray,
) -> Lean:
    """Forms of the generators in the columns of ``basis (p, r)``, made orthonormal at ``theta (q,)`` in order."""
    few, field = samples.subset(POINTS), family.with_theta(theta)
    r, q = basis.shape[1], family.n_params
    chosen, size = lift(family, action.restrict(basis)), np.zeros((r, r, q))
    for x, w in _blocks(few, family, r):
        size += _size(family, field, chosen, x, w, scales)
    size = 0.5 * (size + size.transpose(1, 0, 2))
    unit = solve_triangular(np.linalg.cholesky(size @ theta).T, np.eye(r))
    basis = basis @ unit
    chosen, lie = lift(family, action.restrict(basis)), np.zeros((r, q, q))
    for x, w in _blocks(few, family, r):
        lie += _lie(family, chosen, x, w, scales)
    return Lean(basis, lie, np.einsum("abq,ac,bd->cdq", size, unit, unit, optimize=True))


def _blocks(samples: Samples, family: AbstractLinearField, r: int) -> Iterator[tuple[NDArray, NDArray]]:
    step = max(1, BLOCK // (family.n_params * family.value_dim * max(family.point_dim, r)))
    for start in range(0, len(samples), step):
        yield samples.points[start : start + step], samples.weights[start : start + step]


def _tau(chosen: AbstractAction, x: NDArray, c: int) -> NDArray:
    """Matrices ``(n, r, c, c)`` by which values are carried."""
    unit = np.broadcast_to(np.eye(c)[:, None], (c, len(x), c))
    return np.stack([chosen.on_values(x, channel) for channel in unit], axis=3)


def _size(
    family: AbstractLinearField,
    field: AbstractLinearField,
    chosen: AbstractAction,
    x: NDArray,
    w: NDArray,
    scales: Scales,
) -> NDArray:
    """Part of T ``(r, r, q)`` from some of the points."""
    s, t = scales.points, scales.values
    slopes = field.jacobian(x) * (s**2 / len(s)) / t[:, None] ** 2
    along = np.einsum("nca,ncqa->nq", slopes, family.features_jacobian(x)) * w[:, None]
    velocity = chosen.on_points(x) / s
    products = np.einsum("nab,ncb->nac", velocity, velocity).reshape(len(x), -1)
    out = (products.T @ along).reshape(velocity.shape[1], velocity.shape[1], -1)
    tau = _tau(chosen, x, family.value_dim) / t[:, None]
    if tau.any():
        own = np.einsum("nrab,nb->nra", tau, field.value(x)) * w[:, None, None]
        out += np.einsum("nra,nsab,nbq->rsq", own, tau, family.features(x), optimize=True)
    return out


def _lie(family: AbstractLinearField, chosen: AbstractAction, x: NDArray, w: NDArray, scales: Scales) -> NDArray:
    """Part of the Gram matrices ``(r, q, q)`` of theta -> L_a f from some of the points."""
    slopes = family.features_jacobian(x)
    n, c, q, d = slopes.shape
    velocity = np.ascontiguousarray(chosen.on_points(x).transpose(0, 2, 1))
    rows = (slopes.reshape(n, c * q, d) @ velocity).reshape(n, c, q, -1)
    tau = _tau(chosen, x, c)
    if tau.any():
        rows -= np.einsum("nrab,nbq->naqr", tau, family.features(x), optimize=True)
    rows *= (np.sqrt(w)[:, None] / scales.values)[:, :, None, None]
    flat = np.ascontiguousarray(rows.reshape(n * c, q, -1).transpose(2, 0, 1))
    return flat.transpose(0, 2, 1) @ flat
