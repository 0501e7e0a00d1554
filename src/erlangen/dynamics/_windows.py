"""Equations x' = f(x) + h(x) in weak form on windows of runs, whitened by what noise of the samples does to them.

Over a window with a bump phi that vanishes at its ends, integration by parts gives

    -int phi' x dt - int phi f(x) dt = int phi h(x) dt,

linear in the coefficients of h, exact for windows of any length, and free of derivatives of the data. Noise e of the
samples enters as ``-int phi' e - int phi J e`` with J the Jacobian of f + h; overlapping windows share samples, so rows
are whitened by this covariance (generalised least squares). Bortz, Messenger, Dukic, Bull. Math. Biol. 85, 2023, 110.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.interpolate import make_interp_spline

from erlangen._typing import NDArray
from erlangen.fields._differences import segments
from erlangen.fields.trajectories import Trajectories

POWER = 8
"""Bumps are (1 - s^2)^8: the trapezoid rule on them errs by less than noise ever does."""

HALF_WIDTHS = (6, 8, 11, 16, 22, 32, 45, 64, 90, 128)
"""Half-widths of windows, in samples, that are tried: steps of a factor 1.4."""

OVERLAP = 4
"""Windows that start within one half-width."""

TOGETHER = 24
"""Windows whose errors are whitened together: enough that few pairs of neighbours are parted."""

ORDERS = range(2, 9)
"""Orders of differences from which noise is estimated; the lowest estimate counts, motion only raises it."""

NODES = 6
"""Gauss nodes an interval, for irregular times."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Whitened equations ``design @ theta = target`` with errors of variance one where the noise is as estimated.

    Attributes
    ----------
    design : ndarray (m, q)
    target : ndarray (m,)
    block : ndarray (m,)
        Stretch of a run that a row comes from.
    half_width : int
        Samples in half a window; 0 where there are no windows.
    carried : tuple of (slice, ndarray (w, n, d))
        For each block the samples that it touches, and what errors of these, in standard deviations, do to its rows:
        rows of neighbouring blocks share samples, so that their errors are not independent. Empty where they are.
    """

    design: NDArray
    target: NDArray
    block: NDArray
    half_width: int
    carried: tuple[tuple[slice, NDArray], ...] = ()

    def covariance(self, columns: NDArray) -> NDArray:
        """Covariance ``(k, k)`` of ``columns.T @ errors`` for columns ``(m, k)``, errors of samples independent."""
        if not self.carried:
            return columns.T @ columns
        n, d = max(where.stop for where, _ in self.carried), self.carried[0][1].shape[2]
        whole = np.zeros((columns.shape[1], n, d))
        parts = np.split(columns, np.cumsum([len(rows) for _, rows in self.carried])[:-1])
        for (where, rows), part in zip(self.carried, parts, strict=True):
            whole[:, where] += np.einsum("wk,wna->kna", part, rows)
        flat = whole.reshape(len(whole), -1)
        return flat @ flat.T


@dataclass(frozen=True, eq=False)
class _Piece:
    """Test functions on an uninterrupted piece of a run: weights that integrate phi g and phi' g from samples of g."""

    rows: slice
    first: NDArray
    bumps: NDArray
    slopes: NDArray


def noise_levels(flow: Trajectories) -> NDArray:
    """Standard deviation ``(d,)`` of the noise: what remains of high divided differences, at the least over orders."""
    best = np.full(flow.point_dim, np.inf)
    for order in ORDERS:
        squares, count = np.zeros(flow.point_dim), 0
        for run in flow.runs:
            for piece in segments(run.time):
                t, x = run.time[piece], run.states[piece]
                if len(t) > order:
                    rest = _null_weights(t, order)[:, :, None] * np.lib.stride_tricks.sliding_window_view(
                        x, order + 1, axis=0
                    ).transpose(0, 2, 1)
                    squares += np.sum(rest.sum(axis=1) ** 2, axis=0)
                    count += len(rest)
        if count:
            best = np.minimum(best, np.sqrt(squares / count))
    floor = np.finfo(np.float64).eps * np.sqrt(np.mean(flow.points**2, axis=0))
    best = np.where(np.isfinite(best), best, 0.0)
    return np.maximum(np.maximum(best, floor), np.finfo(np.float64).tiny ** 0.5)


def _null_weights(t: NDArray, order: int) -> NDArray:
    """Weights ``(n - order, order + 1)`` of unit length that annihilate polynomials of lower degree."""
    if np.ptp(np.diff(t)) <= 1e-9 * (t[-1] - t[0]):  # the same for all, whatever the rounding of times
        signs = np.array([(-1.0) ** k * comb(order, k) for k in range(order + 1)])
        return np.tile(signs / np.linalg.norm(signs), (len(t) - order, 1))
    local = np.lib.stride_tricks.sliding_window_view(t, order + 1)
    apart = (local[:, :, None] - local[:, None, :]) / (local[:, -1:, None] - local[:, :1, None])
    weights = 1.0 / np.prod(apart + np.eye(order + 1), axis=2)
    return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def pieces_of(flow: Trajectories, half: int) -> list[_Piece]:
    """Test functions of one half-width on all runs, where they fit."""
    out, at = [], 0
    for run in flow.runs:
        for piece in segments(run.time):
            t = run.time[piece]
            last = len(t) - 1 - 2 * half
            if last >= 0:
                count = last * OVERLAP // half + 1
                first = np.unique(np.round(np.linspace(0, last, count)).astype(int))
                bumps, slopes = _weights(t, first, half)
                out.append(_Piece(slice(at + piece.start, at + piece.stop), first, bumps, slopes))
        at += len(run.time)
    return out


def _weights(t: NDArray, first: NDArray, half: int) -> tuple[NDArray, NDArray]:
    """Weights ``(K, 2 half + 1)`` of the samples of each window in the integrals of phi g and phi' g."""
    steps = np.diff(t)
    if np.ptp(steps) <= 1e-6 * steps.mean():  # trapezoid rule: a jitter of so little moves no digit that noise leaves
        s = np.linspace(-1.0, 1.0, 2 * half + 1)
        bump, slope = _bump(s)
        dt = float(steps.mean())
        return np.tile(bump * dt, (len(first), 1)), np.tile(slope / half, (len(first), 1))
    bumps, slopes = np.empty((2, len(first), 2 * half + 1))
    nodes, gauss = np.polynomial.legendre.leggauss(NODES)
    for k, i in enumerate(first):
        u = t[i : i + 2 * half + 1]
        width = np.diff(u)[:, None] / 2
        at = ((u[:-1, None] + u[1:, None]) / 2 + width * nodes).ravel()
        middle, scale = (u[0] + u[-1]) / 2, (u[-1] - u[0]) / 2
        bump, slope = _bump((at - middle) / scale)
        cardinal = make_interp_spline(u, np.eye(len(u)), k=5)(at)
        by = (width * gauss).ravel()
        bumps[k], slopes[k] = (bump * by) @ cardinal, (slope / scale * by) @ cardinal
    return bumps, slopes


def _bump(s: NDArray) -> tuple[NDArray, NDArray]:
    inside = np.clip(1.0 - s**2, 0.0, None)
    return inside**POWER, -2.0 * POWER * s * inside ** (POWER - 1)


def weak_rows(
    flow: Trajectories, known: NDArray, functions: NDArray, jacobian: NDArray, noise: NDArray, half: int
) -> Rows | None:
    """Whitened rows of all windows of one half-width; None where no run is long enough.

    ``known (n, d)`` is f at the samples, ``functions (n, r)`` the library, ``jacobian (n, d, d)`` that of the whole
    right-hand side.
    """
    parts, carried = [], []
    for piece in pieces_of(flow, half):
        for lot in np.array_split(np.arange(len(piece.first)), -(-len(piece.first) // TOGETHER)):
            start = piece.rows.start + piece.first[lot[0]]
            where = slice(start, piece.rows.start + piece.first[lot[-1]] + 2 * half + 1)
            phi, slope = _spread(piece, lot, where.stop - where.start)
            whiten, rows = _whitening(phi, slope, jacobian[where], noise)
            carried.append((where, rows))
            x, f, g = flow.points[where], known[where], functions[where]
            target = whiten @ (-slope @ x - phi @ f).ravel()
            wide = np.einsum("wka,kr->war", whiten.reshape(len(whiten), len(lot), -1), phi @ g)
            parts.append((wide.reshape(len(whiten), -1), target))
    if not parts:
        return None
    block = np.repeat(np.arange(len(parts)), [len(b) for _, b in parts])
    return Rows(
        np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts]), block, half, tuple(carried)
    )


def _spread(piece: _Piece, lot: NDArray, n: int) -> tuple[NDArray, NDArray]:
    """Test functions of some windows over all samples ``(K, n)`` that these touch."""
    out = np.zeros((2, len(lot), n))
    shift = piece.first[lot] - piece.first[lot[0]]
    columns = shift[:, None] + np.arange(piece.bumps.shape[1])
    rows = np.arange(len(lot))[:, None]
    out[0, rows, columns], out[1, rows, columns] = piece.bumps[lot], piece.slopes[lot]
    return out[0], out[1]


def _whitening(phi: NDArray, slope: NDArray, jacobian: NDArray, noise: NDArray) -> tuple[NDArray, NDArray]:
    """Inverse root ``(w, K d)`` of the covariance of rows, which run over windows, then coordinates; errors after it.

    The second ``(w, n, d)`` says what errors of samples, in standard deviations, do to whitened rows.
    """
    (k, n), d = phi.shape, len(noise)
    response = -np.einsum("kn,nab->kanb", phi, jacobian) - np.einsum("kn,ab->kanb", slope, np.eye(d))
    root = (response * noise).reshape(k * d, n * d)
    values, vectors = np.linalg.eigh(root @ root.T)
    kept = values > len(values) * np.finfo(np.float64).eps ** 0.5 * values[-1]
    whiten = vectors[:, kept].T / np.sqrt(values[kept])[:, None]
    return whiten, (whiten @ root).reshape(len(whiten), n, d)


def differences_jacobian(f: Callable[[NDArray], NDArray], x: NDArray) -> NDArray:
    """Jacobian ``(n, d, d)`` by central differences, good enough for a covariance."""
    d = x.shape[1]
    size = np.maximum(np.ptp(x, axis=0), np.abs(x).max(axis=0))
    step = np.finfo(np.float64).eps ** (1 / 3) * np.where(size > 0, size, 1.0)
    columns = [(f(x + step[j] * e) - f(x - step[j] * e)) / (2 * step[j]) for j, e in enumerate(np.eye(d))]
    return np.stack(columns, axis=2)
