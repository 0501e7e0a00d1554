"""Formulas, SymPy expressions and polynomial fields as tapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._formula import Formula
from erlangen._formula_tree import Constant, Node, Number, Variable, number_of
from erlangen._typing import NDArray
from erlangen.evidence.bounds import elementary as el
from erlangen.evidence.bounds.graph import Tape

Build = Callable[[Tape, int], int]
"""Adds the steps of a function of the step that holds the point; returns the step of its values."""


def polynomials(table: NDArray, coefficients: NDArray) -> Build:
    """Polynomials with exponents ``(r, d)`` and coefficients ``(c, r)``."""

    def build(tape: Tape, x: int) -> int:
        constant = table.sum(axis=1) == 0
        bias = coefficients[:, constant].sum(axis=1)
        if table.sum(axis=1).max(initial=0) <= 1:
            return tape.linear([(x, coefficients @ table)], bias)
        return tape.linear([(_monomials(tape, x, table[~constant]), coefficients[:, ~constant])], bias)

    return build


def _monomials(tape: Tape, x: int, table: NDArray) -> int:
    """All monomials as one step: a product over coordinates of powers picked from a list."""
    factors = []
    for j in range(table.shape[1]):
        powers = np.unique(table[:, j])
        if powers[-1] == 0:
            continue
        column = tape.rows(x, [j])
        listed = [tape.constant([1.0]) if e == 0 else el.power(tape, column, float(e)) for e in powers]
        factors.append(tape.rows(tape.joined(listed), np.searchsorted(powers, table[:, j]).tolist()))
    return reduce(tape.product, factors)


def formulas(parts: Sequence[Formula], names: Sequence[str]) -> Build:
    """Formulas in named coordinates."""

    def build(tape: Tape, x: int) -> int:
        columns = {name: tape.rows(x, [i]) for i, name in enumerate(names)}
        known: dict[int, int] = {}
        return tape.joined([_grow(tape, part.tree, columns, known) for part in parts])

    return build


def _grow(tape: Tape, node: Node, columns: dict[str, int], known: dict[int, int]) -> int:
    value = number_of(node)
    if value is not None:
        return tape.constant([value])
    if isinstance(node, Variable):
        return columns[node.name]
    if isinstance(node, Number | Constant):
        raise AssertionError("numbers have a value")
    if id(node) not in known:
        if node.operation == "**" and (exponent := number_of(node.arguments[1])) is not None:
            known[id(node)] = el.power(tape, _grow(tape, node.arguments[0], columns, known), exponent)
        else:
            arguments = [_grow(tape, argument, columns, known) for argument in node.arguments]
            known[id(node)] = applied(tape, node.operation, arguments)
    return known[id(node)]


def applied(tape: Tape, operation: str, a: Sequence[int]) -> int:
    """Add one operation of a formula.

    Raises
    ------
    InputError
        Where the operation has no derivative that can be bounded.
    """
    if operation == "+":
        return tape.linear([(part, 1.0) for part in a])
    if operation == "*":
        return el.times(tape, *a)
    if operation == "/":
        return el.over(tape, *a)
    if operation == "**":  # a ** b = exp(b log a), for a > 0
        base = tape.constant_value(a[0])
        log = tape.unary(a[0], "log") if base is None else tape.constant(np.log(base))
        return tape.unary(el.times(tape, a[1], log), "exp")
    if operation in ("min", "max"):
        return reduce(lambda p, q: (el.smallest if operation == "min" else el.largest)(tape, p, q), a)
    if operation not in el.FUNCTIONS or len(a) != 1:
        raise InputError(unsupported(f"the function {operation}"))
    return el.FUNCTIONS[operation](tape, a[0])


def unsupported(what: str) -> str:
    """Explain that something cannot be bounded, and what can."""
    return explain(
        f"No sound bound is known for {what}.",
        given=what,
        expected="+ - * / **, " + ", ".join(sorted(el.FUNCTIONS)) + ", min, max, linear layers",
        fix="write it with these; er.evidence.certify judges any differentiable model from samples",
    )


_SYMPY = {
    "exp": "exp",
    "log": "log",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "atan": "atan",
    "Abs": "abs",
    "Min": "min",
    "Max": "max",
}


def sympy_expressions(parts: Sequence[Any], names: Sequence[str]) -> Build:
    """SymPy expressions in named coordinates; their numbers are read as float64."""

    def build(tape: Tape, x: int) -> int:
        known: dict[Any, int] = {name: tape.rows(x, [i]) for i, name in enumerate(names)}
        return tape.joined([_grow_sympy(tape, part, known) for part in parts])

    return build


def _grow_sympy(tape: Tape, e: Any, known: dict[Any, int]) -> int:
    if not e.free_symbols:
        return tape.constant([float(e)])
    key = e.name if e.is_Symbol else e
    if key not in known:
        known[key] = _sympy_operation(tape, e, known)
    return known[key]


def _sympy_operation(tape: Tape, e: Any, known: dict[Any, int]) -> int:
    if e.is_Pow and not e.exp.free_symbols:
        return el.power(tape, _grow_sympy(tape, e.base, known), float(e.exp))
    arguments = [_grow_sympy(tape, argument, known) for argument in e.args]
    if e.is_Add:
        return applied(tape, "+", arguments)
    if e.is_Mul:
        return reduce(lambda a, b: el.times(tape, a, b), arguments)
    if e.is_Pow:
        return applied(tape, "**", arguments)
    name = type(e).__name__
    if name not in _SYMPY:
        raise InputError(unsupported(f"the SymPy function {name}"))
    return applied(tape, _SYMPY[name], arguments)
