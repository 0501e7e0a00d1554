"""Group averages and frames: laws of the result, exact answers, and what is said about the rest."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.linalg
import torch

import erlangen as er
from erlangen._errors import InputError, UndecidedError
from erlangen.algebra import groups
from erlangen.nn._average import average_nodes, haar, uniform
from erlangen.nn.augmented import augment
from erlangen.nn.grid import Grid
from erlangen.nn.symmetrized import symmetrize
from erlangen.testing import assert_symmetric
from erlangen.testing._evaluate import finite_error
from erlangen.testing._moves import element_move

RNG = np.random.default_rng(0)


def mlp(d: int, c: int) -> torch.nn.Module:
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(nn.Linear(d, 16), nn.SiLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, c))


def points(r, n: int = 6):
    return torch.from_numpy(np.random.default_rng(1).normal(size=(n, r.size)))


# group, rep_in, rep_out, method, error allowed
CASES = {
    "C(4)": (groups.C(4), "V", "S", "auto", 1e-14),
    "D(5)": (groups.D(5), "2V", "V", "auto", 1e-14),
    "S(4)": (groups.S(4), "2V", "V + S", "auto", 1e-14),
    "S(4) sorted": (groups.S(4), "2V", "V + S", "frame", 1e-14),
    "S(9) is too large to list": (groups.S(9), "V", "V", "auto", 1e-14),
    "matrices of S(4)": (groups.S(4), "V*V", "V*V", "frame", None),
    "SO(2)": (groups.SO(2), "2V", "V", "auto", 1e-10),
    "SO(2) frames": (groups.SO(2), "2V", "V", "frame", 1e-14),
    "SO(3)": (groups.SO(3), "2V", "V", "auto", 1e-3),
    "SO(3) frames": (groups.SO(3), "3V + S", "V + V*V", "frame", 1e-14),
    "O(3) frames": (groups.O(3), "2V", "V", "frame", 1e-14),
    "SO(4)": (groups.SO(4), "4V", "V", "auto", 1e-13),
    "SU(2)": (groups.SU(2), "V", "V", "auto", 1e-5),
    "O(2) x S(3)": (groups.O(2) * groups.S(3), "V", "V", "auto", 1e-10),
    "U(2)": (groups.U(2), "V", "S", "auto", 0.2),
}


@pytest.mark.parametrize("name", CASES)
def test_the_result_is_equivariant_and_symmetrising_twice_changes_nothing(name):
    group, r_in, r_out, method, allowed = CASES[name]
    r_in, r_out = er.rep(r_in, group), er.rep(r_out, group)
    net = mlp(r_in.size, r_out.size).double()
    if allowed is None:
        with pytest.raises(InputError, match="sorted"):
            symmetrize(net, group, r_in, r_out, method=method)
        return
    model = symmetrize(net, group, r_in, r_out, method=method)
    x = points(r_in)
    assert model.error(x) <= allowed
    move = element_move("g", uniform(group, 1, 3)[0], r_in, r_out)
    assert finite_error(lambda x: net(torch.from_numpy(x)).detach().numpy(), [move], x.numpy(), 0) >= 0.01
    if allowed <= 1e-13:
        again = symmetrize(model, group, r_in, r_out, method=method)
        assert torch.allclose(model(x), again(x), atol=1e-12)


def test_an_average_over_a_finite_group_is_the_sum_by_hand():
    group, x = groups.C(3), RNG.normal(size=(5, 2))
    f = lambda x: np.stack([x[:, 0] ** 2, x[:, 0] * x[:, 1]], axis=1)  # noqa: E731
    turns = [np.linalg.matrix_power(group.discrete[0], k) for k in range(3)]
    expected = np.mean([f(x @ g.T) @ g for g in turns], axis=0)
    assert np.allclose(symmetrize(f, group, "V", "V")(x), expected, atol=1e-14)


def test_quadratures_integrate_what_they_promise():
    """Moments of Haar measure: |tr|^2 counts irreducibles (1), and the mean is 0 (Weyl)."""
    for group in (groups.SO(2), groups.SO(3), groups.SU(2), groups.SO(2) * groups.SO(2), groups.O(3)):
        nodes = average_nodes(group)
        g, w = nodes.elements, nodes.weights
        assert abs(w.sum() - 1) <= 1e-12
        assert np.abs(np.tensordot(w, g, 1)).max() <= 1e-13
        # The projector that the mean of g x g is has a rank: the number of invariant forms.
        mean = np.einsum("j,jab,jcd->acbd", w, g, g).reshape(group.size**2, -1)
        assert np.abs(mean @ mean - mean).max() <= 1e-12
    spin = [np.trace(np.linalg.matrix_power(h, 2)) for h in average_nodes(groups.SO(3)).elements]
    # <tr g^2> on SO(3): spin 1 is real, so its Frobenius-Schur indicator is 1.
    assert abs(np.dot(average_nodes(groups.SO(3)).weights, spin) - 1) <= 1e-12


@pytest.mark.parametrize("conjugate", [False, True])
def test_random_elements_are_uniform(conjugate):
    """E[(tr g)^2] = 1 and E[(tr g)^4] = 3 on SO(3); also in other coordinates."""
    algebra = groups.SO(3).lie_algebra
    if conjugate:
        m = np.array([[1.0, 0.3, 0.0], [0.0, 2.0, 0.5], [0.2, 0.0, 1.0]])
        algebra = m @ algebra @ np.linalg.inv(m)
    trace = np.trace(haar(algebra, 4000, 0), axis1=1, axis2=2)
    assert abs(np.mean(trace)) <= 5 / np.sqrt(4000)
    assert abs(np.mean(trace**2) - 1) <= 5 * np.sqrt(2 / 4000)
    assert abs(np.mean(trace**4) - 3) <= 5 * np.sqrt(91 / 4000)  # the eighth moment is 91


def test_random_permutations_are_uniform():
    """Each of the 24 elements of S(4), and only turns of Z(5), equally often (chi-squared, five deviations)."""
    for group, order in ((groups.S(4), 24), (groups.Z(5), 5)):
        counts = np.unique(uniform(group, 2400, 0).reshape(2400, -1), axis=0, return_counts=True)[1]
        assert len(counts) == order
        chi = np.sum((counts - 2400 / order) ** 2) / (2400 / order)
        assert abs(chi - (order - 1)) <= 5 * np.sqrt(2 * (order - 1))


def test_more_nodes_or_samples_leave_less_error():
    net, x = mlp(6, 1).double(), points(er.rep("2V", groups.SO(3)))
    errors = [symmetrize(net, groups.SO(3), "2V", band=band).error(x) for band in (2, 4, 8)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    drawn = [symmetrize(net, groups.SO(3), "2V", method="samples", samples=n).error(x) for n in (20, 2000)]
    assert drawn[0] > 3 * drawn[1]


def test_circles_are_found_in_other_coordinates_and_speeds():
    turn = groups.SO(2).lie_algebra[0]
    a, b = np.kron(np.diag([1.0, 0.0]), turn), np.kron(np.diag([0.0, 1.0]), turn)
    torus = er.algebra.from_matrices(np.stack([2 * a + b, a - 3 * b]))
    nodes = average_nodes(torus)
    assert nodes.method == "quadrature" and len(nodes) == 256
    resonant = average_nodes(er.algebra.from_matrices((2 * a + 3 * b)[None]))
    assert len(resonant) == 64 and np.abs(np.tensordot(resonant.weights, resonant.elements, 1)).max() <= 1e-12
    dense = average_nodes(er.algebra.from_matrices((a + np.sqrt(2) * b)[None]))
    assert dense.method == "samples"


def test_frames_are_continuous_where_a_vector_vanishes():
    """Weights vanish with the vectors that a frame is made of: no jump."""
    net = mlp(4, 1).double()
    model = symmetrize(net, groups.SO(2), "2V", method="frame")
    base = torch.tensor([[1.0, 0.5, 0.0, 0.0]], dtype=torch.float64)
    around = [base + 1e-6 * torch.tensor([[0, 0, np.cos(t), np.sin(t)]], dtype=torch.float64) for t in range(6)]
    values = torch.cat([model(x) for x in [base, *around]])
    assert values.isfinite().all() and float(values.detach().std()) <= 1e-5


def test_where_no_frame_exists_the_poses_are_averaged():
    model = symmetrize(mlp(6, 1).double(), groups.SO(3), "2V", method="frame")
    x = torch.tensor([[1.0, 2.0, 3.0, 2.0, 4.0, 6.0], [0.0] * 6], dtype=torch.float64)
    assert torch.allclose(model(x), symmetrize(model.model, groups.Cube(), "2V")(x))


def test_equal_points_share_their_values_when_sorted():
    model = symmetrize(lambda x: x + np.arange(4.0), groups.S(4), "V", "V", method="frame")
    assert np.allclose(model(np.array([[2.0, 5.0, 2.0, 1.0]])), [[3.5, 8.0, 3.5, 1.0]])


GRIDS = {"turns": groups.C(4), "turns and flips": groups.D(4), "half turns": groups.C(2), "cube": groups.Cube()}


@pytest.mark.parametrize("name", GRIDS)
def test_pixels_move_exactly(name):
    group = GRIDS[name]
    conv = torch.nn.Conv2d if group.size == 2 else torch.nn.Conv3d
    torch.manual_seed(0)
    net = torch.nn.Sequential(conv(1, 3, 3, padding=1), torch.nn.ReLU(), conv(3, 2, 3, padding=1)).double()
    x = torch.randn(2, 1, *[4] * group.size, dtype=torch.float64)
    for channels in (None, "V") if group.size == 2 else (None,):
        model = symmetrize(net, group, Grid(), Grid(channels))
        assert model.method == "exact" and model.error(x) <= 1e-14
    g = group.discrete[0]
    pooled = symmetrize(
        lambda x: net(x).mean(dim=(2, 3)) if group.size == 2 else net(x).mean(dim=(2, 3, 4)), group, Grid()
    )
    assert torch.allclose(pooled(x), pooled(Grid().act(g, x)), atol=1e-14)


def test_a_grid_is_a_representation():
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64)
    a, b = average_nodes(groups.D(4)).elements[[3, 6]]
    for grid in (Grid(), Grid("V")):
        assert torch.allclose(grid.act(a @ b, x), grid.act(a, grid.act(b, x)))
    # Interpolation at right angles is no interpolation.
    for g in average_nodes(groups.D(4)).elements:
        turn = Grid().turn(g)
        assert torch.allclose(turn.interpolated(x), turn.exactly(x), atol=1e-12)
    gradient = lambda f: torch.stack(torch.gradient(f[:, 0], dim=(1, 2)), dim=1)  # noqa: E731
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    assert torch.allclose(gradient(Grid().act(a, x[:, :1]))[inside], Grid("V").act(a, gradient(x[:, :1]))[inside])


def test_turns_by_other_angles_say_that_they_interpolate():
    torch.manual_seed(0)
    # No bias: corners that turn out of the picture would be lost.
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1, bias=False), torch.nn.Tanh()).double()
    model = symmetrize(net, groups.SO(2), Grid(), Grid())
    y, x = torch.meshgrid(*[torch.linspace(-2, 2, 17, dtype=torch.float64)] * 2, indexing="ij")
    smooth = torch.exp(-((x - 0.3) ** 2) - 2 * y**2)[None, None]
    assert "interpolated" in model.reason
    assert 1e-6 < model.error(smooth) <= 0.03


def test_state_types_and_gradients_are_those_of_the_model():
    net = mlp(6, 3)
    group = groups.D(5) * groups.trivial(1)
    model = symmetrize(net, group, "2V", "V")
    assert set(model.state_dict()) == {f"model.{key}" for key in net.state_dict()}
    x = points(er.rep("2V", group))
    assert model(x.float()).dtype == torch.float32
    model.float().double()  # the matrices are not those that were rounded
    assert model(x).dtype == torch.float64 and model.error(x) <= 1e-14
    model(x).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    with torch.no_grad():
        assert not model(x).requires_grad


def test_chunks_do_not_change_the_result(monkeypatch):
    from erlangen.nn import _symmetrizers as module

    x = points(er.rep("2V", groups.D(6)), 7)
    models = [
        symmetrize(mlp(4, 2).double(), g, "2V", "V", method=m)
        for g, m in ((groups.D(6), "average"), (groups.O(2), "frame"))
    ]
    whole = [model(x) for model in models]
    monkeypatch.setattr(module, "ROWS", 15)
    for model, expected in zip(models, whole, strict=True):
        assert torch.allclose(model(x), expected, atol=1e-14)


def test_compiled_and_eager_agree():
    net = torch.nn.Sequential(torch.nn.Flatten(), mlp(16, 2)).double()
    image = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    for model, x in (
        (symmetrize(mlp(4, 2).double(), groups.C(3), "2V", "V"), points(er.rep("2V", groups.C(3)))),
        (symmetrize(net, groups.C(3), Grid()), image),
    ):
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        assert torch.allclose(compiled(x), model(x), atol=1e-15)


def test_several_inputs_and_outputs():
    def f(x, t):
        return x * t[:, None], (x**2).sum(1) * t

    model = symmetrize(f, groups.C(4), ("V", None), ("V", None))
    x, t = RNG.normal(size=(5, 2)), RNG.normal(size=5)
    for ours, theirs in zip(model(x, t), f(x, t), strict=True):
        assert np.allclose(ours, theirs)


def test_a_symmetry_from_data_is_a_group():
    """Turns about a point that is not the origin: affine matrices."""
    centre = np.array([0.3, -0.2])
    sym = er.discover(
        lambda x: np.exp(-((x - centre) ** 2).sum(1)), er.actions.euclidean(2), samples=er.Samples.box(-1, 1, dim=2)
    )
    assert sym.dim == 1
    rough = lambda x: np.exp(-((x - centre) ** 2).sum(1)) + 0.1 * x[:, 0]  # noqa: E731
    model = symmetrize(rough, sym)
    x = RNG.uniform(-1, 1, size=(20, 2))
    assert model.error(x) <= 1e-9
    assert np.abs(model(x) - (rough(x) - 0.1 * x[:, 0] + 0.1 * centre[0])).max() <= 1e-9


REFUSED = {
    "boosts": (lambda: symmetrize(mlp(4, 1), groups.SO(1, 3)), InputError, "not compact"),
    "translations": (lambda: symmetrize(mlp(4, 1), groups.SE(3)), InputError, "translations"),
    "endless": (
        lambda: symmetrize(mlp(2, 1), er.algebra.from_matrices(discrete=[[1.0, 1.0], [0.0, 1.0]])),
        InputError,
        "too many products",
    ),
    "size": (lambda: symmetrize(mlp(4, 1), groups.SO(3))(torch.ones(2, 4)), InputError, "does not fit"),
    "blocks": (lambda: symmetrize(mlp(6, 1), groups.SO(3))(torch.ones(2, 6)), InputError, '"2V"'),
    "one vector": (lambda: symmetrize(mlp(3, 1), groups.SO(3), method="frame"), InputError, "needs 2 vectors"),
    "output size": (
        lambda: symmetrize(mlp(4, 3), groups.SO(2), "2V", "V", method="frame")(torch.ones(2, 4)),
        InputError,
        r"shape \(2, 3\)",
    ),
    "no frames": (lambda: symmetrize(mlp(4, 1), groups.SU(2), method="frame"), InputError, "No frames"),
    "oblong": (
        lambda: symmetrize(mlp(4, 1), groups.C(4), Grid())(torch.ones(1, 1, 4, 6)),
        InputError,
        "axes of one length",
    ),
    "memory": (lambda: symmetrize(mlp(4, 1), groups.SO(3), "T7"), InputError, "GiB"),
    "method": (lambda: symmetrize(mlp(4, 1), groups.SO(3), method="exact"), InputError, "'auto'"),
    "outputs": (
        lambda: symmetrize(lambda x: (x, x), groups.C(4))(np.ones((2, 2))),
        InputError,
        "outputs of the model",
    ),
    "several": (
        lambda: symmetrize(lambda x, t: x, groups.C(4), ("V", None), "V").error(np.ones((2, 2))),
        UndecidedError,
        "one input and one output",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_explained(name):
    call, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()


def test_augmented_values_follow_their_inputs():
    for group, r_out in ((groups.O(3), "V"), (groups.SO(1, 3), "V"), (groups.S(5), "V")):
        x = RNG.normal(size=(7, group.size))
        more, values = augment(x, x, group, 3, rep_out=r_out, rng=1)
        assert more.shape == (28, group.size) and np.array_equal(more, values)
        assert np.array_equal(more[:7], x) and not np.allclose(more[7:14], more[14:21])
    x = RNG.normal(size=(7, 3))
    more, values = augment(x, (x**2).sum(1), groups.SO(3), 2)
    assert np.allclose((more**2).sum(1), values)
    sym = er.discover(lambda x: (x**2).sum(1), samples=er.Samples.box(-1, 1, dim=3))
    more, values = augment(x, (x**2).sum(1), sym, 2)
    assert np.allclose((more**2).sum(1), values)


def test_the_result_says_its_representations():
    model = symmetrize(mlp(6, 3).double(), groups.D(4) * groups.trivial(1), "2V", "V")
    assert_symmetric(model, model.symmetry)
    assert "method='exact'" in repr(model)


ABOUT_X, ABOUT_Z = groups.SO(3).lie_algebra[[2, 0]]


@pytest.mark.parametrize(
    ("discrete", "words"),
    [
        (scipy.linalg.expm(np.pi / 2 * ABOUT_X), "405 nodes on SO\\(3\\).*2 more generators"),
        (scipy.linalg.expm(1.0 * ABOUT_X), "405 nodes on SO\\(3\\).*2 more generators"),
        (scipy.linalg.expm(1.0 * ABOUT_Z), "64 angles on the circle"),
        (np.diag([1.0, -1.0, -1.0]), "times 2 discrete elements"),
    ],
)
def test_generators_and_elements_make_a_group_together(discrete, words):
    """A circle of rotations and a turn about another axis make all rotations, which are averaged over."""
    group = er.algebra.from_matrices([ABOUT_Z], discrete=[discrete])
    torch.manual_seed(0)
    model = symmetrize(torch.nn.Linear(3, 3).double(), group, "V", "V")
    assert re.search(words, model.reason)
    x = torch.randn(9, 3, dtype=torch.float64)
    turned = torch.from_numpy(discrete)
    assert torch.allclose(model(x @ turned.T), model(x) @ turned.T, atol=1e-12)
    assert model.error(x) <= 1e-11


def test_an_element_that_makes_a_conjugate_unbounded_is_refused():
    group = er.algebra.from_matrices([ABOUT_Z[:2, :2]], discrete=[np.diag([2.0, 0.5])])
    with pytest.raises(InputError, match="not compact"):
        symmetrize(lambda x: x, group)


def test_the_error_is_relative_to_the_outputs_that_are_symmetrised():
    """500 random elements leave of a linear map a mean that is mostly noise."""
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 4, bias=False, dtype=torch.float64)
    with torch.no_grad():
        net.weight -= torch.eye(4) * torch.trace(net.weight) / 4  # the average over SO(4) vanishes
    model = symmetrize(net, groups.SO(4), "V", "V", method="samples", samples=100)
    x = torch.randn(50, 4, dtype=torch.float64)
    assert 0.5 < model.error(x) < 50
    vanishing = symmetrize(lambda x: x, groups.O(3), "V", None)
    assert vanishing.error(np.ones((4, 3))) <= 1e-4  # rounding of 810 terms, over half of the digits
