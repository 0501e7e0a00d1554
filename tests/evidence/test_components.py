"""Other components of a group: found, snapped, closed, named; none where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

import erlangen as er
from erlangen.evidence import find_components
from erlangen.evidence.discrete._cosets import Cosets, exponentials, simple_signed, snapped
from erlangen.evidence.discrete._finite import is_group
from erlangen.evidence.discrete._models import LocalField
from erlangen.evidence.discrete._search import haar, minimise
from erlangen.evidence.discrete.components import turns
from erlangen.fields import PolynomialField, as_field, polynomial_field
from erlangen.linalg.polynomials import exponents

BOX = er.Samples.box(-1, 1, dim=2, n=800)
TURN = np.array([[0.0, -1.0], [1.0, 0.0]])


def rotation(angle):
    return expm(angle * TURN)


def test_exponentials_agree_with_scipy():
    a = np.random.default_rng(0).normal(size=(5, 4, 4))
    assert exponentials(a) == pytest.approx(np.array([expm(m) for m in a]), rel=1e-12, abs=1e-12)


def test_cosets_of_rotations():
    cosets = Cosets(TURN[None], 1e-3)
    flip = np.diag([1.0, -1.0])
    assert cosets.distances(np.array([rotation(2.5), flip, 2 * np.eye(2)])) == pytest.approx([0, 2**0.5, 1], abs=1e-6)
    assert cosets.same(rotation(1.0) @ flip, np.array([np.eye(2), flip])) == 1
    assert cosets.keeps(flip) and not cosets.keeps(np.diag([2.0, 1.0]))
    assert cosets.order(flip @ rotation(0.7)) == 2
    plain = cosets.plain(rotation(0.3) @ flip)
    assert plain is not None and np.array_equal(plain, flip)


@pytest.mark.parametrize("m", [2, 3, 5, 7, 12])
def test_noisy_elements_snap_to_their_order(m):
    exact = np.eye(3)
    exact[:2, :2] = rotation(2 * np.pi / m)
    noisy = exact + 0.004 * np.random.default_rng(m).normal(size=(3, 3))
    cosets = Cosets(np.zeros((0, 3, 3)), 0.15)
    assert cosets.order(noisy) == m
    assert cosets.order(np.diag([1.3, 1.0, 1.0])) is None
    assert any(np.allclose(s, exact, atol=1e-12) for s in snapped(noisy, m, 0.03))


def test_starts_are_orthogonal_of_both_kinds():
    c = haar(3, 40, np.random.default_rng(0))
    assert np.allclose(c @ c.transpose(0, 2, 1), np.eye(3))
    assert np.sum(np.linalg.det(c) > 0) == 20
    assert len(simple_signed(3)) == 48 and np.array_equal(simple_signed(3)[0], np.eye(3))


def test_least_squares_walk_to_a_symmetry_and_never_collapse():
    field = as_field(lambda x: x**3 - x, kind="vector", dim=2)
    starts = np.array([rotation(0.2), rotation(1.4), rotation(0.3) @ np.diag([1.0, -1.0])])
    found = minimise(field, BOX.points[:100], starts)
    assert found == pytest.approx(np.array([np.eye(2), TURN, np.diag([1.0, -1.0])]), abs=1e-8)


def d3(x):
    return x[:, 0] ** 3 - 3 * x[:, 0] * x[:, 1] ** 2 + (x**2).sum(axis=1)


def c3(x):
    z = x[:, 0] + 1j * x[:, 1]
    return np.real(z**3) + np.imag(z**3) * (x**2).sum(axis=1) + (x**2).sum(axis=1)


def spiral(x):
    return x * (1 - (x**2).sum(axis=1, keepdims=True)) + x @ TURN.T


@pytest.mark.parametrize(
    ("function", "kind", "name", "order", "dim"),
    [
        (lambda x: x[:, 0] ** 4 + x[:, 1] ** 4, None, "D(4)", 8, 0),
        (d3, None, "D(3)", 6, 0),
        (c3, None, "C(3)", 3, 0),
        (lambda x: x[:, 0] ** 2 + x[:, 1] ** 4 + x[:, 0] ** 4 * x[:, 1] ** 2, None, "Z(2) x Z(2)", 4, 0),
        (lambda x: np.exp(-(x**2).sum(axis=1)), None, "O(2) = SO(2) and a reflection", 2, 1),
        (spiral, "vector", "SO(2)", 1, 1),
        (lambda x: x[:, 0] + x[:, 1] ** 2 + x[:, 1] ** 3, None, "trivial", 1, 0),
    ],
    ids=["D4", "D3", "C3", "Z2xZ2", "O2", "SO2", "none"],
)
def test_groups_of_exact_fields_are_named(function, kind, name, order, dim):
    found = find_components(function, samples=BOX, kind=kind)
    assert (found.name, found.order, len(found.lie_algebra), found.closed) == (name, order, dim, True)
    assert found.certified and is_group(found.table)
    f = function(BOX.points)
    for c in found.found:
        carried = f if kind is None else f @ c.matrix.T
        assert function(BOX.points @ c.matrix.T) == pytest.approx(carried, abs=1e-8)
        assert np.linalg.matrix_power(c.matrix, c.order) == pytest.approx(np.eye(2), abs=1e-8) or dim


def test_a_noisy_table_is_searched_on_one_part_and_tested_on_the_other():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (900, 2))
    y = x[:, 0] ** 4 + x[:, 1] ** 4
    found = find_components((x, y + 0.02 * y.std() * rng.standard_normal(900)))
    assert (found.name, found.certified, found.test.mode) == ("D(4)", True, "held-out")
    assert np.all(np.isin(found.matrices, (-1.0, 0.0, 1.0)))
    assert found.group.order() == 8 and found.name in found.verdict and found.verdict in str(found)
    assert found.to_dict()["order"] == 8 and "<table>" in found._repr_html_()


def test_a_group_with_a_refuted_element_is_not_certified():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (900, 2))
    y = (x**4).sum(axis=1) + 0.021 * (x[:, 0] - x[:, 1]) + 0.005 * rng.standard_normal(900)
    found = find_components((x, y))
    assert all(e.verdict == "certified" for e in found.test.tested)
    assert any(e.verdict == "refuted" for e in found.test.products)
    assert not found.certified and "D(4), found, not certified" in found.verdict


@pytest.mark.parametrize("seed", range(2))
def test_random_polynomials_have_none(seed):
    rng = np.random.default_rng(seed)
    table = exponents(2, 4)
    field = PolynomialField(table, rng.standard_normal((1, len(table))))
    x = rng.uniform(-1, 1, (600, 2))
    y = field.value(x)
    for problem in (field, (x, y + 0.02 * y.std() * rng.standard_normal(y.shape))):
        assert find_components(problem, samples=x).name == "trivial"


def test_too_small_an_algebra_is_said_to_be_continuous():
    """Rotations are a symmetry, and nobody says so: their products never end."""
    found = find_components(spiral, np.zeros((0, 2, 2)), BOX, kind="vector")
    assert not found.closed and "probably continuous" in found.verdict


def test_a_given_connected_part_and_a_centre():
    field = polynomial_field(2, 2, [0, -4, 0, 1, 0, 1])  # (x - 2)^2 + y^2, up to a constant
    affine = er.discover(field, er.actions.affine(2), er.Samples.box([1, -1], [3, 1], n=500))
    found = find_components(field, affine, er.Samples.box([1, -1], [3, 1], n=500), centre=[2.0, 0.0])
    assert (found.name, found.order) == ("O(2) = SO(2) and a reflection", 2)
    with pytest.raises(er.InputError, match="connected part"):
        find_components(field, np.zeros((1, 3, 4)), BOX)


def test_jumps_are_walked_over_on_a_smoothed_model():
    """Slope and jumps of a saw tooth cancel in the mean: only where both are smoothed is there a way downhill."""
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (3000, 2))
    y = np.mod(np.arctan2(x[:, 1], x[:, 0]), 2 * np.pi / 5)[:, None] * np.sqrt((x**2).sum(axis=1, keepdims=True))
    wide = LocalField(x, y, 60, np.ones(2))
    found = minimise(wide, x[:800], np.array([rotation(0.85 * 2 * np.pi / 5)]), TURN[None])
    assert turns(found[0]) == pytest.approx([72.0], rel=0.02)
    rough = LocalField(x, y, 24, np.ones(2))
    shown = {}
    for name, c in (("fifth", rotation(2 * np.pi / 5)), ("tenth", rotation(np.pi / 5)), ("flip", np.diag([1.0, -1.0]))):
        moved = x @ c.T
        shown[name] = rough.asymmetry(moved, np.abs(moved).max(axis=1) <= 1, None)
    assert shown["fifth"] < 3 < min(shown["tenth"], shown["flip"])
