"""Bases: gradients against complex or finite differences, and what each family can represent exactly."""

from __future__ import annotations

import numpy as np
import pytest

from erlangen._errors import InputError
from erlangen.fields.bases import Fourier, Monomials, Pulled, Radial, RidgeFunctions, Spline, polynomial_basis
from erlangen.linalg.polynomials import exponents

RNG = np.random.default_rng(0)
BASES = {
    "monomials": polynomial_basis(2, 3),
    "fourier": Fourier([2.0, 3.0], order=2),
    "fourier, one coordinate left out": Fourier([2.0, np.inf], order=1),
    "fourier tensor": Fourier([2.0, 3.0], order=1, tensor=True),
    "spline": Spline([[-1, 0, 1], [-2, -1, 0, 2]], degree=3),
    "spline tensor": Spline([[-1, 0, 1], [-2, 2]], degree=2, tensor=True),
    "radial": Radial(RNG.normal(size=(5, 2)), width=0.7),
    "ridge": RidgeFunctions(RNG.normal(size=(6, 2)), np.array([0, 0, 3, 4, 1, 0]), RNG.normal(size=6)),
    "joined": polynomial_basis(2, 1) + Radial(np.zeros((1, 2)), 1.0),
    "pulled": Pulled(polynomial_basis(3, 2), RNG.normal(size=(3, 2)), RNG.normal(size=3)),
}


@pytest.mark.parametrize("name", BASES)
def test_gradients_are_the_derivatives_of_the_values(name):
    basis = BASES[name]
    x = np.random.default_rng(1).uniform(-0.9, 0.9, (7, 2))
    step = 1e-6
    difference = [(basis.evaluate(x + step * e) - basis.evaluate(x - step * e)) / (2 * step) for e in np.eye(2)]
    assert basis.evaluate(x).shape == (7, basis.size)
    np.testing.assert_allclose(basis.gradients(x), np.stack(difference, axis=2), atol=1e-7)


@pytest.mark.parametrize("name", BASES)
def test_contracted_gradients_are_the_jacobian_of_the_field(name):
    basis = BASES[name]
    x = np.random.default_rng(2).uniform(-0.9, 0.9, (5, 2))
    field = basis.field(np.random.default_rng(3).normal(size=(3, basis.size)))
    expected = np.einsum("cq,nqd->ncd", field.coefficients, basis.gradients(x))
    np.testing.assert_allclose(field.jacobian(x), expected, atol=1e-12)
    np.testing.assert_allclose(np.einsum("ncqd,q->ncd", field.features_jacobian(x), field.theta), expected, atol=1e-12)
    np.testing.assert_allclose(np.einsum("ncq,q->nc", field.features(x), field.theta), field.value(x), atol=1e-12)


@pytest.mark.parametrize(
    ("basis", "function"),
    [
        (Fourier([2 * np.pi] * 2, order=2), lambda x, y: 1 + np.sin(x + 0.3) - np.cos(2 * y)),
        (Fourier([2 * np.pi] * 2, order=1, tensor=True), lambda x, y: np.sin(x + y)),
        (Spline([[-1, 0, 1]] * 2), lambda x, y: 1 + x**3 - y**2 + np.maximum(x, 0) ** 3),
        (Spline([[-1, 1]] * 2, degree=2, tensor=True), lambda x, y: x**2 * y - x * y**2 + 2),
    ],
)
def test_a_basis_represents_its_functions_exactly(basis, function):
    x = np.random.default_rng(4).uniform(-1, 1, (200, 2))
    y = function(*x.T)
    values = basis.evaluate(x)
    assert np.linalg.matrix_rank(values) == basis.size
    np.testing.assert_allclose(values @ np.linalg.lstsq(values, y, rcond=None)[0], y, atol=1e-10)


def test_an_additive_basis_has_no_products():
    x = np.random.default_rng(5).uniform(-1, 1, (400, 2))
    values = Spline([[-1, 0, 1]] * 2).evaluate(x)
    y = x[:, 0] * x[:, 1]
    assert np.std(y - values @ np.linalg.lstsq(values, y, rcond=None)[0]) > 0.9 * np.std(y)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Fourier([0.0], order=1),
        lambda: Fourier([1.0], order=0),
        lambda: Spline([[1, 0]]),
        lambda: Spline([[0, 1]], degree=1),
        lambda: Radial(np.zeros(3), 1.0),
        lambda: Radial(np.zeros((1, 2)), 0.0),
        lambda: polynomial_basis(2, 1) + Monomials(exponents(3, 1)),
        lambda: polynomial_basis(2, 1).field([1.0, 2.0]),
    ],
)
def test_a_basis_that_cannot_be_built_says_why(build):
    with pytest.raises(InputError, match="expected"):
        build()
