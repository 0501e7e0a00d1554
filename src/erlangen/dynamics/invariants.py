"""Libraries from a group: its polynomial invariants as functions to look for equations among."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen.fields.families import AbstractFormulas
from erlangen.fields.libraries import Polynomial
from erlangen.verbs import enforce


@dataclass(frozen=True)
class Invariants(AbstractFormulas):
    """Polynomials that a group leaves alone, in a basis of few terms each; the constant is left out.

    Parameters
    ----------
    symmetry : AbstractAction, Group or Symmetry
        On the d coordinates.
    degree : int
        Highest degree.

    Raises
    ------
    InputError
        Where there is none but the constant, or the group acts on another number of coordinates.

    Examples
    --------
    >>> import erlangen as er
    >>> Invariants(er.actions.rotation(2), degree=4).bind(["x", "y"]).texts
    ('(x^2 + y^2)', '(x^4 + 2*x^2*y^2 + y^4)')
    """

    symmetry: Any
    degree: int

    def formulas(self, names: Sequence[str]) -> list[str]:
        """Write the polynomial invariants of the group.

        Raises
        ------
        InputError
            When the group has no invariant of this degree.
        """
        field = Polynomial(self.degree, dim=len(names)).as_field()
        basis = enforce(field, self.symmetry).sparse_basis()
        found = []
        for column in basis.T:
            column = np.where(np.abs(column) > np.finfo(np.float64).eps ** 0.75 * np.abs(column).max(), column, 0.0)
            column = column / column[np.argmax(np.abs(column) > 0)]
            rows = [(c, row) for c, row in zip(column, field.table.tolist()) if c != 0 and any(row)]
            if rows:
                found.append(" + ".join(_term(c, row, names) for c, row in rows))
        if not found:
            raise InputError(
                explain(
                    "The group has no invariant of this degree.",
                    given=f"polynomials of degree up to {self.degree} in {', '.join(names)}",
                    expected="at least one besides the constant",
                    fix=f"degree={self.degree + 1}, or another group",
                )
            )
        return found


def _term(c: float, row: list[int], names: Sequence[str]) -> str:
    powers = "*".join(f"`{name}`" + (f"**{e}" if e > 1 else "") for name, e in zip(names, row) if e)
    number = int(c) if float(c).is_integer() else float(c)
    return powers if c == 1 else f"({number})*{powers}"
