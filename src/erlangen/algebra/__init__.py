"""What can act: Lie algebras, their names, and what they preserve."""

from __future__ import annotations

from erlangen.algebra import catalogue, groups
from erlangen.algebra._liealgebra import LieAlgebra, identify, structure_of
from erlangen.algebra.answer import Alternative, Structure
from erlangen.algebra.atoms import AbstractAtom
from erlangen.algebra.commutant import commutant, fixed_point, invariant_flag, irreducible_blocks, trace_ratio
from erlangen.algebra.finite_atoms import regular
from erlangen.algebra.forms import complex_structure, conformal_forms, is_compact, preserved_forms
from erlangen.algebra.groups import Group, from_matrices, from_permutations
from erlangen.algebra.powers import alternating_power, symmetric_power
from erlangen.algebra.product_atoms import on_factor
from erlangen.algebra.readable import ReadableBasis, order_fields, readable_basis
from erlangen.algebra.representation import LinearMaps, Representation
from erlangen.algebra.representation_text import rep
from erlangen.algebra.spins import spin
from erlangen.algebra.user_atoms import rep_from_matrices, rep_from_permutations

__all__ = [
    "AbstractAtom",
    "Alternative",
    "Group",
    "LieAlgebra",
    "LinearMaps",
    "ReadableBasis",
    "Representation",
    "Structure",
    "alternating_power",
    "catalogue",
    "commutant",
    "complex_structure",
    "conformal_forms",
    "fixed_point",
    "from_matrices",
    "from_permutations",
    "groups",
    "identify",
    "invariant_flag",
    "irreducible_blocks",
    "is_compact",
    "on_factor",
    "order_fields",
    "preserved_forms",
    "readable_basis",
    "regular",
    "rep",
    "rep_from_matrices",
    "rep_from_permutations",
    "spin",
    "structure_of",
    "symmetric_power",
    "trace_ratio",
]
