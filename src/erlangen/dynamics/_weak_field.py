r"""The vector field behind runs without a derivative of the data: equations tested with smooth functions.

For phi that vanishes at both ends of a window of a run, integration by parts moves the derivative off the states,

.. math:: -\int \dot\varphi\, x\, dt = \int \varphi\, F_\theta(x)\, dt ,

linear in theta. How well theta is known is seen by leaving out a tenth of the windows at a time; windows overlap, so
that residuals could not tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from erlangen._errors import UndecidedError
from erlangen._typing import NDArray
from erlangen.fields import AbstractField, PolynomialField, as_field
from erlangen.fields.table import substitute
from erlangen.fields.trajectories import Run, Trajectories
from erlangen.linalg.polynomials import exponents, monomials, polynomial_jacobian

_POWER = 4
"""Power of the bump (1 - s^2)^k: smooth enough for the trapezoidal rule, wide enough to average noise."""
_GROUPS = 10
"""Parts of the windows that are left out in turn."""
_DEGREES = (1, 2, 3, 4)
_WIDTHS = (8, 16, 32, 64)
"""Samples in a window."""
_ROWS = 3
"""Windows for each coefficient, at least: fewer fit anything."""


def weak_field(flow: Trajectories, enough: float) -> AbstractField:
    """Fit the vector field of runs; the accuracy of the answer is the relative error of its Jacobian.

    Polynomials have the degree that predicts windows left out, and windows the width with which they are known best;
    where the error is above ``enough``, also the table of estimated velocities, if that is known better. Noise and
    runs that stay on a curve hide terms of higher degree: what the next two degrees would change counts as error.
    """
    found = [fits for width in _WIDTHS if (fits := _fits(flow, width))]
    # A term that windows of one width ask for is there for all: wide ones are few, and would do without it.
    degree = max((min(fits, key=lambda k: fits[k].miss) for fits in found), default=0)
    fields = [fits[degree].field(flow.points) for fits in found if degree in fits]
    best = min(fields, key=lambda field: field.accuracy, default=None)
    if best is not None:
        best = replace(best, accuracy=min(max(best.accuracy, _hidden(best, found, degree, flow.points)), 1.0))
    if best is not None and best.accuracy <= enough:
        return best
    try:
        table = as_field(flow)
    except UndecidedError:
        if best is None:
            raise
        return best
    return table if best is None or table.accuracy < best.accuracy else best


def _hidden(field: PolynomialField, found: list[dict[int, _Fit]], degree: int, x: NDArray) -> float:
    """Relative change of the Jacobian with the next two degrees, each at the width where it changes least."""
    here = field.jacobian(x)
    size = float(np.linalg.norm(here)) or 1.0
    worst = 0.0
    for higher in (degree + 1, degree + 2):
        moved = [fits[higher].field(x).jacobian(x) - here for fits in found if higher in fits]
        worst = max(worst, min((float(np.linalg.norm(m)) / size for m in moved), default=0.0))
    return worst


@dataclass(frozen=True, eq=False)
class _Windows:
    """Bumps on windows of a run, ``(w, width)`` each: samples, weights of the integral and of the derivative."""

    index: NDArray
    weights: NDArray
    slopes: NDArray


def _windows(run: Run, width: int) -> _Windows | None:
    n = len(run.time)
    if n < width:
        return None
    index = np.arange(0, n - width + 1, max(1, width // 4))[:, None] + np.arange(width)
    t = run.time[index]
    half = (t[:, -1:] - t[:, :1]) / 2
    s = (t - t[:, :1]) / half - 1.0
    step = np.gradient(t, axis=1)
    bump = np.maximum(1 - s**2, 0.0)
    return _Windows(index, step * bump**_POWER, step * 2 * _POWER * s * bump ** (_POWER - 1) / half)


def _fits(flow: Trajectories, width: int) -> dict[int, _Fit]:
    """Fits of each degree for which there are enough windows of one width."""
    centre, scale = flow.points.mean(axis=0), flow.points.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    windows = [(run, w) for run in flow.runs if (w := _windows(run, width)) is not None]
    rows = sum(len(w.weights) for _, w in windows)
    tables = {degree: exponents(flow.point_dim, degree) for degree in _DEGREES}
    return {k: _fitted(windows, t, centre, scale) for k, t in tables.items() if rows >= _ROWS * len(t)}


@dataclass(frozen=True, eq=False)
class _Fit:
    """Coefficients ``(r, d)`` over monomials of standardised states, those without each group, and held-out error."""

    table: NDArray
    centre: NDArray
    scale: NDArray
    theta: NDArray
    without: NDArray
    miss: float

    def field(self, x: NDArray) -> PolynomialField:
        """The field in the user's units, with its accuracy at points ``x (n, d)``."""
        z = (x - self.centre) / self.scale
        here = polynomial_jacobian(z, self.table, self.theta.T)
        k = len(self.without)
        moved = [polynomial_jacobian(z, self.table, other.T) - here for other in self.without]
        error = np.sqrt((k - 1) / k * sum(np.sum(m**2) for m in moved))  # the jackknife
        accuracy = float(min(error / np.linalg.norm(here), 1.0))
        back, shift = np.diag(1 / self.scale), -self.centre / self.scale
        table, powers = substitute(self.table, np.eye(len(self.table)), back, shift)
        return PolynomialField(table, self.scale[:, None] * (self.theta.T @ powers), "vector", accuracy)


def _fitted(windows: list[tuple[Run, _Windows]], table: NDArray, centre: NDArray, scale: NDArray) -> _Fit:
    a = np.concatenate([_sums(w, w.weights, monomials((r.states - centre) / scale, table)) for r, w in windows])
    b = np.concatenate([_sums(w, w.slopes, (r.states - centre) / scale) for r, w in windows])
    whole = np.linalg.lstsq(a, b, rcond=None)[0]
    without, miss = [], 0.0
    for rows in _groups(len(a)):
        kept = np.delete(np.arange(len(a)), rows)
        theta = np.linalg.lstsq(a[kept], b[kept], rcond=None)[0]
        without.append(theta)
        miss += float(np.sum((b[rows] - a[rows] @ theta) ** 2))
    return _Fit(table, centre, scale, whole, np.array(without), miss)


def _sums(windows: _Windows, weights: NDArray, values: NDArray) -> NDArray:
    """Weighted sums ``(w, c)`` of values ``(n, c)`` over each window."""
    return np.column_stack([np.sum(weights * column[windows.index], axis=1) for column in values.T])


def _groups(n: int) -> Iterator[NDArray]:
    edges = np.linspace(0, n, min(_GROUPS, n) + 1).astype(int)
    yield from (np.arange(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True))
