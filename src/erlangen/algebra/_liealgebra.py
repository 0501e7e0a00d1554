"""The Lie algebra of a set of generators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._render import _latex_name, _signed_sum, number, number_latex
from erlangen._shown import AbstractShown, card, cut
from erlangen._typing import NDArray
from erlangen.algebra.ambient import AbstractAmbient, ConstantsAmbient, MatrixAmbient, PolynomialAmbient
from erlangen.algebra.answer import Structure
from erlangen.algebra.closure import close, closure_defect, in_slices
from erlangen.algebra.identification import EXACT_TOL, identify_span
from erlangen.algebra.known import realify
from erlangen.algebra.repair import close_constants, generated, jacobi_defect, largest_closed, orthonormal
from erlangen.algebra.structure import anatomy, killing_form
from erlangen.linalg.qr import rounding

READABLE = 8
"""Dimension up to which all brackets are written out: 28 of them."""


@dataclass(frozen=True, eq=False)
class LieAlgebra(AbstractShown):
    """The span of p generators with its bracket.

    Build one with `from_matrices`, `from_fields` or `from_structure_constants`.

    Attributes
    ----------
    ambient : AbstractAmbient
        Where the generators live: matrices, polynomial fields, or nowhere (constants alone).
    vectors : ndarray (p, N)
        Generators as coordinates of the ambient.
    names : tuple of str or None
        What the user calls them.

    Examples
    --------
    >>> from erlangen.algebra import LieAlgebra, known
    >>> LieAlgebra.from_matrices(known.iso(2)).identify().name
    'e(2)'
    """

    ambient: AbstractAmbient
    vectors: NDArray
    names: tuple[str, ...] | None = None

    @classmethod
    def from_matrices(cls, matrices: ArrayLike, names: Sequence[str] | None = None) -> LieAlgebra:
        """Take generators as matrices with the commutator.

        Parameters
        ----------
        matrices : array_like (p, k, k)
            Real or complex; complex ones become real of twice the size. Where every last row vanishes they are
            read as affine maps.
        names : sequence of str, optional
            One name per generator.

        Returns
        -------
        LieAlgebra
            Their span, of dimension p.

        Raises
        ------
        InputError
            If the shape is wrong, a value is not finite, or the generators are dependent.
        """
        a = np.asarray(matrices)
        if a.ndim != 3 or a.shape[1] != a.shape[2]:
            raise _bad("matrix generators need shape (p, k, k)", a, "np.stack([A, B, ...])")
        a = np.array([realify(x) for x in a]) if np.iscomplexobj(a) and len(a) else np.asarray(a, dtype=np.float64)
        k = a.shape[1]
        affine = k > 1 and len(a) > 0 and not np.any(a[:, -1, :])
        ambient = MatrixAmbient.affine(k - 1) if affine else MatrixAmbient.square(k)
        return cls(ambient, _independent(ambient.coordinates(a)), _named(names, len(a)))

    @classmethod
    def from_fields(
        cls, exponents: ArrayLike, coefficients: ArrayLike, names: Sequence[str] | None = None
    ) -> LieAlgebra:
        """Take generators as polynomial vector fields with the bracket of fields.

        Parameters
        ----------
        exponents : array_like (r, d)
            Monomials; the whole table counts as the space in which the generators were sought.
        coefficients : array_like (p, d, r)
            Field k has components ``sum_r coefficients[k, a, r] x^exponents[r]``.
        names : sequence of str, optional
            One name per generator.

        Returns
        -------
        LieAlgebra
            Their span, of dimension p.

        Raises
        ------
        InputError
            If the shapes disagree, a value is not finite, or the generators are dependent.
        """
        e, f = np.asarray(exponents), np.asarray(coefficients, dtype=np.float64)
        if e.ndim != 2 or f.ndim != 3 or f.shape[1:] != (e.shape[1], e.shape[0]):
            what = f"fields over exponents {e.shape} need coefficients (p, d, r)"
            raise _bad(what, f, "coefficients[k, a, r]: component a of field k at monomial r")
        ambient = PolynomialAmbient(e.astype(np.int64))
        vectors = _independent(f.reshape(len(f), f.shape[1] * f.shape[2]))
        embedded = _as_affine(ambient.exponents, f)
        if embedded is not None:
            return cls(embedded[0], embedded[1], _named(names, len(f)))
        return cls(ambient, vectors, _named(names, len(f)))

    @classmethod
    def from_structure_constants(cls, c: ArrayLike, names: Sequence[str] | None = None) -> LieAlgebra:
        """Take an algebra as its structure constants ``c[i,j,k]``: [e_i, e_j] = sum_k c[i,j,k] e_k.

        Parameters
        ----------
        c : array_like (p, p, p)
            Structure constants.
        names : sequence of str, optional
            One name per generator.

        Returns
        -------
        LieAlgebra
            The algebra, in its adjoint form.

        Raises
        ------
        InputError
            If the shape is wrong or the constants are not antisymmetric.
        """
        a = np.asarray(c, dtype=np.float64)
        if a.ndim != 3 or len(set(a.shape)) != 1:
            raise _bad("structure constants need shape (p, p, p)", a, "c[i, j, k] with [e_i, e_j] = sum_k c[i,j,k] e_k")
        odd = float(np.abs(a + np.swapaxes(a, 0, 1)).max(initial=0.0))
        if not odd <= 1e-6 * float(np.abs(a).max(initial=0.0)):
            raise _bad("structure constants must change sign with their first two indices", a, "c - c.swapaxes(0, 1)")
        ambient = ConstantsAmbient((a - np.swapaxes(a, 0, 1)) / 2.0)
        return cls(ambient, np.eye(len(a)), _named(names, len(a)))

    @property
    def dim(self) -> int:
        """Number of generators p."""
        return len(self.vectors)

    @property
    def basis(self) -> NDArray:
        """Generators: matrices ``(p, k, k)``, coefficients ``(p, d, r)``, or coordinates ``(p, p)``."""
        return self.ambient.elements(self.vectors)

    @cached_property
    def structure_constants(self) -> NDArray:
        """Constants ``(p, p, p)`` in the given basis, the least-squares solution by QR."""
        if self.dim == 0:
            return np.zeros((0, 0, 0))
        q, r = np.linalg.qr(self.vectors.T)
        tables = in_slices(self.ambient, self.vectors)
        flat = np.concatenate([table[..., : self.ambient.dim] @ q for table in tables]).reshape(-1, self.dim)
        return np.linalg.solve(r, flat.T).T.reshape(self.dim, self.dim, self.dim)

    def __repr__(self) -> str:
        named = "" if self.names is None else f": {', '.join(self.names)}"
        return cut(f"<LieAlgebra of dimension {self.dim}{named}>")

    def _repr_html_(self) -> str:
        rows = [(f"[{i}, {j}]", _signed_sum(terms, number, " ")) for i, j, terms in self._brackets(str)]
        return card(f"LieAlgebra of dimension {self.dim}", rows, ("bracket", "value"))

    def _repr_latex_(self) -> str | None:
        lines = [
            rf"[{i}, {j}] &= {_signed_sum(terms, number_latex, ' ')}" for i, j, terms in self._brackets(_latex_name)
        ]
        body = " \\\\\n".join(lines)
        return f"$\\displaystyle \\begin{{aligned}}\n{body}\n\\end{{aligned}}$" if lines else None

    def _brackets(self, write: Callable[[str], str]) -> Iterator[tuple[str, str, list[tuple[float, str]]]]:
        """Names of two elements, and the terms of their bracket; none where there are too many to read."""
        names = [write(name) for name in self.names or [f"e_{k + 1}" for k in range(self.dim)]]
        c = self.structure_constants if self.dim <= READABLE else np.zeros((0, 0, 0))
        c = np.where(np.abs(c) > rounding(c.shape) * np.abs(c).max(initial=0.0), c, 0.0)
        for i, j in combinations(range(len(c)), 2):
            yield names[i], names[j], [(float(x), name) for x, name in zip(c[i, j], names, strict=True) if x]

    def bracket(self, x: ArrayLike, y: ArrayLike) -> NDArray:
        """Bracket of two elements given and returned as coordinates ``(p,)`` in the basis.

        Parameters
        ----------
        x, y : array_like (p,)
            Elements, as coordinates in the basis.

        Returns
        -------
        ndarray (p,)
            [x, y].
        """
        a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        return np.einsum("i,ijk,j->k", a, self.structure_constants, b)

    @cached_property
    def killing_form(self) -> NDArray:
        """Killing form ``(p, p)`` in the given basis."""
        return killing_form(self.structure_constants)

    @cached_property
    def closure_defect(self) -> float:
        """Rms size of what brackets of orthonormal generators leave outside the span (Jacobi defect of constants)."""
        if isinstance(self.ambient, ConstantsAmbient) and self.dim == self.ambient.dim:
            return jacobi_defect(self.ambient.constants)
        return closure_defect(self.ambient, orthonormal(self.vectors))

    @cached_property
    def derived_series(self) -> tuple[int, ...]:
        """Dimensions of the derived series, the whole algebra first; the generators should be closed."""
        return self._anatomy().derived_dims

    @cached_property
    def centre(self) -> NDArray:
        """Orthonormal elements that commute with everything.

        They have the form of `basis`: ``(r, k, k)``, ``(r, d, m)`` or ``(r, p)``.
        """
        q = orthonormal(self.vectors)
        return self.ambient.elements(self._anatomy().centre.T @ q)

    def _anatomy(self):
        q = orthonormal(self.vectors)
        c = self.ambient.brackets(q, q)[..., : self.ambient.dim] @ q.T
        return anatomy(c, max(EXACT_TOL, 1.5 * self.closure_defect))

    def nearest_closed(self) -> LieAlgebra:
        """Move the span to the nearest one that is closed under the bracket."""
        if isinstance(self.ambient, ConstantsAmbient) and self.dim == self.ambient.dim:
            return replace(self, ambient=ConstantsAmbient(close_constants(self.ambient.constants)))
        q = orthonormal(self.vectors)
        return replace(self, vectors=close(self.ambient, q).basis, names=None)

    def largest_closed_subalgebra(self, noise: float = 0.0) -> LieAlgebra:
        """Cut out the largest closed part of the span, up to a stated noise per unit generator.

        Parameters
        ----------
        noise : float
            Norm of the error of a generator of norm 1.

        Returns
        -------
        LieAlgebra
            The subalgebra, of dimension at most p.
        """
        rows = largest_closed(self.ambient, orthonormal(self.vectors), noise) if self.dim else self.vectors
        return replace(self, vectors=rows, names=None)

    def generated(self, noise: float = 0.0) -> tuple[LieAlgebra, int]:
        """Add brackets until the span is closed; returns the algebra and how many generators were added.

        Parameters
        ----------
        noise : float
            Norm of the error of a generator of norm 1: smaller new directions do not count.

        Returns
        -------
        tuple of (LieAlgebra, int)
            The closed algebra, and how many generators it has more.

        Raises
        ------
        UndecidedError
            If brackets keep producing new directions.
        """
        q = orthonormal(self.vectors)
        ambient, rows = generated(self.ambient, q, max(30.0 * noise, 1e-9))
        return LieAlgebra(ambient, rows), len(rows) - self.dim

    def identify(self, noise: float | None = None) -> Structure:
        """Name the algebra.

        Parameters
        ----------
        noise : float, optional
            Norm of the error of each unit generator, in coordinates where the error is isotropic. None: exact if
            the generators close to rounding, otherwise estimated from how far they are from closing.

        Returns
        -------
        Structure
            Name, evidence and alternatives.

        Raises
        ------
        UndecidedError
            If no algebra is near.
        """
        return identify_span(self.ambient, self.vectors, noise)


def identify(algebra: LieAlgebra | ArrayLike, noise: float | None = None) -> Structure:
    """Name a Lie algebra, or that of matrices ``(p, k, k)``.

    Parameters
    ----------
    algebra : LieAlgebra or array_like (p, k, k)
        The algebra, or matrices that span it.
    noise : float, optional
        Norm of the error of a generator of norm 1; rounding by default.

    Returns
    -------
    Structure
        The name, what the algebra is made of, and a readable basis.

    Raises
    ------
    UndecidedError
        When generators do not close within their noise, or a rank is not clear.

    References
    ----------
    W. A. de Graaf, Lie Algebras: Theory and Algorithms (2000), chapters 1 and 2, for radical, Levi factor and ideals.
    S. Helgason, Differential Geometry, Lie Groups, and Symmetric Spaces (1978), chapter X, for the real forms.

    Examples
    --------
    >>> import numpy as np
    >>> from erlangen.algebra import identify
    >>> identify(np.array([[[0.0, -1.0], [1.0, 0.0]]])).name
    'R'
    """
    if not isinstance(algebra, LieAlgebra):
        algebra = LieAlgebra.from_matrices(algebra)
    return algebra.identify(noise)


def structure_of(c: ArrayLike, tol: float | None = None) -> Structure:
    """Name an algebra from structure constants ``c (p, p, p)`` with entries accurate to ``tol``.

    Parameters
    ----------
    c : array_like (p, p, p)
        Structure constants, [e_i, e_j] = sum_k c[i,j,k] e_k.
    tol : float, optional
        Error of an entry; rounding by default.

    Returns
    -------
    Structure
        The name, and what the algebra is made of.

    Raises
    ------
    UndecidedError
        When a rank is not clear at this accuracy.

    References
    ----------
    W. A. de Graaf, Lie Algebras: Theory and Algorithms (2000), chapters 1 and 2.

    Examples
    --------
    >>> from itertools import permutations
    >>> c = np.zeros((3, 3, 3))
    >>> for p in permutations(range(3)):
    ...     c[p] = np.linalg.det(np.eye(3)[list(p)])
    >>> structure_of(c).name
    'so(3)'
    """
    return LieAlgebra.from_structure_constants(c).identify(tol)


def _bad(what: str, given: NDArray, fix: str) -> InputError:
    return InputError(explain(what, given=f"array of shape {given.shape}", expected="as said above", fix=fix))


def _named(names: Sequence[str] | None, p: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if len(names) != p:
        given, expected = f"{len(names)} names", f"{p} names"
        raise InputError(explain("one name per generator", given=given, expected=expected, fix="names=None"))
    return tuple(names)


def _independent(vectors: NDArray) -> NDArray:
    """Check that generators are finite, non-zero and independent."""
    if not np.isfinite(vectors).all():
        raise _bad("a generator has entries that are not finite", vectors, "drop them before naming the algebra")
    if len(vectors) == 0:
        return vectors
    sizes = np.linalg.norm(vectors, axis=1)
    unit = vectors / np.where(sizes > 0, sizes, 1.0)[:, None]
    if np.linalg.eigvalsh(unit @ unit.T)[0] > np.sqrt(np.finfo(np.float64).eps):
        return vectors  # clearly independent, as the Gram matrix can tell without a large decomposition
    s = np.linalg.svd(unit, compute_uv=False)
    rank = int((s > np.finfo(np.float64).eps * 10.0 * max(vectors.shape)).sum()) if sizes.all() else 0
    if rank < len(vectors):
        given = f"{len(vectors)} generators of rank {rank if sizes.all() else 'below p: one of them is zero'}"
        fix = "pass a basis, for instance the right singular vectors"
        raise InputError(explain("generators are dependent", given=given, expected="independent ones", fix=fix))
    return vectors


def _as_affine(exponents: NDArray, coefficients: NDArray) -> tuple[MatrixAmbient, NDArray] | None:
    """Matrices of fields of degree at most one whose table is all of gl(d) or aff(d); None otherwise."""
    r, d = exponents.shape
    degree = exponents.sum(axis=1)
    linear = np.flatnonzero(degree == 1)
    constant = np.flatnonzero(degree == 0)
    if degree.max(initial=0) != 1 or len(linear) != d or len(constant) > 1 or r != d + len(constant):
        return None
    axis = exponents[linear].argmax(axis=1)
    if len(set(axis.tolist())) != d:
        return None
    size = d + len(constant)
    matrices = np.zeros((len(coefficients), size, size))
    matrices[:, :d, axis] = coefficients[:, :, linear]
    if len(constant):
        matrices[:, :d, d] = coefficients[:, :, constant[0]]
    ambient = MatrixAmbient.affine(d, sign=-1) if len(constant) else MatrixAmbient.square(d, sign=-1)
    return ambient, ambient.coordinates(matrices)
