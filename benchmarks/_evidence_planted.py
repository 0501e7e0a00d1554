"""Planted symmetries: chaotic flows averaged over a compact group, and flows with a hidden angle.

Bases are the polynomial flows of dysts in three and four coordinates of degree up to 3, in coordinates of mean 0 and
standard deviation 1 (those of its table). *Averaged*: the mean of e^{-tA} F(e^{tA} x) over t, A a random compact
generator, which then is a symmetry. *Angle*: beside three states one coordinate more, whose rate is a random quadratic
polynomial of them; all four are mixed by a random linear map, so that a hidden translation is a symmetry. Where the
base repeats (there are fewer flows than cases), the group and the map do not.

Candidates are all affine fields; the region is the box of uniform coordinates with mean 0 and standard deviation 1.
*Found* means that the planted generator lies within a cosine of 0.99 of the span found, as fields on that box. Noise is
Gaussian with 1 % of the root mean square of |F|, N = 2000. *False* is a certified span with a true defect above delta.

Seeds: case k is ``default_rng([k, kind])``, its data continue the stream.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

import erlangen as er
from benchmarks._evidence_flows import HALF_WIDTH, polynomial_names, refit, standardised
from benchmarks._parallel import each
from benchmarks._row import row
from erlangen.evidence import certify, estimate
from erlangen.evidence.bilinear import bilinear
from erlangen.fields import PolynomialField
from erlangen.linalg.polynomials import exponents, monomials

CASES = 50
DELTA = 0.05
COSINE = 0.99
SAMPLES, NOISE = 2000, 0.01
FREQUENCIES = {3: ((1,),), 4: ((1, 0), (1, 2))}
"""Turns of each plane in one period of the compact group, such that terms of degree 2 are left (not so for 1, 1)."""
KINDS = ("averaged", "angle")


@dataclass(frozen=True, eq=False)
class Planted:
    """A field and the generator that leaves it alone."""

    name: str
    field: PolynomialField
    xi: NDArray

    @property
    def action(self) -> er.actions.PolynomialAction:
        return er.actions.affine(self.field.point_dim)


@dataclass(frozen=True)
class Outcome:
    """What was found of one case."""

    name: str
    exact: bool
    confirmed: bool
    found: bool
    certified: bool
    dim: int
    false: bool
    seconds: float

    def line(self) -> str:
        words = [name for name in ("exact", "confirmed", "found", "certified", "false") if getattr(self, name)]
        return f"{self.name:40s} {', '.join(words)}; dimension {self.dim} certified, {self.seconds:.2f} s"


def rows(full: bool) -> list[dict[str, Any]]:
    """Both kinds; ``full`` takes twice as many."""
    count = CASES * (2 if full else 1)
    offered = {"averaged": bases((3, 4)), "angle": bases((3,))}
    tasks = {kind: [(kind, k, offered[kind][k % len(offered[kind])]) for k in range(count)] for kind in KINDS}
    return [r for kind in KINDS for r in summary(kind, list(each(measure, tasks[kind])))]


def summary(kind: str, outcomes: list[Outcome]) -> list[dict[str, Any]]:
    n = len(outcomes)
    print("\n".join(o.line() for o in outcomes), flush=True)
    case = f"planted, {kind} ({n})"
    exact, moved, found, certified, false = (
        sum(getattr(o, name) for o in outcomes) for name in ("exact", "confirmed", "found", "certified", "false")
    )
    seconds = float(np.median([o.seconds for o in outcomes]))
    return [
        row(case, "found, exact field", exact, None, f"{n}", exact == n),
        row(case, "confirmed by finite moves", moved, None, f"{n}", moved == n),
        row(case, f"found, {NOISE:.0%} noise, N = {SAMPLES}", found, None, ">= 95 %", found >= 0.95 * n),
        row(case, f"certified at {DELTA:g}, held out", certified, None, ">= 80 %", certified >= 0.8 * n),
        row(case, "certified falsely", false, None, "0", false == 0),
        row(case, "certificate [s], median", seconds, None, None),
    ]


def measure(task: tuple[str, int, str]) -> Outcome:
    """One case: the exact field, the noisy fit, the certificate."""
    kind, k, base = task
    rng = np.random.default_rng([k, KINDS.index(kind)])
    case = averaged(base, k, rng) if kind == "averaged" else hidden_angle(base, rng)
    d = case.field.point_dim
    box = er.Samples.box(-HALF_WIDTH, HALF_WIDTH, dim=d, n=1024)
    clean = er.discover(case.field, case.action, box, rule=er.Threshold(1e-6))
    x = rng.uniform(-HALF_WIDTH, HALF_WIDTH, (SAMPLES, d))
    f = case.field.value(x)
    y = f + NOISE * np.sqrt(np.mean(np.sum(f**2, axis=1))) * rng.standard_normal(f.shape)
    noisy = case.field.with_theta(estimate(case.field, x, y).theta)
    seen = er.discover(noisy, case.action, box)
    start = time.perf_counter()
    certificate = certify((x, y), case.action, box, family=case.field, kind="vector", mode="held-out", delta=DELTA)
    seconds = time.perf_counter() - start
    truth = bilinear(case.field, case.action, box)
    span = certificate.generators.T
    worst = truth.worst(span, case.field.theta) if certificate.dim else 0.0
    return Outcome(
        case.name,
        cosine(case, clean.generators.T, box) > 1 - 1e-9,
        all(g.confirmation is not None and g.confirmation.passed for g in clean.found.generators) and clean.dim > 0,
        cosine(case, seen.generators.T, box) >= COSINE,
        cosine(case, span, box) >= COSINE,
        certificate.dim,
        bool(worst > DELTA),
        seconds,
    )


def cosine(case: Planted, span: NDArray, box: er.Samples) -> float:
    """Cosine of the angle between the planted generator and a span ``(p, r)``, as fields on the box."""
    if not span.shape[1]:
        return 0.0
    fields = case.action.on_points(box.points).transpose(0, 2, 1).reshape(-1, case.action.n_generators)
    target = fields @ case.xi
    inside = np.linalg.qr(fields @ span)[0].T @ target
    return float(np.linalg.norm(inside) / np.linalg.norm(target))


def averaged(name: str, k: int, rng: np.random.Generator) -> Planted:
    """A flow averaged over a compact group of one parameter."""
    field = standardised(name)
    d = field.point_dim
    turns = FREQUENCIES[d][k % len(FREQUENCIES[d])]
    plane = np.zeros((d, d))
    for j, turn in enumerate(turns):
        plane[2 * j, 2 * j + 1], plane[2 * j + 1, 2 * j] = -turn, turn
    frame = mixing(d, rng)
    a = frame @ plane @ np.linalg.inv(frame)
    degree = int(field.table.sum(axis=1).max())
    times = 2 * np.pi * np.arange(n := 2 * (degree + 1) * max(turns) + 1) / n  # exact for such trigonometric sums
    groups = [expm(t * a) for t in times]
    coefficients = refit(d, degree, lambda x: sum(field.value(x @ g.T) @ np.linalg.inv(g).T for g in groups) / n)
    return Planted(f"{name}, turns {turns}", coefficients, affine_of(a, np.zeros(d)))


def hidden_angle(name: str, rng: np.random.Generator) -> Planted:
    """A flow in three coordinates with an angle beside it, all mixed."""
    base = standardised(name)
    degree = max(2, int(base.table.sum(axis=1).max()))
    table = exponents(3, 2)
    rate = rng.standard_normal(len(table)) * np.sqrt(np.mean(base.coefficients**2) * len(base.table) / len(table))
    t = mixing(4, rng)
    back = np.linalg.inv(t)

    def mixed(z: NDArray) -> NDArray:
        states = (z @ back.T)[:, :3]
        return np.column_stack([base.value(states), monomials(states, table) @ rate]) @ t.T

    return Planted(f"{name}, an angle", refit(4, degree, mixed), affine_of(np.zeros((4, 4)), t[:, 3]))


def mixing(d: int, rng: np.random.Generator) -> NDArray:
    """A random frame: a rotation of axes of unequal length."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return (q * np.sign(np.diag(r))) * np.exp(0.3 * rng.standard_normal(d))


def affine_of(a: NDArray, b: NDArray) -> NDArray:
    """Coefficients of (A x + b).grad over the affine fields."""
    d = len(a)
    x = np.random.default_rng(0).standard_normal((4 * d, d))
    design = er.actions.affine(d).on_points(x).transpose(0, 2, 1).reshape(-1, d * (d + 1))
    return np.linalg.lstsq(design, (x @ a.T + b).ravel(), rcond=None)[0]


@cache
def bases(dims: tuple[int, ...]) -> tuple[str, ...]:
    """Polynomial flows in so many coordinates, of degree up to 3, each right-hand side once."""
    chosen = []
    for name in polynomial_names():
        field = standardised(name)
        if field.point_dim in dims and field.table.sum(axis=1).max() <= 3 and name not in er.systems.dysts_aliases():
            chosen.append(name)
    return tuple(chosen)
