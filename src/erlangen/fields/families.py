"""Libraries of well-known functions: waves, exponentials, quotients, and products of libraries."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen.fields.libraries import AbstractLibrary, Expressions, Features, Polynomial, Sum

__all__ = ["Exponential", "Product", "Rational", "Trigonometric"]


class AbstractFormulas(AbstractLibrary):
    """A library that writes formulas once it knows the columns."""

    @abstractmethod
    def formulas(self, names: Sequence[str]) -> list[str]:
        """Return one formula for each function.

        Parameters
        ----------
        names : sequence of str
            Names of the d coordinates.

        Returns
        -------
        list of str
            Formulas in those names.
        """

    def bind(self, names: Sequence[str]) -> Features:
        return Expressions(*self.formulas(names)).bind(names)


@dataclass(frozen=True)
class Trigonometric(AbstractFormulas):
    """Sines and cosines of each coordinate.

    Parameters
    ----------
    frequencies : sequence of float
        Factors of the coordinate.
    products : bool
        Also the products of a sine and a cosine, of the same or of two coordinates, for the first frequency.

    Examples
    --------
    >>> Trigonometric().bind(["a"]).texts
    ('sin(a)', 'cos(a)')
    >>> Trigonometric((1, 2)).bind(["a"]).texts
    ('sin(a)', 'cos(a)', 'sin(2*a)', 'cos(2*a)')
    """

    frequencies: Sequence[float] = (1,)
    products: bool = False

    def formulas(self, names: Sequence[str]) -> list[str]:
        """Write the sine and the cosine of each multiple of each coordinate.

        Raises
        ------
        InputError
            When the rates of the functions are not finite numbers other than zero.
        """
        arguments = [_scaled(k, name) for k in _numbers(self.frequencies, "frequencies") for name in names]
        waves = [f"{f}({argument})" for argument in arguments for f in ("sin", "cos")]
        first = arguments[: len(names)]
        return waves + [f"sin({a})*cos({b})" for a in first for b in first if self.products]


@dataclass(frozen=True)
class Exponential(AbstractFormulas):
    """Exponentials of each coordinate.

    Parameters
    ----------
    rates : sequence of float
        Factors of the coordinate.

    Examples
    --------
    >>> Exponential((1, -2)).bind(["a"]).texts
    ('exp(a)', 'exp(-2*a)')
    """

    rates: Sequence[float] = (1,)

    def formulas(self, names: Sequence[str]) -> list[str]:
        """Write the exponential of each multiple of each coordinate.

        Raises
        ------
        InputError
            When the rates of the functions are not finite numbers other than zero.
        """
        return [f"exp({_scaled(k, name)})" for k in _numbers(self.rates, "rates") for name in names]


@dataclass(frozen=True)
class Rational(AbstractFormulas):
    """Monomials, the constant among them, over denominators that are given.

    Parameters
    ----------
    degree : int
        Highest degree of the numerators.
    denominators : str or sequence of str
        Formulas in the names of the columns.

    Examples
    --------
    >>> Rational(1, "1 + x**2").bind(["x", "y"]).texts
    ('1/(1 + x^2)', 'x/(1 + x^2)', 'y/(1 + x^2)')
    """

    degree: int
    denominators: str | Sequence[str]

    def formulas(self, names: Sequence[str]) -> list[str]:
        below = [self.denominators] if isinstance(self.denominators, str) else list(self.denominators)
        above = ["1", *written(Polynomial(self.degree), names)] if self.degree else ["1"]
        return [f"({a})/({b})" for b in below for a in above]


@dataclass(frozen=True)
class Product(AbstractFormulas):
    """Each function of one library times each of another; ``a * b`` writes it.

    Examples
    --------
    >>> (Polynomial(1) * Trigonometric()).bind(["a"]).texts
    ('a*sin(a)', 'a*cos(a)')
    """

    left: AbstractLibrary
    right: AbstractLibrary

    def formulas(self, names: Sequence[str]) -> list[str]:
        return [f"({a})*({b})" for a in written(self.left, names) for b in written(self.right, names)]


def written(library: AbstractLibrary, names: Sequence[str]) -> list[str]:
    """The functions of a library as formulas.

    Raises
    ------
    InputError
        Where a library has functions that no formula writes.
    """
    if isinstance(library, AbstractFormulas):
        return library.formulas(names)
    if isinstance(library, Expressions):
        return list(library.formulas)
    if isinstance(library, Sum):
        return [text for part in library.parts for text in written(part, names)]
    if isinstance(library, Polynomial):
        table = library.bind(names).basis.table  # pyright: ignore[reportAttributeAccessIssue]
        return ["*".join(_power(n, e) for n, e in zip(names, row) if e) for row in table.tolist()]
    raise InputError(
        explain(
            "These functions cannot be multiplied.",
            given=f"a library of type {type(library).__name__}",
            expected="Polynomial, Expressions, Trigonometric, Exponential, Rational, or sums and products of them",
            fix="write the products as formulas: Expressions(...)",
        )
    )


def _power(name: str, e: int) -> str:
    return f"`{name}`" if e == 1 else f"`{name}`**{e}"


def _scaled(k: float, name: str) -> str:
    return f"`{name}`" if k == 1 else f"-`{name}`" if k == -1 else f"{Formula(repr(float(k)))}*`{name}`"


def _numbers(values: Sequence[float], what: str) -> list[float]:
    try:
        found = [float(value) for value in values]
    except TypeError:
        found = []
    if not found or any(value != value or value == 0 or abs(value) == float("inf") for value in found):
        raise InputError(
            explain(
                f"These are no {what}.", given=f"{values!r}", expected="numbers that are not zero", fix=f"{what}=(1, 2)"
            )
        )
    return found
