"""Rounding of measured numbers to small fractions and square roots of small fractions."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import gcd

import numpy as np

from erlangen._exact import ExactNumber, SignedRoot
from erlangen._typing import NDArray

LARGEST_DENOMINATOR = 12
# A rounding is evidence only if few numbers could have been rounded as well: with tolerance t,
# fractions of denominator up to q, of which there are F per unit interval, cover 2 t F of it.
_CHANCE = 0.25
# Whole numbers are what generators have as a rule: they are tried unless nearly everything rounds to one.
_WHOLE = 0.375
_TINY = np.finfo(np.float64).tiny


@lru_cache(maxsize=1)
def _fractions_per_unit() -> tuple[int, ...]:
    """Numbers of fractions in [0, 1) with denominator up to q = 1, 2, ..."""
    counts, total = [], 0
    for q in range(1, LARGEST_DENOMINATOR + 1):
        total += sum(gcd(a, q) == 1 for a in range(q)) if q > 1 else 1
        counts.append(total)
    return tuple(counts)


def allowed_denominators(tolerance: NDArray) -> NDArray:
    """Largest denominators whose fractions are still too few to be met by chance; 0 if there is none."""
    beyond = np.searchsorted(_fractions_per_unit(), _CHANCE / (2 * np.maximum(tolerance, _TINY)), side="right")
    return np.maximum(beyond, tolerance <= _WHOLE)


def simplest_fractions(x: NDArray, tolerance: float | NDArray) -> list[Fraction | None]:
    """Return for each number the fraction of least denominator within the tolerance, if one is allowed."""
    tolerance = np.broadcast_to(tolerance, x.shape)
    numerator, denominator = np.zeros(x.shape), np.zeros(x.shape, dtype=np.int64)
    allowed = allowed_denominators(tolerance)
    for q in range(1, int(allowed.max(initial=0)) + 1):
        nearest = np.round(x * q)
        fits = (denominator == 0) & (q <= allowed) & (np.abs(x - nearest / q) <= tolerance)
        numerator[fits], denominator[fits] = nearest[fits], q
    return [Fraction(int(p), int(q)) if q else None for p, q in zip(numerator, denominator, strict=True)]


def simplest_roots(x: NDArray, tolerance: float) -> list[SignedRoot | None]:
    """Return for each number the signed root of the simplest fraction within the tolerance, if one is allowed."""
    # d(x^2) = 2 |x| dx carries the tolerance to the square.
    squares = simplest_fractions(x * x, 2 * np.abs(x) * tolerance)
    return [SignedRoot(s if v > 0 else -s) if s else None for s, v in zip(squares, x, strict=True)]


def round_vector(values: NDArray, tolerance: float) -> list[list[ExactNumber | None]]:
    """Return candidates of exact numbers for the entries of a vector scaled to size about 1.

    The first holds fractions only; the second, where it differs, has roots in the place of
    fractions that fail or are not simple. None where nothing is within the tolerance; where that
    holds for more than half of the entries, what fits does so by chance and nothing is rounded.
    """
    tolerance = tolerance * max(1.0, float(np.abs(values).max(initial=0.0)))
    fractions: list[ExactNumber | None] = list(simplest_fractions(values, tolerance))
    roots = list(fractions)
    poor = [k for k, f in enumerate(fractions) if not isinstance(f, Fraction) or f.denominator > 2]
    for k, root in zip(poor, simplest_roots(values[poor], tolerance), strict=True):
        roots[k] = root or fractions[k]
    candidates = [fractions] if roots == fractions else [fractions, roots]
    fair = [numbers for numbers in candidates if 2 * numbers.count(None) <= len(numbers)]
    return fair or [[None] * len(values)]


def simplest_scale(numbers: list[ExactNumber | None]) -> list[ExactNumber | None]:
    """Divide fractions by the entry that leaves the most whole numbers, and then the smallest ones."""
    if not all(isinstance(x, Fraction) for x in numbers):
        return numbers

    def rank(scale: Fraction) -> tuple[int, int]:
        scaled = [x / scale for x in numbers]  # type: ignore[operator]
        return sum(x.denominator > 1 for x in scaled), sum(abs(x.numerator) + x.denominator for x in scaled)

    best = min(dict.fromkeys(abs(x) for x in numbers), key=rank)  # type: ignore[arg-type]
    return [x / best for x in numbers]  # type: ignore[operator]
