"""Separable actions: all p generators from one outer product of the Jacobian with r features.

For a polynomial action xi_k(x)_a = sum_r C[k, a, r] psi_r(x), and the lifts carry values by the
same coefficients, tau_k(x) v = sum_r C[k, a, r] psi'_r(x, v). So L is the contraction of
Df_ca psi_r - delta_ca psi'_r with C: one Jacobian pass serves every generator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from erlangen._typing import NDArray
from erlangen.actions import (
    AbstractAction,
    Combination,
    IncrementLift,
    KernelAction,
    PolynomialAction,
    TangentLift,
    UnknownOutput,
    product,
)
from erlangen.actions.kernel import fibre_matrices
from erlangen.derivative.forms import AbstractForm, DenseForm, KroneckerForm
from erlangen.linalg.polynomials import monomials

DENSE_ENTRIES = 1_000_000
"""Entries of a coefficient matrix up to which a dense product is used (8 MB)."""


@dataclass(frozen=True, eq=False)
class Separable:
    """The parts of a separable action.

    Attributes
    ----------
    action : PolynomialAction
        The action on points.
    carried : {"no", "tangent", "increment"}
        How values are carried by the coefficients of the points.
    linear : ndarray (p, c, c + 1) or None
        Linear part and shift of each generator on values.
    n_outputs : int
        Generators after those of ``action`` that move values only.
    """

    action: PolynomialAction
    carried: str
    linear: NDArray | None
    n_outputs: int

    @property
    def n_generators(self) -> int:
        """Number p of generators."""
        return self.action.n_generators + self.n_outputs

    def features(self, x: NDArray) -> NDArray:
        """Point features psi ``(n, r)``."""
        return monomials(x, self.action.exponents)

    def value_features(self, x: NDArray, v: NDArray) -> NDArray | None:
        """Value features psi' ``(n, r)``; None where values are not carried by the point coefficients."""
        if self.carried == "tangent":
            return self.action.feature_derivatives(x, v)
        return self.features(x + v) - self.features(x) if self.carried == "increment" else None

    def contract(self, outer: NDArray) -> NDArray:
        """Contract ``outer (m, d * r)`` with the coefficients: ``(m, p)``, zero for the output generators."""
        a = outer if self.action.is_full else self._combine(outer)
        return a if self.n_outputs == 0 else np.hstack([a, np.zeros((len(a), self.n_outputs))])

    def _combine(self, outer: NDArray) -> NDArray:
        """Product with the coefficients: dense where that is one small matrix product, sparse for many generators."""
        matrix = self.action.matrix
        if matrix.shape[0] * matrix.shape[1] <= DENSE_ENTRIES:
            return outer @ matrix.toarray().T
        return np.ascontiguousarray((matrix @ outer.T).T)

    def rows(self, x: NDArray, f: NDArray, jacobian: NDArray) -> NDArray:
        """Rows ``(n, c, p)`` of the Lie derivative at points ``x (n, d)``."""
        n, c, d = jacobian.shape
        psi = self.features(x)
        outer = jacobian[:, :, :, None] * psi[:, None, None, :]
        carried = self.value_features(x, f)
        if carried is not None:
            channel = np.arange(c)
            outer[:, channel, channel, :] -= carried[:, None, :]
        out = self.contract(outer.reshape(n * c, d * psi.shape[1])).reshape(n, c, -1)
        if self.linear is not None:
            out -= np.einsum("kab,nb->nak", self.linear, _with_one(f))
        return out

    def form(self, psi_factor: NDArray, value_factor: NDArray | None, s: NDArray, t: NDArray) -> AbstractForm:
        """The form of which the features have the factors ``psi_factor (r, r)`` and ``value_factor (c+1, c+1)``.

        ``s (d,)`` and ``t (c,)`` are the scales of points and values.
        """
        if self.action.is_full and self.linear is None and self.n_outputs == 0:
            return KroneckerForm(psi_factor, s)
        d, r = self.action.exponents.shape[1], len(psi_factor)
        blocks = [
            (self.action.matrix[:, a * r : (a + 1) * r] @ psi_factor.T).T / s[a]  # one block per coordinate
            for a in range(d)
        ]
        dense = np.vstack(blocks)
        dense = np.hstack([dense, np.zeros((len(dense), self.n_outputs))])
        if self.linear is not None and value_factor is not None:
            moved = np.einsum("kab,jb->ajk", self.linear, value_factor) / t[:, None, None]
            dense = np.vstack([dense, moved.reshape(-1, self.n_generators)])
        return DenseForm(dense)


def separate(action: AbstractAction) -> Separable | None:
    """Recognise a separable action; None where the generators must be evaluated one by one."""
    if isinstance(action, PolynomialAction):
        return Separable(action, "no", _pad(action.output), 0)
    if isinstance(action, TangentLift) and isinstance(action.base, PolynomialAction):
        return Separable(action.base, "tangent", None, 0)
    if isinstance(action, IncrementLift) and isinstance(action.base, PolynomialAction):
        return Separable(action.base, "increment", None, 0)
    if isinstance(action, UnknownOutput) and isinstance(action.base, PolynomialAction):
        return Separable(action.base, "no", _unknown(action), action.n_outputs)
    if isinstance(action, KernelAction):
        return _kernel(action)
    if isinstance(action, Combination):
        return _combined(action)
    return None


def _kernel(action: KernelAction) -> Separable | None:
    """Kernels under affine generators: the divergence and the matrices on values are constant."""
    sides = [a.base if isinstance(a, TangentLift) else a for a in (action.target, action.source)]
    plain = [replace(a, output=None) for a in sides if isinstance(a, PolynomialAction) and a.degree <= 1]
    if len(plain) < 2:
        return None
    unit = np.eye(action.n_generators)
    fibres = fibre_matrices(action, np.zeros((1, action.point_dim)))[0]
    return Separable(product(*plain).restrict(np.vstack([unit, unit])), "no", _pad(fibres), 0)


def _combined(action: Combination) -> Separable | None:
    parts = separate(action.base)
    if parts is None or parts.linear is None:
        return None
    moving = action.basis[: parts.action.n_generators]
    linear = np.tensordot(action.basis.T, parts.linear, 1)
    return Separable(parts.action.restrict(moving), parts.carried, linear, 0)


def _pad(output: NDArray | None) -> NDArray | None:
    return None if output is None else np.concatenate([output, np.zeros((*output.shape[:2], 1))], axis=2)


def _unknown(action: UnknownOutput) -> NDArray:
    c, p = action.channels, action.base.n_generators
    moved = np.zeros((action.n_generators, c, c + 1))
    for i in range(c * c):
        moved[p + i, i // c, i % c] = 1.0
    for a in range(action.n_outputs - c * c):
        moved[p + c * c + a, a, c] = 1.0
    return moved


def _with_one(f: NDArray) -> NDArray:
    return np.hstack([f, np.ones((len(f), 1))])
