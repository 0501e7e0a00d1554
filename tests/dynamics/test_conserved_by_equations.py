"""Conserved quantities of given equations, and Noether's theorem for Lagrangians and Hamiltonians."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import erlangen as er
from erlangen._errors import InputError
from erlangen._formula import Formula
from erlangen.dynamics import Equations, conserved, noether, symmetries
from erlangen.fields import Expressions, Polynomial
from erlangen.linalg.rank import Threshold

LORENZ = {"x": "10*(y - x)", "y": "x*(28 - z) - y", "z": "x*y - 8*z/3"}
FREE = {"lagrangian": "v**2/2", "positions": ["x"], "velocities": ["v"]}
KEPLER = {"lagrangian": "(vx**2+vy**2)/2 + 1/sqrt(x**2+y**2)", "positions": ["x", "y"], "velocities": ["vx", "vy"]}


@pytest.mark.parametrize(
    ("system", "degree", "count", "exact"),
    [
        ({"q": "p", "p": "-q**3"}, 4, 1, 1),
        ({"x": "y", "y": "-x", "z": "0"}, 2, 2, 3),  # x^2 + y^2, z, and z^2 beside
        ("rigid_body", 2, 2, 2),
        ("henon_heiles", 3, 1, 1),
        (LORENZ, 4, 0, 0),
        ("rossler", 3, 0, 0),
    ],
)
def test_laws_of_polynomial_equations(system, degree, count, exact):
    found = conserved(er.systems.get(system) if isinstance(system, str) else system, Polynomial(degree=degree))
    assert found.decided and found.n_laws == count
    assert f"{exact or 'no'} combination" in found.notes[0]
    assert count or found.verdict == "No function of the library is conserved."


def test_laws_have_no_derivative_along_the_field():
    rigid = er.systems.get("rigid_body")
    x = np.random.default_rng(0).normal(size=(50, 3))
    velocity = Equations.from_text(dict(rigid.equations())).value(x)
    for law in conserved(rigid).laws:
        assert np.abs(np.sum(law.gradient(x) * velocity, axis=1)).max() < 1e-12


def test_kepler_from_its_equations_with_symmetries():
    kepler = er.systems.get("kepler")
    x = kepler.trajectories(rng=0, n_runs=10, t=np.linspace(0, kepler.span, 40), noise=0).points
    library = Polynomial(degree=2) + Expressions("1/sqrt(x**2+y**2)")
    found = conserved(kepler, library, samples=x, positions=("x", "y"), momenta=("vx", "vy"))
    assert found.n_laws == 2 and found.algebra.name == "R^2"
    assert any("translation in time" in g.text for g in found.generators)


def test_near_laws_of_exact_equations_are_no_laws_but_fits_have_a_limit():
    leaky = {"x": "y", "y": "-x - 0.001*y"}
    assert conserved(leaky).n_laws == 0
    assert conserved(leaky, rule=er.Threshold(0.05)).n_laws == 1
    fitted = Equations(
        ("x", "y"), (), ("x", "y"), np.array([[0, 1.0], [-1, -0.001]]), np.array([[0, 0.001], [0.001, 0.001]])
    )
    assert conserved(fitted).n_laws == 1


def test_bad_input_of_equations():
    with pytest.raises(InputError, match="samples are missing"):
        conserved({"x": "sin(y)", "y": "x"})
    with pytest.raises(InputError, match="not finite"):
        conserved({"x": "log(y)", "y": "x"}, samples=er.Samples.box(-1, 1, dim=2, n=64))
    with pytest.raises(InputError, match="depends on the controls"):
        conserved(Equations.from_text({"x": "u"}, controls=["u"]))


# --- Noether


def euler_lagrange_drift(charge, lagrangian: str, positions, velocities) -> float:
    """Largest derivative of a charge along solutions of the Euler-Lagrange equations, by SymPy."""
    names = ("t", *positions, *velocities)
    symbols = {n: sympy.Symbol(n, real=True) for n in names}
    read = lambda f: f.to_sympy().subs({sympy.Symbol(n, real=True): s for n, s in symbols.items()})  # noqa: E731
    big, quantity = read(Formula(lagrangian, names)), read(charge.formula)
    q, v = [symbols[n] for n in positions], [symbols[n] for n in velocities]
    momenta = [sympy.diff(big, w) for w in v]
    mass = sympy.Matrix([[sympy.diff(p, w) for w in v] for p in momenta])
    force = sympy.Matrix(
        [
            sympy.diff(big, a)
            - sympy.diff(p, symbols["t"])
            - sum(sympy.diff(p, b) * w for b, w in zip(q, v, strict=True))
            for a, p in zip(q, momenta, strict=True)
        ]
    )
    pull = mass.LUsolve(force)
    rate = sympy.diff(quantity, symbols["t"]) + sum(sympy.diff(quantity, a) * w for a, w in zip(q, v, strict=True))
    rate += sum(sympy.diff(quantity, w) * a for w, a in zip(v, pull, strict=True))
    x = np.random.default_rng(0).uniform(0.5, 1.5, size=(20, len(names)))
    return float(np.abs(np.broadcast_to(sympy.lambdify(list(symbols.values()), rate, "numpy")(*x.T), 20)).max())


@pytest.mark.parametrize(
    ("system", "symmetry", "text", "gauge"),
    [
        (FREE, ["1", "0"], "-v^2/2", "0"),
        (FREE, ["0", "1"], "v", "0"),
        (FREE, ["0", "t"], "t v - x", "x"),
        (FREE, ["2*t", "x"], "-t v^2 + v x", "0"),
        (FREE, ["t**2", "t*x"], "-t^2 v^2/2 + t v x - x^2/2", "0.5 x^2"),
        (KEPLER, ["0", "-y", "x"], "-vx y + vy x", "0"),
        (KEPLER, ["1", "0", "0"], "-vx^2/2 - vy^2/2 + 1/sqrt(x^2 + y^2)", "0"),
        ({**FREE, "lagrangian": "exp(t)*(v**2 - x**2)/2"}, ["1", "-x/2"], None, "0"),
    ],
)
def test_charges_of_lagrangians(system, symmetry, text, gauge):
    (charge,) = noether(symmetry=symmetry, **system)
    assert charge.exists and charge.gauge == gauge and text in (None, charge.text)
    assert euler_lagrange_drift(charge, system["lagrangian"], system["positions"], system["velocities"]) < 1e-10


def test_of_eight_symmetries_of_the_free_particle_five_are_noether():
    found = symmetries({"x": "v", "v": "0"}, samples=er.Samples.gaussian(dim=2, n=16), order=2)
    charges = noether(symmetry=found, **FREE)
    assert [c.exists for c in charges].count(True) == 5
    for charge in charges:
        assert not charge.exists or euler_lagrange_drift(charge, "v**2/2", ["x"], ["v"]) < 1e-10


def test_combinations_of_generators_share_a_gauge_term():
    both = er.actions.fields([["0", "t + x"], ["0", "x"]], ["t", "x"])
    charges = noether(symmetry=both, **FREE)
    assert [(c.exists, c.text, c.gauge) for c in charges if c.exists] == [(True, "t v - x", "x")]


def test_a_symmetry_of_the_equations_that_conserves_nothing():
    (charge,) = noether(symmetry=["3*t", "2*x", "2*y"], **KEPLER)
    assert not charge.exists and charge.defect > 0.05 and "no total derivative" in charge.reason
    with pytest.raises(InputError, match="Nothing is conserved"):
        charge.value(np.ones((1, 5)))


@pytest.mark.parametrize(
    ("symmetry", "text", "words"),
    [
        (["-y", "x", "-py", "px"], "x py - y px", "vanishes"),
        (["x", "y", "px", "py"], "", "do not preserve the Poisson bracket"),
        (["1", "0", "0", "0"], "", "px generates it, but its bracket with H does not vanish"),
    ],
)
def test_charges_of_hamiltonians(symmetry, text, words):
    h = {"hamiltonian": "(px**2+py**2)/2 - 1/sqrt(x**2+y**2)", "positions": ["x", "y"], "momenta": ["px", "py"]}
    (charge,) = noether(symmetry=symmetry, **h)
    assert charge.text == text and words in charge.reason and charge.exists == bool(text)


def test_noether_starts_from_one_thing():
    with pytest.raises(InputError, match="one thing"):
        noether()  # pyright: ignore[reportCallIssue]
    with pytest.raises(InputError, match="one velocity"):
        noether(lagrangian="v**2", symmetry=["1", "0"], positions=["x"], velocities=[])
    with pytest.raises(InputError, match="does not act"):
        noether(lagrangian="v**2", symmetry=er.actions.rotation(3), positions=["x"], velocities=["v"])


@pytest.mark.parametrize("friction", ["1e-6", "0.000002", "1e-9"])
def test_rational_arithmetic_decides_what_is_zero(friction):
    weak = {"q": "p", "p": f"-q - {friction}*p"}
    found = conserved(weak, Polynomial(degree=2))
    assert not found.laws and "small, not zero" in found.reason
    assert conserved(weak, Polynomial(degree=2), rule=Threshold(1e-5)).n_laws == 1  # a tolerance that was named
    assert conserved({"q": "p", "p": "-q"}, Polynomial(degree=2)).n_laws == 1
