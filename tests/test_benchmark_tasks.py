"""The tasks of the benchmark on data efficiency have the symmetry they are named for."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._tasks import TASKS, Task
from benchmarks.data_efficiency import count, plain
from erlangen.algebra import rep


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_formulas_are_equivariant(task: Task):
    group = task.group()
    source, target = rep(task.rep_in, group), rep(task.rep_out, group)
    x, y = task.draw(40, np.random.default_rng(0))
    assert x.shape == (40, source.size) and y.shape == (40, target.size)
    for g in group.sample(3, 1):
        moved = task.values(x @ source.group_matrix(g).T)
        assert np.allclose(moved, y @ target.group_matrix(g).T, rtol=1e-12, atol=1e-12 * np.abs(moved).max())


def test_scattering_is_its_expansion_in_inner_products():
    # Both lines contracted by hand, with c = p.r - p.p and e = q.s - q.q:
    # 4 [2 (p.q)(r.s) + 2 (p.s)(r.q) - 2 e p.r - 2 c q.s + 4 c e].
    x = np.random.default_rng(1).standard_normal((20, 16))
    p, q, r, s = x.reshape(-1, 4, 4).transpose(1, 0, 2)

    def dot(a, b):
        return a[:, 0] * b[:, 0] - (a[:, 1:] * b[:, 1:]).sum(1)

    c, e = dot(p, r) - dot(p, p), dot(q, s) - dot(q, q)
    lines = 2 * dot(p, q) * dot(r, s) + 2 * dot(p, s) * dot(r, q)
    expected = 4 * (lines - 2 * e * dot(p, r) - 2 * c * dot(q, s) + 4 * c * e)
    assert np.allclose(TASKS[2].values(x)[:, 0], expected, rtol=1e-12, atol=1e-12)


def test_inertia_of_one_body_on_an_axis():
    x = np.zeros((1, 20))
    x[0, 0], x[0, 5] = 2.0, 3.0  # mass 2 at (3, 0, 0)
    assert np.allclose(TASKS[1].values(x).reshape(3, 3), np.diag([0.0, 18.0, 18.0]))


@pytest.mark.parametrize("parameters", [500, 5000, 50_000])
def test_the_plain_network_has_the_size_that_is_asked(parameters: int):
    # One unit more or less in three layers of width w changes 4 w + 20 or so.
    width = (parameters / 2) ** 0.5
    assert abs(count(plain(10, 1, parameters)) - parameters) <= 2 * width + 14
