"""What a docstring must say, read with numpydoc: one line for each thing that is missing."""

from __future__ import annotations

import ast
import dataclasses
import dis
import functools
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpydoc.docscrape import NumpyDocString
from public_names import Public, documented_constants, function_of, parameters

ARRAY = re.compile(r"\b(NDArray|ArrayLike|Tensor|ndarray|spmatrix|sparray)\b")
SHAPE = re.compile(r"\(\)|\(([^()]|\([^()]*\))*,([^()]|\([^()]*\))*\)|\bscalar\b|\bany shape\b|\bsame shape\b")
LEGEND = set(
    re.findall(
        r"^\| (\w)(?: =.*)? \|", (Path(__file__).parents[1] / "docs" / "conventions.md").read_text("utf-8"), re.M
    )
)
"""Letters of shapes that docs/conventions.md explains once for all."""

LITERAL = re.compile("``.*?``")
SECOND_SENTENCE = re.compile(r"(?<![.\s][a-zA-Z])(?<!\be\.g)[.?!] +[A-Z]")


@functools.cache
def parsed(text: str) -> Any:
    """Sections of a docstring."""
    return NumpyDocString(text)


def own_text(public: Public) -> str:
    """Docstring that stands at this name itself, not one that is inherited."""
    thing = public.thing if inspect.isclass(public.thing) else public.function
    text = vars(thing).get("__doc__") if inspect.isclass(thing) else getattr(thing, "__doc__", "")
    made = inspect.isclass(thing) and dataclasses.is_dataclass(thing) and (text or "").startswith(f"{public.name}(")
    return "" if made else inspect.cleandoc(text or "")


def texts(public: Public, bases: tuple[type, ...] = ()) -> list[str]:
    """Its docstring and those of what it implements: the contract is written once, at the abstract method."""
    out = [own_text(public)]
    for base in bases or (public.owner.__mro__[1:] if public.owner else ()):
        thing = vars(base).get(public.name)
        if thing is not None:
            out.append(own_text(Public(public.path, thing, base, public.name)))
    return [text for text in out if text]


def missing(public: Public) -> Iterator[str]:
    """Everything that the documentation of a public name lacks."""
    if isinstance(public.thing, types.ModuleType):
        yield from _module(public)
        return
    if not (inspect.isclass(public.thing) or callable(public.function)):
        return
    found = texts(public)
    if not found:
        yield "no docstring"
        return
    yield from _summary(found[0])
    if inspect.isclass(public.thing):
        yield from _class(public, found[0])
    elif public.is_quantity:
        yield from _quantity(public, found)
    else:
        yield from _parameters(parameters(public), found)
        yield from _returns(public, found)
    yield from _raises(public, found)
    yield from _letters(public, found[0])


def _letters(public: Public, text: str) -> Iterator[str]:
    """Shapes speak in the letters of the legend; another letter is explained where it stands, or at the class."""
    sections = [entry for name in ("Parameters", "Attributes", "Returns", "Yields") for entry in parsed(text)[name]]
    kinds = [f"{entry.name if not entry.type else ''} {entry.type}" for entry in sections]
    shapes = [shape for kind in kinds if ARRAY.search(kind) or "array" in kind for shape in SHAPE.finditer(kind)]
    rest = text + ((public.owner and public.owner.__doc__) or "")
    for shape in shapes:
        rest = rest.replace(shape.group(), "")
    letters = {letter for shape in shapes for letter in re.findall(r"\b[a-zA-Z]\b", shape.group())}
    for letter in sorted(letters - LEGEND):
        if not re.search(rf"\b{letter}\b", rest):
            yield f"the letter {letter} of a shape is neither in docs/conventions.md nor explained"


def _module(public: Public) -> Iterator[str]:
    if not public.thing.__doc__:
        yield "no module docstring"
    for name, documented in documented_constants(public.thing):
        if not documented and name in getattr(public.thing, "__all__", [name]):
            yield f"{name}: a constant without a docstring below it"


def _summary(text: str) -> Iterator[str]:
    summary = " ".join(parsed(text)["Summary"]).strip()
    if not summary:
        yield "no summary"
    elif summary[-1] not in ".?!" or SECOND_SENTENCE.search(LITERAL.sub("x", summary)):
        yield "the summary is not one sentence"
    elif any(". " in literal for literal in LITERAL.findall(summary)):
        yield "the summary has a full stop inside a literal: tables of names would cut it there"


def _class(public: Public, text: str) -> Iterator[str]:
    cls: Any = public.thing
    taken = parameters(Public("", vars(cls)["__init__"], cls, "")) if "__init__" in vars(cls) else {}
    ours: list[type] = [base for base in cls.__mro__ if _ours(base)]
    made = dataclasses.is_dataclass(cls) and "__init__" not in vars(cls)
    wanted = {} if made else {name: str(p.annotation) for name, p in taken.items()}
    for base in reversed(ours):
        kinds = inspect.get_annotations(base).items()
        wanted |= {name: str(kind) for name, kind in kinds if name[0] != "_" and f"*{name}" not in taken}
    # What a base class already describes is not described twice.
    inherited = [inspect.cleandoc(base.__doc__ or "") for base in ours if base is not public.thing]
    yield from _described(wanted, _entries([text, *inherited], "Parameters", "Attributes"), "Attributes")
    for name in sorted(set(_entries([text], "Parameters")) - set(wanted)) if made or taken else []:
        yield f"Parameters: {name} is not in the signature"


def _ours(cls: type) -> bool:
    return cls.__module__.startswith("erlangen")


def _quantity(public: Public, found: list[str]) -> Iterator[str]:
    """What is read without arguments is described by its summary: the shape stands there."""
    annotation = _return_annotation(public)
    if ARRAY.search(annotation) and not any(SHAPE.search(text) for text in found):
        yield f"no shape for {annotation}"


def _parameters(wanted: dict[str, inspect.Parameter], found: list[str]) -> Iterator[str]:
    if wanted:
        annotations = {name: str(p.annotation) for name, p in wanted.items()}
        entries = _entries(found, "Parameters", "Other Parameters")
        yield from _described(annotations, entries, "Parameters")
        for name in sorted(set(_entries(found[:1], "Parameters")) - set(wanted)):
            yield f"Parameters: {name} is not in the signature"


def _entries(found: list[str], *sections: str) -> dict[str, tuple[str, str]]:
    """Type and description by name; the first docstring that has the name is the one that counts."""
    out: dict[str, tuple[str, str]] = {}
    for text in found:
        for section in sections:
            for entry in parsed(text)[section]:
                for name in entry.name.replace("\\", "").split(", "):
                    out.setdefault(name, (entry.type, " ".join(entry.desc)))
    return out


def _described(annotations: dict[str, str], entries: dict[str, tuple[str, str]], section: str) -> Iterator[str]:
    for name, annotation in annotations.items():
        if name not in entries:
            yield f"{section}: {name} is not described"
            continue
        kind, description = entries[name]
        if not kind:
            yield f"{section}: {name} has no type"
        if not description:
            yield f"{section}: {name} has no description"
        if ARRAY.search(annotation) and "Callable" not in annotation and not SHAPE.search(f"{kind} {description}"):
            yield f"{section}: {name} has no shape"


def _return_annotation(public: Public) -> str:
    return str(getattr(public.function, "__annotations__", {}).get("return", ""))


def _returns(public: Public, found: list[str]) -> Iterator[str]:
    annotation = _return_annotation(public)
    if annotation in ("None", "Never", "NoReturn"):
        return
    section = "Yields" if annotation.startswith(("Iterator", "Generator[")) else "Returns"
    entries = [entry for text in found for name in ("Returns", "Yields") for entry in parsed(text)[name]]
    if not entries:
        yield f"{section}: missing"
        return
    if any(not entry.type and not entry.name for entry in entries) or not any(entry.desc for entry in entries):
        yield f"{section}: no type or no description"
    told = " ".join(f"{entry.name} {entry.type} {' '.join(entry.desc)}" for entry in entries)
    if ARRAY.search(annotation) and "Callable" not in annotation and not SHAPE.search(told):
        yield f"{section}: no shape"


def _raises(public: Public, found: list[str]) -> Iterator[str]:
    told = {
        name for text in found for entry in parsed(text)["Raises"] for name in (entry.type or entry.name).split(", ")
    }
    for error in sorted(raised(public) - told):
        yield f"Raises: {error} is not mentioned"


def raised(public: Public) -> set[str]:
    """Errors that its body raises, or a private function of its module or class that it calls."""
    thing = public.thing if inspect.isclass(public.thing) else public.function
    known: dict[bool, Any] = {True: vars(thing if inspect.isclass(thing) else public.owner or object)}
    known[False] = vars(sys.modules[thing.__module__])
    if inspect.isclass(thing):
        waiting = [known[True][name] for name in ("__init__", "__post_init__", "__new__") if name in known[True]]
    else:
        waiting = [thing]
    errors, seen = set(), set()
    while waiting:
        function = function_of(waiting.pop())
        if (
            isinstance(function, types.FunctionType)
            and function not in seen
            and function.__module__ == thing.__module__
        ):
            seen.add(function)
            made, called = _raises_and_calls(function)
            errors |= {_made_by(name, known[own].get(name)) for name, own in made}
            waiting += [known[own][name] for name, own in called if name in known[own]]
    return {name for name in errors if name.endswith(("Error", "Interrupted")) and name != "NotImplementedError"}


def _made_by(name: str, maker: Any) -> str:
    """The class of error: itself, or what a function that makes the message returns."""
    return str(maker.__annotations__.get("return")) if isinstance(maker, types.FunctionType) else name


def _may_raise(code: types.CodeType) -> bool:
    """Whether a function raises or calls something private: else its source need not be read."""
    parts = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    private = any(name.startswith("_") and not name.endswith("__") for name in code.co_names)
    return private or dis.opmap["RAISE_VARARGS"] in code.co_code[::2] or any(map(_may_raise, parts))


@functools.cache
def _raises_and_calls(function: types.FunctionType) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """What a function raises, and the private functions and methods (True) that it calls outside of ``try``."""
    made, called = [], []
    waiting: list[tuple[ast.AST, bool]] = []
    if _may_raise(function.__code__):
        waiting.append((ast.parse(textwrap.dedent(inspect.getsource(function))), False))
    while waiting:
        part, caught = waiting.pop()
        if isinstance(part, ast.Raise) and isinstance(part.exc, ast.Call):
            made += _name_of(part.exc.func)
        elif isinstance(part, ast.Call) and not caught:
            called += [(name, own) for name, own in _name_of(part.func) if name.startswith("_")]
        body = part.body if isinstance(part, ast.Try) and part.handlers else []
        waiting += [(child, caught or child in body) for child in ast.iter_child_nodes(part)]
    return made, called


def _name_of(function: ast.expr) -> list[tuple[str, bool]]:
    """The name that is called, and whether it is a method of the same object."""
    if isinstance(function, ast.Name):
        return [(function.id, False)]
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return [(function.attr, True)] if function.value.id in ("self", "cls") else []
    return []


def where(public: Public) -> str:
    """Module in which a contributor writes."""
    if isinstance(public.thing, types.ModuleType):
        return public.thing.__name__
    thing = public.thing if inspect.isclass(public.thing) else public.function
    return getattr(thing, "__module__", "erlangen")
