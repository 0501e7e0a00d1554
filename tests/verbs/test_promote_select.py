"""The choice of what is broken, and the refit on the fields that keep the rest."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import least_squares

import erlangen as er
from erlangen import InputError, UndecidedError
from erlangen.algebra import LieAlgebra
from erlangen.linalg.svd import svd
from erlangen.verbs import _promote_data, _promote_refit, _promote_select
from erlangen.verbs._promote_refit import RankVariety, refit

QUADRATICS = er.fields.Polynomial(degree=2, dim=5).as_field()
U = np.array([0.6, 0.0, 0.8, 0.0, 0.0])


def ridge(x):
    """A function of one direction: breaks one translation of five, and five motions of fifteen."""
    return 1 + x @ U + 2 * (x @ U) ** 2


def noisy(f, n, d, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, d))
    y = f(x)
    return x, y + noise * y.std() * rng.normal(size=y.shape)


def variety_of(penalty):
    return RankVariety(penalty.map.matrix, penalty.map.shape)


def design(family, x):
    return family.features(x).reshape(-1, family.n_params)


MOTIONS = {"translations": (er.actions.translation(5), 1), "rigid motions": (er.actions.euclidean(5), 5)}


@pytest.mark.parametrize("name", MOTIONS)
def test_the_refit_is_least_squares_over_the_direction_and_the_polynomial(name):
    """An oracle that knows the form of the answer: f = a + b t + c t^2 of t = u . x, over a, b, c and u."""
    action, rank = MOTIONS[name]
    x, y = noisy(ridge, 18, 5, noise=0.05)
    penalty = er.promote(QUADRATICS, action)
    start = penalty.fit(x, y, 3e-3 * penalty.largest_weight(x, y)).theta
    found = refit(variety_of(penalty), design(QUADRATICS, x), y, start, rank)
    oracle = least_squares(lambda p: np.polyval(p[:3], x @ p[3:]) - y, np.r_[2.0, 1.0, 1.0, U], xtol=1e-15, ftol=1e-15)
    assert found.exact and found.rank == rank
    assert found.loss == pytest.approx(oracle.cost / len(y), rel=1e-7)
    values = QUADRATICS.with_theta(found.c).value(x)[:, 0]
    assert np.allclose(values, np.polyval(oracle.x[:3], x @ oracle.x[3:]), atol=1e-5)


def test_a_rank_that_is_too_large_ends_at_the_one_that_closes():
    """No quadratic breaks exactly seven of fifteen motions by accident: the refit of seven breaks five."""
    x, y = noisy(ridge, 18, 5, noise=0.05)
    penalty = er.promote(QUADRATICS, er.actions.euclidean(5))
    start = penalty.fit(x, y, 3e-3 * penalty.largest_weight(x, y)).theta
    fits = [refit(variety_of(penalty), design(QUADRATICS, x), y, start, r) for r in (5, 7)]
    assert [f.rank for f in fits] == [5, 5]
    assert fits[0].loss == pytest.approx(fits[1].loss, rel=1e-8)


def test_quadratics_that_break_four_motions_or_fewer_are_constants():
    x, y = noisy(ridge, 18, 5)
    penalty = er.promote(QUADRATICS, er.actions.euclidean(5))
    start = penalty.fit(x, y, 3e-3 * penalty.largest_weight(x, y)).theta
    found = refit(variety_of(penalty), design(QUADRATICS, x), y, start, 4)
    assert (found.rank, found.exact) == (0, True)
    assert np.allclose(QUADRATICS.with_theta(found.c).value(x), y.mean())


def test_a_descent_that_does_not_arrive_is_not_exact(monkeypatch):
    monkeypatch.setattr(_promote_refit, "STIFF", 0.0)
    x, y = noisy(ridge, 18, 5)
    penalty = er.promote(QUADRATICS, er.actions.translation(5))
    start = np.random.default_rng(0).normal(size=21)
    assert not refit(variety_of(penalty), design(QUADRATICS, x), y, start, 1).exact


def test_what_is_kept_is_closed_under_brackets():
    x, y = noisy(ridge, 18, 5, noise=0.05)
    action = er.actions.euclidean(5)
    found = er.promote(QUADRATICS, action).select(x, y, folds=5)
    kept = action.restrict(found.kept)
    algebra = LieAlgebra.from_fields(kept.exponents, kept.coefficients)
    assert found.broken_rank == 5
    assert algebra.closure_defect < 1e-9
    assert found.symmetry.name == "e(4)"
    assert er.promote(QUADRATICS, kept).value(found.theta) < 1e-10 * found.penalty.value(found.theta)


@pytest.mark.parametrize("dense", [False, True])
def test_the_normal_form_is_the_curvature_of_the_last_singular_values(dense, monkeypatch):
    """At a field of rank r, half of the sum of squares of the others has this Hessian: by differences."""
    monkeypatch.setattr(_promote_refit, "DENSE", 10**9 if dense else 0)
    family = er.fields.Polynomial(degree=2, dim=3).as_field()
    penalty = er.promote(family, er.actions.euclidean(3))
    theta = family.with_theta(np.zeros(10)).theta
    x = np.random.default_rng(0).uniform(-1, 1, (40, 3))
    theta = np.linalg.lstsq(design(family, x), ridge(np.pad(x, ((0, 0), (0, 2)))), rcond=None)[0]
    variety = RankVariety(sparse.csr_array(penalty.map.matrix), penalty.map.shape)
    u, s, vt = svd(variety.image(theta))
    assert np.sum(s > 1e-12) == 3
    step, delta = 1e-4, np.random.default_rng(1).normal(size=(3, 10))
    for one in delta:
        tails = [0.5 * np.sum(svd(variety.image(theta + t * step * one))[1][3:] ** 2) for t in (-1, 1)]
        assert one @ variety.normal(u, vt, 3) @ one == pytest.approx(sum(tails) / step**2, rel=1e-3)


def test_a_decomposition_that_fails_is_done_again(monkeypatch):
    def fails(*_, **__):
        raise np.linalg.LinAlgError("SVD did not converge")

    a = np.random.default_rng(0).normal(size=(5, 3))
    known = np.linalg.svd(a, compute_uv=False)
    monkeypatch.setattr(np.linalg, "svd", fails)
    u, s, vt = svd(a)
    assert np.allclose(s, known)
    assert np.allclose((u * s) @ vt, a)


def test_the_data_choose_the_rank_and_the_refit_removes_the_shrinkage():
    ratios, right = [], 0
    for seed in range(3):
        x, y = noisy(ridge, 18, 5, noise=0.05, seed=seed)
        found = er.promote(QUADRATICS, er.actions.translation(5)).select(x, y, folds=5, rng=seed)
        new = np.random.default_rng(99).uniform(-1, 1, (500, 5))
        errors = [
            np.linalg.norm(f.value(new)[:, 0] - ridge(new)) for f in (found.field, *(p.field for p in found.path))
        ]
        ratios.append(errors[0] / min(errors[1:]))  # the best fit of the path, which no data can choose
        right += found.refitted and found.broken_rank == 1 and np.abs(U @ found.kept).max() < 0.1
    assert np.mean(ratios) < 0.85 and right >= 2, (ratios, right)


def test_reasons_name_what_was_compared():
    x, y = noisy(ridge, 18, 5)
    found = er.promote(QUADRATICS, er.actions.translation(5)).select(x, y, folds=4)
    assert found.reason.startswith("1 of 5 generators are broken; cross-validated error by number of broken generators")
    assert "promoted, without a refit" in found.reason
    assert found.reason in str(found.symmetry.decision.reason)
    assert found.excess[1 + int(np.argmin(found.candidate_errors[1:]))] == 0.0
    assert np.all(np.diff(found.lams) < 0) and found.lams[-1] == 0.0


def test_without_a_refit_the_one_standard_error_rule_takes_a_larger_weight():
    x, y = noisy(ridge, 25, 5, noise=0.2)
    found = er.promote(QUADRATICS, er.actions.translation(5)).select(x, y, folds=5, debias=False)
    assert not found.refitted and found.candidates == ()
    assert found.lam > found.lams[np.argmin(found.errors)]
    at = int(np.flatnonzero(found.lams == found.lam)[0])
    assert np.array_equal(found.theta, found.path[at].theta)
    assert found.broken_rank == found.path[at].broken_rank


def test_splits_may_be_given():
    """Rows that repeat each other belong into one fold: leaked copies make the weakest penalty look best."""
    x, y = noisy(ridge, 12, 5, noise=0.3)
    twice, values = np.vstack([x, x]), np.r_[y, y]
    rows = np.arange(24)
    together = [(rows[rows % 6 != k], rows[rows % 6 == k]) for k in range(6)]
    penalty = er.promote(QUADRATICS, er.actions.translation(5))
    lams = [0.1, 1e-3, 0.0]
    leaked, whole = (penalty.select(twice, values, folds=folds, lams=lams) for folds in (24, together))
    assert leaked.errors.min() < 0.5 * whole.errors.min()


def test_discrete_elements_are_chosen_too():
    """Three functions of the plane: round, even in y only, and neither."""
    family = er.fields.Polynomial(degree=4, dim=2).as_field()
    penalty = er.promote(family, er.actions.rotation(2), discrete=[np.diag([1.0, -1.0])])
    cases = {
        (0, (0,)): lambda x: (x**2).sum(axis=1) ** 2,
        (1, (0,)): lambda x: x[:, 1] ** 2 + x[:, 0] ** 3,
        (1, ()): lambda x: x[:, 0] + x[:, 1] ** 3,
    }
    for (rank, kept), f in cases.items():
        x, y = noisy(f, 40, 2, noise=0.02)
        found = penalty.select(x, y, folds=4)
        assert (found.broken_rank, found.kept_elements) == (rank, kept)
        flipped = found.field.value(x * [1, -1]) - found.field.value(x)
        assert (np.abs(flipped).max() < 1e-10) == bool(kept)


def test_blocks_are_chosen_together():
    """Round functions: both translations broken, the rotation kept."""
    family = er.fields.Polynomial(degree=4, dim=2).as_field()
    penalty = er.promote(family, er.actions.translation(2)) + er.promote(family, er.actions.rotation(2))
    x, y = noisy(lambda x: (x**2).sum(axis=1) ** 2, 40, 2)
    found = penalty.select(x, y, folds=5)
    assert found.broken_rank == 2
    assert found.symmetry.name == "so(2)"
    assert np.allclose(found.kept[:2], 0.0, atol=1e-10)


def test_vector_fields_keep_what_commutes_with_them():
    """A spiral and its rotation, from twenty noisy velocities."""
    family = er.fields.Polynomial(degree=3, dim=2).as_vector_field()
    spiral = lambda x: x @ np.array([[0.5, 1.0], [-1.0, 0.5]]) - x * (x**2).sum(axis=1, keepdims=True)  # noqa: E731
    x, y = noisy(spiral, 20, 2, noise=0.03)
    found = er.promote(family, er.actions.affine(2)).select(x, y, folds=5)
    plain = np.linalg.lstsq(design(family, x), y.ravel(), rcond=None)[0]
    new = np.random.default_rng(5).uniform(-1, 1, (300, 2))
    errors = [np.linalg.norm(f.value(new) - spiral(new)) for f in (found.field, family.with_theta(plain))]
    assert "so(2)" in found.symmetry.name
    assert errors[0] < 0.7 * errors[1]


def test_standard_errors_are_those_of_paired_differences():
    """Errors that all fits share cancel: a constant difference is no chance at all, however large the errors are."""
    rng = np.random.default_rng(0)
    shared = rng.exponential(size=40)
    apart = 0.01 + 0.02 * rng.normal(size=40)
    above = _promote_select._excess(np.stack([shared, shared + apart]), 0)
    assert above[1] == pytest.approx(apart.mean() / (apart.std(ddof=1) / np.sqrt(40)))
    assert _promote_select._excess(np.stack([shared, np.full(40, np.inf)]), 0)[1] == np.inf


def test_the_choice_keeps_most_among_those_as_good_as_the_best():
    x, y = noisy(ridge, 14, 5, noise=0.3, seed=3)
    penalty, ranks = er.promote(QUADRATICS, er.actions.translation(5)), []
    for within in (0.0, None, 2.0):
        found = penalty.select(x, y, folds=4, within=within)
        most = _promote_select.OF_REFITS if within is None else within
        good = [one.rank for one, above in list(zip(found.candidates, found.excess, strict=True))[1:] if above <= most]
        assert not found.refitted or found.broken_rank in good
        ranks.append(min(good))
    assert ranks[0] > ranks[-1]


def test_a_shrunk_fit_wins_only_by_more_than_chance():
    """Rows of losses: the promoted fit, and refits of ranks 1 and 2, of which the second is better by far."""
    rng, names = np.random.default_rng(0), [_promote_select.Candidate(r) for r in (5, 1, 2)]
    base, noise = rng.exponential(size=50), rng.normal(size=50)
    noise = (noise - noise.mean()) / noise.std(ddof=1) / np.sqrt(50) ** -1  # the mean has a standard error of one
    for above, taken in ((0.7, 2), (1.3, 0)):  # standard errors by which the promoted fit is better
        table = np.stack([base, base + 9.0 + noise, base + above + noise])
        assert _promote_select._choose(table, names, 0.5)[0] == taken


def test_constants_keep_all_and_have_a_name():
    x, _ = noisy(ridge, 30, 5)
    found = er.promote(QUADRATICS, er.actions.translation(5)).select(x, np.full(30, 3.0))
    assert (found.broken_rank, found.name) == (0, "R^5")


def test_results_print_in_a_line():
    x, y = noisy(ridge, 18, 5)
    penalty = er.promote(QUADRATICS, er.actions.translation(5), discrete=[-np.eye(5)])
    assert (
        repr(penalty)
        == "Penalty on 5 generators and 1 discrete elements of a family with 21 parameters (moved, nuclear)"
    )
    assert repr(penalty.fit(x, y, 0.1)).startswith("Promoted: ")
    assert len(repr(penalty.select(x, y, folds=3, lams=[0.1]))) < 500
    assert sum([penalty, penalty]).value(np.ones(21)) == pytest.approx(2 * penalty.value(np.ones(21)))
    assert (penalty / 4).value(np.ones(21)) == pytest.approx(penalty.value(np.ones(21)) / 4)


def test_discrete_elements_alone_have_no_algebra():
    x, y = noisy(lambda x: (x**4).sum(axis=1), 40, 2)
    family = er.fields.Polynomial(degree=4, dim=2).as_field()
    found = er.promote(family, er.groups.C(4)).select(x, y, folds=4)
    assert found.kept_elements == (0,)
    with pytest.raises(InputError, match="kept_elements"):
        _ = found.symmetry


REFUSED = {
    "folds that are no number": (lambda p, x, y: p.select(x, y, folds="ab"), InputError, "folds='ab'"),
    "rows that are not there": (lambda p, x, y: p.select(x, y, folds=[([0, 1], [99])]), InputError, "for 20 rows"),
    "one fold": (lambda p, x, y: p.select(x, y, folds=1), InputError, "2 <= folds"),
    "more folds than rows": (lambda p, x, y: p.select(x, y, folds=50), InputError, "for 20 rows"),
    "no weight": (lambda p, x, y: p.select(x, y, lams=[]), InputError, "No weight"),
    "negative weight": (lambda p, x, y: p.select(x, y, lams=[1.0, -1.0]), InputError, "lam = -1"),
    "other points": (lambda p, x, y: p.select(x[:, :3], y), InputError, "do not fit the family"),
    "gaps": (lambda p, x, y: p.select(x, np.where(y > 1, np.nan, y)), InputError, "not finite"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_requests_that_make_no_sense(case):
    ask, kind, words = REFUSED[case]
    with pytest.raises(kind, match=words):
        ask(er.promote(QUADRATICS, er.actions.translation(5)), *noisy(ridge, 20, 5))


def test_too_few_rows_for_the_symmetric_functions():
    """Cubic fields under one rotation: ten functions of the radius and z are free, whatever the penalty."""
    family = er.fields.Polynomial(degree=4, dim=3).as_field()
    x, y = noisy(lambda x: x[:, 2], 6, 3)
    with pytest.raises(UndecidedError, match="too few data to choose"):
        er.promote(family, er.actions.rotation(3).restrict(np.eye(3)[:, :1])).select(x, y)


def test_a_million_rows_are_reduced_to_a_few():
    """Many equations are factored: the fit is that of all rows, and memory stays."""
    x, y = noisy(ridge, 3000, 5, noise=0.2)
    penalty = er.promote(QUADRATICS, er.actions.translation(5))
    lam = 0.01 * penalty.largest_weight(x, y)
    rows, values = _promote_data.reduced(QUADRATICS, x, y[:, None])
    assert rows.shape == (22, 21)
    theta = penalty.fit(x, y, lam, tolerance=1e-8).theta
    residual = design(QUADRATICS, x) @ theta - y
    assert np.mean((rows @ theta - values) ** 2) == pytest.approx(np.mean(residual**2))
    direction = np.random.default_rng(1).normal(size=(20, 21))
    objective = lambda t: np.mean((design(QUADRATICS, x) @ t - y) ** 2) / 2 + lam * penalty.value(t)  # noqa: E731
    assert all(objective(theta + 1e-3 * step) > objective(theta) for step in direction)
