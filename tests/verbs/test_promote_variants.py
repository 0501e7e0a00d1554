"""Kinds of penalties, sums of them, and discrete elements: against quadrature, tangents and known groups."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.linalg import block_diag, eigh

import erlangen as er
from erlangen import InputError, UndecidedError, promote
from erlangen.derivative import LieDerivative
from erlangen.fields.bases import Fourier
from erlangen.verbs import Penalty

KINDS = ("nuclear", "frobenius", "reweighted", "scale-free")


def box(d: int) -> er.Samples:
    return er.Samples.box(-1, 1, dim=d, n=8)


def scalar(degree: int, d: int):
    return er.fields.Polynomial(degree=degree, dim=d).as_field()


def vector(degree: int, d: int):
    return er.fields.Polynomial(degree=degree, dim=d).as_vector_field()


TURN = np.array([[[0.0, -1.0], [1.0, 0.0]]])
CASES = {
    "scalar, se(2)": (scalar(2, 2), er.actions.euclidean(2)),
    "scalar, translations": (scalar(3, 3), er.actions.translation(3)),
    "vector field, affine(2)": (vector(2, 2), er.actions.affine(2)),
    "values rotated": (er.fields.Polynomial(degree=2, dim=2).as_field(2), er.actions.rotation(2).with_output(TURN)),
}


def penalty_of(name: str, kind: str, eps: float = 0.1) -> Penalty:
    family, action = CASES[name]
    return promote(family, action, box(family.point_dim), kind=kind, eps=eps)


def gauss(d: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(6)
    x = np.array(list(product(nodes, repeat=d)))
    return x, np.array([np.prod(v) for v in product(weights / 2, repeat=d)])


def relative_values(field, action, eps: float) -> np.ndarray:
    """Generalised eigenvalues of int (L f)^2 against int |Df|^2 / d |xi|^2 + |tau f|^2, by quadrature."""
    x, w = gauss(field.point_dim)
    lie = LieDerivative(field, action, er.Samples.from_data(x, w))
    s, xi = lie.in_xi(), lie.lifted.on_points(x)
    tau = lie.lifted.on_values(x, field.value(x))
    speed = np.einsum("n,nka,nla->kl", w, xi, xi)
    slope = np.sum(field.jacobian(x) ** 2, axis=(1, 2)) / field.point_dim
    form = np.einsum("n,nka,nla->kl", w * slope, xi, xi) + np.einsum("n,nkc,nlc->kl", w, tau, tau)
    mean = np.trace(np.linalg.solve(speed, form)) / len(form)
    return np.sqrt(np.maximum(eigh(s.T @ s, form + eps**2 * mean * speed, eigvals_only=True), 0.0))


@pytest.mark.parametrize("name", CASES)
def test_the_values_of_all_kinds(name):
    """From the singular values; the scale-free kind against quadrature."""
    theta = np.random.default_rng(0).normal(size=CASES[name][0].n_params)
    s = np.linalg.svd(penalty_of(name, "nuclear").matrix(theta), compute_uv=False)
    assert np.isclose(penalty_of(name, "nuclear").value(theta), s.sum())
    assert np.isclose(penalty_of(name, "frobenius").value(theta), np.sqrt(np.sum(s**2)))
    assert np.isclose(penalty_of(name, "reweighted", 0.3).value(theta), 0.3 * np.sum(np.log(1 + s / 0.3)))
    family, action = CASES[name]
    known = relative_values(family.with_theta(theta), action, 0.2).sum()
    assert np.isclose(penalty_of(name, "scale-free", 0.2).value(theta), known)
    x, w = gauss(family.point_dim)
    sampled = promote(family, action, er.Samples.from_data(x, w), kind="scale-free", eps=0.2)
    assert np.isclose(sampled.value(theta), known)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_subgradients_are_gradients_where_there_are_any(name, kind):
    penalty, rng = penalty_of(name, kind), np.random.default_rng(1)
    theta, step = rng.normal(size=(2, penalty.field.n_params))
    slope = (penalty.value(theta + 1e-5 * step) - penalty.value(theta - 1e-5 * step)) / 2e-5
    assert np.isclose(penalty.subgradient(theta) @ step, slope, rtol=1e-6)


@pytest.mark.parametrize("kind", ["nuclear", "frobenius"])
@pytest.mark.parametrize("name", CASES)
def test_the_convex_kinds_are_seminorms(name, kind):
    penalty, rng = penalty_of(name, kind), np.random.default_rng(2)
    assert penalty.convex
    a, b = rng.normal(size=(2, penalty.field.n_params))
    assert np.isclose(penalty.value(-2 * a), 2 * penalty.value(a))
    assert penalty.value(b) >= penalty.value(a) + penalty.subgradient(a) @ (b - a) - 1e-12
    p = penalty.prox(a, 0.3, tolerance=1e-9)
    for other in p + rng.normal(size=(20, len(p))):
        assert penalty.value(other) >= penalty.value(p) + (a - p) @ (other - p) / 0.3 - 1e-6


@pytest.mark.parametrize("name", CASES)
def test_the_reweighted_kind_lies_below_its_norms(name):
    """Each touches it where it was made, with the same slope, and lies above elsewhere."""
    penalty, rng = penalty_of(name, "reweighted"), np.random.default_rng(3)
    assert not penalty.convex
    for size in (0.01, 1.0, 10.0):
        at, others = size * rng.normal(size=penalty.field.n_params), rng.normal(size=(20, penalty.field.n_params))
        norms = penalty._norms(at * penalty._sizes, 0.0)
        above = [norms.value(norms.apply(t * penalty._sizes)) for t in (at, *others)]
        below = [penalty.value(t) for t in (at, *others)]
        assert np.all(np.subtract(above, above[0]) >= np.subtract(below, below[0]) - 1e-12)


def test_a_large_eps_is_the_nuclear_norm():
    theta = np.random.default_rng(4).normal(size=6)
    nuclear, large = penalty_of("scalar, se(2)", "nuclear"), penalty_of("scalar, se(2)", "reweighted", 1e6)
    assert np.isclose(nuclear.value(theta), large.value(theta), rtol=1e-5)


def test_the_scale_free_kind_has_no_units():
    """Neither those of values nor those of generators."""
    family, action = scalar(2, 2), er.actions.translation(2)
    theta = np.random.default_rng(5).normal(size=6)
    value = promote(family, action, box(2), kind="scale-free").value(theta)
    assert np.isclose(promote(family, action, box(2), kind="scale-free").value(-1e4 * theta), value)
    mixed = action.restrict(np.array([[1e3, 1.0], [0.0, 2.0]]))
    assert np.isclose(promote(family, mixed, box(2), kind="scale-free").value(theta), value)
    constant = np.eye(6)[0]
    assert promote(family, action, box(2), kind="scale-free").value(constant) == 0.0


def ridge(x: np.ndarray, u: np.ndarray) -> np.ndarray:
    return 1 + x @ u + 2 * (x @ u) ** 2


def noisy(m: int, n: int, sigma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    u, x = np.linalg.qr(rng.normal(size=(m, 1)))[0][:, 0], rng.uniform(-1, 1, (n, m))
    y = ridge(x, u)
    return u, x, y + sigma * y.std() * rng.normal(size=n)


@pytest.mark.parametrize("group", ["T", "SE"])
def test_the_reweighted_objective_never_rises_and_its_bias_is_smaller(group):
    u, x, y = noisy(5, 30, 0.1)
    action = er.actions.translation(5) if group == "T" else er.actions.euclidean(5)
    nuclear, reweighted = (promote(scalar(2, 5), action, box(5), kind=kind) for kind in ("nuclear", "reweighted"))
    top = reweighted.largest_weight(x, y)
    assert np.isclose(top, nuclear.largest_weight(x, y))  # the same slope at zero
    more = np.random.default_rng(7).uniform(-1, 1, (300, 5))

    def error(fit) -> float:
        return float(np.sqrt(np.mean((fit.field.value(more)[:, 0] - ridge(more, u)) ** 2)))

    lams = top * np.geomspace(1, 1e-2, 6)
    path, plain = reweighted.path(x, y, lams), nuclear.path(x, y, lams)
    assert path[0].broken_rank == 0 and all(fit.converged for fit in path)
    assert any(len(fit.objectives) > 3 for fit in path) and len(path[0].objectives) == 1
    for fit in path:
        assert np.all(np.diff(fit.objectives) <= fit.gap + 1e-9)
    assert min(map(error, path)) < 0.6 * min(map(error, plain))
    assert (1 if group == "T" else 5) in [fit.broken_rank for fit in path] and "not convex" in path[3].reason


@pytest.mark.parametrize("kind", KINDS)
def test_paths_of_all_kinds(kind):
    """Nothing is broken at first, all in the end; and one fit of a path is that fit alone."""
    _, x, y = noisy(4, 40, 0.1)
    penalty = promote(scalar(2, 4), er.actions.euclidean(4), box(4), kind=kind)
    lams = penalty.largest_weight(x, y) * np.geomspace(1, 1e-4, 5)
    path = penalty.path(x, y, lams, tolerance=1e-6)
    assert path[0].broken_rank == 0 and path[-1].broken_rank == 10
    assert all(fit.converged for fit in path)
    alone = penalty.fit(x, y, lams[3], tolerance=1e-6)
    assert np.allclose(alone.theta, path[3].theta, atol=1e-3)
    least = np.linalg.lstsq(penalty.field.features(x)[:, 0], y, rcond=None)[0]
    assert np.allclose(penalty.fit(x, y, 0.0).theta, least)


@pytest.mark.parametrize("kind", ["nuclear", "reweighted", "scale-free"])
def test_units_of_values_do_not_matter(kind):
    """Values in millimetres, and the weight that goes with them, give the same field in millimetres."""
    _, x, y = noisy(4, 40, 0.1)
    penalty = promote(scalar(2, 4), er.actions.euclidean(4), box(4), kind=kind)
    fits = [penalty.fit(x, s * y, 0.1 * penalty.largest_weight(x, s * y), tolerance=1e-6) for s in (1.0, 1e3)]
    assert np.allclose(fits[1].theta, 1e3 * fits[0].theta, rtol=1e-3, atol=1.0)
    assert fits[0].broken_rank == fits[1].broken_rank


@pytest.mark.parametrize("kind", ["nuclear", "reweighted", "scale-free"])
def test_few_values_are_enough(kind):
    rng = np.random.default_rng(8)
    u, x = np.linalg.qr(rng.normal(size=(6, 1)))[0][:, 0], rng.uniform(-1, 1, (20, 6))
    penalty = promote(scalar(2, 6), er.actions.translation(6), box(6), kind=kind)
    found = penalty.interpolate(x, ridge(x, u), tolerance=1e-6)
    assert found.broken_rank == 1 and np.abs(u @ found.kept).max() < 1e-3
    assert np.allclose(found.field.value(x)[:, 0], ridge(x, u))
    known = np.linalg.svd(penalty.matrix(found.theta), compute_uv=False)
    assert np.allclose(found.singular_values, known, atol=1e-4 * known[0])


@pytest.mark.parametrize("kind", KINDS)
def test_rounding_is_not_broken(kind):
    """A constant, from where a fit that broke everything stands."""
    penalty = promote(scalar(2, 3), er.groups.O(3), box(3), kind=kind)
    x, rng = np.random.default_rng(22).uniform(-1, 1, (8, 3)), np.random.default_rng(23)
    broken = penalty.interpolate(x, rng.normal(size=8))
    assert broken.broken_rank == 3 and not broken.kept_elements
    found = penalty.interpolate(x, np.full(8, 1.7), start=broken.state)
    assert found.broken_rank == 0 and found.kept_elements == (0,)
    assert np.allclose(found.field.value(x), 1.7)


def test_the_frobenius_kind_keeps_all_or_nothing():
    _, x, y = noisy(4, 40, 0.1)
    penalty = promote(scalar(2, 4), er.actions.translation(4), box(4), kind="frobenius")
    ranks = {fit.broken_rank for fit in penalty.path(x, y, penalty.largest_weight(x, y) * np.geomspace(1, 0.01, 6))}
    assert ranks == {0, 4}


def test_the_proximal_map_of_a_kind_that_is_not_convex_is_a_local_minimum():
    penalty, rng = penalty_of("scalar, se(2)", "reweighted"), np.random.default_rng(9)
    theta = rng.normal(size=6)
    p = penalty.prox(theta, 0.2, tolerance=1e-7)

    def objective(t: np.ndarray) -> float:
        return 0.2 * penalty.value(t) + float(np.sum((t - theta) ** 2)) / 2

    assert min(map(objective, p + 1e-2 * rng.normal(size=(50, 6)))) >= objective(p) - 1e-6


@pytest.mark.parametrize(("group", "degree"), [("T", 1), ("SE", 2)])
def test_the_sampling_of_the_source_paper_is_just_enough(group, degree):
    """One point more than there are monomials tells them apart; two points less do not."""
    action = er.actions.translation(4) if group == "T" else er.actions.euclidean(4)
    samples = er.Samples.paper(dim=4, degree=degree, rng=1)
    assert len(samples) == (5 if group == "T" else 15) + 1
    assert np.abs(samples.points).max() <= 1 and samples.measure is None
    penalty = promote(scalar(2, 4), action, samples, inner="coefficients")
    theta = np.random.default_rng(21).normal(size=15)
    rows = LieDerivative(scalar(2, 4).with_theta(theta), action.restrict(penalty.generators), samples).in_xi()
    assert np.isclose(penalty.value(theta), np.linalg.svd(rows, compute_uv=False).sum())
    assert np.allclose(np.linalg.norm(penalty.generators, axis=0) ** -2, [2] * (6 * (group == "SE")) + [1] * 4)
    with pytest.raises(UndecidedError):
        promote(scalar(2, 4), action, samples.points[:-2], inner="coefficients")
    with pytest.raises(InputError, match="no such polynomials"):
        er.Samples.paper(dim=0, degree=1)


def rotations_and_translations(d: int, weight: float = 2.0) -> tuple[Penalty, Penalty, Penalty]:
    family = scalar(2, d)
    a = promote(family, er.actions.translation(d), box(d))
    b = promote(family, er.actions.rotation(d), box(d))
    return a, b, a + weight * b


def test_blocks_add_up():
    a, b, both = rotations_and_translations(3)
    theta, step = np.random.default_rng(10).normal(size=(2, 10))
    assert np.isclose(both.value(theta), a.value(theta) + 2 * b.value(theta))
    assert np.allclose(both.subgradient(theta), a.subgradient(theta) + 2 * b.subgradient(theta))
    assert both.broken_rank(theta) == a.broken_rank(theta) + b.broken_rank(theta) == 6
    assert np.allclose(both.matrix(theta), block_diag(a.matrix(theta), b.matrix(theta)))
    assert np.allclose((both.map.matrix @ theta).reshape(both.map.shape).T, both.matrix(theta))
    assert np.allclose(both.generators, block_diag(a.generators, b.generators))
    assert both.lie.action.n_generators == 6 and both.convex
    p = both.prox(theta, 0.3, tolerance=1e-9)
    for other in p + np.random.default_rng(11).normal(size=(20, 10)):
        assert both.value(other) >= both.value(p) + (theta - p) @ (other - p) / 0.3 - 1e-6
    assert np.isclose((0.5 * both * 2).value(step), both.value(step))


def test_each_block_says_what_it_keeps():
    """|x|^2 from few values: translations are broken, rotations are not."""
    both = rotations_and_translations(4)[2]
    x = np.random.default_rng(12).uniform(-1, 1, (12, 4))
    found = both.interpolate(x, 1 + (x**2).sum(axis=1), tolerance=1e-6)
    assert [block.broken_rank for block in found.blocks] == [4, 0] and found.broken_rank == 4
    assert found.blocks[1].kept.shape == (6, 6) and found.kept.shape == (10, 6)
    assert not found.kept[:4].any() and "4 of 4, 0 of 6 generators" in found.reason
    assert np.all(np.diff(found.singular_values) <= 0) and len(found.singular_values) == 10
    union = er.actions.union(er.actions.translation(4), er.actions.rotation(4))
    assert np.abs(LieDerivative(found.field, union.restrict(found.kept), box(4)).in_xi()).max() < 1e-6
    top = both.largest_weight(x, 1 + (x**2).sum(axis=1))
    assert both.fit(x, 1 + (x**2).sum(axis=1), top).broken_rank == 0


def test_kinds_can_be_mixed():
    family = scalar(2, 3)
    rotations = promote(family, er.actions.rotation(3), box(3), kind="reweighted")
    mixed = 0.1 * promote(family, er.actions.translation(3), box(3)) + rotations
    assert not mixed.convex
    x = np.random.default_rng(13).uniform(-1, 1, (8, 3))
    found = mixed.interpolate(x, (x**2).sum(axis=1), tolerance=1e-6)
    assert found.blocks[1].broken_rank == 0 and np.all(np.diff(found.objectives) <= 1e-6)


GROUPS = {
    "O(3), functions": (scalar(3, 3), er.groups.O(3)),
    "D(4), functions": (scalar(3, 2), er.groups.D(4)),
    "D(4), vector fields": (vector(2, 2), er.groups.D(4)),
    "permutations": (scalar(2, 3), er.groups.S(3)),
}


@pytest.mark.parametrize("name", GROUPS)
def test_discrete_elements_cost_how_far_they_move_the_function(name):
    family, group = GROUPS[name]
    penalty = promote(family, group, box(family.point_dim))
    theta = np.random.default_rng(14).normal(size=family.n_params)
    x, w = gauss(family.point_dim)
    field = family.with_theta(theta)
    known = 0.0
    for h in group.discrete:
        rho = np.eye(1) if family.kind == "invariant" else h
        known += np.sqrt(w @ np.sum((field.value(x) @ rho.T - field.value(x @ h.T)) ** 2, axis=1))
    if len(group.lie_algebra):
        known += promote(family, er.actions.linear(group.lie_algebra), box(family.point_dim)).value(theta)
    assert np.isclose(penalty.value(theta), known)
    assert np.isclose(promote(family, group, er.Samples.from_data(x, w)).value(theta), known)
    step = np.random.default_rng(15).normal(size=len(theta))
    slope = (penalty.value(theta + 1e-5 * step) - penalty.value(theta - 1e-5 * step)) / 2e-5
    assert np.isclose(penalty.subgradient(theta) @ step, slope, rtol=1e-6)
    symmetric = er.enforce(family, group).project(theta)
    assert penalty.value(symmetric) < 1e-12 * penalty.value(theta) and not penalty.subgradient(symmetric).any()


def test_fields_that_are_no_polynomials_have_discrete_elements_too():
    family = Fourier([2.0, 2.0], order=1, tensor=True).as_field()
    x = np.random.default_rng(16).uniform(-1, 1, (300, 2))
    penalty = promote(family, er.actions.translation(2), x, discrete=[np.diag([-1.0, 1.0])])
    theta = np.random.default_rng(17).normal(size=family.n_params)
    field = family.with_theta(theta)
    moved = np.sqrt(np.mean((field.value(x * [-1, 1]) - field.value(x)) ** 2))
    assert np.isclose(penalty.value(theta), promote(family, er.actions.translation(2), x).value(theta) + moved)


def test_the_result_says_which_elements_survive():
    """A function that is even in the first coordinate, but not in the second."""
    family, flips = scalar(2, 2), [np.diag([-1.0, 1.0]), np.diag([1.0, -1.0])]
    penalty = promote(family, er.actions.rotation(2), box(2), discrete=flips)
    rng = np.random.default_rng(18)
    x = rng.uniform(-1, 1, (40, 2))
    y = x[:, 0] ** 2 + x[:, 1] + 0.05 * rng.normal(size=40)
    lams = penalty.largest_weight(x, y) * np.array([1.0, 0.1])
    nothing, found = penalty.path(x, y, lams, tolerance=1e-6)
    assert nothing.kept_elements == (0, 1) and nothing.broken_rank == 0
    assert found.kept_elements == (0,) and found.broken_rank == 1
    assert "1 of 1 generators and 1 of 2 discrete elements are broken" in found.reason
    assert np.allclose(found.theta[[1, 4]], 0.0, atol=1e-5)


def test_a_group_without_generators():
    penalty = promote(scalar(3, 2), er.groups.D(4), box(2))
    assert not penalty.blocks and penalty.generators.shape == penalty.matrix(np.zeros(10)).shape == (0, 0)
    x = np.random.default_rng(19).uniform(-1, 1, (5, 2))
    found = penalty.interpolate(x, (x**2).sum(axis=1))
    assert found.broken_rank == 0 and found.kept_elements == tuple(range(len(er.groups.D(4).discrete)))
    assert "discrete elements are broken" in found.reason


REFUSED = {
    "kind": (InputError, lambda: promote(scalar(2, 2), er.actions.translation(2), kind="nuclaer"), "kind='nuclear'"),
    "eps": (InputError, lambda: penalty_of("scalar, se(2)", "reweighted", 0.0), "eps=0.0"),
    "eps is no number": (InputError, lambda: penalty_of("scalar, se(2)", "reweighted", "small"), "eps='small'"),  # type: ignore[arg-type]
    "families": (
        InputError,
        lambda: promote(scalar(2, 2), er.actions.translation(2)) + promote(scalar(3, 2), er.actions.translation(2)),
        "only over one family",
    ),
    "kinds of fields": (
        InputError,
        lambda: (
            promote(vector(2, 2), er.actions.translation(2))
            + promote(er.fields.Polynomial(degree=2, dim=2).as_field(2), er.actions.translation(2))
        ),
        "only over one family",
    ),
    "weight": (InputError, lambda: -1.0 * penalty_of("scalar, se(2)", "nuclear"), "weight = -1"),
    "no weight": (InputError, lambda: 0 * penalty_of("scalar, se(2)", "nuclear"), "weight = 0"),
    "weight is no number": (InputError, lambda: "a" * penalty_of("scalar, se(2)", "nuclear"), "weight = 'a'"),
    "points of another dimension": (
        InputError,
        lambda: promote(scalar(2, 2), er.groups.SO(3), box(2)),
        "er.actions|rep_in >> rep_out",
    ),
    "elements of another dimension": (
        InputError,
        lambda: promote(scalar(2, 2), er.actions.rotation(2), discrete=[np.eye(4)]),
        "discrete element",
    ),
    "functions that points do not tell apart": (
        UndecidedError,
        lambda: promote(
            Fourier([2.0, 2.0], order=1).as_field(),
            er.actions.translation(2),
            np.stack([np.linspace(0, 1.7, 200)] * 2, axis=1),
        ),
        "combinations of 5 functions vanish",
    ),
    "monomials that points do not tell apart": (
        UndecidedError,
        lambda: promote(scalar(2, 2), er.actions.rotation(2), np.stack([np.linspace(0, 1, 200)] * 2, axis=1)),
        "do not tell",
    ),
    "joined": (
        InputError,
        lambda: promote(scalar(2, 2), er.groups.D(4), box(2)).lie,
        "discrete elements alone",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_requests_that_make_no_sense(case):
    kind, ask, words = REFUSED[case]
    with pytest.raises(kind, match=words):
        ask()


def test_what_is_refused_is_explained_for_promote():
    """The line that mends it does not speak of enforcing."""
    for action in (None, er.groups.SO(3)):
        with pytest.raises(InputError) as error:
            promote(scalar(2, 2), action, box(2))
        assert "er.enforce" not in str(error.value)


X = np.random.default_rng(20).uniform(-1, 1, (12, 2))
BAD_DATA = {
    "no data": (InputError, lambda p: p.fit(X[:0], X[:0, 0], 1.0), r"shape \(0, 2\)"),
    "no data to interpolate": (InputError, lambda p: p.interpolate(X[:0], X[:0, 0]), r"shape \(0, 2\)"),
    "points not finite": (InputError, lambda p: p.fit(np.where(X > 0.9, np.inf, X), X[:, 0], 1.0), "infinity"),
    "values not finite": (InputError, lambda p: p.largest_weight(X, np.where(X > 0.5, np.nan, X)[:, 0]), "NaN"),
    "words": (InputError, lambda p: p.fit(X, ["a"] * 12, 1.0), "values are no real numbers"),
    "complex": (InputError, lambda p: p.fit(X, X[:, 0] * 1j, 1.0), "values are no real numbers"),
    "ragged": (InputError, lambda p: p.fit([[1.0, 2.0], [3.0]], [1.0, 2.0], 1.0), "points are no real numbers"),
    "weight of a path": (InputError, lambda p: p.path(X, X[:, 0], [1.0, -2.0]), "lam = -2"),
    "no weight": (InputError, lambda p: p.fit(X, X[:, 0], None), "lam = None"),
    "conflict": (
        InputError,
        lambda p: p.interpolate(X[[0, 1, 2, 1]], np.array([0.0, 1.0, 2.0, 3.0])),
        "4 equations; the others exclude equation [13]",
    ),
    "functions that data do not tell apart": (
        UndecidedError,
        lambda p: p.fit(np.zeros((12, 2)), np.ones(12), 1.0),
        "Neither the data nor the penalty decide",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_make_no_sense(case, kind):
    error, ask, words = BAD_DATA[case]
    with pytest.raises(error, match=words):
        ask(promote(scalar(2, 2), er.actions.rotation(2), box(2), kind=kind))
