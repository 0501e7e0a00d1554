"""SymPy expressions and formulas: polynomials exactly, the rest with symbolic derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from erlangen._errors import InputError
from erlangen._formula import Formula
from erlangen.fields import PolynomialField, as_field
from erlangen.fields.expressions import ExpressionField
from erlangen.testing import check_field

x, y, z = sp.symbols("x y z")
X = np.random.default_rng(3).uniform(0.3, 1.5, (20, 3))
SMOOTH = {
    "trigonometric": [sp.sin(x) * y + sp.exp(-z)],
    "root": [1 / sp.sqrt(x**2 + y**2 + z**2), x * z],
    "absolute": [sp.Abs(x - z) + y],
    "piecewise": [sp.Piecewise((x**2, x > y), (y**2, True)) + z],
    "special": [sp.erf(x) + sp.besselj(0, y * z)],
    "constant row": [sp.cos(x), sp.Integer(2)],
}


@pytest.mark.parametrize("name", SMOOTH)
def test_values_and_derivatives_are_those_of_sympy(name):
    field = as_field(SMOOTH[name], variables=(x, y, z))
    assert isinstance(field, ExpressionField)
    check_field(field, X)
    point = {x: 0.7, y: 0.4, z: 1.1}
    at = np.array([[0.7, 0.4, 1.1]])
    for row, e in enumerate(SMOOTH[name]):
        assert field.value(at)[0, row] == pytest.approx(float(e.subs(point)))


def test_polynomials_are_recognised_with_every_coefficient():
    field = as_field((x + 2 * y) ** 2 - sp.Rational(1, 3) * z + sp.pi)
    assert isinstance(field, PolynomialField)
    found = {tuple(e): c for e, c in zip(field.table.tolist(), field.coefficients[0], strict=True)}
    assert found == pytest.approx({(0, 0, 0): np.pi, (0, 0, 1): -1 / 3, (2, 0, 0): 1.0, (1, 1, 0): 4.0, (0, 2, 0): 4.0})


def test_matrices_lists_with_numbers_and_formulas():
    assert as_field(sp.Matrix([y, -x]), "vector").kind == "vector"
    assert as_field([y, 0], "vector", variables="xy").value(X[:, :2]).tolist() == np.c_[X[:, 1], 0 * X[:, 1]].tolist()
    assert as_field(Formula("sin(b) + a", ("a", "b"))).names == ("a", "b")
    assert isinstance(as_field("a*b + 2", variables=("a", "b")), PolynomialField)


def test_a_huge_power_is_not_expanded():
    many = sp.symbols("x1:9")
    assert isinstance(as_field(sum(many) ** 40), ExpressionField)


def test_symbols_are_coordinates_in_natural_order():
    s = sp.symbols("x1:12")
    field = as_field(sp.sin(s[9]) + 2 * sp.cos(s[1]) + sum(s))
    assert field.names == tuple(f"x{i}" for i in range(1, 12))


def test_jumps_have_derivative_zero():
    field = as_field(sp.sign(z) + x**2 + y**2, variables="xyz")
    assert np.allclose(field.jacobian(X)[:, 0], 2 * X * [1, 1, 0])


REFUSED = {
    "unknown symbol": (dict(obj=x * z, variables=("x", "y")), "not the coordinates"),
    "dimension": (dict(obj=x * z, dim=3), "not the coordinates"),
    "no symbol": (dict(obj=sp.Integer(3)), "not the coordinates"),
    "complex": (dict(obj=sp.I * x + y), "real-valued"),
    "relation": (dict(obj=sp.Gt(x, y)), "real-valued"),
    "unevaluated": (dict(obj=sp.Derivative(sp.sin(x), x) + y), "worked out"),
    "unknown function": (dict(obj=sp.Function("g")(x) + y), "no symbolic derivative"),
    "steps": (dict(obj=sp.sign(x - y) + sp.sign(x)), "piecewise constant"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_expressions_that_are_no_field_are_refused(name):
    options, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        as_field(**options)
