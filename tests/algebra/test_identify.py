"""Names: known answers in any basis, realisations of the simple algebras, and names under noise."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES, CONTRACTIONS, block, conjugated, extended, mixed, well_conditioned

from erlangen._errors import InputError, UndecidedError
from erlangen.algebra import LieAlgebra, identify, known, structure_of
from erlangen.algebra.ambient import MatrixAmbient
from erlangen.algebra.closure import constants_in
from erlangen.algebra.repair import orthonormal
from erlangen.algebra.semisimple import simple_factors
from erlangen.algebra.solvable import number
from erlangen.algebra.structure import anatomy


def facts(found) -> tuple:
    """Everything that no change of basis may alter."""
    ideals = (found.centre_dim, found.radical_dim, found.nilradical_dim)
    return (found.name, found.derived_series, ideals, found.killing_signature, found.index)


def expected(case) -> tuple:
    ideals = (case.centre, case.radical, case.nilradical)
    return (case.name, case.derived, ideals, case.killing, case.index)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_known_algebras(case):
    found = case.algebra().identify()
    assert facts(found) == expected(case)
    assert found.repair is None and found.margin > 100 and found.certificate
    assert found.basis.shape == case.algebra().basis.shape


@pytest.mark.parametrize("case", CASES, ids=str)
def test_known_algebras_in_another_basis(case):
    rng = np.random.default_rng(case.number)
    algebra = case.algebra()
    turned = LieAlgebra(algebra.ambient, mixed(rng, algebra.vectors))
    assert facts(turned.identify()) == expected(case)
    assert facts(structure_of(turned.structure_constants)) == expected(case)
    matrices = case.matrices()
    if matrices is not None:
        assert facts(identify(mixed(rng, conjugated(rng, matrices)))) == expected(case)


# (builder arguments, canonical name, a name it must also answer to, rank, centroid dimension, Killing signature)
SIMPLE = [
    (known.so(3), "so(3)", "sp(1)", 1, 1, (0, 3)),
    (known.su(2), "so(3)", "su(2)", 1, 1, (0, 3)),
    (known.sp(1), "so(3)", "su(2)", 1, 1, (0, 3)),
    (known.su_star(1), "so(3)", "su*(2)", 1, 1, (0, 3)),
    (known.sl(2), "sl(2,R)", "so(2,1)", 1, 1, (2, 1)),
    (known.so(2, 1), "sl(2,R)", "su(1,1)", 1, 1, (2, 1)),
    (known.su(1, 1), "sl(2,R)", "sp(2,R)", 1, 1, (2, 1)),
    (known.sp_real(1), "sl(2,R)", "so(2,1)", 1, 1, (2, 1)),
    (known.sl_complex(2), "so(3,1)", "sl(2,C)", 2, 2, (3, 3)),
    (known.so(3, 1), "so(3,1)", "so(3,C)", 2, 2, (3, 3)),
    (known.so_complex(3), "so(3,1)", "sp(2,C)", 2, 2, (3, 3)),
    (known.sp_complex(1), "so(3,1)", "sl(2,C)", 2, 2, (3, 3)),
    (known.su(3), "su(3)", "su(3)", 2, 1, (0, 8)),
    (known.su(2, 1), "su(2,1)", "su(2,1)", 2, 1, (4, 4)),
    (known.sl(3), "sl(3,R)", "sl(3,R)", 2, 1, (5, 3)),
    (known.so(5), "so(5)", "sp(2)", 2, 1, (0, 10)),
    (known.sp(2), "so(5)", "sp(2)", 2, 1, (0, 10)),
    (known.so(4, 1), "so(4,1)", "sp(1,1)", 2, 1, (4, 6)),
    (known.sp(1, 1), "so(4,1)", "sp(1,1)", 2, 1, (4, 6)),
    (known.so(3, 2), "so(3,2)", "sp(4,R)", 2, 1, (6, 4)),
    (known.sp_real(2), "so(3,2)", "sp(4,R)", 2, 1, (6, 4)),
    (known.g2(), "g2", "g2", 2, 1, (0, 14)),
    (known.g2(split=True), "g2(2)", "g2(2)", 2, 1, (8, 6)),
    (known.so(6), "so(6)", "su(4)", 3, 1, (0, 15)),
    (known.su(4), "so(6)", "su(4)", 3, 1, (0, 15)),
    (known.so(5, 1), "so(5,1)", "su*(4)", 3, 1, (5, 10)),
    (known.su_star(2), "so(5,1)", "sl(2,H)", 3, 1, (5, 10)),
    (known.su(3, 1), "su(3,1)", "so*(6)", 3, 1, (6, 9)),
    (known.so_star(3), "su(3,1)", "so*(6)", 3, 1, (6, 9)),
    (known.so(4, 2), "so(4,2)", "su(2,2)", 3, 1, (8, 7)),
    (known.su(2, 2), "so(4,2)", "su(2,2)", 3, 1, (8, 7)),
    (known.sl(4), "sl(4,R)", "so(3,3)", 3, 1, (9, 6)),
    (known.so(3, 3), "sl(4,R)", "so(3,3)", 3, 1, (9, 6)),
]


@pytest.mark.parametrize(("matrices", "name", "also", "rank", "centroid", "killing"), SIMPLE)
def test_realisations_of_simple_algebras(matrices, name, also, rank, centroid, killing):
    found = identify(mixed(np.random.default_rng(1), matrices))
    assert found.name == name
    assert also in (found.name, *found.aliases)
    assert found.killing_signature == killing
    ambient = MatrixAmbient.square(matrices.shape[1])
    q = orthonormal(ambient.coordinates(matrices))
    (factor,) = simple_factors(anatomy(constants_in(ambient, q), 1e-8).levi_constants, 1e-8)
    assert factor.complex_type == (centroid == 2)
    assert factor.rank * (2 if factor.complex_type else 1) == rank == found.index


def plane() -> np.ndarray:
    """R^2 as two commuting matrices."""
    return block(known.one(1), known.one(1))


@pytest.mark.parametrize(
    ("matrices", "name"),
    [
        (block(known.so(3), known.sl(3)), "sl(3,R)+so(3)"),
        (block(known.so(3), known.so(3), known.so(3)), "so(3)+so(3)+so(3)"),
        (block(known.so(4), known.one(1)), "so(4)+R"),
        (block(known.iso(3), known.so(2)), "e(3)+R"),
        (block(known.heisenberg(1), known.sl(2)), "sl(2,R)+h(3)"),
        (block(known.iso(2), known.iso(2)), "e(2)+e(2)"),
        (block(known.so(3), known.one(1), known.one(1)), "so(3)+R^2"),
        (block(known.heisenberg(1), known.one(1)), "h(3)+R"),
        (known.u(3), "u(3)"),
        (block(known.sl_complex(3), plane()), "gl(3,C)"),
        (block(plane(), known.sl_complex(2)), "gl(2,C)"),
        (block(known.one(1), known.so(3), known.sl(2), known.so(3)), "so(3)+so(3)+sl(2,R)+R"),
        (block(known.so(3), known.so(3, 1), known.iso(3)), "so(3,1)+so(3)+e(3)"),
        (known.gl(3), "gl(3)"),
        (known.so_complex(4), "so(4,C)"),
        (known.semi(known.sl(3)), "saff(3)"),
        (known.engel(), "n4"),
        (known.triangular(3), "t(3)"),
        (known.jacobi(2), "jacobi(2)"),
        (known.semi(np.kron(np.eye(2), known.so(3))), "so(3) ⋉ (R^3 + R^3)"),
        (known.semi(known.su(2)), "so(3) ⋉ R^4"),
    ],
)
def test_sums_and_families(matrices, name):
    assert identify(mixed(np.random.default_rng(2), matrices)).name == name


@pytest.mark.parametrize(
    ("matrices", "name"),
    [
        (known.so(12), "so(12)"),
        (known.sl(8), "sl(8,R)"),
        (known.gl(9), "gl(9)"),
        (known.semi(known.gl(7)), "aff(7)"),
        (known.sp_real(5), "sp(10,R)"),
        (known.iso(9), "e(9)"),
        (known.su(6), "su(6)"),
    ],
)
def test_large_classical_algebras(matrices, name):
    assert identify(matrices).name == name


def test_beyond_the_limit_generators_are_counted():
    found = identify(known.so(20))
    assert (found.name, found.dim) == ("dim 190", 190)
    assert "10 independent directions commute" in found.reason


@pytest.mark.parametrize(
    ("weights", "text"),
    [((2, -3, 5), "-3 : 2 : 5"), ((1, 1, 1), "1 : 1 : 1"), ((0.5, 1, 1.5), "1 : 2 : 3")],
)
def test_weights_of_almost_abelian_algebras(weights, text):
    dilation = np.zeros((1, 4, 4))
    dilation[0, [0, 1, 2], [0, 1, 2]] = weights
    found = identify(np.concatenate([known.translations(3), dilation]))
    assert found.name == f"R ⋉ R^3, weights {text}"


def test_spirals_and_jordan_blocks_are_told_apart():
    outer = np.zeros((2, 4, 4))
    outer[0, :3, :3] = [[1, -1, 0], [1, 1, 0], [0, 0, 2]]
    outer[1, :3, :3] = [[1, 1, 0], [0, 1, 0], [0, 0, 2]]
    names = [identify(np.concatenate([known.translations(3), a[None]])).name for a in outer]
    assert names == ["R ⋉ R^3, weights 1±i : 2", "R ⋉ R^3, weights 1 (block 2) : 2"]


def test_an_algebra_outside_the_catalogue_is_described_and_not_named():
    """Two outer directions on R^4 with unrelated weights: nothing in the catalogue has that shape."""
    outer = np.zeros((2, 5, 5))
    outer[0, range(4), range(4)] = (1, 1, 2, 3)
    outer[1, range(4), range(4)] = (1, -1, 0.5, 2)
    name = identify(np.concatenate([known.translations(4), outer])).name
    assert name.startswith("dim 6; solvable; derived series 6, 4, 0")


def test_trivial_and_one_dimensional():
    empty = LieAlgebra.from_matrices(np.zeros((0, 3, 3))).identify()
    assert (empty.name, empty.dim, empty.basis.shape) == ("0", 0, (0, 3, 3))
    assert identify(known.so(2)).name == "R"


def test_unitary_name_is_displayed_only_for_a_complex_structure():
    found = identify(known.u(2))
    assert (found.name, found.display(complex_structure=True)) == ("so(3)+R", "u(2)")
    assert found.display(complex_structure=False) == "so(3)+R"
    assert identify(known.so(4)).display(complex_structure=True) == "so(4)"


def test_printed_block_holds_the_name_and_the_alternatives():
    ambient, rows = span(known.iso(2), affine=False)
    text = str(LieAlgebra(ambient, noisy(np.random.default_rng(0), rows, 1e-2)).identify(1e-2))
    assert text.startswith("e(2)") and "chi2" in text and "accepted" in text


def span(matrices: np.ndarray, affine: bool) -> tuple[MatrixAmbient, np.ndarray]:
    k = matrices.shape[1]
    ambient = MatrixAmbient.affine(k - 1) if affine else MatrixAmbient.square(k)
    return ambient, orthonormal(ambient.coordinates(matrices))


def noisy(rng: np.random.Generator, rows: np.ndarray, eps: float) -> np.ndarray:
    turned = np.linalg.qr(rng.standard_normal((len(rows), len(rows))))[0] @ rows
    return turned + rng.standard_normal(rows.shape) * eps / np.sqrt(rows.shape[1])


def test_b3_so4_under_large_noise():
    moved, right, ratios = [], 0, []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        ambient, rows = span(conjugated(rng, known.so(4)), affine=False)
        found = LieAlgebra(ambient, noisy(rng, rows, 0.1)).identify(0.1)
        right += found.name == "so(4)"
        row = found.alternatives[0]
        assert row.dof == 51
        moved.append(row.rms / 0.1)
        ratios.append(row.chi2)
    assert right == 8
    assert 0.7 <= np.mean(moved) <= 0.9
    assert abs(np.mean(ratios) - 51) < 3 * np.sqrt(2 * 51 / 8)


def test_b4_contraction_is_listed_beside_the_answer():
    listed = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        ambient, rows = span(conjugated(rng, known.iso(2), 2.0), affine=False)
        found = LieAlgebra(ambient, noisy(rng, rows, 1e-2)).identify(1e-2)
        assert found.name == "e(2)"
        accepted = {row.name.split(",")[0] for row in found.alternatives if row.accepted}
        listed += bool(accepted & {"so(3)", "sl(2,R)", "VII_h"})
    assert listed >= 5


@pytest.mark.parametrize(("units", "name"), [(5.0, "so(3)"), (0.5, "e(2)")])
def test_b5_margin_between_so3_and_e2(units, name):
    eps = 1e-2
    t = np.sqrt(units * eps)
    scale = np.diag([1.0, 1.0, 1.0 / t])
    squeezed = scale @ known.so(3) @ np.linalg.inv(scale)
    right = 0
    for seed in range(6):
        ambient, rows = span(squeezed, affine=False)
        right += LieAlgebra(ambient, noisy(np.random.default_rng(seed), rows, eps)).identify(eps).name == name
    assert right >= 5


def test_b6_names_of_equal_invariants_differ():
    rng = np.random.default_rng(6)
    assert identify(conjugated(rng, known.spin(2))).name == identify(conjugated(rng, known.so(3))).name == "so(3)"
    first, second = identify(known.iso(3, 1)), identify(known.semi(known.sl_complex(2)))
    assert facts(first)[1:] == facts(second)[1:]
    assert first.name != second.name


def test_b8_ideals_of_unrefined_so4():
    rng = np.random.default_rng(8)
    ambient, rows = span(conjugated(rng, known.so(4)), affine=False)
    q = orthonormal(noisy(rng, rows, 1e-4))
    factors = simple_factors(constants_in(ambient, q), 1.5e-4)
    assert [(f.dim, f.rank) for f in factors] == [(3, 1), (3, 1)]


@pytest.mark.parametrize("number", [11, 14, 20, 28, 30, 44])
def test_b10_units_do_not_matter(number):
    algebra = CASES[number - 1].algebra()
    rng = np.random.default_rng(number)
    sizes = np.exp(rng.uniform(np.log(1e-3), np.log(1e3), algebra.dim))
    assert LieAlgebra(algebra.ambient, sizes[:, None] * algebra.vectors).identify().name == CASES[number - 1].name
    if CASES[number - 1].matrices() is None:
        exponents, fields = known.fields_from_text(CASES[number - 1].generators, CASES[number - 1].variables)
        unit = np.array([1e3, 1.0, 1e-1])[: exponents.shape[1]]
        scaled = fields * (unit[None, :, None] / (unit**exponents).prod(axis=1)[None, None, :])
        assert LieAlgebra.from_fields(exponents, scaled).identify().name == CASES[number - 1].name


NOISY = [
    (known.iso(2), True, "e(2)"),
    (known.so(3), False, "so(3)"),
    (known.so(3, 1), False, "so(3,1)"),
    (np.concatenate([known.so(3), known.one(3)]), False, "so(3)+R"),
    (known.iso(3), True, "e(3)"),
    (known.galilei(2), True, "galilei(2)"),
    (known.heisenberg(1), False, "h(3)"),
]


@pytest.mark.parametrize("eps", [1e-6, 1e-3, 1e-2])
@pytest.mark.parametrize(("matrices", "affine", "name"), NOISY, ids=[row[2] for row in NOISY])
def test_names_under_noise(matrices, affine, name, eps):
    for seed in range(3):
        rng = np.random.default_rng([seed, len(matrices)])
        ambient, rows = span(conjugated(rng, matrices), affine)
        algebra = LieAlgebra(ambient, noisy(rng, rows, eps))
        known_noise, unknown = algebra.identify(eps), algebra.identify()
        assert known_noise.name == unknown.name == name
        assert 0.5 < unknown.noise / eps < 2.0
        q = orthonormal(known_noise.basis.reshape(len(matrices), -1))
        assert np.linalg.norm(
            rows
            - rows @ ambient.coordinates(q.reshape(matrices.shape)).T @ ambient.coordinates(q.reshape(matrices.shape))
        ) < 2 * eps * np.sqrt(len(rows))


@pytest.mark.parametrize("eps", [0.0, 1e-6, 1e-4, 1e-3])
@pytest.mark.parametrize(("matrices", "name"), CONTRACTIONS, ids=[row[1] for row in CONTRACTIONS])
def test_noise_does_not_hide_equal_weights_or_sums(matrices, name, eps):
    for seed in range(3):
        rng = np.random.default_rng([seed, len(matrices)])
        ambient, rows = span(conjugated(rng, matrices), affine=not matrices[:, -1].any())
        found = LieAlgebra(ambient, noisy(rng, rows, eps)).identify(eps or None)
        assert found.name == name
        assert not found.alternatives or (found.alternatives[0].name, found.alternatives[0].accepted) == (name, True)


def test_equal_weights_are_named_with_unknown_noise_too():
    for matrices, name in CONTRACTIONS[:2]:
        rng = np.random.default_rng(11)
        ambient, rows = span(conjugated(rng, matrices), affine=True)
        assert LieAlgebra(ambient, noisy(rng, rows, 1e-4)).identify().name == name


@pytest.mark.parametrize(("h", "eps"), [(-441.0, 1e-6), (-441.0, 1e-4), (0.25, 1e-2), (-np.pi, 1e-4)])
def test_parameters_are_printed_with_the_digits_that_the_noise_leaves(h, eps):
    ratio = (np.sqrt(abs(h)) - 1.0) / (np.sqrt(abs(h)) + 1.0)
    action = [[np.sqrt(h), -1], [1, np.sqrt(h)]] if h > 0 else np.diag([1.0, ratio])
    rng = np.random.default_rng(12)
    ambient, rows = span(conjugated(rng, extended(action)), affine=True)
    text = LieAlgebra(ambient, noisy(rng, rows, eps)).identify(eps).name.partition("h = ")[2]
    assert len(text) <= 6 and "/" not in text
    # The error of h grows with h itself: n2 n3 is what is left of nearly equal weights.
    assert abs(float(text) / h - 1.0) < 30 * eps * max(1.0, np.sqrt(abs(h))) + 5e-4


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-9.0, 0.0, "-9"),
        (-9.03, 0.02, "-9"),
        (1 / 3 + 1e-4, 1e-4, "1/3"),
        (0.2503, 2e-4, "0.25"),
        (-866660019948.5, 1e9, "-8.67e+11"),
        (np.pi, 1e-3, "3.142"),
        (3.4, 1.0, "3"),
    ],
)
def test_numbers_have_the_digits_of_their_error(value, error, text):
    assert number(value, error) == text


def test_polynomial_fields_under_noise():
    algebra = CASES[31].algebra()
    rng = np.random.default_rng(4)
    rows = noisy(rng, orthonormal(algebra.vectors), 1e-4)
    assert LieAlgebra(algebra.ambient, rows).identify(1e-4).name == "so(3,1)"


def test_understated_noise_is_said():
    rng = np.random.default_rng(5)
    ambient, rows = span(conjugated(rng, known.so(4)), affine=False)
    found = LieAlgebra(ambient, noisy(rng, rows, 1e-2)).identify(0.6e-2)
    assert found.name == "so(4)" and "less than the data show" in found.reason


def test_no_algebra_near_is_said():
    generators = np.random.default_rng(7).standard_normal((3, 4, 4))
    with pytest.raises(UndecidedError, match="no Lie algebra is near"):
        identify(generators, noise=1e-3)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LieAlgebra.from_matrices(np.zeros((3, 2))), "shape"),
        (lambda: LieAlgebra.from_matrices(np.full((1, 2, 2), np.nan)), "finite"),
        (lambda: LieAlgebra.from_matrices(np.ones((2, 2, 2))), "dependent"),
        (lambda: LieAlgebra.from_matrices(known.so(3), names=["a"]), "one name"),
        (lambda: LieAlgebra.from_fields([[1]], np.ones((1, 2, 1))), "coefficients"),
        (lambda: LieAlgebra.from_structure_constants(np.ones((2, 2, 2))), "sign"),
        (lambda: known.fields_from_text("x*dq", "xy"), "cannot be read"),
    ],
)
def test_bad_input_is_refused_with_a_reason(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_constants_with_noise():
    rng = np.random.default_rng(9)
    t = well_conditioned(rng, 6, 2.0)
    algebra = LieAlgebra(*span(known.so(3, 1), affine=False))
    c = LieAlgebra(algebra.ambient, t @ algebra.vectors).structure_constants
    e = rng.standard_normal(c.shape)
    noisy_c = c + 1e-4 * (e - np.swapaxes(e, 0, 1))
    assert structure_of(noisy_c, tol=1e-3).name == structure_of(noisy_c).name == "so(3,1)"
