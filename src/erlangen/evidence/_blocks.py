"""Noise that depends on itself from row to row: groups that are fitted apart, and moving blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.evidence._design import LeastSquares, compress
from erlangen.evidence._independent import check_dof, rounding_floor
from erlangen.evidence._law import EXACT_POINTS, IN_CLASS, Estimate

PARTS = 10
"""Parts into which one run is cut for separate fits."""

MOST_GROUPS = 14
"""With so many groups a one-sided level of 5 % holds however unequal their variances are (Bakirov and Szekely 2006)."""

CORRELATION_TIMES = 5.0
"""Length of a block in integrated correlation times: a block must forget where it began."""


def grouped(fit: LeastSquares, labels: NDArray | None) -> Estimate:
    """The mean of separate fits, whose scatter is the error: a t law with one degree of freedom less than groups."""
    n, c = fit.values.shape
    labels = np.arange(n) * PARTS // n if labels is None else _merged(labels)
    fits = [LeastSquares(fit.features[labels == g], fit.values[labels == g]) for g in np.unique(labels)]
    count = len(fits)
    if count < 2 or any(part.rank < fit.rank for part in fits):
        raise UndecidedError(
            explain(
                "Groups are compared by their own fits, and some cannot be fitted.",
                given=f"{count} groups, the smallest of {min(len(part.values) for part in fits)} rows, "
                f"{fit.rank} parameters",
                expected="at least two groups that each determine all parameters",
                fix='fewer and larger groups, or noise="blocks"',
            )
        )
    each = np.array([part.theta for part in fits])
    theta = each.mean(axis=0)
    root = compress((each - theta) / np.sqrt(count * (count - 1.0)))
    rank = min(count - 1, fit.n_seen)
    values, vectors, _ = np.linalg.svd(root, full_matrices=False)
    return Estimate(
        theta=theta,
        root=(values * vectors)[:, :rank],
        dof=count - 1.0,
        exact=False,
        sigma=_spread(fit),
        assumptions=(
            IN_CLASS,
            EXACT_POINTS,
            f"the fits of {count} groups are independent and nearly Gaussian; their variances may differ, as long as a "
            "one-sided level is at most 5 %",
        ),
        null=fit.full(fit.unseen),
        set_dof=float(count - rank) if rank == fit.n_seen else 0.0,
        stretch=(count - 1.0) / max(count - rank, 1),
    )


def blocks(fit: LeastSquares, labels: NDArray | None) -> Estimate:
    """Variance of a moving-block bootstrap of the rows' influence, in closed form; blocks stay within runs."""
    check_dof(len(fit.values) - fit.rank, fit)
    law = block_law(fit.influence, fit.residuals, labels)
    left = law.dof - law.root.shape[1] + 1.0
    return Estimate(
        theta=fit.theta,
        root=law.root,
        dof=law.dof,
        exact=False,
        sigma=_spread(fit),
        assumptions=(IN_CLASS, EXACT_POINTS, *law.assumptions),
        null=fit.full(fit.unseen),
        set_dof=max(left, 0.0),
        stretch=law.dof / max(left, 1.0),
    )


@dataclass(frozen=True, eq=False)
class BlockLaw:
    """Root ``(q, r)`` of a covariance from moving blocks, its degrees of freedom, and what it supposes."""

    root: NDArray
    dof: float
    assumptions: tuple[str, ...]


def block_law(influence: NDArray, residuals: NDArray, labels: NDArray | None) -> BlockLaw:
    """Covariance of the sum of ``influence (n, q)`` over rows that remember as long as ``residuals (n, c)`` do."""
    n = len(influence)
    runs = [np.arange(n)] if labels is None else [np.flatnonzero(labels == g) for g in np.unique(labels)]
    length, lost = block_length(residuals, runs)
    lengths = [min(length, len(run)) for run in runs]
    dof = sum(len(run) / size for run, size in zip(runs, lengths)) - 1.0
    if dof < 1.0:
        raise UndecidedError(
            explain(
                "The noise remembers for so long that the rows hold no two independent blocks.",
                given=f"{n} rows in {len(runs)} run(s), blocks of {length} rows",
                expected="at least two blocks; ten make a useful bound",
                fix="longer runs, more runs, or a class without lack of fit",
            )
        )
    sums = [_moving(influence[run], size) * _share(len(run), size) for run, size in zip(runs, lengths)]
    # A fit takes from the residuals about what one block in all of them holds.
    root = compress(np.concatenate(sums)) * np.sqrt((dof + 1.0) / dof / (1.0 - lost))
    told = (
        f"noise is stationary within runs and forgets itself within {length} rows; rows are in order of time",
        "levels hold for many blocks",
    )
    return BlockLaw(root, dof, told)


def block_length(residuals: NDArray, runs: list[NDArray]) -> tuple[int, float]:
    """Rows of a block, and the share of the variance that blocks of that length miss.

    The length is the cube root of the number of rows, and at least five integrated correlation times tau. Sums over
    blocks miss covariances across their ends: for exponential memory a share ``(tau - 1 / tau) / 2`` of the length.
    """
    tau = max(correlation_time(residuals[:, a], runs) for a in range(residuals.shape[1]))
    length = int(np.ceil(max(len(residuals) ** (1.0 / 3.0), CORRELATION_TIMES * tau)))
    return length, (tau - 1.0 / tau) / (2.0 * length)


def correlation_time(signal: NDArray, runs: list[NDArray]) -> float:
    """Integrated correlation time ``1 + 2 sum_k rho_k`` of a signal ``(n,)``, from lags within runs.

    Sums end where the lag passes five times the sum so far (Sokal's window), beyond which there is only noise.
    """
    centred = [signal[run] - signal.mean() for run in runs]
    power = sum(float(part @ part) for part in centred)
    if power == 0.0:
        return 1.0
    total = np.zeros(max(len(part) for part in centred))
    for part in centred:
        spectrum = np.abs(np.fft.rfft(part, 2 * len(part))) ** 2
        total[: len(part)] += np.fft.irfft(spectrum)[: len(part)]
    summed = 2.0 * np.cumsum(total / power) - 1.0
    ends = np.flatnonzero(np.arange(len(summed)) >= CORRELATION_TIMES * summed)
    return float(max(summed[ends[0] if len(ends) else -1], 1.0))


def _moving(influence: NDArray, size: int) -> NDArray:
    """Sums of all windows of so many rows, ``(n - size + 1, q)``."""
    summed = np.vstack([np.zeros((1, influence.shape[1])), np.cumsum(influence, axis=0)])
    return summed[size:] - summed[:-size]


def _share(n: int, size: int) -> float:
    """Weight of a window, so that squares add up to n / size times their mean."""
    return float(np.sqrt(n / size / (n - size + 1)))


def _merged(labels: NDArray) -> NDArray:
    """Runs put together, in order, into at most :data:`MOST_GROUPS` groups with about as many rows each."""
    sizes = np.bincount(labels)
    if len(sizes) <= MOST_GROUPS:
        return labels
    middle = np.cumsum(sizes) - 0.5 * sizes
    return np.floor(middle / sizes.sum() * MOST_GROUPS).astype(int)[labels]


def _spread(fit: LeastSquares) -> NDArray:
    n, _ = fit.values.shape
    return np.maximum(np.sqrt(np.sum(fit.residuals**2, axis=0) / max(n - fit.rank, 1)), rounding_floor(fit))
