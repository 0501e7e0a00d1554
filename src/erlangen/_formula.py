"""Formulas from users and files, read by a whitelist: numbers, columns, arithmetic and named functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen import _formula_tree as tree
from erlangen._errors import InputError, explain, nearest
from erlangen._formula_parser import parse, quoted
from erlangen._formula_tree import CONSTANTS, FUNCTIONS, OPERATIONS, Apply, Constant, Node, Number, Variable
from erlangen._render import _latex_name
from erlangen._typing import NDArray

__all__ = ["Formula"]

_SUM, _PRODUCT, _POWER, _ATOM = 10, 20, 40, 50  # how tightly a printed piece holds together


@dataclass(frozen=True)
class Formula:
    """A formula in the columns of a table, never evaluated as code.

    Numbers, column names (in backticks where odd: `` `v x` ``), ``+ - * / ** ( )``, the constants pi and e, and the
    functions sqrt, exp, log, sin, cos, tan, sinh, cosh, tanh, asin, acos, atan, atan2, abs, sign, min and max.
    A column hides a constant of the same name.

    Parameters
    ----------
    text : str
        The formula.
    variables : tuple of str, optional
        The names that it may use; by default it may use any, and these are the ones used.

    Raises
    ------
    InputError
        Where the text is no formula, with the character where it goes wrong.

    Examples
    --------
    >>> f = Formula("1/sqrt(x**2 + y**2)", ("x", "y"))
    >>> f.evaluate({"x": np.array([3.0, 0.0]), "y": np.array([4.0, 2.0])})
    array([0.2, 0.5])
    >>> print(Formula("x**3").derivative("x"))
    3*x**2
    """

    text: str
    variables: tuple[str, ...] = None  # pyright: ignore[reportAssignmentType]
    tree: Node = field(default=None, repr=False, compare=False)  # pyright: ignore[reportAssignmentType]

    def __post_init__(self) -> None:
        allowed = None if self.variables is None else tuple(self.variables)
        if self.tree is None:
            object.__setattr__(self, "tree", parse(self.text, allowed))
        object.__setattr__(self, "variables", self.used if allowed is None else allowed)

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the variables that occur, in the order of the text."""
        return tuple(dict.fromkeys(_names(self.tree)))

    def evaluate(self, columns: Mapping[str, ArrayLike]) -> NDArray:
        """Compute the values.

        Parameters
        ----------
        columns : mapping of str to array
            An array for each variable used. Complex arrays are allowed: a step of size 1e-20 i carries the derivative
            through every function (sign, min, max and abs decide by the real part).

        Returns
        -------
        ndarray
            Values of the common shape of the columns; NaN or inf outside the domain of a function.
        """
        arrays = {name: _floating(column) for name, column in columns.items()}
        for name in self.used:
            if name not in arrays:
                raise InputError(_missing(name, list(arrays)))
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
        with np.errstate(all="ignore"):
            value = _evaluate(self.tree, arrays, {})
        return np.array(np.broadcast_to(value, shape))

    def column(self, columns: Mapping[str, ArrayLike]) -> NDArray:
        """Compute the values, and refuse any that is not finite.

        Raises
        ------
        InputError
            Where a value is NaN or inf, with the number of such rows and the first of them.
        """
        values = self.evaluate(columns)
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            given = f"{bad.size} of {values.size} rows, first at {', '.join(map(str, bad[:5].tolist()))}"
            what = f"The formula {_short(str(self))} is not finite on the data."
            fix = "drop these rows, or change the formula"
            raise InputError(explain(what, given=given, expected="finite values", fix=fix))
        return values

    def derivative(self, name: str) -> Formula:
        """Differentiate by one variable, symbolically."""
        if name not in self.variables:
            raise InputError(_missing(name, list(self.variables)))
        slope = tree.derivative(self.tree, name)
        return Formula(_text(slope)[0], self.variables, slope)

    def gradient(self, columns: Mapping[str, ArrayLike]) -> NDArray:
        """Derivatives ``(..., d)`` by each of the d variables at the rows of a table."""
        return np.stack([self.derivative(name).evaluate(columns) for name in self.variables], axis=-1)

    def to_sympy(self) -> Any:
        """Build the expression in SymPy node by node; variables are real symbols of the same names."""
        return _sympy(self.tree)

    def to_latex(self) -> str:
        r"""Print for LaTeX, with the special characters of names escaped.

        Examples
        --------
        >>> print(Formula("sqrt(x1)/(2*y)").to_latex())
        \frac{\sqrt{x_{1}}}{2 y}
        """
        return _latex(self.tree)[0]

    def __str__(self) -> str:
        return _text(self.tree)[0]


def _names(node: Node) -> list[str]:
    if isinstance(node, Variable):
        return [node.name]
    return [name for part in node.arguments for name in _names(part)] if isinstance(node, Apply) else []


def _floating(column: ArrayLike) -> NDArray:
    array = np.asarray(column)
    return array if np.iscomplexobj(array) else array.astype(np.float64)


def _evaluate(node: Node, columns: Mapping[str, NDArray], known: dict[int, Any]) -> Any:
    """Value of a tree; a piece that a derivative uses twice is computed once (`known`, by identity)."""
    if isinstance(node, Number):
        return np.float64(node.value)
    if isinstance(node, Constant):
        return np.float64(CONSTANTS[node.name])
    if isinstance(node, Variable):
        return columns[node.name]
    if id(node) not in known:
        arguments = [_evaluate(argument, columns, known) for argument in node.arguments]
        known[id(node)] = OPERATIONS[node.operation].value(*arguments)
    return known[id(node)]


def _sympy(node: Node) -> Any:
    import sympy

    if isinstance(node, Number):
        exact = node.value.is_integer() and abs(node.value) < 2**53
        return sympy.Integer(int(node.value)) if exact else sympy.Float(node.value)
    if isinstance(node, Constant):
        return {"pi": sympy.pi, "e": sympy.E}[node.name]
    if isinstance(node, Variable):
        return sympy.Symbol(node.name, real=True)
    arguments = [_sympy(argument) for argument in node.arguments]
    if node.operation == "neg":
        return -arguments[0]
    if node.operation == "/":
        return arguments[0] / arguments[1]
    return getattr(sympy, OPERATIONS[node.operation].sympy)(*arguments)


# --- printing: each piece with how tightly it holds together


def _held(piece: tuple[str, int], least: int, brackets: str = "()") -> str:
    text, holds = piece
    opening, closing = (r"\left(", r"\right)") if brackets == "latex" else brackets
    return text if holds >= least else f"{opening}{text}{closing}"


def _sum(pieces: list[tuple[str, int]], brackets: str = "()") -> str:
    """Join terms; a term that starts with a minus is subtracted."""
    text = _held(pieces[0], _SUM, brackets)
    for piece in pieces[1:]:
        negated = piece[0].startswith("-") and piece[1] == _SUM + 1
        text += f" - {piece[0][1:]}" if negated else f" + {_held(piece, _SUM + 1, brackets)}"
    return text


def _text(node: Node) -> tuple[str, int]:
    if isinstance(node, Number):
        text = f"{int(node.value)}" if node.value.is_integer() and abs(node.value) < 1e15 else repr(node.value)
        return text, _ATOM if node.value >= 0 else _SUM + 1
    if isinstance(node, Constant):
        return node.name, _ATOM
    if isinstance(node, Variable):
        return quoted(node.name), _ATOM
    pieces = [_text(argument) for argument in node.arguments]
    if node.operation == "+":
        return _sum(pieces), _SUM
    if node.operation == "neg":
        return "-" + _held(pieces[0], _PRODUCT), _SUM + 1
    if node.operation in ("*", "/"):
        return f"{_held(pieces[0], _PRODUCT)}{node.operation}{_held(pieces[1], _PRODUCT + 1)}", _PRODUCT
    if node.operation == "**":
        return f"{_held(pieces[0], _POWER + 1)}**{_held(pieces[1], _POWER)}", _POWER
    return f"{node.operation}({', '.join(text for text, _ in pieces)})", _ATOM


_LATEX_CALLS = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}


def _latex(node: Node) -> tuple[str, int]:
    if isinstance(node, Number):
        mantissa, _, exponent = _text(node)[0].partition("e")
        text = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
        return text, (_PRODUCT if exponent else _ATOM) if node.value >= 0 else _SUM + 1
    if isinstance(node, Constant):
        return {"pi": r"\pi", "e": "e"}[node.name], _ATOM
    if isinstance(node, Variable):
        return _latex_name(node.name), _ATOM
    pieces = [_latex(argument) for argument in node.arguments]
    return _latex_operation(node.operation, pieces)


def _latex_operation(operation: str, pieces: list[tuple[str, int]]) -> tuple[str, int]:
    if operation == "+":
        return _sum(pieces, "latex"), _SUM
    if operation == "neg":
        return "-" + _held(pieces[0], _PRODUCT, "latex"), _SUM + 1
    if operation == "*":
        left, right = (_held(piece, _PRODUCT, "latex") for piece in pieces)
        return left + (r" \cdot " if right[0].isdigit() else " ") + right, _PRODUCT
    if operation == "/":
        return rf"\frac{{{pieces[0][0]}}}{{{pieces[1][0]}}}", _PRODUCT
    if operation == "**":
        return rf"{_held(pieces[0], _POWER + 1, 'latex')}^{{{pieces[1][0]}}}", _POWER
    if operation == "sqrt":
        return rf"\sqrt{{{pieces[0][0]}}}", _ATOM
    if operation == "abs":
        return rf"\left|{pieces[0][0]}\right|", _ATOM
    inside = ", ".join(text for text, _ in pieces)
    name = _LATEX_CALLS.get(operation, operation)
    head = rf"\operatorname{{{name}}}" if operation in ("sign", "atan2") else f"\\{name}"
    return rf"{head}\left({inside}\right)", _ATOM


# --- messages


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _missing(name: str, known: list[str]) -> str:
    close = nearest(name, known)
    fix = f"did you mean {close!r}?" if close else f"functions are {', '.join(FUNCTIONS[:4])} ..., the rest are columns"
    shown = ", ".join(known[:12]) + (" ..." if len(known) > 12 else "")
    return explain(f"There is no column {name!r}.", given=repr(name), expected=shown or "a column", fix=fix)
