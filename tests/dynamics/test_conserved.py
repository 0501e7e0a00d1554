"""What trajectories conserve: known answers, and the words where there is none."""

from __future__ import annotations

import json
from dataclasses import replace

import known_systems as systems
import numpy as np
import pytest
from known_systems import KEPLER, PAIRS, integrate, kepler, planets

from erlangen._errors import InputError
from erlangen.dynamics import AlongFlow, Increments, conserved
from erlangen.dynamics._change import accumulate, solve
from erlangen.dynamics._evidence import Ground
from erlangen.fields.libraries import Expressions, Polynomial
from erlangen.fields.trajectories import Trajectories
from erlangen.linalg.rank import LargestGap, NoiseFloor, Threshold

PQ = ("x", "y", "px", "py")
ENERGY = "0.5 vx^2 + 0.5 vy^2 + 0.5 vz^2 - 1/sqrt(x^2 + y^2 + z^2)"
MOMENTA = {"x vy - y vx", "x vz - z vx", "y vz - z vy"}
CIRCLES = Polynomial(degree=2)


@pytest.fixture(scope="module")
def solar():
    return conserved(planets(), KEPLER, **PAIRS)


def test_planets_conserve_energy_and_angular_momentum(solar):
    assert solar.n_laws == solar.linear_dim == 4
    assert solar.decided and not solar.undecided
    assert {law.text for law in solar.laws} == {ENERGY, *MOMENTA}
    assert all(law.verdict == "conserved: constant along each run, different between runs" for law in solar.laws)
    assert solar.algebra.name == "so(3)+R"


def test_planets_energy_coefficients_are_measured(solar):
    energy = next(law for law in solar.laws if law.text == ENERGY)
    names = energy.features.texts
    inverse = energy.coefficients[names.index("1/sqrt(x^2 + y^2 + z^2)")]
    for square in ("vx^2", "vy^2", "vz^2"):
        k = names.index(square)
        assert abs(-energy.coefficients[k] / inverse - 0.5) < 0.005
        assert 0 < energy.errors[k] < 0.005


def test_planets_symmetries_are_rotations_and_the_flow(solar):
    texts = {g.law.text: g.text for g in solar.generators}
    assert texts["x vy - y vx"] == "x d/dy - y d/dx + vx d/dvy - vy d/dvx"
    assert texts[ENERGY] == "the flow itself: translation in time"


def test_one_planet_decides_nothing_and_says_so():
    found = conserved(planets().select("mercury"), KEPLER, **PAIRS)
    assert not found.decided and found.algebra is None
    assert "not decided" in found.verdict
    assert any("1 run:" in words for words in found.undecided)
    assert any("any closed orbit has so many" in words for words in found.undecided)
    assert all("no other run" in law.verdict for law in found.laws)


def test_near_circular_planets_leave_energy_open():
    found = conserved(planets().select(["venus", "earth", "jupiter", "neptune"]), KEPLER, **PAIRS)
    assert not found.decided and found.algebra is None
    assert any("constant separately" in words and "1/sqrt" in words for words in found.undecided)
    assert any("do not decide" in words for words in found.undecided)


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-3])
@pytest.mark.parametrize("change", [None, Increments()])
def test_kepler_orbits(noise, change):
    found = conserved(kepler(8, noise), KEPLER, change=change, **PAIRS)
    assert found.decided and found.n_laws == 4
    assert found.algebra.name == "so(3)+R"
    assert {law.text for law in found.laws} >= MOMENTA
    energy = next(law for law in found.laws if law.text not in MOMENTA)
    scale = np.abs(energy.coefficients[energy.coefficients != 0])
    assert np.allclose(np.sort(scale), [0.5, 0.5, 0.5, 1.0], atol=0.005)


def test_known_velocities_give_defects_at_rounding():
    found = conserved(kepler(8, known=True, n=25), KEPLER)
    assert found.n_laws == 4 and found.reason.startswith("derivative along the flow")
    assert max(law.defect for law in found.laws) < 1e-14


def test_coarse_samples_do_as_well_by_increments():
    found = conserved(kepler(8, n=16), KEPLER)
    assert found.n_laws == 4 and found.reason.startswith("increments")
    assert max(law.defect for law in found.laws) < 1e-13


def test_one_planar_orbit_has_directions_without_coverage():
    found = conserved(kepler(1), KEPLER)
    assert not found.decided
    words = next(words for words in found.notes if "no coverage: 13 of 28" in words)
    assert "vx + 0.1638 vy + 0.725 vz; " in words and words.endswith("and 1 more")


def test_orbits_of_one_plane_cover_one_angular_momentum():
    flow = kepler(8, tilt=0.0)
    found = conserved(flow, KEPLER)
    assert {law.text for law in found.laws} == {"x vy - y vx", ENERGY.replace(" + 0.5 vz^2", "")}
    assert found.decided and {law.text for law in found.relations} == {"z", "vz"}
    assert any("z, vz never change" in words for words in found.notes)


def test_circular_orbits_do_not_tell_energy_from_distance():
    found = conserved(kepler(6, 1e-4, eccentricity=(0, 0.005), tilt=0.05), KEPLER)
    assert not found.decided
    assert any("do not decide" in words for words in found.undecided)


def test_isotropic_oscillator():
    starts = np.random.default_rng(0).normal(size=(8, 4))
    found = conserved(
        integrate(systems.oscillator, starts, 20, 200, PQ),
        CIRCLES,
        positions=PQ[:2],
        momenta=PQ[2:],
    )
    assert {law.text for law in found.laws} == {"x^2 + px^2", "y^2 + py^2", "x y + px py", "x py - y px"}
    assert found.linear_dim == 4 and found.n_laws == 3  # E1 E2 = (C^2 + L^2) / 4 relates them
    assert found.algebra.name == "so(3)+R"


def test_pendulum_and_a_power_of_its_energy():
    flow = integrate(systems.pendulum, [[0.3, 0], [1, 0.2], [2, 0], [0, 1.5]], 20, 200, ("q", "w"))
    library = Polynomial(degree=4) + Expressions("cos(q)", "cos(q)**2", "w**2*cos(q)")
    found = conserved(flow, library)
    assert [law.text for law in found.laws] == ["0.5 w^2 - cos(q)"]
    assert [law.text for law in found.dependent] == ["0.25 w^4 + cos(q)^2 - w^2*cos(q)"]
    assert found.n_laws == 1 and found.linear_dim == 2


def test_one_chaotic_run_decides():
    flow = integrate(systems.henon_heiles, [[0, -0.1, 0.5, 0.1]], 300, 1500, PQ)
    found = conserved(flow, Polynomial(degree=3))
    assert found.decided and found.n_laws == 1
    assert found.laws[0].text == "0.5 x^2 + 0.5 y^2 + 0.5 px^2 + 0.5 py^2 + x^2 y - 1/3 y^3"
    assert found.laws[0].variance_ratio is None
    assert any("speaks for laws" in words for words in found.undecided)


def test_logarithms():
    flow = integrate(systems.lotka_volterra, [[0.5, 1], [0.3, 1], [1, 2], [1, 1.5]], 15, 200, ("u", "v"))
    found = conserved(flow, CIRCLES + Expressions("log(u)", "log(v)"))
    assert [law.text for law in found.laws] == ["u + v - log(u) - log(v)"]


@pytest.mark.parametrize("known", [True, False])
def test_dissipation_leaves_nothing(known):
    flow = integrate(systems.damped(0.1), [[1, 0], [0.5, 1], [2, 0]], 30, 200, ("q", "p"), known)
    found = conserved(flow, Polynomial(degree=3))
    assert found.n_laws == 0 and not found.laws
    assert "No function of the library is conserved" in str(found)
    assert "above delta" in found.reason


def test_slow_decay_is_not_conservation():
    flow = integrate(systems.damped(0.01), [[1, 0], [0.5, 1], [2, 0], [0, 1.5]], 60, 400, ("q", "p"), known=True)
    found = conserved(flow, CIRCLES)
    assert not found.laws
    assert [law.text for law in found.drifting] == ["q^2 + p^2"]
    assert found.drifting[0].defect < 0.05 and "drifts" in found.drifting[0].verdict


def test_strange_attractor_conserves_nothing():
    found = conserved(integrate(systems.lorenz, [[1, 1, 1.0], [2, -3, 20]], 20, 2000, ("x", "y", "z")), CIRCLES)
    assert not found.laws


def test_the_same_value_in_every_run_is_a_relation():
    t = np.linspace(0, 6, 60)
    runs = [np.c_[np.cos(w * t), np.sin(w * t)] for w in (1, 2, 3, 4)]
    found = conserved(Trajectories.from_arrays(runs, t, ("x", "y")), CIRCLES)
    assert found.n_laws == 0
    assert [law.text for law in found.relations] == ["x^2 + y^2"]
    assert "relation" in found.relations[0].verdict


@pytest.mark.parametrize("units", [None, [STATES for STATES in (PAIRS["positions"], PAIRS["momenta"])]])
def test_units_do_not_matter(units):
    flow = kepler(7, 1e-4)
    scale = np.array([1000.0] * 3 + [1.0] * 3)
    other = Trajectories(tuple(replace(run, states=run.states * scale) for run in flow.runs), flow.names)
    one, two = (conserved(f, KEPLER, units=units, change=Increments()).spectrum for f in (flow, other))
    assert np.allclose(one, two, rtol=1e-6)


def test_defects_do_not_depend_on_axes():
    flow = kepler(7, 1e-4)
    q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)) + 2 * np.eye(6))
    turned = Trajectories(tuple(replace(run, states=run.states @ q) for run in flow.runs), flow.names)
    blocks = [(j,) for j in range(6)]
    one, two = (solve(accumulate(f, CIRCLES.bind(f.names), Increments(), blocks)).values for f in (flow, turned))
    assert np.allclose(one, two, rtol=1e-6)


def test_forms_against_plain_sums():
    flow = kepler(2, known=True, n=12)
    features = CIRCLES.bind(flow.names)
    c = np.random.default_rng(0).normal(size=features.size)
    forms = accumulate(flow, features, AlongFlow(), [(0, 1, 2), (3, 4, 5)])
    change, size = [], []
    for run in flow.runs:
        g = np.einsum("nqd,q->nd", features.basis.gradients(run.states), c)
        change.append(np.mean(np.sum(g * run.derivatives, axis=1) ** 2))
        size.append(np.mean((g @ run.derivatives.T) ** 2))  # all pairs of samples
    assert np.isclose(np.linalg.norm(forms.change @ c) ** 2, np.mean(change))
    assert np.isclose(np.linalg.norm(forms.scale @ c) ** 2, np.mean(size))


def test_increments_are_differences_of_all_pairs():
    flow = kepler(1, n=15)
    features = CIRCLES.bind(flow.names)
    c = np.random.default_rng(0).normal(size=features.size)
    forms = accumulate(flow, features, Increments(), [(j,) for j in range(6)])
    h = features.basis.evaluate(flow.points) @ c
    pairs = (h[:, None] - h) ** 2 / 2
    assert np.isclose(np.linalg.norm(forms.change @ c) ** 2, pairs.sum() / (15 * 14))


@pytest.mark.parametrize("noise", [1e-2, 1e-4])
def test_noise_is_estimated_from_differences(noise):
    t = np.linspace(0, 20, 2000)
    x = np.c_[np.cos(t), np.sin(t)] + noise * np.random.default_rng(0).normal(size=(2000, 2))
    run = Trajectories.from_arrays(x, t).runs[0]
    assert np.allclose(Increments().noise(run), noise, rtol=0.1)


def test_points_off_the_runs_obey_no_law_of_the_runs():
    t = np.linspace(0, 6, 60)
    flow = Trajectories.from_arrays(np.c_[np.cos(t), np.sin(t)], t, ("x", "y"))
    features = CIRCLES.bind(flow.names)
    x = Ground(flow, features, ((0, 1),), 0.05).mixed_points()
    assert np.std(np.sum(x**2, axis=1)) > 0.3


def test_path_and_delta():
    flow = kepler(8, 1e-4)
    found = conserved(flow, KEPLER)
    assert any(count == 4 and delta < 1e-3 for delta, count in found.path)
    assert conserved(flow, KEPLER, rule=Threshold(1e-6)).n_laws == 0


@pytest.mark.parametrize("rule", [LargestGap(), NoiseFloor()])
def test_other_rules(rule):
    found = conserved(kepler(8, 1e-4), KEPLER, rule=rule)
    assert found.decided and found.n_laws == 4


def test_too_few_samples_are_refused():
    states = np.random.default_rng(0).normal(size=(5, 2, 2))
    with pytest.raises(InputError, match="10 samples in 5 runs"):
        conserved(Trajectories.from_arrays(states, np.arange(2.0), ("a", "b")), CIRCLES)


def test_nothing_moves():
    found = conserved(Trajectories.from_arrays(np.ones((20, 2)), np.arange(20.0), ("a", "b")), CIRCLES)
    assert not found.laws
    assert any("a, b never change" in words for words in found.notes)


def test_answers_are_plain_and_safe():
    t = np.linspace(0, 9, 80)
    runs = [np.c_[a * np.cos(t), -a * np.sin(t)] for a in (1.0, 2.0, 3.0)]
    found = conserved(Trajectories.from_arrays(runs, t, ["<b>", "p"]), CIRCLES)
    assert found.n_laws == 1
    page = found._repr_html_()
    assert "<b>" not in page and "&lt;b&gt;" in page
    back = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert back["n_laws"] == 1 and back["laws"][0]["terms"][0]["coefficient"] == pytest.approx(1.0)
    assert "constant along runs" in str(found) and repr(found).startswith("ConservedQuantities(1 conserved")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positions": ("x", "q"), "momenta": ("vx", "vy")}, "no column 'q'"),
        ({"positions": ("x",)}, "pairs"),
        ({"units": [("x", "yy")]}, "units"),
        ({"units": [("x", "x")]}, "units"),
    ],
)
def test_bad_columns_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        conserved(kepler(2), CIRCLES, **options)


@pytest.mark.parametrize("text", ["1/(x-x)", "1/sqrt(a)", "__import__('os')"])
def test_bad_formulas_are_refused(text):
    with pytest.raises(InputError):
        conserved(kepler(2), Expressions(text))


def test_a_slow_loss_of_energy_is_told():
    """x'' = -x - .02 x' over ten units of time: within delta, but falling in every run."""
    t = np.linspace(0, 10, 400)
    root = np.sqrt(1 - 0.01**2)
    runs = []
    for a in (0.5, 1.0, 1.5, 2.0, 3.0):
        x = a * np.exp(-0.01 * t) * np.cos(root * t)
        runs.append(np.c_[x, np.gradient(x, t, edge_order=2)])
    found = conserved(Trajectories.from_arrays(runs, t, names=["x", "v"]), Polynomial(degree=2))
    said = " ".join(law.verdict for law in (*found.laws, *found.drifting))
    assert "falls in every run" in said or "drifts" in said


def test_a_library_of_a_wrong_type_is_explained_and_none_means_quadratic():
    t = np.linspace(0, 9, 200)
    runs = [np.c_[a * np.cos(t + b), -a * np.sin(t + b)] for a, b in ((1, 0), (2, 1), (3, 2), (4, 4))]
    flow = Trajectories.from_arrays(runs, t, names=["q", "p"])
    assert conserved(flow).laws[0].text == "q^2 + p^2"
    with pytest.raises(InputError, match="Expressions"):
        conserved(flow, ["q**2"])
