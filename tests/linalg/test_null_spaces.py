"""Null spaces agree with each other and with exact arithmetic, however the generators are scaled."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from erlangen import InputError, UndecidedError
from erlangen.linalg.null import iterative_null_space, null_space, rational_null_space, streamed_null_space, whiten
from erlangen.linalg.qr import StreamedQR
from erlangen.linalg.structured import IsotypicBlock, IsotypicSubspace, OrbitSubspace, RestrictedSubspace
from erlangen.linalg.subspace import DenseSubspace, RationalSubspace, echelon, span


def low_rank(m, p, rank, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, rank)) @ rng.normal(size=(rank, p))


CASES = [(30, 8, 5, 0), (200, 40, 33, 1), (12, 12, 11, 2), (7, 20, 7, 3)]


@pytest.mark.parametrize(("m", "p", "rank", "seed"), CASES)
def test_dense_and_streamed_null_spaces_agree(m, p, rank, seed):
    a = low_rank(m, p, rank, seed)
    dense = null_space(a)
    streamed = streamed_null_space(np.array_split(a, 5), p)
    assert dense.dim == streamed.dim == p - rank
    assert np.abs(a @ dense.to_dense()).max() < 1e-12 * np.linalg.norm(a)
    assert dense.angles(streamed).max() < 1e-12


@pytest.mark.parametrize(("m", "p", "rank", "seed"), [(200, 40, 33, 1), (120, 80, 72, 2), (60, 50, 50, 3)])
def test_iterative_null_space_agrees(m, p, rank, seed):
    a = low_rank(m, p, rank, seed)
    found = iterative_null_space(sparse.csr_array(a), 1e-8)
    assert found.dim == p - rank
    assert null_space(a).angles(found).max(initial=0) < 1e-6


def test_iterative_solver_says_when_the_null_space_is_too_large():
    with pytest.raises(UndecidedError, match="null_space"):
        iterative_null_space(sparse.csr_array((40, 40)), 1e-8)


def test_rational_null_space_is_exact():
    rows = [[1, 2, 3], [2, 4, 6]]
    exact = rational_null_space(rows, 3)
    assert exact.dim == 2
    for vector in exact.rows:
        assert all(sum(Fraction(a) * v for a, v in zip(row, vector, strict=True)) == 0 for row in rows)
    assert exact.angles(null_space(np.array(rows, dtype=float))).max() < 1e-14
    assert rational_null_space([], 2).dim == 2


def test_small_singular_values_survive_streaming():
    """The Gram matrix loses half of the digits, about 1e-8 here; the factor keeps 1e-13."""
    rng = np.random.default_rng(4)
    q1, _ = np.linalg.qr(rng.normal(size=(400, 6)))
    q2, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    a = q1 * np.array([1, 1, 1, 1, 1, 1e-13]) @ q2.T
    stream = StreamedQR(6)
    for block in np.array_split(a, 9):
        stream.update(block)
    smallest = np.linalg.svd(stream.factor(), compute_uv=False)[-1]
    assert 0.5e-13 < smallest < 2e-13


def test_merged_streams_are_one_stream():
    a = np.random.default_rng(5).normal(size=(60, 7))
    left, right = StreamedQR(7), StreamedQR(7)
    left.update(a[:20])
    right.update(a[20:])
    left.merge(right)
    assert np.allclose(left.factor().T @ left.factor(), a.T @ a)
    assert left.n_rows == 60


def test_whitening_does_not_depend_on_the_scale_of_one_generator():
    r = np.triu(np.random.default_rng(6).normal(size=(5, 5)))
    r[:, 4] = 0.0
    for scale in (1.0, 1e-3, 1e-9):
        frame = whiten(r * np.array([1, scale, 1, 1, 1]), 1e-12)
        assert frame.apply.shape[1] == 4
        assert frame.null.shape[1] == 1


def test_subspace_algebra():
    rng = np.random.default_rng(7)
    a, b, c = rng.normal(size=(3, 9, 2))
    left, right = span(np.hstack([a, b])), span(np.hstack([b, c]))
    assert (left & right).dim == 2
    assert (left & right).angles(span(b)).max() < 1e-7
    assert (left + right).dim == 6
    assert np.allclose(left.project(a.T), a.T)
    tilted = DenseSubspace(np.linalg.qr(a + 1e-9 * c)[0])
    assert 1e-11 < span(a).angles(tilted).max() < 1e-8


def test_echelon_spans_the_same_space_with_unit_pivots():
    basis = np.linalg.qr(np.random.default_rng(8).normal(size=(10, 3)))[0]
    reduced = echelon(basis)
    assert span(reduced).angles(DenseSubspace(basis)).max() < 1e-13
    assert np.sum(np.abs(reduced) > 1e-12) <= 3 * (10 - 3 + 1)


def test_isotypic_factors_are_the_commutant():
    """V + V + S of SO(3) on both sides: maps that commute with every rotation, from factors alone."""
    from scipy.spatial.transform import Rotation

    def copies(mixing):
        spins = mixing[:, :6].reshape(7, 2, 3)
        return spins, mixing[:, 6:].reshape(7, 1, 1)

    rng = np.random.default_rng(9)
    mix = [np.linalg.qr(rng.normal(size=(7, 7)))[0] for _ in range(2)]
    (left, s_left), (right, s_right) = copies(mix[0]), copies(mix[1])
    blocks = (IsotypicBlock(left, right, np.eye(3)[None]), IsotypicBlock(s_left, s_right, np.ones((1, 1, 1))))
    maps = IsotypicSubspace((7, 7), blocks)
    rotations = Rotation.random(4, random_state=0).as_matrix()

    def act(m, g):
        return m @ np.block([[np.kron(np.eye(2), g), np.zeros((6, 1))], [np.zeros((1, 6)), np.eye(1)]]) @ m.T

    rows = [np.kron(act(mix[0], g), np.eye(7)) - np.kron(np.eye(7), act(mix[1], g).T) for g in rotations]
    oracle = null_space(np.vstack(rows))
    assert maps.dim == oracle.dim == 5
    assert oracle.angles(maps).max() < 1e-12
    x = rng.normal(size=(3, 49))
    assert np.allclose(maps.project(x), oracle.project(x))
    assert np.allclose(maps.coordinates(maps.combine(np.eye(5))), np.eye(5))
    assert span(maps.sparse_basis()).angles(maps).max() < 1e-10


ROWS = ((Fraction(1, 3), Fraction(0), Fraction(0), Fraction(1)), (Fraction(0), Fraction(2), Fraction(0), Fraction(0)))
COPY = np.eye(2)[:, None]
TURN = np.array([[0.0, -1.0], [1.0, 0.0]])
KINDS = {
    "dense": DenseSubspace(np.eye(4)[:, :2]),
    "rational": RationalSubspace(ROWS, 4),
    "isotypic": IsotypicSubspace((2, 2), (IsotypicBlock(COPY, COPY, np.stack([np.eye(2), TURN])),)),
    "orbits": OrbitSubspace(np.array([0, 1, 0, -1]), np.array([1, 1, -1, 1])),
    "restricted": RestrictedSubspace(DenseSubspace(np.eye(4)[:, :3]), DenseSubspace(np.eye(3)[:, :2])),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("bad", "says"),
    [(np.ones(3), r"\(3,\)"), (np.ones(4) * 1j, "complex"), (np.full(4, np.nan), "NaN"), (1.0, r"shape \(\)")],
)
def test_what_is_no_vector_of_the_space_is_refused(kind, bad, says):
    space = KINDS[kind]
    for method in (space.project, space.coordinates):
        with pytest.raises(InputError, match=says) as error:
            method(bad)
        assert "(..., 4)" in str(error.value)
    with pytest.raises(InputError, match="coordinates"):
        space.combine(np.resize(bad, space.dim + (np.ndim(bad) == 0 or len(bad) == 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_subspaces_print_as_a_line(kind):
    text = repr(KINDS[kind])
    assert text.startswith(f"<{type(KINDS[kind]).__name__}: 2 of 4 dimensions")
    assert KINDS[kind].reason in text
    assert "Fraction" not in text
    assert "array" not in text
    assert str(KINDS[kind]) == text


@pytest.mark.parametrize(("m", "n"), [(0, 1), (1, 0), (0, 0)])
def test_an_irreducible_that_one_side_lacks_gives_no_map(m, n):
    maps = IsotypicSubspace((2, 3), (IsotypicBlock(np.zeros((2, m, 2)), np.zeros((3, n, 2)), np.eye(2)[None]),))
    assert maps.dim == 0 and not maps.project(np.ones(6)).any()
