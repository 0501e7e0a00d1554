"""How the generators and elements of a group move the inputs and the outputs of a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from erlangen import _render
from erlangen._errors import InputError, explain
from erlangen._typing import NDArray
from erlangen.actions import AbstractAction
from erlangen.algebra import Group, Representation, rep
from erlangen.derivative import move

Carry = Callable[[NDArray], NDArray]

_SHORT = 6
"""Most entries of a generator that is still written out as a vector field."""


@dataclass(frozen=True, eq=False)
class Move:
    """What one generator, or one element, does to inputs and outputs.

    Attributes
    ----------
    name : str
        What messages call it.
    infinitesimal : bool
        Whether ``inputs`` gives velocities; otherwise it gives the moved points.
    inputs : callable
        ``x (n, ...)`` to velocities, or to moved points, of the same shape.
    outputs : callable
        ``(x, f)`` to the velocities, or the moved values, that equivariance demands.
    """

    name: str
    infinitesimal: bool
    inputs: Carry
    outputs: Callable[[NDArray, NDArray], NDArray]


def representation(given: Any, group: Group) -> Any:
    """Read a representation: a text in the letters of `erlangen.rep`, or whatever acts already."""
    if isinstance(given, str):
        return rep(given, group)
    if isinstance(given, Representation) or given is None or hasattr(given, "act"):
        return given
    raise InputError(
        explain(
            "This is not a representation.",
            given=f"{type(given).__name__}: {given!r}"[:120],
            expected=f'a text such as "V", a Representation of {group.name}, or an object with act(g, x)',
            fix=f'rep_in=er.rep("2V + S", {group.name})',
        )
    )


def flat_axes(shape: tuple[int, ...], size: int) -> int | None:
    """First axis (after the batch) from which on the axes together have ``size`` entries; None where none does."""
    length = 1
    for axis in range(len(shape) - 1, 0, -1):
        length *= shape[axis]
        if length == size:
            return axis
    return None


def act_by(matrix: NDArray, x: NDArray) -> NDArray:
    """Apply a matrix ``(N, N)`` to the trailing axes of ``x (n, ...)`` that have N entries together."""
    axis = flat_axes(x.shape, len(matrix))
    if axis is None:
        raise unfit(x.shape, len(matrix))
    flat = x.reshape(*x.shape[:axis], len(matrix))
    return (flat @ matrix.T).reshape(x.shape)


def unfit(shape: tuple[int, ...], size: int) -> InputError:
    """Say that a representation does not fit an array."""
    width = shape[-1] if len(shape) > 1 else 1
    many = f'"{width // size}V" if each block of {size} is a vector' if size and width % size == 0 else "another one"
    return InputError(
        explain(
            "The representation does not fit the array.",
            given=f"an array of shape {tuple(shape)}",
            expected=f"(n, {size}), or trailing axes with {size} entries together",
            fix=f"a representation of size {width}: {many}",
        )
    )


def action_moves(action: AbstractAction, rng: np.random.Generator, x: NDArray) -> Iterator[Move]:
    """Generators of an action, each at once and for a finite time."""
    names = [action.describe(e) for e in np.eye(action.n_generators)]
    speeds = np.sqrt(np.mean(np.sum(action.on_points(x) ** 2, axis=2), axis=0))
    size = float(np.sqrt(np.mean(np.sum(x**2, axis=1))))
    for k, name in enumerate(names):
        yield Move(
            name,
            True,
            lambda x, k=k: action.on_points(x)[:, k],
            lambda x, f, k=k: action.on_values(x, f)[:, k],
        )
        # About a radian, or as far as the points are from the origin: far enough for kinks to be met.
        t = float(rng.uniform(0.5, 1.0)) * (size / speeds[k] if speeds[k] > 0 else 1.0)
        xi = np.eye(action.n_generators)[k]
        yield Move(
            f"exp({t:.3g} ({name}))",
            False,
            lambda x, xi=xi, t=t: move(action, xi, t, x, np.zeros((len(x), action.value_dim or 1)))[0],
            lambda x, f, xi=xi, t=t: move(action, xi, t, x, f)[1],
        )


def group_moves(group: Group, rep_in: Any, rep_out: Any, rng: np.random.Generator) -> Iterator[Move]:
    """Generators of a group, their exponentials, and its discrete elements."""
    for k, a in enumerate(group.lie_algebra):
        name = f"generator {k + 1} of {group.name}{_written(a)}"
        if isinstance(rep_in, Representation) and (rep_out is None or isinstance(rep_out, Representation)):
            moved = None if rep_out is None else rep_out.matrix(a)
            yield Move(name, True, _by(rep_in.matrix(a)), _values(moved))
        t = float(rng.uniform(0.5, 1.0)) / max(np.linalg.norm(a, 2), np.finfo(np.float64).tiny)
        yield element_move(f"exp({t:.3g} ({name}))", scipy.linalg.expm(t * a), rep_in, rep_out)
    for k, g in enumerate(group.discrete):
        yield element_move(f"discrete element {k + 1} of {group.name}", g, rep_in, rep_out)


def element_move(name: str, g: NDArray, rep_in: Any, rep_out: Any) -> Move:
    """The move of one group element."""
    return Move(name, False, _carrier(rep_in, g), _carried(rep_out, g))


def _by(matrix: NDArray) -> Carry:
    return lambda x: act_by(matrix, x)


def _values(matrix: NDArray | None) -> Callable[[NDArray, NDArray], NDArray]:
    return lambda x, f: np.zeros_like(f) if matrix is None else act_by(matrix, f)


def _carrier(given: Any, g: NDArray) -> Carry:
    if given is None:
        return lambda x: x
    if isinstance(given, Representation):
        return _by(given.group_matrix(g))
    return lambda x: _through_torch(given, g, x)


def _carried(given: Any, g: NDArray) -> Callable[[NDArray, NDArray], NDArray]:
    one = _carrier(given, g)
    return lambda x, f: one(f)


def _through_torch(acting: Any, g: NDArray, x: NDArray) -> NDArray:
    import torch

    return acting.act(g, torch.from_numpy(np.ascontiguousarray(x))).numpy()


def _written(a: NDArray) -> str:
    if np.count_nonzero(a) > _SHORT:
        return ""
    k = len(a)
    names = list("xyzw"[:k]) if k <= 4 else [f"x{i + 1}" for i in range(k)]
    return f", {_render.field_text(np.eye(k, dtype=int).tolist(), a.tolist(), names)}"
