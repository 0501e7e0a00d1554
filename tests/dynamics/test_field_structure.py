"""Which forms Jacobians respect: known answers, laws under changes of coordinates, and what is not decided."""

from __future__ import annotations

import json
from itertools import combinations_with_replacement

import numpy as np
import pytest
import sympy

from erlangen._errors import InputError, UndecidedError
from erlangen.derivative import Samples
from erlangen.dynamics import Equations, structure
from erlangen.dynamics._form_choice import choose_metric, darboux
from erlangen.dynamics._forms import BUDGET, Frame, form_spectrum
from erlangen.fields import Polynomial, Trajectories, as_field
from erlangen.linalg.rank import Threshold

CANONICAL = np.kron([[0.0, -1.0], [1.0, 0.0]], np.eye(2))
FIELDS = {
    "oscillator": {"x": "v", "v": "-x"},
    "damped": {"x": "v", "v": "-x - 0.3*v"},
    "pendulum, damped": {"q": "p", "p": "-sin(q) - 0.3*p"},
    "henon": {"x": "px", "y": "py", "px": "-x - 2*x*y", "py": "-y - x**2 + y**2"},
    "henon, damped": {"x": "px", "y": "py", "px": "-x - 2*x*y - 0.2*px", "py": "-y - x**2 + y**2 - 0.2*py"},
    "unequally damped": {"x": "px", "y": "py", "px": "-x - 2*x*y - 0.2*px", "py": "-y - x**2 + y**2"},
    "gradient": {"x": "-4*x**3 - y", "y": "-x - y + z", "z": "y - z**3"},
    "gradient in a metric": {"x": "2*(-4*x**3 - y)", "y": "-x - y + z", "z": "3*(y - z**3)"},
    "rotation": {"x": "-y", "y": "x", "z": "0"},
    "rigid body": {"x": "y*z", "y": "-2*x*z", "z": "x*y"},
    "boost": {"t": "x", "x": "t"},
    "friction alone": {"x": "-x", "y": "-x*y**2"},
}
VERDICTS = {  # gradient, hamiltonian, conformal, isometry, volume
    "oscillator": ("indefinite", "yes", "yes", "yes", "yes"),
    "damped": ("indefinite", "no", "yes", "no", "no"),
    "pendulum, damped": ("indefinite", "no", "yes", "no", "no"),
    "henon": ("indefinite", "yes", "yes", "no", "yes"),
    "henon, damped": ("indefinite", "no", "yes", "no", "no"),
    "unequally damped": ("indefinite", "no", "near", "no", "no"),
    "gradient": ("yes", "no", "no", "no", "no"),
    "gradient in a metric": ("yes", "no", "no", "no", "no"),
    "rotation": ("indefinite", "degenerate", "degenerate", "yes", "yes"),
    "rigid body": ("indefinite", "no", "no", "no", "yes"),
    "boost": ("yes", "yes", "yes", "yes", "yes"),
    "friction alone": ("degenerate", "no", "no", "no", "no"),
}


def box(d, n=128):
    return Samples.box(-1, 1, dim=d, n=n)


def found_for(name):
    equations = Equations.from_text(FIELDS[name])
    return structure(equations, box(len(equations.names)))


@pytest.mark.parametrize("name", FIELDS)
def test_verdicts_of_known_fields(name):
    found = found_for(name)
    assert tuple(f.verdict for f in found.findings) == VERDICTS[name]


@pytest.mark.parametrize("name", FIELDS)
def test_forms_satisfy_their_equation_symbolically(name):
    equations = Equations.from_text(FIELDS[name])
    found = structure(equations, box(len(equations.names)))
    symbols = sympy.symbols(equations.names)
    jacobian = sympy.Matrix(equations.to_sympy()).jacobian([s for s in _symbols(equations, symbols)])
    for finding, turn in ((found.gradient, -1), (found.hamiltonian, 1), (found.conformal, 1), (found.isometry, 1)):
        for form in finding.forms:
            x = sympy.Matrix(np.round(form, 12))
            left = turn * jacobian.T * x + x * jacobian - sympy.Float(finding.rate) * x
            values = left.subs({s: 0.37 + 0.11 * k for k, s in enumerate(sorted(left.free_symbols, key=str))})
            assert np.abs(np.array(values, dtype=float)).max() < 1e-9


def _symbols(equations, plain):
    by_name = {s.name: s for part in equations.to_sympy() for s in part.free_symbols}
    return [by_name.get(s.name, s) for s in plain]


def test_friction_is_the_rate():
    assert found_for("damped").conformal.rate == pytest.approx(-0.3, abs=1e-12)
    assert found_for("henon, damped").conformal.rate == pytest.approx(-0.2, abs=1e-12)


def test_metric_of_a_gradient_flow():
    found = found_for("gradient in a metric").gradient
    assert np.allclose(found.matrix / found.matrix[1, 1], np.diag([0.5, 1, 1 / 3]))
    assert found.signature == (3, 0)
    assert np.array_equal(found_for("gradient").gradient.matrix, np.eye(3))


@pytest.mark.parametrize("seed", range(3))
def test_hidden_linear_coordinates_carry_the_form_along(seed):
    mix = np.random.default_rng(seed).normal(size=(4, 4)) * [1, 10, 0.1, 1]
    henon, back = Equations.from_text(FIELDS["henon"]), np.linalg.inv(mix)
    hidden = as_field(lambda z: henon.value(z @ mix.T) @ back.T, kind="vector", dim=4, jacobian=None)
    found = structure(hidden, box(4).points @ back.T).hamiltonian
    wanted = mix.T @ CANONICAL @ mix
    assert found.verdict == "yes" and found.defect < 1e-8
    assert abs(np.vdot(found.matrix, wanted)) == pytest.approx(
        np.linalg.norm(found.matrix) * np.linalg.norm(wanted), rel=1e-9
    )
    t = found.coordinates
    assert np.allclose(t.T @ found.matrix @ t, CANONICAL)


def test_units_do_not_matter():
    units = np.array([1000.0, 1.0, 0.01, 1.0])
    henon = Equations.from_text(FIELDS["unequally damped"])
    plain = structure(henon, box(4).points).hamiltonian
    scaled = as_field(lambda z: henon.value(z / units) * units, kind="vector", dim=4)
    assert np.allclose(structure(scaled, box(4).points * units).hamiltonian.spectrum, plain.spectrum, rtol=1e-6)


def test_unrelated_jacobians_have_defects_of_one():
    j = np.random.default_rng(0).normal(size=(200, 6, 6))
    frame = Frame.of(j, np.full(200, 1 / 200), 1e-16)
    for parity, product in ((1, 1), (-1, 1), (1, -1)):
        values = form_spectrum(frame, parity, product).values
        assert 0.8 < values[0] and values[-1] < 1.2


@pytest.mark.parametrize(("parity", "product"), [(1, 1), (-1, 1), (1, -1)])
def test_defects_agree_with_their_definition(parity, product):
    j = np.random.default_rng(1).normal(size=(30, 3, 3)) * [1, 5, 0.2]
    spectrum = form_spectrum(Frame.of(j, np.full(30, 1 / 30), 1e-16), parity, product)
    for value, x in zip(spectrum.values, spectrum.forms, strict=True):
        assert np.allclose(x, parity * x.T)
        moved = x @ j
        left = np.sum((moved - product * moved.transpose(0, 2, 1)) ** 2) / (2 * np.sum(moved**2))
        assert value == pytest.approx(np.sqrt(left), rel=1e-9)


def test_random_fields_have_no_structure():
    for seed in range(5):
        family = Polynomial(degree=2, dim=4).as_vector_field()
        field = family.with_theta(np.random.default_rng(seed).normal(size=family.n_params))
        assert all(f.verdict == "no" for f in structure(field, box(4)).findings)


def test_a_small_breaking_is_near_and_not_found():
    bent = Equations.from_text({"x": "px", "y": "py", "px": "-x - 2*x*y", "py": "-y - x**2 + y**2 + 0.02*x"})
    found = structure(bent, box(4))
    assert found.hamiltonian.verdict == "near"
    assert "nearly" in found.verdict and "Hamiltonian" in found.verdict
    assert structure(bent, box(4), rule=Threshold(0.05)).hamiltonian.verdict == "yes"


def test_coarse_jacobians_decide_nothing():
    henon = Equations.from_text(FIELDS["henon"])
    field = as_field(henon.value, kind="vector", dim=4, accuracy=0.2)
    assert {f.verdict for f in structure(field, box(4)).findings} == {"not decided"}


def test_errors_of_fitted_coefficients_count():
    bent = Equations.from_text({**FIELDS["henon"], "py": "-y - x**2 + y**2 + 0.001*x"})
    empty = np.zeros((4, 1))  # a term of the library that was not used
    coefficients = np.hstack([bent.coefficients, empty])
    known = Equations(bent.names, (), (*bent.terms, "px**3"), coefficients, 1e-3 * (coefficients != 0))
    assert structure(bent, box(4)).hamiltonian.verdict == "near"
    found = structure(known, box(4))
    assert found.hamiltonian.verdict == "yes"
    assert 1e-4 < found.accuracy < 1e-2


def test_constant_fields_say_nothing():
    found = structure(Equations.from_text({"x": "1", "y": "2"}), box(2))
    assert {f.verdict for f in found.findings} == {"not decided"}


def test_a_definite_form_is_found_among_indefinite_ones_or_proved_absent():
    rng = np.random.default_rng(0)
    others = [np.diag(rng.normal(size=8)) for _ in range(4)]
    hidden = np.diag(rng.uniform(1, 2, size=8)) + 30 * sum(
        others
    )  # no single form, sum or chance combination is definite
    chosen = choose_metric(np.array([*others, hidden]), np.ones((8, 8)), 0.0)
    assert np.linalg.eigvalsh(chosen)[0] > 0
    hyperbolic = np.array([[[1.0, 0.0], [0.0, -1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    assert np.prod(np.linalg.eigvalsh(choose_metric(hyperbolic, np.eye(2), 0.0))) < 0


def test_mixtures_of_many_jacobians_find_the_same_form(monkeypatch):
    monkeypatch.setattr("erlangen.dynamics._forms.BUDGET", 1.0)
    assert BUDGET > 1.0
    rng = np.random.default_rng(0)
    half, n = 6, 40
    potential = rng.normal(size=(n, half, half))
    j = np.zeros((n, 2 * half, 2 * half))
    j[:, :half, half:] = np.eye(half)
    j[:, half:, :half] = -(potential + potential.transpose(0, 2, 1))
    spectrum = form_spectrum(Frame.of(j, np.full(n, 1 / n), 1e-16), -1, 1)
    assert spectrum.mixed and spectrum.values[0] < 1e-12 < 0.1 < spectrum.values[1]


def test_darboux_of_random_forms():
    for d in (2, 4, 6):
        a = np.random.default_rng(d).normal(size=(d, d))
        t = darboux(a - a.T)
        assert np.allclose(t.T @ (a - a.T) @ t, np.kron([[0.0, -1.0], [1.0, 0.0]], np.eye(d // 2)))


def test_printed_and_stored():
    found = found_for("henon")
    assert found.text_of("hamiltonian") == "dpx ^ dx + dpy ^ dy"
    assert str(found).startswith("The field is Hamiltonian.")
    assert r"\wedge" in found.to_latex() and "<table>" in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["hamiltonian"]["verdict"] == "yes"
    assert "hamiltonian: yes" in repr(found)


def test_bad_input():
    henon = Equations.from_text(FIELDS["henon"])
    with pytest.raises(InputError, match="too few points"):
        structure(henon, np.zeros((100, 4)))
    root = as_field(lambda x: np.sqrt(np.abs(x)), kind="vector", dim=1, jacobian=lambda x: 0.5 / np.sqrt(x)[:, None])
    with np.errstate(divide="ignore"), pytest.raises(InputError, match="no finite derivative"):
        structure(root, np.linspace(0, 1, 20)[:, None])
    with pytest.raises(InputError, match="rule"):
        structure(henon, box(4), rule=0.05)  # type: ignore[arg-type]
    with pytest.raises(UndecidedError, match="canonical"):
        _ = found_for("damped").hamiltonian.coordinates


def test_one_coordinate_is_a_gradient():
    found = structure(Equations.from_text({"x": "x - x**3"}), box(1))
    assert found.gradient.verdict == "yes" and found.hamiltonian.verdict == "no"


def test_quadratic_forms_are_counted_right():
    """x' = A x with A antisymmetric of distinct frequencies: the metrics kept are one for each plane."""
    a = np.zeros((4, 4))
    a[0, 1], a[2, 3] = 1.0, np.sqrt(2)
    found = structure(lambda x: x @ (a - a.T).T, box(4))
    assert (found.isometry.dim, found.hamiltonian.dim) == (2, 2)
    assert len(list(combinations_with_replacement(range(4), 2))) == len(found.isometry.spectrum)


def test_samples_are_asked_for_and_runs_bring_their_own():
    with pytest.raises(InputError, match="samples are missing"):
        structure(Equations.from_text({"x": "y", "y": "-x"}))
    t = np.linspace(0, 6, 121)
    flow = Trajectories.from_arrays([a * np.c_[np.sin(t), np.cos(t)] for a in (1.0, 2.0)], t, names=["x", "y"])
    assert structure(flow).n_points == structure(flow, flow).n_points
