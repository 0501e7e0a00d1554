"""Gates: reasons to doubt a certificate, each with what was looked at, the number, the limit and what to do."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import UndecidedError
from erlangen._render import number
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.derivative import Confirmation, LieDerivative, Samples, confirm, scales_of
from erlangen.derivative.scales import Scales
from erlangen.evidence._algebra_gate import closure as closure
from erlangen.evidence._algebra_gate import generator_errors as generator_errors
from erlangen.evidence._algebra_gate import split_trivial as split_trivial
from erlangen.evidence._algebra_gate import trivial as trivial
from erlangen.evidence._coverage_gate import Extrapolation as Extrapolation
from erlangen.evidence._coverage_gate import coverage as coverage
from erlangen.evidence._coverage_gate import extrapolation as extrapolation
from erlangen.evidence._coverage_gate import reach as reach
from erlangen.evidence._coverage_gate import span as span
from erlangen.evidence._fit_gate import lack_of_fit as lack_of_fit
from erlangen.evidence._fit_gate import pruned as pruned
from erlangen.evidence.certificate import Gate
from erlangen.fields import AbstractField, AbstractLinearField


def data_gates(
    family: AbstractLinearField,
    action: AbstractAction,
    x: ArrayLike,
    y: ArrayLike,
    samples: Samples,
    *,
    delta: float = 0.05,
    noise: str = "equal",
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    rng: int | np.random.Generator = 0,
) -> tuple[Gate, ...]:
    """Gates that need no generator: lack of fit of the class, span, range and coverage of the data.

    Parameters
    ----------
    family : AbstractLinearField
        The class in which the field is estimated.
    action : AbstractAction
        The candidates.
    x, y : array_like (n, d), (n, c)
        Observations.
    samples : Samples
        Where the symmetry is claimed.
    delta : float
        The tolerance that was declared.
    noise, weights, groups, rng
        As for `erlangen.evidence.estimate.estimate`.
    """
    return (
        lack_of_fit(family, x, y, noise=noise, weights=weights, groups=groups, rng=rng),
        span(x, samples),
        reach(x, samples),
        coverage(family, action, x, samples, delta=delta, weights=weights),
    )


def generator_gates(
    field: AbstractField,
    action: AbstractAction,
    samples: Samples,
    generators: NDArray,
    *,
    delta: float = 0.05,
    errors: NDArray | float = 0.0,
    scales: Scales | None = None,
) -> tuple[Gate, ...]:
    """Gates of generators ``(r, p)`` of a field: each component for itself, finite flows, closure as an algebra.

    Parameters
    ----------
    field : AbstractField
        The field, or its estimate.
    action : AbstractAction
        The candidates.
    samples : Samples
        Where the symmetry is claimed.
    generators : ndarray (r, p)
        Coefficients over the candidates.
    delta : float
        The tolerance that was declared.
    errors : float or ndarray (r, p, s)
        Errors of the generators, see :func:`closure`.
    scales : Scales, optional
        Units of points and values.
    """
    generators = np.asarray(generators, dtype=np.float64).reshape(-1, action.n_generators)
    if len(generators) == 0:
        return ()
    lie = LieDerivative(field, action, samples)
    scales = scales or scales_of(field, lie.lifted, samples)
    shown = _shown(lie, generators, scales, delta)
    return (
        _components(lie, generators, shown, delta),
        _flow(lie, generators, shown, delta),
        closure(action, generators, samples, errors=errors, units=scales.points),
    )


def gates_of(
    family: AbstractLinearField,
    action: AbstractAction,
    x: ArrayLike,
    y: ArrayLike,
    samples: Samples,
    *,
    fitted: AbstractLinearField | None = None,
    generators: NDArray | None = None,
    delta: float = 0.05,
    errors: NDArray | float = 0.0,
    noise: str = "equal",
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    rng: int | np.random.Generator = 0,
) -> tuple[Gate, ...]:
    """All gates: :func:`data_gates`, and :func:`generator_gates` of ``generators`` of the ``fitted`` field.

    Parameters
    ----------
    family : AbstractLinearField
        The class of the field.
    action : AbstractAction
        The candidates.
    x : array_like (n, d)
        Points of the data.
    y : array_like (n, c)
        Values there.
    samples : Samples
        Where the symmetry is claimed.
    fitted : AbstractLinearField, optional
        The fitted field, for the gates of generators.
    generators : ndarray (r, p), optional
        Generators to be looked at.
    delta : float
        Relative defect up to which a generator counts as a symmetry.
    errors : ndarray (r, p, s) or float
        Root of the error of each of r generators, with s columns; or one size for all.
    noise : str
        As for `erlangen.evidence.estimate`.
    weights : array_like (n,) or (n, c), optional
        As for `erlangen.evidence.estimate`.
    groups : array_like (n,), optional
        As for `erlangen.evidence.estimate`.
    rng : int or numpy.random.Generator
        Draws ridge functions and signs.

    Returns
    -------
    tuple of Gate
        What each of them found.

    Examples
    --------
    >>> import erlangen as er
    >>> family = er.fields.polynomial_field(2, 2, np.zeros(6))
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (300, 2))
    >>> y = (x**2).sum(axis=1) + 0.02 * rng.standard_normal(300)
    >>> gates = gates_of(family, er.actions.rotation(2), x, y, er.Samples.box(-1, 1, dim=2))
    >>> all(gate.passed for gate in gates)
    True
    """
    first = data_gates(family, action, x, y, samples, delta=delta, noise=noise, weights=weights, groups=groups, rng=rng)
    if fitted is None or generators is None:
        return first
    return (*first, *generator_gates(fitted, action, samples, generators, delta=delta, errors=errors))


def components(lie: LieDerivative, generators: NDArray, scales: Scales, delta: float) -> Gate:
    """Whether each value channel alone respects the generators ``(r, p)``: a small one hides in the mean square.

    The value is the largest defect of a channel, relative to what an unrelated direction would give that channel.
    No correction for their number is needed, since all have to pass.
    """
    generators = np.atleast_2d(generators)
    return _components(lie, generators, _shown(lie, generators, scales, delta), delta)


def flow(lie: LieDerivative, generators: NDArray, scales: Scales, delta: float) -> Gate:
    """Whether moving points for a finite time agrees with the Lie derivative, for all generators ``(r, p)``.

    The value is the largest relative residual per unit time. See `erlangen.derivative.confirm`.
    """
    generators = np.atleast_2d(generators)
    return _flow(lie, generators, _shown(lie, generators, scales, delta), delta)


def _shown(
    lie: LieDerivative, generators: NDArray, scales: Scales, delta: float
) -> list[Confirmation | UndecidedError]:
    """What moving along each generator shows, or why it could not be followed."""
    out: list[Confirmation | UndecidedError] = []
    for xi in generators:
        try:
            out.append(confirm(lie, xi, scales, delta))
        except UndecidedError as error:
            out.append(error)
    return out


def _components(
    lie: LieDerivative, generators: NDArray, shown: list[Confirmation | UndecidedError], delta: float
) -> Gate:
    c = lie.field.value_dim
    rows = [one.components if isinstance(one, Confirmation) else (0.0,) * c for one in shown]
    table = np.nan_to_num(np.array(rows), nan=0.0)
    i, a = np.unravel_index(int(np.argmax(table)), table.shape)
    limit = float(np.hypot(np.sqrt(table.shape[1]) * delta, lie.field.accuracy))
    value = float(table[i, a])
    if value <= limit:
        reason = f"each of {table.shape[1]} components respects the generators on its own"
        return Gate("components", True, value, limit, reason)
    text = (
        f"component {a + 1} alone has defect {number(value, 2)} under {lie.action.describe(generators[i])}; it is too "
        "small beside the others to show in the mean: the generator is a symmetry of the other components only"
    )
    return Gate("components", False, value, limit, text)


def _flow(lie: LieDerivative, generators: NDArray, shown: list[Confirmation | UndecidedError], delta: float) -> Gate:
    worst = 0.0
    for xi, one in zip(generators, shown, strict=True):
        name = lie.action.describe(xi)
        if isinstance(one, UndecidedError):
            text = f"{name} could not be followed for a finite time: {one}"
            return Gate("finite flow", False, float("nan"), delta, text)
        if not one.flows:
            return Gate("finite flow", False, max(one.residuals), delta, f"{name}: {one.reason}")
        worst = max(worst, *one.residuals)
    return Gate("finite flow", True, worst, delta, "moving the points for finite times confirms the generators")
