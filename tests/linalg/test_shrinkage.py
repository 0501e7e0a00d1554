"""Singular value shrinkage: the proximal map of the nuclear norm, by each of its methods."""

from __future__ import annotations

import numpy as np
import pytest

from erlangen.linalg.shrinkage import SPARE, shrink


def spectrum(shape: tuple[int, int], values: np.ndarray, seed: int = 0) -> np.ndarray:
    """A random matrix with these singular values."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.normal(size=(shape[0], len(values))))[0]
    right = np.linalg.qr(rng.normal(size=(shape[1], len(values))))[0]
    return (left * values) @ right.T


def plainly(v: np.ndarray, t: float) -> np.ndarray:
    u, s, vt = np.linalg.svd(v, full_matrices=False)
    return (u * np.maximum(s - t, 0)) @ vt


SHAPES = [(1, 1), (5, 3), (3, 5), (90, 70), (70, 90), (200, 65)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("t", [0.0, 1e-9, 0.3, 0.99, 2.0])
def test_singular_values_are_lowered(shape, t):
    values = np.linspace(1.0, 0.01, min(shape))
    v = spectrum(shape, values)
    done = shrink(v, t)
    assert np.allclose(done.matrix, plainly(v, t), atol=1e-12)
    assert np.allclose(done.values, values[values > t] - t, atol=1e-12)
    assert done.rank == np.sum(values > t)


@pytest.mark.parametrize("shape", [(5, 3), (90, 70)])
def test_the_result_minimises_what_it_should(shape):
    """``(V - Z) / t`` is a subgradient of the nuclear norm at Z: norm at most one, and one along Z."""
    v, t = np.random.default_rng(1).normal(size=shape), 2.0
    z = shrink(v, t).matrix
    g = (v - z) / t
    assert np.linalg.norm(g, 2) <= 1 + 1e-10
    assert np.isclose(np.sum(g * z), np.linalg.svd(z, compute_uv=False).sum())


def test_small_thresholds_do_not_go_through_squares():
    v = spectrum((100, 80), np.geomspace(1.0, 1e-12, 80))
    assert shrink(v, 0.1).method == "gram"
    tiny = shrink(v, 1e-10)
    assert tiny.method == "svd"
    assert tiny.rank == np.sum(np.geomspace(1.0, 1e-12, 80) > 1e-10)


@pytest.mark.parametrize("shape", [(120, 150), (150, 120)])
def test_a_low_rank_follows_a_matrix_that_changes(shape):
    rng = np.random.default_rng(2)
    v = spectrum(shape, np.concatenate([np.linspace(3, 1, 12), np.linspace(0.4, 0.1, 60)]))
    basis, methods = shrink(v, 0.5).basis, []
    assert basis.shape[1] == 12 + SPARE
    for _ in range(5):
        v = v + 0.01 * rng.normal(size=shape) / np.sqrt(shape[0])
        done = shrink(v, 0.5, start=basis, error=1e-4)
        assert np.linalg.norm(done.matrix - plainly(v, 0.5)) < 3e-4
        methods.append(done.method)
        basis = done.basis
    assert set(methods) == {"partial"}


def test_more_values_than_the_start_can_hold_are_found():
    """Where every value of the start counts, others may count too."""
    v = spectrum((150, 140), np.concatenate([np.full(40, 2.0), np.full(60, 0.1)]))
    start = np.linalg.qr(np.random.default_rng(3).normal(size=(140, 20)))[0]
    done = shrink(v, 0.5, start=start, error=1e-6)
    assert done.rank == 40 and done.method == "gram"


def test_zero_stays_zero():
    for shape in SHAPES:
        assert not np.any(shrink(np.zeros(shape), 0.5).matrix)
