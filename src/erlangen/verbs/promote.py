"""Promote: break a symmetry only where the data insist. A penalty on the rank of xi -> L_xi f_theta."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain, nearest
from erlangen.derivative import LieDerivative, Samples
from erlangen.fields import AbstractLinearField, OperatorField, PolynomialField
from erlangen.verbs._enforce_request import Request, read
from erlangen.verbs._promote_data import check_eps
from erlangen.verbs._promote_maps import element_map, lie_map, orthonormal_generators
from erlangen.verbs._promote_penalty import Penalty as Penalty
from erlangen.verbs._promote_result import Promoted as Promoted
from erlangen.verbs._promote_terms import AbstractTerm, Block, Frobenius, Moved, Nuclear, Reweighted, ScaleFree
from erlangen.verbs.operators import check_size, operator_penalty

KINDS: dict[str, Callable[[Block, float], AbstractTerm]] = {
    "nuclear": lambda block, eps: Nuclear(block),
    "frobenius": lambda block, eps: Frobenius(block),
    "reweighted": Reweighted,
    "scale-free": ScaleFree,
}

_log = logging.getLogger(__name__)


def promote(
    field: Any,
    action: Any,
    samples: Any = None,
    *,
    kind: str = "nuclear",
    inner: str | ArrayLike = "speed",
    eps: float = 0.1,
    discrete: Sequence[Any] | None = None,
) -> Penalty:
    """Make a penalty that is small where few generators are broken.

    For f_theta linear in theta, the number of broken generators is the rank of ``xi -> L_xi f_theta``. Its nuclear
    norm, the sum of singular values, is the convex function that stands for it: used as a penalty it lets data break
    a generator, but only for a price.

    Parameters
    ----------
    field : AbstractLinearField
        The family: a polynomial field (``er.fields.Polynomial(degree=2, dim=3).as_field()``), a basis with
        coefficients, or a field of your own. Coefficients that it has do not matter.
    action : AbstractAction, Symmetry or Group
        The generators that may be kept or broken. Each discrete element h of a group adds ``|rho(h) f - f o h|``.
    samples : Samples, ndarray (n, d) or points in blocks, optional
        Where functions are compared. On a box or a Gaussian, polynomials are integrated exactly; otherwise integrals
        are weighted sums over the points. None is the box from -1 to 1: choose one about the data.
    kind : {"nuclear", "frobenius", "reweighted", "scale-free"}
        What is summed, for the matrix A of generators and values with singular values s_i. ``"nuclear"``: s_i.
        ``"frobenius"``: the root of the sum of squares, which keeps or breaks all generators together.
        ``"reweighted"``: e log(1 + s_i / e), with e = eps times the spread of the values that are fitted.
        ``"scale-free"``: singular values relative to |Df| |xi|, a soft count. The first two are convex.
    inner : {"speed", "relative", "coefficients"} or ndarray (p, p)
        Inner product of the generators, which says how long each is and so what it costs to break it. ``"speed"`` is
        the mean of xi_k(x) . xi_l(x) over the samples; ``"relative"`` the same in units of the samples' spread, one
        unit for coordinates that the action mixes: metres or millimetres then cost the same. ``"coefficients"`` takes
        the coefficients of polynomial generators as orthonormal, as the source paper does. None depends on f.
    eps : float
        For the kinds that are not convex: which singular values count as small, relative to the values, or to slopes.
    discrete : sequence, optional
        More discrete elements, as in :func:`erlangen.enforce`.

    Returns
    -------
    Penalty
        Its value, matrix, subgradient and proximal map, and fits to data. Penalties over one family add up.

    Raises
    ------
    InputError
        When the field is not linear in its parameters, the pieces do not fit, or no generator moves the points.
    UndecidedError
        When there are too few samples for the family.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 8.

    Examples
    --------
    A function of the sum of five coordinates, from 13 values, in a family of 21: one translation is broken.

    >>> import numpy as np
    >>> import erlangen as er
    >>> family = er.fields.Polynomial(degree=2, dim=5).as_field()
    >>> penalty = er.promote(family, er.actions.translation(5), er.Samples.box(-1, 1, dim=5))
    >>> x = np.random.default_rng(0).uniform(-1, 1, (13, 5))
    >>> found = penalty.interpolate(x, (1 + x.sum(axis=1) / 2) ** 2)
    >>> found.broken_rank
    1
    >>> bool(abs(found.field.value(np.ones((1, 5))) - 3.5**2) < 1e-2)
    True
    """
    if not isinstance(field, AbstractLinearField):
        raise InputError(
            explain(
                "Promoting takes a family linear in its parameters: only there is the penalty convex.",
                given=type(field).__name__,
                expected="a polynomial field, a basis with coefficients, or your own AbstractLinearField",
                fix="er.fields.Polynomial(degree=2, dim=3).as_field() for a family of functions",
            )
        )
    make = _kind(kind)
    eps = check_eps(eps)
    if isinstance(field, OperatorField):
        if kind == "nuclear" and samples is None and not discrete:
            penalty = operator_penalty(field, action, inner)
            if penalty is not None:
                return penalty  # type: ignore[return-value]  # the same methods, over operators
        check_size(field)
    if samples is None and isinstance(field, (PolynomialField, OperatorField)):
        samples = Samples.box(-1, 1, dim=field.point_dim, n=64)
    request = read(field, action, samples, discrete)
    terms = _terms(request, inner, lambda block: make(block, eps))
    family = field if isinstance(field, OperatorField) else request.field
    _log.debug("a price on %d images of %d parameters", len(terms), family.n_params)
    return Penalty(family, terms, (1.0,) * len(terms), request.lie.samples)


def _kind(kind: str) -> Callable[[Block, float], AbstractTerm]:
    if kind not in KINDS:
        raise InputError(
            explain(
                "There is no such penalty.",
                given=f"kind={kind!r}",
                expected=", ".join(KINDS),
                fix=f"kind={nearest(str(kind), tuple(KINDS)) or 'nuclear'!r}",
            )
        )
    return KINDS[kind]


def _terms(request: Request, inner: str | ArrayLike, make: Callable[[Block], AbstractTerm]) -> tuple[AbstractTerm, ...]:
    """One term for the generators, where there are any, and one for each discrete element."""
    elements = tuple(Moved(element, element_map(request.lie, element)) for element in request.elements)
    if request.elements and not request.lie.action.n_generators:
        return elements
    basis = orthonormal_generators(request.lie, inner)
    lie = LieDerivative(request.field, request.lie.action.restrict(basis), request.lie.samples)
    return (make(Block(lie, basis, lie_map(lie))), *elements)
