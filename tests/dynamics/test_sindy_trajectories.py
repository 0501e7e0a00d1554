"""Equations from whole trajectories: noise, symmetry right and wrong, controls, uneven runs, and what is refused."""

import warnings

import numpy as np
import pytest

import erlangen as er
from erlangen._errors import InputError, UndecidedError
from erlangen.dynamics import Equations, SINDy
from erlangen.fields import Expressions, Polynomial, Trajectories

SPIRAL = Equations.from_text({"x": "-0.1*x - y", "y": "x - 0.1*y"})
LORENZ = Equations.from_text({"x": "10*y - 10*x", "y": "28*x - y - x*z", "z": "x*y - 8/3*z"})
PENDULUM = Equations.from_text({"x": "v", "v": "-sin(x) - 0.2*v"})
PUSHED = Equations.from_text({"x": "v", "v": "-x + 0.5*u"}, controls=["u"])


def runs(equations, starts, t, noise, rng, relative=False, controls=None):
    """Trajectories with noise of a share of the standard deviation, or of the values."""
    clean = [equations.simulate(start, t, controls).states for start in starts]
    size = np.concatenate(clean).std(axis=0)
    draws = np.random.default_rng(rng)
    dirty = [x + noise * draws.normal(size=x.shape) * (np.abs(x) if relative else size) for x in clean]
    given = None if controls is None else [controls] * len(starts)
    return Trajectories.from_arrays(dirty, t, equations.names, controls=given, control_names=equations.controls or None)


def terms(equations):
    rows = zip(equations.names, equations.coefficients, strict=True)
    return {(n, t): c for n, row in rows for t, c in zip(equations.terms, row, strict=True) if c != 0}


def errors(model, truth):
    """Relative errors, where the terms are the same ones."""
    found, true = terms(model.equations_), terms(truth)
    assert set(found) == set(true), str(model.equations_)
    return max(abs(found[key] / true[key] - 1) for key in true)


T = np.linspace(0, 12, 181)
STARTS = [(1.5, 0.0), (0.0, -1.0), (-0.6, 0.8), (1.0, 1.0)]


@pytest.fixture(scope="module")
def spiral():
    return runs(SPIRAL, STARTS, T, 0.1, 0)


def test_chaos_with_noise():
    flow = runs(LORENZ, [(-8.0, 7.0, 27.0)], np.linspace(0, 8, 801), 0.02, 1)
    model = SINDy(degree=2).fit(flow)
    assert errors(model, LORENZ) < 0.02
    truth = np.array([[terms(LORENZ).get((n, t), 0.0) for t in model.equations_.terms] for n in "xyz"])
    low, high = model.intervals(0.9999)
    assert np.all((low <= truth) & (truth <= high))


@pytest.mark.parametrize("relative", [False, True])
def test_the_noise_is_found(relative):
    flow = runs(PENDULUM, [(2.0, 0.0), (-1.0, 1.5)], T, 0.05, 2, relative)
    model = SINDy(Polynomial(2) + Expressions("sin(x)", "cos(x)", "sin(v)")).fit(flow)
    assert errors(model, PENDULUM) < 0.05
    left = model.residuals_
    assert len(np.unique(model.residual_index_, axis=0)) == len(left) == len(flow.points)
    assert abs(np.sqrt(np.mean(left**2)) - 1) < 0.1 and np.abs(left).max() < 6


def test_clean_data_give_exact_equations():
    flow = runs(Equations.from_text({"x": "y", "y": "-x + y - x**2*y"}), [(2.0, 0.0), (0.1, 0.2)], T, 0.0, 0)
    model = SINDy().fit(flow)
    assert errors(model, Equations.from_text({"x": "y", "y": "-x + y - x**2*y"})) < 1e-4


def test_a_symmetry_that_is_right_helps_and_is_not_rejected(spiral):
    free, tied = SINDy(degree=2).fit(spiral), SINDy(degree=2, symmetry=er.actions.rotation(2)).fit(spiral)
    assert errors(free, SPIRAL) < 0.1 and errors(tied, SPIRAL) < 0.05
    assert tied.errors_.max() < free.errors_.max()
    a = {key: value for key, value in terms(tied.equations_).items()}
    assert a["x", "x"] == pytest.approx(a["y", "y"], rel=1e-12) and a["x", "y"] == pytest.approx(
        -a["y", "x"], rel=1e-12
    )
    assert not tied.symmetry_test_.rejected and tied.symmetry_test_.gain < 0


def test_a_symmetry_that_is_wrong_is_rejected_by_how_much():
    flow = runs(Equations.from_text({"x": "-0.1*x - y", "y": "2*x - 0.1*y"}), STARTS, T, 0.05, 3)
    test = SINDy(degree=1, symmetry=er.actions.rotation(2)).fit(flow).symmetry_test_
    assert test.rejected and test.gain > 100 and 0.1 < test.breaking < 1 and "speak against" in str(test)


def test_an_approximate_symmetry_is_weighed():
    truth = Equations.from_text({"x": "-0.1*x - 1.02*y", "y": "0.98*x - 0.1*y"})
    flow = runs(truth, STARTS, T, 0.05, 4)
    broken = []
    for weight in (0.0, 10.0, 1e6):
        model = SINDy(degree=1, symmetry=er.actions.rotation(2), symmetry_weight=weight).fit(flow)
        a = terms(model.equations_)
        broken.append(abs(a["x", "y"] + a["y", "x"]) / 2)
    assert broken[0] > broken[1] > broken[2] and broken[2] < 1e-3 and broken[0] == pytest.approx(0.02, abs=0.01)


def test_a_symmetry_is_discovered_from_the_same_data(spiral):
    model = SINDy(degree=2, symmetry="discover").fit(spiral)
    assert errors(model, SPIRAL) < 0.05 and model.dim_ < 12
    assert "survivors" in model.reason_ and model.broken_rank_ < 6


@pytest.mark.parametrize("form", ["trajectory", "weak", "strong"])
def test_a_symplectic_form_makes_fields_hamiltonian(form):
    truth = Equations.from_text({"u": "w - 0.2*u**2", "w": "-u + 0.4*u*w"})  # H = (w^2 + u^2)/2 - 0.2 u^2 w
    flow = runs(truth, [(0.5, 0.0), (0.0, 0.8), (-0.7, 0.2)], T, 0.02, 7)
    space = er.dynamics.PhaseSpace(("u", "w"), ("u",), ("w",))
    model = SINDy(degree=2, symmetry=space, form=form).fit(flow)
    slopes = model.equations_.jacobian(np.random.default_rng(0).normal(size=(20, 2)))
    assert np.abs(np.trace(slopes, axis1=1, axis2=2)).max() < 1e-12
    if form == "trajectory":
        assert errors(model, truth) < 0.03 and not model.symmetry_test_.rejected
        # Without being told: volume is among what is looked for.
        assert "preserve volume" in SINDy(degree=2, symmetry="discover").fit(flow).reason_
    damped = runs(SPIRAL, STARTS, T, 0.02, 8)
    assert (
        form == "strong"
        or SINDy(degree=1, symmetry=er.dynamics.PhaseSpace(("x", "y"), ("x",), ("y",)), form=form)
        .fit(damped)
        .symmetry_test_.rejected
    )
    with pytest.raises(InputError, match="phase space does not fit"):
        SINDy(degree=1, symmetry=er.dynamics.PhaseSpace(("a", "b", "c"), ("a",), ("b",)), form=form).fit(flow)


@pytest.mark.parametrize("form", ["trajectory", "weak"])
def test_controls(form):
    u = np.sin(0.7 * T)[:, None]
    flow = runs(PUSHED, [(1.0, 0.0), (0.0, -1.0), (-1.0, 0.5)], T, 0.01, 5, controls=u)
    model = SINDy(degree=2, form=form).fit(flow)
    found, true = terms(model.equations_), terms(PUSHED)
    assert set(true) <= set(found) and (form == "weak" or set(found) == set(true))
    assert all(abs(found[key] - true[key]) < 0.03 for key in true)
    if form == "trajectory":
        assert np.allclose(
            model.predict(flow.points, flow.runs[0].controls[[0]].repeat(len(flow.points), 0))[:, 0],
            flow.points[:, 1],
            atol=0.1,
        )
        assert model.simulate([1.0, 0.0], T, u).shape == (181, 2)


def test_runs_of_different_length_and_sampling():
    rng = np.random.default_rng(6)
    clocks = [np.sort(rng.uniform(0, end, n)) for end, n in ((12, 150), (5, 90), (9, 200))]
    states = [SPIRAL.simulate(start, t).states for start, t in zip(STARTS, clocks)]
    noisy = [x + 0.03 * rng.normal(size=x.shape) for x in states]
    assert errors(SINDy(degree=2).fit(noisy, clocks, names=["x", "y"]), SPIRAL) < 0.1


@pytest.mark.parametrize("sparsity", [0.05, None])
def test_other_ways_to_drop_terms(spiral, sparsity):
    model = SINDy(degree=2, sparsity=sparsity).fit(spiral)
    found = terms(model.equations_)
    assert len(found) == (4 if sparsity else 12)
    assert all(abs(found[key] - value) < 0.05 for key, value in terms(SPIRAL).items())


def test_draws_keep_the_symmetry(spiral):
    model = SINDy(degree=2, symmetry=er.actions.rotation(2)).fit(spiral)
    found = model.ensemble(30, rng=0)
    c = found.coefficients
    x, y = (model.feature_names_.index(n) for n in "xy")
    assert np.allclose(c[:, 0, x], c[:, 1, y], rtol=1e-12) and np.allclose(c[:, 0, y], -c[:, 1, x], rtol=1e-12)
    assert found.inclusion[0, x] == 1.0 and found.inclusion.max() == 1.0 and "100%" in str(found)
    spread = c[:, 0, x].std()
    assert 0.5 < spread / model.errors_[0, x] < 8


def test_rivals_are_named(spiral):
    model = SINDy(degree=2).fit(spiral)
    assert all(worse > -2 and ("with" in words) for words, worse in model.rivals_)


def test_functions_that_data_cannot_tell_apart_are_named(spiral):
    library = Polynomial(2) + Expressions("2*x**2 - y", "log(x)")
    with pytest.warns(UserWarning, match=r"simpler functions make it up on these data: \(2\*x\^2 - y\)"):
        model = SINDy(library).fit(spiral)
    assert errors(model, SPIRAL) < 0.1 and "not finite on these data: log(x)" in model.reason_


def test_too_few_samples_for_the_degree():
    flow = runs(SPIRAL, STARTS[:1], np.linspace(0, 2, 15), 0.0, 0)
    with pytest.raises(UndecidedError, match="15 samples of 2 states, for 66 functions.*condition number"):
        SINDy(degree=10).fit(flow)


REFUSED = {
    "a form that is none": (dict(form="integral"), "form='integral'"),
    "a negative weight": (dict(symmetry=er.actions.rotation(2), symmetry_weight=-1.0), "no weight"),
    "held-out derivatives of solutions": (dict(form="trajectory", sparsity="cv"), "strong form"),
    "a weight for derivatives": (dict(form="strong", symmetry=er.actions.rotation(2), symmetry_weight=1.0), "belongs"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_settings_that_do_not_fit_are_refused(case, spiral):
    settings, says = REFUSED[case]
    with pytest.raises(InputError, match=says):
        SINDy(degree=1, **settings).fit(spiral)
    with pytest.raises(InputError, match="level"):
        SINDy(degree=1).fit(spiral).intervals(2.0)


def test_units_do_not_matter(spiral):
    scaled = Trajectories.from_arrays(
        [r.states * [1e4, 1e-3] for r in spiral.runs], [r.time * 1e3 for r in spiral.runs], ["x", "y"]
    )
    mine, other = terms(SINDy(degree=2).fit(spiral).equations_), terms(SINDy(degree=2).fit(scaled).equations_)
    assert set(mine) == set(other)
    assert other["x", "y"] == pytest.approx(mine["x", "y"] * 1e4 / 1e-3 / 1e3, rel=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SINDy(degree=2).fit(scaled)


def test_intervals_hold_as_often_as_they_say():
    inside = []
    for seed in range(15):
        model = SINDy(degree=1).fit(runs(SPIRAL, STARTS[:2], T[::2], 0.1, 100 + seed))
        low, high = model.intervals(0.8)
        for (name, term), value in terms(SPIRAL).items():
            a, j = model.names_.index(name), model.feature_names_.index(term)
            inside.append(low[a, j] <= value <= high[a, j])
    # 60 numbers, of which those of one draw are correlated.
    assert 0.65 < np.mean(inside) < 0.93


@pytest.mark.parametrize("n", [200, 4000])
def test_noise_is_that_of_samples_whether_averaged_or_not(n):
    t = np.linspace(0, 20, n)
    x = SPIRAL.simulate([1.0, 0.0], t).states
    model = SINDy(degree=1).fit(x + 0.1 * np.random.default_rng(n).normal(size=x.shape), t, names=["x", "y"])
    assert np.abs(model.noise_ / 0.1 - 1).max() < 0.15 and np.abs(model.misfit_ - 1).max() < 0.3


@pytest.mark.parametrize("form", ["weak", "strong"])
def test_other_forms_reject_a_wrong_symmetry_too(form):
    truth = Equations.from_text({"x": "y", "y": "2*y - 2*x**2*y - x"})
    flow = runs(truth, [(1.0, 0.0), (0.0, -2.0)], T, 0.01, 9)
    wrong = SINDy(symmetry=er.actions.rotation(2), form=form).fit(flow).symmetry_test_
    assert wrong.rejected and 0.5 < wrong.breaking < 1.2
    assert SINDy(promote=er.actions.rotation(2), form=form).fit(flow).broken_rank_ == 1
    circle = runs(SPIRAL, STARTS, T, 0.01, 9)
    assert not SINDy(degree=1, symmetry=er.actions.rotation(2), form=form).fit(circle).symmetry_test_.rejected


def test_what_equations_leave_beyond_the_noise_is_said():
    truth = Equations.from_text({"x": "-tanh(3*x)"})
    flow = runs(truth, [(2.0,), (-1.5,)], T, 0.02, 10)
    with pytest.warns(UserWarning, match="leave more than the noise that smoothing finds.*times in x"):
        model = SINDy(degree=1).fit(flow)
    assert model.misfit_[0] > 4 and "is missing" in model.reason_
    library = Polynomial(1) + Expressions("tanh(3*x)")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert SINDy(library).fit(flow).misfit_[0] < 2


def test_what_weak_equations_leave_is_told_by_coordinate():
    t, rng = np.linspace(0, 6, 121), np.random.default_rng(0)
    full = Equations.from_text({"x": "y", "y": "-x", "u": "w", "w": "-u - u**3"})  # a cube is not on offer
    runs = [full.simulate(x, t).states + 0.01 * rng.normal(size=(121, 4)) for x in ([1, 0, 1.5, 0], [0, 2, 0, 2])]
    model = SINDy(degree=1, form="weak").fit(runs, t)
    assert model.misfit_[3] > 3 * model.misfit_[:3].max() and model.misfit_[:2].max() < 2


def test_samples_that_are_too_coarse_are_not_called_noise():
    t = np.arange(0, 60, 2 * np.pi / 2.2)
    turning = runs(Equations.from_text({"x": "y", "y": "-x"}), [(1.0, 0.0), (0.0, 0.7)], t, 0.02, 11)
    with pytest.raises(UndecidedError, match="more than noise"):
        SINDy(degree=1).fit(turning)
    noise = np.random.default_rng(12).normal(size=(300, 2))
    assert not SINDy(degree=2).fit(noise, 0.1 * np.arange(300)).coefficients_.any()


def test_the_origin_does_not_matter(spiral):
    moved = Trajectories.from_arrays([r.states + 1e5 for r in spiral.runs], [r.time for r in spiral.runs], ["x", "y"])
    here, there = SINDy(degree=1).fit(spiral), SINDy(degree=1).fit(moved)
    found = terms(there.equations_)
    for key, value in terms(here.equations_).items():
        # A fit ends where a step gains .01 in squared standard errors.
        assert abs(found[key] - value) < 0.15 * here.errors_.max()


@pytest.mark.parametrize("derivatives", ["smooth", "gp"])
def test_ways_to_smooth_are_named_alike_in_all_forms(derivatives, spiral):
    model = SINDy(degree=1, derivatives=derivatives).fit(spiral)
    assert errors(model, SPIRAL) < 0.1
