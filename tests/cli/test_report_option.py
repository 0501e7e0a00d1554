"""``--report FILE``: every command writes the page of its answer, and no half of one."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from erlangen.fields.trajectories import Trajectories
from erlangen.reports import provenance
from erlangen.reports.provenance import provenance_of

COMMANDS = {
    "function": ("discover", "function", "ball.csv", "--target", "energy"),
    "dynamics": ("discover", "dynamics", "turns.csv", "--time", "t", "--group", "run"),
    "cloud": ("discover", "cloud", "sphere.csv"),
    "certify": ("certify", "function", "ball.csv", "--target", "energy", "--box=-1,1", "--degree", "2"),
    "conserved": ("conserved", "turns.csv", "--time", "t", "--group", "run", "--positions", "x", "--momenta", "y"),
    "equations": ("equations", "turns.csv", "--time", "t", "--group", "run", "--degree", "1", "--form", "strong"),
    "identify": ("identify", "so3.npz"),
    "demo": ("demo", "--body", "earth,mars,venus,jupiter,saturn,uranus"),
}
HEADINGS = {
    "function": "Symmetry: ball", "dynamics": "Symmetry: turns", "cloud": "Symmetry: sphere",
    "certify": "How sure are we?: ball", "conserved": "What is conserved: turns", "demo": "What is conserved: planets",
    "equations": "Equations of motion: turns", "identify": "Lie algebra: so3",
}  # fmt: skip
SHOWN = {
    "function": "Move the data along the symmetry", "dynamics": "Spectrum", "cloud": "Generators",
    "certify": "Dimension as a function of delta", "conserved": "Conserved over time", "demo": "The runs in x, y, z",
    "equations": "What the equations leave", "identify": "Structure constants",
}  # fmt: skip


@pytest.fixture
def here(files, monkeypatch) -> Path:
    """The folder of the small files, as the one that the user is in."""
    monkeypatch.chdir(files)
    return files


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_writes_a_report(call, here, name):
    words = COMMANDS[name]
    code, out, err = call(*words, "--report", "page.html", "--json", "--seed", 3)
    answer, text = json.loads(out), (here / "page.html").read_text("utf-8")
    assert code in (0, 1) and answer["report"] == "page.html" and "Wrote page.html." in err
    assert f"<title>{HEADINGS[name]}</title>" in text and SHOWN[name] in text
    typed = f"erlangen {' '.join(words)} --report page.html --json --seed 3"
    assert typed in text.replace("&#x27;", "")
    read = next((word for word in words if (here / word).is_file()), None)
    if read is not None:
        digest = hashlib.sha256((here / read).read_bytes()).hexdigest()
        assert f"sha256sum {read}  # {digest}" in text
    assert str(here) not in text and str(Path(provenance.__file__).parent) not in text


def test_without_the_option_there_is_no_report(call, here):
    code, out, _ = call("identify", "so3.npz", "--json")
    assert code == 0 and json.loads(out)["report"] is None and not list(here.glob("*.html"))


def test_out_writes_the_same_page(call, here):
    call("identify", "so3.npz", "--report", "a.html", "--out", "b.html")
    pages = [(here / name).read_text("utf-8") for name in ("a.html", "b.html")]
    times = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")  # the minute may end between the two
    assert times.sub("", pages[0]) == times.sub("", pages[1])


def test_what_is_not_decided_is_reported_with_the_reason(call, here):
    words = ("certify", "function", "few.csv", "--target", "energy", "--report", "page.html", "--json")
    pd.read_csv(here / "ball.csv")[:9].to_csv(here / "few.csv", index=False)
    code, out, err = call(*words)
    text = (here / "page.html").read_text("utf-8")
    assert code == 1 and json.loads(out)["report"] == "page.html" and "not answered" in err
    assert "<title>Undecided: few</title>" in text and "Why the data do not decide" in text
    assert json.loads(out)["verdict"].split(".")[0] in text


def test_warnings_open_the_page(call, here):
    with (here / "turns.csv").open("a", encoding="utf-8") as table:
        table.write("0,,1.0,2.0\n")
    call(*COMMANDS["conserved"], "--drop-nan", "--report", "page.html")
    text = (here / "page.html").read_text("utf-8")
    main = text.partition("<main")[2]
    assert main.index("<h2>Warnings</h2>") < main.index("<h2>Conserved quantities</h2>")


# --- mistakes

REFUSED = {
    "ending": ("page.htm", "--report page.html"),
    "exists": ("there.html", "--force"),
    "folder": ("nowhere/page.html", "no such folder"),
    "twice": ("also.html", "another file on the line"),
    "empty": ("", "no name"),
    "root": ("/", "no name"),
    "too long": (300 * "a" + ".html", "too long"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_reports_that_cannot_be_written_are_refused_before_any_work(call, here, monkeypatch, case):
    def work(*_: object, **__: object) -> None:
        raise AssertionError("the file was read first")

    monkeypatch.setattr("erlangen.io.read_generators", work)
    (here / "there.html").write_text("mine")
    before = sorted(here.iterdir())
    name, told = REFUSED[case]
    code, out, err = call("identify", "so3.npz", "--report", name, *(("--out", name) if case == "twice" else ()))
    assert code == 2 and out == "" and told in err and "fix:" in err
    assert sorted(here.iterdir()) == before and (here / "there.html").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "/", 300 * "a" + ".json"])
def test_no_name_of_a_file_is_told_for_out_too(call, here, name):
    code, out, err = call("identify", "so3.npz", "--out", name)
    assert code == 2 and out == "" and "fix:" in err and ("no name" in err or "too long" in err)


def test_force_overwrites(call, here):
    (here / "there.html").write_text("old")
    assert call("identify", "so3.npz", "--report", "there.html", "--force").code == 0
    assert "Lie algebra" in (here / "there.html").read_text("utf-8")


def test_a_missing_extra_is_explained_before_any_work(call, here, monkeypatch):
    monkeypatch.setattr("erlangen.cli._report.can_draw", lambda: False)
    monkeypatch.setitem(__import__("sys").modules, "plotly.offline", None)
    code, out, err = call("identify", "so3.npz", "--report", "page.html")
    assert (code, out) == (2, "") and 'pip install "erlangen[report]"' in err and not (here / "page.html").exists()
    # without figures, --out still writes a page
    assert call("identify", "so3.npz", "--out", "plain.html").code == 0
    text = (here / "plain.html").read_text("utf-8")
    assert "so(3)" in text and "<script" not in text


def test_bad_input_leaves_no_page(call, here):
    (here / "bad.csv").write_text("x,energy\n1,2\nthree,4\n")
    code, _, _ = call("discover", "function", "bad.csv", "--target", "energy", "--report", "page.html")
    assert code == 2 and not (here / "page.html").exists() and not list(here.glob("*.part"))


def test_an_answer_is_told_even_where_its_page_fails(call, here, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr("erlangen.reports._reporting.write_text", fail)
    code, out, err = call("identify", "so3.npz", "--json", "--report", "page.html")
    answer = json.loads(out)
    assert code == 2 and answer["name"] == "so(3)" and answer["report"] is None
    assert "no room" in err and not (here / "page.html").exists()


# --- provenance


def test_arrays_are_hashed_where_there_are_no_files():
    points = np.arange(6.0).reshape(3, 2)
    digest = hashlib.sha256(points.tobytes()).hexdigest()
    found = provenance_of(data=(points.astype(np.float32), points[:, 0]), seed=7, command='er.report(sym, "a.html")')
    assert found.data["points"] == digest and set(found.data) == {"points", "values"}
    assert digest in found.reproduce and found.command in found.reproduce and found.seed == 7
    flow = Trajectories.from_arrays(points, [0.0, 1.0, 2.0], names=["x", "y"])
    (run,) = provenance_of(data=flow).inputs
    assert run.sha256 == hashlib.sha256(np.c_[[0.0, 1.0, 2.0], points].tobytes()).hexdigest()
    assert run.name == "1 run of t, x, y" and provenance_of().inputs == ()


def test_a_folder_is_hashed_by_its_files(tmp_path):
    for name, text in (("b.csv", "2"), ("a.csv", "1")):
        (tmp_path / name).write_text(text)
    names = {"data": tmp_path}
    (one,) = provenance_of(files=names, command=["erlangen", "x"]).inputs
    lines = "".join(f"{n} {hashlib.sha256(t.encode()).hexdigest()}\n" for n, t in (("a.csv", "1"), ("b.csv", "2")))
    assert one.sha256 == hashlib.sha256(lines.encode()).hexdigest() and one.about == "2 files" and one.size == 2
    (tmp_path / "b.csv").write_text("3")
    assert provenance_of(files=names).data["data"] != one.sha256


def test_only_what_is_installed_is_told(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    assert set(provenance.installed()) == {"Python", "numpy"}
    assert provenance.installed()["numpy"] == np.__version__
