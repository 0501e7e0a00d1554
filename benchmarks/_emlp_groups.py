"""The 42 groups of emlp's own equivariance tests (tests/equivariance_tests.py), ours beside theirs.

Where coordinates differ, ``change`` leads from theirs to ours: x_ours = B x_theirs. A unitary group acts here on
R^(2n) by ``[[Re, -Im], [Im, Re]]``; over C that is V + V* in the coordinates (z, conj z), z = Re + i Im, and emlp is
asked about V + V*. Their GL(n) has no element of negative determinant; their D(k) reflects the other axis; their
"RubiksCube" moves the first row of every neighbour and generates a larger group than the cube's (order 1.9e47
instead of 4.3e19), so both sides get those permutations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks._emlp import words
from erlangen.algebra import groups
from erlangen.algebra.groups import Group

MOST_UNKNOWNS = 10_000
MIXED = ("2V + T2 + S", "V + T2")
MIXED_LARGE = ("2V + S", "V + S")


@dataclass(frozen=True)
class Pair:
    """One group twice: a function that builds ours, and the name and arguments of theirs."""

    label: str
    ours: Callable[[], Group]
    theirs: tuple[str, *tuple[int, ...]]
    change: Callable[[int], NDArray] = np.eye
    is_complex: bool = False


@dataclass(frozen=True)
class Case:
    """Linear maps between two sums of tensor words of one group."""

    pair: Pair
    source: str
    target: str

    @property
    def shape(self) -> tuple[int, int]:
        """Sizes of target and source."""
        k = self.pair.ours().size
        target, source = (sum(n * k**order for n, order in words(text)) for text in (self.target, self.source))
        return target, source

    @property
    def unknowns(self) -> int:
        """Number of entries of a map."""
        return self.shape[0] * self.shape[1]

    def __str__(self) -> str:
        return f"{self.pair.label}: {self.source} >> {self.target}, {self.unknowns} unknowns"


def complexified(k: int) -> NDArray:
    """Unitary matrix from (z, conj z) to (Re z, Im z), both scaled to keep lengths."""
    one = np.eye(k // 2)
    return np.block([[one, one], [-1j * one, 1j * one]]) / np.sqrt(2)


def lifted(change: NDArray, text: str) -> NDArray:
    """Change of basis of a sum of tensor words: Kronecker powers on the diagonal."""
    blocks = []
    for count, order in words(text):
        power = np.ones((1, 1))
        for _ in range(order):
            power = np.kron(power, change)
        blocks += [power] * count
    size, at = sum(len(b) for b in blocks), 0
    out = np.zeros((size, size), dtype=change.dtype)
    for b in blocks:
        out[at : at + len(b), at : at + len(b)] = b
        at += len(b)
    return out


def dimension_over_c(case: Case, basis: NDArray) -> int:
    """Dimension of the complex linear maps between the words in V alone, from their basis for V + V*."""
    n = case.pair.ours().size // 2
    inside = []
    for text in (case.target, case.source):
        keep = np.zeros(2 * n)
        keep[:n] = 1.0
        inside.append(np.diag(lifted(np.diag(keep), text)))
    # The block is itself an invariant part, so that its maps are the restrictions of all maps.
    rows = basis[np.outer(*inside).ravel() > 0]
    return int(np.linalg.matrix_rank(rows, tol=0.5))


def in_our_coordinates(case: Case, basis: NDArray) -> NDArray:
    """Bring their basis ``(a * b, r)`` to our coordinates: W -> B_target W B_source^-1 (B is unitary)."""
    change = case.pair.change(case.pair.ours().size)
    if np.array_equal(change, np.eye(len(change))):
        return basis
    target, source = lifted(change, case.target), lifted(change, case.source)
    maps = basis.T.reshape(-1, *case.shape)
    return (target @ maps @ source.conj().T).reshape(len(maps), -1).T


def cases(pair: Pair) -> list[Case]:
    """V >> V, T2 >> T2 and a mixed one; where V is too large for that, the largest of the kind below 10^4 unknowns."""
    k = pair.ours().size
    if k**4 <= MOST_UNKNOWNS:
        return [Case(pair, *ends) for ends in (("V", "V"), ("T2", "T2"), MIXED)]
    return [Case(pair, *ends) for ends in (("V", "V"), ("T2", "S"), MIXED_LARGE)]


def _identity_component(n: int) -> Group:
    return groups.from_matrices(groups.GL(n).lie_algebra, name=f"GL0({n})")


def _first_rows() -> Group:
    """Their "RubiksCube": a turn moves the 8 stickers of its face and the first three of each face around it."""
    around = ((1, 2, 3, 4), (0, 4, 5, 2), (0, 1, 5, 3), (0, 2, 5, 4), (0, 3, 5, 1), (1, 4, 3, 2))
    turns = np.tile(np.arange(48), (6, 1))
    for face, ring in enumerate(around):
        own = [[8 * face + i for i in cycle] for cycle in ((0, 5, 7, 2), (1, 3, 6, 4))]
        for cycle in [*own, *([8 * f + i for f in ring] for i in range(3))]:
            turns[face, cycle] = np.roll(cycle, -1)
    return groups.from_permutations(turns, "RubiksCube of emlp")


def _faces(k: int) -> NDArray:
    """Their faces 0 .. 5, of which (0, 5), (1, 3) and (2, 4) are opposite, to ours: +x -x +y -y +z -z."""
    return np.eye(k)[[0, 5, 1, 3, 2, 4]]


def _swap(k: int) -> NDArray:
    return np.eye(k)[::-1]


def _family(name: str, build: Callable[[int], Group], sizes: tuple[int, ...], **rest) -> list[Pair]:
    return [Pair(f"{name}({n})", lambda n=n: build(n), (name, n), **rest) for n in sizes]


_COMPLEX = {"change": complexified, "is_complex": True}

PAIRS: tuple[Pair, ...] = (
    *_family("SO", groups.SO, (2, 3, 4)),
    *_family("O", groups.O, (2, 3, 4)),
    *_family("SU", groups.SU, (2, 3, 4), **_COMPLEX),
    *_family("U", groups.U, (2, 3, 4), **_COMPLEX),
    *_family("SL", groups.SL, (2, 3, 4)),
    *_family("GL", _identity_component, (2, 3, 4)),
    *_family("C", groups.C, (2, 3, 4, 8)),
    *_family("D", groups.D, (2, 3, 4, 8), change=_swap),
    *_family("S", groups.S, (2, 4, 6)),
    *_family("Z", groups.Z, (2, 4, 6)),
    Pair("SO0(1,1)", lambda: groups.SO0(1, 1), ("SO11p",)),
    Pair("SO0(1,3)", lambda: groups.SO0(1, 3), ("SO13p",)),
    Pair("SO(1,3)", lambda: groups.SO(1, 3), ("SO13",)),
    Pair("O(1,3)", lambda: groups.O(1, 3), ("O13",)),
    Pair("Sp(2)", lambda: groups.Sp(2), ("Sp", 1)),
    Pair("Sp(6)", lambda: groups.Sp(6), ("Sp", 3)),
    Pair("RubiksCube of emlp", _first_rows, ("RubiksCube",)),
    Pair("CubeFaces()", groups.CubeFaces, ("Cube",), change=_faces),
    Pair("RotoTranslations(2, 2)", lambda: groups.RotoTranslations(2, 2), ("ZksZnxZn", 2, 2)),
    Pair("RotoTranslations(4, 4)", lambda: groups.RotoTranslations(4, 4), ("ZksZnxZn", 4, 4)),
)
