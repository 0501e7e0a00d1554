"""Symmetry of tables: two-body flow map, Lorentz invariants with noise, Lorentz invariants seen through labels.

The model is chosen by the library; the rival of each row is the same discovery on a linear (two-body) or
quadratic (Lorentz) model of the same table, which its R^2 or likelihood alone would let pass.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from erlangen.fields.table import fit_table
from erlangen.systems.lorentz import MINKOWSKI, lorentz_labels, lorentz_table
from erlangen.systems.two_body import one_step_pairs, two_body_orbits


def generators(field: Any, points: np.ndarray, matrices: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Relative defects and the ``count`` best combinations of linear generators, by one QR and one SVD."""
    slopes = field.jacobian(points)
    velocities = np.einsum("pab,nb->npa", matrices, points)
    rows = np.einsum("nad,npd->npa", slopes, velocities)
    size = np.einsum("n,npd,nqd->pq", (slopes**2).sum((1, 2)) / points.shape[1], velocities, velocities, optimize=True)
    if field.kind == "map":
        moved = np.einsum("pab,nb->npa", matrices, field.value(points))
        rows -= moved
        size += np.einsum("npa,nqa->pq", moved, moved, optimize=True)
    whiten = np.linalg.inv(np.linalg.cholesky(size)).T
    flat = rows.transpose(0, 2, 1).reshape(-1, len(matrices)) @ whiten
    _, s, vt = np.linalg.svd(np.linalg.qr(flat, mode="r"))
    return s[::-1], (whiten @ vt[::-1].T)[:, :count]


def distance(found: np.ndarray, truth: np.ndarray) -> float:
    """Grassmann distance: root of the sum of the squared principal angles, accurate for small ones."""
    a, b = np.linalg.qr(found)[0], np.linalg.qr(truth)[0]
    cosines = np.linalg.svd(a.T @ b, compute_uv=False)
    sines = np.linalg.svd(b - a @ (a.T @ b), compute_uv=False)[::-1]
    return float(np.linalg.norm(np.arctan2(sines, cosines)))


def blocks_on_span() -> tuple[np.ndarray, np.ndarray]:
    """2 x 2 matrices on positions and on momenta, the same for both bodies, and the rotation among them."""
    out = []
    for b in (0, 2):
        for i, j in np.ndindex(2, 2):
            a = np.zeros((8, 8))
            a[b + i, b + j] = a[4 + b + i, 4 + b + j] = 1.0
            out.append(a)
    return np.array(out), np.array([[0, -1, 1, 0, 0, -1, 1, 0.0]]).T


def four_vectors() -> tuple[np.ndarray, np.ndarray]:
    """The 16 matrices on two four-vectors at once, and so(3,1) among them."""
    matrices = np.array([np.kron(np.eye(2), np.outer(*np.eye(4)[[i, j]])) for i, j in np.ndindex(4, 4)])
    truth = []
    for i in range(4):
        for j in range(i):
            a = np.zeros((4, 4))
            a[i, j], a[j, i] = MINKOWSKI[i], -MINKOWSKI[j]
            truth.append(a.ravel())
    return matrices, np.array(truth).T


def row(case: str, metric: str, value: float, rival: float | None, bound: float) -> dict[str, Any]:
    return {
        "case": case,
        "metric": metric,
        "value": value,
        "rival": rival,
        "ratio": None if rival is None else value / rival,
        "asked": f"<= {bound:g}",
        "met": bool(value <= bound),
    }


def two_body() -> list[dict[str, Any]]:
    """Angle to so(2) on the span of the data, and the time of fit and discovery together."""
    before, after = one_step_pairs(two_body_orbits(), 18)
    matrices, truth = blocks_on_span()
    start = time.perf_counter()
    field = fit_table(before, after, kind="map")
    defects, found = generators(field, before, matrices, 1)
    seconds = time.perf_counter() - start
    linear = fit_table(before, after, kind="map", classes=[1])
    _, trap = generators(linear, before, matrices, 1)
    case = f"two-body map, {len(before)} pairs"
    return [
        row(case, "angle to so(2) [rad]", distance(found, truth), distance(trap, truth), 0.002),
        row(case, "fit and discovery [s]", seconds, None, 1.0),
        row(case, "first defect / second", float(defects[0] / defects[1]), None, 0.01),
    ]


def lorentz(case: str, x: np.ndarray, y: np.ndarray, bound: float) -> list[dict[str, Any]]:
    """Grassmann distance to so(3,1), and how it separates from the next direction."""
    matrices, truth = four_vectors()
    start = time.perf_counter()
    field = fit_table(x, y)
    seconds = time.perf_counter() - start
    at = x[:10_000]
    defects, found = generators(field, at, matrices, 6)
    _, coarse = generators(fit_table(x, y, classes=[2]), at, matrices, 6)
    return [
        row(case, "Grassmann distance to so(3,1)", distance(found, truth), distance(coarse, truth), bound),
        row(case, "sixth defect / seventh", float(defects[5] / defects[6]), None, 0.2),
        row(case, "claimed error of the derivative", field.accuracy, None, 0.2),
        row(case, "fit [s]", seconds, None, 60.0),
    ]


def run(full: bool) -> list[dict[str, Any]]:
    rows = two_body()
    for seed in range(5 if full else 1):
        for noise, bound in ((0.01, 0.005), (0.2, 0.05)):
            x, y = lorentz_table(10_000, noise, seed)
            rows += lorentz(f"two four-vectors, noise {noise:.0%}, seed {seed}", x, y, bound)
        x, y = lorentz_labels(50_000, rng=seed)
        rows += lorentz(f"labels drawn by log-odds, seed {seed}", x, y, 0.1)
        if full:
            for flips in (0.05, 0.2):
                x, y = lorentz_labels(50_000, rng=seed, flips=flips)
                rows += lorentz(f"labels by sign, {flips:.0%} flipped, seed {seed}", x, y, 0.1)
    return rows
