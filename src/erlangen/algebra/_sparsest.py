"""The sparsest basis of a span, block by block of coordinates."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from erlangen._typing import NDArray

_PROGRAMME_COLUMNS = 400
_PROGRAMME_WORK = 4e5  # coordinates x rank x rank of a block above which elimination is used instead
_ATTEMPTS = 5  # reweightings in vain before a span is taken to be dense
_INDEPENDENT = 0.05  # least singular value of the chosen unit vectors


def sparsest_vectors(q: NDArray, noise: float) -> list[tuple[NDArray, NDArray]]:
    """Return p sparse unit vectors that span the columns of an orthonormal ``q (N, p)``.

    Each is a pair (columns, values). The projector q q^T falls into blocks of coordinates that
    the span does not couple; the l1 problem falls apart with it.
    """
    projector = q @ q.T
    projector[np.abs(projector) <= 3 * noise] = 0.0
    count, label = connected_components(scipy.sparse.csr_array(projector), directed=False)
    members = np.argsort(label, kind="stable")
    starts = np.searchsorted(label[members], np.arange(count + 1))
    blocks = [members[starts[c] : starts[c + 1]] for c in range(count)]
    ranks = [round(float(projector[block, block].sum())) for block in blocks]
    if sum(ranks) != q.shape[1]:
        # Noise has blurred the blocks: solve the whole at once.
        blocks, ranks = [np.arange(len(q))], [q.shape[1]]
    del projector
    return [row for block, rank in zip(blocks, ranks, strict=True) if rank for row in _of_block(q, block, rank, noise)]


def _of_block(q: NDArray, block: NDArray, rank: int, noise: float) -> list[tuple[NDArray, NDArray]]:
    if rank == len(block):
        return [(block[[j]], np.ones(1)) for j in range(rank)]
    local = q[block]
    if rank < q.shape[1]:
        # The block's own span: the leading directions of these rows; the rest is noise.
        local = np.linalg.svd(local, full_matrices=False)[0][:, :rank]
    vectors = _sparse_in_span(local, noise) if rank > 1 else local.T / np.linalg.norm(local)
    out = []
    for v in vectors:
        keep = np.abs(v) > 3 * noise * np.abs(v).max()
        out.append((block[keep], v[keep]))
    return out


def _sparse_in_span(q: NDArray, noise: float) -> NDArray:
    """Sparse unit rows ``(p, N)`` that span the columns of q."""
    size, p = q.shape
    eliminated = _echelon(q)
    if size > _PROGRAMME_COLUMNS or size * p * p > _PROGRAMME_WORK:
        return eliminated
    # A coordinate that the span hardly reaches has no useful vector with entry 1 there.
    reached = np.flatnonzero(np.linalg.norm(q, axis=1) > max(10 * noise, 1e-6))
    pool = _pool(q, reached, noise)
    # Elimination joins the pool: it costs nothing and now and then wins.
    return _combine_pairs(_greedy(np.array([*pool, *eliminated]), p, noise, eliminated), noise)


def _echelon(q: NDArray) -> NDArray:
    """Reduced echelon form by column pivoting on the rows ``(p, N)``, unit rows."""
    rows = q.T
    pivots = scipy.linalg.qr(rows, mode="r", pivoting=True)[1][: len(rows)]
    reduced = np.linalg.solve(rows[:, pivots], rows)
    return reduced / np.linalg.norm(reduced, axis=1)[:, None]


def _pool(q: NDArray, reached: NDArray, noise: float) -> list[NDArray]:
    """Sparse vectors through each coordinate; those that stay dense are tried again with weights.

    Weights 1 / (abs(v) + noise) pull towards fewer entries. After a few attempts that gain
    nothing the span is taken to have no sparse vectors.
    """
    pool, in_vain = [], 0
    for j in reached:
        v = _least_l1(q, int(j), np.ones(len(q)))
        for _ in range(2):
            if v is None:
                break
            pool.append(v)
            if in_vain >= _ATTEMPTS or _count(v, noise) <= len(q) / 2:
                break
            again = _least_l1(q, int(j), 1 / (np.abs(v) + max(noise, 1e-6)))
            in_vain += again is None or _count(again, noise) >= _count(v, noise)
            v = again
    return pool


def _least_l1(q: NDArray, j: int, weights: NDArray) -> NDArray | None:
    """Unit vector v = q a of least weighted l1 norm among those with v_j = 1."""
    size, p = q.shape
    # Variables: the coordinates a (free), and bounds t >= abs(v).
    above = np.block([[q, -np.eye(size)], [-q, -np.eye(size)]])
    fixed = np.concatenate([q[j], np.zeros(size)])[None]
    cost = np.concatenate([np.zeros(p), weights / weights.max()])
    bounds = [(None, None)] * p + [(0, None)] * size
    answer = scipy.optimize.linprog(cost, above, np.zeros(2 * size), fixed, [1.0], bounds, method="highs")
    if answer.x is None:
        return None
    v = q @ answer.x[:p]
    return v / np.linalg.norm(v)


def _count(v: NDArray, noise: float) -> int:
    return int(np.sum(np.abs(v) > max(10 * noise, 1e-9)))


def _greedy(pool: NDArray, p: int, noise: float, fallback: NDArray) -> NDArray:
    """Take the sparsest vectors that stay well independent (optimal in a matroid)."""
    keys = [(_count(v, noise), round(float(np.abs(v).sum()), 6), k) for k, v in enumerate(pool)]
    ranked = [k for *_, k in sorted(keys)]
    chosen: list[int] = []
    basis = np.zeros((0, pool.shape[1]))
    for k in ranked:
        rest = pool[k] - basis.T @ (basis @ pool[k])
        length = np.linalg.norm(rest)
        if length <= _INDEPENDENT:
            continue
        if np.linalg.svd(pool[[*chosen, k]], compute_uv=False)[-1] <= _INDEPENDENT:
            continue
        chosen.append(k)
        basis = np.vstack([basis, rest / length])
        if len(chosen) == p:
            return pool[chosen]
    return fallback


def _combine_pairs(rows: NDArray, noise: float) -> NDArray:
    """Replace a row by a combination with one other row as long as that saves entries.

    The least l1 norm is not always the fewest entries: a row whose entries are large may be
    avoided although it is the sparser one.
    """
    rows = rows.copy()
    zero = max(10 * noise, 1e-9)
    saved = True
    while saved:
        saved = False
        for i in range(len(rows)):
            # Entry (j, c): the factor with which row j cancels entry c of row i.
            usable = (np.abs(rows) > _INDEPENDENT) & (np.abs(rows[i]) > zero)
            usable[i] = False
            j, c = np.nonzero(usable)
            if not len(j):
                continue
            trials = rows[i] - (rows[i, c] / rows[j, c])[:, None] * rows[j]
            trials /= np.linalg.norm(trials, axis=1)[:, None]
            counts = np.sum(np.abs(trials) > zero, axis=1)
            best = int(np.argmin(counts))
            # In a dense span a few entries fewer are chance.
            if counts[best] < min(_count(rows[i], noise), rows.shape[1] / 2):
                changed = np.vstack([rows[:i], trials[best], rows[i + 1 :]])
                if np.linalg.svd(changed, compute_uv=False)[-1] > _INDEPENDENT:
                    rows, saved = changed, True
    return rows
