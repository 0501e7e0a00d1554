"""Gates against independent formulas: F tests, Gram matrices, perturbed null vectors, known algebras."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, stats
from scipy.signal import lfilter

import erlangen as er
from erlangen._errors import InputError
from erlangen.actions import affine, gl, polynomial, rotation, scaling, translation
from erlangen.derivative import LieDerivative, confirm, move, scales_of
from erlangen.derivative.flow import _group_law
from erlangen.evidence import extrapolation, gates_of, lack_of_fit, pruned
from erlangen.evidence.gates import closure, components, coverage, flow, generator_errors, reach, span, split_trivial
from erlangen.fields import PolynomialField, polynomial_field
from erlangen.fields.bases import Fourier
from erlangen.linalg.polynomials import exponents, monomials

BOX = er.Samples.box(-1, 1, dim=2)


def family(d: int, degree: int, c: int = 1, kind: str = "invariant") -> PolynomialField:
    table = exponents(d, degree)
    return PolynomialField(table, np.zeros((c, len(table))), kind)


def draw(n: int, seed: int, sigma: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Values 1 + x - x y with noise: a quadratic."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2))
    return x, (1 + x[:, 0] - x[:, 0] * x[:, 1])[:, None] + sigma * rng.standard_normal((n, 1))


@pytest.mark.parametrize("offset", [1e4, 1e6])
@pytest.mark.parametrize("noise", ["equal", "robust"])
def test_lack_of_fit_does_not_depend_on_the_origin_or_the_units(offset, noise):
    x, y = draw(400, 3)
    near = lack_of_fit(family(2, 2), x, y, noise=noise).value
    assert near > 0.01
    far = lack_of_fit(family(2, 2), 1e3 * x + offset, y, noise=noise).value
    assert far == pytest.approx(near, rel=1e-4)
    assert not lack_of_fit(family(2, 1), 1e3 * x + offset, y, noise=noise).passed


@pytest.mark.parametrize("noise", ["equal", "robust"])
def test_lack_of_fit_of_many_rows_takes_memory_linear_in_them(noise):
    import tracemalloc

    x, y = draw(50_000, 4)
    tracemalloc.start()
    assert lack_of_fit(family(2, 2), x, y, noise=noise).passed
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5e8  # (n, n) would be 2e10


def test_lack_of_fit_is_the_f_test_of_nested_least_squares():
    x, y = draw(60, 0)
    small, large = (monomials(x, exponents(2, k)) for k in (1, 3))
    rss = [float(np.sum((y - a @ np.linalg.lstsq(a, y, rcond=None)[0]) ** 2)) for a in (small, large)]
    added, free = large.shape[1] - small.shape[1], 60 - large.shape[1]
    expected = stats.f.sf((rss[0] - rss[1]) / added / (rss[1] / free), added, free)
    assert lack_of_fit(family(2, 1), x, y, larger=family(2, 3)).value == pytest.approx(expected, rel=1e-9)


def test_a_class_that_holds_the_truth_has_uniform_p_values():
    p = [lack_of_fit(family(2, 2), *draw(40, seed), larger=family(2, 4)).value for seed in range(200)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_an_odd_term_does_not_hide_from_even_degrees():
    """On a symmetric box x^3 - 3x/5 is orthogonal to all quadratics: the next degree alone would not see it."""
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 1, 201)[:, None]
    y = x**3 + 0.01 * rng.standard_normal((201, 1))
    assert lack_of_fit(family(1, 1), x, y, larger=family(1, 2)).passed
    gate = lack_of_fit(family(1, 1), x, y)
    assert not gate.passed and "degree 3" in gate.reason and "larger class" in gate.reason


def test_missing_terms_of_the_own_degree_are_tried():
    x, y = draw(300, 2)
    part = PolynomialField(np.array([[0, 0], [1, 0], [2, 0], [0, 2]]), np.zeros((1, 4)))
    gate = lack_of_fit(part, x, y)
    assert not gate.passed and "all terms of degree 2" in gate.reason


@pytest.mark.parametrize("noise", ["robust", "blocks", "grouped"])
def test_the_test_survives_noise_that_is_not_equal(noise):
    """Unequal or autocorrelated noise passes for structure in an F test; signs of rows and blocks keep the level."""
    wrong = right = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        t = np.linspace(0, 40, 600)
        x = np.stack([np.sin(t), np.cos(0.7 * t + seed)], axis=1)
        x = rng.uniform(-1, 1, (600, 2)) if noise == "robust" else x
        e = rng.standard_normal((600, 1))
        e = e * (0.1 + 3 * x[:, :1] ** 4) if noise == "robust" else lfilter([1], [1, -0.95], e, axis=0)
        y = x[:, :1] * x[:, 1:] + 0.1 * e
        groups = np.repeat(np.arange(40), 15) if noise == "grouped" else None
        wrong += not lack_of_fit(family(2, 2), x, y, alpha=0.01).passed
        right += lack_of_fit(family(2, 2), x, y, alpha=0.01, noise=noise, groups=groups).passed
        assert not lack_of_fit(family(2, 1), x, y + 20 * x[:, :1] * x[:, 1:], noise=noise, groups=groups).passed
    assert wrong >= 2 and right == 6


def test_weights_make_unequal_noise_equal():
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (400, 1))
    size = 0.01 + x**4
    y = x + size * rng.standard_normal((400, 1))
    assert not lack_of_fit(family(1, 1), x, y, alpha=0.05).passed
    assert lack_of_fit(family(1, 1), x, y, alpha=0.05, weights=size[:, 0] ** -2).passed
    assert lack_of_fit(family(1, 1), x, y, alpha=0.05, weights=size**-2).passed


def test_values_without_noise_fit_or_do_not():
    x = draw(80, 4)[0]
    y = monomials(x, exponents(2, 2)) @ np.arange(1.0, 7.0)
    assert lack_of_fit(family(2, 2), x, y).value == 1.0
    assert not lack_of_fit(family(2, 1), x, y).passed


def test_without_rows_to_spare_nothing_is_tested():
    gate = lack_of_fit(family(2, 2), *draw(7, 5))
    assert not gate.passed and "no observation is left" in gate.reason and np.isnan(gate.value)
    with pytest.raises(InputError, match="do not fit"):
        lack_of_fit(family(3, 2), *draw(30, 5))


def test_other_families_are_tested_among_ridge_functions():
    x = np.random.default_rng(6).uniform(0, 1, (400, 1))
    y = np.sin(2 * np.pi * x) + 0.01 * np.random.default_rng(7).standard_normal((400, 1))
    waves = Fourier([1.0], 1).as_field()
    assert lack_of_fit(waves, x, y).passed
    assert not lack_of_fit(waves, x, y + 0.2 * x).passed


def test_pruned_terms_are_counted():
    assert pruned(polynomial_field(1, 2, [1.0, 2.0, 3.0])).passed
    gate = pruned(polynomial_field(1, 2, [1.0, 0.0, 3.0]))
    assert not gate.passed and "1 of 3 coefficients" in gate.reason


def test_the_factor_is_that_of_gram_matrices():
    """kappa = largest eigenvalue of G_nu against G_mu, with exact moments of two boxes."""
    table = exponents(2, 2)

    def gram(half: float) -> np.ndarray:
        total = table[:, None] + table[None]
        return np.prod(np.where(total % 2 == 0, half**total / (total + 1.0), 0.0), axis=2)

    expected = np.sqrt(
        linalg.eigh(gram(1.0), gram(0.6), eigvals_only=True)[-1]
        * linalg.eigh(gram(0.6), gram(1.0), eigvals_only=True)[-1]
    )
    grid = (np.stack(np.meshgrid(*2 * [np.arange(400) + 0.5]), axis=-1).reshape(-1, 2) / 200 - 1) * 0.6
    found = extrapolation(family(2, 2), affine(2), grid, BOX)
    assert found.factor == pytest.approx(expected, rel=1e-3) and found.vanishing == 0
    units = np.array([1.0, 1000.0])
    wide = er.Samples.box(-units, units)
    assert extrapolation(family(2, 2), affine(2), grid * units, wide).factor == pytest.approx(found.factor, rel=1e-6)


def test_a_function_that_vanishes_on_the_data_is_named():
    t = np.linspace(0, 6, 200)
    circle = np.stack([np.cos(t), np.sin(t)], axis=1)
    field = family(2, 2, 2, "vector")
    gate = coverage(field, affine(2), circle, BOX)
    assert not gate.passed and np.isinf(gate.value) and "-1 + x^2 + y^2" in gate.reason
    assert coverage(field, affine(2), circle, er.Samples.from_data(circle)).value == pytest.approx(1.0)
    near = circle * (1 + 1e-4 * np.random.default_rng(0).standard_normal((200, 1)))
    near = coverage(field, affine(2), near, BOX)
    assert near.passed and near.value > 1e3 and "1 / delta = 20" in near.reason


def test_the_factor_of_other_families_and_candidates():
    x = er.Samples.box(-0.3, 0.3, dim=2, n=1000).points
    waves = Fourier([2.0, 2.0], 1).as_field()
    assert 1.0 <= extrapolation(waves, rotation(2), BOX.points, BOX).factor < 1.1
    assert extrapolation(waves, rotation(2), x, BOX).factor > 10
    # candidates that vanish at the origin need no constant: their residual has fewer functions
    less = extrapolation(family(2, 2), rotation(2), x, BOX).factor
    assert less < extrapolation(family(2, 2), affine(2), x, BOX).factor


def test_directions_without_spread_and_without_range_are_named():
    line = np.linspace(-1, 1, 100)[:, None] * [[0.6, 0.8]]
    gate = span(line, BOX)
    assert not gate.passed and "x - 0.75 y is constant" in gate.reason
    assert span(line, er.Samples.from_data(line)).passed and span(BOX.points[:50], BOX).passed
    half = BOX.points[BOX.points[:, 1] > 0]
    gate = reach(half, BOX, ("u", "v"))
    assert gate.value == pytest.approx(1.0, abs=0.02) and not gate.passed and "in v" in gate.reason
    assert reach(0.8 * BOX.points, BOX).value == pytest.approx(0.125, abs=0.02)
    tails = er.Samples.gaussian(0, 1, dim=6)
    assert all(reach(np.random.default_rng(s).standard_normal((100, 6)), tails).passed for s in range(20))
    assert all(reach(np.random.default_rng(s).uniform(-1, 1, (30, 2)), BOX).passed for s in range(20))


def test_generators_close_or_one_is_missing():
    ball = er.Samples.gaussian(0, 1, dim=3)
    assert closure(rotation(3), np.eye(3), ball).passed and closure(rotation(3), np.eye(3)[:1], ball).passed
    gate = closure(rotation(3), np.eye(3)[:2], ball)
    assert not gate.passed and "one is missing" in gate.reason and gate.value > 0.5
    assert closure(scaling(3), np.eye(3)[:2], ball).passed  # two that commute
    tilted = np.eye(3) + 0.02 * np.random.default_rng(0).standard_normal((3, 3))
    assert closure(rotation(3), tilted, ball).passed  # the same span
    off = rotation(3).matrix.toarray()
    off[0, 1] += 0.02
    assert not closure(gl(3), off, ball).passed and closure(gl(3), off, ball, errors=0.05).passed


def test_closure_keeps_its_level_under_errors_of_the_generators():
    ball, rng = er.Samples.gaussian(0, 1, dim=3), np.random.default_rng(1)
    exact = rotation(3).matrix.toarray()
    roots = 0.01 * rng.standard_normal((3, 9, 5))
    passed = [
        closure(gl(3), exact + roots @ rng.standard_normal(5), ball, errors=roots, alpha=0.1).passed for _ in range(100)
    ]
    assert 80 <= sum(passed) <= 98
    many = np.concatenate([roots, np.zeros((3, 9, 200))], axis=2)  # the same errors in many parts: draws stand for them
    limits = [closure(gl(3), exact, ball, errors=e, alpha=0.1).limit for e in (roots, many)]
    assert limits[1] == pytest.approx(limits[0], rel=0.2)


def test_errors_of_generators_are_those_of_perturbed_null_vectors():
    rng = np.random.default_rng(2)
    lie, theta = rng.standard_normal((20, 4, 6)), rng.standard_normal(6)
    v = np.array([1.0, 2.0, -1.0, 0.5])
    lie -= np.einsum("kp,q->kpq", np.outer(np.einsum("kpq,p,q->k", lie, v, theta), v), theta) / (v @ v * theta @ theta)
    root = 1e-6 * rng.standard_normal((6, 3))
    found = generator_errors(lie, theta, root, v[None])[0]
    for k in range(3):
        null = np.linalg.svd(np.tensordot(lie, theta + root[:, k], axes=(2, 0)))[2][-1]
        null = null * (v @ v) / (null @ v) - v
        assert np.allclose(found[:, k], null, atol=1e-10)


def jumping(height: float):
    field = er.as_field(
        lambda x: x[:, 0] ** 2 + x[:, 1] ** 3 + height * np.sign(x[:, 2] - 0.1),
        jacobian=lambda x: np.stack([2 * x[:, 0], 3 * x[:, 1] ** 2, 0 * x[:, 2]], axis=1)[:, None],
        dim=3,
    )
    lie = LieDerivative(field, translation(3), er.Samples.box(-1, 1, dim=3))
    return lie, scales_of(field, lie.lifted, lie.samples)


@pytest.mark.parametrize("height", [1.0, 1e-2, 1e-4])
def test_a_jump_of_any_height_is_seen_by_its_slope(height):
    lie, scales = jumping(height)
    shown = confirm(lie, np.array([0.0, 0.0, 1.0]), scales, 0.05)
    assert not shown.flows and shown.slope == pytest.approx(0.5, abs=0.2) and "jump" in shown.reason
    gate = flow(lie, np.eye(3)[2:], scales, 0.05)
    assert not gate.passed and "d/dz" in gate.reason and "jump" in gate.reason


def test_a_smooth_field_that_changes_a_little_passes():
    field = er.as_field(lambda x: x[:, 0] ** 2 + 0.02 * np.sin(6 * x[:, 1]), dim=2)
    lie = LieDerivative(field, translation(2), BOX)
    scales = scales_of(field, lie.lifted, BOX)
    assert flow(lie, np.eye(2)[1:], scales, 0.3).passed
    assert not flow(lie, np.eye(2)[1:], scales, 0.01).passed or lie.defect(np.eye(2)[:, 1])[0] > 0.01


def test_flows_that_are_not_affine_obey_the_group_law():
    action = polynomial(2, 2).restrict(np.eye(12)[:, [4]])
    x = er.Samples.box(-0.5, 0.5, dim=2, n=64).points
    field = er.as_field(lambda x: x[:, 0] + x[:, 1], dim=2)
    scales = scales_of(field, action, er.Samples.from_data(x))
    v = field.value(x)
    orbit = [move(action, np.ones(1), t, x, v) for t in (0.1, 0.2, 0.4, 0.8)]
    assert _group_law(action, 0.4, orbit, scales)
    orbit[3] = (orbit[3][0] + 1e-6, orbit[3][1])
    assert not _group_law(action, 0.4, orbit, scales)


def test_a_component_has_to_pass_by_itself():
    field = polynomial_field(3, 1, [[0, 0, -1, 0], [0, 1, 0, 0], [0, 1e-4, 0, 0]], "vector")
    lie = LieDerivative(field, rotation(3), er.Samples.box(-1, 1, dim=3))
    scales = scales_of(field, lie.lifted, lie.samples)
    gate = components(lie, np.eye(3)[:1], scales, 0.05)
    assert lie.defect(np.eye(3)[:, 0])[0] < 1e-3
    assert not gate.passed and "component 3" in gate.reason and gate.value > 0.5


def test_what_moves_nothing_and_what_is_the_field_itself_is_set_apart():
    spiral = polynomial_field(2, 1, [[0, 1, -1], [0, 1, 1]], "vector")
    plane = er.Samples.from_data(BOX.points * [[1.0, 0.0]])
    lie = LieDerivative(polynomial_field(2, 1, [0, 1.0, 0]), affine(2), plane)
    scales = scales_of(lie.field, lie.lifted, plane)
    rest, trivial = split_trivial(lie, scales, np.eye(6), 1e-9)
    assert {b.text for b in trivial if "moves nothing" in b.reason} == {"y d/dx", "y d/dy"}
    assert rest.shape[1] + len(trivial) == 6
    lie = LieDerivative(spiral, affine(2), BOX)
    scales = scales_of(spiral, lie.lifted, BOX)
    rest, trivial = split_trivial(lie, scales, linalg.null_space(lie.rows(BOX.points[:50]).reshape(-1, 6)), 1e-6)
    assert rest.shape[1] == 0 and all("itself" in b.reason for b in trivial) and len(trivial) == 2


def test_all_gates_of_a_clean_problem_pass():
    rng = np.random.default_rng(0)
    truth = polynomial_field(2, 3, [[0, 1, -1, 0, 0, 0, -1, 0, -1, 0], [0, 1, 1, 0, 0, 0, 0, -1, 0, -1]], "vector")
    x = rng.uniform(-1, 1, (600, 2))
    y = truth.value(x) + 0.02 * rng.standard_normal((600, 2))
    spin = np.zeros((1, 6))
    spin[0, [2, 4]] = -1, 1
    assert np.allclose(LieDerivative(truth, affine(2), BOX).defect(spin.T), 0)
    gates = gates_of(truth, affine(2), x, y, BOX, fitted=truth, generators=spin)
    assert [g.name for g in gates] == [
        "lack of fit",
        "span of the data",
        "range of the data",
        "coverage",
        "components",
        "finite flow",
        "closure",
    ]
    assert all(g.passed and g.reason for g in gates)
