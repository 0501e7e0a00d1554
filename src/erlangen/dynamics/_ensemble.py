"""How sure terms are: the choice is made again on windows that are drawn with replacement."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._progress import keeping, track
from erlangen._render import number
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.dynamics.shooting.discovery import SHORTEST, Discovered
from erlangen.dynamics.shooting.newton import Shooting
from erlangen.dynamics.shooting.observed import windows
from erlangen.dynamics.shooting.search import View
from erlangen.dynamics.shooting.subsets import column_lengths

DRAWN = 20
"""Windows to draw from, at least: of fewer, draws are too much alike."""


@dataclass(frozen=True, eq=False)
class Ensemble(AbstractShown):
    """Equations of many draws of the data.

    Attributes
    ----------
    coefficients : ndarray (B, d, r)
        Of each draw; all of them obey a symmetry that was enforced.
    names, feature_names : tuple of str
        The d coordinates and r functions.
    note : str
        Where it was stopped, after how many draws.
    """

    coefficients: NDArray
    names: tuple[str, ...]
    feature_names: tuple[str, ...]
    note: str = ""

    @property
    def inclusion(self) -> NDArray:
        """Share of the draws ``(d, r)`` in which each term occurs."""
        return np.mean(self.coefficients != 0, axis=0)

    def quantiles(self, level: float = 0.95) -> tuple[NDArray, NDArray]:
        """Lower and upper quantiles ``(d, r)`` of the coefficients, zeros included."""
        low, high = np.quantile(self.coefficients, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high

    def __str__(self) -> str:
        median = np.median(self.coefficients, axis=0)
        lines = [self.note] if self.note else []
        for name, share, row in zip(self.names, self.inclusion, median):
            order = [j for j in np.argsort(-share, kind="stable") if share[j] > 0]
            terms = [f"{self.feature_names[j] or '1'} {share[j]:.0%} ({number(row[j], 3)})" for j in order]
            lines.append(f"{name}': " + (", ".join(terms) or "no term"))
        return "\n".join(lines)


def ensemble(
    found: Discovered, names: tuple[str, ...], texts: tuple[str, ...], draws: int, rng: int | np.random.Generator
) -> Ensemble:
    """Draw windows with replacement, and walk over terms in the problem to first order about the fit.

    Raises
    ------
    UndecidedError
        Where the data are too short to be cut.
    """
    generator = np.random.default_rng(rng)
    problem = _cut(found)
    fit = problem.fit(found.fit.support, found.fit.z, problem.win.start)
    pieces = []
    for w in range(len(problem.win.time)):
        linear = replace(problem, win=problem.win[w : w + 1]).linear(replace(fit, start=fit.start[w : w + 1]))
        if linear is not None:
            pieces.append(np.column_stack([linear.design, linear.target]))
    theta = np.zeros((draws, len(names), len(texts)))
    with keeping("the ensemble", draws) as kept:
        for b in track(range(draws), "draws"):
            rows = np.concatenate([pieces[w] for w in generator.integers(len(pieces), size=len(pieces))])
            triangle = np.asarray(np.linalg.qr(rows, mode="r"))
            lengths = column_lengths(triangle[:, :-1])
            view = View(triangle[:, :-1] / lengths, triangle[:, -1], found.prices, 1.0)
            support = list(view.descend(fit.support, view.neighbours(fit.support)))
            z = np.linalg.lstsq(view.a[:, support], view.b, rcond=None)[0] / lengths[support]
            theta[b] = np.tensordot(z, problem.atoms[support], 1)
            kept.keep(lambda note: Ensemble(theta[: kept.done], names, texts, note), b + 1)
    return Ensemble(theta, names, texts)


def _cut(found: Discovered) -> Shooting:
    """The data in enough windows, as long as there can be."""
    total = sum(len(record.time) - 1 for record in found.records)
    length = min(max(found.length, SHORTEST), total // DRAWN)
    if length < SHORTEST:
        raise UndecidedError(
            explain(
                "The data are too short to be drawn from.",
                given=f"{total} steps between samples",
                expected=f"at least {DRAWN * SHORTEST}",
                fix="longer runs, or model.intervals()",
            )
        )
    old = found.problem
    return Shooting(old.basis, old.atoms, windows(found.records, length), old.substeps, old.penalty)
