"""Maps of where generators hold: regions known in advance, from models and from data with noise."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import erlangen as er
from erlangen.actions import fields, rotation
from erlangen.evidence import where
from erlangen.evidence._local_fit import local_field
from erlangen.evidence._region_rule import features_of

PLANE = er.Samples.box(-3, 3, dim=2)


def inside(x):
    """Invariant under rotations up to r = 2, and nowhere beyond."""
    r = np.linalg.norm(x, axis=1)
    return r**2 + 3 * x[:, 0] * (r > 2)


def right_of(x):
    """Invariant under rotations for x5 < 0.3."""
    return x[:, 0] ** 2 + x[:, 1] ** 2 + 4 * x[:, 0] * np.maximum(x[:, 4] - 0.3, 0)


def away(x):
    """A Hopf flow that is turned by nothing for x > 1."""
    r2 = (x**2).sum(axis=1)
    out = np.stack([x[:, 0] - x[:, 1] - x[:, 0] * r2, x[:, 0] + x[:, 1] - x[:, 1] * r2], axis=1)
    out[:, 1] += 40 * np.maximum(x[:, 0] - 1, 0)
    return out


CASES = {
    "radius": (inside, rotation(2), PLANE, None, lambda x: np.linalg.norm(x, axis=1) < 2),
    "one of 64 coordinates": (
        right_of,
        fields([["-x2", "x1"] + ["0"] * 62], [f"x{i + 1}" for i in range(64)]),
        er.Samples.gaussian(0, 1, dim=64, n=700),
        None,
        lambda x: x[:, 4] < 0.3,
    ),
    "vector field": (away, rotation(2), PLANE, "vector", lambda x: x[:, 0] < 1),
    "beyond a hyperbola": (
        lambda x: x[:, 0] ** 2 - x[:, 1] ** 2 + 3 * x[:, 0] * (x[:, 0] ** 2 - x[:, 1] ** 2 < 1),
        fields([["y", "x"]], ["x", "y"]),
        PLANE,
        None,
        lambda x: x[:, 0] ** 2 - x[:, 1] ** 2 > 1,
    ),
    "around another centre": (
        lambda x: (r := np.linalg.norm(x - [1, 0.5], axis=1)) ** 2 + 3 * x[:, 0] * (r > 1.5),
        fields([["0.5 - y", "x - 1"]], ["x", "y"]),
        PLANE,
        None,
        lambda x: np.linalg.norm(x - [1, 0.5], axis=1) < 1.5,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_region_is_found(case):
    f, action, samples, kind, truth = case
    found = where(f, action, samples, kind=kind)
    rule = found.rules[0]
    assert rule.feature is not None and rule.accuracy > 0.93
    fresh = samples.points + 0.01  # other points than those of the map
    assert np.mean(rule.contains(fresh) == truth(fresh)) > 0.93


def test_words_for_a_radius():
    found = where(inside, rotation(2), PLANE)
    assert found.sentences[0].startswith("the rotation x d/dy - y d/dx holds for r < 2 (where r = sqrt(x^2 + y^2))")
    assert found.rules[0].cut == pytest.approx(2, abs=0.03)


@pytest.mark.parametrize(
    ("f", "words"),
    [(lambda x: (x**2).sum(axis=1), "everywhere"), (lambda x: x[:, 0] + 0.1 * x[:, 1] ** 2, "almost nowhere")],
)
def test_everywhere_and_nowhere(f, words):
    found = where(f, rotation(2), PLANE)
    assert found.rules[0].text == words and found.rules[0].feature is None
    assert found.rules[0].contains(PLANE.points).all() == (words == "everywhere")


def test_scattered_exceptions_are_not_given_a_rule():
    found = where(lambda x: (x**2).sum(axis=1) + 0.3 * np.sin(9 * x[:, 0]) * np.sin(7 * x[:, 1]), rotation(2), PLANE)
    assert "without a simple description" in found.sentences[0] or "nowhere" in found.sentences[0]


def test_from_data_with_noise():
    rng = np.random.default_rng(1)
    x = rng.uniform(-3, 3, (2000, 2))
    r = np.linalg.norm(x, axis=1)
    y = r**2 + 3 * x[:, 0] * np.maximum(r - 2, 0) + 0.05 * rng.normal(size=len(x))
    found = where((x, y), rotation(2))
    rule = found.rules[0]
    assert rule.feature is not None and rule.feature.name == "r" and rule.cut == pytest.approx(2, abs=0.25)
    px, py = found.points.T
    r = np.hypot(px, py)
    beyond = r > 2
    slope = np.hypot(2 * px + 3 * beyond * (r - 2 + px**2 / r), 2 * py + 3 * beyond * px * py / r)
    true = 3 * np.abs(py) * np.maximum(r - 2, 0) / (slope * r / np.sqrt(2))
    said = found.verdicts[:, 0]
    assert np.mean(true[said == "holds"] > 0.1) < 0.03 and np.mean(true[said == "broken"] < 0.02) < 0.03
    assert np.mean(said == "no data") < 0.02


def test_detail_that_wide_neighbourhoods_smooth_away_is_seen():
    """Broken almost everywhere; quadratics of several hundred rows see none of it, and agree with each other."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (2000, 2))
    y = (x**2).sum(axis=1) + 0.5 * np.sin(3 * x[:, 0]) * np.sin(3 * x[:, 1]) + 0.05 * rng.normal(size=2000)
    found = where((x, y), rotation(2), PLANE)
    assert found.share("holds")[0] < 0.08 and found.share("broken")[0] > 0.3
    assert "everywhere" not in found.sentences[0]


def test_detail_finer_than_all_neighbourhoods_decides_nothing():
    """Classes and quadratics of 24 rows call it noise; neighbouring rows share it."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (2000, 2))
    y = (x**2).sum(axis=1) + 0.3 * np.sin(8 * x[:, 0]) * np.sin(8 * x[:, 1]) + 0.05 * rng.normal(size=2000)
    assert where((x, y), rotation(2), PLANE).share("holds")[0] < 0.02
    assert where((x, (x**2).sum(axis=1) + 0.05 * rng.normal(size=2000)), rotation(2), PLANE).share("holds")[0] > 0.99


def test_a_small_place_where_it_breaks_is_not_smoothed_away():
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (2000, 2))
    r2 = (x**2).sum(axis=1)
    found = where((x, r2 + 0.5 * x[:, 0] * (r2 < 1) + 0.05 * rng.normal(size=2000)), rotation(2), PLANE)
    r, said = np.linalg.norm(found.points, axis=1), found.verdicts[:, 0]
    assert np.mean(said[r < 0.9] == "holds") < 0.05 and np.mean(said[r > 1.5] == "holds") > 0.9


def test_everywhere_is_not_said_where_much_is_undecided():
    found = where(lambda x: (x**2).sum(axis=1), rotation(2), PLANE)
    some = np.where(np.arange(len(found.points))[:, None] % 9 == 0, "undecided", found.verdicts)
    assert found.sentences[0].endswith("holds everywhere")
    assert (
        replace(found, verdicts=some)
        .sentences[0]
        .endswith("holds at 89 % of the points and is broken at 0 %; undecided at 11 %")
    )


def test_what_noise_hides_is_undecided():
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (400, 2))
    found = where((x, (x**2).sum(axis=1) + 1.0 * rng.normal(size=400)), rotation(2))
    assert found.share("undecided")[0] > 0.6 and found.share("holds")[0] < 0.05


def test_where_no_data_are_nothing_is_said():
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 0, (600, 2)) * [1, 2] + [0, 1]
    found = where((x, (x**2).sum(axis=1)), rotation(2), er.Samples.box(-1, 1, dim=2))
    far = found.points[:, 0] > 0.3
    assert set(found.verdicts[far, 0]) == {"no data"} and found.coverage[far].max() < 0.4
    assert set(found.verdicts[found.points[:, 0] < 0, 0]) == {"holds"}


@pytest.mark.parametrize("lift", [lambda t: np.stack([t, 2 * t], axis=1), lambda t: np.stack([t, t**2], axis=1)])
def test_across_a_line_or_a_curve_of_data_nothing_is_said(lift):
    x = lift(np.random.default_rng(6).uniform(-1, 1, 300))
    found = where((x, x[:, 0] + 0.01 * np.random.default_rng(7).normal(size=300)), fields([["0", "1"]], ["x", "y"]))
    assert found.share("no data")[0] > 0.95


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_local_slopes_and_their_errors(noise):
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, (3000, 2))
    y = (x[:, :1] ** 2 - x[:, 1:] * x[:, :1]) * [[1, 50]] + noise * rng.normal(size=(3000, 2))
    field = local_field(x, y, "invariant")
    assert field is not None
    at = rng.uniform(-0.8, 0.8, (200, 2))
    fit = field.fit(at, field.size)
    slope = np.stack([2 * at[:, 0] - at[:, 1], -at[:, 0]], axis=1)
    off = fit.slopes - np.stack([slope, 50 * slope], axis=1)
    if noise == 0:
        assert np.abs(off).max() < 1e-8
    else:
        sizes = fit.noise[:, :, None] * np.sqrt(np.einsum("naa->na", fit.spread[:, 1:, 1:]))[:, None]
        assert np.sqrt(np.mean((off / sizes) ** 2)) == pytest.approx(1, abs=0.2)


def test_quadratic_invariants_are_invariant():
    action = fields([["y - 1", "-4*x", "0"]], ["x", "y", "z"])
    x = np.random.default_rng(5).normal(size=(50, 3))
    new = [f for f in features_of(action, np.zeros(3), np.ones(3), ("x", "y", "z")) if "^2" in f.name]
    assert len(new) == 1
    moved = (new[0](x + 1e-6 * action.on_points(x)[:, 0]) - new[0](x - 1e-6 * action.on_points(x)[:, 0])) / 2e-6
    np.testing.assert_allclose(moved, 0, atol=1e-8)


def test_prints():
    sym = er.discover(lambda x: (x**2).sum(axis=1), rotation(3), er.Samples.box(-1, 1, dim=3))
    found = where(lambda x: (x**2).sum(axis=1), sym, er.Samples.box(-1, 1, dim=3))
    assert len(found.sentences) == 3 and all("everywhere" in line for line in found.sentences)
    assert "holds" in str(found) and "<table>" in found._repr_html_() and json.dumps(found.to_dict())


def test_a_region_and_generators_are_needed():
    with pytest.raises(er.InputError, match="region"):
        where(inside, rotation(2))
    with pytest.raises(er.InputError, match="action or a symmetry"):
        where(inside, "rotation", PLANE)  # pyright: ignore[reportArgumentType]
