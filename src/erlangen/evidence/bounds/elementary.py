"""Arithmetic and named functions as steps of a tape, for formulas and for layers of networks alike."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from erlangen.evidence.bounds.graph import Tape


def times(tape: Tape, a: int, b: int) -> int:
    """Product; a number only scales."""
    for one, other in ((a, b), (b, a)):
        values = tape.constant_value(one)
        if values is not None:
            equal = np.all(values == values[0])
            return tape.linear([(other, float(values[0]) if equal else np.diag(values))])
    return tape.product(a, b)


def over(tape: Tape, a: int, b: int) -> int:
    """Quotient."""
    values = tape.constant_value(b)
    if values is not None and np.all(values != 0) and np.all(np.frexp(values)[0] == 0.5):
        return times(tape, a, tape.constant(1.0 / values))  # exact: powers of two
    return times(tape, a, power(tape, b, -1.0))


def power(tape: Tape, a: int, p: float) -> int:
    """Power with a fixed exponent."""
    if p == 1.0:
        return a
    return tape.constant(np.ones(tape.widths[a])) if p == 0.0 else tape.unary(a, "power", 0, float(p))


def shifted(tape: Tape, a: int, by: float, factor: float = 1.0) -> int:
    """``factor * a + by``."""
    return tape.linear([(a, factor)], np.full(tape.widths[a], by))


def relu(tape: Tape, a: int) -> int:
    """``max(a, 0)``."""
    return tape.unary(a, "relu")


def negative_part(tape: Tape, a: int) -> int:
    """``min(a, 0)``, by the same kink as that of ``max(a, 0)``."""
    return tape.plus(a, relu(tape, a), -1.0)


def leaky(tape: Tape, a: int, slope: float) -> int:
    """``a`` where positive, else ``slope * a``."""
    bend = relu(tape, a)
    return tape.linear([(bend, 1.0), (bend, -slope), (a, slope)])  # 1 - slope would be rounded


def absolute(tape: Tape, a: int) -> int:
    """``|a|``."""
    return leaky(tape, a, -1.0)


def largest(tape: Tape, a: int, b: int) -> int:
    """``max(a, b)``."""
    return tape.plus(b, relu(tape, tape.plus(a, b, -1.0)))


def smallest(tape: Tape, a: int, b: int) -> int:
    """``min(a, b)``."""
    return tape.plus(a, relu(tape, tape.plus(a, b, -1.0)), -1.0)


def clipped(tape: Tape, a: int, low: float, high: float) -> int:
    """``a`` kept between two numbers."""
    return shifted(
        tape,
        tape.plus(relu(tape, shifted(tape, a, -low)), relu(tape, shifted(tape, a, -high)), -1.0),
        low,
    )


def softplus(tape: Tape, a: int, beta: float = 1.0) -> int:
    """``log(1 + exp(beta a)) / beta``."""
    inner = a if beta == 1.0 else tape.linear([(a, beta)])
    return over(tape, tape.unary(inner, "softplus"), tape.constant(np.full(tape.widths[a], beta)))


def elu(tape: Tape, a: int, alpha: float = 1.0, rate: float = 1.0) -> int:
    """``a`` where positive, else ``alpha (exp(rate a) - 1)``."""
    decay = tape.unary(tape.linear([(negative_part(tape, a), rate)]), "exp")
    return tape.linear([(relu(tape, a), 1.0), (decay, alpha)], np.full(tape.widths[a], -alpha))


def gelu_tanh(tape: Tape, a: int) -> int:
    """The approximation of GELU by tanh."""
    cubic = tape.linear([(a, 1.0), (tape.unary(a, "power", 0, 3.0), 0.044715)])
    gate = tape.unary(tape.linear([(cubic, math.sqrt(2 / math.pi))]), "tanh")
    return times(tape, a, shifted(tape, gate, 0.5, 0.5))


def tangent(tape: Tape, a: int) -> int:
    """``tan a``."""
    return over(tape, tape.unary(a, "sin"), tape.unary(a, "cos"))


def hyperbolic(sign: float) -> Callable[[Tape, int], int]:
    """Sinh (sign -1) or cosh (sign 1)."""

    def build(tape: Tape, a: int) -> int:
        ends = [(tape.unary(a, "exp"), 0.5), (tape.unary(tape.linear([(a, -1.0)]), "exp"), 0.5 * sign)]
        return tape.linear(ends)

    return build


def _named(name: str) -> Callable[[Tape, int], int]:
    return lambda tape, a: tape.unary(a, name)


def _gated(name: str) -> Callable[[Tape, int], int]:
    return lambda tape, a: tape.product(a, tape.unary(a, name))


FUNCTIONS: dict[str, Callable[[Tape, int], int]] = {
    **{name: _named(name) for name in ("tanh", "sigmoid", "softplus", "sin", "cos", "exp", "log", "relu")},
    "sqrt": lambda tape, a: power(tape, a, 0.5),
    "rsqrt": lambda tape, a: power(tape, a, -0.5),
    "square": lambda tape, a: power(tape, a, 2.0),
    "reciprocal": lambda tape, a: power(tape, a, -1.0),
    "neg": lambda tape, a: tape.linear([(a, -1.0)]),
    "abs": absolute,
    "atan": _named("arctan"),
    "tan": tangent,
    "sinh": hyperbolic(-1.0),
    "cosh": hyperbolic(1.0),
    "relu6": lambda tape, a: clipped(tape, a, 0.0, 6.0),
    "silu": _gated("sigmoid"),
    "gelu": _gated("normal cdf"),
    "mish": lambda tape, a: tape.product(a, tape.unary(tape.unary(a, "softplus"), "tanh")),
    "softsign": lambda tape, a: over(tape, a, shifted(tape, absolute(tape, a), 1.0)),
    "tanhshrink": lambda tape, a: tape.plus(a, tape.unary(a, "tanh"), -1.0),
    "logsigmoid": lambda tape, a: tape.linear([(tape.unary(tape.linear([(a, -1.0)]), "softplus"), -1.0)]),
}
"""Functions of one argument, by the name that formulas and torch give them."""
