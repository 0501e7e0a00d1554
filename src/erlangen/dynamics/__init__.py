"""What moves: conserved quantities of trajectories, their Poisson algebra and the symmetries they generate."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from erlangen.dynamics._change import AlongFlow as AlongFlow
from erlangen.dynamics._change import Increments as Increments
from erlangen.dynamics.conserved import conserved as conserved
from erlangen.dynamics.discrete import DiscreteElement as DiscreteElement
from erlangen.dynamics.discrete import DiscreteSymmetries as DiscreteSymmetries
from erlangen.dynamics.discrete import discrete_symmetries as discrete_symmetries
from erlangen.dynamics.equations import Equations as Equations
from erlangen.dynamics.equations import Simulation as Simulation
from erlangen.dynamics.grids import DifferentialTerms as DifferentialTerms
from erlangen.dynamics.grids import GridEquation as GridEquation
from erlangen.dynamics.hamiltonian import HamiltonianFit as HamiltonianFit
from erlangen.dynamics.hamiltonian import hamiltonian as hamiltonian
from erlangen.dynamics.invariants import Invariants as Invariants
from erlangen.dynamics.lagrangian import NoetherCharge as NoetherCharge
from erlangen.dynamics.laws import ConservedQuantities as ConservedQuantities
from erlangen.dynamics.laws import Law as Law
from erlangen.dynamics.noether import HamiltonianField as HamiltonianField
from erlangen.dynamics.noether import momentum_map as momentum_map
from erlangen.dynamics.noether import noether as noether
from erlangen.dynamics.poisson import PhaseSpace as PhaseSpace
from erlangen.dynamics.poisson import PoissonAlgebra as PoissonAlgebra
from erlangen.dynamics.poisson import poisson_algebra as poisson_algebra
from erlangen.dynamics.repair import Edit as Edit
from erlangen.dynamics.repair import Repair as Repair
from erlangen.dynamics.repair import repair as repair
from erlangen.dynamics.structure import FieldStructure as FieldStructure
from erlangen.dynamics.structure import StructureFinding as StructureFinding
from erlangen.dynamics.structure import structure as structure
from erlangen.dynamics.symmetries import symmetries as symmetries
from erlangen.dynamics.units import Units as Units

if _TYPE_CHECKING:
    from erlangen.dynamics._imperfect import OneStep as OneStep
    from erlangen.dynamics._parts import BreakingTest as BreakingTest
    from erlangen.dynamics.diagnostics import Coverage as Coverage
    from erlangen.dynamics.diagnostics import LyapunovExponent as LyapunovExponent
    from erlangen.dynamics.diagnostics import Ordinal as Ordinal
    from erlangen.dynamics.diagnostics import coverage as coverage
    from erlangen.dynamics.diagnostics import lyapunov_exponent as lyapunov_exponent
    from erlangen.dynamics.diagnostics import ordinal as ordinal
    from erlangen.dynamics.diagnostics import spectral_distance as spectral_distance
    from erlangen.dynamics.diagnostics import step_residuals as step_residuals
    from erlangen.dynamics.diagnostics import valid_prediction_time as valid_prediction_time
    from erlangen.dynamics.grid_error import GridModelError as GridModelError
    from erlangen.dynamics.model_error import ModelError as ModelError
    from erlangen.dynamics.sindy import SINDy as SINDy
    from erlangen.dynamics.smoothing import Smoothed as Smoothed
    from erlangen.dynamics.smoothing import SmoothedRun as SmoothedRun
    from erlangen.dynamics.smoothing import smooth as smooth
    from erlangen.dynamics.symbolic import SymbolicRegression as SymbolicRegression

__all__ = [
    "AlongFlow",
    "BreakingTest",
    "ConservedQuantities",
    "Coverage",
    "DifferentialTerms",
    "DiscreteElement",
    "DiscreteSymmetries",
    "Edit",
    "Equations",
    "FieldStructure",
    "GridEquation",
    "GridModelError",
    "HamiltonianField",
    "HamiltonianFit",
    "Increments",
    "Invariants",
    "Law",
    "LyapunovExponent",
    "ModelError",
    "NoetherCharge",
    "OneStep",
    "Ordinal",
    "PhaseSpace",
    "PoissonAlgebra",
    "Repair",
    "SINDy",
    "Simulation",
    "Smoothed",
    "SmoothedRun",
    "StructureFinding",
    "SymbolicRegression",
    "Units",
    "conserved",
    "coverage",
    "discrete_symmetries",
    "hamiltonian",
    "lyapunov_exponent",
    "momentum_map",
    "noether",
    "ordinal",
    "poisson_algebra",
    "repair",
    "smooth",
    "spectral_distance",
    "step_residuals",
    "structure",
    "symmetries",
    "valid_prediction_time",
]

# scikit-learn takes a second to import, and `import erlangen.dynamics` must not.
_HOMES = {
    "Smoothed": "erlangen.dynamics.smoothing",
    "SmoothedRun": "erlangen.dynamics.smoothing",
    "smooth": "erlangen.dynamics.smoothing",
    "SINDy": "erlangen.dynamics.sindy",
    "SymbolicRegression": "erlangen.dynamics.symbolic",
    "ModelError": "erlangen.dynamics.model_error",
    "OneStep": "erlangen.dynamics._imperfect",
    "BreakingTest": "erlangen.dynamics._parts",
    "GridModelError": "erlangen.dynamics.grid_error",
    "Coverage": "erlangen.dynamics.diagnostics",
    "LyapunovExponent": "erlangen.dynamics.diagnostics",
    "Ordinal": "erlangen.dynamics.diagnostics",
    "coverage": "erlangen.dynamics.diagnostics",
    "lyapunov_exponent": "erlangen.dynamics.diagnostics",
    "ordinal": "erlangen.dynamics.diagnostics",
    "spectral_distance": "erlangen.dynamics.diagnostics",
    "step_residuals": "erlangen.dynamics.diagnostics",
    "valid_prediction_time": "erlangen.dynamics.diagnostics",
}


def __getattr__(name: str) -> _Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'erlangen.dynamics' has no attribute {name!r}")
    return getattr(_import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
