"""Every public name says what it does, takes, returns and raises, in which shapes, and where it comes from.

What a docstring must say is in docstring_rules.py, what is public in public_names.py.
"""

from __future__ import annotations

import inspect
import re
import types
from pathlib import Path

import pytest
from docstring_rules import missing, own_text, parsed, where
from numpy.typing import NDArray
from public_names import Public, everything

API = Path(__file__).parents[1] / "docs" / "api.md"

NOT_OURS = {
    "fields.register": "the decorator of functools.singledispatch; docs/extending.md shows how it is used",
}

METHODS = ("algebra", "dynamics", "estimators", "evidence", "nn", "verbs")
"""Folders whose public functions, estimators and layers are methods: each names the paper or book behind it."""

NO_METHODS = {
    "algebra.catalogue": "writes down a basis of a known algebra",
    "algebra.finite_atoms": "writes down a known representation",
    "algebra.group": "holds the matrices that are given",
    "algebra.groups": "writes down generators of a known group",
    "algebra.permutation_groups": "writes down generators of a known group",
    "algebra.powers": "writes down a known representation",
    "algebra.product_atoms": "writes down a known representation",
    "algebra.representation_text": "reads text",
    "algebra.user_atoms": "checks the matrices that are given",
    "evidence.discrete.elements": "lists maps",
    "evidence.observed": "reads observations",
    "nn.convert": "changes the form of a network; its layers name their sources",
    "nn.grid": "says how an array is moved",
}
"""Modules of those folders whose public names are no methods, and why."""

NO_SOURCE = {
    "algebra.conformal_forms": "preserved_forms, of the derived algebra",
    "algebra.fixed_point": "least squares of the equation in its summary",
    "algebra.invariant_flag": "a null space and a span",
    "algebra.order_fields": "an order of printing",
    "evidence.explain_special": "asks functions that name their sources",
    "evidence.gates_of": "calls gates that name their sources",
    "evidence.model_certificate": "a mean over independent points and its normal error",
    "evidence.paired_bound": "the mean of a product of independent errors is zero",
    "nn.to_linear": "assembles the weights that layers hold",
    "verbs.coefficients_of": "reads an argument",
}
"""Functions that are no method of anybody's, and why."""


@pytest.fixture(scope="module")
def public() -> list[Public]:
    return everything()


def told(lines: list[str]) -> str:
    return "\n".join([f"{len(lines)} missing:", *sorted(lines)])


def module_of(name: Public) -> str:
    return where(name).removeprefix("erlangen.")


def is_method(name: Public) -> bool:
    """Whether a name stands for a way of doing something that somebody has published."""
    folder, abstract = module_of(name).partition(".")[0], name.name.startswith("Abstract")
    if name.owner is not None or not callable(name.thing) or folder not in METHODS or abstract:
        return False
    fits = hasattr(name.thing, "fit") or any("__call__" in vars(base) for base in getattr(name.thing, "__mro__", ()))
    return module_of(name) not in NO_METHODS and (not inspect.isclass(name.thing) or fits)


def test_every_public_name_is_documented(public: list[Public]):
    ours = [name for name in public if name.path not in NOT_OURS]
    lines = [f"{where(name)}: {name.path or 'erlangen'}: {what}" for name in ours for what in missing(name)]
    assert not lines, told(lines)
    assert len(public) > 1000  # methods and properties too


def test_every_method_names_its_source(public: list[Public]):
    methods = [name for name in public if is_method(name) and name.path not in NO_SOURCE]
    silent = [f"{where(name)}: {name.path}: References" for name in methods if not parsed(own_text(name))["References"]]
    assert not silent, told(silent)
    assert len(methods) > 80


def test_every_method_and_what_users_meet_first_has_an_example(public: list[Public]):
    first = [name for name in public if "." not in name.path and name.owner is None and callable(name.thing)]
    first = [name for name in first if not (inspect.isclass(name.thing) and issubclass(name.thing, BaseException))]
    wanted = {name.path: name for name in [*first, *filter(is_method, public)]}
    silent = [f"{where(name)}: {name.path}: Examples" for name in wanted.values() if ">>>" not in own_text(name)]
    assert not silent, told(silent)
    assert len(first) > 20


def test_exceptions_are_still_needed(public: list[Public]):
    """An exception for a name that has gone, or that has what it was excused from, is taken out."""
    known = {name.path: name for name in public}
    assert set(NO_SOURCE) | set(NOT_OURS) <= set(known)
    assert not [path for path in NO_SOURCE if parsed(own_text(known[path]))["References"]]
    assert set(NO_METHODS) <= {module_of(name) for name in public}
    assert all(reason for table in (NOT_OURS, NO_METHODS, NO_SOURCE) for reason in table.values())


def test_every_public_name_is_on_the_page_of_the_api(public: list[Public]):
    listed = set(re.findall(r"^   (?:~?erlangen\.)?([\w.]+)$", API.read_text(encoding="utf-8"), re.MULTILINE))
    names = [name for name in public if name.owner is None and not isinstance(name.thing, types.ModuleType)]
    lines = [f"docs/api.md: erlangen.{name.path}" for name in names if name.path not in listed]
    assert not lines, told(lines)


GOOD = """Add two numbers.

    Parameters
    ----------
    a : ndarray (n, d)
        Points.
    b : float, optional
        Number.

    Returns
    -------
    ndarray (n, d)
        Sum.

    Raises
    ------
    ValueError
        When there is none.
    """


def example(text: str) -> Public:
    """A function with this docstring."""

    def add(a: NDArray, b: float = 0.0) -> NDArray:
        raise ValueError("none")

    add.__doc__, add.__qualname__ = text, "add"
    return Public("add", add, None, "add")


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("Add two numbers.", "Add. Two numbers.", "not one sentence"),
        ("Add two numbers.", "Add ``a . b``.", "full stop inside a literal"),
        ("    b : float, optional\n        Number.\n", "", "b is not described"),
        ("    b : float, optional\n", "    b\n", "b has no type"),
        ("        Points.\n", "", "a has no description"),
        ("a : ndarray (n, d)", "a : ndarray", "a has no shape"),
        ("b : float", "c : float", "c is not in the signature"),
        ("    ndarray (n, d)\n        Sum.", "    ndarray\n        Sum.", "Returns: no shape"),
        ("        Sum.\n", "", "no description"),
        ("ValueError", "TypeError", "ValueError is not mentioned"),
        (GOOD, "", "no docstring"),
    ],
)
def test_each_rule_sees_what_is_missing(before: str, after: str, what: str):
    assert list(missing(example(GOOD))) == []
    assert GOOD.replace(before, after) != GOOD
    assert any(what in line for line in missing(example(GOOD.replace(before, after))))
