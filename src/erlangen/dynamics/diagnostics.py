"""How good is a model of a dynamical system, and how much do the data say: residuals, horizons, spectra, coverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import signal

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._progress import track
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.dynamics._coverage import Coverage as Coverage
from erlangen.dynamics._coverage import coverage as coverage
from erlangen.dynamics._ordinal import Ordinal as Ordinal
from erlangen.dynamics._ordinal import ordinal as ordinal
from erlangen.fields import AbstractField, as_field
from erlangen.fields.trajectories import Trajectories

__all__ = [
    "Coverage",
    "LyapunovExponent",
    "Ordinal",
    "coverage",
    "lyapunov_exponent",
    "ordinal",
    "spectral_distance",
    "step_residuals",
    "valid_prediction_time",
]

TURN = 0.2
"""Steps times the norm of the Jacobian: a Runge-Kutta step of fourth order then errs by some 1e-6."""
MEMBERS = 64
"""Orbits over which an exponent is averaged."""
SPREAD = 16
"""Steps between the starting points on the first orbit, so that they lie all over the attractor."""
MOST_STEPS = 64
"""Steps of the integrator within one interval of the data, at most."""


@dataclass(frozen=True)
class LyapunovExponent(AbstractShown):
    """The largest Lyapunov exponent, in one over the unit of time; ``float()`` gives the value.

    Attributes
    ----------
    value, error : float
        The mean over orbits, and its standard error with that of the finite time.
    time : float
        Time over which tangent vectors were followed, all orbits together.
    drift : float
        The part of the error that the finite time makes: vectors that grow as a power of time seem to grow
        exponentially, at a rate that falls as log(t) / t.
    """

    value: float
    error: float
    time: float
    drift: float = 0.0

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        text = f"{self.value:.4g} +- {self.error:.1g} over a time of {self.time:.4g}"
        # The larger part of the error: its square is more than half of the square of the whole.
        mostly = 2 * self.drift**2 > self.error**2 > 0
        return f"{text}; the rate still changes with time, which makes most of the error" if mostly else text


def lyapunov_exponent(
    field: Any,
    x0: ArrayLike,
    *,
    steps: int = 4000,
    step: float | None = None,
    rng: int | np.random.Generator = 0,
) -> LyapunovExponent:
    """Measure the largest Lyapunov exponent: the mean rate at which tangent vectors ``v' = J v`` grow.

    Many orbits are followed at once, from points of one orbit that are moved a little; a first part of each is left
    out, until the tangent vectors have turned and the orbits have parted. The error counts what the rate changes
    between the first and the second half of the time, carried on to endless time as for growth by a power of time.

    Parameters
    ----------
    field : AbstractField or anything that ``as_field`` accepts
        The vector field, such as `Equations` or a fitted `SINDy`.
    x0 : array (d,)
        A state from which the orbit reaches the attractor.
    steps : int
        Runge-Kutta steps of each orbit that count.
    step : float, optional
        Length of a step in time; by default a fifth of the time in which the fastest direction grows or turns by one.
    rng : int or Generator
        Moves the starting points and draws the tangent vectors.

    Returns
    -------
    LyapunovExponent
        The exponent per unit of time, and its error.

    Raises
    ------
    UndecidedError
        Where an orbit grows without bound.

    References
    ----------
    G. Benettin, L. Galgani, A. Giorgilli, J.-M. Strelcyn, Meccanica 15 (1980) 9-20.

    Examples
    --------
    >>> import erlangen as er
    >>> spiral = er.dynamics.Equations.from_text({"x": "0.1*x - y", "y": "x + 0.1*y"})
    >>> bool(abs(lyapunov_exponent(spiral, [1, 0], steps=100).value - 0.1) < 1e-4)
    True
    """
    start = np.atleast_1d(np.asarray(x0, dtype=np.float64))
    known = as_field(field, kind="vector", dim=len(start), points=start[None])
    h = _step(known, start[None]) if step is None else float(step)
    orbit = [start[None]]
    for _ in range(SPREAD * MEMBERS):
        orbit.append(_runge_kutta(known, orbit[-1], h))
    whole = np.concatenate(orbit)
    _bounded(whole, h)
    later = whole[len(whole) // 2 :]
    h = _step(known, later) if step is None else h
    generator = np.random.default_rng(rng)
    x = later[np.linspace(0, len(later) - 1, MEMBERS).astype(int)]
    x = x + 1e-3 * later.std(axis=0) * generator.normal(size=x.shape)
    v = generator.normal(size=x.shape)
    growth = np.zeros((2, MEMBERS))
    before = max(steps // 4, SPREAD * MEMBERS // 2)
    for k in track(range(-before, steps), "steps along the orbit"):
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        x, v = _tangent_step(known, x, v, h)
        if k >= 0:
            growth[int(2 * k >= steps)] += np.log(np.linalg.norm(v, axis=1))
    _bounded(x, h)
    rates = growth.sum(axis=0) / (steps * h)
    drift = _drift(growth, steps, before) / h
    error = float(np.hypot(rates.std(ddof=1) / np.sqrt(MEMBERS), drift))
    return LyapunovExponent(float(rates.mean()), error, MEMBERS * steps * h, drift)


def _drift(growth: NDArray, steps: int, before: int) -> float:
    """Rate a step that would be gone in endless time, from the growth ``(2, k)`` in both halves.

    Norms that grow as t^a from the start of the first part, which is left out, have rates in both halves, and in all,
    with ratios that do not depend on a. Of the difference the part that chance explains is taken off.
    """
    first = -(-steps // 2)
    if steps < 2:
        return 0.0
    apart = growth[0] / first - growth[1] / (steps - first)
    square = apart.mean() ** 2 - apart.var(ddof=1) / len(apart)
    middle, end = np.log1p(first / before), np.log1p(steps / before)
    return float(np.sqrt(max(square, 0.0)) * (end / steps) / (middle / first - (end - middle) / (steps - first)))


def valid_prediction_time(
    truth: ArrayLike, predicted: ArrayLike, t: ArrayLike, *, tolerance: float = 0.4, lyapunov: float | None = None
) -> float:
    """Measure how long a prediction stays close to the truth.

    The error at each time is relative to the root mean square distance of the truth from its mean. The time is
    counted from the first sample, to the sample before the one at which the error first exceeds the tolerance.

    Parameters
    ----------
    truth, predicted : array (n, d)
        States at the same times; the prediction may be shorter, as after a blow-up.
    t : array (n,)
        The times.
    tolerance : float
        Largest relative error.
    lyapunov : float or LyapunovExponent, optional
        Largest Lyapunov exponent; with it the answer is in Lyapunov times, otherwise in units of t.

    Returns
    -------
    float
        The time, at least zero; in Lyapunov times where an exponent is given.

    Raises
    ------
    InputError
        Where shapes do not fit, the truth never moves, or the exponent is not positive.

    References
    ----------
    J. Pathak et al., Chaos 28, 041101 (2018): a tolerance of 0.4. P. R. Vlachas et al., Neural Networks 126 (2020).

    Examples
    --------
    >>> t = np.linspace(0, 10, 101)
    >>> valid_prediction_time(np.sin(t)[:, None], np.sin(1.05 * t)[:, None], t)
    5.7
    """
    times = np.asarray(t, dtype=np.float64)
    a, b = (np.asarray(x, dtype=np.float64).reshape(len(x), -1) for x in (truth, predicted))  # type: ignore[arg-type]
    if len(a) != len(times) or a.shape[1] != b.shape[1] or not 0 < len(b) <= len(a) or not np.isfinite(a).all():
        raise InputError(
            explain(
                "Truth, prediction and times do not fit.",
                given=f"truth {a.shape}, prediction {b.shape}, {len(times)} times",
                expected="(n, d), at most as many predicted states, n times; a finite truth",
                fix="valid_prediction_time(truth, model.simulate(truth[0], t), t)",
            )
        )
    size = float(np.sqrt(np.mean(np.sum((a - a.mean(axis=0)) ** 2, axis=1))))
    rate = 1.0 if lyapunov is None else float(lyapunov)
    if size == 0.0 or not rate > 0:
        raise InputError(
            explain(
                "There is no unit to measure in.",
                given=f"a truth of spread {size:g}, a Lyapunov exponent of {rate:g}",
                expected="both positive",
                fix="lyapunov=None for times in units of t",
            )
        )
    error = np.linalg.norm(a[: len(b)] - b, axis=1) / size
    bad = np.flatnonzero(~(error <= tolerance))  # a state that is not finite is no prediction
    last = max(int(bad[0]) - 1, 0) if len(bad) else len(b) - 1
    return float((times[last] - times[0]) * rate)


def spectral_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Compare two series by the shapes of their power spectra: 0 for the same, 1 for disjoint ones.

    The Hellinger distance of the normalised spectra (Welch's, segments of a quarter of the shorter series), averaged
    over coordinates. Phases, and so where chaotic orbits part, do not matter.

    Parameters
    ----------
    a, b : array (n, d), (m, d)
        Series with the same equal steps of time.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    InputError
        Where columns differ, or a series is shorter than 64 samples.

    References
    ----------
    J. Mikhaeil, Z. Monfared, D. Durstewitz, NeurIPS 2022, for the distance.

    Examples
    --------
    >>> t = np.linspace(0, 60, 600)[:, None]
    >>> round(spectral_distance(np.sin(t), np.cos(t)), 1), round(spectral_distance(np.sin(t), np.sin(9 * t)), 1)
    (0.0, 1.0)
    """
    x, y = (np.asarray(s, dtype=np.float64).reshape(len(s), -1) for s in (a, b))  # type: ignore[arg-type]
    if x.shape[1] != y.shape[1] or min(len(x), len(y)) < 64 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(
            explain(
                "These series cannot be compared.",
                given=f"shapes {x.shape} and {y.shape}",
                expected="finite series of at least 64 samples with the same columns",
                fix="spectral_distance(truth, simulated)",
            )
        )
    segment = min(len(x), len(y)) // 4
    spectra = [signal.welch(s, nperseg=segment, axis=0)[1][1:] for s in (x, y)]
    p, q = (s / np.where(s.sum(axis=0) > 0, s.sum(axis=0), 1.0) for s in spectra)
    return float(np.mean(np.sqrt(np.maximum(1.0 - np.sum(np.sqrt(p * q), axis=0), 0.0))))


def step_residuals(field: Any, flow: Trajectories, *, steps: int = 1) -> Trajectories:
    """Subtract from each state what the model predicts from an earlier state of the same run.

    With the true model, what is left depends on the noise of two samples only: it is independent over ``steps + 1``
    samples, twice which is the delay to give to `ordinal`.

    Parameters
    ----------
    field : AbstractField or anything that ``as_field`` accepts
        The model.
    flow : Trajectories
        Noisy states.
    steps : int
        How many samples ahead the model predicts: more let a missing term grow above the noise.

    Returns
    -------
    Trajectories
        The residuals at the times of the later states.

    Raises
    ------
    InputError
        Where no run is longer than that, or the model blows up within the interval.

    References
    ----------
    L. Ljung, System Identification: Theory for the User, second edition, 1999, chapter 16 (residual analysis).

    Examples
    --------
    >>> from erlangen.fields import Trajectories
    >>> t = np.linspace(0, 1, 11)
    >>> flow = Trajectories.from_arrays(np.exp(-t)[:, None], t)
    >>> rest = step_residuals(lambda x: -x, flow, steps=1)
    >>> bool(abs(rest.runs[0].states).max() < 1e-6)
    True
    """
    known = as_field(field, kind="vector", dim=flow.point_dim, points=flow.points)
    runs = [run for run in flow.runs if len(run.time) > steps]
    if steps < 1 or not runs:
        raise InputError(
            explain(
                "No state is that far ahead of another.",
                given=f"steps={steps}, runs of at most {max(len(r.time) for r in flow.runs)} samples",
                expected="1 or more, and longer runs",
                fix="steps=1",
            )
        )
    start = np.concatenate([run.states[:-steps] for run in runs])
    interval = np.concatenate([run.time[steps:] - run.time[:-steps] for run in runs])[:, None]
    count = int(np.clip(np.ceil(np.median(interval) / _step(known, start)), 1, MOST_STEPS))
    x = start
    for _ in range(count):
        x = _runge_kutta(known, x, interval / count)
    left = np.concatenate([run.states[steps:] for run in runs]) - x
    if not np.isfinite(left).all():
        raise InputError(
            explain(
                "The model blows up between samples.",
                given=f"{int(np.sum(~np.isfinite(left).all(axis=1)))} of {len(left)} predictions not finite",
                expected="finite predictions one interval ahead",
                fix="steps=1, or a model that is bounded near the data",
            )
        )
    parts = np.split(left, np.cumsum([len(run.time) - steps for run in runs])[:-1])
    groups = [run.label for run in runs]
    return Trajectories.from_arrays(parts, [run.time[steps:] for run in runs], flow.names, groups=groups)


def _step(field: AbstractField, x: NDArray) -> float:
    """A step of time that is short beside the fastest growth or turn at typical points."""
    some = x[np.linspace(0, len(x) - 1, min(len(x), 256)).astype(int)]
    norms = np.linalg.norm(field.jacobian(some), ord=2, axis=(1, 2))
    norms = norms[np.isfinite(norms)]
    size = float(np.sqrt(np.mean(norms**2))) if len(norms) else 0.0
    return TURN / size if size > 0 else 1.0


def _runge_kutta(field: AbstractField, x: NDArray, h: Any) -> NDArray:
    a = field.value(x)
    b = field.value(x + h / 2 * a)
    c = field.value(x + h / 2 * b)
    return x + h / 6 * (a + 2 * b + 2 * c + field.value(x + h * c))


def _tangent_step(field: AbstractField, x: NDArray, v: NDArray, h: float) -> tuple[NDArray, NDArray]:
    """One step of ``x' = F(x), v' = J(x) v``."""
    stages, carried = [], []
    for factor in (0.0, 0.5, 0.5, 1.0):
        at, along = (x, v) if not stages else (x + factor * h * stages[-1], v + factor * h * carried[-1])
        stages.append(field.value(at))
        carried.append(np.einsum("nij,nj->ni", field.jacobian(at), along))
    weights = (1 / 6, 1 / 3, 1 / 3, 1 / 6)
    return (
        x + h * sum(w * s for w, s in zip(weights, stages, strict=True)),
        v + h * sum(w * s for w, s in zip(weights, carried, strict=True)),
    )


def _bounded(x: NDArray, h: float) -> None:
    if not np.isfinite(x).all():
        raise UndecidedError(
            explain(
                "The orbit grows without bound: it has no exponent.",
                given=f"states that are not finite, with steps of {h:.2g}",
                expected="an orbit that stays bounded",
                fix="another x0, or a smaller step",
            )
        )
