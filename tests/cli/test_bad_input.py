"""Bad input through the command line: one clear message, exit code 2, nothing written, never a traceback."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
from cli_tables import ball, turns

FUNCTION = ("discover", "function")
DYNAMICS = ("discover", "dynamics")
RUNS = ("--time", "t", "--group", "run")
ENERGY = ("--target", "energy")


def refused(outcome, *fragments):
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("error: ") and outcome.err.count("\n") <= 4
    for fragment in fragments:
        assert fragment in outcome.err, outcome.err


# --- columns

COLUMNS = {
    "target": ((*FUNCTION, "ball.csv", "--target", "enregy"), "'enregy'", "did you mean 'energy'?"),
    "inputs": ((*FUNCTION, "ball.csv", *ENERGY, "--inputs", "x,yy"), "'yy'", "did you mean 'y'?"),
    "case": ((*FUNCTION, "ball.csv", "--target", "ENERGY"), "did you mean 'energy'?"),
    "target among inputs": ((*FUNCTION, "ball.csv", *ENERGY, "--inputs", "x,energy"), "energy"),
    "twice": ((*FUNCTION, "ball.csv", *ENERGY, "--inputs", "x,x"), "named twice"),
    "empty name": ((*FUNCTION, "ball.csv", *ENERGY, "--inputs", "x,,y"), "empty"),
    "columns": (("discover", "cloud", "sphere.csv", "--columns", "x", "--columns", "w"), "'w'", "x, y, z"),
    "time": ((*DYNAMICS, "turns.csv", "--time", "tt", "--group", "run"), "'tt'", "did you mean 't'?"),
    "group": ((*DYNAMICS, "turns.csv", "--time", "t", "--group", "rum"), "'rum'", "did you mean 'run'?"),
    "state": ((*DYNAMICS, "turns.csv", *RUNS, "--state", "x,speed"), "'speed'", "run, t, x, y"),
    "conserved": (("conserved", "turns.csv", "--time", "time", "--group", "run"), "'time'"),
    "positions": (
        ("conserved", "turns.csv", *RUNS, "--positions", "xx", "--momenta", "y"),
        "'xx'",
        "did you mean 'x'?",
    ),
    "pairs": (("conserved", "turns.csv", *RUNS, "--positions", "x,y", "--momenta", "y"), "pairs"),
    "momenta alone": (("conserved", "turns.csv", *RUNS, "--momenta", "y"), "pairs"),
    "body": (("demo", "--body", "plto"), "did you mean 'pluto'?"),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_columns_that_are_not_there(call, files, monkeypatch, case):
    monkeypatch.chdir(files)
    words, *fragments = COLUMNS[case]
    refused(call(*words), *fragments)


# --- values


def spoil(frame: pd.DataFrame, rows, column, value) -> pd.DataFrame:
    frame.loc[rows, column] = value
    return frame


VALUES = {
    "nan": ((*FUNCTION, *ENERGY), spoil(ball(), [2, 6], "x", np.nan), "2 of 120 rows", "rows 3, 7", "--drop-nan"),
    "inf": (("discover", "cloud"), spoil(ball(), [0], "energy", np.inf), "1 of 120 rows", "row 1", "energy"),
    "text": ((*FUNCTION, *ENERGY), spoil(ball().astype(object), [4], "y", "n/k"), "'n/k'", "row 5", "not numeric"),
    "constant target": ((*FUNCTION, *ENERGY), spoil(ball(), slice(None), "energy", 3.0), "never changes"),
    "few rows": ((*FUNCTION, *ENERGY), ball(4), "Fewer samples than generators", "4 numbers"),
    "few points": (("discover", "cloud"), ball(5), "5"),
    "candidates": ((*FUNCTION, *ENERGY, "--candidates", "polynomial:9"), ball(), "660 candidates", "at most 120"),
    "unsorted": ((*DYNAMICS, *RUNS), spoil(turns(), [44], "t", 0.1), "'t'", "run 1", "row 45"),
    "repeated": ((*DYNAMICS, *RUNS), spoil(turns(), [1], "t", 0.0), "'t'", "run 0", "row 2"),
    "one sample": ((*DYNAMICS, *RUNS), turns().iloc[:41], "1 of 2 runs", "one sample"),
    "one sample conserved": (("conserved", *RUNS), turns().iloc[:41], "1 of 2 runs"),
    "functions": (("conserved", *RUNS, "--degree", "40"), turns(), "860 functions", "200 samples"),
    "nothing to look among": (("conserved", *RUNS, "--degree", "0"), turns(), "--feature"),
    "formula not finite": (("conserved", *RUNS, "--feature", "log(x)"), turns(), "log(x)", "not finite"),
    "all rows dropped": (("discover", "cloud", "--drop-nan", "-q"), spoil(ball(), slice(None), "x", np.nan), "0 rows"),
}


@pytest.mark.parametrize("case", VALUES)
def test_values_that_cannot_be_used(call, tmp_path, case):
    words, frame, *fragments = VALUES[case]
    frame.to_csv(tmp_path / "table.csv", index=False)
    refused(call(*words, tmp_path / "table.csv"), *fragments)


def test_bad_rows_are_dropped_on_demand_and_counted(call, tmp_path):
    spoil(ball(), [2, 6], "x", np.nan).to_csv(tmp_path / "table.csv", index=False)
    code, out, err = call(*FUNCTION, tmp_path / "table.csv", *ENERGY, "--drop-nan")
    assert code == 0 and "118 samples" in out
    assert err.startswith("warning: Dropped 2 of 120 rows") and err.count("\n") == 1


def test_constant_columns_are_told_in_one_line(call, tmp_path):
    ball().assign(w=1.5).to_csv(tmp_path / "table.csv", index=False)
    code, out, err = call(*FUNCTION, tmp_path / "table.csv", *ENERGY)
    assert code == 0 and "so(3)" in out
    assert err.startswith("warning: Constant columns: w.") and err.count("\n") == 1


def test_noise_that_hides_the_field_is_not_answered(call, tmp_path):
    frame = turns()
    frame[["x", "y"]] += 2.0 * np.random.default_rng(0).normal(size=(len(frame), 2))
    frame.to_csv(tmp_path / "noisy.csv", index=False)
    code, out, err = call(*DYNAMICS, tmp_path / "noisy.csv", *RUNS)
    assert code == 1 and "not answered: " in err and "its derivative is known to" in out
    line = f"Next: erlangen equations {tmp_path}/noisy.csv --time t --group run --feature 'FORMULA' --symmetries"
    assert line in err and "--feature '1/(1 + x)'" in err


# --- files


class Danger:
    """Unpickling this would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def write_pickle(path):
    content = io.BytesIO()
    np.save(content, np.array([1.0]))
    header = np.lib.format
    stream = io.BytesIO()
    header.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    stream.write(pickle.dumps(Danger(str(path.parent / "pwned"))))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("generators.npy", stream.getvalue())


def write_arrays(**arrays):
    return lambda path: np.savez(path, **arrays)


IDENTIFY = ("identify",)
CLOUD = ("discover", "cloud")
FILES = {
    "missing": (CLOUD, "sphere.cvs", None, "There is no such file", "did you mean 'sphere.csv'?"),
    "directory": (CLOUD, "folder.csv", lambda p: p.mkdir(), "a directory"),
    "empty": (CLOUD, "empty.csv", lambda p: p.touch(), "empty"),
    "header alone": (CLOUD, "header.csv", lambda p: p.write_text("x,y,z\n"), "empty", "0 rows"),
    "no header": (CLOUD, "bare.csv", lambda p: p.write_text("1,2\n3,4\n"), "no names"),
    "binary": (CLOUD, "binary.csv", lambda p: p.write_bytes(bytes(range(256)) * 8), "not text"),
    "latin": (CLOUD, "latin.csv", lambda p: p.write_bytes(b"x,\xe9\xff\n1,2\n"), "UTF-8"),
    "ragged": (CLOUD, "ragged.csv", lambda p: p.write_text("x,y\n1,2\n3,4,5\n"), "cannot be read"),
    "ending": (CLOUD, "table.xyz", lambda p: p.write_text("x\n1\n"), ".csv"),
    "no ending": (CLOUD, "table", lambda p: p.write_text("x\n1\n"), ".csv"),
    "not parquet": (CLOUD, "fake.parquet", lambda p: p.write_text("x,y\n1,2\n"), "Parquet"),
    "not npz": (IDENTIFY, "fake.npz", lambda p: p.write_text("x,y\n1,2\n"), "NPZ"),
    "broken npz": (IDENTIFY, "broken.npz", lambda p: p.write_bytes(b"PK\x03\x04" + b"\0" * 40), "NPZ"),
    "pickle": (IDENTIFY, "objects.npz", write_pickle, "never loaded"),
    "pickled table": (CLOUD, "objects.npz", write_pickle, "never loaded"),
    "not square": (IDENTIFY, "flat.npz", write_arrays(generators=np.ones((3, 2, 4))), "(p, k, k)"),
    "nan generators": (IDENTIFY, "nan.npz", write_arrays(generators=np.full((1, 2, 2), np.nan)), "NaN"),
    "dependent": (IDENTIFY, "same.npz", write_arrays(generators=np.ones((2, 2, 2))), "dependent"),
    "no arrays": (IDENTIFY, "none.npz", write_arrays(), "not found"),
    "lengths": (CLOUD, "lengths.npz", write_arrays(x=np.arange(3.0), y=np.arange(4.0)), "length"),
    "too many axes": (CLOUD, "cube.npz", write_arrays(x=np.zeros((2, 3, 4))), "(2, 3, 4)"),
    "one column": ((*FUNCTION, *ENERGY), "one.csv", lambda p: p.write_text("energy\n1\n2\n3\n"), ""),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_cannot_be_read(call, files, case):
    words, name, write, *fragments = FILES[case]
    if write is not None:
        write(files / name)
    refused(call(*words, files / name), *fragments)
    assert not (files / "pwned").exists()


# --- output


def test_an_output_that_exists_is_kept_unless_forced(call, files):
    target = files / "answer.json"
    target.write_text("precious")
    words = ("identify", files / "so3.npz", "--out", target)
    refused(call(*words), "exists", "--force")
    assert target.read_text() == "precious"
    assert call(*words, "--force").code == 0
    assert '"so(3)"' in target.read_text()


def test_the_output_is_checked_before_the_work(call, files, monkeypatch):
    def work(*_, **__):
        raise AssertionError("the file was read first")

    monkeypatch.setattr("erlangen.io.read_generators", work)
    (files / "answer.json").touch()
    refused(call("identify", files / "so3.npz", "--out", files / "answer.json"), "exists")


def test_the_input_is_never_overwritten(call, files):
    before = (files / "so3.npz").read_bytes()
    refused(call("identify", files / "so3.npz", "--out", files / "so3.npz", "--force"), "the input file")
    assert (files / "so3.npz").read_bytes() == before


OUTPUTS = {
    "no folder": ("nowhere/a.json", "no such folder"),
    "a file as folder": ("so3.npz/a.json", "no such folder"),
    "ending": ("a.txt", ".json, .html, .npz"),
    "misspelt ending": ("a.jsn", "did you mean a.json?"),
    "directory": ("folder.json", "directory"),
    "no right": ("/proc/a.json", ""),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_outputs_that_cannot_be_written(call, files, case):
    (files / "folder.json").mkdir()
    name, fragment = OUTPUTS[case]
    outcome = call("identify", files / "so3.npz", "--out", files / name)
    assert outcome.code == 2
    assert "error: " in outcome.err and fragment in outcome.err
    assert not list(files.glob("*.part"))


# --- formulas

HOSTILE = [
    "__import__('os').system('touch pwned')",
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__",
    "open('pwned','w')",
    "lambda: x",
    "x if x else y",
    "[x for x in (1,)]",
    "exec(x)",
    "x; import os",
    "x\nimport os",
    "sqrt",
    "x +",
    "",
    "9**9**9**9",
    "x**99999999",
    "((x**900)**900)**900",
    "(" * 5000 + "x" + ")" * 5000,
    "x+" * 20_000 + "x",
    "f'{x}'",
    "\u202ex",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[f"{i}" for i in range(len(HOSTILE))])
def test_hostile_formulas_are_refused_unevaluated(call, files, monkeypatch, text):
    monkeypatch.chdir(files)
    refused(call("conserved", "turns.csv", *RUNS, "--feature", text))
    assert not (files / "pwned").exists()


def test_a_misspelt_name_in_a_formula_is_suggested(call, files):
    ball().assign(t=np.arange(120.0)).to_csv(files / "t.csv", index=False)
    words = ("conserved", files / "t.csv", "--time", "t", "--feature", "enrgy**2")
    refused(call(*words), "'enrgy'", "did you mean 'energy'?")


# --- words on the line

USAGE = {
    "command": (("discver",), "No such command", "discover"),
    "subcommand": (("discover", "funtion"), "No such command", "function"),
    "option": ((*FUNCTION, "ball.csv", "--traget", "energy"), "No such option", "--target"),
    "no file": (("identify",), "Missing argument", "FILE"),
    "no target": ((*FUNCTION, "ball.csv"), "Missing option", "--target"),
    "no time": (("conserved", "turns.csv"), "Missing option", "--time"),
    "two files": (("identify", "so3.npz", "ball.csv"), "ball.csv"),
    "delta 0": ((*FUNCTION, "ball.csv", *ENERGY, "--delta", "0"), "--delta 0.0", "between 0 and 1"),
    "delta 2": (("demo", "--delta", "2"), "--delta 2.0"),
    "delta nan": (("demo", "--delta", "nan"), "--delta nan"),
    "delta text": (("demo", "--delta", "small"), "--delta", "small"),
    "seed": (("demo", "--seed", "-1"), "--seed"),
    "degree": (("conserved", "turns.csv", *RUNS, "--degree", "-2"), "--degree"),
    "noise": (("identify", "so3.npz", "--noise", "-1"), "--noise -1.0"),
    "candidates": ((*FUNCTION, "ball.csv", *ENERGY, "--candidates", "rotatoin"), "did you mean 'rotation'?"),
    "candidate degree": ((*FUNCTION, "ball.csv", *ENERGY, "--candidates", "polynomial:x"), "polynomial:DEGREE"),
    "huge degree": ((*FUNCTION, "ball.csv", *ENERGY, "--candidates", "polynomial:999"), "candidates"),
    "nul byte": (("identify", "a\0b.npz"), ""),
    "surrogate": (("identify", "a\udcff.npz"), "no such file"),
}


@pytest.mark.parametrize("case", USAGE)
def test_words_that_are_not_understood(call, files, monkeypatch, case):
    monkeypatch.chdir(files)
    words, *fragments = USAGE[case]
    refused(call(*words), *fragments)
