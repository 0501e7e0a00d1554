"""Equations of motion as a PyTorch module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from erlangen._formula import Formula
from erlangen._formula_tree import CONSTANTS, Constant, Node, Number, Variable

# What torch calls otherwise than its function of the same name, or wants as a tensor.
_FUNCTIONS: dict[str, Any] = {
    "+": lambda *terms: sum(terms[1:], terms[0]),
    "neg": torch.neg,
    "*": torch.mul,
    "/": torch.div,
    "**": torch.pow,
    "min": torch.minimum,
    "max": torch.maximum,
}


class EquationsModule(torch.nn.Module):
    """x' = F(x, u) with the coefficients of found terms as parameters; terms that were not found stay out.

    Parameters
    ----------
    formulas : tuple of Formula
        The r terms over all variables.
    coefficients : Tensor (d, r)
        The coefficients.
    """

    found: torch.Tensor

    def __init__(self, formulas: tuple[Formula, ...], coefficients: torch.Tensor) -> None:
        super().__init__()
        self.coefficients = torch.nn.Parameter(coefficients.clone())
        self.register_buffer("found", (coefficients != 0).to(coefficients.dtype))
        self._formulas = formulas
        self._needed = [bool(column.any()) for column in (coefficients != 0).T]

    def forward(self, x: torch.Tensor, u: torch.Tensor | None = None) -> torch.Tensor:
        """Time derivatives ``(..., d)`` at states ``(..., d)`` and controls ``(..., k)``."""
        z = x if u is None else torch.cat([x, u], dim=-1)
        names = self._formulas[0].variables if self._formulas else ()
        if z.shape[-1] != len(names):
            raise ValueError(f"x and u have {z.shape[-1]} columns, the equations {len(names)}: {', '.join(names)}")
        columns = dict(zip(names, z.unbind(dim=-1), strict=True))
        zero = torch.zeros_like(z[..., 0])
        values = [
            _value(f.tree, columns, zero) if needed else zero
            for f, needed in zip(self._formulas, self._needed, strict=True)
        ]
        return torch.stack(values, dim=-1) @ (self.coefficients * self.found).T


def _value(node: Node, columns: Mapping[str, torch.Tensor], zero: torch.Tensor) -> torch.Tensor:
    if isinstance(node, Number):
        return zero + node.value
    if isinstance(node, Constant):
        return zero + CONSTANTS[node.name]
    if isinstance(node, Variable):
        return columns[node.name]
    if node.operation == "**" and isinstance(node.arguments[1], Number):
        # a number as exponent: the derivative of 0**2 by the exponent would be NaN
        return torch.pow(_value(node.arguments[0], columns, zero), node.arguments[1].value)
    function = _FUNCTIONS.get(node.operation) or getattr(torch, node.operation)
    return function(*(_value(argument, columns, zero) for argument in node.arguments))
