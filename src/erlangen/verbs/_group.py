"""The group of a symmetry whose generators came from data: near ones that close to rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from erlangen._errors import UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Group, LieAlgebra
from erlangen.algebra.closure import CLOSED
from erlangen.algebra.groups import from_matrices
from erlangen.linalg.qr import rounding
from erlangen.verbs._export import matrices
from erlangen.verbs._name import OUTSIDE, excused

if TYPE_CHECKING:
    from erlangen.verbs.symmetry import Symmetry


def group_of(sym: Symmetry) -> Group:
    """The connected group of a linear or affine symmetry.

    Generators from data carry an error. Three rotations that do not quite close generate all matrices, and a
    rotation of two planes at not quite one speed leaves fewer maps alone: either way, almost nothing would be
    equivariant. So generators that do not close are replaced by their projections onto the nearest algebra that
    does (in units of the samples), within the error of the generators. Where none is near, there is no group.
    """
    found = matrices(sym)
    units = np.ones(found.shape[1])
    units[: sym.candidates.point_dim] = sym.scales.points
    whitened = found * (units / units[:, None])
    whitened = _closed(sym, whitened) if sym.dim > 1 else _turned(sym, whitened)
    exact = whitened * (units[:, None] / units)
    return from_matrices(lie_algebra=exact, name=sym.name)


def _closed(sym: Symmetry, a: NDArray) -> NDArray:
    """Generators ``(p, k, k)`` of the same or the nearest closed span."""
    algebra = LieAlgebra.from_matrices(a)
    if algebra.closure_defect <= rounding(a.shape):
        return a
    if algebra.closure_defect <= excused(sym.noise):
        structure = algebra.identify(noise=min(sym.noise, OUTSIDE))
        basis = np.asarray(structure.basis, dtype=np.float64).reshape(structure.dim, -1)
        moved = (a.reshape(len(a), -1) @ basis.T @ basis).reshape(a.shape)
        if structure.dim == len(a) and LieAlgebra.from_matrices(moved).closure_defect <= CLOSED:
            return moved
    raise UndecidedError(
        explain(
            "The generators do not span a Lie algebra, so there is no group.",
            given=f"{sym.name}: {sym.dim} generators, brackets {algebra.closure_defect:.2g} outside their span",
            expected=f"generators that close within their error {sym.noise:.2g}",
            fix="a smaller delta, more data or fewer candidates; er.groups.from_matrices(...) for known generators",
        )
    )


def _turned(sym: Symmetry, a: NDArray) -> NDArray:
    """One generator ``(1, k, k)``: a rotation turns all its planes at one speed, and leaves the rest alone."""
    if sym.name != "so(2)":
        return a
    values, vectors = np.linalg.eig(a[0])
    angular = np.imag(values)
    speed = float(np.abs(angular).max())
    turning = np.abs(values) > 0.5 * speed
    exact = 1j * np.sign(angular) * np.sqrt(np.mean(angular[turning] ** 2)) * turning
    if np.abs(exact - values).max() <= rounding(a.shape) * speed:
        return a
    return np.real(vectors @ np.diag(exact) @ np.linalg.inv(vectors))[None]
