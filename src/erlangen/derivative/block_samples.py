"""Samples in blocks: what does not fit into memory is passed over, and a part of it is kept at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.blocks import AbstractBlocks, Factored, Summed
from erlangen.blocks.source import numbered
from erlangen.derivative.measures import AbstractMeasure
from erlangen.derivative.samples import AbstractSamples, RowsAt, Samples
from erlangen.linalg.qr import StreamedQR


@dataclass(frozen=True, eq=False, repr=False)
class BlockSamples(AbstractSamples):
    """Points ``(n, d)`` in blocks, with equal weights; build them with `Samples.from_blocks`.

    Attributes
    ----------
    table : AbstractBlocks
        The points, d columns.
    summary : Summed
        What one pass over them told.

    Raises
    ------
    InputError
        When there is no row.
    """

    table: AbstractBlocks
    summary: Summed

    measure: AbstractMeasure | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.summary.n == 0:
            given = f"{self.table.n_blocks} blocks without a row"
            raise InputError(explain("There are no samples.", given=given, expected="points", fix="check the blocks"))

    @property
    def points(self) -> NDArray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The points ``(n, d)``, refused: they are not at hand.

        Raises
        ------
        InputError
            Always, with what to do instead.
        """
        raise self._not_at_hand("points")

    @property
    def weights(self) -> NDArray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The weights ``(n,)``, refused: the points are not at hand.

        Raises
        ------
        InputError
            Always, with what to do instead.
        """
        raise self._not_at_hand("weights")

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the coordinates, where the table has names of its own."""
        return None if self.table.names == numbered(self.dim) else self.table.names

    @property
    def dim(self) -> int:
        return self.table.width

    def __len__(self) -> int:
        return self.summary.n

    @property
    def mean(self) -> NDArray:
        return self.summary.mean

    @property
    def std(self) -> NDArray:
        return self.summary.std

    @property
    def reach(self) -> NDArray:
        return np.maximum(np.abs(self.summary.low), np.abs(self.summary.high))

    @cached_property
    def local(self) -> Samples:
        return Samples.from_data(self.summary.rows, self.summary.weights)

    def factored(self, rows: RowsAt, widths: tuple[int, ...], piece: int) -> tuple[StreamedQR, ...]:
        return self.table.reduce(Factored(_Weighted(rows, 1.0 / len(self)), widths, piece))

    def __repr__(self) -> str:
        return f"<BlockSamples: {len(self)} points in R^{self.dim}, in {self.table.n_blocks} blocks>"

    def _not_at_hand(self, what: str) -> InputError:
        return InputError(
            explain(
                "These samples arrive in blocks, and this needs all of them at hand.",
                given=f"the {what} of {self!r}",
                expected="samples in memory",
                fix=f"samples.local: {len(self.summary.rows)} of them, evenly from all blocks",
            )
        )


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Rows at points of one weight: a class, for it travels to other processes."""

    rows: RowsAt
    weight: float

    def __call__(self, block: NDArray) -> Iterable[tuple[int, Any]]:
        return self.rows(block, np.full(len(block), self.weight))
