"""Equivalence tests, the test of a given group, and many tests at once."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

import erlangen as er
from erlangen import InputError, UndecidedError
from erlangen.evidence import EProcess, closed_testing, e_bh, estimate, group_test, holm
from erlangen.evidence.anytime import among_named, generator_log_e, over_batches
from erlangen.evidence.bilinear import bilinear, spectrum_of
from erlangen.evidence.equivalence import (
    Quadratic,
    average,
    log_e_value,
    p_value,
    smallest_level,
    upper_bound,
    variance_interval,
)
from erlangen.evidence.group_test import group_test_of, p_exactly_symmetric
from erlangen.evidence.multiplicity import discoveries
from erlangen.fields import polynomial_field

ROOT = np.diag(np.sqrt([3.0, 1.0, 1.0, 0.5, 0.1]))
BOX = er.Samples.box(-1, 1, dim=2)


def draws(mu, along, count, seed=0):
    """Estimates of a mean of norm mu along one eigenvector of the noise."""
    m = np.zeros(5)
    m[along] = mu
    return m + np.random.default_rng(seed).standard_normal((count, 5)) @ ROOT


def observations(field, n, sigma, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, field.point_dim))
    y = field.value(x)
    return x, y + sigma * rng.standard_normal(y.shape)


# ---- quadratic forms


@pytest.mark.parametrize("mu", [0.5, 2.0, 5.0, 12.0])
def test_p_value_bounds_the_law_of_the_statistic_whatever_the_direction(mu):
    form = Quadratic.of(np.zeros(5), ROOT)
    for along in range(5):
        statistic = np.sum(draws(mu, along, 40000) ** 2, axis=1)
        for level in (0.001, 0.01, 0.1):
            t = np.quantile(statistic, level)
            bound = np.exp(-Quadratic(float(t), form.eigenvalues).exponent(mu))
            assert bound >= level * (1 - 4 / np.sqrt(40000 * level))


def test_p_value_is_the_least_over_s_of_one_over_the_e_value():
    m, mu = np.array([0.3, 0.2, -0.1, 0.4, 0.0]), 4.0
    lam = np.diag(ROOT) ** 2
    s = np.geomspace(1e-4, 1e4, 40001)
    log_e = -s * (m @ m) + s * mu**2 / (1 + 2 * s * lam[0]) + 0.5 * np.log1p(2 * np.outer(s, lam)).sum(axis=1)
    usual = max(m @ m, np.median(np.sum(draws(0.0, 0, 200_000) ** 2, axis=1)))  # less than what noise adds is luck
    log_e += s * (m @ m) - s * usual
    along = stats.norm.cdf((np.linalg.norm(m) - mu) / np.sqrt(lam[0]))
    assert np.isclose(p_value(m, ROOT, mu), min(np.exp(-log_e.max()), along), rtol=0.02)


def test_one_number_has_the_exact_one_sided_bound():
    assert np.isclose(upper_bound([0.7], np.array([[0.2]]), 0.05), 0.7 + 0.2 * stats.norm.isf(0.05), rtol=1e-5)


def test_ten_numbers_do_not_pay_for_the_length_of_their_noise():
    m = np.zeros(10)
    m[0] = np.sqrt(stats.chi2.median(10))
    bound = upper_bound(m, np.eye(10), 0.05)
    assert np.isclose(bound, 4.10, atol=0.01)  # known value
    assert bound < m[0] + stats.norm.isf(0.05) < np.sqrt(stats.chi2.isf(0.05, 10)) + m[0]
    assert np.isclose(p_value(m, np.eye(10), bound), 0.05, rtol=1e-4)


def test_an_estimated_variance_costs_something_and_less_with_more_degrees_of_freedom():
    m = np.full(6, 0.5)
    bounds = [upper_bound(m, np.eye(6), 0.05, dof=dof) for dof in (10, 100, 10000, np.inf)]
    assert all(a > b for a, b in zip(bounds, bounds[1:]))
    p = [p_value(m, np.eye(6), 6.0, dof=dof) for dof in (10, 100, 10000, np.inf)]
    assert all(a > b for a, b in zip(p, p[1:]))
    assert np.isclose(p_value(m, np.eye(6), bounds[1], dof=100), 0.05, rtol=0.02)


def test_level_holds_where_the_variance_is_estimated():
    rng, mu = np.random.default_rng(2), 3.0
    hits = sum(p_value(m, ROOT * np.sqrt(rng.chisquare(8) / 8), mu, dof=8) <= 0.2 for m in draws(mu, 0, 60, seed=3))
    assert hits <= stats.binom.isf(1e-3, 60, 0.2)


def test_variance_interval_covers_as_said():
    ends = variance_interval(12, 0.1)
    ratio = 12 / stats.chi2.rvs(12, size=40000, random_state=0)
    assert abs(np.mean((ratio < ends[0]) | (ratio > ends[-1])) - 0.1) < 0.006


@pytest.mark.parametrize("mu", [0.3, 3.0])
@pytest.mark.parametrize("along", [0, 4])
def test_e_value_has_mean_at_most_one(mu, along):
    e = np.exp([log_e_value(m, ROOT, mu) for m in draws(mu, along, 250)])
    assert e.mean() < 1.0 + 3 * e.std() / np.sqrt(250)


def test_e_value_with_an_estimated_variance_is_smaller_and_capped():
    m = np.full(5, 0.1)
    assert log_e_value(m, ROOT, 5.0, dof=50) < log_e_value(m, ROOT, 5.0)
    assert np.exp(log_e_value(0 * m, 1e-9 * ROOT, 5.0, dof=50)) < 1e3
    assert log_e_value(0 * m, 1e-9 * ROOT, 5.0, risk=0.01) == pytest.approx(np.log(1e3 / 11))


def test_certain_estimates_are_compared_as_numbers():
    assert p_value([1.0, 0.0], np.zeros((2, 1)), 1.1) == 0.0
    assert p_value([1.2, 0.0], np.zeros((2, 1)), 1.1) == 1.0


def test_a_root_that_does_not_fit_is_told():
    with pytest.raises(InputError, match="root of shape"):
        p_value([1.0, 2.0], np.eye(3), 1.0)


def test_smallest_level_of_nested_tests():
    assert np.isclose(smallest_level(lambda a: a >= 1e-7), 1e-7, rtol=1e-3)
    assert smallest_level(lambda a: False) == 1.0


# ---- e-values together


def test_e_process_may_be_stopped_at_any_time():
    rng, crossed = np.random.default_rng(0), 0
    for _ in range(300):
        process = EProcess()
        for step in np.log(rng.choice([0.5, 1.5], size=40)):
            process = process.update(step)
        crossed += process.rejects(0.2)
    assert 0 < crossed / 300 <= 0.2 + 3 * np.sqrt(0.16 / 300)


def test_e_process_remembers_its_best():
    process = EProcess().update(3.0).update(-5.0)
    assert process.p_value == np.exp(-3.0)
    assert process.path.tolist() == [3.0, -2.0]
    assert EProcess().p_value == 1.0


def test_average_of_splits():
    assert np.isclose(average(np.log([1.0, 2.0, 6.0]).tolist()), np.log(3.0))


HALF = polynomial_field(2, 2, np.zeros(6))
NAMED = {"rotation": [0, -1, 1, 0], "squeeze": [1, 0, 0, -1], "boost": [0, 1, 1, 0], "dilation": [1, 0, 0, 1]}


def linear_fits(theta, n, sigma, count):
    """Tensors over gl(2), and estimates from batches of data."""
    family = HALF.with_theta(np.asarray(theta, dtype=float))
    both = bilinear(family, er.actions.gl(2), BOX)
    return both, [estimate(family, *observations(family, n, sigma, seed)) for seed in range(count)]


def test_named_generators_are_picked_with_a_false_discovery_rate():
    both, fits = linear_fits([0, 0, 0, 1, 0, 1], 400, 0.02, 1)
    found = among_named(both, fits[0], NAMED, 0.05, 0.05)
    assert [name for name, _ in found] == ["rotation"]
    assert found[0][1] > np.log(len(NAMED) / 0.05)


@pytest.mark.parametrize("xi", [None, NAMED["rotation"]])
def test_batches_add_up_for_a_symmetry(xi):
    both, fits = linear_fits([0, 0, 0, 1, 0, 1], 60, 0.05, 4)
    process = over_batches(both, fits, 0.1, xi)
    assert len(process.steps) == (4 if xi else 3)
    assert process.path[-1] > max(process.steps)
    assert process.rejects(0.01)


def test_batches_do_not_add_up_where_the_defect_is_delta():
    theta = [0, 0, 0, 1, 0, 1.2]
    both, fits = linear_fits(theta, 1000, 0.05, 60)
    delta = both.defect(np.array(NAMED["rotation"]), np.array(theta)) / 1.001
    e = np.exp([generator_log_e(both, fit, NAMED["rotation"], delta) for fit in fits])
    assert e.mean() < 1 + 3 * e.std() / np.sqrt(60)
    assert np.exp(generator_log_e(both, fits[0], NAMED["rotation"], 3 * delta)) > e.max()


def test_a_generator_of_another_length_is_told():
    both, fits = linear_fits([0, 0, 0, 1, 0, 1], 60, 0.05, 1)
    with pytest.raises(InputError, match="3 coefficients"):
        generator_log_e(both, fits[0], [1, 0, 0], 0.05)


# ---- many tests


def brute_holm(p):
    """Closed testing with Bonferroni's test of each intersection."""
    m = len(p)
    sets = [s for k in range(1, m + 1) for s in combinations(range(m), k)]
    return [max(min(1.0, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in range(m)]


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_closed_testing_with_bonferroni(seed):
    p = np.random.default_rng(seed).uniform(0, 0.3, 6).round(2)
    assert np.allclose(holm(p), brute_holm(p))
    closed = closed_testing(range(6), lambda s: min(1.0, len(s) * min(p[i] for i in s)))
    assert np.allclose([closed[i] for i in range(6)], brute_holm(p))


@pytest.mark.parametrize("seed", range(5))
def test_e_bh_is_the_largest_self_consistent_set(seed):
    e = np.exp(np.random.default_rng(seed).normal(2.0, 2.0, 8))
    alpha = 0.2
    sizes = [k for k in range(1, 9) for s in combinations(range(8), k) if all(e[i] >= 8 / (alpha * k) for i in s)]
    rejected = e_bh(e, alpha)
    assert rejected.sum() == max(sizes, default=0)
    assert rejected.sum() == 0 or e[rejected].min() >= e[~rejected].max(initial=0.0)


def test_discoveries_are_named_the_strongest_first():
    assert discoveries({"a": 1.0, "b": 900.0, "c": 8.0}, 0.05) == ["b", "c"]


@pytest.mark.parametrize(
    "call", [lambda: holm([0.5, 1.2]), lambda: e_bh([-1.0], 0.1), lambda: closed_testing(range(17), len)]
)
def test_numbers_that_are_no_p_or_e_values_are_told(call):
    with pytest.raises(InputError):
        call()


# ---- a given group


CIRCLE = polynomial_field(2, 2, [0, 0, 0, 1, 0, 1])
CLEAR = polynomial_field(2, 2, [0, 0, 0, 1, 0, 1.5])
EDGE = polynomial_field(2, 2, [0, 0, 0, 1, 0, 1.1])
SLIGHT = polynomial_field(2, 2, [0, 0, 0, 1, 0, 1.02])


def ask(field, n, sigma, action=None, delta=0.05, **given):
    family = polynomial_field(2, 2, np.zeros(6))
    return group_test.test_group(
        observations(field, n, sigma), action or er.actions.rotation(2), BOX, family=family, delta=delta, **given
    )


@pytest.mark.parametrize(
    ("field", "n", "sigma", "verdict", "above", "exactly"),
    [
        (CIRCLE, 400, 0.02, "certified", True, False),  # symmetric, and the data suffice
        (CIRCLE, 60, 0.5, "not refuted", False, False),  # symmetric, and they do not
        (SLIGHT, 20000, 0.02, "certified", True, True),  # broken by less than delta: certified and not exact
        (CLEAR, 400, 0.02, "refuted", False, True),
        (EDGE, 400, 0.05, "not refuted", False, True),  # not exact, but delta is within the bounds
        (CLEAR, 60, 1.0, "not refuted", False, False),  # an absent symmetry must not be declared for want of data
    ],
)
def test_two_p_values_with_opposite_meanings(field, n, sigma, verdict, above, exactly):
    answer = ask(field, n, sigma)
    assert answer.verdict == verdict
    assert (answer.p_defect_above_delta <= 0.05) == above
    assert (answer.p_exactly_symmetric <= 0.05) == exactly
    assert answer.low <= answer.defect
    assert answer.low < answer.high


def test_the_bound_is_where_the_p_value_reaches_alpha():
    answer = ask(CIRCLE, 400, 0.05)
    again = ask(CIRCLE, 400, 0.05, delta=answer.high)
    assert np.isclose(again.p_defect_above_delta, 0.05, rtol=0.1)


def test_exact_symmetry_is_tested_by_the_f_test_of_its_equations():
    x, y = observations(CLEAR, 40, 0.5)
    family = polynomial_field(2, 2, np.zeros(6))
    both = bilinear(family, er.actions.rotation(2), BOX)
    p, constraints = p_exactly_symmetric(both, estimate(family, x, y))
    phi = np.column_stack([np.ones(40), x, x[:, 0] ** 2, x[:, 0] * x[:, 1], x[:, 1] ** 2])
    invariant = np.column_stack([np.ones(40), (x**2).sum(axis=1)])  # what is left under rotations

    def squares(design):
        return np.sum((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2)

    f = (squares(invariant) - squares(phi)) / 4 / (squares(phi) / 34)
    assert constraints == 4
    assert np.isclose(p, stats.f.sf(f, 4, 34), rtol=1e-6)


def test_all_combinations_of_generators_are_tested():
    # x is invariant under translations along y alone: each combination with d/dx has a large defect
    field = polynomial_field(2, 2, [0, 1, 0, 0, 0, 0])
    answer = ask(field, 400, 0.01, er.actions.translation(2))
    assert answer.verdict == "refuted"
    assert abs(answer.worst[0]) > 0.9 * np.linalg.norm(answer.worst)


def test_the_worst_combination_is_as_bad_as_a_fine_scan_finds():
    # y has the larger slope, z the larger noise: the worst lies between
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (60, 3)) * [1, 1, 0.15]
    family, box = polynomial_field(3, 1, np.zeros(4)), er.Samples.box(-1, 1, dim=3)
    fit = estimate(family, x, x[:, 0] + 0.06 * x[:, 1] + 0.1 * rng.standard_normal(60))
    both = bilinear(family, er.actions.translation(3).restrict(np.eye(3)[:, 1:]), box)
    angles = np.linspace(0, np.pi, 12, endpoint=False)
    one = [group_test_of(both.restrict(np.array([[np.cos(t)], [np.sin(t)]])), fit, 0.5, 0.05) for t in angles]
    whole = group_test_of(both, fit, 0.5, 0.05)
    assert whole.high >= 0.98 * max(single.high for single in one)
    assert whole.p_defect_above_delta >= 0.98 * max(single.p_defect_above_delta for single in one)
    largest = spectrum_of(both, fit.theta).basis[:, -1:]  # of the largest estimate, but not of the largest bound
    assert whole.high > 1.1 * group_test_of(both.restrict(largest), fit, 0.5, 0.05).high


def test_what_no_row_sees_certifies_nothing():
    # on the line y = 0 the fit of least norm knows no y at all, and seems to be invariant along it
    x, y = observations(CIRCLE, 400, 0.01)
    x[:, 1] = 0.0
    family = polynomial_field(2, 2, np.zeros(6))
    along = er.actions.translation(2).restrict(np.array([[0.0], [1.0]]))
    both = bilinear(family, along, BOX)
    fit = estimate(family, x, x[:, 0] ** 2)
    assert np.linalg.norm(both.lie_of(np.ones(1)) @ fit.theta) < 1e-12
    answer = group_test_of(both, fit, 0.05, 0.05)
    assert answer.verdict == "no coverage"
    assert (answer.p_defect_above_delta, answer.high) == (1.0, np.inf)


def test_a_class_that_does_not_fit_is_rejected_however_symmetric_it_is():
    cubic = polynomial_field(2, 3, [0, 0, 0, 1, 0, 1, 0.5, 0, 0, 0])
    answer = ask(cubic, 2000, 0.02)
    assert answer.verdict == "class rejected"


def test_a_field_that_does_not_vary_has_nothing_to_test():
    family = polynomial_field(2, 2, np.zeros(6))
    fit = estimate(family, *observations(CIRCLE, 50, 0.1))
    still = er.actions.rotation(2).restrict(np.zeros((1, 1)))
    with pytest.raises(UndecidedError, match="nothing to test"):
        group_test_of(bilinear(family, still, BOX), fit, 0.05, 0.05)


def test_words_say_which_p_value_is_which():
    text = str(ask(CIRCLE, 400, 0.02))
    assert "(small certifies)" in text
    assert "large says nothing" in text
    assert "named without looking" in text


def test_a_false_group_is_seldom_certified_at_the_edge():
    # true defect a little above delta: at most 5 % of certificates may be false
    family, action = polynomial_field(2, 2, np.zeros(6)), er.actions.rotation(2)
    both = bilinear(family, action, BOX)
    theta = np.array([0, 0, 0, 1, 0, 1.2])
    delta = both.defect(np.ones(1), theta) / 1.01
    hits = 0
    for seed in range(30):
        x, y = observations(family.with_theta(theta), 150, 0.1, seed)
        hits += group_test_of(both, estimate(family, x, y), delta, 0.2).p_defect_above_delta <= 0.2
    assert hits <= stats.binom.isf(1e-3, 30, 0.2)
