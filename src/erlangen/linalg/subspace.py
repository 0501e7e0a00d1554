"""Subspaces of R^N: dense orthonormal bases and exact rational ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding


class AbstractSubspace(AbstractShown, ABC):
    """A linear subspace of R^N with the evidence for its dimension.

    Attributes
    ----------
    reason : str
        Why this dimension.
    residual : float
        Largest relative residual of a basis vector in the equations that define the space; not a
        number where there are none.
    method : str
        How it was found.
    """

    reason: str
    residual: float
    method: str

    @property
    @abstractmethod
    def ambient_dim(self) -> int:
        """Dimension N of the space around it."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Dimension of the subspace."""

    @abstractmethod
    def coordinates(self, vectors: NDArray) -> NDArray:
        """Inner products ``(..., dim)`` of ``vectors (..., N)`` with an orthonormal basis.

        Parameters
        ----------
        vectors : ndarray (..., N)
            Vectors of the whole space.

        Returns
        -------
        ndarray (..., dim)
            Their coordinates.

        Raises
        ------
        InputError
            Where the last axis is not N long, or a number is complex, NaN or infinite.
        """

    @abstractmethod
    def combine(self, coordinates: NDArray) -> NDArray:
        """Vectors ``(..., N)`` with given coordinates ``(..., dim)`` in the same orthonormal basis.

        Parameters
        ----------
        coordinates : ndarray (..., dim)
            Coordinates.

        Returns
        -------
        ndarray (..., N)
            Vectors.

        Raises
        ------
        InputError
            Where the last axis is not dim long, or a number is complex, NaN or infinite.
        """

    @abstractmethod
    def sparse_basis(self) -> NDArray:
        """Basis as columns ``(N, dim)`` in reduced echelon form, many zeros."""

    def to_dense(self) -> NDArray:
        """Orthonormal basis as columns ``(N, dim)``."""
        return self.combine(np.eye(self.dim)).T

    def project(self, vectors: ArrayLike) -> NDArray:
        """Orthogonal projection of ``vectors (..., N)`` onto the subspace.

        Parameters
        ----------
        vectors : array_like (..., N)
            Vectors of the whole space.

        Returns
        -------
        ndarray (..., N)
            The nearest vectors of the subspace.
        """
        return self.combine(self.coordinates(np.asarray(vectors)))

    def __repr__(self) -> str:
        residual = f", residual {self.residual:.1e}" if np.isfinite(self.residual) else ""
        size = f"{self.dim} of {self.ambient_dim} dimensions"
        return f"<{type(self).__name__}: {size}; {self.method}{residual}; {self.reason}>"

    def angles(self, other: AbstractSubspace) -> NDArray:
        """Principal angles in radians, ascending, to another subspace of the same space.

        Angles come from sines, so that small ones keep full accuracy (Bjorck and Golub 1973).

        Parameters
        ----------
        other : AbstractSubspace
            Of the same space.

        Returns
        -------
        ndarray (r,)
            As many angles r as the smaller of both has dimensions.
        """
        a, b = self.to_dense(), other.to_dense()
        if a.shape[1] < b.shape[1]:
            a, b = b, a
        if b.shape[1] == 0:
            return np.zeros(0)
        cosines = np.linalg.svd(a.T @ b, compute_uv=False)
        sines = np.sort(np.linalg.svd(b - a @ (a.T @ b), compute_uv=False))
        exact = np.where(cosines > np.sqrt(0.5), np.arcsin(np.clip(sines, 0, 1)), np.arccos(np.clip(cosines, -1, 1)))
        return exact

    def __and__(self, other: AbstractSubspace) -> DenseSubspace:
        """Intersection: directions whose principal angle is below rounding."""
        a, b = self.to_dense(), other.to_dense()
        u, cosines, _ = np.linalg.svd(a.T @ b, full_matrices=False)
        sines = np.linalg.norm((a @ u) - b @ (b.T @ (a @ u)), axis=0)
        keep = (cosines > 0.5) & (sines <= np.sqrt(rounding((self.ambient_dim,))))
        return DenseSubspace((a @ u)[:, keep], reason="intersection")

    def __add__(self, other: AbstractSubspace) -> DenseSubspace:
        """Sum of two subspaces."""
        return span(np.hstack([self.to_dense(), other.to_dense()]))


class AbstractCounted(AbstractSubspace):
    """A subspace whose dimension is counted: no singular value is compared with a tolerance."""

    @property
    def gap(self) -> float:
        """Infinite: nothing was thresholded."""
        return float("inf")

    @property
    def singular_values(self) -> NDArray:
        """Empty: no spectrum is needed."""
        return np.zeros(0)


def checked(values: ArrayLike, length: int, name: str) -> NDArray:
    """Vectors or coordinates ``(..., length)`` as floats; ``name`` is the method that they were given to.

    Raises
    ------
    InputError
        Where the last axis has another length, or a number is complex, NaN or infinite.
    """
    a = np.asarray(values)
    if a.shape[-1:] == (length,) and a.dtype.kind in "fiub" and np.isfinite(a).all():
        return a.astype(np.float64, copy=False)
    given = f"an array of shape {a.shape} and type {a.dtype}"
    if a.dtype.kind == "f" and not np.isfinite(a).all():
        given += f", {int((~np.isfinite(a)).sum())} entries NaN or infinite"
    raise InputError(
        explain(
            "These numbers are no vectors of the space." if name != "combine" else "These numbers are no coordinates.",
            given=given,
            expected=f"finite real numbers, shape ({length},) or (..., {length})",
            fix=f"subspace.{name}(a) with a.shape[-1] == {length}",
        )
    )


@dataclass(frozen=True, eq=False, repr=False)
class DenseSubspace(AbstractSubspace):
    """A subspace with an orthonormal basis.

    Attributes
    ----------
    basis : ndarray (N, dim)
        Orthonormal columns.
    singular_values : ndarray
        The spectrum that decided the dimension, ascending (may be empty).
    gap : float
        First value dropped over last value kept.
    reason : str
        Why this dimension.
    residual : float
        Largest relative residual of a basis vector in the equations that define the space.
    method : str
        How it was found.
    """

    basis: NDArray
    singular_values: NDArray = field(default_factory=lambda: np.zeros(0))
    gap: float = float("inf")
    reason: str = "given"
    residual: float = float("nan")
    method: str = "given"

    @property
    def ambient_dim(self) -> int:
        """Dimension N of the space around it."""
        return self.basis.shape[0]

    @property
    def dim(self) -> int:
        """Dimension of the subspace."""
        return self.basis.shape[1]

    def coordinates(self, vectors: NDArray) -> NDArray:
        """Inner products ``(..., dim)`` with the basis."""
        return checked(vectors, self.ambient_dim, "project") @ self.basis

    def combine(self, coordinates: NDArray) -> NDArray:
        """Vectors ``(..., N)`` with given coordinates."""
        return checked(coordinates, self.dim, "combine") @ self.basis.T

    def sparse_basis(self) -> NDArray:
        """Reduced echelon basis as columns ``(N, dim)``, pivots by size."""
        return echelon(self.basis)


@dataclass(frozen=True, eq=False, repr=False)
class RationalSubspace(AbstractCounted):
    """A subspace with an exact rational basis.

    Attributes
    ----------
    rows : tuple of tuple of Fraction
        Basis vectors (dim of them, each of length N).
    n : int
        Dimension N of the space around it.
    reason : str
        Why this dimension.
    method : str
        How it was found.
    """

    rows: tuple[tuple[Fraction, ...], ...]
    n: int
    reason: str = "exact rational null space"
    method: str = "exact"

    @property
    def ambient_dim(self) -> int:
        """Dimension N of the space around it."""
        return self.n

    @property
    def dim(self) -> int:
        """Dimension of the subspace."""
        return len(self.rows)

    @property
    def residual(self) -> float:
        """Zero: the equations hold exactly."""
        return 0.0

    @cached_property
    def _float(self) -> NDArray:
        return np.array([[float(v) for v in row] for row in self.rows]).reshape(len(self.rows), self.n).T

    @cached_property
    def _orthonormal(self) -> NDArray:
        return np.linalg.qr(self._float)[0] if self.rows else self._float

    def coordinates(self, vectors: NDArray) -> NDArray:
        """Inner products ``(..., dim)`` with an orthonormal basis of the same space."""
        return checked(vectors, self.ambient_dim, "project") @ self._orthonormal

    def combine(self, coordinates: NDArray) -> NDArray:
        """Vectors ``(..., N)`` with given coordinates."""
        return checked(coordinates, self.dim, "combine") @ self._orthonormal.T

    def sparse_basis(self) -> NDArray:
        """The exact basis as float columns ``(N, dim)``."""
        return self._float


def span(columns: NDArray) -> DenseSubspace:
    """Span of the columns of a matrix ``(N, r)``, rank decided at rounding of equilibrated columns."""
    columns = np.asarray(columns, dtype=np.float64)
    norms = np.linalg.norm(columns, axis=0)
    columns = columns[:, norms > 0] / norms[norms > 0]
    if columns.shape[1] == 0:
        return DenseSubspace(np.zeros((columns.shape[0], 0)), reason="no columns")
    u, s, _ = np.linalg.svd(columns, full_matrices=False)
    rank = int(np.sum(s > s[0] * rounding(columns.shape)))
    gap = s[rank - 1] / s[rank] if rank < len(s) and s[rank] > 0 else float("inf")
    return DenseSubspace(u[:, :rank], np.sort(s), float(gap), f"rank {rank} at rounding")


def echelon(columns: NDArray) -> NDArray:
    """Reduced column echelon form of ``columns (N, r)`` with full pivoting; rounding is set to zero."""
    work = np.array(columns, dtype=np.float64).T
    tolerance = rounding(work.shape)
    free = np.ones(work.shape[0], dtype=bool)
    order = []
    for _ in range(work.shape[0]):
        masked = np.where(free[:, None], np.abs(work), 0.0)
        i, j = np.unravel_index(int(np.argmax(masked)), masked.shape)
        if masked[i, j] <= tolerance:
            break
        work[i] /= work[i, j]
        others = np.arange(len(work)) != i
        work[others] -= np.outer(work[others, j], work[i])
        free[i] = False
        order.append((j, i))
    work[np.abs(work) <= tolerance * max(1.0, np.abs(work).max(initial=0.0))] = 0.0
    return work[[i for _, i in sorted(order)]].T
