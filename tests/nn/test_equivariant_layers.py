"""Layers commute with their group, in float64, in training and in evaluation, and refuse what cannot."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from erlangen import nn
from erlangen._errors import InputError
from erlangen.algebra import from_matrices, rep
from erlangen.algebra.equivariant import equivariant_maps
from erlangen.algebra.groups import GL, SO, O, S, Z
from erlangen.linalg.structured import RestrictedSubspace
from erlangen.linalg.subspace import DenseSubspace
from erlangen.nn._weights import AbstractWeight, DenseWeight, IsotypicWeight, OrbitWeight, RestrictedWeight, weight_of

GROUPS = {g.name: g for g in (SO(3), O(2), S(4), SO(1, 3), Z(4), SO(2) * S(3))}
IN, OUT = "2V + S", "S + V + V**2"
DOUBLE = torch.float64


def seeded(make):
    torch.manual_seed(0)
    return make()


def moved(x: torch.Tensor, representation, g) -> torch.Tensor:
    return x @ torch.from_numpy(representation.group_matrix(g)).to(x).T


def inputs(representation, n: int = 5, dtype=DOUBLE) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(n, representation.size))).to(dtype)


@torch.no_grad()
def equivariance_error(f, rep_in, rep_out, x=None) -> float:
    """Largest relative difference of f(g x) and g f(x) over a few elements of the group."""
    x = inputs(rep_in) if x is None else x
    worst = 0.0
    for g in rep_in.group.sample(3, 0):
        expected = moved(f(x), rep_out, g)
        worst = max(worst, float((f(moved(x, rep_in, g)) - expected).norm() / expected.norm()))
    return worst


LAYERS = {
    "linear": lambda g: nn.EquivariantLinear(rep(IN, g), rep(OUT, g)),
    "gated": lambda g: nn.Gated(rep(OUT, g)),
    "products": lambda g: nn.ChannelProducts(rep("2V + S + V**2", g), rep(OUT, g)),
    "scalars": lambda g: nn.InvariantScalars(rep(OUT, g)),
    "network": lambda g: nn.EquivariantMLP(rep(IN, g), rep(OUT, g), hidden=24, layers=2),
}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("layer", LAYERS)
def test_layers_commute_with_the_group(layer, group):
    module = seeded(lambda: LAYERS[layer](GROUPS[group])).double()
    for p in module.parameters():  # away from the start, biases and shifts included
        torch.nn.init.normal_(p)
    assert equivariance_error(module, module.rep_in, module.rep_out) <= 1e-10
    assert equivariance_error(module.eval(), module.rep_in, module.rep_out) <= 1e-10


@pytest.mark.parametrize("group", GROUPS)
def test_bilinear_layers_commute_with_the_group(group):
    g = GROUPS[group]
    one, two = rep("V + 2S", g), rep("S + V + S", g)
    layer = nn.EquivariantBilinear(one, two, two, dtype=DOUBLE)
    x, y = inputs(one), inputs(two)
    for h in g.sample(3, 2):
        expected = moved(layer(x, y), two, h)
        assert (layer(moved(x, one, h), moved(y, two, h)) - expected).norm() <= 1e-10 * expected.norm()
    assert torch.allclose(layer(2 * x, y + y), 4 * layer(x, y))


def test_the_only_bilinear_map_of_vectors_to_vectors_is_the_cross_product():
    V = rep("V", SO(3))
    layer = nn.EquivariantBilinear(V, V, V, dtype=DOUBLE)
    x, y = torch.randn(2, 7, 3, dtype=DOUBLE)
    ratio = layer(x, y) / torch.linalg.cross(x, y)
    assert torch.allclose(ratio, ratio[0, 0].expand_as(ratio))


def test_products_of_which_there_are_none_are_zero():
    layer = nn.ChannelProducts(rep("2V", GL(2)), rep("V", GL(2)))
    assert torch.equal(layer(torch.ones(3, 4)), torch.zeros(3, 2))


def test_products_reach_what_linear_maps_cannot():
    """|x|^2, and the cross product of two vectors, as outputs of one layer of products."""
    V, g = rep("2V", SO(3)), SO(3)
    layer = nn.ChannelProducts(V, rep("S + V", g), dtype=DOUBLE)
    x = inputs(V)
    assert layer(x)[:, 0].abs().min() > 0
    assert torch.linalg.vector_norm(layer(x)[:, 1:], dim=1).min() > 0


# --- from coefficients to weights -------------------------------------------------------------------------------


def dense_copy(maps):
    return DenseSubspace(maps.to_dense())


def restricted(maps):
    part = DenseSubspace(np.linalg.qr(np.random.default_rng(3).normal(size=(maps.dim, 2)))[0])
    return RestrictedSubspace(maps, part)


SPACES = {
    "isotypic": (lambda: equivariant_maps(rep("2V + V**2", SO(3)), rep("S + V + V**2", SO(3))), IsotypicWeight),
    "complex type": (lambda: equivariant_maps(rep("2V + S", SO(2)), rep("V + V**2", SO(2))), AbstractWeight),
    "orbits": (lambda: equivariant_maps(rep("2V + S", S(4)), rep("V**2", S(4))), OrbitWeight),
    "dense": (lambda: dense_copy(equivariant_maps(rep("V**2", O(2)), rep("V**2", O(2)))), DenseWeight),
    "restricted": (lambda: restricted(equivariant_maps(rep("V**2", SO(3)), rep("V**2", SO(3)))), RestrictedWeight),
}
SHAPES = {"isotypic": (13, 15), "complex type": (6, 5), "orbits": (16, 9), "dense": (4, 4), "restricted": (9, 9)}


@pytest.mark.parametrize("kind", SPACES)
def test_weights_are_the_combinations_of_the_basis(kind):
    make, expected = SPACES[kind]
    space, shape = make(), SHAPES[kind]
    module = weight_of(space, shape, DOUBLE)
    assert isinstance(module, expected)
    c = torch.randn(space.dim, dtype=DOUBLE, requires_grad=True)
    combined = space.combine(c.detach().numpy()).reshape(shape)
    assert np.abs(module(c).detach().numpy() - combined).max() <= 1e-13
    assert torch.autograd.gradcheck(module, c)
    assert module.state_dict() == {}


@pytest.mark.parametrize("kind", ["isotypic", "complex type"])
def test_outputs_start_with_the_variance_of_the_inputs(kind):
    space, (a, b) = SPACES[kind][0](), SHAPES[kind]
    variances = weight_of(space, (a, b)).variances()
    # E |W x|^2 = sum of variances over an orthonormal basis; every output that a map reaches counts 1 on average.
    reached = np.linalg.matrix_rank(space.to_dense().reshape(a, -1))
    assert variances.sum() == pytest.approx(reached)


@pytest.mark.parametrize("kind", ["orbits", "dense"])
def test_variances_hold_row_by_row_without_isotypic_factors(kind):
    space, (a, b) = SPACES[kind][0](), SHAPES[kind]
    variances = weight_of(space, (a, b)).variances()
    rows = (space.to_dense().reshape(a, b, -1) ** 2).sum(axis=1) @ variances
    assert rows == pytest.approx(np.ones(a))


def test_constants_keep_float64_accuracy_after_float32():
    """Upcast float32 factors would leave an error of 1e-8; so would a factor read from nowhere after to_empty."""
    layer = seeded(lambda: nn.EquivariantLinear(rep("V + V**2", SO(3)), rep("V**2", SO(3)), dtype=torch.float32))
    for change in (layer.double, lambda: layer.float().to("meta").to_empty(device="cpu").double()):
        change()
        layer.reset_parameters()
        assert equivariance_error(layer, layer.rep_in, layer.rep_out) <= 1e-14
    assert equivariance_error(layer.float(), layer.rep_in, layer.rep_out, inputs(layer.rep_in).float()) <= 2e-6


def test_the_type_of_the_parameters_is_the_type_that_was_asked_for():
    torch.set_default_dtype(DOUBLE)
    assert nn.EquivariantLinear(rep("V", O(2)), rep("V", O(2))).weight_map.left.dtype == DOUBLE
    layer = nn.EquivariantMLP("V", "V", O(2), hidden=6, layers=1, dtype=torch.float32)
    assert layer(torch.zeros(2, 2, dtype=torch.float32)).dtype == torch.float32


@pytest.mark.parametrize("layer", [*LAYERS, "norm"])
def test_gradients(layer):
    make = LAYERS.get(layer, lambda g: nn.NormActivation(rep(OUT, g)))
    module = seeded(lambda: make(O(2))).double()
    names, values = zip(*module.named_parameters()) if list(module.parameters()) else ((), ())
    x = inputs(module.rep_in, 2).requires_grad_()

    def call(x, *values):
        return torch.func.functional_call(module, dict(zip(names, values)), (x,))

    assert torch.autograd.gradcheck(call, (x, *values), fast_mode=True)


def test_norms_have_a_gradient_at_zero():
    layer = nn.NormActivation(rep("S + V", SO(3)))
    x = torch.zeros(2, 4, requires_grad=True)
    layer(x).sum().backward()
    assert torch.isfinite(x.grad).all()
    layer.double()
    assert equivariance_error(layer, layer.rep, layer.rep) <= 1e-14


def test_pointwise_functions_of_permuted_coordinates():
    layer = nn.Pointwise(rep("2V + S + V**2", S(4)))
    assert equivariance_error(layer, layer.rep, layer.rep) <= 1e-15


def test_scalars_are_the_inner_products():
    features = nn.InvariantScalars(rep("3V", SO(1, 3)), dtype=DOUBLE)
    x = inputs(features.rep)
    v = x.view(-1, 3, 4)
    gram = torch.einsum("nia,a,nja->nij", v, torch.tensor([1.0, -1, -1, -1], dtype=DOUBLE), v)
    i, j = torch.triu_indices(3, 3)
    got, want = features(x), gram[:, i, j]
    assert features.out_features == 6
    assert torch.allclose(got.abs(), want.abs() / 2)  # the form has norm 1: eta / 2, up to sign


def test_of_antisymmetric_forms_only_pairs_of_copies_are_features():
    features = nn.InvariantScalars(rep("2V", SO(2)), dtype=DOUBLE)
    assert features.out_features == 4  # three inner products and one determinant
    assert features(inputs(features.rep)).abs().amax(0).min() > 0


def test_linear_invariants_are_features_too():
    features = nn.InvariantScalars(rep("V + S", S(4)), dtype=DOUBLE)
    x = inputs(features.rep)
    # The sum, the scalar itself, and the two symmetric forms of a vector.
    assert features.out_features == 4
    assert torch.allclose(features(x)[:, 0].abs(), x[:, :4].sum(1).abs() / 2)


# --- the weight that is kept ------------------------------------------------------------------------------------


def layer_in_eval():
    return seeded(lambda: nn.EquivariantLinear(rep("V + S", O(2)), rep("V + S", O(2)), dtype=DOUBLE)).eval()


CHANGES = {
    "a step of an optimiser": lambda m: torch.optim.SGD(m.parameters(), 1.0).step(),
    "in place": lambda m: m.coefficients.detach().mul_(2.0),
    "a state": lambda m: m.load_state_dict(
        {k: v * (2 if k == "coefficients" else 1) for k, v in m.state_dict().items()}
    ),
    "a new parameter": lambda m: setattr(m, "coefficients", torch.nn.Parameter(2 * m.coefficients.detach())),
    "training and back": lambda m: (m.train(), m.coefficients.data.mul_(2.0), m.eval()),
    "a projection": lambda m: m.project_(2 * m.to_linear().weight),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_kept_weight_follows_the_parameters(change):
    layer = layer_in_eval()
    x = inputs(layer.rep_in)
    with torch.inference_mode():
        before = layer(x)
    for p in layer.parameters():
        p.grad = torch.ones_like(p)
    CHANGES[change](layer)
    with torch.no_grad():
        assert not torch.allclose(layer(x), before)
        assert torch.allclose(layer(x), layer.to_linear()(x))


def test_the_kept_weight_is_used_and_dropped():
    layer = layer_in_eval()
    x = inputs(layer.rep_in)
    with torch.no_grad():
        layer.kept_weight.zero_()
        assert torch.equal(layer(x), layer.kept_bias.expand(5, -1))
        assert not torch.equal(layer.train()(x), layer(x) * 0)
    assert layer.kept_weight is None


def test_gradients_are_recorded_in_evaluation_mode():
    layer = layer_in_eval()
    with torch.inference_mode():
        layer(inputs(layer.rep_in))
    layer(inputs(layer.rep_in)).sum().backward()
    assert layer.coefficients.grad.abs().max() > 0
    layer.coefficients.data.mul_(2.0)
    layer.coefficients.detach().mul_(0.5)
    with torch.inference_mode():
        layer(inputs(layer.rep_in))  # what is kept is made here, and must meet gradients all the same
    x = inputs(layer.rep_in).requires_grad_()  # forces of a frozen network
    layer.requires_grad_(False)(x).sum().backward()
    assert x.grad.abs().max() > 0


def test_layers_can_be_made_in_inference_mode_and_without_memory():
    with torch.inference_mode():
        layer = layer_in_eval()
        assert torch.equal(layer(inputs(layer.rep_in)), layer.to_linear()(inputs(layer.rep_in)))
    network = nn.EquivariantMLP("V", "V", O(2), hidden=6, layers=1, device="meta").eval()
    assert network(torch.empty(3, 2, device="meta")).shape == (3, 2)


def test_an_ordinary_layer_with_the_same_function():
    layer = seeded(lambda: nn.EquivariantLinear(rep(IN, O(2)), rep(OUT, O(2)), dtype=DOUBLE))
    torch.nn.init.normal_(layer.bias)
    linear = layer.to_linear()
    x = inputs(layer.rep_in)
    assert type(linear) is torch.nn.Linear
    assert torch.allclose(layer(x), linear(x))
    again = nn.EquivariantLinear(layer.rep_in, layer.rep_out, dtype=DOUBLE)
    assert again.project_(linear.weight, linear.bias) <= 1e-14
    assert torch.allclose(again(x), layer(x))


def test_projection_tells_what_it_loses():
    layer = nn.EquivariantLinear(rep("V", SO(3)), rep("V", SO(3)), dtype=DOUBLE)
    # Of diag(1, 2, 3) only the mean survives.
    assert layer.project_(np.diag([1.0, 2.0, 3.0])) == pytest.approx(np.sqrt(2 / 14))
    assert torch.allclose(layer.to_linear().weight, 2 * torch.eye(3, dtype=DOUBLE))
    with pytest.raises(InputError, match="does not fit"):
        layer.project_(np.eye(2))


# --- copies and states ------------------------------------------------------------------------------------------


def small():
    return seeded(lambda: nn.EquivariantMLP("2V", "S + V", O(2), hidden=10, layers=1))


def test_copies_and_states():
    net = small()
    x = inputs(net.rep_in, dtype=torch.float32)
    y = net(x)
    assert torch.equal(copy.deepcopy(net)(x), y)
    assert torch.equal(pickle.loads(pickle.dumps(net.eval()))(x), y)
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other = small()
    for p in other.parameters():
        torch.nn.init.normal_(p)
    other.eval().load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        assert torch.equal(other(x), y)


def test_half_precision_by_autocast():
    net = small()
    x = inputs(net.rep_in, 50, torch.float32)
    y = net(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = net(x)
    assert half.dtype == torch.bfloat16
    half.float().sum().backward()
    assert (half - y).norm() <= 2**-6 * y.norm()  # bfloat16 keeps eight binary digits
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_a_short_training():
    """The angle between two vectors, of which no linear layer knows anything."""
    net = seeded(lambda: nn.EquivariantMLP("2V", "S", O(2), hidden=24, layers=1))
    x = torch.randn(200, 4)
    y = (x[:, :2] * x[:, 2:]).sum(1, keepdim=True)
    optimiser = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(150):
        optimiser.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        optimiser.step()
    assert loss < 0.02 * y.var()


# --- refusals ---------------------------------------------------------------------------------------------------

REFUSED = {
    "no map": (lambda: nn.EquivariantLinear(rep("V", SO(3)), rep("S", SO(3))), "Zero is the only"),
    "no bilinear map": (lambda: nn.EquivariantBilinear(*[rep("V", O(3))] * 3), "Zero is the only"),
    "two groups": (lambda: nn.EquivariantLinear(rep("V", SO(3)), rep("V", O(3))), "not a representation of the group"),
    "text": (lambda: nn.Gated("V"), r"given:    'V' and group=None"),
    "maps of another size": (
        lambda: nn.EquivariantLinear(rep("V", O(2)), rep("V", O(2)), maps=DenseSubspace(np.eye(9))),
        "9 unknowns",
    ),
    "length of a boosted vector": (lambda: nn.NormActivation(rep("V", SO(1, 3))), "does not preserve the length"),
    "length under scaling": (lambda: nn.NormActivation(rep("S + V", GL(2))), r"fix:      Gated\(rep\)"),
    "pointwise on a vector": (lambda: nn.Pointwise(rep("S + V", O(2))), "mixes the coordinates of V"),
    "pointwise under signs": (lambda: nn.Pointwise(rep("V", from_matrices(discrete=[[[-1.0]]]))), "mixes"),
    "no invariants": (lambda: nn.InvariantScalars(rep("V", GL(2))), "pair each word with its dual"),
    "text without a group": (lambda: nn.EquivariantMLP("V", "S"), "rep_in is not a representation"),
    "another group": (lambda: nn.EquivariantMLP(rep("V", SO(3)), "S", SO(2)), r"V of SO\(3\) and group=SO\(2\)"),
    "hidden": (lambda: nn.EquivariantMLP("V", "S", O(2), hidden="many"), "a number of channels"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_teach(case):
    make, words = REFUSED[case]
    with pytest.raises(InputError, match=words):
        make()


def test_outputs_that_no_map_reaches_are_named():
    layer = nn.EquivariantLinear(rep("V", SO(3)), rep("2S + V + V**2", SO(3)))
    assert "always constant: 2S" in layer.report()
    assert "constant: 2S" in repr(layer)
    assert "always zero: 2S" in nn.EquivariantLinear(layer.rep_in, layer.rep_out, bias=False).report()


def test_hidden_channels_are_shared():
    from erlangen.nn.mlp import mixed

    V = rep("V", SO(3))
    hidden = mixed(V, V, 90)
    assert hidden.size == 90
    assert str(hidden) == "33S + 10V + 3V**2"
    assert "V.T" in str(mixed(rep("V", GL(2)), rep("V", GL(2)), 60))  # a dual that the group tells apart


def test_without_torch_the_extra_is_named():
    code = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, Absent())
import erlangen as er
try:
    er.nn.EquivariantLinear
except er.MissingExtraError as error:
    assert "erlangen[torch]" in str(error)
else:
    raise AssertionError
assert isinstance(er.rep("V", er.groups.SO(3)).size, int)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
