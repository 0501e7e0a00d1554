"""What cross-validation chose to break, and what it compared."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction
from erlangen.fields import AbstractLinearField
from erlangen.fields._base import EXACT
from erlangen.linalg.qr import rounding
from erlangen.linalg.rank import AbstractRankRule, RankDecision, margin
from erlangen.verbs._promote_candidates import Candidate
from erlangen.verbs._promote_result import Promoted
from erlangen.verbs._promote_terms import Moved
from erlangen.verbs.discover import discover
from erlangen.verbs.symmetry import Symmetry

if TYPE_CHECKING:
    from erlangen.verbs._promote_penalty import Penalty

STEPS = 10
"""Evaluations that a check by finite motions is made of, as an upper bound: each adds its rounding."""


@dataclass(frozen=True, eq=False, repr=False)
class Selected(AbstractShown):
    """A field whose broken generators the data chose; made by `Penalty.select`.

    Attributes
    ----------
    field : AbstractLinearField
        The fitted member of the family.
    theta : ndarray (q,)
        Its parameters.
    lam : float
        Weight of the penalty in the promoted fit from which a refit starts: that of least error. Without a refit, the
        largest that is as good.
    broken_rank : int
        Number of broken generators.
    kept : ndarray (p, k)
        Combinations of the generators of the action that are kept, as columns.
    kept_elements : tuple of int
        Which discrete elements are kept.
    refitted : bool
        Whether theta is the least squares fit among the fields that keep as much; otherwise it is the promoted fit.
    lams : ndarray (l,)
        The l weights of the path, descending.
    errors : ndarray (l,)
        Cross-validated mean squared error of each.
    candidates : tuple of Candidate
        What was compared: numbers of broken generators, and sets of discrete elements. The first is the promoted fit
        of least error. Empty without a refit.
    candidate_errors : ndarray (k,)
        Cross-validated mean squared error of each of the k candidates; infinite where no field of that rank is near.
    excess : ndarray (k,)
        By how many standard errors each is worse than the best refit; negative where the promoted fit is better. The
        error is that of the mean difference, row by row.
    path : tuple of Promoted
        The fits to all data.
    penalty : Penalty
        What was promoted.
    note : str
        Where the choice was stopped, how far it came.
    """

    field: AbstractLinearField
    theta: NDArray
    lam: float
    broken_rank: int
    kept: NDArray
    kept_elements: tuple[int, ...]
    refitted: bool
    lams: NDArray
    errors: NDArray
    candidates: tuple[Candidate, ...]
    candidate_errors: NDArray
    excess: NDArray
    path: tuple[Promoted, ...]
    penalty: Penalty
    note: str = ""

    @property
    def reason(self) -> str:
        """Why this much is broken."""
        return "; ".join(part for part in (self.note, self._why()) if part)

    def _why(self) -> str:
        elements = sum(isinstance(term, Moved) for term in self.penalty.terms)
        text = f"{self.broken_rank} of {self.penalty.map.shape[0]} generators"
        text += f" and {elements - len(self.kept_elements)} of {elements} discrete elements" if elements else ""
        if not self.candidates:
            return f"{text} are broken at lam = {self.lam:.3g}, the largest that is as good as the best"
        order = sorted(range(1, len(self.candidates)), key=lambda i: self.candidates[i])
        parts = [self._compared(i) for i in [*order, 0] if np.isfinite(self.candidate_errors[i])]
        return f"{text} are broken; cross-validated error by number of broken generators: {', '.join(parts)}"

    @property
    def name(self) -> str:
        """Name of the algebra of what is kept; also for a constant, which keeps all and shows nothing."""
        if self.kept.shape[1] == 0:
            return "0"
        action = self.penalty.lie.action.restrict(np.linalg.pinv(self.penalty.generators) @ self.kept)
        return action.lie_algebra().identify().name if isinstance(action, PolynomialAction) else "unnamed"

    def __repr__(self) -> str:
        return f"Selected: {self.reason}"

    def _compared(self, i: int) -> str:
        """One candidate, its error and how it compares."""
        one, error, above = self.candidates[i], np.sqrt(self.candidate_errors[i]), self.excess[i]
        name = str(one.rank) if i else "promoted, without a refit"
        name += f" and elements {', '.join(map(str, one.kept_elements))} kept" if i and one.kept_elements else ""
        return f"{name}: {error:.3g} ({f'{above:+.1f} standard errors' if above else 'best'})"

    @cached_property
    def symmetry(self) -> Symmetry:
        """What survived, named: the symmetry of the fitted field among the generators of the action.

        A refit has it exactly, and the defects are rounding; how sure the data are of it, :attr:`reason` says. For a
        promoted fit without a refit, they are what the iteration left.

        Raises
        ------
        InputError
            When the penalty is on discrete elements alone, or on actions that cannot be joined to one.
        """
        if not self.penalty.blocks:
            raise InputError(
                explain(
                    "Discrete elements alone have no generators to be named.",
                    given=f"a penalty on {sum(isinstance(term, Moved) for term in self.penalty.terms)} elements",
                    expected="a penalty on generators",
                    fix="selected.kept_elements, the discrete elements that are kept",
                )
            )
        lie, field = self.penalty.lie, self.field
        if is_dataclass(field) and any(one.name == "accuracy" for one in fields(field)):
            field = replace(field, accuracy=max(field.accuracy, self._rounding))  # type: ignore[type-var]
        action, turn = lie.action, self.penalty.generators
        if turn.shape[0] == turn.shape[1]:  # back to the generators that were given: their coefficients are readable
            action = action.restrict(np.linalg.inv(turn))
        return discover(field, action, lie.samples, rule=_Chosen(self.kept.shape[1], self.reason))

    @cached_property
    def _rounding(self) -> float:
        """Relative rounding of slopes, and of the values from which a finite motion sees them: terms may cancel."""
        samples = self.penalty.lie.samples
        few, sizes = samples.subset(256).points, np.abs(self.theta)
        slopes = np.linalg.norm(np.einsum("ncqd,q->ncd", np.abs(self.field.features_jacobian(few)), sizes))
        values = np.linalg.norm(np.abs(self.field.features(few)) @ sizes)
        jacobian = self.field.jacobian(few)
        if not np.any(jacobian) or not np.any(samples.std):
            return EXACT
        seen = np.linalg.norm(jacobian * samples.std)  # change of the values over the samples
        terms = slopes / np.linalg.norm(jacobian) + values / seen
        return STEPS * rounding((len(self.theta),)) * float(terms)


@dataclass(frozen=True)
class _Chosen(AbstractRankRule):
    """As many as the data chose."""

    dim: int
    why: str

    def decide(self, values: NDArray, floor: float) -> RankDecision:
        """The smallest ``dim`` values; see :class:`AbstractRankRule`."""
        dim = min(self.dim, len(values))
        return RankDecision(dim, self.why, margin(values, dim, floor))
