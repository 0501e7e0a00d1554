"""What a test of symmetry measured, and how it reads."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen import _render
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray


@dataclass(frozen=True)
class Row:
    """The equivariance error of one generator or element.

    Attributes
    ----------
    element : str
        The generator (infinitesimal) or the element of the group (finite).
    infinitesimal : bool
        Whether the derivative along the generator was compared, or moved points.
    error : float
        Largest deviation over the points, relative to the size of values and variation there.
    point : int
        Index of the point where it is largest.
    """

    element: str
    infinitesimal: bool
    error: float
    point: int


@dataclass(frozen=True, eq=False)
class SymmetryReport(AbstractShown):
    """How far a function is from symmetric: numbers, apart from the verdict.

    Attributes
    ----------
    rows : tuple of Row
        One per generator and per element.
    tol : float
        Error up to which the function counts as symmetric.
    reason : str
        Where the tolerance comes from, in words.
    points : ndarray (n, ...)
        The points.
    dtype : str
        The type of the function's own numbers.
    own_error, rounding : float or None
        For modules that are not float64: the error when evaluated in their own type, and the relative distance
        of those values from the float64 ones.
    layer : str
        The first layer that breaks the symmetry, or why none is named.
    """

    rows: tuple[Row, ...]
    tol: float
    reason: str
    points: NDArray
    dtype: str
    own_error: float | None = None
    rounding: float | None = None
    layer: str = ""

    @property
    def worst(self) -> Row:
        """The generator or element with the largest error."""
        return max(self.rows, key=lambda row: row.error)

    @property
    def error(self) -> float:
        """The largest relative error."""
        return self.worst.error

    @property
    def passed(self) -> bool:
        """Whether every error is within the tolerance."""
        return bool(self.error <= self.tol)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.passed:
            return f"symmetric: error {self.error:.2g} in float64, {self.tol:.2g} allowed ({self.reason})"
        broken = self._first_broken()
        kind = "infinitesimally" if broken.infinitesimal else "under finite moves"
        if not broken.infinitesimal and any(row.infinitesimal for row in self.rows):
            kind += " only"
        return f"not symmetric {kind}: {broken.element} gives a relative error of {broken.error:.2g}"

    def table(self) -> list[dict[str, Any]]:
        """One row per generator and element."""
        names = ("finite", "infinitesimal")
        return [{"element": r.element, "kind": names[r.infinitesimal], "error": r.error} for r in self.rows]

    def message(self) -> str:
        """What a failed test prints: which generator, how large, where, and which layer."""
        row = self._first_broken()
        lines = [
            f"{self.verdict}.",
            f"  allowed:  {self.tol:.2g} ({self.reason})",
            f"  point:    {shown(self.points[row.point])} (row {row.point} of the points)",
        ]
        layer = [f"  layer:    {self.layer}"] if self.layer else []
        return "\n".join([*lines, *layer, *(f"  {line}" for line in self._own())])

    def _first_broken(self) -> Row:
        # A derivative says more than a finite move, which also carries what happens on the way.
        slow = [row for row in self.rows if row.infinitesimal and not row.error <= self.tol]
        return max(slow, key=lambda row: row.error) if slow else self.worst

    def _own(self) -> list[str]:
        if self.own_error is None or self.rounding is None:
            return []
        times = f", {self.own_error / self.rounding:.2g} times its rounding" if self.rounding > 0 else ""
        return [f"in {self.dtype}: error {self.own_error:.2g}{times}"]

    def __str__(self) -> str:
        if not self.rows:
            return self.verdict
        table = _render.text_table(
            ["element", "kind", "error"], [[r["element"], r["kind"], f"{r['error']:.1e}"] for r in self.table()]
        )
        return "\n".join([self.verdict, table, *self._own(), *([f"layer: {self.layer}"] if self.layer else [])])

    def _repr_html_(self) -> str:
        rows = [[r["element"], r["kind"], f"{r['error']:.1e}"] for r in self.table()]
        notes = "".join(f"<li>{html.escape(line)}</li>" for line in (*self._own(), self.layer) if line)
        table = _render.html_table(["element", "kind", "error"], rows)
        return f"<div><p><b>{html.escape(self.verdict)}</b></p>{table}<ul>{notes}</ul></div>"


def shown(point: NDArray) -> str:
    """A point as text, its shape where it is long."""
    if point.size > 8:
        return f"an array of shape {point.shape}"
    return str(np.round(point, 4).tolist())
