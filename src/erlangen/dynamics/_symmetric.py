"""The fields among which equations of motion are sought: all, those with a symmetry, or with what survived of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erlangen._errors import InputError, explain
from erlangen.actions import AbstractAction
from erlangen.derivative import Samples
from erlangen.dynamics._slopes import Slopes
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.linalg.rank import Threshold
from erlangen.verbs import Symmetry, discover, enforce
from erlangen.verbs import promote as promote_

FITTED = 1e-9
"""Relative error of a field that was fitted on the variety of a rank: rounding, enlarged by its Newton steps."""

SURVIVED = 1e-6
"""Relative defect up to which generators of such a field are kept; those that are broken have defects of noise."""


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
    """

    basis: NDArray
    reason: str
    broken_rank: int | None = None
    symmetry: Symmetry | None = None


def free(field: AbstractLinearField) -> Found:
    """All fields."""
    return Found(np.eye(field.n_params), "")


def enforced(field: AbstractLinearField, symmetry: Any, samples: Samples | None) -> Found:
    """Fields with a symmetry."""
    space = enforce(field, symmetry, samples)
    return Found(space.sparse_basis(), f"enforced: {space.dim} of {field.n_params} dimensions")


def promoted(field: AbstractLinearField, action: Any, data: Slopes, names: tuple[str, ...]) -> Found:
    """Fields with what survived of some generators: penalised, chosen by held-out data, then enforced."""
    _check_action(action, field.point_dim)
    where = _about(field, data.points)
    penalty = promote_(field, action, where, inner="relative")
    chosen = penalty.select(data.points, data.slopes, folds=data.folds)
    kept, q = chosen.kept, field.n_params
    if kept.shape[1] == 0:
        return Found(np.eye(q), chosen.reason, chosen.broken_rank)
    fitted: Any = chosen.field
    fitted = replace(fitted, accuracy=FITTED)
    symmetry = discover(fitted, action, where, rule=Threshold(SURVIVED), names=names)
    samples = None if isinstance(field, PolynomialField) else Samples.from_data(data.points)
    everything = kept.shape[1] == action.n_generators
    usable = symmetry.decided and symmetry.dim == kept.shape[1]
    space = enforce(field, action if everything else symmetry if usable else action.restrict(kept), samples)
    reason = f"{chosen.reason}; the survivors enforced: {space.dim} of {q} dimensions"
    return Found(space.sparse_basis(), reason, chosen.broken_rank, symmetry)


def _about(field: AbstractLinearField, x: NDArray) -> Samples:
    """Where fields are compared: the box about the data for polynomials, which are integrated, else the data."""
    if not isinstance(field, PolynomialField):
        return Samples.from_data(x)
    low, high = x.min(axis=0), x.max(axis=0)
    still = high <= low
    half = np.where(still, np.maximum(np.abs(low), 1.0), 0.0)
    return Samples.box(low - half, high + half, n=256)


def _check_action(action: Any, d: int) -> None:
    if isinstance(action, AbstractAction) and action.point_dim == d and action.value_dim in (None, d):
        return
    known = isinstance(action, AbstractAction)
    raise InputError(
        explain(
            "These generators do not move the states.",
            given=f"an action on {action.point_dim} coordinates"
            if known
            else f"an object of type {type(action).__name__}",
            expected=f"an action on {d} coordinates",
            fix=f"promote=er.actions.affine({d})",
        )
    )
