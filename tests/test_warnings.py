"""Warnings say what happened and what to do, are erlangen's own, and point at the line of the user."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

import erlangen as er
from erlangen.fields import Exponential, Trajectories
from erlangen.fields.libraries import Polynomial
from erlangen.io import DataWarning

ROOT = Path(er.__file__).parent
T = np.linspace(0, 10, 200)
CIRCLE = np.stack([np.cos(T), -np.sin(T)], axis=1)


def calls(tree, name):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == name:
                yield node


def test_every_warning_goes_through_the_one_that_asks_what_to_do():
    direct, silent = [], []
    for path in ROOT.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in calls(ast.parse(text), "warn") if "warn(" in text else ():
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            if isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "warnings":
                direct.append(where)
            elif isinstance(node.func, ast.Name):
                silent += [] if "fix" in {k.arg for k in node.keywords} else [where]
    assert [where.partition(":")[0] for where in direct] == ["_errors.py"] and not silent


def constant_column():
    er.dynamics.SINDy(degree=1, form="weak").fit(np.c_[CIRCLE, np.full(200, 3.0)], T)


def missing_samples():
    states = CIRCLE.copy()
    states[7] = np.nan
    Trajectories.from_arrays(states, T)


def early_end():
    model = er.dynamics.SINDy(degree=2, sparsity=None).fit(CIRCLE[:, :1], x_dot=CIRCLE[:, :1] ** 2)
    model.simulate([1.0], np.linspace(0, 5, 20))


def constant_output():
    er.nn.EquivariantMLP("S", "V", er.groups.SO(2))


@pytest.mark.parametrize(
    ("work", "words", "fix"),
    [
        (constant_column, "Constant in each run: x3", "leave it out, or say so"),
        (missing_samples, "Left out 1 samples", "the runs are cut there"),
        (early_end, "The solution ends early", "simulate, which returns what was reached"),
    ],
)
def test_a_warning_says_what_to_do_and_where_it_arose(work, words, fix):
    with pytest.warns(er.ErlangenWarning, match=words) as heard:
        work()
    said = next(one for one in heard if words in str(one.message))
    assert "\n  fix: " in str(said.message) and fix in str(said.message)
    assert said.filename == __file__


def test_warnings_of_the_data_are_a_kind_of_their_own():
    assert issubclass(DataWarning, er.ErlangenWarning) and issubclass(er.ErlangenWarning, UserWarning)


def test_an_estimator_that_stops_early_is_told_in_the_terms_of_the_certificate():
    x = np.random.default_rng(0).uniform(-1, 1, (600, 2))
    model = MLPRegressor(hidden_layer_sizes=(4,), activation="tanh", max_iter=3, random_state=0)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        er.evidence.certify((x, (x**2).sum(axis=1)), er.actions.rotation(2), model=model)
    kinds = {one.category for one in heard}
    assert er.ErlangenWarning in kinds and ConvergenceWarning not in kinds


def test_functions_that_are_too_large_are_left_out_without_overflow():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", er.ErlangenWarning)
        model = er.dynamics.SINDy(Polynomial(degree=1) + Exponential(), form="weak").fit(400 * CIRCLE, T)
    np.testing.assert_allclose(model.predict([[1.0, 0.0]]), [[0.0, -1.0]], atol=0.05)
