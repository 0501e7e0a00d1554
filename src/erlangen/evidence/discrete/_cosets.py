"""Group elements modulo a connected group exp(B): which lie in one component, and which name a component best."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from erlangen._typing import NDArray

_STARTS = 8
"""Random elements of the connected group from which a nearest one is sought."""
_STEPS = 25
"""Newton steps: they converge in ten."""
_HIGHEST_ORDER = 12


_TERMS = 12
"""Terms of the exponential series after scaling to norm one half: 0.5^13 / 13! is far below rounding."""


def exponentials(a: NDArray) -> NDArray:
    """Exponentials of many small matrices ``(..., d, d)`` at once: series, scaling and squaring."""
    norm = float(np.abs(a).sum(axis=-1).max(initial=0.0))
    if not np.isfinite(norm):
        return np.full_like(a, np.nan)
    halvings = max(0, int(np.ceil(np.log2(max(norm, 0.5)))) + 1)
    one = np.eye(a.shape[-1])
    scaled = a / 2.0**halvings
    out = one + scaled / _TERMS
    for k in range(_TERMS - 1, 0, -1):
        out = one + scaled @ out / k
    for _ in range(halvings):
        out = out @ out
    return out


@dataclass(frozen=True, eq=False)
class Cosets:
    """The cosets C exp(B) of a connected group.

    Parameters
    ----------
    algebra : ndarray (p, d, d)
        A basis of the Lie algebra.
    tolerance : float
        Relative distance up to which elements are the same.
    """

    algebra: NDArray
    tolerance: float

    @property
    def size(self) -> int:
        """The matrix size d."""
        return self.algebra.shape[1]

    @property
    def unit(self) -> NDArray:
        """The basis, orthonormal up to a common factor that makes rotations turn by one radian."""
        p, d = len(self.algebra), self.size
        q = np.linalg.qr(self.algebra.reshape(p, -1).T)[0].T
        return np.sqrt(2.0) * q.reshape(p, d, d)

    def keeps(self, c: NDArray) -> bool:
        """Whether conjugation by an element maps the algebra to itself."""
        if not len(self.algebra):
            return True
        flat = self.unit.reshape(len(self.algebra), -1) / np.sqrt(2.0)
        moved = (c @ self.unit @ np.linalg.inv(c)).reshape(len(flat), -1)
        outside = moved - moved @ flat.T @ flat
        # An element is known to the tolerance; its conjugates to about twice that.
        return bool(np.all(np.linalg.norm(outside, axis=1) <= 3 * self.tolerance * np.linalg.norm(moved, axis=1)))

    def distances(self, x: NDArray) -> NDArray:
        """Relative distances ``(s,)`` of matrices ``(s, d, d)`` from the connected group."""
        return self._nearest(x)[0]

    def same(self, a: NDArray, others: NDArray) -> int | None:
        """Place of the first of some elements ``(s, d, d)`` in the component of a, None where none is."""
        if not len(others):
            return None
        away = self.distances(a @ np.linalg.inv(others))
        near = np.flatnonzero(away <= self.tolerance)
        return int(near[np.argmin(away[near])]) if len(near) else None

    def _nearest(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Distances, and the rests exp(-w) x: Newton steps w on x = 1 + w x, from several starts."""
        s, d = len(x), self.size
        one = np.eye(d)
        if not len(self.algebra):
            return np.linalg.norm(x - one, axis=(1, 2)) / np.maximum(np.linalg.norm(x, axis=(1, 2)), np.sqrt(d)), x
        rng = np.random.default_rng(0)
        unit, p = self.unit, len(self.algebra)
        w = rng.uniform(-np.pi, np.pi, (_STARTS, p))
        w[0] = 0.0
        y = (exponentials(np.tensordot(w, unit, 1))[None] @ x[:, None]).reshape(-1, d, d)
        for _ in range(_STEPS):
            columns = np.einsum("pij,sjk->spik", unit, y).reshape(len(y), p, d * d)
            gram = columns @ columns.transpose(0, 2, 1)
            gram += 1e-12 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(p)
            step = np.linalg.solve(gram, columns @ (y - one).reshape(len(y), -1, 1))[:, :, 0]
            length = np.linalg.norm(step, axis=1, keepdims=True)
            y = exponentials(-np.tensordot(step / np.maximum(length, 1.0), unit, 1)) @ y
            if np.all(length < 1e-7):
                break
        away = (np.linalg.norm(y - one, axis=(1, 2)) / np.sqrt(d)).reshape(s, -1)
        best = np.argmin(np.where(np.isfinite(away), away, np.inf), axis=1)
        return away[np.arange(s), best], y.reshape(s, -1, d, d)[np.arange(s), best]

    def plain(self, c: NDArray) -> NDArray | None:
        """A signed permutation in the component of an element, the one nearest the identity; None without one."""
        d = self.size
        if d > 4 or not len(self.algebra):
            return None
        candidates = simple_signed(d)
        inside = self.distances(c @ np.linalg.inv(candidates)) <= self.tolerance
        return candidates[np.argmax(inside)] if inside.any() else None

    def order(self, c: NDArray) -> int | None:
        """Smallest m <= 12 such that the m-th power lies in the connected group.

        An error e of C is one of m e in the power: the order is where the distance, divided by m, is least.
        """
        power, away = c, []
        for m in range(1, _HIGHEST_ORDER + 1):
            away.append(float(self.distances(power[None])[0]) / m)
            power = power @ c
        best = min(away)
        if best > self.tolerance / 3:
            return None
        # Multiples of the order are as near as itself.
        return 1 + next(k for k, a in enumerate(away) if a <= max(2 * best, 1e-3 * self.tolerance))


def simple_signed(d: int) -> NDArray:
    """Signed permutations ``(s, d, d)``, those that change least first."""
    one = np.eye(d)
    found = [
        np.array(s)[:, None] * one[list(p)] for p in permutations(range(d)) for s in product((1.0, -1.0), repeat=d)
    ]
    return np.array(sorted(found, key=lambda m: (np.abs(m - one).sum(), -m.ravel().cumsum().sum())))


_NICE = np.array([0.0, 0.5, 1.0, np.sqrt(3) / 2, np.sqrt(0.5)])


def snapped(c: NDArray, order: int | None, tolerance: float) -> list[NDArray]:
    """Nearby matrices that a person would write, the boldest first.

    Parameters
    ----------
    c : ndarray (d, d)
        An element.
    order : int or None
        m where c^m is nearly the identity: its eigenvalues are then moved to m-th roots of unity.
    tolerance : float
        How far entries may move to 0, 1/2, sqrt(2)/2, sqrt(3)/2 or 1; small ones move to 0 in any case.
    """
    exact = [c] if order is None else _of_order(c, order)
    out = []
    for a in exact:
        nice = _nice(a)
        if np.abs(nice - a).max() <= tolerance and abs(np.linalg.det(nice)) > 0.1:
            out.append(nice)
    for a in exact:
        sparse = np.where(np.abs(a) <= tolerance, 0.0, a)
        if order is not None and abs(np.linalg.det(sparse)) > 0.1:
            out += _of_order(sparse, order)[:1]
    return [*out, *exact]


def _nice(a: NDArray) -> NDArray:
    size = np.abs(a)
    nearest = _NICE[np.argmin(np.abs(size[..., None] - _NICE), axis=-1)]
    return np.copysign(nearest, a) * (nearest > 0)


def _of_order(c: NDArray, m: int) -> list[NDArray]:
    """The projection onto matrices with c^m = 1: eigenvalues become roots of unity, eigenspaces stay."""
    values, vectors = np.linalg.eig(c)
    if np.linalg.cond(vectors) > 1e3:
        return []
    roots = np.exp(2j * np.pi * np.round(np.angle(values) * m / (2 * np.pi)) / m)
    exact = np.real((vectors * roots) @ np.linalg.inv(vectors))
    # Of nearly orthogonal matrices, the orthogonal one: then powers and products stay bounded.
    u, _, vt = np.linalg.svd(exact)
    near = u @ vt
    if np.linalg.norm(np.linalg.matrix_power(near, m) - np.eye(len(c))) <= 1e-9:
        return [near, exact]
    return [_round_orthogonal(near, m), exact]


def _round_orthogonal(a: NDArray, m: int) -> NDArray:
    """The same for an orthogonal matrix, whose eigenvectors are orthogonal: the real Schur form is block-diagonal."""
    from scipy.linalg import schur

    t, z = schur(a, output="real")
    out, i, d = np.zeros_like(a), 0, len(a)
    while i < d:
        if i + 1 < d and abs(t[i + 1, i]) > 1e-8:
            angle = 2 * np.pi / m * np.round(np.arctan2(t[i + 1, i], t[i, i]) * m / (2 * np.pi))
            c, s = np.cos(angle), np.sin(angle)
            out[i : i + 2, i : i + 2] = [[c, -s], [s, c]]
            i += 2
        else:
            out[i, i] = np.sign(t[i, i])
            i += 1
    return z @ out @ z.T
