"""csr_array images of tensor words: Kronecker products of group elements, Leibniz sums of algebra elements."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2, prod

import numpy as np
import scipy.sparse
from scipy.sparse import csr_array

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray

_MOST_ENTRIES = 200_000_000  # of one image: 2.4 GB with its indices


def kronecker(factors: Sequence[NDArray | csr_array]) -> csr_array:
    """Kronecker product ``(N, N)`` of the factors, the last one varying fastest; 1 where there is none."""
    factors = [csr_array(g) for g in factors]
    check_affordable(prod(g.nnz for g in factors), prod(g.shape[0] for g in factors))
    out = factors[0] if factors else csr_array(np.ones((1, 1)))
    for g in factors[1:]:
        out = scipy.sparse.kron(out, g, format="csr")
    return csr_array(out)


def leibniz(factors: Sequence[NDArray | csr_array]) -> csr_array:
    """Sum over the factors of A with the identity on all others, ``(N, N)``; 0 where there is none."""
    factors = [csr_array(a) for a in factors]
    sizes = [a.shape[0] for a in factors]
    total = prod(sizes)
    check_affordable(sum(a.nnz * (total // a.shape[0]) for a in factors), total)
    out = csr_array((total, total))
    for i, a in enumerate(factors):
        before, after = (prod(part) for part in (sizes[:i], sizes[i + 1 :]))
        inner = scipy.sparse.kron(a, scipy.sparse.eye_array(after), format="csr") if after > 1 else a
        out = out + (scipy.sparse.kron(scipy.sparse.eye_array(before), inner, format="csr") if before > 1 else inner)
    return csr_array(out)


def block_diagonal(blocks: Sequence[tuple[csr_array, int]]) -> csr_array:
    """Blocks along the diagonal, each as often as it is counted."""
    size = sum(n * b.shape[0] for b, n in blocks)
    check_affordable(max(size, sum(n * b.nnz for b, n in blocks)), size)
    repeated = [scipy.sparse.kron(scipy.sparse.eye_array(n), b, format="csr") if n > 1 else b for b, n in blocks if n]
    if len(repeated) == 1:
        return csr_array(repeated[0])
    return csr_array(scipy.sparse.block_diag(repeated, format="csr")) if repeated else csr_array((0, 0))


def check_affordable(entries: int, size: int) -> None:
    """Refuse to build a matrix whose numbers would fill the memory."""
    if max(entries, size) > _MOST_ENTRIES:
        raise InputError(
            explain(
                "The matrices of this representation are too large to be built.",
                given=f"size {_about(size)}: {_about(entries)} nonzero numbers, {_about(12 * entries)} bytes, each",
                expected=f"at most {_about(_MOST_ENTRIES)} numbers",
                fix="lower powers; or factors one by one: the matrices of V give those of V*V",
            )
        )


def _about(n: int) -> str:
    if n < 1_000_000:
        return str(n)
    # Beyond the range of floats only the power of ten is told.
    return f"{n:.1e}" if n.bit_length() < 1000 else f"1e{int(log2(n) / log2(10))}"
