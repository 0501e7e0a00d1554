"""The functions that equations of motion are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._render import polynomial_text
from erlangen._typing import NDArray
from erlangen.dynamics._equation_terms import formula_text, powers_of
from erlangen.dynamics._support import refuse_collinear
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.bases import AbstractBasis, BasisField, Joined, Monomials
from erlangen.fields.libraries import AbstractLibrary, Polynomial

FORMULA = 3
"""A formula is as good as a cubic where simple functions are preferred."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """A family of vector fields, and the names of its functions.

    Attributes
    ----------
    field : AbstractLinearField
        The family.
    texts : tuple of str
        How each of the r functions is printed; empty for the constant.
    orders : ndarray (r,)
        How complex each function is: the degree of a monomial, that of a cubic for a formula.
    """

    field: AbstractLinearField
    texts: tuple[str, ...]
    orders: NDArray

    @property
    def basis(self) -> AbstractBasis:
        """The r functions."""
        return Monomials(self.field.table) if isinstance(self.field, PolynomialField) else self.field.basis  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def polynomial(self) -> bool:
        """Whether the functions are monomials, whose symmetries are claimed everywhere."""
        return isinstance(self.field, PolynomialField)

    def check_finite(self, x: NDArray) -> None:
        """Refuse functions that are not finite at the points ``x (n, d)``."""
        r = len(self.texts)
        with np.errstate(all="ignore"):
            values = self.field.features(x)[:, 0, :r]
        if not np.isfinite(values).all():
            i, j = np.argwhere(~np.isfinite(values))[0]
            raise InputError(
                explain(
                    "A function of the library is not finite on the data.",
                    given=f"{self.texts[j] or 1} at {x[i].tolist()}",
                    expected="finite values at all states",
                    fix="another library, or states inside its domain",
                )
            )

    def check_apart(self, x: NDArray) -> None:
        """Refuse functions that points ``x (n, d)`` do not tell apart, where there are as many points; name them."""
        r = len(self.texts)
        if len(x) >= r:
            refuse_collinear(self.field.features(x)[:, 0, :r], [text or "1" for text in self.texts])


def candidates(library: Any, degree: int, names: Sequence[str]) -> Candidates:
    """The family over coordinates of these names; the constant comes first."""
    if library is None:
        library = Polynomial(degree)
    if not isinstance(library, AbstractLibrary):
        raise InputError(
            explain(
                "These are no functions to make equations of.",
                given=f"library of type {type(library).__name__}",
                expected="a library, or None for monomials",
                fix='library=er.fields.Polynomial(degree=2) + er.fields.Expressions("sin(x)")',
            )
        )
    bound = library.bind(names)
    if isinstance(library, Polynomial):
        field = Polynomial(library.degree, dim=len(names)).as_vector_field()
        texts = tuple(polynomial_text([row], [1], names) if row.any() else "" for row in field.table)
        return Candidates(field, texts, field.table.sum(axis=1))
    _refuse_twice(bound.texts, names)
    one = Monomials(np.zeros((1, len(names)), dtype=np.int64))
    basis = Joined((one, bound.basis))
    orders = np.array([0, *(FORMULA if _is_formula(basis, j + 1) else o for j, o in enumerate(bound.orders))])
    return Candidates(BasisField(basis, np.zeros((len(names), basis.size)), "vector"), ("", *bound.texts), orders)


def _refuse_twice(texts: Sequence[str], names: Sequence[str]) -> None:
    """Refuse a function that is among the others already, the constant and monomials in other words included."""
    known: dict[Any, str] = {(0,) * len(names): "1"}
    for text in texts:
        formula = Formula(formula_text(text, names), tuple(names))
        what = powers_of(formula) or str(formula)
        if what in known:
            raise InputError(
                explain(
                    "A function of the library is given twice.",
                    given=text if text == known[what] else f"{text}, which is {known[what]}",
                    expected="each function once; the constant is always there",
                    fix="leave one of them out",
                )
            )
        known[what] = text


def _is_formula(basis: AbstractBasis, column: int) -> bool:
    """Whether a function of joined bases is none of the monomials."""
    for part in parts_of(basis):
        if column < part.size:
            return not isinstance(part, Monomials)
        column -= part.size
    return True


def parts_of(basis: AbstractBasis) -> list[AbstractBasis]:
    """The bases that were joined, one after the other."""
    return [p for part in basis.parts for p in parts_of(part)] if isinstance(basis, Joined) else [basis]
