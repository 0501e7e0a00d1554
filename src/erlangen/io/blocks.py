"""Tables that need not fit into memory: folders of files, Parquet and Zarr."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from erlangen._columns import as_names, listing, require, rows
from erlangen._errors import InputError, explain, nearest
from erlangen.blocks import AbstractBlocks, AbstractEngine, SerialEngine
from erlangen.io.tables import existing_file, missing_extra, read_table

if TYPE_CHECKING:
    import pandas as pd

ROWS = 200_000
"""Rows of a block where nothing else says how many: a few tens of MB."""


@dataclass(frozen=True, eq=False, repr=False)
class FileBlocks(AbstractBlocks):
    """Blocks that are parts of files: whoever works on one reads it.

    Attributes
    ----------
    parts : tuple of callable
        Each reads one part as a dataframe of the columns asked for.
    names : tuple of k str
        Names of the columns.
    drop_nan : bool
        Whether rows with entries that are not finite are left out.
    engine : AbstractEngine
        Where reductions over the blocks run.
    """

    parts: tuple[Callable[[list[str]], pd.DataFrame], ...]
    names: tuple[str, ...]
    drop_nan: bool = False
    engine: AbstractEngine = field(default_factory=SerialEngine)

    @property
    def n_blocks(self) -> int:
        return len(self.parts)

    def raw(self, i: int) -> pd.DataFrame:
        frame = self.parts[i](list(self.names))
        require(frame, self.names, f"table, in {self.parts[i]}")
        frame = frame[list(self.names)]
        good = np.array(frame.notna().all(axis=1))
        for name in frame.select_dtypes("number").columns:
            good &= np.isfinite(frame[name].to_numpy(dtype=np.float64, na_value=np.nan))
        if good.all() or self.drop_nan:
            return frame[good]
        bad = np.flatnonzero(~good)
        what, fix = (
            f"NaN, inf or missing entries in {self.parts[i]}.",
            "drop these rows with --drop-nan (drop_nan=True)",
        )
        given = f"{bad.size} of {good.size} rows, in {rows(bad)}"
        raise InputError(explain(what, given=given, expected="finite numbers", fix=fix))

    def delayed(self, i: int) -> Any:
        return None


def read_blocks(
    path: str | os.PathLike[str], columns: str | Sequence[str] | None = None, *, drop_nan: bool = False
) -> AbstractBlocks:
    """Read a table block by block, each when it is needed.

    Parameters
    ----------
    path : str or path
        A folder of files that `read_table` reads, all with the same columns, one block each; a Parquet file, or a
        folder of them, one block for each row group; a Zarr store (``.zarr``): an array ``(n, k)``, or arrays
        ``(n,)`` that are columns; or one file of `read_table`,
        which is then one block.
    columns : sequence of str, or str with commas, optional
        Columns to read, in this order; by default all of them.
    drop_nan : bool
        Leave out rows with missing entries, NaN or inf, instead of refusing them.

    Returns
    -------
    AbstractBlocks
        The table; ``.select(names)`` takes columns, ``.on(engine)`` spreads it over a cluster.

    Raises
    ------
    InputError
        Where there is no such path, nothing in it can be read, or a column is missing.
    MissingExtraError
        Where a format needs a package that is not installed.

    Examples
    --------
    >>> import erlangen as er
    >>> table = er.read_blocks("measurements/", "x,y,energy")  # doctest: +SKIP
    >>> er.discover((table.select(["x", "y"]), table.select(["energy"])))  # doctest: +SKIP
    """
    parts, found = _parts(_existing(Path(path).expanduser()))
    names = tuple(as_names(columns) or found)
    missing = [name for name in names if name not in found]
    if missing:
        close = nearest(missing[0], found)
        fix = f"did you mean {close!r}?" if close else "check the names"
        given, what = listing(missing), f"There is no column {missing[0]!r} in {Path(path).name}."
        raise InputError(explain(what, given=given, expected=listing(found), fix=fix))
    return FileBlocks(tuple(parts), names, drop_nan)


def _existing(path: Path) -> Path:
    return path if path.is_dir() else existing_file(path)


def _parts(path: Path) -> tuple[list[Callable[[list[str]], pd.DataFrame]], list[str]]:
    """Readers of the blocks, and the names of the columns."""
    if path.suffix.lower() == ".zarr" or (path / "zarr.json").exists() or (path / ".zgroup").exists():
        return _zarr(path)
    if path.is_file():
        if path.suffix.lower() in (".parquet", ".pq"):
            return _parquet([path])
        return [_File(path)], _columns_of(path)
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
    if not files:
        what, fix = "This folder holds no files.", "write Parquet files into it"
        raise InputError(explain(what, given=str(path), expected="files of one table", fix=fix))
    if all(p.suffix.lower() in (".parquet", ".pq") for p in files):
        return _parquet(files)
    return [_File(p) for p in files], _columns_of(files[0])


def _columns_of(file: Path) -> list[str]:
    return [str(name) for name in read_table(file).columns]


@dataclass(frozen=True)
class _File:
    """A block that is a whole file."""

    file: Path

    def __call__(self, columns: list[str]) -> pd.DataFrame:
        return read_table(self.file)

    def __str__(self) -> str:
        return self.file.name


@dataclass(frozen=True)
class _RowGroup:
    """A block that is one row group of a Parquet file."""

    file: Path
    group: int

    def __call__(self, columns: list[str]) -> pd.DataFrame:
        from pyarrow.parquet import ParquetFile

        with ParquetFile(self.file) as store:
            there = [name for name in columns if name in store.schema_arrow.names]
            return store.read_row_group(self.group, columns=there).to_pandas()

    def __str__(self) -> str:
        return f"row group {self.group + 1} of {self.file.name}"


def _parquet(files: Sequence[Path]) -> tuple[list[Callable[[list[str]], pd.DataFrame]], list[str]]:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    parts: list[Callable[[list[str]], pd.DataFrame]] = []
    names: list[str] = []
    for file in files:
        try:
            with ParquetFile(file) as store:
                parts += [_RowGroup(file, g) for g in range(store.num_row_groups)]
                names = names or [name for name in store.schema_arrow.names if not name.startswith("__")]
        except (ArrowInvalid, OSError) as error:
            what, given = f"{file.name} cannot be read.", str(error).splitlines()[0][:200]
            fix = "check the file"
            raise InputError(explain(what, given=given, expected="a Parquet file", fix=fix)) from None
    return parts, names


@dataclass(frozen=True)
class _ZarrRows:
    """A block of rows of a Zarr store."""

    store: Path
    start: int
    stop: int

    def __call__(self, columns: list[str]) -> pd.DataFrame:
        import pandas as pd
        import zarr

        node = zarr.open(self.store, mode="r")
        part = slice(self.start, self.stop)
        if isinstance(node, zarr.Array):
            return pd.DataFrame(np.asarray(node[part]), columns=[f"x{j + 1}" for j in range(node.shape[1])])
        return pd.DataFrame({name: np.asarray(node[name][part]) for name in columns})  # pyright: ignore

    def __str__(self) -> str:
        return f"rows {self.start + 1} to {self.stop} of {self.store.name}"


def _zarr(path: Path) -> tuple[list[Callable[[list[str]], pd.DataFrame]], list[str]]:
    if find_spec("zarr") is None:
        raise missing_extra("Zarr", "zarr", "erlangen[scale]")
    import zarr

    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        arrays, names = [node], [f"x{j + 1}" for j in range(node.shape[1] if node.ndim == 2 else 0)]
    else:
        arrays, names = [a for _, a in node.arrays()], [str(name) for name, _ in node.arrays()]
    lengths = {a.shape[0] for a in arrays if a.ndim}
    axes = 2 if isinstance(node, zarr.Array) else 1
    if len(lengths) != 1 or any(a.ndim != axes for a in arrays):
        given = listing([f"{name} {a.shape}" for name, a in zip(names or ["array"], arrays)]) or "no arrays"
        what, fix = (
            f"{path.name} is no table.",
            "er.blocks.as_blocks(xarray.open_zarr(path)) for fields over coordinates",
        )
        raise InputError(explain(what, given=given, expected="one array (n, k), or arrays (n,)", fix=fix))
    (n,) = lengths
    step = max(1, int(arrays[0].chunks[0]))
    step *= max(1, ROWS // step)  # whole chunks, so that none is read twice
    return [_ZarrRows(path, start, min(start + step, n)) for start in range(0, n, step)], names
