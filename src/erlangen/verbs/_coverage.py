"""Coverage: data on a lower-dimensional set say nothing about directions that leave it."""

from __future__ import annotations

import numpy as np
from scipy import linalg
from scipy.spatial import cKDTree

from erlangen._errors import UndecidedError
from erlangen._typing import NDArray
from erlangen.derivative import LieDerivative
from erlangen.derivative.scales import Scales
from erlangen.fields import CloudField
from erlangen.fields._charts import fit_charts, quadratic_size
from erlangen.fields.cloud import estimate_dimension, normal_sine
from erlangen.linalg.qr import rounding, triangular_factor

CLOUD_POINTS = 4096
"""Points from which local tangents are estimated; neighbourhoods shrink with the root of their number."""

ANCHORS = 256
"""Points at which a generator is compared with the tangents."""


def split_by_coverage(
    lie: LieDerivative, scales: Scales, basis: NDArray, tolerance: float
) -> tuple[NDArray, NDArray, float]:
    """Split directions ``basis (p, r)`` into those along the samples and those that leave them.

    A direction is covered where it stays in the affine span of the samples and, where they lie on a
    surface or on curves, in its local tangents. The error of those tangents comes third.
    """
    if basis.shape[1] == 0 or lie.samples.measure is not None or isinstance(lie.field, CloudField):
        return basis, basis[:, :0], 0.0
    flat = normal_directions(lie, scales)
    x, normals, error = local_normals(lie, scales, flat)
    if normals.shape[1] == 0:
        return basis, basis[:, :0], 0.0
    velocity = lie.lifted.restrict(basis).on_points(x) / scales.points
    leaving = np.einsum("nrd,ned->ner", velocity, normals).reshape(-1, basis.shape[1])
    whole = velocity.transpose(0, 2, 1).reshape(-1, basis.shape[1])
    return *null_split(leaving, whole, basis, max(tolerance, 2 * error)), error


def normal_directions(lie: LieDerivative, scales: Scales) -> NDArray:
    """Unit normals ``(d, e)``, in scaled coordinates, of the affine span of the samples.

    A spread below the square root of rounding, relative to the largest, is no spread: no difference
    of values across it has a correct digit.
    """
    span = getattr(lie.field, "span", None)
    if span is not None:
        tangent = np.linalg.qr(span.basis / scales.points[:, None])[0]
        return linalg.null_space(tangent.T)
    centred = (lie.samples.points - lie.samples.mean) / scales.points
    _, sizes, vt = linalg.svd(np.linalg.qr(centred, mode="r"), full_matrices=True)
    sizes = np.concatenate([sizes, np.zeros(len(vt) - len(sizes))])
    return vt[sizes <= sizes[0] * np.sqrt(np.finfo(float).eps)].T


def local_normals(lie: LieDerivative, scales: Scales, flat: NDArray) -> tuple[NDArray, NDArray, float]:
    """Anchor points ``(n, d)``, unit normals ``(n, e, d)`` in scaled coordinates, and the error of their angle."""
    points = np.unique(lie.samples.subset(CLOUD_POINTS).points, axis=0)  # a repeated point is no neighbour
    tangent = linalg.null_space(flat.T) if flat.shape[1] else np.eye(points.shape[1])
    anchors = np.linspace(0, len(points) - 1, min(len(points), ANCHORS)).astype(int)
    constant = np.broadcast_to(flat.T, (len(anchors), *flat.T.shape))
    z = (points / scales.points) @ tangent
    tree = cKDTree(z)
    try:
        dimension, _ = estimate_dimension(z, tree)
    except UndecidedError:  # no thin direction: the points fill their span
        return points[anchors], constant, 0.0
    count = 3 * quadratic_size(dimension)
    if dimension >= z.shape[1] or 2 * count > len(z):
        return points[anchors], constant, 0.0
    small, large = (fit_charts(z, tree, anchors, dimension, m).normals for m in (count, 2 * count))
    curved = small @ tangent.T
    return points[anchors], np.concatenate([constant, curved], axis=1), normal_sine(small, large)


def null_split(part: NDArray, whole: NDArray, basis: NDArray, cut: float) -> tuple[NDArray, NDArray]:
    """Split a basis ``(p, r)`` by the ratio |part v| / |whole v| of two maps on it: (below the cut, above)."""
    if basis.shape[1] == 0:
        return basis, basis
    part, whole = short(part), short(whole)
    _, sizes, vt = linalg.svd(whole, full_matrices=False)
    keep = sizes > sizes[0] * rounding(whole.shape)
    frame = vt[keep].T / sizes[keep]
    _, ratios, right = linalg.svd(part @ frame, full_matrices=True)
    ratios = np.concatenate([ratios, np.zeros(frame.shape[1] - len(ratios))])
    small = ratios <= cut
    return basis @ (frame @ right[small].T), basis @ (frame @ right[~small].T)


def short(rows: NDArray) -> NDArray:
    """The triangular factor of a tall matrix: same singular values, few rows."""
    return triangular_factor([rows], rows.shape[1]) if len(rows) > rows.shape[1] else rows
