"""What is public: every exported name, and every public method and property of an exported class."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PACKAGES = (
    "actions",
    "algebra",
    "algebra.equivariant",
    "derivative",
    "dynamics",
    "estimators",
    "evidence",
    "fields",
    "io",
    "linalg.rank",
    "nn",
    "reports",
    "systems",
    "systems.lorentz",
    "systems.two_body",
    "testing",
    "verbs",
)


@dataclass(frozen=True)
class Public:
    """A public name: where it is exported, and what it is.

    Attributes
    ----------
    path : str
        How a user reaches it, such as ``evidence.certify`` or ``verbs.Symmetry.summary``.
    thing : object
        The function, class, property or constant.
    owner : type or None
        The class that defines it, for methods and properties.
    name : str
        Its last part.
    """

    path: str
    thing: Any
    owner: type | None
    name: str

    @property
    def function(self) -> Any:
        """The function behind a method or a property; the thing itself otherwise."""
        return function_of(self.thing)

    @property
    def is_quantity(self) -> bool:
        """Whether it is read without arguments: a property, or a method that takes none."""
        return isinstance(self.thing, (property, functools.cached_property)) or (
            self.owner is not None and not parameters(self)
        )


def function_of(thing: Any) -> Any:
    """The function behind a method or a property; the thing itself otherwise."""
    if isinstance(thing, property):
        return thing.fget
    if isinstance(thing, functools.cached_property):
        return thing.func
    return inspect.unwrap(getattr(thing, "__func__", thing))


@functools.cache
def tree_of(module: types.ModuleType) -> ast.Module:
    """Syntax tree of a module's source."""
    return ast.parse(inspect.getsource(module))


def exported(module: types.ModuleType) -> list[str]:
    """Names that a package exports: its ``__all__`` or ``import A as A``; for a module, what it defines."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    body = tree_of(module).body
    aliases = [alias for node in ast.walk(tree_of(module)) for alias in getattr(node, "names", ()) if _said(alias)]
    defined = [node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    constants = [name for name, _ in documented_constants(module)]
    return sorted({name for name in [a.asname for a in aliases] + defined + constants if not name.startswith("_")})


def _said(alias: Any) -> bool:
    return isinstance(alias, ast.alias) and alias.asname == alias.name


def documented_constants(module: types.ModuleType) -> Iterator[tuple[str, bool]]:
    """Constants in capitals that a module assigns, and whether a docstring follows."""
    body = tree_of(module).body
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and target.id.isupper():
                yield target.id, isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)


def parameters(public: Public) -> dict[str, inspect.Parameter]:
    """Public parameters by name, as numpydoc writes them (``*args``), without ``self``."""
    function = public.thing if inspect.isclass(public.thing) else public.function
    given = list(inspect.signature(function).parameters.values())
    first = 0 if public.owner is None or isinstance(vars(public.owner).get(public.name), staticmethod) else 1
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return {stars.get(p.kind, "") + p.name: p for p in given[first:] if not p.name.startswith("_")}


def _members(path: str, cls: type) -> Iterator[Public]:
    for owner in cls.__mro__:
        if not owner.__module__.startswith("erlangen"):
            continue
        for name, thing in vars(owner).items():
            kinds = (types.FunctionType, property, functools.cached_property, classmethod, staticmethod)
            if not name.startswith("_") and isinstance(thing, kinds):
                yield Public(f"{path}.{name}", thing, owner, name)


def everything() -> list[Public]:
    """Every public name once, under the first package that exports it."""
    seen: dict[int, Public] = {}
    waiting = [("", "", importlib.import_module("erlangen"))]
    waiting += [(name, "", importlib.import_module(f"erlangen.{name}")) for name in PACKAGES]
    while waiting:
        where, last, thing = waiting.pop(0)
        if isinstance(thing, types.ModuleType):
            if id(thing) not in seen:
                seen[id(thing)] = Public(where, thing, None, last)
                waiting += [(f"{where}.{name}".lstrip("."), name, getattr(thing, name)) for name in exported(thing)]
            continue
        if id(thing) in seen:
            continue
        seen[id(thing)] = Public(where, thing, None, last)
        if inspect.isclass(thing):
            for member in _members(where, thing):
                seen.setdefault(id(member.thing), member)
    return list(seen.values())
