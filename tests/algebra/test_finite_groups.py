"""Finite groups and products of them: orders, permutations, blocks; what generators generate."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.csgraph

from erlangen._errors import InputError
from erlangen.algebra import from_matrices, from_permutations, groups, rep, rep_from_matrices

ORDERS = [
    (groups.C(7), 7),
    (groups.D(8), 16),
    (groups.Z(6), 6),
    (groups.S(5), 120),
    (groups.Cube(), 24),
    (groups.CubeFaces(), 24),
    (groups.RotoTranslations(4, 3), 36),
    (groups.RotoTranslations(2, 4), 32),
    (groups.RotoTranslations(1, 3), 9),
    (groups.wreath(groups.S(3), groups.S(2)), 72),
    (groups.wreath(groups.C(4), groups.Z(2)), 32),
    (groups.wreath(groups.S(2), groups.S(2) * groups.S(3)), 2**5 * 12),  # blocks in two orbits
    (groups.trivial(2), 1),
    (groups.C(4) * groups.S(3), 24),
    (from_matrices(None, -np.eye(3)), 2),
    (groups.Z(1), 1),
]


@pytest.mark.parametrize(("group", "order"), ORDERS, ids=[g.name for g, _ in ORDERS])
def test_orders(group, order):
    assert group.order() == order
    listed = group.elements()
    assert len(listed) == order
    assert [listed.index(g) for g in listed.matrices] == list(range(order))
    for i in range(1, order):
        assert np.allclose(group.discrete[listed.generator[i]] @ listed.matrices[listed.parent[i]], listed.matrices[i])
    assert all(listed.index(g) is not None for g in group.sample(5, rng=1))
    assert listed.index(2 * np.eye(group.size)) is None


def test_orders_of_groups_that_cannot_be_listed():
    assert groups.RubiksCube().order() == 43_252_003_274_489_856_000
    assert groups.S(12).order() == factorial(12)
    with pytest.raises(InputError, match="more than 500 elements"):
        groups.RubiksCube().elements(500)
    with pytest.raises(InputError, match="infinite"):
        groups.SO(3).elements()
    with pytest.raises(InputError, match="entries beyond 1e.09, after 30 others"):
        from_matrices(None, np.diag([2.0, 0.5])).order(50)


def test_the_faces_of_the_cube_move_as_the_rotations_say():
    normals = np.array([s * e for e in np.eye(3) for s in (1, -1)])
    for turn, row in zip(groups.Cube().discrete, groups.CubeFaces().permutations):
        assert np.array_equal(normals @ turn.T, normals[row])


def test_quarter_turns_of_rubiks_cube():
    group = groups.RubiksCube()
    assert group.discrete.shape == (6, 48, 48)
    assert np.linalg.matrix_rank(group.permutations) == 6
    for g in group.discrete:
        assert np.trace(g) == 28  # 20 stickers move
        assert np.array_equal(np.linalg.matrix_power(g, 4), np.eye(48))
        assert not np.array_equal(g @ g, np.eye(48))
    up, down = group.discrete[4], group.discrete[5]
    assert np.array_equal(up @ down, down @ up)
    assert not np.array_equal(up @ group.discrete[0], group.discrete[0] @ up)


def test_turns_of_a_grid_carry_translations_to_each_other():
    rows, columns, turn = groups.RotoTranslations(4, 3).discrete
    assert np.array_equal(np.linalg.matrix_power(turn, 4), np.eye(36))
    back = turn.T
    carried = [turn @ t @ back for t in (rows, columns)]
    assert all(any(np.array_equal(c, t) for t in (rows, columns, rows.T, columns.T)) for c in carried)
    assert not np.array_equal(carried[0], rows)


def test_wreath_products_permute_blocks():
    group = groups.wreath(groups.SO(2), groups.Z(3))
    assert (group.size, len(group.lie_algebra), len(group.discrete)) == (6, 3, 1)
    assert group.closure().is_closed
    x = np.arange(6.0)
    assert (group.discrete[0] @ x).tolist() == [4, 5, 0, 1, 2, 3]
    large = groups.wreath(groups.S(5), groups.S(10))
    assert (large.name, large.discrete.shape) == ("wreath(S(5), S(10))", (4, 50, 50))
    with pytest.raises(InputError, match="permutes blocks"):
        groups.wreath(groups.S(3), groups.C(3))


def test_permutations_are_read_and_written():
    group = from_permutations([[1, 2, 0], [1, 0, 2]], "mine")
    assert (group.name, group.size, group.order()) == ("mine", 3, 6)
    assert group.permutations is not None
    assert group.permutations.tolist() == [[1, 2, 0], [1, 0, 2]]
    assert (group.discrete[0] @ [1, 0, 0]).tolist() == [0, 1, 0]
    assert groups.C(4).permutations is None
    assert groups.SO(3).permutations is None


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([[0, 0, 1]], "row 0"),
        ([[0, 1], [2, 1]], "row 1"),
        ([[0.0, 1.0]], "float64"),
        ([[0, 1], [0]], "different lengths"),
        (np.zeros((1, 0), int), "shape"),
    ],
)
def test_bad_permutations_are_refused(rows, says):
    with pytest.raises(InputError, match=says) as error:
        from_permutations(rows)
    assert "fix:" in str(error.value)


@pytest.mark.parametrize("build", [lambda: groups.RotoTranslations(3, 4), lambda: groups.S(0), lambda: groups.C(2.5)])
def test_bad_arguments_are_refused(build):
    with pytest.raises(InputError, match="expected:"):
        build()


CATALOGUE = [
    groups.SO(4),
    groups.O(1, 3),
    groups.SU(3),
    groups.U(2),
    groups.SL(3),
    groups.GL(2),
    groups.Sp(4),
    groups.SE(2),
    groups.E(3),
    groups.Scaling(3),
    groups.SU(1, 1),
    groups.SO(2) * groups.SL(2),
]


@pytest.mark.parametrize("group", CATALOGUE, ids=lambda g: g.name)
def test_the_catalogue_is_closed(group):
    closure = group.closure()
    assert closure.is_closed
    assert closure.dim == len(group.lie_algebra)
    assert closure.defect < 1e-14
    assert str(closure).startswith("closed")


def test_generating_sets_are_allowed_and_told():
    two = from_matrices(groups.SO(4).lie_algebra[[0, 3, 5]])
    closure = two.closure()
    assert (closure.is_closed, closure.spanned, closure.dim) == (False, 3, 6)
    assert closure.basis.shape == (6, 4, 4)
    assert np.allclose(closure.basis.reshape(6, -1) @ closure.basis.reshape(6, -1).T, np.eye(6))
    assert "3 dimensions generate 6" in str(closure)
    turned = from_matrices(groups.SO(3).lie_algebra[:1], groups.Cube().discrete)
    assert turned.closure().dim == 3  # conjugates by the discrete elements
    assert from_matrices(None, np.eye(2)).closure().dim == 0


def test_closure_at_a_stated_tolerance():
    rng = np.random.default_rng(0)
    noisy = from_matrices(groups.SO(3).lie_algebra + 1e-6 * rng.normal(size=(3, 3, 3)))
    assert noisy.closure().dim == 9
    closure = noisy.closure(1e-4)
    assert closure.is_closed
    assert 1e-7 < closure.defect < 1e-5


def test_a_basis_can_be_demanded():
    rng = np.random.default_rng(0)
    noisy = groups.SO(3).lie_algebra + 1e-6 * rng.normal(size=(3, 3, 3))
    assert from_matrices(noisy, closed=1e-4).size == 3
    with pytest.raises(InputError, match="closed under the bracket to 1e-08"):
        from_matrices(noisy, closed=1e-8)
    with pytest.raises(InputError, match="2 matrices that generate 3 dimensions"):
        from_matrices(groups.SO(3).lie_algebra[:2], closed=1e-8)
    with pytest.raises(InputError, match="span 1 dimensions"):
        from_matrices(np.stack([np.eye(2), 2 * np.eye(2)]), closed=1e-8)


def test_components_of_the_lorentz_group():
    time_like = groups.O(1, 3).sample(60, rng=0)
    kinds = {(bool(g[0, 0] > 0), bool(np.linalg.det(g) > 0)) for g in time_like}
    assert len(kinds) == 4
    assert {k for g in groups.SO(1, 3).sample(40, 1) for k in [bool(np.linalg.det(g) > 0)]} == {True}


# Dimension of the matrices that commute with all elements, by Schur's lemma: the sum of squares of multiplicities,
# times 2 where an irreducible part is complex and 4 where it is quaternionic; for permutations the orbits on pairs.
COMMUTANTS = {1: [groups.SO(n) for n in (3, 4)] + [groups.O(n) for n in (1, 2, 3, 4)]}
COMMUTANTS[1] += [groups.SL(n) for n in (2, 3, 4)] + [groups.GL(n) for n in (2, 3, 4)]
COMMUTANTS[1] += [groups.D(k) for k in (3, 4, 8)] + [groups.Sp(n) for n in (2, 4, 6, 8)] + [groups.Cube()]
COMMUTANTS[1] += [groups.SO0(1, 3), groups.SO(1, 3), groups.O(1, 3)]
COMMUTANTS[2] = [groups.SO(2), groups.D(2), groups.SU(3), groups.SU(4), groups.U(1), groups.U(2), groups.U(3)]
COMMUTANTS[2] += [groups.C(3), groups.C(4), groups.C(8), groups.SO0(1, 1), groups.S(2), groups.S(4), groups.S(6)]
COMMUTANTS[2] += [groups.Z(2), groups.U(4), groups.SO(3) * groups.SL(2), groups.SU(2, 1)]
COMMUTANTS[3] = [groups.CubeFaces(), groups.wreath(groups.S(3), groups.S(3)), groups.O(2) * groups.S(3)]
COMMUTANTS[4] = [groups.SU(2), groups.C(2), groups.Z(4), groups.SO(2) * groups.C(3)]
COMMUTANTS[6] = [groups.Z(6)]
COMMUTANTS[8] = [groups.RotoTranslations(2, 2)]
COMMUTANTS[9] = [groups.RubiksCube()]  # stickers of corners: 3 and 1 orbits; of edges: 2 and 1; 2 between them
COMMUTANTS[64] = [groups.RotoTranslations(4, 4)]


@pytest.mark.parametrize(
    ("dimension", "group"),
    [(n, g) for n, some in COMMUTANTS.items() for g in some],
    ids=lambda v: getattr(v, "name", v),
)
def test_dimension_of_the_commuting_matrices(dimension, group):
    k = group.size
    if k > 10:
        pairs = np.arange(k * k)
        rows = np.concatenate([pairs] * len(group.discrete))
        columns = np.concatenate([p[pairs // k] * k + p[pairs % k] for p in group.permutations])
        graph = scipy.sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(k * k, k * k))
        assert scipy.sparse.csgraph.connected_components(graph)[0] == dimension
        return
    matrices = np.concatenate([group.lie_algebra, group.discrete])
    equations = [np.kron(a, np.eye(k)) - np.kron(np.eye(k), a.T) for a in matrices]
    assert k * k - np.linalg.matrix_rank(np.concatenate(equations), tol=1e-9) == dimension


@pytest.mark.parametrize(
    "build",
    [
        lambda: groups.S(100_000),
        lambda: groups.Z(100_000),
        lambda: groups.Scaling(100_000),
        lambda: groups.SO(100_000),
        lambda: groups.GL(200),
        lambda: groups.wreath(groups.SO(3), groups.S(1000)),
        lambda: groups.GL(30) * groups.trivial(1000),
    ],
)
def test_what_would_not_fit_is_not_begun(build):
    with pytest.raises(InputError, match="fit in memory|too many generators") as error:
        build()
    assert "fix:" in str(error.value)


def test_a_symmetry_is_asked_for_its_group():
    class Symmetry:
        group = property(lambda self: groups.SO(2))

    for call in (
        lambda s: rep("V", s),
        lambda s: rep("V", groups.SO(2)).restrict(s),
        lambda s: rep_from_matrices(s, [[1]]),
    ):
        with pytest.raises(InputError, match="symmetry.group in place of symmetry"):
            call(Symmetry())
    with pytest.raises(InputError, match="'SO\\(2\\)'"):
        rep("V", groups.SO(3)).restrict("SO(2)")
