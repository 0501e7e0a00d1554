"""Hamiltonians of fields and of noisy runs, and the evidence where the library has none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from erlangen._errors import InputError, UndecidedError
from erlangen.derivative import Samples
from erlangen.dynamics import Equations, hamiltonian, structure
from erlangen.fields import Expressions, Polynomial, as_field
from erlangen.fields.trajectories import Trajectories

HENON = Equations.from_text({"x": "px", "y": "py", "px": "-x - 2*x*y", "py": "-y - x**2 + y**2"})
DAMPED = Equations.from_text({"q": "p", "p": "-sin(q) - 0.1*p"})
PENDULUM = Equations.from_text({"q": "p", "p": "-sin(q)"})
ENERGY = "0.5 x^2 + 0.5 y^2 + 0.5 px^2 + 0.5 py^2 + x^2 y - 1/3 y^3"
PAIRS = {"positions": ("x", "y"), "momenta": ("px", "py")}
TIMES = np.arange(0, 20, 0.05)
RICH = Polynomial(degree=3) + Expressions("cos(q)", "sin(q)")


def runs(equations, noise, n_runs=4, scale=1.0, derivatives=False):
    rng = np.random.default_rng(0)
    states = []
    for _ in range(n_runs):
        start = scale * rng.normal(size=len(equations.names))
        x = equations.simulate(start, TIMES).states
        states.append(x + noise * x.std(axis=0) * rng.normal(size=x.shape))
    slopes = [equations.value(x) for x in states] if derivatives else None
    return Trajectories.from_arrays(states, [TIMES] * n_runs, equations.names, slopes)


def box(d, n=200):
    return Samples.box(-1, 1, dim=d, n=n)


@pytest.mark.parametrize("how", ["unknown", "declared", "given"])
def test_energy_of_a_field(how):
    given = {"declared": PAIRS, "given": {"form": structure(HENON, box(4))}}.get(how, {})
    found = hamiltonian(HENON, Polynomial(degree=3), samples=box(4), **given)
    assert found.found and found.text == ENERGY
    x = box(4, 32).points
    assert np.allclose(found.value(x), HENON.value(x))
    assert np.allclose(found.energy(x) - found.energy(x[:1]), _energy(x) - _energy(x[:1]))


def _energy(x):
    return 0.5 * (x**2).sum(axis=1) + x[:, 0] ** 2 * x[:, 1] - x[:, 1] ** 3 / 3


def test_energy_in_hidden_coordinates_is_the_energy():
    mix = np.random.default_rng(0).normal(size=(4, 4))
    hidden = as_field(lambda z: HENON.value(z @ mix.T) @ np.linalg.inv(mix).T, kind="vector", dim=4)
    z = box(4).points @ np.linalg.inv(mix).T
    found = hamiltonian(hidden, Polynomial(degree=3), samples=z)
    assert found.found
    assert abs(np.corrcoef(found.energy(z), _energy(z @ mix.T))[0, 1]) == pytest.approx(1.0, abs=1e-9)


def test_a_library_that_is_too_small_says_so():
    found = hamiltonian(HENON, Polynomial(degree=2), samples=box(4))
    assert not found.found and "larger library" in found.reason
    assert found.verdict == "No Hamiltonian exists in this library."


def test_friction_is_no_hamiltonian_for_any_library():
    found = hamiltonian(DAMPED, samples=box(2))
    assert not found.found and found.law is None and "no library" in found.reason
    with pytest.raises(UndecidedError, match="no Hamiltonian"):
        found.value(np.zeros((1, 2)))
    declared = hamiltonian(DAMPED, RICH, samples=box(2), positions=["q"], momenta=["p"])
    assert not declared.found and "not Hamiltonian for this W" in declared.reason


@pytest.mark.parametrize("declared", [True, False])
def test_energy_from_noisy_runs(declared):
    flow = runs(PENDULUM, 0.01, scale=1.2)
    found = hamiltonian(flow, RICH, **({"positions": ["q"], "momenta": ["p"]} if declared else {}))
    assert found.found
    used = dict(zip(found.law.features.texts, found.law.coefficients, strict=True))
    assert {name for name, c in used.items() if c} == {"p^2", "cos(q)"}
    assert used["cos(q)"] / used["p^2"] == pytest.approx(-2, rel=0.02)


def test_friction_in_noisy_runs_is_noticed():
    found = hamiltonian(runs(DAMPED, 0.01, scale=1.2), RICH, positions=["q"], momenta=["p"])
    assert not found.found
    assert found.held_out > 2 * found.free


@pytest.mark.parametrize(("damping", "noise"), [(0.1, 0.01), (0.03, 0.01), (0.03, 0.05), (0.0, 0.01), (0.0, 0.05)])
def test_weak_friction_is_told_from_none(damping, noise):
    field = Equations.from_text({"q": "p", "p": f"-sin(q) - {damping}*p"})
    rng = np.random.default_rng(0)
    states = [field.simulate(x, TIMES).states for x in ([1.0, 0], [0, 1.5], [2.0, 0], [0.5, 1.0])]
    noisy = [x + noise * rng.normal(size=x.shape) for x in states]
    flow = Trajectories.from_arrays(noisy, TIMES, names=["q", "p"])
    found = hamiltonian(flow, RICH, positions=["q"], momenta=["p"])
    assert found.found == (damping == 0.0), found.reason
    assert damping == 0.0 or "standard errors" in found.reason


def test_known_derivatives_are_used_as_they_are():
    found = hamiltonian(runs(PENDULUM, 0.0, n_runs=2, derivatives=True), RICH, positions=["q"], momenta=["p"])
    assert found.found and found.text == "0.5 p^2 - cos(q)"
    assert found.symmetry.law is found.law
    assert found.to_latex().startswith("H = ")


def test_printed_and_stored():
    found = hamiltonian(HENON, Polynomial(degree=3), samples=box(4), **PAIRS)
    assert str(found).startswith(f"H = {ENERGY}")
    assert json.loads(json.dumps(found.to_dict()))["found"] is True
    assert "<table>" in found._repr_html_() and ENERGY in repr(found)


def test_bad_input():
    with pytest.raises(InputError, match="somewhere"):
        hamiltonian(HENON)
    with pytest.raises(InputError, match="in no pair"):
        hamiltonian(HENON, samples=box(4), positions=["x"], momenta=["px"])
    with pytest.raises(InputError, match="no form"):
        hamiltonian(HENON, samples=box(4), form=np.eye(4))
    with pytest.raises(InputError, match="not finite"):
        hamiltonian(PENDULUM, Expressions("sqrt(q)"), samples=box(2))
    with pytest.raises(InputError, match="constant"):
        hamiltonian(PENDULUM, Expressions("1/2"), samples=box(2))
