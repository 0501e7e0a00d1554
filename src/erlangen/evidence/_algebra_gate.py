"""Gates on the generators themselves: those that say nothing, and whether they close as an algebra must."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from erlangen._render import number
from erlangen.actions import AbstractAction
from erlangen.derivative import LieDerivative, Samples
from erlangen.derivative.forms import split
from erlangen.derivative.scales import Scales
from erlangen.evidence.certificate import Bound, Gate
from erlangen.fields import lift
from erlangen.linalg.qr import rounding
from erlangen.verbs._basis import readable_generators
from erlangen.verbs._coverage import null_split
from erlangen.verbs._sort import _complement, _own

POINTS = 256
"""Points at which brackets are compared; polynomial fields of low degree are told apart by far fewer."""

SHOWN = 6
"""Generators named in a sentence."""

OWN = "the field itself, or built from it alone: it commutes with itself whatever it is"
MULTIPLE = "a multiple of a translation that changes nothing: the field depends on fewer coordinates, no more is said"
INERT = "it moves nothing in the region"


def split_trivial(
    lie: LieDerivative,
    scales: Scales,
    basis: NDArray,
    tolerance: float,
    names: Sequence[str] | None = None,
) -> tuple[NDArray, tuple[Bound, ...]]:
    """Set apart generators that are symmetries for reasons that say nothing.

    Parameters
    ----------
    lie : LieDerivative
        Field, candidates and region.
    scales : Scales
        Units of points and values.
    basis : ndarray (p, r)
        Directions that look like symmetries.
    tolerance : float
        Relative size up to which two fields count as the same.
    names : sequence of str, optional
        Names of the coordinates.

    Returns
    -------
    rest : ndarray (p, r')
        What is left of the basis.
    trivial : tuple of Bound
        The field itself, powers of a linear one, functions times them; multiples of a translation that leaves an
        invariant field alone; fields that vanish in the region. Each with its reason.
    """
    factors = lie.factors(scales)
    inert = split(factors.moves, factors.informs, lie.field.accuracy).inert
    basis = _without(np.asarray(basis, dtype=np.float64), inert)
    rest, own = _own(lie, scales, basis, tolerance)
    rest, multiple = _multiples(lie, scales, rest, tolerance)
    listed = [(inert, INERT), (own, OWN), (multiple, MULTIPLE)]

    def defect(xi: NDArray) -> float:
        size = float(factors.informs.norms(xi[:, None])[0])
        return float(np.linalg.norm(factors.rows @ xi)) / size if size > 0 else 0.0

    def cost(rounded: NDArray, exact: NDArray) -> tuple[float, float]:
        return defect(rounded), max(2.0 * defect(exact), rounding(factors.rows.shape))

    bounds = []
    for columns, reason in listed:
        for xi in readable_generators(lie.action, columns, tolerance, lie.samples.mean, scales.points, cost):
            text = lie.action.describe(xi, None if names is None else tuple(names))
            bounds.append(Bound(xi, text, defect(xi), 0.0, float("nan"), "not refuted", reason))
    return rest, tuple(bounds)


def trivial(bounds: Sequence[Bound], left: int) -> Gate:
    """Say how many directions were set apart, see :func:`split_trivial`, and how many are left."""
    if not bounds:
        return Gate("trivial generators", True, 0.0, float("nan"), "none: no candidate is a symmetry for no reason")
    parts = []
    for reason in dict.fromkeys(b.reason for b in bounds):
        texts = [b.text for b in bounds if b.reason == reason]
        more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
        parts.append(f"{', '.join(texts[:SHOWN])}{more}: {reason}")
    text = f"{len(bounds)} set apart and not counted, {left} left ({'; '.join(parts)})"
    return Gate("trivial generators", True, float(len(bounds)), float("nan"), text)


def closure(
    action: AbstractAction,
    generators: NDArray,
    samples: Samples,
    *,
    errors: NDArray | float = 0.0,
    alpha: float = 0.05,
    units: NDArray | None = None,
) -> Gate:
    """Whether the brackets of generators lie in their span, up to what the errors of the generators explain.

    The symmetries of a field form an algebra. A span that does not close has a member missing or one too many.
    The value is the part of the brackets outside the span, in L2 of the region and relative to their terms; the limit
    is its quantile at level alpha under the errors, to first order, with a scaled chi-squared law (Satterthwaite).

    Parameters
    ----------
    action : AbstractAction
        The candidates.
    generators : ndarray (r, p)
        Coefficients over them.
    samples : Samples
        The region.
    errors : float or ndarray (r, p, s)
        Standard error of a generator of unit size, or roots: the i-th generator is off by ``errors[i] @ u`` with one
        standard normal u ``(s,)`` for all, see :func:`generator_errors`.
    alpha : float
        Level.
    units : ndarray (d,), optional
        Scales of the coordinates.

    Examples
    --------
    >>> from erlangen.actions import rotation
    >>> three, box = rotation(3), Samples.box(-1, 1, dim=3)
    >>> closure(three, np.eye(3), box).passed, closure(three, np.eye(3)[:2], box).passed
    (True, False)
    """
    generators = np.atleast_2d(np.asarray(generators, dtype=np.float64))
    r = len(generators)
    if r < 2:
        return Gate("closure", True, 0.0, float("nan"), "one generator always closes")
    units = samples.std if units is None else units
    x, root = _points(samples)
    weight = (root[:, None] / np.where(units > 0, units, 1.0)).ravel()

    def flat(field: NDArray) -> NDArray:
        """Fields ``(n, k, d)`` as columns ``(n d, k)``, norms of which are sizes on the region."""
        return field.transpose(0, 2, 1).reshape(-1, field.shape[1]) * weight[:, None]

    own = action.restrict(generators.T)
    each, mine = action.on_points(x), own.on_points(x)
    # [e_k, xi_j] = D xi_j e_k - D e_k xi_j for all candidates e_k
    forward = np.stack([flat(own.derivative_along(x, each[:, k])) for k in range(each.shape[1])], axis=2)
    backward = np.stack([flat(action.derivative_along(x, mine[:, j])) for j in range(r)], axis=1)
    brackets = forward - backward
    span, candidates = flat(mine), flat(each)
    q, s, vt = np.linalg.svd(span, full_matrices=False)
    keep = s > rounding(span.shape) * s[0]
    q = q[:, keep]
    roots = _roots(errors, generators, candidates)
    outside = size = 0.0
    spread = np.zeros((roots.shape[2], roots.shape[2]))
    for i in range(r):
        for j in range(i + 1, r):
            found = brackets[:, j] @ generators[i]
            inside = vt[keep].T @ ((q.T @ found) / s[keep])
            off = brackets[:, j] @ roots[i] - brackets[:, i] @ roots[j]
            off -= candidates @ np.einsum("k,kps->ps", inside, roots)
            off -= q @ (q.T @ off)
            spread += off.T @ off
            outside += float(np.sum((found - q @ (q.T @ found)) ** 2))
            size += float(np.sum((forward[:, j] @ generators[i]) ** 2 + (backward[:, j] @ generators[i]) ** 2))
    return _closure_gate(outside, size, spread, alpha, r, rounding(brackets.shape))


def generator_errors(lie: NDArray, theta: NDArray, root: NDArray, generators: NDArray) -> NDArray:
    """Roots ``(r, p, s)`` of the errors of generators that solve L_xi f = 0 for estimated parameters, to first order.

    Parameters
    ----------
    lie : ndarray (K, p, q)
        The bilinear map (xi, theta) -> L_xi f_theta.
    theta : ndarray (q,)
        The estimate.
    root : ndarray (q, s)
        Root of its covariance.
    generators : ndarray (r, p)
        The generators.
    """
    v = np.linalg.qr(np.asarray(generators).T)[0]
    a = np.tensordot(lie, theta, axes=(2, 0))
    across = np.linalg.svd(v, full_matrices=True)[0][:, v.shape[1] :]
    pushed = np.einsum("kpq,rp,qs->rks", lie, generators, root, optimize=True)
    back = across @ np.linalg.pinv(a @ across)
    return -np.einsum("pk,rks->rps", back, pushed)


def _closure_gate(outside: float, size: float, spread: NDArray, alpha: float, r: int, least: float) -> Gate:
    mean, square = float(np.trace(spread)), float(np.sum(spread**2))
    allowed = square / mean * stats.chi2.isf(alpha, mean**2 / square) if square > 0 else 0.0
    unit = size if size > 0 else 1.0
    value = float(np.sqrt(outside / unit))
    limit = float(np.sqrt(allowed / unit)) + least
    if value <= limit:
        why = "within what their errors explain" if allowed > 0 else "to rounding"
        return Gate("closure", True, value, limit, f"the brackets of {r} generators lie in their span {why}")
    text = (
        f"brackets of the {r} generators leave their span by {number(value, 2)} of their size, more than their errors "
        f"explain ({number(limit, 2)}): one is missing or one too many; enlarge the candidates, or lower delta"
    )
    return Gate("closure", False, value, limit, text)


def _roots(errors: NDArray | float, generators: NDArray, candidates: NDArray) -> NDArray:
    """Errors as roots ``(r, p, s)``; a number is spread evenly over candidates of unit size."""
    if isinstance(errors, np.ndarray) and errors.ndim == 3:
        return errors
    r, p = generators.shape
    sizes = np.linalg.norm(candidates @ generators.T, axis=0)
    unit = np.linalg.norm(candidates, axis=0)
    each = np.divide(1.0, unit, out=np.zeros(p), where=unit > 0) / np.sqrt(p)
    out = np.zeros((r, p, r * p))
    for i in range(r if np.any(np.asarray(errors)) else 0):
        out[i, np.arange(p), i * p + np.arange(p)] = float(errors) * sizes[i] * each
    return out


def _without(basis: NDArray, inert: NDArray) -> NDArray:
    """A basis ``(p, r)`` modulo directions that move nothing."""
    if inert.shape[1] == 0 or basis.shape[1] == 0:
        return basis
    q = np.linalg.qr(inert)[0]
    u, s, _ = np.linalg.svd(basis - q @ (q.T @ basis), full_matrices=False)
    return u[:, s > np.sqrt(np.finfo(np.float64).eps) * np.linalg.norm(basis, 2)]


def _multiples(lie: LieDerivative, scales: Scales, basis: NDArray, tolerance: float) -> tuple[NDArray, NDArray]:
    """For invariant fields: split off g(x) d/du beside a d/du that leaves f alone."""
    if lie.lifted.value_dim is not None or lie.field.kind != "invariant" or basis.shape[1] == 0:
        return basis, basis[:, :0]
    whole, velocity = _velocities(lie, scales, basis)
    centred = velocity - velocity.mean(axis=0)
    still = null_split(_columns(centred), whole, basis, tolerance)[0]
    if still.shape[1] == 0:
        return basis, basis[:, :0]
    along = np.linalg.qr((np.linalg.lstsq(basis, still, rcond=None)[0].T @ velocity.mean(axis=0)).T)[0]
    across = velocity - velocity @ along @ along.T
    inside = null_split(_columns(across), whole, basis, tolerance)[0]
    multiples, _ = _complement(inside, still)
    rest, _ = _complement(basis, multiples)
    return rest, multiples


def _velocities(lie: LieDerivative, scales: Scales, basis: NDArray) -> tuple[NDArray, NDArray]:
    """Scaled velocities of directions ``(p, r)``: as columns ``(n d, r)`` and as ``(n, r, d)``."""
    few = lie.samples.pointwise().subset(4 * POINTS)
    velocity = lift(lie.field, lie.action).restrict(basis).on_points(few.points) / scales.points
    return _columns(velocity), velocity


def _columns(velocity: NDArray) -> NDArray:
    return velocity.transpose(0, 2, 1).reshape(-1, velocity.shape[1])


def _points(samples: Samples) -> tuple[NDArray, NDArray]:
    few = samples.pointwise().subset(POINTS)
    return few.points, np.sqrt(few.weights)
