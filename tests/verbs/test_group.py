"""The group of a symmetry from data: exact where the generators are not."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen.verbs._export import matrices

RNG = np.random.default_rng(0)
SKEWED = np.array([[1.0, 0.3, 0.2, -0.4], [0.0, 1.0, 0.4, 0.1], [0.3, 0.0, 1.0, 0.2], [0.0, -0.3, 0.0, 1.0]])


def so3(x):
    return ((x @ SKEWED[:3, :3].T) ** 2).sum(axis=1)


def so31(x):
    return (x @ SKEWED.T) ** 2 @ np.array([1.0, -1.0, -1.0, -1.0])


def so2(x):
    """Two planes that turn together: lengths and the product of two vectors of a plane."""
    a, b = np.split(x @ SKEWED.T, 2, axis=1)
    return np.stack([(a**2).sum(1), (b**2).sum(1), (a * b).sum(1)], axis=1)


# Function, coordinates, name, and the dimensions of the maps V >> V and V**2 >> V**2.
CASES = {"so(3)": (so3, 3, 1, 3), "so(3,1)": (so31, 4, 1, 4), "so(2)": (so2, 4, 8, 96)}


@pytest.mark.parametrize("noise", [1e-6, 0.01])
@pytest.mark.parametrize("name", CASES)
def test_generators_from_noisy_data_make_an_exact_group(name, noise):
    function, d, linear, quadratic = CASES[name]
    x = RNG.normal(size=(1500, d))
    y = function(x)
    y = y + noise * y.std(axis=0) * RNG.normal(size=y.shape)
    sym = er.discover((x, y), er.actions.gl(d), kind="invariant")
    assert sym.name == name and sym.noise > noise / 100
    V = sym.rep
    assert er.enforce(V >> V).dim == linear
    maps = er.enforce(V**2 >> V**2)
    assert maps.dim == quadratic and maps.residual < 1e-12
    before, after = matrices(sym), sym.group.lie_algebra
    assert np.linalg.norm(after - before) < 10 * sym.noise * np.linalg.norm(before)


def test_exact_generators_are_left_as_they_are():
    sym = er.discover(lambda x: (x**2).sum(axis=1), er.actions.affine(3), er.Samples.box(-1, 1, dim=3))
    assert set(np.unique(sym.group.lie_algebra)) == {-1.0, 0.0, 1.0}


def test_two_of_three_rotations_are_no_group():
    """A threshold that cuts through nearly equal defects leaves generators whose bracket is a third one."""

    def nearly_round(x):
        return (x**2).sum(axis=1) + 0.4 * x.prod(axis=1) + 0.3 * x[:, 0] ** 3

    sym = er.discover(nearly_round, er.actions.gl(3), er.Samples.box(-1, 1, dim=3), rule=er.Threshold(0.2))
    assert sym.dim == 2
    with pytest.raises(er.UndecidedError, match="2 generators, brackets 0.71 outside their span"):
        _ = sym.group
