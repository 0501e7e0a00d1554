"""What makes a symmetry special: time, poles, components too small to count, jumps, another time for each orbit."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import erlangen as er
from erlangen._errors import InputError
from erlangen.actions import affine, rotation, scaling
from erlangen.derivative import LieDerivative, Samples, scales_of
from erlangen.evidence import explain_special, orbital, with_time
from erlangen.evidence.special import beside_field, dependence, spread
from erlangen.linalg.polynomials import exponents

X, Y, Z, W = sympy.symbols("x y z w", real=True)
R2 = X**2 + Y**2


def flow(*sides: sympy.Expr | int) -> er.fields.AbstractField:
    """A vector field from its right-hand sides."""
    return er.as_field([sympy.sympify(s) for s in sides], kind="vector", variables=["x", "y", "z", "w"][: len(sides)])


def box(d: int, low: float = -1.0, high: float = 1.0, n: int = 512) -> Samples:
    return Samples.box(low, high, dim=d, n=n)


SWINGING = flow(Z / 3, W / X**2, W**2 / X**3 - 19 + 10 * sympy.cos(Y), -10 * X * sympy.sin(Y))
"""Swinging Atwood's machine: radius, angle and their momenta."""

DRIFT = flow(sympy.sin(X - Z / 10**6) / 10**4, sympy.cos(Y - Z / 10**6) * sympy.sin(X) / 10**4, 1)
"""Slow waves that travel slower still, beside a clock: a field that is nearly a constant one."""

SPECIAL = {
    "a clock alone": (flow(sympy.cos(Z), sympy.sin(2 * Z), 1), "explicit time", {"d/dx", "d/dy"}),
    "sign of z": (flow(Y, -X - sympy.sign(Z) * Y, Y**2 - sympy.exp(-(X**2))), "jump", {"d/dz"}),
    "slow waves": (DRIFT, "components", None),
    "scaling of a swing": (SWINGING, "orbital", {"2 x1 d/dx1 + x3 d/dx3 + 3 x4 d/dx4, [xi, F] = (-1) F"}),
    "rotation": (flow(X - Y - X * R2, X + Y - Y * R2), "symmetry", {"x d/dy - y d/dx"}),
    "linear": (flow(-Y, 2 * X), "own", {"x d/dx + y d/dy", "2 x d/dy - y d/dx"}),
}
"""Each with the label of all that is found at a tolerance of 1e-6, and the generators in words."""


@pytest.mark.parametrize("name", SPECIAL)
def test_each_reason_is_named(name):
    field, label, texts = SPECIAL[name]
    low = 0.5 if field is SWINGING else -1.0
    found = explain_special(field, samples=box(field.point_dim, low), delta=1e-6)
    assert {one.label for one in found} == {label}
    assert texts is None or {one.text for one in found} == texts
    assert all(one.plain == (label == "symmetry") and one.reason and one.label in str(one) for one in found)


def test_the_words_say_what_was_seen():
    three = ("a clock alone", "sign of z", "slow waves")
    reasons = {name: explain_special(SPECIAL[name][0], samples=box(3), delta=1e-6)[0].reason for name in three}
    assert "does not depend on x, but on time z alone" in reasons["a clock alone"]
    assert "no derivative" in reasons["sign of z"]
    assert "F itself but for a part of" in reasons["slow waves"]


def test_a_jump_is_refused_at_all_three_times_and_grows_as_the_move_shrinks():
    one = explain_special(SPECIAL["sign of z"][0], samples=box(3, n=4096), delta=0.05)[-1]
    shown = er.discover(SPECIAL["sign of z"][0], samples=box(3, n=4096)).refused[0].confirmation
    assert shown is not None
    residuals = shown.residuals
    assert one.label == "jump" and min(residuals) > 0.05
    assert 0.3 < np.log2(residuals[2] / residuals[0]) / 2 < 0.8  # per halving, over two of them


def test_one_point_beside_a_pole_decides_nothing():
    field = flow(X * Y / (X + sympy.Rational(3, 10**7)) ** 3, X - Y)
    points = np.vstack([box(2).points, [[0.0, 0.5]]])
    note = spread(field, affine(2), Samples.from_data(points))
    assert not note.passed and note.value < 2 * 1.01 and "[0.0, 0.5]" in note.reason
    assert spread(field, affine(2), box(2, 0.5)).passed


def test_a_field_that_depends_on_one_coordinate_depends_on_x():
    assert dependence(flow(X**2, 1), box(2)).passed
    assert not dependence(flow(3, 1), box(2)).passed
    assert dependence(flow(1 + X / 10**9, 1), box(2)).passed


def test_time_becomes_a_coordinate():
    points = box(3).points
    driven = with_time(lambda x, t: np.stack([x[:, 1], np.cos(t)], axis=1))
    assert np.array_equal(driven(points), np.stack([points[:, 1], np.cos(points[:, 2]), np.ones(512)], axis=1))
    found = explain_special(driven, samples=box(3), delta=1e-6)
    assert "d/dx" in {one.text for one in found if one.plain}


@pytest.mark.parametrize("c", [-3.0, 0.0, 0.7])
def test_multiples_of_the_field_change_nothing_beside_it(c):
    """[xi + c F, F] = [xi, F], and the part of xi that is no multiple of F is the same."""
    field, rng = flow(Y, -2 * X + Y / 3), np.random.default_rng(3)
    lie = LieDerivative(field, affine(2), box(2))
    scales = scales_of(field, lie.lifted, box(2))
    f = np.array([0, 0, 1, 0, -2, 1 / 3])  # F itself over the six affine fields
    assert np.allclose(affine(2).on_points(box(2).points).transpose(0, 2, 1) @ f, field.value(box(2).points))
    xi = rng.standard_normal(6)
    assert np.isclose(beside_field(lie, xi + c * f, scales)[1], beside_field(lie, xi, scales)[1], rtol=1e-9)
    share = beside_field(lie, f + 1e-6 * xi, scales)[0]
    assert 1e-8 < share < 1e-5


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_homogeneous_fields_scale_orbits(degree):
    """Of degree m, [E, F] = (m - 1) F with the Euler field E."""
    powers = exponents(3, degree)
    powers = powers[powers.sum(axis=1) == degree]
    field = er.fields.PolynomialField(powers, np.random.default_rng(degree).standard_normal((3, len(powers))), "vector")
    found = orbital(field, affine(3), box(3))
    assert found.texts == (f"x d/dx + y d/dy + z d/dz, [xi, F] = ({degree - 1}) F",)
    alone = LieDerivative(field, affine(3), box(3)).defect(found.generators.T)
    assert found.defects[0] < 1e-12 and np.isclose(found.plain[0], alone[0], rtol=0.02)  # on points, exactly


def test_what_hardly_needs_another_time_is_listed_once():
    sides = [(X - Y - X * R2) * sympy.exp(X / 1000), (X + Y - Y * R2) * sympy.exp(X / 1000)]
    assert orbital(flow(*sides), rotation(2), box(2), rates=1).dim == 1
    found = explain_special(flow(*sides), rotation(2), box(2), rates=1)
    assert [one.label for one in found] == ["symmetry"] and 1e-5 < found[0].defect < 1e-2


def test_another_clock_hides_a_rotation():
    """F = exp(x) F0 with F0 symmetric: [xi, F] = xi(x) F, a c of degree one."""
    sides = [(X - Y - X * R2) * sympy.exp(X), (X + Y - Y * R2) * sympy.exp(X)]
    field = flow(*sides)
    assert orbital(field, rotation(2), box(2)).dim == 0
    found = orbital(field, rotation(2), box(2), rates=1)
    assert found.texts == ("x d/dy - y d/dx, [xi, F] = (-y) F",)
    assert "with time left alone" in str(found) and found.defects[0] < 1e-12 < found.plain[0]


def test_plain_symmetries_and_the_field_itself_are_no_orbital_ones():
    field = flow(X - Y - X * R2, X + Y - Y * R2)
    found = orbital(field, samples=box(2))
    assert found.dim == 0 and found.symmetry.dim == 1 and str(found) == "No symmetry needs another time."
    assert orbital(flow(-Y * Z, X * Z, 0 * X), samples=box(3)).dim >= 1
    assert found.generators.shape == (0, 6)


def test_mixed_with_plain_ones_only_the_others_are_left():
    """Rotation and scaling of a homogeneous field: one plain, one that needs another time."""
    r2 = X**2 + Y**2 + Z**2
    found = orbital(flow(-Y * r2 + X * Z**2, X * r2 + Y * Z**2, Z**3), samples=box(3))
    assert found.texts == ("x d/dx + y d/dy + z d/dz, [xi, F] = (2) F",)
    assert found.symmetry.dim == 2


@pytest.mark.parametrize("give", [{"rates": -1}, {"field": er.as_field(R2)}])
def test_what_is_no_question_is_refused(give):
    with pytest.raises(InputError):
        orbital(**{"field": flow(Y, -X), "action": scaling(2), "samples": box(2), **give})
