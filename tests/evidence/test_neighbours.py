"""Residuals of neighbours: silent without misfit, loud where a class misses what is finer than its tests."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen.evidence import certify
from erlangen.evidence._neighbour_gate import missing, neighbours
from erlangen.linalg.polynomials import exponents, monomials

BOX = er.Samples.box(-1, 1, dim=2)


def left_over(f, n, sigma, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2))
    y = f(x) + sigma * rng.standard_normal(n)
    phi = monomials(x, exponents(2, 2))
    return x, (y - phi @ np.linalg.lstsq(phi, y, rcond=None)[0])[:, None]


def square(x):
    return (x**2).sum(axis=1)


def waves(x):
    return square(x) + 0.1 * np.sin(20 * x[:, 0])


def test_level_holds_and_fine_waves_are_seen():
    quiet = [neighbours(*left_over(square, 200, 0.05, s), alpha=0.05).passed for s in range(60)]
    assert sum(quiet) >= 52  # 99 % of Bin(60, .95) is at least 52
    assert not any(neighbours(*left_over(waves, 800, 0.02, s), alpha=1e-3).passed for s in range(10))
    assert missing(*left_over(waves, 3000, 0.02, 0)) == pytest.approx(0.1 / np.sqrt(2), rel=0.2)


def test_noise_within_runs_is_not_misfit():
    rng = np.random.default_rng(0)
    x = np.cumsum(0.01 * rng.standard_normal((40, 50, 2)), axis=1).reshape(-1, 2)
    noise = np.repeat(rng.standard_normal(40), 50)[:, None]  # one value a run
    groups = np.repeat(np.arange(40), 50)
    assert not neighbours(x, noise, alpha=1e-3).passed
    assert neighbours(x, noise, alpha=1e-3, groups=groups).passed


@pytest.mark.parametrize("mode", [None, "class-free"])
def test_what_is_finer_than_the_class_is_not_certified(mode):
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (1000, 2))
    found = certify((x, waves(x) + 0.02 * rng.standard_normal(1000)), er.actions.rotation(2), BOX, mode=mode)
    assert found.dim == 0  # the true defect is .59


def test_a_class_that_the_data_chose_is_a_premise():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 2))
    table = x, square(x) + 0.05 * rng.standard_normal(600)
    chosen = certify(table, er.actions.rotation(2), BOX)
    given = certify(table, er.actions.rotation(2), BOX, family=2)
    assert "was chosen by rows" in chosen.assumptions[0] and "where the class" in chosen.guarantee
    assert "was chosen by rows" not in given.assumptions[0] and "where the class" not in given.guarantee


MOVED = {
    "as it is": lambda x: (x, square(x)),
    "far from the origin": lambda x: (x + 1000.0, square(x + 1000.0)),
    "in other units": lambda x: (x * [1e6, 1e-6], 1e8 * square(x)),
    "small beside a constant": lambda x: (x, square(x) + 1e6),
}


@pytest.mark.parametrize("where", MOVED)
def test_what_rounding_leaves_of_an_exact_model_is_no_misfit(where):
    x, y = MOVED[where](np.random.default_rng(0).uniform(-1, 1, (300, 2)))
    found = certify((x, y), er.actions.affine(2), family=2)
    assert found.dim == 1, found
    near = next(gate for gate in found.gates if gate.name == "lack of fit between neighbours")
    assert near.passed and "rounding" in near.reason


def test_a_degree_too_many_leaves_rounding_too():
    x = np.random.default_rng(1).uniform(-1, 1, (300, 2))
    assert certify((x, square(x)), er.actions.affine(2), family=4).dim == 1
    chosen = certify((x, square(x)), er.actions.affine(2))
    assert chosen.dim == 1 and not any("was left" in note for note in chosen.notes)


@pytest.mark.parametrize("size", [1e-3, 1e-7, 1e-11])
def test_waves_above_rounding_are_seen_however_small(size):
    x = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    found = certify((x, square(x) + size * np.sin(20 * x[:, 0])), er.actions.rotation(2), family=2)
    assert found.dim == 0 and "lack of fit" in str(found).splitlines()[0]


def test_rounding_is_judged_channel_by_channel():
    x, left = left_over(waves, 400, 0.0, 0)
    both = np.hstack([1e-16 * left, left])
    assert not neighbours(x, both, alpha=1e-3, floor=np.array([1e-14, 1e-14])).passed
    assert neighbours(x, both[:, :1], alpha=1e-3, floor=np.array([1e-14])).passed
    assert not neighbours(x, both[:, :1], alpha=1e-3).passed
