"""What the benchmark calls right: normal forms against known identities, and bounds against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

import erlangen as er
from benchmarks import dynamics
from benchmarks._bounds import Sensitivities, multiplicative
from benchmarks._dynamics_four import BY_NAME, Task
from benchmarks._dynamics_odebench import LIBRARY, Outcome
from benchmarks._laws import named
from benchmarks._truth import (
    canonical,
    combined,
    is_true,
    joint_rmse,
    same_support,
    true_coefficients,
    true_terms,
    worst,
)  # fmt: skip
from erlangen._formula import Formula
from erlangen.dynamics._equation_terms import formula_text
from erlangen.systems import System

EQUAL = [
    ("(1 - x/2)*x", "x - x**2/2"),
    ("sin(x)*cos(x)", "sin(2*x)/2"),
    ("cos(x)**4 - 1", "sin(x)**4 - 2*sin(x)**2"),
    ("sin(x - y)", "sin(x)*cos(y) - cos(x)*sin(y)"),
    ("x**2/(1 + x**2)", "1 - 3/(3 + 3*x**2)"),
    ("x**3*y/(1 + x**2)", "x*y - x*y/(1 + x**2)"),
    ("x*log(2*x)", "x*log(abs(x)) + 0.6931471805599453*x"),
    ("exp(x)*exp(y)", "exp(x + y)"),
    ("x^2 y", "x**2*y"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_functions_have_one_normal_form(one, other):
    a, b = canonical(one, ("x", "y")), canonical(other, ("x", "y"))
    assert a.keys() == b.keys()
    assert [a[k] for k in a] == pytest.approx([b[k] for k in a], rel=1e-12)


@pytest.mark.parametrize("number", range(1, 64))
def test_the_normal_form_of_the_truth_is_the_truth(number):
    system = er.systems.odebench(number)
    x = np.abs(system.initial) * 0.9 + 0.1
    columns = dict(zip(system.names, x.T, strict=True))
    for form, expected in zip(true_terms(system), system.rhs(x).T, strict=True):
        terms = [c * Formula(key.replace("Abs", "abs"), system.names).evaluate(columns) for key, c in form.items()]
        assert sum(terms) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_what_lies_in_a_library_is_told_from_what_does_not():
    outside = []
    for number in range(1, 64):
        system = er.systems.odebench(number)
        texts = ["1", *(formula_text(text, system.names) for text in LIBRARY.bind(system.names).texts)]
        coefficients = true_coefficients(system, texts)
        if coefficients is None:
            outside.append(number)
        elif number % 9 == 0:
            assert is_true(combined(coefficients, texts, system.names), true_terms(system), 1e-9)
    assert {4, 10, 14, 18, 19, 22, 47, 48, 53, 62} <= set(outside)  # constants inside functions
    assert not {1, 3, 15, 24, 34, 42, 46, 56, 60, 63} & set(outside)


def test_right_means_the_same_terms_and_coefficients_nearly_the_same():
    truth = ({"x": 1.0, "y": -2.0}, {"x": 3.0})
    near, off, more = (
        ({"x": 1.04, "y": -2.0}, {"x": 3.0}),
        ({"x": 1.06, "y": -2.0}, {"x": 3.0}),
        ({"x": 1.0}, {"x": 3.0}),
    )
    assert is_true(near, truth) and not is_true(off, truth) and same_support(off, truth)
    assert not same_support(more, truth) and worst(more, truth) == 1.0
    assert joint_rmse(off, truth) == pytest.approx(np.sqrt((0.06**2 / 2 + 0.0) / 2))
    assert combined(np.array([[0.1, 0.2, -0.3]]), ["x", "x", "x"], ["x"]) == ({},)  # rounding is no term


def test_sensitivities_are_differences_of_solutions():
    system = er.systems.odebench(27)
    times, x0 = np.linspace(0, 3, 7), system.initial[1]
    exact = Sensitivities(system)
    _, slopes = exact.along(x0, times)
    h = 1e-5
    for j, name in enumerate(["c0", "c1", "c2", "c3"]):
        a, b = (system.with_parameters(**{name: system.parameters[name] + s * h}) for s in (1, -1))
        difference = (a.simulate(x0, times) - b.simulate(x0, times)) / (2 * h)
        sign = [1, -1, -1, 1][j]
        assert slopes[:, :, j] == pytest.approx(sign * difference, abs=1e-5 * np.abs(difference).max())
    difference = (system.simulate(x0 + [h, 0], times) - system.simulate(x0 - [h, 0], times)) / (2 * h)
    assert slopes[:, :, 4] == pytest.approx(difference, abs=1e-5 * np.abs(difference).max())


def test_the_bound_of_growth_is_that_of_a_straight_line():
    # log x = log x0 + c t with errors of 5 %: the slope of two lines of the same slope.
    system = System("growth", ("x",), ("c*x",), {"c": 0.23}, initial=np.array([[4.78], [0.87]]))
    times = np.linspace(0, 10, 150)
    closed = 0.05 / np.sqrt(2 * np.sum((times - times.mean()) ** 2)) / 0.23
    assert multiplicative(system, times, 0.05) == pytest.approx(closed / np.sqrt(1 + 2 * 0.05**2), rel=1e-6)
    slopes = [
        np.polyfit(times, 0.23 * times + 0.05 * default_rng(k).standard_normal(150), 1)[0] for k in range(200)
    ]  # fmt: skip
    assert np.std(slopes) / 0.23 == pytest.approx(np.sqrt(2) * closed, rel=0.15)


def test_a_coefficient_that_data_do_not_see_has_no_bound():
    still = System("still", ("x", "y"), ("a*y", "0*x"), {"a": 1.0}, initial=np.array([[1.0, 0.0]]))
    assert multiplicative(still, np.linspace(0, 1, 10), 0.05) == np.inf
    twins = System("twins", ("x", "y"), ("-x - y", "-x - y"), initial=np.array([[1.0, 1.0]]))  # x and y never differ
    assert multiplicative(twins, np.linspace(0, 1, 10), 0.05) == np.inf


@pytest.mark.parametrize(("number", "said"), [(28, "conserved"), (29, "[xi, F] = (1) F"), (32, ""), (63, "x3")])
def test_laws_are_named_from_equations(number, said):
    system = er.systems.odebench(number)
    name = named(true_terms(system), er.systems.odebench_trajectories(number))
    assert said in name and bool(name) == bool(said)


def test_fits_are_weighed_by_the_share_of_draws_and_the_median():
    one = Outcome(1, 0.05, True, 0.01, {"erlangen": [True, False, True]})
    assert one.solved() and not one.solved("tuned")
    assert not Outcome(1, 0.05, True, 0.01, {"erlangen": [True, False]}).solved()


def test_subsamples_are_random_halves_that_a_seed_repeats():
    growth = Task(BY_NAME["growth"], subsamples=2)
    one, two = growth.data(3)
    assert one.n_runs == two.n_runs == 50 and one.groups != two.groups
    assert np.array_equal(next(growth.data(3)).points, one.points)
    assert Task(BY_NAME["selkov"], share=0.0).label == "selkov, 20% noise, 1 run of 10,000"


def test_groups_are_chosen_by_name():
    with pytest.raises(SystemExit, match="no group is called fuor; groups: four, odebench"):
        dynamics.run(False, ("fuor",))
