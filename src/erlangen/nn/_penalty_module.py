"""A module in training, read as a function of single points: values and derivatives that can be trained through."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from erlangen._errors import InputError, explain, nearest
from erlangen._typing import NDArray
from erlangen.nn._assembled import AbstractAssembled

FEW = 8
"""Points at which it is seen whether rows are treated alone."""

_SHORT = (torch.bfloat16, torch.float16)
"""Types that NumPy does not know, or that are cast for its sake."""


class Differentiable:
    """Values and derivatives of a module at points, recorded for the gradient of its parameters.

    The module is evaluated as it will be used (running statistics, no dropout) and is left in its mode.
    """

    like: torch.Tensor
    x: torch.Tensor
    channels: int

    def __init__(self, module: torch.nn.Module, x: NDArray) -> None:
        if not isinstance(module, torch.nn.Module):
            raise InputError(
                explain(
                    "The penalty trains a network.",
                    given=f"{type(module).__name__}: {module!r}"[:120],
                    expected="a torch.nn.Module that maps (n, d) to (n,) or (n, c)",
                    fix="er.nn.symmetry_penalty(net, action, x); er.promote(family, action) for linear families",
                )
            )
        # A compiled module holds the original, with the same parameters; compiled, it could not be trained through.
        original = getattr(module, "_orig_mod", module)
        self.module: torch.nn.Module = original if isinstance(original, torch.nn.Module) else module
        self.like = like_parameters(module)
        self.x = torch.from_numpy(np.ascontiguousarray(x)).to(self.like)
        self.channels = self._check()

    def value(self, x: torch.Tensor) -> torch.Tensor:
        """Values ``(n, c)``."""
        with evaluating(self.module):
            return self.module(x).reshape(len(x), -1)

    def jacobian(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Values ``(n, c)`` and Jacobians ``(n, c, d)``: c passes backward, or d forward at once where d < c."""
        n, d = self.x.shape
        if self.channels > d:
            unit = torch.eye(d).to(self.like)[None].expand(n, d, d)
            found = self.along(unit)
            if found is not None:
                return found
        return self._backward()

    def along(self, velocity: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Values and derivatives ``(n, c, r)`` along ``velocity (n, d, r)``, all r at once; None where that fails."""

        def call(v: torch.Tensor) -> Any:
            return torch.func.jvp(self.value, (self.x,), (v,))

        outputs: Any = (None, 2)  # values do not depend on the direction
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # a fallback to a loop is slower than passes backward
                f, moved = torch.func.vmap(call, in_dims=2, out_dims=outputs)(velocity)
        except (RuntimeError, NotImplementedError, ValueError, UserWarning):
            return None
        return f, moved

    def _backward(self) -> tuple[torch.Tensor, torch.Tensor]:
        record = torch.is_grad_enabled()
        with torch.enable_grad():
            x = self.x.clone().requires_grad_()
            f = self.value(x)
            # Rows do not see each other: one pass of a column serves all points.
            rows = [
                torch.autograd.grad(column.sum(), x, create_graph=record, retain_graph=True, materialize_grads=True)[0]
                for column in f.unbind(1)
            ]
        jacobian = torch.stack(rows, dim=1)
        return (f, jacobian) if record else (f.detach(), jacobian.detach())

    def _check(self) -> int:
        """Number of channels c of a module that treats each row alone and depends on it."""
        few = self.x[:FEW]
        try:
            with torch.enable_grad(), evaluating(self.module):
                x = few.clone().requires_grad_()
                y = self.module(x)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            raise self._unfit(said[:200]) from error
        if not isinstance(y, torch.Tensor) or y.ndim not in (1, 2) or len(y) != len(few) or not y.is_floating_point():
            shape = f"{tuple(y.shape)} of {y.dtype}" if isinstance(y, torch.Tensor) else type(y).__name__
            raise self._unfit(shape)
        with torch.enable_grad():
            slope = torch.autograd.grad(y.sum(), x, allow_unused=True)[0] if y.requires_grad else None
        if slope is None:
            raise InputError(
                explain(
                    "The values of this module do not depend on its input.",
                    given=f"{type(self.module).__name__}: no derivative reaches x",
                    expected="operations that autograd can follow from x to the values",
                    fix="remove .detach(), .item(), .numpy() or torch.no_grad() from forward",
                )
            )
        with torch.no_grad():
            self._check_alone(few, y.detach().reshape(len(few), -1))
        return y.reshape(len(few), -1).shape[1]

    def _check_alone(self, x: torch.Tensor, together: torch.Tensor) -> None:
        alone = torch.cat([self.value(row) for row in x.split(1)]) if len(x) > 1 else together
        size = together.abs().max()
        apart = (together - alone).abs().max()
        if apart > torch.finfo(together.dtype).eps ** 0.5 * size:
            raise InputError(
                explain(
                    "The values at one point depend on which other points are in the batch.",
                    given=f"{type(self.module).__name__} in evaluation mode",
                    expected="a function of one point at a time, the same in every call",
                    fix="remove layers that mix rows (batch statistics, attention across the batch) or draw numbers",
                )
            )

    def _unfit(self, said: str) -> InputError:
        return InputError(
            explain(
                "The module does not map points to values.",
                given=f"{type(self.module).__name__} on an input of shape {tuple(self.x[:FEW].shape)}: {said}",
                expected="(n, d) -> (n,) or (n, c), real",
                fix="wrap it in a torch.nn.Module whose forward takes (n, d)",
            )
        )


@contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Let each part act as in evaluation, and put its mode back.

    Only the mark is moved: ``eval()`` would make assembled weights anew, and these are the same in both modes.
    Attention is spelt out: its fused kernels have a first derivative only, and the price takes one more.
    """
    training = [part for part in module.modules() if part.training and not isinstance(part, AbstractAssembled)]
    fused = torch.backends.mha.get_fastpath_enabled()
    for part in training:
        part.training = False
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for part in training:
            part.training = True


def like_parameters(module: torch.nn.Module) -> torch.Tensor:
    """A tensor of the type and on the device of the parameters; float64 on the host where there are none."""
    like = next((t for t in module.parameters() if t.is_floating_point()), None)
    return torch.zeros((), dtype=torch.float64) if like is None else like.detach()


def fits(like: torch.Tensor, module: torch.nn.Module) -> bool:
    """Whether a module is still of the type and on the device that it had."""
    now = like_parameters(module)
    return now.dtype == like.dtype and now.device == like.device


def as_points(x: Any) -> NDArray:
    """Points ``(n, d)`` in float64, from a tensor or an array.

    Raises
    ------
    InputError
        If they are no finite table with at least one row.
    """
    try:
        tensor = isinstance(x, torch.Tensor)
        points = np.asarray((x.float() if x.dtype in _SHORT else x).detach().cpu() if tensor else x)
        points = points if np.iscomplexobj(points) else points.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            explain(
                "The points are no numbers.",
                given=f"{type(x).__name__}: {error}"[:160],
                expected="real numbers of shape (n, d)",
                fix="torch.as_tensor(x, dtype=torch.float64)",
            )
        ) from error
    if np.iscomplexobj(points):
        raise InputError(
            explain(
                "The points are complex.",
                given=f"{points.dtype} of shape {points.shape}",
                expected="real numbers of shape (n, d)",
                fix="torch.view_as_real(x).flatten(1)",
            )
        )
    if points.ndim > 2:
        shape = points.shape[1:]
        raise InputError(
            explain(
                "The penalty is measured at points, one in a row.",
                given=f"an array of shape {points.shape}",
                expected=f"shape (n, d): an image or a field of shape {shape} is a point with {np.prod(shape)} "
                "coordinates",
                fix=f"x.flatten(1), torch.nn.Sequential(torch.nn.Unflatten(1, {shape}), net), and an action that moves "
                "values on the grid: er.actions.on_grid(er.actions.euclidean(2), er.actions.FunctionGrid(...))",
            )
        )
    if points.ndim != 2 or 0 in points.shape:
        raise InputError(
            explain(
                "The penalty is measured at points.",
                given=f"an array of shape {points.shape}",
                expected="shape (n, d) with at least one point",
                fix="x[:, None] for n points on a line",
            )
        )
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        raise InputError(
            explain(
                "Some points are not finite.",
                given=f"{int(bad.sum())} of {len(points)} rows with NaN or infinity, first row {int(np.argmax(bad))}",
                expected="finite numbers",
                fix="x[torch.isfinite(x).all(dim=1)]",
            )
        )
    return points


def check_dim(x: NDArray, dim: int) -> None:
    """Check the number of coordinates.

    Raises
    ------
    InputError
        If points and action differ.
    """
    if x.shape[1] != dim:
        raise InputError(
            explain(
                "The points do not fit the action.",
                given=f"points of shape {x.shape}, an action on R^{dim}",
                expected=f"shape (n, {dim})",
                fix=f"points with {dim} coordinates, or an action on R^{x.shape[1]}",
            )
        )


def one_of(what: str, given: Any, known: tuple[str, ...]) -> str:
    """Check a word, and answer a misspelt one with the nearest.

    Raises
    ------
    InputError
        If it is none of those known.
    """
    if isinstance(given, str) and given in known:
        return given
    close = nearest(given, known) if isinstance(given, str) else None
    raise InputError(
        explain(
            f"There is no such {what}.",
            given=f"{what}={given!r}",
            expected=", ".join(known),
            fix=f"{what}={close or known[0]!r}",
        )
    )
