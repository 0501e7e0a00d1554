"""Names of the simple real Lie algebras: one canonical name each, the others as aliases.

References
----------
S. Helgason, Differential Geometry, Lie Groups, and Symmetric Spaces (1978), chapter X, tables II and V.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from erlangen.algebra.semisimple import SimpleFactor

UNRESOLVED = "unresolved"


@dataclass(frozen=True)
class Named:
    """A canonical name with the names of isomorphic algebras."""

    name: str
    aliases: tuple[str, ...] = ()
    place: tuple[int, ...] = ()  # where it stands in a direct sum: smaller first, then by name


def name_simple(factor: SimpleFactor) -> Named:
    """Name a simple ideal from its type and Killing signature."""
    names = _complex_names(factor) if factor.complex_type else _real_names(factor)
    place = (0, -factor.dim, factor.signature[0])  # larger first, compact before split
    if not names:
        return Named(f"{UNRESOLVED}({factor.dim})", (), place)
    return Named(names[0], tuple(dict.fromkeys(n for n in names[1:] if n != names[0])), place)


def _complex_names(factor: SimpleFactor) -> list[str]:
    n, family = factor.rank, factor.family
    if family == "A" and n == 1:
        return ["so(3,1)", "sl(2,C)", "so(3,C)", "sp(2,C)", "so(1,3)"]
    if family == "A":
        return [f"sl({n + 1},C)"] + (["so(6,C)"] if n == 3 else [])
    if family == "B":
        return [f"so({2 * n + 1},C)"] + (["sp(4,C)"] if n == 2 else [])
    if family == "C":
        return [f"sp({2 * n},C)"]
    if family == "D":
        return [f"so({2 * n},C)"]
    return [f"{family.lower()}{n if family in 'EF' else 2}(C)"] if family else []


def _real_names(factor: SimpleFactor) -> list[str]:
    n, positive = factor.rank, factor.signature[0]
    if factor.family == "A" and n == 1:
        return _orthogonal(3, positive) + _special_linear(2, positive) + _symplectic(1, positive)
    if factor.family == "A" and n == 3:
        # sl(4,R) is the one of the five that is better known by its linear name.
        names = _orthogonal(6, positive) + _special_linear(4, positive)
        return names[::-1] if "sl(4,R)" in names else names + _quaternionic_orthogonal(3, positive)
    if factor.family == "A":
        return _special_linear(n + 1, positive)
    if factor.family == "B":
        return _orthogonal(2 * n + 1, positive) + (_symplectic(2, positive) if n == 2 else [])
    if factor.family == "C":
        return _symplectic(n, positive)
    if factor.family == "D":
        return _orthogonal(2 * n, positive) + _quaternionic_orthogonal(n, positive)
    if factor.family == "G":
        return {0: ["g2"], 8: ["g2(2)"]}.get(positive, [])
    if factor.family in ("E", "F"):
        label = f"{factor.family.lower()}{n}"
        return [label if positive == 0 else f"{label}({positive - factor.signature[1]})"]
    return []


def _orthogonal(n: int, positive: int) -> list[str]:
    """so(p,q) with p + q = n and p q positive Killing directions."""
    if positive == 0:
        return [f"so({n})"]
    root = isqrt(max(n * n - 4 * positive, 0))
    q, p = (n - root) // 2, (n + root) // 2
    if q < 1 or p * q != positive or p + q != n:
        return []
    if (p, q) == (2, 1):
        return ["sl(2,R)", "so(2,1)"]
    return [f"so({p},{q})"] + ([f"so({q},{p})"] if p != q else [])


def _special_linear(n: int, positive: int) -> list[str]:
    """su(p,q), sl(n,R) and su*(n) with p + q = n."""
    names = []
    if positive == n * (n + 1) // 2 - 1:
        names.append(f"sl({n},R)")
    if positive == 0:
        names.append(f"su({n})")
    for q in range(1, n // 2 + 1):
        if 2 * (n - q) * q == positive:
            names.append(f"su({n - q},{q})")
    half = n // 2
    if n % 2 == 0 and positive == (half - 1) * (2 * half + 1):
        names += [f"su*({n})", f"sl({half},H)"]
    return names


def _symplectic(n: int, positive: int) -> list[str]:
    """sp(p,q) with p + q = n, and sp(2n,R)."""
    names = [f"sp({n})"] if positive == 0 else []
    names += [f"sp({n - q},{q})" for q in range(1, n // 2 + 1) if 4 * (n - q) * q == positive]
    return names + ([f"sp({2 * n},R)"] if positive == n * (n + 1) else [])


def _quaternionic_orthogonal(n: int, positive: int) -> list[str]:
    return [f"so*({2 * n})"] if positive == n * (n - 1) else []
