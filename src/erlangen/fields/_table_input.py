"""Read a table (X, y): shapes, finite numbers, labels, and how values follow points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.fields._base import EXACT


@dataclass(frozen=True, eq=False)
class Table:
    """Points ``(n, d)``, values ``(n, c)`` to fit, their kind, and the two labels where there are such.

    ``size (c,)`` is the magnitude of the numbers that the values were computed from: their rounding.
    """

    x: NDArray
    y: NDArray
    kind: str
    labels: tuple | None
    size: NDArray
    names: tuple[str, ...] | None


def read_table(x: ArrayLike, y: ArrayLike, kind: str | None) -> Table:
    """Check a table and give its values the form that is fitted.

    Raises
    ------
    InputError
        Saying what was given, what was expected and how to mend it.
    """
    points = _numbers(x, "X")
    columns = getattr(x, "columns", None)
    names = None if columns is None else tuple(str(c) for c in columns)
    if points.ndim != 2 or 0 in points.shape:
        raise _wrong("X is not a table of points.", f"X of shape {points.shape}", "(n, d)", "X.reshape(-1, d)")
    raw = y if isinstance(y, np.ma.MaskedArray) else np.asarray(y)
    if raw.ndim not in (1, 2) or len(raw) != len(points):
        expected = f"y of shape ({len(points)},) or ({len(points)}, c)"
        raise _wrong("X and y do not belong together.", f"X {points.shape}, y {raw.shape}", expected, "one row each")
    if kind is None and _is_labels(raw):
        return _labelled(points, raw.reshape(len(raw)), names)
    values = _numbers(raw, "y")
    flat = values.ndim == 1
    values = values.reshape(len(values), -1)
    kind = _check_kind(kind, flat, values.shape[1], points.shape[1])
    size = np.abs(values).max(axis=0)
    if kind == "map":
        values = values - points
    if np.all(np.ptp(values, axis=0) <= 8.0 * EXACT * size):
        raise _wrong("y is constant: every transformation leaves it alone.", "one value", "values that differ", "")
    return Table(points, values, kind, None, size, names)


def _numbers(values: Any, name: str) -> NDArray:
    try:
        if np.iscomplexobj(values):
            raise TypeError
        out = np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan) if np.ma.isMA(values) else values
        out = np.asarray(out, dtype=np.float64)
    except (TypeError, ValueError):
        raise _wrong(
            f"{name} holds something that is not a number.",
            f"{name} of type {type(values).__name__}",
            "numbers (for y also two labels)",
            f"{name}.astype(float) on the columns that are numbers",
        ) from None
    rows = out.reshape(len(out), -1) if out.ndim else out.reshape(1, 1)
    bad = np.any(~np.isfinite(rows), axis=1)
    if bad.any():
        raise _wrong(
            f"{name} holds values that are not finite.",
            f"{int(bad.sum())} of {len(bad)} rows with NaN or infinity, first at row {int(np.argmax(bad))}",
            "finite numbers",
            f"keep = numpy.isfinite({name}).all(axis=-1); X, y = X[keep], y[keep]",
        )
    return out


def _is_labels(y: NDArray) -> bool:
    if y.ndim == 2 and y.shape[1] != 1:
        return False
    if y.dtype.kind in "bUS":
        return True
    if y.dtype.kind == "O":
        return all(isinstance(v, (str, bool, np.bool_)) for v in y.ravel())
    return y.dtype.kind in "iu" and set(np.unique(y)) <= {0, 1}


def _labelled(points: NDArray, y: NDArray, names: tuple[str, ...] | None) -> Table:
    classes = sorted(set(y.tolist()))
    if len(classes) != 2:
        raise _wrong(
            "Labels are fitted for two classes.",
            f"{len(classes)} different labels: {', '.join(str(v) for v in classes[:5])}",
            "two, both of which occur",
            "y == one_class",
        )
    values = (y == classes[1]).astype(np.float64)[:, None]
    return Table(points, values, "invariant", (classes[0], classes[1]), np.ones(1), names)


def _check_kind(kind: str | None, flat: bool, c: int, d: int) -> str:
    if kind not in (None, "invariant", "vector", "map"):
        raise _wrong("This kind is not known.", f"kind={kind!r}", '"invariant", "vector" or "map"', 'kind="invariant"')
    if kind in ("vector", "map") and c != d:
        raise _wrong(
            f"Values of kind {kind!r} have one channel per coordinate.",
            f"c = {c}, d = {d}",
            "c = d",
            'kind="invariant"',
        )
    if kind is None and c == d and not flat:
        raise _wrong(
            "There are as many values as coordinates: say how values follow points.",
            f"c = d = {d} and no kind",
            'kind="invariant" (numbers), "vector" (a velocity) or "map" (the next point)',
            'fit_table(X, y, kind="map")',
        )
    return kind or "invariant"


def _wrong(what: str, given: str, expected: str, fix: str) -> InputError:
    return InputError(explain(what, given=given, expected=expected, fix=fix or "look at how y was computed"))
