"""The statistical benchmark of evidence: its fields, its judge, and the methods to compare with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import evidence
from benchmarks._evidence_cells import METHODS, Cell, judge, measure
from benchmarks._evidence_ours import OURS, tensors
from benchmarks._evidence_rivals import direction_bounds, extrema, fit, refutation, span_bound, symcert
from benchmarks._evidence_systems import ROTATION, SHEAR, SYMMETRIC, SYSTEMS, broken, named, seed, turned_off
from erlangen.actions import affine
from erlangen.derivative import Samples
from erlangen.evidence.bilinear import bilinear, spectrum_of
from erlangen.fields import PolynomialField

SMALLEST = {
    "vanderpol": 0.248,
    "duffing": 0.286,
    "lotka_volterra": 0.271,
    "selkov": 0.486,
    "rigid_asym": 0.206,
    "lorenz": 0.179,
}
"""The published smallest true defects of the fields without a symmetry."""


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.name)
def test_algebras_are_those_that_were_published(system):
    assert system.algebra.shape[1] == system.dim
    if system.dim:
        assert system.worst(system.algebra) < 1e-7
    assert system.defects()[0] == pytest.approx(SMALLEST.get(system.name, 0.0), abs=5e-4)


@pytest.mark.parametrize("defect", ["bracket", "product"])
@pytest.mark.parametrize("system", [*SYSTEMS[:2], *SYSTEMS[8:]], ids=lambda s: s.name)
def test_tensors_of_the_library_and_of_the_benchmark_agree(system, defect):
    ours = spectrum_of(tensors(system, defect), system.theta).values
    np.testing.assert_allclose(ours, system.defects(defect), atol=1e-7)


def test_translation_has_no_defect_in_one_denominator_only():
    translation = np.eye(6)[:, :1]
    assert SHEAR.worst(translation, "product") < 1e-12
    turned = translation + 1e-3 * np.eye(6)[:, 4:5]  # of d/dx itself the published defect is 0 / 0
    assert SHEAR.worst(turned) > 0.4


def test_broken_fields_stand_where_they_should():
    hopf, sphere, rotation = broken("hopf", 0.051), broken("sphere", 0.051), turned_off(0.05)
    assert hopf.defects()[0] == pytest.approx(0.051, abs=1e-9)
    np.testing.assert_allclose(sphere.defects()[:2], [0.0, 0.051], atol=1e-7)
    assert rotation.worst(ROTATION) == pytest.approx(0.05, abs=1e-9)


def test_seeds_count_the_240_cells():
    assert seed(named("hopf"), 100, 0.01) == 1000
    assert seed(named("lorenz"), 3200, 0.3) == 1000 + 7919 * 239


@pytest.mark.parametrize("radius", [0.3, 5.0])
def test_extremes_over_an_ellipsoid(radius):
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=4), rng.normal(size=(4, 2))
    angle, length = np.meshgrid(np.linspace(0, 2 * np.pi, 721), np.linspace(0, radius, 401))
    u = np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1).reshape(-1, 2)
    reached = np.linalg.norm(a + u @ b.T, axis=1)
    assert extrema(a, b, radius) == pytest.approx((reached.min(), reached.max()), rel=1e-3)


def test_extremes_where_the_greatest_direction_is_orthogonal_to_the_centre():
    # |(1, 0) + (u, 2 v)| over u^2 + v^2 <= 4: with v^2 = 4 - u^2 it is 17 + 2 u - 3 u^2, greatest at u = 1/3
    assert extrema(np.array([1.0, 0.0]), np.diag([1.0, 2.0]), 2.0) == pytest.approx((0.0, np.sqrt(52 / 3)))


def test_bounds_of_the_published_method_hold():
    system, rng = named("rigid_asym"), np.random.default_rng(3)
    found = fit(system, *system.draw(3200, 0.03, rng))
    for d in (1, 2):
        span = found.nested[:, :d]
        assert system.worst(span) <= span_bound(found, span)
    low, high = direction_bounds(found, found.nested[:, 0])
    assert low <= system.worst(found.nested[:, :1]) <= high
    ratio = np.linalg.svd(found.top)[1][-1] / np.linalg.norm(found.size, 2)
    assert 0.0 < refutation(found) < min(ratio, system.defects()[0])
    assert symcert(found).shape[1] == 0


def test_judge_knows_false_from_correct():
    system = named("lin_rot2")
    cell = Cell(system, 100, 0.1, 1, 0, ())
    right = judge("symcert", cell, system.algebra, 0.0)
    assert (right.false, right.detected, right.correct) == (0, 1, 1)
    turned = np.linalg.qr(system.algebra + 0.1 * np.random.default_rng(0).normal(size=system.algebra.shape))[0]
    wrong = judge("symcert", cell, turned, 0.0)
    assert (wrong.false, wrong.detected, wrong.correct) == (1, 1, 0)
    nothing = judge("symcert", cell, turned[:, :0], 0.0)
    assert (nothing.false, nothing.detected, nothing.correct) == (0, 0, 0)


def test_methods_know_easy_cells():
    system = SYMMETRIC[1]
    _, found = measure(Cell(system, 400, 0.03, 5, seed(system, 400, 0.03), ("rivals", *OURS)))
    for name in ("symcert", "held-out", "calibrated"):
        assert (found[name].false, found[name].correct) == (0, 5)
    assert set(METHODS) == {"rivals", "certify", *OURS}


def test_public_verb_certifies_where_one_component_is_noise_alone():
    system = named("rigid_sym")  # its third component vanishes
    _, found = measure(Cell(system, 400, 0.03, 2, seed(system, 400, 0.03), ("certify",)))
    assert (found["certify"].false, found["certify"].correct) == (0, 2)


def test_methods_see_the_same_data():
    system = SYMMETRIC[1]
    cell = Cell(system, 100, 0.3, 40, seed(system, 100, 0.3), ("rivals",))
    alone, together = (measure(replace(cell, methods=m))[1] for m in (("rivals",), ("held-out", "rivals")))
    counts = [(t["threshold .05"].false, t["split"].false, t["rank"].correct) for t in (alone, together)]
    assert counts[0] == counts[1]
    assert 10 < counts[0][0] < 40  # .633 of the published draws


def test_unknown_groups_are_refused():
    with pytest.raises(SystemExit, match="protocol"):
        evidence.run(False, ("protocoll",))


def test_tensors_on_points_are_means_over_the_points():
    system, rng = named("hopf"), np.random.default_rng(4)
    x = rng.uniform(-1, 1, (50, 2))
    field = PolynomialField(system.table, rng.standard_normal((2, len(system.table))), "vector")
    xi, slope = rng.standard_normal(6), np.zeros((2, 2))
    slope[0], slope[1] = xi[1:3], xi[4:]
    moved = np.einsum("nij,nj->ni", field.jacobian(x), xi[[0, 3]] + x @ slope.T)
    bracket = np.sqrt(np.mean(np.sum((moved - field.value(x) @ slope.T) ** 2, axis=1)))
    both = bilinear(field, affine(2), Samples.from_data(x), defect="bracket")
    assert len(both.lie) <= field.n_params
    assert np.linalg.norm(both.lie_of(xi) @ field.theta) == pytest.approx(bracket, rel=1e-12)
