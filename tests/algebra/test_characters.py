"""Characters: spins against the closed formula, multiplicities by integrals over the group."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.linalg import expm

from erlangen.algebra import groups, rep, spin
from erlangen.algebra.spins import frame_of, generators

SPINS = [Fraction(n, 2) for n in range(9)]


def character(l, angle):
    """sin((2l+1) t/2) / sin(t/2), the trace of a rotation by t on the complex space of spin l."""
    return np.sin((2 * l + 1) * angle / 2) / np.sin(angle / 2)


@pytest.mark.parametrize("l", SPINS, ids=str)
def test_generators_are_those_of_rotations(l):
    j = generators(l)
    size = int(2 * l + 1) * l.denominator
    assert j.shape == (3, size, size)
    assert np.array_equal(j, -j.transpose(0, 2, 1))
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        assert np.allclose(j[a] @ j[b] - j[b] @ j[a], j[c], atol=1e-13)
    casimir = -sum(x @ x for x in j)
    assert np.allclose(casimir, float(l * (l + 1)) * np.eye(size), atol=1e-13)


@pytest.mark.parametrize("l", SPINS, ids=str)
def test_traces_are_the_characters(l):
    group = groups.SU(2)
    r, frame = spin(group, l), frame_of(group)
    for angle in (0.3, 2.0, 3.5, 6.0):
        axis = np.random.default_rng(1).normal(size=3)
        g = expm(angle * np.tensordot(axis / np.linalg.norm(axis), frame.j, 1))
        # A complex space written as a real one has twice the real part of the trace.
        assert np.isclose(np.trace(r.group_matrix(g)), l.denominator * character(float(l), angle))


def test_a_full_turn_counts_for_half_integers_only():
    group = groups.SU(2)
    minus_one = -np.eye(4)
    assert np.allclose(spin(group, 1).group_matrix(minus_one), np.eye(3))
    assert np.allclose(spin(group, Fraction(1, 2)).group_matrix(minus_one), -np.eye(4))
    assert np.allclose(spin(group, Fraction(3, 2)).group_matrix(minus_one), -np.eye(8))
    assert np.allclose(spin(group, Fraction(3, 2)).group_matrix(np.eye(4)), np.eye(8))


def test_spin_one_is_the_vector_in_the_order_y_z_x():
    change = np.eye(3)[[1, 2, 0]]
    g = groups.O(3).sample(1, rng=2)[0]
    assert np.allclose(rep("spin(1)o", groups.O(3)).group_matrix(g), change @ g @ change.T)
    assert np.allclose(rep("spin(1)e", groups.O(3)).group_matrix(g), np.linalg.det(g) * change @ g @ change.T)
    assert np.array_equal(generators(Fraction(1)), change @ frame_of(groups.SO(3)).j @ change.T)


def test_spin_two_is_the_quadratic_harmonics():
    # Real harmonics of degree 2, in the order m = -2 .. 2, as functions of x, y, z.
    def harmonics(p):
        x, y, z = p.T
        root = np.sqrt(3)
        return np.stack([root * x * y, root * y * z, (3 * z**2 - 1) / 2, root * x * z, root * (x**2 - y**2) / 2])

    p = np.random.default_rng(0).normal(size=(20, 3))
    p /= np.linalg.norm(p, axis=1, keepdims=True)
    g = groups.SO(3).sample(1, rng=3)[0]
    assert np.allclose(rep("spin(2)", groups.SO(3)).group_matrix(g) @ harmonics(p), harmonics(p @ g.T))


def multiplicities(r, most, nodes=32):
    """Integrals of products of characters over SU(2), exact for trigonometric polynomials of degree below the nodes."""
    frame = frame_of(r.group)
    angles = (np.arange(nodes) + 0.5) * 2 * np.pi / nodes
    traces = np.array([np.trace(r.group_matrix(expm(t * frame.j[2]))) for t in angles])
    return [float(np.mean(traces * character(l, angles) * 2 * np.sin(angles / 2) ** 2)) for l in range(most)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("V", [0, 1]),
        ("V**2", [1, 1, 1]),
        ("V**3", [1, 3, 2, 1]),
        ("V**4", [3, 6, 6, 3, 1]),
        ("spin(2)*spin(1)", [0, 1, 1, 1]),
        ("Sym2(V)", [1, 0, 1]),
        ("Alt2(V)", [0, 1]),
        ("Sym3(V)", [0, 1, 0, 1]),
        ("Sym2(spin(2))", [1, 0, 1, 0, 1]),
        ("Alt2(spin(2))", [0, 1, 0, 1]),
    ],
)
def test_products_decompose_as_clebsch_and_gordan_say(text, expected):
    r = rep(text, groups.SO(3))
    assert np.allclose(multiplicities(r, 6), expected + [0] * (6 - len(expected)), atol=1e-10)


@pytest.mark.parametrize(
    "group", [groups.GL(3), groups.S(4), groups.O(1, 3), groups.SU(2) * groups.C(3)], ids=lambda g: g.name
)
@pytest.mark.parametrize("base", ["V", "V + S", "V.T"])
def test_characters_of_powers(group, base):
    g = group.sample(1, rng=6)[0]
    one, two, three = (
        np.trace(rep(base, group).group_matrix(m)) for m in (g, g @ g, g @ g @ g)
    )  # Newton's identities between power sums, complete and elementary symmetric functions
    expected = {
        "Sym2": (one**2 + two) / 2,
        "Alt2": (one**2 - two) / 2,
        "Sym3": (one**3 + 3 * one * two + 2 * three) / 6,
        "Alt3": (one**3 - 3 * one * two + 2 * three) / 6,
    }
    for power, trace in expected.items():
        found = np.trace(rep(f"{power}({base})", group).group_matrix(g))
        assert np.isclose(found, trace, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("group", [groups.S(4), groups.D(3), groups.Cube(), groups.Z(6)], ids=lambda g: g.name)
def test_the_regular_representation_has_the_character_of_a_free_action(group):
    r = rep("regular", group)
    assert r.size == group.order()
    for i, g in enumerate(group.elements().matrices[:12]):
        assert np.trace(r.group_matrix(g)) == (r.size if i == 0 else 0)


def test_burnside_counts_the_orbits():
    faces = groups.CubeFaces()
    elements = faces.elements().matrices
    fixed = [np.trace(rep("V", faces).group_matrix(g)) for g in elements]
    assert np.mean(fixed) == 1
    assert np.mean(np.square(fixed)) == 3  # pairs of faces: equal, opposite, adjacent
