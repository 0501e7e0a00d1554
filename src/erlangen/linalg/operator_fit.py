"""Fits of linear operators ``C u = v`` beside a penalty on commutators, mode by mode.

The unknowns are the entries of an operator C. In common modes of the generators, the penalty weighs each entry by
itself, and the data tie only entries of one row: with r independent inputs a row takes a system of r equations and a
few more, whatever the size of the grid. A dense factorisation of all ``N' N`` unknowns is never made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, sparse

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.linalg.admm import AbstractFit
from erlangen.linalg.modes import Modes
from erlangen.linalg.qr import rounding


@dataclass(frozen=True, eq=False)
class Commutators:
    """The maps ``C -> C D_k - D'_k C`` of commuting normal generators, in real coordinates of their modes.

    Attributes
    ----------
    source, target : Modes
        Of the inputs (N) and of the outputs (N').
    """

    source: Modes
    target: Modes

    @property
    def shape(self) -> tuple[int, int]:
        """The shape ``(N', N)`` of an operator."""
        return self.target.rates.shape[1], self.source.rates.shape[1]

    @cached_property
    def map(self) -> sparse.csr_array:
        """All of them, one under the other: ``(p N' N, N' N)``, a few entries a row."""
        (outputs, inputs), rows = self.shape, []
        for before, after in zip(self.source.blocks, self.target.blocks, strict=True):
            left = sparse.kron(sparse.identity(outputs), before.T)
            rows.append(left - sparse.kron(after, sparse.identity(inputs)))
        return sparse.csr_array(sparse.vstack(rows))

    @cached_property
    def weights(self) -> NDArray:
        """Squares ``(N', N)`` that the penalty gives to each entry in complex modes; zero up to rounding is zero."""
        differences = self.source.rates[:, None, :] - self.target.rates[:, :, None]
        squares = np.sum(np.abs(differences) ** 2, axis=0)
        sizes = max(float(np.abs(modes.rates).max(initial=0.0)) for modes in (self.source, self.target))
        return np.where(squares > (rounding(self.shape) * sizes) ** 2 * len(self.source.rates), squares, 0.0)

    def combined(self, basis: NDArray) -> Commutators:
        """The maps of the combinations of the generators in the columns of ``basis (p, r)``."""
        return Commutators(self.source.combined(basis), self.target.combined(basis))

    def to_modes(self, c: NDArray) -> NDArray:
        """Entries in complex modes ``(N', N)`` of unknowns ``c (q,)``."""
        half = self.target.turn @ c.reshape(self.shape)
        return (self.source.turn.conj() @ half.T).T

    def from_modes(self, entries: NDArray) -> NDArray:
        """Unknowns ``(q,)`` of entries in complex modes."""
        half = self.target.turn.conj().T @ entries
        return (self.source.turn.T @ half.T).T.real.ravel()


class OperatorFit(AbstractFit):
    """Half of the mean squared residual of ``C u = v``, or, with ``exact``, the operators that satisfy it.

    Parameters
    ----------
    commutators : Commutators
        The maps of the penalty.
    inputs : ndarray (n, N)
        In the real coordinates of the source.
    outputs : ndarray (n, N')
        In those of the target.
    exact : bool
        Whether the data hold exactly.

    Raises
    ------
    InputError
        Where the data are to hold exactly and contradict each other.
    UndecidedError
        Where data and penalty leave some operators open.
    """

    def __init__(self, commutators: Commutators, inputs: NDArray, outputs: NDArray, *, exact: bool = False):
        self._maps, self._u, self._v, self._exact = commutators, inputs, outputs, exact
        left, sizes, right = linalg.svd(inputs, full_matrices=False)
        kept = sizes > rounding(inputs.shape) * sizes.max(initial=0.0)
        if exact:
            _check_agreement(outputs, left[:, kept])
        # The data as r equations C b = y with orthogonal b: of unit length where they hold exactly.
        root = np.ones(int(kept.sum())) if exact else sizes[kept] / np.sqrt(outputs.size)
        values = (left[:, kept] / sizes[kept] * root).T @ outputs
        self._b = commutators.source.turn @ (right[kept].T * root)
        self._y = commutators.target.turn @ values.T
        self._free = commutators.weights == 0.0
        self._check_decided()
        self._curves = self._curvature()
        self._rho = 0.0
        self._solve: list[tuple[NDArray, NDArray, NDArray]] = []

    def _check_decided(self) -> None:
        """Entries that cost nothing must be seen by the data, row by row."""
        largest = float(np.linalg.norm(self._b, axis=1).max(initial=0.0))
        unseen = 0
        for free in np.unique(self._free, axis=0):
            if free.any():
                s = np.linalg.svd(self._b[free], compute_uv=False)
                seen = int(np.sum(s > rounding(self._b.shape) * largest))
                unseen += int(free.sum()) - seen
        if unseen:
            raise UndecidedError(
                explain(
                    "Neither the data nor the penalty decide some parts of the operator.",
                    given=f"{len(self._u)} inputs, in which {unseen} modes do not occur or are not told apart",
                    expected="inputs with a part in every mode of the grid, such as noise",
                    fix="more inputs, rougher inputs, or a coarser grid",
                )
            )

    def _curvature(self) -> NDArray:
        """``B^H G^-1 B`` ``(N', r, r)`` over the entries of each row that cost something."""
        weights = self._maps.weights
        inverse = np.where(self._free, 0.0, 1.0 / np.where(self._free, 1.0, weights))
        return np.stack([(self._b.T * row) @ self._b.conj() for row in inverse])

    def _factorise(self, rho: float) -> None:
        """Inverses of the small systems of the rows, grouped by how many entries cost nothing."""
        r, counts = self._b.shape[1], self._free.sum(axis=1)
        give = 0.0 if self._exact else 1.0
        self._solve = []
        for count in np.unique(counts):
            rows = np.flatnonzero(counts == count)
            columns = np.nonzero(self._free[rows])[1].reshape(len(rows), count)
            system = np.zeros((len(rows), r + count, r + count), dtype=np.complex128)
            system[:, :r, :r] = self._curves[rows] / rho + give * np.eye(r)
            tied = self._b[columns]  # (rows, count, r)
            system[:, :r, r:] = -np.swapaxes(tied, 1, 2)
            system[:, r:, :r] = -tied.conj()
            self._solve.append((rows, columns, np.linalg.inv(system)))
        self._rho = rho

    def step(self, pull: NDArray, rho: float) -> NDArray:
        """See :class:`AbstractFit`. With t = B^T x - y of a row: rho (g x - pull) + conj(B) t = 0."""
        rho = 1.0 if self._exact else rho
        if rho != self._rho:
            self._factorise(rho)
        p, weights = self._maps.to_modes(pull), self._maps.weights
        moved = np.where(self._free, 0.0, p / np.where(self._free, 1.0, weights))
        r, x = self._b.shape[1], moved.copy()
        right = moved @ self._b - self._y
        for rows, columns, inverse in self._solve:
            ends = np.concatenate([right[rows], -rho * p[rows[:, None], columns]], axis=1)
            solved = (inverse @ ends[:, :, None])[:, :, 0]
            back = solved[:, :r] @ self._b.conj().T
            x[rows] -= np.where(self._free[rows], 0.0, back / np.where(self._free[rows], 1.0, rho * weights[rows]))
            x[rows[:, None], columns] = solved[:, r:]
        return self._maps.from_modes(x)

    def residual(self, c: NDArray) -> NDArray:
        """``v - C u``, (n, N')."""
        return self._v - self._u @ c.reshape(self._maps.shape).T

    def value(self, c: NDArray) -> float:
        """Half of the mean squared residual; zero where the data hold exactly."""
        r = self.residual(c).ravel()
        return 0.0 if self._exact else float(r @ r) / (2 * len(r))

    def attained(self, c: NDArray) -> bool:
        """Whether c takes inputs to outputs but for rounding: of the changes of basis, and of the terms that cancel."""
        terms = np.abs(self._v) + np.abs(self._u) @ np.abs(c.reshape(self._maps.shape)).T
        floor = rounding(self._maps.shape) * sum(self._maps.shape) * float(np.linalg.norm(terms))
        return float(np.linalg.norm(self.residual(c))) <= floor

    def bound(self, c: NDArray, inner: float, limit: float) -> float:
        """See :class:`AbstractFit`: along the residual of c, as for any least squares."""
        if self._exact:
            return inner / max(limit, 1.0)
        r, y = self.residual(c).ravel(), self._v.ravel()
        along, square = float(y @ r) / len(r), float(r @ r) / len(r)
        s = 1.0 / limit if limit > 0 else np.inf
        s = min(s, along / square) if square > 0 else 0.0
        return s * along - s * s * square / 2

    def unbroken(self) -> NDArray:
        """The best operator that costs nothing: unknowns ``(q,)``."""
        x = np.zeros(self._maps.shape, dtype=np.complex128)
        for j, free in enumerate(self._free):
            x[j, free] = np.linalg.lstsq(self._b[free].T, self._y[j], rcond=None)[0]
        return self._maps.from_modes(x)

    def multiplier(self, c: NDArray) -> NDArray:
        """The M of least norm with ``map^T M`` the downward slope of the fit at c, ``(p N' N,)``.

        Zero where c attains the outputs: what is left of the slope is rounding.
        """
        if self.attained(c):
            return np.zeros(self._maps.map.shape[0])
        slope = self._maps.to_modes((self.residual(c).T @ self._u / self._v.size).ravel())
        lifted = np.where(self._free, 0.0, slope / np.where(self._free, 1.0, self._maps.weights))
        return self._maps.map @ self._maps.from_modes(lifted)


def _check_agreement(outputs: NDArray, span: NDArray) -> None:
    """Inputs that depend on each other must have outputs that do so alike."""
    apart = np.linalg.norm(outputs - span @ (span.T @ outputs), axis=1)
    wrong = np.flatnonzero(apart > np.sqrt(np.finfo(np.float64).eps) * np.linalg.norm(outputs))
    if wrong.size:
        raise InputError(
            explain(
                "The pairs contradict each other: no linear operator takes each input to its output.",
                given=f"{len(outputs)} pairs, among them pair {', '.join(str(i) for i in wrong[:5])}",
                expected="pairs without noise, of a linear operator",
                fix="penalty.fit(inputs, outputs, lam) for data with noise",
            )
        )
