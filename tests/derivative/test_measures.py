"""Orthonormal coefficients integrate exactly: SymPy moments are the oracle."""

import numpy as np
import pytest
import sympy

from erlangen.derivative import Samples
from erlangen.derivative.measures import BoxMeasure, GaussianMeasure, orthonormal_coefficients
from erlangen.linalg.polynomials import exponents, monomials

MEASURES = {
    "unit box": BoxMeasure(np.array([-1.0, -1.0]), np.array([1.0, 1.0])),
    "shifted box": BoxMeasure(np.array([0.5, -2.0]), np.array([2.5, 3.0])),
    "normal": GaussianMeasure(np.zeros(2), np.ones(2)),
    "wide normal": GaussianMeasure(np.array([1.0, -0.5]), np.array([0.5, 2.0])),
}


def moment(measure, axis, power):
    x = sympy.Symbol("x")
    if isinstance(measure, BoxMeasure):
        low, high = sympy.Rational(float(measure.low[axis])), sympy.Rational(float(measure.high[axis]))
        return sympy.integrate(x**power, (x, low, high)) / (high - low)
    centre, spread = sympy.Rational(float(measure.centre[axis])), sympy.Rational(float(measure.spread[axis]))
    expanded = sympy.Poly((centre + spread * x) ** power, x)
    return sum(c * (sympy.factorial2(e - 1) if e % 2 == 0 else 0) for (e,), c in expanded.terms())


@pytest.mark.parametrize("name", MEASURES)
def test_gram_matrix_of_monomials_is_exact(name):
    measure, table = MEASURES[name], exponents(2, 3)
    rows = orthonormal_coefficients(measure, table, np.eye(len(table)))
    gram = rows.T @ rows
    moments = [[float(moment(measure, axis, power)) for power in range(7)] for axis in range(2)]
    for i, a in enumerate(table):
        for j, b in enumerate(table):
            exact = moments[0][a[0] + b[0]] * moments[1][a[1] + b[1]]
            assert gram[i, j] == pytest.approx(exact, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", MEASURES)
def test_points_follow_the_measure(name):
    measure, table = MEASURES[name], exponents(2, 2)
    rows = orthonormal_coefficients(measure, table, np.eye(len(table)))
    values = monomials(measure.draw(20000, 0), table)
    drift = np.abs(values.T @ values / len(values) - rows.T @ rows)
    assert drift.max() < 0.02 * np.abs(rows.T @ rows).max()


@pytest.mark.parametrize("n", [256, 1024, 2048, 3000])
def test_some_points_of_a_box_fill_the_box(n):
    """Every second point of a Halton sequence lies in one half of the box: a fixed step would take these."""
    some = Samples.box(-1, 1, dim=3).subset(n).points
    assert len(np.unique(some, axis=0)) == n
    assert np.abs(some.mean(axis=0)).max() < 0.02
    assert np.allclose(3 * np.mean(some**2, axis=0), 1, atol=0.05)
