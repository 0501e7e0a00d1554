"""The recovery experiment: how many values of a polynomial are needed to find it, given what might be its symmetry.

Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025; protocol and random streams are those of its companion code. A target
is a random polynomial of degree d in r features: projections of the m inputs ("T" and "SE", after the group that is
promoted), or squared distances from r centres ("quad", with SE). n_recover is the least number of samples, in a
bisection, from which the least penalty gives all coefficients to 0.5 % of the largest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np
from numpy.typing import NDArray

import erlangen as er
from erlangen.linalg.polynomials import exponents, monomials
from erlangen.verbs import Penalty

SUCCESS = 5e-3
STEPS = 15
TOLERANCE = 3e-4
"""Relative residual of a fit with exact integrals: the error of its coefficients is then well below `SUCCESS`."""


@dataclass(frozen=True)
class Cell:
    """Targets of one kind: "T", "SE" or "quad", m inputs, r features, degree d."""

    kind: str
    m: int
    r: int
    d: int

    def __str__(self) -> str:
        name = "quad/SE" if self.kind == "quad" else self.kind
        return f"{name}({self.m}) r={self.r} d={self.d}"

    @property
    def degree(self) -> int:
        """Degree of the target in the inputs."""
        return 2 * self.d if self.kind == "quad" else self.d

    @property
    def n_lib(self) -> int:
        """Number of monomials of the family."""
        return comb(self.m + self.degree, self.degree)

    def action(self) -> er.actions.PolynomialAction:
        """What is promoted."""
        return er.actions.translation(self.m) if self.kind == "T" else er.actions.euclidean(self.m)

    def exact(self, kind: str = "nuclear") -> Penalty:
        """The penalty by exact integration over the box from -1 to 1, in the speed of the generators."""
        return self._promote(er.Samples.box(-1, 1, dim=self.m, n=64), "speed", kind)

    def paper(self, seed: int) -> Penalty:
        """The penalty as published: ``er.Samples.paper``, generators orthonormal in their coefficients."""
        degree = self.degree - 1 if self.kind == "T" else self.degree
        n = len(er.Samples.paper(dim=self.m, degree=degree))
        points = jax_uniform(seed, n, self.m)  # the published stream of random numbers
        return self._promote(er.Samples.from_data(points), "coefficients")

    def _promote(self, samples: er.Samples, inner: str, kind: str = "nuclear") -> Penalty:
        family = er.fields.Polynomial(degree=self.degree, dim=self.m).as_field()
        return er.promote(family, self.action(), samples, inner=inner, kind=kind)


@dataclass(frozen=True, eq=False)
class Problem:
    """One target of a cell, its pool of samples and its coefficients."""

    cell: Cell
    x: NDArray
    y: NDArray
    theta: NDArray

    @classmethod
    def draw(cls, cell: Cell, seed: int) -> Problem:
        """Draw a target and its samples, in the order of the published random stream."""
        stream = np.random.RandomState(seed)
        inner = exponents(cell.r, cell.d)
        weights = stream.rand(len(inner))
        if cell.kind == "quad":
            centres = stream.uniform(-1, 1, cell.r * cell.m).reshape(cell.r, cell.m)
            features = _distances(centres)
        else:
            rows = np.linalg.svd(stream.normal(size=(cell.m, cell.r)))[0][: cell.r]
            features = _projections(rows)
        x = stream.uniform(-1, 1, (cell.n_lib + 1, cell.m))
        table = exponents(cell.m, cell.degree)
        more = np.vstack([x, np.random.default_rng(seed).uniform(-1, 1, (cell.n_lib, cell.m))])
        values = monomials(features(more), inner) @ weights
        theta = np.linalg.lstsq(monomials(more, table), values, rcond=None)[0]
        return cls(cell, x, values[: len(x)], theta)

    @cached_property
    def largest(self) -> float:
        """Largest coefficient."""
        return float(np.abs(self.theta).max())

    def recovered(self, theta: NDArray) -> bool:
        """Whether all coefficients are right."""
        return float(np.abs(theta - self.theta).max()) < SUCCESS * self.largest


@dataclass(frozen=True)
class Recovery:
    """Samples needed, seconds for the bisection, and iterations in all."""

    n_recover: int
    seconds: float
    iterations: int


def bisect(problem: Problem, solve: Callable[[NDArray, NDArray], tuple[NDArray | None, int]]) -> Recovery:
    """Find the least number of samples from which ``solve`` recovers the target."""
    low, high, best, iterations = 1, problem.cell.n_lib + 1, problem.cell.n_lib + 1, 0
    begin = time.perf_counter()
    for _ in range(STEPS):
        if low >= high:
            break
        n = (low + high) // 2
        theta, count = solve(problem.x[:n], problem.y[:n])
        iterations += count
        if theta is not None and problem.recovered(theta):
            best, high = min(best, n), n
        else:
            low = n + 1
    return Recovery(best, time.perf_counter() - begin, iterations)


def ours(problem: Problem, penalty: Penalty, tolerance: float = TOLERANCE) -> Recovery:
    """Bisection with erlangen, each step started from the one before."""
    state = None

    def solve(x: NDArray, y: NDArray) -> tuple[NDArray | None, int]:
        nonlocal state
        try:
            found = penalty.interpolate(x, y, start=state, tolerance=tolerance)
        except er.UndecidedError:  # fewer samples than there are symmetric functions
            return None, 0
        state = found.state
        return found.theta, found.iterations

    return bisect(problem, solve)


def rival(problem: Problem, penalty: Penalty, most: int = 2500) -> Recovery:
    """Bisection with cvxpy's nuclear norm and SCS, for the same penalty."""
    import cvxpy

    table, maps = exponents(problem.cell.m, problem.cell.degree), penalty.blocks[0].map

    def solve(x: NDArray, y: NDArray) -> tuple[NDArray | None, int]:
        theta = cvxpy.Variable(len(problem.theta))
        image = cvxpy.reshape(maps.matrix @ theta, maps.shape, order="C")
        task = cvxpy.Problem(cvxpy.Minimize(cvxpy.norm(image, "nuc")), [monomials(x, table) @ theta == y])
        task.solve(solver=cvxpy.SCS, max_iters=most)
        return theta.value, int(task.solver_stats.num_iters or 0)

    return bisect(problem, solve)


def jax_uniform(seed: int, n: int, m: int) -> NDArray:
    """What ``jax.random.uniform(PRNGKey(seed), (n, m), minval=-1, maxval=1)`` gave in float64 when it was published.

    Threefry-2x32 over a counter of 2 n m words whose first half makes the high words and whose second half the low ones
    (later versions of JAX count otherwise).
    """
    count = np.arange(2 * n * m, dtype=np.uint32)
    high, low = _threefry(np.uint32(0), np.uint32(seed), count[: n * m], count[n * m :])
    bits = (high.astype(np.uint64) << np.uint64(32)) | low.astype(np.uint64)
    unit = ((bits >> np.uint64(12)) | np.uint64(0x3FF0000000000000)).view(np.float64) - 1.0
    return np.maximum(-1.0, 2.0 * unit - 1.0).reshape(n, m)


def _threefry(key: np.uint32, other: np.uint32, a: NDArray, b: NDArray) -> tuple[NDArray, NDArray]:
    """Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011: 20 rounds on pairs of 32-bit words."""
    keys = np.array([key, other, key ^ other ^ np.uint32(0x1BD11BDA)], dtype=np.uint32)
    turns = ((13, 15, 26, 6), (17, 29, 16, 24))
    a, b = a + keys[0], b + keys[1]
    for i in range(5):
        for turn in turns[i % 2]:
            a = a + b
            b = ((b << np.uint32(turn)) | (b >> np.uint32(32 - turn))) ^ a
        a, b = a + keys[(i + 1) % 3], b + keys[(i + 2) % 3] + np.uint32(i + 1)
    return a, b


def _projections(rows: NDArray) -> Callable[[NDArray], NDArray]:
    return lambda x: x @ rows.T


def _distances(centres: NDArray) -> Callable[[NDArray], NDArray]:
    return lambda x: ((x[:, None, :] - centres) ** 2).sum(axis=2)
