"""Order patterns of a series: permutation entropy, statistical complexity, and whether only noise is left."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from erlangen._errors import InputError, explain
from erlangen._progress import track
from erlangen._render import html_table, text_table
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.fields.trajectories import Trajectories

LEVEL = 0.01
"""Probability of taking pure noise for a missing term, over all columns together."""
DRAWS = 100
"""Series with random signs that the entropy is compared with: mean and variance of a law are taken from them."""
SPAN = 0.1
"""Part of the longest run that a pattern may span."""
_HEADERS = ("", "delay", "entropy", "of noise", "complexity", "p-value")
_ORDERS = (3, 4, 5, 6, 7)


@dataclass(frozen=True, eq=False)
class Ordinal(AbstractShown):
    """Order patterns of each column of a series.

    Attributes
    ----------
    names : tuple of str
        The d columns.
    order : int
        Values in a pattern.
    delays : tuple of int
        The k distances in samples between the values of a pattern: the one asked for, and its doubles.
    n_patterns : int
        Patterns counted in each column at the first delay.
    entropies, complexities : ndarray (d, k)
        Permutation entropy H between 0 and 1, and Jensen-Shannon complexity C.
    noise_entropies : ndarray (d, k)
        Mean entropy of the same magnitudes with random signs.
    scores : ndarray (d, k)
        By how many standard deviations of theirs the entropy is lower.
    p_values : ndarray (d,)
        How often noise would have an entropy as low at any of the delays.
    """

    names: tuple[str, ...]
    order: int
    delays: tuple[int, ...]
    n_patterns: int
    entropies: NDArray
    complexities: NDArray
    noise_entropies: NDArray
    scores: NDArray
    p_values: NDArray

    @property
    def entropy(self) -> NDArray:
        """Entropies ``(d,)`` at the delay that was asked for."""
        return self.entropies[:, 0]

    @property
    def complexity(self) -> NDArray:
        """Complexities ``(d,)`` at the delay that was asked for."""
        return self.complexities[:, 0]

    @property
    def only_noise(self) -> bool:
        """Whether no column differs from noise."""
        return not self.telling

    @property
    def telling(self) -> tuple[str, ...]:
        """The columns whose patterns noise would not have."""
        low = self.p_values <= LEVEL / len(self.names)
        return tuple(name for name, one in zip(self.names, low, strict=True) if one)

    @property
    def verdict(self) -> str:
        """The answer in one line."""
        if self.only_noise:
            return f"Only noise is left: no order beyond chance (smallest p-value {self.p_values.min():.2g})."
        columns = ", ".join(self.telling)
        return f"A term is missing: {columns} {'have' if len(self.telling) > 1 else 'has'} an order that noise has not."

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings for JSON."""
        return {
            "verdict": self.verdict,
            "only_noise": self.only_noise,
            "names": list(self.names),
            "order": int(self.order),
            "delays": list(self.delays),
            "n_patterns": int(self.n_patterns),
            "entropies": self.entropies.tolist(),
            "complexities": self.complexities.tolist(),
            "noise_entropies": self.noise_entropies.tolist(),
            "p_values": self.p_values.tolist(),
        }

    def __str__(self) -> str:
        return f"{self.verdict}\n{text_table(_HEADERS, self._rows())}\n- {self._note()}"

    def __repr__(self) -> str:
        return f"<Ordinal {'only noise' if self.only_noise else 'order in ' + ', '.join(self.telling)}>"

    def _repr_html_(self) -> str:
        head, note = html.escape(self.verdict), html.escape(self._note())
        return f"<p>{head}</p>{html_table(_HEADERS, self._rows())}<p>{note}</p>"

    def _rows(self) -> list[tuple[str, ...]]:
        """One row a column, at the delay that differs most from noise."""
        out = []
        for j, (name, k) in enumerate(zip(self.names, self.scores.argmax(axis=1), strict=True)):
            shape = (self.entropies[j, k], self.noise_entropies[j, k], self.complexities[j, k])
            out.append((name, str(self.delays[k]), *(f"{v:.4f}" for v in shape), f"{self.p_values[j]:.2g}"))
        return out

    def _note(self) -> str:
        delays = ", ".join(map(str, self.delays))
        return f"{self.n_patterns} patterns of {self.order} values, {delays} samples apart"


def ordinal(
    x: Trajectories | ArrayLike,
    order: int = 5,
    delay: int | str | None = None,
    *,
    names: Sequence[str] | None = None,
    rng: int | np.random.Generator = 0,
) -> Ordinal:
    """Tell order from noise by the patterns in which neighbouring values are ranked.

    For residuals of a model this decides whether only noise is left or a term is missing. The entropy of the patterns
    is compared with that of the same magnitudes under random signs, drawn for blocks as long as the delay: symmetric
    noise that is independent over that distance, of whatever and however changing strength, cannot be told from these.
    Delays of two, four and more times that are looked at as well, for what a term leaves behind may be slow; the
    p-value allows for the choice. A missing constant leaves no order, and is not seen.

    Parameters
    ----------
    x : Trajectories, array (n,) or (n, d)
        A series, or residuals. No pattern reaches from one run into the next.
    order : int
        Values in a pattern, 3 to 7.
    delay : int or "auto", optional
        Smallest number of samples between the values of a pattern, 1 by default. For residuals: twice the distance
        over which noise alone leaves them independent, 4 for those of `step_residuals`, twice the width of the stencil
        for those of derivatives.
        ``"auto"`` takes the first lag at which the autocorrelation is below 1/e: for series to be described, not for
        residuals, whose order it would hide.
    names : sequence of d str, optional
        Names of the columns.
    rng : int or Generator
        Draws the signs.

    Returns
    -------
    Ordinal
        Entropies, complexities and p-value of each column, and the verdict.

    Raises
    ------
    InputError
        Where there are fewer patterns than permutations, or values are not finite.

    References
    ----------
    C. Bandt and B. Pompe, Phys. Rev. Lett. 88, 174102 (2002), for the entropy. O. A. Rosso et al., Phys. Rev. Lett. 99,
    154102 (2007), for the complexity. The largest score of the delays under random signs follows a Gumbel law with
    the mean and variance of those drawn (E. J. Gumbel, Statistics of Extremes, 1958): their tail is exponential.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=2000)
    >>> ordinal(noise).only_noise, ordinal(noise + np.sin(np.arange(2000) / 20)).only_noise
    (True, False)
    """
    runs, columns = _series(x, names)
    if order not in _ORDERS:
        raise InputError(explain("The order is out of range.", given=f"order={order!r}", expected="3 to 7", fix="5"))
    delay = _delay(runs, delay)
    counted = _count(runs, order, delay)
    if counted < factorial(order):
        raise InputError(
            explain(
                "There are fewer patterns than permutations.",
                given=f"{counted} patterns of {order} values, {delay} samples apart",
                expected=f"at least {factorial(order)}, better five times as many",
                fix=f"ordinal(x, order={max(order - 1, 3)}), longer runs or a smaller delay",
            )
        )
    delays = _delays(runs, order, delay)
    generator = np.random.default_rng(rng)
    found = [_column([run[:, j] for run in runs], order, delays, generator) for j in range(len(columns))]
    entropies, complexities, expected, scores = np.stack([table for table, _ in found], axis=1)
    p_values = np.array([p for _, p in found])
    return Ordinal(columns, order, delays, counted, entropies, complexities, expected, scores, p_values)


def _delays(runs: list[NDArray], order: int, delay: int) -> tuple[int, ...]:
    """The delay and its doubles, as long as there are patterns enough and none spans too much of a run."""
    longest, out = max(len(run) for run in runs), [delay]
    while (order - 1) * 2 * out[-1] <= SPAN * longest and _count(runs, order, 2 * out[-1]) >= factorial(order):
        out.append(2 * out[-1])
    return tuple(out)


def _count(runs: list[NDArray], order: int, delay: int) -> int:
    return sum(max(len(run) - (order - 1) * delay, 0) for run in runs)


def _series(x: Any, names: Sequence[str] | None) -> tuple[list[NDArray], tuple[str, ...]]:
    if isinstance(x, Trajectories):
        runs, default = [run.states for run in x.runs], x.names
    else:
        table = np.asarray(x, dtype=np.float64)
        runs = [table[:, None] if table.ndim == 1 else table]
        default = tuple(f"x{j + 1}" for j in range(runs[0].shape[-1]))
    if any(run.ndim != 2 or not np.isfinite(run).all() for run in runs):
        raise InputError(
            explain(
                "This is no series.",
                given=f"shape {runs[0].shape}, {int(np.sum(~np.isfinite(runs[0])))} values not finite",
                expected="finite numbers of shape (n,) or (n, d)",
                fix="x[numpy.isfinite(x).all(axis=1)], or runs between the gaps as Trajectories",
            )
        )
    columns = default if names is None else tuple(map(str, names))
    if len(columns) != runs[0].shape[1]:
        raise InputError(
            explain(
                "Names do not fit the columns.",
                given=", ".join(columns),
                expected=f"{runs[0].shape[1]} names",
                fix="names=None",
            )
        )
    return runs, columns


def _delay(runs: list[NDArray], delay: int | str | None) -> int:
    if delay is None:
        return 1
    if delay == "auto":
        return max(_memory(run[:, j]) for run in runs for j in range(run.shape[1]))
    if isinstance(delay, (int, np.integer)) and not isinstance(delay, bool) and delay >= 1:
        return int(delay)
    given = f"delay={delay!r}"
    raise InputError(explain("This is no delay.", given=given, expected='1, 2, ... or "auto"', fix="delay=1"))


def _memory(x: NDArray) -> int:
    """First lag at which the autocorrelation is below 1/e."""
    centred = x - x.mean()
    power = np.abs(np.fft.rfft(centred, 2 * len(x))) ** 2
    correlation = np.fft.irfft(power)[: len(x)]
    below = np.flatnonzero(correlation < correlation[0] / np.e)
    return int(below[0]) if len(below) else 1


def _frequencies(runs: list[NDArray], order: int, delay: int) -> NDArray:
    """How often each of the ``order!`` patterns occurs; equal values count as rising."""
    counts = np.zeros(factorial(order))
    for run in runs:
        n = len(run) - (order - 1) * delay
        if n <= 0:
            continue
        code = np.zeros(n, dtype=np.int64)
        windows = [run[k * delay : k * delay + n] for k in range(order)]
        for i in range(order - 1):
            smaller = np.zeros(n, dtype=np.int64)
            for later in windows[i + 1 :]:
                smaller += later < windows[i]
            code += smaller * factorial(order - 1 - i)
        counts += np.bincount(code, minlength=len(counts))
    return counts / counts.sum()


def _entropy(p: NDArray) -> float:
    used = p[p > 0]
    return float(-np.sum(used * np.log(used)))


def _shape(p: NDArray) -> tuple[float, float]:
    """Normalised entropy H and complexity C = Q JS(p, uniform) H, Q making the largest JS one."""
    k = len(p)
    h = _entropy(p) / np.log(k)
    divergence = _entropy((p + 1 / k) / 2) - _entropy(p) / 2 - np.log(k) / 2
    largest = -0.5 * ((k + 1) / k * np.log(k + 1) - 2 * np.log(2 * k) + np.log(k))
    return h, float(divergence / largest * h)


def _column(
    runs: list[NDArray], order: int, delays: tuple[int, ...], rng: np.random.Generator
) -> tuple[NDArray, float]:
    """Entropy, complexity, mean entropy under random signs and score ``(4, k)`` at each delay; and the p-value."""
    found = np.array([_shape(_frequencies(runs, order, delay)) for delay in delays]).T
    if all(np.ptp(run) == 0 for run in runs):  # nothing at all is left
        return np.array([*found, found[0], np.zeros(len(delays))]), 1.0
    drawn = np.empty((DRAWS, len(delays)))
    for draw in track(range(DRAWS), "draws"):
        for k, delay in enumerate(delays):
            drawn[draw, k] = _entropy(_frequencies([_flipped(run, delay, rng) for run in runs], order, delay))
    drawn /= np.log(factorial(order))
    mean, spread = drawn.mean(axis=0), drawn.std(axis=0, ddof=1)
    spread = np.maximum(spread, np.finfo(np.float64).eps)
    score, largest = (mean - found[0]) / spread, ((mean - drawn) / spread).max(axis=1)
    scale = largest.std(ddof=1) * np.sqrt(6) / np.pi
    p_value = stats.gumbel_r.sf(score.max(), largest.mean() - np.euler_gamma * scale, scale)
    return np.array([*found, mean, score]), float(p_value)


def _flipped(x: NDArray, delay: int, rng: np.random.Generator) -> NDArray:
    """The series with a random sign for each block of ``delay`` samples, the first block of random length."""
    blocks = (np.arange(len(x)) + rng.integers(delay)) // delay
    return x * rng.choice([-1.0, 1.0], size=blocks[-1] + 1)[blocks]
