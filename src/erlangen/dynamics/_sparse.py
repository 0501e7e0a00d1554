"""Sparse least squares: terms are dropped one by one, the least certain first, and held-out data say how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import linalg

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding

STRETCH = 5
"""Points in a row whose errors count as one: derivatives are taken from about so many samples."""


@dataclass(frozen=True, eq=False)
class SparseFit:
    """Coefficients of which some are zero.

    Attributes
    ----------
    z : ndarray (k,)
        The coefficients.
    losses : ndarray (b,)
        Mean squared error on each stretch of the data, of a few points each, while it was held out.
    reason : str
        Why this many.
    covariance : ndarray (k, k) or None
        Of those that are not zero, in this order.
    """

    z: NDArray
    losses: NDArray
    reason: str
    covariance: NDArray | None = None

    def errors(self, basis: NDArray) -> NDArray:
        """Standard errors ``(q,)`` of the parameters ``basis (q, k) z``; infinite where they are not known."""
        theta = basis @ self.z
        if self.covariance is None:
            return np.where(theta != 0, np.inf, 0.0)
        used = basis[:, self.z != 0]
        return np.sqrt(np.maximum(np.einsum("qk,kl,ql->q", used, self.covariance, used), 0.0))


def sparse_fit(
    design: NDArray, y: NDArray, channels: int, folds: Sequence[tuple[NDArray, NDArray]], sparsity: str | float | None
) -> SparseFit:
    """Fit, with terms dropped as ``sparsity`` says; rows are points by channels.

    Standard errors are those of least squares; neighbouring points in a stretch count as one.

    Raises
    ------
    UndecidedError
        Where the rows do not determine the coefficients.
    """
    fit = _sparse_fit(design, y, channels, folds, sparsity)
    used = design[:, fit.z != 0]
    rest = y - design @ fit.z
    variance = STRETCH * float(rest @ rest) / max(len(y) - used.shape[1], 1)
    lengths = np.linalg.norm(used, axis=0)
    inverse = np.linalg.pinv((used / lengths).T @ (used / lengths)) / np.outer(lengths, lengths)
    return replace(fit, covariance=inverse * variance)


def _sparse_fit(
    design: NDArray, y: NDArray, channels: int, folds: Sequence[tuple[NDArray, NDArray]], sparsity: str | float | None
) -> SparseFit:
    whole = least_squares(design, y, "coefficients")
    fewest = min(len(train) for train, _ in folds) * channels
    if fewest < len(whole):
        raise UndecidedError(
            explain(
                "There are too few samples to hold some of them out.",
                given=f"{fewest} equations without the largest part, for {len(whole)} coefficients",
                expected="as many equations as coefficients",
                fix="more samples, a lower degree, or a symmetry= that ties coefficients",
            )
        )
    if sparsity == "cv":
        return cross_validated(design, y, channels, folds)
    losses = []
    for train, test in folds:
        rows, held = _rows(train, channels), _rows(test, channels)
        if sparsity is None:
            z = np.linalg.lstsq(design[rows], y[rows], rcond=rounding(design.shape))[0]
        else:
            z = _thresholded(design[rows], y[rows], float(sparsity))
        losses.append(stretches((design[held] @ z - y[held])[:, None], channels)[:, 0])
    if sparsity is None:
        return SparseFit(whole, np.concatenate(losses), f"all {len(whole)} terms are kept")
    z = _thresholded(design, y, float(sparsity))
    text = f"{np.count_nonzero(z)} of {len(z)} terms have a part of at least {sparsity:g} of the values"
    return SparseFit(z, np.concatenate(losses), text)


def least_squares(design: NDArray, y: NDArray, what: str) -> NDArray:
    """Coefficients ``(k,)`` that the rows determine."""
    sizes = np.linalg.norm(design, axis=0)
    scaled = design / np.where(sizes > 0, sizes, 1.0)
    z, _, rank, _ = np.linalg.lstsq(scaled, y, rcond=rounding(design.shape))
    if rank < design.shape[1]:
        raise UndecidedError(
            explain(
                "The data do not tell all functions of the library apart.",
                given=f"{len(design)} equations of rank {rank}, for {design.shape[1]} {what}",
                expected=f"rank {design.shape[1]}",
                fix="more runs that start elsewhere, a lower degree, or a symmetry= that ties coefficients",
            )
        )
    return z / np.where(sizes > 0, sizes, 1.0)


def _thresholded(design: NDArray, y: NDArray, tau: float) -> NDArray:
    """Drop all terms whose part of the values is below a share tau of them, refit, and repeat."""
    size = float(np.linalg.norm(y))
    kept = np.ones(design.shape[1], dtype=bool)
    while True:
        z = np.zeros(design.shape[1])
        z[kept] = np.linalg.lstsq(design[:, kept], y, rcond=rounding(design.shape))[0]
        small = kept & (np.abs(z) * np.linalg.norm(design, axis=0) < tau * size)
        if not small.any():
            return z
        kept &= ~small


def cross_validated(design: NDArray, y: NDArray, channels: int, folds: Sequence[tuple[NDArray, NDArray]]) -> SparseFit:
    """The fewest terms whose error on held-out points is within one standard error of the least.

    Two paths compete: terms are dropped from all of them one by one, the one with the smallest ratio of coefficient to
    standard error first; and they are added to none, the one that explains most first. Neither depends on units of
    functions. Rows are points by channels.
    """
    k, paths = design.shape[1], (_backward, _forward)
    parts = []
    for train, test in folds:
        rows, held = _rows(train, channels), _rows(test, channels)
        small = _compressed(design[rows], y[rows])
        rest = [stretches(design[held] @ path(*small).T - y[held, None], channels) for path in paths]
        parts.append(np.stack(rest, axis=1))
    errors = np.concatenate(parts)
    mean = errors.mean(axis=0)
    floor = (rounding(design.shape) * float(np.linalg.norm(y))) ** 2
    best = np.unravel_index(int(np.argmin(mean)), mean.shape)
    apart = errors - errors[:, best[0], best[1]][:, None, None]
    good = apart.mean(axis=0) <= standard_error(apart) + floor
    size = int(np.flatnonzero(good.any(axis=0))[0])
    j = int(np.argmin(np.where(good[:, size], mean[:, size], np.inf)))
    text = f"{size} of {k} terms: the error on held-out data is within one standard error of the least, at {best[1]}"
    return SparseFit(paths[j](*_compressed(design, y))[size], errors[:, j, size], text)


def stretches(rest: NDArray, channels: int) -> NDArray:
    """Mean squares ``(b, m)`` of residuals ``(n * channels, m)`` over stretches of a few points each."""
    squares = np.mean(rest.reshape(-1, channels, rest.shape[1]) ** 2, axis=1)
    return np.stack([part.mean(axis=0) for part in np.array_split(squares, max(len(squares) // STRETCH, 1))])


def standard_error(losses: NDArray) -> NDArray:
    """Of the mean over the first axis; zero for one number."""
    b = len(losses)
    return losses.std(axis=0, ddof=1) / np.sqrt(b) if b > 1 else np.zeros(losses.shape[1:])


def _rows(points: NDArray, channels: int) -> NDArray:
    return (points[:, None] * channels + np.arange(channels)).ravel()


def _compressed(design: NDArray, y: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Equations with the same squares, no more of them than unknowns, over columns of length one; and the lengths."""
    sizes = np.linalg.norm(design, axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    triangle: Any = np.linalg.qr(np.column_stack([design / sizes, y]), mode="r")
    return triangle[:, :-1], triangle[:, -1], sizes


def _backward(a: NDArray, b: NDArray, sizes: NDArray) -> NDArray:
    """Coefficients ``(k + 1, k)`` with 0, 1, .. k terms, dropped one by one."""
    k = a.shape[1]
    out, kept = np.zeros((k + 1, k)), list(range(k))
    q, r = linalg.qr(a)
    for count in range(k, 0, -1):
        diagonal = np.abs(np.diagonal(r))
        if len(a) >= count and diagonal.min() > rounding(a.shape) * diagonal.max():
            inverse = linalg.solve_triangular(r[:count], np.eye(count))
            out[count, kept] = inverse @ (q[:, :count].T @ b)
            certainty = np.abs(out[count, kept]) / np.linalg.norm(inverse, axis=1)
        else:  # of terms that make each other up, the one with the largest part is the least certain
            out[count, kept] = np.linalg.lstsq(a[:, kept], b, rcond=rounding(a.shape))[0]
            certainty = -np.abs(np.linalg.svd(a[:, kept])[2][-1])
        last = int(np.argmin(certainty))
        kept.pop(last)
        q, r = linalg.qr_delete(q, r, last, which="col")
    return out / sizes


def _forward(a: NDArray, b: NDArray, sizes: NDArray) -> NDArray:
    """Coefficients ``(k + 1, k)`` with 0, 1, .. k terms, added one by one; rows repeat where no more is to be had."""
    k = a.shape[1]
    out, kept = np.zeros((k + 1, k)), []
    left, rest = a.copy(), b.copy()
    for count in range(1, k + 1):
        lengths = np.linalg.norm(left, axis=0)
        usable = lengths > np.sqrt(np.finfo(np.float64).eps)
        usable[kept] = False
        if not usable.any():
            out[count:] = out[count - 1]
            break
        gains = np.where(usable, np.abs(left.T @ rest) / np.where(usable, lengths, 1.0), -1.0)
        chosen = int(np.argmax(gains))
        unit = left[:, chosen] / lengths[chosen]
        rest = rest - unit * (unit @ rest)
        left = left - np.outer(unit, unit @ left)
        kept.append(chosen)
        out[count, kept] = np.linalg.lstsq(a[:, kept], b, rcond=rounding(a.shape))[0]
    return out / sizes


def check_sparsity(sparsity: object) -> None:
    """Refuse what is neither a share, nor None, nor "cv"."""
    share = isinstance(sparsity, (int, float)) and not isinstance(sparsity, bool) and 0 <= sparsity < 1
    if not (sparsity is None or sparsity in ("auto", "bic", "cv") or share):
        raise InputError(
            explain(
                "There is no such way to drop terms.",
                given=f"sparsity={sparsity!r}",
                expected='"auto", "bic", "cv", a share of the values from 0 to 1, or None to keep all terms',
                fix='sparsity="auto"',
            )
        )
