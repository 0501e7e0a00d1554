"""Ten trained networks in miniature: what they show of their targets, with one default rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import erlangen as er
from benchmarks import networks
from erlangen.fields import CalibratedField, as_field


@pytest.fixture(scope="module")
def asked() -> dict[str, list[networks.Asked]]:
    """Two or three networks per target, trained by a fifth of the benchmark's recipe."""
    cases = {
        "radial": (networks.RADIAL["exp(-r^2)"], "tanh", 3),
        "none": (networks.UNSYMMETRIC["x + 2 y^2 + sin 3z + x y z"], "silu", 3),
        "faint": (networks.dialled(networks.eps_for(0.02)), "silu", 2),
        "broken": (networks.dialled(networks.eps_for(0.1)), "tanh", 2),
    }
    out = {}
    for name, (target, activation, n) in cases.items():
        nets = networks.train(target, activation, range(n), steps=300, polish=50)
        out[name] = [networks.ask(net, target, seed, n=800) for seed, net in enumerate(nets)]
    return out


def test_radial_targets_are_named(asked):
    assert [(one.informed.dim, one.informed.name) for one in asked["radial"]] == [(3, "so(3)")] * 3


def test_targets_without_symmetry_are_answered_in_words(asked):
    for one in asked["none"]:
        assert one.informed.dim == 0
        assert one.informed.verdict.startswith("No continuous symmetry")


def test_intervals_cover_the_target_and_verdicts_follow_delta(asked):
    wanted = {"radial": "symmetric", "faint": "symmetric", "broken": "broken", "none": "broken"}
    for name, verdict in wanted.items():
        for one in asked[name]:
            test = one.informed.test(networks.TURN)
            assert test.low <= one.turn <= test.high, (name, test)
            assert test.verdict == verdict, (name, test)


def test_the_network_alone_does_not_speak_about_the_target(asked):
    """Its own derivative is exact, so its interval has no width and misses what it was trained on."""
    for one in asked["radial"]:
        test = one.alone.test(networks.TURN)
        assert test.high - test.low < 1e-9
        assert test.low > one.turn


def test_the_error_of_the_derivative_is_told_by_residuals(asked):
    ratios = [one.told / one.error for nets in asked.values() for one in nets]
    assert 0.7 < min(ratios) and max(ratios) < 1.4


def test_the_dial_is_exact_on_the_cube():
    for defect in (0.02, 0.2):
        target = networks.dialled(networks.eps_for(defect))
        field = as_field(
            lambda x, f=target: f(torch.from_numpy(x)).numpy(), dim=3, jacobian=lambda x, f=target: networks.slope(f, x)
        )
        sym = er.discover(field, er.actions.affine(3), er.Samples.box(-1, 1, dim=3, n=8192).pointwise())
        assert sym.test(networks.TURN).value == pytest.approx(defect, rel=2e-3)


def test_data_reach_the_field_by_both_doors(asked):
    """As a keyword of discover, or of as_field; the points of the data are the samples."""
    target = networks.RADIAL["exp(-r^2)"]
    (net,) = networks.train(target, "tanh", [0], steps=30, polish=5)
    x = networks.points(1000, 300)
    data = (x.numpy(), target(x).numpy())
    field = as_field(net, data=data)
    assert isinstance(field, CalibratedField)
    assert field.accuracy < field.error
    np.testing.assert_array_equal(er.discover(net, data=data).spectrum, er.discover(field).spectrum)
