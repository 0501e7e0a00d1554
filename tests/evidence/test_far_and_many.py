"""Certificates do not depend on the origin, on how many rows there are, or on rows that were copied."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen._errors import UndecidedError
from erlangen.actions import PolynomialAction, affine, polynomial, rotation
from erlangen.evidence._centred import shifted_action
from erlangen.evidence._crossfit import polynomial_fit
from erlangen.evidence._test_fields import functions_over
from erlangen.evidence.bilinear import bilinear, spectrum_of
from erlangen.evidence.estimate import estimate
from erlangen.evidence.heldout import _nested_bounds, span_bound
from erlangen.fields import polynomial_field

AFFINE, BOX = affine(2), er.Samples.box(-1, 1, dim=2)


def rings(n: int, seed: int, sigma: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2))
    return x, (x**2).sum(axis=1) + sigma * rng.standard_normal(n)


def test_shifted_candidates_are_the_same_velocities():
    rng, origin = np.random.default_rng(0), np.array([3.0, -7.0])
    x, action = rng.standard_normal((5, 2)), polynomial(2, 3)
    assert np.allclose(shifted_action(action, origin).on_points(x), action.on_points(x + origin), rtol=1e-12)


@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_a_certificate_does_not_depend_on_the_origin(offset):
    x, y = rings(400, 0)
    near = er.evidence.certify((x, y), AFFINE, BOX, family=2)
    box = er.Samples.box(offset - 1, offset + 1, dim=2)
    far = er.evidence.certify((x + offset, y), AFFINE, box, family=2)
    assert near.dim == far.dim == 1 and all(g.passed for g in far.gates)
    assert far.band.defects == pytest.approx(near.band.defects, rel=1e-4, abs=1e-6)
    assert isinstance(far.action, PolynomialAction)
    turn = far.action.coefficients[0]  # over 1, x, y
    middle = np.linalg.solve(turn[:, 1:], -turn[:, 0])
    assert np.allclose(middle - offset, 0.0, atol=0.1)  # it turns about the middle of the data
    assert "x in [-1" not in far.region and far.candidates is AFFINE
    about = er.evidence.test_group((x + offset, y), rotation(2), box, family=2)
    assert about.verdict == "refuted"  # about the origin is another claim


@pytest.mark.parametrize("d, degree", [(2, 30), (12, 40)])
def test_a_class_that_is_too_large_is_refused_before_it_is_built(d, degree):
    rng = np.random.default_rng(0)
    data = rng.standard_normal((300, d)), rng.standard_normal(300)
    for ask in (er.evidence.certify, er.evidence.test_group):
        with pytest.raises(UndecidedError, match="too few rows"):
            ask(data, rotation(d), family=degree)


def test_a_class_that_the_library_chose_is_never_the_last_word():
    left = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1, 1, (1000, 2))
        y = np.exp(-3 * (x**2).sum(axis=1)) + 0.02 * rng.standard_normal(1000)
        found = er.evidence.certify((x, y), rotation(2), BOX)
        assert not any(gate.name.startswith("lack of fit") and not gate.passed for gate in found.gates)
        left += any("was left" in note for note in found.notes)
    assert left >= 2


@pytest.mark.parametrize("mode", ["held-out", "simultaneous", "calibrated"])
def test_a_mode_that_was_asked_for_is_not_replaced(mode):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 2))
    y = np.sign(np.sin(9 * x[:, 0]) * np.cos(7 * x[:, 1]))
    with pytest.raises(UndecidedError, match="mode that was asked for"):
        er.evidence.certify((x, y), rotation(2), BOX, mode=mode)
    assert er.evidence.certify((x, y), rotation(2), BOX).mode == "class-free"


def test_copied_rows_are_no_new_evidence():
    x, y = rings(60, 1)
    once = er.evidence.certify((x, y), rotation(2), BOX, family=2)
    wide, tall = np.repeat(x, 10, axis=0), np.repeat(y, 10)
    found = er.evidence.certify((wide, tall), rotation(2), BOX, family=2)
    assert found.bounds[0].high == once.bounds[0].high and found.dim == once.dim == 1
    assert "600 rows, 60 distinct" in found.gates[0].reason
    tested = er.evidence.test_group((wide, tall), rotation(2), BOX, family=2)
    assert tested.verdict == "certified" and tested.gates[0].name == "copied rows"
    sym = er.discover((wide, tall), rotation(2))
    plain = er.discover((x, y), rotation(2)).certificate
    assert sym.certificate is not None and plain is not None
    assert sym.certificate.gates[0].name == "copied rows"
    assert sym.certificate.bounds[0].high > 0.7 * plain.bounds[0].high  # a third of it, were copies evidence


def test_repeated_measurements_are_not_copies():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.uniform(-1, 1, (40, 2)), 5, axis=0)
    y = (x**2).sum(axis=1) + 0.05 * rng.standard_normal(200)
    assert er.evidence.certify((x, y), rotation(2), BOX, family=2).gates[0].name == "lack of fit"
    rounded = np.round(y, 1)
    found = er.evidence.certify((x, rounded), rotation(2), BOX, family=2)
    assert found.gates[0].passed and "repeated measurements" in found.gates[0].reason
    assert "200 rows" in found.guarantee or "other 180" in found.guarantee
    with pytest.raises(UndecidedError, match="copies of others"):
        er.evidence.certify((np.repeat(x, 4, axis=0), np.repeat(y, 4)), rotation(2), BOX, family=2)


def test_running_sums_bound_nested_spans_as_one_by_one():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 3))
    family = polynomial_field(3, 2, np.zeros(10))
    first, second = (
        estimate(family, x[i::2], (x**2).sum(axis=1)[i::2] + 0.1 * rng.standard_normal(300)) for i in (0, 1)
    )
    both = bilinear(family, affine(3), er.Samples.box(-1, 1, dim=3))
    basis = spectrum_of(both, first.theta).basis[:, :6]
    plain = [span_bound(both, first, second, basis[:, :d], 1.5) for d in range(2, 7)]
    assert list(_nested_bounds(both, first, second, basis, 1.5)) == pytest.approx(plain, rel=1e-9)


def test_no_table_of_monomials_is_made_that_is_not_used():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 30))
    assert polynomial_fit(x, x[:, :1], "invariant", None).degree == 1  # degree 12 would have 10^10 of them
    with pytest.raises(UndecidedError, match="46376 test functions"):
        functions_over(x, 4)


def test_a_symmetry_without_evidence_says_why():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (120, 2))
    wide, tall = np.repeat(x, 8, axis=0), np.repeat((x**2).sum(axis=1), 8)
    tall[::16] += 1e-3 * rng.standard_normal(60)  # some points have several values, and most rows are copies
    sym = er.discover((wide, tall), rotation(2))
    assert sym.dim == 1 and sym.certificate is None
    assert "most rows are copies" in sym.no_certificate and "evidence: none by default, most rows" in str(sym)
    assert er.discover((x, (x**2).sum(axis=1)), rotation(2)).no_certificate == ""
