"""Does a rounded basis close exactly under the bracket? Decided in arithmetic modulo a prime.

Fractions and square roots of fractions map into the integers modulo a prime in which their
denominators are invertible and the roots exist, and all laws of arithmetic survive. A basis that
closes exactly closes there too; one that does not is caught by the bracket of two random elements
except with probability 2 / prime, and three pairs are tried with a prime above 10^7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from erlangen._exact import ExactNumber, SignedRoot
from erlangen._typing import NDArray
from erlangen.linalg import polynomials

_PAIRS = 3
_FIRST_PRIME = 10**7
_MOST_PRIMES = 4096  # a root exists in half of all primes: enough for ten independent roots


def matrices_close(size: int) -> Callable[[Sequence[Sequence[ExactNumber]]], bool]:
    """Return the exact test of closure for matrices flattened row by row, each of the stated size.

    Examples
    --------
    >>> test = matrices_close(2)
    >>> test([[0, 1, 0, 0], [1, 0, 0, 0]]), test([[0, 1, 0, 0], [0, 0, 1, 0]])
    (True, False)
    """

    def bracket(x: NDArray, y: NDArray, prime: int) -> NDArray | None:
        a, b = x.reshape(size, size), y.reshape(size, size)
        return ((_product(a, b, prime) - _product(b, a, prime)) % prime).ravel()

    return lambda rows: _closes(rows, bracket)


def fields_close(exponents: NDArray) -> Callable[[Sequence[Sequence[ExactNumber]]], bool]:
    """Return the exact test of closure for polynomial fields flattened from ``(d, r)``.

    Examples
    --------
    >>> test = fields_close(polynomials.exponents(1, 2))
    >>> test([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), test([[1, 0, 0], [0, 0, 1]])
    (True, False)
    """
    table = np.asarray(exponents, dtype=np.int64)
    known = polynomials.row_index(table)

    def bracket(x: NDArray, y: NDArray, prime: int) -> NDArray | None:
        d, r = table.shape[1], table.shape[0]
        a, b = x.reshape(d, r), y.reshape(d, r)
        rows, values = [], []
        for axis in range(d):
            factors, lowered = polynomials.derivative_table(table, axis)
            rows.append((table[:, None] + lowered[None]).reshape(-1, d))
            ab = a[axis, None, :, None] * (b * factors % prime)[:, None, :]
            ba = b[axis, None, :, None] * (a * factors % prime)[:, None, :]
            values.append(((ab - ba) % prime).reshape(d, -1))
        found, summed = polynomials.collect(np.concatenate(rows), np.concatenate(values, axis=1))
        out = np.zeros((d, r), dtype=np.int64)
        for row, column in zip(found, (summed % prime).T):
            index = known.get(tuple(int(e) for e in row))
            if index is not None:
                out[:, index] = column
            elif column.any():
                return None  # a monomial that no generator has
        return out.ravel()

    return lambda rows: _closes(rows, bracket)


def _closes(rows: Sequence[Sequence[ExactNumber]], bracket: Callable[[NDArray, NDArray, int], NDArray | None]) -> bool:
    if not rows:
        return True
    prime, residues = _residues(rows)
    echelon, pivots = _echelon(residues, prime)
    rng = np.random.default_rng(0)
    for _ in range(_PAIRS):
        weights = rng.integers(1, prime, size=(2, len(residues)))
        x, y = _product(weights, residues, prime)
        found = bracket(x, y, prime)
        if found is None or np.any((found - _product(found[pivots][None], echelon, prime)[0]) % prime):
            return False
    return True


def _residues(rows: Sequence[Sequence[ExactNumber]]) -> tuple[int, NDArray]:
    """Return a prime that suits all numbers, and the numbers modulo it."""
    distinct = dict.fromkeys(x for row in rows for x in row)
    parts = {x: x.parts() if isinstance(x, SignedRoot) else None for x in distinct}
    radicands = {f for part in parts.values() if part for f in _prime_factors(part[2])}
    prime = next(p for p in _primes() if all(pow(r, (p - 1) // 2, p) == 1 for r in radicands))
    value = {}
    for x, part in parts.items():
        if part is None:
            fraction = Fraction(x)  # type: ignore[arg-type]
            value[x] = fraction.numerator * pow(fraction.denominator, -1, prime) % prime
        else:
            sign, outer, radicand, denominator = part
            root = sign * outer * pow(denominator, -1, prime)
            # Roots of primes are multiplied, so that sqrt(2) sqrt(3) = sqrt(6) holds here too.
            for f in _prime_factors(radicand):
                root *= pow(f, (prime + 1) // 4, prime)
            value[x] = root % prime
    return prime, np.array([[value[x] for x in row] for row in rows], dtype=np.int64)


def _primes():
    """Primes above 10^7 of the form 4 m + 3, where the root of a square s is s^((p+1)/4)."""
    n, found = _FIRST_PRIME + 3, 0
    while found < _MOST_PRIMES:
        if all(n % f for f in range(3, int(n**0.5) + 1, 2)):
            found += 1
            yield n
        n += 4


def _prime_factors(n: int) -> list[int]:
    """Prime factors of a square-free number."""
    out, f = [], 2
    while f * f <= n:
        if n % f == 0:
            out.append(f)
            n //= f
        else:
            f += 1
    return out + [n] * (n > 1)


def _product(a: NDArray, b: NDArray, prime: int) -> NDArray:
    """Matrix product modulo the prime: 10^4 products below 10^14 fit into 64 bits."""
    out = np.zeros((a.shape[0], b.shape[1]), dtype=np.int64)
    for start in range(0, a.shape[1], 10_000):
        out += a[:, start : start + 10_000] @ b[start : start + 10_000] % prime
    return out % prime


def _echelon(rows: NDArray, prime: int) -> tuple[NDArray, list[int]]:
    """Reduced row echelon form modulo the prime, without zero rows."""
    rows, pivots = rows.copy(), []
    for column in range(rows.shape[1]):
        rank = len(pivots)
        below = np.flatnonzero(rows[rank:, column])
        if not len(below):
            continue
        k = rank + int(below[0])
        rows[[rank, k]] = rows[[k, rank]]
        rows[rank] = rows[rank] * pow(int(rows[rank, column]), -1, prime) % prime
        others = np.flatnonzero(rows[:, column])
        others = others[others != rank]
        rows[others] = (rows[others] - rows[others, column, None] * rows[rank]) % prime
        pivots.append(column)
        if len(pivots) == len(rows):
            break
    return rows[: len(pivots)], pivots
