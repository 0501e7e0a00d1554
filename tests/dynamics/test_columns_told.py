"""What is said of columns before equations are fitted: no state, made up of others, wrapped."""

import warnings
from contextlib import suppress

import numpy as np
import pytest

from erlangen._columns import DataWarning
from erlangen._errors import InputError, UndecidedError
from erlangen.dynamics import SINDy
from erlangen.fields import Trajectories

T = np.linspace(0, 6, 121)
STATES = np.stack([np.c_[a * np.cos(T + a), a * np.sin(T + a)] + [3.0, 0.0] for a in (1.0, 0.5)])
NOISY = STATES + 0.05 * np.random.default_rng(0).normal(size=STATES.shape)


def told(extra, names, states=NOISY, controls=None):
    """What a fit says of runs with a further column."""
    runs = [np.c_[x, column] for x, column in zip(states, extra, strict=True)]
    given = None if controls is None else ["u"]
    flow = Trajectories.from_arrays(runs, T, ["x", "y", *names], controls=controls, control_names=given)
    with pytest.warns(DataWarning) as heard:
        SINDy(degree=1, form="weak").fit(flow)
    return [str(warning.message) for warning in heard]


def rounded(k):
    return [np.round(x, 3) for x in NOISY], [np.round(np.round(x, 3) @ [2.0, -1.0] + 1.0, k) for x in NOISY]


@pytest.mark.parametrize("offset", [0.0, -7.5])
def test_columns_that_others_make_up_are_named(offset):
    (text,) = told([x @ [1.0, -2.0] + offset for x in NOISY], ["z"])
    assert text.startswith(f"Column z is {'-7.5 + ' if offset else ''}x - 2 y:")


def test_copies_are_named_to_the_digits_that_were_written():
    assert told([x[:, 0] for x in NOISY], ["copy"])[0].startswith("Column copy is x:")
    states, sums = rounded(1)
    assert told(sums, ["z"], states)[0].startswith("Column z is 1 + 2 x - y:")


def test_an_input_that_is_a_state_is_named():
    runs = [np.asarray(x) for x in NOISY]
    flow = Trajectories.from_arrays(runs, T, ["x", "y"], controls=[3 * x[:, :1] for x in runs], control_names=["u"])
    with pytest.warns(DataWarning, match="Column u is 3 x:"):
        SINDy(degree=1, form="weak").fit(flow)


@pytest.mark.parametrize("masses", [(2.0, 2.0), (2.0, 3.0)])
def test_what_does_not_move_is_a_parameter(masses):
    (text,) = told([np.full(len(T), mass) for mass in masses], ["mass"])
    assert "Constant in each run: mass." in text and 'parameters="mass"' in text


@pytest.mark.parametrize("turn", [2 * np.pi, 360.0])
def test_angles_that_jump_are_named(turn):
    clock = np.linspace(0, 20, 401)
    angle = (0.3 + 0.2 * clock) * turn
    flow = Trajectories.from_arrays(np.c_[np.mod(angle, turn), np.sin(clock)], clock, ["angle", "y"])
    with pytest.warns(DataWarning, match=r"Column angle jumps by [^`]* np\.unwrap"), suppress(UndecidedError):
        SINDy(degree=1, form="weak").fit(flow)


@pytest.mark.parametrize("name", ["1", "0", "1e3", "a`b", " "])
def test_names_that_cannot_stand_in_formulas_are_refused(name):
    flow = Trajectories.from_arrays(list(NOISY), T, ["x", name])
    with pytest.raises(InputError, match="Names of columns stand in equations") as told:
        SINDy(degree=1, form="weak").fit(flow)
    assert repr(name) in str(told.value) and "frame.rename(columns={" in str(told.value)


def test_a_step_is_no_times():
    with pytest.raises(InputError, match=r"np.arange\(len\(x\)\) \* 0.02"):
        SINDy().fit(NOISY[0], t=0.02)
    with pytest.raises(InputError, match=r"np.arange\(len\(run\)\) \* 0.02 for run in x"):
        SINDy().fit(list(NOISY), np.float64(0.02))


def test_nothing_is_said_of_columns_that_are_measured_each():
    sums = np.random.default_rng(1).normal(size=(2, len(T))) * 0.05 + NOISY.sum(axis=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        for runs in (NOISY, STATES, np.dstack([NOISY, sums]), np.round(np.dstack([NOISY, sums]), 1)):
            SINDy(degree=1, form="weak").fit(list(runs), [T] * 2)
