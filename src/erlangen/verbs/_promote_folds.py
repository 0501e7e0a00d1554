"""How a choice by cross-validation is asked for: folds of the rows, and weights of a path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.verbs._promote_data import check_weight

FOLDS = 10
"""Parts of cross-validation, where there are as many rows."""


def splits_of(
    n: int, folds: int | Iterable[tuple[ArrayLike, ArrayLike]] | None, rng: int | np.random.Generator
) -> list[tuple[NDArray, NDArray]]:
    """Pairs of training and held-out rows."""
    folds = max(min(FOLDS, n), 2) if folds is None else folds
    if isinstance(folds, (int, np.integer)) and not isinstance(folds, bool) and 2 <= folds <= n:
        order = np.random.default_rng(rng).permutation(n)
        return [(np.setdiff1d(order, part), np.sort(part)) for part in np.array_split(order, folds)]
    try:
        given = [] if isinstance(folds, (int, np.integer)) else [(train, test) for train, test in folds]
        pairs = [(np.arange(n)[np.asarray(train)], np.arange(n)[np.asarray(test)]) for train, test in given]
    except (TypeError, ValueError, IndexError):
        pairs = []
    if pairs and all(len(train) and len(test) for train, test in pairs):
        return pairs
    raise InputError(
        explain(
            "Cross-validation needs at least two folds, and a row in each.",
            given=f"folds={folds!r:.60} for {n} rows",
            expected=f"a whole number, 2 <= folds <= {n}, or pairs of rows to train and to test with",
            fix=f"folds={min(max(n, 2), 5)}" if n > 1 else "more data",
        )
    )


def descending(lams: Sequence[float]) -> list[float]:
    """Weights that were given, checked, in descending order."""
    weights = sorted((check_weight("lam", lam) for lam in np.atleast_1d(np.asarray(lams, dtype=object))), reverse=True)
    if weights:
        return weights
    raise InputError(
        explain("No weight was given to choose from.", given="lams=[]", expected="a number or more", fix="lams=[0.1]")
    )
