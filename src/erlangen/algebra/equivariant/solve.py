"""Which solver finds the equivariant maps, and how far they are from exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from erlangen._errors import InputError, UndecidedError, explain, nearest
from erlangen._typing import NDArray
from erlangen.algebra.equivariant import store
from erlangen.algebra.equivariant._sides import Factor, Side, sides_of
from erlangen.algebra.equivariant.general import general_maps
from erlangen.algebra.equivariant.maps import EquivariantMaps
from erlangen.algebra.equivariant.memory import check_dense, check_memory
from erlangen.algebra.equivariant.orbits import orbit_maps, permutes
from erlangen.algebra.equivariant.split import Splitting, split
from erlangen.algebra.representation import Representation
from erlangen.linalg.structured import IsotypicSubspace
from erlangen.linalg.subspace import AbstractSubspace, DenseSubspace

_WORST = float(np.finfo(np.float64).eps ** 0.5)  # half of the digits: what satisfies less is no solution
_MANY = 100_000  # entries of a map from which one probe says as much as three


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
        the fastest that applies.
    cache : path, optional
        Folder for results, keyed by the content of the generators.

    Returns
    -------
    EquivariantMaps
        An orthonormal basis by its factors, with residual and reason.

    Raises
    ------
    InputError
        Where the groups differ, the method is unknown or does not apply, generators close only
        nearly, or the result would not fit in memory.
    UndecidedError
        Where coordinates are so skew that float64 does not tell maps from others.

    References
    ----------
    M. Finzi, M. Welling, A. G. Wilson, A practical method for constructing equivariant multilayer perceptrons for
    arbitrary matrix groups, ICML 2021 (null spaces).
    J.-P. Serre, Linear Representations of Finite Groups, 1977, chapter 2 (isotypic parts).

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> print(equivariant_maps(rep("V", SO(3)), rep("S", SO(3))).explain().splitlines()[-1])
    No irreducible stands on both sides, and maps between different ones vanish (Schur's lemma).
    """
    maps = source >> target  # refuses different groups
    if method != "auto" and method not in _METHODS:
        raise _unknown(method)
    there, here = sides_of(target, source)
    sides = there, here
    key = store.key_of(sides, method) if cache is not None else ""
    stored = store.read(cache, key) if cache is not None else None
    if stored is not None:
        return EquivariantMaps(source, target, stored[0], residual(sides, stored[0]), stored[1])
    check_memory(maps, permutes(sides[0]) and permutes(sides[1]))
    found = _solve(sides, method)
    if found is None:
        raise _not_for(method, source)
    subspace, name, left = found
    if cache is not None:
        store.write(cache, key, subspace, name)
    return EquivariantMaps(source, target, subspace, left, name)


def _solve(sides: tuple[Side, Side], method: str) -> tuple[AbstractSubspace, str, float] | None:
    """Take the first answer that satisfies its equations, with its residual; None where no method applies."""
    worst = 0.0
    for solver in _AUTO if method == "auto" else (_METHODS[method],):
        found = solver(*sides)
        if found is not None:
            worst = residual(sides, found[0])
            if worst <= _WORST:
                return *found, worst
    if not worst:
        return None
    raise UndecidedError(
        explain(
            "The equivariant maps could not be told from others in float64.",
            given=f"generators whose maps satisfy their equations only to {worst:.1g}",
            expected="coordinates in which the generators have comparable entries",
            fix="change coordinates: group elements g to P g P^-1 with P that makes them nearly orthogonal",
        )
    )


def _by_orbits(target: Side, source: Side) -> tuple[AbstractSubspace, str] | None:
    return (orbit_maps(target, source), "orbits") if permutes(target) and permutes(source) else None


def _by_parts(method: str) -> Callable[[Side, Side], tuple[AbstractSubspace, str] | None]:
    def solver(target: Side, source: Side) -> tuple[AbstractSubspace, str] | None:
        found = split((target, source), method)
        return None if found is None else (_maps_of(found), found.method)

    return solver


def _by_null_space(target: Side, source: Side) -> tuple[AbstractSubspace, str] | None:
    return general_maps(target, source), "general"


_METHODS: dict[str, Callable[[Side, Side], tuple[AbstractSubspace, str] | None]] = {
    "orbits": _by_orbits,
    "weights": _by_parts("weights"),
    "isotypic": _by_parts("isotypic"),
    "general": _by_null_space,
}
_AUTO = _by_orbits, _by_parts("auto"), _by_null_space


def _maps_of(found: Splitting) -> AbstractSubspace:
    """Maps between the copies of every irreducible that stands on both sides."""
    blocks = tuple(c.block() for c in found.parts if c.copies[0] and c.copies[1])
    target, source = found.sides
    both = f"{len(blocks)} of {len(found.parts)} irreducibles stand on both sides"
    maps = IsotypicSubspace((target.size, source.size), blocks, both)
    if found.changes is None:
        return maps
    # W = S_t^-1 W' S_s for a map W' in balanced coordinates: no longer orthonormal by factors.
    check_dense(maps.dim, target.size * source.size)
    changes = found.changes
    back = {key: np.linalg.inv(s) for key, s in changes.items()}
    basis = maps.combine(np.eye(maps.dim)).reshape(maps.dim, target.size, source.size)
    rows = target.kronecker(lambda f: back[id(f)], basis.transpose(1, 0, 2).reshape(target.size, -1))
    basis = rows.reshape(target.size, maps.dim, source.size).transpose(2, 1, 0).reshape(source.size, -1)
    moved = source.kronecker(lambda f: changes[id(f)].T, basis).reshape(source.size, maps.dim, target.size)
    columns = moved.transpose(2, 0, 1).reshape(target.size * source.size, maps.dim)
    return DenseSubspace(np.linalg.qr(columns)[0], reason=f"{both}, in balanced coordinates")


def residual(sides: tuple[Side, Side], subspace: AbstractSubspace) -> float:
    """Largest relative residual of ``rho W = W rho`` over the generators, for random maps W.

    Relative to the larger side of the equation, and to the generator where both sides vanish. A
    random combination of all basis maps holds a share of every one of them: a draw or three show
    the typical residual of a map at the price of a product, where each map in turn would cost ``dim``.
    """
    if np.isfinite(subspace.residual):
        return subspace.residual
    factors = [f for side in sides for f in side.factors]
    if not subspace.dim or not factors:
        return 0.0
    draws = 3 if subspace.ambient_dim < _MANY else 1
    c = np.random.default_rng(0).standard_normal((draws, subspace.dim))  # a probe: the maps do not depend on it
    maps = subspace.combine(c).reshape(draws, sides[0].size, sides[1].size)
    sizes = np.sqrt(np.max([np.sum(f.lie**2, axis=(1, 2)) / f.size for f in factors], axis=0))
    lie = [_lie_defect(sides, w, k, size) for w in maps for k, size in enumerate(sizes)]
    return max(
        lie + [_discrete_defect(sides, w, k) for w in maps for k in range(len(factors[0].discrete))], default=0.0
    )


def _lie_defect(sides: tuple[Side, Side], w: NDArray, k: int, size: float) -> float:
    def turned(f: Factor) -> NDArray:
        return f.lie[k].T

    return _defect(
        sides[0].leibniz(lambda f: f.lie[k], w), sides[1].leibniz(turned, w.T).T, size * float(np.linalg.norm(w))
    )


def _discrete_defect(sides: tuple[Side, Side], w: NDArray, k: int) -> float:
    def turned(f: Factor) -> NDArray:
        return f.discrete[k].T

    return _defect(sides[0].kronecker(lambda f: f.discrete[k], w), sides[1].kronecker(turned, w.T).T, 0.0)


def _defect(left: NDArray, right: NDArray, least: float) -> float:
    size = max(float(np.linalg.norm(left)), float(np.linalg.norm(right)), float(least))
    return float(np.linalg.norm(left - right)) / size if size else 0.0


def _unknown(method: str) -> InputError:
    names = ["auto", *_METHODS]
    return InputError(
        explain(
            "There is no such method.",
            given=f"method={method!r}",
            expected=", ".join(names),
            fix=f'method="{nearest(str(method), names) or "auto"}"',
        )
    )


def _not_for(method: str, source: Representation) -> InputError:
    needs = {
        "orbits": "discrete generators that permute coordinates up to signs",
        "weights": "a connected group that acts completely reducibly",
        "isotypic": "a group that acts completely reducibly",
    }
    return InputError(
        explain(
            f'The method "{method}" does not apply to {source.group.name}.',
            given=repr(source.group),
            expected=needs.get(method, "another method"),
            fix='method="auto"',
        )
    )
