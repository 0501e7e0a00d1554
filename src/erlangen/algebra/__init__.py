"""What can act: Lie algebras, their names, and what they preserve."""

from __future__ import annotations

from erlangen.algebra._liealgebra import LieAlgebra, identify, structure_of
from erlangen.algebra.identification import Alternative, Structure

__all__ = ["Alternative", "LieAlgebra", "Structure", "identify", "structure_of"]
