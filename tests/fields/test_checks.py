"""The public checks pass what is right and see each promise broken."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from erlangen.actions import CallableAction, IncrementLift, TangentLift, UnknownOutput, affine, polynomial, rotation
from erlangen.fields import AbstractField, Request, as_field, polynomial_field
from erlangen.fields._template import Grid, GridField, grid_field
from erlangen.testing import check_action, check_field

X = np.random.default_rng(5).uniform(-1, 1, (15, 2))
AXIS = np.linspace(-2, 2, 41)
TURN = CallableAction(lambda x: np.stack([-x[:, 1], x[:, 0]], axis=1)[:, None], 2, ("turn",))


@dataclass(frozen=True, eq=False)
class Spoilt(AbstractField):
    """x^2 y with one thing wrong."""

    fault: str = ""

    point_dim = 2
    value_dim = 1

    @property
    def kind(self):
        return "vector" if self.fault == "kind" else "invariant"

    @property
    def accuracy(self):
        return 0.0 if self.fault == "accuracy" else 1e-12

    def value(self, x):
        f = x[:, :1] ** 2 * x[:, 1:]
        if self.fault == "moves points":
            x += 1.0
        if self.fault == "chance":
            f = f + np.random.default_rng().normal()
        if self.fault == "batch":
            f = f + x.mean()
        return f[:, 0] if self.fault == "shape" else f

    def jacobian(self, x):
        j = np.stack([2 * x[:, 0] * x[:, 1], x[:, 0] ** 2], axis=1)[:, None]
        if self.fault == "derivative":
            j = j * (1 + 1e-6)
        return j.transpose(0, 2, 1) if self.fault == "order of axes" else j * (np.nan if self.fault == "nan" else 1)


def test_a_right_field_passes():
    check_field(Spoilt(), X)


FAULTS = {
    "kind": "needs c = d",
    "accuracy": "accuracy is 0",
    "moves points": "changed the points",
    "chance": "differs between two calls",
    "batch": "depends on the other points",
    "shape": "value has shape",
    "order of axes": "jacobian has shape",
    "derivative": "differs from difference quotients",
    "nan": "not finite",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_broken_promise_of_a_field_is_named(fault):
    with pytest.raises(AssertionError, match=FAULTS[fault]):
        check_field(Spoilt(fault), X)


ACTIONS = {
    "affine": affine(2),
    "rotation of values": rotation(2).with_output([[[0.0, -1.0], [1.0, 0.0]]]),
    "quadratic": polynomial(2, 2),
    "tangent": TangentLift(polynomial(2, 2)),
    "increments": IncrementLift(affine(2)),
    "unknown output": UnknownOutput(affine(2), 1),
    "function": TURN,
}


@pytest.mark.parametrize("name", ACTIONS)
def test_actions_of_the_library_keep_their_laws(name):
    check_action(ACTIONS[name], X)


@dataclass(frozen=True, eq=False)
class Unfaithful(CallableAction):
    fault: str = ""

    def derivative_along(self, x, v):
        return super().derivative_along(x, v) * (2.0 if self.fault == "derivative" else 1.0)

    def restrict(self, basis):
        return super().restrict(np.asarray(basis) * (2.0 if self.fault == "restrict" else 1.0))

    def on_values(self, x, v):
        return super().on_values(x, v) + (1.0 if self.fault == "values" else 0.0)

    @property
    def names(self):
        return () if self.fault == "names" else super().names


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("derivative", "derivative_along differs"),
        ("restrict", "not the combination"),
        ("values", "not linear in the values"),
        ("names", "0 names for 1"),
        ("", None),
    ],
)
def test_each_broken_law_of_an_action_is_named(fault, message):
    action = Unfaithful(TURN.velocities, 2, ("turn",), fault)
    if message is None:
        return check_action(action, X)
    with pytest.raises(AssertionError, match=message):
        check_action(action, X)


def test_the_template_is_a_working_field():
    grid = Grid(AXIS, AXIS, np.sin(AXIS)[:, None] * np.cos(AXIS)[None, :])
    field = grid_field(grid, Request())
    assert isinstance(field, GridField)
    truth = np.stack([np.cos(X[:, 0]) * np.cos(X[:, 1]), -np.sin(X[:, 0]) * np.sin(X[:, 1])], axis=1)
    assert np.linalg.norm(field.jacobian(X)[:, 0] - truth) <= field.accuracy * np.linalg.norm(truth) <= 0.01
    check_field(field, X)


def test_polynomials_and_functions_of_the_library_pass():
    check_field(polynomial_field(2, 3, np.arange(10.0)), X)
    check_field(replace(polynomial_field(2, 1, [[0, 1, 2], [0, 3, 4]]), kind="vector"), X)
    check_field(as_field(lambda x: np.abs(x[:, 0]) + x[:, 1] ** 2, dim=2), X)
