"""Few generators that generate the same Lie algebra: what they all annihilate, their brackets do too."""

from __future__ import annotations

import numpy as np

from erlangen._errors import InputError
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.algebra import LieAlgebra
from erlangen.derivative.coefficients import carried
from erlangen.derivative.separable import Separable, separate
from erlangen.linalg.polynomials import collect

MOST_GENERATORS = 150
"""Structure constants of more generators take longer than they save."""

CLOSED = 1e-9
"""Rms of the brackets outside the span up to which unit generators count as a Lie algebra: rounding, no noise."""

INDEPENDENT = 1e-6
"""Relative size up to which a new direction counts as rounding: a generator too many is kept rather than dropped."""


def generating_set(lifted: AbstractAction, *, mixed: bool) -> NDArray:
    """Generators ``(r, p)`` that generate all p as a Lie algebra, as few as are found.

    Parameters
    ----------
    lifted : AbstractAction
        Generators on points and values.
    mixed : bool
        Try two or three random combinations, which suffice for semisimple algebras; else a subset of the
        generators as they are, whose equations have more zeros and stay rational.
    """
    p = lifted.n_generators
    parts = separate(lifted) if 2 < p <= MOST_GENERATORS else None
    algebra = None if parts is None else _closed(parts)
    if algebra is None:
        return np.eye(p)
    sizes = np.linalg.norm(algebra.vectors, axis=1)
    constants = algebra.structure_constants * sizes / np.multiply.outer(sizes, sizes)[:, :, None]
    if mixed:
        draws = np.random.default_rng(0).normal(size=(3, p))  # the answer does not depend on the draw: it is verified
        for r in (2, 3):
            if len(_generated(draws[:r], constants)) == p:
                return draws[:r] / sizes
    chosen, span = [], np.zeros((0, p))
    for unit in np.eye(p):
        if np.linalg.norm(unit - (unit @ span.T) @ span) > INDEPENDENT:
            chosen.append(unit)
            span = _generated(np.array(chosen), constants)
    return np.array(chosen)


def _closed(parts: Separable) -> LieAlgebra | None:
    """The algebra of the generators on points and values; None where the brackets leave their span."""
    try:
        algebra = LieAlgebra.from_fields(*joint_fields(parts))
    except InputError:  # dependent generators
        return None
    return algebra if algebra.closure_defect <= CLOSED else None


def joint_fields(parts: Separable) -> tuple[NDArray, NDArray]:
    """The generators as fields (xi(x), tau_xi(x) v) on R^(d + c): exponents and coefficients.

    A field f is symmetric where these are tangent to its graph, so its symmetries are closed under
    their bracket. That of the points alone would not see an output that is no representation.
    """
    action, d = parts.action, parts.action.point_dim
    unit = np.eye(parts.n_generators)
    values = [carried(parts, row) for row in unit]
    c = next((matrix.shape[0] for value in values for _, matrix in value), 0)
    rows = [np.hstack([action.exponents, np.zeros((len(action.exponents), c), dtype=np.int64)])]
    moved = np.zeros((parts.n_generators, d + c, len(action.exponents)))
    moved[: action.n_generators, :d] = action.coefficients
    blocks = [moved]
    for k, value in enumerate(values):
        for power, matrix in value:
            block = np.zeros((parts.n_generators, d + c, c))
            block[k, d:] = matrix
            blocks.append(block)
            rows.append(np.hstack([np.tile(power, (c, 1)), np.eye(c, dtype=np.int64)]))
    table, coefficients = collect(np.vstack(rows), np.concatenate(blocks, axis=2))
    return table, coefficients


def _generated(xi: NDArray, constants: NDArray) -> NDArray:
    """Orthonormal rows that span the Lie algebra that the rows of ``xi (r, p)`` generate."""
    floor = CLOSED * np.abs(constants).max(initial=0.0)
    span = _orthonormal(xi, 0.0)
    while True:
        brackets = np.einsum("ri,ijk,sj->rsk", xi, constants, span, optimize=True).reshape(-1, xi.shape[1])
        grown = _orthonormal(np.vstack([span, brackets]), floor)
        if len(grown) == len(span) or len(grown) == xi.shape[1]:
            return grown
        span = grown


def _orthonormal(rows: NDArray, floor: float) -> NDArray:
    """Orthonormal rows of the same span; rows up to the floor are zero, directions below a millionth too."""
    sizes = np.linalg.norm(rows, axis=1)
    rows = rows[sizes > floor] / sizes[sizes > floor, None]
    _, s, vt = np.linalg.svd(rows, full_matrices=False)
    return vt[s > INDEPENDENT * s.max(initial=0.0)]
