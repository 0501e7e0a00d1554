"""What a prompt and a notebook show of an object: one line, and a small table.

The HTML has no style of its own, so it takes the colours of the page that it stands in, light or dark.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from erlangen._render import html_table, number

LONGEST_VALUE = 60
"""Characters of one value, in a repr and in a table."""

LONGEST_REPR = 240
"""Characters of a repr: two lines of a wide terminal."""

MOST_ROWS = 24
"""Rows of a table that a notebook shows; how many more there are is said below."""

FEW = 4
"""Entries up to which an array or a tuple is written out."""


class AbstractShown:
    """An object that prints itself in a line, and in a notebook as a table of its parts.

    Where it has a text of its own (``__str__``), a notebook shows that, its first line as a heading. Arrays are told
    by their shape: whoever wants the numbers asks for them.
    """

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A dataclass writes a repr of its own, with all arrays in it, unless the class has one in its body.
        if "__repr__" not in vars(cls):
            cls.__repr__ = cls.__repr__

    def __repr__(self) -> str:
        return short_repr(self)

    def _repr_html_(self) -> str:
        if type(self).__str__ is object.__str__:
            shown = [(name, _cell(value)) for name, value in parts_of(self)]
            return card(type(self).__name__, shown) if shown else card(repr(self))
        first, _, rest = str(self).partition("\n")
        return card(first, text=rest)


def card(heading: str, rows: Iterable[Sequence[Any]] = (), headers: Sequence[str] = ("", ""), text: str = "") -> str:
    """A heading, a table and a text in HTML, all of it escaped.

    Examples
    --------
    >>> card("a < b", text="as it stands")
    '<p><b>a &lt; b</b></p><pre>as it stands</pre>'
    """
    rows = list(rows)
    if len(rows) > MOST_ROWS:
        text = f"... and {len(rows) - MOST_ROWS} more\n{text}"
        rows = rows[:MOST_ROWS]
    table = html_table(headers, rows) if rows else ""
    return f"<p><b>{escape(heading)}</b></p>{table}" + (f"<pre>{escape(text)}</pre>" if text.strip() else "")


def aligned(left: str, right: Iterable[str]) -> str | None:
    r"""Numbered equations for LaTeX, as a notebook takes them; None where there are none.

    Examples
    --------
    >>> print(aligned(r"\xi", ["x", "y"]))
    $\displaystyle \begin{aligned}
    \xi_{1} &= x \\
    \xi_{2} &= y
    \end{aligned}$
    """
    lines = [f"{left}_{{{k}}} &= {text}" for k, text in enumerate(right, 1)]
    body = " \\\\\n".join(lines)
    return f"$\\displaystyle \\begin{{aligned}}\n{body}\n\\end{{aligned}}$" if lines else None


def short_repr(obj: Any) -> str:
    """Class and parts of an object in one line.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Fit:
    ...     error: float
    ...     points: np.ndarray
    >>> short_repr(Fit(0.25, np.zeros((1000, 3))))
    'Fit(error=0.25, points=array (1000, 3))'
    """
    text = ", ".join(f"{name}={brief(value)}" for name, value in parts_of(obj))
    room = LONGEST_REPR - len(type(obj).__name__) - 2
    return f"{type(obj).__name__}({cut(text, room)})"


def parts_of(obj: Any) -> list[tuple[str, Any]]:
    """Names and values of the public fields of a dataclass."""
    if not dataclasses.is_dataclass(obj):
        return []
    known = ((field.name, getattr(obj, field.name, None)) for field in dataclasses.fields(obj))
    return [(name, value) for name, value in known if not name.startswith("_")]


def brief(value: Any) -> str:
    """A value in a few words: numbers and short texts as they are, the rest by type and size.

    Examples
    --------
    >>> brief(np.eye(3)), brief(2 / 3), brief(("x", "y")), brief([0.5] * 9)
    ('array (3, 3)', '0.666667', "('x', 'y')", '9 entries')
    """
    if value is None or isinstance(value, (bool, np.bool_)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        return number(float(value), 6)
    if isinstance(value, np.ndarray):
        return str(value.tolist()) if value.ndim == 1 and value.size <= FEW else f"array {value.shape}"
    if isinstance(value, str):
        return cut(repr(value), LONGEST_VALUE)
    if isinstance(value, (tuple, list, set, frozenset, Mapping)):
        return _brief_entries(value)
    if hasattr(value, "shape") and not isinstance(value, AbstractShown):  # sparse matrices, tensors
        return f"{type(value).__name__} {tuple(value.shape)}"
    text = " ".join(repr(value).split())
    known = isinstance(value, (int, np.integer, AbstractShown)) or type(value).__module__.startswith("erlangen")
    return text if len(text) <= LONGEST_VALUE and (known or " at 0x" not in text) else type(value).__name__


def _cell(value: Any) -> str:
    """A value in a table, where there is more room than in a line."""
    if isinstance(value, AbstractShown):
        return cut(" ".join(repr(value).split()))
    return cut(value) if isinstance(value, str) else brief(value)


def _brief_entries(values: Any) -> str:
    plain = all(isinstance(v, (str, int, float, np.integer, np.floating, type(None))) for v in values)
    text = repr(values) if plain and len(values) <= FEW and not isinstance(values, Mapping) else ""
    if text and len(text) <= LONGEST_VALUE:
        return text
    return f"{len(values)} {'entry' if len(values) == 1 else 'entries'}"


def cut(text: str, length: int = LONGEST_REPR) -> str:
    """A text that is not longer than this."""
    return text if len(text) <= length else text[: length - 3] + "..."
