"""Traps for whoever takes a small singular value for a symmetry: the naive answer is wrong, ours says why."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import erlangen as er
from benchmarks._evidence_systems import named
from benchmarks.traps import jump, jump_gradient, kinked, kinked_gradient, naive_dimension, tiny_component
from erlangen._errors import InputError
from erlangen.actions import affine, rotation, scaling, translation
from erlangen.derivative import LieDerivative, scales_of
from erlangen.evidence import explain_special, orbital, pruned, with_time
from erlangen.evidence.certificate import Certificate
from erlangen.evidence.certify import certify
from erlangen.evidence.gates import components, flow
from erlangen.fields import PolynomialField, Trajectories
from erlangen.linalg.polynomials import exponents, monomials

PLANE = er.Samples.box(-1, 1, dim=2, n=1500)
SPACE = er.Samples.box(-1, 1, dim=3, n=1500)
SIGMA = 0.02


def fitted(x: np.ndarray, y: np.ndarray, degree: int, kind: str = "invariant") -> PolynomialField:
    """What one does without a thought: least squares, of least norm where the data leave it open."""
    table = exponents(x.shape[1], degree)
    y = y.reshape(len(x), -1)
    return PolynomialField(table, np.linalg.lstsq(monomials(x, table), y, rcond=None)[0].T, kind)


def naive(x: np.ndarray, y: np.ndarray, degree: int, kind: str = "invariant") -> int:
    """Null directions of the fit, at the data."""
    return naive_dimension(fitted(x, y, degree, kind), affine(x.shape[1]), er.Samples.from_data(x), cut=0.05)


def noisy(values: np.ndarray, seed: int) -> np.ndarray:
    return values + SIGMA * np.random.default_rng(seed).standard_normal(values.shape)


def failed(found: Certificate) -> dict[str, str]:
    return {gate.name: gate.reason for gate in found.gates if not gate.passed}


def uniform(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (n, d))


def test_a_linear_field_commutes_with_its_own_matrix():
    x, y = named("lin_rot2").draw(400, SIGMA, np.random.default_rng(0))
    assert naive(x, y, 1, "vector") == 2
    found = certify((x, y), affine(2), PLANE, family=1, kind="vector")
    assert found.dim == 0 and "trivial" in found.verdict
    assert {b.text for b in found.trivial} == {"x d/dy - y d/dx", "x d/dx + y d/dy"}
    assert all("itself" in b.reason for b in found.trivial)


def test_what_depends_on_fewer_coordinates_has_multiples_of_every_translation():
    x = uniform(600, 3)
    y = noisy(x[:, 0], 1)
    assert naive(x, y, 1) == 8
    found = certify((x, y), affine(3), SPACE, family=1)
    assert found.dim == 2 and {b.text for b in found.bounds if b.verdict == "certified"} == {"d/dy", "d/dz"}
    assert len(found.trivial) == 6 and all("fewer coordinates" in b.reason for b in found.trivial)


def test_fields_that_move_nothing_where_the_data_are():
    """On z = 0 the generators with a factor z vanish: inert, not symmetries."""
    x = uniform(600, 3) * [1, 1, 0]
    found = certify((x, noisy((x**2).sum(axis=1), 2)), affine(3), family=2)
    assert {b.text for b in found.trivial} == {"z d/dx", "z d/dy", "z d/dz"}
    assert all("moves nothing" in b.reason for b in found.trivial)


def test_data_on_a_plane_are_a_problem_of_two_coordinates():
    x = uniform(600, 3) * [1, 1, 0]
    y = noisy((x**2).sum(axis=1), 2)
    flat = certify((x[:, :2], y), affine(2), family=2)
    assert naive(x, y, 2) > flat.dim == 1
    found = certify((x, y), affine(3), family=2)
    assert found.dim == flat.dim and found.bounds[0].text == flat.bounds[0].text == "x d/dy - y d/dx"
    assert any("lead out of where the data are" in note for note in found.notes)
    claimed = certify((x, y), affine(3), SPACE, family=2)
    assert claimed.dim == 0 and "z is constant" in failed(claimed)["span of the data"]


def test_a_slope_that_vanishes_only_on_the_data():
    """x + y^2 on y = 0: the data never saw y^2."""
    x = np.stack([np.linspace(-1, 1, 400), np.zeros(400)], axis=1)
    y = noisy(x[:, 0] + x[:, 1] ** 2, 3)
    assert naive_dimension(fitted(x, y, 2), translation(2), er.Samples.from_data(x), 0.05) == 1
    found = certify((x, y), translation(2), PLANE, family=2)
    assert found.dim == 0 and "such as y, vanish" in failed(found)["coverage"]
    x = uniform(400, 2)
    seen = certify((x, noisy(x[:, 0] + x[:, 1] ** 2, 4)), translation(2), PLANE, family=2)
    assert seen.dim == 0 and seen.decided and "refuted" in seen.verdict


@pytest.mark.parametrize("hidden", [0.0, 2.0])
def test_one_cycle_says_nothing_about_the_plane_around_it(hidden):
    """Two fields, one of them without any symmetry, are the same on the cycle r = 1."""
    run = solve_ivp(
        lambda _, s: [
            s[0] * (1 - s @ s) * (1 + hidden * s[0]) - s[1],
            s[1] * (1 - s @ s) + s[0],
        ],
        (0, 12),
        [1.0, 0.0],
        t_eval=np.linspace(0, 12, 800),
        rtol=1e-10,
        atol=1e-12,
    ).y.T
    y = noisy(np.stack([-run[:, 1], run[:, 0]], axis=1), 5)
    assert naive(run, y, 3, "vector") >= 1
    claimed = certify((run, y), affine(2), PLANE, family=3, kind="vector")
    assert claimed.dim == 0 and "-1 + x^2 + y^2" in failed(claimed)["coverage"]
    here = certify((run, y), affine(2), family=3, kind="vector")
    assert here.dim == 0 and [b.text for b in here.trivial] == ["x d/dy - y d/dx"]
    assert any("5 of 6 candidates lead out" in note for note in here.notes)


@pytest.mark.parametrize("degree", [1, 2])
def test_a_class_too_small_is_more_symmetric_than_the_truth(degree):
    system = named("vanderpol")
    for seed in range(2):
        x, y = system.draw(1600, SIGMA, np.random.default_rng(seed))
        assert naive_dimension(fitted(x, y, degree, "vector"), affine(2), PLANE, 0.1) >= 1
        found = certify((x, y), affine(2), PLANE, family=degree, kind="vector")
        assert found.dim == 0 and "more symmetric than the truth" in failed(found)["lack of fit"]
    assert certify((x, y), affine(2), PLANE, family=3, kind="vector").decided


def test_a_deleted_term_was_the_one_that_broke_it():
    truth = named("hopf").theta.reshape(2, -1).copy()
    truth[0, 3] = 0.2  # x^2 d/dx
    field = PolynomialField(exponents(2, 3), truth, "vector")
    x = uniform(3200, 2)
    y = noisy(field.value(x), 6)
    fit = fitted(x, y, 3, "vector")
    sparse = fit.with_theta(np.where(np.abs(fit.theta) < 0.25, 0.0, fit.theta))
    spin = np.zeros(6)
    spin[[2, 4]] = -1.0, 1.0
    assert LieDerivative(sparse, affine(2), PLANE).defect(spin)[0] < 0.03
    assert LieDerivative(field, affine(2), PLANE).defect(spin)[0] > 0.05
    gate = pruned(sparse)
    assert not gate.passed and "deleted as small" in gate.reason and pruned(fit).passed
    found = certify((x, y), affine(2), PLANE, family=3, kind="vector")
    assert found.dim == 0 and found.band.estimated(0.05) == 0
    kept = np.flatnonzero(np.any(sparse.coefficients, axis=0))
    family = PolynomialField(sparse.table[kept], sparse.coefficients[:, kept], "vector")
    found = certify((x, y), affine(2), PLANE, family=family, kind="vector")
    assert found.dim == 0 and "all terms of degree 3" in failed(found)["lack of fit"]


STEPS = {
    "sign": np.sign,
    "floor": lambda z: np.floor(2 * z),
    "argmax": lambda z: np.argmax(np.stack([z, 0 * z + 0.2]), axis=0),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("height", [1.0, 0.01])
def test_a_step_has_no_slope_almost_everywhere(name, height):
    step = STEPS[name]
    field = er.as_field(
        lambda x: x[:, 0] ** 2 + x[:, 1] ** 3 + height * step(x[:, 2]),
        jacobian=lambda x: np.stack([2 * x[:, 0], 3 * x[:, 1] ** 2, 0 * x[:, 2]], axis=1)[:, None],
        dim=3,
    )
    assert naive_dimension(field, translation(3), SPACE) == 1
    sym = er.discover(field, translation(3), SPACE)
    assert sym.dim == 0 and "jump" in sym.refused[0].reason


def test_the_slope_of_a_kink_jumps_and_so_does_a_field_with_it():
    for f, gradient, kind, action in (
        (jump, jump_gradient, "invariant", affine(3)),
        (kinked, kinked_gradient, "vector", translation(3) + rotation(3)),
    ):
        field = er.as_field(f, jacobian=gradient, kind=kind, dim=3)
        lie = LieDerivative(field, action, SPACE)
        up = np.zeros(action.n_generators)
        up[list(action.names).index("d/dz")] = 1.0
        assert lie.defect(up)[0] == 0.0
        gate = flow(lie, up, scales_of(field, lie.lifted, SPACE), 0.05)
        assert not gate.passed and "d/dz" in gate.reason and "jump" in gate.reason


def test_one_side_of_a_kink_is_smooth():
    """|z| - z vanishes for z > 0: no datum there knows of the other side."""

    def f(x):
        return x[:, 0] ** 2 + np.abs(x[:, 1]) - x[:, 1]

    x = np.abs(uniform(400, 2)) * [1, 1]
    y = noisy(f(x), 7)
    assert naive_dimension(fitted(x, y, 2), translation(2), PLANE, 0.05) == 1
    found = certify((x, y), translation(2), PLANE, family=2)
    assert found.dim == 0 and "assumed, not tested" in failed(found)["range of the data"]
    assert certify((x, y), translation(2), er.Samples.box(0, 1, dim=2), family=2).dim == 1
    assert er.discover(f, translation(2), PLANE).dim == 0


def test_a_component_too_small_for_the_mean():
    field = er.as_field(tiny_component, kind="vector", dim=3)
    assert naive_dimension(field, rotation(3), SPACE) == 1
    sym = er.discover(field, rotation(3), SPACE)
    assert sym.dim == 0 and "component 3" in sym.refused[0].reason
    lie = LieDerivative(field, rotation(3), SPACE)
    gate = components(lie, np.eye(3)[:1], scales_of(field, lie.lifted, SPACE), 0.05)
    assert not gate.passed and "other components only" in gate.reason


def test_a_right_hand_side_of_time_alone():
    """Augmented by t' = 1, every translation of x is a symmetry of a field that does not depend on x."""
    driven = er.as_field(with_time(lambda x, t: np.stack([np.cos(2 * t), np.sin(3 * t)], axis=1)), kind="vector", dim=3)
    assert naive_dimension(driven, translation(3), SPACE) == 2
    found = explain_special(driven, translation(3), SPACE)
    assert {one.label for one in found} == {"explicit time"} and not any(one.plain for one in found)
    assert "F does not depend on x" in found[0].reason and "time" in found[0].reason


def test_a_symmetry_up_to_the_choice_of_time():
    """F homogeneous of degree 2 under x d/dx + y d/dy: [xi, F] = F, which no plain null space holds."""
    field = er.as_field(
        lambda x: np.stack([x[:, 0] ** 2 - 2 * x[:, 1] ** 2, x[:, 0] * x[:, 1] + x[:, 1] ** 2], axis=1),
        kind="vector",
        dim=2,
    )
    assert naive_dimension(field, scaling(2), PLANE) == 0
    assert er.discover(field, affine(2), PLANE).dim == 0
    found = orbital(field, affine(2), PLANE)
    assert found.dim == 1 and "x d/dx + y d/dy" in found.texts[0] and "[xi, F] =" in str(found)
    assert np.ptp(np.abs(found.rates)) == 0 or np.count_nonzero(np.abs(found.rates) > 1e-9) == 1


def test_a_unit_decides_nothing():
    units = np.array([1.0, 1000.0])
    x = uniform(600, 2)
    y = noisy(x[:, 0] ** 2 + np.sin(x[:, 1]), 8)
    here = certify((x, y), translation(2), PLANE, family=3)
    there = certify((x * units, y), translation(2), er.Samples.box(-units, units), family=3)
    assert here.dim == there.dim == 0 and here.decided and there.decided
    assert np.allclose(here.band.defects, there.band.defects, rtol=1e-6)
    fit, scaled = fitted(x, y, 3), fitted(x * units, y, 3)
    box = er.Samples.from_data(x * units)
    assert (
        naive_dimension(fit, translation(2), er.Samples.from_data(x))
        == 0
        < naive_dimension(scaled, translation(2), box)
    )


def test_the_data_that_chose_must_not_confirm():
    """lin_rot2 at noise .3: the two best generators of a fit have no defect in that fit, and a large true one."""
    system = named("lin_rot2")
    fooled = 0
    for seed in range(8):
        x, y = system.draw(100, 0.3, np.random.default_rng(seed))
        fit = fitted(x, y, 1, "vector")
        best = np.linalg.svd(LieDerivative(fit, affine(2), PLANE).in_xi(), full_matrices=False)[2][-2:].T
        fooled += system.worst(best, "product") > 0.05
        for mode in ("held-out", "simultaneous"):
            sure = certify((x, y), affine(2), PLANE, family=1, kind="vector", mode=mode, rng=seed).generators
            assert not len(sure) or system.worst(sure.T, "product") <= 0.05
    assert fooled >= 3  # of 8, where one in twenty is allowed
    words = certify((x, y), affine(2), PLANE, family=1, kind="vector", rng=0).guarantee
    chosen, tested = re.findall(r"chosen on (\d+) rows and tested on the other (\d+)", words)[0]
    assert int(chosen) + int(tested) == 100
    found = er.discover((x, y), affine(2), kind="vector")
    with pytest.raises(InputError, match="chosen by the rows that would test them"):
        certify((x, y), generators=found, samples=PLANE, kind="vector")
    same = certify(found)
    assert same.mode == "simultaneous" and "every generator and every delta at once" in same.guarantee
    sym = er.discover(fit, affine(2), PLANE)
    with pytest.raises(InputError):
        certify(sym, mode="held-out")


def test_no_difference_crosses_a_gap():
    """Ten rows are missing: differences of neighbours in the table are off by eleven steps there, and only there."""
    t = np.arange(0, 8, 0.05)
    kept = np.r_[0:70, 80 : len(t)]
    states = np.stack([np.cos(t), np.sin(t)], axis=1)[kept]
    truth = np.stack([-states[:, 1], states[:, 0]], axis=1)
    wrong = np.abs(np.gradient(states, 0.05, axis=0) - truth).max(axis=1)
    run = Trajectories.from_arrays(states, t[kept])
    right = np.abs(run.derivative_estimates() - truth).max(axis=1)
    assert np.sum(wrong > 0.5) == 2 and len(right) == len(kept) and np.sum(right > 1e-4) == 0
    sides = run.increments().step > 0.06
    assert sides.sum() == 1
