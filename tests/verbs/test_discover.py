"""Discovery: exact dimension and name on the shared table, and the laws that hold on every row."""

import json

import numpy as np
import pytest
from problems import PROBLEMS, centraliser_dimension, hopf, linear_field, quadratic

import erlangen as er
from erlangen.actions import UnknownOutput, polynomial
from erlangen.fields import PolynomialField
from erlangen.linalg.subspace import span


@pytest.mark.parametrize("name", PROBLEMS)
def test_known_answers(name):
    problem = PROBLEMS[name]
    sym = er.discover(*problem.build())
    assert (sym.dim, len(sym.own), sym.name) == (problem.dim, problem.own, problem.name)
    if problem.preserves:
        assert problem.preserves in sym.preserves
    assert np.all(sym.defects < 1e-12)
    assert not sym.refused
    str(sym), sym._repr_html_(), json.dumps(sym.to_dict())


def test_centraliser_of_random_integer_matrices():
    rng = np.random.default_rng(0)
    for d in (2, 3, 4):
        a = rng.integers(-2, 3, size=(d, d)).astype(float)
        sym = er.discover(linear_field(a), er.actions.gl(d), er.Samples.box(-1, 1, dim=d))
        assert sym.dim + len(sym.own) == centraliser_dimension(a)


@pytest.mark.parametrize("scale", [1e-3, 1e3, 1e6])
def test_units_do_not_matter(scale):
    """f in metres and f in millimetres: same defects, same name, generators that undo the scale."""
    shrink = np.array([1.0, 1.0, scale])
    table = quadratic(np.eye(3)).table
    field = PolynomialField(table, quadratic(np.eye(3)).coefficients / np.prod(shrink**table, axis=1))
    here = er.discover(quadratic(np.diag([1.0, 1, 1])), er.actions.gl(3), er.Samples.box(-1, 1, dim=3))
    there = er.discover(field, er.actions.gl(3), er.Samples.box(-shrink, shrink))
    assert (there.dim, there.name) == (3, "so(3)")
    assert np.allclose(here.spectrum[3:], there.spectrum[3:], rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3])
def test_a_rescaled_generator_is_the_same_candidate(scale):
    """Tilting one candidate by a factor moves no defect: 1e-3 would otherwise hide 99.9 % of one."""
    basis = np.eye(9)
    basis[4, 4] = scale
    field = quadratic(np.diag([1.0, 2.0, 3.0])) if scale > 1 else quadratic(np.eye(3))
    plain = er.discover(field, er.actions.gl(3), er.Samples.box(-1, 1, dim=3))
    tilted = er.discover(field, er.actions.gl(3).restrict(basis), er.Samples.box(-1, 1, dim=3))
    assert tilted.dim == plain.dim == 3
    assert np.allclose(plain.spectrum[3:], tilted.spectrum[3:], rtol=1e-6)


def test_any_basis_of_candidates_gives_the_same_subspace():
    mixing = np.random.default_rng(1).normal(size=(12, 12))
    plain = er.discover(quadratic(np.eye(3)), er.actions.affine(3), er.Samples.box(-1, 1, dim=3))
    mixed = er.discover(quadratic(np.eye(3)), er.actions.affine(3).restrict(mixing), er.Samples.box(-1, 1, dim=3))
    assert mixed.name == "so(3)"
    assert span(mixing @ mixed.generators.T).angles(span(plain.generators.T)).max() < 1e-10


def test_broken_symmetry_has_the_defect_of_the_formula():
    """f = |x|^2 + 2 eps x y on [-1,1]^3: rotation about z has a defect that SymPy gives in closed form."""
    import sympy

    eps = 0.03
    x, y, z = symbols = sympy.symbols("x y z")
    f = x**2 + y**2 + z**2 + 2 * sympy.Rational(3, 100) * x * y

    def mean(expression):
        for s in symbols:
            expression = sympy.integrate(sympy.expand(expression), (s, -1, 1)) / 2
        return expression

    gradient = [sympy.diff(f, s) for s in symbols]
    rate = -y * gradient[0] + x * gradient[1]
    exact = sympy.sqrt(3 * mean(rate**2) / mean(sum(g**2 for g in gradient) * (x**2 + y**2)))
    form = np.eye(3)
    form[0, 1] = form[1, 0] = eps
    sym = er.discover(quadratic(form), er.actions.rotation(3), er.Samples.box(-1, 1, dim=3))
    lie = er.LieDerivative(quadratic(form), er.actions.rotation(3), er.Samples.box(-1, 1, dim=3))
    assert lie.defect(np.eye(3)[:, 0])[0] == pytest.approx(float(exact), rel=1e-12)
    assert sym.dimension(0.05) == sym.dim


def test_path_counts_what_each_delta_would_accept():
    form = np.diag([1.0, 1.02, 1.5])
    sym = er.discover(quadratic(form), er.actions.rotation(3), er.Samples.box(-1, 1, dim=3))
    for delta, dim in sym.path:
        assert sym.dimension(delta * (1 + 1e-12)) == dim
        assert (
            er.discover(
                quadratic(form), er.actions.rotation(3), er.Samples.box(-1, 1, dim=3), rule=er.Threshold(0.999)
            ).decision.dim
            >= sym.dim
        )
    assert [d for _, d in sym.path] == sorted(d for _, d in sym.path)


@pytest.mark.parametrize("rule", [er.LargestGap(), er.NoiseFloor(), er.Threshold(1e-6)])
def test_other_rank_rules_agree_on_exact_problems(rule):
    sym = er.discover(quadratic(np.eye(3)), er.actions.affine(3), er.Samples.box(-1, 1, dim=3), rule=rule)
    assert sym.dim == 3 and sym.decision.reason


def test_pairs_of_an_unknown_output_action():
    """f = (x, y, |z|^2-like) under gl(3): invariances, output-only pairs and the projection are counted."""
    f = linear_field(np.eye(3), "invariant")
    sym = er.discover(f, UnknownOutput(er.actions.rotation(3), 3), er.Samples.box(-1, 1, dim=3))
    assert sym.pairs == {"invariances": 0, "output_only": 0, "projection": 3}
    constant = PolynomialField(np.array([[1, 0], [0, 0]]), np.array([[1.0, 0.0], [2.0, 0.0]]))
    pairs = er.discover(constant, UnknownOutput(er.actions.translation(2), 2), er.Samples.box(-1, 1, dim=2)).pairs
    # f = (x, 2x): d/dy is an invariance; 2 f1 - f2 = 0 gives two output-only directions, which move nothing.
    assert pairs == {"invariances": 1, "output_only": 2, "projection": 1}


def test_the_way_back_into_the_verbs():
    sym = er.discover(quadratic(np.eye(3)), er.actions.affine(3), er.Samples.box(-1, 1, dim=3))
    again = er.discover(quadratic(np.eye(3)), sym, er.Samples.box(-2, 2, dim=3))
    assert again.dim == 3 and again.candidates.n_generators == 3
    assert sym.action.n_generators == 3 and sym.candidates.n_generators == 12
    moves = sym.sample(5, rng=0)
    x = np.random.default_rng(2).normal(size=(7, 3))
    for k in range(len(moves)):
        assert np.allclose((moves(k, x) ** 2).sum(axis=1), (x**2).sum(axis=1))
        assert np.abs(moves(k, x) - x).max() > 1e-3
    assert sym.group.name and str(sym.rep) == "V"


def test_export_to_sympy_latex_and_files(tmp_path):
    import sympy

    sym = er.discover(quadratic(np.eye(2)), er.actions.affine(2), er.Samples.box(-1, 1, dim=2), names=["u", "v"])
    u, v = sympy.symbols("u v", real=True)
    assert sym.to_sympy() == [[-v, u]]
    assert sym.texts == ("u d/dv - v d/du",)
    assert "\\partial_{v}" in sym.to_latex()
    sym.save(tmp_path / "s.json")
    stored = json.loads((tmp_path / "s.json").read_text())
    with np.load(tmp_path / stored["arrays"], allow_pickle=False) as arrays:
        assert np.array_equal(arrays["xi"], sym.generators)
    with pytest.raises(er.InputError, match="exists"):
        sym.save(tmp_path / "s.json")
    loaded = er.Symmetry.load(tmp_path / "s.json")
    assert (loaded.dim, loaded.name, loaded.texts) == (sym.dim, sym.name, sym.texts)
    assert np.array_equal(loaded.spectrum, sym.spectrum)


def test_nothing_is_written_where_the_two_files_would_be_one_or_one_exists(tmp_path):
    sym = er.discover(quadratic(np.eye(2)), er.actions.rotation(2), er.Samples.box(-1, 1, dim=2))
    with pytest.raises(er.InputError, match="too"):
        sym.save(tmp_path / "s.npz")
    assert not list(tmp_path.iterdir())
    (tmp_path / "s.json").write_text("old")
    with pytest.raises(er.InputError, match="exists"):
        sym.save(tmp_path / "s.json")
    assert [file.name for file in tmp_path.iterdir()] == ["s.json"]


def test_names_from_data_are_escaped_in_html():
    sym = er.discover(quadratic(np.eye(2)), er.actions.affine(2), er.Samples.box(-1, 1, dim=2), names=["<script>", "y"])
    assert "<script>" not in sym._repr_html_()


def test_hopf_among_quadratic_candidates():
    """Candidates that are no Lie algebra (degree 2): still one rotation."""
    sym = er.discover(hopf(), polynomial(2, 2), er.Samples.box(-1, 1, dim=2))
    assert sym.texts == ("x d/dy - y d/dx",)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: er.discover(lambda x: x[:, 0], er.actions.affine(2)), "samples are missing"),
        (lambda: er.discover(quadratic(np.eye(2)), names=["a"], samples=er.Samples.box(-1, 1, dim=2)), "2 names"),
        (lambda: er.Threshold(2.0), "between 0 and 1"),
        (lambda: er.discover(quadratic(np.eye(2)), samples=er.Samples.box(-1, 1, dim=2), units=[(0, 5)]), "unit"),
    ],
)
def test_errors_teach(call, words):
    with pytest.raises(er.InputError, match=words) as raised:
        call()
    assert "fix:" in str(raised.value)


def test_generators_that_do_not_close_are_kept_without_a_name():
    """(1, x, y) times the rotation leave |x|^2 alone; their brackets have degree 3."""
    sym = er.discover(quadratic(np.eye(2)), polynomial(2, 2), er.Samples.box(-1, 1, dim=2))
    assert sym.dim == 3 and sym.name == "3-dimensional"
    assert "do not close" in str(sym)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"action": "rotation"}, "must be an action"),
        ({"rule": 0.1}, r"Threshold\(0.1\)"),
        ({"action": er.actions.affine(3)}, "same coordinates|another|space"),
    ],
)
def test_arguments_of_a_wrong_type_are_explained(arguments, words):
    with pytest.raises(er.InputError, match=words):
        er.discover(quadratic(np.eye(2)), samples=er.Samples.box(-1, 1, dim=2), **arguments)


def test_a_constant_field_is_not_a_negative_finding():
    constant = PolynomialField(np.zeros((1, 2), dtype=int), np.array([[3.0]]))
    sym = er.discover(constant, er.actions.affine(2), er.Samples.box(-1, 1, dim=2))
    assert not sym.decided and sym.verdict.startswith("Not decided")


@pytest.mark.parametrize("small", [0.015, 0.02, 0.03])
def test_an_entry_that_is_dropped_does_not_set_the_scale(small):
    from erlangen.verbs._basis import readable_generators

    action = er.actions.affine(2)
    xi = np.where(np.array(action.names) == "d/dx", 1.0, np.where(np.array(action.names) == "x d/dx", small, 0.0))
    (found,) = readable_generators(action, xi[:, None], 0.05, np.zeros(2), np.ones(2), lambda *_: (0.0, 1.0))
    assert action.describe(found) == "d/dx"
