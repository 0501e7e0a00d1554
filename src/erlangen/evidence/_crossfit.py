"""Cross-fitting: a model for each fold that has not seen it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import comb
from typing import Any

import numpy as np

from erlangen._errors import InputError, UndecidedError, explain, warn
from erlangen._lazy import comes_from
from erlangen._typing import NDArray
from erlangen.evidence.observed import Observed
from erlangen.fields import AbstractField, PolynomialField, as_field
from erlangen.linalg.polynomials import exponents, monomials

Fit = Callable[[NDArray, NDArray], Any]
"""Points ``(n, d)`` and values ``(n, c)`` to anything that ``as_field`` accepts."""

HIGHEST = 9
"""Highest degree of polynomials that are tried."""

FEWEST = 4
"""Rows per coefficient below which a polynomial is not tried."""


def fold_labels(data: Observed, folds: int, rng: np.random.Generator) -> NDArray:
    """Fold ``(n,)`` of each row; where there are groups, whole groups share one."""
    if data.groups is None:
        labels, rows = np.arange(len(data)), np.arange(len(data))
    else:
        labels, rows = np.unique(data.groups, return_inverse=True)
    if folds < 2:
        raise InputError(
            explain("Folds come in twos or more.", given=f"folds = {folds}", expected="at least 2", fix="folds=5")
        )
    if len(labels) < 2 * folds:
        units = "rows" if data.groups is None else "groups"
        raise UndecidedError(
            explain(
                "There is too little to cross-fit with.",
                given=f"{len(labels)} independent {units} for {folds} folds",
                expected=f"at least {2 * folds} that test, two in each fold",
                fix=f"more {'rows' if data.groups is None else 'runs or batches, or smaller ones'}",
            )
        )
    order = np.empty(len(labels), dtype=np.int64)
    order[rng.permutation(len(labels))] = np.arange(len(labels)) % folds
    return order[np.ravel(rows)]


def fitted(model: Any, x: NDArray, y: NDArray, kind: str) -> AbstractField:
    """Fit a model of any sort to rows and read it as a field.

    Parameters
    ----------
    model : None, int, scikit-learn estimator or callable
        None: a polynomial whose degree is chosen by leave-one-out errors; an int: its degree; an estimator is cloned;
        a callable gets ``(x, y)`` and returns anything that ``as_field`` accepts.
    x, y : ndarray (n, d), (n, c)
        Rows to fit to.
    kind : str
        How values follow points.
    """
    if model is None or isinstance(model, (int, np.integer)):
        return polynomial_fit(x, y, kind, None if model is None else int(model))
    if comes_from(model, "sklearn") or (hasattr(model, "fit") and hasattr(model, "get_params")):
        from sklearn.base import clone

        with told_once(type(model).__name__):
            answer: Any = clone(model).fit(x, y[:, 0] if y.shape[1] == 1 else y)
    elif isinstance(model, AbstractField) or hasattr(model, "state_dict") or not callable(model):
        raise InputError(
            explain(
                "A model that has seen all rows cannot be cross-fitted.",
                given=f"a {type(model).__name__}",
                expected="something that fits: an estimator not yet fitted, or a function (x, y) -> model",
                fix="model=MLPRegressor(hidden_layer_sizes=(32, 32), activation='tanh'), or "
                "model=er.evidence.network(lambda: torch.nn.Sequential(...))",
            )
        )
    else:
        answer = model(x, y)
    field = as_field(answer, kind=kind, dim=x.shape[1], points=x)
    if field.value_dim != y.shape[1]:
        raise InputError(
            explain(
                "The model does not give as many values as were observed.",
                given=f"{field.value_dim} values",
                expected=f"{y.shape[1]}",
                fix="a model of all channels",
            )
        )
    return field


@contextmanager
def told_once(name: str) -> Iterator[None]:
    """Say of an estimator that stopped early what that means here, in place of what it says itself."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        yield
    for one in heard:
        if not issubclass(one.category, ConvergenceWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if any(issubclass(one.category, ConvergenceWarning) for one in heard):
        what = f"A {name} that is fitted to folds stopped before it converged."
        warn(what, fix="more iterations (max_iter), or scaled inputs: bounds are wider than they need be")


def polynomial_fit(x: NDArray, y: NDArray, kind: str, degree: int | None) -> PolynomialField:
    """Least squares on all monomials up to a degree; by default that of the smallest leave-one-out error."""
    low, high = x.min(axis=0), x.max(axis=0)
    centre, half = (low + high) / 2, np.where(high > low, (high - low) / 2, 1.0)
    u, d = (x - centre) / half, x.shape[1]
    tried = [k for k in range(1, HIGHEST + 1) if FEWEST * comb(d + k, k) <= len(x)] if degree is None else [degree]
    if not tried or comb(d + tried[0], d) > len(x):
        raise UndecidedError(
            explain(
                "There are too few rows for a polynomial.",
                given=f"{len(x)} rows in {d} coordinates",
                expected=f"at least {FEWEST * (d + 1)}",
                fix="more rows",
            )
        )
    # One factorisation serves all degrees: monomials are in graded order.
    phi = monomials(u, exponents(d, tried[-1]))
    q, r = np.linalg.qr(phi)
    projected, best = q.T @ y, None
    for k in tried:
        size = comb(d + k, k)
        left = 1.0 - np.sum(q[:, :size] ** 2, axis=1)
        miss = (y - q[:, :size] @ projected[:size]) / np.maximum(left, 1e-3)[:, None]
        error = float(np.mean(miss**2))
        if best is None or error < best[0]:
            best = (error, k, size)
    assert best is not None
    _, k, size = best
    coefficients = np.linalg.lstsq(r[:size, :size], projected[:size], rcond=None)[0]
    return shifted(exponents(d, k), coefficients.T, centre, half, kind)


def shifted(table: NDArray, coefficients: NDArray, centre: NDArray, half: NDArray, kind: str) -> PolynomialField:
    """The polynomial ``coefficients (c, r)`` in u = (x - centre) / half, as one in x."""
    from erlangen.fields.table import substitute

    rows, out = substitute(table, coefficients, np.diag(1.0 / half), -centre / half)
    return PolynomialField(rows, out, kind)
