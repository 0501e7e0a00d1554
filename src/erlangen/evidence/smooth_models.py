"""Smooth models that are fitted anew to each fold: networks from a factory, and boosting of smooth ridge functions.

Trees are piecewise constant and have no derivative; boosting does not need trees. Here each round adds one function
tanh(w . z + b), the best of several random ones, with a small weight; at the end all weights are fitted together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._typing import NDArray
from erlangen.evidence._crossfit import Fit
from erlangen.fields import AbstractField
from erlangen.fields._base import EXACT

HELD_OUT = 0.2
"""Share of the rows that say when to stop."""

PATIENCE = 40
"""Rounds without improvement after which fitting stops."""

STEEPEST = 2.0
"""Typical slope of a random ridge function, in units of the spread of the points."""


@dataclass(frozen=True, eq=False)
class RidgeField(AbstractField):
    """A sum of ridge functions ``offset + sum_k a_k tanh(w_k . z + b_k)`` with ``z = (x - centre) / scale``.

    Parameters
    ----------
    centre, scale : ndarray (d,)
        Standardisation of the points.
    directions, shifts : ndarray (k, d), (k,)
        The w and b.
    amplitudes : ndarray (k, c)
        Weights of the functions in each channel.
    offset : ndarray (c,)
        The constant.
    """

    centre: NDArray
    scale: NDArray
    directions: NDArray
    shifts: NDArray
    amplitudes: NDArray
    offset: NDArray

    @property
    def point_dim(self) -> int:
        return len(self.centre)

    @property
    def value_dim(self) -> int:
        return len(self.offset)

    @property
    def accuracy(self) -> float:
        return EXACT

    @property
    def kind(self) -> str:
        return "invariant"

    def value(self, x: NDArray) -> NDArray:
        return self.offset + self._activations(x) @ self.amplitudes

    def jacobian(self, x: NDArray) -> NDArray:
        slopes = (1.0 - self._activations(x) ** 2) @ np.einsum("kc,kd->kcd", self.amplitudes, self.directions).reshape(
            len(self.shifts), -1
        )
        return slopes.reshape(len(x), self.value_dim, self.point_dim) / self.scale

    def _activations(self, x: NDArray) -> NDArray:
        return np.tanh((x - self.centre) / self.scale @ self.directions.T + self.shifts)


def boosted(rounds: int = 200, rate: float = 0.3, candidates: int = 24, rng: int = 0) -> Fit:
    """Gradient boosting of smooth ridge functions, stopped by held-out rows.

    Parameters
    ----------
    rounds : int
        Functions at most.
    rate : float
        Share of each function that is added.
    candidates : int
        Random functions of which each round takes the best.
    rng : int
        Draws them.

    Returns
    -------
    callable
        ``(x, y) -> RidgeField``, for `class_free`.

    References
    ----------
    Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29 (2001).

    Examples
    --------
    >>> x = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    >>> y = np.sin(x[:, :1] + x[:, 1:])
    >>> field = boosted()(x, y)
    >>> bool(np.mean((field.value(x) - y) ** 2) < 0.01 * np.var(y))
    True
    """

    def fit(x: NDArray, y: NDArray) -> RidgeField:
        draws = np.random.default_rng(rng)
        centre, spread = x.mean(axis=0), x.std(axis=0)
        scale, offset = np.where(spread > 0, spread, 1.0), y.mean(axis=0)
        z, rows = (x - centre) / scale, draws.permutation(len(x))
        test, train = rows[: max(1, int(HELD_OUT * len(x)))], rows[max(1, int(HELD_OUT * len(x))) :]
        unit = np.where(y.std(axis=0) > 0, y.std(axis=0), 1.0)
        left, found, best = (y - offset) / unit, [], (np.inf, 0)
        for count in range(1, rounds + 1):
            w, b, a = _round(z, left, train, draws, candidates)
            left = left - rate * np.tanh(z @ w + b)[:, None] * a
            found.append((w, b, rate * a * unit))
            error = float(np.mean(left[test] ** 2))
            best = min(best, (error, count))
            if count - best[1] >= PATIENCE:
                break
        kept = found[: best[1]]
        w, b, a = (np.array([row[k] for row in kept]) for k in range(3))
        a, offset = _refitted(np.tanh(z @ w.T + b), y, train, test, a, offset)
        return RidgeField(centre, scale, w, b, a, offset)

    return fit


def _round(
    z: NDArray, left: NDArray, train: NDArray, rng: np.random.Generator, candidates: int
) -> tuple[NDArray, float, NDArray]:
    """The best of some random ridge functions for what is left, with its amplitudes by least squares."""
    w = (
        STEEPEST
        * rng.standard_normal((candidates, z.shape[1]))
        / np.sqrt(z.shape[1])
        * rng.uniform(0, 1, (candidates, 1))
    )
    b = -np.sum(w * z[rng.choice(train, candidates)], axis=1)
    h = np.tanh(z[train] @ w.T + b)
    norms = np.maximum(np.sum(h**2, axis=0), np.finfo(float).tiny)
    products = h.T @ left[train]
    k = int(np.argmax(np.sum(products**2, axis=1) / norms))
    return w[k], float(b[k]), products[k] / norms[k]


def _refitted(
    h: NDArray, y: NDArray, train: NDArray, test: NDArray, a: NDArray, offset: NDArray
) -> tuple[NDArray, NDArray]:
    """All amplitudes together by ridge regression, with the weight that held-out rows prefer."""
    mean, target = h[train].mean(axis=0), y[train].mean(axis=0)
    u, s, vt = np.linalg.svd(h[train] - mean, full_matrices=False)
    projected = u.T @ (y[train] - target)
    best = (float(np.mean((y[test] - offset - h[test] @ a) ** 2)), a, offset)
    for weight in np.geomspace(1e-8, 1.0, 17) * s[0] ** 2:
        found = vt.T @ (projected * (s / (s**2 + weight))[:, None])
        shift = target - mean @ found
        error = float(np.mean((y[test] - shift - h[test] @ found) ** 2))
        best = min(best, (error, found, shift), key=lambda row: row[0])
    return best[1], best[2]


def network(factory: Callable[[], Any], *, steps: int = 300, decay: float = 1e-4, seed: int = 0) -> Fit:
    """Train a fresh torch module on each fold: full-batch quasi-Newton steps, stopped by held-out rows.

    Parameters
    ----------
    factory : callable
        Returns a new module that maps ``(n, d)`` to ``(n, c)``; points and values are standardised around it.
    steps : int
        Steps at most.
    decay : float
        Weight of the squared parameters in the loss.
    seed : int
        Seed of the initial parameters.

    Returns
    -------
    callable
        ``(x, y) -> module``, for `class_free`.

    References
    ----------
    D. C. Liu, J. Nocedal, Mathematical Programming 45 (1989) 503 (limited-memory quasi-Newton steps).

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> make = network(lambda: nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)), steps=5)
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> make(x, x**2)(torch.zeros(2, 1, dtype=torch.float64)).shape
    torch.Size([2, 1])
    """

    def fit(x: NDArray, y: NDArray) -> Any:
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            core = factory().to(torch.float64)
        module = _standardised(core, x, y)
        rows = np.random.default_rng(seed).permutation(len(x))
        cut = max(1, int(HELD_OUT * len(x)))
        _train(module, x, y, rows[cut:], rows[:cut], steps, decay)
        return module

    return fit


def _standardised(core: Any, x: NDArray, y: NDArray) -> Any:
    import torch

    def affine(matrix: NDArray, shift: NDArray) -> Any:
        layer = torch.nn.Linear(len(shift), len(shift)).to(torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(matrix))
            layer.bias.copy_(torch.from_numpy(shift))
        return layer.requires_grad_(False)

    sx, sy = (np.where(a.std(axis=0) > 0, a.std(axis=0), 1.0) for a in (x, y))
    first = affine(np.diag(1.0 / sx), -x.mean(axis=0) / sx)
    return torch.nn.Sequential(first, core, affine(np.diag(sy), y.mean(axis=0)))


def _train(module: Any, x: NDArray, y: NDArray, train: NDArray, test: NDArray, steps: int, decay: float) -> None:
    import torch

    learned = [p for p in module.parameters() if p.requires_grad]
    points, values = torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.ascontiguousarray(y))
    unit = float(np.mean(np.var(y, axis=0))) or 1.0
    solver = torch.optim.LBFGS(learned, max_iter=10, history_size=20, line_search_fn="strong_wolfe")

    def loss(rows: NDArray) -> Any:
        return torch.mean((module(points[rows]).reshape(len(rows), -1) - values[rows]) ** 2) / unit

    def closure() -> Any:
        solver.zero_grad()
        total = loss(train) + decay * sum(torch.sum(p**2) for p in learned)
        total.backward()
        return total

    best, kept, stale = float("inf"), None, 0
    for _ in range(max(1, steps // 10)):
        solver.step(closure)
        with torch.no_grad():
            error = float(loss(test))
        stale = 0 if error < best else stale + 1
        if error < best:
            best, kept = error, [p.detach().clone() for p in learned]
        if stale >= max(1, PATIENCE // 10):
            break
    if kept is not None:
        with torch.no_grad():
            for p, saved in zip(learned, kept):
                p.copy_(saved)
