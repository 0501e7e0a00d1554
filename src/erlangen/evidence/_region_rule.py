"""A sentence for a set of points: the best single cut of a coordinate, a radius or an invariant of the generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from erlangen._render import number, polynomial_text
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction, behind
from erlangen.evidence._local import REACH
from erlangen.linalg.polynomials import exponents, monomial_gradients, monomials
from erlangen.linalg.qr import rounding
from erlangen.linalg.subspace import echelon

MOST_MOVED = 8
"""Coordinates that a generator may involve for its quadratic invariants to be looked for."""

RARE = 0.02
"""Share of points that is put down to chance: a Lie derivative that changes sign is zero somewhere."""

UNDECIDED = "at no point that is decided"
"""Text of a rule without points."""

SURE = 2.0
"""Standard errors by which a description must beat saying the same of all points."""


@dataclass(frozen=True, eq=False)
class Feature(AbstractShown):
    """A number that describes a point: a polynomial, or the root of one.

    Attributes
    ----------
    name : str
        How it is written in a rule, such as ``"x"`` or ``"r"``.
    definition : str
        What it stands for; empty where the name says it.
    table : ndarray (r, d)
        Exponents of the monomials.
    coefficients : ndarray (r,)
        Their coefficients.
    root : bool
        Whether the square root is taken.
    """

    name: str
    definition: str
    table: NDArray
    coefficients: NDArray
    root: bool = False

    def __call__(self, x: NDArray) -> NDArray:
        """Values ``(n,)`` at points ``x (n, d)``."""
        values = monomials(x, self.table) @ self.coefficients
        return np.sqrt(np.maximum(values, 0.0)) if self.root else values


@dataclass(frozen=True, eq=False)
class RegionRule(AbstractShown):
    """Where a generator holds, in words.

    Attributes
    ----------
    text : str
        ``"everywhere"``, ``"nowhere"``, ``"for r < 2"``, or that there is no simple description.
    share : float
        Share of the decided points at which it holds.
    accuracy : float
        Share of held-out points that the text describes rightly (NaN where none were decided).
    feature : Feature or None
        What is cut, where one cut describes the region.
    cut : float
        Where it is cut.
    below : bool
        Whether the generator holds below the cut.
    """

    text: str
    share: float
    accuracy: float
    feature: Feature | None = None
    cut: float = math.nan
    below: bool = True

    def contains(self, x: NDArray) -> NDArray:
        """Whether the rule says that the generator holds at points ``x (n, d)``."""
        if self.feature is None:
            return np.full(len(x), self.share > 0.5)
        return (self.feature(x) < self.cut) == self.below


def region_rule(x: NDArray, holds: NDArray, features: Sequence[Feature], rng: np.random.Generator) -> RegionRule:
    """Describe the points ``x (n, d)`` at which ``holds (n,)`` is true.

    One half of the points chooses the cut, the other says how often it is right.
    """
    if len(x) < 4:
        return RegionRule(UNDECIDED, math.nan, math.nan)
    share = float(holds.mean())
    order = rng.permutation(len(x))
    fit, test = order[: len(x) // 2], order[len(x) // 2 :]
    plain = max(share, 1.0 - share)
    if share in (0.0, 1.0):
        return RegionRule("everywhere" if share else "nowhere", share, 1.0)
    feature, cut, below = _best_cut(x[fit], holds[fit], features)
    right = float(np.mean(((feature(x[test]) < cut) == below) == holds[test]))
    error = math.sqrt(max(plain * (1 - plain), 1.0 / len(test)) / len(test))
    if right > plain + SURE * error:
        where = f" (where {feature.definition})" if feature.definition else ""
        return RegionRule(
            f"for {feature.name} {'<' if below else '>'} {number(cut, 3)}{where}", share, right, feature, cut, below
        )
    if plain >= 1.0 - RARE:
        return RegionRule("almost everywhere" if share > 0.5 else "almost nowhere", share, plain)
    return RegionRule(f"at {100 * share:.0f} % of the points, without a simple description", share, plain)


def features_of(action: AbstractAction, centre: NDArray, scales: NDArray, names: tuple[str, ...]) -> list[Feature]:
    """Descriptions to try, simplest first.

    Coordinates, invariants of the one generator, distance from the mean, sizes of coordinates.
    """
    d = len(names)
    unit = np.eye(d, dtype=np.int64)
    coordinates = [Feature(_name(names[a]), "", unit[[a]], np.ones(1)) for a in range(d)]
    radius = _distance(centre, 1.0 / scales**2, names, "the mean of the points")
    sizes = [Feature(f"|{_name(names[a])}|", "", 2 * unit[[a]], np.ones(1), True) for a in range(d)]
    return [*coordinates, *_invariants(action, names), *([radius] if d > 1 else []), *sizes]


def _best_cut(x: NDArray, holds: NDArray, features: Sequence[Feature]) -> tuple[Feature, float, bool]:
    """The simplest of the cuts that are as good as the best, up to one standard error of their accuracy."""
    spread = x.std(axis=0)
    z = x / np.where(spread > 0, spread, 1.0)
    near = cKDTree(z).query(z, 2)[1][:, 1]
    cuts = [_cut(values, holds, near) for values in (feature(x) for feature in features)]
    best = max(right for right, _, _ in cuts)
    slack = math.sqrt(max(best * (1 - best), 1.0 / len(x)) / len(x))
    k = next(i for i, (right, _, _) in enumerate(cuts) if right >= best - slack)
    return features[k], cuts[k][1], cuts[k][2]


def _cut(values: NDArray, holds: NDArray, near: NDArray) -> tuple[float, float, bool]:
    """Accuracy, cut and side of the best cut of one feature; of cuts that are as good, the roundest number.

    Where the region ends is known to no better than half of the way from one point to the next, ``near (n,)``.
    """
    blur = 0.5 * min(float(np.median(np.abs(values - values[near]))), REACH * float(values.std()))
    order = np.argsort(values)
    v, h = values[order], holds[order]
    n = len(v)
    left = np.concatenate([[0], np.cumsum(h)])  # right below the cut, were it to hold there
    below = left + (n - h.sum()) - (np.arange(n + 1) - left)
    counts = np.stack([below, n - below])
    side, _ = np.unravel_index(int(np.argmax(counts)), counts.shape)
    most = counts[side].max()
    slack = max(1.0, 0.5 * math.sqrt(most * (n - most) / n))  # half a standard error is no loss
    good = np.flatnonzero(counts[side] >= most - slack)
    low, high = float(v[max(good[0] - 1, 0)]), float(v[min(good[-1], n - 1)])
    exact = np.flatnonzero(counts[side] == most)
    middle = 0.5 * float(v[max(exact[0] - 1, 0)] + v[min(exact[-1], n - 1)])
    cut = _round_between(low - blur, high + blur, middle)
    return float(most) / n, cut, bool(side == 0)


def _round_between(low: float, high: float, middle: float) -> float:
    """The number nearest the middle that has the fewest digits of all between two."""
    if not low < high:
        return float(middle)
    start = math.floor(math.log10(max(abs(low), abs(high), high - low)))
    for digits in range(-start, -start + 16):
        rounded = round(middle, digits)
        if low < rounded < high:
            return float(rounded)
    return float(middle)


def _invariants(action: AbstractAction, names: tuple[str, ...]) -> list[Feature]:
    """Quadratic polynomials that the generator leaves alone, over the coordinates that it involves."""
    base = behind(action)
    if not isinstance(base, PolynomialAction) or base.n_generators != 1 or base.point_dim != len(names):
        return []
    coefficients = base.coefficients[0]
    if not coefficients.any():
        return []
    moved = np.abs(coefficients).max(axis=1) > 0
    columns = np.flatnonzero(moved | (base.exponents[np.abs(coefficients).max(axis=0) > 0] > 0).any(axis=0))
    if not 2 <= len(columns) <= MOST_MOVED:
        return []
    table = np.zeros((len(small := exponents(len(columns), 2)[1:]), len(names)), dtype=np.int64)
    table[:, columns] = small
    x = np.random.default_rng(0).normal(size=(4 * len(table), len(names)))
    rows = np.einsum("nra,na->nr", monomial_gradients(x, table), base.on_points(x)[:, 0])
    _, sizes, vt = np.linalg.svd(rows / max(np.abs(rows).max(), np.finfo(float).tiny))
    null = vt[sizes <= sizes[0] * rounding(rows.shape)]
    readable = np.round(echelon(null.T).T, 9) if len(null) else null  # rounding must not hide a circle
    found = [_quadratic(table, row, columns, names) for row in readable]
    return [feature for feature in found if feature.table.sum() > 1]


def _quadratic(table: NDArray, row: NDArray, columns: NDArray, names: tuple[str, ...]) -> Feature:
    """An invariant as a radius where it is one, else as a polynomial."""
    d = len(names)
    unit = np.eye(d, dtype=np.int64)

    def of(exponent: NDArray) -> float:
        return float(row[np.flatnonzero((table == exponent).all(axis=1))[0]])

    squares = np.array([of(2 * unit[a]) for a in columns])
    linear = np.array([of(unit[a]) for a in columns])
    used = np.flatnonzero(squares)
    crossed = any(of(unit[a] + unit[b]) for i, a in enumerate(columns) for b in columns[:i])
    plain = len(used) and not crossed and np.all(squares[used] == squares[used[0]]) and not linear[squares == 0].any()
    if plain and len(used) > 1:
        centre, weights = np.zeros(d), np.zeros(d)
        centre[columns[used]], weights[columns[used]] = -linear[used] / (2 * squares[used]), 1.0
        return _distance(centre, weights, names, "")
    kept = np.abs(row) > 0
    return Feature(polynomial_text(table[kept], row[kept].tolist(), names), "", table[kept], row[kept])


def _distance(centre: NDArray, weights: NDArray, names: tuple[str, ...], point: str) -> Feature:
    """The root of sum weights (x - centre)^2; named after a point, or written out where there are few terms."""
    d, used = len(centre), np.flatnonzero(weights)
    unit = np.eye(d, dtype=np.int64)[used]
    table = np.vstack([np.zeros((1, d), dtype=np.int64), unit, 2 * unit])
    w, c = weights[used], centre[used]
    coefficients = np.concatenate([[np.sum(w * c**2)], -2 * w * c, w])
    if not point:
        squares = " + ".join(f"{_shifted(names[a], centre[a])}^2" for a in used)
        return Feature("r", f"r = sqrt({squares})", table, coefficients, True)
    same = bool(np.all(w == w[0]))
    unit_of = f", in units of {number(float(w[0]) ** -0.5, 3)}" if same else ", each coordinate in units of its spread"
    return Feature("s", f"s = distance from {point}{unit_of}", table, coefficients, True)


def _shifted(name: str, c: float) -> str:
    return _name(name) if c == 0 else f"({_name(name)} {'-' if c > 0 else '+'} {number(abs(c), 3)})"


def _name(name: str) -> str:
    return name if name.isidentifier() else f"({name})"
