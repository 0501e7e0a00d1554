"""What a pass over blocks adds up: triangular factors of rows, or a summary of the columns.

A reduction says what one block adds and how two sums become one. It is written once; whether blocks follow one
another in this process or are spread over a cluster is the engine's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.linalg.qr import StreamedQR

State = TypeVar("State")

SKETCH_ROWS = 16384
"""Rows kept of all blocks together, evenly: for scales, probes, flows and whatever else needs points at hand."""


class AbstractReduction(AbstractShown, ABC, Generic[State]):
    """A sum over blocks of rows.

    States are values: neither method changes what it is given, for an engine may compute a block twice.
    """

    @abstractmethod
    def start(self) -> State:
        """Sum of no blocks."""

    @abstractmethod
    def fold(self, state: State, block: NDArray) -> State:
        """Sum with one more block ``(n, k)``.

        Parameters
        ----------
        state : object
            A sum over other blocks.
        block : ndarray (n, k)
            One block: n rows of k columns.

        Returns
        -------
        object
            The sum over both.
        """

    @abstractmethod
    def merge(self, state: State, other: State) -> State:
        """Sum of two sums over different blocks.

        Parameters
        ----------
        state : object
            A sum over some blocks.
        other : object
            A sum over other blocks.

        Returns
        -------
        object
            The sum over all of them.
        """


@dataclass(frozen=True, eq=False)
class Factored(AbstractReduction[tuple[StreamedQR, ...]]):
    """Triangular factors of matrices whose rows are made from blocks.

    Attributes
    ----------
    rows : callable
        Takes a piece of a block ``(n, k)`` and yields pairs ``(i, rows (m, widths[i]))``: rows of matrix i.
    widths : tuple of int
        Columns of each matrix.
    piece : int
        Rows of a block that are turned into rows of the matrices at a time.

    References
    ----------
    Demmel, Grigori, Hoemmen, Langou, SIAM J. Sci. Comput. 34, 2012 (QR of tall matrices by any tree of merges).

    Examples
    --------
    >>> table = np.random.default_rng(0).normal(size=(100, 2))
    >>> square = Factored(lambda x: [(0, x)], (2,))
    >>> (left,), (right,) = square.fold(square.start(), table[:60]), square.fold(square.start(), table[60:])
    >>> r = square.merge((left,), (right,))[0].factor()
    >>> bool(np.allclose(r.T @ r, table.T @ table))
    True
    """

    rows: Callable[[NDArray], Iterable[tuple[int, NDArray]]]
    widths: tuple[int, ...]
    piece: int = 8192

    def start(self) -> tuple[StreamedQR, ...]:
        return tuple(StreamedQR(p) for p in self.widths)

    def fold(self, state: tuple[StreamedQR, ...], block: NDArray) -> tuple[StreamedQR, ...]:
        out = tuple(stream.copy() for stream in state)
        for start in range(0, len(block), self.piece):
            for i, rows in self.rows(block[start : start + self.piece]):
                out[i].update(rows)
        return out

    def merge(self, state: tuple[StreamedQR, ...], other: tuple[StreamedQR, ...]) -> tuple[StreamedQR, ...]:
        out = tuple(stream.copy() for stream in state)
        for mine, theirs in zip(out, other, strict=True):
            mine.merge(theirs)
        return out


@dataclass(frozen=True, eq=False)
class Summed(AbstractShown):
    """Summary of the columns of a table in blocks.

    Attributes
    ----------
    n : int
        Rows.
    mean : ndarray (k,)
        Mean of each column, in its unit.
    square : ndarray (k,)
        Sum of squared deviations from the mean.
    low, high : ndarray (k,)
        Smallest and largest entry of each column.
    rows : ndarray (s, k)
        Some rows, s of them, evenly from every block.
    weights : ndarray (s,)
        How many rows each of them stands for.
    """

    n: int
    mean: NDArray
    square: NDArray
    low: NDArray
    high: NDArray
    rows: NDArray
    weights: NDArray

    @property
    def std(self) -> NDArray:
        """Standard deviation ``(k,)`` of each column."""
        return np.sqrt(self.square / max(self.n, 1))


@dataclass(frozen=True, eq=False)
class Summary(AbstractReduction[Summed]):
    """One pass over the columns: how many rows, where they are, and some of them.

    Means and squares are merged pairwise, which loses no digits where the mean is large beside the spread.

    Attributes
    ----------
    width : int
        Number k of columns.
    each : int
        Rows kept of each block.

    Raises
    ------
    InputError
        Where a block has another number of columns, or an entry that is not finite.

    References
    ----------
    Chan, Golub, LeVeque, The American Statistician 37, 1983.
    """

    width: int
    each: int

    def start(self) -> Summed:
        zero, inf = np.zeros(self.width), np.full(self.width, np.inf)
        return Summed(0, zero, zero, inf, -inf, np.zeros((0, self.width)), np.zeros(0))

    def fold(self, state: Summed, block: NDArray) -> Summed:
        """Sum with one more block ``(n, k)``; entries that are not finite are refused.

        Raises
        ------
        InputError
            When the block has other columns, or an entry is not finite.
        """
        self._check(block)
        if len(block) == 0:
            return state
        mean = block.mean(axis=0)
        chosen = _evenly(len(block), self.each)
        weights = np.full(len(chosen), len(block) / len(chosen))
        square = np.sum((block - mean) ** 2, axis=0)
        one = Summed(len(block), mean, square, block.min(axis=0), block.max(axis=0), block[chosen], weights)
        return self.merge(state, one)

    def merge(self, state: Summed, other: Summed) -> Summed:
        n = state.n + other.n
        share, gap = other.n / max(n, 1), other.mean - state.mean
        return Summed(
            n,
            state.mean + share * gap,
            state.square + other.square + state.n * share * gap**2,
            np.minimum(state.low, other.low),
            np.maximum(state.high, other.high),
            np.concatenate([state.rows, other.rows]),
            np.concatenate([state.weights, other.weights]),
        )

    def _check(self, block: NDArray) -> None:
        if block.ndim != 2 or block.shape[1] != self.width:
            what = "A block has another shape than the others."
            expected = f"(n, {self.width}), rows and columns"
            raise InputError(explain(what, given=f"{block.shape}", expected=expected, fix="blocks of one table"))
        bad = ~np.isfinite(block).all(axis=1)
        if bad.any():
            given = f"{int(bad.sum())} of {len(block)} rows of a block, for example {block[np.argmax(bad)].tolist()}"
            what, fix = "Some entries are missing or not finite.", "leave those rows out, say with .dropna()"
            raise InputError(explain(what, given=given, expected="finite numbers", fix=fix))


def _evenly(n: int, m: int) -> NDArray:
    """One of n rows from each of at most m parts, at places that follow no period."""
    parts = min(n, m)
    edges = np.arange(parts + 1) * n // max(parts, 1)
    golden = (np.arange(parts) * (np.sqrt(5.0) - 1.0) / 2.0) % 1.0
    return edges[:-1] + (golden * np.diff(edges)).astype(int)
