"""What the verbs take, read from files: trajectories, tables of a function, point clouds, generators."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from erlangen._columns import apart, as_names, constant, finite_rows, listing, matrix, others, require, warn_constant
from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.fields._frames import runs_of_frame
from erlangen.fields.trajectories import Trajectories
from erlangen.io.tables import existing_file, load_arrays, read_table

if TYPE_CHECKING:
    import pandas as pd

Names = str | Sequence[str] | None

_FILE = "file"  # the column that tells the runs of a folder apart, where none is named


def read_trajectories(
    path: str | os.PathLike[str],
    time: str,
    group: str | None = None,
    state: Names = None,
    drop_nan: bool = False,
    controls: Names = None,
    parameters: Names = None,
) -> Trajectories:
    """Read trajectories from a table with a column of times.

    Parameters
    ----------
    path : str or path
        A file of `read_table`, or a folder of them with the same columns.
    time : str
        The column of times: numbers, or dates in ISO 8601, which become seconds since the earliest.
    group : str, optional
        The column that tells the runs apart. By default all rows are one run, and in a folder those of one file.
    state : sequence of str, or str with commas, optional
        The columns of the state, by default all others.
    drop_nan : bool
        Drop rows with NaN, inf or missing entries, with a warning that counts them, instead of refusing them.
    controls, parameters : sequence of str, or str with commas, optional
        The columns of what acts on the system; parameters have one value in each run.

    Returns
    -------
    Trajectories
        One run for each value of `group`, in the order in which these first appear.

    Raises
    ------
    InputError
        Where a column is missing or not numeric, an entry is not finite, times repeat or decrease within a run, or a
        run has one sample.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> rows = ["time,x,y", "0,1,0", "1,0,1", "2,-1,0"]
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "orbit.csv"
    ...     _ = file.write_text(chr(10).join(rows))
    ...     flow = read_trajectories(file, "time")
    >>> flow.names, len(flow.runs), flow.runs[0].states.shape
    (('x', 'y'), 1, (3, 2))
    """
    frame, group = _runs_table(Path(path).expanduser(), group)
    flow = Trajectories(*runs_of_frame(frame, time, group, state, controls, parameters, drop_nan, infinite=True))
    warn_constant(flow.constant_columns())
    return flow


def _runs_table(path: Path, group: str | None) -> tuple[pd.DataFrame, str | None]:
    """The table of runs, and the column that tells them apart: of a folder, the file that a row is from."""
    if not path.is_dir():
        return read_table(path), group
    import pandas as pd

    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
    if not files:
        what, fix = "This folder holds no files.", "one table for each run in it"
        raise InputError(explain(what, given=str(path), expected="tables with the same columns", fix=fix))
    frames = [read_table(file) for file in files]
    for file, frame in zip(files, frames):
        if list(frame.columns) != list(frames[0].columns):
            what, fix = f"{file.name} has other columns than {files[0].name}.", "files of one table in one folder"
            given, expected = listing(list(frame.columns)), listing(list(frames[0].columns))
            raise InputError(explain(what, given=given, expected=expected, fix=fix))
    if group not in (None, _FILE) or _FILE in frames[0].columns:
        return pd.concat(frames, ignore_index=True), group
    rows = [frame.assign(**{_FILE: file.relative_to(path).as_posix()}) for file, frame in zip(files, frames)]
    return pd.concat(rows, ignore_index=True), _FILE


def read_function_table(
    path: str | os.PathLike[str], inputs: Names = None, target: Names = None, drop_nan: bool = False
) -> tuple[NDArray, NDArray, tuple[str, ...]]:
    """Read samples of a function.

    Parameters
    ----------
    path : str or path
        A file of `read_table`.
    inputs : sequence of str, or str with commas, optional
        The columns of the point, by default all that are not the target.
    target : sequence of str, or str with commas
        The column of the value, or several.
    drop_nan : bool
        Drop rows with NaN, inf or missing entries, with a warning that counts them, instead of refusing them.

    Returns
    -------
    X : ndarray (n, d)
        The points.
    y : ndarray (n,), or (n, c) where several targets are named
        The values.
    names : tuple of str
        Names of the d columns of X.

    Raises
    ------
    InputError
        Where a column is missing or not numeric, an entry is not finite, or a target never changes.
    """
    frame = read_table(path)
    targets = as_names(target)
    if targets is None:
        fix = f"--target {next(reversed(others(frame, [])), 'y')} (target=)"
        columns = listing(list(frame.columns))
        raise InputError(explain("No target is named.", given="target=None", expected=f"one of {columns}", fix=fix))
    require(frame, targets, "target")
    names = as_names(inputs) or others(frame, targets)
    require(frame, names, "input")
    apart(names, targets, "input")
    x, y = matrix(frame, names, "--inputs"), matrix(frame, targets)
    keep = finite_rows(dict(zip([*names, *targets], np.hstack([x, y]).T)), drop_nan)
    x, y = _some(x[keep]), y[keep]
    still = [name for name, flat in zip(targets, constant(y)) if flat]
    if still:
        what, fix = f"The target {listing(still)} never changes.", "choose another column"
        raise InputError(explain(what, given=f"{y[0, 0]:.6g} in all rows", expected="values that vary", fix=fix))
    warn_constant(name for name, flat in zip(names, constant(x)) if flat)
    return x, y[:, 0] if len(targets) == 1 else y, tuple(names)


def read_cloud(
    path: str | os.PathLike[str], columns: Names = None, drop_nan: bool = False
) -> tuple[NDArray, tuple[str, ...]]:
    """Read a cloud of points: an array ``(n, d)``, and the names of its columns (by default all of the table).

    Parameters
    ----------
    path : str or path
        A table, as for `read_table`.
    columns : sequence of str, optional
        The d columns; all by default.
    drop_nan : bool
        Drop rows with NaN, inf or missing entries, with a warning that counts them, instead of refusing them.

    Returns
    -------
    tuple of (ndarray (n, d), tuple of str)
        The points, and the names of the columns.

    Raises
    ------
    InputError
        Where a column is missing or not numeric, or an entry is not finite.
    """
    frame = read_table(path)
    names = as_names(columns) or others(frame, [])
    require(frame, names, "point")
    x = matrix(frame, names, "--columns")
    x = _some(x[finite_rows(dict(zip(names, x.T)), drop_nan)])
    warn_constant(name for name, flat in zip(names, constant(x)) if flat)
    return x, tuple(names)


@dataclass(frozen=True, eq=False)
class Generators(AbstractShown):
    """Generators from a file: matrices, or polynomial vector fields.

    Attributes
    ----------
    names : tuple of str
        One name per generator.
    matrices : ndarray (p, k, k) or None
        Matrices that act on columns.
    exponents : ndarray (r, d) or None
        Monomials of polynomial vector fields.
    coefficients : ndarray (p, d, r) or None
        Their coefficients.
    """

    names: tuple[str, ...]
    """Names of the p generators; empty where the file has none."""
    matrices: NDArray | None = None
    """Matrices ``(p, k, k)``, or None."""
    exponents: NDArray | None = None
    """Exponents ``(r, d)`` of the monomials of vector fields, or None."""
    coefficients: NDArray | None = None
    """Coefficients ``(p, d, r)`` of vector fields, or None."""


def read_generators(path: str | os.PathLike[str]) -> Generators:
    """Read generators from an NPZ file.

    The file holds ``generators (p, k, k)``, or ``exponents (r, d)`` and ``coefficients (p, d, r)``; a file with one
    array of matrices may call it what it likes. ``names (p,)`` is optional.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    Generators
        Matrices or fields, with names.

    Raises
    ------
    InputError
        Where the arrays are missing, of other shapes, or not finite.
    """
    arrays = load_arrays(existing_file(path))
    label_array = arrays.pop("names", np.array([], dtype=str))
    names = tuple(str(name) for name in np.atleast_1d(label_array))
    if {"exponents", "coefficients"} <= set(arrays):
        exponents, coefficients = arrays["exponents"], _real(arrays["coefficients"], "coefficients")
        _check_fields(exponents, coefficients)
        _check_names(names, len(coefficients))
        return Generators(names, None, exponents.astype(np.int64), coefficients)
    matrices = _matrices(arrays)
    _check_names(names, len(matrices))
    return Generators(names, matrices)


def _some(x: NDArray) -> NDArray:
    if len(x) < 2:
        raise InputError(explain("Too few rows.", given=f"{len(x)} rows", expected="2 or more", fix="add samples"))
    return x


def _matrices(arrays: dict[str, NDArray]) -> NDArray:
    square = {name: a for name, a in arrays.items() if a.ndim in (2, 3) and a.shape[-1] == a.shape[-2] and a.size}
    name = "generators" if "generators" in square else next(iter(square), None)
    if name is None or (len(square) > 1 and name != "generators"):
        given = listing([f"{key} {array.shape}" for key, array in arrays.items()]) or "no arrays"
        fix = "np.savez(path, generators=G) with G of shape (p, k, k)"
        expected = "generators (p, k, k), or exponents (r, d) and coefficients (p, d, r)"
        raise InputError(explain("The generators were not found.", given=given, expected=expected, fix=fix))
    found = _real(square[name], name)
    return found[None] if found.ndim == 2 else found


def _real(array: NDArray, name: str) -> NDArray:
    if array.dtype.kind not in "biuf":
        fix = "write complex k x k matrices as real 2k x 2k ones"
        raise InputError(explain(f"{name} is not real.", given=str(array.dtype), expected="real numbers", fix=fix))
    if not np.isfinite(array).all():
        given = f"{int((~np.isfinite(array)).sum())} of {array.size} entries"
        raise InputError(explain(f"NaN or inf in {name}.", given=given, expected="finite", fix="check the file"))
    return array.astype(np.float64)


def _check_fields(exponents: NDArray, coefficients: NDArray) -> None:
    shapes = f"exponents {exponents.shape}, coefficients {coefficients.shape}"
    fits = exponents.ndim == 2 and coefficients.ndim == 3 and coefficients.shape[1:] == exponents.shape[::-1]
    if not fits or exponents.dtype.kind not in "iu" or (exponents.size and exponents.min() < 0):
        expected = "integers (r, d), none negative, and numbers (p, d, r)"
        raise InputError(explain("The arrays do not fit.", given=shapes, expected=expected, fix="transpose one"))


def _check_names(names: tuple[str, ...], p: int) -> None:
    if names and len(names) != p:
        given, fix = f"{len(names)} names, {p} generators", "save one name for each generator"
        raise InputError(explain("Names do not fit the generators.", given=given, expected=f"{p} names", fix=fix))
