"""Layers for PyTorch that commute with a group, and networks as fields; needs the extra ``torch``."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from erlangen._errors import MissingExtraError as _MissingExtraError
from erlangen._errors import explain as _explain

if _TYPE_CHECKING:
    from erlangen.nn.augmented import augment as augment
    from erlangen.nn.bilinear import ChannelProducts as ChannelProducts
    from erlangen.nn.bilinear import EquivariantBilinear as EquivariantBilinear
    from erlangen.nn.convert import as_equivariant as as_equivariant
    from erlangen.nn.convert import to_subgroup as to_subgroup
    from erlangen.nn.grid import Grid as Grid
    from erlangen.nn.linear import EquivariantLinear as EquivariantLinear
    from erlangen.nn.linear import to_linear as to_linear
    from erlangen.nn.mlp import EquivariantBlock as EquivariantBlock
    from erlangen.nn.mlp import EquivariantMLP as EquivariantMLP
    from erlangen.nn.monitor import SymmetryMonitor as SymmetryMonitor
    from erlangen.nn.nonlinear import Gated as Gated
    from erlangen.nn.nonlinear import NormActivation as NormActivation
    from erlangen.nn.nonlinear import Pointwise as Pointwise
    from erlangen.nn.penalty import SymmetryPenalty as SymmetryPenalty
    from erlangen.nn.penalty import symmetry_penalty as symmetry_penalty
    from erlangen.nn.promoting import EquivariancePromotingMLP as EquivariancePromotingMLP
    from erlangen.nn.promoting import PromotingLinear as PromotingLinear
    from erlangen.nn.scalars import InvariantScalars as InvariantScalars
    from erlangen.nn.symmetrized import AbstractSymmetrized as AbstractSymmetrized
    from erlangen.nn.symmetrized import symmetrize as symmetrize

# Each public name is imported when it is first used: torch is optional, and slow to import.
_HOMES = {
    "linear": ("EquivariantLinear", "to_linear"),
    "bilinear": ("EquivariantBilinear", "ChannelProducts"),
    "nonlinear": ("Gated", "NormActivation", "Pointwise"),
    "scalars": ("InvariantScalars",),
    "mlp": ("EquivariantBlock", "EquivariantMLP"),
    "symmetrized": ("AbstractSymmetrized", "symmetrize"),
    "augmented": ("augment",),
    "convert": ("as_equivariant", "to_subgroup"),
    "grid": ("Grid",),
    "monitor": ("SymmetryMonitor",),
    "penalty": ("SymmetryPenalty", "symmetry_penalty"),
    "promoting": ("EquivariancePromotingMLP", "PromotingLinear"),
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AbstractSymmetrized",
    "ChannelProducts",
    "EquivariancePromotingMLP",
    "EquivariantBilinear",
    "EquivariantBlock",
    "EquivariantLinear",
    "EquivariantMLP",
    "Gated",
    "Grid",
    "InvariantScalars",
    "NormActivation",
    "Pointwise",
    "PromotingLinear",
    "SymmetryMonitor",
    "SymmetryPenalty",
    "as_equivariant",
    "augment",
    "symmetrize",
    "symmetry_penalty",
    "to_linear",
    "to_subgroup",
]


def __getattr__(name: str) -> _Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'erlangen.nn' has no attribute {name!r}; it has {', '.join(__all__)}")
    try:
        home = _import_module(f"erlangen.nn.{_WHERE[name]}")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise _MissingExtraError(
            _explain(
                f"erlangen.nn.{name} is a PyTorch module, and PyTorch is not installed.",
                given="no package torch",
                expected="torch",
                fix='pip install "erlangen[torch]"',
            )
        ) from error
    return getattr(home, name)


def __dir__() -> list[str]:
    return __all__
