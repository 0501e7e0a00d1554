"""Ideals and invariants against tabulated numbers, SymPy and laws."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from cases import CASES, mixed, well_conditioned

from erlangen.algebra import LieAlgebra, known
from erlangen.algebra.ambient import PolynomialAmbient
from erlangen.algebra.closure import constants_in
from erlangen.algebra.mixed import module_of
from erlangen.algebra.repair import orthonormal
from erlangen.algebra.structure import anatomy, derivation_dim, killing_form

TOL = 1e-8


def constants(algebra: LieAlgebra) -> np.ndarray:
    return constants_in(algebra.ambient, orthonormal(algebra.vectors))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_invariants_of_known_algebras(case):
    parts = anatomy(constants(case.algebra()), TOL)
    assert parts.derived_dims == case.derived
    assert parts.centre.shape[1] == case.centre
    assert (parts.radical.shape[1], parts.nilradical.shape[1]) == (case.radical, case.nilradical)
    assert parts.signature == case.killing
    assert parts.index == case.index
    assert module_of(parts).key == case.module


@pytest.mark.parametrize("number", [3, 9, 12, 17, 20, 22, 30, 38])
def test_derived_series_and_killing_rank_against_sympy(number):
    """Exact ranks over the rationals: no tolerance begs the question."""
    c = np.round(CASES[number - 1].algebra().structure_constants * 12)
    assert np.allclose(c / 12, CASES[number - 1].algebra().structure_constants)
    p = len(c)
    exact = [[[sympy.Rational(int(c[i, j, k]), 12) for k in range(p)] for j in range(p)] for i in range(p)]
    span, dims = [list(row) for row in sympy.eye(p).tolist()], [p]
    while True:
        rows = [
            [sum(x[i] * y[j] * exact[i][j][k] for i in range(p) for j in range(p)) for k in range(p)]
            for x in span
            for y in span
        ]
        span = [list(row) for row in sympy.Matrix(rows).rowspace()]
        if len(span) == dims[-1]:
            break
        dims.append(len(span))
        if not span:
            break
    ad = [sympy.Matrix(p, p, lambda k, j, i=i: exact[i][j][k]) for i in range(p)]
    killing = sympy.Matrix(p, p, lambda i, j: (ad[i] * ad[j]).trace())
    parts = anatomy(constants(CASES[number - 1].algebra()), TOL)
    assert parts.derived_dims == tuple(dims)
    assert sum(parts.signature) == killing.rank()


def test_bracket_of_fields_against_sympy():
    rng = np.random.default_rng(0)
    x, y = symbols = sympy.symbols("x y")
    exponents = np.array([[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]])
    fields = rng.integers(-3, 4, (2, 2, 6)).astype(float)
    algebra = LieAlgebra.from_fields(exponents, fields)
    table = algebra.ambient.brackets(algebra.vectors, algebra.vectors)[0, 1]
    monomials = [x ** int(a) * y ** int(b) for a, b in exponents]
    first, second = ([sum(int(f[a, r]) * m for r, m in enumerate(monomials)) for a in (0, 1)] for f in fields)
    assert isinstance(algebra.ambient, PolynomialAmbient)
    out = algebra.ambient.out_exponents
    for a in (0, 1):
        oracle = sum(
            first[b] * sympy.diff(second[a], symbols[b]) - second[b] * sympy.diff(first[a], symbols[b]) for b in (0, 1)
        )
        inside = table[:12].reshape(2, 6)[a]
        outside = table[12:].reshape(2, -1)[a]
        ours = sum(v * x ** int(e[0]) * y ** int(e[1]) for v, e in zip([*inside, *outside], out, strict=True))
        assert sympy.expand(sympy.nsimplify(ours) - oracle) == 0


def test_linear_fields_and_matrices_have_opposite_brackets():
    a, b = known.so(3)[:2]
    exponents = np.eye(3, dtype=int)
    fields = LieAlgebra.from_fields(exponents, known.so(3))
    matrices = LieAlgebra.from_matrices(known.so(3))
    assert np.allclose(fields.structure_constants, -matrices.structure_constants)
    assert np.allclose(matrices.bracket([1, 0, 0], [0, 1, 0]) @ known.so(3).reshape(3, -1), (a @ b - b @ a).ravel())


@pytest.mark.parametrize("number", [14, 20, 31, 44])
def test_structure_constants_transform_as_a_tensor(number):
    algebra = CASES[number - 1].algebra()
    t = well_conditioned(np.random.default_rng(number), algebra.dim, 2.7)
    moved = LieAlgebra(algebra.ambient, t @ algebra.vectors)
    expected = np.einsum("ai,bj,ijk,kc->abc", t, t, algebra.structure_constants, np.linalg.inv(t))
    assert np.allclose(moved.structure_constants, expected)
    assert np.allclose(moved.killing_form, t @ algebra.killing_form @ t.T)


def test_killing_form_is_invariant():
    c = LieAlgebra.from_matrices(known.so(3, 1)).structure_constants
    k = killing_form(c)
    left = np.einsum("ijl,lk->ijk", c, k)
    assert np.allclose(left, -np.einsum("ikl,jl->ijk", c, k))


@pytest.mark.parametrize(
    ("matrices", "expected"),
    [
        (known.translations(3), 9),
        (known.heisenberg(1), 6),
        (known.so(3), 3),
        (known.iso(2), 4),
        (known.sl(3), 8),
        (known.iso(3), 7),
    ],
)
def test_derivation_dimensions(matrices, expected):
    assert derivation_dim(constants(LieAlgebra.from_matrices(matrices)), TOL) == expected


def test_ideals_are_ideals_in_a_random_basis():
    matrices = mixed(np.random.default_rng(3), known.bargmann(3))
    parts = anatomy(constants(LieAlgebra.from_matrices(matrices)), TOL)
    for ideal in (*parts.derived, parts.centre, parts.radical, parts.nilradical, parts.image, *parts.nil_series):
        moved = np.einsum("ijk,ja->iak", parts.constants, ideal)
        assert np.abs(moved - moved @ ideal @ ideal.T).max(initial=0.0) < 1e-12


@pytest.mark.parametrize("split", [False, True])
def test_octonions_are_alternative_and_composed(split):
    m = known._octonions(split)
    x, y = np.random.default_rng(4).standard_normal((2, 8))
    signs = np.array([1.0] * 4 + ([-1.0] if split else [1.0]) * 4)

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.einsum("i,j,ijk->k", a, b, m)

    def norm(a: np.ndarray) -> float:
        return float((signs * a * a).sum())

    assert np.allclose(product(product(x, x), y), product(x, product(x, y)))
    assert np.isclose(norm(product(x, y)), norm(x) * norm(y))
