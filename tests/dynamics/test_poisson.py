"""Poisson algebras of known functions: dimension, closure and name."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest

from erlangen._errors import InputError
from erlangen._formula import Formula
from erlangen.dynamics import PhaseSpace, poisson_algebra

SPACE_6 = PhaseSpace(("x", "y", "z", "px", "py", "pz"), ("x", "y", "z"), ("px", "py", "pz"))
SPACE_4 = PhaseSpace(("x", "y", "px", "py"), ("x", "y"), ("px", "py"))

L = ["y*pz - z*py", "z*px - x*pz", "x*py - y*px"]
LENZ = [
    "py*(x*py - y*px) - pz*(z*px - x*pz) - x/sqrt(x**2+y**2+z**2)",
    "pz*(y*pz - z*py) - px*(x*py - y*px) - y/sqrt(x**2+y**2+z**2)",
    "px*(z*px - x*pz) - py*(y*pz - z*py) - z/sqrt(x**2+y**2+z**2)",
]
ISOTROPIC = ["x**2 + px**2", "y**2 + py**2", "x*y + px*py", "x*py - y*px"]
ISOTROPIC_3 = [
    *(f"{a}**2 + p{a}**2" for a in "xyz"),
    *(f"{a}*{b} + p{a}*p{b}" for a, b in ("xy", "yz", "xz")),
    *L,
]
QUADRATICS = [f"{a}*{b}" for a, b in combinations_with_replacement(SPACE_4.names, 2)]


def shell(rng: np.random.Generator, energies: list[float], n: int = 120) -> np.ndarray:
    """Points of phase space with p^2/2 - 1/r in a list of energies."""
    q = rng.normal(size=(n, 3))
    q *= (rng.uniform(0.3, 1.2, n) / np.linalg.norm(q, axis=1))[:, None]
    p = rng.normal(size=(n, 3))
    speed = np.sqrt(2 * (np.resize(energies, n) + 1 / np.linalg.norm(q, axis=1)))
    return np.hstack([q, p * (speed / np.linalg.norm(p, axis=1))[:, None]])


def algebra(formulas: list[str], space: PhaseSpace, x: np.ndarray, noise: float = 0.0):
    columns = dict(zip(space.names, x.T, strict=True))
    parsed = [Formula(text, space.names) for text in formulas]
    values = np.stack([f.evaluate(columns) for f in parsed], axis=1)
    gradients = np.stack([f.gradient(columns) for f in parsed], axis=1)
    return poisson_algebra(values, gradients, space.matrix, labels=formulas, noise=noise)


CASES = [
    (L, SPACE_6, None, 3, "so(3)"),
    (L + LENZ, SPACE_6, [-0.5], 6, "so(4)"),
    (L + LENZ, SPACE_6, [0.0], 6, "e(3)"),
    (L + LENZ, SPACE_6, [0.5], 6, "so(3,1)"),
    (ISOTROPIC, SPACE_4, None, 4, "so(3)+R"),
    (ISOTROPIC_3, SPACE_6, None, 9, "u(3)"),
    (QUADRATICS, SPACE_4, None, 10, "so(3,2)"),
    (list(SPACE_4.names), SPACE_4, None, 5, "h(5)"),
    (["px", "py", "pz", *L], SPACE_6, None, 6, "e(3)"),
    (["px", "py", "pz"], SPACE_6, None, 3, "R^3"),
]


@pytest.mark.parametrize(("formulas", "space", "energies", "dim", "name"), CASES)
def test_known_algebras(formulas, space, energies, dim, name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, len(space.names))) if energies is None else shell(rng, energies)
    found = algebra(formulas, space, x)
    assert len(found.labels) == dim
    assert found.defect < 1e-12
    assert found.structure.name == name


def test_quadratics_with_linears_are_the_jacobi_algebra():
    x = np.random.default_rng(1).normal(size=(120, 4))
    found = algebra(QUADRATICS + list(SPACE_4.names), SPACE_4, x)
    assert len(found.labels) == 15 and found.labels[-1] == "1"
    assert found.defect < 1e-12
    assert found.structure.name == "jacobi(2)"


def test_lenz_vector_closes_on_one_energy_only():
    found = algebra(L + LENZ, SPACE_6, shell(np.random.default_rng(0), [-0.6, -0.4, -0.2]))
    assert found.structure is None
    assert 0.05 < found.defect < 0.5
    assert "leave the span" in found.reason


def test_constants_follow_the_functions_as_given():
    x = np.random.default_rng(0).normal(size=(80, 6))
    c = algebra(["1000*y*pz - 1000*z*py", *L[1:]], SPACE_6, x).constants
    # {1000 L1, L2} = 1000 L3, {L2, L3} = L1 = (1000 L1) / 1000
    assert np.isclose(c[0, 1, 2], 1000) and np.isclose(c[1, 2, 0], 1e-3)


def test_the_bracket_of_a_pair_is_one():
    x = np.random.default_rng(0).normal(size=(30, 4))
    found = algebra(["x", "px"], SPACE_4, x)
    assert found.labels == ("x", "px", "1")
    assert np.isclose(found.constants[0, 1, 2], 1.0)
    assert found.structure.name == "h(3)"


def test_dependent_functions_are_dropped():
    x = np.random.default_rng(0).normal(size=(60, 6))
    assert len(algebra([*L, "x*py - y*px + 2*y*pz - 2*z*py"], SPACE_6, x).labels) == 3


@pytest.mark.parametrize("noise", [1e-3, 1e-2])
def test_name_survives_noise_in_coefficients(noise):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(100, 4))
    shaken = [
        f"{text} + {e1:.8f}*x**2 + {e2:.8f}*y*px"
        for text, (e1, e2) in zip(ISOTROPIC, noise * rng.normal(size=(4, 2)), strict=True)
    ]
    found = algebra(shaken, SPACE_4, x, noise=noise)
    assert found.defect < 5 * noise
    assert found.structure.name == "so(3)+R"


@pytest.mark.parametrize("pairs", [(("x",), ()), (("x", "y"), ("px",)), (("x", "x"), ("px", "py")), (("q",), ("px",))])
def test_bad_pairs_are_refused(pairs):
    with pytest.raises(InputError, match="expected"):
        PhaseSpace(SPACE_4.names, *pairs)
