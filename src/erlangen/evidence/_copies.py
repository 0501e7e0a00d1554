"""Rows that occur more than once, points and values alike: copies are no new evidence.

Points that were measured several times have different values and are welcome: they show the noise without a model.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.evidence._law import Estimate
from erlangen.evidence.certificate import Certificate, Gate
from erlangen.evidence.observed import Observed

DISCRETE = 0.5
"""Share of different values among different rows below which values are counts or labels, which agree by chance."""

MOSTLY = 0.5
"""Share of copies from which on a table is refused where copies cannot be told from repeated measurements."""


def without_copies(data: Observed) -> tuple[Observed, Gate | None]:
    """Keep one of every row ``(x, y)``, and say so; None where each occurs once.

    Where every point has one value, nothing is lost. Where some points were measured several times and rows are
    copied besides, single copies are left: values may agree by rounding.

    Raises
    ------
    UndecidedError
        Where most rows are copies of others although some points have several values.
    """
    n = len(data)
    first = _first(np.hstack([data.x, data.y]))
    k = len(first)
    if k == n:
        return data, None
    words, copies, nan = f"{n} rows, {k} distinct", float(n - k), float("nan")
    if len(_first(data.x)) == k:
        said = f"{words}: copies are no new evidence; each counts once"
        return data.take(first), Gate("copied rows", True, copies, nan, said)
    values = len(_first(data.y))
    if values < DISCRETE * k:
        said = f"{words}, with {values} different values: taken for repeated measurements, not for copies"
        return data, Gate("copied rows", True, copies, nan, said)
    if n - k > MOSTLY * n and data.groups is None:
        raise UndecidedError(
            explain(
                "Most rows are copies of others, and copies are no new evidence.",
                given=f"{n} rows, {k} distinct",
                expected="rows that were measured independently of each other",
                fix="rows = numpy.unique(numpy.column_stack([x, y]), axis=0), or groups= where they belong together",
            )
        )
    return data, Gate("copied rows", True, copies, nan, f"{words}: taken for repeated measurements, not for copies")


def with_gate(gate: Gate | None, found: Certificate) -> Certificate:
    """A certificate that says of copies too."""
    return found if gate is None else replace(found, gates=(gate, *found.gates))


def spread_of_copies(fit: Estimate, x: NDArray, y: NDArray) -> tuple[Estimate, Gate | None]:
    """The law of an estimate from all rows, as if each had counted once: copies made its error too small."""
    data, gate = without_copies(Observed(x, y))
    if len(data) == len(x):
        return fit, gate
    share = len(x) / len(data)
    left = fit.dof if np.isinf(fit.dof) else max(fit.dof - y.shape[1] * (len(x) - len(data)), 1.0)
    return replace(fit, root=fit.root * np.sqrt(share), dof=left), gate


def _first(rows: NDArray) -> NDArray:
    """Indices of the first of each kind of row, ascending."""
    plain = np.ascontiguousarray(rows + 0.0)  # no negative zeros: rows are compared as bytes
    keys = plain.view(np.dtype((np.void, plain.itemsize * plain.shape[1]))).ravel()
    return np.sort(np.unique(keys, return_index=True)[1])
