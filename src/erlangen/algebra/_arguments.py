"""Checks of arguments that several catalogues share."""

from __future__ import annotations

import numpy as np

from erlangen._errors import InputError, explain

_MOST_NUMBERS = 2**27
"""Entries of one stack of matrices: a gigabyte. More is a slip, or asks for another way."""


def whole(name: str, n: int, lowest: int) -> int:
    """Return n as an int of at least ``lowest``, or say what `name` needs."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < lowest:
        raise InputError(
            explain(
                f"{name} needs a whole number.",
                given=f"{name}({n!r})",
                expected=f"an integer of at least {lowest}",
                fix=f"{name}({max(3, lowest)})",
            )
        )
    return int(n)


def check_room(name: str, count: int, size: int) -> None:
    """Refuse a stack of ``count`` matrices of a size before it is built, where it holds over a gigabyte."""
    if count * size**2 > _MOST_NUMBERS:
        room = int((_MOST_NUMBERS / max(count, 1)) ** 0.5)
        raise InputError(
            explain(
                f"The matrices of {name} would not fit in memory.",
                given=f"{count} matrices of size {size}: {8 * count * size**2 / 2**30:.3g} GiB",
                expected=f"at most {8 * _MOST_NUMBERS / 2**30:.3g} GiB; for {count} matrices a size of at most {room}",
                fix="a smaller group, and a count of what it moves alike: rep('20V', groups.S(50))",
            )
        )
