"""Torch modules under test: a float64 copy, its derivatives, its layers and their rounding."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.testing._evaluate import norms

SHAKE = 2.0**-40
"""Relative change at which sensitivities are measured: thousands of times rounding, and still small."""

_TYPES = {torch.float16: "float16", torch.bfloat16: "bfloat16", torch.float32: "float32", torch.float64: "float64"}


@dataclass(frozen=True, eq=False)
class ModuleUnderTest:
    """A copy of a module in evaluation mode, evaluated in one type.

    Attributes
    ----------
    module : torch.nn.Module
        The copy.
    dtype : torch.dtype
        The type of its inputs.
    """

    module: torch.nn.Module
    dtype: torch.dtype

    def value(self, x: NDArray) -> NDArray:
        """Values in float64."""
        with torch.no_grad():
            return _tensor(self.module(self._input(x))).to(torch.float64).numpy()

    def push(self, x: NDArray, v: NDArray) -> NDArray:
        """Derivative along ``v``, of the shape of the values."""
        point, along = self._input(x), self._input(v)
        call = lambda z: _tensor(self.module(z))  # noqa: E731
        try:
            out = torch.func.jvp(call, (point,), (along,))[1]
        except (RuntimeError, NotImplementedError):  # operations without a forward derivative: twice backwards
            out = torch.autograd.functional.jvp(call, (point,), (along,))[1]
        return _tensor(out).detach().to(torch.float64).numpy()

    def doubt(self, x: NDArray, v: NDArray) -> NDArray:
        """None: derivatives are exact."""
        return np.zeros(len(x))

    def _input(self, x: NDArray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(x)).to(self.dtype)


def under_test(module: torch.nn.Module, dtype: torch.dtype | None = None) -> ModuleUnderTest:
    """Copy a module, in its own type or in another."""
    dtype = dtype or own_dtype(module)
    return ModuleUnderTest(copied(module).to(dtype), dtype)


def copied(module: torch.nn.Module) -> torch.nn.Module:
    """Copy a module to evaluate it: on the CPU, in evaluation mode, without gradients of its parameters."""
    try:
        twin = copy.deepcopy(module)
    except Exception as error:  # hooks, handles and non-leaf tensors fail in many ways
        raise InputError(
            explain(
                "The module cannot be copied, and the original is never changed.",
                given=f"{type(module).__name__}: {type(error).__name__}: {error}",
                expected="a module that copy.deepcopy accepts",
                fix="load its state_dict into a new module of the same class",
            )
        ) from error
    return twin.to("cpu").eval().requires_grad_(False)


def own_dtype(module: torch.nn.Module) -> torch.dtype:
    """The coarsest type among parameters and buffers; float64 where there are none."""
    types = {t.dtype for t in (*module.parameters(), *module.buffers()) if t.is_floating_point()}
    return max(types, key=lambda t: torch.finfo(t).eps, default=torch.float64)


def type_name(dtype: torch.dtype) -> str:
    """Name of a type without its package."""
    return _TYPES.get(dtype, str(dtype).removeprefix("torch."))


def eps_of(dtype: torch.dtype) -> float:
    """Rounding unit of a type."""
    return float(torch.finfo(dtype).eps)


def widths(module: torch.nn.Module) -> list[int]:
    """How many numbers each layer sums: one entry per module that has weights of its own or no children."""
    out = []
    for part in module.modules():
        own = [p for p in (*part.parameters(recurse=False), *part.buffers(recurse=False)) if p.is_floating_point()]
        if not own and next(part.children(), None) is not None:
            continue
        stated = getattr(getattr(part, "rep_in", None), "size", None) or getattr(part, "in_features", None)
        summed = max((int(np.prod(p.shape[1:])) for p in own), default=1)
        out.append(max(stated if isinstance(stated, int) else 1, summed, 1))
    return out


def rounded(tested: ModuleUnderTest, own: torch.dtype, rng: np.random.Generator, count: int) -> Iterator[None]:
    """Change the numbers of a float64 copy by up to a unit in the last place of ``own``; undone at the end.

    Rounding alone changes half a unit; a weight that was computed in that type is seldom known to more than one.
    Numbers that say more than the type can (constants kept in float64) and numbers of half of its digits at most
    (zeros, ones, whole numbers) were not rounded.
    """
    yield from _shaken(tested, lambda values: _rounding_unit(values, own), rng, count)


def sensitivity(tested: ModuleUnderTest, x: NDArray, size: NDArray, rng: np.random.Generator) -> float:
    """Relative change of the values where every number, also of the points, changes by at most 1 in the last place.

    In units of that place; measured with larger changes, which rounding does not blur.
    """
    before = tested.value(x)
    change = 0.0
    for _ in _shaken(tested, lambda values: values.abs() * SHAKE, rng, 2):
        y = x * (1 + SHAKE * rng.uniform(-1.0, 1.0, x.shape))
        change = max(change, float((norms(tested.value(y) - before) / np.where(size > 0, size, np.inf)).max()))
    return change / SHAKE if np.isfinite(change) else 0.0


Unit = Callable[[torch.Tensor], torch.Tensor]


def _shaken(tested: ModuleUnderTest, unit: Unit, rng: np.random.Generator, count: int) -> Iterator[None]:
    tensors = [t for t in (*tested.module.parameters(), *tested.module.buffers()) if t.dtype == torch.float64]
    kept = [(t.clone(), unit(t)) for t in tensors]
    try:
        for _ in range(count):
            with torch.no_grad():
                for tensor, (before, reach) in zip(tensors, kept, strict=True):
                    noise = torch.from_numpy(rng.uniform(-1.0, 1.0, tuple(before.shape)))
                    tensor.copy_(before + noise * reach)
            yield
    finally:
        with torch.no_grad():
            for tensor, (before, _) in zip(tensors, kept, strict=True):
                tensor.copy_(before)


def _rounding_unit(values: torch.Tensor, own: torch.dtype) -> torch.Tensor:
    """Distance of neighbouring numbers of a type; zero where a number was not rounded to it."""
    eps = eps_of(own)
    fraction, exponent = torch.frexp(values)
    few = fraction * 2.0 ** (1 + round(-np.log2(eps)) // 2)
    exact = (values.to(own).to(values.dtype) != values) | (few == few.round()) | ~torch.isfinite(values)
    return torch.where(exact, 0.0, torch.ldexp(torch.full_like(values, eps), exponent - 1))


@dataclass(frozen=True, eq=False)
class Layer:
    """A part of a module whose representations are known, with what reached it.

    Attributes
    ----------
    name : str
        Its name in the module, and its class.
    module : torch.nn.Module
        The part.
    inputs : ndarray
        What it was given when the whole module saw the test points.
    rep_in, rep_out : object
        Its representations.
    """

    name: str
    module: torch.nn.Module
    inputs: NDArray
    rep_in: Any
    rep_out: Any


def layers(whole: ModuleUnderTest, x: NDArray, rep_in: Any) -> list[Layer]:
    """Parts in the order in which they finish, inner ones first.

    A part says its representations as ``rep_in`` and ``rep_out``. Inside a ``torch.nn.Sequential`` a part that
    keeps the shape and says nothing must commute with the representation that reaches it.
    """
    known = dict(_known(whole.module, rep_in))
    seen: list[Layer] = []

    def record(name: str, part: torch.nn.Module) -> Callable[..., None]:
        def hook(_module: Any, given: tuple[Any, ...], out: Any) -> None:
            if not given or not isinstance(given[0], torch.Tensor) or not isinstance(out, torch.Tensor):
                return
            before, after = known[name]
            if after is None:
                if out.shape != given[0].shape:
                    return
                after = before
            called = f"{name} ({type(part).__name__})"
            seen.append(Layer(called, part, given[0].detach().to(torch.float64).numpy(), before, after))

        return hook

    parts = dict(whole.module.named_modules())
    handles = [parts[name].register_forward_hook(record(name, parts[name])) for name in known]
    try:
        whole.value(x)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _known(module: torch.nn.Module, rep_in: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Name and representations of each part that says them, or follows one that does."""
    for name, part in module.named_modules():
        if name and _says(part):
            yield name, (part.rep_in, part.rep_out)
        if isinstance(part, torch.nn.Sequential):
            running = rep_in if not name else None
            for key, child in part.named_children():
                if _says(child):
                    running = child.rep_out
                elif running is not None and next(child.parameters(), None) is None:
                    yield (f"{name}.{key}" if name else key), (running, None)
                else:
                    running = None


def _says(part: torch.nn.Module) -> bool:
    return all(hasattr(getattr(part, side, None), "group_matrix") for side in ("rep_in", "rep_out"))


def _tensor(out: Any) -> torch.Tensor:
    if isinstance(out, torch.Tensor):
        return out
    raise InputError(
        explain(
            "The module does not return one array.",
            given=f"{type(out).__name__}",
            expected="a torch.Tensor (n, ...)",
            fix="wrap it in a module that returns the output to be tested",
        )
    )
