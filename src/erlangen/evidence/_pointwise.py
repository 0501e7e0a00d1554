"""Pointwise claims about a model: a quantile of its defect, and the share of the region that exceeds a tolerance.

Both hold in finite samples whatever the distribution; they are about a new point of the region, not about a mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.derivative import LieDerivative, Samples, Scales, scales_of
from erlangen.evidence._arguments import count_of, generator_of
from erlangen.evidence.certificate import Bound
from erlangen.evidence.model_claims import draw, finite_residual
from erlangen.fields import AbstractField, as_field
from erlangen.verbs._measure import coefficients_of

POINTS = 2000
"""Fresh points where the caller does not say how many."""


@dataclass(frozen=True)
class Conformal(AbstractShown):
    """What a new point of the region will show.

    Attributes
    ----------
    quantile : float
        Relative defect at a point that is exceeded at a new one with probability at most ``alpha``.
    alpha : float
        That probability.
    n : int
        Points behind it.
    """

    quantile: float
    alpha: float
    n: int

    def __str__(self) -> str:
        sure = f"{100 * (1 - self.alpha):g} %"
        return (
            f"At a new point of the region the model's relative defect is at most {self.quantile:.3g} with probability "
            f"{sure} ({self.n} points, any distribution)"
        )


@dataclass(frozen=True)
class Share(AbstractShown):
    """The share of a region in which a defect exceeds a tolerance.

    Attributes
    ----------
    tau : float
        The tolerance.
    count, n : int
        Fresh points that exceed it, of how many.
    low, high : float
        Exact two-sided limits (Clopper and Pearson) at level alpha.
    alpha : float
        Error probability of both limits together.
    """

    tau: float
    count: int
    n: int
    low: float
    high: float
    alpha: float

    def __str__(self) -> str:
        return (
            f"The model's relative defect exceeds {self.tau:g} on between {100 * self.low:.3g} % and "
            f"{100 * self.high:.3g} % of the region ({self.count} of {self.n} points, {100 * (1 - self.alpha):g} %)"
        )


def conformal(
    field: Any,
    generator: AbstractAction | ArrayLike,
    samples: Samples | NDArray,
    *,
    action: AbstractAction | None = None,
    alpha: float = 0.05,
    n: int = POINTS,
    time_step: float | None = None,
    kind: str | None = None,
    rng: int | np.random.Generator = 0,
) -> Conformal:
    """Bound the relative defect of a model at a new point of the region, in finite samples.

    With s_i the defect at n independent points, relative to the root mean square of what an unrelated direction
    gives (over other points), the k-th smallest, ``k = ceil((1 - alpha)(n + 1))``, is exceeded at a new point with
    probability at most alpha.

    Parameters
    ----------
    field : AbstractField or anything that ``as_field`` accepts
        The model.
    generator : AbstractAction or array (p,)
        An action of one generator, or coefficients over ``action``; named beforehand or chosen at other points.
    samples : Samples or ndarray (n, d)
        The region.
    action : AbstractAction, optional
        Candidates that coefficients refer to.
    alpha : float
        Probability that a new point exceeds the bound.
    n : int
        Fresh points.
    time_step : float, optional
        Move points for this time in place of the Lie derivative.
    kind : {"invariant", "vector", "map"}, optional
        How values follow points.
    rng : int or numpy.random.Generator
        Draws the points.

    Returns
    -------
    Conformal
        The bound, and what it was made of.

    Raises
    ------
    UndecidedError
        When there are too few points for alpha, or the field does not vary along the generator.

    References
    ----------
    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005), chapter 2.

    Examples
    --------
    >>> from erlangen.actions import rotation
    >>> found = conformal(lambda x: x[:, 0] ** 2 + 1.1 * x[:, 1] ** 2, rotation(2), Samples.box(-1, 1, dim=2))
    >>> 0.05 < found.quantile < 0.2
    True
    """
    scores = pointwise(field, generator, samples, action, n, time_step, kind, rng)
    k = ceil((1 - alpha) * (len(scores) + 1))
    if k > len(scores):
        raise UndecidedError(
            explain(
                "There are too few points for so small an error probability.",
                given=f"{len(scores)} points, alpha = {alpha:g}",
                expected=f"at least {ceil(1 / alpha) - 1} points",
                fix=f"n={ceil(2 / alpha)}",
            )
        )
    return Conformal(float(np.sort(scores)[k - 1]), alpha, len(scores))


def violating_share(
    field: Any,
    generator: AbstractAction | ArrayLike,
    samples: Samples | NDArray,
    tau: float,
    *,
    action: AbstractAction | None = None,
    alpha: float = 0.05,
    n: int = POINTS,
    time_step: float | None = None,
    kind: str | None = None,
    rng: int | np.random.Generator = 0,
) -> Share:
    """Share of the region in which the relative defect of a model exceeds ``tau``, with exact limits.

    Parameters are those of `conformal`, beside the tolerance ``tau``.

    Parameters
    ----------
    field : AbstractField or anything that ``as_field`` accepts
        The model.
    generator : AbstractAction or array (p,)
        An action of one generator, or coefficients over ``action``; named beforehand or chosen at other points.
    samples : Samples or ndarray (n, d)
        The region.
    tau : float
        Relative defect beyond which a point counts.
    action : AbstractAction, optional
        Candidates that coefficients refer to.
    alpha : float
        Probability that the limits miss the share.
    n : int
        Fresh points.
    time_step : float, optional
        Move points for this time in place of the Lie derivative.
    kind : {"invariant", "vector", "map"}, optional
        How values follow points.
    rng : int or numpy.random.Generator
        Draws the points.

    Returns
    -------
    Share
        The share, and its limits.

    Raises
    ------
    UndecidedError
        When the field does not vary along the generator.

    References
    ----------
    Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934).

    Examples
    --------
    >>> from erlangen.actions import rotation
    >>> found = violating_share(lambda x: (x**2).sum(axis=1), rotation(2), Samples.box(-1, 1, dim=2), 0.01)
    >>> found.count, round(found.high, 4)
    (0, 0.0018)
    """
    scores = pointwise(field, generator, samples, action, n, time_step, kind, rng)
    count, m = int(np.sum(scores > tau)), len(scores)
    low = float(stats.beta.ppf(alpha / 2, count, m - count + 1)) if count else 0.0
    high = float(stats.beta.ppf(1 - alpha / 2, count + 1, m - count)) if count < m else 1.0
    return Share(tau, count, m, low, high, alpha)


def pointwise(
    field: Any,
    generator: AbstractAction | ArrayLike,
    samples: Samples | NDArray,
    action: AbstractAction | None,
    n: int,
    time_step: float | None,
    kind: str | None,
    rng: int | np.random.Generator,
) -> NDArray:
    """Relative defects ``(n,)`` of a model at fresh points; their unit comes from other points."""
    n, rng = count_of(n), generator_of(rng)
    region = samples if isinstance(samples, Samples) else Samples.from_data(samples)
    model = as_field(field, kind=kind, dim=region.dim, points=region.points)
    one = _one(generator, action)
    first, fresh = draw(region, min(n, POINTS), n, rng)
    lie = LieDerivative(model, one, first)
    scales = scales_of(model, lie.lifted, first)
    unit = _size(model, lie.lifted, first, scales)
    if time_step is None:
        rate = lie.rows(fresh)[:, :, 0]
    else:
        rate = finite_residual(model, lie.lifted, np.ones(1), time_step, fresh)
    return np.linalg.norm(rate / scales.values, axis=1) / unit


def paired_bound(
    first: ArrayLike,
    second: ArrayLike,
    sizes: ArrayLike,
    *,
    alpha: float = 0.05,
    delta: float = 0.05,
) -> Bound:
    """Bound a true relative defect from residuals that were measured twice, with independent noise.

    The product of two independent noisy residuals at one point has the squared true residual as its mean: noise does
    not add to it. So repeated measurements of ``f(g_t x) - T_t f(x)`` certify without any model.

    Parameters
    ----------
    first, second : array (n, c) or (n,)
        Residuals at n independent points of the region, measured twice.
    sizes : array (n,)
        Squared size of what an unrelated direction gives at each point (or an unbiased estimate of it).
    alpha, delta : float
        Error probability and tolerance.

    Returns
    -------
    Bound
        Estimate, upper and lower bound of the relative defect, and the verdict.

    Raises
    ------
    InputError
        Where the shapes do not fit.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(size=(2, 5000))
    >>> paired_bound(noise[0], noise[1], np.full(5000, 400.0), delta=0.05).verdict
    'certified'
    """
    one, two, size = (np.asarray(a, dtype=np.float64) for a in (first, second, sizes))
    one, two = (a.reshape(len(a), -1) for a in (one, two))
    if one.shape != two.shape or size.shape != (len(one),) or len(one) < 2:
        raise InputError(
            explain(
                "The residuals do not pair up.",
                given=f"shapes {one.shape}, {two.shape} and sizes {size.shape}",
                expected="two arrays (n, c) and sizes (n,)",
                fix="paired_bound(first, second, numpy.full(len(first), size))",
            )
        )
    product = np.sum(one * two, axis=1)
    z = float(stats.t.ppf(1 - alpha, len(product) - 1))

    def excess(at: float, side: float) -> float:
        term = product - at**2 * size
        return float(term.mean() + side * z * term.std(ddof=1) / np.sqrt(len(term)))

    high = _crossing(lambda at: excess(at, 1.0))
    low = _crossing(lambda at: excess(at, -1.0)) if excess(0.0, -1.0) > 0 else 0.0
    estimate = float(np.sqrt(max(product.mean(), 0.0) / size.mean()))
    verdict = "certified" if high <= delta else "refuted" if low > delta else "not refuted"
    words = (
        f"products of {len(product)} pairs of independent residuals; the true defect lies in [{low:.2g}, {high:.2g}]"
    )
    return Bound(np.ones(1), "the generator that was moved along", estimate, low, high, verdict, words)


def _crossing(excess: Any) -> float:
    """Smallest number from which an excess that falls with it is not positive."""
    high = 1e-6
    while excess(high) > 0:
        high *= 2
        if high > 1e6:
            return float("inf")
    low = high / 2
    while high - low > 1e-4 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return high


def _one(generator: AbstractAction | ArrayLike, action: AbstractAction | None) -> AbstractAction:
    if isinstance(generator, AbstractAction) and generator.n_generators == 1:
        return generator
    if action is None or isinstance(generator, AbstractAction):
        raise InputError(
            explain(
                "A claim at points is about one generator.",
                given=f"{type(generator).__name__}",
                expected="an action of one generator, or coefficients with the action that they refer to",
                fix="conformal(f, xi, samples, action=er.actions.affine(d))",
            )
        )
    return action.restrict(coefficients_of(action, generator)[:, None])


def _size(field: AbstractField, one: AbstractAction, samples: Samples, scales: Scales) -> float:
    """Root mean square of what an unrelated direction gives."""
    x, w = samples.points, samples.weights
    values, jacobian, velocity = field.value(x), field.jacobian(x), one.on_points(x)[:, 0]
    carried = one.on_values(x, values)[:, 0] / scales.values
    moved = scales.slope(jacobian) ** 2 * np.sum((velocity / scales.points) ** 2, axis=1)
    size = float(np.sqrt(w @ (moved + np.sum(carried**2, axis=1))))
    if size == 0:
        raise UndecidedError("The generator moves nothing that the model could show.")
    return size
