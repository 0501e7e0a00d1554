"""Where generators live: matrices, polynomial vector fields, or nothing but structure constants.

An ambient is a space R^N of coordinates (the ansatz) with a bilinear bracket into R^M, M >= N, whose
first N coordinates are the ansatz again. Everything else about a Lie algebra is linear algebra on top.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from erlangen._typing import NDArray
from erlangen.linalg.polynomials import collect


class AbstractAmbient(ABC):
    """A coordinate space with a bracket."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Dimension N of the ansatz."""

    @abstractmethod
    def brackets(self, a: NDArray, b: NDArray) -> NDArray:
        """All brackets of ``a (m, N)`` with ``b (l, N)`` as ``(m, l, M)``."""

    @abstractmethod
    def elements(self, vectors: NDArray) -> NDArray:
        """Turn coordinates ``(p, N)`` into what the user gave: matrices or coefficient arrays."""

    @abstractmethod
    def movers(self) -> NDArray:
        """Coordinates ``(l, N)`` of the fields that may move a subspace without changing its structure."""

    @abstractmethod
    def balanced(self, vectors: NDArray) -> NDArray:
        """Coordinates ``(p, N)`` after a change of units that evens out the sizes; the same algebra."""


@dataclass(frozen=True, eq=False)
class MatrixAmbient(AbstractAmbient):
    """Matrices ``(k, k)`` whose non-zero entries lie in given positions.

    Attributes
    ----------
    k : int
        Matrix size.
    entries : ndarray (M,)
        Flat positions, the first ``size`` of which are the ansatz.
    size : int
        Dimension N of the ansatz.
    sign : int
        +1 for the matrix commutator, -1 for the bracket of the linear fields of the matrices.
    """

    k: int
    entries: NDArray
    size: int
    sign: int = 1

    @staticmethod
    def square(k: int, sign: int = 1) -> MatrixAmbient:
        """Return all ``k x k`` matrices."""
        return MatrixAmbient(k, np.arange(k * k), k * k, sign)

    @staticmethod
    def affine(d: int, sign: int = 1) -> MatrixAmbient:
        """Affine maps of R^d as matrices with a vanishing last row."""
        return MatrixAmbient(d + 1, np.arange(d * (d + 1)), d * (d + 1), sign)

    @property
    def dim(self) -> int:
        """Dimension N of the ansatz."""
        return self.size

    def coordinates(self, matrices: NDArray) -> NDArray:
        """Ansatz coordinates ``(p, N)`` of matrices ``(p, k, k)``."""
        return matrices.reshape(len(matrices), self.k * self.k)[:, self.entries[: self.size]]

    def elements(self, vectors: NDArray) -> NDArray:
        """Matrices ``(p, k, k)`` of coordinates ``(p, N)``."""
        flat = np.zeros((len(vectors), self.k * self.k))
        flat[:, self.entries[: self.size]] = vectors
        return flat.reshape(-1, self.k, self.k)

    def brackets(self, a: NDArray, b: NDArray) -> NDArray:
        """All commutators of ``a (m, N)`` with ``b (l, N)`` as ``(m, l, M)``."""
        x, y, k = self.elements(a), self.elements(b), self.k
        xy = np.matmul(x[:, None], y[None])
        xy -= np.matmul(y[None], x[:, None])
        return self.sign * xy.reshape(len(a), len(b), k * k)[:, :, self.entries]

    def movers(self) -> NDArray:
        """Every direction of the ansatz (conjugations)."""
        return np.eye(self.size)

    def balanced(self, vectors: NDArray) -> NDArray:
        """Conjugate by a positive diagonal matrix that makes rows and columns equally heavy (Osborne 1960)."""
        x = self.elements(vectors)
        scale = np.ones(self.k)
        for _ in range(30):
            weight = np.einsum("pij->ij", (x * scale[:, None] / scale[None, :]) ** 2)
            np.fill_diagonal(weight, 0.0)
            row, column = weight.sum(1), weight.sum(0)
            both = (row > 0) & (column > 0)
            factor = np.where(both, (column / np.where(both, row, 1.0)) ** 0.25, 1.0)
            scale = scale * factor
            if np.abs(np.log(factor)).max(initial=0.0) < 0.1:
                break
        return self.coordinates(x * scale[:, None] / scale[None, :])


@dataclass(frozen=True, eq=False)
class PolynomialAmbient(AbstractAmbient):
    """Polynomial vector fields over a table of exponents; brackets may have higher degree.

    Attributes
    ----------
    exponents : ndarray (r, d)
        Monomials of the ansatz.
    """

    exponents: NDArray

    @property
    def dim(self) -> int:
        """Dimension N = d r of the ansatz."""
        return int(self.exponents.size)

    @cached_property
    def _products(self) -> tuple[NDArray, list[tuple[NDArray, NDArray, NDArray, NDArray]]]:
        """Out table, and per coordinate b the rows (first, second, factor, where) of X^b d_b Y."""
        r, d = self.exponents.shape
        rows, parts = [self.exponents], []
        for b in range(d):
            first, second = np.meshgrid(np.arange(r), np.flatnonzero(self.exponents[:, b]), indexing="ij")
            first, second = first.ravel(), second.ravel()
            summed = self.exponents[first] + self.exponents[second]
            summed[:, b] -= 1
            rows.append(summed)
            parts.append((first, second, self.exponents[second, b].astype(np.float64)))
        table, _ = collect(np.vstack(rows), np.zeros((1, sum(len(x) for x in rows))))
        own = {tuple(e) for e in self.exponents.tolist()}
        extra = [e for e in table.tolist() if tuple(e) not in own]
        out = np.vstack([self.exponents, np.array(extra, dtype=np.int64).reshape(-1, d)])
        index = {tuple(e): i for i, e in enumerate(out.tolist())}
        where = [np.array([index[tuple(e)] for e in block.tolist()], dtype=np.int64) for block in rows[1:]]
        return out, [(f, s, w, at) for (f, s, w), at in zip(parts, where, strict=True)]

    @property
    def out_exponents(self) -> NDArray:
        """Monomials ``(r', d)`` that brackets need; the first r are the ansatz."""
        return self._products[0]

    def elements(self, vectors: NDArray) -> NDArray:
        """Coefficients ``(p, d, r)`` of coordinates ``(p, N)``."""
        r, d = self.exponents.shape
        return vectors.reshape(len(vectors), d, r)

    def brackets(self, a: NDArray, b: NDArray) -> NDArray:
        """All field brackets of ``a (m, N)`` with ``b (l, N)`` as ``(m, l, M)``."""
        forward = self._transport(self.elements(a), self.elements(b))
        return forward - np.swapaxes(self._transport(self.elements(b), self.elements(a)), 0, 1)

    def _transport(self, x: NDArray, y: NDArray) -> NDArray:
        """Coefficients of X^b d_b Y^a, coordinates of the ansatz first."""
        r, d = self.exponents.shape
        out, parts = self._products
        result = np.zeros((len(x), len(y), d, len(out)))
        for b, (first, second, factor, where) in enumerate(parts):
            scatter = np.zeros((len(first), len(out)))
            scatter[np.arange(len(first)), where] = factor
            result += np.einsum("mt,lat,to->mlao", x[:, b, first], y[:, :, second], scatter, optimize=True)
        inside = result[..., :r].reshape(len(x), len(y), -1)
        return np.concatenate([inside, result[..., r:].reshape(len(x), len(y), -1)], axis=2)

    def movers(self) -> NDArray:
        """Fields of degree at most one: linear changes of coordinates."""
        r, d = self.exponents.shape
        low = np.tile(self.exponents.sum(axis=1) <= 1, d)
        return np.eye(d * r)[low]

    def balanced(self, vectors: NDArray) -> NDArray:
        """Choose a unit for each coordinate so that the coefficients are as even as units can make them."""
        r, d = self.exponents.shape
        size = np.sqrt((self.elements(vectors) ** 2).sum(axis=0))
        a, m = np.nonzero(size)
        # x -> s x turns the coefficient of x^e d/dx_a into coefficient * s^e / s_a: linear in log s.
        power = self.exponents[m].astype(np.float64)
        power[np.arange(len(a)), a] -= 1.0
        offsets = np.log(size[a, m])
        logs = np.linalg.lstsq(power, -(offsets - offsets.mean()), rcond=1e-10)[0] if len(a) else np.zeros(d)
        logs = np.clip(logs, -40.0, 40.0)
        factor = np.exp(self.exponents @ logs)[None, :] / np.exp(logs)[:, None]
        return (self.elements(vectors) * factor).reshape(len(vectors), -1)


@dataclass(frozen=True, eq=False)
class ConstantsAmbient(AbstractAmbient):
    """No ambient space: R^p with the bracket of given structure constants ``c (p, p, p)``."""

    constants: NDArray

    @property
    def dim(self) -> int:
        """Dimension N = p."""
        return self.constants.shape[0]

    def elements(self, vectors: NDArray) -> NDArray:
        """Return the coordinates themselves."""
        return vectors

    def brackets(self, a: NDArray, b: NDArray) -> NDArray:
        """All brackets of ``a (m, p)`` with ``b (l, p)`` as ``(m, l, p)``."""
        return np.einsum("mi,ijk,lj->mlk", a, self.constants, b, optimize=True)

    def movers(self) -> NDArray:
        """Every element, by its adjoint action."""
        return np.eye(self.dim)

    def balanced(self, vectors: NDArray) -> NDArray:
        """Nothing to choose: there are no coordinates of a space."""
        return vectors
