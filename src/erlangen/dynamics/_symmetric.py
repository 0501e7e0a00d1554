"""The fields among which equations of motion are sought: all, those with a symmetry, or with what survived of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import linalg, sparse

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction
from erlangen.algebra import Group
from erlangen.derivative import Samples
from erlangen.dynamics._slopes import Slopes
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.table import substitute
from erlangen.linalg.rank import Threshold
from erlangen.linalg.subspace import AbstractSubspace
from erlangen.verbs import Penalty, Promoted, Symmetry, discover, enforce
from erlangen.verbs import promote as promote_
from erlangen.verbs._basis import closed_under_shifts
from erlangen.verbs._enforce_request import read
from erlangen.verbs._promote_refit import RankVariety, refit

FITTED = 1e-9
"""Relative error of a field that was fitted on the variety of a rank: rounding, enlarged by its Newton steps."""

SURVIVED = 1e-6
"""Relative defect up to which generators of such a field are kept; those that are broken have defects of noise."""

WEIGHTS = np.geomspace(1.0, 1e-4, 13)
"""Weights of the path, relative to the one that breaks nothing."""

NOISE = 1e-2
"""Share of the largest singular value below which another may be noise."""

TRIED = 8
"""Numbers of broken generators that are tried."""

ROUND = 0.2
"""Distance of a coefficient of a generator to a whole number from which on the whole number is no candidate."""


@dataclass(frozen=True, eq=False)
class Found:
    """A space of fields.

    Attributes
    ----------
    basis : ndarray (q, k)
        Sparse columns.
    reason : str
        How it was found.
    broken_rank : int or None
        Generators that were promoted and are broken.
    symmetry : Symmetry or None
        What survived.
    n_fitted : int
        Numbers that were fitted to all data to say what survived.
    """

    basis: NDArray
    reason: str
    broken_rank: int | None = None
    symmetry: Symmetry | None = None
    n_fitted: int = 0


def free(field: AbstractLinearField) -> Found:
    """All fields."""
    return Found(np.eye(field.n_params), "")


def enforced(field: AbstractLinearField, symmetry: Any, samples: Samples | None) -> Found:
    """Fields with a symmetry."""
    space = enforce(field, symmetry, samples)
    return Found(_columns(space), f"enforced: {space.dim} of {field.n_params} dimensions")


def promoted(field: AbstractLinearField, acting: Any, data: Slopes, names: tuple[str, ...]) -> list[Found]:
    """For each number of broken generators that a promoted path suggests, the fields with what then survives.

    Those that keep most come first, all fields last. The path is that of the penalty; what is kept with a number of
    broken generators is read from the best field on the variety of that rank. Where that is near to generators with
    whole coefficients, these stand before it: data do not tell a rotation from one by a hair's breadth more.
    """
    where = about(field, data.points)
    action = generators_of(field, acting, where)
    centred = _centred(field, action, data)
    family = field if centred is None else centred.field
    seen, moved = (data, action) if centred is None else (centred.data, centred.action)
    penalty = promote_(family, moved, about(family, seen.points), inner="relative")
    weights = penalty.largest_weight(seen.points, seen.slopes) * WEIGHTS
    path = penalty.path(seen.points, seen.slopes, weights) if weights[0] > 0 else []
    found = []
    for theta, rank in _refits(penalty, path, seen):
        kept = penalty.generators @ np.linalg.svd(penalty.matrix(theta))[2][rank:].T
        theta = theta if centred is None else centred.expanded(theta)
        if kept.shape[1]:
            found += _round_ones(field, action, kept, where, names, data)
            as_fitted = _with_survivors(field.with_theta(theta), action, kept, where, names)
            found.append(replace(as_fitted, n_fitted=kept.shape[1] * (action.n_generators - kept.shape[1])))
    return [*found, replace(free(field), broken_rank=penalty.generators.shape[1])]


@dataclass(frozen=True, eq=False)
class _Centred:
    """The same problem in coordinates about the mean of the data, where monomials are told apart best.

    Attributes
    ----------
    centre : ndarray (d,)
    field : PolynomialField
        The family, over the same monomials.
    action : PolynomialAction
        The same generators.
    data : Slopes
    """

    centre: NDArray
    field: PolynomialField
    action: PolynomialAction
    data: Slopes

    def expanded(self, theta: NDArray) -> NDArray:
        """Parameters in the coordinates that were given."""
        rows = theta.reshape(self.field.value_dim, -1)
        table, terms = substitute(self.field.table, rows, np.eye(len(self.centre)), -self.centre)
        at = {tuple(row): k for k, row in enumerate(self.field.table.tolist())}
        out = np.zeros_like(rows)
        out[:, [at[tuple(row)] for row in table.tolist()]] = terms
        return out.ravel()


def _centred(field: AbstractLinearField, action: AbstractAction, data: Slopes) -> _Centred | None:
    """None where functions or generators are no polynomials in coordinates with another origin."""
    if not (isinstance(field, PolynomialField) and isinstance(action, PolynomialAction)):
        return None
    if action.output is not None or not closed_under_shifts(field.table):
        return None
    centre, (p, d) = data.points.mean(axis=0), (action.n_generators, action.point_dim)
    table, terms = substitute(action.exponents, action.coefficients.reshape(p * d, -1), np.eye(d), centre)
    moved = PolynomialAction(table, sparse.csr_array(terms.reshape(p, -1)))
    return _Centred(centre, field, moved, replace(data, points=data.points - centre))


def _refits(penalty: Penalty, path: Sequence[Promoted], data: Slopes) -> list[tuple[NDArray, int]]:
    """Parameters and rank of the best field for each number of broken generators that is tried, the least first.

    Each starts from the fit on the path whose singular values drop most after that many, from the last of the path,
    and from the refit with the next larger number.
    """
    rows = penalty.field.features(data.points).reshape(-1, penalty.field.n_params)
    sizes = np.sqrt(np.mean(rows**2, axis=0))
    sizes = np.where(sizes > 0, sizes, 1.0)
    variety = RankVariety(sparse.csr_array(sparse.csr_array(penalty.map.matrix) * (1.0 / sizes)), penalty.map.shape)
    drops = np.array([_drops(fit.singular_values) for fit in path]).reshape(len(path), -1)
    found: dict[int, NDArray] = {}
    last: list[NDArray] = []
    for rank in _ranks(drops, penalty.map.shape[0]):
        starts = [np.zeros(len(sizes))] if not path else [path[-1].theta * sizes]
        if path and 0 < rank <= drops.shape[1]:
            starts.append(path[int(np.argmax(drops[:, rank - 1]))].theta * sizes)
        fits = [refit(variety, rows / sizes, data.slopes.ravel(), start, rank) for start in [*starts, *last]]
        best = min(fits, key=lambda fit: (not fit.exact, np.linalg.norm(rows @ (fit.c / sizes) - data.slopes.ravel())))
        if best.exact:
            found[best.rank] = best.c / sizes
            last = [best.c]
    return [(found[rank], rank) for rank in sorted(found)]


def _ranks(drops: NDArray, p: int) -> list[int]:
    """Numbers of broken generators to try, the largest first: all where they are few, else after the largest drops."""
    most = np.argsort(-drops.max(axis=0, initial=0.0), kind="stable") + 1
    tried = [int(rank) for rank in most if rank < p][:TRIED] if p > TRIED else list(range(1, p))
    return sorted({0, *tried}, reverse=True)


def _drops(values: NDArray) -> NDArray:
    """Logarithm of each singular value over the next, all of them raised to a share of the largest."""
    s = np.append(values, 0.0)
    s = np.maximum(s, max(NOISE * float(s[0]), np.finfo(np.float64).tiny))
    return np.log(s[:-1] / s[1:])


def _round_ones(
    field: AbstractLinearField,
    action: AbstractAction,
    kept: NDArray,
    where: Samples,
    names: tuple[str, ...],
    data: Slopes,
) -> list[Found]:
    """The fields that keep the nearest generators with whole coefficients, where there are such, and such fields."""
    pivots = linalg.qr(kept.T, pivoting=True, mode="r")[1][: kept.shape[1]]  # the largest coefficients become ones
    basis = kept @ np.linalg.inv(kept[pivots])
    whole = np.round(basis)
    apart = np.abs(whole - basis).max()
    if apart > ROUND or kept.shape[1] == action.n_generators:
        return []
    samples = None if isinstance(field, PolynomialField) else where
    inside = _columns(enforce(field, action.restrict(whole), samples))
    if not inside.shape[1]:
        return []
    design = field.features(data.points).reshape(-1, field.n_params) @ inside
    theta = inside @ np.linalg.lstsq(design, data.slopes.ravel(), rcond=None)[0]
    return [_with_survivors(field.with_theta(theta), action, whole, where, names)]


def _with_survivors(
    fitted: Any, action: AbstractAction, kept: NDArray, where: Samples, names: tuple[str, ...]
) -> Found:
    """The fields with all the symmetries that a field was fitted to have, named."""
    symmetry = discover(replace(fitted, accuracy=FITTED), action, where, rule=Threshold(SURVIVED), names=names)
    samples = None if isinstance(fitted, PolynomialField) else where
    everything = kept.shape[1] == action.n_generators
    usable = symmetry.decided and symmetry.dim == kept.shape[1]
    space = enforce(fitted, action if everything else symmetry if usable else action.restrict(kept), samples)
    rank = action.n_generators - kept.shape[1]
    return Found(_columns(space), f"{space.dim} of {fitted.n_params} dimensions", rank, symmetry)


def _columns(space: AbstractSubspace) -> NDArray:
    """Sparse basis ``(q, k)``, without the rounding of a null space that was found in floating point."""
    basis = space.sparse_basis()
    least = np.finfo(np.float64).eps ** 0.75 * np.abs(basis).max(axis=0, initial=0.0)
    return np.where(np.abs(basis) > least, basis, 0.0)


def about(field: AbstractLinearField, x: NDArray) -> Samples:
    """Where fields are compared: the box about the data for polynomials, which are integrated, else the data."""
    if not isinstance(field, PolynomialField):
        return Samples.from_data(x)
    low, high = x.min(axis=0), x.max(axis=0)
    still = high <= low
    half = np.where(still, np.maximum(np.abs(low), 1.0), 0.0)
    return Samples.box(low - half, high + half, n=256)


def generators_of(field: AbstractLinearField, acting: Any, where: Samples) -> AbstractAction:
    """The generators of an action, a group or a symmetry that was found."""
    d = field.point_dim
    if isinstance(acting, AbstractAction) and (acting.point_dim != d or acting.value_dim not in (None, d)):
        raise _no_action(f"an action on {acting.point_dim} coordinates", d)
    if not isinstance(acting, (AbstractAction, Symmetry, Group)):
        raise _no_action(f"an object of type {type(acting).__name__}", d)
    request = read(field, acting, where, None)
    if request.elements:
        raise InputError(
            explain(
                "Only generators are promoted in equations of motion.",
                given=f"a group with {len(request.elements)} discrete elements",
                expected="an action, a connected group, or a Symmetry",
                fix="symmetry= in place of promote=, which enforces discrete elements too",
            )
        )
    return request.lie.action


def _no_action(given: str, d: int) -> InputError:
    return InputError(
        explain(
            "These generators do not move the states.",
            given=given,
            expected=f"an action on {d} coordinates, a Group or a Symmetry",
            fix=f"promote=er.actions.affine({d})",
        )
    )
