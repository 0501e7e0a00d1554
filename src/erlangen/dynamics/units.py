"""Units: equations hold whatever the units are, which is an exact symmetry under scalings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray

_FACTOR = re.compile(
    r"\s*(?P<operator>[*/]?)\s*(?P<unit>[A-Za-z]+|1)\s*(?:(?:\^|\*\*)\s*(?P<power>-?\d+(?:/\d+)?))?\s*"
)


@dataclass(frozen=True)
class Units(AbstractShown):
    """Units of time and of each column; coefficients are pure numbers.

    Where a unit is enlarged by a factor, numbers in it shrink, and true equations stay true. For each base unit this is
    a scaling of coordinates and time: with weights w of the coordinates and w_t of time, the field obeys
    [xi, F] = w_t F for xi = sum w_i x_i d/dx_i. Monomials survive where their units are those of the rate; functions
    such as sin(x) where x has none. A constant with units, such as an acceleration, is a column of its own: a parameter
    of the runs.

    Parameters
    ----------
    time : str
        Unit of time, such as "s".
    columns : mapping of str to str
        Unit of each state and control, such as ``{"x": "m", "v": "m/s", "n": "1"}``.

    Raises
    ------
    InputError
        Where a text is no product of powers of units.

    Examples
    --------
    >>> Units("s", {"h": "m", "v": "m/s", "g": "m/s^2"}).weights(("h", "v", "g"))
    (array([[ 1.,  1.,  1.],
           [ 0., -1., -2.]]), array([0., 1.]))
    """

    time: str
    columns: Mapping[str, str]

    def __post_init__(self) -> None:
        for text in (self.time, *self.columns.values()):
            _read(text)

    def weights(self, names: tuple[str, ...]) -> tuple[NDArray, NDArray]:
        """Powers of the base units ``(b, d)`` in the columns and ``(b,)`` in time.

        Parameters
        ----------
        names : tuple of str
            The d columns.

        Returns
        -------
        tuple of ndarray (b, d), (b,)
            Powers of the b base units in each column, and in time.

        Raises
        ------
        InputError
            Where the unit of a column is not given.
        """
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise InputError(
                explain(
                    "Not all columns have units.",
                    given=", ".join(f"{k}: {v}" for k, v in self.columns.items()) or "none",
                    expected=f"a unit for each of {', '.join(names)}",
                    fix=f'Units({self.time!r}, {{..., "{missing[0]}": "1"}})',
                )
            )
        read = [_read(self.columns[name]) for name in names]
        clock = _read(self.time)
        base = list(dict.fromkeys(unit for powers in (*read, clock) for unit in powers))
        table = np.array([[float(powers.get(unit, 0)) for powers in read] for unit in base]).reshape(-1, len(names))
        return table, np.array([float(clock.get(unit, 0)) for unit in base])


def _read(text: Any) -> dict[str, Fraction]:
    """Powers of base units in a text such as "kg*m^2/s"."""
    powers: dict[str, Fraction] = {}
    at = 0
    while isinstance(text, str) and at < len(text):
        match = _FACTOR.match(text, at)
        if match is None or (at == 0) == bool(match["operator"]):
            break
        at = match.end()
        if match["unit"] != "1":
            sign = -1 if match["operator"] == "/" else 1
            powers[match["unit"]] = powers.get(match["unit"], Fraction(0)) + sign * Fraction(match["power"] or 1)
    if not isinstance(text, str) or not text or at < len(text):
        raise InputError(
            explain("This is no unit.", given=repr(text), expected="products of powers of units", fix='"kg*m^2/s"')
        )
    return {unit: power for unit, power in powers.items() if power}
