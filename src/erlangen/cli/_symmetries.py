"""Symmetries by name: ``rotation``, ``so(2)``, ``-y,x``, ``discover``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from erlangen._errors import InputError, explain, nearest
from erlangen.cli import _candidates

if TYPE_CHECKING:
    from erlangen.actions import AbstractAction

HELP = (
    f"Symmetry to enforce: {', '.join(_candidates.NAMED)}; so(2) or so(3), on each pair or triple of columns; "
    "generators as formulas, -y,x (several: with semicolons); or discover, to find it in the data."
)

_ROTATIONS = re.compile(r"so\(?(\d)\)?")


def read(text: str, names: Sequence[str]) -> AbstractAction | str:
    """Return the action that a text means for coordinates of these names; ``"discover"`` stays as it is.

    Raises
    ------
    InputError
        Where it means nothing, or does not fit the number of coordinates.
    """
    from erlangen import actions

    plain, d = text.strip().lower(), len(names)
    if plain == "discover":
        return plain
    rotations = _ROTATIONS.fullmatch(plain)
    if rotations:
        return _rotations(text, int(rotations[1]), d)
    if "," in plain or d == 1 and plain not in _candidates.NAMED:
        generators = [[part.strip() for part in _parts(piece)] for piece in text.split(";")]
        return actions.fields(generators, list(names))
    if plain in _candidates.NAMED:
        return _candidates.build(plain, d, _candidates.MOST)
    known = [*_candidates.NAMED, "so(2)", "so(3)", "discover"]
    close = nearest(plain, known)
    fix = f"did you mean {close!r}?" if close else "--symmetry rotation"
    expected = f"{', '.join(known)}, or formulas: -y,x"
    what = "There is no symmetry of this name."
    raise InputError(explain(what, given=f"--symmetry {text}", expected=expected, fix=fix))


def _rotations(text: str, k: int, d: int) -> AbstractAction:
    """Rotations of R^k that turn each k columns in step: positions, then velocities."""
    from erlangen import actions

    if k < 2 or d % k:
        what = "Rotations turn columns in groups of as many as there are dimensions."
        expected = f"a multiple of {max(k, 2)} columns"
        fix = "--state with all components of each vector, one vector after the other"
        raise InputError(explain(what, given=f"--symmetry {text} for {d} columns", expected=expected, fix=fix))
    return actions.rotation(k).tied([tuple(range(first, first + k)) for first in range(0, d, k)])


def _parts(text: str) -> list[str]:
    """Split at the commas that are outside parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
