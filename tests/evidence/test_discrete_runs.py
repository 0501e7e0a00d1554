"""Maps tested on runs, whose rows depend on each other, and the region in which they are claimed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

import erlangen as er
from erlangen.evidence import Observed
from erlangen.evidence.discrete import _prepare, element_tests
from erlangen.evidence.discrete._moved import places
from erlangen.evidence.discrete._tested import AnyModel
from erlangen.evidence.group_test import test_group as check_group
from erlangen.fields import polynomial_field

probe = element_tests.test_elements
FLIP = np.array([np.diag([-1.0, 1.0])])


def walk(seed, n=1200, memory=0.95):
    """One long run of a function whose noise remembers; even in x up to a relative defect of 6 %."""
    rng = np.random.default_rng(seed)
    x = np.sin(np.cumsum(0.3 * rng.standard_normal((n, 2)), axis=0))
    e = lfilter([np.sqrt(1 - memory**2)], [1, -memory], rng.standard_normal(n))
    return x, x[:, :1] ** 2 + x[:, 1:] + 0.035 * x[:, :1] + 0.1 * e[:, None]


@pytest.mark.parametrize("seed", range(3))
def test_memory_of_the_noise_within_runs_widens_bounds(seed):
    family, (x, y) = polynomial_field(2, 2, np.zeros((1, 6)), "invariant"), walk(seed)
    plain = probe((x, y), FLIP, family=family)
    known = probe(Observed(x, y, groups=np.zeros(len(x), dtype=int)), FLIP, family=family)
    assert plain.guarantee.endswith("exactly, in finite samples") and known.guarantee.endswith("asymptotically")
    assert any("forgets itself" in line for line in known.assumptions)
    wide, narrow = (found.tested[0].high - found.tested[0].defect for found in (known, plain))
    assert wide > 2 * narrow


def test_groups_of_a_group_test_are_blocks_by_default():
    data, labels, turn = walk(0), np.zeros(1200, dtype=int), er.actions.rotation(2)
    known, blocks = (check_group(data, turn, family=2, groups=labels, noise=noise) for noise in (None, "blocks"))
    plain, equal = (check_group(data, turn, family=2, noise=noise) for noise in (None, "equal"))
    assert known.high == blocks.high and plain.high == equal.high and known.high > 1.2 * plain.high
    assert not known.exact and plain.exact


@pytest.mark.parametrize("count", [1, 3, 24])
def test_whole_runs_choose_or_test(count):
    labels = np.repeat(np.arange(count), 480 // count)
    x = np.random.default_rng(count).uniform(-1, 1, (480, 2))
    first, second = _prepare._in_pieces(Observed(x, x[:, :1], groups=labels)).split(0.4, np.random.default_rng(0))
    assert not np.isin(np.asarray(first.groups), np.asarray(second.groups)).any() and 0.3 < len(first) / 480 < 0.5


def test_squared_residuals_of_a_run_count_together():
    """One number for all 20 rows of a run: as many numbers as runs."""
    runs, model = np.random.default_rng(0).standard_normal((60, 1)), polynomial_field(1, 1, [0, 0], "invariant")
    rows = np.repeat(runs, 20, axis=0)
    tester = AnyModel(model, rows, rows, places(runs, None, True))
    known = replace(tester, groups=np.repeat(np.arange(60), 20))
    assert known._squares[0] == pytest.approx(tester._squares[0])
    assert float(known._squares[1][0] / tester._squares[1][0]) == pytest.approx(np.sqrt(20), rel=0.1)
    assert known._squares[2] <= 60 < tester._squares[2]


def test_a_symmetry_is_claimed_at_all_points_of_the_data():
    x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    y = x[:, :1] ** 2 + 0.01 * np.random.default_rng(1).standard_normal((300, 1))
    assert probe((x, y), FLIP).region.startswith("those of all 300 points of the data whose images stay")
    prepared = _prepare.prepare((x, y), None, kind=None, family=None, centre=None, rng=np.random.default_rng(0))
    assert np.array_equal(np.sort(prepared.tester.points, axis=0), np.sort(x, axis=0))  # pyright: ignore
