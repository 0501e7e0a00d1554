"""Libraries: functions to look for answers among, named after the columns of the data they meet.

A library is written before the data are known (``Polynomial(degree=2)``); binding it to the names of the
columns gives `Features`: a basis with exact gradients, and how each function is printed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._render import polynomial_latex, polynomial_text
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.fields.bases import AbstractBasis, BasisField, Joined, Monomials
from erlangen.fields.polynomial import PolynomialField
from erlangen.linalg.polynomials import exponents

_MOST_COEFFICIENTS = 2_000_000
"""Coefficients of one family: seconds to list. Of more than some thousands, none are found from data."""

__all__ = ["AbstractLibrary", "Expressions", "Features", "FormulaBasis", "Polynomial"]


@dataclass(frozen=True, eq=False)
class FormulaBasis(AbstractBasis):
    """Functions given by formulas in the d coordinates, differentiated symbolically.

    Parameters
    ----------
    formulas : tuple of Formula
        The q functions; their variables are the names of the d coordinates.
    """

    formulas: tuple[Formula, ...]

    @property
    def point_dim(self) -> int:
        return len(self.formulas[0].variables)

    @property
    def size(self) -> int:
        return len(self.formulas)

    @cached_property
    def slopes(self) -> tuple[tuple[Formula, ...], ...]:
        """The derivatives: one row a function, one entry a coordinate."""
        return tuple(tuple(f.derivative(name) for name in f.variables) for f in self.formulas)

    def evaluate(self, x: NDArray) -> NDArray:
        columns = dict(zip(self.formulas[0].variables, x.T, strict=True))
        return np.stack([f.column(columns) for f in self.formulas], axis=1)

    def gradients(self, x: NDArray) -> NDArray:
        columns = dict(zip(self.formulas[0].variables, x.T, strict=True))
        rows = [np.stack([slope.column(columns) for slope in row], axis=1) for row in self.slopes]
        return np.stack(rows, axis=1)

    def defined(self, x: NDArray) -> NDArray:
        """Whether all functions and derivatives are finite, at each of the points ``x (n, d)``."""
        columns = dict(zip(self.formulas[0].variables, x.T, strict=True))
        everything = (*self.formulas, *(slope for row in self.slopes for slope in row))
        return np.all([np.isfinite(f.evaluate(columns)) for f in everything], axis=0)


@dataclass(frozen=True, eq=False)
class Features(AbstractShown):
    """A library that knows its columns.

    Attributes
    ----------
    basis : AbstractBasis
        The q functions with their gradients.
    names : tuple of str
        The d coordinates.
    texts, latex : tuple of str
        How each function is printed.
    orders : tuple of int
        The degree of a monomial, 1 for a formula: simpler functions are preferred in answers.
    """

    basis: AbstractBasis
    names: tuple[str, ...]
    texts: tuple[str, ...]
    latex: tuple[str, ...]
    orders: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number q of functions."""
        return self.basis.size

    def as_field(self, channels: int = 1) -> BasisField:
        """The family of fields with ``channels`` values over these functions, at theta = 0."""
        return self.basis.as_field(_channels(channels))

    def as_vector_field(self) -> BasisField:
        """The family of vector fields over these functions, at theta = 0."""
        return self.basis.as_vector_field()

    def defined(self, x: NDArray) -> NDArray:
        """Whether all functions are finite, at each of the points ``x (n, d)``."""
        parts = _formula_parts(self.basis)
        return np.all([part.defined(x) for part in parts], axis=0) if parts else np.ones(len(x), dtype=bool)


class AbstractLibrary(AbstractShown, ABC):
    """Functions of coordinates whose names are not known yet; ``+`` joins two libraries, ``*`` multiplies them."""

    @abstractmethod
    def bind(self, names: Sequence[str]) -> Features:
        """Return the functions for coordinates of these names.

        Parameters
        ----------
        names : sequence of str
            Names of the d coordinates.

        Returns
        -------
        Features
            Functions of points ``(n, d)``, with their derivatives.

        Raises
        ------
        InputError
            Where a formula uses a name that is not among them.
        """

    def __add__(self, other: AbstractLibrary) -> Sum:
        return Sum((self, other))

    def __mul__(self, other: AbstractLibrary) -> AbstractLibrary:
        from erlangen.fields.families import Product

        return Product(self, other)


@dataclass(frozen=True)
class Polynomial(AbstractLibrary):
    """All monomials of degree 1 to ``degree`` in the coordinates.

    As a library the constant is left out: it is conserved by everything. A field built from it
    (:meth:`as_field`, :meth:`as_vector_field`) has all monomials, the constant first: a constant force is a force.

    Parameters
    ----------
    degree : int
        Highest total degree, at least 1.
    dim : int, optional
        Number d of coordinates, where it is known before the data.

    Raises
    ------
    InputError
        When the degree is not at least 1.

    Examples
    --------
    >>> Polynomial(degree=2).bind(["x", "v"]).texts
    ('x', 'v', 'x^2', 'x v', 'v^2')
    >>> Polynomial(degree=3, dim=2).as_vector_field().n_params
    20
    """

    degree: int
    dim: int | None = None

    def __post_init__(self) -> None:
        if _is_count(self.degree) and (self.dim is None or _is_count(self.dim)):
            return
        raise InputError(
            explain(
                "The degree, or the number of coordinates, of a library is no whole number, or too low.",
                given=f"degree={self.degree!r}, dim={self.dim!r}",
                expected="1, 2, 3, ...",
                fix="Polynomial(degree=2)",
            )
        )

    def as_field(self, channels: int = 1) -> PolynomialField:
        """The family of polynomial fields with ``channels`` values, at theta = 0; all monomials, the constant first.

        Parameters
        ----------
        channels : int
            Number c of values.

        Returns
        -------
        PolynomialField
            With c r parameters, for r monomials.

        Raises
        ------
        InputError
            Where ``dim`` was not given.
        """
        return self._family(channels, "invariant")

    def as_vector_field(self) -> PolynomialField:
        """The family of polynomial vector fields, at theta = 0; all monomials, the constant first.

        Raises
        ------
        InputError
            Where ``dim`` was not given.
        """
        return self._family(self.dim or 1, "vector")

    def _family(self, channels: int, kind: str) -> PolynomialField:
        if self.dim is None:
            raise InputError(
                explain(
                    "A family of fields needs a number of coordinates.",
                    given=f"Polynomial(degree={self.degree})",
                    expected="dim",
                    fix=f"Polynomial(degree={self.degree}, dim=2)",
                )
            )
        table = self._table(self.dim, _channels(channels), 0)
        return PolynomialField(table, np.zeros((channels, len(table))), kind)

    def _table(self, d: int, channels: int, lowest: int) -> NDArray:
        """Exponents ``(r, d)`` from a lowest degree on, unless channels * r are too many."""
        count = channels * comb(d + self.degree, d)
        if count <= _MOST_COEFFICIENTS:
            return exponents(d, self.degree, lowest=lowest)
        raise InputError(
            explain(
                "A family of polynomials has too many coefficients.",
                given=f"degree {self.degree} in {d} coordinates, {channels} value channels: {count:.3g} coefficients",
                expected=f"at most {_MOST_COEFFICIENTS:,}",
                fix="Polynomial(degree=2), fewer coordinates or fewer channels",
            )
        )

    def bind(self, names: Sequence[str]) -> Features:
        if self.dim not in (None, len(names)):
            raise InputError(
                explain(
                    "The library is over another number of coordinates.",
                    given=f"Polynomial(degree={self.degree}, dim={self.dim}) for {', '.join(names)}",
                    expected=f"dim={len(names)}, or none",
                    fix=f"Polynomial(degree={self.degree})",
                )
            )
        table = self._table(len(names), 1, 1)
        texts = tuple(polynomial_text([row], [1], names) for row in table)
        latex = tuple(polynomial_latex([row], [1], names) for row in table)
        return Features(Monomials(table), tuple(names), texts, latex, tuple(int(s) for s in table.sum(axis=1)))


@dataclass(frozen=True, init=False)
class Expressions(AbstractLibrary):
    """Functions written as formulas, which a whitelist parser reads.

    Parameters
    ----------
    *formulas : str or sympy.Expr
        Formulas in the names of the columns.

    Raises
    ------
    InputError
        Where a text is no formula.

    Examples
    --------
    >>> library = Polynomial(degree=1) + Expressions("1/sqrt(x**2 + y**2)", "cos(x)")
    >>> library.bind(["x", "y"]).texts
    ('x', 'y', '1/sqrt(x^2 + y^2)', 'cos(x)')
    """

    formulas: tuple[str, ...]

    def __init__(self, *formulas: Any) -> None:
        # SymPy writes what the parser reads, but for one name.
        formulas = tuple(str(f).replace("Abs(", "abs(") if hasattr(f, "free_symbols") else f for f in formulas)
        if not formulas:
            raise InputError(
                explain(
                    "A library of formulas needs one.",
                    given="no formula",
                    expected="one or more",
                    fix='Expressions("1/sqrt(x**2 + y**2)")',
                )
            )
        for text in formulas:
            if not isinstance(text, str):
                raise InputError(
                    explain(
                        "A formula is a text.",
                        given=f"an object of type {type(text).__name__}",
                        expected="str",
                        fix='Expressions("x**2 + y**2")',
                    )
                )
            Formula(text)  # any names will do until the columns are known
        object.__setattr__(self, "formulas", tuple(formulas))

    def bind(self, names: Sequence[str]) -> Features:
        parsed = tuple(Formula(text, tuple(names)) for text in self.formulas)
        texts = tuple(_bracketed(f, str(f).replace("**", "^"), "({})") for f in parsed)
        latex = tuple(_bracketed(f, f.to_latex(), r"\left({}\right)") for f in parsed)
        return Features(FormulaBasis(parsed), tuple(names), texts, latex, (1,) * len(parsed))


@dataclass(frozen=True)
class Sum(AbstractLibrary):
    """The functions of several libraries, one after the other."""

    parts: tuple[AbstractLibrary, ...]

    def bind(self, names: Sequence[str]) -> Features:
        bound = [part.bind(names) for part in self.parts]
        return Features(
            Joined(tuple(part.basis for part in bound)),
            tuple(names),
            tuple(text for part in bound for text in part.texts),
            tuple(text for part in bound for text in part.latex),
            tuple(order for part in bound for order in part.orders),
        )


def _is_count(n: Any) -> bool:
    return isinstance(n, (int, np.integer)) and not isinstance(n, bool) and int(n) >= 1


def _channels(channels: int) -> int:
    if _is_count(channels):
        return int(channels)
    raise InputError(
        explain(
            "A field has a whole number of value channels.",
            given=f"as_field({channels!r})",
            expected="1, 2, 3, ...",
            fix="as_field(1) for a scalar, as_vector_field() for one value a coordinate",
        )
    )


def _bracketed(formula: Formula, text: str, brackets: str) -> str:
    """Hold a sum together: a coefficient will stand before it."""
    return brackets.format(text) if getattr(formula.tree, "operation", "") in ("+", "neg") else text


def _formula_parts(basis: AbstractBasis) -> list[FormulaBasis]:
    if isinstance(basis, Joined):
        return [formula for part in basis.parts for formula in _formula_parts(part)]
    return [basis] if isinstance(basis, FormulaBasis) else []
