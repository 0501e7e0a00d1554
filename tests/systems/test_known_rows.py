"""Every claim of a row holds: generators commute, laws are constant, maps are symmetries; SymPy is the judge."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy

import erlangen as er
from erlangen.systems import System

SAME = {"so(2)": "R", "so(2)+R": "R^2", "u(2)": "so(3)+R"}
"""How `identify`, which sees brackets only, calls algebras whose names here also say how they act."""
POINTS = 6


def _systems() -> list[System]:
    return [er.systems.get(name) for name in er.systems.names()] + [er.systems.odebench(n) for n in range(1, 64)]


CLAIMING = [s for s in _systems() if s.symmetry or s.rescalings or s.conserved or s.discrete]
BY_NAME = {s.name: s for s in CLAIMING}


@cache
def symbols(name: str) -> tuple:
    return tuple(sympy.Symbol(n, real=True) for n in BY_NAME[name].names)


def expressions(system: System, texts: tuple[str, ...]) -> sympy.Matrix:
    """Read by SymPy's own parser, parameters as their values."""
    space = dict(zip(system.names, symbols(system.name), strict=True)) | dict(system.parameters)
    return sympy.Matrix([sympy.sympify(text, locals=space) for text in texts])


@cache
def truth(name: str) -> tuple[Any, np.ndarray]:
    """Right-hand side by SymPy, and points to look at."""
    system = BY_NAME[name]
    points = system.draw(rng=1, n_runs=POINTS)
    if system.initial is not None:  # near the published states, away from where logarithms end
        points = np.abs(points + np.random.default_rng(0).uniform(0, 0.1, points.shape)) + 0.05
    return expressions(system, system.formulas), points


def at_points(name: str, matrix: sympy.Matrix) -> np.ndarray:
    """Values (POINTS, rows, columns)."""
    values = sympy.lambdify(symbols(name), matrix, modules="numpy")
    return np.array([values(*point) for point in truth(name)[1]], dtype=float)


def vanishes(difference: np.ndarray, *parts: np.ndarray) -> bool:
    """Whether a sum of products is rounding beside what it is made of."""
    return np.abs(difference).max() < 1e3 * np.finfo(float).eps * max(1.0, *(np.abs(p).max() for p in parts))


@pytest.mark.parametrize("name", BY_NAME)
def test_every_claim_holds(name):
    system, (formulas, _), z = BY_NAME[name], truth(name), symbols(name)
    f, slopes = at_points(name, formulas), at_points(name, formulas.jacobian(z))

    def bracket(generator: tuple[str, ...]) -> tuple[np.ndarray, ...]:
        xi = expressions(system, generator)
        one, other = slopes @ at_points(name, xi), at_points(name, xi.jacobian(z)) @ f
        return one - other, one, other

    for generator in system.symmetry:
        assert vanishes(*bracket(generator))
    for generator, factor in system.rescalings:
        assert factor != 0
        difference, *parts = bracket(generator)
        assert vanishes(difference - factor * f, *parts)
    for text in system.conserved:
        gradient = at_points(name, expressions(system, (text,)).jacobian(z))
        assert vanishes(gradient @ f, gradient, f)
        assert np.abs(gradient).max() > 0.01  # not a constant
    for image in system.discrete:
        g = expressions(system, image)
        moved = at_points(name, formulas.subs(dict(zip(z, g, strict=True)), simultaneous=True))
        assert vanishes(moved - at_points(name, g.jacobian(z)) @ f, f)


@pytest.mark.parametrize("name", [name for name, s in BY_NAME.items() if s.algebra])
def test_generators_span_the_named_algebra(name):
    system = BY_NAME[name]
    action = system.action()
    assert action.n_generators == len(system.symmetry)
    assert action.lie_algebra().identify().name == SAME.get(system.algebra, system.algebra)


@pytest.mark.parametrize("name", ["damped_oscillator", "lotka_volterra", "kepler_3d", "swinging_atwood", "kuramoto"])
def test_right_hand_side_is_that_of_the_text(name):
    system = er.systems.get(name)
    points = system.draw(rng=3, n_runs=5)
    space = {n: sympy.Symbol(n) for n in system.names} | dict(system.parameters)
    for j, text in enumerate(system.formulas):
        expected = sympy.sympify(text, locals=space)
        for x, value in zip(points, system.rhs(points)[:, j], strict=True):
            assert value == pytest.approx(float(expected.subs(dict(zip(space, x)))), rel=1e-13, abs=1e-14)
    printed = {n: sympy.sympify(text, locals=space) for n, text in system.equations().items()}
    at = dict(zip(space, points[0]))
    assert [float(e.subs(at)) for e in printed.values()] == pytest.approx(list(system.rhs(points[0])), rel=1e-13)
    assert system.as_field().value(points) == pytest.approx(system.rhs(points), rel=1e-13)


def test_laws_stay_constant_along_solutions():
    for name in ("three_body", "toda", "seir", "double_pendulum", "growth"):
        system = er.systems.get(name)
        states = system.simulate(system.draw(rng=2)[0], np.linspace(0, 2, 20))
        laws = system.conserved_values(states)
        assert laws.shape == (20, len(system.conserved))
        assert np.ptp(laws, axis=0).max() < 1e-7 * max(1.0, np.abs(laws).max())


def test_a_double_pendulum_is_the_one_of_its_lagrangian():
    t, g = sympy.symbols("t g", real=True)
    q = [sympy.Function(n)(t) for n in ("a", "b")]
    v = [sympy.diff(c, t) for c in q]
    kinetic = v[0] ** 2 + v[1] ** 2 / 2 + v[0] * v[1] * sympy.cos(q[0] - q[1])
    lagrangian = kinetic + 2 * g * sympy.cos(q[0]) + g * sympy.cos(q[1])
    system = er.systems.get("double_pendulum")
    x = system.draw(rng=0)[0]
    rate = system.rhs(x)
    u = sympy.symbols("u0 u1")
    at = {u[0]: rate[0], u[1]: rate[1], q[0]: x[0], q[1]: x[1], g: 1.0}
    flat = lagrangian.subs(dict(zip(v, u)))
    momenta = [float(sympy.diff(flat, w).subs(at)) for w in u]
    forces = [float(sympy.diff(flat, c).subs(at)) for c in q]
    assert momenta == pytest.approx(x[2:], rel=1e-12)
    assert forces == pytest.approx(rate[2:], rel=1e-12)
