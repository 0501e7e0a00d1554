"""Constants of modules: exact in every floating type, in no state, and bases that a state cannot confuse.

Constants are computed in float64 and kept there beside their copies on the device, so that
``module.double()`` gives float64 constants, not float32 ones with zeros appended.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from erlangen._errors import InputError, explain

_SAME_BASIS = 1e-6
"""Bases that differ by choice differ by about 1; bases that differ by rounding, by far less."""


def full_precision(parameter: torch.Tensor) -> AbstractContextManager:
    """A context in which autocast leaves the type of constants and coefficients alone.

    Rounded to half precision, the factors of a weight would no longer be orthogonal: only the weight may be.
    """
    kind = parameter.device.type
    return nullcontext() if kind == "meta" else torch.autocast(kind, enabled=False)


class AbstractConstants(torch.nn.Module):
    """A module with constants that are exact in every floating type, and in no `state_dict`."""

    @abstractmethod
    def sources(self) -> dict[str, NDArray]:
        """The constants in NumPy, by name."""

    def register(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> None:
        """Make the constants buffers; integers stay integers."""
        dtype = dtype or torch.get_default_dtype()
        for name, source in self.sources().items():
            kind = dtype if source.dtype.kind == "f" else None
            tensor = torch.as_tensor(np.ascontiguousarray(source)).to(device=device, dtype=kind, copy=True)
            self.register_buffer(name, tensor, persistent=False)

    def _apply(self, fn, recurse: bool = True):
        # A change of type or device starts from the float64 source again; `to_empty` is filled by it too.
        super()._apply(fn, recurse)
        with torch.no_grad():
            for name, source in self.sources().items():
                self.get_buffer(name).copy_(torch.as_tensor(np.ascontiguousarray(source)))
        return self


@final
class Constants(AbstractConstants):
    """Constants for a module that has parameters of its own.

    Parameters
    ----------
    arrays : dict of ndarray
        By name.
    dtype, device
        Of those that are not integers.
    """

    def __init__(self, arrays: dict[str, NDArray], dtype=None, device=None) -> None:
        super().__init__()
        self.arrays = arrays
        self.register(dtype, device)

    def sources(self) -> dict[str, NDArray]:
        """The arrays."""
        return self.arrays


class AbstractInBasis(torch.nn.Module):
    """A module whose parameters are coordinates in a basis, which its state tells from other bases.

    A basis of a space is a choice: another version of a library may turn it, and the same coefficients would
    then silently mean another function. The state therefore holds one number for each basis vector,
    and a state of another basis is refused before anything is loaded.
    """

    marks: torch.Tensor

    def get_extra_state(self) -> torch.Tensor:
        """What tells the basis from another one of the same space."""
        return self.marks

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Nothing to restore: the basis has been compared before the parameters were loaded."""

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        there = state_dict.get(prefix + "_extra_state")
        if there is not None and not (
            there.shape == self.marks.shape
            and bool(((there.to("cpu", torch.float64) - self.marks).abs() <= _SAME_BASIS).all())
        ):
            raise _other_basis(prefix, self.marks.shape, there.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _other_basis(prefix: str, here: torch.Size, there: torch.Size) -> InputError:
    return InputError(
        explain(
            f"The coefficients of {prefix.rstrip('.') or 'this layer'} belong to another basis.",
            given=f"{tuple(there)} coefficients saved with another representation, library version or machine",
            expected=f"{tuple(here)} coefficients in the basis of this layer",
            fix="carry over dense weights: layer.to_linear() there, layer.project_(weight, bias) here",
        )
    )
