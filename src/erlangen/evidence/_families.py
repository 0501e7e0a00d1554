"""The class that a certificate supposes: given as a field, a library or a degree, or chosen from some of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.evidence.observed import Observed
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields._path import polynomial_chain
from erlangen.fields.bases import AbstractBasis, BasisField
from erlangen.fields.libraries import AbstractLibrary
from erlangen.fields.table import AGREEMENT, FittedField, fit_table
from erlangen.linalg.polynomials import exponents

CHOOSING = 0.3
"""Share of rows that choose: testing needs more, for its bounds must be narrow; choosing must only point right."""

MARGIN = 2
"""Degrees by which a class is enlarged once."""

ROWS_PER_TERM = 3
"""Rows that test, for each term of an enlarged class."""


@dataclass(frozen=True, eq=False)
class Family:
    """A class, and the rows that chose it (None where it was given)."""

    family: AbstractLinearField
    rows: NDArray | None


def family_of(given: Any, data: Observed, rng: np.random.Generator) -> Family | None:
    """Read a class, or choose a polynomial degree; None where no polynomial fits."""
    if given is None:
        return _chosen(data, rng)
    d, c = data.x.shape[1], data.y.shape[1]
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool) and given >= 0:
        _enough(comb(d + int(given), d), len(data))
        return Family(polynomials(d, int(given), c, data.kind), None)
    if isinstance(given, AbstractLibrary):
        given = given.bind(data.names or coordinate_names(d)).basis
    if isinstance(given, AbstractBasis):
        given = BasisField(given, np.zeros((c, given.size)), data.kind)
    told = type(given).__name__
    if isinstance(given, AbstractLinearField):
        if (given.point_dim, given.value_dim, given.kind) == (d, c, data.kind):
            _enough(-(-given.n_params // c), len(data))
            return Family(given, None)
        told += f" on R^{given.point_dim} with {given.value_dim} values of kind {given.kind!r}"
    raise InputError(
        explain(
            "This is not a class for these observations.",
            given=told,
            expected=f"a degree, a library, or a linear field on R^{d} with {c} values of kind {data.kind!r}",
            fix="family=3",
        )
    )


def with_margin(chosen: Family, data: Observed) -> tuple[Family, ...]:
    """The class; where the data chose it, also the one two degrees larger, should the rows that test reject it.

    Two, since an even function leaves nothing to the next odd degree.
    """
    d, c = data.x.shape[1], data.y.shape[1]
    if chosen.rows is None or not isinstance(chosen.family, PolynomialField):
        return (chosen,)
    degree = chosen.family.degree + MARGIN
    if ROWS_PER_TERM * comb(d + degree, d) > len(data) - len(chosen.rows):
        return (chosen,)
    return chosen, Family(polynomials(d, degree, c, data.kind), chosen.rows)


def name_of(family: AbstractLinearField) -> str:
    """A class in words."""
    if isinstance(family, PolynomialField):
        return f"polynomials of degree {family.degree}"
    return f"{family.n_params} parameters"


def _enough(terms: int, rows: int) -> None:
    """Refuse a class that the rows cannot tell from noise, before anything of its size is made."""
    if terms >= rows:
        raise UndecidedError(
            explain(
                "There are too few rows for this class.",
                given=f"{terms} parameters per value, {rows} rows",
                expected="more rows than parameters: what is left over tells the noise",
                fix="a smaller class (family=3), or more rows",
            )
        )


def polynomials(d: int, degree: int, c: int, kind: str) -> PolynomialField:
    """All polynomials of a degree."""
    table = exponents(d, degree)
    return PolynomialField(table, np.zeros((c, len(table))), kind)


def _chosen(data: Observed, rng: np.random.Generator) -> Family | None:
    """Choose a degree from part of the rows: those that may also choose generators."""
    marked = Observed(data.x, np.arange(len(data), dtype=np.float64)[:, None], groups=data.groups)
    first, _ = marked.split(CHOOSING, rng)
    rows = first.y[:, 0].astype(np.int64)
    try:
        highest = len(polynomial_chain(data.x.shape[1], len(rows))) - 1  # models of other kinds would not be used
        fitted = fit_table(data.x[rows], data.y[rows], data.kind, classes=[highest], rng=rng)
    except UndecidedError:
        return None
    except InputError as error:  # shapes and numbers are in order: there are too few rows for any class
        raise UndecidedError(str(error)) from error
    degree = degree_of(fitted)
    if degree is None or (fitted.verdict == "rejected" and fitted.accuracy > AGREEMENT):
        return None
    return Family(polynomials(data.x.shape[1], degree, data.y.shape[1], data.kind), rows)


def degree_of(fitted: FittedField) -> int | None:
    """Degree of the chosen class, where it is a class of polynomials over the whole space."""
    if len(fitted.span.basis) != fitted.span.basis.shape[1]:
        return None
    try:
        return fitted.polynomial().degree
    except UndecidedError:
        return None
