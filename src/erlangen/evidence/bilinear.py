"""The Lie derivative and its denominator as tensors over generators and parameters.

For a family f_theta that is linear in theta, both are bilinear in (xi, theta):

    |L_xi f_theta|_L2(nu) = |lie(xi) theta|,        what an unrelated direction gives = |size(xi) theta|,

with rows that are orthonormal in L2 of the target measure nu. Everything that evidence says about
such a family is said about these two tensors and an estimate of theta.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from scipy.linalg import qr

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, AbstractLift, PolynomialAction
from erlangen.derivative import Samples, Scales, scales_of
from erlangen.fields import AbstractLinearField, PolynomialField, lift
from erlangen.fields.bases import AbstractBasis, BasisField, Joined, Monomials, Pulled
from erlangen.linalg.polynomials import exponents, monomials
from erlangen.linalg.qr import rounding

Denominator = Literal["product", "bracket"]

MOST_NODES = 20_000
"""Nodes of a product rule up to which a measure is integrated exactly; beyond, its points stand for it."""

MOST_POINTS = 4096
"""Points that stand for a measure where rows are no polynomials."""

MOST_ENTRIES = 60_000_000
"""Entries of a tensor (half a gigabyte)."""


@dataclass(frozen=True, eq=False)
class Bilinear:
    """Two tensors: rows of the Lie derivative and of its denominator.

    Attributes
    ----------
    lie : ndarray (K, p, q)
        ``|lie[:, :, :] xi theta|`` is the norm of L_xi f_theta in L2(nu), in scaled values.
    size : ndarray (J, p, q)
        The same for what an unrelated direction gives.
    exact : bool
        Whether integrals over nu are exact up to rounding.
    """

    lie: NDArray
    size: NDArray
    exact: bool = True

    @property
    def n_generators(self) -> int:
        """Number p of generators."""
        return self.lie.shape[1]

    @property
    def n_params(self) -> int:
        """Number q of parameters."""
        return self.lie.shape[2]

    def numerator(self, theta: NDArray) -> NDArray:
        """Rows ``(K, p)`` of xi -> L_xi f at parameters ``theta (q,)``."""
        return self.lie @ theta

    def denominator(self, theta: NDArray) -> NDArray:
        """Rows ``(J, p)`` of the denominator at parameters ``theta (q,)``."""
        return self.size @ theta

    def lie_of(self, xi: NDArray) -> NDArray:
        """Rows ``(K, q)`` of theta -> L_xi f for one generator ``xi (p,)``."""
        return np.tensordot(self.lie, xi, (1, 0))

    def size_of(self, xi: NDArray) -> NDArray:
        """Rows ``(J, q)`` of the denominator for one generator ``xi (p,)``."""
        return np.tensordot(self.size, xi, (1, 0))

    def restrict(self, basis: NDArray) -> Bilinear:
        """The tensors of the combinations in the columns of ``basis (p, r)``."""
        lie, size = (np.einsum("kpq,pr->krq", t, basis, optimize=True) for t in (self.lie, self.size))
        return Bilinear(lie, size, self.exact)

    def defect(self, xi: NDArray, theta: NDArray) -> float:
        """Relative defect of one generator at known parameters."""
        return float(np.linalg.norm(self.lie_of(xi) @ theta) / np.linalg.norm(self.size_of(xi) @ theta))

    def worst(self, basis: NDArray, theta: NDArray) -> float:
        """Largest relative defect in the span of ``basis (p, r)`` at known parameters."""
        known = (self.numerator(theta) @ basis)[:, :, None], (self.denominator(theta) @ basis)[:, :, None]
        spectrum = spectrum_of(Bilinear(*known, self.exact), np.ones(1))
        return float(spectrum.values[-1]) if len(spectrum.values) == basis.shape[1] else float("inf")


@dataclass(frozen=True, eq=False)
class DefectSpectrum:
    """Ascending relative defects at known parameters and their directions, orthonormal in the denominator.

    Attributes
    ----------
    values : ndarray (r,)
        Relative defects.
    basis : ndarray (p, r)
        Directions as columns, with ``basis^T D basis = 1``.
    silent : ndarray (p, p - r)
        Directions with no denominator: inert on nu, or where the field does not vary.
    """

    values: NDArray
    basis: NDArray
    silent: NDArray


def spectrum_of(both: Bilinear, theta: NDArray) -> DefectSpectrum:
    """Solve A^T A v = s^2 M^T M v at known parameters, without forming either product."""
    a, m = both.numerator(theta), both.denominator(theta)
    unit = np.linalg.norm(m, axis=0)  # generators in units of their own, before anything counts as zero
    unit = np.where(unit > 0, unit, 1.0)
    a, m = a / unit, m / unit
    # the triangular factor has the same singular values, and no square matrix as long as the rows
    _, s, vt = np.linalg.svd(np.linalg.qr(m, mode="r") if len(m) > m.shape[1] else m, full_matrices=True)
    s = np.concatenate([s, np.zeros(vt.shape[0] - len(s))])
    seen = s > rounding(m.shape) * max(s[0], np.finfo(float).tiny) if len(s) else np.zeros(0, dtype=bool)
    frame = vt[seen].T / s[seen]
    _, values, wt = np.linalg.svd(a @ frame, full_matrices=False)
    if len(values) < frame.shape[1]:  # fewer rows than directions: the rest have no defect
        _, values, wt = np.linalg.svd(np.vstack([a @ frame, np.zeros((frame.shape[1], frame.shape[1]))]))
        wt = wt[: frame.shape[1]]
    return DefectSpectrum(values[::-1], (frame @ wt[::-1].T) / unit[:, None], vt[~seen].T / unit[:, None])


def bilinear(
    family: AbstractLinearField,
    action: AbstractAction,
    samples: Samples,
    *,
    scales: Scales | None = None,
    defect: Denominator = "product",
) -> Bilinear:
    """Build the tensors of a linear family.

    Parameters
    ----------
    family : AbstractLinearField
        Its parameters do not matter, its features do.
    action : AbstractAction
        p generators.
    samples : Samples
        The target measure nu. Boxes and Gaussians are integrated exactly for polynomial families.
    scales : Scales, optional
        Units of points and values; those of the samples by default.
    defect : {"product", "bracket"}
        Denominator: ``"product"`` is |Df|^2 / d |xi|^2 + |tau f|^2, what an unrelated direction gives;
        ``"bracket"`` is |Df xi|^2 + |tau f|^2 in plain units, which is 1 for every translation.

    Raises
    ------
    InputError
        When the denominator is unknown.
    UndecidedError
        When the tensors would not fit into memory.

    References
    ----------
    Kendiukhov, "Certified symmetry discovery", sections 2.1 and 2.2 (bracket).
    """
    if defect not in ("product", "bracket"):
        raise InputError(
            explain(
                "There is no such denominator.",
                given=f"defect = {defect!r}",
                expected='"product" or "bracket"',
                fix='defect="product"',
            )
        )
    lifted = lift(family, action)
    nodes, weights, project, exact = _rule(family, lifted, samples)
    if scales is None:
        scales = _plain(samples, family) if defect == "bracket" else scales_of(family, lifted, samples)
    c, d, p, q = family.value_dim, family.point_dim, lifted.n_generators, family.n_params
    rows = len(nodes) if project is None else project.shape[0]
    blocks = d * d if defect == "product" else 1
    _check_memory(rows * c * (1 + blocks) * p * q, p, q)
    moved, carried, slopes = _evaluated(family, lifted, nodes, np.sqrt(weights), project, scales, defect)
    lie = (moved - carried).reshape(-1, p, q)
    whole = slopes if defect == "product" else moved
    parts = [whole.reshape(-1, p, q), *([carried.reshape(-1, p, q)] if carried.any() else [])]
    return Bilinear(_compressed(lie), _compressed(np.concatenate(parts)), exact)


def _evaluated(
    family: AbstractLinearField,
    lifted: AbstractAction,
    x: NDArray,
    root: NDArray,
    project: NDArray | None,
    scales: Scales,
    defect: str,
) -> tuple[NDArray, NDArray, NDArray]:
    """Rows of Df xi, of tau f ``(r, c, p, q)`` and of all products Df_ca xi_b ``(r, c, d, d, p, q)``."""
    features, gradients = family.features(x), family.features_jacobian(x)
    velocity = lifted.on_points(x)
    c, p, q = family.value_dim, lifted.n_generators, family.n_params

    def rows(values: NDArray) -> NDArray:
        flat = values.reshape(len(x), -1) * root[:, None]
        flat = flat if project is None else project @ flat
        return flat.reshape(-1, *values.shape[1:])

    t, s = scales.values, scales.points
    moved, carried = [], []
    unit = np.broadcast_to(np.eye(c)[:, None], (c, len(x), c))
    tau = np.stack([lifted.on_values(x, channel) for channel in unit], axis=3)  # (n, p, c, c)
    for k in range(p):
        moved.append(rows(np.einsum("ncqa,na->ncq", gradients, velocity[:, k]) / t[:, None]))
        carried.append(rows(np.einsum("nab,nbq->naq", tau[:, k], features) / t[:, None]))
    if defect == "bracket":
        return np.stack(moved, axis=2), np.stack(carried, axis=2), np.zeros((0, c, p, q))
    slopes = gradients.transpose(0, 1, 3, 2) * (s[:, None] / t[:, None, None]) / np.sqrt(len(s))  # (n, c, a, q)
    whole = [rows(slopes[:, :, :, None, :] * (velocity[:, k] / s)[:, None, None, :, None]) for k in range(p)]
    return np.stack(moved, axis=2), np.stack(carried, axis=2), np.stack(whole, axis=-2)


def _rule(
    family: AbstractLinearField, lifted: AbstractAction, samples: Samples
) -> tuple[NDArray, NDArray, NDArray | None, bool]:
    """Nodes, weights, a matrix from weighted values to orthonormal coefficients, and whether squares are exact."""
    degree = _degree(family, lifted)
    if degree is not None and samples.measure is not None and (degree + 1) ** samples.dim <= MOST_NODES:
        axes = [samples.measure.nodes(a, degree + 1) for a in range(samples.dim)]
        points = np.array(list(product(*(t for t, _ in axes))))
        weights = np.array([np.prod(w) for w in product(*(w for _, w in axes))])
        columns = monomials(points, exponents(samples.dim, degree)) * np.sqrt(weights)[:, None]
        return points, weights, np.linalg.qr(columns / np.linalg.norm(columns, axis=0))[0].T, True
    chosen = None if degree is None or samples.measure is not None else _interpolation(samples, degree)
    if chosen is not None:
        return chosen[0], np.ones(len(chosen[0])), chosen[1], False
    few = samples.subset(MOST_POINTS)
    return few.points, few.weights, None, False


def _interpolation(samples: Samples, degree: int) -> tuple[NDArray, NDArray] | None:
    """As many points ``(r, d)`` as there are polynomials, and the matrix ``(r, r)`` from values there to coefficients.

    The coefficients are over polynomials that are orthonormal on all points; None where the points do not tell
    them apart.
    """
    x, root = samples.points, np.sqrt(samples.weights)[:, None]
    table = exponents(samples.dim, degree)
    if len(table) > min(len(x), MOST_POINTS) // 2:
        return None
    columns = monomials((x - samples.mean) / np.where(samples.std > 0, samples.std, 1.0), table)
    _, s, vt = np.linalg.svd(np.linalg.qr(columns * root, mode="r"))
    if s[-1] <= rounding(columns.shape) * s[0]:
        return None
    values = columns @ (vt.T / s)  # orthonormal polynomials on all points
    at = np.sort(qr(values.T, mode="r", pivoting=True, check_finite=False)[-1][: len(table)])
    return x[at], np.linalg.inv(values[at])


def _degree(family: AbstractLinearField, lifted: AbstractAction) -> int | None:
    """Highest degree of the rows, where they are polynomials."""
    base = lifted.base if isinstance(lifted, AbstractLift) else lifted
    highest = family.degree if isinstance(family, PolynomialField) else None
    if isinstance(family, BasisField):
        highest = _basis_degree(family.basis)
    if highest is None or not isinstance(base, PolynomialAction):
        return None
    return max(highest + base.degree - 1, highest)


def _basis_degree(basis: AbstractBasis) -> int | None:
    """Highest degree of the functions of a basis, where they are polynomials."""
    if isinstance(basis, Monomials):
        return int(basis.table.sum(axis=1).max(initial=0))
    if isinstance(basis, Pulled):
        return _basis_degree(basis.inner)
    if not isinstance(basis, Joined):
        return None
    degrees = [_basis_degree(part) for part in basis.parts]
    return None if None in degrees else max(d for d in degrees if d is not None)


def _compressed(tensor: NDArray) -> NDArray:
    """The same sums of squares in as few rows as possible: rows that vanish are dropped, long ones are triangular."""
    flat = tensor.reshape(len(tensor), -1)
    size = np.abs(flat).max(axis=0, initial=0.0)  # columns have units of their own
    flat = flat[np.abs(flat / np.where(size > 0, size, 1.0)).max(axis=1, initial=0.0) > rounding(flat.shape)]
    if flat.shape[0] > flat.shape[1]:
        flat = qr(flat, mode="r", check_finite=False)[0][: flat.shape[1]]
    return np.ascontiguousarray(flat).reshape(-1, *tensor.shape[1:])


def _plain(samples: Samples, family: AbstractLinearField) -> Scales:
    d = samples.dim
    return Scales(np.ones(d), np.ones(family.value_dim), (tuple(range(d)),))


def _check_memory(entries: int, p: int, q: int) -> None:
    if entries > MOST_ENTRIES:
        raise UndecidedError(
            explain(
                "The tensor over generators and parameters is too large.",
                given=f"{p} generators, {q} parameters: {8 * entries / 2**30:.1f} GiB",
                expected=f"at most {8 * MOST_ENTRIES / 2**30:.1f} GiB",
                fix="name the generators to certify: generators=sym.generators",
            )
        )
