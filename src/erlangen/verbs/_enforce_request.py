"""What enforce was asked: the family, the generators, the discrete elements, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, CallableAction, IncrementLift, PolynomialAction, affine, linear
from erlangen.algebra import Group
from erlangen.algebra.representation import LinearMaps, Representation
from erlangen.blocks import in_blocks
from erlangen.derivative import AbstractSamples, LieDerivative, Samples
from erlangen.fields import EXACT, AbstractField, AbstractLinearField, OperatorField, PolynomialField
from erlangen.fields.bases import AbstractBasis, BasisField, Monomials
from erlangen.fields.libraries import AbstractLibrary
from erlangen.linalg.qr import rounding
from erlangen.verbs.symmetry import Symmetry

POINTS_PER_PARAMETER = 4
"""Points drawn from the domain of a library for each of its functions: as many as functions would do generically."""

DIFFERENCES = 1e-10
"""Relative error of derivatives of generators that are given as functions: central differences."""


@dataclass(frozen=True, eq=False)
class Element:
    """A group element: points move to ``matrix x + shift``, values to ``rho v``.

    Attributes
    ----------
    matrix : ndarray (d, d)
    shift : ndarray (d,)
    rho : ndarray (c, c)
    """

    matrix: NDArray
    shift: NDArray
    rho: NDArray

    def move(self, x: NDArray) -> NDArray:
        """Images ``(n, d)`` of the points ``x (n, d)``."""
        return x @ self.matrix.T + self.shift


@dataclass(frozen=True, eq=False)
class Request:
    """The Lie derivative of a family, and the elements and tolerance that go with it.

    Attributes
    ----------
    lie : LieDerivative
        Of the family under the generators, where it is to be symmetric.
    elements : tuple of Element
        Discrete elements that must leave the fields alone as well.
    tolerance : float
        Relative residual up to which equations count as solved: rounding, or the error of generators from data.
    everywhere : bool
        Whether the symmetry is claimed on all of R^d, as for polynomials, and not on points only.
    """

    lie: LieDerivative
    elements: tuple[Element, ...]
    tolerance: float
    everywhere: bool

    @property
    def field(self) -> AbstractLinearField:
        """The family."""
        field = self.lie.field
        assert isinstance(field, AbstractLinearField)
        return field


def read(family: Any, acting: Any, samples: Any, discrete: Sequence[Any] | None) -> Request:
    """Check the arguments of enforce and bring them into one form."""
    field = _linear_family(family)
    action, of_group = _generators(acting, field)
    tolerance = max(acting.noise if isinstance(acting, Symmetry) else 0.0, DIFFERENCES if _differenced(action) else 0.0)
    chosen = _where(field, action) if samples is None else _samples(samples, field.point_dim)
    lie = LieDerivative(field, action, chosen)
    _check_linear_in_values(lie)
    elements = tuple(_element(item, lie) for item in [*of_group, *_listed(discrete, field.point_dim)])
    q = field.n_params
    least = rounding((q,)) * np.sqrt(q)  # q eps, as is usual for a rank: generators are rounded, and powers multiply it
    # The accuracy of these two is that of their coefficients, which do not matter here: their features are exact.
    own = EXACT if isinstance(field, (PolynomialField, BasisField)) else field.accuracy
    return Request(lie, elements, max(tolerance, own, least), chosen.measure is not None)


def _samples(samples: Any, d: int) -> AbstractSamples:
    if isinstance(samples, AbstractSamples):
        return samples
    return Samples.from_blocks(samples) if in_blocks(samples) else _points(samples, d)


def _points(samples: Any, d: int) -> Samples:
    try:
        points = np.asarray(samples, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            explain(
                "Samples are points, or a measure over them.",
                given=f"samples={samples!r}" if isinstance(samples, str) else f"samples of {type(samples).__name__}",
                expected=f"a Samples, or numbers of shape (n, {d})",
                fix=f"samples=er.Samples.box(-1, 1, dim={d})",
            )
        ) from None
    return Samples.from_data(points)


def _listed(discrete: Any, d: int) -> list[Any]:
    """Discrete elements as a list; one matrix alone is not a list of its rows."""
    if discrete is None:
        return []
    if isinstance(discrete, Sequence) or (isinstance(discrete, np.ndarray) and discrete.ndim == 3):
        return list(discrete)
    raise InputError(
        explain(
            "Discrete elements come in a list.",
            given=f"discrete of type {type(discrete).__name__}, shape {np.shape(discrete)}",
            expected="a list of matrices, or of pairs of matrices for points and values",
            fix=f"discrete=[-numpy.eye({d})]",
        )
    )


def _linear_family(family: Any) -> AbstractLinearField:
    if isinstance(family, BasisField) and isinstance(family.basis, Monomials):
        return PolynomialField(family.basis.table, family.coefficients, family.kind, family.accuracy)
    if isinstance(family, OperatorField):
        return family.polynomial
    if isinstance(family, AbstractLinearField):
        return family
    if isinstance(family, AbstractLibrary):
        fix = "er.fields.Polynomial(degree=3, dim=2).as_vector_field(), or library.bind(names).as_field()"
        what = "A library becomes a family of fields once it knows its coordinates and channels."
    elif isinstance(family, AbstractBasis):
        fix = "basis.as_field(), or basis.as_vector_field()"
        what = "A basis becomes a family of fields once it knows its channels."
    elif isinstance(family, Representation):
        fix = 'er.enforce(er.rep("V", group) >> er.rep("V", group))'
        what = "A representation is one side of a linear map."
    else:
        fix = (
            "er.nn.as_equivariant(network, group) or er.nn.symmetrize(model, group) for a network or any trained "
            "model; er.fields.Polynomial(degree=3, dim=2).as_vector_field() for a family of functions"
        )
        what = "Enforcing takes a family linear in its parameters: only there are the symmetric members a subspace."
    given = type(family).__name__
    if isinstance(family, AbstractField):
        given += f", a field on R^{family.point_dim} whose parameters are fixed, or enter nonlinearly"
    raise InputError(
        explain(
            what,
            given=given,
            expected="a polynomial field, a basis with coefficients, your own AbstractLinearField, or linear maps "
            "rep_in >> rep_out",
            fix=fix,
        )
    )


def _generators(acting: Any, field: AbstractLinearField) -> tuple[AbstractAction, list[Any]]:
    """The action, and discrete elements as matrices or pairs."""
    if isinstance(acting, Symmetry):
        if not acting.decided:
            raise UndecidedError(
                explain(
                    "The data did not decide this symmetry.",
                    given=repr(acting),
                    expected="a symmetry that was found, not one that is only possible",
                    fix="symmetry.action in place of the symmetry, to take it all the same",
                )
            )
        if not acting.dim:
            raise UndecidedError(
                explain(
                    "There is no symmetry here: nothing was found.",
                    given=repr(acting),
                    expected="a symmetry with at least one generator",
                    fix="an action that you know, such as er.actions.rotation(3)",
                )
            )
        return acting.action, []
    if isinstance(acting, AbstractAction):
        return acting, []
    if isinstance(acting, LinearMaps):
        source, target = acting.source, acting.target
        action = linear(_stacked(source.lie_images, source.size))
        pairs = zip(source.discrete_images, target.discrete_images, strict=True)
        matrices = _stacked(target.lie_images, target.size)
        return action.with_output(matrices), [(h.toarray(), rho.toarray()) for h, rho in pairs]
    if isinstance(acting, Group):
        return _group_action(acting, field.point_dim), list(acting.discrete)
    raise InputError(
        explain(
            "Something must act.",
            given=f"{acting!r} of type {type(acting).__name__}",
            expected="an action, a Symmetry, a Group acting on the points, or rep_in >> rep_out for points and values",
            fix=f"er.actions.rotation({field.point_dim}) after the field",
        )
    )


def _differenced(action: AbstractAction) -> bool:
    parts = [getattr(action, name, None) for name in ("base", "target", "source")]
    return isinstance(action, CallableAction) or any(_differenced(p) for p in parts if isinstance(p, AbstractAction))


def _stacked(images: Sequence[Any], size: int) -> NDArray:
    return np.array([image.toarray() for image in images]).reshape(-1, size, size)


def _group_action(group: Group, d: int) -> PolynomialAction:
    if group.size == d:
        return linear(group.lie_algebra)
    corner = np.eye(d + 1)[-1]
    affine_group = group.size == d + 1 and not np.any(group.lie_algebra[:, -1])
    if not affine_group or np.any(group.discrete[:, -1] != corner):
        raise InputError(
            explain(
                "The group does not act on the points of the field.",
                given=f"{group.name}, matrices of size {group.size}, for points in R^{d}",
                expected=f"matrices of size {d}, or {d + 1} for affine transformations",
                fix="rep_in >> rep_out in place of the group, with a representation on the points",
            )
        )
    full = affine(d)  # generators by component, then 1, x1 .. xd
    columns = np.concatenate([group.lie_algebra[:, :d, d:], group.lie_algebra[:, :d, :d]], axis=2)
    return full.restrict(columns.reshape(len(columns), -1).T)


def _element(item: Any, lie: LieDerivative) -> Element:
    """A discrete element from a matrix, or from a pair of matrices for points and values."""
    d, c = lie.field.point_dim, lie.field.value_dim
    paired = isinstance(item, tuple) and len(item) == 2
    h = np.asarray(item[0] if paired else item, dtype=np.float64)
    if h.shape not in ((d, d), (d + 1, d + 1)) or not np.isfinite(h).all():
        raise _bad_element(f"an array of shape {h.shape}", d, c)
    shift = np.zeros(d)
    if len(h) == d + 1:
        if not np.array_equal(h[-1], np.eye(d + 1)[-1]):
            raise _bad_element("a matrix of size d + 1 whose last row is not 0 .. 0 1", d, c)
        h, shift = h[:d, :d], h[:d, d]
    if np.linalg.matrix_rank(h) < d:
        raise _bad_element("a singular matrix", d, c)
    if paired:
        rho = np.asarray(item[1], dtype=np.float64)
    elif lie.action.value_dim is not None:
        raise _bad_element("a matrix for the points alone, where the action names its own output", d, c)
    else:
        rho = np.eye(c) if lie.field.kind == "invariant" else h
    if rho.shape != (c, c) or not np.isfinite(rho).all():
        raise _bad_element(f"an array of shape {rho.shape} for the values", d, c)
    return Element(h, shift, rho)


def _bad_element(given: str, d: int, c: int) -> InputError:
    return InputError(
        explain(
            "This is no discrete element of a group that acts on the field.",
            given=given,
            expected=f"an invertible matrix ({d}, {d}), ({d + 1}, {d + 1}) for an affine map, or a pair of it with "
            f"a matrix ({c}, {c}) for the values",
            fix=f"discrete=[(numpy.diag({[-1] + [1] * (d - 1)}), numpy.eye({c}))]",
        )
    )


def _check_linear_in_values(lie: LieDerivative) -> None:
    """Equations are linear in theta only where values are carried linearly."""
    lifted, x = lie.lifted, lie.samples.local.points[:1]
    nonlinear = isinstance(lifted, IncrementLift) and not (
        isinstance(lifted.base, PolynomialAction) and lifted.base.degree <= 1
    )
    if nonlinear or np.any(lifted.on_values(x, np.zeros((1, lie.field.value_dim)))):
        raise InputError(
            explain(
                "The equations are not linear in the parameters.",
                given="increments of a map under generators that are not affine"
                if nonlinear
                else "an action that shifts the values",
                expected="values that are carried linearly",
                fix="an affine action, or a vector field in place of the map"
                if nonlinear
                else "an action without shift",
            )
        )


def _where(field: AbstractLinearField, action: AbstractAction) -> Samples:
    """Where a family is to be symmetric if nobody says: everywhere for polynomials, else on its own domain."""
    if isinstance(field, PolynomialField):
        return Samples.gaussian(dim=field.point_dim, n=POINTS_PER_PARAMETER * field.n_params)
    domain = field.basis.domain() if isinstance(field, BasisField) else None
    if domain is None:
        raise InputError(
            explain(
                "A symmetry is claimed somewhere: samples are missing.",
                given=f"a {type(field).__name__} on R^{field.point_dim} without samples",
                expected="points where the fields are to be symmetric (polynomials, Fourier, spline and radial bases "
                "need none)",
                fix=f"samples=er.Samples.box(-1, 1, dim={field.point_dim})",
            )
        )
    return Samples.box(*domain, n=max(64, POINTS_PER_PARAMETER * field.n_params)).pointwise()


def moved_values(request: Request) -> Iterator[tuple[NDArray, NDArray]]:
    """Stream theta -> rho f_theta and theta -> f_theta o h over the samples: ``(n, c, q)`` each, weighted rows."""
    samples, size = request.lie.samples, points_at_a_time(request.field)
    for element in request.elements:
        for start in range(0, len(samples), size):
            part = slice(start, start + size)
            yield moved_at(request.field, element, samples.points[part], samples.weights[part])


def points_at_a_time(field: AbstractLinearField) -> int:
    """Points whose rows fill one block."""
    return max(64, 2**23 // (field.value_dim * field.n_params))


def moved_at(field: AbstractLinearField, element: Element, x: NDArray, w: NDArray) -> tuple[NDArray, NDArray]:
    """Terms of `moved_values` at points ``x (n, d)`` of weights ``w (n,)``."""
    root = np.sqrt(w)[:, None, None]
    still = np.einsum("ab,nbq->naq", element.rho, field.features(x))
    return still * root, field.features(element.move(x)) * root
