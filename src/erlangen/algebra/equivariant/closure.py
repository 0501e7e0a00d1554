"""The Lie algebra that generators generate, by its images on several factors at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.linalg

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra.equivariant._sides import Factor, Side, factors_of

_NEARLY = 0.1  # brackets of unit generators that generate in earnest leave their span by about 1


def lie_closure(factors: tuple[Factor, ...], largest: int = 1000) -> tuple[NDArray, ...] | None:
    """Orthonormal basis of the span of all brackets, as images ``(p, s, s)`` on every factor.

    Parameters
    ----------
    factors : tuple of Factor
        Different factors; their Lie images generate the algebra.
    largest : int
        Dimension above which the answer is None.
    """
    sizes = [f.size**2 for f in factors]
    found = _independent(stacked([f.lie for f in factors]))
    while True:
        fresh = _brackets(found, sizes)
        larger = np.linalg.norm(fresh, axis=1) > product_rounding(found.shape[1]) * max(1.0, len(found))
        if not larger.any():
            return tuple(_unstack(found, sizes))
        found = _independent(np.vstack([found, fresh[larger]]))
        if len(found) > largest:
            return None


def _independent(rows: NDArray) -> NDArray:
    norms = np.linalg.norm(rows, axis=1)
    rows = rows[norms > 0] / norms[norms > 0, None]
    if not len(rows):
        return rows
    _, s, vt = scipy.linalg.svd(rows, full_matrices=False)
    return vt[s > product_rounding(max(rows.shape)) * s[0]]


def check_closed(sides: tuple[Side, ...], digits_lost: float = 1.0) -> None:
    """Refuse generators that look like a closed algebra with noise: exactly, they generate a far larger one.

    Parameters
    ----------
    sides : tuple of Side
        Representations of one group.
    digits_lost : float
        Factor by which the generators are less exact than rounding.

    Raises
    ------
    InputError
        Where brackets of unit generators leave their span by more than rounding and less than a tenth.
    """
    factors = factors_of(sides)
    if not factors or len(factors[0].lie) < 2:
        return
    sizes = [f.size**2 for f in factors]
    span = _independent(stacked([f.lie for f in factors]))
    outside = _brackets(span, sizes)
    defect = float(np.linalg.norm(outside, axis=1).max(initial=0.0))
    if not 10 * digits_lost * product_rounding(max(f.size for f in factors)) < defect < _NEARLY:
        return
    raise InputError(
        explain(
            "These generators close under brackets only nearly, and what they generate is far larger.",
            given=f"{len(span)} independent generators, whose brackets leave their span by {defect:.1g}",
            expected="generators closed to rounding, or a generating set whose brackets leave the span in earnest",
            fix="group.nearest_closed() where generators come from data; "
            "from_matrices(lie_algebra=group.closure().basis) where they are meant as they are",
        )
    )


def _brackets(found: NDArray, sizes: list[int]) -> NDArray:
    """What the brackets of all pairs add to the span of orthonormal rows."""
    brackets = [np.einsum("iab,jbc->ijac", b, b) for b in _unstack(found, sizes)]
    upper = np.triu_indices(len(found), 1)
    rows = np.concatenate(
        [(b - b.transpose(1, 0, 2, 3))[upper].reshape(-1, n) for b, n in zip(brackets, sizes)], axis=1
    )
    return rows - (rows @ found.T) @ found


def stacked(images: Iterable[NDArray]) -> NDArray:
    """Images ``(p, s, s)`` on several factors as rows ``(p, sum s^2)``."""
    return np.concatenate([b.reshape(len(b), b.shape[1] ** 2) for b in images], axis=1)


def _unstack(rows: NDArray, sizes: list[int]) -> list[NDArray]:
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    return [part.reshape(len(rows), int(n**0.5 + 0.5), -1) for part, n in zip(parts, sizes)]


def product_rounding(n: int) -> float:
    """Relative error of a few products of n terms."""
    return 1000 * float(np.finfo(np.float64).eps) * max(n, 1)
