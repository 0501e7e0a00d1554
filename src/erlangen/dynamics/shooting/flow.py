"""Solutions of x' = F(x, u) over many windows at once, and their derivatives by coefficients and initial states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.dynamics._library import parts_of
from erlangen.dynamics.shooting.observed import Windows
from erlangen.dynamics.shooting.tape import Tape, Writer
from erlangen.fields.bases import AbstractBasis, Monomials
from erlangen.fields.libraries import FormulaBasis

CHECKED = 8
"""Steps between looks for states that have left all bounds."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Some functions of a basis, evaluated without the others, and without complaint where they are not finite.

    Attributes
    ----------
    values, slopes : callable
        From points ``(n, d)`` to ``(n, q)``, and to ``(n, q * d)``.
    size : int
        Number q of functions.
    """

    values: Callable[[NDArray], NDArray]
    slopes: Callable[[NDArray], NDArray]
    size: int

    @classmethod
    def of(cls, basis: AbstractBasis, columns: NDArray) -> Columns:
        """The functions with these numbers, in increasing order."""
        parts = parts_of(basis)
        if all(isinstance(part, (Monomials, FormulaBasis)) for part in parts):
            return cls(*_tapes(parts, columns, basis.point_dim), len(columns))
        return cls(
            lambda x: basis.evaluate(x)[:, columns],
            lambda x: basis.gradients(x)[:, columns].reshape(len(x), -1),
            len(columns),
        )

    def evaluate(self, x: NDArray) -> NDArray:
        """Values ``(n, q)``."""
        return self.values(x)

    def gradients(self, x: NDArray) -> NDArray:
        """Gradients ``(n, q, d)``."""
        return self.slopes(x).reshape(len(x), self.size, x.shape[1])


def _tapes(parts: Sequence[AbstractBasis], columns: NDArray, d: int) -> tuple[Tape, Tape]:
    """Values, and gradients, of chosen functions of parts that are monomials or formulas."""
    names = next(
        (part.formulas[0].variables for part in parts if isinstance(part, FormulaBasis)), tuple(map(str, range(d)))
    )
    values, slopes = Writer(names), Writer(names)
    value_ends, slope_ends, at, count = [], [], 0, 0
    for part in parts:
        for j in columns[(columns >= at) & (columns < at + part.size)] - at:
            if isinstance(part, Monomials):
                powers = part.table[j].tolist()
                value_ends.append((values.monomial(powers), count))
                for a in np.flatnonzero(part.table[j]):
                    lower = [p - (i == a) for i, p in enumerate(powers)]
                    slope_ends.append((slopes.monomial(lower, float(powers[a])), count * d + int(a)))
            elif isinstance(part, FormulaBasis):
                value_ends.append((values.node(part.formulas[j].tree), count))
                slope_ends += [(slopes.node(s.tree), count * d + a) for a, s in enumerate(part.slopes[j])]
            count += 1
        at += part.size
    return values.tape(value_ends, count), slopes.tape(slope_ends, count * d)


@dataclass(frozen=True, eq=False)
class Model:
    """A field as a combination of atoms.

    Attributes
    ----------
    columns : Columns
        The r functions in use.
    atoms : ndarray (k, d, r)
        Fields to combine.
    """

    columns: Columns
    atoms: NDArray

    @classmethod
    def of(cls, basis: AbstractBasis, atoms: NDArray) -> Model:
        """Only the functions that the atoms ``(k, d, q)`` use."""
        used = np.flatnonzero(np.any(atoms != 0, axis=(0, 1)))
        return cls(Columns.of(basis, used), np.ascontiguousarray(atoms[:, :, used]))


@dataclass(frozen=True, eq=False)
class Solution:
    """Solutions over windows.

    Attributes
    ----------
    states : ndarray (W, L, d)
        At the times of the windows; not a number after a window left all bounds.
    stages : ndarray (L - 1, s, 4, W, d + u)
        Where the field was evaluated.
    """

    states: NDArray
    stages: NDArray

    @property
    def finite(self) -> bool:
        """Whether all windows were followed to their ends."""
        return bool(np.isfinite(self.states[:, -1]).all())


def solve(columns: Columns, matrix: NDArray, win: Windows, start: NDArray, substeps: int) -> Solution:
    """Follow x' = matrix (d, r) . functions (r,) from ``start (W, d)``: Runge-Kutta of fourth order."""
    count, length = win.time.shape
    d, u = start.shape[1], win.inputs.shape[2]
    states = np.full((count, length, d), np.nan)
    states[:, 0] = x = start
    stages = np.empty((length - 1, substeps, 4, count, d + u))
    transposed = np.ascontiguousarray(matrix.T)
    steps = np.diff(win.time, axis=1) / substeps

    def rate(stage: NDArray, x: NDArray, inputs: Sequence[NDArray], part: float) -> NDArray:
        stage[:, :d] = x
        if u:
            stage[:, d:] = (1 - part) * inputs[0] + part * inputs[1]
        return columns.evaluate(stage) @ transposed

    with np.errstate(all="ignore"):
        for i in range(length - 1):
            h, inputs = steps[:, i, None], (win.inputs[:, i], win.inputs[:, i + 1])
            for j in range(substeps):
                k1 = rate(stages[i, j, 0], x, inputs, j / substeps)
                k2 = rate(stages[i, j, 1], x + h / 2 * k1, inputs, (j + 0.5) / substeps)
                k3 = rate(stages[i, j, 2], x + h / 2 * k2, inputs, (j + 0.5) / substeps)
                k4 = rate(stages[i, j, 3], x + h * k3, inputs, (j + 1) / substeps)
                x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            states[:, i + 1] = x
            if i % CHECKED == 0 and not np.isfinite(x).all():
                break
    return Solution(states, stages)


def tangents(model: Model, matrix: NDArray, win: Windows, stages: NDArray, used: Columns | None = None) -> NDArray:
    """Derivatives ``(W, L, d, d + k)`` of solved states by the initial states and by the coefficients of atoms.

    Exact derivatives of the discrete solution: each step maps a derivative S to M S + N with M and N of the stages,
    which are found for all steps at once.

    Parameters
    ----------
    model : Model
        The k atoms to differentiate by.
    matrix : ndarray (d, r)
        The field that was solved, over the functions ``used`` (those of the model where None).
    win : Windows
        Where.
    stages : ndarray (L - 1, s, 4, W, d + u)
        Of the solution.
    """
    steps, substeps, _, count, width = stages.shape
    k, d = model.atoms.shape[:2]
    n = steps * substeps * count
    flat = model.atoms.transpose(2, 1, 0).reshape(model.atoms.shape[2], d * k)
    h = np.repeat((np.diff(win.time, axis=1) / substeps).T[:, None], substeps, axis=1).reshape(n, 1, 1)
    points = stages.transpose(2, 0, 1, 3, 4).reshape(4, n, width)
    own, eye = used or model.columns, np.eye(d)
    with np.errstate(all="ignore"):
        moved, forced = eye, 0.0
        total_m, total_n = np.zeros((n, d, d)), np.zeros((n, d, k))
        for stage, (share, weight) in enumerate(((0.0, 1.0), (0.5, 2.0), (0.5, 2.0), (1.0, 1.0))):
            z = points[stage]
            jacobian = np.einsum("cr,nrd->ncd", matrix, own.gradients(z)[:, :, :d], optimize=True)
            if stage:
                moved, forced = eye + share * h * moved, share * h * forced
            force = (model.columns.evaluate(z) @ flat).reshape(n, d, k)
            moved, forced = jacobian @ moved, (jacobian @ forced + force if stage else force)
            total_m += weight * moved
            total_n += weight * forced
        m = (eye + h / 6 * total_m).reshape(steps, substeps, count, d, d)
        forces = (h / 6 * total_n).reshape(steps, substeps, count, d, k)
        out = np.empty((count, steps + 1, d, d + k))
        now = np.zeros((count, d, d + k))
        now[:, :, :d] = eye
        out[:, 0] = now
        for i in range(steps):
            for j in range(substeps):
                now = m[i, j] @ now
                now[:, :, d:] += forces[i, j]
            out[:, i + 1] = now
    return out
