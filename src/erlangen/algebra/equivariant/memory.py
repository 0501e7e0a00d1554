"""Whether the result of a request would fit in memory, before it is begun."""

from __future__ import annotations

import os

from erlangen._errors import InputError, explain
from erlangen.algebra.representation import LinearMaps

_FALLBACK = 8 * 2**30


def check_memory(maps: LinearMaps, permutes: bool) -> None:
    """Refuse a request whose structured basis would not fit.

    Factors of isotypic components hold M^2 + N^2 numbers and a few times as many while they are
    found; orbits hold a label and a sign for each of the M N entries.

    Raises
    ------
    InputError
        With the size and what to do instead.
    """
    m, n = maps.target.size, maps.source.size
    # Factors are found as complex numbers, with two working copies; orbits with an index of all edges.
    needed = 64.0 * m * n if permutes else 8.0 * 6 * (float(m) ** 2 + float(n) ** 2)
    room = available()
    if needed <= room:
        return
    raise InputError(
        explain(
            "The equivariant maps would not fit in memory.",
            given=f"{maps} of {maps.source.group.name}, sizes {n} and {m}: about {_gib(needed)}",
            expected=f"at most {_gib(room)}, what is free here",
            fix="lower tensor powers; irreducible parts such as spin(2) or Sym2(V) in place of V**2; or "
            "for products ChannelProducts, which needs the maps of single words only",
        )
    )


def check_dense(dim: int, cells: int) -> None:
    """Refuse a dense basis of ``dim`` maps with ``cells`` entries that would not fit, as in skew coordinates.

    Raises
    ------
    InputError
        With the size and what to do instead.
    """
    needed, room = 8.0 * 4 * dim * cells, available()  # the basis, its orthonormal form and two working copies
    if needed > room:
        raise InputError(
            explain(
                "In skew coordinates the basis of the equivariant maps is dense, and would not fit in memory.",
                given=f"{dim} maps of {cells} entries: about {_gib(needed)}",
                expected=f"at most {_gib(room)}, what is free here",
                fix="orthogonal coordinates, in which bases keep their factors; or single words, V >> V for 40V >> 40V",
            )
        )


def available() -> float:
    """Bytes of memory that are free; a guess where the system does not say."""
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return float(_FALLBACK)


def _gib(size: float) -> str:
    return f"{size / 2**30:.3g} GiB"
