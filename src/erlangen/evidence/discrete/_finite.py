"""Finite groups from their elements: closure, generators, and a name that is proved from the multiplication table."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from math import factorial

import numpy as np
from scipy.spatial import cKDTree

from erlangen._errors import InputError
from erlangen._typing import NDArray
from erlangen.algebra._elements import as_permutations, enumerate_elements

MOST = 1000
"""Elements that are listed; larger groups of signed permutations are counted by their generators alone."""
_SAME = 1e-6
"""Relative distance up to which a product is an element: far below that of elements, far above rounding of words."""


def closed(matrices: NDArray, most: int = MOST) -> tuple[NDArray, list[tuple[int, ...]]]:
    """All products of matrices ``(m, d, d)``, the identity first, and the shortest word of each in them."""
    found = enumerate_elements(matrices, most, "the maps")
    words: list[tuple[int, ...]] = []
    for k, p in zip(found.generator, found.parent, strict=True):
        words.append(() if k < 0 else (int(k), *words[p]))
    return found.matrices, words


def minimal_generators(matrices: NDArray) -> NDArray:
    """Keep matrices, the first ones by preference, that are no product of the others kept."""
    kept: list[NDArray] = []
    known = None
    for g in matrices:
        if known is not None and known.index(g) is not None:
            continue
        try:
            known = enumerate_elements(np.array([*kept, g]), MOST, "the maps")
        except InputError:  # an infinite group, or a large one: the rest is tested one by one
            known = None
        kept.append(g)
    for i in range(len(kept) - 1, -1, -1):
        rest = kept[:i] + kept[i + 1 :]
        if rest and _contains(np.array(rest), kept[i]):
            kept = rest
    return np.array(kept).reshape(-1, *matrices.shape[1:])


def name_of(matrices: NDArray) -> tuple[str, int]:
    """Name and order of the group that matrices ``(m, d, d)`` generate."""
    if not len(matrices):
        return "trivial", 1
    try:
        elements, _ = closed(matrices)
    except InputError:
        return f"a group of more than {MOST} elements", MOST + 1
    n = len(elements)
    moved = _permuted(matrices)
    if moved > 2 and n == factorial(moved):
        return f"S({moved})", n
    return name_of_table(table_of(elements)), n


def largest_group(elements: NDArray) -> NDArray:
    """Places, sorted, of a largest group among listed matrices ``(n, d, d)``, the identity first.

    Grown from each element in turn by every other that keeps all products in the list.
    """
    table, best = _products(elements), np.zeros(1, dtype=int)
    if np.all(table >= 0):
        return np.arange(len(elements))
    for start in range(1, len(elements)):
        group = None if start in best else _grown(table, [start])
        if group is None:
            continue
        for g in range(1, len(elements)):
            larger = group if g in group else _grown(table, [*group.tolist(), g])
            group = group if larger is None else larger
        best = group if len(group) > len(best) else best
    return best


def _products(elements: NDArray) -> NDArray:
    """Multiplication table of a list that need not be a group: -1 for products outside."""
    flat = elements.reshape(len(elements), -1)
    tree, out = cKDTree(flat), []
    for g in elements:
        products = (g @ elements).reshape(len(elements), -1)
        far, place = tree.query(products)
        out.append(np.where(far <= _SAME * np.linalg.norm(products, axis=1), place, -1))
    return np.array(out)


def _grown(table: NDArray, generators: list[int]) -> NDArray | None:
    """Places of what some elements generate; None where a product is not in the list."""
    seen, fresh = {0}, [0]
    while fresh:
        products = {int(k) for k in table[np.ix_(generators, fresh)].ravel()}
        if -1 in products:
            return None
        fresh = sorted(products - seen)
        seen |= products
    return np.array(sorted(seen))


def table_of(elements: NDArray) -> NDArray:
    """Multiplication table ``(n, n)`` of listed matrices: ``table[i, j]`` is the place of ``g_i g_j``."""
    n, flat = len(elements), elements.reshape(len(elements), -1)
    out = np.empty((n, n), dtype=int)
    for i, g in enumerate(elements):
        products = (g @ elements).reshape(n, -1)
        distances = np.sum(products**2, 1)[:, None] + np.sum(flat**2, 1) - 2 * products @ flat.T
        out[i] = np.argmin(distances, axis=1)
    return out


def is_group(table: NDArray) -> bool:
    """Whether a table with the identity in place 0 is that of a group: a Latin square that is associative."""
    n = len(table)
    every = np.arange(n)
    latin = np.array_equal(np.sort(table, 0), np.tile(every[:, None], n)) and np.array_equal(
        np.sort(table, 1), np.tile(every, (n, 1))
    )
    identity = np.array_equal(table[0], every) and np.array_equal(table[:, 0], every)
    return bool(latin and identity and all(np.array_equal(table[table[i]], table[i][table]) for i in range(n)))


def name_of_table(table: NDArray) -> str:
    """Name of the group with this multiplication table.

    Cyclic, abelian and dihedral groups, and A(4), S(4), A(5), S(5), by presentations: generators that satisfy the
    relations of a group of the same order generate that group. Products with a central ``Z(2)``; else the order.

    Examples
    --------
    >>> name_of_table(table_of(np.array([np.diag(s) for s in ([1, 1], [1, -1], [-1, 1], [-1, -1])])))
    'Z(2) x Z(2)'
    """
    n = len(table)
    orders = element_orders(table)
    if n == 1:
        return "trivial"
    if np.array_equal(table, table.T):
        return _abelian(orders)
    for name in (_dihedral(table, orders), _polyhedral(table, orders), _doubled(table, orders)):
        if name:
            return name
    return f"a group of {n} elements"


def element_orders(table: NDArray) -> NDArray:
    """Order ``(n,)`` of each element."""
    out, power = np.ones(len(table), dtype=int), np.arange(len(table))
    while np.any(power):
        out[power != 0] += 1
        power = np.where(power != 0, table[power, np.arange(len(table))], 0)
    return out


def _abelian(orders: NDArray) -> str:
    """Elementary divisors from the number of elements of order p^k, put together to invariant factors."""
    n, parts = len(orders), []
    for p in _primes(n):
        powers, q = [], p
        previous = 1
        while n % q == 0 and (count := int(np.sum(q % orders == 0))) > previous:
            powers.append(round(np.log(count / previous) / np.log(p)))  # factors of order at least q
            previous, q = count, q * p
        parts.append([p ** sum(k > j for k in powers) for j in range(powers[0])])
    rank = max(len(part) for part in parts)
    factors = [int(np.prod([part[j] for part in parts if j < len(part)])) for j in range(rank)]
    if rank == 1:
        return f"Z({n})" if n == 2 else f"C({n})"
    return " x ".join(("Z(2)" if f == 2 else f"C({f})") for f in sorted(factors))


def _primes(n: int) -> list[int]:
    return [p for p in range(2, n + 1) if n % p == 0 and all(p % q for q in range(2, p))]


def _dihedral(table: NDArray, orders: NDArray) -> str:
    """<r> of half the order with only involutions outside: each of these inverts r."""
    n = len(table)
    for r in np.flatnonzero(orders == n // 2) if n % 2 == 0 else ():
        turns = generated(table, [int(r)])
        outside = np.setdiff1d(np.arange(n), turns)
        if np.all(orders[outside] == 2):
            return f"D({n // 2})"
    return ""


def _polyhedral(table: NDArray, orders: NDArray) -> str:
    """<a, b | a^2, b^3, (ab)^k> has 12, 24, 60 elements for k = 3, 4, 5; S(5) by its Coxeter generators."""
    n = len(table)
    k = {12: 3, 24: 4, 60: 5}.get(n)
    if k is not None:
        for a in np.flatnonzero(orders == 2):
            for b in np.flatnonzero(orders == 3):
                if orders[table[a, b]] == k and len(generated(table, [int(a), int(b)])) == n:
                    return {3: "A(4)", 4: "S(4)", 5: "A(5)"}[k]
    return "S(5)" if n == 120 and _coxeter(table, orders, 4) else ""


def _coxeter(table: NDArray, orders: NDArray, rank: int) -> bool:
    """Whether there is a chain of involutions, neighbours with products of order 3, others that commute."""
    twos = [int(i) for i in np.flatnonzero(orders == 2)]

    def extended(chain: tuple[int, ...]) -> bool:
        if len(chain) == rank:
            return len(generated(table, chain)) == len(table)
        return any(
            all(orders[table[s, t]] == (3 if j == len(chain) - 1 else 2) for j, s in enumerate(chain))
            and extended((*chain, t))
            for t in twos
            if t not in chain
        )

    return extended(())


def _doubled(table: NDArray, orders: NDArray) -> str:
    """H x Z(2), for a subgroup H of half the order without some central involution."""
    n = len(table)
    centre = [i for i in range(n) if np.array_equal(table[i], table[:, i])]
    for half in _halves(table):
        for z in centre:
            if orders[z] == 2 and z not in half:
                inner = np.searchsorted(half, table[np.ix_(half, half)])
                return f"{name_of_table(inner)} x Z(2)"
    return ""


def _halves(table: NDArray) -> Iterable[NDArray]:
    """Subgroups of half the order: they contain all squares, and are unions of cosets of what squares generate."""
    n = len(table)
    squares = generated(table, [int(table[i, i]) for i in range(n)])
    rest: list[int] = []
    covered = set(squares.tolist())
    for i in range(n):
        if i not in covered:
            rest.append(i)
            covered = set(generated(table, [*squares.tolist(), *rest]).tolist())
    if len(rest) > 6:  # an elementary abelian quotient so large belongs to no named group
        return
    for count in range(len(rest) + 1):
        for flipped in combinations(range(len(rest)), count):
            if not flipped:
                continue
            first = flipped[0]
            inner = [rest[k] for k in range(len(rest)) if k not in flipped]
            inner += [int(table[rest[first], rest[k]]) for k in flipped[1:]]
            half = generated(table, [*squares.tolist(), *inner])
            if 2 * len(half) == n:
                yield half


def generated(table: NDArray, generators: Iterable[int]) -> NDArray:
    """Places of the elements that some generate, sorted."""
    gens = sorted(set(generators))
    seen, fresh = {0}, [0]
    while fresh:
        fresh = sorted({int(table[g, i]) for i in fresh for g in gens} - seen)
        seen.update(fresh)
    return np.array(sorted(seen))


def _contains(generators: NDArray, g: NDArray) -> bool:
    try:
        return enumerate_elements(generators, MOST, "the maps").index(g) is not None
    except InputError:
        return False


def _permuted(matrices: NDArray) -> int:
    """Number of coordinates that permutations move; 0 where some matrix is no permutation."""
    images = as_permutations(matrices)
    return 0 if images is None else int(np.sum(np.any(images != np.arange(images.shape[1]), axis=0)))
