"""Trained networks projected onto equivariant layers, and equivariant layers handed to a subgroup."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from erlangen._errors import InputError, explain
from erlangen._progress import track
from erlangen._typing import NDArray
from erlangen.algebra import Group, Representation
from erlangen.nn._blocks import as_representation, group_of, is_permutation
from erlangen.nn._conversion import Conversion, LayerChange
from erlangen.nn.bilinear import EquivariantBilinear
from erlangen.nn.linear import EquivariantLinear
from erlangen.testing import assert_symmetric, equivariance_error
from erlangen.verbs import Symmetry

POINTS = 256
"""Random inputs on which the change is measured where none are given."""

_HIDDEN = ("rep", "rep_in", "rep_out", "rep1", "rep2")
"""Attributes of layers that hold representations."""

Reps = Sequence[Any] | Mapping[str, tuple[Any, Any]] | None


def as_equivariant(
    module: torch.nn.Module,
    group: Group | Symmetry,
    reps: Reps = None,
    *,
    X: Any = None,
    rng: int | np.random.Generator = 0,
) -> tuple[torch.nn.Module, Conversion]:
    """Project a trained network layer by layer onto the weights that commute with a group.

    Each ``torch.nn.Linear`` becomes the `EquivariantLinear` with the closest weight and bias (in the Frobenius
    norm); what stands between them must commute with the representation that reaches it. The module itself is
    left as it is.

    Parameters
    ----------
    module : torch.nn.Module
        A linear layer, a (nested) ``torch.nn.Sequential``, or, with a dictionary, any module.
    group : Group or Symmetry
        The group.
    reps : sequence or dict, optional
        Representations of the input, of each hidden layer and of the output, as values or texts; or only of the
        first and the last. Hidden layers are then as many copies of V as fit where the group permutes
        coordinates, and scalars otherwise. By default copies of V go in and scalars come out. A dictionary
        ``{name of a linear layer: (from, to)}`` serves modules that are no sequence.
    X : array or Tensor (n, d), optional
        Inputs on which the change is measured; 256 standard normal ones by default.
    rng : int or Generator
        For random inputs.

    Returns
    -------
    module : torch.nn.Module
        The equivariant network, of the same structure.
    report : Conversion
        What was kept and what was removed in each layer, and what that does to the outputs.

    Raises
    ------
    InputError
        Where an activation does not commute with the representation that reaches it, where zero is the only
        equivariant weight of a layer, or sizes do not fit; the message names the layer.

    Examples
    --------
    >>> from erlangen.algebra import groups
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    >>> sums, report = as_equivariant(net, groups.S(4), ["V", "2V", "V"])
    >>> [(layer.kept, layer.total) for layer in report.layers]
    [(6, 40), (5, 36)]
    """
    if not isinstance(module, torch.nn.Module):
        raise _refused(
            "Only a network can be projected.",
            f"{type(module).__name__}: {module!r}"[:120],
            "a torch.nn.Module with linear layers",
            "as_equivariant(net, er.groups.SO(3))",
        )
    known = group_of(group)
    if known is None:
        raise _refused(
            "There is no group.", "group=None", "a Group or a Symmetry", "as_equivariant(net, er.groups.SO(3))"
        )
    group = known
    steps = _by_name(module, group, reps) if isinstance(reps, Mapping) else _in_order(module, group, reps)
    twin, changes = copy.deepcopy(module), []
    for name, layer, source, target in steps:
        made, change = _projected(name, layer, source, target)
        changes.append(change)
        twin = _placed(twin, name, made)
    source, target = steps[0][2], steps[-1][3]
    rng = np.random.default_rng(rng)
    points = rng.normal(size=(POINTS, source.size)) if X is None else _array(X)
    errors = [equivariance_error(m, (source, target), points[:POINTS], rng=0).error for m in (module, twin)]
    data = f"{len(points)} standard normal inputs" if X is None else f"the {len(points)} inputs given"
    change = _difference(module, twin, points)
    return twin, Conversion(tuple(changes), group.name, change, data, errors[0], errors[1])


Step = tuple[str, torch.nn.Linear, Representation, Representation]


def _by_name(module: torch.nn.Module, group: Group, reps: Mapping[str, tuple[Any, Any]]) -> list[Step]:
    parts = dict(module.named_modules())
    linear = [name for name, part in parts.items() if isinstance(part, torch.nn.Linear)]
    steps = []
    for name, (source, target) in reps.items():
        part = parts.get(name)
        if not isinstance(part, torch.nn.Linear):
            raise _refused("There is no such linear layer.", repr(name), ", ".join(linear), f"{{{linear[:1]}: ...}}")
        steps.append((name, part, as_representation(source, group, name), as_representation(target, group, name)))
    if len(steps) != len(linear):
        left = [name for name in linear if name not in reps]
        raise _refused(
            "Linear layers are left out.", ", ".join(left), "one entry for each", '{"fc1": ("V", "2V"), ...}'
        )
    return steps


def _in_order(module: torch.nn.Module, group: Group, reps: Sequence[Any] | None) -> list[Step]:
    """Pair the linear layers of a sequence with representations, and check what stands between them."""
    parts = list(_leaves("", module))
    linear = [part for _, part in parts if isinstance(part, torch.nn.Linear)]
    if not linear:
        raise _refused(
            "The network has no linear layer.",
            type(module).__name__,
            "torch.nn.Linear layers",
            "symmetrize(net, group)",
        )
    known = _representations(group, reps, linear)
    running, steps = known[0], []
    for name, part in parts:
        if isinstance(part, torch.nn.Linear):
            source, target = running, known[len(steps) + 1]
            for what, rep, size in (("inputs", source, part.in_features), ("outputs", target, part.out_features)):
                if rep.size != size:
                    raise _refused(
                        f"The {what} of layer {name} have another size than their representation.",
                        f"{size} {what}, {rep} of size {rep.size}",
                        f"size {size}",
                        f'for example "{_copies(group, size)}"',
                    )
            steps.append((name, part, source, target))
            running = target
        else:
            running = _through(name, part, running)
    return steps


def _leaves(name: str, module: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    if isinstance(module, torch.nn.Sequential):
        for key, child in module.named_children():
            yield from _leaves(f"{name}.{key}" if name else key, child)
    elif isinstance(module, torch.nn.Linear) or next(module.children(), None) is None or hasattr(module, "rep_out"):
        yield name, module
    else:
        raise _refused(
            "The order in which this module uses its layers is not known.",
            f"{name or 'the module'}: {type(module).__name__}",
            "a torch.nn.Sequential",
            'as_equivariant(net, group, {"fc1": ("V", "2V"), "fc2": ("2V", "S")}), or er.nn.symmetrize(net, group)',
        )


def _representations(group: Group, reps: Sequence[Any] | None, linear: list[torch.nn.Linear]) -> list[Representation]:
    first, last = linear[0].in_features, linear[-1].out_features
    given = [_copies(group, first), f"{last}S"] if reps is None else list(reps)
    if isinstance(reps, str) or len(given) not in (2, len(linear) + 1):
        raise _refused(
            "The number of representations does not fit the layers.",
            repr(reps),
            f"{len(linear) + 1} of them (input, hidden layers, output), or 2",
            'as_equivariant(net, group, ["V", "4V", "S"])',
        )
    ends = [as_representation(r, group, "reps") for r in given]
    if len(ends) == len(linear) + 1:
        return ends
    middle = [as_representation(_hidden(group, layer.out_features), group, "reps") for layer in linear[:-1]]
    return [ends[0], *middle, ends[1]]


def _copies(group: Group, size: int) -> str:
    k = group.size
    parts = [f"{size // k}V" if size >= k else "", f"{size % k}S" if size % k else ""]
    return " + ".join(part for part in parts if part)


def _hidden(group: Group, size: int) -> str:
    """What pointwise activations commute with."""
    permutes = is_permutation(as_representation("V", group, "V"))
    return _copies(group, size) if permutes else f"{size}S"


def _through(name: str, part: torch.nn.Module, running: Representation) -> Representation:
    """The representation behind a part that is not linear."""
    if hasattr(part, "rep_out") and getattr(part, "rep_in", None) == running:
        return part.rep_out  # type: ignore[return-value]
    try:
        assert_symmetric(part, (running, running))
    except (RuntimeError, TypeError, ValueError) as error:
        raise _refused(
            f"Layer {name} ({type(part).__name__}) does not take rows of numbers.",
            f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"[:200],
            "torch.nn.Linear layers and pointwise functions between them",
            "er.nn.symmetrize(net, group, er.nn.Grid()) for networks of images; it takes any network",
        ) from None
    except AssertionError as error:
        raise InputError(
            explain(
                f"Layer {name} ({type(part).__name__}) does not commute with the representation that reaches it.",
                given=f"{running} of {running.group.name}: {str(error).partition(chr(10))[0]}",
                expected="pointwise functions only of scalars and of coordinates that the group permutes",
                fix=f'hidden layers of scalars ("{running.size}S"), er.nn.Gated or er.nn.NormActivation in its place, '
                "or er.nn.symmetrize(net, group), which takes any network",
            )
        ) from None
    return running


def _projected(
    name: str, layer: torch.nn.Linear, source: Representation, target: Representation
) -> tuple[EquivariantLinear, LayerChange]:
    weight = layer.weight
    try:
        made = EquivariantLinear(source, target, bias=layer.bias is not None, dtype=weight.dtype, device=weight.device)
    except InputError as error:
        raise InputError(
            f"Layer {name or type(layer).__name__} would be constant: from {source} to {target} no weight commutes "
            f"with {source.group.name}. Hidden layers that carry more than scalars need er.nn.Gated or "
            f"er.nn.NormActivation; er.nn.symmetrize(net, group) takes any network.\n{error}"
        ) from None
    removed = made.project_(weight, layer.bias)
    offsets = 0 if made.bias is None else len(made.bias)
    total = weight.numel() + (0 if layer.bias is None else layer.bias.numel())
    change = LayerChange(name or "layer", str(source), str(target), made.maps.dim + offsets, total, removed)
    return made.train(layer.training), change


def _placed(module: torch.nn.Module, name: str, part: torch.nn.Module) -> torch.nn.Module:
    if not name:
        return part
    parent, _, key = name.rpartition(".")
    setattr(module.get_submodule(parent), key, part)
    return module


def _difference(before: torch.nn.Module, after: torch.nn.Module, points: NDArray) -> float:
    x = torch.from_numpy(np.ascontiguousarray(points))
    with torch.no_grad():
        old, new = (copy.deepcopy(m).to("cpu", torch.float64).eval()(x) for m in (before, after))
    return float((new - old).norm() / old.norm().clamp(min=torch.finfo(torch.float64).tiny))


def _array(X: Any) -> NDArray:
    return np.asarray(X.detach().cpu() if isinstance(X, torch.Tensor) else X, dtype=np.float64)


def to_subgroup(module: torch.nn.Module, subgroup: Group) -> torch.nn.Module:
    """Hand equivariant layers to a subgroup: the same function, more parameters to train.

    `EquivariantLinear` and `EquivariantBilinear` layers get coordinates in the larger spaces of the subgroup;
    all other layers keep theirs, as what commutes with the group commutes with the subgroup.

    Parameters
    ----------
    module : torch.nn.Module
        An equivariant layer, or any module that contains some.
    subgroup : Group
        Matrices of the same size, in the group.

    Returns
    -------
    torch.nn.Module
        A copy.

    Raises
    ------
    InputError
        Where the group does not contain the subgroup, or no layer knows its group.

    Examples
    --------
    >>> from erlangen.algebra import groups, rep
    >>> layer = EquivariantLinear(rep("V", groups.C(8)), rep("V", groups.C(8)))
    >>> to_subgroup(layer, groups.C(2)).maps.dim, layer.maps.dim
    (4, 2)
    """
    twin = copy.deepcopy(module)
    found = [name for name, part in twin.named_modules() if any(hasattr(part, key) for key in _HIDDEN)]
    if not found:
        raise _refused(
            "No layer of this module knows its group.",
            type(module).__name__,
            "layers of erlangen.nn",
            "as_equivariant(net, group, reps) first",
        )
    # Inner layers first: an outer one may be one of them.
    for name in track(sorted(found, key=lambda name: -name.count(".") - bool(name)), "layers"):
        twin = _placed(twin, name, _restricted(twin.get_submodule(name), subgroup))
    return twin


def _restricted(part: torch.nn.Module, subgroup: Group) -> torch.nn.Module:
    reps = {key: rep for key in _HIDDEN if isinstance(rep := getattr(part, key, None), Representation)}
    less = {key: rep.restrict(subgroup) for key, rep in reps.items()}
    if isinstance(part, EquivariantLinear):
        weight, bias = part.assemble()
        kind = {"dtype": weight.dtype, "device": weight.device}
        # A layer without bias has none to keep; one whose group allows none gains what the subgroup allows.
        made = EquivariantLinear(less["rep_in"], less["rep_out"], bias=part.offsets is not None, **kind)
        made.project_(weight, bias)
        return made.train(part.training)
    if isinstance(part, EquivariantBilinear):
        with torch.no_grad():
            weight = part.weight_map(part.coefficients).to("cpu", torch.float64).numpy()
        kind = {"dtype": part.coefficients.dtype, "device": part.coefficients.device}
        wider = EquivariantBilinear(less["rep1"], less["rep2"], less["rep_out"], **kind)
        with torch.no_grad():
            wider.coefficients.copy_(torch.from_numpy(wider.maps.coordinates(weight.ravel())))
        return wider.train(part.training)
    for key, rep in less.items():
        setattr(part, key, rep)
    return part


def _refused(what: str, given: str, expected: str, fix: str) -> InputError:
    return InputError(explain(what, given=given, expected=expected, fix=fix))
