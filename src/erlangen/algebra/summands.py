"""Nearest direct sum: ideals that close on their own, each with its chain, and commute with each other.

No chain of ideals holds a direct sum together: noise lets the outer direction of one solvable summand act on
the next.
"""

from __future__ import annotations

import numpy as np

from erlangen._typing import NDArray
from erlangen.algebra.ambient import AbstractAmbient
from erlangen.algebra.closure import CLOSED, CONVERGED, Closed, Flag, damped_step, frame_of, is_dense, linearise, move

STEPS = 60  # Gauss-Newton steps at most, as for closing one algebra


def close_sum(ambient: AbstractAmbient, pieces: list[NDArray], flags: list[Flag]) -> Closed:
    """Move subspaces to nearby ones that are closed, respect their chains and commute with each other.

    Parameters
    ----------
    ambient : AbstractAmbient
        Where they live.
    pieces : list of ndarray (p_s, N)
        Orthonormal rows of each summand, deepest ideal first.
    flags : list of Flag
        The chain of each.

    Returns
    -------
    Closed
        An orthonormal basis of the sum and how well it closes.
    """
    frames, previous = [frame_of(piece) for piece in pieces], np.inf
    best = Closed(np.vstack(pieces), np.inf, 0)
    if not is_dense(ambient, len(best.basis)):
        return best
    for step in range(STEPS + 1):
        own = [linearise(ambient, frame, flag) for frame, flag in zip(frames, flags, strict=True)]
        residual, jacobian = _joined(ambient, frames, flags, own)
        size = float(np.linalg.norm(residual))
        if size < best.residual:
            best = Closed(np.vstack([f[: flag.dim] for f, flag in zip(frames, flags, strict=True)]), size, step)
        if size < CONVERGED or step - best.iterations > 12 or (size < CLOSED / 10.0 and size > 0.3 * previous):
            break
        previous = size
        change = np.split(damped_step(jacobian, residual, size), np.cumsum([len(o[2][0]) for o in own])[:-1])
        frames = [move(f, flag.dim, o[2], x) for f, flag, o, x in zip(frames, flags, own, change, strict=True)]
    return Closed(frame_of(best.basis)[: len(best.basis)], best.residual, best.iterations)


def _joined(ambient: AbstractAmbient, frames: list[NDArray], flags: list[Flag], own: list) -> tuple[NDArray, NDArray]:
    """Equations of every summand and of their commuting, over the unknowns of all."""
    ends = np.cumsum([0, *(len(o[2][0]) for o in own)])
    residuals, rows = [], []
    for s, (residual, jacobian, _) in enumerate(own):
        wide = np.zeros((len(residual), ends[-1]))
        wide[:, ends[s] : ends[s + 1]] = jacobian
        residuals.append(residual)
        rows.append(wide)
    for s in range(len(own)):
        for t in range(s + 1, len(own)):
            a, b = frames[s][: flags[s].dim], frames[t][: flags[t].dim]
            table = ambient.brackets(a, b)
            wide = np.zeros((*table.shape, ends[-1]))
            _moved(wide[..., ends[s] : ends[s + 1]], ambient.brackets(frames[s], b), own[s][2])
            swapped = np.swapaxes(wide[..., ends[t] : ends[t + 1]], 0, 1)
            _moved(swapped, np.swapaxes(ambient.brackets(a, frames[t]), 0, 1), own[t][2])
            residuals.append(table.ravel())
            rows.append(wide.reshape(table.size, -1))
    return np.concatenate(residuals), np.vstack(rows)


def _moved(out: NDArray, table: NDArray, columns: tuple[NDArray, NDArray, NDArray]) -> None:
    """Write how brackets with another summand change: ``table[b, j]`` is that of frame vector b with its j-th."""
    b, i, gain = columns
    out[i, :, :, np.arange(len(b))] = gain[:, None, None] * table[b]
