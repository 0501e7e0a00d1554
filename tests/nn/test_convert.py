"""Networks projected onto equivariant layers, and layers handed to a subgroup."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen._errors import InputError
from erlangen.algebra import groups
from erlangen.nn.convert import as_equivariant, to_subgroup
from erlangen.testing import assert_symmetric

nn = torch.nn


def network(*sizes: int, act=nn.Tanh) -> nn.Sequential:
    torch.manual_seed(0)
    parts: list[nn.Module] = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        parts += [nn.Linear(a, b), act()]
    return nn.Sequential(*parts[:-1])


CASES = {
    "permutations": (groups.S(4), ["V", "3V", "2V + 2S", "V"]),
    "hidden by default": (groups.Z(5), ["2V", "V"]),
    "everything by default": (groups.S(4), None),
    "mirror": (groups.from_matrices(discrete=[[[0.0, 1.0], [1.0, 0.0]]]), ["V", "3V", "S"]),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_projected_network_is_equivariant_in_float64(name, dtype):
    group, reps = CASES[name]
    sizes = {
        "permutations": (4, 12, 10, 4),
        "hidden by default": (10, 7, 5),
        "everything by default": (8, 6, 3),
        "mirror": (2, 6, 1),
    }
    net = network(*sizes[name]).to(dtype)
    before = copy.deepcopy(net.state_dict())
    made, report = as_equivariant(net, group, reps)
    linear = [part for part in made if hasattr(part, "rep_in")]
    assert_symmetric(made, (linear[0].rep_in, linear[-1].rep_out), tol=1e-12)
    assert report.error <= 1e-12 < 0.01 < report.error_before
    assert 0 < report.change < 2 and all(0 < x.removed < 1 for x in report.layers)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert made(torch.randn(3, sizes[name][0], dtype=dtype)).dtype == dtype


def test_what_is_equivariant_already_is_kept():
    group = groups.S(5)
    first, _ = as_equivariant(network(5, 10, 5, act=nn.ReLU).double(), group, ["V", "2V", "V"])
    plain = nn.Sequential(*[part.to_linear() if hasattr(part, "to_linear") else part for part in first])
    again, report = as_equivariant(plain, group, ["V", "2V", "V"])
    x = torch.randn(20, 5).double()
    assert torch.allclose(again(x), plain(x), atol=1e-13)
    assert report.removed <= 1e-13 and report.change <= 1e-13


def test_a_layer_is_projected_as_the_average_over_the_group_does():
    """Reynolds: the closest equivariant weight is the mean of rho_out(g)^-1 W rho_in(g)."""
    group = groups.D(4)
    layer = nn.Linear(6, 2).double()
    made, report = as_equivariant(layer, group, ["3V", "V"])
    x = torch.randn(10, 6).double()
    assert torch.allclose(made(x), er.nn.symmetrize(layer, group, "3V", "V")(x), atol=1e-14)
    (change,) = report.layers
    kept, _ = made.assemble()
    weight, bias = layer.weight.detach(), layer.bias.detach()
    lost, whole = ((w.square().sum() + bias.square().sum()).item() for w in (weight - kept.detach(), weight))
    assert abs(change.removed**2 - lost / whole) <= 1e-12
    assert (change.kept, change.total) == (3, 14)


def test_nested_sequences_and_activations_that_commute():
    net = nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 8)), nn.Linear(8, 1))
    made, report = as_equivariant(net, groups.S(4), ["V", "2V", "2V", "S"])
    assert [layer.name for layer in report.layers] == ["0", "1.2", "2"]
    assert_symmetric(made, groups.S(4), rep_in="V", rep_out="S")
    text = str(report)
    assert "1.2" in text and "removed" in text and "standard normal inputs" in text
    assert report._repr_html_().count("<tr>") == 4


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x):
        return x + self.second(torch.relu(self.first(x)))


def test_any_module_whose_layers_are_named():
    made, report = as_equivariant(Residual(), groups.S(4), {"first": ("V", "2V"), "second": ("2V", "V")})
    assert_symmetric(made, groups.S(4), rep_in="V", rep_out="V", tol=1e-13)
    assert [layer.name for layer in report.layers] == ["first", "second"]


def test_the_change_is_measured_on_data():
    x = np.ones((7, 4)) * np.arange(7)[:, None]  # points that permutations leave where they are
    net = nn.Linear(4, 1).double()
    assert as_equivariant(net, groups.S(4), ["V", "S"], X=x)[1].change <= 1e-14
    assert as_equivariant(net, groups.S(4), ["V", "S"])[1].change >= 0.01


REFUSED = {
    "activation": (groups.SO(2), ["V", "3V", "V"], (2, 6, 2), r"Layer 1 \(Tanh\) does not commute"),
    "no weight": (groups.SO(3), ["V", "V"], (3, 8, 3), "Layer 0 would be constant"),
    "hidden size": (groups.S(3), ["V", "3V", "V"], (3, 8, 3), "outputs of layer 0 have another size"),
    "input size": (groups.S(3), ["2V", "V"], (3, 8, 3), "inputs of layer 0 have another size"),
    "count": (groups.S(3), ["V", "V", "V", "V"], (3, 8, 3), "number of representations"),
    "name": (groups.S(3), {"fc": ("V", "V")}, (3, 3), "no such linear layer"),
    "left out": (groups.S(3), {"0": ("V", "V")}, (3, 3, 3), "left out"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_projected_is_explained(name):
    group, reps, sizes, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        as_equivariant(network(*sizes), group, reps)


def test_a_module_of_unknown_order_is_explained():
    with pytest.raises(InputError, match="order in which"):
        as_equivariant(Residual(), groups.S(4), ["V", "2V", "V"])


SUBGROUPS = {
    "C(8) to C(2)": (groups.C(8), groups.C(2), "2V + S", "V + 2S"),
    "O(3) to SO(3)": (groups.O(3), groups.SO(3), "V + V*V", "V"),
    "SO(3) to turns about an axis": (
        groups.SO(3),
        groups.from_matrices(groups.SO(3).lie_algebra[:1], name="axis"),
        "V + V*V",
        "V + S",
    ),
    "S(4) to Z(4)": (groups.S(4), groups.Z(4), "V*V", "V"),
}


@pytest.mark.parametrize("name", SUBGROUPS)
def test_a_subgroup_keeps_the_function_and_frees_parameters(name):
    group, subgroup, r_in, r_out = SUBGROUPS[name]
    torch.manual_seed(0)
    layer = er.nn.EquivariantLinear(er.rep(r_in, group), er.rep(r_out, group)).double()
    wider = to_subgroup(layer, subgroup)
    x = torch.randn(9, layer.in_features).double()
    assert torch.allclose(wider(x), layer(x), atol=1e-13)
    assert wider.maps.dim > layer.maps.dim
    assert wider.rep_in.group == subgroup and layer.rep_in.group == group
    with torch.no_grad():
        wider.coefficients.normal_()
    assert_symmetric(wider, subgroup)
    with pytest.raises(AssertionError):
        assert_symmetric(wider, layer.rep_in, rep_out=None) if r_out == "S" else assert_symmetric(
            wider, (layer.rep_in, layer.rep_out)
        )


def test_networks_and_products_go_to_a_subgroup():
    group = groups.O(3)
    torch.manual_seed(0)
    net = er.nn.EquivariantMLP("2V", "V + S", group, hidden=8).double()
    x = torch.randn(5, 6).double()
    before = net(x)
    wider = to_subgroup(net, groups.SO(3))
    assert torch.allclose(wider(x), before, atol=1e-12) and torch.equal(net(x), before)
    assert wider.rep_in.group.name == "SO(3)"
    assert_symmetric(wider, groups.SO(3))
    product = er.nn.EquivariantBilinear(*(er.rep(t, group) for t in ("V", "V + S", "V + S"))).double()
    more = to_subgroup(product, groups.SO(3))
    a, b = torch.randn(5, 3).double(), torch.randn(5, 4).double()
    assert torch.allclose(more(a, b), product(a, b), atol=1e-13)
    assert more.maps.dim == product.maps.dim + 1  # the cross product


def test_no_subgroup_no_group():
    layer = er.nn.EquivariantLinear(er.rep("V", groups.SO(3)), er.rep("V", groups.SO(3)))
    with pytest.raises(InputError, match="not a subgroup"):
        to_subgroup(layer, groups.O(3))
    with pytest.raises(InputError, match="knows its group"):
        to_subgroup(nn.Linear(3, 3), groups.SO(3))
