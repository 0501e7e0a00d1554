"""Certified: the rank rule that counts a defect only where its upper confidence bound is small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import ErlangenError, InputError, explain
from erlangen._render import number
from erlangen._typing import NDArray
from erlangen.linalg.rank import AbstractRankRule, RankDecision, margin
from erlangen.verbs._measure import interval


@dataclass(frozen=True)
class Certified(AbstractRankRule):
    """Count the defects that are certified to be at most delta.

    Where a field was fitted by a class with known coefficient errors, a defect counts where the upper bound from
    their simultaneous confidence set is at most delta (:func:`erlangen.evidence.certify`); elsewhere, where the
    upper end of its interval is, given the stated error of the derivative. Errors make it count fewer, never more.

    Parameters
    ----------
    alpha : float
        Probability that the dimension is too large.
    delta : float
        Relative defect up to which a direction counts.

    Raises
    ------
    InputError
        When alpha or delta is not between 0 and 1.

    Examples
    --------
    >>> import erlangen as er
    >>> er.discover(lambda x: (x**2).sum(axis=1), samples=er.Samples.box(-1, 1, dim=2), rule=er.Certified()).dim
    1
    """

    alpha: float = 0.05
    delta: float = 0.05

    def __post_init__(self) -> None:
        numbers = all(isinstance(v, (int, float, np.number)) for v in (self.alpha, self.delta))
        if not (numbers and 0.0 < self.alpha < 1.0 and 0.0 < self.delta < 1.0):
            raise InputError(
                explain(
                    "Error probability and tolerance lie between 0 and 1.",
                    given=f"alpha = {self.alpha!r}, delta = {self.delta!r}",
                    expected="0 < alpha < 1 and 0 < delta < 1",
                    fix="Certified(alpha=0.05, delta=0.05)",
                )
            )

    def decide(self, values: NDArray, floor: float) -> RankDecision:
        """Count the values of which the upper end of the interval is at most delta."""
        return self._count(interval(values, floor)[1], values, floor, "given the error of the derivative")

    def decide_for(self, values: NDArray, floor: float, problem: Any) -> RankDecision:
        """Count by the confidence set of the coefficients, where the field of the problem has one."""
        from erlangen.evidence._symmetries import upper_bounds

        try:
            upper = upper_bounds(problem, self.alpha)
        except ErlangenError:  # no law of the coefficients, or too many: the stated error decides
            return self.decide(values, floor)
        return self._count(upper, values, floor, f"with probability {1 - self.alpha:g} by one confidence set")

    def _count(self, upper: NDArray, values: NDArray, floor: float, how: str) -> RankDecision:
        above = np.flatnonzero(upper[: len(values)] > self.delta)
        dim = int(above[0]) if len(above) else min(len(upper), len(values))
        gap, decided = margin(values, dim, floor), int(np.sum(values <= self.delta)) <= dim
        if dim == 0:
            first = f", the smallest bound is {number(float(upper[0]), 2)}" if len(upper) else ""
            words = f"nothing is certified to be below delta = {self.delta:g} {how}{first}"
            return RankDecision(0, words, gap, decided)
        rest = f"; the next bound is {number(float(upper[dim]), 2)}" if dim < len(upper) else ""
        bound = number(float(upper[dim - 1]), 2)
        return RankDecision(
            dim, f"{dim} certified to be at most {bound}, below delta = {self.delta:g}, {how}{rest}", gap
        )
