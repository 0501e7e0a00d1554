"""Noether in both directions."""

from __future__ import annotations

import known_systems as systems
import numpy as np
import pytest

from erlangen._errors import InputError
from erlangen.dynamics import conserved, momentum_map, noether
from erlangen.fields.libraries import Expressions, Polynomial

PQ = ("x", "y", "px", "py")


@pytest.fixture(scope="module")
def laws():
    starts = np.random.default_rng(0).normal(size=(8, 4))
    flow = systems.integrate(systems.oscillator, starts, 10, 100, PQ)
    return {law.text: law for law in conserved(flow, Polynomial(degree=2)).laws}


def jacobian(field, d: int = 4) -> np.ndarray:
    return (field.value(np.eye(d)) - field.value(np.zeros((1, d)))).T


@pytest.mark.parametrize("text", ["x py - y px", "x^2 + px^2", "y^2 + py^2", "x y + px py"])
def test_there_and_back(laws, text):
    field = noether(laws[text], PQ[:2], PQ[2:])
    h = momentum_map(jacobian(field), PQ, PQ[:2], PQ[2:])
    x = np.random.default_rng(1).normal(size=(20, 4))
    assert np.allclose(h.value(x)[:, 0], laws[text].values(x))


def test_generators_leave_the_flow_alone(laws):
    flow = np.array([systems.oscillator(e) for e in np.eye(4)]).T
    for law in laws.values():
        a = jacobian(noether(law, PQ[:2], PQ[2:]))
        assert np.allclose(a @ flow, flow @ a)


def test_text_of_a_generator(laws):
    field = noether(laws["x py - y px"], ("x", "y"), ("px", "py"))
    assert field.text == "x d/dy - y d/dx + px d/dpy - py d/dpx"
    assert field.latex.startswith(r"x\,\partial_{y}")


def test_a_law_with_a_formula_generates_its_flow():
    flow = systems.integrate(systems.pendulum, [[1, 0.2], [2, 0], [0.5, 1]], 15, 120, ("q", "w"), known=True)
    law = conserved(flow, Polynomial(degree=2) + Expressions("cos(q)")).laws[0]
    field = noether(law, ("q",), ("w",))
    assert np.allclose(field.value(flow.points), flow.derivatives, atol=1e-6)
    assert field.text == "dh/dw d/dq - dh/dq d/dw"


@pytest.mark.parametrize("matrix", [np.eye(4), np.eye(3), np.diag([1.0, 1.0, -1.0, 2.0])])
def test_what_is_not_symplectic_has_no_momentum_map(matrix):
    with pytest.raises(InputError, match="symplectic|phase space"):
        momentum_map(matrix, PQ, PQ[:2], PQ[2:])


def test_squeeze_has_a_momentum_map():
    h = momentum_map(np.diag([1.0, 0.0, -1.0, 0.0]), PQ, PQ[:2], PQ[2:])
    assert np.isclose(h.value(np.array([[2.0, 0, 3.0, 0]]))[0, 0], 6.0)  # x px
