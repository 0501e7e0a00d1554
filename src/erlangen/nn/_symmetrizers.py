"""What a symmetrised model is: an average over fixed elements, over frames, or a model of sorted points."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from erlangen._errors import InputError, UndecidedError, explain
from erlangen._typing import NDArray
from erlangen.algebra import Group
from erlangen.fields import carry
from erlangen.nn import _frames
from erlangen.nn._acting import AbstractActing
from erlangen.nn._average import Nodes, uniform
from erlangen.testing._evaluate import finite_error
from erlangen.testing._moves import Move, action_moves, element_move, unfit
from erlangen.verbs import Symmetry

ROWS = 8192
"""Rows that pass through the model together."""

NUMBERS = 2**22
"""Numbers of input that pass through the model together: images are larger than rows of a table."""

ELEMENTS = 8
"""Random elements at which the remaining error is measured."""

NOTHING = 1e-8
"""Half of the digits: the part of a model's outputs below which an average counts as zero."""


class AbstractSymmetrized(torch.nn.Module, ABC):
    """A model made equivariant; its state is that of the model alone.

    Parameters
    ----------
    reps : tuple of two
        How inputs and outputs move: ``rep_in`` and ``rep_out``; the others are the attributes of their names.

    Attributes
    ----------
    model : torch.nn.Module or callable
        What was symmetrised.
    symmetry : Group or Symmetry
        What it was symmetrised by.
    rep_in, rep_out : Representation, Grid, tuple or None
        How inputs and outputs move.
    method : str
        ``"exact"``, ``"quadrature"``, ``"samples"`` or ``"frame"``.
    reason : str
        What is exact and what is not, in words.
    """

    model: Any
    symmetry: Any
    rep_in: Any
    rep_out: Any
    method: str
    reason: str

    def __init__(self, model: Any, symmetry: Any, reps: tuple[Any, Any], method: str, reason: str) -> None:
        super().__init__()
        self.model, self.symmetry = model, symmetry
        self.rep_in, self.rep_out = reps
        self.method, self.reason = method, reason

    def forward(self, *inputs: Any) -> Any:
        """Values of the symmetrised model: arrays for arrays, tensors for tensors.

        Parameters
        ----------
        *inputs : Tensor or ndarray (n, ...)
            As the model takes them.

        Returns
        -------
        Tensor or ndarray (n, ...), or a tuple of them
            As the model returns them.
        """
        if any(isinstance(x, torch.Tensor) for x in inputs):
            return self.symmetrised(self.model, inputs)
        dtype = next((p.dtype for p in self.parameters() if p.is_floating_point()), torch.float64)
        tensors = tuple(torch.from_numpy(np.array(x, dtype=np.float64)).to(dtype) for x in inputs)
        call = self.model if isinstance(self.model, torch.nn.Module) else _of_arrays(self.model)
        with torch.no_grad():
            out = self.symmetrised(call, tensors)
        return tuple(y.numpy() for y in out) if isinstance(out, tuple) else out.numpy()

    @abstractmethod
    def symmetrised(self, call: Callable[..., Any], inputs: tuple[torch.Tensor, ...]) -> Any:
        """Mean of the model over the group, or over the frames.

        Parameters
        ----------
        call : callable
            The model.
        inputs : tuple of Tensor (n, ...)
            What it is called with.

        Returns
        -------
        Tensor (n, ...), or a tuple of them
            The mean.
        """

    def error(self, X: Any, rng: int | np.random.Generator = 0) -> float:
        """Measure the equivariance error that remains on inputs ``X (n, ...)``, in float64.

        Inputs are moved by eight uniform elements of the group; the largest deviation is divided by the root mean
        square of the symmetrised outputs. An average that vanishes is symmetric: outputs smaller than those of the
        model by half of the digits count as that large.

        Parameters
        ----------
        X : Tensor or ndarray (n, ...)
            Inputs.
        rng : int or numpy.random.Generator
            Draws the elements.

        Returns
        -------
        float
            The relative error; 0 is equivariant.

        Raises
        ------
        UndecidedError
            When there is more than one input or output.
        """
        if any(isinstance(r, tuple) for r in (self.rep_in, self.rep_out)):
            raise UndecidedError("The error is measured for one input and one output: pass the others in a closure.")
        if isinstance(self.model, torch.nn.Module) or isinstance(X, torch.Tensor):
            double = copy.deepcopy(self).to("cpu", torch.float64).eval()

            def value(x: NDArray) -> NDArray:
                with torch.no_grad():
                    return double(torch.from_numpy(np.ascontiguousarray(x))).numpy()
        else:

            def value(x: NDArray) -> NDArray:
                return self(x)

        points = X.detach().cpu().numpy() if isinstance(X, torch.Tensor) else X
        points = np.asarray(points, np.float64)
        rng = np.random.default_rng(rng)
        return finite_error(value, self._moves(points, rng), points, rng, NOTHING * self._size(points))

    def _moves(self, points: NDArray, rng: np.random.Generator) -> list[Move]:
        if isinstance(self.symmetry, Symmetry):
            action = carry(self.symmetry.kind, self.symmetry.action)
            return [one for one in action_moves(action, rng, points) if not one.infinitesimal]
        elements = uniform(self.symmetry, ELEMENTS, rng)
        return [element_move("element", g, self.rep_in, self.rep_out) for g in elements]

    def _size(self, points: NDArray) -> float:
        """Root mean square of the outputs before."""
        model = copy.deepcopy(self.model)
        if isinstance(model, torch.nn.Module):
            with torch.no_grad():
                out = model.to("cpu", torch.float64).eval()(torch.from_numpy(np.ascontiguousarray(points)))
        else:
            out = model(points)
        return float(np.sqrt(np.mean(np.sum(np.asarray(out, np.float64).reshape(len(points), -1) ** 2, axis=1))))

    def extra_repr(self) -> str:
        """How the module prints beside its children."""
        name = getattr(self.symmetry, "name", "")
        return f"group={name}, rep_in={self.rep_in}, rep_out={self.rep_out}, method={self.method!r}"


class GroupAverage(AbstractSymmetrized):
    """The weighted mean of rho_out(g)^-1 f(rho_in(g) x) over fixed elements g; built by `symmetrize`."""

    def __init__(
        self,
        model: Any,
        symmetry: Any,
        reps: tuple[Any, Any],
        nodes: Nodes,
        inputs: list[AbstractActing],
        outputs: list[AbstractActing],
    ) -> None:
        super().__init__(model, symmetry, reps, nodes.method, nodes.reason)
        self.inputs, self.outputs = torch.nn.ModuleList(inputs), torch.nn.ModuleList(outputs)
        self.weights = [float(w) for w in nodes.weights]

    def symmetrised(self, call: Callable[..., Any], inputs: tuple[torch.Tensor, ...]) -> Any:
        """Mean over the elements, a chunk of them at a time."""
        _same_count(inputs, len(self.inputs), self.rep_in)
        batch, count = len(inputs[0]), len(self.weights)
        step = max(1, min(ROWS // max(batch, 1), NUMBERS // max(sum(x.numel() for x in inputs), 1)))
        total: list[torch.Tensor] = []
        several = False
        for start in range(0, count, step):
            part = slice(start, min(start + step, count))
            moved = [act(x, part).flatten(0, 1) for act, x in zip(self.inputs, inputs)]
            out = call(*moved)
            several = isinstance(out, tuple | list)
            means = self._means(_outputs(out, len(self.outputs)), part, batch)
            total = means if not total else [t + m for t, m in zip(total, means, strict=True)]
        return tuple(total) if several else total[0]

    def _means(self, values: list[torch.Tensor], part: slice, batch: int) -> list[torch.Tensor]:
        out = []
        for act, y in zip(self.outputs, values, strict=True):
            y = y.reshape(part.stop - part.start, batch, *y.shape[1:])
            weights = torch.tensor(self.weights[part], dtype=y.dtype, device=y.device)
            out.append(torch.tensordot(weights, act.back(y, part), 1))  # type: ignore[operator]
        return out


class FrameAverage(AbstractSymmetrized):
    """The weighted mean over frames made of the input's own vectors; built by `symmetrize`."""

    def __init__(self, model: Any, group: Group, reps: tuple[Any, Any], kind: str, poses: NDArray) -> None:
        sample = _frames.sample_of(kind, group.size)
        powers = _frames.Powers(reps[0], sample)
        frames = _frames.Frames(powers, kind == "O", poses)
        super().__init__(model, group, reps, "frame", frames.words)
        self.frames = frames
        self.outputs = None if reps[1] is None else _frames.Powers(reps[1], sample)

    def symmetrised(self, call: Callable[..., Any], inputs: tuple[torch.Tensor, ...]) -> Any:
        """Mean over the frames of each input."""
        _same_count(inputs, 1, self.rep_in)
        x = inputs[0]
        g, w = self.frames(x)
        flat = self.frames.powers.flat(x)
        step = max(1, min(ROWS // max(len(x), 1), NUMBERS // max(x.numel(), 1)))
        parts = zip(g.split(step), w.split(step), strict=True)
        return sum(self._part(call, x, flat, turns, weights) for turns, weights in parts)

    def _part(
        self, call: Callable[..., Any], x: torch.Tensor, flat: torch.Tensor, g: torch.Tensor, w: torch.Tensor
    ) -> torch.Tensor:
        y = call(self.frames.powers.act(g, flat.expand(len(g), *flat.shape)).reshape(-1, *x.shape[1:]))
        y = _outputs(y, 1)[0].reshape(len(g), len(x), *y.shape[1:])
        w = w.reshape(*w.shape, *([1] * (y.ndim - 2)))
        if self.outputs is None:
            return (w * y).sum(0)
        if y.shape[2:].numel() != self.outputs.size:
            raise unfit(tuple(y.shape[1:]), self.outputs.size)
        back = self.outputs.act(g.transpose(-1, -2), y.reshape(*y.shape[:2], self.outputs.size))
        return (w * back.reshape(y.shape)).sum(0)


class SortedOrder(AbstractSymmetrized):
    """The model on points in sorted order, its values put back in their places; built by `symmetrize`."""

    def __init__(self, model: Any, group: Group, reps: tuple[Any, Any]) -> None:
        sample = _frames.sample_of("S", group.size)
        sorting = _frames.Sorting(_frames.Powers(reps[0], sample))
        super().__init__(model, group, reps, "frame", sorting.words)
        self.sorting = sorting
        self.outputs = None if reps[1] is None else _frames.Powers(reps[1], sample)

    def symmetrised(self, call: Callable[..., Any], inputs: tuple[torch.Tensor, ...]) -> Any:
        """The model on the sorted input, its values in the order of the input."""
        _same_count(inputs, 1, self.rep_in)
        x = inputs[0]
        order, ties = self.sorting(x)
        powers = self.sorting.powers
        y = call(powers.gather(order, powers.flat(x)).reshape(x.shape))
        if self.outputs is None:
            return y
        flat = self.outputs.flat(y)
        pieces = [
            _frames.shared(piece, ties) if power == 1 else piece
            for piece, (power, _) in zip(self.outputs.pieces(flat), self.outputs.blocks, strict=True)
        ]
        back = self.outputs.gather(torch.argsort(order, dim=1), self.outputs.join(pieces, 1))
        return back.reshape(y.shape)


def _same_count(inputs: tuple[Any, ...], count: int, rep_in: Any) -> None:
    if len(inputs) != count:
        raise refused(
            "The number of inputs is not that of their representations.",
            f"{len(inputs)} inputs, rep_in={rep_in}",
            f"{count}",
            'rep_in=("V", None) for two inputs of which the second stays',
        )


def _outputs(out: Any, count: int) -> list[torch.Tensor]:
    values = list(out) if isinstance(out, tuple | list) else [out]
    if len(values) != count or not all(isinstance(v, torch.Tensor) for v in values):
        raise refused(
            "The outputs of the model do not fit their representations.",
            f"{len(values)} outputs: {', '.join(type(v).__name__ for v in values)}",
            f"{count} tensors",
            'rep_out=("V", None) for two outputs of which the second is invariant',
        )
    return values


def _of_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*tensors: torch.Tensor) -> Any:
        out = function(*(t.numpy() for t in tensors))
        if isinstance(out, tuple):
            return tuple(torch.from_numpy(np.array(y, dtype=np.float64)) for y in out)
        return torch.from_numpy(np.array(out, dtype=np.float64))

    return call


def refused(what: str, given: str, expected: str, fix: str) -> InputError:
    """An error of four parts."""
    return InputError(explain(what, given=given, expected=expected, fix=fix))
