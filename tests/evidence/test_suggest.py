"""Where to measure: optimal designs against brute force, and what suggested points do to bounds of defects."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest

import erlangen as er
from erlangen.actions import fields, rotation
from erlangen.evidence import fresh_points, suggest_points
from erlangen.evidence._optimal import Design
from erlangen.evidence._repulsion import projection_sample
from erlangen.evidence.bilinear import bilinear
from erlangen.evidence.estimate import estimate
from erlangen.evidence.simultaneous import upper_of
from erlangen.fields import polynomial_field

SQUARE = er.Samples.box(-1, 1, dim=2, n=400)


def design(seed: int, c: int = 2, q: int = 4, n: int = 9) -> Design:
    rng = np.random.default_rng(seed)
    root, target = rng.normal(size=(q, q)), rng.normal(size=(3, q))
    return Design(root @ root.T, target.T @ target, rng.normal(size=(n, c, q)), rng.uniform(0.1, 1, c))


@pytest.mark.parametrize("seed", range(3))
def test_measuring_is_adding_information(seed):
    d = design(seed)
    rows = np.array([1, 4, 4])
    information = np.linalg.inv(d.covariance)
    for row in rows:
        information += d.features[row].T @ np.diag(1 / d.noise) @ d.features[row]
    np.testing.assert_allclose(d.after(rows), np.linalg.inv(information), atol=1e-10)
    back = d.measured(d.after(rows), 4, -1.0)
    np.testing.assert_allclose(back, d.after(rows[:2]), atol=1e-8)
    gains = d.error(d.covariance) ** 2 - np.array([d.error(d.measured(d.covariance, k)) ** 2 for k in range(9)])
    np.testing.assert_allclose(d.gains(d.covariance), gains, rtol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_exchange_finds_the_best_design(seed):
    d = design(seed)
    best = min(d.error(d.after(np.array(rows))) for rows in combinations_with_replacement(range(9), 3))
    assert d.error(d.after(d.best(3))) <= best * 1.02


def test_suggested_points_shrink_bounds_more_than_random_ones():
    rng, action, family = np.random.default_rng(0), rotation(2), polynomial_field(2, 3, np.zeros(10))
    both = bilinear(family, action, SQUARE)

    def values(x):
        return (x**2).sum(axis=1) + 0.1 * rng.normal(size=len(x))

    uppers = []
    for k in range(8):
        x = rng.uniform(-1, 1, (40, 2))
        y = values(x)
        found = suggest_points((x, y), 20, action=action, samples=SQUARE, family=3, rng=k)
        assert found.after < found.random < found.before and len(found.points) == 20
        row = []
        for more in (found.points, rng.uniform(-1, 1, (20, 2))):
            fit = estimate(family, np.vstack([x, more]), np.concatenate([y, values(more)])[:, None])
            row.append(upper_of(both, fit, np.ones((1, 1)), 0.05))
        uppers.append(row)
    suggested, random = np.median(uppers, axis=0)
    assert suggested < 0.7 * random


def test_points_go_where_nothing_is_known():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 0, (80, 2))
    found = suggest_points((x, (x**2).sum(axis=1)), 6, action=rotation(2), samples=SQUARE, family=2)
    assert np.all(found.points.max(axis=1) > 0.8)  # none inside of the data


def test_what_no_row_sees_is_measured_first():
    x = np.random.default_rng(2).uniform(-1, 1, (50, 2)) * [1, 0]
    y = x[:, 0] ** 2 + 0.01 * np.random.default_rng(3).normal(size=50)
    found = suggest_points((x, y), 6, action=rotation(2), samples=SQUARE, family=2)
    assert found.gain > 100 and np.abs(found.points[:, 1]).min() > 0.2


def test_only_undecided_generators_count():
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, (60, 2))
    y = x[:, 0] ** 2 + x[:, 1] ** 2 + 0.05 * rng.normal(size=60)
    found = suggest_points((x, y), 3, samples=SQUARE, family=2)
    assert len(found.undecided) == 1 and "undecided" in found.reason and "x d/dy" in found.undecided[0]
    sure = suggest_points((x, (x**2).sum(axis=1)), 3, samples=SQUARE, family=2)
    assert "decided already" in sure.reason
    assert found.coordinates == ("x", "y") and "random" in str(found)


def test_models_are_asked_where_they_disagree():
    models = [lambda x, k=k: (x**2).sum(axis=1) + k * np.maximum(x[:, 0] - 0.5, 0) * x[:, 1] for k in (-0.2, 0.1, 0.3)]
    found = suggest_points(models, 3, action=rotation(2), samples=SQUARE)
    assert found.points[:, 0].min() > 0.7 and found.gain > 10
    with pytest.raises(er.UndecidedError, match="agree"):
        suggest_points([models[0], models[0]], 3, action=rotation(2), samples=SQUARE)


# --- before anything is measured


def test_projection_samples_follow_their_law():
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.normal(size=(7, 3)))[0]
    drawn = np.array([projection_sample(basis, 3, rng) for _ in range(1500)])
    often = np.bincount(drawn.ravel(), minlength=7) / len(drawn)
    np.testing.assert_allclose(often, (basis**2).sum(axis=1), atol=0.05)  # the diagonal of the kernel
    assert all(len(set(rows)) == 3 for rows in drawn.tolist())
    pair = np.mean([{0, 1} <= set(rows) for rows in drawn.tolist()])
    kernel = basis @ basis.T
    assert pair == pytest.approx(np.linalg.det(kernel[:2, :2]), abs=0.04)


def test_ten_points_a_function_are_stable():
    family, action = polynomial_field(1, 19, np.zeros(20)), fields([["1"]], ["x"])
    line = er.Samples.box(-1, 1, dim=1, n=2048)
    repelled = [fresh_points(family, 200, line, action=action, rng=k).stability for k in range(20)]
    assert np.mean(np.array(repelled) < 0.5) >= 0.9
    found = fresh_points(family, 200, line, action=action)
    assert found.n_functions == 20
    legendre = np.polynomial.legendre.legvander(found.points[:, 0], 19) * np.sqrt(2 * np.arange(20) + 1)
    gram = legendre.T @ (legendre * found.weights[:, None])
    assert np.abs(np.linalg.eigvalsh(gram) - 1).max() == pytest.approx(found.stability, abs=0.05)
    x = np.random.default_rng(6).uniform(-1, 1, 200)
    plain = np.polynomial.legendre.legvander(x, 19) * np.sqrt(2 * np.arange(20) + 1)
    assert np.abs(np.linalg.eigvalsh(plain.T @ plain / 200) - 1).max() > 0.5  # independent uniform points are not


@pytest.mark.parametrize(
    ("problem", "n", "words"), [((np.ones((3, 2)), np.ones(3)), 0, "n = 0"), (np.ones, 3, "its own uncertainty")]
)
def test_what_cannot_be_answered(problem, n, words):
    with pytest.raises(er.InputError, match=words):
        suggest_points(problem, n)
