"""References: entries of ``references.bib``, their text for people and their BibTeX for papers."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from importlib.resources import files

_ENTRY = re.compile(r"^@(?P<kind>\w+)\{(?P<key>[^,\s]+),\n(?P<body>.*?)^\}$", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (\w+) = \{(.*)\},$", re.MULTILINE)
_ACCENT = re.compile(r"\{?\\([\"'`^~])\{?(\w)\}?\}?")
_COMBINING = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303"}
_LETTERS = {r"{\AA}": "Å", r"{\aa}": "å", r"\&": "&"}


@dataclass(frozen=True)
class Entry:
    """One reference.

    Attributes
    ----------
    key, kind : str
        Its key, and what it is: ``article``, ``book``, ``inproceedings``, ``incollection``, ``misc``, ``software``.
    fields : tuple of (str, str)
        Names and values of its fields, as BibTeX has them.
    """

    key: str
    kind: str
    fields: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str:
        """Value of a field in plain text; empty where there is none."""
        return plain(dict(self.fields).get(name, ""))

    @property
    def bibtex(self) -> str:
        """The entry for a ``.bib`` file."""
        rows = [f"  {name} = {{{value}}}," for name, value in self.fields]
        return "\n".join([f"@{self.kind}{{{self.key},", *rows, "}"])

    def __str__(self) -> str:
        parts = [self._people(), self["title"], self._place(), self["year"]]
        return ". ".join(part.rstrip(".") for part in parts if part) + "."

    def _people(self) -> str:
        names = [_given_first(name) for name in self["author"].split(" and ")]
        if names[-1] == "others":
            return f"{', '.join(names[:-1])} et al."
        return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

    def _place(self) -> str:
        where = self["journal"] or self["booktitle"] or self["url"] or self["howpublished"]
        if self["journal"]:
            issue = self["volume"] + (f"({self['number']})" if self["number"] else "")
            pages = f"{issue}:{self['pages']}" if issue and self["pages"] else issue or self["pages"]
            return f"{where} {pages}".strip()
        edition = f"{self['edition'].lower()} edition" if self["edition"] else ""
        pages = f"pages {self['pages']}" if self["pages"] else ""
        version = f"version {self['version']}" if self["version"] else ""
        return ", ".join(part for part in (where, self["publisher"], edition, pages, version) if part)


def plain(text: str) -> str:
    r"""BibTeX without its markup.

    Examples
    --------
    >>> plain(r"{\AA}ke Bj{\"o}rck, pages 1--2 of {SIAM}")
    'Åke Björck, pages 1-2 of SIAM'
    """
    for written, letter in _LETTERS.items():
        text = text.replace(written, letter)
    text = _ACCENT.sub(lambda found: unicodedata.normalize("NFC", found[2] + _COMBINING[found[1]]), text)
    return text.replace("{", "").replace("}", "").replace("--", "-")


def _given_first(name: str) -> str:
    last, comma, first = name.partition(", ")
    return f"{first} {last}" if comma else last


@functools.cache
def bibliography() -> dict[str, Entry]:
    """All entries by key, in the order of the file."""
    text = files("erlangen.reports").joinpath("references.bib").read_text(encoding="utf-8")
    found = (Entry(e["key"], e["kind"], tuple(_FIELD.findall(e["body"]))) for e in _ENTRY.finditer(text))
    return {entry.key: entry for entry in found}
