"""Nuclear-norm problems: closed forms, an independent linear program, and gaps that hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import linprog

from erlangen import InputError, UndecidedError
from erlangen.linalg.admm import Interpolation, LeastSquares, minimise
from erlangen.linalg.norms import EuclideanNorm, L1Norm, MatrixMap, NuclearNorm, SumOfNorms, TurnedMap
from erlangen.linalg.shrinkage import shrink

EXACT = 1e-9


def problem(seed: int, n: int, *, l1: float = 0.0) -> tuple[SumOfNorms, np.ndarray, np.ndarray]:
    """A random map of 12 unknowns to 6 x 5 matrices, and n equations."""
    rng = np.random.default_rng(seed)
    norms = [NuclearNorm(rng.normal(size=(30, 12)), (6, 5))]
    if l1:
        norms.append(L1Norm(sparse.csr_array(sparse.identity(12))))
    return SumOfNorms(tuple(norms), (1.0, l1)[: len(norms)]), rng.normal(size=(n, 12)), rng.normal(size=n)


def test_values_and_duals_are_dual():
    """The dual norm bounds the inner product with anything of value one, and is attained."""
    norms, _, _ = problem(0, 1, l1=0.7)
    rng = np.random.default_rng(1)
    for _ in range(20):
        v, w = rng.normal(size=(2, 42))
        assert abs(v @ w) <= norms.value(v) * norms.dual(w) * (1 + EXACT)


def test_least_squares_with_orthonormal_unknowns_is_shrinkage():
    y = np.random.default_rng(2).normal(size=30)
    norms = SumOfNorms((NuclearNorm(sparse.csr_array(sparse.identity(30)), (6, 5)),), (1.0,))
    found = minimise(LeastSquares(np.eye(30), y, norms.gram), norms, 0.8 / 30, tolerance=EXACT)
    assert np.allclose(found.c.reshape(6, 5), shrink(y.reshape(6, 5), 0.8).matrix, atol=1e-7)
    assert np.linalg.matrix_rank(found.image.reshape(6, 5)) == np.linalg.matrix_rank(found.c.reshape(6, 5), tol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_basis_pursuit_agrees_with_a_linear_program(seed):
    """Linear programs are slow (the first does not converge): what is stated about the minimum is true all the same."""
    rng = np.random.default_rng(seed)
    design, y = rng.normal(size=(8, 20)), rng.normal(size=8)
    norms = SumOfNorms((L1Norm(np.eye(20)),), (1.0,))
    found = minimise(Interpolation(design, y, norms.gram), norms, tolerance=1e-6, most=3000)
    oracle = linprog(np.ones(40), A_eq=np.hstack([design, -design]), b_eq=y, method="highs")
    assert found.converged == (seed > 0)
    assert -EXACT <= found.objective - oracle.fun <= found.gap + EXACT
    assert found.gap <= (1e-5 if found.converged else 1e-2) * oracle.fun
    assert np.allclose(design @ found.c, y)


@pytest.mark.parametrize("l1", [0.0, 0.3])
@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("most", [1, 5, 10, 20, 100])
def test_the_gap_is_never_too_small(l1, fitted, most):
    norms, design, y = problem(4, 7, l1=l1)
    fit = (LeastSquares if fitted else Interpolation)(design, y, norms.gram)
    best = minimise(fit, norms, 0.05, tolerance=1e-10, most=20000)
    early = minimise(fit, norms, 0.05, tolerance=1e-14, most=most)
    assert not early.converged or early.gap < 1e-6
    assert best.gap < 1e-6 * best.objective
    assert early.objective - best.objective <= early.gap + EXACT
    for _ in range(5):  # the minimum is one: neighbours that satisfy the data are no better
        step = np.linalg.svd(design)[2][7:].T @ np.random.default_rng(most).normal(size=5)
        near = best.c + 1e-3 * step
        assert fit.value(near) + 0.05 * norms.value(norms.apply(near)) >= best.objective - 1e-8


def test_the_subgradient_condition_holds_for_least_squares():
    """A^T M = design^T (y - design c) / (n lam), with M in the unit ball and <A c, M> the norm of A c."""
    norms, design, y = problem(5, 40)
    lam = 1e-3
    found = minimise(LeastSquares(design, y, norms.gram), norms, lam, tolerance=1e-10, most=20000)
    u, s, vt = np.linalg.svd(norms.apply(found.c).reshape(6, 5), full_matrices=False)
    assert s.min() > 1e-3  # smooth there: the gradient is U V^T
    slope = design.T @ (y - design @ found.c) / len(y)
    assert np.allclose(norms.adjoint((u @ vt).ravel()) * lam, slope, atol=1e-7)


@pytest.mark.parametrize("fit", [Interpolation, LeastSquares])
def test_a_start_from_the_solution_is_quick(fit):
    norms, design, y = problem(6, 7)
    prepared = fit(design, y, norms.gram)
    cold = minimise(prepared, norms, 0.1, tolerance=1e-6)
    warm = minimise(prepared, norms, 0.1, tolerance=1e-6, start=cold.state)
    assert cold.converged and warm.converged
    assert warm.iterations <= 5 < cold.iterations


def test_equal_equations_are_fine_and_contradictions_are_named():
    norms, design, y = problem(7, 5)
    twice, values = np.vstack([design, design[2]]), np.append(y, y[2])
    once = minimise(Interpolation(design, y, norms.gram), norms, tolerance=1e-8, most=20000)
    again = minimise(Interpolation(twice, values, norms.gram), norms, tolerance=1e-8, most=20000)
    assert np.allclose(once.c, again.c, atol=1e-5)
    with pytest.raises(InputError, match="exclude equation [25]"):
        Interpolation(twice, np.append(y, y[2] + 0.1), norms.gram)
    with pytest.raises(InputError, match="contradict"):
        Interpolation(np.vstack([design, np.zeros(12)]), np.append(y, 1.0), norms.gram)


@pytest.mark.parametrize("fit", [Interpolation, LeastSquares])
def test_open_unknowns_are_refused(fit):
    """Three unknowns that the penalty does not see, and two equations."""
    seen = np.hstack([np.random.default_rng(8).normal(size=(30, 9)), np.zeros((30, 3))])
    norms = SumOfNorms((NuclearNorm(seen, (6, 5)),), (1.0,))
    rng = np.random.default_rng(9)
    with pytest.raises(UndecidedError, match="1 independent combination"):
        fit(rng.normal(size=(2, 12)), rng.normal(size=2), norms.gram)
    fit(rng.normal(size=(3, 12)), rng.normal(size=3), norms.gram)


def test_as_many_equations_as_unknowns_leave_nothing_to_choose():
    norms, design, y = problem(10, 12)
    found = minimise(Interpolation(design, y, norms.gram), norms)
    assert found.converged and np.allclose(found.c, np.linalg.solve(design, y))


@pytest.mark.parametrize("fit", [Interpolation, LeastSquares])
def test_data_that_cost_nothing_are_done_at_once(fit):
    """Values of a function in the null space of the map."""
    seen = np.hstack([np.random.default_rng(11).normal(size=(30, 9)), np.zeros((30, 3))])
    norms = SumOfNorms((NuclearNorm(seen, (6, 5)),), (1.0,))
    design = np.random.default_rng(12).normal(size=(5, 12))
    free = np.concatenate([np.zeros(9), [1.0, -2.0, 3.0]])
    found = minimise(fit(design, design @ free, norms.gram), norms)
    assert found.converged and found.iterations == 0 and not found.image.any()
    assert np.allclose(found.c, free)


@pytest.mark.parametrize("sparsely", [False, True])
def test_a_turned_map_is_a_product(sparsely):
    rng = np.random.default_rng(13)
    matrix = rng.normal(size=(12, 5)) * (rng.random((12, 5)) < 0.4)
    left, c, v = rng.normal(size=(4, 4)), rng.normal(size=5), rng.normal(size=12)
    dense = np.einsum("ab,bij->aij", left, matrix.reshape(4, 3, 5)).reshape(12, 5)
    turned = TurnedMap(left, MatrixMap(sparse.csr_array(matrix) if sparsely else matrix))
    assert np.allclose(turned.apply(c), dense @ c) and np.allclose(turned.adjoint(v), dense.T @ v)
    assert np.allclose(turned.gram(), dense.T @ dense)


def test_the_euclidean_norm():
    """Its own dual; its proximal map shortens, to zero where it must."""
    norm, v = EuclideanNorm(np.eye(3)), np.array([3.0, 0.0, 4.0])
    assert norm.value(v) == norm.dual(v) == 5.0
    assert np.allclose(norm.prox(v, 2.0, None, 0.0)[0], 0.6 * v)
    assert not norm.prox(v, 5.0, None, 0.0)[0].any()
