"""Numbers of certificates beside formulas and tables that are computed here, without the code that made them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

import erlangen as er
from erlangen.evidence import _hardest, certify, class_free, model_certificate
from erlangen.evidence._families import polynomials
from erlangen.evidence._measured import ByTensors
from erlangen.evidence._modes import by_held_out, choosing, simultaneous_answer
from erlangen.evidence._task import Task
from erlangen.evidence.bilinear import Bilinear, bilinear
from erlangen.evidence.calibrated import _allowed, calibrate
from erlangen.evidence.ellipsoid import ratio_upper
from erlangen.evidence.estimate import Estimate, estimate
from erlangen.evidence.heldout import held_out
from erlangen.evidence.multiplicity import holm
from erlangen.evidence.observed import observed
from erlangen.evidence.simultaneous import Reach, reach, simultaneous

BOX = er.Samples.box(-1, 1, dim=2)
TURN = er.actions.rotation(2)
QUADRATIC = polynomials(2, 2, 1, "invariant")


def law(theta, errors, dof) -> Estimate:
    """Independent errors of known sizes."""
    q = len(theta)
    return Estimate(
        np.array(theta, dtype=float), np.diag(errors).astype(float), dof, True, np.ones(1), (), np.zeros((q, 0))
    )


def fieller(a, s, e, r, t) -> float:
    """Largest d that ``(a - d e)^2 <= t^2 (s^2 + d^2 r^2)`` allows: a ratio of two independent estimates."""
    return optimize.brentq(lambda d: (a - d * e) ** 2 - t**2 * (s**2 + d**2 * r**2), a / e, 1e3 * a / e)


def ratio() -> Bilinear:
    """|theta_0| over |theta_1|, for one generator."""
    return Bilinear(np.array([[[1.0, 0.0]]]), np.array([[[0.0, 1.0]]]))


def rows(n=600, tilt=0.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2))
    return x, (x**2).sum(axis=1) + tilt * x[:, 0] + 0.05 * rng.standard_normal(n)


@pytest.mark.parametrize("dof", [6.0, 40.0, np.inf])
@pytest.mark.parametrize("alpha", [0.02, 0.1])
def test_a_ratio_is_bounded_at_half_of_alpha(alpha, dof):
    first, second = law([0.01, 1.0], [0.1, 0.1], dof), law([0.02, 1.1], [0.01, 0.08], dof)
    found = held_out(ratio(), first, second, 0.5, alpha)
    t = stats.norm.isf(alpha / 2) if np.isinf(dof) else stats.t.isf(alpha / 2, dof)
    assert found.path.upper[0] == pytest.approx(fieller(0.02, 0.01, 1.1, 0.08, t), rel=2e-3)


@pytest.mark.parametrize("named", [False, True])
def test_a_held_out_certificate_is_a_ratio_at_its_t_quantile(named):
    data, alpha, generators = observed(rows()), 0.04, np.ones((1, 1)) if named else None
    both = bilinear(QUADRATIC, TURN, BOX)

    def task() -> Task:
        rng = np.random.default_rng(3)
        return Task(data, QUADRATIC, TURN, BOX, alpha, 0.1, "equal", generators, None, rng)

    answer = by_held_out(task(), both)
    parts = task().parts(choosing(len(data), both, 1))
    first, second = (estimate(QUADRATIC, part.x, part.y) for part in parts)
    t = stats.t.isf(alpha if named else alpha / 2, len(parts[1]) - 6)
    lie, size = both.lie[:, 0], both.size[:, 0]
    ahead = size @ first.theta / np.linalg.norm(size @ first.theta)
    expected = ratio_upper(
        lie @ second.theta,
        lie @ second.root,
        (ahead @ size @ second.theta)[None],
        (ahead @ size @ second.root)[None],
        t,
    )
    assert answer.bound == pytest.approx(expected, rel=2e-3)
    assert ByTensors(both, answer).bounds(np.ones(1)) == (0.0, answer.bound)


def test_a_simultaneous_certificate_is_a_ratio_over_the_ball_of_the_f_quantile():
    x, y = rows()
    both, fit = bilinear(QUADRATIC, TURN, BOX), estimate(QUADRATIC, x, y[:, None])
    measured = ByTensors(both, simultaneous_answer(both, fit, 0.04, 0.1, len(x), False))
    lie, size = both.lie[:, 0], both.size[:, 0]
    radius = np.sqrt(6 * stats.f.isf(0.04, 6, len(x) - 6))
    expected = ratio_upper(lie @ fit.theta, lie @ fit.root, size @ fit.theta, size @ fit.root, radius)
    assert measured.bounds(np.ones(1))[1] == pytest.approx(expected, rel=2e-3)
    found = certify((x, y), TURN, BOX, family=QUADRATIC, alpha=0.04, delta=0.1, mode="simultaneous")
    assert found.bounds[0].high == pytest.approx(expected, rel=2e-3)


def worst(both: Bilinear, theta, errors) -> float:
    """Largest defect of any generator over some parameters: the first singular value of its two matrices."""
    tops = []
    for error in errors:
        a, m = both.numerator(theta + error), both.denominator(theta + error)
        tops.append(np.linalg.norm(a @ np.linalg.pinv(m), 2))
    return float(max(tops))


@pytest.mark.parametrize("step, expected", [(0.0, 0.6), (-0.1, 0.8)])
def test_a_denominator_that_shrinks_is_in_the_bound(step, expected):
    """One error halves the denominator of one generator, while its numerator grows: the bound is reached."""
    lie, size = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    lie[:, :, 0], lie[0, 0, 1], size[:, :, 0], size[0, 0, 1] = 0.3 * np.eye(2), step, np.eye(2), 0.5
    both, root = Bilinear(lie, size), np.array([[0.0], [1.0]])
    ball = root[:, 0] * np.linspace(-1, 1, 41)[:, None]
    bound = reach(both, np.eye(2), root).upper(0.3, 1.0)
    assert worst(both, np.array([1.0, 0.0]), ball) == pytest.approx(expected) and bound == pytest.approx(expected)
    assert Reach(0.0, 0.5).upper(0.3, 2.0) == np.inf


@pytest.mark.parametrize("seed", range(4))
def test_spans_are_bounded_over_the_whole_ball(seed):
    rng = np.random.default_rng(seed)
    lie, size = 0.05 * rng.normal(size=(3, 2, 4)), 0.1 * rng.normal(size=(4, 2, 4))
    size[:2, :, 0] += np.eye(2)
    both, fit = Bilinear(lie, size), law([1.0, 0, 0, 0], [0.3, 1.0, 1.0, 1.0], np.inf)
    u = rng.normal(size=(400, 4))
    u *= np.sqrt(stats.chi2.isf(0.1, 4)) / np.linalg.norm(u, axis=1, keepdims=True)
    for d, bound in enumerate(simultaneous(both, fit, 0.1).upper, 1):
        basis = simultaneous(both, fit, 0.1).basis[:, :d]
        assert worst(both.restrict(basis), fit.theta, u @ fit.root.T) <= bound


@pytest.mark.parametrize("draws", [100, 200, 1000])
@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_allowed_counts_are_those_of_clopper_and_pearson(draws, alpha):
    def upper(count):
        return stats.binomtest(count, draws).proportion_ci(0.9, "exact").high

    count = _allowed(draws, alpha)
    assert upper(count) <= alpha < upper(count + 1)


def test_no_null_model_is_certified_more_often_than_allowed():
    both, fit = ratio(), law([0.08, 1.0], [0.03, 0.01], np.inf)
    found = calibrate(both, fit, 0.1, 0.05, draws=200, rng=0)
    most = max(k for k in range(20) if stats.beta.isf(0.05, k + 1, 200 - k) <= 0.05)
    assert max(rate for _, rate in found.rates) <= most / 200
    assert stats.norm.isf(0.05) <= found.radius <= found.outer


@pytest.mark.parametrize("alpha", [0.02, 0.2])
def test_bounds_of_groups_pay_for_the_denominator(alpha):
    part, fit = ratio(), law([0.05, 1.0], [0.01, 0.01], 30.0)
    left = 1.0 - 0.1 * np.sqrt(2 * stats.f.isf(0.1 * alpha, 2, 30))
    assert _hardest._left(fit, Reach(0.0, 0.1), alpha) == pytest.approx(left)
    sure, unsure = (
        _hardest.highest(part, fit, Reach(0.0, size), alpha, np.random.default_rng(0))[0] for size in (0.0, 0.1)
    )
    assert unsure == pytest.approx(sure / left) and sure > 0.05
    easy, hard = (
        _hardest.largest_p(part, fit, Reach(0.0, size), 0.08, np.random.default_rng(0)) for size in (0.0, 0.1)
    )
    assert hard > easy


def test_named_generators_of_a_model_share_alpha():
    f, twist = (lambda x: x[:, 0] ** 2 + 1.02 * x[:, 1] ** 2), np.array([0.0, 0, -1, 0, 1, 0])
    action = er.actions.affine(2)
    one = model_certificate(f, action, BOX, generators=twist[None], alpha=0.02)
    three = model_certificate(f, action, BOX, generators=np.array([twist] * 3), alpha=0.06)
    whole = model_certificate(f, action, BOX, generators=twist[None], alpha=0.06)
    assert [b.high for b in three.bounds] == [one.bounds[0].high] * 3
    assert whole.bounds[0].high < one.bounds[0].high


def test_named_generators_without_a_class_share_alpha():
    twist, data, action = np.array([0.0, 0, -1, 0, 1, 0]), rows(), er.actions.affine(2)
    one, three, whole = (
        class_free(data, action, BOX, generators=np.array([twist] * r), alpha=alpha, model=2, folds=2, degree=1)
        for r, alpha in ((1, 0.02), (3, 0.06), (1, 0.06))
    )
    assert [b.high for b in three.bounds] == pytest.approx([one.bounds[0].high] * 3, rel=1e-6)
    assert whole.bounds[0].high < 0.98 * one.bounds[0].high


@pytest.mark.parametrize(
    "p, adjusted",
    [
        ([0.010, 0.040, 0.030, 0.005], [0.03, 0.06, 0.06, 0.02]),  # 4 x 0.005, 3 x 0.01, 2 x 0.03, then not below 0.06
        ([0.02, 0.012], [0.024, 0.024]),
        ([0.5, 0.4, 0.3], [0.9, 0.9, 0.9]),
        ([0.7, 0.001], [0.7, 0.002]),
    ],
)
def test_adjusted_p_values_never_fall_along_the_order(p, adjusted):
    assert holm(p) == pytest.approx(adjusted)
