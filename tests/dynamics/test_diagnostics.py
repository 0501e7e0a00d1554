"""Order in residuals, horizons of prediction, exponents, spectra and coverage: oracles and known answers."""

from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pytest

from erlangen._errors import InputError, UndecidedError
from erlangen.dynamics import (
    Equations,
    coverage,
    lyapunov_exponent,
    ordinal,
    spectral_distance,
    step_residuals,
    valid_prediction_time,
)
from erlangen.fields import Polynomial
from erlangen.fields.trajectories import Trajectories

LORENZ = {"x": "10*y - 10*x", "y": "28*x - x*z - y", "z": "x*y - 8/3*z"}


def brute_force(x, order, delay):
    """Entropy and complexity as they are defined, pattern by pattern."""
    labels = {p: 0 for p in permutations(range(order))}
    for i in range(len(x) - (order - 1) * delay):
        labels[tuple(np.argsort(x[i : i + order * delay : delay][:order], kind="stable").tolist())] += 1
    p = np.array(list(labels.values())) / sum(labels.values())
    k = len(p)
    shannon = lambda q: -sum(v * np.log(v) for v in q if v)  # noqa: E731
    h = shannon(p) / np.log(k)
    one = np.eye(k)[0]
    spread = lambda q: shannon((q + 1 / k) / 2) - shannon(q) / 2 - np.log(k) / 2  # noqa: E731
    return h, spread(p) / spread(one) * h


@pytest.mark.parametrize(("order", "delay"), [(3, 1), (4, 2), (5, 3)])
def test_entropy_and_complexity_by_brute_force(order, delay):
    x = np.cumsum(np.random.default_rng(0).normal(size=700))
    found = ordinal(x, order, delay)
    assert (found.entropy[0], found.complexity[0]) == pytest.approx(brute_force(x, order, delay), rel=1e-12)
    coarse = ordinal(np.round(x), order, delay)  # ties
    assert coarse.entropy[0] == pytest.approx(brute_force(np.round(x), order, delay)[0], rel=1e-12)


def test_patterns_of_known_series():
    rising = ordinal(np.arange(300.0), order=3)
    assert rising.entropy[0] == 0.0 and not rising.only_noise
    both = ordinal(np.tile([0.0, 1.0], 200) + 1e-3 * np.arange(400), order=3)  # up-down and down-up, as often
    assert both.entropy[0] == pytest.approx(np.log(2) / np.log(6), abs=1e-4)


def test_white_noise_is_noise_and_its_level_is_kept():
    rng = np.random.default_rng(0)
    assert ordinal(rng.normal(size=10_000)).entropy[0] >= 0.99
    p = np.array([ordinal(rng.normal(size=600), order=4, rng=k).p_values[0] for k in range(40)])
    assert 0.25 <= np.mean(p < 0.5) <= 0.75  # binomial: .5 +- .08
    assert np.mean(p < 0.01) <= 0.05


def test_noise_of_changing_strength_is_noise():
    rng = np.random.default_rng(1)
    strength = np.exp(2 * np.sin(np.arange(1500) / 30))
    flagged = [not ordinal(strength * rng.normal(size=1500), order=4, rng=k).only_noise for k in range(12)]
    assert np.mean(flagged) <= 0.1


def lorenz_runs(seed, noise):
    model = Equations.from_text(LORENZ)
    rng = np.random.default_rng(seed)
    t = np.arange(0, 12, 0.01)
    x = model.simulate(rng.normal(size=3) * 3 + [0, 0, 25], t).states
    return Trajectories.from_arrays(x + noise * x.std(axis=0) * rng.normal(size=x.shape), t, names=model.names)


@pytest.fixture(scope="module")
def flow():
    return lorenz_runs(0, 0.01)


def test_full_model_leaves_noise(flow):
    left = ordinal(step_residuals(Equations.from_text(LORENZ), flow, steps=4), delay=10)
    assert left.only_noise and left.verdict.startswith("Only noise is left")


@pytest.mark.parametrize(("name", "text"), [("y", "28*x - y"), ("y", "28*x - x*z"), ("x", "-10*x"), ("z", "x*y")])
def test_missing_term_is_seen_where_it_is_missing(flow, name, text):
    left = ordinal(step_residuals(Equations.from_text({**LORENZ, name: text}), flow, steps=4), delay=10)
    assert name in left.telling and "A term is missing" in left.verdict


def test_residuals_of_the_truth_are_those_of_the_integrator():
    left = step_residuals(Equations.from_text(LORENZ), lorenz_runs(1, 0.0), steps=2)
    assert np.abs(left.points).max() < 1e-3
    assert left.times[0] == pytest.approx(0.02)


def test_nothing_left_and_delays():
    nothing = ordinal(np.zeros(500))
    assert nothing.only_noise and nothing.p_values[0] == 1.0
    t = np.arange(3000)
    assert ordinal(np.sin(t / 50), delay="auto").delays[0] == pytest.approx(50 * np.arccos(1 / np.e), abs=2)
    assert ordinal(np.sin(t), delay=3).delays[:2] == (3, 6)


def test_runs_do_not_meet():
    rng = np.random.default_rng(0)
    runs = [rng.normal(size=(100, 1)) for _ in range(5)]
    flow = Trajectories.from_arrays(runs, [np.arange(100.0)] * 5)
    assert ordinal(flow, order=4).n_patterns == 5 * 97


def test_ordinal_prints():
    found = ordinal(np.random.default_rng(0).normal(size=(500, 2)), order=4, names=["a", "b"])
    assert json.loads(json.dumps(found.to_dict()))["names"] == ["a", "b"]
    assert "<table>" in found._repr_html_() and "only noise" in repr(found) and "samples apart" in str(found)
    with pytest.raises(InputError, match="fewer patterns"):
        ordinal(np.arange(50.0))
    with pytest.raises(InputError, match="no series"):
        ordinal(np.array([1.0, np.nan] * 300))
    with pytest.raises(InputError, match="no delay"):
        ordinal(np.arange(500.0), delay=0)


def test_exponent_of_lorenz():
    found = lyapunov_exponent(Equations.from_text(LORENZ), [1.0, 1.0, 1.0], steps=2500)
    assert float(found) == pytest.approx(0.9056, rel=0.02)
    assert abs(found.value - 0.9056) < 4 * found.error


def test_exponents_of_linear_fields_and_blow_up():
    saddle = Equations.from_text({"x": "-x", "y": "-0.5*y + x"})
    assert float(lyapunov_exponent(saddle, [1.0, 1.0], steps=500)) == pytest.approx(-0.5, abs=2e-2)
    spiral = Equations.from_text({"x": "0.1*x - y", "y": "x + 0.1*y"})
    assert float(lyapunov_exponent(spiral, [1.0, 0.0], steps=100)) == pytest.approx(0.1, abs=1e-4)
    with np.errstate(all="ignore"), pytest.raises(UndecidedError, match="without bound"):
        lyapunov_exponent(Equations.from_text({"x": "x**2"}), [1.0], step=0.1)


@pytest.mark.parametrize("field", [{"x": "y", "y": "0"}, {"x": "y", "y": "z", "z": "0"}])
def test_growth_by_a_power_of_time_is_no_exponent(field):
    found = lyapunov_exponent(Equations.from_text(field), [1.0] * len(field), steps=1000, step=0.1)
    assert found.value > 0 and found.value == pytest.approx(found.error, rel=0.2)
    assert found.drift == pytest.approx(found.error, rel=0.1) and "still changes" in str(found)


def test_horizon_by_hand():
    t = np.linspace(0, 10, 11)
    truth = np.tile([[1.0], [-1.0]], (6, 1))[:11]
    wrong = truth.copy()
    wrong[7] += 0.5
    size = truth.std()
    assert valid_prediction_time(truth, wrong, t, tolerance=0.4 / size) == 6.0
    assert valid_prediction_time(truth, wrong, t, tolerance=0.6 / size, lyapunov=0.5) == 5.0
    wrong[3] = np.nan
    assert valid_prediction_time(truth, wrong, t) == 2.0
    assert valid_prediction_time(truth, truth[:5], t) == 4.0
    with pytest.raises(InputError, match="do not fit"):
        valid_prediction_time(truth, wrong[:, [0, 0]], t)
    with pytest.raises(InputError, match="no unit"):
        valid_prediction_time(np.ones((11, 1)), wrong, t)


def test_spectra():
    rng = np.random.default_rng(0)
    t = np.arange(4000) * 0.1
    slow, fast = np.sin(t), np.sin(9 * t)
    assert spectral_distance(slow, np.cos(t)) < 0.05
    assert spectral_distance(slow, fast) > 0.95
    assert spectral_distance(rng.normal(size=4000), rng.normal(size=4000)) < 0.3
    with pytest.raises(InputError, match="cannot be compared"):
        spectral_distance(slow[:30], fast)


def test_coverage_of_a_circle_and_a_cloud():
    t = np.linspace(0, 6, 200)
    circle = coverage(np.c_[np.cos(t), np.sin(t)], names=["x", "y"])
    assert circle.condition == np.inf and circle.weak[0][1] == "1 - x^2 - y^2 = 0"
    cloud = np.random.default_rng(0).normal(size=(500, 2))
    good = coverage(cloud, Polynomial(degree=2))
    assert not good.weak and good.condition < 20 and good.dimension == pytest.approx(2, abs=0.05)
    line = coverage(np.c_[cloud[:, :1], 2 * cloud[:, :1]], Polynomial(degree=1))
    assert line.dimension == pytest.approx(1) and "x1 - 0.5 x2 = 0" in line.weak[0][1]


def test_coverage_of_a_reference():
    cloud = np.random.default_rng(0).uniform(-1, 1, size=(4000, 2))
    half = cloud[cloud[:, 0] < 0]
    assert coverage(cloud, reference=cloud).filled == 1.0
    assert coverage(half, reference=cloud).filled == pytest.approx(0.5, abs=0.1)
    assert "cells hold points" in str(coverage(half)) and "directions" in repr(coverage(half))
    assert json.loads(json.dumps(coverage(half).to_dict()))["n_points"] == len(half)


def test_fewer_points_than_functions_leave_directions_open():
    found = coverage(np.random.default_rng(0).normal(size=(4, 2)), Polynomial(degree=2))
    assert found.condition == np.inf and len(found.weak) >= 2
