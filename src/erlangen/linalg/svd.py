"""Singular value decompositions that end."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from erlangen._typing import NDArray


def svd(a: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Thin decomposition ``u (m, r), s (r,), vt (r, p)`` of a finite ``a (m, p)``, r the smaller side.

    Divide and conquer, the fast method, can fail to converge on matrices of low rank; then QR iteration is used.
    """
    try:
        return np.linalg.svd(a, full_matrices=False)
    except np.linalg.LinAlgError:
        return linalg.svd(a, full_matrices=False, lapack_driver="gesvd")
