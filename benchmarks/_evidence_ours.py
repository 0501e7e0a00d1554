"""How erlangen certifies in a cell: tensors once, then an estimate and a certificate for each data set."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks import _evidence_rivals
from benchmarks._evidence_systems import ALPHA, DELTA, System
from erlangen.actions import affine
from erlangen.derivative import Samples
from erlangen.evidence._modes import choosing
from erlangen.evidence.bilinear import Bilinear, Denominator, bilinear
from erlangen.evidence.calibrated import Calibration, calibrate, calibrated
from erlangen.evidence.certify import certify
from erlangen.evidence.estimate import Estimate, estimate_features
from erlangen.evidence.heldout import held_out, span_bound
from erlangen.evidence.simultaneous import simultaneous
from erlangen.fields import PolynomialField
from erlangen.linalg.polynomials import monomials

if TYPE_CHECKING:
    from benchmarks._evidence_cells import Cell, Method

DRAWS = 100
"""Draws from each null model: at most one of them may be false."""

PER_RADIUS = 100
"""Data sets that share a radius, which the public verb would find for each."""


@lru_cache(maxsize=64)
def tensors(system: System, defect: Denominator) -> Bilinear:
    """The tensors of the class of a system over its cube."""
    family = PolynomialField(system.table, system.theta.reshape(system.d, -1), "vector")
    return bilinear(family, affine(system.d), Samples.box(-system.half, system.half, dim=system.d), defect=defect)


def fitted(system: System, x: NDArray, y: NDArray) -> Estimate:
    """Least squares with equal variances."""
    return estimate_features(monomials(x, system.table), y)


def halves(both: Bilinear, system: System, x: NDArray, y: NDArray) -> tuple[Estimate, Estimate]:
    """Estimates of the rows that choose and of those that test, in the shares of the public verb."""
    k = int(round(choosing(len(x), both, system.d) * len(x)))
    return fitted(system, x[:k], y[:k]), fitted(system, x[k:], y[k:])


def _held_out(cell: Cell) -> Method:
    both = tensors(cell.system, cell.defect)

    def declare(system: System, x: NDArray, y: NDArray, rng: np.random.Generator) -> dict[str, NDArray]:
        return {"held-out": held_out(both, *halves(both, system, x, y), DELTA, ALPHA).span}

    return declare


def _calibrated(cell: Cell) -> Method:
    """A radius from a data set of its own for every hundred data sets of the cell."""
    both, pilots = tensors(cell.system, cell.defect), np.random.default_rng([cell.seed, 2])
    radii: list[Calibration] = []
    for _ in range(0, cell.reps, PER_RADIUS):
        pilot = fitted(cell.system, *cell.system.draw(cell.n, cell.level, pilots))
        radii.append(calibrate(both, pilot, DELTA, ALPHA, draws=DRAWS, rng=cell.seed))
    turns = cycle([radius for radius in radii for _ in range(PER_RADIUS)])

    def declare(system: System, x: NDArray, y: NDArray, rng: np.random.Generator) -> dict[str, NDArray]:
        found = calibrated(both, fitted(system, x, y), next(turns))
        return {"calibrated": found.basis[:, : found.dim(DELTA)]}

    return declare


def public(cell: Cell) -> Method:
    """The verb as people call it: what it certifies, with what it calls trivial (the field itself)."""
    samples = Samples.box(-cell.system.half, cell.system.half, dim=cell.system.d)
    defect: Denominator = "bracket" if cell.defect == "bracket" else "product"

    def declare(system: System, x: NDArray, y: NDArray, rng: np.random.Generator) -> dict[str, NDArray]:
        found = certify((x, y), affine(system.d), samples, family=system.degree, kind="vector", defect=defect, rng=rng)
        rows = [*found.generators, *(b.xi for b in found.trivial if b.high <= DELTA)]
        return {"certify": np.linalg.qr(np.array(rows).T)[0] if rows else np.zeros((system.d * (system.d + 1), 0))}

    return declare


OURS: dict[str, Callable[[Cell], Method]] = {"held-out": _held_out, "calibrated": _calibrated}


def refutations(system: System, n: int, level: float, reps: int) -> tuple[float, float]:
    """Mean lower bound of the least defect, ours and that of the ellipsoid without whitening."""
    both, rng = tensors(system, "bracket"), np.random.default_rng(5)
    ours, rival = [], []
    for _ in range(reps):
        x, y = system.draw(n, level, rng)
        ours.append(simultaneous(both, fitted(system, x, y), ALPHA).lower[0])
        rival.append(_evidence_rivals.refutation(_evidence_rivals.fit(system, x, y)))
    return float(np.mean(ours)), float(np.mean(rival))


def named_certified(system: System, xi: NDArray, n: int, level: float, reps: int, defect: Denominator) -> int:
    """How many data sets certify a direction ``xi (p, 1)`` that was named beforehand, by the exact test."""
    both, rng = tensors(system, defect), np.random.default_rng(6)
    certified = 0
    for _ in range(reps):
        first, second = halves(both, system, *system.draw(n, level, rng))
        certified += span_bound(both, first, second, xi, second.quantile(ALPHA)) <= DELTA
    return certified
