"""Norms of linear images of the unknowns: nuclear, Euclidean, absolute values, and weighted sums of them.

Each knows its value, its dual norm and its proximal map; what the image is, a map knows. A map ``c -> P A(c)`` keeps
the matrix P apart from A, so that A stays sparse.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from erlangen._typing import NDArray
from erlangen.linalg.shrinkage import Shrunk, shrink


class AbstractMap(ABC):
    """A linear map from unknowns ``(q,)`` to an image ``(m,)``."""

    @property
    @abstractmethod
    def n_rows(self) -> int:
        """Length m of an image."""

    @abstractmethod
    def apply(self, c: NDArray) -> NDArray:
        """The image ``(m,)`` of ``c (q,)``."""

    @abstractmethod
    def adjoint(self, v: NDArray) -> NDArray:
        """The transposed map ``(q,)`` of ``v (m,)``."""

    @abstractmethod
    def gram(self) -> NDArray:
        """The map and then its transpose, as a matrix ``(q, q)``."""

    @abstractmethod
    def square(self) -> float:
        """Sum of the squares of its entries: the trace of the Gram matrix, which may be too large to form."""


@dataclass(frozen=True, eq=False)
class MatrixMap(AbstractMap):
    """A matrix ``(m, q)``, dense or sparse."""

    matrix: Any

    @property
    def n_rows(self) -> int:
        """Length m of an image."""
        return self.matrix.shape[0]

    def apply(self, c: NDArray) -> NDArray:
        """The image ``(m,)`` of ``c (q,)``."""
        return self.matrix @ c

    def adjoint(self, v: NDArray) -> NDArray:
        """The transposed map ``(q,)`` of ``v (m,)``."""
        return self._transposed @ v

    def gram(self) -> NDArray:
        """Product ``(q, q)`` of the transposed matrix and the matrix."""
        product = self._transposed @ self.matrix
        return product.toarray() if sparse.issparse(product) else product

    def square(self) -> float:
        """Sum of the squares of the entries."""
        entries = self.matrix.data if sparse.issparse(self.matrix) else self.matrix
        return float(np.sum(entries**2))

    @cached_property
    def _transposed(self) -> Any:
        sparse_ = sparse.issparse(self.matrix)
        return sparse.csr_array(self.matrix.T) if sparse_ else np.ascontiguousarray(self.matrix.T)


@dataclass(frozen=True, eq=False)
class TurnedMap(AbstractMap):
    """``left (a, a)`` times the image of a matrix ``(a * b, q)``, read as a matrix ``(a, b)``, row by row."""

    left: NDArray
    plain: MatrixMap

    @property
    def n_rows(self) -> int:
        """Length m of an image."""
        return self.plain.n_rows

    def apply(self, c: NDArray) -> NDArray:
        """The image ``(m,)`` of ``c (q,)``."""
        return (self.left @ self.plain.apply(c).reshape(len(self.left), -1)).ravel()

    def adjoint(self, v: NDArray) -> NDArray:
        """The transposed map ``(q,)`` of ``v (m,)``."""
        return self.plain.adjoint((self.left.T @ v.reshape(len(self.left), -1)).ravel())

    def square(self) -> float:
        """Trace of the Gram matrix."""
        return float(np.trace(self.gram()))

    def gram(self) -> NDArray:
        """Sum over the b columns of the image: each is reached from few unknowns, in few of its a entries."""
        a, q = len(self.left), self.plain.matrix.shape[1]
        form, out = self.left.T @ self.left, np.zeros((q, q))
        if not sparse.issparse(self.plain.matrix):
            cube = self.plain.matrix.reshape(a, -1)
            return self.plain.matrix.T @ (form @ cube).reshape(-1, q)
        entries = self.plain.matrix.tocoo()
        row, place = np.divmod(entries.row, self.n_rows // a)
        order = np.argsort(place, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):
            k, rows = np.unique(row[group], return_inverse=True)
            j, columns = np.unique(entries.col[group], return_inverse=True)
            small = np.zeros((len(k), len(j)))
            small[rows, columns] = entries.data[group]
            out[np.ix_(j, j)] += small.T @ (form[np.ix_(k, k)] @ small)
        return out


def as_map(a: Any) -> AbstractMap:
    """A matrix as a map; maps are left alone."""
    return a if isinstance(a, AbstractMap) else MatrixMap(a)


class AbstractNorm(ABC):
    """A norm of a linear image of the unknowns."""

    map: Any
    """A map, or a matrix ``(m, q)``, dense or sparse."""

    @abstractmethod
    def value(self, v: NDArray) -> float:
        """The norm of the image ``v (m,)``."""

    @abstractmethod
    def dual(self, v: NDArray) -> float:
        """The dual norm of ``v (m,)``: the largest inner product with an image of norm one."""

    @abstractmethod
    def prox(self, v: NDArray, t: float, start: Shrunk | None, error: float) -> tuple[NDArray, Shrunk | None]:
        """Minimiser of ``t norm(z) + |z - v|^2 / 2`` up to an error, and with what to start the next time."""


@dataclass(frozen=True, eq=False)
class NuclearNorm(AbstractNorm):
    """Sum of the singular values of the image, read as a matrix ``shape (a, b)``, row by row."""

    map: Any
    shape: tuple[int, int]

    def value(self, v: NDArray) -> float:
        """Sum of the singular values."""
        return float(np.linalg.svd(v.reshape(self.shape), compute_uv=False).sum())

    def dual(self, v: NDArray) -> float:
        """Largest singular value."""
        return float(np.linalg.svd(v.reshape(self.shape), compute_uv=False).max(initial=0.0))

    def prox(self, v: NDArray, t: float, start: Shrunk | None, error: float) -> tuple[NDArray, Shrunk | None]:
        """Singular values, lowered by t."""
        shrunk = shrink(v.reshape(self.shape), t, start=start, error=error)
        return shrunk.matrix.ravel(), shrunk


@dataclass(frozen=True, eq=False)
class EuclideanNorm(AbstractNorm):
    """Root of the sum of the squares of the image: all of it, or nothing."""

    map: Any

    def value(self, v: NDArray) -> float:
        """The length."""
        return float(np.linalg.norm(v))

    def dual(self, v: NDArray) -> float:
        """The length: this norm is its own dual."""
        return float(np.linalg.norm(v))

    def prox(self, v: NDArray, t: float, start: Shrunk | None, error: float) -> tuple[NDArray, Shrunk | None]:
        """The same direction, its length lowered by t."""
        length = float(np.linalg.norm(v))
        return v * (1.0 - t / length) if length > t else np.zeros_like(v), None


@dataclass(frozen=True, eq=False)
class L1Norm(AbstractNorm):
    """Sum of the absolute values of the image."""

    map: Any

    def value(self, v: NDArray) -> float:
        """Sum of the absolute values."""
        return float(np.abs(v).sum())

    def dual(self, v: NDArray) -> float:
        """Largest absolute value."""
        return float(np.abs(v).max(initial=0.0))

    def prox(self, v: NDArray, t: float, start: Shrunk | None, error: float) -> tuple[NDArray, Shrunk | None]:
        """Entries, lowered by t in absolute value."""
        return np.sign(v) * np.maximum(np.abs(v) - t, 0.0), None


@dataclass(frozen=True, eq=False)
class SumOfNorms:
    """A weighted sum of norms of linear images, ``sum_i weights[i] norms[i](map_i c)``.

    Parameters
    ----------
    norms : tuple of AbstractNorm
    weights : tuple of float
        Positive.
    """

    norms: tuple[AbstractNorm, ...]
    weights: tuple[float, ...]

    @cached_property
    def _maps(self) -> list[AbstractMap]:
        return [as_map(norm.map) for norm in self.norms]

    @cached_property
    def _ends(self) -> NDArray:
        return np.cumsum([m.n_rows for m in self._maps])

    def apply(self, c: NDArray) -> NDArray:
        """All images ``(m,)`` of ``c (q,)``, one after the other."""
        images = [m.apply(c) for m in self._maps]
        return images[0] if len(images) == 1 else np.concatenate(images)

    def adjoint(self, v: NDArray) -> NDArray:
        """The transposed map ``(q,)`` of ``v (m,)``."""
        return sum(m.adjoint(part) for m, part in zip(self._maps, self.split(v), strict=True))  # type: ignore[return-value]

    @cached_property
    def gram(self) -> NDArray:
        """The map and then its transpose, ``(q, q)``."""
        return sum(m.gram() for m in self._maps)  # type: ignore[return-value]

    @cached_property
    def square(self) -> float:
        """Sum of the squares of the entries of the map."""
        return sum(m.square() for m in self._maps)

    def split(self, v: NDArray) -> list[NDArray]:
        """The parts ``(m_i,)`` of an image ``v (m,)``."""
        return [v] if len(self.norms) == 1 else np.split(v, self._ends[:-1])

    def value(self, v: NDArray) -> float:
        """Value at an image ``v (m,)``."""
        return sum(w * norm.value(p) for norm, w, p in zip(self.norms, self.weights, self.split(v), strict=True))

    def dual(self, v: NDArray) -> float:
        """Least s with ``v / s`` in the subdifferential of the penalty at zero."""
        return max(norm.dual(p) / w for norm, w, p in zip(self.norms, self.weights, self.split(v), strict=True))

    def prox(
        self, v: NDArray, t: float, starts: Sequence[Shrunk | None], error: float
    ) -> tuple[NDArray, tuple[Shrunk | None, ...]]:
        """Minimiser of ``t value(z) + |z - v|^2 / 2``, and with what each norm starts the next time."""
        parts = zip(self.norms, self.weights, self.split(v), starts, strict=True)
        done = [norm.prox(p, t * w, start, error) for norm, w, p, start in parts]
        images = [z for z, _ in done]
        return images[0] if len(images) == 1 else np.concatenate(images), tuple(start for _, start in done)
