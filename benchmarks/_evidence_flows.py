"""The flows of dysts as fields: all 129 without delay, their boxes, aliases, and polynomials in standard coordinates.

Most right-hand sides are read as formulas (`er.systems.dysts`). Three cannot be: of BelousovZhabotinsky and MacArthur,
which compare numbers, the source is run on numbers and differentiated by differences, whose relative error is measured
(1e-12 to 1e-10); Torus depends on time alone, which becomes a coordinate over one period.

The box of a flow is that of independent uniform coordinates with the mean and the standard deviation of its table.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import erlangen as er
from erlangen.evidence import with_time
from erlangen.fields import AbstractField, PolynomialField, as_field
from erlangen.linalg.polynomials import exponents, monomials
from erlangen.systems import _dysts

HALF_WIDTH = float(np.sqrt(3.0))
"""Half the width of a uniform distribution, in standard deviations."""
NUMERICAL = ("BelousovZhabotinsky", "MacArthur")
TIMED = ("Torus",)
POINTS = 1024


@dataclass(frozen=True, eq=False)
class Flow:
    """A flow with the mean and the standard deviation of its coordinates."""

    name: str
    field: AbstractField
    mean: NDArray
    std: NDArray

    @property
    def dim(self) -> int:
        return len(self.mean)

    def box(self, n: int = POINTS) -> er.Samples:
        """Uniform points with that mean and standard deviation."""
        return er.Samples.box(self.mean - HALF_WIDTH * self.std, self.mean + HALF_WIDTH * self.std, n=n)


def names() -> tuple[str, ...]:
    """All flows without delay."""
    table, _ = _dysts._package()
    return tuple(name for name in sorted(table) if not table[name]["delay"])


def aliases() -> dict[str, str]:
    """Flows without delay whose right-hand side is that of another, with other parameters."""
    return {name: owner for name, owner in er.systems.dysts_aliases().items() if name in names()}


def row_of(name: str) -> dict[str, Any]:
    """What the table of the package says of a flow."""
    return _dysts._package()[0][name]


def flow(name: str) -> Flow:
    """One of them."""
    row = row_of(name)
    mean, std = np.array(row["mean"], dtype=float), np.array(row["std"], dtype=float)
    if name in TIMED:
        mean, std = np.append(mean, row["period"] / 2), np.append(std, row["period"] / (2 * HALF_WIDTH))
        rates = numerical(name)
        timed = with_time(lambda x, t: rates(x.T, t).T)
        return Flow(name, _numbers(timed, mean, std), mean, std)
    if name in NUMERICAL:
        rates = numerical(name)
        return Flow(name, _numbers(lambda x: rates(x, 0.0), mean, std), mean, std)
    return Flow(name, er.systems.dysts(name).as_field(), mean, std)


def _numbers(function: Callable[[NDArray], NDArray], mean: NDArray, std: NDArray) -> AbstractField:
    probes = er.Samples.box(mean - HALF_WIDTH * std, mean + HALF_WIDTH * std, n=64).points
    return as_field(function, kind="vector", dim=len(mean), points=probes)


def numerical(name: str) -> Callable[[NDArray, Any], NDArray]:
    """Rates at one state and time, by the source of the package."""
    row, functions = _dysts._package()[0][name], _dysts._functions(name)
    space: dict[str, Any] = {"np": np}
    exec(compile(ast.Module(body=list(functions.values()), type_ignores=[]), "dysts.flows", "exec"), space)
    values = {k: np.array(v) if isinstance(v, list) else v for k, v in row["parameters"].items()}
    if "rhs" not in functions:
        arguments = [a.arg for a in functions["_rhs"].args.args]
        given = {a: values[a] for a in arguments[arguments.index("t") + 1 :]}
        return lambda x, t: np.array(space["_rhs"](*x, t, **given), dtype=float)
    me = _dysts._Attributes()
    for key, value in values.items():
        setattr(me, key, value)
    for key, node in functions.items():
        bound = bool(node.args.args) and node.args.args[0].arg == "self"
        setattr(me, key, space[key].__get__(me) if bound else space[key])
    return lambda x, t: np.array(me.rhs(x, t), dtype=float)  # type: ignore[attr-defined]


@cache
def polynomial_names() -> tuple[str, ...]:
    """The 82 polynomial flows."""
    return er.systems.dysts_names(polynomial=True)


@cache
def standardised(name: str) -> PolynomialField:
    """A polynomial flow in coordinates of mean 0 and standard deviation 1."""
    one = flow(name)
    field = one.field
    assert isinstance(field, PolynomialField)
    degree = int(field.table.sum(axis=1).max())
    return refit(one.dim, degree, lambda u: field.value(one.mean + u * one.std) / one.std)


def refit(d: int, degree: int, function: Callable[[NDArray], NDArray]) -> PolynomialField:
    """The polynomial vector field that a function of points is; its rounding is cut off."""
    table = exponents(d, degree)
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (4 * len(table), d))
    values = function(x)
    coefficients = np.linalg.lstsq(monomials(x, table), values, rcond=None)[0].T
    assert np.abs(monomials(x, table) @ coefficients.T - values).max() <= 1e-9 * np.abs(values).max()
    small = np.abs(coefficients) <= 1e-11 * np.abs(coefficients).max()
    return PolynomialField(table, np.where(small, 0.0, coefficients), "vector")
