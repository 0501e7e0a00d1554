"""The components of a symmetry group beside the connected one: search, snap, close, name, test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.derivative import Samples
from erlangen.evidence.discrete._connected import connected
from erlangen.evidence.discrete._finite import element_orders, generated
from erlangen.evidence.discrete._group_names import component_name
from erlangen.evidence.discrete._seeker import MOST, Centred, Found, Seeker, close
from erlangen.evidence.discrete.component_results import Component, Components
from erlangen.evidence.discrete.element_tests import Prepared, judge, prepare
from erlangen.evidence.discrete.elements import describe
from erlangen.verbs.symmetry import Symmetry


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
    field = Centred(prepared.model, prepared.where.centre)
    algebra, named = connected(field, symmetry, prepared)
    seeker = Seeker.build(field, algebra, prepared, delta, rng)
    found, how = seeker.search(rng)
    group = close(found, seeker)
    if group is None:
        found = found[:1]
        how = f"products of what was found fill more than {MOST} components: probably continuous; give a larger algebra"
        elements, table = [np.eye(field.point_dim), *(f[0] for f in found)], np.zeros((0, 0), dtype=int)
    else:
        elements, table = group
    return _assemble(elements, table, algebra, named, seeker, prepared, (how, found), (delta, alpha), names)


def _assemble(
    elements: list[NDArray],
    table: NDArray,
    algebra: NDArray,
    named: str,
    seeker: Seeker,
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
    closed = bool(len(table))
    rest = [c.matrix for k, c in enumerate(found) if closed and k not in chosen]
    test = judge(prepared, matrices, len(found), *levels, names, np.array(rest).reshape(-1, d, d))
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


__all__ = ["Component", "Components", "find_components"]
