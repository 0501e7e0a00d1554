"""PyTorch modules as fields: a float64 copy in evaluation mode, differentiated automatically."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.fields._base import EXACT, AbstractField
from erlangen.fields._probes import same_again
from erlangen.fields.as_field import Request, finish, register
from erlangen.testing._torch import copied

CHUNK = 8192
"""Points that pass through the module together; hidden layers of all points at once would fill the memory."""

SINGLE = 1e-6
"""Relative error of a derivative computed in float32: ten times its rounding."""


@dataclass(frozen=True, eq=False)
class ModuleField(AbstractField):
    """Values and automatic derivatives of a module that treats each row of its input alone.

    A network with kinks (ReLU) is differentiable at almost all points; whether it keeps a symmetry across its
    kinks is seen by moving points for a finite time. Build one with `as_field`.

    Parameters
    ----------
    module : torch.nn.Module
        A copy in evaluation mode that nobody else holds.
    dtype : torch.dtype
        The type in which it is evaluated.
    dim : int
        Number d of coordinates.
    channels : int
        Number c of value channels.
    stated : float, optional
        Relative error of the derivative where the caller knows it.
    device : torch.device
        Where it is evaluated; points go there and values come back.
    """

    module: torch.nn.Module
    dtype: torch.dtype
    dim: int
    channels: int
    stated: float | None = None
    device: torch.device = torch.device("cpu")

    @property
    def point_dim(self) -> int:
        """Number d of coordinates."""
        return self.dim

    @property
    def value_dim(self) -> int:
        """Number c of value channels."""
        return self.channels

    @property
    def accuracy(self) -> float:
        """Relative error of the derivative: rounding of the type of the copy."""
        own = EXACT if self.dtype == torch.float64 else SINGLE
        return own if self.stated is None else self.stated

    @property
    def kind(self) -> str:
        """Plain values."""
        return "invariant"

    def value(self, x: NDArray) -> NDArray:
        """Values ``(n, c)``."""
        with torch.no_grad():
            parts = [_rows(self.module, self._tensor(x[i : i + CHUNK])) for i in range(0, len(x), CHUNK)]
        return np.concatenate([p.to("cpu", torch.float64).numpy() for p in parts])

    def jacobian(self, x: NDArray) -> NDArray:
        """Jacobians ``(n, c, d)``: c passes backward, or d passes forward where there are fewer coordinates."""
        out = np.empty((len(x), self.channels, self.dim))
        rule = _backward if self.channels <= self.dim else _forward
        for i in track(range(0, len(x), CHUNK), "derivatives of the module"):
            out[i : i + CHUNK] = rule(self.module, self._tensor(x[i : i + CHUNK]), self.channels).cpu().numpy()
        return out

    def _tensor(self, x: NDArray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64)).to(self.dtype).to(self.device)


def _rows(module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    return module(x).reshape(len(x), -1)


def _backward(module: torch.nn.Module, x: torch.Tensor, channels: int) -> torch.Tensor:
    # Rows do not see each other, so one backward pass of a column serves all the points of the chunk.
    y, pull, *_ = torch.func.vjp(lambda z: _rows(module, z), x)
    columns = []
    for c in range(channels):
        seed = torch.zeros_like(y)
        seed[:, c] = 1.0
        columns.append(pull(seed, retain_graph=c + 1 < channels)[0])
    return torch.stack(columns, dim=1).detach()


def _forward(module: torch.nn.Module, x: torch.Tensor, channels: int) -> torch.Tensor:
    columns = []
    for j in range(x.shape[1]):
        seed = torch.zeros_like(x)
        seed[:, j] = 1.0
        columns.append(torch.func.jvp(lambda z: _rows(module, z), (x,), (seed,))[1])
    return torch.stack(columns, dim=2).detach()


def module_field(module: torch.nn.Module, request: Request) -> AbstractField:
    """Turn a module that maps ``(n, d)`` to ``(n,)`` or ``(n, c)`` into a field; the module is left as it is.

    Raises
    ------
    InputError
        Where the number of inputs is unknown, the module cannot be copied or evaluated, mixes rows, or is random.
    """
    d = request.dim or _inputs(module)
    if d is None:
        raise InputError(
            explain(
                "The module does not say how many coordinates it takes.",
                given=type(module).__name__,
                expected="a first torch.nn.Linear layer, or dim=d",
                fix="as_field(module, dim=3)",
            )
        )
    if isinstance(module, torch.jit.ScriptModule):
        raise InputError(
            explain(
                "A scripted module cannot be copied to float64 and differentiated.",
                given=type(module).__name__,
                expected="the torch.nn.Module that was scripted",
                fix="as_field(module) with the module before torch.jit.script",
            )
        )
    probes = request.probes(d)
    device = _device(module, request.device)
    twin = copied(module).to(device)
    double = _try(twin, probes, torch.float64)
    dtype = torch.float64
    if not isinstance(double, torch.Tensor) or double.dtype != torch.float64:
        dtype, twin = torch.float32, copied(module).to(device)
    y = _try(twin, probes, dtype)
    if not isinstance(y, torch.Tensor) or y.ndim not in (1, 2) or len(y) != len(probes) or not y.is_floating_point():
        raise InputError(_unfit(module, probes, y))
    field = ModuleField(twin, dtype, d, y.reshape(len(y), -1).shape[1], request.accuracy, device)
    slope = _attempt(lambda: field.jacobian(probes))
    if isinstance(slope, Exception):
        raise InputError(_no_derivative(module, slope))
    same_again(field.value(probes), field.value(probes))
    _rows_alone(field, probes)
    return finish(field, request)


def _inputs(module: torch.nn.Module) -> int | None:
    """Width of the first layer that states one."""
    for part in module.modules():
        width = getattr(part, "in_features", None)
        if isinstance(width, int) and width > 0:
            return width
    return None


def _attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # what the user's module raises is reported in words
        return error


def _try(module: torch.nn.Module, probes: NDArray, dtype: torch.dtype) -> Any:
    device = next((p.device for p in module.parameters()), None)
    with torch.no_grad():  # in this order: a device without float64 must not be asked to hold it
        return _attempt(lambda: module.to(dtype)(torch.from_numpy(np.ascontiguousarray(probes)).to(dtype).to(device)))


def _device(module: torch.nn.Module, wanted: Any) -> torch.device:
    """The device that was asked for, by default the one that the module is on."""
    if wanted is None:
        return next((p.device for p in module.parameters()), torch.device("cpu"))
    try:
        torch.empty(1, device=wanted)
        return torch.device(wanted)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        what, fix = "This machine does not have that device.", 'device="cpu"; `erlangen doctor` lists what there is'
        given = f"device={wanted!r}: {str(error).splitlines()[0][:120]}"
        raise InputError(explain(what, given=given, expected="cpu, cuda, cuda:1, mps ...", fix=fix)) from None


def _rows_alone(field: ModuleField, probes: NDArray) -> None:
    together, alone = field.value(probes), field.value(probes[::2])
    size = max(1e-300, float(np.nanmax(np.abs(together))))
    if not np.nanmax(np.abs(together[::2] - alone)) <= np.sqrt(max(field.accuracy, EXACT)) * size:
        raise InputError(
            explain(
                "The values at one point depend on which other points are in the batch.",
                given=f"{type(field.module).__name__} in evaluation mode",
                expected="a function of one point at a time",
                fix="remove layers that mix the rows (batch statistics, attention across the batch)",
            )
        )


def _no_derivative(module: torch.nn.Module, error: Exception) -> str:
    return explain(
        "The module cannot be differentiated.",
        given=f"{type(module).__name__}: {type(error).__name__}: {str(error)[:160]}",
        expected="operations that torch.func.vjp and torch.func.jvp can follow",
        fix="as_field(lambda x: net(torch.tensor(x)).detach().numpy(), dim=d) uses differences instead",
    )


def _unfit(module: torch.nn.Module, probes: NDArray, y: Any) -> str:
    said = (
        f"{type(y).__name__}: {str(y)[:160]}" if not isinstance(y, torch.Tensor) else f"{tuple(y.shape)} of {y.dtype}"
    )
    return explain(
        "The module does not map points to values.",
        given=f"{type(module).__name__} on an input of shape {probes.shape}: {said}",
        expected="(n, d) -> (n,) or (n, c), real",
        fix="wrap it in a torch.nn.Module whose forward takes (n, d)",
    )


@register
def _(obj: torch.nn.Module, request: Request) -> AbstractField:
    return module_field(obj, request)
