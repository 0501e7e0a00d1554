"""The search for representatives of components, and their closure under products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.actions import matrices_of, rotation
from erlangen.evidence.discrete._cosets import Cosets, simple_signed, snapped
from erlangen.evidence.discrete._finite import is_group
from erlangen.evidence.discrete._models import LocalField, detailed, smoothed
from erlangen.evidence.discrete._moved import Places, debiased, follow, pairs
from erlangen.evidence.discrete._search import haar, minimise
from erlangen.evidence.discrete.element_tests import Prepared
from erlangen.fields import AbstractField

MOST = 192
"""Components up to which a group is closed: the largest of crystals on R^4 have fewer, most have far fewer."""
_STARTS = 64
"""Random starts of a round; signed permutations come beside them in up to four dimensions."""
_ROUNDS = 4
"""Rounds of starts; the search ends after one that brings nothing new."""
_POINTS = 200
"""Points of the least squares; more are used to check what it finds."""
_EXACT = 1e-6
"""Relative defect up to which a map counts where the field is known to rounding: that of a least-squares search."""
_SAME = (1e-3, 0.15)
"""Relative distance up to which two elements are one: for exact fields, and the most that noise may excuse."""
_NICE = (1e-2, 3e-2)
"""How far entries may move to plain ones: for exact fields, and for fits."""
_UNITS = 3.0
"""Spreads of coordinates that differ by less are taken for one unit."""
_SEEN = 3.0
"""Standard errors from which an asymmetry is seen."""
_ROUGHEST = 100.0
"""Largest condition number of a representative: beyond it, a search has left for infinity."""


@dataclass(frozen=True, eq=False)
class Centred(AbstractField):
    """A field of coordinates about a centre."""

    inner: AbstractField
    centre: NDArray

    @property
    def point_dim(self) -> int:
        return self.inner.point_dim

    @property
    def value_dim(self) -> int:
        return self.inner.value_dim

    @property
    def accuracy(self) -> float:
        return self.inner.accuracy

    @property
    def kind(self) -> str:
        return self.inner.kind

    def value(self, x: NDArray) -> NDArray:
        return self.inner.value(x + self.centre)

    def jacobian(self, x: NDArray) -> NDArray:
        return self.inner.jacobian(x + self.centre)

    def both(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Values and Jacobians, at once where the field can."""
        if isinstance(self.inner, LocalField):
            return self.inner.both(x + self.centre)
        return self.value(x), self.jacobian(x)


Found = tuple[NDArray, float, NDArray]
"""A representative, its defect, and the map as it was found."""


@dataclass(frozen=True, eq=False)
class Seeker:
    """The search with its points and tolerances."""

    field: Centred
    coarse: AbstractField
    x: NDArray
    checked: NDArray
    values: NDArray
    mean: NDArray | None
    cosets: Cosets
    accepted: float
    where: Places
    kept: tuple[NDArray, NDArray] | None
    predict: Callable[[NDArray], NDArray]
    directions: NDArray | None
    rows: NDArray | None

    @classmethod
    def build(
        cls, field: Centred, algebra: NDArray, prepared: Prepared, delta: float, rng: np.random.Generator
    ) -> Seeker:
        at = prepared.points - prepared.where.centre
        order = rng.permutation(len(at))
        exact = field.accuracy <= np.sqrt(np.finfo(float).eps)
        f = field.value(at)
        where = replace(
            prepared.where,
            centre=np.zeros(field.point_dim),
            low=prepared.where.low - prepared.where.centre,
            high=prepared.where.high - prepared.where.centre,
        )
        coarse = Centred(smoothed(field.inner, 4), field.centre)
        return cls(
            field,
            coarse,
            at[order[:_POINTS]],
            at,
            f,
            f.mean(axis=0) if field.kind == "invariant" else None,
            Cosets(algebra, _SAME[0] if exact else _SAME[1]),
            _EXACT if exact else delta,
            where,
            None if prepared.kept is None else (prepared.kept[0] - prepared.where.centre, prepared.kept[1]),
            _about(detailed(field.inner), field.centre),
            _turning(at) if isinstance(field.inner, LocalField) else None,
            field.inner.x - field.centre if isinstance(field.inner, LocalField) else None,
        )

    def defect(self, c: NDArray) -> float:
        """Relative defect of a map on all points."""
        if self.kept is not None:
            return debiased(self.predict, self.field.kind, c, *self.kept, self.where)
        return pairs(self.field, c, self.checked, self.values, self.where, self.mean).defect

    def stands(self, c: NDArray) -> bool:
        """Whether no asymmetry of a rough model can be seen, to three standard errors; True for other models."""
        inner = self.field.inner
        if not isinstance(inner, LocalField):
            return True
        moved = (inner.x - self.field.centre) @ c.T
        rows = self.where.inside(moved)
        return bool(inner.asymmetry(moved + self.field.centre, rows, follow(inner.kind, c)) <= _SEEN)

    def search(self, rng: np.random.Generator) -> tuple[list[Found], str]:
        """Representatives of components, the identity left out, and what was done."""
        d = self.field.point_dim
        known: list[Found] = []
        count = 0
        for r in track(range(_ROUNDS), "search for components"):
            starts = self._starts(r, d, known, rng)
            count += len(starts)
            minima = minimise(self.coarse, self.x, starts, self.directions)
            if self.directions is not None:
                minima = minimise(self.field, self.x, minima, self.directions)
            new = self._new(minima, known)
            known += new
            if not new:
                break
        kind = "uniform orthogonal matrices" + (" and signed permutations" if d <= 4 else " and swaps of coordinates")
        level = f"maps with a relative defect up to {self.accepted:g} count"
        return known, f"least squares from {count} starts, {kind}; {level}"

    def _starts(self, r: int, d: int, known: list[Found], rng: np.random.Generator) -> NDArray:
        """Uniform ones, in later rounds those of many that are farthest from what is known."""
        if r == 0:
            simple = simple_signed(d) if d <= 4 else _swaps(d)
            return np.concatenate([simple, haar(d, _STARTS, rng)])
        pool = haar(d, 4 * _STARTS, rng)
        reached = np.array([np.eye(d), *(f[0] for f in known)])
        away = np.min([self.cosets.distances(pool @ np.linalg.inv(c)) for c in reached[:16]], axis=0)
        return pool[np.argsort(-away)[:_STARTS]]

    def _new(self, minima: NDArray, known: list[Found]) -> list[Found]:
        """Those of the minima that are symmetries, keep the algebra, and lie in no known component."""
        usable = [c for c in minima if np.isfinite(c).all() and np.linalg.cond(c) <= _ROUGHEST]
        defects = np.array([self.defect(c) for c in usable])
        order = [int(i) for i in np.argsort(defects) if defects[i] <= self.accepted]
        new: list[Found] = []
        for i in order:
            c = usable[i]
            listed = np.array([np.eye(len(c)), *(f[0] for f in known), *(f[0] for f in new)])
            if self.cosets.same(c, listed) is None and self.cosets.keeps(c):
                if self.rows is not None:
                    c = minimise(self.field, self.rows, c[None], self.directions)[0]
                one = self.snap(c, self.defect(c))
                if self.stands(one[0]):
                    new.append(one)
            if len(new) + len(known) >= MOST:
                break
        return new

    def snap(self, c: NDArray, defect: float) -> Found:
        """The plainest representative that is no worse: a nice one, one of finite order, else as it was found."""
        plain = self.cosets.plain(c)
        order = self.cosets.order(c)
        options = [] if plain is None else [plain]
        tolerance = _NICE[0] if self.accepted <= _EXACT else _NICE[1]
        if not len(self.cosets.algebra) or order is not None:
            options += snapped(c, order, tolerance)
        # A fit wobbles: within a quarter of what counts, defects are not told apart; nor below it, where their own
        # errors have been taken out.
        fitted = self.accepted if self.kept is not None else defect + self.accepted / 4
        allowed = max(defect, self.accepted) if self.accepted <= _EXACT else fitted
        for option in options:
            if self.cosets.same(option, c[None]) is not None:
                d = self.defect(option)
                if d <= allowed:
                    return option, d, c
        return c, defect, c


def _about(predict: Callable[[NDArray], NDArray], centre: NDArray) -> Callable[[NDArray], NDArray]:
    return lambda x: predict(x + centre)


def _turning(x: NDArray) -> NDArray:
    """Generators ``(r, d, d)`` of the maps that keep the spread of the points: all that rough models are asked for."""
    d = x.shape[1]
    spread = x.std(axis=0)
    units = np.where(spread > 0, spread, 1.0)
    units = np.ones(d) if units.max() <= _UNITS * units.min() else units
    return matrices_of(rotation(d)) * (units[:, None] / units)


def _swaps(d: int) -> NDArray:
    """Swaps of two coordinates and changes of one sign ``(s, d, d)``."""
    out = [np.diag(np.where(np.arange(d) == j, -1.0, 1.0)) for j in range(d)]
    for j in range(d):
        for k in range(j):
            order = np.arange(d)
            order[[j, k]] = k, j
            out.append(np.eye(d)[order])
    return np.array(out)


def close(found: list[Found], seeker: Seeker) -> tuple[list[NDArray], NDArray] | None:
    """All products modulo the connected group, the identity first, and their table; None beyond the cap."""
    d = seeker.field.point_dim
    elements, gens = [np.eye(d)], []
    for g, _, _ in found:
        # Products of those before agree with each other better than representatives that were found one by one.
        if seeker.cosets.same(g, np.array(elements)) is not None:
            continue
        gens.append(g)
        k = 0
        while k < len(elements):
            for c in (h @ elements[k] for h in gens):
                if seeker.cosets.same(c, np.array(elements)) is None:
                    plain = seeker.cosets.plain(c)
                    elements.append(c if plain is None else plain)
                    if len(elements) > MOST:
                        return None
            k += 1
    stack = np.array(elements)
    inverse = np.linalg.inv(stack)
    rows = []
    for a in elements:
        products = a @ stack
        away = seeker.cosets.distances((products[:, None] @ inverse[None]).reshape(-1, d, d))
        rows.append(np.argmin(away.reshape(len(stack), -1), axis=1))
    table = np.array(rows)
    return (elements, table) if is_group(table) else None
