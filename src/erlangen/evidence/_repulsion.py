"""Points that repel each other: determinantal samples of a space of functions."""

from __future__ import annotations

import numpy as np

from erlangen._typing import NDArray


def projection_sample(basis: NDArray, count: int, rng: np.random.Generator) -> NDArray:
    """Positions of ``count`` different rows, drawn from the projection process of ``basis (N, m)``.

    The columns are orthonormal. All of m rows are one sample; fewer are a random part of one. Each row is drawn with a
    probability proportional to its square, and then taken out of the space.

    References
    ----------
    Hough, Krishnapur, Peres, Virag, Probability Surveys 3, 2006, algorithm 18.
    """
    weights, rows = np.einsum("nm,nm->n", basis, basis), []
    taken = np.zeros((0, basis.shape[1]))
    for _ in range(count):
        total = np.cumsum(np.maximum(weights, 0.0))
        row = int(np.searchsorted(total, rng.uniform(0.0, total[-1]), side="right"))
        new = basis[row] - taken.T @ (taken @ basis[row])
        new -= taken.T @ (taken @ new)  # once more: the rest may be small
        new /= np.linalg.norm(new)
        weights -= (basis @ new) ** 2
        weights[row] = 0.0
        taken = np.vstack([taken, new])
        rows.append(row)
    return np.array(rows, dtype=np.int64)


def repeated_sample(basis: NDArray, n: int, rng: np.random.Generator) -> NDArray:
    """Positions ``(n,)`` from as many independent projection samples as are needed."""
    m = basis.shape[1]
    sizes = [m] * (n // m) + ([n % m] if n % m else [])
    return np.concatenate([projection_sample(basis, size, rng) for size in sizes])


def stability(basis: NDArray, rows: NDArray, weights: NDArray) -> float:
    """``|G - I|``, the spectral norm, for the Gram matrix G of ``basis (N, m)`` over weighted rows."""
    some = basis[rows]
    gram = some.T @ (some * weights[:, None])
    return float(np.abs(np.linalg.eigvalsh(gram) - 1.0).max())
