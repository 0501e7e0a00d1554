"""Data on a plane, a curve or a surface: the candidates that such data decide, and the denominator they see.

Functions of a class that vanish on all data are parameters that the data leave free. A generator is decided where
such functions still vanish once it has moved them: it is tangent to where the data are. The other candidates lead
out of it, and nothing is known about them. Values play no part in this, so it takes nothing from a later test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from erlangen._typing import NDArray
from erlangen.evidence._task import Task
from erlangen.evidence.bilinear import Bilinear
from erlangen.evidence.estimate import features_of
from erlangen.fields import AbstractLinearField
from erlangen.linalg.qr import triangular_factor
from erlangen.linalg.subspace import echelon

RESOLVED = float(np.sqrt(np.finfo(np.float64).eps))
"""Size below which a moved function vanishes: half of the digits, since candidates are combined from rounded data."""

ROUNDS = 30
"""Times that candidates and parameters are scaled in turn: they need to be of one size within a factor only."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What data decide of a problem.

    Attributes
    ----------
    both : Bilinear
        The tensors over the decided candidates; what free parameters can change is left out of the denominator,
        which makes defects larger and never smaller.
    basis : ndarray (p, r)
        The decided candidates.
    leaving : ndarray (p, p - r)
        Candidates that lead out of where the data are.
    """

    both: Bilinear
    basis: NDArray
    leaving: NDArray


def free_parameters(family: AbstractLinearField, x: ArrayLike) -> NDArray:
    """Independent parameters ``(q, r0)`` of the fields of a family that vanish at all points ``x (n, d)``.

    They vanish where they are below half of the digits: a run on a cycle is off it by the error of its solver.
    """
    phi = features_of(family, np.asarray(x, dtype=np.float64))
    rows = phi.reshape(-1, phi.shape[-1])
    norms = np.linalg.norm(rows, axis=0)
    norms = np.where(norms > 0, norms, 1.0)
    _, s, vt = np.linalg.svd(triangular_factor([rows / norms], rows.shape[1]))
    free = (vt[s <= RESOLVED * s[0]] / norms).T
    return np.kron(np.eye(family.value_dim), free) if phi.ndim == 2 else free


def seen(both: Bilinear, free: NDArray) -> Seen:
    """Restrict tensors to the candidates that data decide.

    Parameters
    ----------
    both : Bilinear
        Tensors of the family over p candidates, in L2 of the region.
    free : ndarray (q, r0)
        See :func:`free_parameters`.
    """
    p = both.n_generators
    whole = Seen(both, np.eye(p), np.zeros((p, 0)))
    if free.shape[1] == 0:
        return whole
    scaled, a, b = balanced(both)
    felt = np.any(scaled.lie, axis=(0, 1)) | np.any(scaled.size, axis=(0, 1))  # no candidate moves a constant
    free = _orthonormal(free * (b * felt)[:, None])
    decided, leaving = _decided(scaled, free)
    if decided.shape[1] == 0:
        return whole  # all candidates lead out: the region is not where the data are
    basis = np.eye(p) if leaving.shape[1] == 0 else _reduced(decided, a)
    basis[np.abs(basis) <= RESOLVED * np.abs(basis).max(axis=0)] = 0.0  # the error of the data, not a coefficient
    part = _unchanged(scaled.restrict(basis), free)
    basis, leaving = basis / a[:, None], leaving / a[:, None]
    unit = np.abs(basis).max(axis=0)
    back = b / unit[:, None]
    return Seen(Bilinear(part.lie * back, part.size * back, part.exact), basis / unit, leaving)


def _decided(scaled: Bilinear, free: NDArray) -> tuple[NDArray, NDArray]:
    """Candidates ``(p, r)`` that leave the free functions free, and the others ``(p, p - r)``."""
    p = scaled.n_generators
    sizes = np.sqrt(np.sum(scaled.lie**2, axis=(0, 2)) + np.sum(scaled.size**2, axis=(0, 2)))
    sizes = np.where(sizes > RESOLVED * sizes.max(), sizes, sizes.max())  # some may move nothing at all
    moved = (scaled.lie @ free).transpose(0, 2, 1).reshape(-1, p) / sizes
    _, s, vt = np.linalg.svd(moved, full_matrices=True)
    keep = np.r_[s, np.zeros(p - len(s))] <= RESOLVED
    v = vt.T / sizes[:, None]
    return v[:, keep], v[:, ~keep]


def _unchanged(part: Bilinear, free: NDArray) -> Bilinear:
    """Tensors without what free parameters can change in the denominator, nor what rounding leaves of them."""
    changed = (part.size @ free).reshape(len(part.size), -1)
    u, t, _ = np.linalg.svd(changed, full_matrices=False)
    u = u[:, t > RESOLVED * np.linalg.norm(part.size)]
    size = part.size - np.tensordot(u, np.tensordot(u.T, part.size, 1), 1)
    return _without(Bilinear(part.lie, size, part.exact), free)


def balanced(both: Bilinear) -> tuple[Bilinear, NDArray, NDArray]:
    """Tensors in which candidates and parameters are of one size, and the sizes ``(p,)`` and ``(q,)`` taken out.

    What vanishes is compared with what does not, and in the units of the user both may be of any size. Rows and
    columns are scaled in turn, which ends near the same tensors from whatever units one starts.

    References
    ----------
    Sinkhorn and Knopp, Pacific J. Math. 21, 1967.
    """
    squares = np.sum(both.lie**2, axis=0) + np.sum(both.size**2, axis=0)
    a, b = np.ones(squares.shape[0]), np.ones(squares.shape[1])
    for _ in range(ROUNDS):
        a *= _root(np.mean(squares / np.outer(a, b) ** 2, axis=1))
        b *= _root(np.mean(squares / np.outer(a, b) ** 2, axis=0))
    unit = np.outer(a, b)
    return Bilinear(both.lie / unit, both.size / unit, both.exact), a, b


def _root(squares: NDArray) -> NDArray:
    return np.sqrt(np.where(squares > 0, squares, 1.0))


def _reduced(decided: NDArray, a: NDArray) -> NDArray:
    """Candidates in echelon form: in the units of the user, where elimination there loses nothing of them."""
    own = echelon(decided / a[:, None]) * a[:, None]
    own /= np.linalg.norm(own, axis=0)
    q = np.linalg.qr(decided)[0]
    same = own.shape[1] == decided.shape[1] and np.abs(own - q @ (q.T @ own)).max() <= RESOLVED
    return own if same else echelon(decided)


def _orthonormal(columns: NDArray) -> NDArray:
    u, s, _ = np.linalg.svd(columns, full_matrices=False)
    return u[:, s > RESOLVED * s[0]]


def narrowed(task: Task, both: Bilinear) -> tuple[Task, Bilinear, tuple[str, ...]]:
    """Leave out the candidates of a task that lead out of where the data are, and say so."""
    found = seen(both, free_parameters(task.family, task.data.x))
    named = task.named
    if named is not None and found.leaving.shape[1]:
        inside = np.linalg.lstsq(found.basis, named.T, rcond=None)[0].T
        if np.abs(inside @ found.basis.T - named).max() > RESOLVED * np.abs(named).max():
            return task, both, ()  # a named generator leads out: it is answered, not left out
        named = inside
    if found.leaving.shape[1] == 0:
        return task, found.both, ()
    note = (
        f"{found.leaving.shape[1]} of {both.n_generators} candidates lead out of where the data are: nothing is known "
        "about them; the others are looked at on the data alone"
    )
    return replace(task, action=task.action.restrict(found.basis), named=named), found.both, (note,)


def _without(both: Bilinear, free: NDArray) -> Bilinear:
    """The same tensors, with what is left of free parameters, rounding, set to zero."""
    lie, size = (t - (t @ free) @ free.T for t in (both.lie, both.size))
    return Bilinear(lie, size, both.exact)
