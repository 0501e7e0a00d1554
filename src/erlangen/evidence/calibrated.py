"""Calibrated certificates: all of the data, with a radius that simulation says is enough.

The ellipsoid of q parameters pays for every contrast there is; a certificate asks for a few. So bounds are
taken with a smaller radius, and draws from null models at the edge of delta say how small it may be. That is
asymptotic: it holds as far as the null models contain the worst case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.evidence.bilinear import Bilinear, spectrum_of
from erlangen.evidence.ellipsoid import quadratic_max
from erlangen.evidence.estimate import Estimate
from erlangen.evidence.heldout import snapped
from erlangen.evidence.simultaneous import Nested, reach, with_radius

DRAWS = 200
"""Draws from each null model: enough to tell a rate of 1 % from one of 5 %."""

EDGE = 1.01
"""Null models stand this factor beyond delta: certifying there is an error, and nowhere is it more likely."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """A radius for which false certifications are rare under every null model.

    Attributes
    ----------
    radius : float
        To be used in place of that of the simultaneous set.
    outer : float
        Radius of the simultaneous set, never exceeded.
    rates : tuple of (str, float)
        Each null model, and the share of its draws in which something false was certified.
    draws : int
        Number of draws from each.
    """

    radius: float
    outer: float
    rates: tuple[tuple[str, float], ...]
    draws: int


def calibrate(
    both: Bilinear,
    fit: Estimate,
    delta: float,
    alpha: float,
    *,
    draws: int = DRAWS,
    rng: int | np.random.Generator = 0,
) -> Calibration:
    """Find the radius by simulation.

    Null models are the estimate itself, random members of its confidence set, and fields at the edge: the nearest
    ones (in the metric of the noise) of which the d smallest defects come to just above delta, for every d that
    the estimate does not refute, also starting from the nearest exactly symmetric fields. For each draw there is a
    radius above which nothing false is certified; the answer is the smallest that is enough in all but so few draws
    that the rate is below alpha with 95 % confidence.

    Parameters
    ----------
    both : Bilinear
        Tensors of the family.
    fit : Estimate
        Parameters and the law of their error, by whatever noise was assumed.
    delta, alpha : float
        Tolerance and error probability.
    draws : int
        Draws from each null model.
    rng : int or Generator
        Randomness of the draws.
    """
    rng = np.random.default_rng(rng)
    outer = fit.radius(alpha)
    allowed = _allowed(draws, alpha)
    radius, rates, needed = fit.quantile(alpha), [], []
    for name, theta in null_models(both, fit, delta, rng):
        noise = fit.draws(draws, rng) - fit.theta
        critical = np.array(
            [_critical(both, fit, theta, theta + e, delta, outer) for e in track(noise, "simulated draws")]
        )
        needed.append((name, critical))
        radius = max(radius, float(np.sort(critical)[::-1][allowed]))
    radius = min(radius, outer)
    rates = [(name, float(np.mean(critical > radius))) for name, critical in needed]
    return Calibration(radius, outer, tuple(rates), draws)


def calibrated(both: Bilinear, fit: Estimate, found: Calibration) -> Nested:
    """Bounds of all the data with a calibrated radius; from below with that of the simultaneous set."""
    return with_radius(both, fit, found.radius, found.outer)


def null_models(both: Bilinear, fit: Estimate, delta: float, rng: np.random.Generator) -> list[tuple[str, NDArray]]:
    """Parameters from which false certifications are simulated, with their names."""
    spectrum = spectrum_of(both, fit.theta)
    whole = reach(both, spectrum.basis, fit.root)
    outer = float(np.sqrt(special.chdtri(max(fit.rank, 1), 0.05)))
    reachable = [d for d, s in enumerate(spectrum.values, 1) if s - outer * whole.lie <= 2 * delta and s < 0.5]
    out = [("the estimate", fit.theta)]
    for d in reachable[:6]:
        span = spectrum.basis[:, :d]
        starts = [("", fit.theta)]
        simple = snapped(span)
        if simple is not None and np.linalg.matrix_rank(simple) == d:
            starts.append((" from a symmetric field", _projected(both, fit, simple)))
        for label, start in starts:
            moved = _to_edge(both, fit, start, d, EDGE * delta)
            if moved is not None:
                out.append((f"defect {d} at delta{label}", moved))
    return out + [("a member of the set", theta) for theta in fit.draws(2, rng)]


def _critical(both: Bilinear, fit: Estimate, truth: NDArray, drawn: NDArray, delta: float, outer: float) -> float:
    """Radius from which on the estimate ``drawn`` leads to no false certificate, were ``truth`` true.

    V_d is certified where the bounds of V_1 .. V_d are at most delta, of which the last is the largest. What is
    certified is false from the first span on that holds a true defect above delta.
    """
    found = spectrum_of(both, drawn)
    for d, defect in enumerate(found.values, 1):
        if defect > delta:
            return 0.0
        span = found.basis[:, :d]
        if both.worst(span, truth) > delta:
            radius = max(reach(both, span, fit.root).radius(float(defect), delta), 0.0)
            return radius if d > 1 else _joint_radius(both, fit, drawn, span[:, 0], delta, (radius, outer))
    return 0.0


def _joint_radius(
    both: Bilinear, fit: Estimate, theta: NDArray, xi: NDArray, delta: float, between: tuple[float, float]
) -> float:
    """Radius at which the joint bound of one generator, which is the one that certifies it, comes to delta."""
    lie, size = both.lie_of(xi), both.size_of(xi)
    a, b, e, f = lie @ theta, lie @ fit.root, size @ theta, size @ fit.root
    h, g, start = b.T @ b - delta**2 * f.T @ f, b.T @ a - delta**2 * f.T @ e, a @ a - delta**2 * e @ e
    low, high = between
    while high - low > 1e-2 * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if quadratic_max(h, g, middle) + start > 0 else (middle, high)
    return high


def _projected(both: Bilinear, fit: Estimate, span: NDArray) -> NDArray:
    """The nearest parameters, in the metric of the noise, that are exactly symmetric under a span."""
    rows = both.restrict(span).lie.reshape(-1, both.n_params)
    step = np.linalg.pinv(rows @ fit.root) @ (rows @ fit.theta)
    return fit.theta - fit.root @ step


def _to_edge(both: Bilinear, fit: Estimate, start: NDArray, d: int, target: float) -> NDArray | None:
    """Move parameters along the direction of largest change of the d-th defect until it is ``target``.

    The direction is the one in which the noise moves the Lie derivative of the d-th generator most.
    """
    found = spectrum_of(both, start)
    if len(found.values) < d:
        return None
    rows = both.lie_of(found.basis[:, d - 1]) @ fit.root
    _, _, vt = np.linalg.svd(rows, full_matrices=False)
    direction = fit.root @ vt[0]

    def excess(t: float) -> float:
        values = spectrum_of(both, start + t * direction).values
        return float(values[d - 1]) - target

    if excess(0.0) > 0:  # beyond the edge already: shrink the d-th defect instead
        inside = _projected(both, fit, found.basis[:, d - 1 : d])
        path = lambda t: float(spectrum_of(both, start + t * (inside - start)).values[d - 1]) - target  # noqa: E731
        if path(1.0) > 0:
            return None
        t = optimize.brentq(path, 0.0, 1.0, xtol=1e-3)
        return start + t * (inside - start)
    for sign in (1.0, -1.0):
        step = sign
        for _ in range(20):
            if excess(step) > 0:
                return start + optimize.brentq(excess, 0.0, step, xtol=1e-3 * abs(step)) * direction
            step *= 2
    return None


def _allowed(draws: int, alpha: float) -> int:
    """Largest count of false certificates for which the rate is below alpha with 95 % confidence (Clopper-Pearson)."""
    counts = np.arange(draws)
    upper = special.betaincinv(counts + 1, draws - counts, 0.95)
    return max(int(np.sum(upper <= alpha)) - 1, 0)
