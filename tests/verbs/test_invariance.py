"""Nothing that discovery says depends on units, on the origin, or on how close a near symmetry comes."""

import numpy as np
import pytest

import erlangen as er
from erlangen.actions import affine, gl
from erlangen.fields import PolynomialField
from erlangen.linalg.polynomials import exponents


@pytest.mark.parametrize("units", [[1, 1, 1], [1, 10, 1], [1, 100, 0.01]])
def test_units_of_noisy_tables_do_not_matter(units):
    x = np.random.default_rng(0).uniform(-1, 1, (1500, 3))
    y = (x**2).sum(axis=1) + 0.02 * np.random.default_rng(1).normal(size=1500)
    sym = er.discover((x * units, y), affine(3))
    assert (sym.dim, sym.name) == (3, "so(3)")
    assert not sym.refused


@pytest.mark.parametrize("s", [1e2, 1e4, 1e6])
def test_units_of_exact_functions_do_not_matter(s):
    stretch = np.array([s, 1, 1 / s])

    def value(x):
        return ((x * stretch) ** 2).sum(axis=1)

    sym = er.discover(value, affine(3), er.Samples.box(-1 / stretch, 1 / stretch))
    assert (sym.dim, sym.name) == (3, "so(3)")
    moves = sym.sample(3)
    x = er.Samples.box(-1 / stretch, 1 / stretch, n=50).points
    assert max(np.abs(value(moves(k, x)) - value(x)).max() for k in range(3)) < 1e-12


@pytest.mark.parametrize("c", [30.0, 100.0, 1e4])
def test_the_origin_does_not_matter(c):
    sym = er.discover(lambda x: ((x - c) ** 2).sum(axis=1), affine(3), er.Samples.box(c - 1, c + 1, dim=3))
    assert (sym.dim, sym.name) == (3, "so(3)")
    assert sym.texts[0] == f"{c:.10g} d/dx - {c:.10g} d/dy + x d/dy - y d/dx"


@pytest.mark.parametrize("c", [10.0, 1000.0])
def test_the_origin_of_a_noisy_table_does_not_matter(c):
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (2000, 3))
    y = (x**2).sum(axis=1) + 0.02 * rng.normal(size=2000)
    sym = er.discover((x + c, y), affine(3))
    assert (sym.dim, sym.name) == (3, "so(3)")


@pytest.mark.parametrize("seed", range(19, 40))
def test_an_exact_symmetry_is_not_mixed_with_a_near_one(seed):
    """A random quadratic with a linear part has an exact generator; others may come close to the threshold."""
    rng = np.random.default_rng(seed)
    table = exponents(3, 2, lowest=1)
    field = PolynomialField(table, rng.normal(size=(1, len(table))))
    sym = er.discover(field, gl(3), er.Samples.box(-1, 1, dim=3, n=512))
    assert sym.spectrum[0] < 1e-13
    assert sym.dim and sym.defects.min() < 1e-12
    assert np.all(sym.defects <= max(2 * sym.spectrum[sym.decision.dim - 1], 1e-12))
