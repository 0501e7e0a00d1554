"""Which package's objects are handled by which adapter, imported on first use.

An adapter is a module that registers converters when it is imported. It is looked up by the name of the
package that defines a class of the object: a package that the user has not imported can define none, so
nothing heavy is ever imported on the user's behalf.
"""

from __future__ import annotations

import importlib

ADAPTERS: dict[str, str] = {
    "sympy": "erlangen.fields.expressions",
    "erlangen._formula": "erlangen.fields.expressions",
    "sklearn": "erlangen.fields.sklearn_",
    "torch": "erlangen.nn.field",
}
"""Package (or module) that defines a class, and the module that converts its objects to fields."""


def packages(kind: type) -> set[str]:
    """Names of the packages, and of the modules, that define a class or one of its bases.

    Examples
    --------
    >>> from collections import Counter
    >>> sorted(packages(Counter))
    ['builtins', 'collections']
    """
    modules = {base.__module__ for base in kind.__mro__}
    return modules | {module.partition(".")[0] for module in modules}


def load_adapters(kind: type) -> None:
    """Import the adapters that know the objects of a class; none for plain Python objects."""
    for package in sorted(packages(kind) & ADAPTERS.keys()):
        importlib.import_module(ADAPTERS[package])


def comes_from(obj: object, package: str) -> bool:
    """Whether a class of the object is defined in a package, without importing that package."""
    return package in packages(type(obj))
