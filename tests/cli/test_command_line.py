"""What the commands answer, in words, JSON and files, and with which exit code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from cli_tables import ball

import erlangen as er
from erlangen.cli import _console, main
from erlangen.cli._console import Progress, say


def erlangen(*words, **options):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "erlangen", *map(str, words)], capture_output=True, text=True, check=False, **options
    )


# --- answers


def test_demo_finds_energy_and_angular_momentum(call):
    code, out, err = call("demo", "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert answer["answered"] and answer["n_laws"] == 4 and answer["algebra"] == "so(3)+R"
    energy = next(law for law in answer["laws"] if "sqrt" in law["text"])
    terms = {term["function"]: term["coefficient"] for term in energy["terms"]}
    potential = terms.pop("1/sqrt(x^2 + y^2 + z^2)")
    assert set(terms) == {"vx^2", "vy^2", "vz^2"}
    assert np.allclose(np.array(list(terms.values())) / -potential, 0.5, atol=0.005)


@pytest.mark.parametrize("bodies", [["venus"], ["venus,earth", "neptune", "uranus"]])
def test_demo_says_what_few_planets_cannot_decide(call, bodies):
    code, out, err = call("demo", *[word for body in bodies for word in ("--body", body)])
    assert code == 1
    assert "not decided" in out and "not answered" in err


def test_function_names_the_rotations(call, files):
    code, out, err = call("discover", "function", files / "ball.csv", "--target", "energy")
    assert (code, err) == (0, "")
    for words in ("120 samples of energy over x, y, z", "polynomial 2", "so(3)", "x d/dy - y d/dx"):
        assert words in out


def test_function_of_labels(call, tmp_path):
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (3000, 2))
    label = rng.random(3000) < 1 / (1 + np.exp(12 * ((x**2).sum(axis=1) - 0.6)))
    pd.DataFrame({"x": x[:, 0], "y": x[:, 1], "label": label.astype(int)}).to_csv(tmp_path / "labels.csv", index=False)
    words = ("--target", "label", "--candidates", "linear", "--delta", "0.2", "--json")
    code, out, _ = call("discover", "function", tmp_path / "labels.csv", *words)
    answer = json.loads(out)
    assert code == 0 and answer["about"]["labels"]
    assert answer["dim"] == 1 and answer["n_candidates"] == 4


def test_dynamics_finds_what_commutes_with_the_flow(call, files):
    words = ("--time", "t", "--group", "run", "--state", "x,y", "--candidates", "linear", "--json")
    code, out, _ = call("discover", "dynamics", files / "turns.csv", *words)
    answer = json.loads(out)
    # the centraliser of a quarter turn: scaling and rotation, both functions of the field itself
    assert code == 0 and answer["coordinates"] == ["x", "y"]
    assert [row["verdict"] for row in answer["directions"]].count("own") + answer["dim"] == 2
    assert answer["about"]["runs"] == 5 and answer["about"]["samples"] == 200


def test_dynamics_takes_no_derivative_of_noise(call, tmp_path):
    # the same reading of runs as er.dynamics.symmetries: differences of these samples are known to 0.4 only
    flow = er.systems.get("hopf").trajectories(rng=0, n_runs=10, t=np.linspace(0, 10, 200), noise=0.02)
    flow.to_frame().to_csv(tmp_path / "hopf.csv", index=False)
    words = ("--time", "time", "--group", "run", "--json")
    code, out, _ = call("discover", "dynamics", tmp_path / "hopf.csv", *words)
    answer = json.loads(out)
    assert code == 0 and answer["name"] == "so(2)" == er.dynamics.symmetries(flow).name
    assert answer["about"]["model"]["accuracy"] < 0.05


def test_cloud_names_the_rotations_of_a_sphere(call, files):
    code, out, _ = call("discover", "cloud", files / "sphere.csv", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["name"] == "so(3)"
    assert answer["about"]["intrinsic_dim"] == 2


def test_conserved_counts_the_circle(call, files):
    words = ("--time", "t", "--group", "run", "--positions", "x", "--momenta", "y", "--degree", "2")
    code, out, _ = call("conserved", files / "turns.csv", *words)
    assert code == 0
    assert "1 conserved quantity" in out and "x^2 + y^2" in out and "symmetry that it generates" in out


def test_conserved_from_formulas_alone(call, files):
    words = ("--time", "t", "--group", "run", "--degree", 0, "--feature", "sqrt(x**2 + y**2)", "--feature", "x*y")
    code, out, _ = call("conserved", files / "turns.csv", *words, "--quiet")
    assert (code, out) == (0, "1 conserved quantity.\n")


def test_identify_names_matrices(call, files):
    code, out, _ = call("identify", files / "so3.npz", "--json")
    answer = json.loads(out)
    assert code == 0
    assert (answer["name"], answer["dim"], answer["killing_signature"]) == ("so(3)", 3, [0, 3])


# --- forms of the answer


def test_arrays_written_by_discover_are_read_by_identify(call, files):
    found = files / "found.npz"
    code, _, err = call("discover", "function", files / "ball.csv", "--target", "energy", "--out", found)
    assert code == 0 and f"Wrote {found}." in err
    assert call("identify", found, "--quiet") == (0, "so(3)\n", "")


def test_quiet_prints_one_line(call, files):
    frame = ball()
    frame.loc[3, "x"] = np.nan
    frame.to_csv(files / "gap.csv", index=False)
    words = ("--target", "energy", "--drop-nan", "--quiet")
    code, out, err = call("discover", "function", files / "gap.csv", *words)
    assert (code, err) == (0, "")
    assert out.startswith("so(3)") and out.count("\n") == 1


def test_the_same_seed_gives_the_same_answer(call, files):
    words = ("discover", "function", files / "ball.csv", "--target", "energy", "--seed", "5", "--json")
    assert call(*words).out == call(*words).out


def test_json_file_holds_what_json_prints(call, files):
    out_file = files / "answer.json"
    code, out, err = call("identify", files / "so3.npz", "--json", "--out", out_file)
    assert code == 0 and "Wrote" in err
    assert json.loads(out_file.read_text()) == json.loads(out)


def test_html_escapes_what_the_data_are_called(call, files):
    hostile = "<script>alert(1)</script>"
    ball().rename(columns={"x": hostile}).to_csv(files / "hostile.csv", index=False)
    out_file = files / "page.html"
    code, _, _ = call("discover", "function", files / "hostile.csv", "--target", "energy", "--out", out_file)
    text = out_file.read_text()
    assert code == 0
    assert hostile not in text and "&lt;script&gt;" in text and text.startswith("<!doctype html>")


def test_names_cannot_steer_a_terminal(call, files):
    ball().rename(columns={"x": "[red]a\x1b[31m", "y": "[/]"}).to_csv(files / "odd.csv", index=False)
    code, out, err = call("discover", "function", files / "odd.csv", "--target", "energy")
    assert code == 0
    assert "\x1b" not in out + err
    assert "[red]a\\x1b[31m" in out and "[/]" in out


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_style_but_no_markup():
    screen = Terminal()
    say("[bold]x[/] found\nrest", screen, "bold")
    assert "[bold]x[/] found" in screen.getvalue() and "rest" in screen.getvalue()


def test_an_undecided_question_is_valid_json_with_a_reason(call, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["x", "y", "noise"])
    frame.to_csv(tmp_path / "noise.csv", index=False)
    words = (
        "discover",
        "function",
        tmp_path / "noise.csv",
        "--target",
        "noise",
        "--json",
        "--out",
        tmp_path / "a.json",
    )
    code, out, err = call(*words)
    answer = json.loads(out)
    assert code == 1
    assert answer["answered"] is False and answer["why_not"]
    assert err.startswith("not answered: ") and answer["why_not"] in err
    assert json.loads((tmp_path / "a.json").read_text()) == answer


def test_a_delta_below_what_the_data_can_tell_is_not_answered(call, tmp_path):
    frame = ball()
    frame["energy"] += 0.01 * np.random.default_rng(0).normal(size=len(frame))
    frame.to_csv(tmp_path / "noisy.csv", index=False)
    code, out, err = call("discover", "function", tmp_path / "noisy.csv", "--target", "energy", "--delta", "1e-5")
    assert code == 1
    assert "coarser than delta" in out and err.startswith("not answered: ")


def test_warnings_of_other_packages_are_for_debugging(call, files, monkeypatch):
    from erlangen.io import read_generators

    def noisy(path):
        warnings.warn("overflow somewhere", RuntimeWarning, stacklevel=1)
        return read_generators(path)

    monkeypatch.setattr("erlangen.io.read_generators", noisy)
    assert call("identify", files / "so3.npz").err == ""
    assert "\nwarning: overflow somewhere\n" in call("identify", files / "so3.npz", "--debug").err


def test_a_file_name_that_is_no_text(call, files):
    odd = os.fsdecode(os.fsencode(files) + b"/\xff.npz")
    os.rename(files / "so3.npz", odd)
    code, out, _ = call("identify", odd, "--json", "--out", files / "answer.json")
    assert code == 0 and json.loads(out)["about"]["file"].endswith("\ufffd.npz")
    assert json.loads((files / "answer.json").read_text(encoding="utf-8")) == json.loads(out)


# --- the process


def test_help_is_quick_because_it_loads_nothing_heavy():
    code = (
        "import sys; from erlangen.cli import main; assert main(['discover', 'function', '--help']) == 0; "
        "heavy = {'numpy', 'scipy', 'pandas', 'sklearn', 'sympy', 'torch'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--target" in done.stdout


def test_exit_codes_of_the_process(files):
    done = erlangen("--version")
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "erlangen", "")
    done = erlangen("identify", files / "so4.npz")
    assert done.returncode == 2 and done.stdout == ""
    assert "did you mean 'so3.npz'?" in done.stderr and "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_is_no_error(files):
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "erlangen", "identify", str(files / "so3.npz")]
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_no_command_shows_help(call):
    code, out, _ = call()
    assert code == 0 and "discover" in out and "identify" in out


def test_interruption_is_told_in_one_word(call, files, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("erlangen.io.read_generators", interrupt)
    assert call("identify", files / "so3.npz") == (130, "", "Interrupted.\n")


@pytest.mark.parametrize("error", [ZeroDivisionError("by [0]"), MemoryError(), RecursionError("deep")])
def test_an_unexpected_error_is_told_without_a_traceback(call, files, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("erlangen.io.read_generators", fail)
    code, out, err = call("identify", files / "so3.npz")
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 4
    code, _, err = call("identify", files / "so3.npz", "--debug")
    assert code == 2 and "Traceback" in err


# --- progress


def watch(monkeypatch, *words):
    """Stderr of a command on a terminal, with a patience of nothing."""
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(_console, "PATIENCE", 0.0)
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(list(map(str, words))) == 0
    return screen.getvalue()


def test_progress_is_shown_on_a_terminal_only_when_wanted(files, monkeypatch):
    from erlangen.io import read_generators

    def slow(path):
        time.sleep(0.3)
        return read_generators(path)

    monkeypatch.setattr("erlangen.io.read_generators", slow)
    assert "reading so3.npz" in watch(monkeypatch, "identify", files / "so3.npz")
    assert watch(monkeypatch, "identify", files / "so3.npz", "--json") == ""
    assert watch(monkeypatch, "identify", files / "so3.npz", "--quiet") == ""


def test_short_work_shows_no_progress(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Progress(True, 2).running() as progress:
        progress.step("quick")
    assert screen.getvalue() == ""
