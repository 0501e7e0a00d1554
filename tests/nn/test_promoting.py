"""Layers that may leave a group: the price of each in closed form, what is kept, and the way on with the subgroup."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

import erlangen as er
from erlangen._errors import InputError, UndecidedError
from erlangen.nn import EquivariancePromotingMLP, EquivariantMLP, PromotingLinear, SymmetryMonitor, symmetry_penalty
from erlangen.nn._penalty_kept import name_of
from erlangen.nn._penalty_layers import with_generators
from erlangen.nn.promoting_layers import SPREAD

SO3, O3 = er.groups.SO(3), er.groups.O(3)
KINDS = ("nuclear", "scale-free", "reweighted", "frobenius")
AXIS = np.array([1.0, 2.0, 2.0]) / 3


def layer(rep_in: str, rep_out: str, group: er.Group, spread: float = 1.0) -> PromotingLinear:
    out = PromotingLinear(er.rep(rep_in, group), er.rep(rep_out, group), spread=spread, dtype=torch.float64)
    torch.nn.init.normal_(out.bias)
    return out


def about_the_axis(x: torch.Tensor) -> torch.Tensor:
    """Of two vectors; only the rotations about the axis leave it alone."""
    u = torch.tensor(AXIS, dtype=x.dtype)
    a, b = x[:, :3], x[:, 3:]
    return ((a * b).sum(1) + a @ u + (b @ u) ** 2 / 2)[:, None]


@pytest.mark.parametrize("group", [SO3, er.groups.SO(1, 3), er.groups.SU(2)], ids=lambda g: g.name)
def test_rows_of_a_layer_are_its_defect_on_standard_normal_inputs(group):
    one = layer("2V + S", "V + V*V", group)
    p = len(group.lie_algebra)
    (part,) = with_generators([one], np.eye(p))
    d = one.in_features
    x = d**0.5 * torch.eye(d, dtype=torch.float64).repeat(2, 1)  # moments of first and second degree are exact
    x[d:] *= -1
    y = one(x)
    for k, row in enumerate(part.rows().T):
        a, b = (torch.tensor(rep.matrix(group.lie_algebra[k])) for rep in (one.rep_in, one.rep_out))
        defect = x @ a.T @ one.weight.T - y @ b.T
        assert row.norm().item() ** 2 == pytest.approx(defect.square().sum(1).mean().item(), rel=1e-12)
        slope = one.weight.square().sum() / one.in_features * (x @ a.T).square().sum(1).mean()
        assert part.form()[k, k].item() == pytest.approx((slope + (y @ b.T).square().sum(1).mean()).item(), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["layers", "stacked"])
def test_layers_of_a_subgroup_break_only_the_rest(kind, where):
    """A layer that commutes with the rotations about an axis breaks two of three."""
    generator = np.tensordot(AXIS * [1, -1, 1], np.array([SO3.lie_algebra[i] for i in (2, 1, 0)]), 1)
    turns = er.groups.from_matrices(lie_algebra=generator)
    exact = er.nn.EquivariantLinear(er.rep("2V + S", turns), er.rep("V + S", turns), dtype=torch.float64)
    free = layer("2V + S", "V + S", SO3)
    x = np.random.default_rng(0).normal(size=(30, 7))
    assert symmetry_penalty(free, SO3, x, kind=kind, where=where) > 0.5
    with torch.no_grad():
        free.weight.copy_(exact.assemble()[0])
        free.bias.copy_(exact.assemble()[1])
    price = er.nn.SymmetryPenalty(free, SO3, x, kind=kind, where=where)
    (s,) = price.singular_values()
    assert s[1] > 0.1 and s[2] <= 1e-7 * s[0]
    full = EquivariantMLP("2V + S", "V + S", SO3, hidden=8, layers=1, dtype=torch.float64).last
    with torch.no_grad():
        same = layer(str(full.rep_in), str(full.rep_out), SO3)
        same.weight.copy_(full.assemble()[0])
        same.bias.copy_(full.assemble()[1] if full.bias is not None else torch.zeros(4))
    points = np.random.default_rng(0).normal(size=(30, same.in_features))
    assert abs(symmetry_penalty(same, SO3, points, kind=kind, where=where).item()) <= 1e-6


def test_a_generator_that_two_layers_break_costs_once_where_they_are_stacked():
    net = torch.nn.Sequential(*(PromotingLinear(er.rep("V", SO3), er.rep("V", SO3), dtype=torch.float64) for _ in "ab"))
    stretch = torch.diag(torch.tensor([1.0, 1.0, 2.0], dtype=torch.float64))  # rotations about z are kept
    for part in net:
        part.weight.data, part.bias.data = stretch, torch.zeros(3).double()
    x = np.eye(3)
    one, two = (symmetry_penalty(m, SO3, x, kind="nuclear", where="layers") for m in (net[0], net))
    assert two.item() == pytest.approx(2 * one.item())
    both = symmetry_penalty(net, SO3, x, kind="nuclear", where="stacked")
    assert both.item() == pytest.approx(np.sqrt(2) * one.item())
    relative = symmetry_penalty(net, SO3, x, kind="scale-free", where="stacked")
    assert relative.item() == pytest.approx(symmetry_penalty(net[0], SO3, x, kind="scale-free", where="layers").item())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["ends", "layers", "stacked"])
@pytest.mark.parametrize("group", [SO3, O3, er.groups.S(3)], ids=lambda g: g.name)
def test_gradients_of_networks_are_those_of_differences(kind, where, group):
    net = EquivariancePromotingMLP("V", "V", group, hidden=8, layers=1, spread=0.3, dtype=torch.float64)
    price = net.penalty(np.random.default_rng(0).normal(size=(20, 3)), kind=kind, where=where)
    parameters = list(net.parameters())
    along = [torch.randn_like(p) for p in parameters]
    gradient = torch.autograd.grad(price(), parameters, allow_unused=True)
    slope = sum(float((g * v).sum()) for g, v in zip(gradient, along) if g is not None)
    ends = []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            for p, v in zip(parameters, along):
                p += step * v
        ends.append(price().item())
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-7)


def test_relative_values_compare_each_layer_with_its_own_size():
    net = torch.nn.Sequential(layer("V", "V", SO3), layer("V", "V", SO3, spread=0.0))
    before = symmetry_penalty(net, SO3, np.eye(3), kind="scale-free", where="stacked").item()
    for p in net[1].parameters():
        p.data *= 100.0
    assert symmetry_penalty(net, SO3, np.eye(3), kind="scale-free", where="stacked").item() == pytest.approx(before)


def test_networks_start_near_equivariant_ones():
    x = torch.randn(50, 6, dtype=torch.float64)
    for spread, bound in ((0.0, 1e-12), (0.01, 0.05)):
        net = EquivariancePromotingMLP("2V", "V + S", SO3, hidden=24, spread=spread, dtype=torch.float64)
        assert net.broken_rank() == 0
        assert net.defects().max() <= bound
        defects = SymmetryMonitor(net, net.rep_in >> net.rep_out, x)()
        assert max(defects.values()) <= bound
    assert net.kept().shape == (3, 3) and net.subgroup() is SO3


@pytest.mark.parametrize("group", [SO3, O3, er.groups.SE(2), er.groups.SO(1, 3)], ids=lambda g: g.name)
@pytest.mark.parametrize(("source", "target"), [("V", "S"), ("2V", "V")])
def test_the_function_starts_near_equivariant_as_well(group, source, target):
    source = "2V" if group.name == "SE(2)" else source  # only constants leave all motions of one point alone
    for seed in range(3):
        torch.manual_seed(seed)
        net = EquivariancePromotingMLP(source, target, group, hidden=8)
        assert net.broken_rank() == 0
        fresh = np.random.default_rng(seed).normal(size=(200, net.in_features))
        if group.name == "SE(2)":
            fresh[:, 2::3] = 1.0  # where translations act
        assert net.defects(fresh).max() <= 0.05 and net(torch.tensor(fresh).float()).std() > 0


def test_layers_without_equivariant_maps_can_be_made():
    torch.manual_seed(0)
    net = EquivariancePromotingMLP("2V", "S", O3, layers=0)  # only products lead from vectors to scalars
    assert net.broken_rank() == 3 and net.last.weight.norm() > 0.2 * SPREAD  # shrinking would gain nothing


def fitted(target, weight: float, steps: int = 300) -> EquivariancePromotingMLP:
    torch.manual_seed(0)
    x = torch.randn(200, 6)
    y = target(x) + 0.05 * torch.randn(200, 1)
    net = EquivariancePromotingMLP("2V", "S", SO3, hidden=16, layers=1)
    price, adam = net.penalty(), torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(steps):
        adam.zero_grad()
        ((net(x) - y).square().mean() + weight * price()).backward()
        adam.step()
    return net


def test_the_function_decides_where_layers_hide_what_they_break():
    """Layers press what they break below any threshold, and the next ones amplify it."""

    def target(x):
        return (x[:, :3] * x[:, 3:]).sum(1, keepdim=True) + x[:, 2:3]

    net = fitted(target, 0.1)
    assert net.broken_rank(where="stacked") == 0
    far = torch.randn(500, 6)
    assert net.broken_rank() == net.broken_rank(far) == 2
    group = net.subgroup()
    assert group.name == "so(2) in SO(3)"
    assert abs(group.lie_algebra[0][0, 1]) > 0.999 * np.linalg.norm(group.lie_algebra[0]) / np.sqrt(2)
    spread = target(far).var()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        near = net.to_equivariant()
    assert (near(far) - target(far)).square().mean() <= 0.02 * spread
    with pytest.warns(UserWarning, match="another function"):
        lost = net.to_equivariant(SO3, far)
    assert (lost(far) - target(far)).square().mean() >= 0.2 * spread


def test_subgroups_are_named():
    turn = SO3.lie_algebra[:1]
    assert name_of(turn, 0, SO3) == "so(2) in SO(3)"
    assert name_of(np.diag([1.0, -1.0])[None], 0, er.groups.SL(2)) == "R in SL(2)"
    assert name_of(SO3.lie_algebra, 0, O3) == "so(3) in O(3)"
    assert name_of(turn, 1, O3) == "so(2) and 1 discrete element in O(3)"
    assert name_of(turn[:0], 2, er.groups.S(3)) == "2 discrete elements in S(3)"
    boost = er.groups.SO(1, 3).lie_algebra
    assert {name_of(b[None], 0, SO3).split()[0] for b in boost} == {"so(2)", "R"}


def test_the_subgroup_that_data_leave_is_found_and_enforced():
    x = torch.randn(400, 6)
    y = about_the_axis(x) + 0.05 * torch.randn(400, 1)
    net = EquivariancePromotingMLP("2V", "S", SO3, hidden=24, layers=1)
    price = net.penalty()
    adam = torch.optim.Adam(net.parameters(), lr=0.02)
    for rate in np.linspace(0.02, 0.0, 400):
        adam.param_groups[0]["lr"] = rate
        adam.zero_grad()
        ((net(x) - y).square().mean() + 0.1 * price()).backward()
        adam.step()
    assert net.broken_rank() == net.broken_rank(x) == 2
    assert net.defects()[0] < 0.05 < net.defects()[1]
    (turn,) = np.tensordot(net.kept().T, SO3.lie_algebra, 1)
    found = np.array([turn[2, 1], turn[0, 2], turn[1, 0]])
    assert abs(found @ AXIS) / np.linalg.norm(found) > 0.999
    exact = net.to_equivariant()
    far = 3 * torch.randn(100, 6, dtype=torch.float64)
    near = exact.double().eval()
    er.testing.assert_symmetric(near, er.actions.linear(np.kron(np.eye(2), turn)), far)
    with torch.no_grad():
        assert (near(far) - net.double()(far)).norm() <= 0.05 * near(far).norm()


def test_discrete_elements_are_kept_or_broken():
    even = EquivariancePromotingMLP("2V", "S", O3, hidden=16, layers=1, spread=0.0, dtype=torch.float64)
    assert even.subgroup() is O3
    for part in even.modules():
        if isinstance(part, PromotingLinear):
            torch.nn.init.normal_(part.weight)
    with pytest.raises(UndecidedError, match="Nothing is kept"):
        even.subgroup()
    with pytest.warns(UserWarning, match="another function"):
        turns = even.to_equivariant(er.groups.from_matrices(lie_algebra=SO3.lie_algebra))
    assert SymmetryMonitor(turns, er.rep("2V", SO3) >> er.rep("S", SO3), np.eye(6))()["broken rank"] == 0


def test_monitors_report_the_defects_that_discover_measures():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).double()
    x = np.random.default_rng(0).normal(size=(60, 2))
    action = er.actions.affine(2)
    found = SymmetryMonitor(net, action, x, values="vector")()
    sym = er.discover(net, action, x, kind="vector")
    assert [*found][:-1] == list(action.names)
    assert [*found.values()][:-1] == pytest.approx([sym.test(e).value for e in np.eye(6)], rel=1e-6)
    assert found["broken rank"] == int(np.sum(sym.spectrum > 0.05))
    monitor = SymmetryMonitor(net, action, x)
    torch.nn.init.constant_(net.get_parameter("0.weight"), torch.nan)
    assert np.isnan(monitor()[action.names[0]])


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda net: net.penalty(where="ends"), "measured at points"),
        (lambda net: net.penalty(np.zeros((4, 2))), "do not fit the action"),
        (lambda net: net.penalty(where="stack"), "where='stacked'"),
        (lambda net: symmetry_penalty(net, er.groups.SO(4), np.eye(3), where="layers"), "another group"),
        (lambda net: net(torch.zeros(4, 5)), "size of the input"),
        (lambda net: SymmetryMonitor(net, SO3, np.eye(3), names=["a", "b"]), "name of its own"),
        (lambda net: SymmetryMonitor(net, SO3, np.eye(3), delta=-1), "between 0 and 1"),
        (lambda net: net.broken_rank(delta=-1), "between 0 and 1"),
        (lambda net: net.defects(where="layers"), "where='ends'"),
        (lambda net: EquivariancePromotingMLP("V", "S", SO3, hidden="8"), "hidden layers are not understood"),
    ],
)
def test_what_does_not_fit_is_refused(call, match):
    net = EquivariancePromotingMLP("V", "S", SO3, hidden=6, layers=1)
    with pytest.raises(InputError, match=match):
        call(net)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["nuclear", "scale-free", "reweighted", "frobenius"])
def test_a_layer_of_zeros_breaks_nothing(kind, dtype):
    """Last layers are often zero at the start: the price and its gradients stay finite."""
    net = EquivariancePromotingMLP("2V", "S", SO3, hidden=16, layers=1, dtype=dtype)
    torch.nn.init.zeros_(net.last.weight)
    price = net.penalty(kind=kind)()
    price.backward()
    assert torch.isfinite(price) and price > 0
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)
