"""Gates on the generators themselves: those that say nothing, and whether they close as an algebra must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from erlangen._render import number
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.derivative import LieDerivative, Samples
from erlangen.derivative.forms import split
from erlangen.derivative.scales import Scales
from erlangen.evidence._coverage_gate import few_of
from erlangen.evidence.certificate import Bound, Gate
from erlangen.fields import lift
from erlangen.linalg.qr import rounding
from erlangen.verbs._basis import readable_generators
from erlangen.verbs._coverage import null_split
from erlangen.verbs._sort import _complement, _own

DRAWS = 64
"""Draws of the errors of generators where they have more independent parts than that."""

POINTS = 128
"""Points at which brackets are compared; polynomial fields of low degree are told apart by far fewer."""

SHOWN = 6
"""Generators named in a sentence."""

MOST = 12
"""Generators whose brackets are looked at; 66 pairs tell a span that does not close."""

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
    chosen = np.linspace(0, r - 1, min(r, MOST)).astype(int)
    brackets = _Brackets.at(
        action, generators[chosen], few_of(samples, POINTS), samples.std if units is None else units
    )
    span = brackets.candidates @ generators.T
    q, s, vt = np.linalg.svd(span, full_matrices=False)
    keep = s > rounding(span.shape) * s[0]
    q, back = q[:, keep], vt[keep].T / s[keep]
    moved, drawn = _perturbations(errors, generators, brackets.candidates)
    outside, size, spread = 0.0, 0.0, np.zeros((moved.shape[2], moved.shape[2]))
    for i, a in enumerate(chosen):
        for j, b in enumerate(chosen[:i]):
            found = brackets.of(j) @ generators[a]
            inside = back @ (q.T @ found)
            off = brackets.of(j) @ moved[a] - brackets.of(i) @ moved[b]
            off -= brackets.candidates @ np.tensordot(inside, moved, 1)
            off -= q @ (q.T @ off)
            spread += np.diag(np.sum(off**2, axis=0)) if drawn else off.T @ off
            outside += float(np.sum((found - q @ (q.T @ found)) ** 2))
            size += brackets.terms(j, generators[a])
    squares = np.diag(spread)
    law = (squares.mean(), squares.var() / 2.0) if drawn else (squares.sum(), np.sum(spread**2))
    return _closure_gate(outside, size, law, alpha, r, rounding(brackets.forward.shape))


@dataclass(frozen=True, eq=False)
class _Brackets:
    """[e_k, xi_j] = D xi_j e_k - D e_k xi_j for all candidates e_k, as columns whose norms are sizes on the region."""

    candidates: NDArray
    forward: NDArray
    backward: NDArray

    @classmethod
    def at(cls, action: AbstractAction, generators: NDArray, few: Samples, units: NDArray) -> _Brackets:
        x, own = few.points, action.restrict(generators.T)
        weight = (np.sqrt(few.weights)[:, None] / np.where(units > 0, units, 1.0)).ravel()[:, None]
        each, mine = action.on_points(x), own.on_points(x)
        forward = [_columns(own.derivative_along(x, each[:, k])) * weight for k in range(each.shape[1])]
        backward = [_columns(action.derivative_along(x, mine[:, j])) * weight for j in range(mine.shape[1])]
        return cls(_columns(each) * weight, np.stack(forward, axis=2), np.stack(backward, axis=1))

    def of(self, j: int) -> NDArray:
        """Brackets ``(m, p)`` of all candidates with the j-th generator."""
        return self.forward[:, j] - self.backward[:, j]

    def terms(self, j: int, xi: NDArray) -> float:
        """Squared size of the two terms of [xi, xi_j]."""
        return float(np.sum((self.forward[:, j] @ xi) ** 2 + (self.backward[:, j] @ xi) ** 2))


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


def _closure_gate(outside: float, size: float, law: tuple[float, float], alpha: float, r: int, least: float) -> Gate:
    mean, square = law  # sums of the eigenvalues of the covariance of what is outside, and of their squares
    allowed = square / mean * special.chdtri(mean**2 / square, alpha) if square > 0 else 0.0
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


def _perturbations(errors: NDArray | float, generators: NDArray, candidates: NDArray) -> tuple[NDArray, bool]:
    """Roots ``(r, p, s)`` of the errors, or draws of them where they have many parts; a number is spread evenly."""
    rng = np.random.default_rng(0)
    if isinstance(errors, np.ndarray) and errors.ndim == 3:
        if errors.shape[2] <= DRAWS:
            return errors, False
        return errors @ rng.standard_normal((errors.shape[2], DRAWS)), True
    r, p = generators.shape
    if not np.any(np.asarray(errors)):
        return np.zeros((r, p, 0)), False
    sizes, unit = np.linalg.norm(candidates @ generators.T, axis=0), np.linalg.norm(candidates, axis=0)
    each = np.divide(1.0, unit, out=np.zeros(p), where=unit > 0) / np.sqrt(p)
    return float(errors) * (sizes[:, None] * each)[:, :, None] * rng.standard_normal((r, p, DRAWS)), True


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
    few = few_of(lie.samples.local, 4 * POINTS)
    velocity = lift(lie.field, lie.action).restrict(basis).on_points(few.points) / scales.points
    return _columns(velocity), velocity


def _columns(velocity: NDArray) -> NDArray:
    return velocity.transpose(0, 2, 1).reshape(-1, velocity.shape[1])
