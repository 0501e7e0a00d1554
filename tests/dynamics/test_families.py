"""Libraries of well-known functions and of invariants; units as scalings."""

import numpy as np
import pytest
import sympy

import erlangen as er
from erlangen._errors import InputError
from erlangen.dynamics import Equations, Invariants, SINDy, Units
from erlangen.fields import Exponential, Expressions, Polynomial, Rational, Trajectories, Trigonometric

X = np.random.default_rng(0).uniform(0.2, 1.0, (9, 2))
CASES = {
    "waves": (
        Trigonometric((1, 2)),
        ["sin(a)", "cos(a)", "sin(b)", "cos(b)", "sin(2*a)", "cos(2*a)", "sin(2*b)", "cos(2*b)"],
    ),
    "products of waves": (
        Trigonometric(products=True),
        ["sin(a)", "cos(a)", "sin(b)", "cos(b)", "sin(a)*cos(a)", "sin(a)*cos(b)", "sin(b)*cos(a)", "sin(b)*cos(b)"],
    ),
    "exponentials": (Exponential((-1, 0.5)), ["exp(-a)", "exp(-b)", "exp(0.5*a)", "exp(0.5*b)"]),
    "quotients": (
        Rational(1, ("1 + a**2", "2 - b")),
        ["1/(1+a**2)", "a/(1+a**2)", "b/(1+a**2)", "1/(2-b)", "a/(2-b)", "b/(2-b)"],
    ),
    "products": (
        Polynomial(2) * Expressions("exp(b)"),
        ["a*exp(b)", "b*exp(b)", "a**2*exp(b)", "a*b*exp(b)", "b**2*exp(b)"],
    ),
    "SymPy": (Expressions(sympy.sin(sympy.Symbol("a")) / 3, sympy.Abs(sympy.Symbol("b"))), ["sin(a)/3", "Abs(b)"]),
}


@pytest.mark.parametrize("case", CASES)
def test_functions_are_those_of_sympy(case):
    library, texts = CASES[case]
    bound = library.bind(["a", "b"])
    symbols = sympy.symbols("a b")
    expected = [sympy.lambdify(symbols, sympy.sympify(text))(*X.T) for text in texts]
    assert np.allclose(bound.basis.evaluate(X), np.transpose(expected), rtol=1e-13)


def test_libraries_of_odd_columns():
    assert (Polynomial(1) * Trigonometric()).bind(["v (mm/s)"]).basis.evaluate(np.array([[2.0]]))[
        0, 0
    ] == pytest.approx(2 * np.sin(2))


def test_invariants_are_left_alone():
    found = Invariants(er.actions.rotation(3), 4).bind(["x", "y", "z"])
    assert found.size == 2
    turn = (
        er.groups.SO(3).sample(1, rng=0)[0]
        if hasattr(er.groups.SO(3), "sample")
        else np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    )
    x = np.random.default_rng(1).normal(size=(5, 3))
    assert np.allclose(found.basis.evaluate(x @ turn.T), found.basis.evaluate(x), rtol=1e-12)
    with pytest.raises(InputError, match="no invariant"):
        Invariants(er.actions.scaling(2), 3).bind(["x", "y"])


def _falling(rng):
    """h' = v, v' = -g, with g a parameter of the run."""
    t, runs, given = np.linspace(0, 1, 40), [], []
    for g in (9.8, 1.6, 3.7):
        h, v = 10 + 2 * t - g * t**2 / 2, 2 - g * t
        runs.append(np.stack([h, v], axis=1) + 0.05 * np.random.default_rng(rng).normal(size=(40, 2)))
        given.append([g])
    return Trajectories.from_arrays(runs, t, ["h", "v"], controls=given, control_names=["g"])


def test_units_leave_few_terms():
    units = Units("s", {"h": "m", "v": "m/s", "g": "m/s^2"})
    model = SINDy(degree=2, symmetry=units).fit(_falling(0))
    assert model.dim_ == 2  # v in h', g in v'
    assert str(model.equations_.text(1)).split() == "h' = v v' = -g".split()
    assert not model.symmetry_test_.rejected
    wrong = SINDy(degree=1, symmetry=Units("s", {"h": "m", "v": "m", "g": "m/s^2"})).fit(_falling(0))
    assert wrong.symmetry_test_.rejected


def test_units_are_read_and_refused():
    table, clock = Units("ms", {"e": "kg*m^2/s**2", "n": "1", "r": "m^1/2"}).weights(("e", "n", "r"))
    assert clock.tolist() == [0, 0, 0, 1] and table[:, 0].tolist() == [1, 2, -2, 0] and table[1, 2] == 0.5
    for bad in ("", "m//s", "m s", 3, "/s"):
        with pytest.raises(InputError, match="no unit"):
            Units("s", {"x": bad})
    with pytest.raises(InputError, match="Not all columns"):
        Units("s", {"x": "m"}).weights(("x", "y"))


def test_equations_of_invariants():
    truth = Equations.from_text({"x": "-y + x*(1 - x**2 - y**2)", "y": "x + y*(1 - x**2 - y**2)"})
    t = np.linspace(0, 6, 120)
    flow = Trajectories.from_arrays([truth.simulate(s, t).states for s in ((0.1, 0.0), (0.0, 2.0))], t, ["x", "y"])
    library = Polynomial(1) + Polynomial(1) * Invariants(er.actions.rotation(2), 2)
    assert SINDy(library).fit(flow).equations_.n_terms == 6
