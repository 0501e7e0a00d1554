"""Ten trained networks in miniature: what they show of their targets, with one default rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import erlangen as er
from benchmarks import networks
from erlangen.fields import CalibratedField, as_field
from erlangen.verbs import coefficients_of

TURN = er.actions.fields([["-y", "x", "0"]], ["x", "y", "z"])


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


def true_defect(one: networks.Asked) -> float:
    return float(one.truth.defect(coefficients_of(one.informed.candidates, TURN))[0])


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
            test = one.informed.test(TURN)
            assert test.low <= true_defect(one) <= test.high, (name, test)
            assert test.verdict == verdict, (name, test)


def test_the_network_alone_does_not_speak_about_the_target(asked):
    """Its own derivative is exact, so its interval has no width and misses what it was trained on."""
    for one in asked["radial"]:
        test = one.alone.test(TURN)
        assert test.high - test.low < 1e-9
        assert test.low > true_defect(one)


def test_the_error_of_the_derivative_is_told_by_residuals(asked):
    ratios = [one.calibrated.error / one.error for nets in asked.values() for one in nets]
    assert 0.7 < min(ratios) and max(ratios) < 1.4


def test_the_dial_is_exact_on_the_cube():
    for defect in (0.02, 0.2):
        target = networks.dialled(networks.eps_for(defect))
        field = as_field(
            lambda x, f=target: f(torch.from_numpy(x)).numpy(), dim=3, jacobian=lambda x, f=target: networks.slope(f, x)
        )
        sym = er.discover(field, er.actions.affine(3), er.Samples.box(-1, 1, dim=3, n=8192).pointwise())
        assert sym.test(TURN).value == pytest.approx(defect, rel=2e-3)


def test_data_reach_the_field_by_both_doors(asked):
    one = asked["radial"][0]
    net = one.calibrated.base.module  # type: ignore[attr-defined]
    x = networks.points(1000, 800)
    y = networks.RADIAL["exp(-r^2)"](x).numpy()
    field = as_field(net, data=(x.numpy(), y))
    assert isinstance(field, CalibratedField)
    assert field.error == one.calibrated.error
    sym = er.discover(net, data=(x.numpy(), y))
    np.testing.assert_array_equal(sym.spectrum, one.informed.spectrum)
