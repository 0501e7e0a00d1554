"""The schema for people: tables of the keys of each kind of document, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from erlangen.cli._schema import BEGINNING, COMMANDS, HEAD, KINDS, VERDICT, parts

_ANCHORS = {"certificate": "certificate", "found": "symmetry"}
"""Parts that are described where the document of this kind is."""


def tables() -> str:
    """Return all tables: what every document has, then each kind, then parts of several."""
    pieces = ["## Every document", _table(HEAD | VERDICT)]
    for kind, (meaning, fields) in KINDS.items():
        own = {name: form for name, form in fields.items() if name not in HEAD | VERDICT}
        commands = ", ".join(f"`{name}`" for name, kinds in COMMANDS.items() if kind in kinds)
        said = f"{meaning} Printed by {commands}."
        if kind == "error":
            said = f"{meaning} Of the keys above it has {', '.join(f'`{name}`' for name in BEGINNING)}."
        pieces += [f"## `{kind}`", said, _table(own)]
    for name, form in parts().items():
        if name not in _ANCHORS:
            pieces += [f"## Part: {name}", form["description"], _table(form["properties"])]
    return "\n\n".join(pieces) + "\n"


def _table(fields: Mapping[str, Any]) -> str:
    rows = [f"| `{path}` | {kind} | {meaning} |" for path, kind, meaning in _rows(fields, "")]
    return "\n".join(["| key | type | meaning |", "|---|---|---|", *rows])


def _rows(fields: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, form in fields.items():
        yield prefix + name, _kind(form), form.get("description", "")
        inner, mark = _inside(form)
        yield from _rows(inner.get("properties", {}), f"{prefix}{name}{mark}.")


def _inside(form: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The object inside a field, and how its path is marked."""
    if "anyOf" in form:
        return form["anyOf"][0], ""
    return (form["items"], "[]") if "items" in form else (form, "")


def _kind(form: Mapping[str, Any]) -> str:
    if "const" in form:
        return f"`{form['const']}`"
    if "$ref" in form:
        name = form["$ref"].rpartition("/")[2]
        return f"[{name}](#{_ANCHORS.get(name, 'part-' + name)})"
    if "anyOf" in form:
        return " or ".join(dict.fromkeys(_kind(part) for part in form["anyOf"]))
    if "enum" in form:
        return " ".join(f"`{choice}`" for choice in form["enum"])
    if form.get("type") == "array":
        return f"list of {_kind(form['items'])}" if "items" in form else "nested lists"
    kinds = form["type"] if isinstance(form["type"], list) else [form["type"]]
    return " or ".join(kinds)
