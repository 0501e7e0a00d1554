"""Plain functions as fields: vectorised or written for one point, differentiated as exactly as they allow."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.fields._base import AbstractField
from erlangen.fields._derivatives import (
    AbstractDerivative,
    Analytic,
    Function,
    complex_step,
    measured_differences,
)
from erlangen.fields._probes import finite_rows, same_again


@dataclass(frozen=True, eq=False)
class CallableField(AbstractField):
    """Values of a function, and the rule by which it is differentiated.

    Build one with `as_field`, which finds the rule.

    Parameters
    ----------
    function : callable
        Points ``(n, d)`` to values ``(n, c)``.
    dim : int
        Number d of coordinates.
    channels : int
        Number c of value channels.
    derivative : AbstractDerivative
        The rule.
    stated : float, optional
        Relative error of the derivative where the caller knows it.
    """

    function: Function
    dim: int
    channels: int
    derivative: AbstractDerivative
    stated: float | None = None

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.dim

    @property
    def value_dim(self) -> int:
        """Number c of value channels."""
        return self.channels

    @property
    def accuracy(self) -> float:
        """Relative error of the derivative: rounding if analytic, else as measured, or as stated."""
        return self.derivative.accuracy if self.stated is None else self.stated

    @property
    def kind(self) -> str:
        """Plain values."""
        return "invariant"

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)``."""
        return np.asarray(self.function(x), dtype=np.float64)

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``."""
        return self.derivative.jacobian(self.function, x)


@dataclass(frozen=True, eq=False)
class Batched:
    """A function of all points at once, with values as a column where it returns one number a point."""

    function: Callable[[NDArray], Any]

    def __call__(self, x: NDArray) -> NDArray:
        out = np.asarray(self.function(x))
        return out.reshape(len(x), -1)


@dataclass(frozen=True, eq=False)
class PointByPoint:
    """A function of one point ``(d,)``, called for each."""

    function: Callable[[NDArray], Any]

    def __call__(self, x: NDArray) -> NDArray:
        return np.stack([np.asarray(self.function(point)).ravel() for point in x])


def callable_field(
    function: Callable[[NDArray], Any],
    dim: int | None,
    jacobian: Callable[[NDArray], NDArray] | None,
    accuracy: float | None,
    probes_in: Callable[[int], NDArray],
) -> CallableField:
    """Find out how a function wants its points and how it can be differentiated.

    Parameters
    ----------
    function : callable
        Points ``(n, d)`` to ``(n,)`` or ``(n, c)``, or one point ``(d,)`` to a number or ``(c,)``.
    dim : int or None
        Number d of coordinates.
    jacobian : callable or None
        Its analytic Jacobian; compared with differences before it is used.
    accuracy : float or None
        Relative error of the derivative where the caller knows it.
    probes_in : callable
        Gives points in R^d at which the function may be tried.

    Raises
    ------
    InputError
        Where the dimension is missing, or the function fails, is random or has no derivative.
    """
    if dim is None:
        raise InputError(
            explain(
                "A function does not say how many coordinates it takes.",
                given=f"{name_of(function)} without dim",
                expected="dim=d",
                fix=f"as_field({name_of(function)}, dim=3)",
            )
        )
    probes = probes_in(dim)
    with np.errstate(all="ignore"):
        ready = vectorised(function, probes)
        values = ready(probes)
        x = finite_rows(probes, values, "function")
        same_again(values, ready(probes))
        rule = _derivative(ready, jacobian, x, values.dtype)
    return CallableField(ready, dim, values.shape[1], rule, accuracy)


def vectorised(function: Callable[[NDArray], Any], probes: NDArray) -> Function:
    """Decide whether a function takes all points at once or one at a time.

    It takes all at once where it maps m points to m rows, and each row is what its point alone would give.
    Otherwise it takes one at a time where a single point ``(d,)`` gives a number or a vector.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        together = _attempt(lambda: np.asarray(function(probes)))
        if _rows_fit(together, len(probes)):
            part = _attempt(lambda: np.asarray(function(probes[1:])))
            if _rows_fit(part, len(probes) - 1) and _same(together[1:], part):
                return Batched(function)
            same_again(together, np.asarray(function(probes)))  # rows that differ by chance have their own message
        alone = _attempt(lambda: np.stack([np.asarray(function(point)) for point in probes]))
    if isinstance(alone, np.ndarray) and alone.ndim <= 2 and _numeric(alone):
        return PointByPoint(function)
    raise InputError(_neither(function, probes, together, alone))


def name_of(function: object) -> str:
    """How messages call a function."""
    return str(getattr(function, "__name__", type(function).__name__)).replace("<lambda>", "f")


def _attempt(call: Callable[[], NDArray]) -> NDArray | Exception:
    try:
        return call()
    except Exception as error:  # whatever the user's function raises is reported to the user in words
        return error


def _numeric(out: NDArray) -> bool:
    return out.dtype.kind in "fiub"


def _rows_fit(out: NDArray | Exception, n: int) -> TypeGuard[NDArray]:
    return isinstance(out, np.ndarray) and out.ndim in (1, 2) and len(out) == n and _numeric(out)


def _same(a: Any, b: Any) -> bool:
    a, b = a.astype(np.float64), b.astype(np.float64)
    if a.shape != b.shape:
        return False
    size = np.abs(a[np.isfinite(a)]).max(initial=0.0)
    # Half the digits: sums may be reordered; a function that is random is reported later, by its own message.
    return bool(np.allclose(a, b, rtol=0, atol=np.sqrt(np.finfo(float).eps) * size, equal_nan=True))


def _neither(function: object, probes: NDArray, together: object, alone: object) -> str:
    def said(out: object) -> str:
        if isinstance(out, Exception):
            return f"{type(out).__name__}: {str(out).splitlines()[0][:100] if str(out) else ''}"
        return f"shape {out.shape} of {out.dtype}" if isinstance(out, np.ndarray) else str(out)

    n, d = probes.shape
    return explain(
        f"The function {name_of(function)} gives neither one row per point nor values at one point.",
        given=f"x of shape ({n}, {d}): {said(together)}; x of shape ({d},): {said(alone)}",
        expected=f"({n},) or ({n}, c) for the first, real numbers",
        fix="def f(x): return x[:, 0]**2 + x[:, 1]**2   # columns are coordinates",
    )


def _derivative(function: Function, jacobian: Any, x: NDArray, dtype: np.dtype) -> AbstractDerivative:
    resolution = float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
    if jacobian is None:
        differences = measured_differences(function, x, resolution)
        return complex_step(function, x, differences) or differences
    rule = Analytic(jacobian)
    shape = (len(x), function(x).shape[1], x.shape[1])
    found = _attempt(lambda: rule.jacobian(function, x))
    if isinstance(found, Exception) or found.shape != shape:
        raise InputError(
            explain(
                "The Jacobian has a wrong shape.",
                given=f"{found!r}" if isinstance(found, Exception) else f"shape {found.shape} at {len(x)} points",
                expected=f"{shape}: points, values, coordinates",
                fix="numpy.stack([df_dx1, df_dx2], axis=-1)",
            )
        )
    _agrees(found, measured_differences(function, x, resolution), function, x)
    return rule


def _agrees(found: NDArray, differences: Any, function: Function, x: NDArray) -> None:
    expected = differences.jacobian(function, x)
    finite = np.isfinite(expected).all(axis=(1, 2))
    size = np.sqrt(np.mean(np.sum(expected[finite] ** 2, axis=(1, 2))))
    miss = np.sqrt(np.sum((found - expected)[finite] ** 2, axis=(1, 2)))
    # The median: at a kink the two may differ, everywhere else they may not.
    if np.median(miss) > 100 * max(differences.accuracy, 1e-8) * size:
        raise InputError(
            explain(
                "The Jacobian is not the derivative of the function.",
                given=f"a typical difference of {np.median(miss):.2g} from difference quotients of size {size:.2g}",
                expected=f"agreement within {differences.accuracy:.0e}",
                fix="leave jacobian out: the function is then differentiated numerically",
            )
        )
