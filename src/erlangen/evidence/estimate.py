"""Estimates with their error, for noise of every kind: ``estimate(family, x, y)``."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain, nearest
from erlangen._typing import NDArray
from erlangen.evidence._blocks import blocks, grouped
from erlangen.evidence._design import LeastSquares
from erlangen.evidence._independent import components, equal, known, robust
from erlangen.evidence._law import Estimate
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.bases import BasisField
from erlangen.linalg.polynomials import monomials

NOISE: dict[str, Callable[[LeastSquares, NDArray | None], Estimate]] = {
    "equal": equal,
    "components": components,
    "known": known,
    "robust": robust,
    "grouped": grouped,
    "blocks": blocks,
}
"""What may be said of the noise, and the law of the estimate that follows."""


def estimate(
    family: AbstractLinearField,
    x: ArrayLike,
    y: ArrayLike,
    *,
    noise: str = "equal",
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    rng: int | np.random.Generator = 0,
) -> Estimate:
    """Fit a linear field to values by least squares, with the error of its parameters.

    Parameters
    ----------
    family : AbstractLinearField
        The class; its own parameters play no part.
    x : array_like (n, d)
        Points.
    y : array_like (n, c)
        Values with noise.
    noise : str
        ``"equal"``: independent, Gaussian, one variance for all channels; finite-sample exact.
        ``"components"``: independent rows, channels of any covariance; the quantile of a contrast is approximate
        (Satterthwaite) unless it sits in one channel, so the least degrees of freedom are used.
        ``"known"``: ``weights`` are one over the variances, not only proportional to it.
        ``"robust"``: independent rows of unequal variance (HC3), asymptotic.
        ``"grouped"``: rows depend on each other within ``groups`` (runs; ten consecutive parts by default), whose
        separate fits are compared.
        ``"blocks"``: one or few long runs of autocorrelated noise, by moving blocks of rows in order of time.
    weights : array_like (n,) or (n, c), optional
        One over the variance of each value, up to a common factor; rows of weight zero do not count.
    groups : array_like (n,), optional
        Label of the run or block of each row; blocks never reach from one run into the next.
    rng : int or Generator
        Unused by least squares; there for a common signature.

    Returns
    -------
    Estimate
        Parameters, the root of their covariance, and degrees of freedom.

    Raises
    ------
    InputError
        When rows, values, weights or groups do not fit.
    UndecidedError
        When no degrees of freedom are left for the noise.

    References
    ----------
    MacKinnon and White, J. Econometrics 29 (1985) 305 (HC3); Ibragimov and Mueller, J. Business & Economic Statistics
    28 (2010) 453 (groups); Kuensch, Annals of Statistics 17 (1989) 1217 (moving blocks).

    Examples
    --------
    >>> from erlangen.fields import polynomial_field
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (200, 1))
    >>> fit = estimate(polynomial_field(1, 1, [0, 0]), x, 2 * x + 0.1 * rng.standard_normal((200, 1)))
    >>> bool(abs(fit.theta[1] - 2) < 0.1), fit.dof, fit.exact
    (True, 198.0, True)
    """
    x = _matrix(x, "x")
    if not isinstance(family, AbstractLinearField):
        d, c = x.shape[1], np.asarray(y).reshape(len(x), -1).shape[1]
        fix = f"er.fields.polynomial_field({d}, 2, numpy.zeros(({c}, {comb(d + 2, 2)})))"
        raise _bad("The family is not a linear field.", f"{family!r}"[:60], "a field linear in its parameters", fix)
    if x.shape[1] != family.point_dim:
        raise _bad("The points do not fit the family.", f"x of shape {x.shape}", f"shape (n, {family.point_dim})")
    return estimate_features(features_of(family, x), y, noise=noise, weights=weights, groups=groups)


def features_of(family: AbstractLinearField, x: NDArray) -> NDArray:
    """Features of a family: scalar ones ``(n, r)`` where all channels share them, else ``(n, c, q)``."""
    if isinstance(family, PolynomialField):
        return monomials(x, family.table)
    return family.basis.evaluate(x) if isinstance(family, BasisField) else family.features(x)


def estimate_features(
    phi: NDArray,
    y: ArrayLike,
    *,
    noise: str = "equal",
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> Estimate:
    """The same as :func:`estimate` for features that have been evaluated, ``phi (n, r)`` or ``(n, c, q)``.

    Parameters
    ----------
    phi : ndarray (n, r) or (n, c, q)
        Features; with two axes every channel has r parameters of its own, q = c r.
    y : array_like (n, c)
        Values with noise.
    noise : str
        As for :func:`estimate`.
    weights : array_like (n,) or (n, c), optional
        As for :func:`estimate`.
    groups : array_like (n,), optional
        As for :func:`estimate`.

    Returns
    -------
    Estimate
        Parameters, the root of their covariance, and degrees of freedom.

    Raises
    ------
    InputError
        When features, values, weights or groups do not fit, or there is no such kind of noise.
    UndecidedError
        When no degrees of freedom are left for the noise.

    References
    ----------
    MacKinnon and White, J. Econometrics 29 (1985) 305 (HC3); more at :func:`estimate`.

    Examples
    --------
    >>> x = np.linspace(0, 1, 50)[:, None]
    >>> fit = estimate_features(x, 3.0 * x)
    >>> fit.theta.round(12).tolist(), fit.dof
    ([3.0], 49.0)
    """
    y = _matrix(y, "y")
    if len(phi) != len(y) or (phi.ndim == 3 and phi.shape[1] != y.shape[1]):
        raise _bad("Points and values do not fit.", f"features {phi.shape}, y {y.shape}", "one row of y per point")
    if noise not in NOISE:
        close = nearest(noise, NOISE) or "equal"
        raise _bad("Unknown kind of noise.", f"noise = {noise!r}", ", ".join(NOISE), f"noise={close!r}")
    if noise == "known" and weights is None:
        raise _bad(
            "Known noise needs its variances.", "no weights", "one over the variance of each value", "weights=1 / s**2"
        )
    if weights is not None:
        phi, y, groups = _whiten(phi, y, weights, groups)
    labels = None if groups is None else _labels(groups, len(y))
    return NOISE[noise](LeastSquares(phi, y), labels)


def _whiten(
    phi: NDArray, y: NDArray, weights: ArrayLike, groups: ArrayLike | None
) -> tuple[NDArray, NDArray, ArrayLike | None]:
    w = np.asarray(weights, dtype=np.float64)
    w = w[:, 0] if w.ndim == 2 and w.shape[1] == 1 else w
    if w.shape not in ((len(y),), y.shape) or not np.isfinite(w).all() or np.any(w < 0):
        raise _bad(
            "The weights do not fit the values.",
            f"weights of shape {w.shape} for y of shape {y.shape}",
            "one over the variance, non-negative and finite, per row or per value",
        )
    kept = w > 0 if w.ndim == 1 else (w > 0).any(axis=1)
    if not kept.all():
        phi, y, w = phi[kept], y[kept], w[kept]
        groups = None if groups is None else np.asarray(groups)[kept]
    root = np.sqrt(w)
    if w.ndim == 1:
        return phi * root.reshape(-1, *[1] * (phi.ndim - 1)), y * root[:, None], groups
    if phi.ndim == 2:
        phi = np.einsum("ab,nr->nabr", np.eye(y.shape[1]), phi).reshape(len(y), y.shape[1], -1)
    return phi * root[:, :, None], y * root, groups


def _labels(groups: ArrayLike, n: int) -> NDArray:
    labels = np.asarray(groups).ravel()
    if len(labels) != n:
        raise _bad("The groups do not fit the rows.", f"{len(labels)} labels for {n} rows", "one label per row")
    return np.unique(labels, return_inverse=True)[1]


def _matrix(a: ArrayLike, name: str) -> NDArray:
    out = np.asarray(a, dtype=np.float64)
    out = out[:, None] if out.ndim == 1 else out
    if out.ndim != 2 or not np.isfinite(out).all():
        raise _bad(f"{name} must be a table of finite numbers.", f"{name} of shape {out.shape}", "shape (n, columns)")
    return out


def _bad(what: str, given: str, expected: str, fix: str = "estimate(family, x, y)") -> InputError:
    return InputError(explain(what, given=given, expected=expected, fix=fix))


__all__ = ["NOISE", "Estimate", "estimate", "estimate_features", "features_of"]
