"""An estimate with its error: parameters of a linear field, a root of their covariance, and what makes it true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from erlangen._errors import InputError, UndecidedError, explain, nearest
from erlangen.evidence._design import LeastSquares, compress
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.bases import BasisField
from erlangen.linalg.polynomials import monomials
from erlangen.linalg.qr import rounding

IN_CLASS = "the true function lies in the class that was fitted"
EXACT_POINTS = "points are known without error: all noise is in the values"


@dataclass(frozen=True, eq=False)
class Estimate:
    """Parameters theta-hat of a linear field and the law of their error, theta-hat ~ N(theta, root root^T).

    Attributes
    ----------
    theta : ndarray (q,)
        The estimate; of least norm where the design leaves directions free.
    root : ndarray (q, r)
        Square root of the covariance: ``root @ root.T``.
    dof : float
        Degrees of freedom behind ``root``; infinite where the noise is known.
    exact : bool
        Whether sets and quantiles hold in finite samples, under the assumptions.
    sigma : ndarray (c,)
        Standard deviation of the noise of each channel (with weights: of a row of weight one).
    assumptions : tuple of str
        What must be true, most binding first.
    null : ndarray (q, r0)
        Orthonormal directions of the parameters that no row sees: anything may be there.
    set_dof, stretch : float
        The simultaneous set is ``|u|^2 <= stretch r F(r, set_dof)``.
    """

    theta: NDArray
    root: NDArray
    dof: float
    exact: bool
    sigma: NDArray
    assumptions: tuple[str, ...]
    null: NDArray
    set_dof: float = field(default=np.nan)
    stretch: float = 1.0

    @property
    def rank(self) -> int:
        """Number r of directions with an error."""
        return self.root.shape[1]

    @cached_property
    def covariance(self) -> NDArray:
        """Covariance ``(q, q)`` of theta."""
        return self.root @ self.root.T

    def radius(self, alpha: float) -> float:
        """R of the set ``{theta + root u : |u| <= R}`` that holds the true parameters with probability 1 - alpha.

        Raises
        ------
        UndecidedError
            When fewer groups than parameters gave the covariance: it has no simultaneous set.
        """
        share = _checked(alpha)
        dof = self.dof if np.isnan(self.set_dof) else self.set_dof
        if self.rank == 0:
            return 0.0
        if dof <= 0:
            raise UndecidedError(
                explain(
                    "So few groups give no confidence set for all parameters at once.",
                    given=f"{self.dof + 1:g} groups for {len(self.theta)} parameters",
                    expected="more groups than parameters, or one contrast at a time",
                    fix='mode="held-out", or noise="blocks"',
                )
            )
        if np.isinf(dof):
            return float(np.sqrt(special.chdtri(self.rank, share)))
        return float(np.sqrt(self.stretch * self.rank * special.fdtri(self.rank, dof, 1.0 - share)))

    def quantile(self, alpha: float) -> float:
        """One-sided quantile t(1 - alpha) for one contrast of the parameters chosen beforehand."""
        share = _checked(alpha)
        return float(-special.ndtri(share) if np.isinf(self.dof) else -special.stdtrit(self.dof, share))

    def draws(self, count: int, rng: int | np.random.Generator = 0) -> NDArray:
        """Random parameters ``(count, q)`` of the law N(theta-hat, root root^T)."""
        rng = np.random.default_rng(rng)
        return self.theta + rng.standard_normal((count, self.rank)) @ self.root.T


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
    """The same as :func:`estimate` for features that have been evaluated, ``phi (n, r)`` or ``(n, c, q)``."""
    y = _matrix(y, "y")
    if len(phi) != len(y) or (phi.ndim == 3 and phi.shape[1] != y.shape[1]):
        raise _bad("Points and values do not fit.", f"features {phi.shape}, y {y.shape}", "one row of y per point")
    if noise not in _NOISE:
        close = nearest(noise, _NOISE) or "equal"
        raise _bad("Unknown kind of noise.", f"noise = {noise!r}", ", ".join(_NOISE), f"noise={close!r}")
    if noise == "known" and weights is None:
        raise _bad(
            "Known noise needs its variances.", "no weights", "one over the variance of each value", "weights=1 / s**2"
        )
    if weights is not None:
        phi, y, groups = _whiten(phi, y, weights, groups)
    labels = None if groups is None else _labels(groups, len(y))
    return _NOISE[noise](LeastSquares(phi, y), labels)


def _equal(fit: LeastSquares, labels: NDArray | None) -> Estimate:
    n, c = fit.values.shape
    dof = c * (n - fit.rank) if fit.shared else n * c - fit.rank
    _check_dof(dof, fit)
    sigma = max(float(np.sqrt(np.trace(fit.squares) / dof)), _floor(fit))
    return Estimate(
        theta=fit.theta,
        root=sigma * fit.full(fit.half),
        dof=float(dof),
        exact=True,
        sigma=np.full(c, sigma),
        assumptions=(IN_CLASS, EXACT_POINTS, "noise is independent, Gaussian and of one variance in all channels"),
        null=fit.full(fit.unseen),
    )


def _known(fit: LeastSquares, labels: NDArray | None) -> Estimate:
    return Estimate(
        theta=fit.theta,
        root=fit.full(fit.half),
        dof=np.inf,
        exact=True,
        sigma=np.ones(fit.values.shape[1]),
        assumptions=(IN_CLASS, EXACT_POINTS, "noise is independent and Gaussian with the variances that were given"),
        null=fit.full(fit.unseen),
    )


def _components(fit: LeastSquares, labels: NDArray | None) -> Estimate:
    n, c = fit.values.shape
    dof = n - fit.rank
    _check_dof(dof, fit)
    squares = fit.squares if fit.shared else fit.residuals.T @ fit.residuals
    noise = squares / (dof if fit.shared else n - fit.rank / c)
    sigma = np.maximum(np.sqrt(np.diag(noise)), _floor(fit))
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


def _robust(fit: LeastSquares, labels: NDArray | None) -> Estimate:
    n, c = fit.values.shape
    dof = n - fit.rank
    _check_dof(dof, fit)
    sigma = np.maximum(np.sqrt(np.sum(fit.residuals**2, axis=0) / dof), _floor(fit))
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


_NOISE: dict[str, Callable[[LeastSquares, NDArray | None], Estimate]] = {
    "equal": _equal,
    "components": _components,
    "known": _known,
    "robust": _robust,
}


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


def _floor(fit: LeastSquares) -> float:
    """Rounding of the values: noise that data without noise still have."""
    return rounding((len(fit.values),)) * float(np.sqrt(np.mean(fit.values**2)))


def _square_root(covariance: NDArray) -> NDArray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _check_dof(dof: float, fit: LeastSquares) -> None:
    if dof <= 0:
        raise UndecidedError(
            explain(
                "Nothing is left to estimate the noise from.",
                given=f"{len(fit.values)} rows for {fit.rank} parameters",
                expected="more rows than parameters",
                fix="a smaller class, or more rows",
            )
        )


def _checked(alpha: float) -> float:
    if not 0.0 < alpha < 1.0:
        raise _bad("A level lies between 0 and 1.", f"alpha = {alpha}", "0 < alpha < 1", "alpha=0.05")
    return float(alpha)


def _matrix(a: ArrayLike, name: str) -> NDArray:
    out = np.asarray(a, dtype=np.float64)
    out = out[:, None] if out.ndim == 1 else out
    if out.ndim != 2 or not np.isfinite(out).all():
        raise _bad(f"{name} must be a table of finite numbers.", f"{name} of shape {out.shape}", "shape (n, columns)")
    return out


def _bad(what: str, given: str, expected: str, fix: str = "estimate(family, x, y)") -> InputError:
    return InputError(explain(what, given=given, expected=expected, fix=fix))
