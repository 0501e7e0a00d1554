"""Certificates on a box: known suprema, all ways in, finite moves, stopping at any time, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from scipy.linalg import expm

import erlangen as er
from erlangen._errors import InputError, UndecidedError
from erlangen.evidence import bound, bound_steps
from erlangen.evidence.bounds.branch import _halves, _Search
from erlangen.evidence.bounds.finite import orbit_hull
from erlangen.evidence.bounds.objective import objective
from erlangen.fields import as_field
from erlangen.fields.polynomial import polynomial_field

SQUARE = [(-1.0, 1.0), (-1.0, 1.0)]
QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])


def mlp(sizes, activation="Tanh", seed=0):
    import torch

    rng = np.random.default_rng(seed)
    layers = []
    for n, m in zip(sizes, sizes[1:]):
        layer = torch.nn.Linear(n, m)
        layer.weight.data[:] = torch.from_numpy(rng.normal(size=(m, n)) / np.sqrt(n))
        layer.bias.data[:] = torch.from_numpy(rng.normal(size=m) / 10)
        layers += [layer, getattr(torch.nn, activation)()]
    return torch.nn.Sequential(*layers[:-1])


def invariant_net(d, seed=0):
    import torch

    class Invariant(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp((1, 16, 16, 1), seed=seed)

        def forward(self, x):
            return self.net((x**2).sum(-1, keepdim=True))

    return Invariant()


# --- suprema that are known

KNOWN = [
    ("x**2 + 1.01*y**2", QUARTER, {}, 0.02),  # s = 0.02 x y
    ("x**2 + y**2", QUARTER, {}, 0.0),
    ("x*y", np.diag([1.0, -1.0]), {}, 0.0),
    ("x**3", np.diag([1.0, 0.0]), {}, 3.0),
    ("sin(x)", er.actions.translation(2).restrict([1.0, 0.0]), {}, 1.0),
    ("sin(x)*cos(y)", er.actions.translation(2), {}, 1.0),  # both: |grad f|
    ("max(x, 2*y)", er.actions.translation(2).restrict([0.0, 1.0]), {}, 2.0),  # 0 and 2 beside the kink
    ("abs(x) - abs(y)", QUARTER, {}, 2.0),
    ("max(x, y)", er.actions.translation(2), {}, 1.0),  # only a cut along the kink shows that it is not sqrt(2)
    ("max(x, y) + min(x, 2*y) + abs(y - 0.1)", er.actions.translation(2), {}, np.hypot(1.0, 3.0)),
    (["-y", "x"], QUARTER, {"kind": "vector"}, 0.0),
    (["x", "x*y"], QUARTER, {"kind": "vector"}, None),
    (["2*x", "2*y"], QUARTER, {"kind": "map"}, 0.0),
    (["x**2 - y**2", "2*x*y"], er.actions.linear(QUARTER).with_output([2 * QUARTER]), {}, 0.0),
    (["x + y**2"], er.actions.fields([["0", "1"], ["-2*y", "1"]], ["x", "y"]).restrict([0.0, 1.0]), {}, 0.0),
]


@pytest.mark.parametrize(("f", "action", "more", "known"), KNOWN)
def test_the_supremum_lies_between_the_bounds(f, action, more, known):
    c = bound(f, action, SQUARE, ratio=1.02, below=1e-3, seconds=3, **more)
    if known is None:  # [xi, F] by the library's own derivative, on a grid that holds the corners
        known = _sampled(f, action, **more).max()
    if known > 1e-3:
        c = bound(f, action, SQUARE, ratio=1.02, seconds=3, **more)
        assert known * (1 - 1e-12) <= c.upper <= 1.05 * known
        assert c.lower <= known * (1 + 1e-12)
    assert c.lower <= known + 1e-12 <= c.upper + 1e-12
    assert c.holds is None or c.holds == (known <= 1e-3)


def _sampled(f, action, kind=None, side=21):
    x = np.array(np.meshgrid(*[np.linspace(-1, 1, side)] * 2)).reshape(2, -1).T
    field = as_field([sympy.sympify(part) for part in f], kind, variables=["x", "y"])
    from erlangen.fields._base import lift

    whole = lift(field, er.actions.linear(action))
    s = np.einsum("ncd,npd->npc", field.jacobian(x), whole.on_points(x)) - whole.on_values(x, field.value(x))
    return np.linalg.norm(s, axis=(1, 2))


def test_all_ways_to_write_a_function_give_the_same_bound():
    import torch

    class Net(torch.nn.Module):
        def forward(self, x):
            a, b = x[:, 0], x[:, 1:2]
            return (a.pow(3)[:, None] - 2 * b * x[:, [0]] + 0.5).squeeze(-1)

    x, y = sympy.symbols("x y")
    polynomial = polynomial_field(2, 3, [0.5, 0, 0, 0, -2, 0, 1, 0, 0, 0])
    ways = [
        "x**3 - 2*x*y + 0.5",
        x**3 - 2 * x * y + sympy.Rational(1, 2),
        polynomial,
        Net(),
        as_field(Net().double(), dim=2),
    ]
    found = [bound(f, QUARTER, SQUARE, ratio=1.001) for f in ways]
    assert np.allclose([c.upper for c in found], found[0].upper, rtol=2e-3)
    grid = np.abs(_sampled(["x**3 - 2*x*y + 0.5"], QUARTER)).max()
    assert all(c.lower >= grid * (1 - 1e-3) and c.upper >= grid for c in found)


TRACED = [
    lambda t, x: t.tanh(x[:, :1]) * t.sigmoid(1 - x[..., 1:]) / (2.5 - t.sin(x - x**2).mean(1, keepdim=True)),
    lambda t, x: t.nn.functional.gelu(t.cat([x, x**2], dim=-1)).mean(-1),
    lambda t, x: t.sqrt(1 + x.norm(dim=-1) ** 2) - t.exp(-x[:, 1]),
    lambda t, x: t.maximum(x[:, 0], x[:, 1]) + t.nn.functional.softplus(x[:, 0]).unsqueeze(-1).squeeze(1),
    lambda t, x: t.nn.functional.gelu(x, approximate="tanh") @ t.tensor([[1.0], [2.0]]).double() + abs(x[:, :1]),
]


@pytest.mark.parametrize("number", range(len(TRACED)))
def test_traced_modules_are_read_as_torch_computes_them(number):
    import torch

    class Net(torch.nn.Module):
        def forward(self, x):
            return TRACED[number](torch, x)

    goal = objective(Net(), QUARTER, 2, None, None)
    x = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    points = torch.from_numpy(x)
    s = torch.func.jvp(Net(), (points,), (torch.from_numpy(x @ QUARTER.T),))[1].numpy().reshape(200)
    sizes = goal.sizes(x.T, x.T)
    assert np.allclose(np.abs(s), sizes.low, atol=1e-12) and np.allclose(np.abs(s), sizes.high, atol=1e-12)


# --- networks: the numbers that are promised are measured in benchmarks; here they hold on one seed each


@pytest.mark.parametrize("activation", ["Tanh", "ReLU"])
@pytest.mark.parametrize(("sizes", "ratio"), [((2, 16, 16, 1), 1.05), ((3, 32, 32, 1), 1.05), ((4, 16, 16, 1), 1.15)])
def test_networks_are_bounded_tightly(sizes, ratio, activation):
    d = sizes[0]
    net = mlp(sizes, activation)
    c = bound(net, er.actions.rotation(d).restrict(np.eye(d * (d - 1) // 2)[0]), [(-1, 1)] * d, ratio=ratio, seconds=20)
    assert c.ratio <= ratio and c.reason.startswith("both")
    x = np.random.default_rng(1).uniform(-1, 1, (20_000, d))
    f = as_field(net, "invariant", dim=d)
    matrix = np.zeros((d, d))
    matrix[:2, :2] = QUARTER
    s = np.abs(np.einsum("ncd,nd->nc", f.jacobian(x), x @ matrix.T)).ravel()
    assert s.max() <= c.upper
    at = np.abs(f.jacobian(c.witness[None])[0] @ matrix @ c.witness)
    assert at >= c.lower * (1 - 1e-5)  # the field is evaluated in the module's own float32


@pytest.mark.parametrize("d", [2, 3])
def test_an_exactly_invariant_network_is_certified(d):
    c = bound(invariant_net(d), er.actions.rotation(d), [(-1, 1)] * d)
    assert c.upper <= 1e-9 and c.lower < 1e-12 and c.seconds < 5 and "unrelated" in c.reason
    assert bound(invariant_net(d), er.actions.rotation(d), [(-1, 1)] * d, below=1e-2).holds


HOPF = ["-y + x*(1 - x**2 - y**2)", "x + y*(1 - x**2 - y**2)"]


def test_what_cancels_exactly_is_zero_and_what_does_not_is_not():
    samples = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    symmetry = er.discover([sympy.sympify(part) for part in HOPF], er.actions.gl(2), samples, kind="vector")
    c = bound(HOPF, QUARTER, SQUARE, kind="vector")
    assert c.upper == 0.0 == c.finite(3.0).bound and "exact arithmetic" in c.reason
    assert bound(HOPF, symmetry, SQUARE).upper < 1e-9  # the symmetry says that values are vectors
    broken = bound([HOPF[0] + " + 1e-12*x", HOPF[1]], QUARTER, SQUARE, kind="vector")
    assert 0.99e-12 < broken.upper < 1.5e-12  # (-1e-12 y, -1e-12 x)


# --- finite moves


@pytest.mark.parametrize("angle", [0.3, 2.0])
@pytest.mark.parametrize("output", [None, "skew", "growing"])
def test_finite_moves_stay_below_their_bound(angle, output):
    matrix = np.array([[0.3, -1.0], [1.0, 0.2]])
    values = {None: None, "skew": np.array([[0.0, 2.0], [-2.0, 0.0]]), "growing": np.array([[0.4, 1.0], [0.0, -0.3]])}[
        output
    ]
    action = er.actions.linear(matrix)
    action = action if values is None else action.with_output([values])
    f = ["x + 0.1*y**2", "tanh(y) - 0.2*x"] if output else "x**2 + y**2"
    c = bound(f, action, SQUARE, angle=angle, ratio=1.1)
    said = c.finite(angle)
    assert said.radius == 0 and np.array_equal(said.corners, np.array(SQUARE).T)
    x = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    field = as_field(
        [sympy.sympify(part) for part in f] if output else sympy.sympify(f), "invariant", variables=["x", "y"]
    )
    largest = 0.0
    for t in np.linspace(-angle, angle, 41):
        rho = np.eye(1) if values is None else expm(t * values)
        gap = field.value(x) @ rho.T - field.value(x @ expm(t * matrix).T)
        largest = max(largest, np.linalg.norm(gap, axis=1).max())
    assert 0.1 * said.bound * (angle < 1) <= largest <= said.bound
    assert f"|t| <= {angle:g}" in str(said)


def test_the_bound_of_a_finite_move_is_reached_where_values_grow():
    """A constant c under values that grow at rate mu: |c - exp(mu t) c| = |mu c| (exp(mu t) - 1) / mu."""
    action = er.actions.translation(1).with_output([[[0.7]]])
    said = bound(["2 + 0*x"], action, [(-1, 1)], angle=2.0).finite(2.0)
    exact = 2 * np.expm1(0.7 * 2.0)
    assert exact <= said.bound <= exact * (1 + 1e-9)


def test_the_set_of_a_finite_statement_is_named():
    c = bound("x**2 + 1.01*y**2", QUARTER, SQUARE)
    ball = c.finite(3.0)
    assert ball.radius == 1.0 and "|x| <= 1" in ball.region and ball.bound <= 3 * 0.0201
    shrunk = bound("x + y", np.diag([1.0, 0.5]), SQUARE).finite(0.1)
    assert np.allclose(shrunk.corners, [[-0.9, -0.95], [0.9, 0.95]]) and shrunk.radius == 0
    assert c.finite(0.0).bound == 0
    with pytest.raises(UndecidedError, match="angle=2"):
        bound("x + y", np.diag([1.0, 0.5]), SQUARE).finite(2.0)
    with pytest.raises(InputError, match="run away"):
        bound("x", er.actions.fields([["x**2"]], ["x"]), [(0.5, 1.0)], angle=2.0, kind="invariant")
    with pytest.raises(InputError, match="affine"):
        bound(["x**2"], er.actions.fields([["x**2"]], ["x"]), [(0.5, 1.0)], kind="vector", seconds=0.1).finite(0.01)


@pytest.mark.parametrize("matrix", [QUARTER, np.array([[0.3, -1.0], [1.0, 0.2]]), np.diag([1.0, -2.0])])
def test_the_enlarged_box_holds_the_orbits(matrix):
    corners = np.array([[-1.0, 0.5], [0.2, 1.0]])
    goal = objective("x", matrix, 2, None, ["x", "y"])
    hull = orbit_hull(goal.action, corners, 1.3)
    x = np.random.default_rng(0).uniform(corners[0], corners[1], (300, 2))
    orbit = np.concatenate([x @ expm(t * matrix).T for t in np.linspace(-1.3, 1.3, 60)])
    assert (orbit >= hull[0]).all() and (orbit <= hull[1]).all()


# --- stopping at any time, and deciding


def test_every_intermediate_certificate_is_valid_and_they_close():
    steps = list(bound_steps(mlp((2, 8, 8, 1)), QUARTER, SQUARE, ratio=1.01))
    upper, lower = [c.upper for c in steps], [c.lower for c in steps]
    assert upper == sorted(upper, reverse=True) and lower == sorted(lower)
    assert max(lower) <= min(upper) <= 1.01 * max(lower)
    assert not any(c.reason for c in steps[:-1]) and steps[-1].reason
    seen = []
    stopped = bound(mlp((2, 8, 8, 1)), QUARTER, SQUARE, ratio=1.0, seconds=0.05, progress=seen.append)
    assert seen[-1].upper == stopped.upper >= max(lower) and stopped.reason


def test_halves_cover_the_whole_on_both_sides_of_kinks():
    rng = np.random.default_rng(0)
    low = rng.uniform(-1, 0, (3, 40))
    high, turn = low + rng.uniform(0.1, 1, (3, 40)), rng.integers(-1, 2, 40)
    root = np.array([[-1.0] * 3, [1.0] * 3])
    held = _Search(
        objective("x", QUARTER, 2, None, None),
        root,
        rng,
        0.0,
        root[0],
        low,
        high,
        np.zeros((2, 40), dtype=np.int8),
        np.ones(40),
        turn,
    )
    new_low, new_high, sides = _halves(held, np.arange(40))
    x = rng.uniform(low, high, (200, 3, 40))
    kinks = rng.normal(size=(200, 2, 40))  # the signs of two functions at these points
    parts = []
    for half in (slice(0, 40), slice(40, 80)):
        inside = ((x >= new_low[:, half]) & (x <= new_high[:, half])).all(axis=1)
        parts.append(inside & (kinks * sides[:, half] >= 0).all(axis=1))
    assert (parts[0] | parts[1]).all() and not (parts[0] & parts[1]).any()


def test_a_size_is_decided_either_way():
    for below, holds in ((0.03, True), (0.01, False)):
        c = bound("x**2 + 1.01*y**2", QUARTER, SQUARE, below=below)
        assert c.holds is holds and c.boxes < 10
    assert bound("log(x)", np.diag([1.0, 0.0]), SQUARE, below=1.0, seconds=0.2, variables=["x", "y"]).upper == np.inf


def test_a_certificate_says_what_it_proves():
    c = bound("x**2 + 1.01*y**2", QUARTER, SQUARE)
    text = str(c)
    assert "everywhere on [-1, 1]^2, proven" in text and "x d/dy - y d/dx" in text and "Rounding outwards" in text
    printed = float(text.split("<= ")[1].split(" ")[0])
    assert c.upper <= printed <= 1.01 * c.upper  # rounded up
    assert 0.01 < c.relative < 0.03 and c.to_dict()["upper"] == c.upper
    assert "every combination" in str(bound("x*y", er.actions.translation(2), SQUARE))


# --- refusals


def _refused():
    import torch

    class Branch(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    class Shapes(torch.nn.Module):
        def forward(self, x):
            return x[:, 0] * x

    nn = torch.nn
    return {
        "layer '1', a LayerNorm": nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.Linear(4, 1)),
        "layer '1', a Conv1d": nn.Sequential(nn.Linear(2, 4), nn.Conv1d(4, 1, 1)),
        "could not be traced": Branch(),
        r"y\[:, None\]": Shapes(),
        "to see how the values": lambda x: x,
        "function sign": "sign(x)*y",
        "function asin": "asin(x) + y",
        "variables of the expressions": "x + u + v",
        "as coordinates": ["x", "y"],
    }


@pytest.mark.parametrize("message", list(_refused()))
def test_what_cannot_be_bounded_is_refused_by_name(message):
    with pytest.raises(InputError, match=message):
        bound(_refused()[message], QUARTER, SQUARE)


def test_boxes_and_generators_must_fit():
    for box in ([-1, 1], [(1, -1), (0, 1)], [(0, np.inf), (0, 1)]):
        with pytest.raises(InputError, match="no box"):
            bound("x*y", QUARTER, box)
    with pytest.raises(InputError, match="do not fit the box"):
        bound("x*y", er.actions.rotation(3), SQUARE)
    with pytest.raises(InputError, match="2 values"):
        bound(["x"], er.actions.linear(QUARTER).with_output([QUARTER]), SQUARE)
    with pytest.raises(InputError, match="no such kind"):
        bound("x", QUARTER, SQUARE, kind="tensor")


def test_coefficients_beyond_the_largest_number_are_explained():
    with pytest.raises(InputError, match="coefficient of about 1e400"):
        bound("1e200*x*1e200*x", er.actions.translation(1), [(1, 2)], kind="invariant")
    assert bound("1e200*x*1e200*(x - x) + x", er.actions.translation(1), [(1, 2)], kind="invariant").upper >= 1
