"""Equations of motion from few noisy runs: promoted, against plain least squares and thresholding without symmetry.

`er.dynamics.SINDy(promote=...)` is offered all linear maps, and is not told which of them are symmetries. Errors are
those of the coefficients, relative to the true ones, medians over ten seeds; rivals have the same derivatives. STLSQ
drops coefficients below 0.1, refits and repeats, as pysindy does by default.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

import erlangen as er
from benchmarks._row import row

SEEDS = 10
THRESHOLD = 0.1


@dataclass(frozen=True, eq=False)
class System:
    """A system, how it is observed, and what is promoted."""

    name: str
    equations: dict[tuple[int, tuple[int, ...]], float]
    dim: int
    degree: int
    offered: Callable[[], Any]
    kept: int
    """How many of the offered generators are symmetries."""
    start: float
    runs: int
    until: float
    samples: int

    @property
    def family(self) -> Any:
        return er.fields.Polynomial(degree=self.degree, dim=self.dim).as_vector_field()

    @property
    def truth(self) -> NDArray:
        """Coefficients ``(d, r)``."""
        column = {tuple(row): j for j, row in enumerate(self.family.table.tolist())}
        out = np.zeros((self.dim, len(column)))
        for (a, powers), value in self.equations.items():
            out[a, column[powers]] = value
        return out

    def observe(self, noise: float, seed: int) -> tuple[list[NDArray], NDArray]:
        """Runs with noise of a size relative to the spread of the states."""
        rng, field = np.random.default_rng(seed), self.family.with_theta(self.truth.ravel())
        t = np.linspace(0, self.until, self.samples)
        runs = []
        for _ in range(self.runs):
            start = rng.uniform(-self.start, self.start, self.dim) + (1.5 * self.start if self.kept == 0 else 0.0)
            found = solve_ivp(
                lambda _, z: field.value(z[None])[0], (0, self.until), start, t_eval=t, rtol=1e-9, atol=1e-9
            )
            runs.append(found.y.T)
        spread = np.std(np.concatenate(runs))
        return [run + noise * spread * rng.normal(size=run.shape) for run in runs], t


def planar() -> Any:
    return er.actions.gl(2)


def two_planes() -> Any:
    """One linear map for positions and momenta."""
    return er.actions.gl(2).tied([(0, 1), (2, 3)])


HOPF = {
    (0, (1, 0)): 1.0, (0, (0, 1)): -2.0, (0, (3, 0)): -1.0, (0, (1, 2)): -1.0,
    (1, (1, 0)): 2.0, (1, (0, 1)): 1.0, (1, (2, 1)): -1.0, (1, (0, 3)): -1.0,
}  # fmt: skip
TWIST = {  # a rotation whose speed grows with the radius, r' = -r / 5
    (0, (1, 0)): -0.2, (0, (0, 1)): -1.0, (0, (2, 1)): -0.5, (0, (0, 3)): -0.5,
    (1, (0, 1)): -0.2, (1, (1, 0)): 1.0, (1, (3, 0)): 0.5, (1, (1, 2)): 0.5,
}  # fmt: skip
SPRING = {  # a damped isotropic spring that stiffens
    (0, (0, 0, 1, 0)): 1.0, (1, (0, 0, 0, 1)): 1.0,
    (2, (1, 0, 0, 0)): -1.0, (2, (0, 0, 1, 0)): -0.2, (2, (3, 0, 0, 0)): -0.5, (2, (1, 2, 0, 0)): -0.5,
    (3, (0, 1, 0, 0)): -1.0, (3, (0, 0, 0, 1)): -0.2, (3, (2, 1, 0, 0)): -0.5, (3, (0, 3, 0, 0)): -0.5,
}  # fmt: skip
LOTKA_VOLTERRA = {(0, (1, 0)): 1.0, (0, (1, 1)): -1.0, (1, (0, 1)): -1.5, (1, (1, 1)): 0.75}
BRUSSELATOR = {
    (0, (0, 0)): 1.0, (0, (1, 0)): -3.0, (0, (2, 1)): 1.0, (1, (1, 0)): 2.0, (1, (2, 1)): -1.0,
}  # fmt: skip

SYMMETRIC = (
    System("Hopf normal form", HOPF, 2, 3, planar, 1, 1.2, 3, 4.0, 40),
    System("twisting spiral, degree 5", TWIST, 2, 5, planar, 1, 1.5, 4, 6.0, 60),
    System("stiffening isotropic spring", SPRING, 4, 3, two_planes, 1, 1.2, 8, 6.0, 60),
)
PLAIN = (
    System("Lotka-Volterra", LOTKA_VOLTERRA, 2, 3, planar, 0, 1.0, 3, 8.0, 80),
    System("Brusselator", BRUSSELATOR, 2, 3, planar, 0, 1.0, 3, 8.0, 80),
)


def rows(full: bool) -> list[dict[str, Any]]:
    hopf, twist, spring = SYMMETRIC
    cases = [(hopf, 0.01), (twist, 0.01), (twist, 0.05), *((system, 0.01) for system in PLAIN)]
    if full:
        cases += [(hopf, 0.05), (spring, 0.01), (spring, 0.05), *((system, 0.05) for system in PLAIN)]
    return [row for system, noise in cases for row in compared(system, noise)]


def compared(system: System, noise: float) -> list[dict[str, Any]]:
    """Errors of the coefficients, the number of broken generators, and seconds of a fit."""
    mine, plain, sparse, bare, ranks, seconds = [], [], [], [], [], []
    for seed in range(SEEDS):
        runs, t = system.observe(noise, seed)
        begin = time.perf_counter()
        model = er.dynamics.SINDy(degree=system.degree, promote=system.offered()).fit(runs, t)
        seconds.append(time.perf_counter() - begin)
        mine.append(error(model.coefficients_, system))
        ranks.append(model.broken_rank_)
        least = er.dynamics.SINDy(degree=system.degree, sparsity=None).fit(runs, t)
        plain.append(error(least.coefficients_, system))
        sparse.append(error(er.dynamics.SINDy(degree=system.degree).fit(runs, t).coefficients_, system))
        bare.append(error(stlsq(system, runs, t), system))
    case = f"{system.name}, {noise:.1%} noise, {system.runs} x {system.samples} samples"
    p = system.offered().n_generators
    right = sum(rank == p - system.kept for rank in ranks)
    ours, others = statistics.median(mine), {
        "least squares": statistics.median(plain),
        "STLSQ": statistics.median(bare),
        "SINDy without symmetry": statistics.median(sparse),
    }  # fmt: skip
    out = []
    for name, theirs in others.items():
        most = (0.5 if name == "least squares" else 1.0) if system.kept else 1.02
        asked = f"<= {most:g} of {name}" if system.kept or name.startswith("SINDy") else None
        met = None if asked is None else ours <= most * theirs
        out.append(row(f"{case}, against {name}", "coefficient error, median", ours, theirs, asked, met))
    out.append(row(f"{case}: {p - system.kept} of {p} broken", "right of 10", right, None, ">= 8", right >= 8))
    out.append(row(case, "fit [s], median", statistics.median(seconds), None, None, None))
    return out


def error(coefficients: NDArray, system: System) -> float:
    return float(np.linalg.norm(coefficients - system.truth) / np.linalg.norm(system.truth))


def stlsq(system: System, runs: list[NDArray], t: NDArray) -> NDArray:
    """Sequentially thresholded least squares, with the derivatives of the other fits."""
    from erlangen.dynamics._slopes import slopes_of

    data = slopes_of(er.fields.Trajectories.from_arrays(runs, t), "auto", None)
    functions = system.family.features(data.points)[:, 0, : len(system.family.table)]
    kept = np.ones((system.dim, functions.shape[1]), dtype=bool)
    out = np.zeros(kept.shape)
    for _ in range(20):
        for a in range(system.dim):
            out[a] = 0.0
            out[a, kept[a]] = np.linalg.lstsq(functions[:, kept[a]], data.slopes[:, a], rcond=None)[0]
        small = kept & (np.abs(out) < THRESHOLD)
        if not small.any():
            break
        kept &= ~small
    return out
