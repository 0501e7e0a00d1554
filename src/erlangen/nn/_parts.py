"""Identity component and discrete elements of the group that generators and elements make together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.algebra import Group

_CLOSE = 1e-8
"""Half of the digits: what is nearer counts as equal."""


@dataclass(frozen=True, eq=False)
class Parts:
    """A group as its identity component and discrete elements that map it to itself.

    Attributes
    ----------
    algebra : ndarray (p, k, k)
        Independent generators, closed under brackets and under conjugation by the discrete elements.
    discrete : ndarray (m, k, k)
        The discrete elements that are not seen to lie in the identity component.
    grown : int
        How many dimensions the discrete elements and brackets add to the generators given.
    """

    algebra: NDArray
    discrete: NDArray
    grown: int


def parts_of(group: Group) -> Parts:
    """Identity component and other elements of the group that generators and discrete elements make together.

    A rotation about one axis and a quarter turn about another make all rotations: the conjugates of a generator
    by a discrete element are generators too.
    """
    given = independent(group.lie_algebra)
    algebra = given
    if not len(given):
        return Parts(given, group.discrete, 0)
    inverses = np.linalg.inv(group.discrete) if len(group.discrete) else group.discrete
    while True:
        moved = [h @ algebra @ inverse for h, inverse in zip(group.discrete, inverses, strict=True)]
        brackets = algebra[:, None] @ algebra[None] - algebra[None] @ algebra[:, None]
        more = independent(np.concatenate([algebra, *moved, brackets.reshape(-1, *algebra.shape[1:])]))
        if len(more) == len(algebra):
            break
        algebra = more
    outside = [h for h in group.discrete if not _connected(h, algebra)]
    return Parts(algebra, np.array(outside).reshape(-1, *algebra.shape[1:]), len(algebra) - len(given))


def _connected(h: NDArray, algebra: NDArray) -> bool:
    """Whether the principal logarithm of an element lies in the algebra."""
    values, vectors = np.linalg.eig(h)
    if min(np.abs(values + 1).min(), np.abs(values).min()) <= _CLOSE or np.linalg.cond(vectors) * _CLOSE > 1:
        return False
    log = ((vectors * np.log(values.astype(complex))) @ np.linalg.inv(vectors)).real
    flat = np.linalg.qr(algebra.reshape(len(algebra), -1).T)[0]
    left = log.ravel() - flat @ (flat.T @ log.ravel())
    return bool(np.linalg.norm(left) <= _CLOSE * max(1.0, np.linalg.norm(log)))


def independent(algebra: NDArray) -> NDArray:
    """The generators, or where they are dependent a basis of their span."""
    if not np.any(algebra):
        return algebra[:0]
    flat = algebra.reshape(len(algebra), -1)
    s, vt = np.linalg.svd(flat, full_matrices=False)[1:]
    rank = int(np.sum(s > s[0] * 1e-10))
    return algebra if rank == len(algebra) else vt[:rank].reshape(rank, *algebra.shape[1:])
