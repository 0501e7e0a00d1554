"""Three regression tasks with a known symmetry, drawn from their formulas.

M. Finzi, M. Welling, A. G. Wilson, A practical method for constructing equivariant multilayer perceptrons for
arbitrary matrix groups, ICML 2021, section 7.1. Inputs are normal, with masses log(1 + exp(normal)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erlangen.algebra import groups
from erlangen.algebra.groups import Group

Table = tuple[NDArray, NDArray]
MINKOWSKI = np.diag([1.0, -1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Task:
    """A function to learn: how to draw ``(x (n, d), y (n, c))``, and what is known of it."""

    name: str
    draw: Callable[[int, np.random.Generator], Table]
    group: Callable[[], Group]
    rep_in: str
    rep_out: str


def two_vectors(n: int, rng: np.random.Generator) -> Table:
    """O(5): sin|x1| - |x2|^3 / 2 + x1.x2 / (|x1| |x2|)."""
    x = rng.standard_normal((n, 2, 5))
    (a, b), inner = np.linalg.norm(x, axis=2).T, np.einsum("na,na->n", x[:, 0], x[:, 1])
    return x.reshape(n, -1), (np.sin(a) - b**3 / 2 + inner / (a * b))[:, None]


def inertia(n: int, rng: np.random.Generator) -> Table:
    """O(3): sum over five bodies of m (x.x I - x x^T)."""
    m, x = np.logaddexp(0.0, rng.standard_normal((n, 5))), rng.standard_normal((n, 5, 3))
    y = np.einsum("nb,nbi,nbi->n", m, x, x)[:, None, None] * np.eye(3) - np.einsum("nb,nbi,nbj->nij", m, x, x)
    return np.concatenate([m, x.reshape(n, -1)], axis=1), y.reshape(n, -1)


def scattering(n: int, rng: np.random.Generator) -> Table:
    """O(1,3): squared matrix element of e- mu- scattering, momenta p, q before and r, s after.

    4 [p^m r^n + r^m p^n - (p.r - p.p) g^mn] [q_m s_n + s_m q_n - (q.s - q.q) g_mn], the trace of each lepton line.
    """
    momenta = rng.standard_normal((n, 4, 4)) / 4
    p, q, r, s = momenta.transpose(1, 0, 2)
    lines = [_line(p, r), np.einsum("ia,nab,bj->nij", MINKOWSKI, _line(q, s), MINKOWSKI)]
    return momenta.reshape(n, -1), 4 * np.einsum("nij,nij->n", *lines)[:, None]


def _line(p: NDArray, r: NDArray) -> NDArray:
    outer = np.einsum("na,nb->nab", p, r)
    inner = np.einsum("na,ab,nb->n", p, MINKOWSKI, r - p)
    return outer + outer.transpose(0, 2, 1) - inner[:, None, None] * MINKOWSKI


TASKS = (
    Task("O(5)-invariant scalar", two_vectors, lambda: groups.O(5), "2V", "S"),
    Task("O(3) moment of inertia", inertia, lambda: groups.O(3), "5S + 5V", "T2"),
    Task("O(1,3) scattering", scattering, lambda: groups.O(1, 3), "4V", "S"),
)
