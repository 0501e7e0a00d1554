"""Long work shows how far it is where somebody looks, and keeps what it has when it is stopped."""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest

import erlangen as er
from erlangen import _progress
from erlangen._progress import carried, keeping, track


def stopped_at(step, label=""):
    """A bar in which Ctrl-C comes before the given step of the loops with this label."""
    seen = [0]

    def bar(items, desc, total):
        for item in items:
            if label in desc:
                if seen[0] == step:
                    raise KeyboardInterrupt
                seen[0] += 1
            yield item

    return bar


def interrupted(work, step, label=""):
    with pytest.raises(er.Interrupted) as stop, er.progress(stopped_at(step, label)):
        work()
    return stop.value


# --- bars


def test_nothing_is_shown_where_nobody_looks(capsys):
    assert list(track(range(3), "numbers")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_after_a_while(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert list(track(range(3), "quick work")) == [0, 1, 2]
    assert screen.getvalue().strip() == ""
    monkeypatch.setattr(_progress, "PATIENCE", 0.01)
    assert sum(1 for _ in track((time.sleep(0.07) for _ in range(3)), "slow work", total=3)) == 3
    assert "slow work" in screen.getvalue() and "3" in screen.getvalue()


def test_a_worker_process_leaves_the_terminal_to_the_one_that_started_it(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(_progress, "PATIENCE", 0.0)
    worker = types.SimpleNamespace(parent_process=lambda: object())
    monkeypatch.setitem(sys.modules, "multiprocessing", worker)
    assert sum(1 for _ in track((time.sleep(0.06) for _ in range(3)), "work", total=3)) == 3
    assert screen.getvalue() == ""


def test_a_kernel_is_seen_without_importing_ipython(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not _progress.in_notebook()
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert _progress.in_notebook()


def test_another_bar_is_chosen_for_a_block_only():
    heard = []

    def bar(items, desc, total):
        heard.append((desc, total))
        return items

    with er.progress(bar):
        list(track(iter("ab"), "letters", total=2))
        with er.progress(None):
            list(track("cd", "unheard letters"))
        list(track("e", "last letter"))
    list(track("fg", "letters after it"))
    assert heard == [("letters", 2), ("last letter", 1)]


# --- what is kept


def test_the_message_says_how_to_get_the_result():
    stop = er.Interrupted("the fits", [1], done=1, total=3)
    assert isinstance(stop, KeyboardInterrupt) and not isinstance(stop, Exception)
    assert "the fits was stopped after 1 of 3 steps" in str(stop) and "sys.last_value.partial" in str(stop)
    again = pickle.loads(pickle.dumps(stop))
    assert (again.partial, again.done, again.total, str(again)) == ([1], 1, 3, str(stop))


def test_without_a_result_an_interrupt_is_an_interrupt():
    with pytest.raises(KeyboardInterrupt) as stop, keeping("work"):
        raise KeyboardInterrupt
    assert not isinstance(stop.value, er.Interrupted)


def unmade(_):
    raise er.UndecidedError("too little")


@pytest.mark.parametrize(("kind", "convert"), [(str, lambda partial, note: partial), (list, lambda *_: unmade(0))])
def test_results_of_another_kind_or_of_too_little_are_not_handed_on(kind, convert):
    with pytest.raises(KeyboardInterrupt) as stop, carried(kind, convert):
        raise er.Interrupted("inner work", [1], 1)
    assert not isinstance(stop.value, er.Interrupted)


def test_an_outer_result_is_made_of_an_inner_one():
    with pytest.raises(er.Interrupted) as stop, carried(list, lambda partial, note: (note, sum(partial))):
        raise er.Interrupted("inner work", [1, 2], 2, 5)
    assert stop.value.partial == ("partial: the work was stopped after 2 of 5 steps", 3)


# --- the long work of the library

T = np.linspace(0, 12, 121)
X = np.stack([np.cos(T), -np.sin(T)], axis=1) + 1e-3 * np.random.default_rng(0).normal(size=(121, 2))
POINTS = np.random.default_rng(0).uniform(-1, 1, (60, 2))
VALUES = (POINTS**2).sum(axis=1)


@pytest.mark.parametrize("step", [0, 1])
def test_the_search_for_equations_keeps_its_best_model(step):
    model = er.dynamics.SINDy(degree=1)
    stop = interrupted(lambda: model.fit(X, T), step, "longer windows")
    assert not hasattr(model, "equations_") and stop.done == step
    assert stop.partial.reason_.startswith("partial: ") and stop.partial.broken_rank_ is None
    np.testing.assert_allclose(stop.partial.predict([[1.0, 0.5]]), [[0.5, -1.0]], atol=0.02)


def test_an_enforced_symmetry_holds_in_what_is_kept():
    stop = interrupted(lambda: er.dynamics.SINDy(degree=1, symmetry=er.actions.rotation(2)).fit(X, T), 0, "windows")
    (a, b), (c, d) = stop.partial.coefficients_[:, 1:]
    assert a == pytest.approx(d, abs=1e-12) and b == pytest.approx(-c, abs=1e-12)


def test_an_ensemble_keeps_its_draws():
    model = er.dynamics.SINDy(degree=1).fit(X, T)
    stop = interrupted(lambda: model.ensemble(6), 2, "draws")
    assert isinstance(stop.partial, type(model.ensemble(2)))
    np.testing.assert_array_equal(stop.partial.coefficients, model.ensemble(2).coefficients)
    assert str(stop.partial).startswith("partial: the work was stopped after 2 of 6 steps")


def test_a_path_keeps_its_points():
    family = er.fields.Polynomial(degree=2, dim=2).as_field()
    penalty = er.promote(family, er.actions.rotation(2), er.Samples.box(-1, 1, dim=2))
    whole = penalty.path(POINTS, VALUES, [1.0, 0.1, 0.01])
    stop = interrupted(lambda: penalty.path(POINTS, VALUES, [1.0, 0.1, 0.01]), 2)
    assert [fit.lam for fit in stop.partial] == [1.0, 0.1]
    np.testing.assert_array_equal(stop.partial[1].theta, whole[1].theta)


def test_a_choice_is_kept_once_there_is_one():
    model = er.estimators.SymmetryPromotingRegressor(er.actions.rotation(2), lams=[0.1, 0.01], cv=2)
    stop = interrupted(lambda: model.fit(POINTS, VALUES), 0, "refits")
    assert not hasattr(model, "coef_") and "partial: " in stop.partial.selected_.reason
    np.testing.assert_allclose(stop.partial.predict(POINTS), VALUES, atol=0.05)
    with pytest.raises(KeyboardInterrupt) as early, er.progress(stopped_at(1, "folds")):
        model.fit(POINTS, VALUES)
    assert not isinstance(early.value, er.Interrupted)


def test_a_bound_that_was_stopped_is_looser_and_proven():
    def bound():
        return er.evidence.bound("x**2 + 1.01*y**2 + x*y**3", er.actions.rotation(2), [(-1, 1), (-1, 1)], ratio=1.01)

    partial, whole = interrupted(bound, 3).partial, bound()
    assert partial.upper >= whole.upper >= whole.lower >= partial.lower
    assert partial.reason.startswith("partial: ") and "partial: " in str(partial)


def test_symbolic_regression_keeps_its_best_system():
    pytest.importorskip("pyoperon")
    x = np.random.default_rng(0).normal(size=(100, 1))
    model = er.dynamics.SymbolicRegression(evaluations=1000, restarts=2)
    stop = interrupted(lambda: model.fit(x, x_dot=-np.sin(x)), 1, "runs of the search")
    assert not hasattr(model, "equations_") and stop.partial.reason_.startswith("partial: ")
    assert np.isfinite(stop.partial.predict(x)).all()


# --- a real signal


def test_ctrl_c_reaches_the_user_with_a_result():
    code = """
import signal
import erlangen as er
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what it starts in the background
def show(state):
    if state.boxes == 1:
        print("ready", flush=True)
try:
    er.evidence.bound("sin(x) + sin(3*y) + x*y**3", er.actions.rotation(2), [(-3, 3)] * 2, ratio=1 + 1e-12, seconds=60,
                      progress=show)
except er.Interrupted as stop:
    print(type(stop.partial).__name__, stop.partial.lower <= stop.partial.upper, stop.done > 0)
    raise SystemExit(130)
"""
    work = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert work.stdout is not None and work.stdout.readline() == "ready\n"
    os.kill(work.pid, signal.SIGINT)
    assert work.communicate(timeout=30)[0] == "BoxCertificate True True\n"
    assert work.returncode == 130


def test_a_command_says_what_was_not_written(tmp_path, capsys, monkeypatch):
    from erlangen.cli import main

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    np.savez(tmp_path / "so2.npz", generators=np.array([[[0.0, -1.0], [1.0, 0.0]]]))
    monkeypatch.setattr("erlangen.io.read_generators", interrupt)
    out = tmp_path / "answer.json"
    assert main(["identify", str(tmp_path / "so2.npz"), "--out", str(out)]) == 130
    assert capsys.readouterr().err == f"Interrupted. {out} was not written.\n" and not out.exists()
