"""Simple ideals of a semisimple algebra from the roots of one regular element.

After closing this is a theorem, not a heuristic: dimension, rank, centroid and Killing signature name every
simple real algebra up to dimension 28 except at 21, where the number of long roots decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from erlangen._typing import NDArray
from erlangen.algebra.structure import change_basis, killing_form


@dataclass(frozen=True, eq=False)
class SimpleFactor:
    """A simple ideal.

    Attributes
    ----------
    dim : int
        Real dimension.
    family : str
        Letter of the complex type: A, B, C, D, E, F, G; empty if the roots fit none.
    rank : int
        Rank of the complex type.
    complex_type : bool
        Whether the centroid is C (a complex algebra seen as a real one).
    signature : tuple of int
        Killing signature (positive, negative).
    basis : ndarray (m, dim)
        Orthonormal columns in the coordinates of the semisimple algebra.
    """

    dim: int
    family: str
    rank: int
    complex_type: bool
    signature: tuple[int, int]
    basis: NDArray


def simple_factors(c: NDArray, tol: float) -> tuple[SimpleFactor, ...]:
    """Split a semisimple algebra into its simple ideals.

    Parameters
    ----------
    c : ndarray (m, m, m)
        Structure constants of a semisimple algebra in an orthonormal basis.
    tol : float
        Absolute accuracy of the constants.

    Returns
    -------
    tuple of SimpleFactor
        Largest first, then those with fewer positive Killing directions; empty for m = 0.
    """
    m = c.shape[0]
    if m == 0:
        return ()
    cartan, vectors, roots = _root_system(c, tol)
    if len(roots) == 0:  # semisimple by its Killing form, nilpotent by its roots: below the accuracy
        return (SimpleFactor(m, "", 0, False, (0, 0), np.eye(m)),)
    inner = roots @ np.linalg.pinv(np.real(roots.T @ roots), hermitian=True)
    dual = inner @ roots.T  # bilinear, no conjugate: rational numbers for true roots
    lengths = np.abs(np.diag(dual))
    linked = np.abs(dual) > 0.01 * lengths.min()
    _, label = connected_components(linked, directed=False)
    swapped = _conjugates(roots)
    factors, seen = [], set()
    for component in range(label.max() + 1):
        if component in seen:
            continue
        own = np.flatnonzero(label == component)
        partner = int(label[swapped[own[0]]])
        seen |= {component, partner}
        both = np.flatnonzero((label == component) | (label == partner))
        rank = int(np.linalg.matrix_rank(roots[own], tol=1e-3 * np.linalg.norm(roots[own], 2)))
        size = len(both) + rank * (2 if partner != component else 1)
        basis = _ideal(vectors[:, both], cartan @ inner[both].T, size)
        family = _family(rank, len(own), lengths[own])
        signs = np.linalg.eigvalsh(killing_form(change_basis(c, basis)))
        signature = (int((signs > 0).sum()), int((signs < 0).sum()))
        factors.append(SimpleFactor(size, family, rank, partner != component, signature, basis))
    return tuple(sorted(factors, key=lambda f: (-f.dim, f.signature[0])))


def _root_system(c: NDArray, tol: float) -> tuple[NDArray, NDArray, NDArray]:
    """Cartan subalgebra ``(m, rank)``, root vectors ``(m, r)`` and roots ``(r, rank)`` of the best of six draws."""
    m = c.shape[0]
    draws = []
    for x in np.random.default_rng(2).standard_normal((6, m)):
        ad = np.tensordot(x / np.linalg.norm(x), c, axes=1).T
        values, vectors = np.linalg.eig(ad)
        order = np.argsort(np.abs(values))
        sizes = np.abs(values[order])
        # ad_x x = 0 always: without this floor the largest gap would sit after the first value.
        floor = max(3.0 * tol, 1e-9 * sizes[-1])
        rank = max(int((sizes <= floor).sum()), 1)
        rest = values[order[rank:]]
        apart = np.abs(rest[:, None] - rest[None, :])
        apart[np.diag_indices_from(apart)] = np.inf
        gap = min(apart.min(initial=np.inf), sizes[rank] if rank < m else 0.0) / sizes[-1]
        draws.append((rank, -gap, ad, vectors[:, order[rank:]]))
    rank, _, ad, vectors = min(draws, key=lambda draw: draw[:2])
    cartan = np.linalg.svd(ad)[2][m - rank :].T
    moved = np.einsum("ih,ijk,jr->hkr", cartan, c, vectors, optimize=True)
    roots = np.einsum("kr,hkr->rh", vectors.conj(), moved) / np.einsum("kr,kr->r", vectors.conj(), vectors)[:, None]
    return cartan, vectors, roots


def _conjugates(roots: NDArray) -> NDArray:
    """Index of the complex conjugate of each root."""
    distance = np.linalg.norm(roots[:, None, :] - roots.conj()[None, :, :], axis=2)
    return distance.argmin(axis=1)


def _ideal(vectors: NDArray, coroots: NDArray, size: int) -> NDArray:
    """Real span of root vectors and coroots, exactly ``size`` of them."""
    columns = np.hstack([vectors, coroots / np.linalg.norm(coroots, axis=0)])
    return np.linalg.svd(np.hstack([np.real(columns), np.imag(columns)]), full_matrices=False)[0][:, :size]


def _family(rank: int, count: int, lengths: NDArray) -> str:
    """Letter of a root system from rank, number of roots and their lengths."""
    long = int((lengths > 1.2 * lengths.min()).sum())
    if long == 0:
        simply_laced = {2 * rank * (rank - 1): "D", rank * (rank + 1): "A"}  # A3 = D3 goes by A
        exceptional = {(6, 72): "E", (7, 126): "E", (8, 240): "E"}
        return exceptional.get((rank, count)) or simply_laced.get(count, "")
    if rank == 2:
        return {12: "G", 8: "B"}.get(count, "")
    if (rank, count) == (4, 48):
        return "F"
    if count != 2 * rank * rank:
        return ""
    return "C" if long == 2 * rank else "B"
