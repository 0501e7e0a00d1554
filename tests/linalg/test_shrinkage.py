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
    done, methods = shrink(v, 0.5), []
    assert done.basis is not None and done.basis.shape[1] == 12 + SPARE
    for _ in range(5):
        v = v + 0.01 * rng.normal(size=shape) / np.sqrt(shape[0])
        done = shrink(v, 0.5, start=done, error=1e-4)
        assert np.linalg.norm(done.matrix - plainly(v, 0.5)) < 3e-4
        methods.append(done.method)
    assert set(methods) == {"partial"}


EXPANDED = {1e-2: 12, 1e-3: 19, 1e-4: 19}
"""How many of 20 steps need no new eigenvectors, at least: they are turned along."""


@pytest.mark.parametrize("shape", [(60, 75), (75, 60)])
@pytest.mark.parametrize("rate", EXPANDED)
def test_a_high_rank_follows_a_matrix_that_changes(shape, rate):
    """Values on both sides of the threshold, close to it and equal to each other, drift; errors stay in bounds."""
    rng = np.random.default_rng(4)
    values = np.concatenate([np.linspace(3, 1, 20), np.full(20, 0.6), np.linspace(0.55, 0.45, 5), np.full(10, 0.1)])
    v, methods = spectrum(shape, values), []
    done = shrink(v, 0.5)
    for _ in range(20):
        v = v + rate * rng.normal(size=shape) / np.sqrt(shape[0])
        done = shrink(v, 0.5, start=done, error=3 * rate)
        assert np.linalg.norm(done.matrix - plainly(v, 0.5)) < 3 * rate
        assert done.frame is not None and np.abs(done.frame.T @ done.frame - np.eye(60)).max() < 1e-5
        methods.append(done.method)
    assert methods.count("expanded") >= EXPANDED[rate]
    exact = shrink(v, 0.5, start=done)
    assert exact.method == "gram" and np.allclose(exact.matrix, plainly(v, 0.5), atol=1e-12)


def test_a_matrix_far_away_is_not_expanded():
    first, other = (spectrum((60, 75), np.linspace(3, 0.3, 60), seed) for seed in (5, 6))
    done = shrink(other, 0.5, start=shrink(first, 0.5), error=1e-3)
    assert done.method == "gram" and np.linalg.norm(done.matrix - plainly(other, 0.5)) < 1e-3


def test_single_precision_does_not_serve_where_one_value_is_large():
    """One that no entry of the diagonal of V V^T shows."""
    v = spectrum((90, 100), np.linspace(1.0, 0.4, 90)) + 3.0
    assert np.linalg.norm(shrink(v, 0.5, error=1e-2).matrix - plainly(v, 0.5)) < 1e-2
    assert np.linalg.norm(shrink(v, 0.5, error=1e-3).matrix - plainly(v, 0.5)) < 1e-10


def test_single_precision_serves_where_it_is_accurate_enough():
    v = spectrum((90, 100), np.geomspace(3.0, 0.3, 90))
    exact = plainly(v, 0.5)
    for error in (1e-2, 1e-3, 1e-4, 1e-5):
        assert np.linalg.norm(shrink(v, 0.5, error=error).matrix - exact) < error
    assert np.linalg.norm(shrink(v, 0.5, error=1e-2).matrix - exact) > 1e-9
    assert np.linalg.norm(shrink(v, 0.5, error=1e-9).matrix - exact) < 1e-12


def test_more_values_than_the_start_can_hold_are_found():
    """Where every value of the start counts, others may count too."""
    few = shrink(spectrum((150, 140), np.full(10, 2.0)), 0.5)
    v = spectrum((150, 140), np.concatenate([np.full(40, 2.0), np.full(60, 0.1)]))
    done = shrink(v, 0.5, start=few, error=1e-6)
    assert done.rank == 40 and done.method == "gram"


def test_zero_stays_zero():
    for shape in SHAPES:
        assert not np.any(shrink(np.zeros(shape), 0.5).matrix)
