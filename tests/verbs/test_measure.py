"""Named generators: defect, interval and verdict; the geometry of the interval."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen._errors import InputError, UndecidedError
from erlangen.verbs._measure import COSINE, REACH, interval

BOX = er.Samples.box(-1, 1, dim=2, n=1024).pointwise()


def ellipse(ratio: float) -> er.Symmetry:
    def value(x):
        return x[:, 0] ** 2 + ratio * x[:, 1] ** 2

    def slope(x):
        return (x * np.array([2.0, 2.0 * ratio]))[:, None, :]

    return er.discover(er.as_field(value, dim=2, jacobian=slope), er.actions.affine(2), BOX)


@pytest.mark.parametrize(("error", "cosine"), [(0.01, -COSINE), (0.05, 0.0), (0.1, COSINE), (0.1, 0.0)])
def test_interval_covers_every_error_it_allows(error, cosine):
    """Truth and error as vectors: the truth from 0 to 0.3, errors of all sizes up to the reach."""
    true = np.linspace(0, 0.3, 61)[:, None]
    size = np.linspace(0, REACH * error, 41)
    measured = np.sqrt(true**2 + size**2 + 2 * cosine * true * size)
    low, high = interval(measured, error)
    against_measured = np.abs(np.where(measured > 0, (true * cosine + size) / np.where(measured > 0, measured, 1), 0))
    allowed = against_measured <= COSINE
    assert allowed.any()
    assert np.all((low <= true + 1e-15)[allowed] & (true <= high + 1e-15)[allowed])


def test_interval_of_an_exact_field_is_its_defect():
    low, high = interval([0.0, 0.3], 0.0)
    np.testing.assert_array_equal(low, [0.0, 0.3])
    np.testing.assert_array_equal(high, [0.0, 0.3])


def test_a_zero_defect_is_no_better_than_the_error():
    """An equivariant model has defect zero whatever its target: the interval must reach the error."""
    low, high = interval(0.0, 0.02)
    assert low == 0.0 and high == pytest.approx(REACH * 0.02)


def test_broken_symmetric_and_undecided():
    turn = er.actions.rotation(2)
    assert ellipse(1.0).test(turn).verdict == "symmetric"
    sym = ellipse(2.0)
    assert sym.test(turn).verdict == "broken"
    assert sym.test(turn, delta=0.9).verdict == "symmetric"
    model = er.as_field(lambda x: x[:, 0] ** 2 + 1.1 * x[:, 1] ** 2, dim=2, accuracy=0.04)
    test = er.discover(model, er.actions.affine(2), BOX).test(turn)
    assert test.verdict == "undecided" and test.low < 0.05 < test.high
    assert "straddles" in str(test)


def test_value_agrees_with_the_quotient_of_integrals():
    """s^2 = int |Df xi|^2 / int |Df|^2 / 2 |xi|^2, by plain sums."""
    x = BOX.points
    slope, velocity = x * [2.0, 4.0], np.stack([-x[:, 1], x[:, 0]], axis=1)
    top = np.mean(np.sum(slope * velocity, axis=1) ** 2)
    scaled = np.sum((slope * x.std(0)) ** 2, axis=1) / 2 * np.sum((velocity / x.std(0)) ** 2, axis=1)
    assert ellipse(2.0).test(er.actions.rotation(2)).value == pytest.approx(np.sqrt(top / scaled.mean()), rel=1e-12)


def test_a_generator_by_name_by_coefficients_or_restricted():
    sym = ellipse(2.0)
    named = sym.test(er.actions.fields([["3 - 2*y", "x"]], ["x", "y"]))
    xi = np.array([3.0, 0.0, -2.0, 0.0, 1.0, 0.0])  # the constant, x and y of each component
    assert named.value == pytest.approx(sym.test(xi).value, rel=1e-12)
    assert named.value == pytest.approx(sym.test(sym.candidates.restrict(xi[:, None])).value, rel=1e-12)


@pytest.mark.parametrize(
    "generator",
    [
        np.zeros(6),
        np.ones(5),
        er.actions.rotation(3),
        er.actions.affine(2),
        er.actions.fields([["x**2", "y"]], ["x", "y"]),
    ],
    ids=["zero", "length", "dimension", "several", "not a candidate"],
)
def test_what_is_not_one_candidate_is_refused(generator):
    with pytest.raises(InputError):
        ellipse(1.0).test(generator)


def test_a_direction_without_information_is_not_decided():
    flat = er.discover(lambda x: x[:, 0], er.actions.translation(2), er.Samples.from_data(BOX.points * [1.0, 0.0]))
    with pytest.raises(UndecidedError):
        er.discover(
            lambda x: x[:, 0], er.actions.scaling(2, np.eye(2)), er.Samples.from_data(BOX.points * [1.0, 0.0])
        ).test(np.array([0.0, 1.0]))
    assert flat.test(np.array([1.0, 0.0])).verdict == "broken"


def test_intervals_of_findings_and_after_loading(tmp_path):
    sym = ellipse(1.0)
    assert sym.intervals.shape == (1, 2)
    sym.save(tmp_path / "s.json")
    again = er.Symmetry.load(tmp_path / "s.json")
    np.testing.assert_array_equal(again.intervals, sym.intervals)
    assert again.test(er.actions.rotation(2)) == sym.test(er.actions.rotation(2))


def test_a_threshold_that_cuts_through_an_algebra_is_answered():
    """x^2 + b y^2 + c z^2 with b, c near 1: two of the three rotations pass, and they do not close."""

    def value(x):
        return x[:, 0] ** 2 + 1.05 * x[:, 1] ** 2 + 1.1 * x[:, 2] ** 2

    sym = er.discover(value, er.actions.rotation(3), er.Samples.box(-1, 1, dim=3, n=1024).pointwise())
    assert sym.dim == 2 and sym.name == "2-dimensional"
    assert [sym.test(g).verdict for g in np.eye(3)].count("broken") == 1


@pytest.mark.parametrize("lorentzian", [False, True])
def test_a_name_that_only_the_error_explains_is_a_possibility(lorentzian):
    """The rotations of x^2 + y^2 + 1.1 z^2 are broken by .05, which a derivative known to .069 cannot tell."""
    form = np.array([-1.0, 1.0, 1.0, 1.0] if lorentzian else [1.0, 1.0, 1.1])
    d, name = len(form), "so(3,1)" if lorentzian else "so(3)"
    field = er.as_field(lambda x: x**2 @ form, dim=d, accuracy=0.069)
    points = er.Samples.box(-1, 1, dim=d, n=1024).pointwise()
    sym = er.discover(field, er.actions.gl(d), points)
    assert not sym.decided and sym.name == name
    for text in (sym.verdict, str(sym), sym.to_dict()["verdict"], repr(sym).removeprefix("<Symmetry ").capitalize()):
        assert text.startswith("Not decided")
    assert f"the data allow {name} to 0.069, preserving diag(" in sym.verdict
    assert f"<b>{sym.verdict[:12]}" in sym._repr_html_()
    assert {row["verdict"] for row in sym.table()} == {"possible"}
    coarse = er.discover(field, er.actions.gl(d), points, rule=er.Threshold(0.1))
    assert coarse.decided and coarse.verdict.startswith(f"{name} preserving diag(")
    assert {row["verdict"] for row in coarse.table()} == {"symmetry"}
