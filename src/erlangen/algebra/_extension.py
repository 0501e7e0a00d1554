"""Extending the images of generators: to the Lie algebra that they generate, and to group elements."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from erlangen._typing import NDArray
from erlangen.algebra.group import Group
from erlangen.linalg.qr import rounding


def closed_pairs(group: Group, lie: NDArray, discrete: NDArray) -> tuple[NDArray, NDArray, float]:
    """Close pairs (A, rho(A)) under brackets and conjugation, and measure how far rho is from a map.

    Returns
    -------
    basis : ndarray (r, k*k)
        Orthonormal rows that span the Lie algebra of the group.
    images : ndarray (r, s*s)
        Their images.
    defect : float
        Largest image of a zero combination of unit matrices.
    """
    k, s = group.size, lie.shape[1]
    basis, images, defect = np.zeros((0, k * k)), np.zeros((0, s * s)), 0.0
    fresh = list(zip(group.lie_algebra, lie))
    while fresh:
        found = []
        for a, r in fresh:
            norm = np.linalg.norm(a) or 1.0
            a, r = a.ravel() / norm, r.ravel() / norm
            for _ in range(2):
                weights = basis @ a
                a, r = a - weights @ basis, r - weights @ images
            rest = np.linalg.norm(a)
            if rest <= half_of_the_digits(k):
                defect = max(defect, float(np.linalg.norm(r)))
                continue
            basis, images = np.vstack([basis, a / rest]), np.vstack([images, r / rest])
            found.append((basis[-1].reshape(k, k), images[-1].reshape(s, s)))
        fresh = _consequences(found, (basis.reshape(-1, k, k), images.reshape(-1, s, s)), (group.discrete, discrete))
    return basis, images, defect


def _consequences(found, known, discrete) -> list[tuple[NDArray, NDArray]]:
    """Brackets of new pairs with all, and their conjugates by the discrete elements."""
    out = []
    for a, r in found:
        out += [(a @ b - b @ a, r @ q - q @ r) for b, q in zip(*known)]
        out += [(g @ a @ np.linalg.inv(g), q @ r @ np.linalg.inv(q)) for g, q in zip(*discrete)]
    return out


def real_logarithm(g: NDArray) -> NDArray | None:
    """Principal logarithm ``(k, k)`` of a matrix, None where an eigenvalue is zero or negative.

    By square roots down to a neighbourhood of one, where Gauss-Legendre quadrature of
    log(1 + X) = integral of X (1 + t X)^-1 over t from 0 to 1 is exact to rounding.

    References
    ----------
    Higham, Functions of Matrices (2008), sections 11.4 and 11.5. SciPy's logm estimates norms
    with NumPy's global random stream, which is nobody's to draw from.
    """
    eigenvalues = np.linalg.eigvals(g)
    on_the_cut = np.abs(eigenvalues.imag) <= np.sqrt(rounding(g.shape)) * np.abs(eigenvalues)
    if np.any(on_the_cut & (eigenvalues.real <= 0)):
        return None
    one, root, roots = np.eye(len(g)), g, 0
    while np.linalg.norm(root - one, 1) > 0.25 and roots < 64:
        root, roots = np.real(scipy.linalg.sqrtm(root)), roots + 1
    nodes, weights = np.polynomial.legendre.leggauss(12)
    x = root - one
    terms = (w / 2 * np.linalg.solve(one + (t + 1) / 2 * x, x) for t, w in zip(nodes, weights))
    return 2.0**roots * sum(terms, np.zeros_like(x))


def half_of_the_digits(k: int) -> float:
    """How far two matrices of size k may be apart, relative to their size, and count as the same."""
    return float(np.sqrt(rounding((k * k, k * k))))
