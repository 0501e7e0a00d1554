"""Discrete symmetries: other components of a group from noisy tables, and signs and cyclic shifts of chaotic flows.

**components**: tables with 2 % noise, and the discrete rotation of LieGAN (x normal in three dimensions, n = 20 000,
y = x3 / (1 + angle mod 2 pi / 7), no noise, jumps at seven half-planes). Negatives are polynomials of degree 4 with
random coefficients, once as functions and once as tables.

**dysts, exact**: flows in up to six coordinates, signs and the cyclic shift about the origin; polynomials from their
table of coefficients (signs are linear equations over two elements), others where both sides agree to rounding at 100
points. Torus, whose rates depend on time alone, keeps a change of signs at time 0, when one rate vanishes, and at no
other; the published count of 66 has it.

**dysts, noise**: values with noise of 1 % of the root mean square of each component, delta = 0.02, alpha = 0.05.
Polynomial flows at 1000 uniform points of the box, in the class that the data choose; others at a symmetric design:
1600 rows that are orbits of uniform points under all changes of signs and, where the box is nearly a cube, cyclic
shifts, compared value by value (mode "matched"). Boxes are those of `benchmarks._evidence_flows`, mirrored at the
origin where the field is finite there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

import erlangen as er
from benchmarks import _evidence_flows as flows
from benchmarks._parallel import each
from benchmarks._row import row
from erlangen.dynamics import discrete_symmetries
from erlangen.evidence import find_components, test_elements
from erlangen.evidence.discrete.elements import FiniteSet, cyclic, signs
from erlangen.fields import PolynomialField
from erlangen.linalg.polynomials import exponents

NOISE_COMPONENTS, NOISE = 0.02, 0.01
ROWS, ROWS_DYSTS, ROWS_DESIGN = 1500, 1000, 1600
DELTA = 0.02
NEGATIVES = 20
SECONDS = 5.0
EXACT = 1e-9
MOST = 6
"""Coordinates up to which flows are searched."""
SIGNS, CYCLIC = 66, 4
"""Flows with a nontrivial change of signs, and with a cyclic shift."""


def rows(full: bool) -> list[dict[str, Any]]:
    out = [*seven(), *named(), *negatives(full)]
    if find_spec("dysts") is None:
        print("dysts is not installed (pip install --no-deps dysts==0.96): no rows of its flows")
        return out
    return [*out, *flows_exact(), *flows_noisy(full)]


# ---------------------------------------------------------------------------------------------------------------------
# components


def seven(seed: int = 0) -> list[dict[str, Any]]:
    """The discrete rotation."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((20_000, 3))
    y = x[:, 2] / (1 + np.mod(np.arctan2(x[:, 1], x[:, 0]), 2 * np.pi / 7))
    start = time.perf_counter()
    found = find_components((x, y), rng=seed)
    seconds = time.perf_counter() - start
    angle = _off(found.matrices[0]) if found.generators else np.inf
    before = max((_relative(c.turns) for c in found.found if len(c.turns)), default=np.inf)
    case = "C7, discrete rotation of LieGAN"
    print(f"{case}: {found.verdict}", flush=True)
    return [
        row(case, "order of the group", found.order, None, "7", found.name == "C(7)"),
        row(case, "angle off a multiple of 2 pi / 7, relative", angle, None, "<= 0.01", angle <= 0.01),
        row(case, "the same before snapping, worst of the components", before, None, None),
        row(case, "seconds", seconds, None, None),
    ]


def _off(matrix: NDArray) -> float:
    angles = np.degrees(np.angle(np.linalg.eigvals(matrix)))
    return _relative(angles[angles > 1e-3])


def _relative(turns: NDArray) -> float:
    if len(turns) != 1:
        return float("inf")
    multiple = max(1, round(float(turns[0]) * 7 / 360))
    return float(abs(turns[0] / (multiple * 360 / 7) - 1))


@dataclass(frozen=True)
class Task:
    """A table with a known group."""

    name: str
    dim: int
    function: Callable[[NDArray], NDArray]
    expected: str
    kind: str | None = None


def _spiral(x: NDArray) -> NDArray:
    rest = 1 - np.sum(x**2, axis=1, keepdims=True)
    return x * rest + np.stack([-x[:, 1], x[:, 0]], axis=1)


def _radial(x: NDArray) -> NDArray:
    return x * (1 - np.sum(x**2, axis=1, keepdims=True))


def _partial(x: NDArray) -> NDArray:
    some, u, v = x[:, :3], x[:, 3], x[:, 4]
    return some.sum(1) + (some**3).sum(1) + v * (some**2).sum(1) + u**3 - u + v + u * v


def _square(x: NDArray) -> NDArray:
    return x[:, 0] ** 4 + x[:, 1] ** 4 + 0.3 * x[:, 0] ** 2 * x[:, 1] ** 2


TASKS = (
    Task("O(2), radial vector field", 2, _radial, "O(2) = SO(2) and a reflection", "vector"),
    Task("SO(2), spiral vector field", 2, _spiral, "SO(2)", "vector"),
    Task("S(3) on three of five inputs", 5, _partial, "S(3)"),
    Task("D(4)", 2, _square, "D(4)"),
)


def named() -> list[dict[str, Any]]:
    out = []
    for seed, task in enumerate(TASKS):
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1, 1, (ROWS, task.dim))
        y = task.function(x)
        y = y + NOISE_COMPONENTS * y.std(axis=0) * rng.standard_normal(y.shape)
        start = time.perf_counter()
        found = find_components((x, y), kind=task.kind, rng=seed)
        seconds = time.perf_counter() - start
        print(f"{task.name}: {found.verdict} ({seconds:.1f} s)", flush=True)
        right = found.name == task.expected and found.certified
        out.append(row(f"components, {task.name}", "named and certified", float(right), None, "1", right))
    return out


def negatives(full: bool) -> list[dict[str, Any]]:
    """Random polynomials have no linear symmetry."""
    false, certified = 0, 0
    for seed in range(NEGATIVES):
        d = 2 + seed % (3 if full else 2)
        rng = np.random.default_rng(seed)
        table = exponents(d, 4)
        field = PolynomialField(table, rng.standard_normal((1, len(table))))
        x = rng.uniform(-1, 1, (ROWS, d))
        y = field.value(x)
        y = y + NOISE_COMPONENTS * y.std() * rng.standard_normal(y.shape)
        for found in (find_components(field, samples=x, rng=seed), find_components((x, y), rng=seed)):
            false += len(found.found) + len(found.lie_algebra)
            certified += len(found.test.certified) if found.found else 0
    case = f"components, {NEGATIVES} random quartics, exact and noisy"
    return [
        row(case, "elements found", false, None, "0", false == 0),
        row(case, "elements certified", certified, None, "0", certified == 0),
    ]


# ---------------------------------------------------------------------------------------------------------------------
# flows


def searched(d: int) -> FiniteSet:
    """Changes of signs, and the cyclic shift by one."""
    return signs(d) if d == 1 else signs(d) | FiniteSet("the cyclic shift", cyclic(d).matrices[:1])


def searched_names() -> list[str]:
    """Flows in up to six coordinates, those that depend on time left out."""
    return [n for n in flows.names() if n not in flows.TIMED and len(flows.row_of(n)["mean"]) <= MOST]


def exact_elements(one: flows.Flow) -> NDArray:
    """Signs and the cyclic shift that leave a flow alone: from coefficients, or to rounding at points."""
    candidates = searched(one.dim)
    if isinstance(one.field, PolynomialField):
        found = discrete_symmetries(one.field)
        some = bool(found.generators)
    else:
        points = np.random.default_rng(0).uniform(-1, 1, (200, one.dim)) * reach(one)
        found = test_elements(one.field, candidates, points, delta=EXACT, kind="vector")
        some = bool(found.certified)
    listed = found.group.elements() if some else None
    inside = [listed is not None and listed.index(g) is not None for g in candidates.matrices]
    return candidates.matrices[inside]


def reach(one: flows.Flow) -> NDArray:
    """Half widths ``(d,)`` of a box about the origin that holds the attractor."""
    return np.abs(one.mean) + flows.HALF_WIDTH * one.std


def _kinds(elements: NDArray) -> tuple[bool, bool]:
    diagonal = [bool(np.count_nonzero(g - np.diag(np.diag(g))) == 0) for g in elements]
    return any(diagonal), not all(diagonal)


def flows_exact() -> list[dict[str, Any]]:
    names = searched_names()
    prepared = [(name, flows.flow(name)) for name in names]  # reading formulas is no part of the search
    start = time.process_time()
    found = {name: _kinds(exact_elements(one)) for name, one in prepared}
    seconds = time.process_time() - start
    frozen = _frozen(0.0) and not _frozen(0.3)
    print(f"Torus keeps a change of signs at time 0 {'alone' if frozen else 'and later'}", flush=True)
    with_signs = sum(f[0] for f in found.values()) + frozen
    shifted = sorted(name for name, f in found.items() if f[1])
    print(f"cyclic: {', '.join(shifted)}", flush=True)
    case = f"dysts, exact fields ({len(names)} flows in up to {MOST} coordinates)"
    return [
        row(
            case,
            "flows with a change of signs, Torus at time 0 alone among them",
            with_signs,
            None,
            f"{SIGNS}",
            with_signs == SIGNS,
        ),
        row(case, "flows with a cyclic shift", len(shifted), None, f"{CYCLIC}", len(shifted) == CYCLIC),
        row(case, "seconds of CPU", seconds, None, f"<= {SECONDS:g}", seconds <= SECONDS),
    ]


def _frozen(t: float) -> bool:
    """Whether the rates of Torus, which depend on time alone, keep a change of signs at one time: a zero among them."""
    rates = flows.numerical("Torus")(np.zeros(3), t)
    return bool(np.any(np.abs(rates) <= EXACT * np.abs(rates).max()))


@dataclass(frozen=True)
class Outcome:
    """One flow with noise."""

    name: str
    expected: tuple[bool, bool]
    signs: bool
    cyclic: bool
    extra: int
    near: int
    mode: str
    seconds: float


def noisy(task: tuple[str, int]) -> Outcome:
    """Values of a flow with noise: what is certified, beside what is true."""
    name, seed = task
    one, rng = flows.flow(name), np.random.default_rng([flows.names().index(name), seed])
    truth = exact_elements(one)
    d, half = one.dim, reach(one)
    if isinstance(one.field, PolynomialField):
        x = rng.uniform(-1, 1, (ROWS_DYSTS, d)) * half
    else:
        x = _design(d, half, rng)
        x = x if _finite(one, x) else rng.uniform(-1, 1, (ROWS_DYSTS, d)) * flows.HALF_WIDTH * one.std + one.mean
    with np.errstate(all="ignore"):
        y = one.field.value(x)
    y = y + NOISE * np.sqrt(np.mean(y**2, axis=0)) * rng.standard_normal(y.shape)
    start = time.perf_counter()
    tested = test_elements((x, y), searched(d), kind="vector", delta=DELTA, rng=seed)
    seconds = time.perf_counter() - start
    listed = tested.group.elements() if tested.certified else None
    candidates = searched(d).matrices
    inside = np.array([listed is not None and listed.index(g) is not None for g in candidates])
    true = np.array([bool(np.any(np.all(truth == g, axis=(1, 2)))) for g in candidates])
    diagonal = np.array([np.count_nonzero(g - np.diag(np.diag(g))) == 0 for g in candidates])
    return Outcome(
        name,
        _kinds(truth),
        bool(np.all(inside[true & diagonal])),
        bool(np.all(inside[true & ~diagonal])),
        *_wrong(one, candidates[inside & ~true], x),
        tested.mode,
        seconds,
    )


def _wrong(one: flows.Flow, certified: NDArray, x: NDArray) -> tuple[int, int]:
    """How many maps have a true defect above delta at these points, and how many a smaller one that is not zero."""
    if not len(certified):
        return 0, 0
    tested = test_elements(one.field, certified, x, delta=DELTA, kind="vector").tested
    above = sum(e.defect > DELTA for e in tested)
    return above, len(certified) - above


def _design(d: int, half: NDArray, rng: np.random.Generator) -> NDArray:
    """Orbits of uniform points under changes of signs, and under cyclic shifts where those stay in the box."""
    moves = np.concatenate([np.eye(d)[None], signs(d).matrices])
    if half.max() <= 1.5 * half.min():
        shifts = np.concatenate([np.eye(d)[None], cyclic(d).matrices])
        moves = np.einsum("sij,tjk->stik", shifts, moves).reshape(-1, d, d)
        half = np.full(d, half.min())
    base = rng.uniform(-1, 1, (max(20, ROWS_DESIGN // len(moves)), d)) * half
    return np.einsum("mij,nj->nmi", moves, base).reshape(-1, d)


def _finite(one: flows.Flow, x: NDArray) -> bool:
    try:
        with np.errstate(all="ignore"):
            return bool(np.isfinite(one.field.value(x)).all())
    except er.InputError:
        return False


def flows_noisy(full: bool) -> list[dict[str, Any]]:
    names = searched_names()
    seeds = range(5 if full else 1)
    outcomes = list(each(noisy, [(name, seed) for seed in seeds for name in names]))
    expected = sum(o.expected[0] + o.expected[1] for o in outcomes)
    found = sum((o.expected[0] and o.signs) + (o.expected[1] and o.cyclic) for o in outcomes)
    extra, near = sum(o.extra for o in outcomes), sum(o.near for o in outcomes)
    for o in outcomes:
        if o.extra or o.near or (o.expected[0] and not o.signs) or (o.expected[1] and not o.cyclic):
            print(
                f"  {o.name} ({o.mode}): signs {o.signs}, cyclic {o.cyclic}, {o.extra} extra, {o.near} nearly",
                flush=True,
            )
    modes = {m: sum(o.mode == m for o in outcomes) for m in sorted({o.mode for o in outcomes})}
    case = f"dysts, {NOISE:.0%} noise ({', '.join(f'{m} {k}' for m, k in modes.items())})"
    share, allowed = found / expected, len(seeds)
    return [
        row(case, f"symmetries certified, of {expected}", share, None, ">= 0.95", share >= 0.95),
        row(case, "elements certified with a true defect above delta", extra, None, f"<= {allowed}", extra <= allowed),
        row(case, "elements certified with one below delta that is not zero", near, None, None),
        row(case, "seconds a flow, median", float(np.median([o.seconds for o in outcomes])), None, None),
    ]
