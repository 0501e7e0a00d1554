"""Nearest closed subspace, with or without a prescribed chain of ideals.

The unknowns move each basis vector normal to its own member of the chain; the equations say that brackets
stay where the chain wants them. Solutions are never isolated (conjugations), hence the damping.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.algebra.ambient import AbstractAmbient
from erlangen.algebra.structure import Anatomy, subtract

CONVERGED = 1e-14  # norm of the residual brackets: near an abelian algebra it is the square of the error
CLOSED = 1e-9  # a residual that counts as closed: below every threshold that names are read at
INNER_GAIN = 5.0  # moves inside V do not change V: they cost a fifth
SLICE = 4e6  # numbers in the brackets that are held at once
DENSE_LIMIT = 3e7  # entries of the Jacobian beyond which closing is not attempted


@dataclass(frozen=True)
class Flag:
    """Dimensions of a chain of ideals V > R > N > [V, R] > [N, N] > ... of a p-dimensional algebra.

    Attributes
    ----------
    dim, radical, nilradical, image : int
        Dimensions of V, R, N and [V, R].
    nil_series : tuple of int
        Dimensions of N, [N, N], [N, [N, N]], ... down to zero.
    unimodular : bool
        Whether all tr ad_x vanish.
    blocks : tuple of int
        Sizes of parts of N, deepest first, on which the one direction outside N acts as one common scalar:
        (m,) is a dilation, (1, 1) a Jordan block. Empty: no such condition.
    """

    dim: int
    radical: int = 0
    nilradical: int = 0
    image: int = 0
    nil_series: tuple[int, ...] = ()
    unimodular: bool = False
    blocks: tuple[int, ...] = ()

    @property
    def members(self) -> tuple[int, ...]:
        """Distinct dimensions in ascending order."""
        own = {self.dim, self.radical, self.nilradical, self.image, *self.nil_series}
        return tuple(sorted((own | set(np.cumsum(self.blocks, dtype=int).tolist())) - {0}))

    def home(self) -> NDArray:
        """Dimension of the smallest member that holds each basis vector, deepest vectors first."""
        members = np.array(self.members)
        return members[np.searchsorted(members, np.arange(self.dim), side="right")]

    def targets(self, i: NDArray, j: NDArray) -> NDArray:
        """Dimension of the member that must hold the bracket of basis vectors i and j."""
        low, high = np.minimum(i, j), np.maximum(i, j)
        target = np.full(i.shape, self.dim)
        for member in self.members:
            target = np.where(low < member, np.minimum(target, member), target)
        if self.radical:
            target = np.where(low < self.radical, np.minimum(target, self.image), target)
        for member, following in zip(self.nil_series, self.nil_series[1:], strict=False):
            inside = (high < self.nilradical) & (low < member)
            target = np.where(inside, np.minimum(target, following), target)
        return target


@dataclass(frozen=True, eq=False)
class Closed:
    """A closed subspace near a given one.

    Attributes
    ----------
    basis : ndarray (p, N)
        Orthonormal rows, deepest ideal first.
    residual : float
        Norm of what the brackets still violate.
    iterations : int
        Steps taken.
    """

    basis: NDArray
    residual: float
    iterations: int

    @property
    def converged(self) -> bool:
        """Whether the brackets close to rounding."""
        return self.residual < CLOSED


def flag_of(parts: Anatomy) -> tuple[Flag, NDArray] | None:
    """Chain of ideals of an anatomy with its nested basis ``(p, p)``, None where the pieces do not nest."""
    chain = [*parts.nil_series[::-1], parts.image, parts.nilradical, parts.radical]
    chain.sort(key=lambda basis: basis.shape[1])
    nested = np.zeros((parts.dim, 0))
    for basis in [*chain, np.eye(parts.dim)]:
        if basis.shape[1] > nested.shape[1]:
            nested = np.hstack([nested, subtract(basis, nested)])
    dims = (parts.radical.shape[1], parts.nilradical.shape[1], parts.image.shape[1])
    if not dims[0] >= dims[1] >= dims[2]:
        return None
    series = tuple(basis.shape[1] for basis in parts.nil_series)
    if series and series[-1] != 0:  # nilpotent all the same: what repeats at the end is noise
        series = (*series[: max(len(series) - 1, 1)], 0)
    return Flag(parts.dim, *dims, series, parts.unimodular), np.linalg.qr(nested)[0]


def frame_of(basis: NDArray) -> NDArray:
    """Orthogonal ``(N, N)`` rows whose first p span the rows of ``basis (p, N)`` in nested order."""
    q, r = np.linalg.qr(basis.T, mode="complete")
    signs = np.where(np.diag(r[: len(basis)]) < 0, -1.0, 1.0)
    q[:, : len(basis)] *= signs
    return q.T


def close(ambient: AbstractAmbient, basis: NDArray, flag: Flag | None = None, *, steps: int = 60) -> Closed:
    """Move a subspace to a nearby one that is closed under the bracket and has a given chain of ideals.

    Parameters
    ----------
    ambient : AbstractAmbient
        Where the basis lives.
    basis : ndarray (p, N)
        Orthonormal rows, deepest ideal first.
    flag : Flag, optional
        The chain to respect; none by default.
    steps : int
        Largest number of Levenberg-Marquardt steps.

    Returns
    -------
    Closed
        The subspace and how well it closes.
    """
    flag = flag or Flag(len(basis))
    frame, best, previous = frame_of(basis), Closed(basis, np.inf, 0), np.inf
    if not is_dense(ambient, len(basis)):
        return best
    for step in range(steps + 1):
        residual, jacobian, columns = linearise(ambient, frame, flag)
        size = float(np.linalg.norm(residual))
        if size < best.residual:
            best = Closed(frame[: len(basis)], size, step)
        if size < CONVERGED or step == steps or columns[0].size == 0 or not np.isfinite(size):
            break
        # At a singular point the rest shrinks slowly along directions that change no structure constant.
        if step - best.iterations > 12 or (size < CLOSED / 10.0 and size > 0.3 * previous):
            break
        previous = size
        frame = move(frame, len(basis), columns, damped_step(jacobian, residual, size))
    return best


def is_dense(ambient: AbstractAmbient, p: int) -> bool:
    """Whether the Jacobian of closing p generators fits in memory."""
    n = ambient.dim
    return p * p / 2 * n * p * n <= 40 * DENSE_LIMIT and (p * (p - 1) / 2 * (n - p)) * p * (n - p) <= DENSE_LIMIT


def damped_step(jacobian: NDArray, residual: NDArray, size: float) -> NDArray:
    """Levenberg-Marquardt step with a damping that shrinks as the residual's norm ``size`` does."""
    normal = jacobian.T @ jacobian
    mean = float(np.trace(normal)) / max(len(normal), 1)
    if mean == 0.0:
        return np.zeros(len(normal))
    damping = min(size * size, 0.01 * mean) + 1e-11 * mean
    normal[np.diag_indices_from(normal)] += damping
    try:
        return np.linalg.solve(normal, -jacobian.T @ residual)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(normal, -jacobian.T @ residual, rcond=None)[0]


def move(frame: NDArray, p: int, columns: tuple[NDArray, NDArray, NDArray], step: NDArray) -> NDArray:
    """Frame after moving its first p rows by a step in the unknowns of :func:`linearise`."""
    b, i, gain = columns
    change = np.zeros((len(frame), p))
    change[b, i] = step * gain
    return frame_of(frame[:p] + change.T @ frame)


def linearise(
    ambient: AbstractAmbient, frame: NDArray, flag: Flag
) -> tuple[NDArray, NDArray, tuple[NDArray, NDArray, NDArray]]:
    """Residual brackets, their Jacobian, and the unknowns (direction b, vector i, gain) of its columns."""
    p, n = flag.dim, len(frame)
    table = ambient.brackets(frame[:p], frame)  # [q_i, f_b], then its components in the frame
    table = np.concatenate([table[..., :n] @ frame.T, table[..., n:]], axis=2)
    m = table.shape[2]
    home = flag.home()
    b, i = np.nonzero(np.arange(n)[:, None] >= home[None, :])
    gain = np.where(b < p, INNER_GAIN, 1.0)
    first, second = np.triu_indices(p, 1)
    wanted = np.arange(m)[None, :] >= flag.targets(first, second)[:, None]
    pair, out = np.nonzero(wanted)
    r, s = first[pair], second[pair]
    residual = table[r, s, out]
    jacobian = np.zeros((len(pair), len(b)))
    where = np.full((n, p), -1)
    where[b, i] = np.arange(len(b))
    _bracket_terms(jacobian, table, where, home, (r, s, out))
    _projection_terms(jacobian, table, where, (r, s, out), flag.targets(r, s))
    if flag.unimodular:
        trace, gradient = _trace_rows(table, where, p)
        residual, jacobian = np.concatenate([residual, trace]), np.vstack([jacobian, gradient])
    if flag.blocks:
        scalar, gradient = _scalar_rows(table, where, flag)
        residual, jacobian = np.concatenate([residual, scalar]), np.vstack([jacobian, gradient])
    return residual, jacobian * gain, (b, i, gain)


def _bracket_terms(
    jacobian: NDArray, table: NDArray, where: NDArray, home: NDArray, rows: tuple[NDArray, NDArray, NDArray]
) -> None:
    """Add d/dX of [E_i, q_j] + [q_i, E_j]."""
    r, s, out = rows
    for vector in range(where.shape[1]):
        low = home[vector]
        columns = where[low:, vector]
        if columns.size == 0:
            continue
        for mine, other, sign in ((r, s, -1.0), (s, r, 1.0)):
            at = np.flatnonzero(mine == vector)
            jacobian[at[:, None], columns[None, :]] += sign * table[other[at], low : len(where), out[at]]


def _projection_terms(
    jacobian: NDArray, table: NDArray, where: NDArray, rows: tuple[NDArray, NDArray, NDArray], target: NDArray
) -> None:
    """Subtract c[i,j,k] E_k: the member that should hold the bracket moves too."""
    r, s, out = rows
    p, n = where.shape[1], len(where)
    inside = out < n
    at = np.flatnonzero(inside)
    columns = where[out[at]]
    weights = np.where((np.arange(p)[None, :] < target[at, None]) & (columns >= 0), table[r[at], s[at], :p], 0.0)
    line, k = np.nonzero(weights)
    np.subtract.at(jacobian, (at[line], columns[line, k]), weights[line, k])


def _trace_rows(table: NDArray, where: NDArray, p: int) -> tuple[NDArray, NDArray]:
    """Equations tr ad_{q_i} = 0 and their gradient."""
    n = len(where)
    trace = np.einsum("ikk->i", table[:, :p, :p])
    outer = -np.einsum("kbk->b", table[:, :, :p])  # sum_k of the k-component of [f_b, q_k]
    gradient = np.zeros((p, int(where.max(initial=-1)) + 1))
    for i in range(p):
        free = where[:, i] >= 0
        gradient[i, where[free, i]] += outer[free]
        for k in range(p):  # moves inside V leave a trace on V alone
            free = (where[:, k] >= 0) & (np.arange(n) >= p)
            gradient[i, where[free, k]] += table[i, :n, :][free, k]
    return trace, gradient


def _scalar_rows(table: NDArray, where: NDArray, flag: Flag) -> tuple[NDArray, NDArray]:
    """Equations "the last vector acts on the blocks of N as one scalar" and their gradient.

    A move of q_v along f_b inside the span turns q_b the other way, which keeps the basis orthonormal.
    """
    m, p, n = sum(flag.blocks), where.shape[1], len(where)
    block = np.repeat(np.arange(len(flag.blocks)), flag.blocks)
    inside = (block[:, None] == block[None, :]).ravel()
    traceless = np.eye(m * m) - np.outer(np.eye(m).ravel(), np.eye(m).ravel()) / m
    rows = traceless[inside]
    gradient = np.zeros((len(rows), int(where.max(initial=-1)) + 1))
    for v in range(p):
        free = np.flatnonzero(where[:, v] >= 0)
        change = np.zeros((n, m, m))
        if v < m:
            change[:, v, :] -= table[m, :n, :m]
            change[:, :, v] += table[:m, m, :n].T
        else:
            change += np.swapaxes(table[:m, :n, :m], 0, 1)
        for b in range(m):
            change[b, b, :] -= table[v, m, :m]
            change[b, :, b] -= table[:m, m, v]
        change[m] -= table[:m, v, :m]
        gradient[:, where[free, v]] = rows @ change[free].reshape(len(free), -1).T
    return rows @ table[:m, m, :m].ravel(), gradient


def closure_defect(ambient: AbstractAmbient, basis: NDArray) -> float:
    """Root mean square of |(1-P)[q_i, q_j]| over pairs of orthonormal rows, absolute."""
    p, n = basis.shape
    if p < 2:
        return 0.0
    total = 0.0
    for table in in_slices(ambient, basis):
        table[..., :n] -= (table[..., :n] @ basis.T) @ basis
        total += float((table**2).sum())
    return float(np.sqrt(total / (p * (p - 1))))


def in_slices(ambient: AbstractAmbient, basis: NDArray) -> Iterator[NDArray]:
    """Brackets of a few rows at a time with all rows ``(., p, M)``: all at once need p^2 M numbers."""
    rows = max(int(SLICE / max(basis.size, 1)), 1)
    for start in range(0, len(basis), rows):
        yield ambient.brackets(basis[start : start + rows], basis)


def constants_in(ambient: AbstractAmbient, basis: NDArray) -> NDArray:
    """Structure constants ``(p, p, p)`` of orthonormal rows, by projection."""
    p, n = basis.shape
    parts = [table[..., :n] @ basis.T for table in in_slices(ambient, basis)]
    return np.concatenate(parts) if parts else np.zeros((p, p, p))


def codimension(ambient: AbstractAmbient, basis: NDArray, floor: float) -> int:
    """Number of independent conditions that a subspace meets: p(N-p) less the conjugates it has."""
    p, n = basis.shape
    movers = ambient.movers()
    moved = ambient.brackets(movers, basis)
    outside = moved[..., n:].reshape(len(movers), -1)
    inside = moved[..., :n] - (moved[..., :n] @ basis.T) @ basis
    rows = inside.reshape(len(movers), -1)
    if outside.size:  # a mover that leaves the ansatz is no move inside it
        rows = _staying(outside) @ rows
    values = np.sqrt(np.clip(np.linalg.eigvalsh(rows @ rows.T), 0.0, None))
    return p * (n - p) - int((values > max(floor, 1e-7)).sum())


def closing_rank(ambient: AbstractAmbient, basis: NDArray, floor: float) -> int:
    """Number of independent conditions that closing alone imposes to first order near a subspace.

    Fewer than its codimension where the closed subspaces have a singular point (abelian, unequal copies).
    """
    _, jacobian, _ = linearise(ambient, frame_of(basis), Flag(len(basis)))
    values = np.sqrt(np.clip(np.linalg.eigvalsh(jacobian.T @ jacobian), 0.0, None))
    return int((values > max(floor, 1e-7)).sum())


def _staying(outside: NDArray) -> NDArray:
    """Combinations of movers whose part outside the ansatz vanishes."""
    u, s, _ = np.linalg.svd(outside, full_matrices=True)
    return u[:, int((s > 1e-9).sum()) :].T
