"""Ways to differentiate a function of points, and how exactly each one does it."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.fields._base import EXACT
from erlangen.fields._probes import coordinate_scales

Function = Callable[[NDArray], NDArray]
"""Points ``(n, d)`` to values ``(n, c)``."""


class AbstractDerivative(ABC):
    """A rule that turns a function into its Jacobian."""

    @property
    @abstractmethod
    def accuracy(self) -> float:
        """Relative error of the Jacobian."""

    @abstractmethod
    def jacobian(self, function: Function, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)`` at points ``x (n, d)``."""


@dataclass(frozen=True, eq=False)
class Analytic(AbstractDerivative):
    """A Jacobian that the caller knows: points ``(n, d)`` to ``(n, c, d)``, or to ``(n, d)`` where c = 1."""

    rule: Callable[[NDArray], NDArray]

    @property
    def accuracy(self) -> float:
        """Rounding."""
        return EXACT

    def jacobian(self, function: Function, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        out = np.asarray(self.rule(x), dtype=np.float64)
        return out[:, None, :] if out.ndim == 2 else out


@dataclass(frozen=True, eq=False)
class ComplexStep(AbstractDerivative):
    """Im f(x + i h e_j) / h: no difference is taken, so h can be tiny and the result exact.

    References
    ----------
    W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real functions",
    SIAM Review 40 (1998).
    """

    scales: NDArray

    @property
    def accuracy(self) -> float:
        """Rounding."""
        return EXACT

    def jacobian(self, function: Function, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        columns = []
        for j in range(x.shape[1]):
            step = 1e-30 * self.scales[j]
            shifted = x.astype(np.complex128)
            shifted[:, j] += 1j * step
            columns.append(np.imag(function(shifted)) / step)
        return np.stack(columns, axis=2)


@dataclass(frozen=True, eq=False)
class CentralDifferences(AbstractDerivative):
    """Central differences at h and 2h, extrapolated (Richardson): error of order h^4.

    Parameters
    ----------
    steps : ndarray (d,)
        The step h of each coordinate.
    error : float
        Relative error as measured by comparing two step sizes.
    """

    steps: NDArray
    error: float = float("nan")

    @property
    def accuracy(self) -> float:
        """The measured error."""
        return self.error

    def jacobian(self, function: Function, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        n, d = x.shape
        columns = []
        for j in range(d):
            shifted = np.repeat(x[None], 4, axis=0)
            for k, factor in enumerate((1.0, -1.0, 2.0, -2.0)):
                shifted[k, :, j] += factor * self.steps[j]
            # The step that was really taken: x + h is rounded where x is large.
            near = (shifted[0, :, j] - shifted[1, :, j])[:, None]
            far = (shifted[2, :, j] - shifted[3, :, j])[:, None]
            f = function(shifted.reshape(4 * n, d)).reshape(4, n, -1)
            columns.append((4.0 * (f[0] - f[1]) / near - (f[2] - f[3]) / far) / 3.0)
        return np.stack(columns, axis=2)


def measured_differences(function: Function, probes: NDArray, resolution: float) -> CentralDifferences:
    """Central differences with the step whose result changes least when the step is doubled.

    Parameters
    ----------
    function : callable
        Points ``(n, d)`` to values ``(n, c)``.
    probes : ndarray (m, d)
        Points at which steps are compared.
    resolution : float
        Relative rounding of the values: machine epsilon of their type.

    Raises
    ------
    InputError
        Where no step gives a stable answer: the function is not differentiable.
    """
    # Truncation h^4 meets rounding resolution / h at h = resolution^(1/5), in units where the function varies over 1.
    base = resolution**0.2 * coordinate_scales(probes)
    tried = []
    for factor in (1.0, 0.1, 10.0, 100.0, 0.01):
        rule = CentralDifferences(factor * base)
        fine, coarse = rule.jacobian(function, probes), CentralDifferences(2 * rule.steps).jacobian(function, probes)
        tried.append((_relative_change(fine, coarse), factor))
        if tried[-1][0] < 100 * resolution**0.8:
            break
    error, factor = min(tried)
    if error > 0.1:
        raise InputError(
            explain(
                "The function has no derivative that can be measured.",
                given=f"difference quotients that change by {error:.0%} when the step is doubled, at every step tried",
                expected="a function that is smooth at most points, and no noise in its values",
                fix="as_field(f, jacobian=df), or a smooth model fitted to the values: as_field((X, f(X)))",
            )
        )
    return CentralDifferences(factor * base, max(error, resolution**0.8 / factor if factor < 1 else resolution**0.8))


def _relative_change(fine: NDArray, coarse: NDArray) -> float:
    """Change between two Jacobians, exceeded at one point in ten, relative to their typical size.

    A point next to a kink spoils the differences there and says nothing about the others.
    """
    finite = (np.isfinite(fine) & np.isfinite(coarse)).all(axis=(1, 2))
    if not finite.any():
        return float("inf")
    fine, coarse = fine[finite], coarse[finite]
    size = np.sqrt(np.mean(np.sum(fine**2, axis=(1, 2))))
    change = np.sqrt(np.sum((fine - coarse) ** 2, axis=(1, 2)))
    if not change.any():
        return 0.0
    return float(np.quantile(change, 0.9) / size) if size > 0 else float("inf")


def complex_step(function: Function, probes: NDArray, reference: CentralDifferences) -> ComplexStep | None:
    """Complex step, where the function takes complex points and agrees with its central differences."""
    rule = ComplexStep(coordinate_scales(probes))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            found = rule.jacobian(function, probes)
            values = function(probes.astype(np.complex128))
    except Exception:  # whatever a function raises at complex points, it is not analytic in practice
        return None
    expected = reference.jacobian(function, probes)
    finite = np.isfinite(expected).all(axis=(1, 2))
    if not np.isfinite(found[finite]).all() or not np.iscomplexobj(values):
        return None
    size = np.sqrt(np.mean(np.sum(expected[finite] ** 2, axis=(1, 2))))
    miss = np.sqrt(np.sum((found - expected)[finite] ** 2, axis=(1, 2)))
    # Ten times the error exceeded at one point in ten leaves room for the worst of the probes.
    return rule if np.all(miss <= 10 * max(reference.accuracy, 1e-9) * size) else None
