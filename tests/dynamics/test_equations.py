"""Equations as a value: what is read is what is printed, exported, differentiated, simulated and saved."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sympy

import erlangen as er
from erlangen.dynamics import Equations
from erlangen.dynamics._equation_terms import formula_text

PENDULUM = {"th": "om", "om": "-9.81*sin(th) - 0.1*abs(om)*om + u*exp(-th**2)/(1 + w**2)"}
SYSTEMS = [
    ({"x": "10*(y - x)", "y": "x*(28 - z) - y", "z": "x*y - 8/3*z"}, ()),
    ({"x": "1 - x/3", "y": "x^2 y - 0.1 y"}, ()),
    (PENDULUM, ("u", "w")),
    ({"q": "p/sqrt(1 + p**2)", "p": "-1/q**3 + min(q, 2)*tanh(p) + pi*max(q, p)"}, ()),
]


def points(equations: Equations, rng: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
    draw = np.random.default_rng(rng)
    x = draw.uniform(0.5, 1.5, (7, len(equations.names)))
    return x, draw.uniform(0.5, 1.5, (7, len(equations.controls))) if equations.controls else None


@pytest.mark.parametrize(("right", "controls"), SYSTEMS)
def test_values_are_those_of_the_formulas(right, controls):
    equations = Equations.from_text(right, controls)
    x, u = points(equations)
    columns = dict(zip(equations.variables, np.hstack([x] if u is None else [x, u]).T))
    plain = [text.replace("^", "**").replace("x**2 y", "x**2*y").replace("0.1 y", "0.1*y") for text in right.values()]
    functions = {name: getattr(np, name) for name in ("sin", "exp", "abs", "sqrt", "tanh", "pi")}
    functions |= {"min": np.minimum, "max": np.maximum}
    truth = [eval(text, {"__builtins__": {}}, functions | columns) for text in plain]  # an independent reader: Python
    np.testing.assert_allclose(equations.value(x, u), np.stack(truth, axis=1), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(("right", "controls"), SYSTEMS)
def test_jacobian_is_that_of_sympy(right, controls):
    equations = Equations.from_text(right, controls)
    x, u = points(equations)
    symbols = [sympy.Symbol(name, real=True) for name in equations.variables]
    expected = np.empty((len(x), len(x[0]), len(x[0])))
    for a, expression in enumerate(equations.to_sympy()):
        for b, symbol in enumerate(symbols[: len(equations.names)]):
            slope = sympy.lambdify(symbols, sympy.diff(expression, symbol), ["numpy", {"Heaviside": np.heaviside}])
            expected[:, a, b] = slope(*np.hstack([x] if u is None else [x, u]).T)
    np.testing.assert_allclose(equations.jacobian(x, u), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("right", "controls"), SYSTEMS)
def test_text_and_sympy_come_back(right, controls):
    equations = Equations.from_text(right, controls)
    x, u = points(equations)
    lines = [line.split("' = ") for line in equations.text(digits=17).splitlines()]
    again = Equations.from_text({name: text for name, text in lines}, controls)
    np.testing.assert_allclose(again.value(x, u), equations.value(x, u), rtol=1e-14)
    symbolic = Equations.from_sympy(dict(zip(equations.names, equations.to_sympy())), controls)
    assert symbolic.terms == equations.terms
    np.testing.assert_array_equal(symbolic.coefficients, equations.coefficients)


@pytest.mark.parametrize(("right", "controls"), SYSTEMS)
def test_torch_agrees_with_numpy(right, controls):
    torch = pytest.importorskip("torch")
    equations = Equations.from_text(right, controls)
    x, u = points(equations)
    module, state = equations.to_torch(), torch.tensor(x)
    inputs = (torch.tensor(u),) if u is not None else ()
    np.testing.assert_allclose(module(state, *inputs).detach(), equations.value(x, u), rtol=1e-12, atol=1e-12)
    slopes = torch.autograd.functional.jacobian(lambda z: module(z, *inputs).sum(0), state).transpose(0, 1)
    np.testing.assert_allclose(slopes, equations.jacobian(x, u), rtol=1e-12, atol=1e-12)
    stacked = x if u is None else np.hstack([x, u])
    np.testing.assert_array_equal(equations.to_numpy()(stacked), equations.value(x, u))


def test_torch_trains_only_terms_that_were_found():
    torch = pytest.importorskip("torch")
    module = Equations(("x",), (), ("x", "1/x"), [[2.0, 0.0]]).to_torch()
    module(torch.zeros(1, 1, dtype=torch.float64)).sum().backward()  # 1/x at 0 is never computed
    assert module.coefficients.grad[0, 1] == 0 and torch.isfinite(module.coefficients.grad).all()


@pytest.mark.parametrize(
    ("printed", "formula"),
    [
        ("", "1"), ("x^2 y", "x**2*y"), ("1/sqrt(x^2 + y^2)", "1/sqrt(x**2 + y**2)"), ("x sin(2 x)", "x*sin(2*x)"),
        ("(v x)^2 y", "`v x`**2*y"), ("`v x` y x1", "`v x`*y*x1"), ("(x + y)", "(x + y)"), ("x*y", "x*y"),
    ],
)  # fmt: skip
def test_printed_terms_are_read(printed, formula):
    assert formula_text(printed, ("x", "y", "x1", "v x")) == formula


def test_terms_of_libraries_are_read():
    library = er.fields.Polynomial(3) + er.fields.Expressions("1/(1+x**2)", "sin(x)*y", "x+y", "cos(2*`v y`)")
    names = ("x", "y", "v y")
    bound = library.bind(names)
    equations = Equations(names, (), bound.texts, np.ones((3, bound.size)))
    x = np.random.default_rng(1).normal(size=(5, 3))
    np.testing.assert_allclose(equations.value(x)[:, 0], bound.basis.evaluate(x).sum(axis=1), rtol=1e-12)


def test_numbers_inside_terms_are_rounded_in_print_alone(tmp_path):
    terms = ("1/(x**5 + 123.00000014858628)", "1/(x + 2)", "x/(x + 1)", "exp(-0.333333333*x)", "x**3")
    found = Equations(("x",), (), terms, [[49.2, -1.0, 3.0, 0.5, -1.5e-7]])
    assert str(found) == "x' = 49.2/(x^5 + 123) - 1/(x + 2) + 3 x/(x + 1) + 0.5 exp(-0.3333 x) - 1.5e-07 x^3"
    assert found.text(9).startswith("x' = 49.2/(x^5 + 123) - ") and "exp(-0.333333333 x)" in found.text(9)
    latex = found.to_latex()
    assert r"\frac{49.2}{x^{5} + 123} - \frac{1}{x + 2} + 3\,\frac{x}{x + 1}" in latex and "0.3333 x" in latex
    assert found.terms == terms and Equations.load(_saved(found, tmp_path / "kept.json")).terms == terms
    again = Equations.from_text({"x": found.text(17).partition("= ")[2]})  # what is printed is read
    x = np.linspace(0.1, 2, 5)[:, None]
    np.testing.assert_allclose(again.value(x), found.value(x), rtol=1e-14)


def _saved(equations, path):
    equations.save(path)
    return path


@pytest.mark.parametrize("terms", [("x", "y**2"), ("sin(x)", "x"), ("1",), ()])
def test_without_any_term_everything_is_zero(terms):
    nothing = Equations(("x", "y"), (), terms, np.zeros((2, len(terms))))
    x = np.ones((3, 2))
    assert not nothing.value(x).any() and not nothing.jacobian(x).any() and not nothing.to_numpy()(x).any()
    assert nothing.value(x).shape == (3, 2) and nothing.jacobian(x).shape == (3, 2, 2)
    assert not nothing.as_field().value(x).any() and str(nothing) == "x' = 0\ny' = 0"
    assert nothing.simulate([1.0, 2.0], [0.0, 1.0]).states.tolist() == [[1.0, 2.0]] * 2


def test_files_keep_every_bit(tmp_path):
    rng = np.random.default_rng(3)
    errors = np.abs(rng.normal(size=(2, 3)))
    errors[0, 1] = np.inf
    equations = Equations(("x", "y"), ("u",), ("1", "x*y", "sin(u)"), rng.normal(size=(2, 3)) / 3, errors)
    equations.save(tmp_path / "e.json")
    again = Equations.load(tmp_path / "e.json")
    assert (again.names, again.controls, again.terms) == (equations.names, equations.controls, equations.terms)
    assert again.coefficients.tobytes() == equations.coefficients.tobytes()
    assert again.errors is not None and again.errors.tobytes() == equations.errors.tobytes()
    with pytest.raises(er.InputError, match="exists"):
        equations.save(tmp_path / "e.json")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 3}', json.dumps({"format": "erlangen equations 1"})])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(er.InputError, match="no saved equations"):
        Equations.load(tmp_path / "other.json")


# --- simulation


def test_simulation_is_the_solution():
    t = np.linspace(0, 20, 101)
    spring = Equations.from_text({"x": "v", "v": "-x - 0.2*v"}).simulate([1.0, 0.0], t)
    w = np.sqrt(1 - 0.01)
    closed = np.exp(-0.1 * t) * (np.cos(w * t) + 0.1 / w * np.sin(w * t))
    assert spring.complete and not spring.reason
    np.testing.assert_allclose(spring.states[:, 0], closed, atol=1e-7)


def test_stiff_systems_are_followed():
    t = np.linspace(0, 1, 11)
    stiff = Equations.from_text({"x": "-100000*(x - cos(t)) ", "t": "1"}).simulate([0.0, 0.0], t)
    np.testing.assert_allclose(stiff.states[1:, 0], np.cos(t[1:]), atol=2e-5)


@pytest.mark.parametrize("form", ["function", "samples", "constant"])
def test_controls_drive(form):
    t = np.linspace(0, 2, 401)
    equations = Equations.from_text({"x": "u"}, controls="u")
    given = {"function": np.cos, "samples": np.cos(t)[:, None], "constant": [0.5]}[form]
    reached = equations.simulate([0.0], t, controls=given).states[:, 0]
    np.testing.assert_allclose(reached, 0.5 * t if form == "constant" else np.sin(t), atol=1e-5)


def test_what_was_reached_before_a_blow_up_is_kept():
    t = np.linspace(0, 2, 41)
    run = Equations.from_text({"x": "x**2"}).simulate([1.0], t)
    assert not run.complete and len(run.times) == 20  # up to 0.95; the solution ends at 1
    np.testing.assert_allclose(run.states[:, 0], 1 / (1 - run.times), rtol=1e-6)
    assert "ends at t = 0.95 of 2" in run.reason and run.reason.endswith("near t = 1")


def test_leaving_the_domain_ends_a_solution():
    run = Equations.from_text({"x": "-0.5/x"}).simulate([1.0], np.linspace(0, 2, 21))  # x = sqrt(1 - t)
    assert not run.complete and 0.8 <= run.times[-1] <= 1
    start = Equations.from_text({"x": "log(x)"}).simulate([-1.0], [0.0, 1.0])
    assert len(start.times) == 1 and "not finite at the start" in start.reason


# --- fields


def test_a_polynomial_system_is_a_field_with_exact_symmetries():
    equations = Equations.from_text({"x": "-y - x*(x**2 + y**2)", "y": "x - y*(x**2 + y**2)"})
    assert isinstance(equations.as_field(), er.fields.PolynomialField)
    found = er.discover(equations, er.actions.affine(2), er.Samples.box(-1, 1, dim=2))
    assert found.texts == ("x d/dy - y d/dx",)


def test_controls_are_held_in_a_field():
    equations = Equations.from_text(PENDULUM, ("u", "w"))
    x, _ = points(equations)
    u = np.array([0.3, -1.2])
    field = equations.as_field(u)
    np.testing.assert_allclose(field.value(x), equations.value(x, u[None]), rtol=1e-13)
    np.testing.assert_allclose(field.jacobian(x), equations.jacobian(x, u[None]), rtol=1e-13)
    with pytest.raises(er.InputError, match="Controls are held"):
        equations.as_field()


def test_a_term_that_does_not_occur_spoils_nothing():
    equations = Equations(("x", "y"), (), ("log(x)", "y"), [[1.0, 0.0], [0.0, 1.0]])
    value = equations.value([[-1.0, 2.0]])[0]
    assert np.isnan(value[0]) and value[1] == 2.0


# --- mistakes


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Equations(("x", "x"), (), ("1",), [[1], [1]]), "names of their own"),
        (lambda: Equations(("x",), ("x",), ("1",), [[1]]), "names of their own"),
        (lambda: Equations(("x",), (), ("x", "x"), [[1, 1]]), "given twice"),
        (lambda: Equations(("x",), (), ("x",), [[1, 1]]), "coefficients do not fit"),
        (lambda: Equations(("x",), (), ("x",), [[np.nan]]), "finite"),
        (lambda: Equations(("x",), (), ("y",), [[1.0]]), "Unknown variable 'y'"),
        (lambda: Equations.from_text({"x": "k*x"}), "Unknown variable 'k'"),
        (lambda: Equations.from_sympy({"x": sympy.Symbol("k")}), "neither coordinates nor controls"),
        (lambda: Equations.from_sympy({"x": sympy.I}), "not a real"),
        (lambda: Equations.from_text({"x": "x"}).value([1.0]), "no states"),
        (lambda: Equations.from_text({"x": "x"}).value([[1.0]], [[1.0]]), "do not fit"),
        (lambda: Equations.from_text({"x": "u"}, "u").value([[1.0]]), "do not fit"),
        (lambda: Equations.from_text({"x": "u"}, "u").simulate([1.0], [0, 1]), "Controls are missing"),
        (lambda: Equations.from_text({"x": "x"}).simulate([1.0], [1, 0]), "0 follows 1"),
        (lambda: Equations.from_text({"x": "x"}).simulate([1.0, 2.0], [0, 1]), "no initial state"),
    ],
)
def test_mistakes_teach(make, words):
    with pytest.raises(er.InputError, match=words) as caught:
        make()
    assert "fix:" in str(caught.value)


def test_pages_escape_names():
    equations = Equations(("<b>", "y"), (), ("1",), [[1.0], [2.0]])
    assert "<b>" not in equations._repr_html_() and "&lt;b&gt;" in equations._repr_html_()
