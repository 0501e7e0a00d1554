"""Functions become fields: how they take points, how exactly they are differentiated, what is refused."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from erlangen import _lazy
from erlangen._errors import InputError
from erlangen.fields import CallableField, PolynomialField, as_field, polynomial_field
from erlangen.fields._derivatives import CentralDifferences, ComplexStep
from erlangen.fields._probes import default_probes
from erlangen.fields.trajectories import Trajectories
from erlangen.testing import check_field

X = np.random.default_rng(7).uniform(0.2, 1.5, (25, 3))

# name: function, Jacobian by hand (n, c, d), the rule that should be found, whether it takes all points at once
FUNCTIONS = {
    "sum of squares": (lambda x: (x**2).sum(axis=1), lambda x: 2 * x[:, None], ComplexStep, True),
    "one column": (lambda x: x[:, :1] ** 3, lambda x: 3 * (x**2 * [1, 0, 0])[:, None], ComplexStep, True),
    "logarithm": (lambda x: np.log(x).sum(axis=1), lambda x: 1 / x[:, None], ComplexStep, True),
    "norm": (
        lambda x: np.linalg.norm(x, axis=1),
        lambda x: (x / np.linalg.norm(x, axis=1, keepdims=True))[:, None],
        CentralDifferences,
        True,
    ),
    "absolute value": (lambda x: np.abs(x).sum(axis=1), lambda x: np.sign(x)[:, None], CentralDifferences, True),
    "one point, math": (
        lambda x: x[0] * math.exp(x[1]),
        lambda x: np.stack([np.exp(x[:, 1]), x[:, 0] * np.exp(x[:, 1]), 0 * x[:, 2]], axis=1)[:, None],
        CentralDifferences,
        False,
    ),
    "one point, vector": (
        lambda x: np.array([x[1] * x[2], x[0]]),
        lambda x: np.stack([np.stack([0 * x[:, 0], x[:, 2], x[:, 1]], axis=1), [[1.0, 0, 0]] * len(x)], axis=1),
        ComplexStep,
        False,
    ),
    "one point, matrix": (
        lambda x: np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]) @ x,
        lambda x: np.broadcast_to([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]], (len(x), 2, 3)),
        ComplexStep,
        False,
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_differentiated_within_the_accuracy_they_state(name):
    function, jacobian, rule, together = FUNCTIONS[name]
    field = as_field(function, dim=3)
    assert isinstance(field, CallableField)
    assert isinstance(field.derivative, rule)
    expected = jacobian(X)
    miss = np.linalg.norm(field.jacobian(X) - expected) / np.linalg.norm(expected)
    assert miss <= max(10 * field.accuracy, 1e-14)
    assert field.accuracy <= 1e-9
    assert np.allclose(field.value(X)[3], np.ravel(function(X[3:4] if together else X[3])))
    check_field(field, X)


def test_differences_choose_their_step_by_the_units_of_each_coordinate():
    units = np.array([1e-6, 1.0, 1e6])
    field = as_field(lambda x: np.linalg.norm(np.sin(x / units), axis=1), dim=3, points=X * units)
    plain = as_field(lambda x: np.linalg.norm(np.sin(x), axis=1), dim=3, points=X)
    assert isinstance(field.derivative, CentralDifferences)
    scaled, reference = field.jacobian(X * units) * units, plain.jacobian(X)
    assert np.abs(scaled - reference).max() <= 1e-9
    assert field.accuracy < 1e-9


def test_values_in_float32_state_a_larger_error_and_keep_it():
    field = as_field(lambda x: np.sin(x.astype(np.float32)).sum(axis=1), dim=3)
    miss = np.linalg.norm(field.jacobian(X)[:, 0] - np.cos(X)) / np.linalg.norm(np.cos(X))
    assert 1e-8 < miss <= 10 * field.accuracy <= 1e-3


def test_a_given_jacobian_is_used_and_a_wrong_one_refused():
    field = as_field(lambda x: (x**2).sum(axis=1), dim=3, jacobian=lambda x: 2 * x)
    assert np.array_equal(field.jacobian(X), 2 * X[:, None])
    with pytest.raises(InputError, match="not the derivative"):
        as_field(lambda x: (x**2).sum(axis=1), dim=3, jacobian=lambda x: x)
    with pytest.raises(InputError, match=r"wrong shape[\s\S]*\(23, 1, 3\)"):
        as_field(lambda x: (x**2).sum(axis=1), dim=3, jacobian=lambda x: x[:, 0])


def test_complex_step_is_not_believed_where_it_disagrees_with_differences():
    # x * conj(x) takes complex points without complaint, and its imaginary part is zero.
    field = as_field(lambda x: (x * np.conj(x)).sum(axis=1) + 0 * x[:, 0], dim=3)
    assert isinstance(field.derivative, CentralDifferences)
    assert np.allclose(field.jacobian(X)[:, 0], 2 * X, rtol=1e-9)


def test_a_stated_accuracy_is_kept():
    assert as_field(lambda x: x[:, 0], dim=2, accuracy=0.01).accuracy == 0.01


def test_jumps_that_a_finite_flow_must_see_are_let_through():
    field = as_field(lambda x: (x**2).sum(axis=1) + np.sign(x[:, 2]), dim=3)
    assert np.allclose(field.jacobian(X)[:, 0], 2 * X)


RANDOM = np.random.default_rng(0)
REFUSED = {
    "no dimension": (dict(obj=lambda x: x[:, 0]), "how many coordinates"),
    "piecewise constant": (dict(obj=lambda x: np.round(3 * x).sum(axis=1), dim=2), "piecewise constant"),
    "random": (dict(obj=lambda x: x.sum(axis=1) + RANDOM.normal(size=len(x)), dim=2), "differently each time"),
    "random at one point": (dict(obj=lambda x: float(x[0]) + RANDOM.normal(), dim=2), "differently each time"),
    "never finite": (dict(obj=lambda x: x[:, 0] / 0.0, dim=2), "finite at none"),
    "raises": (dict(obj=lambda x: [][1], dim=2), "IndexError"),
    "arguments": (dict(obj=lambda x, y: x + y, dim=2), "required positional argument"),
    "wrong rows": (dict(obj=lambda x: np.ones((2, 2, 2)), dim=2), "neither one row per point"),
    "complex": (dict(obj=lambda x: x[:, 0] * 1j, dim=2), "real numbers"),
    "text": (dict(obj=lambda x: np.array(["a"] * len(x)), dim=2), "real numbers"),
    "rough": (dict(obj=lambda x: 1e3 * np.sin(1e9 * x).sum(axis=1), dim=2), "no derivative that can be measured"),
    "c = d": (dict(obj=lambda x: -x, dim=2), 'kind="invariant", kind="vector" or kind="map"|one of kind='),
    "kind": (dict(obj=lambda x: -x, dim=2, kind="scalar"), "no such kind"),
    "vector with c = 1": (dict(obj=lambda x: x[:, 0], dim=2, kind="vector"), "one value per coordinate"),
    "number": (dict(obj=3, dim=2), "Nothing is known"),
    "neither table nor list": (dict(obj=[1.0, 2.0]), "neither a table nor"),
    "points": (dict(obj=lambda x: x[:, 0], dim=2, points=np.ones((4, 3))), "points do not fit"),
    "dim of a field": (dict(obj=polynomial_field(2, 1, [0, 1, 0]), dim=3), "space that was named"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_field_is_refused_with_a_reason_and_a_remedy(name):
    options, message = REFUSED[name]
    with pytest.raises(InputError, match=message) as caught:
        as_field(**options)
    assert "fix:" in str(caught.value) and "given:" in str(caught.value)


def test_a_domain_is_tried_where_its_points_are():
    field = as_field(
        lambda x: np.sqrt(x[:, 0] - 100), dim=1, kind="invariant", points=np.linspace(101, 110, 40)[:, None]
    )
    assert np.allclose(field.jacobian(np.array([[104.0]])), 0.25)


def test_maps_become_increments_with_their_own_relative_error():
    dt = 1e-3
    turn = as_field(lambda x: np.abs(x) + dt * x[:, ::-1] ** 2, kind="map", dim=2, points=X[:, :2])
    x = X[:, :2]
    assert np.allclose(turn.value(x), dt * x[:, ::-1] ** 2)
    expected = np.zeros((len(x), 2, 2))
    expected[:, 0, 1], expected[:, 1, 0] = 2 * dt * x[:, 1], 2 * dt * x[:, 0]
    assert np.allclose(turn.jacobian(x), expected, atol=1e-10)
    assert turn.kind == "map"
    # D Phi - I is a thousand times smaller than D Phi: so much larger is its relative error.
    assert turn.accuracy > 100 * turn.base.accuracy
    check_field(turn, x)


def test_polynomials_stay_polynomials_as_vector_fields_and_maps():
    plain = polynomial_field(2, 1, [[0, 1, 2], [0, 3, 4]])
    for kind in ("vector", "map"):
        field = as_field(plain, kind)
        assert isinstance(field, PolynomialField) and field.kind == kind
    x = X[:, :2]
    assert np.allclose(as_field(plain, "map").value(x), plain.value(x) - x)
    assert as_field(plain) is plain
    with pytest.raises(InputError, match="says itself"):
        as_field(as_field(plain, "vector"), "map")


def test_default_probes_are_fixed():
    assert np.array_equal(default_probes(4), default_probes(4))


def test_frameworks_are_found_by_name_and_never_imported():
    code = (
        "import sys, numpy as np, erlangen.fields as F; F.as_field(lambda x: x[:, 0], dim=2);"
        "heavy = {'torch', 'sklearn', 'sympy', 'pandas'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert _lazy.packages(bool) == {"builtins"}


def test_tables_are_fitted():
    table = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    field = as_field((table, table[:, 0] * table[:, 1]))
    assert np.allclose(field.jacobian(X[:, :2])[:, 0], X[:, 1::-1], atol=1e-6)


def test_trajectories_are_a_vector_field_with_the_names_of_their_columns():
    t = np.linspace(0, 6, 200)
    runs = [np.stack([a * np.cos(t + b), -a * np.sin(t + b)], axis=1) for a, b in ((1, 0), (2, 1), (0.5, 2))]
    flow = Trajectories.from_arrays(runs, t, names=["q", "p"])
    field = as_field(flow)
    assert (field.kind, field.names) == ("vector", ("q", "p"))
    assert np.allclose(field.jacobian(np.zeros((1, 2)))[0], [[0, 1], [-1, 0]], atol=1e-6)
    with pytest.raises(InputError, match="vector field"):
        as_field(flow, kind="map")
