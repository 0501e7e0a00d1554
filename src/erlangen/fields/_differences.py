"""Derivatives of sampled functions by local interpolation, on any spacing, never across a gap."""

from __future__ import annotations

import numpy as np

from erlangen._typing import NDArray

GAP = 10.0
"""A step this many times longer than the median step of its run is a gap: nothing is interpolated over it."""


def segments(time: NDArray) -> list[slice]:
    """Split the times of one run at its gaps.

    Examples
    --------
    >>> segments(np.array([0.0, 1.0, 2.0, 3.0, 50.0, 51.0]))
    [slice(0, 4, None), slice(4, 6, None)]
    """
    steps = np.diff(time)
    cuts = np.flatnonzero(steps > GAP * np.median(steps)) + 1
    edges = [0, *cuts.tolist(), len(time)]
    return [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def differentiate(time: NDArray, states: NDArray, width: int) -> NDArray:
    """Differentiate samples by the polynomial through the nearest `width` samples of each.

    Inside a segment the stencil is centred, at its ends it is one-sided. On equal steps h the error is of order
    ``h^(width - 1)``. The weights are those of barycentric Lagrange interpolation; a constant is differentiated
    to zero exactly, because only differences of states enter.

    Parameters
    ----------
    time : ndarray (n,)
        Increasing times of one segment.
    states : ndarray (n, d)
        The samples.
    width : int
        Samples in a stencil, at least 2 and at most n.

    Returns
    -------
    ndarray (n, d)
        The derivatives at the samples.

    References
    ----------
    J.-P. Berrut and L. N. Trefethen, "Barycentric Lagrange interpolation", SIAM Review 46 (2004), equation 9.4.
    """
    n = len(time)
    first = np.clip(np.arange(n) - width // 2, 0, n - width)
    stencil = first[:, None] + np.arange(width)
    own = np.arange(n) - first
    nodes = time[stencil] - time[:, None]
    nodes = nodes / np.abs(nodes).max(axis=1, keepdims=True)  # differences multiply without under- or overflow
    gaps = nodes[:, :, None] - nodes[:, None, :]
    gaps[:, np.arange(width), np.arange(width)] = 1.0
    barycentric = 1.0 / gaps.prod(axis=2)
    to_own = gaps[np.arange(n), own]  # t_i - t_j, one on the diagonal
    weights = barycentric / barycentric[np.arange(n), own][:, None] / to_own
    weights[np.arange(n), own] = 0.0
    reach = np.abs(time[stencil] - time[:, None]).max(axis=1)
    return np.einsum("ns,nsd->nd", weights, states[stencil] - states[:, None, :]) / reach[:, None]
