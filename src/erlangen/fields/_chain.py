"""Chains of known steps of scikit-learn with their derivatives: scalers, features, linear models, perceptrons."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler

from erlangen._typing import NDArray
from erlangen.fields._base import EXACT, AbstractField
from erlangen.linalg.polynomials import monomial_gradients, monomials


class AbstractStep(ABC):
    """A smooth function whose Jacobian acts on Jacobians."""

    @abstractmethod
    def value(self, z: NDArray) -> NDArray:
        """Outputs ``(n, b)`` of inputs ``z (n, a)``."""

    @abstractmethod
    def push(self, z: NDArray, jacobian: NDArray) -> NDArray:
        """Jacobians ``(n, b, d)`` of the output from those ``(n, a, d)`` of the input ``z (n, a)``."""


@dataclass(frozen=True, eq=False)
class Affine(AbstractStep):
    """Outputs ``A z + b`` with ``A (b, a)``."""

    matrix: NDArray
    shift: NDArray

    def value(self, z: NDArray) -> NDArray:
        """Outputs."""
        return z @ self.matrix.T + self.shift

    def push(self, z: NDArray, jacobian: NDArray) -> NDArray:
        """Jacobians."""
        return self.matrix @ jacobian


@dataclass(frozen=True, eq=False)
class Powers(AbstractStep):
    """Monomials with a table of exponents ``(b, a)``."""

    table: NDArray

    def value(self, z: NDArray) -> NDArray:
        """Outputs."""
        return monomials(z, self.table)

    def push(self, z: NDArray, jacobian: NDArray) -> NDArray:
        """Jacobians."""
        return monomial_gradients(z, self.table) @ jacobian


@dataclass(frozen=True, eq=False)
class Elementwise(AbstractStep):
    """One function of each entry, and its derivative."""

    function: Callable[[NDArray], NDArray]
    slope: Callable[[NDArray], NDArray]

    def value(self, z: NDArray) -> NDArray:
        """Outputs."""
        return self.function(z)

    def push(self, z: NDArray, jacobian: NDArray) -> NDArray:
        """Jacobians."""
        return self.slope(z)[:, :, None] * jacobian


@dataclass(frozen=True, eq=False)
class Centre(AbstractStep):
    """Outputs less their mean: logits of several classes, of which only differences matter."""

    def value(self, z: NDArray) -> NDArray:
        """Outputs."""
        return z - z.mean(axis=1, keepdims=True)

    def push(self, z: NDArray, jacobian: NDArray) -> NDArray:
        """Jacobians."""
        return jacobian - jacobian.mean(axis=1, keepdims=True)


ACTIVATIONS = {
    "tanh": Elementwise(np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
    "logistic": Elementwise(expit, lambda z: expit(z) * expit(-z)),
    "relu": Elementwise(lambda z: np.maximum(z, 0.0), lambda z: (z > 0).astype(np.float64)),
    "exp": Elementwise(np.exp, np.exp),
}


@dataclass(frozen=True, eq=False)
class Chain:
    """Steps one after the other."""

    steps: tuple[AbstractStep, ...]

    def output(self, x: NDArray) -> NDArray:
        """Values ``(n, c)``."""
        for step in self.steps:
            x = step.value(x)
        return x

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        out = np.broadcast_to(np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))
        for step in self.steps:
            out, x = step.push(x, out), step.value(x)
        return out


@dataclass(frozen=True, eq=False)
class ChainField(AbstractField):
    """A fitted model as a chain of steps, differentiated by the chain rule.

    Parameters
    ----------
    chain : Chain
        The steps.
    dim : int
        Number d of coordinates.
    channels : int
        Number c of value channels.
    """

    chain: Chain
    dim: int
    channels: int

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.dim

    @property
    def value_dim(self) -> int:
        """Number c of value channels."""
        return self.channels

    @property
    def accuracy(self) -> float:
        """Rounding: the derivative is that of the fitted model, exactly."""
        return EXACT

    @property
    def kind(self) -> str:
        """Plain values."""
        return "invariant"

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)``."""
        return self.chain.output(x)

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        return self.chain.jacobian(x)


def chain_of(estimator: Any) -> Chain | None:
    """The steps of an estimator, or None where one of them is not known."""
    steps = steps_of(estimator)
    return None if steps is None else Chain(tuple(steps))


@singledispatch
def steps_of(estimator: Any) -> list[AbstractStep] | None:
    """Steps of one estimator; register another type to have it differentiated analytically."""
    return None


@steps_of.register
def _(estimator: Pipeline) -> list[AbstractStep] | None:
    parts = [steps_of(part) for _, part in estimator.steps if part not in (None, "passthrough")]
    known = [steps for steps in parts if steps is not None]
    return [step for steps in known for step in steps] if len(known) == len(parts) else None


@steps_of.register
def _(estimator: TransformedTargetRegressor) -> list[AbstractStep] | None:
    inner = steps_of(estimator.regressor_)
    scaler = steps_of(estimator.transformer_)
    if inner is None or scaler is None or not all(isinstance(s, Affine) for s in scaler):
        return None
    for step in reversed(scaler):
        assert isinstance(step, Affine)
        inverse = np.linalg.inv(step.matrix)
        inner = [*inner, Affine(inverse, -inverse @ step.shift)]
    return inner


@steps_of.register
def _(estimator: StandardScaler) -> list[AbstractStep]:
    d = estimator.n_features_in_
    scale = np.ones(d) if estimator.scale_ is None else estimator.scale_
    mean = np.zeros(d) if estimator.mean_ is None or not estimator.with_mean else estimator.mean_
    return [Affine(np.diag(1.0 / scale), -mean / scale)]


@steps_of.register
def _(estimator: RobustScaler) -> list[AbstractStep]:
    d = estimator.n_features_in_
    scale = np.ones(d) if estimator.scale_ is None else estimator.scale_
    centre = np.zeros(d) if estimator.center_ is None else estimator.center_
    return [Affine(np.diag(1.0 / scale), -centre / scale)]


@steps_of.register
def _(estimator: MinMaxScaler) -> list[AbstractStep] | None:
    return None if estimator.clip else [Affine(np.diag(estimator.scale_), estimator.min_)]


@steps_of.register
def _(estimator: MaxAbsScaler) -> list[AbstractStep]:
    return [Affine(np.diag(1.0 / estimator.scale_), np.zeros(len(estimator.scale_)))]


@steps_of.register
def _(estimator: PCA) -> list[AbstractStep]:
    size = np.sqrt(estimator.explained_variance_)[:, None] if estimator.whiten else 1.0
    matrix = estimator.components_ / size
    return [Affine(matrix, -matrix @ estimator.mean_)]


@steps_of.register
def _(estimator: PolynomialFeatures) -> list[AbstractStep]:
    return [Powers(estimator.powers_.astype(np.int64))]


@steps_of.register(LinearClassifierMixin)
@steps_of.register(LinearModel)
def _(estimator: Any) -> list[AbstractStep] | None:
    if not hasattr(estimator, "coef_"):
        return None
    coef = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    return [Affine(coef, np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), (len(coef),)))]


@steps_of.register(MLPRegressor)
@steps_of.register(MLPClassifier)
def _(estimator: Any) -> list[AbstractStep] | None:
    steps: list[AbstractStep] = []
    for a, b in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        steps.append(Affine(np.asarray(a, dtype=np.float64).T, np.asarray(b, dtype=np.float64)))
        if estimator.activation != "identity":
            steps.append(ACTIVATIONS[estimator.activation])
    if estimator.activation != "identity":
        steps.pop()
    last = estimator.out_activation_
    if isinstance(estimator, MLPClassifier):  # read before the link, as log-odds
        return [*steps, Centre()] if last == "softmax" else steps if len(estimator.classes_) == 2 else None
    return steps if last == "identity" else [*steps, ACTIVATIONS[last]] if last in ACTIVATIONS else None
