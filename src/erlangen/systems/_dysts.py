"""Flows of the package dysts as systems of text: its table and its source are read, and nothing of it is imported.

Importing `dysts.flows` also imports gluonts, matplotlib and more; here the functions that compute a right-hand side
are taken out of the source, and called with symbols.
"""

from __future__ import annotations

import ast
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from erlangen._errors import InputError, MissingExtraError, explain, nearest
from erlangen.systems._system import System

CITATION = "Gilpin, 'Chaos as an interpretable benchmark for forecasting and data-driven modelling', NeurIPS 2021"
HIGHEST = {1: 4, 2: 4, 3: 4, 4: 4}
"""Degree up to which a flow of so many coordinates counts as polynomial; above, degree 2."""


def dysts(name: str) -> System:
    """A flow of the package dysts, its right-hand side read as formulas.

    Parameters
    ----------
    name : str
        As in the package, ``"Lorenz"``.

    Returns
    -------
    System
        With the initial state, the period and the time step of the package in `initial`, `period` and `step`.

    Raises
    ------
    MissingExtraError
        Where the package is not installed.
    InputError
        Where it has no such flow, or its right-hand side depends on time or on the past, or is no formula.

    References
    ----------
    .. [1] W. Gilpin, "Chaos as an interpretable benchmark for forecasting and data-driven modelling", NeurIPS 2021.
    """
    table, _ = _package()
    if name not in table:
        close = nearest(str(name), table)
        raise InputError(
            explain(
                f"dysts has no flow {name!r}.",
                given=repr(name),
                expected="a name of its table, as Lorenz or Rossler",
                fix=f"er.systems.dysts({close or 'Lorenz'!r})",
            )
        )
    row = table[name]
    if row["delay"]:
        raise _no_formula(name, "it depends on the past")
    names, formulas, parameters = _read(name)
    return System(
        name=name,
        names=names,
        formulas=formulas,
        parameters=parameters,
        span=10.0 * row["period"],
        citation=f"{CITATION}; {row['citation']}",
        description=row["description"] or "",
        initial=np.atleast_2d(np.array(row["initial_conditions"], dtype=float)),
        period=float(row["period"]),
        step=float(row["dt"]),
    )


@cache
def dysts_names(polynomial: bool = False) -> tuple[str, ...]:
    """Names of the flows of dysts that can be read as formulas.

    Parameters
    ----------
    polynomial : bool
        Only those with polynomial right-hand sides: of degree up to 4 in up to 4 coordinates, up to 2 in more.

    Returns
    -------
    tuple of str
        What `dysts` takes.

    Raises
    ------
    MissingExtraError
        When dysts is not installed.
    """
    return tuple(name for name in sorted(_package()[0]) if _usable(name, polynomial))


def dysts_aliases() -> dict[str, str]:
    """Flows of dysts that share the right-hand side of another, whatever their parameters.

    Returns
    -------
    dict of str to str
        The other name of each.

    Raises
    ------
    MissingExtraError
        When dysts is not installed.
    """
    table, classes = _package()
    return {name: _owner(name) for name in sorted(table) if name in classes and _owner(name) != name}


def degree(system: System) -> int | None:
    """Degree of a polynomial right-hand side, None for another."""
    import sympy

    symbols = [sympy.Symbol(name, real=True) for name in system.names]
    sides = [sympy.expand(side) for side in system.to_sympy()]
    if not all(side.is_polynomial(*symbols) for side in sides):
        return None
    return max(sympy.Poly(side, *symbols).total_degree() for side in sides)


def _usable(name: str, polynomial: bool) -> bool:
    try:
        system = dysts(name)
    except InputError:
        return False
    if not polynomial:
        return True
    found = degree(system)
    return found is not None and found <= HIGHEST.get(system.dim, 2)


@cache
def _package() -> tuple[dict[str, Any], dict[str, ast.ClassDef]]:
    """The table of flows, and their classes as trees."""
    found = find_spec("dysts")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError(
            explain(
                "This needs the package dysts.",
                given="an installation without it",
                expected="the extra dysts, whose files are read and not imported",
                fix="pip install 'erlangen[dysts]'; for 0.96 beside pandas 3: pip install --no-deps dysts==0.96",
            )
        )
    root = Path(next(iter(found.submodule_search_locations)))
    table = json.loads((root / "data" / "chaotic_attractors.json").read_text(encoding="utf-8"))
    tree = ast.parse((root / "flows.py").read_text(encoding="utf-8"))
    return table, {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _lineage(name: str) -> list[ast.ClassDef]:
    """A class and its bases, as far as they are flows."""
    _, classes = _package()
    out = []
    while name in classes:
        out.append(classes[name])
        name = ast.unparse(classes[name].bases[0])
    return out


def _owner(name: str) -> str:
    """The class in whose body the right-hand side stands."""
    return next(
        c.name
        for c in _lineage(name)
        if any(isinstance(f, ast.FunctionDef) and f.name in ("_rhs", "rhs") for f in c.body)
    )


def _functions(name: str) -> dict[str, ast.FunctionDef]:
    """Methods by name; those of the class hide those of its bases. Decorators, which compile, are left out."""
    out: dict[str, ast.FunctionDef] = {}
    for cls in reversed(_lineage(name)):
        for node in cls.body:
            if isinstance(node, ast.FunctionDef):
                plain = ast.FunctionDef(**{key: getattr(node, key) for key in node._fields})
                plain.decorator_list = []
                out[node.name] = ast.copy_location(plain, node)
    return out


class _Attributes:
    """Stands for the flow where a right-hand side is a method: parameters, and its other functions."""


def _read(name: str) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, float]]:
    """Names of the coordinates, formulas, and the parameters that are numbers."""
    import sympy

    row, functions = _package()[0][name], _functions(name)
    scalars = {k: float(v) for k, v in row["parameters"].items() if isinstance(v, (int, float))}
    arrays = {k: np.array(v) for k, v in row["parameters"].items() if k not in scalars}
    t = sympy.Symbol("time of the flow", real=True)
    for numbers in (False, True):  # a right-hand side that compares parameters needs their values
        values = {**arrays, **(scalars if numbers else {k: sympy.Symbol(k, real=True) for k in scalars})}
        try:
            names, sides = _called(functions, values, t, row["embedding_dimension"])
        except (TypeError, ValueError, AttributeError, KeyError, NotImplementedError) as error:
            # Code of another package, fed with symbols that it was not written for: any of these says "no formula".
            reason = str(error)
            continue
        if any(t in side.free_symbols for side in sides):
            raise _no_formula(name, "it depends on time")
        texts = tuple(_text(side) for side in sides)
        used = {str(s) for side in sides for s in side.free_symbols}
        return names, texts, {k: v for k, v in scalars.items() if k in used and not numbers}
    raise _no_formula(name, reason)


def _called(functions: dict[str, ast.FunctionDef], values: dict[str, Any], t: Any, d: int) -> tuple[Any, list[Any]]:
    """Right-hand sides as expressions, from the source of the functions."""
    import sympy

    module = ast.Module(body=list(functions.values()), type_ignores=[])
    space: dict[str, Any] = {"np": _Numbers()}
    exec(compile(module, "dysts.flows", "exec"), space)
    if "rhs" in functions:
        me = _Attributes()
        for key, value in values.items():
            setattr(me, key, value)
        for key, node in functions.items():
            bound = bool(node.args.args) and node.args.args[0].arg == "self"
            setattr(me, key, space[key].__get__(me) if bound else space[key])
        names = tuple(f"x{j + 1}" for j in range(d))
        found = me.rhs(np.array([sympy.Symbol(n, real=True) for n in names], dtype=object), t)  # type: ignore[attr-defined]
    else:
        arguments = [a.arg for a in functions["_rhs"].args.args]
        names = tuple(arguments[: arguments.index("t")])
        given = {n: values[n] for n in arguments[len(names) + 1 :]}
        found = space["_rhs"](*[sympy.Symbol(n, real=True) for n in names], t, **given)
    return names, [sympy.sympify(side) for side in found]


class _Numbers:
    """NumPy as the source of the flows uses it, for symbols."""

    def __getattr__(self, name: str) -> Any:
        import sympy

        if name == "pi":
            return sympy.pi
        if name == "heaviside":
            return lambda x, half: (1 + sympy.sign(x)) / 2
        known = {"abs": sympy.Abs, "sign": sympy.sign, "arctan": sympy.atan}
        known |= {n: getattr(sympy, n) for n in ("sin", "cos", "tan", "exp", "log", "sqrt", "sinh", "cosh", "tanh")}
        if name not in known:
            return getattr(np, name)

        def each(x: Any) -> Any:
            return np.array([each(v) for v in x], dtype=object) if isinstance(x, np.ndarray) else known[name](x)

        return each


def _text(expression: Any) -> str:
    """A formula with all digits of its numbers."""
    from sympy.printing.str import StrPrinter

    class Digits(StrPrinter):
        def _print_Float(self, expr: Any) -> str:
            return repr(float(expr))

        def _print_Abs(self, expr: Any) -> str:
            return f"abs({self._print(expr.args[0])})"

        def _print_Exp1(self, expr: Any) -> str:
            return "exp(1)"

    return Digits().doprint(expression)


def _no_formula(name: str, reason: str) -> InputError:
    return InputError(
        explain(
            f"The right-hand side of {name} cannot be read as formulas.",
            given=reason,
            expected="formulas of the coordinates and the parameters",
            fix="er.systems.dysts_names() lists those that can be read",
        )
    )
