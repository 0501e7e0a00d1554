"""Fits in coordinates about the middle of the data, written back in those of the data.

Monomials of coordinates far from zero are nearly dependent, and the terms of a polynomial in them cancel. About the
middle of the data, in units of their spread, they do not. Polynomials and the span of polynomial generators are the
same in both coordinates, so nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, PolynomialAction
from erlangen.derivative import Samples
from erlangen.derivative.measures import BoxMeasure
from erlangen.derivative.scales import point_scales, unit_groups
from erlangen.fields import AbstractLinearField, PolynomialField
from erlangen.fields.table import substitute
from erlangen.linalg.polynomials import row_index
from erlangen.verbs import Penalty, Selected


@dataclass(frozen=True, eq=False)
class Centred:
    """Coordinates ``z = (x - centre) / scale`` of inputs, and values in units of ``units``.

    Attributes
    ----------
    centre, scale : ndarray (d,)
    units : ndarray (c,)
        Ones for invariant values; vectors are in units of the inputs.
    """

    centre: NDArray
    scale: NDArray
    units: NDArray

    def points(self, x: NDArray) -> NDArray:
        """Coordinates z ``(n, d)`` of points ``x (n, d)``."""
        return (x - self.centre) / self.scale

    def samples(self, samples: Samples) -> Samples:
        """The same box about zero."""
        assert isinstance(samples.measure, BoxMeasure)
        low, high = samples.measure.low, samples.measure.high
        return Samples.box(self.points(low[None])[0], self.points(high[None])[0], n=len(samples))

    def action(self, action: PolynomialAction) -> PolynomialAction:
        """The same generators as fields over z."""
        r = len(action.exponents)
        table, powers = substitute(action.exponents, np.eye(r), np.diag(self.scale), self.centre)
        change = sparse.kron(sparse.diags_array(1.0 / self.scale), sparse.csr_array(powers))
        return replace(action, exponents=table, matrix=sparse.csr_array(action.matrix @ change))

    def back(self, family: PolynomialField, theta: NDArray) -> NDArray:
        """Parameters ``(q,)`` over x of a field with parameters ``theta`` over z."""
        c = family.value_dim
        shift = -self.centre / self.scale
        table, found = substitute(family.table, theta.reshape(c, -1), np.diag(1.0 / self.scale), shift)
        where, out = row_index(family.table), np.zeros((c, len(family.table)))
        out[:, [where[tuple(row)] for row in table.tolist()]] = found * self.units[:, None]
        return out.ravel()

    def rewrite(self, found: Selected, family: PolynomialField, original: Callable[[], Penalty]) -> Selected:
        """What was chosen over z, over x."""

        def moved(one: Any) -> Any:
            theta = self.back(family, one.theta)
            return replace(one, theta=theta, field=family.with_theta(theta))

        return replace(moved(found), path=tuple(moved(fit) for fit in found.path), penalty=original())


def middle(family: AbstractLinearField, action: AbstractAction, samples: Samples) -> tuple[Centred, Any, Any] | None:
    """Middle and spread of a box of samples, one spread for coordinates that the action mixes; and both, typed.

    None unless nothing but the coordinates would change: for polynomials under polynomial generators.
    """
    polynomial = isinstance(family, PolynomialField) and isinstance(action, PolynomialAction)
    if not polynomial or not action.n_generators or not isinstance(samples.measure, BoxMeasure):
        return None
    scale = point_scales(samples, unit_groups(action))
    units = scale if family.kind != "invariant" else np.ones(family.value_dim)
    return Centred(samples.mean, scale, units), family, action
