"""Which atoms: a walk over supports, scored by the misfit of whole trajectories and the price of terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.dynamics.shooting.newton import Fit, Linear, Shooting
from erlangen.dynamics.shooting.subsets import column_lengths, gains, residual_after

CARRIED = 4
"""Best supports that go on to longer windows."""

ROUNDS = 14
"""Moves accepted for windows of one length."""

CLOSE = 6.0
"""Loss of score, by the problem to first order, up to which a neighbour is tried: an evidence ratio of exp(3)."""

TRIED = 6
"""Neighbours tried in a round."""

STEPS = 12
"""Steps of Gauss-Newton from a guess."""

NEARBY = 6
"""Steps from a neighbour that is known, to first order, to be better."""

PAIRS = 10
"""Terms up to which two are dropped at once."""

FITS = 2.0
"""Squared residual, in variances, below which a fit is no failure that other starting points might mend."""


@dataclass(eq=False)
class Search:
    """Supports tried for windows of one length.

    Attributes
    ----------
    problem : Shooting
    prices : ndarray (K,)
        What each atom must lower the cost by.
    """

    problem: Shooting
    prices: NDArray
    fits: dict[tuple[int, ...], Fit] = field(default_factory=dict)
    attempts: dict[tuple[int, ...], int] = field(default_factory=dict)

    def score(self, fit: Fit) -> float:
        """Cost and the price of the terms."""
        return fit.cost + float(self.prices[list(fit.support)].sum())

    def best(self) -> list[Fit]:
        """All that were followed to the end, the best first."""
        return sorted((fit for fit in self.fits.values() if np.isfinite(fit.cost)), key=self.score)

    def try_from(self, support: tuple[int, ...], starts: list[tuple[NDArray, NDArray]], steps: int = STEPS) -> Fit:
        """The best fit from several starting points; the later ones only where the first fail."""
        best = self.fits.get(support, Fit(support, np.zeros(len(support)), self.problem.win.start, np.inf))
        for z, start in starts:
            fit = self.problem.fit(support, z, start, steps)
            best = fit if fit.cost < best.cost else best
            if best.cost < FITS * self.problem.win.n_observed:
                break
        self.fits[support] = best
        self.attempts[support] = self.attempts.get(support, 0) + 1
        return best

    def walk(self) -> None:
        """Move to better neighbours until there is none."""
        for _ in track(range(ROUNDS), "walk over terms"):
            ranked = self.best()
            linear = self.problem.linear(ranked[0]) if ranked else None
            if linear is None or not self._step(ranked[0], linear):
                return

    def _step(self, fit: Fit, linear: Linear) -> bool:
        """Whether a neighbour is better."""
        lengths = column_lengths(linear.design)
        view = View(
            linear.design / lengths, linear.target, self.prices, max(1.0, fit.cost / self.problem.win.n_observed)
        )
        here = view.score(fit.support)
        around = view.neighbours(fit.support)
        down = view.descend(fit.support, around)
        tried = [down] if down != fit.support else []
        tried += [s for value, s in around if value < here + CLOSE and s not in (down, fit.support)][:TRIED]
        for support in tried:
            known = self.fits.get(support)
            promised = view.score(support)
            if known is not None and (self.attempts[support] > 1 or self.score(known) < promised + abs(promised)):
                continue
            z = np.linalg.lstsq(view.a[:, list(support)], view.b, rcond=None)[0] / lengths[list(support)]
            trial = self.try_from(support, [(z, fit.start)], NEARBY)
            if self.score(trial) < self.score(fit):
                return True
        return False


@dataclass(frozen=True, eq=False)
class View:
    """The linear problem, over columns of length one."""

    a: NDArray
    b: NDArray
    prices: NDArray
    variance: float

    def score(self, support: tuple[int, ...]) -> float:
        _, rest = residual_after(self.a, self.b, list(support))
        return float(rest @ rest) / self.variance + float(self.prices[list(support)].sum())

    def neighbours(self, support: tuple[int, ...]) -> list[tuple[float, tuple[int, ...]]]:
        """One or two atoms dropped, one added, or both; the best first."""
        found = dict(self._grown([], list(support), 4))
        for j in support:
            found |= self._grown([j], list(support), 2)
        if len(support) <= PAIRS:
            for pair in combinations(support, 2):
                found |= self._grown(list(pair), list(support), 1)
        found.pop(support, None)
        return sorted((value, s) for s, value in found.items())

    def _grown(self, dropped: list[int], support: list[int], most: int) -> dict[tuple[int, ...], float]:
        """Without some, and with the best others in their place."""
        kept = [j for j in support if j not in dropped]
        left, rest = residual_after(self.a, self.b, kept)
        gain = gains(left, rest, support)
        base = float(rest @ rest) / self.variance + float(self.prices[kept].sum())
        values = base - gain / self.variance + self.prices
        found = {tuple(kept): base}
        for j in np.argsort(values)[:most]:
            if gain[j] > 0:
                found[tuple(sorted((*kept, int(j))))] = float(values[j])
        return found

    def descend(self, support: tuple[int, ...], around: list[tuple[float, tuple[int, ...]]]) -> tuple[int, ...]:
        """Where moves to the best neighbour end."""
        value = self.score(support)
        for _ in range(2 * ROUNDS):
            if not around or around[0][0] >= value - np.finfo(np.float64).eps ** 0.5 * abs(value):
                return support
            value, support = around[0]
            around = self.neighbours(support)
        return support
