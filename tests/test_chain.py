"""The chain: data, the symmetry found in them, layers with that symmetry, training, and the exported graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import erlangen as er
from erlangen.systems.lorentz import lorentz_table
from erlangen.systems.two_body import one_step_pairs, two_body_orbits

LARGEST_ERROR = 1e-10
"""Equivariance error that an exported float64 graph may have."""


@dataclass(frozen=True, eq=False)
class Link:
    """Data in units of their spread, the symmetry found in them, and how the outputs transform."""

    x: NDArray
    y: NDArray
    symmetry: er.Symmetry
    rep_out: str


def two_body() -> Link:
    """One step of the flow; the same 2 x 2 matrices on positions and momenta of both bodies are on offer."""
    before, after = one_step_pairs(two_body_orbits(100, 8))
    planes = er.actions.gl(2).tied([(0, 1), (2, 3), (4, 5), (6, 7)])
    unit = before.std()
    return Link(before / unit, after / unit, er.discover((before, after), planes, kind="map"), "V")


def lorentz() -> Link:
    """Noisy values of a function of two four-vectors; the same 4 x 4 matrices on both are on offer."""
    x, y = lorentz_table(1500, noise=0.01)
    symmetry = er.discover((x, y), er.actions.gl(4).tied([range(4), range(4, 8)]))
    return Link(x, y[:, None] / y.std(), symmetry, "S")


LINKS = {"two-body": two_body, "Lorentz": lorentz}
# Name, and the dimension of the linear maps V >> V: 4 x 4 copies of a plane with complex multiples, 2 x 2 of R^4.
FOUND = {"two-body": ("so(2)", 32), "Lorentz": ("so(3,1)", 4)}


@pytest.fixture(scope="module", params=LINKS)
def link(request):
    return request.param, LINKS[request.param]()


def error(graph, source: er.algebra.Representation, target: er.algebra.Representation, x: torch.Tensor) -> float:
    """Largest relative difference between moving the inputs and moving the outputs, over finite elements."""
    worst = 0.0
    with torch.no_grad():
        for g in source.group.sample(10, rng=1):
            a, b = (torch.from_numpy(r.group_matrix(g)) for r in (source, target))
            want = graph(x) @ b.T
            worst = max(worst, float(torch.linalg.norm(graph(x @ a.T) - want) / torch.linalg.norm(want)))
    return worst


def exported(module: torch.nn.Module, x: torch.Tensor) -> torch.nn.Module:
    batch = torch.export.Dim("batch")
    return torch.export.export(module.eval(), (x[:3],), dynamic_shapes=({0: batch},)).module()


def train(module: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int) -> list[float]:
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(module(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_the_group_is_exact_although_the_data_are_not(link):
    name, chain = link
    wanted, maps = FOUND[name]
    assert chain.symmetry.decided and chain.symmetry.name == wanted
    group = chain.symmetry.group
    assert set(np.unique(group.lie_algebra)) == {-1.0, 0.0, 1.0}
    rep = chain.symmetry.rep
    assert er.enforce(rep >> rep).dim == maps


def test_a_trained_network_commutes_with_the_group_that_was_found_when_exported(link):
    name, chain = link
    source = chain.symmetry.rep
    target = er.rep(chain.rep_out, chain.symmetry.group)
    network = er.nn.EquivariantMLP(source, target, hidden=24, layers=1, dtype=torch.float64)
    x, y = torch.from_numpy(chain.x[:150]), torch.from_numpy(chain.y[:150])
    losses = train(network, x, y, steps=24)
    assert losses[-1] < 0.8 * losses[0]
    graph = exported(network, x)
    assert error(graph, source, target, x) <= LARGEST_ERROR
    with torch.no_grad():
        assert torch.equal(graph(x), network(x))


def test_an_ordinary_network_is_told_apart(link):
    _, chain = link
    source, target = chain.symmetry.rep, er.rep(chain.rep_out, chain.symmetry.group)
    plain = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.SiLU(), torch.nn.Linear(16, target.size)).double()
    x = torch.from_numpy(chain.x[:100])
    assert error(exported(plain, x), source, target, x) > 1e-2


def test_a_linear_layer_and_a_regressor_take_the_symmetry_as_it_is(link):
    _, chain = link
    rep = chain.symmetry.rep
    layer = er.nn.EquivariantLinear(rep, rep, dtype=torch.float64)
    x = torch.from_numpy(chain.x[:100])
    assert error(exported(layer, x), rep, rep, x) <= LARGEST_ERROR
    model = er.estimators.EquivariantRegressor(chain.symmetry, degree=2).fit(chain.x, chain.y)
    assert (
        error(lambda z: torch.from_numpy(model.predict(z.numpy())), rep, er.rep(chain.rep_out, rep.group), x) <= 1e-10
    )
