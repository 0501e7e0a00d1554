"""What pages of symmetries claim, against the mathematics: whatever the units, the place and the kind of the data."""

from __future__ import annotations

import numpy as np
import pytest

import erlangen as er
from erlangen.algebra import known
from erlangen.reports import _flow
from erlangen.reports._flow import flow_card, flow_data
from erlangen.reports._implied import follows, meaning_card
from erlangen.reports._meaning import meaning
from erlangen.reports._moves import move_of
from erlangen.reports._units import Units, units_of

NAMES = ("x", "y", "z", "w")


def found(function, low, high, candidates=None):
    low = np.atleast_1d(low).astype(float)
    return er.discover(function, candidates or er.actions.affine(len(low)), er.Samples.box(low, high))


def words(sym):
    units = units_of(sym)
    return [move_of(sym.candidates.restrict(xi[:, None]), sym.coordinates, units).words for xi in sym.generators]


# --- Noether's theorem

POTENTIALS = {
    "central": (lambda x: np.exp(-(x**2).sum(axis=1)), 3, 3),
    "plane": (lambda x: x[:, 0] ** 4 + x[:, 0] * x[:, 2], 3, 1),
    "unequal": (lambda x: x[:, 0] ** 2 + x[:, 1] ** 2 + 3 * x[:, 2] ** 2, 3, 1),
    "saddle": (lambda x: x[:, 0] ** 2 - x[:, 1] ** 2, 2, 0),
    "sheared": (lambda x: (x[:, 0] + 2 * x[:, 1]) ** 2, 2, 1),
}


@pytest.mark.parametrize(("potential", "d", "count"), POTENTIALS.values(), ids=list(POTENTIALS))
def test_what_a_potential_is_said_to_conserve_does_not_change(potential, d, count):
    """d/dt (v.X(x)) = -grad V.X + v.DX v along the motion; X of what is said to conserve makes both zero."""
    sym = found(potential, [-1] * d, [1] * d)
    assert isinstance(sym.candidates, er.actions.PolynomialAction)
    x, v = np.random.default_rng(0).normal(size=(2, 40, d))
    h, units = 1e-5, units_of(sym)
    slope = np.stack([(potential(x + h * e) - potential(x - h * e)) / (2 * h) for e in np.eye(d)], axis=1)
    claims = 0
    for xi in sym.generators:
        one = sym.candidates.restrict(xi[:, None])
        told = move_of(one, sym.coordinates, units).conserves
        a = one.on_points(x + v)[:, 0] - one.on_points(x)[:, 0]  # DX v, as X is affine
        change = np.abs((one.on_points(x)[:, 0] * slope).sum(axis=1)).max(), np.abs((v * a).sum(axis=1)).max()
        assert change[0] < 1e-6 and (change[1] < 1e-9) == bool(told)
        claims += bool(told)
    assert claims == count


def test_nothing_is_promised_of_a_hamiltonian():
    energy = "x**2 + y**2 + 3*px**2 + py**4"
    sym = found(lambda z: z[:, 0] ** 2 + z[:, 1] ** 2 + 3 * z[:, 2] ** 2 + z[:, 3] ** 4, [-1] * 4, [1] * 4)
    charges = er.dynamics.noether(
        hamiltonian=energy, symmetry=["-y", "x", "0", "0"], positions=["x", "y"], momenta=["px", "py"]
    )
    assert not charges[0].exists
    told = " ".join(follows(sym))
    claim, _, rest = told.partition("potential over positions")
    assert "gives" not in claim and "Hamiltonian" in rest and "canonical" in rest and "noether" in rest


# --- kinds, in units of the data

ROTATION, BOOST, SHEAR = "rotation of x, y", "boost of x, y", "shear of x, y"
KINDS = {
    "millimetres": ([["-y", "1000000*x"]], [1.0, 1000.0], 1e-8, ROTATION),
    "noisy ellipse": ([["-y", "0.0004*x"]], [50.0, 1.0], 0.05, ROTATION),
    "light": ([["90000*y", "x"]], [300.0, 1.0], 1e-8, BOOST),
    "flat ellipse": ([["-20.25*y", "x"]], [1.0, 1.0], 1e-8, ROTATION),
    "flatter": ([["-1000000*y", "x"]], [1.0, 1.0], 1e-8, ROTATION),
    "slanted shear": ([["x - y", "x - y"]], [1.0, 1.0], 1e-8, SHEAR),
    "noisy shear": ([["1.01*x - y", "x - y"]], [1.0, 1.0], 0.02, SHEAR),
    "shear in millimetres": ([["1000*x - y", "1000000*x - 1000*y"]], [1.0, 1000.0], 1e-8, SHEAR),
}


@pytest.mark.parametrize(("field", "scale", "error", "told"), KINDS.values(), ids=list(KINDS))
def test_kinds_do_not_hang_on_units(field, scale, error, told):
    one = er.actions.fields(field, ["x", "y"])
    assert move_of(one, NAMES[:2], Units(np.zeros(2), np.array(scale), error)).words == told


def test_many_coordinates_have_kinds_too():
    a = np.zeros((6, 6))
    a[0, 3], a[3, 0] = -(4.5**2), 1.0
    assert move_of(er.actions.linear(a[None]), [*"abcdef"]).words == "rotation of a, d"
    nilpotent = np.triu(np.ones((6, 6)), 1)
    assert move_of(er.actions.linear(nilpotent[None]), [*"abcdef"]).kind == "shear"
    turning = np.kron(np.eye(2), [[0, -1.0], [1, 0]])
    turning[:2, 2:] = np.eye(2)  # eigenvalues of a rotation, and orbits that leave every bound
    assert move_of(er.actions.linear(turning[None]), NAMES).kind == "rotation and shear"
    rates = np.kron(np.diag([1.0, 3.0]), [[0, -1.0], [1, 0]])
    assert move_of(er.actions.linear(rates[None]), NAMES).words == "rotation of x, y, z, w"


def test_symmetries_in_unequal_units_and_far_away_are_told():
    assert words(found(lambda x: x[:, 0] ** 2 + (x[:, 1] / 1000) ** 2, [-1, -1000], [1, 1000])) == ["rotation of x, y"]
    for c in (1e3, 1e6):
        sym = found(lambda x, c=c: ((x - c) ** 2).sum(axis=1), [c - 1] * 2, [c + 1] * 2)
        assert words(sym) == ["rotation of x, y about another point than the origin"]
        assert "gives angular momentum" in " ".join(follows(sym)) and "momentum along" not in " ".join(follows(sym))
        low, high = sym.intervals[0]
        assert low == 0 < high < 1e-6  # an exact symmetry: what is measured is rounding


# --- how many numbers are left


def test_orbits_are_counted_where_the_data_are():
    x = np.random.default_rng(0).normal(size=(300, 2))
    flat = np.c_[x, x.sum(axis=1)]
    sym = er.discover(lambda x: x[:, 0] ** 2 + x[:, 1] ** 2, er.actions.affine(3), flat)
    told = " ".join(follows(sym))
    assert "The samples fill 2 of the 3 dimensions" in told and "1 number instead of 2" in told
    assert "instead of 3" not in told and "gives" not in told


def test_generators_that_are_only_near_do_not_make_a_field_constant():
    """Up to the tolerance, what moves the last four coordinates is one, as the field hardly depends on them."""

    def field(x):
        small = np.sin(x[:, 2]) * x[:, 3] + x[:, 4] ** 4 * x[:, 5]
        return x[:, 0] ** 2 + 20.25 * x[:, 1] ** 2 + small

    sym = found(field, [-1] * 6, [1] * 6, er.actions.gl(6))
    assert sym.defects.max() > 1e-3 and words(sym)[0] == "rotation of x1, x2"
    told = " ".join(follows(sym))
    assert "field is constant" not in told and ("a smaller delta tells which" in told or "instead of 6" in told)


# --- what can be chosen


def test_generators_that_cannot_be_chosen_are_counted(monkeypatch):
    ball = found(lambda x: (x**2).sum(axis=1), [-1] * 8, [1] * 8, er.actions.rotation(8))
    data = flow_data(ball)
    assert data is not None and len(data["generators"]) == 28 and "can be chosen" not in flow_card(data)
    monkeypatch.setattr(_flow, "MOST_GENERATORS", 5)
    few = flow_data(ball)
    assert few is not None and "The first 5 of 28 generators can be chosen" in flow_card(few)


# --- names


def test_what_stays_is_told_only_where_it_does():
    curved = found(lambda x: x[:, 0] ** 2 + x[:, 1] ** 2 + x[:, 2], [-1] * 3, [1] * 3)
    assert curved.name == "e(2)" and words(curved)[1:] == ["shear of z, and a translation"] * 2
    card = meaning_card(curved)
    assert "The same algebra as that of rigid motions of 2-dimensional space" in card and "Distances" not in card
    ball = found(lambda x: (x**2).sum(axis=1), [-1] * 3, [1] * 3)
    assert "Lengths and angles stay" in meaning_card(ball) and "same algebra as that of" not in meaning_card(ball)
    egg = found(lambda x: x[:, 0] ** 2 + x[:, 1] ** 2 + 3 * x[:, 2] ** 2, [-1] * 3, [1] * 3)
    assert "Lengths" not in meaning_card(egg) and "it preserves the form diag(1,1,3)" in meaning_card(egg)
    tall = found(lambda x: np.exp(x[:, 2]), [-1] * 3, [1] * 3, er.actions.euclidean(3))
    assert tall.name == "e(2)" and "Distances stay" in meaning_card(tall)


def test_forms_are_told_in_grammatical_sentences():
    form = np.array([[0, 0, 1.0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]])
    sym = found(lambda x: np.einsum("na,ab,nb->n", x, form, x), [-1] * 4, [1] * 4, er.actions.gl(4))
    assert "it preserves a form of signature (2,2) up to scale" in meaning_card(sym)


def test_the_types_of_bianchi_are_told_in_words():
    dilation = np.concatenate([known.lin(np.eye(2)[None]), known.translations(2)])
    structure = er.LieAlgebra.from_matrices(dilation).identify()
    assert structure.name == "V" and "scaling" in meaning("V")
    assert "V: Translations of a plane" in meaning("sl(2,R)+V")
    for name in ("IV", "VI_h, h = -0.5", "VII_h, h = 0.25"):
        assert "plane" in meaning(name)
