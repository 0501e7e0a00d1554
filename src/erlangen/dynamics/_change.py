r"""How much a function changes along runs, against what an unrelated function of its kind would.

For ``h = c . phi`` two quadratic forms in c are accumulated as triangular factors. Along the flow:

.. math:: W = \int (\nabla h(x) \cdot \dot x)^2, \qquad B = \int\!\!\int (\nabla h(x) \cdot \dot x')^2

with x and x' independent samples of the same run: B is what the derivative would be along the velocity of
another sample. It is the form ``|grad h|^2 |xdot|^2`` in the metric of the run's own velocities. The plain
product would call every function constant whose gradient is normal to the orbits: height over the common
plane of some planets has a relative derivative of .05 in it, and exactly 1 here. W and B scale alike under
any linear change of coordinates, so units cannot matter.

Where velocities are unknown, all increments within a run take their place: W is the mean of
``(h(x) - h(x'))^2 / 2`` and B the mean of ``(grad h(x) . (x' - x''))^2 / 2``. No derivative is estimated, so
there is no truncation error at any step, gaps do no harm, and noise s weighs s / (size of the orbit), where
differences of neighbours would weigh s / (length of a step).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np

from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.fields._differences import segments
from erlangen.fields.libraries import Features
from erlangen.fields.trajectories import Run, Trajectories
from erlangen.linalg.null import Whitening, whiten
from erlangen.linalg.qr import StreamedQR, rounding

_ROWS = 2048
_BATCH = 16384
_DIFFERENCES = 8
"""Highest difference from which noise is estimated."""


class AbstractChange(AbstractShown, ABC):
    """A way to measure the change of functions along a run."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What is measured, for the reason of an answer."""

    @abstractmethod
    def rows(self, run: Run, features: Features) -> NDArray:
        """Changes ``(n, q)`` of the functions, so that W is the sum of their squares.

        Parameters
        ----------
        run : Run
            n samples of one run.
        features : Features
            q functions of the states.

        Returns
        -------
        ndarray (n, q)
            One change per sample (or step between samples) and function.
        """

    @abstractmethod
    def spread(self, run: Run) -> NDArray:
        """Second moments ``(d, d)`` of the displacements that the changes belong to.

        Parameters
        ----------
        run : Run
            One run.

        Returns
        -------
        ndarray (d, d)
            In squared units of the states.
        """

    @abstractmethod
    def noise(self, run: Run) -> NDArray:
        """Estimated errors ``(d,)`` of a displacement, by coordinate.

        Parameters
        ----------
        run : Run
            One run.

        Returns
        -------
        ndarray (d,)
            Standard deviations, in the units of the states.
        """


@dataclass(frozen=True)
class AlongFlow(AbstractChange):
    """Derivative along the flow; velocities are the known ones, else estimated within runs and between gaps."""

    @property
    def words(self) -> str:
        return "derivative along the flow"

    def rows(self, run: Run, features: Features) -> NDArray:
        v = _velocity(run)
        parts = _chunks(len(v))
        return np.concatenate(
            [np.einsum("nqd,nd->nq", features.basis.gradients(run.states[at]), v[at]) for at in parts]
        ) / sqrt(len(v))

    def spread(self, run: Run) -> NDArray:
        v = _velocity(run)
        return v.T @ v / len(v)

    def noise(self, run: Run) -> NDArray:
        if run.derivatives is not None:
            return np.finfo(np.float64).eps * np.sqrt(np.mean(run.derivatives**2, axis=0))
        return np.sqrt(np.mean(run.derivative_errors(7) ** 2, axis=0))


@dataclass(frozen=True)
class Increments(AbstractChange):
    """Increments between all pairs of samples of a run: the variance of a function within it."""

    @property
    def words(self) -> str:
        return "increments within runs"

    def rows(self, run: Run, features: Features) -> NDArray:
        values = features.basis.evaluate(run.states)
        return (values - values.mean(axis=0)) / sqrt(len(values) - 1)

    def spread(self, run: Run) -> NDArray:
        return np.atleast_2d(np.cov(run.states.T))

    def noise(self, run: Run) -> NDArray:
        estimates = [_difference_noise(run.states[part]) for part in segments(run.time)]
        rounding_error = np.finfo(np.float64).eps * np.abs(run.states).max(axis=0)
        return np.maximum(np.min(estimates, axis=0), rounding_error)


def _velocity(run: Run) -> NDArray:
    return run.derivatives if run.derivatives is not None else run.derivative_estimates(7)


def _difference_noise(x: NDArray) -> NDArray:
    """Bound the noise of evenly spaced samples by their k-th differences, the best k for each coordinate.

    White noise of variance s^2 has k-th differences of variance s^2 binomial(2k, k), and a smooth signal adds to it.
    """
    best = np.std(x, axis=0)
    for k in range(1, min(_DIFFERENCES, len(x) // 4) + 1):
        best = np.minimum(best, np.sqrt(np.mean(np.diff(x, k, axis=0) ** 2, axis=0) / comb(2 * k, k)))
    return best


def _chunks(n: int) -> list[slice]:
    return [slice(a, min(a + _ROWS, n)) for a in range(0, n, _ROWS)]


@dataclass(frozen=True, eq=False)
class Forms:
    """The forms W, B and the plain square gradient A on coefficients, as triangular factors ``(q, q)``.

    Attributes
    ----------
    change, scale, ambient : ndarray (q, q)
        Factors of W, B and A; all runs weigh the same.
    noise : float
        Estimated error of a displacement relative to its size (an upper bound where samples are coarse).
    least : float
        A function whose size in B is at most this part of that in A has no defect: B does not see it.
    """

    change: NDArray
    scale: NDArray
    ambient: NDArray
    noise: float
    least: float = 0.0

    def defect(self, c: NDArray) -> float:
        """Relative defect ``sqrt(W / B)`` of one function, infinite where B vanishes."""
        size = float(np.linalg.norm(self.scale @ c))
        seen = size > self.least * float(np.linalg.norm(self.ambient @ c))
        return float(np.linalg.norm(self.change @ c)) / size if seen else float("inf")

    def restrict(self, columns: NDArray) -> Forms:
        """The same forms on combinations ``columns (q, r)``."""
        return Forms(self.change @ columns, self.scale @ columns, self.ambient @ columns, self.noise, self.least)


def block_scales(spread: NDArray, blocks: Sequence[Sequence[int]]) -> NDArray:
    """Scale ``(d,)`` of a displacement: one for each block of coordinates that share a unit."""
    out = np.zeros(len(spread))
    for block in blocks:
        out[list(block)] = sqrt(max(float(np.trace(spread[np.ix_(block, block)])) / len(block), 0.0))
    return out


def accumulate(
    flow: Trajectories, features: Features, change: AbstractChange, blocks: Sequence[Sequence[int]]
) -> Forms:
    """Stream the forms over all runs.

    Parameters
    ----------
    flow : Trajectories
    features : Features
    change : AbstractChange
    blocks : sequence of sequences of int
        Coordinates that share a unit; they share a scale in the plain form A.
    """
    q = features.size
    w, b, a = _Rows(q), _Rows(q), _Rows(q)
    noises = []
    for run in flow.runs:
        n = len(run.time)
        moves = np.ptp(run.states, axis=0) > 0
        spread = np.where(np.outer(moves, moves), change.spread(run), 0.0)  # rounding of a mean is no motion
        scales = block_scales(spread, blocks)
        root = _root(spread, scales)
        w.add(change.rows(run, features))
        for at in _chunks(n):
            gradients = features.basis.gradients(run.states[at]) / sqrt(n)
            b.add(_rows(gradients @ root))
            a.add(_rows(gradients * scales))
        moving = scales > 0
        noises.append(np.mean((change.noise(run)[moving] / scales[moving]) ** 2) if moving.any() else 0.0)
    r = sqrt(flow.n_runs)
    return Forms(w.factor() / r, b.factor() / r, a.factor() / r, float(np.sqrt(np.mean(noises))))


class _Rows:
    """Rows that go into a triangular factor many at a time: each update has a cost that short runs would multiply."""

    def __init__(self, q: int) -> None:
        self._stream = StreamedQR(q)
        self._waiting: list[NDArray] = []

    def add(self, block: NDArray) -> None:
        self._waiting.append(block)
        if sum(map(len, self._waiting)) >= _BATCH:
            self._flush()

    def factor(self) -> NDArray:
        self._flush()
        return self._stream.factor()

    def _flush(self) -> None:
        if self._waiting:
            self._stream.update(np.concatenate(self._waiting))
            self._waiting = []


def _root(spread: NDArray, scales: NDArray) -> NDArray:
    """Square root ``(d, d)`` of the second moments, taken in scaled coordinates."""
    safe = np.where(scales > 0, scales, 1.0)
    eigenvalues, vectors = np.linalg.eigh(spread / np.outer(safe, safe))
    return safe[:, None] * vectors * np.sqrt(np.maximum(eigenvalues, 0.0))


def _rows(gradients: NDArray) -> NDArray:
    return gradients.transpose(0, 2, 1).reshape(-1, gradients.shape[1])


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Relative defects of all functions of a library.

    Attributes
    ----------
    values : ndarray (r,)
        Ascending; 1 is what an unrelated function gives.
    vectors : ndarray (q, r)
        Coefficients, orthonormal in B.
    uncovered : ndarray (q, u)
        Functions whose gradient leaves the directions in which the runs move.
    inert : ndarray (q, i)
        Combinations whose gradient vanishes on the samples.
    floor : float
        Defects below this are noise or rounding.
    least : float
        Functions of smaller size in B, relative to A, are uncovered.
    """

    values: NDArray
    vectors: NDArray
    uncovered: NDArray
    inert: NDArray
    floor: float
    least: float


def solve(forms: Forms) -> Spectrum:
    """Solve ``W c = s^2 B c`` after setting apart what the samples cannot speak about.

    The noise is an upper bound (coarse samples look noisy): noise cannot cancel, so the smallest defect seen,
    where it is smaller, replaces it.
    """
    q = forms.change.shape[1]
    # A direction of size a in A is known to rounding / a: cutting A and B at the root spends it evenly.
    least = sqrt(rounding((q,)))
    reference = whiten(forms.ambient, least)
    whitened = whiten(forms.scale, least, reference.apply)
    smallest = _values(forms, whitened)[0][0] if whitened.apply.shape[1] else 0.0
    floor = max(min(forms.noise, float(smallest)), rounding((q,)))
    if 3 * floor > least:  # three standard errors
        least = min(3 * floor, 0.5)
        whitened = whiten(forms.scale, least, reference.apply)
    values, vectors = _values(forms, whitened)
    return Spectrum(values, vectors, whitened.null, reference.null, floor, least)


def _values(forms: Forms, whitened: Whitening) -> tuple[NDArray, NDArray]:
    if not whitened.apply.shape[1]:
        return np.zeros(0), np.zeros((forms.change.shape[1], 0))
    _, s, vt = np.linalg.svd(forms.change @ whitened.apply)
    s = np.concatenate([s, np.zeros(vt.shape[0] - len(s))])
    return s[::-1], (whitened.apply @ vt.T)[:, ::-1]
