"""Bounds of relative defects from weak moments: one contrast each, whatever direction the truth takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from erlangen._typing import NDArray
from erlangen.evidence._moments import FoldMoments
from erlangen.evidence.ellipsoid import norm_upper, unfolding_norm


@dataclass(frozen=True, eq=False)
class Moments:
    """All folds together: means of the terms, and their covariance.

    Attributes
    ----------
    resolved : ndarray (J, r)
        Moments of the test fields on which the claim rests, for each generator.
    finer : ndarray (J', r)
        Moments of the next finer ones.
    sizes : ndarray (r, r)
        Product of the denominator with its test fields.
    aligned : ndarray (r,)
        Moments against the direction that the model of the other folds expects: at most their norm.
    norms : ndarray (r, r)
        Squared norm of these test fields, such that ``D(c) >= c sizes c / sqrt(c norms c)``.
    root : ndarray (K, k)
        Covariance of all of these, stacked in this order and flattened, is ``root root^T``.
    dof : int
        Independent rows (or groups) less folds.
    folds : sequence of FoldMoments
        The folds.
    """

    resolved: NDArray
    finer: NDArray
    sizes: NDArray
    aligned: NDArray
    norms: NDArray
    root: NDArray
    dof: int
    folds: Sequence[FoldMoments]

    @property
    def n_generators(self) -> int:
        """Number r of generators."""
        return len(self.sizes)

    def quantile(self, alpha: float) -> float:
        """One-sided quantile of one contrast."""
        return float(special.stdtrit(self.dof, 1.0 - alpha))

    @cached_property
    def _roots(self) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """The root, by block: ``(J, r, k)``, ``(J', r, k)``, ``(r, r, k)``, ``(r, k)``."""
        shapes = [self.resolved.shape, self.finer.shape, self.sizes.shape, self.aligned.shape]
        cuts = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
        parts = np.split(self.root, cuts)
        return tuple(part.reshape(*shape, -1) for part, shape in zip(parts, shapes))  # type: ignore[return-value]

    def upper(self, d: int, alpha: float) -> float:
        """Bound of the largest resolved defect in the span of the first d generators.

        Under the hypothesis that some c has ``|m_c| >= delta D(c)`` one fixed contrast of moments and products is not
        negative; this bound is below delta only if its estimate is negative by the quantile (triangle inequality).
        """
        return self.upper_in(np.eye(self.n_generators)[:, :d], alpha)

    def upper_in(self, basis: NDArray, alpha: float) -> float:
        """The same for the span of the combinations in the columns of ``basis (r, d)``."""
        z, d = self.quantile(alpha), basis.shape[1]
        l, q = np.linalg.eigh(basis.T @ self.norms @ basis)
        if l[0] <= 1e-10 * l[-1]:
            return float("inf")
        frame = basis @ (q / np.sqrt(l))
        root, _, size_root, _ = self._roots
        moments, noise = self.resolved @ frame, np.einsum("jrk,rd->jdk", root, frame)
        size = frame.T @ self.sizes @ frame
        size_noise = np.einsum("rd,rsk,se->dek", frame, size_root, frame, optimize=True)
        least = float(np.linalg.eigvalsh((size + size.T) / 2)[0]) - z * unfolding_norm(size_noise)
        if least <= 0:
            return float("inf")
        if d == 1:
            return norm_upper(moments[:, 0], noise[:, 0], z) / least
        return (float(np.linalg.norm(moments, 2)) + z * unfolding_norm(noise)) / least

    def size(self, a: int) -> float:
        """Estimated denominator of one generator."""
        return float(np.sqrt(max(np.mean([fold.model[a, a] for fold in self.folds]), np.finfo(float).tiny)))

    def estimate(self, a: int) -> float:
        """Estimated resolved defect: the expected part of the noise is taken out of the square."""
        noise = float(np.sum(self._roots[0][:, a] ** 2))
        return float(np.sqrt(max(self.resolved[:, a] @ self.resolved[:, a] - noise, 0.0))) / self.size(a)

    def lower(self, a: int, alpha: float) -> float:
        """Bound from below: the moments against the direction that the models of the other folds expect.

        The denominator is that of the models: nothing bounds it from above without a class.
        """
        error = float(np.linalg.norm(self._roots[3][a]))
        return max(float(self.aligned[a]) - self.quantile(alpha) * error, 0.0) / self.size(a)

    def unseen(self, a: int, alpha: float) -> tuple[float, bool]:
        """Defect that the next finer test fields see, and whether noise does not explain it."""
        m, root = self.finer[:, a], self._roots[1][:, a]
        noise = np.linalg.eigvalsh(root @ root.T)
        excess = float(m @ m - noise.sum())
        # m^T m under the hypothesis of no defect, with the first two moments of a weighted sum of chi-squares.
        scale, dof = float(np.sum(noise**2) / noise.sum()), float(noise.sum() ** 2 / np.sum(noise**2))
        beyond = bool(special.chdtrc(dof, float(m @ m) / scale) < alpha)
        return float(np.sqrt(max(excess, 0.0))) / self.size(a), beyond

    def leftover(self, a: int) -> float:
        """What the test fields do not see of the defect of the models themselves, averaged over the folds."""
        nodal = np.mean([fold.nodal[:, :, a] for fold in self.folds], axis=0) if self._aligned else None
        if nodal is None:
            total = np.mean([np.sum(fold.nodal[:, :, a] ** 2) for fold in self.folds])
            seen = np.mean([np.sum(fold.seen[: len(self.resolved), a] ** 2) for fold in self.folds])
        else:
            total = np.sum(nodal**2)
            seen = np.sum(np.mean([fold.seen[: len(self.resolved), a] for fold in self.folds], axis=0) ** 2)
        return float(np.sqrt(max(total - seen, 0.0))) / self.size(a)

    @property
    def _aligned(self) -> bool:
        """Whether all folds have the same nodes."""
        return len({fold.nodal.shape for fold in self.folds}) == 1 and not self.folds[0].sampled


def gathered(folds: Sequence[FoldMoments], resolved: int, groups: Sequence[NDArray | None]) -> Moments:
    """Means and covariance over folds; rows of one group are added up before their scatter is measured.

    Parameters
    ----------
    folds : sequence of FoldMoments
        One per fold.
    resolved : int
        How many of the moments the claim rests on; the rest are the finer ones.
    groups : sequence of ndarray (n_k,) or None
        Group of each row of each fold.
    """
    n = sum(len(fold.moments) for fold in folds)
    norms = np.mean([fold.norms for fold in folds], axis=0)
    rows, scatter, count = [], [], 0
    for fold, labels in zip(folds, groups):
        r = len(fold.norms)
        # One common norm: each fold's products are scaled down to where c norms_k c <= c norms c for all c.
        grown = np.sqrt(_largest(fold.norms, norms))
        length = np.linalg.norm(fold.seen[:resolved], axis=0)
        expected = fold.seen[:resolved] / np.where(length > 0, length, 1.0)
        aligned = np.einsum("njr,jr->nr", fold.moments[:, :resolved], expected)
        flat = fold.moments.reshape(len(fold.moments), -1)
        term = np.hstack([flat, (fold.sizes / grown).reshape(-1, r * r), aligned])
        rows.append(term)
        centred = term - term.mean(axis=0)
        if labels is not None:
            _, where = np.unique(labels, return_inverse=True)
            summed = np.zeros((where.max() + 1, term.shape[1]))
            np.add.at(summed, np.ravel(where), centred)
            centred = summed
        scatter.append(centred.T @ centred)
        count += len(centred)
    mean = np.sum([term.sum(axis=0) for term in rows], axis=0) / n
    dof = max(count - len(folds), 1)
    l, q = np.linalg.eigh(np.sum(scatter, axis=0) * (count / dof) / n**2)
    root, (_, j, r) = q * np.sqrt(np.maximum(l, 0.0)), folds[0].moments.shape
    moments, sizes = mean[: j * r].reshape(j, r), mean[j * r : j * r + r * r].reshape(r, r)
    sizes = (sizes + sizes.T) / 2
    return Moments(moments[:resolved], moments[resolved:], sizes, mean[-r:], norms, root, dof, folds)


def _largest(one: NDArray, other: NDArray) -> float:
    """Largest ``c one c / c other c``."""
    l, q = np.linalg.eigh(other)
    keep = l > 1e-12 * max(float(l[-1]), np.finfo(float).tiny)
    if not keep.any():
        return 1.0
    frame = q[:, keep] / np.sqrt(l[keep])
    return max(float(np.linalg.eigvalsh(frame.T @ one @ frame)[-1]), np.finfo(float).tiny)
