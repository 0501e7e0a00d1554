"""What a promoted fit is given: points, values and weights, checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.blocks import Factored, as_blocks
from erlangen.blocks.source import Joined
from erlangen.fields import AbstractLinearField
from erlangen.linalg.qr import StreamedQR

BLOCK_FLOATS = 2**18
"""Floats in one block of rows (2 MB): they stay in the cache while they are factored."""


def check_data(field: AbstractLinearField, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
    """Points ``(n, d)`` and values ``(n, c)`` for a field, or an explanation of what is wrong with them."""
    x, y = _numbers("points", x), _numbers("values", y)
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


def _numbers(what: str, a: ArrayLike) -> NDArray:
    try:
        if np.iscomplexobj(a):
            raise TypeError
        return np.asarray(a, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            explain(
                f"The {what} are no real numbers.",
                given=f"{what} of type {type(a).__name__}" + (f", {a.dtype}" if isinstance(a, np.ndarray) else ""),
                expected="arrays of real numbers",
                fix=f"numpy.asarray({what}, dtype=float)",
            )
        ) from None


def reduced(field: AbstractLinearField, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    """Rows ``(k, q)`` and values ``(k,)`` with the mean squared residual of n points and c channels.

    Where there are many more equations than parameters they are factored in blocks, ``[design, y] = Q R``, and R stands
    for them: memory depends on q, and no longer on n.
    """
    q, n = field.n_params, len(x)
    equations = n * field.value_dim
    if equations <= 2 * (q + 1):
        return field.features(x).reshape(-1, q), y.ravel()
    stream, size = StreamedQR(q + 1), max(1, q // field.value_dim, BLOCK_FLOATS // (field.value_dim * (q + 1)))
    for start in range(0, n, size):
        block = slice(start, start + size)
        stream.update(np.hstack([field.features(x[block]).reshape(-1, q), y[block].reshape(-1, 1)]))
    factor = stream.factor() * np.sqrt((q + 1) / equations)
    return factor[:, :q], factor[:, q]


@dataclass(frozen=True, eq=False)
class _Equations:
    """Rows [design, values] of a table in blocks: a class, for it travels to other processes."""

    field: AbstractLinearField

    def __call__(self, block: NDArray) -> Iterator[tuple[int, NDArray]]:
        d = self.field.point_dim
        design = self.field.features(block[:, :d]).reshape(-1, self.field.n_params)
        yield 0, np.hstack([design, block[:, d:].reshape(-1, 1)])


def reduced_blocks(field: AbstractLinearField, x: Any, y: Any) -> tuple[NDArray, NDArray, NDArray]:
    """The same for points and values in blocks, in two passes; and some of the values, for their size.

    Raises
    ------
    InputError
        Where the columns do not fit the family, or the two tables are cut at different rows.
    """
    points, values = as_blocks(x), as_blocks(y)
    d, c, q = field.point_dim, field.value_dim, field.n_params
    if (points.width, values.width) != (d, c):
        given = f"points with {points.width} columns, values with {values.width}"
        what, fix = "The data do not fit the family.", "a family of these dimensions"
        raise InputError(explain(what, given=given, expected=f"{d} and {c} columns", fix=fix))
    table = Joined(points, values, points.engine)
    total = table.summary()
    (stream,) = table.reduce(Factored(_Equations(field), (q + 1,), max(1, BLOCK_FLOATS // (c * (q + 1)))))
    factor = stream.factor() * np.sqrt((q + 1) / (total.n * c))
    return factor[:, :q], factor[:, q], total.rows[:, d:]


def check_weight(name: str, weight: float, *, positive: bool = False) -> float:
    """A weight that is finite and not negative, nor zero where it must be positive."""
    try:
        number = float(weight)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number) or number < 0 or (positive and number == 0):
        said = f"{number:g}" if isinstance(weight, int | float) else repr(weight)
        raise InputError(
            explain(
                "A weight is a positive number." if positive else "A weight is a number of at least zero.",
                given=f"{name} = {said}",
                expected=f"{name} {'>' if positive else '>='} 0: only then does a penalty keep symmetry",
                fix="1.0 * penalty" if positive else f"{name}=0.0",
            )
        )
    return number


def check_eps(eps: float) -> float:
    """The relative size of small singular values: positive and finite."""
    if not isinstance(eps, int | float | np.number) or not np.isfinite(eps) or eps <= 0:
        raise InputError(
            explain(
                "eps says which singular values are small, relative to the values.",
                given=f"eps={eps!r}",
                expected="a positive number; the larger, the closer to a convex penalty",
                fix="eps=0.1",
            )
        )
    return float(eps)


def check_same_family(field: AbstractLinearField, other: AbstractLinearField) -> None:
    """Penalties add up where they are functions of the same parameters."""
    sizes, others = [(f.point_dim, f.value_dim, f.n_params, f.kind) for f in (field, other)]
    x = np.random.default_rng(0).uniform(0.1, 0.9, (4, field.point_dim))
    if sizes == others and np.array_equal(field.features(x), other.features(x), equal_nan=True):
        return
    told = [f"{type(f).__name__} with {f.n_params} parameters on R^{f.point_dim}" for f in (field, other)]
    raise InputError(
        explain(
            "Penalties add up only over one family.",
            given=" and ".join(told),
            expected="the same functions, in the same order",
            fix="er.promote(family, first) + er.promote(family, second)",
        )
    )
