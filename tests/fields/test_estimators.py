"""Fitted scikit-learn estimators: analytic where known, measured otherwise, refused where there is no derivative."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier, VotingRegressor
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeRegressor

from erlangen._errors import InputError
from erlangen.fields import CallableField, PolynomialField, as_field
from erlangen.fields._chain import ChainField
from erlangen.testing import check_field

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = (X**2).sum(axis=1) + X[:, 0]
TWO, THREE = (Y > 2.5).astype(int), np.digitize(Y, [2.0, 4.0])
POINTS = RNG.normal(size=(12, 3))


def mlp(kind=MLPRegressor, **options):
    return kind(hidden_layer_sizes=(8, 8), max_iter=30, random_state=0, **options)


# name: estimator, target, the kind of field it should become
ESTIMATORS = {
    "linear": (LinearRegression(), Y, PolynomialField),
    "two targets": (LinearRegression(), np.c_[Y, X], PolynomialField),
    "polynomial": (make_pipeline(PolynomialFeatures(3), Ridge(1e-3)), Y, PolynomialField),
    "scaled polynomial": (make_pipeline(StandardScaler(), PolynomialFeatures(2), Lasso(1e-3)), Y, ChainField),
    "components": (make_pipeline(PCA(2, whiten=True), MinMaxScaler(), PolynomialFeatures(2), Ridge()), Y, ChainField),
    "tanh": (mlp(activation="tanh"), Y, ChainField),
    "relu": (mlp(), Y, ChainField),
    "identity": (mlp(activation="identity"), np.c_[Y, Y**2], ChainField),
    "scaled target": (
        TransformedTargetRegressor(
            make_pipeline(RobustScaler(), mlp(activation="logistic")), transformer=StandardScaler()
        ),
        Y,
        ChainField,
    ),
    "log target": (
        TransformedTargetRegressor(LinearRegression(), func=np.arctan, inverse_func=np.tan),
        Y,
        CallableField,
    ),
    "Gaussian process": (GaussianProcessRegressor(RBF() + WhiteKernel(0.1), normalize_y=True), Y, CallableField),
    "Matern": (GaussianProcessRegressor(Matern(nu=2.5), optimizer=None), Y, CallableField),
    "kernel ridge": (KernelRidge(kernel="rbf", gamma=0.3), Y, CallableField),
    "support vectors": (make_pipeline(StandardScaler(), SVR()), Y, CallableField),
    "Poisson": (PoissonRegressor(), Y - Y.min(), CallableField),
    "logistic regression": (LogisticRegression(), TWO, ChainField),
    "three classes": (LogisticRegression(), THREE, ChainField),
    "support vector classes": (SVC(), TWO, CallableField),
    "perceptron classes": (mlp(MLPClassifier), TWO, ChainField),
    "perceptron, three classes": (mlp(MLPClassifier, activation="tanh"), THREE, ChainField),
    "Gaussian process classes": (GaussianProcessClassifier(optimizer=None), TWO, CallableField),
}


def fitted(estimator, target, table=X):
    stream = np.random.get_state()  # noqa: NPY002 (some fits draw from the global stream and cannot be told not to)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short fits do not converge, which is no matter here
        model = estimator.fit(table, target)
    np.random.set_state(stream)  # noqa: NPY002
    return model


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_are_differentiated_within_the_accuracy_they_state(name):
    estimator, target, kind = ESTIMATORS[name]
    field = as_field(fitted(estimator, target), "invariant", dim=3)
    assert isinstance(field, kind)
    assert field.accuracy <= 1e-7
    check_field(field, POINTS)


def test_values_are_the_predictions_and_log_odds_of_the_model():
    model = fitted(mlp(activation="tanh"), Y)
    assert np.allclose(as_field(model).value(POINTS)[:, 0], model.predict(POINTS), rtol=1e-12)
    classes = fitted(mlp(MLPClassifier), TWO)
    p = classes.predict_proba(POINTS)
    assert np.allclose(as_field(classes).value(POINTS)[:, 0], np.log(p[:, 1] / p[:, 0]))
    process = fitted(GaussianProcessClassifier(optimizer=None), TWO)
    p = process.predict_proba(POINTS)
    assert np.allclose(as_field(process).value(POINTS)[:, 0], np.log(p[:, 1] / p[:, 0]))


def test_a_polynomial_pipeline_recovers_its_polynomial():
    model = fitted(make_pipeline(PolynomialFeatures(2), LinearRegression()), Y)
    field = as_field(model)
    found = {tuple(e): c for e, c in zip(field.table.tolist(), field.coefficients[0], strict=True) if abs(c) > 1e-9}
    assert found == pytest.approx({(1, 0, 0): 1.0, (2, 0, 0): 1.0, (0, 2, 0): 1.0, (0, 0, 2): 1.0})


@pytest.mark.filterwarnings("error")
def test_models_of_named_columns_are_asked_by_name():
    model = fitted(KernelRidge(kernel="rbf"), Y, pd.DataFrame(X, columns=["a", "b", "c"]))
    assert as_field(model).point_dim == 3


REFUSED = {
    "tree": (DecisionTreeRegressor(), Y, "DecisionTreeRegressor is piecewise constant"),
    "forest": (RandomForestClassifier(5), TWO, "RandomForestClassifier is piecewise constant"),
    "boosting": (HistGradientBoostingRegressor(max_iter=5), Y, "HistGradientBoosting.* is piecewise constant"),
    "neighbours in a pipeline": (
        make_pipeline(StandardScaler(), KNeighborsRegressor()),
        Y,
        "KNeighborsRegressor inside",
    ),
    "tree in a vote": (
        VotingRegressor([("a", LinearRegression()), ("b", DecisionTreeRegressor())]),
        Y,
        "DecisionTreeRegressor inside",
    ),
    "transformer": (PCA(2), Y, "predicts nothing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_estimators_without_a_derivative_are_refused_with_an_alternative(name):
    estimator, target, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        as_field(fitted(estimator, target))


def test_a_tree_behind_a_function_is_seen_too():
    model = fitted(DecisionTreeRegressor(), Y)
    with pytest.raises(InputError, match="piecewise constant|no derivative that can be measured"):
        as_field(model.predict, dim=3)


def test_an_estimator_that_is_not_fitted_is_refused():
    with pytest.raises(InputError, match="not fitted"):
        as_field(Ridge())
