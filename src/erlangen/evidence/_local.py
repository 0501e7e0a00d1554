"""Lie derivatives near points: how far a generator is from a symmetry there, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from erlangen._errors import UndecidedError
from erlangen._typing import NDArray
from erlangen.derivative import LieDerivative, Samples
from erlangen.derivative.scales import Scales
from erlangen.evidence._local_fit import LocalField, LocalFit, excess
from erlangen.fields import AbstractField, FittedField
from erlangen.linalg.qr import rounding
from erlangen.verbs._coverage import local_normals, normal_directions

REACH = 0.1
"""Farthest that a neighbour counts as near, in units of the spread and per coordinate; beyond, a point is taken on
the way to it, which stays among the data where these fill little of the space."""

DRAWS = 8
"""Random fields behind a local error: its root mean square is then known to a quarter."""

BLOCK = 1024
"""Points evaluated together."""


@dataclass(frozen=True, eq=False)
class LocalDefects:
    """Relative defects near points.

    Attributes
    ----------
    defects : ndarray (n, p)
        Median relative defect of the point and those near it; NaN where the field says nothing there.
    errors : ndarray (n, p)
        The same for the error of the Lie derivative.
    reach : float
        Distance of what is near, per coordinate and in units of the spread: nothing smaller is resolved.
    """

    defects: NDArray
    errors: NDArray
    reach: float


def thinned(region: Samples, most: int, rng: np.random.Generator) -> Samples:
    """At most so many points of a region without order among them.

    Every k-th point of a low-discrepancy sequence lies on stripes; so measures are drawn from again, and tables at
    random.
    """
    if region.measure is not None:
        return Samples.from_data(region.measure.draw(min(most, len(region)), rng))
    rows = np.flatnonzero(region.weights > 0)
    rows = rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))
    return Samples.from_data(region.points[rows], region.weights[rows])


def local_defects(
    lie: LieDerivative, scales: Scales, x: NDArray, neighbours: int, rng: np.random.Generator
) -> LocalDefects:
    """Relative defects of every generator near points ``x (n, d)``.

    The median of ``|L_xi f|^2 / (|Df|^2 |xi|^2 / d + |tau f|^2)`` over a point and ``neighbours`` near it. A mean would
    smear a region in which the generator is broken over all that touches it; a median moves no boundary.
    """
    draws = _draws(lie.field, rng)
    # Local fits are averages over their neighbourhood already.
    neighbours = 0 if isinstance(lie.field, LocalField) else neighbours
    near, reach = (x, lie.field.reach) if isinstance(lie.field, LocalField) else _near(x, scales, neighbours)
    parts = [_ratios(lie, draws, scales, near[i : i + BLOCK]) for i in range(0, len(near), BLOCK)]
    ratios, errors = (np.concatenate(part).reshape(len(x), neighbours + 1, -1) for part in zip(*parts, strict=True))
    return LocalDefects(_median(ratios), _median(errors), reach)


def coverage(x: NDArray, data: NDArray, scales: Scales, neighbours: int) -> NDArray:
    """How much data is near each point, ``(n,)``: the usual distance of data to their neighbours over that from here.

    At most 1.
    """
    z, seen = x / scales.points, np.unique(data, axis=0) / scales.points
    count = min(neighbours, len(seen) - 1)
    tree = cKDTree(seen)
    some = seen[np.linspace(0, len(seen) - 1, min(len(seen), BLOCK)).astype(int)]
    usual = float(np.median(tree.query(some, count + 1)[0][:, -1]))
    here = tree.query(z, count)[0].reshape(len(z), -1)[:, -1]
    return np.minimum(usual / np.maximum(here, np.finfo(np.float64).tiny), 1.0)


def leaves(lie: LieDerivative, scales: Scales, x: NDArray, data: NDArray, delta: float) -> NDArray:
    """Whether generators leave the set on which the data lie at points ``x``: ``(n, p)``.

    Nothing is known across a plane, a surface or a curve that all data are on: a velocity with more than ``delta`` of
    it across, or the error of its tangent, says nothing about the field.
    """
    there = replace(lie, samples=Samples.from_data(data))
    anchors, normals, error = local_normals(there, scales, normal_directions(there, scales))
    if normals.shape[1] == 0:
        return np.zeros((len(x), lie.action.n_generators), dtype=bool)
    here = normals[cKDTree(anchors / scales.points).query(x / scales.points)[1]]
    velocity = lie.lifted.on_points(x) / scales.points
    across = np.linalg.norm(np.einsum("npd,ned->npe", velocity, here), axis=2)
    return across > max(delta, 2 * error) * np.linalg.norm(velocity, axis=2)


def _near(x: NDArray, scales: Scales, neighbours: int) -> tuple[NDArray, float]:
    """Each point and those near it, ``(n * (neighbours + 1), d)``, and their median distance per coordinate."""
    z = x / scales.points
    found = cKDTree(z).query(z, min(neighbours + 1, len(z)))[1].reshape(len(z), -1)
    found = found[:, np.arange(neighbours + 1) % found.shape[1]]
    step = x[found] - x[:, None]
    size = np.sqrt(np.mean((step / scales.points) ** 2, axis=2))
    with np.errstate(divide="ignore"):
        step *= np.minimum(REACH / size, 1.0)[:, :, None]
    reach = float(np.median(np.minimum(size[:, 1:], REACH)))
    return (x[:, None] + step).reshape(-1, x.shape[1]), reach


def _ratios(lie: LieDerivative, draws: list[FittedField], scales: Scales, x: NDArray) -> tuple[NDArray, NDArray]:
    """Relative defects and their errors ``(n, p)`` at points themselves."""
    f, jacobian = lie.field.value(x), lie.field.jacobian(x)
    moves = np.linalg.norm(lie.lifted.on_points(x) / scales.points, axis=2)
    carried = np.linalg.norm(lie.lifted.on_values(x, f) / scales.values, axis=2)
    slope = scales.slope(jacobian)[:, None]
    size = np.hypot(slope * moves, carried)
    # What is below rounding of the typical size is not known to differ from zero.
    typical = np.sqrt(np.mean(size**2, axis=0))
    size = np.where(size > rounding((lie.field.point_dim,)) * typical, size, np.nan)
    rows = lie.rows(x) / scales.values[:, None]
    if isinstance(lie.field, LocalField):
        error = _fit_errors(lie, lie.field, scales, x, rows)
    elif draws or getattr(lie.field, "runner_up", None) is not None:
        error = np.maximum(_errors(lie, draws, scales, x, rows), _stated(lie, slope, moves))
    else:
        error = _stated(lie, slope, moves)
    return np.linalg.norm(rows, axis=1) / size, error / size


def _stated(lie: LieDerivative, slope: NDArray, moves: NDArray) -> NDArray:
    """The error that the field states for its derivative, the same all over."""
    return lie.field.accuracy * np.sqrt(np.mean(slope**2)) * moves


def _fit_errors(lie: LieDerivative, field: LocalField, scales: Scales, x: NDArray, rows: NDArray) -> NDArray:
    """Error ``(n, p)`` of local fits: noise of value and slope, and what other neighbourhoods would change.

    When they are doubled, all of it; when they are smaller, what noise does not explain: a quadratic that smooths
    detail away looks sure of itself. And what is finer than all neighbourhoods.
    """
    velocity = lie.lifted.on_points(x)

    def noise(fit: LocalFit, sigma: NDArray) -> NDArray:
        along = np.einsum("npa,nab,npb->np", velocity, fit.spread[:, 1:, 1:], velocity)
        slopes = np.sqrt(np.einsum("np,nc->np", along, (sigma / scales.values) ** 2))
        values = np.linalg.norm(lie.lifted.on_values(x, sigma) / scales.values, axis=2)
        return (slopes + values * np.sqrt(fit.spread[:, :1, 0])) ** 2

    def change(fit: LocalFit) -> NDArray:
        carried = lie.lifted.on_values(x, fit.values).transpose(0, 2, 1)
        moved = np.einsum("nca,npa->ncp", fit.slopes, velocity) - carried
        return np.sum((rows - moved / scales.values[:, None]) ** 2, axis=1)

    fit = field.fit(x, field.size)
    total = noise(fit, fit.noise) + change(field.fit(x, 2 * field.size))
    fits = [field.fit(x, size) for size in field.smaller]
    if fits:
        sigma = fits[0].noise
        biases = [excess(change(one), noise(one, sigma) - noise(fit, sigma)) for one in fits]
        total = total + np.max(biases, axis=0)
    speed = np.sum((velocity / field.points.std(axis=0)) ** 2, axis=2)
    hidden = np.sum((field.hidden_at(x) / scales.values) ** 2, axis=1)
    return np.sqrt(total + hidden[:, None] * speed)


def _errors(lie: LieDerivative, draws: list[FittedField], scales: Scales, x: NDArray, rows: NDArray) -> NDArray:
    """Size ``(n, p)`` of the error of the Lie derivative of a fitted field, from what noise does and classes differ.

    The mean square of draws of the error, and what the next larger class would change.
    """
    noise = [np.sum(_scaled_rows(draw, lie, scales, x) ** 2, axis=1) for draw in draws]
    total = np.mean(noise, axis=0) if noise else np.zeros((len(x), rows.shape[2]))
    second = getattr(lie.field, "runner_up", None)
    if second is not None:
        total = total + np.sum((rows - _scaled_rows(second, lie, scales, x)) ** 2, axis=1)
    return np.sqrt(total)


def _scaled_rows(field: AbstractField, lie: LieDerivative, scales: Scales, x: NDArray) -> NDArray:
    return LieDerivative(field, lie.action, lie.samples).rows(x) / scales.values[:, None]


def _draws(field: AbstractField, rng: np.random.Generator) -> list[FittedField]:
    try:
        return field.draws(DRAWS, rng) if isinstance(field, FittedField) else []
    except UndecidedError:  # a class without a known covariance
        return []


def _median(ratios: NDArray) -> NDArray:
    """Median over what is near ``(n, k, p)``, of those with a value; NaN where most have none."""
    known = np.isfinite(ratios).mean(axis=1) >= 0.5
    filled = np.where(np.isfinite(ratios).any(axis=1, keepdims=True), ratios, 0.0)
    return np.where(known, np.nanmedian(filled, axis=1), np.nan)
