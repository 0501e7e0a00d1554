"""Actions whose forms, commutants and blocks are known, shared by the tests of forms and commutants."""

from __future__ import annotations

import numpy as np
from scipy.linalg import block_diag

from erlangen.algebra import catalogue


def spin(l: int) -> np.ndarray:
    """Real (2l+1)-dimensional so(3): harmonic polynomials of degree l under the rotation fields."""
    m = np.arange(-l, l)
    raising = np.diag(np.sqrt(l * (l + 1) - m * (m + 1)), -1)
    complex_j = [(raising + raising.T) / 2, (raising - raising.T) / 2j, np.diag(np.arange(-l, l + 1)).astype(complex)]
    # A real structure: the basis in which i J is real antisymmetric.
    change = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    for k in range(1, l + 1):
        change[l + k, [l + k, l - k]] = (-1) ** k / np.sqrt(2), 1 / np.sqrt(2)
        change[l - k, [l + k, l - k]] = (-1) ** k / (1j * np.sqrt(2)), -1 / (1j * np.sqrt(2))
    change[l, l] = 1.0
    out = np.array([change @ (-1j * j) @ change.conj().T for j in complex_j])
    assert np.abs(out.imag).max() < 1e-12
    return out.real


def direct_sum(*actions: np.ndarray) -> np.ndarray:
    """One algebra acting on a sum of spaces."""
    return np.array([block_diag(*parts) for parts in zip(*actions, strict=True)])


def complexified(matrices: np.ndarray) -> np.ndarray:
    """Complex matrices as real ones of twice the size."""
    return np.array([np.block([[x.real, -x.imag], [x.imag, x.real]]) for x in matrices])


def sl2c() -> np.ndarray:
    real = catalogue.sl(2).matrices.astype(complex)
    return complexified(np.concatenate([real, 1j * real]))


def compact_sp2() -> np.ndarray:
    """sp(2): X J = J conj(X), X + X^* = 0 on C^4, by a null space over the real parameters of u(4)."""
    j = np.kron(np.array([[0, 1], [-1, 0]]), np.eye(2))
    basis = catalogue.u(4).matrices
    x = basis[:, :4, :4] + 1j * basis[:, 4:, :4]
    rows = np.array([(m @ j - j @ m.conj()).ravel() for m in x])
    _, s, vt = np.linalg.svd(np.hstack([rows.real, rows.imag]).T)
    null = vt[np.sum(s > 1e-10) :]
    return np.tensordot(null, basis, 1)


def octonion_product() -> np.ndarray:
    """m[i,j,k]: e_i e_j = sum_k m[i,j,k] e_k, from the seven oriented triples."""
    m = np.zeros((8, 8, 8))
    m[0, range(8), range(8)] = m[range(8), 0, range(8)] = 1
    for i in range(1, 8):
        m[i, i, 0] = -1
    for a, b, c in [(1, 2, 3), (1, 4, 5), (1, 7, 6), (2, 4, 6), (2, 5, 7), (3, 4, 7), (3, 6, 5)]:
        for x, y, z in [(a, b, c), (b, c, a), (c, a, b)]:
            m[x, y, z], m[y, x, z] = 1, -1
    return m


def g2() -> np.ndarray:
    """Derivations D(xy) = D(x) y + x D(y) of the octonions."""
    m = octonion_product()
    unknowns = np.eye(64).reshape(64, 8, 8)  # D e_j = sum_i D[i,j] e_i
    left = np.einsum("ijk,ulk->uijl", m, unknowns)
    right = np.einsum("uai,ajl->uijl", unknowns, m) + np.einsum("uaj,ial->uijl", unknowns, m)
    _, s, vt = np.linalg.svd((left - right).reshape(64, -1).T)
    return vt[np.sum(s > 1e-10) :].reshape(-1, 8, 8)


def killing_form(matrices: np.ndarray) -> np.ndarray:
    """tr(ad_i ad_j) from explicit structure constants: the oracle for trace ratios."""
    p = len(matrices)
    flat = matrices.reshape(p, -1)
    brackets = np.matmul(matrices[:, None], matrices[None]) - np.matmul(matrices[None], matrices[:, None])
    c = np.linalg.lstsq(flat.T, brackets.reshape(p * p, -1).T, rcond=None)[0].T.reshape(p, p, p)
    return np.einsum("iab,jba->ij", c, c)


def conjugated(matrices: np.ndarray, rng: int) -> np.ndarray:
    """A mixed basis of the same algebra in other coordinates, of condition at most 3."""
    rng = np.random.default_rng(rng)
    p, k = matrices.shape[:2]
    s = np.linalg.qr(rng.standard_normal((k, k)))[0] * rng.uniform(0.6, 1.8, k)
    mix = np.linalg.qr(rng.standard_normal((p, p)))[0] * rng.uniform(0.7, 1.4, p)
    return np.tensordot(mix, s @ matrices @ np.linalg.inv(s), 1)


J = np.array([[0.0, -1.0], [1.0, 0.0]])
ONE = np.eye

# name: (generators, symmetric forms, antisymmetric forms, commutant signature, block sizes, trace ratio or None)
ACTIONS = {
    "so(3) on R^3": (spin(1), 1, 0, (1, 0), (3,), 1.0),
    "so(3) on R^5": (spin(2), 1, 0, (1, 0), (5,), 5.0),
    "so(3) on R^7": (spin(3), 1, 0, (1, 0), (7,), 14.0),
    "so(3) on R^3+R^3": (direct_sum(spin(1), spin(1)), 3, 1, (3, 1), (3, 3), 2.0),
    "so(3) on R^3+R^5": (direct_sum(spin(1), spin(2)), 2, 0, (2, 0), (3, 5), 6.0),
    "so(3) on R+R^3": (direct_sum(np.zeros((3, 1, 1)), spin(1)), 2, 0, (2, 0), (1, 3), 1.0),
    "su(2) on C^2": (catalogue.su(2).matrices, 1, 3, (1, 3), (4,), 0.5),
    "u(2) on C^2": (catalogue.u(2).matrices, 1, 1, (1, 1), (4,), None),
    "su(3) on C^3": (catalogue.su(3).matrices, 1, 1, (1, 1), (6,), 1 / 3),
    "sp(2) on H^2": (compact_sp2(), 1, 3, (1, 3), (8,), 1 / 3),
    "g2 on R^8": (g2(), 2, 0, (2, 0), (1, 7), 0.25),
    "so(1,3) on R^4": (catalogue.so(1, 3).matrices, 1, 0, (1, 0), (4,), 0.5),
    "sl(2,C) on C^2": (sl2c(), 0, 2, (1, 1), (4,), 0.25),
    "sp(4,R) on R^4": (catalogue.sp(4).matrices, 0, 1, (1, 0), (4,), 1 / 6),
    "sl(2,R) on R^2": (catalogue.sl(2).matrices, 0, 1, (1, 0), (2,), 0.25),
    "gl(2) on R^2": (catalogue.gl(2).matrices, 0, 0, (1, 0), (2,), None),
}

HEISENBERG = catalogue.heisenberg(1).matrices
NILPOTENT = np.eye(4, k=1)[None] * np.array([1.0])[:, None, None]
COMPACT = {
    "so(3)": (spin(1), True),
    "so(3) on R^5": (spin(2), True),
    "u(2)": (catalogue.u(2).matrices, True),
    "irrational torus": (block_diag(J, np.sqrt(2) * J)[None], True),
    "so(2)": (J[None], True),
    "su(3)": (catalogue.su(3).matrices, True),
    "2 x R^3": (direct_sum(spin(1), spin(1)), True),
    "e(2)": (catalogue.e(2).matrices, False),
    "so(2,1)": (catalogue.so(2, 1).matrices, False),
    "sl(2)": (catalogue.sl(2).matrices, False),
    "scaling": (np.eye(2)[None], False),
    "so(3)+R": (np.concatenate([spin(1), np.eye(3)[None]]), False),
    "h(3)": (HEISENBERG, False),
    "nilpotent": (NILPOTENT, False),
}
