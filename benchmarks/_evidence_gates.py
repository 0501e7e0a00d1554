"""Coverage and truncation: data that reach less far than the claim, and classes too small for the truth.

The rival is what needs no gate: the defects of the fitted field, below delta. In the blocks of coverage they are
measured where the data are, in those of truncation on the region.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import erlangen as er
from benchmarks._evidence_systems import ALPHA, DELTA, System, named
from benchmarks._row import row
from erlangen.actions import affine
from erlangen.derivative import LieDerivative, scales_of
from erlangen.evidence.certify import certify
from erlangen.evidence.gates import extrapolation, lack_of_fit
from erlangen.fields import PolynomialField
from erlangen.linalg.polynomials import exponents
from erlangen.verbs.discover import solve

LEVEL = 0.02
REACH = {1.0: 1.2, 0.5: 28.0, 0.25: 303.0}
"""Published factors sqrt(kappa kappa') of cubic fields in the plane, by how far the data reach."""

MANY = (1.0, 0.8, 0.6, 0.5, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15)
SYSTEMS = ("hopf", "vanderpol")
MORE = ("hopf", "vanderpol", "lotka_volterra", "rigid_asym", "rigid_sym")
CLOSE = 0.1
GATE = 0.99


def rows(full: bool) -> list[dict[str, Any]]:
    """Blocks C and T."""
    names, reaches = (MORE, MANY) if full else (SYSTEMS, tuple(REACH))
    out = []
    for name in names:
        for reach in reaches:
            out += coverage(named(name), reach, reps=100 if full else 40)
    for name in SYSTEMS:
        for degree in (1, 2, 3):
            out += truncation(named(name), degree, reps=100 if full else 20)
    return out


def coverage(system: System, reach: float, reps: int, n: int = 2000) -> list[dict[str, Any]]:
    """States on a part of the box: the factor, false certification with and without gates, detection."""
    case = f"C {system.name} r={reach:g}"
    family, region = _family(system, system.degree), _box(system)
    factors, false, bare, naive, found = [], 0, 0, 0, 0
    for rep in range(reps):
        x, y = _draw(system, reach, n, rep)
        factors.append(extrapolation(family, affine(system.d), x, region).factor)
        answer = certify((x, y), affine(system.d), region, family=family, kind="vector", alpha=ALPHA, rng=rep)
        false += _is_false(system, answer.generators.T)
        bare += answer.band.certified(DELTA) > system.dim
        found += answer.dim + len(answer.trivial) >= system.dim > 0
        naive += _is_false(system, _plug_in(family, x, y, er.Samples.from_data(x)))
    asked = REACH.get(reach) if system.name in SYSTEMS else None
    factor = float(np.median(factors))
    near = None if asked is None else abs(factor / asked - 1.0) <= CLOSE
    out = [
        row(case, "sqrt(kappa kappa') (published)", factor, asked, None if asked is None else "within 10 %", near),
        row(case, "false certification (defect on the data)", false / reps, naive / reps, "0", false == 0),
        row(case, "false certification without gates", bare / reps, naive / reps, "0", bare == 0),
    ]
    if system.dim:
        out.append(row(case, "detection", found / reps, None, None, None))
    return out


def truncation(system: System, degree: int, reps: int, n: int = 1600) -> list[dict[str, Any]]:
    """Fits of a given degree: how often the gate rejects them, and what is certified."""
    case = f"T {system.name} degree {degree}"
    family, region = _family(system, degree), _box(system)
    rejected = false = bare = naive = found = 0
    for rep in range(reps):
        x, y = _draw(system, 1.0, n, rep)
        rejected += not lack_of_fit(family, x, y).passed
        answer = certify((x, y), affine(system.d), region, family=family, kind="vector", alpha=ALPHA, rng=rep)
        false += _is_false(system, answer.generators.T)
        bare += answer.band.certified(DELTA) > system.dim
        found += answer.dim >= system.dim > 0
        naive += _is_false(system, _plug_in(family, x, y, region))
    whole = degree >= system.degree
    asked, met = ("<= 0.05", rejected <= 0.05 * reps) if whole else (f">= {GATE}", rejected >= GATE * reps)
    out = [
        row(case, "rejected by lack of fit", rejected / reps, None, asked, met),
        row(case, "false certification (defect of the fit)", false / reps, naive / reps, "0", false == 0),
        row(case, "false certification, were the gate ignored", bare / reps, naive / reps, None),
    ]
    if system.dim and whole:
        out.append(row(case, "detection", found / reps, None, "1", found == reps))
    return out


def _family(system: System, degree: int) -> PolynomialField:
    table = exponents(system.d, degree)
    return PolynomialField(table, np.zeros((system.d, len(table))), "vector")


def _box(system: System) -> er.Samples:
    return er.Samples.box(-system.half, system.half, dim=system.d)


def _draw(system: System, reach: float, n: int, seed: int) -> tuple[NDArray, NDArray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-system.half, system.half, size=(n, system.d)) * reach
    return x, system.values(x) + LEVEL * system.size * rng.standard_normal(x.shape)


def _plug_in(family: PolynomialField, x: NDArray, y: NDArray, samples: er.Samples) -> NDArray:
    """Directions ``(p, k)`` whose defect is below delta for the fitted field: no test, no gate."""
    fitted = family.with_theta(er.evidence.estimate(family, x, y).theta)
    lie = LieDerivative(fitted, affine(x.shape[1]), samples)
    spectrum = solve(lie, scales_of(fitted, lie.lifted, samples))
    return spectrum.basis(int(np.sum(spectrum.values <= DELTA)))


def _is_false(system: System, span: NDArray) -> bool:
    """Whether a declared span ``(p, k)`` holds a generator with a true defect above delta."""
    return span.shape[1] > 0 and system.worst(span, "product") > DELTA
