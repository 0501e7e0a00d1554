"""Weighted group elements whose mean is the invariant (Haar) average: exact, by quadrature, or drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil, gcd, lcm

import numpy as np
import scipy.linalg

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Group, from_matrices, is_compact
from erlangen.algebra._elements import Elements
from erlangen.nn._parts import parts_of

MOST_ELEMENTS = 10_000
"""Elements of a finite group that are enumerated, and nodes of a quadrature: each is one evaluation of the model."""

SPIN = 8
"""Highest spin that quadratures on SO(3) and SU(2) integrate exactly unless more is asked for: 405 nodes."""

FREQUENCY = {1: 63, 2: 15}
"""Highest frequency on a circle and on each of two, unless more is asked for; on more circles the spin."""

SAMPLES = 500
"""Random elements where no quadrature is known: the average is then known to one part in the root of that."""

MIXED = 34
"""Random steps until a walk is uniform: each shrinks what is left to a third or less, and 3^-34 is rounding."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """Group elements with weights that add up to one.

    Attributes
    ----------
    elements : ndarray (J, k, k)
        The elements.
    weights : ndarray (J,)
        Their weights.
    method : str
        ``"exact"``, ``"quadrature"`` or ``"samples"``.
    reason : str
        What is exact and what is not, in words.
    listed : Elements or None
        For finite groups: how the elements are made of the generators.
    """

    elements: NDArray
    weights: NDArray
    method: str
    reason: str
    listed: Elements | None = None

    def __len__(self) -> int:
        return len(self.elements)


def cosets(group: Group, discrete: NDArray, most: int = MOST_ELEMENTS) -> Elements:
    """Elements of the finite group that discrete elements of a group generate.

    Raises
    ------
    InputError
        Where there are more than ``most``: it is infinite, or too large to be enumerated.
    """
    try:
        return from_matrices(discrete=discrete, name=group.name).elements(most)
    except InputError as error:
        raise InputError(
            explain(
                f"The discrete elements of {group.name} have too many products to be averaged over.",
                given=str(error).partition("\n")[0],
                expected=f"a finite group of at most {most} elements",
                fix='symmetrize(model, groups.S(n), method="frame") for permutations; nn.EquivariantMLP for any group',
            )
        ) from None


def has_average(algebra: NDArray) -> bool:
    """Whether a Lie algebra is compact, or generates a group with a compact closure."""
    return not np.any(algebra) or is_compact(algebra)


def require_compact(group: Group) -> None:
    """Explain what to do where the group has no invariant average."""
    _require_compact(group, parts_of(group).algebra)


def _require_compact(group: Group, algebra: NDArray) -> None:
    if not has_average(algebra):
        affine = bool(not np.any(algebra[:, -1]))
        raise InputError(
            explain(
                f"{group.name} is not compact: it has no average.",
                given=f"{len(algebra)} generators"
                + (
                    ", among them translations or others without a fixed point"
                    if affine
                    else ", some of them unbounded"
                ),
                expected="a compact group: finite, or a closed group of rotations or unitary matrices",
                fix="er.nn.EquivariantMLP or er.nn.InvariantScalars (exact by construction), a penalty in the loss, "
                + ("or differences to a mean point for translations" if affine else "or a compact subgroup"),
            )
        )


def average_nodes(group: Group, *, band: int | None = None, samples: int | None = None, rng: int = 0) -> Nodes:
    """Nodes for a compact group: those of its identity component times the finite group of its discrete elements.

    Parameters
    ----------
    group : Group
        A compact group.
    band : int, optional
        Highest spin (rotations of space) or frequency (circles) that is integrated exactly.
    samples : int, optional
        Take this many random elements instead of a quadrature.
    rng : int
        For random elements.

    Raises
    ------
    InputError
        Where the group is not compact, or its discrete elements generate too many.
    """
    whole = parts_of(group)
    algebra = whole.algebra
    _require_compact(group, algebra)
    # Uniform elements of the finite group times uniform ones of the identity component are uniform in the group,
    # whether or not the two meet outside the identity.
    listed = cosets(group, whole.discrete) if len(whole.discrete) else None
    finite = np.eye(group.size)[None] if listed is None else listed.matrices
    if not len(algebra):
        reason = f"all {len(finite)} elements of {group.name}: exact up to rounding"
        return Nodes(finite, np.full(len(finite), 1 / len(finite)), "exact", reason, listed)
    parts = None if samples is not None else _quadrature(algebra, band)
    if parts is not None and len(parts.weights) * len(finite) > MOST_ELEMENTS:
        parts = None
    if parts is None:
        parts = _drawn(group.name, algebra, SAMPLES if samples is None else samples, rng)
    elements = np.einsum("jab,hbc->jhac", parts.elements, finite).reshape(-1, group.size, group.size)
    weights = np.repeat(parts.weights / len(finite), len(finite))
    words = f", times {len(finite)} discrete elements" if len(finite) > 1 else ""
    if whole.grown:
        words += f"; with {whole.grown} more generators, which those given make together"
    return Nodes(elements, weights, parts.method, parts.reason + words)


def _drawn(name: str, algebra: NDArray, samples: int, rng: int) -> Nodes:
    elements = haar(algebra, samples, rng)
    reason = (
        f"{samples} random elements of the identity component of {name}: the average is known to about "
        f"{1 / np.sqrt(samples):.1g} of what varies along the group"
    )
    return Nodes(elements, np.full(samples, 1 / samples), "samples", reason)


def haar(algebra: NDArray, n: int, rng: int | np.random.Generator = 0) -> NDArray:
    """Uniform random elements ``(n, k, k)`` of the closed connected group of a compact Lie algebra.

    A product of exponentials of long random generators: in every irreducible representation but the trivial one
    a step keeps, of the mean, the share of zero weights, which is a third at most (spin 1 of so(3)).
    """
    rng = np.random.default_rng(rng)
    to, back = _orthogonal_frame(algebra)
    rotated = np.einsum("ab,pbc,cd->pad", to, algebra, back)
    rotated = _killing_orthonormal((rotated - rotated.transpose(0, 2, 1)) / 2)
    g = np.tile(np.eye(algebra.shape[1]), (n, 1, 1))
    for _ in range(MIXED):
        # Angles of many turns, so that their remainder is uniform.
        step = np.einsum("np,pab->nab", 40 * np.pi * rng.standard_normal((n, len(rotated))), rotated)
        w, v = np.linalg.eigh(1j * step)
        g = np.einsum("nab,nb,ncb,ncd->nad", v, np.exp(-1j * w), v.conj(), g, optimize=True).real
    return np.einsum("ab,nbc,cd->nad", back, g, to)


def uniform(group: Group, n: int, rng: int | np.random.Generator = 0) -> NDArray:
    """Uniform random elements ``(n, k, k)`` of a compact group."""
    rng = np.random.default_rng(rng)
    whole = parts_of(group)
    algebra = whole.algebra
    connected = haar(algebra, n, rng) if len(algebra) else np.tile(np.eye(group.size), (n, 1, 1))
    if not len(whole.discrete):
        return connected
    if algebra.size == 0 and group.permutations is not None:
        return _shuffled(group.discrete, n, rng)
    finite = cosets(group, whole.discrete).matrices
    return connected @ finite[rng.integers(len(finite), size=n)]


def _shuffled(generators: NDArray, n: int, rng: np.random.Generator) -> NDArray:
    """Random elements of a permutation group, which may be too large to be listed."""
    from sympy.combinatorics import Permutation, PermutationGroup

    group = PermutationGroup([Permutation(g.argmax(axis=0).tolist()) for g in generators])
    chain = group.basic_transversals
    out = np.empty((n, *generators.shape[1:]))
    one = np.eye(generators.shape[1])
    for i in range(n):
        element = Permutation(generators.shape[1] - 1)
        for orbit in chain:  # one representative of each link, uniformly: every element in exactly one way
            choices = list(orbit.values())
            element = choices[rng.integers(len(choices))] * element
        out[i] = one[:, element.array_form]
    return out


def _orthogonal_frame(algebra: NDArray) -> tuple[NDArray, NDArray]:
    """Matrices (to, back) that turn a bounded action into an orthogonal one."""
    if np.abs(algebra + algebra.transpose(0, 2, 1)).max() <= 1e-12 * np.abs(algebra).max():
        return np.eye(algebra.shape[1]), np.eye(algebra.shape[1])
    a, k = algebra, algebra.shape[1]
    form = np.eye(k)
    rng = np.random.default_rng(0)
    scale = np.abs(a).max()
    for _ in range(60):
        g = scipy.linalg.expm(np.tensordot(rng.standard_normal(len(a)) * 2 / scale, a, 1))
        form = (form + g.T @ form @ g) / 2
    # Project on the forms that are exactly preserved: the average is only near them.
    rows = np.concatenate([np.kron(x.T, np.eye(k)) + np.kron(np.eye(k), x.T) for x in a])
    _, s, vt = np.linalg.svd(rows)
    null = vt[np.concatenate([s, np.zeros(k * k - len(s))]) <= 1e-6 * s[0]]
    if len(null):
        form = (null.T @ (null @ form.ravel())).reshape(k, k)
    e, q = np.linalg.eigh((form + form.T) / 2)
    root = np.sqrt(np.clip(e, 1e-12 * e[-1], None))
    return (q * root).T, q / root


def _killing_orthonormal(algebra: NDArray) -> NDArray:
    flat = algebra.reshape(len(algebra), -1)
    basis = np.linalg.svd(flat, full_matrices=False)[2][: len(algebra)]
    return (basis / np.abs(basis).max()).reshape(algebra.shape)


def _quadrature(algebra: NDArray, band: int | None) -> Nodes | None:
    """A quadrature for a torus or for so(3); None for other algebras."""
    brackets = algebra[:, None] @ algebra[None] - algebra[None] @ algebra[:, None]
    size = np.abs(algebra).max() ** 2 * algebra.shape[1]
    if np.abs(brackets).max() <= 1e-9 * size:
        return _torus(algebra, band)
    return _rotations(algebra, brackets, SPIN if band is None else band) if len(algebra) == 3 else None


def _torus(algebra: NDArray, band: int | None) -> Nodes | None:
    """The trapezoid rule on each circle of a torus."""
    circles = _circles(algebra)
    count = 1 + (FREQUENCY.get(len(algebra), SPIN) if band is None else band)
    if circles is None or count ** len(circles) > MOST_ELEMENTS:
        return None
    angles = 2 * np.pi * np.arange(count) / count
    turns = [np.array([_exact(scipy.linalg.expm(t * a)) for t in angles]) for a in circles]
    elements = turns[0]
    for more in turns[1:]:
        elements = np.einsum("jab,lbc->jlac", elements, more).reshape(-1, *algebra.shape[1:])
    what = "the circle" if len(circles) == 1 else f"each of {len(circles)} circles"
    reason = f"{count} angles on {what}: exact for frequencies up to {count - 1}, error falls exponentially beyond"
    return Nodes(elements, np.full(len(elements), 1 / len(elements)), "quadrature", reason)


def _circles(algebra: NDArray) -> NDArray | None:
    """Commuting generators of period 2 pi that span a torus; None where it does not close."""
    w = _weights(algebra)
    reduced = w.copy()
    combine = np.eye(len(algebra))
    for row in range(len(algebra)):
        i, j = np.unravel_index(int(np.argmax(np.abs(reduced[row:]))), reduced[row:].shape)
        if abs(reduced[row + i, j]) <= 1e-9 * np.abs(w).max():
            return None
        for m in (reduced, combine):
            m[[row, row + i]] = m[[row + i, row]]
        pivot = reduced[row, j]
        reduced[row], combine[row] = reduced[row] / pivot, combine[row] / pivot
        for other in range(len(algebra)):
            if other != row:
                factor = reduced[other, j]
                reduced[other] -= factor * reduced[row]
                combine[other] -= factor * combine[row]
    out = []
    for weights, c in zip(reduced, combine):
        whole = _common_frequency(weights)
        if whole is None:
            return None
        out.append(np.tensordot(c, algebra, 1) / whole)
    return np.array(out)


def _weights(algebra: NDArray) -> NDArray:
    """Frequencies ``(p, m)`` of commuting generators on their common invariant planes."""
    to, back = _orthogonal_frame(algebra)
    a = np.einsum("ab,pbc,cd->pad", to, algebra, back)
    generic = np.tensordot(np.random.default_rng(0).uniform(0.5, 1.5, len(a)), a, 1)
    v = np.linalg.eigh(1j * (generic - generic.T) / 2)[1]
    return np.einsum("ji,pjk,ki->pi", v.conj(), 1j * a, v).real


def _common_frequency(weights: NDArray) -> float | None:
    """The largest number of which all weights are whole multiples, as far as small denominators go."""
    from fractions import Fraction

    parts = []
    for w in weights[np.abs(weights) > 1e-9]:
        near = Fraction(float(abs(w))).limit_denominator(64)
        if abs(float(near) - abs(w)) > 1e-7 * abs(w):
            return None
        parts.append(near)
    if not parts:
        return None
    below = lcm(*(f.denominator for f in parts))
    return gcd(*(int(f * below) for f in parts)) / below


def _rotations(algebra: NDArray, brackets: NDArray, spin: int) -> Nodes | None:
    """Euler angles with Gauss-Legendre nodes: exact for spins up to ``spin`` (Kostelec and Rockmore 2008)."""
    flat = algebra.reshape(3, -1).T
    c = np.linalg.lstsq(flat, brackets.reshape(9, -1).T, rcond=None)[0].T.reshape(3, 3, 3)
    killing = -np.einsum("ilk,jkl->ij", c, c)
    e, q = np.linalg.eigh((killing + killing.T) / 2)
    if e[0] <= 1e-6 * e[-1]:
        return None
    # Killing form -2 is that of so(3) with [e1, e2] = e3.
    basis = (q * np.sqrt(2 / e)).T
    x, y, z = np.tensordot(basis, algebra, 1)
    bracket = x @ y - y @ x
    z = z if np.sum(bracket * z) > 0 else -z
    half = not np.allclose(scipy.linalg.expm(2 * np.pi * z), np.eye(len(z)), atol=1e-6)
    outer = 2 * np.pi * np.arange(spin + 1) / (spin + 1)
    inner = 4 * np.pi * np.arange(2 * spin + 1) / (2 * spin + 1) if half else outer
    nodes, w = np.polynomial.legendre.leggauss(ceil((spin + 1) / 2))
    first = [_exact(scipy.linalg.expm(t * z)) for t in outer]
    middle = [scipy.linalg.expm(np.arccos(t) * y) for t in nodes]
    last = [_exact(scipy.linalg.expm(t * z)) for t in inner]
    elements = np.array([a @ b @ g for a, b, g in product(first, middle, last)])
    weights = np.repeat(np.tile(w / 2, len(first)), len(last)) / (len(first) * len(last))
    kind = "SU(2)" if half else "SO(3)"
    reason = (
        f"{len(elements)} nodes on {kind}: exact for what varies with spins up to {spin}, "
        "error falls fast beyond where the model is smooth"
    )
    return Nodes(elements, weights, "quadrature", reason)


def _exact(g: NDArray) -> NDArray:
    """Whole numbers where a rotation should have them."""
    near = np.round(g)
    return np.where(np.abs(g - near) <= 1e-14, near, g)
