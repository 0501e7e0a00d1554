"""Which solver finds the equivariant maps, and how far they are from exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erlangen._errors import InputError, explain, nearest
from erlangen.algebra.equivariant._sides import Side, sides_of
from erlangen.algebra.equivariant.general import general_maps
from erlangen.algebra.equivariant.isotypic import Component, NotSplitError, components
from erlangen.algebra.equivariant.maps import Content, EquivariantMaps
from erlangen.algebra.equivariant.orbits import orbit_maps, permutes
from erlangen.algebra.equivariant.reducible import reductive_part
from erlangen.algebra.representation import Representation
from erlangen.linalg.structured import IsotypicSubspace
from erlangen.linalg.subspace import AbstractSubspace


def equivariant_maps(
    source: Representation, target: Representation, *, method: str = "auto", cache: str | Path | None = None
) -> EquivariantMaps:
    """Find all linear maps that commute with a group.

    Parameters
    ----------
    source, target : Representation
        Of one group; sizes N and M.
    method : str
        ``"orbits"`` where all generators permute coordinates up to signs, in time linear in M * N;
        ``"weights"`` for connected groups that act completely reducibly; ``"isotypic"`` for all
        groups that do, O((M + N)^3); ``"general"``, a null space, for the rest. ``"auto"`` takes
        the first that applies.
    cache : path, optional
        Folder for results, keyed by the content of the generators.

    Returns
    -------
    EquivariantMaps
        An orthonormal basis by its factors, with residual and reason.

    Raises
    ------
    InputError
        Where the groups differ, the method is unknown or does not apply, or the result would not
        fit in memory.

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> print(equivariant_maps(rep("V", SO(3)), rep("S", SO(3))).explain().splitlines()[-1])
    No irreducible stands on both sides, and maps between different ones vanish (Schur's lemma).
    """
    (source >> target)  # refuses different groups
    if method != "auto" and method not in _METHODS:
        raise _unknown(method)
    sides = sides_of(target, source)
    if not source.size or not target.size:
        return _finish(
            source, target, sides, _Found(IsotypicSubspace((target.size, source.size), (), "an empty side"), "isotypic")
        )
    for name, solver in _METHODS.items():
        if method in ("auto", name):
            found = solver(*sides)
            if found is not None:
                return _finish(source, target, sides, found)
    raise _not_for(method, source)


@dataclass(frozen=True)
class _Found:
    subspace: AbstractSubspace
    method: str
    parts: tuple[Component, ...] = ()


def _by_orbits(target: Side, source: Side) -> _Found | None:
    if not (permutes(target) and permutes(source)):
        return None
    return _Found(orbit_maps(target, source), "orbits")


def _by_isotypic(target: Side, source: Side) -> _Found | None:
    _, _, (lie, discrete) = reductive_part((target, source))
    if len(lie) or len(discrete):
        return None
    try:
        parts = components((target, source))
    except NotSplitError:
        return None
    reason = (
        f"{len(parts)} irreducible types, {sum(1 for c in parts if c.copies[0] and c.copies[1])} of them on both sides"
    )
    return _Found(IsotypicSubspace((target.size, source.size), _blocks(parts), reason), "isotypic", parts)


def _by_null_space(target: Side, source: Side) -> _Found | None:
    return _Found(general_maps(target, source), "general")


_METHODS: dict[str, Callable[[Side, Side], _Found | None]] = {
    "orbits": _by_orbits,
    "isotypic": _by_isotypic,
    "general": _by_null_space,
}


def _blocks(parts: tuple[Component, ...]):
    return tuple(c.block() for c in parts if c.copies[0] and c.copies[1])


def _finish(source: Representation, target: Representation, sides: tuple[Side, ...], found: _Found) -> EquivariantMaps:
    residual = found.subspace.residual
    if not np.isfinite(residual) or found.parts:
        residual = _residual(sides, found.subspace)
    contents = tuple(Content(c.label, c.size, c.units, *c.copies) for c in found.parts)
    return EquivariantMaps(source, target, found.subspace, residual, found.method, contents)


def _residual(sides: tuple[Side, ...], subspace: AbstractSubspace) -> float:
    """The largest relative residual of a random map of norm 1 and of each generator.

    A random combination of all basis maps has a share of every one of them: three draws bound
    the worst by a small factor, at the price of three products.
    """
    if not subspace.dim:
        return 0.0
    c = np.random.default_rng(0).standard_normal((3, subspace.dim))  # the draw is a probe, not part of the answer
    maps = subspace.combine(c).reshape(3, sides[0].size, sides[1].size)
    factor = next(f for side in sides for f in side.factors) if any(s.factors for s in sides) else None
    if factor is None:
        return 0.0
    worst = 0.0
    for w in maps:
        for k in range(len(factor.lie)):
            weights = np.eye(len(factor.lie))[k]
            left = sides[0].lie_apply(weights, w)
            right = -sides[1].leibniz(lambda f: -np.tensordot(weights, f.lie, 1).T, w.T).T
            size = max(np.linalg.norm(left), np.linalg.norm(right), np.linalg.norm(w))
            worst = max(worst, float(np.linalg.norm(left - right)) / size)
        for k in range(len(factor.discrete)):
            left = sides[0].kronecker(lambda f: f.discrete[k], w)
            right = sides[1].kronecker(lambda f: f.discrete[k].T, w.T).T
            size = max(np.linalg.norm(left), np.linalg.norm(right), np.linalg.norm(w))
            worst = max(worst, float(np.linalg.norm(left - right)) / size)
    return worst


def _unknown(method: str) -> InputError:
    return InputError(
        explain(
            "There is no such method.",
            given=f"method={method!r}",
            expected="auto, " + ", ".join(_METHODS),
            fix=f'method="{nearest(method, _METHODS) or "auto"}"' if isinstance(method, str) else 'method="auto"',
        )
    )


def _not_for(method: str, source: Representation) -> InputError:
    needs = {
        "orbits": "discrete generators that permute coordinates up to signs",
        "weights": "a connected group whose generators hold their transposes",
        "isotypic": "generators that hold their transposes, and orthogonal discrete elements",
    }
    return InputError(
        explain(
            f'The method "{method}" does not apply to {source.group.name}.',
            given=repr(source.group),
            expected=needs.get(method, "another method"),
            fix='method="auto"',
        )
    )
