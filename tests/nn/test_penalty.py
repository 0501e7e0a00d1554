"""The penalty of networks: the library's own Lie derivative, gradients away from and at kinks, clear refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import erlangen as er
from erlangen._errors import InputError, UndecidedError
from erlangen.derivative import LieDerivative
from erlangen.fields import as_field
from erlangen.nn import SymmetryPenalty, symmetry_penalty
from erlangen.nn._penalty_spectrum import length, plain, reweighted, spectral_sum

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
KINDS = ("nuclear", "scale-free", "reweighted", "frobenius")


def mlp(d: int, c: int, *middle: nn.Module, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(d, 12), nn.Tanh(), *middle, nn.Linear(12, c)).to(dtype)


def curved(x: np.ndarray) -> np.ndarray:
    """Velocities that are no polynomials."""
    return np.stack([np.sin(x), np.cos(x[:, ::-1])], axis=1)


OUTPUTS = np.random.default_rng(5).normal(size=(3, 2, 2))
CASES = {
    "invariant, affine": (1, er.actions.affine(3), "invariant"),
    "vector field, affine": (3, er.actions.affine(3), "vector"),
    "vector field, quadratic": (3, er.actions.polynomial(3, 2, lowest=2), "vector"),
    "more channels than coordinates": (5, er.actions.euclidean(3), "invariant"),
    "fewer generators than passes": (3, er.actions.linear([[0.0, -1, 0], [1, 0, 0], [0, 0, 0]]), "vector"),
    "output matrices": (2, er.actions.rotation(3).with_output(OUTPUTS), "invariant"),
    "callable": (1, er.actions.CallableAction(curved, 3, ("s", "c")), "invariant"),
    "callable, vector field": (3, er.actions.CallableAction(curved, 3, ("s", "c")), "vector"),
    "representations": (3, er.rep("V", er.groups.SO(3)) >> er.rep("V", er.groups.SO(3)), "invariant"),
}


def lie_of(net: nn.Module, action, values: str) -> LieDerivative:
    if not isinstance(action, er.actions.AbstractAction):
        action = er.actions.rotation(3).with_output(np.array([a.toarray() for a in action.target.lie_images]))
    return LieDerivative(as_field(net, kind=values), action, er.Samples.from_data(X))


@pytest.mark.parametrize("case", CASES)
def test_the_matrix_is_the_lie_derivative_along_orthonormal_generators(case):
    c, action, values = CASES[case]
    net = mlp(3, c)
    lie = lie_of(net, action, values)
    price = SymmetryPenalty(net, action, X, kind="nuclear", values=values)
    velocity = lie.lifted.on_points(X)
    speeds = np.einsum("npa,nqa->pq", velocity, velocity) / len(X)
    if isinstance(action, er.actions.AbstractAction):
        assert np.allclose(price.basis.T @ speeds @ price.basis, np.eye(price.basis.shape[1]), atol=1e-12)
    root = np.linalg.inv(np.linalg.cholesky(speeds)).T  # any orthonormal basis has the same singular values
    s = np.linalg.svd(lie.in_xi() @ root, compute_uv=False)
    (found,) = price.singular_values()
    assert np.abs(found - s).max() <= 1e-7 * s[0]
    assert price().item() == pytest.approx(s.sum(), rel=1e-9)
    assert SymmetryPenalty(net, action, X, kind="frobenius", values=values)().item() == pytest.approx(
        np.linalg.norm(s), rel=1e-9
    )


@pytest.mark.parametrize("case", ["invariant, affine", "vector field, affine", "callable", "callable, vector field"])
def test_scale_free_values_are_the_defects_that_discover_reports(case):
    c, action, values = CASES[case]
    net = mlp(3, c)
    (s,) = SymmetryPenalty(net, action, X, kind="scale-free", values=values).singular_values()
    assert np.abs(s[::-1] - er.discover(net, action, X, kind=values).spectrum).max() <= 1e-9


def test_scale_free_kinds_do_not_see_the_size_of_the_function_or_the_units_of_the_points():
    small, net, big = mlp(3, 3), mlp(3, 3), mlp(3, 3)
    with torch.no_grad():
        for p in small[-1].parameters():
            p *= 1e-3
        big[0].weight /= 100.0
        for p in big[-1].parameters():
            p *= 100.0
    for kind in ("scale-free", "reweighted"):
        there = SymmetryPenalty(net, er.actions.affine(3), X, kind=kind, values="vector")().item()
        assert SymmetryPenalty(small, er.actions.affine(3), X, kind=kind, values="vector")().item() == pytest.approx(
            there
        )
        assert SymmetryPenalty(
            big, er.actions.affine(3), 100 * X, kind=kind, values="vector"
        )().item() == pytest.approx(there)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_differences(case, kind):
    c, action, values = CASES[case]
    net = mlp(3, c)
    price = SymmetryPenalty(net, action, X, kind=kind, values=values)
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
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=2e-5, abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["ends", "layers", "stacked"])
@pytest.mark.parametrize("group", [er.groups.SO(3), er.groups.S(3)], ids=lambda g: g.name)
def test_second_derivatives_are_right_or_refused(kind, where, group):
    net = er.nn.EquivariancePromotingMLP("V", "V", group, hidden=6, layers=1, spread=0.3, dtype=torch.float64)
    price = net.penalty(X, kind=kind, where=where)
    parameters = list(net.parameters())
    along = [torch.randn_like(p) for p in parameters]

    def slope(record: bool) -> torch.Tensor:
        gradient = torch.autograd.grad(price(), parameters, create_graph=record, allow_unused=True)
        return torch.stack([(g * v).sum() for g, v in zip(gradient, along) if g is not None]).sum()

    recorded = slope(True)
    assert recorded.item() == pytest.approx(slope(False).item(), rel=1e-12)  # the first derivative is there
    if kind != "frobenius":
        with pytest.raises(InputError, match="second time"):
            torch.autograd.grad(recorded, parameters, allow_unused=True)
        return
    second = torch.autograd.grad(recorded, parameters, allow_unused=True)
    curvature = sum(float((g * v).sum()) for g, v in zip(second, along) if g is not None)
    ends = []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            for p, v in zip(parameters, along):
                p += step * v
        ends.append(slope(False).item())
    assert curvature == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-7)


def test_gradient_penalties_on_top_of_a_price_are_refused():
    net = mlp(3, 1)
    loss = net(torch.tensor(X)).square().mean() + symmetry_penalty(net, er.actions.rotation(3), X)
    gradient = torch.autograd.grad(loss, list(net.parameters()), create_graph=True)
    with pytest.raises(InputError, match="first derivatives"):
        torch.stack([g.square().sum() for g in gradient]).sum().backward()


class Tokens(nn.Module):
    """Coordinates of one point as tokens that attend to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(1, 8), nn.Linear(8, 1)
        self.attend = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.attend(self.first(x[:, :, None])).mean(1))


@pytest.mark.parametrize("kind", KINDS)
def test_attention_within_a_row_is_priced_with_its_gradient(kind):
    torch.manual_seed(0)
    net = Tokens().double()
    price = SymmetryPenalty(net, er.actions.rotation(3), X, kind=kind)
    parameters = list(net.parameters())
    along = [torch.randn_like(p) for p in parameters]
    gradient = torch.autograd.grad(price(), parameters, allow_unused=True)
    slope = sum(float((g * v).sum()) for g, v in zip(gradient, along) if g is not None)
    ends = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            for p, v in zip(parameters, along):
                p += step * v
            ends.append(price().item())
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4)
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize("where", ["ends", "stacked"])
@pytest.mark.parametrize("kind", KINDS)
def test_prices_and_monitors_follow_the_module_to_another_type(kind, where):
    net = er.nn.EquivariancePromotingMLP("V", "V", er.groups.SO(3), hidden=6, layers=1, spread=0.3)
    price = net.penalty(X, kind=kind, where=where)
    monitor = er.nn.SymmetryMonitor(net, net.rep_in >> net.rep_out, X)
    before, seen = price().item(), monitor()
    net.double()
    assert price().dtype == torch.float64 and price().item() == pytest.approx(before, rel=1e-3)
    assert price.singular_values()[0].dtype == np.float64
    assert monitor() == pytest.approx(seen, rel=1e-3)


def test_they_print_in_a_line():
    net = mlp(3, 1)
    price = SymmetryPenalty(net, er.actions.rotation(3), X)
    assert repr(price) == "SymmetryPenalty(reweighted, ends): Sequential, 3 generators, 40 points in R^3"
    monitor = er.nn.SymmetryMonitor(net, er.actions.rotation(3), X, delta=0.1)
    assert repr(monitor) == "SymmetryMonitor(delta=0.1): Sequential, 3 generators, 40 points in R^3"


@pytest.mark.parametrize("short", [torch.bfloat16, torch.float16])
def test_points_of_short_types_are_taken(short):
    x = torch.tensor(X).to(short)
    net = mlp(3, 1)
    assert symmetry_penalty(net, er.actions.affine(3), x) == symmetry_penalty(net, er.actions.affine(3), x.double())


@pytest.mark.parametrize("shape", [(7, 3), (3, 3), (2, 5)])
@pytest.mark.parametrize("rate", [plain, reweighted])
def test_sums_over_singular_values_pass_gradcheck(shape, rate):
    a = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    root = torch.randn(shape[1], shape[1], dtype=torch.float64)
    form = (root @ root.T + torch.eye(shape[1])).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: spectral_sum(a, None, rate), a)
    symmetric = lambda a, b: spectral_sum(a, (b + b.T) / 2, rate)  # noqa: E731
    assert torch.autograd.gradcheck(symmetric, (a, form))


KINKS = {
    "zero": np.zeros((6, 3)),
    "rank one": np.outer(np.arange(6.0), [1.0, 2.0, 2.0]),
    "repeated": np.vstack([np.eye(3), np.zeros((3, 3))]),
    "repeated and zero": np.diag([1.0, 1.0, 0.0]),
    "wide": np.eye(2, 5),
}


@pytest.mark.parametrize("name", KINKS)
def test_the_nuclear_norm_has_a_subgradient_at_every_kink(name):
    a = torch.tensor(KINKS[name], requires_grad=True)
    value = spectral_sum(a, None, plain)
    (gradient,) = torch.autograd.grad(value, a)
    assert gradient.isfinite().all()
    assert torch.linalg.matrix_norm(gradient, 2) <= 1 + 1e-9  # the dual norm, and <G, A> = |A|_*
    assert (gradient * a).sum().item() == pytest.approx(value.item(), abs=1e-12)
    for other in torch.randn(50, *a.shape, dtype=torch.float64):
        assert torch.linalg.matrix_norm(other, "nuc") >= value + (gradient * (other - a)).sum() - 1e-9
    (least,) = torch.autograd.grad(length(a), a)
    assert least.isfinite().all()


@pytest.mark.parametrize("least", [0.0, 1e-10, 1e-9, 1e-8, 1e-7])
def test_values_lost_in_rounding_do_not_blow_up_the_gradient(least):
    for seed in range(20):
        u, v = (np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0] for n in (9, 4))
        a = torch.tensor(u[:, :4] @ np.diag([3.0, 1.0, 1.0, least]) @ v, requires_grad=True)
        (gradient,) = torch.autograd.grad(spectral_sum(a, None, plain), a)
        assert torch.linalg.matrix_norm(gradient, 2) <= 1.1


@pytest.mark.parametrize("kind", KINDS)
def test_symmetric_and_constant_networks_have_price_zero_and_finite_gradients(kind):
    for net in (er.nn.EquivariantMLP("V", "S", er.groups.SO(3), hidden=8, layers=1).double(), mlp(3, 1)):
        if isinstance(net, nn.Sequential):
            nn.init.zeros_(net[-1].weight)
        price = symmetry_penalty(net, er.actions.rotation(3), X, kind=kind)
        assert abs(price.item()) <= 1e-6
        gradient = torch.autograd.grad(price, list(net.parameters()), allow_unused=True)
        assert all(g is None or g.isfinite().all() for g in gradient)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("steep", [0.0, 1e5])
def test_gradients_of_dead_and_saturated_networks_are_finite(dtype, activation, steep):
    x = RNG.normal(size=(50, 4)) * [1.0, 1e-3, 1e3, 0.0]
    net = nn.Sequential(nn.Linear(4, 16), activation(), nn.Linear(16, 1)).to(dtype)
    net.get_parameter("0.weight").data *= steep
    for kind in KINDS:
        price = symmetry_penalty(net, er.actions.affine(4), x, kind=kind)
        gradient = torch.autograd.grad(price, list(net.parameters()), allow_unused=True)
        assert price.isfinite() and all(g is None or g.isfinite().all() for g in gradient)


def test_ranks_are_counted():
    u = np.array([1.0, -2.0, 0.5])
    net = nn.Linear(3, 1).double()
    net.weight.data = torch.tensor(u)[None]
    ridge = nn.Sequential(net, nn.Tanh())
    (s,) = SymmetryPenalty(ridge, er.actions.translation(3), X, kind="scale-free").singular_values()
    assert np.allclose(s, [np.sqrt(3.0), 0, 0], atol=1e-7)  # all of |Df| along one of three directions


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_modules_are_priced_in_their_own_type_and_left_as_they_were(dtype):
    net = mlp(3, 2, nn.BatchNorm1d(12), nn.Dropout(0.5), dtype=dtype).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    first = symmetry_penalty(net, er.actions.euclidean(3), X)
    assert first.dtype == dtype and first.shape == () and first.requires_grad
    assert torch.equal(first, symmetry_penalty(net, er.actions.euclidean(3), torch.tensor(X, dtype=dtype)))
    assert all(part.training for part in net.modules())
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    with torch.no_grad():
        assert not symmetry_penalty(net, er.actions.euclidean(3), X).requires_grad


def test_compiled_modules_are_read_uncompiled():
    net = mlp(3, 1)
    compiled = nn.Identity()  # what torch.compile returns holds the original under this name
    compiled._orig_mod = net
    assert torch.equal(
        symmetry_penalty(compiled, er.actions.affine(3), X), symmetry_penalty(net, er.actions.affine(3), X)
    )


def test_groups_with_discrete_elements_add_a_norm_for_each():
    net = mlp(3, 1)
    x = torch.tensor(X)
    plus = symmetry_penalty(net, er.groups.O(3), X, kind="nuclear") - symmetry_penalty(
        net, er.actions.rotation(3), X, kind="nuclear"
    )
    h = torch.tensor(er.groups.O(3).discrete[0])
    assert plus.item() == pytest.approx(float((net(x @ h.T) - net(x)).norm()) / np.sqrt(len(X)))
    even = nn.Sequential(nn.Linear(3, 1, bias=False).double())
    even.register_forward_hook(lambda module, args, out: out.square())
    for kind in KINDS:  # a finite group has no generators
        assert abs(symmetry_penalty(even, er.groups.from_matrices(discrete=-np.eye(3)[None]), X, kind=kind)) < 1e-12
        assert symmetry_penalty(mlp(3, 1), er.groups.from_matrices(discrete=-np.eye(3)[None]), X, kind=kind) > 0.1


def test_found_symmetries_are_taken():
    sym = er.discover(lambda x: (x**2).sum(axis=1), er.actions.affine(3), er.Samples.box(-1, 1, dim=3))
    net = mlp(3, 1)
    for kind in KINDS:
        expected = symmetry_penalty(net, er.actions.rotation(3), X, kind=kind).item()
        assert symmetry_penalty(net, sym, X, kind=kind).item() == pytest.approx(expected, rel=1e-6)


def test_what_overflows_is_not_finite_and_raises_nothing():
    for kind in KINDS:
        net = mlp(3, 1)
        price = SymmetryPenalty(net, er.actions.affine(3), X, kind=kind)
        assert price().isfinite()
        net[0].weight.data.fill_(torch.nan)
        assert not price().isfinite()
        price().backward()
        with pytest.raises(UndecidedError, match="not finite"):
            price.singular_values()


class Mixing(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


class Detached(nn.Module):
    def forward(self, x):
        return x.detach().sum(1)


class Wrong(nn.Module):
    def forward(self, x):
        return x[None]


@pytest.mark.parametrize(
    ("module", "action", "x", "options", "match"),
    [
        (mlp(3, 1), er.actions.affine(2), X, {}, "do not fit the action"),
        (mlp(2, 1), er.actions.affine(3), X, {}, "does not map points to values"),
        (mlp(3, 1), er.actions.affine(3), X[:0], {}, "at least one point"),
        (mlp(3, 1), er.actions.affine(3), X[0], {}, r"\(n, d\)"),
        (mlp(3, 1), er.actions.affine(3), np.where(X > 2, np.nan, X), {}, "not finite"),
        (mlp(3, 1), er.actions.affine(3), X, {"kind": "nuklear"}, "kind='nuclear'"),
        (mlp(3, 1), er.actions.affine(3), X, {"where": "layer"}, "where='layers'"),
        (mlp(3, 1), er.actions.affine(3), X, {"values": "vectors"}, "values='vector'"),
        (mlp(3, 1), er.actions.affine(3), X, {"values": "vector"}, "as many channels"),
        (mlp(3, 1), er.actions.affine(3), X, {"where": "layers"}, "says how the group acts"),
        (mlp(3, 1), er.actions.rotation(3), np.zeros((5, 3)), {}, "generators vanish"),
        (mlp(3, 1), None, X, {}, "Something must act"),
        (Mixing(), er.actions.affine(3), X, {}, "which other points are in the batch"),
        (Detached(), er.actions.affine(3), X, {}, "do not depend on its input"),
        (Wrong(), er.actions.affine(3), X, {}, "does not map points to values"),
        (lambda x: x, er.actions.affine(3), X, {}, "trains a network"),
        (
            mlp(3, 1),
            er.actions.affine(3),
            np.zeros((4, 1, 8, 8)),
            {},
            r"with 64 coord(.|\n)*x.flatten(.|\n)*on_grid",
        ),
        (mlp(3, 1), er.actions.affine(3), X + 1j, {}, "points are complex"),
        (mlp(3, 1), er.actions.affine(3), [["a", "b", "c"]], {}, "points are no numbers"),
    ],
)
def test_what_cannot_be_priced_is_refused(module, action, x, options, match):
    with pytest.raises(InputError, match=match):
        symmetry_penalty(module, action, x, **options)


class AboutAnAxis(torch.nn.Module):
    """Symmetric about z whatever its weights."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))

    def forward(self, p):
        return self.inner(torch.stack([p[:, 0] ** 2 + p[:, 1] ** 2, p[:, 2]], 1))


@pytest.mark.parametrize("kind", ["nuclear", "scale-free", "reweighted"])
@pytest.mark.parametrize("seed", [0, 1, 3])
def test_generators_kept_up_to_rounding_do_not_pull_in_single_precision(kind, seed):
    torch.manual_seed(seed)
    net, x, gradients = AboutAnAxis(), torch.randn(40, 3, dtype=torch.float64), []
    for dtype in (torch.float64, torch.float32):
        net.to(dtype).zero_grad()
        symmetry_penalty(net, er.actions.rotation(3), x, kind=kind).backward()
        gradients.append(torch.cat([p.grad.double().ravel() for p in net.parameters() if p.grad is not None]))
        net.zero_grad(set_to_none=True)
    assert (gradients[1] - gradients[0]).norm() < 1e-4 * gradients[0].norm()
