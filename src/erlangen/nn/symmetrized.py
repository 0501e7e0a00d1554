"""Any trained model made equivariant: the average over a compact group, or over frames of the input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special

from erlangen._errors import InputError, UndecidedError
from erlangen._typing import NDArray
from erlangen.algebra import Group, Representation, from_matrices
from erlangen.nn import _frames
from erlangen.nn._acting import Blocks, acting
from erlangen.nn._average import MOST_ELEMENTS, Nodes, average_nodes, require_compact
from erlangen.nn._symmetrizers import AbstractSymmetrized as AbstractSymmetrized
from erlangen.nn._symmetrizers import FrameAverage, GroupAverage, SortedOrder, refused
from erlangen.nn.grid import Grid, is_exact
from erlangen.testing._moves import representation
from erlangen.verbs import Symmetry

METHODS = ("auto", "average", "frame", "samples")


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
    UndecidedError
        When no symmetry was found, so that there is no group.

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
        raise refused("The method is not known.", repr(method), " or ".join(map(repr, METHODS)), 'method="auto"')
    if not callable(model):
        raise refused(
            "Only a model can be symmetrised.", type(model).__name__, "a module or a function", "symmetrize(net, group)"
        )
    if isinstance(group, Symmetry):
        return _by_symmetry(model, group, band, _count(method, samples), rng)
    if not isinstance(group, Group):
        raise refused("This is not a group.", type(group).__name__, "a Group or a Symmetry", "er.groups.SO(3)")
    inputs = _each("V" if rep_in is None else rep_in, group)
    outputs = _each(rep_out, group)
    reps = tuple(r if isinstance(given, tuple) else r[0] for given, r in ((rep_in, inputs), (rep_out, outputs)))
    _check_grids(group, (*inputs, *outputs))
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


def _check_grids(group: Group, reps: tuple[Any, ...]) -> None:
    """Refuse groups that move no grid: neither axes to axes, nor the plane or space."""
    exact = not np.any(group.lie_algebra) and all(is_exact(g) for g in group.discrete)
    if any(isinstance(r, Grid) for r in reps) and group.size not in (2, 3) and not exact:
        raise refused(
            f"{group.name} does not act on grids of pixels.",
            f"matrices of size {group.size}",
            "matrices of size 2 (images) or 3 (volumes), or signed permutations of the axes",
            "er.groups.C(4), er.groups.SO(2) for images; er.groups.Cube(), er.groups.SO(3) for volumes",
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
        raise refused(
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
