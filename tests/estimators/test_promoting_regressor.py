"""Regression with a symmetry that the data decide: scikit-learn's contract, planted functions, and no symmetry."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold
from sklearn.utils.estimator_checks import check_estimator

import erlangen as er
from erlangen.estimators import EquivariantRegressor, SymmetryPromotingRegressor
from erlangen.fields import PolynomialField
from erlangen.fields.bases import Fourier

FEW = (0.1, 1e-3, 0.0)


@pytest.fixture
def kept_stream():
    """scikit-learn's checks draw from NumPy's global stream: put it back."""
    state = np.random.get_state()  # noqa: NPY002
    yield
    np.random.set_state(state)  # noqa: NPY002


def test_scikit_learns_own_checks(kept_stream):
    check_estimator(SymmetryPromotingRegressor(degree=1, lams=FEW, cv=2), on_skip=None)


def spiral(x):
    return x @ np.array([[0.3, 1.0], [-1.0, 0.3]]) - x * (x**2).sum(axis=1, keepdims=True)


# Constructor arguments, number of columns and rows, the function, what is broken, and what is kept.
PLANTED = {
    "two directions": ({"degree": 2}, 6, 40, lambda x: (x[:, 0] + x[:, 1]) ** 2 + x[:, 2], 2, "R^4"),
    "round in x and y": (
        {"action": er.actions.rotation(3), "degree": 4},
        3,
        45,
        lambda x: x[:, 2] + (x[:, 0] ** 2 + x[:, 1] ** 2) ** 2,
        2,
        "so(2)",
    ),
    "round": ({"action": er.groups.SO(3), "degree": 4}, 3, 45, lambda x: 1 - (x**2).sum(axis=1) ** 2, 0, "so(3)"),
    "a spiral": ({"action": er.actions.affine(2), "kind": "vector", "degree": 3}, 2, 45, spiral, 5, "so(2)"),
    "two outputs": (
        {"degree": 2},
        4,
        30,
        lambda x: np.stack([x[:, 0] ** 2, x[:, 0] - x[:, 1]], axis=1),
        2,
        "R^2",
    ),
    "a turn and a shrinking": (
        {"action": er.actions.rotation(2), "kind": "map", "degree": 3},
        2,
        30,
        lambda x: x + 0.2 * spiral(x),
        0,
        "so(2)",
    ),
}


def planted(name):
    arguments, d, n, f, rank, kept = PLANTED[name]
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (n, d))
    y = f(x)
    return arguments, x, y + 0.03 * y.std() * rng.normal(size=y.shape), f, rank, kept


@pytest.mark.parametrize("name", PLANTED)
def test_planted_symmetries_are_found_and_named(name):
    arguments, x, y, f, rank, kept = planted(name)
    model = SymmetryPromotingRegressor(**arguments, cv=5).fit(x, y)
    assert model.broken_rank_ == rank
    assert model.symmetry_.name.startswith(kept)
    new = np.random.default_rng(1).uniform(-1, 1, (400, x.shape[1]))
    free = {k: v for k, v in arguments.items() if k == "degree"}
    plain = EquivariantRegressor(**free).fit(x, y)
    errors = [np.linalg.norm(m.predict(new) - f(new)) for m in (model, plain)]
    assert errors[0] < errors[1]


def test_it_is_its_own_field():
    arguments, x, y, *_ = planted("round in x and y")
    model = SymmetryPromotingRegressor(**arguments, lams=FEW, cv=3).fit(x, y)
    assert isinstance(er.as_field(model), PolynomialField)
    assert np.allclose(er.as_field(model).value(x)[:, 0], model.predict(x))


def test_the_refit_is_enforced_least_squares():
    """With the found symmetry enforced beforehand, plain least squares gives the same function."""
    arguments, x, y, *_ = planted("round in x and y")
    model = SymmetryPromotingRegressor(**arguments, cv=5).fit(x, y)
    enforced = EquivariantRegressor(model.symmetry_, degree=4).fit(x, y)
    mine, other = (np.mean((m.predict(x) - y) ** 2) for m in (model, enforced))
    assert mine == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize("shift, lift", [(0.0, 100.0), (300.0, 0.0), (1e5, -7.0)])
def test_where_zero_is_does_not_matter(shift, lift):
    """Kelvin, years and pressures: the same rank, algebra and predictions."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (40, 3))
    z = (x[:, 0] + x[:, 1]) / np.sqrt(2)
    y = 1 + z + z**2 + 0.05 * rng.normal(size=40)
    models = [SymmetryPromotingRegressor(cv=4).fit(x + a, y + b) for a, b in ((0.0, 0.0), (shift, lift))]
    assert [m.broken_rank_ for m in models] == [1, 1]
    assert [m.symmetry_.name for m in models] == ["R^2", "R^2"]
    assert all(m.symmetry_.decided for m in models)
    assert np.allclose(models[0].predict(x), models[1].predict(x + shift) - lift, atol=1e-4)
    assert models[1].selected_.penalty.broken_rank(models[1].coef_, tolerance=1e-4) == 1


def test_vectors_are_centred_with_their_points():
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (45, 2))
    y = spiral(x) + 0.01 * rng.normal(size=x.shape)
    model = SymmetryPromotingRegressor(er.actions.affine(2), kind="vector", degree=3, cv=5).fit(x + 30, y)
    assert (model.broken_rank_, model.symmetry_.name) == (5, "so(2)")
    new = rng.uniform(-1, 1, (100, 2))
    assert np.abs(model.predict(new + 30) - spiral(new)).max() < 0.05
    assert np.allclose(model.field_.value(new + 30), model.predict(new + 30))


def test_columns_that_repeat_or_stay():
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (40, 2))
    y = x[:, 0] ** 2 + 0.02 * rng.normal(size=40)
    model = SymmetryPromotingRegressor(cv=4).fit(np.c_[x, x[:, 0], np.full(40, 7.0)], y)
    assert model.symmetry_.dim == model.kept_.shape[1] == 4 - model.broken_rank_
    assert SymmetryPromotingRegressor(degree=0, cv=4).fit(x, y).predict(x[:1])[0] == pytest.approx(y.mean())


def test_units_of_columns_do_not_matter():
    rng = np.random.default_rng(3)
    x, units = rng.uniform(-1, 1, (30, 4)), np.array([1e-3, 1.0, 40.0, 1e4])
    y = (x[:, 0] - x[:, 1]) ** 2 + 0.05 * rng.normal(size=30)
    models = [SymmetryPromotingRegressor(cv=4).fit(x * u, y) for u in (1.0, units)]
    assert [m.broken_rank_ for m in models] == [1, 1]
    assert np.allclose(models[0].predict(x), models[1].predict(x * units), atol=1e-5)


def test_without_symmetry_it_is_least_squares():
    """All inputs matter in all ways: nothing is kept, and almost nothing is lost."""
    ratios = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        family = er.fields.Polynomial(degree=2, dim=4).as_field()
        field = family.with_theta(rng.normal(size=15))
        x, new = rng.uniform(-1, 1, (30, 4)), rng.uniform(-1, 1, (300, 4))
        y = field.value(x)[:, 0] + 0.05 * rng.normal(size=30)
        models = SymmetryPromotingRegressor(cv=4).fit(x, y), EquivariantRegressor().fit(x, y)
        errors = [np.linalg.norm(m.predict(new) - field.value(new)[:, 0]) for m in models]
        ratios.append(errors[0] / errors[1])
    assert np.median(ratios) < 1.05


def test_a_library_that_is_no_polynomial_is_sampled_in_the_box_of_the_data():
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 1, (40, 2))
    y = np.sin(2 * np.pi * x[:, 0]) + 0.02 * rng.normal(size=40)
    model = SymmetryPromotingRegressor(library=Fourier((1.0, 1.0), 1), cv=4).fit(x, y)
    assert model.broken_rank_ == 1
    assert np.abs(model.kept_[0, 0]) < 0.05 * np.abs(model.kept_[1, 0])


def test_names_splits_and_clones():
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.uniform(-1, 1, (40, 3)), columns=["u", "v", "w"])
    y = 2 * table["u"] ** 2 + 0.01 * rng.normal(size=40)
    groups = np.arange(40) // 4
    splits = list(GroupKFold(5).split(table, groups=groups))
    model = clone(SymmetryPromotingRegressor(cv=splits)).fit(table, y)
    assert model.equations(digits=1).startswith("f = ") and "u^2" in model.equations(digits=1)
    assert model.lams_.shape == model.cv_errors_.shape == (21,)
    assert model.coef_.shape == (10,)
    assert "broken" in model.selected_.reason


def test_without_debiasing_coefficients_are_shrunk():
    arguments, x, y, *_ = planted("round in x and y")
    models = [SymmetryPromotingRegressor(**arguments, cv=4, debias=b).fit(x, y) for b in (True, False)]
    prices = [m.selected_.penalty.value(m.coef_) for m in models]
    assert not models[1].selected_.refitted
    assert prices[1] < prices[0]


REFUSED = {
    "penalty": ({"penalty": "nuclaer"}, "kind='nuclear'"),
    "weights": ({"lams": [-1.0]}, "lam = -1"),
    "l1": ({"l1": -1}, "l1=-1"),
    "degree": ({"degree": 1.5}, "degree=1.5"),
    "another dimension": ({"action": er.actions.rotation(2)}, "an action on R\\^2"),
    "a kind of output": ({"action": er.actions.rotation(3), "kind": "vector"}, "kind='vector'"),
    "inner": ({"inner": "sped"}, "speed"),
    "folds": ({"cv": 1000}, "n_splits=1000"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_requests_that_make_no_sense(case):
    arguments, words = REFUSED[case]
    x = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match=words):
        SymmetryPromotingRegressor(**arguments).fit(x, x[:, 0])
