"""Monomial tables: values, derivatives and collection against plain powers and SymPy."""

import numpy as np
import pytest
import sympy

from erlangen.linalg.polynomials import (
    collect,
    exponents,
    monomial_gradients,
    monomials,
    polynomial_jacobian,
    row_index,
)

TABLES = {
    "full": exponents(3, 4),
    "without constant": exponents(2, 3, lowest=1),
    "sparse": np.array([[3, 0, 1], [0, 0, 0], [0, 2, 2]]),
    "one variable": exponents(1, 5),
    "repeated": np.array([[1, 0], [1, 0]]),
}


@pytest.mark.parametrize("name", TABLES)
def test_values_are_products_of_powers(name):
    table = TABLES[name]
    x = np.random.default_rng(0).normal(size=(9, table.shape[1]))
    assert np.allclose(monomials(x, table), np.prod(x[:, None, :] ** table[None], axis=2), rtol=1e-13)
    z = x[:4] + 1j * x[4:8]
    assert np.allclose(monomials(z, table), np.prod(z[:, None, :] ** table[None], axis=2), rtol=1e-13)


@pytest.mark.parametrize("name", TABLES)
def test_jacobians_agree_with_gradients_of_monomials_and_with_sympy(name):
    table = TABLES[name]
    d = table.shape[1]
    x = np.random.default_rng(1).normal(size=(5, d))
    c = np.random.default_rng(2).normal(size=(2, len(table)))
    found = polynomial_jacobian(x, table, c)
    if name != "repeated":
        assert np.allclose(found, np.einsum("cr,nrd->ncd", c, monomial_gradients(x, table)), rtol=1e-12)
    s = sympy.symbols(f"x:{d}")
    for channel in range(2):
        f = sum(float(v) * sympy.prod(a ** int(e) for a, e in zip(s, row)) for v, row in zip(c[channel], table))
        for j in range(d):
            exact = sympy.lambdify(s, sympy.diff(f, s[j]))(*x.T) * np.ones(len(x))
            assert np.allclose(found[:, channel, j], exact, rtol=1e-10, atol=1e-10)


def test_tables_are_graded_and_collect_sorts_them():
    table = exponents(3, 3)
    assert len(table) == 20 and np.all(np.diff(table.sum(axis=1)) >= 0)
    shuffled = np.random.default_rng(3).permutation(np.vstack([table, table]))
    again, counts = collect(shuffled, np.ones((1, 40)))
    assert np.array_equal(again, table) and np.all(counts == 2)
    assert row_index(table)[(1, 1, 1)] == int(np.flatnonzero((table == 1).all(axis=1))[0])
