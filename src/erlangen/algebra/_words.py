"""csr_array images of tensor words: Kronecker products of group elements, Leibniz sums of algebra elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse import csr_array


def kronecker(factors: Sequence[NDArray | csr_array]) -> csr_array:
    """Kronecker product ``(N, N)`` of the factors, the last one varying fastest; 1 where there is none."""
    out = csr_array(np.ones((1, 1)))
    for g in factors:
        out = scipy.sparse.kron(out, csr_array(g), format="csr") if out.shape[0] > 1 else csr_array(g)
    return csr_array(out)


def leibniz(factors: Sequence[NDArray | csr_array]) -> csr_array:
    """Sum over the factors of A with the identity on all others, ``(N, N)``; 0 where there is none."""
    sizes = [a.shape[0] for a in factors]
    total = int(np.prod(sizes, dtype=np.int64))
    out = csr_array((total, total))
    for i, a in enumerate(factors):
        before, after = (int(np.prod(part, dtype=np.int64)) for part in (sizes[:i], sizes[i + 1 :]))
        inner = (
            scipy.sparse.kron(csr_array(a), scipy.sparse.eye_array(after), format="csr") if after > 1 else csr_array(a)
        )
        out = out + (scipy.sparse.kron(scipy.sparse.eye_array(before), inner, format="csr") if before > 1 else inner)
    return csr_array(out)


def block_diagonal(blocks: Sequence[tuple[csr_array, int]]) -> csr_array:
    """Blocks along the diagonal, each as often as it is counted."""
    repeated = [scipy.sparse.kron(scipy.sparse.eye_array(n), b, format="csr") if n > 1 else b for b, n in blocks if n]
    if len(repeated) == 1:
        return csr_array(repeated[0])
    return csr_array(scipy.sparse.block_diag(repeated, format="csr")) if repeated else csr_array((0, 0))
