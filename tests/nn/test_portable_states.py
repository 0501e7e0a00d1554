"""What is saved means the same function in every basis; kept weights and products of two inputs."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import torch

from erlangen import nn
from erlangen._errors import InputError
from erlangen.algebra import rep
from erlangen.algebra.equivariant import EquivariantMaps, equivariant_maps
from erlangen.algebra.groups import SO, SU, O, S
from erlangen.linalg.structured import IsotypicBlock, IsotypicSubspace, OrbitSubspace, RestrictedSubspace
from erlangen.linalg.subspace import DenseSubspace
from erlangen.nn._weights import settled

DOUBLE = torch.float64


def rotation(size: int, rng) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


def turned(space, rng):
    """The same space with another basis of each kind that a solver may choose."""
    if isinstance(space, EquivariantMaps):
        return turned(space.subspace, rng)
    if isinstance(space, IsotypicSubspace):
        blocks = []
        for f in space.blocks:  # other copies on both sides, and another form of the irreducible
            (_, m, k), n = f.left.shape, f.right.shape[1]
            inside = rotation(k, rng)
            left = np.einsum("amk,mp,kl->apl", f.left, rotation(m, rng), inside)
            right = np.einsum("bnk,nq,kl->bql", f.right, rotation(n, rng), inside)
            blocks.append(IsotypicBlock(left, right, inside.T @ f.commutant @ inside))
        return IsotypicSubspace(space.shape, tuple(blocks[::-1]))
    if isinstance(space, RestrictedSubspace):
        return RestrictedSubspace(space.whole, turned(space.part, rng))
    if isinstance(space, OrbitSubspace) or space.dim == 0:
        return space  # orbits are no choice
    return DenseSubspace(space.to_dense() @ rotation(space.dim, rng))


@pytest.fixture
def elsewhere(monkeypatch):
    """Where the solver gives another basis each time it is called."""
    rng = np.random.default_rng(5)

    def solver(*args, **options):
        return turned(equivariant_maps(*args, **options), rng)

    def begin():
        for module in ("linear", "bilinear", "scalars", "_blocks"):
            monkeypatch.setattr(f"erlangen.nn.{module}.equivariant_maps", solver)

    return begin


def drawn(module, dtype=DOUBLE):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in module.to(dtype).parameters():
            p.normal_(generator=generator)
    return module


def values(module, n: int = 6):
    rng = np.random.default_rng(2)
    reps = (module.rep1, module.rep2) if isinstance(module, nn.EquivariantBilinear) else (module.rep_in,)
    dtype = next(module.parameters(), torch.zeros(0, dtype=DOUBLE)).dtype
    with torch.no_grad():
        return module(*(torch.from_numpy(rng.normal(size=(n, r.size))).to(dtype) for r in reps))


def difference(one, two) -> float:
    return float((one - two).norm() / two.norm())


G = SO(3)
MODULES = {
    "linear": lambda: nn.EquivariantLinear(rep("2V + S + V**2", G), rep("S + 3V + V**2", G)),
    "complex type": lambda: nn.EquivariantLinear(rep("3V + S", SO(2)), rep("2V + V**2", SO(2))),
    "quaternionic type": lambda: nn.EquivariantLinear(rep("2V", SU(2)), rep("3V", SU(2))),
    "lorentz": lambda: nn.EquivariantLinear(rep("2V + V**2", SO(1, 3)), rep("V + V**2", SO(1, 3))),
    "permutations": lambda: nn.EquivariantLinear(rep("V + V**2", S(4)), rep("S + V", S(4))),
    "bilinear": lambda: nn.EquivariantBilinear(rep("V + 2S", G), rep("V", G), rep("S + 2V", G)),
    "products": lambda: nn.ChannelProducts(rep("3V + S + V**2", G), rep("S + 2V + V**2", G)),
    "network": lambda: nn.EquivariantMLP(rep("2V", G), rep("S + V + V**2", G), hidden=24, layers=2),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32], ids=str)
def test_a_state_is_the_same_function_in_another_basis(name, dtype, elsewhere):
    saved = drawn(MODULES[name](), dtype)
    file = io.BytesIO()
    torch.save(saved.state_dict(), file)
    file.seek(0)
    elsewhere()
    other = drawn(MODULES[name](), dtype)
    if name not in ("permutations", "products"):  # the basis is another one, or nothing is tested
        assert difference(values(other), values(saved)) > 0.1
    other.eval().load_state_dict(torch.load(file, weights_only=True), strict=True)
    assert difference(values(other), values(saved)) <= 200 * torch.finfo(dtype).eps


@pytest.mark.parametrize("name", MODULES)
def test_a_state_of_the_same_basis_is_restored_to_the_last_bit(name):
    saved, other = drawn(MODULES[name](), torch.float32), MODULES[name]()
    other.load_state_dict(saved.state_dict())
    assert all(torch.equal(p, q) for p, q in zip(saved.parameters(), other.parameters()))


def test_products_and_invariants_do_not_depend_on_the_basis_of_the_solver(elsewhere):
    def make():
        return nn.InvariantScalars(rep("2V + V**2 + S", SO(2)), dtype=DOUBLE), drawn(MODULES["products"]())

    here = make()
    elsewhere()
    assert all(difference(values(two), values(one)) <= 1e-12 for one, two in zip(here, make()))


def test_a_settled_basis_depends_on_its_span_only():
    rng = np.random.default_rng(0)
    basis = rotation(40, rng)[:12]
    once = settled(basis.reshape(12, 5, 8))
    assert np.abs(settled(rotation(12, rng) @ basis).reshape(12, 5, 8) - once).max() <= 1e-13
    assert np.abs(once.reshape(12, -1).T @ once.reshape(12, -1) - basis.T @ basis).max() <= 1e-14


def test_the_dense_weight_and_bias_are_in_the_state():
    layer = drawn(MODULES["linear"]())
    state, linear = layer.state_dict(), layer.to_linear()
    assert list(state) == ["coefficients", "bias", "_extra_state", "dense_weight", "dense_bias"]
    assert torch.allclose(state["dense_weight"], linear.weight)
    assert torch.allclose(state["dense_bias"], linear.bias)
    assert layer.half().state_dict()["dense_weight"].dtype == torch.float16
    with pytest.raises(RuntimeError, match="dense_bias"):
        layer.load_state_dict({k: v for k, v in state.items() if k != "dense_bias"})


def test_a_state_goes_to_a_subgroup_and_not_back():
    small = SO(2)
    wide = lambda: nn.EquivariantLinear(rep("2V", small), rep("3V", small), dtype=DOUBLE)  # noqa: E731
    narrow = nn.EquivariantLinear(rep("2V", O(2)), rep("3V", O(2)), dtype=DOUBLE)
    other = wide()
    other.load_state_dict(narrow.state_dict())
    assert difference(values(other), values(narrow)) <= 1e-14
    before = narrow.coefficients.clone()
    with pytest.raises(InputError, match=r"(?s)a relative distance of 0\.\d+ from the nearest.*project_"):
        narrow.load_state_dict(wide().state_dict())
    assert torch.equal(narrow.coefficients, before)


def test_states_that_do_not_fit_are_refused(elsewhere):
    layer = nn.EquivariantLinear(rep("V", G), rep("V", G))
    with pytest.raises(InputError, match=r"(?s)stored dense_weight.*shape \(4, 4\)"):
        layer.load_state_dict(nn.EquivariantLinear(rep("V", O(4)), rep("V", O(4))).state_dict())
    products = MODULES["products"]()
    with pytest.raises(InputError, match="another basis"):
        products.load_state_dict(nn.ChannelProducts(rep("V", O(4)), rep("S", O(4))).state_dict())
    state = MODULES["linear"]().state_dict()
    elsewhere()
    with pytest.raises(InputError, match="another basis"):
        MODULES["linear"]().load_state_dict({k: v for k, v in state.items() if "dense" not in k})


def test_an_optimiser_resumes():
    def step(layer, optimiser):
        optimiser.zero_grad()
        layer(x).square().mean().backward()
        optimiser.step()

    x = torch.from_numpy(np.random.default_rng(4).normal(size=(20, 16)))
    layer = MODULES["linear"]().double()
    optimiser = torch.optim.Adam(layer.parameters(), 0.1)
    step(layer, optimiser)
    other = MODULES["linear"]().double()
    other.load_state_dict(layer.state_dict())
    again = torch.optim.Adam(other.parameters(), 0.1)
    again.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    step(layer, optimiser)
    step(other, again)
    assert torch.allclose(layer.coefficients, other.coefficients)
    assert torch.allclose(layer.bias, other.bias)


def test_states_without_memory(elsewhere):
    empty, real = MODULES["network"]().to("meta"), MODULES["network"]()
    assert all(v.is_meta or k.endswith("_extra_state") for k, v in empty.state_dict().items())
    assert {k: v.shape for k, v in empty.state_dict().items()} == {k: v.shape for k, v in real.state_dict().items()}
    empty.load_state_dict(real.state_dict(), assign=True)
    assert all(torch.equal(p, q) for p, q in zip(empty.parameters(), real.parameters()))
    state = MODULES["linear"]().to("meta").state_dict()
    elsewhere()
    other = MODULES["linear"]()
    other.load_state_dict(state, assign=True)
    assert other.coefficients.is_meta


# --- bilinear maps ----------------------------------------------------------------------------------------------

SIZES = {
    "few outputs": ("V", "V + 2S", "S"),
    "few outputs, large first": ("V + 2S", "V", "V"),
    "many outputs": ("V", "V + S", "2S + 3V"),
    "many outputs, large first": ("V + S", "V", "2S + 3V"),
}


def bilinear(name):
    return drawn(nn.EquivariantBilinear(*(rep(text, G) for text in SIZES[name])))


@pytest.mark.parametrize("name", SIZES)
def test_bilinear_maps_are_their_weight(name):
    layer, h = bilinear(name), G.sample(1, 3)[0]
    x, y = torch.randn(2, 5, layer.rep1.size, dtype=DOUBLE), torch.randn(2, 5, layer.rep2.size, dtype=DOUBLE)
    weight, bias = layer.assemble()
    assert weight.shape == (layer.rep_out.size, layer.rep1.size, layer.rep2.size) and bias is None
    expected = torch.einsum("oab,nma,nmb->nmo", weight, x, y)
    assert torch.allclose(layer(x, y), expected)
    assert torch.allclose(layer(x[0, 0], y[0, 0]), expected[0, 0])
    one, two, out = (torch.from_numpy(r.group_matrix(h)) for r in (layer.rep1, layer.rep2, layer.rep_out))
    assert torch.allclose(layer(x @ one.T, y @ two.T), expected @ out.T)
    with torch.no_grad():
        assert torch.allclose(layer.eval()(x, y), expected)
        assert torch.allclose(copy.deepcopy(layer)(x, y), pickle.loads(pickle.dumps(layer))(x, y))


@pytest.mark.parametrize("name", SIZES)
def test_bilinear_weights_are_kept_in_evaluation_mode(name):
    layer = bilinear(name).eval()
    before = values(layer)
    with torch.no_grad():
        assert layer.kept_weight is not None
        assert torch.equal(layer.current()[0], layer.kept_weight)
        layer.coefficients.mul_(2.0)
    assert torch.allclose(values(layer), 2 * before)
    layer.kept_weight.zero_()  # what is kept is what is used
    assert torch.equal(values(layer), 0 * before)
    assert layer.train().kept_weight is None
    values_with_gradients = layer.eval()(
        torch.ones(1, layer.rep1.size).double(), torch.ones(1, layer.rep2.size).double()
    )
    values_with_gradients.sum().backward()
    assert layer.coefficients.grad is not None


def test_bilinear_products_under_autocast():
    for name in SIZES:
        layer = bilinear(name).float()
        exact = values(layer)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = values(layer)
        assert difference(half.float(), exact) <= 2**-6


def test_bilinear_weights_that_do_not_fit_are_refused_at_once():
    many = rep("40000V", G)
    with pytest.raises(InputError, match=r"(?s)would not fit in memory.*ChannelProducts"):
        nn.EquivariantBilinear(many, many, many)
