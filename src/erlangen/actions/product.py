"""More generators on the same space, and actions on a product of spaces."""

from __future__ import annotations

from erlangen._errors import InputError, explain
from erlangen.actions.polynomial import PolynomialAction, place, stack


def union(*actions: PolynomialAction) -> PolynomialAction:
    """All generators of several actions on the same space, in order.

    Parameters
    ----------
    *actions : PolynomialAction
        On one space.

    Returns
    -------
    PolynomialAction
        p_1 + p_2 + ... generators, of degree up to the highest.

    Raises
    ------
    InputError
        When the actions do not move the same number of coordinates.
    """
    dims = {a.point_dim for a in actions}
    if len(dims) != 1:
        raise InputError(
            explain(
                "Actions that are joined must act on the same space.",
                given=f"actions on {sorted(dims)} coordinates",
                expected="one number of coordinates",
                fix="er.actions.product(a, b) acts on the product of the two spaces",
            )
        )
    return stack(actions)


def product(*actions: PolynomialAction) -> PolynomialAction:
    """Each action on its own columns of the product space: free blocks, side by side.

    Parameters
    ----------
    *actions : PolynomialAction
        On d_1, d_2, ... coordinates.

    Returns
    -------
    PolynomialAction
        p_1 + p_2 + ... generators on d_1 + d_2 + ... coordinates.
    """
    dim = sum(a.point_dim for a in actions)
    placed, start = [], 0
    for a in actions:
        placed.append(place(a, range(start, start + a.point_dim), dim))
        start += a.point_dim
    return stack(placed)
