"""Data on a plane, a curve or a surface: the candidates that such data decide, and the denominator they see.

Functions of a class that vanish on all data are parameters that the data leave free. A generator is decided where
such functions still vanish once it has moved them: it is tangent to where the data are. The other candidates lead
out of it, and nothing is known about them. Values play no part in this, so it takes nothing from a later test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erlangen.evidence._task import Task
from erlangen.evidence.bilinear import Bilinear
from erlangen.evidence.estimate import features_of
from erlangen.fields import AbstractLinearField
from erlangen.linalg.qr import triangular_factor
from erlangen.linalg.subspace import echelon

RESOLVED = float(np.sqrt(np.finfo(np.float64).eps))
"""Size below which a moved function vanishes: half of the digits, since candidates are combined from rounded data."""


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
    """Orthonormal parameters ``(q, r0)`` of the fields of a family that vanish at all points ``x (n, d)``.

    They vanish where they are below half of the digits: a run on a cycle is off it by the error of its solver.
    """
    phi = features_of(family, np.asarray(x, dtype=np.float64))
    rows = phi.reshape(-1, phi.shape[-1])
    norms = np.linalg.norm(rows, axis=0)
    norms = np.where(norms > 0, norms, 1.0)
    _, s, vt = np.linalg.svd(triangular_factor([rows / norms], rows.shape[1]))
    free = np.linalg.qr((vt[s <= RESOLVED * s[0]] / norms).T)[0]
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
    sizes = np.sqrt(np.einsum("kpq,kpq->p", both.lie, both.lie) + np.einsum("jpq,jpq->p", both.size, both.size))
    scale = 1.0 / np.where(sizes > RESOLVED * sizes.max(), sizes, sizes.max())  # some may move nothing at all
    moved = (both.lie @ free).transpose(0, 2, 1).reshape(-1, p) * scale
    _, s, vt = np.linalg.svd(moved, full_matrices=True)
    s = np.r_[s, np.zeros(p - len(s))]
    keep = s <= RESOLVED
    if not keep.any():
        return whole  # all candidates lead out: the region is not where the data are
    decided = scale[:, None] * vt[keep].T
    basis = np.eye(p) if keep.all() else echelon(decided)
    if basis.shape[1] < decided.shape[1]:  # of candidates of very unequal size, elimination may lose some
        basis = decided
    basis[np.abs(basis) <= RESOLVED * np.abs(basis).max(axis=0)] = 0.0  # the error of the data, not a coefficient
    part = both.restrict(basis)
    changed = (part.size @ free).reshape(len(part.size), -1)
    u, t, _ = np.linalg.svd(changed, full_matrices=False)
    u = u[:, t > RESOLVED * np.linalg.norm(part.size)]
    size = part.size - np.tensordot(u, np.tensordot(u.T, part.size, 1), 1)
    clean = _without(Bilinear(part.lie, size, part.exact), free)
    return Seen(clean, basis, scale[:, None] * vt[~keep].T)


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
