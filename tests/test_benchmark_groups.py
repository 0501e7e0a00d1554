"""What the benchmark on equivariant bases compares: the 42 groups, changes of basis, angles and residuals."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._emlp import words
from benchmarks._emlp_groups import PAIRS, Case, cases, complexified, dimension_over_c, in_our_coordinates, lifted
from benchmarks._solves import largest_angle, residual
from erlangen.algebra import groups, rep
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.linalg.subspace import DenseSubspace


def test_there_are_42_groups_with_three_cases_each_below_the_limit():
    assert len(PAIRS) == len({pair.label for pair in PAIRS}) == 42
    for pair in PAIRS:
        sizes = [case.shape[0] * case.shape[1] for case in cases(pair)]
        assert len(sizes) == 3 and max(sizes) <= 10_000


def test_words_are_read_as_rep_reads_them():
    assert words("2V + T2 + S") == [(2, 1), (1, 2), (1, 0)]
    with pytest.raises(ValueError, match="V.T"):
        words("V.T")


def test_sizes_of_cases_are_those_of_the_representations():
    for pair in PAIRS[::5]:
        case, group = cases(pair)[2], pair.ours()
        assert case.shape == (rep(case.target, group).size, rep(case.source, group).size)


def test_a_unitary_group_falls_into_v_and_its_conjugate():
    g = groups.SU(3).sample(1, 0)[0]
    u = g[:3, :3] + 1j * g[3:, :3]
    b = complexified(6)
    assert np.allclose(b.conj().T @ b, np.eye(6))
    split = b.conj().T @ g @ b
    assert np.allclose(split[:3, :3], u) and np.allclose(split[3:, 3:], u.conj())
    assert np.allclose(split[:3, 3:], 0) and np.allclose(split[3:, :3], 0)


def test_complex_linear_maps_are_counted_apart():
    # Hom(C^2, C^2) of SU(2): one map over C; over R four, since C^2 is the quaternions.
    pair = next(p for p in PAIRS if p.label == "SU(2)")
    case, group = Case(pair, "V", "V"), pair.ours()
    ours = equivariant_maps(rep("V", group), rep("V", group)).to_dense()
    b = complexified(4)
    theirs = (b.conj().T @ ours.T.reshape(-1, 4, 4) @ b).reshape(4, 16).T
    assert dimension_over_c(case, theirs) == 1
    assert largest_angle(ours, in_our_coordinates(case, theirs)) < 1e-12


def test_a_basis_keeps_its_meaning_in_other_coordinates():
    # D(3) with its reflection about the other axis, solved in those coordinates, must give our span.
    pair = next(p for p in PAIRS if p.label == "D(3)")
    case, b = Case(pair, "V + T2", "T2"), pair.change(2)
    theirs = groups.from_matrices(discrete=b.T @ pair.ours().discrete @ b)
    basis = equivariant_maps(rep(case.source, theirs), rep(case.target, theirs)).to_dense()
    ours = equivariant_maps(rep(case.source, pair.ours()), rep(case.target, pair.ours())).to_dense()
    assert largest_angle(ours, basis) > 0.1
    assert largest_angle(ours, in_our_coordinates(case, basis)) < 1e-12


def test_lifted_is_what_the_group_does():
    g = groups.SO(3).sample(1, 0)[0]
    assert np.allclose(lifted(g, "2V + T2 + S"), rep("2V + T2 + S", groups.SO(3)).group_matrix(g))


def test_the_largest_angle_is_the_one_that_was_built():
    a = np.eye(5)[:, :2]
    turned = a.copy()
    turned[:, 1] = np.cos(0.3) * a[:, 1] + np.sin(0.3) * np.eye(5)[:, 4]
    assert largest_angle(a, turned) == pytest.approx(0.3, rel=1e-12)


def test_a_map_that_does_not_commute_has_a_residual():
    v = rep("V", groups.SO(3))
    right = DenseSubspace(np.eye(3).reshape(9, 1) / np.sqrt(3))
    wrong = DenseSubspace(np.eye(9)[:, :1])
    assert residual(right, v, v) < 1e-15 and residual(wrong, v, v) > 0.1
