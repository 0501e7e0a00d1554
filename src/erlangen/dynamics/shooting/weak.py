"""The weak form: equations without derivatives of the data, whitened by the covariance of their noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from erlangen._typing import NDArray
from erlangen.dynamics.shooting.flow import Columns
from erlangen.dynamics.shooting.observed import Record
from erlangen.dynamics.shooting.subsets import column_lengths

POWER = 8
"""Test functions are (1 - s^2)^8: seven derivatives vanish at their ends, so sums over samples are accurate."""

HALVES = (2, 4, 8, 16)
"""Half-widths of test functions, as parts of a record."""

FEWEST = 9
"""Samples under a test function."""

FINE = 4
"""Points of the quadrature to a step."""

KEPT = 1e-3
"""Share of the largest singular value of test functions down to which their noise is told apart."""

MOST_SAMPLES = 400
"""Samples of a record that equations are made of; of more, every other one or so is left out."""


@dataclass(frozen=True, eq=False)
class WeakRows:
    """Equations ``design z = y`` of one coordinate, with noise of size one.

    Attributes
    ----------
    design : ndarray (m, r)
        Integrals of functions against test functions.
    y : ndarray (m,)
        Integrals of the state against minus their derivatives.
    records : ndarray (m,)
        The record that each row is from.
    """

    design: NDArray
    y: NDArray
    records: NDArray


@dataclass(frozen=True, eq=False)
class Weak:
    """Weak equations for the coefficients of atoms.

    Attributes
    ----------
    rows : tuple of WeakRows
        For each of the d coordinates.
    atoms : ndarray (K, d, r)
        Fields to combine.
    penalty : ndarray (m, K)
        Further rows, whose right-hand sides are zero.
    """

    rows: tuple[WeakRows, ...]
    atoms: NDArray
    penalty: NDArray

    @cached_property
    def everything(self) -> tuple[NDArray, NDArray]:
        """Equations of all coordinates for all atoms."""
        return self.equations(range(len(self.rows)), np.arange(len(self.atoms)))

    def equations(self, coordinates: Iterable[int], members: NDArray) -> tuple[NDArray, NDArray]:
        """Equations of some coordinates for some atoms."""
        # A function that is in no atom may be not finite here or there.
        used = np.any(self.atoms != 0, axis=(0, 1))
        design = [self.rows[a].design[:, used] @ self.atoms[members, a][:, used].T for a in coordinates]
        y = [self.rows[a].y for a in coordinates]
        return np.concatenate([*design, self.penalty[:, members]]), np.concatenate([*y, np.zeros(len(self.penalty))])

    def fit(self, support: tuple[int, ...]) -> NDArray:
        """Coefficients ``(k,)`` of chosen atoms by least squares."""
        design, y = self.everything
        chosen = design[:, list(support)]
        lengths = column_lengths(chosen)
        return np.linalg.lstsq(chosen / lengths, y, rcond=None)[0] / lengths

    def blocks(self) -> list[tuple[list[int], NDArray]]:
        """Sets of coordinates that no atom and no penalty joins to others, with their atoms."""
        touched = np.any(self.atoms != 0, axis=2)
        joins = [*touched, *(touched[row != 0].any(axis=0) for row in self.penalty)]
        label = np.arange(touched.shape[1])
        for row in joins:
            joined = label[row]
            label[np.isin(label, joined)] = joined.min(initial=len(label))
        found = []
        for name in np.unique(label):
            coordinates = np.flatnonzero(label == name)
            members = np.flatnonzero(touched[:, coordinates].any(axis=1))
            if members.size:
                found.append((coordinates.tolist(), members))
        return found


def weak_rows(records: Sequence[Record], columns: Columns) -> tuple[WeakRows, ...]:
    """Rows for each of the d coordinates."""
    d = records[0].states.shape[1]
    parts: list[list[tuple[NDArray, NDArray]]] = [[] for _ in range(d)]
    cache: dict[bytes, tuple[NDArray, ...]] = {}
    for record in records:
        for a, part in enumerate(_record_rows(record, columns, cache)):
            parts[a].append(part)
    return tuple(
        WeakRows(
            np.concatenate([g for g, _ in part]),
            np.concatenate([b for _, b in part]),
            np.repeat(np.arange(len(part)), [len(b) for _, b in part]),
        )
        for part in parts
    )


def _record_rows(record: Record, columns: Columns, cache: dict[bytes, tuple[NDArray, ...]]) -> list[tuple]:
    n = len(record.time)
    kept = np.arange(0, n, -(-n // MOST_SAMPLES))
    t = record.time[kept]
    fine = np.interp(np.linspace(0, len(t) - 1, (len(t) - 1) * FINE + 1), np.arange(len(t)), t)
    key = (t - t[0]).tobytes()
    if key not in cache:
        centres, halves = _test_functions(t)
        cache[key] = (*_integrals(fine, centres, halves), *_integrals(t, centres, halves))
    value, slope, level, coarse = cache[key]
    rates = _rates(record)
    x = record.at(fine)
    with np.errstate(all="ignore"):
        theta = columns.evaluate(np.concatenate([x, record.inputs_at(fine)], axis=1))
    design = value @ theta
    # Smooth part on the fine grid, what is left of the data on their own.
    y = -slope @ x - coarse @ (record.states[kept] - record.smooth[kept])
    out = []
    for a in range(x.shape[1]):
        name = key + record.sizes[kept, a].tobytes() + rates[a].tobytes()
        if name not in cache:
            # What is left of the noise in smooth states enters functions; at low frequencies all of it is left.
            noise = np.concatenate([coarse, rates[a] * level], axis=1) * np.tile(record.sizes[kept, a], 2)
            cache[name] = (_whitening(noise),)
        (white,) = cache[name]
        out.append((white @ design, white @ y[:, a]))
    return out


def _rates(record: Record) -> NDArray:
    """How fast each coordinate's derivative changes, relative to it: the size of the Jacobian ``(d,)``."""
    bent = np.gradient(record.slopes, record.time, axis=0).std(axis=0)
    steep = record.slopes.std(axis=0)
    return np.round(bent / np.where(steep > 0, steep, 1.0), 12)


def _test_functions(t: NDArray) -> tuple[NDArray, NDArray]:
    """Centres and half-widths, a quarter of a half-width apart."""
    length, centres, halves = t[-1] - t[0], [], []
    for part in HALVES:
        half = length / part
        if len(t) * 2 / part < FEWEST and part > HALVES[0]:
            continue
        found = np.arange(t[0] + half, t[-1] - half + 1e-9 * length, half / 4)
        centres.append(found)
        halves.append(np.full(len(found), half))
    return np.concatenate(centres), np.concatenate(halves)


def _integrals(t: NDArray, centres: NDArray, halves: NDArray) -> tuple[NDArray, NDArray]:
    """Matrices that integrate values at times t against test functions and against their derivatives."""
    weights = np.gradient(t)
    weights[[0, -1]] /= 2
    s = (t - centres[:, None]) / halves[:, None]
    base = np.clip(1 - s**2, 0.0, None)
    slope = -2 * POWER * s / halves[:, None] * base ** (POWER - 1)
    return base**POWER * weights, slope * weights


def _whitening(noise: NDArray) -> NDArray:
    """Rows of unit noise, for test functions times the standard deviations of samples."""
    u, s, _ = np.linalg.svd(noise, full_matrices=False)
    kept = s > KEPT * s[0]
    return (u[:, kept] / s[kept]).T
