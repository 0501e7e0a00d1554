"""Calibrated fields: a model's statement about the target that it approximates.

The derivative of a fitted model is wrong even where its values are nearly right. The residuals at data
points say by how much, without fitting the model again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erlangen._errors import InputError, explain
from erlangen.fields._base import EXACT, AbstractField
from erlangen.fields._residuals import ResidualProcess, residual_process

SLOPE_POINTS = 4096
"""Data points at which the size of the field's own derivative is measured."""


@dataclass(frozen=True, eq=False)
class CorrectedField(AbstractField):
    """A field plus what its residuals say it misses; build one with `calibrate`.

    Parameters
    ----------
    base : AbstractField
        The field that is corrected.
    process : ResidualProcess
        The expected residual, in units of ``scale``.
    centre, scale : ndarray (d,)
        Mean and spread of the data points.
    units : ndarray (c,)
        Spread of each value channel.
    accuracy : float
        Relative error of the derivative that is left.
    """

    base: AbstractField
    process: ResidualProcess
    centre: NDArray
    scale: NDArray
    units: NDArray
    accuracy: float = EXACT

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.base.point_dim

    @property
    def value_dim(self) -> int:
        """Number c of value channels."""
        return self.base.value_dim

    @property
    def kind(self) -> str:
        """How values follow points: as for the field that is corrected."""
        return self.base.kind

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)``."""
        return self.base.value(x) + self.units * self.process.value((x - self.centre) / self.scale)

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        missed = self.process.jacobian((x - self.centre) / self.scale)
        return self.base.jacobian(x) + self.units[:, None] * missed / self.scale


@dataclass(frozen=True, eq=False)
class CalibratedField(AbstractField):
    """A field whose derivative is known to differ from a target's by a stated relative error.

    Values and derivatives are those of the field itself. Build one with `calibrate`.

    Parameters
    ----------
    base : AbstractField
        The field.
    accuracy : float
        Relative root mean square error of its derivative as that of the target.
    reason : str
        Where the number comes from, in words.
    corrected : CorrectedField or None
        The field with its expected error taken out, known better than the field itself.
    points : ndarray (n, d) or None
        The data points: where a symmetry is claimed unless other samples are given.
    """

    base: AbstractField
    accuracy: float = EXACT
    reason: str = "stated by the caller"
    corrected: CorrectedField | None = None
    points: NDArray | None = None

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.base.point_dim

    @property
    def value_dim(self) -> int:
        """Number c of value channels."""
        return self.base.value_dim

    @property
    def kind(self) -> str:
        """How values follow points."""
        return self.base.kind

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """Names of the coordinates, where the field has some."""
        return getattr(self.base, "names", None)

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)``."""
        return self.base.value(x)

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        return self.base.jacobian(x)


def calibrate(
    field: AbstractField, x: ArrayLike, y: ArrayLike, *, rng: int | np.random.Generator = 0
) -> CalibratedField:
    """Estimate from data how wrong the derivative of a fitted field is.

    The residuals y - f(x) are read as a smooth function plus noise: a Gaussian process (Matern 5/2) averaged
    over a grid of lengths and noise shares by their likelihood. The mean square of its derivative, expected
    part and uncertainty together, over that of the field is the square of the accuracy. Its expected part
    corrects the field, and only the uncertainty remains as the error of the corrected one.

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
        The field with its accuracy.

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
    >>> calibrate(model, x, x[:, 0] ** 2 + x[:, 1] ** 2).accuracy  # 0.2 |y| / |(2 x, 1.8 y)| = 0.074
    0.07...
    """
    x, y = _checked(field, x, y)
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    units = y.std(axis=0)
    units = np.where(units > 0, units, 1.0)
    process = residual_process((x - centre) / scale, (y - field.value(x)) / units, rng)
    some = x[np.linspace(0, len(x) - 1, min(len(x), SLOPE_POINTS)).astype(int)]
    slope = np.mean(np.sum((field.jacobian(some) * scale / units[:, None]) ** 2, axis=(1, 2)))
    error, left = (
        _relative(float(part.sum()), float(slope), field.accuracy) for part in (process.slope, process.remainder)
    )
    reason = (
        f"the residuals at {len(x)} data points give the derivative of the target up to {error:.2g} of its size "
        f"(noise {float(np.sqrt(np.mean(process.noise**2))):.2g} of the values' spread; "
        f"{left:.2g} with the expected error taken out)"
    )
    corrected = CorrectedField(field, process, centre, scale, units, left)
    return CalibratedField(field, error, reason, corrected, x)


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
