"""Symbolic regression of whole systems: algebra, the right residual of a symmetry, and systems with known equations."""

import sys

import numpy as np
import pytest
import sympy
from sklearn.base import clone

import erlangen as er
from erlangen._errors import InputError, MissingExtraError, UndecidedError
from erlangen.dynamics import _symbolic_terms as terms
from erlangen.dynamics import symbolic
from erlangen.dynamics._symbolic_engine import Search, expressions
from erlangen.dynamics._symbolic_fit import Target, fitted, pruned
from erlangen.dynamics._symbolic_quotients import monomials
from erlangen.dynamics._symbolic_symmetry import Invariance
from erlangen.verbs._enforce_request import read

NAMES = ("x", "y")
X = np.random.default_rng(0).uniform(-2, 2, (120, 2))
R2 = (X**2).sum(axis=1)


def variable(name):
    return ((1, ((name, 1),)),)


def to_sympy(a):
    symbols = {name: sympy.Symbol(name, real=True) for name in NAMES}
    return sum((c * er._formula.Formula(terms.text(t, NAMES), NAMES).to_sympy() for c, t in a), sympy.S.Zero).subs(
        symbols
    )


x_, y_ = variable("x"), variable("y")
LINEAR = terms.add(terms.scale(2.0, x_), ((3.0, terms.UNIT),))
SUMS = {
    "polynomial": terms.multiply(terms.add(x_, y_), terms.add(x_, terms.scale(-1, y_))),
    "quotient": terms.multiply(terms.multiply(x_, y_), terms.inverse(LINEAR)),
    "power of a quotient": terms.whole_power(terms.inverse(LINEAR), 2),
    "exponentials": terms.multiply(terms.apply("exp", LINEAR), terms.apply("exp", terms.scale(-0.5, y_))),
    "sine of a sum": terms.apply("sin", terms.add(terms.scale(-1.5, x_), y_)),
    "nested": terms.apply("cos", terms.multiply(x_, terms.apply("tanh", y_))),
}


@pytest.mark.parametrize("name", SUMS)
def test_derivatives_and_printed_terms_agree_with_sympy(name):
    a = SUMS[name]
    columns = {"x": X[:, 0], "y": X[:, 1]}
    value = sum(c * terms.values(t, columns) for c, t in a)
    symbols = [sympy.Symbol(n, real=True) for n in NAMES]
    oracle = to_sympy(a)
    np.testing.assert_allclose(value, sympy.lambdify(symbols, oracle, "numpy")(*X.T), rtol=1e-9)
    for name, symbol in zip(NAMES, symbols):
        slope = sum((c * terms.values(t, columns) for c, t in terms.derivative(a, name)), np.zeros(120))
        expected = sympy.lambdify(symbols, oracle.diff(symbol), "numpy")(*X.T)
        np.testing.assert_allclose(slope, expected * np.ones(120), rtol=1e-8, atol=1e-12)


def test_expansion_is_what_was_multiplied():
    oracle = {"polynomial": "x**2 - y**2", "quotient": "x*y/(2*x + 3)", "exponentials": "exp(2*x + 3)*exp(-y/2)",
              "sine of a sum": "sin(y - 3*x/2)", "nested": "cos(x*tanh(y))"}  # fmt: skip
    for name, text in oracle.items():
        truth = sympy.sympify(text, locals={n: sympy.Symbol(n, real=True) for n in NAMES})
        point = {sympy.Symbol("x", real=True): 0.3, sympy.Symbol("y", real=True): -0.7}
        assert abs(float((to_sympy(SUMS[name]) - truth).subs(point))) < 1e-12


def test_constants_inside_are_shared_and_made_exact():
    chosen = [t for _, t in terms.multiply(terms.add(x_, y_), terms.inverse(LINEAR))]
    assert terms.constants(chosen) == [1.5]  # one denominator, twice
    moved = terms.with_constants(chosen, [4.0])
    assert [terms.text(t, NAMES) for t in moved] == ["x/(x + 4)", "y/(x + 4)"]
    assert set(terms.exact(chosen[:1], 0, 0)) == {terms.UNIT}
    assert terms.constants(terms.exact(chosen, 0, 2)) == []


# --- the residual of the symmetry


def invariance(symmetry=None, discrete=None, points=X):
    family = er.fields.Polynomial(degree=1, dim=2).as_vector_field()
    acting = er.actions.linear(np.zeros((0, 2, 2))) if symmetry is None else symmetry
    request = read(family, acting, None, discrete)
    return Invariance(NAMES, points, np.ones(2), request.lie.action, request.elements)


def jet(there, rows):
    chosen = list(dict.fromkeys(t for row in rows for _, t in row))
    table = np.array([[dict((t, c) for c, t in row).get(k, 0.0) for row in rows] for k in chosen])
    return there.jet(chosen).combined(table)


def test_bracket_residual_agrees_with_sympy():
    h = (SUMS["sine of a sum"], SUMS["quotient"])
    there = invariance(er.actions.rotation(2), points=X[:20])
    symbols = sympy.symbols("x y", real=True)
    field = sympy.Matrix([to_sympy(a) for a in h])
    velocity = there.action.on_points(np.eye(2))[:, 0].T  # columns: images of the unit vectors
    v = sympy.Matrix(velocity) * sympy.Matrix(symbols)
    bracket = field.jacobian(symbols) * v - v.jacobian(symbols) * field
    expected = np.array(sympy.lambdify(symbols, list(bracket), "numpy")(*X[:20].T)).T
    np.testing.assert_allclose(there.residuals(jet(there, h))[0][0], expected, rtol=1e-8)


REFLECTION = np.diag([1.0, -1.0])


def test_finite_residual_has_the_field_at_the_point_itself():
    """J_g h(x) - h(gx), and not J_g h(gx) - h(gx), which is blind to how h depends on what g moves."""
    there = invariance(discrete=[REFLECTION])
    h = (y_, ())  # x' = y, y' = 0: values along what the reflection leaves alone
    at_image = X @ REFLECTION
    wrong = np.c_[at_image[:, 1], np.zeros(120)] @ REFLECTION - np.c_[at_image[:, 1], np.zeros(120)]
    assert not wrong.any()
    assert there.defect(jet(there, h)) == pytest.approx(2.0)  # g turns the field round: the largest there is
    assert there.defect(jet(there, (terms.whole_power(y_, 2), y_))) < 1e-30
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    spiral = (terms.add(terms.scale(-0.1, x_), terms.scale(-1, y_)), terms.add(x_, terms.scale(-0.1, y_)))
    assert invariance(discrete=[turn]).defect(jet(invariance(discrete=[turn]), spiral)) < 1e-30


def test_defect_is_relative_and_small_for_small_breaking():
    there = invariance(er.actions.translation(2).restrict(np.eye(2)[:, :1]))
    defects = [
        there.defect(jet(there, (terms.add(y_, terms.scale(e, x_)), x_ if e > 9 else y_))) for e in (0, 1e-3, 10)
    ]
    assert defects[0] == 0 and 1e-8 < defects[1] < 1e-5 and defects[2] > 0.1
    there = invariance(er.actions.rotation(2))
    small, large = (there.defect(jet(there, (terms.scale(s, x_), terms.scale(3 * s, y_)))) for s in (1e-6, 1e6))
    assert small == pytest.approx(large) and small > 0.1


# --- one coordinate


def test_parts_that_are_not_asked_for_are_dropped():
    rng = np.random.default_rng(1)
    y = np.exp(X[:, 1]) - 0.5 + 0.01 * rng.normal(size=120)
    y /= np.sqrt(np.mean(y**2))
    target = Target({"x": X[:, 0], "y": X[:, 1]}, y, np.ones(120), 120, 10)
    inside = terms.add(terms.scale(0.97, y_), terms.scale(0.01, x_))
    start = [*monomials(NAMES, 2), terms.apply("exp", inside)[0][1]]
    found = pruned(target, fitted(target, start))
    assert {terms.text(t, NAMES) for t in found.terms} == {"1", "exp(y)"}


def test_engine_is_deterministic_and_scales_with_units():
    y = X[:, 0] * X[:, 1]
    search = Search(("+", "*"), 9, 2000)
    first, second = (expressions(X, y, NAMES, search, 3) for _ in range(2))
    assert first == second
    sine = Search(("+", "*", "sin"), 9, 2000)
    for unit in (1e-6, 1.0, 1e6):
        found = expressions(X * unit, np.sin(X[:, 0]), NAMES, sine, 3)
        columns = {"x": unit * X[:, 0], "y": unit * X[:, 1]}
        errors = [np.abs(sum(c * terms.values(t, columns) for c, t in a) - np.sin(X[:, 0])).max() for a in found]
        assert min(errors) < 1e-4  # the engine computes in single precision


# --- whole systems

FAST = {"restarts": 1, "evaluations": 4000, "operators": ("+", "-", "*", "sin", "exp")}


def fit(x_dot, noise=0.0, points=X, **settings):
    scale = noise * x_dot.std(axis=0)
    noisy = x_dot + scale * np.random.default_rng(2).normal(size=x_dot.shape)
    return symbolic.SymbolicRegression(**{**FAST, **settings}).fit(points, x_dot=noisy, names=NAMES)


def supports(model):
    e = model.equations_
    return [{t for t, c in zip(e.terms, row) if c} for row in e.coefficients]


def test_pendulum_and_lotka_volterra_are_found():
    model = fit(np.c_[X[:, 1], -2 * np.sin(X[:, 0])], discrete=[-np.eye(2)])
    assert supports(model) == [{"y"}, {"sin(x)"}] and model.defect_ < 1e-20
    x_dot = np.c_[2 / 3 - 4 / 3 * np.exp(X[:, 1]), np.exp(X[:, 0]) - 1]
    model = fit(x_dot, 0.02)
    assert supports(model) == [{"1", "exp(y)"}, {"1", "exp(x)"}]
    assert np.abs(model.predict(X) - x_dot).max() < 0.05 * np.abs(x_dot).max()
    truth = np.array([2 / 3, -4 / 3])
    e = model.equations_
    at = [e.terms.index(t) for t in ("1", "exp(y)")]
    assert np.all(np.abs(e.coefficients[0, at] - truth) < 4 * e.errors[0, at])


def test_quotient_is_found_and_the_symmetry_makes_it_exact():
    x_dot = np.c_[X[:, 0] / (1 + R2) - X[:, 1], X[:, 0] + X[:, 1] / (1 + R2)]
    model = fit(x_dot, 0.02, symmetry=er.actions.rotation(2), operators=("+", "-", "*", "/"))
    assert model.defect_ < 1e-20 and "exactly symmetric" in model.reason_
    assert model.equations_.n_terms == 4
    angle = np.array([[0.0, -1.0], [1.0, 0.0]])
    np.testing.assert_allclose(model.predict(X @ angle.T), model.predict(X) @ angle.T, atol=1e-9)
    assert np.abs(model.predict(X) - x_dot).max() < 0.05


def test_symmetry_decides_where_noise_does_not():
    x_dot = X @ np.array([[-0.2, 1.0], [-1.0, -0.2]])
    plain = {"operators": ("+", "-", "*")}
    free, symmetric = (fit(x_dot, 0.4, **plain, **kw) for kw in ({}, {"symmetry": er.actions.rotation(2)}))
    errors = [np.linalg.norm(m.predict(X) - x_dot) for m in (free, symmetric)]
    assert supports(symmetric) == [{"x", "y"}] * 2 != supports(free) and symmetric.defect_ < 1e-20
    assert errors[1] < 0.6 * errors[0]


def test_wrong_symmetry_is_named():
    model = fit(np.c_[X[:, 1], -4 * X[:, 0]], 0.01, symmetry=er.actions.rotation(2))
    assert "the data speak against the symmetry" in model.reason_
    right = fit(np.c_[X[:, 1], -X[:, 0]], 0.01, symmetry=er.actions.rotation(2))
    assert "speak against" not in right.reason_


def test_front_contract_and_trajectories():
    t = np.linspace(0, 6, 200)
    states = np.c_[np.exp(-0.1 * t) * np.cos(t), np.exp(-0.1 * t) * np.sin(t)]
    model = clone(symbolic.SymbolicRegression(**{**FAST, "operators": ("+", "-", "*")})).fit(states, t)
    assert supports(model) == [{"x1", "x2"}] * 2
    sizes, errors = [c.complexity for c in model.front_], [c.error for c in model.front_]
    assert sizes == sorted(sizes) and min(errors) == errors[-1] and len(model.front_) > 1
    simulated = model.simulate(states[0], t).states
    np.testing.assert_allclose(simulated, states, atol=1e-4)
    assert er.as_field(model).value(states[:3]).shape == (3, 2)


def test_bad_input_teaches(monkeypatch):
    with pytest.raises(InputError, match="did you mean 'sin'"):
        fit(X, operators=("+", "*", "sine"))
    with pytest.raises(InputError, match="sums of products"):
        fit(X, operators=("sin",))
    with pytest.raises(InputError, match="restarts"):
        fit(X, restarts=0)
    with pytest.raises(UndecidedError, match="too few points"):
        fit(X[:10], points=X[:10])
    flow = er.fields.trajectories.Trajectories.from_arrays(X, np.arange(120.0), controls=X[:, :1])
    with pytest.raises(InputError, match="no controls"):
        symbolic.SymbolicRegression(**FAST).fit(flow)
    monkeypatch.setitem(sys.modules, "pyoperon", None)
    with pytest.raises(MissingExtraError, match=r"erlangen\[symbolic\]"):
        fit(X)
