"""Free linear layers, and a block of them, that know how a group acts on both of their sides."""

from __future__ import annotations

from typing import final

import torch

from erlangen.algebra import Representation
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.nn._blocks import check_width
from erlangen.nn.bilinear import ChannelProducts
from erlangen.nn.linear import EquivariantLinear
from erlangen.nn.nonlinear import Activation, Gated

SPREAD = 0.01
"""Size of the part of a weight that breaks the group at the start, where the whole has size 1."""


def level(coefficients: torch.Tensor, spreads: torch.Tensor) -> None:
    """Keep the signs of drawn coefficients and give all of them the size that they have on average.

    A word with a single coefficient could draw one near zero: what is not equivariant would then be all there is.
    """
    with torch.no_grad():
        coefficients.copy_(torch.where(coefficients < 0, -1.0, 1.0) * spreads)


@final
class PromotingLinear(torch.nn.Linear):
    """An ordinary layer y = W x + b that knows how a group acts on both of its sides.

    It starts near an equivariant one, and may leave it: `SymmetryPenalty` says at what price.

    Parameters
    ----------
    rep_in, rep_out : Representation
        Of one group, of sizes N_in and N_out.
    bias : bool
        Whether b is added.
    spread : float
        Standard deviation of the outputs of what is not equivariant at the start, for independent inputs of
        variance 1.
    dtype : torch.dtype, optional
        Of the parameters.
    device : torch.device, optional
        Where the parameters are.

    Attributes
    ----------
    has_maps : bool
        Whether there is an equivariant weight other than zero.

    References
    ----------
    M. Finzi, G. Benton, A. G. Wilson, Residual pathway priors for soft equivariance constraints, NeurIPS 2021 (layers
    that start near an equivariant one); the penalty is that of Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025.

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> PromotingLinear(rep("2V", SO(3)), rep("V + S", SO(3)))
    PromotingLinear(2V >> V + S of SO(3), free)
    """

    rep_in: Representation
    rep_out: Representation
    has_maps: bool

    def __init__(
        self,
        rep_in: Representation,
        rep_out: Representation,
        bias: bool = True,
        spread: float = SPREAD,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(rep_in.size, rep_out.size, bias, dtype=dtype, device=device)
        self.rep_in, self.rep_out = rep_in, rep_out
        maps = equivariant_maps(rep_in, rep_out)
        self.has_maps = maps.dim > 0
        with torch.no_grad():
            self.weight.normal_(std=spread * rep_in.size**-0.5)
            if maps.dim:
                near = EquivariantLinear(rep_in, rep_out, bias=False, maps=maps, dtype=dtype, device=device)
                level(near.coefficients, near.coefficients.new_tensor(near.weight_map.variances()).sqrt())
                self.weight.add_(near.assemble()[0])
            if self.bias is not None:
                self.bias.zero_()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``.

        Parameters
        ----------
        input : Tensor (..., N_in)
            Inputs x.

        Returns
        -------
        Tensor (..., N_out)
            W x + b.
        """
        check_width(input, self.rep_in, "the input")
        return super().forward(input)

    def to_equivariant(self) -> tuple[EquivariantLinear, float]:
        """The closest layer that commutes with the group, and the share of weight and bias that is lost."""
        out = EquivariantLinear(
            self.rep_in, self.rep_out, bias=self.bias is not None, dtype=self.weight.dtype, device=self.weight.device
        )
        lost = out.project_(self.weight, self.bias)
        return out.train(self.training), lost

    def shrink_(self, share: float) -> None:
        """Leave this share of the part of the weight that does not commute with the group.

        Parameters
        ----------
        share : float
            0 makes the layer equivariant, 1 leaves it.
        """
        with torch.no_grad():
            near = self.to_equivariant()[0].assemble()[0] if self.has_maps else torch.zeros_like(self.weight)
            self.weight.copy_(torch.lerp(near, self.weight, share))

    def extra_repr(self) -> str:
        """Shown when the layer is printed."""
        return f"{self.rep_in} >> {self.rep_out} of {self.rep_in.group.name}, free"


@final
class PromotingBlock(torch.nn.Module):
    """A free linear layer, products of its channels added to it, and gates; the last two commute with the group.

    Parameters
    ----------
    rep_in, rep_out : Representation
        Of one group.
    activation : callable
        Of the scalars of `rep_out`.
    spread : float
        See `PromotingLinear`.
    """

    rep_in: Representation
    rep_out: Representation
    gated: Gated
    linear: PromotingLinear
    products: ChannelProducts

    def __init__(
        self,
        rep_in: Representation,
        rep_out: Representation,
        activation: Activation = torch.nn.functional.silu,
        spread: float = SPREAD,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_out = rep_in, rep_out
        self.gated = Gated(rep_out, activation, dtype=dtype, device=device)
        middle = self.gated.rep_in
        self.linear = PromotingLinear(rep_in, middle, spread=spread, dtype=dtype, device=device)
        self.products = ChannelProducts(middle, middle, dtype=dtype, device=device)
        start, coefficients = 0, self.products.coefficients
        for word, features in zip(self.products.words_out, self.products.features, strict=True):
            count = len(word.rows) * features
            spread_of = coefficients.new_full((count,), self.products.strength * max(features, 1) ** -0.5)
            level(coefficients[start : start + count], spread_of)
            start += count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``."""
        h = self.linear(x)
        return self.gated(h + self.products(h))
