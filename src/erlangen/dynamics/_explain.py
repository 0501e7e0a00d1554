"""The correction that data ask for: inside the symmetric fields first, beyond them where a test says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.dynamics._misfit import MOST, SETTLED, AbstractMisfit
from erlangen.dynamics._parts import BreakingTest, breaking_test
from erlangen.dynamics._support import Choice, Search, refuse_collinear
from erlangen.dynamics._windows import Rows
from erlangen.linalg.rank import APART

HELD_OUT = 5
"""Parts of the data that take turns to be held out."""


@dataclass(frozen=True, eq=False)
class Explained:
    """Coefficients ``(q,)`` of a correction, their standard errors, and what was tested.

    Attributes
    ----------
    theta, errors : ndarray (q,)
    basis : ndarray (q, k) or None
        The symmetric fields, where there is a symmetry.
    test : BreakingTest or None
    before, after : float
        Root mean square misfit on held-out data, without and with the correction.
    reason : str
    unexplained : bool
        Whether most of the misfit beyond the noise is left with the terms that were found.
    """

    theta: NDArray
    errors: NDArray
    basis: NDArray | None
    test: BreakingTest | None
    before: float
    after: float
    reason: str
    unexplained: bool = False


def explained(
    misfit: AbstractMisfit, texts: Sequence[str], basis: NDArray | None, share: Callable[[NDArray], float]
) -> Explained:
    """Find the correction among fields with q coefficients, whose names are ``texts``.

    ``share`` says how much of a correction lies outside the span of ``basis``.
    """
    q = len(texts)
    everything = np.eye(q)
    if basis is None:
        return _finished(misfit, everything, settle(misfit, everything, texts), None, None)
    listed = [f"symmetric field {j + 1}" for j in range(basis.shape[1])]
    inside = settle(misfit, basis, listed)
    test = breaking_test(misfit.rows(inside.theta, everything), basis, share)
    if not test.breaks:
        return _finished(misfit, basis, inside, basis, test)
    both = np.column_stack([basis, everything])
    tries = [(columns, settle(misfit, columns, None)) for columns in (both, everything)]
    columns, found = min(tries, key=lambda pair: pair[1].choice.criterion)
    return _finished(misfit, columns, found, basis, test)


@dataclass(frozen=True, eq=False)
class Settled:
    """Terms and coefficients that stay when equations are linearised about them."""

    theta: NDArray
    choice: Choice
    rows: Rows


def settle(
    misfit: AbstractMisfit,
    columns: NDArray,
    texts: Sequence[str] | None,
    expected: NDArray | None = None,
    start: NDArray | None = None,
) -> Settled:
    """Choose terms and coefficients, and linearise again about them, until they stay.

    ``texts`` name the columns, where collinear ones are to be refused; ``expected`` marks terms that cost less, and
    ``start`` is a first guess of theta.
    """
    theta = np.zeros(len(columns)) if start is None else start
    support: frozenset[int] = frozenset(np.flatnonzero(expected).tolist() if expected is not None else ())
    polishing = False  # while the terms stay and their coefficients still move
    turn = 0
    while True:
        rows = misfit.rows(theta, columns)
        if turn == 0 and texts is not None:
            _enough(rows)
            refuse_collinear(rows.design, texts)
        search = Search(rows.design, rows.target, expected)
        old, searched = support, not polishing
        if searched:
            support = search.best(sorted(old))
        choice = search.choose(support)
        before, theta = theta, columns @ choice.z
        still = misfit.linear or bool(
            np.abs(theta - before).max(initial=0.0) <= SETTLED * np.abs(theta).max(initial=0.0)
        )
        turn += 1
        if turn == MOST or (turn > 1 and searched and still and support == old):
            return Settled(theta, choice, rows)
        polishing = support == old and not still


def _finished(
    misfit: AbstractMisfit, columns: NDArray, found: Settled, basis: NDArray | None, test: BreakingTest | None
) -> Explained:
    covariance = found.choice.covariance
    errors = np.sqrt(np.clip(np.einsum("ij,jk,ik->i", columns, covariance, columns), 0.0, None))
    before, after = _held_out(found.rows, found.choice.support)
    count = int(np.count_nonzero(found.theta))
    words = (
        [] if test is None or basis is None else [f"{basis.shape[1]} of {len(columns)} dimensions keep the symmetry"]
    )
    words += [] if test is None else [str(test)]
    words.append(f"{count} term{'s are' if count > 1 else ' is'} missing" if count else "no term is missing")
    unit = misfit.unit
    without = f"misfit on held-out data {before:.3g} {unit}"
    words.append(f"{without} without {'them' if count > 1 else 'it'}, {after:.3g} with" if count else without)
    # Both in units of the noise, whose own share is one; more than half of the rest is most of it.
    unexplained = misfit.linear and count > 0 and after > APART and 2 * (after**2 - 1) > before**2 - 1
    if unexplained:
        words.append("most of the misfit is left: nothing in the library explains it, and the terms are no laws")
    return Explained(found.theta, errors, basis, test, before, after, "; ".join(words), unexplained)


def _held_out(rows: Rows, support: NDArray) -> tuple[float, float]:
    """Root mean square of rows on stretches that the coefficients have not seen, without terms and with them."""
    squares, n = 0.0, len(rows.target)
    block = rows.block if len(np.unique(rows.block)) >= HELD_OUT else np.arange(n) * HELD_OUT // n
    for part in np.array_split(np.unique(block), HELD_OUT):
        held = np.isin(block, part)
        a, b = rows.design[:, support], rows.target
        if held.all() or not support.size:
            squares += float(b[held] @ b[held])
            continue
        sizes = np.linalg.norm(a[~held], axis=0)
        sizes = np.where(sizes > 0, sizes, 1.0)
        z = np.linalg.lstsq(a[~held] / sizes, b[~held], rcond=None)[0] / sizes
        squares += float(np.sum((b[held] - a[held] @ z) ** 2))
    return float(np.sqrt(np.mean(rows.target**2))), float(np.sqrt(squares / n))


def _enough(rows: Rows) -> None:
    m, q = rows.design.shape
    if m <= q:
        raise UndecidedError(
            explain(
                "There are too few samples for the library.",
                given=f"{m} equations for {q} coefficients",
                expected="more equations than coefficients",
                fix="more samples, a lower degree, or a symmetry= that ties coefficients",
            )
        )
