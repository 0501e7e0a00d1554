"""Networks that commute with a group as far as the data allow: free linear layers, and a price on what they break."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from erlangen._errors import InputError, UndecidedError, explain
from erlangen.algebra import Group, Representation
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.algebra.groups import from_matrices
from erlangen.linalg.rank import Threshold
from erlangen.nn._blocks import as_representation, check_width
from erlangen.nn._penalty_spectrum import spectrum
from erlangen.nn.bilinear import ChannelProducts
from erlangen.nn.convert import to_subgroup
from erlangen.nn.linear import EquivariantLinear
from erlangen.nn.mlp import hidden_layers
from erlangen.nn.nonlinear import Activation, Gated
from erlangen.nn.penalty import SymmetryPenalty
from erlangen.verbs import Symmetry

Points = torch.Tensor | NDArray | None

SPREAD = 0.01
"""Size of the part of a weight that breaks the group at the start, where the whole has size 1."""


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

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> PromotingLinear(rep("2V", SO(3)), rep("V + S", SO(3)))
    PromotingLinear(2V >> V + S of SO(3), free)
    """

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
        with torch.no_grad():
            self.weight.normal_(std=spread * rep_in.size**-0.5)
            if maps.dim:
                near = EquivariantLinear(rep_in, rep_out, bias=False, maps=maps, dtype=dtype, device=device)
                self.weight += near.assemble()[0]
            if self.bias is not None:
                self.bias.zero_()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``."""
        check_width(input, self.rep_in, "the input")
        return super().forward(input)

    def to_equivariant(self) -> tuple[EquivariantLinear, float]:
        """The closest layer that commutes with the group, and the share of weight and bias that is lost."""
        out = EquivariantLinear(
            self.rep_in, self.rep_out, bias=self.bias is not None, dtype=self.weight.dtype, device=self.weight.device
        )
        lost = out.project_(self.weight, self.bias)
        return out.train(self.training), lost

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

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``."""
        h = self.linear(x)
        return self.gated(h + self.products(h))


@final
class EquivariancePromotingMLP(torch.nn.Module):
    """A network near f(rho_in(g) x) = rho_out(g) f(x), with linear layers that may leave it where data insist.

    All that is not linear commutes with the whole group, so what is broken is broken by linear layers, where it is
    measured in closed form, without derivatives of the network. After training, `to_equivariant` goes on with the
    subgroup that was kept.

    Parameters
    ----------
    rep_in, rep_out : Representation or str
        What goes in and comes out, of sizes N_in and N_out.
    group : Group or Symmetry, optional
        The group that is promoted; needed where representations are given as text.
    hidden : int, Representation, or sequence of Representation
        As in `EquivariantMLP`.
    layers : int
        Number of hidden layers.
    activation : callable
        Of scalars.
    spread : float
        How far from equivariant linear layers start; see `PromotingLinear`.
    dtype : torch.dtype, optional
        Of the parameters.
    device : torch.device, optional
        Where the parameters are.

    Examples
    --------
    >>> from erlangen.algebra.groups import SO
    >>> network = EquivariancePromotingMLP("2V", "S", SO(3), hidden=16, layers=1)
    >>> price = network.penalty()
    >>> network(torch.zeros(10, 6)).shape, price().shape, network.broken_rank()
    (torch.Size([10, 1]), torch.Size([]), 0)
    """

    def __init__(
        self,
        rep_in: Representation | str,
        rep_out: Representation | str,
        group: Group | Symmetry | None = None,
        hidden: int | Representation | Sequence[Representation] = 64,
        layers: int = 2,
        activation: Activation = torch.nn.functional.silu,
        spread: float = SPREAD,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.rep_in = as_representation(rep_in, group, "rep_in")
        self.rep_out = as_representation(rep_out, group or self.rep_in.group, "rep_out")
        self.in_features, self.out_features = self.rep_in.size, self.rep_out.size
        middle = hidden_layers(self.rep_in, self.rep_out, hidden, layers)
        ends = [self.rep_in, *middle]
        blocks = [PromotingBlock(a, b, activation, spread, dtype=dtype, device=device) for a, b in zip(ends, middle)]
        self.blocks = torch.nn.Sequential(*blocks)
        self.last = PromotingLinear(ends[-1], self.rep_out, spread=spread, dtype=dtype, device=device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``."""
        return self.last(self.blocks(x))

    def penalty(self, x: Points = None, *, kind: str = "reweighted", where: str = "stacked") -> SymmetryPenalty:
        """The price of what is broken: make it once, on the device of the parameters, and call it in every step.

        Parameters
        ----------
        x : Tensor or ndarray (n, N_in), optional
            Points, needed for ``where="ends"``. For layers they say how fast generators are; by default, as fast as
            on inputs with independent coordinates of variance 1.
        kind, where : str
            See `symmetry_penalty`.
        """
        if x is None and where == "ends":
            raise InputError(
                explain(
                    "From input to output a price is measured at points.",
                    given='where="ends" without x',
                    expected=f"points of shape (n, {self.in_features})",
                    fix='network.penalty(x, where="ends"), or where="stacked", which needs none',
                )
            )
        points = np.sqrt(self.in_features) * np.eye(self.in_features) if x is None else x
        return SymmetryPenalty(self, self.rep_in >> self.rep_out, points, kind=kind, where=where)

    def defects(self, x: Points = None) -> NDArray:
        """Relative defects ``(r,)``, ascending: 0 where nothing breaks, 1 is unrelated.

        Of the layers together or, with points ``x (n, N_in)``, of the function that they make. Layers can break more
        than the function does: what one of them breaks, the next can undo.
        """
        return self._directions(x)[0]

    def broken_rank(self, x: Points = None, *, delta: float = Threshold().delta) -> int:
        """Number of independent broken generators: of relative defect above ``delta``."""
        return int(np.sum(self.defects(x) > delta))

    def kept(self, x: Points = None, *, delta: float = Threshold().delta) -> NDArray:
        """Orthonormal combinations ``(p, k)`` of the generators of the group that are not broken."""
        s, directions = self._directions(x)
        return np.linalg.qr(directions[:, s <= delta])[0]

    def subgroup(self, x: Points = None, *, delta: float = Threshold().delta) -> Group:
        """The group of what is kept, generators and discrete elements, closed within the error of the generators.

        Raises
        ------
        UndecidedError
            Where nothing is kept, or what is kept is near no closed algebra.
        """
        group, kept = self.rep_in.group, self.kept(x, delta=delta)
        price = self.penalty(x, kind="scale-free", where="stacked" if x is None else "ends")
        sizes = [float(s[0]) for s in price.singular_values()[1:]]
        elements = group.discrete[[size <= delta for size in sizes]] if sizes else group.discrete
        if kept.shape[1] == 0 and len(elements) == 0:
            raise UndecidedError(
                explain(
                    "Nothing is kept: there is no subgroup to go on with.",
                    given=f"relative defects from {self.defects(x).min(initial=np.inf):.2g} on, delta={delta:g}",
                    expected="a generator that no layer breaks",
                    fix="a larger weight of the penalty, or a larger delta",
                )
            )
        if kept.shape[1] == len(group.lie_algebra) and len(elements) == len(group.discrete):
            return group
        algebra = np.tensordot(kept.T, group.lie_algebra, 1)
        name = f"subgroup of {group.name}"
        return from_matrices(lie_algebra=algebra, discrete=elements, name=name).nearest_closed()

    def to_equivariant(self, subgroup: Group | None = None) -> torch.nn.Module:
        """A copy in which every linear layer commutes with a subgroup exactly: the closest one, to be trained on.

        Without a price, training then undoes what the price has shrunk.

        Parameters
        ----------
        subgroup : Group, optional
            In the group of the network; by default the one that all layers keep, :meth:`subgroup`.

        Returns
        -------
        torch.nn.Module
            Of the same structure, with `EquivariantLinear` layers.
        """
        twin = to_subgroup(self, self.subgroup() if subgroup is None else subgroup)
        for name, part in list(twin.named_modules()):
            if isinstance(part, PromotingLinear):
                parent, _, key = name.rpartition(".")
                setattr(twin.get_submodule(parent), key, part.to_equivariant()[0])
        return twin

    def _directions(self, x: Points) -> tuple[NDArray, NDArray]:
        """Relative defects, ascending, and the combinations ``(p, r)`` of generators that they belong to."""
        price = self.penalty(x, kind="scale-free", where="stacked" if x is None else "ends")
        if price.basis.shape[1] == 0:
            return np.zeros(0), np.zeros((len(self.rep_in.group.lie_algebra), 0))
        with torch.no_grad():
            found = spectrum(*price.pairs()[0])
        if found is None:
            raise UndecidedError("The parameters are not finite: nothing can be said of what they keep.")
        s, w = (part.flip(-1).cpu().numpy() for part in found)
        return s, price.basis @ w
