"""Spans of generators from wherever they come, over one table of monomials, with the error of a unit generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions import PolynomialAction, behind
from erlangen.algebra import Group, LieAlgebra
from erlangen.algebra.ambient import MatrixAmbient, PolynomialAmbient
from erlangen.evidence.certificate import Certificate
from erlangen.verbs.symmetry import Symmetry, require_polynomial


@dataclass(frozen=True, eq=False)
class Span:
    """Generators as polynomial fields.

    Attributes
    ----------
    exponents : ndarray (r, d)
        Monomials.
    coefficients : ndarray (p, d, r)
        One field each.
    error : float
        Norm of the error of a unit generator, at most 1.
    points, scales : ndarray (n, d), (d,) or None
        Where the fields were found, and the units of coordinates.
    """

    exponents: NDArray
    coefficients: NDArray
    error: float = 0.0
    points: NDArray | None = None
    scales: NDArray | None = None

    @property
    def dim(self) -> int:
        """Number p of generators."""
        return len(self.coefficients)

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.exponents.shape[1]

    def algebra(self, scales: NDArray) -> LieAlgebra:
        """The span as an algebra of fields, coordinates in units of ``scales (d,)``."""
        factors = np.prod(scales**self.exponents, axis=1)
        return LieAlgebra.from_fields(self.exponents, self.coefficients * factors / scales[:, None])

    def matrices(self, scales: NDArray) -> NDArray | None:
        """Affine fields as matrices ``(p, d + 1, d + 1)`` in units of ``scales``; None for others."""
        degree = self.exponents.sum(axis=1)
        if np.any(self.coefficients[:, :, degree > 1]):
            return None
        d = self.point_dim
        out = np.zeros((self.dim, d + 1, d + 1))
        for r, exponent in enumerate(self.exponents):
            if degree[r] <= 1:
                column = int(np.argmax(exponent)) if degree[r] else d
                unit = scales[column] if degree[r] else 1.0
                out[:, :d, column] += self.coefficients[:, :, r] * unit / scales
        return out


def read_spans(a: Any, b: Any) -> tuple[Span, Span]:
    """Read two sets of generators; matrices of either are affine where the other one lives on one dimension less."""
    if _bare(a):
        second = read_span(b)
        return read_span(a, None if _bare(b) else second.point_dim), second
    first = read_span(a)
    return first, read_span(b, first.point_dim)


def _bare(given: Any) -> bool:
    """Whether it is matrices that do not say what they act on."""
    return isinstance(given, (Group, np.ndarray, list, tuple))


def read_span(given: Any, point_dim: int | None = None) -> Span:
    """Read a symmetry, a certificate, an action, an algebra, a group, or matrices ``(p, k, k)``.

    Matrices act on R^k; affine ones, with vanishing last rows, on R^(k - 1) where ``point_dim`` says so.

    Raises
    ------
    InputError
        Where it is none of these, or lives on no space.
    """
    if isinstance(given, Symmetry):
        base = require_polynomial(given.candidates)
        rows = given.generators[:, : base.n_generators]
        error = 0.0 if given.dim == 0 else min(given.noise, 1.0)
        return Span(*_fields(base, rows), error, given.points[:, : base.point_dim], given.scales.points)
    if isinstance(given, Certificate):
        base = require_polynomial(given.candidates)
        return Span(*_fields(base, given.generators[:, : base.n_generators]), _certified_error(given))
    if isinstance(given, Group):
        return _of_matrices(np.asarray(given.lie_algebra), point_dim)
    if isinstance(given, LieAlgebra):
        return _of_algebra(given)
    base = behind(given) if hasattr(given, "n_generators") else None
    if isinstance(base, PolynomialAction):
        return Span(base.exponents, base.coefficients)
    if base is None and np.ndim(given) == 3 and np.shape(given)[1] == np.shape(given)[2]:
        return _of_matrices(np.asarray(given, dtype=np.float64), point_dim)
    raise InputError(
        explain(
            "These are not generators that can be compared.",
            given=type(given).__name__,
            expected="a Symmetry, a Certificate, a polynomial action, a LieAlgebra, a Group or matrices (p, k, k)",
            fix="er.evidence.compare(sym, er.actions.rotation(3))",
        )
    )


def _certified_error(given: Certificate) -> float:
    """Sine of the angle between a certified span and the true one of as many dimensions, bounded.

    All of the span has a true defect of at most U; whatever lies outside of the true one has at least the next lower
    bound. So no unit generator leaves it by more than their ratio, both measured in the denominator.
    """
    if given.dim == 0:
        return 0.0
    band = given.band
    below = float(band.lower[given.dim]) if given.dim < len(band.lower) else 0.0
    return min(float(band.upper[given.dim - 1]) / below, 1.0) if below > 0 else 1.0


def _fields(base: PolynomialAction, rows: NDArray) -> tuple[NDArray, NDArray]:
    if len(rows) == 0:
        return base.exponents, np.zeros((0, base.point_dim, len(base.exponents)))
    return base.exponents, base.restrict(rows.T).coefficients


def _of_algebra(algebra: LieAlgebra) -> Span:
    if isinstance(algebra.ambient, PolynomialAmbient):
        return Span(algebra.ambient.exponents, np.asarray(algebra.basis))
    if isinstance(algebra.ambient, MatrixAmbient):
        affine = algebra.ambient.size < algebra.ambient.k**2
        return _of_matrices(np.asarray(algebra.basis), algebra.ambient.k - affine)
    raise InputError(
        explain(
            "An algebra of structure constants moves no points.",
            given=f"dimension {algebra.dim}",
            expected="matrices or fields",
            fix="LieAlgebra.from_matrices(...)",
        )
    )


def _of_matrices(a: NDArray, point_dim: int | None) -> Span:
    """Linear fields A x, or affine ones A x + b."""
    k = a.shape[1]
    d = k - 1 if point_dim == k - 1 and not np.any(a[:, -1, :]) else k
    exponents = np.vstack([np.zeros((1, d), dtype=np.int64), np.eye(d, dtype=np.int64)])
    coefficients = np.zeros((len(a), d, d + 1))
    coefficients[:, :, 1:] = a[:, :d, :d]
    if d < k:
        coefficients[:, :, 0] = a[:, :d, d]
    return Span(exponents, coefficients)
