"""Terms of equations of motion: read once, evaluated, differentiated and printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from erlangen._formula import Formula
from erlangen._formula_tree import Apply, Node, Number, Variable
from erlangen._render import polynomial_latex, polynomial_text
from erlangen._typing import NDArray
from erlangen.linalg.polynomials import monomial_gradients, monomials

_FACTORS = re.compile(r"(?<=[\w).])\s+(?=[A-Za-z_(\d])")


def formula_text(text: str, names: Sequence[str]) -> str:
    """Rewrite a printed term, ``x^2 y``, as a formula, ``x**2*y``; a formula stays what it means.

    Examples
    --------
    >>> formula_text("x^2 y sin(2 x)", ["x", "y"]), formula_text("", ["x"]), formula_text("(v x)^2", ["v x"])
    ('x**2*y*sin(2*x)', '1', '`v x`**2')
    """
    if not text.strip():
        return "1"
    for name in sorted(names, key=len, reverse=True):
        if not re.fullmatch(r"\w+", name):
            text = text.replace(f"({name})", f"`{name}`")
    pieces = re.split(r"(`[^`]*`)", text)
    # A quoted name stands as a letter while the products are found, and comes back afterwards.
    quoted = pieces[1::2]
    plain = "\x00".join(piece.replace("^", "**") for piece in pieces[::2]).replace("\x00", "\x00_")
    plain = re.sub(r"(?<=[\w).])\s+(?=\x00)", "*", plain)
    plain = _FACTORS.sub("*", plain)
    for name in quoted:
        plain = plain.replace("\x00_", name, 1)
    return plain


@dataclass(frozen=True, eq=False)
class Terms:
    """The r functions of equations over their variables: d coordinates, then controls.

    Monomials are evaluated together by their exponents, everything else by its formula.

    Parameters
    ----------
    formulas : tuple of Formula
        The functions; the variables of each are those of all.
    """

    formulas: tuple[Formula, ...]

    @cached_property
    def powers(self) -> tuple[tuple[int, ...] | None, ...]:
        """Exponents of each term; None where it is no monomial."""
        return tuple(powers_of(f) for f in self.formulas)

    @property
    def polynomial(self) -> bool:
        """Whether all terms are monomials."""
        return all(row is not None for row in self.powers)

    @cached_property
    def table(self) -> tuple[NDArray, NDArray]:
        """Positions ``(k,)`` and exponents ``(k, d)`` of the monomials."""
        at = [j for j, row in enumerate(self.powers) if row is not None]
        rows = [row for row in self.powers if row is not None]
        width = len(self.formulas[0].variables) if self.formulas else 0
        return np.array(at, dtype=np.int64), np.array(rows, dtype=np.int64).reshape(len(rows), width)

    @cached_property
    def slopes(self) -> dict[int, tuple[Formula, ...]]:
        """Derivatives of the terms that are no monomials, by their position."""
        rest = [j for j, row in enumerate(self.powers) if row is None]
        return {j: tuple(self.formulas[j].derivative(v) for v in self.formulas[j].variables) for j in rest}

    def values(self, x: NDArray) -> NDArray:
        """Values ``(n, r)`` at points ``x (n, d)``; NaN or inf outside the domain."""
        at, table = self.table
        out = np.empty((len(x), len(self.formulas)))
        with np.errstate(all="ignore"):
            if len(at):
                out[:, at] = monomials(x, table)
            self._fill(x, lambda j, columns: out.__setitem__((slice(None), j), self.formulas[j].evaluate(columns)))
        return out

    def gradients(self, x: NDArray) -> NDArray:
        """Derivatives ``(n, r, d)`` by all variables."""
        at, table = self.table
        out = np.empty((len(x), len(self.formulas), x.shape[1]))
        with np.errstate(all="ignore"):
            if len(at):
                out[:, at] = monomial_gradients(x, table)
            self._fill(x, lambda j, columns: out.__setitem__((slice(None), j), self._slopes_at(j, columns)))
        return out

    def _slopes_at(self, j: int, columns: dict[str, NDArray]) -> NDArray:
        return np.stack([slope.evaluate(columns) for slope in self.slopes[j]], axis=1)

    def _fill(self, x: NDArray, put: Callable[[int, dict[str, NDArray]], None]) -> None:
        rest = [j for j, row in enumerate(self.powers) if row is None]
        if rest:
            columns = dict(zip(self.formulas[0].variables, x.T, strict=True))
            for j in rest:
                put(j, columns)


def powers_of(formula: Formula) -> tuple[int, ...] | None:
    """Exponents of a monomial with coefficient one; None for any other formula."""
    found = _powers(formula.tree)
    return None if found is None else tuple(found.get(name, 0) for name in formula.variables)


def _powers(node: Node) -> dict[str, int] | None:
    if isinstance(node, Variable):
        return {node.name: 1}
    if isinstance(node, Number):
        return {} if node.value == 1.0 else None
    if not isinstance(node, Apply) or node.operation not in ("*", "**"):
        return None
    first = _powers(node.arguments[0])
    if first is None:
        return None
    if node.operation == "**":
        exponent = node.arguments[1]
        whole = isinstance(exponent, Number) and exponent.value >= 0 and exponent.value.is_integer()
        return {name: e * int(exponent.value) for name, e in first.items()} if whole else None  # pyright: ignore
    second = _powers(node.arguments[1])
    if second is None:
        return None
    return {name: first.get(name, 0) + second.get(name, 0) for name in (*first, *second)}


def printed(formula: Formula, digits: int = 4) -> str:
    """Print a term: powers with ^, products by a space where nothing is divided; empty for the constant.

    Examples
    --------
    >>> printed(Formula("x**2*y")), printed(Formula("x*sin(2*y)")), printed(Formula("x/y*z")), printed(Formula("1"))
    ('x^2 y', 'x sin(2 y)', 'x/y*z', '')
    >>> printed(Formula("1/(x**2 + 0.123456)"), digits=3)
    '1/(x^2 + 0.123)'
    """
    formula = rounded(formula, digits)
    powers = powers_of(formula)
    if powers is not None:
        return polynomial_text([powers], [1], formula.variables) if any(powers) else ""
    text = str(formula)
    if "/" not in text and "`" not in text:
        text = text.replace("**", "^").replace("*", " ")
    return f"({text.replace('**', '^')})" if _loose(formula) else text.replace("**", "^")


def printed_latex(formula: Formula, digits: int = 4) -> str:
    """Print a term for LaTeX; empty for the constant."""
    formula = rounded(formula, digits)
    powers = powers_of(formula)
    if powers is not None:
        return polynomial_latex([powers], [1], formula.variables) if any(powers) else ""
    return rf"\left({formula.to_latex()}\right)" if _loose(formula) else formula.to_latex()


def rounded(formula: Formula, digits: int) -> Formula:
    """The term with numbers of so many digits, for print alone; whole numbers stay, exponents among them."""
    tree = _rounded_tree(formula.tree, digits)
    return formula if tree == formula.tree else Formula(formula.text, formula.variables, tree)


def _rounded_tree(node: Node, digits: int) -> Node:
    if isinstance(node, Number) and not node.value.is_integer():
        return Number(float(f"{node.value:.{digits}g}"))
    if isinstance(node, Apply):
        return Apply(node.operation, tuple(_rounded_tree(part, digits) for part in node.arguments))
    return node


def _loose(formula: Formula) -> bool:
    """Whether a coefficient before the term would reach only its first part."""
    return isinstance(formula.tree, Apply) and formula.tree.operation in ("+", "neg")


def held(formula: Formula, values: dict[str, float], names: tuple[str, ...]) -> Formula:
    """The term with some variables held at numbers, over the variables that are left."""
    tree = _held(formula.tree, values)
    return Formula(str(Formula(formula.text, None, tree)), names, tree)  # pyright: ignore[reportArgumentType]


def _held(node: Node, values: dict[str, float]) -> Node:
    if isinstance(node, Variable):
        return Number(values[node.name]) if node.name in values else node
    if isinstance(node, Apply):
        return Apply(node.operation, tuple(_held(part, values) for part in node.arguments))
    return node
