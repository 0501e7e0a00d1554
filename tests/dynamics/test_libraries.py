"""Libraries of functions named after columns."""

from __future__ import annotations

import numpy as np
import pytest

from erlangen._errors import InputError
from erlangen.fields.libraries import Expressions, Polynomial

NAMES = ("x", "y")
LIBRARIES = [
    Polynomial(degree=3),
    Expressions("1/sqrt(x**2+y**2)", "x*exp(-y)"),
    Polynomial(degree=1) + Expressions("cos(x)") + Expressions("log(y)"),
]


@pytest.mark.parametrize("library", LIBRARIES)
def test_gradients_by_central_differences(library):
    features = library.bind(NAMES)
    x = np.random.default_rng(0).uniform(0.5, 2, size=(20, 2))
    gradients = features.basis.gradients(x)
    step = 1e-6
    for j in range(2):
        e = step * np.eye(2)[j]
        slope = (features.basis.evaluate(x + e) - features.basis.evaluate(x - e)) / (2 * step)
        assert np.allclose(gradients[:, :, j], slope, atol=1e-8)


@pytest.mark.parametrize("library", LIBRARIES)
def test_everything_has_a_name(library):
    features = library.bind(NAMES)
    assert features.size == len(features.texts) == len(features.latex) == len(features.orders)


def test_sums_are_held_together():
    assert Expressions("x + y", "-x").bind(NAMES).texts == ("(x + y)", "(-x)")


def test_the_constant_is_left_out():
    assert "1" not in Polynomial(degree=2).bind(NAMES).texts


def test_where_formulas_are_defined():
    features = (Polynomial(degree=1) + Expressions("log(x)")).bind(NAMES)
    assert features.defined(np.array([[1.0, 0], [-1.0, 0], [0.0, 0]])).tolist() == [True, False, False]


@pytest.mark.parametrize(
    "make",
    [lambda: Polynomial(degree=0), lambda: Expressions(), lambda: Expressions("q").bind(NAMES)],
)
def test_bad_libraries_are_refused(make):
    with pytest.raises(InputError, match="expected"):
        make()
