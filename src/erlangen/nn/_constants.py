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

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray

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
        """The constants in NumPy by name, each of any shape."""

    def register(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> None:
        """Make the constants buffers; integers stay integers.

        Parameters
        ----------
        dtype : torch.dtype, optional
            Of those that are not integers; torch's default type by default.
        device : torch.device or str, optional
            Where they are kept.
        """
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

    def __init__(
        self, arrays: dict[str, NDArray], dtype: torch.dtype | None = None, device: torch.device | str | None = None
    ) -> None:
        super().__init__()
        self.arrays = arrays
        self.register(dtype, device)

    def sources(self) -> dict[str, NDArray]:
        """The arrays."""
        return self.arrays


class AbstractInBasis(torch.nn.Module):
    """A module whose parameters are coordinates in a basis, which its state tells from other bases.

    A basis of a space is a choice: another version of a library may turn it, and the same coefficients would
    then silently mean another function. The state therefore holds one number for each basis vector, and a
    state of another basis is carried over or refused, before anything of this module is loaded.

    Attributes
    ----------
    marks : Tensor (r,)
        One number per basis vector, by which a state tells its basis.
    """

    marks: torch.Tensor

    def get_extra_state(self) -> torch.Tensor:
        """Return what tells the basis from another one of the same space: a tensor ``(r,)``, one number a vector."""
        return self.marks

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Nothing to restore: the basis has been compared before the parameters were loaded.

        Parameters
        ----------
        state : Tensor (r,)
            What `get_extra_state` returned.
        """

    @abstractmethod
    def portable(self) -> tuple[str, ...]:
        """Names of what a state holds beside the parameters, the same in every basis."""

    @abstractmethod
    def carried(self, stored: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
        """The parameters, by name, that give in the basis of this module the function that was stored.

        Parameters
        ----------
        stored : dict of Tensor, of any shape
            What the state holds of the names in `portable`.
        prefix : str
            Where the module is, for messages.

        Returns
        -------
        dict of Tensor, of the same shape as the parameters
            The parameters, by name.

        Raises
        ------
        InputError
            If there are no such parameters, or the state does not tell the function.
        """

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors) -> None:
        state = dict(state_dict)
        names = [name for name in self.portable() if prefix + name in state]
        missing.extend(prefix + name for name in self.portable() if name not in names)
        stored = {name: state.pop(prefix + name) for name in names}
        marks = state.get(prefix + "_extra_state")
        if marks is not None and not marks.is_meta and not self._is_of_this_basis(marks):
            state |= {prefix + name: values for name, values in self.carried(stored, prefix).items()}
        super()._load_from_state_dict(state, prefix, local_metadata, strict, missing, unexpected, errors)

    def _is_of_this_basis(self, marks: torch.Tensor) -> bool:
        if marks.shape != self.marks.shape:
            return False
        return bool((marks.to("cpu", torch.float64) - self.marks).norm() <= _SAME_BASIS * self.marks.norm())


def other_basis(prefix: str, fix: str) -> InputError:
    """The error that a state cannot be read in the basis of a module."""
    return InputError(
        explain(
            f"The coefficients of {prefix.rstrip('.') or 'this layer'} belong to another basis.",
            given="coefficients saved with another representation, or another version of the library",
            expected="coefficients in the basis of this layer",
            fix=fix,
        )
    )
