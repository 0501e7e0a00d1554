"""Which terms: a search over supports by an information criterion, from whitened equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma, log
from typing import Any

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding

SHARE = 1e-3
"""Share of the largest term, root mean square, below which a term counts as an error of the method: a tenth of a per
cent is finer than any data here, and coarser than integrals of clean samples."""


BY_CHANCE = 10.83
"""What a term without meaning takes off the criterion once in a thousand: chi-square with one degree of freedom."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Coefficients of which some are zero.

    Attributes
    ----------
    z : ndarray (k,)
        The coefficients.
    covariance : ndarray (k, k)
        Of the coefficients; zero where a term was left out.
    squares : float
        Sum of squared residuals.
    criterion : float
        The information criterion at the choice; smaller is better.
    """

    z: NDArray
    covariance: NDArray
    squares: float
    criterion: float

    @property
    def support(self) -> NDArray:
        """Places of the terms that were chosen."""
        return np.flatnonzero(self.z)


class Search:
    """Least squares on any subset of columns, at the price of a small triangle.

    The criterion is n log(RSS) plus a price for each coefficient, log n or what chance explains once in a thousand,
    whichever is more, and for those not expected 2 log of the number of ways to choose them (Chen and Chen, Biometrika
    95, 2008, 759-771): among many candidates one always fits by chance.
    """

    def __init__(self, design: NDArray, target: NDArray, expected: NDArray | None = None, n: int | None = None):
        self.n = len(target) if n is None else n
        self.k = design.shape[1]
        sizes = np.linalg.norm(design, axis=0)
        self.sizes = np.where(sizes > 0, sizes, 1.0)
        whole = np.column_stack([design / self.sizes, target])
        triangle: Any = np.linalg.qr(whole, mode="r")
        self.a, self.b = triangle[:, :-1], triangle[:, -1]
        self.usable = sizes > 0
        self.expected = np.zeros(self.k, dtype=bool) if expected is None else expected
        self.floor = (rounding(design.shape) * float(np.linalg.norm(target))) ** 2

    def solve(self, support: Sequence[int] | NDArray) -> tuple[NDArray, float]:
        """Coefficients, over columns of length one, and the sum of squared residuals."""
        at = np.asarray(support, dtype=int)
        if not at.size:
            return np.zeros(0), float(self.b @ self.b)
        z = np.linalg.lstsq(self.a[:, at], self.b, rcond=rounding(self.a.shape))[0]
        rest = self.b - self.a[:, at] @ z
        return z, float(rest @ rest)

    def price(self, support: frozenset[int], squares: float) -> float:
        """The criterion."""
        new = sum(not self.expected[j] for j in support)
        others = max(self.k - int(self.expected.sum()), new)
        ways = lgamma(others + 1) - lgamma(new + 1) - lgamma(others - new + 1)
        return (
            self.n * log((squares + self.floor) / self.n + 1e-300)
            + len(support) * max(log(self.n), BY_CHANCE)
            + 2.0 * ways
        )

    def best(self, start: Sequence[int] = ()) -> frozenset[int]:
        """The best support on the two greedy paths and around a start, then of all single changes and swaps."""
        tried = {frozenset(start): self._cost(frozenset(start))}
        for path in (self._forward(), self._backward()):
            for support in path:
                tried.setdefault(support, self._cost(support))
        best = min(tried, key=lambda s: (tried[s], len(s)))
        while True:
            near = self._neighbours(best)
            costs = {s: self._cost(s) for s in near}
            other = min(costs, key=lambda s: (costs[s], len(s)), default=best)
            if costs.get(other, np.inf) >= self._cost(best):
                return self._noticeable(best)
            best = other

    def _cost(self, support: frozenset[int]) -> float:
        if len(support) >= self.n:
            return np.inf
        return self.price(support, self.solve(sorted(support))[1])

    def _neighbours(self, support: frozenset[int]) -> list[frozenset[int]]:
        outside = self._promising(support)
        fewer = [support - {j} for j in support]
        return [*fewer, *(support | {j} for j in outside), *(s | {j} for s in fewer for j in outside)]

    def _promising(self, support: frozenset[int], most: int = 12) -> list[int]:
        """Columns outside that explain most, alone or in place of another; the rest cannot win."""
        scores = np.zeros(self.k)
        for left in (support, *(support - {j} for j in support)):
            scores = np.maximum(scores, self._gains(sorted(left)))
        scores[sorted(support)] = 0.0
        order = np.argsort(-scores, kind="stable")[:most]
        return [int(j) for j in order if scores[j] > 0]

    def _gains(self, support: list[int]) -> NDArray:
        """How much the squares fall with each column added."""
        left, rest = self.a, self.b
        if support:
            q = np.linalg.qr(self.a[:, support])[0]
            left, rest = left - q @ (q.T @ left), rest - q @ (q.T @ rest)
        lengths = np.linalg.norm(left, axis=0)
        good = (lengths > np.finfo(np.float64).eps ** 0.5) & self.usable
        return np.where(good, (left.T @ rest) ** 2 / np.where(good, lengths, 1.0) ** 2, 0.0)

    def _forward(self) -> list[frozenset[int]]:
        out, support = [frozenset[int]()], []
        while len(support) < min(self.k, self.n - 1):
            gains = self._gains(support)
            gains[support] = 0.0
            if gains.max(initial=0.0) <= 0.0:
                break
            support = [*support, int(np.argmax(gains))]
            out.append(frozenset(support))
        return out

    def _backward(self) -> list[frozenset[int]]:
        kept = [int(j) for j in np.flatnonzero(self.usable)]
        out = []
        while kept and len(kept) < self.n:
            out.append(frozenset(kept))
            q, r = np.linalg.qr(self.a[:, kept])
            if np.abs(np.diagonal(r)).min() <= rounding(self.a.shape) * np.abs(r).max():
                values = np.linalg.svd(self.a[:, kept])[2][-1]
                kept.pop(int(np.argmax(np.abs(values))))
                continue
            inverse = np.linalg.inv(r)
            certainty = np.abs(inverse @ (q.T @ self.b)) / np.linalg.norm(inverse, axis=1)
            kept.pop(int(np.argmin(certainty)))
        return out

    def _noticeable(self, support: frozenset[int]) -> frozenset[int]:
        """Without the terms that are errors of the method."""
        while support:
            at = sorted(support)
            parts = np.abs(self.solve(at)[0])  # columns have length one, so these are the sizes of the terms
            least = int(np.argmin(parts))
            if parts[least] >= SHARE * parts.max():
                break
            support = support - {at[least]}
        return support

    def choose(self, support: frozenset[int] | Sequence[int]) -> Choice:
        """The fit on a support, with the covariance that its residuals say."""
        at = np.array(sorted(support), dtype=int)
        z, squares = self.solve(at)
        whole, covariance = np.zeros(self.k), np.zeros((self.k, self.k))
        whole[at] = z / self.sizes[at]
        if at.size:
            inverse = np.linalg.pinv(self.a[:, at] * self.sizes[at], rcond=rounding(self.a.shape))
            variance = squares / max(self.n - len(at), 1)
            covariance[np.ix_(at, at)] = variance * inverse @ inverse.T
        return Choice(whole, covariance, squares, self.price(frozenset(at.tolist()), squares))


def log_uncertainty(design: NDArray, target: NDArray) -> float:
    """Mean logarithm of the standard errors of all coefficients, in the directions of the least-squares problem."""
    sizes = np.linalg.norm(design, axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    triangle: Any = np.linalg.qr(np.column_stack([design / sizes, target]), mode="r")
    values = np.linalg.svd(triangle[:-1, :-1], compute_uv=False)
    smallest = np.finfo(np.float64).eps * max(float(values[0]), np.finfo(np.float64).tiny)
    noise = max(float(abs(triangle[-1, -1])), np.finfo(np.float64).tiny) / np.sqrt(len(target) - len(sizes))
    return float(np.log(noise) - np.mean(np.log(np.maximum(values, smallest))) - np.mean(np.log(sizes)))


def refuse_collinear(design: NDArray, texts: Sequence[str]) -> None:
    """Refuse columns that data do not tell apart, and name them."""
    sizes = np.linalg.norm(design, axis=0)
    scaled = design / np.where(sizes > 0, sizes, 1.0)
    if not design.shape[1]:
        return
    triangle = np.linalg.qr(scaled, mode="r")
    values, vectors = np.linalg.svd(triangle)[1:]
    rank = int(np.sum(values > rounding(design.shape) * values[0])) if values.size else 0
    if rank == design.shape[1]:
        return
    weights = np.abs(vectors[-1])
    named = [str(texts[int(j)]) for j in np.argsort(-weights, kind="stable") if weights[j] > 0.1 * weights.max()][:6]
    raise UndecidedError(
        explain(
            "The data do not tell some terms of the library apart.",
            given=f"{len(design)} equations of rank {rank} for {design.shape[1]} terms; together: {', '.join(named)}",
            expected=f"rank {design.shape[1]}",
            fix="more runs that start elsewhere, a smaller library, or a symmetry= that ties coefficients",
        )
    )
