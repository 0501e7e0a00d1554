"""What layers, networks and conversions refuse, and what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen._errors import InputError
from erlangen.algebra import groups
from erlangen.nn import EquivariantBilinear, EquivariantLinear, EquivariantMLP, Grid, as_equivariant, symmetrize
from erlangen.testing import assert_symmetric

SO3 = groups.SO(3)


def cnn() -> torch.nn.Module:
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2))


REFUSED = {
    "swapped factors": (lambda: EquivariantBilinear("2V", "V", "V", SO3)(torch.ones(4, 3), torch.ones(4, 6)), "first"),
    "second factor": (lambda: EquivariantBilinear("2V", "V", "V", SO3)(torch.ones(4, 6), torch.ones(4, 6)), "second"),
    "width": (lambda: EquivariantLinear("2V", "V", SO3)(torch.ones(4, 3)), r"\(\.\.\., 6\) for 2V of SO\(3\)"),
    "NaN": (lambda: EquivariantLinear("V", "V", SO3).project_(np.full((3, 3), np.nan)), "no closest"),
    "group as bias": (lambda: EquivariantLinear(er.rep("V", SO3), er.rep("V", SO3), bias=SO3), "True or False"),
    "bias as group": (lambda: EquivariantLinear(er.rep("V", SO3), er.rep("V", SO3), False), "have names"),
    "text alone": (lambda: EquivariantLinear("V", "V"), "not a representation"),
    "images": (lambda: as_equivariant(cnn(), groups.C(4)), "Grid"),
    "no network": (lambda: as_equivariant(3, SO3), "Only a network"),
    "no group": (lambda: as_equivariant(torch.nn.Linear(3, 3), 3), "not a group"),
    "grid": (lambda: symmetrize(cnn(), groups.SO(4), Grid()), "does not act on grids"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_explained(name):
    call, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize(
    ("source", "target", "group"),
    [("V", "S", groups.SL(3)), ("V", "S", groups.Scaling(3)), ("V", "V.T", groups.GL(3))],
    ids=lambda value: getattr(value, "name", value),
)
def test_networks_that_could_only_be_constant_are_refused(source, target, group):
    """The one SL(3) invariant of vectors is the determinant of three; GL(3) makes no covector of vectors."""
    with pytest.raises(InputError, match=r"would be constant"):
        EquivariantMLP(source, target, group, hidden=16, layers=2)


def test_three_vectors_have_a_determinant_and_a_part_that_is_constant_is_named():
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    network = EquivariantMLP("3V", "S", groups.SL(3), hidden=32, layers=2).double()
    x = torch.randn(5, 9, dtype=torch.float64)
    assert network(x).std() > 1e-6
    with pytest.warns(UserWarning, match="The output S of this network would be constant"):
        EquivariantMLP("V", "V + S", groups.SL(3), hidden=16, layers=1)
    torch.random.set_rng_state(state)


def test_text_and_group_or_a_symmetry_make_layers():
    assert EquivariantLinear("4V", "V", SO3).maps.dim == 4
    assert EquivariantLinear("4V", "V", SO3, bias=False).offsets is None
    assert EquivariantBilinear("V", "V", "S", SO3).maps.dim == 1
    sym = er.discover(lambda x: np.exp(-(x**2).sum(1)), samples=er.Samples.box(-1, 1, dim=2))
    assert EquivariantLinear("2V", "V", sym).maps.dim == 4
    assert EquivariantMLP("2V", "S", sym, hidden=8, layers=1).rep_in == er.rep("2V", sym.group)


def test_a_symmetrised_network_of_images_says_how_it_moves():
    images = torch.rand(4, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    assert assert_symmetric(symmetrize(cnn(), groups.C(4), Grid()), groups.C(4), images).error <= 1e-12
    with pytest.raises(AssertionError):
        assert_symmetric(cnn(), groups.C(4), images, rep_in=Grid())


def test_a_layer_that_takes_long_to_make_says_so(monkeypatch):
    monkeypatch.setattr("erlangen.nn.bilinear._LARGE", 100.0)
    with pytest.warns(UserWarning, match="ChannelProducts"):
        EquivariantBilinear("V", "V", "V", SO3)
