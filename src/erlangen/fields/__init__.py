"""What is acted on: values f(x) over points x, one file per kind."""

from erlangen.fields._base import EXACT as EXACT
from erlangen.fields._base import AbstractField as AbstractField
from erlangen.fields._base import AbstractLinearField as AbstractLinearField
from erlangen.fields._base import lift as lift
from erlangen.fields.polynomial import PolynomialField as PolynomialField
from erlangen.fields.polynomial import polynomial_field as polynomial_field
