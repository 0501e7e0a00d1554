"""Equivariant regression: scikit-learn's contract, planted functions, exact symmetry, and least squares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import erlangen as er
from erlangen.estimators import EquivariantRegressor, _least_squares
from erlangen.fields import PolynomialField
from erlangen.fields.bases import Fourier

RNG = np.random.default_rng(0)
PAIRS = RNG.normal(size=(60, 6))
SO3, O3 = er.groups.SO(3), er.groups.O(3)
TURNS = er.actions.rotation(3)
SPINS = er.Samples.box(-1, 1, dim=3)


@pytest.fixture
def kept_stream():
    """scikit-learn's checks draw from NumPy's global stream: put it back."""
    state = np.random.get_state()  # noqa: NPY002
    yield
    np.random.set_state(state)  # noqa: NPY002


@pytest.mark.parametrize("arguments", [{}, {"alpha": 0.1, "degree": 1}])
def test_scikit_learns_own_checks(arguments, kept_stream):
    check_estimator(EquivariantRegressor(**arguments), on_skip=None)


def moment_of_inertia(x):
    """Of two unit masses, as the nine entries of a matrix."""
    parts = [np.einsum("na,na->n", p, p)[:, None, None] * np.eye(3) - p[:, :, None] * p[:, None, :] for p in halves(x)]
    return (parts[0] + parts[1]).reshape(len(x), 9)


def halves(x):
    return x[:, :3], x[:, 3:]


# Constructor arguments, the function behind the data, and the dimension of the space that holds it.
PLANTED = {
    "scalar product": ({"action": SO3, "rep_in": "2V"}, lambda x: 3 * np.sum(np.multiply(*halves(x)), axis=1) - 2, 4),
    "cross product": ({"action": SO3, "rep_in": "2V", "rep_out": "V"}, lambda x: np.cross(*halves(x)), 3),
    "cross product, by an action": (
        {"action": TURNS.tied([(0, 1, 2), (3, 4, 5)]).with_output(er.actions.matrices_of(TURNS))},
        lambda x: np.cross(*halves(x)),
        3,
    ),
    "moment of inertia": (
        {"action": O3, "rep_in": "2V", "rep_out": "V*V"},
        moment_of_inertia,
        8,  # 1 constant, 3 scalars times the identity, 4 products p p
    ),
    "power sum": ({"action": er.groups.S(6), "degree": 3}, lambda x: (x**3).sum(axis=1), 7),
    "two invariants": (
        {"action": er.actions.rotation(6)},
        lambda x: np.stack([(x**2).sum(axis=1), 1 - (x**2).sum(axis=1)], axis=1),
        2,
    ),
    "spiral": (
        {"action": er.actions.rotation(6), "kind": "vector", "degree": 3},
        lambda x: x - x * (x**2).sum(1)[:, None],
        2,
    ),
    "map": ({"action": er.actions.rotation(6), "kind": "map", "degree": 3}, lambda x: x * (x**2).sum(1)[:, None], 2),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_functions_come_back_from_few_samples(name):
    arguments, function, dim = PLANTED[name]
    x = PAIRS[: dim + 2]  # fewer than the 28 or 84 monomials
    model = EquivariantRegressor(**arguments).fit(x, function(x))
    assert model.subspace_.dim == model.rank_ == dim
    fresh = np.random.default_rng(1).normal(size=(50, 6))
    want = function(fresh)
    np.testing.assert_allclose(model.predict(fresh), want, atol=1e-11 * np.abs(want).max())
    assert model.predict(fresh).shape == want.shape == (50, *model.coef_.shape[:-1])


def test_predictions_are_equivariant_whatever_the_data_were():
    model = EquivariantRegressor(O3, rep_in="2V", rep_out="V + S", degree=3, alpha=0.1)
    y = RNG.normal(size=(60, 4))
    model.fit(PAIRS, y)
    for g in O3.sample(5, rng=2):
        moved = model.predict(PAIRS @ np.kron(np.eye(2), g).T)
        turned = model.predict(PAIRS)
        turned[:, :3] = turned[:, :3] @ g.T
        np.testing.assert_allclose(moved, turned, atol=1e-13)
    assert np.abs(model.predict(PAIRS)[:, :3]).max() > 0.1


def test_discrete_elements_count():
    """A cross product is a vector of SO(3), but an axial one of O(3)."""
    y = np.cross(*halves(PAIRS))
    assert EquivariantRegressor(SO3, rep_in="2V", rep_out="V").fit(PAIRS, y).score(PAIRS, y) == pytest.approx(1.0)
    assert EquivariantRegressor(O3, rep_in="2V", rep_out="V").fit(PAIRS, y).score(PAIRS, y) < 0.1


def test_a_symmetry_found_in_a_function_goes_in_as_it_is():
    sym = er.discover(lambda x: np.exp(-(x**2).sum(axis=1)), er.actions.affine(3), SPINS)
    x = RNG.normal(size=(20, 3))
    model = EquivariantRegressor(sym, degree=4).fit(x, (x**2).sum(axis=1) ** 2)
    assert model.subspace_.dim == 3
    assert model.equations() == ("f = x^4 + 2 x^2 y^2 + 2 x^2 z^2 + y^4 + 2 y^2 z^2 + z^4")
    flow = er.discover(lambda x: x, er.actions.rotation(3), SPINS, kind="vector")
    assert EquivariantRegressor(flow, degree=1).fit(x, 2 * x).equations() == "f1 = 2 x\nf2 = 2 y\nf3 = 2 z"


def test_the_fitted_regressor_is_a_field_with_exact_derivatives():
    x = RNG.normal(size=(30, 3))
    model = EquivariantRegressor(er.actions.rotation(3)).fit(x, (x**2).sum(axis=1))
    field = er.as_field(model)
    assert isinstance(field, PolynomialField)
    assert er.discover(model, er.actions.affine(3), SPINS).name == "so(3)"


def test_functions_of_a_library():
    angle = RNG.uniform(0, 2 * np.pi, size=(40, 1))
    x = np.hstack([np.cos(angle), np.sin(angle)]) * RNG.uniform(1, 2, size=(40, 1))
    r = np.linalg.norm(x, axis=1, keepdims=True)
    library = er.fields.Expressions("x/sqrt(x**2 + y**2)", "y/sqrt(x**2 + y**2)")
    model = EquivariantRegressor(er.actions.rotation(2), kind="vector", library=library).fit(x, 3 * x / r)
    assert model.subspace_.dim == 2
    assert model.equations() == "f1 = 3 x/sqrt(x^2 + y^2)\nf2 = 3 y/sqrt(x^2 + y^2)"
    potential = EquivariantRegressor(er.actions.rotation(2), library=er.fields.Expressions("1/sqrt(x**2 + y**2)", "x"))
    assert potential.fit(x, 2 + 3 / r[:, 0]).equations() == "f = 2 + 3 1/sqrt(x^2 + y^2)"
    wave = EquivariantRegressor(er.actions.translation(1), kind="invariant", library=Fourier([2.0], 2)).fit(
        angle, angle[:, 0]
    )
    assert wave.subspace_.dim == 1
    np.testing.assert_allclose(wave.predict(angle), angle.mean())


@pytest.mark.parametrize("alpha", [0.0, 0.5])
@pytest.mark.parametrize("rep_out", ["V", "2S"])
def test_agrees_with_scikit_learn_in_coordinates_of_the_subspace(alpha, rep_out, monkeypatch):
    """Ridge on phi(x) times an orthonormal basis of the subspace, blocks of rows being invisible."""
    monkeypatch.setattr(_least_squares, "BLOCK_FLOATS", 100)
    c = 3 if rep_out == "V" else 2
    y, weights = RNG.normal(size=(60, c)), RNG.uniform(0, 2, size=60)
    model = EquivariantRegressor(SO3, rep_in="2V", rep_out=rep_out, alpha=alpha).fit(PAIRS, y, weights)
    phi = PolynomialFeatures(2).fit_transform(PAIRS)  # the same order of monomials
    channels = model.subspace_.to_dense().reshape(-1, phi.shape[1], model.subspace_.dim)
    ridge = LinearRegression() if alpha == 0 else Ridge(alpha=alpha, tol=1e-12)
    if rep_out == "V":  # constants are not equivariant: there is no intercept
        design, target = np.einsum("nq,cqk->nck", phi, channels).reshape(180, -1), y.ravel()
        ridge.set_params(fit_intercept=False).fit(design, target, np.repeat(weights, 3))
        want = ridge.predict(design).reshape(60, 3)
    else:  # the constant is one of the functions, and its coefficient is free
        design = phi[:, 1:] @ channels[0, 1:]
        want = ridge.fit(design, y, weights).predict(design)
    np.testing.assert_allclose(model.predict(PAIRS), want, atol=1e-10)


def test_weights_count_observations():
    y = RNG.normal(size=60)
    counts = RNG.integers(0, 3, size=60)
    model = EquivariantRegressor(er.actions.rotation(6), degree=4, alpha=0.1)
    weighted = clone(model).fit(PAIRS, y, counts).coef_
    repeated = clone(model).fit(np.repeat(PAIRS, counts, axis=0), np.repeat(y, counts)).coef_
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)


def test_orthogonal_factors_keep_the_digits_that_normal_equations_lose():
    """Powers of a column near 1000: the condition number squared would leave nothing."""
    t = 1000 + RNG.uniform(-1, 1, size=(200, 1))
    model = EquivariantRegressor(degree=3).fit(t, 1e-6 * t[:, 0] ** 3)
    np.testing.assert_allclose(model.predict(t), 1e-6 * t[:, 0] ** 3, rtol=1e-12)


def test_fewer_data_do_for_the_same_error():
    """Two-body energies with noise: errors on fresh points at 60 samples, against 210 free coefficients."""
    rng = np.random.default_rng(3)
    x, fresh = rng.normal(size=(60, 6)), rng.normal(size=(500, 6))

    def energy(x):
        p, q = halves(x)
        return (p**2).sum(1) + (p * q).sum(1) + 0.3 * (q**2).sum(1) ** 2

    y = energy(x) + 0.1 * rng.normal(size=60)
    ours, plain = (
        GridSearchCV(EquivariantRegressor(action, rep_in=rep, degree=4), {"alpha": [1e-3, 1e-1, 10.0]}, cv=3).fit(x, y)
        for action, rep in ((SO3, "2V"), (None, None))
    )
    errors = [np.sqrt(np.mean((m.predict(fresh) - energy(fresh)) ** 2)) for m in (ours, plain)]
    assert errors[0] < 0.2 and errors[1] > 10 * errors[0]


def test_affine_groups_move_points_as_they_are():
    """Affine maps of the plane that fix a line pointwise, and the reflection of the line: what depends on y only."""
    shear, shift = np.zeros((2, 3, 3))
    shear[0, 1], shift[0, 2] = 1.0, 1.0
    points = PAIRS[:, :2]
    group = er.groups.from_matrices(lie_algebra=[shear, shift], discrete=np.diag([1.0, -1.0, 1.0]), name="line")
    model = EquivariantRegressor(group, degree=2).fit(points, 1 + points[:, 1] ** 2)
    assert model.equations() == "f = 1 + y^2" and model.subspace_.dim == 2
    assert EquivariantRegressor(group, rep_out="S", degree=2).fit(points, points[:, 1]).subspace_.dim == 2
    dilation = EquivariantRegressor(er.groups.E(2), kind="map", degree=1)
    with pytest.raises(er.InputError, match="but zero"):
        dilation.fit(points, points)
    shifts = er.groups.from_matrices(lie_algebra=[shift], name="shifts")
    field = EquivariantRegressor(shifts, kind="vector", degree=1).fit(points, points @ [[0.0, 0.0], [2.0, 0.0]])
    assert field.equations().startswith("f1 = 2 y\n") and np.abs(field.coef_[1]).max() < 1e-12


def test_one_scale_for_all_columns_keeps_the_symmetry_and_one_each_does_not():
    points = PAIRS[:, :3] * 100 + np.array([0.0, 0.0, 50.0])
    turned = points @ er.groups.SO(3).sample(1, rng=0)[0].T
    model = EquivariantRegressor(er.groups.SO(3), degree=2)
    values = (points**2).sum(axis=1) + points[:, 0]
    errors = []
    for step in (FunctionTransformer(lambda x: x / 100), StandardScaler()):
        pipe = make_pipeline(step, clone(model)).fit(points, values)
        errors.append(np.abs(pipe.predict(turned) - pipe.predict(points)).max() / np.abs(values).max())
    assert errors[0] < 1e-12 and errors[1] > 1e-2


def test_pipelines_names_and_copies():
    frame = pd.DataFrame(PAIRS[:, :3], columns=["u", "v", "w"])
    model = EquivariantRegressor(er.actions.rotation(3), degree=2)
    pipe = make_pipeline(FunctionTransformer(), clone(model)).fit(frame, (frame**2).sum(axis=1))
    assert pipe[-1].equations() == "f = u^2 + v^2 + w^2"
    assert list(pipe[-1].feature_names_in_) == ["u", "v", "w"] and pipe[-1].n_features_in_ == 3
    search = GridSearchCV(model, {"degree": [1, 2]}, cv=3).fit(frame, (frame**2).sum(axis=1))
    assert search.best_params_ == {"degree": 2}
    assert model.get_params()["action"] is model.action  # untouched


X = PAIRS
REFUSED = {
    "an action of another size": ({"action": er.actions.rotation(3)}, X[:, 0], r"R\^3, 6 columns"),
    "no action": ({"action": "SO(3)"}, X[:, 0], "an action, a Symmetry or a Group"),
    "a representation of another size": ({"action": SO3}, X[:, 0], "V of size 3, and 6 columns"),
    "six columns are two vectors": ({"action": SO3}, X[:, 0], 'rep_in="2V"'),
    "six columns and tensors": ({"action": SO3, "rep_in": "V*V"}, X[:, 0], 'rep_in="2V"'),
    "six columns of a plane and two scalars": (
        {"action": er.groups.SO(2), "rep_in": "V + 2S"},
        X[:, 0],
        'rep_in="\\(V \\+ 2S\\) \\+ 2S"',
    ),
    "a vector for an affine group": ({"action": er.groups.SE(6), "rep_out": "V"}, X, 'kind="vector"'),
    "outputs of another size": ({"action": SO3, "rep_in": "2V", "rep_out": "V"}, X[:, 0], "size 3, and 1 outputs"),
    "a representation of another group": ({"action": SO3, "rep_in": er.rep("2V", O3)}, X[:, 0], r"of SO\(3\)"),
    "vectors or scalars": ({"action": er.actions.rotation(6)}, X, "one of kind=invariant, vector, map"),
    "vectors or scalars of a group": ({"action": SO3, "rep_in": "2V"}, X, 'rep_out="6S"'),
    "a kind with a group": ({"action": SO3, "rep_in": "2V", "kind": "vector"}, X, 'rep_out="V"'),
    "a representation without a group": ({"rep_in": "V"}, X[:, 0], "without a group"),
    "an unknown kind": ({"action": er.actions.rotation(6), "kind": "tensor"}, X, "kind='tensor'"),
    "a vector of three": ({"action": er.actions.rotation(6), "kind": "vector"}, X[:, :3], "3 outputs over"),
    "no equivariant function": ({"action": O3, "rep_in": "2V", "rep_out": "V", "degree": 0}, X[:, :3], "but zero"),
    "a negative penalty": ({"alpha": -1.0}, X[:, 0], "alpha=-1.0"),
    "half a degree": ({"degree": 1.5}, X[:, 0], "degree=1.5"),
    "no library": ({"library": "cos"}, X[:, 0], "type str"),
    "a library of other columns": ({"library": Fourier([1.0], 1)}, X[:, 0], r"R\^1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_errors_teach(case):
    arguments, y, words = REFUSED[case]
    with pytest.raises(er.InputError, match=words):
        EquivariantRegressor(**arguments).fit(X, y)


def test_a_function_without_a_value_is_named():
    points = np.array([[0.0], [1.0], [2.0]])
    model = EquivariantRegressor(library=er.fields.Expressions("1/x")).fit(points[1:], points[1:, 0])
    with pytest.raises(er.InputError, match="not finite"):
        model.predict(points)


def test_negative_weights_are_refused():
    with pytest.raises(er.InputError, match="1 negative weights, the first -1"):
        EquivariantRegressor().fit(X, X[:, 0], np.r_[-1.0, np.ones(59)])
