"""Smoothing: its splines and inverse against dense algebra, its errors against their size, its noise against the truth.

The oracle of the Gaussian process is dense and knows no splines: the covariance of an integrated Wiener process.
"""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.interpolate import BSpline

import erlangen as er
from erlangen import InputError, UndecidedError
from erlangen.dynamics import smooth
from erlangen.dynamics._noise import variances
from erlangen.dynamics._penalised import Level, Pieces, fitted
from erlangen.dynamics._posterior import Chosen, Standard, _estimate
from erlangen.dynamics._slopes import slopes_of
from erlangen.dynamics._splines import Factor, Knots
from erlangen.fields import Trajectories

T = np.linspace(0.0, 20.0, 2001)
RNG = 5


def selkov(_, x):
    return np.array([0.75 - 0.1 * x[0] - x[0] * x[1] ** 2, -x[1] + 0.1 * x[0] + x[0] * x[1] ** 2])


def volterra(_, x):
    return np.array([2 / 3 - 4 / 3 * np.exp(x[1]), np.exp(x[0]) - 1])


def growth(_, x):
    return np.array([-0.3 * x[0] + 0.1 * x[1] ** 2, x[1]])


def lorenz(_, x):
    return np.array([10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]])


def solved(f, starts, t):
    runs = [solve_ivp(f, (t[0], t[-1]), x0, t_eval=t, rtol=1e-10, atol=1e-12).y.T for x0 in starts]
    return runs, [f(0, x.T).T for x in runs]


def dense(band):
    out = np.diag(band[0])
    for r in range(1, len(band)):
        out += np.diag(band[r, :-r], r) + np.diag(band[r, :-r], -r)
    return out


def design(knots, basis):
    out = np.zeros((len(knots.first), knots.size))
    for a, row in enumerate(basis):
        out[np.arange(len(out)), knots.first + a] = row
    return out


@pytest.fixture(params=[2, 3, 4], ids="smoothness {}".format)
def knots(request):
    rng = np.random.default_rng(RNG)
    times = [np.sort(rng.uniform(0, 10, 50)), np.linspace(3, 9, 40), np.linspace(0, 30, 200)]
    return Knots.over(times, 0.3, request.param)


def test_splines_are_those_of_scipy(knots):
    m, k = knots.smoothness, knots.spacing
    t = np.arange(1 - 2 * m, int(knots.first[49]) + 2 * m + 1) * k
    spline = BSpline(t, np.eye(len(t) - 2 * m), 2 * m - 1)
    at = (knots.first[:50] + knots.place[:50]) * k
    for order in (0, 1, 2):
        expected = spline.derivative(order)(at) if order else spline(at)
        got = design(knots, knots.basis(order))[:50, : expected.shape[1]]
        np.testing.assert_allclose(got, expected, atol=1e-12 / k**order)


def test_bands_are_those_of_the_dense_matrices(knots):
    rng = np.random.default_rng(RNG)
    basis, weights = knots.basis(), rng.uniform(0.5, 2, len(knots.first))
    b, y = design(knots, basis), rng.normal(size=(len(weights), 2))
    np.testing.assert_allclose(dense(knots.gram(basis, weights)), b.T @ (weights[:, None] * b), atol=1e-13)
    np.testing.assert_allclose(knots.project(basis, y), b.T @ y, atol=1e-12)
    c = rng.normal(size=(knots.size, 2))
    np.testing.assert_allclose(knots.values(basis, c), b @ c, atol=1e-12)
    roughness = np.einsum("ic,ij,jc->c", c, dense(knots.penalty()), c)
    np.testing.assert_allclose(knots.roughness(c), roughness, rtol=1e-12)


def test_band_of_the_inverse_is_that_of_the_dense_inverse(knots):
    basis, slopes = knots.basis(), knots.basis(1)
    band = knots.gram(basis) + 0.5 * knots.penalty()
    factor, inverse = Factor.of(band), np.linalg.inv(dense(band))
    got = factor.inverse_band(2.0)
    for r in range(len(band)):
        np.testing.assert_allclose(got[r, : knots.size - r], np.diag(inverse, r), atol=1e-10 * np.abs(inverse).max())
    expected = np.einsum("na,ab,nb->n", design(knots, basis), inverse, design(knots, slopes))
    np.testing.assert_allclose(knots.covariance(basis, slopes, got), expected, atol=1e-9 * np.abs(expected).max())
    assert np.isclose(factor.log_determinant, np.linalg.slogdet(dense(band))[1])


def wiener(s, t, m, i, j):
    """Covariance of the i-th derivative at s and the j-th at t of an m-fold integrated Wiener process from zero."""
    p, q = m - 1 - i, m - 1 - j
    f = lambda u: (s - u) ** p / math.factorial(p) * (t - u) ** q / math.factorial(q)  # noqa: E731
    return quad(f, 0.0, min(s, t), epsabs=0, epsrel=1e-12)[0]


def test_posterior_is_that_of_the_dense_process():
    m, t, width = 3, np.sort(np.random.default_rng(RNG).uniform(0, 3, 24)), 0.3
    rng = np.random.default_rng(1)
    y = np.sin(2 * t) + 0.1 * rng.normal(size=len(t))
    pieces = Pieces([t], y[:, None])
    fit = fitted(pieces, m, "likelihood", width=width)[0]
    fine = Level(pieces, width / 16, m, "likelihood").fits(width)[0]  # knots that leave nothing out
    ratio = pieces.step / width ** (2 * m)  # strength of the white noise, where that of the samples is one
    u = t - t[0]
    k = {(i, j): ratio * np.array([[wiener(a, b, m, i, j) for b in u] for a in u]) for i, j in ((0, 0), (1, 0), (1, 1))}
    start = {0: np.vander(u, m, increasing=True), 1: np.c_[0 * u, u**0, 2 * u]}
    noisy = np.linalg.inv(k[0, 0] + np.eye(len(t)))
    free = np.linalg.inv(start[0].T @ noisy @ start[0])
    beta = free @ start[0].T @ noisy @ y
    states = start[0] @ beta + k[0, 0] @ noisy @ (y - start[0] @ beta)
    slopes = start[1] @ beta + k[1, 0] @ noisy @ (y - start[0] @ beta)
    rest = start[1] - k[1, 0] @ noisy @ start[0]
    variance = np.diag(k[1, 1] - k[1, 0] @ noisy @ k[1, 0].T + rest @ free @ rest.T)
    s2 = (y - start[0] @ beta) @ noisy @ (y - start[0] @ beta) / (len(t) - m)
    for got, tolerance in ((fine, 1e-4), (fit, 2e-2)):
        b0, b1, band = got.knots.basis(), got.knots.basis(1), got.factor.inverse_band(width / got.knots.spacing)
        size = tolerance * np.abs(slopes).max()
        np.testing.assert_allclose(got.knots.values(b0, got.coefficients)[:, 0], states, atol=tolerance)
        np.testing.assert_allclose(got.knots.values(b1, got.coefficients)[:, 0], slopes, atol=size)
        np.testing.assert_allclose(got.knots.covariance(b1, b1, band), variance, rtol=5 * tolerance)
        assert np.isclose(got.noise**2, s2, rtol=5 * tolerance)


@pytest.mark.parametrize("seed", [0, 1])
def test_width_is_where_the_dense_likelihood_is_largest(seed):
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 5, 40)
    y = np.sin(2 * t) + 0.2 * rng.normal(size=40)
    found = fitted(Pieces([t], y[:, None]), 3, "likelihood")[0].width
    k = np.array([[wiener(a, b, 3, 0, 0) for b in t] for a in t])
    start = np.vander(t, 3, increasing=True)

    def score(width):
        cov = k * (t[1] - t[0]) / width**6 + np.eye(40)
        inverse = np.linalg.inv(cov)
        gram = start.T @ inverse @ start
        rest = inverse - inverse @ start @ np.linalg.solve(gram, start.T @ inverse)
        return 37 * np.log(y @ rest @ y) + np.linalg.slogdet(cov)[1] + np.linalg.slogdet(gram)[1]

    widths = found * np.exp(np.linspace(-0.5, 0.5, 11))
    assert abs(int(np.argmin([score(w) for w in widths])) - 5) <= 1


CASES = {
    "Sel'kov, 20 %": (selkov, (0.5, 1.0), 4, T, 0.2, False),
    "Sel'kov, 100 %": (selkov, (0.5, 1.0), 4, T, 1.0, False),
    "Lotka-Volterra, 99 %": (volterra, (-0.7, -0.1), 6, T, 0.99, False),
    "growth, 5 % of the value": (growth, (0.2, 1.0), 10, np.arange(500) * 0.004, 0.05, True),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_and_noise_are_as_large_as_they_say(case):
    f, box, count, t, noise, relative = CASES[case]
    rng = np.random.default_rng(RNG)
    states, slopes = solved(f, rng.uniform(box[0], box[1], (count, 2)), t)
    size = np.concatenate(states).std(axis=0)
    noisy = [x + noise * rng.normal(size=x.shape) * (x if relative else size) for x in states]
    found = smooth(Trajectories.from_arrays(noisy, t))
    for got, error, truth in (("states", "state_errors", states), ("derivatives", "derivative_errors", slopes)):
        z = [((getattr(r, got) - x) / getattr(r, error))[r.keep] for r, x in zip(found.runs, truth, strict=True)]
        variance = np.mean(np.concatenate(z) ** 2, axis=0)
        assert (variance > 0.35).all() and (variance < 1.6).all(), (got, variance)
    added = np.sqrt(np.mean((np.concatenate(noisy) - np.concatenate(states)) ** 2, axis=0))
    np.testing.assert_allclose(found.noise, added, rtol=0.05)
    if relative:
        np.testing.assert_allclose(found.relative, noise, rtol=0.1)
    else:  # what is taken for a share of the value is little of the noise
        assert (found.relative * np.sqrt(np.mean(np.concatenate(states) ** 2, axis=0)) < 0.5 * added).all()
    assert np.mean([run.keep.mean() for run in found.runs]) > 0.8
    assert not any(run.keep[0] or run.keep[-1] for run in found.runs)


def test_units_offsets_and_clocks_do_not_matter():
    states, _ = solved(selkov, [(0.8, 0.7)], T[::5])
    y = states[0] + 0.02 * np.random.default_rng(RNG).normal(size=states[0].shape)
    plain = smooth(Trajectories.from_arrays(y, T[::5]), noise="additive").runs[0]
    for scale, offset, clock, later in ((1e-9, 0.0, 1.0, 0.0), (1.0, 1e4, 1.0, 0.0), (1.0, 0.0, 1e-6, 1.0)):
        flow = Trajectories.from_arrays(scale * y + offset, clock * T[::5] + later)
        run = smooth(flow, noise="additive").runs[0]
        np.testing.assert_allclose(run.derivatives * clock / scale, plain.derivatives, atol=1e-6)
        np.testing.assert_allclose(run.derivative_errors * clock / scale, plain.derivative_errors, rtol=1e-4)
        assert (run.keep == plain.keep).all()


def test_uneven_times_and_gaps():
    rng = np.random.default_rng(RNG)
    times = [np.sort(rng.uniform(0, 20, n)) for n in (400, 900)]
    times[1] = np.delete(times[1], np.flatnonzero((times[1] > 8) & (times[1] < 11)))
    runs = [solve_ivp(selkov, (0, 20), (0.8, 0.7), t_eval=t, rtol=1e-10, atol=1e-12).y.T for t in times]
    found = smooth(Trajectories.from_arrays([x + 0.02 * rng.normal(size=x.shape) for x in runs], times))
    z = [((r.derivatives - selkov(0, x.T).T) / r.derivative_errors)[r.keep] for r, x in zip(found.runs, runs)]
    assert 0.3 < np.mean(np.concatenate(z) ** 2) < 1.6
    last = int(np.flatnonzero(times[1] < 8)[-1])
    assert not found.runs[1].keep[last] and not found.runs[1].keep[last + 1]  # both sides of a gap are ends


def test_without_noise_differences_are_as_wide_as_pays():
    states, slopes = solved(lorenz, [(1.0, 2.0, 20.0)], np.linspace(0, 4, 1000))
    flow = Trajectories.from_arrays(states[0], np.linspace(0, 4, 1000))
    run = smooth(flow).runs[0]
    assert all("differences" in method for method in smooth(flow).methods)
    error = np.abs(run.derivatives - slopes[0])[run.keep].max(axis=0)
    assert (error < np.abs(flow.derivative_estimates() - slopes[0])[run.keep].max(axis=0)).all()
    assert (error < 1e-6 * np.abs(slopes[0]).max(axis=0)).all()
    assert (error < 30 * np.median(run.derivative_errors, axis=0)).all()


def test_a_coordinate_without_noise_keeps_its_own_method():
    y = np.c_[np.sin(T), np.cos(T) + 0.1 * np.random.default_rng(RNG).normal(size=len(T)), np.full(len(T), 3.0)]
    found = smooth(Trajectories.from_arrays(y, T, ["clean", "noisy", "still"]))
    assert found.methods[0].startswith("differences") and found.methods[1] == "Gaussian process"
    assert "constant" in found.methods[2] and not found.runs[0].derivatives[:, 2].any()
    assert np.isfinite(found.weights).all() and found.weights.shape == found.flow.points.shape


@pytest.mark.parametrize("method", ["gp", "spline", "spectral", "differences"])
def test_each_method_is_as_good_as_it_claims(method):
    y = np.sin(2 * T) + 0.02 * np.random.default_rng(RNG).normal(size=len(T))
    found = smooth(Trajectories.from_arrays(y[:, None], T), method)
    run = found.runs[0]
    z = ((run.derivatives[:, 0] - 2 * np.cos(2 * T)) / run.derivative_errors[:, 0])[run.keep]
    assert 0.15 < np.mean(z**2) < 3 and run.keep.mean() > 0.8
    assert abs(found.noise[0] / 0.02 - 1) < 0.15 and found.reason.startswith("x1: ")


def test_motion_that_is_too_coarse_is_not_smoothed_away():
    t = np.arange(200) * 1.0
    y = np.c_[np.cos(2.4 * t), 0.02 * t + np.sin(0.05 * t)]
    found = smooth(Trajectories.from_arrays(y, t))
    assert "too coarse" in found.methods[0] and "too coarse" not in found.methods[1]
    run = found.runs[0]
    z = (run.derivatives[:, 0] + 2.4 * np.sin(2.4 * t)) / run.derivative_errors[:, 0]
    assert np.mean(z[run.keep] ** 2) < 30  # far off, and it says so; smoothed, it would be off by thousands


def test_runs_may_have_their_own_noise():
    rng = np.random.default_rng(RNG)
    flow = Trajectories.from_arrays([np.sin(T)[:, None] + s * rng.normal(size=(len(T), 1)) for s in (0.02, 0.5)], T)
    errors = {
        shared: [np.median(run.derivative_errors) for run in smooth(flow, shared=shared).runs]
        for shared in (True, False)
    }
    assert np.isclose(*errors[True]) and errors[False][1] > 3 * errors[False][0]


def test_noise_that_grows_is_told_from_noise_that_does_not():
    rng = np.random.default_rng(RNG)
    x = rng.uniform(0.1, 3, 2000)
    assert variances(0.1 * rng.normal(size=2000), x**2, mixed=True) is None
    v = variances(0.1 * x * rng.normal(size=2000), x**2, mixed=True)
    assert v is not None and np.corrcoef(v, x**2)[0, 1] > 0.99
    both = variances(np.hypot(0.1, 0.1 * x) * rng.normal(size=2000), x**2, mixed=True)
    assert both is not None
    np.testing.assert_allclose(both, (1 + x**2) / np.mean(1 + x**2), rtol=0.2)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_grows_exponentially_is_smoothed_as_its_logarithm(sign):
    t, rng = np.linspace(0, 10, 150), np.random.default_rng(RNG)
    truth = [sign * a * np.exp(t)[:, None] for a in (0.3, 0.8)]
    flow = Trajectories.from_arrays([x * (1 + 0.05 * rng.normal(size=x.shape)) for x in truth], t)
    found = smooth(flow)
    assert found.methods == ("Gaussian process of the logarithm",) and abs(found.relative[0] - 0.05) < 0.006
    for run, x in zip(found.runs, truth, strict=True):
        assert np.abs(run.derivatives / x - 1)[run.keep].max() < 0.05
        assert np.abs(run.states / x - 1)[run.keep].max() < 0.03
        assert np.mean((((run.derivatives - x) / run.derivative_errors)[run.keep]) ** 2) < 4
    assert smooth(flow, noise="additive").methods == ("Gaussian process",)


def test_time_grows_linearly():
    def seconds(n):
        t = np.arange(n) * 0.01
        flow = Trajectories.from_arrays((np.sin(t) + 0.1 * np.random.default_rng(0).normal(size=n))[:, None], t)
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            smooth(flow, noise="additive")
            best = min(best, time.process_time() - start)
        return best

    assert seconds(40_000) < 16 * seconds(5_000)  # eight times the samples; quadratic would be 64


def test_smoothed_runs_keep_controls_and_feed_the_fit():
    t = T[:400]
    y = np.c_[np.cos(t), -np.sin(t)] + 0.01 * np.random.default_rng(RNG).normal(size=(400, 2))
    flow = Trajectories.from_arrays([y, y], t, controls=[[1.0], [2.0]], control_names=["k"])
    found = smooth(flow)
    assert found.flow.controls == ("k",) and set(found.flow.inputs[:, 0]) == {1.0, 2.0}
    slopes = slopes_of(flow, "auto", None)
    np.testing.assert_array_equal(slopes.weights, found.weights)
    np.testing.assert_allclose(1 / slopes.weights, np.concatenate([r.derivative_errors[r.keep] for r in found.runs]))
    given = Trajectories.from_arrays(y, t, derivatives=y)
    assert (slopes_of(given, "auto", None).weights == 1.0).all()


@pytest.mark.parametrize("m", [2, 3, 4])
def test_errors_inside_are_those_of_an_endless_run(m):
    v = np.where(T < 10, 0.1, 1.9)  # the second half has more noise, so it is averaged over more
    data = Standard.of([T], np.sin(T) + 0.1 * np.random.default_rng(RNG).normal(size=len(T)))
    assert data is not None
    fit = fitted(data.pieces, m, "likelihood", 1 / v[:, None], width=0.3)[0]
    found = _estimate(Chosen(data, fit, v, v), "likelihood")
    assert abs(found.inside[1500] / found.derivative_errors[1500] - 1) < 0.05  # cubics on knots half a width apart
    assert found.inside[500] == np.median(found.derivative_errors)  # where there is less, what is typical is allowed


def test_trimming_is_by_the_multiple_asked_for():
    y = np.sin(T) + 0.1 * np.random.default_rng(RNG).normal(size=len(T))
    flow = Trajectories.from_arrays(y[:, None], T)
    kept = [smooth(flow, trim=trim).runs[0].keep.sum() for trim in (1.1, 2.0, np.inf)]
    assert kept[0] < kept[1] < kept[2] == len(T)
    run = smooth(flow, trim=2.0).runs[0]
    assert (run.derivative_errors[run.keep] <= 2.0 * np.median(run.derivative_errors) * (1 + 1e-9)).all()


FLOW = Trajectories.from_arrays(np.sin(T)[:, None], T)
REFUSED = {
    "method": (lambda: smooth(FLOW, "splin"), InputError, "spline"),
    "noise": (lambda: smooth(FLOW, noise="aditive"), InputError, "additive"),
    "smoothness": (lambda: smooth(FLOW, smoothness=7), InputError, "out of range"),
    "trim": (lambda: smooth(FLOW, trim=0.5), InputError, "leaves nothing"),
    "uneven": (lambda: smooth(Trajectories.from_arrays(T[:, None], T**2 + T), "spectral"), InputError, "even steps"),
    "short": (lambda: smooth(Trajectories.from_arrays(T[:5, None], T[:5])), UndecidedError, "long enough"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_message_that_says_what(case):
    build, error, said = REFUSED[case]
    with pytest.raises(error, match=said):
        build()
    assert er.dynamics.smooth is smooth


@pytest.mark.parametrize("seed", [11, 12, 13, 15, 37])
def test_small_values_at_the_highest_frequencies_are_not_the_noise(seed):
    t = np.linspace(0, 20, 300)
    x = np.sin(t) + 0.1 * np.random.default_rng(seed).normal(size=300)
    found = smooth(Trajectories.from_arrays(x[:, None], t), method="spectral")
    assert 0.08 < found.noise[0] < 0.12
