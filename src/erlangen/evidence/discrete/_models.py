"""Models of tables that no polynomial class fits: quick, smooth or local, whichever predicts left-out rows better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist, pdist

from erlangen._typing import NDArray
from erlangen.fields import AbstractField
from erlangen.fields._base import EXACT

_CENTRES = 300
"""Most kernel functions: a fit takes a tenth of a second."""
_ROWS = 3000
"""Most rows that kernels are fitted to; where there are more, local fits need no class."""
_PILOT = 150
"""Kernel functions of the first fit."""
_WIDTHS = (0.5, 1.0, 2.0, 4.0)
"""Widths of kernels that are tried, in median distances of points: from wiggles to polynomials."""
_NEIGHBOURS = (12, 40)
"""Neighbours of a local linear fit in three dimensions that are tried, for values without and with jumps or noise."""
_BLENDED = 5
"""Nearest rows whose fits are blended."""
_BLOCK = 4_000
"""Rows whose neighbours are held at once."""


@dataclass(frozen=True, eq=False)
class KernelField(AbstractField):
    """Values ``offset + sum_m weights[m] exp(-|z - z_m|^2 / (2 width^2))`` with z = (x - mean) / std."""

    mean: NDArray
    std: NDArray
    centres: NDArray
    width: float
    offset: NDArray
    weights: NDArray
    kind: str = "invariant"
    accuracy: float = EXACT

    @property
    def point_dim(self) -> int:
        return len(self.mean)

    @property
    def value_dim(self) -> int:
        return len(self.offset)

    def value(self, x: NDArray) -> NDArray:
        return self.offset + self._kernel(x) @ self.weights

    def jacobian(self, x: NDArray) -> NDArray:
        kernel = self._kernel(x)
        z = (x - self.mean) / self.std
        centred = np.einsum("nm,mj,mc->ncj", kernel, self.centres, self.weights)
        return (centred - (kernel @ self.weights)[:, :, None] * z[:, None]) / self.width**2 / self.std

    def _kernel(self, x: NDArray) -> NDArray:
        return np.exp(-0.5 * cdist((x - self.mean) / self.std, self.centres, "sqeuclidean") / self.width**2)


@dataclass(frozen=True, eq=False)
class LocalField(AbstractField):
    """Linear fits to the nearest rows of a table, weighted by distance: no class, and jumps stay local."""

    x: NDArray
    y: NDArray
    neighbours: int
    scale: NDArray
    kind: str = "invariant"
    accuracy: float = EXACT

    @property
    def point_dim(self) -> int:
        return self.x.shape[1]

    @property
    def value_dim(self) -> int:
        return self.y.shape[1]

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.x / self.scale)

    @cached_property
    def _nodes(self) -> tuple[NDArray, NDArray]:
        """Values ``(n, c)`` and slopes ``(n, c, d)`` of the fits at the rows of the table."""
        parts = [self._fitted(self.x[i : i + _BLOCK]) for i in range(0, len(self.x), _BLOCK)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def value(self, x: NDArray) -> NDArray:
        return self.both(x)[0]

    def jacobian(self, x: NDArray) -> NDArray:
        return self.both(x)[1]

    def both(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Values ``(n, c)`` and slopes ``(n, c, d)``: those of the fits at the nearest rows, blended."""
        values, slopes = self._nodes
        far, index = self._tree.query(x / self.scale, k=_BLENDED)
        w = np.maximum(1 - far / np.maximum(far[:, -1:], np.finfo(float).tiny), 0.0) + 1e-9
        w /= w.sum(axis=1, keepdims=True)
        steps = x[:, None] - self.x[index]
        near = values[index] + np.einsum("nkcd,nkd->nkc", slopes[index], steps)
        return np.einsum("nk,nkc->nc", w, near), np.einsum("nk,nkcd->ncd", w, slopes[index])

    def nearest(self, x: NDArray) -> NDArray:
        """Values ``(n, c)`` of the nearest rows: noisy, but with all detail that the table has."""
        return self.y[self._tree.query(x / self.scale)[1]]

    def asymmetry(self, moved: NDArray, rows: NDArray, d: NDArray | None) -> float:
        """How far predictions at images of rows ``moved (n, d)`` miss D y by more than D times those at the rows do.

        In standard errors of the worst channel. Fits at rows leave the row out, so that both are alike; few
        neighbours, so that detail is left.
        """
        few = replace(self, neighbours=max(self.x.shape[1] + 2, self.neighbours // 2))
        excess = []
        for part in np.array_split(np.flatnonzero(rows), max(1, len(self.x) // _BLOCK)):
            there, here = few._fitted(moved[part])[0], few._fitted(self.x[part], own=True)[0]
            seen = self.y[part]
            here, seen = (here, seen) if d is None else (here @ d.T, seen @ d.T)
            excess.append((seen - there) ** 2 - (seen - here) ** 2)
        e = np.concatenate(excess)
        error = np.maximum(e.std(axis=0) / np.sqrt(len(e)), np.finfo(float).tiny)
        return float(np.max(e.mean(axis=0) / error))

    def _fitted(self, x: NDArray, own: bool = False) -> tuple[NDArray, NDArray]:
        """Fits at points; ``own``: the points are rows, which their fits leave out."""
        far, index = self._tree.query(x / self.scale, k=self.neighbours + own)
        far, index = far[:, int(own) :], index[:, int(own) :]
        # Tricube weights: zero at the farthest neighbour, so that values are continuous.
        w = (1 - np.minimum(far / np.maximum(far[:, -1:], np.finfo(float).tiny), 1.0) ** 3) ** 3 + 1e-9
        steps = (self.x[index] - x[:, None]) / self.scale
        design = np.concatenate([np.ones((*index.shape, 1)), steps], axis=2)
        weighted = np.swapaxes(design * w[:, :, None], 1, 2)
        gram = weighted @ design
        p = gram.shape[1]
        gram[:, range(1, p), range(1, p)] += 1e-6 * np.trace(gram, axis1=1, axis2=2)[:, None] / p
        out = np.linalg.solve(gram, weighted @ self.y[index])
        return out[:, 0], np.swapaxes(out[:, 1:], 1, 2) / self.scale


def flexible_model(x: NDArray, y: NDArray, kind: str, rng: np.random.Generator) -> AbstractField:
    """Kernel or local model, whichever predicts better a fifth of the rows that it has not seen."""
    order = rng.permutation(len(x))
    out, kept = np.split(order, [len(x) // 5])
    spread = np.maximum(y.std(axis=0), np.finfo(float).tiny)

    def error(model: AbstractField) -> float:
        few = out[:2000]
        return float(np.sqrt(np.mean(((model.value(x[few]) - y[few]) / spread) ** 2)))

    options = [lambda rows, accuracy: _kernel_field(x[rows], y[rows], kind, accuracy, rng)]
    options += [lambda rows, accuracy, k=k: local_model(x[rows], y[rows], k, kind, accuracy) for k in _neighbours(x)]
    errors = [error(build(kept, 1.0)) for build in options]
    best = int(np.argmin(errors))
    return options[best](np.arange(len(x)), min(errors[best], 1.0))


def detailed(model: AbstractField) -> Callable[[NDArray], NDArray]:
    """Predictions in which nothing is smoothed away, for comparisons in which their noise averages out."""
    return model.nearest if isinstance(model, LocalField) else model.value


def smoothed(model: AbstractField, factor: int) -> AbstractField:
    """A local model over more neighbours: jumps become slopes, on which a search can walk. Others as they are."""
    if not isinstance(model, LocalField):
        return model
    k = min(factor * model.neighbours, len(model.x) // 10)
    return LocalField(model.x, model.y, max(k, model.neighbours), model.scale, model.kind, model.accuracy)


def _neighbours(x: NDArray) -> list[int]:
    d = x.shape[1]
    return [k for k in ((n * (d + 1)) // 4 for n in _NEIGHBOURS) if d + 2 < k < len(x) // 4]


def local_model(x: NDArray, y: NDArray, k: int, kind: str, accuracy: float) -> LocalField:
    """Local fits to k neighbours, in units of the spread of each coordinate."""
    std = x.std(axis=0)
    return LocalField(x, y, k, np.where(std > 0, std, 1.0), kind, accuracy)


def _kernel_field(x: NDArray, y: NDArray, kind: str, accuracy: float, rng: np.random.Generator) -> KernelField:
    """Ridge regression on kernels at some of the points; width and ridge by leave-one-out errors.

    A small first fit tells how fast values change along each coordinate, which sets its unit in the second.
    """
    chosen = np.sort(rng.permutation(len(x))[:_ROWS])
    x, y = x[chosen], y[chosen]
    spread = x.std(axis=0)
    units = np.where(spread > 0, spread, 1.0)
    few = rng.permutation(len(x))[: 2 * _PILOT]
    pilot = _kernels(x[few], y[few], units, _PILOT, kind, accuracy)
    slopes = pilot.jacobian(x[few]) * units / np.maximum(y.std(axis=0), np.finfo(float).tiny)[:, None]
    speed = np.sqrt(np.mean(slopes**2, axis=(0, 1)))
    speed = speed / max(float(speed.max()), np.finfo(float).tiny)
    return _kernels(x, y, units / np.sqrt(np.maximum(speed, 0.01)), _CENTRES, kind, accuracy)


def _kernels(x: NDArray, y: NDArray, std: NDArray, count: int, kind: str, accuracy: float) -> KernelField:
    mean = x.mean(axis=0)
    z = (x - mean) / std
    centres = z[np.linspace(0, len(z) - 1, min(count, len(z))).astype(int)]
    offset, spread = y.mean(axis=0), np.maximum(y.std(axis=0), np.finfo(float).tiny)
    target = (y - offset) / spread
    median = float(np.median(pdist(centres[:200])))
    squares = cdist(z, centres, "sqeuclidean")
    best: tuple[float, float, NDArray] | None = None
    for width in (w * median for w in _WIDTHS):
        loo, weights = _ridge(np.exp(-0.5 * squares / width**2), target)
        if best is None or loo < best[0]:
            best = loo, width, weights
    assert best is not None
    return KernelField(mean, std, centres, best[1], offset, best[2] * spread, kind, accuracy)


def _ridge(kernel: NDArray, target: NDArray) -> tuple[float, NDArray]:
    """Leave-one-out error and weights at the best of the ridges between rounding and one."""
    gram = kernel.T @ kernel
    values, vectors = np.linalg.eigh(gram)
    rotated = kernel @ vectors
    moments = rotated.T @ target
    best: tuple[float, NDArray] | None = None
    for ridge in values[-1] * 10.0 ** np.arange(-13.0, 0.0):
        shrunk = 1.0 / (np.maximum(values, 0.0) + ridge)
        weights = shrunk[:, None] * moments
        leverage = np.minimum(np.sum(rotated**2 * shrunk, axis=1), 1 - 1e-6)
        loo = float(np.mean(((target - rotated @ weights) / (1 - leverage)[:, None]) ** 2))
        if best is None or loo < best[0]:
            best = loo, vectors @ weights
    assert best is not None
    return best
