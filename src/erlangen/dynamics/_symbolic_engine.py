"""The search for expressions of one coordinate: pyoperon, genetic programming in C++, on one thread."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import InputError, MissingExtraError, explain, nearest
from erlangen._typing import NDArray
from erlangen.dynamics import _symbolic_terms as terms
from erlangen.dynamics._symbolic_terms import Sum, TooLong

OPERATORS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "tanh": "tanh",
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
}
"""Operators of a search, and what pyoperon calls them."""

POPULATION = 500
"""Expressions alive at a time: pyoperon's own default is 1000, with ten times as many evaluations."""

LOCAL = 3
"""Steps of Levenberg and Marquardt on the constants of each new expression."""


@dataclass(frozen=True)
class Search:
    """One search.

    Attributes
    ----------
    operators : tuple of str
        Keys of `OPERATORS`.
    max_size : int
        Most nodes of an expression.
    evaluations : int
        Expressions that are looked at, their constants' steps included.
    """

    operators: tuple[str, ...]
    max_size: int
    evaluations: int


def check_operators(operators: Sequence[str]) -> tuple[str, ...]:
    """Refuse operators that are unknown, and sets without plus or times, in which nothing is a sum of terms."""
    chosen = tuple(operators)
    for name in chosen:
        if name not in OPERATORS:
            close = nearest(str(name), OPERATORS)
            raise InputError(
                explain(
                    "There is no such operator.",
                    given=repr(name),
                    expected=" ".join(OPERATORS),
                    fix=f"did you mean {close!r}?" if close else 'operators=("+", "-", "*", "/", "sin", "cos", "exp")',
                )
            )
    if not {"+", "*"} <= set(chosen):
        raise InputError(
            explain(
                "Equations are sums of products.",
                given=" ".join(map(str, chosen)) or "no operators",
                expected="'+' and '*' among the operators",
                fix='operators=("+", "-", "*")',
            )
        )
    return chosen


def engine() -> Any:
    """Import pyoperon."""
    try:
        return importlib.import_module("pyoperon"), importlib.import_module("pyoperon.sklearn")
    except ImportError as error:
        raise MissingExtraError(
            explain(
                "Symbolic regression needs pyoperon.",
                given=f"an environment without it ({error})",
                expected="the extra 'symbolic'",
                fix='pip install "erlangen[symbolic]"',
            )
        ) from None


def expressions(x: NDArray, y: NDArray, names: tuple[str, ...], search: Search, seed: int) -> list[Sum]:
    """Expressions ``y(x)`` on the front of error against size, expanded; the shortest first.

    Coordinates are divided by their root mean square, so that constants drawn around one fit them in any unit; no
    origin is moved, which would turn one term into many.
    """
    operon, estimators = engine()
    spread = float(np.std(y))
    if spread == 0.0:
        return [((float(y.mean()), terms.UNIT),)] if y.any() else [()]
    sizes = np.sqrt(np.mean(x**2, axis=0))
    sizes = np.where(sizes > 0, sizes, 1.0)
    model = estimators.SymbolicRegressor(
        allowed_symbols=",".join([*(OPERATORS[name] for name in search.operators), "constant", "variable"]),
        objectives=["r2", "length"],
        optimizer_iterations=LOCAL,
        population_size=POPULATION,
        generations=max(1, search.evaluations // POPULATION),
        max_evaluations=search.evaluations,
        max_length=search.max_size,
        epsilon=0,
        uncertainty=[1.0],
        n_threads=1,
        random_state=seed,
    )
    with np.errstate(all="ignore"):
        model.fit(x / sizes, y / spread)
    order = {code: k for k, code in enumerate(sorted(model.variables_, key=lambda h: int(model.variables_[h][1:])))}
    found = []
    for entry in sorted(model.pareto_front_, key=lambda entry: (entry["length"], entry["mean_squared_error"])):
        try:
            a = _expanded(entry["tree"].Nodes, operon.NodeType, order, names, sizes)
            found.append(terms.scale(spread, a))
        except (TooLong, OverflowError, ZeroDivisionError, ValueError):
            continue
    return found


def _expanded(nodes: Any, kinds: Any, order: dict[int, int], names: tuple[str, ...], sizes: NDArray) -> Sum:
    """A tree in postfix order, whose second operand comes first, as a sum of terms."""
    stack: list[Sum] = []
    for node in nodes:
        if node.IsVariable:
            k = order[node.HashValue]
            stack.append(terms.collect([(float(node.Value / sizes[k]), ((names[k], 1),))]))
        elif node.IsConstant:
            stack.append(terms.collect([(float(node.Value), terms.UNIT)]))
        elif node.Arity == 1:
            stack.append(terms.apply(str(node.Name), stack.pop()))
        else:
            a, b = stack.pop(), stack.pop()
            if node.Type == kinds.Add:
                stack.append(terms.add(a, b))
            elif node.Type == kinds.Sub:
                stack.append(terms.add(a, terms.scale(-1, b)))
            elif node.Type == kinds.Mul:
                stack.append(terms.multiply(a, b))
            else:
                stack.append(terms.multiply(a, terms.inverse(b)))
    return stack.pop()
