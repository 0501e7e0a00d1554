"""Enforce: which members of a family are symmetric? The null space of theta -> L_xi f_theta."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain, nearest
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.algebra.representation import LinearMaps
from erlangen.derivative import Samples
from erlangen.fields import OperatorField
from erlangen.linalg.subspace import AbstractSubspace, DenseSubspace, RationalSubspace
from erlangen.verbs._enforce_generators import generating_set
from erlangen.verbs._enforce_request import Request, read
from erlangen.verbs._enforce_solve import in_coefficients, solve_exactly, solve_floating, solve_sampled
from erlangen.verbs.closure import closure_of
from erlangen.verbs.operators import commuting_operators

_log = logging.getLogger(__name__)

METHODS = ("auto", "exact", "floating", "sampled")


def enforce(
    field: Any,
    action: Any = None,
    samples: Samples | ArrayLike | None = None,
    *,
    discrete: Sequence[Any] | None = None,
    method: str = "auto",
    cache: str | Path | None = None,
) -> AbstractSubspace:
    """Find the parameters for which a field does not change under a group.

    A field f_theta that is linear in theta is symmetric where ``L_xi f_theta = 0`` for generators xi that generate
    the Lie algebra, and ``rho(h) f_theta = f_theta o h`` for the discrete elements h: linear equations, whose
    solutions are a subspace of R^q.

    Parameters
    ----------
    field : AbstractLinearField or LinearMaps
        A polynomial field (``er.fields.Polynomial(degree=3, dim=2).as_vector_field()``), a basis with coefficients
        (Fourier, radial, spline, formulas), a field of your own, or the linear maps ``rep_in >> rep_out`` between
        representations, which need no action. Coefficients that it has do not matter.
    action : AbstractAction, Symmetry, Group or LinearMaps
        The generators; a symmetry found before (its findings); a group that acts on the points, or on the points as
        affine maps; ``rep_points >> rep_values`` for a group that acts on points and values.
    samples : Samples or ndarray (n, d), optional
        Where the symmetry is claimed. None means everywhere for polynomials, and the domain of a basis for the others
        (a period, the knots, the centres). Points without a measure mean these points only.
    discrete : sequence, optional
        Elements that must leave the fields alone as well: matrices ``(d, d)``, affine ``(d + 1, d + 1)``, or pairs of
        a matrix for the points and one ``(c, c)`` for the values.
    method : {"auto", "exact", "floating", "sampled"}
        ``exact`` is rational arithmetic, chosen where field and generators are polynomial and rational; ``floating``
        solves the same equations on coefficients in float64; ``sampled`` takes rows at points. Linear maps have
        methods of their own.
    cache : path, optional
        Folder for results, for linear maps between representations only.

    Returns
    -------
    AbstractSubspace
        Of R^q: ``dim``, ``project(theta)``, ``sparse_basis()``, ``residual``, ``reason``, ``method``.

    Raises
    ------
    InputError
        When the field is not linear in its parameters, or the pieces do not fit together.
    UndecidedError
        When there are too few samples for the parameters, or a symmetry that the data did not decide.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025.

    Examples
    --------
    >>> import erlangen as er
    >>> family = er.fields.Polynomial(degree=3, dim=2).as_vector_field()
    >>> spiral = er.enforce(family, er.actions.rotation(2))
    >>> for theta in spiral.sparse_basis().T:
    ...     print(family.describe(theta))
    x d/dx + y d/dy
    -x d/dy + y d/dx
    x^3 d/dx + x^2 y d/dy + x y^2 d/dx + y^3 d/dy
    -x^3 d/dy + x^2 y d/dx - x y^2 d/dy + y^3 d/dx
    """
    if isinstance(field, LinearMaps):
        _alone(field, action, samples, discrete)
        folder = None if cache is None else _folder(cache)
        return equivariant_maps(field.source, field.target, method=method, cache=folder)
    _check(method, cache)
    if isinstance(field, OperatorField) and method == "auto" and samples is None and not discrete:
        commuting = commuting_operators(field, action)
        if commuting is not None:
            return commuting
    request = read(field, action, samples, discrete)
    null, few = _null_space(request, method)
    _log.debug("%d of %d dimensions are symmetric: %s", null.dim, request.field.n_params, null.reason)
    only_zero = "only the zero field is symmetric; " if null.dim == 0 else ""
    return replace(null, reason=f"{null.reason}; {only_zero}{_words(request, few)}; {closure_of(request).reason}")


def _null_space(request: Request, method: str) -> tuple[DenseSubspace | RationalSubspace, int]:
    """Null space of the rows of all generators and elements, and how many generators it took."""
    lie, elements = request.lie, request.elements
    if method in ("exact", "floating") or (method == "auto" and request.everywhere):
        xi = generating_set(lie.lifted, mixed=False)
        exact = None if method == "floating" else solve_exactly(lie, xi, elements)
        if exact is not None:
            return exact, len(xi)
        maps = None if method == "exact" else in_coefficients(lie, xi, elements)
        if maps is not None:
            return solve_floating(maps, request.field.n_params, request.tolerance), len(xi)
        if method != "auto":
            raise _not_exact(request)
    xi = generating_set(lie.lifted, mixed=True)
    return solve_sampled(request, xi), len(xi)


def _words(request: Request, few: int) -> str:
    p, m = request.lie.action.n_generators, len(request.elements)
    words = f"{p} generator{'' if p == 1 else 's'}"
    if few < p:
        words = f"{few} generators that generate all {p}"
    return words + (f", {m} discrete element{'' if m == 1 else 's'}" if m else "")


def _alone(maps: LinearMaps, *others: Any) -> None:
    if any(other is not None for other in others):
        raise InputError(
            explain(
                "Linear maps between representations know their group.",
                given=f"{maps} with an action, samples or discrete elements",
                expected="the maps alone; a subgroup by restricting both sides",
                fix="er.enforce(rep_in.restrict(subgroup) >> rep_out.restrict(subgroup))",
            )
        )


def _folder(cache: Any) -> Path:
    """The folder of a cache, made where it does not exist."""
    try:
        folder = Path(cache)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, TypeError, ValueError) as error:
        raise InputError(
            explain(
                "Results cannot be kept there.",
                given=f"cache={cache!r}: {getattr(error, 'strerror', None) or error}",
                expected="a folder, or a path where one can be made",
                fix='cache="equivariant-maps"',
            )
        ) from None
    return folder


def _check(method: str, cache: str | Path | None) -> None:
    if method not in METHODS:
        close = nearest(str(method), METHODS)
        raise InputError(
            explain(
                "There is no such method for fields.",
                given=f"method={method!r}",
                expected=", ".join(METHODS),
                fix=f"method={close or 'auto'!r}",
            )
        )
    if cache is not None:
        raise InputError(
            explain(
                "Only linear maps between representations are cached.",
                given=f"cache={str(cache)!r} for a field",
                expected="no cache, or rep_in >> rep_out in place of the field",
                fix="er.enforce(field, action)",
            )
        )


def _not_exact(request: Request) -> InputError:
    return InputError(
        explain(
            "These equations have no such form.",
            given=f"{type(request.field).__name__} under {type(request.lie.lifted).__name__}",
            expected="a polynomial field under polynomial generators; for exact arithmetic with coefficients that are "
            "plain fractions",
            fix='method="auto"',
        )
    )
