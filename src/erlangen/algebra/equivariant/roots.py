"""Simple root vectors of a complexified algebra, in the images on all factors at once.

For a real algebra closed under transposes, X -> X^H is a Cartan involution of its complexification
and tr(X^H Y) an invariant inner product. A random Hermitian element H is regular: its centraliser
is a Cartan subalgebra, and the eigenvectors of ad H with other eigenvalues are root vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from erlangen._typing import NDArray
from erlangen.algebra.equivariant._sides import Factor
from erlangen.algebra.equivariant.closure import lie_closure, product_rounding, stacked
from erlangen.algebra.equivariant.isotypic import NotSplitError

_LARGEST = 300  # dimension of the algebra up to which roots are looked for: ad H is p x p


@dataclass(frozen=True, eq=False)
class Roots:
    """A Cartan subalgebra and simple root vectors, as combinations of an orthonormal basis.

    Attributes
    ----------
    basis : tuple of ndarray (p, s, s)
        Orthonormal basis of the algebra by its image on each factor.
    regular : ndarray (p,)
        The regular Hermitian element H; roots are positive where they are positive on it.
    cartan : ndarray (r, p)
        Hermitian basis of its centraliser.
    raising : ndarray (l, p)
        Root vectors E_i of the simple roots, scaled so that [E_i, E_i^H] = H_i has alpha_i(H_i) = 2.
    coroots : ndarray (l, p)
        The elements H_i.
    """

    basis: tuple[NDArray, ...]
    regular: NDArray
    cartan: NDArray
    raising: NDArray
    coroots: NDArray

    def image(self, factor: int, element: NDArray) -> NDArray:
        """Matrix (s, s) of an element ``(p,)`` on one factor."""
        return np.tensordot(element, self.basis[factor], 1)


def find_roots(factors: tuple[Factor, ...], rng: int | np.random.Generator = 0) -> Roots:
    """Find a Cartan subalgebra and simple roots of the algebra that the generators span.

    Parameters
    ----------
    factors : tuple of Factor
        Different factors; their Lie images span an algebra closed under transposes.
    rng : int or Generator
        For the regular element.

    Raises
    ------
    NotSplitError
        Where the algebra is too large, or the eigenvalues do not separate.
    """
    rng = np.random.default_rng(rng)
    basis = lie_closure(factors, _LARGEST)
    if basis is None:
        raise NotSplitError(f"an algebra of more than {_LARGEST} dimensions")
    c = _structure_constants(basis)
    turned = np.einsum("iN,jN->ij", stacked([b.transpose(0, 2, 1) for b in basis]), stacked(basis))
    x, y = rng.standard_normal((2, len(turned)))
    regular = (x + turned @ x) / 2 + 0.5j * (y - turned @ y)
    ad = np.einsum("i,ijk->kj", regular, c)
    values, vectors = scipy.linalg.eigh((ad + ad.conj().T) / 2)
    size = float(np.abs(values).max(initial=0.0))
    if size <= product_rounding(len(values)):
        return Roots(basis, regular, _hermitian(vectors, turned), np.zeros((0, len(c))), np.zeros((0, len(c))))
    zero = np.abs(values) <= product_rounding(len(values)) * size
    positive = values > product_rounding(len(values)) * size
    if zero.sum() + 2 * positive.sum() != len(values) or _close(values[positive], size):
        raise NotSplitError("the roots do not separate")
    cartan = _hermitian(vectors[:, zero], turned)
    simple = _simple_roots(c, cartan, vectors[:, positive].T)
    raising, coroots = _scaled(c, simple, turned)
    return Roots(basis, regular, cartan, raising, coroots)


def _structure_constants(basis: tuple[NDArray, ...]) -> NDArray:
    """c[i, j, k] with [e_i, e_j] = sum_k c[i, j, k] e_k in the orthonormal basis."""
    p, out = len(basis[0]), 0.0
    for b in basis:
        products = np.einsum("iab,jbc->ijac", b, b)
        out = out + np.einsum("ijac,kac->ijk", products - products.transpose(1, 0, 2, 3), b)
    return np.asarray(out).reshape(p, p, p)


def _hermitian(columns: NDArray, turned: NDArray) -> NDArray:
    """Basis ``(r, p)`` of Hermitian elements of a span closed under the adjoint."""
    # The adjoint of sum x_i e_i has coordinates turned^T conj(x); real combinations of sums and
    # differences are Hermitian.
    x = columns.T
    adjoint = x.conj() @ turned
    both = np.vstack([x + adjoint, 1j * (x - adjoint)])
    split = np.hstack([both.real, both.imag])
    _, s, vt = scipy.linalg.svd(split, full_matrices=False)
    half = vt.shape[1] // 2
    kept = vt[: columns.shape[1]]
    return kept[:, :half] + 1j * kept[:, half:]


def _simple_roots(c: NDArray, cartan: NDArray, vectors: NDArray) -> NDArray:
    """Root vectors ``(l, p)`` of the positive roots that are no sum of two positive roots."""
    moved = np.einsum("ri,ijk,nj->nrk", cartan, c, vectors)
    roots = np.einsum("nk,nrk->nr", vectors.conj(), moved).real
    sums = (roots[:, None] + roots[None, :]).reshape(-1, roots.shape[1])
    size = float(np.abs(roots).max(initial=0.0))
    distance = np.abs(roots[:, None, :] - sums[None, :, :]).max(axis=2)
    return vectors[distance.min(axis=1) > np.sqrt(np.finfo(np.float64).eps) * size]


def _scaled(c: NDArray, simple: NDArray, turned: NDArray) -> tuple[NDArray, NDArray]:
    raising, coroots = [], []
    for e in simple:
        f = e.conj() @ turned
        h = np.einsum("i,j,ijk->k", e, f, c)
        root = float(np.einsum("k,i,j,ijk->", e.conj(), h, e, c).real)  # [h, e] = root e for e of norm 1
        raising.append(e * np.sqrt(2 / root))
        coroots.append(h * (2 / root))
    return np.array(raising), np.array(coroots)


def _close(values: NDArray, size: float) -> bool:
    gaps = np.diff(np.sort(values))
    return bool(len(gaps)) and float(gaps.min()) <= np.sqrt(np.finfo(np.float64).eps) * size
