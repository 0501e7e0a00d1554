"""Closing, cutting out and generating: convergence, gradients, and the behaviours asked for."""

from __future__ import annotations

import numpy as np
import pytest
from cases import conjugated, mixed, well_conditioned

from erlangen._errors import UndecidedError
from erlangen.algebra import LieAlgebra, known
from erlangen.algebra.ambient import MatrixAmbient
from erlangen.algebra.closure import (
    close,
    closure_defect,
    codimension,
    constants_in,
    flag_of,
    frame_of,
    linearise,
    move,
)
from erlangen.algebra.repair import close_constants, jacobi_defect, orthonormal
from erlangen.algebra.structure import anatomy


def span(matrices: np.ndarray, affine: bool) -> tuple[MatrixAmbient, np.ndarray]:
    k = matrices.shape[1]
    ambient = MatrixAmbient.affine(k - 1) if affine else MatrixAmbient.square(k)
    return ambient, orthonormal(ambient.coordinates(matrices))


def noisy(rng: np.random.Generator, rows: np.ndarray, eps: float) -> np.ndarray:
    turned = np.linalg.qr(rng.standard_normal((len(rows), len(rows))))[0] @ rows
    return orthonormal(turned + rng.standard_normal(rows.shape) * eps / np.sqrt(rows.shape[1]))


def aligned(frame: np.ndarray, old: np.ndarray, p: int) -> np.ndarray:
    """Turn the complement of a frame, which is arbitrary, as close as possible to an old one."""
    u, _, vt = np.linalg.svd(old[p:] @ frame[p:].T)
    return np.vstack([frame[:p], u @ vt @ frame[p:]])


FLAGGED = [
    (known.iso(2), True),
    (known.galilei(2), True),
    (known.iso(3, 1), True),
    (known.heisenberg(1), False),
    (known.so(4), False),
    (np.concatenate([known.so(3), known.one(3)]), False),
]


@pytest.mark.parametrize(("matrices", "affine"), FLAGGED)
def test_jacobian_of_the_closing_equations(matrices, affine):
    """At an algebra the residual of a small move is the Jacobian times the move, up to second order."""
    ambient, q = span(conjugated(np.random.default_rng(0), matrices), affine)
    chain = flag_of(anatomy(constants_in(ambient, q), 1e-8))
    assert chain is not None
    flag, nested = chain
    frame = frame_of(nested.T @ q)
    residual, jacobian, columns = linearise(ambient, frame, flag)
    assert np.linalg.norm(residual) < 1e-12
    step = np.random.default_rng(1).standard_normal(jacobian.shape[1])
    errors = []
    for t in (1e-4, 1e-5):
        moved = linearise(ambient, aligned(move(frame, flag.dim, columns, t * step), frame, flag.dim), flag)[0]
        errors.append(np.linalg.norm(moved - t * jacobian @ step))
    assert errors[1] < 0.02 * errors[0] or errors[1] < 1e-12


@pytest.mark.parametrize("matrices", [known.so(3), known.so(4), known.so(3, 1), known.sp_real(2)])
def test_closing_converges_and_halves_the_error(matrices):
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(8):
        ambient, truth = span(conjugated(rng, matrices), False)
        data = noisy(rng, truth, 1e-3)
        closed = close(ambient, data)
        assert closed.residual < 1e-11
        away = [np.linalg.norm(rows - rows @ truth.T @ truth) for rows in (data, closed.basis)]
        ratios.append(away[1] / away[0])
    assert np.median(ratios) < 0.55


def test_chi_square_of_closing_has_its_degrees_of_freedom():
    """So(4) in gl(4): 51 conditions; the mean over draws lies within three standard errors."""
    rng, eps, values = np.random.default_rng(3), 1e-2, []
    ambient, truth = span(conjugated(rng, known.so(4)), False)
    for _ in range(30):
        data = noisy(rng, truth, eps)
        basis = close(ambient, data).basis
        values.append(ambient.dim * ((data - data @ basis.T @ basis) ** 2).sum() / eps**2)
    assert codimension(ambient, truth, eps) == 51
    assert abs(np.mean(values) - 51) < 3 * np.sqrt(2 * 51 / 30)


def test_b1_missing_generator():
    algebra = LieAlgebra.from_fields(*known.fields_from_text("x*dy-y*dx; dx", "xy"))
    assert algebra.closure_defect > 0.1
    whole, added = algebra.generated()
    assert (whole.identify().name, added) == ("e(2)", 1)
    found = algebra.identify()
    assert found.name == "e(2)"
    assert found.repair is not None and "1 generator" in found.repair


def test_missing_generators_under_noise():
    rng = np.random.default_rng(5)
    for eps in (1e-4, 1e-2):
        ambient, rows = span(known.so(4)[[0, 1, 2]], False)
        found = LieAlgebra(ambient, noisy(rng, rows, eps)).identify(eps)
        assert found.name == "so(4)"
        assert found.repair is not None and "generated" in found.repair


@pytest.mark.parametrize("matrices", [known.so(3), known.iso(2)])
def test_b2_spurious_directions(matrices):
    rng = np.random.default_rng(6)
    for _ in range(3):
        true = conjugated(rng, matrices)
        ambient, rows = span(mixed(rng, np.concatenate([true, rng.standard_normal((2, 3, 3))])), False)
        inside = LieAlgebra(ambient, rows).largest_closed_subalgebra()
        truth = orthonormal(ambient.coordinates(true))
        assert inside.dim == 3
        assert np.linalg.norm(truth - truth @ inside.vectors.T @ inside.vectors) < 1e-5
        assert inside.identify().dim == 3


def test_closed_input_is_its_own_closed_part():
    algebra = LieAlgebra.from_matrices(known.iso(3))
    assert algebra.largest_closed_subalgebra().dim == 6
    assert algebra.generated()[1] == 0
    assert algebra.closure_defect < 1e-15
    assert algebra.nearest_closed().dim == 6


def test_unbounded_generation_is_refused():
    algebra = LieAlgebra.from_fields(*known.fields_from_text("dx; x^3*dx", "x"))
    with pytest.raises(UndecidedError, match="keep producing"):
        algebra.generated()


def test_generation_raises_the_degree_of_fields():
    algebra = LieAlgebra.from_fields(*known.fields_from_text("dx; x^2*dx", "x"))
    whole, added = algebra.generated()
    assert (whole.dim, added, whole.identify().name) == (3, 1, "sl(2,R)")


@pytest.mark.parametrize("matrices", [known.so(3, 1), known.iso(3), known.semi(known.sl(2))])
def test_jacobi_closing_of_abstract_constants(matrices):
    rng = np.random.default_rng(7)
    c = LieAlgebra(*span(matrices, False)).structure_constants
    e = rng.standard_normal(c.shape)
    closed = close_constants(c + 0.03 * (e - np.swapaxes(e, 0, 1)) / np.linalg.norm(e))
    assert jacobi_defect(closed) < 1e-12


def test_b9_abelian_has_no_division_by_zero():
    rng = np.random.default_rng(8)
    ambient, rows = span(known.translations(3), True)
    with np.errstate(divide="raise", invalid="raise"):
        assert LieAlgebra(ambient, rows).identify().name == "R^3"
        assert LieAlgebra(ambient, noisy(rng, rows, 1e-3)).identify(1e-3).name == "R^3"
        assert closure_defect(ambient, rows) == 0.0


def test_defect_is_a_fraction_of_the_noise():
    rng = np.random.default_rng(9)
    for eps in (1e-4, 1e-2):
        defects = []
        for _ in range(8):
            ambient, truth = span(conjugated(rng, known.so(4)), False)
            defects.append(closure_defect(ambient, noisy(rng, truth, eps)) / eps)
        assert 0.6 < np.median(defects) < 1.1


def test_closing_ignores_the_basis():
    rng = np.random.default_rng(10)
    ambient, truth = span(conjugated(rng, known.so(3)), False)
    data = noisy(rng, truth, 1e-2)
    first = close(ambient, data).basis
    second = close(ambient, orthonormal(well_conditioned(rng, 3, 3.0) @ data)).basis
    assert np.linalg.norm(first - first @ second.T @ second) < 1e-9
