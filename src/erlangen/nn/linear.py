"""Linear layers that commute with a group: ordinary ones, whose weight is assembled from coefficients."""

from __future__ import annotations

import copy
from typing import final

import numpy as np
import torch
from torch.nn import functional as F

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Group, Representation
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.linalg.subspace import AbstractSubspace
from erlangen.nn._assembled import AbstractAssembled
from erlangen.nn._blocks import as_representation, check_width, maps_between, no_map, runs, scalars
from erlangen.nn._weights import reached
from erlangen.verbs import Symmetry


@final
class EquivariantLinear(AbstractAssembled):
    """A layer y = W x + b with W rho_in(g) = rho_out(g) W and rho_out(g) b = b for every g.

    The parameters are coordinates in orthonormal bases of these W and b. In training mode W is assembled in
    every call. In evaluation mode it is kept: the cost is that of `torch.nn.Linear`, and an exported graph
    holds the dense weight as a constant. What is kept is made anew by `eval()`, by loading a state, by a
    change of type or device, and when the parameters have been changed in place; while gradients of the
    parameters are recorded it is not used. (A change through ``parameter.data``, or of a compiled module in
    evaluation mode, is seen at the next `eval()`.)

    Coefficients start as independent normal numbers with the variances that give each output the variance
    of the inputs, on average over inputs with independent coordinates: k / (n t) for maps from n copies of
    an irreducible of size k with t-dimensional commutant. Biases start at zero.

    Parameters
    ----------
    rep_in, rep_out : Representation or str
        Of one group, of sizes N_in and N_out.
    group : Group or Symmetry, optional
        The group; needed where representations are given as text.
    bias : bool
        Whether invariant vectors of `rep_out` are added.
    maps : AbstractSubspace, optional
        A space of matrices ``(N_out, N_in)``, flattened row by row, to use instead of all equivariant ones.
    dtype : torch.dtype, optional
        Of the parameters; the constants of the basis are exact in each.
    device : torch.device, optional
        Where the parameters are.

    Attributes
    ----------
    in_features, out_features : int
        The sizes N_in and N_out.

    Raises
    ------
    InputError
        If zero is the only equivariant map; the message says why.

    References
    ----------
    M. Finzi, M. Welling, A. G. Wilson, A practical method for constructing equivariant multilayer perceptrons for
    arbitrary matrix groups, ICML 2021.

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> layer = EquivariantLinear(rep("2V", SO(3)), rep("3V + S", SO(3)))
    >>> layer
    EquivariantLinear(2V >> 3V + S of SO(3): 6 maps and 1 bias, constant: S)
    >>> layer(torch.zeros(10, 6)).shape
    torch.Size([10, 10])
    """

    rep_in: Representation
    rep_out: Representation
    in_features: int
    out_features: int

    def __init__(
        self,
        rep_in: Representation | str,
        rep_out: Representation | str,
        group: Group | Symmetry | None = None,
        *,
        bias: bool = True,
        maps: AbstractSubspace | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        if not isinstance(bias, bool):
            raise InputError(
                explain(
                    "bias says whether there is one.",
                    given=f"bias={bias!r}"[:120],
                    expected="True or False",
                    fix='EquivariantLinear("2V", "V", er.groups.SO(3), bias=False)',
                )
            )
        rep_in = as_representation(rep_in, group, "rep_in")
        rep_out = as_representation(rep_out, group or rep_in.group, "rep_out")
        maps = maps_between(rep_in, rep_out) if maps is None else maps
        if maps.dim == 0 or maps.ambient_dim != rep_in.size * rep_out.size:
            raise _unfit(rep_in, rep_out, maps)
        offsets = equivariant_maps(scalars(rep_out.group), rep_out) if bias else None
        super().__init__(maps, offsets, (rep_out.size, rep_in.size), dtype, device)
        self.rep_in, self.rep_out = rep_in, rep_out
        self.in_features, self.out_features = rep_in.size, rep_out.size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``.

        Parameters
        ----------
        x : Tensor (..., N_in)
            Inputs.

        Returns
        -------
        Tensor (..., N_out)
            W x + b.
        """
        check_width(x, self.rep_in, "the input")
        return F.linear(x, *self.current())

    def arranged(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight ``(N_out, N_in)`` as it is."""
        return weight

    def to_linear(self) -> torch.nn.Linear:
        """An ordinary layer with the same function and no memory of the group: weights computed in float64."""
        weight, bias = self.rounded_once()
        out = torch.nn.Linear(
            self.in_features, self.out_features, bias is not None, device=weight.device, dtype=weight.dtype
        )
        with torch.no_grad():
            out.weight.copy_(weight)
            if bias is not None:
                out.bias.copy_(bias)
        return out.train(self.training)

    def project_(self, weight: torch.Tensor | NDArray, bias: torch.Tensor | NDArray | None = None) -> float:
        """Take over the closest equivariant weight and bias.

        Parameters
        ----------
        weight : Tensor (N_out, N_in)
            Any weight.
        bias : Tensor (N_out,), optional
            Any bias.

        Returns
        -------
        float
            Norm of what was lost over the norm of what was given, weight and bias together.

        Raises
        ------
        InputError
            When weight or bias have other shapes, or are not finite.
        """
        given = [_numpy(weight), np.zeros(self.out_features) if bias is None else _numpy(bias)]
        if given[0].shape != (self.out_features, self.in_features) or given[1].shape != (self.out_features,):
            raise InputError(
                explain(
                    "This weight does not fit the layer.",
                    given=f"weight {given[0].shape}, bias {given[1].shape}",
                    expected=f"weight {(self.out_features, self.in_features)}, bias {(self.out_features,)}",
                    fix="layer.project_(linear.weight, linear.bias)",
                )
            )
        if not all(np.isfinite(values).all() for values in given):
            raise InputError(
                explain(
                    "This weight has no closest equivariant one.",
                    given="NaN or infinite entries",
                    expected="finite numbers",
                    fix="the last state before training diverged",
                )
            )
        pairs = [(self.maps, self.coefficients), (self.offsets, self.bias)]
        lost = 0.0
        for values, (space, parameter) in zip(given, pairs, strict=True):
            kept = np.zeros(values.size)
            if space is not None and parameter is not None:
                coordinates = space.coordinates(values.ravel())
                kept = space.combine(coordinates)
                with torch.no_grad():
                    parameter.copy_(torch.from_numpy(coordinates))
            lost += float(np.sum((values.ravel() - kept) ** 2))
        return float(np.sqrt(lost / max(sum(np.sum(v**2) for v in given), np.finfo(np.float64).tiny)))

    def report(self) -> str:
        """Which outputs no map reaches: constant where a bias does, zero otherwise."""
        moving, constant, zero = self._words()
        lines = [
            f"{self.maps.dim} maps {self.rep_in} >> {self.rep_out} of {self.rep_in.group.name}: {self.maps.reason}"
        ]
        lines += [
            f"always {what}: {', '.join(words)}" for what, words in (("constant", constant), ("zero", zero)) if words
        ]
        return "\n".join(lines if constant or zero else [*lines, f"every output is reached: {', '.join(moving)}"])

    def extra_repr(self) -> str:
        """Shown when the layer is printed."""
        _, constant, zero = self._words()
        biases = 0 if self.bias is None else len(self.bias)
        counts = f"{self.maps.dim} map{'s' * (self.maps.dim != 1)} and {biases} bias{'es' * (biases != 1)}"
        text = f"{self.rep_in} >> {self.rep_out} of {self.rep_in.group.name}: {counts}"
        told = (("constant", constant), ("zero", zero))
        return text + "".join(f", {what}: {' + '.join(words)}" for what, words in told if words)

    def _words(self) -> tuple[list[str], list[str], list[str]]:
        """Words of the output that vary, that are constant and that vanish."""
        moved = reached(self.maps, (self.out_features, self.in_features))
        offset = np.zeros_like(moved)
        if self.offsets is not None and self.offsets.dim:
            offset = reached(self.offsets, (self.out_features, 1))
        out: tuple[list[str], list[str], list[str]] = ([], [], [])
        for run in runs(self.rep_out):
            text = str(Representation(self.rep_out.group, ((run.word, run.count),)))
            rows = slice(run.start, run.stop)
            out[0 if moved[rows].any() else 1 if offset[rows].any() else 2].append(text)
        return out


def to_linear(module: torch.nn.Module) -> torch.nn.Module:
    """Copy a network with ordinary layers in place of each `EquivariantLinear`: the same function.

    For what is only called from now on: an exported file then holds the weights, and neither coefficients nor
    bases. The copy knows of the group no more; training it breaks the symmetry.

    Parameters
    ----------
    module : torch.nn.Module
        A network, or a layer.

    Returns
    -------
    torch.nn.Module
        The copy.

    Examples
    --------
    >>> from erlangen.algebra import rep
    >>> from erlangen.algebra.groups import SO
    >>> network = torch.nn.Sequential(EquivariantLinear(rep("2V", SO(3)), rep("V", SO(3))))
    >>> to_linear(network)
    Sequential(
      (0): Linear(in_features=6, out_features=3, bias=False)
    )
    """
    twin = copy.deepcopy(module)
    made: dict[EquivariantLinear, torch.nn.Linear] = {}  # a layer that is used twice stays one
    for name, part in list(twin.named_modules(remove_duplicate=False)):
        if not isinstance(part, EquivariantLinear):
            continue
        made[part] = made.get(part) or part.to_linear()
        if not name:
            return made[part]
        parent, _, key = name.rpartition(".")
        setattr(twin.get_submodule(parent), key, made[part])
    return twin


def _numpy(values: torch.Tensor | NDArray) -> NDArray:
    tensor = values.detach().cpu().to(torch.float64).numpy() if isinstance(values, torch.Tensor) else values
    return np.asarray(tensor, dtype=np.float64)


def _unfit(rep_in: Representation, rep_out: Representation, maps: AbstractSubspace) -> InputError:
    if maps.ambient_dim == rep_in.size * rep_out.size:
        return no_map(rep_in, rep_out, maps)
    return InputError(
        explain(
            "These maps do not go from the one representation to the other.",
            given=f"a space of {maps.ambient_dim} unknowns",
            expected=f"{rep_out.size} x {rep_in.size} = {rep_out.size * rep_in.size} unknowns",
            fix="EquivariantLinear(rep_in, rep_out), or maps=equivariant_maps(rep_in, rep_out)",
        )
    )
