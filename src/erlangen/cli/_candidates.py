"""Candidates by name: ``affine``, ``rotation``, ``polynomial:2``."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

from erlangen._errors import InputError, explain, nearest

if TYPE_CHECKING:
    from erlangen.actions import PolynomialAction

NAMED = {
    "affine": "affine",
    "linear": "gl",
    "rotation": "rotation",
    "translation": "translation",
    "scaling": "scaling",
    "euclidean": "euclidean",
}
"""Name on the command line, and the function of `erlangen.actions` behind it."""

HELP = f"Generators to look among: {', '.join(NAMED)}, or polynomial:DEGREE."

MOST = 20_000
"""Candidates beyond which the factorisations alone would take hours."""


def build(text: str, d: int, equations: int) -> PolynomialAction:
    """Build the action that a name means on R^d.

    Parameters
    ----------
    text : str
        The name.
    d : int
        Number of coordinates.
    equations : int
        Numbers that the data give: samples times channels.

    Raises
    ------
    InputError
        Where the name is not known, or there are more candidates than the data can decide.
    """
    from erlangen import actions

    name, _, number = text.strip().lower().partition(":")
    if name == "polynomial" and (not number or (number.isascii() and number.isdigit() and len(number) < 4)):
        degree = int(number or 2)
        _check_count(text, d * comb(d + degree, degree), equations)
        return actions.polynomial(d, degree)
    if name not in NAMED or number:
        close = nearest(name, [*NAMED, "polynomial:2"])
        fix = f"did you mean {close!r}?" if close and close != text else "--candidates affine"
        expected = f"{', '.join(NAMED)}, or polynomial:DEGREE"
        what = "There are no candidates of this name."
        raise InputError(explain(what, given=f"--candidates {text}", expected=expected, fix=fix))
    if name in ("rotation", "euclidean") and d < 2:
        what = "A line has no rotations."
        raise InputError(explain(what, given="1 coordinate", expected="2 or more", fix="--candidates affine"))
    action = getattr(actions, NAMED[name])(d)
    _check_count(text, action.n_generators, equations)
    return action


def _check_count(text: str, p: int, equations: int) -> None:
    if p > min(equations, MOST):
        what = "Fewer samples than generators can be decided from." if p > equations else "Too many candidates."
        given = f"{p} candidates ({text}), {equations} numbers in the data"
        expected = f"at most {min(equations, MOST)} candidates"
        raise InputError(explain(what, given=given, expected=expected, fix="fewer candidates or columns, or more rows"))
