"""What regressors have in common whose model is a linear combination of functions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from erlangen._errors import InputError, explain
from erlangen._render import _signed_sum, number
from erlangen._typing import NDArray
from erlangen.actions import coordinate_names
from erlangen.estimators._family import Functions
from erlangen.fields import AbstractField, AbstractLinearField, Request, convert, register
from erlangen.linalg.qr import rounding


class AbstractCombination(MultiOutputMixin, RegressorMixin, BaseEstimator, ABC):
    """A regressor that has coefficients ``coef_`` of ``functions_`` after `fit`, and the same as a field ``field_``."""

    functions_: Functions
    coef_: NDArray
    field_: AbstractLinearField

    @abstractmethod
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the coefficients to inputs ``X (n, d)`` and outputs ``y (n,)`` or ``(n, c)``.

        Parameters
        ----------
        X : array_like (n, d)
            Inputs.
        y : array_like (n,) or (n, c)
            Outputs.

        Returns
        -------
        AbstractCombination
            Itself, fitted.
        """

    def predict(self, X: ArrayLike) -> NDArray:
        """Outputs ``(n,)`` or ``(n, c)`` at inputs ``X (n, d)``.

        Parameters
        ----------
        X : array_like (n, d)
            Inputs.

        Returns
        -------
        ndarray (n,) or (n, c)
            Outputs, of the shape that was fitted.

        Raises
        ------
        InputError
            When a function of the family is not finite at an input.
        ValueError
            When inputs have another number of columns than those that were fitted (scikit-learn's own).
        """
        check_is_fitted(self)
        x = np.asarray(validate_data(self, X, reset=False, dtype=np.float64))
        out = self._evaluate(x) @ self.coef_.T
        return out + x if self.field_.kind == "map" else out

    def equations(self, digits: int = 4) -> str:
        """The fitted function as text, one line per output; coefficients that are rounding are left out.

        Parameters
        ----------
        digits : int
            Significant digits of coefficients.

        Returns
        -------
        str
            One line per output.
        """
        check_is_fitted(self)
        rows = np.atleast_2d(self.coef_)
        left = ("f",) if len(rows) == 1 else tuple(f"f{a + 1}" for a in range(len(rows)))
        own = np.array(self._names(self.n_features_in_)) if self.field_.kind == "map" else None
        return "\n".join(
            f"{name}{'' if own is None else ' - ' + own[a]} = {_text(row, self.functions_.texts, digits)}"
            for a, (name, row) in enumerate(zip(left, rows, strict=True))
        )

    def _names(self, d: int) -> tuple[str, ...]:
        return tuple(getattr(self, "feature_names_in_", coordinate_names(d)))

    def _evaluate(self, x: NDArray) -> NDArray:
        """Values ``(n, q)`` of the functions."""
        with np.errstate(all="ignore"):
            values = self.functions_.basis.evaluate(x)
        if np.isfinite(values).all():
            return values
        bad = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            explain(
                "A function of the library is not finite on the data.",
                given=f"{self.functions_.texts[bad[1]] or 1} at {x[bad[0]].tolist()}",
                expected="finite values at all points",
                fix="another library, or points inside its domain",
            )
        )

    def _read(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray, bool]:
        """Inputs ``(n, d)``, outputs ``(n, c)``, and whether these were given as a vector."""
        points, given = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=np.float64)
        x = np.asarray(points)
        return x, np.asarray(given, dtype=np.float64).reshape(len(x), -1), np.ndim(given) == 1


def _text(row: NDArray, texts: tuple[str, ...], digits: int) -> str:
    least = rounding((len(row),)) * np.abs(row).max(initial=0.0)
    terms = [(float(c), text) for c, text in zip(row, texts, strict=True) if abs(c) > least]
    return _signed_sum(terms, lambda value: number(value, digits), " ")


@register
def _(obj: AbstractCombination, request: Request) -> AbstractField:
    """A fitted regressor is its own field, with exact derivatives."""
    check_is_fitted(obj)
    return convert(obj.field_, request)


def finite_number(name: str, value: Any, what: str, fix: str) -> float:
    """A number that is finite and at least zero."""
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and 0 <= value < np.inf:
        return float(value)
    raise InputError(explain(what, given=f"{name}={value!r}", expected="a finite number, 0 or more", fix=fix))
