"""`erlangen equations`: what it answers, writes and refuses."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

import erlangen as er
from erlangen.cli import _symmetries
from erlangen.dynamics import Equations

RUNS = ("--time", "t", "--group", "run")
FAST = ("--form", "strong")  # slopes are regressed: enough for data without noise
HOPF = {"x": "x - y - x*(x**2 + y**2)", "y": "x + y - y*(x**2 + y**2)"}


def table(right: dict[str, str], starts: list[list[float]], t: np.ndarray) -> pd.DataFrame:
    equations = Equations.from_text(right)
    frames = []
    for k, start in enumerate(starts):
        states = equations.simulate(start, t).states
        frames.append(pd.DataFrame({"run": k, "t": t} | dict(zip(equations.names, states.T))))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def hopf(tmp_path_factory):
    path = tmp_path_factory.mktemp("hopf") / "hopf.csv"
    table(HOPF, [[0.1, 0.0], [1.5, 1.0]], np.linspace(0, 6, 61)).to_csv(path, index=False)
    return path


def close_to(found: Equations, right: dict[str, str], accuracy: float) -> bool:
    x = np.random.default_rng(0).uniform(-1, 1, (50, len(right)))
    return bool(np.abs(found.value(x) - Equations.from_text(right).value(x)).max() < accuracy)


def test_equations_are_found_saved_and_followed(call, hopf, tmp_path):
    model, sim = tmp_path / "m.json", tmp_path / "sim.csv"
    code, out, err = call("equations", hopf, *RUNS, *FAST, "--save", model, "--simulate", sim, "--json")
    answer = json.loads(out)
    assert code == 0 and answer["kind"] == "equations" and answer["about"]["runs"] == 2
    found = Equations.load(model)
    assert close_to(found, HOPF, 0.01) and found.text() == answer["text"]
    assert found.coefficients.tolist() == answer["equations"]["coefficients"]
    data, followed = pd.read_csv(hopf), pd.read_csv(sim)
    assert list(followed.columns) == ["run", "t", "x", "y"] and len(followed) == len(data)
    assert np.abs(followed[["x", "y"]] - data[["x", "y"]]).to_numpy().max() < 0.01
    assert f"Wrote {sim}." in err


def test_a_symmetry_is_enforced(call, hopf):
    code, out, _ = call("equations", hopf, *RUNS, *FAST, "--symmetry", "-y,x", "--json")
    found = Equations.from_dict(json.loads(out)["equations"])
    assert code == 0 and close_to(found, HOPF, 0.01)
    commuting = er.discover(found, er.actions.rotation(2), er.Samples.box(-1, 1, dim=2))
    assert commuting.dim == 1 and commuting.defects.max() < 1e-9


@pytest.mark.parametrize("name", ["rotation", "so2", "SO(2)", "so(2)", "-y,x", "-y, x", "-(y),x*(1+0)"])
def test_names_of_rotations(name):
    (matrix,) = er.actions.matrices_of(_symmetries.read(name, ("x", "y")))
    np.testing.assert_array_equal(matrix * matrix[1, 0], [[0.0, -1.0], [1.0, 0.0]])


def test_rotations_of_space_turn_positions_and_velocities_in_step():
    action = _symmetries.read("so3", tuple("xyzuvw"))
    assert action.n_generators == 3
    for matrix in er.actions.matrices_of(action):
        np.testing.assert_array_equal(matrix[:3, :3], matrix[3:, 3:])
        assert not matrix[:3, 3:].any() and not matrix[3:, :3].any()
    assert _symmetries.read("x,0;0,y", ("x", "y")).n_generators == 2


def test_a_wrong_symmetry_is_told_by_how_much(call, hopf):
    code, out, err = call("equations", hopf, *RUNS, *FAST, "--symmetry", "scaling", "--json")
    answer = json.loads(out)
    assert code == 1 and not answer["answered"]
    assert answer["symmetry_test"]["rejected"] and answer["symmetry_test"]["breaking"] > 0.1
    assert "not answered: The data speak against the symmetry" in err and "of the velocities" in err


def test_what_equations_leave_beyond_the_noise_is_told(call, tmp_path):
    # positions of an oscillator without its velocities: no equation of first order explains them
    t, draws = np.linspace(0, 10, 200), np.random.default_rng(0)
    pd.DataFrame({"t": t, "x": np.cos(t) + 0.01 * draws.normal(size=200)}).to_csv(tmp_path / "x.csv", index=False)
    page = tmp_path / "page.html"
    code, out, err = call("equations", tmp_path / "x.csv", "--time", "t", "--degree", 2, "--json", "--report", page)
    answer = json.loads(out)
    assert code == 1 and answer["misfit"]["x"] > 4
    assert "leave more than the noise" in answer["why_not"] and any(
        text.startswith(answer["why_not"]) for text in answer["warnings"]
    )
    assert "not answered: The equations leave more" in err and "equations" in answer
    assert "Not only noise is left: the equations leave more" in page.read_text(encoding="utf-8")


def test_a_symmetry_is_found_in_the_data_and_in_the_equations(call, hopf):
    code, out, _ = call("equations", hopf, *RUNS, *FAST, "--promote", "linear", "--symmetries", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["symmetry"]["name"] == "so(2)"
    assert answer["symmetries"]["dim"] == 1 and answer["symmetries"]["name"] == "so(2)"


def test_controls_are_given_from_outside(call, tmp_path):
    equations, t, frames = Equations.from_text({"x": "v", "v": "-x - 0.3*v + 2*u"}, "u"), np.linspace(0, 8, 81), []
    for k in range(2):
        u = np.sin((0.7 + 0.6 * k) * t)
        states = equations.simulate([1.0, k], t, controls=u[:, None]).states
        frames.append(pd.DataFrame({"run": k, "t": t, "u": u, "x": states[:, 0], "v": states[:, 1]}))
    pd.concat(frames).to_csv(tmp_path / "driven.csv", index=False)
    words = (tmp_path / "driven.csv", *RUNS, "--control", "u", "--degree", 1)
    sim, page = tmp_path / "sim.csv", tmp_path / "page.html"
    code, out, _ = call("equations", *words, "--form", "weak", "--json", "--simulate", sim, "--report", page)
    answer = json.loads(out)
    found = Equations.from_dict(answer["equations"])
    assert code == 0 and answer["about"]["controls"] == found.to_dict()["controls"] == ["u"]
    np.testing.assert_allclose(found.value([[1.0, 0.0]], [[1.0]]), [[0.0, 1.0]], atol=0.01)
    np.testing.assert_allclose(pd.read_csv(sim)["x"], pd.concat(frames)["x"], atol=0.01)
    assert page.exists()
    code, _, _ = call("conserved", *words, "--quiet")
    assert code in (0, 1)
    refused(call("discover", "dynamics", *words[:-2], "--candidates", "linear"), "--candidates")


def test_a_parameter_of_each_run_is_in_the_equations(call, tmp_path):
    t = pd.date_range("2024-01-01", periods=61, freq="100ms")
    frames = []
    for k, rate in enumerate((0.5, 1.0, 1.5)):
        right = {"x": f"-{rate}*x"}
        frames.append(table(right, [[2.0 - 0.5 * k]], np.linspace(0, 6, 61)).assign(run=k, t=t, rate=rate))
    pd.concat(frames).to_csv(tmp_path / "decay.csv", index=False)
    words = ("equations", tmp_path / "decay.csv", *RUNS, "--degree", 2, "--json")
    code, out, err = call(*words, "--parameter", "rate")
    answer = json.loads(out)
    assert code == 0 and answer["about"]["controls"] == ["rate"]
    np.testing.assert_allclose(Equations.from_dict(answer["equations"]).value([[2.0]], [[0.5]]), [[-1.0]], atol=0.01)
    assert "Column 't' holds dates: times are seconds" in err
    assert "Constant in each run: rate." in call(*words[:-1], *FAST).err


def test_rotations_turn_positions_and_velocities_in_step(call, tmp_path):
    spring = {"x": "vx", "y": "vy", "vx": "-x", "vy": "-y"}
    starts = [[1.0, 0.2, 0.0, 0.8], [0.3, -1.0, 0.5, 0.1]]
    table(spring, starts, np.linspace(0, 6, 121)).to_csv(tmp_path / "spring.csv", index=False)
    words = (*RUNS, *FAST, "--degree", 1, "--symmetry", "so(2)", "--quiet")
    code, out, _ = call("equations", tmp_path / "spring.csv", *words)
    assert code == 0 and out.count("\n") == 1
    assert out.startswith("x' = ") and "vx' = " in out


def test_formulas_are_terms(call, tmp_path):
    right = {"th": "om", "om": "-sin(th)"}
    table(right, [[1.0, 0.0], [2.5, 0.1]], np.linspace(0, 10, 201)).to_csv(tmp_path / "p.csv", index=False)
    words = (*FAST, "--degree", 1, "--feature", "sin(th)", "--feature", "cos(th)", "--json")
    code, out, _ = call("equations", tmp_path / "p.csv", *RUNS, *words)
    assert code == 0 and close_to(Equations.from_dict(json.loads(out)["equations"]), right, 0.01)


def test_a_page_is_written(call, hopf, tmp_path):
    page = tmp_path / "page.html"
    code, _, err = call("equations", hopf, *RUNS, *FAST, "--report", page)
    assert code == 0 and f"Wrote {page}." in err
    assert "Equations of motion: hopf" in page.read_text(encoding="utf-8")


def test_demo_finds_a_known_system(call, tmp_path):
    code, out, err = call("demo", "--system", "growth", "--report", tmp_path / "growth.html", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["about"]["system"] == "growth" and "Wrote" in err
    assert close_to(Equations.from_dict(answer["equations"]), answer["about"]["truth"], 0.1)
    assert "Equations of motion: growth" in (tmp_path / "growth.html").read_text(encoding="utf-8")
    for words in (("--system", "growth", "--body", "mars"), ("--system", "grwth")):
        refused(call("demo", *words))


# --- mistakes


def refused(outcome, *words):
    assert outcome.code == 2 and outcome.out == ""
    assert outcome.err.startswith("error: ") and "fix:" in outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


MISTAKES = {
    "symmetry": (("--symmetry", "rotaton"), "did you mean 'rotation'?"),
    "too few columns": (("--symmetry", "so3"), "a multiple of 3 columns"),
    "formula": (("--symmetry", "-y,q"), "Unknown variable 'q'"),
    "one formula": (("--symmetry", "-y,x,0"), "one component per coordinate"),
    "form": (("--form", "wek"), "did you mean 'weak'?"),
    "feature": (("--feature", "sin(x"), "not closed"),
    "column": (("--feature", "sin(q)"), "'q'"),
    "time": (("--feature", "cos(1.2*t)"), "do not depend on time itself", "--control"),
    "parameter": (("--parameter", "x"), "Parameters change within run"),
    "nothing": (("--degree", "0"), "nothing to make equations of"),
    "state": (("--state", "x,z"), "'z'"),
    "report": (("--report", "page.htm"), "--report page.html"),
    "save": (("--save", "model"), "--save model.json"),
    "folder": (("--simulate", "nowhere/sim.csv"), "no such folder"),
    "exists": (("--save", "there.json"), "--force"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_teach(call, hopf, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.json").write_text("mine")
    words, *told = MISTAKES[case]
    refused(call("equations", hopf, *RUNS, *words), *told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.json"]


def test_time_going_backwards_is_refused(call, hopf, tmp_path):
    frame = pd.read_csv(hopf)
    frame.loc[50, "t"] = 0.0
    frame.to_csv(tmp_path / "back.csv", index=False)
    refused(call("equations", tmp_path / "back.csv", *RUNS), "'t'", "run 0")


def circle(n: int, path) -> object:
    t = np.linspace(0, 4, n)
    pd.DataFrame({"t": t, "x": np.cos(t), "y": np.sin(t)}).to_csv(path, index=False)
    return path


def test_terms_that_simpler_ones_make_up_are_named(call, tmp_path):
    words = ("--time", "t", "--degree", 2, "--feature", "(x+1)**2")
    code, out, _ = call("equations", circle(41, tmp_path / "c.csv"), *words)
    assert code == 0 and "x' = -y\ny' = x\n" in out
    assert re.search(r"left out, since simpler functions .*: .*\(x \+ 1\)\^2", out)
    words = ("--time", "t", "--degree", 2, "--feature", "x**2")
    refused(call("equations", tmp_path / "c.csv", *words), "x^2", "leave one of them out")


def test_too_few_samples_decide_nothing(call, tmp_path):
    code, out, err = call("equations", circle(6, tmp_path / "few.csv"), "--time", "t", "--json")
    assert code == 1 and json.loads(out)["kind"] == "undecided" and "longer runs" in err
    code, _, err = call("equations", circle(30, tmp_path / "f.csv"), "--time", "t", "--degree", 5, *FAST, "--quiet")
    assert code == 1 and "a smaller library" in err


def test_a_blow_up_is_told_and_what_was_reached_is_written(call, tmp_path):
    # the data end before the solution does; the equations, followed from the first state, may not be far off
    t = np.linspace(0, 0.9, 91)
    table({"x": "x**2"}, [[1.0], [0.9]], t).to_csv(tmp_path / "grow.csv", index=False)
    words = (*RUNS, *FAST, "--degree", 2, "--save", tmp_path / "m.json")
    code, _, _ = call("equations", tmp_path / "grow.csv", *words)
    run = Equations.load(tmp_path / "m.json").simulate([1.0], np.linspace(0, 2, 201))
    assert code == 0 and not run.complete and abs(run.times[-1] - 1.0) < 0.05
