"""``erlangen certify``: verdicts, exit codes and bad input."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import erlangen as er
from erlangen.cli.certify import of_certificate


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("certify"), np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 2))
    y = (x**2).sum(axis=1) + 0.02 * rng.standard_normal(600)
    frame = pd.DataFrame({"u": x[:, 0], "v": x[:, 1], "energy": y})
    frame.to_csv(folder / "many.csv", index=False)
    frame[:30].assign(energy=frame.energy[:30] + 0.3 * rng.standard_normal(30)).to_csv(folder / "few.csv", index=False)
    x = np.random.default_rng(0).uniform(-1, 1, (300, 3))
    r = x[:, 0] ** 2 + x[:, 1] ** 2
    y = r + r * x[:, 2] ** 2 + 0.02 * rng.standard_normal(300)
    pd.DataFrame({"x": x[:, 0], "y": x[:, 1], "z": x[:, 2], "energy": y}).to_csv(folder / "noisy.csv", index=False)
    t, runs = np.linspace(0, 4, 120), []
    for k in range(8):
        a, r0 = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.2)
        r = np.sqrt(1 / (1 + (1 / r0**2 - 1) * np.exp(-2 * t)))  # the radius of the Hopf normal form
        z = np.stack([r * np.cos(a + t), r * np.sin(a + t)], axis=1) + 0.002 * rng.standard_normal((120, 2))
        runs.append(pd.DataFrame({"t": t, "run": k, "x": z[:, 0], "y": z[:, 1]}))
    pd.concat(runs).to_csv(folder / "hopf.csv", index=False)
    return folder


def test_a_rotation_is_certified_from_a_table(call, tables):
    code, out, _ = call(
        "certify", "function", tables / "many.csv", "--target", "energy", "--box=-1,1", "--degree", "2", "--json"
    )
    answer = json.loads(out)
    assert code == 0 and answer["dim"] == 1 and answer["generators"][0]["generator"] == "u d/dv - v d/du"
    assert answer["path"][0]["certified"] == 0 and all(gate["passed"] for gate in answer["gates"])


def test_few_noisy_rows_do_not_decide(call, tables):
    code, out, err = call("certify", "function", tables / "few.csv", "--target", "energy", "--degree", "2")
    assert code == 1 and "do not decide" in out + err


def test_runs_are_smoothed_and_tested_in_blocks(call, tables):
    code, out, _ = call(
        "certify",
        "dynamics",
        tables / "hopf.csv",
        "--time",
        "t",
        "--group",
        "run",
        "--degree",
        "3",
        "--candidates",
        "rotation",
    )
    assert code == 0 and "x d/dy - y d/dx" in out and "forgets itself" in out


@pytest.mark.parametrize(
    "words", [["--box", "1"], ["--alpha", "2"], ["--mode", "magic"], ["--mode", "model"], ["--degree", "-1"]]
)
def test_bad_words_are_explained(call, tables, words):
    code, _, err = call("certify", "function", tables / "many.csv", "--target", "energy", *words)
    assert code == 2 and "fix:" in err and "Traceback" not in err


def test_answers_name_what_a_user_can_type(call, tables):
    code, _, err = call("certify", "function", tables / "noisy.csv", "--target", "energy")
    assert code == 1 and "--degree N" in err and "--box=LOW,HIGH" in err and "300 rows in all" in err
    assert "samples=" not in err and "family=" not in err and "degree=2" not in err
    code, _, err = call("certify", "function", tables / "noisy.csv", "--target", "energy", "--mode", "model")
    assert code == 2 and "says nothing about these data" in err
    assert call("certify", "function", tables / "noisy.csv", "--target", "energy", "--degree", "4")[0] == 0


@pytest.mark.parametrize("n", [2, 3, 5, 6, 8, 14, 20])
@pytest.mark.parametrize("words", [[], ["--degree", "1"], ["--mode", "class-free"]], ids=["chosen", "degree", "free"])
def test_few_rows_do_not_decide_and_are_counted_as_given(call, tables, tmp_path, n, words):
    pd.read_csv(tables / "noisy.csv")[["x", "y", "energy"]][:n].to_csv(tmp_path / "few.csv", index=False)
    code, _, err = call("certify", "function", tmp_path / "few.csv", "--target", "energy", *words)
    assert code == 1 and "not answered" in err and "Traceback" not in err
    assert f"{n} rows" in err or f"{n} numbers" in err or "fix:" not in err


def test_files_hold_figures_and_what_identify_reads(call, tables, tmp_path):
    asked = ("certify", "function", tables / "many.csv", "--target", "energy", "--box=-1,1", "--degree", "2")
    assert call(*asked, "--out", tmp_path / "found.npz")[0] == 0
    with np.load(tmp_path / "found.npz") as found:
        assert found["names"].tolist() == ["u d/dv - v d/du"] and found["coefficients"].shape[:2] == (1, 2)
        assert 0 < found["bounds"][0] < 0.05
    code, out, _ = call("identify", tmp_path / "found.npz", "--quiet")
    assert (code, out.strip()) == (0, "R")
    assert call(*asked, "--out", tmp_path / "page.html")[0] == 0
    text = (tmp_path / "page.html").read_text()
    assert "evidence-path" in text and "Dimension as a function of delta" in text and "600 samples" in text


def test_few_runs_ask_for_runs(call, tables, tmp_path):
    flow = pd.read_csv(tables / "hopf.csv")
    flow[flow["run"] < 3].to_csv(tmp_path / "three.csv", index=False)
    asked = ("certify", "dynamics", tmp_path / "three.csv", "--time", "t", "--group", "run", "--mode", "class-free")
    code, _, err = call(*asked)
    assert code == 1 and "3 independent groups" in err and "more runs, told apart by --group" in err
    assert "rows in all" not in err


def test_a_gate_that_leaves_doubt_is_named_with_its_numbers():
    x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    y = (x**2).sum(axis=1) + 0.02 * np.random.default_rng(1).normal(size=300)
    found = er.evidence.certify((x, y), er.actions.rotation(2), er.Samples.box(-1, 1, dim=2), family=2)
    assert of_certificate(found).why_not == ""
    words = "brackets leave their span by 0.034, more than their errors explain (0.015)"
    gate = er.evidence.Gate("closure", False, 0.034, 0.015, words, binding=False)
    doubt = of_certificate(replace(found, gates=(*found.gates, gate))).why_not
    assert doubt.startswith(
        "The generators are certified, but whether they close under brackets is in doubt: gate clos"
    )
    assert "0.034" in doubt and "0.015" in doubt
    more = replace(found.band, lower=np.zeros(1), upper=np.ones(1))
    assert "do not decide" in (both := of_certificate(replace(found, gates=(gate,), band=more)).why_not)
    assert "0.034" in both
