"""assert_symmetric: what it lets pass, what it stops, and what it says."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen._errors import InputError
from erlangen.algebra import groups
from erlangen.testing import assert_symmetric, equivariance_error

RNG = np.random.default_rng(0)


def cross(x):
    """The cross product of two vectors (n, 6): a vector."""
    return np.cross(x[:, :3], x[:, 3:])


def turning(x):
    """A vector field in the plane that spirals inwards."""
    return np.stack([-x[:, 1] - x[:, 0], x[:, 0] - x[:, 1]], axis=1)


SYMMETRIC = {
    "invariant": (lambda x: (x**2).sum(1), groups.O(3), {}),
    "vector": (lambda x: x * (x**2).sum(1, keepdims=True), groups.O(3), {"rep_out": "V"}),
    "cross product": (cross, groups.SO(3), {"rep_in": "2V", "rep_out": "V"}),
    "boosts": (lambda x: x[:, 0] ** 2 - (x[:, 1:] ** 2).sum(1), groups.SO(1, 3), {}),
    "outer product": (lambda x: np.einsum("na,nb->nab", x, x).reshape(-1, 4), groups.D(5), {"rep_out": "V*V"}),
    "permutations": (lambda x: np.sort(x, axis=1).cumsum(axis=1), groups.S(4), {"rep_out": "4S"}),
    "action": (lambda x: (x**2).sum(1), er.actions.rotation(3), {}),
    "squares beyond the largest number": (lambda x: 1e200 * (x**2).sum(1), groups.SO(3), {}),
    "many orders of magnitude": (lambda x: np.exp(5 * (x**2).sum(1)), groups.SO(3), {}),
    "mostly flat": (lambda x: 1 - np.tanh((x**2).sum(1)), groups.SO(3), {}),
    "mostly zero": (lambda x: np.maximum(1 - (x**2).sum(1), 0.0), groups.SO(3), {}),
    "action with output": (
        lambda x: x,
        er.actions.rotation(2).with_output(er.actions.matrices_of(er.actions.rotation(2))),
        {},
    ),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_functions_pass(name):
    function, action, reps = SYMMETRIC[name]
    report = assert_symmetric(function, action, **reps)
    assert report.passed and report.error <= report.tol <= 1e-8
    assert all(row.error <= 1e-12 for row in report.rows if not row.infinitesimal)


BROKEN = {
    "one axis": (lambda x: x[:, 0] ** 2, groups.SO(2), {}, "generator 1 of SO(2)"),
    "reflection only": (cross, groups.O(3), {"rep_in": "2V", "rep_out": "V"}, "discrete element 1 of O(3)"),
    "one generator of three": (lambda x: x[:, 0] ** 2 + x[:, 1] ** 2, groups.SO(3), {}, "generator [23] of SO(3)"),
    "small": (lambda x: (x**2).sum(1) + 1e-6 * x[:, 0], groups.SO(2), {}, "relative error of 4.3e-07"),
    "squares below the smallest number": (lambda x: 1e-170 * x[:, 0], groups.SO(3), {}, "generator"),
    "beside huge values": (lambda x: np.exp(5 * (x**2).sum(1)) + 10 * x[:, 0], groups.SO(3), {}, "generator"),
    "permutation": (lambda x: x[:, 0], groups.S(3), {}, "discrete element . of S(3)"),
    "action": (lambda x: x[:, 0], er.actions.rotation(2), {}, "x d/dy - y d/dx gives"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_symmetries_are_named(name):
    function, action, reps, words = BROKEN[name]
    pattern = words.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(AssertionError, match=pattern):
        assert_symmetric(function, action, **reps)


def test_a_jump_is_broken_by_finite_moves_only():
    def stairs(x):
        return (x[:, 0] > 0).astype(float) + (x**2).sum(1)

    with pytest.raises(AssertionError, match="under finite moves only"):
        assert_symmetric(stairs, groups.SO(2))


def test_the_point_is_the_worst_one():
    x = np.array([[0.1, 0.0], [3.0, 4.0], [1.0, 1.0]])
    with pytest.raises(AssertionError, match=r"\[3.0, 4.0\] \(row 1 of the points\)"):
        assert_symmetric(lambda x: (x**2).sum(1) + x[:, 0] ** 5, groups.SO(2), x)


def stack(dtype):
    torch.manual_seed(0)
    return er.nn.EquivariantMLP("2V", "V + S", groups.SO(3), hidden=8).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_equivariant_stack_is_proved_in_float64_and_measured_in_its_own_type(dtype):
    net = stack(dtype)
    before = copy.deepcopy(net.state_dict())
    report = assert_symmetric(net, groups.SO(3))
    assert report.error <= 1e-13
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    if dtype == torch.float32:
        assert 0 < report.own_error <= 20 * report.rounding <= 1e-4
        assert "times its rounding" in str(report)
    else:
        assert report.own_error is None and report.tol <= 1e-12


def linear(dtype, *sizes):
    torch.manual_seed(0)
    return torch.nn.Sequential(*(torch.nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False))).to(dtype)


def stretched(by):
    """The identity of R^3, but for one axis."""
    layer = torch.nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.diag(torch.tensor([1.0, 1.0, 1.0 + by])))
    return layer


COARSE = {
    "shallow bfloat16": lambda: linear(torch.bfloat16, 3, 3),
    "deep bfloat16": lambda: linear(torch.bfloat16, 3, *[64] * 9, 3),
    "float16": lambda: linear(torch.float16, 3, 16, 3),
    "float32 broken by little": lambda: stretched(5e-6),
}


@pytest.mark.parametrize("name", COARSE)
def test_coarse_numbers_do_not_hide_what_is_broken(name):
    report = equivariance_error(COARSE[name](), groups.SO(3), rep_in="V", rep_out="V")
    assert not report.passed and report.tol <= 0.1 and report.own_error is not None


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 0.1)])
def test_rounded_weights_are_allowed_what_rounding_does_to_them(dtype, most):
    torch.manual_seed(0)
    net = er.nn.EquivariantMLP("2V", "V", groups.SO(3), hidden=16, layers=2).to(dtype)
    assert assert_symmetric(net, groups.SO(3)).tol <= 1e-11
    plain = er.nn.to_linear(net)
    report = assert_symmetric(plain, groups.SO(3), rep_in="2V", rep_out="V")
    assert report.error <= report.tol <= most and "rounding the weights" in report.reason


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_reflection_in_slanted_coordinates_commutes_up_to_rounding(dtype):
    turn, other = (np.linalg.qr(np.random.default_rng(i).normal(size=(6, 6)))[0] for i in range(2))
    mirror = turn @ np.diag([-1.0, 1, 1, 1, 1, 1]) @ turn.T
    group = er.algebra.from_matrices(discrete=[mirror])
    layer = torch.nn.Linear(6, 6, bias=False)
    for weight, symmetric in ((mirror, True), (other, False)):
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
        report = equivariance_error(copy.deepcopy(layer).to(dtype), group, rep_out="V")
        assert report.passed == symmetric and report.error >= 1e-9


class Planted(torch.nn.Module):
    """A layer of an equivariant stack, with an error of a given size added to its output."""

    def __init__(self, layer: torch.nn.Module, size: float):
        super().__init__()
        self.layer, self.size = layer, size
        self.rep_in, self.rep_out = layer.rep_in, layer.rep_out

    def forward(self, x):
        return self.layer(x) + self.size * torch.roll(self.layer(x), 1, -1) ** 2


@pytest.mark.parametrize("size", [1e-1, 1e-6])
@pytest.mark.parametrize("which", [0, 2])
def test_a_planted_asymmetry_is_found_in_its_layer(which, size):
    group = groups.SO(3)
    r = [er.rep(text, group) for text in ("2V", "4V", "3V", "V")]
    torch.manual_seed(0)
    net = torch.nn.Sequential(*(er.nn.EquivariantLinear(a, b) for a, b in zip(r, r[1:], strict=False))).double()
    assert assert_symmetric(net, (r[0], r[-1])).error <= 1e-14
    net[which] = Planted(net[which], size)
    with pytest.raises(AssertionError, match=rf"layer:    {which} \(Planted\) is the first that breaks") as failure:
        assert_symmetric(net, (r[0], r[-1]))
    assert "generator" in str(failure.value) and "of SO(3)" in str(failure.value)


def test_an_activation_that_does_not_commute_is_found_between_layers():
    group = groups.SO(3)
    r = [er.rep(text, group) for text in ("2V", "4V", "V")]
    net = torch.nn.Sequential(er.nn.EquivariantLinear(r[0], r[1]), torch.nn.Tanh(), er.nn.EquivariantLinear(r[1], r[2]))
    with pytest.raises(AssertionError, match=r"1 \(Tanh\) is the first that breaks"):
        assert_symmetric(net, (r[0], r[-1]))


def test_layers_without_representations_are_not_blamed():
    net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    with pytest.raises(AssertionError, match="no layer says its representations"):
        assert_symmetric(net, groups.SO(3))


def test_a_symmetry_found_in_data_is_an_action():
    sym = er.discover(lambda x: np.exp(-(x**2).sum(1)), samples=er.Samples.box(-1, 1, dim=2))
    assert_symmetric(lambda x: (x**2).sum(1), sym, tol=1e-6)
    with pytest.raises(AssertionError):
        assert_symmetric(lambda x: x[:, 0], sym, tol=1e-2)


def test_trailing_axes_move_together():
    """Clouds of five points (n, 5, 3): a vector at each, or one representation of size 15."""

    def centre(x):
        return x.mean(dim=1)

    net = torch.nn.Module()
    net.forward = centre
    x = RNG.normal(size=(6, 5, 3))
    assert_symmetric(net, groups.SO(3), x, rep_in="V", rep_out="V")
    assert_symmetric(net, groups.SO(3), x, rep_in="5V", rep_out="V")


def test_numbers_come_without_a_verdict_and_a_tolerance_may_be_given():
    report = equivariance_error(lambda x: (x**2).sum(1) + 1e-4 * x[:, 0], groups.SO(2))
    assert not report.passed and 1e-6 < report.error < 1e-3
    assert assert_symmetric(lambda x: (x**2).sum(1) + 1e-4 * x[:, 0], groups.SO(2), tol=1e-3).passed
    assert "<table>" in report._repr_html_() and "generator 1" in str(report)


def test_scaling_the_function_or_the_generator_changes_no_verdict():
    def f(x):
        return (x**2).sum(1) + 0.01 * x[:, 0]

    group = groups.SO(2)
    slow = er.algebra.from_matrices(1e-6 * group.lie_algebra)
    errors = [
        equivariance_error(function, g).rows[0].error
        for function, g in ((f, group), (lambda x: 1e9 * f(x), group), (f, slow))
    ]
    assert np.allclose(errors, errors[0], rtol=1e-3)


REFUSED = {
    "size": (lambda: assert_symmetric(lambda x: x[:, 0], groups.SO(3), np.ones((4, 5))), "does not fit"),
    "nothing": (lambda: assert_symmetric(lambda x: x[:, 0], groups.trivial(3)), "no generators and no elements"),
    "no action": (lambda: assert_symmetric(lambda x: x[:, 0], 3), "nothing that acts"),
    "no representation": (lambda: assert_symmetric(lambda x: x[:, 0], groups.SO(3), rep_in=3), "not a representation"),
    "one point": (lambda: assert_symmetric(lambda x: x[:, 0], groups.SO(3), np.ones(3)), "cannot be used"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_explained(name):
    call, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        call()
