"""Every trap: the naive answer is wrong, ours is right, and the reason stands in words."""

import numpy as np
import pytest

import erlangen as er
from benchmarks.traps import TRAPS, flow_map, naive_dimension
from erlangen.actions import affine


@pytest.mark.parametrize("name", TRAPS)
def test_trap(name):
    trap = TRAPS[name]
    problem = trap.build()
    sym = er.discover(*problem)
    assert sym.dim == trap.dim, str(sym)
    assert trap.word in str(sym)
    if trap.listed == "refused":
        assert sym.refused
    if trap.listed == "uncovered":
        assert len(sym.uncovered)
    assert naive_dimension(*problem) > trap.dim


def test_increments_give_the_defect_of_the_vector_field_at_any_step():
    """dt = .1 and .001 agree within 5 %; without increments a small step looks symmetric."""
    values = []
    for dt in (0.1, 0.001):
        field = er.as_field(flow_map(dt), kind="map", dim=2)
        values.append(er.discover(field, affine(2), er.Samples.box(-1, 1, dim=2, n=600)).spectrum[0])
    assert values[0] == pytest.approx(values[1], rel=0.05)

    def vector(x):
        return np.stack([x[:, 1], -x[:, 0] + (1 - x[:, 0] ** 2) * x[:, 1]], axis=1)

    limit = er.discover(er.as_field(vector, kind="vector", dim=2), affine(2), er.Samples.box(-1, 1, dim=2, n=600))
    assert values[1] == pytest.approx(limit.spectrum[0], rel=0.05)
