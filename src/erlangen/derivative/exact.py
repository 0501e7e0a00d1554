"""Exact rows for polynomial fields on a box or a Gaussian.

L_xi f of a polynomial field under a polynomial action is a polynomial. Its coefficients in the
orthonormal polynomials of the measure are rows whose sums of squares are integrals of squares:
no sampling error, sparse maps, and never a Gram matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from erlangen._typing import NDArray
from erlangen.derivative.measures import AbstractMeasure, orthonormal_coefficients
from erlangen.derivative.separable import Separable
from erlangen.fields import PolynomialField
from erlangen.linalg.polynomials import derivative_table


@dataclass(frozen=True, eq=False)
class ExactRows:
    """Rows of the Lie derivative and of its two forms, by coefficients.

    Parameters
    ----------
    field : PolynomialField
    parts : Separable
        A separable action; increments are exact for affine actions only.
    measure : AbstractMeasure
        Box or Gaussian.
    """

    field: PolynomialField
    parts: Separable
    measure: AbstractMeasure

    def lie(self, t: NDArray) -> NDArray:
        """Rows ``(K * c, p)`` of the Lie derivative, channel a divided by ``t[a]``."""
        d, r = self.field.point_dim, len(self.parts.action.exponents)
        carried = None if self.parts.carried == "no" else self._value_terms()
        blocks = []
        for channel in range(self.field.value_dim):
            terms = [self._product(channel, a, offset=a * r) for a in range(d)]
            if carried is not None:
                table, column, value = carried
                terms.append((table, column + channel * r, -value))
            outer = self._rows(terms, d * r)
            block = self.parts.contract(outer)
            if self.parts.linear is not None:
                block = self._subtract_linear(self.parts.linear[:, channel], terms, channel)
            blocks.append(block / t[channel])
        return np.vstack(blocks)

    def informative(self, s: NDArray, t: NDArray) -> NDArray:
        """Rows over the features whose form is int |Df|^2 / d psi_r psi_s, in scaled units."""
        d, r = self.field.point_dim, len(self.parts.action.exponents)
        blocks = []
        for channel in range(self.field.value_dim):
            for b in range(d):
                term = self._product(channel, b, offset=0)
                if len(term[0]):
                    blocks.append(self._rows([term], r) * (s[b] / (t[channel] * np.sqrt(d))))
        return np.vstack(blocks) if blocks else np.zeros((0, r))

    def features(self) -> NDArray:
        """Rows over the features whose form is int psi_r psi_s."""
        table = self.parts.action.exponents
        return orthonormal_coefficients(self.measure, table, np.eye(len(table)))

    def value_features(self) -> NDArray | None:
        """Rows over the features whose form is int psi'_r psi'_s; None where values are not carried."""
        if self.parts.carried == "no":
            return None
        return self._rows([self._value_terms()], len(self.parts.action.exponents))

    def values(self) -> NDArray:
        """Rows over (f, 1) whose form is the second moment of the values, ``(K, c + 1)``."""
        table = np.vstack([self.field.table, np.zeros((1, self.field.point_dim), dtype=np.int64)])
        c = self.field.value_dim
        coefficients = np.zeros((len(table), c + 1))
        coefficients[:-1, :c] = self.field.coefficients.T
        coefficients[-1, c] = 1.0
        return orthonormal_coefficients(self.measure, table, coefficients)

    def _product(self, channel: int, axis: int, offset: int) -> tuple[NDArray, NDArray, NDArray]:
        """Terms (exponents, column, value) of d_axis f_channel . psi_r for every feature r."""
        factors, lowered = derivative_table(self.field.table, axis)
        weights = factors * self.field.coefficients[channel]
        used = np.flatnonzero(weights)
        psi = self.parts.action.exponents
        table = (lowered[used][:, None, :] + psi[None, :, :]).reshape(-1, psi.shape[1])
        return table, np.tile(np.arange(len(psi)) + offset, len(used)), np.repeat(weights[used], len(psi))

    def _value_terms(self) -> tuple[NDArray, NDArray, NDArray]:
        """Terms of psi'_r = sum_b d_b psi_r f_b."""
        psi, field = self.parts.action.exponents, self.field
        tables, columns, values = [], [], []
        for b in range(field.point_dim):
            factors, lowered = derivative_table(psi, b)
            r = np.flatnonzero(factors)
            i = np.flatnonzero(field.coefficients[b])
            tables.append((lowered[r][:, None, :] + field.table[i][None, :, :]).reshape(-1, psi.shape[1]))
            columns.append(np.repeat(r, len(i)))
            values.append((factors[r][:, None] * field.coefficients[b, i][None, :]).ravel())
        return np.vstack(tables), np.concatenate(columns), np.concatenate(values)

    def _rows(self, terms: list[tuple[NDArray, NDArray, NDArray]], width: int) -> NDArray:
        table = np.vstack([t for t, _, _ in terms])
        column = np.concatenate([c for _, c, _ in terms])
        value = np.concatenate([v for _, _, v in terms])
        if len(table) == 0:
            return np.zeros((1, width))
        distinct, where = np.unique(table, axis=0, return_inverse=True)
        sums = sparse.csr_array((value, (np.ravel(where), column)), shape=(len(distinct), width))
        return orthonormal_coefficients(self.measure, distinct, sums.toarray())

    def _subtract_linear(self, linear: NDArray, terms, channel: int) -> NDArray:
        """Rows for Df . xi - T f: both parts over one table of monomials."""
        outer_table = np.vstack([t for t, _, _ in terms])
        field_table = np.vstack([self.field.table, np.zeros((1, self.field.point_dim), dtype=np.int64)])
        d_r, c = self.parts.action.matrix.shape[1], self.field.value_dim
        width = d_r + c + 1
        values = np.hstack([self.field.coefficients, np.zeros((c, 1))])
        values = np.vstack([values, np.eye(1, values.shape[1], values.shape[1] - 1)])
        i, j = np.nonzero(values)
        extra = (field_table[j], d_r + i, values[i, j])
        rows = self._rows([*terms, extra], width) if len(outer_table) else self._rows([extra], width)
        moved = rows[:, d_r:] @ linear.T
        return self.parts.contract(rows[:, :d_r]) - moved
