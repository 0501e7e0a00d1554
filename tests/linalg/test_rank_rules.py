"""Rank rules: dimension and reason on spectra with known answers."""

import numpy as np
import pytest

from erlangen import InputError
from erlangen.linalg.rank import LargestGap, NoiseFloor, Threshold, dimension_path

CLEAR = np.array([1e-15, 2e-15, 0.4, 0.9])


@pytest.mark.parametrize(
    ("rule", "values", "floor", "dim", "words"),
    [
        (Threshold(), CLEAR, 1e-14, 2, "the next is 0.4"),
        (Threshold(0.5), CLEAR, 1e-14, 3, "3 defects"),
        (Threshold(1e-3), np.array([0.01, 0.5]), 1e-14, 0, "smallest defect 0.01"),
        (Threshold(), np.array([0.01, 0.02]), 1e-14, 2, "every defect"),
        (Threshold(), np.zeros(0), 1e-14, 0, "no candidate"),
        (Threshold(), np.array([0.02, 0.03, 0.9]), 0.07, 2, "coarser than delta"),
        (Threshold(), np.array([0.02, 0.03, 0.15]), 0.07, 0, "says nothing"),
        (Threshold(), np.array([0.2, 0.3, 0.9]), 0.07, 0, "says nothing"),
        (Threshold(), np.array([0.1, 0.2, 1.0]), 0.4, 0, "says nothing"),
        (LargestGap(), CLEAR, 1e-14, 2, "largest ratio"),
        (LargestGap(), np.array([0.6, 0.9]), 1e-14, 0, "too few"),
        (NoiseFloor(), np.array([0.01, 0.02, 0.2]), 0.01, 2, "floor"),
    ],
)
def test_dimension_and_reason(rule, values, floor, dim, words):
    decision = rule.decide(values, floor)
    assert decision.dim == dim
    assert words in decision.reason


def test_margins_do_not_divide_by_rounding():
    assert Threshold().decide(np.array([0.0, 0.4]), 1e-14).margin == pytest.approx(0.4e14)


def test_path_steps_where_the_dimension_does():
    assert dimension_path(np.array([0.1, 0.1, 0.3]), 0.0) == [(0.1, 2), (0.3, 3)]
    assert dimension_path(np.array([0.0, 0.01, 0.3]), 0.05) == [(0.05, 2), (0.3, 3)]


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.1, float("nan")])
def test_delta_must_be_a_fraction(delta):
    with pytest.raises(InputError, match="between 0 and 1"):
        Threshold(delta)
