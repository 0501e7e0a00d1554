"""Constant bilinear forms that a set of Jacobians respects: null spaces with relative defects.

A form X with X^T = e X (e = 1 symmetric, e = -1 antisymmetric) is asked for X J symmetric (t = 1) or antisymmetric
(t = -1) at all points. Its relative defect s has ``s^2 = E|X J - t (X J)^T|^2 / 2 E|X J|^2``: 1 is what unrelated
Jacobians give, for the two terms are then as large as each other and at right angles. In the eigenbasis of E[J J^T],
with eigenvalues c, the denominator is diagonal: ``2 sum_ab X_ab^2 c_b``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.linalg.qr import rounding, triangular_factor
from erlangen.linalg.subspace import echelon
from erlangen.linalg.svd import svd

BUDGET = 2e11
"""Operations of a triangular factor beyond which Jacobians are mixed at random before it."""
MIXTURES = 4
"""Random mixtures of Jacobians that take their place: two decide a null space, the others average."""
BESIDE = 8
"""Directions beside the null space that are measured again on all Jacobians after mixing."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Jacobians in the eigenbasis of E[J J^T], as few as span them.

    Attributes
    ----------
    jacobians : ndarray (K, d, d)
        Combinations of the Jacobians whose sum of squares is their mean of squares, in every form.
    axes : ndarray (d, d)
        The eigenvectors as columns, in scaled coordinates.
    sizes : ndarray (d,)
        The eigenvalues c.
    error : float
        Relative error of the Jacobians.
    """

    jacobians: NDArray
    axes: NDArray
    sizes: NDArray
    error: float

    @classmethod
    def of(cls, jacobians: NDArray, weights: NDArray, error: float) -> Frame:
        """The frame of Jacobians ``(n, d, d)`` with weights ``(n,)`` that add up to one."""
        n, d, _ = jacobians.shape
        rows = (np.sqrt(weights)[:, None, None] * jacobians).transpose(0, 2, 1).reshape(n * d, d)
        _, s, axes = svd(triangular_factor([rows], d))
        turned = axes @ jacobians @ axes.T
        flat = np.sqrt(weights)[:, None] * turned.reshape(n, d * d)
        if n > d * d:
            flat = triangular_factor([flat], d * d)
        _, sizes, few = svd(flat)
        keep = sizes > rounding(flat.shape) * sizes[0]
        return cls((sizes[keep, None] * few[keep]).reshape(-1, d, d), axes.T, s**2, max(error, rounding((d, d))))


@dataclass(frozen=True, eq=False)
class FormSpectrum:
    """Forms in ascending order of their defects.

    Attributes
    ----------
    values : ndarray (r,)
        Relative defects.
    forms : ndarray (r, d, d)
        The forms in scaled coordinates; after mixing only the first few.
    floors : ndarray (r,)
        What the error of the Jacobians alone would give for each of them.
    inert : ndarray (i, d, d)
        Forms that vanish on all velocities' derivatives, as those of coordinates that never change.
    mixed : bool
        Whether defects beyond the first few are estimates from random mixtures.
    """

    values: NDArray
    forms: NDArray
    floors: NDArray
    inert: NDArray
    mixed: bool


def form_spectrum(frame: Frame, parity: int, product: int) -> FormSpectrum:
    """Solve for forms of a parity (1 symmetric, -1 antisymmetric) whose product with J has one, too.

    Parameters
    ----------
    frame : Frame
    parity : {1, -1}
        Of the form.
    product : {1, -1}
        Of its product with the Jacobians.

    Returns
    -------
    FormSpectrum
    """
    d = len(frame.sizes)
    a, b = np.triu_indices(d, 0 if parity > 0 else 1)
    sizes = np.sqrt(np.where(a == b, 2 * frame.sizes[a], 2 * (frame.sizes[a] + frame.sizes[b])))
    moving = sizes > frame.error * np.sqrt(frame.sizes.sum())
    inert = _matrices(np.eye(len(a))[:, ~moving], a, b, parity, frame)
    a, b, sizes = a[moving], b[moving], sizes[moving]
    p = len(a)
    if p == 0:
        return FormSpectrum(np.zeros(0), np.zeros((0, d, d)), np.zeros(0), inert, False)
    rows = d * (d - 1) // 2 if product > 0 else d * (d + 1) // 2
    jacobians, mixed = frame.jacobians, 2.0 * len(frame.jacobians) * rows * p * p > BUDGET
    if mixed:
        mixing = np.random.default_rng(0).normal(size=(MIXTURES, len(jacobians))) / np.sqrt(MIXTURES)
        jacobians = np.einsum("mk,kij->mij", mixing, jacobians)
    blocks = (_rows(j, a, b, parity, product) / sizes for j in jacobians)
    _, s, vt = svd(triangular_factor(blocks, p))
    values, vectors = s[::-1], vt[::-1].T
    if mixed:
        values, vectors = _again(frame, values, vectors, sizes, (a, b), parity, product)
    forms = _matrices(vectors / sizes[:, None], a, b, parity, frame)
    spread = np.sqrt(2 * frame.sizes.mean()) * np.linalg.norm(forms, axis=(1, 2))
    floors = np.maximum(frame.error * spread, rounding((p, p)))
    return FormSpectrum(values, forms, floors, inert, mixed)


def _rows(j: NDArray, a: NDArray, b: NDArray, parity: int, product: int) -> NDArray:
    """The equations of one Jacobian, ``(rows, p)``: entries of X J - t (X J)^T for each basis form X."""
    d, k = len(j), np.arange(len(a))
    out = np.zeros((d, d, len(a)))
    out[a, :, k] = j[b]
    off = a != b
    out[b[off], :, k[off]] += parity * j[a[off]]
    out = out - product * out.transpose(1, 0, 2)
    i, l = np.triu_indices(d, 1 if product > 0 else 0)
    return out[i, l] * np.where(i == l, 1.0, np.sqrt(2.0))[:, None]


def _again(
    frame: Frame,
    values: NDArray,
    vectors: NDArray,
    sizes: NDArray,
    pairs: tuple[NDArray, NDArray],
    parity: int,
    product: int,
) -> tuple[NDArray, NDArray]:
    """Measure the first directions on all Jacobians, and sort them anew."""
    count = min(len(values), int(np.sum(values < np.sqrt(np.finfo(np.float64).eps))) + BESIDE)
    forms = _symmetrised(vectors[:, :count] / sizes[:, None], *pairs, parity, len(frame.sizes))

    def rows() -> Iterator[NDArray]:
        for j in frame.jacobians:
            moved = forms @ j
            yield (moved - product * moved.transpose(0, 2, 1)).reshape(count, -1).T

    _, s, vt = svd(triangular_factor(rows(), count))
    return np.r_[s[::-1], np.maximum(values[count:], s[0])], vectors[:, :count] @ vt[::-1].T


def _matrices(columns: NDArray, a: NDArray, b: NDArray, parity: int, frame: Frame) -> NDArray:
    """Forms ``(r, d, d)`` in scaled coordinates of coefficients ``(p, r)``."""
    return frame.axes @ _symmetrised(columns, a, b, parity, len(frame.sizes)) @ frame.axes.T


def _symmetrised(columns: NDArray, a: NDArray, b: NDArray, parity: int, d: int) -> NDArray:
    out = np.zeros((columns.shape[1], d, d))
    out[:, b, a] = parity * columns.T
    out[:, a, b] = columns.T
    return out


def readable(forms: NDArray, parity: int, error: float) -> NDArray:
    """A sparse basis ``(r, d, d)`` of the span of forms, entries within the error of zero set to zero."""
    r, d, _ = forms.shape
    a, b = np.triu_indices(d, 0 if parity > 0 else 1)
    if r == 0:
        return forms
    columns = forms[:, a, b].T
    basis = echelon(np.linalg.qr(columns)[0])
    basis = basis / np.abs(basis).max(axis=0)
    basis[np.abs(basis) <= error] = 0.0
    return _symmetrised(basis, a, b, parity, d)
