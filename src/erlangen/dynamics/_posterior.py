"""States and derivatives by splines, with noise that may grow with the state, or of its logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.dynamics._estimates import Estimate, split, typical
from erlangen.dynamics._noise import share, variances
from erlangen.dynamics._penalised import Criterion, Fit, Pieces, fitted, scores_on_same_knots

HARDLY = 0.5
"""Width of the smoothing, in samples, below which a spline passes through the data, and stencils are more accurate."""

ROUNDS = 2
"""Times that the spread of the noise is read off residuals, which hardly depend on it."""

TURNS = 0.5
"""Share of the value from which noise turns signs: what it would be in proportion to is no longer seen."""

NAMES: dict[Criterion, str] = {"likelihood": "Gaussian process", "validation": "smoothing spline"}


@dataclass(frozen=True, eq=False)
class Standard:
    """Samples of one coordinate in units of their own: ``y = size * pieces.y + middle``."""

    pieces: Pieces
    middle: NDArray
    size: float

    @classmethod
    def of(cls, times: Sequence[NDArray], y: NDArray) -> Standard | None:
        """Less the mean of each piece, over the standard deviation; None where nothing is left."""
        middle = np.concatenate([np.full(len(part), part.mean()) for part in split(y, times)])
        size = float(np.sqrt(np.mean((y - middle) ** 2)))
        if np.ptp(y) <= 2 * np.finfo(np.float64).eps * np.abs(y).max() or size == 0.0:
            return None
        return cls(Pieces(times, ((y - middle) / size)[:, None]), middle, size)


@dataclass(frozen=True, eq=False)
class Chosen:
    """A fit with the spread of its noise.

    Attributes
    ----------
    data : Standard
        The samples, or their logarithms.
    fit : Fit
        The posterior.
    v : ndarray (n,) or None
        Variances of the noise, of mean one; None where constant.
    squares : ndarray (n,)
        Squares of the values that the variances grow with.
    jacobian : float
        Minus twice the logarithm of the derivative of what is smoothed by the samples, summed.
    """

    data: Standard
    fit: Fit
    v: NDArray | None = None
    squares: NDArray = field(default_factory=lambda: np.empty(0))
    jacobian: float = 0.0

    @property
    def logarithmic(self) -> bool:
        """Whether logarithms were smoothed."""
        return self.jacobian != 0.0

    @property
    def scale(self) -> float:
        """Minus twice the logarithm of the factor from the density of `data` to that of the samples."""
        free = len(self.data.middle) - self.fit.knots.smoothness * len(self.data.pieces.times)
        spread = 0.0 if self.v is None else float(np.sum(np.log(self.v)))
        return 2 * free * float(np.log(self.data.size)) + spread + self.jacobian


def by_splines(
    times: Sequence[NDArray], y: NDArray, smoothness: int, criterion: Criterion, noise: str
) -> list[Estimate]:
    """Posterior means and standard errors of all columns."""
    found = [Standard.of(times, y[:, c]) for c in range(y.shape[1])]
    moving = [data for data in found if data is not None]
    if not moving:
        return [_constant(y[:, c]) for c in range(y.shape[1])]
    # Columns share their knots, so they are fitted side by side.
    fits = iter(fitted(Pieces(times, np.hstack([data.pieces.y for data in moving])), smoothness, criterion))
    out = []
    for c, data in track(enumerate(found), "coordinates smoothed", len(found)):
        if data is None:
            out.append(_constant(y[:, c]))
            continue
        rivals = _rivals(data, next(fits), y[:, c], smoothness, criterion, noise)
        chosen = rivals[_likeliest(rivals, smoothness)]
        out.append(_exponential(chosen, y[:, c], criterion) if chosen.logarithmic else _estimate(chosen, criterion))
    return out


def _rivals(data: Standard, fit: Fit, y: NDArray, smoothness: int, criterion: Criterion, noise: str) -> list[Chosen]:
    """Fits with even noise, with noise that grows with the state, and of the logarithm, where they are in question.

    Noise in proportion to the state is even noise of the logarithm; and what grows or decays exponentially has a
    logarithm that is much smoother than itself.
    """
    first = Chosen(data, fit)
    if noise == "additive" or fit.width < HARDLY * data.pieces.step:  # no noise, so nothing of it grows
        return [first]
    out = _spread(first, smoothness, criterion, noise == "auto")
    same = np.all(y > 0) or np.all(y < 0)
    logarithm = Standard.of(data.pieces.times, np.log(np.abs(y))) if same else None
    if logarithm is not None:
        found = fitted(logarithm.pieces, smoothness, criterion)[0]
        if found.width >= HARDLY * data.pieces.step:
            out.append(Chosen(logarithm, found, jacobian=2 * float(np.sum(np.log(np.abs(y))))))
    return out if noise == "multiplicative" and out else [first, *out]


def _spread(last: Chosen, smoothness: int, criterion: Criterion, mixed: bool) -> list[Chosen]:
    """The fit with weights from its residuals, and again from those of that."""
    out = []
    pieces, size = last.data.pieces, last.data.size
    for _ in range(ROUNDS):
        fit = last.fit
        smooth = fit.knots.values(fit.knots.basis(), fit.coefficients)[:, 0]
        unsure = _endless(last.data, fit, 0) * (1.0 if last.v is None else last.v)
        squares = (smooth + last.data.middle / size) ** 2 + unsure
        v = variances(pieces.y[:, 0] - smooth, squares, mixed)
        if v is None:
            break
        last = Chosen(last.data, fitted(pieces, smoothness, criterion, 1.0 / v[:, None])[0], v, squares)
        if last.fit.noise * share(v, squares) > TURNS:
            break
        out.append(last)
    return out


def _likeliest(rivals: list[Chosen], smoothness: int) -> int:
    """Which of them makes the samples most likely: densities of the samples, with splines on the same knots."""
    if len(rivals) == 1:
        return 0
    cases = [(one.data.pieces, one.fit.width, None if one.v is None else 1.0 / one.v) for one in rivals]
    scores = scores_on_same_knots(cases, smoothness)
    return int(np.argmin([score + one.scale for score, one in zip(scores, rivals, strict=True)]))


def _endless(data: Standard, fit: Fit, order: int) -> float:
    """Posterior variance in an endless run: ``s^2 dt / w^(2 order + 1)`` times an integral over frequencies."""
    m = fit.knots.smoothness
    shape = 1.0 / (2 * m * np.sin(np.pi * (2 * order + 1) / (2 * m)))
    return float(fit.noise**2 * data.pieces.step / fit.width ** (2 * order + 1) * shape)


def _moments(chosen: Chosen) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """States, slopes, and their variances and covariance, in the units of `Standard`."""
    fit, knots, m = chosen.fit, chosen.fit.knots, chosen.fit.knots.smoothness
    # Noise of variance v narrows or widens the average: w^(2m) is in proportion to it.
    wide = 1.0 if chosen.v is None else float(np.max(chosen.v)) ** (1 / (2 * m))
    band = fit.factor.inverse_band(fit.width / knots.spacing * wide)
    basis, slopes = knots.basis(0), knots.basis(1)
    variance, slope_variance, both = (
        fit.noise**2 * knots.covariance(a, b, band) for a, b in ((basis, basis), (slopes, slopes), (basis, slopes))
    )
    # Rounding may leave a variance below zero where the data are followed exactly.
    return (
        knots.values(basis, fit.coefficients)[:, 0],
        knots.values(slopes, fit.coefficients)[:, 0],
        np.maximum(variance, 0.0),
        np.maximum(slope_variance, 0.0),
        both,
    )


def _estimate(chosen: Chosen, criterion: Criterion) -> Estimate:
    data, fit, v = chosen.data, chosen.fit, chosen.v
    states, slopes, variance, slope_variance, _ = _moments(chosen)
    spread = np.ones(len(states)) if v is None else v
    endless = np.sqrt(_endless(data, fit, 1) * spread ** (1 - 3 / (2 * fit.knots.smoothness)))
    errors = np.sqrt(slope_variance)
    return Estimate(
        states=states * data.size + data.middle,
        derivatives=slopes * data.size,
        state_errors=np.sqrt(variance) * data.size,
        derivative_errors=errors * data.size,
        inside=np.maximum(endless, typical(errors, data.pieces.times)) * data.size,
        noise=float(fit.noise * np.sqrt(np.mean(spread)) * data.size),
        relative=0.0 if v is None else fit.noise * share(v, chosen.squares),
        width=fit.width,
        method=NAMES[criterion],
    )


def _exponential(chosen: Chosen, y: NDArray, criterion: Criterion) -> Estimate:
    """Back from the logarithm z: ``x = exp z``, ``x' = x z'``, and their errors to first order."""
    data, fit = chosen.data, chosen.fit
    states, slopes, variance, slope_variance, both = _moments(chosen)
    noise = fit.noise * data.size
    # The mean of the logarithm of 1 + e is below zero by half the variance of e.
    x = np.sign(y) * np.exp(states * data.size + data.middle + noise**2 / 2)
    z = slopes * data.size
    size = np.abs(x) * data.size
    errors = np.sqrt(np.maximum(slope_variance + 2 * z * both + z**2 * variance, 0.0))
    far, near = _endless(data, fit, 1), _endless(data, fit, 0)
    inside = np.sqrt(
        np.maximum(far, typical(slope_variance, data.pieces.times))
        + z**2 * np.maximum(near, typical(variance, data.pieces.times))
    )
    return Estimate(
        states=x,
        derivatives=x * z,
        state_errors=size * np.sqrt(variance),
        derivative_errors=size * errors,
        inside=size * inside,
        noise=float(noise * np.sqrt(np.mean(x**2))),
        relative=noise,
        width=fit.width,
        method=f"{NAMES[criterion]} of the logarithm",
    )


def _constant(x: NDArray) -> Estimate:
    zero = np.zeros(len(x))
    return Estimate(x, zero, zero, zero, zero, 0.0, 0.0, 0.0, "constant in each run")
