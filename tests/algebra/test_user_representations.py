"""Representations given by matrices: what is checked, and how they extend to the group."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen._errors import InputError
from erlangen.algebra import groups, rep, rep_from_matrices, rep_from_permutations
from erlangen.algebra.user_atoms import Given


def copy_of(text, group, name="W"):
    """The images of a known representation, given as matrices."""
    r = rep(text, group)
    lie, discrete = ([m.toarray() for m in images] for images in (r.lie_images, r.discrete_images))
    return r, rep_from_matrices(group, lie or None, discrete or None, name=name)


CASES = [
    (groups.SO(3), "V*V"),
    (groups.SU(2), "spin(3/2)"),
    (groups.O(3), "spin(2)o"),
    (groups.GL(2), "V*V.T"),
    (groups.O(1, 3), "Alt2(V)"),
    (groups.S(4), "Alt2(V)"),
    (groups.D(5), "Sym2(V)"),
    (groups.SO(2) * groups.Z(3), "V1*V2"),
]


@pytest.mark.parametrize(("group", "text"), CASES, ids=[f"{g.name}: {t}" for g, t in CASES])
def test_matrices_give_the_representation_they_come_from(group, text):
    known, given = copy_of(text, group)
    assert (given.size, str(given)) == (known.size, "W")
    for g in group.sample(4, rng=3):
        assert np.allclose(given.group_matrix(g), known.group_matrix(g), atol=1e-8)
        assert np.allclose(given.dual.group_matrix(g), known.dual.group_matrix(g), atol=1e-8)
    for a in group.closure().basis:
        assert np.allclose(given.matrix(a), known.matrix(a))
        assert np.allclose((given * given).matrix(a), (known * known).matrix(a))


def test_half_turns_have_images():
    known, given = copy_of("V*V", groups.O(3))
    for turn in (np.diag([1.0, -1, -1]), np.diag([-1.0, -1, 1]), -np.eye(3), np.diag([1.0, 1, -1])):
        assert np.allclose(given.group_matrix(turn), known.group_matrix(turn), atol=1e-8)


def test_generating_sets_extend_to_the_algebra_they_generate():
    two = er.algebra.from_matrices(groups.SO(3).lie_algebra[:2], name="two")
    known, given = copy_of("V*V", two)
    third = groups.SO(3).lie_algebra[2]
    assert np.allclose(given.matrix(third), known.matrix(third))
    with pytest.raises(InputError, match="outside the Lie algebra"):
        given.matrix(np.eye(3))


def test_restriction_of_a_given_representation():
    known, given = copy_of("V*V", groups.O(3))
    restricted = given.restrict(groups.Cube())
    for g, image in zip(groups.Cube().discrete, restricted.discrete_images):
        assert np.allclose(image.toarray(), known.group_matrix(g), atol=1e-8)


def test_names_are_read_back():
    group = groups.SO(3)
    _, w = copy_of("V*V", group, "tensor_2")
    r = w.dual * w + 2 * rep("V", group)
    assert str(r) == "tensor_2.T*tensor_2 + 2V"
    assert rep(str(r), group, names={"tensor_2": w}) == r
    assert rep("Sym2(tensor_2)", group, names={"tensor_2": w}).size == 45
    product = groups.S(3) * group
    lifted = rep("tensor_2@2*V1", product, names={"tensor_2": w})
    assert str(lifted) == "tensor_2@2*V1"
    assert rep(str(lifted), product, names={"tensor_2": w}) == lifted
    with pytest.raises(InputError, match="a representation of SO"):
        rep("tensor_2", groups.O(3), names={"tensor_2": w})


@pytest.mark.parametrize("name", ["V", "S", "T2", "V1", "Sym2", "spin", "regular", "a b", "2a", "", "x+y", None])
def test_names_that_could_not_be_read_back_are_refused(name):
    with pytest.raises(InputError, match="This name"):
        rep_from_matrices(groups.SO(2), np.zeros((1, 1, 1)), name=name)
    with pytest.raises(InputError, match="This name"):
        rep("V", groups.SO(2), names={name: rep("V", groups.SO(2))})


def test_permutation_representations():
    cube = groups.Cube()
    faces = rep_from_permutations(cube, groups.CubeFaces().permutations, name="faces")
    assert (faces.size, str(faces * rep("V", cube))) == (6, "faces*V")
    for g in cube.sample(4, rng=2):
        m = faces.group_matrix(g)
        assert np.array_equal(m, np.round(m))
        assert np.isclose(np.trace(m), 2 * np.sum(np.isclose(np.diag(g), 1)))  # fixed faces lie on a fixed axis
    with pytest.raises(InputError, match="not a homomorphism|apart"):
        rep_from_permutations(cube, [[1, 0], [0, 1]])


SO3 = groups.SO(3)
NAN = SO3.lie_algebra.copy()
NAN[0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("group", "lie", "discrete", "says"),
    [
        (SO3, SO3.lie_algebra[:2], None, r"shape \(2, 3, 3\)"),
        (SO3, np.zeros((3, 2, 3)), None, r"shape \(3, 2, 3\)"),
        (SO3, [np.eye(2), np.eye(3), np.eye(2)], None, r"\(2, 2\), \(3, 3\)"),
        (SO3, 2 * SO3.lie_algebra, None, "off by"),
        (SO3, SO3.lie_algebra[[1, 0, 2]], None, "off by"),
        (SO3, NAN, None, "NaN"),
        (SO3, None, None, "no matrices"),
        (groups.O(3), SO3.lie_algebra, np.zeros((1, 2, 2)), "shape"),
        (groups.O(3), SO3.lie_algebra, np.diag([1.0, 1.0, -1.0]), "conjugates"),  # ours reverses the first axis
        (groups.O(3), None, np.zeros((1, 1, 1)), "singular"),
        (groups.S(3), None, -np.ones((2, 1, 1)), "products of generators"),  # a 3-cycle is no odd permutation
        (groups.C(4), None, np.diag([1.0, 2.0]), "products of generators"),
    ],
)
def test_what_is_no_representation_is_refused(group, lie, discrete, says):
    with pytest.raises(InputError, match=says) as error:
        rep_from_matrices(group, lie, discrete)
    assert "fix:" in str(error.value)


def test_images_measured_from_data_need_their_tolerance():
    noisy = SO3.lie_algebra + 1e-4 * np.random.default_rng(0).normal(size=(3, 3, 3))
    with pytest.raises(InputError, match="off by"):
        rep_from_matrices(SO3, noisy)
    assert rep_from_matrices(SO3, noisy, tolerance=1e-2).size == 3


def test_given_atoms_are_values():
    _, a = copy_of("V*V", SO3)
    _, b = copy_of("V*V", SO3)
    _, c = copy_of("V.T*V.T + 0S", SO3, "U")
    assert a == b
    assert hash(a) == hash(b)
    assert a != c
    atom = a.terms[0][0][0]
    assert isinstance(atom, Given)
    with pytest.raises(ValueError, match="read-only"):
        atom.lie_given[:] = 0
    mine = SO3.lie_algebra.copy()
    w = rep_from_matrices(SO3, mine)
    mine[:] = 0
    assert np.array_equal(w.lie_images[0].toarray(), SO3.lie_algebra[0])


def test_elements_that_do_not_follow_are_refused():
    _, given = copy_of("V", SO3)
    with pytest.raises(InputError, match="not found as exp"):
        given.group_matrix(np.diag([1.0, 1.0, -2.0]))
    assert er.rep_from_matrices is rep_from_matrices


def test_complex_images_become_real_ones():
    charge = rep_from_matrices(groups.SO(2), lie=[[[2j]]], name="charge2")
    assert np.array_equal(charge.lie_images[0].toarray(), [[0.0, -2.0], [2.0, 0.0]])
