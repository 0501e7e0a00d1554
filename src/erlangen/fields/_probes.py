"""Trying a field at a few points before it is believed: shapes, finite values, no chance, no steps."""

from __future__ import annotations

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.fields._base import AbstractField

COUNT = 23
"""Points that are tried; a prime, so that a dimension is rarely mistaken for the number of points."""


def default_probes(d: int) -> NDArray:
    """Fixed points ``(m, d)``: half of them normal around 0, half in the unit cube, where logarithms live too."""
    rng = np.random.default_rng(d)
    half = COUNT // 2
    return np.vstack([rng.normal(size=(half, d)), rng.uniform(0.1, 1.0, size=(COUNT - half, d))])


def spread_rows(points: NDArray, d: int) -> NDArray:
    """At most `COUNT` rows of a table, evenly spread over it."""
    if points.ndim != 2 or points.shape[1] != d or len(points) == 0:
        raise InputError(
            explain(
                "The points do not fit the field.",
                given=f"points of shape {points.shape}",
                expected=f"shape (n, {d})",
                fix=f"points.reshape(-1, {d})",
            )
        )
    return points[np.linspace(0, len(points) - 1, min(COUNT, len(points))).astype(int)]


def coordinate_scales(probes: NDArray) -> NDArray:
    """Spread ``(d,)`` of each coordinate; where one does not vary its size, else 1."""
    spread, size = probes.std(axis=0), np.abs(probes).max(axis=0)
    return np.where(spread > 8 * np.finfo(float).eps * size, spread, np.where(size > 0, size, 1.0))


def finite_rows(x: NDArray, values: NDArray, what: str = "field") -> NDArray:
    """Points whose values are finite; an error where there are none."""
    finite = np.isfinite(values).reshape(len(x), -1).all(axis=1)
    if not finite.any():
        raise InputError(
            explain(
                f"The {what} is finite at none of the points at which it was tried.",
                given=f"{len(x)} points such as {np.round(x[0], 4).tolist()}",
                expected="finite values in the domain",
                fix="as_field(..., points=X) with points of the domain",
            )
        )
    return x[finite]


def same_again(first: NDArray, second: NDArray) -> None:
    """Refuse values that change from call to call (by more than a reordered sum can)."""
    size = np.nanmax(np.abs(first), initial=0.0, where=np.isfinite(first))
    change = np.nanmax(np.abs(first - second), initial=0.0, where=np.isfinite(first) & np.isfinite(second))
    if change > np.sqrt(np.finfo(np.float64).eps) * size:
        raise InputError(
            explain(
                "The model answers differently each time it is asked.",
                given=f"values that change by {change:.2g} between two calls at the same points",
                expected="a function: the same values at the same points",
                fix="switch off what is random (dropout, sampling, noise), or average it with a fixed seed",
            )
        )


def admit(field: AbstractField, probes: NDArray) -> AbstractField:
    """Return a field that has finite, repeatable values and a derivative that is not zero by construction."""
    with np.errstate(all="ignore"):
        first = field.value(probes)
        x = finite_rows(probes, first)
        same_again(first, field.value(probes))
        f, jacobian = field.value(x), field.jacobian(x)
    shapes = (len(x), field.value_dim), (len(x), field.value_dim, field.point_dim)
    if (f.shape, jacobian.shape) != shapes:
        raise InputError(
            explain(
                "The field does not have the shape it declares.",
                given=f"values {f.shape}, Jacobians {jacobian.shape} at {len(x)} points",
                expected=f"{shapes[0]} and {shapes[1]}",
                fix="erlangen.testing.check_field(field, points) shows which method to mend",
            )
        )
    _refuse_steps(f, jacobian)
    finite_rows(x, jacobian, "derivative")
    return field


def _refuse_steps(f: NDArray, jacobian: NDArray) -> None:
    flat = (jacobian == 0).reshape(len(f), -1).all(axis=1)
    if 2 * flat.sum() < len(f) or len(np.unique(f[flat], axis=0)) < 2:
        return
    raise InputError(
        explain(
            "The model is piecewise constant: its values change, its derivative is zero.",
            given=f"{len(np.unique(f[flat], axis=0))} different values at {int(flat.sum())} points of zero derivative",
            expected="a differentiable model",
            fix="a smooth model (MLPRegressor, GaussianProcessRegressor), or as_field((X, y)), which chooses one",
        )
    )
