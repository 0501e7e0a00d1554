"""Coordinates in which a reductive group holds its transposes (Kempf and Ness 1979).

Among all coordinates of R^s, those in which the span of the generators has the least volume are
those in which sum_i [A_i, A_i^T] = 0 for an orthonormal basis A_i. Generators of a reductive
group then hold their transposes, and elements of a compact one are orthogonal. The logarithm of
the volume is convex along exp(-t M), M symmetric, so that descent finds the minimum.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from erlangen._typing import NDArray
from erlangen.algebra.equivariant._sides import Factor, Side, factors_of

_STEPS = 500  # tens suffice where a minimum exists; where none does, no number would


def balanced(sides: tuple[Side, ...]) -> tuple[tuple[Side, ...], dict[int, NDArray]]:
    """Sides with every factor in balanced coordinates.

    Parameters
    ----------
    sides : tuple of Side
        Representations of one group.

    Returns
    -------
    sides : tuple of Side
        The same words with other factors.
    changes : dict of ndarray (s, s)
        S for each factor of the new sides, by its identity: generators are S A S^-1.
    """
    factors = list(factors_of(sides))
    changes = _descend(factors)
    made = {}
    for factor, s in zip(factors, changes):
        back = np.linalg.inv(s)
        made[id(factor)] = Factor(s @ factor.lie @ back, s @ factor.discrete @ back)
    moved = tuple(side.map_factors(lambda f: made[id(f)]) for side in sides)
    return moved, {id(made[id(f)]): s for f, s in zip(factors, changes)}


def _descend(factors: list[Factor]) -> list[NDArray]:
    lie = [f.lie for f in factors]
    # An element and its inverse weigh the same, so that the least size is 1 for both.
    elements = [np.concatenate([f.discrete, np.linalg.inv(f.discrete)]) for f in factors]
    changes = [np.eye(f.size) for f in factors]
    total = sum(f.size for f in factors)
    noise = 100 * float(np.finfo(np.float64).eps) * total * (1 + len(elements[0]))
    step, value = 0.25, np.inf
    for _ in range(_STEPS):
        lie = _orthonormal(lie)
        moments = [_moment(a, h) for a, h in zip(lie, elements)]
        slope = float(np.sqrt(sum(np.sum(m**2) for m in moments)))
        if slope <= noise:
            break
        value = _log_volume(lie, elements)
        while step > np.finfo(np.float64).eps:
            moved = [_moved(a, h, m, step) for a, h, m in zip(lie, elements, moments)]
            lower = _log_volume([x[0] for x in moved], [x[1] for x in moved]) <= value - 0.5 * step * slope**2
            # Below that slope the volume no longer shows the decrease: the step that worked is kept.
            if lower or slope < 1e-4:
                break
            step /= 2
        lie, elements = [x[0] for x in moved], [x[1] for x in moved]
        changes = [e @ s for (_, _, e), s in zip(moved, changes)]
        step *= 1.3 if slope > 1e-3 else 1.0
    return changes


def _orthonormal(lie: list[NDArray]) -> list[NDArray]:
    rows = np.concatenate([a.reshape(len(a), a.shape[1] ** 2) for a in lie], axis=1)
    if not len(rows):
        return lie
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    vt = vt[s > 100 * np.finfo(np.float64).eps * max(rows.shape) * s.max(initial=0.0)]
    parts = np.split(vt, np.cumsum([a.shape[1] ** 2 for a in lie])[:-1], axis=1)
    return [part.reshape(-1, *a.shape[1:]) for part, a in zip(parts, lie)]


def _moment(a: NDArray, h: NDArray) -> NDArray:
    """Slope of the logarithm of the volume along symmetric matrices."""
    weights = a.shape[1] / np.maximum(np.sum(h**2, axis=(1, 2)), 1e-300) if len(h) else np.zeros(0)
    out = np.einsum("iab,icb->ac", a, a) - np.einsum("iba,ibc->ac", a, a)
    return out + np.einsum("i,iab,icb->ac", weights, h, h) - np.einsum("i,iba,ibc->ac", weights, h, h)


def _log_volume(lie: list[NDArray], elements: list[NDArray]) -> float:
    gram = sum(np.einsum("iab,jab->ij", a, a) for a in lie)
    out = float(np.linalg.slogdet(gram)[1]) / 2 if np.size(gram) else 0.0
    return out + sum(h.shape[1] * float(np.log(np.linalg.norm(x))) for h in elements for x in h)


def _moved(a: NDArray, h: NDArray, m: NDArray, step: float) -> tuple[NDArray, NDArray, NDArray]:
    e, back = scipy.linalg.expm(-step * m), scipy.linalg.expm(step * m)
    return e @ a @ back, e @ h @ back, e
