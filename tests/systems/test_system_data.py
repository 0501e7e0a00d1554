"""Data of known systems: recipes, noise, integration, ODEBench's protocol, and how bad input is answered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy
from scipy.linalg import expm

import erlangen as er
from erlangen.systems import Start, System
from erlangen.systems._odebench_rows import ROWS


def test_fixed_steps_are_of_order_four_and_the_adaptive_method_is_exact():
    system = er.systems.get("damped_oscillator")
    matrix, x0 = np.array([[-0.1, -1.0], [1.0, -0.1]]), np.array([1.0, 0.5])
    exact = expm(2.0 * matrix) @ x0
    assert system.simulate(x0, [0.0, 2.0])[-1] == pytest.approx(exact, rel=1e-9)
    errors = [
        np.abs(system.simulate_many(x0, np.linspace(0, 2, n + 1))[0, -1] - exact).max() for n in (20, 40)
    ]  # fmt: skip
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "runs", "samples"),
    [
        ("damped_oscillator", 50, 10_000),
        ("growth", 100, 1_000),
        ("lotka_volterra", 200, 10_000),
        ("selkov", 10, 10_000),
    ],
)
def test_recipes_have_the_published_sizes(name, runs, samples):
    made = er.systems.get(name).recipes
    assert (made.runs, made.samples, made.step) == (runs, samples, 0.002)


def test_a_recipe_adds_the_noise_that_it_states():
    growth, oscillator = er.systems.get("growth"), er.systems.get("damped_oscillator")
    oscillator = replace(oscillator, recipes=oscillator.recipes._replace(samples=1_000))
    for system, level in ((growth, 0.05), (oscillator, 0.2)):
        clean, noisy = system.recipe(rng=4, noise=0.0, runs=3), system.recipe(rng=4, runs=3)
        error = noisy.points - clean.points
        assert np.allclose(np.diff(clean.times)[:100], 0.002)
        assert abs(error.mean()) < 0.01
        if system is growth:
            error = error / clean.points
            assert error.std(axis=0) == pytest.approx([level] * 2, rel=0.1)
            assert clean.points.min() > 0.1
        else:
            assert error.std(axis=0) == pytest.approx(level * clean.points.std(axis=0), rel=0.05)
    assert np.array_equal(growth.recipe(rng=1, runs=2).points, growth.recipe(rng=1, runs=2).points)


def test_initial_states_keep_to_their_conditions():
    prey = er.systems.get("lotka_volterra")
    states = prey.draw(rng=0, n_runs=200)
    energy = prey.conserved_values(states)[:, 0]
    assert states.shape == (200, 2) and energy.min() >= 3.0 and energy.max() <= 4.5 and states.max() < 0
    radius = np.hypot(*er.systems.get("damped_oscillator").draw(rng=0, n_runs=500).T)
    assert 0.5 <= radius.min() < 0.55 and 1.95 < radius.max() <= 2.0


def test_trajectories_carry_relative_noise():
    system = er.systems.get("hopf")
    t = np.linspace(0, 4, 400)
    clean = system.trajectories(rng=0, n_runs=3, t=t)
    noisy = system.trajectories(rng=0, n_runs=3, t=t, noise=0.1)
    assert clean.names == ("x", "y") and clean.n_runs == 3
    assert (noisy.points - clean.points).std(axis=0) == pytest.approx(0.1 * clean.points.std(axis=0), rel=0.1)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_odebench_rows_are_what_sympy_reads_in_their_text(row):
    system = er.systems.odebench(row.number)
    symbols = sympy.symbols([f"x{j}" for j in range(system.dim)])
    space = dict(zip(system.names, symbols)) | {f"c{j}": c for j, c in enumerate(row.constants)}
    values = sympy.lambdify(symbols, [sympy.sympify(text, locals=space) for text in row.formulas], "math")
    starts = np.array(row.initial)
    assert starts.shape == (2, system.dim)
    points = np.abs(starts) * 0.9 + 0.01
    assert system.rhs(points) == pytest.approx(np.array([values(*p) for p in points]), rel=1e-12, abs=1e-13)


def test_odebench_protocol():
    clean = er.systems.odebench_trajectories(27)
    noisy = er.systems.odebench_trajectories(27, noise=0.05, rng=0)
    assert len(ROWS) == 63 and [row.number for row in ROWS] == list(range(1, 64))
    assert clean.points.shape == (300, 2) and clean.times[[0, 149]] == pytest.approx([0.0, 10.0])
    assert np.array_equal(clean.runs[0].states[0], er.systems.odebench(27).initial[0])
    assert (noisy.points / clean.points - 1).std() == pytest.approx(0.05, rel=0.1)


def test_spirals_obey_their_equations():
    times = np.arange(0.0, 0.05, 0.01)
    spiral = er.systems.reaction_diffusion(times, points=16, beta=0.7)
    k = 2 * np.pi * np.fft.fftfreq(16, 20 / 16)

    def laplacian(f):
        return np.fft.ifft2(-(k[:, None] ** 2 + k**2) * np.fft.fft2(f)).real

    u, v = spiral.u[2], spiral.v[2]
    a = u**2 + v**2
    slopes = [(-f[4] + 8 * f[3] - 8 * f[1] + f[0]) / 0.12 for f in (spiral.u, spiral.v)]
    assert slopes[0] == pytest.approx((1 - a) * u + 0.7 * a * v + 0.1 * laplacian(u), abs=1e-4)
    assert slopes[1] == pytest.approx((1 - a) * v - 0.7 * a * u + 0.1 * laplacian(v), abs=1e-4)


ROW = System("ray", ("x",), ("x**2",), start=Start({"x": (1.0, 2.0)}))
BAD = {
    "no such system": (lambda: er.systems.get("lorentz"), "lorenz"),
    "no such equation": (lambda: er.systems.odebench(64), "1 to 63"),
    "no symmetry": (lambda: er.systems.get("lorenz").action(), "No continuous symmetry"),
    "no recipe": (lambda: er.systems.get("lorenz").recipe(), "trajectories"),
    "no such parameter": (lambda: er.systems.get("lorenz").with_parameters(mu=1.0), "sigma"),
    "blow-up": (lambda: ROW.simulate([1.0], [0.0, 2.0]), "ends near"),
    "time goes back": (lambda: ROW.simulate([1.0], [1.0, 0.0]), "not increasing"),
    "shape": (lambda: ROW.simulate([1.0, 2.0], [0.0, 1.0]), "initial states"),
    "formulas": (lambda: System("two", ("x", "y"), ("x",)), "one formula"),
    "nowhere to start": (lambda: System("no", ("x",), ("x",)).draw(), "starts"),
    "nothing kept": (lambda: System("no", ("x",), ("x",), {}, Start({"x": (0, 1)}, (), ("x", 2, 3))).draw(), "kept"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_explained(case):
    call, said = BAD[case]
    with pytest.raises(er.InputError, match=said):
        call()


def test_parameters_can_be_changed():
    system = er.systems.get("lorenz").with_parameters(rho=99.96)
    assert system.equations()["y"] == "x*(99.96 - z) - y"
    assert er.systems.get("lorenz").parameters["rho"] == 28.0
