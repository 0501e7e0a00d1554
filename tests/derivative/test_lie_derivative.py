"""Laws of the Lie derivative over a table of fields and actions."""

import numpy as np
import pytest

import erlangen as er
from erlangen.actions import CallableAction, TangentLift, UnknownOutput, affine, gl, linear, polynomial, rotation
from erlangen.derivative import LieDerivative, Samples, move, scales_of
from erlangen.derivative.forms import DenseForm, KroneckerForm
from erlangen.fields import PolynomialField, lift
from erlangen.linalg.polynomials import exponents


def random_field(d, degree, c, kind, seed):
    table = exponents(d, degree)
    return PolynomialField(table, np.random.default_rng(seed).normal(size=(c, len(table))), kind)


FIELDS = {
    "scalar": random_field(3, 3, 1, "invariant", 0),
    "two channels": random_field(3, 2, 2, "invariant", 1),
    "vector field": random_field(3, 2, 3, "vector", 2),
    "map": random_field(3, 2, 3, "map", 3),
}
ACTIONS = {
    "affine": affine(3),
    "rotation": rotation(3),
    "quadratic": polynomial(3, 2),
    "random linear": linear(np.random.default_rng(4).normal(size=(2, 3, 3))),
}
PAIRS = [(f, a) for f in FIELDS for a in ACTIONS]
BOX = Samples.box(-1, 1, dim=3, n=300)


@pytest.mark.parametrize(("field", "action"), PAIRS)
def test_rows_are_the_derivative_of_the_moved_field(field, action):
    """L_xi f = d/dt [f(g_t x) - T_t f(x)] at t = 0, by central differences of the finite flow."""
    lie = LieDerivative(FIELDS[field], ACTIONS[action], BOX.subset(12))
    x, f = lie.samples.points, lie.field.value(lie.samples.points)
    xi = np.random.default_rng(5).normal(size=lie.action.n_generators)
    t = 1e-5

    def moved(time):
        points, values = move(lie.lifted, xi, time, x, f)
        return lie.field.value(points) - values

    numeric = (moved(t) - moved(-t)) / (2 * t)
    assert np.allclose(lie.rows(x) @ xi, numeric, atol=1e-6 * np.abs(numeric).max())


@pytest.mark.parametrize(("field", "action"), PAIRS)
def test_exact_and_sampled_factors_agree(field, action):
    """Coefficients in orthonormal polynomials give the integrals that many samples approach."""
    lie = LieDerivative(FIELDS[field], ACTIONS[action], Samples.box(-1, 1, dim=3, n=20000))
    if lie.exact is None:
        assert field == "map" and action == "quadratic"
        return
    exact = lie.factors()
    sampled = LieDerivative(lie.field, lie.action, lie.samples.pointwise()).factors(
        scales_of(lie.field, lie.lifted, lie.samples)
    )
    for a, b in ((exact.rows, sampled.rows), (exact.informs.dense(), sampled.informs.dense())):
        gram = a.T @ a
        assert np.abs(gram - b.T @ b).max() < 0.01 * np.abs(gram).max()


@pytest.mark.parametrize(("field", "action"), PAIRS)
def test_separable_and_literal_factors_agree(field, action):
    """The structured path equals generators evaluated one by one, for all three factors."""
    lie = LieDerivative(FIELDS[field], ACTIONS[action], BOX.pointwise())
    scales = scales_of(lie.field, lie.lifted, lie.samples)
    fast, literal = lie.factors(scales), lie._dense_factors(scales)
    for a, b in (
        (fast.rows, literal.rows),
        (fast.moves.dense(), literal.moves.dense()),
        (fast.informs.dense(), literal.informs.dense()),
    ):
        assert np.allclose(a.T @ a, b.T @ b, atol=1e-10 * np.abs(b.T @ b).max())


def test_full_actions_keep_the_form_as_one_block():
    lie = LieDerivative(FIELDS["scalar"], affine(3), BOX.pointwise())
    form = lie.factors().informs
    assert isinstance(form, KroneckerForm)
    vectors = np.random.default_rng(6).normal(size=(12, 4))
    assert np.allclose(form.norms(vectors), DenseForm(form.dense()).norms(vectors))


@pytest.mark.parametrize("field", ["scalar", "vector field"])
def test_bilinear_object_serves_both_arguments(field):
    lie = LieDerivative(FIELDS[field], affine(3), BOX.subset(20).pointwise())
    xi = np.random.default_rng(7).normal(size=12)
    assert np.allclose(lie.in_xi() @ xi, lie.in_theta(xi) @ lie.field.theta)
    other = np.random.default_rng(8).normal(size=lie.field.n_params)
    assert np.allclose(lie.in_xi(other) @ xi, lie.in_theta(xi) @ other)
    assert np.allclose(lie.in_theta(np.stack([xi, 2 * xi]))[len(lie.in_theta(xi)) :], 2 * lie.in_theta(xi))


def test_vector_fields_commute_with_themselves():
    f = FIELDS["vector field"]
    table, p = exponents(3, 2), 30
    own = f.coefficients.ravel()
    assert polynomial(3, 2).n_generators == p and len(own) == p and np.array_equal(table, f.table)
    lie = LieDerivative(f, polynomial(3, 2), BOX.pointwise())
    assert lie.defect(own)[0] < 1e-13


def test_output_representation_and_unknown_output_agree():
    """f(x) = x is equivariant: with B known (the same matrices) and with B unknown."""
    f = PolynomialField(exponents(3, 1), np.hstack([np.zeros((3, 1)), np.eye(3)]))
    spins = er.actions.matrices_of(rotation(3))
    assert LieDerivative(f, rotation(3).with_output(spins), BOX).defect(np.eye(3)).max() < 1e-14
    joint = UnknownOutput(gl(3), 3)
    lie = LieDerivative(f, joint, BOX)
    pair = np.concatenate([spins[0].ravel(), spins[0].ravel()])
    assert lie.defect(pair)[0] < 1e-14


def test_callable_action_matches_the_polynomial_one():
    def spin(x):
        return np.stack([np.stack([-x[:, 1], x[:, 0], 0 * x[:, 0]], axis=1)], axis=1)

    action = CallableAction(spin, 3, ("spin",))
    for kind in ("scalar", "vector field", "map"):
        a = LieDerivative(FIELDS[kind], action, BOX.pointwise()).in_xi()
        b = LieDerivative(FIELDS[kind], rotation(3), BOX.pointwise()).in_xi()
        assert np.allclose(a[:, 0], b[:, 0], atol=1e-8)


def test_lift_follows_the_kind():
    assert isinstance(lift(FIELDS["vector field"], affine(3)), TangentLift)
    assert lift(FIELDS["scalar"], affine(3)).value_dim is None


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: LieDerivative(FIELDS["scalar"], affine(2), BOX), "same coordinates"),
        (lambda: LieDerivative(FIELDS["scalar"], rotation(3).with_output(np.zeros((3, 2, 2))), BOX), "1"),
        (lambda: Samples.box(1, -1, dim=2), "empty"),
        (lambda: Samples.from_data(np.array([[1.0, np.nan]])), "row 0"),
        (lambda: Samples.from_data(np.zeros(3)), r"\(3,\)"),
        (lambda: Samples.gaussian(0, -1, dim=2), "spread"),
        (lambda: linear(np.zeros((2, 3))), r"\(1, 2, 3\)"),
        (lambda: rotation(3).tied([(0, 1, 2), (2, 3, 4)]), "disjoint"),
        (lambda: affine(2, mask=np.ones((3, 3))), r"\(2, 3\)"),
    ],
)
def test_errors_say_what_was_given(build, words):
    with pytest.raises(er.InputError, match=words):
        build()


def test_too_few_samples_are_refused():
    with pytest.raises(er.UndecidedError, match="too few residuals"):
        LieDerivative(FIELDS["scalar"], affine(3), BOX.subset(5).pointwise()).factors()


def test_repeated_points_and_points_without_weight_do_not_count():
    x = BOX.points[:5]
    repeated = Samples.from_data(np.tile(x, (400, 1)))
    weightless = Samples.from_data(BOX.points, np.r_[np.ones(5), np.zeros(len(BOX) - 5)])
    for samples in (repeated, weightless):
        with pytest.raises(er.UndecidedError, match="too few residuals"):
            LieDerivative(FIELDS["scalar"], affine(3), samples).factors()


def test_subsets_keep_points_with_weight():
    weights = np.zeros(300)
    weights[::25] = 1.0
    few = Samples.from_data(BOX.points, weights).subset(10)
    assert len(few) == 10 and np.all(few.weights > 0)


def test_chance_makes_no_symmetry_of_few_samples():
    """A smooth random function has none; barely more residuals than generators must not invent one."""
    rng = np.random.default_rng(11)
    for _ in range(20):
        k, phase = rng.normal(size=(20, 2)), rng.uniform(0, 7, 20)
        x = rng.uniform(-1, 1, size=(12, 2))
        sym = er.discover(lambda x, k=k, phase=phase: np.cos(2 * x @ k.T + phase).sum(axis=1), affine(2), x)
        assert sym.dim == 0
