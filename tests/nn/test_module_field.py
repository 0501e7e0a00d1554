"""Torch modules as fields: a float64 copy, exact derivatives, the original untouched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from erlangen._errors import InputError
from erlangen.fields import CallableField, as_field
from erlangen.nn.field import ModuleField
from erlangen.testing import check_field

RNG = np.random.default_rng(0)


def mlp(d: int, c: int, *middle: nn.Module, act: type[nn.Module] = nn.Tanh) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(d, 16), act(), *middle, nn.Linear(16, c))


MODULES = {
    "one value": (lambda: mlp(3, 1), 3, 1),
    "fewer values than coordinates": (lambda: mlp(3, 2), 3, 2),
    "more values than coordinates": (lambda: mlp(2, 5), 2, 5),
    "kinks": (lambda: mlp(3, 1, act=nn.ReLU), 3, 1),
    "dropout and batch norm in training mode": (lambda: mlp(3, 1, nn.BatchNorm1d(16), nn.Dropout(0.5)).train(), 3, 1),
    "double already": (lambda: mlp(3, 1).double(), 3, 1),
    "half precision": (lambda: mlp(3, 1).half(), 3, 1),
    "flat output": (lambda: nn.Sequential(mlp(3, 1), nn.Flatten(0)), 3, 1),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_exact_in_float64_and_left_as_they_were(name):
    make, d, c = MODULES[name]
    module = make()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    field = as_field(module)
    assert isinstance(field, ModuleField)
    assert (field.point_dim, field.value_dim, field.kind) == (d, c, "invariant")
    assert field.accuracy == np.finfo(np.float64).eps
    check_field(field, RNG.normal(size=(20, d)))
    assert modes == [part.training for part in module.modules()]
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_values_are_those_of_the_module():
    module = mlp(3, 2)
    x = RNG.normal(size=(9000, 3))  # more than one chunk
    expected = module(torch.tensor(x, dtype=torch.float32)).detach().numpy()
    assert np.abs(as_field(module).value(x) - expected).max() <= 1e-5
    assert as_field(module).jacobian(x).shape == (9000, 2, 3)


def test_training_the_original_later_does_not_change_the_field():
    module = mlp(3, 1)
    field = as_field(module)
    x = RNG.normal(size=(4, 3))
    before = field.value(x)
    with torch.no_grad():
        module[0].weight.mul_(2.0)
    assert np.array_equal(before, field.value(x))


def test_vector_fields_and_maps_of_modules():
    x = RNG.normal(size=(10, 3))
    plain = as_field(mlp(3, 3), "invariant")
    step = as_field(mlp(3, 3), "map")
    assert np.array_equal(step.value(x), plain.value(x) - x)
    assert np.array_equal(step.jacobian(x), plain.jacobian(x) - np.eye(3))
    check_field(step, x)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 1)


class SingleInside(Layer):
    def forward(self, x):
        return torch.tanh(self.linear(x.float()))


class SingleOutside(Layer):
    def forward(self, x):
        return torch.tanh(self.linear(x)).float()


class AlwaysDropout(Layer):
    def forward(self, x):
        return self.linear(nn.functional.dropout(x, 0.5, training=True))


class MixesRows(Layer):
    def forward(self, x):
        return self.linear(x - x.mean(0))


class Steps(Layer):
    def forward(self, x):
        return torch.round(3 * self.linear(x))


class LeavesTorch(Layer):
    def forward(self, x):
        return torch.from_numpy(np.tanh(self.linear(x).numpy()))


class TwoInputs(Layer):
    def forward(self, x, y):
        return x


class Complex(Layer):
    def forward(self, x):
        return self.linear(x) * 1j


class Shapeless(nn.Module):
    def forward(self, x):
        return x.prod(dim=1)


@pytest.mark.parametrize("kind", [SingleInside, SingleOutside])
def test_modules_that_insist_on_float32_say_so_in_their_accuracy(kind):
    module = kind()
    field = as_field(module)
    assert field.accuracy == 1e-6
    x = RNG.normal(size=(50, 3))
    weight = module.linear.weight.detach().double().numpy()
    slope = (1 - np.tanh(x @ weight.T + module.linear.bias.detach().numpy()) ** 2) * weight
    assert np.linalg.norm(field.jacobian(x)[:, 0] - slope) <= 1e-6 * np.linalg.norm(slope)


REFUSED = {
    AlwaysDropout: "differently each time",
    MixesRows: "which other points are in the batch",
    Steps: "piecewise constant",
    LeavesTorch: "cannot be differentiated",
    TwoInputs: "missing 1 required positional",
    Complex: "does not map points to values",
    Shapeless: "how many coordinates",
}


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_modules_without_a_derivative_are_refused(kind):
    with pytest.raises(InputError, match=REFUSED[kind]):
        as_field(kind())


def test_a_module_without_layers_needs_the_dimension_only():
    field = as_field(Shapeless(), dim=2)
    assert np.allclose(field.jacobian(np.array([[2.0, 5.0]])), [[[5.0, 2.0]]])


def test_a_function_around_a_module_still_works():
    module = mlp(3, 1).double()
    field = as_field(lambda x: module(torch.as_tensor(x)).detach().numpy(), dim=3)
    assert isinstance(field, CallableField)
    x = RNG.normal(size=(20, 3))
    assert np.allclose(field.jacobian(x), as_field(module).jacobian(x), rtol=1e-8, atol=1e-10)


class Pair(torch.nn.Module):
    """A module with two outputs, as recurrent ones have."""

    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Pair(), "does not map points"),
        (torch.jit.script(torch.nn.Linear(3, 1)), "scripted"),
    ],
)
def test_modules_that_cannot_be_fields_are_explained(module, words):
    with pytest.raises(InputError, match=words):
        as_field(module, dim=3)


def test_a_device_is_where_the_module_is_evaluated():
    net = torch.nn.Linear(3, 2)
    x = np.random.default_rng(0).normal(size=(5, 3))
    here, named = as_field(net), as_field(net, device="cpu")
    assert np.array_equal(here.jacobian(x), named.jacobian(x)) and next(net.parameters()).dtype == torch.float32
    absent = "cuda" if not torch.cuda.is_available() else f"cuda:{torch.cuda.device_count()}"
    for obj, device, words in ((net, absent, "doctor"), (net, "nowhere", "cpu"), (np.sin, "cpu", "torch.nn.Module")):
        with pytest.raises(InputError, match=words):
            as_field(obj, dim=3, device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_values_and_derivatives_of_a_gpu_are_those_of_the_cpu():
    net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    x = np.random.default_rng(0).normal(size=(50, 3))
    cpu, gpu = as_field(net, device="cpu"), as_field(net, device="cuda")
    assert np.allclose(cpu.value(x), gpu.value(x), atol=1e-13) and np.allclose(
        cpu.jacobian(x), gpu.jacobian(x), atol=1e-13
    )
