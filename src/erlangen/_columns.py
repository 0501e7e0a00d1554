"""Columns of a table: finding them by name, and reading numbers out of them with clear refusals."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from erlangen._errors import ErlangenWarning, InputError, explain, nearest, warn
from erlangen._typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 5  # rows named in a message
MANY = 1000  # entries that are looked at to say what is wrong with them
COMMENTS = "comment='#'"  # as recipe() takes it
_THOUSANDS = "thousands=','"
_MARKS = "na_values=['--', '-', '?']"


class DataWarning(ErlangenWarning):
    """The data were read, but something about them should be known: rows dropped, columns that never change."""


def as_names(names: str | Sequence[str] | None) -> list[str] | None:
    """Split ``"x, y"`` at its commas; pass a sequence on."""
    if names is None:
        return None
    chosen = [name.strip() for name in names.split(",")] if isinstance(names, str) else [str(name) for name in names]
    if not chosen or "" in chosen:
        raise InputError(
            explain("A column name is empty.", given=repr(names), expected="x,y,z", fix="remove the comma")
        )
    for name in chosen:
        if chosen.count(name) > 1:
            fix = "name each column once"
            raise InputError(explain(f"Column {name!r} is named twice.", given=repr(names), expected="once", fix=fix))
    return chosen


def require(frame: pd.DataFrame, names: Iterable[str], role: str) -> None:
    """Refuse names that the table does not have, suggesting the nearest that it has."""
    columns = [str(column) for column in frame.columns]
    for name in names:
        if name not in columns:
            close = nearest(name, columns) or next((c for c in columns if c.lower() == name.lower()), None)
            what = f"There is no column {name!r} for the {role}."
            fix = f"did you mean {close!r}?" if close else f"choose the {role} among the columns"
            raise InputError(explain(what, given=repr(name), expected=listing(columns), fix=fix))


def others(frame: pd.DataFrame, taken: Iterable[str]) -> list[str]:
    """Name the columns that have no role yet; a nameless index column written by other tools is left out."""
    used = set(taken)
    return [str(c) for c in frame.columns if str(c) not in used and not str(c).startswith("Unnamed:")]


def numbers(frame: pd.DataFrame, name: str, leave: str = "leave this column out, or convert it") -> NDArray:
    """Read a column as floats ``(n,)``; a missing entry is NaN. Where it is text, ``leave`` says how to do without."""
    import pandas as pd

    column = frame[name]
    try:
        return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        pass
    converted = pd.to_numeric(column.astype("string"), errors="coerce")
    bad = np.flatnonzero((converted.isna() & column.notna()).to_numpy())
    first = repr(column.iloc[int(bad[0])])[:40] if bad.size else str(column.dtype)
    given = f"{bad.size} of {len(frame)} entries, first {first} in {rows(bad)}" if bad.size else first
    fix = _mended([str(entry) for entry in column.iloc[bad[:MANY]]]) or leave
    raise InputError(explain(f"Column {name!r} is not numeric.", given=given, expected="numbers", fix=fix))


def matrix(frame: pd.DataFrame, names: Sequence[str], option: str = "") -> NDArray:
    """Read columns as a matrix ``(n, d)``; ``option`` chooses them, and is named where one of them is text."""
    if not names:
        return np.empty((len(frame), 0))
    leave = _without_text(frame, names, option)
    return np.column_stack([numbers(frame, name, leave) for name in names])


def recipe(reading: str) -> str:
    """The line of pandas that writes a table anew, read with these options."""
    return f"pandas.read_csv(path, {reading}).to_csv('mended.csv', index=False)"


def _mended(entries: list[str]) -> str | None:
    """What to do about entries that are numbers, or missing, in another way of writing; None where they are text."""

    def are(pattern: str) -> bool:
        return bool(entries) and all(re.fullmatch(pattern, entry.strip()) for entry in entries)

    if are(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?") and (len(entries) > 1 or "." in entries[0]):
        return f"leave out the commas between thousands: {recipe(_THOUSANDS)}"
    if are(r"[-+]?(\d{1,3}(\.\d{3})+|\d*),\d*([eE][-+]?\d+)?"):
        points = ", thousands='.'" if any("." in entry for entry in entries) else ""
        mark = "sep=';', decimal=','" + points
        return f"write decimal points, not commas: {recipe(mark)}"
    if any(entry.lstrip().startswith("#") for entry in entries):
        return f"leave out the lines of comments: {recipe(COMMENTS)}"
    if are(r"[\W_]+"):
        return f"leave missing entries empty and drop their rows with --drop-nan (drop_nan=True): {recipe(_MARKS)}"
    return None


def _without_text(frame: pd.DataFrame, names: Sequence[str], option: str) -> str:
    """How to choose the columns of numbers alone."""
    import pandas as pd

    good = [name for name in names if pd.api.types.is_numeric_dtype(frame[name])]
    if not option or not good:
        return "leave this column out, or convert it"
    group = "; where it tells runs apart, --group" if option == "--state" else ""
    return f"name the columns of numbers: {option} {shlex.quote(','.join(good))} ({option[2:]}=){group}"


def finite_rows(table: dict[str, NDArray], drop: bool) -> NDArray:
    """Return the mask ``(n,)`` of rows where all columns are finite; refuse others unless they may be dropped."""
    masks = {name: np.isfinite(column) for name, column in table.items()}
    good = np.logical_and.reduce(list(masks.values()))
    bad = np.flatnonzero(~good)
    if not bad.size:
        return good
    guilty = [name for name, mask in masks.items() if not mask.all()]
    given = f"{bad.size} of {good.size} rows, in {rows(bad)}, columns {listing(guilty)}"
    if not drop:
        fix = "drop these rows with --drop-nan (drop_nan=True)"
        raise InputError(explain("NaN, inf or missing entries.", given=given, expected="finite numbers", fix=fix))
    fix = "nothing, where entries are missing at random; else fill them in, or leave these columns out"
    warn(f"Dropped {given}: NaN, inf or missing entries.", fix=fix, category=DataWarning)
    return good


def warn_constant(names: Iterable[str]) -> None:
    """Say which columns never change."""
    still = list(names)
    if still:
        text = f"Constant columns: {listing(still)}. The data say nothing about a dependence on them."
        warn(text, fix="leave them out, or add rows in which they vary", category=DataWarning)


def constant(x: NDArray) -> NDArray:
    """Columns ``(d,)`` whose range is at the rounding of their own magnitude."""
    return np.ptp(x, axis=0) <= 2 * np.finfo(np.float64).eps * np.abs(x).max(axis=0)


def apart(names: Sequence[str], taken: Sequence[str], role: str) -> None:
    """Refuse a role without columns, and columns with two roles."""
    if not names:
        raise InputError(explain(f"No column is left for the {role}.", given="0", expected="1 or more", fix="add one"))
    for name in taken:
        if name in names:
            fix = f"leave {name!r} out of the {role}"
            raise InputError(explain(f"Column {name!r} has two roles.", given=listing(names), expected="one", fix=fix))


def rows(indices: NDArray) -> str:
    """Name the first rows of many, counted from 1 as a reader does."""
    shown = ", ".join(str(int(i) + 1) for i in indices[:SHOWN])
    return f"row{'s' * (len(indices) > 1)} {shown}{' ...' if len(indices) > SHOWN else ''} (row 1 is the first of data)"


def listing(names: Sequence[Any], most: int = 12) -> str:
    """Join names, and say that there are more."""
    return ", ".join(str(name) for name in names[:most]) + (" ..." if len(names) > most else "")
