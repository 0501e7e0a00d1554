"""Actions by polynomial vector fields: linear, affine, rotations, scalings and beyond.

Every generator is xi_k(x)_a = sum_r C[k, a, r] x^{e_r}. That one form covers each family in
the catalogue, and it separates: the Lie derivative of all p generators is one outer product of
the Jacobian with the r monomials, contracted with C, instead of p products with a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from erlangen._errors import InputError, explain
from erlangen._render import field_latex, field_text
from erlangen._shown import MOST_ROWS, aligned
from erlangen._typing import NDArray
from erlangen.actions._base import AbstractAction, check_basis, check_points
from erlangen.linalg.polynomials import collect, monomial_gradients, monomials

if TYPE_CHECKING:
    from erlangen.algebra import LieAlgebra


@dataclass(frozen=True, eq=False)
class PolynomialAction(AbstractAction):
    """Generators with polynomial coefficients, optionally with a linear action on values.

    Parameters
    ----------
    exponents : ndarray (r, d)
        Exponents of the monomials.
    matrix : scipy.sparse.csr_array (p, d * r)
        Coefficients C[k, a, r], flattened row-major over (a, r).
    output : ndarray (p, c, c) or None
        Matrices of the generators on values; None where the action does not say.
    origin : PolynomialAction or None
        What generators are named by, where not by their coefficients: on functions, the action on points.
    """

    exponents: NDArray
    matrix: sparse.csr_array
    output: NDArray | None = None
    origin: PolynomialAction | None = None

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.exponents.shape[1]

    @property
    def n_generators(self) -> int:
        """Number p of generators."""
        return self.matrix.shape[0]

    @property
    def value_dim(self) -> int | None:
        """Number c of value channels that the action moves; None where it does not say."""
        return None if self.output is None else self.output.shape[1]

    @property
    def degree(self) -> int:
        """Highest degree of a coefficient polynomial."""
        return int(self.exponents.sum(axis=1).max(initial=0))

    @cached_property
    def coefficients(self) -> NDArray:
        """Dense coefficients ``(p, d, r)``."""
        return self.matrix.toarray().reshape(self.n_generators, self.point_dim, len(self.exponents))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """One readable name per generator, in x1 .. xd (x, y, z up to three coordinates)."""
        unit = sparse.identity(self.n_generators, format="csr")
        return tuple(self.describe(unit[[k]].toarray().ravel()) for k in range(self.n_generators))

    def describe(self, xi: NDArray, names: tuple[str, ...] | None = None) -> str:
        """Readable text of the generator with coefficients ``xi (p,)``."""
        if self.origin is not None:
            return self.origin.describe(xi)
        names = names or coordinate_names(self.point_dim)
        row = np.asarray(self.matrix.T @ xi).reshape(self.point_dim, len(self.exponents))
        return field_text(self.exponents, row, names)

    def _repr_latex_(self) -> str | None:
        names, d, r = coordinate_names(self.point_dim), self.point_dim, len(self.exponents)
        rows = (np.asarray(self.matrix.T @ xi).reshape(d, r) for xi in np.eye(self.n_generators)[:MOST_ROWS])
        return aligned(r"\xi", (field_latex(self.exponents, row, names) for row in rows))

    def on_points(self, x: NDArray) -> NDArray:
        """Velocities ``(n, p, d)`` of the points ``x (n, d)``."""
        return self._contract(monomials(check_points(x, self.point_dim), self.exponents))

    def derivative_along(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives ``D xi_k(x) v``, shape ``(n, p, d)``."""
        return self._contract(self.feature_derivatives(x, v))

    def on_values(self, x: NDArray, v: NDArray) -> NDArray:
        """Velocities ``(n, p, c)`` of the values: zero unless an output representation was given."""
        if self.output is None:
            return np.zeros((len(v), self.n_generators, v.shape[1]))
        return np.einsum("kab,nb->nka", self.output, v)

    def feature_derivatives(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivatives ``(n, r)`` of the monomials at ``x (n, d)`` along ``v (n, d)``.

        Parameters
        ----------
        x : ndarray (n, d)
            Points.
        v : ndarray (n, d)
            One direction per point.

        Returns
        -------
        ndarray (n, r)
            One derivative per point and monomial.
        """
        gradients = monomial_gradients(check_points(x, self.point_dim), self.exponents)
        return np.einsum("nra,na->nr", gradients, v)

    def _contract(self, features: NDArray) -> NDArray:
        out = np.empty((len(features), self.n_generators, self.point_dim), dtype=features.dtype)
        for a, part in enumerate(self._by_coordinate):
            out[:, :, a] = (part @ features.T).T
        return out

    @cached_property
    def _by_coordinate(self) -> list[sparse.csr_array]:
        """Coefficients ``(p, r)`` of each coordinate: slicing a sparse matrix takes longer than using it."""
        r = len(self.exponents)
        return [self.matrix[:, a * r : (a + 1) * r] for a in range(self.point_dim)]

    def restrict(self, basis: ArrayLike) -> PolynomialAction:
        """The action of the combinations in the columns of ``basis (p, r)``."""
        basis = check_basis(basis, self.n_generators)
        matrix = sparse.csr_array(sparse.csr_array(basis.T) @ self.matrix)
        output = None if self.output is None else np.einsum("kab,kr->rab", self.output, basis)
        origin = None if self.origin is None else self.origin.restrict(basis)
        return PolynomialAction(self.exponents, matrix, output, origin)

    def lie_algebra(self, basis: ArrayLike | None = None) -> LieAlgebra:
        """The span of the generators, or of their combinations ``basis (p, r)``, as vector fields.

        Parameters
        ----------
        basis : array_like (p, r), optional
            Combinations, as columns; all generators by default.

        Returns
        -------
        LieAlgebra
            Their span, with the bracket of fields.

        Raises
        ------
        InputError
            When the combinations are dependent.
        """
        from erlangen.algebra import LieAlgebra

        action = self if basis is None else self.restrict(basis)
        return LieAlgebra.from_fields(self.exponents, action.coefficients)

    def with_output(self, matrices: ArrayLike) -> PolynomialAction:
        """The same action on points with generator k acting on values by ``matrices[k] (p, c, c)``.

        Parameters
        ----------
        matrices : array_like (p, c, c)
            They act on columns of values.

        Returns
        -------
        PolynomialAction
            With ``value_dim`` c.

        Raises
        ------
        InputError
            When there is not one square matrix per generator.
        """
        matrices = np.asarray(matrices, dtype=np.float64)
        if matrices.ndim != 3 or matrices.shape[0] != self.n_generators or matrices.shape[1] != matrices.shape[2]:
            raise InputError(
                explain(
                    "The output representation does not fit the generators.",
                    given=f"matrices of shape {matrices.shape}",
                    expected=f"shape ({self.n_generators}, c, c), one matrix per generator",
                    fix=f"action.with_output(numpy.zeros(({self.n_generators}, c, c)))",
                )
            )
        return PolynomialAction(self.exponents, self.matrix, matrices, self.origin)

    def tied(self, blocks: Sequence[Sequence[int]], dim: int | None = None) -> PolynomialAction:
        """The same generators acting on several groups of columns at once.

        Parameters
        ----------
        blocks : sequence of sequences of int
            Each names the d columns of the larger space on which one copy acts.
        dim : int, optional
            Number of columns of the larger space (default: highest column named + 1).

        Returns
        -------
        PolynomialAction
            p generators on the larger space.

        Raises
        ------
        InputError
            When the blocks are not disjoint groups of d columns each.
        """
        return sum_copies(self, blocks, dim)

    def masked(self, mask: ArrayLike) -> PolynomialAction:
        """Keep the combinations whose coefficients vanish outside a mask ``(d, r)``.

        Parameters
        ----------
        mask : array_like (d, r) of bool
            Which coefficients may differ from zero: components by monomials.

        Returns
        -------
        PolynomialAction
            The combinations that are left.

        Raises
        ------
        InputError
            When the mask has another shape.
        """
        allowed = np.asarray(mask, dtype=bool).ravel()
        if allowed.size != self.matrix.shape[1]:
            raise InputError(
                explain(
                    "The mask does not fit the generators.",
                    given=f"a mask of shape {np.shape(mask)}",
                    expected=f"shape ({self.point_dim}, {len(self.exponents)}): coordinate moved, monomial",
                    fix=f"numpy.ones(({self.point_dim}, {len(self.exponents)}), dtype=bool)",
                )
            )
        outside = self.matrix[:, ~allowed]
        if (abs(self.matrix) > 0).sum(axis=1).max() == 1:
            keep = np.flatnonzero(abs(outside).sum(axis=1) == 0)
            return self.restrict(sparse.identity(self.n_generators, format="csc")[:, keep].toarray())
        from erlangen.linalg.null import null_space

        return self.restrict(null_space(outside.toarray().T).sparse_basis())

    def __add__(self, other: PolynomialAction) -> PolynomialAction:
        """More generators on the same space."""
        return stack([self, other])

    def __mul__(self, other: PolynomialAction) -> PolynomialAction:
        """Each action on its own columns of the product space."""
        dim = self.point_dim + other.point_dim
        return stack([place(self, range(self.point_dim), dim), place(other, range(self.point_dim, dim), dim)])

    @cached_property
    def is_full(self) -> bool:
        """Whether the generators are all d * r coefficient fields, in order (C is the identity)."""
        p, size = self.matrix.shape
        return p == size and self.matrix.nnz == p and bool(np.all(self.matrix.diagonal() == 1.0))


def coordinate_names(d: int) -> tuple[str, ...]:
    """Names x, y, z up to three coordinates, then x1 .. xd.

    Parameters
    ----------
    d : int
        Number of coordinates.

    Returns
    -------
    tuple of str
        d names.
    """
    return ("x", "y", "z")[:d] if d <= 3 else tuple(f"x{i + 1}" for i in range(d))


def sum_copies(action: PolynomialAction, blocks: Sequence[Sequence[int]], dim: int | None) -> PolynomialAction:
    """Tie copies of one action to several column groups; see :meth:`PolynomialAction.tied`."""
    d, r = action.point_dim, len(action.exponents)
    columns = [list(b) for b in blocks]
    flat = [j for b in columns for j in b]
    dim = max(flat) + 1 if dim is None else dim
    if any(len(b) != d for b in columns) or len(set(flat)) != len(flat) or max(flat) >= dim or min(flat) < 0:
        raise InputError(
            explain(
                "The blocks do not fit the action.",
                given=f"blocks {columns} in {dim} columns",
                expected=f"disjoint groups of {d} columns each, all below {dim}",
                fix=f"action.tied([{tuple(range(d))}, {tuple(range(d, 2 * d))}])",
            )
        )
    exponents = np.zeros((len(columns) * r, dim), dtype=np.int64)
    dense = np.zeros((action.n_generators, dim, len(columns) * r))
    for i, block in enumerate(columns):
        exponents[i * r : (i + 1) * r, block] = action.exponents
        dense[:, block, i * r : (i + 1) * r] = action.coefficients
    table, merged = collect(exponents, dense)
    return PolynomialAction(table, sparse.csr_array(merged.reshape(action.n_generators, -1)), action.output)


def place(action: PolynomialAction, columns: Sequence[int], dim: int) -> PolynomialAction:
    """The action on some columns of a larger space, the identity on the others."""
    return sum_copies(action, [columns], dim)


def stack(actions: Sequence[PolynomialAction]) -> PolynomialAction:
    """All generators of several polynomial actions on the same space."""
    d = actions[0].point_dim
    rows = np.vstack([a.exponents for a in actions])
    p = sum(a.n_generators for a in actions)
    if p * d * len(rows) > 50_000_000:
        rows_unique = np.unique(rows, axis=0)
        if all(
            len(a.exponents) == len(rows_unique) and np.array_equal(a.exponents, actions[0].exponents) for a in actions
        ):
            return PolynomialAction(actions[0].exponents, sparse.csr_array(sparse.vstack([a.matrix for a in actions])))
    dense = np.zeros((p, d, len(rows)))
    k = r = 0
    for a in actions:
        dense[k : k + a.n_generators, :, r : r + len(a.exponents)] = a.coefficients
        k, r = k + a.n_generators, r + len(a.exponents)
    table, merged = collect(rows, dense)
    outputs = [a.output for a in actions]
    output = None if any(o is None for o in outputs) else np.concatenate([o for o in outputs if o is not None])
    return PolynomialAction(table, sparse.csr_array(merged.reshape(p, -1)), output)
