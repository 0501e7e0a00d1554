"""Weak moments of one fold: what its rows say about L_xi F, given a model fitted to the others.

With w = q / p and test functions phi_a, integration by parts moves the derivative off the unknown field:

    int phi_a (L_xi F)_i dnu  =  - E_p w [ F_i (grad phi_a . xi + phi_a (div xi + xi . grad log q)) + phi_a (tau F)_i ].

Applied to F - F_hat, whose noisy values are the residuals, and added to the integral of the model itself, this is
unbiased for any F_hat. The denominator is bounded from below by its product with test fields taken from the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.derivative import Scales
from erlangen.evidence._density import Law
from erlangen.evidence._test_fields import WeakFunctions
from erlangen.fields import AbstractField

BLOCK = 4096
"""Rows that are worked on together."""


@dataclass(frozen=True, eq=False)
class FoldMoments:
    """Moments as one fold sees them.

    Attributes
    ----------
    moments : ndarray (n, J, r)
        Terms of each row whose mean estimates the J moments of each of r generators.
    sizes : ndarray (n, r, r)
        Terms whose mean estimates the products of the denominator with its test fields.
    norms : ndarray (r, r)
        Squared norm of those test fields: the denominator of c is at least ``c S c / sqrt(c norms c)``.
    nodal : ndarray (m, c, r)
        L_xi F_hat at the nodes in scaled values, weighted by the square roots of their shares.
    seen : ndarray (J, r)
        Its moments: what the test functions see of the model's own defect.
    model : ndarray (r, r)
        Squared denominator of the model itself.
    sampled : bool
        Whether the nodes are the points that the model was fitted to.
    """

    moments: NDArray
    sizes: NDArray
    norms: NDArray
    nodal: NDArray
    seen: NDArray
    model: NDArray
    sampled: bool


@dataclass(frozen=True, eq=False)
class WeakProblem:
    """What is the same for all folds.

    Attributes
    ----------
    lifted : AbstractAction
        r generators on points and values; linear on values.
    scales : Scales
        Units of points and values.
    functions : WeakFunctions
        Test functions for the moments.
    fine : WeakFunctions
        A larger set, in which the test fields of the denominator are expanded.
    """

    lifted: AbstractAction
    scales: Scales
    functions: WeakFunctions
    fine: WeakFunctions

    def fold(self, field: AbstractField, law: Law, x: NDArray, y: NDArray) -> FoldMoments:
        """Moments of fresh rows ``x (n, d)``, ``y (n, c)`` for a model and densities fitted to other rows."""
        here = _at(self, field, law, law.nodes)
        h = self._expansion(here, law.shares)
        plug, size, norms, model = self._model_terms(here, law.shares, h)
        rows = [self._rows(field, law, h, x[i : i + BLOCK], y[i : i + BLOCK]) for i in range(0, len(x), BLOCK)]
        moments, sizes = (np.concatenate([r[k] for r in rows]) for k in (0, 1))
        if not law.sampled:
            moments, sizes = moments + plug, sizes + size
        nodal = here.lie * np.sqrt(law.shares)[:, None, None]
        return FoldMoments(moments, sizes, norms, nodal, plug, model, law.sampled)

    def _expansion(self, here: _Evaluated, shares: NDArray) -> NDArray:
        """Coefficients ``(b, c, d)`` of the Jacobian of the model over the fine functions, in weight |xi|^2."""
        root = np.sqrt(shares * np.einsum("nkk->n", here.speeds))[:, None]
        phi, target = self.fine(here.x)[0] * root, here.jacobian.reshape(len(here.x), -1) * root
        return np.linalg.lstsq(phi, target, rcond=1e-10)[0].reshape(-1, *here.jacobian.shape[1:])

    def _model_terms(self, here: _Evaluated, w: NDArray, h: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Moments, products and norms of the model itself over the nodes."""
        phi = self.functions(here.x)[0]
        plug = np.einsum("n,na,ncr->acr", w, phi, here.lie, optimize=True).reshape(-1, here.lie.shape[2])
        test, units = np.einsum("nb,bck->nck", self.fine(here.x)[0], h, optimize=True), self._units
        carried = np.einsum("n,ncr,ncs->rs", w, here.carried, here.carried, optimize=True)

        def product(left: NDArray, right: NDArray) -> NDArray:
            weight = w * np.einsum("nck,nck,ck->n", left, right, units, optimize=True)
            return np.einsum("n,nrs->rs", weight, here.speeds, optimize=True) + carried

        return plug, product(here.jacobian, test), product(test, test), product(here.jacobian, here.jacobian)

    def _rows(self, field: AbstractField, law: Law, h: NDArray, x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        here, (weight, pull) = _at(self, field, law, x), law.pull(x)
        residual, t = y - here.values, self.scales.values
        phi, slopes = self.functions(x)
        growth = weight[:, None] * here.divergence + np.einsum("nrk,nk->nr", here.velocity, pull)
        along = np.einsum("n,nak,nrk->nar", weight, slopes, here.velocity, optimize=True)
        along += phi[:, :, None] * growth[:, None]
        carried = self.lifted.on_values(x, residual).transpose(0, 2, 1) * (weight[:, None] / t)[:, :, None]
        moments = -along[:, :, None] * (residual / t)[:, None, :, None] - phi[:, :, None, None] * carried[:, None]
        sizes = self._size_rows(here, weight, pull, residual, carried, h)
        if law.sampled:
            moments = moments + (weight[:, None] * phi)[:, :, None, None] * here.lie[:, None]
            sizes = sizes + weight[:, None, None] * self._own_sizes(here, h)
        return moments.reshape(len(x), -1, here.lie.shape[2]), sizes

    def _size_rows(self, here, weight, pull, residual, carried, h) -> NDArray:
        """Corrections ``(n, r, r)`` of the products by the residuals."""
        fine, slopes = self.fine(here.x)
        test = np.einsum("nb,bck->nck", fine, h, optimize=True)
        divergence = np.einsum("n,nbk,bck->nck", weight, slopes, h, optimize=True) + test * pull[:, None, :]
        share = residual[:, :, None] * self._units
        plain = np.sum(share * divergence, axis=(1, 2))
        moving = weight[:, None] * np.einsum("nck,nck->nk", share, test)
        speed = np.einsum("nk,nkrs->nrs", moving, here.speed_slopes, optimize=True)
        own = np.einsum("ncr,ncs->nrs", carried, here.carried, optimize=True)
        own = (own + own.transpose(0, 2, 1)) / 2
        return own - plain[:, None, None] * here.speeds - speed

    def _own_sizes(self, here: _Evaluated, h: NDArray) -> NDArray:
        test = np.einsum("nb,bck->nck", self.fine(here.x)[0], h, optimize=True)
        weight = np.einsum("nck,nck,ck->n", here.jacobian, test, self._units, optimize=True)
        return weight[:, None, None] * here.speeds + np.einsum("ncr,ncs->nrs", here.carried, here.carried)

    @property
    def _units(self) -> NDArray:
        """Squared scales ``(c, d)`` of slopes, over d: |Df|^2 / d of the scaled field is their weighted sum."""
        return (self.scales.points / self.scales.values[:, None]) ** 2 / len(self.scales.points)


@dataclass(frozen=True, eq=False)
class _Evaluated:
    """Model and generators at n points; ``lie`` and ``carried`` in scaled values ``(n, c, r)``."""

    x: NDArray
    values: NDArray
    jacobian: NDArray
    velocity: NDArray
    divergence: NDArray
    speeds: NDArray
    speed_slopes: NDArray
    carried: NDArray
    lie: NDArray


def _at(problem: WeakProblem, field: AbstractField, law: Law, x: NDArray) -> _Evaluated:
    action, s, t = problem.lifted, problem.scales.points, problem.scales.values
    values, jacobian, velocity = field.value(x), field.jacobian(x), action.on_points(x)
    unit = np.broadcast_to(np.eye(x.shape[1])[:, None], (x.shape[1], *x.shape))
    slopes = np.stack([action.derivative_along(x, e) for e in unit], axis=3)  # (n, r, d, k): d_k xi_d
    carried = action.on_values(x, values).transpose(0, 2, 1) / t[:, None]
    lie = np.einsum("nck,nrk->ncr", jacobian, velocity, optimize=True) / t[:, None] - carried
    half = np.einsum("nrdk,nsd,d->nkrs", slopes, velocity, s**-2.0, optimize=True)
    return _Evaluated(
        x,
        values,
        jacobian,
        velocity,
        np.einsum("nrkk->nr", slopes),
        np.einsum("nrd,nsd,d->nrs", velocity, velocity, s**-2.0, optimize=True),
        half + half.transpose(0, 1, 3, 2),
        carried,
        lie,
    )
