"""Known systems: equations, symmetries and conserved quantities as text, and data from them."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from erlangen.systems import lorentz as lorentz
    from erlangen.systems import two_body as two_body
    from erlangen.systems._catalogue import get as get
    from erlangen.systems._catalogue import names as names
    from erlangen.systems._dysts import dysts as dysts
    from erlangen.systems._dysts import dysts_aliases as dysts_aliases
    from erlangen.systems._dysts import dysts_names as dysts_names
    from erlangen.systems._odebench import odebench as odebench
    from erlangen.systems._odebench import odebench_trajectories as odebench_trajectories
    from erlangen.systems._reaction_diffusion import Spiral as Spiral
    from erlangen.systems._reaction_diffusion import reaction_diffusion as reaction_diffusion
    from erlangen.systems._system import Recipe as Recipe
    from erlangen.systems._system import Rescaling as Rescaling
    from erlangen.systems._system import Start as Start
    from erlangen.systems._system import System as System

# Tables of systems are read when one is asked for.
_HOMES = {
    "_catalogue": ("get", "names"),
    "_odebench": ("odebench", "odebench_trajectories"),
    "_dysts": ("dysts", "dysts_aliases", "dysts_names"),
    "_reaction_diffusion": ("Spiral", "reaction_diffusion"),
    "_system": ("System", "Start", "Rescaling", "Recipe"),
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Recipe",
    "Rescaling",
    "Spiral",
    "Start",
    "System",
    "dysts",
    "dysts_aliases",
    "dysts_names",
    "get",
    "lorentz",
    "names",
    "odebench",
    "odebench_trajectories",
    "reaction_diffusion",
    "two_body",
]

_MODULES = ("lorentz", "two_body")


def __getattr__(name: str) -> _Any:
    if name in _MODULES:
        return _import_module(f"erlangen.systems.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'erlangen.systems' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(_import_module(f"erlangen.systems.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
