"""Positive semidefinite forms on the generators, kept as factors, and the frames that whiten them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.linalg.null import whiten
from erlangen.linalg.qr import rounding


class AbstractForm(AbstractShown, ABC):
    """A form xi^T R^T R xi on generator coefficients."""

    @abstractmethod
    def norms(self, vectors: NDArray) -> NDArray:
        """Norms ``(r,)`` of the columns of ``vectors (p, r)``.

        Parameters
        ----------
        vectors : ndarray (p, r)
            Generators, as columns.

        Returns
        -------
        ndarray (r,)
            Their lengths.
        """

    @abstractmethod
    def dense(self) -> NDArray:
        """A factor R ``(m, p)``."""


@dataclass(frozen=True, eq=False)
class DenseForm(AbstractForm):
    """A form with an explicit factor ``(m, p)``."""

    factor: NDArray

    def norms(self, vectors: NDArray) -> NDArray:
        """Norms ``(r,)`` of the columns of ``vectors (p, r)``."""
        return np.linalg.norm(self.factor @ vectors, axis=0)

    def dense(self) -> NDArray:
        """The factor ``(m, p)``."""
        return self.factor


@dataclass(frozen=True, eq=False)
class KroneckerForm(AbstractForm):
    """The form diag(1/scale) (x) R of an action with all d * r coefficient fields.

    At d = 64 the explicit factor has 4,160 columns; this one is a 65 x 65 matrix.
    """

    factor: NDArray
    scale: NDArray

    def norms(self, vectors: NDArray) -> NDArray:
        """Norms ``(r,)`` of the columns of ``vectors (p, r)``."""
        d, r = len(self.scale), self.factor.shape[1]
        cube = vectors.reshape(d, r, -1) / self.scale[:, None, None]
        return np.linalg.norm(np.einsum("sr,ark->ask", self.factor, cube).reshape(-1, vectors.shape[1]), axis=0)

    def dense(self) -> NDArray:
        """The explicit factor ``(d * r, d * r)``."""
        return np.kron(np.diag(1.0 / self.scale), self.factor)


@dataclass(frozen=True, eq=False)
class Frame:
    """Columns that are orthonormal in a form, dense or block by block.

    Attributes
    ----------
    block : ndarray (r, r') or (p, r')
        The columns, of one block where ``scale`` is set.
    scale : ndarray (d,) or None
        One factor per block; None for a dense frame.
    """

    block: NDArray
    scale: NDArray | None

    @property
    def size(self) -> int:
        """Number of columns."""
        return self.block.shape[1] * (1 if self.scale is None else len(self.scale))

    def right(self, a: NDArray) -> NDArray:
        """Product ``a @ frame`` for ``a (m, p)``."""
        if self.scale is None:
            return a @ self.block
        d, r = len(self.scale), self.block.shape[0]
        out = np.empty((len(a), self.size), order="F")  # as LAPACK takes it: the SVD then needs no copy
        k = self.block.shape[1]
        for i in range(d):
            np.matmul(a[:, i * r : (i + 1) * r], self.block * self.scale[i], out=out[:, i * k : (i + 1) * k])
        return out

    def lift(self, v: NDArray) -> NDArray:
        """Product ``frame @ v`` for ``v (size, r)``."""
        if self.scale is None:
            return self.block @ v
        d, k = len(self.scale), self.block.shape[1]
        cube = np.einsum("sk,akj->asj", self.block, v.reshape(d, k, v.shape[1]) * self.scale[:, None, None])
        return cube.reshape(d * self.block.shape[0], v.shape[1])


@dataclass(frozen=True, eq=False)
class Directions:
    """The directions that can be decided, and the two lists that cannot.

    Attributes
    ----------
    frame : Frame
        Columns orthonormal in B, for the directions that carry information.
    inert : ndarray (p, i)
        Directions that move neither points nor values on the samples.
    vacuous : ndarray (p, v)
        Directions that move points where the field carries no information.
    """

    frame: Frame
    inert: NDArray
    vacuous: NDArray


def split(moves: AbstractForm, informs: AbstractForm, accuracy: float) -> Directions:
    """Split the generators by two forms: how far they move, and how much the field can tell there.

    Parameters
    ----------
    moves : AbstractForm
        The form U = int |xi|^2 + |tau f|^2.
    informs : AbstractForm
        The form B = int |Df|^2 / d |xi|^2 + |tau f|^2.
    accuracy : float
        A direction of unit size in U whose size in B is below this carries no information.
    """
    if isinstance(moves, KroneckerForm) and isinstance(informs, KroneckerForm):
        frame, inert, vacuous = _split(moves.factor, informs.factor, accuracy)
        d = len(moves.scale)
        eye = np.eye(d)
        return Directions(Frame(frame, moves.scale), _expand(eye, inert), _expand(eye, vacuous))
    frame, inert, vacuous = _split(moves.dense(), informs.dense(), accuracy)
    return Directions(Frame(frame, None), inert, vacuous)


def _expand(eye: NDArray, small: NDArray) -> NDArray:
    return np.kron(eye, small) if small.shape[1] else np.zeros((len(eye) * len(small), 0))


def _split(moves: NDArray, informs: NDArray, accuracy: float) -> tuple[NDArray, NDArray, NDArray]:
    first = whiten(moves, rounding(moves.shape))
    second = whiten(informs, max(accuracy, rounding(informs.shape)), first.apply)
    return second.apply, first.null, second.null
