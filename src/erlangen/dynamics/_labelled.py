"""Fields with named dimensions: samples and times of an xarray.DataArray."""

from __future__ import annotations

from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray

TIMES = ("t", "time")


def labelled_field(u: Any, length: float) -> tuple[NDArray, NDArray]:
    """Samples ``(T, n)`` and times ``(T,)`` of a DataArray over time and one coordinate of a given period.

    Parameters
    ----------
    u : xarray.DataArray
        Two dimensions, one of them ``t`` or ``time``, in either order; read into memory.
    length : float
        Period, in the unit of the other coordinate.

    Returns
    -------
    values : ndarray (T, n)
        The samples.
    times : ndarray (T,)
        Times; seconds since the first one where they are dates.

    Raises
    ------
    InputError
        Where dimensions are others, or the points are not equally spaced over one period.
    """
    time = next((name for name in TIMES if name in getattr(u, "dims", ())), None)
    if time is None or len(u.dims) != 2 or time not in u.coords:
        given = f"dimensions {', '.join(map(str, getattr(u, 'dims', ())))}" if hasattr(u, "dims") else type(u).__name__
        what, expected = "This is no field on a line over time.", "a DataArray over (t, x), its times a coordinate"
        raise InputError(explain(what, given=given, expected=expected, fix='u.rename(step="t")'))
    (place,) = (name for name in u.dims if name != time)
    values = np.asarray(u.transpose(time, place).values, dtype=np.float64)
    if place in u.coords:
        _check_period(np.asarray(u[place].values, dtype=np.float64), str(place), length)
    return values, _seconds(np.asarray(u[time].values))


def _check_period(x: NDArray, name: str, length: float) -> None:
    steps = np.diff(x)
    even = steps.size > 0 and np.ptp(steps) <= 1e-6 * np.abs(steps).max()  # as grids are written, to six digits
    covered = len(x) * float(steps.mean()) if steps.size else 0.0
    if not even or abs(abs(covered) - length) > 1e-6 * length:
        what, fix = (
            "The points are not equally spaced over one period.",
            f"DifferentialTerms(length={abs(covered):.6g})",
        )
        given = f"{len(x)} points of {name!r} that cover {abs(covered):.6g}" + ("" if even else ", uneven")
        expected = f"n points with steps of {length:g} / n"
        raise InputError(explain(what, given=given, expected=expected, fix=fix))


def _seconds(times: NDArray) -> NDArray:
    if np.issubdtype(times.dtype, np.datetime64):
        return (times - times[0]) / np.timedelta64(1, "s")
    return times.astype(np.float64)
