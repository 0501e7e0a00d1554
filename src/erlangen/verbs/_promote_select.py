"""Choose how much to promote: the weight and what is broken, by cross-validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import UndecidedError, explain
from erlangen._progress import keeping, track
from erlangen._typing import NDArray
from erlangen.verbs._promote_candidates import Candidate, Fitted, Refitter, candidates
from erlangen.verbs._promote_data import BLOCK_FLOATS, check_data, check_weight
from erlangen.verbs._promote_folds import descending, splits_of
from erlangen.verbs._promote_result import Promoted
from erlangen.verbs._promote_selected import Selected as Selected

if TYPE_CHECKING:
    from erlangen.verbs._promote_penalty import Penalty

WEIGHTS = 20
"""Weights of the default path, evenly spaced in their logarithm; zero comes after them."""

RANGE = 1e-4
"""Smallest of them, relative to the one that breaks nothing: what is shrunk by less is below a noise of a percent."""


OF_WEIGHTS, OF_REFITS, OF_SHRUNK = 1.0, 0.5, 1.0
"""Standard errors up to which what keeps more is as good as the best: weights of a path; refits; a refit beside the
promoted fit itself.

The first is the rule of Breiman et al. A refit that keeps too much has no way back: on functions without symmetry, at
20 % noise, a whole standard error costs 8 % in the median, half of one 2 %, and ranks are found as often. A shrunk fit
wins by chance where noise is large, and its rank is not one that the data chose.
"""


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
    trial = _Trial(penalty, x, y, splits_of(len(x), folds, rng), l1)
    with keeping("cross-validation of the promoted symmetry", len(trial.splits) + 1 + debias) as kept:
        paths = [trial.path(train, weights) for train, _ in track(trial.splits, "folds")]
        losses = trial.losses([[fit.theta for fit in path] for path in paths])
        best = int(np.argmin(losses.mean(axis=1)))
        path = trial.path(np.arange(len(x)), weights)
        # From here on there is a choice: of the weight alone, until all candidates are refitted.
        kept.keep(lambda note: replace(_of_weights(trial, path, losses, best, OF_WEIGHTS), note=note), len(paths) + 1)
        if debias:
            return _refitted(trial, paths, path, losses, best, within)
    return _of_weights(trial, path, losses, best, within)


def _of_weights(trial: _Trial, path: list[Promoted], losses: NDArray, best: int, within: float) -> Selected:
    """The promoted fit of the largest weight that is as good as the best."""
    fit = path[int(np.argmax(_excess(losses, best) <= within))]
    chosen = Fitted(Candidate(fit.broken_rank, fit.kept_elements), fit.theta, 0.0, False)
    nothing = np.zeros((0, losses.shape[1]))
    return _selected(trial, chosen, fit.kept, fit.lam, path, losses, (), nothing, np.zeros(0))


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
    folds = track(folds, "refits of folds", len(paths))
    parts = [refitter(trial.x[rows], trial.y[rows], one, best, order) for (rows, _), one in folds]
    refits = trial.losses([[one.theta for one in fits] for fits in parts]) if order else losses[:0]
    near = [all(fits[i].exact for fits in parts) for i in range(len(order))]
    table = np.vstack([losses[best], np.where(np.array(near, dtype=bool)[:, None], refits, np.inf)])
    fit = path[best]
    names = (Candidate(fit.broken_rank, fit.kept_elements), *order)
    chosen, excess = _choose(table, names, within)
    if chosen == 0:
        found = Fitted(names[0], fit.theta, 0.0, False)
        return _selected(trial, found, fit.kept, fit.lam, path, losses, names, table, excess)
    found = full[names[chosen]]
    _, _, vt = np.linalg.svd(trial.penalty.matrix(found.theta))
    kept = trial.penalty.generators @ vt[found.candidate.rank :].T
    return _selected(trial, found, kept, fit.lam, path, losses, names, table, excess)


def _choose(table: NDArray, names: Sequence[Candidate], within: float) -> tuple[int, NDArray]:
    """Which row of losses to take, the promoted fit being the first; and by how much each exceeds the best refit."""
    means = table[1:].mean(axis=1)
    if not np.isfinite(means).any():
        return 0, np.where(np.isfinite(table.mean(axis=1)), 0.0, np.inf)
    excess = _excess(table, int(np.argmin(means)) + 1)
    for i in sorted(range(1, len(names)), key=lambda i: (names[i].rank, -len(names[i].kept_elements))):
        if excess[i] <= within and _excess(table[[0, i]], 0)[1] <= OF_SHRUNK:
            return i, excess
    return 0, excess


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
        return descending(lams)
    largest = penalty.largest_weight(x, y)
    return [*(largest * np.geomspace(1.0, RANGE, WEIGHTS)), 0.0] if largest > 0 else [0.0]


def _excess(losses: NDArray, best: int) -> NDArray:
    """By how many standard errors each row of losses is worse than one of them: of the differences, entry by entry."""
    finite = np.all(np.isfinite(losses), axis=1)
    apart = np.where(finite[:, None], losses, losses[best]) - losses[best]
    mean, n = apart.mean(axis=1), losses.shape[1]
    error = apart.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(len(losses))
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(mean != 0, mean / error, 0.0)
    return np.where(finite, above, np.inf)
