"""One conserved quantity: the function, its evidence and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from erlangen._render import Number, _signed_sum, number, number_latex
from erlangen._shown import AbstractShown, card, cut
from erlangen._typing import NDArray
from erlangen.dynamics._readable import Formulation
from erlangen.fields.libraries import Features
from erlangen.fields.trajectories import Trajectories

_DECIMAL = (2, 4, 5, 8, 10)
"""Denominators that read better as decimals."""
_WORTH_WORDS = 0.001
"""A drift below this part of the swing, such as an integrator's, is not told."""


@dataclass(frozen=True, eq=False)
class Law(AbstractShown):
    """A function that the data conserve.

    Attributes
    ----------
    features : Features
        The q functions of the library.
    formulation : Formulation
        Coefficients with errors and roundings.
    defect : float
        Change along the runs, relative to what an unrelated function would change.
    variance_ratio : float or None
        Variance within runs over total variance; None for a single run.
    verdict : str
        What the data say about it.
    """

    features: Features
    formulation: Formulation
    defect: float
    variance_ratio: float | None
    verdict: str

    @property
    def coefficients(self) -> NDArray:
        """Estimated coefficients ``(q,)``; the largest is 1 in size."""
        return self.formulation.coefficients

    @property
    def errors(self) -> NDArray:
        """Errors ``(q,)`` of the coefficients."""
        return self.formulation.errors

    @cached_property
    def function(self) -> NDArray:
        """Coefficients ``(q,)`` of the function as printed: rounded where all of them can be."""
        return self.formulation.rounded

    @property
    def text(self) -> str:
        """The function, with numbers rounded where all of them can be."""
        return _signed_sum(self._terms(self.features.texts), number, " ")

    @property
    def latex(self) -> str:
        """The function for LaTeX."""
        return _signed_sum(self._terms(self.features.latex), number_latex, r"\,")

    def values(self, x: NDArray) -> NDArray:
        """Values ``(n,)`` at points ``x (n, d)``.

        Parameters
        ----------
        x : ndarray (n, d)
            States.

        Returns
        -------
        ndarray (n,)
            The conserved quantity.
        """
        return self.features.basis.evaluate(x) @ self.function

    def gradient(self, x: NDArray) -> NDArray:
        """Gradients ``(n, d)`` at points ``x (n, d)``.

        Parameters
        ----------
        x : ndarray (n, d)
            States.

        Returns
        -------
        ndarray (n, d)
            Its derivative by each coordinate.
        """
        return self.features.basis.contract(x, self.function[None])[:, 0]

    def __repr__(self) -> str:
        return cut(f"<Law {self.text}: defect {number(self.defect, 2)}>")

    def _repr_html_(self) -> str:
        return card(self.text, [("defect", number(self.defect, 2)), ("verdict", self.verdict)])

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings for JSON."""
        used = self.formulation.support.tolist()
        return {
            "text": self.text,
            "latex": self.latex,
            "terms": [
                {
                    "function": self.features.texts[k],
                    "coefficient": float(self.coefficients[k]),
                    "error": float(self.errors[k]),
                }
                for k in used
            ],
            "defect": float(self.defect),
            "variance_ratio": None if self.variance_ratio is None else float(self.variance_ratio),
            "verdict": self.verdict,
        }

    def _terms(self, bodies: tuple[str, ...]) -> list[tuple[Number, str]]:
        exact = all(x is not None for x in self.formulation.numbers)
        numbers = self.formulation.numbers if exact else tuple(self.coefficients.tolist())
        return [(_shown(x), body) for x, body in zip(numbers, bodies, strict=True) if x]


def _shown(x: Fraction | float | None) -> Number:
    if isinstance(x, Fraction) and x.denominator in _DECIMAL:
        return float(x)
    return 0.0 if x is None else x


def variance_ratio(values: list[NDArray]) -> float | None:
    """Variance within runs over total variance of the samples ``(n_i,)`` of each run; runs weigh the same."""
    if len(values) < 2:
        return None
    within = float(np.mean([np.var(v) for v in values]))
    between = float(np.var([v.mean() for v in values]))
    return within / (within + between) if within + between > 0 else 1.0


def secular(law: Law, flow: Trajectories) -> str:
    """Words on a steady drift: where h falls (or rises) in each of at least three runs, beyond its wobble.

    Each run is compared with the straight line through its values; a drift counts where the rise of the line is more
    than three times the scatter about it, with the same sign in all runs. It is told in units of the swing of
    the terms of h.
    """
    if flow.n_runs < 3:
        return ""
    shares = []
    for run in flow.runs:
        h = law.values(run.states)
        slope, _ = np.polyfit(run.time - run.time[0], h, 1)
        rise = slope * (run.time[-1] - run.time[0])
        scatter = np.std(h - slope * run.time)
        terms = law.features.basis.evaluate(run.states) * law.function
        swing = np.sqrt(np.sum(np.var(terms, axis=0)))
        if abs(rise) <= 3 * scatter or swing == 0:
            return ""
        shares.append(rise / swing)
    if min(shares) < 0 < max(shares):
        return ""
    typical = float(np.median(np.abs(shares)))
    if typical < _WORTH_WORDS:
        return ""
    return f"; but it {'falls' if shares[0] < 0 else 'rises'} in every run, by {typical:.1%} of the swing of its terms"
