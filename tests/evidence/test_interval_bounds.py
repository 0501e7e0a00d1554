"""Enclosures hold: of functions of one variable, of steps, and of Lie derivatives, against mpmath and samples."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from mpmath import iv, mp

from erlangen.actions import linear, rotation
from erlangen.evidence.bounds.functions import SMOOTH
from erlangen.evidence.bounds.graph import Tape
from erlangen.evidence.bounds.interval import Enclosure
from erlangen.evidence.bounds.objective import objective
from erlangen.evidence.bounds.quadratic import extremes

HIGHEST = 4  # the slope of a step, and three more derivatives of it

ONE_VARIABLE = [
    ("tanh", mp.tanh, -6, 6, 0.0),
    ("sigmoid", lambda x: 1 / (1 + mp.exp(-x)), -9, 9, 0.0),
    ("softplus", lambda x: mp.log(1 + mp.exp(x)), -9, 9, 0.0),
    ("normal cdf", mp.ncdf, -6, 6, 0.0),
    ("sin", mp.sin, -9, 9, 0.0),
    ("cos", mp.cos, -9, 9, 0.0),
    ("arctan", mp.atan, -6, 6, 0.0),
    ("exp", mp.exp, -5, 5, 0.0),
    ("log", mp.log, 0.1, 5, 0.0),
    ("power", lambda x: x**3, -3, 3, 3.0),
    ("power", lambda x: 1 / x**2, 0.2, 3, -2.0),
    ("power", mp.sqrt, 0.1, 4, 0.5),
    ("power", lambda x: x ** mp.mpf("1.7"), 0.1, 4, 1.7),
]
IDS = [f"{name}{power or ''}" for name, *_, power in ONE_VARIABLE]


def exact_jet(function, x: float) -> list[mpmath.mpf]:
    with mp.workdps(60):
        coefficients = mp.taylor(function, mp.mpf(x), HIGHEST)
        return [c * mp.factorial(k) for k, c in enumerate(coefficients)]


@pytest.mark.parametrize(("name", "exact", "low", "high", "power"), ONE_VARIABLE, ids=IDS)
def test_derivatives_err_by_no_more_than_they_say(name, exact, low, high, power):
    if power == 1.7:
        exact = lambda x: x ** mp.mpf(1.7)  # noqa: E731 - the float, not the decimal
    x = np.random.default_rng(0).uniform(low, high, 12)
    f = SMOOTH[name]
    jet = f.jet(x, HIGHEST, power)
    for i, point in enumerate(x):
        for k, true in enumerate(exact_jet(exact, point)):
            allowed = np.broadcast_to(f.error(k, jet[k], power), x.shape)[i]
            assert abs(mp.mpf(float(jet[k][i])) - true) <= allowed + 1e-300, (k, point)


@pytest.mark.parametrize(("name", "exact", "low", "high", "power"), ONE_VARIABLE, ids=IDS)
def test_ranges_hold_all_values_and_little_more(name, exact, low, high, power):
    f, rng = SMOOTH[name], np.random.default_rng(1)
    ends = np.sort(rng.uniform(low, high, (2, 60)), axis=0)
    ends[1, :20] = ends[0, :20] + (ends[1, :20] - ends[0, :20]) * 1e-3
    centre = ends.mean(axis=0)
    inside = ends[0] + (ends[1] - ends[0]) * np.linspace(0, 1, 401)[:, None]
    at_centre = f.jet(centre, HIGHEST + 1, power)
    values = f.jet(inside, HIGHEST, power)
    for k in range(HIGHEST + 1):
        smallest, largest = f.range(k, ends[0], ends[1], power)
        assert (smallest <= values[k].min(axis=0)).all() and (values[k].max(axis=0) <= largest).all()
        span = np.ptp(values[k], axis=0)
        assert (largest - smallest <= span * 1.02 + 1e-11).all(), k
        if k >= 2:
            size = f.size(k, at_centre, ends[0], ends[1], 0.5 * (ends[1] - ends[0]), power)
            assert (np.abs(values[k]).max(axis=0) <= size).all()


def test_the_largest_value_of_a_quadratic_is_bounded_and_exact_where_it_is_separable():
    rng = np.random.default_rng(2)
    slope, hessian = rng.normal(size=(3, 50)), rng.normal(size=(3, 3, 50))
    hessian = hessian + hessian.transpose(1, 0, 2)
    e = np.array(np.meshgrid(*[np.linspace(-1, 1, 25)] * 3)).reshape(3, -1).T
    for matrix in (hessian, hessian * np.eye(3)[:, :, None]):
        low, high = extremes(slope, matrix)
        values = e @ slope + 0.5 * np.einsum("si,ijb,sj->sb", e, matrix, e)
        assert (values <= high + 1e-12).all() and (values >= low - 1e-12).all()
    # The grid misses a peak by at most half of H (1/24)^2 per coordinate.
    assert (high - values.max(axis=0) <= 0.5 * np.abs(np.einsum("iib->b", np.abs(matrix))) / 24**2 + 1e-12).all()


# --- Lie derivatives


def network(sizes, activation, seed):
    import torch

    rng = np.random.default_rng(seed)
    layers = []
    for n, m in zip(sizes, sizes[1:]):
        layer = torch.nn.Linear(n, m).double()
        layer.weight.data[:] = torch.from_numpy(rng.normal(size=(m, n)) / np.sqrt(n))
        layer.bias.data[:] = torch.from_numpy(rng.normal(size=m) / 3)
        layers += [layer, activation()]
    return torch.nn.Sequential(*layers[:-1])


def lie_derivative(net, action, x):
    """Df(x) xi(x) by automatic differentiation, (n, c)."""
    import torch

    points = torch.from_numpy(x)
    along = torch.from_numpy(action.on_points(x)[:, 0])
    return torch.func.jvp(net, (points,), (along,))[1].detach().numpy()


ACTIVATIONS = [
    "Tanh",
    "ReLU",
    "Sigmoid",
    "Softplus",
    "GELU",
    "SiLU",
    "ELU",
    "LeakyReLU",
    "Hardtanh",
    "Mish",
    "Softsign",
]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_sampled_point_violates_its_box(activation):
    """In all about 1e6 pairs of box and point, boxes from the whole cube down to 1e-6."""
    import torch

    rng = np.random.default_rng(3)
    boxes, points = 300, 300
    for sizes in ((2, 8, 8, 1), (3, 6, 2)):
        net, d = network(sizes, getattr(torch.nn, activation), 4), sizes[0]
        goal = objective(net, rotation(d).restrict(np.eye(d * (d - 1) // 2)[:, :1]), d, "invariant", None)
        half = 10 ** rng.uniform(-6, 0.3, boxes)
        centre = rng.uniform(-2, 2, (d, boxes))
        low, high = centre - half * rng.uniform(0, 1, (d, boxes)), centre + half
        enclosed = goal.enclosure.bounds(low, high)
        x = low + (high - low) * rng.uniform(0, 1, (points, d, boxes))
        x[:2] = low, high
        flat = np.clip(x, low, high).transpose(0, 2, 1).reshape(-1, d)
        s = lie_derivative(net, rotation(d), flat).reshape(points, boxes, -1)
        rounding = 1e-13 * (1 + np.abs(s))  # of the samples, which are themselves computed in float64
        for c, bounds in enumerate(enclosed):
            assert (s[:, :, c] <= bounds.high + rounding[:, :, c]).all()
            assert (s[:, :, c] >= bounds.low - rounding[:, :, c]).all()
            widest = bounds.high - bounds.low
            assert np.median(widest[half < 1e-4]) < 1e-2
        sizes_ = goal.sizes(low, high)
        norm = np.linalg.norm(s, axis=2)
        assert (norm <= sizes_.high + rounding[:, :, 0]).all() and (norm >= sizes_.low - rounding[:, :, 0]).all()


def test_values_behind_a_kink_stay_in_their_band():
    rng = np.random.default_rng(6)
    tape = Tape(2)
    hidden = tape.unary(tape.linear([(0, rng.normal(size=(6, 2)))], rng.normal(size=6) / 3), "relu")
    out = tape.linear([(tape.unary(tape.linear([(hidden, rng.normal(size=(6, 6)))]), "relu"), rng.normal(size=(1, 6)))])
    pruned, steps = tape.pruned([out])
    enclosure = Enclosure(pruned, ((steps[0], 0),))
    low = rng.uniform(-1, 1, (2, 200))
    high = low + 10 ** rng.uniform(-3, 0.3, 200)
    bounds = enclosure.bounds(low, high)[0]
    for x in rng.uniform(low, high, (300, 2, 200)):
        at = enclosure.bounds(x, x)[0].centre
        assert (at <= bounds.high + 1e-13).all() and (at >= bounds.low - 1e-13).all()


def exact_network(weights, x, v, context):
    """Df(x) v of a tanh network in the arithmetic of a context of mpmath (mp: 60 digits, iv: intervals)."""
    z, dz = list(x), list(v)
    for level, (matrix, bias) in enumerate(weights):
        z = [sum((float(w) * a for w, a in zip(row, z)), context.mpf(float(b))) for row, b in zip(matrix, bias)]
        dz = [sum((float(w) * a for w, a in zip(row, dz)), context.mpf(0)) for row in matrix]
        if level < len(weights) - 1:
            z = [1 - 2 / (context.exp(2 * a) + 1) for a in z]
            dz = [(1 - a * a) * b for a, b in zip(z, dz)]
    return dz[0]


def test_agreement_with_interval_arithmetic_of_mpmath_on_100_small_cases():
    rng = np.random.default_rng(5)
    for case in range(100):
        d, n = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        sizes = [d, n, n, 1]
        weights = [(rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in zip(sizes, sizes[1:])]
        matrix = rng.normal(size=(d, d))
        tape = Tape(d)
        f = 0
        for level, (w, b) in enumerate(weights):
            f = tape.linear([(f, w)], b)
            f = tape.unary(f, "tanh") if level < 2 else f
        pruned, steps = tape.pruned([tape.push(f, {0: tape.linear([(0, matrix)])})])
        half = 0.0 if case % 4 == 0 else 10 ** rng.uniform(-8, 0)
        centre = rng.uniform(-1, 1, d)
        low, high = centre - half, centre + half
        ours = Enclosure(pruned, ((steps[0], 0),)).bounds(low[:, None], high[:, None])[0]
        x = [iv.mpf([a, b]) for a, b in zip(low, high)]
        v = [sum((float(m) * a for m, a in zip(row, x)), iv.mpf(0)) for row in matrix]
        theirs = exact_network(weights, x, v, iv)
        slack = 1e-12 * (1 + float(theirs.delta))  # no wider than plain interval arithmetic
        assert float(theirs.a) - slack <= ours.low[0] <= ours.high[0] <= float(theirs.b) + slack
        assert theirs.a <= ours.high[0] and ours.low[0] <= theirs.b
        with mp.workdps(60):
            for point in (low, high, centre, rng.uniform(low, high)):
                exact = [mp.mpf(float(a)) for a in np.clip(point, low, high)]
                along = [sum((mp.mpf(float(m)) * a for m, a in zip(row, exact)), mp.mpf(0)) for row in matrix]
                true = exact_network(weights, exact, along, mp)
                assert mp.mpf(float(ours.low[0])) <= true <= mp.mpf(float(ours.high[0]))
        if half == 0:
            assert ours.high[0] - ours.low[0] < 1e-11


EXPRESSIONS = [
    "x*y/(1 + x**2 + y**2)",
    "exp(sin(3*x)*cos(y))",
    "log(2 + x*y) + sqrt(3 + x)",
    "abs(x - y)*max(x, y**2)",
    "atan(x + 2*y)**3",
    "2**x + x**y",
    "tanh(x)/cosh(y) + tan(x/2)",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_boxes_shrink_to_the_value_at_the_second_or_third_power_of_their_size(text):
    """Away from kinks the excess of the Taylor form falls like the cube of the half width."""
    goal = objective(text, linear([[0.0, -1.0], [1.0, 0.0]]), 2, None, None)
    centre = np.array([[0.7], [0.3]])
    excess = []
    for half in (0.02, 0.01):
        bounds = goal.enclosure.bounds(centre - half, centre + half)[0]
        corners = centre[:, 0] + half * np.random.default_rng(0).uniform(-1, 1, (4000, 2))
        corners[:4] = centre[:, 0] + half * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
        at = goal.enclosure.bounds(corners.T, corners.T)[0]
        assert (at.low <= bounds.high + 1e-15).all() and (bounds.low <= at.high + 1e-15).all()
        excess.append(float(bounds.high[0] - at.centre.max()) + 1e-15)
        assert np.allclose(bounds.slope[:, 0] / half, _gradient(goal, centre), rtol=1e-5, atol=1e-6)
    assert excess[0] / excess[1] > 3 or excess[0] < 1e-6  # 4: an off-diagonal Hessian; 8: all else


def _gradient(goal, centre):
    step = 1e-5
    moves = step * np.vstack([np.eye(2), -np.eye(2)])[:, :, None]
    value = [goal.enclosure.bounds(centre + move, centre + move)[0].centre[0] for move in moves]
    return np.array([(value[i] - value[2 + i]) / (2 * step) for i in range(2)])
