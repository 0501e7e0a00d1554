"""Calibration against known truth: smooth misfit, noise, units, channels, kinds."""

from __future__ import annotations

import numpy as np
import pytest

from erlangen._errors import InputError
from erlangen.fields import as_field, calibrate
from erlangen.testing import check_field

N = 400
X = np.random.default_rng(0).uniform(-1, 1, size=(N, 2))
NOISE = np.random.default_rng(1).standard_normal(N)


def truth(x):
    return x[:, 0] ** 2 + x[:, 1] ** 2


def truth_slope(x):
    return 2 * x[:, None, :]


def misfit(size: float):
    """The truth and a wave of slope ``size`` that is not in it."""

    def value(x):
        return truth(x) + size * np.sin(3 * x[:, 0] + x[:, 1]) / 3

    return as_field(value, dim=2)


def relative(field, x=X) -> float:
    return float(np.linalg.norm(field.jacobian(x) - truth_slope(x)) / np.linalg.norm(truth_slope(x)))


@pytest.mark.parametrize("size", [0.003, 0.03, 0.3])
def test_smooth_misfit_is_measured_and_taken_out(size):
    model = misfit(size)
    field = calibrate(model, X, truth(X))
    assert field.error == pytest.approx(relative(model), rel=0.1)
    assert relative(field) <= 1.5 * field.accuracy
    assert field.accuracy < field.error / 3


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_noise_is_not_taken_for_misfit(noise):
    """A slope of 0.15 under noise: neither lost nor inflated beyond a factor of two or so."""
    model = misfit(0.3)
    field = calibrate(model, X, truth(X) + noise * NOISE)
    assert 0.9 * relative(model) < field.error < 2.5 * relative(model)
    assert relative(field) <= 1.5 * field.accuracy
    assert relative(field) < relative(model)


def test_pure_noise_claims_little_and_corrects_nothing():
    model = as_field(truth, dim=2)
    field = calibrate(model, X, truth(X) + 0.05 * NOISE)
    assert relative(field) < field.accuracy < 0.8


def test_derivative_of_the_correction():
    check_field(calibrate(misfit(0.3), X, truth(X)), X[:20])


def test_units_do_not_matter():
    """Coordinates in millimetres and kilometres, values in other units: the same relative errors."""
    scale = np.array([1e3, 1e-3])
    model = misfit(0.1)
    other = as_field(
        lambda z: 1e5 * model.value(z / scale), dim=2, jacobian=lambda z: 1e5 * model.jacobian(z / scale) / scale
    )
    a, b = calibrate(model, X, truth(X)), calibrate(other, X * scale, 1e5 * truth(X))
    assert b.error == pytest.approx(a.error, rel=1e-5)
    assert b.accuracy == pytest.approx(a.accuracy, rel=1e-3)


def test_several_channels_and_kinds():
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    target = X @ rotation.T + X**3 / 5
    model = as_field(lambda x: x @ rotation.T + 0.9 * x**3 / 5, kind="vector", dim=2)
    field = calibrate(model, X, target)
    exact = rotation + np.einsum("na,ab->nab", 0.6 * X**2, np.eye(2))
    true = np.linalg.norm(model.jacobian(X) - exact) / np.linalg.norm(exact)
    assert field.kind == "vector"
    assert field.error == pytest.approx(true, rel=0.15)


def test_a_map_is_given_by_its_images():
    model = as_field(lambda x: 1.1 * x, kind="map", dim=2)
    field = calibrate(model, X, 1.1 * X)
    assert field.error < 1e-3
    np.testing.assert_allclose(field.value(X), 0.1 * X, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "y"),
    [(X[:, :1], truth(X)), (X, truth(X)[:-1]), (X[:5], truth(X)[:5]), (X, np.where(X[:, 0] > 0.9, np.nan, 1.0))],
    ids=["columns", "rows", "few", "not finite"],
)
def test_data_that_do_not_fit_are_refused(x, y):
    with pytest.raises(InputError, match="do not fit the model"):
        calibrate(misfit(0.1), x, y)
