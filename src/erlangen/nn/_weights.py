"""From coefficients in an equivariant basis to a weight matrix: one small module for each kind of basis."""

from __future__ import annotations

from abc import abstractmethod
from functools import singledispatch
from itertools import pairwise
from typing import final

import numpy as np
import torch

from erlangen._typing import NDArray
from erlangen.algebra.equivariant import EquivariantMaps
from erlangen.linalg.qr import rounding
from erlangen.linalg.structured import IsotypicSubspace, OrbitSubspace, RestrictedSubspace
from erlangen.linalg.subspace import AbstractSubspace
from erlangen.nn._constants import AbstractConstants

_PRIME, _FACTOR = 2**31 - 1, 1103515245


class AbstractWeight(AbstractConstants):
    """Coefficients ``(dim,)`` to a matrix ``(a, b)``: what `AbstractSubspace.combine` does, in torch."""

    @abstractmethod
    def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
        """The matrix ``(a, b)`` with given coefficients."""

    @abstractmethod
    def variances(self) -> NDArray:
        """Variances ``(dim,)`` of independent coefficients that give each output the variance of the inputs."""


@final
class IsotypicWeight(AbstractWeight):
    """W = sum of U_i (C_i kron 1) V_i^T over isotypic blocks, as two products.

    Parameters
    ----------
    subspace : IsotypicSubspace
        The maps.
    dtype, device
        Of the constants.
    """

    left: torch.Tensor
    right: torch.Tensor

    def __init__(self, subspace: IsotypicSubspace, dtype=None, device=None) -> None:
        super().__init__()
        self.subspace = subspace
        self.register(dtype, device)
        b = subspace.shape[1]
        blocks = subspace.blocks
        # (m, n t, k b): coefficients of a block as a matrix, and what they meet.
        self.sizes = [(f.left.shape[1], f.right.shape[1] * len(f.commutant), f.left.shape[2] * b) for f in blocks]
        self.ends = np.cumsum([0, *(m * n for m, n, _ in self.sizes)]).tolist()
        self.right_ends = np.cumsum([0, *(n * w for _, n, w in self.sizes)]).tolist()

    def sources(self) -> dict[str, NDArray]:
        """All U_i side by side ``(a, sum m k)``; all M_t V_j^T / sqrt(k), flattened."""
        blocks, b = self.subspace.blocks, self.subspace.shape[1]
        left = [np.zeros((self.subspace.shape[0], 0)), *(f.left.reshape(len(f.left), -1) for f in blocks)]
        shapes = [(f.right.shape[1], len(f.commutant), f.left.shape[2], b) for f in blocks]
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
        right = np.empty(ends[-1])  # as large as b^2: written once, without copies
        for f, shape, (r, s) in zip(blocks, shapes, pairwise(ends)):
            met, copies = right[r:s].reshape(shape), np.moveaxis(f.right, 0, 2)[:, None]
            scale = 1 / np.sqrt(shape[2])
            np.multiply(copies if _is_one(f.commutant) else f.commutant @ copies, scale, out=met)
        return {"left": np.concatenate(left, axis=1), "right": right}

    def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
        """The matrix ``(a, b)``."""
        left, right, b = self.left, self.right, self.subspace.shape[1]
        rows = []
        for (m, n, w), (i, j), (r, s) in zip(self.sizes, pairwise(self.ends), pairwise(self.right_ends)):
            rows.append((coefficients[i:j].view(m, n) @ right[r:s].view(n, w)).view(-1, b))
        return left @ torch.cat(rows)

    def variances(self) -> NDArray:
        """Variance k / (n t) in each block: all components of one type together keep their mean square."""
        parts = [np.full(f.dim, f.left.shape[2] / (f.right.shape[1] * len(f.commutant))) for f in self.subspace.blocks]
        return np.concatenate([np.zeros(0), *parts])


@final
class OrbitWeight(AbstractWeight):
    """Each entry of W is the coefficient of its orbit, up to sign: one gather.

    Parameters
    ----------
    subspace : OrbitSubspace
        The maps, flattened row by row.
    shape : tuple of int
        The sizes (a, b).
    dtype, device
        Of the constants.
    """

    labels: torch.Tensor
    signs: torch.Tensor

    def __init__(self, subspace: OrbitSubspace, shape: tuple[int, int], dtype=None, device=None) -> None:
        super().__init__()
        self.subspace, self.shape = subspace, shape
        self.register(dtype, device)

    def sources(self) -> dict[str, NDArray]:
        """Orbit of each entry, and its sign over the square root of the size of the orbit."""
        labels, orbits = self.subspace.labels, self.subspace
        inside = np.maximum(labels, 0)
        sizes = np.append(orbits.counts, 1)[inside]  # one more, for a space without orbits
        return {"labels": inside.astype(np.int64), "signs": np.where(labels < 0, 0.0, orbits.signs / np.sqrt(sizes))}

    def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
        """The matrix ``(a, b)``."""
        return (coefficients[self.labels] * self.signs).view(self.shape)

    def variances(self) -> NDArray:
        """Rows share their mean square among the orbits that meet them."""
        kept = self.subspace.labels >= 0
        labels, counts = self.subspace.labels[kept], self.subspace.counts
        rows = np.repeat(np.arange(self.shape[0]), self.shape[1])[kept]
        energy = np.bincount(rows, 1.0 / counts[labels], minlength=self.shape[0])
        return np.bincount(labels, 1.0 / (counts[labels] * energy[rows]), minlength=self.subspace.dim)


@final
class DenseWeight(AbstractWeight):
    """W = basis times coefficients, for bases without structure.

    Parameters
    ----------
    subspace : AbstractSubspace
        The maps, flattened row by row.
    shape : tuple of int
        The sizes (a, b).
    dtype, device
        Of the constants.
    """

    basis: torch.Tensor

    def __init__(self, subspace: AbstractSubspace, shape: tuple[int, int], dtype=None, device=None) -> None:
        super().__init__()
        self.shape, self._basis = shape, subspace.to_dense()
        self.register(dtype, device)

    def sources(self) -> dict[str, NDArray]:
        """The basis ``(a * b, dim)``."""
        return {"basis": self._basis}

    def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
        """The matrix ``(a, b)``."""
        return (self.basis @ coefficients).view(self.shape)

    def variances(self) -> NDArray:
        """Rows share their mean square among the maps that meet them."""
        a, b = self.shape
        dim = self._basis.shape[1]
        energy = np.sum(self._basis.reshape(a, b, dim) ** 2, axis=1)
        total = energy.sum(axis=1, keepdims=True)
        return np.sum(np.divide(energy, total, out=np.zeros_like(energy), where=total > 0), axis=0)


@final
class RestrictedWeight(AbstractWeight):
    """Coefficients of a part of a space, through the coordinates of the whole.

    Parameters
    ----------
    subspace : RestrictedSubspace
        The maps.
    shape : tuple of int
        The sizes (a, b).
    dtype, device
        Of the constants.
    """

    def __init__(self, subspace: RestrictedSubspace, shape: tuple[int, int], dtype=None, device=None) -> None:
        super().__init__()
        self.shape, self.dim = shape, subspace.dim
        self.whole = weight_of(subspace.whole, shape, dtype, device)
        self.part = weight_of(subspace.part, (subspace.whole.dim, 1), dtype, device)

    def sources(self) -> dict[str, NDArray]:
        """None of its own."""
        return {}

    def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
        """The matrix ``(a, b)``."""
        return self.whole(self.part(coefficients).view(-1))

    def variances(self) -> NDArray:
        """The same for all maps."""
        return np.full(self.dim, self.shape[0] / max(self.dim, 1))


@singledispatch
def weight_of(subspace: AbstractSubspace, shape: tuple[int, int], dtype=None, device=None) -> AbstractWeight:
    """Build the module that assembles the matrices ``(a, b)`` of a subspace, flattened row by row."""
    return DenseWeight(subspace, shape, dtype, device)


@weight_of.register
def _(subspace: IsotypicSubspace, shape: tuple[int, int], dtype=None, device=None) -> AbstractWeight:
    return IsotypicWeight(subspace, dtype, device)


@weight_of.register
def _(subspace: OrbitSubspace, shape: tuple[int, int], dtype=None, device=None) -> AbstractWeight:
    return OrbitWeight(subspace, shape, dtype, device)


@weight_of.register
def _(subspace: RestrictedSubspace, shape: tuple[int, int], dtype=None, device=None) -> AbstractWeight:
    return RestrictedWeight(subspace, shape, dtype, device)


@weight_of.register
def _(subspace: EquivariantMaps, shape: tuple[int, int], dtype=None, device=None) -> AbstractWeight:
    return weight_of(subspace.subspace, shape, dtype, device)


def fingerprint(subspace: AbstractSubspace, shape: tuple[int, int]) -> NDArray:
    """One number u^T B_i v for each map of the basis ``(dim,)``, which tells two bases of one space apart.

    u and v are fixed; their entries have no symmetry that a group could share.
    """
    u, v = (np.cos(np.sqrt(p) * np.arange(1, n + 1) ** 1.5) for p, n in zip((2.0, 3.0), shape))
    u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
    whole = subspace.subspace if isinstance(subspace, EquivariantMaps) else subspace
    if not isinstance(whole, IsotypicSubspace):
        return subspace.coordinates(np.outer(u, v).ravel())
    # The product has rank one: each factor meets its own side.
    parts = [np.zeros(0)]
    for f in whole.blocks:
        left, right = np.tensordot(u, f.left, 1), np.tensordot(v, f.right, 1)
        met = np.stack([left @ one @ right.T for one in f.commutant], axis=2)
        parts.append(met.ravel() / np.sqrt(f.left.shape[2]))
    return np.concatenate(parts)


def _is_one(commutant: NDArray) -> bool:
    return len(commutant) == 1 and np.array_equal(commutant[0], np.eye(commutant.shape[1]))


def settled(basis: NDArray) -> NDArray:
    """Turn an orthonormal basis ``(dim, ...)`` into one that depends on its span only, to rounding.

    The projections of fixed vectors on the span, made orthonormal in order. For small spaces: solvers give any
    basis of them, and what was learnt in one would mean something else in another.
    """
    rows = basis.reshape(len(basis), int(np.prod(basis.shape[1:])))
    # Whole numbers modulo a prime, without rounding: the same on every machine, and without a pattern.
    n = np.arange(1, rows.size + 1, dtype=np.int64)
    fixed = (n * n % _PRIME * _FACTOR % _PRIME / _PRIME - 0.5).reshape(rows.shape)
    q, r = np.linalg.qr(rows @ fixed.T)
    return ((q * np.where(np.diag(r) < 0, -1.0, 1.0)).T @ rows).reshape(basis.shape)


def reached(subspace: AbstractSubspace, shape: tuple[int, int]) -> NDArray:
    """Which of the outputs ``(a,)`` some map reaches: those a generic one does."""
    generic = np.cos(np.sqrt(2.0) * np.arange(1, subspace.dim + 1) ** 1.5)
    size = np.linalg.norm(subspace.combine(generic).reshape(shape), axis=1)
    # Half of the digits: a row of rounding is far below, a row of a map far above.
    return size > np.sqrt(rounding(shape)) * max(1.0, float(size.max(initial=0.0)))
