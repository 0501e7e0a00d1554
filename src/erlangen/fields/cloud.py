"""A cloud of points on a submanifold as a field: a generator is a symmetry where it is tangent to the cloud.

Near each point the cloud is the zero set of c = d - k functions, found by a local principal component analysis
and a quadratic fit in its frame. These functions are the field: their Jacobian rows are the unit normals, so
the Lie derivative of a generator is its normal component.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.fields._base import AbstractField
from erlangen.fields._charts import Charts, fit_charts, quadratic_size

SELECTION_POINTS = 512
"""Points at which sizes of neighbourhoods are compared; a mean over them is known to a few per cent."""

THIN = 10.0
"""A direction is normal where the variance along it is ten times smaller: the cloud is three times thinner."""


@dataclass(frozen=True, eq=False)
class CloudField(AbstractField):
    """Functions that vanish on a cloud of points, with unit normals as gradients at the points.

    At another point the chart of the nearest point of the cloud is used, curvature included, so that moving the
    points for a finite time can be checked. Build one with `cloud_field`.

    Parameters
    ----------
    charts : Charts
        Points of the fitted surface with tangents, normals and curvature.
    normal_error : float
        Estimated error of the normals, in radians.
    reason : str
        How the dimension of the cloud was found, in words.
    """

    charts: Charts
    normal_error: float
    reason: str

    @property
    def points(self) -> NDArray:
        """Points ``(n, d)`` at which the field is known: the cloud, moved onto the local fits."""
        return self.charts.feet

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.points.shape[1]

    @property
    def value_dim(self) -> int:
        """Number c of normal directions."""
        return self.charts.normals.shape[1]

    @property
    def accuracy(self) -> float:
        """Relative error of the derivative: the error of the unit normals."""
        return self.normal_error

    @property
    def intrinsic_dim(self) -> int:
        """Dimension k of the cloud."""
        return self.point_dim - self.value_dim

    @property
    def kind(self) -> str:
        """The functions are left alone by a symmetry."""
        return "invariant"

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points)

    def value(self, x: NDArray) -> NDArray:
        """Heights ``(n, c)`` above the nearest chart; zero at the points of the cloud."""
        at = self._tree.query(x)[1]
        return self.charts.heights(at, x - self.points[at])

    def jacobian(self, x: NDArray) -> NDArray:
        """Gradients ``(n, c, d)`` of the heights; orthonormal rows at the points of the cloud."""
        at = self._tree.query(x)[1]
        return self.charts.gradients(at, x - self.points[at])


def cloud_field(points: ArrayLike, intrinsic_dim: int | None = None) -> CloudField:
    """Estimate the normals of a cloud of points near a submanifold.

    Coordinates must share a unit, since neighbours are found by distance. The number of neighbours of the local fit
    is the one whose normals change least when it is halved, which balances curvature (many neighbours) against noise
    (few).

    Parameters
    ----------
    points : array (n, d)
        The cloud.
    intrinsic_dim : int, optional
        Its dimension k, 1 <= k < d; estimated from local spectra by default.

    Returns
    -------
    CloudField
        The field; ``reason`` says how k was found, ``accuracy`` how well the normals are known.

    Raises
    ------
    InputError
        Where the points are not a finite table, or fewer than a local fit needs.
    UndecidedError
        Where no direction is thin: the cloud fills the space.

    References
    ----------
    H. Tyagi, E. Vural and P. Frossard, "Tangent space estimation for smooth embeddings of Riemannian manifolds",
    Information and Inference 2 (2013): the error of local PCA; the quadratic fit removes its leading term.

    Examples
    --------
    >>> angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    >>> circle = cloud_field(np.c_[np.cos(angle), np.sin(angle)])
    >>> circle.intrinsic_dim, circle.accuracy < 1e-3
    (1, True)
    """
    x = _table(points)
    tree = cKDTree(x)
    k, reason = (intrinsic_dim, "as given") if intrinsic_dim is not None else estimate_dimension(x, tree)
    _check_dimension(k, x)
    count, error = _neighbours(x, tree, k)
    charts = fit_charts(x, tree, np.arange(len(x)), k, count)
    return CloudField(charts, error, reason)


def estimate_dimension(x: NDArray, tree: cKDTree) -> tuple[int, str]:
    """Dimension of a cloud: where the sorted spectrum of small neighbourhoods first falls by `THIN`.

    Returns
    -------
    dim : int
        The dimension k.
    reason : str
        The spectrum behind it, in words.

    Raises
    ------
    UndecidedError
        Where the spectrum falls nowhere by a factor of `THIN`.
    """
    n, d = x.shape
    near = tree.query(_some(x), min(n, 4 * d + 2))[1]
    patches = x[near] - x[near].mean(axis=1, keepdims=True)
    spectra = np.linalg.svd(patches, compute_uv=False) ** 2
    spectra = np.pad(spectra, ((0, 0), (0, d - spectra.shape[1])))
    spectrum = np.median(spectra / spectra[:, :1], axis=0)
    floor = np.finfo(np.float64).eps
    falls = np.maximum(spectrum[:-1], floor) / np.maximum(spectrum[1:], floor)
    shown = ", ".join(f"{s:.2g}" for s in spectrum)
    if not (falls >= THIN).any():
        raise UndecidedError(
            explain(
                "No direction of the cloud is thin: its dimension cannot be read off.",
                given=f"{n} points in R^{d}; variances in small neighbourhoods fall as {shown}",
                expected=f"a fall by a factor of {THIN:.0f}: more points, or less noise",
                fix="er.fields.cloud_field(points, intrinsic_dim=k), or a density instead of a surface",
            )
        )
    k = int(np.argmax(falls >= THIN)) + 1
    return k, f"variances in small neighbourhoods fall as {shown}: by a factor of {falls[k - 1]:.3g} after {k}"


def _some(x: NDArray) -> NDArray:
    return x[np.linspace(0, len(x) - 1, min(len(x), SELECTION_POINTS)).astype(int)]


def _neighbours(x: NDArray, tree: cKDTree, k: int) -> tuple[int, float]:
    """Number of neighbours of the local fit, and the error of the normals that it gives."""
    size = quadratic_size(k) + 1
    at = np.linspace(0, len(x) - 1, min(len(x), SELECTION_POINTS)).astype(int)
    counts = [m for m in (3 * size // 2, 3 * size, 6 * size, 12 * size, 24 * size) if m <= len(x)]
    if len(counts) < 2:
        counts = [max(size, len(x) // 2), len(x)]
    normals = [fit_charts(x, tree, at, k, m).normals for m in counts]
    # The sines of the angles between normal spaces of m / 2 and of m neighbours: their root mean square.
    changes = [normal_sine(a, b) for a, b in zip(normals[:-1], normals[1:], strict=True)]
    best = int(np.argmin(changes))
    return counts[best + 1], max(changes[best], float(np.finfo(np.float64).eps))


def normal_sine(a: NDArray, b: NDArray) -> float:
    """Root mean square sine of the angle between normal spaces ``(n, c, d)`` with orthonormal rows."""
    overlap = np.einsum("ncd,ned->nce", a, b)
    outside = b - np.einsum("nce,ncd->ned", overlap, a)
    return float(np.sqrt(np.mean(np.sum(outside**2, axis=2))))


def _table(points: ArrayLike) -> NDArray:
    try:
        x = np.array(points, dtype=np.float64)
    except (TypeError, ValueError):
        x = np.empty((0, 0))
    d = x.shape[-1] if x.ndim == 2 else 0
    if x.ndim != 2 or d < 2 or len(x) < 2 * (d + 1) or not np.isfinite(x).all():
        bad = int((~np.isfinite(x)).sum()) if x.size else 0
        raise InputError(
            explain(
                "This is not a cloud of points.",
                given=f"an array of shape {np.shape(points)}" + (f" with {bad} NaN or infinite entries" if bad else ""),
                expected=f"finite points (n, d), d >= 2, n >= 2 (d + 1){f' = {2 * (d + 1)}' if d else ''}",
                fix="as_field((X, y)) for a table with a target, as_field(f, dim=d) for a function",
            )
        )
    return x


def _check_dimension(k: int, x: NDArray) -> None:
    n, d = len(x), x.shape[1]
    if not 1 <= k < d:
        raise InputError(
            explain(
                "A submanifold has a dimension below that of the space.",
                given=f"dimension {k} in R^{d}",
                expected=f"1 to {d - 1}",
                fix="er.fields.cloud_field(points) estimates it",
            )
        )
    need = 2 * (quadratic_size(k) + 1)
    if n < need:
        raise UndecidedError(
            explain(
                "There are too few points to fit the curvature of the cloud.",
                given=f"{n} points on a submanifold of dimension {k}",
                expected=f"at least {need}; {10 * need} are comfortable",
                fix="more points",
            )
        )
