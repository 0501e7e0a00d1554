"""Find, enforce and promote continuous symmetry in models, data and dynamical systems.

The Lie derivative L_xi f = Df . xi - tau_xi f is linear in the generator xi and, for linear models,
in the parameters theta. ``discover`` is its null space in xi, ``enforce`` its null space in theta, ``promote`` a
convex penalty on its rank.

Three words carry the rest: a *field* is what is looked at (a function, a fitted model, a table, trajectories), an
*action* is what moves its points, and *samples* say where. ``er.fields``, ``er.actions`` and ``er.derivative`` hold
them; ``er.algebra`` and ``er.groups`` name what was found, ``er.evidence`` says how sure it is, ``er.dynamics`` asks
the same of motion, ``er.nn`` and ``er.estimators`` build it into models, ``er.report`` writes it down, and
``er.systems`` and ``er.testing`` serve those who try methods or extend the library.

Examples
--------
>>> import erlangen as er
>>> sym = er.discover(lambda x: (x**2).sum(axis=1), er.actions.affine(3), er.Samples.box(-1, 1, dim=3))
>>> sym.name, sym.texts[0]
('so(3)', 'x d/dy - y d/dx')
>>> quadratics = er.fields.Polynomial(degree=2, dim=3).as_field()
>>> er.enforce(quadratics, sym).dim  # 1 and x^2 + y^2 + z^2
2
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from erlangen import actions as actions
    from erlangen import algebra as algebra
    from erlangen import blocks as blocks
    from erlangen import derivative as derivative
    from erlangen import dynamics as dynamics
    from erlangen import estimators as estimators
    from erlangen import evidence as evidence
    from erlangen import fields as fields
    from erlangen import nn as nn
    from erlangen import reports as reports
    from erlangen import systems as systems
    from erlangen import testing as testing
    from erlangen._errors import ErlangenError as ErlangenError
    from erlangen._errors import ErlangenWarning as ErlangenWarning
    from erlangen._errors import InputError as InputError
    from erlangen._errors import Interrupted as Interrupted
    from erlangen._errors import MissingExtraError as MissingExtraError
    from erlangen._errors import UndecidedError as UndecidedError
    from erlangen._progress import progress as progress
    from erlangen.algebra import Group as Group
    from erlangen.algebra import LieAlgebra as LieAlgebra
    from erlangen.algebra import groups as groups
    from erlangen.algebra import identify as identify
    from erlangen.algebra import rep as rep
    from erlangen.algebra import rep_from_matrices as rep_from_matrices
    from erlangen.derivative import LieDerivative as LieDerivative
    from erlangen.derivative import Samples as Samples
    from erlangen.evidence.rule import Certified as Certified
    from erlangen.fields import as_field as as_field
    from erlangen.io import read_blocks as read_blocks
    from erlangen.io import read_trajectories as read_trajectories
    from erlangen.linalg.rank import LargestGap as LargestGap
    from erlangen.linalg.rank import NoiseFloor as NoiseFloor
    from erlangen.linalg.rank import Threshold as Threshold
    from erlangen.reports import plot as plot
    from erlangen.reports import report as report
    from erlangen.reports.citation import citation as citation
    from erlangen.verbs import Symmetry as Symmetry
    from erlangen.verbs import closure as closure
    from erlangen.verbs import discover as discover
    from erlangen.verbs import enforce as enforce
    from erlangen.verbs import promote as promote

__version__ = "0.1.0"

# Each public name is imported when it is first used, so that `import erlangen` stays light.
_HOMES = {
    "verbs": ("discover", "enforce", "promote", "closure", "Symmetry"),
    "fields": ("as_field",),
    "derivative": ("Samples", "LieDerivative"),
    "algebra": ("LieAlgebra", "Group", "groups", "identify", "rep", "rep_from_matrices"),
    "linalg.rank": ("Threshold", "LargestGap", "NoiseFloor"),
    "evidence.rule": ("Certified",),
    "io": ("read_blocks", "read_trajectories"),
    "reports": ("report", "plot"),
    "reports.citation": ("citation",),
    "_errors": ("ErlangenError", "InputError", "UndecidedError", "MissingExtraError", "Interrupted", "ErlangenWarning"),
    "_progress": ("progress",),
}
_MODULES = (
    "actions",
    "algebra",
    "blocks",
    "derivative",
    "dynamics",
    "estimators",
    "evidence",
    "fields",
    "nn",
    "reports",
    "systems",
    "testing",
)
_WHERE = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Certified",
    "ErlangenError",
    "ErlangenWarning",
    "Group",
    "InputError",
    "Interrupted",
    "LargestGap",
    "LieAlgebra",
    "LieDerivative",
    "MissingExtraError",
    "NoiseFloor",
    "Samples",
    "Symmetry",
    "Threshold",
    "UndecidedError",
    "actions",
    "algebra",
    "as_field",
    "blocks",
    "citation",
    "closure",
    "derivative",
    "discover",
    "dynamics",
    "enforce",
    "estimators",
    "evidence",
    "fields",
    "groups",
    "identify",
    "nn",
    "plot",
    "progress",
    "promote",
    "read_blocks",
    "read_trajectories",
    "rep",
    "rep_from_matrices",
    "report",
    "reports",
    "systems",
    "testing",
]


def __getattr__(name: str) -> _Any:
    if name in _MODULES:
        return _import_module(f"erlangen.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'erlangen' has no attribute {name!r}; it has {', '.join(__all__)}")
    home = _import_module(f"erlangen.{_WHERE[name]}")
    return getattr(home, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
