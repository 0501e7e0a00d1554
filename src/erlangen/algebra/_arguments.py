"""Checks of arguments that several catalogues share."""

from __future__ import annotations

import numpy as np

from erlangen._errors import InputError, explain


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
