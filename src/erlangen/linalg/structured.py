"""Subspaces that are kept by their structure: isotypic factors, orbits, and parts of another subspace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.linalg.subspace import AbstractCounted, AbstractSubspace, checked, echelon


@dataclass(frozen=True, eq=False)
class IsotypicBlock(AbstractShown):
    """Equivariant maps between the copies of one irreducible representation on two sides.

    Attributes
    ----------
    left : ndarray (a, m, k)
        m copies of the irreducible of size k inside R^a, orthonormal columns.
    right : ndarray (b, n, k)
        n copies inside R^b.
    commutant : ndarray (t, k, k)
        Orthogonal matrices that commute with the irreducible, orthogonal to each other: the identity
        (real type), two (complex) or four (quaternionic).
    """

    left: NDArray
    right: NDArray
    commutant: NDArray

    @property
    def dim(self) -> int:
        """Number of maps: m * n * t."""
        return self.left.shape[1] * self.right.shape[1] * len(self.commutant)


@dataclass(frozen=True, eq=False, repr=False)
class IsotypicSubspace(AbstractCounted):
    """Matrices ``(a, b)``, flattened row by row, that are sums of U_i M_t V_j^T over isotypic blocks.

    Only the factors are kept: O((a + b)^2) numbers where a dense basis has dim * a * b.

    Attributes
    ----------
    shape : tuple of int
        The two sizes (a, b).
    blocks : tuple of IsotypicBlock
        One per irreducible representation that stands on both sides.
    reason : str
        Why this dimension.
    residual : float
        Largest relative residual of a map in the equations of equivariance.
    method : str
        How it was found.
    """

    shape: tuple[int, int]
    blocks: tuple[IsotypicBlock, ...]
    reason: str = "factors of isotypic components"
    residual: float = float("nan")
    method: str = "given"

    @property
    def ambient_dim(self) -> int:
        """Dimension a * b of the space of matrices."""
        return self.shape[0] * self.shape[1]

    @property
    def dim(self) -> int:
        """Number of independent maps."""
        return sum(block.dim for block in self.blocks)

    def coordinates(self, vectors: NDArray) -> NDArray:
        """Inner products ``(..., dim)`` with the maps U_i M_t V_j^T / sqrt(k)."""
        vectors = checked(vectors, self.ambient_dim, "project")
        x = vectors.reshape(*vectors.shape[:-1], *self.shape)
        parts = []
        for block in self.blocks:
            inner = np.einsum("aik,...ab,bjl->...ijkl", block.left, x, block.right, optimize=True)
            c = np.einsum("...ijkl,tkl->...ijt", inner, block.commutant) / np.sqrt(block.left.shape[2])
            parts.append(c.reshape(*c.shape[:-3], block.dim))
        return np.concatenate(parts, axis=-1) if parts else np.zeros((*vectors.shape[:-1], 0))

    def combine(self, coordinates: NDArray) -> NDArray:
        """Flattened matrices ``(..., a * b)`` with given coordinates."""
        coordinates = checked(coordinates, self.dim, "combine")
        out, start = np.zeros((*coordinates.shape[:-1], *self.shape)), 0
        for block in self.blocks:
            m, n, t = block.left.shape[1], block.right.shape[1], len(block.commutant)
            c = coordinates[..., start : start + block.dim].reshape(*coordinates.shape[:-1], m, n, t)
            right = np.moveaxis(block.right, 0, 2)  # (n, k, b)
            rows = sum(
                c[..., i] @ (one @ right).reshape(n, right.shape[1] * right.shape[2])
                for i, one in enumerate(block.commutant)
            )
            left = block.left.reshape(len(block.left), m * block.left.shape[2]) / np.sqrt(block.left.shape[2])
            out += left @ np.reshape(rows, (*c.shape[:-3], left.shape[1], self.shape[1]))
            start += block.dim
        return out.reshape(*coordinates.shape[:-1], self.ambient_dim)

    def sparse_basis(self) -> NDArray:
        """Reduced echelon basis as columns ``(N, dim)``."""
        return echelon(self.to_dense())


@dataclass(frozen=True, eq=False, repr=False)
class OrbitSubspace(AbstractCounted):
    """Vectors that are constant, up to stated signs, on each orbit.

    Attributes
    ----------
    labels : ndarray (N,)
        Number of the orbit of each coordinate, -1 where the coordinate must vanish.
    signs : ndarray (N,)
        1 or -1 relative to the orbit's first coordinate.
    reason, method : str
        Why this dimension; how it was found.
    """

    labels: NDArray
    signs: NDArray
    reason: str = "orbits"
    method: str = "orbits"

    @property
    def ambient_dim(self) -> int:
        """Dimension N of the space around it."""
        return len(self.labels)

    @cached_property
    def counts(self) -> NDArray:
        """Number of coordinates on each orbit, ``(dim,)``."""
        return np.bincount(self.labels[self.labels >= 0])

    @property
    def dim(self) -> int:
        """Number of orbits."""
        return len(self.counts)

    @property
    def residual(self) -> float:
        """Zero: the equations hold exactly."""
        return 0.0

    def coordinates(self, vectors: NDArray) -> NDArray:
        """Inner products ``(..., dim)`` with the orbits' vectors of norm 1."""
        vectors = checked(vectors, self.ambient_dim, "project")
        flat = (vectors * self.signs).reshape(-1, self.ambient_dim)
        kept = self.labels >= 0
        sums = np.array([np.bincount(self.labels[kept], row[kept], minlength=self.dim) for row in flat])
        return (sums.reshape(len(flat), self.dim) / np.sqrt(self.counts)).reshape(*vectors.shape[:-1], self.dim)

    def combine(self, coordinates: NDArray) -> NDArray:
        """Vectors ``(..., N)`` with given coordinates."""
        coordinates = checked(coordinates, self.dim, "combine")
        padded = np.concatenate([coordinates / np.sqrt(self.counts), np.zeros((*coordinates.shape[:-1], 1))], axis=-1)
        return padded[..., self.labels] * self.signs

    def sparse_basis(self) -> NDArray:
        """Signed indicators of the orbits as columns ``(N, dim)``."""
        out = np.zeros((self.ambient_dim, self.dim))
        kept = np.flatnonzero(self.labels >= 0)
        out[kept, self.labels[kept]] = self.signs[kept]
        return out


@dataclass(frozen=True, eq=False, repr=False)
class RestrictedSubspace(AbstractSubspace):
    """A part of a subspace, given in its coordinates.

    Attributes
    ----------
    whole : AbstractSubspace
        The space around it.
    part : AbstractSubspace
        A subspace of its coordinates; it holds the evidence.
    residual : float
        Largest relative residual of a basis vector in the equations that define the space.
    method : str
        How it was found.
    """

    whole: AbstractSubspace
    part: AbstractSubspace
    residual: float = float("nan")
    method: str = "restricted"

    @property
    def ambient_dim(self) -> int:
        """Dimension N of the space around it."""
        return self.whole.ambient_dim

    @property
    def dim(self) -> int:
        """Dimension of the subspace."""
        return self.part.dim

    @property
    def reason(self) -> str:
        """Why this dimension."""
        return f"{self.whole.reason}; of these, {self.part.reason}"

    @property
    def gap(self) -> float:
        """Gap of the part."""
        return getattr(self.part, "gap", float("inf"))

    @property
    def singular_values(self) -> NDArray:
        """Spectrum of the part."""
        return getattr(self.part, "singular_values", np.zeros(0))

    def coordinates(self, vectors: NDArray) -> NDArray:
        """Inner products ``(..., dim)`` with an orthonormal basis."""
        return self.part.coordinates(self.whole.coordinates(vectors))

    def combine(self, coordinates: NDArray) -> NDArray:
        """Vectors ``(..., N)`` with given coordinates."""
        return self.whole.combine(self.part.combine(coordinates))

    def sparse_basis(self) -> NDArray:
        """Reduced echelon basis as columns ``(N, dim)``."""
        return echelon(self.to_dense())
