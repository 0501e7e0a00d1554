"""What is acted on: values f(x) over points x, one file per kind."""

from erlangen.fields._base import EXACT as EXACT
from erlangen.fields._base import AbstractField as AbstractField
from erlangen.fields._base import AbstractLinearField as AbstractLinearField
from erlangen.fields._base import carry as carry
from erlangen.fields._base import lift as lift
from erlangen.fields.as_field import Request as Request
from erlangen.fields.as_field import as_field as as_field
from erlangen.fields.as_field import convert as convert
from erlangen.fields.as_field import register as register
from erlangen.fields.calibrated import CalibratedField as CalibratedField
from erlangen.fields.calibrated import calibrate as calibrate
from erlangen.fields.callable import CallableField as CallableField
from erlangen.fields.cloud import CloudField as CloudField
from erlangen.fields.cloud import cloud_field as cloud_field
from erlangen.fields.families import Exponential as Exponential
from erlangen.fields.families import Rational as Rational
from erlangen.fields.families import Trigonometric as Trigonometric
from erlangen.fields.libraries import Expressions as Expressions
from erlangen.fields.libraries import Polynomial as Polynomial
from erlangen.fields.operators import OperatorField as OperatorField
from erlangen.fields.operators import operators as operators
from erlangen.fields.polynomial import PolynomialField as PolynomialField
from erlangen.fields.polynomial import polynomial_field as polynomial_field
from erlangen.fields.table import FittedField as FittedField
from erlangen.fields.table import fit_table as fit_table
from erlangen.fields.trajectories import Trajectories as Trajectories
from erlangen.fields.wrappers import MapField as MapField
from erlangen.fields.wrappers import VectorField as VectorField

__all__ = [
    "AbstractField",
    "AbstractLinearField",
    "CalibratedField",
    "CallableField",
    "CloudField",
    "EXACT",
    "Exponential",
    "Expressions",
    "FittedField",
    "MapField",
    "OperatorField",
    "Polynomial",
    "PolynomialField",
    "Rational",
    "Request",
    "Trajectories",
    "Trigonometric",
    "VectorField",
    "as_field",
    "calibrate",
    "carry",
    "cloud_field",
    "convert",
    "fit_table",
    "lift",
    "operators",
    "polynomial_field",
    "register",
]
