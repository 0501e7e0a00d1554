"""A network between its two ends: generators and values as a matrix, and its price in one step of differentiation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.derivative import Samples
from erlangen.fields import polynomial_field
from erlangen.nn._penalty_generators import Generators, at_points, orthonormal
from erlangen.nn._penalty_layers import Pair
from erlangen.nn._penalty_module import Differentiable, check_dim
from erlangen.nn._penalty_spectrum import Rate, keep, once, priced, spectral_sum
from erlangen.verbs._enforce_request import Element, read


@dataclass(frozen=True, eq=False)
class Ends:
    """A network between its two ends: the matrix of generators and values, from derivatives of the network.

    Attributes
    ----------
    network : Differentiable
        The network at the points.
    action : AbstractAction
        All p generators, on points and values.
    basis : ndarray (p, r)
        Orthonormal combinations of them.
    generators : Generators
        Those, at the points.
    elements : tuple of (Differentiable, Tensor)
        For each discrete element: the network at the moved points, and the matrix on values.
    """

    network: Differentiable
    action: AbstractAction
    basis: NDArray
    generators: Generators
    elements: tuple[tuple[Differentiable, torch.Tensor], ...]

    @classmethod
    def read(cls, module: torch.nn.Module, acting: Any, x: NDArray, values: str) -> Ends:
        """Check what was given and evaluate the generators."""
        check_dim(x, getattr(acting, "point_dim", x.shape[1]))
        network = Differentiable(module, x)
        request = read(_constant(x, network.channels, values), acting, Samples.from_data(x), None)
        action = request.lie.lifted
        basis = orthonormal(action, x, network.channels) if action.n_generators else np.zeros((0, 0))
        generators = at_points(action, basis, x, network.channels, network.like)
        elements = tuple(_moved(module, network, e, x) for e in request.elements)
        return cls(network, action, basis, generators, elements)

    def pairs(self, relative: bool) -> list[Pair]:
        """Rows and form of all generators together, then of each discrete element."""
        f, jacobian, moved = self._derivatives(relative)
        rows = self.generators.rows(f, moved)
        return [self.relative(rows, f, jacobian) if relative else (rows, None), *self.discrete(f, relative)]

    def prices(self, rate: Rate, relative: bool) -> list[torch.Tensor]:
        """What each pair costs; for all generators by one step of differentiation, from derivatives to the price."""
        f, jacobian, moved = self._derivatives(relative)
        if relative:
            price = _RelativePrice.apply(f, jacobian, self, rate)
        else:
            price = spectral_sum(self.generators.rows(f, moved), None, rate)
        return [price, *(spectral_sum(*pair, rate) for pair in self.discrete(f, relative))]  # type: ignore[list-item]

    def _derivatives(self, relative: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Values, Jacobians where they are needed, and derivatives ``(n, c, r)`` along the generators."""
        velocity = self.generators.velocity
        if not relative and velocity.shape[2] < min(self.network.channels, velocity.shape[1]):
            found = self.network.along(velocity)
            if found is not None:
                return found[0], found[1], found[1]
        f, jacobian = self.network.jacobian()
        return f, jacobian, self.generators.along(jacobian)

    def relative(self, rows: torch.Tensor, f: torch.Tensor, jacobian: torch.Tensor) -> Pair:
        """Rows in units of the values, and the form that they are relative to."""
        return self.generators.in_units(rows), self.generators.form(f, jacobian)

    def discrete(self, f: torch.Tensor, relative: bool) -> list[Pair]:
        """One column for each discrete element."""
        return [_element_pair(f, there, rho, relative) for there, rho in self.elements]


class _RelativePrice(torch.autograd.Function):
    """The price of all generators from values and Jacobians, with the gradient worked out in the same pass.

    Left to autograd, a dozen small operations would cost as much as the Jacobian of a small network.
    """

    @staticmethod
    def forward(ctx: Any, f: torch.Tensor, jacobian: torch.Tensor, ends: Ends, rate: Rate) -> torch.Tensor:
        g = ends.generators
        rows, form = ends.relative(g.rows(f, g.along(jacobian)), f, jacobian)
        value, grad_rows, grad_form = priced(rows, form, rate)
        assert grad_form is not None
        moved, from_rows = g.rows_back(g.in_units(grad_rows))
        turned, from_form = g.form_back(f, jacobian, grad_form)
        # None, not zeros, where values stay: zeros would go all the way back through the network.
        values = None if from_rows is None or from_form is None else from_rows + from_form
        keep(ctx, (values, g.along_back(moved) + turned), (f, jacobian))
        return value

    @staticmethod
    def backward(ctx: Any, weight: torch.Tensor) -> Any:  # type: ignore[override]
        return *once(ctx, weight), None, None


def _moved(module: torch.nn.Module, network: Differentiable, e: Element, x: NDArray) -> tuple[Differentiable, Any]:
    return Differentiable(module, e.move(x)), torch.from_numpy(np.ascontiguousarray(e.rho)).to(network.like)


def _element_pair(f: torch.Tensor, there: Differentiable, rho: torch.Tensor, relative: bool) -> Pair:
    """The column f o h - rho f, beside the square of its size about the mean (a constant says nothing)."""
    moved, carried = there.value(there.x), f @ rho.T
    column = (moved - carried).reshape(-1, 1) * len(f) ** -0.5
    if not relative:
        return column, None
    invariant = torch.equal(rho, torch.eye(len(rho), dtype=rho.dtype, device=rho.device))
    mean = f.mean(0) if invariant else torch.zeros_like(f[0])
    return column, ((moved - mean).square().sum() + (carried - mean).square().sum()).reshape(1, 1) / len(f)


def _constant(x: NDArray, channels: int, values: str) -> Any:
    """A family with as many channels as the network: it says how values are carried."""
    if values == "vector" and channels != x.shape[1]:
        raise InputError(
            explain(
                "Vectors have as many channels as there are coordinates.",
                given=f"{channels} channels over {x.shape[1]} coordinates",
                expected="c = d",
                fix='values="invariant", or action.with_output(matrices)',
            )
        )
    return polynomial_field(x.shape[1], 0, np.zeros((channels, 1)), values)
