"""Which part of a group acts completely reducibly, and in which coordinates one sees it.

A set of matrices that holds its transposes, as a set of generators, acts completely reducibly:
the orthogonal complement of an invariant subspace is invariant. Every reductive group has
coordinates in which this is so.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from erlangen._typing import NDArray
from erlangen.algebra.equivariant._sides import Side, factors_of
from erlangen.algebra.equivariant.closure import lie_closure, stacked


def reductive_part(
    sides: tuple[Side, ...], digits_lost: float = 1.0
) -> tuple[NDArray, NDArray, tuple[NDArray, NDArray]]:
    """Split the generators into those closed under transposes and the others.

    Parameters
    ----------
    sides : tuple of Side
        Representations of one group.
    digits_lost : float
        Factor by which the generators are less exact than rounding.

    Returns
    -------
    lie : ndarray (r, p)
        Combinations of the Lie generators whose span holds its transposes.
    discrete : ndarray of int
        Discrete generators that are orthogonal or symmetric on every factor.
    rest : (ndarray (s, p), ndarray of int)
        Combinations and discrete generators that are left.
    """
    factors = factors_of(sides)
    if not factors:
        nothing = np.zeros((0, 0)), np.zeros(0, dtype=int)
        return *nothing, nothing
    stack, turned = stacked(f.lie for f in factors), stacked(f.lie.transpose(0, 2, 1) for f in factors)
    lie, left = _closed_under_transposes(stack, turned, digits_lost)
    count = next(len(f.discrete) for f in factors)
    fine = np.array([all(_is_normal(f.discrete[i], digits_lost) for f in factors) for i in range(count)], dtype=bool)
    return lie, np.flatnonzero(fine), (left, np.flatnonzero(~fine))


def may_be_reductive(sides: tuple[Side, ...]) -> bool:
    """Whether the trace form of the Lie algebra is regular, as it is where it acts completely reducibly.

    Translations, and all that is strictly triangular, are orthogonal to everything.
    """
    factors = factors_of(sides)
    if not factors or not len(factors[0].lie):
        return True
    basis = lie_closure(factors)
    if basis is None:
        return False
    form = sum(np.einsum("iab,jba->ij", b, b) for b in basis)
    values = np.abs(np.linalg.eigvalsh(form))
    return bool(values.min() > np.sqrt(np.finfo(np.float64).eps) * values.max())


def _closed_under_transposes(stack: NDArray, turned: NDArray, digits_lost: float) -> tuple[NDArray, NDArray]:
    """Combinations ``(r, p)`` whose transposes are combinations too, and a complement of them."""
    p = len(stack)
    if not p:
        return np.zeros((0, 0)), np.zeros((0, 0))
    norms = np.linalg.norm(stack, axis=1)
    weights = np.diag(1.0 / np.where(norms > 0, norms, 1.0))
    _, s, vt = scipy.linalg.svd(weights @ stack, full_matrices=False)
    tol = digits_lost * _tolerance(stack)
    span = vt[s > tol * s.max(initial=0.0)]
    moved = weights @ turned
    outside = moved - (moved @ span.T) @ span
    # All left vectors, also where generators are more than entries; never all right ones.
    u, s, _ = scipy.linalg.svd(outside, full_matrices=outside.shape[0] > outside.shape[1])
    rank = int(np.sum(s > tol))
    return u[:, rank:].T @ weights, u[:, :rank].T @ weights


def _is_normal(h: NDArray, digits_lost: float) -> bool:
    """Whether the transpose of h is its inverse or itself."""
    tol = digits_lost * _tolerance(h) * max(1.0, float(np.abs(h).max()))
    return bool(np.abs(h.T @ h - np.eye(len(h))).max() <= tol or np.abs(h - h.T).max() <= tol)


def _tolerance(a: NDArray) -> float:
    """Rounding of what a user computes in a few steps: a hundred times that of one product."""
    return 100 * float(np.finfo(np.float64).eps) * max(a.shape) ** 0.5
