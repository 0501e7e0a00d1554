"""Trajectories: what they hold, how exact their derivatives are, and what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from erlangen._columns import DataWarning
from erlangen._errors import InputError
from erlangen.fields._differences import differentiate, segments
from erlangen.fields.trajectories import Run, Trajectories


def circle(t):
    return np.c_[np.cos(t), np.sin(t)]


def spin(t):
    return np.c_[-np.sin(t), np.cos(t)]


T1, T2 = np.linspace(0, 2, 60), np.sort(np.random.default_rng(3).uniform(0, 2, 90))
TWO = Trajectories.from_arrays([circle(T1), circle(T2)], [T1, T2], ["x", "y"], groups=["even", "random"])


@pytest.mark.parametrize("width", [2, 3, 5, 7])
def test_a_polynomial_is_differentiated_exactly(width):
    t = np.sort(np.random.default_rng(width).uniform(-1, 1, 20))
    t = np.concatenate([t, [1.5]])
    powers = np.arange(width)
    x, v = t[:, None] ** powers, powers * t[:, None] ** np.maximum(powers - 1, 0)
    np.testing.assert_allclose(differentiate(t, x, width), v, atol=1e-6)
    assert np.abs(differentiate(t, t[:, None] ** width, width)[:, 0] - width * t ** (width - 1)).max() > 1e-4


def test_stencils_are_centred_inside_and_one_sided_at_the_ends():
    error = np.abs(TWO.select("even").derivative_estimates() - spin(T1)).max(axis=1)
    h, inside = T1[1], slice(3, -3)
    assert error[inside].max() < 1.01 * h**6 / 140 < error[0] < 1.01 * h**6 / 7  # the constants of the two formulas


@pytest.mark.parametrize("order", [2, 4, 6])
def test_error_falls_with_the_order_claimed(order):
    errors = []
    for n in (40, 80):
        t = np.linspace(0, 4, n + 1)
        flow = Trajectories.from_arrays(circle(t), t)
        errors.append(np.abs(flow.derivative_estimates(order) - spin(t)).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_derivative_scales_with_the_unit_of_time(unit):
    flow = Trajectories.from_arrays(circle(T1), unit * T1)
    np.testing.assert_allclose(unit * flow.derivative_estimates(), spin(T1), atol=1e-6)


def test_error_estimate_covers_the_error_where_sampling_is_regular():
    flow = TWO.select("even")
    error = np.abs(flow.derivative_estimates() - spin(flow.times))
    assert (error.max(axis=0) <= flow.derivative_errors().max(axis=0)).all()
    assert flow.derivative_errors().max() < 1e-4


@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_error_estimate_is_not_fooled_by_runs_shorter_than_the_stencil(n):
    t = np.linspace(0, 3, n)
    flow = Trajectories.from_arrays(circle(t), t)
    error = np.abs(flow.derivative_estimates() - spin(t)).max()
    assert error > 1e-3
    assert flow.derivative_errors().max() > error / 3


def test_no_stencil_reaches_into_another_run():
    other = Trajectories.from_arrays([circle(T1), 1e6 + circle(T2)], [T1, T2])
    np.testing.assert_array_equal(TWO.derivative_estimates()[:60], other.derivative_estimates()[:60])
    np.testing.assert_array_equal(TWO.derivative_estimates()[:60], TWO.select("even").derivative_estimates())


def test_no_stencil_reaches_over_a_gap():
    t = np.concatenate([T1, T1 + 50])
    jump = np.r_[circle(T1), 1e6 + circle(T1)]
    flow = Trajectories.from_arrays(jump, t)
    assert segments(t) == [slice(0, 60), slice(60, 120)]
    np.testing.assert_allclose(flow.derivative_estimates(), np.r_[spin(T1), spin(T1)], atol=1e-6)


def test_a_sample_between_two_gaps_is_named():
    t = np.concatenate([T1, [30.0], T1 + 60])
    with pytest.raises(InputError, match="row 60 at time 30"):
        Trajectories.from_arrays(circle(t), t).derivative_estimates()
    assert len(Trajectories.from_arrays(circle(t), t).increments().step) == len(t) - 1


def test_short_runs_use_what_they_have():
    flow = Trajectories.from_arrays([[[0.0], [2.0]], [[0.0], [1.0], [4.0]]], [[0.0, 1.0], [0.0, 1.0, 2.0]])
    np.testing.assert_allclose(flow.derivative_estimates()[:, 0], [2, 2, 0, 2, 4], atol=1e-14)


def test_increments_stay_within_runs():
    steps = TWO.increments()
    assert len(steps.step) == 59 + 89
    np.testing.assert_array_equal(steps.stop[:58], steps.start[1:59])
    np.testing.assert_array_equal(np.bincount(steps.run_index), [59, 89])
    assert (steps.step > 0).all()
    np.testing.assert_array_equal(steps.start[59], circle(T2)[0])


def test_what_it_holds():
    assert TWO.groups == ("even", "random")
    assert (TWO.n_runs, TWO.point_dim, TWO.names) == (2, 2, ("x", "y"))
    assert TWO.points.shape == (150, 2) and TWO.derivatives is None
    np.testing.assert_array_equal(TWO.run_index, [0] * 60 + [1] * 90)
    np.testing.assert_array_equal(TWO.select(["random", "even"]).points[:90], circle(T2))
    assert TWO.select("random").groups == ("random",)
    assert "2 runs of 60 to 90 samples, states x, y" in repr(TWO)


def test_one_table_with_group_labels_is_the_list_of_its_runs():
    order = np.random.default_rng(0).permutation(150)
    order = order[np.argsort(TWO.times[order], kind="stable")]  # runs interleaved, each in order of time
    labels = np.array(TWO.groups)[TWO.run_index][order]
    flow = Trajectories.from_arrays(TWO.points[order], TWO.times[order], ["x", "y"], groups=labels)
    for label in TWO.groups:
        np.testing.assert_array_equal(flow.select(label).points, TWO.select(label).points)


def test_forms_of_input_agree():
    shared = Trajectories.from_arrays([circle(T1), 2 * circle(T1)], T1)
    stacked = Trajectories.from_arrays(np.stack([circle(T1), 2 * circle(T1)]), T1)
    nested = Trajectories.from_arrays([circle(T1).tolist(), (2 * circle(T1)).tolist()], np.stack([T1, T1]))
    for flow in (stacked, nested):
        np.testing.assert_array_equal(flow.points, shared.points)
        np.testing.assert_array_equal(flow.times, shared.times)
    assert shared.names == ("x1", "x2") and shared.groups == (0, 1)
    assert Trajectories.from_arrays(circle(T1).tolist(), T1.tolist()).n_runs == 1


def test_known_derivatives_are_kept_and_preferred():
    flow = Trajectories.from_arrays([circle(T1), circle(T2)], [T1, T2], derivatives=[spin(T1), spin(T2)])
    np.testing.assert_array_equal(flow.derivatives, np.r_[spin(T1), spin(T2)])
    value, error = flow.velocities()
    assert value is flow.derivatives and error.max() <= 1e-15
    value, error = TWO.velocities()
    np.testing.assert_array_equal(value, TWO.derivative_estimates())
    labels = ["a"] * 60
    table = Trajectories.from_arrays(circle(T1), T1, derivatives=spin(T1), groups=labels)
    np.testing.assert_array_equal(table.derivatives, spin(T1))


def test_arrays_are_copied_and_cannot_be_changed():
    x = circle(T1)
    flow = Trajectories.from_arrays(x, T1)
    x[:] = 0
    np.testing.assert_array_equal(flow.points, circle(T1))
    for array in (flow.points, flow.times, flow.runs[0].states, flow.run_index):
        with pytest.raises(ValueError):
            array[0] = 1


def test_constant_columns_and_parameters_are_reported():
    n = len(T1)
    one = np.c_[circle(T1), np.full(n, 0.1), np.full(n, 3.0)]
    two = np.c_[circle(T1), np.full(n, 0.2), np.full(n, 3.0)]
    flow = Trajectories.from_arrays([one, two], T1, ["x", "y", "mass", "g"])
    assert flow.constant_columns() == ("g",)
    assert flow.parameters() == ("mass",)
    assert TWO.constant_columns() == TWO.parameters() == ()


def frame():
    table = {"run": ["a"] * 60 + ["b"] * 90, "t": np.r_[T1, T2], "mass": [1.0] * 60 + [2.0] * 90}
    x = np.r_[circle(T1), circle(T2)]
    return pd.DataFrame(table | {"x": x[:, 0], "y": x[:, 1], "push": np.sin(np.r_[T1, T2])})


ROLES = {"time": "t", "group": "run", "controls": "push", "parameters": "mass"}


def test_frames_come_back_as_they_were():
    flow = Trajectories.from_frame(frame(), **ROLES)
    assert flow.names == ("x", "y") and flow.controls == ("push", "mass") and flow.groups == ("a", "b")
    np.testing.assert_array_equal(flow.points, TWO.points)
    np.testing.assert_array_equal(flow.inputs, frame()[["push", "mass"]])
    back = flow.to_frame("t")
    pd.testing.assert_frame_equal(back, frame()[["run", "t", "x", "y", "push", "mass"]])
    assert "controls push, mass" in repr(flow) and flow.select("b").controls == flow.controls
    assert Trajectories.from_frame(frame()[["t", "x", "y"]][:60], "t").groups == (0,)


def test_controls_of_arrays():
    push = [np.sin(T1)[:, None], np.sin(T2)[:, None]]
    flow = Trajectories.from_arrays([circle(T1), circle(T2)], [T1, T2], controls=push, control_names=["push"])
    np.testing.assert_array_equal(flow.inputs, np.concatenate(push))
    np.testing.assert_array_equal(flow.runs[1].controls, push[1])
    fixed = Trajectories.from_arrays([circle(T1)] * 2, T1, controls=[[1.0, 5.0], [2.0, 5.0]])
    assert fixed.controls == ("u1", "u2") and fixed.inputs.shape == (120, 2)
    np.testing.assert_array_equal(fixed.inputs[[0, 59, 60]], [[1, 5], [1, 5], [2, 5]])
    table = Trajectories.from_arrays(circle(T1), T1, groups=["a"] * 60, controls=T1[:, None])
    np.testing.assert_array_equal(table.inputs[:, 0], T1)
    assert TWO.inputs.shape == (150, 0) and TWO.controls == () and TWO.runs[0].controls.shape == (60, 0)


def test_missing_samples_are_left_out_and_counted():
    x, u = circle(T1), np.ones((60, 1))
    x[3, 0] = x[7, 1] = u[20, 0] = np.nan
    with pytest.warns(DataWarning, match="3 samples"):
        flow = Trajectories.from_arrays(x, T1, controls=u)
    assert flow.n_missing == 3 and len(flow.times) == 57 and "3 missing" in repr(flow)
    np.testing.assert_array_equal(flow.times, np.delete(T1, [3, 7, 20]))
    np.testing.assert_array_equal(flow.points, np.delete(circle(T1), [3, 7, 20], axis=0))
    table = frame()
    table.loc[[2, 70, 71], "y"] = np.nan
    with pytest.warns(DataWarning, match="Dropped 3 of 150 rows"):
        flow = Trajectories.from_frame(table, **ROLES)
    assert [run.n_missing for run in flow.runs] == [1, 2] and flow.n_missing == 3


BAD = {
    "inf": (lambda: Trajectories.from_arrays([[0.0], [np.inf], [1.0]], [0, 1, 2]), "1 of 3 rows, first at 1"),
    "all missing": (
        lambda: Run("a", np.arange(3.0), np.array([[0.0], [np.nan], [np.nan]])),
        "(?s)too small.*2 missing",
    ),
    "inf time": (lambda: Trajectories.from_arrays([[0.0], [1.0]], [0, np.inf]), "times of run 0"),
    "repeated": (lambda: Trajectories.from_arrays(circle(T1), np.r_[T1[:-1], T1[-2]]), "repeat"),
    "unsorted": (lambda: Trajectories.from_arrays(circle(T1), T1[::-1]), "decrease"),
    "two runs unnamed": (
        lambda: Trajectories.from_arrays(np.r_[circle(T1), circle(T1)], np.r_[T1, T1]),
        "(?s)row 60.*group",
    ),
    "one sample": (lambda: Trajectories.from_arrays([circle(T1), circle(T1)[:1]], [T1, T1[:1]]), "run 1 is too small"),
    "one sample group": (lambda: Trajectories.from_arrays(circle(T1), T1, groups=["a"] * 59 + ["b"]), "run 'b' is too"),
    "vector": (lambda: Trajectories.from_arrays(T1, T1), "reshape"),
    "lengths": (lambda: Trajectories.from_arrays(circle(T1), T1[:-1]), "(?s)59.*60"),
    "times of runs": (lambda: Trajectories.from_arrays([circle(T1)] * 2, [T1]), "one for each run"),
    "labels": (lambda: Trajectories.from_arrays(circle(T1), T1, groups=["a"]), "60"),
    "label twice": (lambda: Trajectories.from_arrays([circle(T1)] * 2, T1, groups=["a", "a"]), "used twice"),
    "names": (lambda: Trajectories.from_arrays(circle(T1), T1, ["x"]), "2 different names"),
    "name twice": (lambda: Trajectories.from_arrays(circle(T1), T1, ["x", "x"]), "2 different names"),
    "dims": (lambda: Trajectories.from_arrays([circle(T1), T1[:, None]], T1), "number of columns"),
    "slopes": (lambda: Trajectories.from_arrays(circle(T1), T1, derivatives=spin(T1)[:, :1]), "derivatives"),
    "some slopes": (lambda: Trajectories.from_arrays([circle(T1)] * 2, T1, derivatives=[spin(T1), None]), "some have"),
    "text": (lambda: Trajectories.from_arrays([["a"], ["b"]], [0, 1]), "not numbers"),
    "empty": (lambda: Trajectories((), ()), "no run"),
    "unknown run": (lambda: TWO.select("evn"), "did you mean 'even'"),
    "order": (lambda: TWO.derivative_estimates(0), "order"),
    "no lower order": (lambda: TWO.derivative_errors(1), "two orders"),
    "controls": (lambda: Trajectories.from_arrays(circle(T1), T1, controls=T1[:-1, None]), "(?s)controls.*59.*60"),
    "some controls": (
        lambda: Trajectories.from_arrays([circle(T1)] * 2, T1, controls=[[1.0], [1, 2]]),
        "1, 2 controls",
    ),
    "control names": (
        lambda: Trajectories.from_arrays(circle(T1), T1, controls=[1.0], control_names="ab"),
        "1 controls",
    ),
    "a state's name": (
        lambda: Trajectories.from_arrays(circle(T1), T1, ["x", "y"], controls=[1.0], control_names=["x"]),
        "Names do not fit",
    ),
    "moving parameter": (lambda: Trajectories.from_frame(frame(), "t", "run", parameters="push"), "within run 'a'"),
    "backwards": (lambda: Trajectories.from_frame(frame(), "t", state="x"), "(?s)decrease.*row 61.*group"),
    "no column": (lambda: Trajectories.from_frame(frame(), "t", "run", controls="pus"), "did you mean 'push'"),
    "two roles": (lambda: Trajectories.from_frame(frame(), "t", "run", controls="t"), "two roles"),
    "infinite": (lambda: Trajectories.from_frame(frame().replace(1.0, np.inf), "t", "run"), "Infinite"),
    "column twice": (lambda: TWO.to_frame("x"), "one name"),
    "bad run": (lambda: Run("a", T1, circle(T1)[:1]), "run 'a'"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused_with_a_message_that_says_what(case):
    build, said = BAD[case]
    with pytest.raises(InputError, match=said) as error:
        build()
    assert "fix:" in str(error.value)
