"""`erlangen equations`: what it answers, writes and refuses."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import erlangen as er
from erlangen.dynamics import Equations

RUNS = ("--time", "t", "--group", "run")
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
    table(HOPF, [[0.1, 0.0], [1.5, 1.0], [-1.0, 0.4]], np.linspace(0, 6, 121)).to_csv(path, index=False)
    return path


def close_to(found: Equations, right: dict[str, str], accuracy: float) -> bool:
    x = np.random.default_rng(0).uniform(-1, 1, (50, len(right)))
    return bool(np.abs(found.value(x) - Equations.from_text(right).value(x)).max() < accuracy)


def test_equations_are_found_saved_and_followed(call, hopf, tmp_path):
    model, sim = tmp_path / "m.json", tmp_path / "sim.csv"
    code, out, err = call("equations", hopf, *RUNS, "--save", model, "--simulate", sim, "--json")
    answer = json.loads(out)
    assert code == 0 and answer["kind"] == "equations" and answer["about"]["runs"] == 3
    found = Equations.load(model)
    assert close_to(found, HOPF, 0.01) and found.text() == answer["text"]
    assert found.coefficients.tolist() == answer["equations"]["coefficients"]
    data, followed = pd.read_csv(hopf), pd.read_csv(sim)
    assert list(followed.columns) == ["run", "t", "x", "y"] and len(followed) == len(data)
    assert np.abs(followed[["x", "y"]] - data[["x", "y"]]).to_numpy().max() < 0.01
    assert f"Wrote {sim}." in err


@pytest.mark.parametrize("name", ["rotation", "so2", "SO(2)", "-y,x"])
def test_a_symmetry_is_enforced(call, hopf, name):
    code, out, _ = call("equations", hopf, *RUNS, "--symmetry", name, "--json")
    found = Equations.from_dict(json.loads(out)["equations"])
    assert code == 0 and close_to(found, HOPF, 0.01)
    commuting = er.discover(found, er.actions.rotation(2), er.Samples.box(-1, 1, dim=2))
    assert commuting.dim == 1 and commuting.defects.max() < 1e-9


def test_rotations_turn_positions_and_velocities_in_step(call, tmp_path):
    spring = {"x": "vx", "y": "vy", "vx": "-x", "vy": "-y"}
    starts = [[1.0, 0.2, 0.0, 0.8], [0.3, -1.0, 0.5, 0.1]]
    table(spring, starts, np.linspace(0, 6, 121)).to_csv(tmp_path / "spring.csv", index=False)
    code, out, _ = call("equations", tmp_path / "spring.csv", *RUNS, "--degree", 1, "--symmetry", "so(2)", "--quiet")
    assert code == 0 and out.count("\n") == 1
    assert out.startswith("x' = ") and "vx' = " in out


def test_formulas_are_terms(call, tmp_path):
    right = {"th": "om", "om": "-sin(th)"}
    table(right, [[1.0, 0.0], [2.5, 0.1]], np.linspace(0, 10, 201)).to_csv(tmp_path / "p.csv", index=False)
    words = ("--degree", 1, "--feature", "sin(th)", "--feature", "cos(th)", "--json")
    code, out, _ = call("equations", tmp_path / "p.csv", *RUNS, *words)
    assert code == 0 and close_to(Equations.from_dict(json.loads(out)["equations"]), right, 0.01)


def test_a_page_is_written(call, hopf, tmp_path):
    page = tmp_path / "page.html"
    code, _, err = call("equations", hopf, *RUNS, "--report", page)
    assert code == 0 and f"Wrote {page}." in err
    assert "Equations of motion: hopf" in page.read_text(encoding="utf-8")


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


def test_a_blow_up_is_told_and_what_was_reached_is_written(call, tmp_path):
    # the data end before the solution does; the equations, followed from the first state, may not be far off
    t = np.linspace(0, 0.9, 91)
    table({"x": "x**2"}, [[1.0], [0.9]], t).to_csv(tmp_path / "grow.csv", index=False)
    code, _, _ = call("equations", tmp_path / "grow.csv", *RUNS, "--degree", 2, "--save", tmp_path / "m.json")
    run = Equations.load(tmp_path / "m.json").simulate([1.0], np.linspace(0, 2, 201))
    assert code == 0 and not run.complete and abs(run.times[-1] - 1.0) < 0.05
