"""The connected part of a symmetry group about a centre, as matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import ErlangenError, InputError, explain
from erlangen._typing import NDArray
from erlangen.actions import gl, matrices_of
from erlangen.actions.polynomial import PolynomialAction
from erlangen.derivative import Samples
from erlangen.evidence.discrete._seeker import Centred
from erlangen.evidence.discrete.element_tests import Prepared
from erlangen.verbs.discover import discover
from erlangen.verbs.symmetry import Symmetry


def connected(field: Centred, symmetry: Symmetry | ArrayLike | None, prepared: Prepared) -> tuple[NDArray, str]:
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


def _no_algebra(given: str) -> InputError:
    return InputError(
        explain(
            "The connected part of the group is not known as matrices.",
            given=given,
            expected="a symmetry among linear or affine generators, or matrices (p, d, d)",
            fix="symmetry=er.discover(field, er.actions.gl(d), samples)",
        )
    )
