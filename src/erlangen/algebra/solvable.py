"""Names of solvable algebras: Bianchi's list, almost abelian ones, extensions of h(3)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.linalg import eig
from scipy.sparse.csgraph import connected_components

from erlangen._typing import NDArray
from erlangen.algebra.simple_names import Named
from erlangen.algebra.structure import Anatomy, complement, subtract

EXACT = 1e-6  # a printed parameter is called rational when it is this near: far above rounding after closing
WITHIN = 3.0  # standard errors within which a parameter may differ from its special value
LARGEST = 1000.0  # numerators beyond are no small rationals
CHANCE = 0.25  # how far the error may reach towards the next integer; less for fractions, of which there are more
CLUSTER = 1e-4  # eigenvalues of a Jordan block of size 3 spread by about the cube root of rounding


def number(value: float, error: float = 0.0) -> str:
    """Print a parameter: a small rational if one is within its error, else with the digits that the error leaves.

    A fraction p/q counts as small if q <= 12 and |p| < 1000, and as within the error only where the error is
    too small to meet a fraction of that denominator by chance.
    """
    if not np.isfinite(value):
        return f"{value}"
    reach = max(WITHIN * error, EXACT * max(1.0, abs(value)))
    if abs(value) < LARGEST:
        for q in range(1, 13):
            near = Fraction(round(value * q), q)
            if abs(float(near) - value) <= reach and reach * q**2.5 < CHANCE:
                return f"{float(near):g}" if 1000 % near.denominator == 0 else str(near)
    kept = int(np.floor(np.log10(max(abs(value), error) / error))) + 1 if error > 0 else 4
    return f"{value:.{min(max(kept, 1), 4)}g}"


def bianchi(c: NDArray, thr: float, error: float = 0.0) -> Named:
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
    sizes = np.sort(np.abs(n))[-2:]
    h = a * a / float(sizes[0] * sizes[1] * np.sign(n[0] * n[-1]))
    spread = abs(h) * error * float(np.sqrt((2.0 / a) ** 2 + (1.0 / sizes**2).sum()))
    if abs(h + 1.0) < max(EXACT, thr):
        return Named("aff(1)+R", ("Bianchi III",))
    # A constant that stands for zero within the error is no rational: its size is all that is printed.
    value = f"{h:.1g}" if abs(h) <= WITHIN * spread else number(h, spread)
    text = f"VI_h, h = {value}" if h < 0 else f"VII_h, h = {value}"
    return Named(text, (f"Bianchi {text}",))


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


def name_solvable(parts: Anatomy, error: float = 0.0) -> Named | None:
    """Name an indecomposable solvable algebra of dimension at least four, None where no rule applies.

    Parameters are read at accuracy ``error`` of the structure constants.
    """
    p, n = parts.dim, parts.nilradical.shape[1]
    series = tuple(basis.shape[1] for basis in parts.nil_series)
    if n == p and series == (p, 1, 0) and parts.centre.shape[1] == 1:
        return Named(f"h({p})", ("Heisenberg",))
    if n == p - 1 and series == (n, 0):
        return Named(f"R ⋉ R^{n}, weights {weights(_outer(parts, parts.nilradical), error)}")
    if p == 4 and n == 3 and series == (3, 1, 0):
        return _over_heisenberg(parts, error)
    if p == 4 and n == 2 and parts.signature == (1, 1):
        return Named("sim(2)", ("aff(1,C)",))
    return None


def _outer(parts: Anatomy, space: NDArray) -> NDArray:
    """Action of the one outer direction on a quotient of the nilradical."""
    outer = complement(parts.nilradical)[:, 0]
    return np.einsum("i,jb,ijk,kl->lb", outer, space, parts.constants, space, optimize=True)


def _over_heisenberg(parts: Anatomy, error: float) -> Named:
    """R with h(3): the invariant is f = trace^2 / determinant on the plane n / [n, n]."""
    a = _outer(parts, subtract(parts.nilradical, parts.nil_series[1]))
    trace, det = float(np.trace(a)), float(np.linalg.det(a))
    near = max(parts.threshold, WITHIN * error)
    small = near * max(float(np.linalg.norm(a)), near)
    if parts.centre.shape[1] == 1 or (abs(trace) <= near and abs(det) > small):
        if det > 0:
            return Named("osc", ("Nappi-Witten", "centrally extended e(2)", "diamond, weights +-i"))
        return Named("osc(1,1)", ("centrally extended e(1,1)", "diamond, weights +-1"))
    if abs(det) <= small:
        return Named("sdil h(3), f = inf")
    f = trace * trace / det
    spread = abs(f) * error * (2.0 / abs(trace) + float(np.linalg.norm(a)) / abs(det))
    scalar = np.linalg.norm(a - trace / 2.0 * np.eye(2)) <= 4.0 * near
    block = "" if abs(f - 4.0) > max(EXACT, WITHIN * spread) or scalar else " (Jordan block)"
    return Named(f"sdil h(3), f = {number(f, spread)}{block}")


@dataclass(frozen=True)
class _Weight:
    """An eigenvalue with its multiplicity and error; of a conjugate pair the upper one."""

    value: complex
    multiplicity: int
    error: float


def _spectrum(a: NDArray, error: float) -> list[_Weight]:
    """Eigenvalues of a matrix of accuracy ``error``, those being one that the error may have split.

    The error of an eigenvalue is that of the matrix times its condition, which grows as eigenvalues meet, so
    Jordan blocks are put together again; beyond the m-th root of the error no eigenvalue moves.
    """
    m = len(a)
    values, left, right = eig(a, left=True, right=True)
    overlap = np.abs(np.einsum("ki,ki->i", left.conj(), right))
    errors = np.minimum(error / np.maximum(overlap, np.finfo(np.float64).eps), error ** (1.0 / m))
    reach = np.maximum(CLUSTER * m, 2.0 * WITHIN * np.minimum(errors[:, None], errors[None, :]))
    _, label = connected_components(np.abs(values[:, None] - values[None, :]) < reach, directed=False)
    found = []
    for mark in dict.fromkeys(label.tolist()):
        own = np.flatnonzero(label == mark)
        mean = complex(values[own].mean())
        spread = float(errors[own[0]]) if len(own) == 1 else error
        real = abs(mean.imag) <= max(CLUSTER, WITHIN * spread)
        if real or mean.imag > 0:
            found.append(_Weight(complex(mean.real) if real else mean, len(own), spread))
    return found


def weights(a: NDArray, error: float = 0.0) -> str:
    """Spectrum of a matrix of accuracy ``error`` up to one factor, with the sizes of Jordan blocks above one."""
    size = float(np.abs(np.linalg.eigvals(a)).max())
    a, error = a / size, error / size
    found = _spectrum(a, error)
    scale = _readable_scale(found)
    found = sorted(found, key=lambda w: ((w.value / scale).real, w.value.imag))
    return " : ".join(_block(weight, scale, a, error) for weight in found)


def _readable_scale(found: list[_Weight]) -> float:
    """The factor that makes the weights the smallest integers if any does, else the smallest one 1."""
    sign = 1.0 if sum(w.multiplicity * w.value.real for w in found) >= 0 else -1.0
    sizes = np.array([abs(part) for w in found for part in (w.value.real, w.value.imag)])
    errors = np.array([w.error for w in found for _ in range(2)])
    keep = (sizes > np.maximum(CLUSTER, WITHIN * errors)) | (sizes == sizes.max())
    order = np.argsort(sizes[keep])
    sizes, errors = sizes[keep][order], errors[keep][order]
    spread = np.concatenate([[0.0], WITHIN * (errors + errors[0] * sizes / sizes[0])[1:]])
    for divisor in range(1, 13):
        scale = sizes[0] / divisor
        reach = np.maximum(EXACT * divisor, spread / scale)
        off = np.abs(sizes / scale - np.round(sizes / scale))
        if np.all(off < reach) and np.all(reach * divisor < CHANCE):
            return sign * float(scale)
    return sign * float(sizes[0])


def _block(weight: _Weight, scale: float, a: NDArray, error: float) -> str:
    """Print a weight once per Jordan block."""
    value, spread, multiplicity = weight.value / scale, 2.0 * weight.error / abs(scale), weight.multiplicity
    zero = max(CLUSTER, WITHIN * spread)
    text = "0" if abs(value.real) <= zero else number(value.real, spread)
    if weight.value.imag:
        imaginary = number(abs(value.imag), spread)
        text = f"{'' if text == '0' else text}±{'' if imaginary == '1' else imaginary}i"
    shifted = a.astype(complex) - weight.value * np.eye(len(a))
    norm = float(np.linalg.norm(shifted, 2))
    kernels, power = [0], np.eye(len(a), dtype=complex)
    for k in range(1, multiplicity + 1):
        power = power @ shifted
        floor = max(10 * CLUSTER**1.5, 2.0 * WITHIN * k * error * norm ** (k - 1))
        kernels.append(int((np.linalg.svd(power, compute_uv=False) < floor).sum()))
    at_least = np.diff(kernels + [kernels[-1]])
    sizes = [k + 1 for k in range(multiplicity) for _ in range(max(int(at_least[k] - at_least[k + 1]), 0))]
    sizes = sizes or [1] * multiplicity
    return " : ".join(text + (f" (block {size})" if size > 1 else "") for size in sorted(sizes))
