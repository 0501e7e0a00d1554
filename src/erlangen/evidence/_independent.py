"""Noise that is independent from row to row: of one variance, known, of one covariance, or of any variance."""

from __future__ import annotations

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.evidence._design import LeastSquares, compress
from erlangen.evidence._law import EXACT_POINTS, IN_CLASS, Estimate
from erlangen.linalg.qr import rounding


def equal(fit: LeastSquares, labels: NDArray | None) -> Estimate:
    n, c = fit.values.shape
    dof = c * (n - fit.rank) if fit.shared else n * c - fit.rank
    check_dof(dof, fit)
    sigma = max(float(np.sqrt(np.trace(fit.squares) / dof)), rounding_floor(fit))
    return Estimate(
        theta=fit.theta,
        root=sigma * fit.full(fit.half),
        dof=float(dof),
        exact=True,
        sigma=np.full(c, sigma),
        assumptions=(IN_CLASS, EXACT_POINTS, "noise is independent, Gaussian and of one variance in all channels"),
        null=fit.full(fit.unseen),
    )


def known(fit: LeastSquares, labels: NDArray | None) -> Estimate:
    return Estimate(
        theta=fit.theta,
        root=fit.full(fit.half),
        dof=np.inf,
        exact=True,
        sigma=np.ones(fit.values.shape[1]),
        assumptions=(IN_CLASS, EXACT_POINTS, "noise is independent and Gaussian with the variances that were given"),
        null=fit.full(fit.unseen),
    )


def components(fit: LeastSquares, labels: NDArray | None) -> Estimate:
    n, c = fit.values.shape
    dof = n - fit.rank
    check_dof(dof, fit)
    squares = fit.squares if fit.shared else fit.residuals.T @ fit.residuals
    noise = squares / (dof if fit.shared else n - fit.rank / c)
    sigma = np.maximum(np.sqrt(np.diag(noise)), rounding_floor(fit))
    mix = _square_root(noise + np.diag(sigma**2 - np.diag(noise)))
    return Estimate(
        theta=fit.theta,
        root=np.kron(mix, fit.half) if fit.shared else _mixed(fit, mix),
        dof=float(dof),
        exact=False,
        sigma=sigma,
        assumptions=(
            IN_CLASS,
            EXACT_POINTS,
            "rows are independent, Gaussian and of one covariance over the channels; a contrast over several channels "
            "has a t law only approximately (Satterthwaite), so the least degrees of freedom are used",
        ),
        null=fit.full(fit.unseen),
    )


def _mixed(fit: LeastSquares, mix: NDArray) -> NDArray:
    """Root of (F^T F)^+ F^T (1 x Omega) F (F^T F)^+ for features by channel."""
    rows = np.einsum("nak,ab->nbk", fit.features @ fit.half, mix).reshape(-1, fit.rank)
    return fit.half @ compress(rows)


def robust(fit: LeastSquares, labels: NDArray | None) -> Estimate:
    n, c = fit.values.shape
    dof = n - fit.rank
    check_dof(dof, fit)
    sigma = np.maximum(np.sqrt(np.sum(fit.residuals**2, axis=0) / dof), rounding_floor(fit))
    return Estimate(
        theta=fit.theta,
        root=compress(fit.influence),
        dof=float(dof),
        exact=False,
        sigma=sigma,
        assumptions=(
            IN_CLASS,
            EXACT_POINTS,
            "rows are independent, their noise of any variance (HC3); levels hold for many rows per parameter",
        ),
        null=fit.full(fit.unseen),
    )


def rounding_floor(fit: LeastSquares) -> float:
    """Rounding of the values: noise that data without noise still have."""
    return rounding((len(fit.values),)) * float(np.sqrt(np.mean(fit.values**2)))


def _square_root(covariance: NDArray) -> NDArray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def check_dof(dof: float, fit: LeastSquares) -> None:
    if dof <= 0:
        raise UndecidedError(
            explain(
                "Nothing is left to estimate the noise from.",
                given=f"{len(fit.values)} rows for {fit.rank} parameters",
                expected="more rows than parameters",
                fix="a smaller class, or more rows",
            )
        )
