"""Exact null spaces by elimination modulo a prime, against elimination in the rationals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from erlangen.linalg.integers import PRIME, as_integers, common_null_space, components, integer_null_space
from erlangen.linalg.null import rational_null_space


def random_matrix(seed: int, density: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    m, n = rng.integers(1, 9, size=2)
    return rng.integers(-9, 10, size=(m, n)) * (rng.random((m, n)) < density)


@pytest.mark.parametrize("seed", range(12))
def test_null_space_equals_rational_elimination(seed):
    a = random_matrix(seed)
    n = a.shape[1]
    null = integer_null_space(sparse.csr_array(a.astype(float)))
    oracle = rational_null_space(a.tolist(), n)
    assert null is not None and null.shape == (n, oracle.dim)
    assert not np.any(a @ null.toarray())
    assert np.array_equal(null.toarray(), np.round(null.toarray()))
    halves = [sparse.csr_array(part.astype(float)) for part in (a[::2], a[1::2])]
    stepwise = common_null_space(halves, n)
    assert stepwise is not None and stepwise.dim == oracle.dim
    assert np.all(stepwise.angles(oracle) < 1e-12)


def test_fractions_come_back_as_integers():
    """3 x = 7 y and 5 y = 2 z: the null vector (14, 6, 15) has residues that look random."""
    a = sparse.csr_array(np.array([[3.0, -7.0, 0.0], [0.0, 5.0, -2.0]]))
    null = integer_null_space(a)
    assert null is not None and null.toarray().ravel().tolist() == [14.0, 6.0, 15.0]


def test_a_rank_that_drops_modulo_the_prime_is_not_believed():
    """Modulo the prime this matrix is zero, over the integers it is not."""
    null = integer_null_space(sparse.csr_array(np.array([[float(PRIME), 2.0 * PRIME]])))
    assert null is not None and null.toarray().ravel().tolist() == [-2.0, 1.0]


@pytest.mark.parametrize("entry", [184756.0, 100003.0])
def test_entries_beyond_the_reach_of_one_prime(entry):
    """x = c y. The residue of 184756 belongs to no small fraction, that of 100003 to -19225/21474, which is wrong."""
    null = integer_null_space(sparse.csr_array(np.array([[1.0, -entry]])))
    assert null is not None and null.toarray().ravel().tolist() == [entry, 1.0]


def test_numbers_that_grow_too_large_are_refused():
    """x_i = 997 x_(i+1): the first entry of the null vector is 997^7, beyond the exact integers."""
    a = np.eye(8)[:7] - 997.0 * np.eye(8)[1:]
    assert integer_null_space(sparse.csr_array(a)) is None


def test_sums_that_would_round_are_refused():
    """3^33 + (3^33 + 1) is odd and above 2^53: in float64 the sum would cancel against its even neighbour."""
    a = float(3**33)
    rows = [np.array([[1.0, -1.0, 0.0]]), np.array([[a, a + 1, -float(2 * 3**33 + 1)]])]
    assert sum(rows[1][0]) == 0.0
    assert common_null_space([sparse.csr_array(row) for row in rows], 3) is None


@pytest.mark.parametrize(
    ("values", "whole"),
    [
        ([1.0, -2.0], [1, -2]),
        ([0.5, -1 / 3], [3, -2]),
        ([0.1, 0.25], [2, 5]),
        ([np.sqrt(0.5), -np.sqrt(0.5)], [1, -1]),
        ([1.0, np.sqrt(2)], None),
        ([1.0, 1.0 + 1e-13], None),
        ([], []),
    ],
)
def test_plain_fractions_are_recognised_to_the_last_bit(values, whole):
    got = as_integers(np.array(values))
    assert got is None if whole is None else got is not None and got.tolist() == whole


def test_components_are_the_blocks_of_a_matrix():
    a = np.zeros((4, 5))
    a[0, [0, 3]] = a[2, 3] = a[1, 1] = 1.0
    blocks = list(components(sparse.csr_array(a)))
    found = sorted((block.rows.tolist(), block.columns.tolist()) for block in blocks)
    assert found == [([], [2]), ([], [4]), ([0, 2], [0, 3]), ([1], [1])]
    for block in blocks:
        assert np.array_equal(block.dense(), a[np.ix_(block.rows, block.columns)])
