"""Local quadratics through a table: derivatives that know their own error, and no class that all points must obey."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from erlangen._typing import NDArray
from erlangen.evidence._neighbour_gate import SIGNIFICANT, neighbours
from erlangen.fields import AbstractField
from erlangen.linalg.polynomials import exponents, monomials
from erlangen.linalg.qr import rounding

ROWS_PER_TERM = 4
"""Rows of the smallest neighbourhood for each coefficient: three quarters of them are left to tell the noise."""

PROBES = 256
"""Points at which sizes of neighbourhoods are compared."""

SURE = 2.0
"""Standard errors beyond which fits of two sizes differ by more than their noise on the average."""

CERTAIN = 3.0
"""The same at a single point: there are many of them."""

TOGETHER = 16
"""Neighbouring points over which differences of sizes are averaged."""

CHUNK = 512
"""Local fits that are solved together."""


@dataclass(frozen=True, eq=False)
class LocalFit:
    """Local fits at points.

    Attributes
    ----------
    values, slopes : ndarray (n, c), (n, c, d)
        Value and derivative at each point.
    spread : ndarray (n, 1 + d, 1 + d)
        Covariance of value and derivative for noise of variance one.
    noise : ndarray (n, c)
        Standard deviation of what the local quadratic leaves.
    """

    values: NDArray
    slopes: NDArray
    spread: NDArray
    noise: NDArray


@dataclass(frozen=True, eq=False, kw_only=True)
class LocalField(AbstractField):
    """A table ``(x, y)`` seen through quadratics of the k nearest rows.

    Attributes
    ----------
    points : ndarray (n, d)
        Points of the table.
    y : ndarray (n, c)
        Its values.
    kind : str
        How values follow points.
    size, least : int
        Number k of rows in a neighbourhood, and of the smallest ones, by which larger ones are judged.
    hidden : ndarray (n, c) or None
        Slope, per spread of the points, that detail finer than the smallest neighbourhoods may have near each row;
        None where residuals of neighbouring rows show none.
    names : tuple of str or None
        Names of the coordinates.
    """

    points: NDArray
    y: NDArray
    kind: str = "invariant"
    size: int
    least: int
    hidden: NDArray | None = None
    names: tuple[str, ...] | None = None

    @property
    def point_dim(self) -> int:
        return self.points.shape[1]

    @property
    def value_dim(self) -> int:
        return self.y.shape[1]

    def hidden_at(self, x: NDArray) -> NDArray:
        """What is hidden near points ``x (n, d)``, ``(n, c)``: that of the nearest row."""
        if self.hidden is None:
            return np.zeros((len(x), self.value_dim))
        return self.hidden[self._tree.query(x / self._scale)[1]]

    @property
    def smaller(self) -> list[int]:
        """Sizes below that of the field, each twice the one before."""
        return [self.least * 2**j for j in range(self.size.bit_length()) if self.least * 2**j < self.size]

    @cached_property
    def accuracy(self) -> float:
        """Median relative error of the derivative over some of the points."""
        fit, wide = (self.fit(_some(self.points), k) for k in (self.size, 2 * self.size))
        return float(np.median(_slope_error(fit, wide) / np.linalg.norm(fit.slopes, axis=(1, 2))))

    @cached_property
    def reach(self) -> float:
        """Median root mean square size of a neighbourhood, per coordinate and in units of the spread."""
        far = self._tree.query(_some(self.points) / self._scale, self.size)[0][:, -1]
        d = self.point_dim
        return float(np.median(far)) / np.sqrt(d + 2)  # mean square of a ball of radius h: h^2 d / (d + 2)

    def value(self, x: NDArray) -> NDArray:
        return self.fit(x, self.size).values

    def jacobian(self, x: NDArray) -> NDArray:
        return self.fit(x, self.size).slopes

    @cached_property
    def _scale(self) -> NDArray:
        return self.points.std(axis=0)

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points / self._scale)

    def fit(self, x: NDArray, size: int) -> LocalFit:
        """Fit quadratics to the ``size`` rows nearest to points ``x (n, d)``."""
        parts = [self._fit(x[i : i + CHUNK], size) for i in range(0, len(x), CHUNK)]
        return LocalFit(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _fit(self, x: NDArray, size: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        n, d = x.shape
        z = x / self._scale
        distance, rows = self._tree.query(z, min(size, len(self.points)))
        h = distance[:, -1:]
        u = (self._tree.data[rows] - z[:, None]) / h[:, None]
        phi = monomials(u.reshape(-1, d), exponents(d, 2)).reshape(n, rows.shape[1], -1)
        y = self.y[rows]
        sizes, vectors = np.linalg.eigh(np.einsum("nkr,nks->nrs", phi, phi))
        # Where rows lie on a surface or a curve some coefficient is not known: its variance is then huge, as it is.
        sizes = np.maximum(sizes, sizes[:, -1:] * rounding(phi.shape[1:]) ** 2)
        inverse = np.einsum("nrs,ns,nts->nrt", vectors, 1.0 / sizes, vectors)
        theta = np.einsum("nrt,nkt,nkc->nrc", inverse, phi, y)
        left = y - phi @ theta
        dof = max(rows.shape[1] - phi.shape[2], 1)
        least = rounding((size,)) * np.abs(self.y).max(axis=0)
        noise = np.maximum(np.sqrt(np.sum(left**2, axis=1) / dof), least)
        unit = np.concatenate([np.ones_like(h), 1.0 / (h * self._scale)], axis=1)
        front = theta[:, : d + 1] * unit[:, :, None]
        spread = inverse[:, : d + 1, : d + 1] * unit[:, :, None] * unit[:, None, :]
        return front[:, 0], front[:, 1:].transpose(0, 2, 1), spread, noise


def local_field(x: NDArray, y: NDArray, kind: str, names: tuple[str, ...] | None = None) -> LocalField | None:
    """The field with neighbourhoods of the size that makes errors smallest; None where rows are too few for any.

    The error of a size is that of its noise and its bias: the most by which it differs from any smaller size, beyond
    noise and on the average over neighbouring points. Two sizes that smooth away the same detail agree with each
    other, so that doubling alone shows nothing.
    """
    least = ROWS_PER_TERM * len(exponents(x.shape[1], 2))
    sizes = [least * 2**j for j in range(8) if least * 2 ** (j + 2) <= len(x)]
    if not sizes or not np.all(x.std(axis=0) > 0):
        return None
    base, some = LocalField(points=x, y=y, kind=kind, size=least, least=least), _some(x)
    fits = [base.fit(some, size) for size in sizes]
    z = some / x.std(axis=0)
    near = cKDTree(z).query(z, min(TOGETHER, len(z)))[1].reshape(len(z), -1)
    errors = [float(np.mean(np.sqrt(_square_error(fits[: j + 1], near)))) for j in range(len(sizes))]
    return replace(base, size=sizes[int(np.argmin(errors))], hidden=_hidden(base), names=names)


def _hidden(base: LocalField) -> NDArray | None:
    """What the smallest neighbourhoods leave over and neighbouring rows share, over the distance of these."""
    left = base.y - base.value(base.points)
    if neighbours(base.points, left, alpha=SIGNIFICANT).passed:
        return None
    z = base.points / base.points.std(axis=0)
    distance, near = cKDTree(z).query(z, TOGETHER)
    shared = (left * left[near[:, 1]])[near].mean(axis=1)
    return np.sqrt(np.maximum(shared, 0.0)) / np.median(distance[:, 1])


def _square_error(fits: list[LocalFit], near: NDArray) -> NDArray:
    """Squared error ``(n,)`` of the slopes of the last fit, of noise and of bias, with neighbours ``near (n, k)``."""
    noise = np.sum(fits[0].noise ** 2, axis=1)
    known = [np.einsum("naa,n->n", fit.spread[:, 1:, 1:], noise) for fit in fits]
    bias = np.zeros(len(noise))
    for fit, own in zip(fits[:-1], known[:-1], strict=True):
        change = np.sum((fits[-1].slopes - fit.slopes) ** 2, axis=(1, 2))
        apart = (change - (own - known[-1]))[near]
        mean, error = apart.mean(axis=1), change[near].std(axis=1) / np.sqrt(near.shape[1])
        bias = np.maximum(bias, np.where(mean > SURE * error, mean, 0.0))
    return known[-1] + bias


def excess(squares: NDArray, expected: NDArray) -> NDArray:
    """What squared differences between two sizes show of bias: the rest, where noise does not explain them.

    A fit to all rows of a neighbourhood has least variance, so that its difference from a fit to fewer of them has the
    difference of both variances (Hausman, Econometrica 46 (1978) 1251).
    """
    return np.where(squares > CERTAIN**2 * expected, squares - expected, 0.0)


def _slope_error(fit: LocalFit, wide: LocalFit) -> NDArray:
    """Root mean square error ``(n,)`` of the derivative, summed over channels and coordinates."""
    traces = np.einsum("naa->n", fit.spread[:, 1:, 1:])
    return np.sqrt(traces * np.sum(fit.noise**2, axis=1) + np.sum((fit.slopes - wide.slopes) ** 2, axis=(1, 2)))


def _some(x: NDArray) -> NDArray:
    return x[np.linspace(0, len(x) - 1, min(len(x), PROBES)).astype(int)]
