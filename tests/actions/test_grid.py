"""Generators on sampled functions: against derivatives known in closed form, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen import InputError
from erlangen.actions import FunctionGrid, on_grid

PLANE = FunctionGrid((9, 7), low=(0.0, -1.0), high=(2 * np.pi, 3.0))
BOX = FunctionGrid((16, 16), low=-1.0, high=1.0, periodic=False)


def test_periodic_derivatives_are_exact():
    x, y = PLANE.points.T
    k = 2 * np.pi / 4.0
    u = np.sin(3 * x) * np.cos(2 * k * y)
    np.testing.assert_allclose(PLANE.derivative(0) @ u, 3 * np.cos(3 * x) * np.cos(2 * k * y), atol=1e-12)
    np.testing.assert_allclose(PLANE.derivative(1) @ u, -2 * k * np.sin(3 * x) * np.sin(2 * k * y), atol=1e-12)


def test_the_highest_mode_of_an_even_grid_does_not_move():
    grid = FunctionGrid((8,))
    assert np.abs(grid.derivative(0) @ (-1.0) ** np.arange(8)).max() < 1e-12


@pytest.mark.parametrize("power", range(5))
def test_differences_are_exact_for_polynomials_of_degree_four(power):
    x = BOX.points[:, 0]
    expected = power * x ** max(power - 1, 0)
    np.testing.assert_allclose(BOX.derivative(0) @ x**power, expected, atol=1e-11)


def test_generators_are_fields_on_functions():
    """Against D u . xi + w u div xi by hand, for cubics, which the differences know exactly."""
    x, y = BOX.points.T
    u, slope = x**3 - 2 * x * y**2, np.stack([3 * x**2 - 2 * y**2, -4 * x * y])
    rotation, scaling = er.actions.rotation(2), er.actions.scaling(2, [[1.0, 1.0]])
    np.testing.assert_allclose(BOX.generators(rotation)[0] @ u, x * slope[1] - y * slope[0], atol=1e-11)
    moved = x * slope[0] + y * slope[1]
    np.testing.assert_allclose(BOX.generators(scaling, 0.5)[0] @ u, moved + 0.5 * 2 * u, atol=1e-11)


def test_amplitudes_keep_their_length():
    """With w = 1/2 generators are skew on what vanishes at the ends: squares are densities."""
    line = FunctionGrid((200,), low=-6.0, high=6.0, periodic=False)
    x = line.points[:, 0]
    u, v = np.exp(-(x**2)), x * np.exp(-((x - 0.5) ** 2))
    half = line.generators(er.actions.scaling(1), 0.5)[0]
    plain = line.generators(er.actions.scaling(1))[0]
    assert abs(u @ half @ v + v @ half @ u) < 1e-4 * abs(u @ half @ v)
    assert abs(u @ plain @ v + v @ plain @ u) > 0.1 * abs(u @ plain @ v)


def test_the_action_moves_inputs_and_outputs():
    coarse = FunctionGrid((5,))
    action = on_grid(er.actions.translation(1), FunctionGrid((9,)), coarse)
    assert (action.point_dim, action.value_dim) == (9, 5)
    np.testing.assert_allclose(action.output[0], coarse.derivative(0), atol=1e-14)
    u = np.random.default_rng(0).normal(size=(1, 9))
    np.testing.assert_allclose(action.on_points(u)[0, 0], FunctionGrid((9,)).derivative(0) @ u[0], atol=1e-12)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: FunctionGrid((2,)), "at least 3"),
        (lambda: FunctionGrid((4,), periodic=False), "at least 5"),
        (lambda: FunctionGrid(()), "tuple"),
        (lambda: FunctionGrid((8,), low=1.0, high=0.0), "low < high"),
        (lambda: FunctionGrid((8, 8), low=(0.0, 0.0, 0.0)), "2 numbers"),
        (lambda: on_grid(er.actions.translation(2), FunctionGrid((8,))), "2 coordinates, a grid with 1"),
        (lambda: on_grid(er.actions.rotation(2), FunctionGrid((8, 8))), "periodic=False"),
        (lambda: on_grid(er.groups.SO(2), FunctionGrid((8, 8))), "object of type"),  # type: ignore[arg-type]
    ],
)
def test_refusals(make, says):
    with pytest.raises(InputError, match=says):
        make()
