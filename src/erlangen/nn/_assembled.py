"""Layers whose weight is assembled from coefficients: kept in evaluation mode, the same in every basis when saved."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.linalg.subspace import AbstractSubspace
from erlangen.nn._constants import AbstractInBasis, full_precision, other_basis
from erlangen.nn._weights import AbstractWeight, fingerprint, weight_of


@dataclass(frozen=True, eq=False)
class _Space:
    """Where a weight or a bias lies.

    Attributes
    ----------
    name : str
        What a state calls the dense weight or bias.
    parameter : str
        What holds its coordinates.
    space : AbstractSubspace
        Its maps, flattened row by row.
    shape : tuple of int
        Its shape.
    """

    name: str
    parameter: str
    space: AbstractSubspace
    shape: tuple[int, ...]

    @property
    def matrix(self) -> tuple[int, int]:
        """The shape as that of a matrix."""
        return self.shape[0], int(np.prod(self.shape[1:]))

    def marks(self) -> NDArray:
        """What tells the basis from others."""
        return fingerprint(self.space, self.matrix)


class AbstractAssembled(AbstractInBasis):
    """A layer with a weight, and perhaps a bias, whose coordinates are the parameters.

    What is kept in evaluation mode is made anew by `eval()`, by loading a state, by a change of type or device,
    and when the parameters have been changed in place.

    A state holds the coefficients, a few numbers that tell their basis, and the dense weight and bias, which are
    the same in every basis. Where the basis is this one the coefficients are loaded as they are; where it is
    another one they are computed from the dense weight and bias.

    Parameters
    ----------
    maps : AbstractSubspace
        Of the weight, flattened row by row.
    offsets : AbstractSubspace or None
        Of the bias.
    shape : tuple of int
        Of the weight (a, b).
    dtype, device
        Of parameters and constants.

    Attributes
    ----------
    weight_map, bias_map : AbstractWeight, or None
        How coefficients make the weight, and the bias.
    bias : Parameter (r,) or None
        Coordinates of the bias; None where there is no invariant one.
    coefficients : Parameter (r,)
        Coordinates of the weight.
    kept_weight, kept_bias : Tensor (a, b), (a,), or None
        What is kept of a weight with sides a and b in evaluation mode.
    """

    marks: torch.Tensor
    maps: AbstractSubspace
    offsets: AbstractSubspace | None
    shape: tuple[int, int]
    weight_map: AbstractWeight
    bias_map: AbstractWeight | None
    bias: torch.nn.Parameter | None
    coefficients: torch.Tensor
    kept_weight: torch.Tensor | None
    kept_bias: torch.Tensor | None

    def __init__(
        self,
        maps: AbstractSubspace,
        offsets: AbstractSubspace | None,
        shape: tuple[int, int],
        dtype: torch.dtype | None,
        device: torch.device | str | None,
    ) -> None:
        super().__init__()
        self.maps, self.offsets, self.shape = maps, offsets, shape
        self.weight_map = weight_of(maps, shape, dtype, device)
        self.coefficients = torch.nn.Parameter(torch.empty(maps.dim, dtype=dtype, device=device))
        self.bias_map = None
        self.register_parameter("bias", None)
        if offsets is not None and offsets.dim:
            self.bias_map = weight_of(offsets, (shape[0], 1), dtype, device)
            self.bias = torch.nn.Parameter(torch.empty(offsets.dim, dtype=dtype, device=device))
        self.register_buffer("kept_weight", None, persistent=False)
        self.register_buffer("kept_bias", None, persistent=False)
        self._seen: tuple[int, ...] = ()
        self.marks = torch.from_numpy(np.concatenate([s.marks() for s in self._spaces()]))
        self._spreads = torch.from_numpy(np.sqrt(self.weight_map.variances()))
        self.register_load_state_dict_post_hook(_renew_kept)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the coefficients again; the bias becomes zero.

        Parameters
        ----------
        generator : torch.Generator, optional
            Draws them; torch's own by default.
        """
        with torch.no_grad():
            self.coefficients.normal_(generator=generator).mul_(self._spreads.to(self.coefficients))
            if self.bias is not None:
                self.bias.zero_()

    @abstractmethod
    def arranged(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight ``(a, b)`` in the form that the layer uses.

        Parameters
        ----------
        weight : Tensor (a, b)
            The weight as it is assembled; in a bilinear layer b is the product of the sizes of both inputs.

        Returns
        -------
        Tensor (a, b), or any shape of as many entries
            The same numbers.
        """

    def assemble(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The weight and the bias ``(N_out,)``, differentiable in the parameters."""
        with full_precision(self.coefficients):
            weight = self.arranged(self.weight_map(self.coefficients))
            return weight, None if self.bias_map is None else self.bias_map(self.bias).view(-1)

    def rounded_once(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Dense weight ``(a, b)`` and bias ``(N_out,)``, made in float64 and rounded once to the parameters' type."""
        dense = [_dense(getattr(self, space.parameter).detach(), space) for space in self._spaces()]
        return dense[0], dense[1] if len(dense) > 1 else None

    def current(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the weight, and the bias ``(N_out,)``, that a call uses.

        They are assembled in training; in evaluation they are kept, unless gradients of them are recorded.
        """
        return self.assemble() if self.training else self._evaluated()

    def train(self, mode: bool = True) -> Self:
        """Enter training mode, where nothing is kept, or evaluation mode, where the weight is made anew.

        Parameters
        ----------
        mode : bool
            Whether to train.

        Returns
        -------
        AbstractAssembled
            Itself.
        """
        super().train(mode)
        self._renew()
        return self

    def portable(self) -> tuple[str, ...]:
        """The dense weight, and the dense bias where there is one."""
        return tuple(space.name for space in self._spaces())

    def carried(self, stored: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
        """The coordinates of the stored weight and bias, computed in float64.

        Raises
        ------
        InputError
            When the state has no dense weight, or one that is not equivariant.
        """
        if len(stored) < len(self.portable()):
            raise other_basis(prefix, "save the state again: now it holds the dense weight, the same in every basis")
        return {s.parameter: _coordinates(stored[s.name], s, prefix) for s in self._spaces()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def _spaces(self) -> Iterator[_Space]:
        yield _Space("dense_weight", "coefficients", self.maps, self.shape)
        if self.offsets is not None and self.bias is not None:
            yield _Space("dense_bias", "bias", self.offsets, (self.shape[0],))

    def _save_to_state_dict(self, destination, prefix, keep_vars) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for space in self._spaces():
            destination[prefix + space.name] = _dense(getattr(self, space.parameter).detach(), space)

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

    def _renew(self) -> None:
        if self.training:
            self.kept_weight, self.kept_bias, self._seen = None, None, ()
        else:
            self._keep()


def _version(parameter: torch.Tensor | None) -> int:
    """How often a parameter was changed in place; one made in inference mode does not tell."""
    return 0 if parameter is None or parameter.is_inference() else parameter._version


def _renew_kept(layer: AbstractAssembled, _keys: object) -> None:
    layer._renew()


def _dense(coordinates: torch.Tensor, space: _Space) -> torch.Tensor:
    """The weight or bias, assembled in float64 and rounded once to the type of its coordinates."""
    where = "meta" if coordinates.is_meta else "cpu"
    with torch.no_grad():
        dense = weight_of(space.space, space.matrix, torch.float64, where)(coordinates.to(where, torch.float64))
        return dense.view(space.shape).to(coordinates.device, coordinates.dtype)


def _coordinates(stored: torch.Tensor, space: _Space, prefix: str) -> torch.Tensor:
    """Coordinates of a stored weight or bias, which must lie in the space up to rounding."""
    if stored.shape != space.shape:
        raise _foreign(prefix, space, f"shape {tuple(stored.shape)}", f"shape {space.shape}")
    if stored.is_meta:
        return stored.new_empty(space.space.dim)
    values = stored.detach().to("cpu", torch.float64).numpy().ravel()
    coordinates = space.space.coordinates(values)
    lost = float(np.linalg.norm(values - space.space.combine(coordinates)))
    size = float(np.linalg.norm(values))
    # Rounding to the type stored, and half of the digits for what two solutions of one problem may differ by.
    allowed = torch.finfo(stored.dtype).eps + float(np.sqrt(np.finfo(np.float64).eps))
    if not lost <= allowed * size:
        expected = f"at most {allowed:.1g}, rounding of {str(stored.dtype).removeprefix('torch.')}"
        raise _foreign(prefix, space, f"a relative distance of {lost / size:.2g} from the nearest one", expected)
    return torch.from_numpy(coordinates).to(stored.device, stored.dtype)


def _foreign(prefix: str, space: _Space, given: str, expected: str) -> InputError:
    kind = space.name.removeprefix("dense_")
    return InputError(
        explain(
            f"The stored {prefix}{space.name} is no equivariant {kind} of this layer.",
            given=given,
            expected=expected,
            fix="layers of the group and representations that were saved; to take over the closest equivariant one, "
            "EquivariantLinear(...).project_(weight, bias)",
        )
    )
