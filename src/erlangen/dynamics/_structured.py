"""Fields whose flow preserves a form: volume, or the symplectic form of a phase space."""

from __future__ import annotations

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.dynamics._library import Candidates
from erlangen.dynamics._symmetric import Found
from erlangen.dynamics.poisson import PhaseSpace
from erlangen.dynamics.shooting.flow import Columns
from erlangen.dynamics.units import Units
from erlangen.linalg.null import null_space

PROBES = 4
"""Points for each function at which a form is preserved; as many equations as unknowns, and some more."""


def volume_preserving(found: Candidates, inside: NDArray, points: NDArray) -> Found:
    """Fields without divergence, among combinations of ``inside (d r, k)``."""
    slopes = _slopes(found, points)
    n, r, d = slopes.shape
    rows = slopes.transpose(0, 2, 1).reshape(n, d * r)
    return _null(rows, inside, "fields that preserve volume")


def hamiltonian_fields(found: Candidates, inside: NDArray, points: NDArray, space: PhaseSpace) -> Found:
    """Fields under whose flow the symplectic form W is constant: J^T W + W J = 0 for the Jacobian J.

    Raises
    ------
    InputError
        Where the phase space has other coordinates, or some that are in no pair.
    """
    d = found.field.value_dim
    if len(space.names) != d or 2 * len(space.positions) != d:
        raise InputError(
            explain(
                "The phase space does not fit the states.",
                given=f"{len(space.positions)} pairs among {', '.join(space.names)}",
                expected=f"pairs of all {d} coordinates",
                fix='er.dynamics.PhaseSpace(names, positions=["x"], momenta=["v"])',
            )
        )
    w, slopes = np.linalg.inv(space.matrix), _slopes(found, points)
    a, b = np.triu_indices(d, 1)
    rows = np.einsum("kc,nrk->nkcr", w[a], slopes[:, :, b]) - np.einsum("kc,nrk->nkcr", w[b], slopes[:, :, a])
    pairs = ", ".join(f"({q}, {p})" for q, p in zip(space.positions, space.momenta))
    return _null(rows.reshape(-1, d * slopes.shape[1]), inside, f"Hamiltonian fields of {pairs}")


def homogeneous(found: Candidates, inside: NDArray, points: NDArray, units: Units, names: tuple[str, ...]) -> Found:
    """Fields whose equations hold in all units: [xi, F] = w_t F for the scaling xi of each base unit."""
    drawn = _drawn(found, points)
    columns = Columns.of(found.basis, np.arange(found.basis.size))
    with np.errstate(all="ignore"):
        values, slopes = np.nan_to_num(columns.evaluate(drawn)), _slopes(found, points)
    d, r = len(inside) // len(found.texts), len(found.texts)
    table, clock = units.weights(names)
    blocks = []
    for weights, own in zip(table, clock):
        moved = np.einsum("nrj,nj->nr", slopes, drawn * weights)
        rows = np.zeros((len(drawn), d, d, r))
        for i in range(d):
            rows[:, i, i] = moved - (weights[i] - own) * values
        blocks.append(rows.reshape(-1, d * r))
    return _null(np.concatenate(blocks), inside, "equations that hold in all units") if blocks else Found(inside, "")


def _drawn(found: Candidates, points: NDArray) -> NDArray:
    """Points ``(n, d)`` from the box of the data."""
    shape = (PROBES * len(found.texts), points.shape[1])
    return np.random.default_rng(0).uniform(points.min(axis=0), points.max(axis=0), shape)


def _slopes(found: Candidates, points: NDArray) -> NDArray:
    """Gradients ``(n, r, d)`` at points drawn from the box of the data; zero where they are not finite."""
    drawn = _drawn(found, points)
    with np.errstate(all="ignore"):
        return np.nan_to_num(
            Columns.of(found.basis, np.arange(found.basis.size)).gradients(drawn), posinf=0.0, neginf=0.0
        )


def _null(rows: NDArray, inside: NDArray, what: str) -> Found:
    design = rows @ inside
    lengths = np.linalg.norm(design, axis=0)
    lengths = np.where(lengths > 0, lengths, 1.0)
    basis = null_space(design / lengths).sparse_basis() / lengths[:, None]
    basis = basis / np.where(np.abs(basis).max(axis=0, initial=0.0) > 0, np.abs(basis).max(axis=0, initial=0.0), 1.0)
    return Found(inside @ basis, f"{what}: {basis.shape[1]} of {inside.shape[1]} dimensions")
