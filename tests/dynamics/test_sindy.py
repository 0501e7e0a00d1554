"""Equations of motion from data: known systems, symmetry enforced and promoted, simulation, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from sklearn.base import clone

import erlangen as er
from erlangen import InputError, UndecidedError
from erlangen.dynamics import SINDy
from erlangen.dynamics._slopes import slopes_of
from erlangen.dynamics._sparse import _backward, _compressed, cross_validated

HOPF = {
    (0, (1, 0)): 1.0, (0, (0, 1)): -2.0, (0, (3, 0)): -1.0, (0, (1, 2)): -1.0,
    (1, (1, 0)): 2.0, (1, (0, 1)): 1.0, (1, (2, 1)): -1.0, (1, (0, 3)): -1.0,
}  # fmt: skip
PREY = {(0, (1, 0)): 1.0, (0, (1, 1)): -1.0, (1, (0, 1)): -1.5, (1, (1, 1)): 0.75}


def truth(equations: dict, d: int, degree: int) -> np.ndarray:
    table = er.fields.Polynomial(degree=degree, dim=d).as_vector_field().table.tolist()
    out = np.zeros((d, len(table)))
    for (a, powers), value in equations.items():
        out[a, table.index(list(powers))] = value
    return out


def runs(equations: dict, starts, t: np.ndarray, noise: float = 0.0, rng: int = 0) -> list[np.ndarray]:
    family = er.fields.Polynomial(degree=3, dim=2).as_vector_field()
    field, draw = family.with_theta(truth(equations, 2, 3).ravel()), np.random.default_rng(rng)
    out = [
        solve_ivp(lambda _, z: field.value(z[None])[0], t[[0, -1]], start, t_eval=t, rtol=1e-10, atol=1e-12).y.T
        for start in starts
    ]
    return [run + noise * draw.normal(size=run.shape) for run in out]


def error(model: SINDy, equations: dict) -> float:
    expected = truth(equations, 2, 3)
    return float(np.linalg.norm(model.coefficients_ - expected) / np.linalg.norm(expected))


T = np.linspace(0, 4, 41)
FINE = np.linspace(0, 4, 101)
TWO = [(0.3, 0.1), (-0.2, 1.3)]


@pytest.mark.parametrize("equations", [HOPF, PREY], ids=["Hopf", "predators and prey"])
def test_finds_equations_without_noise(equations):
    starts = [(0.5, 0.4), (1.5, 0.3), (0.6, 1.4)]
    model = SINDy(degree=3).fit(runs(equations, starts, FINE), FINE)
    np.testing.assert_array_equal(model.coefficients_ != 0, truth(equations, 2, 3) != 0)
    assert error(model, equations) < 1e-4
    assert model.broken_rank_ is None and model.symmetry_ is None


def test_prints_and_simulates_what_it_found():
    model = SINDy(degree=2).fit(runs(PREY, [(0.5, 0.4), (1.5, 0.3)], FINE), FINE, names=["prey", "hunters"])
    assert model.equations(digits=3) == "prey' = prey - prey hunters\nhunters' = -1.5 hunters + 0.75 prey hunters"
    new = runs(PREY, [(1.0, 1.0)], FINE)[0]
    np.testing.assert_allclose(model.simulate(new[0], FINE), new, atol=1e-3)
    x = np.array([[2.0, 1.0]])
    np.testing.assert_allclose(model.predict(x), [[0.0, 0.0]], atol=1e-4)


def test_a_library_of_formulas():
    t = np.linspace(0, 10, 201)
    x = solve_ivp(lambda _, z: [z[1], -np.sin(z[0])], (0, 10), [2.0, 0.0], t_eval=t, rtol=1e-10, atol=1e-12).y.T
    library = er.fields.Polynomial(degree=2) + er.fields.Expressions("sin(a)", "cos(a)")
    model = SINDy(library).fit(x, t, names=["a", "v"])
    assert model.equations(digits=3) == "a' = v\nv' = -sin(a)"


def test_a_symmetry_is_enforced_exactly():
    data = runs(HOPF, TWO, T, noise=0.03)
    model = SINDy(symmetry=er.actions.rotation(2)).fit(data, T)
    assert model.dim_ == 4
    lie = er.LieDerivative(model.field_, er.actions.rotation(2), er.Samples.box(-1, 1, dim=2))
    assert np.abs(lie.in_xi()).max() < 1e-13
    other = SINDy(symmetry=er.groups.SO(2)).fit(data, T)
    np.testing.assert_allclose(other.coefficients_, model.coefficients_, atol=1e-12)


def test_nothing_but_zero_may_be_symmetric():
    """Fields that commute with all translations and all linear maps vanish."""
    model = SINDy(symmetry=er.actions.affine(2)).fit(runs(HOPF, TWO, T), T)
    assert not model.coefficients_.any() and "but zero" in model.reason_
    assert model.equations() == "x1' = 0\nx2' = 0"


def differentiated(data: list[np.ndarray]) -> er.fields.Trajectories:
    """The runs with the derivatives that a fit would take, once for all fits."""
    found = [slopes_of(er.fields.Trajectories.from_arrays(run, T), "auto", None) for run in data]
    clocks = [np.arange(len(one.points)) for one in found]
    return er.fields.Trajectories.from_arrays(
        [one.points for one in found], clocks, derivatives=[one.slopes for one in found]
    )


@pytest.fixture(scope="module")
def hopf_errors():
    """Ten draws of noise, 82 samples: errors promoted and plain, broken ranks and names."""
    mine, plain, sparse, ranks, names = [], [], [], [], []
    for seed in range(10):
        flow = differentiated(runs(HOPF, TWO, T, noise=0.01, rng=seed))
        model = SINDy(promote=er.actions.gl(2)).fit(flow)
        mine.append(error(model, HOPF))
        plain.append(error(SINDy(sparsity=None).fit(flow), HOPF))
        sparse.append(error(SINDy().fit(flow), HOPF))
        ranks.append(model.broken_rank_)
        names.append(model.symmetry_.name if model.symmetry_ is not None else "")
    return mine, plain, sparse, ranks, names


def test_promotion_finds_the_rotation_among_all_linear_maps(hopf_errors):
    _, _, _, ranks, names = hopf_errors
    assert ranks.count(3) >= 8
    assert names.count("so(2)") >= 8


def test_promotion_pays(hopf_errors):
    """Coefficients are nearer the truth than those of least squares, and of thresholding, over ten draws."""
    mine, plain, sparse, _, _ = hopf_errors
    assert np.median(mine) < 0.5 * np.median(plain)
    assert np.median(mine) < 0.8 * np.median(sparse)


def test_a_system_without_symmetry_loses_nothing():
    starts = [(0.5, 0.4), (1.5, 0.3), (0.6, 1.4)]
    data = [run * [1.0, 3000.0] for run in runs(PREY, starts, T, noise=0.005)]  # the two are counted in different units
    promoted, plain = (SINDy(degree=2, promote=a).fit(data, T) for a in (er.actions.gl(2), None))
    assert promoted.broken_rank_ == 4 and promoted.symmetry_ is None
    np.testing.assert_allclose(promoted.coefficients_, plain.coefficients_, atol=1e-12)


def test_a_promoted_symmetry_is_evidence():
    """What survived is named, tested, and accepted by the verbs; and the model is a field like any other."""
    x = np.random.default_rng(0).normal(size=(30, 3))
    x_dot = x * (1 - (x**2).sum(axis=1, keepdims=True))
    model = SINDy(promote=er.actions.rotation(3)).fit(x, x_dot=x_dot)
    assert (model.broken_rank_, model.symmetry_.name, model.dim_) == (0, "so(3)", 2)
    assert er.discover(model, er.actions.rotation(3), er.Samples.gaussian(dim=3)).dim == 3
    assert er.enforce(er.fields.Polynomial(degree=3, dim=3).as_vector_field(), model.symmetry_).dim == 2


def test_a_force_of_formulas_with_a_promoted_symmetry():
    """Kepler's law, from noisy derivatives: forces among formulas, rotations among the linear maps of the plane."""
    rng = np.random.default_rng(2)
    x = rng.uniform(0.5, 1.5, (60, 4)) * rng.choice([-1, 1], (60, 4))
    x_dot = np.hstack([x[:, 2:], -x[:, :2] / np.linalg.norm(x[:, :2], axis=1, keepdims=True) ** 3])
    force = er.fields.Expressions("x/sqrt(x**2+y**2)**3", "y/sqrt(x**2+y**2)**3", "x/(x**2+y**2)", "y/(x**2+y**2)")
    planes = er.actions.gl(2).tied([(0, 1), (2, 3)])
    model = SINDy(er.fields.Polynomial(degree=1) + force, promote=planes)
    model.fit(x, x_dot=x_dot + 0.003 * rng.normal(size=x.shape), names=["x", "y", "u", "v"])
    assert (model.broken_rank_, model.symmetry_.name) == (3, "so(2)")
    assert model.equations(digits=2).splitlines()[2] == "u' = -x/sqrt(x^2 + y^2)^3"


def test_units_do_not_matter():
    """Metres and millimetres, of one coordinate alone, give the same terms."""
    data, units = runs(HOPF, TWO, T, noise=0.01), np.array([1.0, 1000.0])
    small, large = SINDy().fit(data, T), SINDy().fit([run * units for run in data], T)
    powers = er.fields.Polynomial(degree=3, dim=2).as_vector_field().table
    back = large.coefficients_ / units[:, None] * np.prod(units**powers, axis=1)
    np.testing.assert_allclose(back, small.coefficients_, rtol=1e-6, atol=1e-9)


def test_a_share_of_the_values_as_threshold():
    data = runs(HOPF, TWO, FINE)
    some = SINDy(sparsity=0.05).fit(data, FINE)
    assert error(some, HOPF) < 1e-4 and np.count_nonzero(some.coefficients_) == 8
    everything = SINDy(sparsity=None).fit(data, FINE)
    assert np.count_nonzero(everything.coefficients_) == 20


def test_held_out_data_choose_the_number_of_terms():
    """Functions that make each other up, and pure noise: neither is kept."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200, 8))
    a[:, 5] = a[:, 0] + a[:, 1]
    y = 2 * a[:, 2] - a[:, 3] + 0.1 * rng.normal(size=200)
    parts = np.array_split(np.arange(200), 5)
    folds = [(np.setdiff1d(np.arange(200), part), part) for part in parts]
    found = cross_validated(a, y, 1, folds)
    np.testing.assert_array_equal(np.flatnonzero(found.z), [2, 3])
    np.testing.assert_allclose(found.z[[2, 3]], [2, -1], atol=0.05)
    exact = 2 * a[:, 2] - a[:, 3]
    np.testing.assert_allclose(a @ _backward(*_compressed(a, exact))[2], exact, atol=1e-10)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_derivatives_with_and_without_noise(noise):
    data = runs(HOPF, TWO, FINE, noise)
    flow = er.fields.Trajectories.from_arrays(data, FINE)
    found = slopes_of(flow, "auto", None)
    field = er.fields.Polynomial(degree=3, dim=2).as_vector_field().with_theta(truth(HOPF, 2, 3).ravel())
    clean = np.concatenate(runs(HOPF, TWO, FINE))
    kept = [np.argmin(np.linalg.norm(clean - p, axis=1)) for p in found.points[::20]]
    wrong = np.sqrt(np.mean((found.slopes[::20] - field.value(clean[kept])) ** 2))
    plain = np.sqrt(np.mean((flow.derivative_estimates() - field.value(clean)) ** 2))
    assert wrong < (1e-5 if noise == 0 else 0.2 * plain)
    assert ("differences" in found.reason) == (noise == 0)


def test_folds_are_whole_runs_or_pieces_in_time():
    many = er.fields.Trajectories.from_arrays([ORBIT[0]] * 7, T)
    found = slopes_of(many, "differences", None)
    run = np.repeat(np.arange(7), len(found.points) // 7)
    assert len(found.folds) == 5
    assert all(not set(run[train]) & set(run[test]) for train, test in found.folds)
    few = slopes_of(many.select([0, 1]), "differences", None).folds
    assert len(few) == 6 and all(np.all(np.diff(test) == 1) for _, test in few)
    assert sorted(np.concatenate([test for _, test in few])) == list(range(len(few[0][0]) + len(few[0][1])))


def test_promotes_what_the_other_verbs_take():
    flow = differentiated(runs(HOPF, TWO, T))
    by_action = SINDy(promote=er.actions.rotation(2)).fit(flow)
    for acting in (er.groups.SO(2), by_action.symmetry_):
        model = SINDy(promote=acting).fit(flow)
        assert (model.broken_rank_, model.symmetry_.name) == (0, "so(2)")
        np.testing.assert_allclose(model.coefficients_, by_action.coefficients_, atol=1e-10)


def test_promotion_does_not_depend_on_the_origin():
    """States thirty units away: what survives is sought in coordinates about their mean."""
    data = runs(HOPF, TWO, T, noise=0.01)
    model = SINDy(promote=er.actions.affine(2)).fit([run + 30.0 for run in data], T)
    assert (model.broken_rank_, model.symmetry_.name, model.dim_) == (5, "so(2)", 4)


def test_columns_of_tables_name_the_coordinates():
    pandas = pytest.importorskip("pandas")
    tables = [pandas.DataFrame(run, columns=["u", "v"]) for run in ORBIT]
    assert SINDy(degree=1).fit(tables[0], T).names_ == ("u", "v")
    assert SINDy(degree=1).fit(tables, T).names_ == ("u", "v")
    assert SINDy(degree=1).fit(tables, T, names=["a", "b"]).names_ == ("a", "b")
    assert SINDy(degree=1).fit([pandas.DataFrame(run) for run in ORBIT], T).names_ == ("x1", "x2")


def test_a_circle_rests_on_the_symmetry_that_is_promoted():
    """There x^2 + y^2 and 1 are the same: refused by itself, and answered where what survives leaves one answer."""
    angle = np.linspace(0, 2 * np.pi, 80)
    x, x_dot = np.c_[np.cos(angle), np.sin(angle)], np.c_[-np.sin(angle), np.cos(angle)]
    with pytest.raises(UndecidedError, match=r"together: 1, x1\^2, x2\^2"):
        SINDy(degree=2).fit(x, x_dot=x_dot)
    with pytest.raises(UndecidedError, match="rank 2"):
        SINDy(symmetry=er.actions.rotation(2)).fit(x, x_dot=x_dot)
    model = SINDy(degree=2, promote=er.actions.gl(2)).fit(x, x_dot=x_dot)
    assert model.equations() == "x1' = -x2\nx2' = x1"
    assert "do not tell all functions of the library apart without what survives" in model.reason_


def test_follows_the_contract_of_scikit_learn():
    model = SINDy(degree=2, promote=er.actions.rotation(2), sparsity=None)
    copy = clone(model)
    assert (copy.degree, copy.sparsity, type(copy.promote)) == (2, None, type(model.promote))
    with pytest.raises(Exception, match="not fitted"):
        model.predict(np.zeros((1, 2)))
    flow = er.fields.Trajectories.from_arrays(runs(HOPF, TWO, T), T, names=["a", "b"])
    assert model.set_params(promote=None).fit(flow) is model
    assert model.names_ == ("a", "b")


ORBIT = runs(HOPF, TWO, T)
POINTS, SLOPES = np.random.default_rng(1).normal(size=(2, 30, 2))
FALLING = np.where(np.arange(41) == 20, 0.0, T)
REFUSED = {
    "no times": (lambda: SINDy().fit(ORBIT), InputError, "without times"),
    "no runs": (lambda: SINDy().fit([], T), InputError, "no samples"),
    "an empty run": (lambda: SINDy().fit([ORBIT[0], ORBIT[1][:0]], [T, T[:0]]), InputError, "no samples in run 1"),
    "falling times": (lambda: SINDy().fit(ORBIT[0], FALLING), InputError, "decrease"),
    "repeated times": (lambda: SINDy().fit(ORBIT[0], np.minimum(T, 2.0)), InputError, "repeat"),
    "infinite values": (lambda: SINDy().fit(np.where(T[:, None] == 2.0, np.inf, ORBIT[0]), T), InputError, "inf"),
    "times that do not fit": (lambda: SINDy().fit(ORBIT[0], T[:-1]), InputError, "times"),
    "derivatives that do not fit": (lambda: SINDy().fit(POINTS, x_dot=SLOPES[:-1]), InputError, "derivatives"),
    "infinite derivatives": (lambda: SINDy().fit(POINTS, x_dot=SLOPES / 0.0), InputError, "inf"),
    "trajectories with times": (
        lambda: SINDy().fit(er.fields.Trajectories.from_arrays(ORBIT, T), T), InputError, "know their times"),
    "short runs": (lambda: SINDy().fit([run[:6] for run in ORBIT], T[:6]), UndecidedError, "long enough"),
    "few samples": (lambda: SINDy(degree=5).fit(POINTS[:12], x_dot=SLOPES[:12]), UndecidedError, "rank 24"),
    "few samples to promote": (
        lambda: SINDy(degree=7, promote=er.actions.rotation(2)).fit(POINTS[:3], x_dot=SLOPES[:3]),
        UndecidedError, "penalty decide"),
    "few samples to hold out": (
        lambda: SINDy(symmetry=er.actions.rotation(2)).fit(POINTS[:2], x_dot=SLOPES[:2]),
        UndecidedError, "hold some of them out"),
    "another dimension, enforced": (
        lambda: SINDy(symmetry=er.actions.rotation(3)).fit(ORBIT, T), InputError, "R\\^3"),
    "another dimension, promoted": (
        lambda: SINDy(promote=er.actions.rotation(3)).fit(ORBIT, T), InputError, "3 coordinates"),
    "a group with a reflection": (lambda: SINDy(promote=er.groups.O(2)).fit(ORBIT, T), InputError, "1 discrete"),
    "a word promoted": (lambda: SINDy(promote="so(2)").fit(ORBIT, T), InputError, "do not move"),
    "both": (lambda: SINDy(promote=er.actions.gl(2), symmetry=er.actions.gl(2)).fit(ORBIT, T), InputError, "either"),
    "a library of another dimension": (
        lambda: SINDy(er.fields.Polynomial(degree=2, dim=3)).fit(ORBIT, T), InputError, "number of coordinates"),
    "a library of other names": (
        lambda: SINDy(er.fields.Expressions("sin(z)")).fit(ORBIT, T), InputError, "z"),
    "a monomial again": (
        lambda: SINDy(er.fields.Polynomial(2) + er.fields.Expressions("x2*x1")).fit(POINTS, x_dot=SLOPES),
        InputError, "x2\\*x1, which is x1 x2"),
    "a function again": (
        lambda: SINDy(er.fields.Expressions("sin(x1)", "sin(x1)")).fit(POINTS, x_dot=SLOPES),
        InputError, r"given twice.\n.*sin\(x1\)\n"),
    "the constant again": (
        lambda: SINDy(er.fields.Expressions("1")).fit(POINTS, x_dot=SLOPES), InputError, "always there"),
    "coordinates that go together": (
        lambda: SINDy(degree=1).fit(POINTS[:, :1] * [1, 2], x_dot=SLOPES), UndecidedError, "together: x2, x1"),
    "no library": (lambda: SINDy("polynomial").fit(ORBIT, T), InputError, "of type str"),
    "a function outside its domain": (
        lambda: SINDy(er.fields.Expressions("log(x1)")).fit(ORBIT, T), InputError, "log"),
    "an unknown derivative": (lambda: SINDy(derivatives="smoth").fit(ORBIT, T), InputError, "'smooth'"),
    "an unknown sparsity": (lambda: SINDy(sparsity=2.0).fit(ORBIT, T), InputError, "drop terms"),
    "states of another size": (
        lambda: SINDy(degree=1).fit(ORBIT, T).predict(np.zeros((1, 3))), InputError, "states of the system"),
    "times to simulate that fall": (
        lambda: SINDy(degree=1).fit(ORBIT, T).simulate([0, 1], [1.0, 0.0]), InputError, "not increasing"),
}  # fmt: skip


def test_a_solution_that_explodes_keeps_what_was_reached():
    model = SINDy(degree=2, sparsity=None).fit(POINTS[:, :1], x_dot=POINTS[:, :1] ** 2)
    with pytest.warns(UserWarning, match="grows without bound"):
        states = model.simulate([1.0], [0, 0.5, 2])
    assert states[1, 0] == pytest.approx(2.0, rel=1e-6) and np.isnan(states[2, 0])


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    make, error_type, says = REFUSED[case]
    with pytest.raises(error_type, match=says):
        make()
