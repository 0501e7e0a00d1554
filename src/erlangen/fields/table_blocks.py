"""A table that does not fit into memory: a class is chosen on a part of its rows, and fitted to all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from erlangen._progress import carried
from erlangen._typing import NDArray
from erlangen.blocks import AbstractBlocks, Factored, Summary, Summed, as_blocks
from erlangen.blocks.source import Joined, numbered
from erlangen.fields._choice import revised
from erlangen.fields._path import Level, mean_square, scatter
from erlangen.fields.bases import AbstractBasis, BasisField
from erlangen.fields.table import MOST_ROWS, PROBES, FittedField, fit_table
from erlangen.linalg.qr import StreamedQR, rounding


def fit_blocks(
    x: Any,
    y: Any,
    kind: str | None = None,
    *,
    classes: Sequence[Any] | None = None,
    rng: int | np.random.Generator = 0,
) -> FittedField:
    """Fit a differentiable model to a table in blocks.

    The class is chosen on some rows of every block. A class that is linear in its coefficients, and the next larger
    one, are then fitted to all rows through one triangular factor, so their errors are those of the whole table.
    Others (Gaussian processes, networks, labels) stay as the part has told them, and say so.

    Parameters
    ----------
    x : Dask array (n, d), dataframe with d columns, or AbstractBlocks
        Points.
    y : Dask array (n,) or (n, c), dataframe with c columns, or AbstractBlocks
        Values, cut at the same rows.
    kind : {"invariant", "vector", "map"}, optional
        As in `fit_table`.
    classes : sequence, optional
        What to try instead, as in `fit_table`.
    rng : int or Generator
        Randomness of probes, sketches and subsamples.

    Returns
    -------
    FittedField
        The model; its points are the rows at hand.

    Raises
    ------
    InputError
        Where the table cannot be used: shapes, values that are not finite, too few rows.
    UndecidedError
        Where no dependence of y on x can be seen.
    """
    left, right = as_blocks(x), as_blocks(y)
    table = Joined(left, right, left.engine)
    total = table.reduce(Summary(table.width, -(-MOST_ROWS // table.n_blocks)))
    d, values = left.width, total.rows[:, left.width :]
    labelled = kind is None and right.width == 1 and _zeros_and_ones(total, d)
    chosen = values[:, 0].astype(np.int64) if labelled else values[:, 0] if right.width == 1 else values
    first = fit_table(total.rows[:, :d], chosen, kind, classes=classes, rng=rng)
    named = replace(first, names=None if left.names == numbered(d) else left.names)
    linear = isinstance(first.model, BasisField) and first.labels is None and first.runner_up is not None
    if not linear or first.error_root is None or total.n == len(total.rows):
        told = f"; told by {len(total.rows)} of {total.n} rows" if total.n > len(total.rows) else ""
        return replace(named, reason=first.reason + told)
    return _to_all(named, table, rng)


def _zeros_and_ones(total: Summed, column: int) -> bool:
    """Whether a column holds the labels 0 and 1; what types files had is forgotten in blocks."""
    low, high = total.low[column], total.high[column]
    return low == 0 and high == 1 and bool(np.isin(total.rows[:, column], (0.0, 1.0)).all())


def _to_all(first: FittedField, table: AbstractBlocks, rng: int | np.random.Generator) -> FittedField:
    """Fit the class chosen, and the next one, to every row."""
    second = first.runner_up
    assert second is not None
    found = _refitted([one for one in (first, second) if isinstance(one.model, BasisField)], table, rng)
    choice = revised(first.verdict, found[0], found[1] if len(found) > 1 else None, first.reason)
    return replace(
        _with(first, found[0], choice.accuracy, choice.resolution),
        reason=choice.reason,
        runner_up=second
        if choice.runner_up is None
        else _with(second, choice.runner_up, choice.runner_up_accuracy, choice.runner_up_resolution),
    )


def _with(field: FittedField, level: Level, accuracy: float, resolution: float) -> FittedField:
    values, vectors = np.linalg.eigh(level.noise)
    noise = field.scale * np.sqrt(np.maximum(np.diag(level.noise), 0.0))
    assert level.root is not None
    return replace(
        field,
        model=level.model,
        accuracy=accuracy,
        resolution=resolution,
        noise=noise,
        error_root=(level.root, vectors * np.sqrt(np.maximum(values, 0.0))),
    )


@dataclass(frozen=True, eq=False)
class _Designs:
    """Rows [functions, values] of each class, standardised as the first fit was: a class, for it travels."""

    field: FittedField
    bases: tuple[AbstractBasis, ...]

    def __call__(self, block: NDArray) -> Iterator[tuple[int, NDArray]]:
        d = self.field.point_dim
        x, y = block[:, :d], block[:, d:]
        moved = y - x if self.field.kind == "map" else y
        z, values = self.field.span.coordinates(x), (moved - self.field.offset) / self.field.scale
        for i, basis in enumerate(self.bases):
            yield i, np.hstack([basis.evaluate(z), values])


def _refitted(fields: list[FittedField], table: AbstractBlocks, rng: int | np.random.Generator) -> list[Level]:
    """Least squares of each class on every row: one pass, a triangular factor for each."""
    first = fields[0]
    lean = replace(first, points=first.points[:0], targets=None, runner_up=None, error_root=None)
    bases = tuple(one.model.basis for one in fields if isinstance(one.model, BasisField))
    reduction = Factored(_Designs(lean, bases), tuple(basis.size + first.value_dim for basis in bases))
    # derivatives of the classes are compared, so at the same points
    probes = first.points[np.sort(np.random.default_rng(rng).permutation(len(first.points))[:PROBES])]
    with carried(FittedField, lambda field, _: field):  # the fit of some blocks is no result
        streams = table.reduce(reduction)
    return [_level(first, basis, probes, stream) for basis, stream in zip(bases, streams, strict=True)]


def _level(first: FittedField, basis: AbstractBasis, probes: NDArray, stream: StreamedQR) -> Level:
    """The fit that a factor R of [functions, values] stands for."""
    q, factor, n = basis.size, stream.factor(), stream.n_rows
    u, s, vt = np.linalg.svd(factor[:q, :q])
    keep = s > s[0] * rounding((n, q))
    root = vt[keep].T / s[keep]
    coefficients = root @ (u[:, keep].T @ factor[:q, q:])
    left = np.vstack([factor[:q, q:] - factor[:q, :q] @ coefficients, factor[q:, q:]])
    rank = int(keep.sum())
    noise = left.T @ left / max(n - rank, 1)
    metric = first.span.matrix * first.span.scale
    gradients = np.einsum("mqs,sd->mdq", basis.gradients(first.span.coordinates(probes)), metric)
    errors = gradients @ root
    return Level(
        name=next((row.name for row in first.classes if row.chosen), "class"),
        model=BasisField(basis, coefficients.T),
        n_params=rank,
        held_out=np.full(1, float(np.trace(noise)) / len(noise)),
        rss=(left**2).sum(axis=0),
        slopes=(gradients @ coefficients).transpose(0, 2, 1),
        slope_variance=float(np.trace(noise)) * mean_square(errors),
        slope_scatter=scatter(errors),
        root=root,
        noise=noise,
    )
