"""Linear layers that commute with a group: ordinary ones, whose weight is assembled from coefficients."""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from erlangen._errors import InputError, explain
from erlangen.algebra import Representation
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.linalg.subspace import AbstractSubspace
from erlangen.nn._blocks import maps_between, no_map, require, runs, scalars
from erlangen.nn._constants import AbstractInBasis, full_precision
from erlangen.nn._weights import fingerprint, reached, weight_of


@final
class EquivariantLinear(AbstractInBasis):
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
    rep_in, rep_out : Representation
        Of one group, of sizes N_in and N_out.
    bias : bool
        Whether invariant vectors of `rep_out` are added.
    maps : AbstractSubspace, optional
        A space of matrices ``(N_out, N_in)``, flattened row by row, to use instead of all equivariant ones.
    dtype : torch.dtype, optional
        Of the parameters; the constants of the basis are exact in each.
    device : torch.device, optional
        Where the parameters are.

    Raises
    ------
    InputError
        If zero is the only equivariant map; the message says why.

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

    kept_weight: torch.Tensor | None
    kept_bias: torch.Tensor | None

    def __init__(
        self,
        rep_in: Representation,
        rep_out: Representation,
        bias: bool = True,
        *,
        maps: AbstractSubspace | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        require(rep_in=rep_in, rep_out=rep_out)
        self.rep_in, self.rep_out = rep_in, rep_out
        self.in_features, self.out_features = rep_in.size, rep_out.size
        self.maps = maps_between(rep_in, rep_out) if maps is None else maps
        if self.maps.dim == 0 or self.maps.ambient_dim != self.in_features * self.out_features:
            raise _unfit(rep_in, rep_out, self.maps)
        shape = (self.out_features, self.in_features)
        self.weight_map = weight_of(self.maps, shape, dtype, device)
        self.coefficients = torch.nn.Parameter(torch.empty(self.maps.dim, dtype=dtype, device=device))
        self.offsets = equivariant_maps(scalars(rep_out.group), rep_out) if bias else None
        self.bias_map = None
        self.register_parameter("bias", None)
        if self.offsets is not None and self.offsets.dim:
            self.bias_map = weight_of(self.offsets, (self.out_features, 1), dtype, device)
            self.bias = torch.nn.Parameter(torch.empty(self.offsets.dim, dtype=dtype, device=device))
        self.register_buffer("kept_weight", None, persistent=False)
        self.register_buffer("kept_bias", None, persistent=False)
        self._seen: tuple[int, ...] = ()
        marks = [fingerprint(self.maps, shape)]
        marks += [fingerprint(self.offsets, (self.out_features, 1))] if self.offsets is not None else []
        self.marks = torch.from_numpy(np.concatenate(marks))
        self._spreads = torch.from_numpy(np.sqrt(self.weight_map.variances()))
        self.register_load_state_dict_post_hook(_renew_kept)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the coefficients again; the bias becomes zero."""
        with torch.no_grad():
            self.coefficients.normal_(generator=generator).mul_(self._spreads.to(self.coefficients))
            if self.bias is not None:
                self.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(..., N_out)`` of ``x (..., N_in)``."""
        weight, bias = self.assemble() if self.training else self._evaluated()
        return F.linear(x, weight, bias)

    def assemble(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The weight ``(N_out, N_in)`` and the bias ``(N_out,)``, differentiable in the parameters."""
        with full_precision(self.coefficients):
            weight = self.weight_map(self.coefficients)
            return weight, None if self.bias_map is None else self.bias_map(self.bias).view(-1)

    def to_linear(self) -> torch.nn.Linear:
        """An ordinary layer with the same function and no memory of the group."""
        with torch.no_grad():
            weight, bias = self.assemble()
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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def train(self, mode: bool = True) -> EquivariantLinear:
        """Enter training mode, where nothing is kept, or evaluation mode, where the weight is made anew."""
        super().train(mode)
        if mode:
            self._drop()
        else:
            self._keep()
        return self

    def _apply(self, fn, recurse: bool = True):
        super()._apply(fn, recurse)
        self._renew()
        return self

    def _evaluated(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What is kept, or the weight and bias with their gradients where these are recorded."""
        # The dictionaries of the module, because looking names up in a module costs as much as a small product.
        c: Any = self._parameters["coefficients"]
        b = self._parameters["bias"]
        compiling = torch.compiler.is_compiling()
        exporting = compiling and not torch.compiler.is_dynamo_compiling()  # what is exported now is not trained
        if torch.is_grad_enabled() and not exporting and (c.requires_grad or (b is not None and b.requires_grad)):
            return self.assemble()
        if not compiling and self._seen != (id(c), _version(c), _version(b)):
            self._keep()
        weight = self._buffers["kept_weight"]
        return self.assemble() if weight is None else (weight, self._buffers["kept_bias"])

    def _keep(self) -> None:
        # Outside inference mode, or what is kept could never meet a gradient.
        with torch.inference_mode(False), torch.no_grad():
            self.kept_weight, self.kept_bias = self.assemble()
        c, b = self.coefficients, self.bias
        self._seen = (id(c), _version(c), _version(b))

    def _drop(self) -> None:
        self.kept_weight, self.kept_bias, self._seen = None, None, ()

    def _renew(self) -> None:
        if self.training:
            self._drop()
        else:
            self._keep()

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


def _version(parameter: torch.Tensor | None) -> int:
    """How often a parameter was changed in place; one made in inference mode does not tell."""
    return 0 if parameter is None or parameter.is_inference() else parameter._version


def _renew_kept(layer: EquivariantLinear, _keys: object) -> None:
    layer._renew()


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
