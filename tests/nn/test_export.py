"""Layers pass through torch.compile, torch.export and ONNX, and what comes out still commutes with the group."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from erlangen import nn
from erlangen.algebra import rep
from erlangen.algebra.groups import SO, O

SMALLEST = {torch.float32: 2e-6, torch.float64: 1e-10}


def network(dtype=torch.float64):
    torch.manual_seed(0)
    return nn.EquivariantMLP("2V", "S + V", O(2), hidden=10, layers=1, dtype=dtype)


def batch(n: int, size: int = 4, dtype=torch.float64) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(n).normal(size=(n, size))).to(dtype)


def error(f, module, x) -> float:
    worst = 0.0
    for g in module.rep_in.group.sample(4, 0):
        a, b = (torch.from_numpy(r.group_matrix(g)).to(x) for r in (module.rep_in, module.rep_out))
        expected = f(x) @ b.T
        worst = max(worst, float((f(x @ a.T) - expected).norm() / expected.norm()))
    return worst


def export(module, x):
    return torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))


@pytest.mark.parametrize("dtype", SMALLEST, ids=str)
def test_an_exported_network_commutes_with_the_group(dtype):
    net = network(dtype).eval()
    program = export(net, batch(3, dtype=dtype)).module()
    x = batch(20, dtype=dtype)
    with torch.no_grad():
        assert torch.equal(program(x), net(x))
        assert error(program, net, x) <= SMALLEST[dtype]


def test_a_float64_graph_of_a_network_made_in_float32():
    net = network(torch.float32).double().eval()
    with torch.no_grad():
        assert error(export(net, batch(3)).module(), net, batch(20)) <= 1e-10


def test_an_exported_layer_is_a_linear_one():
    V = rep("2S + 2V + V**2", SO(3))
    layer = nn.EquivariantLinear(V, V, dtype=torch.float64).eval()
    program = export(layer, batch(3, V.size))
    called = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert called == [torch.ops.aten.linear.default]
    with torch.no_grad():
        assert error(program.module(), layer, batch(20, V.size)) <= 1e-10


def test_an_ordinary_network_is_exported_without_bases():
    net = network().eval()
    plain = nn.to_linear(torch.nn.Sequential(net, torch.nn.Identity()))
    program = export(plain, batch(3))
    unused = [n.name for n in program.graph.nodes if n.op == "placeholder" and not n.users]
    assert unused == []
    assert not any("coefficients" in key for key in program.state_dict if "products" not in key)
    with torch.no_grad():
        assert torch.equal(program.module()(batch(20)), net(batch(20)))
    assert isinstance(net.last, nn.EquivariantLinear)


def test_a_layer_that_is_used_twice_stays_one():
    layer = nn.EquivariantLinear(rep("V", O(2)), rep("V", O(2)))
    twice = nn.to_linear(torch.nn.Sequential(layer, layer))
    assert twice[0] is twice[1] and type(twice[0]) is torch.nn.Linear
    assert type(nn.to_linear(layer)) is torch.nn.Linear


def test_a_network_exported_in_training_mode_can_be_trained():
    net = network().train()
    program = export(net, batch(3)).module()
    program(batch(5)).sum().backward()
    gradients = {name: p.grad for name, p in program.named_parameters()}
    net(batch(5)).sum().backward()
    assert all(torch.allclose(p.grad, gradients[name]) for name, p in net.named_parameters())


def test_compiled_without_a_break():
    """One graph for training, one for evaluation; the second sees the weights of the first."""
    net = network()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    x = batch(5)
    assert torch.allclose(compiled(x), net(x))
    compiled(x).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(1.5)
    net.eval()
    with torch.no_grad():
        assert torch.allclose(compiled(x), net(x))
    assert torch.allclose(net(x), net.train()(x))


def test_a_compiled_layer_follows_a_state_that_is_loaded():
    layer = nn.EquivariantLinear(rep("V", O(2)), rep("V", O(2)), dtype=torch.float64).eval()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    x = batch(5, 2)
    with torch.no_grad():
        before = compiled(x)
        layer.load_state_dict({k: 2 * v if k == "coefficients" else v for k, v in layer.state_dict().items()})
        assert torch.allclose(compiled(x), 2 * before)


def test_onnx(tmp_path):
    net = network(torch.float32).eval()
    path = str(tmp_path / "network.onnx")
    shapes = ({0: torch.export.Dim("batch")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        torch.onnx.export(
            net, (batch(3, dtype=torch.float32),), path, dynamo=True, dynamic_shapes=shapes, verbose=False
        )
    session = onnxruntime.InferenceSession(path)
    name = session.get_inputs()[0].name
    x = batch(20, dtype=torch.float32)

    def run(x):
        return torch.from_numpy(session.run(None, {name: x.numpy()})[0])

    with torch.no_grad():
        assert torch.allclose(run(x), net(x), atol=1e-6)
    assert error(run, net, x) <= SMALLEST[torch.float32]


def test_the_example_runs(capsys):
    runpy.run_path(str(Path(__file__).parents[2] / "examples" / "enforce" / "equivariant_layers.py"))
    assert "below 1e-10: True" in capsys.readouterr().out
