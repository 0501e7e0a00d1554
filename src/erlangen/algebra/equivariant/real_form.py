"""Real irreducible components from complex ones.

Complex conjugation maps the copies of an irreducible W to copies of its conjugate. Where both are
the same type, conj(U_i) = sum_j U_j S_ji Q with S on the copies and Q on W, both unitary and both
symmetric (W is real) or both antisymmetric (quaternionic). Where they differ, W is complex and the
two together are one real irreducible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from erlangen._typing import NDArray
from erlangen.algebra.equivariant.isotypic import Component, NotSplitError

_HALF = float(np.sqrt(np.finfo(np.float64).eps))


@dataclass(frozen=True, eq=False)
class ComplexComponent:
    """One complex irreducible and its copies on each side.

    Attributes
    ----------
    bases : tuple of ndarray (N, m, k)
        Orthonormal copies on each side, complex, moved by the same k x k matrices.
    label : str
        Its highest weight.
    """

    bases: tuple[NDArray, ...]
    label: str


def real_components(parts: Sequence[ComplexComponent]) -> list[Component]:
    """Turn complex isotypic components into real ones, keeping them orthonormal."""
    out, left = [], list(parts)
    while left:
        part = left.pop(0)
        if _meets_conjugate(part, part):
            out.append(_own_conjugate(part))
            continue
        partner = next((other for other in left if _meets_conjugate(part, other)), None)
        if partner is None:
            raise NotSplitError("a component has no conjugate: the generators are not real")
        left.remove(partner)
        out.append(_pair(part.bases, part.label))
    return out


def _meets_conjugate(part: ComplexComponent, other: ComplexComponent) -> bool:
    """Whether the conjugate of a component is the other one."""
    for mine, theirs in zip(part.bases, other.bases):
        if mine.shape[1:] != theirs.shape[1:]:
            return False
        if mine.shape[1]:
            vector = mine[:, 0, 0].conj()
            return float(np.linalg.norm(theirs.reshape(len(theirs), -1).conj().T @ vector)) > 0.5
    return True


def _own_conjugate(part: ComplexComponent) -> Component:
    guide = max(part.bases, key=lambda u: u.shape[1])
    q = _on_irreducible(guide)
    copies = [_on_copies(u, q) for u in part.bases]
    if np.linalg.norm(q - q.T) <= np.linalg.norm(q + q.T):
        y = _symmetric_root(q)
        bases = [
            np.einsum("nik,ia,kb->nab", u, _symmetric_root(s), y, optimize=True) for u, s in zip(part.bases, copies)
        ]
        return Component(tuple(np.ascontiguousarray(np.real(b)) for b in bases), np.eye(q.shape[0])[None], part.label)
    chosen = [np.einsum("nik,ia->nak", u, _half(s), optimize=True) for u, s in zip(part.bases, copies)]
    return _pair(tuple(chosen), part.label, q)


def _pair(bases: tuple[NDArray, ...], label: str, q: NDArray | None = None) -> Component:
    """Real and imaginary parts of complex copies as real irreducibles of twice the size."""
    real = tuple(np.sqrt(2.0) * np.concatenate([np.real(u), np.imag(u)], axis=2) for u in bases)
    k = bases[0].shape[2]
    one, zero = np.eye(k), np.zeros((k, k))
    i = np.block([[zero, one], [-one, zero]])
    commutant = [np.eye(2 * k), i]
    if q is not None:
        # In complex coordinates c = a - i b of a (real) + b (imaginary): c -> q conj(c) commutes.
        a, b = np.real(q), np.imag(q)
        j = np.block([[a, -b], [-b, -a]])
        commutant += [j, i @ j]
    return Component(real, np.stack(commutant), label)


def _on_irreducible(u: NDArray) -> NDArray:
    """Q up to a phase: how conjugation moves the irreducible, from its first copy."""
    moved = np.einsum("njk,nw->jkw", u.conj(), u[:, 0].conj(), optimize=True)
    best = moved[np.argmax(np.linalg.norm(moved, axis=(1, 2)))]
    return best * (len(best) ** 0.5 / np.linalg.norm(best))


def _on_copies(u: NDArray, q: NDArray) -> NDArray:
    """S: how conjugation moves the copies, given Q."""
    if not u.shape[1]:
        return np.zeros((0, 0), dtype=complex)
    moved = np.einsum("njk,kw->njw", u, q, optimize=True)
    return np.einsum("njw,niw->ji", moved.conj(), u.conj(), optimize=True) / len(q)


def _symmetric_root(q: NDArray) -> NDArray:
    """Unitary y with y y^T = q, for a symmetric unitary q."""
    if not len(q):
        return q
    q = (q + q.T) / 2
    # Real and imaginary part commute: a generic combination has their common eigenvectors.
    _, o = scipy.linalg.eigh(np.real(q) + 0.6180339887 * np.imag(q))
    d = np.diag(o.T @ q @ o)
    y = o * np.sqrt(d / np.abs(d))
    if np.abs(y @ y.T - q).max() > _HALF:
        raise NotSplitError("conjugation is not unitary on the copies")
    return y


def _half(s: NDArray) -> NDArray:
    """Columns z_a that with s conj(z_a) are an orthonormal basis, for an antisymmetric unitary s."""
    m = len(s)
    taken = np.zeros((m, 0), dtype=complex)
    chosen = np.zeros((m, m // 2), dtype=complex)
    for a in range(m // 2):
        # The unit vector that is farthest from what is taken.
        rest = np.eye(m) - taken @ taken.conj().T
        z = rest[:, np.argmax(np.linalg.norm(rest, axis=0))]
        z = z / np.linalg.norm(z)
        chosen[:, a] = z
        taken = np.column_stack([taken, z, s @ z.conj()])
    return chosen
