"""Solutions over windows: derivatives, elimination of initial states, noise, subsets, the weak form."""

from itertools import combinations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import erlangen as er
from erlangen.dynamics._library import candidates
from erlangen.dynamics.shooting.discovery import candidates as weak_candidates
from erlangen.dynamics.shooting.flow import Columns, Model, solve, tangents
from erlangen.dynamics.shooting.newton import Shooting
from erlangen.dynamics.shooting.noise import sizes
from erlangen.dynamics.shooting.observed import Record, windows
from erlangen.dynamics.shooting.records import _averaged, records
from erlangen.dynamics.shooting.subsets import best_subsets
from erlangen.dynamics.shooting.weak import Weak, weak_rows
from erlangen.fields import Expressions, Polynomial, Trajectories
from erlangen.fields.bases import Fourier, Joined, Monomials, polynomial_basis

MIXED = candidates(Polynomial(3) + Expressions("sin(x)*y", "1/(1 + y**2)", "exp(u)"), 3, ["x", "y", "u"]).basis
BASES = {
    "monomials": polynomial_basis(3, 3),
    "monomials and formulas": MIXED,
    "functions of another kind": Joined((Monomials(np.zeros((1, 2), dtype=np.int64)), Fourier([2.0, 3.0], 2))),
}


def _record(t, x, sizes, slopes, inputs=None, run=0):
    u = np.zeros((len(t), 0)) if inputs is None else inputs
    return Record(t, x, np.full_like(x, sizes), x, slopes, np.zeros(len(t)), u, run, np.arange(len(t)))


def _van_der_pol(t, start):
    run = solve_ivp(
        lambda _, z: [z[1], -z[0] + z[1] - z[0] ** 2 * z[1]], (t[0], t[-1]), start, t_eval=t, rtol=1e-11, atol=1e-12
    )
    x = run.y.T
    return x, np.stack([x[:, 1], -x[:, 0] + x[:, 1] - x[:, 0] ** 2 * x[:, 1]], axis=1)


VDP = polynomial_basis(2, 3)
ATOMS = np.eye(2 * VDP.size).reshape(-1, 2, VDP.size)
NONE = np.zeros((0, len(ATOMS)))
TRUE = {(0, (0, 1)): 1.0, (1, (1, 0)): -1.0, (1, (0, 1)): 1.0, (1, (2, 1)): -1.0}
SUPPORT = tuple(sorted(a * VDP.size + int(np.flatnonzero((VDP.table == e).all(axis=1))[0]) for a, e in TRUE))
VALUES = np.array([value for _, value in sorted(
    (a * VDP.size + int(np.flatnonzero((VDP.table == e).all(axis=1))[0]), v) for (a, e), v in TRUE.items()
)])  # fmt: skip


@pytest.fixture(scope="module")
def cycles():
    t = np.linspace(0, 8, 121)
    return t, [_van_der_pol(t, start) for start in ((2.0, 0.0), (0.1, 0.4), (-1.0, 1.5))]


@pytest.mark.parametrize("name", BASES)
def test_columns_are_those_of_the_basis(name):
    basis, chosen = BASES[name], np.array([0, 2, BASES[name].size - 1])
    x = np.random.default_rng(0).normal(size=(7, basis.point_dim))
    columns = Columns.of(basis, chosen)
    assert np.allclose(columns.evaluate(x), basis.evaluate(x)[:, chosen], rtol=1e-14, atol=0)
    assert np.allclose(columns.gradients(x), basis.gradients(x)[:, chosen], rtol=1e-13, atol=1e-15)
    nothing = Columns.of(basis, np.zeros(0, dtype=np.int64))
    assert nothing.evaluate(x).shape == (7, 0) and nothing.gradients(x).shape == (7, 0, basis.point_dim)


def test_derivatives_of_solutions_are_those_of_differences():
    rng = np.random.default_rng(1)
    t = np.sort(rng.uniform(0, 1.5, 9))
    parts = [_record(t, rng.normal(size=(9, 2)), 1.0, np.zeros((9, 2)), rng.normal(size=(9, 1))) for _ in range(3)]
    win = windows(parts, 4)
    atoms = rng.normal(size=(3, 2, MIXED.size)) * 0.1
    model, z = Model.of(MIXED, atoms), rng.normal(size=3)
    start = rng.normal(size=(len(win.time), 2)) * 0.3

    def end(z, start):
        return solve(model.columns, np.tensordot(z, model.atoms, 1), win, start, 2)

    found = tangents(model, np.tensordot(z, model.atoms, 1), win, end(z, start).stages)
    h = 1e-6
    for j in range(3):
        step = h * np.eye(3)[j]
        by_difference = (end(z + step, start).states - end(z - step, start).states) / (2 * h)
        assert np.allclose(found[..., 2 + j], by_difference, atol=1e-8)
    for a in range(2):
        step = np.zeros_like(start)
        step[:, a] = h
        by_difference = (end(z, start + step).states - end(z, start - step).states) / (2 * h)
        assert np.allclose(found[..., a], by_difference, atol=1e-8)


def test_controls_act_between_samples():
    t = np.linspace(0, 2, 41)
    basis = candidates(Polynomial(1), 1, ["x", "u"]).basis  # 1, x, u
    part = _record(t, np.zeros((41, 1)), 1.0, np.zeros((41, 1)), t[:, None])
    win = windows([part], 40)
    states = solve(Columns.of(basis, np.arange(3)), np.array([[0.0, -1.0, 1.0]]), win, np.ones((1, 1)), 2).states
    assert np.allclose(states[0, :, 0], t - 1 + 2 * np.exp(-t), atol=1e-7)  # x' = -x + t


def test_initial_states_are_eliminated_exactly(cycles):
    t, runs = cycles
    rng = np.random.default_rng(2)
    parts = [_record(t, x + 0.05 * rng.normal(size=x.shape), 0.05, v) for x, v in runs]
    problem = Shooting(VDP, ATOMS, windows(parts, 40), 2, NONE)
    fit = problem.fit(SUPPORT, 0.8 * VALUES, problem.win.start, 30)
    linear = problem.linear(fit)
    model, win = problem.model(SUPPORT), problem.win
    matrix = np.tensordot(fit.z, model.atoms, 1)
    solution = solve(model.columns, matrix, win, fit.start, 2)
    change = tangents(model, matrix, win, solution.stages) * win.weights[..., None]
    count, length, d, _ = change.shape
    rows = np.zeros((count * length * d, count * d + 4))
    for w in range(count):
        block = slice(w * length * d, (w + 1) * length * d)
        rows[block, w * d : (w + 1) * d] = change[w, ..., :d].reshape(-1, d)
        rows[block, count * d :] = change[w, ..., d:].reshape(-1, 4)
    rest = ((win.states - solution.states) * win.weights).ravel()
    step = np.linalg.lstsq(rows, rest, rcond=None)[0][count * d :]
    design = linear.design[:, list(SUPPORT)]
    mine = np.linalg.lstsq(design, linear.target, rcond=None)[0] - fit.z
    assert np.allclose(mine, step, atol=1e-8)
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    assert np.abs(step / errors).max() < 0.05  # it has converged, far below what noise can tell
    assert np.abs((fit.z - VALUES) / errors).max() < 4


def test_stated_errors_are_those_that_occur(cycles):
    t, runs = cycles
    scores = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        parts = [_record(t, x + 0.1 * rng.normal(size=x.shape), 0.1, v) for x, v in runs]
        problem = Shooting(VDP, ATOMS, windows(parts, 200), 2, NONE)
        fit = problem.fit(SUPPORT, VALUES, problem.win.start)
        design = problem.linear(fit).design[:, list(SUPPORT)]
        scores.append((fit.z - VALUES) / np.sqrt(np.diag(np.linalg.inv(design.T @ design))))
    # 48 numbers of variance one, of which those of one draw are correlated: within three standard errors.
    assert 0.5 < np.mean(np.square(scores)) < 1.6


def test_windows_of_long_runs_say_as_much_as_bins_of_them():
    t = np.linspace(0, 8, 16001)
    x, v = _van_der_pol(t, (2.0, 0.0))
    noisy = x + 0.05 * np.random.default_rng(3).normal(size=x.shape)
    flow = Trajectories.from_arrays(noisy, t)
    (binned,) = records(flow, er.dynamics.smooth(flow))
    assert 256 <= len(binned.time) < 600 and binned.spread.min() > 0
    ratio = binned.sizes.mean() / (0.05 / np.sqrt(len(t) / len(binned.time)))
    assert abs(ratio - 1) < 0.05
    problem = Shooting(VDP, ATOMS, windows([binned], 1000), 2, NONE)
    fit = problem.fit(SUPPORT, VALUES, problem.win.start)
    assert abs(fit.cost / problem.win.n_observed - 1) < 0.2
    assert np.allclose(fit.z, VALUES, atol=0.01)


def test_noise_has_a_constant_and_a_relative_part():
    rng = np.random.default_rng(4)
    x = np.stack([np.linspace(0, 10, 4000), np.linspace(-3, 3, 4000)], axis=1)
    true = np.stack([np.sqrt(0.1**2 + (0.05 * x[:, 0]) ** 2), np.full(4000, 1e-3)], axis=1)
    rest = true * rng.normal(size=x.shape)
    (found,) = sizes([rest], [x], 0.0, np.full(2, 1e-9))
    assert np.abs(found / true - 1).max() < 0.15
    (floor,) = sizes([rest * 1e-12], [x], 0.0, np.full(2, 1e-6))
    assert np.array_equal(floor, np.full_like(x, 1e-6))


def test_best_subsets_are_the_best():
    rng = np.random.default_rng(5)
    a = rng.normal(size=(30, 8))
    a[:, 7] = a[:, 0] + a[:, 1] + 0.01 * rng.normal(size=30)  # greedy steps would take this one
    y = a[:, 0] + a[:, 1] + 0.1 * rng.normal(size=30)
    found = best_subsets(a, y, 4)
    for size in range(1, 5):
        squares = {s: _squares(a[:, list(s)], y) for s in combinations(range(8), size)}
        best = min(squares, key=squares.get)
        mine = min((s for s in found if len(s) == size), key=found.get)
        assert mine == best and found[mine] == pytest.approx(squares[best], rel=1e-9)


def _squares(a, y):
    return float(np.sum((y - a @ np.linalg.lstsq(a, y, rcond=None)[0]) ** 2))


def test_the_weak_form_holds_on_solutions(cycles):
    t, runs = cycles
    parts = [_record(t, x, 1e-3, v) for x, v in runs]
    rows = weak_rows(parts, Columns.of(VDP, np.arange(VDP.size)))
    matrix = np.tensordot(VALUES, ATOMS[list(SUPPORT)], 1)
    for a, row in enumerate(rows):
        # In units of noise of 1e-3: what is left is the interpolation between samples, h^4 / 384 of fourth derivatives.
        assert np.abs(row.design @ matrix[a] - row.y).max() < 1.0
    weak = Weak(rows, ATOMS, NONE)
    assert np.allclose(weak.fit(SUPPORT), VALUES, atol=2e-3)
    assert SUPPORT in weak_candidates(weak, np.full(len(ATOMS), 10.0))


def test_averages_over_bins_bend_with_the_solution():
    t = np.linspace(0, 8, 8001)
    x, v = _van_der_pol(t, (2.0, 0.0))
    (binned,) = [_averaged(_record(t, x, 1e-6, v), 32)]
    problem = Shooting(VDP, ATOMS, windows([binned], 1000), 8, NONE)
    fit = problem.fit(SUPPORT, VALUES, problem.win.start)
    # An average lies v x'' / 2 beside the middle, many times these errors; what is left is of fourth order.
    assert np.abs(binned.spread.max() / 2 / binned.sizes.min()) > 100
    assert np.sqrt(fit.cost / problem.win.n_observed) < 5 and np.allclose(fit.z, VALUES, atol=1e-6)
