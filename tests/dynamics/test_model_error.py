"""What an imperfect model misses: known answers, the covariance of the weak form, and the test of breaking."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.base import clone

import erlangen as er
from erlangen._errors import InputError, UndecidedError
from erlangen.dynamics import Equations, ModelError, OneStep
from erlangen.dynamics._library import candidates
from erlangen.dynamics._misfit import functions
from erlangen.dynamics._windows import differences_jacobian, noise_levels, weak_rows
from erlangen.fields import Trajectories

LORENZ = Equations.from_text({"x": "10*(y-x)", "y": "x*(28-z)-y", "z": "x*y-8/3*z"})
WITHOUT_XZ = {"x": "10*(y-x)", "y": "28*x-y", "z": "x*y-8/3*z"}
HALF_TURN = [np.diag([-1.0, -1.0, 1.0])]
SPIRAL = Equations.from_text({"x": "x/2-2*y-x*(x**2+y**2)", "y": "2*x+y/2-y*(x**2+y**2)"})
LINEAR = {"x": "x/2-2*y", "y": "2*x+y/2"}


@cache
def clean(truth: Equations, start: tuple[float, ...], t: tuple[float, ...]) -> np.ndarray:
    return truth.simulate(start, t).states


def flow_of(truth: Equations, starts, t, noise: float = 0.0, rng: int = 0) -> Trajectories:
    random = np.random.default_rng(rng)
    runs = [clean(truth, tuple(start), tuple(t)) for start in starts]
    size = noise * np.concatenate(runs).std(axis=0)
    return Trajectories.from_arrays([x + size * random.normal(size=x.shape) for x in runs], t, names=truth.names)


def lorenz(noise: float = 0.0, rng: int = 0, t=None) -> Trajectories:
    times = np.arange(0, 4, 0.01) if t is None else t
    return flow_of(LORENZ, [[1.0, 2.0, 20.0]], times, noise, rng)


def spiral(noise: float = 0.01, rng: int = 0, truth: Equations = SPIRAL) -> Trajectories:
    return flow_of(truth, [[0.2, 0.1], [-1.0, 0.9], [0.4, -1.3]], np.linspace(0, 2, 41), noise, rng)


def terms(equations: Equations) -> dict[tuple[str, str], float]:
    pairs = zip(equations.names, equations.coefficients, strict=True)
    return {(name, t): float(c) for name, row in pairs for t, c in zip(equations.terms, row, strict=True) if c}


# --- the weak form


def rows_at_truth(flow: Trajectories, half: int):
    family = candidates(None, 2, flow.names)
    x, f = flow.points, Equations.from_text(WITHOUT_XZ).value
    rows = weak_rows(
        flow, f(x), functions(family, x), differences_jacobian(LORENZ.value, x), 0.01 * x.std(axis=0), half
    )
    assert rows is not None
    theta = np.zeros((3, len(family.texts)))
    theta[1, family.texts.index("x z")] = -1.0
    return rows, rows.target - rows.design @ theta.ravel()


@pytest.mark.parametrize("half", [8, 22])
def test_residuals_of_the_truth_have_variance_one_whatever_the_window(half: int):
    squares = [np.mean(rows_at_truth(lorenz(0.01, rng), half)[1] ** 2) for rng in range(3)]
    assert abs(np.mean(squares) - 1) < 0.13


def test_the_weak_form_holds_exactly_on_clean_samples_even_at_irregular_times():
    even = rows_at_truth(lorenz(), 32)
    t = np.arange(0, 4, 0.01) + 0.003 * np.random.default_rng(0).uniform(-1, 1, 400)
    odd = rows_at_truth(lorenz(t=t), 32)
    for rows, rest in (even, odd):
        assert np.linalg.norm(rest) < 1e-6 * np.linalg.norm(rows.target)


@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_noise_is_estimated_from_the_samples_alone(jitter: float):
    rng = np.random.default_rng(1)
    t = np.linspace(0, 10, 2001)
    t[1:-1] += jitter * 0.005 * rng.uniform(-1, 1, 1999)
    x = np.column_stack([np.cos(t), 50 * np.sin(3 * t)]) + rng.normal(size=(2001, 2)) * [0.01, 2.0]
    assert np.allclose(noise_levels(Trajectories.from_arrays(x, t)), [0.01, 2.0], rtol=0.06)


# --- known answers


@pytest.mark.parametrize(("noise", "error"), [(0.0, 1e-6), (0.01, 0.01)])
def test_lorenz_without_xz(noise: float, error: float):
    model = ModelError(WITHOUT_XZ).fit(lorenz(noise))
    assert terms(model.correction_).keys() == {("y", "x*z")}
    assert abs(terms(model.correction_)["y", "x*z"] + 1) < error
    assert np.allclose(model.predict(np.ones((2, 3))), LORENZ.value(np.ones((2, 3))), atol=30 * error)
    assert model.equations_.n_terms == LORENZ.n_terms


def test_standard_errors_are_the_spread_of_the_answers():
    fits = [ModelError(WITHOUT_XZ).fit(lorenz(0.01, rng)) for rng in range(8)]
    values = [terms(fit.correction_)["y", "x*z"] for fit in fits]
    stated = np.mean([fit.errors_.max() for fit in fits])
    assert 0.4 < np.std(values, ddof=1) / stated < 1.6  # 95 % of chi with 7 degrees lies in 0.49 .. 1.51
    assert abs(np.mean(values) + 1) < 4 * stated / np.sqrt(8)


def test_a_model_that_is_right_misses_nothing():
    model = ModelError(LORENZ).fit(lorenz(0.01))
    assert model.correction_.n_terms == 0 and "no term is missing" in model.reason_
    assert model.before_ < 1.2


def test_a_function_and_a_field_are_models_too():
    f = Equations.from_text(WITHOUT_XZ)
    for model in (f.value, f.as_field(), f):
        fit = ModelError(model).fit(lorenz())
        assert terms(fit.correction_).keys() == {("y", "x*z")}
        assert np.allclose(fit.predict(np.eye(3)), LORENZ.value(np.eye(3)), atol=1e-6)


def test_formulas_of_the_user_are_found():
    truth = Equations.from_text({"a": "v", "v": "-sin(a) - 0.2*v"})
    flow = flow_of(truth, [[2.0, 0.0], [0.5, 1.0]], np.linspace(0, 8, 201), 0.005)
    library = er.fields.Polynomial(degree=2) + er.fields.Expressions("sin(a)", "cos(a)")
    fit = ModelError({"a": "v", "v": "-0.2*v"}, library).fit(flow)
    assert terms(fit.correction_).keys() == {("v", "sin(a)")}


# --- one step


def classical(f):
    def step(x, h):
        a = f(x)
        b = f(x + h / 2 * a)
        c = f(x + h / 2 * b)
        return x + h / 6 * (a + 2 * b + 2 * c + f(x + h * c))

    return step


@pytest.mark.parametrize("kind", ["solver", "pairs"])
def test_steps_are_free_of_the_first_order_error_of_increments(kind: str):
    flow = lorenz(t=np.arange(0, 3, 0.04))
    f = Equations.from_text(WITHOUT_XZ)
    fit = (
        ModelError(OneStep(classical(f.value))).fit(flow) if kind == "solver" else ModelError(f).fit(flow.increments())
    )
    found = terms(fit.correction_)
    (where,) = found
    assert where[1] in ("x*z", "x1*x3") and abs(found[where] + 1) < 1e-4
    steps, x = flow.increments(), flow.increments().start
    for _ in range(20):
        x = classical(f.value)(x, 0.002)
    slope, xz = (steps.stop - x)[:, 1] / 0.04, steps.start[:, 0] * steps.start[:, 2]
    assert abs(slope @ xz / (xz @ xz) + 1) > 0.01  # what plain increments say, on the true support


# --- symmetry


def test_an_error_that_keeps_the_symmetry_is_said_to():
    fit = ModelError(LINEAR, degree=3, symmetry=er.actions.rotation(2)).fit(spiral())
    cubic = {("x", "x**3"): -1, ("x", "x*y**2"): -1, ("y", "x**2*y"): -1, ("y", "y**3"): -1}
    assert terms(fit.correction_).keys() == cubic.keys()
    assert len({round(c, 12) for c in terms(fit.correction_).values()}) == 1  # one coefficient, four terms
    assert not fit.test_.breaks and "consistent" in fit.reason_ and not fit.breaking_.any()


def test_chances_are_uniform_where_nothing_is_broken():
    action = er.actions.rotation(2)
    chances = [ModelError(LINEAR, degree=2, symmetry=action).fit(linear(rng)).test_.p_value for rng in range(16)]
    assert 3 <= sum(p < 0.5 for p in chances) <= 13 and min(chances) > 1e-4


def test_small_chances_are_as_rare_as_they_say():
    hopf = Equations.from_text({"x": "x-2*y-x*(x**2+y**2)", "y": "2*x+y-y*(x**2+y**2)"})
    t, action, small = np.linspace(0, 8, 161), er.actions.rotation(2), 0
    for seed in range(1000, 1020):
        rng = np.random.default_rng(seed)
        states = [hopf.simulate(rng.uniform(-1.5, 1.5, 2), t).states for _ in range(3)]
        flow = Trajectories.from_arrays([x + 0.05 * rng.normal(size=x.shape) for x in states], t, names=["x", "y"])
        test = ModelError({"x": "x-2*y", "y": "2*x+y"}, degree=3, symmetry=action).fit(flow).test_
        small += test.p_value < 0.1
    assert small <= 4  # two are expected


GROWING = Equations.from_text({"x": "0.1*x-2*y", "y": "2*x+0.1*y"})


def linear(rng: int) -> Trajectories:
    return spiral(0.02, rng, GROWING)


def test_the_part_that_breaks_is_orthogonal_to_all_symmetric_fields():
    broken = Equations.from_text({"x": "x/2-2*y-x*(x**2+y**2) + 0.4*x**2", "y": "2*x+y/2-y*(x**2+y**2)"})
    flow = spiral(0.005, truth=broken)
    fit = ModelError(LINEAR, degree=3, symmetry=er.actions.rotation(2)).fit(flow)
    assert fit.test_.breaks and fit.test_.p_value < 1e-6 and "breaks the symmetry" in fit.reason_
    found = terms(fit.correction_)
    assert len(found) == 5 and abs(found["x", "x**2"] - 0.4) < 0.04
    assert np.allclose(fit.symmetric_ + fit.breaking_, fit.coefficients_)
    family = candidates(None, 3, flow.names)
    breaking = family.field.with_theta(fit.breaking_.ravel()).value(flow.points)
    for theta in er.enforce(family.field, er.actions.rotation(2)).sparse_basis().T:
        other = family.field.with_theta(theta).value(flow.points)
        assert abs(np.sum(breaking * other)) < 1e-9 * np.linalg.norm(breaking) * np.linalg.norm(other)


def test_discrete_elements_halve_the_library():
    fit = ModelError(WITHOUT_XZ, symmetry=HALF_TURN).fit(lorenz(0.01))
    assert terms(fit.correction_).keys() == {("y", "x*z")} and "14 of 30 dimensions" in fit.reason_


def test_a_symmetry_answers_where_samples_are_too_few_without():
    rng = np.random.default_rng(3)
    starts = [start + [0, 0, 25.0] for start in 5 * rng.normal(size=(3, 3))]
    flow = flow_of(LORENZ, starts, np.arange(15) * 0.02, 0.005)
    assert terms(ModelError(WITHOUT_XZ, symmetry=HALF_TURN).fit(flow).correction_).keys() == {("y", "x*z")}
    with pytest.raises(UndecidedError, match="too few samples"):
        ModelError(WITHOUT_XZ).fit(flow)


# --- what cannot be answered


def test_what_no_term_explains_is_said():
    t = np.arange(0, 10, 0.05)
    driven = Equations.from_text({"x": "v", "v": "-x + 0.5*cos(1.7*s)", "s": "1"}).simulate([1.0, 0.0, 0.0], t).states
    noise = 0.01 * np.random.default_rng(0).normal(size=(len(t), 2))
    flow = Trajectories.from_arrays(driven[:, :2] + noise, t, names=["x", "v"])
    with pytest.warns(UserWarning, match="nothing in the library explains"):
        fit = ModelError({"x": "v", "v": "-x"}, degree=1).fit(flow)
    assert "terms are no laws" in fit.reason_


def test_controls_are_refused_and_not_ignored():
    t = np.linspace(0, 6, 121)
    flow = Trajectories.from_arrays(np.c_[np.sin(t), np.cos(t)], t, names=["x", "v"], controls=np.cos(3 * t)[:, None])
    for ask in (ModelError({"x": "v", "v": "-x"}).fit, lambda data: er.dynamics.repair({"x": "v", "v": "-x"}, data)):
        with pytest.raises(InputError, match="without controls"):
            ask(flow)


def test_equations_in_another_order_are_the_same_equations():
    turned = {name: WITHOUT_XZ[name] for name in ("z", "x", "y")}
    fit = ModelError(turned).fit(lorenz(0.01))
    assert fit.correction_.names == ("x", "y", "z") and terms(fit.correction_).keys() == {("y", "x*z")}
    assert er.dynamics.repair(turned, lorenz(0.01), degree=2).equations.names == ("x", "y", "z")


def test_collinear_terms_are_named():
    t = np.linspace(0, 6, 200)
    circle = Trajectories.from_arrays(np.column_stack([np.cos(t), np.sin(t)]), t, names=["x", "y"])
    with pytest.raises(UndecidedError, match=r"x\^2 in [xy]'"):
        ModelError({"x": "-y", "y": "x"}).fit(circle)


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ({"u": "v", "v": "-u"}, "different coordinates"),
        (lambda x: x[:, :1], "no model"),
        (3, "no model"),
        (er.fields.Polynomial(degree=1, dim=2).as_vector_field(), "no model"),
    ],
)
def test_models_of_other_data_are_refused(model, match: str):
    with pytest.raises(InputError, match=match):
        ModelError(model).fit(lorenz())


def test_bad_calls_are_refused():
    with pytest.raises(InputError, match="no solver"):
        OneStep(lambda x, dt: x, substeps=0)
    with pytest.raises(InputError, match="without times"):
        ModelError(LORENZ).fit(np.ones((5, 3)))
    solver = ModelError(lambda x: -x).fit(lorenz())
    with pytest.raises(UndecidedError, match="no closed form"):
        _ = solver.equations_
    assert clone(ModelError(LINEAR, degree=3)).get_params()["degree"] == 3
