"""Formulas: values, derivatives and printing against independent oracles, and what must be refused."""

from __future__ import annotations

import time

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from erlangen._errors import InputError
from erlangen._formula import Formula

RNG = np.random.default_rng(20)
COLUMNS = {"x": RNG.uniform(0.2, 0.9, 50), "y": RNG.uniform(0.2, 0.9, 50), "v x": RNG.uniform(1, 2, 50)}
NAMES = tuple(COLUMNS)
X, Y, V = COLUMNS.values()

# text, and the same in NumPy
VALUES = [
    ("1 + 2*3 - 4/8", 6.5 + 0 * X),
    ("-x**2", -(X**2)),
    ("2/-x*y", 2 / -X * Y),
    ("2**3**x", 2 ** (3**X)),
    ("x**-2", X**-2.0),
    ("x - (y - 1) - 2", X - (Y - 1) - 2),
    ("x/y/`v x`", X / Y / V),
    ("--x + +y", X + Y),
    ("1.5e-3*x + .5*y + 2.", 1.5e-3 * X + 0.5 * Y + 2),
    ("sqrt(x**2 + y**2)", np.hypot(X, Y)),
    ("1/sqrt(x**2 + y**2 + `v x`**2)", 1 / np.sqrt(X**2 + Y**2 + V**2)),
    ("exp(-x)*log(y) + ln(x)", np.exp(-X) * np.log(Y) + np.log(X)),
    ("sin(x) + cos(y)*tan(x)", np.sin(X) + np.cos(Y) * np.tan(X)),
    ("sinh(x) - cosh(y)/tanh(x)", np.sinh(X) - np.cosh(Y) / np.tanh(X)),
    ("asin(x) + acos(y) + atan(x*y) + arcsin(y)", np.arcsin(X) + np.arccos(Y) + np.arctan(X * Y) + np.arcsin(Y)),
    ("atan2(y, x)", np.arctan2(Y, X)),
    ("abs(x - y) + sign(y - x)", np.abs(X - Y) + np.sign(Y - X)),
    ("min(x, y)*max(x, 0.5)", np.minimum(X, Y) * np.maximum(X, 0.5)),
    ("e**x + pi", np.e**X + np.pi),
    ("x**y", X**Y),
]
TEXTS = [text for text, _ in VALUES]


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=TEXTS)
def test_value_is_numpys(text, expected):
    np.testing.assert_allclose(Formula(text, NAMES).evaluate(COLUMNS), expected, rtol=1e-14)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", NAMES)
def test_derivative_is_that_of_a_complex_step(text, name):
    f = Formula(text, NAMES)
    stepped = f.evaluate(COLUMNS | {name: COLUMNS[name] + 1e-30j}).imag / 1e-30
    np.testing.assert_allclose(f.derivative(name).evaluate(COLUMNS), stepped, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("text", TEXTS)
def test_derivative_is_that_of_sympy(text):
    f = Formula(text, NAMES)
    at = {sympy.Symbol(name, real=True): column[0] for name, column in COLUMNS.items()}
    row = {name: column[:1] for name, column in COLUMNS.items()}
    assert float(f.to_sympy().subs(at)) == pytest.approx(f.evaluate(row)[0], rel=1e-12)
    for j, symbol in enumerate(at):
        slope = float(f.to_sympy().diff(symbol).subs(at).doit())
        assert slope == pytest.approx(f.gradient(row)[0, j], rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("text", TEXTS)
def test_printed_formula_reads_back(text):
    f = Formula(text, NAMES)
    for g in (f, *(f.derivative(name) for name in NAMES)):
        again = Formula(str(g), NAMES)
        np.testing.assert_array_equal(again.evaluate(COLUMNS), g.evaluate(COLUMNS))
        assert str(again) == str(g)


_LEAF = st.sampled_from(["x", "y", "2", "0.5", "pi"])
_TREES = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        inner.map(lambda a: f"-({a})"),
        st.tuples(inner, st.sampled_from(["2", "3", "-1"])).map(lambda t: f"({t[0]})**{t[1]}"),
        st.tuples(st.sampled_from(["sin", "tanh", "atan", "abs"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
    ),
    max_leaves=8,
)


@given(_TREES)
def test_any_formula_agrees_with_python_and_reads_back(text):
    try:
        f = Formula(text, ("x", "y"))
    except InputError:  # a constant part is not finite, such as 1/(2 - 2)
        return
    scope = {"x": X, "y": Y, "pi": np.pi, "sin": np.sin, "tanh": np.tanh, "atan": np.arctan, "abs": np.abs}
    with np.errstate(all="ignore"):
        truth = np.broadcast_to(
            eval(text.replace("2", "2.0").replace("3", "3.0"), {"__builtins__": {}}, scope), X.shape
        )
    np.testing.assert_allclose(f.evaluate({"x": X, "y": Y}), truth, rtol=1e-12)
    np.testing.assert_array_equal(Formula(str(f)).evaluate({"x": X, "y": Y}), f.evaluate({"x": X, "y": Y}))


HOSTILE = [
    "__import__('os')",
    "__import__(x)",
    "x.__class__",
    "(x).y",
    "x[0]",
    "lambda: x",
    "lambda x",
    'f"{x}"',
    "[x for x in y]",
    "x if y else x",
    "x; y",
    "x = y",
    "x := y",
    "x and y",
    "x @ y",
    "x ^ 2",
    "x\\y",
    "exec(x)",
    "eval(x)",
    "open(x)",
    "9**9**9",
    "9**9**9**9**9",
    "x**(10**9)",
    "((x**99)**99)**99",
    "1e999",
    "9" * 400,
    "1/0",
    "x + sqrt(-1)",
    "exp(1000)",
    "0/0*x",
    "(" * 100_000 + ")" * 100_000,
    "(" * 4_000 + "x" + ")" * 4_000,
    "-" * 9_000 + "x",
    "sin(" * 2_000 + "x" + ")" * 2_000,
    "x**" * 3_000 + "x",
    "x*" * 4_000 + "x",
    "a" * 1_000_000,
    " " * 1_000_000,
    "",
    "   ",
    "()",
    "x)",
    "(x",
    "x y",
    "2x",
    "x +",
    "* x",
    "x ** ** y",
    "sin",
    "sin x",
    "sin()",
    "sin(x, y)",
    "atan2(x)",
    "x(2)",
    ",",
    "x,y",
    "`x",
    "``",
    "`os`",
    "1_000",
    "0x10",
    "1j",
    "ｘ + 1",  # full-width x, which Python's own parser takes for x
    "ѕin(x)",  # Cyrillic
    "x\u200b",
    "x\u202e",
    "x²",
    "٣",
    "\x00",
    "x # y",
    "'x'",
    "nan",
    "inf",
    None,
    3,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:24])
def test_refused_at_once_with_one_clear_message(text):
    start = time.perf_counter()
    with pytest.raises(InputError) as error:
        Formula(text, NAMES)
    assert time.perf_counter() - start < 0.5
    assert len(str(error.value)) < 600
    assert str(error.value).count("\n") == 3
    assert "fix:" in str(error.value)


def test_long_sums_and_shared_derivatives_stay_fast():
    start = time.perf_counter()
    f = Formula("+".join(["x**2*y"] * 1_400), NAMES)
    np.testing.assert_allclose(f.derivative("x").evaluate(COLUMNS), 2800 * X * Y, rtol=1e-12)
    deep = Formula("sin(x*" * 40 + "y" + ")" * 40, NAMES)
    slope = deep.derivative("x").derivative("y")
    stepped = deep.derivative("x").evaluate(COLUMNS | {"y": Y + 1e-30j}).imag / 1e-30
    np.testing.assert_allclose(slope.evaluate(COLUMNS), stepped, rtol=1e-9, atol=1e-300)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x + yy", "did you mean 'y'"),
        ("sqr(x)", "did you mean 'sqrt'"),
        ("x^2", "**"),
        ("x + $", "character 5"),
        ("2 x", "write * before 'x'"),
        ("x + (y", "character 5"),
        ("ѕin(x)", "CYRILLIC SMALL LETTER DZE"),
    ],
)
def test_message_points_and_suggests(text, said):
    with pytest.raises(InputError) as error:
        Formula(text, ("x", "y", "vx"))
    assert said in str(error.value)


def test_a_column_hides_a_constant_but_not_a_function():
    assert Formula("e", ("e",)).evaluate({"e": [3.0]})[0] == 3
    assert Formula("e", ("x",)).evaluate({"x": [3.0]})[0] == np.e
    assert Formula("sin*sin(sin)", ("sin",)).evaluate({"sin": [3.0]})[0] == 3 * np.sin(3.0)


def test_no_name_is_allowed_where_none_is_given():
    assert Formula("a*b + a").variables == ("a", "b")
    with pytest.raises(InputError):
        Formula("a", ())


def test_constant_formula_takes_the_shape_of_the_columns():
    assert Formula("2", NAMES).evaluate(COLUMNS).shape == (50,)
    assert Formula("2").evaluate({}).shape == ()


def test_column_counts_what_is_not_finite():
    with pytest.raises(InputError, match="2 of 4 rows, first at 1, 3"):
        Formula("1/x").column({"x": [1.0, 0.0, 2.0, 0.0]})


def test_missing_column_is_named():
    with pytest.raises(InputError, match="did you mean 'radius'"):
        Formula("radios").evaluate({"radius": [1.0]})
    with pytest.raises(InputError):
        Formula("x").derivative("y")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("1/sqrt(x**2 + y**2)", r"\frac{1}{\sqrt{x^{2} + y^{2}}}"),
        ("-x*(y - 2)", r"-x \left(y - 2\right)"),
        ("2*3*x", r"2 \cdot 3 x"),
        ("x1**2*pi", r"x_{1}^{2} \pi"),
        ("abs(x)*sin(y)", r"\left|x\right| \sin\left(y\right)"),
        ("`a_b}`", r"\mathrm{a\_b\}}"),
        ("1e-20*x", r"1 \cdot 10^{-20} x"),
    ],
)
def test_latex(text, latex):
    assert Formula(text).to_latex() == latex


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("x**2", "did you mean `Position x [m]`? Odd names stand in backticks"),
        ("q**2", "use one of these variables, odd names in backticks: `Position x [m]`"),
        ("spede", "did you mean 'speed'?"),
    ],
)
def test_columns_with_odd_names_are_shown_as_formulas_take_them(text, fix):
    with pytest.raises(InputError) as error:
        Formula(text, ("Position x [m]", "speed"))
    assert str(error.value).endswith(f"fix:      {fix}") and "expected: `Position x [m]`, speed" in str(error.value)
    assert Formula("`Position x [m]`", ("Position x [m]",)).variables == ("Position x [m]",)
