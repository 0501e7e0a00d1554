"""The algebra of generators that are functions rather than polynomials, by their brackets at points."""

from __future__ import annotations

import numpy as np

from erlangen._errors import UndecidedError
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.algebra import LieAlgebra
from erlangen.linalg.qr import rounding
from erlangen.verbs._name import Named, excused

_DIFFERENCED = 1e-9
"""Relative error of a bracket whose derivatives are differences."""


def named(action: AbstractAction, generators: NDArray, x: NDArray, noise: float) -> Named | None:
    """Name the span of ``generators (r, p)`` by structure constants fitted at points ``x (n, d)``.

    None where the generators do not close under brackets, within their error.
    """
    chosen = action.restrict(np.asarray(generators).T)
    velocity = chosen.on_points(x)
    r = velocity.shape[1]
    scale = np.sqrt(np.mean(velocity**2, axis=(0, 1)))
    velocity = velocity / np.where(scale > 0, scale, 1.0)
    flat = velocity.transpose(0, 2, 1).reshape(-1, r)
    brackets = np.zeros((r, r, len(flat)))
    for i in range(r):
        # [X, Y] = DY.X - DX.Y for X the i-th generator; its half DY.X gives the other by antisymmetry.
        moved = chosen.derivative_along(x, chosen.on_points(x)[:, i]) / np.where(scale > 0, scale, 1.0)
        brackets[i] += moved.transpose(1, 0, 2).reshape(r, -1)
    brackets = brackets - brackets.transpose(1, 0, 2)
    solution = np.linalg.lstsq(flat, brackets.reshape(r * r, -1).T, rcond=rounding(flat.shape))[0]
    left = np.linalg.norm(brackets.reshape(r * r, -1).T - flat @ solution)
    size = np.linalg.norm(brackets)
    error = max(noise, _DIFFERENCED)
    if size > 0 and left > excused(error) * size:
        return None
    constants = solution.T.reshape(r, r, r)
    algebra = LieAlgebra.from_structure_constants((constants - constants.transpose(1, 0, 2)) / 2)
    try:
        structure = algebra.identify(noise=min(error, 0.3))
    except UndecidedError:
        return None
    return Named(structure.display(complex_structure=False), "", structure, algebra)
