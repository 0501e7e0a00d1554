"""Exact numbers that a person writes: integers, fractions and signed square roots of fractions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class SignedRoot:
    """The number sign(s) sqrt(abs(s)) of a fraction s.

    Parameters
    ----------
    signed_square : Fraction
        The square of the number, carrying the number's sign.

    Examples
    --------
    >>> str(SignedRoot(Fraction(-3, 4)))
    '-sqrt(3)/2'
    """

    signed_square: Fraction

    def __float__(self) -> float:
        return math.copysign(math.sqrt(abs(self.signed_square)), self.signed_square)

    def __neg__(self) -> SignedRoot:
        return SignedRoot(-self.signed_square)

    def __bool__(self) -> bool:
        return self.signed_square != 0

    def parts(self) -> tuple[int, int, int, int]:
        """Sign, outer factor, radicand and denominator of ``sign outer sqrt(radicand) / denominator``."""
        square = abs(self.signed_square)
        outer, radicand = _split_square(square.numerator * square.denominator)
        reduced = Fraction(outer, square.denominator)
        sign = -1 if self.signed_square < 0 else 1
        return sign, reduced.numerator, radicand, reduced.denominator

    def __str__(self) -> str:
        sign, outer, radicand, denominator = self.parts()
        root = "" if radicand == 1 else f"sqrt({radicand})"
        head = f"{outer}*{root}" if root and outer != 1 else root or str(outer)
        return ("-" if sign < 0 else "") + head + ("" if denominator == 1 else f"/{denominator}")


ExactNumber = int | Fraction | SignedRoot


def _split_square(n: int) -> tuple[int, int]:
    """Write n = outer^2 * radicand with the outer factor as large as possible."""
    outer, factor = 1, 2
    while factor * factor <= n:
        while n % (factor * factor) == 0:
            n //= factor * factor
            outer *= factor
        factor += 1
    return outer, n
