"""What a penalty adds up: functions of theta that are small where generators, or discrete elements, are kept.

Each term is a function of theta, and near a given theta there is a norm that stands for it: the term itself where it
is convex. The other two have the form ``|P_theta A(theta)|_*`` with a matrix P_theta on the side of the generators,
and are made small by norms in which P is fixed for a while: a fixed inner product of the generators each time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from erlangen._typing import NDArray
from erlangen.derivative import LieDerivative
from erlangen.derivative.scales import Scales
from erlangen.fields import AbstractLinearField
from erlangen.linalg.norms import AbstractNorm, EuclideanNorm, MatrixMap, NuclearNorm, TurnedMap
from erlangen.linalg.qr import rounding
from erlangen.linalg.svd import svd
from erlangen.verbs._enforce_request import Element
from erlangen.verbs._promote_maps import LieMap


@dataclass(frozen=True, eq=False)
class Block:
    """The matrix of ``xi -> L_xi f_theta`` for the generators of one action.

    Attributes
    ----------
    lie : LieDerivative
        Of the family, along r orthonormal generators.
    generators : ndarray (p, r)
        Those, as combinations of the generators of the action.
    map : LieMap
        theta -> L_xi f_theta as a matrix.
    """

    lie: LieDerivative
    generators: NDArray
    map: LieMap

    def matrix(self, theta: NDArray) -> NDArray:
        """Matrix ``(m, r)``, in orthonormal bases of values and of generators."""
        return self.image(theta).T

    def image(self, theta: NDArray) -> NDArray:
        """The same, transposed: ``(r, m)``."""
        return (self.map.matrix @ theta).reshape(self.map.shape)

    def decompose(self, theta: NDArray, left: NDArray | None = None) -> tuple[NDArray, NDArray, NDArray]:
        """Singular triples of ``left A`` that are not rounding: ``(r, k)``, ``(k,)``, ``(k, m)``."""
        image = self.image(theta)
        u, s, vt = svd(image if left is None else left @ image)
        size = 1.0 if left is None else float(np.linalg.norm(left, 2))
        k = int(np.sum(s > size * self.rounding(theta)))
        return u[:, :k], s[:k], vt[:k]

    def broken_rank(self, theta: NDArray, tolerance: float = 0.0) -> int:
        """Number of singular values above ``tolerance`` times the largest, and above rounding."""
        s = np.linalg.svd(self.image(theta), compute_uv=False)
        return int(np.sum(s > max(tolerance * float(s.max(initial=0.0)), self.rounding(theta))))

    def rounding(self, theta: NDArray) -> float:
        """Rounding in singular values: relative to the terms before they cancel."""
        terms = abs(self.map.matrix) @ np.abs(theta)
        return rounding(self.map.shape) * float(np.linalg.norm(terms))

    def slopes(self, theta: NDArray) -> NDArray:
        """Form ``(r, r)`` of what an unrelated direction would give: int |Df|^2 / d xi_k . xi_l + tau_k f . tau_l f."""
        field = self.lie.field
        assert isinstance(field, AbstractLinearField)
        lie = LieDerivative(field.with_theta(theta), self.lie.action, self.lie.samples)
        factor = lie.informs(Scales(np.ones(field.point_dim), np.ones(field.value_dim), ())).dense()
        return factor.T @ factor


class AbstractTerm(ABC):
    """A function of theta. ``scale`` is the size of the values that are fitted, where a term depends on it."""

    convex: ClassVar[bool]
    """Whether the function is convex, and then a norm of a linear image."""

    @property
    @abstractmethod
    def matrix(self) -> Any:
        """The linear map behind the term, ``(m, q)``, dense or sparse."""

    @abstractmethod
    def value(self, theta: NDArray, scale: float) -> float:
        """The function at ``theta (q,)``."""

    @abstractmethod
    def subgradient(self, theta: NDArray, scale: float) -> NDArray:
        """Its gradient ``(q,)``, or one of them: from the singular vectors of values that are not zero."""

    @abstractmethod
    def norm(self, plain: MatrixMap, theta: NDArray | None, scale: float) -> AbstractNorm:
        """The norm that stands for the function near theta, or to begin with where that is None.

        ``plain`` is the matrix in the unknowns of a fit.
        """


@dataclass(frozen=True, eq=False)
class Nuclear(AbstractTerm):
    """Sum of the singular values of A: a price for each broken generator, as it is broken."""

    block: Block
    convex: ClassVar[bool] = True

    @property
    def matrix(self) -> Any:
        """The linear map behind the term."""
        return self.block.map.matrix

    def value(self, theta: NDArray, scale: float) -> float:
        """Sum of the singular values."""
        return float(np.linalg.svd(self.block.image(theta), compute_uv=False).sum())

    def subgradient(self, theta: NDArray, scale: float) -> NDArray:
        """``map^T (U V^T)``."""
        u, _, vt = self.block.decompose(theta)
        return self.matrix.T @ (u @ vt).ravel()

    def norm(self, plain: MatrixMap, theta: NDArray | None, scale: float) -> AbstractNorm:
        """The term itself."""
        return NuclearNorm(plain, self.block.map.shape)


@dataclass(frozen=True, eq=False)
class Frobenius(AbstractTerm):
    """Root of the sum of squares of A: soft enforcement of the group as a whole, kept or broken at once."""

    block: Block
    convex: ClassVar[bool] = True

    @property
    def matrix(self) -> Any:
        """The linear map behind the term."""
        return self.block.map.matrix

    def value(self, theta: NDArray, scale: float) -> float:
        """The Frobenius norm."""
        return float(np.linalg.norm(self.block.image(theta)))

    def subgradient(self, theta: NDArray, scale: float) -> NDArray:
        """``map^T A / |A|``; zero where A is zero up to rounding."""
        return _of_length(self.matrix, theta, self.block.rounding(theta))

    def norm(self, plain: MatrixMap, theta: NDArray | None, scale: float) -> AbstractNorm:
        """The term itself."""
        return EuclideanNorm(plain)


@dataclass(frozen=True, eq=False)
class Reweighted(AbstractTerm):
    """``e sum log(1 + s_i / e)`` for singular values s_i of A, with ``e = eps scale``: less bias for what is broken.

    As the nuclear norm for s below e, and hardly more for s far above. With ``Y = (A A^T)^(1/2)`` it is e log det of
    ``1 + Y / e``, concave in Y; its tangent there is ``tr P Y + constant`` with ``P = e (Y + e)^(-1)``, and
    ``tr P Y <= |P A|_*``: that norm lies above, touches, and lowers the function where it is lowered.

    References
    ----------
    Fazel, Hindi, Boyd, Log-det heuristic for matrix rank minimization, American Control Conference, 2003, section V.
    """

    block: Block
    eps: float
    convex: ClassVar[bool] = False

    @property
    def matrix(self) -> Any:
        """The linear map behind the term."""
        return self.block.map.matrix

    def value(self, theta: NDArray, scale: float) -> float:
        """Sum of the logarithms."""
        e = self.eps * scale
        return float(e * np.log1p(np.linalg.svd(self.block.image(theta), compute_uv=False) / e).sum())

    def subgradient(self, theta: NDArray, scale: float) -> NDArray:
        """``map^T (U diag(e / (s + e)) V^T)``."""
        u, s, vt = self.block.decompose(theta)
        e = self.eps * scale
        return self.matrix.T @ ((u * (e / (s + e))) @ vt).ravel()

    def norm(self, plain: MatrixMap, theta: NDArray | None, scale: float) -> AbstractNorm:
        """``|P A|_*``; the nuclear norm to begin with."""
        if theta is None:
            return NuclearNorm(plain, self.block.map.shape)
        u, s, _ = self.block.decompose(theta)
        left = np.eye(len(u)) - (u * (s / (s + self.eps * scale))) @ u.T
        return NuclearNorm(TurnedMap(left, plain), self.block.map.shape)


@dataclass(frozen=True, eq=False)
class ScaleFree(AbstractTerm):
    """Sum of the singular values of ``B_theta^(-1/2) A``: a soft count of broken generators, whatever their units.

    ``B_theta = int |Df|^2 / d xi_k . xi_l + tau_k f . tau_l f`` is the form relative to which `er.discover` states
    defects, plus ``eps^2`` times its mean, so that no direction is divided by zero. The count is 0 for a field that
    does not depend on x.

    Near a theta, the norm that stands for it has B fixed, with a mean as if slopes were as large as the values that are
    fitted. With the mean of B_theta itself, smaller fields would cost more: the iteration then runs into constants.
    """

    block: Block
    eps: float
    convex: ClassVar[bool] = False

    @property
    def matrix(self) -> Any:
        """The linear map behind the term."""
        return self.block.map.matrix

    def value(self, theta: NDArray, scale: float) -> float:
        """Sum of the relative singular values."""
        left = self._left(theta)
        return 0.0 if left is None else float(np.linalg.svd(left @ self.block.image(theta), compute_uv=False).sum())

    def subgradient(self, theta: NDArray, scale: float) -> NDArray:
        """Both as A and as B change with theta.

        With ``S = A A^T`` and ``S w = s^2 B w``, ``w^T B w = 1``: ``ds = w^T dS w / (2 s) - s w^T dB w / 2``.
        """
        left = self._left(theta)
        if left is None:
            return np.zeros(len(theta))
        u, s, vt = self.block.decompose(theta, left)
        ahead = self.matrix.T @ (left @ u @ vt).ravel()
        w = left @ u
        weights = (w * s) @ w.T
        return ahead - _slope_of_quadratic(lambda t: float(np.sum(weights * self._form(t))), theta) / 2

    def norm(self, plain: MatrixMap, theta: NDArray | None, scale: float) -> AbstractNorm:
        """The same with B fixed, and of the size of the values; to begin with, alike in all directions."""
        left = None if theta is None else self._left(theta)
        if left is None:
            left = np.eye(self.block.map.shape[0])
        size = np.sqrt(len(left) / np.linalg.norm(np.linalg.inv(left)) ** 2)
        return NuclearNorm(TurnedMap(left / (size * scale), plain), self.block.map.shape)

    def _form(self, theta: NDArray) -> NDArray:
        form = self.block.slopes(theta)
        return form + np.eye(len(form)) * (self.eps**2 * np.trace(form) / len(form))

    def _left(self, theta: NDArray) -> NDArray | None:
        """B^(-1/2); None where the field does not depend on x, up to rounding."""
        field, few = self.block.lie.field, self.block.lie.samples.subset(256)
        assert isinstance(field, AbstractLinearField)
        form = self._form(theta)
        size = float(few.weights @ np.sum(field.with_theta(theta).value(few.points) ** 2, axis=1))
        if np.trace(form) <= len(form) * rounding((len(theta),)) ** 2 * size:
            return None
        values, vectors = np.linalg.eigh(form)
        return (vectors / np.sqrt(values)) @ vectors.T


@dataclass(frozen=True, eq=False)
class Moved(AbstractTerm):
    """``|rho(h) f - f o h|`` for a discrete element h, in the measure of the samples."""

    element: Element
    map: LieMap
    convex: ClassVar[bool] = True

    @property
    def matrix(self) -> Any:
        """The linear map behind the term."""
        return self.map.matrix

    def value(self, theta: NDArray, scale: float) -> float:
        """Root mean square of what the element changes."""
        return float(np.linalg.norm(self.matrix @ theta))

    def subgradient(self, theta: NDArray, scale: float) -> NDArray:
        """``map^T (map theta) / |map theta|``; zero where that is zero up to rounding."""
        terms = abs(self.matrix) @ np.abs(theta)
        return _of_length(self.matrix, theta, rounding(self.map.shape) * float(np.linalg.norm(terms)))

    def norm(self, plain: MatrixMap, theta: NDArray | None, scale: float) -> AbstractNorm:
        """The term itself."""
        return EuclideanNorm(plain)


def _of_length(matrix: Any, theta: NDArray, smallest: float) -> NDArray:
    image = matrix @ theta
    length = float(np.linalg.norm(image))
    return matrix.T @ (image / length) if length > smallest else np.zeros(len(theta))


def _slope_of_quadratic(form: Callable[[NDArray], float], theta: NDArray) -> NDArray:
    """Gradient ``(q,)`` of a quadratic form: the difference to both sides is exact, whatever the distance."""
    size = float(np.abs(theta).max()) or 1.0
    steps = size * np.eye(len(theta))
    return np.array([form(theta + step) - form(theta - step) for step in steps]) / (2 * size)


def unturned(norm: AbstractNorm, image: NDArray) -> NDArray:
    """An image without the matrix on the side of the generators."""
    a = norm.map
    return np.linalg.solve(a.left, image.reshape(len(a.left), -1)).ravel() if isinstance(a, TurnedMap) else image
