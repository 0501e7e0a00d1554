"""Two classes: the log-odds as a field, by maximum likelihood in the same path of classes.

The probability of class 1 is ``e + (1 - 2 e) sigmoid(f)``, with a fraction e of flipped labels that is zero unless
the likelihood asks for it. Without e, a boundary seen through flipped labels bends the log-odds
away from every polynomial, and its derivative with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit

from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.fields._orthonormal import OrthonormalColumns
from erlangen.fields._path import SIGNIFICANT, SKETCH, Level, Rows, degree_of, merge, scatter, sketch
from erlangen.fields.bases import AbstractBasis, BasisField

BLOCK = 8192
"""Rows per block of a weighted product."""

SETTLED = 0.05
"""Gain in log-likelihood below which an iteration ends it: small against the unit scale of its tests."""

PENALTY = 1e-4
"""Prior precision of the orthonormal coefficients: keeps separable classes finite, at log-odds of some hundreds.

A stronger one would hold a sharp boundary off, and larger classes would seem to gain by being sharper.
"""


ROWS_PER_COLUMN = 20
"""Rows per parameter that give the information to within a fourth: steps then converge in a few rounds."""

SHORTEST = 1e-3
"""Shortest part of a step that is tried."""

START_FLIPS = 0.02
"""Where the search for a fraction of flipped labels starts."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """A maximum of the penalised likelihood."""

    coefficients: NDArray
    flips: float
    value: float
    information: NDArray
    weights: NDArray
    scores: NDArray


def maximise(q: NDArray, y: NDArray, start: NDArray, flips: float, free_flips: bool) -> Likelihood:
    """Fisher scoring with step halving; flips are updated by expectation-maximisation between steps.

    The first steps use the information of some rows, in single precision: it sets where they lead, the gradient
    of all rows where they end. Once these gain nothing more, steps with all of it follow.
    """
    stride = max(1, len(q) // (ROWS_PER_COLUMN * q.shape[1]))
    some = q if stride == 1 else np.array(q[::stride], dtype=np.float32, order="F")
    c = start
    value, s, p = _log_likelihood(q, y, c, flips)
    while True:
        scores, weights = _scores(y, s, p, flips)
        step = _solve(_information(some, weights[::stride], stride), q.T @ scores - PENALTY * c)
        length = 1.0
        moved = _log_likelihood(q, y, c + step, flips)
        while moved[0] < value and length > SHORTEST:
            length /= 2.0
            moved = _log_likelihood(q, y, c + length * step, flips)
        if moved[0] < value and stride == 1:
            break
        c = c + length * step if moved[0] >= value else c
        flips = _update_flips(y, expit(q @ c), flips) if free_flips else flips
        moved = _log_likelihood(q, y, c, flips)
        gain, (value, s, p) = moved[0] - value, moved
        if gain < SETTLED and stride == 1:
            break
        if gain < SETTLED:
            some, stride = q, 1
    scores, weights = _scores(y, s, p, flips)
    return Likelihood(c, flips, value, _information(q, weights, 1), weights, scores)


def _scores(y: NDArray, s: NDArray, p: NDArray, flips: float) -> tuple[NDArray, NDArray]:
    """Derivative of each row's log-likelihood by its log-odds, and the expected second one."""
    slope = (1.0 - 2.0 * flips) * s * (1.0 - s)
    variance = p * (1.0 - p)
    return (y - p) * slope / variance, slope**2 / variance


def _information(q: NDArray, weights: NDArray, stride: int) -> NDArray:
    out = np.zeros((q.shape[1], q.shape[1]))
    for start in range(0, len(q), BLOCK):
        rows = q[start : start + BLOCK]
        out += (rows * weights[start : start + BLOCK, None].astype(q.dtype)).T @ rows
    out *= stride
    out[np.diag_indices_from(out)] += PENALTY
    return out


def _solve(information: NDArray, gradient: NDArray) -> NDArray:
    return cho_solve(cho_factor(information), gradient)


def _log_likelihood(q: NDArray, y: NDArray, c: NDArray, flips: float) -> tuple[float, NDArray, NDArray]:
    s = expit(q @ c)
    tiny = float(np.finfo(np.float64).eps)
    p = np.clip(flips + (1.0 - 2.0 * flips) * s, tiny, 1.0 - tiny)
    return float(np.log(np.where(y > 0, p, 1.0 - p)).sum() - 0.5 * PENALTY * c @ c), s, p


def _update_flips(y: NDArray, s: NDArray, flips: float, rounds: int = 20) -> float:
    for _ in range(rounds):
        against = flips * np.where(y > 0, 1.0 - s, s)
        flips = float(np.mean(against / (against + (1.0 - flips) * np.where(y > 0, s, 1.0 - s) + 1e-300)))
    return min(flips, 0.49)


def fit_label_chain(
    data: Rows, chain: Sequence[tuple[str, AbstractBasis]], rng: np.random.Generator
) -> tuple[list[Level], Level]:
    """Fit nested classes to labels ``data.y (n, 1)`` in {0, 1}; return them and the largest joined with a sketch."""
    n = len(data.z)
    y = data.y[:, 0]
    columns = OrthonormalColumns(n, sum(part.size for _, part in chain) + SKETCH)
    names, parts, ranks, widths = [], [], [], []
    extra = sketch(data.z.shape[1], degree_of([part for _, part in chain]), min(SKETCH, n // 8 + 1), rng)
    every = [*chain, (f"{chain[-1][0]} with ridge functions", extra)]
    for name, part in track(every, "classes of functions"):
        columns.append(part.evaluate(data.z))
        names.append(name)
        parts.append(part)
        ranks.append(columns.rank)
        widths.append(columns.n_features)
    fits = _maxima(columns.q, y, ranks)
    levels = []
    for i, fit in enumerate(fits):
        transform = columns.transform[: widths[i], : ranks[i]]
        levels.append(_level(names[i], merge(parts[: i + 1]), transform, columns.q[:, : ranks[i]], fit, data))
    tested = [replace(level, lack_of_fit=_ratio_test(i, fits, ranks)) for i, level in enumerate(levels[:-1])]
    return tested, levels[-1]


def _maxima(q: NDArray, y: NDArray, ranks: list[int]) -> list[Likelihood]:
    """Maxima of all classes: without flips, or with those of the largest class where it gains by them."""
    fits = _ascend(q, y, ranks[:-1], 0.0)
    top = fits[-1]
    flipped = maximise(q[:, : ranks[-2]], y, top.coefficients, START_FLIPS, True)
    # A fraction of flips is tested on the edge of its range, so half of chi-squared with one degree of freedom.
    if 0.5 * special.chdtrc(1, 2.0 * max(flipped.value - top.value, 0.0)) <= SIGNIFICANT:
        fits = [*_ascend(q, y, ranks[:-2], flipped.flips), flipped]
    start = np.concatenate([fits[-1].coefficients, np.zeros(ranks[-1] - ranks[-2])])
    return [*fits, maximise(q[:, : ranks[-1]], y, start, fits[-1].flips, False)]


def _ascend(q: NDArray, y: NDArray, ranks: list[int], flips: float) -> list[Likelihood]:
    fits: list[Likelihood] = []
    c = np.zeros(0)
    for rank in ranks:
        c = np.concatenate([c, np.zeros(rank - len(c))])
        fits.append(maximise(q[:, :rank], y, c, flips, False))
        c = fits[-1].coefficients
    return fits


def _ratio_test(i: int, fits: list[Likelihood], ranks: list[int]) -> float:
    """Likelihood ratio test of class i in the next two, the largest and its sketch."""
    larger = sorted({*range(i + 1, len(fits))[:2], *range(i + 1, len(fits))[-2:]})
    ps = [special.chdtrc(max(ranks[j] - ranks[i], 1), 2.0 * max(fits[j].value - fits[i].value, 0.0)) for j in larger]
    return float(min(1.0, min(ps) * len(larger)))


def _level(name: str, basis: AbstractBasis, transform: NDArray, q: NDArray, fit: Likelihood, data: Rows) -> Level:
    m, d = len(data.probes), data.metric.shape[1]
    lower = np.linalg.cholesky(fit.information)
    root = solve_triangular(lower, transform.T, lower=True).T
    gradients = np.einsum("mqs,sd->mdq", basis.gradients(data.z[data.probes]), data.metric).reshape(m * d, -1)
    coefficients = transform @ fit.coefficients
    slopes, errors = gradients @ coefficients, gradients @ root
    # How sharp the boundary is, a common factor, changes no symmetry: its error does not count.
    errors -= np.outer(slopes, slopes @ errors) / max(slopes @ slopes, np.finfo(float).tiny)
    spread = np.sqrt(np.mean((q @ fit.coefficients - fit.coefficients[0] * q[0, 0]) ** 2)) or 1.0
    return Level(
        name=name,
        model=BasisField(basis, coefficients[None]),
        n_params=q.shape[1],
        held_out=_left_out_deviance(q, data.y[:, 0], fit, lower),
        rss=np.array([-2.0 * fit.value]),
        slopes=slopes.reshape(m, 1, d) / spread,
        slope_variance=float((errors**2).sum()) / m / spread**2,
        slope_scatter=scatter(errors.reshape(m, d, -1)),
        root=root,
        noise=np.eye(1),
        flips=fit.flips,
    )


def _left_out_deviance(q: NDArray, y: NDArray, fit: Likelihood, lower: NDArray) -> NDArray:
    """Deviance of each row when it is left out, to first order (Rad & Maleki 2020, J. R. Stat. Soc. B 82)."""
    inverse = solve_triangular(lower, np.eye(len(lower)), lower=True)
    leverage = np.concatenate([((q[i : i + BLOCK] @ inverse.T) ** 2).sum(axis=1) for i in range(0, len(q), BLOCK)])
    shrink = np.maximum(1.0 - leverage * fit.weights, 1.0 / len(q))
    eta = q @ fit.coefficients - leverage * fit.scores / shrink
    tiny = float(np.finfo(np.float64).eps)
    p = np.clip(fit.flips + (1.0 - 2.0 * fit.flips) * expit(eta), tiny, 1.0 - tiny)
    return -2.0 * np.log(np.where(y > 0, p, 1.0 - p))
