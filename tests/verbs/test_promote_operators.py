"""Promotion of operators on grids: against the dense penalty, circulants, recovery from few pairs, and refusals."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from scipy import linalg

import erlangen as er
from erlangen import InputError, UndecidedError
from erlangen.actions import FunctionGrid, on_grid
from erlangen.verbs.operators import OperatorPenalty


def shifts(*shape: int, target: tuple[int, ...] | None = None):
    to = None if target is None else FunctionGrid(target)
    return on_grid(er.actions.translation(len(shape)), FunctionGrid(shape), to)


def blur(n: int, width: float = 2.0) -> np.ndarray:
    """A convolution: heat after some time."""
    steps = np.minimum(np.arange(n), n - np.arange(n))
    return linalg.circulant(np.exp(-((steps / width) ** 2) / 2))


def error(found, truth: np.ndarray) -> float:
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


CASES = {
    "a circle": (er.fields.operators(7), shifts(7)),
    "an even circle": (er.fields.operators(6), shifts(6)),
    "a torus": (er.fields.operators(15), shifts(5, 3)),
    "to a coarser grid": (er.fields.operators(7, 5), shifts(7, target=(5,))),
}


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_dense_penalty(case):
    """The same problem, as polynomials of degree one with one dense factorisation."""
    family, action = CASES[case]
    fast, dense = er.promote(family, action), er.promote(family.polynomial, action)
    assert isinstance(fast, OperatorPenalty)
    rng = np.random.default_rng(0)
    theta = rng.normal(size=family.n_params)
    x, y = rng.normal(size=(4, family.point_dim)), rng.normal(size=(4, family.value_dim))
    assert fast.value(theta) == pytest.approx(dense.value(theta), rel=1e-12)
    lam = 0.3 * fast.largest_weight(x, y)
    found = [p.fit(x, y, lam, tolerance=1e-7) for p in (fast, dense)]
    assert found[0].objective == pytest.approx(found[1].objective, rel=1e-6)
    assert error(found[0].theta, found[1].theta) < 1e-3
    exact = [p.interpolate(x, y, tolerance=1e-7) for p in (fast, dense)]
    assert exact[0].penalty == pytest.approx(exact[1].penalty, rel=1e-5)
    np.testing.assert_allclose(x @ exact[0].field.matrix.T, y, atol=1e-9)
    np.testing.assert_allclose(fast.prox(theta, 0.5), dense.prox(theta, 0.5), atol=1e-3 * np.abs(theta).max())


def test_subgradient_bounds_the_penalty_from_below():
    family, action = CASES["a torus"]
    penalty, rng = er.promote(family, action), np.random.default_rng(1)
    here = rng.normal(size=family.n_params)
    slope = penalty.subgradient(here)
    for there in rng.normal(size=(5, family.n_params)):
        assert penalty.value(there) >= penalty.value(here) + slope @ (there - here) - 1e-9


def test_nothing_is_broken_from_the_largest_weight_on():
    penalty, rng = er.promote(*CASES["a torus"]), np.random.default_rng(2)
    x, y = rng.normal(size=(6, 15)), rng.normal(size=(6, 15))
    largest = penalty.largest_weight(x, y)
    kept = penalty.fit(x, y, largest)
    assert kept.broken_rank == 0
    assert error(kept.theta, penalty.unbroken(x, y).theta) < 1e-3
    # The certificate is of least Frobenius norm, so a fit may keep everything below it; not far below.
    assert penalty.fit(x, y, 0.2 * largest).broken_rank > 0


@pytest.mark.parametrize(("shape", "dim"), [((9,), 9), ((5, 3), 15), ((8,), 10)])
def test_commuting_operators_are_circulants(shape, dim):
    """By known answers, and by singular vectors of equations on coefficients; even grids mix two still modes."""
    action, n = shifts(*shape), int(np.prod(shape))
    space = er.enforce(er.fields.operators(n), action)
    assert (space.dim, space.method) == (dim, "modes")
    other = er.enforce(er.fields.operators(n), action, method="floating")
    assert space.angles(other).max() < 1e-10
    if len(shape) == 1:
        circulant = linalg.circulant(np.random.default_rng(0).normal(size=n)).ravel()
        np.testing.assert_allclose(space.project(circulant), circulant, atol=1e-12)


@pytest.mark.parametrize("n", [64, 127])
def test_convolutions_from_few_pairs(n):
    """A sixteenth of the inputs that least squares needs; seconds and bounded memory for n^2 unknowns."""
    rng, truth = np.random.default_rng(n), blur(n)
    x = rng.normal(size=(n // 16, n))
    y = x @ truth.T + 0.05 * rng.normal(size=x.shape)
    begin = time.perf_counter()
    tracemalloc.start()
    penalty = er.promote(er.fields.operators(n), shifts(n))
    largest = penalty.largest_weight(x, y)
    found, _ = penalty.path(x, y, [largest, 0.3 * largest])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.converged and found.broken_rank == 0
    plain = np.linalg.lstsq(x, y, rcond=None)[0].T
    assert error(found.field.matrix, truth) < 0.1 * error(plain, truth)
    assert peak < 1e8  # a dense normal matrix has 1.3e8 bytes for n = 64, and 2.1e9 for n = 127
    assert time.perf_counter() - begin < 10


def test_a_defect_breaks_translations():
    n, rng = 33, np.random.default_rng(3)
    plain = blur(n)
    hurt = plain.copy()
    hurt[10:14, 10:14] += 1.0
    penalty, x = er.promote(er.fields.operators(n), shifts(n)), rng.normal(size=(24, n))
    assert penalty.interpolate(x, x @ plain.T).broken_rank == 0
    found = penalty.interpolate(x, x @ hurt.T)
    assert found.broken_rank == 1
    least = np.linalg.lstsq(x, x @ hurt.T, rcond=None)[0].T
    assert error(found.field.matrix, hurt) < 0.7 * error(least, hurt)


def test_a_wall_breaks_one_of_two_translations():
    """Conductivity that depends on x alone: translations along y survive, and are named by `kept`."""
    shape, rng = (7, 7), np.random.default_rng(4)
    wall = np.kron(np.diag(np.r_[np.ones(5), 3.0, 3.0]) @ blur(7), blur(7))
    penalty, x = er.promote(er.fields.operators(49), shifts(*shape)), rng.normal(size=(40, 49))
    found = penalty.interpolate(x, x @ wall.T)
    assert found.broken_rank == 1
    assert abs(found.kept[0, 0]) < 1e-3 * abs(found.kept[1, 0])
    least = np.linalg.lstsq(x, x @ wall.T, rcond=None)[0].T
    assert error(found.field.matrix, wall) < 0.5 * error(least, wall)


def test_held_out_pairs_choose_what_is_broken():
    """Noisy pairs of a wall: one translation survives, and the refit that enforces it beats the promoted fit."""
    rng = np.random.default_rng(11)
    wall = np.kron(np.diag([1.0, 1.0, 1.0, 3.0, 3.0]) @ blur(5), blur(5))
    penalty, x = er.promote(er.fields.operators(25), shifts(5, 5)), rng.normal(size=(20, 25))
    y = x @ wall.T + 0.2 * rng.normal(size=(20, 25))
    found = penalty.select(x, y, lams=penalty.largest_weight(x, y) * np.geomspace(1, 1e-3, 6))
    assert (found.broken_rank, found.refitted) == (1, True)
    np.testing.assert_allclose(found.kept.T, [[0.0, 1.0]])
    d = shifts(5, 5).output[1]
    w = found.field.matrix
    assert np.linalg.norm(w @ d - d @ w) < 1e-10 * np.linalg.norm(w) * np.linalg.norm(d)
    assert error(w, wall) < 0.8 * min(error(fit.field.matrix, wall) for fit in found.path)


def test_rotations_of_a_box_take_the_dense_way():
    grid = FunctionGrid((6, 6), low=-1.0, high=1.0, periodic=False)
    action = on_grid(er.actions.rotation(2), grid)
    penalty = er.promote(er.fields.operators(36), action)
    assert not isinstance(penalty, OperatorPenalty)
    d, w = action.output[0], np.random.default_rng(5).normal(size=(36, 36))
    commutator = w @ d - d @ w
    assert penalty.value(w.ravel()) == pytest.approx(np.linalg.norm(commutator) / np.linalg.norm(d), rel=1e-10)


def test_inputs_as_samples_weigh_by_their_second_moment():
    family, action = CASES["a circle"]
    u = np.random.default_rng(6).normal(size=(30, 7)) * np.arange(1, 8)
    w = np.random.default_rng(7).normal(size=(7, 7))
    d = action.output[0]
    moved = np.linalg.norm(u @ (w @ d - d @ w).T) / np.linalg.norm(u @ d.T)
    assert er.promote(family, action, u).value(w.ravel()) == pytest.approx(moved, rel=1e-10)


def test_kernels_of_convolutions_from_few_values():
    """k(y, x) over pairs of points: 21 coefficients of degree 5, of which a function of y - x has 6."""
    kernels = er.fields.Polynomial(degree=5, dim=2).as_field()
    penalty = er.promote(kernels, er.actions.kernel(er.actions.translation(1)), er.Samples.box(-1, 1, dim=2))
    rng = np.random.default_rng(8)
    pairs, new = rng.uniform(-1, 1, (7, 2)), rng.uniform(-1, 1, (200, 2))
    shape = np.polynomial.Polynomial(rng.normal(size=6) / 2.0 ** np.arange(6))
    found = penalty.interpolate(pairs, shape(pairs[:, 0] - pairs[:, 1]), tolerance=1e-8)
    assert found.penalty < 1e-5 * np.linalg.norm(found.theta)
    truth = shape(new[:, 0] - new[:, 1])
    assert np.abs(found.field.value(new)[:, 0] - truth).max() < 1e-4 * np.abs(truth).max()
    least = np.linalg.lstsq(kernels.features(pairs)[:, 0], shape(pairs[:, 0] - pairs[:, 1]), rcond=None)[0]
    assert np.abs(kernels.with_theta(least).value(new)[:, 0] - truth).max() > 0.05 * np.abs(truth).max()


@pytest.mark.parametrize(
    ("make", "error_type", "says"),
    [
        (lambda: er.fields.operators(0), InputError, "at least 1"),
        (lambda: er.fields.OperatorField(np.full((2, 2), np.nan)), InputError, "not finite"),
        (lambda: er.promote(er.fields.operators(8), shifts(9)), InputError, "8 inputs"),
        (lambda: er.promote(er.fields.operators(8), er.actions.translation(8)), InputError, "inputs and outputs"),
        (lambda: er.promote(er.fields.operators(9), shifts(9)).fit(np.ones((2, 9)), np.ones((2, 9)), -1.0),
         InputError, "at least zero"),
        (lambda: er.promote(er.fields.operators(9), shifts(9)).fit(np.ones((2, 9)), np.ones((2, 9)), 1.0),
         UndecidedError, "8 modes"),
        (lambda: er.promote(er.fields.operators(9), shifts(9)).fit(np.ones((2, 9)), np.full((2, 9), np.inf), 1.0),
         InputError, "finite"),
        (lambda: er.promote(er.fields.operators(9), shifts(9)).value(np.ones(80)), InputError, "81 finite numbers"),
        (lambda: er.promote(er.fields.operators(64), shifts(64), np.ones((70, 64))), InputError, "4096 entries"),
        (lambda: er.promote(er.fields.operators(9), shifts(9)).select(np.ones((2, 9)), np.ones((2, 9)), folds=1),
         InputError, "two folds"),
    ],
)  # fmt: skip
def test_refusals(make, error_type, says):
    with pytest.raises(error_type, match=says):
        make()


def test_contradictions_name_the_pair():
    penalty, rng = er.promote(er.fields.operators(9), shifts(9)), np.random.default_rng(9)
    x, y = rng.normal(size=(3, 9)), rng.normal(size=(3, 9))
    with pytest.raises(InputError, match=r"pair \d"):
        penalty.interpolate(np.vstack([x, x[:1]]), np.vstack([y, y[:1] + 1]))


def test_neural_operators_take_the_same_action():
    """L T[u] = DT[u](D u) - D' T[u] of a network on functions, against Jacobians by autograd."""
    torch = pytest.importorskip("torch")
    n, action = 9, shifts(9)
    torch.manual_seed(0)
    layers = [torch.nn.Linear(n, 12), torch.nn.Tanh(), torch.nn.Linear(12, n)]
    network = torch.nn.Sequential(*layers).double()
    u = torch.from_numpy(np.random.default_rng(10).normal(size=(20, n)))
    d = torch.from_numpy(action.output[0])
    slopes = torch.stack([torch.autograd.functional.jacobian(network, one) for one in u])
    lie = torch.einsum("nab,bc,nc->na", slopes, d, u) - network(u) @ d.T
    by_hand = torch.linalg.norm(lie) / torch.linalg.norm(u @ d.T)
    found = er.nn.symmetry_penalty(network, action, u, kind="nuclear")
    assert float(found) == pytest.approx(float(by_hand), rel=1e-8)

    blurred = torch.nn.Linear(n, n, bias=False).double()
    blurred.weight.data = torch.from_numpy(blur(n))
    assert float(er.nn.symmetry_penalty(blurred, action, u, kind="nuclear")) < 1e-12


def test_pairs_without_noise_end_at_once():
    """A shift is a convolution: nothing is to be broken, whatever the weight, and rounding is no signal."""
    rng = np.random.default_rng(12)
    penalty, f = er.promote(er.fields.operators(9), shifts(9)), rng.normal(size=(5, 9))
    shifted = np.roll(np.eye(9), 1, axis=0)
    begin = time.perf_counter()
    found = penalty.select(f, f @ shifted.T)
    assert time.perf_counter() - begin < 5
    assert (found.broken_rank, found.refitted) == (0, True)
    np.testing.assert_allclose(found.field.matrix, shifted, atol=1e-12)
    assert penalty.largest_weight(f, f @ shifted.T) == 0.0
    assert all(fit.broken_rank == 0 for fit in penalty.path(f, f @ shifted.T, [1.0, 1e-16, 0.0]))
    # Noise that is just above rounding asks for little, and iterations end.
    noisy = penalty.path(f, f @ shifted.T + 1e-12 * rng.normal(size=f.shape), 1e-12 * np.geomspace(1, 1e-4, 5))
    assert all(fit.converged for fit in noisy)
    assert penalty.select(f, np.zeros((5, 9))).broken_rank == 0


def test_what_survives_is_named_as_on_points(tmp_path):
    rng = np.random.default_rng(13)
    wall = np.kron(np.diag([1.0, 1.0, 1.0, 3.0, 3.0]) @ blur(5), blur(5))
    penalty, x = er.promote(er.fields.operators(25), shifts(5, 5)), rng.normal(size=(20, 25))
    found = penalty.select(x, x @ wall.T)
    assert error(found.field.matrix, wall) < 1e-10
    assert found.reason.startswith("1 of 2 generators are broken")
    assert (found.symmetry.name, found.symmetry.dim) == ("R", 1)
    assert "d/dy" in str(found.symmetry) and "d/dx" not in str(found.symmetry)
    found.symmetry.save(tmp_path / "wall.json")
    assert er.Symmetry.load(tmp_path / "wall.json").texts == found.symmetry.texts
    promoted = penalty.select(x, x @ wall.T + 0.1 * rng.normal(size=(20, 25)), debias=False)
    assert not promoted.refitted and "the largest that is as good" in promoted.reason


def test_names_of_generators_on_functions_follow_combinations():
    action = shifts(5, 3)
    assert action.names == ("d/dx", "d/dy")
    assert action.restrict(np.array([[1.0], [2.0]])).names == ("d/dx + 2 d/dy",)


@pytest.mark.parametrize("make", [lambda p: 2.0 * p, lambda p: p * 2.0, lambda p: p + p, lambda p: sum([p, p])])
def test_penalties_in_modes_stand_alone(make):
    with pytest.raises(InputError, match="with samples penalties add up"):
        make(er.promote(er.fields.operators(9), shifts(9)))


def test_invariants_of_images():
    """Quadratic functions of an image that translations leave alone: constant, mean, its square, 7 powers of waves."""
    image = FunctionGrid((5, 3))
    moves = er.actions.linear(image.generators(er.actions.translation(2)))
    family = er.fields.Polynomial(degree=2, dim=15).as_field()
    assert er.enforce(family, moves).dim == 10
    penalty, rng = er.promote(family, moves, er.Samples.gaussian(dim=15, n=64)), np.random.default_rng(14)
    u, new = rng.normal(size=(60, 15)), rng.normal(size=(200, 15))
    power = lambda v: np.mean((v @ image.derivative(0).T) ** 2, axis=1)  # noqa: E731
    found = penalty.interpolate(u, power(u))
    assert found.broken_rank == 0
    np.testing.assert_allclose(found.field.value(new)[:, 0], power(new), rtol=1e-6)
