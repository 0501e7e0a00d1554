"""Nonlinear functions that commute with a group: gates, functions of a norm, pointwise functions where allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Representation
from erlangen.nn._blocks import block_of, is_orthogonal, is_permutation, require, runs, scalars, single
from erlangen.nn._constants import AbstractConstants

Activation = Callable[[torch.Tensor], torch.Tensor]


@final
class Gated(AbstractConstants):
    """Scalars through an activation; every other block times a gate, which is a scalar of its own.

    A product of an invariant and an equivariant is equivariant, so this works for any group.

    Parameters
    ----------
    rep : Representation
        What comes out, of size N.
    activation : callable
        Acts on the scalars of `rep`.
    gate : callable
        Acts on the gates.
    dtype : torch.dtype, optional
        Of the constants; torch's default type by default.
    device : torch.device or str, optional
        Where they are kept.

    Attributes
    ----------
    rep_in : Representation
        What goes in: `rep`, then one scalar for each block of it that is not a scalar.
    rep_out : Representation
        What comes out: `rep`.
    is_scalar : Tensor (N,) of bool
        Which coordinates are scalars.
    gate_of : Tensor (N,) of int
        The gate of each coordinate; of a scalar, itself.

    References
    ----------
    M. Weiler, M. Geiger, M. Welling, W. Boomsma, T. Cohen, 3D steerable CNNs, NeurIPS 2018, section 4.3.

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> print(Gated(rep("S + 2V", SO(3))).rep_in)
    S + 2V + 2S
    """

    rep: Representation
    rep_in: Representation
    rep_out: Representation
    activation: Activation
    gate: Activation
    is_scalar: torch.Tensor
    gate_of: torch.Tensor

    def __init__(
        self,
        rep: Representation,
        activation: Activation = torch.nn.functional.silu,
        gate: Activation = torch.sigmoid,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        require(rep=rep)
        self.rep, self.rep_out = rep, rep
        self.activation, self.gate = activation, gate
        self._scalar = np.concatenate([np.zeros(0, bool), *(np.full(r.stop - r.start, not r.word) for r in runs(rep))])
        self._gates = _numbered(block_of(rep), self._scalar)
        self.rep_in = rep + scalars(rep.group, int(self._gates.max(initial=-1)) + 1)
        self.register(dtype, device)

    def sources(self) -> dict[str, NDArray]:
        """Which coordinates are scalars, and the coordinate of the gate of each (its own for a scalar)."""
        size = self.rep.size
        return {
            "is_scalar": self._scalar,
            "gate_of": np.where(self._scalar, np.arange(size), size + self._gates).astype(np.int64),
        }

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N)`` of ``x (..., N + gates)``.

        Parameters
        ----------
        x : Tensor (..., N + gates)
            Inputs: the representation, then one scalar per gate.

        Returns
        -------
        Tensor (..., N)
            Equivariant in them.
        """
        values, control = x[..., : self.rep.size], x[..., self.gate_of]
        return torch.where(self.is_scalar, self.activation(control), values * self.gate(control))

    def extra_repr(self) -> str:
        """Shown when the layer is printed."""
        return f"{self.rep_in} >> {self.rep} of {self.rep.group.name}"


@final
class NormActivation(AbstractConstants):
    """Each block times a function of its length: x -> x * activation(scale * |x| + shift).

    |x| is the root of the mean square of the block; scale and shift are learnt, one pair for each block. For
    a scalar this is a function of its absolute value, so that the whole map is odd.

    Parameters
    ----------
    rep : Representation
        What goes in and comes out, of size N.
    activation : callable
        Of the length, with values that multiply.
    dtype : torch.dtype, optional
        Of the parameters; torch's default type by default.
    device : torch.device or str, optional
        Where they are kept.

    Attributes
    ----------
    rep_in, rep_out : Representation
        Both are `rep`.
    runs : list of tuple of int
        Start, stop, count and size of the blocks of each word.
    scale, shift : Parameter (r,)
        One number for each of r blocks.
    block : Tensor (N,) of int
        The block of each coordinate.

    Raises
    ------
    InputError
        If the group does not preserve the length of every block.

    References
    ----------
    D. E. Worrall et al., Harmonic networks: deep translation and rotation equivariance, CVPR 2017; M. Weiler, G. Cesa,
    General E(2)-equivariant steerable CNNs, NeurIPS 2019.

    Examples
    --------
    >>> from erlangen.algebra import groups, rep
    >>> NormActivation(rep("2V", groups.O(3)))(torch.ones(5, 6)).shape
    torch.Size([5, 6])
    """

    rep: Representation
    rep_in: Representation
    rep_out: Representation
    runs: list[tuple[int, int, int, int]]
    scale: torch.nn.Parameter
    shift: torch.nn.Parameter
    block: torch.Tensor

    def __init__(
        self,
        rep: Representation,
        activation: Activation = torch.sigmoid,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        require(rep=rep)
        for word in dict.fromkeys(word for word, _ in rep.terms):
            if not is_orthogonal(single(rep.group, word)):
                raise _no_length(rep, single(rep.group, word))
        self.rep, self.rep_in, self.rep_out = rep, rep, rep
        self.activation = activation
        self.runs = [(r.start, r.stop, r.count, r.size) for r in runs(rep)]
        blocks = sum(run.count for run in runs(rep))
        self.scale = torch.nn.Parameter(torch.ones(blocks, dtype=dtype, device=device))
        self.shift = torch.nn.Parameter(torch.zeros(blocks, dtype=dtype, device=device))
        self.register(dtype, device)

    def sources(self) -> dict[str, NDArray]:
        """The block ``(N,)`` of each coordinate."""
        return {"block": block_of(self.rep).astype(np.int64)}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N)`` of ``x (..., N)``.

        Parameters
        ----------
        x : Tensor (..., N)
            Inputs.

        Returns
        -------
        Tensor (..., N)
            Equivariant in them.
        """
        squares = [x[..., i:j].unflatten(-1, (n, k)).square().mean(-1) for i, j, n, k in self.runs]
        # The smallest normal number keeps the derivative of the root finite where a block vanishes.
        length = (torch.cat(squares, dim=-1) + torch.finfo(x.dtype).tiny).sqrt()
        return x * self.activation(self.scale * length + self.shift)[..., self.block]

    def extra_repr(self) -> str:
        """Shown when the layer is printed."""
        return f"{self.rep} of {self.rep.group.name}"


@final
class Pointwise(torch.nn.Module):
    """The same function of each coordinate, where the group only permutes coordinates.

    Parameters
    ----------
    rep : Representation
        What goes in and comes out: scalars, and words that the group acts on by permutations.
    activation : callable
        Of each coordinate.

    Attributes
    ----------
    rep_in, rep_out : Representation
        Both are `rep`.

    Raises
    ------
    InputError
        If the group mixes coordinates or changes their signs.

    References
    ----------
    S. Ravanbakhsh, J. Schneider, B. Poczos, Equivariance through parameter-sharing, ICML 2017.

    Examples
    --------
    >>> from erlangen.algebra import groups, rep
    >>> Pointwise(rep("V", groups.S(3)))(torch.tensor([[-1.0, 0.0, 2.0]])).shape
    torch.Size([1, 3])
    """

    rep: Representation
    rep_in: Representation
    rep_out: Representation

    def __init__(self, rep: Representation, activation: Activation = torch.nn.functional.silu) -> None:
        super().__init__()
        require(rep=rep)
        for word in dict.fromkeys(word for word, _ in rep.terms):
            if not is_permutation(single(rep.group, word)):
                raise _mixes(rep, single(rep.group, word))
        self.rep, self.rep_in, self.rep_out = rep, rep, rep
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N)`` of ``x (..., N)``.

        Parameters
        ----------
        x : Tensor (..., N)
            Inputs.

        Returns
        -------
        Tensor (..., N)
            Equivariant in them.
        """
        return self.activation(x)

    def extra_repr(self) -> str:
        """Shown when the layer is printed."""
        return f"{self.rep} of {self.rep.group.name}"


def _numbered(blocks: NDArray, scalar: NDArray) -> NDArray:
    """Number of the gate of each coordinate, -1 for scalars; gates follow the blocks."""
    out = np.full(len(blocks), -1)
    out[~scalar] = np.unique(blocks[~scalar], return_inverse=True)[1].ravel()
    return out


def _no_length(rep: Representation, word: Representation) -> InputError:
    return InputError(
        explain(
            f"{rep.group.name} does not preserve the length of {word}: a function of it would not be invariant.",
            given=f"NormActivation({rep})",
            expected="blocks that the group acts on by orthogonal matrices",
            fix="Gated(rep): a product with a scalar is equivariant for any group",
        )
    )


def _mixes(rep: Representation, word: Representation) -> InputError:
    return InputError(
        explain(
            f"{rep.group.name} mixes the coordinates of {word}: a function of each alone would not be equivariant.",
            given=f"Pointwise({rep})",
            expected="scalars, and words on which the group acts by permutations",
            fix="Gated(rep), for any group, or NormActivation(rep), where the group preserves lengths",
        )
    )
