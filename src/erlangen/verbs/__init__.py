"""The verbs, and the results they return."""

from erlangen.verbs._measure import Defect as Defect
from erlangen.verbs._measure import coefficients_of as coefficients_of
from erlangen.verbs._promote_select import Selected as Selected
from erlangen.verbs._sort import Found as Found
from erlangen.verbs._sort import Generator as Generator
from erlangen.verbs.closure import Closure as Closure
from erlangen.verbs.closure import closure as closure
from erlangen.verbs.discover import discover as discover
from erlangen.verbs.enforce import enforce as enforce
from erlangen.verbs.operators import OperatorPenalty as OperatorPenalty
from erlangen.verbs.promote import Penalty as Penalty
from erlangen.verbs.promote import Promoted as Promoted
from erlangen.verbs.promote import promote as promote
from erlangen.verbs.symmetry import Symmetry as Symmetry

__all__ = [
    "Closure",
    "Defect",
    "Found",
    "Generator",
    "OperatorPenalty",
    "Penalty",
    "Promoted",
    "Selected",
    "Symmetry",
    "closure",
    "coefficients_of",
    "discover",
    "enforce",
    "promote",
]
