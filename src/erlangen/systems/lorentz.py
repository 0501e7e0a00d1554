"""Tables with an exact Lorentz symmetry: two four-vectors and a function of their invariants."""

from __future__ import annotations

import numpy as np

from erlangen._typing import NDArray

MINKOWSKI = (1.0, -1.0, -1.0, -1.0)
"""Diagonal of the metric, time first."""

INVARIANT_QUADRATIC = (1.0, -0.7, 0.5, 0.3, 0.4, 0.35, -0.2, -0.15, 0.25)
"""Coefficients of a, b, c, aa, ab, ac, bb, bc, cc for the invariants a = p1.p1, b = p1.p2, c = p2.p2."""


def invariants(x: NDArray) -> NDArray:
    """Minkowski products p1.p1, p1.p2, p2.p2 ``(n, 3)`` of two four-vectors ``x (n, 8)``.

    Parameters
    ----------
    x : ndarray (n, 8)
        Pairs of four-vectors, energy first.

    Returns
    -------
    ndarray (n, 3)
        The products.
    """
    p, q = x[:, :4], x[:, 4:]
    g = np.array(MINKOWSKI)
    return np.stack([(p * g * p).sum(1), (p * g * q).sum(1), (q * g * q).sum(1)], axis=1)


def invariant_function(x: NDArray) -> NDArray:
    """A quadratic in the invariants, of degree 4 in the eight coordinates: values ``(n,)``.

    Parameters
    ----------
    x : ndarray (n, 8)
        Pairs of four-vectors, energy first.

    Returns
    -------
    ndarray (n,)
        The values.
    """
    a, b, c = invariants(x).T
    terms = np.stack([a, b, c, a * a, a * b, a * c, b * b, b * c, c * c], axis=1)
    return terms @ np.array(INVARIANT_QUADRATIC)


def lorentz_table(
    n: int = 10_000, noise: float = 0.01, rng: int | np.random.Generator = 0, *, momenta: str = "normal"
) -> tuple[NDArray, NDArray]:
    """Points ``(n, 8)`` and noisy values ``(n,)`` of :func:`invariant_function`.

    Parameters
    ----------
    n : int
        Number of samples.
    noise : float
        Standard deviation of the Gaussian noise relative to that of the values.
    rng : int or Generator
        Randomness.
    momenta : {"normal", "massive"}
        Standard normal coordinates, or normal three-momenta with energies above a positive mass.

    Returns
    -------
    tuple of ndarray (n, 8), (n,)
        Points and values.
    """
    rng = np.random.default_rng(rng)
    x = _four_vectors(n, rng, momenta)
    y = invariant_function(x)
    return x, y + noise * y.std() * rng.standard_normal(n)


def lorentz_labels(
    n: int = 50_000,
    sharpness: float = 1.5,
    rng: int | np.random.Generator = 0,
    *,
    momenta: str = "normal",
    flips: float | None = None,
) -> tuple[NDArray, NDArray]:
    """Points ``(n, 8)`` and two-class labels ``(n,)`` drawn from the invariants.

    The score is :func:`invariant_function` less its median, over its median absolute deviation.

    Parameters
    ----------
    n : int
        Number of samples.
    sharpness : float
        Labels are 1 with probability ``sigmoid(sharpness * score)``.
    rng : int or Generator
        Randomness.
    momenta : {"normal", "massive"}
        As in :func:`lorentz_table`.
    flips : float, optional
        Label by the sign of the score instead, and flip this fraction.

    Returns
    -------
    tuple of ndarray (n, 8), (n,)
        Points and labels.
    """
    rng = np.random.default_rng(rng)
    x = _four_vectors(n, rng, momenta)
    score = invariant_function(x)
    score = score - np.median(score)
    score = score / np.median(np.abs(score))
    if flips is None:
        return x, rng.random(n) < 1.0 / (1.0 + np.exp(-sharpness * score))
    return x, (score > 0) ^ (rng.random(n) < flips)


def _four_vectors(n: int, rng: np.random.Generator, momenta: str) -> NDArray:
    if momenta == "normal":
        return rng.standard_normal((n, 8))
    p = rng.standard_normal((n, 2, 3))
    mass = 0.2 + np.abs(rng.standard_normal((n, 2)))
    energy = np.sqrt(mass**2 + (p**2).sum(axis=2))
    return np.concatenate([energy[..., None], p], axis=2).reshape(n, 8)
