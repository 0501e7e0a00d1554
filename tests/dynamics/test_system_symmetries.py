"""Symmetries of equations: known algebras, the prolongation formula, clocks, controls, runs."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import erlangen as er
from erlangen._errors import InputError
from erlangen.actions import CallableAction, Driven, Prolonged, Rescaled, affine, fields, polynomial
from erlangen.derivative import LieDerivative
from erlangen.dynamics import Equations, symmetries
from erlangen.dynamics._prolonged import motion
from erlangen.dynamics._weak_field import weak_field
from erlangen.fields import as_field

KEPLER = {"x": "vx", "y": "vy", "vx": "-x/(x**2+y**2)**1.5", "vy": "-y/(x**2+y**2)**1.5"}


def orbits(n: int = 120, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    r, angle = rng.uniform(0.6, 1.5, n), rng.uniform(0, 2 * np.pi, n)
    return np.column_stack([r * np.cos(angle), r * np.sin(angle), rng.normal(size=(n, 2))])


# --- the second prolongation


def sympy_prolongation(tau: str, eta: list[str]):
    """Derivatives along a curve, by SymPy's own differentiation: velocity and acceleration parts."""
    t, a, b = sympy.symbols("t a b")
    x, y = sympy.Function("x")(t), sympy.Function("y")(t)
    read = {"t": t, "x": x, "y": y}
    tau, *eta = (sympy.sympify(text, locals=read) for text in (tau, *eta))
    first = [sympy.diff(e, t) - sympy.diff(q, t) * sympy.diff(tau, t) for e, q in zip(eta, (x, y), strict=True)]
    second = [sympy.diff(e, t) - sympy.diff(q, t, 2) * sympy.diff(tau, t) for e, q in zip(first, (x, y), strict=True)]
    plain = sympy.symbols("X Y vx vy ax ay")
    swaps = [
        (sympy.diff(q, t, k), s)
        for k, ss in ((2, plain[4:]), (1, plain[2:4]), (0, plain[:2]))
        for q, s in zip((x, y), ss, strict=True)
    ]
    exprs = [e.subs(swaps[:2]).subs(swaps[2:4]).subs(swaps[4:]) for e in (*first, *second)]
    return sympy.lambdify((t, *plain), exprs, "numpy")


@pytest.mark.parametrize(
    "components",
    [["1", "0", "0"], ["t**2*x", "x*y", "t*y**2"], ["x*y - t", "t**2*y", "x**2 - t*y"], ["y**3", "x**3", "t**3"]],
)
def test_second_prolongation_against_sympy(components):
    action = fields([components], ["t", "x", "y"])
    z = np.random.default_rng(0).normal(size=(40, 7))  # t, x, y, vx, vy, ax, ay
    lifted = Prolonged(action)
    expected = np.stack(
        np.broadcast_arrays(*sympy_prolongation(components[0], components[1:])(*z.T), z[:, 0])[:4], axis=1
    )
    got = lifted.on_values(z[:, :5], z[:, 3:])[:, 0]
    assert np.allclose(got, expected, rtol=1e-12, atol=1e-12)
    assert np.allclose(lifted.on_points(z[:, :5])[:, 0, 3:], expected[:, :2])
    assert np.allclose(lifted.on_points(z[:, :5])[:, 0, :3], action.on_points(z[:, :3])[:, 0])


def test_prolongation_of_plain_functions_is_that_of_polynomials():
    exact = fields([["t**2", "t*x"], ["x", "t**3 - x**2"]], ["t", "x"])
    plain = Prolonged(CallableAction(exact.on_points, 2, ("a", "b")))
    z = np.random.default_rng(1).normal(size=(30, 3))
    values = np.random.default_rng(2).normal(size=(30, 2))
    assert np.allclose(plain.on_values(z, values), Prolonged(exact).on_values(z, values), atol=1e-8)


def test_brackets_of_prolongations_are_prolongations_of_brackets():
    one, two = (Prolonged(fields([c], ["t", "x"])) for c in (["t*x", "x**2"], ["t**2", "t - x"]))
    # [t x d/dt + x^2 d/dx, t^2 d/dt + (t - x) d/dx] by hand, with [X, Y]^a = X^b d_b Y^a - Y^b d_b X^a.
    both = Prolonged(fields([["t**2*x - t*(t - x)", "t*x - x**2 - 2*x*(t - x)"]], ["t", "x"]))
    z = np.random.default_rng(3).normal(size=(20, 3))
    along = two.derivative_along(z, one.on_points(z)[:, 0]) - one.derivative_along(z, two.on_points(z)[:, 0])
    assert np.allclose(along, both.on_points(z), atol=1e-8)


# --- second order: known algebras


@pytest.mark.parametrize(
    ("equations", "dim", "name"),
    [
        ({"x": "v", "v": "0"}, 8, "sl(3,R)"),
        ({"x": "v", "v": "-x"}, 2, "R^2"),  # the other six generators are not polynomial
        ({"x": "v", "v": "x**3"}, 2, "aff(1)"),  # time, and t d/dt - x d/dx
        ({"x": "v", "v": "-x + v**3"}, 1, "R"),
    ],
)
def test_point_symmetries_of_one_coordinate(equations, dim, name):
    found = symmetries(equations, samples=er.Samples.gaussian(dim=2, n=32), order=2)
    assert (found.dim, found.name) == (dim, name)


def test_harmonic_oscillator_has_eight_among_functions_of_time():
    def velocities(z):
        t, x = z.T
        one, c, s, c2, s2 = np.ones_like(t), np.cos(t), np.sin(t), np.cos(2 * t), np.sin(2 * t)
        times, places = (one, c2, s2, x * c, x * s), (c, s, x, x * c2, x * s2, x**2 * c, x**2 * s)
        return np.stack([np.stack(p, 1) for p in [(f, 0 * t) for f in times] + [(0 * t, f) for f in places]], axis=1)

    action = CallableAction(velocities, 2, tuple(f"g{k}" for k in range(12)))
    found = symmetries({"x": "v", "v": "-x"}, action, er.Samples.gaussian(dim=2, n=24), order=2)
    assert (found.dim, found.name) == (8, "sl(3,R)")


def test_kepler_has_rotations_time_and_the_third_law():
    found = symmetries(KEPLER, samples=orbits(), order=2)
    assert found.dim == 3
    assert {"d/dt", "x d/dy - y d/dx", "3 t d/dt + 2 x d/dx + 2 y d/dy"} == set(found.texts)


def test_emden_fowler_depends_on_time():
    # x'' = -2/t x' - x^5: the scaling x -> s x, t -> t / s^2 (Lane and Emden, index 5).
    field = as_field("-2*v/t - x**5", "invariant", variables=["t", "x", "v"])
    samples = er.Samples.box([0.5, 0.2, -1], [2, 1.5, 1], n=200)
    found = symmetries(field, samples=samples, order=2, names=["t", "x", "v"])
    assert found.dim == 1 and found.test(fields([["-2*t", "x"]], ["t", "x"])).verdict == "symmetric"


def test_rows_of_the_free_particle_have_rank_four_of_twelve():
    free, samples = motion(Equations.from_text({"x": "v", "v": "0"}).as_field(), er.Samples.gaussian(dim=2, n=64))
    assert np.linalg.matrix_rank(LieDerivative(free, Prolonged(polynomial(2, 2)), samples).in_xi()) == 4


# --- up to the choice of time


@pytest.mark.parametrize("name", ["kepler", "rigid_body", "dipole", "swinging_atwood"])
def test_known_rescalings_are_found(name):
    system = er.systems.get(name)
    points = system.trajectories(rng=0, n_runs=10, t=np.linspace(0, system.span, 20), noise=0).points
    known = system.rescalings[0]
    target = fields([known.generator], system.names)
    f = Equations.from_text(dict(system.equations())).as_field()
    bracket = LieDerivative(f, target, er.Samples.from_data(points)).rows(points)[:, :, 0]
    assert np.allclose(bracket, known.factor * f.value(points), atol=1e-10 * np.abs(bracket).max())
    found = symmetries(system, samples=points, rescaling="constant")
    velocities = found.action.on_points(points).transpose(0, 2, 1).reshape(-1, found.dim)
    wanted = target.on_points(points).ravel()
    left = wanted - velocities @ np.linalg.lstsq(velocities, wanted, rcond=None)[0]
    assert np.linalg.norm(left) < 1e-8 * np.linalg.norm(wanted)


def test_a_constant_clock_is_printed_with_its_rate():
    found = symmetries(KEPLER, samples=orbits(), rescaling="constant")
    assert found.name == "R^2"
    assert "2 x d/dx + 2 y d/dy - vx d/dvx - vy d/dvy, [xi, F] = (-3) F" in found.texts


def test_functions_times_the_field_are_set_apart():
    samples = er.Samples.gaussian(dim=2, n=64)
    found = symmetries({"x": "x - x*y", "y": "x*y - y"}, polynomial(2, 2), samples, rescaling="function")
    assert found.dim == 0 and len(found.own) == 1
    turning = symmetries({"x": "y", "y": "-x"}, polynomial(2, 2), samples, rescaling="function", rates=1)
    multiples = fields([["y", "-x"], ["x*y", "-x**2"], ["y**2", "-x*y"]], ["x", "y"])  # F, x F and y F
    x = np.random.default_rng(0).normal(size=(30, 2))
    own = polynomial(2, 2).restrict(turning.own[:, :12].T).on_points(x).transpose(0, 2, 1).reshape(60, -1)
    wanted = multiples.on_points(x).transpose(0, 2, 1).reshape(60, -1)
    assert np.allclose(own @ np.linalg.lstsq(own, wanted, rcond=None)[0], wanted)


def test_rescaled_rows_are_bracket_minus_rate():
    action = Rescaled(affine(2), np.array([[0, 0], [1, 0]]))
    field = Equations.from_text({"x": "y", "y": "-x**3"}).as_field()
    x = np.random.default_rng(0).normal(size=(5, 2))
    rows = LieDerivative(field, action, er.Samples.from_data(np.repeat(x, 8, axis=0))).rows(x)
    bracket = LieDerivative(field, affine(2), er.Samples.from_data(np.repeat(x, 8, axis=0))).rows(x)
    assert np.allclose(rows[:, :, :6], bracket)
    assert np.allclose(rows[:, :, 6], -field.value(x)) and np.allclose(rows[:, :, 7], -x[:, :1] * field.value(x))
    basis = np.random.default_rng(1).normal(size=(8, 3))
    part = action.restrict(basis)
    assert np.allclose(
        part.on_values(x, field.value(x)), np.einsum("npc,pr->nrc", action.on_values(x, field.value(x)), basis)
    )


# --- with controls


def test_controls_turn_with_the_states():
    # A point pushed by a vector: rotations turn both; scalings scale both.
    found = symmetries(
        {"x": "-x*(x**2+y**2) + u", "y": "-y*(x**2+y**2) + w"},
        controls=["u", "w"],
        samples=er.Samples.gaussian(dim=4, n=512),
    )
    assert found.test(fields([["-y", "x", "-w", "u"]], ["x", "y", "u", "w"])).verdict == "symmetric"
    assert found.test(fields([["-y", "x", "0", "0"]], ["x", "y", "u", "w"])).verdict == "broken"


def test_states_do_not_move_by_controls():
    with pytest.raises(InputError, match="depends on controls"):
        Driven(fields([["u", "0"]], ["x", "u"]), 1)


# --- weakly from runs


def test_noisy_runs_need_no_derivative():
    flow = er.systems.get("hopf").trajectories(rng=0, n_runs=10, t=np.linspace(0, 10, 200), noise=0.01)
    found = symmetries(flow)
    assert found.name == "so(2)" and found.decided and found.floor < 0.05


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_the_weak_field_is_known_as_well_as_it_says(noise):
    hopf = er.systems.get("hopf")
    flow = hopf.trajectories(rng=1, n_runs=10, t=np.linspace(0, 10, 200), noise=noise)
    truth, fitted = Equations.from_text(dict(hopf.equations())).as_field(), weak_field(flow, 0.05)
    x = flow.points
    error = np.linalg.norm(fitted.jacobian(x) - truth.jacobian(x)) / np.linalg.norm(truth.jacobian(x))
    assert error < 3 * fitted.accuracy < 0.15


@pytest.mark.parametrize(("n_runs", "noise"), [(2, 0.2), (3, 0.2), (2, 0.02)])
def test_terms_that_noise_hides_leave_it_open(n_runs, noise):
    flow = er.systems.get("hopf").trajectories(rng=0, n_runs=n_runs, t=np.linspace(0, 10, 100), noise=noise)
    found = symmetries(flow)
    assert not found.decided and not found.dim


def test_noise_that_drowns_the_field_leaves_it_open():
    flow = er.systems.get("hopf").trajectories(rng=0, n_runs=2, t=np.linspace(0, 10, 40), noise=0.5)
    assert not symmetries(flow).decided


def test_fits_miss_the_velocities_a_little():
    nearly = Equations(("x", "v"), (), ("x", "v"), np.array([[0, 1.001], [-1.0, 0]]), np.array([[0, 0.01], [0.01, 0]]))
    assert symmetries(nearly, samples=er.Samples.gaussian(dim=2, n=48), order=2).dim == 2
    sure = Equations(("x", "v"), (), ("x", "v"), np.array([[0, 1.001], [-1.0, 0]]))
    with pytest.raises(InputError, match="positions move at the velocities"):
        symmetries(sure, order=2)


def test_files_hold_plain_symmetries_only(tmp_path):
    found = symmetries({"x": "v", "v": "-x**3"}, samples=er.Samples.gaussian(dim=2, n=64), rescaling="constant")
    assert found.to_sympy() and found.to_dict()["dim"] == 1
    with pytest.raises(InputError, match="no file format"):
        found.save(tmp_path / "scaling.json")


# --- bad input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rescaling": "constnat"}, "constant"),
        ({"order": 3}, "first or second"),
        ({"order": 2, "rescaling": "constant"}, "choose time themselves"),
        ({"names": ["a", "b", "c"]}, "one name for each state"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(InputError, match=words):
        symmetries({"x": "y", "y": "-x"}, **options)


def test_positions_come_before_velocities():
    with pytest.raises(InputError, match="positions move at the velocities"):
        symmetries({"v": "-x", "x": "v"}, order=2)


def test_points_are_asked_for():
    with pytest.raises(InputError, match="samples are missing"):
        symmetries({"x": "sin(y)", "y": "x"})
