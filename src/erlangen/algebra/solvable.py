"""Names of solvable algebras: Bianchi's list, almost abelian ones, extensions of h(3)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from erlangen.algebra.simple_names import Named
from erlangen.algebra.structure import Anatomy, complement, subtract

EXACT = 1e-6  # a printed parameter is called rational when it is this near: far above rounding after closing
CLUSTER = 1e-4  # eigenvalues of a Jordan block of size 3 spread by about the cube root of rounding


def number(value: float) -> str:
    """Print a parameter: as a fraction if it is a small one without a finite decimal form, else four digits."""
    near = Fraction(value).limit_denominator(12)
    if abs(float(near) - value) <= EXACT * max(1.0, abs(value)):
        return f"{float(near):g}" if 1000 % near.denominator == 0 else str(near)
    return f"{value:.4g}"


def bianchi(c: NDArray, thr: float) -> Named:
    """Name a three-dimensional algebra by Bianchi's normal form.

    ``c[i,j,k] = eps_ijl n^{lk} + delta_jk a_i - delta_ik a_j`` with n symmetric and n a = 0.

    References
    ----------
    L. Bianchi (1898); G. F. R. Ellis and M. A. H. MacCallum, Commun. Math. Phys. 12 (1969) 108.
    """
    eps = np.zeros((3, 3, 3))
    eps[0, 1, 2] = eps[1, 2, 0] = eps[2, 0, 1] = 1.0
    eps[0, 2, 1] = eps[2, 1, 0] = eps[1, 0, 2] = -1.0
    half = np.einsum("ijk,ijl->lk", c, eps) / 2.0
    n = np.linalg.eigvalsh((half + half.T) / 2.0)
    a = float(np.linalg.norm(np.einsum("ijj->i", c) / 2.0))
    n = n[np.abs(n) > thr]
    if a <= thr:
        return _unimodular(n)
    if n.size == 0:
        return Named("V", ("Bianchi V", "sdil R^2"))
    if n.size == 1:
        return Named("IV", ("Bianchi IV",))
    h = a * a / float(np.sort(np.abs(n))[-2] * np.sort(np.abs(n))[-1] * np.sign(n[0] * n[-1]))
    if abs(h + 1.0) < max(EXACT, thr):
        return Named("aff(1)+R", ("Bianchi III",))
    if h < 0:
        return Named(f"VI_h, h = {number(h)}", (f"Bianchi VI_h, h = {number(h)}",))
    return Named(f"VII_h, h = {number(h)}", (f"Bianchi VII_h, h = {number(h)}",))


def _unimodular(n: NDArray) -> Named:
    if n.size == 0:
        return Named("R^3", ("Bianchi I",))
    if n.size == 1:
        return Named("h(3)", ("Bianchi II", "Heisenberg", "galilei(1)", "carroll(1)"))
    same = bool(np.all(n > 0) or np.all(n < 0))
    if n.size == 2:
        if same:
            return Named("e(2)", ("iso(2)", "se(2)", "Bianchi VII_0"))
        return Named("e(1,1)", ("iso(1,1)", "poincare(1,1)", "Bianchi VI_0"))
    return Named("so(3)") if same else Named("sl(2,R)")


def name_solvable(parts: Anatomy) -> Named | None:
    """Name an indecomposable solvable algebra of dimension at least four, None where no rule applies."""
    p, n = parts.dim, parts.nilradical.shape[1]
    series = tuple(basis.shape[1] for basis in parts.nil_series)
    if n == p and series == (p, 1, 0) and parts.centre.shape[1] == 1:
        return Named(f"h({p})", ("Heisenberg",))
    if n == p - 1 and series == (n, 0):
        return Named(f"R ⋉ R^{n}, weights {weights(_outer(parts, parts.nilradical))}")
    if p == 4 and n == 3 and series == (3, 1, 0):
        return _over_heisenberg(parts)
    if p == 4 and n == 2 and parts.signature == (1, 1):
        return Named("sim(2)", ("aff(1,C)",))
    return None


def _outer(parts: Anatomy, space: NDArray) -> NDArray:
    """Action of the one outer direction on a quotient of the nilradical."""
    outer = complement(parts.nilradical)[:, 0]
    return np.einsum("i,jb,ijk,kl->lb", outer, space, parts.constants, space, optimize=True)


def _over_heisenberg(parts: Anatomy) -> Named:
    """R with h(3): the invariant is f = trace^2 / determinant on the plane n / [n, n]."""
    a = _outer(parts, subtract(parts.nilradical, parts.nil_series[1]))
    trace, det = float(np.trace(a)), float(np.linalg.det(a))
    small = parts.threshold * max(float(np.linalg.norm(a)), parts.threshold)
    if parts.centre.shape[1] == 1:
        if det > 0:
            return Named("osc", ("Nappi-Witten", "centrally extended e(2)", "diamond, weights +-i"))
        return Named("osc(1,1)", ("centrally extended e(1,1)", "diamond, weights +-1"))
    if abs(det) <= small:
        return Named("sdil h(3), f = inf")
    f = trace * trace / det
    scalar = np.linalg.norm(a - trace / 2.0 * np.eye(2)) <= 4.0 * parts.threshold
    block = "" if abs(f - 4.0) > EXACT or scalar else " (Jordan block)"
    return Named(f"sdil h(3), f = {number(f)}{block}")


def weights(a: NDArray) -> str:
    """Spectrum of a matrix up to one factor, with the sizes of Jordan blocks above one."""
    values = np.linalg.eigvals(a)
    values = values / np.abs(values).max()
    groups: list[list[complex]] = []
    for value in sorted(values, key=lambda v: (v.real, abs(v.imag))):
        if value.imag < -CLUSTER:
            continue
        for group in groups:
            if abs(group[0] - value) < CLUSTER * len(a):
                group.append(value)
                break
        else:
            groups.append([value])
    means = np.array([np.mean(group) for group in groups])
    scale = _readable_scale(means)
    scaled = a / np.abs(np.linalg.eigvals(a)).max()
    order = sorted(range(len(groups)), key=lambda g: ((means[g] / scale).real, abs(means[g].imag)))
    return " : ".join(_block(means[g], scale, len(groups[g]), scaled) for g in order)


def _readable_scale(means: NDArray) -> float:
    """The factor that makes the weights the smallest integers if any does, else the smallest one 1."""
    sign = 1.0 if np.real(means).sum() >= 0 else -1.0
    sizes = np.concatenate([np.abs(np.real(means)), np.abs(np.imag(means))])
    sizes = np.unique(sizes[sizes > CLUSTER])
    for divisor in range(1, 13):
        scale = sizes[0] / divisor
        if np.all(np.abs(sizes / scale - np.round(sizes / scale)) < EXACT * divisor):
            return sign * float(scale)
    return sign * float(sizes[0])


def _block(mean: complex, scale: float, multiplicity: int, a: NDArray) -> str:
    value = mean / scale
    if abs(value.imag) > CLUSTER:
        imaginary = number(abs(value.imag))
        text = f"±{'' if imaginary == '1' else imaginary}i"
        text = text if abs(value.real) < CLUSTER else f"{number(value.real)}{text}"
    else:
        text = number(value.real if abs(value.real) > CLUSTER else 0.0)
    shifted = a.astype(complex) - mean * np.eye(len(a))
    kernels, power = [0], np.eye(len(a), dtype=complex)
    for _ in range(multiplicity):
        power = power @ shifted
        kernels.append(int((np.linalg.svd(power, compute_uv=False) < 10 * CLUSTER**1.5).sum()))
    at_least = np.diff(kernels + [kernels[-1]])
    sizes = [k + 1 for k in range(multiplicity) for _ in range(max(int(at_least[k] - at_least[k + 1]), 0))]
    sizes = sizes or [1] * multiplicity
    return " : ".join(text + (f" (block {size})" if size > 1 else "") for size in sorted(sizes))
