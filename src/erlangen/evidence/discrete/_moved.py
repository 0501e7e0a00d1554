"""Values at points and at their images under linear maps, and the relative defects that follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.fields import AbstractField

COVERED = 0.25
"""Share of points whose images must stay where the field is known, for a defect to say something."""

_SLACK = 0.01
"""Images may leave the box of the data by this share of its sides: points on its edge may move along it."""

_STEPS = 50
"""Newton steps towards a fixed point: it converges in ten, or not at all."""


@dataclass(frozen=True, eq=False)
class Places:
    """The centre about which maps act, and where their images count.

    Attributes
    ----------
    centre : ndarray (d,)
        Point that all maps leave in place.
    low, high : ndarray (d,)
        Box in which the field is known; infinite for one that is known everywhere.
    words : str
        What the centre is.
    """

    centre: NDArray
    low: NDArray
    high: NDArray
    words: str

    def move(self, g: NDArray, x: NDArray) -> NDArray:
        """Images ``(n, d)`` of points under a map ``(d, d)`` about the centre."""
        return self.centre + (x - self.centre) @ g.T

    def inside(self, x: NDArray) -> NDArray:
        """Which points ``(n, d)`` lie where the field is known."""
        return np.all((x >= self.low) & (x <= self.high), axis=1)


def places(x: NDArray, centre: str | ArrayLike | None, bounded: bool, field: AbstractField | None = None) -> Places:
    """Read a centre: ``"origin"`` (the default), ``"mean"``, ``"fixed point"`` or a point ``(d,)``."""
    d = x.shape[1]
    low, high = x.min(axis=0), x.max(axis=0)
    slack = _SLACK * (high - low) if bounded else np.full(d, np.inf)
    at, words = _centre(x, "origin" if centre is None else centre, field)
    return Places(at, low - slack, high + slack, words)


def _centre(x: NDArray, centre: Any, field: AbstractField | None) -> tuple[NDArray, str]:
    if isinstance(centre, str):
        if centre == "origin":
            return np.zeros(x.shape[1]), "the origin"
        if centre == "mean":
            return x.mean(axis=0), "the mean of the points"
        if centre == "fixed point" and field is not None and field.kind == "vector":
            return _fixed_point(field, x.mean(axis=0)), "the fixed point next to the mean of the points"
    at = None if isinstance(centre, str) else np.asarray(centre, dtype=np.float64)
    if at is None or at.shape != (x.shape[1],) or not np.isfinite(at).all():
        raise InputError(
            explain(
                "There is no such centre.",
                given=f"centre = {centre!r} for {x.shape[1]} coordinates",
                expected="'origin', 'mean', a point, or 'fixed point' for a vector field",
                fix="centre='mean'",
            )
        )
    return at, f"({', '.join(f'{v:.4g}' for v in at)})"


def _fixed_point(field: AbstractField, start: NDArray) -> NDArray:
    """Newton's method with halved steps, from a start ``(d,)``."""
    x, f = start, field.value(start[None])[0]
    for _ in range(_STEPS):
        step = np.linalg.lstsq(field.jacobian(x[None])[0], -f, rcond=None)[0]
        for halved in 0.5 ** np.arange(12):
            there = field.value((x + halved * step)[None])[0]
            if np.linalg.norm(there) < np.linalg.norm(f):
                x, f = x + halved * step, there
                break
        else:
            break
    if np.linalg.norm(f) > 1e-6 * (np.linalg.norm(field.value(start[None])) + np.finfo(float).tiny):
        raise InputError(
            explain(
                "No fixed point was found next to the mean of the points.",
                given=f"a field of size {np.linalg.norm(f):.2g} where the search ended",
                expected="a zero of the field",
                fix="centre='mean', or the point itself",
            )
        )
    return x


def follow(kind: str, g: NDArray) -> NDArray | None:
    """The matrix D that carries values along with points: none for functions."""
    return None if kind == "invariant" else g


def values(field: AbstractField, x: NDArray) -> NDArray:
    """Values ``(n, c)``, NaN where the field has none."""
    with np.errstate(all="ignore"):
        try:
            return np.asarray(field.value(x), dtype=np.float64)
        except InputError:
            out = np.full((len(x), field.value_dim), np.nan)
            if len(x) == 1:
                return out
            half = len(x) // 2
            return np.concatenate([values(field, x[:half]), values(field, x[half:])])


@dataclass(frozen=True, eq=False)
class Pairs:
    """Values at images of points beside what they should be: ``there`` and ``expected``, both ``(n, c)``.

    Rows whose images count, and means of functions taken out: a constant is invariant under everything.
    """

    there: NDArray
    expected: NDArray
    share: float

    @property
    def sizes(self) -> tuple[NDArray, NDArray]:
        """Squares ``(n, c)`` of the differences, and of both sides together."""
        return (self.there - self.expected) ** 2, self.there**2 + self.expected**2

    @property
    def defect(self) -> float:
        """Relative defect of the worst channel; NaN without coverage."""
        if self.share < COVERED:
            return float("nan")
        return float(np.max(relative(*(part.mean(axis=0) for part in self.sizes))))


def relative(miss: NDArray, size: NDArray) -> NDArray:
    """Roots of ratios; channels that are zero on both sides miss nothing."""
    return np.sqrt(np.where(size > 0, miss / np.where(size > 0, size, 1.0), 0.0))


def pairs(field: AbstractField, g: NDArray, x: NDArray, f: NDArray, where: Places, mean: NDArray | None) -> Pairs:
    """Values ``f (n, c)`` at points ``x`` and at their images under a map.

    Parameters
    ----------
    mean : ndarray (c,) or None
        Mean of a function, which is taken out of both sides; None for vector fields.
    """
    moved = where.move(g, x)
    inside = where.inside(moved)
    there = np.full_like(f, np.nan)
    if inside.any():
        there[inside] = values(field, moved[inside])
    d = follow(field.kind, g)
    expected = f if d is None else f @ d.T
    usable = np.isfinite(there).all(axis=1) & np.isfinite(expected).all(axis=1)
    shift = np.zeros(f.shape[1]) if mean is None else mean
    return Pairs(there[usable] - shift, expected[usable] - shift, float(usable.mean()))


def debiased(
    predict: Callable[[NDArray], NDArray], kind: str, g: NDArray, x: NDArray, y: NDArray, where: Places
) -> float:
    """Relative defect of the worst channel with the error of the model taken out, from rows that it has not seen.

    A model misses y at images of points as much as at the points themselves: what it misses there in addition,
    ``|D y - f(g x)|^2 - |D y - D f(x)|^2``, is the asymmetry. Predictions of one part of the data, rows ``x``, ``y`` of
    another. NaN without coverage.
    """
    moved = where.move(g, x)
    inside = where.inside(moved)
    if inside.mean() < COVERED:
        return float("nan")
    d = follow(kind, g)
    here, there, seen = predict(x[inside]), predict(moved[inside]), y[inside]
    carried, expected = (here, seen) if d is None else (here @ d.T, seen @ d.T)
    mean = expected.mean(axis=0) if d is None else 0.0
    excess = np.mean((expected - there) ** 2 - (expected - carried) ** 2, axis=0)
    size = np.mean((there - mean) ** 2 + (carried - mean) ** 2, axis=0)
    return float(np.max(relative(np.maximum(excess, 0.0), size)))
