"""One form out of a space of forms: definite where there is a definite one, else the best conditioned."""

from __future__ import annotations

import numpy as np
from scipy.linalg import schur
from scipy.optimize import linprog

from erlangen._typing import NDArray

CUTS = 60
"""Cutting planes after which no definite form is claimed; few dimensions need as many."""
DRAWS = 32
"""Random combinations that are tried beside the plain sum."""
AS_GOOD = 10.0
"""A simple combination is kept unless another is better conditioned by more than this."""


def choose_metric(forms: NDArray, identity: NDArray, error: float) -> NDArray:
    """A symmetric form ``(d, d)`` out of the span of ``forms (r, d, d)``, definite if there is a definite one.

    The Euclidean form ``identity`` is taken where it lies in the span. Otherwise the least eigenvalue is maximised by
    cutting planes, a linear program each, which also proves that no definite form exists.
    """
    flat = np.linalg.qr(forms.reshape(len(forms), -1).T)[0]
    unit = identity.ravel() / np.linalg.norm(identity)
    shadow = flat @ (flat.T @ unit)
    if np.linalg.norm(shadow - unit) <= max(error, np.sqrt(np.finfo(np.float64).eps)):
        return identity
    form = _most_definite(forms / np.linalg.norm(forms, axis=(1, 2))[:, None, None])
    if form is not None:
        return form
    return choose_conditioned(forms)


def _most_definite(forms: NDArray) -> NDArray | None:
    """The combination with the largest least eigenvalue, or None where that is not positive."""
    r, d, _ = forms.shape
    cuts = list(np.eye(d))
    for _ in range(CUTS):
        rows = np.array([np.append(-np.einsum("kij,i,j->k", forms, v, v), 1.0) for v in cuts])
        bounds = [(-1.0, 1.0)] * r + [(None, None)]
        answer = linprog(np.r_[np.zeros(r), -1.0], A_ub=rows, b_ub=np.zeros(len(rows)), bounds=bounds, method="highs")
        if answer.x is None or answer.x[-1] <= np.sqrt(np.finfo(np.float64).eps):
            return None
        form = np.tensordot(answer.x[:r], forms, axes=1)
        values, vectors = np.linalg.eigh(form)
        if values[0] > answer.x[-1] / AS_GOOD:
            return form
        cuts += list(vectors[:, values <= answer.x[-1] / 2].T)
    return None


def choose_conditioned(forms: NDArray) -> NDArray:
    """The form of largest rank and best condition among single ones, their sum and random combinations."""
    r = len(forms)
    if r == 1:
        return forms[0]
    weights = np.vstack([np.ones((1, r)), np.eye(r), np.random.default_rng(0).normal(size=(DRAWS, r))])
    tried = np.tensordot(weights, forms, axes=1)
    s = np.linalg.svd(tried, compute_uv=False)
    ranks = np.sum(s > np.sqrt(np.finfo(np.float64).eps) * s[:, :1], axis=1)
    full = np.flatnonzero(ranks == ranks.max())
    quality = s[full, ranks.max() - 1] / s[full, 0] if ranks.max() else np.ones(len(full))
    return tried[full[np.flatnonzero(quality >= quality.max() / AS_GOOD)[0]]]


def rank_of(form: NDArray, error: float) -> int:
    """Rank, where entries are known to a relative error."""
    s = np.linalg.svd(form, compute_uv=False)
    return int(np.sum(s > max(error, np.sqrt(np.finfo(np.float64).eps)) * s[0])) if s[0] > 0 else 0


def signature_of(form: NDArray, error: float) -> tuple[int, int]:
    """Numbers of positive and negative eigenvalues of a symmetric form."""
    values = np.linalg.eigvalsh(form)
    cut = max(error, np.sqrt(np.finfo(np.float64).eps)) * np.abs(values).max(initial=0.0)
    return int(np.sum(values > cut)), int(np.sum(values < -cut))


def darboux(omega: NDArray) -> NDArray:
    """Columns ``(d, d)`` of T with ``T^T omega T = [[0, -1], [1, 0]]`` in blocks, omega nondegenerate.

    Coordinates z with x = T z are positions, then momenta.
    """
    d = len(omega)
    blocks, q = schur(omega, output="real")
    upper = np.array([blocks[i, i + 1] for i in range(0, d, 2)])
    first, second = q[:, 0::2], q[:, 1::2]
    # omega(first, second) = upper; positions and momenta take -1.
    flip = upper > 0
    positions = np.where(flip, second, first) / np.sqrt(np.abs(upper))
    momenta = np.where(flip, first, second) / np.sqrt(np.abs(upper))
    return np.hstack([positions, momenta])
