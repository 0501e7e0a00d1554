"""Equivariant linear maps between representations of any matrix group."""

from erlangen.algebra.equivariant.maps import Content, EquivariantMaps
from erlangen.algebra.equivariant.solve import equivariant_maps

__all__ = ["Content", "EquivariantMaps", "equivariant_maps"]
