"""Estimates with their error: least squares, and coverage where the naive law fails."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from erlangen import InputError, UndecidedError
from erlangen.evidence import estimate, estimate_features, estimate_noisy_states, noise_of_states
from erlangen.evidence.estimate import NOISE, features_of
from erlangen.evidence.noisy_states import hermite
from erlangen.fields import polynomial_field
from erlangen.fields.bases import Fourier
from erlangen.linalg.polynomials import exponents, monomials

CUBIC = polynomial_field(2, 3, np.zeros((2, 10)), "vector")
TRUTH = np.random.default_rng(5).normal(size=20)


def table(n=120, seed=0, sigma=(0.1, 0.1)):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2))
    return x, CUBIC.with_theta(TRUTH).value(x) + np.array(sigma) * rng.standard_normal((n, 2))


def memory(rng, n, rho, c=1):
    """Noise with correlation rho^k between rows k apart, of variance one."""
    white = rng.standard_normal((n + 100, c)) * np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], white, axis=0)[100:]


def test_least_squares_and_its_covariance_are_the_textbook_ones():
    x, y = table()
    phi = monomials(x, CUBIC.table)
    beta = np.linalg.lstsq(phi, y, rcond=None)[0]
    s2 = np.sum((y - phi @ beta) ** 2) / (2 * (120 - 10))
    fit = estimate(CUBIC, x, y)
    assert np.allclose(fit.theta, beta.T.ravel(), atol=1e-12)
    assert np.allclose(fit.covariance, np.kron(np.eye(2), s2 * np.linalg.inv(phi.T @ phi)), rtol=1e-8, atol=1e-12)
    assert (fit.dof, fit.exact, fit.rank, fit.null.shape) == (220.0, True, 20, (20, 0))
    assert np.isclose(fit.radius(0.05) ** 2, 20 * stats.f.isf(0.05, 20, 220))
    assert np.isclose(fit.quantile(0.05), stats.t.isf(0.05, 220))


def test_covariance_by_components_and_robust_follow_their_formulas():
    x, y = table(sigma=(1.0, 0.01))
    phi = monomials(x, CUBIC.table)
    inverse = np.linalg.inv(phi.T @ phi)
    left = y - phi @ np.linalg.lstsq(phi, y, rcond=None)[0]
    omega = left.T @ left / 110
    assert np.allclose(
        estimate(CUBIC, x, y, noise="components").covariance, np.kron(omega, inverse), rtol=1e-7, atol=1e-12
    )
    z = left / (1 - np.einsum("nr,rs,ns->n", phi, inverse, phi))[:, None]  # HC3
    rows = np.einsum("nc,nr->ncr", z, phi @ inverse).reshape(120, -1)
    assert np.allclose(estimate(CUBIC, x, y, noise="robust").covariance, rows.T @ rows, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("noise", NOISE)
def test_features_shared_by_channels_and_features_by_channel_give_the_same(noise):
    x, y = table(300, sigma=(0.3, 0.05))
    weights = np.random.default_rng(1).uniform(0.5, 2, 300) if noise == "known" else None
    fast = estimate_features(features_of(CUBIC, x), y, noise=noise, weights=weights)
    slow = estimate_features(CUBIC.features(x), y, noise=noise, weights=weights)
    assert np.allclose(fast.theta, slow.theta, atol=1e-10)
    assert np.allclose(fast.covariance, slow.covariance, rtol=1e-6, atol=1e-12)


def test_a_basis_other_than_monomials_is_fitted_channel_by_channel():
    x = np.random.default_rng(0).uniform(0, 1, (50, 1))
    family = Fourier((1.0,), order=1).field(np.zeros((1, 3)))
    truth = np.array([1.0, -2.0, 0.5])
    assert np.allclose(estimate(family, x, family.with_theta(truth).value(x)).theta, truth)


def test_what_no_row_sees_is_named_and_left_at_the_least_norm():
    x, y = table()
    x[:, 1] = 0.0
    fit = estimate(CUBIC, x, y)
    seen = [i for i, e in enumerate(CUBIC.table.tolist()) if e[1] == 0]
    assert fit.null.shape == (20, 12)
    assert fit.rank == 8
    assert np.abs(fit.null[[*seen, *(10 + i for i in seen)]]).max() < 1e-12
    assert np.abs(fit.null.T @ fit.theta).max() < 1e-12
    assert np.abs(fit.null.T @ fit.root).max() < 1e-12


def test_a_design_of_lower_rank_has_the_solution_of_least_norm_and_the_same_residuals():
    x, y = table(60)
    x[:, 1] = 2.0 * x[:, 0]
    phi = monomials(x, CUBIC.table)
    beta, _, rank, _ = np.linalg.lstsq(phi, y, rcond=1e-12)
    fit = estimate(CUBIC, x, y)
    assert rank == 4
    assert np.allclose(fit.theta, beta.T.ravel(), atol=1e-10)
    assert np.isclose(fit.sigma[0], np.sqrt(np.sum((y - phi @ beta) ** 2) / (2 * 56)))
    assert fit.dof == 112.0


def test_rank_does_not_depend_on_units():
    x, y = table()
    scaled = polynomial_field(2, 3, np.zeros((2, 10)), "vector")
    assert estimate(scaled, x * [1e4, 1e-4], y).null.shape[1] == 0


def test_weights_whiten_and_zero_weights_drop_rows():
    x, y = table(200)
    w = np.r_[np.full(100, 4.0), np.zeros(100)]
    half, whole = estimate(CUBIC, x[:100], y[:100]), estimate(CUBIC, x, y, weights=w)
    assert np.allclose(half.theta, whole.theta)
    assert np.allclose(half.covariance, whole.covariance)
    known = estimate(CUBIC, x[:100], y[:100], weights=np.full((100, 2), 0.1**-2), noise="known")
    phi = monomials(x[:100], CUBIC.table)
    assert np.allclose(known.covariance, np.kron(np.eye(2), 0.01 * np.linalg.inv(phi.T @ phi)), rtol=1e-7, atol=1e-12)
    assert np.isclose(known.radius(0.1) ** 2, stats.chi2.isf(0.1, 20))
    assert np.isclose(known.quantile(0.05), stats.norm.isf(0.05))


def test_values_without_noise_keep_the_error_of_rounding():
    x, _ = table()
    fit = estimate(CUBIC, x, CUBIC.with_theta(TRUTH).value(x))
    off = np.linalg.lstsq(fit.root, TRUTH - fit.theta, rcond=None)[0]
    assert 0 < fit.sigma[0] < 1e-12
    assert np.linalg.norm(off) < fit.radius(0.05)


def test_thinned_estimates_are_independent_and_share_the_information():
    x, y = table()
    fit = estimate(CUBIC, x, y)
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(600):
        again = replace(fit, theta=TRUTH + fit.root @ rng.standard_normal(20))
        first, second = again.thinned(1.5, rng)
        parts.append([np.linalg.solve(part.root, part.theta - TRUTH) for part in (first, second)])
    a, b = np.array(parts).transpose(1, 2, 0)
    limit = 4.5 / np.sqrt(600)  # of the 400 correlations none is beyond, but once in 400 times
    assert np.abs(a @ b.T / 600).max() < limit
    assert np.abs(a @ a.T / 600 - np.eye(20)).max() < 1.5 * limit
    assert np.abs(b @ b.T / 600 - np.eye(20)).max() < 1.5 * limit


def misses(make, noise, reps, seed=0, alpha=0.05):
    """How often a one-sided test of a true contrast rejects, for both sides and each of two contrasts."""
    rng, count = np.random.default_rng(seed), np.zeros(2)
    for _ in range(reps):
        phi, y, beta, given = make(rng)
        fit = estimate_features(phi, y, noise=noise, **given)
        off = (fit.theta - beta) / np.linalg.norm(fit.root, axis=1)
        count += np.array([np.mean(np.abs(off[k]) > fit.quantile(alpha)) for k in (0, 1)])
    return count / (2 * reps)


def fanned(rng, n=150):
    """Noise that grows away from the middle."""
    x = rng.uniform(-1, 1, n)
    phi = np.column_stack([np.ones(n), x])
    return phi, (1 + 2 * x + (0.02 + x**4) * rng.standard_normal(n))[:, None], np.array([1.0, 2.0]), {}


def remembered(rng, n=800, rho=0.9, runs=1):
    """Noise and points that remember, in one run or several."""
    parts = [memory(rng, n // runs, rho, 2) for _ in range(runs)]
    x, e = np.concatenate(parts).T
    phi = np.column_stack([np.ones(n), x])
    return phi, (1 + 2 * x + e)[:, None], np.array([1.0, 2.0]), {"groups": np.repeat(np.arange(runs), n // runs)}


def unequal(rng, n=40):
    """Two channels, one of them ten times noisier."""
    phi = np.column_stack([np.ones(n), rng.uniform(-1, 1, n)])
    beta = np.array([[1.0, 2.0], [0.0, 1.0]])
    return phi, phi @ beta.T + [1.0, 0.1] * rng.standard_normal((n, 2)), beta.ravel(), {}


def uncertain(rng, n=60):
    """Known standard errors of each value."""
    phi = np.column_stack([np.ones(n), rng.uniform(-1, 1, n)])
    s = np.exp(rng.standard_normal(n) * 0.8)
    return phi, (phi @ [1.0, 2.0] + s * rng.standard_normal(n))[:, None], np.array([1.0, 2.0]), {"weights": s**-2}


@pytest.mark.parametrize(
    ("make", "noise", "reps"),
    [
        (fanned, "robust", 400),
        (unequal, "components", 400),
        (remembered, "blocks", 200),
        (partial(remembered, n=600, runs=10), "grouped", 100),
        (partial(remembered, n=800, runs=40), "grouped", 60),
        (partial(remembered, n=600, runs=10), "blocks", 200),
        (uncertain, "known", 400),
        (uncertain, "equal", 400),
    ],
)
def test_levels_hold_where_the_noise_is_what_was_said(make, noise, reps):
    # one-sided 5 %, both sides counted: each rate has a standard error of about sqrt(.05 / (2 reps))
    assert misses(make, noise, reps).max() < 0.05 + 3.5 * np.sqrt(0.05 / (2 * reps))


@pytest.mark.parametrize(("make", "worst"), [(fanned, 0.08), (unequal, 0.10), (remembered, 0.20)])
def test_the_law_of_equal_independent_noise_fails_there(make, worst):
    assert misses(make, "equal", 150).max() > worst


def test_weights_are_used_and_not_only_carried():
    rng = np.random.default_rng(0)
    phi, y, _, given = uncertain(rng, 400)
    with_weights = estimate_features(phi, y, **given)
    assert np.linalg.norm(with_weights.root) < 0.6 * np.linalg.norm(estimate_features(phi, y).root)


def test_groups_give_the_t_statistic_of_their_fits():
    phi, y, _, _ = fanned(np.random.default_rng(0), 400)
    labels = np.arange(400) // 40
    fit = estimate_features(phi, y, noise="grouped", groups=labels)
    each = np.array([np.linalg.lstsq(phi[labels == g], y[labels == g, 0], rcond=None)[0] for g in range(10)])
    assert np.allclose(fit.theta, each.mean(axis=0))
    assert np.allclose(fit.covariance, np.cov(each.T) / 10)
    assert fit.dof == 9.0


def test_many_runs_are_put_together_in_order():
    phi, y, _, _ = fanned(np.random.default_rng(0), 400)
    merged = estimate_features(phi, y, noise="grouped", groups=np.arange(400) // 4)
    assert merged.dof == 13.0
    by_hand = estimate_features(phi, y, noise="grouped", groups=(np.arange(400) // 4 * 4 + 2) * 14 // 400)
    assert np.allclose(merged.covariance, by_hand.covariance)


def test_few_groups_have_a_quantile_but_no_set_for_all_parameters():
    x, y = table(600)
    fit = estimate(CUBIC, x, y, noise="grouped", groups=np.arange(600) // 100)
    assert fit.dof == 5.0
    assert fit.root.shape == (20, 5)
    with pytest.raises(UndecidedError, match="groups"):
        fit.radius(0.05)


def test_enough_groups_have_the_set_of_hotelling():
    rng = np.random.default_rng(0)
    phi, y, _, _ = fanned(rng, 400)
    fit = estimate_features(phi, y, noise="grouped", groups=np.arange(400) // 40)
    assert np.isclose(fit.radius(0.05) ** 2, 2 * 9 / 8 * stats.f.isf(0.05, 2, 8))


def test_the_error_of_blocks_is_that_of_the_bootstrap_they_stand_for():
    from erlangen.evidence._blocks import block_law, block_length

    rng = np.random.default_rng(3)
    influence, noise = rng.standard_normal((120, 2)), memory(rng, 120, 0.3)
    length, lost = block_length(noise, [np.arange(120)])
    law = block_law(influence, noise, None)
    starts = rng.integers(0, 120 - length + 1, (20000, 120 // length))
    sums = np.cumsum(np.vstack([np.zeros((1, 2)), influence]), axis=0)
    windows = sums[length:] - sums[:-length]
    drawn = windows[starts].sum(axis=1) * np.sqrt(120 / length / (120 // length))
    raw = np.sum((law.root**2).sum(axis=1)) * (1 - lost) * law.dof / (law.dof + 1)
    mean = windows.mean(axis=0) ** 2 * 120 / length  # blocks are not centred: zero is the known mean
    assert np.isclose(raw, np.sum(drawn.var(axis=0) + mean), rtol=0.05)


def test_correlation_time_of_an_autoregression():
    from erlangen.evidence._blocks import correlation_time

    n = 100_000  # the standard error of the estimate is then about 0.4
    signal = memory(np.random.default_rng(0), n, 0.8)[:, 0]
    assert abs(correlation_time(signal, [np.arange(n)]) - 1.8 / 0.2) < 1.2


@pytest.mark.parametrize("table_of", [exponents(1, 4), exponents(2, 3)])
def test_hermite_polynomials_have_the_monomials_as_means(table_of):
    s = np.full(table_of.shape[1], 0.7)
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    grid = np.array(np.meshgrid(*[nodes] * len(s))).reshape(len(s), -1).T
    mass = np.prod(np.array(np.meshgrid(*[weights / weights.sum()] * len(s))).reshape(len(s), -1), axis=0)
    x = np.array([0.3, -1.2])[: len(s)]
    assert np.allclose(mass @ hermite(x + s * grid, s, table_of), monomials(x[None], table_of)[0])


def test_noisy_states_bias_least_squares_and_the_corrected_score_does_not():
    rng, off = np.random.default_rng(1), np.zeros((2, 2))
    truth = np.zeros(4)
    truth[1], truth[3] = 1.0, -1.0
    family = polynomial_field(1, 3, truth)
    for _ in range(60):
        x = rng.uniform(-1, 1, (500, 1))
        y, seen = family.value(x) + 0.05 * rng.standard_normal((500, 1)), x + 0.1 * rng.standard_normal((500, 1))
        for i, fit in enumerate((estimate_noisy_states(family, seen, y, state_noise=0.1), estimate(family, seen, y))):
            off[i] += np.abs((fit.theta - truth)[[1, 3]]) > fit.quantile(0.025) * np.linalg.norm(
                fit.root[[1, 3]], axis=1
            )
    assert off[0].max() / 60 < 0.15
    assert off[1].min() / 60 > 0.9


def test_the_corrected_score_without_errors_is_least_squares_wherever_the_data_lie():
    x, y = table(200)
    shifted = x + [10.0, -3.0]
    fit = estimate_noisy_states(CUBIC, shifted, y, state_noise=0.0)
    assert np.allclose(fit.theta, estimate(CUBIC, shifted, y).theta, rtol=1e-5)


def test_errors_as_large_as_the_spread_are_refused():
    x, y = table(100)
    rng = np.random.default_rng(0)
    with pytest.raises(UndecidedError, match="too large"):
        estimate_noisy_states(CUBIC, x + 0.6 * rng.standard_normal(x.shape), y, state_noise=0.6)


def test_noise_of_states_uses_no_difference_across_a_gap():
    t = np.linspace(0, 6, 400)
    x = np.column_stack([np.sin(t), np.cos(t)]) + 0.02 * np.random.default_rng(0).standard_normal((400, 2))
    x[200:] += 5.0
    assert np.allclose(noise_of_states(x, np.arange(400) // 200), 0.02, rtol=0.2)
    assert noise_of_states(x)[0] > 0.05


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"noise": "equl"}, InputError, "noise='equal'"),
        ({"noise": "known"}, InputError, "variances"),
        ({"weights": np.ones(3)}, InputError, "weights of shape"),
        ({"weights": -np.ones(120)}, InputError, "non-negative"),
        ({"noise": "grouped", "groups": np.arange(119)}, InputError, "one label per row"),
        ({"noise": "grouped", "groups": np.zeros(120)}, UndecidedError, "two groups"),
    ],
)
def test_bad_input_is_told(given, error, told):
    x, y = table()
    with pytest.raises(error, match=told):
        estimate(CUBIC, x, y, **given)


def test_rows_that_leave_no_freedom_for_the_noise_do_not_decide():
    x, y = table(10)
    with pytest.raises(UndecidedError, match="10 rows for 10 parameters"):
        estimate(CUBIC, x, y)
    with pytest.raises(UndecidedError, match="independent blocks"):
        estimate_features(np.ones((60, 1)), np.cumsum(np.ones((60, 1)), axis=0), noise="blocks")
