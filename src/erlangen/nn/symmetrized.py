"""Any trained model made equivariant: the average over a compact group, or over frames of the input."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special
import torch
from numpy.typing import NDArray

from erlangen._errors import InputError, UndecidedError, explain
from erlangen.algebra import Group, Representation, from_matrices
from erlangen.fields import carry
from erlangen.nn import _frames
from erlangen.nn._acting import AbstractActing, Blocks, acting
from erlangen.nn._average import MOST_ELEMENTS, Nodes, average_nodes, require_compact, uniform
from erlangen.nn.grid import Grid, is_exact
from erlangen.testing._moves import Move, action_moves, element_move, representation
from erlangen.testing.symmetric import finite_error
from erlangen.verbs import Symmetry

ROWS = 8192
"""Rows that pass through the model together."""

NUMBERS = 2**22
"""Numbers of input that pass through the model together: images are larger than rows of a table."""

ELEMENTS = 8
"""Random elements at which the remaining error is measured."""

METHODS = ("auto", "average", "frame", "samples")


class AbstractSymmetrized(torch.nn.Module, ABC):
    """A model made equivariant; its state is that of the model alone.

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

    def __init__(self, model: Any, symmetry: Any, reps: tuple[Any, Any], method: str, reason: str) -> None:
        super().__init__()
        self.model, self.symmetry = model, symmetry
        self.rep_in, self.rep_out = reps
        self.method, self.reason = method, reason

    def forward(self, *inputs: Any) -> Any:
        """Values of the symmetrised model: arrays for arrays, tensors for tensors."""
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
        """Mean of the model over the group, or over the frames."""

    def error(self, X: Any, rng: int | np.random.Generator = 0) -> float:
        """Measure the equivariance error that remains on inputs ``X (n, ...)``, relative, in float64.

        Inputs are moved by eight uniform elements of the group; the largest deviation is divided by the root mean
        square of the outputs, of their variation, or of the outputs before, whichever is largest.
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
        return finite_error(value, self._moves(points, rng), points, rng, self._size(points))

    def _moves(self, points: NDArray, rng: np.random.Generator) -> list[Move]:
        if isinstance(self.symmetry, Symmetry):
            action = carry(self.symmetry.kind, self.symmetry.action)
            return [one for one in action_moves(action, rng, points) if not one.infinitesimal]
        elements = uniform(self.symmetry, ELEMENTS, rng)
        return [element_move("element", g, self.rep_in, self.rep_out) for g in elements]

    def _size(self, points: NDArray) -> float:
        """Root mean square of the outputs before: an average that vanishes is still symmetric."""
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


def symmetrize(
    model: Any,
    group: Group | Symmetry,
    rep_in: Any = None,
    rep_out: Any = None,
    *,
    method: str = "auto",
    band: int | None = None,
    samples: int | None = None,
    rng: int = 0,
) -> AbstractSymmetrized:
    """Make any trained model equivariant: average ``rho_out(g)^-1 f(rho_in(g) x)`` over a compact group.

    Finite groups are enumerated (exact); circles, tori, SO(3) and SU(2) integrated by quadratures that are exact
    up to a frequency or spin; other compact groups drawn at random. Frames made of the input's own vectors
    (SO(n), O(n)) and sorting (S(n)) are exact with few evaluations. Discrete elements join as further factors.

    Parameters
    ----------
    model : torch.nn.Module or callable
        Any model of batches ``(n, ...)``; it is not copied, so training the result trains it.
    group : Group or Symmetry
        A compact group; of a symmetry found in data, the group of its generators.
    rep_in : Representation, str, Grid or tuple, optional
        How inputs move: on trailing axes that have its size together, ``Grid()`` for images. By default ``"V"``;
        a tuple has one entry for each input, None where it stays.
    rep_out : Representation, str, Grid or tuple, optional
        How outputs move; by default they do not.
    method : {"auto", "average", "frame", "samples"}
        ``"auto"`` enumerates or integrates where it can, then tries frames, then draws.
    band : int, optional
        Highest spin or frequency that quadratures integrate exactly (8 for rotations of space, 31 on a circle).
    samples : int, optional
        Number of random elements (500); with frames, of random poses (turns of the octagon or cube by default).
    rng : int
        For random elements.

    Returns
    -------
    AbstractSymmetrized
        A module with ``method``, ``reason`` and ``error(X)``.

    Raises
    ------
    InputError
        Where the group is not compact or too large, or representations do not fit.

    Notes
    -----
    Cost: one evaluation of the model for each element, in chunks. Memory under ``torch.no_grad`` is that of a
    chunk; training keeps all of them.

    References
    ----------
    O. Puny et al., Frame averaging for invariant and equivariant network design, ICLR 2022.
    N. Dym, H. Lawrence and J. Siegel, Equivariant frames and the impossibility of continuous canonicalization,
    ICML 2024.

    Examples
    --------
    >>> from erlangen.algebra import groups
    >>> x = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    >>> f = symmetrize(lambda x: x[:, 0] * x[:, 1] ** 2, groups.S(3))
    >>> f(x), f.method
    (array([8., 8.]), 'exact')
    """
    if method not in METHODS:
        raise _refused("The method is not known.", repr(method), " or ".join(map(repr, METHODS)), 'method="auto"')
    if not callable(model):
        raise _refused(
            "Only a model can be symmetrised.", type(model).__name__, "a module or a function", "symmetrize(net, group)"
        )
    if isinstance(group, Symmetry):
        return _by_symmetry(model, group, band, _count(method, samples), rng)
    if not isinstance(group, Group):
        raise _refused("This is not a group.", type(group).__name__, "a Group or a Symmetry", "er.groups.SO(3)")
    inputs = _each("V" if rep_in is None else rep_in, group)
    outputs = _each(rep_out, group)
    reps = tuple(r if isinstance(given, tuple) else r[0] for given, r in ((rep_in, inputs), (rep_out, outputs)))
    framed = _framed(model, group, (reps[0], reps[1]), method, samples, rng)
    if framed is not None:
        return framed
    nodes = average_nodes(group, band=band, samples=_count(method, samples), rng=rng)
    nodes = _with_grids(nodes, (*inputs, *outputs))
    return GroupAverage(
        model,
        group,
        (reps[0], reps[1]),
        nodes,
        [acting(r, nodes.elements, nodes.listed) for r in inputs],
        [acting(r, nodes.elements, nodes.listed) for r in outputs],
    )


def _count(method: str, samples: int | None) -> int | None:
    return samples if method != "samples" else (samples or 500)


def _each(given: Any, group: Group) -> tuple[Any, ...]:
    parts = given if isinstance(given, tuple) else (given,)
    return tuple(representation(one, group) for one in parts)


def _framed(
    model: Any, group: Group, reps: tuple[Any, Any], method: str, samples: int | None, rng: int
) -> AbstractSymmetrized | None:
    """The model on frames, where they are asked for or nothing else is exact."""
    if method in ("average", "samples"):
        return None
    kind = _frames.kind_of(group)
    words = all(r is None or isinstance(r, Representation) for r in reps) and reps[0] is not None
    if method == "auto" and (not words or kind is None or not _needs_frames(group, kind)):
        return None
    require_compact(group)
    if kind is None or not words:
        raise _refused(
            "No frames are known for this group and these representations.",
            f"{group.name} with inputs {reps[0]}",
            "SO(n), O(n) or S(n) in its defining form, one input and one output of tensor powers of V",
            'method="average"',
        )
    try:
        if kind == "S":
            return SortedOrder(model, group, reps)
        return FrameAverage(model, group, reps, kind, _frames.poses_of(group.size, samples, rng))
    except InputError:
        if method == "frame":
            raise
        return None


def _needs_frames(group: Group, kind: str) -> bool:
    if kind == "S":
        return bool(scipy.special.factorial(group.size) > MOST_ELEMENTS)
    return group.size > 3


def _with_grids(nodes: Nodes, reps: tuple[Any, ...]) -> Nodes:
    """Say that pixels are interpolated, where they are."""
    from dataclasses import replace

    if not any(isinstance(r, Grid) for r in reps) or all(is_exact(g) for g in nodes.elements):
        return nodes
    words = f"{nodes.reason}; pixels are interpolated, which is not exact: measure it with error(X)"
    return replace(nodes, method="quadrature" if nodes.method == "exact" else nodes.method, reason=words)


def _by_symmetry(model: Any, sym: Symmetry, band: int | None, samples: int | None, rng: int) -> GroupAverage:
    """Average over the group of a symmetry that was found: inputs and outputs move by one joint matrix."""
    if not sym.dim:
        raise UndecidedError("No symmetry was found, so there is no group to average over.")
    inputs = sym.group.lie_algebra
    affine_in = inputs.shape[1] > sym.candidates.point_dim
    outputs, affine_out = _outputs_of(sym, inputs, affine_in)
    joint = np.array([scipy.linalg.block_diag(a, b) for a, b in zip(inputs, outputs, strict=True)])
    nodes = average_nodes(from_matrices(joint, name=sym.name), band=band, samples=samples, rng=rng)
    size = inputs.shape[1]
    before = Blocks([(1, np.ascontiguousarray(nodes.elements[:, :size, :size]))], affine_in)
    moved = np.ascontiguousarray(nodes.elements[:, size:, size:])
    after = acting(None, nodes.elements) if not moved.size else Blocks([(1, moved)], affine_out)
    return GroupAverage(model, sym, (sym.rep, None), nodes, [before], [after])


def _outputs_of(sym: Symmetry, inputs: NDArray, affine: bool) -> tuple[NDArray, bool]:
    """Matrices by which the generators of a symmetry move outputs, and whether the last column is a shift."""
    action, p = sym.action, len(inputs)
    if action.value_dim is None:
        if sym.kind == "invariant":
            return np.zeros((p, 0, 0)), False
        # A map sends points to points, a vector field sends them to directions.
        return (inputs, affine) if sym.kind == "map" else (inputs[:, : action.point_dim, : action.point_dim], False)
    c = action.value_dim
    here = np.tile(sym.points[:1], (c + 1, 1))
    out = action.on_values(here, np.vstack([np.zeros((1, c)), np.eye(c)]))
    linear, shift = (out[1:] - out[:1]).transpose(1, 2, 0), out[0]
    if not np.any(shift):
        return linear, False
    matrices = np.zeros((p, c + 1, c + 1))
    matrices[:, :c, :c], matrices[:, :c, c] = linear, shift
    return matrices, True


def _same_count(inputs: tuple[Any, ...], count: int, rep_in: Any) -> None:
    if len(inputs) != count:
        raise _refused(
            "The number of inputs is not that of their representations.",
            f"{len(inputs)} inputs, rep_in={rep_in}",
            f"{count}",
            'rep_in=("V", None) for two inputs of which the second stays',
        )


def _outputs(out: Any, count: int) -> list[torch.Tensor]:
    values = list(out) if isinstance(out, tuple | list) else [out]
    if len(values) != count or not all(isinstance(v, torch.Tensor) for v in values):
        raise _refused(
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


def _refused(what: str, given: str, expected: str, fix: str) -> InputError:
    return InputError(explain(what, given=given, expected=expected, fix=fix))
