"""Families of functions that are linear in their parameters: monomials, Fourier, radial, spline.

A basis is a list of q scalar functions with exact gradients; ``+`` joins two lists. With
coefficients it becomes a :class:`BasisField`, which every verb accepts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._shown import AbstractShown
from erlangen._typing import NDArray
from erlangen.fields._base import EXACT, AbstractLinearField
from erlangen.linalg.polynomials import exponents, monomial_gradients, monomials, polynomial_jacobian


class AbstractBasis(AbstractShown, ABC):
    """A list of q scalar functions on R^d with exact gradients."""

    @property
    @abstractmethod
    def point_dim(self) -> int:
        """Number d of coordinates."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number q of functions."""

    @abstractmethod
    def evaluate(self, x: NDArray) -> NDArray:
        """Values ``(n, q)`` at points ``x (n, d)``."""

    @abstractmethod
    def gradients(self, x: NDArray) -> NDArray:
        """Gradients ``(n, q, d)`` at points ``x (n, d)``."""

    def contract(self, x: NDArray, coefficients: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)`` of the combinations ``coefficients (c, q)``."""
        gradients = self.gradients(x)
        n, q, d = gradients.shape
        flat = coefficients @ gradients.transpose(1, 0, 2).reshape(q, n * d)
        return flat.reshape(len(coefficients), n, d).transpose(1, 0, 2)

    def domain(self) -> tuple[NDArray, NDArray] | None:
        """Lowest and highest corner ``(d,)`` of the box that the functions are made for; None where there is none."""
        return None

    def field(self, coefficients: ArrayLike, kind: str = "invariant") -> BasisField:
        """The field with coefficients ``(c, q)`` (``(q,)`` for one channel)."""
        return BasisField(self, np.atleast_2d(np.asarray(coefficients, dtype=np.float64)), kind)

    def as_field(self, channels: int = 1) -> BasisField:
        """The family of fields with ``channels`` values over these functions, at theta = 0."""
        return BasisField(self, np.zeros((channels, self.size)))

    def as_vector_field(self) -> BasisField:
        """The family of vector fields over these functions, at theta = 0."""
        return BasisField(self, np.zeros((self.point_dim, self.size)), "vector")

    def __add__(self, other: AbstractBasis) -> Joined:
        return Joined((self, other))


@dataclass(frozen=True, eq=False)
class Monomials(AbstractBasis):
    """Monomials with a table of exponents ``(q, d)``."""

    table: NDArray

    @property
    def point_dim(self) -> int:
        return self.table.shape[1]

    @property
    def size(self) -> int:
        return len(self.table)

    def evaluate(self, x: NDArray) -> NDArray:
        return monomials(x, self.table)

    def gradients(self, x: NDArray) -> NDArray:
        return monomial_gradients(x, self.table)

    def contract(self, x: NDArray, coefficients: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        return polynomial_jacobian(x, self.table, coefficients)


def polynomial_basis(d: int, degree: int) -> Monomials:
    """All monomials of degree at most ``degree`` in d coordinates."""
    return Monomials(exponents(d, degree))


@dataclass(frozen=True, eq=False)
class Fourier(AbstractBasis):
    """One, and sines and cosines along each coordinate, up to a number of harmonics.

    Parameters
    ----------
    periods : sequence of float
        Period of each of the d coordinates; infinite leaves a coordinate out.
    order : int
        Highest harmonic.
    tensor : bool
        Also all products between different coordinates: ``(2 order + 1)^d`` functions.

    Examples
    --------
    >>> Fourier([2.0], order=1).evaluate(np.array([[0.5]])).round(12)
    array([[1., 1., 0.]])
    """

    periods: Sequence[float]
    order: int
    tensor: bool = False

    def __post_init__(self) -> None:
        if self.order < 1 or not all(p > 0 for p in self.periods):
            raise _bad_basis(
                "Fourier", f"periods {list(self.periods)}, order {self.order}", "positive periods, order >= 1"
            )

    @property
    def point_dim(self) -> int:
        return len(self.periods)

    @property
    def size(self) -> int:
        return _combined_size([self._width(j) for j in range(self.point_dim)], self.tensor)

    def domain(self) -> tuple[NDArray, NDArray]:
        """One period; from -1 to 1 along a coordinate that is left out."""
        periods = np.asarray(self.periods, dtype=np.float64)
        finite = np.isfinite(periods)
        return np.where(finite, 0.0, -1.0), np.where(finite, periods, 1.0)

    def _width(self, j: int) -> int:
        return 2 * self.order if np.isfinite(self.periods[j]) else 0

    def _along(self, x: NDArray, j: int) -> tuple[NDArray, NDArray]:
        if not np.isfinite(self.periods[j]):
            return np.zeros((len(x), 0)), np.zeros((len(x), 0))
        omega = 2.0 * np.pi * np.arange(1, self.order + 1) / self.periods[j]
        angle = x[:, j, None] * omega
        sine, cosine = np.sin(angle), np.cos(angle)
        return np.hstack([sine, cosine]), np.hstack([omega * cosine, -omega * sine])

    def evaluate(self, x: NDArray) -> NDArray:
        return _combine(self._along, x, self.tensor)[0]

    def gradients(self, x: NDArray) -> NDArray:
        return _combine(self._along, x, self.tensor)[1]


@dataclass(frozen=True, eq=False)
class Spline(AbstractBasis):
    """One, and truncated-free B-splines along each coordinate (additive unless ``tensor``).

    Outside its knots a spline continues its last polynomial piece.

    Parameters
    ----------
    knots : sequence of array_like
        Increasing break points of each of the d coordinates, the ends included.
    degree : int
        Degree of the pieces; the derivative is continuous from degree 2 on, which is asked for.
    tensor : bool
        Also all products between different coordinates.
    """

    knots: Sequence[ArrayLike]
    degree: int = 3
    tensor: bool = False

    def __post_init__(self) -> None:
        rising = all(len(np.atleast_1d(k)) >= 2 and np.all(np.diff(np.asarray(k, dtype=float)) > 0) for k in self.knots)
        if self.degree < 2 or not rising:
            raise _bad_basis(
                "spline", f"degree {self.degree} and knots {list(self.knots)}", "degree >= 2 and increasing knots"
            )

    @property
    def point_dim(self) -> int:
        return len(self.knots)

    @property
    def size(self) -> int:
        # The splines of one coordinate sum to one: the last is left out, the constant stands for it.
        return _combined_size([len(np.asarray(k)) + self.degree - 2 for k in self.knots], self.tensor)

    def domain(self) -> tuple[NDArray, NDArray]:
        """From the first to the last knot."""
        ends = np.array([[np.asarray(k)[0], np.asarray(k)[-1]] for k in self.knots], dtype=np.float64)
        return ends[:, 0], ends[:, 1]

    @cached_property
    def _splines(self) -> list:
        from scipy.interpolate import BSpline

        out = []
        for knots in self.knots:
            knots = np.asarray(knots, dtype=np.float64)
            padded = np.r_[[knots[0]] * self.degree, knots, [knots[-1]] * self.degree]
            out.append(BSpline(padded, np.eye(len(knots) + self.degree - 1)[:, :-1], self.degree, extrapolate=True))
        return out

    def _along(self, x: NDArray, j: int) -> tuple[NDArray, NDArray]:
        return self._splines[j](x[:, j]), self._splines[j](x[:, j], nu=1)

    def evaluate(self, x: NDArray) -> NDArray:
        return _combine(self._along, x, self.tensor)[0]

    def gradients(self, x: NDArray) -> NDArray:
        return _combine(self._along, x, self.tensor)[1]


@dataclass(frozen=True, eq=False)
class Radial(AbstractBasis):
    """Gaussian bumps exp(-|x - centre|^2 / (2 width^2)), one per centre, and one.

    Parameters
    ----------
    centres : ndarray (q - 1, d)
        Where the bumps stand.
    width : float
        Their common standard deviation, in the units of x.
    """

    centres: NDArray
    width: float

    def __post_init__(self) -> None:
        if np.ndim(self.centres) != 2 or not self.width > 0:
            raise _bad_basis("radial", f"centres {np.shape(self.centres)}, width {self.width}", "(q, d) and width > 0")

    @property
    def point_dim(self) -> int:
        return self.centres.shape[1]

    @property
    def size(self) -> int:
        return len(self.centres) + 1

    def domain(self) -> tuple[NDArray, NDArray]:
        """The centres and one width around them."""
        return self.centres.min(axis=0) - self.width, self.centres.max(axis=0) + self.width

    def evaluate(self, x: NDArray) -> NDArray:
        squared = ((x[:, None, :] - self.centres) ** 2).sum(axis=2)
        return np.hstack([np.ones((len(x), 1)), np.exp(-0.5 * squared / self.width**2)])

    def gradients(self, x: NDArray) -> NDArray:
        values = self.evaluate(x)[:, 1:, None]
        bumps = -values * (x[:, None, :] - self.centres) / self.width**2
        return np.concatenate([np.zeros((len(x), 1, x.shape[1])), bumps], axis=1)


@dataclass(frozen=True, eq=False)
class RidgeFunctions(AbstractBasis):
    """Random functions of one direction each, (a.x)^e and sin(a.x + b): a sketch of what a class leaves out.

    Parameters
    ----------
    directions : ndarray (q, d)
        One direction a per function.
    powers : ndarray (q,) of int
        Its power e; 0 stands for the wave.
    phases : ndarray (q,)
        Phase b of the waves.
    """

    directions: NDArray
    powers: NDArray
    phases: NDArray

    @property
    def point_dim(self) -> int:
        return self.directions.shape[1]

    @property
    def size(self) -> int:
        return len(self.directions)

    def evaluate(self, x: NDArray) -> NDArray:
        t = x @ self.directions.T
        return np.where(self.powers > 0, t**self.powers, np.sin(t + self.phases))

    def gradients(self, x: NDArray) -> NDArray:
        t = x @ self.directions.T
        slope = np.where(self.powers > 0, self.powers * t ** np.maximum(self.powers - 1, 0), np.cos(t + self.phases))
        return slope[:, :, None] * self.directions


@dataclass(frozen=True, eq=False)
class Pulled(AbstractBasis):
    """The functions of a basis over x, read in other coordinates z with ``x = offset + matrix @ z``.

    Parameters
    ----------
    inner : AbstractBasis
        Functions over R^d.
    matrix : ndarray (d, s)
        Linear part.
    offset : ndarray (d,)
        Where z = 0 lies.
    """

    inner: AbstractBasis
    matrix: NDArray
    offset: NDArray

    @property
    def point_dim(self) -> int:
        return self.matrix.shape[1]

    @property
    def size(self) -> int:
        return self.inner.size

    def evaluate(self, x: NDArray) -> NDArray:
        return self.inner.evaluate(self.offset + x @ self.matrix.T)

    def gradients(self, x: NDArray) -> NDArray:
        return self.inner.gradients(self.offset + x @ self.matrix.T) @ self.matrix


@dataclass(frozen=True, eq=False)
class Joined(AbstractBasis):
    """The functions of several bases over the same coordinates, in order."""

    parts: tuple[AbstractBasis, ...]

    def __post_init__(self) -> None:
        dims = {b.point_dim for b in self.parts}
        if len(dims) != 1:
            raise _bad_basis("joined", f"bases over {sorted(dims)} coordinates", "one number of coordinates")

    @property
    def point_dim(self) -> int:
        return self.parts[0].point_dim

    @property
    def size(self) -> int:
        return sum(b.size for b in self.parts)

    def domain(self) -> tuple[NDArray, NDArray] | None:
        """The box around the domains of the parts that have one."""
        known = [box for part in self.parts if (box := part.domain()) is not None]
        if not known:
            return None
        return np.min([low for low, _ in known], axis=0), np.max([high for _, high in known], axis=0)

    def evaluate(self, x: NDArray) -> NDArray:
        return np.hstack([b.evaluate(x) for b in self.parts])

    def gradients(self, x: NDArray) -> NDArray:
        return np.concatenate([b.gradients(x) for b in self.parts], axis=1)

    def contract(self, x: NDArray, coefficients: NDArray) -> NDArray:
        ends = np.cumsum([b.size for b in self.parts])[:-1]
        pieces = zip(self.parts, np.split(coefficients, ends, axis=1))
        return np.sum([b.contract(x, c) for b, c in pieces], axis=0)


@dataclass(frozen=True, eq=False)
class BasisField(AbstractLinearField):
    """Values f_a(x) = sum_q coefficients[a, q] phi_q(x)."""

    basis: AbstractBasis
    coefficients: NDArray
    kind: str = "invariant"
    accuracy: float = EXACT

    def __post_init__(self) -> None:
        if self.coefficients.ndim != 2 or self.coefficients.shape[1] != self.basis.size:
            raise InputError(
                explain(
                    "The coefficients do not fit the basis.",
                    given=f"coefficients of shape {self.coefficients.shape}",
                    expected=f"shape (c, {self.basis.size})",
                    fix="basis.field(coefficients.reshape(-1, basis.size))",
                )
            )

    @property
    def point_dim(self) -> int:
        return self.basis.point_dim

    @property
    def value_dim(self) -> int:
        return len(self.coefficients)

    def value(self, x: NDArray) -> NDArray:
        return self.basis.evaluate(x) @ self.coefficients.T

    def jacobian(self, x: NDArray) -> NDArray:
        return self.basis.contract(x, self.coefficients)

    @property
    def n_params(self) -> int:
        return self.coefficients.size

    @property
    def theta(self) -> NDArray:
        return self.coefficients.ravel()

    def features(self, x: NDArray) -> NDArray:
        c = self.value_dim
        return np.einsum("ab,nq->nabq", np.eye(c), self.basis.evaluate(x)).reshape(len(x), c, -1)

    def features_jacobian(self, x: NDArray) -> NDArray:
        c = self.value_dim
        full = np.einsum("ab,nqj->nabqj", np.eye(c), self.basis.gradients(x))
        return full.reshape(len(x), c, -1, x.shape[1])

    def with_theta(self, theta: NDArray) -> BasisField:
        return replace(self, coefficients=np.asarray(theta, dtype=np.float64).reshape(self.coefficients.shape))


def _combined_size(widths: list[int], tensor: bool) -> int:
    return int(np.prod([w + 1 for w in widths])) if tensor else 1 + sum(widths)


def _combine(along, x: NDArray, tensor: bool) -> tuple[NDArray, NDArray]:
    """Values and gradients of one and one-dimensional functions, added up or multiplied out."""
    n, d = x.shape
    values = np.ones((n, 1))
    gradients = np.zeros((n, 1, d))
    for j in range(d):
        f, slope = along(x, j)
        if tensor:
            f, slope = np.hstack([np.ones((n, 1)), f]), np.hstack([np.zeros((n, 1)), slope])
            moved = gradients[:, :, None, :] * f[:, None, :, None]
            moved[..., j] += values[:, :, None] * slope[:, None, :]
            gradients = moved.reshape(n, -1, d)
            values = (values[:, :, None] * f[:, None, :]).reshape(n, -1)
        else:
            grown = np.zeros((n, f.shape[1], d))
            grown[..., j] = slope
            values, gradients = np.hstack([values, f]), np.concatenate([gradients, grown], axis=1)
    return values, gradients


def _bad_basis(name: str, given: str, expected: str) -> InputError:
    return InputError(
        explain(
            f"This {name} basis cannot be built.", given=given, expected=expected, fix="Fourier([2 * math.pi], order=3)"
        )
    )
