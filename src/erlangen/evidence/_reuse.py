"""Generators must not be tested by the rows that chose them: recognise the rows where that can be done."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.evidence.observed import Observed
from erlangen.verbs import Symmetry

SAME = 1e-9
"""Distance, in spreads of the columns, at which a row is a copy of another one, moved by rounding or on purpose."""


def found_elsewhere(found: Symmetry, data: Observed) -> NDArray:
    """Generators ``(r, p)`` of a symmetry that was found in other data.

    Raises
    ------
    InputError
        Where rows of the data are among the points of the symmetry: some of them are kept in files too.
    """
    field = None if found.lie is None else found.lie.field
    seen = getattr(field, "points", None)
    seen = found.points if seen is None else seen
    shared = 0 if seen.shape[1] != data.x.shape[1] else _copies(seen, data.x)
    if shared:
        raise InputError(
            explain(
                "These generators were chosen by the rows that would test them: the level would not hold.",
                given=f"a symmetry found in a table that shares {shared} of {len(data)} rows",
                expected="generators named beforehand, or found in other data",
                fix="er.evidence.certify((x, y), sym.candidates, samples), which splits the rows itself",
            )
        )
    return found.found.matrix().reshape(-1, found.candidates.n_generators)


def _copies(seen: NDArray, x: NDArray) -> int:
    """Number of rows of ``x (n, d)`` that are among the points seen."""
    spread = np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    distance, _ = cKDTree(seen / spread).query(x / spread)
    return int(np.sum(distance <= SAME))
