"""The components of a symmetry group beside the connected one: search, snap, close, name, test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erlangen._errors import ErlangenError, InputError, explain
from erlangen._render import html_table, number, text_table
from erlangen.actions import coordinate_names, gl, matrices_of, rotation
from erlangen.actions.polynomial import PolynomialAction
from erlangen.algebra import Group
from erlangen.algebra.group import from_matrices
from erlangen.derivative import Samples
from erlangen.evidence.discrete._cosets import Cosets, simple_signed, snapped
from erlangen.evidence.discrete._finite import element_orders, generated, is_group
from erlangen.evidence.discrete._group_names import component_name
from erlangen.evidence.discrete._models import LocalField, detailed, smoothed
from erlangen.evidence.discrete._moved import Places, debiased, pairs
from erlangen.evidence.discrete._search import haar, minimise
from erlangen.evidence.discrete.element_tests import DiscreteTest, Prepared, judge, prepare
from erlangen.evidence.discrete.elements import describe
from erlangen.fields import AbstractField
from erlangen.verbs.discover import discover
from erlangen.verbs.symmetry import Symmetry

_MOST = 192
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
_ROUGHEST = 100.0
"""Largest condition number of a representative: beyond it, a search has left for infinity."""


@dataclass(frozen=True, eq=False)
class Component:
    """One component of the group, by a representative.

    Attributes
    ----------
    matrix : ndarray (d, d)
        The representative, about the centre.
    text : str
        What it does.
    order : int
        Its order modulo the connected group.
    defect : float
        Its relative defect on points that the search has not used.
    turns : ndarray (t,)
        Angles in degrees by which the map turned planes as it was found, before it was snapped; of products, theirs.
    """

    matrix: NDArray
    text: str
    order: int
    defect: float
    turns: NDArray


@dataclass(frozen=True, eq=False)
class Components:
    """A symmetry group: its connected part and the components beside it.

    Attributes
    ----------
    name : str
        Such as ``"O(2) = SO(2) and a reflection"``, ``"D(4)"``, ``"C(7)"``; ``"SO(2)"`` where there is no other
        component, ``"trivial"`` where there is nothing at all.
    found : tuple of Component
        All components but that of the identity.
    generators : tuple of int
        Places in ``found`` of a few that generate the others.
    table : ndarray (k, k)
        Multiplication table of the components, the identity first; empty where the search did not close.
    lie_algebra : ndarray (p, d, d)
        The connected part.
    closed : bool
        Whether products stay among the components found.
    test : DiscreteTest
        The generators, tested on data of their own with Holm's correction.
    reason : str
        How the search went, and what to do where it did not close.
    coordinates : tuple of str
        Names of the coordinates.
    """

    name: str
    found: tuple[Component, ...]
    generators: tuple[int, ...]
    table: NDArray
    lie_algebra: NDArray
    closed: bool
    test: DiscreteTest
    reason: str
    coordinates: tuple[str, ...]

    @property
    def order(self) -> int:
        """Number of components, that of the identity included."""
        return len(self.found) + 1

    @property
    def matrices(self) -> NDArray:
        """Representatives ``(m, d, d)`` of the generating components."""
        d = len(self.coordinates)
        return np.array([self.found[k].matrix for k in self.generators]).reshape(-1, d, d)

    @property
    def group(self) -> Group:
        """The whole group, for ``er.enforce`` and for equivariant layers."""
        return from_matrices(self.lie_algebra, self.matrices, self.name)

    @property
    def certified(self) -> bool:
        """Whether every generating component passed its test."""
        return all(e.verdict == "certified" for e in self.test.tested)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.closed:
            return f"No finite set of components: {self.reason}."
        if not self.found:
            return f"{self.name}: no component beside that of the identity was found."
        maps = "; ".join(self.found[k].text for k in self.generators)
        sure = f"certified at {100 * (1 - self.test.alpha):g} %" if self.certified else "found, not certified"
        return f"{self.name}, {sure}: {self.order} components, generated by {maps}."

    def to_dict(self) -> dict[str, Any]:
        """Everything that prints, as plain numbers and strings."""
        rows = [{"map": c.text, "order": int(c.order), "defect": float(c.defect)} for c in self.found]
        return {
            "kind": "components",
            "verdict": self.verdict,
            "name": self.name,
            "order": self.order,
            "closed": self.closed,
            "certified": self.certified,
            "connected dimension": len(self.lie_algebra),
            "components": rows,
            "generators": [int(k) for k in self.generators],
            "reason": self.reason,
            "test": self.test.to_dict(),
        }

    def _rows(self, most: int = 24) -> list[list[str]]:
        rows = [[c.text, str(c.order), number(c.defect, 2)] for c in self.found[:most]]
        return rows + ([["...", "", ""]] if len(self.found) > most else [])

    def __str__(self) -> str:
        table = [text_table(_HEADER, self._rows())] if self.found else []
        return "\n".join([self.verdict, *table, f"- {self.reason}", str(self.test)])

    def __repr__(self) -> str:
        return f"<Components {self.name}: {self.order} components of dimension {len(self.lie_algebra)}>"

    def _repr_html_(self) -> str:
        table = html_table(_HEADER, self._rows()) if self.found else ""
        return f"<p><b>{escape(self.verdict)}</b></p>{table}<p>{escape(self.reason)}</p>{self.test._repr_html_()}"


_HEADER = ("map", "order", "defect")


def find_components(
    problem: Any,
    symmetry: Symmetry | ArrayLike | None = None,
    samples: Samples | NDArray | None = None,
    *,
    delta: float = 0.05,
    alpha: float = 0.05,
    kind: str | None = None,
    centre: str | ArrayLike | None = None,
    names: Sequence[str] | None = None,
    rng: int | np.random.Generator = 0,
) -> Components:
    """Find the linear maps that leave a field alone, beside those that its generators reach.

    Minimises ``sum |F(C x) - D F(x)|^2`` over invertible C from uniform orthogonal starts of both determinants and
    from signed permutations, with D = 1 for functions and D = C for vector fields. What is found is sorted into
    components of the connected group G0 (C and C' are one where C' C^-1 is near some exp(w)), snapped to a finite
    order up to 12 and to entries 0, 1/2, 1, sqrt(2)/2, sqrt(3)/2 where that is no worse, closed under products, and
    named. Later rounds start far from the components found. A few generators are then tested on data of their own.

    Parameters
    ----------
    problem : table (x, y), Observed, Trajectories, or anything that ``as_field`` accepts
        As for `test_elements`. Of observations, one part is searched and the other tests.
    symmetry : Symmetry or array (p, d, d), optional
        The connected part; found by `discover` among linear generators where it is not given.
    samples : Samples or array (n, d), optional
        Where the symmetry is claimed.
    delta, alpha : float
        Relative defect up to which maps of an inexact field count, and level of the test.
    kind : {"invariant", "vector"}, optional
        How values follow points.
    centre : {"origin", "mean", "fixed point"} or array (d,), optional
        What the maps leave in place; by default the origin.
    names : sequence of str, optional
        Names of the coordinates.
    rng : int or Generator
        Draws starts and splits the data.

    Returns
    -------
    Components
        The components, their table, the name of the group and the test.

    References
    ----------
    Components as cosets of a connected group, with the same loss: AtlasD, ICML 2025 (arXiv:2504.10777). Snapping,
    closure and the test are ours.

    Examples
    --------
    >>> import erlangen as er
    >>> box = er.Samples.box(-1, 1, dim=2, n=2000)
    >>> print(find_components(lambda x: x[:, 0] ** 4 + x[:, 1] ** 4, samples=box).name)
    D(4)
    """
    rng = np.random.default_rng(rng)
    prepared = prepare(problem, samples, kind=kind, family=None, centre=centre, rng=rng)
    field = _Centred(prepared.model, prepared.where.centre)
    algebra, named = _connected(field, symmetry, prepared)
    seeker = _Seeker.build(field, algebra, prepared, delta, rng)
    found, how = seeker.search(rng)
    group = _closed(found, seeker)
    if group is None:
        found = found[:1]
        how = (
            f"products of what was found fill more than {_MOST} components: probably continuous; give a larger algebra"
        )
        elements, table = [np.eye(field.point_dim), *(f[0] for f in found)], np.zeros((0, 0), dtype=int)
    else:
        elements, table = group
    return _assemble(elements, table, algebra, named, seeker, prepared, (how, found), (delta, alpha), names)


@dataclass(frozen=True, eq=False)
class _Centred(AbstractField):
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


def _connected(field: _Centred, symmetry: Symmetry | ArrayLike | None, prepared: Prepared) -> tuple[NDArray, str]:
    """A basis ``(p, d, d)`` of the linear generators about the centre, and the name of their algebra."""
    d = field.point_dim
    if symmetry is None:
        at = prepared.points - prepared.where.centre
        symmetry = discover(field, gl(d), Samples.from_data(at[:1000]))
        linear = True
    else:
        linear = False
    if isinstance(symmetry, Symmetry):
        name = symmetry.name
        rows = np.vstack([symmetry.generators, symmetry.own])
        if not isinstance(symmetry.candidates, PolynomialAction):
            raise _no_algebra(type(symmetry.candidates).__name__)
        try:
            matrices = np.asarray(symmetry.group.lie_algebra) if len(symmetry.own) == 0 and len(rows) else None
        except ErlangenError:
            matrices = None
        if matrices is None:
            matrices = matrices_of(symmetry.candidates.restrict(rows.T)) if len(rows) else np.zeros((0, d, d))
    else:
        matrices, name = np.asarray(symmetry, dtype=np.float64), ""
        matrices = matrices[None] if matrices.ndim == 2 else matrices
    if matrices.ndim != 3 or matrices.shape[1] not in (d, d + 1) or matrices.shape[1] != matrices.shape[2]:
        raise _no_algebra(f"matrices of shape {matrices.shape}")
    if matrices.shape[1] == d + 1:
        kept = _fixing(matrices, np.zeros(d) if linear else prepared.where.centre)
        matrices, name = kept, name if len(kept) == len(matrices) else ""
    return matrices, name if len(matrices) else "0"


def _fixing(affine: NDArray, centre: NDArray) -> NDArray:
    """Linear parts ``(r, d, d)`` of the combinations of affine generators that leave a centre in place."""
    d = len(centre)
    speed = affine[:, :d, :d] @ centre + affine[:, :d, d]
    u, s, _ = np.linalg.svd(speed)
    rank = int(np.sum(s > 1e-6 * max(float(np.abs(affine).max()), np.finfo(float).tiny)))
    return np.tensordot(u[:, rank:].T, affine[:, :d, :d], 1)


Found = tuple[NDArray, float, NDArray]
"""A representative, its defect, and the map as it was found."""


@dataclass(frozen=True, eq=False)
class _Seeker:
    """The search with its points and tolerances."""

    field: AbstractField
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
        cls, field: _Centred, algebra: NDArray, prepared: Prepared, delta: float, rng: np.random.Generator
    ) -> _Seeker:
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
        coarse = _Centred(smoothed(field.inner, 4), field.centre)
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

    def search(self, rng: np.random.Generator) -> tuple[list[Found], str]:
        """Representatives of components, the identity left out, and what was done."""
        d = self.field.point_dim
        known: list[Found] = []
        count = 0
        for r in range(_ROUNDS):
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
                new.append(self.snap(c, self.defect(c)))
            if len(new) + len(known) >= _MOST:
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


def _closed(found: list[Found], seeker: _Seeker) -> tuple[list[NDArray], NDArray] | None:
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
                    if len(elements) > _MOST:
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


def _assemble(
    elements: list[NDArray],
    table: NDArray,
    algebra: NDArray,
    named: str,
    seeker: _Seeker,
    prepared: Prepared,
    searched: tuple[str, list[Found]],
    levels: tuple[float, float],
    names: Sequence[str] | None,
) -> Components:
    d = seeker.field.point_dim
    coordinates = tuple(names or prepared.names or coordinate_names(d))
    orders = element_orders(table) if len(table) else np.ones(len(elements), dtype=int)
    raws = {f[0].tobytes(): f[2] for f in searched[1]}
    found = tuple(
        Component(c, describe(c, coordinates), int(m), seeker.defect(c), turns(raws.get(c.tobytes(), c)))
        for c, m in zip(elements[1:], orders[1:], strict=True)
    )
    chosen = _generating(table, elements) if len(table) else list(range(len(found)))
    matrices = np.array([found[k].matrix for k in chosen]).reshape(-1, d, d)
    test = judge(prepared, matrices, len(found), *levels, names)
    closed = bool(len(table))
    name = component_name(elements, table, algebra, named) if closed else "not decided"
    return Components(name, found, tuple(chosen), table, algebra, closed, test, searched[0], coordinates)


def _generating(table: NDArray, elements: list[NDArray]) -> list[int]:
    """Places, less one, of elements that generate the table: simple ones first, then none that others give."""
    n, one = len(table), np.eye(len(elements[0]))
    simple = sorted(range(1, n), key=lambda k: (round(float(np.abs(elements[k] - one).sum()), 6), k))
    chosen: list[int] = []
    for k in simple:
        if k not in generated(table, chosen):
            chosen.append(k)
    for k in list(reversed(chosen)):
        rest = [j for j in chosen if j != k]
        chosen = rest if len(generated(table, rest)) == n else chosen
    return [k - 1 for k in chosen]


def turns(c: NDArray) -> NDArray:
    """Angles in degrees, between 0 and 180, by which a map turns planes.

    Examples
    --------
    >>> turns(np.array([[0.0, -1.0], [1.0, 0.0]])).tolist()
    [90.0]
    """
    angles = np.degrees(np.angle(np.linalg.eigvals(c)))
    return np.sort(angles[angles > 1e-6 * 180])


def _no_algebra(given: str) -> InputError:
    return InputError(
        explain(
            "The connected part of the group is not known as matrices.",
            given=given,
            expected="a symmetry among linear or affine generators, or matrices (p, d, d)",
            fix="symmetry=er.discover(field, er.actions.gl(d), samples)",
        )
    )


__all__ = ["Component", "Components", "find_components"]
