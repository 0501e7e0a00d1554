"""Claims about models: exact answers, levels, jumps that only finite moves see, noise that products remove."""

import numpy as np
import pytest
from scipy import stats

import erlangen as er
from erlangen.actions import affine, rotation, translation
from erlangen.derivative import BoxMeasure, LieDerivative, Samples, scales_of
from erlangen.evidence import conformal, model_certificate, paired_bound, violating_share
from erlangen.evidence._pointwise import pointwise
from erlangen.evidence.model_claims import draw, excess, finite_residual, independent, mean_forms
from erlangen.fields import as_field, lift

BALL = er.Samples.box(-1, 1, dim=3)
PLANE = er.Samples.box(-1, 1, dim=2)


def bump(x):
    return np.exp(-np.sum(x**2, axis=1))


def elliptic(x):
    return x[:, 0] ** 2 + 1.2 * x[:, 1] ** 2


def test_an_invariant_model_is_certified_with_all_its_generators():
    found = model_certificate(bump, affine(3), BALL)
    assert found.dim == 3 and found.decided and found.mode == "model"
    assert max(b.high for b in found.bounds) < 1e-6
    assert "not about its target" in found.guarantee


def test_bounds_enclose_the_true_defect():
    """The defect of the ellipse by exact integration: E[(2 k xy)^2] over its denominator."""
    exact = LieDerivative(er.fields.polynomial_field(2, 2, [0, 0, 0, 1, 0, 1.2]), rotation(2), PLANE)
    truth = float(exact.defect(np.ones(1))[0])
    found = model_certificate(elliptic, affine(2), PLANE, generators=rotation(2), delta=0.05)
    assert found.dim == 0 and found.bounds[0].verdict == "refuted"
    assert found.bounds[0].low <= truth <= found.bounds[0].high <= 1.15 * truth


def test_level_of_the_mean_test_at_the_edge():
    field, rng = as_field(elliptic, dim=2), np.random.default_rng(0)
    scales = scales_of(field, rotation(2), PLANE)
    pool = mean_forms(field, rotation(2), independent(PLANE.measure, 100_000, rng), scales)
    delta, passed = pool.defect(0), 0
    for _ in range(400):
        rows = rng.integers(0, 100_000, 1000)
        part = type(pool)(pool.defects[rows], pool.sizes[rows])
        passed += excess(part.law(np.eye(1)), delta, part.quantile(0.05)) <= 0
    assert stats.binom.ppf(0.005, 400, 0.04) <= passed <= stats.binom.ppf(0.995, 400, 0.07)


def test_a_span_is_as_bad_as_its_worst_direction():
    field = as_field(lambda x: np.exp(-(x[:, 0] ** 2) - x[:, 1] ** 2 - 1.3 * x[:, 2] ** 2), dim=3)
    action, rng = rotation(3), np.random.default_rng(1)
    forms = mean_forms(field, action, independent(BALL.measure, 4000, rng), scales_of(field, action, BALL))
    whole = forms.upper(np.eye(3), 0.05)
    for xi in rng.normal(size=(20, 3)):
        defect = xi @ forms.defects.mean(axis=0) @ xi / (xi @ forms.sizes.mean(axis=0) @ xi)
        assert np.sqrt(defect) < whole
    assert whole < 1.5 * max(forms.upper(np.eye(3)[:, [a]], 0.05) for a in range(3))


def test_conformal_coverage_and_exact_share():
    box = Samples.box(-1, 1, dim=2)
    scores = pointwise(elliptic, rotation(2), box, None, 50_000, None, None, 99)
    found = [conformal(elliptic, rotation(2), box, n=400, rng=r).quantile for r in range(40)]
    assert 0.94 <= np.mean([np.mean(scores <= q) for q in found]) <= 0.96
    share = violating_share(elliptic, rotation(2), box, float(np.quantile(scores, 0.9)), n=1000)
    assert share.low < 0.1 < share.high < 0.14 and "% of the region" in str(share)
    assert stats.binom.cdf(share.count, 1000, share.high) == pytest.approx(0.025)
    with pytest.raises(er.UndecidedError, match="too few points"):
        conformal(elliptic, rotation(2), box, n=10)
    assert "any distribution" in str(conformal(elliptic, rotation(2), box))


def test_only_a_finite_move_sees_a_jump():
    def step(x):
        return np.where(x[:, 0] > 0, 1.0, 0.0) + x[:, 1]

    field = as_field(step, dim=2, jacobian=lambda x: np.broadcast_to([[0.0, 1.0]], (len(x), 2)))
    one = translation(2).restrict(np.eye(2)[:, [0]])
    still = model_certificate(field, translation(2), PLANE, generators=one)
    assert still.bounds[0].defect == 0.0 and still.dim == 0  # the mean sees nothing, and moving the points refutes it
    assert still.bounds[0].verdict == "refuted" and "jump" in still.bounds[0].reason
    moved = model_certificate(field, translation(2), PLANE, generators=one, time_step=0.05)
    assert moved.bounds[0].verdict == "refuted" and "finite residual" in moved.guarantee


def test_finite_residual_tends_to_the_lie_derivative():
    field = as_field(lambda x: np.c_[x[:, 1], -x[:, 0] + x[:, 1] ** 2], kind="vector", dim=2)
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    exact = LieDerivative(field, rotation(2), PLANE).rows(x)[:, :, 0]
    near = finite_residual(field, lift(field, rotation(2)), np.ones(1), 1e-6, x)
    assert np.allclose(near, exact, atol=1e-4)


def test_products_of_independent_residuals_are_unbiased():
    rng, n = np.random.default_rng(0), 4000
    true = 0.3 * rng.normal(size=(n, 1))
    first, second = (true + rng.normal(size=(n, 1)) for _ in range(2))
    found = paired_bound(first, second, np.ones(n), delta=0.5)
    assert found.low < 0.3 < found.high and found.verdict == "certified"
    false = sum(
        paired_bound(*rng.normal(size=(2, n)) + 0.2, np.ones(n), delta=0.199).verdict == "certified" for _ in range(60)
    )
    assert false <= stats.binom.ppf(0.99, 60, 0.05)
    with pytest.raises(er.InputError, match="pair up"):
        paired_bound(first, second[:-1], np.ones(n))


def test_points_that_choose_are_not_those_that_test():
    points = np.random.default_rng(0).uniform(-1, 1, (600, 2))
    few, fresh = draw(Samples.from_data(points), 100, 300, np.random.default_rng(1))
    assert not set(map(tuple, few.points)) & set(map(tuple, fresh)) and len(fresh) == 300
    weighted = draw(
        Samples.from_data(points, np.r_[np.ones(300), np.full(300, 1e-9)]), 100, 400, np.random.default_rng(1)
    )
    assert np.mean([tuple(p) in set(map(tuple, points[:300])) for p in weighted[1]]) > 0.99
    found = model_certificate(as_field(lambda x: np.sum(x**2, axis=1), dim=2), affine(2), points)
    assert found.dim == 1 and "dealt out" in found.assumptions[1]
    box = independent(BoxMeasure(np.zeros(2), np.ones(2)), 1000, np.random.default_rng(0))
    assert 0 <= box.min() and box.max() <= 1


def test_the_field_itself_is_set_apart_and_nothing_is_asked_twice():
    found = model_certificate(lambda x: np.c_[-x[:, 1], x[:, 0]], affine(2), PLANE, kind="vector")
    assert found.dim == 0 and len(found.trivial) == 2 and "trivial" in str(found)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: model_certificate(bump, affine(3)), "samples are missing"),
        (lambda: conformal(bump, affine(3), BALL), "about one generator"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(er.InputError, match=words):
        call()


def test_certifying_costs_no_more_evaluations_than_discovery():
    """One pass of values and Jacobians over fewer points, whatever the number of generators."""
    calls = {"jacobian": 0}

    def slope(x):
        calls["jacobian"] += len(x)
        return (-2 * x * bump(x)[:, None])[:, None, :]

    field = as_field(bump, dim=3, jacobian=slope, points=BALL.points)
    calls["jacobian"] = 0
    found = er.discover(field, affine(3), BALL)
    spent, calls["jacobian"] = calls["jacobian"], 0
    assert model_certificate(field, affine(3), BALL, generators=found.action).dim == 3
    assert calls["jacobian"] <= spent
