"""Chaos as a negative control: 129 flows of dysts, nearly all of which have no continuous symmetry.

**exact**: right-hand sides as they are, all affine generators on the box of `benchmarks._evidence_flows`, one core.
What falls below a tolerance of 1e-6, a hit, is put before `er.evidence.explain_special`. Seconds are those of one core:
reading, derivatives, discovery and explanation. The table of smallest defects in results/evidence_dysts.txt says which
flows are negative at delta = 0.05: those whose smallest true defect is larger. The others have an approximate symmetry
on that box in the sense of the definition, and certifying it is no error.

**noise**: N = 20 q values with Gaussian noise of 1 % of the root mean square of |F|, uniform on the box, of the 82
polynomial flows in coordinates of mean 0 and standard deviation 1. *False* is a certified span with a true defect above
delta.

**attractor**: the same noise on F along a run of 20 periods. With the box as the target nothing may be certified that
is not true there, and the factor by which sizes on the box and on the attractor differ is told; with the attractor as
the target the same holds there. Flows that are no polynomials are fitted by polynomials all the same, of degree 3 in
three coordinates, 2 in four, 1 in more: the lack of fit has to be seen. MacArthur, of ten coordinates, is left out.

Seeds: the j-th flow in alphabetical order is ``default_rng([j, kind])``. Without the package dysts there are no rows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import odeint

import erlangen as er
from benchmarks import _evidence_flows as flows
from benchmarks import _evidence_planted as planted
from benchmarks._evidence_flows import HALF_WIDTH, Flow
from benchmarks._parallel import each
from benchmarks._row import row
from erlangen._errors import UndecidedError
from erlangen.derivative import LieDerivative, scales_of
from erlangen.evidence import certify, explain_special
from erlangen.fields import AbstractField, PolynomialField
from erlangen.verbs.discover import solve

RESULTS = Path(__file__).parent / "results"
EXACT = 1e-6
DELTA = 0.05
NOISE, PER_PARAMETER = 0.01, 20
PERIODS = 20
TARGET_ROWS = 600
"""Values on the points of a run that stand for its attractor: of the run, as many as tensors are made of."""
SECONDS = 60.0
KNOWN = {"Torus": "explicit time", "SwingingAtwood": "orbital", "BickleyJet": "components", "SprottMore": "jump"}
"""Hits that the literature on these flows knows, and why they are none."""


def rows(full: bool) -> list[dict[str, Any]]:
    if find_spec("dysts") is None:
        print("dysts is not installed (pip install --no-deps dysts==0.96): no rows")
        return []
    return [*exact(), *noisy(3 if full else 1), *on_attractors(), *planted.rows(full)]


# ---------------------------------------------------------------------------------------------------------------------
# exact fields


@dataclass(frozen=True)
class Sweep:
    """One flow, its right-hand side as it is."""

    name: str
    dim: int
    alias: str
    smallest: float
    bracket: float
    labels: tuple[str, ...]
    words: tuple[str, ...]
    found: tuple[str, ...]
    seconds: float

    def line(self) -> str:
        alias = f" (as {self.alias})" if self.alias else ""
        at = "; ".join(self.words) or "; ".join(self.found)
        head = f"{self.name + alias:40s} d = {self.dim:2d}  {self.smallest:8.2g} {self.bracket:8.2g}"
        return f"{head}  {at}".rstrip()


def exact() -> list[dict[str, Any]]:
    """All 129 on one core, one after the other."""
    found = [sweep(name) for name in flows.names()]
    seconds = sum(one.seconds for one in found)
    head = "flow; smallest true defect, its denominator as in the library and as |DF xi|, |D xi F|; what is special\n"
    text = head + "\n".join(one.line() for one in sorted(found, key=lambda one: one.smallest)) + "\n"
    (RESULTS / "evidence_dysts.txt").write_text(text, encoding="utf-8")
    hits = {one.name: one.labels for one in found if one.labels}
    for one in found:
        if one.labels:
            print(one.line(), flush=True)
    named = [name for name, label in KNOWN.items() if label in hits.get(name, ())]
    plain = [name for name, labels in hits.items() if "symmetry" in labels]
    others = sorted(set(hits) - set(KNOWN))
    case = f"dysts, exact fields ({len(found)}, of which {len(flows.aliases())} aliases)"
    negative = sum(one.smallest > DELTA for one in found)
    share = f"smallest true defect above {DELTA:g} (negative at that delta)"
    return [
        row(case, "whole sweep [s of CPU], one core", seconds, None, f"<= {SECONDS:g}", seconds <= SECONDS),
        row(case, f"known hits at {EXACT:g} named with their reason", len(named), None, "4", len(named) == 4),
        row(case, f"further hits, all named: {', '.join(others) or 'none'}", len(others), None, None),
        row(case, "reported as plain symmetries", len(plain), None, "0", not plain),
        row(case, share, negative, None, None),
        jump(),
    ]


def jump() -> dict[str, Any]:
    """Moving SprottMore along d/dz, which its derivative does not see, for three times."""
    one = flows.flow("SprottMore")
    refused = er.discover(one.field, er.actions.translation(3), one.box(4096)).refused
    residuals = [r for g in refused if g.confirmation is not None for r in g.confirmation.residuals]
    least = min(residuals, default=0.0)
    case = "SprottMore, finite moves along d/dz"
    return row(case, "residual over t, least of three times", least, None, f"> {DELTA:g}", least > DELTA)


def sweep(name: str) -> Sweep:
    """The smallest defect of one flow, and what is special about it where it is below the tolerance."""
    start = time.process_time()
    one = flows.flow(name)
    box, action = one.box(), er.actions.affine(one.dim)
    sym = er.discover(one.field, action, box, rule=er.Threshold(EXACT))
    special = explain_special(one.field, action, box, sym, delta=EXACT)
    seconds = time.process_time() - start
    near = not special and sym.spectrum[0] <= DELTA and name not in flows.NUMERICAL
    usual = er.discover(one.field, action, box) if near else None
    return Sweep(
        name,
        one.dim,
        flows.aliases().get(name, ""),
        float(sym.spectrum[0]),
        bracket(one, box),
        tuple(dict.fromkeys(e.label for e in special)),
        tuple(dict.fromkeys(f"{e.label}: {e.reason}" for e in special)),
        () if usual is None else tuple(f"{g.verdict} at {g.defect:.2g}" for g in usual.found.generators),
        seconds,
    )


def bracket(one: Flow, box: er.Samples) -> float:
    """Smallest defect with the denominator of SymCert, |DF xi|^2 + |D xi F|^2: a translation counts as 1."""
    lie = LieDerivative(one.field, er.actions.affine(one.dim), box)
    unit = scales_of(one.field, lie.lifted, box).values
    x = box.points
    f, jacobian = one.field.value(x), one.field.jacobian(x)
    moved = np.einsum("nca,npa->ncp", jacobian, lie.lifted.on_points(x)) / unit[:, None]
    carried = lie.lifted.on_values(x, f).transpose(0, 2, 1) / unit[:, None]
    p = moved.shape[2]
    size = np.vstack([moved.reshape(-1, p), carried.reshape(-1, p)])
    length = np.linalg.norm(size, axis=0)
    keep = length > 0
    _, s, vt = np.linalg.svd(size[:, keep] / length[keep], full_matrices=False)
    seen = s > 1e-12 * s[0]  # directions that move nothing have no defect
    frame = vt[seen].T / s[seen]
    return float(np.linalg.svd((moved - carried).reshape(-1, p)[:, keep] / length[keep] @ frame, compute_uv=False)[-1])


# ---------------------------------------------------------------------------------------------------------------------
# noisy values


@dataclass(frozen=True)
class Outcome:
    """A certificate of one flow beside the truth."""

    name: str
    kind: str
    smallest: float
    dim: int
    worst: float
    coverage: float
    rejected: str
    seconds: float

    @property
    def false(self) -> bool:
        """Whether something certified has a true defect above delta."""
        return self.worst > DELTA

    def line(self) -> str:
        told = f"{self.dim} certified, true defect {self.worst:.2g}" if self.dim else self.rejected or "none certified"
        return f"{self.name:24s} {self.kind:10s} smallest {self.smallest:.2g}, factor {self.coverage:.2g}: {told}"


def noisy(draws: int) -> list[dict[str, Any]]:
    """Uniform points of the box."""
    names = flows.polynomial_names()
    outcomes = list(each(on_box, [(j, name, draw) for j, name in enumerate(names) for draw in range(draws)]))
    print("\n".join(o.line() for o in outcomes if o.dim or o.false), flush=True)
    case = f"dysts, {NOISE:.0%} noise on right-hand sides ({len(outcomes)}), N = {PER_PARAMETER} q"
    negative = [o for o in outcomes if o.smallest > DELTA]
    false, true = sum(o.false for o in outcomes), sum(o.dim > 0 and not o.false for o in outcomes)
    seconds = float(np.median([o.seconds for o in outcomes]))
    return [
        row(case, "certified falsely", false, None, f"<= {draws}", false <= draws),
        row(case, f"certified, of {len(negative)} negatives", sum(o.dim > 0 for o in negative), None, None),
        row(case, f"certified rightly, of {len(outcomes) - len(negative)} others", true, None, None),
        row(case, "certificate [s], median", seconds, None, None),
    ]


def on_box(task: tuple[int, str, int]) -> Outcome:
    """One polynomial flow from values at uniform points."""
    j, name, draw = task
    rng, field = np.random.default_rng([j, 0, draw]), flows.standardised(name)
    box = er.Samples.box(-HALF_WIDTH, HALF_WIDTH, dim=field.point_dim, n=1024)
    x = rng.uniform(-HALF_WIDTH, HALF_WIDTH, (PER_PARAMETER * field.n_params, field.point_dim))
    return judged(name, "box", field, box, x, field, rng)


def judged(
    name: str, kind: str, field: AbstractField, target: er.Samples, x: NDArray, family: Any, rng: np.random.Generator
) -> Outcome:
    """Certify from noisy values at points x, and compare with the field itself on the target."""
    f = field.value(x)
    y = f + NOISE * np.sqrt(np.mean(np.sum(f**2, axis=1))) * rng.standard_normal(f.shape)
    action = er.actions.affine(field.point_dim)
    start = time.perf_counter()
    try:
        found = certify((x, y), action, target, family=family, kind="vector", delta=DELTA, rng=rng)
    except UndecidedError as error:
        smallest, _ = truth(field, action, target, np.zeros((action.n_generators, 0)))
        return Outcome(name, kind, smallest, 0, 0.0, float("nan"), str(error).splitlines()[0], 0.0)
    seconds = time.perf_counter() - start
    smallest, worst = truth(field, action, target, found.generators.T)
    failed = [gate.name for gate in found.gates if gate.binding and not gate.passed]
    factor = next((gate.value for gate in found.gates if gate.name == "coverage"), float("nan"))
    return Outcome(name, kind, smallest, found.dim, worst, factor, ", ".join(failed), seconds)


def truth(field: AbstractField, action: Any, target: er.Samples, span: NDArray) -> tuple[float, float]:
    """Smallest true defect of all candidates on the target, and the largest in a span ``(p, r)``."""
    lie = LieDerivative(field, action, target)
    scales = scales_of(field, lie.lifted, target)
    found = solve(lie, scales)
    factors, smallest = found.factors, float(found.values[0]) if len(found.values) else float("nan")
    if not span.shape[1]:
        return smallest, 0.0
    size = factors.informs.dense() @ span
    return smallest, float(np.linalg.svd(factors.rows @ span @ np.linalg.pinv(size), compute_uv=False)[0])


# ---------------------------------------------------------------------------------------------------------------------
# attractors


def on_attractors() -> list[dict[str, Any]]:
    """Runs: the box as the target, then the attractor."""
    names = [name for name in flows.names() if name not in (*KNOWN, "MacArthur")]
    pairs = list(each(on_run, list(enumerate(names))))
    out = []
    for i, kind in enumerate(("box", "attractor")):
        outcomes = [pair[i] for pair in pairs]
        print("\n".join(o.line() for o in outcomes if o.dim or o.false), flush=True)
        case = f"dysts, one run each ({len(outcomes)}), target: {kind}"
        negative = [o for o in outcomes if not o.smallest <= DELTA]
        false, any_ = sum(o.false for o in outcomes), sum(o.dim > 0 for o in negative)
        factors = np.array([o.coverage for o in outcomes])
        out += [
            row(case, "certified falsely", false, None, "<= 1", false <= 1),
            row(
                case,
                f"certified, of {len(negative)} negatives",
                any_,
                None,
                "0" if kind == "box" else "<= 1",
                any_ <= i,
            ),
            row(case, "factor region against data, median", float(np.nanmedian(factors)), None, None),
            row(case, "certificate [s], median", float(np.median([o.seconds for o in outcomes])), None, None),
        ]
    return out


def on_run(task: tuple[int, str]) -> tuple[Outcome, Outcome]:
    """One flow from values along a run, for both targets."""
    j, name = task
    one = flows.flow(name)
    d, degree = one.dim, degree_of(one)
    field = Standard(one)
    n = PER_PARAMETER * d * comb(d + degree, degree)
    x = run_of(name, n)
    box = er.Samples.box(-HALF_WIDTH, HALF_WIDTH, dim=d, n=1024)
    targets = {"box": box, "attractor": er.Samples.from_data(x).subset(TARGET_ROWS // d)}
    first, second = (
        judged(name, kind, field, target, x, degree, np.random.default_rng([j, 1])) for kind, target in targets.items()
    )
    return first, second


def degree_of(one: Flow) -> int:
    """Degree of the class: that of the flow, where it is a polynomial; one rule for the others."""
    if isinstance(one.field, PolynomialField) and one.dim <= 4:
        return max(1, int(one.field.table.sum(axis=1).max()))
    return {3: 3, 4: 2}.get(one.dim, 1)


@dataclass(frozen=True, eq=False)
class Standard(AbstractField):
    """A flow in coordinates of mean 0 and standard deviation 1."""

    flow: Flow

    @property
    def point_dim(self) -> int:
        return self.flow.dim

    @property
    def value_dim(self) -> int:
        return self.flow.dim

    @property
    def accuracy(self) -> float:
        return self.flow.field.accuracy

    @property
    def kind(self) -> str:
        return "vector"

    def value(self, x: NDArray) -> NDArray:
        return self.flow.field.value(self.flow.mean + x * self.flow.std) / self.flow.std

    def jacobian(self, x: NDArray) -> NDArray:
        inner = self.flow.field.jacobian(self.flow.mean + x * self.flow.std)
        return inner * self.flow.std / self.flow.std[:, None]


@cache
def run_of(name: str, n: int) -> NDArray:
    """States ``(n, d)`` in standard coordinates along a run from the initial state of the package."""
    one, package = flows.flow(name), flows.row_of(name)
    start = np.array(package["initial_conditions"], dtype=float)
    times = np.linspace(0.0, PERIODS * package["period"], n)
    field = one.field
    states = odeint(lambda z, _: field.value(z[None])[0], start, times, rtol=1e-6, atol=1e-6 * one.std)
    return (states - one.mean) / one.std
