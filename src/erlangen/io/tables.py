"""Tables from files: CSV and TSV, Parquet, NPZ, HDF5 and NetCDF, chosen by the ending of the name."""

from __future__ import annotations

import csv
import io
import os
import warnings
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from erlangen._columns import COMMENTS, listing, recipe
from erlangen._errors import InputError, MissingExtraError, explain, nearest
from erlangen._typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

_HEAD = 65_536  # bytes looked at to tell text from binary and to find the delimiter
_DELIMITERS = ",;\t|"
_LATIN = "encoding='latin-1'"


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table of named columns.

    Parameters
    ----------
    path : str or path
        A file that ends in .csv, .tsv, .txt, .dat (text with a header; the delimiter is found), .parquet, .pq, .npz
        (one-dimensional arrays are columns, a two-dimensional array ``X`` becomes ``X1 .. Xd``), .h5, .hdf5 (the same)
        or .nc (variables on common dimensions). No pickled object is ever loaded.

    Returns
    -------
    DataFrame
        At least one row and one column, with different names.

    Raises
    ------
    InputError
        Where the file is missing, empty, of another format, or not a table.
    MissingExtraError
        Where a format needs a package that is not installed.
    """
    file = existing_file(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        expected = listing(sorted(_READERS))
        close = nearest(file.suffix.lower(), _READERS)
        fix = f"did you mean {close}?" if close else "convert the file, say to .csv"
        given = f"{file.name}"
        raise InputError(explain("The ending of this file is not known.", given=given, expected=expected, fix=fix))
    frame = reader(file)
    if not len(frame) or not len(frame.columns):
        given = f"{len(frame)} rows, {len(frame.columns)} columns in {file.name}"
        raise InputError(explain("The table is empty.", given=given, expected="rows and columns", fix="check the file"))
    frame.columns = [str(column).strip() for column in frame.columns]
    _refuse_duplicates([str(column) for column in frame.columns], file)
    return frame


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that exists and is not empty, or say what is wrong."""
    file = Path(path).expanduser()
    if not file.exists():
        siblings = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
        close = nearest(file.name, siblings)
        fix = f"did you mean {close!r}?" if close else "check the path"
        raise InputError(explain("There is no such file.", given=str(file), expected="a file to read", fix=fix))
    if not file.is_file():
        given, fix = f"{file}, a directory", "name a file in it"
        raise InputError(explain("This is not a file.", given=given, expected="a file to read", fix=fix))
    try:
        with file.open("rb") as stream:
            empty = not stream.read(1)
    except OSError as error:
        given = f"{file}: {error.strerror}"
        raise InputError(explain("No right to read.", given=given, expected="a file to read", fix="chmod")) from None
    if empty:
        given, fix = f"{file.name}, 0 bytes", "check how it was written"
        raise InputError(explain("The file is empty.", given=given, expected="a table", fix=fix))
    return file


def load_arrays(file: Path) -> dict[str, NDArray]:
    """Load the arrays of an NPZ file; pickled objects are refused."""
    arrays = {}
    if not zipfile.is_zipfile(file):
        raise _unreadable(file, "an NPZ archive of arrays", ValueError("the content is not that of an NPZ file"))
    try:
        with np.load(file, allow_pickle=False) as archive:
            for name in archive.files:
                arrays[name] = archive[name]
    except (ValueError, zipfile.BadZipFile, OSError, EOFError, AttributeError, TypeError) as error:
        if "pickle" in str(error).lower():
            given, fix = f"{file.name} holds Python objects", "save arrays of numbers or text (dtype object is pickled)"
            what = "Pickled objects are never loaded: they could run code."
            raise InputError(explain(what, given=given, expected="arrays of numbers", fix=fix)) from None
        raise _unreadable(file, "an NPZ archive of arrays", error) from None
    return arrays


def _read_text(file: Path) -> pd.DataFrame:
    import pandas as pd

    with file.open("rb") as stream:
        head = stream.read(_HEAD)
    if b"\0" in head:
        raise _unreadable(file, "text", None)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(file, "text in UTF-8", error, f"save it as UTF-8: {recipe(_LATIN)}") from None
    header = next((line for line in text.splitlines() if line.strip()), "")
    _refuse_comments(text, file)
    delimiter = "\t" if file.suffix.lower() == ".tsv" else _delimiter(header)
    names = (
        next(csv.reader([header.strip()], delimiter=delimiter, skipinitialspace=True), [])
        if delimiter
        else header.split()
    )
    _check_header([name.strip() for name in names], file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(io.StringIO(text), sep=delimiter or r"\s+", skipinitialspace=True, index_col=False)
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        raise _unreadable(file, f"{len(names)} entries in each row", error) from None
    words = frame.select_dtypes(exclude="number").columns
    return frame.assign(**{name: frame[name].str.strip() for name in words if hasattr(frame[name], "str")})


def _delimiter(header: str) -> str:
    """Return the delimiter that occurs most often in the header; empty for white space."""
    counts = {mark: header.count(mark) for mark in _DELIMITERS}
    best = max(counts, key=lambda mark: counts[mark])
    if counts[best]:
        return best
    return "" if len(header.split()) > 1 else ","


def _refuse_comments(text: str, file: Path) -> None:
    """Refuse lines that start with # above the names: they are no header. One line of names may start so."""
    filled = (line.strip() for line in text.splitlines() if line.strip())
    first, second = next(filled, ""), next(filled, "")
    if not first.startswith("#"):
        return
    delimiter = _delimiter(second) or None
    if not second.startswith("#") and any(_is_number(entry.strip()) for entry in second.split(delimiter)):
        return
    what = "Comment lines, which start with #, were taken as the header."
    fix = f"leave them out: {recipe(COMMENTS)}"
    raise InputError(explain(what, given=f"{first[:60]!r} in {file.name}", expected="names of columns first", fix=fix))


def _check_header(names: list[str], file: Path) -> None:
    if names and all(_is_number(name) for name in names):
        given = f"first row {listing(names, 6)} in {file.name}"
        fix = "add a first row of names, such as t,x,y"
        raise InputError(explain("The columns have no names.", given=given, expected="a header", fix=fix))
    _refuse_duplicates([name for name in names if name], file)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_parquet(file: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(file)
    except ImportError:
        raise missing_extra("Parquet", "pyarrow", "pandas[parquet]") from None
    except (OSError, ValueError) as error:
        raise _unreadable(file, "a Parquet file", error) from None


def _read_npz(file: Path) -> pd.DataFrame:
    return _frame(load_arrays(file), file)


def _read_hdf5(file: Path) -> pd.DataFrame:
    try:
        import h5py
    except ImportError:
        raise missing_extra("HDF5", "h5py", "erlangen[io]") from None
    found: dict[str, Any] = {}

    def keep(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = node.asstr()[...] if h5py.check_string_dtype(node.dtype) else node[...]

    try:
        with h5py.File(file, "r") as store:
            store.visititems(keep)
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise _unreadable(file, "an HDF5 file", error) from None
    short = [name.rsplit("/", 1)[-1] for name in found]
    names = short if len(set(short)) == len(short) else list(found)
    return _frame(dict(zip(names, found.values())), file)


def _read_netcdf(file: Path) -> pd.DataFrame:
    # h5netcdf reads the current format, SciPy the classic one; xarray finds both by name
    if any(find_spec(package) is None for package in ("xarray", "h5netcdf")):
        raise missing_extra("NetCDF", "xarray and h5netcdf", "erlangen[io]")
    import xarray

    with file.open("rb") as stream:
        classic = stream.read(3) == b"CDF"
    try:
        with xarray.open_dataset(file, engine="scipy" if classic else "h5netcdf") as data:
            _same_dimensions(data, file)
            frame = data.to_dataframe().reset_index()
    except (OSError, TypeError, ValueError, KeyError) as error:
        if isinstance(error, InputError):  # ours, and a ValueError
            raise
        raise _unreadable(file, "a NetCDF file", error) from None
    return frame.drop(columns=[name for name in data.dims if name not in data.coords], errors="ignore")


def _same_dimensions(data: Any, file: Path) -> None:
    cells = int(np.prod(list(data.sizes.values()), dtype=np.float64)) if data.sizes else 0
    largest = max((variable.size for variable in data.variables.values()), default=0)
    if not largest or cells > largest:
        shown = listing([f"{name}{tuple(map(str, v.dims))}" for name, v in data.data_vars.items()], 6)
        what = f"The variables of {file.name} are not columns of one table."
        fix = "save the variables that belong together in a file of their own"
        raise InputError(explain(what, given=shown or "no variables", expected="common dimensions", fix=fix))


def _frame(arrays: dict[str, NDArray], file: Path) -> pd.DataFrame:
    """Make columns of arrays: vectors as they are, matrices column by column, scalars left out."""
    import pandas as pd

    columns: dict[str, NDArray] = {}
    for name, array in arrays.items():
        for label, column in _split(name, np.asarray(array)):
            if label in columns:
                _refuse_duplicates([*columns, label], file)
            columns[label] = column
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        given = listing([f"{name}: {length}" for name, length in lengths.items()])
        what = f"The arrays of {file.name} differ in length."
        raise InputError(
            explain(what, given=given, expected="one length", fix="save the columns of one table together")
        )
    return pd.DataFrame(columns)


def _split(name: str, array: NDArray) -> list[tuple[str, NDArray]]:
    if array.dtype.names:
        return [(str(field), array[field]) for field in array.dtype.names]
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.ndim == 0:
        return []
    if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
        return [(name, array.reshape(-1))]
    if array.ndim == 2:
        return [(f"{name}{j + 1}", array[:, j]) for j in range(array.shape[1])]
    given = f"{name}: {array.shape}"
    fix = "save each run as a table with a column that tells the runs apart"
    raise InputError(explain("An array has too many axes.", given=given, expected="(n,) or (n, d)", fix=fix))


def _refuse_duplicates(names: list[str], file: Path) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        given = f"{listing(twice)} in {file.name}"
        raise InputError(explain("Column names repeat.", given=given, expected="different names", fix="rename them"))


def _unreadable(file: Path, expected: str, error: Exception | None, fix: str = "") -> InputError:
    reason = " ".join(str(error).split())[:120] if error else "it holds bytes that are not text"
    fix = fix or "check that the ending fits the content, and how the file was written"
    return InputError(explain(f"{file.name} cannot be read.", given=reason or "damaged", expected=expected, fix=fix))


def missing_extra(kind: str, package: str, install: str) -> MissingExtraError:
    """Say which package a format needs."""
    what = f"{kind} files need a package that is not installed."
    return MissingExtraError(explain(what, given=kind, expected=package, fix=f'pip install "{install}"'))


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    **dict.fromkeys((".csv", ".tsv", ".txt", ".dat"), _read_text),
    **dict.fromkeys((".parquet", ".pq"), _read_parquet),
    ".npz": _read_npz,
    **dict.fromkeys((".h5", ".hdf5"), _read_hdf5),
    ".nc": _read_netcdf,
}
