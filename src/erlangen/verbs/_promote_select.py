"""Choose how much to promote: the weight and what is broken, by cross-validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erlangen._errors import InputError, UndecidedError, explain
from erlangen.fields import AbstractLinearField
from erlangen.fields._base import EXACT
from erlangen.linalg.qr import rounding
from erlangen.linalg.rank import AbstractRankRule, RankDecision, margin
from erlangen.verbs._promote_candidates import Candidate, Fitted, Refitter, candidates
from erlangen.verbs._promote_data import BLOCK_FLOATS, check_data, check_weight
from erlangen.verbs._promote_result import Promoted
from erlangen.verbs._promote_terms import Moved
from erlangen.verbs.discover import discover
from erlangen.verbs.symmetry import Symmetry

if TYPE_CHECKING:
    from erlangen.verbs._promote_penalty import Penalty

WEIGHTS = 20
"""Weights of the default path, evenly spaced in their logarithm; zero comes after them."""

RANGE = 1e-4
"""Smallest of them, relative to the one that breaks nothing: what is shrunk by less is below a noise of a percent."""


OF_WEIGHTS, OF_REFITS = 1.0, 0.5
"""Standard errors up to which what keeps more is as good as the best: for weights of a path, and for refits.

The first is the rule of Breiman et al. A refit that keeps too much has no way back: on functions without symmetry, at
20 % noise, a whole standard error costs 8 % in the median, half of one less than 1 %, and ranks are found as often.
"""

FOLDS = 10
"""Parts of cross-validation, where there are as many rows."""


@dataclass(frozen=True, eq=False)
class Selected:
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
        Weights of the path, descending.
    errors : ndarray (l,)
        Cross-validated mean squared error of each.
    candidates : tuple of Candidate
        What was compared: numbers of broken generators, and sets of discrete elements. The first is the promoted fit
        of least error. Empty without a refit.
    candidate_errors : ndarray
        Cross-validated mean squared error of each; infinite where no field of that rank is near.
    excess : ndarray
        By how many standard errors each is worse than the best. The error is that of the mean difference, row by row.
    path : tuple of Promoted
        The fits to all data.
    penalty : Penalty
        What was promoted.
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

    @property
    def reason(self) -> str:
        """Why this much is broken."""
        elements = sum(isinstance(term, Moved) for term in self.penalty.terms)
        text = f"{self.broken_rank} of {self.penalty.map.shape[0]} generators"
        text += f" and {elements - len(self.kept_elements)} of {elements} discrete elements" if elements else ""
        if not self.candidates:
            return f"{text} are broken at lam = {self.lam:.3g}, the largest that is as good as the best"
        order = sorted(range(1, len(self.candidates)), key=lambda i: self.candidates[i])
        parts = [self._compared(i) for i in [*order, 0] if np.isfinite(self.candidate_errors[i])]
        return f"{text} are broken; cross-validated error by number of broken generators: {', '.join(parts)}"

    def _compared(self, i: int) -> str:
        """One candidate, its error and how it compares."""
        one, error, above = self.candidates[i], np.sqrt(self.candidate_errors[i]), self.excess[i]
        name = str(one.rank) if i else "promoted, without a refit"
        name += f" and elements {', '.join(map(str, one.kept_elements))} kept" if i and one.kept_elements else ""
        return f"{name}: {error:.3g} ({f'{above:+.1f} standard errors' if above > 0 else 'best'})"

    @cached_property
    def symmetry(self) -> Symmetry:
        """What survived, named: the symmetry of the fitted field among the generators of the action.

        A refit has it exactly, and the defects are rounding; how sure the data are of it, :attr:`reason` says. For a
        promoted fit without a refit, they are what the iteration left.
        """
        lie, field = self.penalty.lie, self.field
        if hasattr(field, "accuracy") and is_dataclass(field):
            field = replace(field, accuracy=max(field.accuracy, self._rounding))  # type: ignore[type-var]
        action, turn = lie.action, self.penalty.generators
        if turn.shape[0] == turn.shape[1]:  # back to the generators that were given: their coefficients are readable
            action = action.restrict(np.linalg.inv(turn))
        return discover(field, action, lie.samples, rule=_Chosen(self.kept.shape[1], self.reason))

    @cached_property
    def _rounding(self) -> float:
        """Relative rounding of slopes: terms of all parameters are added, and may cancel."""
        few = self.penalty.lie.samples.subset(256).points
        terms = np.einsum("ncqd,q->ncd", np.abs(self.field.features_jacobian(few)), np.abs(self.theta))
        size = np.linalg.norm(self.field.jacobian(few))
        return rounding((len(self.theta),)) * float(np.linalg.norm(terms) / size) if size > 0 else EXACT


@dataclass(frozen=True)
class _Chosen(AbstractRankRule):
    """As many as the data chose."""

    dim: int
    why: str

    def decide(self, values: NDArray, floor: float) -> RankDecision:
        """The smallest ``dim`` values; see :class:`AbstractRankRule`."""
        dim = min(self.dim, len(values))
        return RankDecision(dim, self.why, margin(values, dim, floor))


def select(
    penalty: Penalty,
    x: ArrayLike,
    y: ArrayLike,
    *,
    lams: Sequence[float] | None = None,
    folds: int | Iterable[tuple[ArrayLike, ArrayLike]] | None = None,
    debias: bool = True,
    within: float | None = None,
    l1: float = 0.0,
    rng: int | np.random.Generator = 0,
) -> Selected:
    """Let the data choose; see `Penalty.select`."""
    x, y = check_data(penalty.field, x, y)
    within = (OF_REFITS if debias else OF_WEIGHTS) if within is None else check_weight("within", within)
    weights = _weights(penalty, x, y, lams)
    trial = _Trial(penalty, x, y, _splits(len(x), folds, rng), l1)
    paths = [trial.path(train, weights) for train, _ in trial.splits]
    losses = trial.losses([[fit.theta for fit in path] for path in paths])
    best = int(np.argmin(losses.mean(axis=1)))
    path = trial.path(np.arange(len(x)), weights)
    if debias:
        return _refitted(trial, paths, path, losses, best, within)
    fit = path[int(np.argmax(_excess(losses, best) <= within))]
    chosen = Fitted(Candidate(fit.broken_rank, fit.kept_elements), fit.theta, 0.0, False)
    return _selected(trial, chosen, fit.kept, fit.lam, path, losses, (), np.zeros((0, len(x))), np.zeros(0))


@dataclass(frozen=True, eq=False)
class _Trial:
    """Data, and how they are split."""

    penalty: Penalty
    x: NDArray
    y: NDArray
    splits: list[tuple[NDArray, NDArray]]
    l1: float

    def path(self, rows: NDArray, lams: Sequence[float]) -> list[Promoted]:
        """Promoted fits to some of the rows."""
        try:
            return self.penalty.path(self.x[rows], self.y[rows], lams, l1=self.l1)
        except UndecidedError as error:
            raise UndecidedError(
                explain(
                    "There are too few data to choose the weight by cross-validation.",
                    given=f"{len(rows)} rows in a training set",
                    expected="as many, in general position, as there are functions that break nothing",
                    fix="more folds, more data or a smaller family; penalty.fit(x, y, lam) for one weight",
                )
            ) from error

    def losses(self, thetas: Sequence[Sequence[NDArray]]) -> NDArray:
        """Squared errors ``(k, n)`` of held-out rows for k parameters of each split; the mean over channels."""
        parts = []
        for (_, test), several in zip(self.splits, thetas, strict=True):
            stacked = np.array(several).T
            size = max(1, BLOCK_FLOATS // len(stacked))
            for block in np.array_split(test, -(-len(test) // size)):
                values = self.penalty.field.features(self.x[block]) @ stacked
                parts.append(np.mean((values - self.y[block][:, :, None]) ** 2, axis=1).T)
        return np.concatenate(parts, axis=1)


def _refitted(
    trial: _Trial, paths: list[list[Promoted]], path: list[Promoted], losses: NDArray, best: int, within: float
) -> Selected:
    """Of the promoted fit and the refits of all candidates, the one that keeps most and is as good as the best."""
    refitter = Refitter(trial.penalty, trial.x, trial.y)
    full = _refits(refitter, trial, path, best)
    order, folds = sorted(full), zip(trial.splits, paths, strict=True)
    parts = [refitter(trial.x[rows], trial.y[rows], one, best, order) for (rows, _), one in folds]
    refits = trial.losses([[one.theta for one in fits] for fits in parts]) if order else losses[:0]
    near = [all(fits[i].exact for fits in parts) for i in range(len(order))]
    table = np.vstack([losses[best], np.where(np.array(near, dtype=bool)[:, None], refits, np.inf)])
    excess = _excess(table, int(np.argmin(table.mean(axis=1))))
    fit = path[best]
    names = (Candidate(fit.broken_rank, fit.kept_elements), *order)
    for i in sorted(range(1, len(names)), key=lambda i: (names[i].rank, -len(names[i].kept_elements))):
        if excess[i] <= within:
            found = full[names[i]]
            _, _, vt = np.linalg.svd(trial.penalty.matrix(found.theta))
            kept = trial.penalty.generators @ vt[found.candidate.rank :].T
            return _selected(trial, found, kept, fit.lam, path, losses, names, table, excess)
    found = Fitted(names[0], fit.theta, 0.0, False)
    return _selected(trial, found, fit.kept, fit.lam, path, losses, names, table, excess)


def _refits(refitter: Refitter, trial: _Trial, path: list[Promoted], best: int) -> dict[Candidate, Fitted]:
    """The best refit to all data for each candidate, by what it keeps, which may be more than was asked for."""
    shape = trial.penalty.map.shape
    found: dict[Candidate, Fitted] = {}
    for one in refitter(trial.x, trial.y, path, best, candidates(path, shape[0], min(shape))):
        worse = one.candidate in found and found[one.candidate].loss <= one.loss
        if one.exact and not worse and (one.candidate.rank < shape[0] or one.candidate.kept_elements):
            found[one.candidate] = one
    return found


def _selected(
    trial: _Trial, found: Fitted, kept: NDArray, lam: float, path: list[Promoted], losses: NDArray,
    names: tuple[Candidate, ...], table: NDArray, excess: NDArray,
) -> Selected:  # fmt: skip
    return Selected(
        field=trial.penalty.field.with_theta(found.theta),
        theta=found.theta,
        lam=lam,
        broken_rank=found.candidate.rank,
        kept=kept,
        kept_elements=found.candidate.kept_elements,
        refitted=found.exact,
        lams=np.array([fit.lam for fit in path]),
        errors=losses.mean(axis=1),
        candidates=names,
        candidate_errors=table.mean(axis=1),
        excess=excess,
        path=tuple(path),
        penalty=trial.penalty,
    )


def _weights(penalty: Penalty, x: NDArray, y: NDArray, lams: Sequence[float] | None) -> list[float]:
    """Weights in descending order."""
    if lams is not None:
        lams = sorted((check_weight("lam", lam) for lam in lams), reverse=True)
        if not lams:
            raise InputError(
                explain(
                    "No weight was given to choose from.",
                    given="lams=[]",
                    expected="a number or more",
                    fix="lams=[0.1]",
                )
            )
        return lams
    largest = penalty.largest_weight(x, y)
    return [*(largest * np.geomspace(1.0, RANGE, WEIGHTS)), 0.0] if largest > 0 else [0.0]


def _splits(
    n: int, folds: int | Iterable[tuple[ArrayLike, ArrayLike]] | None, rng: int | np.random.Generator
) -> list[tuple[NDArray, NDArray]]:
    """Pairs of training and held-out rows."""
    folds = max(min(FOLDS, n), 2) if folds is None else folds
    if not isinstance(folds, (int, np.integer)):
        return [(np.asarray(train), np.asarray(test)) for train, test in folds]
    if not 2 <= folds <= n:
        raise InputError(
            explain(
                "Cross-validation needs at least two folds, and a row in each.",
                given=f"folds={folds} for {n} rows",
                expected=f"2 <= folds <= {n}",
                fix=f"folds={min(max(n, 2), 5)}" if n > 1 else "more data",
            )
        )
    order = np.random.default_rng(rng).permutation(n)
    return [(np.setdiff1d(order, part), np.sort(part)) for part in np.array_split(order, folds)]


def _excess(losses: NDArray, best: int) -> NDArray:
    """By how many standard errors each row of losses is worse than the best: of the differences, entry by entry."""
    finite = np.all(np.isfinite(losses), axis=1)
    apart = np.where(finite[:, None], losses, losses[best]) - losses[best]
    mean, n = apart.mean(axis=1), losses.shape[1]
    error = apart.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(len(losses))
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(mean > 0, mean / error, 0.0)
    return np.where(finite, above, np.inf)
