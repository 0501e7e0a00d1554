"""Networks that commute with a group, for any matrix group: linear layers, products of channels, gates."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import final

import torch

from erlangen._errors import InputError, explain, warn
from erlangen.algebra import Group, Representation, rep
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.algebra.representation import Word, collected, word_size
from erlangen.nn._blocks import as_representation, runs, single
from erlangen.nn.bilinear import ChannelProducts
from erlangen.nn.linear import EquivariantLinear
from erlangen.nn.nonlinear import Activation, Gated
from erlangen.verbs import Symmetry

_TRIED = 4
"""Random inputs at which outputs are compared."""


@final
class EquivariantBlock(torch.nn.Module):
    """A linear layer, products of its channels added to it, and gates.

    Parameters
    ----------
    rep_in, rep_out : Representation
        Of one group.
    activation : callable
        Of the scalars of `rep_out`.
    dtype : torch.dtype, optional
        Of the parameters; torch's default type by default.
    device : torch.device or str, optional
        Where they are kept.

    Attributes
    ----------
    gated : Gated
        The gates at the end.
    linear : EquivariantLinear
        The layer at the start.
    products : ChannelProducts
        What is added to it.

    References
    ----------
    M. Finzi, M. Welling, A. G. Wilson, A practical method for constructing equivariant multilayer perceptrons for
    arbitrary matrix groups, ICML 2021.

    Examples
    --------
    >>> from erlangen.algebra import groups, rep
    >>> block = EquivariantBlock(rep("V + S", groups.SO(3)), rep("2V + S", groups.SO(3)))
    >>> block(torch.zeros(5, 4)).shape
    torch.Size([5, 7])
    """

    rep_in: Representation
    rep_out: Representation
    gated: Gated
    linear: EquivariantLinear
    products: ChannelProducts

    def __init__(
        self,
        rep_in: Representation,
        rep_out: Representation,
        activation: Activation = torch.nn.functional.silu,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_out = rep_in, rep_out
        self.gated = Gated(rep_out, activation, dtype=dtype, device=device)
        middle = self.gated.rep_in
        self.linear = EquivariantLinear(rep_in, middle, dtype=dtype, device=device)
        self.products = ChannelProducts(middle, middle, dtype=dtype, device=device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``.

        Parameters
        ----------
        x : Tensor (..., N_in)
            Inputs.

        Returns
        -------
        Tensor (..., N_out)
            Equivariant in them.
        """
        h = self.linear(x)
        return self.gated(h + self.products(h))


@final
class EquivariantMLP(torch.nn.Module):
    """A network f with f(rho_in(g) x) = rho_out(g) f(x) for every g of any matrix group.

    Parameters
    ----------
    rep_in, rep_out : Representation or str
        What goes in and comes out, of sizes N_in and N_out.
    group : Group or Symmetry, optional
        The group; needed where representations are given as text.
    hidden : int, Representation, or sequence of Representation
        Channels of each hidden layer, shared about evenly between scalars, the words of the two ends and
        their products; or the representation of all hidden layers, or of each.
    layers : int
        Number of hidden layers.
    activation : callable
        Of scalars.
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
    last : EquivariantLinear
        The layer at the end.

    Raises
    ------
    InputError
        If representations and group do not fit, no equivariant map can reach an end, or the layers can make
        nothing but constants. Where that is so for some of the outputs only, a warning names them.

    References
    ----------
    M. Finzi, M. Welling, A. G. Wilson, A practical method for constructing equivariant multilayer perceptrons
    for arbitrary matrix groups, ICML 2021.

    Examples
    --------
    >>> from erlangen.algebra.groups import SO
    >>> network = EquivariantMLP("2V", "S", SO(1, 3), hidden=32, layers=1)
    >>> network(torch.zeros(10, 8)).shape
    torch.Size([10, 1])
    """

    rep_in: Representation
    rep_out: Representation
    in_features: int
    out_features: int
    blocks: torch.nn.Sequential
    last: EquivariantLinear

    def __init__(
        self,
        rep_in: Representation | str,
        rep_out: Representation | str,
        group: Group | Symmetry | None = None,
        hidden: int | Representation | Sequence[Representation] = 128,
        layers: int = 3,
        activation: Activation = torch.nn.functional.silu,
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
        blocks = [EquivariantBlock(a, b, activation, dtype=dtype, device=device) for a, b in zip(ends, middle)]
        self.blocks = torch.nn.Sequential(*blocks)
        self.last = EquivariantLinear(ends[-1], self.rep_out, dtype=dtype, device=device)
        if not self.last.coefficients.is_meta:
            _check_dependence(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``.

        Parameters
        ----------
        x : Tensor (..., N_in)
            Inputs.

        Returns
        -------
        Tensor (..., N_out)
            Equivariant in them.
        """
        return self.last(self.blocks(x))


def _check_dependence(network: EquivariantMLP) -> None:
    """Refuse a network whose outputs depend on nothing; warn of those that do not.

    Seen at random points with random coefficients: products that are not zero of themselves, such as that of a
    vector with itself under SL(n), are seen only there.
    """
    twin = copy.deepcopy(network).to("cpu", torch.float64)
    own = torch.Generator().manual_seed(0)
    x = torch.randn(_TRIED, network.in_features, generator=own, dtype=torch.float64)
    with torch.no_grad():
        for part in twin.modules():
            if isinstance(part, EquivariantLinear | ChannelProducts):
                part.reset_parameters(own)
            if isinstance(part, EquivariantLinear) and part.bias is not None:
                part.bias.normal_(generator=own)
        y = twin(x)
    if not y.isfinite().all():
        return  # values beyond the largest number are no constants
    # Half of the digits: rounding is far below.
    moves = (y - y[0]).norm(dim=0) > 1e-8 * y.norm(dim=0).max()
    still = [str(Representation(network.rep_out.group, ((run.word, run.count),)))
             for run in runs(network.rep_out) if not moves[run.start : run.stop].any()]  # fmt: skip
    if not still:
        return
    group = network.rep_out.group.name
    what = f"The output {' + '.join(still)} of this network would be constant: no layer makes it from {network.rep_in}."
    fix = "more hidden channels or layers, inputs with more vectors or their duals (V.T), or another group"
    if moves.any():
        warn(what, fix=fix)
        return
    raise InputError(
        explain(
            what,
            given=f"{network.rep_in} >> {network.rep_out} of {group}",
            expected="an input of which linear maps, products of two channels and gates make the output",
            fix=fix,
        )
    )


def mixed(rep_in: Representation, rep_out: Representation, channels: int) -> Representation:
    """A hidden representation of a given size, for a network between two others.

    Scalars, the atoms of both ends (with their duals, where the group tells them apart) and the products of
    two of them get about the same number of channels each; a product too large for its share is left out.

    Examples
    --------
    >>> from erlangen.algebra.groups import SO
    >>> print(mixed(rep("2V", SO(3)), rep("S", SO(3)), 100))
    40S + 11V + 3V**2
    """
    group = rep_in.group
    atoms = dict.fromkeys(atom for side in (rep_in, rep_out) for word, _ in side.terms for atom in word)
    atoms = atoms or dict.fromkeys(rep("V", group).terms[0][0])
    for atom in list(atoms):
        if equivariant_maps(single(group, (atom,)), single(group, (atom.dual,))).dim == 0:
            atoms[atom.dual] = None
    alone: list[Word] = [(), *((atom,) for atom in atoms)]
    pairs: list[Word] = [(a, b) for i, a in enumerate(atoms) for b in list(atoms)[i:]]
    pairs.sort(key=word_size)
    while pairs and word_size(pairs[-1]) > channels / len([*alone, *pairs]):
        pairs.pop()
    words = [*alone, *pairs]
    counts = [max(1, int(channels / len(words)) // word_size(word)) for word in words]
    used = sum(count * word_size(word) for word, count in zip(words[1:], counts[1:]))
    counts[0] = max(counts[0], channels - used)
    return collected(group, list(zip(words, counts)))


def hidden_layers(
    rep_in: Representation,
    rep_out: Representation,
    hidden: int | Representation | Sequence[Representation],
    layers: int,
) -> list[Representation]:
    """Representations of the hidden layers: shared between words, the same for all, or one for each.

    Raises
    ------
    InputError
        If they are none of these.
    """
    if isinstance(hidden, Representation):
        return [hidden] * layers
    if isinstance(hidden, int) and not isinstance(hidden, bool) and hidden > 0:
        return [mixed(rep_in, rep_out, hidden)] * layers
    if (
        isinstance(hidden, Sequence)
        and not isinstance(hidden, str)
        and all(isinstance(h, Representation) for h in hidden)
    ):
        return list(hidden)
    raise InputError(
        explain(
            "The hidden layers are not understood.",
            given=f"hidden={hidden!r}",
            expected="a number of channels, a Representation, or one for each layer",
            fix="EquivariantMLP(rep_in, rep_out, hidden=128)",
        )
    )
