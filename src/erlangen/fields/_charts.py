"""Local charts of a cloud: tangent frame, normals and curvature at each point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from erlangen._typing import NDArray

CHUNK_FLOATS = 4_000_000
"""Entries of the largest temporary array of a fit (32 MB)."""


@dataclass(frozen=True, eq=False)
class Charts:
    """Heights u = N y - Q[T y, T y] / 2 over offsets y from n feet, which lie on the fitted surface.

    Attributes
    ----------
    feet : ndarray (n, d)
        Points of the cloud, moved along the normal to the local fit: noise is averaged out.
    tangents : ndarray (n, k, d)
        Orthonormal tangent rows T.
    normals : ndarray (n, c, d)
        Orthonormal normal rows N.
    curvature : ndarray (n, c, k, k)
        Second fundamental forms Q, symmetric.
    """

    feet: NDArray
    tangents: NDArray
    normals: NDArray
    curvature: NDArray

    def heights(self, at: NDArray, y: NDArray) -> NDArray:
        """Heights ``(m, c)`` of the offsets ``y (m, d)`` over the charts ``at (m,)``."""
        t = np.einsum("mkd,md->mk", self.tangents[at], y)
        bend = np.einsum("mckl,mk,ml->mc", self.curvature[at], t, t)
        return np.einsum("mcd,md->mc", self.normals[at], y) - 0.5 * bend

    def gradients(self, at: NDArray, y: NDArray) -> NDArray:
        """Gradients ``(m, c, d)`` of the heights."""
        t = np.einsum("mkd,md->mk", self.tangents[at], y)
        slope = np.einsum("mckl,ml->mck", self.curvature[at], t)
        return self.normals[at] - np.einsum("mck,mkd->mcd", slope, self.tangents[at])


def quadratic_size(k: int) -> int:
    """Number of linear and quadratic monomials in k variables."""
    return k + k * (k + 1) // 2


def fit_charts(x: NDArray, tree: cKDTree, at: NDArray, k: int, count: int) -> Charts:
    """Fit charts of dimension k at the points ``at`` of a cloud from ``count`` neighbours each."""
    n, d = x.shape
    size = max(1, CHUNK_FLOATS // (count * max(d, quadratic_size(k) + 1)))
    parts = [_fit(x, tree, at[i : i + size], k, count) for i in range(0, len(at), size)]
    return Charts(*(np.concatenate(p) for p in zip(*parts, strict=True)))


def _fit(x: NDArray, tree: cKDTree, at: NDArray, k: int, count: int) -> tuple[NDArray, ...]:
    near = tree.query(x[at], count)[1]
    y = x[near] - x[at][:, None]
    frame = np.linalg.svd(y - y.mean(axis=1, keepdims=True), full_matrices=y.shape[1] < y.shape[2])[2]
    tangents, normals = frame[:, :k], frame[:, k:]
    for _ in range(2):  # the second fit starts from the frame of the first, where slopes are second order
        _, slope, _ = _quadratic(y, tangents, normals)
        normals, tangents = _turn(normals - np.einsum("nck,nkd->ncd", slope, tangents), tangents)
    offset, _, curvature = _quadratic(y, tangents, normals)
    return x[at] + np.einsum("nc,ncd->nd", offset, normals), tangents, normals, curvature


def _quadratic(y: NDArray, tangents: NDArray, normals: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Offsets ``(n, c)``, slopes ``(n, c, k)`` and curvatures ``(n, c, k, k)`` of heights over tangent coordinates."""
    t, u = np.einsum("nmd,nkd->nmk", y, tangents), np.einsum("nmd,ncd->nmc", y, normals)
    k = t.shape[2]
    i, j = np.triu_indices(k)
    radius = np.sqrt(np.mean(np.sum(t**2, axis=2), axis=1))[:, None, None]
    radius = np.where(radius > 0, radius, 1.0)
    s = t / radius
    design = np.concatenate([np.ones((*s.shape[:2], 1)), s, s[:, :, i] * s[:, :, j]], axis=2)
    # Neighbours count less towards the rim, where the quadratic is worst: a smooth weight also makes the fit stable.
    root = np.exp(-np.sum(s**2, axis=2) / 2)[:, :, None]
    solution = np.linalg.pinv(design * root) @ (u * root)
    slope = np.swapaxes(solution[:, 1 : k + 1] / radius, 1, 2)
    entries = np.swapaxes(solution[:, k + 1 :] / radius**2, 1, 2)
    curvature = np.zeros((*entries.shape[:2], k, k))
    curvature[:, :, i, j] += entries
    curvature[:, :, j, i] += entries
    return solution[:, 0], slope, curvature


def _turn(normals: NDArray, tangents: NDArray) -> tuple[NDArray, NDArray]:
    """Orthonormal rows nearest to the tilted normals, and tangents orthogonal to them."""
    n = _nearest_orthonormal(normals)
    t = tangents - np.einsum("nkd,ncd,nce->nke", tangents, n, n)
    return n, _nearest_orthonormal(t)


def _nearest_orthonormal(rows: NDArray) -> NDArray:
    u, _, v = np.linalg.svd(rows, full_matrices=False)
    return u @ v
