"""Networks that commute with a group as far as the data allow: free linear layers, and a price on what they break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np
import torch

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Group, Representation
from erlangen.algebra.groups import from_matrices
from erlangen.linalg.rank import Threshold
from erlangen.nn._blocks import as_representation
from erlangen.nn._penalty_kept import change_of_outputs, name_of, standard_points, warn_of_change
from erlangen.nn._penalty_module import as_points, one_of
from erlangen.nn._penalty_spectrum import spectrum
from erlangen.nn.convert import to_subgroup
from erlangen.nn.mlp import hidden_layers
from erlangen.nn.nonlinear import Activation
from erlangen.nn.penalty import SymmetryPenalty
from erlangen.nn.promoting_layers import SPREAD, PromotingBlock
from erlangen.nn.promoting_layers import PromotingLinear as PromotingLinear
from erlangen.verbs import Symmetry

Points = torch.Tensor | NDArray | None


@final
class EquivariancePromotingMLP(torch.nn.Module):
    """A network near f(rho_in(g) x) = rho_out(g) f(x), with linear layers that may leave it where data insist.

    All that is not linear commutes with the whole group, so what is broken is broken by linear layers, where it is
    priced in closed form, without derivatives of the network. What is kept is read from the function itself: the
    next layers can amplify what a layer hardly breaks, or undo what it does break. After training,
    `to_equivariant` goes on with the subgroup that was kept.

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

    Attributes
    ----------
    in_features, out_features : int
        The sizes N_in and N_out.
    blocks : torch.nn.Sequential
        The hidden layers.
    last : PromotingLinear
        The layer at the end.

    References
    ----------
    Otto, Zolman, Kutz, Brunton, JMLR 26(248), 2025, section 8, for promotion.

    Examples
    --------
    >>> from erlangen.algebra.groups import SO
    >>> network = EquivariancePromotingMLP("2V", "S", SO(3), hidden=16, layers=1)
    >>> price = network.penalty()
    >>> network(torch.zeros(10, 6)).shape, price().shape, network.broken_rank()
    (torch.Size([10, 1]), torch.Size([]), 0)
    """

    rep_in: Representation
    rep_out: Representation
    in_features: int
    out_features: int
    blocks: torch.nn.Sequential
    last: PromotingLinear

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
        self._settle(max(spread, Threshold().delta / 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``.

        Parameters
        ----------
        x : Tensor (..., N_in)
            Inputs.

        Returns
        -------
        Tensor (..., N_out)
            Outputs; equivariant where nothing is broken.
        """
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

        Returns
        -------
        SymmetryPenalty
            Called without arguments, it returns a scalar to add to the loss.

        Raises
        ------
        InputError
            When points are missing for ``where="ends"``, or the pieces do not fit.
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

    def defects(self, x: Points = None, *, where: str = "ends") -> NDArray:
        """Relative defects ``(r,)``, ascending: 0 where nothing breaks, 1 is unrelated.

        Parameters
        ----------
        x : Tensor or ndarray (n, N_in), optional
            Where the function is looked at; by default 256 standard normal inputs, the same in every call.
        where : {"ends", "stacked"}
            The function, or its linear layers together, which decides nothing about the function: small defects
            of a layer may be amplified by the next, and large ones undone.

        Returns
        -------
        ndarray (r,)
            One per independent direction of the generators.

        Raises
        ------
        UndecidedError
            When the parameters are not finite.
        """
        return self._directions(x, where)[0]

    def broken_rank(self, x: Points = None, *, delta: float = Threshold().delta, where: str = "ends") -> int:
        """Number of independent broken generators: of relative defect above ``delta``; see :meth:`defects`.

        Parameters
        ----------
        x : Tensor or ndarray (n, N_in), optional
            Where the function is looked at, as for :meth:`defects`.
        delta : float
            Relative defect above which a direction counts as broken.
        where : {"ends", "stacked"}
            As for :meth:`defects`.

        Returns
        -------
        int
            How many are broken.

        Raises
        ------
        UndecidedError
            When the parameters are not finite.
        """
        return int(np.sum(self.defects(x, where=where) > Threshold(delta).delta))

    def kept(self, x: Points = None, *, delta: float = Threshold().delta) -> NDArray:
        """Orthonormal combinations ``(p, k)`` of the generators of the group that the function does not break.

        Parameters
        ----------
        x : Tensor or ndarray (n, N_in), optional
            Where the function is looked at, as for :meth:`defects`.
        delta : float
            Relative defect up to which a direction counts as kept.

        Returns
        -------
        ndarray (p, k)
            The combinations, as columns.

        Raises
        ------
        UndecidedError
            When the parameters are not finite.
        """
        s, directions = self._directions(x, "ends")
        return np.linalg.qr(directions[:, s <= Threshold(delta).delta])[0]

    def subgroup(self, x: Points = None, *, delta: float = Threshold().delta) -> Group:
        """The group of what the function keeps, generators and discrete elements, closed within their error.

        Parameters
        ----------
        x : Tensor or ndarray (n, N_in), optional
            Where the function is looked at, as for :meth:`defects`.
        delta : float
            Relative defect up to which a direction counts as kept.

        Returns
        -------
        Group
            A subgroup of the group of the network.

        Raises
        ------
        UndecidedError
            Where nothing is kept, or what is kept is near no closed algebra.
        """
        group, kept = self.rep_in.group, self.kept(x, delta=delta)
        sizes = [float(s[0]) for s in self._price(x, "ends").singular_values()[1:]]
        elements = group.discrete[[size <= delta for size in sizes]] if sizes else group.discrete
        if kept.shape[1] == 0 and len(elements) == 0:
            raise UndecidedError(
                explain(
                    "Nothing is kept: there is no subgroup to go on with.",
                    given=f"relative defects from {min([*self.defects(x), *sizes], default=np.inf):.2g} on, "
                    f"delta={delta:g}",
                    expected="a generator or a discrete element that the function keeps",
                    fix="a larger weight of the penalty, or a larger delta",
                )
            )
        if kept.shape[1] == len(group.lie_algebra) and len(elements) == len(group.discrete):
            return group
        algebra = np.tensordot(kept.T, group.lie_algebra, 1)
        closed = from_matrices(lie_algebra=algebra, discrete=elements).nearest_closed()
        return replace(closed, name=name_of(closed.lie_algebra, len(elements), group))

    def to_equivariant(self, subgroup: Group | None = None, x: Points = None) -> torch.nn.Module:
        """A copy in which every linear layer commutes with a subgroup exactly: the closest one, to be trained on.

        Without a price, training then undoes what the price has shrunk.

        Parameters
        ----------
        subgroup : Group, optional
            In the group of the network; by default the one that the function keeps, ``network.subgroup(x)``.
        x : Tensor or ndarray (n, N_in), optional
            Where the change of the outputs is measured; by default standard normal inputs.

        Returns
        -------
        torch.nn.Module
            Of the same structure, with `EquivariantLinear` layers.

        Warns
        -----
        UserWarning
            Where outputs change by more than a quarter of their spread: the subgroup is not the function's, or the
            layers break more than the function does.
        """
        subgroup = self.subgroup(x) if subgroup is None else subgroup
        twin = to_subgroup(self, subgroup)
        for name, part in list(twin.named_modules()):
            if isinstance(part, PromotingLinear):
                parent, _, key = name.rpartition(".")
                setattr(twin.get_submodule(parent), key, part.to_equivariant()[0])
        points = standard_points(self.rep_in) if x is None else as_points(x)
        seen = f"{len(points)} {'standard normal inputs' if x is None else 'points'}"
        warn_of_change(change_of_outputs(self, twin, points), subgroup, seen)
        return twin

    def _settle(self, most: float) -> None:
        """Shrink what is not equivariant until the function breaks little: layers together can amplify it.

        Where no equivariant function is there to be near to, defects do not fall, and layers stay as drawn.
        """
        before = self.defects().max(initial=0.0)
        if before <= most:
            return
        linear = [part for part in self.modules() if isinstance(part, PromotingLinear)]
        drawn = [part.weight.detach().clone() for part in linear]
        with torch.no_grad():
            for part in linear:
                part.shrink_(float(most / before))
            if self.defects().max() > (before + most) / 2:
                for part, weight in zip(linear, drawn, strict=True):
                    part.weight.copy_(weight)

    def _price(self, x: Points, where: str) -> SymmetryPenalty:
        points = standard_points(self.rep_in) if x is None and where == "ends" else x
        return self.penalty(points, kind="scale-free", where=one_of("where", where, ("ends", "stacked")))

    def _directions(self, x: Points, where: str) -> tuple[NDArray, NDArray]:
        """Relative defects, ascending, and the combinations ``(p, r)`` of generators that they belong to."""
        price = self._price(x, where)
        if price.basis.shape[1] == 0:
            return np.zeros(0), np.zeros((len(self.rep_in.group.lie_algebra), 0))
        with torch.no_grad():
            found = spectrum(*price.pairs()[0])
        if found is None:
            raise UndecidedError("The parameters are not finite: nothing can be said of what they keep.")
        s, w = (part.flip(-1).cpu().numpy() for part in found)
        return s, price.basis @ w
