"""Equations u_t = sum of c (u^p)_{x..x} on a periodic grid, in weak form on windows in space and time.

All derivatives, and the one by time, are moved to the test function; no derivative of the data is taken. One
coefficient serves all grid points: that is invariance under translations in space and time, built in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from erlangen._typing import NDArray
from erlangen.dynamics._windows import POWER, Rows

OVERLAP = 3
"""Windows that start within one half-width, in time; two more in space."""

TOGETHER = 300
"""Windows whose errors are whitened together, at most."""

Monomial = tuple[int, int]
"""Powers p of u and derivatives k by x: (u^p)_{x..x}; divided by p where k is one, so that it is u^(p-1) u_x."""


@dataclass(frozen=True, eq=False)
class GridRun:
    """Samples ``(T, n)`` of u on a periodic grid with spacing dx, a time step dt apart."""

    u: NDArray
    dx: float
    dt: float


def norm_of(term: Monomial) -> float:
    """What the derivative of a power is divided by."""
    p, k = term
    return float(p) if k == 1 and p else 1.0


def bump(half: int, step: float, k: int) -> NDArray:
    """Derivative k of (1 - s^2)^8 at the samples ``(2 half + 1,)`` of its window, by the coordinate."""
    shape = Polynomial([1.0, 0.0, -1.0]) ** POWER
    s = np.linspace(-1.0, 1.0, 2 * half + 1)
    return shape.deriv(k)(s) / (half * step) ** k if k else shape(s)


@dataclass(frozen=True)
class Lattice:
    """Half-widths of windows in samples, in space and in time."""

    space: int
    time: int

    @property
    def strides(self) -> tuple[int, int]:
        """Samples from one window to the next, in space and time."""
        return max(1, self.space // 2), max(1, self.time // OVERLAP)


def integrals(run: GridRun, terms: Sequence[Monomial], lattice: Lattice) -> tuple[NDArray, NDArray]:
    """Weak form of each term ``(K_t, K_x, r)`` and of u_t ``(K_t, K_x)``."""
    n = run.u.shape[1]
    s, t = lattice.strides
    starts = np.arange(0, run.u.shape[0] - 2 * lattice.time, t)
    windows = starts[:, None] + np.arange(2 * lattice.time + 1)
    in_time = bump(lattice.time, run.dt, 0) * run.dt
    by_time = bump(lattice.time, run.dt, 1) * run.dt
    powers = {p: np.fft.rfft(run.u**p, axis=1) for p in {p for p, _ in terms} | {1}}

    def against(p: int, k: int, weights: NDArray) -> NDArray:
        in_space = np.zeros(n)
        in_space[np.arange(-lattice.space, lattice.space + 1)] = bump(lattice.space, run.dx, k) * run.dx
        each = np.fft.irfft(powers[p] * np.conj(np.fft.rfft(in_space)), n, axis=1)[:, ::s]
        return np.einsum("ts,tsx->tx", np.broadcast_to(weights, windows.shape), each[windows])

    columns = [(-1.0) ** k / norm_of((p, k)) * against(p, k, in_time) for p, k in terms]
    return np.stack(columns, axis=-1), -against(1, 0, by_time)


def grid_rows(
    runs: Sequence[GridRun],
    terms: Sequence[Monomial],
    known: dict[Monomial, float],
    whole: dict[Monomial, float],
    noise: float,
    lattice: Lattice,
) -> Rows | None:
    """Whitened rows for the coefficients of the terms; None where no window fits.

    ``known`` are the terms of the model, ``whole`` those of model and correction, through which noise is felt.
    """
    everything = [*terms, *(term for term in known if term not in terms)]
    designs, targets, blocks = [], [], []
    for run in runs:
        if run.u.shape[0] <= 2 * lattice.time or run.u.shape[1] <= 2 * lattice.space:
            continue
        columns, slope = integrals(run, everything, lattice)
        for term, value in known.items():
            slope = slope - value * columns[..., everything.index(term)]
        width = slope.shape[1]
        roots: dict[int, NDArray] = {}
        for part in np.array_split(np.arange(len(slope)), -(-len(slope) // max(1, TOGETHER // width))):
            if len(part) not in roots:
                roots[len(part)] = _whitening(run, whole, noise, lattice, len(part), width)
            designs.append(roots[len(part)] @ columns[part, :, : len(terms)].reshape(len(part) * width, -1))
            targets.append(roots[len(part)] @ slope[part].ravel())
            blocks.append(len(blocks))
    if not designs:
        return None
    block = np.repeat(blocks, [len(target) for target in targets])
    return Rows(np.concatenate(designs), np.concatenate(targets), block, lattice.time)


def _whitening(
    run: GridRun, whole: dict[Monomial, float], noise: float, lattice: Lattice, rows: int, width: int
) -> NDArray:
    """Inverse root of the covariance of neighbouring windows.

    Noise e enters as ``int e (-phi psi_t - sum c (-1)^k phi_{x..x} psi p u^(p-1))``. Of u^(p-1) the mean counts in the
    kernel; what varies about it adds a kernel of its own, as if it were the same all over a window.
    """
    s, t = lattice.strides
    n_t, n_x = (rows - 1) * t + 2 * lattice.time + 1, run.u.shape[1]
    psi, slope = bump(lattice.time, run.dt, 0), bump(lattice.time, run.dt, 1)
    mean = -np.outer(slope, bump(lattice.space, run.dx, 0))
    varying: dict[int, NDArray] = {}
    for (p, k), c in whole.items():
        if p == 0:
            continue
        kernel = -c * (-1.0) ** k / norm_of((p, k)) * p * np.outer(psi, bump(lattice.space, run.dx, k))
        mean = mean + np.mean(run.u ** (p - 1)) * kernel
        if p > 1:
            varying[p] = varying.get(p, 0.0) + np.std(run.u ** (p - 1)) * kernel
    size, total = (2 * n_t, n_x), 0.0
    for kernel in (mean, *varying.values()):
        placed = np.zeros(size)
        columns = np.arange(-lattice.space, lattice.space + 1)
        placed[np.arange(len(psi))[:, None], columns] = kernel
        total = total + np.abs(np.fft.rfft2(placed)) ** 2
    correlation = np.fft.irfft2(total, size) * (run.dx * run.dt * noise) ** 2
    at_t, at_x = np.divmod(np.arange(rows * width), width)
    apart = np.abs(at_t[:, None] - at_t) * t, ((at_x[:, None] - at_x) * s) % n_x
    # Kernels even in x or odd in x have even correlations; of mixed ones both signs of the displacement are averaged.
    covariance = (correlation[apart] + correlation[-apart[0], apart[1]]) / 2
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    kept = values > len(values) * np.finfo(np.float64).eps ** 0.5 * values[-1]
    return vectors[:, kept].T / np.sqrt(values[kept])[:, None]


def grid_noise(runs: Sequence[GridRun]) -> float:
    """Standard deviation of the noise: what remains of high differences in space or in time, whichever is less."""
    best = np.inf
    for order in range(2, 9):
        for axis in (0, 1):
            rest: list[Any] = [np.diff(run.u, order, axis=axis).ravel() for run in runs if run.u.shape[axis] > order]
            if rest:
                weights = np.linalg.norm([comb(order, j) for j in range(order + 1)])
                best = min(best, float(np.sqrt(np.mean(np.concatenate(rest) ** 2)) / weights))
    size = float(np.sqrt(np.mean([np.mean(run.u**2) for run in runs])))
    return max(best if np.isfinite(best) else 0.0, np.finfo(np.float64).eps * size, np.finfo(np.float64).tiny ** 0.5)
