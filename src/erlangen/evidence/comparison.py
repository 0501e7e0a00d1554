"""Comparison of two algebras: the angles between them, and how much of these their errors explain."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._render import html_table, number, text_table
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.evidence._conjugate import MOST_COORDINATES, conjugator
from erlangen.evidence._spans import Span, read_spans
from erlangen.linalg.polynomials import monomials
from erlangen.linalg.qr import rounding
from erlangen.linalg.subspace import DenseSubspace
from erlangen.verbs._name import NAMED_UP_TO, OUTSIDE, excused

BLIND = 45.0
"""Angle in degrees from which on errors explain anything: half of a direction is then another one."""


@dataclass(frozen=True, eq=False)
class Comparison(AbstractShown):
    """Two spans of generators, compared.

    Attributes
    ----------
    dims : tuple of int
        Their dimensions.
    angles : ndarray (m,)
        Principal angles in degrees, ascending; m is the smaller dimension.
    explained : float
        Angle in degrees that the errors of the generators explain.
    intersection : int
        Number of angles within what errors explain: dimension of what they share.
    names : tuple of str
        Names of the abstract algebras; empty where one has none.
    isomorphic : bool or None
        Whether the names are the same; None where one is missing.
    conjugation : ndarray (k, k) or None
        A linear change of coordinates (affine: of size d + 1) that takes the first to the second, where they are not
        the same and one was found; coordinates are in common units.
    verdict : str
        ``"same"``, ``"a in b"``, ``"b in a"``, ``"overlap"``, ``"different"`` or ``"undecided"``.
    reason : str
        The same in words, with the numbers.
    """

    dims: tuple[int, int]
    angles: NDArray
    explained: float
    intersection: int
    names: tuple[str, str]
    isomorphic: bool | None
    conjugation: NDArray | None
    verdict: str
    reason: str

    @property
    def same(self) -> bool:
        """Whether they are the same, up to their errors."""
        return self.verdict == "same"

    def table(self) -> list[dict[str, Any]]:
        """One row for each principal angle: the angle, bounds of the true one, and whether errors explain it."""
        return [
            {
                "angle": float(angle),
                "low": max(float(angle) - self.explained, 0.0),
                "high": min(float(angle) + self.explained, 90.0),
                "shared": bool(angle <= self.explained),
            }
            for angle in self.angles
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything that prints, as plain numbers and strings (JSON)."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "dims": list(self.dims),
            "intersection": self.intersection,
            "names": list(self.names),
            "isomorphic": self.isomorphic,
            "conjugation": None if self.conjugation is None else self.conjugation.tolist(),
            "angles": self.table(),
        }

    def __str__(self) -> str:
        return "\n".join([self.reason, *([text_table(_HEADER, self._rows())] if len(self.angles) else [])])

    def __repr__(self) -> str:
        return f"<Comparison: {self.verdict}>"

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.reason)}</b></p>{html_table(_HEADER, self._rows())}"

    def _rows(self) -> list[list[str]]:
        rows = [[number(row[key], 3) for key in ("angle", "low", "high")] for row in self.table()]
        return [[*row, "yes" if full["shared"] else "no"] for row, full in zip(rows, self.table(), strict=True)]


_HEADER = ("angle / degrees", "low", "high", "shared")


def compare(
    a: Any, b: Any, *, errors: tuple[float, float] | None = None, rng: int | np.random.Generator = 0
) -> Comparison:
    """Compare the spans of two sets of generators.

    Angles are between vector fields as functions: on the points where the first symmetry (or else the second) was
    found, in units of their spread; without points, between coefficients. An angle up to the sum of those that the
    errors of both may cause is no difference. The error of a symmetry is that of its unit generators; that of a
    certificate is a bound, at its confidence; actions, algebras and groups are exact.

    Parameters
    ----------
    a, b : Symmetry, Certificate, polynomial action, LieAlgebra, Group, or matrices (p, k, k)
        The generators.
    errors : tuple of float, optional
        Norms of the errors of unit generators of a and b, where they are known better.
    rng : int or Generator
        Starts of the search for a change of coordinates.

    Returns
    -------
    Comparison
        Angles, what errors explain, names, and a verdict in words.

    Raises
    ------
    InputError
        Where they are no generators, or on spaces of different dimensions.

    References
    ----------
    Bjorck and Golub, Mathematics of Computation 27, 1973, 579.

    Examples
    --------
    >>> import erlangen as er
    >>> print(compare(er.actions.rotation(2), er.actions.affine(2)).reason)
    b contains a: 1 of 6 dimensions
    """
    first, second = read_spans(a, b)
    for span, given in ((first, a), (second, b)):
        if span.dim == 0:
            raise InputError(
                explain(
                    "There is nothing to compare: one of them has no generators.",
                    given=f"a {type(given).__name__} of dimension 0",
                    expected="at least one generator on either side",
                    fix="er.evidence.test_group((x, y), group), which asks the data about a group",
                )
            )
    if first.point_dim != second.point_dim:
        raise InputError(
            explain(
                "The generators live on different spaces.",
                given=f"R^{first.point_dim} and R^{second.point_dim}",
                expected="the same coordinates",
                fix="compare(sym, er.actions.rotation(3))",
            )
        )
    found = [first.error, second.error] if errors is None else [float(e) for e in errors]
    scales = _scales(first, second)
    angles, floor = _angles(first, second, scales)
    explained = sum(math.degrees(math.asin(min(max(e, 0.0), 1.0))) for e in found) + floor
    shared = int(np.sum(angles <= explained))
    names = tuple(_name(span, scales, error) for span, error in zip((first, second), found, strict=True))
    isomorphic = names[0] == names[1] if all(names) else None
    dims = (first.dim, second.dim)
    verdict = _verdict(dims, shared, explained)
    conjugation, hint = None, ""
    if verdict in ("different", "overlap") and dims[0] == dims[1] and isomorphic:
        conjugation, hint = _conjugation(first, second, scales, max(found), np.random.default_rng(rng))
    reason = _reason(verdict, dims, angles, explained, shared, names) + hint
    return Comparison(dims, angles, explained, shared, (names[0], names[1]), isomorphic, conjugation, verdict, reason)


def _verdict(dims: tuple[int, int], shared: int, explained: float) -> str:
    if min(dims) and explained >= BLIND:
        return "undecided"
    if shared == min(dims):
        return "same" if dims[0] == dims[1] else "a in b" if dims[0] < dims[1] else "b in a"
    return "overlap" if shared else "different"


def _reason(
    verdict: str, dims: tuple[int, int], angles: NDArray, explained: float, shared: int, names: tuple[str, ...]
) -> str:
    worst = float(angles[-1]) if len(angles) else 0.0
    errors = f"errors explain {_degrees(explained)}"
    exact = worst + explained < _SMALL
    within = "" if exact else f", within {_degrees(worst + explained)} degrees"
    named = "" if not all(names) else f"; abstractly {names[0]} and {names[1]}"
    if verdict == "undecided":
        return f"the errors of the generators explain any angle ({_degrees(explained)} degrees): nothing is decided"
    if verdict == "same":
        return "both are zero" if dims[0] == 0 else f"the same algebra{within}{f' ({names[0]})' if names[0] else ''}"
    if verdict in ("a in b", "b in a"):
        large, small = ("b", "a") if verdict == "a in b" else ("a", "b")
        return f"{large} contains {small}: {min(dims)} of {max(dims)} dimensions{within}"
    if verdict == "overlap":
        rest = f"the next angle is {_degrees(float(angles[shared]))} degrees, {errors}"
        return f"they share {shared} of {dims[0]} and {dims[1]} dimensions; {rest}{named}"
    return f"different: the smallest angle is {_degrees(float(angles[0]))} degrees, {errors}{named}"


_SMALL = 1e-6
"""Angles in degrees that are printed as nothing."""


def _degrees(angle: float) -> str:
    return "0" if angle < _SMALL else number(angle, 2)


def _scales(first: Span, second: Span) -> NDArray:
    known = first.scales if first.scales is not None else second.scales
    return np.ones(first.point_dim) if known is None else known[: first.point_dim]


def _angles(first: Span, second: Span, scales: NDArray) -> tuple[NDArray, float]:
    """Principal angles in degrees, and the part of them that is rounding."""
    points = first.points if first.points is not None else second.points
    rows = _aligned(first, second, scales)
    if points is not None:
        values = [_values(span, scales, points) for span in (first, second)]
        if all(np.linalg.matrix_rank(part) == part.shape[1] for part in values):  # else fields agree on these points
            rows = values
    a, b = (DenseSubspace(np.linalg.qr(part)[0]) for part in rows)
    return np.degrees(a.angles(b)), math.degrees(8.0 * rounding(rows[0].shape))


def _values(span: Span, scales: NDArray, points: NDArray) -> NDArray:
    """Fields as columns ``(n * d, p)``: their values at points in common units."""
    values = np.einsum("nr,par->nap", monomials(points, span.exponents), span.coefficients)
    return (values / scales[:, None]).reshape(-1, span.dim)


def _aligned(first: Span, second: Span, scales: NDArray) -> list[NDArray]:
    """Fields as columns ``(d * R, p)``: their coefficients over the monomials of both, in common units."""
    table, where = np.unique(np.vstack([first.exponents, second.exponents]), axis=0, return_inverse=True)
    where, out = np.ravel(where), []
    for span, at in ((first, where[: len(first.exponents)]), (second, where[len(first.exponents) :])):
        factors = np.prod(scales**span.exponents, axis=1)
        placed = np.zeros((span.dim, span.point_dim, len(table)))
        placed[:, :, at] = span.coefficients * factors / scales[:, None]
        out.append(placed.reshape(span.dim, -1).T)
    return out


def _name(span: Span, scales: NDArray, error: float) -> str:
    """Name of the abstract algebra; empty where there is none."""
    if not 0 < span.dim <= NAMED_UP_TO:
        return "0" if span.dim == 0 else ""
    algebra = span.algebra(scales)
    if algebra.closure_defect > excused(error):
        return ""
    try:
        return algebra.identify(noise=min(error, OUTSIDE) if error > 0 else None).name
    except UndecidedError:
        return ""


def _conjugation(
    first: Span, second: Span, scales: NDArray, error: float, rng: np.random.Generator
) -> tuple[NDArray | None, str]:
    """A change of coordinates between two isomorphic algebras, and what to say about it."""
    a, b = first.matrices(scales), second.matrices(scales)
    if a is None or b is None:
        return None, ""
    d = first.point_dim
    if not np.any(a[:, :, d]) and not np.any(b[:, :, d]):
        a, b = a[:, :d, :d], b[:, :d, :d]
    if a.shape[1] > MOST_COORDINATES:
        return None, ""
    t, residual = conjugator(a, b, error, rng)
    if t is None:
        return None, f"; no linear change of coordinates takes one to the other (best: {number(residual, 2)} outside)"
    return t, "; a linear change of coordinates takes one to the other"
