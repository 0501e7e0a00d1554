"""What a certificate is asked for, once input is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.derivative import Samples
from erlangen.evidence.estimate import Estimate, estimate
from erlangen.evidence.observed import Observed
from erlangen.evidence.simultaneous import Nested
from erlangen.fields import AbstractLinearField


@dataclass(frozen=True, eq=False)
class Task:
    """Observations in a linear class, candidates, region and levels.

    Attributes
    ----------
    data : Observed
        All rows.
    family : AbstractLinearField
        The class.
    action : AbstractAction
        The candidates.
    samples : Samples
        The region.
    alpha, delta : float
        Levels.
    noise : str
        Law of the noise.
    named : ndarray (r, p) or None
        Generators named beforehand.
    chosen_on : ndarray of int or None
        Rows that chose the class, where the data did: they may choose generators, but must not test.
    rng : numpy.random.Generator
        Randomness.
    """

    data: Observed
    family: AbstractLinearField
    action: AbstractAction
    samples: Samples
    alpha: float
    delta: float
    noise: str
    named: NDArray | None
    chosen_on: NDArray | None
    rng: np.random.Generator

    def fit(self, data: Observed) -> Estimate:
        """Estimate the parameters from some of the rows, with the law of their error."""
        return estimate(
            self.family, data.x, data.y, noise=self.noise, weights=data.weights, groups=data.groups, rng=self.rng
        )

    def point(self, data: Observed) -> Estimate:
        """Estimate the parameters from rows that only choose: their error plays no part."""
        return estimate(self.family, data.x, data.y, weights=data.weights)

    def parts(self, share: float) -> tuple[Observed, Observed]:
        """The rows that choose and the rows that test."""
        if self.chosen_on is None:
            return self.data.split(share, self.rng)
        return self.data.take(self.chosen_on), self.data.take(np.setdiff1d(np.arange(len(self.data)), self.chosen_on))


@dataclass(frozen=True, eq=False)
class Answer:
    """What a mode says.

    Attributes
    ----------
    span : ndarray (p, dim)
        Certified span.
    bound : float
        Bound of the worst true defect in it.
    path : Nested
        Spans and bounds for the band.
    fit : Estimate
        Estimate behind what is listed: of all rows.
    mode, guarantee : str
        Words.
    assumptions : tuple of str
        Most binding first.
    radius : float
        Radius of the set from which each generator is bounded; NaN where only the span is.
    simultaneous : bool
        Whether the band holds for all delta at once.
    refits : int
        Refits or simulations.
    notes : tuple of str
        Remarks.
    complete : bool
        Whether the path runs over all candidates.
    chooser : ndarray (q, s) or None
        Root of the error of the estimate that chose the span; None where that is ``fit``.
    """

    span: NDArray
    bound: float
    path: Nested
    fit: Estimate
    mode: str
    guarantee: str
    assumptions: tuple[str, ...]
    radius: float
    simultaneous: bool
    refits: int
    notes: tuple[str, ...] = ()
    complete: bool = True
    chooser: NDArray | None = None
