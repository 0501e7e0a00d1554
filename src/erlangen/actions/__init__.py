"""What acts: p generators on points and, where they say so, on values."""

from erlangen.actions._base import AbstractAction as AbstractAction
from erlangen.actions.catalogue import affine as affine
from erlangen.actions.catalogue import euclidean as euclidean
from erlangen.actions.catalogue import fields as fields
from erlangen.actions.catalogue import gl as gl
from erlangen.actions.catalogue import linear as linear
from erlangen.actions.catalogue import matrices_of as matrices_of
from erlangen.actions.catalogue import polynomial as polynomial
from erlangen.actions.catalogue import pseudo_rotation as pseudo_rotation
from erlangen.actions.catalogue import rotation as rotation
from erlangen.actions.catalogue import scaling as scaling
from erlangen.actions.catalogue import translation as translation
from erlangen.actions.grid import FunctionGrid as FunctionGrid
from erlangen.actions.grid import on_grid as on_grid
from erlangen.actions.kernel import KernelAction as KernelAction
from erlangen.actions.kernel import kernel as kernel
from erlangen.actions.lifted import AbstractLift as AbstractLift
from erlangen.actions.lifted import CallableAction as CallableAction
from erlangen.actions.lifted import Combination as Combination
from erlangen.actions.lifted import IncrementLift as IncrementLift
from erlangen.actions.lifted import TangentLift as TangentLift
from erlangen.actions.lifted import UnknownOutput as UnknownOutput
from erlangen.actions.polynomial import PolynomialAction as PolynomialAction
from erlangen.actions.polynomial import coordinate_names as coordinate_names
from erlangen.actions.product import product as product
from erlangen.actions.product import union as union
from erlangen.actions.systems import Clocked as Clocked
from erlangen.actions.systems import Driven as Driven
from erlangen.actions.systems import Prolonged as Prolonged
from erlangen.actions.systems import Rescaled as Rescaled
from erlangen.actions.systems import behind as behind

__all__ = [
    "AbstractAction",
    "AbstractLift",
    "CallableAction",
    "Clocked",
    "Combination",
    "Driven",
    "FunctionGrid",
    "IncrementLift",
    "KernelAction",
    "PolynomialAction",
    "Prolonged",
    "Rescaled",
    "TangentLift",
    "UnknownOutput",
    "affine",
    "behind",
    "coordinate_names",
    "euclidean",
    "fields",
    "gl",
    "kernel",
    "linear",
    "matrices_of",
    "on_grid",
    "polynomial",
    "product",
    "pseudo_rotation",
    "rotation",
    "scaling",
    "translation",
    "union",
]
