"""What actions preserve: forms, commutants, blocks, fixed points, compactness, in any coordinates and under noise."""

from __future__ import annotations

import time

import numpy as np
import pytest
from action_cases import ACTIONS, COMPACT, J, conjugated, direct_sum, killing_form, spin
from scipy.linalg import block_diag, expm

from erlangen._errors import InputError
from erlangen.algebra import catalogue
from erlangen.algebra.commutant import commutant, fixed_point, invariant_flag, irreducible_blocks, trace_ratio
from erlangen.algebra.forms import (
    canonical_coordinates,
    complex_structure,
    conformal_forms,
    is_compact,
    preserved_forms,
)


def noisy(matrices, eps, rng):
    """Orthonormal generators with errors of norm eps each."""
    p, k = matrices.shape[:2]
    q = np.linalg.qr(matrices.reshape(p, -1).T)[0].T.reshape(p, k, k)
    return q + eps / k * np.random.default_rng(rng).standard_normal(q.shape)


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("frame", ["plain", "conjugated"])
def test_same_algebra_different_action(name, frame):
    matrices, symmetric, antisymmetric, signature, sizes, ratio = ACTIONS[name]
    if frame == "conjugated":
        matrices = conjugated(matrices, rng=3)
    assert len(preserved_forms(matrices)) == symmetric
    assert len(preserved_forms(matrices, symmetric=False)) == antisymmetric
    assert commutant(matrices).signature == signature
    blocks = irreducible_blocks(matrices)
    assert blocks.sizes == sizes
    for basis in blocks.bases:
        image = matrices @ basis
        assert np.abs(image - basis @ (basis.T @ image)).max() < 1e-9
    found = trace_ratio(matrices, killing_form(matrices))
    assert found is None if ratio is None else found == pytest.approx(ratio, abs=1e-9)


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("eps", [1e-4, 1e-2])
def test_answers_survive_noise(name, eps):
    matrices, symmetric, antisymmetric, signature, sizes, _ = ACTIONS[name]
    rough = noisy(matrices, eps, rng=5)
    assert len(preserved_forms(rough, tol=3 * eps)) == symmetric
    assert len(preserved_forms(rough, symmetric=False, tol=3 * eps)) == antisymmetric
    assert commutant(rough, tol=3 * eps).signature == signature
    assert irreducible_blocks(rough, tol=3 * eps).sizes == sizes


@pytest.mark.parametrize("name", ["so(3) on R^3+R^5", "so(1,3) on R^4", "u(2) on C^2", "sl(2,C) on C^2"])
def test_forms_are_preserved_by_the_group_itself(name):
    matrices = conjugated(ACTIONS[name][0], rng=1)
    g = expm(np.tensordot(np.linspace(-0.4, 0.5, len(matrices)), matrices, 1))
    for symmetric in (True, False):
        for form in preserved_forms(matrices, symmetric).forms:
            assert np.allclose(form, form.T if symmetric else -form.T, atol=1e-12)
            assert np.allclose(g.T @ form @ g, form, atol=1e-9)
    for x in commutant(matrices).basis:
        assert np.allclose(g @ x, x @ g, atol=1e-9)


@pytest.mark.parametrize(
    ("matrices", "symmetric", "words"),
    [
        (catalogue.so(1, 3).matrices, True, "preserving diag(1,-1,-1,-1) up to scale"),
        (catalogue.so(3, 1).matrices, True, "preserving diag(-1,-1,-1,1) up to scale"),
        (catalogue.so(3).matrices, True, "preserving diag(1,1,1) up to scale"),
        (catalogue.so(3, 2).matrices, True, "preserving diag(1,1,1,-1,-1) up to scale"),
        (catalogue.so(1, 1).matrices, True, "preserving diag(1,-1) up to scale"),
        (catalogue.sp(4).matrices, False, "preserving a symplectic form up to scale"),
        (catalogue.heisenberg(1).matrices, False, "preserving a 2-form of rank 2 up to scale"),
        (catalogue.gl(2).matrices, True, "preserving no symmetric form"),
        (ACTIONS["so(3) on R^3+R^3"][0], True, "preserving a 3-parameter family of symmetric forms"),
        (conjugated(catalogue.so(1, 3).matrices, 2), True, "preserving a form of signature (1,3) up to scale"),
    ],
)
def test_descriptions(matrices, symmetric, words):
    assert preserved_forms(matrices, symmetric).describe() == words


def test_noise_does_not_leak_into_the_words():
    eps = 1e-3
    found = preserved_forms(noisy(catalogue.so(1, 3).matrices, eps, 0), tol=3 * eps)
    assert found.describe() == "preserving diag(1,-1,-1,-1) up to scale"
    assert found.signature == (1, 3)
    assert found.last_kept < 3 * eps < 0.1 < found.first_dropped


def test_the_speed_of_light_is_read_off_the_form():
    s = np.diag([1 / 3.0, 1, 1, 1])
    matrices = np.linalg.inv(s) @ catalogue.so(1, 3).matrices @ s
    assert preserved_forms(matrices).describe() == "preserving diag(1,-9,-9,-9) up to scale"


@pytest.mark.parametrize("signature", [(1, 3), (3, 0), (2, 2)])
def test_canonical_coordinates_make_the_form_plus_and_minus_one(signature):
    matrices = conjugated(catalogue.so(*signature).matrices, rng=4)
    form = preserved_forms(matrices).forms[0]
    s = canonical_coordinates(form)
    moved = s @ matrices @ np.linalg.inv(s)
    diagonal = np.linalg.inv(s).T @ form @ np.linalg.inv(s)
    assert np.allclose(np.abs(diagonal), np.eye(len(s)), atol=1e-12)
    assert np.abs(moved.transpose(0, 2, 1) @ diagonal + diagonal @ moved).max() < 1e-12


def test_canonical_coordinates_of_a_diagonal_form_are_units():
    assert np.allclose(canonical_coordinates(np.diag([-9.0, 1, 4])), np.diag([3, 1, 2]))
    with pytest.raises(InputError, match="degenerate"):
        canonical_coordinates(np.diag([1.0, 0.0]))


def test_conformal_forms_see_through_a_scaling():
    matrices = np.concatenate([catalogue.so(3, 1).matrices, np.eye(4)[None]])
    matrices = conjugated(matrices, rng=8)
    assert len(preserved_forms(matrices)) == 0
    found = conformal_forms(matrices)
    assert sorted(found.signature) == [1, 3]
    g = found.forms[0]
    for a in matrices:
        change = a.T @ g + g @ a
        assert np.linalg.matrix_rank(np.array([change.ravel(), g.ravel()]), tol=1e-9) == 1
    eps = 1e-3
    assert sorted(conformal_forms(noisy(matrices, eps, 1), tol=3 * eps).signature) == [1, 3]


@pytest.mark.parametrize("name", COMPACT)
@pytest.mark.parametrize("frame", ["plain", "conjugated", "noisy"])
def test_compactness(name, frame):
    matrices, compact = COMPACT[name]
    if frame == "conjugated":
        matrices = conjugated(matrices, rng=6)
    if frame == "noisy":
        assert is_compact(noisy(matrices, 1e-4, 2), tol=3e-4) is compact
    else:
        assert is_compact(matrices, rng=0) is compact


@pytest.mark.parametrize(
    ("name", "exists"),
    [("u(2) on C^2", True), ("su(2) on C^2", True), ("su(3) on C^3", True), ("sp(2) on H^2", True)]
    + [("so(3) on R^3+R^3", True), ("so(3) on R^3+R^5", False), ("so(1,3) on R^4", False), ("gl(2) on R^2", False)],
)
def test_complex_structure(name, exists):
    matrices = conjugated(ACTIONS[name][0], rng=9)
    j = complex_structure(matrices)
    assert (j is not None) is exists
    if j is not None:
        assert np.allclose(j @ j, -np.eye(len(j)), atol=1e-8)
        assert np.abs(j @ matrices - matrices @ j).max() < 1e-8


def test_complex_structure_of_a_torus_and_of_an_indefinite_unitary_algebra():
    torus = complex_structure(block_diag(J, np.sqrt(2) * J)[None])
    assert np.allclose(torus @ torus, -np.eye(4), atol=1e-9)
    mixed = complex_structure(catalogue.u(1, 1).matrices)
    assert np.allclose(mixed @ mixed, -np.eye(4), atol=1e-9)


def test_blocks_tell_equivalent_from_inequivalent():
    assert irreducible_blocks(ACTIONS["so(3) on R^3+R^3"][0]).describe() == "2 x 3"
    assert irreducible_blocks(ACTIONS["so(3) on R+R^3"][0]).describe() == "1 + 3"
    assert irreducible_blocks(ACTIONS["su(2) on C^2"][0]).describe() == "4 quaternionic"
    threefold = conjugated(direct_sum(spin(1), spin(1), spin(1), spin(2)), rng=11)
    assert irreducible_blocks(threefold).describe() == "3 x 3 + 5"
    assert irreducible_blocks(np.zeros((1, 2, 2))).describe() == "2 x 1"


@pytest.mark.parametrize("name", ["su(2) on C^2", "u(2) on C^2"])
def test_two_copies_of_a_complex_or_quaternionic_block(name):
    matrices = direct_sum(ACTIONS[name][0], ACTIONS[name][0])
    assert commutant(matrices).signature == {"su(2) on C^2": (6, 10), "u(2) on C^2": (4, 4)}[name]
    for seed in range(5):
        moved = conjugated(matrices, seed)
        blocks = irreducible_blocks(moved, rng=seed)
        assert blocks.sizes == (4, 4)
        for basis in blocks.bases:
            image = moved @ basis
            assert np.abs(image - basis @ (basis.T @ image)).max() < 1e-9


def test_an_affine_action_is_not_completely_reducible():
    for algebra in (catalogue.galilei(2), catalogue.e(2), catalogue.aff(3), catalogue.heisenberg(1)):
        assert irreducible_blocks(conjugated(algebra.matrices, 1)).kinds == ("indecomposable",)
        assert irreducible_blocks(noisy(algebra.matrices, 1e-3, 1), tol=3e-3).kinds == ("indecomposable",)
    null, image = invariant_flag(catalogue.e(3).matrices)
    assert null.shape == (4, 0)
    assert image.shape == (4, 3)
    assert np.allclose(image @ image.T, np.diag([1, 1, 1, 0]), atol=1e-12)
    assert invariant_flag(catalogue.heisenberg(1).matrices)[0].shape == (3, 1)


@pytest.mark.parametrize("eps", [0.0, 1e-4, 1e-2])
def test_fixed_point_of_rotations_about_a_displaced_centre(eps):
    centre = np.array([1, -2, 0.5])
    linear = spin(1)
    shift = -linear @ centre
    rng = np.random.default_rng(0)
    norms = np.sqrt(np.sum(linear**2, axis=(1, 2)) + np.sum(shift**2, axis=1))
    linear = linear + eps * norms[:, None, None] / np.sqrt(12) * rng.standard_normal(linear.shape)
    shift = shift + eps * norms[:, None] / np.sqrt(12) * rng.standard_normal(shift.shape)
    found = fixed_point(linear, shift, eps or None)
    assert found.found
    assert np.abs(found.point - centre).max() < max(1e-14, 10 * eps)


def test_translations_leave_no_fixed_point():
    for algebra in (catalogue.e(2), catalogue.translations(3), catalogue.heisenberg(1)):
        d = algebra.size - 1
        found = fixed_point(algebra.matrices[:, :d, :d], algebra.matrices[:, :d, d], 1e-2)
        assert not found.found
        assert found.residual > 0.3
    # Noise in the linear part of a translation must not be solved for: it would put a point far away.
    rng = np.random.default_rng(1)
    assert not fixed_point(3e-3 * rng.standard_normal((3, 3, 3)), np.eye(3), 1e-2).found
    line = fixed_point(np.diag([1.0, 0.0])[None], np.array([[2.0, 0.0]]))
    assert line.found
    assert np.allclose(line.point, [-2, 0])


@pytest.mark.parametrize("bad", [np.zeros((2, 3)), np.zeros((2, 2, 3)), np.full((1, 2, 2), np.nan)])
def test_bad_generators_are_refused(bad):
    with pytest.raises(InputError, match="expected"):
        preserved_forms(bad)
    with pytest.raises(InputError, match="expected"):
        commutant(bad)
    with pytest.raises(InputError, match="expected"):
        fixed_point(np.zeros((2, 3, 3)), np.zeros((2, 2)))


def test_scale_of_the_generators_does_not_matter():
    scale = 10.0 ** np.array([-200, 0, 150])[:, None, None]
    assert preserved_forms(scale * spin(1)).describe() == "preserving diag(1,1,1) up to scale"
    assert commutant(scale * spin(1)).kind == "real"
    assert preserved_forms(1e-200 * spin(1)).describe() == "preserving diag(1,1,1) up to scale"


def test_no_generators_preserve_everything():
    assert len(preserved_forms(np.zeros((0, 3, 3)))) == 6
    assert len(commutant(np.zeros((0, 3, 3)))) == 9


def test_translations_are_not_mistaken_for_a_generic_one():
    # One generic element of an abelian nilpotent algebra preserves more than all of them do.
    many = catalogue.translations(24).matrices
    assert len(preserved_forms(many)) == 1
    assert preserved_forms(many).rank == 1


def test_rotations_in_64_dimensions_take_seconds():
    matrices = catalogue.so(64).matrices
    start = time.process_time()
    found = preserved_forms(matrices)
    assert found.describe() == "preserving diag(" + ",".join(["1"] * 64) + ") up to scale"
    assert commutant(matrices).kind == "real"
    assert time.process_time() - start < 20
