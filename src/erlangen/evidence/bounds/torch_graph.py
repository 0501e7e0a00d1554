"""PyTorch modules as tapes: traced by torch.fx, read by their weights in float64."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, final

import numpy as np
import torch
import torch.fx
from torch.fx.node import map_arg

from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.evidence.bounds import elementary as el
from erlangen.evidence.bounds.formula_graph import Build, unsupported
from erlangen.evidence.bounds.graph import Tape


@final
@dataclass(frozen=True)
class Rows:
    """A tensor of shape ``(n, k)``, one row a point; ``(n,)`` where it is flat."""

    step: int
    flat: bool = False


def module_steps(module: torch.nn.Module) -> Build:
    """Read a module that maps ``(n, d)`` to ``(n, c)`` or ``(n,)`` and treats each row alone.

    Weights are converted to float64, which is exact. The copy is in evaluation mode: dropout does nothing, batch
    normalisation is affine. The function is the mathematical one: softplus is log(1 + exp(x)) everywhere, which torch
    itself replaces by x beyond its threshold (2e-9 away at 20).

    Parameters
    ----------
    module : torch.nn.Module
        Sequential, or anything that torch.fx can trace, of the layers and functions below.
    """
    twin = copy.deepcopy(module).to("cpu", torch.float64).eval()
    tracer = _Tracer()
    try:
        graph = tracer.trace(twin)
    except Exception as error:
        raise InputError(
            explain(
                "The module could not be traced.",
                given=f"{type(module).__name__}: {type(error).__name__}: {str(error)[:100]}",
                expected="a forward without branches on values, of layers and arithmetic",
                fix="torch.nn.Sequential(...) of the layers",
            )
        ) from error
    return lambda tape, x: _run(tape, twin, graph, x)


@final
class _Tracer(torch.fx.Tracer):
    """Layers that are known by name are not traced into; everything else is."""

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return type(m).__name__ in LAYERS or type(m).__module__.startswith("torch.nn.") and not _holds(m)


def _holds(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.Sequential)


def _run(tape: Tape, module: torch.nn.Module, graph: torch.fx.Graph, x: int) -> int:
    values: dict[Any, Any] = {}
    layers = dict(module.named_modules())

    def read(argument: Any) -> Any:
        return map_arg(argument, lambda node: values[node])

    inputs = 0
    for node in graph.nodes:
        arguments, named = read(node.args), read(dict(node.kwargs))
        if node.op == "placeholder":
            inputs += 1
            if inputs > 1:
                raise InputError(unsupported("a module with more than one input"))
            values[node] = Rows(x)
        elif node.op == "get_attr":
            values[node] = _numbers(reduce(getattr, str(node.target).split("."), module))
        elif node.op == "call_module":
            values[node] = _layer(tape, layers[str(node.target)], str(node.target), arguments)
        elif node.op == "output":
            return _result(arguments[0])
        else:
            name = node.target if isinstance(node.target, str) else node.target.__name__
            values[node] = _called(tape, name.strip("_"), arguments, named, str(node))
    raise InputError(unsupported("a module without an output"))


def _result(value: Any) -> int:
    if not isinstance(value, Rows):
        raise InputError(unsupported("a module whose output does not depend on the point, or is not one tensor"))
    return value.step


def _numbers(tensor: torch.Tensor) -> NDArray:
    numbers = tensor.detach().to("cpu", torch.float64).numpy()
    if not np.isfinite(numbers).all():
        raise InputError(unsupported("weights that are not finite"))
    return numbers


# --- layers


def _linear(tape: Tape, m: Any, a: int) -> int:
    return tape.linear([(a, _numbers(m.weight))], None if m.bias is None else _numbers(m.bias), m.out_features)


def _batch_norm(tape: Tape, m: Any, a: int) -> int:
    scale = 1.0 / np.sqrt(_numbers(m.running_var) + m.eps)
    scale = scale * (_numbers(m.weight) if m.affine else 1.0)
    shift = (_numbers(m.bias) if m.affine else 0.0) - _numbers(m.running_mean) * scale
    return tape.linear([(a, np.diag(scale))], shift)


def _plain(name: str) -> Callable[[Tape, Any, int], int]:
    return lambda tape, m, a: el.FUNCTIONS[name](tape, a)


LAYERS: dict[str, Callable[[Tape, Any, int], int]] = {
    "Linear": _linear,
    "BatchNorm1d": _batch_norm,
    "Tanh": _plain("tanh"),
    "Sigmoid": _plain("sigmoid"),
    "ReLU": _plain("relu"),
    "ReLU6": _plain("relu6"),
    "SiLU": _plain("silu"),
    "Mish": _plain("mish"),
    "Softsign": _plain("softsign"),
    "Tanhshrink": _plain("tanhshrink"),
    "LogSigmoid": _plain("logsigmoid"),
    "GELU": lambda tape, m, a: el.gelu_tanh(tape, a) if m.approximate == "tanh" else el.FUNCTIONS["gelu"](tape, a),
    "Softplus": lambda tape, m, a: el.softplus(tape, a, float(m.beta)),
    "LeakyReLU": lambda tape, m, a: el.leaky(tape, a, float(m.negative_slope)),
    "ELU": lambda tape, m, a: el.elu(tape, a, float(m.alpha)),
    "Hardtanh": lambda tape, m, a: el.clipped(tape, a, float(m.min_val), float(m.max_val)),
    "Identity": lambda tape, m, a: a,
    "Dropout": lambda tape, m, a: a,
    "Flatten": lambda tape, m, a: a,
}
"""Layers by the name of their class."""


def _layer(tape: Tape, layer: torch.nn.Module, name: str, arguments: Sequence[Any]) -> Rows:
    kind = type(layer).__name__
    if kind not in LAYERS or len(arguments) != 1 or not isinstance(arguments[0], Rows):
        raise InputError(unsupported(f"the layer {name!r}, a {kind}"))
    if kind == "Linear" and arguments[0].flat:
        raise InputError(unsupported(f"the layer {name!r} on a tensor of shape (n,): write x[:, None]"))
    if kind == "BatchNorm1d" and layer.running_var is None:
        raise InputError(unsupported(f"the layer {name!r}: batch statistics make rows see each other"))
    return Rows(LAYERS[kind](tape, layer, arguments[0].step), arguments[0].flat)


# --- functions and methods


def _called(tape: Tape, name: str, arguments: Sequence[Any], named: dict[str, Any], where: str) -> Any:
    first = arguments[0] if arguments else None
    if name in ("cat", "concat", "concatenate"):
        parts = list(first)  # pyright: ignore[reportArgumentType]
        dim = named.get("dim", named.get("axis", arguments[1] if len(arguments) > 1 else 0))
        if dim in (1, -1) and all(isinstance(p, Rows) and not p.flat for p in parts):
            return Rows(tape.joined([p.step for p in parts]))
        raise InputError(unsupported(f"{where}: concatenation of rows"))
    if not any(isinstance(a, Rows) for a in arguments):
        return _on_numbers(name, arguments, named, where)
    if name in ARITHMETIC and len(arguments) == 2 and not named:
        return _arithmetic(tape, name, arguments[0], arguments[1], where)
    if isinstance(first, Rows):
        if name == "getitem":
            return _picked(tape, first, arguments[1], where)
        if name in SHAPES:
            return _reshaped(name, first, [*arguments[1:], *named.values()], where)
        if name in ("sum", "mean", "norm"):
            return _reduced(tape, name, first, list(arguments[1:]), dict(named), where)
        return _function(tape, name, first, list(arguments[1:]), dict(named), where)
    raise InputError(unsupported(f"{where}: the function {name}"))


def _on_numbers(name: str, arguments: Sequence[Any], named: dict[str, Any], where: str) -> Any:
    found = getattr(operator, name, None)
    if found is None or named or not all(isinstance(a, np.ndarray | float | int) for a in arguments):
        raise InputError(unsupported(f"{where}: the function {name} of numbers"))
    return found(*arguments)


def _function(tape: Tape, name: str, a: Rows, rest: list[Any], named: dict[str, Any], where: str) -> Rows:
    named.pop("inplace", None)
    if name == "linear":
        weight, bias = [*rest, *named.values(), None][:2]
        return Rows(tape.linear([(a.step, weight)], bias, len(weight)))
    if name == "matmul" and len(rest) == 1 and isinstance(rest[0], np.ndarray) and rest[0].ndim == 2:
        return Rows(tape.linear([(a.step, rest[0].T)]))
    if name == "pow" and len(rest) == 1 and isinstance(rest[0], int | float):
        return Rows(el.power(tape, a.step, float(rest[0])), a.flat)
    if name == "gelu" and named == {"approximate": "tanh"}:
        return Rows(el.gelu_tanh(tape, a.step), a.flat)
    if name in ("dropout", "contiguous", "double", "float"):
        return a
    name = {"arctan": "atan", "absolute": "abs", "negative": "neg"}.get(name, name)
    if name not in el.FUNCTIONS or rest or any(value not in (None, "none", 1, 20) for value in named.values()):
        raise InputError(unsupported(f"{where}: the function {name} with {rest + sorted(named)}"))
    return Rows(el.FUNCTIONS[name](tape, a.step), a.flat)


ARITHMETIC: dict[str, Callable[[Tape, int, int], int]] = {
    "add": lambda tape, a, b: tape.plus(a, b),
    "sub": lambda tape, a, b: tape.plus(a, b, -1.0),
    "rsub": lambda tape, a, b: tape.plus(b, a, -1.0),
    "mul": el.times,
    "multiply": el.times,
    "truediv": el.over,
    "div": el.over,
    "maximum": el.largest,
    "minimum": el.smallest,
}
for _name in ("add", "sub", "mul", "truediv"):
    ARITHMETIC["i" + _name] = ARITHMETIC[_name]


def _arithmetic(tape: Tape, name: str, a: Any, b: Any, where: str) -> Rows:
    rows = [part for part in (a, b) if isinstance(part, Rows)]
    flat = rows[0].flat
    width = max(tape.widths[r.step] for r in rows)
    if any(r.flat != flat for r in rows):
        raise InputError(unsupported(f"{where}: shapes (n,) and (n, k) together; write y[:, None]"))
    for part in (a, b):
        if not isinstance(part, Rows):
            numbers = np.asarray(part, dtype=np.float64)
            if numbers.ndim > 1 and numbers.shape[0] != 1 or flat and numbers.size != 1:
                raise InputError(unsupported(f"{where}: numbers of shape {numbers.shape} beside one row a point"))
            width = max(width, numbers.size)
    return Rows(ARITHMETIC[name](tape, _wide(tape, a, width), _wide(tape, b, width)), flat)


def _wide(tape: Tape, part: Any, width: int) -> int:
    if not isinstance(part, Rows):
        return tape.constant(np.broadcast_to(np.asarray(part, dtype=np.float64).ravel(), (width,)))
    return part.step if tape.widths[part.step] == width else tape.rows(part.step, [0] * width)


SHAPES = ("unsqueeze", "squeeze", "flatten")


def _reshaped(name: str, a: Rows, rest: list[Any], where: str) -> Rows:
    if name == "unsqueeze" and a.flat and rest[0] in (1, -1):
        return Rows(a.step)
    if name == "squeeze" and not a.flat and rest and rest[0] in (1, -1):
        return Rows(a.step, True)
    if name == "flatten" and not a.flat and rest and rest[0] == 1:
        return a
    raise InputError(unsupported(f"{where}: {name} with {rest}"))


def _picked(tape: Tape, a: Rows, index: Any, where: str) -> Rows:
    index = index if isinstance(index, tuple) else (index,)
    rest = index[1:] if index[0] in (slice(None), Ellipsis) else None
    if rest is None or len(rest) != 1:
        raise InputError(unsupported(f"{where}: the index {index}"))
    if a.flat and rest[0] is None:
        return Rows(a.step)
    columns = range(tape.widths[a.step])
    if a.flat or rest[0] is None or not isinstance(rest[0], int | slice | list):
        raise InputError(unsupported(f"{where}: the index {index}"))
    picked = [columns[j] for j in rest[0]] if isinstance(rest[0], list) else columns[rest[0]]
    single = isinstance(picked, int)
    return Rows(tape.rows(a.step, [picked] if single else list(picked)), single)


def _reduced(tape: Tape, name: str, a: Rows, rest: list[Any], named: dict[str, Any], where: str) -> Rows:
    if name == "norm" and rest and rest[0] == 2:
        rest = rest[1:]
    dim = named.pop("dim", rest.pop(0) if rest else None)
    keep = named.pop("keepdim", rest.pop(0) if rest else False)
    dim = dim[0] if isinstance(dim, tuple | list) and len(dim) == 1 else dim
    if a.flat or dim not in (1, -1) or rest or any(value not in (None, 2) for value in named.values()):
        raise InputError(unsupported(f"{where}: {name} over anything but the columns, dim=-1"))
    step = tape.total(el.power(tape, a.step, 2.0) if name == "norm" else a.step)
    if name == "mean":
        step = el.over(tape, step, tape.constant([float(tape.widths[a.step])]))
    return Rows(el.power(tape, step, 0.5) if name == "norm" else step, not keep)
