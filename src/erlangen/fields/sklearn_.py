"""Fitted scikit-learn estimators as fields: analytic where the estimator is a chain of known steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model._base import LinearModel
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.validation import check_is_fitted

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.fields._base import AbstractField
from erlangen.fields._chain import ChainField, chain_of
from erlangen.fields._derivatives import measured_differences
from erlangen.fields._probes import finite_rows, same_again
from erlangen.fields.as_field import Request, finish, register
from erlangen.fields.callable import CallableField
from erlangen.fields.polynomial import PolynomialField
from erlangen.fields.wrappers import of_kind
from erlangen.linalg.polynomials import collect

STEPS = ("DecisionTree", "ExtraTree", "RandomForest", "GradientBoosting", "AdaBoost", "KNeighbors", "RadiusNeighbors")
"""Beginnings of the names of estimators whose answers are piecewise constant."""


def estimator_field(estimator: Any, request: Request) -> AbstractField:
    """Turn a fitted estimator into a field.

    Linear models, also on polynomial features, become polynomials. Chains of scalers, principal components,
    polynomial features, linear models and perceptrons are differentiated analytically, everything else by central
    differences with a measured error. A classifier is read by its decision function, else by its log-odds.

    Parameters
    ----------
    estimator : sklearn.base.BaseEstimator
        A fitted regressor, classifier or pipeline.
    request : Request
        What the caller of `as_field` said.

    Raises
    ------
    InputError
        Where it is not fitted, predicts nothing, or is piecewise constant.
    """
    _check_fitted(estimator)
    _refuse_steps(estimator)
    d = int(getattr(estimator, "n_features_in_", 0) or request.dim or 0)
    if d == 0:
        raise InputError(_no_dimension(estimator))
    predict = predictor(estimator)
    probes = request.probes(d)
    polynomial = _polynomial(estimator)
    if polynomial is not None and _agrees(polynomial.value, predict, probes):
        return of_kind(polynomial, request.kind, probes)
    chain = chain_of(estimator)
    if chain is not None:
        field = ChainField(chain, d, int(chain.output(probes[:1]).shape[1]))
        if _agrees(field.value, predict, probes):
            return finish(field, request)
    return finish(_numerical(predict, d, probes, request.accuracy), request)


def predictor(estimator: Any) -> Callable[[NDArray], NDArray]:
    """Smooth values ``(n, c)`` of an estimator: predictions, decision function, or log-odds."""
    names = getattr(estimator, "feature_names_in_", None)

    def columns(x: NDArray) -> Any:
        return x if names is None else pd.DataFrame(x, columns=names)

    if not hasattr(estimator, "classes_"):
        return lambda x: np.asarray(estimator.predict(columns(x))).reshape(len(x), -1)
    if hasattr(estimator, "decision_function"):
        return lambda x: np.asarray(estimator.decision_function(columns(x))).reshape(len(x), -1)
    return lambda x: log_odds(np.asarray(estimator.predict_proba(columns(x))))


def log_odds(p: NDArray) -> NDArray:
    """Log-odds ``(n, 1)`` of two classes, or centred logarithms ``(n, c)`` of more."""
    with np.errstate(divide="ignore"):
        logs = np.log(p)
    return logs[:, 1:] - logs[:, :1] if p.shape[1] == 2 else logs - logs.mean(axis=1, keepdims=True)


def _numerical(predict: Callable, d: int, probes: NDArray, accuracy: float | None) -> CallableField:
    values = predict(probes)
    x = finite_rows(probes, values, "estimator")
    same_again(values, predict(probes))
    resolution = float(np.finfo(values.dtype if values.dtype.kind == "f" else np.float64).eps)
    return CallableField(predict, d, values.shape[1], measured_differences(predict, x, resolution), accuracy)


def _agrees(ours: Callable[[NDArray], NDArray], theirs: Callable[[NDArray], NDArray], x: NDArray) -> bool:
    """Whether our formula of the estimator gives what the estimator gives, up to its own precision."""
    a, b = ours(x), theirs(x)
    if a.shape != b.shape or not np.isfinite(b).all():
        return False
    return bool(np.abs(a - b).max() <= np.sqrt(np.finfo(np.float64).eps) * max(1.0, np.abs(b).max()))


def _polynomial(estimator: Any) -> PolynomialField | None:
    """A linear model, alone or after polynomial features, as a polynomial."""
    parts = [p for _, p in estimator.steps if p not in (None, "passthrough")] if isinstance(estimator, Pipeline) else []
    head = parts[0] if parts else None
    model = parts[-1] if parts else estimator
    if not isinstance(model, LinearModel) or len(parts) > 2 or not hasattr(model, "coef_"):
        return None
    if len(parts) == 2 and not isinstance(head, PolynomialFeatures):
        return None
    coef = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    powers = np.asarray(getattr(head, "powers_", np.eye(coef.shape[1])))
    shift = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64), (len(coef),))[:, None]
    rows = np.vstack([np.zeros((1, powers.shape[1])), powers]).astype(np.int64)
    return PolynomialField(*collect(rows, np.hstack([shift, coef])))


def _check_fitted(estimator: Any) -> None:
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError) as error:
        raise InputError(
            explain(
                "The estimator is not fitted.",
                given=f"{type(estimator).__name__}: {str(error).splitlines()[0]}",
                expected="a fitted regressor, classifier or pipeline",
                fix="estimator.fit(X, y)",
            )
        ) from None
    if not hasattr(estimator, "predict"):
        raise InputError(
            explain(
                "The estimator predicts nothing.",
                given=type(estimator).__name__,
                expected="a regressor, a classifier or a pipeline that ends in one",
                fix="as_field(estimator.transform, dim=d) for a transformer",
            )
        )


def _parts(estimator: Any) -> list[Any]:
    """The estimator and everything fitted inside it."""
    inner = [
        getattr(estimator, name, None) for name in ("regressor_", "estimator_", "best_estimator_", "final_estimator_")
    ]
    many = getattr(estimator, "estimators_", None)
    inner += list(np.ravel(np.asarray(many, dtype=object))) if many is not None else []
    inner += [part for _, part in getattr(estimator, "steps", [])]
    known = [part for part in inner if isinstance(part, BaseEstimator)]
    return [estimator, *(deep for part in known for deep in _parts(part))]


def _refuse_steps(estimator: Any) -> None:
    for part in _parts(estimator):
        name = type(part).__name__.removeprefix("Hist")
        if name.startswith(STEPS) and "TreesEmbedding" not in name and not name.endswith("Transformer"):
            raise InputError(
                explain(
                    f"{type(part).__name__} is piecewise constant: its derivative is zero wherever it exists.",
                    given=type(estimator).__name__
                    + ("" if part is estimator else f" with a {type(part).__name__} inside"),
                    expected="a differentiable model: linear, kernel, Gaussian process, spline or neural",
                    fix="MLPRegressor or GaussianProcessRegressor on the same data, or as_field((X, y)), "
                    "which chooses a smooth model",
                )
            )


def _no_dimension(estimator: Any) -> str:
    return explain(
        "The estimator does not say how many columns it was fitted on.",
        given=type(estimator).__name__,
        expected="the attribute n_features_in_, or dim=d",
        fix="as_field(estimator, dim=3)",
    )


@register
def _(obj: BaseEstimator, request: Request) -> AbstractField:
    return estimator_field(obj, request)
