"""What tests of finite sets of maps say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np

from erlangen._render import html_table, number, text_table
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.algebra import Group
from erlangen.algebra.group import from_matrices
from erlangen.evidence.certificate import Gate
from erlangen.evidence.discrete._finite import MOST, closed
from erlangen.evidence.discrete.elements import describe


@dataclass(frozen=True, eq=False)
class ElementTest(AbstractShown):
    """One map and what the data say about it.

    Attributes
    ----------
    matrix : ndarray (d, d)
        The map, about the centre of the test.
    text : str
        What it does.
    defect : float
        Estimated relative defect |F o g - D F| / hypot(|F o g|, |D F|) of the worst channel; functions less their mean.
    p_value, adjusted : float
        Of "the true defect is larger than delta"; adjusted by Holm for all maps tested.
    low, high : float
        Bounds of the true defect at 1 - alpha each, for this map by itself.
    verdict : {"certified", "not refuted", "refuted", "no coverage", "class rejected"}
        What follows.
    """

    matrix: NDArray
    text: str
    defect: float
    p_value: float
    adjusted: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True, eq=False)
class DiscreteTest(AbstractShown):
    """Maps that were tested, and the largest group of maps that are all certified.

    Attributes
    ----------
    name : str
        Name of that group, such as ``Z(2) x Z(2)``, ``S(3)``, ``D(4)``, ``C(7)``; ``trivial`` where there is none.
    order : int
        Its number of elements, the identity included.
    tested : tuple of ElementTest
        The maps that were tested on data of their own.
    products : tuple of ElementTest
        The other elements of the group that they generate, tested where all of them passed.
    generators : ndarray (m, d, d)
        A few maps that generate the certified group.
    generated : tuple (str, int)
        Name and order of the group that the certified among ``tested`` generate, whether or not all of it is certified.
    looked_at : int
        Number of maps among which they were chosen; chosen ones generate all others that looked symmetric.
    delta, alpha : float
        Tolerance, and the probability that any certified map has a true defect above it.
    mode : {"held-out", "matched", "class-free", "model"}
        How they were tested.
    guarantee : str
        What is claimed.
    assumptions : tuple of str
        What it rests on, most binding first.
    gates : tuple of Gate
        Checks that were made.
    region : str
        Where the symmetry is claimed, and about which centre.
    coordinates : tuple of str
        Names of the coordinates.
    """

    name: str
    order: int
    tested: tuple[ElementTest, ...]
    looked_at: int
    delta: float
    alpha: float
    mode: str
    guarantee: str
    assumptions: tuple[str, ...]
    gates: tuple[Gate, ...]
    region: str
    coordinates: tuple[str, ...]
    products: tuple[ElementTest, ...]
    generators: NDArray
    generated: tuple[str, int]

    @property
    def certified(self) -> tuple[ElementTest, ...]:
        """The maps among ``tested`` that passed."""
        return tuple(e for e in self.tested if e.verdict == "certified")

    @property
    def matrices(self) -> NDArray:
        """Generators ``(m, d, d)`` of the certified group, which ``er.enforce(family, action, discrete=...)`` takes."""
        return self.generators

    @property
    def group(self) -> Group:
        """The certified group."""
        return from_matrices(np.zeros((0, *self.matrices.shape[1:])), self.matrices, self.name)

    @property
    def whole(self) -> bool:
        """Whether all that the certified maps generate is certified."""
        return self.order == self.generated[1]

    @cached_property
    def elements(self) -> tuple[tuple[str, float], ...]:
        """The elements of the certified group but the identity, each with the upper bound of its own defect."""
        passed = [e for e in (*self.tested, *self.products) if e.verdict == "certified"]
        known = closed(self.matrices)[0] if self.order > 1 else self.matrices
        away = [np.linalg.norm(known - e.matrix, axis=(1, 2)).min(initial=np.inf) for e in passed]
        pairs = zip(passed, away, strict=True)
        return tuple((e.text, e.high) for e, far in pairs if far <= _SAME * np.linalg.norm(e.matrix))

    @property
    def verdict(self) -> str:
        """One sentence."""
        sure = f"{100 * (1 - self.alpha):g} %"
        found = self.certified
        if not found:
            maybe = sum(e.verdict == "not refuted" for e in self.tested)
            rest = f"; {maybe} of the tested are not refuted" if maybe else ""
            return f"None of {self.looked_at} maps is certified up to delta = {self.delta:g} at {sure}{rest}."
        maps = "; ".join(describe(g, self.coordinates) for g in self.matrices)
        group = f"{self.order} elements, generated by {maps}"
        if self.whole:
            return f"{self.name} is certified at {sure}: {group}."
        single = f"{len(found)} of {len(self.tested)} maps certified at {sure}: {'; '.join(e.text for e in found)}"
        smaller = f"; certified as a group is {self.name}: {group}" if self.order > 1 else ""
        return f"{single}. The group that they generate is not: {self._missing()}{smaller}."

    def _missing(self) -> str:
        """What keeps the generated group from being certified."""
        name, order = self.generated
        if order > MOST:
            return f"it has more than {MOST} elements, which were not tested"
        if len(self.certified) < len(self.tested):
            return f"{name} has {order} elements, of which some were refuted, or not tested"
        failed = [e for e in self.products if e.verdict != "certified"]
        return f"{len(failed)} of the {order} elements of {name} did not pass, such as {failed[0].text}"

    def table(self) -> list[dict[str, Any]]:
        """One row per tested map, generators first."""
        keys = ("text", "defect", "p_value", "adjusted", "low", "high", "verdict")
        return [{k if k != "text" else "map": getattr(e, k) for k in keys} for e in (*self.tested, *self.products)]

    def to_dict(self) -> dict[str, Any]:
        """Everything that prints, as plain numbers and strings."""
        rows = [{k: _plain(v) for k, v in r.items()} for r in self.table()]
        gates = [{"name": g.name, "passed": g.passed, "reason": g.reason} for g in self.gates]
        plain = {k: getattr(self, k) for k in ("name", "order", "looked_at", "delta", "alpha", "mode", "guarantee")}
        return {"kind": "discrete test", "verdict": self.verdict, **plain, "region": self.region} | {
            "assumptions": list(self.assumptions),
            "gates": gates,
            "tested": rows,
            "generated": {"name": self.generated[0], "order": self.generated[1], "certified": self.whole},
        }

    def _rows(self) -> list[list[str]]:
        every = (*self.tested, *self.products)
        rows = [
            [e.text, *(number(v, 2) for v in (e.defect, e.low, e.high, e.adjusted)), e.verdict] for e in every[:_SHOWN]
        ]
        return rows + ([["...", "", "", "", "", f"{len(every) - _SHOWN} more"]] if len(every) > _SHOWN else [])

    def _lines(self) -> list[str]:
        lines = [f"{self.guarantee} (mode {self.mode}); region: {self.region}"]
        if self.certified:
            lines.append("defects add up along products: a group is named only where each of its elements has passed")
        return [*lines, *(f"assumes {a}" for a in self.assumptions), *(f"gate {g}" for g in self.gates)]

    def __str__(self) -> str:
        table = [text_table(_HEADER, self._rows())] if self.tested else []
        return "\n".join([self.verdict, *table, *(f"- {line}" for line in self._lines())])

    def __repr__(self) -> str:
        return f"<DiscreteTest {self.name}: {len(self.certified)} of {len(self.tested)} certified, {self.mode}>"

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(line)}</li>" for line in self._lines())
        return f"<p><b>{escape(self.verdict)}</b></p>{html_table(_HEADER, self._rows())}<ul>{items}</ul>"


_SHOWN = 24
"""Rows that are printed."""
_SAME = 1e-6
"""Relative distance up to which two matrices are one element."""
_HEADER = ("map", "defect", "low", "high", "adjusted p", "verdict")


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) or np.isfinite(value) else str(value)
