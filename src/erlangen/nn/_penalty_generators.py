"""What generators do to points and values at a batch: computed once in float64, then tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction, AbstractLift
from erlangen.derivative import Samples
from erlangen.derivative.scales import point_scales, unit_groups
from erlangen.derivative.separable import Separable, separate
from erlangen.linalg.polynomials import monomial_gradients
from erlangen.linalg.qr import rounding

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Generators:
    """r generators at n points, as tensors of one type.

    Attributes
    ----------
    velocity : Tensor (n, d, r)
        Velocities of the points.
    scales : Tensor (d,)
        Units of the points.
    units : Tensor (c,)
        Units of the values.
    tensors : dict
        Factors of velocities and of the maps on values, where they separate: ``point_features (n, k)`` and
        ``coefficients (d, k, r)``; ``value_features (n, k, c)`` and ``value_coefficients (c, k, r)``; otherwise
        ``value_maps (n, c, c, r)``. What is missing is zero.
    """

    velocity: torch.Tensor
    scales: torch.Tensor
    units: torch.Tensor
    tensors: Tensors

    def along(self, jacobian: torch.Tensor) -> torch.Tensor:
        """Derivatives ``Df . xi (n, c, r)`` from Jacobians ``(n, c, d)``."""
        if not self._scalar:
            return jacobian @ self.velocity
        # One small product in place of n: the velocities of all points would have to come from memory.
        outer = jacobian[:, 0, :, None] * self.tensors["point_features"][:, None, :]
        return (outer.flatten(1) @ self.tensors["coefficients"].flatten(0, 1))[:, None]

    def along_back(self, grad: torch.Tensor) -> torch.Tensor:
        """Gradient with respect to the Jacobians from that of `along`."""
        if not self._scalar:
            return grad @ self.velocity.transpose(1, 2)
        coefficients = self.tensors["coefficients"]
        outer = (grad[:, 0] @ coefficients.flatten(0, 1).T).unflatten(1, coefficients.shape[:2])
        return (outer @ self.tensors["point_features"][:, :, None]).transpose(1, 2)

    @property
    def _scalar(self) -> bool:
        return len(self.units) == 1 and "point_features" in self.tensors

    def carried(self, f: torch.Tensor) -> torch.Tensor | None:
        """Velocities ``tau f (n, c, r)`` of the values ``f (n, c)``; None where they stay."""
        features = self._value_features(f)
        if features is not None:
            return torch.einsum("nk,ckr->ncr", features, self.tensors["value_coefficients"])
        maps = self.tensors.get("value_maps")
        return None if maps is None else torch.einsum("nabr,nb->nar", maps, f)

    def rows(self, f: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
        """Matrix ``(n c, r)`` of xi -> Df . xi - tau f, from ``moved (n, c, r)``; rows weighted by root 1 / n."""
        carried = self.carried(f)
        rows = moved if carried is None else moved - carried
        return rows.flatten(0, 1) * len(f) ** -0.5

    def in_units(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows ``(n c, r)`` in units of the values; a diagonal map, so that gradients go back through it as well."""
        if "value_coefficients" not in self.tensors and "value_maps" not in self.tensors:
            return rows  # values without a law of their own have no other unit than one
        return (rows.unflatten(0, (-1, len(self.units))) / self.units[:, None]).flatten(0, 1)

    def form(self, f: torch.Tensor, jacobian: torch.Tensor) -> torch.Tensor:
        """The form ``(r, r)``: mean of |Df|^2 / d xi_k . xi_l + tau_k f . tau_l f, in units of points and values."""
        slopes = (jacobian.square() * self._slope_units).sum((1, 2))
        return self._points_form(slopes) + self._values_form(f)

    def rows_back(self, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Gradients with respect to ``moved (n, c, r)`` and to values ``(n, c)`` from that of the rows."""
        n = len(self.velocity)
        moved = grad.unflatten(0, (n, -1)) * n**-0.5
        if "value_coefficients" in self.tensors:
            features = torch.einsum("ncr,ckr->nk", moved, self.tensors["value_coefficients"])
            return moved, -self._values_of(features)
        maps = self.tensors.get("value_maps")
        return moved, None if maps is None else -torch.einsum("nabr,nar->nb", maps, moved)

    def form_back(
        self, f: torch.Tensor, jacobian: torch.Tensor, grad: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Gradients with respect to Jacobians ``(n, c, d)`` and values from the symmetric one of the form."""
        psi = self.tensors.get("point_features")
        if psi is None:
            scaled = self.velocity / self.scales[:, None]
            slopes = ((scaled @ grad) * scaled).sum((1, 2))
        else:
            inner = _within(grad, self._point_coefficients)
            slopes = ((psi @ inner) * psi).sum(1)
        turned = 2.0 * slopes[:, None, None] * jacobian * self._slope_units
        features = self._value_features(f)
        if features is not None:
            inner = _within(grad, self._value_coefficients)
            return turned, self._values_of(2.0 / len(f) * (features @ inner))
        maps = self.tensors.get("value_maps")
        if maps is None:
            return turned, None
        carried = torch.einsum("nabr,nb->nar", maps, f) / self.units[:, None] ** 2
        return turned, 2.0 / len(f) * torch.einsum("nabr,nar->nb", maps, carried @ grad)

    @cached_property
    def _slope_units(self) -> torch.Tensor:
        n, d, _ = self.velocity.shape
        return (self.scales / self.units[:, None]).square() / (d * n)

    @cached_property
    def _point_coefficients(self) -> torch.Tensor:
        return self.tensors["coefficients"] / self.scales[:, None, None]

    @cached_property
    def _value_coefficients(self) -> torch.Tensor:
        return self.tensors["value_coefficients"] / self.units[:, None, None]

    def _points_form(self, weights: torch.Tensor) -> torch.Tensor:
        psi = self.tensors.get("point_features")
        if psi is None:
            scaled = self.velocity / self.scales[:, None]
            return torch.einsum("n,nar,nas->rs", weights, scaled, scaled)
        return _between(psi.T @ (psi * weights[:, None]), self._point_coefficients)

    def _values_form(self, f: torch.Tensor) -> torch.Tensor | float:
        features = self._value_features(f)
        if features is not None:
            gram = features.T @ features / len(f)
            return _between(gram, self._value_coefficients)
        carried = self.carried(f)
        if carried is None:
            return 0.0
        flat = (carried / self.units[:, None]).flatten(0, 1)
        return flat.T @ flat / len(f)

    def _value_features(self, f: torch.Tensor) -> torch.Tensor | None:
        if "value_coefficients" not in self.tensors:
            return None
        change = self.tensors.get("value_features")
        return f if change is None else (change @ f[:, :, None])[:, :, 0]

    def _values_of(self, features: torch.Tensor) -> torch.Tensor:
        """Transpose of `_value_features`."""
        change = self.tensors.get("value_features")
        return features if change is None else (features[:, None, :] @ change)[:, 0]


def _between(gram: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Sum over a of C_a^T M C_a, for C ``(a, k, r)``."""
    return coefficients.flatten(0, 1).T @ (gram @ coefficients).flatten(0, 1)


def _within(form: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Sum over a of C_a B C_a^T, the transpose of `_between`."""
    turned = (coefficients.flatten(0, 1) @ form).unflatten(0, coefficients.shape[:2])
    return turned.transpose(0, 1).flatten(1) @ coefficients.transpose(0, 1).flatten(1).T


def at_points(action: AbstractAction, basis: NDArray, x: NDArray, channels: int, like: torch.Tensor) -> Generators:
    """Combinations ``basis (p, r)`` of a lifted action at points ``x (n, d)``: in float64, then cast to ``like``."""
    scales = point_scales(Samples.from_data(x), unit_groups(action))
    action = action.restrict(basis)
    parts, moves_values = separate(action), action.value_dim is not None
    arrays: dict[str, NDArray] = {}
    if parts is not None:
        arrays = _separated(parts, x)
    elif moves_values:
        unit = [action.on_values(x, np.tile(e, (len(x), 1))) for e in np.eye(channels)]
        arrays["value_maps"] = np.stack(unit, axis=2).transpose(0, 3, 2, 1)
    cast = lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(like)  # noqa: E731
    units = scales if isinstance(action, AbstractLift) else np.ones(channels)  # vectors have the units of points
    velocity = action.on_points(x).transpose(0, 2, 1)
    return Generators(cast(velocity), cast(scales), cast(units), {k: cast(v) for k, v in arrays.items()})


def _separated(parts: Separable, x: NDArray) -> dict[str, NDArray]:
    action, outputs = parts.action, np.zeros((parts.action.point_dim, len(parts.action.exponents), parts.n_outputs))
    coefficients = np.concatenate([action.coefficients.transpose(1, 2, 0), outputs], axis=2)
    arrays = {"point_features": parts.features(x), "coefficients": coefficients}
    if parts.carried != "no":  # increments of affine generators are carried as tangent vectors are
        arrays["value_features"] = monomial_gradients(x, action.exponents)
        arrays["value_coefficients"] = coefficients
    elif parts.linear is not None and np.any(parts.linear):
        arrays["value_coefficients"] = parts.linear[:, :, :-1].transpose(1, 2, 0)
    return arrays


def orthonormal(action: AbstractAction, x: NDArray, channels: int) -> NDArray:
    """Columns ``(p, r)``: combinations of unit mean square speed at points ``x (n, d)``; those at rest are left out.

    Raises
    ------
    InputError
        Where nothing moves, or what leaves the points at rest moves values.
    """
    velocity = action.on_points(x)
    n, p, _ = velocity.shape
    flat = velocity.transpose(0, 2, 1).reshape(-1, p)
    form = flat.T @ flat / n
    sizes = np.sqrt(np.diagonal(form))
    if not np.any(sizes > 0):
        raise InputError(
            explain(
                "All generators vanish at these points: nothing moves, and every function is symmetric.",
                given=f"{p} generators at {n} points",
                expected="a generator that moves the points somewhere",
                fix="points that spread, or another action",
            )
        )
    unit = np.where(sizes > 0, sizes, 1.0)
    values, vectors = np.linalg.eigh(form / unit / unit[:, None])
    moving = values > rounding(form.shape) * values[-1]
    still = vectors[:, ~moving] / unit[:, None]
    if still.shape[1]:
        few, rest = x[:256], action.restrict(still)
        if any(np.any(rest.on_values(few, np.tile(e, (len(few), 1)))) for e in np.eye(channels)):
            raise InputError(
                explain(
                    "Some generators move values but not points: their speed is zero.",
                    given=f"{still.shape[1]} independent combinations of {p} generators at {n} points",
                    expected="generators that move the points, or move nothing",
                    fix="more points, or action.restrict(basis) with the columns that move them",
                )
            )
    return vectors[:, moving] / unit[:, None] / np.sqrt(values[moving])
