"""Flows of dysts are read from source: a package of the same make, written here, shows every way that it is done."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import erlangen as er
from erlangen.systems import _dysts

FLOWS = """
import numpy as np
import a_package_that_nobody_has

from .base import DynSys, DynSysDelay, staticjit


class Lorenz(DynSys):
    @staticjit
    def _rhs(x, y, z, t, beta, rho, sigma):
        return sigma * (y - x), rho * x - x * z - y, x * y - beta * z


class Again(Lorenz):
    pass


class Ring(DynSys):
    def rhs(self, X, t):
        out = np.zeros_like(X)
        for k in range(len(X)):
            out[k] = X[k - 1] ** self.n / 3 - X[k]
        return out


class Net(DynSys):
    def f(self, x):
        return np.tanh(x)

    def rhs(self, X, t):
        return self.f(np.matmul(self.w, X)) - X


class Switch(DynSys):
    @staticjit
    def _rhs(x, t, a):
        return (a if a > 0 else 0) - np.abs(x) + 0.1 * np.heaviside(x, 0),


class Clock(DynSys):
    @staticjit
    def _rhs(x, t, a):
        return a * np.sin(t),


class Gate(DynSys):
    @staticjit
    def _rhs(x, t, a):
        return (a if x > 0 else x),


class Past(DynSysDelay):
    @staticjit
    def _rhs(x, xt, t, a):
        return a * xt - x,
"""
PARAMETERS = {
    "Lorenz": (3, {"beta": 2.667, "rho": 28, "sigma": 10}),
    "Again": (3, {"beta": 0.1, "rho": 1, "sigma": 2}),
    "Ring": (5, {"n": 3}),
    "Net": (2, {"w": [[1.0, 2.0], [0.0, -1.0]]}),
    "Switch": (1, {"a": 0.3}),
    "Clock": (1, {"a": 1}),
    "Gate": (1, {"a": 1}),
    "Past": (1, {"a": 1}),
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package named dysts, first on the path; importing its flows would fail."""
    root = tmp_path / "dysts"
    (root / "data").mkdir(parents=True)
    (root / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    (root / "flows.py").write_text(FLOWS, encoding="utf-8")
    table = {
        name: {
            "parameters": parameters, "embedding_dimension": d, "delay": name == "Past", "period": 1.5, "dt": 0.01,
            "initial_conditions": [0.5] * d, "citation": "someone", "description": name,
        }
        for name, (d, parameters) in PARAMETERS.items()
    }  # fmt: skip
    (root / "data" / "chaotic_attractors.json").write_text(json.dumps(table), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "dysts", raising=False)
    _forget()
    yield
    _forget()


def _forget():
    _dysts._package.cache_clear()
    _dysts.dysts_names.cache_clear()


def test_flows_are_read_with_their_parameters_and_data(package):
    system = er.systems.dysts("Lorenz")
    assert system.equations() == {"x": "10*(-x + y)", "y": "28*x - x*z - y", "z": "-2.667*z + x*y"}
    assert (system.period, system.step, system.span) == (1.5, 0.01, 15.0)
    assert np.array_equal(system.initial, [[0.5, 0.5, 0.5]])
    x = np.array([1.0, 2.0, 3.0])
    assert er.systems.dysts("Again").rhs(x) == pytest.approx([2.0, 1.0 - 3.0 - 2.0, 2.0 - 0.3])
    assert "dysts" not in sys.modules


def test_methods_arrays_comparisons_and_steps_are_read(package):
    x = np.array([0.3, -0.2, 0.5, 0.7, -0.4])
    assert er.systems.dysts("Ring").rhs(x) == pytest.approx(np.roll(x, 1) ** 3 / 3 - x, rel=1e-14)
    w = np.array([[1.0, 2.0], [0.0, -1.0]])
    assert er.systems.dysts("Net").rhs(x[:2]) == pytest.approx(np.tanh(w @ x[:2]) - x[:2], rel=1e-14)
    assert er.systems.dysts("Switch").rhs(np.array([[2.0], [-2.0]])).ravel() == pytest.approx([-1.6, -1.7])


def test_names_degrees_and_aliases(package):
    assert er.systems.dysts_names() == ("Again", "Lorenz", "Net", "Ring", "Switch")
    assert er.systems.dysts_names(polynomial=True) == ("Again", "Lorenz")  # a ring of five has degree 3
    assert er.systems.dysts_aliases() == {"Again": "Lorenz"}


@pytest.mark.parametrize(
    ("name", "reason"), [("Clock", "depends on time"), ("Past", "past"), ("Gate", "truth value"), ("Lorentz", "Lorenz")]
)
def test_what_cannot_be_read_is_said(package, name, reason):
    with pytest.raises(er.InputError, match=reason):
        er.systems.dysts(name)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(_dysts, "find_spec", lambda name: None)
    _forget()
    with pytest.raises(er.MissingExtraError, match=r"erlangen\[dysts\]"):
        er.systems.dysts("Lorenz")
    _forget()
