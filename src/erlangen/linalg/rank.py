"""Rank rules: how many of the ascending relative defects count as zero, and why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray


@dataclass(frozen=True)
class RankDecision(AbstractShown):
    """A dimension and the reason for it.

    Attributes
    ----------
    dim : int
        How many values count as zero.
    reason : str
        Why, in words.
    margin : float
        First value that does not count divided by the last that does (infinite where one is missing).
    decided : bool
        Whether the rule could tell; where it could not, ``dim`` is what is sure.
    """

    dim: int
    reason: str
    margin: float
    decided: bool = True


class AbstractRankRule(AbstractShown, ABC):
    """Decide how many of the ascending values of a spectrum are zero.

    A rule sees relative defects (1 is what an unrelated direction gives) and the floor below which
    a value is rounding or the field's own derivative error.
    """

    @abstractmethod
    def decide(self, values: NDArray, floor: float) -> RankDecision:
        """Return the dimension and the reason for ascending ``values (p,)`` with this floor.

        Parameters
        ----------
        values : ndarray (p,)
            Relative defects, ascending.
        floor : float
            Relative defects below this are rounding, or the error of the field's derivative.

        Returns
        -------
        RankDecision
            How many count as zero, and why.
        """

    def decide_for(self, values: NDArray, floor: float, problem: Any) -> RankDecision:
        """The same for a Lie derivative ``problem``, for rules that look behind the numbers.

        Parameters
        ----------
        values : ndarray (p,)
            Relative defects, ascending.
        floor : float
            Relative defects below this are rounding, or the error of the field's derivative.
        problem : LieDerivative
            What the defects are of.

        Returns
        -------
        RankDecision
            How many count as zero, and why.
        """
        return self.decide(values, floor)


def margin(values: NDArray, dim: int, floor: float) -> float:
    """Ratio of the first value dropped to the last value kept (never below the floor).

    Parameters
    ----------
    values : ndarray (p,)
        Relative defects, ascending.
    dim : int
        How many of them are kept.
    floor : float
        Smallest number that the last kept value is taken for.

    Returns
    -------
    float
        The ratio; infinite where nothing is kept, or nothing dropped.
    """
    if dim == 0 or dim >= len(values):
        return float("inf")
    return float(values[dim] / max(values[dim - 1], floor, np.finfo(np.float64).tiny))


APART = 3.0
"""How many times larger than its error a defect must be, for the rest to stand apart: three standard errors."""


@dataclass(frozen=True)
class Threshold(AbstractRankRule):
    """Count the values up to a declared relative defect.

    Parameters
    ----------
    delta : float
        Relative defect up to which a direction counts as a symmetry. The default 0.05 asks that the
        Lie derivative is at most 5 % of what an unrelated direction gives.

    Raises
    ------
    InputError
        When delta is not between 0 and 1.

    Examples
    --------
    >>> Threshold(0.05).decide(np.array([1e-12, 0.04, 0.4, 0.7]), 1e-15).dim
    2
    """

    delta: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 < self.delta < 1.0:
            raise InputError(
                explain(
                    "A relative defect must lie between 0 and 1.",
                    given=f"delta = {self.delta}",
                    expected="0 < delta < 1 (1 is what an unrelated direction gives)",
                    fix="Threshold(delta=0.05)",
                )
            )

    def decide(self, values: NDArray, floor: float) -> RankDecision:
        """Count the values at or below delta; see :class:`AbstractRankRule`."""
        if floor > self.delta:
            return self._coarse(values, floor)
        dim = int(np.sum(values <= self.delta))
        gap = margin(values, dim, floor)
        return RankDecision(dim, _threshold_reason(np.maximum(values, floor), dim, self.delta, gap), gap)

    def _coarse(self, values: NDArray, floor: float) -> RankDecision:
        """The derivative is known less well than delta: count what its error explains, where the rest stands apart."""
        known = f"the field's derivative is only known to {floor:.2g}, coarser than delta = {self.delta:g}"
        dim = int(np.sum(values <= floor))
        gap = margin(values, dim, floor)
        if dim == 0 or gap < APART:
            return RankDecision(0, f"{known}: a defect below that says nothing", gap)
        rest = f"the next is {values[dim]:.2g}, {gap:.3g} times larger" if dim < len(values) else "no other is left"
        return RankDecision(dim, f"{known}; {dim} defects are no larger than that, {rest}", gap)


def _threshold_reason(values: NDArray, dim: int, delta: float, gap: float) -> str:
    if len(values) == 0:
        return "no candidate direction is left to test"
    if dim == 0:
        return f"the smallest defect {values[0]:.2g} is above delta = {delta:g}"
    if dim == len(values):
        return f"every defect is at most {values[-1]:.2g}, below delta = {delta:g}"
    return (
        f"{dim} defect{'s' if dim > 1 else ''} up to {values[dim - 1]:.2g}, below delta = {delta:g}; "
        f"the next is {values[dim]:.2g}, {gap:.3g} times larger"
    )


@dataclass(frozen=True)
class LargestGap(AbstractRankRule):
    """Cut at the largest ratio of neighbouring values, never below the floor nor above one half.

    It cannot tell a small broken symmetry from an exact one: prefer :class:`Threshold` where a
    tolerance can be named.

    Examples
    --------
    >>> LargestGap().decide(np.array([1e-12, 3e-12, 1e-11, 0.4, 0.7]), 1e-15).dim
    3
    """

    def decide(self, values: NDArray, floor: float) -> RankDecision:
        """Cut at the largest ratio; see :class:`AbstractRankRule`."""
        lifted = np.maximum(values, floor)
        allowed = np.flatnonzero(lifted[:-1] < 0.5) if len(values) > 1 else np.array([], dtype=int)
        if allowed.size == 0:
            dim = int(len(values) == 1 and lifted[0] <= floor)
            return RankDecision(dim, "too few values for a gap", float("inf"))
        ratios = lifted[allowed + 1] / lifted[allowed]
        best = int(np.argmax(ratios))
        dim = int(allowed[best]) + 1
        return RankDecision(dim, f"largest ratio of neighbours, {ratios[best]:.3g}", float(ratios[best]))


@dataclass(frozen=True)
class NoiseFloor(AbstractRankRule):
    """Count the values that the field's own derivative error explains.

    Parameters
    ----------
    factor : float
        How many times the floor still counts as zero; 3 covers a value three standard errors up.

    Examples
    --------
    >>> NoiseFloor().decide(np.array([1e-3, 2e-3, 0.4, 0.7]), 1e-3).dim
    2
    """

    factor: float = 3.0

    def decide(self, values: NDArray, floor: float) -> RankDecision:
        """Count the values up to ``factor * floor``; see :class:`AbstractRankRule`."""
        dim = int(np.sum(values <= self.factor * floor))
        gap = margin(values, dim, floor)
        return RankDecision(dim, f"{dim} values within {self.factor:g} times the floor {floor:.2g}", gap)


def dimension_path(values: NDArray, floor: float = 0.0) -> list[tuple[float, int]]:
    """Dimension as a function of delta: ``(delta, dim)`` where the dimension steps up.

    Parameters
    ----------
    values : ndarray (p,)
        Relative defects, in any order.
    floor : float
        Smaller values are lifted to it.

    Returns
    -------
    list of (float, int)
        Where the dimension steps up, and to what.
    """
    steps: list[tuple[float, int]] = []
    for i, value in enumerate(np.maximum(np.sort(values), floor), start=1):
        if steps and value <= steps[-1][0]:
            steps[-1] = (steps[-1][0], i)
        else:
            steps.append((float(value), i))
    return steps
