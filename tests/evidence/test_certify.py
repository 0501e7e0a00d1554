"""Certificates: bounds that hold, levels that are kept, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import integrate

import erlangen as er
from erlangen.evidence import certify
from erlangen.evidence._families import family_of, polynomials
from erlangen.evidence._task import Task
from erlangen.evidence.bilinear import Bilinear, bilinear, spectrum_of
from erlangen.evidence.calibrated import calibrate, calibrated
from erlangen.evidence.ellipsoid import norm_lower, norm_upper, ratio_upper, unfolding_norm
from erlangen.evidence.estimate import estimate, estimate_features
from erlangen.evidence.heldout import held_out, snapped, span_bound
from erlangen.evidence.observed import observed
from erlangen.evidence.simultaneous import bounds_of, simultaneous
from erlangen.fields import PolynomialField
from erlangen.linalg.polynomials import exponents, monomials

BOX = er.Samples.box(-1, 1, dim=2)
CUBIC = polynomials(2, 3, 2, "vector")


def hopf(x, e=0.0):
    r2 = (x**2).sum(axis=1)
    return np.stack([x[:, 0] - x[:, 1] - x[:, 0] * r2 + e * x[:, 0] ** 2, x[:, 0] + x[:, 1] - x[:, 1] * r2], axis=1)


def theta_of(f):
    x = np.random.default_rng(1).uniform(-1, 1, (60, 2))
    return np.linalg.lstsq(monomials(x, CUBIC.table), f(x), rcond=None)[0].T.ravel()


def draw(f, n, sigma, rng):
    x = rng.uniform(-1, 1, (n, 2))
    return x, f(x) + sigma * rng.standard_normal((n, 2))


@pytest.fixture(scope="module")
def plane() -> Bilinear:
    return bilinear(CUBIC, er.actions.affine(2), BOX)


@pytest.mark.parametrize("seed", range(5))
def test_extremes_over_a_ball_are_never_beaten_and_nearly_reached(seed):
    rng = np.random.default_rng(seed)
    a, b, e, f = rng.normal(size=4), rng.normal(size=(4, 3)), rng.normal(size=5), 0.2 * rng.normal(size=(5, 3))
    u = rng.normal(size=(3, 40_000))
    u *= 0.7 * rng.uniform(0, 1, 40_000) ** (1 / 3) / np.linalg.norm(u, axis=0)
    u[:, ::2] *= 0.7 / np.linalg.norm(u[:, ::2], axis=0)
    top, down = np.linalg.norm(a[:, None] + b @ u, axis=0), np.linalg.norm(e[:, None] + f @ u, axis=0)
    assert top.max() <= norm_upper(a, b, 0.7) <= 1.02 * top.max()
    assert 0.9 * top.min() - 0.05 <= norm_lower(a, b, 0.7) <= top.min()
    assert (top / down).max() <= ratio_upper(a, b, e, f, 0.7) <= 1.02 * (top / down).max()


def test_a_denominator_that_may_vanish_bounds_nothing():
    assert ratio_upper(np.ones(1), np.zeros((1, 1)), np.ones(1), np.ones((1, 1)), 1.5) == np.inf


def test_the_norm_of_unfoldings_bounds_the_trilinear_form():
    rng = np.random.default_rng(0)
    t = rng.normal(size=(4, 3, 5))
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (rng.normal(size=(2000, k)) for k in t.shape)]
    assert np.einsum("kaq,nk,na,nq->n", t, *unit).max() <= unfolding_norm(t)


def test_tensors_are_integrals_over_the_region(plane):
    theta, xi = theta_of(lambda x: hopf(x, 0.3)), np.random.default_rng(0).normal(size=6)
    f = CUBIC.with_theta(theta)
    one = er.actions.affine(2).restrict(xi[:, None])

    def square(y, x):
        at = np.array([[x, y]])
        lie = er.LieDerivative(f, one, er.Samples.from_data(at)).in_xi()
        return float(np.sum(lie**2)) / 4

    exact, _ = integrate.dblquad(square, -1, 1, -1, 1, epsabs=1e-9)
    assert np.sum((plane.lie_of(xi) @ theta) ** 2) / 3 == pytest.approx(exact, rel=1e-8)  # in units of the spread


@pytest.mark.parametrize("kind, action", [("vector", er.actions.affine(2)), ("invariant", er.actions.affine(2))])
def test_defects_are_those_of_discover(kind, action):
    c = 2 if kind == "vector" else 1
    family = polynomials(2, 3, c, kind)
    f = family.with_theta(np.random.default_rng(3).normal(size=family.n_params))
    found = spectrum_of(bilinear(family, action, BOX), f.theta)
    assert found.values == pytest.approx(er.discover(f, action, BOX).spectrum, rel=1e-9)


def test_one_confidence_set_holds_every_direction(plane):
    truth, rng, held = theta_of(hopf), np.random.default_rng(0), 0
    lower, upper = [], []
    for _ in range(60):
        x, y = draw(hopf, 150, 0.1, rng)
        fit = estimate_features(monomials(x, CUBIC.table), y)
        xi = rng.normal(size=6)
        low, high = bounds_of(plane, fit, xi, fit.radius(0.05))
        path = simultaneous(plane, fit, 0.05)
        worst = [plane.worst(path.basis[:, :d], truth) for d in range(1, 3)]
        true = spectrum_of(plane, truth).values
        held += low <= plane.defect(xi, truth) <= high and all(worst <= path.upper[:2]) and all(path.lower <= true)
        lower.append(path.lower[1])
        upper.append(path.upper[0])
    assert held >= 57  # 95 % of 60
    assert np.median(upper) < 0.3 and np.median(lower) > 0.3  # and the bounds say something


def test_level_at_the_boundary_is_kept_and_not_empty(plane):
    # The defect of the rotation is exactly delta: certifying it is an error, and must happen in at most 5 %.
    rotation = np.array([0.0, 0, -1, 0, 1, 0])
    e = _strength(plane, rotation, 0.05)
    rng, certified, truth = np.random.default_rng(5), 0, theta_of(lambda x: hopf(x, e))
    assert plane.defect(rotation, truth) == pytest.approx(0.05, rel=1e-6)
    for _ in range(300):
        x, y = draw(lambda x: hopf(x, e), 1500, 0.02, rng)
        phi = monomials(x, CUBIC.table)
        first, second = estimate_features(phi[:300], y[:300]), estimate_features(phi[300:], y[300:])
        certified += span_bound(plane, first, second, rotation[:, None], second.quantile(0.05)) <= 0.05
    assert 1 <= certified <= 25  # 99 % of Bin(300, .05) is at most 25


def _strength(plane, xi, rho):
    from scipy.optimize import brentq

    return brentq(lambda e: plane.defect(xi, theta_of(lambda x: hopf(x, e))) - rho, 0.0, 1.0)


def test_rounding_reads_off_simple_spans_and_refuses_others():
    rng = np.random.default_rng(0)
    truth = np.array([[1.0, 0, 0, -1, 0, 0], [0, 1, 0, 0, 0.5, 0]]).T
    mixed = truth @ rng.normal(size=(2, 2)) + 0.01 * rng.normal(size=(6, 2))
    rounded = snapped(mixed)
    assert np.linalg.matrix_rank(np.hstack([rounded, truth])) == 2
    assert snapped(np.array([[1.0], [0.75], [0.25]])) is None


def test_calibration_stays_between_one_contrast_and_all(plane):
    x, y = draw(hopf, 400, 0.1, np.random.default_rng(0))
    fit = estimate(CUBIC, x, y)
    found = calibrate(plane, fit, 0.05, 0.05, draws=60, rng=0)
    assert fit.quantile(0.05) <= found.radius < found.outer == fit.radius(0.05)
    assert calibrated(plane, fit, found).upper[0] < simultaneous(plane, fit, 0.05).upper[0]


def test_held_out_is_tighter_than_simultaneous_and_keeps_the_truth(plane):
    x, y = draw(hopf, 800, 0.05, np.random.default_rng(0))
    parts = estimate(CUBIC, x[:240], y[:240]), estimate(CUBIC, x[240:], y[240:])
    found = held_out(plane, *parts, 0.05, 0.05)
    assert found.dim == 1 and plane.worst(found.span, theta_of(hopf)) <= 0.05
    assert found.rounded[0][1] < simultaneous(plane, estimate(CUBIC, x, y), 0.05).upper[0]


@pytest.mark.parametrize("mode", ["held-out", "simultaneous", "calibrated"])
def test_rotation_is_certified_and_what_is_absent_is_not(mode):
    rng = np.random.default_rng(0)
    found = certify(draw(hopf, 1500, 0.02, rng), None, BOX, family=3, kind="vector", mode=mode)
    assert found.dim == 1 and found.decided
    if mode == "calibrated":  # only the span that was estimated is bounded, so nothing is rounded
        assert found.bounds[0].xi == pytest.approx([0, 0, -1, 0, 1, 0], abs=0.005)
    else:
        assert found.bounds[0].text == "x d/dy - y d/dx"
    assert found.bounds[0].defect <= found.bounds[0].high <= 0.05
    broken = certify(draw(lambda x: hopf(x, 0.5), 1500, 0.02, rng), None, BOX, family=3, kind="vector", mode=mode)
    assert broken.dim == 0 and broken.bounds[0].verdict == "refuted"
    noisy = certify(draw(hopf, 60, 0.3, rng), None, BOX, family=3, kind="vector", mode=mode)
    assert noisy.dim == 0 and not noisy.decided and "do not decide" in noisy.verdict


def test_translations_need_the_product_denominator():
    def shear(x):
        return np.stack([x[:, 1] - x[:, 1] ** 3, -x[:, 1]], axis=1)

    data = draw(shear, 800, 0.02, np.random.default_rng(0))
    across = er.actions.translation(2).restrict(np.eye(2)[:, :1])
    assert certify(data, None, BOX, family=3, kind="vector", generators=across).bounds[0].text == "d/dx"
    found = certify(data, None, BOX, family=3, kind="vector").generators
    assert np.abs(np.linalg.lstsq(found.T, np.eye(6)[0])[0] @ found - np.eye(6)[0]).max() < 0.02
    bracket = certify(data, None, BOX, family=3, kind="vector", defect="bracket", generators=er.actions.translation(2))
    assert bracket.dim == 0


def test_the_class_is_chosen_by_rows_that_do_not_test():
    rng = np.random.default_rng(0)
    data = observed(draw(hopf, 600, 0.05, rng), kind="vector")
    chosen = family_of(None, data, rng)
    assert chosen is not None and chosen.family.degree == 3
    task = Task(data, chosen.family, er.actions.affine(2), BOX, 0.05, 0.05, "equal", None, chosen.rows, rng)
    first, second = task.parts(0.5)
    assert len(first) + len(second) == len(data)
    assert not set(map(tuple, first.x)) & set(map(tuple, second.x))
    assert set(map(tuple, first.x)) == set(map(tuple, data.x[chosen.rows]))


def test_whole_runs_go_to_one_side():
    rng = np.random.default_rng(0)
    data = observed(draw(hopf, 100, 0.05, rng), kind="vector", groups=np.repeat(np.arange(10), 10))
    first, second = data.split(0.3, rng)
    assert not set(first.groups) & set(second.groups) and len(set(first.groups)) == 3


def test_a_class_that_is_too_small_is_rejected():
    found = certify(draw(hopf, 1500, 0.02, np.random.default_rng(0)), None, BOX, family=1, kind="vector")
    assert found.dim == 0 and "lack of fit" in found.verdict
    assert all(b.verdict != "certified" for b in found.bounds)


def test_data_on_a_part_of_the_region_certify_nothing_beyond_it():
    x = np.random.default_rng(0).uniform(-1, 1, (500, 2)) * [1.0, 0.0]
    y = x[:, :1] + 0.01 * np.random.default_rng(1).standard_normal((500, 1))
    found = certify((x, y), er.actions.affine(2), BOX, family=2)
    assert found.dim == 0 and not found.decided


@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_units_do_not_matter(unit):
    x, y = draw(hopf, 800, 0.05, np.random.default_rng(0))
    plain = certify((x, y), None, BOX, family=3, kind="vector", mode="simultaneous")
    scaled = certify(
        (x * [1, unit], y * [1, unit]),
        None,
        er.Samples.box([-1, -unit], [1, unit]),
        family=3,
        kind="vector",
        mode="simultaneous",
        noise="components",
    )
    assert scaled.dim == plain.dim == 1
    assert scaled.band.defects == pytest.approx(plain.band.defects, rel=1e-6, abs=1e-9)


def test_own_field_is_set_apart():
    x, y = draw(lambda x: x @ [[0, 1], [-1, 0]], 400, 0.01, np.random.default_rng(0))
    found = certify((x, y), None, BOX, family=1, kind="vector")
    assert found.dim == 0 and len(found.trivial) == 2 and found.band.certified(0.05) == 2
    assert "trivial" in found.verdict


def test_certificates_are_written_in_every_form():
    found = certify(draw(hopf, 600, 0.05, np.random.default_rng(0)), None, BOX, family=3, kind="vector")
    assert json.loads(json.dumps(found.to_dict()))["dim"] == 1
    assert "<table" in found._repr_html_() and r"\partial_y" in found.to_latex()
    assert found.action.n_generators == 1 and found.generators.shape == (1, 6)
    text = str(found)
    assert all(word in text for word in ("exactly, in finite samples", "assumes", "gate", "not refuted"))


def test_the_band_decides_where_bounds_meet():
    band = er.evidence.Band(np.array([0.01, 0.3]), np.array([0.0, 0.2]), np.array([0.03, 0.5]))
    assert [band.certified(t) for t in (0.02, 0.03, 0.4, 0.5)] == [0, 1, 1, 2]
    assert [band.possible(t) for t in (0.02, 0.19, 0.2)] == [1, 1, 2]
    assert band.plateau == (1, 0.03, 0.2)


def test_discover_prints_its_evidence_and_certified_is_a_rank_rule():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (400, 2))
    table = (x, (x**2).sum(axis=1) + 0.02 * rng.standard_normal(400))
    sym = er.discover(table)
    assert sym.certificate.dim == 1 and sym.certificate.verdict in str(sym)
    assert sym.certificate.bounds[0].high >= sym.defects[0]
    assert er.discover(table, rule=er.Certified()).dim == 1
    noisy = er.discover((x, np.sin(3 * x[:, 0]) + 0.05 * rng.standard_normal(400)), rule=er.Certified())
    assert noisy.dim == 0 and not noisy.decided


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: certify((np.ones((5, 2)), np.ones(4))), "do not fit"),
        (lambda: certify((np.ones((5, 2)), np.ones((5, 2)))), "how values follow points"),
        (lambda: certify((np.ones((5, 2)), np.ones(5)), alpha=2.0), "between 0 and 1"),
        (lambda: certify((np.ones((5, 2)), np.ones(5)), mode="magic"), "no such mode"),
        (lambda: certify((np.full((5, 2), np.nan), np.ones(5))), "not finite"),
        (lambda: certify((np.ones((5, 2)), np.ones(5)), family="cubic"), "not a class"),
        (lambda: certify((np.ones((5, 2)), np.ones(5)), family=2, weights=np.zeros(5)), "weights"),
        (lambda: bilinear(CUBIC, er.actions.affine(2), BOX, defect="cosine"), "denominator"),
    ],
)
def test_bad_input_is_explained(call, words):
    with pytest.raises(er.InputError, match=words):
        call()


def test_a_library_is_a_class():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2, (800, 2))
    library = er.fields.Expressions("log(x**2 + y**2)", "x", "y", "1")
    found = certify(
        (x, np.log((x**2).sum(axis=1)) + 0.01 * rng.standard_normal(800)),
        er.actions.rotation(2),
        er.Samples.box(0.5, 2, dim=2),
        family=library,
    )
    assert found.dim == 1


def test_polynomial_families_are_integrated_exactly():
    field = PolynomialField(exponents(2, 3), np.zeros((2, 10)), "vector")
    assert bilinear(field, er.actions.affine(2), BOX).exact
    assert not bilinear(field, er.actions.affine(2), BOX.pointwise()).exact


def test_large_problems_are_bounded_generator_by_generator():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2500, 10))
    y = x[:, 0] + x[:, 1] ** 2 + x[:, 2] ** 2 + 0.05 * rng.standard_normal(2500)
    found = certify((x, y), er.actions.rotation(10), er.Samples.gaussian(dim=10), family=2)
    assert found.dim == 22 and not found.band.complete  # so(7) on the rest, and one in the plane of x2 and x3
    family = family_of(2, observed((x, y)), rng).family
    truth = np.linalg.lstsq(monomials(x, family.table), x[:, 0] + x[:, 1] ** 2 + x[:, 2] ** 2, rcond=None)[0]
    f = family.with_theta(truth)
    assert (
        er.LieDerivative(f, er.actions.rotation(10), er.Samples.gaussian(dim=10)).defect(found.generators.T).max()
        < 0.05
    )


def test_bounds_generator_by_generator_are_never_tighter_than_those_of_tensors(plane):
    from erlangen.derivative import scales_of
    from erlangen.evidence._lean import lean_forms
    from erlangen.fields import lift

    x, y = draw(hopf, 400, 0.05, np.random.default_rng(0))
    fit = estimate(CUBIC, x, y)
    whole, field = simultaneous(plane, fit, 0.05), CUBIC.with_theta(fit.theta)
    scales = scales_of(field, lift(CUBIC, er.actions.affine(2)), BOX)
    lean = lean_forms(CUBIC, er.actions.affine(2), whole.basis[:, :3], BOX, scales, fit.theta)
    upper = lean.upper(fit, fit.radius(0.05))
    assert np.all(upper[:2] >= 0.99 * whole.upper[:2]) and upper[0] <= 2 * whole.upper[0]


def test_generators_cannot_be_tested_by_the_rows_that_chose_them():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 2))
    y = (x**2).sum(axis=1) + 0.02 * rng.standard_normal(600)
    sym = er.discover((x[:300], y[:300]))
    with pytest.raises(er.InputError, match="chosen by the rows"):
        certify((x, y), generators=sym, family=2)
    with pytest.raises(er.InputError, match="chosen by the rows"):
        certify((x[:300] + 1e-13, y[:300]), generators=sym, family=2)
    assert certify((x[300:], y[300:]), None, BOX, generators=sym, family=2).dim == 1
    # as candidates it stands for all that were on offer, so the rows choose again
    assert certify((x, y), sym, BOX, family=2).candidates.n_generators == 6


def test_a_claim_about_a_model_says_so_and_nearly_own_is_not_own():
    def turned(a):
        return lambda p: p @ np.array([[a, -2.0], [2.0, 0.0]]).T

    own = certify(turned(0.0), er.actions.rotation(2), BOX, kind="vector")
    assert len(own.trivial) == 1 and own.dim == 0 and "trivial" in own.verdict
    near = certify(turned(0.2), er.actions.rotation(2), BOX, kind="vector")
    assert near.trivial == () and near.bounds[0].verdict == "refuted"
    assert near.bounds[0].low <= er.discover(turned(0.2), er.actions.rotation(2), BOX, kind="vector").spectrum[0]
    sphere = certify(lambda p: (p**2).sum(axis=1), er.actions.rotation(2), BOX)
    assert sphere.dim == 1 and "the model's own defects" in sphere.verdict and "refuted" not in sphere.verdict


def test_frames_name_their_columns_and_text_is_refused():
    import pandas as pd

    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 2))
    y = (x**2).sum(axis=1) + 0.02 * rng.standard_normal(300)
    found = certify((pd.DataFrame(x, columns=["u", "w"]), y), er.actions.rotation(2), BOX, family=2)
    assert found.bounds[0].text == "u d/dw - w d/du"
    with pytest.raises(er.InputError, match="not an array of numbers"):
        certify((x.astype(str), y), family=2)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_rounded_spans_do_not_depend_on_the_size_of_coordinates(size):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (400, 2))
    y = (x**2).sum(axis=1) + 0.02 * rng.standard_normal(400)
    found = certify((size * x, y), er.actions.affine(2), er.Samples.box(-size, size, dim=2), family=2)
    assert found.bounds[0].xi == pytest.approx([0, 0, -1, 0, 1, 0], abs=0)


def test_on_given_points_defects_of_a_model_are_computed():
    x = np.random.default_rng(0).uniform(-1, 1, (3000, 3))
    sym = er.discover(lambda p: (p**2).sum(axis=1), er.actions.affine(3), x)
    found = sym.certificate
    assert found.dim == 3 and found.band.complete and "given points" in found.guarantee
    assert found.band.defects == pytest.approx(sym.spectrum) and found.band.possible(0.5) == 3


def test_closure_is_judged_by_the_errors_of_the_rows_that_chose():
    passed = []
    for seed in range(8):  # a turn, and shrinking x and y while 1 + z grows: two that commute
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1, 1, (500, 3))
        y = (x[:, 0] ** 2 + x[:, 1] ** 2) * (1 + x[:, 2]) + 0.01 * rng.standard_normal(500)
        found = certify((x, y), er.actions.affine(3), family=3, rng=0)
        passed += [gate.passed for gate in found.gates if gate.name == "closure" and found.dim == 2]
    assert len(passed) == 8 and sum(passed) >= 6  # at a level of 0.05 each
