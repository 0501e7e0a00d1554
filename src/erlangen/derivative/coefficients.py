"""The Lie derivative of polynomial fields as a map of coefficients, for a fixed generator.

theta -> L_xi f_theta takes the coefficients of f to those of another polynomial. With integer
generators the matrix is an integer matrix: no samples, no rounding, and mostly zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from erlangen._typing import NDArray
from erlangen.derivative.separable import Separable
from erlangen.fields import PolynomialField
from erlangen.linalg.integers import as_integers
from erlangen.linalg.polynomials import derivative_table


@dataclass(frozen=True, eq=False)
class CoefficientMap:
    """A linear map from the coefficients of a polynomial field to those of another.

    Attributes
    ----------
    table : ndarray (K, d)
        Monomials of the result.
    matrix : scipy.sparse.csr_array (c * K, q)
        Row (channel, monomial), column (channel, monomial of the field).
    size : float
        Largest coefficient before terms cancel: what rounding is measured against.
    """

    table: NDArray
    matrix: sparse.csr_array
    size: float

    @classmethod
    def collect(cls, terms: list[tuple[NDArray, NDArray]], source: int) -> CoefficientMap:
        """Add up terms.

        Parameters
        ----------
        terms : list of (table, factors)
            For each, monomials ``(source, d)`` to which those of the field go, and the matrices ``(source, c, c)`` by
            which their channels are multiplied.
        source : int
            Number of monomials of the field.
        """
        table = np.vstack([t for t, _ in terms])
        factors = np.concatenate([f for _, f in terms])
        c = factors.shape[1]
        used = np.flatnonzero(factors.any(axis=(1, 2)))
        distinct, where = np.unique(table[used], axis=0, return_inverse=True)
        row, column, factors = np.ravel(where), used % source, factors[used]
        k, a, b = np.nonzero(factors)
        values, shape = factors[k, a, b], (c * len(distinct), c * source)
        matrix = sparse.csr_array((values, (a * len(distinct) + row[k], b * source + column[k])), shape=shape)
        matrix.eliminate_zeros()
        return cls(distinct, matrix, float(np.abs(values).max(initial=0.0)))


def lie_coefficients(field: PolynomialField, parts: Separable, xi: NDArray) -> CoefficientMap:
    """The map theta -> L_xi f_theta = Df_theta . xi - tau_xi f_theta on coefficients, for one generator ``xi (p,)``.

    Examples
    --------
    >>> from erlangen.actions import scaling
    >>> from erlangen.derivative.separable import separate
    >>> from erlangen.fields import polynomial_field
    >>> f = polynomial_field(1, 2, [0.0, 0.0, 1.0])
    >>> lie_coefficients(f, separate(scaling(1)), np.ones(1)).matrix.toarray()
    array([[0., 1., 0.],
           [0., 0., 2.]])
    """
    psi = parts.action.exponents
    moves = (parts.action.matrix.T @ xi[: parts.action.n_generators]).reshape(field.point_dim, len(psi))
    unit, terms = np.eye(field.value_dim), []
    for j in range(field.point_dim):
        factors, lowered = derivative_table(field.table, j)
        terms += [(lowered + psi[r], (factors * moves[j, r])[:, None, None] * unit) for r in np.flatnonzero(moves[j])]
    for power, matrix in carried(parts, xi):
        terms.append((field.table + power, np.broadcast_to(-matrix, (len(field.table), *matrix.shape))))
    return CoefficientMap.collect(terms or _nothing(field), len(field.table))


def carried(parts: Separable, xi: NDArray) -> list[tuple[NDArray, NDArray]]:
    """How generator ``xi (p,)`` carries values: tau_xi(x) = sum of x^power matrix, as pairs (power, matrix)."""
    psi, d = parts.action.exponents, parts.action.point_dim
    out = []
    if parts.linear is not None:
        out.append((np.zeros(d, dtype=np.int64), np.tensordot(xi, parts.linear[:, :, :-1], 1)))
    if parts.carried != "no":  # increments of affine generators are carried by their constant Jacobian, like tangents
        moves = (parts.action.matrix.T @ xi).reshape(d, len(psi))
        for b in range(d):
            factors, lowered = derivative_table(psi, b)
            for r in np.flatnonzero(factors * np.abs(moves).sum(axis=0)):
                matrix = np.zeros((d, d))
                matrix[:, b] = factors[r] * moves[:, r]
                out.append((lowered[r], matrix))
    return out


def substituted(field: PolynomialField, h: NDArray, shift: NDArray, rho: NDArray) -> CoefficientMap:
    """The map theta -> rho f_theta - f_theta o h on coefficients, for ``h: x -> h x + shift``."""
    images = _pulled_back(field.table, h, shift)
    tables = [np.array(list(image), dtype=np.int64).reshape(-1, field.point_dim) for image in images]
    longest = max(map(len, tables))
    terms = [(field.table, np.broadcast_to(rho, (len(field.table), *rho.shape)))]
    unit = np.eye(field.value_dim)
    for i in range(longest):  # the i-th monomial of every image at once, zero where there is none
        rows = np.array([t[i] if i < len(t) else np.zeros(field.point_dim, dtype=np.int64) for t in tables])
        values = np.array([list(image.values())[i] if i < len(image) else 0.0 for image in images])
        terms.append((rows, -values[:, None, None] * unit))
    return CoefficientMap.collect(terms, len(field.table))


def _pulled_back(table: NDArray, h: NDArray, shift: NDArray) -> list[dict[tuple[int, ...], float]]:
    """Each monomial at h x + shift, as coefficients by exponent."""
    d = table.shape[1]
    lines = [{tuple(int(i == j) for i in range(d)): float(h[a, j]) for j in np.flatnonzero(h[a])} for a in range(d)]
    for a in np.flatnonzero(shift):
        lines[a][(0,) * d] = float(shift[a])
    known: dict[tuple[int, ...], dict[tuple[int, ...], float]] = {(0,) * d: {(0,) * d: 1.0}}

    def image(e: tuple[int, ...]) -> dict[tuple[int, ...], float]:
        if e not in known:
            axis = max(j for j in range(d) if e[j])
            lower = image(tuple(v - (j == axis) for j, v in enumerate(e)))
            out: dict[tuple[int, ...], float] = {}
            for left, u in lower.items():
                for right, v in lines[axis].items():
                    both = tuple(i + j for i, j in zip(left, right, strict=True))
                    out[both] = out.get(both, 0.0) + u * v
            known[e] = out
        return known[e]

    return [image(tuple(row)) for row in table.tolist()]


def _nothing(field: PolynomialField) -> list[tuple[NDArray, NDArray]]:
    return [(field.table, np.zeros((len(field.table), field.value_dim, field.value_dim)))]


def integer_multiples(parts: Separable) -> Separable | None:
    """The same generators, each times the factor that makes all its coefficients integers; None where there is none."""
    action = parts.action
    matrix, output = action.matrix.copy(), None if parts.linear is None else parts.linear.copy()
    for k in range(parts.n_generators):
        entries = slice(matrix.indptr[k], matrix.indptr[k + 1]) if k < action.n_generators else slice(0, 0)
        own = np.zeros(0) if output is None else output[k].ravel()
        whole = as_integers(np.concatenate([matrix.data[entries], own]))
        if whole is None:
            return None
        matrix.data[entries] = whole[: len(whole) - len(own)]
        if output is not None:
            output[k] = whole[len(whole) - len(own) :].reshape(output[k].shape)
    return replace(parts, action=replace(action, matrix=matrix), linear=output)
