"""Signs and permutations: known groups, brute force, fits, controls."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

import erlangen as er
from erlangen.dynamics import Equations, discrete_symmetries
from erlangen.linalg.rank import Threshold

LORENZ = {"x": "10*(y - x)", "y": "x*(28 - z) - y", "z": "x*y - 8*z/3"}


def lorenz96(d: int) -> dict[str, str]:
    return {f"x{i}": f"(x{(i + 1) % d} - x{(i - 2) % d})*x{(i - 1) % d} - x{i} + 8" for i in range(d)}


@pytest.mark.parametrize(
    ("system", "order", "name", "maps"),
    [
        (LORENZ, 2, "Z(2)", ["(x, y, z) -> (-x, -y, z)"]),
        ("halvorsen", 3, "C(3)", ["(x, y, z) -> (y, z, x)"]),
        (lorenz96(12), 12, "C(12)", None),
        ("rigid_body", 4, "Z(2)^2", None),
        ({"x": "y*z - x", "y": "z*x - y", "z": "x*y - z"}, 24, "a group of 24 elements", None),
        ({"x": "x*(1 - x - y - z)", "y": "y*(1 - x - y - z)", "z": "z*(1 - x - y - z)"}, 6, "S(3)", None),
        ("rossler", 1, "trivial", []),
        ("brusselator", 1, "trivial", []),
    ],
)
def test_known_groups_of_polynomials(system, order, name, maps):
    found = discrete_symmetries(er.systems.get(system) if isinstance(system, str) else system)
    assert found.exact and (found.order, found.name) == (order, name)
    assert maps is None or [g.text for g in found.generators] == maps
    assert all(g.defect < 1e-12 for g in found.generators)


@pytest.mark.parametrize(
    "name", ["thomas", "pendulum", "double_pendulum", "toda", "swinging_atwood", "henon_heiles", "duffing"]
)
def test_known_maps_lie_in_the_group(name):
    system = er.systems.get(name)
    found = discrete_symmetries(system, er.Samples.box(0.3, 1.2, dim=system.dim, n=256))
    elements = found.group.elements()
    for known in system.discrete:
        m = np.zeros((system.dim, system.dim))
        for i, text in enumerate(known):
            m[i, system.names.index(text.lstrip("-"))] = -1 if text.startswith("-") else 1
        assert elements.index(m) is not None


def brute_force(equations: Equations) -> int:
    """Count signed permutations with F(M x) = M F(x) at a few points."""
    d = len(equations.names)
    x = np.random.default_rng(0).normal(size=(7, d))
    count = 0
    for p, s in product(permutations(range(d)), product((1, -1), repeat=d)):
        m = np.eye(d)[list(p)] * np.array(s)[:, None]
        count += np.allclose(equations.value(x @ m.T), equations.value(x) @ m.T, atol=1e-10)
    return count


@pytest.mark.parametrize("seed", range(6))
def test_order_against_brute_force(seed):
    rng = np.random.default_rng(seed)
    names, terms = tuple("abcd"), ("a*b", "b*c", "c*d", "a*d", "a", "b", "c", "d", "a*c", "b*d")
    coefficients = np.where(rng.random((4, 10)) < 0.25, rng.choice([-1.0, 1.0], size=(4, 10)), 0.0)
    equations = Equations(names, (), terms, coefficients)
    assert discrete_symmetries(equations).order == brute_force(equations)


def test_time_turns_round():
    found = discrete_symmetries({"q": "p", "p": "-sin(q)"}, er.Samples.box(-1, 1, dim=2, n=64))
    assert found.order == 2 and found.reversing is not None and found.reversing.text == "(q, p) -> (q, -p)"
    damped = discrete_symmetries({"q": "p", "p": "-q - 0.1*p"})
    assert damped.reversing is None


def test_coefficients_with_errors_are_equal_within_them():
    truth = Equations.from_text({"x": "y - x**3", "y": "x - y**3"})
    noise = 0.01 * np.random.default_rng(0).normal(size=truth.coefficients.shape) * (truth.coefficients != 0)
    fitted = Equations(truth.names, (), truth.terms, truth.coefficients + noise, 0.01 * (truth.coefficients != 0))
    assert discrete_symmetries(fitted).order == discrete_symmetries(truth).order == 4
    sure = Equations(truth.names, (), truth.terms, truth.coefficients + noise)
    assert discrete_symmetries(sure).order == 2


def test_fields_that_are_not_polynomial_are_compared_at_points():
    found = discrete_symmetries(lambda x: np.sin(x[:, [1, 2, 0]]) - 0.2 * x, er.Samples.box(-2, 2, dim=3, n=128))
    assert (found.order, found.name, found.exact) == (6, "C(6)", False)


def test_maps_that_leave_the_domain_are_no_symmetries():
    found = discrete_symmetries({"x": "y*log(x*y)", "y": "x*log(x*y)"}, er.Samples.box(0.5, 2, dim=2, n=64))
    assert found.name == "Z(2)^2" and "(x, y) -> (y, x)" in [g.text for g in found.generators]
    alone = discrete_symmetries({"x": "log(x) + y", "y": "log(x)"}, er.Samples.box(0.5, 2, dim=2, n=64))
    assert alone.order == 1


def test_controls_are_permuted_among_themselves():
    found = discrete_symmetries({"x": "-x**3 + u", "y": "-y**3 + w"}, controls=["u", "w"])
    assert found.names == ("x", "y", "u", "w") and found.order == 8
    assert all(not g.matrix[:2, 2:].any() for g in found.generators)


def test_the_group_enforces():
    found = discrete_symmetries(LORENZ)
    family = er.fields.Polynomial(degree=2, dim=3).as_vector_field()
    kept = er.enforce(family, found.group)
    assert kept.dim < family.n_params
    for theta in kept.sparse_basis().T:
        assert discrete_symmetries(family.with_theta(theta)).group.order() % 2 == 0


def test_printing():
    found = discrete_symmetries(LORENZ)
    assert "(-x, -y, z)" in str(found) and "change of signs" in found._repr_html_()
    assert found.to_dict()["order"] == 2 and "Z(2)" in repr(found)


def test_formulas_are_exact_and_the_verdict_says_what_counts_as_zero():
    box = er.Samples.box(-1, 1, dim=1)
    broken = discrete_symmetries({"x": "-x + 0.01*exp(-x**2)"}, box)
    assert broken.order == 1 and "6e-06" in broken.verdict
    assert discrete_symmetries({"x": "-x + 0.01*sin(x)"}, box).order == 2
    near = discrete_symmetries({"x": "-x + 0.01*exp(-x**2)"}, box, rule=Threshold(0.05))
    assert near.order == 2 and "up to 0.05" in near.verdict
