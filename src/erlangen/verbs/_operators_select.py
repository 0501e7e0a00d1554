"""Choose by cross-validation what an operator breaks, and refit with the rest enforced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.fields import AbstractLinearField
from erlangen.linalg.qr import rounding
from erlangen.verbs._promote_candidates import Candidate
from erlangen.verbs._promote_data import check_data, check_weight
from erlangen.verbs._promote_folds import descending, splits_of
from erlangen.verbs._promote_result import Promoted
from erlangen.verbs._promote_select import Selected

if TYPE_CHECKING:
    from erlangen.verbs.operators import OperatorPenalty

WEIGHTS = np.geomspace(1.0, 1e-4, 13)
"""Weights of the default path, relative to the one that breaks nothing."""

ROUND = 0.2
"""Distance of a coefficient of a generator to a whole number up to which it is taken for that number."""


def select_operator(
    penalty: OperatorPenalty,
    x: ArrayLike,
    y: ArrayLike,
    lams: Sequence[float] | None,
    folds: int | Iterable[tuple[ArrayLike, ArrayLike]],
    debias: bool,
    within: float,
    rng: int | np.random.Generator,
) -> Selected:
    """Let held-out pairs choose; see `OperatorPenalty.select`."""
    x, y = check_data(penalty.field, x, y)
    within = check_weight("within", within)
    splits = splits_of(len(x), min(folds, len(x)) if isinstance(folds, int) else folds, rng)
    lams = _weights(penalty, x, y, lams)
    held_out = [test for _, test in splits]
    paths = [penalty.path(x[train], y[train], lams) for train, _ in track(splits, "folds")]
    losses = np.stack([_losses(penalty, x, y, held_out, [path[i].theta for path in paths]) for i in range(len(lams))])
    best, path = int(np.argmin(losses.mean(axis=1))), penalty.path(x, y, lams)
    if not debias:
        fit = path[int(np.argmax(_excess(losses, y) <= within))]
        return _selected(penalty, fit.field, fit.lam, fit.broken_rank, fit.kept, lams, losses, (), losses[:0], path, y)
    table, kept = [losses[best]], _candidates(penalty, path[best].theta)
    ranks = sorted(kept)
    own = [_candidates(penalty, one[best].theta) for one in paths]  # held-out pairs must not say what is kept
    for rank in track(ranks, "refits"):
        fits = zip(splits, own, strict=True)
        thetas = [penalty.keeping(found[rank]).unbroken(x[train], y[train]).theta for (train, _), found in fits]
        table.append(_losses(penalty, x, y, held_out, thetas))
    compared, fit = np.stack(table), path[best]
    names = (Candidate(fit.broken_rank), *(Candidate(rank) for rank in ranks))
    good = np.flatnonzero(_excess(compared, y)[1:] <= within)
    if not good.size:
        chosen = fit.field, fit.lam, fit.broken_rank, fit.kept
    else:
        rank = ranks[good[0]]
        chosen = penalty.keeping(kept[rank]).unbroken(x, y), fit.lam, rank, kept[rank]
    return _selected(penalty, *chosen, lams, losses, names, compared, path, y, refitted=bool(good.size))


def _selected(
    penalty: OperatorPenalty, field: AbstractLinearField, lam: float, rank: int, kept: NDArray, lams: list[float],
    losses: NDArray, names: tuple[Candidate, ...], compared: NDArray, path: list[Promoted], y: NDArray,
    refitted: bool = False,
) -> Selected:  # fmt: skip
    return Selected(
        field=field,
        theta=field.theta,
        lam=lam,
        broken_rank=rank,
        kept=kept,
        kept_elements=(),
        refitted=refitted,
        lams=np.array(lams),
        errors=losses.mean(axis=1),
        candidates=names,
        candidate_errors=compared.mean(axis=1),
        excess=_excess(compared, y),
        path=tuple(path),
        penalty=penalty,  # type: ignore[arg-type]  # the same methods, over operators
    )


def _weights(penalty: OperatorPenalty, x: NDArray, y: NDArray, lams: Sequence[float] | None) -> list[float]:
    """Weights in descending order; zero alone where data ask for nothing to be broken."""
    if lams is None:
        largest = penalty.largest_weight(x, y)
        return list(largest * WEIGHTS) if largest > 0 else [0.0]
    return descending(lams)


def _excess(losses: NDArray, y: NDArray) -> NDArray:
    """By how many standard errors each row of losses is worse than the best; rounding in the outputs does not count."""
    if not len(losses):
        return np.zeros(0)
    apart = losses - losses[int(np.argmin(losses.mean(axis=1)))]
    spread = apart.std(axis=1, ddof=1) / np.sqrt(apart.shape[1])
    floor = (rounding(y.shape) * y.shape[1]) ** 2 * float(np.mean(y**2))
    worse = (apart.mean(axis=1) > floor) & (spread > 0)
    return np.divide(apart.mean(axis=1), spread, out=np.zeros(len(spread)), where=worse)


def _candidates(penalty: OperatorPenalty, theta: NDArray) -> dict[int, NDArray]:
    """For each number of broken generators, combinations that may be kept: those that a fit breaks least.

    Coefficients are rounded to whole numbers where they are near: an operator that commutes with a translation
    along an axis does not commute with one that is off by a hair.
    """
    vt = np.linalg.svd(penalty.matrix(theta), full_matrices=False)[2]
    found = {0: penalty.generators}
    for rank in range(1, len(vt)):
        kept = penalty.generators @ vt[rank:].T
        pivots = linalg.qr(kept.T, pivoting=True, mode="r")[1][: kept.shape[1]]
        kept = kept @ np.linalg.inv(kept[pivots])
        whole = np.round(kept)
        found[rank] = np.where(np.abs(kept - whole) <= ROUND, whole, kept)
    return found


def _losses(penalty: OperatorPenalty, x: NDArray, y: NDArray, parts: list[NDArray], thetas: list[NDArray]) -> NDArray:
    """Squared errors ``(n,)`` of the outputs of held-out inputs, mean over points, part by part."""
    values = [penalty.field.with_theta(theta).value(x[part]) for part, theta in zip(parts, thetas, strict=True)]
    return np.concatenate([np.mean((v - y[part]) ** 2, axis=1) for v, part in zip(values, parts, strict=True)])
