"""Calibrated fields: a model's statement about the target that it approximates.

The derivative of a fitted model is wrong even where its values are nearly right. The residuals at data
points say by how much, and where they are smooth also in which way, without fitting the model again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.fields._base import EXACT, AbstractField
from erlangen.fields._residuals import ResidualProcess, residual_process
from erlangen.fields.wrappers import AbstractWrapper

SLOPE_POINTS = 4096
"""Data points at which the size of the field's own derivative is measured."""


@dataclass(frozen=True, eq=False)
class CalibratedField(AbstractWrapper):
    """A fitted field that speaks about its target: its residuals correct it, and say what is still unknown.

    Build one with `calibrate`, or with ``as_field(model, data=(X, y))``.

    Parameters
    ----------
    base : AbstractField
        The fitted field.
    process : ResidualProcess
        The expected residual, in units of ``units``.
    points : ndarray (n, d)
        The data points: where a symmetry is claimed unless other samples are given.
    scale : ndarray (d,)
        Spread of the data points.
    units : ndarray (c,)
        Spread of each value channel.
    error : float
        Relative root mean square error of the derivative of the fitted field.
    accuracy : float
        What is left of that error once its expected part is taken out.
    reason : str
        Both in words.
    """

    process: ResidualProcess
    points: NDArray
    scale: NDArray
    units: NDArray
    error: float
    accuracy: float = EXACT
    reason: str = ""

    @property
    def kind(self) -> str:
        """How values follow points: as for the fitted field."""
        return self.base.kind

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """Names of the coordinates, where the fitted field has some."""
        return getattr(self.base, "names", None)

    @property
    def added(self) -> float:
        """Error that may be subtracted from defects: none, since the accuracy is an upper estimate."""
        return EXACT

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)``."""
        return self.base.value(x) + self.units * self.process.value(x / self.scale)

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        return self.base.jacobian(x) + self.units[:, None] * self.process.jacobian(x / self.scale) / self.scale


def calibrate(
    field: AbstractField, x: ArrayLike, y: ArrayLike, *, rng: int | np.random.Generator = 0
) -> CalibratedField:
    """Let data say how wrong the derivative of a fitted field is, and take out the part that they determine.

    The residuals y - f(x) are read as a smooth function plus noise: a Gaussian process (Matern 5/2) averaged
    over a grid of lengths and noise shares by their likelihood. Its mean corrects values and derivatives; the
    mean square of what remains uncertain in the derivative, over that of the field's, is the square of the
    accuracy. Where noise hides the error of the fit, nothing is corrected and all of it is uncertain.

    Parameters
    ----------
    field : AbstractField
        The fitted field.
    x : array (n, d)
        Data points. Best are points that the model was not fitted to; on its own training data it hides the
        part of the noise that it has learnt.
    y : array (n,) or (n, c)
        Observed values there; for a map its images.
    rng : int or Generator
        Draws the points that enter the estimate, where there are more than it can use.

    Returns
    -------
    CalibratedField
        The corrected field, with the error of the fit and its own accuracy.

    Raises
    ------
    InputError
        Where points and values do not fit the field, are not finite, or are too few.

    References
    ----------
    Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, sections 2.2, 5.4.1 and 9.4.

    Examples
    --------
    >>> from erlangen.fields import as_field
    >>> x = np.random.default_rng(0).uniform(-1, 1, size=(400, 2))
    >>> model = as_field(lambda x: x[:, 0] ** 2 + 0.9 * x[:, 1] ** 2, dim=2)
    >>> calibrated = calibrate(model, x, x[:, 0] ** 2 + x[:, 1] ** 2)
    >>> round(calibrated.error, 2), calibrated.accuracy < 0.01  # |0.2 y| / |(2 x, 1.8 y)| = 0.07
    (0.07, True)
    """
    x, y = _checked(field, x, y)
    scale, units = _spread(x), _spread(y)
    process = residual_process(x / scale, (y - field.value(x)) / units, rng)
    some = x[np.linspace(0, len(x) - 1, min(len(x), SLOPE_POINTS)).astype(int)]
    slope = _mean_square(field.jacobian(some) * scale / units[:, None])
    known = _mean_square(process.jacobian(some / scale))
    left = float(process.unknown.sum())
    error, left = _relative(known + left, slope, field.accuracy), _relative(left, slope, field.accuracy)
    noise = float(np.sqrt(np.mean(process.noise**2)))
    reason = (
        f"the residuals at {len(x)} data points say that the derivative of the fit is off by {error:.2g} of its size, "
        f"and leave {left:.2g} of it unknown (noise: {noise:.2g} of the values' spread)"
    )
    return CalibratedField(field, process, x, scale, units, error, left, reason)


def _mean_square(jacobian: NDArray) -> float:
    return float(np.mean(np.sum(jacobian**2, axis=(1, 2))))


def _spread(x: NDArray) -> NDArray:
    spread = x.std(axis=0)
    return np.where(spread > 0, spread, 1.0)


def _relative(square: float, slope: float, own: float) -> float:
    """Relative error from mean squares, at most 1 and never below what the field itself states."""
    return float(np.clip(np.sqrt(square / slope) if slope > 0 else 1.0, own, 1.0))


def _checked(field: AbstractField, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    y = y[:, None] if y.ndim == 1 else y
    fits = x.ndim == 2 and x.shape[1] == field.point_dim and y.shape == (len(x), field.value_dim)
    if not fits or len(x) < 10 * field.point_dim or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(
            explain(
                "The data do not fit the model that they should calibrate.",
                given=f"points of shape {x.shape} and values of shape {y.shape}"
                + ("" if np.isfinite(x).all() and np.isfinite(y).all() else ", some not finite"),
                expected=f"finite arrays (n, {field.point_dim}) and (n, {field.value_dim}), n >= "
                f"{10 * field.point_dim}",
                fix="calibrate(as_field(model), X_held_out, y_held_out)",
            )
        )
    return x, (y - x if field.kind == "map" else y)
