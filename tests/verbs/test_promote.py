"""Promotion: the penalty against integrals done by hand, known ranks, recovery, noise, and what is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import erlangen as er
from erlangen import InputError, UndecidedError, promote
from erlangen.actions import PolynomialAction
from erlangen.derivative import LieDerivative
from erlangen.fields.bases import Fourier
from erlangen.verbs import Penalty

FOURIER = Fourier([2.0, 2.0], order=2, tensor=True)

TOP = 6
"""Gauss points a coordinate: exact up to degree 11."""


def grid(d: int, gaussian: bool) -> tuple[np.ndarray, np.ndarray]:
    """Product Gauss quadrature of the box from -1 to 1 or of the normal distribution."""
    rule = np.polynomial.hermite_e.hermegauss if gaussian else np.polynomial.legendre.leggauss
    nodes, weights = rule(TOP)
    x = np.array(list(product(nodes, repeat=d)))
    w = np.array([np.prod(v) for v in product(weights / weights.sum(), repeat=d)])
    return x, w


def scalar(degree: int, d: int):
    return er.fields.Polynomial(degree=degree, dim=d).as_field()


def vector(degree: int, d: int):
    return er.fields.Polynomial(degree=degree, dim=d).as_vector_field()


ROTATED = er.actions.rotation(2).with_output(np.array([[[0.0, -1.0], [1.0, 0.0]]]))
CASES = {
    "scalar, se(2)": (scalar(3, 2), er.actions.euclidean(2)),
    "scalar, affine(2)": (scalar(2, 2), er.actions.affine(2)),
    "scalar, se(3)": (scalar(2, 3), er.actions.euclidean(3)),
    "vector field, affine(2)": (vector(2, 2), er.actions.affine(2)),
    "values rotated with points": (er.fields.Polynomial(degree=2, dim=2).as_field(2), ROTATED),
    "generators of degree 2": (scalar(2, 2), er.actions.polynomial(2, 2)),
}


def by_hand(field, action: PolynomialAction, gaussian: bool) -> np.ndarray:
    """Singular values from quadrature: generalised eigenvalues of int (L_k f)(L_l f) against int xi_k . xi_l."""
    x, w = grid(field.point_dim, gaussian)
    lie = LieDerivative(field, action, er.Samples.from_data(x, w))
    rows = lie.in_xi()
    speed = (action.on_points(x) * np.sqrt(w)[:, None, None]).transpose(0, 2, 1).reshape(-1, action.n_generators)
    root = np.linalg.qr(speed)[1]
    return np.linalg.svd(rows @ np.linalg.inv(root), compute_uv=False)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("gaussian", [False, True])
def test_singular_values_are_those_of_the_integrals(name, gaussian):
    family, action = CASES[name]
    d = family.point_dim
    samples = er.Samples.gaussian(dim=d, n=8) if gaussian else er.Samples.box(-1, 1, dim=d, n=8)
    penalty = promote(family, action, samples)
    theta = np.random.default_rng(0).normal(size=family.n_params)
    s = np.linalg.svd(penalty.matrix(theta), compute_uv=False)
    known = by_hand(family.with_theta(theta), action, gaussian)
    k = min(len(s), len(known))
    assert np.allclose(s[:k], known[:k], atol=1e-9 * known[0])
    assert np.isclose(penalty.value(theta), known.sum())


@pytest.mark.parametrize("name", CASES)
def test_points_with_weights_give_the_same_as_the_measure(name):
    """Gauss points integrate exactly, so that sums over them are the integrals over the box."""
    family, action = CASES[name]
    theta = np.random.default_rng(1).normal(size=family.n_params)
    exact = promote(family, action, er.Samples.box(-1, 1, dim=family.point_dim, n=8))
    x, w = grid(family.point_dim, gaussian=False)
    sampled = promote(family, action, er.Samples.from_data(x, w))
    assert np.isclose(sampled.value(theta), exact.value(theta))
    assert np.allclose(sampled.subgradient(theta), exact.subgradient(theta))


def test_fields_that_are_no_polynomials_are_sampled():
    """Fourier functions: rows at points, in every basis of the values the same singular values."""
    family = FOURIER.as_field()
    x = np.random.default_rng(2).uniform(0, 1, (400, 2))
    action = er.actions.translation(2)
    penalty = promote(family, action, x)
    theta = np.random.default_rng(3).normal(size=family.n_params)
    rows = LieDerivative(family.with_theta(theta), action, er.Samples.from_data(x)).in_xi()
    assert np.isclose(penalty.value(theta), np.linalg.svd(rows, compute_uv=False).sum())
    assert penalty.map.shape == (2, 2 * family.n_params)  # 400 rows, turned into as many as there are columns


@pytest.mark.parametrize("inner", ["speed", "coefficients"])
def test_the_inner_product_decides_what_a_generator_costs(inner):
    """Rotations of the box have mean square speed 2 / 3, and coefficients of length sqrt 2."""
    penalty = promote(scalar(2, 3), er.actions.rotation(3), er.Samples.box(-1, 1, dim=3, n=8), inner=inner)
    assert np.allclose(penalty.generators, np.eye(3) / np.sqrt(2 / 3 if inner == "speed" else 2))


@pytest.mark.parametrize("action", [er.actions.translation(3), er.actions.affine(3)], ids=["translations", "affine"])
def test_relative_speeds_do_not_depend_on_units(action):
    """The same function over columns in other units: the value is the same, where the action may have any units."""
    rng, units, family = np.random.default_rng(9), np.array([1e-3, 1.0, 50.0]), scalar(2, 3)
    x = rng.normal(size=(30, 3))
    values = family.with_theta(rng.normal(size=10)).value(x)[:, 0]
    priced = {}
    for inner in ("relative", "speed"):
        thetas = [np.linalg.lstsq(family.features(x * u)[:, 0], values)[0] for u in (1.0, units)]
        both = zip((1.0, units), thetas, strict=True)
        priced[inner] = [promote(family, action, x * u, inner=inner).value(theta) for u, theta in both]
    assert np.isclose(*priced["relative"])
    assert not np.isclose(*priced["speed"])


def test_the_basis_of_the_generators_does_not_matter():
    family, action = CASES["scalar, se(3)"]
    rng = np.random.default_rng(4)
    mixed = action.restrict(rng.normal(size=(6, 6)))
    theta = rng.normal(size=family.n_params)
    values = [promote(family, a, er.Samples.box(-1, 1, dim=3, n=8)).value(theta) for a in (action, mixed)]
    assert np.isclose(*values)


def test_generators_that_repeat_or_vanish_are_left_out():
    family = scalar(2, 2)
    twice = er.actions.translation(2).restrict(np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]]))
    penalty = promote(family, twice, er.Samples.box(-1, 1, dim=2, n=8))
    once = promote(family, er.actions.translation(2), er.Samples.box(-1, 1, dim=2, n=8))
    theta = np.random.default_rng(5).normal(size=6)
    assert penalty.generators.shape == (4, 2)
    assert np.isclose(penalty.value(theta), once.value(theta))


def convexity_cases() -> list[Penalty]:
    return [promote(f, a, er.Samples.box(-1, 1, dim=f.point_dim, n=8)) for f, a in CASES.values()]


def test_the_penalty_is_a_seminorm_and_its_subgradient_supports_it():
    rng = np.random.default_rng(6)
    for penalty in convexity_cases():
        a, b = rng.normal(size=(2, penalty.field.n_params))
        assert np.isclose(penalty.value(-2 * a), 2 * penalty.value(a))
        assert penalty.value(a + b) <= penalty.value(a) + penalty.value(b) + 1e-12
        g = penalty.subgradient(a)
        assert np.isclose(g @ a, penalty.value(a))
        assert penalty.value(b) >= penalty.value(a) + g @ (b - a) - 1e-12


def test_the_proximal_map():
    """``(theta - p) / step`` is a subgradient at p; and the map moves no two points apart."""
    penalty = convexity_cases()[0]
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(2, penalty.field.n_params))
    p, r = (penalty.prox(v, 0.3, tolerance=1e-9) for v in (a, b))
    for _ in range(20):
        other = p + rng.normal(size=len(p)) * rng.choice([1e-3, 1.0])
        assert penalty.value(other) >= penalty.value(p) + (a - p) @ (other - p) / 0.3 - 1e-6
    assert np.linalg.norm(p - r) <= np.linalg.norm(a - b) + 1e-8
    assert np.array_equal(penalty.prox(a, 0.0), a)
    assert penalty.broken_rank(penalty.prox(a, 1e3), tolerance=1e-3) <= 3


def ridge(x: np.ndarray, features: np.ndarray) -> np.ndarray:
    """sum over rows u of 1 + u.x + (k + 1) (u.x)^2."""
    return sum(1 + z + (k + 1) * z**2 for k, z in enumerate((x @ features.T).T))


def orthonormal(r: int, m: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(m, r)))[0].T


@pytest.mark.parametrize(("m", "r"), [(3, 1), (4, 2), (5, 3)])
@pytest.mark.parametrize("group", ["T", "SE"])
def test_known_ranks(m, r, group):
    """A function of r projections of m inputs breaks r translations, and r (2 m - r + 1) / 2 generators of se(m)."""
    action = er.actions.translation(m) if group == "T" else er.actions.euclidean(m)
    penalty = promote(scalar(2, m), action, er.Samples.box(-1, 1, dim=m, n=8))
    x = np.random.default_rng(8).uniform(-1, 1, (3 * penalty.field.n_params, m))
    theta = np.linalg.lstsq(penalty.field.features(x)[:, 0], ridge(x, orthonormal(r, m, 9)), rcond=None)[0]
    # lstsq leaves errors above the rounding of one evaluation
    assert penalty.broken_rank(theta, tolerance=1e-10) == (r if group == "T" else r * (2 * m - r + 1) // 2)
    assert penalty.broken_rank(np.eye(len(theta))[0]) == 0
    assert penalty.broken_rank(np.random.default_rng(10).normal(size=len(theta))) == min(
        action.n_generators, m if group == "T" else action.n_generators
    )


def test_rounding_does_not_break_a_generator():
    """Of (u.x)^2 all translations but one are kept; terms cancel to rounding, and that is not taken for a rank."""
    penalty = promote(scalar(2, 4), er.actions.translation(4), er.Samples.box(-1, 1, dim=4, n=8))
    u = np.random.default_rng(19).normal(size=4)
    table = penalty.field.table[5:]
    square = [np.prod(u**e) * (2 if e.max() == 1 else 1) for e in table]
    theta = np.concatenate([np.zeros(5), square])
    s = np.linalg.svd(penalty.matrix(theta), compute_uv=False)
    assert np.any(s[1:] > 0) and penalty.broken_rank(theta) == 1


def test_what_is_kept_is_in_the_generators_of_the_action():
    """Of |x - c|^2 the rotation about c is kept: one rotation and a translation, of different lengths."""
    c, penalty = np.array([0.5, -0.3]), promote(scalar(2, 2), er.actions.euclidean(2), er.Samples.box(-1, 1, dim=2))
    x = np.random.default_rng(20).uniform(-1, 1, (6, 2))
    found = penalty.interpolate(x, ((x - c) ** 2).sum(axis=1))
    assert found.broken_rank == 2
    # x d/dy - y d/dx, moved to c
    assert np.allclose(found.kept[:, 0] / found.kept[0, 0], [1.0, c[1], -c[0]], atol=1e-6)


@pytest.mark.parametrize(("m", "r", "n", "group"), [(6, 1, 18, "T"), (6, 1, 22, "SE"), (8, 2, 33, "T")])
def test_few_values_are_enough(m, r, n, group):
    """Samples are fewer than parameters by far; the least penalty is the target, and what is kept leaves it alone."""
    action = er.actions.translation(m) if group == "T" else er.actions.euclidean(m)
    penalty = promote(scalar(2, m), action, er.Samples.box(-1, 1, dim=m, n=8))
    u, rng = orthonormal(r, m, 11), np.random.default_rng(12)
    x, more = rng.uniform(-1, 1, (n, m)), rng.uniform(-1, 1, (100, m))
    assert n < 0.8 * penalty.field.n_params
    found = penalty.interpolate(x, ridge(x, u), tolerance=1e-6)
    assert found.converged
    assert found.gap <= 1e-3 * found.objective
    assert found.broken_rank == (r if group == "T" else r * (2 * m - r + 1) // 2)
    assert np.abs(found.field.value(more)[:, 0] - ridge(more, u)).max() < 1e-3 * np.abs(ridge(more, u)).max()
    assert np.allclose(found.field.value(x)[:, 0], ridge(x, u))
    kept = LieDerivative(found.field, action.restrict(found.kept), er.Samples.from_data(more))
    assert np.linalg.norm(kept.in_xi(), 2) < 1e-3 * np.linalg.norm(penalty.matrix(found.theta), 2)


def noisy(sigma: float) -> tuple[Penalty, np.ndarray, np.ndarray, np.ndarray]:
    m, rng = 6, np.random.default_rng(13)
    penalty = promote(scalar(2, m), er.actions.translation(m), er.Samples.box(-1, 1, dim=m, n=8))
    x = rng.uniform(-1, 1, (24, m))
    y = ridge(x, orthonormal(1, m, 14))
    return penalty, x, y, y + sigma * y.std() * rng.normal(size=len(y))


def test_a_path_with_noise():
    """Beyond the largest weight nothing is broken; in between the rank is right and the error below least squares."""
    penalty, x, y, data = noisy(0.05)
    top = penalty.largest_weight(x, data)
    path = penalty.path(x, data, top * np.geomspace(1.0, 1e-3, 10), tolerance=1e-6)
    ranks = [found.broken_rank for found in path]
    assert ranks[0] == 0 and 1 in ranks and ranks[-1] > 1
    assert all(found.converged for found in path)
    fits = [np.mean((found.field.value(x)[:, 0] - data) ** 2) for found in path]
    assert all(np.diff(fits) <= 1e-5) and all(np.diff([found.penalty for found in path]) >= -1e-4)
    more = np.random.default_rng(15).uniform(-1, 1, (500, 6))
    truth = ridge(more, orthonormal(1, 6, 14))
    errors = [np.sqrt(np.mean((found.field.value(more)[:, 0] - truth) ** 2)) for found in path]
    least = np.linalg.lstsq(penalty.field.features(x)[:, 0], data, rcond=None)[0]
    assert min(errors) < 0.4 * np.sqrt(np.mean((penalty.field.features(more)[:, 0] @ least - truth) ** 2))


def test_no_weight_is_least_squares_and_the_limit_of_small_weights():
    penalty, x, _, data = noisy(0.1)
    limit = penalty.fit(x, data, 0.0, tolerance=1e-7)
    small = penalty.fit(x, data, 1e-7 * penalty.largest_weight(x, data), tolerance=1e-8)
    assert np.allclose(limit.theta, small.theta, atol=1e-3)
    assert np.allclose(limit.theta, penalty.interpolate(x, data, tolerance=1e-7).theta, atol=1e-5)
    rng = np.random.default_rng(16)
    many, values = rng.uniform(-1, 1, (60, 6)), rng.normal(size=60)
    least = np.linalg.lstsq(penalty.field.features(many)[:, 0], values, rcond=None)[0]
    assert np.allclose(penalty.fit(many, values, 0.0).theta, least)


def test_absolute_values_can_join():
    """A large weight on absolute values leaves few parameters; a small one changes little."""
    penalty, x, y, _ = noisy(0.0)
    free, slightly, sparse = (penalty.interpolate(x, y, l1=l1, tolerance=1e-6) for l1 in (0.0, 1e-4, 1e3))
    assert np.allclose(free.theta, slightly.theta, atol=1e-2)
    assert np.abs(sparse.theta).sum() < np.abs(free.theta).sum()
    assert np.sum(np.abs(sparse.theta) > 1e-3) <= len(x)


def test_vector_fields():
    """A field with one symmetry of six affine ones is found from fewer values than parameters."""
    family, action = vector(3, 2), er.actions.euclidean(2)
    truth = er.enforce(family, er.actions.rotation(2)).combine(np.array([1.0, -0.5, -1.0, 0.3]))
    penalty = promote(family, action, er.Samples.box(-1, 1, dim=2, n=8))
    x = np.random.default_rng(18).uniform(-1, 1, (8, 2))
    found = penalty.interpolate(x, family.with_theta(truth).value(x), tolerance=1e-6)
    assert penalty.broken_rank(truth, tolerance=1e-12) == 2
    assert found.broken_rank == 2 and np.allclose(found.theta, truth, atol=1e-3)
    assert np.allclose(found.kept / found.kept[0], [[1.0], [0.0], [0.0]], atol=1e-3)


def box(d: int) -> er.Samples:
    return er.Samples.box(-1, 1, dim=d, n=8)


REFUSED = {
    "inner": (InputError, lambda: promote(scalar(2, 2), er.actions.translation(2), inner="sped"), "'speed'"),
    "matrix": (
        InputError,
        lambda: promote(scalar(2, 2), er.actions.translation(2), inner=np.zeros((2, 2))),
        "positive definite",
    ),
    "coefficients": (
        InputError,
        lambda: promote(
            scalar(2, 1),
            er.actions.CallableAction(lambda x: np.sin(x)[:, None], 1, ("sin(x) d/dx",)),
            box(1),
            inner="coefficients",
        ),
        "Only polynomial generators",
    ),
    "dimension": (InputError, lambda: promote(scalar(2, 2), er.actions.translation(3), box(2)), "same coordinates"),
    "fixed field": (
        InputError,
        lambda: promote(er.as_field(np.sin, kind="invariant", dim=1), er.actions.translation(1)),
        "linear in",
    ),
    "nothing moves": (
        InputError,
        lambda: promote(scalar(1, 2), er.actions.rotation(2), np.zeros((9, 2))),
        "All generators vanish",
    ),
    "values only": (
        InputError,
        lambda: promote(
            er.fields.Polynomial(degree=1, dim=2).as_field(2),
            er.actions.translation(2).restrict(np.zeros((2, 1))).with_output(np.array([[[0.0, -1.0], [1.0, 0.0]]]))
            + er.actions.translation(2).with_output(np.zeros((2, 2, 2))),
        ),
        "move values but not points",
    ),
    "few points": (
        UndecidedError,
        lambda: promote(scalar(2, 3), er.actions.euclidean(3), np.random.default_rng(0).normal(size=(6, 3))),
        "too few samples",
    ),
    "few functions": (
        UndecidedError,
        lambda: promote(Fourier([2.0], order=3).as_field(), er.actions.translation(1), np.zeros((20, 1))),
        "too few samples",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_requests_that_make_no_sense(case):
    kind, ask, words = REFUSED[case]
    with pytest.raises(kind, match=words):
        ask()


DATA = np.random.default_rng(18).uniform(-1, 1, (12, 2))
BAD_DATA = {
    "weight": (InputError, lambda p: p.fit(DATA, DATA[:, 0], -1.0), "lam = -1"),
    "l1": (InputError, lambda p: p.interpolate(DATA[:3], DATA[:3, 0], l1=np.nan), "l1 = nan"),
    "step": (InputError, lambda p: p.prox(np.zeros(6), -0.1), "step = -0.1"),
    "parameters": (InputError, lambda p: p.value(np.zeros(5)), "6 finite numbers"),
    "shape": (InputError, lambda p: p.fit(DATA[:, :1], DATA[:, 0], 1.0), r"shape \(12, 1\)"),
    "values": (InputError, lambda p: p.fit(DATA, DATA[:5, 0], 1.0), r"shape \(5, 1\)"),
    "not finite": (InputError, lambda p: p.fit(DATA, np.full(12, np.nan), 1.0), "12 of 12 rows"),
    "conflict": (
        InputError,
        lambda p: p.interpolate(np.vstack([DATA[:3], DATA[:1]]), np.array([0.0, 1.0, 2.0, 3.0])),
        "exclude equation [03]",
    ),
    "open": (UndecidedError, lambda p: p.interpolate(DATA[:1], DATA[:1, 0]), "Neither the data nor the penalty"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_make_no_sense(case):
    kind, ask, words = BAD_DATA[case]
    with pytest.raises(kind, match=words):
        ask(promote(scalar(2, 2), er.actions.rotation(2), box(2)))
