"""Laws whose gradient is normal to all velocities, such as total momenta: found by comparing runs."""

from __future__ import annotations

import warnings
from dataclasses import replace

import known_systems as systems
import numpy as np
import pytest
from known_systems import KEPLER, integrate, kepler, straight_lines, thrown

from erlangen.dynamics import conserved
from erlangen.fields.libraries import Expressions, Polynomial
from erlangen.fields.trajectories import Trajectories

SPRING = ("x1", "x2", "p1", "p2")
BODIES = ("x1", "y1", "x2", "y2", "x3", "y3", "p1", "q1", "p2", "q2", "p3", "q3")
QUADRATIC = Polynomial(degree=2)
SPRING_ENERGY = "0.5 x1^2 - x1 x2 + 0.5 x2^2 + 0.5 p1^2 + 0.5 p2^2"


def _starts(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(n, d))


def _spring(noise: float = 0.0) -> Trajectories:
    flow = integrate(systems.spring, _starts(12, 4), 15, 150, SPRING)
    rng = np.random.default_rng(0)
    return replace(
        flow, runs=tuple(replace(r, states=r.states + noise * rng.normal(size=r.states.shape)) for r in flow.runs)
    )


def _mixture(rhs, d: int, names, n: int = 9) -> Trajectories:
    return integrate(rhs, np.random.default_rng(1).uniform(0.2, 1, size=(n, d)), 8, 80, names)


CASES = {
    "spring": (_spring, QUADRATIC, {"p1 + p2", SPRING_ENERGY}),
    "noisy spring": (lambda: _spring(1e-3), QUADRATIC, {"p1 + p2", SPRING_ENERGY}),
    "free particle": (lambda: straight_lines(12), QUADRATIC, {"px", "py", "x py - y px"}),
    "noisy free particle": (lambda: straight_lines(12, 1e-3), QUADRATIC, {"px", "py", "x py - y px"}),
    "charge in a magnetic field": (
        lambda: integrate(systems.magnetic, _starts(12, 4), 10, 120, ("x", "y", "vx", "vy")),
        QUADRATIC,
        {"x + vy", "y - vx", "vx^2 + vy^2"},
    ),
    "infection": (
        lambda: _mixture(systems.infection, 3, ("S", "I", "R")),
        QUADRATIC + Expressions("log(S)"),
        {"S + I + R", "R + 1/3 log(S)"},
    ),
    "exchange, linear": (lambda: _mixture(systems.exchange, 2, ("u", "v")), Polynomial(1), {"u + v"}),
    "exchange, quadratic": (lambda: _mixture(systems.exchange, 2, ("u", "v")), QUADRATIC, {"u + v"}),
}


@pytest.mark.parametrize("name", CASES)
def test_linear_laws(name):
    flow, library, expected = CASES[name]
    found = conserved(flow(), library)
    assert found.decided and found.n_laws == len(expected)
    assert {law.text for law in found.laws} == expected
    assert all(law.verdict.startswith("conserved") for law in found.laws)


def test_momentum_and_energy_generate_translation_and_the_flow():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an abelian algebra has only zeros to divide
        found = conserved(_spring(), QUADRATIC, positions=SPRING[:2], momenta=SPRING[2:])
        alone = conserved(_spring(), Polynomial(1), positions=SPRING[:2], momenta=SPRING[2:])
    assert found.algebra.name == "R^2"
    assert [g.text for g in found.generators] == ["d/dx1 + d/dx2", "the flow itself: translation in time"]
    assert [law.text for law in alone.laws] == ["p1 + p2"] and alone.algebra.name == "R"


def test_three_bodies():
    starts = np.c_[1.5 * np.array([2, 0, -1, 1.7, -1, -1.7]) + 0.4 * _starts(12, 6), 0.6 * _starts(13, 6)[1:]]
    flow = integrate(systems.three_bodies, starts, 6, 60, BODIES, known=True)
    pairs = ((1, 2), (1, 3), (2, 3))
    library = Polynomial(1) + Expressions(
        *[f"x{i}*q{i}-y{i}*p{i}" for i in (1, 2, 3)],
        *[f"{v}{i}**2" for v in "pq" for i in (1, 2, 3)],
        *[f"1/sqrt((x{i}-x{j})**2+(y{i}-y{j})**2)" for i, j in pairs],
    )
    found = conserved(flow, library, positions=BODIES[:6], momenta=BODIES[6:])
    texts = [law.text for law in found.laws]
    assert found.decided and found.n_laws == 4
    assert texts[:2] == ["p1 + p2 + p3", "q1 + q2 + q3"]
    assert any(text.startswith("0.5 p1^2 + 0.5 p2^2 + 0.5 p3^2 + 0.5 q1^2") for text in texts)
    assert found.algebra.name == "e(2)+R"


@pytest.mark.parametrize("kind", ["closed form", "jitter", "solver"])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("pairs", [{}, {"positions": ("x", "y"), "momenta": ("px", "py")}])
def test_rounding_decides_nothing_about_a_thrown_ball(kind, seed, pairs):
    found = conserved(thrown(seed, kind), QUADRATIC, **pairs)
    assert found.decided
    assert [law.text for law in found.laws] == ["px", "x + px py", "y + 0.5 py^2"]
    assert [law.text for law in found.dependent] == ["px^2"]


def test_a_column_that_never_changes_within_a_run_is_listed_as_what_it_is():
    found = conserved(straight_lines(9), QUADRATIC)
    assert [law.verdict for law in found.laws[:2]] == [
        "conserved: a column that never changes within a run: a parameter or a momentum"
    ] * 2
    assert any("px, py change from run to run but within none" in words for words in found.notes)


def test_few_straight_lines_decide_nothing_beside_the_columns():
    found = conserved(straight_lines(4), QUADRATIC)
    assert [law.text for law in found.laws] == ["px", "py"]
    assert not found.decided and any("4 runs do not tell laws from accidents" in words for words in found.undecided)


def test_a_momentum_on_few_runs_is_named_as_open():
    found = conserved(_spring().select([0, 1]), Polynomial(1))
    assert not found.laws and not found.decided
    assert "not decided" in found.verdict
    assert any(words.startswith("p1 + p2: ") for words in found.undecided)
    assert any(words.endswith("p1 + p2") for words in found.notes)


def test_a_common_plane_is_two_relations():
    q, _ = np.linalg.qr(_starts(3, 3))
    flow = kepler(8, tilt=0.0, n=80)
    turned = replace(flow, runs=tuple(replace(r, states=r.states @ np.kron(np.eye(2), q)) for r in flow.runs))
    found = conserved(turned, KEPLER)
    assert found.decided and found.n_laws == 2
    assert len(found.relations) == 2 and all("relation" in law.verdict for law in found.relations)
    assert all(len(law.formulation.support) == 3 for law in found.relations)


@pytest.mark.parametrize(("rate", "span"), [(0.01, 20), (0.004, 40)])
def test_a_loss_within_delta_is_told(rate, span):
    flow = integrate(systems.damped(rate), _starts(8, 2), span, 400, ("q", "p"))
    found = conserved(flow, QUADRATIC)
    assert [law.text for law in found.laws] == ["q^2 + p^2"]
    assert "falls in every run, by" in found.laws[0].verdict


def test_an_integrators_drift_is_not_told():
    found = conserved(integrate(systems.oscillator, _starts(8, 4), 20, 100, ("x", "y", "px", "py")), QUADRATIC)
    assert len(found.laws) == 4 and not any("every run" in law.verdict for law in found.laws)
