"""Representations as values: the laws of a homomorphism, and text that is read back."""

from __future__ import annotations

import copy
import pickle
import time
from functools import reduce

import numpy as np
import pytest
from scipy.linalg import block_diag, expm

from erlangen._errors import InputError
from erlangen.algebra import (
    alternating_power,
    from_matrices,
    groups,
    on_factor,
    rep,
    spin,
    symmetric_power,
)

PARTICLES = groups.S(5) * groups.SO(3)
TRIPLE = groups.SO(2) * groups.C(3) * groups.SL(2)

# Every symbol that can be typed, on every kind of group that has it: (group, text, size).
CASES = [
    (groups.SO(3), "V", 3),
    (groups.SO(3), "2V + S + V*V.T", 16),
    (groups.SE(2), "V.T*V + V**3", 36),
    (groups.GL(2), "V.T**2*V + 3S", 11),
    (groups.Sp(4), "V*V.T", 16),
    (groups.O(1, 3), "V**2 + V", 20),
    (groups.SO(3), "Sym2(V)", 6),
    (groups.GL(3), "Sym3(V.T) + Alt2(V)*V", 19),
    (groups.SO(2), "Sym2(V + S)", 6),
    (groups.SU(2), "Alt2(V*V)", 120),
    (groups.S(4), "Alt3(V) + Sym2(V)", 14),
    (groups.SO(3), "spin(0) + spin(1)*spin(2)", 16),
    (groups.SU(2), "spin(1/2) + spin(3/2) + spin(1)", 15),
    (groups.O(3), "spin(1)o + spin(1)e + 2spin(2)o", 16),
    (groups.O(3), "spin(0)o*Alt3(V)*V + V*spin(0)o", 6),
    (groups.O(1), "V*V + V**3 + 2V.T", 4),
    (groups.SU(2), "Sym2(spin(1/2))", 10),
    (groups.D(4), "regular + V", 10),
    (groups.Cube(), "regular*V", 72),
    (PARTICLES, "V1*V2 + 2V2.T + S", 22),
    (PARTICLES, "V + V1.T*V2**2", 53),
    (PARTICLES, "spin(2)@2*V1 + Sym2(V)@2", 31),
    (PARTICLES, "Sym2(V1*V2)", 120),
    (groups.S(3) * groups.SO(2), "regular@1*V2", 12),
    (TRIPLE, "V1*V2*V3.T + V3", 10),
    (groups.wreath(groups.SO(2), groups.S(3)), "V*V", 36),
]
IDS = [f"{group.name}: {text}" for group, text, _ in CASES]


@pytest.mark.parametrize(("group", "text", "size"), CASES, ids=IDS)
def test_size_and_text(group, text, size):
    r = rep(text, group)
    assert r.size == size
    assert rep(str(r), group) == r
    assert hash(rep(str(r), group)) == hash(r)
    assert rep(str(r.dual), group) == r.dual
    assert r.dual.dual == r


@pytest.mark.parametrize(("group", "text", "size"), CASES, ids=IDS)
def test_a_representation_is_a_homomorphism(group, text, size):
    r = rep(text, group)
    g, h = group.sample(2, rng=4)
    of_g, of_h = r.group_matrix(g), r.group_matrix(h)
    assert np.allclose(of_g @ of_h, r.group_matrix(g @ h), atol=1e-9 * np.abs(of_g).max() * np.abs(of_h).max())
    assert np.allclose(r.dual.group_matrix(g), np.linalg.inv(of_g).T)
    for x, y in zip(group.lie_algebra, group.lie_algebra[::-1]):
        a, b = r.matrix(x), r.matrix(y)
        assert np.allclose(a @ b - b @ a, r.matrix(x @ y - y @ x), atol=1e-11)
        assert np.allclose(r.matrix(2 * x - y), 2 * a - b, atol=1e-12)


@pytest.mark.parametrize(("group", "text", "size"), CASES, ids=IDS)
def test_the_algebra_is_the_derivative_of_the_group(group, text, size):
    r, step = rep(text, group), 1e-4
    for x in group.lie_algebra[:2]:
        difference = (r.group_matrix(expm(step * x)) - r.group_matrix(expm(-step * x))) / (2 * step)
        assert np.allclose(difference, r.matrix(x), atol=1e-5)  # the third derivative times step**2 / 6
        assert np.allclose(expm(0.3 * r.matrix(x)), r.group_matrix(expm(0.3 * x)), atol=1e-10)


@pytest.mark.parametrize(("group", "text", "size"), CASES, ids=IDS)
def test_sparse_images_are_those_of_the_generators(group, text, size):
    r = rep(text, group)
    assert len(r.lie_images) == len(group.lie_algebra)
    assert len(r.discrete_images) == len(group.discrete)
    for x, image in zip(group.lie_algebra, r.lie_images):
        assert image.shape == (size, size)
        assert np.allclose(image.toarray(), r.matrix(x), atol=1e-14)
    for x, image in zip(group.discrete, r.discrete_images):
        assert np.allclose(image.toarray(), r.group_matrix(x), atol=1e-14)


@pytest.mark.parametrize(("group", "text", "size"), CASES, ids=IDS)
def test_words_are_kronecker_products_of_their_atoms(group, text, size):
    r, g = rep(text, group), group.sample(1, rng=7)[0]
    blocks = [reduce(np.kron, (atom.element(g) for atom in word), np.eye(1)) for word, n in r.terms for _ in range(n)]
    assert np.allclose(r.group_matrix(g), block_diag(*blocks), atol=1e-12)


ORTHOGONAL = [(g, t) for g, t, _ in CASES if g.name in ("SO(3)", "SO(2)", "SU(2)", "O(3)", "S(4)", "D(4)", "Cube()")]


@pytest.mark.parametrize(("group", "text"), ORTHOGONAL, ids=[f"{g.name}: {t}" for g, t in ORTHOGONAL])
def test_orthogonal_groups_act_orthogonally(group, text):
    m = rep(text, group).group_matrix(group.sample(1, rng=5)[0])
    assert np.allclose(m @ m.T, np.eye(len(m)), atol=1e-12)


@pytest.mark.parametrize("text", ["V*V", "V*V.T + 2V", "regular", "Alt2(V)", "Alt3(V)"])
def test_images_of_permutations_are_exact(text):
    for image in rep(text, groups.S(4)).discrete_images:
        dense = image.toarray()
        assert np.array_equal(dense, np.round(dense))
        assert np.array_equal(np.abs(dense).sum(axis=0), np.ones(len(dense)))


def test_images_of_integer_matrices_are_exact():
    for image in rep("V**3 + V.T*V + spin(1)", groups.SO(3)).lie_images:
        assert np.array_equal(image.toarray(), np.round(image.toarray()))
    squares = rep("Sym2(V)", groups.S(3)).discrete_images[0].toarray()
    assert np.array_equal(squares, np.round(squares))


def test_words_in_order_with_the_last_factor_fastest():
    group = groups.GL(2)
    g = group.sample(1, rng=1)[0]
    assert np.allclose(rep("V*V.T", group).group_matrix(g), np.kron(g, np.linalg.inv(g).T))
    assert np.allclose(rep("V + S", group).group_matrix(g), np.block([[g, np.zeros((2, 1))], [np.zeros((1, 2)), 1]]))
    permutation, rotation = PARTICLES.factors[0].sample(1, 2)[0], groups.SO(3).sample(1, 3)[0]
    pair = np.block([[permutation, np.zeros((5, 3))], [np.zeros((3, 5)), rotation]])
    assert np.allclose(rep("V1*V2", PARTICLES).group_matrix(pair), np.kron(permutation, rotation))


def test_factors_of_size_one_count():
    g = groups.O(3).sample(8, rng=0)
    pseudoscalar, vector = rep("spin(0)o", groups.O(3)), rep("spin(1)o", groups.O(3))
    for m in g:
        sign = np.sign(np.linalg.det(m))
        assert np.allclose(pseudoscalar.group_matrix(m), sign)
        for r in (pseudoscalar * vector, vector * pseudoscalar):
            assert np.allclose(r.group_matrix(m), sign * vector.group_matrix(m))
    assert np.allclose(rep("Alt3(V)*V", groups.GL(3)).matrix(np.eye(3)), 4 * np.eye(3))


def test_bases_of_powers_are_those_of_the_tensors():
    x, y = np.random.default_rng(0).normal(size=(2, 3))
    group = groups.GL(3)
    g = group.sample(1, rng=2)[0]

    def square(v):  # coordinates of v x v: v_i^2 and sqrt(2) v_i v_j, lexicographic
        return np.array([v[i] * v[j] * (1 if i == j else np.sqrt(2)) for i in range(3) for j in range(i, 3)])

    def wedge(v, w):  # coordinates of v x w - w x v over sqrt(2)
        return np.array([v[i] * w[j] - v[j] * w[i] for i in range(3) for j in range(i + 1, 3)])

    assert np.allclose(rep("Sym2(V)", group).group_matrix(g) @ square(x), square(g @ x))
    assert np.allclose(rep("Alt2(V)", group).group_matrix(g) @ wedge(x, y), wedge(g @ x, g @ y))
    assert np.allclose(rep("Alt3(V)", group).group_matrix(g), np.linalg.det(g))


def test_powers_of_degree_zero_one_and_too_many():
    r = rep("V", groups.SO(3))
    g = groups.SO(3).sample(1)[0]
    assert str(symmetric_power(r, 0)) == "S"
    assert np.allclose(symmetric_power(r, 1).group_matrix(g), g)
    assert alternating_power(r, 4).size == 0
    assert str(rep("Alt4(V) + V", groups.SO(3))) == "V"
    assert str(rep("Alt4(V)", groups.SO(3))) == "0"
    for degree in (-1, 1.5, True):
        with pytest.raises(InputError, match="integer of at least 0"):
            symmetric_power(r, degree)  # type: ignore[arg-type]


def test_huge_representations_print_and_are_refused_only_when_built():
    start = time.process_time()
    for text in ("Sym9(V**9)", "V**200", "999999V**20", "Sym999999(V)"):
        r = rep(text, groups.SO(9))
        assert str(r)
        with pytest.raises(InputError, match="too large to be built"):
            r.lie_images  # noqa: B018
    with pytest.raises(InputError, match=r"size 22100: 2.8e\+09"):
        rep("Sym3(V)", groups.S(50)).discrete_images  # noqa: B018
    assert time.process_time() - start < 2


def test_large_permutation_words_stay_sparse_and_fast():
    r = rep("V*V", groups.S(50))
    start = time.process_time()
    images = r.discrete_images
    assert time.process_time() - start < 0.5
    assert [image.nnz for image in images] == [2500, 2500]


def test_representations_survive_copies():
    for group, text, _ in CASES[::3]:
        r = rep(text, group)
        assert len(r.lie_images) == len(group.lie_algebra)  # what is kept from here on travels, too
        for other in (copy.deepcopy(r), pickle.loads(pickle.dumps(r))):
            assert other == r
            assert hash(other) == hash(r)
            assert str(other) == str(r)
    assert repr(rep("2V + S", groups.SO(3))) == 'rep("2V + S", SO(3))'


def test_linear_maps_print_what_one_types():
    a, b = rep("V + S", groups.SO(3)), rep("V**2", groups.SO(3))
    maps = a >> b
    assert (str(maps), maps.shape, maps.group) == ("V + S >> V**2", (9, 4), groups.SO(3))
    assert maps == (a >> b)
    with pytest.raises(InputError, match="different groups"):
        a >> rep("V", groups.O(3))
    with pytest.raises(TypeError):
        a >> 3  # type: ignore[operator]


def test_factors_need_the_product_they_come_from():
    r = rep("V", groups.SO(3))
    assert on_factor(r, PARTICLES, 2) == rep("V2", PARTICLES)
    assert on_factor(r.dual, PARTICLES, 2) == rep("V2.T", PARTICLES) == rep("(V.T)@2", PARTICLES)
    for index in (0, 1, 3):
        with pytest.raises(InputError, match="not a representation of factor"):
            on_factor(r, PARTICLES, index)


def test_products_flatten():
    left = (groups.SO(2) * groups.C(3)) * groups.SL(2)
    right = groups.SO(2) * (groups.C(3) * groups.SL(2))
    assert [g.name for g in left.factors] == [g.name for g in right.factors] == ["SO(2)", "C(3)", "SL(2)"]
    assert left == right == TRIPLE
    assert left != from_matrices(left.lie_algebra, left.discrete, name=left.name)


@pytest.mark.parametrize(
    ("group", "text", "subgroup"),
    [
        (groups.SO(3), "V*spin(2) + Sym2(V)", groups.Cube()),
        (groups.O(3), "spin(1)o*spin(2)e", groups.SO(3)),
        (groups.O(1, 3), "V*V.T", groups.SO0(1, 3)),
        (groups.S(4), "regular + V", groups.Z(4)),
        (PARTICLES, "V1*V2", groups.Z(5) * groups.SO(3)),
        (PARTICLES, "spin(2)@2 + V2.T", groups.trivial(5) * groups.Cube()),
        (groups.GL(3), "Alt2(V)*V.T", groups.O(3)),
        (groups.O(4), "V", groups.S(4)),
        (groups.wreath(groups.S(2), groups.S(3)), "V*V", groups.trivial(6)),
    ],
    ids=lambda v: v if isinstance(v, str) else v.name,
)
def test_restriction_keeps_the_meaning_of_words(group, text, subgroup):
    r = rep(text, group)
    restricted = r.restrict(subgroup)
    assert (restricted.group, str(restricted), restricted.size) == (subgroup, str(r), r.size)
    for x, image in zip(subgroup.lie_algebra, restricted.lie_images):
        assert np.allclose(image.toarray(), r.matrix(x))
    for g, image in zip(subgroup.discrete, restricted.discrete_images):
        assert np.allclose(image.toarray(), r.group_matrix(g))


@pytest.mark.parametrize(
    ("group", "subgroup", "says"),
    [
        (groups.SO(3), groups.O(3), "determinant"),
        (groups.SO(3), groups.SO(2), r"size 2[^$]*SO\(2\) \* groups.trivial\(1\)"),
        (groups.SO(3), groups.SL(3), "not in the Lie algebra"),
        (groups.SO(3), from_matrices(None, np.diag([1.0, 2.0, 0.5])), "to itself|bilinear form"),
        (groups.SL(3), from_matrices(None, np.diag([1.0, 2.0, 1.0])), "determinant"),
        (groups.Sp(4), from_matrices(None, np.diag([1.0, 2.0, 1.0, 1.0])), "to itself|bilinear form"),
        (groups.O(2, 2), from_matrices(None, np.kron([[0, 1], [1, 0]], np.eye(2))), "bilinear form"),
        (groups.SE(2), from_matrices(None, np.diag([2.0, 0.5, 1.0])), "to itself"),
        (groups.Z(4), groups.S(4), "not in Z"),
        (groups.C(4), groups.C(8), "not in C"),
        (groups.S(3), from_matrices(None, -np.eye(3)), "not in S"),
        (groups.SO0(1, 3), groups.SO(3) * groups.trivial(1), "not in the Lie algebra"),
    ],
    ids=lambda v: v if isinstance(v, str) else v.name,
)
def test_a_group_that_is_no_subgroup_is_refused(group, subgroup, says):
    with pytest.raises(InputError, match=says) as error:
        rep("V", group).restrict(subgroup)
    assert "is not a subgroup" in str(error.value)


def test_spins_of_a_group_given_by_matrices():
    q = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    mine = from_matrices(2 * q @ groups.SO(3).lie_algebra[:2] @ q.T, name="mine")  # two generate, in another scale
    r = spin(mine, 2)
    g, h = mine.sample(2, rng=1)
    assert np.allclose(r.group_matrix(g) @ r.group_matrix(h), r.group_matrix(g @ h))
    assert np.allclose(np.trace(r.group_matrix(g)), np.trace(rep("Sym2(V)", mine).group_matrix(g)) - 1)
    with pytest.raises(InputError, match="outside the Lie algebra"):
        r.matrix(np.eye(3))
    with pytest.raises(InputError, match="neither exp"):
        spin(groups.SO(3), 1).group_matrix(2 * g)
