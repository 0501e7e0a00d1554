"""``erlangen certify``: verdicts, exit codes and bad input."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("certify"), np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 2))
    y = (x**2).sum(axis=1) + 0.02 * rng.standard_normal(600)
    frame = pd.DataFrame({"u": x[:, 0], "v": x[:, 1], "energy": y})
    frame.to_csv(folder / "many.csv", index=False)
    frame[:30].assign(energy=frame.energy[:30] + 0.3 * rng.standard_normal(30)).to_csv(folder / "few.csv", index=False)
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


@pytest.mark.parametrize("words", [["--box", "1"], ["--alpha", "2"], ["--mode", "magic"], ["--degree", "-1"]])
def test_bad_words_are_explained(call, tables, words):
    code, _, err = call("certify", "function", tables / "many.csv", "--target", "energy", *words)
    assert code == 2 and "fix:" in err and "Traceback" not in err
