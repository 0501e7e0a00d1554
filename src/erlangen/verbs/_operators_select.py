"""Choose by cross-validation what an operator breaks, and refit with the rest enforced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from erlangen._errors import InputError, explain
from erlangen.verbs._promote_candidates import Candidate
from erlangen.verbs._promote_data import check_data, check_weight
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
    rng: int | np.random.Generator,
) -> Selected:
    """Let held-out pairs choose; see `OperatorPenalty.select`."""
    x, y = check_data(penalty.field, x, y)
    splits = _splits(len(x), folds, rng)
    if lams is None:
        lams = list(penalty.largest_weight(x, y) * WEIGHTS)
    lams = sorted((check_weight("lam", lam) for lam in lams), reverse=True)
    held_out = [test for _, test in splits]
    paths = [penalty.path(x[train], y[train], lams) for train, _ in splits]
    losses = np.stack([_losses(penalty, x, y, held_out, [path[i].theta for path in paths]) for i in range(len(lams))])
    best, path = int(np.argmin(losses.mean(axis=1))), penalty.path(x, y, lams)
    table, kept = [losses[best]], _candidates(penalty, path[best].theta)
    ranks = sorted(kept)
    for rank in ranks:
        thetas = [penalty.keeping(kept[rank]).unbroken(x[train], y[train]).theta for train, _ in splits]
        table.append(_losses(penalty, x, y, held_out, thetas))
    compared = np.stack(table)
    apart = compared - compared[int(np.argmin(compared.mean(axis=1)))]
    spread = apart.std(axis=1, ddof=1) / np.sqrt(apart.shape[1])
    excess = np.divide(apart.mean(axis=1), spread, out=np.zeros(len(spread)), where=spread > 0)
    at = next((i for i in range(1, len(compared)) if excess[i] <= 1.0), 0)
    field = path[best].field if at == 0 else penalty.keeping(kept[ranks[at - 1]]).unbroken(x, y)
    return Selected(
        field=field,
        theta=field.theta,
        lam=path[best].lam,
        broken_rank=path[best].broken_rank if at == 0 else ranks[at - 1],
        kept=path[best].kept if at == 0 else kept[ranks[at - 1]],
        kept_elements=(),
        refitted=at > 0,
        lams=np.array(lams),
        errors=losses.mean(axis=1),
        candidates=(Candidate(path[best].broken_rank), *(Candidate(rank) for rank in ranks)),
        candidate_errors=compared.mean(axis=1),
        excess=excess,
        path=tuple(path),
        penalty=penalty,  # type: ignore[arg-type]
    )


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


def _splits(
    n: int, folds: int | Iterable[tuple[ArrayLike, ArrayLike]], rng: int | np.random.Generator
) -> list[tuple[NDArray, NDArray]]:
    if not isinstance(folds, (int, np.integer)):
        return [(np.asarray(train), np.asarray(test)) for train, test in folds]
    if not 2 <= folds or n < 2:
        raise InputError(
            explain(
                "Cross-validation needs at least two folds, and a pair in each.",
                given=f"folds={folds} for {n} pairs",
                expected="two folds and two pairs, or more",
                fix="more pairs, or penalty.fit(x, y, lam) for one weight",
            )
        )
    order = np.random.default_rng(rng).permutation(n)
    return [(np.setdiff1d(order, part), np.sort(part)) for part in np.array_split(order, min(int(folds), n))]
