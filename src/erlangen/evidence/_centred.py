"""The same problem in coordinates from the middle of the data: far from the origin powers are one function.

Polynomials that hold every lower one span the same functions after a shift, generators keep their coefficients over
the shifted candidates, and relative defects are the same numbers. Only rounding changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import sparse

from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction
from erlangen.derivative import BoxMeasure, GaussianMeasure, Samples
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.table import substitute
from erlangen.verbs._basis import closed_under_shifts

FAR = 1e4
"""Ratio of the highest power at the middle of the data to that of their spread, beyond which digits are lost."""


class Centred(NamedTuple):
    """Points, candidates and region after the middle of the data has become the origin."""

    x: NDArray
    action: AbstractAction
    samples: Samples


def centred(family: AbstractLinearField, action: AbstractAction, x: NDArray, samples: Samples) -> Centred | None:
    """Move the origin to the middle of the data ``x (n, d)``; None where it is near, or the class cannot follow."""
    if not isinstance(family, PolynomialField) or not closed_under_shifts(family.table):
        return None
    if not isinstance(action, PolynomialAction) or action.point_dim != x.shape[1]:
        return None
    middle, spread = x.mean(axis=0), x.std(axis=0)
    offset = np.abs(middle) / np.where(spread > 0, spread, np.maximum(np.abs(middle), 1.0))
    if offset.max() ** max(family.degree, 1) <= FAR:
        return None
    shifted = shifted_samples(samples, middle)
    return None if shifted is None else Centred(x - middle, shifted_action(action, middle), shifted)


def shifted_action(action: PolynomialAction, origin: NDArray) -> PolynomialAction:
    """The same generators, with the same coefficients, in coordinates from another origin ``(d,)``."""
    r, d = action.exponents.shape
    table, powers = substitute(action.exponents, np.eye(r), np.eye(d), origin)
    change = sparse.kron(sparse.identity(d), sparse.csr_array(powers), format="csr")
    return PolynomialAction(table, sparse.csr_array(action.matrix @ change), action.output, action.origin)


def shifted_samples(samples: Samples, origin: NDArray) -> Samples | None:
    """The same region in coordinates from another origin; None for measures that have no such form."""
    measure = samples.measure
    if isinstance(measure, BoxMeasure):
        measure = replace(measure, low=measure.low - origin, high=measure.high - origin)
    elif isinstance(measure, GaussianMeasure):
        measure = replace(measure, centre=measure.centre - origin)
    elif measure is not None:
        return None
    return Samples(samples.points - origin, samples.weights, measure)
