"""The Lie derivative as a map of coefficients, against its values at points."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen.actions import TangentLift, UnknownOutput, kernel
from erlangen.derivative.coefficients import integer_multiples, substituted
from erlangen.fields import PolynomialField
from erlangen.linalg.polynomials import exponents, monomials

RNG = np.random.default_rng(0)
ACTIONS = {
    "affine, invariant": (er.actions.affine(2), 2, "invariant"),
    "quadratic, vector": (er.actions.polynomial(2, 2), 2, "vector"),
    "affine, map": (er.actions.affine(2), 2, "map"),
    "rotation, matrices": (er.actions.rotation(2).with_output(RNG.normal(size=(1, 3, 3))), 3, "invariant"),
    "kernel": (kernel(er.actions.affine(1)), 1, "invariant"),
    "vector kernel": (kernel(TangentLift(er.actions.affine(1)), TangentLift(er.actions.affine(1))), 1, "invariant"),
    "found with its output": (UnknownOutput(er.actions.gl(2), 2).restrict(RNG.normal(size=(8, 2))), 2, "invariant"),
}


def family(c: int, kind: str, degree: int = 3) -> PolynomialField:
    table = exponents(2, degree)
    return PolynomialField(table, np.random.default_rng(1).normal(size=(c, len(table))), kind)


def values(table: np.ndarray, coefficients: np.ndarray, c: int, x: np.ndarray) -> np.ndarray:
    return monomials(x, table) @ coefficients.reshape(c, -1).T


@pytest.mark.parametrize("name", ACTIONS)
def test_coefficients_are_those_of_the_lie_derivative(name):
    action, c, kind = ACTIONS[name]
    lie = er.LieDerivative(family(c, kind), action, er.Samples.box(-1, 1, dim=2, n=20))
    xi = np.random.default_rng(2).normal(size=action.n_generators)
    m = lie.in_coefficients(xi)
    assert m is not None
    got = values(m.table, m.matrix @ lie.field.theta, c, lie.samples.points)
    assert np.allclose(got, lie.rows(lie.samples.points) @ xi, atol=1e-12)
    # and the sampled rows in theta, against the literal tensor
    tensor = np.einsum("mpq,p->mq", lie.tensor(), xi)
    assert np.allclose(lie.in_theta(xi), tensor, atol=1e-12)


def test_integer_multiples_are_the_same_directions():
    action = er.actions.linear(np.array([[[0, -0.5], [1 / 3, 0]], [[np.sqrt(2), 0], [0, -np.sqrt(2)]]]))
    lie = er.LieDerivative(family(1, "invariant"), action, er.Samples.box(-1, 1, dim=2, n=5))
    whole = integer_multiples(lie.parts)
    assert whole is not None
    assert whole.action.coefficients.reshape(2, -1).tolist() == [[0, -3, 2, 0], [1, 0, 0, -1]]


def test_elements_substitute():
    """theta -> rho f - f o h for an affine map, by evaluation."""
    f, h, shift = family(2, "invariant"), RNG.normal(size=(2, 2)), RNG.normal(size=2)
    rho, x = RNG.normal(size=(2, 2)), RNG.normal(size=(9, 2))
    m = substituted(f, h, shift, rho)
    expected = f.value(x) @ rho.T - f.value(x @ h.T + shift)
    assert np.allclose(values(m.table, m.matrix @ f.theta, 2, x), expected, atol=1e-11)
