"""What a promoted fit is given: points, values and weights, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erlangen._errors import InputError, explain
from erlangen.fields import AbstractLinearField


def check_data(field: AbstractLinearField, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
    """Points ``(n, d)`` and values ``(n, c)`` for a field, or an explanation of what is wrong with them."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    d, c = field.point_dim, field.value_dim
    if y.ndim == 1 and c == 1:
        y = y[:, None]
    if x.ndim != 2 or x.shape[1] != d or len(x) == 0 or y.shape != (len(x), c):
        raise InputError(
            explain(
                "The data do not fit the family.",
                given=f"points of shape {x.shape}, values of shape {y.shape}",
                expected=f"shapes (n, {d}) and (n, {c})" + (", or (n,) for the values" if c == 1 else ""),
                fix="x[:, None] for points on a line" if x.ndim == 1 and d == 1 else "a family of these dimensions",
            )
        )
    bad = ~(np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1))
    if bad.any():
        raise InputError(
            explain(
                "Some data are not finite.",
                given=f"{int(bad.sum())} of {len(x)} rows with NaN or infinity, first at row {int(np.argmax(bad))}",
                expected="finite points and values",
                fix="leave those rows out",
            )
        )
    return x, y


def check_weight(name: str, weight: float) -> float:
    """A weight that is finite and not negative."""
    weight = float(weight)
    if not np.isfinite(weight) or weight < 0:
        raise InputError(
            explain(
                "A weight is a number of at least zero: the penalty is convex only then.",
                given=f"{name} = {weight:g}",
                expected=f"{name} >= 0",
                fix=f"{name}=0.0",
            )
        )
    return weight
