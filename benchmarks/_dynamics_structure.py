"""Is a system Hamiltonian, with which form; and is only noise left of its residuals.

**Forms.** Three Hamiltonian flows of dysts, and two of them behind linear mixes that nothing tells: the form must be
the canonical one, or what the mix makes of it, up to scale. Random polynomial fields have none. The double pendulum of
dysts 0.96 is not Hamiltonian: half of a cross term is missing, as Hamilton's equations show that SymPy derives from
the Lagrangian; put right, it is. The rival column has the smallest defect of a form that does not count.

**Order.** Lorenz at 1 % noise: residuals of the full model, and of the model without each of its seven terms in turn;
white noise.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

import erlangen as er
from benchmarks._row import row
from erlangen.dynamics import Equations, FieldStructure
from erlangen.fields import AbstractField, Polynomial

CANONICAL = np.kron([[0.0, -1.0], [1.0, 0.0]], np.eye(2))
BOXES = {
    "HenonHeiles": ([-0.6] * 4, [0.6] * 4),
    "SwingingAtwood": ([0.5, -2.0, -1.0, -1.0], [1.5, 2.0, 1.0, 1.0]),
    "NuclearQuadrupole": ([-1.0] * 4, [1.0] * 4),
    "DoublePendulum": ([-3.0, -3.0, -2.0, -2.0], [3.0, 3.0, 2.0, 2.0]),
}
POINTS = 512
LORENZ = {"x": "10*y - 10*x", "y": "28*x - x*z - y", "z": "x*y - 8/3*z"}
WITHOUT = {
    "y from x'": ("x", "-10*x"),
    "x from x'": ("x", "10*y"),
    "x from y'": ("y", "-x*z - y"),
    "x z from y'": ("y", "28*x - y"),
    "y from y'": ("y", "28*x - x*z"),
    "x y from z'": ("z", "-8/3*z"),
    "z from z'": ("z", "x*y"),
}


def rows(full: bool) -> list[dict[str, Any]]:
    """All rows; ``full`` takes 200 random fields and 100 noise draws instead of 20 and 20."""
    out = _random_fields(200 if full else 20) + _order(100 if full else 20)
    if importlib.util.find_spec("dysts") is None:
        print("dysts is not installed (pip install --no-deps dysts==0.96): its Hamiltonian flows are left out")
        return out
    return _flows() + _pendulum() + out


def _flows() -> list[dict[str, Any]]:
    out = []
    for name in ("HenonHeiles", "SwingingAtwood", "NuclearQuadrupole"):
        found, seconds = _timed(er.systems.dysts(name).as_field(), _points(name))
        out += _form_rows(name, found, CANONICAL)
        out.append(row(name, "time [s]", seconds, None, None))
    for seed, name in enumerate(("HenonHeiles", "SwingingAtwood")):
        mix = np.random.default_rng(seed).normal(size=(4, 4))
        flow = er.systems.dysts(name)
        found, _ = _timed(_mixed(flow.rhs, mix), np.linalg.solve(mix, _points(name).T).T)
        case = f"{name}, hidden mix of condition {np.linalg.cond(mix):.0f}"
        out += _form_rows(case, found, mix.T @ CANONICAL @ mix)
    return out


def _form_rows(case: str, found: FieldStructure, form: NDArray) -> list[dict[str, Any]]:
    here = found.hamiltonian
    miss = np.inf
    if here.matrix is not None:
        unit = here.matrix / np.linalg.norm(here.matrix)
        wanted = form / np.linalg.norm(form)
        miss = float(min(np.linalg.norm(unit - wanted), np.linalg.norm(unit + wanted)))
    good = here.verdict == "yes" and here.defect <= 1e-8
    return [
        row(f"{case}: Hamiltonian", "defect", here.defect, float(here.spectrum[here.dim]), "<= 1e-8", good),
        row(f"{case}: W", "distance to the true one", miss, None, "<= 1e-6", miss <= 1e-6),
    ]


def _mixed(rhs: Callable[[NDArray], NDArray], mix: NDArray) -> AbstractField:
    """The flow in coordinates z with x = mix z."""
    inverse = np.linalg.inv(mix)
    return er.as_field(lambda z: rhs(z @ mix.T) @ inverse.T, kind="vector", dim=len(mix))


def _pendulum() -> list[dict[str, Any]]:
    flow = er.systems.dysts("DoublePendulum")
    points = _points("DoublePendulum")
    found = er.dynamics.structure(flow.as_field(), points).hamiltonian
    right = hamilton_equations(flow.names, flow.parameters)
    left = [_plain(part) for part in flow.to_sympy()]
    differ = [not _vanishes(a - b) for a, b in zip(right, left, strict=True)]
    mended = [b + c for b, c in zip(left, _missing(flow.names, flow.parameters), strict=True)]
    same = all(_vanishes(a - b) for a, b in zip(right, mended, strict=True))
    corrected = er.as_field(mended, kind="vector", dim=4, variables=list(flow.names))
    after = er.dynamics.structure(corrected, points).hamiltonian
    refused = found.verdict in ("no", "near")
    return [
        row("DoublePendulum of dysts: not Hamiltonian", "defect", found.defect, after.defect, "> 1e-3", refused),
        row(
            "DoublePendulum: equations that are not Hamilton's",
            "count of 4, exactly",
            sum(differ),
            None,
            "the momenta's: 2",
            differ == [False, False, True, True],
        ),
        row("DoublePendulum with the missing half term", "equations not Hamilton's", 4 * (not same), None, "0", same),
        row(
            "DoublePendulum, corrected: Hamiltonian",
            "defect",
            after.defect,
            found.defect,
            "<= 1e-8",
            after.verdict == "yes" and after.defect <= 1e-8,
        ),
    ]


def hamilton_equations(names: tuple[str, ...], parameters: Mapping[str, float]) -> list[Any]:
    """Hamilton's equations of the double pendulum, from its Lagrangian."""
    first, second, p, q = sympy.symbols(names)
    u, v = sympy.symbols("u v")
    g, l1, l2, m1, m2 = (sympy.nsimplify(parameters[k]) for k in ("g", "l1", "l2", "m1", "m2"))
    kinetic = (m1 + m2) * l1**2 * u**2 / 2 + m2 * l2**2 * v**2 / 2 + m2 * l1 * l2 * u * v * sympy.cos(first - second)
    potential = -(m1 + m2) * g * l1 * sympy.cos(first) - m2 * g * l2 * sympy.cos(second)
    lagrangian = kinetic - potential
    speeds = sympy.solve([lagrangian.diff(u) - p, lagrangian.diff(v) - q], [u, v], dict=True)[0]
    energy = (p * u + q * v - lagrangian).subs(speeds)
    return [energy.diff(p), energy.diff(q), -energy.diff(first), -energy.diff(second)]


def _missing(names: tuple[str, ...], parameters: Mapping[str, float]) -> list[Any]:
    """Half of the cross term of the momenta, for rods of equal length."""
    first, second, p, q = sympy.symbols(names)
    l1, l2, m1, m2 = (sympy.nsimplify(parameters[k]) for k in ("l1", "l2", "m1", "m2"))
    apart = first - second
    size = l1 * l2 * (m1 + m2 * sympy.sin(apart) ** 2)
    term = -m2 * l1 * l2 * p * q * sympy.cos(apart) * sympy.sin(2 * apart) / (2 * size**2)
    return [0, 0, term, -term]


def _plain(expression: Any) -> Any:
    """The same in symbols without assumptions."""
    return expression.subs({s: sympy.Symbol(s.name) for s in expression.free_symbols})


def _vanishes(expression: Any) -> bool:
    """Whether a trigonometric expression is zero, in exact arithmetic at random rational points of the circle.

    Half-angle tangents make it a rational function of a degree below 100. Unless it is zero, it vanishes at a random
    one of a million points with a probability below one in ten thousand, and three are tried.
    """
    expanded = sympy.expand_trig(sympy.nsimplify(expression))
    draw = np.random.default_rng(0)
    return all(expanded.subs(_rational_point(expanded, draw)) == 0 for _ in range(3))


def _rational_point(expression: Any, draw: np.random.Generator) -> dict[Any, Any]:
    out: dict[Any, Any] = {}
    for symbol in sorted(expression.free_symbols, key=str):
        t = sympy.Rational(int(draw.integers(1, 10**6)), 10**6)
        sine, cosine = sympy.sin(symbol), sympy.cos(symbol)
        angle = expression.has(sine, cosine)
        out |= {sine: 2 * t / (1 + t**2), cosine: (1 - t**2) / (1 + t**2)} if angle else {symbol: t}
    return out


def _random_fields(count: int) -> list[dict[str, Any]]:
    flagged, least = 0, np.inf
    for seed in range(count):
        rng = np.random.default_rng(seed)
        d = 4 + 2 * (seed % 2)
        family = Polynomial(degree=3 if d == 4 else 2, dim=d).as_vector_field()
        field = family.with_theta(rng.normal(size=family.n_params))
        found = er.dynamics.structure(field, er.Samples.box(-1, 1, dim=d, n=POINTS, rng=seed))
        flagged += any(f.verdict != "no" for f in found.findings)
        least = min(least, *(f.defect for f in found.findings))
    return [
        row(f"{count} random fields in 4 and 6 coordinates", "flagged", flagged, None, "0", flagged == 0),
        row(f"{count} random fields in 4 and 6 coordinates", "smallest defect", least, None, None),
    ]


def _order(draws: int) -> list[dict[str, Any]]:
    model = Equations.from_text(LORENZ)
    # A rate of .05 takes more draws to check than one of .95 that is 1 in fact.
    flows = [
        er.systems.get("lorenz").trajectories(seed, n_runs=1, t=np.arange(0, 20, 0.01), noise=0.01)
        for seed in range(4 * draws)
    ]
    white = [er.dynamics.ordinal(np.random.default_rng(seed).normal(size=10_000), rng=seed) for seed in range(draws)]
    lowest = float(min(one.entropy[0] for one in white))
    full = float(np.mean([_flagged(model, flow) for flow in flows]))
    out = [
        row(f"white noise, {draws} series of 10,000", "smallest entropy", lowest, None, ">= .99", lowest >= 0.99),
        row(f"Lorenz, full model, {len(flows)} draws at 1 %", "share flagged", full, None, "<= .05", full <= 0.05),
    ]
    for words, (name, text) in WITHOUT.items():
        wrong = Equations.from_text({**LORENZ, name: text})
        share = float(np.mean([_flagged(wrong, flow) for flow in flows[:draws]]))
        out.append(
            row(f"Lorenz without {words}, {draws} draws at 1 %", "share flagged", share, full, ">= .95", share >= 0.95)
        )
    return out


def _flagged(model: Equations, flow: Any) -> bool:
    """Whether residuals four samples ahead have an order; they are independent five samples apart."""
    left = er.dynamics.step_residuals(model, flow, steps=4)
    return not er.dynamics.ordinal(left, delay=10).only_noise


def _points(name: str) -> NDArray:
    return er.Samples.box(*BOXES[name], n=POINTS).points


def _timed(field: AbstractField, points: NDArray) -> tuple[FieldStructure, float]:
    start = time.perf_counter()
    found = er.dynamics.structure(field, points)
    return found, time.perf_counter() - start
