"""Classes beyond linear parameters: a Gaussian process and a small network, with their own derivatives."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from erlangen._typing import NDArray
from erlangen.fields._base import EXACT, AbstractField
from erlangen.fields._path import Level, Rows

TUNING_ROWS = 300
"""Rows on which the length scales of the Gaussian process are tuned (cubic cost per trial)."""

GP_ROWS = 1500
"""Rows on which it is conditioned."""


@dataclass(frozen=True, eq=False)
class GaussianProcessMean(AbstractField):
    """Posterior mean of a Gaussian process with squared exponential covariance and one length scale per coordinate."""

    centres: NDArray
    lengths: NDArray
    weights: NDArray
    kind: str = "invariant"
    accuracy: float = EXACT

    @property
    def point_dim(self) -> int:
        return self.centres.shape[1]

    @property
    def value_dim(self) -> int:
        return self.weights.shape[1]

    def _kernel(self, x: NDArray) -> NDArray:
        return squared_exponential(x / self.lengths, self.centres / self.lengths)

    def value(self, x: NDArray) -> NDArray:
        return self._kernel(x) @ self.weights

    def jacobian(self, x: NDArray) -> NDArray:
        k = self._kernel(x)
        out = np.empty((len(x), self.value_dim, x.shape[1]))
        for j in range(x.shape[1]):
            moment = k @ (self.weights * self.centres[:, [j]])
            out[:, :, j] = (moment - x[:, [j]] * (k @ self.weights)) / self.lengths[j] ** 2
        return out


def squared_exponential(x: NDArray, y: NDArray) -> NDArray:
    """Covariances exp(-|x - y|^2 / 2), shape ``(n, m)``."""
    squared = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2.0 * x @ y.T
    return np.exp(-0.5 * np.maximum(squared, 0.0))


def fit_gaussian_process(data: Rows, rng: np.random.Generator) -> Level:
    """Tune by marginal likelihood on a few rows, condition on more, leave each row out in closed form."""
    n = len(data.z)
    rows = np.sort(rng.permutation(n)[:GP_ROWS])
    lengths, amplitude, noise = _tune(data, rng.permutation(n)[:TUNING_ROWS])
    z, y = data.z[rows], data.y[rows]
    ratio = max(noise / amplitude, 1e-10)
    k = squared_exponential(z / lengths, z / lengths)
    k[np.diag_indices_from(k)] += ratio
    lower = cholesky(k, lower=True)
    weights = cho_solve((lower, True), y)
    inverse = solve_triangular(lower, np.eye(len(z)), lower=True)
    left_out = weights / (inverse**2).sum(axis=0)[:, None]
    model = GaussianProcessMean(z, lengths, weights)
    # The prior variance of the values, from the fit: y' K^-1 y / n per channel.
    scale = (y * weights).sum(axis=0) / len(z)
    points = data.z[data.probes]
    return Level(
        name=f"Gaussian process on {len(rows)} rows",
        model=model,
        n_params=round(len(z) - ratio * float((inverse**2).sum())),
        held_out=(left_out**2).mean(axis=1),
        rss=((ratio * weights) ** 2).sum(axis=0),
        slopes=model.jacobian(points) @ data.metric,
        slope_variance=float(scale.sum()) * _slope_variance(points, z, lengths, inverse, data.metric),
        slope_scatter=1.0,
        root=None,
        noise=np.diag(scale * ratio),
        rows=rows,
    )


def _slope_variance(points: NDArray, z: NDArray, lengths: NDArray, inverse: NDArray, metric: NDArray) -> float:
    """Posterior variance of the gradient, per unit prior variance, summed over scaled columns, mean over points."""
    k = squared_exponential(points / lengths, z / lengths)
    total = 0.0
    prior = float(((metric / lengths[:, None]) ** 2).sum())
    for column in metric.T:
        along = ((z[None] - points[:, None]) / lengths**2 * column).sum(axis=2) * k
        total += float(((along @ inverse.T) ** 2).sum()) / len(points)
    return max(prior - total, 0.0)


def _tune(data: Rows, rows: NDArray) -> tuple[NDArray, float, float]:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    d = data.z.shape[1]
    kernel = ConstantKernel(1.0, (1e-3, 1e6)) * RBF(np.full(d, 2.0), (1e-2, 1e3)) + WhiteKernel(1e-2, (1e-10, 10.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a bound that is reached is an answer: an inert column, no noise
        fitted = GaussianProcessRegressor(kernel).fit(data.z[rows], data.y[rows]).kernel_
    return np.atleast_1d(fitted.k1.k2.length_scale), float(fitted.k1.k1.constant_value), float(fitted.k2.noise_level)


@dataclass(frozen=True, eq=False)
class TanhNetwork(AbstractField):
    """A fully connected network with tanh units and a linear output."""

    weights: tuple[NDArray, ...]
    biases: tuple[NDArray, ...]
    kind: str = "invariant"
    accuracy: float = EXACT

    @property
    def point_dim(self) -> int:
        return self.weights[0].shape[0]

    @property
    def value_dim(self) -> int:
        return self.weights[-1].shape[1]

    def value(self, x: NDArray) -> NDArray:
        for w, b in zip(self.weights[:-1], self.biases[:-1]):
            x = np.tanh(x @ w + b)
        return x @ self.weights[-1] + self.biases[-1]

    def jacobian(self, x: NDArray) -> NDArray:
        hidden = []
        for w, b in zip(self.weights[:-1], self.biases[:-1]):
            x = np.tanh(x @ w + b)
            hidden.append(1.0 - x**2)
        back = np.broadcast_to(self.weights[-1].T, (len(x), *self.weights[-1].T.shape))
        for w, slope in zip(self.weights[-2::-1], hidden[::-1]):
            back = (back * slope[:, None, :]) @ w.T
        return back


def fit_network(data: Rows, rng: np.random.Generator) -> Level:
    """Train two networks on four fifths of the rows; their disagreement is the error of the derivative."""
    n = len(data.z)
    order = rng.permutation(n)
    test, train = np.sort(order[: n // 5]), order[n // 5 :][:20_000]
    nets = [_train(data.z[train], data.y[train], int(rng.integers(2**31))) for _ in range(2)]
    errors = [((data.y[test] - net.value(data.z[test])) ** 2) for net in nets]
    best = int(errors[1].mean() < errors[0].mean())
    points = data.z[data.probes]
    slopes = [net.jacobian(points) @ data.metric for net in nets]
    model = nets[best]
    return Level(
        name="network 2 x 32 tanh",
        model=model,
        n_params=sum(w.size for w in (*model.weights, *model.biases)),
        held_out=errors[best].mean(axis=1),
        rss=errors[best].sum(axis=0),
        slopes=slopes[best],
        slope_variance=float(((slopes[0] - slopes[1]) ** 2).sum()) / len(points) / 2.0,
        slope_scatter=1.0,
        root=None,
        noise=np.diag(errors[best].mean(axis=0)),
        rows=test,
    )


def _train(z: NDArray, y: NDArray, seed: int) -> TanhNetwork:
    from sklearn.neural_network import MLPRegressor

    net = MLPRegressor(
        hidden_layer_sizes=(32, 32), activation="tanh", solver="lbfgs", alpha=1e-5, max_iter=400, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the number of iterations is the budget, not a target
        net.fit(z, y if y.shape[1] > 1 else y[:, 0])
    return TanhNetwork(tuple(net.coefs_), tuple(net.intercepts_))
