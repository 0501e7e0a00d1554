"""Readable generators: sparsest bases, rounding with its evidence, order and signs."""

from __future__ import annotations

import time
from fractions import Fraction as Q

import numpy as np
import pytest
import sympy
from scipy.linalg import block_diag, subspace_angles

from erlangen import _render
from erlangen._errors import InputError
from erlangen._exact import SignedRoot
from erlangen.algebra import catalogue
from erlangen.algebra._rounding import allowed_denominators, simplest_fractions, simplest_roots
from erlangen.algebra.exact_closure import fields_close, matrices_close
from erlangen.algebra.forms import canonical_coordinates, preserved_forms
from erlangen.algebra.readable import order_fields, readable_basis
from erlangen.linalg.polynomials import exponents


def mixed(rows, rng, noise=0.0):
    """An orthonormal basis of the row span, randomly rotated, with errors of the stated norm."""
    rng = np.random.default_rng(rng)
    p, width = rows.shape
    q = np.linalg.qr(rows.T)[0].T
    q = np.linalg.qr(rng.standard_normal((p, p)))[0] @ q
    return q + noise / np.sqrt(width) * rng.standard_normal(q.shape)


def from_text(fields, names, degree):
    """Coefficients (p, d, r) of fields typed as ``x*dy-y*dx``, read by SymPy."""
    d = len(names)
    table = exponents(d, degree)
    symbols = sympy.symbols(names)
    partials = sympy.symbols([f"d{n}" for n in names])
    out = np.zeros((len(fields), d, len(table)))
    for k, text in enumerate(fields):
        expression = sympy.expand(sympy.sympify(text, {str(s): s for s in (*symbols, *partials)}))
        for a, partial in enumerate(partials):
            for powers, value in sympy.Poly(expression.coeff(partial), *symbols).terms():
                out[k, a, np.flatnonzero((table == powers).all(axis=1))[0]] = float(value)
    return table, out


def printed(table, names, basis):
    """Lines of a readable basis in the order of a person."""
    p, d, r = len(basis), table.shape[1], table.shape[0]
    order = order_fields(table, basis.coefficients.reshape(p, d, r))
    lines = []
    for k, sign in zip(order.order, order.signs, strict=True):
        numbers = [x if sign > 0 else -x for x in basis.numbers(int(k))]
        lines.append(_render.field_text(table, [numbers[a * r : (a + 1) * r] for a in range(d)], names))
    return lines, order.kinds


WRITTEN = {
    "so(3)": (
        "xyz",
        ["x*dy-y*dx", "y*dz-z*dy", "z*dx-x*dz"],
        ["x d/dy - y d/dx", "x d/dz - z d/dx", "y d/dz - z d/dy"],
    ),
    "e(2)": ("xy", ["dx", "dy", "x*dy-y*dx"], ["x d/dy - y d/dx", "d/dx", "d/dy"]),
    "sim(2)": (
        "xy",
        ["dx", "dy", "x*dy-y*dx", "x*dx+y*dy"],
        ["x d/dy - y d/dx", "d/dx", "d/dy", "x d/dx + y d/dy"],
    ),
    "so(2,1)": (
        "txy",
        ["x*dy-y*dx", "t*dx+x*dt", "t*dy+y*dt"],
        ["x d/dy - y d/dx", "t d/dx + x d/dt", "t d/dy + y d/dt"],
    ),
    "screw": ("xyz", ["x*dy-y*dx+2/3*dz", "dx", "dy"], ["2/3 d/dz + x d/dy - y d/dx", "d/dx", "d/dy"]),
    "VI_h": ("xy", ["dx", "dy", "x*dx+0.5*y*dy"], ["d/dx", "d/dy", "2 x d/dx + y d/dy"]),
    "scaling 1:2:3": (
        "xyz",
        ["dx", "dy", "dz", "x*dx+2*y*dy+3*z*dz"],
        ["d/dx", "d/dy", "d/dz", "x d/dx + 2 y d/dy + 3 z d/dz"],
    ),
    "KdV": (
        "txu",
        ["dx", "dt", "t*dx+du", "x*dx+3*t*dt-2*u*du"],
        ["d/du + t d/dx", "3 t d/dt + x d/dx - 2 u d/du", "d/dt", "d/dx"],
    ),
    "heat": (
        "txu",
        ["dx", "dt", "u*du", "x*dx+2*t*dt", "2*t*dx-x*u*du", "4*t*x*dx+4*t**2*dt-x**2*u*du-2*t*u*du"],
        [
            "d/dt",
            "d/dx",
            "2 t d/dt + x d/dx",
            "u d/du",
            "2 t d/dx - x u d/du",
            "4 t^2 d/dt + 4 t x d/dx - 2 t u d/du - x^2 u d/du",
        ],
    ),
    "conformal plane": (
        "xy",
        ["dx", "dy", "x*dy-y*dx", "x*dx+y*dy", "x**2*dx-y**2*dx+2*x*y*dy", "y**2*dy-x**2*dy+2*x*y*dx"],
        [
            "x d/dy - y d/dx",
            "d/dx",
            "d/dy",
            "x d/dx + y d/dy",
            "x^2 d/dx + 2 x y d/dy - y^2 d/dx",
            "x^2 d/dy - 2 x y d/dx - y^2 d/dy",
        ],
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("noise", [None, 1e-4])
def test_fields_are_printed_as_a_person_writes_them(name, noise):
    names, typed, expected = WRITTEN[name]
    table, fields = from_text(typed, list(names), 3 if name == "heat" else 2)
    given = mixed(fields.reshape(len(fields), -1), rng=1, noise=noise or 0.0)
    basis = readable_basis(given, noise, closes=fields_close(table))
    assert basis.snapped, basis.reason
    assert printed(table, list(names), basis)[0] == expected


FAMILIES = [catalogue.so(5), catalogue.so(3, 1), catalogue.sl(3), catalogue.su(3), catalogue.u(2), catalogue.sp(4)]
FAMILIES += [catalogue.iso(3, 1), catalogue.galilei(3), catalogue.heisenberg(2), catalogue.gl(4), catalogue.sim(3)]


@pytest.mark.parametrize("algebra", FAMILIES, ids=lambda a: a.name)
@pytest.mark.parametrize("noise", [None, 1e-3, 1e-2, 1e-1])
def test_the_catalogue_comes_back_exactly(algebra, noise):
    rows = algebra.matrices.reshape(len(algebra), -1)
    given = mixed(rows, rng=2, noise=noise or 0.0)
    basis = readable_basis(given, noise, closes=matrices_close(algebra.size))
    assert basis.snapped, basis.reason
    assert subspace_angles(basis.coefficients.T, rows.T).max() < 1e-12
    assert (basis.coefficients != 0).sum() <= (rows != 0).sum()
    assert set(np.unique(basis.coefficients)) <= {-1.0, 0.0, 1.0}
    assert basis.angle == pytest.approx(subspace_angles(basis.coefficients.T, given.T).max(), abs=1e-7)
    unrounded = basis.transform @ given
    assert np.abs(unrounded - basis.coefficients).max() < 1e-12 + 10 * (noise or 0.0)


@pytest.mark.parametrize("seed", range(6))
def test_a_planted_sparse_basis_is_recovered(seed):
    rng = np.random.default_rng(seed)
    planted = np.zeros((6, 30))
    for row in planted:
        row[rng.choice(30, 3, replace=False)] = rng.choice([-1, 1], 3) * rng.uniform(0.5, 2, 3)
    basis = readable_basis(mixed(planted, rng=seed))
    # Two planted rows that share coordinates may combine to others that are as sparse: count entries.
    assert (basis.coefficients != 0).sum() <= (planted != 0).sum()
    assert subspace_angles(basis.coefficients.T, planted.T).max() < 1e-9
    assert not basis.snapped


def test_roots_are_recognised():
    j = np.array([[0.0, -1.0], [1.0, 0.0]])
    torus = block_diag(j, np.sqrt(2) * j).reshape(1, -1)
    basis = readable_basis(torus / 7.3, noise=1e-6)
    assert basis.snapped
    values = [abs(float(x)) for x in basis.exact[0] if x]
    assert values == pytest.approx([1, 1, np.sqrt(2), np.sqrt(2)])
    assert {type(x) for x in basis.exact[0] if x} == {Q, SignedRoot}
    spin_two = np.array([[1, 0, np.sqrt(3), 0], [0, 1, 0, -np.sqrt(3) / 2]])
    assert str(readable_basis(mixed(spin_two, 3), noise=1e-9).exact[1][3]) in {"-sqrt(3)/2", "-2*sqrt(3)/3"}


@pytest.mark.parametrize("noise", [1e-9, 1e-4])
def test_a_parameter_that_is_no_small_number_stays_a_float(noise):
    pitch = 0.7390851332
    table, fields = from_text(["dx", "dy", f"x*dx+{pitch}*y*dy"], ["x", "y"], 1)
    basis = readable_basis(mixed(fields.reshape(3, -1), 4, noise), noise)
    assert not basis.snapped
    assert "1 numbers stay floats" in basis.reason
    lines, kinds = printed(table, ["x", "y"], basis)
    assert lines[:2] == ["d/dx", "d/dy"]
    assert lines[2].startswith("x d/dx + 0.739")
    assert kinds == ("translation", "translation", "dilation")
    value = next(
        float(basis.coefficients[k, j]) for k, row in enumerate(basis.terms) for j, x in row.items() if x is None
    )
    assert abs(value - pitch) < max(5 * noise, 1e-10)


def test_a_fraction_is_evidence_only_where_chance_would_not_give_it():
    assert allowed_denominators(np.array([1e-6, 0.0029, 0.03, 0.3, 0.5])).tolist() == [12, 11, 3, 1, 0]
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 4000)
    for tolerance in (1e-3, 1e-2, 5e-2):
        hits = np.mean([f is not None for f in simplest_fractions(x, tolerance)])
        assert hits <= 0.26
    assert simplest_fractions(np.array([0.6667, -2.0001, 5 / 13]), 2e-4) == [Q(2, 3), Q(-2), None]
    assert simplest_roots(np.array([-0.70711, 1.7]), 1e-4) == [SignedRoot(Q(-1, 2)), None]


def test_rounding_stays_within_the_noise_of_the_whole_row():
    # Each small entry alone could be noise; all ten together are not.
    noise = 1e-3
    row = np.array([[1.0, *[2.5 * noise] * 10]])
    basis = readable_basis(row, noise)
    assert not basis.snapped
    assert basis.angle < noise
    assert readable_basis(np.array([[1.0, *[0.5 * noise] * 10]]), noise).snapped


def test_numbers_that_do_not_close_exactly_are_not_believed():
    rows = mixed(catalogue.so(3).matrices.reshape(3, -1), 0)
    asked = []
    refused = readable_basis(rows, closes=lambda exact: bool(asked.append(exact)))
    assert len(asked) == 1
    assert not refused.snapped
    assert all(value is None for row in refused.terms for value in row.values())
    assert "do not close exactly" in refused.reason
    assert refused.coefficients == pytest.approx(readable_basis(rows).coefficients)


def test_exact_closure_of_matrices():
    def exact(matrices):
        return [[Q(int(x)) for x in m.ravel()] for m in matrices]

    for algebra in (catalogue.so(4), catalogue.su(3), catalogue.aff(3), catalogue.galilei(2)):
        assert matrices_close(algebra.size)(exact(algebra.matrices))
        assert not matrices_close(algebra.size)(exact(algebra.matrices[[0, -1, 2]]))
    root = SignedRoot(Q(2))
    half = SignedRoot(Q(1, 2))
    # sqrt(2) E12 and E21 / sqrt(2): their bracket is E11 - E22.
    assert matrices_close(2)([[0, root, 0, 0], [0, 0, half, 0], [1, 0, 0, -1]])
    assert not matrices_close(2)([[0, root, 0, 0], [0, 0, half, 0], [1, 0, 0, root]])
    # Rotations in coordinates scaled by 1, sqrt(2), sqrt(3): sqrt(2) sqrt(3) = sqrt(6) between separate numbers.
    squares, scaled = [1, 2, 3], []
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        row = [Q(0)] * 9
        row[3 * j + i], row[3 * i + j] = SignedRoot(Q(squares[j], squares[i])), SignedRoot(-Q(squares[i], squares[j]))
        scaled.append(row)
    assert matrices_close(3)(scaled)
    scaled[0][3] = SignedRoot(Q(5))
    assert not matrices_close(3)(scaled)
    assert matrices_close(2)([])


def test_exact_closure_of_fields():
    for names, typed, _ in WRITTEN.values():
        table, fields = from_text(typed, list(names), 3)
        rows = [[Q(x).limit_denominator(50) for x in row] for row in fields.reshape(len(fields), -1)]
        assert fields_close(table)(rows)
        spoiled = [list(row) for row in rows]
        spoiled[-1][1] += Q(1, 7)
        spoiled[-1][-1] += Q(1, 7)
        assert not fields_close(table)(spoiled)


def test_canonical_coordinates_make_a_conjugated_lorentz_algebra_readable():
    rng = np.random.default_rng(5)
    s = rng.standard_normal((4, 4))
    matrices = s @ catalogue.so(1, 3).matrices @ np.linalg.inv(s)
    units = canonical_coordinates(preserved_forms(matrices).forms[0])
    moved = units @ matrices @ np.linalg.inv(units)
    basis = readable_basis(moved.reshape(6, -1), noise=1e-10, closes=matrices_close(4))
    assert basis.snapped
    assert set(np.unique(basis.coefficients)) == {-1.0, 0.0, 1.0}


def test_scale_of_the_given_rows_does_not_matter():
    rows = mixed(catalogue.e(3).matrices.reshape(6, -1), 7)
    one, other = readable_basis(rows), readable_basis(rows * 10.0 ** np.arange(-3, 3)[:, None])
    assert np.array_equal(one.coefficients, other.coefficients)


@pytest.mark.parametrize(
    "bad", [np.ones(4), np.ones((2, 4)), np.ones((3, 2)), np.array([[1.0, np.nan]]), np.zeros((1, 3))]
)
def test_what_is_no_basis_is_refused(bad):
    with pytest.raises(InputError, match="linearly independent"):
        readable_basis(bad)


def test_no_generators_give_no_lines():
    basis = readable_basis(np.zeros((0, 9)))
    assert len(basis) == 0
    assert basis.snapped
    assert basis.exact == []


def test_order_names_the_kinds():
    table, fields = from_text(
        ["x*dx+y*dy+t*dt", "dt", "x**2*dx", "t*dx", "-t*dx-x*dt", "y*dx-x*dy", "x*dx-y*dy"], ["t", "x", "y"], 2
    )
    order = order_fields(table, fields)
    assert order.kinds == ("rotation", "boost", "linear", "linear", "translation", "dilation", "higher degree")
    assert order.order.tolist() == [5, 4, 3, 6, 1, 0, 2]
    assert order.signs.tolist() == [-1, -1, 1, 1, 1, 1, 1]
    assert np.array_equal(order.apply(fields)[0], -fields[5])


def test_large_bases_are_fast():
    dense = np.random.default_rng(0).standard_normal((20, 100))
    lines = mixed(catalogue.so(10).matrices.reshape(45, -1), 0, 1e-3)
    many = mixed(np.pad(catalogue.so(32).matrices, ((0, 0), (0, 0), (0, 1))).reshape(496, -1), 0, 1e-3)
    start = time.process_time()
    assert readable_basis(lines, 1e-3).snapped
    assert time.process_time() - start < 1
    start = time.process_time()
    assert readable_basis(many, 1e-3).snapped
    assert not readable_basis(dense, 1e-3).snapped
    assert time.process_time() - start < 4
