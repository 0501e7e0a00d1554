"""The expressions that a formula can hold, and the table of functions that a formula may call.

A tree has four kinds of node. Everything about an operation (how it is computed, differentiated and named in
SymPy) stands in one row of `OPERATIONS`; a new function is a new row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Number:
    """A literal number."""

    value: float


@dataclass(frozen=True)
class Constant:
    """A named constant."""

    name: str


@dataclass(frozen=True)
class Variable:
    """A column of the data."""

    name: str


@dataclass(frozen=True)
class Apply:
    """An operation of `OPERATIONS` on its arguments; a sum may have any number of them."""

    operation: str
    arguments: tuple[Node, ...]


Node = Number | Constant | Variable | Apply
CONSTANTS = {"pi": math.pi, "e": math.e}
HIGHEST_FOLDED = 100.0  # 100**100 is far from overflow
ZERO, ONE, TWO = Number(0.0), Number(1.0), Number(2.0)


@dataclass(frozen=True)
class Operation:
    """One row: number of arguments, value, partial derivatives as trees, and the name in SymPy."""

    arity: int
    value: Callable[..., Any]
    partials: Callable[..., tuple[Node, ...]]
    sympy: str


# --- building trees, with the simplifications that keep derivatives short


def _constant(node: Node) -> float | None:
    return node.value if isinstance(node, Number) else None


def plus(*terms: Node) -> Node:
    """Sum of trees, without zeros and without sums inside sums."""
    flat: list[Node] = []
    for term in terms:
        flat.extend(term.arguments if isinstance(term, Apply) and term.operation == "+" else (term,))
    numbers = [t.value for t in flat if isinstance(t, Number)]
    rest: list[Node] = [t for t in flat if not isinstance(t, Number)]
    total = math.fsum(numbers)
    if total or not rest:
        rest.append(Number(total))
    return rest[0] if len(rest) == 1 else Apply("+", tuple(rest))


def negative(a: Node) -> Node:
    """Minus a tree."""
    if isinstance(a, Number):
        return Number(-a.value) if a.value else a
    return a.arguments[0] if isinstance(a, Apply) and a.operation == "neg" else Apply("neg", (a,))


def times(a: Node, b: Node) -> Node:
    """Product of two trees."""
    p, q = _constant(a), _constant(b)
    if p == 0 or q == 0:
        return ZERO
    if p is not None and q is not None and math.isfinite(p * q):
        return Number(p * q)
    if p is None and q is not None:
        return times(b, a)
    if p == 1:
        return b
    if p == -1:
        return negative(b)
    if isinstance(b, Apply) and b.operation == "*" and _constant(b.arguments[0]) is not None:
        return (
            times(b.arguments[0], times(a, b.arguments[1]))
            if p is None
            else times(times(a, b.arguments[0]), b.arguments[1])
        )
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Apply) and one.operation == "neg":
            return negative(times(one.arguments[0], other))
    return Apply("*", (a, b))


def over(a: Node, b: Node) -> Node:
    """Quotient of two trees."""
    if _constant(a) == 0:
        return ZERO
    if isinstance(a, Apply) and a.operation == "neg":
        return negative(over(a.arguments[0], b))
    return a if _constant(b) == 1 else Apply("/", (a, b))


def power(a: Node, b: Node) -> Node:
    """Power of two trees."""
    p, q = _constant(a), _constant(b)
    if q == 0:
        return ONE
    if p is not None and q is not None and 0 < p < HIGHEST_FOLDED and abs(q) < HIGHEST_FOLDED:
        return Number(p**q)
    return a if q == 1 else Apply("**", (a, b))


def call(name: str, *arguments: Node) -> Node:
    """Apply a function of the table."""
    return Apply(name, arguments)


# --- values that differ from NumPy's: steps into the complex plane must carry the derivative


def _real(x: Any) -> Any:
    return np.real(x)


def _abs(x: Any) -> Any:
    return np.where(_real(x) < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)


def _atan2(y: Any, x: Any) -> Any:
    if not (np.iscomplexobj(x) or np.iscomplexobj(y)):
        return np.arctan2(y, x)
    a, b = _real(x), _real(y)
    return np.arctan2(b, a) + 1j * (a * np.imag(y) - b * np.imag(x)) / (a * a + b * b)


def _power_partials(a: Node, b: Node) -> tuple[Node, ...]:
    by_base = times(b, power(a, plus(b, Number(-1.0))))
    log = ONE if a == Constant("e") else call("log", a)
    return by_base, times(power(a, b), log)


def _side(sign: float) -> Callable[[Node, Node], tuple[Node, ...]]:
    """Partials of min (sign -1) and max (sign 1): one for the argument taken, zero for the other."""

    def partials(a: Node, b: Node) -> tuple[Node, ...]:
        side = times(Number(sign / 2), call("sign", plus(a, negative(b))))
        return plus(Number(0.5), side), plus(Number(0.5), negative(side))

    return partials


def _square(a: Node) -> Node:
    return power(a, TWO)


def _radius(a: Node, b: Node) -> Node:
    return plus(_square(a), _square(b))


OPERATIONS: dict[str, Operation] = {
    "+": Operation(0, lambda *terms: sum(terms[1:], terms[0]), lambda *terms: (ONE,) * len(terms), "Add"),
    "neg": Operation(1, np.negative, lambda a: (Number(-1.0),), ""),
    "*": Operation(2, np.multiply, lambda a, b: (b, a), "Mul"),
    "/": Operation(2, np.true_divide, lambda a, b: (over(ONE, b), negative(over(a, _square(b)))), ""),
    "**": Operation(2, np.power, _power_partials, "Pow"),
    "sqrt": Operation(1, np.sqrt, lambda a: (over(Number(0.5), call("sqrt", a)),), "sqrt"),
    "exp": Operation(1, np.exp, lambda a: (call("exp", a),), "exp"),
    "log": Operation(1, np.log, lambda a: (over(ONE, a),), "log"),
    "sin": Operation(1, np.sin, lambda a: (call("cos", a),), "sin"),
    "cos": Operation(1, np.cos, lambda a: (negative(call("sin", a)),), "cos"),
    "tan": Operation(1, np.tan, lambda a: (plus(_square(call("tan", a)), ONE),), "tan"),
    "sinh": Operation(1, np.sinh, lambda a: (call("cosh", a),), "sinh"),
    "cosh": Operation(1, np.cosh, lambda a: (call("sinh", a),), "cosh"),
    "tanh": Operation(1, np.tanh, lambda a: (plus(ONE, negative(_square(call("tanh", a)))),), "tanh"),
    "asin": Operation(1, np.arcsin, lambda a: (over(ONE, call("sqrt", plus(ONE, negative(_square(a))))),), "asin"),
    "acos": Operation(
        1, np.arccos, lambda a: (over(Number(-1.0), call("sqrt", plus(ONE, negative(_square(a))))),), "acos"
    ),
    "atan": Operation(1, np.arctan, lambda a: (over(ONE, plus(_square(a), ONE)),), "atan"),
    "atan2": Operation(2, _atan2, lambda y, x: (over(x, _radius(x, y)), negative(over(y, _radius(x, y)))), "atan2"),
    "abs": Operation(1, _abs, lambda a: (call("sign", a),), "Abs"),
    "sign": Operation(1, lambda x: np.sign(_real(x)), lambda a: (ZERO,), "sign"),
    "min": Operation(2, lambda a, b: np.where(_real(a) <= _real(b), a, b), _side(-1.0), "Min"),
    "max": Operation(2, lambda a, b: np.where(_real(a) >= _real(b), a, b), _side(1.0), "Max"),
}
ALIASES = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "ln": "log"}
FUNCTIONS = tuple(name for name in OPERATIONS if name.isidentifier() and name != "neg")


def derivative(node: Node, name: str) -> Node:
    """Differentiate a tree by one variable, by the chain rule over the table."""
    if not isinstance(node, Apply):
        return ONE if isinstance(node, Variable) and node.name == name else ZERO
    inner = [derivative(argument, name) for argument in node.arguments]
    if all(slope == ZERO for slope in inner):
        return ZERO
    partials = OPERATIONS[node.operation].partials(*node.arguments)
    return plus(*(times(outer, slope) for outer, slope in zip(partials, inner, strict=True) if slope != ZERO))


def degree(node: Node) -> float:
    """Bound how often a variable can be multiplied with itself, over all nested powers."""
    if not isinstance(node, Apply):
        return 1.0
    inner = [degree(argument) for argument in node.arguments]
    if node.operation in ("*", "/"):
        return sum(inner)
    if node.operation == "**":
        exponent = number_of(node.arguments[1])
        return max(inner[0], inner[0] * abs(exponent) if exponent is not None else inner[1])
    return max(inner)


def number_of(node: Node) -> float | None:
    """Return the value of a tree without variables, None for others."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Constant):
        return CONSTANTS[node.name]
    if isinstance(node, Variable):
        return None
    inner = [number_of(argument) for argument in node.arguments]
    if any(value is None for value in inner):
        return None
    with np.errstate(all="ignore"):
        return float(OPERATIONS[node.operation].value(*(np.float64(value) for value in inner)))
