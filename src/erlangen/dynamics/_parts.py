"""A correction of a model in two parts: what keeps a symmetry, and what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import fdtrc

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import linear
from erlangen.derivative import Samples
from erlangen.dynamics._library import Candidates
from erlangen.dynamics._misfit import functions
from erlangen.dynamics._support import SHARE
from erlangen.dynamics._windows import OVERLAP, Rows
from erlangen.dynamics.equations import Equations
from erlangen.linalg.qr import rounding
from erlangen.verbs import enforce

LEVEL = 1e-3
"""Chance of a false alarm: a symmetry counts as broken where data like these occur once in a thousand with it."""


@dataclass(frozen=True, eq=False)
class BreakingTest(AbstractShown):
    """Whether a model error has a part that breaks the symmetry.

    Attributes
    ----------
    breaks : bool or None
        The verdict; None where the data do not decide.
    statistic : float
        F: by how much the fit is better per coefficient outside the symmetric fields, in units of the noise.
    freedoms : tuple of int
        Coefficients outside the symmetric fields, and equations left over; windows that overlap count once.
    p_value : float
        Chance of as large a statistic where nothing is broken.
    share : float
        Root mean square of the breaking part, of the least-squares fit, beside that of the whole correction.
    """

    breaks: bool | None
    statistic: float
    freedoms: tuple[int, int]
    p_value: float
    share: float

    def __str__(self) -> str:
        k, rest = self.freedoms
        if self.breaks is None:
            return f"too few data to say whether the model error breaks the symmetry: {rest} equations to spare"
        small = not self.breaks and self.p_value < LEVEL
        verdict = "breaks the symmetry" if self.breaks else "is consistent with the symmetry"
        if small:
            verdict = "keeps the symmetry as far as the method is exact"
        p = "below 1e-300" if self.p_value == 0.0 else f"{self.p_value:.2g}"
        text = f"the model error {verdict}: F({k}, {rest}) = {self.statistic:.3g}, p = {p}"
        if self.breaks:
            return f"{text}, {self.share:.1%} of it"
        what = "what is left beyond noise are errors of the method"
        return f"{text}, but the breaking part is only {self.share:.1g} of it: {what}" if small else text


def symmetric_basis(family: Candidates, symmetry: Any, points: NDArray) -> NDArray:
    """Basis ``(q, k)`` of the coefficients whose fields have the symmetry."""
    samples = None if family.polynomial else Samples.from_data(points)
    listed = isinstance(symmetry, Sequence) and not isinstance(symmetry, str)
    if listed or isinstance(symmetry, np.ndarray):
        elements = [symmetry] if isinstance(symmetry, np.ndarray) and symmetry.ndim == 2 else list(symmetry)
        nothing = linear(np.zeros((1, points.shape[1], points.shape[1])))  # no generator: elements only
        space = enforce(family.field, nothing, samples, discrete=elements)
    else:
        space = enforce(family.field, symmetry, samples)
    basis = space.sparse_basis()
    least = np.finfo(np.float64).eps ** 0.75 * np.abs(basis).max(axis=0, initial=0.0)
    return np.where(np.abs(basis) > least, basis, 0.0)


def split(family: Candidates, theta: NDArray, basis: NDArray, points: NDArray) -> tuple[NDArray, NDArray]:
    """Symmetric and breaking part of a correction, orthogonal to each other in L2 of the data."""
    library = functions(family, points)
    q, d = family.field.n_params, family.field.value_dim

    def values(columns: NDArray) -> NDArray:
        return np.einsum("nr,arm->nam", library, columns.reshape(d, q // d, -1)).reshape(len(points) * d, -1)

    inside = values(basis)
    sizes = np.linalg.norm(inside, axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    z = np.linalg.lstsq(inside / sizes, values(theta[:, None])[:, 0], rcond=rounding(inside.shape))[0]
    symmetric = basis @ (z / sizes)
    small = np.abs(theta - symmetric) <= np.finfo(np.float64).eps ** 0.5 * np.abs(theta).max(initial=0.0)
    symmetric = np.where(small, theta, symmetric)
    return symmetric, theta - symmetric


def breaking_share(family: Candidates, theta: NDArray, basis: NDArray | None, points: NDArray) -> float:
    """Root mean square of the breaking part of a correction beside that of the whole."""
    if basis is None:
        return 0.0
    breaking = split(family, theta, basis, points)[1]
    return _size(family, breaking, points) / (_size(family, theta, points) or 1.0)


def breaking_test(rows: Rows, basis: NDArray, share_of: Callable[[NDArray], float]) -> BreakingTest:
    """Test of all coefficients against the symmetric ones, on rows for all of them.

    A Wald statistic in the form of an F: what the rows say beyond the symmetric fields, in units of its covariance.
    Where blocks of rows share samples that covariance is not the unit matrix of rows taken alone. Windows that cover
    the same samples count once among the equations that the noise is known from, which is on the safe side.
    """
    m, q = rows.design.shape
    outside, rest = q - basis.shape[1], m - q
    rank = np.linalg.matrix_rank(_scaled(rows.design), tol=None) if rest > 0 else 0
    if rest <= 0 or rank < q or outside == 0:
        return BreakingTest(False if outside == 0 else None, 0.0, (outside, max(rest, 0)), float("nan"), 0.0)
    theta, squares = _solved(rows.design, rows.target)
    floor = (rounding(rows.design.shape) * float(np.linalg.norm(rows.target))) ** 2
    scaled = _scaled(rows.design)
    directions = np.linalg.svd(scaled - _onto(_scaled(rows.design @ basis), scaled), full_matrices=False)[0][
        :, :outside
    ]
    score = directions.T @ rows.target
    weighed = np.linalg.lstsq(rows.covariance(directions), score, rcond=None)[0]
    # The width of windows was chosen by small residuals, so less than the noise as estimated is no news.
    unit = max((squares + floor) / rest, 1.0 if rows.carried else 0.0)
    statistic = float(score @ weighed) / outside / unit
    free = max(rest // (2 * OVERLAP), 1) if rows.carried else rest
    p_value = float(fdtrc(outside, free, statistic))
    share = share_of(theta)
    return BreakingTest(p_value < LEVEL and share > SHARE, statistic, (outside, free), p_value, share)


def _onto(a: NDArray, b: NDArray) -> NDArray:
    """Projection of columns b onto the span of columns a."""
    if not a.shape[1]:
        return np.zeros_like(b)
    q = np.linalg.svd(a, full_matrices=False)[0]
    return q @ (q.T @ b)


def _size(family: Candidates, theta: NDArray, points: NDArray) -> float:
    return float(np.sqrt(np.mean(family.field.with_theta(theta).value(points) ** 2)))


def _scaled(design: NDArray) -> NDArray:
    sizes = np.linalg.norm(design, axis=0)
    return design / np.where(sizes > 0, sizes, 1.0)


def _solved(design: NDArray, target: NDArray) -> tuple[NDArray, float]:
    if not design.shape[1]:
        return np.zeros(0), float(target @ target)
    sizes = np.linalg.norm(design, axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    z = np.linalg.lstsq(design / sizes, target, rcond=rounding(design.shape))[0]
    rest = target - design / sizes @ z
    return z / sizes, float(rest @ rest)


def as_equations(family: Candidates, names: tuple[str, ...], theta: NDArray, errors: NDArray | None) -> Equations:
    """The field as equations in the terms that occur."""
    table = theta.reshape(len(names), -1)
    used = np.flatnonzero(table.any(axis=0))
    deviations = None if errors is None else errors.reshape(table.shape)[:, used]
    return Equations(names, (), tuple(family.texts[j] for j in used), table[:, used], deviations)


def texts_of(family: Candidates, names: Sequence[str]) -> list[str]:
    """Names of the coefficients."""
    return [f"{text or '1'} in {name}'" for name in names for text in family.texts]
