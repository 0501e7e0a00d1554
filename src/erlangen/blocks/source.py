"""Tables in blocks: made by a function, parts of a Dask array or dataframe, or columns of these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from erlangen._columns import matrix as matrix_of_columns
from erlangen._errors import InputError, explain
from erlangen._lazy import comes_from
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.blocks.engine import AbstractEngine, DaskEngine, SerialEngine
from erlangen.blocks.reduction import SKETCH_ROWS, AbstractReduction, Summary, Summed


class AbstractBlocks(AbstractShown, ABC):
    """A table of n rows and k columns that is never in memory as a whole.

    Attributes
    ----------
    names : tuple of k str
        Names of the columns.
    engine : AbstractEngine
        Where reductions over the blocks run.
    """

    names: tuple[str, ...]
    engine: AbstractEngine

    @property
    @abstractmethod
    def n_blocks(self) -> int:
        """Number of blocks."""

    @abstractmethod
    def raw(self, i: int) -> Any:
        """Block i as it comes, in this process.

        Parameters
        ----------
        i : int
            Which block, from 0.

        Returns
        -------
        ndarray (n_i, k) or DataFrame
            Its rows; a column that nobody selects need not hold numbers.
        """

    @abstractmethod
    def delayed(self, i: int) -> Any:
        """Block i as a task of Dask, where it is one.

        Parameters
        ----------
        i : int
            Which block, from 0.

        Returns
        -------
        dask.delayed.Delayed or None
            What yields an array ``(n_i, k)`` on a worker; None where workers load blocks themselves.
        """

    def load(self, i: int) -> NDArray:
        """Block i as numbers, in this process.

        Parameters
        ----------
        i : int
            Which block, from 0.

        Returns
        -------
        ndarray (n_i, k)
            Its rows in float64; masked and missing entries are NaN.

        Raises
        ------
        InputError
            Where a column holds something else than numbers.
        """
        return matrix(self.raw(i))

    @property
    def width(self) -> int:
        """Number k of columns."""
        return len(self.names)

    def reduce(self, reduction: AbstractReduction[Any]) -> Any:
        """Sum a reduction over all blocks, on the engine.

        Parameters
        ----------
        reduction : AbstractReduction
            What is summed.

        Returns
        -------
        object
            The sum over all blocks: the state of the reduction.
        """
        return self.engine.run(reduction, self)

    def summary(self) -> Summed:
        """One pass: number of rows, means, spreads, ranges, and some rows of every block."""
        return self.reduce(Summary(self.width, -(-SKETCH_ROWS // self.n_blocks)))

    def on(self, engine: AbstractEngine) -> AbstractBlocks:
        """The same blocks, reduced elsewhere.

        Parameters
        ----------
        engine : AbstractEngine
            Where to reduce.

        Returns
        -------
        AbstractBlocks
            The same table.

        Examples
        --------
        >>> blocks = generated(lambda i: np.ones((2, 3)), 4, dim=3)
        >>> type(blocks.on(DaskEngine()).engine).__name__
        'DaskEngine'

        Raises
        ------
        InputError
            Where this is no engine.
        """
        if not isinstance(engine, AbstractEngine):
            what, expected = (
                "Blocks are reduced on an engine.",
                "SerialEngine(), DaskEngine(), local_cluster(), connected()",
            )
            fix = "with er.blocks.local_cluster(2) as engine: table.on(engine)"
            raise InputError(explain(what, given=repr(engine), expected=expected, fix=fix))
        return replace(self, engine=engine)  # type: ignore[type-var]

    def select(self, columns: Sequence[str]) -> AbstractBlocks:
        """Some of the columns, by name.

        Parameters
        ----------
        columns : sequence of str
            Names of columns, in the order wanted.

        Returns
        -------
        AbstractBlocks
            Those columns.

        Raises
        ------
        InputError
            Where there is no such column.
        """
        missing = [name for name in columns if name not in self.names]
        if missing:
            given, expected = ", ".join(missing), ", ".join(self.names)
            raise InputError(explain("There is no such column.", given=given, expected=expected, fix="check the names"))
        return Selected(self, tuple(self.names.index(name) for name in columns), self.engine)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.n_blocks} blocks of {', '.join(self.names)}>"


@dataclass(frozen=True, eq=False, repr=False)
class Generated(AbstractBlocks):
    """Blocks that a function makes."""

    make: Callable[[int], NDArray]
    count: int
    names: tuple[str, ...]
    engine: AbstractEngine = field(default_factory=SerialEngine)

    @property
    def n_blocks(self) -> int:
        return self.count

    def raw(self, i: int) -> Any:
        return self.make(i)

    def delayed(self, i: int) -> Any:
        return None


@dataclass(frozen=True, eq=False, repr=False)
class Tasks(AbstractBlocks):
    """Blocks that are tasks of Dask: parts of an array or of a dataframe."""

    tasks: tuple[Any, ...]
    names: tuple[str, ...]
    engine: AbstractEngine = field(default_factory=DaskEngine)

    @property
    def n_blocks(self) -> int:
        return len(self.tasks)

    def raw(self, i: int) -> Any:
        return self.tasks[i].compute()

    def delayed(self, i: int) -> Any:
        return self.tasks[i]


@dataclass(frozen=True, eq=False, repr=False)
class Selected(AbstractBlocks):
    """Some columns of a table in blocks."""

    table: AbstractBlocks
    columns: tuple[int, ...]
    engine: AbstractEngine

    @property
    def names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Names of the columns that are kept."""
        return tuple(self.table.names[j] for j in self.columns)

    @property
    def n_blocks(self) -> int:
        return self.table.n_blocks

    def raw(self, i: int) -> Any:
        return _columns(self.table.raw(i), self.columns)

    def delayed(self, i: int) -> Any:
        from dask.delayed import delayed

        whole = self.table.delayed(i)
        return None if whole is None else delayed(_columns, pure=False)(whole, self.columns)


@dataclass(frozen=True, eq=False, repr=False)
class Joined(AbstractBlocks):
    """Two tables with the same rows, side by side."""

    left: AbstractBlocks
    right: AbstractBlocks
    engine: AbstractEngine

    def __post_init__(self) -> None:
        if self.left.n_blocks != self.right.n_blocks:
            given = f"{self.left.n_blocks} and {self.right.n_blocks} blocks"
            fix = "rechunk one of them: y.rechunk({0: X.chunks[0]})"
            what = "The two tables are cut at different rows."
            raise InputError(explain(what, given=given, expected="the same blocks of rows", fix=fix))

    @property
    def names(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Names of all columns."""
        return (*self.left.names, *self.right.names)

    @property
    def n_blocks(self) -> int:
        return self.left.n_blocks

    def raw(self, i: int) -> Any:
        return _beside(self.left.raw(i), self.right.raw(i))

    def delayed(self, i: int) -> Any:
        from dask.delayed import delayed

        tasks = self.left.delayed(i), self.right.delayed(i)
        if tasks[0] is None and tasks[1] is None:
            return None
        # one of two tables may be made by a function, the other by Dask
        made = [
            delayed(side.raw, pure=False)(i) if task is None else task
            for side, task in zip((self.left, self.right), tasks)
        ]
        return delayed(_beside, pure=False)(*made)


def generated(
    make: Callable[[int], NDArray], n_blocks: int, dim: int | None = None, *, names: Sequence[str] | None = None
) -> AbstractBlocks:
    """Blocks that a function makes, each when it is needed.

    Parameters
    ----------
    make : callable
        Takes the number i of a block and returns its rows ``(n_i, k)``. It must return the same rows whenever it is
        asked for the same block: give each block a seed of its own. A cluster receives it pickled.
    n_blocks : int
        Number of blocks.
    dim : int, optional
        Number k of columns, where no names are given.
    names : sequence of str, optional
        Names of the columns; x1, x2, ... by default.

    Returns
    -------
    AbstractBlocks
        The table; ``.on(engine)`` spreads it over a cluster.

    Raises
    ------
    InputError
        Where neither the number of columns nor their names are given, or there is no block.

    Examples
    --------
    >>> import erlangen as er
    >>> def points(i):
    ...     return np.random.default_rng([7, i]).uniform(-1, 1, (1000, 3))
    >>> sym = er.discover(lambda x: (x**2).sum(axis=1), er.actions.affine(3), generated(points, 20, dim=3))
    >>> sym.name
    'so(3)'
    """
    if (dim is None and names is None) or n_blocks < 1:
        what, fix = "Blocks need a number of columns, and there must be one block at least.", "generated(make, 20, 3)"
        given = f"n_blocks={n_blocks}, dim={dim}, names={names}"
        raise InputError(explain(what, given=given, expected="n_blocks >= 1 and dim or names", fix=fix))
    chosen = tuple(names) if names is not None else numbered(dim or 0)
    return Generated(make, n_blocks, chosen)


def in_blocks(obj: Any) -> bool:
    """Whether an object is a table in blocks, or one that can be read as such: of Dask, or xarray on Dask.

    Parameters
    ----------
    obj : object
        Anything.

    Returns
    -------
    bool
        Whether `as_blocks` takes it.
    """
    if isinstance(obj, AbstractBlocks) or comes_from(obj, "xarray"):
        return True
    return comes_from(obj, "dask") and (hasattr(obj, "to_delayed") or hasattr(obj, "__dask_graph__"))


def as_blocks(obj: Any) -> AbstractBlocks:
    """Read a Dask array or dataframe, or data of xarray, as a table in blocks.

    Parameters
    ----------
    obj : dask.array.Array (n,) or (n, k), dask.dataframe.DataFrame or Series, or AbstractBlocks
        The table; its chunks of rows, or its partitions, become blocks. Fields of xarray become columns too: one for
        each coordinate, by its name, and one for each variable.

    Returns
    -------
    AbstractBlocks
        The blocks, on Dask's engine.

    Raises
    ------
    InputError
        Where the array has another number of axes, or the object is none of these.
    """
    if isinstance(obj, AbstractBlocks):
        return obj
    if not in_blocks(obj):
        what, fix = "This is no table in blocks.", "dask.array.from_array(x, chunks=(100_000, -1)), or a NumPy array"
        given = f"an object of type {type(obj).__name__}"
        expected = "a Dask array or dataframe, or er.blocks.generated(...)"
        raise InputError(explain(what, given=given, expected=expected, fix=fix))
    if comes_from(obj, "xarray"):
        obj = _frame_of(obj)
    if hasattr(obj, "npartitions") and not hasattr(obj, "chunks"):
        names = tuple(str(c) for c in obj.columns) if obj.ndim == 2 else (str(obj.name),)
        return Tasks(tuple(obj.to_delayed()), names)
    if obj.ndim not in (1, 2):
        what, fix = "A table has rows and columns.", "x.reshape(-1, d)"
        raise InputError(explain(what, given=f"a Dask array of shape {obj.shape}", expected="(n, k)", fix=fix))
    whole = obj if obj.ndim == 1 else obj.rechunk({1: -1})
    width = 1 if obj.ndim == 1 else obj.shape[1]
    return Tasks(tuple(whole.to_delayed().ravel()), numbered(width))


def _frame_of(field: Any) -> Any:
    """The Dask dataframe of an xarray array or dataset: a column for each coordinate, then one for each variable."""
    if hasattr(field, "to_dataset"):  # an array alone
        field = field.to_dataset(name=field.name or "value")
    whole = field if field.chunks else field.chunk()
    return whole.to_dask_dataframe()


def matrix(block: Any) -> NDArray:
    """A block as float64 ``(n, k)``, of an array, a series or a dataframe; masked and missing entries are NaN."""
    if hasattr(block, "to_frame"):  # a series
        block = block.to_frame()
    if hasattr(block, "columns"):
        frame = block.rename(columns=str)
        for name, kind in zip(frame.columns, frame.dtypes, strict=True):
            if kind.kind in "mM":
                raise _no_numbers(f"column {name!r}, dates or durations", "seconds: (t - t[0]).dt.total_seconds()")
        return matrix_of_columns(frame, list(frame.columns))
    array = block if isinstance(block, np.ndarray) else np.asarray(block)
    if array.dtype.kind not in "biufO":
        raise _no_numbers(f"an array of {array.dtype}", "real numbers; two columns for a complex one")
    try:
        array = np.ma.filled(np.ma.asarray(array, dtype=np.float64), np.nan)
    except (TypeError, ValueError) as error:
        raise _no_numbers(f"an array of objects: {str(error)[:80]}", "astype(float)") from None
    return array[:, None] if array.ndim == 1 else array


def _no_numbers(given: str, fix: str) -> InputError:
    return InputError(explain("A block holds no numbers.", given=given, expected="real numbers", fix=fix))


def numbered(k: int) -> tuple[str, ...]:
    """Names of columns that have none: x1, x2, ..."""
    return tuple(f"x{j + 1}" for j in range(k))


def _columns(block: Any, columns: tuple[int, ...]) -> Any:
    if hasattr(block, "iloc"):
        return block.iloc[:, list(columns)] if hasattr(block, "columns") else block
    array = np.asanyarray(block)
    return (array[:, None] if array.ndim == 1 else array)[:, list(columns)]


def _beside(left: Any, right: Any) -> NDArray:
    a, b = matrix(left), matrix(right)
    if len(a) != len(b):
        given, fix = f"blocks of {len(a)} and {len(b)} rows", "rechunk one of them: y.rechunk({0: X.chunks[0]})"
        what = "The two tables are cut at different rows."
        raise InputError(explain(what, given=given, expected="the same rows in every block", fix=fix))
    return np.hstack([a, b])
