"""Two algebras compared: known angles, errors that explain them or not, and changes of coordinates."""

from __future__ import annotations

import json

import numpy as np
import pytest

import erlangen as er
from erlangen.actions import affine, fields, linear, polynomial, rotation
from erlangen.evidence import compare

XY = ["x", "y"]
TURN = np.array([[[0.0, -1.0], [1.0, 0.0]]])


def about(angle: float) -> np.ndarray:
    """Rotations of R^3 about an axis that leans by an angle in degrees from z towards x."""
    t = np.radians(angle)
    lean = np.array([[np.cos(t), 0, np.sin(t)], [0, 1, 0], [-np.sin(t), 0, np.cos(t)]])
    turn = np.zeros((3, 3))
    turn[:2, :2] = TURN[0]
    return (lean @ turn @ lean.T)[None]


@pytest.mark.parametrize("angle", [0.1, 12.0, 90.0])
def test_angles_are_those_of_the_axes(angle):
    found = compare(about(0), about(angle))
    assert found.angles == pytest.approx([angle], rel=1e-9)
    assert (found.verdict, found.isomorphic, found.intersection) == ("different", True, 0)
    assert f"the smallest angle is {angle:.2g} degrees, errors explain 0" in found.reason


CASES = {
    "same": (rotation(3), er.groups.SO(3), "same", 3),
    "another basis": (rotation(3), rotation(3).restrict(np.array([[1, 1, 0], [0, 2, 1], [3, 0, 1.0]])), "same", 3),
    "contains": (rotation(2), affine(2), "a in b", 1),
    "contained": (affine(2), rotation(2), "b in a", 1),
    "overlap": (fields([["1", "0"], ["-y", "x"]], XY), fields([["0", "1"], ["-y", "x"]], XY), "overlap", 1),
    "other tables": (linear(TURN), polynomial(2, 3), "a in b", 1),
    "algebras": (rotation(2).lie_algebra(), er.LieAlgebra.from_matrices(TURN), "same", 1),
    "disjoint": (fields([["1", "0"]], ["x", "y"]), fields([["x", "y"]], ["x", "y"]), "different", 0),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_verdicts(case):
    a, b, verdict, shared = case
    found = compare(a, b)
    assert (found.verdict, found.intersection) == (verdict, shared)
    assert found.same == (verdict == "same")
    mirrored = compare(b, a)
    np.testing.assert_allclose(mirrored.angles, found.angles, atol=1e-6)


def test_errors_explain_angles():
    near, far = compare(about(0), about(1), errors=(0.02, 0.01)), compare(about(0), about(12), errors=(0.02, 0.01))
    assert near.verdict == "same" and "within 2.7 degrees" in near.reason
    assert far.verdict == "different" and "12 degrees, errors explain 1.7" in far.reason
    assert far.table()[0]["low"] == pytest.approx(12 - far.explained)
    blind = compare(about(0), about(50), errors=(0.9, 0.0))
    assert blind.verdict == "undecided" and "any angle" in blind.reason


def test_symmetries_from_noisy_data_are_the_same():
    def found(seed):
        rng = np.random.default_rng(seed)
        x, noise = rng.uniform(-1, 1, (300, 3)), 0.02 * rng.normal(size=300)
        return er.discover((x * [1, 1, 20], (x**2).sum(axis=1) + noise))

    a, b = found(0), found(1)
    assert a.dim == b.dim == 3
    result = compare(a, b)
    assert result.same and result.names == ("so(3)", "so(3)") and 0 < result.angles[-1] < 10
    exact = linear(np.diag([1, 1, 20.0]) @ er.groups.SO(3).lie_algebra @ np.diag([1, 1, 0.05]))
    assert compare(a, exact).same
    assert compare(a, rotation(3)).verdict in ("overlap", "different")


def test_units_do_not_matter():
    def angles(unit):
        box = er.Samples.box([-1, -1, -unit], [1, 1, unit], n=512)
        syms = [
            er.discover(lambda x, k=k: x[:, 0] ** 2 + x[:, 1] ** 2 + k * (x[:, 2] / unit) ** 2, samples=box)
            for k in (1, 1.3)
        ]
        return compare(*syms).angles

    np.testing.assert_allclose(angles(20.0), angles(1.0), atol=1e-3)
    assert angles(1.0)[-1] > 3


@pytest.mark.parametrize("seed", range(2))
def test_a_change_of_coordinates_is_found(seed):
    t = np.random.default_rng(seed).normal(size=(3, 3)) + 2 * np.eye(3)
    a = er.groups.SO(3).lie_algebra
    found = compare(a, t @ a @ np.linalg.inv(t))
    assert found.verdict != "same" and found.isomorphic and "a linear change of coordinates takes" in found.reason
    moved = found.conjugation @ a @ np.linalg.inv(found.conjugation)
    assert compare(moved, t @ a @ np.linalg.inv(t), errors=(1e-5, 0)).same


def test_isomorphic_algebras_need_not_be_conjugate():
    once, twice = np.zeros((1, 4, 4)), np.zeros((1, 4, 4))
    once[0, :2, :2] = twice[0, :2, :2] = twice[0, 2:, 2:] = TURN[0]
    found = compare(once, twice)
    assert found.isomorphic and found.conjugation is None and "no linear change" in found.reason


def test_error_of_a_certificate_is_a_ratio_of_bounds():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (400, 2))
    sure = er.evidence.certify((x, (x**2).sum(axis=1) + 0.01 * rng.normal(size=400)), family=2, mode="simultaneous")
    assert sure.dim == 1
    found = compare(sure, rotation(2))
    assert found.same and 0 < found.explained < 10
    assert found.explained == pytest.approx(np.degrees(np.arcsin(sure.band.upper[0] / sure.band.lower[1])), rel=1e-6)


def test_prints():
    found = compare(about(0), about(3))
    assert "degrees" in str(found) and "<table>" in found._repr_html_() and json.dumps(found.to_dict())


def test_what_cannot_be_compared():
    with pytest.raises(er.InputError, match="different spaces"):
        compare(rotation(2), rotation(3))
    with pytest.raises(er.InputError, match="cannot|not generators"):
        compare("so(3)", rotation(3))
    with pytest.raises(er.InputError, match="moves no points"):
        compare(er.LieAlgebra.from_structure_constants(np.zeros((2, 2, 2))), rotation(2))
