"""The penalty of linear layers between known representations, in closed form: no derivative of the network is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Representation
from erlangen.algebra.representation import LinearMaps
from erlangen.nn._blocks import group_of
from erlangen.nn._penalty_spectrum import length

Pair = tuple[torch.Tensor, torch.Tensor | None]
"""Rows A ``(m, r)``, and the form B ``(r, r)`` that their singular values are relative to."""


@dataclass(frozen=True, eq=False)
class LinearPart:
    """One layer y = W x + b, and how the group acts on both of its sides.

    Attributes
    ----------
    layer : Module
        With ``weight (N_out, N_in)`` and ``bias (N_out,)`` or None.
    before, after : Tensor (r, N_in, N_in), (r, N_out, N_out)
        Generators on the input and on the output.
    elements : list of (Tensor, Tensor)
        The same for discrete elements.
    """

    layer: Any
    before: torch.Tensor
    after: torch.Tensor
    elements: list[tuple[torch.Tensor, torch.Tensor]]

    def rows(self) -> torch.Tensor:
        """Matrix ``(m, r)`` whose column k is [W A_k - B_k W | -B_k b]: the defect on standard normal inputs."""
        weight, joined = self._joined()
        moved = torch.nn.functional.pad(weight @ self.before, (0, 1))
        return (moved - self.after @ joined).flatten(1).T

    def form(self) -> torch.Tensor:
        """Form ``(r, r)``: |W|^2 / N_in <A_k, A_l> + <B_k (W | b), B_l (W | b)>, what unrelated weights would give."""
        weight, joined = self._joined()
        a, b = self.before.flatten(1), (self.after @ joined).flatten(1)
        return weight.square().sum() / weight.shape[1] * (a @ a.T) + b @ b.T

    def discrete(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """For each discrete element [W H | b] - H' [W | b] as a column, and the square of its size."""
        _, joined = self._joined()
        for before, after in self.elements:
            wide = torch.block_diag(before, torch.ones_like(before[:1, :1]))
            moved, carried = joined @ wide, after @ joined
            yield (moved - carried).reshape(-1, 1), (moved.square().sum() + carried.square().sum()).reshape(1, 1)

    def size(self) -> torch.Tensor:
        """Norm of weight and bias."""
        return length(self._joined()[1])

    def _joined(self) -> tuple[torch.Tensor, torch.Tensor]:
        weight, bias = self.layer.weight, self.layer.bias
        bias = weight.new_zeros(len(weight)) if bias is None else bias
        return weight, torch.cat([weight, bias[:, None]], dim=1)


def linear_parts(module: torch.nn.Module) -> list[Any]:
    """Layers with a free weight between two representations.

    Raises
    ------
    InputError
        Where there are none.
    """
    parts = []
    for part in module.modules():
        before, after = getattr(part, "rep_in", None), getattr(part, "rep_out", None)
        weight = getattr(part, "weight", None)
        if not isinstance(before, Representation) or not isinstance(after, Representation):
            continue
        if isinstance(weight, torch.nn.Parameter) and tuple(weight.shape) == (after.size, before.size):
            parts.append(part)
    if not parts:
        raise InputError(
            explain(
                "No layer of this module says how the group acts on its input and output.",
                given=type(module).__name__,
                expected="linear layers with rep_in and rep_out, as those of er.nn.EquivariancePromotingMLP",
                fix='where="ends", which takes any network',
            )
        )
    return parts


def first_layer(given: Any, parts: list[Any]) -> Any:
    """The layer whose inputs are the points; what is given must be their group, or maps between its words."""
    own = parts[0].rep_in.group
    group = given.source.group if isinstance(given, LinearMaps) else group_of(given)
    if group is not None and group != own or any(part.rep_in.group != own for part in parts):
        raise InputError(
            explain(
                "The layers belong to another group.",
                given=f"{getattr(group, 'name', group)}, layers of {own.name}",
                expected="one group",
                fix=f"the group of the layers, {own.name}",
            )
        )
    return parts[0]


def with_generators(parts: list[Any], basis: NDArray) -> list[LinearPart]:
    """Pair layers with the combinations ``basis (p, r)`` of the generators of their group."""
    return [
        LinearPart(
            part,
            _images(part.rep_in, basis, part.weight),
            _images(part.rep_out, basis, part.weight),
            [tuple(_cast(h.toarray(), part.weight) for h in pair) for pair in _elements(part)],  # type: ignore[misc]
        )
        for part in parts
    ]


def _elements(part: Any) -> Iterator[tuple[Any, Any]]:
    return zip(part.rep_in.discrete_images, part.rep_out.discrete_images, strict=True)


def _images(rep: Representation, basis: NDArray, like: torch.Tensor) -> torch.Tensor:
    images = np.array([image.toarray() for image in rep.lie_images]).reshape(len(basis), rep.size, rep.size)
    return _cast(np.tensordot(basis.T, images, 1), like)


def _cast(array: NDArray, like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(like.detach())


def summed(parts: list[LinearPart], relative: bool) -> list[Pair]:
    """One pair for each layer: what is broken is paid for in each layer that breaks it."""
    pairs: list[Pair] = [(part.rows(), part.form() if relative else None) for part in parts]
    return pairs + [(a, b if relative else None) for part in parts for a, b in part.discrete()]


def stacked(parts: list[LinearPart], relative: bool) -> list[Pair]:
    """One pair for all layers: a generator broken anywhere is paid for once. The relative form compares unit layers."""
    sizes = [part.size() for part in parts]
    # A layer that is zero, as a last one often is at the start, breaks nothing and is left as it is.
    zero = [s <= torch.finfo(s.dtype).tiny ** 0.5 for s in sizes]
    scales = [
        torch.where(z, 1.0, 1.0 / torch.where(z, 1.0, s)) if relative else torch.ones_like(s)
        for s, z in zip(sizes, zero, strict=True)
    ]
    rows = torch.cat([part.rows() * s for part, s in zip(parts, scales, strict=True)])
    form = sum((part.form() * s**2 for part, s in zip(parts, scales, strict=True)), torch.zeros_like(sizes[0]))
    pairs: list[Pair] = [(rows, form if relative else None)]
    for terms in zip(*(part.discrete() for part in parts), strict=True):
        column = torch.cat([a * s for (a, _), s in zip(terms, scales, strict=True)])
        square = sum((b * s**2 for (_, b), s in zip(terms, scales, strict=True)), torch.zeros_like(sizes[0]))
        pairs.append((column, square if relative else None))
    return pairs
