"""Which papers are behind what was used? ``er.citation(result)``."""

from __future__ import annotations

import html
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from erlangen._errors import InputError, explain, nearest
from erlangen._shown import AbstractShown
from erlangen.reports._bibliography import Entry, bibliography
from erlangen.reports._sources import EVERY, MODES, PARTS, SOURCES, features

OWN = ("erlangen", "otto2025unified")
"""erlangen itself, and the paper whose framework it implements."""


@dataclass(frozen=True)
class Citation(AbstractShown):
    """References, to print as text or as BibTeX.

    Attributes
    ----------
    what : str
        What is cited.
    entries : tuple of Entry
        The references, erlangen first.
    """

    what: str
    entries: tuple[Entry, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """BibTeX keys of the references."""
        return tuple(entry.key for entry in self.entries)

    @property
    def bibtex(self) -> str:
        """The references for a ``.bib`` file."""
        return "\n\n".join(entry.bibtex for entry in self.entries) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain numbers and text, for JSON."""
        rows = [{"key": e.key, "kind": e.kind, "text": str(e), "bibtex": e.bibtex} for e in self.entries]
        return {"kind": "citation", "what": self.what, "references": rows}

    def __str__(self) -> str:
        rows = [f"[{k}] {entry}" for k, entry in enumerate(self.entries, 1)]
        return "\n".join([f"To cite {self.what}:", *rows])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(f"<li>{html.escape(str(entry))}</li>" for entry in self.entries)
        bibtex = f"<details><summary>BibTeX</summary><pre>{html.escape(self.bibtex)}</pre></details>"
        return f"<p>To cite {html.escape(self.what)}:</p><ol>{rows}</ol>{bibtex}"


def citation(obj: Any = None) -> Citation:
    """Return the papers behind what was used.

    What is used depends on features of a result, not on its class alone: a certificate cites what its mode rests on,
    `SINDy` the form that was fitted and whether a symmetry was enforced or promoted, a fitted table the checks of its
    model. Results bring the references of what they hold: those of its model and of the name of its algebra, for a
    `Symmetry`.

    Parameters
    ----------
    obj : optional
        A result, a fitted model or layer, an object or function of erlangen (``er.discover``), or a name: of one of
        these (``"SINDy"``), or of a mode of certificates (``"held-out"``). None means erlangen itself.

    Returns
    -------
    Citation
        References, erlangen first; ``print(...)`` shows text, ``.bibtex`` is for a ``.bib`` file.

    Raises
    ------
    InputError
        Where the object is not one of erlangen, or the name is not known.

    Examples
    --------
    >>> import erlangen as er
    >>> er.citation(er.discover).keys
    ('erlangen', 'otto2025unified')
    >>> print(er.citation("held-out").entries[1])
    Roger L. Berger. Multiparameter Hypothesis Testing and Acceptance Sampling. Technometrics 24(4):295-300. 1982.
    """
    if obj is None:
        return _made("erlangen", OWN)
    if isinstance(obj, str):
        return _named(obj)
    name = _name(obj)
    if name is None:
        raise InputError(
            explain(
                "This is no object of erlangen, so erlangen knows no papers behind it.",
                given=f"an object of type {type(obj).__name__}",
                expected="a result, a model, a layer or a function of erlangen, or its name",
                fix="er.citation() for erlangen itself, er.citation(er.discover), or er.citation('SINDy')",
            )
        )
    return _made(name.rpartition(".")[2], ["erlangen", *_keys(obj, set())])


def _made(what: str, keys: Iterable[str]) -> Citation:
    known = bibliography()
    return Citation(what, tuple(known[key] for key in dict.fromkeys(keys)))


def _named(text: str) -> Citation:
    """References of a name: of a function or class, with or without its module, or of a mode of certificates."""
    short = text.strip().rpartition(".")[2]
    if short in ("", "erlangen"):
        return _made("erlangen", OWN)
    if short in MODES:
        return _made(f"certificates of mode {short!r}", ["erlangen", *SOURCES["Certificate"], *MODES[short]])
    if short not in SOURCES:
        known = [*SOURCES, *MODES]
        close = nearest(short, known)
        what, fix = "No papers are listed under this name.", f"did you mean {close!r}?" if close else "er.citation()"
        expected = "the name of a function or class of erlangen, or a mode of certificates"
        raise InputError(explain(what, given=repr(text), expected=expected, fix=fix))
    return _made(short, ["erlangen", *SOURCES[short], *EVERY.get(short, ())])


def _keys(obj: Any, seen: set[int]) -> Iterator[str]:
    """Keys of an object, of its features, and of its parts."""
    if obj is None or id(obj) in seen:
        return
    seen.add(id(obj))
    for name in _classes(obj):
        yield from SOURCES.get(name, ())
        yield from EVERY.get(name, ()) if inspect.isclass(obj) else ()
    yield from features(obj)
    for path in (path for name in _classes(obj) for path in PARTS.get(name, ())):
        yield from _keys(_at(obj, path), seen)


def _at(obj: Any, path: str) -> Any:
    """Follow attributes as far as they are there: what an unfitted model does not have brings nothing."""
    for name in path.split("."):
        obj = getattr(obj, name, None)
    return obj


def _classes(obj: Any) -> list[str]:
    """Names under which an object is listed: its own, or those of its classes."""
    if inspect.isclass(obj):
        return [kind.__name__ for kind in obj.__mro__ if _ours(kind)]
    if inspect.isroutine(obj):
        return [obj.__name__]
    return [kind.__name__ for kind in type(obj).__mro__ if _ours(kind)]


def _name(obj: Any) -> str | None:
    """Where an object of erlangen is defined; None for any other."""
    if inspect.ismodule(obj):
        return obj.__name__ if obj.__name__.partition(".")[0] == "erlangen" else None
    defined = obj if inspect.isclass(obj) or inspect.isroutine(obj) else type(obj)
    ours = [kind for kind in getattr(defined, "__mro__", (defined,)) if _ours(kind)]
    return ours[0].__qualname__ if ours else None


def _ours(defined: Any) -> bool:
    return (getattr(defined, "__module__", None) or "").partition(".")[0] == "erlangen"
