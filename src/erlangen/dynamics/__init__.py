"""What moves: conserved quantities of trajectories, their Poisson algebra and the symmetries they generate."""

from erlangen.dynamics._change import AlongFlow as AlongFlow
from erlangen.dynamics._change import Increments as Increments
from erlangen.dynamics.conserved import conserved as conserved
from erlangen.dynamics.laws import ConservedQuantities as ConservedQuantities
from erlangen.dynamics.laws import Law as Law
from erlangen.dynamics.noether import HamiltonianField as HamiltonianField
from erlangen.dynamics.noether import momentum_map as momentum_map
from erlangen.dynamics.noether import noether as noether
from erlangen.dynamics.poisson import PhaseSpace as PhaseSpace
from erlangen.dynamics.poisson import PoissonAlgebra as PoissonAlgebra
from erlangen.dynamics.poisson import poisson_algebra as poisson_algebra
