"""Where the states come from: the density that integration by parts needs, known or estimated.

A weak moment is an integral over the target measure nu with density q, estimated from points with density p. With a
known nu only the ratio q / p enters: it is 1 where the design is nu. Where the region is the data themselves, q = p,
its score grad log p is needed. Estimated ones make the bias a product of two errors, that of the density and that of
the model: small, but no longer zero. On a box q carries a taper that vanishes on the boundary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import cast

import numpy as np
from scipy import special

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.derivative.measures import AbstractMeasure, BoxMeasure, GaussianMeasure
from erlangen.evidence._ratios import matched, tilted
from erlangen.evidence._test_fields import Taper, taper_of
from erlangen.linalg.polynomials import exponents, monomial_gradients, monomials

Density = Callable[[NDArray], NDArray]
"""Points ``(n, d)`` to densities ``(n,)``."""

NODES = 6000
"""Low-discrepancy points that stand for a region in more than five coordinates; product rules serve the others."""

DEGREE = 4
"""Degree of log densities and of moments that a design is tested by."""

SUSPECT = 1e-3
"""Probability of so large a deviation below which points are not taken to be drawn from the target measure."""

OVERLAP = 0.1
"""Share of the points that must be effective after weighting for a weighted mean to be near normal."""


@dataclass(frozen=True, eq=False)
class Law:
    """What one fold needs to know of the densities.

    Attributes
    ----------
    ratio : callable
        Ratio q / p ``(n,)`` at points ``(n, d)``, before the taper.
    score : callable
        Gradient of log q ``(n, d)``, before the taper.
    taper : Taper or None
        The weight that vanishes on the boundary; None where q does so itself.
    nodes : ndarray (m, d)
        Points that stand for the measure in integrals.
    shares : ndarray (m,)
        Their weights with the taper, which add up to one.
    mass : float
        Integral of the taper.
    sampled : bool
        Whether the region is the data: integrals of the model are then means over fresh points.
    """

    ratio: Callable[[NDArray], NDArray]
    score: Callable[[NDArray], NDArray]
    taper: Taper | None
    nodes: NDArray
    shares: NDArray
    mass: float
    sampled: bool = False

    def pull(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Weights w = q b / p ``(n,)`` and w grad log(q b) ``(n, d)``, finite on the boundary too."""
        ratio, score = self.ratio(x), self.score(x)
        if self.taper is None:
            return ratio, ratio[:, None] * score
        b, slope = self.taper(x)
        return ratio * b / self.mass, ratio[:, None] * (slope + b[:, None] * score) / self.mass


def law_of(
    ratio: Callable[[NDArray], NDArray],
    score: Callable[[NDArray], NDArray],
    region: AbstractMeasure,
    x: NDArray | None = None,
) -> Law:
    """A law on a region, or on the points ``x (n, d)`` whose bounding box the region then is."""
    points, shares = nodes_of(region) if x is None else (x, np.full(len(x), 1.0 / len(x)))
    if not isinstance(region, BoxMeasure):
        return Law(ratio, score, None, points, shares, 1.0)
    taper = taper_of(region)
    tapered = shares * taper(points)[0]
    return Law(ratio, score, taper, points, tapered / tapered.sum(), float(tapered.sum()), x is not None)


class AbstractDesign(ABC):
    """How points were drawn, and the region that is claimed."""

    @property
    @abstractmethod
    def target(self) -> AbstractMeasure | None:
        """The measure nu; None where the region is the data."""

    @property
    @abstractmethod
    def assumption(self) -> str:
        """What is assumed about the points, in words."""

    @property
    @abstractmethod
    def known(self) -> bool:
        """Whether the density is known, so that moments are unbiased for any model."""

    @abstractmethod
    def law(self, x: NDArray) -> Law:
        """Densities as they are known from the points ``x (n, d)`` of other folds."""


@dataclass(frozen=True, eq=False)
class KnownDesign(AbstractDesign):
    """Points drawn from a known density, a region with a known measure.

    Parameters
    ----------
    region : AbstractMeasure
        The measure nu.
    density : callable or None
        Density p ``(n,)`` at points ``(n, d)``, normalised; None where p is nu.
    words : str
        The design in words.
    """

    region: AbstractMeasure
    density: Density | None
    words: str

    @property
    def target(self) -> AbstractMeasure | None:
        return self.region

    @property
    def assumption(self) -> str:
        return f"states drawn independently {self.words}: moments are then unbiased for any model"

    @property
    def known(self) -> bool:
        return True

    def law(self, x: NDArray) -> Law:
        def weight(points: NDArray) -> NDArray:
            own = density_of(self.region, points)
            p = own if self.density is None else np.asarray(self.density(points), dtype=np.float64).ravel()
            return np.divide(own, p, out=np.zeros(len(points)), where=(own > 0) & (p > 0))

        return law_of(weight, lambda points: score_of(self.region, points), self.region)


@dataclass(frozen=True, eq=False)
class EstimatedRatio(AbstractDesign):
    """A known region, points of unknown density: weights exp(polynomial) that give them the moments of the region."""

    region: AbstractMeasure

    @property
    def target(self) -> AbstractMeasure | None:
        return self.region

    @property
    def assumption(self) -> str:
        return (
            "states drawn independently, from a density that was estimated: the bias is the product of its error and "
            "that of the model (double robustness), not zero"
        )

    @property
    def known(self) -> bool:
        return False

    def law(self, x: NDArray) -> Law:
        nodes, shares = nodes_of(self.region)
        inside = density_of(self.region, x) > 0
        degree = DEGREE
        while degree > 1 and 20 * len(exponents(x.shape[1], degree)) > inside.sum():
            degree -= 1
        table = exponents(x.shape[1], degree)
        unit = _unit(self.region)
        c = tilted(monomials(unit(x[inside]), table), monomials(unit(nodes), table), shares)
        # exp(c psi) is the ratio among the points inside; the others weigh nothing.
        share = inside.mean()

        def weight(points: NDArray) -> NDArray:
            log = np.minimum(monomials(unit(points), table) @ c, 30.0)
            return np.where(density_of(self.region, points) > 0, np.exp(log) / share, 0.0)

        return law_of(weight, lambda points: score_of(self.region, points), self.region)


@dataclass(frozen=True, eq=False)
class EstimatedScore(AbstractDesign):
    """The region is the data: the score of their density by weighted score matching on the bounding box.

    References
    ----------
    Hyvarinen, "Estimation of non-normalized statistical models by score matching", JMLR 6 (2005); with weights that
    vanish on the boundary: Hyvarinen, "Some extensions of score matching" (2007).
    """

    low: NDArray
    high: NDArray

    @property
    def target(self) -> AbstractMeasure | None:
        return None

    @property
    def assumption(self) -> str:
        return (
            "states drawn independently, the score of their density estimated by a polynomial: the bias is the "
            "product of its error and that of the model (double robustness), not zero"
        )

    @property
    def known(self) -> bool:
        return False

    def law(self, x: NDArray) -> Law:
        centre, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        degree = DEGREE
        while degree > 1 and 20 * len(exponents(x.shape[1], degree)) > len(x):
            degree -= 1
        table = exponents(x.shape[1], degree, lowest=1)
        c = matched((x - centre) / half, table)

        def score(points: NDArray) -> NDArray:
            return np.einsum("nrd,r->nd", monomial_gradients((points - centre) / half, table), c) / half

        return law_of(lambda points: np.ones(len(points)), score, BoxMeasure(self.low, self.high), x)


def design_of(region: AbstractMeasure | None, x: NDArray, design: object) -> AbstractDesign:
    """The design of points ``x (n, d)`` for a region: as it was named, or as the points allow.

    Parameters
    ----------
    region : AbstractMeasure or None
        Target measure nu; None where the region is the data.
    x : ndarray (n, d)
        The points.
    design : AbstractMeasure, callable, "estimated" or None
        Measure or density ``(n, d) -> (n,)`` that the points were drawn from. None: the region itself, unless the
        moments of the points speak against it; then, and where asked for, the density is estimated.

    Raises
    ------
    InputError
        Where the design is none of these, or misses a part of the region.
    """
    if region is None:
        return EstimatedScore(x.min(axis=0), x.max(axis=0))
    if design is None:
        return KnownDesign(region, None, _words(region)) if same_law(region, x) >= SUSPECT else EstimatedRatio(region)
    if isinstance(design, str) and design == "estimated":
        return EstimatedRatio(region)
    if isinstance(design, AbstractMeasure):
        _covers(design, region)
        return KnownDesign(region, lambda points: density_of(design, points), _words(design))
    if callable(design):
        return KnownDesign(region, cast(Density, design), "from the density that was given")
    raise InputError(
        explain(
            "It is not clear how the points were drawn.",
            given=f"design = {design!r}",
            expected='a measure, a density (n, d) -> (n,), "estimated" or nothing',
            fix="design=er.Samples.box(-1, 1, dim=2).measure",
        )
    )


def same_law(region: AbstractMeasure, x: NDArray) -> float:
    """Probability of moments as far from those of the region, were the points ``x (n, d)`` drawn from it."""
    if (density_of(region, x) <= 0).any():
        return 0.0
    table, unit = exponents(x.shape[1], DEGREE if x.shape[1] <= 3 else 2, lowest=1), _unit(region)
    nodes, shares = nodes_of(region)
    psi, expected = monomials(unit(x), table), monomials(unit(nodes), table)
    mean = shares @ expected
    covariance = (expected - mean).T @ (shares[:, None] * (expected - mean))
    miss = psi.mean(axis=0) - mean
    return float(special.chdtrc(len(table), len(x) * miss @ np.linalg.solve(covariance, miss)))


def nodes_of(region: AbstractMeasure) -> tuple[NDArray, NDArray]:
    """Nodes ``(m, d)`` and weights ``(m,)`` that integrate smooth functions over a measure."""
    d = region.dim
    count = {1: 200, 2: 28, 3: 12, 4: 7, 5: 5}.get(d, 0)
    if count == 0:
        points = region.draw(NODES, 0)
        return points, np.full(len(points), 1.0 / len(points))
    axes = [region.nodes(a, count) for a in range(d)]
    points = np.array(list(product(*(t for t, _ in axes))))
    return points, np.prod(np.array(list(product(*(w for _, w in axes)))), axis=1)


def density_of(region: AbstractMeasure, x: NDArray) -> NDArray:
    """Density ``(n,)`` of a box or Gaussian measure."""
    if isinstance(region, BoxMeasure):
        slack = 1e-12 * (region.high - region.low)
        inside = ((x >= region.low - slack) & (x <= region.high + slack)).all(axis=1)
        return np.asarray(inside / np.prod(region.high - region.low))
    z = (x - region.mean) / region.std
    return np.asarray(np.exp(-0.5 * np.sum(z**2, axis=1)) / np.prod(region.std * np.sqrt(2 * np.pi)))


def score_of(region: AbstractMeasure, x: NDArray) -> NDArray:
    """Gradient ``(n, d)`` of the log density of a box or Gaussian measure."""
    return np.zeros_like(x) if isinstance(region, BoxMeasure) else np.asarray((region.mean - x) / region.std**2)


def _unit(region: AbstractMeasure) -> Callable[[NDArray], NDArray]:
    scale = region.std * (np.sqrt(3) if isinstance(region, BoxMeasure) else 1.0)
    return lambda x: (x - region.mean) / scale


def _covers(design: AbstractMeasure, region: AbstractMeasure) -> None:
    if isinstance(design, GaussianMeasure):
        return
    nodes, _ = nodes_of(region)
    if isinstance(region, BoxMeasure):
        nodes = np.vstack([nodes, region.low, region.high])
    if (density_of(design, nodes) <= 0).any():
        raise InputError(
            explain(
                "The design misses a part of the region.",
                given=f"points {_words(design)}",
                expected=f"a design that reaches all of the region {_words(region)}",
                fix="samples inside the box that the points were drawn from",
            )
        )


def _words(measure: AbstractMeasure) -> str:
    if isinstance(measure, BoxMeasure):
        sides = " x ".join(f"[{a:.3g}, {b:.3g}]" for a, b in zip(measure.low, measure.high))
        return f"uniformly on {sides}"
    return (
        f"from the normal law with mean {np.round(measure.mean, 3).tolist()} and spread {measure.std.round(3).tolist()}"
    )
