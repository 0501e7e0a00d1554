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

MINKOWSKI = np.diag([1.0, -1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Task:
    """A function to learn: how to draw ``x (n, d)``, the values ``(n, c)``, their symmetry, hidden layers for it."""

    name: str
    inputs: Callable[[int, np.random.Generator], NDArray]
    values: Callable[[NDArray], NDArray]
    group: Callable[[], Group]
    rep_in: str
    rep_out: str
    hidden: str

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
        """Draw n samples: inputs and values."""
        x = self.inputs(n, rng)
        return x, self.values(x)


def two_vectors(x: NDArray) -> NDArray:
    """O(5): sin|x1| - |x2|^3 / 2 + x1.x2 / (|x1| |x2|)."""
    a, b = x[:, :5], x[:, 5:]
    r, s = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    return (np.sin(r) - s**3 / 2 + np.einsum("ni,ni->n", a, b) / (r * s))[:, None]


def inertia(x: NDArray) -> NDArray:
    """O(3): sum over five bodies of m (x.x I - x x^T)."""
    m, r = x[:, :5], x[:, 5:].reshape(-1, 5, 3)
    trace = np.einsum("nb,nbi,nbi->n", m, r, r)
    return (trace[:, None, None] * np.eye(3) - np.einsum("nb,nbi,nbj->nij", m, r, r)).reshape(len(x), -1)


def scattering(x: NDArray) -> NDArray:
    """O(1,3): squared matrix element of e- mu- scattering, momenta p, q before and r, s after.

    4 [p^m r^n + r^m p^n - (p.r - p.p) g^mn] [q_m s_n + s_m q_n - (q.s - q.q) g_mn], the trace of each lepton line.
    """
    p, q, r, s = x.reshape(-1, 4, 4).transpose(1, 0, 2)
    lines = [_line(p, r), np.einsum("ia,nab,bj->nij", MINKOWSKI, _line(q, s), MINKOWSKI)]
    return 4 * np.einsum("nij,nij->n", *lines)[:, None]


def masses_and_positions(n: int, rng: np.random.Generator) -> NDArray:
    """Five masses log(1 + exp(normal)), then five normal positions."""
    return np.concatenate([np.logaddexp(0.0, rng.standard_normal((n, 5))), rng.standard_normal((n, 15))], axis=1)


def normal(size: int, scale: float = 1.0) -> Callable[[int, np.random.Generator], NDArray]:
    """Draw normal inputs ``(n, size)`` of a given scale."""
    return lambda n, rng: scale * rng.standard_normal((n, size))


def _line(p: NDArray, r: NDArray) -> NDArray:
    outer = np.einsum("na,nb->nab", p, r)
    inner = np.einsum("na,ab,nb->n", p, MINKOWSKI, r - p)
    return outer + outer.transpose(0, 2, 1) - inner[:, None, None] * MINKOWSKI


TASKS = (
    Task("O(5)-invariant scalar", normal(10), two_vectors, lambda: groups.O(5), "2V", "S", "48S + 8V"),
    Task(
        "O(3) moment of inertia",
        masses_and_positions,
        inertia,
        lambda: groups.O(3),
        "5S + 5V",
        "T2",
        "16S + 8V + 4T2",
    ),
    Task("O(1,3) scattering", normal(16, 0.25), scattering, lambda: groups.O(1, 3), "4V", "S", "32S + 8V"),
)
