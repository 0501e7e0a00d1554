"""What a package exports: the same names for a reader, for a type checker and for a running program."""

from __future__ import annotations

import ast
import importlib
import inspect
import types
from pathlib import Path

import pytest

import erlangen

ROOT = Path(erlangen.__file__).parent
INSIDE = {"erlangen.linalg", "erlangen.data"}
"""Packages that hold modules to be named in full, and one function."""

PACKAGES = sorted(
    {".".join(("erlangen", *path.parent.relative_to(ROOT).parts)) for path in ROOT.glob("**/__init__.py")} - INSIDE
)


def seen_by_a_type_checker(package: types.ModuleType) -> set[str]:
    """Names imported as themselves, also where only a type checker reads; and what the package defines."""
    names = set()
    for node in ast.parse(inspect.getsource(package)).body:
        for inner in node.body if isinstance(node, ast.If) else [node]:
            if isinstance(inner, (ast.Import, ast.ImportFrom)):
                names |= {alias.asname or alias.name for alias in inner.names}
            elif isinstance(inner, (ast.FunctionDef, ast.ClassDef)):
                names.add(inner.name)
    return {name for name in names if not name.startswith("_")} - {"annotations"}


def listed(package: types.ModuleType) -> list[str]:
    """The list ``__all__`` as it is written, which is how a type checker reads it."""
    for node in ast.parse(inspect.getsource(package)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


@pytest.mark.parametrize("name", PACKAGES)
def test_the_list_of_a_package_is_what_a_type_checker_sees(name):
    package = importlib.import_module(name)
    assert listed(package) == sorted(seen_by_a_type_checker(package)), f"__all__ of {name} and its imports differ"


@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_listed_can_be_had(name):
    package = importlib.import_module(name)
    found = {listed_name: getattr(package, listed_name) for listed_name in listed(package)}
    assert set(found) <= set(dir(package))


@pytest.mark.parametrize("name", PACKAGES)
def test_a_table_of_homes_has_only_names_that_are_listed(name):
    package = importlib.import_module(name)
    homes = getattr(package, "_WHERE", getattr(package, "_HOMES", {}))
    assert set(homes) | set(getattr(package, "_MODULES", ())) <= set(listed(package))
