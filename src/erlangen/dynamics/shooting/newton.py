"""Gauss-Newton with initial states of windows eliminated: the most likely coefficients for given atoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.dynamics.shooting.flow import Columns, Model, Solution, solve, tangents
from erlangen.dynamics.shooting.observed import Windows
from erlangen.dynamics.shooting.subsets import column_lengths
from erlangen.fields.bases import AbstractBasis
from erlangen.linalg.qr import rounding

MEMORY = 2**22
"""Numbers of a block of derivatives that are held at once."""

DAMPING = 1e-4
"""First damping of a step, relative to columns of length one."""

TRIES = 6
"""Dampings tried for a step, each 30 times the last."""

HARDER = 30.0


@dataclass(frozen=True, eq=False)
class Fit:
    """Coefficients of chosen atoms.

    Attributes
    ----------
    support : tuple of int
        Which atoms.
    z : ndarray (k,)
        Their coefficients.
    start : ndarray (W, d)
        Initial states of the windows.
    cost : float
        Sum of squared residuals over their standard deviations; infinite where no solution was followed.
    """

    support: tuple[int, ...]
    z: NDArray
    start: NDArray
    cost: float


@dataclass(frozen=True, eq=False)
class Linear:
    """The problem to first order about a fit, without initial states: |design z - target| in standard deviations.

    Attributes
    ----------
    design : ndarray (m, k)
        A triangle with the same squares as all rows.
    target : ndarray (m,)
        Such that the coefficients of the fit are not yet subtracted.
    """

    design: NDArray
    target: NDArray


@dataclass(frozen=True, eq=False)
class Shooting:
    """Windows with a family of fields.

    Attributes
    ----------
    basis : AbstractBasis
        The r functions, of d states and u controls.
    atoms : ndarray (K, d, r)
        Fields to combine.
    win : Windows
        What was observed.
    substeps : int
        Steps of integration between samples.
    penalty : ndarray (m, K)
        Rows whose squares, of all coefficients, are added to the cost; m may be zero.
    """

    basis: AbstractBasis
    atoms: NDArray
    win: Windows
    substeps: int
    penalty: NDArray

    def model(self, support: tuple[int, ...]) -> Model:
        """The chosen atoms."""
        return Model.of(self.basis, self.atoms[list(support)])

    def fit(self, support: tuple[int, ...], z: NDArray, start: NDArray, steps: int = 12) -> Fit:
        """Levenberg-Marquardt from coefficients and initial states, until a step gains less than noise could tell."""
        model, damping, rows = self.model(support), DAMPING, self.penalty[:, list(support)]
        solution, cost = self._solved(model, z, start, rows)
        if not np.isfinite(cost):
            return Fit(support, z, start, np.inf)
        for _ in range(steps):
            triangle, back = self._condensed(model, np.tensordot(z, model.atoms, 1), solution, None)
            if not np.isfinite(triangle).all():
                break
            triangle = np.concatenate([triangle, np.column_stack([rows, -rows @ z])])
            lengths = column_lengths(triangle[:, :-1])
            for _ in range(TRIES):
                dz = _damped(triangle[:, :-1] / lengths, triangle[:, -1], damping) / lengths
                moved = z + dz, start + _starts(back, dz)
                trial, value = self._solved(model, *moved, rows)
                if value <= cost * (1 + len(self.win.time) * np.finfo(np.float64).eps):
                    break
                damping = max(damping, DAMPING) * HARDER
            else:
                break
            gain, z, start, solution, cost = cost - value, *moved, trial, value
            if gain <= CONVERGED and not damping:
                break
            # Damping also holds back what is hardly determined, so the last step is one without.
            damping = 0.0 if gain <= CONVERGED else damping / HARDER
        return Fit(support, z, start, cost)

    def linear(self, fit: Fit) -> Linear | None:
        """To first order in all K atoms about a fit; None where derivatives left all bounds."""
        chosen, everything = self.model(fit.support), Model.of(self.basis, self.atoms)
        matrix = np.tensordot(fit.z, chosen.atoms, 1)
        solution = solve(chosen.columns, matrix, self.win, fit.start, self.substeps)
        triangle, _ = self._condensed(everything, matrix, solution, chosen.columns)
        if not np.isfinite(triangle).all():
            return None
        design = triangle[:, :-1]
        target = triangle[:, -1] + design[:, list(fit.support)] @ fit.z
        return Linear(np.concatenate([design, self.penalty]), np.concatenate([target, np.zeros(len(self.penalty))]))

    def residuals(self, fit: Fit) -> tuple[NDArray, NDArray]:
        """Observed minus solved states ``(W, L, d)``, and the solved states."""
        model = self.model(fit.support)
        solution = solve(model.columns, np.tensordot(fit.z, model.atoms, 1), self.win, fit.start, self.substeps)
        seen = self._seen(model, np.tensordot(fit.z, model.atoms, 1), solution.states)
        return np.where(self.win.weights > 0, self.win.states - seen, 0.0), solution.states

    def _solved(self, model: Model, z: NDArray, start: NDArray, rows: NDArray) -> tuple[Solution, float]:
        matrix = np.tensordot(z, model.atoms, 1)
        solution = solve(model.columns, matrix, self.win, start, self.substeps)
        if not solution.finite:
            return solution, np.inf
        with np.errstate(all="ignore"):
            rest = (self.win.states - self._seen(model, matrix, solution.states)) * self.win.weights
            cost = float(np.sum(rest**2) + np.sum((rows @ z) ** 2))
        return solution, cost if np.isfinite(cost) else np.inf

    def _seen(self, model: Model, matrix: NDArray, states: NDArray) -> NDArray:
        """What bins average: x + v x'' / 2, with the variance v of the times inside."""
        if not self.win.spread.any():
            return states
        count, length, d = states.shape
        z = np.concatenate([states, self.win.inputs], axis=2).reshape(count * length, -1)
        with np.errstate(all="ignore"):
            rate = model.columns.evaluate(z) @ matrix.T
            jacobian = np.einsum("cr,nrd->ncd", matrix, model.columns.gradients(z)[:, :, :d], optimize=True)
            second = np.einsum("ncd,nd->nc", jacobian, rate).reshape(count, length, d)
        return states + self.win.spread[..., None] / 2 * second

    def _condensed(
        self, model: Model, matrix: NDArray, solution: Solution, used: Columns | None
    ) -> tuple[NDArray, list[tuple[NDArray, NDArray, NDArray]]]:
        """Triangle over coefficients and residual, and what gives the initial states back, window by window."""
        count, length = self.win.time.shape
        k, d = model.atoms.shape[:2]
        own = used or model.columns
        seen = self._seen(Model(own, model.atoms[:, :, :0]), matrix, solution.states)
        block = max(1, MEMORY // (length * self.substeps * d * (d + k)))
        triangle, back = np.zeros((0, k + 1)), []
        for a in range(0, count, block):
            part = slice(a, a + block)
            win = self.win[part]
            change = tangents(model, matrix, win, solution.stages[:, :, :, part], used)
            rows = (change * win.weights[..., None]).reshape(len(win.time), length * d, d + k)
            rest = ((win.states - seen[part]) * win.weights).reshape(len(win.time), length * d)
            if not (np.isfinite(rows).all() and np.isfinite(rest).all()):
                return np.full((1, k + 1), np.nan), []
            full = np.concatenate([rows[..., d:], rest[..., None]], axis=2)
            q, r = np.linalg.qr(rows[..., :d])
            inside = q.transpose(0, 2, 1) @ full
            back.append((r, inside[..., :-1], inside[..., -1]))
            stacked = np.concatenate([triangle, (full - q @ inside).reshape(-1, k + 1)])
            triangle = np.asarray(np.linalg.qr(stacked, mode="r"))
        return triangle, back


CONVERGED = 0.01
"""Gain of a step, in squared standard deviations, below which it changes nothing that noise does not."""


def _damped(a: NDArray, b: NDArray, damping: float) -> NDArray:
    k = a.shape[1]
    rows = np.concatenate([a, np.sqrt(damping) * np.eye(k)])
    return np.linalg.lstsq(rows, np.concatenate([b, np.zeros(k)]), rcond=rounding(rows.shape))[0]


def _starts(back: list[tuple[NDArray, NDArray, NDArray]], dz: NDArray) -> NDArray:
    """Best change of the initial states ``(W, d)`` for a change of the coefficients."""
    out = []
    for r, inside, rest in back:
        least = np.abs(r).max(axis=(1, 2), keepdims=True) * rounding(r.shape)
        out.append(np.linalg.solve(r + least * np.eye(r.shape[1]), (rest - inside @ dz)[..., None])[..., 0])
    return np.concatenate(out)
